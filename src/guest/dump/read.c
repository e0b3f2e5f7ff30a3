/* guest/dump/read.c - an ELF core or a LiME file as RAM. See vitrine/dump.h.
 *
 *   parts    what the file says it holds: physical address, place in the file, length
 *   tidy     ascending, whole pages, no address twice
 *   regions  mapped as they lie; or copied into a memfd when they do not lie on pages
 *
 * Everything in the file is hostile: nothing is believed before it is checked against the file's
 * size, and what is allocated is bounded by constants and by what the file really holds.
 */
#include "vitrine/dump.h"

#include "base/cursor.h"
#include "base/io.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTS_MAX 65536u
#define ADDRESS_MAX (UINT64_C(1) << 52) /* of x86-64 */
#define RAM_MAX (UINT64_C(1) << 44)
#define LIME_MAGIC 0x4c694d45u
#define LIME_HEAD 32u
#define COPY_BYTES ((size_t)1 << 20)

struct part {
    uint64_t gpa, offset;
    uint64_t bytes;  /* of RAM */
    uint64_t stored; /* of them in the file; the rest is zeros */
};

struct parts {
    const char *path;
    int fd;
    uint64_t file_bytes;
    struct part *list;
    size_t n, room;
};

static int corrupt(const struct parts *p, const char *what, struct vt_error *err)
{
    return vt_fail(err, VT_E_CORRUPT, "%s: %s", p->path, what);
}

/* Up to `n` bytes at `at`; *got says how many there are. */
static int read_at(const struct parts *p, uint64_t at, void *buf, size_t n, size_t *got,
                   struct vt_error *err)
{
    *got = 0;
    while (*got < n && at + *got < p->file_bytes) {
        ssize_t done = pread(p->fd, (uint8_t *)buf + *got, n - *got, (off_t)(at + *got));
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return vt_fail_errno(err, VT_E_IO, errno, "cannot read %s", p->path);
        }
        if (done == 0) {
            break;
        }
        *got += (size_t)done;
    }
    return 0;
}

static int open_parts(const char *path, struct parts *p, struct vt_error *err)
{
    struct stat st;
    *p = (struct parts){.path = path};
    p->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (p->fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "cannot open RAM file %s", path);
    }
    if (fstat(p->fd, &st) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "cannot stat RAM file %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return vt_fail(err, VT_E_INVAL, "RAM file %s is not a regular file", path);
    }
    p->file_bytes = (uint64_t)st.st_size;
    return 0;
}

static void close_parts(struct parts *p)
{
    vt_close(&p->fd);
    free(p->list);
}

static int add_part(struct parts *p, struct part part, struct vt_error *err)
{
    if (part.offset > p->file_bytes || part.stored > p->file_bytes - part.offset) {
        return corrupt(p, "a range lies behind the end of the file, which may have been cut short",
                       err);
    }
    if (part.gpa >= ADDRESS_MAX || part.bytes > ADDRESS_MAX - part.gpa) {
        return corrupt(p, "a range of addresses that no machine has", err);
    }
    if (p->n == p->room) {
        size_t room = p->room == 0 ? 16 : 2 * p->room;
        struct part *list = p->n < PARTS_MAX ? realloc(p->list, room * sizeof *list) : NULL;
        if (list == NULL) {
            return p->n < PARTS_MAX
                       ? vt_fail(err, VT_E_NOMEM, "no memory for the ranges of a dump")
                       : vt_fail(err, VT_E_LIMIT, "%s: more than %u ranges", p->path, PARTS_MAX);
        }
        p->list = list;
        p->room = room;
    }
    p->list[p->n++] = part;
    return 0;
}

/* ---------------------------------------------------------------- ELF */

