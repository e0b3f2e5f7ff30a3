/* cli/cmd_highlight.c - `vitrine highlight`: places of a VM's RAM by name, as pictures show them.
 *
 *   list, remove, clear    work on the VM's directory alone
 *   a source (--gpa, --pid, --area) without a name shows where that lies, with one keeps it
 */
#include "base/text.h"
#include "cli/target.h"
#include "cli/vm.h"
#include "vitrine/highlight.h"
#include "vitrine/linux.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the list */

static const struct vt_column list_columns[] = {
    {.key = "name", .title = "NAME", .kind = VT_CELL_TEXT, .doc = "what it is called"},
    {.key = "colour", .title = "COLOUR", .kind = VT_CELL_TEXT, .doc = "#rrggbb"},
    {.key = "bytes", .title = "SIZE", .kind = VT_CELL_BYTES, .doc = "of all its runs"},
    {.key = "runs", .title = "RUNS", .kind = VT_CELL_U64, .doc = "pieces that lie apart"},
    {.key = "made_unix_s",
     .kind = VT_CELL_F64,
     .digits = 3,
     .doc = "when it was made, in seconds since 1970"},
    {.key = "label", .title = "LABEL", .kind = VT_CELL_TEXT, .doc = "what pictures call it"},
};
enum { LIST_COLUMNS = sizeof list_columns / sizeof list_columns[0] };

/* All, or the one of that name. */
static int list(const struct vt_args *args, const struct vt_vm *vm, const char *only,
                struct vt_error *err)
{
    struct vt_highlights set;
    struct vt_rows *rows;
    int rc = vt_highlights_load(vm, &set, err);
    if (rc != 0) {
        return vt_report(args, err);
    }
    rc = vt_rows_create_in(args, "highlights", list_columns, LIST_COLUMNS, &rows, err);
    for (size_t i = 0; rc == 0 && i < set.n; i++) {
        const struct vt_highlight *h = &set.all[i];
        char colour[8];
        if (only != NULL && strcmp(h->name, only) != 0) {
            continue;
        }
        snprintf(colour, sizeof colour, "#%02x%02x%02x", h->colour.r, h->colour.g, h->colour.b);
        vt_cell_text(rows, h->name);
        vt_cell_text(rows, colour);
        vt_cell_u64(rows, h->bytes);
        vt_cell_u64(rows, h->n_runs);
        vt_cell_f64(rows, h->made_unix_s);
        vt_cell_text(rows, h->label);
    }
    vt_highlights_fini(&set);
    return rc == 0 ? vt_rows_finish(rows) : vt_report(args, err);
}

/* ---------------------------------------------------------------- runs */

/* A run with the box of its voxels. */
struct place {
    struct vt_memory_run run;
    const char *kind; /* NULL: given by its address */
    char low[48], high[48];
};

#define PLACE(member, kind, key, title, doc) {VT_COLUMN(place, member, kind, key, title, doc)}

static const struct vt_column place_columns[] = {
    {VT_COLUMN(place, run.gva, VT_CELL_HEX, "virtual", "VIRTUAL",
               "where its owner has it, or the kernel's map of all memory"),
     .zero_is_none = true},
    PLACE(run.gpa, VT_CELL_HEX, "physical", "PHYSICAL", "where it lies, guest-physically"),
    PLACE(run.bytes, VT_CELL_BYTES, "bytes", "SIZE", "of the run"),
    PLACE(kind, VT_CELL_TEXT, "kind", "KIND", "what it is used for"),
    {VT_COLUMN(place, run.pid, VT_CELL_I64, "pid", "PID", "whose it is"), .zero_is_none = true},
    {VT_COLUMN(place, run.level, VT_CELL_U64, "level", NULL,
               "of page tables: 1 for those of 4 KiB pages"),
     .zero_is_none = true},
    PLACE(low, VT_CELL_CHARS, "box_min", NULL,
          "where it is in the volume: lowest x, y, z in voxels"),
    PLACE(high, VT_CELL_CHARS, "box_max", NULL, "highest x, y, z"),
    PLACE(run.name, VT_CELL_TEXT, "name", "NAME", "of the area, the file or the process"),
};
enum { PLACE_COLUMNS = sizeof place_columns / sizeof place_columns[0] };

