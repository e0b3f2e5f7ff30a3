/* guest/linux/threads.c - the list of a process's threads, and the noun made of it. See threads.h.
 *
 * What a thread is stays as it is and is looked at twice; what it counts and its state change all
 * the time and are read once.
 */
#include "guest/linux/threads.h"

#include "guest/linux/tasks.h"

#include <inttypes.h>

#define THREADS_MAX (4u << 20) /* PID_MAX_LIMIT */

struct layout {
    struct vt_member signal, node, head, task_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, signal, "task_struct", "signal"),
    VT_FIELD_BARE(layout, node, "task_struct", "thread_node"),
    VT_FIELD_BARE(layout, head, "signal_struct", "thread_head"),
    VT_FIELD_SIZE(layout, task_bytes, "task_struct"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

int vt_threads_begin(struct vt_thread_walk *walk, struct vt_kernel *kernel, struct vt_gva task,
                     struct vt_error *err)
{
    const struct layout *l;
    *walk = (struct vt_thread_walk){0};
    int rc = vt_layout_take(kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    /* No more threads than RAM has room for. A signal_struct that cannot be read is a torn list. */
    uint32_t bytes = l->task_bytes.size > 0 ? l->task_bytes.size : 1;
    uint64_t signal = 0, fit = vt_ram_size(kernel->ram) / bytes + 1;
    vt_space_read_u64(&kernel->space, VT_GVA(task.v + l->signal.offset), &signal, NULL);
    walk->node = l->node.offset;
    vt_list_begin(&walk->list, &kernel->space, VT_GVA(signal + l->head.offset),
                  fit < THREADS_MAX ? (size_t)fit : THREADS_MAX);
    return 0;
}

int vt_threads_next(struct vt_thread_walk *walk, struct vt_gva *task, struct vt_error *err)
{
    struct vt_gva node;
    int rc = vt_list_next(&walk->list, &node, err);
    if (rc == 1) {
        *task = VT_GVA(node.v - walk->node);
    }
    return rc;
}

/* ---------------------------------------------------------------- the noun */

#define NICE_ZERO 120 /* static_prio of nice 0 */
#define RT_PRIOS 100
#define PRIOS 140 /* MAX_PRIO */

struct thread_layout {
    struct vt_extent counts;
    struct vt_member pid, tgid, comm, stack, start, prio, static_prio, rt_priority, policy;
    struct vt_member state, exit_state, cpu, utime, stime, runtime, prev_utime, prev_stime, nvcsw,
        nivcsw;
    struct vt_member task_bytes;
};

static const struct vt_field_spec thread_specs[] = {
    VT_FIELD_BARE(thread_layout, pid, "task_struct", "pid"),
    VT_FIELD_BARE(thread_layout, tgid, "task_struct", "tgid"),
    VT_FIELD_BARE(thread_layout, comm, "task_struct", "comm"),
    VT_FIELD_BARE(thread_layout, stack, "task_struct", "stack"),
    VT_FIELD_BARE(thread_layout, prio, "task_struct", "prio"),
    VT_FIELD_BARE(thread_layout, static_prio, "task_struct", "static_prio"),
    VT_FIELD_BARE(thread_layout, rt_priority, "task_struct", "rt_priority"),
    VT_FIELD_BARE(thread_layout, policy, "task_struct", "policy"),
    VT_FIELD_BARE(thread_layout, start, "task_struct", "start_boottime", "real_start_time"),
    VT_FIELD(thread_layout, state, counts, "task_struct", "__state", "state"),
    VT_FIELD(thread_layout, exit_state, counts, "task_struct", "exit_state"),
    VT_FIELD_OPTIONAL(thread_layout, cpu, counts, "task_struct", "thread_info.cpu", "cpu"),
    VT_FIELD(thread_layout, utime, counts, "task_struct", "utime"),
    VT_FIELD(thread_layout, stime, counts, "task_struct", "stime"),
    VT_FIELD(thread_layout, runtime, counts, "task_struct", "se.sum_exec_runtime"),
    VT_FIELD_OPTIONAL(thread_layout, prev_utime, counts, "task_struct", "prev_cputime.utime"),
    VT_FIELD_OPTIONAL(thread_layout, prev_stime, counts, "task_struct", "prev_cputime.stime"),
    VT_FIELD(thread_layout, nvcsw, counts, "task_struct", "nvcsw"),
    VT_FIELD(thread_layout, nivcsw, counts, "task_struct", "nivcsw"),
    VT_FIELD_SIZE(thread_layout, task_bytes, "task_struct"),
};
static const struct vt_layout_type thread_type = VT_LAYOUT(thread_layout, thread_specs);

/* SCHED_* of include/uapi/linux/sched.h. */
static const char *policy_name(uint64_t policy)
{
    static const char *const names[] = {"OTHER", "FIFO", "RR",       "BATCH",
                                        NULL,    "IDLE", "DEADLINE", "EXT"};
    return policy < sizeof names / sizeof names[0] ? names[policy] : NULL;
}

/* Ticks say how user and system share the time; how much it is the scheduler knows exactly. Neither
 * share ever shrinks from what was shown before (prev). (kernel/sched/cputime.c: cputime_adjust) */
static void share_time(struct vt_thread *t, uint64_t utime, uint64_t stime, uint64_t runtime,
                       uint64_t prev_utime, uint64_t prev_stime)
{
    if (prev_utime + prev_stime >= runtime) {
        t->user_ns = prev_utime;
        t->sys_ns = prev_stime;
        return;
    }
    uint64_t sys = 0;
    if (stime != 0) {
        unsigned __int128 part = (unsigned __int128)stime * runtime;
        sys = (uint64_t)(part / ((unsigned __int128)utime + stime));
    }
    sys = sys > prev_stime ? sys : prev_stime;
    sys = runtime - sys < prev_utime ? runtime - prev_utime : sys;
    t->sys_ns = sys;
    t->user_ns = runtime - sys;
}

static void read_thread(struct vt_walk *w, const struct thread_layout *l, struct vt_gva at,
                        struct vt_thread *t)
{
    struct vt_look *look = &w->look;
    struct vt_object counts;
    *t = (struct vt_thread){.row.at = at};
    t->tid = (int32_t)vt_look_member(look, at, &l->pid);
    t->pid = (int32_t)vt_look_member(look, at, &l->tgid);
    t->stack = VT_GVA(vt_look_member(look, at, &l->stack));
    t->start_ns = vt_look_member(look, at, &l->start);
    /* Deadline tasks have -1. */
    int64_t prio = (int32_t)vt_look_member(look, at, &l->prio);
    int64_t nice = (int32_t)vt_look_member(look, at, &l->static_prio);
    if (prio < -1 || prio >= PRIOS || nice < 0 || nice >= PRIOS) {
        vt_look_doubt(look, "priorities %" PRId64 " and %" PRId64, prio, nice);
        prio = nice = 0;
    }
    t->prio = (int32_t)prio - RT_PRIOS;
    t->nice = (int32_t)nice - NICE_ZERO;
    t->rt_priority = (uint32_t)vt_look_member(look, at, &l->rt_priority);
    t->policy = policy_name(vt_look_member(look, at, &l->policy));
    vt_look_read(look, VT_GVA(at.v + l->comm.offset), t->comm, sizeof t->comm - 1);
    if (vt_object_read(w->space, at, l->counts, &counts, NULL) != 0) {
        vt_look_doubt(look, "the task cannot be read");
        return;
    }
    t->state[0] =
        vt_task_state(vt_object_uint(&counts, &l->state), vt_object_uint(&counts, &l->exit_state));
    t->cpu = (uint32_t)vt_object_uint(&counts, &l->cpu);
    t->voluntary = vt_object_uint(&counts, &l->nvcsw);
    t->involuntary = vt_object_uint(&counts, &l->nivcsw);
    share_time(t, vt_object_uint(&counts, &l->utime), vt_object_uint(&counts, &l->stime),
               vt_object_uint(&counts, &l->runtime), vt_object_uint(&counts, &l->prev_utime),
               vt_object_uint(&counts, &l->prev_stime));
}

static int print_threads(struct vt_walk *w, const struct vt_task *process, void *arg,
                         struct vt_error *err)
{
    const struct thread_layout *l = arg;
    struct vt_thread_walk threads;
    /* Of all processes together there are no more than RAM has room for. */
    if (w->result.rows >= vt_walk_cap(w, l->task_bytes.size, THREADS_MAX)) {
        vt_walk_torn(w, "more threads than RAM has room for");
        return 0;
    }
    struct vt_gva at;
    int rc = vt_threads_begin(&threads, w->kernel, process->at, err);
    while (rc == 0 && (rc = vt_threads_next(&threads, &at, err)) == 1) {
        struct vt_thread t;
        do {
            vt_look_begin(&w->look);
            read_thread(w, l, at, &t);
            if (threads.list.torn_link) {
                vt_look_doubt(&w->look, "its link is not symmetric");
            } else if (t.tid <= 0 || t.pid != process->pid) {
                vt_look_doubt(&w->look, "no thread of process %d", process->pid);
            }
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &t.row);
    }
    vt_walk_list_end(w, &threads.list);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct thread_layout *l;
    int rc = vt_layout_take(w->kernel, &thread_type, &l, err);
    if (rc == 0 && l->comm.size + 1 != sizeof((struct vt_thread *)0)->comm) {
        rc = vt_fail(err, VT_E_CORRUPT, "a task's name has %u bytes", l->comm.size);
    }
    return rc == 0 ? vt_walk_processes(w, print_threads, l, err) : rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_thread, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(tid, VT_CELL_I64, "tid", "TID", "thread number"),
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "its process's number"),
    COLUMN(state, VT_CELL_CHARS, "state", "S", "R S D T t X Z P I, as ps(1) has them"),
    COLUMN(cpu, VT_CELL_U64, "cpu", "CPU", "where it runs, or last did"),
    COLUMN(policy, VT_CELL_TEXT, "policy", "POLICY", "scheduling policy"),
    COLUMN(prio, VT_CELL_I64, "prio", "PRI", "priority, as top(1) has it: less is more"),
    COLUMN(nice, VT_CELL_I64, "nice", "NI", "nice value"),
    COLUMN(rt_priority, VT_CELL_U64, "rt_priority", NULL, "real-time priority, or 0"),
    {VT_COLUMN(vt_thread, user_ns, VT_CELL_SECONDS, "user_s", "USER", "CPU time in user mode"),
     .digits = 2},
    {VT_COLUMN(vt_thread, sys_ns, VT_CELL_SECONDS, "sys_s", "SYS", "CPU time in the kernel"),
     .digits = 2},
    COLUMN(voluntary, VT_CELL_U64, "voluntary", "VCSW", "times it gave the CPU away"),
    COLUMN(involuntary, VT_CELL_U64, "involuntary", "ICSW", "times the CPU was taken from it"),
    {VT_COLUMN(vt_thread, start_ns, VT_CELL_SECONDS, "start_s", NULL,
               "when it was started, in seconds since boot"),
     .digits = 2},
    {VT_COLUMN(vt_thread, stack, VT_CELL_HEX, "stack", "STACK",
               "lowest address of its kernel stack"),
     .zero_is_none = true},
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "its name"),
};
#undef COLUMN

const struct vt_noun vt_noun_threads = {
    .name = "threads",
    .summary = "List the threads of the guest's processes",
    .group = "Guest",
    .description = "Every process's list of threads. CPU times are those of the last tick or\n"
                   "switch; user and system share it as /proc/PID/task/TID/stat divides it.",
    .examples = "vitrine threads web\nvitrine threads web --pid 1 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
