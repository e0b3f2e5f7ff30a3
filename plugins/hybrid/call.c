/* plugins/hybrid/call.c - one slice of a loop's iterations, run by a kernel.
 *
 * Guest-virtual memory that goes on is scattered in RAM. A slice goes through it in *chunks*: as
 * many iterations as have every stream's window in pages that lie together. An iteration whose
 * window crosses from one page to another that lies elsewhere is run alone, on copies; a table that
 * does is copied when the slice begins, and back when it ends. Each chunk
 * is a call of the kernel in its own right: what it must not overlap is checked for it, by
 * addresses in RAM, so that pages mapped twice are seen. What the guest itself has to do (a fault,
 * a bit to set, an address that is no RAM) ends the slice before the iteration that needs it.
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#define COPIED_EACH 16u /* bytes of a table that an iteration may cost */

/* ---- values ---- */

static int64_t magnitude(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

static uint64_t low_bits(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & (((uint64_t)1 << bits) - 1);
}

static int find_cell(struct vt_slice *s, const struct vt_hybrid_place *place, uint32_t which,
                     enum vt_access access)
{
    uint64_t va = vt_linear(&place->address, s->r);
    struct vt_walk_cache cache = {0};
    struct vt_page page;
    int rc = vt_walk(s->m, s->p, &cache, va, access, &page);
    if (rc != VT_GOES) {
        return rc;
    }
    if (page.bytes - (va - page.va) < place->bytes) {
        return VT_HYBRID_CROSSING;
    }
    uint8_t *cell = page.host + (va - page.va);
    /* Within a large page it may lie in two small ones. */
    if (access == VT_WRITES &&
        (s->m->holds_code(cell) || s->m->holds_code(cell + place->bytes - 1))) {
        return VT_HYBRID_TRANSLATED;
    }
    s->cells[which] = cell;
    return VT_GOES;
}

static int get(struct vt_slice *s, const struct vt_hybrid_place *place, uint32_t which,
               enum vt_access access, uint64_t *value)
{
    int rc = VT_GOES;
    uint64_t v = 0;
    switch ((enum vt_hybrid_place_kind)place->kind) {
    case VT_HYBRID_GPR:
        v = s->r->gpr[place->reg];
        break;
    case VT_HYBRID_XMM_LOW:
    case VT_HYBRID_XMM_HIGH:
    case VT_HYBRID_YMM_LOW:
    case VT_HYBRID_YMM_HIGH:
        v = s->r->xmm[place->reg][place->kind - VT_HYBRID_XMM_LOW];
        break;
    case VT_HYBRID_FS_BASE:
        v = s->r->fs_base;
        break;
    case VT_HYBRID_GS_BASE:
        v = s->r->gs_base;
        break;
    case VT_HYBRID_CELL:
    case VT_HYBRID_PLACES:
        rc = find_cell(s, place, which, access);
        if (rc == VT_GOES) {
            memcpy(&v, s->cells[which], place->bytes);
        }
        break;
    }
    *value = low_bits(v, place->bits);
    return rc;
}

static void put(struct vt_slice *s, const struct vt_hybrid_place *place, uint32_t which,
                uint64_t value)
{
    value = low_bits(value, place->bits);
    switch ((enum vt_hybrid_place_kind)place->kind) {
    case VT_HYBRID_GPR:
        s->r->gpr[place->reg] = value;
        break;
    case VT_HYBRID_XMM_LOW:
    case VT_HYBRID_XMM_HIGH:
    case VT_HYBRID_YMM_LOW:
    case VT_HYBRID_YMM_HIGH:
        s->r->xmm[place->reg][place->kind - VT_HYBRID_XMM_LOW] = value;
        s->r->xmm_changed |= (uint16_t)(1u << place->reg);
        break;
    case VT_HYBRID_CELL:
        memcpy(s->cells[which], &value, place->bytes);
        break;
    case VT_HYBRID_FS_BASE:
    case VT_HYBRID_GS_BASE:
    case VT_HYBRID_PLACES:
        break;
    }
}

static uint64_t trips(struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    if (s->k->trips == NULL) {
        return UINT64_MAX;
    }
    uint64_t all[VT_HYBRID_INPUTS_MAX], n = 0;
    for (uint32_t i = 0; i < d->n_inputs; i++) {
        all[i] = s->inputs[i];
    }
    for (uint32_t i = 0; i < d->n_carries; i++) {
        all[d->n_inputs + i] = s->carries[i];
    }
    uint8_t *none[1] = {NULL};
    struct vt_hybrid_call call = {.count = 1, .inputs = all, .carries = &n, .streams = none};
    return s->k->trips(&call) == 1 ? n : 0;
}

int vt_slice_values(struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    int rc = VT_GOES;
    for (uint32_t i = 0; i < d->n_inputs && rc == VT_GOES; i++) {
        rc = get(s, &d->inputs[i], i, VT_READS, &s->inputs[i]);
    }
    for (uint32_t i = 0; i < d->n_carries && rc == VT_GOES; i++) {
        rc = get(s, &d->carries[i], d->n_inputs + i, VT_WRITES, &s->carries[i]);
    }
    return rc;
}

/* Values are those of vt_slice_values. */
static uint64_t position_of(const struct vt_slice *s, const struct vt_hybrid_linear *l)
{
    uint64_t sum = l->constant;
    for (uint32_t i = 0; i < l->n; i++) {
        struct vt_hybrid_linear one = {.reg = {l->reg[i]}, .coefficient = {1}, .n = 1};
        uint32_t place = l->reg[i] - VT_HYBRID_LINEAR_PLACE, n = s->k->d.n_inputs;
        sum += l->coefficient[i] * (l->reg[i] < VT_HYBRID_LINEAR_PLACE ? vt_linear(&one, s->r)
                                    : place < n                        ? s->inputs[place]
                                                                       : s->carries[place - n]);
    }
    return sum;
}

int vt_slice_begin(struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    s->iterations = s->bytes = s->chunks = s->bounced = 0;
    s->why = VT_GOES;
    s->trips = UINT64_MAX;
    s->r->xmm_changed = 0;
    int rc = vt_slice_values(s);
    if (rc != VT_GOES) {
        return rc;
    }
    s->trips = trips(s);
    if (s->trips < d->min_iterations) {
        return VT_HYBRID_FEW;
    }
    for (uint32_t i = 0; i < d->n_streams; i++) {
        const struct vt_hybrid_stream *stream = &d->streams[i];
        struct vt_cursor *c = &s->cursors[i];
        uint64_t position = position_of(s, &stream->position);
        c->va = position + (uint64_t)(int64_t)stream->low;
        c->stride = stream->stride_input != VT_HYBRID_NONE
                        ? (int64_t)s->inputs[stream->stride_input]
                        : stream->stride;
        c->width = (uint64_t)((int64_t)stream->high - stream->low);
        c->access = stream->writes != 0 ? VT_WRITES : VT_READS;
        c->run_bytes = 0;
        c->cache.table = NULL;
        c->bounced = c->filled = false;
        if (stream->aligned != 0 &&
            ((position | (uint64_t)c->stride) & (stream->aligned - 1U)) != 0) {
            return VT_HYBRID_UNALIGNED;
        }
        if (c->stride > (INT64_C(1) << 40) || c->stride < -(INT64_C(1) << 40)) {
            return VT_HYBRID_ADDRESS;
        }
    }
    return VT_GOES;
}

/* ---- memory ---- */

/* Of a large page no more than is wanted from va on, if it is written: each 4 KiB may hold code. */
static int look_up(struct vt_slice *s, struct vt_cursor *c, uint64_t va, uint64_t want,
                   struct vt_page *page)
{
    int rc = vt_walk(s->m, s->p, &c->cache, va, c->access, page);
    if (rc == VT_GOES && c->access == VT_WRITES) {
        uint64_t first = va & ~(VT_PAGE_BYTES - 1);
        uint64_t skipped = first - page->va, end = page->bytes - skipped, clear = 0;
        end = want < end - (va - first) ? va - first + want : end;
        while (clear < end && !s->m->holds_code(page->host + skipped + clear)) {
            clear += VT_PAGE_BYTES;
        }
        if (clear == 0) {
            return VT_HYBRID_TRANSLATED;
        }
        *page = (struct vt_page){first, clear, page->host + skipped};
    }
    return rc;
}

/* Makes the run hold the window at c->va if it can, and as much of [va, end) (backwards: [end, va +
 * width)) as lies together. VT_HYBRID_CROSSING: the window's pages are all there, but scattered. */
static int cover(struct vt_slice *s, struct vt_cursor *c, uint64_t more)
{
    struct vt_page page;
    uint64_t into = c->va - c->run_va;
    if (c->va + c->width < c->va) {
        return VT_HYBRID_ADDRESS;
    }
    uint64_t forward = c->stride > 0 ? c->width + more : c->width;
    forward = c->va + forward < c->va ? UINT64_MAX - c->va : forward;
    if (into >= c->run_bytes) {
        int rc = look_up(s, c, c->va, forward, &page);
        if (rc != VT_GOES) {
            return rc;
        }
        c->run_va = page.va;
        c->run_bytes = page.bytes;
        c->run_host = page.host;
        into = c->va - page.va;
    }
    while (c->run_bytes - into < forward) {
        uint64_t next = c->run_va + c->run_bytes;
        int rc = next != 0 ? look_up(s, c, next, forward - (c->run_bytes - into), &page)
                           : VT_HYBRID_ADDRESS;
        bool whole = c->run_bytes - into >= c->width;
        if (rc != VT_GOES) {
            return whole ? VT_GOES : rc;
        }
        if (page.va > next || page.host + (next - page.va) != c->run_host + c->run_bytes) {
            return whole ? VT_GOES : VT_HYBRID_CROSSING;
        }
        c->run_bytes = page.va + page.bytes - c->run_va;
    }
    while (c->stride < 0 && into < more && c->run_va != 0) {
        if (look_up(s, c, c->run_va - 1, 1, &page) != VT_GOES ||
            page.host + page.bytes < c->run_host ||
            page.host + (c->run_va - page.va) != c->run_host) {
            break;
        }
        into += c->run_va - page.va;
        c->run_bytes += c->run_va - page.va;
        c->run_host = page.host;
        c->run_va = page.va;
    }
    return VT_GOES;
}

/* Of n iterations, which go `more` bytes beyond the first window, those whose windows the run
 * holds.
 */
static uint64_t fits(const struct vt_cursor *c, uint64_t n, uint64_t more)
{
    uint64_t into = c->va - c->run_va;
    uint64_t room = c->stride > 0 ? c->run_bytes - into - c->width : into;
    return c->stride == 0 || room >= more ? n : room / (uint64_t)magnitude(c->stride) + 1;
}

struct vt_piece vt_cursor_hull(const struct vt_cursor *c, uint64_t n)
{
    uint64_t span = (n - 1) * (uint64_t)magnitude(c->stride);
    uint64_t first = c->va - c->run_va - (c->stride < 0 ? span : 0);
    return (struct vt_piece){c->run_host + first, span + c->width};
}

/* The pages of a window, one by one. */
static int find_pieces(struct vt_slice *s, struct vt_cursor *c)
{
    c->n_pieces = 0;
    for (uint64_t done = 0; done < c->width;) {
        struct vt_page page;
        uint64_t va = c->va + done;
        int rc = look_up(s, c, va, c->width - done, &page);
        if (rc != VT_GOES) {
            return rc;
        }
        uint64_t here = page.va + page.bytes - va;
        here = here < c->width - done ? here : c->width - done;
        if (c->n_pieces == VT_PIECES_MAX) {
            return VT_HYBRID_CROSSING;
        }
        c->pieces[c->n_pieces++] = (struct vt_piece){page.host + (va - page.va), here};
        done += here;
    }
    return VT_GOES;
}

/* ---- what must not overlap ---- */

struct extent {
    struct vt_piece one;
    const struct vt_piece *pieces;
    uint32_t n;
};

static struct extent extent_of(struct vt_slice *s, uint32_t entity, uint64_t n)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    if (entity < d->n_streams) {
        const struct vt_cursor *c = &s->cursors[entity];
        if (c->bounced) {
            return (struct extent){.pieces = c->pieces, .n = c->n_pieces};
        }
        return (struct extent){.one = vt_cursor_hull(c, n), .n = 1};
    }
    entity -= d->n_streams;
    const struct vt_hybrid_place *place =
        entity < d->n_inputs ? &d->inputs[entity] : &d->carries[entity - d->n_inputs];
    bool cell = place->kind == VT_HYBRID_CELL;
    return (struct extent){.one = {s->cells[entity], place->bytes}, .n = cell ? 1 : 0};
}

