/* memory/ram.c - guest RAM mapped read-only: the guest-physical map, reads, holes.
 *
 * See include/vitrine/memory.h. Everything of a struct vt_ram is constant after vt_ram_open but the
 * bitmap of populated pages, whose bits only ever go from 0 to 1 (relaxed: a bit carries no data),
 * and the guard's "lost" flag.
 */
#include "memory/ram.h"

#include "base/io.h"
#include "memory/fault.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct vt_ram {
    const uint8_t *bytes;
    uint64_t size;
    int fd;
    char *path;
    struct vt_fault_guard *guard;
    _Atomic(uint64_t) *populated; /* a bit a page: known to have storage */
    unsigned n_regions;
    struct vt_ram_region regions[VT_RAM_REGIONS_MAX];
};

#define BITS 64

/* ---------------------------------------------------------------- open */

static bool page_aligned(uint64_t v)
{
    return (v & (VT_PAGE_BYTES - 1)) == 0;
}

/* Takes the caller's map, joining what touches on both sides so that reads see one run. */
static int set_regions(struct vt_ram *ram, const struct vt_ram_region *regions, unsigned n,
                       struct vt_error *err)
{
    if (n == 0) {
        ram->regions[0] = (struct vt_ram_region){.bytes = ram->size};
        ram->n_regions = 1;
        return 0;
    }
    if (n > VT_RAM_REGIONS_MAX) {
        return vt_fail(err, VT_E_INVAL, "%u RAM regions, at most %d", n, VT_RAM_REGIONS_MAX);
    }
    uint64_t end = 0;
    for (unsigned i = 0; i < n; i++) {
        struct vt_ram_region r = regions[i];
        if (r.bytes == 0 || !page_aligned(r.gpa.v | r.offset.v | r.bytes) ||
            r.offset.v > ram->size || r.bytes > ram->size - r.offset.v ||
            r.gpa.v > UINT64_MAX - r.bytes || r.gpa.v < end) {
            return vt_fail(err, VT_E_INVAL,
                           "RAM region %u (address 0x%llx, offset 0x%llx, 0x%llx bytes) does not "
                           "fit a file of 0x%llx bytes",
                           i, (unsigned long long)r.gpa.v, (unsigned long long)r.offset.v,
                           (unsigned long long)r.bytes, (unsigned long long)ram->size);
        }
        end = r.gpa.v + r.bytes;
        struct vt_ram_region *last = ram->n_regions > 0 ? &ram->regions[ram->n_regions - 1] : NULL;
        if (last != NULL && last->gpa.v + last->bytes == r.gpa.v &&
            last->offset.v + last->bytes == r.offset.v) {
            last->bytes += r.bytes;
        } else {
            ram->regions[ram->n_regions++] = r;
        }
    }
    return 0;
}

/* Without a map the file is RAM and nothing else; with one, it may end with something of its own.
 */
static int open_file(struct vt_ram *ram, const char *path, bool all, struct vt_error *err)
{
    /* O_NONBLOCK: a FIFO of that name must not hold us. */
    ram->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (ram->fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "cannot open RAM file %s", path);
    }
    struct stat st;
    if (fstat(ram->fd, &st) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "cannot stat RAM file %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return vt_fail(err, VT_E_INVAL, "RAM file %s is not a regular file", path);
    }
    ram->size = (uint64_t)st.st_size & ~(VT_PAGE_BYTES - 1);
    if (ram->size == 0 || (all && !page_aligned((uint64_t)st.st_size))) {
        return vt_fail(err, VT_E_INVAL, "RAM file %s has %lld bytes, not a multiple of 4 KiB", path,
                       (long long)st.st_size);
    }
    return 0;
}

