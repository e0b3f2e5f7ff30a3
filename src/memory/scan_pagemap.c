/* memory/scan_pagemap.c - the pages QEMU wrote, from its page tables (PAGEMAP_SCAN, Linux 6.7).
 *
 * QEMU's RAM mappings are registered for asynchronous write-protection from inside (plugins/track).
 * One ioctl then returns the runs written since the one before and protects them again, atomically.
 * It costs ~2 ns a page of the range, written or not, so RAM without storage is left out: file
 * offsets are handled in chunks of 2 MiB (one page table), a chunk is "armed" once it has storage,
 * and one SEEK_DATA for each gap between armed chunks finds the new ones. A page whose storage QEMU
 * gives back (balloon) stays marked as protected: that it is zeros now shows at its next write.
 * Source: Linux Documentation/admin-guide/mm/pagemap.rst.
 */
#include "base/io.h"
#include "memory/ram.h"
#include "memory/scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* linux/fs.h of 6.7; Debian 12's headers are older. */
struct page_region {
    uint64_t start, end, categories;
};
struct pm_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL _IOWR('f', 16, struct pm_scan_arg)
#define SCAN_WP_MATCHING ((uint64_t)1 << 0)
#define SCAN_CHECK_WPASYNC ((uint64_t)1 << 1)
#define PAGE_WRITTEN ((uint64_t)1 << 1)

#define CHUNK_SHIFT 21
#define CHUNK_BYTES ((uint64_t)1 << CHUNK_SHIFT)
#define RUNS 4096
#define MAPPINGS_MAX 256
#define MAPS_BYTES_MAX ((size_t)16 << 20)

struct mapping {
    uint64_t start, end; /* addresses in QEMU */
    uint64_t off;        /* of `start` in the file */
};

enum { NEW = 1, ARMED = 2 };

struct vt_pagemap_scan {
    const struct vt_ram *ram;
    int fd;    /* /proc/PID/pagemap */
    int pidfd; /* a scan of a dead process finds nothing, and no error */
    unsigned n_mappings;
    struct mapping mappings[MAPPINGS_MAX];
    uint64_t n_chunks;
    uint8_t *chunks; /* 0, NEW or ARMED */
    struct page_region runs[RUNS];
};

/* ---------------------------------------------------------------- finding the mappings */

/* One line of /proc/PID/maps; false when it is no shared mapping of the file. */
static bool parse_mapping(const char *line, const struct stat *ram, struct mapping *m)
{
    uint64_t start, end, off, inode;
    unsigned major_no, minor_no;
    char flags[5];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &start, &end, flags,
               &off, &major_no, &minor_no, &inode) != 7 ||
        flags[1] != 'w' || flags[3] != 's' || inode != ram->st_ino ||
        major_no != major(ram->st_dev) || minor_no != minor(ram->st_dev)) {
        return false;
    }
    *m = (struct mapping){.start = start, .end = end, .off = off};
    return end > start;
}

static int find_mappings(struct vt_pagemap_scan *s, pid_t pid, const char *ram_path,
                         struct vt_error *err)
{
    struct stat st;
    if (stat(ram_path, &st) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", ram_path);
    }
    char path[64];
    char *text;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    int rc = vt_read_file(path, MAPS_BYTES_MAX, &text, NULL, err);
    if (rc != 0) {
        return rc;
    }
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL && s->n_mappings < MAPPINGS_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        struct mapping m;
        if (parse_mapping(line, &st, &m) && m.off < vt_ram_size(s->ram)) {
            s->mappings[s->n_mappings++] = m;
        }
    }
    free(text);
    return s->n_mappings > 0
               ? 0
               : vt_fail(err, VT_E_UNSUPPORTED, "process %d does not map %s", (int)pid, ram_path);
}

/* ---------------------------------------------------------------- create */

/* Scans [start, end) of QEMU's addresses into s->runs; *next is where to go on. Returns how many
 * runs, or a negative errno. */
static int scan_range(struct vt_pagemap_scan *s, uint64_t start, uint64_t end, uint64_t flags,
                      uint64_t *next)
{
    struct pm_scan_arg arg = {
        .size = sizeof arg,
        .flags = flags | SCAN_CHECK_WPASYNC,
        .start = start,
        .end = end,
        .vec = (uintptr_t)s->runs,
        .vec_len = RUNS,
        .category_mask = PAGE_WRITTEN,
        .return_mask = PAGE_WRITTEN,
    };
    int n = ioctl(s->fd, SCAN_IOCTL, &arg);
    *next = arg.walk_end;
    return n < 0 ? -errno : n;
}