static bool overlap(const struct extent *a, const struct extent *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct vt_piece *x = a->pieces != NULL ? &a->pieces[i] : &a->one;
        for (uint32_t j = 0; j < b->n; j++) {
            const struct vt_piece *y = b->pieces != NULL ? &b->pieces[j] : &b->one;
            if (x->host < y->host + y->bytes && y->host < x->host + x->bytes) {
                return true;
            }
        }
    }
    return false;
}

static bool are_disjoint(struct vt_slice *s, uint64_t n)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    for (uint32_t i = 0; i < d->n_disjoint; i++) {
        if (d->disjoint[i].only_parallel == 0) {
            struct extent a = extent_of(s, d->disjoint[i].a, n);
            struct extent b = extent_of(s, d->disjoint[i].b, n);
            if (overlap(&a, &b)) {
                return false;
            }
        }
    }
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct vt_piece *x = a, *y = b;
    return (x->host > y->host) - (x->host < y->host);
}

/* Whether a page of RAM is there twice. */
static bool overlaps_itself(const struct vt_cursor *c)
{
    struct vt_piece sorted[VT_PIECES_MAX];
    bool twice = false;
    memcpy(sorted, c->pieces, c->n_pieces * sizeof *sorted);
    qsort(sorted, c->n_pieces, sizeof *sorted, by_place);
    for (uint32_t i = 1; i < c->n_pieces; i++) {
        twice |= sorted[i].host < sorted[i - 1].host + sorted[i - 1].bytes;
    }
    return twice;
}

