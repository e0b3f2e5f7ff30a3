/* The canvas: clipping, exact coverage, text, and PNG files that appear whole or not at all. */
#include "tests/unit/harness.h"

#include "volume/draw.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct vt_colour white = {255, 255, 255, 255};

static const uint8_t *pixel(const struct vt_canvas *c, uint32_t x, uint32_t y)
{
    return vt_canvas_pixels(c) + (y * vt_canvas_width(c) + x) * 4;
}

static struct vt_canvas *black(uint32_t w, uint32_t h)
{
    struct vt_canvas *c;
    assert_int_equal(vt_canvas_create(w, h, &c, NULL), 0);
    vt_canvas_rect(c, 0, 0, (int32_t)w, (int32_t)h, (struct vt_colour){0, 0, 0, 255});
    return c;
}

static uint64_t light(const struct vt_canvas *c)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < (uint64_t)vt_canvas_width(c) * vt_canvas_height(c); i++) {
        sum += vt_canvas_pixels(c)[i * 4];
    }
    return sum;
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    struct vt_canvas *c = NULL;
    struct vt_error err;
    assert_int_equal(vt_canvas_create(0, 5, &c, &err), VT_E_INVAL);
    assert_int_equal(vt_canvas_create(5, 16385, &c, &err), VT_E_INVAL);
    assert_null(c);
    vt_canvas_destroy(NULL);
}

static void rectangles_are_clipped(void **state)
{
    (void)state;
    struct vt_canvas *c = black(8, 8);
    vt_canvas_rect(c, -5, -5, 7, 7, white);
    vt_canvas_rect(c, 6, 6, INT32_MAX, INT32_MAX, white);
    vt_canvas_rect(c, 3, 3, -2, 2, white);
    vt_canvas_rect(c, 100, 100, 5, 5, white);
    assert_true(light(c) == 255 * 8);
    vt_canvas_round_rect(c, -50, -50, 10, 10, 3, white);
    vt_canvas_round_rect(c, 50, 50, 10, 10, 3, white);
    assert_true(light(c) == 255 * 8);
    vt_canvas_destroy(c);
}

static void coverage_is_the_area(void **state)
{
    (void)state;
    struct vt_canvas *c = black(8, 8);
    vt_canvas_round_rect(c, 1.5F, 2.25F, 3, 2, 0, white);
    assert_in_range(pixel(c, 1, 3)[0], 127, 128);
    assert_in_range(pixel(c, 2, 2)[0], 191, 192);
    assert_int_equal(pixel(c, 2, 3)[0], 255);
    assert_in_range(pixel(c, 4, 4)[0], 31, 32); /* a half of a quarter */
    assert_int_equal(pixel(c, 5, 3)[0], 0);
    vt_canvas_destroy(c);

    c = black(64, 64);
    vt_canvas_disc(c, 32.3F, 31.7F, 20, white);
    double area = (double)light(c) / 255;
    assert_true(area > 1256.6 - 3 && area < 1256.6 + 3); /* pi * 20^2 */
    vt_canvas_destroy(c);
}

static void text_has_a_width_and_stays_in_it(void **state)
{
    (void)state;
    struct vt_pen pen = {.font = &vt_font_regular, .size = 20, .colour = white};
    struct vt_canvas *c = black(200, 40);
    float w = vt_canvas_text(c, &pen, 10, 28, "Kernel code");
    assert_true(w > 80 && w < 130);
    assert_true(w == vt_text_width(&pen, "Kernel code"));
    assert_true(light(c) > 255 * 100);
    for (uint32_t y = 0; y < 40; y++) {
        for (uint32_t x = 0; x < 200; x++) {
            bool outside = x < 9 || (float)x > 11 + w || y < 10 || y > 34;
            assert_true(!outside || pixel(c, x, y)[0] == 0);
        }
    }
    vt_canvas_destroy(c);
    /* Columns of numbers stand. */
    assert_true(vt_text_width(&pen, "1111") == vt_text_width(&pen, "0487"));
    /* Right- and centre-aligned text covers the same pixels as left-aligned text put there. */
    struct vt_canvas *a = black(200, 40), *b = black(200, 40);
    float width = vt_text_width(&pen, "heap");
    vt_canvas_text(a, &pen, 100 - width, 28, "heap");
    pen.align = VT_RIGHT;
    vt_canvas_text(b, &pen, 100, 28, "heap");
    assert_memory_equal(vt_canvas_pixels(a), vt_canvas_pixels(b), 200 * 40 * 4);
    vt_canvas_destroy(a);
    vt_canvas_destroy(b);
}

