/* Drawing: everything clips, lines are the same from both ends, an area may be copied onto itself,
 * and what PNG and PPM say is what is in memory: read back by libpng. */
#include "tests/unit/harness.h"
#include "vitrine/virtio_gpu.h"

#include <png.h>
#include <string.h>

#define W 61u
#define H 37u
#define STRIDE 67u
#define GUARD 0xdeadbeefu

/* A surface in the middle of memory that must not change. */
struct canvas {
    uint32_t before[STRIDE], pixels[STRIDE * H], after[STRIDE];
    struct vt_surface s;
};

static struct canvas *canvas_create(void)
{
    struct canvas *c = malloc(sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < STRIDE; i++) {
        c->before[i] = c->after[i] = GUARD;
    }
    for (size_t i = 0; i < STRIDE * H; i++) {
        c->pixels[i] = i % STRIDE < W ? 0 : GUARD;
    }
    c->s = (struct vt_surface){c->pixels, W, H, STRIDE};
    return c;
}

static unsigned canvas_end(struct canvas *c, uint32_t colour)
{
    unsigned n = 0;
    for (size_t i = 0; i < STRIDE; i++) {
        assert_int_equal(c->before[i], GUARD);
        assert_int_equal(c->after[i], GUARD);
    }
    for (size_t i = 0; i < STRIDE * H; i++) {
        if (i % STRIDE >= W) {
            assert_int_equal(c->pixels[i], GUARD);
        } else {
            n += c->pixels[i] == colour;
        }
    }
    free(c);
    return n;
}

