/* Keys, buttons, wheel and drags, without a window. */
#include "tests/unit/harness.h"

#include "volume/camera.h"
#include "volume/controls.h"

#include <math.h>
#include <string.h>

#define WIDTH 800.0
#define HEIGHT 600.0

static void assert_close(double a, double b, double within)
{
    assert_true(fabs(a - b) <= within);
}

static void begin(struct vt_controls *c, unsigned n)
{
    vt_controls_init(c, n);
    for (unsigned i = 0; i < n; i++) {
        vt_controls_resize(c, i, WIDTH, HEIGHT);
        vt_controls_volume(c, i, UINT64_C(64) << 20);
    }
}

static enum vt_action key(struct vt_controls *c, uint32_t k)
{
    return vt_controls_input(c, &(struct vt_input){.kind = VT_INPUT_KEY, .key = k}, 0);
}

static enum vt_action pointer(struct vt_controls *c, enum vt_input_kind kind, enum vt_button button,
                              double x, double y, unsigned clicks)
{
    return vt_controls_input(
        c, &(struct vt_input){.kind = kind, .button = button, .x = x, .y = y, .clicks = clicks}, 0);
}

static void drag(struct vt_controls *c, enum vt_button button, double x0, double y0, double x1,
                 double y1)
{
    pointer(c, VT_INPUT_PRESS, button, x0, y0, 1);
    for (unsigned i = 1; i <= 10; i++) {
        pointer(c, VT_INPUT_MOTION, button, x0 + (x1 - x0) * i / 10, y0 + (y1 - y0) * i / 10, 0);
    }
    assert_int_equal(pointer(c, VT_INPUT_RELEASE, button, x1, y1, 1), VT_ACTION_NONE);
}

/* Where a point of the cube is in pane 0, pixels. */
static void seen(const struct vt_controls *c, const double point[3], double at[3])
{
    struct vt_lens lens;
    vt_camera_lens(&c->pane[0].camera, WIDTH / HEIGHT, &lens);
    assert_true(vt_camera_project(&lens, point, at));
    at[0] *= WIDTH;
    at[1] *= HEIGHT;
}

static bool same(const struct vt_camera *a, const struct vt_camera *b)
{
    double worst = fabs(a->fov_y - b->fov_y);
    for (unsigned k = 0; k < 3; k++) {
        worst = fmax(worst, fabs(a->eye[k] - b->eye[k]));
        worst = fmax(worst, fabs(a->target[k] - b->target[k]));
    }
    return worst < 1e-9;
}

static void test_left_drag_orbits_what_is_grabbed_follows(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    /* A point before the target moves with the hand, right and down. */
    const struct vt_controls_pane *p = &c.pane[0];
    double point[3], before[3], after[3];
    for (unsigned k = 0; k < 3; k++) {
        point[k] = p->camera.target[k] + 0.2 * (p->camera.eye[k] - p->camera.target[k]);
    }
    struct vt_camera was = p->camera;
    seen(&c, point, before);
    drag(&c, VT_BUTTON_LEFT, 400, 300, 500, 300);
    seen(&c, point, after);
    assert_true(after[0] > before[0] + 10);
    assert_memory_equal(was.target, p->camera.target, sizeof was.target);
    seen(&c, point, before);
    drag(&c, VT_BUTTON_LEFT, 400, 300, 400, 350);
    seen(&c, point, after);
    assert_true(after[1] > before[1] + 10);
}

static void test_right_and_shift_drags_pan_with_the_hand(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 2; shift++) {
        struct vt_controls c;
        begin(&c, 1);
        double point[3], before[3], after[3];
        memcpy(point, c.pane[0].camera.target, sizeof point);
        seen(&c, point, before);
        if (shift != 0) {
            struct vt_input in = {.kind = VT_INPUT_PRESS, .x = 400, .y = 300, .shift = true};
            vt_controls_input(&c, &in, 0);
            pointer(&c, VT_INPUT_MOTION, VT_BUTTON_LEFT, 460, 330, 0);
            pointer(&c, VT_INPUT_RELEASE, VT_BUTTON_LEFT, 460, 330, 1);
        } else {
            drag(&c, VT_BUTTON_RIGHT, 400, 300, 460, 330);
        }
        seen(&c, point, after);
        assert_close(after[0] - before[0], 60, 0.5);
        assert_close(after[1] - before[1], 30, 0.5);
    }
}

