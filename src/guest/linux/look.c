/* guest/linux/look.c - reads that are read again. See look.h. */
#include "guest/linux/look.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3

struct vt_look_piece {
    struct vt_space space;
    struct vt_gva at;
    size_t from, n; /* in bytes[] */
};

void vt_look_init(struct vt_look *look, const struct vt_space *space)
{
    *look = (struct vt_look){.space = space};
}

void vt_look_fini(struct vt_look *look)
{
    free(look->pieces);
    free(look->bytes);
    *look = (struct vt_look){0};
}

void vt_look_begin(struct vt_look *look)
{
    look->n_pieces = 0;
    look->n_bytes = 0;
    look->doubted = false;
    look->why[0] = '\0';
}

void vt_look_doubt(struct vt_look *look, const char *fmt, ...)
{
    if (!look->doubted) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(look->why, sizeof look->why, fmt, ap);
        va_end(ap);
        look->doubted = true;
    }
}

/* Whether a piece still reads as it did. */
static bool unchanged(const struct vt_look *look, const struct vt_look_piece *piece)
{
    const uint8_t *was = look->bytes + piece->from;
    uint8_t now[512];
    for (size_t done = 0; done < piece->n;) {
        size_t n = piece->n - done < sizeof now ? piece->n - done : sizeof now;
        if (vt_space_read(&piece->space, VT_GVA(piece->at.v + done), now, n, NULL) != 0 ||
            memcmp(now, was + done, n) != 0) {
            return false;
        }
        done += n;
    }
    return true;
}

bool vt_look_again(struct vt_look *look)
{
    for (size_t i = 0; i < look->n_pieces && !look->doubted; i++) {
        const struct vt_look_piece *p = &look->pieces[i];
        if (!unchanged(look, p)) {
            vt_look_doubt(look, "0x%" PRIx64 " changed while it was read", p->at.v);
        }
    }
    if (!look->doubted || ++look->tries >= TRIES) {
        look->tries = 0;
        return false;
    }
    if (look->space->tlb != NULL) {
        vt_tlb_flush(look->space->tlb); /* what changed may have been a mapping */
    }
    return true;
}

/* Room for a piece of n bytes, or NULL with a doubt. */
static uint8_t *add_piece(struct vt_look *look, const struct vt_space *space, struct vt_gva at,
                          uint64_t n)
{
    if (n > VT_LOOK_BYTES_MAX - look->n_bytes || look->n_pieces >= VT_LOOK_PIECES_MAX) {
        vt_look_doubt(look, "more to read than one row can need");
        return NULL;
    }
    if (look->n_pieces == look->pieces_room) {
        size_t room = look->pieces_room == 0 ? 32 : 2 * look->pieces_room;
        struct vt_look_piece *more = realloc(look->pieces, room * sizeof *more);
        if (more == NULL) {
            vt_look_doubt(look, "out of memory");
            return NULL;
        }
        look->pieces = more;
        look->pieces_room = room;
    }
    if (look->n_bytes + n > look->bytes_room) {
        size_t room = look->bytes_room == 0 ? 4096 : look->bytes_room;
        while (room < look->n_bytes + n) {
            room *= 2;
        }
        uint8_t *more = realloc(look->bytes, room);
        if (more == NULL) {
            vt_look_doubt(look, "out of memory");
            return NULL;
        }
        look->bytes = more;
        look->bytes_room = room;
    }
    look->pieces[look->n_pieces] =
        (struct vt_look_piece){.space = *space, .at = at, .from = look->n_bytes, .n = (size_t)n};
    return look->bytes + look->n_bytes;
}

/* Reads and, when that succeeds, keeps. */
static bool take(struct vt_look *look, const struct vt_space *space, struct vt_gva at, void *buf,
                 uint64_t n)
{
    if (n == 0) {
        return true;
    }
    uint8_t *copy = add_piece(look, space, at, n);
    if (copy == NULL || vt_space_read(space, at, copy, n, NULL) != 0) {
        memset(buf, 0, n);
        return false;
    }
    memcpy(buf, copy, n);
    look->n_pieces++;
    look->n_bytes += n;
    return true;
}

bool vt_look_read(struct vt_look *look, struct vt_gva at, void *buf, uint64_t n)
{
    bool good = take(look, look->space, at, buf, n);
    if (!good) {
        vt_look_doubt(look, "0x%" PRIx64 " cannot be read", at.v);
    }
    return good;
}

bool vt_look_read_in(struct vt_look *look, const struct vt_space *space, struct vt_gva at,
                     void *buf, uint64_t n)
{
    return take(look, space, at, buf, n);
}

bool vt_look_object(struct vt_look *look, struct vt_gva at, struct vt_extent extent,
                    struct vt_object *object)
{
    object->at = at;
    object->low = extent.low;
    object->n = extent.high - extent.low;
    if (object->n > sizeof object->bytes) {
        object->n = 0;
        vt_look_doubt(look, "an object's members span %u bytes", extent.high - extent.low);
        return false;
    }
    return vt_look_read(look, VT_GVA(at.v + extent.low), object->bytes, object->n);
}

uint64_t vt_look_u64(struct vt_look *look, struct vt_gva at)
{
    uint64_t value;
    vt_look_read(look, at, &value, sizeof value);
    return value;
}

uint32_t vt_look_u32(struct vt_look *look, struct vt_gva at)
{
    uint32_t value;
    vt_look_read(look, at, &value, sizeof value);
    return value;
}

uint64_t vt_look_member(struct vt_look *look, struct vt_gva at, const struct vt_member *member)
{
    uint64_t value = 0;
    if (member->size > sizeof value) {
        vt_look_doubt(look, "a number of %u bytes", member->size);
        return 0;
    }
    /* Little-endian: the low bytes are the number. */
    vt_look_read(look, VT_GVA(at.v + member->offset), &value, member->size);
    return value;
}

bool vt_look_text(struct vt_look *look, struct vt_gva at, char *text, size_t size)
{
    size_t n = 0;
    while (n + 1 < size) {
        /* Not past a page that may be the last one that is there. */
        size_t part = (size_t)(VT_PAGE_BYTES - (at.v + n) % VT_PAGE_BYTES);
        part = part < 64 ? part : 64;
        part = part < size - 1 - n ? part : size - 1 - n;
        if (!vt_look_read(look, VT_GVA(at.v + n), text + n, part)) {
            text[n] = '\0';
            return false;
        }
        const char *end = memchr(text + n, '\0', part);
        if (end != NULL) {
            return true;
        }
        n += part;
    }
    text[n] = '\0';
    return true;
}
