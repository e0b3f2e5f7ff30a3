/* guest/linux/hlist.c - the walker of hash chains. See hlist.h. */
#include "guest/linux/hlist.h"

#include <inttypes.h>
#include <stdio.h>

/* A running guest may be between the writes of an insertion: look again. */
#define LOOKS 3

struct hlist_links {
    uint64_t next, pprev;
};

void vt_hlist_begin(struct vt_hlist_walk *walk, const struct vt_space *space,
                    enum vt_hlist_kind kind, size_t cap)
{
    *walk = (struct vt_hlist_walk){.space = space, .kind = kind, .cap = cap};
}

void vt_hlist_bucket(struct vt_hlist_walk *walk, struct vt_gva head)
{
    walk->link = head;
    walk->in_bucket = true;
}

void vt_hlist_end(struct vt_hlist_walk *walk)
{
    vt_seen_fini(&walk->seen);
}

__attribute__((format(printf, 2, 3))) static void tear(struct vt_hlist_walk *walk, const char *fmt,
                                                       ...)
{
    if (!walk->torn) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(walk->why, sizeof walk->why, fmt, ap);
        va_end(ap);
        walk->torn = true;
    }
}

static bool is_end(const struct vt_hlist_walk *walk, uint64_t next)
{
    return next == 0 || (walk->kind == VT_HLIST_NULLS && (next & 1) != 0);
}

/* What the pointer at walk->link says, and whether the node there agrees. 0 and false: the end. */
static bool follow(struct vt_hlist_walk *walk, uint64_t *next)
{
    struct hlist_links there;
    bool readable = false;
    walk->torn_link = true;
    for (int look = 0; look < LOOKS && walk->torn_link; look++) {
        readable = vt_space_read_u64(walk->space, walk->link, next, NULL) == 0;
        if (!readable) {
            continue;
        }
        if (walk->kind == VT_HLIST_BL) {
            *next &= ~UINT64_C(1);
        }
        if (is_end(walk, *next)) {
            walk->torn_link = false;
            return true;
        }
        readable = vt_space_read(walk->space, VT_GVA(*next), &there, sizeof there, NULL) == 0;
        walk->torn_link = !readable || there.pprev != walk->link.v;
    }
    return readable;
}

int vt_hlist_next(struct vt_hlist_walk *walk, struct vt_gva *node, struct vt_error *err)
{
    uint64_t next;
    if (!walk->in_bucket) {
        return 0;
    }
    walk->in_bucket = false; /* until a node is found */
    if (!follow(walk, &next)) {
        tear(walk, "the link at 0x%" PRIx64 " leads nowhere", walk->link.v);
        return 0;
    }
    if (is_end(walk, next)) {
        return 0;
    }
    if (walk->torn_link) {
        tear(walk, "0x%" PRIx64 " does not point back to 0x%" PRIx64, next, walk->link.v);
    }
    if (walk->seen.n >= walk->cap) {
        tear(walk, "more than %zu nodes", walk->cap);
        return 0;
    }
    int rc = vt_seen_add(&walk->seen, next, err);
    if (rc == 0) {
        tear(walk, "0x%" PRIx64 " is met twice", next);
    } else if (rc == 1) {
        walk->in_bucket = true;
        walk->link = VT_GVA(next); /* hlist_node.next comes first */
        *node = walk->link;
    }
    return rc;
}
