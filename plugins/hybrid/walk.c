/* plugins/hybrid/walk.c - the guest's page tables, walked in RAM.
 *
 * Source: Intel SDM volume 3, chapter 4 (4-level and 5-level paging, access rights, protection
 * keys). What the processor would do beside translating (set A or D, fault) is not done but said:
 * then the guest has to execute the access itself.
 */
#include "machine.h"

#define PRESENT ((uint64_t)1)
#define WRITABLE ((uint64_t)2)
#define USER ((uint64_t)4)
#define ACCESSED ((uint64_t)0x20)
#define DIRTY ((uint64_t)0x40)
#define LARGE ((uint64_t)0x80)
#define NO_EXECUTE ((uint64_t)1 << 63)
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define KEY(entry) ((entry) >> 59 & 15)
#define LOW_MEMORY ((uint64_t)1 << 20)

bool vt_memory_ranges(struct vt_memory *m, const struct vt_hybrid_range *ranges, uint32_t n)
{
    uint32_t kept = 0;
    if (n > VT_HYBRID_RANGES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct vt_hybrid_range r = ranges[i];
        if ((r.gpa | r.bytes | r.offset) % VT_PAGE_BYTES != 0 || r.offset > m->bytes ||
            r.bytes > m->bytes - r.offset || r.gpa > ADDRESS || r.bytes > ADDRESS - r.gpa) {
            return false;
        }
        /* Below there are ROMs, VGA and SMM's memory, which share addresses with RAM. */
        uint64_t cut = r.gpa >= LOW_MEMORY ? 0 : LOW_MEMORY - r.gpa;
        if (cut < r.bytes) {
            m->ranges[kept++] =
                (struct vt_hybrid_range){r.gpa + cut, r.bytes - cut, r.offset + cut};
        }
    }
    m->n_ranges = kept;
    return true;
}

static const struct vt_hybrid_range *range_of(const struct vt_memory *m, uint64_t gpa)
{
    for (uint32_t i = 0; i < m->n_ranges; i++) {
        if (gpa - m->ranges[i].gpa < m->ranges[i].bytes) {
            return &m->ranges[i];
        }
    }
    return NULL;
}

static const uint64_t *table_at(const struct vt_memory *m, uint64_t gpa)
{
    const struct vt_hybrid_range *r = range_of(m, gpa);
    return r != NULL ? (const uint64_t *)(const void *)(m->base + r->offset + (gpa - r->gpa))
                     : NULL;
}

/* A page of 2^bits bytes, cut to the range of RAM in which the address lies. */
static int found(const struct vt_memory *m, uint64_t va, uint64_t entry, unsigned bits,
                 struct vt_page *page)
{
    uint64_t size = (uint64_t)1 << bits, gpa = (entry & ADDRESS & ~(size - 1));
    uint64_t here = gpa | (va & (size - 1));
    const struct vt_hybrid_range *r = range_of(m, here);
    if (r == NULL) {
        return VT_HYBRID_NOT_RAM;
    }
    uint64_t first = gpa > r->gpa ? gpa : r->gpa;
    uint64_t end = gpa + size < r->gpa + r->bytes ? gpa + size : r->gpa + r->bytes;
    *page = (struct vt_page){.va = va - (here - first),
                             .bytes = end - first,
                             .host = m->base + r->offset + (first - r->gpa)};
    return VT_GOES;
}

/* `allowed` are the bits that all levels above have; of NO_EXECUTE it is the complement. */
static int allows(const struct vt_paging *p, uint64_t allowed, uint64_t leaf, enum vt_access access)
{
    bool user = (allowed & USER) != 0;
    if (access == VT_EXECUTES) {
        return user == p->user && (allowed & NO_EXECUTE) != 0 ? VT_GOES : VT_HYBRID_PROTECTED;
    }
    if ((user ? !p->user_pages : p->user) ||
        ((user ? p->user_keys : p->kernel_keys) && KEY(leaf) != 0)) {
        return VT_HYBRID_PROTECTED;
    }
    if (access == VT_WRITES && (allowed & WRITABLE) == 0) {
        return VT_HYBRID_PROTECTED;
    }
    return access == VT_WRITES && (leaf & DIRTY) == 0 ? VT_HYBRID_CLEAN : VT_GOES;
}

int vt_walk(const struct vt_memory *m, const struct vt_paging *p, struct vt_walk_cache *cache,
            uint64_t va, enum vt_access access, struct vt_page *page)
{
    unsigned level = p->five ? 5 : 4, unused = 64 - (12 + 9 * level);
    if ((uint64_t)((int64_t)(va << unused) >> unused) != va) {
        return VT_HYBRID_ADDRESS;
    }
    uint64_t allowed = USER | WRITABLE | NO_EXECUTE, gpa = p->root & ADDRESS;
    const uint64_t *table = NULL;
    if (cache->table != NULL && cache->tag == va >> 21) {
        level = 1;
        table = cache->table;
        allowed = cache->allowed;
    }
    for (;; level--) {
        unsigned bits = 12 + 9 * (level - 1);
        table = table != NULL ? table : table_at(m, gpa);
        if (table == NULL) {
            return VT_HYBRID_NOT_RAM;
        }
        if (level == 1) {
            *cache = (struct vt_walk_cache){va >> 21, table, allowed};
        }
        uint64_t entry = __atomic_load_n(&table[va >> bits & 511], __ATOMIC_RELAXED);
        if ((entry & PRESENT) == 0 || (entry & ACCESSED) == 0) {
            return VT_HYBRID_ABSENT;
        }
        allowed &= entry ^ NO_EXECUTE;
        if (level == 1 || (entry & LARGE) != 0) {
            /* Bit 12 of a large page is a part of its memory type; those above are reserved. */
            uint64_t reserved = level == 1 ? 0 : (((uint64_t)1 << bits) - 1) & ~UINT64_C(0x1fff);
            if (level > 3 || (entry & reserved) != 0) {
                return VT_HYBRID_PROTECTED;
            }
            int rc = allows(p, allowed, entry, access);
            return rc != VT_GOES ? rc : found(m, va, entry, bits, page);
        }
        gpa = entry & ADDRESS;
        table = NULL;
    }
}