static int map_file(struct vt_ram *ram, struct vt_error *err)
{
    void *p = mmap(NULL, ram->size, PROT_READ, MAP_SHARED | MAP_NORESERVE, ram->fd, 0);
    if (p == MAP_FAILED) {
        return vt_fail_errno(err, VT_E_MAP, errno, "cannot map RAM file %s", ram->path);
    }
    ram->bytes = p;
    /* A guest's RAM has no business in our core dumps. */
    madvise(p, ram->size, MADV_DONTDUMP);
    return vt_fault_guard(p, ram->size, ram->fd, &ram->guard, err);
}

int vt_ram_open(const char *path, const struct vt_ram_region *regions, unsigned n,
                struct vt_ram **ram, struct vt_error *err)
{
    struct vt_ram *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a RAM mapping");
    }
    r->fd = -1;
    int rc = open_file(r, path, n == 0, err);
    if (rc == 0) {
        rc = set_regions(r, regions, n, err);
    }
    if (rc == 0) {
        uint64_t pages = r->size >> VT_PAGE_SHIFT;
        r->path = strdup(path);
        r->populated = calloc((pages + BITS - 1) / BITS, sizeof *r->populated);
        rc = r->path != NULL && r->populated != NULL
                 ? map_file(r, err)
                 : vt_fail(err, VT_E_NOMEM, "no memory for a RAM mapping");
    }
    if (rc != 0) {
        vt_ram_close(r);
        return rc;
    }
    *ram = r;
    return 0;
}

void vt_ram_close(struct vt_ram *ram)
{
    if (ram == NULL) {
        return;
    }
    vt_fault_unguard(ram->guard);
    if (ram->bytes != NULL) {
        munmap((void *)(uintptr_t)ram->bytes, ram->size);
    }
    vt_close(&ram->fd);
    free(ram->populated);
    free(ram->path);
    free(ram);
}

uint64_t vt_ram_size(const struct vt_ram *ram)
{
    return ram->size;
}

struct vt_gpa vt_ram_end(const struct vt_ram *ram)
{
    const struct vt_ram_region *last = &ram->regions[ram->n_regions - 1];
    return VT_GPA(last->gpa.v + last->bytes);
}

unsigned vt_ram_regions(const struct vt_ram *ram, const struct vt_ram_region **regions)
{
    *regions = ram->regions;
    return ram->n_regions;
}

/* ---------------------------------------------------------------- addresses */

static int fail_gone(const struct vt_ram *ram, struct vt_error *err)
{
    return vt_fail(err, VT_E_GONE, "RAM file %s was truncated while in use", ram->path);
}

/* The last region that begins at or below `gpa`, or NULL. */
static const struct vt_ram_region *region_below(const struct vt_ram *ram, uint64_t gpa)
{
    unsigned low = 0;
    unsigned high = ram->n_regions;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (ram->regions[mid].gpa.v <= gpa) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low > 0 ? &ram->regions[low - 1] : NULL;
}

/* The region that holds all of [gpa, gpa + len). max: its end where the range begins in one, else
 * the end of RAM. */
static int find_range(const struct vt_ram *ram, uint64_t gpa, uint64_t len,
                      const struct vt_ram_region **region, struct vt_error *err)
{
    const struct vt_ram_region *r = region_below(ram, gpa);
    if (r == NULL || gpa - r->gpa.v >= r->bytes) {
        return vt_fail_addr(err, "guest-physical address", gpa, len, vt_ram_end(ram).v);
    }
    if (len > r->bytes - (gpa - r->gpa.v)) {
        return vt_fail_addr(err, "guest-physical range at", gpa, len, r->gpa.v + r->bytes);
    }
    *region = r;
    return 0;
}

