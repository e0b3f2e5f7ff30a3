/* memory/snapshot.c - a private copy of guest RAM that is refreshed by copying what changed.
 *
 * Two ways to know what changed. With the page tracker: copy pages newer than the last tick copied;
 * then look at the marks again, and if nothing was written since the scan the copy is RAM as it was
 * when the scan ended, to the last byte: a page not written between its two looks cannot have
 * changed under the copy. (Comparing the copied pages with RAM once more would not do: a page that
 * was clean at the first scan may have been written since, before one that was copied late.)
 * Without the tracker, or where it would hash all of RAM: compare RAM with the copy, page by page,
 * which costs the same one read and is never fooled into keeping a stale page.
 */
#include "memory/snapshot.h"

#include "memory/ram.h"
#include "memory/scanner.h"
#include "memory/track.h"

#include "base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEFAULT_RETRIES 3
#define PAUSE_TIMEOUT_MS 5000

struct vt_snapshot {
    const struct vt_ram *ram;
    struct vt_track *track; /* NULL: compare */
    struct vt_vm *vm;
    struct vt_pagemap_scan *marks; /* our own sight of the kernel's marks, or NULL */
    uint8_t *bytes;
    uint64_t pages;
    bool listing;   /* list what is copied */
    uint64_t *held; /* a bit a page: the copy has storage there */
    uint32_t tick;  /* changes up to it are in the copy; 0: nothing copied yet */
    uint64_t *torn; /* page indices */
    size_t n_torn, torn_room;
};

/* One look at RAM: what it found and what it took. */
struct look {
    uint64_t copied, scan_ns, copy_ns;
};

/* ---------------------------------------------------------------- create */

int vt_snapshot_create(const struct vt_ram *ram, struct vt_track *track, struct vt_vm *vm,
                       struct vt_snapshot **snap, struct vt_error *err)
{
    struct vt_snapshot *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a snapshot");
    }
    s->ram = ram;
    s->track = track != NULL && vt_track_mode(track) == VT_TRACK_PAGEMAP ? track : NULL;
    s->vm = vm;
    s->pages = vt_ram_size(ram) >> VT_PAGE_SHIFT;
    s->held = calloc((s->pages + 63) / 64, sizeof *s->held);
    s->bytes = mmap(NULL, vt_ram_size(ram), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->held == NULL || s->bytes == MAP_FAILED) {
        int rc = vt_fail_errno(err, VT_E_MAP, errno, "no address space for a snapshot");
        s->bytes = s->bytes == MAP_FAILED ? NULL : s->bytes;
        vt_snapshot_destroy(s);
        return rc;
    }
    madvise(s->bytes, vt_ram_size(ram), MADV_DONTDUMP);
    if (vm != NULL) {
        vt_snapshot_watch_marks(s, vt_vm_info(vm)->qemu_pid, vt_vm_info(vm)->ram_path);
    }
    *snap = s;
    return 0;
}

void vt_snapshot_watch_marks(struct vt_snapshot *snap, pid_t qemu_pid, const char *ram_path)
{
    struct vt_pagemap_scan *marks;
    if (snap->track != NULL && snap->marks == NULL &&
        vt_pagemap_scan_create(qemu_pid, ram_path, snap->ram, &marks, NULL) == 0) {
        snap->marks = marks;
    }
}

void vt_snapshot_destroy(struct vt_snapshot *snap)
{
    if (snap == NULL) {
        return;
    }
    if (snap->bytes != NULL) {
        munmap(snap->bytes, snap->pages << VT_PAGE_SHIFT);
    }
    vt_pagemap_scan_destroy(snap->marks);
    free(snap->held);
    free(snap->torn);
    free(snap);
}

const uint8_t *vt_snapshot_bytes(const struct vt_snapshot *snap)
{
    return snap->bytes;
}

size_t vt_snapshot_torn(const struct vt_snapshot *snap, const uint64_t **pages)
{
    *pages = snap->torn;
    return snap->n_torn;
}

/* ---------------------------------------------------------------- copying */

