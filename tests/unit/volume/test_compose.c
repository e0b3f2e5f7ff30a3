/* A window's frame against the same arithmetic on the CPU. */
#include "tests/unit/volume/gpu_harness.h"

#include "volume/compose.h"
#include "volume/view.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

#define WIDTH 101u /* not a multiple of anything */
#define HEIGHT 53u
#define PAGES 512u

static struct vt_gpu *gpu;

struct world {
    uint8_t *bytes;
    uint8_t classes[PAGES];
    struct vt_volume *volume;
    struct vt_view *view;
    struct vt_compose *compose;
};

static void check(int rc, const struct vt_error *err)
{
    if (rc != 0) {
        fail_msg("%s", err->message);
    }
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct vt_error err;
    w->bytes = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < PAGES * 4096; i++) {
        w->bytes[i] = (uint8_t)(i * 2654435761u >> 7);
    }
    for (unsigned i = 0; i < PAGES; i++) {
        w->classes[i] = (uint8_t)(VT_CLASS_KERNEL_TEXT + i / 24 % (VT_CLASSES - 3));
    }
    check(vt_volume_create(gpu, w->bytes, PAGES, NULL, &w->volume, &err), &err);
    const struct vt_volume_update update = {.all = true, .classes = w->classes};
    check(vt_volume_update(w->volume, &update, NULL, &err), &err);
    check(vt_view_create(gpu, WIDTH, HEIGHT, &w->view, &err), &err);
    check(vt_compose_create(gpu, &w->compose, &err), &err);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    vt_compose_destroy(w->compose);
    vt_view_destroy(w->view);
    vt_volume_destroy(w->volume);
    munmap(w->bytes, PAGES * 4096);
    free(w);
    return 0;
}

static void draw(struct world *w, unsigned scale)
{
    struct vt_scene scene;
    struct vt_camera camera;
    struct vt_error err;
    vt_scene_init(&scene);
    vt_camera_named("iso", &camera, NULL);
    const struct vt_shot shot = {.camera = &camera, .scene = &scene, .scale = scale};
    check(vt_view_draw(w->view, w->volume, &shot, NULL, &err), &err);
}

static const uint8_t *composed(struct world *w, uint32_t width, uint32_t height, bool bgra,
                               const struct vt_compose_pane *panes, unsigned n,
                               struct vt_canvas **canvas)
{
    struct vt_error err;
    check(vt_compose_draw(w->compose, width, height, bgra, panes, n, NULL, &err), &err);
    check(vt_compose_canvas(w->compose, canvas, &err), &err);
    return vt_canvas_pixels(*canvas);
}

static void assert_near(const uint8_t *a, const double b[3], double within)
{
    for (unsigned i = 0; i < 3; i++) {
        if (fabs(a[i] - b[i]) > within) {
            fail_msg("%u is not %.1f", a[i], b[i]);
        }
    }
}

static void test_a_fine_picture_is_shown_as_it_is(void **state)
{
    struct world *w = *state;
    const uint8_t *rgba;
    struct vt_canvas *canvas;
    struct vt_error err;
    draw(w, 1);
    check(vt_view_pixels(w->view, &rgba, &err), &err);
    for (unsigned bgra = 0; bgra < 2; bgra++) {
        const struct vt_compose_pane pane = {.view = w->view, .width = WIDTH, .height = HEIGHT};
        const uint8_t *got = composed(w, WIDTH, HEIGHT, bgra == 1, &pane, 1, &canvas);
        for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
            assert_memory_equal(got + 4 * i, rgba + 4 * i, 3);
        }
        vt_canvas_destroy(canvas);
    }
}

/* The pixel drawn at (x, y), kept within the picture. */
static const uint8_t *drawn(const uint8_t *rgba, unsigned scale, double x, double y)
{
    uint32_t w = (WIDTH + scale - 1) / scale, h = (HEIGHT + scale - 1) / scale;
    uint32_t px = (uint32_t)fmin(fmax(x, 0), w - 1), py = (uint32_t)fmin(fmax(y, 0), h - 1);
    return rgba + 4 * ((size_t)(py * scale) * WIDTH + (size_t)px * scale);
}

static void test_a_coarse_picture_is_enlarged_smoothly(void **state)
{
    struct world *w = *state;
    for (unsigned scale = 2; scale <= 8; scale *= 2) {
        const uint8_t *rgba; /* every pixel that was drawn as a square */
        struct vt_canvas *canvas;
        struct vt_error err;
        draw(w, scale);
        check(vt_view_pixels(w->view, &rgba, &err), &err);
        const struct vt_compose_pane pane = {.view = w->view, .width = WIDTH, .height = HEIGHT};
        const uint8_t *got = composed(w, WIDTH, HEIGHT, false, &pane, 1, &canvas);
        for (uint32_t y = 0; y < HEIGHT; y++) {
            for (uint32_t x = 0; x < WIDTH; x++) {
                double ax = (x + 0.5) / scale - 0.5, ay = (y + 0.5) / scale - 0.5, want[3];
                double lx = floor(ax), ly = floor(ay), fx = ax - lx, fy = ay - ly;
                for (unsigned i = 0; i < 3; i++) {
                    want[i] = (1 - fy) * ((1 - fx) * drawn(rgba, scale, lx, ly)[i] +
                                          fx * drawn(rgba, scale, lx + 1, ly)[i]) +
                              fy * ((1 - fx) * drawn(rgba, scale, lx, ly + 1)[i] +
                                    fx * drawn(rgba, scale, lx + 1, ly + 1)[i]);
                }
                assert_near(got + 4 * ((size_t)y * WIDTH + x), want, 1);
            }
        }
        vt_canvas_destroy(canvas);
    }
}

