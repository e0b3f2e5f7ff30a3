/* trace/source.h - what stands behind struct vt_trace_source: live rings, a segment, a file.
 *
 * A kind of source begins with struct vt_trace_source, fills in `kind` and hands out pointers to
 * it; the functions of vitrine/trace.h (source.c) only pass calls on.
 */
#ifndef VT_TRACE_SOURCE_H
#define VT_TRACE_SOURCE_H

#include "vitrine/trace.h"

struct vt_trace_source_kind {
    int (*next)(struct vt_trace_source *source, uint64_t timeout_ms, struct vt_trace_event *event,
                struct vt_error *err);
    const struct vt_trace_block *(*block)(const struct vt_trace_source *source, uint32_t id);
    const struct vt_trace_info *(*info)(struct vt_trace_source *source);
    void (*close)(struct vt_trace_source *source); /* frees it */
};

struct vt_trace_source {
    const struct vt_trace_source_kind *kind;
};

#endif
