/* Overlays over a plain background, as golden pictures (golden.h). Look at them before committing
 * rebased ones. */
#include "tests/unit/volume/golden.h"

#include "volume/overlay.h"

static struct vt_gpa_run heap = {VT_GPA(8 << 20), 2 << 20};
static struct vt_gpa_run code[] = {{VT_GPA(40 << 20), 1 << 20}, {VT_GPA(52 << 20), 1 << 20}};
static struct vt_gpa_run scattered[40];
static struct vt_gpa_run last = {VT_GPA(60 << 20), 4 << 20};
static struct vt_highlight highlights[] = {
    {.label = "sshd [heap]", .colour = {0x00, 0xe5, 0xff, 255}, .runs = &heap, .n_runs = 1},
    {.label = "busybox code", .colour = {0x3b, 0x82, 0xf6, 255}, .runs = code, .n_runs = 2},
    {.label = "a\033[31mname\xff that is much too long for the label's column",
     .colour = {0xff, 0xb0, 0x20, 255},
     .runs = scattered,
     .n_runs = 40},
    {.label = "page tables", .colour = {0xff, 0x3f, 0xd8, 255}, .runs = &last, .n_runs = 1},
};

static void fill(void)
{
    uint32_t x = 7;
    for (unsigned i = 0; i < 40; i++) {
        x = x * 1664525 + 1013904223;
        scattered[i] = (struct vt_gpa_run){VT_GPA((16 << 20) + (uint64_t)(x >> 21) * 4096), 4096};
    }
    for (unsigned i = 0; i < 4; i++) {
        highlights[i].bytes = 0;
        for (size_t k = 0; k < highlights[i].n_runs; k++) {
            highlights[i].bytes += highlights[i].runs[k].bytes;
        }
    }
}

static const uint64_t totals[VT_CLASSES] = {
    [VT_CLASS_HOLE] = 6000,       [VT_CLASS_ZERO] = 1000,       [VT_CLASS_FREE] = 2000,
    [VT_CLASS_KERNEL_TEXT] = 900, [VT_CLASS_KERNEL_DATA] = 480, [VT_CLASS_KERNEL_SLAB] = 2300,
    [VT_CLASS_PAGE_TABLE] = 12,   [VT_CLASS_PAGE_CACHE] = 1800, [VT_CLASS_USER_CODE] = 450,
    [VT_CLASS_USER_HEAP] = 700,   [VT_CLASS_USER_ANON] = 600,   [VT_CLASS_USER_STACK] = 142,
};

static void draw_and_compare(struct vt_overlay o, const struct vt_camera *camera,
                             const struct vt_scene *scene, uint32_t width, uint32_t height,
                             const char *name)
{
    struct vt_canvas *canvas;
    struct vt_error err;
    assert_int_equal(vt_canvas_create(width, height, &canvas, &err), 0);
    vt_canvas_rect(canvas, 0, 0, (int32_t)width, (int32_t)height, scene->background);
    o.camera = camera;
    o.scene = scene;
    vt_overlay_draw(&o, canvas);
    vt_golden_compare(canvas, name);
    vt_canvas_destroy(canvas);
}

static void a_whole_volume(void **state)
{
    (void)state;
    struct vt_camera camera;
    struct vt_scene scene;
    fill();
    vt_scene_init(&scene);
    assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
    vt_camera_zoom(&camera, 1.3);
    draw_and_compare((struct vt_overlay){.order = 9,
                                         .highlights = highlights,
                                         .n_highlights = 4,
                                         .name = "golden",
                                         .system = "Linux 6.1.0-amd64",
                                         .consistency = "paused",
                                         .credit = "vitrine",
                                         .unix_s = 1780000000,
                                         .totals = totals},
                     &camera, &scene, 960, 540, "overlay-iso");
}

static void from_within(void **state)
{
    (void)state;
    struct vt_camera camera;
    struct vt_scene scene;
    struct vt_box box;
    fill();
    vt_scene_init(&scene);
    assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
    assert_int_equal(vt_volume_box(9, VT_OFF(8 << 20), 2 << 20, &box, NULL), 0);
    vt_camera_orbit(&camera, 1, -0.4);
    vt_camera_frame(&camera, &box, 9, 16.0 / 9);
    draw_and_compare((struct vt_overlay){.order = 9, .highlights = highlights, .n_highlights = 4},
                     &camera, &scene, 400, 225, "overlay-within");
}

/* More labels than there is room for, in a colour-blind-safe legend with more rows than it gets. */
static void more_than_there_is_room_for(void **state)
{
    (void)state;
    static struct vt_gpa_run runs[60];
    static struct vt_highlight many[60];
    struct vt_camera camera;
    struct vt_scene scene;
    uint32_t x = 3;
    for (unsigned i = 0; i < 60; i++) {
        x = x * 1664525 + 1013904223;
        runs[i] = (struct vt_gpa_run){VT_GPA((uint64_t)(x >> 18) << 12), 16 << 12};
        many[i] = (struct vt_highlight){
            .colour = highlights[i % 4].colour, .runs = &runs[i], .n_runs = 1, .bytes = 16 << 12};
        snprintf(many[i].label, sizeof many[i].label, "number %u", i);
    }
    vt_scene_init(&scene);
    scene.palette = VT_PALETTE_COLORBLIND;
    scene.boxes = false;
    assert_int_equal(vt_camera_named("right", &camera, NULL), 0);
    vt_camera_zoom(&camera, 1.6);
    draw_and_compare((struct vt_overlay){.order = 9,
                                         .highlights = many,
                                         .n_highlights = 60,
                                         .name = "many",
                                         .unix_s = 1780000000,
                                         .totals = totals},
                     &camera, &scene, 720, 480, "overlay-many");
}

static void any_size_can_be_drawn_on(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1},     {16, 16},   {320, 180}, {2000, 16},
                                        {16, 2000}, {480, 270}, {321, 900}};
    struct vt_camera camera;
    struct vt_scene scene;
    fill();
    vt_scene_init(&scene);
    assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vt_canvas *canvas;
        struct vt_overlay o = {.camera = &camera,
                               .scene = &scene,
                               .order = 9,
                               .highlights = highlights,
                               .n_highlights = 4,
                               .name = "",
                               .totals = totals};
        assert_int_equal(vt_canvas_create(sizes[i][0], sizes[i][1], &canvas, NULL), 0);
        vt_overlay_draw(&o, canvas);
        vt_canvas_destroy(canvas);
    }
}

int main(int argc, char **argv)
{
    vt_golden_args(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_volume),
        cmocka_unit_test(from_within),
        cmocka_unit_test(more_than_there_is_room_for),
        cmocka_unit_test(any_size_can_be_drawn_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
