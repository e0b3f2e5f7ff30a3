/* What the native renderer computes, as JSON, for tests of the same in the browser
 * (volume.test.mjs): curves, boxes, cameras. */
#include "base/json_writer.h"
#include "volume/camera.h"
#include "volume/hilbert3d.h"
#include "volume/march.h"
#include "volume/overlay.h"

#include <math.h>
#include <stdio.h>

static struct vt_json_writer w;

static void numbers(const char *key, const double *v, unsigned n)
{
    vt_json_key(&w, key);
    vt_json_array(&w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_f64(&w, v[i], 17);
    }
    vt_json_array_end(&w);
}

static void counts(const char *key, const uint32_t *v, unsigned n)
{
    vt_json_key(&w, key);
    vt_json_array(&w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_u64(&w, v[i]);
    }
    vt_json_array_end(&w);
}

/* ---- curves ---- */

static void orientations(const struct vt_bricks *bricks)
{
    vt_json_key(&w, "offsets"); /* a sum that says where each stands */
    vt_json_array(&w);
    for (unsigned n = 0; n < VT_ORIENTATIONS; n++) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < VT_BRICK_VOXELS; i++) {
            sum = (sum * 31 + bricks->offset[n][i]) % 1000003;
        }
        vt_json_u64(&w, sum);
    }
    vt_json_array_end(&w);
}

