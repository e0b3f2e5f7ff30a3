/* volume/march_reference.c - marching as march.h says it, voxel by voxel and in double precision:
 * what the shaders are held against, and what picks when there is no device.
 *
 * The ray's place is kept as a voxel and a length: from a voxel it goes to the neighbour behind the
 * nearest of three faces. So it never stays where it is, whatever rounding does to the lengths, and
 * needs no small step over an edge.
 */
#include "volume/march.h"

#include <math.h>

struct ray {
    const struct vt_march_look *look;
    const struct vt_march_ram *ram;
    double from[3], along[3], per[3]; /* per: 1 / along */
    double near, far;                 /* what of it lies in the clip box */
    double colour[3], light;          /* gathered; what is left of what is behind */
    uint32_t picked[3];
    double hides, margin; /* of what is picked; how far the others were from it */
    double more;          /* by how much a voxel must outdo the one picked */
    double nearly;        /* how far all of them were from one half */
    bool hit, sure;
};

/* A page's part in what its voxels look like. */
struct page {
    const uint8_t *bytes;
    double colour[3];
    double absorb; /* times that of a byte */
    bool there;
};

static double mix(double a, double b, double t)
{
    return a + (b - a) * t;
}

static void aim(struct ray *ray, uint32_t x, uint32_t y)
{
    const struct vt_march_look *look = ray->look;
    double nx = (x + 0.5) * look->right[3] - 1, ny = 1 - (y + 0.5) * look->up[3];
    double length = 0;
    for (unsigned i = 0; i < 3; i++) {
        ray->from[i] = look->eye[i];
        ray->along[i] = look->forward[i] + nx * look->right[i] + ny * look->up[i];
        length += ray->along[i] * ray->along[i];
    }
    length = sqrt(length);
    for (unsigned i = 0; i < 3; i++) {
        ray->along[i] /= length;
        if (fabs(ray->along[i]) < VT_MARCH_DIRECTION_MIN) {
            ray->along[i] = ray->along[i] < 0 ? -VT_MARCH_DIRECTION_MIN : VT_MARCH_DIRECTION_MIN;
        }
        ray->per[i] = 1 / ray->along[i];
    }
}

/* Where the ray is inside a box; false: nowhere in front of the eye. */
static bool inside(const struct ray *ray, const double min[3], const double max[3], double *near,
                   double *far)
{
    *near = -INFINITY;
    *far = INFINITY;
    for (unsigned i = 0; i < 3; i++) {
        double a = (min[i] - ray->from[i]) * ray->per[i], b = (max[i] - ray->from[i]) * ray->per[i];
        *near = fmax(*near, fmin(a, b));
        *far = fmin(*far, fmax(a, b));
    }
    return *far > fmax(*near, 0);
}

static uint32_t clamp(double value, uint32_t min, uint32_t max)
{
    return value > min ? (value < max ? (uint32_t)value : max) : min;
}

/* ---- what is there ---- */

static void colour_of(uint32_t packed, double colour[3])
{
    for (unsigned i = 0; i < 3; i++) {
        colour[i] = (packed >> 8 * i & 0xff) / 255.0;
    }
}

static bool is_hole(const struct vt_march_ram *ram, const uint32_t voxel[3])
{
    uint32_t b[3];
    for (unsigned i = 0; i < 3; i++) {
        b[i] = voxel[i] / VT_BRICK_SIDE;
        if (b[i] >= ram->grid[i]) {
            return true;
        }
    }
    return ram->bricks[((uint64_t)b[2] * ram->grid[1] + b[1]) * ram->grid[0] + b[0]] == VT_HOLE;
}

