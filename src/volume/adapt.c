/* volume/adapt.c - how finely to draw: see adapt.h. Scales are indexed by their logarithm. */
#include "volume/adapt.h"

#include <math.h>

#define SCALES 4u
#define FIRST 2u /* the scale when nothing is known: 4 */
/* Finer is taken when it surely fits, coarser when the present one does not: what lies between is
 * left alone. */
#define FINER_SHARE 0.8
#define REST_TIMES 8
/* So many late frames in a row, and a picture at rest becomes coarser. */
#define LATE_FRAMES 2
#define WEIGHT 0.5

void vt_adapt_init(struct vt_adapt *adapt, double budget_s)
{
    *adapt = (struct vt_adapt){.budget_s = budget_s, .rest_s = REST_TIMES * budget_s};
}

static double pixels(uint32_t width, uint32_t height, unsigned index)
{
    double scale = ldexp(1, (int)index);
    return ceil(width / scale) * ceil(height / scale);
}

static unsigned index_of(unsigned scale)
{
    return scale >= 8 ? 3 : scale >= 4 ? 2 : scale >= 2 ? 1 : 0;
}

/* What a pixel takes at a scale: as measured, or else at the nearest one that was. 0: none was. */
static double pixel_s(const struct vt_adapt *adapt, unsigned method, unsigned index)
{
    const double *known = adapt->pixel_s[method & 1];
    for (unsigned away = 0; away < SCALES; away++) {
        if (index + away < SCALES && known[index + away] > 0) {
            return known[index + away];
        }
        if (index >= away && known[index - away] > 0) {
            return known[index - away];
        }
    }
    return 0;
}

/* The finest scale at which a frame takes no more than `within_s`, near to the present one. */
static unsigned fitting(const struct vt_adapt *adapt, uint32_t width, uint32_t height,
                        unsigned method, double within_s)
{
    if (adapt->scale == 0 || pixel_s(adapt, method, 0) == 0) {
        return FIRST;
    }
    unsigned at = index_of(adapt->scale);
    while (at + 1 < SCALES && pixel_s(adapt, method, at) * pixels(width, height, at) > within_s) {
        at++;
    }
    while (at > 0 && pixel_s(adapt, method, at - 1) * pixels(width, height, at - 1) <=
                         FINER_SHARE * within_s) {
        at--;
    }
    return at;
}

static unsigned at_rest(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method)
{
    unsigned at = index_of(adapt->scale);
    double frame_s = pixel_s(adapt, method, at) * pixels(width, height, at);
    if (frame_s > adapt->rest_s) {
        if (++adapt->late < LATE_FRAMES) {
            return at;
        }
        adapt->late = 0;
        return fitting(adapt, width, height, method, adapt->rest_s);
    }
    adapt->late = 0;
    bool finer = at > 0 && pixel_s(adapt, method, at - 1) * pixels(width, height, at - 1) <=
                               FINER_SHARE * adapt->rest_s;
    return finer ? at - 1 : at;
}

unsigned vt_adapt_next(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method,
                       bool moving, bool changed)
{
    unsigned at;
    if (moving || adapt->scale == 0) {
        adapt->late = 0;
        at = fitting(adapt, width, height, method, adapt->budget_s);
    } else if (changed) {
        at = at_rest(adapt, width, height, method);
    } else if (adapt->scale > 1) {
        at = index_of(adapt->scale) - 1;
    } else {
        adapt->late = 0;
        return 0;
    }
    adapt->scale = 1u << at;
    return adapt->scale;
}

void vt_adapt_took(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method,
                   double frame_s)
{
    double *known = adapt->pixel_s[method & 1];
    unsigned at = index_of(adapt->scale);
    double n = pixels(width, height, at);
    if (!(frame_s > 0) || !isfinite(frame_s) || n == 0 || adapt->scale == 0) {
        return;
    }
    double took_s = frame_s / n, expected_s = known[at];
    if (expected_s == 0) { /* this scale's own cost: it says nothing new about the others' */
        known[at] = took_s;
        adapt->slow = false;
        return;
    }
    bool slow = took_s > 2 * expected_s;
    if (slow && !adapt->slow) {
        adapt->slow = true;
        return;
    }
    adapt->slow = false;
    /* What made this frame dearer or cheaper (a nearer camera, a busier machine) does so at every
     * scale, and the others are not measured while this one is used. Twice too slow is believed at
     * once: half way there would be doubted again. */
    double ratio = slow ? took_s / expected_s : 1 + WEIGHT * (took_s / expected_s - 1);
    for (unsigned i = 0; i < SCALES; i++) {
        known[i] *= ratio;
    }
}