static void long_and_odd_text_is_cut_and_replaced(void **state)
{
    (void)state;
    struct vt_pen pen = {.font = &vt_font_semibold, .size = 14, .colour = white, .max_width = 60};
    assert_true(vt_text_width(&pen, "a name that does not fit at all") <= 60);
    assert_true(vt_text_width(&pen, "short") < 60);
    pen.max_width = 0;
    float one = vt_text_width(&pen, "?");
    assert_true(vt_text_width(&pen, "\xff") == one);         /* not UTF-8 */
    assert_true(vt_text_width(&pen, "\xe6\xbc\xa2") == one); /* no such glyph */
    assert_true(vt_text_width(&pen, "\xf0\x9f") == 2 * one); /* cut short */
    assert_true(vt_text_width(&pen, "\xc2\xb7") != one);     /* a middle dot, there */
    assert_true(vt_text_width(&pen, "") == 0);
}

static void a_png_comes_back_as_it_was(void **state)
{
    (void)state;
    char path[] = "/tmp/vitrine-draw.XXXXXX";
    assert_non_null(mkdtemp(path));
    char file[64];
    snprintf(file, sizeof file, "%s/a.png", path);
    struct vt_canvas *c = black(50, 30);
    vt_canvas_disc(c, 25, 15, 12, (struct vt_colour){200, 100, 50, 128});
    struct vt_error err;
    assert_int_equal(vt_canvas_write_png(c, file, &err), 0);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, file));
    assert_int_equal(image.width, 50);
    assert_int_equal(image.height, 30);
    image.format = PNG_FORMAT_RGBA;
    uint8_t *back = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
    assert_memory_equal(back, vt_canvas_pixels(c), 50 * 30 * 4);
    free(back);
    unlink(file);
    assert_int_equal(rmdir(path), 0); /* and no temporary file was left */
    vt_canvas_destroy(c);
}

static void what_cannot_be_written_says_why(void **state)
{
    (void)state;
    struct vt_canvas *c = black(400, 300);
    struct vt_error err = {0};
    assert_int_equal(vt_canvas_write_png(c, "/dev/full", &err), VT_E_IO);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_non_null(strstr(err.message, "/dev/full"));
    struct stat st; /* a device is written to, never replaced */
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(vt_canvas_write_png(c, "/dev/null", &err), 0);
    assert_int_equal(vt_canvas_write_png(c, "/tmp", &err), VT_E_IO);
    assert_int_equal(vt_canvas_write_png(c, "/tmp/no/such/dir/a.png", &err), VT_E_NOT_FOUND);
    vt_canvas_destroy(c);
}

static void lines_are_as_long_and_wide_as_they_should(void **state)
{
    (void)state;
    static const float ends[][4] = {
        {10, 20.5F, 60, 20.5F}, {60, 20.5F, 10, 20.5F}, {20.25F, 5, 20.25F, 70}, {10, 10, 70, 70},
        {70, 10, 10, 70},       {12, 30, 66, 41},       {30, 66, 41, 12},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const float *e = ends[i];
        struct vt_canvas *c = black(80, 80);
        vt_canvas_line(c, e[0], e[1], e[2], e[3], 2, white);
        double area = 2 * hypot((double)(e[2] - e[0]), (double)(e[3] - e[1]));
        double drawn = (double)light(c) / 255;
        assert_true(fabs(drawn - area) < 0.02 * area);
        vt_canvas_destroy(c);
    }
}

static void lines_are_clipped(void **state)
{
    (void)state;
    struct vt_canvas *c = black(40, 30), *d = black(40, 30);
    vt_canvas_line(c, 0, 15, 40, 15, 2, white);
    vt_canvas_line(d, -1e9F, 15, 1e9F, 15, 2, white);
    assert_memory_equal(vt_canvas_pixels(c), vt_canvas_pixels(d), (size_t)40 * 30 * 4);
    vt_canvas_line(d, -5, -5, -50, 80, 2, white);
    vt_canvas_line(d, 1e30F, 1e30F, 2e30F, -1e30F, 2, white);
    vt_canvas_line(d, NAN, 0, 10, 10, 2, white);
    vt_canvas_line(d, 0, 0, INFINITY, 10, 2, white);
    vt_canvas_line(d, 7, 7, 7, 7, 2, white); /* nowhere to */
    assert_memory_equal(vt_canvas_pixels(c), vt_canvas_pixels(d), (size_t)40 * 30 * 4);
    vt_canvas_put(c, vt_canvas_pixels(d));
    vt_canvas_destroy(c);
    vt_canvas_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(rectangles_are_clipped),
        cmocka_unit_test(coverage_is_the_area),
        cmocka_unit_test(lines_are_as_long_and_wide_as_they_should),
        cmocka_unit_test(lines_are_clipped),
        cmocka_unit_test(text_has_a_width_and_stays_in_it),
        cmocka_unit_test(long_and_odd_text_is_cut_and_replaced),
        cmocka_unit_test(a_png_comes_back_as_it_was),
        cmocka_unit_test(what_cannot_be_written_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
