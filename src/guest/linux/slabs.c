/* guest/linux/slabs.c - the kernel's caches of objects: the list `slab_caches`. See
 * vitrine/linux.h and slab.h.
 *
 * Objects in use are counted as /proc/slabinfo does: all but those that partly filled slabs on a
 * node's list say are free; what lies ready on a CPU counts as in use.
 */
#include "guest/linux/noun.h"
#include "guest/linux/slab.h"

#include <inttypes.h>
#include <stdio.h>

struct counts {
    uint64_t slabs, objects, partial, free;
};

/* The free objects of slabs on a node's list. Counters of a busy cache change all the time: they
 * are not part of the look. */
static int count_partial(struct vt_walk *w, const struct vt_slab_layout *l, struct vt_gva node,
                         struct counts *c, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva at;
    struct vt_object page;
    int rc;
    vt_list_begin(&list, w->space, VT_GVA(node.v + l->partial.offset),
                  vt_walk_cap(w, VT_PAGE_BYTES, SIZE_MAX));
    while ((rc = vt_list_next(&list, &at, err)) == 1 && vt_walk_step(w)) {
        struct vt_slab slab;
        if (vt_object_read(w->space, VT_GVA(at.v - l->slab_list.offset), l->slab, &page, NULL) !=
            0) {
            vt_look_doubt(&w->look, "slab 0x%" PRIx64 " cannot be read", at.v);
            break;
        }
        vt_slab_decode(l, &page, &slab);
        c->partial++;
        c->free += slab.objects > slab.inuse ? slab.objects - slab.inuse : 0;
    }
    if (list.torn) {
        vt_look_doubt(&w->look, "%.80s", list.why);
    }
    vt_list_end(&list);
    return rc < 0 ? rc : 0;
}

static uint64_t counter(const struct vt_walk *w, struct vt_gva node, const struct vt_member *m)
{
    uint64_t value;
    return m->size == 8 &&
                   vt_space_read_u64(w->space, VT_GVA(node.v + m->offset), &value, NULL) == 0
               ? value
               : 0;
}

static int count(struct vt_walk *w, const struct vt_slab_layout *l, struct vt_gva cache,
                 unsigned nodes, struct counts *c, struct vt_error *err)
{
    int rc = 0;
    *c = (struct counts){0};
    for (unsigned i = 0; i < nodes && rc == 0; i++) {
        struct vt_gva node, barn;
        vt_slab_node(&w->look, l, cache, i, &node, &barn);
        if (node.v != 0) {
            c->slabs += counter(w, node, &l->nr_slabs);
            c->objects += counter(w, node, &l->total_objects);
            rc = count_partial(w, l, node, c, err);
        }
    }
    return rc;
}

static int read_cache(struct vt_walk *w, const struct vt_slab_layout *l, struct vt_gva at,
                      unsigned nodes, struct vt_slab_row *row, struct vt_error *err)
{
    struct vt_slab_cache cache;
    struct counts c;
    *row = (struct vt_slab_row){.row.at = at};
    if (!vt_slab_cache_read(&w->look, l, at, &cache)) {
        return 0;
    }
    int rc = count(w, l, at, nodes, &c, err);
    if (c.free > c.objects) {
        vt_look_doubt(&w->look, "more objects are free than there are");
        c.free = c.objects;
    }
    snprintf(row->name, sizeof row->name, "%s", cache.name);
    row->object_bytes = cache.object_size;
    row->size_bytes = cache.size;
    row->objects_per_slab = cache.objects;
    row->slab_bytes = VT_PAGE_BYTES << cache.order;
    row->slabs = c.slabs;
    row->partial_slabs = c.partial;
    row->objects = c.objects;
    row->active_objects = c.objects - c.free;
    row->bytes = c.slabs * row->slab_bytes;
    row->users = cache.refcount;
    row->usercopy_bytes = cache.usersize;
    row->ctor = cache.ctor;
    vt_slab_flags(l, cache.flags, row->flags, sizeof row->flags);
    uint64_t distance;
    const char *name;
    char letter;
    if (cache.ctor.v != 0 &&
        vt_kernel_symbol_at(w->kernel, cache.ctor, &name, &letter, &distance, NULL) == 0) {
        row->ctor_name = distance == 0 ? name : NULL;
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct vt_slab_layout *l;
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_slab_layout_take(w->kernel, &l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "slab_caches", &head, err);
    }
    if (rc != 0) {
        return rc;
    }
    unsigned nodes = vt_slab_nodes(w->kernel);
    vt_list_begin(&list, w->space, head, vt_walk_cap(w, l->cache_bytes.size, VT_SLAB_CACHES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_slab_row row;
        do {
            vt_look_begin(&w->look);
            rc = read_cache(w, l, VT_GVA(node.v - l->list.offset), nodes, &row, err);
            if (list.torn_link) {
                vt_look_doubt(&w->look, "its link is not symmetric");
            }
        } while (rc == 0 && vt_look_again(&w->look));
        if (rc != 0 || (rc = vt_walk_row(w, &row.row)) != 0) {
            break;
        }
    }
    vt_walk_list_end(w, &list);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_slab_row, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(name, VT_CELL_CHARS, "name", "NAME", "name; others that were merged with it have none"),
    COLUMN(active_objects, VT_CELL_U64, "active_objects", "ACTIVE",
           "objects in use, or ready on a CPU; as in /proc/slabinfo"),
    COLUMN(objects, VT_CELL_U64, "objects", "OBJECTS", "objects there is room for"),
    COLUMN(object_bytes, VT_CELL_U64, "object_bytes", "SIZE", "of one object, in bytes"),
    COLUMN(size_bytes, VT_CELL_U64, "size_bytes", "EACH", "of the place for one, in bytes"),
    COLUMN(objects_per_slab, VT_CELL_U64, "objects_per_slab", "PER SLAB", "objects of a slab"),
    COLUMN(slab_bytes, VT_CELL_BYTES, "slab_bytes", "SLAB", "size of a slab"),
    COLUMN(slabs, VT_CELL_U64, "slabs", "SLABS", "slabs"),
    COLUMN(partial_slabs, VT_CELL_U64, "partial_slabs", "PARTIAL",
           "slabs with free objects on the nodes' lists"),
    COLUMN(bytes, VT_CELL_BYTES, "bytes", "MEMORY", "of all its slabs"),
    COLUMN(users, VT_CELL_U64, "users", "USERS", "how many caches are this one"),
    COLUMN(usercopy_bytes, VT_CELL_U64, "usercopy_bytes", NULL,
           "of an object, how much may be copied from and to user memory"),
    {VT_COLUMN(vt_slab_row, ctor, VT_CELL_HEX, "ctor", NULL, "what makes a new object"),
     .zero_is_none = true},
    COLUMN(ctor_name, VT_CELL_TEXT, "ctor_name", "CONSTRUCTOR", "its symbol"),
    COLUMN(flags, VT_CELL_CHARS, "flags", "FLAGS", "SLAB_ flags"),
};

const struct vt_noun vt_noun_slabs = {
    .name = "slabs",
    .summary = "List the kernel's caches of objects",
    .group = "Guest",
    .description = "What /proc/slabinfo shows, and beside it how full slabs are, flags and\n"
                   "constructors, in the same order.",
    .examples = "vitrine slabs web\nvitrine slabs web --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