static void pages(const struct vt_bricks *bricks)
{
    uint64_t x = 1;
    vt_json_key(&w, "pages");
    vt_json_array(&w);
    for (unsigned i = 0; i < 400; i++) {
        unsigned order = 5 + i % 17;
        x = x * 6364136223846793005u + 1442695040888963407u;
        uint64_t n_pages = UINT64_C(1) << (3 * (order - 4));
        uint64_t page = (x >> 13) % (n_pages < UINT64_C(1) << 26 ? n_pages : UINT64_C(1) << 26);
        uint32_t brick[3], point[3];
        unsigned orientation = vt_brick_of_page(bricks, order, page, brick);
        uint64_t byte = page * 4096 + (x >> 40) % 4096;
        vt_hilbert3d_point(order, byte, point);
        vt_json_object(&w);
        vt_json_kv_u64(&w, "order", order);
        vt_json_kv_u64(&w, "page", page);
        vt_json_kv_u64(&w, "orientation", orientation);
        counts("brick", brick, 3);
        vt_json_kv_u64(&w, "byte", byte);
        counts("point", point, 3);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
}

static void boxes(void)
{
    uint32_t x = 5;
    vt_json_key(&w, "boxes");
    vt_json_array(&w);
    for (unsigned i = 0; i < 60; i++) {
        struct vt_gpa_run runs[40];
        struct vt_box box[VT_HIGHLIGHT_BOXES_MAX];
        unsigned order = 7 + i % 4, n = 1 + i * 40 / 61;
        uint64_t at = 0, n_pages = UINT64_C(1) << (3 * (order - 4));
        for (unsigned r = 0; r < n; r++) {
            x = x * 1664525 + 1013904223;
            at += 1 + (x >> 8) % (n_pages / (2 * n));
            runs[r] = (struct vt_gpa_run){VT_GPA(at * 4096), 4096 * (uint64_t)(1 + (x >> 4) % 5)};
            at += runs[r].bytes / 4096;
        }
        const struct vt_highlight h = {.runs = runs, .n_runs = n};
        size_t n_boxes = vt_highlight_boxes(&h, order, NULL, 0, box);
        vt_json_object(&w);
        vt_json_kv_u64(&w, "order", order);
        vt_json_key(&w, "runs");
        vt_json_array(&w);
        for (unsigned r = 0; r < n; r++) {
            vt_json_array(&w);
            vt_json_u64(&w, runs[r].gpa.v / 4096);
            vt_json_u64(&w, runs[r].bytes / 4096);
            vt_json_array_end(&w);
        }
        vt_json_array_end(&w);
        vt_json_key(&w, "boxes");
        vt_json_array(&w);
        for (size_t b = 0; b < n_boxes; b++) {
            vt_json_object(&w);
            counts("min", box[b].min, 3);
            counts("max", box[b].max, 3);
            vt_json_object_end(&w);
        }
        vt_json_array_end(&w);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
}

/* ---- cameras ---- */

static void camera(const char *what, const struct vt_camera *c)
{
    vt_json_object(&w);
    vt_json_kv_string(&w, "what", what);
    numbers("eye", c->eye, 3);
    numbers("target", c->target, 3);
    numbers("up", c->up, 3);
    numbers("fov_y", &c->fov_y, 1);
    vt_json_object_end(&w);
}

/* The steps that volume.test.mjs takes, too: change both. */
static void cameras(void)
{
    static const char *const names[] = {"iso", "front", "back", "left", "right", "top", "bottom"};
    const struct vt_box box = {.min = {3, 100, 200}, .max = {40, 120, 511}};
    vt_json_key(&w, "cameras");
    vt_json_array(&w);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct vt_camera c, to, at;
        vt_camera_named(names[i], &c, NULL);
        camera(names[i], &c);
        for (unsigned k = 0; k < 8; k++) {
            vt_camera_orbit(&c, 0.9 * k, k % 3 == 0 ? 0.7 : -0.5);
            camera("orbit", &c);
            vt_camera_pan(&c, 0.1 * k, -0.2);
            camera("pan", &c);
            vt_camera_zoom(&c, k % 2 == 0 ? 0.6 : 1.9);
            camera("zoom", &c);
        }
        vt_camera_named(names[(i + 3) % 7], &to, NULL);
        vt_camera_frame(&to, &box, 9, 16.0 / 9);
        camera("frame", &to);
        to.up[0] += 0.3; /* rolled */
        for (unsigned k = 0; k <= 6; k++) {
            vt_camera_fly(&c, &to, k / 6.0, &at);
            camera("fly", &at);
        }
    }
    vt_json_array_end(&w);
}

/* ---- looks ---- */

static void shares(const char *key, const float *v, unsigned n)
{
    vt_json_key(&w, key);
    vt_json_array(&w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_f64(&w, (double)v[i], 9);
    }
    vt_json_array_end(&w);
}

static void look(enum vt_palette palette, double density, unsigned scale)
{
    static struct vt_march_look l;
    struct vt_scene scene;
    struct vt_camera camera;
    const struct vt_colour highlights[2] = {{1, 2, 3, 255}, {250, 128, 7, 255}};
    const struct vt_march_facts facts = {
        .order = 9, .n_owners = 5, .highlights = highlights, .n_highlights = 2, .now_ms = 77};
    const struct vt_shot shot = {
        .camera = &camera, .scene = &scene, .scale = scale, .now_s = 0.076};
    vt_camera_named("iso", &camera, NULL);
    vt_scene_init(&scene);
    scene.palette = palette;
    scene.density = (float)density;
    if (vt_march_look_init(&l, &facts, &shot, 641, 359, NULL) != 0) {
        return;
    }
    vt_json_object(&w);
    vt_json_kv_string(&w, "palette", palette == VT_PALETTE_DEFAULT ? "default" : "colorblind");
    vt_json_kv_f64(&w, "density", density, 9);
    vt_json_kv_u64(&w, "scale", scale);
    vt_json_kv_u64(&w, "width", l.width);
    vt_json_kv_u64(&w, "height", l.height);
    vt_json_kv_u64(&w, "flags", l.flags);
    shares("eye", l.eye, 3);
    shares("forward", l.forward, 3);
    shares("right", l.right, 4);
    shares("up", l.up, 4);
    shares("background", l.background, 3);
    shares("rest", (float[]){l.coarse, l.heat_decay}, 2);
    shares("absorption", l.absorption, 256);
    shares("opacity", l.class_opacity, VT_CLASSES);
    counts("highlights", l.highlights + 1, 2);
    vt_json_key(&w, "colours");
    vt_json_array(&w);
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        for (unsigned owner = 0; owner <= VT_OWNERS_MAX; owner++) {
            vt_json_u64(&w, l.colours[c][owner]);
        }
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
}

static void looks(void)
{
    vt_json_key(&w, "looks");
    vt_json_array(&w);
    look(VT_PALETTE_DEFAULT, 1, 1);
    look(VT_PALETTE_COLORBLIND, 2.5, 4);
    vt_json_array_end(&w);
    numbers("march",
            (double[]){VT_MARCH_END, VT_MARCH_MORE, VT_MARCH_SHADE, VT_MARCH_TINT,
                       VT_MARCH_DIM_ABSORB, VT_MARCH_DIM_COLOUR, VT_MARCH_HEAT_COLOUR,
                       VT_MARCH_HEAT_ABSORB},
            8);
    vt_json_key(&w, "classes");
    vt_json_array(&w);
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        const struct vt_colour a = vt_palette_class(VT_PALETTE_DEFAULT, c);
        const struct vt_colour b = vt_palette_class(VT_PALETTE_COLORBLIND, c);
        char text[2][8];
        snprintf(text[0], sizeof text[0], "#%02x%02x%02x", a.r, a.g, a.b);
        snprintf(text[1], sizeof text[1], "#%02x%02x%02x", b.r, b.g, b.b);
        vt_json_object(&w);
        vt_json_kv_string(&w, "name", vt_class_name(c));
        vt_json_kv_string(&w, "title", vt_class_title(c));
        vt_json_kv_string(&w, "default", text[0]);
        vt_json_kv_string(&w, "colorblind", text[1]);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
}

int main(void)
{
    static struct vt_bricks bricks;
    vt_bricks_init(&bricks);
    vt_json_init(&w, stdout, false);
    vt_json_object(&w);
    orientations(&bricks);
    pages(&bricks);
    boxes();
    cameras();
    looks();
    vt_json_object_end(&w);
    return ferror(stdout) != 0;
}
