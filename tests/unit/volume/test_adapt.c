/* How finely to draw: simulated devices whose frames take so long. */
#include "tests/unit/harness.h"

#include "volume/adapt.h"

#include <math.h>

#define WIDTH 1280
#define HEIGHT 720

/* A device: each pixel takes so long, at coarse scales less, and a frame takes some time in any
 * case. */
struct device {
    double pixel_s, frame_s;
    double cheaper; /* a pixel's cost at the next coarser scale, as a share */
};

static double takes(const struct device *device, unsigned scale)
{
    double n = ceil(WIDTH / (double)scale) * ceil(HEIGHT / (double)scale);
    return device->frame_s + n * device->pixel_s * pow(device->cheaper, log2(scale));
}

/* Draws a frame; returns its scale, 0: none was asked for. */
static unsigned frame(struct vt_adapt *adapt, const struct device *device, bool moving,
                      bool changed)
{
    unsigned scale = vt_adapt_next(adapt, WIDTH, HEIGHT, 0, moving, changed);
    if (scale != 0) {
        vt_adapt_took(adapt, WIDTH, HEIGHT, 0, takes(device, scale));
    }
    return scale;
}

/* The finest scale whose frame fits. */
static unsigned best(const struct device *device, double budget_s)
{
    unsigned scale = 1;
    while (scale < 8 && takes(device, scale) > budget_s) {
        scale *= 2;
    }
    return scale;
}

static const struct device devices[] = {
    {1e-11, 1e-4, 1},    {1e-9, 1e-3, 0.9}, {2e-8, 1e-3, 1},   {7e-7, 2e-3, 0.7}, {7e-7, 2e-3, 0.3},
    {2.9e-7, 2e-3, 0.5}, {7e-8, 1e-2, 0.9}, {1e-6, 1e-3, 0.5}, {1e-5, 0, 1},      {1e-4, 0.2, 0.6},
};
#define N_DEVICES (sizeof devices / sizeof *devices)

static void test_moving_finds_a_scale_and_keeps_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++) {
        const struct device *device = &devices[i];
        struct vt_adapt adapt;
        vt_adapt_init(&adapt, 1.0 / 30);
        unsigned scale = 0;
        for (unsigned n = 0; n < 20; n++) {
            scale = frame(&adapt, device, true, n % 3 == 0);
        }
        for (unsigned n = 0; n < 200; n++) {
            assert_int_equal(frame(&adapt, device, true, n % 3 == 0), scale);
        }
        /* It fits, and the next finer one would not, or barely. */
        assert_true(scale == 8 || takes(device, scale) <= adapt.budget_s);
        assert_true(scale == best(device, adapt.budget_s) ||
                    takes(device, scale / 2) > 0.7 * adapt.budget_s);
    }
}

static void test_noise_is_no_reason_to_change(void **state)
{
    (void)state;
    uint32_t noise = 1;
    struct device device = {7e-7, 1e-3, 0.7};
    struct vt_adapt adapt;
    vt_adapt_init(&adapt, 1.0 / 30);
    unsigned changes = 0, last = 0;
    for (unsigned n = 0; n < 400; n++) {
        noise = noise * 1664525 + 1013904223;
        device.pixel_s = 7e-7 * (0.93 + 0.14 * (noise >> 16) / 65536.0);
        unsigned scale = frame(&adapt, &device, true, false);
        changes += n >= 20 && scale != last;
        last = scale;
    }
    assert_int_equal(changes, 0);
}

static void test_rest_gets_sharp_and_quiet(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++) {
        struct vt_adapt adapt;
        vt_adapt_init(&adapt, 1.0 / 30);
        unsigned last = 8;
        for (unsigned n = 0; n < 20; n++) {
            last = frame(&adapt, &devices[i], true, false);
        }
        while (last > 1) {
            unsigned scale = frame(&adapt, &devices[i], false, false);
            assert_int_equal(scale, last / 2);
            last = scale;
        }
        for (unsigned n = 0; n < 10; n++) {
            assert_int_equal(frame(&adapt, &devices[i], false, false), 0);
        }
        assert_int_equal(adapt.scale, 1);
    }
}

static void test_a_picture_that_is_never_moved_gets_sharp(void **state)
{
    (void)state;
    struct vt_adapt adapt;
    vt_adapt_init(&adapt, 1.0 / 30);
    assert_int_equal(frame(&adapt, &devices[3], false, false), 4);
    assert_int_equal(frame(&adapt, &devices[3], false, false), 2);
    assert_int_equal(frame(&adapt, &devices[3], false, false), 1);
    assert_int_equal(frame(&adapt, &devices[3], false, false), 0);
}

