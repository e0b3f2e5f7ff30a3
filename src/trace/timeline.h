/* trace/timeline.h - call stacks along time, as slices on tracks: what chrome and perfetto have in
 * common.
 *
 * Process 0 has a track a vCPU with what it runs: a process, the kernel, nothing. Every process has
 * a track for each vCPU it ran on, with the functions it was in. Between time words instructions
 * pass evenly. On a track calls come in the order of time, and slices nest.
 */
#ifndef VT_TRACE_TIMELINE_H
#define VT_TRACE_TIMELINE_H

#include "trace/export_parts.h"

struct vt_trace_slice_name {
    uint32_t id; /**< the same for equal texts, small */
    const char *text, *category;
};
/** Tracks and processes are numbered from 0, in the order of their calls. */
struct vt_trace_timeline_sink {
    void (*process)(void *arg, uint32_t process, const char *name);
    void (*track)(void *arg, uint32_t track, uint32_t process, unsigned vcpu, const char *name);
    void (*begin)(void *arg, uint32_t track, uint64_t ns, const struct vt_trace_slice_name *name);
    void (*end)(void *arg, uint32_t track, uint64_t ns);
    void (*instant)(void *arg, uint32_t track, uint64_t ns, const struct vt_trace_slice_name *name);
};

struct vt_trace_timeline;
int vt_trace_timeline_create(struct vt_trace_export *x, const struct vt_trace_timeline_sink *sink,
                             void *arg, struct vt_trace_timeline **timeline, struct vt_error *err);
int vt_trace_timeline_put(struct vt_trace_timeline *t, const struct vt_trace_event *event,
                          struct vt_error *err);
/** With `whole`, ends what goes on; frees in any case. NULL is fine. */
int vt_trace_timeline_end(struct vt_trace_timeline *t, bool whole, struct vt_error *err);

#endif
