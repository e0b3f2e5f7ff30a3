/* trace/segment.h - a trace segment (ring.h) in this process: mapped, its geometry checked.
 *
 * The other side may write anything at any time, and cut the file short. What decisions hang on is
 * read once into this struct; counters and words are read through the functions here. A mapping
 * that lost pages reads as zeros and vt_trace_segment_check says so.
 */
#ifndef VT_TRACE_SEGMENT_H
#define VT_TRACE_SEGMENT_H

#include "trace/ring.h"
#include "vitrine/base.h"

struct vt_fault_guard;

struct vt_trace_segment {
    uint8_t *base;
    uint64_t bytes;
    int fd;    /* -1: the memory is somebody else's */
    int qemu;  /* pidfd; -1: not known */
    bool gone; /* it was when the segment was opened */
    struct vt_fault_guard *guard;
    char name[64]; /* of the VM, by the file's name */
    /* as it was checked */
    uint32_t vcpus, ring_words;
    uint64_t control_offset, vcpu_offset, vcpu_stride, dictionary_offset, dictionary_bytes;
};

/** Maps a segment. VT_E_NOT_FOUND; VT_E_CORRUPT and where, VT_E_UNSUPPORTED for another version. */
int vt_trace_segment_open(struct vt_trace_segment *s, const char *path, bool writable,
                          struct vt_error *err);
/** Over memory that stays the caller's and outlives *s: page-aligned, `bytes` of it. */
int vt_trace_segment_over(struct vt_trace_segment *s, void *base, uint64_t bytes,
                          struct vt_error *err);
void vt_trace_segment_close(struct vt_trace_segment *s);
/** VT_E_GONE when pages of it were lost since. */
int vt_trace_segment_check(const struct vt_trace_segment *s, struct vt_error *err);

/** What its plugin said of itself, copied and made safe: text ends, counts are within bounds.
 *  VT_E_UNSUPPORTED while no plugin has come. */
int vt_trace_segment_header(const struct vt_trace_segment *s, struct vt_trace_header *header,
                            struct vt_error *err);

/** Whether QEMU ended, orderly or not; what heads say after this was true is all there is. */
bool vt_trace_segment_qemu_is_gone(const struct vt_trace_segment *s);

/** Waits while *word is `value`, for `timeout_ns` at most, and wakes all who wait. Spurious ends
 *  are possible. Words are shared between processes. */
void vt_trace_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns);
void vt_trace_futex_wake(uint32_t *word);

static inline struct vt_trace_header *vt_trace_segment_shared(const struct vt_trace_segment *s)
{
    return (struct vt_trace_header *)(void *)s->base;
}

static inline struct vt_trace_control *vt_trace_segment_control(const struct vt_trace_segment *s)
{
    return (struct vt_trace_control *)(void *)(s->base + s->control_offset);
}

static inline struct vt_trace_vcpu *vt_trace_segment_vcpu(const struct vt_trace_segment *s,
                                                          uint32_t i)
{
    return (struct vt_trace_vcpu *)(void *)(s->base + s->vcpu_offset + i * s->vcpu_stride);
}

static inline const uint64_t *vt_trace_segment_words(const struct vt_trace_segment *s, uint32_t i)
{
    return (const uint64_t *)(const void *)((const uint8_t *)vt_trace_segment_vcpu(s, i) +
                                            VT_TRACE_PAGE);
}

#endif
