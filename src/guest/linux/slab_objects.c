/* guest/linux/slab_objects.c - see slab_objects.h.
 *
 *   elsewhere  the free objects that no slab's own list has: of CPUs, of sheaves
 *   slab       one slab: its list of free objects, then all of its objects
 *   scan       the struct pages of all of RAM, a page of them at a time
 */
#include "guest/linux/slab_objects.h"

#include "guest/linux/list.h"
#include "guest/linux/page_kind.h"
#include "guest/linux/percpu.h"
#include "guest/linux/seen.h"
#include "guest/linux/slab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHEAF_MAX 4096u /* objects; the kernel's largest has some hundreds */
#define SHEAVES_MAX 4096u

struct scan {
    struct vt_kernel *kernel;
    const struct vt_space *space;
    const struct vt_slab_layout *l;
    struct vt_slab_cache cache;
    struct vt_page_layout pages;
    uint64_t direct_map;
    struct vt_seen elsewhere; /* free objects that are on no slab's list */
    struct vt_slab_objects result;
    int (*fn)(struct vt_gva object, bool in_use, void *arg);
    void *arg;
    uint8_t free[VT_SLAB_OBJECTS_MAX / 8 + 1]; /* of the slab looked at: a bit an object */
};

__attribute__((format(printf, 2, 3))) static void tear(struct scan *s, const char *fmt, ...)
{
    if (!s->result.torn) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(s->result.why, sizeof s->result.why, fmt, ap);
        va_end(ap);
        s->result.torn = true;
    }
}

/* The free object after `object`; 0 is the last. (mm/slub.c: freelist_ptr_decode) */
static bool next_free(const struct scan *s, uint64_t object, uint64_t *next)
{
    uint64_t at = object + s->cache.offset, value;
    if (vt_space_read_u64(s->space, VT_GVA(at), &value, NULL) != 0) {
        return false;
    }
    *next = s->cache.hardened ? value ^ s->cache.random ^ __builtin_bswap64(at) : value;
    return true;
}

/* ---------------------------------------------------------------- free, but not by its slab */

static int read_cpu_list(struct scan *s, struct vt_gva cpu_slab, struct vt_error *err)
{
    uint64_t object = 0;
    if (vt_space_read_u64(s->space, VT_GVA(cpu_slab.v + s->l->cpu_freelist.offset), &object,
                          NULL) != 0) {
        return 0; /* of a CPU that never was */
    }
    int rc = 1;
    for (unsigned n = 0; object != 0 && rc == 1; n++) {
        rc = vt_seen_add(&s->elsewhere, object, err);
        uint64_t at = object;
        if (rc == 0 || n > VT_SLAB_OBJECTS_MAX || !next_free(s, at, &object)) {
            tear(s, "a CPU's list of free objects breaks at 0x%" PRIx64, at);
            break;
        }
    }
    return rc < 0 ? rc : 0;
}

