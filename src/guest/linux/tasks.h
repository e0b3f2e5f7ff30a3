/* guest/linux/tasks.h - processes, for nouns that have rows for each of them.
 */
#ifndef VT_GUEST_LINUX_TASKS_H
#define VT_GUEST_LINUX_TASKS_H

#include "guest/linux/noun.h"

/** The letter ps shows for task_struct's __state and exit_state. */
char vt_task_state(uint64_t state, uint64_t exit_state);

/** Doubts a row about a process that was torn when listed, or is not the same any more. */
void vt_look_task(struct vt_walk *walk, const struct vt_task *task);

/** Calls `one` for every process the query asks for; non-zero ends it and is returned. */
typedef int vt_task_fn(struct vt_walk *walk, const struct vt_task *task, void *arg,
                       struct vt_error *err);
int vt_walk_processes(struct vt_walk *walk, vt_task_fn *one, void *arg, struct vt_error *err);

#endif
