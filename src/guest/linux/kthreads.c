/* guest/linux/kthreads.c - the kernel's own threads, what they run and what kworkers are at.
 *
 * A task's struct kthread has what it was started with; until 5.16 its pointer took the place of
 * set_child_tid. A kworker's data is its struct worker.
 */
#include "guest/linux/tasks.h"

#include <stdio.h>
#include <string.h>

enum { PF_WQ_WORKER = 0x20, PF_KTHREAD = 0x200000 }; /* include/linux/sched.h, since 4.10 */

struct layout {
    struct vt_member flags, stack, kthread;
    struct vt_extent part;
    struct vt_member threadfn, data, full_name;
    struct vt_extent worker;
    struct vt_member work, function, desc, pool;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, flags, "task_struct", "flags"),
    VT_FIELD_BARE(layout, stack, "task_struct", "stack"),
    VT_FIELD_BARE_OPTIONAL(layout, kthread, "task_struct", "worker_private", "set_child_tid"),
    VT_FIELD_OPTIONAL(layout, threadfn, part, "kthread", "threadfn"),
    VT_FIELD_OPTIONAL(layout, data, part, "kthread", "data"),
    VT_FIELD_OPTIONAL(layout, full_name, part, "kthread", "full_name"),
    VT_FIELD_OPTIONAL(layout, work, worker, "worker", "current_work"),
    VT_FIELD_OPTIONAL(layout, function, worker, "worker", "current_func"),
    VT_FIELD_OPTIONAL(layout, desc, worker, "worker", "desc"),
    VT_FIELD_OPTIONAL(layout, pool, worker, "worker", "pool"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* As wq_worker_comm() adds it to a kworker's name. What it is at changes all the time. */
static void read_worker(struct vt_walk *w, const struct layout *l, struct vt_gva at,
                        struct vt_kthread *k)
{
    struct vt_object worker;
    char desc[33];
    if (vt_object_read(w->space, at, l->worker, &worker, NULL) != 0) {
        vt_look_doubt(&w->look, "its struct worker cannot be read");
        return;
    }
    bool busy = vt_object_uint(&worker, &l->work) != 0;
    if (busy) {
        k->work = VT_GVA(vt_object_uint(&worker, &l->function));
        k->work_name = vt_walk_symbol(w, k->work);
    }
    vt_object_text(&worker, &l->desc, desc, sizeof desc);
    if (desc[0] != '\0' && vt_object_uint(&worker, &l->pool) != 0) {
        size_t n = strlen(k->name);
        snprintf(k->name + n, sizeof k->name - n, "%c%s", busy ? '+' : '-', desc);
    }
}

static void read_kthread(struct vt_walk *w, const struct layout *l, uint64_t flags,
                         struct vt_kthread *k)
{
    struct vt_look *look = &w->look;
    struct vt_object o;
    struct vt_gva at = VT_GVA(vt_look_member(look, k->row.at, &l->kthread));
    k->stack = VT_GVA(vt_look_member(look, k->row.at, &l->stack));
    /* Its first moments, and threads the kernel starts without struct kthread (pid 1 was one). */
    if (at.v == 0 || l->part.high == 0 || !vt_look_object(look, at, l->part, &o)) {
        return;
    }
    k->function = VT_GVA(vt_object_uint(&o, &l->threadfn));
    k->function_name = vt_walk_symbol(w, k->function);
    struct vt_gva full = VT_GVA(vt_object_uint(&o, &l->full_name));
    if (full.v != 0) {
        vt_look_text(look, full, k->name, sizeof k->name);
    }
    struct vt_gva worker = VT_GVA(vt_object_uint(&o, &l->data));
    if ((flags & PF_WQ_WORKER) != 0 && worker.v != 0) {
        read_worker(w, l, worker, k);
    }
}

static int print_kthread(struct vt_walk *w, const struct vt_task *t, void *arg,
                         struct vt_error *err)
{
    (void)err;
    const struct layout *l = arg;
    struct vt_kthread k;
    uint32_t flags = 0;
    if (t->mm.v != 0 ||
        vt_space_read_u32(w->space, VT_GVA(t->at.v + l->flags.offset), &flags, NULL) != 0 ||
        (flags & PF_KTHREAD) == 0) {
        return 0;
    }
    do {
        vt_look_begin(&w->look);
        k = (struct vt_kthread){
            .row.at = t->at, .pid = t->pid, .state = {t->state, '\0'}, .cpu = t->cpu};
        memcpy(k.comm, t->comm, sizeof k.comm);
        memcpy(k.name, t->comm, sizeof k.comm);
        vt_look_task(w, t);
        read_kthread(w, l, flags, &k);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &k.row);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct layout *l;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    return rc == 0 ? vt_walk_processes(w, print_kthread, l, err) : rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_kthread, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(state, VT_CELL_CHARS, "state", "S", "R S D T t X Z P I, as ps(1) has them"),
    COLUMN(cpu, VT_CELL_U64, "cpu", "CPU", "where it runs, or last did"),
    {VT_COLUMN(vt_kthread, stack, VT_CELL_HEX, "stack", NULL, "lowest address of its stack"),
     .zero_is_none = true},
    {VT_COLUMN(vt_kthread, function, VT_CELL_HEX, "function", NULL, "what it was started with"),
     .zero_is_none = true},
    COLUMN(function_name, VT_CELL_TEXT, "function_name", "FUNCTION", "the symbol of that"),
    {VT_COLUMN(vt_kthread, work, VT_CELL_HEX, "work", NULL, "what a kworker is at"),
     .zero_is_none = true},
    COLUMN(work_name, VT_CELL_TEXT, "work_name", "WORK", "the symbol of that"),
    COLUMN(comm, VT_CELL_CHARS, "comm", NULL, "command name, cut at 15 bytes by the kernel"),
    COLUMN(name, VT_CELL_CHARS, "name", "NAME",
           "its whole name as /proc/PID/comm has it, with what a kworker was last at"),
};
#undef COLUMN

const struct vt_noun vt_noun_kthreads = {
    .name = "kthreads",
    .summary = "List the kernel's own threads and what they run",
    .group = "Guest",
    .description = "Processes without memory of their own. FUNCTION is what a thread was started\n"
                   "with; one that belongs to no symbol is worth a look.",
    .examples = "vitrine kthreads web\nvitrine kthreads web --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