int vt_ram_offset(const struct vt_ram *ram, struct vt_gpa gpa, struct vt_off *off, uint64_t *run,
                  struct vt_error *err)
{
    const struct vt_ram_region *r;
    int rc = find_range(ram, gpa.v, 1, &r, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t into = gpa.v - r->gpa.v;
    off->v = r->offset.v + into;
    if (run != NULL) {
        *run = r->bytes - into;
    }
    return 0;
}

int vt_ram_gpa(const struct vt_ram *ram, struct vt_off off, struct vt_gpa *gpa,
               struct vt_error *err)
{
    for (unsigned i = 0; i < ram->n_regions; i++) {
        const struct vt_ram_region *r = &ram->regions[i];
        if (off.v >= r->offset.v && off.v - r->offset.v < r->bytes) {
            gpa->v = r->gpa.v + (off.v - r->offset.v);
            return 0;
        }
    }
    return vt_fail_addr(err, "RAM offset", off.v, 1, ram->size);
}

/* ---------------------------------------------------------------- holes */

static void mark_populated(const struct vt_ram *ram, uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end;) {
        uint64_t bit = page % BITS;
        uint64_t n = end - page < BITS - bit ? end - page : BITS - bit;
        uint64_t mask = (n == BITS ? UINT64_MAX : (((uint64_t)1 << n) - 1)) << bit;
        _Atomic(uint64_t) *word = &ram->populated[page / BITS];
        if ((atomic_load_explicit(word, memory_order_relaxed) & mask) != mask) {
            atomic_fetch_or_explicit(word, mask, memory_order_relaxed);
        }
        page += n;
    }
}

int vt_ram_seek_data(const struct vt_ram *ram, uint64_t from, uint64_t *start)
{
    off_t data = lseek(ram->fd, (off_t)from, SEEK_DATA);
    int rc = data < 0 ? -errno : 0;
    if (rc == -EINVAL) {
        data = (off_t)from; /* a file system without holes */
        rc = 0;
    }
    if (rc == 0 && (uint64_t)data >= ram->size) {
        rc = -ENXIO; /* the file has grown since it was mapped */
    }
    struct stat st;
    if (rc == -ENXIO && fstat(ram->fd, &st) == 0 && (uint64_t)st.st_size < ram->size) {
        vt_fault_set_lost(ram->guard);
    }
    if (rc == 0) {
        *start = (uint64_t)data & ~(VT_PAGE_BYTES - 1);
    }
    return rc;
}

uint64_t vt_ram_seek_hole(const struct vt_ram *ram, uint64_t start)
{
    off_t hole = lseek(ram->fd, (off_t)start, SEEK_HOLE);
    uint64_t end = hole < 0 || (uint64_t)hole > ram->size
                       ? ram->size
                       : ((uint64_t)hole + VT_PAGE_BYTES - 1) & ~(VT_PAGE_BYTES - 1);
    mark_populated(ram, start >> VT_PAGE_SHIFT, end >> VT_PAGE_SHIFT);
    return end;
}

/* Whether the page of `off` has storage; if not, *next (page-aligned) is where storage begins, or
 * the end of RAM. */
static bool populated(const struct vt_ram *ram, uint64_t off, uint64_t *next)
{
    /* A yes may be stale (a balloon punched a hole since): then a read allocates a zero page. */
    uint64_t page = off >> VT_PAGE_SHIFT;
    uint64_t word = atomic_load_explicit(&ram->populated[page / BITS], memory_order_relaxed);
    if ((word >> (page % BITS) & 1) != 0) {
        return true;
    }
    *next = ram->size;
    if (vt_ram_seek_data(ram, page << VT_PAGE_SHIFT, next) != 0 || *next != page << VT_PAGE_SHIFT) {
        return false;
    }
    vt_ram_seek_hole(ram, *next);
    return true;
}

bool vt_ram_is_populated(const struct vt_ram *ram, struct vt_off off)
{
    uint64_t next;
    return off.v < ram->size && populated(ram, off.v, &next);
}

int vt_ram_next_data(const struct vt_ram *ram, struct vt_off from, struct vt_off *start,
                     struct vt_off *end, struct vt_error *err)
{
    uint64_t first = 0;
    int rc =
        from.v < ram->size ? vt_ram_seek_data(ram, from.v & ~(VT_PAGE_BYTES - 1), &first) : -ENXIO;
    if (vt_fault_lost(ram->guard)) {
        return fail_gone(ram, err);
    }
    if (rc == -ENXIO) {
        return vt_fail(err, VT_E_NOT_FOUND, "no data at or after offset 0x%llx",
                       (unsigned long long)from.v);
    }
    if (rc != 0) {
        return vt_fail_errno(err, VT_E_IO, -rc, "cannot look for data in RAM file %s", ram->path);
    }
    start->v = first;
    end->v = vt_ram_seek_hole(ram, first);
    return 0;
}

