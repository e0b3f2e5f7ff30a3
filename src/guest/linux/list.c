/* guest/linux/list.c - the list walker. See list.h. */
#include "guest/linux/list.h"

#include <inttypes.h>
#include <stdio.h>

/* A running guest may be between the two writes of an insertion: look again. */
#define LOOKS 3

struct links {
    uint64_t next, prev;
};

void vt_list_begin(struct vt_list_walk *walk, const struct vt_space *space, struct vt_gva head,
                   size_t cap)
{
    *walk = (struct vt_list_walk){.space = space, .head = head, .at = head, .cap = cap};
}

void vt_list_end(struct vt_list_walk *walk)
{
    vt_seen_fini(&walk->seen);
}

__attribute__((format(printf, 2, 3))) static void tear(struct vt_list_walk *walk, const char *fmt,
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

int vt_list_next(struct vt_list_walk *walk, struct vt_gva *node, struct vt_error *err)
{
    struct links here, there = {0};
    walk->torn_link = true;
    for (int look = 0; look < LOOKS && walk->torn_link; look++) {
        if (vt_space_read(walk->space, walk->at, &here, sizeof here, NULL) != 0 ||
            vt_space_read(walk->space, VT_GVA(here.next), &there, sizeof there, NULL) != 0) {
            here.next = 0;
            continue;
        }
        walk->torn_link = there.prev != walk->at.v;
    }
    if (here.next == 0) {
        tear(walk, "the link of 0x%" PRIx64 " leads nowhere", walk->at.v);
        return 0;
    }
    if (walk->torn_link) {
        tear(walk, "0x%" PRIx64 " does not point back to 0x%" PRIx64, here.next, walk->at.v);
    }
    if (here.next == walk->head.v) {
        return 0;
    }
    if (walk->seen.n >= walk->cap) {
        tear(walk, "more than %zu nodes", walk->cap);
        return 0;
    }
    int rc = vt_seen_add(&walk->seen, here.next, err);
    if (rc == 0) {
        tear(walk, "0x%" PRIx64 " is met twice", here.next);
    } else if (rc == 1) {
        walk->at = VT_GVA(here.next);
        *node = walk->at;
    }
    return rc;
}