struct source {
    const struct vt_args *args;
    const struct vt_ram *ram;
    unsigned order;
    int32_t pid;
    struct vt_rows *rows;    /* runs are shown … */
    struct vt_gpa_run *runs; /* … or kept */
    size_t n, room;
    struct vt_error *err;
};

static int show(struct source *s, struct place *p)
{
    struct vt_off off;
    struct vt_box box;
    int rc = vt_ram_offset(s->ram, p->run.gpa, &off, NULL, s->err);
    rc = rc == 0 ? vt_volume_box(s->order, off, p->run.bytes, &box, s->err) : rc;
    if (rc == 0) {
        snprintf(p->low, sizeof p->low, "%" PRIu32 ",%" PRIu32 ",%" PRIu32, box.min[0], box.min[1],
                 box.min[2]);
        snprintf(p->high, sizeof p->high, "%" PRIu32 ",%" PRIu32 ",%" PRIu32, box.max[0],
                 box.max[1], box.max[2]);
        vt_cell_record(s->rows, p, PLACE_COLUMNS);
    }
    return rc;
}

static int keep(struct source *s, const struct vt_memory_run *run)
{
    struct vt_gpa_run *last = s->n > 0 ? &s->runs[s->n - 1] : NULL;
    if (last != NULL && last->gpa.v + last->bytes == run->gpa.v) {
        last->bytes += run->bytes;
        return 0;
    }
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 256 : 2 * s->room;
        struct vt_gpa_run *more = realloc(s->runs, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(s->err, VT_E_NOMEM, "runs: out of memory");
        }
        s->runs = more;
        s->room = room;
    }
    assert(s->runs != NULL); /* room > n */
    s->runs[s->n++] = (struct vt_gpa_run){run->gpa, run->bytes};
    return 0;
}

static int on_run(const struct vt_memory_run *run, void *arg)
{
    struct source *s = arg;
    if (vt_interrupted) {
        return vt_fail(s->err, VT_E_INTERRUPTED, "interrupted");
    }
    struct place p = {.run = *run, .kind = vt_memory_kind_name(run->kind)};
    return s->rows != NULL ? show(s, &p) : keep(s, run);
}

/* What --gpa and --bytes say; a highlight checks for itself that it is RAM. */
static int physical_runs(struct source *s)
{
    const char *at;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && (at = vt_args_value_at(s->args, "gpa", i)) != NULL; i++) {
        const char *size = vt_args_value_at(s->args, "bytes", i);
        struct place p = {.run.bytes = VT_PAGE_BYTES};
        rc = vt_parse_u64(at, &p.run.gpa.v, s->err);
        rc = rc == 0 && size != NULL ? vt_parse_bytes(size, &p.run.bytes, s->err) : rc;
        if (rc != 0 || s->rows == NULL) {
            rc = rc == 0 ? keep(s, &p.run) : rc;
            continue;
        }
        for (uint64_t left = p.run.bytes; rc == 0 && left > 0; left -= p.run.bytes) {
            struct vt_off off;
            uint64_t run;
            rc = vt_ram_offset(s->ram, p.run.gpa, &off, &run, s->err);
            p.run.bytes = rc == 0 && run < left ? run : left;
            rc = rc == 0 ? show(s, &p) : rc;
            p.run.gpa.v += p.run.bytes;
        }
    }
    return rc;
}

static int areas(struct source *s, struct vt_kernel *kernel)
{
    enum vt_memory_kind kind;
    const char *name;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && (name = vt_args_value_at(s->args, "area", i)) != NULL; i++) {
        rc = vt_memory_kind_parse(name, s->pid != 0, &kind, s->err);
        rc = rc == 0 ? vt_linux_memory_runs(kernel, kind, s->pid, on_run, s, s->err) : rc;
    }
    if (rc == 0 && s->pid != 0 && vt_args_value(s->args, "area") == NULL) {
        rc = vt_linux_memory_runs(kernel, VT_MEMORY_PROCESS, s->pid, on_run, s, s->err);
    }
    return rc;
}

static int gather(struct source *s, struct vt_target *t)
{
    bool of_kernel = s->pid != 0 || vt_args_value(s->args, "area") != NULL;
    s->ram = t->ram;
    s->order = vt_volume_order(vt_ram_size(t->ram));
    int rc = vt_cli_pause(s->args, t, s->err);
    rc = rc == 0 ? physical_runs(s) : rc;
    rc = rc == 0 && of_kernel ? vt_target_kernel(t, s->err) : rc;
    rc = rc == 0 && of_kernel ? areas(s, t->kernel) : rc;
    struct vt_error resume;
    if (vt_target_resume(t, &resume) != 0 && rc == 0) {
        *s->err = resume;
        rc = (int)resume.code;
    }
    return rc;
}

