/* guest/linux/xarray.c - the walker of xarrays. See xarray.h.
 *
 * An entry whose low bits are 10 is the array's own: a node (a pointer), or a small number: another
 * slot of the same node that this one belongs to (sibling), or a slot that is reserved or about to
 * change. Low bit 1 is a number, anything else a pointer.
 */
#include "guest/linux/xarray.h"

#include "guest/linux/layout.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A running guest may be between the writes of an insertion: look again. */
#define LOOKS 3
#define NODE_MIN 4096u /* internal entries from here on are pointers to nodes */

struct vt_xa_layout {
    struct vt_member head;
    struct vt_extent node;
    struct vt_member shift, offset, parent, slots, marks;
    struct vt_member root, base; /* of an idr */
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(vt_xa_layout, head, "xarray", "xa_head"),
    VT_FIELD(vt_xa_layout, shift, node, "xa_node", "shift"),
    VT_FIELD(vt_xa_layout, offset, node, "xa_node", "offset"),
    VT_FIELD(vt_xa_layout, parent, node, "xa_node", "parent"),
    VT_FIELD(vt_xa_layout, slots, node, "xa_node", "slots"),
    VT_FIELD_OPTIONAL(vt_xa_layout, marks, node, "xa_node", "marks"),
    VT_FIELD_BARE_OPTIONAL(vt_xa_layout, root, "idr", "idr_rt"),
    VT_FIELD_BARE_OPTIONAL(vt_xa_layout, base, "idr", "idr_base"),
};
static const struct vt_layout_type type = VT_LAYOUT(vt_xa_layout, specs);

static unsigned n_slots(const struct vt_xa_layout *l)
{
    return l->slots.size / 8;
}

/* How many bits of an index one node takes. */
static unsigned chunk_bits(const struct vt_xa_layout *l)
{
    return (unsigned)__builtin_ctz(n_slots(l));
}

