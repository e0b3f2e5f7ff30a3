/* trace/filter_process.c - a process as a trace's filter. See vitrine/trace.h. */
#include "guest/linux/pages.h"
#include "vitrine/target.h"
#include "vitrine/trace.h"

#include <inttypes.h>

int vt_trace_filter_process(struct vt_target *target, uint64_t pid, struct vt_trace_filter *filter,
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
    struct vt_linux_layout layout;
    if (task == NULL) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no process %" PRIu64 " with memory of its own",
                     target->name, pid);
    } else {
        rc = vt_linux_task_layout(target->kernel, task, &layout, err);
    }
    if (rc == 0) {
        filter->root = task->pgd.v;
        /* Page-table isolation: its programs run under another root than the kernel for it. */
        filter->root_mask = ~(layout.space.root.v ^ task->pgd.v);
    }
    vt_task_list_fini(&tasks);
    return rc;
}
