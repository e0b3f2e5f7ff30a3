/* Cameras: properties that hold from any side, over many of them. */
#include "tests/unit/harness.h"

#include "volume/camera.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

static const char *const views[] = {"front", "back", "left", "right", "top", "bottom", "iso"};
#define N_VIEWS (sizeof views / sizeof *views)

static double random_in(double low, double high)
{
    static uint64_t state = 88172645463325252U;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return low + (high - low) * (double)(state >> 11) / 9007199254740992.0;
}

static struct vt_camera view(const char *name)
{
    struct vt_camera c;
    assert_int_equal(vt_camera_named(name, &c, NULL), 0);
    return c;
}

static struct vt_camera any_camera(void)
{
    struct vt_camera c = view("iso");
    vt_camera_orbit(&c, random_in(-4, 4), random_in(-3, 3));
    vt_camera_zoom(&c, exp(random_in(-6, 2)));
    vt_camera_pan(&c, random_in(-1, 1), random_in(-1, 1));
    return c;
}

static double distance(const double a[3], const double b[3])
{
    return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                (a[2] - b[2]) * (a[2] - b[2]));
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void assert_near(const double a[3], const double b[3], double within)
{
    assert_true(distance(a, b) <= within);
}

static void assert_same(const struct vt_camera *a, const struct vt_camera *b, double within)
{
    struct vt_lens l, m;
    vt_camera_lens(a, 1, &l);
    vt_camera_lens(b, 1, &m);
    assert_near(a->eye, b->eye, within);
    assert_near(a->target, b->target, within);
    assert_near(l.forward, m.forward, 1e-6);
    assert_near(l.up, m.up, 1e-6);
}

static void views_look_along_the_axes(void **state)
{
    (void)state;
    static const double forward[6][3] = {{0, 0, -1}, {0, 0, 1},  {1, 0, 0},
                                         {-1, 0, 0}, {0, -1, 0}, {0, 1, 0}};
    static const double up[6][3] = {{0, 1, 0}, {0, 1, 0},  {0, 1, 0},
                                    {0, 1, 0}, {0, 0, -1}, {0, 0, 1}};
    for (size_t i = 0; i < 6; i++) {
        struct vt_camera c = view(views[i]);
        struct vt_lens l;
        vt_camera_lens(&c, 1, &l);
        assert_near(l.forward, forward[i], 1e-12);
        assert_near(l.up, up[i], 1e-12);
        assert_near(c.target, (double[]){0.5, 0.5, 0.5}, 1e-12);
    }
    struct vt_error err;
    struct vt_camera c = view("iso"), before = c;
    assert_true(c.eye[0] > 1 && c.eye[1] > 0.9 && c.eye[2] > 1);
    assert_int_equal(vt_camera_named("sideways", &c, &err), VT_E_INVAL);
    assert_non_null(strstr(err.message, "front, back, left, right, top, bottom or iso"));
    assert_memory_equal(&c, &before, sizeof c);
}

/* In the view "front", x goes to the right and y up. */
static void the_front_is_the_right_way_round(void **state)
{
    (void)state;
    struct vt_camera c = view("front");
    struct vt_lens l;
    double origin[3], x[3], y[3], z[3];
    vt_camera_lens(&c, 16.0 / 9, &l);
    assert_true(vt_camera_project(&l, (double[]){0, 0, 0}, origin));
    assert_true(vt_camera_project(&l, (double[]){1, 0, 0}, x));
    assert_true(vt_camera_project(&l, (double[]){0, 1, 0}, y));
    assert_true(vt_camera_project(&l, (double[]){0, 0, 1}, z));
    assert_true(x[0] > origin[0] && fabs(x[1] - origin[1]) < 1e-12);
    assert_true(y[1] < origin[1] && fabs(y[0] - origin[0]) < 1e-12);
    assert_true(z[2] < origin[2]);
    /* A square stays one: 16:9 pictures are wider than high by that much. */
    assert_true(fabs((x[0] - origin[0]) * 16 / 9 - (origin[1] - y[1])) < 1e-12);
}

