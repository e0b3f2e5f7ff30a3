/* guest/linux/slab.c - see slab.h. What a slab says lay in struct page until Linux 5.16, since then
 * in struct slab, which is the same memory. CPUs keep a slab of their own until 7.0, arrays of free
 * objects (sheaves) since then; 6.18 has both.
 */
#include "guest/linux/slab.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define layout vt_slab_layout
static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, list, cache, "kmem_cache", "list"),
    VT_FIELD(layout, name, cache, "kmem_cache", "name"),
    VT_FIELD(layout, size, cache, "kmem_cache", "size"),
    VT_FIELD(layout, object_size, cache, "kmem_cache", "object_size"),
    VT_FIELD(layout, offset, cache, "kmem_cache", "offset"),
    VT_FIELD(layout, flags, cache, "kmem_cache", "flags"),
    VT_FIELD(layout, oo, cache, "kmem_cache", "oo"),
    VT_FIELD(layout, refcount, cache, "kmem_cache", "refcount"),
    VT_FIELD(layout, ctor, cache, "kmem_cache", "ctor"),
    VT_FIELD_OPTIONAL(layout, random, cache, "kmem_cache", "random"),
    VT_FIELD_OPTIONAL(layout, usersize, cache, "kmem_cache", "usersize"),
    VT_FIELD_OPTIONAL(layout, red_left_pad, cache, "kmem_cache", "red_left_pad"),
    VT_FIELD_OPTIONAL(layout, cpu_slab, cache, "kmem_cache", "cpu_slab"),
    VT_FIELD_OPTIONAL(layout, sheaves, cache, "kmem_cache", "cpu_sheaves"),
    VT_FIELD_SIZE(layout, cache_bytes, "kmem_cache"),
    VT_FIELD_BARE_OPTIONAL(layout, nodes, "kmem_cache", "node"),
    VT_FIELD_BARE_OPTIONAL(layout, per_node, "kmem_cache", "per_node"),
    VT_FIELD_SIZE_OPTIONAL(layout, per_node_bytes, "kmem_cache_per_node_ptrs"),
    VT_FIELD_BARE_OPTIONAL(layout, per_node_node, "kmem_cache_per_node_ptrs", "node"),
    VT_FIELD_BARE_OPTIONAL(layout, per_node_barn, "kmem_cache_per_node_ptrs", "barn"),
    VT_FIELD(layout, partial, node, "kmem_cache_node", "partial"),
    VT_FIELD(layout, nr_partial, node, "kmem_cache_node", "nr_partial"),
    VT_FIELD_OPTIONAL(layout, nr_slabs, node, "kmem_cache_node", "nr_slabs"),
    VT_FIELD_OPTIONAL(layout, total_objects, node, "kmem_cache_node", "total_objects"),
    VT_FIELD_OPTIONAL(layout, node_barn, node, "kmem_cache_node", "barn"),
    VT_FIELD_OPTIONAL(layout, slab_cache, slab, "page", "slab_cache"),
    VT_FIELD_OPTIONAL(layout, freelist, slab, "page", "freelist"),
    VT_FIELD_OPTIONAL(layout, inuse, slab, "page", "inuse"),
    VT_FIELD_OPTIONAL(layout, objects, slab, "page", "objects"),
    VT_FIELD_OPTIONAL(layout, frozen, slab, "page", "frozen"),
    VT_FIELD_OPTIONAL(layout, slab_list, slab, "page", "slab_list"),
    VT_FIELD_OPTIONAL(layout, slab_cache, slab, "slab", "slab_cache"),
    VT_FIELD_OPTIONAL(layout, freelist, slab, "slab", "freelist"),
    VT_FIELD_OPTIONAL(layout, inuse, slab, "slab", "inuse"),
    VT_FIELD_OPTIONAL(layout, objects, slab, "slab", "objects"),
    VT_FIELD_OPTIONAL(layout, frozen, slab, "slab", "frozen"),
    VT_FIELD_OPTIONAL(layout, slab_list, slab, "slab", "slab_list"),
    VT_FIELD_BARE_OPTIONAL(layout, cpu_freelist, "kmem_cache_cpu", "freelist"),
    VT_FIELD_BARE_OPTIONAL(layout, cpu_page, "kmem_cache_cpu", "slab", "page"),
    VT_FIELD_BARE_OPTIONAL(layout, main, "slub_percpu_sheaves", "main"),
    VT_FIELD_BARE_OPTIONAL(layout, spare, "slub_percpu_sheaves", "spare"),
    VT_FIELD_BARE_OPTIONAL(layout, rcu_free, "slub_percpu_sheaves", "rcu_free"),
    VT_FIELD_BARE_OPTIONAL(layout, sheaf_size, "slab_sheaf", "size"),
    VT_FIELD_BARE_OPTIONAL(layout, sheaf_objects, "slab_sheaf", "objects"),
    VT_FIELD_BARE_OPTIONAL(layout, sheaf_cache, "slab_sheaf", "cache"),
    VT_FIELD_BARE_OPTIONAL(layout, barn_list, "slab_sheaf", "barn_list"),
    VT_FIELD_BARE_OPTIONAL(layout, sheaves_full, "node_barn", "sheaves_full"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[0], "_SLAB_CONSISTENCY_CHECKS"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[1], "_SLAB_RED_ZONE"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[2], "_SLAB_POISON"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[3], "_SLAB_HWCACHE_ALIGN"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[4], "_SLAB_CACHE_DMA"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[5], "_SLAB_CACHE_DMA32"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[6], "_SLAB_STORE_USER"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[7], "_SLAB_PANIC"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[8], "_SLAB_TYPESAFE_BY_RCU"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[9], "_SLAB_RECLAIM_ACCOUNT"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[10], "_SLAB_ACCOUNT"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[11], "_SLAB_NOLEAKTRACE"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[12], "_SLAB_NO_MERGE"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[13], "_SLAB_KMALLOC"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[14], "_SLAB_TRACE"),
    VT_FIELD_ENUM_OPTIONAL(layout, flag_bits[15], "_SLAB_NO_SHEAVES"),
};
#undef layout
static const struct vt_layout_type type = {.bytes = sizeof(struct vt_slab_layout),
                                           .specs = specs,
                                           .n_specs = sizeof specs / sizeof specs[0]};