static void test_fill(void **state)
{
    (void)state;
    static const struct {
        struct vt_vgpu_rect rect;
        unsigned pixels;
    } cases[] = {
        {{0, 0, W, H}, W * H},
        {{3, 4, 5, 6}, 30},
        {{W - 1, H - 1, 10, 10}, 1},
        {{W, 0, 1, 1}, 0},
        {{0, H, 1, 1}, 0},
        {{5, 5, 0, 9}, 0},
        {{1, 1, UINT32_MAX, UINT32_MAX}, (W - 1) * (H - 1)},
        {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct canvas *c = canvas_create();
        vt_surface_fill(&c->s, &cases[i].rect, 0x123456);
        assert_int_equal(canvas_end(c, 0x123456), cases[i].pixels);
    }
}

static uint32_t next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static int32_t within(uint32_t *seed, int32_t from, int32_t to)
{
    return from + (int32_t)(next(seed) % (uint32_t)(to - from));
}

/* Inside: one pixel a step of the longer way, each within half a pixel of the true line. */
static void test_lines(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (unsigned round = 0; round < 2000; round++) {
        int32_t x0 = within(&seed, 0, W), y0 = within(&seed, 0, H);
        int32_t x1 = within(&seed, 0, W), y1 = within(&seed, 0, H);
        struct canvas *a = canvas_create(), *b = canvas_create();
        vt_surface_line(&a->s, x0, y0, x1, y1, 1);
        vt_surface_line(&b->s, x1, y1, x0, y0, 1);
        assert_memory_equal(a->pixels, b->pixels, sizeof a->pixels);
        assert_int_equal(a->pixels[(uint32_t)y0 * STRIDE + (uint32_t)x0], 1);
        assert_int_equal(a->pixels[(uint32_t)y1 * STRIDE + (uint32_t)x1], 1);
        int32_t wide = abs(x1 - x0), high = abs(y1 - y0), n = wide > high ? wide : high;
        for (int32_t y = 0; y < (int32_t)H; y++) {
            for (int32_t x = 0; x < (int32_t)W; x++) {
                if (a->pixels[(uint32_t)y * STRIDE + (uint32_t)x] == 1) {
                    int32_t off = (x - x0) * (y1 - y0) - (y - y0) * (x1 - x0);
                    assert_true(2 * abs(off) <= n);
                }
            }
        }
        assert_int_equal(canvas_end(b, 1), n + 1);
        canvas_end(a, 1);
    }
}

/* What is cut off leaves the rest where it was: the same line in a surface that holds all of it. */
static void test_lines_clip(void **state)
{
    (void)state;
    enum { LARGE = 300, AT = 120 };
    static uint32_t large[LARGE * LARGE];
    struct vt_surface l = {large, LARGE, LARGE, LARGE};
    uint32_t seed = 11;
    for (unsigned round = 0; round < 1000; round++) {
        int32_t x0 = within(&seed, -AT, LARGE - AT), y0 = within(&seed, -AT, LARGE - AT);
        int32_t x1 = within(&seed, -AT, LARGE - AT), y1 = within(&seed, -AT, LARGE - AT);
        memset(large, 0, sizeof large);
        vt_surface_line(&l, x0 + AT, y0 + AT, x1 + AT, y1 + AT, 1);
        struct canvas *c = canvas_create();
        vt_surface_line(&c->s, x0, y0, x1, y1, 1);
        for (uint32_t y = 0; y < H; y++) {
            assert_memory_equal(c->pixels + y * STRIDE, large + (y + AT) * LARGE + AT, 4 * W);
        }
        canvas_end(c, 1);
    }
    struct canvas *c = canvas_create();
    const int32_t far = (1 << 29) - 1;
    vt_surface_line(&c->s, -far, -far, far, far, 1); /* the diagonal */
    for (uint32_t i = 0; i < H; i++) {
        assert_int_equal(c->pixels[i * STRIDE + i], 1);
    }
    vt_surface_line(&c->s, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX, 2);
    vt_surface_line(&c->s, 0, 0, 0, INT32_MAX, 2);
    vt_surface_line(&c->s, -5, -9, -5, 900, 2);
    assert_int_equal(canvas_end(c, 1), H);
}

static void test_text(void **state)
{
    (void)state;
    struct canvas *c = canvas_create();
    assert_int_equal(vt_surface_text(&c->s, 0, 0, 1, 9, "|"), 8);
    unsigned once = canvas_end(c, 9);
    c = canvas_create();
    assert_int_equal(vt_surface_text(&c->s, 1, 1, 2, 9, "|"), 17);
    assert_int_equal(canvas_end(c, 9), 4 * once);
    c = canvas_create();
    assert_int_equal(vt_surface_text(&c->s, 3, -3, 1, 9, "a \x01\xff"), 35);
    assert_true(canvas_end(c, 9) > 0);
    /* Anywhere outside, however large. */
    static const int32_t at[] = {INT32_MIN, -100000, -4, 0, W - 2, W, 100000, INT32_MAX};
    static const unsigned scales[] = {0, 1, 3, 100, UINT32_MAX};
    for (size_t x = 0; x < 8; x++) {
        for (size_t y = 0; y < 8; y++) {
            for (size_t s = 0; s < 5; s++) {
                c = canvas_create();
                int32_t end = vt_surface_text(&c->s, at[x], at[y], scales[s], 9, "Wide%");
                assert_true(end >= at[x]);
                canvas_end(c, 9);
            }
        }
    }
}

static void test_blit(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (unsigned round = 0; round < 3000; round++) {
        struct canvas *c = canvas_create(), *naive = canvas_create();
        for (uint32_t i = 0; i < STRIDE * H; i++) {
            if (i % STRIDE < W) {
                c->pixels[i] = naive->pixels[i] = i + 1;
            }
        }
        struct vt_vgpu_rect part = {(uint32_t)within(&seed, 0, W + 4),
                                    (uint32_t)within(&seed, 0, H + 4), next(&seed) % (2 * W),
                                    next(&seed) % (2 * H)};
        int32_t x = within(&seed, -(int32_t)W, W + 3), y = within(&seed, -(int32_t)H, H + 3);
        for (uint32_t r = 0; r < part.height; r++) {
            for (uint32_t i = 0; i < part.width; i++) {
                int64_t tx = (int64_t)x + i, ty = (int64_t)y + r;
                if (part.x + i < W && part.y + r < H && tx >= 0 && tx < W && ty >= 0 && ty < H) {
                    naive->pixels[ty * STRIDE + tx] = (part.y + r) * STRIDE + part.x + i + 1;
                }
            }
        }
        if (round % 2 == 0) {
            vt_surface_blit(&c->s, x, y, &c->s, &part);
        } else {
            struct canvas *other = canvas_create();
            memcpy(other->pixels, c->pixels, sizeof other->pixels);
            vt_surface_blit(&c->s, x, y, &other->s, &part);
            canvas_end(other, 0);
        }
        assert_memory_equal(c->pixels, naive->pixels, sizeof c->pixels);
        canvas_end(c, 0);
        canvas_end(naive, 0);
    }
}

/* ---------------------------------------------------------------- files */

struct bytes {
    uint8_t *at;
    size_t n, room;
    size_t most; /* then it fails */
};

static bool keep(const void *bytes, size_t n, void *arg)
{
    struct bytes *b = arg;
    if (b->n + n > b->most) {
        return false;
    }
    if (b->n + n > b->room) {
        b->room = 2 * (b->n + n);
        b->at = realloc(b->at, b->room);
        assert_non_null(b->at);
    }
    memcpy(b->at + b->n, bytes, n);
    b->n += n;
    return true;
}

static void check_png(uint32_t width, uint32_t height)
{
    uint32_t *pixels = malloc(4 * (size_t)width * height), seed = 5;
    assert_non_null(pixels);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        pixels[i] = next(&seed);
    }
    struct vt_surface s = {pixels, width, height, width};
    struct bytes b = {.most = SIZE_MAX};
    assert_true(vt_surface_png(&s, keep, &b));
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, b.at, b.n));
    image.format = PNG_FORMAT_BGRA;
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    uint32_t *read = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(read);
    assert_true(png_image_finish_read(&image, NULL, read, 0, NULL));
    assert_int_equal(image.warning_or_error, 0);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        assert_int_equal(read[i] & 0xffffff, pixels[i] & 0xffffff);
    }
    free(read);
    /* Nowhere does it go on after it could not write. */
    for (size_t most = 0; most < b.n && most < 20000; most += 1 + most / 3) {
        struct bytes short_of_room = {.most = most};
        assert_false(vt_surface_png(&s, keep, &short_of_room));
        free(short_of_room.at);
    }
    free(b.at);
    free(pixels);
}

static void test_png(void **state)
{
    (void)state;
    check_png(1, 1);
    check_png(257, 3);
    check_png(640, 48);
    check_png(21844, 2);
    check_png(50000, 2); /* rows longer than a stored block */
}

static void test_ppm(void **state)
{
    (void)state;
    struct canvas *c = canvas_create();
    vt_surface_fill(&c->s, &(struct vt_vgpu_rect){1, 0, 1, 1}, 0x112233);
    struct bytes b = {.most = SIZE_MAX};
    assert_true(vt_surface_ppm(&c->s, keep, &b));
    assert_int_equal(b.n, strlen("P6\n61 37\n255\n") + (size_t)3 * W * H);
    assert_memory_equal(b.at, "P6\n61 37\n255\n\0\0\0\x11\x22\x33\0", 20);
    b.most = 100;
    b.n = 0;
    assert_false(vt_surface_ppm(&c->s, keep, &b));
    b.most = 3;
    assert_false(vt_surface_ppm(&c->s, keep, &b));
    free(b.at);
    canvas_end(c, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),       cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_clip), cmocka_unit_test(test_text),
        cmocka_unit_test(test_blit),       cmocka_unit_test(test_png),
        cmocka_unit_test(test_ppm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