static void test_panes_lie_side_by_side_under_their_overlays(void **state)
{
    struct world *w = *state;
    const uint8_t *rgba;
    struct vt_canvas *overlay, *canvas;
    struct vt_error err;
    draw(w, 1);
    check(vt_view_pixels(w->view, &rgba, &err), &err);
    check(vt_canvas_create(30, HEIGHT, &overlay, &err), &err);
    vt_canvas_rect(overlay, 0, 0, 30, 10, (struct vt_colour){200, 100, 0, 255});
    vt_canvas_rect(overlay, 0, 10, 30, 10, (struct vt_colour){255, 255, 255, 128});
    const struct vt_compose_pane panes[2] = {
        {.x = 5,
         .y = 3,
         .width = 30,
         .height = HEIGHT,
         .overlay = overlay,
         .background = {10, 20, 30, 255}},
        {.view = w->view, .x = 40, .y = 3, .width = WIDTH, .height = HEIGHT, .grey = 1},
    };
    const uint8_t *got = composed(w, 160, 60, true, panes, 2, &canvas);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < 30; x++) {
            const double full[3] = {200, 100, 0}, none[3] = {10, 20, 30};
            const double half[3] = {(10 + 255) / 2.0, (20 + 255) / 2.0, (30 + 255) / 2.0};
            assert_near(got + 4 * ((size_t)(y + 3) * 160 + x + 5),
                        y < 10   ? full
                        : y < 20 ? half
                                 : none,
                        1.5);
        }
        for (uint32_t x = 0; x < WIDTH; x++) {
            const uint8_t *from = rgba + 4 * ((size_t)y * WIDTH + x);
            double light = 0.2126 * from[0] + 0.7152 * from[1] + 0.0722 * from[2];
            const double grey[3] = {light, light, light};
            assert_near(got + 4 * ((size_t)(y + 3) * 160 + x + 40), grey, 1);
        }
    }
    vt_canvas_destroy(canvas);
    vt_canvas_destroy(overlay);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    struct world *w = *state;
    struct vt_canvas *canvas = NULL, *overlay;
    struct vt_error err;
    assert_null(vt_compose_frame(w->compose));
    assert_int_equal(vt_compose_canvas(w->compose, &canvas, &err), VT_E_INVAL);
    draw(w, 2);
    check(vt_canvas_create(7, 7, &overlay, &err), &err);
    const struct vt_compose_pane bad[] = {
        {.x = 1, .width = WIDTH, .height = HEIGHT},
        {.y = UINT32_MAX, .width = 1, .height = 1},
        {.width = UINT32_MAX, .height = 1},
        {.width = 0, .height = 1},
        {.view = w->view, .width = WIDTH - 1, .height = HEIGHT},
        {.overlay = overlay, .width = WIDTH, .height = HEIGHT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(vt_compose_draw(w->compose, WIDTH, HEIGHT, false, &bad[i], 1, NULL, &err),
                         VT_E_INVAL);
    }
    const struct vt_compose_pane many[VT_COMPOSE_PANES + 1] = {{.width = 1, .height = 1}};
    assert_int_equal(
        vt_compose_draw(w->compose, WIDTH, HEIGHT, false, many, VT_COMPOSE_PANES + 1, NULL, &err),
        VT_E_LIMIT);
    vt_canvas_destroy(overlay);
}

static void test_the_frame_changes_its_size(void **state)
{
    struct world *w = *state;
    draw(w, 1);
    const uint32_t sizes[][2] = {{WIDTH, HEIGHT}, {300, 200}, {WIDTH, HEIGHT}};
    for (unsigned i = 0; i < 3; i++) {
        struct vt_canvas *canvas;
        const struct vt_compose_pane pane = {.view = w->view, .width = WIDTH, .height = HEIGHT};
        composed(w, sizes[i][0], sizes[i][1], false, &pane, 1, &canvas);
        assert_int_equal(vt_canvas_width(canvas), sizes[i][0]);
        assert_int_equal(vt_canvas_height(canvas), sizes[i][1]);
        assert_int_equal(vt_compose_frame(w->compose)->bytes, sizes[i][0] * sizes[i][1] * 4);
        vt_canvas_destroy(canvas);
    }
}

#define in_world(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(test_a_fine_picture_is_shown_as_it_is),
        in_world(test_a_coarse_picture_is_enlarged_smoothly),
        in_world(test_panes_lie_side_by_side_under_their_overlays),
        in_world(test_what_does_not_fit_is_refused),
        in_world(test_the_frame_changes_its_size),
    };
    gpu = vt_test_gpu_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (vt_gpu_complaint(gpu) != NULL) {
        fprintf(stderr, "%s\n", vt_gpu_complaint(gpu));
    }
    return vt_gpu_close(gpu) == 0 && failed == 0 ? 0 : 1;
}