static int fail_scan(int error, struct vt_error *err)
{
    switch (error) {
    case EPERM:
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "QEMU's RAM is not registered for write-protection (QEMU was started "
                       "without vitrine's preload, or the preload said why in its log)");
    case ENOTTY:
        return vt_fail(err, VT_E_UNSUPPORTED, "this kernel has no PAGEMAP_SCAN (Linux 6.7 has it)");
    case ESRCH:
        return vt_fail(err, VT_E_GONE, "QEMU is gone");
    default:
        return vt_fail_errno(err, VT_E_IO, error, "PAGEMAP_SCAN");
    }
}

int vt_pagemap_scan_create(pid_t pid, const char *ram_path, const struct vt_ram *ram,
                           struct vt_pagemap_scan **scan, struct vt_error *err)
{
    if (pid <= 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "QEMU's process is not known");
    }
    struct vt_pagemap_scan *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the tracker");
    }
    s->ram = ram;
    s->n_chunks = (vt_ram_size(ram) + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
    s->chunks = calloc(s->n_chunks, 1);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    s->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int rc = 0;
    if (s->chunks == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for the tracker");
    } else if (s->fd < 0 || s->pidfd < 0) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    } else {
        rc = find_mappings(s, pid, ram_path, err);
    }
    /* Ask without changing anything: is it there, and is all of it registered? */
    for (unsigned i = 0; rc == 0 && i < s->n_mappings; i++) {
        uint64_t next;
        struct mapping *m = &s->mappings[i];
        int n = scan_range(s, m->start, m->start + VT_PAGE_BYTES, 0, &next);
        rc = n < 0 ? fail_scan(-n, err) : 0;
    }
    if (rc != 0) {
        vt_pagemap_scan_destroy(s);
        return rc;
    }
    *scan = s;
    return 0;
}

void vt_pagemap_scan_destroy(struct vt_pagemap_scan *scan)
{
    if (scan != NULL) {
        vt_close(&scan->fd);
        vt_close(&scan->pidfd);
        free(scan->chunks);
        free(scan);
    }
}

/* ---------------------------------------------------------------- scan */

/* Marks chunks NEW that got storage since the last scan. Storage comes before QEMU's page-table
 * entry: a write that happened before this look is seen by it. */
static int find_new_chunks(struct vt_pagemap_scan *s, struct vt_error *err)
{
    for (uint64_t c = 0; c < s->n_chunks;) {
        if (s->chunks[c] == ARMED) {
            c++;
            continue;
        }
        uint64_t gap_end = c;
        while (gap_end < s->n_chunks && s->chunks[gap_end] != ARMED) {
            gap_end++;
        }
        uint64_t data = vt_ram_size(s->ram);
        while (c < gap_end) {
            int rc = vt_ram_seek_data(s->ram, c << CHUNK_SHIFT, &data);
            if (rc != 0 && rc != -ENXIO) {
                return vt_fail_errno(err, VT_E_IO, -rc, "cannot look for data in guest RAM");
            }
            if (rc == -ENXIO || data >> CHUNK_SHIFT >= gap_end) {
                break;
            }
            s->chunks[data >> CHUNK_SHIFT] = NEW;
            c = (data >> CHUNK_SHIFT) + 1;
        }
        c = gap_end;
    }
    return vt_ram_check(s->ram, err);
}

/* Pages written in ARMED chunks get the tick. For a NEW chunk the kernel reports pages that were
 * never touched as well: there the look is only for arming it. */
static uint64_t mark_runs(const struct vt_pagemap_scan *s, const struct mapping *m, int n,
                          struct vt_table *table, uint32_t tick)
{
    uint64_t pages = 0;
    for (int i = 0; i < n; i++) {
        uint64_t off = s->runs[i].start - m->start + m->off;
        uint64_t end = s->runs[i].end - m->start + m->off;
        while (off < end) {
            uint64_t chunk = off >> CHUNK_SHIFT;
            uint64_t stop = (chunk + 1) << CHUNK_SHIFT;
            stop = stop < end ? stop : end;
            if (s->chunks[chunk] == ARMED) {
                vt_table_mark(table, off >> VT_PAGE_SHIFT, stop >> VT_PAGE_SHIFT, tick);
                pages += (stop - off) >> VT_PAGE_SHIFT;
            }
            off = stop;
        }
    }
    return pages;
}

/* The next run of chunks with storage in the mapping, at or after file offset *from: QEMU's
 * addresses of it, and *from behind it. */
