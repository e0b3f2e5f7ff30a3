/* plugins/hybrid/canary.c - both ways, compared.
 *
 * At a head the kernel runs a few iterations on copies of what their windows hold; then the guest
 * runs as many itself, and at the head it comes back to, registers, cells and windows must be the
 * same. When anything came between (an interrupt, an exception, other page tables) nothing is
 * learned and it is thrown away.
 */
#include "plugin.h"

#include <string.h>

#define ITERATIONS 64u
#define ROOM ((size_t)4 << 20)

static struct {
    struct vt_installed *of;
    bool discarded;
    uint64_t root;
    uint64_t gpr[16], xmm[16][4], cells[VT_HYBRID_CARRIES_MAX];
    struct area {
        uint8_t *host;
        uint64_t bytes;
        uint8_t *copy;
    } areas[VT_HYBRID_STREAMS_MAX + VT_HYBRID_CARRIES_MAX];
    uint32_t n_areas;
    uint8_t copies[ROOM];
} out;

struct vt_installed *vt_canary_of(void)
{
    return out.of;
}

void vt_canary_discard(void)
{
    out.discarded = true;
}

void vt_canary_forget(void)
{
    out.of = NULL;
}

/* Windows that overlap have one copy, so that streams overlap in it as they do in RAM. */
static bool copy_areas(struct vt_slice *s, uint64_t n)
{
    uint32_t n_areas = 0;
    for (uint32_t i = 0; i < s->k->d.n_streams; i++) {
        struct vt_piece p = vt_cursor_hull(&s->cursors[i], n);
        struct area a = {p.host, p.bytes, NULL};
        for (uint32_t j = 0; j < n_areas;) { /* it swallows those that it overlaps */
            const struct area *b = &out.areas[j];
            if (a.host <= b->host + b->bytes && b->host <= a.host + a.bytes) {
                uint8_t *first = a.host < b->host ? a.host : b->host;
                uint8_t *end =
                    a.host + a.bytes > b->host + b->bytes ? a.host + a.bytes : b->host + b->bytes;
                a = (struct area){first, (uint64_t)(end - first), NULL};
                out.areas[j] = out.areas[--n_areas];
                j = 0;
            } else {
                j++;
            }
        }
        out.areas[n_areas++] = a;
    }
    size_t used = 0;
    for (uint32_t i = 0; i < n_areas; i++) {
        struct area *a = &out.areas[i];
        size_t at = used + ((uintptr_t)a->host & 63);
        if (at > ROOM || a->bytes > ROOM - at) {
            return false;
        }
        a->copy = out.copies + at;
        memcpy(a->copy, a->host, a->bytes);
        used = (at + a->bytes + 63) & ~(size_t)63;
    }
    out.n_areas = n_areas;
    return true;
}

static void point_at_copies(struct vt_slice *s, uint64_t n)
{
    for (uint32_t i = 0; i < s->k->d.n_streams; i++) {
        const uint8_t *first = vt_cursor_hull(&s->cursors[i], n).host;
        for (uint32_t j = 0; j < out.n_areas; j++) {
            const struct area *a = &out.areas[j];
            if (first >= a->host && first < a->host + a->bytes) {
                s->hosts[i] =
                    (uint8_t *)((uintptr_t)s->hosts[i] + (uintptr_t)a->copy - (uintptr_t)a->host);
                break;
            }
        }
    }
}

/* What registers must hold, as far as kernels know of them. */
static void expect_registers(const struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    memcpy(out.gpr, s->r->gpr, sizeof out.gpr);
    memcpy(out.xmm, s->r->xmm, sizeof out.xmm);
    for (uint32_t i = 0; i < d->n_carries; i++) {
        const struct vt_hybrid_place *p = &d->carries[i];
        if (p->kind == VT_HYBRID_GPR) {
            out.gpr[p->reg] = s->carries[i];
        } else if (p->kind != VT_HYBRID_CELL) {
            out.xmm[p->reg][p->kind - VT_HYBRID_XMM_LOW] = s->carries[i];
        }
    }
}

uint64_t vt_canary_begin(struct vt_installed *k, struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    uint64_t most = ITERATIONS, n = 0;
    if (vt_slice_begin(s) != VT_GOES) {
        return 0;
    }
    most = most < s->trips ? most : s->trips;
    while (most != 0) {
        n = vt_slice_chunk(s, most);
        if (n != 0 && copy_areas(s, n)) {
            break;
        }
        most = n / 2;
    }
    if (most == 0) {
        return 0;
    }
    point_at_copies(s, n);
    const struct vt_hybrid_call call = {
        .count = n, .inputs = s->inputs, .carries = s->carries, .streams = s->hosts};
    uint64_t done = s->k->run(&call);
    if (done == 0 || done > n) {
        return 0;
    }
    expect_registers(s);
    for (uint32_t i = 0; i < d->n_carries; i++) {
        if (d->carries[i].kind == VT_HYBRID_CELL) {
            out.cells[i] = s->carries[i];
            out.areas[out.n_areas++] = (struct area){s->cells[d->n_inputs + i], d->carries[i].bytes,
                                                     (uint8_t *)&out.cells[i]};
        }
    }
    out.root = s->p->root;
    out.discarded = false;
    out.of = k;
    return done;
}

enum vt_canary_result vt_canary_end(struct vt_installed *k, struct vt_slice *s)
{
    bool discarded = out.discarded || out.of != k || out.root != s->p->root;
    out.of = NULL;
    if (discarded) {
        return VT_CANARY_DISCARDED;
    }
    bool same = memcmp(out.gpr, s->r->gpr, sizeof out.gpr) == 0;
    size_t known = s->k->vectors == VT_AVX ? 32 : s->k->vectors == VT_SSE ? 16 : 0;
    for (unsigned i = 0; i < 16 && same; i++) {
        same = memcmp(out.xmm[i], s->r->xmm[i], known) == 0;
    }
    for (uint32_t i = 0; i < out.n_areas && same; i++) {
        same = memcmp(out.areas[i].host, out.areas[i].copy, out.areas[i].bytes) == 0;
    }
    return same ? VT_CANARY_SAME : VT_CANARY_DIFFERS;
}