static void what_is_behind_is_not_seen(void **state)
{
    (void)state;
    struct vt_camera c = view("front");
    struct vt_lens l;
    double at[3] = {7, 8, 9};
    vt_camera_lens(&c, 1, &l);
    assert_false(vt_camera_project(&l, (double[]){0.5, 0.5, 50}, at));
    assert_false(vt_camera_project(&l, c.eye, at));
    assert_true(at[0] == 7 && at[1] == 8 && at[2] == 9);
}

/* A line through the eye's plane ends before it; what is left lies on the line. */
static void lines_end_before_the_eye(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        struct vt_camera c = any_camera();
        struct vt_lens l;
        double p[2][3], at[2][3], alone[3];
        vt_camera_lens(&c, 1.5, &l);
        for (unsigned k = 0; k < 3; k++) {
            p[0][k] = random_in(-3, 4);
            p[1][k] = random_in(-3, 4);
        }
        bool first = vt_camera_project(&l, p[0], alone),
             second = vt_camera_project(&l, p[1], at[1]);
        if (vt_camera_project_line(&l, p[0], p[1], at[0], at[1])) {
            assert_true(first || second);
            assert_true(at[0][2] > 0 && at[1][2] > 0);
            assert_true(!first || alone[2] < 1e-4 || distance(alone, at[0]) < 1e-9);
        } else {
            assert_true((!first || alone[2] < 1e-4) && (!second || at[1][2] < 1e-4));
        }
    }
    struct vt_camera c = view("front");
    struct vt_lens l;
    double a[3], b[3];
    vt_camera_lens(&c, 1, &l);
    assert_true(
        vt_camera_project_line(&l, (double[]){0.5, 0.7, 90}, (double[]){0.5, 0.7, 0}, a, b));
    assert_true(fabs(a[0] - 0.5) < 1e-9 && fabs(b[0] - 0.5) < 1e-9 && a[1] < -1000 && b[1] < 0.5);
}

static void any_camera_has_a_lens(void **state)
{
    (void)state;
    static const struct vt_camera odd[] = {
        {.fov_y = 0.6},
        {.eye = {1, 1, 1}, .target = {1, 1, 1}, .up = {0, 1, 0}, .fov_y = 0.6},
        {.eye = {0, 5, 0}, .up = {0, 1, 0}, .fov_y = 0.6},
        {.eye = {0, 0, 5}, .up = {0, 0, -3}, .fov_y = -1},
        {.eye = {0, 0, 5}, .up = {0, 1, 0}, .fov_y = 99},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        for (double aspect = -1; aspect < 3; aspect += 1) {
            struct vt_lens l;
            vt_camera_lens(&odd[i], aspect, &l);
            assert_true(fabs(dot(l.forward, l.forward) - 1) < 1e-9);
            assert_true(fabs(dot(l.right, l.right) - 1) < 1e-9);
            assert_true(fabs(dot(l.up, l.up) - 1) < 1e-9);
            assert_true(fabs(dot(l.up, l.forward)) < 1e-9 && fabs(dot(l.up, l.right)) < 1e-9);
            assert_true(l.slope_x > 0 && isfinite(l.slope_x) && isfinite(l.slope_y));
        }
    }
}

static void an_orbit_keeps_its_distance_and_stays_upright(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        struct vt_camera c = any_camera(), before = c;
        double d = distance(c.eye, c.target);
        for (unsigned k = 0; k < 20; k++) {
            struct vt_lens l;
            vt_camera_orbit(&c, random_in(-2, 2), random_in(-2, 2));
            assert_true(fabs(distance(c.eye, c.target) - d) < 1e-9 * (1 + d));
            assert_near(c.target, before.target, 1e-12);
            vt_camera_lens(&c, 1, &l);
            assert_true(l.up[1] > -1e-9);         /* not head over heels … */
            assert_true(fabs(l.right[1]) < 1e-9); /* … and level */
        }
    }
}