/* ---------------------------------------------------------------- reads */

int vt_ram_check(const struct vt_ram *ram, struct vt_error *err)
{
    return vt_fault_lost(ram->guard) ? fail_gone(ram, err) : 0;
}

const uint8_t *vt_ram_bytes(const struct vt_ram *ram)
{
    return ram->bytes;
}

int vt_ram_ptr(const struct vt_ram *ram, struct vt_gpa gpa, uint64_t len, const void **ptr,
               struct vt_error *err)
{
    const struct vt_ram_region *r;
    int rc = find_range(ram, gpa.v, len, &r, err);
    if (rc == 0) {
        rc = vt_ram_check(ram, err);
    }
    if (rc == 0) {
        *ptr = ram->bytes + r->offset.v + (gpa.v - r->gpa.v);
    }
    return rc;
}

/* Copies from one region, page by page of what has storage, zeros for each hole. */
static void copy_out(const struct vt_ram *ram, uint64_t off, uint8_t *to, uint64_t len)
{
    while (len > 0) {
        uint64_t next;
        bool has = populated(ram, off, &next);
        if (has) {
            next = (off & ~(VT_PAGE_BYTES - 1)) + VT_PAGE_BYTES;
        }
        uint64_t n = next - off < len ? next - off : len;
        if (has) {
            memcpy(to, ram->bytes + off, n);
        } else {
            memset(to, 0, n);
        }
        off += n;
        to += n;
        len -= n;
    }
}

int vt_ram_read(const struct vt_ram *ram, struct vt_gpa gpa, void *buf, uint64_t len,
                struct vt_error *err)
{
    /* The whole range is checked before the first byte is copied. */
    const struct vt_ram_region *first = region_below(ram, gpa.v);
    if (first == NULL || gpa.v - first->gpa.v >= first->bytes) {
        return vt_fail_addr(err, "guest-physical address", gpa.v, len, vt_ram_end(ram).v);
    }
    const struct vt_ram_region *limit = ram->regions + ram->n_regions;
    const struct vt_ram_region *r = first;
    while (len > r->gpa.v + r->bytes - gpa.v) {
        if (r + 1 == limit || r[1].gpa.v != r->gpa.v + r->bytes) {
            return vt_fail_addr(err, "guest-physical range at", gpa.v, len, r->gpa.v + r->bytes);
        }
        r++;
    }
    uint64_t at = gpa.v;
    uint8_t *to = buf;
    for (r = first; len > 0; r++) {
        uint64_t into = at - r->gpa.v;
        uint64_t n = r->bytes - into < len ? r->bytes - into : len;
        copy_out(ram, r->offset.v + into, to, n);
        at += n;
        to += n;
        len -= n;
    }
    return vt_ram_check(ram, err);
}

int vt_ram_read_u64(const struct vt_ram *ram, struct vt_gpa gpa, uint64_t *value,
                    struct vt_error *err)
{
    if ((gpa.v & 7) != 0) {
        return vt_fail(err, VT_E_INVAL, "guest-physical address 0x%llx is not a multiple of 8",
                       (unsigned long long)gpa.v);
    }
    const struct vt_ram_region *r;
    int rc = find_range(ram, gpa.v, sizeof *value, &r, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t off = r->offset.v + (gpa.v - r->gpa.v);
    uint64_t v = 0;
    if (vt_ram_is_populated(ram, VT_OFF(off))) {
        v = __atomic_load_n((const uint64_t *)(const void *)(ram->bytes + off), __ATOMIC_RELAXED);
    }
    rc = vt_ram_check(ram, err);
    if (rc == 0) {
        *value = le64toh(v);
    }
    return rc;
}
