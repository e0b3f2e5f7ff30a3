/* venus/timeline.h - fences of a context by timeline: 0 is the CPU's, others are queues'.
 *
 * Each timeline that is used has a thread, which waits for the host's fences in their order and
 * tells events->fence. The context's owner creates, stops and destroys them; timelines are bound to
 * queues as guests get those (context.h). */
#ifndef VT_VENUS_TIMELINE_H
#define VT_VENUS_TIMELINE_H

#include "venus/context.h"

struct vt_venus_timelines;
/** `events` is copied. */
int vt_venus_timelines_create(struct vt_venus_context *context,
                              const struct vt_venus_events *events,
                              struct vt_venus_timelines **timelines, struct vt_error *err);
/** Threads have ended, fences that are open are forgotten and no event comes any more. Before the
 * context's devices are ended. */
void vt_venus_timelines_stop(struct vt_venus_timelines *timelines);
/** After them. Takes NULL. */
void vt_venus_timelines_destroy(struct vt_venus_timelines *timelines);
/** vt_venus_context_fence. */
int vt_venus_timelines_fence(struct vt_venus_timelines *timelines, uint32_t timeline, uint64_t id,
                             struct vt_error *err);

#endif