static void an_orbit_goes_back_the_way_it_came(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        struct vt_camera c = view("iso"), before;
        vt_camera_orbit(&c, random_in(-4, 4), random_in(-0.4, 0.4));
        before = c;
        double yaw = random_in(-3, 3), pitch = random_in(-0.6, 0.6);
        vt_camera_orbit(&c, yaw, pitch);
        vt_camera_orbit(&c, -yaw, -pitch);
        assert_same(&c, &before, 1e-6);
    }
    /* Over the pole and round: the way is remembered there, too. */
    struct vt_camera c = view("front"), top = view("top");
    vt_camera_orbit(&c, 0, 100);
    vt_camera_frame(&c, &(struct vt_box){.max = {0}}, 0, 1);
    assert_same(&c, &top, 1e-9);
    vt_camera_orbit(&c, 0.7, 0);
    vt_camera_orbit(&c, 0, -PI / 2);
    struct vt_camera side = view("front");
    vt_camera_orbit(&side, 0.7, 0);
    assert_same(&c, &side, 1e-6);
}

static void a_yaw_goes_to_the_right(void **state)
{
    (void)state;
    struct vt_camera c = view("front");
    vt_camera_orbit(&c, PI / 2, 0);
    assert_true(c.eye[0] > 2 && fabs(c.eye[2] - 0.5) < 1e-9);
    vt_camera_orbit(&c, 0, PI / 4);
    assert_true(c.eye[1] > 1);
}

static void a_pan_moves_by_shares_of_the_picture(void **state)
{
    (void)state;
    struct vt_camera c = view("front"), before = c;
    struct vt_lens l;
    double at[3];
    vt_camera_pan(&c, 0.25, 0.1);
    vt_camera_lens(&c, 1, &l);
    assert_true(vt_camera_project(&l, before.target, at));
    assert_true(fabs(at[0] - 0.25) < 1e-9 && fabs(at[1] - 0.6) < 1e-9);
    for (unsigned i = 0; i < 500; i++) { /* never lost, always as far from its target */
        double d = distance(c.eye, c.target);
        vt_camera_pan(&c, random_in(-2, 3), random_in(-3, 2));
        assert_true(fabs(distance(c.eye, c.target) - d) < 1e-9);
        for (unsigned k = 0; k < 3; k++) {
            assert_true(c.target[k] >= -1 && c.target[k] <= 2);
        }
        vt_camera_orbit(&c, random_in(-1, 1), random_in(-1, 1));
    }
}

static void a_zoom_is_bounded(void **state)
{
    (void)state;
    struct vt_camera c = view("iso"), before = c;
    double d = distance(c.eye, c.target);
    vt_camera_zoom(&c, 0.5);
    assert_true(fabs(distance(c.eye, c.target) - d / 2) < 1e-9);
    vt_camera_zoom(&c, 2);
    assert_same(&c, &before, 1e-9);
    static const double useless[] = {0, -1, NAN};
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
        vt_camera_zoom(&c, useless[i]);
        assert_same(&c, &before, 1e-9);
    }
    for (unsigned i = 0; i < 100; i++) {
        vt_camera_zoom(&c, 0.5);
    }
    assert_true(distance(c.eye, c.target) > 1e-5);
    vt_camera_zoom(&c, INFINITY);
    assert_true(distance(c.eye, c.target) < 100);
}

/* All corners in the picture, and along one axis the box takes 80 % of what there is around its
 * middle. */
static void a_framed_box_fills_the_picture(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        unsigned order = (unsigned)random_in(5, 13);
        struct vt_camera c = any_camera();
        struct vt_lens before, l;
        struct vt_box box;
        double aspect = exp(random_in(-1, 1)), most = 0;
        for (unsigned k = 0; k < 3; k++) {
            uint32_t side = (uint32_t)1 << order;
            uint32_t a = (uint32_t)random_in(0, side), b = (uint32_t)random_in(0, side);
            box.min[k] = a < b ? a : b;
            box.max[k] = a < b ? b : a;
        }
        vt_camera_lens(&c, aspect, &before);
        vt_camera_frame(&c, &box, order, aspect);
        vt_camera_lens(&c, aspect, &l);
        assert_near(l.forward, before.forward, 1e-6);
        for (unsigned corner = 0; corner < 8; corner++) {
            double p[3], at[3];
            for (unsigned k = 0; k < 3; k++) {
                p[k] = ((corner >> k & 1) != 0 ? box.max[k] + 1.0 : box.min[k]) /
                       (double)((uint32_t)1 << order);
            }
            assert_true(vt_camera_project(&l, p, at));
            assert_true(at[0] >= 0 && at[0] <= 1 && at[1] >= 0 && at[1] <= 1);
            most = fmax(most, fmax(fabs(2 * at[0] - 1), fabs(2 * at[1] - 1)));
        }
        assert_true(most >= 0.8);
    }
}

