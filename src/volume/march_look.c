/* volume/march_look.c - a camera and a scene as the numbers that rays need (march.h). What cannot
 * be drawn is refused here, so that neither a shader nor the reference has to look for it. */
#include "volume/march.h"

#include "volume/camera.h"

#include <math.h>
#include <string.h>

#define EYE_MAX 1e4 /* cubes away */

static int look_from(struct vt_march_look *look, const struct vt_camera *camera, uint32_t width,
                     uint32_t height, unsigned scale, struct vt_error *err)
{
    struct vt_lens lens;
    vt_camera_lens(camera, (double)width / height, &lens);
    double side = (double)(1u << look->order);
    for (unsigned i = 0; i < 3; i++) {
        if (!isfinite(lens.eye[i]) || fabs(lens.eye[i]) > EYE_MAX) {
            return vt_fail(err, VT_E_INVAL, "the camera is not near the cube");
        }
        look->eye[i] = (float)(lens.eye[i] * side);
        look->forward[i] = (float)lens.forward[i];
        look->right[i] = (float)(lens.right[i] * lens.slope_x);
        look->up[i] = (float)(lens.up[i] * lens.slope_y);
    }
    look->right[3] = 2 * (float)scale / (float)width;
    look->up[3] = 2 * (float)scale / (float)height;
    look->coarse = (float)lens.slope_y * look->up[3];
    return 0;
}

static float within(float value, float min, float max)
{
    return value >= min ? (value <= max ? value : max) : min; /* NaN: min */
}

static uint32_t packed(struct vt_colour c)
{
    return (uint32_t)c.r | (uint32_t)c.g << 8 | (uint32_t)c.b << 16 | (uint32_t)c.a << 24;
}

static void look_at_scene(struct vt_march_look *look, const struct vt_scene *scene,
                          const struct vt_march_facts *facts)
{
    float side = (float)(1u << look->order);
    float depth = VT_MARCH_DEPTH / side, density = within(scene->density, 0, 1e6f) * depth;
    for (unsigned i = 0; i < 3; i++) {
        look->clip_min[i] = within(scene->clip_min[i], 0, 1) * side;
        look->clip_max[i] = fmaxf(within(scene->clip_max[i], 0, 1) * side, look->clip_min[i]);
        look->slice[i] = within(scene->slice[i], 0, 1) * side;
        look->flags |= scene->slice_on[i] ? (uint32_t)VT_MARCH_SLICE_X << i : 0;
    }
    look->flags |= scene->heat && scene->heat_s > 0 ? VT_MARCH_HEAT : 0;
    look->flags |= scene->dim_others && facts->n_highlights > 0 ? VT_MARCH_DIM_PLAIN : 0;
    look->heat_decay = scene->heat_s > 0 ? -1 / (scene->heat_s * 1000) : 0;
    look->only_owner = scene->only_owner > 0 ? (uint32_t)scene->only_owner : 0;
    float thickest = 1e-6f;
    for (unsigned i = 0; i < 256; i++) {
        float a = within(scene->opacity[i], 0, 1);
        float absorb = a < 1 ? fminf(-log1pf(-a), VT_MARCH_ABSORB_MAX) : VT_MARCH_ABSORB_MAX;
        look->absorption[i] = absorb * density;
        thickest = fmaxf(thickest, look->absorption[i]);
    }
    look->fine = VT_MARCH_FINE / thickest;
    look->little = VT_MARCH_FINE;
    for (unsigned c = 0; c < 32; c++) {
        unsigned known = c < VT_CLASSES ? c : VT_CLASS_HOLE;
        look->class_opacity[c] = within(scene->class_opacity[known], 0, 1);
        for (unsigned owner = 0; owner <= VT_OWNERS_MAX; owner++) {
            unsigned n = facts->n_owners < VT_OWNERS_MAX ? facts->n_owners : VT_OWNERS_MAX;
            look->colours[c][owner] = packed(
                owner == 0 || owner > n
                    ? vt_palette_class(scene->palette, (enum vt_page_class)known)
                    : vt_palette_owner(scene->palette, (enum vt_page_class)known, owner - 1, n));
        }
    }
    for (size_t i = 0; i < facts->n_highlights && i < 511; i++) {
        look->highlights[i + 1] = packed(facts->highlights[i]);
    }
    const struct vt_colour *b = &scene->background;
    const uint8_t parts[4] = {b->r, b->g, b->b, b->a};
    for (unsigned i = 0; i < 4; i++) {
        look->background[i] = (float)parts[i] / 255;
    }
}

int vt_march_look_init(struct vt_march_look *look, const struct vt_march_facts *facts,
                       const struct vt_shot *shot, uint32_t width, uint32_t height,
                       struct vt_error *err)
{
    unsigned scale = shot->scale;
    if (scale != 1 && scale != 2 && scale != 4 && scale != 8) {
        return vt_fail(err, VT_E_INVAL, "a scale of %u: not 1, 2, 4 or 8", scale);
    }
    struct vt_march_look made;
    memset(&made, 0, sizeof made);
    made.width = (width + scale - 1) / scale;
    made.height = (height + scale - 1) / scale;
    made.order = facts->order;
    made.now_ms = facts->now_ms;
    int rc = look_from(&made, shot->camera, width, height, scale, err);
    if (rc == 0) {
        look_at_scene(&made, shot->scene, facts);
        *look = made;
    }
    return rc;
}
