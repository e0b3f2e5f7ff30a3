/* Pictures of a device against the reference on the CPU, and golden ones: test_view DIR compares
 * with DIR/view-<name>.png, test_view --rebase DIR writes them.
 *
 * Tolerance: floats and doubles part where a ray runs along an edge, so one pixel in 200 may differ
 * by more than 3 of 255, and picks may differ where the reference says that two voxels are within a
 * thousandth of each other. Look at the pictures before committing rebased ones. */
#include "tests/unit/volume/gpu_harness.h"

#include "volume/view.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WIDTH 96
#define HEIGHT 64
#define PIXELS ((size_t)WIDTH * HEIGHT)
#define TOLERANCE 3
#define TIE 1e-3F

static const char *dir;
static bool rebase;
static struct vt_gpu *gpu;

struct world {
    uint8_t *bytes;
    uint64_t n_pages;
    uint8_t *classes, *owners;
    struct vt_highlights highlights;
    struct vt_highlight highlight[2];
    struct vt_gpa_run runs[2];
    struct vt_volume *volume;
    struct vt_view *view;
    struct vt_scene scene;
    struct vt_camera camera;
    struct vt_shot shot;
};

static uint32_t next(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

/* Runs of pages of all classes: text, zeros, sparse and random bytes, holes. */
static void fill(struct world *w)
{
    uint32_t x = 7;
    for (uint64_t page = 0; page < w->n_pages;) {
        unsigned class = next(&x) % VT_CLASSES, owner = next(&x) % 4, kind = next(&x) % 4;
        for (uint64_t run = 1 + next(&x) % 6; run > 0 && page < w->n_pages; run--, page++) {
            w->classes[page] = (uint8_t)class;
            w->owners[page] = (uint8_t)owner;
            for (size_t i = 0; i < 4096; i++) {
                uint32_t r = next(&x);
                uint8_t byte = kind == 0   ? (uint8_t)(r % 97 == 0 ? r >> 8 : 0)
                               : kind == 1 ? (uint8_t)(32 + r % 95)
                               : kind == 2 ? (uint8_t)(i % 64 < 20 ? i : 0)
                                           : (uint8_t)r;
                bool nothing = class == VT_CLASS_HOLE || class == VT_CLASS_ZERO;
                w->bytes[page * 4096 + i] = nothing ? 0 : byte;
            }
        }
    }
}

static void update(struct world *w, const uint64_t *pages, size_t n, double now_s)
{
    struct vt_error err;
    const struct vt_volume_update what = {.pages = pages,
                                          .n_pages = n,
                                          .all = pages == NULL,
                                          .classes = w->classes,
                                          .owners = w->owners,
                                          .highlights = &w->highlights,
                                          .now_s = now_s};
    if (vt_volume_update(w->volume, &what, NULL, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static struct world *world_create(uint64_t n_pages)
{
    struct world *w = calloc(1, sizeof *w);
    struct vt_error err;
    w->n_pages = n_pages;
    w->bytes =
        mmap(NULL, n_pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(w->bytes != MAP_FAILED);
    w->classes = malloc(n_pages);
    w->owners = malloc(n_pages);
    fill(w);
    for (unsigned i = 0; i < 2; i++) {
        w->runs[i] = (struct vt_gpa_run){VT_GPA((9 + 11 * i) * 4096ull), 4096 * (1 + 4 * i)};
        w->highlight[i] = (struct vt_highlight){.name = "h",
                                                .colour = {255, i ? 0 : 255, i ? 255 : 0, 255},
                                                .runs = &w->runs[i],
                                                .n_runs = 1,
                                                .bytes = w->runs[i].bytes};
    }
    w->highlights = (struct vt_highlights){w->highlight, 0};
    if (vt_volume_create(gpu, w->bytes, n_pages, NULL, &w->volume, &err) != 0 ||
        vt_view_create(gpu, WIDTH, HEIGHT, &w->view, &err) != 0) {
        fail_msg("%s", err.message);
    }
    vt_view_coarsen(w->view, 0);
    update(w, NULL, 0, 1);
    vt_scene_init(&w->scene);
    w->scene.heat = false;
    assert_int_equal(vt_camera_named("iso", &w->camera, NULL), 0);
    w->shot = (struct vt_shot){.camera = &w->camera, .scene = &w->scene, .scale = 1, .now_s = 10};
    return w;
}

static void world_destroy(struct world *w)
{
    vt_view_destroy(w->view);
    vt_volume_destroy(w->volume);
    munmap(w->bytes, w->n_pages * 4096);
    free(w->classes);
    free(w->owners);
    free(w);
}

static const uint8_t *draw(struct world *w)
{
    struct vt_error err;
    const uint8_t *rgba = NULL;
    if (vt_view_draw(w->view, w->volume, &w->shot, NULL, &err) != 0 ||
        vt_view_pixels(w->view, &rgba, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return rgba;
}

/* ---- against the reference ---- */

static void compare(struct world *w, const char *what)
{
    const uint8_t *rgba = draw(w);
    struct vt_march_look look;
    struct vt_march_ram ram = vt_volume_ram(w->volume);
    assert_int_equal(vt_volume_look(w->volume, &w->shot, WIDTH, HEIGHT, &look, NULL), 0);
    size_t different = 0, seen = 0;
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            struct vt_march_ray ray;
            (w->shot.method == VT_METHOD_SLICES ? vt_march_reference_slices : vt_march_reference)(
                &look, &ram, x / w->shot.scale, y / w->shot.scale, &ray);
            bool same = true;
            for (unsigned i = 0; i < 4; i++) {
                int expected = (int)lrintf(ray.rgba[i] * 255);
                same &= abs(expected - rgba[(y * WIDTH + x) * 4 + i]) <= TOLERANCE;
            }
            different += !same;
            seen += ray.hit;
        }
    }
    if (different > PIXELS / 200 * w->shot.scale * w->shot.scale) {
        fail_msg("%s: %zu of %zu pixels differ from the reference", what, different, PIXELS);
    }
    assert_true(seen > PIXELS / 20);
}

static void both_methods(struct world *w, const char *what)
{
    for (int method = 0; method < 2; method++) {
        w->shot.method = (enum vt_method)method;
        compare(w, what);
    }
    w->shot.method = VT_METHOD_MARCH;
}

static void as_the_reference(void **state)
{
    (void)state;
    static const char *const views[] = {"front", "left", "top", "iso"};
    const uint64_t sizes[] = {64, 41};
    for (unsigned s = 0; s < 2; s++) {
        struct world *w = world_create(sizes[s]);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(vt_camera_named(views[i], &w->camera, NULL), 0);
            both_methods(w, views[i]);
        }
        w->scene.density = 0.2F;
        both_methods(w, "thin");
        w->scene.opacity[0] = 0.02F;
        both_methods(w, "zeros that are seen");
        w->scene.opacity[0] = 0;
        w->scene.palette = VT_PALETTE_COLORBLIND;
        w->scene.background = (struct vt_colour){255, 255, 255, 128};
        w->scene.class_opacity[VT_CLASS_USER_HEAP] = 0;
        both_methods(w, "another palette");
        w->highlights.n = 2;
        update(w, (const uint64_t[]){3, 8, 30}, 3, 9.5);
        w->scene.heat = true;
        both_methods(w, "highlights and heat");
        w->scene.only_owner = 2;
        both_methods(w, "one owner");
        for (unsigned i = 0; i < 3; i++) {
            w->scene.slice_on[i] = true;
            w->scene.slice[i] = 0.3F + 0.2F * (float)i;
            w->scene.clip_min[i] = 0.1F;
            w->scene.clip_max[i] = 0.8F;
        }
        both_methods(w, "slices and clip box");
        w->shot.scale = 4;
        both_methods(w, "every fourth pixel");
        w->shot.scale = 1;
        for (unsigned i = 0; i < 3; i++) {
            w->camera.eye[i] = 0.4; /* inside */
            w->camera.target[i] = 0.1;
        }
        both_methods(w, "from inside");
        world_destroy(w);
    }
}

/* What views do unless told otherwise: coarser cells where they are little of the picture. */
static void coarser_cells_are_hardly_seen(void **state)
{
    (void)state;
    struct world *w = world_create(64);
    uint8_t exact[PIXELS * 4];
    for (unsigned i = 0; i < 2; i++) {
        w->scene.density = i == 0 ? 1 : 0.1F;
        vt_view_coarsen(w->view, 0);
        memcpy(exact, draw(w), sizeof exact);
        vt_view_coarsen(w->view, 1);
        const uint8_t *rgba = draw(w);
        double squares = 0;
        for (size_t k = 0; k < sizeof exact; k++) {
            squares += (exact[k] - rgba[k]) * (exact[k] - rgba[k]);
        }
        print_message("rms %.2f\n", sqrt(squares / sizeof exact));
        assert_true(sqrt(squares / sizeof exact) < 2);
    }
    world_destroy(w);
}

static void picks_as_the_reference(void **state)
{
    (void)state;
    struct world *w = world_create(64);
    w->highlights.n = 2;
    update(w, (const uint64_t[]){3, 8, 30}, 3, 9.5);
    w->scene.heat = true;
    w->scene.slice_on[1] = true;
    struct vt_march_ram ram = vt_volume_ram(w->volume);
    uint32_t x = 1;
    unsigned ties = 0, hits = 0, picks = 0;
    for (unsigned round = 0; round < 8; round++) {
        vt_camera_orbit(&w->camera, 0.7, round % 2 ? 0.4 : -0.3);
        w->shot.method = round < 6 ? VT_METHOD_MARCH : VT_METHOD_SLICES;
        w->scene.density = round % 3 == 0 ? 8.0F : 0.5F;
        draw(w);
        struct vt_march_look look;
        assert_int_equal(vt_volume_look(w->volume, &w->shot, WIDTH, HEIGHT, &look, NULL), 0);
        for (unsigned n = 0; n < 1250; n++, picks++) {
            uint32_t px = next(&x) % WIDTH, py = next(&x) % HEIGHT;
            struct vt_picked got, expected;
            struct vt_march_ray ray;
            assert_int_equal(vt_view_pick(w->view, px, py, &got, NULL), 0);
            (round < 6 ? vt_march_reference : vt_march_reference_slices)(&look, &ram, px, py, &ray);
            vt_pick_reference(w->volume, &w->shot, WIDTH, HEIGHT, px, py, &expected);
            assert_int_equal(expected.hit, ray.hit);
            bool same = got.hit == expected.hit && got.offset.v == expected.offset.v;
            if (!same && ray.margin >= TIE) {
                fail_msg("round %u, pixel (%u, %u): voxel (%u, %u, %u), by the reference (%u, %u, "
                         "%u), which hides %g, by %g the most",
                         round, px, py, got.voxel[0], got.voxel[1], got.voxel[2], expected.voxel[0],
                         expected.voxel[1], expected.voxel[2], (double)ray.hides,
                         (double)ray.margin);
            }
            if (got.hit) {
                uint64_t page = got.offset.v / 4096;
                assert_int_equal(got.value, w->bytes[got.offset.v]);
                assert_int_equal(got.page_class, w->classes[page]);
                assert_int_equal(got.owner, w->owners[page]);
                assert_int_equal(got.highlight, page == 9 ? 1 : page >= 20 && page < 25 ? 2 : 0);
            }
            ties += !same;
            hits += got.hit;
        }
    }
    print_message("%u picks, %u of something, %u ties\n", picks, hits, ties);
    assert_int_equal(picks, 10000);
    assert_true(hits > 2000);
    assert_true(ties <= 100);
    world_destroy(w);
}

/* ---- golden ---- */

static void golden(struct world *w, const char *name)
{
    char path[4096];
    const uint8_t *drawn = draw(w);
    assert_true((size_t)snprintf(path, sizeof path, "%s/view-%s.png", dir, name) < sizeof path);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT};
    if (rebase) {
        image.format = PNG_FORMAT_RGBA;
        assert_true(png_image_write_to_file(&image, path, 0, drawn, 0, NULL));
        return;
    }
    if (!png_image_begin_read_from_file(&image, path)) {
        fail_msg("%s: %s", path, image.message);
    }
    image.format = PNG_FORMAT_RGBA;
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    uint8_t expected[PIXELS * 4];
    assert_true(png_image_finish_read(&image, NULL, expected, 0, NULL));
    size_t different = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        bool same = true;
        for (unsigned k = 0; k < 4; k++) {
            same &= abs(expected[i * 4 + k] - drawn[i * 4 + k]) <= TOLERANCE;
        }
        different += !same;
    }
    if (different > PIXELS / 200) {
        fail_msg("%s: %zu pixels differ by more than %d; test_view --rebase %s writes it anew",
                 path, different, TOLERANCE, dir);
    }
}

static void golden_pictures(void **state)
{
    (void)state;
    struct world *w = world_create(64);
    golden(w, "classes");
    w->scene.slice_on[0] = w->scene.slice_on[1] = w->scene.slice_on[2] = true;
    golden(w, "slices");
    w->scene.slice_on[0] = w->scene.slice_on[1] = w->scene.slice_on[2] = false;
    w->highlights.n = 2;
    update(w, (const uint64_t[]){3}, 1, 9.5);
    w->scene.heat = true;
    golden(w, "highlights");
    w->highlights.n = 0;
    update(w, (const uint64_t[]){3}, 1, 1);
    w->scene.heat = false;
    vt_view_coarsen(w->view, 4); /* cells of 4 to 8 voxels */
    golden(w, "lod");
    w->shot.method = VT_METHOD_SLICES;
    golden(w, "lod-planes");
    world_destroy(w);
}

/* ---- refused ---- */

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct vt_view *view = NULL;
    struct vt_error err;
    assert_int_equal(vt_view_create(gpu, 15, 100, &view, &err), VT_E_INVAL);
    assert_int_equal(vt_view_create(gpu, 100, 16385, &view, &err), VT_E_INVAL);
    assert_null(view);
    struct world *w = world_create(8);
    const uint8_t *rgba;
    struct vt_picked picked;
    assert_int_equal(vt_view_pixels(w->view, &rgba, &err), VT_E_INVAL);
    assert_int_equal(vt_view_pick(w->view, 0, 0, &picked, &err), VT_E_INVAL);
    w->shot.scale = 3;
    assert_int_equal(vt_view_draw(w->view, w->volume, &w->shot, NULL, &err), VT_E_INVAL);
    w->shot.scale = 8;
    w->scene.density = NAN;
    w->scene.slice[0] = INFINITY;
    w->scene.slice_on[0] = true;
    w->scene.heat = true;
    w->scene.heat_s = -1;
    assert_int_equal(vt_view_draw(w->view, w->volume, &w->shot, NULL, &err), 0);
    assert_int_equal(vt_view_pick(w->view, WIDTH, 0, &picked, &err), VT_E_INVAL);
    assert_int_equal(vt_view_pick(w->view, WIDTH - 1, HEIGHT - 1, &picked, &err), 0);
    world_destroy(w);
}

int main(int argc, char **argv)
{
    rebase = argc > 2 && strcmp(argv[1], "--rebase") == 0;
    dir = argv[argc - 1];
    gpu = vt_test_gpu_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_reference),       cmocka_unit_test(coarser_cells_are_hardly_seen),
        cmocka_unit_test(picks_as_the_reference), cmocka_unit_test(golden_pictures),
        cmocka_unit_test(nonsense_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    void *state = gpu;
    return failed + (vt_test_gpu_teardown(&state) != 0);
}
