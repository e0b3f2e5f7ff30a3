/* guest/linux/rbtree.c - the walker of red-black trees. See rbtree.h. */
#include "guest/linux/rbtree.h"

#include <inttypes.h>
#include <stdio.h>

/* A running guest may be between the writes of a rotation: look again. */
#define LOOKS 3

enum { RB_PARENT = 0, RB_RIGHT = 8, RB_LEFT = 16 };
#define RB_COLOUR UINT64_C(3) /* low bits of the parent's word */

__attribute__((format(printf, 2, 3))) static void tear(struct vt_rb_walk *walk, const char *fmt,
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

/* The node that the pointer at `link` leads to; 0: none, or one that does not name `parent`. */
static uint64_t child(struct vt_rb_walk *walk, uint64_t link, uint64_t parent)
{
    uint64_t node = 0, word = 0;
    bool readable = false;
    for (int look = 0; look < LOOKS; look++) {
        readable = vt_space_read_u64(walk->space, VT_GVA(link), &node, NULL) == 0;
        if (readable && node == 0) {
            return 0;
        }
        readable =
            readable && vt_space_read_u64(walk->space, VT_GVA(node + RB_PARENT), &word, NULL) == 0;
        if (readable && (word & ~RB_COLOUR) == parent) {
            return node;
        }
    }
    if (readable) {
        tear(walk, "0x%" PRIx64 " does not name its parent 0x%" PRIx64, node, parent);
    } else {
        tear(walk, "the link at 0x%" PRIx64 " leads nowhere", link);
    }
    return 0;
}

/* Goes down the left side of what the pointer at `link` leads to. */
static void descend(struct vt_rb_walk *walk, uint64_t link, uint64_t parent)
{
    for (uint64_t node; (node = child(walk, link, parent)) != 0;) {
        if (walk->depth == VT_RB_DEPTH_MAX) {
            tear(walk, "a tree of more than %u levels", VT_RB_DEPTH_MAX);
            return;
        }
        walk->path[walk->depth++] = node;
        link = node + RB_LEFT;
        parent = node;
    }
}

void vt_rb_begin(struct vt_rb_walk *walk, const struct vt_space *space, struct vt_gva root,
                 size_t cap)
{
    *walk = (struct vt_rb_walk){.space = space, .cap = cap};
    descend(walk, root.v, 0);
}

bool vt_rb_next(struct vt_rb_walk *walk, struct vt_gva *node)
{
    if (walk->depth == 0) {
        return false;
    }
    if (walk->n++ >= walk->cap) {
        tear(walk, "more than %zu nodes", walk->cap);
        walk->depth = 0;
        return false;
    }
    uint64_t at = walk->path[--walk->depth], sides[2] = {0};
    *node = VT_GVA(at);
    /* One node on both sides would name its parent rightly and yet be met twice. */
    if (vt_space_read(walk->space, VT_GVA(at + RB_RIGHT), sides, sizeof sides, NULL) == 0 &&
        sides[0] != 0 && sides[0] == sides[1]) {
        tear(walk, "0x%" PRIx64 " is on both sides of 0x%" PRIx64, sides[0], at);
    } else {
        descend(walk, at + RB_RIGHT, at);
    }
    return true;
}
