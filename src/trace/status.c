/* trace/status.c - see status.h. */
#include "trace/status.h"

#include "trace/segment.h"

static uint64_t get(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

int vt_trace_status(const char *segment, struct vt_trace_status *status, struct vt_error *err)
{
    struct vt_trace_segment s;
    struct vt_trace_header header;
    int rc = vt_trace_segment_open(&s, segment, false, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_trace_control *c = vt_trace_segment_control(&s);
    struct vt_trace_status now = {
        .ready = vt_trace_segment_header(&s, &header, NULL) == 0,
        .detail = __atomic_load_n(&c->detail, __ATOMIC_RELAXED),
        .policy = __atomic_load_n(&c->policy, __ATOMIC_RELAXED),
        .vcpus = s.vcpus,
        .n_blocks = get(&vt_trace_segment_shared(&s)->blocks),
        .ring_words = s.ring_words,
    };
    for (uint32_t i = 0; i < s.vcpus; i++) {
        const struct vt_trace_vcpu *v = vt_trace_segment_vcpu(&s, i);
        uint32_t reader = __atomic_load_n(&v->reader, __ATOMIC_RELAXED);
        now.reader = now.reader != 0 ? now.reader : reader;
        now.instructions += get(&v->instructions);
        now.blocks += get(&v->blocks);
        now.accesses += get(&v->accesses);
        now.dropped += get(&v->dropped);
        now.cuts += get(&v->cuts);
    }
    rc = vt_trace_segment_check(&s, err);
    vt_trace_segment_close(&s);
    if (rc == 0) {
        *status = now;
    }
    return rc;
}