static int show_runs(struct source *s, struct vt_target *t)
{
    int rc = vt_rows_create_in(s->args, "runs", place_columns, PLACE_COLUMNS, &s->rows, s->err);
    if (rc != 0) {
        return vt_report(s->args, s->err);
    }
    rc = gather(s, t);
    struct vt_json_writer *w = vt_rows_members(s->rows);
    if (w != NULL) {
        vt_json_kv_u64(w, "volume_order", s->order);
    }
    int result = vt_rows_finish(s->rows);
    return rc != 0 ? vt_report(s->args, s->err) : result;
}

/* "dropbear heap": whose and what, when nobody says how to call it. */
static void make_label(struct source *s, const struct vt_target *t, char *label, size_t size)
{
    struct vt_task_list tasks;
    size_t n = 0;
    label[0] = '\0';
    if (s->pid != 0 && vt_linux_tasks(t->kernel, &tasks, NULL) == 0) {
        for (size_t i = 0; i < tasks.n; i++) {
            if (tasks.tasks[i].pid == s->pid) {
                n = (size_t)snprintf(label, size, "%s", tasks.tasks[i].comm);
            }
        }
        vt_task_list_fini(&tasks);
    }
    const char *area;
    for (unsigned i = 0; (area = vt_args_value_at(s->args, "area", i)) != NULL && n < size; i++) {
        n += (size_t)snprintf(label + n, size - n, "%s%s", i > 0 ? ", " : n > 0 ? " " : "", area);
    }
}

static int put(struct source *s, struct vt_target *t, const char *name,
               const struct vt_colour *colour)
{
    char made[VT_HIGHLIGHT_LABEL_MAX + 1];
    const char *label = vt_args_value(s->args, "label");
    int rc = t->vm != NULL ? gather(s, t)
                           : vt_fail(s->err, VT_E_UNSUPPORTED,
                                     "%s: saved RAM keeps no highlights; without a name they are "
                                     "shown",
                                     t->name);
    if (rc == 0 && label == NULL) {
        make_label(s, t, made, sizeof made);
        label = made[0] != '\0' ? made : NULL;
    }
    if (rc == 0 && s->n == 0) {
        rc = vt_fail(s->err, VT_E_NOT_FOUND, "no memory of that kind");
    }
    if (rc == 0) {
        rc = vt_highlights_put(t->vm, name, label, colour, s->runs, s->n, s->err);
    }
    return rc == 0 ? list(s->args, t->vm, name, s->err) : vt_report(s->args, s->err);
}

/* ---------------------------------------------------------------- the verb */

static int look(const struct vt_args *args, const char *name, int32_t pid)
{
    struct vt_error err;
    struct vt_target target;
    struct vt_colour colour;
    enum vt_memory_kind kind;
    struct source s = {.args = args, .pid = pid, .err = &err};
    const char *text = vt_args_value(args, "colour"), *area;
    for (unsigned i = 0; (area = vt_args_value_at(args, "area", i)) != NULL; i++) {
        if (vt_memory_kind_parse(area, pid != 0, &kind, &err) != 0) {
            return vt_usage_error(args, "--area: %s", err.message);
        }
    }
    if (text != NULL && vt_colour_parse(text, &colour, &err) != 0) {
        return vt_usage_error(args, "--colour: %s", err.message);
    }
    char detail[96];
    area = vt_args_value(args, "area");
    snprintf(detail, sizeof detail, "pid %" PRId32 " %s", pid, area != NULL ? area : "");
    int result = vt_cli_open(args, "highlight", VT_CLI_RAM, detail, &target);
    if (result != 0) {
        return result;
    }
    result = name != NULL ? put(&s, &target, name, text != NULL ? &colour : NULL)
                          : show_runs(&s, &target);
    free(s.runs);
    return vt_cli_close(args, &target, result);
}