static void test_the_wheel_zooms_to_the_pointer(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    /* The point at the target's depth under (500, 200). */
    struct vt_lens lens;
    vt_camera_lens(&c.pane[0].camera, WIDTH / HEIGHT, &lens);
    double depth = 0, point[3], at[3];
    for (unsigned k = 0; k < 3; k++) {
        depth += (c.pane[0].camera.target[k] - lens.eye[k]) * lens.forward[k];
    }
    for (unsigned k = 0; k < 3; k++) {
        point[k] = lens.eye[k] +
                   depth * (lens.forward[k] + lens.right[k] * lens.slope_x * (2 * 500 / WIDTH - 1) +
                            lens.up[k] * lens.slope_y * (1 - 2 * 200 / HEIGHT));
    }
    for (int notch = 0; notch < 20; notch++) {
        vt_controls_input(
            &c,
            &(struct vt_input){
                .kind = VT_INPUT_WHEEL, .x = 500, .y = 200, .amount = notch < 12 ? 1 : -1},
            0);
        seen(&c, point, at);
        assert_close(at[0], 500, 1e-6);
        assert_close(at[1], 200, 1e-6);
    }
    assert_true(at[2] < depth);
    double near = at[2];
    vt_controls_input(
        &c, &(struct vt_input){.kind = VT_INPUT_PINCH, .x = 500, .y = 200, .amount = 2}, 0);
    seen(&c, point, at);
    assert_close(at[2], near / 2, near * 0.01);
}

static void test_a_click_picks_and_a_double_click_visits(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    struct vt_camera was = c.pane[0].camera;
    pointer(&c, VT_INPUT_PRESS, VT_BUTTON_LEFT, 100, 100, 1);
    pointer(&c, VT_INPUT_MOTION, VT_BUTTON_LEFT, 102, 101, 0); /* a hand trembles */
    assert_int_equal(pointer(&c, VT_INPUT_RELEASE, VT_BUTTON_LEFT, 102, 101, 1), VT_ACTION_PICK);
    assert_true(same(&was, &c.pane[0].camera));
    pointer(&c, VT_INPUT_PRESS, VT_BUTTON_LEFT, 102, 101, 2);
    assert_int_equal(pointer(&c, VT_INPUT_RELEASE, VT_BUTTON_LEFT, 102, 101, 2), VT_ACTION_VISIT);
    pointer(&c, VT_INPUT_PRESS, VT_BUTTON_RIGHT, 102, 101, 1);
    assert_int_equal(pointer(&c, VT_INPUT_RELEASE, VT_BUTTON_RIGHT, 102, 101, 1), VT_ACTION_NONE);
    /* One that left the window in between is over. */
    pointer(&c, VT_INPUT_PRESS, VT_BUTTON_LEFT, 100, 100, 1);
    pointer(&c, VT_INPUT_LEAVE, VT_BUTTON_LEFT, 0, 0, 0);
    pointer(&c, VT_INPUT_MOTION, VT_BUTTON_LEFT, 300, 100, 0);
    assert_int_equal(pointer(&c, VT_INPUT_RELEASE, VT_BUTTON_LEFT, 300, 100, 1), VT_ACTION_NONE);
    assert_true(same(&was, &c.pane[0].camera));
}

static void test_a_visit_brings_the_page_to_the_middle(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    const struct vt_off offset = VT_OFF((UINT64_C(4711) << 12) + 77);
    struct vt_box box;
    assert_int_equal(
        vt_volume_box(c.pane[0].order, VT_OFF(offset.v & ~UINT64_C(4095)), 4096, &box, NULL), 0);
    vt_controls_visit(&c, 0, offset, 10);
    assert_true(vt_controls_busy(&c));
    unsigned ticks = 0;
    for (double t = 10; vt_controls_tick(&c, t); t += 1 / 60.0) {
        assert_true(++ticks < 600);
    }
    assert_true(ticks > 10);
    assert_false(vt_controls_busy(&c));
    double middle[3], at[3];
    for (unsigned k = 0; k < 3; k++) {
        middle[k] = ldexp((box.min[k] + box.max[k] + 1) / 2.0, -(int)c.pane[0].order);
    }
    seen(&c, middle, at);
    assert_close(at[0], WIDTH / 2, 1);
    assert_close(at[1], HEIGHT / 2, 1);
    /* An offset that is none leaves it alone. */
    vt_controls_visit(&c, 0, VT_OFF(UINT64_MAX), 20);
    assert_false(vt_controls_busy(&c));
}

static void test_a_flight_gives_way_to_the_hand(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    key(&c, '6');
    assert_true(vt_controls_tick(&c, 0.3));
    drag(&c, VT_BUTTON_LEFT, 400, 300, 420, 300);
    struct vt_camera was = c.pane[0].camera;
    assert_false(vt_controls_tick(&c, 0.5));
    assert_true(same(&was, &c.pane[0].camera));
}

