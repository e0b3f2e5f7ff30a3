/* base/loop.h - one thread's event loop over epoll: descriptors, timers, signals.
 *
 * A source belongs to the loop from its _add until its _remove (or the loop's end); callbacks may
 * add and remove any source, their own included. A source goes before its descriptor is closed.
 * Nothing here is thread-safe. Signals arrive through signalfd: vt_loop_add_signal blocks the
 * signal in the calling thread, so call it before making others; it stays blocked when the source
 * goes, and children inherit that.
 */
#ifndef VT_BASE_LOOP_H
#define VT_BASE_LOOP_H

#include "vitrine/base.h"

struct vt_loop;
struct vt_source;

/** `events` are EPOLLIN/EPOLLOUT/EPOLLHUP…; for timers the number of expirations, for signals the
 *  signal's number. */
typedef void vt_source_fn(struct vt_source *source, uint32_t events, void *arg);

int vt_loop_create(struct vt_loop **loop, struct vt_error *err);
/** Removes every source; descriptors given to vt_loop_add_fd stay the caller's. Takes NULL. */
void vt_loop_destroy(struct vt_loop *loop);

int vt_loop_add_fd(struct vt_loop *loop, int fd, uint32_t events, vt_source_fn *fn, void *arg,
                   struct vt_source **source, struct vt_error *err);
int vt_source_set_events(struct vt_source *source, uint32_t events, struct vt_error *err);
/** First expiry in `first_ns` from now (0: disarmed), then every `every_ns` (0: once). */
int vt_loop_add_timer(struct vt_loop *loop, uint64_t first_ns, uint64_t every_ns, vt_source_fn *fn,
                      void *arg, struct vt_source **source, struct vt_error *err);
int vt_source_set_timer(struct vt_source *source, uint64_t first_ns, uint64_t every_ns,
                        struct vt_error *err);
int vt_loop_add_signal(struct vt_loop *loop, int signo, vt_source_fn *fn, void *arg,
                       struct vt_source **source, struct vt_error *err);
/** Takes NULL. */
void vt_source_remove(struct vt_source *source);

/** Dispatches until vt_loop_stop; returns what was given to it, or a negative vt_code. */
int vt_loop_run(struct vt_loop *loop, struct vt_error *err);
/** From a callback: no further callback runs and vt_loop_run returns. */
void vt_loop_stop(struct vt_loop *loop, int result);

#endif
