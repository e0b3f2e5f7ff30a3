/* guest/linux/look.h - reading what a row is made of, with a verdict.
 *
 * The guest runs while it is read. A look keeps a copy of everything that was read through it;
 * vt_look_again reads the same places again. If they are equal, all of it was in memory at the
 * moment the second reading began; if not, the row is built anew, a few times, and is torn when it
 * never held still. What cannot be right by itself (a count out of bounds, a link that leads
 * nowhere) is a doubt: it has the same effect.
 *
 * Read what changes all the time (counters, clocks) with vt_space_read instead: it is not compared.
 */
#ifndef VT_GUEST_LINUX_LOOK_H
#define VT_GUEST_LINUX_LOOK_H

#include "guest/linux/object.h"

/** The most one row may read, in bytes and pieces; more is a doubt. */
#define VT_LOOK_BYTES_MAX (1u << 20)
#define VT_LOOK_PIECES_MAX 4096u

struct vt_look_piece;

struct vt_look {
    const struct vt_space *space; /* the kernel's */
    struct vt_look_piece *pieces;
    uint8_t *bytes;
    size_t n_pieces, pieces_room, n_bytes, bytes_room;
    unsigned tries;
    bool doubted;
    char why[96]; /* of the first doubt */
};

void vt_look_init(struct vt_look *look, const struct vt_space *space);
void vt_look_fini(struct vt_look *look);

/** Forgets what was read and doubted: a row, or another try at it, begins. */
void vt_look_begin(struct vt_look *look);
/** Reads everything again. true: something differs or was doubted, and another try is worth it.
 *  After false, look->doubted says whether the row is torn. The `while` of a do that begins with
 *  vt_look_begin. */
bool vt_look_again(struct vt_look *look);
/** The row cannot be right; the first reason stays. */
void vt_look_doubt(struct vt_look *look, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Reading kernel memory. Where it cannot be read they doubt, leave nothing uninitialised (zeros)
 * and return false or 0. */

bool vt_look_read(struct vt_look *look, struct vt_gva at, void *buf, uint64_t n);
/** The part of the object at `at` that `extent` spans. */
bool vt_look_object(struct vt_look *look, struct vt_gva at, struct vt_extent extent,
                    struct vt_object *object);
uint64_t vt_look_u64(struct vt_look *look, struct vt_gva at);
uint32_t vt_look_u32(struct vt_look *look, struct vt_gva at);
/** An integer member of the object at `at`. */
uint64_t vt_look_member(struct vt_look *look, struct vt_gva at, const struct vt_member *member);
/** A zero-terminated string; cut at `size`. */
bool vt_look_text(struct vt_look *look, struct vt_gva at, char *text, size_t size);
/** vt_look_read in another address space, without a doubt when pages are not there: user memory may
 *  be swapped out. */
bool vt_look_read_in(struct vt_look *look, const struct vt_space *space, struct vt_gva at,
                     void *buf, uint64_t n);

#endif