/* A copy does not see what another stream writes, and the other way; nor itself at another place.
 */
static bool copies_are_alone(struct vt_slice *s, uint64_t n)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        const struct vt_cursor *c = &s->cursors[i];
        if (c->bounced && !c->filled && c->access == VT_WRITES && overlaps_itself(c)) {
            return false;
        }
        for (uint32_t j = 0; j < d->n_streams && c->bounced; j++) {
            bool looked_at = c->filled && s->cursors[j].filled; /* in an earlier chunk */
            if (i != j && !looked_at && (d->streams[i].writes != 0 || d->streams[j].writes != 0)) {
                struct extent a = extent_of(s, i, n), b = extent_of(s, j, n);
                if (overlap(&a, &b)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* ---- chunks ---- */

static void copy_in(struct vt_slice *s, uint32_t i)
{
    struct vt_cursor *c = &s->cursors[i];
    uint8_t *to = s->bounce[i] + (c->va & 63);
    for (uint32_t p = 0; p < c->n_pieces; p++) {
        memcpy(to, c->pieces[p].host, c->pieces[p].bytes);
        to += c->pieces[p].bytes;
    }
}

static void copy_out(struct vt_slice *s, uint32_t i)
{
    const struct vt_cursor *c = &s->cursors[i];
    const uint8_t *from = s->bounce[i] + (c->va & 63);
    for (uint32_t p = 0; p < c->n_pieces; p++) {
        memcpy(c->pieces[p].host, from, c->pieces[p].bytes);
        from += c->pieces[p].bytes;
    }
}

/* Written copies: those of tables, or all others. */
static void copy_all_out(struct vt_slice *s, bool tables)
{
    for (uint32_t i = 0; i < s->k->d.n_streams; i++) {
        const struct vt_cursor *c = &s->cursors[i];
        if (c->bounced && c->access == VT_WRITES && c->filled == tables) {
            copy_out(s, i);
        }
    }
}

/* A table in scattered pages is copied once a slice: too much of it for few iterations, unless
 * those go through much memory each, as unrolled ones do. */
static bool is_worth_it(const struct vt_slice *s, const struct vt_cursor *c, uint64_t n)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < s->k->d.n_streams; i++) {
        bytes += (uint64_t)magnitude(s->cursors[i].stride);
    }
    uint64_t times = bytes <= 8 ? 1 : bytes <= 1024 ? bytes / 8 : 128;
    return c->stride != 0 || c->width <= VT_PAGE_BYTES || c->width / COPIED_EACH / times <= n;
}

/* Where every stream's window is; how many of `most` iterations from here on are one chunk. 0 and
 * s->why: none. */
static uint64_t place_streams(struct vt_slice *s, uint64_t most, bool *copies)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    uint64_t n = most;
    *copies = false;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        struct vt_cursor *c = &s->cursors[i];
        if (c->filled) { /* a table: where it is does not change within a slice */
            *copies = true;
            continue;
        }
        uint64_t more = (n - 1) * (uint64_t)magnitude(c->stride);
        int rc = cover(s, c, more);
        c->bounced = rc == VT_HYBRID_CROSSING;
        rc = !c->bounced ? rc : is_worth_it(s, c, most) ? find_pieces(s, c) : VT_HYBRID_FEW;
        if (rc != VT_GOES) {
            s->why = rc;
            return 0;
        }
        uint64_t here = !c->bounced ? fits(c, n, more) : c->stride == 0 ? UINT64_MAX : 1;
        n = here < n ? here : n;
        *copies = *copies || c->bounced;
    }
    if (d->n_disjoint != 0 && !are_disjoint(s, n)) {
        s->why = VT_HYBRID_OVERLAP;
        return 0;
    }
    if (*copies && !copies_are_alone(s, n)) {
        n = 1; /* later windows may be what overlaps */
        if (!copies_are_alone(s, n)) {
            s->why = VT_HYBRID_CROSSING;
            return 0;
        }
    }
    return n;
}