static void test_changing_ram_at_rest_is_steady(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++) {
        const struct device *device = &devices[i];
        struct vt_adapt adapt;
        vt_adapt_init(&adapt, 1.0 / 30);
        unsigned scale = 0;
        for (unsigned n = 0; n < 40; n++) {
            scale = frame(&adapt, device, false, true);
        }
        for (unsigned n = 0; n < 200; n++) {
            assert_int_equal(frame(&adapt, device, false, true), scale);
        }
        assert_true(scale == 8 || takes(device, scale) <= adapt.rest_s);
        assert_true(scale <= best(device, adapt.budget_s));
    }
}

static void test_a_change_now_and_then_stays_sharp(void **state)
{
    (void)state;
    /* A frame takes 0.65 s, longer than rest_s; once sharp, it stays so. */
    struct vt_adapt adapt;
    vt_adapt_init(&adapt, 1.0 / 30);
    while (frame(&adapt, &devices[3], false, false) != 0) {
    }
    for (unsigned n = 0; n < 50; n++) {
        assert_int_equal(frame(&adapt, &devices[3], false, true), 1);
        assert_int_equal(frame(&adapt, &devices[3], false, false), 0);
    }
}

static void test_one_slow_frame_is_forgiven(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++) {
        const struct device *device = &devices[i];
        struct vt_adapt adapt;
        vt_adapt_init(&adapt, 1.0 / 30);
        for (unsigned n = 0; n < 20; n++) {
            frame(&adapt, device, true, false);
        }
        unsigned scale = vt_adapt_next(&adapt, WIDTH, HEIGHT, 0, true, false);
        vt_adapt_took(&adapt, WIDTH, HEIGHT, 0, 50 * takes(device, scale));
        for (unsigned n = 0; n < 20; n++) {
            assert_int_equal(frame(&adapt, device, true, false), scale);
        }
    }
}

static void test_a_device_that_became_slower_or_faster_is_noticed(void **state)
{
    (void)state;
    const struct device fast = {2e-8, 1e-3, 1}, slow = {1e-6, 1e-3, 0.8};
    struct vt_adapt adapt;
    vt_adapt_init(&adapt, 1.0 / 30);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 20; n++) {
            frame(&adapt, &fast, true, false);
        }
        assert_int_equal(adapt.scale, 1);
        for (unsigned n = 0; n < 20; n++) {
            frame(&adapt, &slow, true, false);
        }
        assert_int_equal(adapt.scale, best(&slow, adapt.budget_s));
    }
}

static void test_methods_are_known_apart(void **state)
{
    (void)state;
    struct vt_adapt adapt;
    vt_adapt_init(&adapt, 1.0 / 30);
    for (unsigned n = 0; n < 20; n++) {
        frame(&adapt, &devices[8], true, false);
    }
    assert_int_equal(adapt.scale, 8);
    for (unsigned n = 0; n < 20; n++) {
        vt_adapt_next(&adapt, WIDTH, HEIGHT, 1, true, false);
        vt_adapt_took(&adapt, WIDTH, HEIGHT, 1, 1e-4);
    }
    assert_int_equal(adapt.scale, 1);
    frame(&adapt, &devices[8], true, false);
    assert_int_equal(adapt.scale, 8);
}

static void test_nonsense_is_ignored(void **state)
{
    (void)state;
    struct vt_adapt adapt;
    vt_adapt_init(&adapt, 1.0 / 30);
    vt_adapt_took(&adapt, WIDTH, HEIGHT, 0, 1); /* of no frame */
    for (unsigned n = 0; n < 20; n++) {
        frame(&adapt, &devices[2], true, false);
    }
    unsigned scale = adapt.scale;
    const double odd[] = {NAN, INFINITY, -1, 0};
    for (unsigned i = 0; i < 4; i++) {
        vt_adapt_took(&adapt, WIDTH, HEIGHT, 0, odd[i]);
        vt_adapt_took(&adapt, 0, 0, 0, 1);
        assert_int_equal(frame(&adapt, &devices[2], true, false), scale);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moving_finds_a_scale_and_keeps_it),
        cmocka_unit_test(test_noise_is_no_reason_to_change),
        cmocka_unit_test(test_rest_gets_sharp_and_quiet),
        cmocka_unit_test(test_a_picture_that_is_never_moved_gets_sharp),
        cmocka_unit_test(test_changing_ram_at_rest_is_steady),
        cmocka_unit_test(test_a_change_now_and_then_stays_sharp),
        cmocka_unit_test(test_one_slow_frame_is_forgiven),
        cmocka_unit_test(test_a_device_that_became_slower_or_faster_is_noticed),
        cmocka_unit_test(test_methods_are_known_apart),
        cmocka_unit_test(test_nonsense_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
