/* volume/highlight_boxes.c - few boxes around many runs.
 *
 * Runs come in order along the curve, so near ones come near each other: each is taken in, and when
 * there are too many boxes the two are joined whose joint box has the least room to spare. In the
 * end, so are those that together are still mostly full.
 */
#include "volume/overlay.h"

#include <math.h>
#include <string.h>

/* A joint box at most so many times what the two of them hold. */
#define ROOMY 1.5

struct joined {
    struct vt_box box[VT_HIGHLIGHT_BOXES_MAX + 1];
    double spare[VT_HIGHLIGHT_BOXES_MAX + 1][VT_HIGHLIGHT_BOXES_MAX + 1]; /* [i][k] for k < i */
    size_t n;
};

static double volume(const struct vt_box *b)
{
    double v = 1;
    for (unsigned k = 0; k < 3; k++) {
        v *= (double)(b->max[k] - b->min[k]) + 1;
    }
    return v;
}

static struct vt_box around(const struct vt_box *a, const struct vt_box *b)
{
    struct vt_box u = *a;
    for (unsigned k = 0; k < 3; k++) {
        u.min[k] = b->min[k] < u.min[k] ? b->min[k] : u.min[k];
        u.max[k] = b->max[k] > u.max[k] ? b->max[k] : u.max[k];
    }
    return u;
}

static void measure(struct joined *j, size_t at)
{
    for (size_t i = 0; i < j->n; i++) {
        if (i != at) {
            struct vt_box u = around(&j->box[at], &j->box[i]);
            double spare = volume(&u) - volume(&j->box[at]) - volume(&j->box[i]);
            j->spare[i > at ? i : at][i > at ? at : i] = spare;
        }
    }
}

static void nearest(const struct joined *j, size_t *a, size_t *b)
{
    double least = INFINITY;
    for (size_t i = 1; i < j->n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (j->spare[i][k] < least) {
                least = j->spare[i][k];
                *a = k;
                *b = i;
            }
        }
    }
}

/* Makes one of boxes a < b; the last takes the place of b. */
static void join(struct joined *j, size_t a, size_t b)
{
    j->box[a] = around(&j->box[a], &j->box[b]);
    j->n--;
    if (b < j->n) {
        j->box[b] = j->box[j->n];
        measure(j, b);
    }
    measure(j, a);
}

static void take(struct joined *j, struct vt_off off, uint64_t bytes, unsigned order)
{
    size_t a = 0, b = 0;
    if (vt_volume_box(order, off, bytes, &j->box[j->n], NULL) != 0) {
        return;
    }
    j->n++;
    measure(j, j->n - 1);
    if (j->n > VT_HIGHLIGHT_BOXES_MAX) {
        nearest(j, &a, &b);
        join(j, a, b);
    }
}

size_t vt_highlight_boxes(const struct vt_highlight *highlight, unsigned order,
                          const struct vt_ram_region *regions, unsigned n_regions,
                          struct vt_box *boxes)
{
    struct joined j = {.n = 0};
    for (size_t r = 0; r < highlight->n_runs; r++) {
        uint64_t from = highlight->runs[r].gpa.v, bytes = highlight->runs[r].bytes;
        if (n_regions == 0) {
            take(&j, VT_OFF(from), bytes, order);
        }
        for (unsigned i = 0; i < n_regions; i++) { /* a run may lie across several */
            const struct vt_ram_region *g = &regions[i];
            uint64_t low = from > g->gpa.v ? from : g->gpa.v;
            uint64_t end = from + bytes, high = g->gpa.v + g->bytes;
            high = end < high ? end : high;
            if (low < high) {
                take(&j, VT_OFF(g->offset.v + (low - g->gpa.v)), high - low, order);
            }
        }
    }
    for (size_t a = 0, b = 0; j.n > 1; join(&j, a, b)) {
        nearest(&j, &a, &b);
        struct vt_box u = around(&j.box[a], &j.box[b]);
        if (volume(&u) > ROOMY * (volume(&j.box[a]) + volume(&j.box[b]))) {
            break;
        }
    }
    memcpy(boxes, j.box, j.n * sizeof *boxes);
    return j.n;
}