static void point(struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        struct vt_cursor *c = &s->cursors[i];
        uint8_t *window = c->run_host + (c->va - c->run_va);
        if (c->bounced) {
            window = s->bounce[i] + (c->va & 63);
            if (!c->filled) {
                copy_in(s, i);
                c->filled = c->stride == 0;
            }
        }
        s->hosts[i] = (uint8_t *)((uintptr_t)window - (uintptr_t)(intptr_t)d->streams[i].low);
    }
}

uint64_t vt_slice_chunk(struct vt_slice *s, uint64_t most)
{
    bool copies;
    uint64_t n = place_streams(s, most, &copies);
    if (n != 0 && copies) {
        s->why = VT_HYBRID_CROSSING;
        n = 0;
    }
    if (n != 0) {
        point(s);
    }
    return n;
}

static void advance(struct vt_slice *s, uint64_t n)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        struct vt_cursor *c = &s->cursors[i];
        c->va += n * (uint64_t)c->stride;
        c->bounced = c->filled;
        if (c->access == VT_WRITES) {
            s->bytes += n * (c->stride != 0 ? (uint64_t)magnitude(c->stride) : c->width);
        }
    }
}

/* ---- in other hands ---- */

int vt_slice_pages(struct vt_slice *s, uint32_t i, uint64_t n, struct vt_piece *pieces,
                   uint32_t room, uint32_t *n_pieces)
{
    struct vt_cursor *c = &s->cursors[i];
    uint64_t span = (n - 1) * (uint64_t)magnitude(c->stride);
    uint64_t va = c->stride < 0 ? c->va - span : c->va, end = va + span + c->width;
    *n_pieces = 0;
    if (end < va || span / n > (uint64_t)magnitude(c->stride)) {
        return VT_HYBRID_ADDRESS;
    }
    struct vt_page page = {0};
    while (va < end) {
        int rc = va - page.va < page.bytes ? VT_GOES : look_up(s, c, va, end - va, &page);
        if (rc != VT_GOES) {
            return rc;
        }
        uint64_t here = VT_PAGE_BYTES - (va & (VT_PAGE_BYTES - 1));
        here = here < end - va ? here : end - va;
        if (*n_pieces == room) {
            return VT_HYBRID_CROSSING;
        }
        pieces[(*n_pieces)++] = (struct vt_piece){page.host + (va - page.va), here};
        va += here;
    }
    return VT_GOES;
}

