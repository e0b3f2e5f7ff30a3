/* guest/find/extents.c - see extents.h. */
#include "guest/find/extents.h"

#include <stdlib.h>
#include <string.h>

#define RUNS_MAX (UINT64_C(1) << 24)

static int add_run(struct vt_extents *x, uint64_t at, uint64_t offset, uint64_t bytes,
                   struct vt_error *err)
{
    struct vt_extent_run *last = x->n > 0 ? &x->runs[x->n - 1] : NULL;
    x->bytes += bytes;
    if (last != NULL && last->at + last->bytes == at && last->offset + last->bytes == offset) {
        last->bytes += bytes;
        return 0;
    }
    if (x->n == x->room) {
        size_t room = x->room == 0 ? 256 : 2 * x->room;
        struct vt_extent_run *runs = realloc(x->runs, room * sizeof *runs);
        if (runs == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for the map of what is searched");
        }
        x->runs = runs;
        x->room = room;
    }
    x->runs[x->n++] = (struct vt_extent_run){at, offset, bytes};
    return 0;
}

/* What has storage of [offset, offset + bytes), which is at `at` in the space. */
static int add_stored(struct vt_extents *x, uint64_t at, uint64_t offset, uint64_t bytes,
                      struct vt_error *err)
{
    uint64_t end = offset + bytes;
    int rc = 0;
    for (uint64_t from = offset; rc == 0 && from < end;) {
        struct vt_off start, stop;
        rc = vt_ram_next_data(x->ram, VT_OFF(from), &start, &stop, err);
        if (rc == VT_E_NOT_FOUND) {
            return 0;
        }
        if (rc == 0 && start.v < end) {
            uint64_t first = start.v > from ? start.v : from;
            from = stop.v < end ? stop.v : end;
            rc = add_run(x, at + (first - offset), first, from - first, err);
        } else {
            break;
        }
    }
    return rc;
}

static int take_physical(struct vt_extents *x, uint64_t low, uint64_t high, struct vt_error *err)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(x->ram, &regions);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        const struct vt_ram_region *r = &regions[i];
        uint64_t from = r->gpa.v > low ? r->gpa.v : low, to = r->gpa.v + r->bytes;
        to = high != 0 && high < to ? high : to;
        if (from < to) {
            rc = add_stored(x, from, r->offset.v + (from - r->gpa.v), to - from, err);
        }
    }
    return rc;
}

struct walking {
    struct vt_extents *x;
    uint64_t from, to; /* to 0: the end */
    uint64_t most;     /* bytes */
    struct vt_error *err;
};

#define ENOUGH 1

/* How far it is from a physical address that is no RAM to the next one that is. */
static uint64_t to_ram(const struct vt_ram *ram, uint64_t gpa)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(ram, &regions);
    for (unsigned i = 0; i < n; i++) {
        if (regions[i].gpa.v > gpa) {
            return regions[i].gpa.v - gpa;
        }
    }
    return UINT64_MAX - gpa;
}

static int add_mapping(const struct vt_mapping *m, void *arg)
{
    struct walking *w = arg;
    uint64_t skip = m->gva.v < w->from ? w->from - m->gva.v : 0, bytes = m->page_bytes;
    if (w->to != 0 && m->gva.v + bytes > w->to) {
        bytes = w->to - m->gva.v;
    }
    if (w->x->bytes >= w->most || w->x->n >= RUNS_MAX) {
        return ENOUGH;
    }
    int rc = 0;
    /* A large page may reach out of RAM, or over a hole of it. */
    for (uint64_t at = skip; rc == 0 && at < bytes;) {
        struct vt_off off;
        uint64_t run;
        if (vt_ram_offset(w->x->ram, VT_GPA(m->gpa.v + at), &off, &run, NULL) != 0) {
            uint64_t gap = to_ram(w->x->ram, m->gpa.v + at);
            at = gap < bytes - at ? at + gap : bytes;
            continue;
        }
        run = run < bytes - at ? run : bytes - at;
        if (m->page_bytes == VT_PAGE_BYTES) {
            rc = vt_ram_is_populated(w->x->ram, off)
                     ? add_run(w->x, m->gva.v + at, off.v, run, w->err)
                     : 0;
        } else {
            rc = add_stored(w->x, m->gva.v + at, off.v, run, w->err);
        }
        at += run;
    }
    return rc;
}

