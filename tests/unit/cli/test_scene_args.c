/* tests/unit/cli/test_scene_args.c - what to see of a volume, as words of a command line. */
#include "tests/unit/cli/capture.h"

#include "cli/args.h"
#include "cli/scene_args.h"
#include "tests/unit/memory/ramfile.h"

#include <math.h>
#include <string.h>

static const struct vt_option options[] = {VT_SCENE_OPTIONS, {0}};
static const struct vt_verb verb = {.name = "try", .operands = "", .options = options};

/* Reads the words up to NULL; with a failure `said` is what stderr must hold. */
static struct vt_scene_args read_words(const char *view, const char *said, const char *const *words)
{
    struct vt_scene_args out;
    struct vt_args args;
    struct capture c;
    int n = 0;
    while (words[n] != NULL) {
        n++;
    }
    memset(&out, 0x5a, sizeof out);
    assert_int_equal(vt_args_parse(&verb, n, words, &args), 0);
    capture_begin(&c, stderr);
    int rc = vt_scene_args_read(&args, view, &out);
    char *text = capture_end(&c);
    if (said == NULL) {
        assert_string_equal(text, "");
        assert_int_equal(rc, 0);
    } else {
        assert_int_equal(rc, VT_EXIT_USAGE);
        if (strstr(text, said) == NULL) {
            fail_msg("'%s' is not in: %s", said, text);
        }
    }
    free(text);
    vt_args_fini(&args);
    return out;
}

#define READ(...) read_words(NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})
#define REFUSED(said, ...) read_words(NULL, said, (const char *const[]){__VA_ARGS__, NULL})