/* In the order of flag_bits; the bits of kernels whose types do not name them (until 6.9: macros of
 * include/linux/slab.h, in these places since 2.6.38). */
static const struct {
    const char *word;
    uint32_t mask;
} flag_words[VT_SLAB_FLAGS] = {
    {"consistency_checks", 0x100},
    {"red_zone", 0x400},
    {"poison", 0x800},
    {"hwcache_align", 0x2000},
    {"dma", 0x4000},
    {"dma32", 0x8000},
    {"store_user", 0x10000},
    {"panic", 0x40000},
    {"typesafe_by_rcu", 0x80000},
    {"reclaim_account", 0x20000},
    {"account", 0x4000000},
    {"noleaktrace", 0x800000},
    {"no_merge", 0x1000000},
    {"kmalloc", 0x1000},
    {"trace", 0x200000},
    {"no_sheaves", 0},
};

int vt_slab_layout_take(struct vt_kernel *kernel, const struct vt_slab_layout **layout,
                        struct vt_error *err)
{
    const struct vt_slab_layout *l;
    int rc = vt_layout_take(kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    if (l->slab_cache.size == 0 || l->freelist.size == 0 || l->objects.size == 0 ||
        l->inuse.size == 0 || l->slab_list.size == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "neither struct slab nor struct page describes slabs");
    }
    if (l->nodes.size == 0 && (l->per_node.size == 0 || l->per_node_bytes.size == 0)) {
        return vt_fail(err, VT_E_NOT_FOUND, "kmem_cache has no nodes");
    }
    *layout = l;
    return 0;
}

