/* trace/source.h - what stands behind struct vt_trace_source: live rings, a segment, a file.
 *
 * A kind of source begins with struct vt_trace_source, fills in `kind` and hands out pointers to
 * it; the functions of vitrine/trace.h (source.c) only pass calls on.
 */
#ifndef VT_TRACE_SOURCE_H
#define VT_TRACE_SOURCE_H

#include "vitrine/trace.h"

/** A new event. Member by member, which is a few stores: compilers clear a struct of this size with
 * a string instruction that takes longer than all else about an event. */
static inline void vt_trace_event_begin(struct vt_trace_event *e, enum vt_trace_kind kind,
                                        uint32_t vcpu, uint64_t sequence, uint64_t time_ns,
                                        uint64_t root)
{
    e->kind = kind;
    e->vcpu = vcpu;
    e->sequence = sequence;
    e->time_ns = time_ns;
    e->root = root;
    e->block = NULL;
    e->executed = 0;
    e->end = VT_TRACE_END_WHOLE;
    e->from = e->to = 0;
    e->n_accesses = 0;
    e->accesses = NULL;
    e->n_registers = 0;
    e->registers = NULL;
    e->pc = 0;
    e->lost_words = 0;
    e->detail = e->generation = 0;
}

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
