/* Finished pictures of a small RAM, as golden ones (golden.h): every class, both palettes, slices,
 * highlights with labels, and each level of detail, with title and legend over what a device drew.
 *
 * Tolerance: drivers round differently where a ray runs along an edge, so 5 pixels of 1000 may
 * differ by more than 4 of 255. Look at the pictures before committing rebased ones. */
#include "tests/unit/volume/golden.h"
#include "tests/unit/volume/gpu_harness.h"

#include "volume/overlay.h"
#include "volume/view.h"

#include <sys/mman.h>

#define ORDER 7
#define PAGES 512u /* the whole cube */
#define TOLERANCE 4
#define ODD 5

static struct vt_gpu *gpu;

/* What a small guest might hold, in the order of its addresses. */
static const struct {
    enum vt_page_class page_class;
    unsigned pages, owner;
    char kind; /* of bytes: t(ext), c(ode), s(parse), z(eros) */
} layout[] = {
    {VT_CLASS_KERNEL_TEXT, 70, 0, 'c'},
    {VT_CLASS_KERNEL_DATA, 34, 0, 's'},
    {VT_CLASS_KERNEL_RESERVED, 24, 0, 's'},
    {VT_CLASS_KERNEL_SLAB, 60, 0, 's'},
    {VT_CLASS_PAGE_TABLE, 8, 0, 's'},
    {VT_CLASS_KERNEL_STACK, 10, 0, 's'},
    {VT_CLASS_KERNEL_VMALLOC, 12, 0, 's'},
    {VT_CLASS_KERNEL_OTHER, 10, 0, 's'},
    {VT_CLASS_PAGE_CACHE, 44, 0, 't'},
    {VT_CLASS_FREE, 40, 0, 't'},
    {VT_CLASS_ZERO, 20, 0, 'z'},
    {VT_CLASS_HOLE, 64, 0, 'z'},
    {VT_CLASS_USER_CODE, 30, 1, 'c'},
    {VT_CLASS_USER_HEAP, 26, 1, 't'},
    {VT_CLASS_USER_STACK, 6, 1, 's'},
    {VT_CLASS_USER_FILE, 20, 2, 't'},
    {VT_CLASS_USER_ANON, 18, 2, 's'},
    {VT_CLASS_LIKE_TEXT, 4, 0, 't'},
    {VT_CLASS_LIKE_CODE, 4, 0, 'c'},
    {VT_CLASS_LIKE_PACKED, 4, 0, 'c'},
    {VT_CLASS_LIKE_DATA, 4, 0, 's'},
};

struct world {
    uint8_t *bytes;
    uint8_t classes[PAGES], owners[PAGES];
    uint64_t totals[VT_CLASSES];
    struct vt_gpa_run heap, scattered[3];
    struct vt_highlight highlight[2];
    struct vt_highlights highlights;
    struct vt_volume *volume;
};

static uint8_t byte_of(char kind, uint32_t r, size_t at)
{
    switch (kind) {
    case 't':
        return (uint8_t)(32 + r % 95);
    case 'c':
        return (uint8_t)r;
    case 's':
        return at / 64 % 3 == 0 ? (uint8_t)(r % 64) : 0;
    default:
        return 0;
    }
}

static void fill(struct world *w)
{
    uint32_t x = 11;
    size_t page = 0;
    for (size_t i = 0; i < sizeof layout / sizeof layout[0]; i++) {
        for (unsigned n = 0; n < layout[i].pages; n++, page++) {
            assert_true(page < PAGES);
            w->classes[page] = (uint8_t)layout[i].page_class;
            w->owners[page] = (uint8_t)layout[i].owner;
            w->totals[layout[i].page_class]++;
            for (size_t at = 0; at < 4096; at++) {
                x = x * 1664525 + 1013904223;
                w->bytes[page * 4096 + at] = byte_of(layout[i].kind, x >> 8, at);
            }
        }
    }
    assert_int_equal(page, PAGES);
}

