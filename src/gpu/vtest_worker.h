/* gpu/vtest_worker.h - who serves a client: a thread of this process, or a process of its own in a
 * sandbox, forked before it loads Vulkan.
 *
 * One thread owns all workers. A worker's process may be in a stranger's hand: what it tells is
 * checked like any other input.
 */
#ifndef VT_GPU_VTEST_WORKER_H
#define VT_GPU_VTEST_WORKER_H

#include "gpu/vtest.h"

struct vt_vtest_worker;
/** Takes `client`. With a renderer: a thread. Without: a process that makes its own from `venus`.
 */
int vt_vtest_worker_start(int client, uint32_t id, struct vt_venus_renderer *renderer,
                          const struct vt_venus_options *venus, struct vt_vtest_worker **worker,
                          struct vt_error *err);
/** Becomes readable when there is news; the worker's. */
int vt_vtest_worker_fd(const struct vt_vtest_worker *worker);
/** Takes the news: true once it has ended. Never waits for the client. */
bool vt_vtest_worker_ended(struct vt_vtest_worker *worker);
/** As of now; as of its end afterwards. Waits a quarter of a second for a process at most. */
void vt_vtest_worker_report(struct vt_vtest_worker *worker, struct vt_vtest_report *report);
/** After its end, or NULL. */
const char *vt_vtest_worker_commands(const struct vt_vtest_worker *worker);
/** Asks it to end. */
void vt_vtest_worker_stop(struct vt_vtest_worker *worker);
/** Of one that has ended. A process that has not is killed; a thread that has not is left alone
 * with what it holds, and false is returned. Takes NULL. */
bool vt_vtest_worker_destroy(struct vt_vtest_worker *worker);

#endif