static bool held(const struct vt_snapshot *s, uint64_t page)
{
    return (s->held[page / 64] >> (page % 64) & 1) != 0;
}

/* The list is only as long as RAM has pages; without memory for it the refresh fails. */
static int list_torn(struct vt_snapshot *s, uint64_t page, struct vt_error *err)
{
    if (s->n_torn == s->torn_room) {
        size_t room = s->torn_room != 0 ? s->torn_room * 2 : 256;
        uint64_t *grown = realloc(s->torn, room * sizeof *grown);
        if (grown == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory to list torn pages");
        }
        s->torn = grown;
        s->torn_room = room;
    }
    s->torn[s->n_torn++] = page;
    return 0;
}

/* A page without storage reads as zeros and must stay without: in RAM and in the copy. */
static int take_page(struct vt_snapshot *s, uint64_t page, bool populated, struct vt_error *err)
{
    uint64_t off = page << VT_PAGE_SHIFT;
    uint64_t bit = (uint64_t)1 << (page % 64);
    if (populated) {
        memcpy(s->bytes + off, vt_ram_bytes(s->ram) + off, VT_PAGE_BYTES);
        s->held[page / 64] |= bit;
    } else if (held(s, page)) {
        memset(s->bytes + off, 0, VT_PAGE_BYTES);
        s->held[page / 64] &= ~bit;
    }
    return s->listing ? list_torn(s, page, err) : 0;
}

/* Copies what the tracker found newer than `since`. */
static int copy_newer(struct vt_snapshot *s, uint32_t since, uint64_t *copied, struct vt_error *err)
{
    int rc = 0;
    uint64_t first;
    for (uint64_t end = 0; rc == 0 && vt_track_next(s->track, since, end, &first, &end);) {
        for (uint64_t page = first; rc == 0 && page < end; page++) {
            rc =
                take_page(s, page, vt_ram_is_populated(s->ram, VT_OFF(page << VT_PAGE_SHIFT)), err);
        }
        *copied += end - first;
    }
    return rc;
}

/* ---------------------------------------------------------------- with the tracker */