static void test_keys_of_views(void **state)
{
    (void)state;
    static const char *const names[] = {"iso", "front", "back", "left", "right", "top", "bottom"};
    for (unsigned i = 0; i < 7; i++) {
        struct vt_controls c;
        struct vt_camera named;
        struct vt_lens a, b;
        begin(&c, 1);
        assert_int_equal(key(&c, '1' + i), VT_ACTION_NONE);
        vt_controls_tick(&c, 100);
        assert_int_equal(vt_camera_named(names[i], &named, NULL), 0);
        vt_camera_lens(&named, 1, &a);
        vt_camera_lens(&c.pane[0].camera, 1, &b);
        for (unsigned k = 0; k < 3; k++) {
            assert_close(a.forward[k], b.forward[k], 1e-6);
            assert_close(a.up[k], b.up[k], 1e-6);
        }
        /* All of its RAM is in the picture. */
        for (unsigned corner = 0; corner < 8; corner++) {
            double at[3], p[3];
            for (unsigned k = 0; k < 3; k++) {
                uint32_t v =
                    (corner >> k & 1) != 0 ? c.pane[0].whole.max[k] + 1 : c.pane[0].whole.min[k];
                p[k] = ldexp(v, -(int)c.pane[0].order);
            }
            seen(&c, p, at);
            assert_true(at[0] > 0 && at[0] < WIDTH && at[1] > 0 && at[1] < HEIGHT);
        }
    }
}

static void test_keys_of_the_scene(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    struct vt_scene *s = &c.scene;
    const struct {
        uint32_t key;
        bool *flag;
    } flags[] = {{'h', &s->heat},        {'b', &s->boxes},       {'l', &s->labels},
                 {'f', &s->frame},       {'d', &s->dim_others},  {'x', &s->slice_on[0]},
                 {'y', &s->slice_on[1]}, {'z', &s->slice_on[2]}, {'?', &c.help}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        bool was = *flags[i].flag;
        uint32_t changes = c.scene_changes;
        key(&c, flags[i].key);
        assert_int_equal(*flags[i].flag, !was);
        assert_int_not_equal(c.scene_changes, changes);
        key(&c, flags[i].key);
        assert_int_equal(*flags[i].flag, was);
    }
    key(&c, 'p');
    assert_int_equal(s->palette, VT_PALETTE_COLORBLIND);
    key(&c, 'm');
    assert_int_equal(c.method, VT_METHOD_SLICES);
    key(&c, 'm');
    assert_int_equal(c.method, VT_METHOD_MARCH);
    float was = s->density;
    key(&c, 't');
    assert_true(s->density < was);
    key(&c, 'T');
    assert_close(s->density, was, 1e-6);
    for (unsigned i = 0; i < 1000; i++) {
        key(&c, 't');
    }
    assert_true(s->density > 0);
}

static void test_brackets_move_the_last_slice(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    key(&c, 'x');
    key(&c, 'y');
    key(&c, ']');
    assert_true(c.scene.slice[1] > 0.5F);
    assert_close(c.scene.slice[0], 0.5F, 0);
    key(&c, 'x'); /* off, and the one that is meant: moving it shows it */
    key(&c, '[');
    assert_true(c.scene.slice_on[0]);
    assert_true(c.scene.slice[0] < 0.5F);
    for (unsigned i = 0; i < 200; i++) {
        key(&c, '[');
    }
    assert_close(c.scene.slice[0], 0, 0);
}

static void test_arrows_and_zoom_keys(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    struct vt_camera was = c.pane[0].camera;
    key(&c, VT_KEY_LEFT);
    assert_false(same(&was, &c.pane[0].camera));
    key(&c, VT_KEY_RIGHT);
    assert_true(same(&was, &c.pane[0].camera));
    vt_controls_input(&c, &(struct vt_input){.kind = VT_INPUT_KEY, .key = VT_KEY_UP, .shift = true},
                      0);
    assert_true(c.pane[0].camera.target[1] > was.target[1]);
    begin(&c, 1);
    double point[3], at[3], further[3];
    memcpy(point, c.pane[0].camera.target, sizeof point);
    seen(&c, point, at);
    key(&c, '-');
    seen(&c, point, further);
    assert_true(further[2] > at[2]);
    key(&c, '+');
    assert_true(same(&was, &c.pane[0].camera));
}

static void test_the_turntable_turns_and_waits_for_the_hand(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 2);
    key(&c, 'r');
    struct vt_camera was = c.pane[0].camera;
    double t = 5;
    for (unsigned i = 0; i < 24 * 50; i++, t += 0.02) {
        assert_true(vt_controls_tick(&c, t));
        if (i == 12 * 50) {
            assert_false(same(&was, &c.pane[0].camera));
        }
    }
    vt_controls_tick(&c, t);
    for (unsigned k = 0; k < 3; k++) { /* once round */
        assert_close(was.eye[k], c.pane[0].camera.eye[k], 1e-3);
    }
    assert_true(same(&c.pane[0].camera, &c.pane[1].camera));
    /* A pause is no leap, nor is a hand. */
    pointer(&c, VT_INPUT_PRESS, VT_BUTTON_LEFT, 100, 100, 1);
    was = c.pane[0].camera;
    vt_controls_tick(&c, t + 7);
    assert_true(same(&was, &c.pane[0].camera));
    pointer(&c, VT_INPUT_RELEASE, VT_BUTTON_LEFT, 100, 100, 1);
    vt_controls_tick(&c, t + 8);
    assert_true(same(&was, &c.pane[0].camera));
    key(&c, 'r');
    assert_false(vt_controls_tick(&c, t + 9));
}