static void update(struct world *w, bool highlights)
{
    struct vt_error err;
    w->highlights.n = highlights ? 2 : 0;
    const struct vt_volume_update what = {.all = true,
                                          .classes = w->classes,
                                          .owners = w->owners,
                                          .highlights = &w->highlights,
                                          .now_s = 1};
    if (vt_volume_update(w->volume, &what, NULL, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->bytes = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(w->bytes != MAP_FAILED);
    fill(w);
    w->heap = (struct vt_gpa_run){VT_GPA(442 << 12), 20 << 12};
    for (unsigned i = 0; i < 3; i++) {
        w->scattered[i] = (struct vt_gpa_run){VT_GPA((20 + 150 * i) << 12), (4 + 4 * i) << 12};
    }
    w->highlight[0] = (struct vt_highlight){.name = "heap",
                                            .label = "httpd [heap]",
                                            .colour = {0x00, 0xe5, 0xff, 255},
                                            .runs = &w->heap,
                                            .n_runs = 1,
                                            .bytes = 20 << 12};
    w->highlight[1] = (struct vt_highlight){.name = "dma",
                                            .label = "rings",
                                            .colour = {0xff, 0x3f, 0xd8, 255},
                                            .runs = w->scattered,
                                            .n_runs = 3,
                                            .bytes = 24 << 12};
    w->highlights.all = w->highlight;
    *state = w;
    return vt_volume_create(gpu, w->bytes, PAGES, &(struct vt_volume_options){.copy = false},
                            &w->volume, NULL);
}

static int teardown(void **state)
{
    struct world *w = *state;
    vt_volume_destroy(w->volume);
    munmap(w->bytes, PAGES * 4096);
    free(w);
    return 0;
}

/* Levels are chosen as for pixels `coarser` times as wide. */
static void picture(struct world *w, const char *view_name, const struct vt_scene *scene,
                    float coarser, uint32_t width, uint32_t height, const char *name)
{
    const struct vt_box all = {.max = {127, 127, 127}};
    struct vt_camera camera;
    struct vt_shot shot = {.camera = &camera, .scene = scene, .scale = 1, .now_s = 1};
    struct vt_overlay overlay = {.camera = &camera,
                                 .scene = scene,
                                 .order = ORDER,
                                 .ram_bytes = PAGES * 4096,
                                 .highlights = w->highlights.all,
                                 .n_highlights = w->highlights.n,
                                 .name = "golden",
                                 .system = "2 MiB of everything",
                                 .consistency = "a saved copy",
                                 .unix_s = 1780000000,
                                 .totals = w->totals};
    struct vt_view *view;
    struct vt_canvas *canvas;
    const uint8_t *rgba;
    struct vt_error err;
    assert_int_equal(vt_camera_named(view_name, &camera, &err), 0);
    vt_overlay_frame(&camera, &all, ORDER, width, height, scene->labels);
    assert_int_equal(vt_view_create(gpu, width, height, &view, &err), 0);
    vt_view_coarsen(view, coarser);
    if (vt_view_draw(view, w->volume, &shot, NULL, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(vt_view_pixels(view, &rgba, &err), 0);
    assert_int_equal(vt_canvas_create(width, height, &canvas, &err), 0);
    vt_canvas_put(canvas, rgba);
    vt_overlay_draw(&overlay, canvas);
    vt_golden_compare_near(canvas, name, TOLERANCE, ODD);
    vt_canvas_destroy(canvas);
    vt_view_destroy(view);
}

static void classes_in_both_palettes(void **state)
{
    struct vt_scene scene;
    update(*state, false);
    vt_scene_init(&scene);
    picture(*state, "iso", &scene, 0, 480, 270, "picture-classes");
    scene.palette = VT_PALETTE_COLORBLIND;
    picture(*state, "iso", &scene, 0, 480, 270, "picture-colorblind");
}

static void slices_and_a_clip_box(void **state)
{
    struct vt_scene scene;
    update(*state, false);
    vt_scene_init(&scene);
    scene.slice_on[2] = scene.slice_on[0] = true;
    scene.slice[2] = 0.6F;
    scene.slice[0] = 0.35F;
    scene.clip_max[2] = 0.8F;
    picture(*state, "iso", &scene, 0, 320, 180, "picture-slices");
}

static void highlights_with_labels(void **state)
{
    struct vt_scene scene;
    update(*state, true);
    vt_scene_init(&scene);
    picture(*state, "iso", &scene, 0, 480, 270, "picture-highlights");
}

/* From every voxel to cells of 16 at once. */
static void levels_of_detail(void **state)
{
    struct vt_scene scene;
    char name[32];
    update(*state, false);
    vt_scene_init(&scene);
    for (unsigned level = 0; level <= 4; level++) {
        float voxels = 0.9F; /* in a pixel of 135 rows */
        snprintf(name, sizeof name, "picture-level-%u", level);
        picture(*state, "iso", &scene, (float)(1u << level) / voxels, 240, 135, name);
    }
}

int main(int argc, char **argv)
{
    vt_golden_args(argc, argv);
    gpu = vt_test_gpu_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_in_both_palettes, setup, teardown),
        cmocka_unit_test_setup_teardown(slices_and_a_clip_box, setup, teardown),
        cmocka_unit_test_setup_teardown(highlights_with_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_of_detail, setup, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    void *state = gpu;
    return failed + (vt_test_gpu_teardown(&state) != 0);
}
