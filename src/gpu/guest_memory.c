/* gpu/guest_memory.c - see guest_memory.h. */
#include "gpu/guest_memory.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool overlap(uint64_t a, uint64_t b, uint64_t a_bytes, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static int check(const struct vt_guest_memory *m, const struct vt_guest_region *r,
                 struct vt_error *err)
{
    if (m->n == VT_GUEST_REGIONS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %u regions of memory", VT_GUEST_REGIONS_MAX);
    }
    if (r->bytes == 0 || r->bytes >> 56 != 0 || r->gpa > UINT64_MAX - r->bytes ||
        r->front_end > UINT64_MAX - r->bytes || r->offset > INT64_MAX - r->bytes) {
        return vt_fail(err, VT_E_INVAL,
                       "a region of memory that cannot be: 0x%" PRIx64 ", 0x%" PRIx64 " bytes",
                       r->gpa, r->bytes);
    }
    for (unsigned i = 0; i < m->n; i++) {
        const struct vt_guest_region *o = &m->regions[i].region;
        if (overlap(r->gpa, o->gpa, r->bytes, o->bytes) ||
            overlap(r->front_end, o->front_end, r->bytes, o->bytes)) {
            return vt_fail(err, VT_E_INVAL, "two regions of memory at 0x%" PRIx64, r->gpa);
        }
    }
    return 0;
}

int vt_guest_memory_add(struct vt_guest_memory *m, const struct vt_guest_region *region, int fd,
                        struct vt_error *err)
{
    int rc = check(m, region, err);
    if (rc != 0) {
        return rc;
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "memory of the guest");
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < region->offset + region->bytes) {
        return vt_fail(err, VT_E_INVAL, "a region of memory is longer than its file");
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), lead = region->offset & (page - 1);
    size_t bytes = (size_t)(region->bytes + lead);
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                    (off_t)(region->offset - lead));
    if (at == MAP_FAILED) {
        return vt_fail_errno(err, VT_E_MAP, errno, "memory of the guest");
    }
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "memory of the guest");
        munmap(at, bytes);
        return rc;
    }
    m->regions[m->n++] = (struct vt_guest_mapped){
        .region = *region, .at = (uint8_t *)at + lead, .mapping = at, .mapped = bytes, .fd = own};
    return 0;
}

void vt_guest_memory_clear(struct vt_guest_memory *m)
{
    while (m->n > 0) {
        struct vt_guest_mapped *r = &m->regions[--m->n];
        munmap(r->mapping, r->mapped);
        close(r->fd);
    }
}

void *vt_guest_memory_front_end(const struct vt_guest_memory *m, uint64_t address, uint64_t bytes)
{
    for (unsigned i = 0; i < m->n; i++) {
        const struct vt_guest_mapped *r = &m->regions[i];
        uint64_t at = address - r->region.front_end;
        if (address >= r->region.front_end && at < r->region.bytes &&
            bytes <= r->region.bytes - at) {
            return r->at + at;
        }
    }
    return NULL;
}

static const struct vt_guest_mapped *find(const struct vt_guest_memory *m, uint64_t gpa)
{
    for (unsigned i = 0; i < m->n; i++) {
        const struct vt_guest_region *r = &m->regions[i].region;
        if (gpa >= r->gpa && gpa - r->gpa < r->bytes) {
            return &m->regions[i];
        }
    }
    return NULL;
}

void *vt_guest_memory_at(const struct vt_guest_memory *m, uint64_t gpa, uint64_t *bytes)
{
    const struct vt_guest_mapped *r = find(m, gpa);
    if (r == NULL) {
        return NULL;
    }
    uint64_t at = gpa - r->region.gpa, left = r->region.bytes - at;
    *bytes = *bytes < left ? *bytes : left;
    return r->at + at;
}

bool vt_guest_memory_file(const struct vt_guest_memory *m, uint64_t gpa, uint64_t bytes, int *fd,
                          uint64_t *offset)
{
    const struct vt_guest_mapped *r = find(m, gpa);
    if (r == NULL || bytes > r->region.bytes - (gpa - r->region.gpa)) {
        return false;
    }
    *fd = r->fd;
    *offset = r->region.offset + (gpa - r->region.gpa);
    return true;
}

/* Whether all of it is there. */
static bool covered(const struct vt_guest_memory *m, uint64_t gpa, uint64_t bytes)
{
    if (gpa > UINT64_MAX - bytes) {
        return false;
    }
    for (uint64_t n; bytes > 0; gpa += n, bytes -= n) {
        n = bytes;
        if (vt_guest_memory_at(m, gpa, &n) == NULL) {
            return false;
        }
    }
    return true;
}

bool vt_guest_memory_read(const struct vt_guest_memory *m, uint64_t gpa, void *to, uint64_t bytes)
{
    uint8_t *p = to;
    if (!covered(m, gpa, bytes)) {
        return false;
    }
    for (uint64_t n; bytes > 0; gpa += n, bytes -= n, p += n) {
        n = bytes;
        memcpy(p, vt_guest_memory_at(m, gpa, &n), n);
    }
    return true;
}

bool vt_guest_memory_write(const struct vt_guest_memory *m, uint64_t gpa, const void *from,
                           uint64_t bytes)
{
    const uint8_t *p = from;
    if (!covered(m, gpa, bytes)) {
        return false;
    }
    for (uint64_t n; bytes > 0; gpa += n, bytes -= n, p += n) {
        n = bytes;
        memcpy(vt_guest_memory_at(m, gpa, &n), p, n);
    }
    return true;
}