static void test_cameras_are_linked_until_they_are_not(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 3);
    assert_true(same(&c.pane[0].camera, &c.pane[2].camera));
    struct vt_input in = {.kind = VT_INPUT_WHEEL, .pane = 1, .x = 10, .y = 20, .amount = 3};
    struct vt_camera was = c.pane[0].camera;
    vt_controls_input(&c, &in, 0);
    assert_false(same(&was, &c.pane[0].camera));
    assert_true(same(&c.pane[1].camera, &c.pane[0].camera));
    assert_true(same(&c.pane[1].camera, &c.pane[2].camera));
    key(&c, 'k');
    was = c.pane[0].camera;
    vt_controls_input(&c, &in, 0);
    assert_true(same(&was, &c.pane[0].camera));
    assert_false(same(&was, &c.pane[1].camera));
    /* Keys go to the pane that was touched last. */
    struct vt_camera touched = c.pane[1].camera;
    key(&c, VT_KEY_LEFT);
    assert_true(same(&was, &c.pane[0].camera));
    assert_false(same(&touched, &c.pane[1].camera));
    /* Linked again, the others come to it. */
    touched = c.pane[1].camera;
    key(&c, 'k');
    vt_controls_tick(&c, 100);
    assert_true(same(&touched, &c.pane[0].camera));
    assert_true(same(&touched, &c.pane[2].camera));
}

static void test_ram_of_another_size_leaves_the_camera(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    key(&c, VT_KEY_LEFT);
    struct vt_camera was = c.pane[0].camera;
    vt_controls_volume(&c, 0, UINT64_C(1) << 30);
    assert_int_equal(c.pane[0].order, 10);
    assert_true(same(&was, &c.pane[0].camera));
}

static void test_nonsense_changes_nothing(void **state)
{
    (void)state;
    struct vt_controls c;
    begin(&c, 1);
    const struct vt_controls was = c;
    const struct vt_input odd[] = {
        {.kind = VT_INPUT_WHEEL, .pane = 1, .amount = 1},
        {.kind = VT_INPUT_WHEEL, .amount = NAN},
        {.kind = VT_INPUT_WHEEL, .x = INFINITY, .amount = 1},
        {.kind = VT_INPUT_PINCH, .amount = 0},
        {.kind = VT_INPUT_PINCH, .amount = -1},
        {.kind = VT_INPUT_KEY, .key = 'j'},
        {.kind = VT_INPUT_KEY, .key = UINT32_MAX},
        {.kind = VT_INPUT_MOTION, .x = 5, .y = 5},
        {.kind = VT_INPUT_RELEASE, .x = 5, .y = 5, .clicks = 1},
        {.kind = (enum vt_input_kind)99},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(vt_controls_input(&c, &odd[i], 0), VT_ACTION_NONE);
        assert_memory_equal(&was, &c, sizeof c);
    }
    assert_int_equal(key(&c, 'q'), VT_ACTION_QUIT);
    assert_int_equal(key(&c, VT_KEY_F11), VT_ACTION_FULLSCREEN);
    assert_int_equal(key(&c, VT_KEY_F12), VT_ACTION_SCREENSHOT);
    assert_int_equal(key(&c, VT_KEY_ESCAPE), VT_ACTION_CLEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left_drag_orbits_what_is_grabbed_follows),
        cmocka_unit_test(test_right_and_shift_drags_pan_with_the_hand),
        cmocka_unit_test(test_the_wheel_zooms_to_the_pointer),
        cmocka_unit_test(test_a_click_picks_and_a_double_click_visits),
        cmocka_unit_test(test_a_visit_brings_the_page_to_the_middle),
        cmocka_unit_test(test_a_flight_gives_way_to_the_hand),
        cmocka_unit_test(test_keys_of_views),
        cmocka_unit_test(test_keys_of_the_scene),
        cmocka_unit_test(test_brackets_move_the_last_slice),
        cmocka_unit_test(test_arrows_and_zoom_keys),
        cmocka_unit_test(test_the_turntable_turns_and_waits_for_the_hand),
        cmocka_unit_test(test_cameras_are_linked_until_they_are_not),
        cmocka_unit_test(test_ram_of_another_size_leaves_the_camera),
        cmocka_unit_test(test_nonsense_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