/* How many program headers there are, and where. (gABI, "ELF Header": PN_XNUM) */
static int find_loads(const struct parts *p, uint64_t *at, uint32_t *n, struct vt_error *err)
{
    Elf64_Ehdr head;
    Elf64_Shdr first;
    size_t got;
    int rc = read_at(p, 0, &head, sizeof head, &got, err);
    if (rc != 0) {
        return rc;
    }
    if (got < sizeof head || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_ident[EI_DATA] != ELFDATA2LSB || le16toh(head.e_type) != ET_CORE ||
        le16toh(head.e_machine) != EM_X86_64) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s is an ELF file, but no core of an x86-64 machine",
                       p->path);
    }
    if (le16toh(head.e_phentsize) != sizeof(Elf64_Phdr)) {
        return corrupt(p, "program headers of a size of their own", err);
    }
    *n = le16toh(head.e_phnum);
    *at = le64toh(head.e_phoff);
    if (*n == PN_XNUM) {
        rc = read_at(p, le64toh(head.e_shoff), &first, sizeof first, &got, err);
        if (rc == 0 && got < sizeof first) {
            rc = corrupt(p, "the number of program headers is not there", err);
        }
        if (rc != 0) {
            return rc;
        }
        *n = le32toh(first.sh_info);
    }
    return *n <= PARTS_MAX ? 0 : vt_fail(err, VT_E_LIMIT, "%s: %u ranges", p->path, *n);
}

static int read_elf(struct parts *p, struct vt_error *err)
{
    uint64_t at = 0;
    uint32_t n = 0;
    int rc = find_loads(p, &at, &n, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        Elf64_Phdr load;
        size_t got;
        uint64_t here = at + i * sizeof load;
        rc = here < at ? corrupt(p, "program headers at no place", err)
                       : read_at(p, here, &load, sizeof load, &got, err);
        if (rc == 0 && got < sizeof load) {
            rc = corrupt(p, "its program headers are cut short", err);
        }
        /* A physical address of all ones: "none", as in /proc/kcore. */
        if (rc != 0 || le32toh(load.p_type) != PT_LOAD || le64toh(load.p_paddr) == UINT64_MAX) {
            continue;
        }
        if (le64toh(load.p_filesz) > le64toh(load.p_memsz)) {
            return corrupt(p, "a range is longer in the file than in memory", err);
        }
        rc = add_part(p,
                      (struct part){.gpa = le64toh(load.p_paddr),
                                    .offset = le64toh(load.p_offset),
                                    .bytes = le64toh(load.p_memsz),
                                    .stored = le64toh(load.p_filesz)},
                      err);
    }
    return rc;
}

/* ---------------------------------------------------------------- LiME */

static int read_lime(struct parts *p, struct vt_error *err)
{
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && at < p->file_bytes;) {
        uint8_t head[LIME_HEAD];
        size_t got;
        rc = read_at(p, at, head, sizeof head, &got, err);
        if (rc != 0) {
            break;
        }
        uint64_t first = vt_le64(head + 8), last = vt_le64(head + 16);
        if (got < sizeof head || vt_le32(head) != LIME_MAGIC || last < first ||
            last - first >= ADDRESS_MAX) {
            return corrupt(p, "a range does not begin with LiME's header", err);
        }
        if (vt_le32(head + 4) != 1) {
            return vt_fail(err, VT_E_UNSUPPORTED, "%s: version %u of LiME's format", p->path,
                           vt_le32(head + 4));
        }
        uint64_t bytes = last - first + 1;
        rc = add_part(p, (struct part){first, at + sizeof head, bytes, bytes}, err);
        at += sizeof head + bytes;
    }
    return rc;
}

/* ---------------------------------------------------------------- tidy */

static int by_address(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    if (x->gpa != y->gpa) {
        return x->gpa < y->gpa ? -1 : 1;
    }
    return x->bytes != y->bytes ? (x->bytes > y->bytes ? -1 : 1) : 0;
}

/* Takes `n` bytes off the beginning. */
static void trim(struct part *part, uint64_t n)
{
    n = n < part->bytes ? n : part->bytes;
    part->gpa += n;
    part->offset += n;
    part->bytes -= n;
    part->stored = part->stored > n ? part->stored - n : 0;
}