static struct page page_at(const struct ray *ray, const uint32_t voxel[3], uint64_t *offset)
{
    static const double hot[3] = VT_MARCH_HOT;
    const struct vt_march_ram *ram = ray->ram;
    const struct vt_march_look *look = ray->look;
    struct page page = {.there = false};
    *offset = vt_hilbert3d_distance(ram->order, voxel);
    uint64_t n = *offset / VT_BRICK_VOXELS;
    if (n >= ram->n_pages || is_hole(ram, voxel)) {
        return page;
    }
    uint32_t attributes = ram->attributes[n], highlight = VT_ATTRIBUTE_HIGHLIGHT(attributes);
    uint32_t owner = VT_ATTRIBUTE_OWNER(attributes), class = VT_ATTRIBUTE_CLASS(attributes) & 31;
    page.there = true;
    page.absorb = look->class_opacity[class];
    colour_of(look->colours[class][owner <= VT_OWNERS_MAX ? owner : 0], page.colour);
    if (highlight != 0) {
        double tint[3];
        colour_of(look->highlights[highlight], tint);
        for (unsigned i = 0; i < 3; i++) {
            page.colour[i] = mix(page.colour[i], tint[i], VT_MARCH_TINT);
        }
    }
    if ((highlight == 0 && (look->flags & VT_MARCH_DIM_PLAIN) != 0) ||
        (look->only_owner != 0 && owner != look->only_owner)) {
        page.absorb *= VT_MARCH_DIM_ABSORB;
        for (unsigned i = 0; i < 3; i++) {
            page.colour[i] *= VT_MARCH_DIM_COLOUR;
        }
    }
    if ((look->flags & VT_MARCH_HEAT) != 0 && ram->newest != NULL && ram->newest[n] != 0) {
        double age_ms = look->now_ms > ram->newest[n] ? look->now_ms - ram->newest[n] : 0;
        double heat = exp2(age_ms * look->heat_decay);
        page.absorb *= 1 + VT_MARCH_HEAT_ABSORB * heat;
        for (unsigned i = 0; i < 3; i++) {
            page.colour[i] = mix(page.colour[i], hot[i], VT_MARCH_HEAT_COLOUR * heat);
        }
    }
    return page;
}

/* ---- gathering, front to back ---- */

static void pick(struct ray *ray, const uint32_t voxel[3], double hides)
{
    if (ray->sure || hides <= VT_MARCH_LEAST) {
        return;
    }
    ray->sure = hides >= 0.5;
    double before = ray->hit ? ray->hides * ray->more : 0;
    if (ray->sure || hides > before) {
        ray->hit = true;
        ray->hides = hides;
        for (unsigned i = 0; i < 3; i++) {
            ray->picked[i] = voxel[i];
        }
        ray->margin = ray->sure ? ray->margin : hides - before;
    } else {
        ray->margin = fmin(ray->margin, before - hides);
    }
    ray->nearly = fmin(ray->nearly, fabs(hides - 0.5));
}

static void gather(struct ray *ray, const double colour[3], double hides)
{
    for (unsigned i = 0; i < 3; i++) {
        ray->colour[i] += ray->light * hides * colour[i];
    }
    ray->light *= 1 - hides;
}

static void pass(struct ray *ray, const uint32_t voxel[3], double length, bool opaque)
{
    uint64_t offset;
    struct page page = page_at(ray, voxel, &offset);
    if (!page.there) {
        return;
    }
    uint8_t byte = ray->ram->bytes[offset];
    double hides = opaque ? 1 : -expm1(-page.absorb * ray->look->absorption[byte] * length);
    double shade = VT_MARCH_SHADE + (1 - VT_MARCH_SHADE) * byte / 255;
    for (unsigned i = 0; i < 3; i++) {
        page.colour[i] *= shade;
    }
    pick(ray, voxel, hides);
    gather(ray, page.colour, hides);
}

/* The nearest slice plane that has a page where the ray meets it ends the ray there. */
static bool slice(struct ray *ray, uint32_t voxel[3])
{
    const struct vt_march_look *look = ray->look;
    uint32_t last = ((uint32_t)1 << look->order) - 1;
    bool found = false;
    for (unsigned axis = 0; axis < 3; axis++) {
        double t = (look->slice[axis] - ray->from[axis]) * ray->per[axis];
        if ((look->flags & (uint32_t)VT_MARCH_SLICE_X << axis) == 0 || t < fmax(ray->near, 0) ||
            t > ray->far) {
            continue;
        }
        uint32_t at[3];
        for (unsigned i = 0; i < 3; i++) {
            at[i] = clamp(i == axis ? look->slice[i] : ray->from[i] + t * ray->along[i], 0, last);
        }
        uint64_t offset;
        if (page_at(ray, at, &offset).there) {
            ray->far = t;
            found = true;
            for (unsigned i = 0; i < 3; i++) {
                voxel[i] = at[i];
            }
        }
    }
    return found;
}

