/* guest/linux/maple.c - the maple tree walker. See maple.h.
 *
 *   layout   how many pivots and slots each type of node has
 *   enter    copies a node, when its parent pointer says what its place says
 *   next     goes through slots with a stack of one frame a level
 *
 * Slot i of a range node covers what follows pivot i-1 up to pivot i; the node's end is where a
 * pivot is its last index, or 0, or there are no more pivots. What lies behind is left over.
 */
#include "guest/linux/maple.h"

#include "base/cursor.h"
#include "guest/linux/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* enum maple_type */
enum { DENSE = 0, LEAF_64 = 1, RANGE_64 = 2, ARANGE_64 = 3 };

#define NODE_MASK (~UINT64_C(255))
/* The guest may be between the two writes that put a node into its place: look again. */
#define LOOKS 3

struct layout {
    struct vt_member root;
    struct vt_member range_pivot, range_slot, arange_pivot, arange_slot, dense_slot;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, root, "maple_tree", "ma_root"),
    VT_FIELD_BARE(layout, range_pivot, "maple_range_64", "pivot"),
    VT_FIELD_BARE(layout, range_slot, "maple_range_64", "slot"),
    VT_FIELD_BARE(layout, arange_pivot, "maple_arange_64", "pivot"),
    VT_FIELD_BARE(layout, arange_slot, "maple_arange_64", "slot"),
    VT_FIELD_BARE(layout, dense_slot, "maple_node", "slot"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

static bool fits(const struct vt_maple_node_layout *l)
{
    return l->pivot % 8 == 0 && l->slot % 8 == 0 && l->slots > 0 && l->pivots < l->slots &&
           l->slot + 8 * (uint64_t)l->slots <= VT_MAPLE_NODE_BYTES &&
           l->pivot + 8 * (uint64_t)l->pivots <= VT_MAPLE_NODE_BYTES;
}

int vt_maple_layout(struct vt_kernel *kernel, struct vt_maple_layout *layout, struct vt_error *err)
{
    const struct layout *l;
    int rc = vt_layout_take(kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_maple_layout found = {
        .root = l->root.offset,
        .dense = {.slot = l->dense_slot.offset, .slots = l->dense_slot.size / 8},
        .range = {l->range_pivot.offset, l->range_slot.offset, l->range_pivot.size / 8,
                  l->range_slot.size / 8},
        .arange = {l->arange_pivot.offset, l->arange_slot.offset, l->arange_pivot.size / 8,
                   l->arange_slot.size / 8},
    };
    if (!fits(&found.dense) || !fits(&found.range) || !fits(&found.arange)) {
        return vt_fail(err, VT_E_CORRUPT, "the kernel's maple trees are not credible");
    }
    *layout = found;
    return 0;
}

__attribute__((format(printf, 2, 3))) static void tear(struct vt_maple_walk *walk, const char *fmt,
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

static uint64_t word(const struct vt_maple_frame *f, uint32_t at, unsigned i)
{
    return vt_le64(f->bytes + at + 8 * (size_t)i);
}

static const struct vt_maple_node_layout *layout_of(const struct vt_maple_layout *l, unsigned t)
{
    return t == DENSE                      ? &l->dense
           : t == LEAF_64 || t == RANGE_64 ? &l->range
           : t == ARANGE_64                ? &l->arange
                                           : NULL;
}

/* Whether a node's parent pointer names the place it was found in. Of the root it is the tree with
 * bit 0 set; else the low bits are a kind (bits 0 to 2) and the slot. */
static bool hangs_there(const struct vt_maple_frame *child, const struct vt_maple_frame *parent,
                        uint64_t tree)
{
    uint64_t said = word(child, 0, 0);
    if (parent == NULL) {
        return said == (tree | 1);
    }
    return (said & 1) == 0 && (said & NODE_MASK) == parent->node &&
           (said & 0xff) >> 3 == parent->slot;
}

/* Puts the node behind `pointer` on the stack, covering [first, last]. */
static void enter(struct vt_maple_walk *walk, uint64_t pointer, uint64_t first, uint64_t last,
                  uint64_t tree)
{
    const struct vt_maple_frame *parent = walk->depth > 0 ? &walk->frames[walk->depth - 1] : NULL;
    if (walk->depth == VT_MAPLE_DEPTH_MAX || walk->nodes_left == 0) {
        tear(walk, "a maple tree without an end at 0x%" PRIx64, pointer);
        return;
    }
    walk->nodes_left--;
    struct vt_maple_frame *f = &walk->frames[walk->depth];
    f->node = pointer & NODE_MASK;
    f->type = (unsigned)(pointer >> 3) & 15;
    f->l = layout_of(&walk->l, f->type);
    f->first = first;
    f->last = last;
    f->slot = 0;
    f->done = false;
    if (f->l == NULL) {
        tear(walk, "0x%" PRIx64 " is no node of a maple tree", pointer);
        return;
    }
    for (int look = 0; look < LOOKS; look++) {
        if (vt_space_read(walk->space, VT_GVA(f->node), f->bytes, sizeof f->bytes, NULL) == 0 &&
            hangs_there(f, parent, tree)) {
            walk->depth++;
            return;
        }
    }
    tear(walk, "node 0x%" PRIx64 " does not point back to its place", f->node);
}

void vt_maple_begin(struct vt_maple_walk *walk, const struct vt_space *space,
                    const struct vt_maple_layout *layout, struct vt_gva tree, size_t cap)
{
    uint64_t root = 0;
    walk->space = space;
    walk->l = *layout;
    walk->nodes_left = cap;
    walk->depth = 0;
    walk->root_entry = 0;
    walk->torn = false;
    walk->why[0] = '\0';
    for (int look = 0; look < LOOKS && walk->depth == 0; look++) {
        walk->torn = false; /* the root may just have been replaced */
        if (vt_space_read_u64(space, VT_GVA(tree.v + layout->root), &root, NULL) != 0) {
            tear(walk, "the root at 0x%" PRIx64 " cannot be read", tree.v);
        } else if ((root & 3) == 2 && root >= 4096) {
            enter(walk, root, 0, UINT64_MAX, tree.v);
        } else {
            walk->root_entry = root;
            return;
        }
    }
}

/* Where the current slot ends; false: its pivot is outside the node's range. */
static bool slot_end(const struct vt_maple_frame *f, uint64_t *end)
{
    if (f->type == DENSE) {
        *end = f->first;
        return true;
    }
    uint64_t pivot = f->slot < f->l->pivots ? word(f, f->l->pivot, f->slot) : f->last;
    *end = pivot == 0 && f->slot > 0 ? f->last : pivot;
    return *end >= f->first && *end <= f->last;
}

bool vt_maple_next(struct vt_maple_walk *walk, struct vt_maple_entry *entry)
{
    if (walk->root_entry != 0) {
        *entry = (struct vt_maple_entry){.value = walk->root_entry};
        walk->root_entry = 0;
        return true;
    }
    while (walk->depth > 0) {
        struct vt_maple_frame *f = &walk->frames[walk->depth - 1];
        uint64_t first = f->first, end = 0;
        if (f->done) {
            walk->depth--;
            continue;
        }
        if (!slot_end(f, &end)) {
            tear(walk, "node 0x%" PRIx64 " has pivots out of order", f->node);
            f->done = true;
            continue;
        }
        uint64_t value = word(f, f->l->slot, f->slot);
        bool leaf = f->type == DENSE || f->type == LEAF_64;
        if (!leaf && value == 0) {
            tear(walk, "node 0x%" PRIx64 " has an empty slot", f->node);
        } else if (!leaf) {
            enter(walk, value, first, end, 0);
        }
        f->done = end == f->last || f->slot + 1 == f->l->slots;
        f->slot++;
        f->first = end + 1;
        if (leaf && value != 0) {
            *entry = (struct vt_maple_entry){.first = first, .last = end, .value = value};
            return true;
        }
    }
    return false;
}
