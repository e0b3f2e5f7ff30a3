/* server/pool.h - work that takes time, done by a few threads on behalf of an event loop.
 *
 * A job is embedded in what it is for. `work` runs on a thread of the pool, then `done` on the
 * loop's; what one writes the next sees. Everything but `work` belongs to the loop's thread.
 */
#ifndef VT_SERVER_POOL_H
#define VT_SERVER_POOL_H

#include "base/loop.h"

struct vt_pool;

struct vt_job {
    void (*work)(struct vt_job *job);
    void (*done)(struct vt_job *job);
    struct vt_job *next; /* the pool's */
};

/** `queue_max` jobs may wait beside those that run. Threads have all signals blocked. */
int vt_pool_create(struct vt_loop *loop, unsigned threads, unsigned queue_max,
                   struct vt_pool **pool, struct vt_error *err);
/** Finishes all jobs, their `done` included. Takes NULL. */
void vt_pool_destroy(struct vt_pool *pool);
/** VT_E_BUSY when the queue is full: the job was not taken. */
int vt_pool_submit(struct vt_pool *pool, struct vt_job *job, struct vt_error *err);
/** Jobs that wait, and that run. */
void vt_pool_load(struct vt_pool *pool, unsigned *waiting, unsigned *running);

#endif
