/* guest/linux/slab.h - the kernel's caches of objects (SLUB): where their parts lie, which there
 * are, what a slab says of itself. (Linux mm/slub.c, mm/slab.h)
 */
#ifndef VT_GUEST_LINUX_SLAB_H
#define VT_GUEST_LINUX_SLAB_H

#include "guest/kernel.h"
#include "guest/linux/layout.h"
#include "guest/linux/look.h"

#define VT_SLAB_CACHES_MAX 65536u
#define VT_SLAB_OBJECTS_MAX 32767u /* 15 bits count them */
#define VT_SLAB_NODES_MAX 1024u    /* MAX_NUMNODES of x86-64 */
#define VT_SLAB_FLAGS 16u

struct vt_slab_layout {
    struct vt_extent cache;
    struct vt_member list, name, size, object_size, offset, flags, oo, refcount, ctor, random,
        usersize, red_left_pad, cpu_slab, sheaves;
    struct vt_member cache_bytes;
    struct vt_member nodes, per_node; /* one array or the other */
    struct vt_member per_node_bytes, per_node_node, per_node_barn;
    struct vt_extent node;
    struct vt_member partial, nr_partial, nr_slabs, total_objects, node_barn;
    struct vt_extent slab; /* the struct page of a slab's first page */
    struct vt_member slab_cache, freelist, inuse, objects, frozen;
    struct vt_member slab_list;
    struct vt_member cpu_freelist, cpu_page; /* struct kmem_cache_cpu */
    struct vt_member main, spare, rcu_free;  /* struct slub_percpu_sheaves */
    struct vt_member sheaf_size, sheaf_objects, sheaf_cache, barn_list, sheaves_full;
    struct vt_member flag_bits[VT_SLAB_FLAGS];
};

/** Belongs to the kernel. VT_E_NOT_FOUND: a member that is missing (a kernel without SLUB). */
int vt_slab_layout_take(struct vt_kernel *kernel, const struct vt_slab_layout **layout,
                        struct vt_error *err);

/** What a cache says of itself. */
struct vt_slab_cache {
    struct vt_gva at;
    uint32_t size, object_size; /**< of a place for an object, of the object; bytes */
    uint32_t offset;            /**< of the pointer to the next free one in a free object */
    uint32_t objects, order;    /**< of a slab of full size */
    uint32_t red_left_pad;
    uint32_t refcount, usersize;
    uint64_t flags, random; /**< random: pointers between free objects are mixed with it */
    struct vt_gva ctor;
    struct vt_gva cpu_slab, sheaves; /**< per-CPU; 0: there is none */
    bool hardened;
    char name[64];
};

/** Reads a cache through a look and doubts what cannot be; false: it could not be read. */
bool vt_slab_cache_read(struct vt_look *look, const struct vt_slab_layout *l, struct vt_gva at,
                        struct vt_slab_cache *cache);
/** The kmem_cache_node and the barn of NUMA node `i` < VT_SLAB_NODES_MAX; 0: there is none. */
void vt_slab_node(struct vt_look *look, const struct vt_slab_layout *l, struct vt_gva cache,
                  unsigned i, struct vt_gva *node, struct vt_gva *barn);
/** How many NUMA nodes there can be: nr_node_ids, at least 1. */
unsigned vt_slab_nodes(const struct vt_kernel *kernel);
/** "hwcache_align panic account": words for a cache's flags. */
void vt_slab_flags(const struct vt_slab_layout *l, uint64_t flags, char *text, size_t size);

/** A slab: the run of pages that objects lie in, as its struct page describes it. */
struct vt_slab {
    uint64_t cache, freelist;
    uint32_t inuse, objects;
    bool frozen; /**< a CPU's own */
};
/** From a copy of the struct page's part l->slab. */
void vt_slab_decode(const struct vt_slab_layout *l, const struct vt_object *page,
                    struct vt_slab *slab);

/** The name of the cache that the objects of the physical page at `page` are of; "" where that is
 *  not a slab's page, or the slab changed hands meanwhile. VT_E_NOT_FOUND (a member). */
int vt_slab_of_page(struct vt_kernel *kernel, struct vt_gpa page, char name[64],
                    struct vt_error *err);

#endif