static bool next_stored(const struct vt_pagemap_scan *s, const struct mapping *m, uint64_t *from,
                        uint64_t *start, uint64_t *end)
{
    uint64_t limit = vt_ram_size(s->ram) - m->off;
    limit = m->off + (m->end - m->start < limit ? m->end - m->start : limit);
    uint64_t off = *from;
    while (off < limit && s->chunks[off >> CHUNK_SHIFT] == 0) {
        off = ((off >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT;
    }
    if (off >= limit) {
        return false;
    }
    uint64_t c = off >> CHUNK_SHIFT;
    while (c < s->n_chunks && s->chunks[c] != 0) {
        c++;
    }
    uint64_t stop = c << CHUNK_SHIFT < limit ? c << CHUNK_SHIFT : limit;
    *start = off - m->off + m->start;
    *end = stop - m->off + m->start;
    *from = stop;
    return true;
}

static int scan_mapping(struct vt_pagemap_scan *s, const struct mapping *m, struct vt_table *table,
                        uint32_t tick, uint64_t *dirty_pages, struct vt_error *err)
{
    uint64_t from = m->off, at, end;
    while (next_stored(s, m, &from, &at, &end)) {
        while (at < end) {
            int n = scan_range(s, at, end, SCAN_WP_MATCHING, &at);
            if (n < 0) {
                return fail_scan(-n, err);
            }
            *dirty_pages += mark_runs(s, m, n, table, tick);
        }
    }
    return 0;
}

/* Everything with storage in NEW chunks gets the tick, and they are ARMED. After arming: what is
 * written from then on shows in the next scan. */
static int mark_new_chunks(struct vt_pagemap_scan *s, struct vt_table *table, uint32_t tick,
                           uint64_t *dirty_pages, struct vt_error *err)
{
    for (uint64_t c = 0; c < s->n_chunks; c++) {
        if (s->chunks[c] != NEW) {
            continue;
        }
        uint64_t first = c;
        while (c < s->n_chunks && s->chunks[c] == NEW) {
            s->chunks[c++] = ARMED;
        }
        uint64_t end = c << CHUNK_SHIFT;
        for (struct vt_off from = {first << CHUNK_SHIFT}; from.v < end;) {
            struct vt_off stop;
            int rc = vt_ram_next_data(s->ram, from, &from, &stop, err);
            if (rc == VT_E_NOT_FOUND || (rc == 0 && from.v >= end)) {
                break;
            }
            if (rc != 0) {
                return rc;
            }
            stop.v = stop.v < end ? stop.v : end;
            vt_table_mark(table, from.v >> VT_PAGE_SHIFT, stop.v >> VT_PAGE_SHIFT, tick);
            *dirty_pages += (stop.v - from.v) >> VT_PAGE_SHIFT;
            from = stop;
        }
    }
    return 0;
}

int vt_pagemap_scan_run(struct vt_pagemap_scan *scan, struct vt_table *table, uint32_t tick,
                        uint64_t *dirty_pages, struct vt_error *err)
{
    int rc = find_new_chunks(scan, err);
    for (unsigned i = 0; rc == 0 && i < scan->n_mappings; i++) {
        rc = scan_mapping(scan, &scan->mappings[i], table, tick, dirty_pages, err);
    }
    if (rc == 0) {
        rc = mark_new_chunks(scan, table, tick, dirty_pages, err);
    }
    struct pollfd ended = {.fd = scan->pidfd, .events = POLLIN};
    return rc == 0 && poll(&ended, 1, 0) > 0 ? fail_scan(ESRCH, err) : rc;
}

int vt_pagemap_scan_quiet(struct vt_pagemap_scan *scan, bool *quiet, struct vt_error *err)
{
    struct vt_pagemap_scan *s = scan;
    int rc = find_new_chunks(s, err);
    for (unsigned i = 0; rc == 0 && i < s->n_mappings; i++) {
        uint64_t from = s->mappings[i].off, at, end;
        while (next_stored(s, &s->mappings[i], &from, &at, &end)) {
            while (at < end) {
                int n = scan_range(s, at, end, 0, &at);
                if (n < 0) {
                    return fail_scan(-n, err);
                }
                if (n > 0) {
                    *quiet = false;
                    return 0;
                }
            }
        }
    }
    /* The tracker armed them: to us they are only known not to be gaps. */
    for (uint64_t c = 0; rc == 0 && c < s->n_chunks; c++) {
        s->chunks[c] = s->chunks[c] != 0 ? ARMED : 0;
    }
    if (rc == 0) {
        *quiet = true;
    }
    return rc;
}