int vt_extents_take(const struct vt_find_where *where, struct vt_extents *extents,
                    struct vt_error *err)
{
    struct vt_extents x = {.ram = where->ram};
    int rc;
    if (where->space == NULL) {
        rc = take_physical(&x, where->from, where->to, err);
    } else {
        uint64_t ram = vt_ram_size(where->ram);
        struct walking w = {.x = &x,
                            .from = where->from,
                            .to = where->to,
                            .most = ram * VT_FIND_ALIASES,
                            .err = err};
        rc = vt_space_walk(where->space, VT_GVA(where->from), VT_GVA(where->to),
                           2 * (ram >> VT_PAGE_SHIFT) + 512, add_mapping, NULL, &w, err);
        if (rc == ENOUGH || rc == VT_E_LIMIT) {
            x.limited = true;
            rc = 0;
        }
    }
    rc = rc != 0 ? rc : vt_ram_check(where->ram, err);
    if (rc != 0) {
        vt_extents_fini(&x);
        return rc;
    }
    *extents = x;
    return 0;
}

void vt_extents_fini(struct vt_extents *extents)
{
    free(extents->runs);
    *extents = (struct vt_extents){0};
}

/* The run that holds `at`, or NULL. */
static const struct vt_extent_run *run_at(const struct vt_extents *x, uint64_t at)
{
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->runs[mid].at <= at) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low > 0 && at - x->runs[low - 1].at < x->runs[low - 1].bytes ? &x->runs[low - 1] : NULL;
}

bool vt_extents_gpa(const struct vt_extents *extents, uint64_t at, struct vt_gpa *gpa)
{
    const struct vt_extent_run *r = run_at(extents, at);
    return r != NULL && vt_ram_gpa(extents->ram, VT_OFF(r->offset + (at - r->at)), gpa, NULL) == 0;
}

/* As far as a chain goes; returns how many bytes that is. */
static size_t copy_chain(const struct vt_extents *x, const struct vt_extent_run *r, uint64_t into,
                         uint8_t *buf, size_t n)
{
    size_t have = 0;
    for (; have < n; r++, into = 0) {
        size_t part = r->bytes - into < n - have ? (size_t)(r->bytes - into) : n - have;
        memcpy(buf + have, vt_ram_bytes(x->ram) + r->offset + into, part);
        have += part;
        if (r + 1 == x->runs + x->n || r[1].at != r->at + r->bytes) {
            break;
        }
    }
    return have;
}

bool vt_extents_read(const struct vt_extents *extents, uint64_t at, void *buf, size_t n)
{
    const struct vt_extent_run *r = run_at(extents, at);
    return r != NULL && copy_chain(extents, r, at - r->at, buf, n) == n;
}

/* ---------------------------------------------------------------- windows */

int vt_window_init(struct vt_window *window, const struct vt_extents *extents, size_t most,
                   size_t more, bool copy, struct vt_error *err)
{
    *window = (struct vt_window){.extents = extents,
                                 .most = most,
                                 .more = more,
                                 .copy = copy,
                                 .buffer = malloc(most + more)};
    return window->buffer != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "no memory to search with");
}

void vt_window_fini(struct vt_window *window)
{
    free(window->buffer);
}

bool vt_window_next(struct vt_window *w)
{
    const struct vt_extents *x = w->extents;
    size_t want = w->most + w->more;
    if (w->run == x->n) {
        return false;
    }
    const struct vt_extent_run *r = &x->runs[w->run];
    w->at = r->at + w->into;
    if (!w->copy && r->bytes - w->into >= want) {
        w->bytes = vt_ram_bytes(x->ram) + r->offset + w->into;
        w->n = want;
    } else {
        w->bytes = w->buffer;
        w->n = copy_chain(x, r, w->into, w->buffer, want);
    }
    w->starts = w->n < w->most ? w->n : w->most;
    /* The next one begins behind these, or where the chain ended. */
    for (uint64_t left = w->starts; left > 0;) {
        uint64_t here = x->runs[w->run].bytes - w->into;
        if (left < here) {
            w->into += left;
            left = 0;
        } else {
            left -= here;
            w->run++;
            w->into = 0;
        }
    }
    return true;
}
