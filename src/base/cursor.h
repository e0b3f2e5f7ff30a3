/* base/cursor.h - reading hostile bytes: a bounds-checked little-endian cursor with a sticky error.
 *
 * Every read past the end returns zero (or NULL), sets `bad` and moves nothing; once bad, every
 * later read fails too. So a parser reads straight through and asks once, at the end. The cursor
 * borrows the bytes and never owns them. Not thread-safe; copy it freely.
 */
#ifndef VT_BASE_CURSOR_H
#define VT_BASE_CURSOR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vt_cursor {
    const uint8_t *base;
    size_t size;
    size_t at;
    bool bad;
};

static inline struct vt_cursor vt_cursor_of(const void *bytes, size_t size)
{
    return (struct vt_cursor){.base = bytes, .size = size};
}

static inline size_t vt_cursor_left(const struct vt_cursor *c)
{
    return c->bad ? 0 : c->size - c->at;
}

/** `n` bytes in place, or NULL when fewer are left. */
static inline const uint8_t *vt_cursor_take(struct vt_cursor *c, size_t n)
{
    if (c->bad || n > c->size - c->at) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->base + c->at;
    c->at += n;
    return p;
}

/** Moves to the absolute offset `at` (its end included). */
static inline void vt_cursor_seek(struct vt_cursor *c, size_t at)
{
    if (at > c->size) {
        c->bad = true;
    } else {
        c->at = at;
    }
}

/** Skips to the next multiple of `align` (a power of two), counted from the first byte. */
static inline void vt_cursor_align(struct vt_cursor *c, size_t align)
{
    size_t at = (c->at + align - 1) & ~(align - 1);
    if (at < c->at) {
        c->bad = true;
        return;
    }
    vt_cursor_seek(c, at);
}

static inline uint8_t vt_cursor_u8(struct vt_cursor *c)
{
    const uint8_t *p = vt_cursor_take(c, 1);
    return p != NULL ? *p : 0;
}

static inline uint16_t vt_cursor_u16(struct vt_cursor *c)
{
    uint16_t v = 0;
    const uint8_t *p = vt_cursor_take(c, sizeof v);
    if (p != NULL) {
        memcpy(&v, p, sizeof v);
    }
    return le16toh(v);
}

static inline uint32_t vt_cursor_u32(struct vt_cursor *c)
{
    uint32_t v = 0;
    const uint8_t *p = vt_cursor_take(c, sizeof v);
    if (p != NULL) {
        memcpy(&v, p, sizeof v);
    }
    return le32toh(v);
}

static inline uint64_t vt_cursor_u64(struct vt_cursor *c)
{
    uint64_t v = 0;
    const uint8_t *p = vt_cursor_take(c, sizeof v);
    if (p != NULL) {
        memcpy(&v, p, sizeof v);
    }
    return le64toh(v);
}

/* Unaligned little-endian loads from bytes that are known to be there. */
static inline uint16_t vt_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return le16toh(v);
}

static inline uint32_t vt_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

static inline uint64_t vt_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

#endif