static int change(const struct vt_args *args, const char *name)
{
    struct vt_error err;
    struct vt_vm *vm;
    int result = vt_cli_open_vm(args, &vm);
    if (result != 0) {
        return result;
    }
    int rc = vt_args_flag(args, "clear")    ? vt_highlights_clear(vm, &err)
             : vt_args_flag(args, "remove") ? vt_highlights_remove(vm, name, &err)
                                            : 0;
    if (rc != 0) {
        result = vt_report(args, &err);
    } else if (vt_args_flag(args, "clear") || vt_args_flag(args, "remove")) {
        result = vt_args_json(args) ? list(args, vm, NULL, &err) : VT_EXIT_OK;
    } else {
        result = list(args, vm, name, &err);
    }
    vt_vm_close(vm);
    return result;
}

static int run(const struct vt_args *args)
{
    const char *name = vt_args_operand(args, 1);
    bool clear = vt_args_flag(args, "clear"), remove = vt_args_flag(args, "remove");
    unsigned gpas = 0, sizes = 0;
    uint64_t pid;
    int result = vt_args_u64(args, "pid", 0, &pid);
    if (result != 0) {
        return result;
    }
    if (pid > INT32_MAX || (pid == 0 && vt_args_value(args, "pid") != NULL)) {
        return vt_usage_error(args, "--pid: a process has a number from 1 to %d", INT32_MAX);
    }
    while (vt_args_value_at(args, "gpa", gpas) != NULL) {
        gpas++;
    }
    while (vt_args_value_at(args, "bytes", sizes) != NULL) {
        sizes++;
    }
    bool source = gpas > 0 || pid != 0 || vt_args_value(args, "area") != NULL;
    if (sizes != 0 && sizes != gpas) {
        return vt_usage_error(args, "--bytes: one for each --gpa, in the same order");
    }
    if (clear + remove + source > 1) {
        return vt_usage_error(args, "--remove, --clear or a source of memory: one of them");
    }
    if (remove && name == NULL) {
        return vt_usage_error(args, "--remove: which one?");
    }
    if (clear && name != NULL) {
        return vt_usage_error(args, "--clear removes all; --remove is for one");
    }
    return source ? look(args, name, (int32_t)pid) : change(args, name);
}

static const struct vt_option options[] = {
    {"gpa", "ADDR", "memory from this guest-physical address on", true},
    {"bytes", "SIZE", "so much of it; once for each --gpa (default: a page)", true},
    {"area", "KIND", "memory of this kind: slab; with --pid heap, stack", true},
    {"pid", "N", "of this process; without --area all of its memory", false},
    {"label", "TEXT", "what pictures call it (default: made from what was asked for)", false},
    {"colour", "COLOUR", "a name or #rrggbb (default: one that few others have)", false},
    {"remove", NULL, "remove the one named", false},
    {"clear", NULL, "remove all of the VM's", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_highlight = {
    .name = "highlight",
    .group = "Picture",
    .summary = "Name places of a VM's RAM, to see them in pictures",
    .operands = "VM [NAME]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .description =
        "A highlight is a set of guest-physical pages with a name, a label and a colour. Pictures\n"
        "of the VM show its highlights; they end with it. Pages are those it had when it was\n"
        "named: name it again when the guest has moved on.\n"
        "\n"
        "With a source (--gpa, --area, --pid) and a name it is made, or made anew. With a source\n"
        "alone nothing is kept: its runs are shown, virtual and physical, with the box around\n"
        "their voxels in the volume; that works on saved RAM as well. Without a source: the list.\n"
        "\n"
        "Kinds of a process (--pid): code, data, heap, stack, file, anon, vdso; kernel_stacks,\n"
        "page_tables. Of the kernel: kernel (kernel_text, kernel_rodata, kernel_data, "
        "kernel_bss),\n"
        "modules, kernel_stacks, page_tables, slab, vmalloc, page_cache, free. Without --pid "
        "those\n"
        "of a process are those of all processes together.",
    .examples = "vitrine highlight web slab --area slab\n"
                "vitrine highlight web sshd --pid 214 --area heap --area stack --colour lime\n"
                "vitrine highlight web dma --gpa 0x1000000 --bytes 64K --label 'DMA ring'\n"
                "vitrine highlight web\n"
                "vitrine highlight web --pid 214 --area heap --json\n"
                "vitrine highlight web sshd --remove\n"
                "vitrine shot web ram.png",
    .columns = list_columns,
    .n_columns = LIST_COLUMNS,
    .run = run,
};
