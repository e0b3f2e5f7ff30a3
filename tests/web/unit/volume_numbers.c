/* What the native renderer computes, as JSON, for tests of the same in the browser
 * (volume.test.mjs): curves, boxes, cameras. */
#include "base/json_writer.h"
#include "volume/camera.h"
#include "volume/hilbert3d.h"
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
    vt_json_object_end(&w);
    return ferror(stdout) != 0;
}