static int read_sheaf(struct scan *s, uint64_t sheaf, struct vt_error *err)
{
    uint64_t cache, objects[64];
    uint32_t size;
    if (sheaf == 0) {
        return 0;
    }
    if (vt_space_read_u64(s->space, VT_GVA(sheaf + s->l->sheaf_cache.offset), &cache, NULL) != 0 ||
        vt_space_read_u32(s->space, VT_GVA(sheaf + s->l->sheaf_size.offset), &size, NULL) != 0 ||
        (cache != 0 && cache != s->cache.at.v) || size > SHEAF_MAX) {
        tear(s, "0x%" PRIx64 " is no sheaf of this cache", sheaf);
        return 0;
    }
    for (uint32_t i = 0; i < size; i += 64) {
        uint32_t n = size - i < 64 ? size - i : 64;
        uint64_t at = sheaf + s->l->sheaf_objects.offset + 8 * (uint64_t)i;
        if (vt_space_read(s->space, VT_GVA(at), objects, 8 * (uint64_t)n, NULL) != 0) {
            tear(s, "sheaf 0x%" PRIx64 " cannot be read", sheaf);
            break;
        }
        for (uint32_t k = 0; k < n; k++) {
            int rc = objects[k] != 0 ? vt_seen_add(&s->elsewhere, objects[k], err) : 0;
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int read_cpu_sheaves(struct scan *s, struct vt_gva sheaves, struct vt_error *err)
{
    const struct vt_member *each[] = {&s->l->main, &s->l->spare, &s->l->rcu_free};
    int rc = 0;
    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        uint64_t sheaf = 0;
        if (each[i]->size != 0 &&
            vt_space_read_u64(s->space, VT_GVA(sheaves.v + each[i]->offset), &sheaf, NULL) == 0) {
            rc = read_sheaf(s, sheaf, err);
        }
    }
    return rc;
}

static int read_barn(struct scan *s, struct vt_gva barn, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, s->space, VT_GVA(barn.v + s->l->sheaves_full.offset), SHEAVES_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        if ((rc = read_sheaf(s, node.v - s->l->barn_list.offset, err)) != 0) {
            break;
        }
    }
    if (list.torn) {
        tear(s, "%s", list.why);
    }
    vt_list_end(&list);
    return rc;
}

static int read_elsewhere(struct scan *s, struct vt_look *look, struct vt_error *err)
{
    const struct vt_slab_layout *l = s->l;
    const struct vt_percpu *percpu;
    bool sheaves = s->cache.sheaves.v != 0 && l->sheaf_size.size != 0 && l->main.size != 0;
    int rc = vt_percpu_take(s->kernel, &percpu, err);
    for (unsigned cpu = 0; rc == 0 && cpu < percpu->n; cpu++) {
        if (s->cache.cpu_slab.v != 0 && l->cpu_freelist.size != 0) {
            rc = read_cpu_list(s, vt_percpu_at(percpu, s->cache.cpu_slab, cpu), err);
        }
        if (rc == 0 && sheaves) {
            rc = read_cpu_sheaves(s, vt_percpu_at(percpu, s->cache.sheaves, cpu), err);
        }
    }
    unsigned nodes = vt_slab_nodes(s->kernel);
    for (unsigned i = 0; rc == 0 && sheaves && i < nodes; i++) {
        struct vt_gva node, barn;
        vt_look_begin(look);
        vt_slab_node(look, l, s->cache.at, i, &node, &barn);
        if (barn.v != 0 && l->sheaves_full.size != 0) {
            rc = read_barn(s, barn, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- slabs */

/* Marks what is on the slab's own list. */
static void mark_free(struct scan *s, const struct vt_slab *slab, uint64_t first)
{
    memset(s->free, 0, slab->objects / 8 + 1);
    uint64_t object = slab->freelist;
    while (object != 0) { /* each is met once: what is marked already ends it */
        uint64_t i = (object - first) / s->cache.size;
        if (object < first || (object - first) % s->cache.size != 0 || i >= slab->objects ||
            (s->free[i / 8] >> i % 8 & 1) != 0) {
            tear(s, "the slab at 0x%" PRIx64 " has 0x%" PRIx64 " on its list of free objects",
                 first, object);
            return;
        }
        s->free[i / 8] |= (uint8_t)(1u << i % 8);
        if (!next_free(s, object, &object)) {
            tear(s, "a list of free objects leads nowhere from 0x%" PRIx64, object);
            return;
        }
    }
}

static int tell_slab(struct scan *s, uint64_t pfn, const struct vt_object *page)
{
    struct vt_slab slab;
    vt_slab_decode(s->l, page, &slab);
    if (slab.cache != s->cache.at.v) {
        return 0;
    }
    uint64_t bytes = VT_PAGE_BYTES << s->cache.order;
    uint64_t first = s->direct_map + pfn * VT_PAGE_BYTES + s->cache.red_left_pad;
    if (slab.objects == 0 || slab.objects > s->cache.objects ||
        slab.objects * (uint64_t)s->cache.size > bytes) {
        tear(s, "the slab at 0x%" PRIx64 " is said to have %u objects", first, slab.objects);
        return 0;
    }
    mark_free(s, &slab, first);
    s->result.slabs++;
    int rc = 0;
    for (uint32_t i = 0; i < slab.objects && rc == 0; i++) {
        uint64_t object = first + i * (uint64_t)s->cache.size;
        bool free = (s->free[i / 8] >> i % 8 & 1) != 0 || vt_seen_has(&s->elsewhere, object);
        s->result.in_use += !free;
        s->result.free += free;
        rc = s->fn(VT_GVA(object), !free, s->arg);
    }
    return rc;
}

static int scan_pages(struct scan *s)
{
    uint8_t chunk[VT_PAGE_BYTES];
    uint32_t bytes = s->pages.bytes;
    uint64_t a_chunk = sizeof chunk / bytes, end = vt_ram_end(s->kernel->ram).v >> VT_PAGE_SHIFT;
    struct vt_object page;
    int rc = 0;
    page.low = s->l->slab.low;
    page.n = s->l->slab.high - s->l->slab.low;
    for (uint64_t from = 0; from < end && rc == 0; from += a_chunk) {
        uint64_t n = end - from < a_chunk ? end - from : a_chunk;
        uint64_t at = s->pages.vmemmap + from * bytes;
        if (vt_space_read(s->space, VT_GVA(at), chunk, n * bytes, NULL) != 0) {
            continue;
        }
        for (uint64_t i = 0; i < n && rc == 0; i++) {
            const uint8_t *here = chunk + i * bytes;
            struct vt_page_reading one = {.l = &s->pages, .first = from + i};
            memcpy(page.bytes, here + page.low, page.n);
            /* Most pages belong to somebody else: the cheap question first. Later pages of a slab
             * do not point to the cache. */
            if (vt_object_uint(&page, &s->l->slab_cache) == s->cache.at.v &&
                vt_page_kind(&one, 0, here) == VT_LINUX_PAGE_SLAB) {
                page.at = VT_GVA(at + i * bytes);
                rc = tell_slab(s, from + i, &page);
            }
        }
    }
    return rc;
}

static int begin(struct scan *s, struct vt_gva cache, struct vt_look *look, struct vt_error *err)
{
    int rc = vt_slab_layout_take(s->kernel, &s->l, err);
    if (rc == 0) {
        rc = vt_linux_page_layout(s->kernel, &s->pages, err);
    }
    if (rc == 0 && (s->l->slab.high > s->pages.bytes || s->l->slab.low >= s->l->slab.high)) {
        rc = vt_fail(err, VT_E_CORRUPT, "struct slab is larger than struct page");
    }
    if (rc != 0) {
        return rc;
    }
    bool good;
    do {
        vt_look_begin(look);
        good = vt_slab_cache_read(look, s->l, cache, &s->cache);
    } while (vt_look_again(look));
    if (!good || look->doubted) {
        return vt_fail(err, VT_E_CORRUPT, "no cache lies at 0x%" PRIx64 ": %s", cache.v, look->why);
    }
    s->result.object_bytes = s->cache.object_size;
    s->direct_map = vt_linux_direct_map(s->kernel);
    return read_elsewhere(s, look, err);
}

int vt_slab_objects(struct vt_kernel *kernel, struct vt_gva cache,
                    int (*fn)(struct vt_gva object, bool in_use, void *arg), void *arg,
                    struct vt_slab_objects *result, struct vt_error *err)
{
    struct scan *s = calloc(1, sizeof *s);
    struct vt_look look;
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "slabs: out of memory");
    }
    s->kernel = kernel;
    s->space = &kernel->space;
    s->fn = fn;
    s->arg = arg;
    vt_look_init(&look, s->space);
    int rc = begin(s, cache, &look, err);
    if (rc == 0) {
        rc = scan_pages(s);
    }
    if (rc == 0) {
        rc = vt_ram_check(kernel->ram, err);
    }
    if (rc == 0) {
        *result = s->result;
    }
    vt_look_fini(&look);
    vt_seen_fini(&s->elsewhere);
    free(s);
    return rc;
}

/* ---------------------------------------------------------------- which cache */

int vt_slab_cache_of(struct vt_kernel *kernel, const char *symbol, struct vt_gva *cache,
                     struct vt_error *err)
{
    struct vt_gva at;
    uint64_t value;
    int rc = vt_kernel_symbol(kernel, symbol, &at, err);
    if (rc == 0) {
        rc = vt_space_read_u64(&kernel->space, at, &value, err);
    }
    if (rc == 0) {
        *cache = VT_GVA(value);
    }
    return rc;
}
