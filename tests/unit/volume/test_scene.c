/* What a scene shows when nobody says otherwise, and transfer functions as text. */
#include "tests/unit/harness.h"

#include "vitrine/scene.h"

#include <math.h>
#include <string.h>

static void defaults_show_what_is_in_use(void **state)
{
    (void)state;
    struct vt_scene s;
    vt_scene_init(&s);
    assert_true(s.opacity[0] == 0);
    for (unsigned v = 1; v < 256; v++) {
        assert_true(s.opacity[v] > 0 && s.opacity[v] <= 0.2F);
    }
    assert_true(s.opacity['e'] > s.opacity[1]);
    assert_true(s.class_opacity[VT_CLASS_HOLE] == 0);
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        assert_true(c <= VT_CLASS_FREE ? s.class_opacity[c] <= 0.1F
                                       : s.class_opacity[c] >= 0.5F && s.class_opacity[c] <= 1);
    }
    assert_true(s.density == 1 && s.heat && s.heat_s > 0 && s.only_owner == 0);
    for (unsigned k = 0; k < 3; k++) {
        assert_true(!s.slice_on[k] && s.clip_min[k] == 0 && s.clip_max[k] == 1);
    }
    assert_true(s.background.a == 255);
}

static void assert_opacity(const struct vt_scene *s, unsigned value, double is)
{
    assert_true(fabs((double)s->opacity[value] - is) < 1e-6);
}

static void points_are_joined_by_lines(void **state)
{
    (void)state;
    struct vt_scene s;
    vt_scene_init(&s);
    assert_int_equal(vt_scene_opacity(&s, "0:0 1:0.02 128:.1 255:0.5", NULL), 0);
    assert_opacity(&s, 0, 0);
    assert_opacity(&s, 1, 0.02);
    assert_opacity(&s, 128, 0.1);
    assert_opacity(&s, 64, 0.02 + 0.08 * 63 / 127);
    assert_opacity(&s, 255, 0.5);
    assert_int_equal(vt_scene_opacity(&s, "  100:0.25   200:1 ", NULL), 0);
    assert_opacity(&s, 0, 0.25);
    assert_opacity(&s, 100, 0.25);
    assert_opacity(&s, 150, 0.625);
    assert_opacity(&s, 255, 1);
    assert_int_equal(vt_scene_opacity(&s, "7:0", NULL), 0);
    assert_opacity(&s, 7, 0);
    assert_opacity(&s, 200, 0);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",          " ",       "0",        "0:",
        ":0",        "0:0 0:1", "5:0 4:0",  "256:0",
        "0:1.01",    "-1:0",    "0:-0.5",   "0:0x1",
        "0:1e-3",    "0:nan",   "0:inf",    "1.5:0",
        "0:0,255:1", "0:0.1.2", "0:.",      "0:0\t1:1",
        "0:0:0",     "0 :1",    "0:0 1:2x", "+0:0",
        "0:0 \xff",  "0:0,5",   "0:0\n",    "0:0.000000000000000000000000001",
    };
    struct vt_scene s, before;
    struct vt_error err;
    vt_scene_init(&s);
    before = s;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(vt_scene_opacity(&s, wrong[i], &err), VT_E_INVAL);
        assert_int_equal(err.code, VT_E_INVAL);
        assert_memory_equal(s.opacity, before.opacity, sizeof s.opacity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_show_what_is_in_use),
        cmocka_unit_test(points_are_joined_by_lines),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
