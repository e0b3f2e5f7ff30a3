/* The field: every page has its place and only one, whatever the size of RAM and of the picture. */
#include "tests/unit/harness.h"

#include "volume/draw.h"
#include "volume/field.h"

#include <stdlib.h>
#include <string.h>

struct seen {
    uint64_t next;    /* first page not painted yet: the curve goes through RAM in order */
    uint64_t n_calls; /* = cells or halves painted */
};

static struct vt_colour colour_of(uint64_t call)
{
    /* Never transparent, never equal to the one before: calls can be counted in the pixels. */
    return (struct vt_colour){(uint8_t)(call >> 16), (uint8_t)(call >> 8), (uint8_t)call, 255};
}

static struct vt_colour in_order(uint64_t first, uint64_t n, void *arg)
{
    struct seen *seen = arg;
    assert_true(n > 0);
    assert_true(first == seen->next);
    seen->next = first + n;
    return colour_of(seen->n_calls++);
}

static uint32_t *count_pixels(const struct vt_canvas *canvas, uint64_t n_calls, uint64_t *blank)
{
    const uint8_t *p = vt_canvas_pixels(canvas);
    uint64_t n = (uint64_t)vt_canvas_width(canvas) * vt_canvas_height(canvas);
    uint32_t *count = calloc(n_calls, sizeof *count);
    assert_non_null(count);
    *blank = 0;
    for (uint64_t i = 0; i < n; i++, p += 4) {
        uint64_t call = (uint64_t)p[0] << 16 | (uint64_t)p[1] << 8 | p[2];
        if (p[3] == 0) {
            ++*blank;
        } else {
            assert_true(call < n_calls);
            count[call]++;
        }
    }
    return count;
}

static void check(uint64_t n_pages, uint32_t room)
{
    struct vt_field f = vt_field_fit(n_pages, room);
    struct vt_canvas *canvas;
    struct vt_error err;
    struct seen seen = {0};
    assert_in_range(f.side, room / 5 * 4, room);
    assert_int_equal(vt_canvas_create(f.side, f.side, &canvas, &err), 0);
    vt_field_draw(&f, canvas, 0, 0, in_order, &seen);
    assert_true(seen.next == n_pages);

    uint64_t blank, least = UINT64_MAX, most = 0;
    uint32_t *count = count_pixels(canvas, seen.n_calls, &blank);
    for (uint64_t i = 0; i < seen.n_calls; i++) {
        least = count[i] < least ? count[i] : least;
        most = count[i] > most ? count[i] : most;
    }
    assert_true(least > 0);
    /* More than half of the field is RAM (but for the one or two pages of a toy), and exactly all
     * of it where RAM is a power of two. */
    uint64_t all = (uint64_t)f.side * f.side;
    assert_true(n_pages <= 2 || 2 * blank < all);
    if (n_pages >= 4 && (n_pages & (n_pages - 1)) == 0) {
        assert_true(blank == 0);
    }
    if ((f.side & (f.side - 1)) == 0) {
        assert_true(most == least || n_pages <= 2);
    }
    free(count);
    vt_canvas_destroy(canvas);
}

static void every_page_has_its_place(void **state)
{
    (void)state;
    static const uint64_t pages[] = {1,     2,     3,     4,     5,     16,     17,
                                     100,   1024,  2048,  3000,  4096,  16384,  32768,
                                     49152, 65535, 65536, 65537, 98304, 131072, 200001};
    for (unsigned i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        check(pages[i], 256);
        check(pages[i], 300);
        check(pages[i], 1024);
    }
}

static void more_pages_than_pixels_share_them(void **state)
{
    (void)state;
    /* 64 GiB in a field of 1024 pixels: 16 pages a pixel. */
    struct vt_field f = vt_field_fit((uint64_t)1 << 24, 1024);
    assert_int_equal(f.side, 1024);
    assert_int_equal(f.order, 10);
    assert_int_equal(f.cell_shift, 4);
    assert_false(f.halves);
    check((uint64_t)1 << 22, 512);
    check(((uint64_t)1 << 21) + 12345, 512);
}

static struct vt_colour first_sixteenth(uint64_t first, uint64_t n, void *arg)
{
    (void)n;
    uint64_t block = *(const uint64_t *)arg / 16;
    return (struct vt_colour){0, 0, 0, first < block ? 255 : 0};
}

static void a_sixteenth_is_a_square(void **state)
{
    (void)state;
    for (uint64_t pages = 1024; pages <= 65536; pages *= 2) {
        struct vt_field f = vt_field_fit(pages, 256);
        struct vt_canvas *canvas;
        assert_int_equal(vt_canvas_create(f.side, f.side, &canvas, NULL), 0);
        vt_field_draw(&f, canvas, 0, 0, first_sixteenth, &pages);
        for (uint32_t y = 0; y < f.side; y++) {
            for (uint32_t x = 0; x < f.side; x++) {
                bool inside = x < f.side / 4 && y < f.side / 4;
                assert_int_equal(vt_canvas_pixels(canvas)[(y * f.side + x) * 4 + 3],
                                 inside ? 255 : 0);
            }
        }
        vt_canvas_destroy(canvas);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_has_its_place),
        cmocka_unit_test(more_pages_than_pixels_share_them),
        cmocka_unit_test(a_sixteenth_is_a_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