/* Scans, and copies what is newer than what the copy has. */
static int look_tracked(struct vt_snapshot *s, struct look *look, struct vt_error *err)
{
    uint64_t t0 = vt_now_ns();
    uint32_t tick;
    int rc = vt_track_scan(s->track, &tick, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t t1 = vt_now_ns();
    look->copied = 0;
    rc = copy_newer(s, s->tick, &look->copied, err);
    if (rc == 0) {
        s->tick = tick;
    }
    look->scan_ns += t1 - t0;
    look->copy_ns += vt_now_ns() - t1;
    return rc;
}

/* ---------------------------------------------------------------- by comparing */

/* Copies every page that differs. */
static int look_compared(struct vt_snapshot *s, struct look *look, struct vt_error *err)
{
    uint64_t t0 = vt_now_ns();
    const uint8_t *ram = vt_ram_bytes(s->ram);
    look->copied = 0;
    uint64_t page = 0;
    int rc = 0;
    while (rc == 0 && page < s->pages) {
        struct vt_off start = {s->pages << VT_PAGE_SHIFT};
        struct vt_off end = start;
        rc = vt_ram_next_data(s->ram, VT_OFF(page << VT_PAGE_SHIFT), &start, &end, err);
        if (rc != 0 && rc != VT_E_NOT_FOUND) {
            return rc;
        }
        rc = 0;
        for (; rc == 0 && page < start.v >> VT_PAGE_SHIFT; page++) {
            if (held(s, page)) {
                rc = take_page(s, page, false, err);
                look->copied++;
            }
        }
        for (; rc == 0 && page < end.v >> VT_PAGE_SHIFT; page++) {
            uint64_t off = page << VT_PAGE_SHIFT;
            if (!held(s, page) || memcmp(s->bytes + off, ram + off, VT_PAGE_BYTES) != 0) {
                rc = take_page(s, page, true, err);
                look->copied++;
            }
        }
    }
    look->copy_ns += vt_now_ns() - t0;
    return rc;
}

/* ---------------------------------------------------------------- refresh */

/* `list`: a second look; what it finds is listed as torn until a later look finds nothing. */
static int look(struct vt_snapshot *s, bool list, struct look *look, struct vt_error *err)
{
    s->n_torn = 0;
    s->listing = list;
    int rc = s->track != NULL ? look_tracked(s, look, err) : look_compared(s, look, err);
    if (rc == 0) {
        rc = vt_ram_check(s->ram, err);
    }
    return rc;
}

/* Whether nothing was written since the scan that the copy is of. The kernel's marks say it without
 * the tracker's being woken; where they do not, or somebody's scan clears them just now, the answer
 * is no, and the next look finds out. */
static bool is_settled(struct vt_snapshot *s)
{
    bool quiet = false;
    return s->marks != NULL && vt_pagemap_scan_quiet(s->marks, &quiet, NULL) == 0 && quiet &&
           vt_track_started(s->track) == s->tick;
}

/* Looks on until a look finds nothing new. The first one may already have: then nothing was written
 * since the last look of the refresh before, which copied all it found. */
static int settle(struct vt_snapshot *s, unsigned max_retries, struct vt_refresh_result *r,
                  struct look *looks, struct vt_error *err)
{
    for (unsigned i = 0; looks->copied != 0 && !is_settled(s); i++) {
        if (i > max_retries) {
            r->verdict = VT_TORN;
            r->torn_pages = s->n_torn;
            return 0;
        }
        int rc = look(s, true, looks, err);
        if (rc != 0) {
            return rc;
        }
        r->retried_pages += looks->copied;
    }
    r->verdict = r->retried_pages == 0 ? VT_CONSISTENT : VT_RETRIED;
    return 0;
}

/* One more look at a VM that stands still: short, for most was copied before. */
static int look_paused(struct vt_snapshot *s, struct vt_refresh_result *r, struct look *looks,
                       struct vt_error *err)
{
    enum vt_vm_state state;
    int rc = vt_vm_query_state(s->vm, PAUSE_TIMEOUT_MS, &state, err);
    if (rc != 0) {
        return rc;
    }
    bool running = state == VT_VM_RUNNING;
    if (!running && state != VT_VM_PAUSED && state != VT_VM_SHUTDOWN && state != VT_VM_CRASHED) {
        return vt_fail(err, VT_E_BUSY, "%s cannot be paused: its state is '%s'",
                       vt_vm_info(s->vm)->name, vt_vm_state_name(state));
    }
    uint64_t t0 = vt_now_ns();
    rc = running ? vt_vm_pause(s->vm, err) : 0;
    if (rc != 0) {
        return rc;
    }
    rc = look(s, false, looks, err);
    if (running) {
        r->paused_ns = vt_now_ns() - t0;
        int resumed = vt_vm_resume(s->vm, rc == 0 ? err : NULL);
        rc = rc == 0 ? resumed : rc;
    }
    r->copied_pages += looks->copied;
    r->verdict = VT_CONSISTENT;
    return rc;
}

int vt_snapshot_refresh(struct vt_snapshot *snap, const struct vt_refresh *how,
                        struct vt_refresh_result *result, struct vt_error *err)
{
    if (how->pause && snap->vm == NULL) {
        return vt_fail(err, VT_E_INVAL, "a snapshot without a VM cannot pause it");
    }
    uint64_t began = vt_now_ns();
    struct vt_refresh_result r = {.verdict = VT_UNCHECKED};
    struct look looks = {0};
    int rc = look(snap, false, &looks, err);
    r.copied_pages = looks.copied;
    if (rc == 0 && how->pause) {
        rc = look_paused(snap, &r, &looks, err);
    } else if (rc == 0 && !how->unchecked) {
        rc = settle(snap, how->max_retries != 0 ? how->max_retries : DEFAULT_RETRIES, &r, &looks,
                    err);
    }
    if (rc != 0) {
        return rc;
    }
    r.tick = snap->tick;
    r.scan_ns = looks.scan_ns;
    r.copy_ns = looks.copy_ns;
    r.total_ns = vt_now_ns() - began;
    *result = r;
    return 0;
}