static void march(struct ray *ray)
{
    const struct vt_march_look *look = ray->look;
    double t = fmax(ray->near, 0);
    uint32_t v[3];
    for (unsigned i = 0; i < 3; i++) {
        uint32_t min = (uint32_t)look->clip_min[i], max = (uint32_t)ceilf(look->clip_max[i]);
        v[i] = clamp(ray->from[i] + t * ray->along[i], min, max - 1);
    }
    while (t < ray->far && ray->light > VT_MARCH_END) {
        unsigned axis = 0;
        double exit = INFINITY;
        for (unsigned i = 0; i < 3; i++) {
            double face = (v[i] + (ray->along[i] > 0 ? 1.0 : 0.0) - ray->from[i]) * ray->per[i];
            if (face < exit) {
                exit = face;
                axis = i;
            }
        }
        double end = fmax(t, fmin(exit, ray->far));
        pass(ray, v, end - t, false);
        t = end;
        v[axis] += ray->along[axis] > 0 ? 1 : UINT32_MAX; /* past the cube: t has reached far */
        if (v[axis] >> look->order != 0) {
            break;
        }
    }
}

static void planes(struct ray *ray)
{
    const struct vt_march_look *look = ray->look;
    unsigned axis = vt_march_axis(look);
    uint32_t last = ((uint32_t)1 << look->order) - 1;
    uint32_t min = (uint32_t)look->clip_min[axis], max = (uint32_t)ceilf(look->clip_max[axis]);
    bool up = ray->along[axis] > 0;
    for (uint32_t n = 0; n < max - min; n++) {
        uint32_t k = up ? min + n : max - 1 - n, v[3];
        double t = (k + 0.5 - ray->from[axis]) * ray->per[axis];
        if (t < fmax(ray->near, 0) || t > ray->far) {
            continue;
        }
        for (unsigned i = 0; i < 3; i++) {
            v[i] = i == axis ? k : clamp(ray->from[i] + t * ray->along[i], 0, last);
        }
        pass(ray, v, fabs(ray->per[axis]), false);
    }
}

static void finish(const struct ray *ray, struct vt_march_ray *out)
{
    const float *behind = ray->look->background;
    double alpha = 1 - ray->light + ray->light * behind[3];
    for (unsigned i = 0; i < 3; i++) {
        double c = ray->colour[i] + ray->light * behind[3] * behind[i];
        out->rgba[i] = alpha > 0 ? (float)fmin(c / alpha, 1) : 0;
        out->voxel[i] = ray->picked[i];
    }
    out->rgba[3] = (float)alpha;
    out->hit = ray->hit;
    out->hides = (float)ray->hides;
    out->margin = (float)fmin(ray->nearly, ray->sure ? 1 : ray->margin);
}

static void cast(const struct vt_march_look *look, const struct vt_march_ram *ram, uint32_t x,
                 uint32_t y, void (*method)(struct ray *), double more, struct vt_march_ray *out)
{
    struct ray ray = {.look = look, .ram = ram, .light = 1, .margin = 1, .nearly = 1, .more = more};
    double min[3], max[3];
    aim(&ray, x, y);
    for (unsigned i = 0; i < 3; i++) {
        min[i] = look->clip_min[i];
        max[i] = look->clip_max[i];
    }
    if (inside(&ray, min, max, &ray.near, &ray.far)) {
        uint32_t cut[3];
        bool opaque = slice(&ray, cut);
        method(&ray);
        if (opaque && ray.light > VT_MARCH_END) {
            pass(&ray, cut, 0, true);
        }
    }
    finish(&ray, out);
}

void vt_march_reference(const struct vt_march_look *look, const struct vt_march_ram *ram,
                        uint32_t x, uint32_t y, struct vt_march_ray *ray)
{
    cast(look, ram, x, y, march, VT_MARCH_MORE, ray);
}

/* Front to back, which gives the same light as back to front does. */
void vt_march_reference_slices(const struct vt_march_look *look, const struct vt_march_ram *ram,
                               uint32_t x, uint32_t y, struct vt_march_ray *ray)
{
    cast(look, ram, x, y, planes, 1, ray);
}

unsigned vt_march_axis(const struct vt_march_look *look)
{
    float x = fabsf(look->forward[0]), y = fabsf(look->forward[1]), z = fabsf(look->forward[2]);
    return x >= y && x >= z ? 0 : y >= z ? 1 : 2;
}
