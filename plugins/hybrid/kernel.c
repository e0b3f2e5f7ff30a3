/* plugins/hybrid/kernel.c - see kernel.h. What the segment says was written by somebody else: each
 * number is held against its bounds once, in the copy that is used from then on.
 */
#include "kernel.h"

#include <string.h>
#include <sys/mman.h>

#define SLICE_ITERATIONS 65536u
#define SLICE_ITERATIONS_MAX ((uint64_t)1 << 22) /* by 2^40, the longest stride, no overflow */
#define SLICE_BYTES ((uint64_t)1 << 20)
#define SLICE_BYTES_MAX ((uint64_t)1 << 28)

static bool is_linear(const struct vt_hybrid_linear *l)
{
    for (uint32_t i = 0; i < l->n && l->n <= 4; i++) {
        if (l->reg[i] > 17) {
            return false;
        }
    }
    return l->n <= 4;
}

static unsigned bits_of(const struct vt_hybrid_kernel *d, uint32_t place)
{
    return place < d->n_inputs                  ? d->inputs[place].bits
           : place - d->n_inputs < d->n_carries ? d->carries[place - d->n_inputs].bits
                                                : 0;
}

static bool is_position(const struct vt_hybrid_linear *l, const struct vt_hybrid_kernel *d)
{
    for (uint32_t i = 0; i < l->n && l->n <= 4; i++) {
        uint32_t reg = l->reg[i];
        if (reg > 17 &&
            (reg < VT_HYBRID_LINEAR_PLACE || bits_of(d, reg - VT_HYBRID_LINEAR_PLACE) < 32)) {
            return false;
        }
    }
    return l->n <= 4;
}

static bool is_place(const struct vt_hybrid_place *p, bool carry)
{
    bool bits = p->bits == 1 || p->bits == 8 || p->bits == 16 || p->bits == 32 || p->bits == 64;
    bool bytes = p->bytes == 1 || p->bytes == 2 || p->bytes == 4 || p->bytes == 8;
    bool base = p->kind == VT_HYBRID_FS_BASE || p->kind == VT_HYBRID_GS_BASE;
    return bits && p->kind < VT_HYBRID_PLACES && p->reg < 16 && !(carry && base) &&
           (p->kind != VT_HYBRID_CELL || (bytes && is_linear(&p->address)));
}

/* Also of a place that has a wrong kind, or none. */
static enum vt_vectors vectors_of(const struct vt_hybrid_place *p)
{
    return p->kind == VT_HYBRID_YMM_LOW || p->kind == VT_HYBRID_YMM_HIGH   ? VT_AVX
           : p->kind == VT_HYBRID_XMM_LOW || p->kind == VT_HYBRID_XMM_HIGH ? VT_SSE
                                                                           : VT_NO_VECTORS;
}

static bool is_stream(const struct vt_hybrid_stream *s, const struct vt_hybrid_kernel *d)
{
    return is_position(&s->position, d) && s->low < s->high &&
           (int64_t)s->high - s->low <= (int64_t)VT_HYBRID_WINDOW_MAX &&
           s->low >= -(int32_t)VT_HYBRID_WINDOW_MAX && s->high <= (int32_t)VT_HYBRID_WINDOW_MAX &&
           (s->stride_input == VT_HYBRID_NONE || s->stride_input < d->n_inputs) && s->reads <= 1 &&
           s->writes <= 1 && (s->aligned == 0 || s->aligned == 16 || s->aligned == 32);
}

static bool are_blocks(struct vt_kernel *k)
{
    const struct vt_hybrid_kernel *d = &k->d;
    bool head = false;
    int64_t end = INT64_MIN;
    for (uint32_t i = 0; i < d->n_blocks; i++) {
        const struct vt_hybrid_block *b = &d->blocks[i];
        if (b->n == 0 || b->first > d->n_code || b->n > d->n_code - b->first || b->at < end ||
            b->at < -(INT64_C(1) << 30) || b->at > INT64_C(1) << 30) {
            return false;
        }
        end = b->at + b->n;
        if (b->at == 0) {
            head = true;
            k->head_block = i;
        }
    }
    return head;
}

static const struct vt_hybrid_place *cell(const struct vt_hybrid_kernel *d, uint32_t i)
{
    const struct vt_hybrid_place *p =
        i < d->n_inputs ? &d->inputs[i] : &d->carries[i - d->n_inputs];
    return p->kind == VT_HYBRID_CELL ? p : NULL;
}

static bool same_sum(const struct vt_hybrid_linear *a, const struct vt_hybrid_linear *b)
{
    bool same = a->n == b->n;
    for (uint32_t i = 0; i < a->n && same; i++) {
        same = a->reg[i] == b->reg[i] && a->coefficient[i] == b->coefficient[i];
    }
    return same;
}

/* Cells that lie apart by whole pages, or nearly, are one where a page is mapped twice: they are
 * proven apart by their addresses alone, and have to be compared as RAM. */