/* In ascending order, whole pages, none twice; neighbours that continue each other joined. */
static int tidy(struct parts *p, struct vt_error *err)
{
    const uint64_t low = VT_PAGE_BYTES - 1;
    uint64_t end = 0, total = 0;
    size_t kept = 0;
    if (p->n > 0) {
        qsort(p->list, p->n, sizeof *p->list, by_address);
    }
    for (size_t i = 0; i < p->n; i++) {
        struct part part = p->list[i];
        if (part.gpa < end) {
            trim(&part, end - part.gpa);
        }
        trim(&part, -part.gpa & low);
        part.bytes &= ~low;
        part.stored = part.stored < part.bytes ? part.stored : part.bytes;
        if (part.bytes == 0) {
            continue;
        }
        end = part.gpa + part.bytes;
        total += part.bytes;
        struct part *last = kept > 0 ? &p->list[kept - 1] : NULL;
        if (last != NULL && last->gpa + last->bytes == part.gpa && last->stored == last->bytes &&
            last->offset + last->bytes == part.offset) {
            last->bytes += part.bytes;
            last->stored += part.stored;
        } else {
            p->list[kept++] = part;
        }
    }
    p->n = kept;
    if (kept == 0) {
        return corrupt(p, "it holds no RAM", err);
    }
    return total <= RAM_MAX ? 0
                            : vt_fail(err, VT_E_LIMIT, "%s claims to hold 0x%llx bytes of RAM",
                                      p->path, (unsigned long long)total);
}

/* ---------------------------------------------------------------- regions */

static bool lies_on_pages(const struct parts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].offset % VT_PAGE_BYTES != 0 || p->list[i].stored != p->list[i].bytes) {
            return false;
        }
    }
    return true;
}

/* The parts as regions; `packed`: one behind the other, as copied. */
static int make_regions(const struct parts *p, bool packed, struct vt_ram_region *regions,
                        unsigned *n, uint64_t *total, struct vt_error *err)
{
    *n = 0;
    *total = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct part *part = &p->list[i];
        struct vt_ram_region *last = *n > 0 ? &regions[*n - 1] : NULL;
        uint64_t offset = packed ? *total : part->offset;
        *total += part->bytes;
        if (last != NULL && last->gpa.v + last->bytes == part->gpa &&
            last->offset.v + last->bytes == offset) {
            last->bytes += part->bytes;
            continue;
        }
        if (*n == VT_RAM_REGIONS_MAX) {
            return vt_fail(err, VT_E_LIMIT, "%s: RAM in more than %d pieces", p->path,
                           VT_RAM_REGIONS_MAX);
        }
        regions[(*n)++] = (struct vt_ram_region){VT_GPA(part->gpa), VT_OFF(offset), part->bytes};
    }
    return 0;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* What a part stores, to `at` of the memfd; holes of the file and pages of zeros stay holes. */
static int copy_part(const struct parts *p, const struct part *part, int to, uint64_t at,
                     uint8_t *buffer, struct vt_error *err)
{
    uint64_t end = part->offset + part->stored;
    for (uint64_t from = part->offset; from < end;) {
        off_t data = lseek(p->fd, (off_t)from, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;
        }
        if (data > 0 && (uint64_t)data > from) {
            /* To the page of RAM that the data begins in. */
            from += ((uint64_t)data - from) & ~(VT_PAGE_BYTES - 1);
        }
        size_t want = end - from < COPY_BYTES ? (size_t)(end - from) : COPY_BYTES, got;
        if (from >= end) {
            break;
        }
        int rc = read_at(p, from, buffer, want, &got, err);
        if (rc != 0 || got < want) {
            return rc != 0 ? rc : vt_fail(err, VT_E_GONE, "%s was cut while it was read", p->path);
        }
        for (size_t i = 0; i < got; i += VT_PAGE_BYTES) {
            size_t n = got - i < VT_PAGE_BYTES ? got - i : VT_PAGE_BYTES;
            uint64_t there = at + (from - part->offset) + i;
            if (!is_zero(buffer + i, n) && pwrite(to, buffer + i, n, (off_t)there) != (ssize_t)n) {
                return vt_fail_errno(err, VT_E_NOMEM, errno, "no memory for the RAM in %s",
                                     p->path);
            }
        }
        from += got;
    }
    return 0;
}

