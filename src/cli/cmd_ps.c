/* cli/cmd_ps.c - `vitrine ps`: the guest's processes, read from its RAM. */
#include "cli/target.h"

#include <stdio.h>
#include <string.h>

#define ARGS_MAX 4096

static const struct vt_column columns[] = {
    {.key = "pid", .title = "PID", .kind = VT_CELL_I64},
    {.key = "ppid", .title = "PPID", .kind = VT_CELL_I64},
    {.key = "uid", .title = "UID", .kind = VT_CELL_U64},
    {.key = "state", .title = "S", .kind = VT_CELL_TEXT},
    {.key = "cpu", .title = "CPU", .kind = VT_CELL_U64},
    {.key = "threads", .title = "THR", .kind = VT_CELL_U64},
    {.key = "start_s", .title = "START", .kind = VT_CELL_F64, .digits = 2},
    {.key = "rss_bytes", .title = "RSS", .kind = VT_CELL_BYTES},
    {.key = "trust", .title = "TRUST", .kind = VT_CELL_TEXT},
    {.key = "task", .kind = VT_CELL_HEX},
    {.key = "page_table", .kind = VT_CELL_HEX},
    {.key = "comm", .title = "COMM", .kind = VT_CELL_TEXT},
    {.key = "args", .title = "ARGS", .kind = VT_CELL_TEXT},
};

static void print_task(struct vt_kernel *kernel, const struct vt_task *t, struct vt_rows *rows)
{
    char args[ARGS_MAX];
    vt_cell_i64(rows, t->pid);
    vt_cell_i64(rows, t->ppid);
    vt_cell_u64(rows, t->uid);
    vt_cell_text(rows, (char[]){t->state, '\0'});
    vt_cell_u64(rows, t->cpu);
    vt_cell_u64(rows, t->threads);
    vt_cell_f64(rows, (double)t->start_ns / 1e9);
    vt_cell_u64(rows, t->rss_pages * VT_PAGE_BYTES);
    vt_cell_text(rows, vt_trust_name(t->trust));
    vt_cell_u64(rows, t->at.v);
    if (t->mm.v != 0) {
        vt_cell_u64(rows, t->pgd.v);
    } else {
        vt_cell_none(rows);
    }
    vt_cell_text(rows, t->comm);
    /* Arguments that are swapped out, or never were: unknown. */
    if (t->mm.v != 0 && vt_linux_task_args(kernel, t, args, sizeof args, NULL) == 0) {
        vt_cell_text(rows, args);
    } else {
        vt_cell_none(rows);
    }
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_task_list list;
    struct vt_rows *rows;
    struct vt_error err;
    int result = vt_target_open(args, "ps", VT_TARGET_KERNEL, "", &t);
    if (result != 0) {
        return result;
    }
    if (vt_target_pause(args, &t, &err) != 0 || vt_linux_tasks(t.kernel, &list, &err) != 0) {
        return vt_target_close(args, &t, vt_report(args, &err));
    }
    if (vt_rows_create_in(args, "processes", columns, sizeof columns / sizeof columns[0], &rows,
                          &err) != 0) {
        result = vt_report(args, &err);
    } else {
        for (size_t i = 0; i < list.n; i++) {
            print_task(t.kernel, &list.tasks[i], rows);
        }
        struct vt_json_writer *w = vt_rows_members(rows);
        if (w != NULL) {
            vt_json_kv_bool(w, "torn", list.torn);
            vt_json_kv_string(w, "why", list.torn ? list.why : NULL);
        }
        result = vt_rows_finish(rows);
    }
    if (list.torn) {
        fprintf(stderr, "vitrine ps: the list may be incomplete: %s\n", list.why);
    }
    vt_task_list_fini(&list);
    return vt_target_close(args, &t, result);
}

static const struct vt_option options[] = {
    VT_TARGET_PAUSE,
    {0},
};

const struct vt_verb vt_verb_ps = {
    .name = "ps",
    .group = "Guest",
    .summary = "List the guest's processes",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Walks the kernel's own list in the guest's RAM: no agent, no profile, and nothing in\n"
        "the guest notices. VM is a VM's name or the path of a saved raw RAM file.\n\n"
        "Every process is read twice. TRUST is 'torn' where the two looks differ or a link of\n"
        "the list is not symmetric, as happens while the guest forks; --pause avoids it.\n"
        "START counts seconds since boot.\n\n"
        "With --json: {\"processes\": […], \"torn\": …, \"why\": …}.",
    .examples = "vitrine ps web\nvitrine ps web --pause --json\nvitrine ps ./saved.ram",
    .run = run,
};