__attribute__((format(printf, 2, 3))) static void tear(struct vt_xa_walk *walk, const char *fmt,
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

static bool is_internal(uint64_t entry)
{
    return (entry & 3) == 2;
}

static bool is_node(uint64_t entry)
{
    return is_internal(entry) && entry > NODE_MIN;
}

static uint64_t sibling_of(unsigned slot)
{
    return (uint64_t)slot << 2 | 2;
}

/* One look at the node `at`, which should be what slot `slot` of `up` (NULL: the head) leads to. */
static bool read_level(const struct vt_xa_walk *walk, uint64_t at, const struct vt_xa_level *up,
                       unsigned slot, struct vt_xa_level *level)
{
    const struct vt_xa_layout *l = walk->l;
    struct vt_object o;
    if (vt_object_read(walk->space, VT_GVA(at), l->node, &o, NULL) != 0) {
        return false;
    }
    unsigned bits = chunk_bits(l);
    uint64_t shift = vt_object_uint(&o, &l->shift);
    bool fits = shift < 64 && shift % bits == 0 &&
                vt_object_uint(&o, &l->parent) == (up != NULL ? up->node : 0);
    /* The first node's offset is what it was in the node's life before. */
    fits = fits &&
           (up == NULL || (vt_object_uint(&o, &l->offset) == slot && shift + bits == up->shift));
    *level = (struct vt_xa_level){.node = at, .shift = (unsigned)shift};
    level->base = up == NULL ? 0 : up->base + ((uint64_t)slot << up->shift);
    memcpy(level->slots, o.bytes + (l->slots.offset - l->node.low), l->slots.size);
    for (uint32_t i = 0; i < 3 && l->marks.size >= 24; i++) {
        memcpy(&level->marks[i], o.bytes + (l->marks.offset - l->node.low) + (size_t)8 * i, 8);
    }
    return fits;
}

/* Goes into the node that `entry` leads to, found at the address `link`. */
static void descend(struct vt_xa_walk *walk, uint64_t entry, uint64_t link, unsigned slot)
{
    const struct vt_xa_level *up = walk->depth == 0 ? NULL : &walk->levels[walk->depth - 1];
    for (int look = 0; look < LOOKS && walk->depth < VT_XA_LEVELS_MAX; look++) {
        if (read_level(walk, entry & ~UINT64_C(3), up, slot, &walk->levels[walk->depth])) {
            walk->depth++;
            return;
        }
        if (vt_space_read_u64(walk->space, VT_GVA(link), &entry, NULL) != 0 || !is_node(entry)) {
            break;
        }
    }
    tear(walk, "no node of the array at 0x%" PRIx64, entry & ~UINT64_C(3));
}

/* The entry that begins in a slot. */
static void describe(const struct vt_xa_walk *walk, const struct vt_xa_level *level, unsigned slot,
                     struct vt_xa_entry *entry)
{
    unsigned n = 1;
    while (slot + n < n_slots(walk->l) && level->slots[slot + n] == sibling_of(slot)) {
        n++;
    }
    *entry = (struct vt_xa_entry){
        .index = level->base + ((uint64_t)slot << level->shift) + walk->added,
        .count = (uint64_t)n << level->shift,
        .value = level->slots[slot],
    };
    for (unsigned i = 0; i < 3; i++) {
        entry->marks |= (unsigned)(level->marks[i] >> slot & 1) << i;
    }
}

int vt_xa_begin(struct vt_xa_walk *walk, struct vt_kernel *kernel, struct vt_gva array, size_t cap,
                struct vt_error *err)
{
    *walk = (struct vt_xa_walk){.space = &kernel->space, .cap = cap};
    int rc = vt_layout_take(kernel, &type, &walk->l, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_xa_layout *l = walk->l;
    unsigned n = n_slots(l);
    if (n < 4 || n > VT_XA_SLOTS_MAX || (n & (n - 1)) != 0 || l->head.size != 8) {
        return vt_fail(err, VT_E_CORRUPT, "the kernel's xa_node is not credible");
    }
    walk->head = array;
    uint64_t link = array.v + l->head.offset, entry = 0;
    if (vt_space_read_u64(walk->space, VT_GVA(link), &entry, NULL) != 0) {
        tear(walk, "the array at 0x%" PRIx64 " cannot be read", array.v);
    } else if (is_node(entry)) {
        descend(walk, entry, link, 0);
    } else if (!is_internal(entry)) {
        walk->single = entry;
    }
    return 0;
}

int vt_idr_begin(struct vt_xa_walk *walk, struct vt_kernel *kernel, struct vt_gva idr, size_t cap,
                 struct vt_error *err)
{
    const struct vt_xa_layout *l;
    int rc = vt_layout_take(kernel, &type, &l, err);
    if (rc == 0 && (l->root.size == 0 || l->base.size != 4)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "the kernel has no struct idr with a base");
    }
    if (rc == 0) {
        rc = vt_xa_begin(walk, kernel, VT_GVA(idr.v + l->root.offset), cap, err);
    }
    uint32_t base = 0;
    if (rc == 0 &&
        vt_space_read_u32(walk->space, VT_GVA(idr.v + l->base.offset), &base, NULL) != 0) {
        tear(walk, "the IDR at 0x%" PRIx64 " cannot be read", idr.v);
    }
    if (rc == 0) {
        walk->added = base;
    }
    return rc;
}

bool vt_xa_next(struct vt_xa_walk *walk, struct vt_xa_entry *entry)
{
    if (walk->single != 0) {
        *entry = (struct vt_xa_entry){.index = walk->added, .count = 1, .value = walk->single};
        walk->single = 0;
        return true;
    }
    while (walk->depth > 0) {
        struct vt_xa_level *level = &walk->levels[walk->depth - 1];
        if (level->next >= n_slots(walk->l)) {
            walk->depth--;
            continue;
        }
        unsigned slot = level->next++;
        uint64_t value = level->slots[slot];
        if (value == 0 || (is_internal(value) && !is_node(value))) {
            continue;
        }
        if ((uint64_t)slot << level->shift >> level->shift != slot) {
            tear(walk, "an index of more than 64 bits");
            continue;
        }
        size_t *n = is_node(value) ? &walk->n_nodes : &walk->n;
        if (*n >= (is_node(value) ? walk->cap * VT_XA_LEVELS_MAX : walk->cap)) {
            tear(walk, "more than %zu entries", walk->cap);
            walk->depth = 0;
            return false;
        }
        ++*n;
        if (is_node(value)) {
            descend(walk, value, level->node + walk->l->slots.offset + (uint64_t)8 * slot, slot);
            continue;
        }
        describe(walk, level, slot, entry);
        return true;
    }
    return false;
}

/* Goes down to the entry that covers `index`. */
static int load(struct vt_xa_walk *walk, uint64_t index, struct vt_xa_entry *entry,
                struct vt_error *err)
{
    if (walk->single != 0 && index == 0) {
        *entry = (struct vt_xa_entry){.count = 1, .value = walk->single};
        return 0;
    }
    unsigned depth = 0;
    while (walk->depth > depth) {
        const struct vt_xa_level *level = &walk->levels[depth];
        assert(level->shift < 64); /* read_level saw to it */
        uint64_t slot = (index - level->base) >> level->shift;
        if (slot >= n_slots(walk->l)) {
            break;
        }
        uint64_t value = level->slots[slot];
        if (is_internal(value) && value < sibling_of((unsigned)slot)) {
            slot = value >> 2;
            value = level->slots[slot];
        }
        if (is_node(value)) {
            descend(walk, value, level->node + walk->l->slots.offset + 8 * slot, (unsigned)slot);
            depth++;
            continue;
        }
        if (value != 0 && !is_internal(value)) {
            describe(walk, level, (unsigned)slot, entry);
            return 0;
        }
        break;
    }
    return walk->torn ? vt_fail(err, VT_E_CORRUPT, "array: %s", walk->why)
                      : vt_fail(err, VT_E_NOT_FOUND, "the array has no entry %" PRIu64, index);
}

int vt_xa_load(struct vt_kernel *kernel, struct vt_gva array, uint64_t index,
               struct vt_xa_entry *entry, struct vt_error *err)
{
    struct vt_xa_walk walk;
    int rc = vt_xa_begin(&walk, kernel, array, 0, err);
    return rc != 0 ? rc : load(&walk, index, entry, err);
}

int vt_idr_load(struct vt_kernel *kernel, struct vt_gva idr, uint64_t id, uint64_t *value,
                struct vt_error *err)
{
    struct vt_xa_walk walk;
    struct vt_xa_entry entry;
    int rc = vt_idr_begin(&walk, kernel, idr, 0, err);
    if (rc == 0) {
        rc = load(&walk, id - walk.added, &entry, err);
    }
    if (rc == 0) {
        *value = entry.value;
    }
    return rc;
}