static int copy_ram(const struct parts *p, uint64_t total, int *memory, struct vt_error *err)
{
    int fd = memfd_create("vitrine-dump", MFD_CLOEXEC);
    uint8_t *buffer = malloc(COPY_BYTES);
    uint64_t at = 0;
    int rc = 0;
    if (fd < 0 || buffer == NULL || ftruncate(fd, (off_t)total) != 0) {
        rc = vt_fail_errno(err, VT_E_NOMEM, errno, "no memory for the RAM in %s", p->path);
    }
    for (size_t i = 0; rc == 0 && i < p->n; i++) {
        rc = copy_part(p, &p->list[i], fd, at, buffer, err);
        at += p->list[i].bytes;
    }
    free(buffer);
    if (rc != 0) {
        vt_close(&fd);
        return rc;
    }
    *memory = fd;
    return 0;
}

/* ---------------------------------------------------------------- all of it */

int vt_dump_probe(const char *path, enum vt_dump_format *format, struct vt_error *err)
{
    static const char *const compressed[] = {"KDUMP   ", "DISKDUMP"};
    char head[16] = "";
    struct parts p;
    size_t got;
    int rc = open_parts(path, &p, err);
    rc = rc != 0 ? rc : read_at(&p, 0, head, sizeof head, &got, err);
    close_parts(&p);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < sizeof compressed / sizeof compressed[0]; i++) {
        if (memcmp(head, compressed[i], strlen(compressed[i])) == 0) {
            return vt_fail(err, VT_E_UNSUPPORTED,
                           "%s is a compressed dump: open it with crash or drgn, or make an ELF "
                           "core of it (makedumpfile -E -d 0)",
                           path);
        }
    }
    if (memcmp(head, "makedumpfile", 12) == 0) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "%s is in makedumpfile's flattened format: makedumpfile -R makes a core of "
                       "it",
                       path);
    }
    *format = memcmp(head, ELFMAG, SELFMAG) == 0 ? VT_DUMP_ELF
              : vt_le32(head) == LIME_MAGIC      ? VT_DUMP_LIME
                                                 : VT_DUMP_RAW;
    return 0;
}

int vt_dump_open(const char *path, enum vt_dump_format format, struct vt_ram **ram,
                 struct vt_error *err)
{
    struct vt_ram_region regions[VT_RAM_REGIONS_MAX];
    struct parts p;
    unsigned n = 0;
    uint64_t total;
    int memory = -1;
    if (format == VT_DUMP_RAW) {
        return vt_fail(err, VT_E_INVAL, "%s: a raw file does not say where its RAM lies", path);
    }
    int rc = open_parts(path, &p, err);
    if (rc == 0) {
        rc = format == VT_DUMP_ELF ? read_elf(&p, err) : read_lime(&p, err);
    }
    rc = rc != 0 ? rc : tidy(&p, err);
    bool mapped = rc == 0 && lies_on_pages(&p);
    rc = rc != 0 ? rc : make_regions(&p, !mapped, regions, &n, &total, err);
    if (rc == 0 && mapped) {
        rc = vt_ram_open(path, regions, n, ram, err);
    } else if (rc == 0) {
        rc = copy_ram(&p, total, &memory, err);
        if (rc == 0) {
            char name[64];
            snprintf(name, sizeof name, "/proc/self/fd/%d", memory);
            rc = vt_ram_open(name, regions, n, ram, err);
            vt_close(&memory);
        }
    }
    close_parts(&p);
    return rc;
}
