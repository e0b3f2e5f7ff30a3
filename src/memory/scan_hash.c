/* memory/scan_hash.c - finding changed pages by hashing them all: for RAM nobody can watch for us.
 *
 * Holes are skipped and count as a page of hash 0. The hash is XXH3 (64 bit): an accidental
 * collision hides one change in 2^64; a page that changes and changes back between two scans goes
 * unseen by design.
 */
#include "memory/scanner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A step hashes this much: a few milliseconds. */
#define STEP_BYTES ((uint64_t)16 << 20)

struct vt_hash_scan {
    const struct vt_ram *ram;
    uint64_t *hashes; /* a page; 0: a hole */
    size_t hashes_bytes;
    uint64_t at;              /* where the next step begins */
    struct vt_off start, end; /* the populated run that holds or follows it, once looked for */
};

int vt_hash_scan_create(const struct vt_ram *ram, struct vt_hash_scan **scan, struct vt_error *err)
{
    struct vt_hash_scan *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the tracker");
    }
    s->ram = ram;
    s->hashes_bytes = (vt_ram_size(ram) >> VT_PAGE_SHIFT) * sizeof *s->hashes;
    s->hashes = mmap(NULL, s->hashes_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->hashes == MAP_FAILED) {
        int rc = vt_fail_errno(err, VT_E_MAP, errno, "no memory for page hashes");
        free(s);
        return rc;
    }
    *scan = s;
    return 0;
}

void vt_hash_scan_destroy(struct vt_hash_scan *scan)
{
    if (scan != NULL) {
        munmap(scan->hashes, scan->hashes_bytes);
        free(scan);
    }
}

static uint64_t hash_of(const uint8_t *page)
{
    uint64_t h = XXH3_64bits(page, VT_PAGE_BYTES);
    return h != 0 ? h : 1;
}

static void note(struct vt_hash_scan *s, struct vt_table *table, uint64_t page, uint64_t hash,
                 uint32_t tick, uint64_t *dirty_pages)
{
    if (s->hashes[page] != hash) {
        s->hashes[page] = hash;
        vt_table_mark(table, page, page + 1, tick);
        ++*dirty_pages;
    }
}

int vt_hash_scan_step(struct vt_hash_scan *scan, struct vt_table *table, uint32_t tick,
                      uint64_t *dirty_pages, struct vt_error *err)
{
    uint64_t size = vt_ram_size(scan->ram);
    const uint8_t *ram = vt_ram_bytes(scan->ram);
    for (uint64_t budget = STEP_BYTES; scan->at < size && budget > 0;) {
        if (scan->at >= scan->end.v) {
            scan->start.v = scan->end.v = size;
            int rc = vt_ram_next_data(scan->ram, VT_OFF(scan->at), &scan->start, &scan->end, err);
            if (rc != 0 && rc != VT_E_NOT_FOUND) {
                return rc;
            }
        }
        for (; scan->at < scan->start.v; scan->at += VT_PAGE_BYTES) {
            note(scan, table, scan->at >> VT_PAGE_SHIFT, 0, tick, dirty_pages);
        }
        for (; scan->at < scan->end.v && budget > 0; budget -= VT_PAGE_BYTES) {
            note(scan, table, scan->at >> VT_PAGE_SHIFT, hash_of(ram + scan->at), tick,
                 dirty_pages);
            scan->at += VT_PAGE_BYTES;
        }
    }
    int rc = vt_ram_check(scan->ram, err);
    if (rc != 0 || scan->at < size) {
        return rc;
    }
    scan->at = 0;
    scan->end.v = 0;
    return 1;
}
