/* trace/file_bytes.h - bytes of a .vtrace file that are being put together.
 */
#ifndef VT_TRACE_FILE_BYTES_H
#define VT_TRACE_FILE_BYTES_H

#include "vitrine/base.h"

#include <endian.h>
#include <string.h>

/** Who puts has made sure of room. */
struct vt_trace_bytes {
    uint8_t *at;
    size_t n, room;
};

static inline void vt_trace_put_u8(struct vt_trace_bytes *b, uint8_t v)
{
    b->at[b->n++] = v;
}

static inline void vt_trace_put_u32(struct vt_trace_bytes *b, uint32_t v)
{
    v = htole32(v);
    memcpy(b->at + b->n, &v, sizeof v);
    b->n += sizeof v;
}

static inline void vt_trace_put_u64(struct vt_trace_bytes *b, uint64_t v)
{
    v = htole64(v);
    memcpy(b->at + b->n, &v, sizeof v);
    b->n += sizeof v;
}

static inline void vt_trace_put_varint(struct vt_trace_bytes *b, uint64_t v)
{
    uint8_t *to = b->at + b->n;
    while (v >= 128) {
        *to++ = (uint8_t)(v | 128);
        v >>= 7;
    }
    *to++ = (uint8_t)v;
    b->n = (size_t)(to - b->at);
}

static inline void vt_trace_put_bytes(struct vt_trace_bytes *b, const void *from, size_t n)
{
    if (n > 0) {
        memcpy(b->at + b->n, from, n);
        b->n += n;
    }
}

static inline void vt_trace_put_text(struct vt_trace_bytes *b, const char *text, size_t max)
{
    size_t n = text != NULL ? strnlen(text, max) : 0;
    vt_trace_put_varint(b, n);
    vt_trace_put_bytes(b, text, n);
}

#endif