void vt_slice_done(struct vt_slice *s, uint64_t n)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    s->iterations += n;
    s->chunks++;
    advance(s, n);
    for (uint32_t i = 0; i < d->n_carries; i++) {
        put(s, &d->carries[i], d->n_inputs + i, s->carries[i]);
    }
}

uint64_t vt_slice_bound(const struct vt_slice *s, uint64_t limit)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    uint64_t n = limit < s->trips ? limit : s->trips;
    return n < d->slice_iterations ? n : d->slice_iterations;
}

void vt_slice_run(struct vt_slice *s, uint64_t limit)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    s->why = vt_slice_begin(s);
    if (s->why != VT_GOES) {
        return;
    }
    uint64_t most = vt_slice_bound(s, limit);
    struct vt_hybrid_call call = {.inputs = s->inputs, .carries = s->carries, .streams = s->hosts};
    while (s->iterations < most && s->why == VT_GOES) {
        bool copies;
        uint64_t n = place_streams(s, most - s->iterations, &copies);
        if (n == 0) {
            break;
        }
        point(s);
        call.count = n;
        uint64_t done = s->k->run(&call);
        done = done < n ? done : n;
        if (copies && done != 0) {
            copy_all_out(s, false);
        }
        s->why = done < n ? VT_HYBRID_CHECKED : VT_GOES;
        s->iterations += done;
        s->chunks++;
        s->bounced += copies;
        advance(s, done);
    }
    copy_all_out(s, true);
    for (uint32_t i = 0; i < d->n_carries && s->iterations != 0; i++) {
        put(s, &d->carries[i], d->n_inputs + i, s->carries[i]);
    }
}
