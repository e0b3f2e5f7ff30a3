/* trace/filter_process.c - a process as a trace's filter, also when it executes another program.
 * See vitrine/trace.h.
 */
#include "base/io.h"
#include "guest/linux/pages.h"
#include "vitrine/target.h"
#include "vitrine/trace.h"

#include <inttypes.h>

#define FOLLOW_NS 100000000u /* between two looks */
#define MISSED_MAX 2u        /* looks that did not find it, before it has ended */
#define TORN_MAX 10u         /* lists in a row that were cut short */

/* *whole: all processes were seen. */
static int find(struct vt_target *target, uint64_t pid, struct vt_trace_filter *filter, bool *whole,
                struct vt_error *err)
{
    struct vt_task_list tasks = {0};
    int rc = vt_target_kernel(target, err);
    rc = rc == 0 ? vt_linux_tasks(target->kernel, &tasks, err) : rc;
    if (rc != 0) {
        return rc;
    }
    const struct vt_task *task = NULL;
    for (size_t i = 0; i < tasks.n && task == NULL; i++) {
        if ((uint64_t)tasks.tasks[i].pid == pid && tasks.tasks[i].pgd.v != 0) {
            task = &tasks.tasks[i];
        }
    }
    *whole = !tasks.torn;
    struct vt_linux_layout layout;
    if (task == NULL) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no process %" PRIu64 " with memory of its own",
                     target->name, pid);
    } else {
        rc = vt_linux_task_layout(target->kernel, task, &layout, err);
    }
    if (rc == 0) {
        filter->pid = pid;
        filter->root = task->pgd.v;
        /* Page-table isolation: its programs run under another root than the kernel for it. */
        filter->root_mask = ~(layout.space.root.v ^ task->pgd.v);
    }
    vt_task_list_fini(&tasks);
    return rc;
}

int vt_trace_filter_process(struct vt_target *target, uint64_t pid, struct vt_trace_filter *filter,
                            struct vt_error *err)
{
    bool whole = true;
    int rc;
    unsigned tries = 0;
    do { /* the guest runs: a list that was cut short does not tell who is not there */
        rc = find(target, pid, filter, &whole, err);
    } while (rc == VT_E_NOT_FOUND && !whole && ++tries < TORN_MAX);
    return rc;
}

int vt_trace_follow(struct vt_trace_follow *f, struct vt_error *err)
{
    uint64_t now = vt_now_ns();
    if (f->filter->pid == 0 || now < f->next_ns) {
        return 0;
    }
    f->next_ns = now + FOLLOW_NS;
    struct vt_trace_filter is = *f->filter;
    bool whole = false;
    int rc = find(f->target, f->filter->pid, &is, &whole, err);
    if (rc == VT_E_NOT_FOUND && whole) {
        return ++f->missed < MISSED_MAX ? 0 : rc;
    }
    if (rc != 0) {
        return 0; /* the guest runs: the next look may see it */
    }
    f->missed = 0;
    bool other = is.root != f->filter->root || is.root_mask != f->filter->root_mask;
    *f->filter = is;
    return other;
}
