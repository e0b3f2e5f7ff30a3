/* guest/linux/list.c - the list walker. See list.h. */
#include "guest/linux/list.h"

#include <inttypes.h>
#include <stdio.h>

/* A running guest may be between the two writes of an insertion: look again. */
#define LOOKS 3

enum direction { FORTH, BACK };

struct links {
    uint64_t to[2]; /* next, prev */
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

/* Where the link of walk->at in a direction leads, and whether it leads back; 0: nowhere. */
static uint64_t follow(struct vt_list_walk *walk, enum direction way)
{
    struct links here, there = {0};
    walk->torn_link = true;
    for (int look = 0; look < LOOKS && walk->torn_link; look++) {
        if (vt_space_read(walk->space, walk->at, &here, sizeof here, NULL) != 0 ||
            vt_space_read(walk->space, VT_GVA(here.to[way]), &there, sizeof there, NULL) != 0) {
            here.to[way] = 0;
            continue;
        }
        walk->torn_link = there.to[!way] != walk->at.v;
    }
    uint64_t to = here.to[way];
    if (to == 0) {
        tear(walk, "the link of 0x%" PRIx64 " leads nowhere", walk->at.v);
    } else if (walk->torn_link) {
        tear(walk, "0x%" PRIx64 " does not point back to 0x%" PRIx64, to, walk->at.v);
    }
    return to;
}

/* 1: *node is one not met before. 0: the end of this direction. */
static int go(struct vt_list_walk *walk, enum direction way, struct vt_gva *node,
              struct vt_error *err)
{
    for (;;) {
        uint64_t to = follow(walk, way);
        if (to == 0 || to == walk->head.v) {
            return 0;
        }
        if (walk->seen.n >= walk->cap) {
            tear(walk, "more than %zu nodes", walk->cap);
            return 0;
        }
        int rc = vt_seen_add(&walk->seen, to, err);
        if (rc < 0) {
            return rc;
        }
        walk->at = VT_GVA(to);
        if (rc == 1) {
            *node = walk->at;
            return 1;
        }
        if (way == FORTH) {
            tear(walk, "0x%" PRIx64 " is met twice", to);
            return 0;
        }
        /* Back over what is known. More steps than nodes: a circle. */
        if (++walk->known > walk->seen.n) {
            return 0;
        }
    }
}

int vt_list_next(struct vt_list_walk *walk, struct vt_gva *node, struct vt_error *err)
{
    int rc = walk->back ? 0 : go(walk, FORTH, node, err);
    if (rc == 0 && walk->torn && walk->seen.n < walk->cap) {
        if (!walk->back) {
            walk->back = true;
            walk->at = walk->head;
        }
        rc = go(walk, BACK, node, err);
    }
    return rc;
}