static bool add_aliases(struct vt_hybrid_kernel *d)
{
    uint32_t n = d->n_inputs + d->n_carries;
    for (uint32_t a = 0; a < n; a++) {
        const struct vt_hybrid_place *x = cell(d, a), *y;
        for (uint32_t b = a + 1; b < n && x != NULL; b++) {
            y = b >= d->n_inputs ? cell(d, b) : NULL;
            uint64_t behind = y != NULL ? y->address.constant - x->address.constant : 0;
            /* Neighbours are apart wherever their pages lie. */
            if (behind + 7 <= 14 || (behind + 7) % VT_PAGE_BYTES > 14 ||
                !same_sum(&x->address, &y->address)) {
                continue;
            }
            if (d->n_disjoint == VT_HYBRID_DISJOINT_MAX) {
                return false;
            }
            d->disjoint[d->n_disjoint++] = (struct vt_hybrid_disjoint){
                .a = (uint8_t)(d->n_streams + a), .b = (uint8_t)(d->n_streams + b)};
        }
    }
    return true;
}

uint32_t vt_kernel_check(struct vt_kernel *k)
{
    struct vt_hybrid_kernel *d = &k->d;
    bool good =
        d->n_blocks <= VT_HYBRID_BLOCKS_MAX && d->n_code <= VT_HYBRID_CODE_MAX &&
        d->n_inputs <= VT_HYBRID_INPUTS_MAX && d->n_carries <= VT_HYBRID_CARRIES_MAX &&
        d->n_streams <= VT_HYBRID_STREAMS_MAX && d->n_disjoint <= VT_HYBRID_DISJOINT_MAX &&
        d->image_bytes <= VT_HYBRID_IMAGE_BYTES && d->entry < d->image_bytes &&
        (d->trips_entry == VT_HYBRID_NONE ||
         (d->trips_entry < d->image_bytes && d->n_inputs + d->n_carries <= VT_HYBRID_INPUTS_MAX));
    if (!good) {
        return VT_HYBRID_REFUSED_CORRUPT;
    }
    d->hash[sizeof d->hash - 1] = '\0';
    if (!are_blocks(k)) {
        return VT_HYBRID_REFUSED_CODE;
    }
    k->vectors = (d->flags & VT_HYBRID_WANTS_AVX) != 0 ? VT_AVX : VT_NO_VECTORS;
    for (uint32_t i = 0; i < d->n_inputs + d->n_carries; i++) {
        bool carry = i >= d->n_inputs;
        const struct vt_hybrid_place *p = carry ? &d->carries[i - d->n_inputs] : &d->inputs[i];
        good = good && is_place(p, carry);
        k->vectors = vectors_of(p) > k->vectors ? vectors_of(p) : k->vectors;
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < d->n_streams && good; i++) {
        const struct vt_hybrid_stream *s = &d->streams[i];
        good = is_stream(s, d);
        uint64_t stride = s->stride < 0 ? -(uint64_t)s->stride : (uint64_t)s->stride;
        bytes += s->stride_input != VT_HYBRID_NONE ? 64
                 : stride < SLICE_BYTES            ? stride
                                                   : SLICE_BYTES;
        k->writes = k->writes || s->writes != 0;
    }
    uint32_t entities = d->n_streams + d->n_inputs + d->n_carries;
    for (uint32_t i = 0; i < d->n_disjoint; i++) {
        good = good && d->disjoint[i].a < entities && d->disjoint[i].b < entities;
    }
    good = good && add_aliases(d);
    d->min_iterations = d->min_iterations != 0 ? d->min_iterations : 1;
    d->slice_iterations = d->slice_iterations != 0 ? d->slice_iterations : SLICE_ITERATIONS;
    d->slice_bytes = d->slice_bytes != 0 ? d->slice_bytes : SLICE_BYTES;
    d->slice_bytes = d->slice_bytes < SLICE_BYTES_MAX ? d->slice_bytes : SLICE_BYTES_MAX;
    /* From here on one bound serves for both. */
    uint64_t by_bytes = bytes != 0 ? d->slice_bytes / bytes : UINT64_MAX;
    by_bytes = by_bytes != 0 ? by_bytes : 1;
    d->slice_iterations = d->slice_iterations < by_bytes ? d->slice_iterations : by_bytes;
    d->slice_iterations =
        d->slice_iterations < SLICE_ITERATIONS_MAX ? d->slice_iterations : SLICE_ITERATIONS_MAX;
    return good ? VT_HYBRID_REFUSED_NOT : VT_HYBRID_REFUSED_CORRUPT;
}

uint32_t vt_kernel_image(struct vt_kernel *k, const uint8_t *bytes)
{
    size_t n = (k->d.image_bytes + VT_PAGE_BYTES - 1) / VT_PAGE_BYTES * VT_PAGE_BYTES;
    uint8_t *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return VT_HYBRID_REFUSED_IMAGE;
    }
    memcpy(at, bytes, k->d.image_bytes);
    if (mprotect(at, n, PROT_READ | PROT_EXEC) != 0) {
        munmap(at, n);
        return VT_HYBRID_REFUSED_IMAGE;
    }
    k->image = at;
    k->image_bytes = n;
    k->run = (vt_image_entry *)(uintptr_t)(at + k->d.entry);
    k->trips = k->d.trips_entry != VT_HYBRID_NONE
                   ? (vt_image_entry *)(uintptr_t)(at + k->d.trips_entry)
                   : NULL;
    return VT_HYBRID_REFUSED_NOT;
}

void vt_kernel_drop(struct vt_kernel *k)
{
    if (k->image != NULL) {
        munmap(k->image, k->image_bytes);
        k->image = NULL;
    }
}
