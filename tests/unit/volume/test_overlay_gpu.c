/* Overlays that a device draws against those of a canvas, over the same picture.
 *
 * Tolerance: lines, rectangles and words are the same to 2 of 255; round corners and discs, whose
 * cover a device takes from a distance, to 32 of 255 and in no more than one pixel in 50, where
 * there are dozens of labels. */
#include "tests/unit/volume/gpu_harness.h"

#include "volume/canvas.h"
#include "volume/overlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 64
#define HIGHLIGHTS 40
#define SAME 2
#define ROUND 32

static struct vt_gpu *gpu;
static uint8_t *bytes;
static struct vt_volume *volume;
static struct vt_scene scene;
static struct vt_camera camera;
static struct vt_gpa_run runs[HIGHLIGHTS][2];
static struct vt_highlight highlights[HIGHLIGHTS];
static uint64_t totals[VT_CLASSES];

static void make_volume(void)
{
    struct vt_error err;
    bytes = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    for (size_t i = 0; i < PAGES * 4096; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    if (vt_volume_create(gpu, bytes, PAGES, NULL, &volume, &err) != 0 ||
        vt_volume_update(volume, &(struct vt_volume_update){.all = true}, NULL, &err) != 0) {
        fail_msg("%s", err.message);
    }
    for (unsigned i = 0; i < HIGHLIGHTS; i++) {
        runs[i][0] = (struct vt_gpa_run){VT_GPA(i * 4096), 4096};
        runs[i][1] = (struct vt_gpa_run){VT_GPA((PAGES - 1 - i) * 4096), 4096};
        highlights[i] = (struct vt_highlight){.colour = {(uint8_t)(i * 6), 200, 90, 255},
                                              .runs = runs[i],
                                              .n_runs = 2,
                                              .bytes = 8192};
        snprintf(highlights[i].label, sizeof highlights[i].label, "highlight %u \u00e4 [%x]", i,
                 i * 977);
    }
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        totals[c] = 3 * c + 1;
    }
    vt_scene_init(&scene);
}

static struct vt_overlay overlay_of(size_t n_highlights)
{
    return (struct vt_overlay){.camera = &camera,
                               .scene = &scene,
                               .order = vt_volume_side(volume),
                               .highlights = highlights,
                               .n_highlights = n_highlights,
                               .name = "a VM",
                               .system = "Linux",
                               .consistency = "live",
                               .credit = "vitrine",
                               .unix_s = 1780000000,
                               .totals = totals};
}

/* Draws once with the overlay on the device, once with it on a canvas. */
static void compare(struct vt_view *view, struct vt_overlay overlay, uint32_t width,
                    uint32_t height, unsigned scale, const char *what)
{
    struct vt_shot shot = {.camera = &camera, .scene = &scene, .scale = scale, .now_s = 9};
    struct vt_error err;
    const uint8_t *rgba;
    struct vt_canvas *canvas;
    assert_int_equal(vt_canvas_create(width, height, &canvas, &err), 0);
    if (vt_view_draw(view, volume, &shot, NULL, &err) != 0 ||
        vt_view_pixels(view, &rgba, &err) != 0) {
        fail_msg("%s", err.message);
    }
    vt_canvas_put(canvas, rgba);
    vt_overlay_draw(&overlay, canvas);
    shot.overlay = &overlay;
    if (vt_view_draw(view, volume, &shot, NULL, &err) != 0 ||
        vt_view_pixels(view, &rgba, &err) != 0) {
        fail_msg("%s", err.message);
    }
    const uint8_t *expected = vt_canvas_pixels(canvas);
    size_t other = 0, worst = 0, n = (size_t)width * height;
    for (size_t i = 0; i < n; i++) {
        size_t most = 0;
        for (size_t k = 0; k < 4; k++) {
            size_t d = (size_t)abs(expected[i * 4 + k] - rgba[i * 4 + k]);
            most = d > most ? d : most;
        }
        other += most > SAME;
        worst = most > worst ? most : worst;
    }
    if (other > n / 50 || worst > ROUND) {
        fail_msg("%s, %ux%u at 1/%u: %zu pixels differ, by up to %zu", what, width, height, scale,
                 other, worst);
    }
    vt_canvas_destroy(canvas);
}

static void as_on_a_canvas(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{960, 540}, {500, 283}, {333, 191}, {64, 40}};
    for (unsigned s = 0; s < 4; s++) {
        uint32_t width = sizes[s][0], height = sizes[s][1];
        struct vt_view *view;
        assert_int_equal(vt_view_create(gpu, width, height, &view, NULL), 0);
        assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
        compare(view, overlay_of(4), width, height, 1, "iso");
        for (unsigned i = 0; i < 3; i++) {
            vt_camera_orbit(&camera, 0.7, 0.3);
            compare(view, overlay_of(4), width, height, i == 1 ? 4 : 1, "orbit");
        }
        compare(view, overlay_of(HIGHLIGHTS), width, height, 8, "many");
        for (unsigned i = 0; i < 3; i++) {
            camera.eye[i] = 0.3; /* lines from behind the eye */
            camera.target[i] = 0.9;
        }
        compare(view, overlay_of(HIGHLIGHTS), width, height, 1, "from within");
        struct vt_overlay none = overlay_of(0);
        none.name = NULL;
        none.totals = NULL;
        compare(view, none, width, height, 2, "a frame only");
        vt_view_destroy(view);
    }
}

/* More words than sprites are kept for: the oldest are made anew. */
static void more_words_than_there_is_room_for(void **state)
{
    (void)state;
    struct vt_view *view;
    char name[64];
    assert_int_equal(vt_view_create(gpu, 500, 283, &view, NULL), 0);
    assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
    struct vt_shot shot = {.camera = &camera, .scene = &scene, .scale = 8, .now_s = 9};
    for (unsigned i = 0; i < 120; i++) {
        struct vt_overlay overlay = overlay_of(i % 7);
        struct vt_error err;
        snprintf(name, sizeof name, "the %u. name of a machine", i);
        overlay.name = name;
        overlay.unix_s += i;
        shot.overlay = &overlay;
        if (vt_view_draw(view, volume, &shot, NULL, &err) != 0) {
            fail_msg("%s", err.message);
        }
        if (i % 40 == 39) {
            compare(view, overlay, 500, 283, 1, "the last of many");
        }
    }
    vt_view_destroy(view);
}

int main(void)
{
    gpu = vt_test_gpu_open();
    make_volume();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_on_a_canvas),
        cmocka_unit_test(more_words_than_there_is_room_for),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vt_volume_destroy(volume);
    munmap(bytes, PAGES * 4096);
    void *state = gpu;
    return failed + (vt_test_gpu_teardown(&state) != 0);
}