static bool same_camera(const struct vt_camera *a, const struct vt_camera *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void nothing_said_is_what_most_want(void **state)
{
    (void)state;
    struct vt_scene usual;
    struct vt_camera iso, top;
    struct vt_scene_args a = read_words(NULL, NULL, (const char *const[]){NULL});
    vt_scene_init(&usual);
    assert_int_equal(vt_camera_named("iso", &iso, NULL), 0);
    assert_int_equal(vt_camera_named("top", &top, NULL), 0);
    assert_memory_equal(&a.scene, &usual, sizeof usual);
    assert_true(same_camera(&a.camera, &iso));
    assert_int_equal(a.method, VT_METHOD_MARCH);
    assert_int_equal(a.width, 1280);
    assert_int_equal(a.height, 720);
    assert_null(a.gpu);
    assert_null(a.zoom_to);
    assert_int_equal(a.only_pid, 0);
    a = read_words("3d", NULL, (const char *const[]){NULL});
    assert_true(same_camera(&a.camera, &iso));
    a = read_words("top", NULL, (const char *const[]){NULL});
    assert_true(same_camera(&a.camera, &top));
}

static void what_is_said_is_taken(void **state)
{
    (void)state;
    struct vt_scene_args a =
        READ("--size", "64x2000", "--gpu", "llvm", "--method", "slices", "--palette", "colorblind",
             "--opacity", "0:0 255:1", "--density", "2.5", "--slice", "z=1", "--slice", "x=.25",
             "--clip", "y=0.25:0.75", "--clip", "x=0:0.5", "--only", "17", "--zoom-to", "heap",
             "--no-heat", "--no-dim", "--no-boxes", "--no-labels", "--no-frame", "--no-highlights");
    assert_int_equal(a.width, 64);
    assert_int_equal(a.height, 2000);
    assert_string_equal(a.gpu, "llvm");
    assert_string_equal(a.zoom_to, "heap");
    assert_int_equal(a.method, VT_METHOD_SLICES);
    assert_int_equal(a.scene.palette, VT_PALETTE_COLORBLIND);
    assert_true(a.scene.opacity[255] == 1 && a.scene.density == 2.5F);
    assert_true(a.scene.slice_on[0] && !a.scene.slice_on[1] && a.scene.slice_on[2]);
    assert_true(a.scene.slice[0] == 0.25F && a.scene.slice[2] == 1);
    assert_true(a.scene.clip_min[1] == 0.25F && a.scene.clip_max[1] == 0.75F);
    assert_true(a.scene.clip_min[0] == 0 && a.scene.clip_max[0] == 0.5F);
    assert_true(a.scene.clip_min[2] == 0 && a.scene.clip_max[2] == 1);
    assert_int_equal(a.only_pid, 17);
    assert_false(a.scene.heat || a.scene.dim_others || a.scene.boxes || a.scene.labels ||
                 a.scene.frame);
    assert_true(a.no_highlights);
    a = READ("--method", "march", "--size=16x16384");
    assert_int_equal(a.method, VT_METHOD_MARCH);
}

static void nonsense_is_named(void **state)
{
    (void)state;
    (void)read_words("sideways", "sideways", (const char *const[]){NULL});
    static const char *const bad[][2] = {
        {"--size", "64"},        {"--size", "15x64"},       {"--size", "64x20000"},
        {"--size", "64x64x"},    {"--size", "64.5x64"},     {"--size", "-64x64"},
        {"--method", "rays"},    {"--palette", "mauve"},    {"--opacity", "0"},
        {"--density", "-1"},     {"--density", "nan"},      {"--density", "1e9"},
        {"--density", "1001"},   {"--slice", "w=0.5"},      {"--slice", "x=1.5"},
        {"--slice", "x"},        {"--slice", "x=0.5.5"},    {"--slice", "x="},
        {"--clip", "x=0.5"},     {"--clip", "x=0.75:0.25"}, {"--clip", "x=0.5:2"},
        {"--clip", "x=0.5:0.5"}, {"--only", "0"},           {"--only", "4294967297"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        REFUSED(bad[i][0], bad[i][0], bad[i][1]);
    }
}

/* ---- where that is: 4 MiB, an eighth of its cube being 64 pages ---- */

struct place {
    struct ramfile file;
    struct vt_target target;
    struct vt_follow *follow;
};

static int place_setup(void **state)
{
    static struct place p;
    static const struct vt_ram_region regions[] = {{VT_GPA(0), VT_OFF(0), 1 << 20},
                                                   {VT_GPA(0x40000000), VT_OFF(1 << 20), 3 << 20}};
    struct vt_follow_options once = {.classes_s = -1};
    struct vt_volume_update update;
    p = (struct place){.file = ramfile_make(4 << 20), .target = {.name = "test"}};
    ramfile_put(&p.file, 5 << 12, "x", 1);
    *state = &p;
    return vt_ram_open(p.file.path, regions, 2, &p.target.ram, NULL) == 0 &&
                   vt_follow_create(&p.target, &once, &p.follow, NULL) == 0 &&
                   vt_follow_look(p.follow, &update, NULL) == 0
               ? 0
               : -1;
}

static int place_teardown(void **state)
{
    struct place *p = *state;
    vt_follow_destroy(p->follow);
    vt_target_close(&p->target, NULL);
    close(p->file.fd);
    return 0;
}

static int put(const struct place *p, struct vt_scene_args *a, struct vt_error *err)
{
    return vt_scene_args_place(a, p->target.ram, p->follow, &a->camera, &a->scene, err);
}

static void zoomed_to_a_range(void **state)
{
    const struct place *p = *state;
    struct vt_error err = {0};
    struct vt_scene_args all = READ("--no-labels"),
                         low = READ("--zoom-to", "0x0+64K", "--no-labels"),
                         high = READ("--zoom-to", "0x40000000-0x40010000", "--no-labels");
    assert_int_equal(put(p, &all, &err), 0);
    assert_int_equal(put(p, &low, &err), 0);
    assert_int_equal(put(p, &high, &err), 0);
    /* 16 pages: a box of 32 x 32 x 64 voxels in some direction, at either place. */
    struct vt_box box;
    assert_int_equal(vt_volume_box(8, VT_OFF(1 << 20), 1 << 16, &box, &err), 0);
    for (unsigned k = 0; k < 3; k++) {
        double middle = (box.min[k] + box.max[k] + 1) / 2.0 / 256;
        assert_true(fabs(high.camera.target[k] - middle) < 1e-9);
        assert_true(low.camera.target[k] < 0.26);
    }
    double far_off = 0, near_by = 0;
    for (unsigned k = 0; k < 3; k++) {
        far_off += pow(all.camera.eye[k] - all.camera.target[k], 2);
        near_by += pow(low.camera.eye[k] - low.camera.target[k], 2);
    }
    assert_true(near_by < far_off);
}

static void places_that_are_not_there(void **state)
{
    const struct place *p = *state;
    struct vt_error err = {0};
    static const char *const unknown[] = {"heap", "0x1000", "0x2000-0x1000", "0x0+0", "-", "+1"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct vt_scene_args a = READ("--zoom-to", unknown[i]), before = a;
        assert_int_equal(put(p, &a, &err), VT_E_NOT_FOUND);
        assert_true(same_camera(&a.camera, &before.camera));
    }
    struct vt_scene_args hole = READ("--zoom-to", "0x100000+1M");
    assert_int_equal(put(p, &hole, &err), VT_E_ADDR);
    struct vt_scene_args past = READ("--zoom-to", "0x40000000+4G");
    assert_int_equal(put(p, &past, &err), VT_E_ADDR);
    struct vt_scene_args nobody = READ("--only", "3");
    assert_int_equal(put(p, &nobody, &err), VT_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_is_what_most_want),
        cmocka_unit_test(what_is_said_is_taken),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test_setup_teardown(zoomed_to_a_range, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(places_that_are_not_there, place_setup, place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
