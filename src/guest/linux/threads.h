/* guest/linux/threads.h - the threads of a process.
 *
 *   struct vt_thread_walk threads;
 *   struct vt_gva task;
 *   rc = vt_threads_begin(&threads, w->kernel, process->at, err);
 *   while (rc == 0 && (rc = vt_threads_next(&threads, &task, err)) == 1) {
 *       rc = …a task_struct, the leader among them…
 *   }
 *   vt_walk_list_end(w, &threads.list);
 */
#ifndef VT_GUEST_LINUX_THREADS_H
#define VT_GUEST_LINUX_THREADS_H

#include "guest/linux/list.h"

struct vt_thread_walk {
    struct vt_list_walk list;
    uint32_t node; /* of the list in a task_struct */
};

/** The threads of the process that the task_struct at `task` belongs to, itself among them, in the
 *  order of /proc/PID/task (signal_struct.thread_head, task_struct.thread_node). To be ended with
 *  vt_list_end or vt_walk_list_end, whatever it returns. VT_E_NOT_FOUND: no such members. */
int vt_threads_begin(struct vt_thread_walk *walk, struct vt_kernel *kernel, struct vt_gva task,
                     struct vt_error *err);
/** 1: *task is the next one. 0: the end; walk->list says whether it is torn. VT_E_NOMEM. */
int vt_threads_next(struct vt_thread_walk *walk, struct vt_gva *task, struct vt_error *err);

#endif