static void a_flight_begins_and_ends_where_it_should(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct vt_camera a = any_camera(), b = any_camera(), c;
        vt_camera_fly(&a, &b, 0, &c);
        assert_memory_equal(&c, &a, sizeof c);
        vt_camera_fly(&a, &b, 1, &c);
        assert_memory_equal(&c, &b, sizeof c);
        vt_camera_fly(&a, &b, NAN, &c);
        assert_memory_equal(&c, &a, sizeof c);
        vt_camera_fly(&a, &b, 7, &c);
        assert_memory_equal(&c, &b, sizeof c);
        vt_camera_fly(&a, &b, 1e-5, &c);
        assert_same(&a, &c, 1e-6);
        vt_camera_fly(&a, &b, 1 - 1e-5, &c);
        assert_same(&b, &c, 1e-6);
    }
}

/* Nothing jumps, measured in the picture; the middle of where it goes comes steadily nearer. */
static void a_flight_is_smooth(void **state)
{
    (void)state;
    enum { STEPS = 400 };
    for (unsigned i = 0; i < 300; i++) {
        struct vt_camera a = any_camera(), b = any_camera(), c, last = a;
        double whole = distance(a.target, b.target), left = whole;
        for (unsigned k = 1; k <= STEPS; k++) {
            vt_camera_fly(&a, &b, (double)k / STEPS, &c);
            double d = distance(c.eye, c.target), before = distance(last.eye, last.target);
            double now_left = distance(c.target, b.target);
            struct vt_lens l, m;
            vt_camera_lens(&c, 1, &l);
            vt_camera_lens(&last, 1, &m);
            assert_true(distance(c.target, last.target) < 0.2 * d);
            assert_true(d / before < 1.2 && before / d < 1.2);
            assert_true(distance(l.forward, m.forward) < 0.1);
            assert_true(now_left <= left + 1e-9);
            left = now_left;
            last = c;
        }
    }
}

/* Between two places seen closely, both are in the picture at some time. */
static void a_far_flight_rises(void **state)
{
    (void)state;
    struct vt_camera a = view("front"), b = a, c;
    struct vt_box here = {.min = {0, 0, 1000}, .max = {7, 7, 1007}};
    struct vt_box there = {.min = {1016, 1016, 1000}, .max = {1023, 1023, 1007}};
    vt_camera_frame(&a, &here, 10, 1);
    vt_camera_frame(&b, &there, 10, 1);
    bool both = false;
    for (unsigned k = 0; k <= 100 && !both; k++) {
        struct vt_lens l;
        double at[2][3];
        vt_camera_fly(&a, &b, k / 100.0, &c);
        vt_camera_lens(&c, 1, &l);
        assert_true(vt_camera_project(&l, a.target, at[0]));
        assert_true(vt_camera_project(&l, b.target, at[1]));
        both = at[0][0] > 0 && at[0][1] < 1 && at[1][0] < 1 && at[1][1] > 0;
    }
    assert_true(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_look_along_the_axes),
        cmocka_unit_test(the_front_is_the_right_way_round),
        cmocka_unit_test(what_is_behind_is_not_seen),
        cmocka_unit_test(lines_end_before_the_eye),
        cmocka_unit_test(any_camera_has_a_lens),
        cmocka_unit_test(an_orbit_keeps_its_distance_and_stays_upright),
        cmocka_unit_test(an_orbit_goes_back_the_way_it_came),
        cmocka_unit_test(a_yaw_goes_to_the_right),
        cmocka_unit_test(a_pan_moves_by_shares_of_the_picture),
        cmocka_unit_test(a_zoom_is_bounded),
        cmocka_unit_test(a_framed_box_fills_the_picture),
        cmocka_unit_test(a_flight_begins_and_ends_where_it_should),
        cmocka_unit_test(a_flight_is_smooth),
        cmocka_unit_test(a_far_flight_rises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