bool vt_slab_cache_read(struct vt_look *look, const struct vt_slab_layout *l, struct vt_gva at,
                        struct vt_slab_cache *cache)
{
    struct vt_object o;
    *cache = (struct vt_slab_cache){.at = at};
    if (!vt_look_object(look, at, l->cache, &o)) {
        return false;
    }
    uint32_t oo = (uint32_t)vt_object_uint(&o, &l->oo);
    cache->size = (uint32_t)vt_object_uint(&o, &l->size);
    cache->object_size = (uint32_t)vt_object_uint(&o, &l->object_size);
    cache->offset = (uint32_t)vt_object_uint(&o, &l->offset);
    cache->objects = oo & 0xffff;
    cache->order = oo >> 16;
    cache->red_left_pad = (uint32_t)vt_object_uint(&o, &l->red_left_pad);
    cache->refcount = (uint32_t)vt_object_uint(&o, &l->refcount);
    cache->usersize = (uint32_t)vt_object_uint(&o, &l->usersize);
    cache->flags = vt_object_uint(&o, &l->flags);
    cache->random = vt_object_uint(&o, &l->random);
    cache->hardened = l->random.size != 0;
    cache->ctor = VT_GVA(vt_object_uint(&o, &l->ctor));
    cache->cpu_slab = VT_GVA(vt_object_uint(&o, &l->cpu_slab));
    cache->sheaves = VT_GVA(vt_object_uint(&o, &l->sheaves));
    vt_look_text(look, VT_GVA(vt_object_uint(&o, &l->name)), cache->name, sizeof cache->name);
    if (cache->size == 0 || cache->object_size > cache->size || cache->objects == 0 ||
        cache->objects > VT_SLAB_OBJECTS_MAX || cache->order > 16 ||
        cache->offset > cache->size - 1) {
        vt_look_doubt(look, "no cache's sizes");
        return false;
    }
    return true;
}

void vt_slab_node(struct vt_look *look, const struct vt_slab_layout *l, struct vt_gva cache,
                  unsigned i, struct vt_gva *node, struct vt_gva *barn)
{
    *node = *barn = VT_GVA(0);
    if (l->nodes.size != 0) {
        if (8 * (uint64_t)i + 8 <= l->nodes.size) {
            *node = VT_GVA(vt_look_u64(look, VT_GVA(cache.v + l->nodes.offset + 8 * (uint64_t)i)));
        }
        if (node->v != 0 && l->node_barn.size != 0) {
            *barn = VT_GVA(vt_look_u64(look, VT_GVA(node->v + l->node_barn.offset)));
        }
        return;
    }
    uint64_t at = (uint64_t)l->per_node_bytes.size * i;
    if (at + l->per_node_bytes.size <= l->per_node.size) {
        at += cache.v + l->per_node.offset;
        *node = VT_GVA(vt_look_u64(look, VT_GVA(at + l->per_node_node.offset)));
        *barn = VT_GVA(vt_look_u64(look, VT_GVA(at + l->per_node_barn.offset)));
    }
}

unsigned vt_slab_nodes(const struct vt_kernel *kernel)
{
    struct vt_gva at;
    uint32_t n;
    return vt_kernel_symbol(kernel, "nr_node_ids", &at, NULL) == 0 &&
                   vt_space_read_u32(vt_kernel_space(kernel), at, &n, NULL) == 0 && n >= 1 &&
                   n <= VT_SLAB_NODES_MAX
               ? n
               : 1;
}

void vt_slab_flags(const struct vt_slab_layout *l, uint64_t flags, char *text, size_t size)
{
    bool named = l->flag_bits[7].size != 0; /* one that all kernels have */
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < VT_SLAB_FLAGS && n < size; i++) {
        const struct vt_member *bit = &l->flag_bits[i];
        uint64_t mask = !named                               ? flag_words[i].mask
                        : bit->size != 0 && bit->offset < 64 ? UINT64_C(1) << bit->offset
                                                             : 0;
        if ((flags & mask) != 0) {
            n += (size_t)snprintf(text + n, size - n, "%s%s", n > 0 ? " " : "", flag_words[i].word);
        }
    }
}

/* A bitfield of up to 4 bytes, or a whole number. */
static uint32_t bits(const struct vt_object *o, const struct vt_member *m)
{
    uint32_t value = (uint32_t)vt_object_uint(o, m);
    return m->bits != 0 && m->bits < 32 ? value >> m->bit & ((UINT32_C(1) << m->bits) - 1) : value;
}

void vt_slab_decode(const struct vt_slab_layout *l, const struct vt_object *page,
                    struct vt_slab *slab)
{
    *slab = (struct vt_slab){
        .cache = vt_object_uint(page, &l->slab_cache),
        .freelist = vt_object_uint(page, &l->freelist),
        .inuse = bits(page, &l->inuse),
        .objects = bits(page, &l->objects),
        .frozen = bits(page, &l->frozen) != 0,
    };
}
