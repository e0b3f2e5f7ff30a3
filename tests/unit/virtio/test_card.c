/* The test card against golden PNGs, pixel by pixel: test_card DIR compares with DIR/<name>.png,
 * test_card --rebase DIR writes them. Look at the pictures before committing rebased ones. */
#include "tests/unit/harness.h"
#include "vitrine/virtio_gpu.h"

#include <png.h>
#include <string.h>

static const char *dir;
static bool rebase;

static struct vt_surface surface(uint32_t width, uint32_t height, uint32_t stride)
{
    struct vt_surface s = {malloc((size_t)4 * stride * height), width, height, stride};
    assert_non_null(s.pixels);
    memset(s.pixels, 0x5a, (size_t)4 * stride * height);
    return s;
}

static void compare(uint32_t width, uint32_t height, const char *label)
{
    struct vt_surface s = surface(width, height, width);
    vt_surface_test_card(&s, label);
    png_image image = {.version = PNG_IMAGE_VERSION};
    char path[4096];
    assert_true(snprintf(path, sizeof path, "%s/%ux%u.png", dir, width, height) < (int)sizeof path);
    uint32_t *golden = malloc((size_t)4 * width * height);
    assert_non_null(golden);
    if (rebase) {
        for (size_t i = 0; i < (size_t)width * height; i++) {
            golden[i] = s.pixels[i] | 0xff000000;
        }
        image.width = width;
        image.height = height;
        image.format = PNG_FORMAT_BGRA;
        assert_true(png_image_write_to_file(&image, path, 0, golden, 0, NULL));
    } else {
        if (!png_image_begin_read_from_file(&image, path)) {
            fail_msg("%s: %s", path, image.message);
        }
        image.format = PNG_FORMAT_BGRA;
        assert_int_equal(image.width, width);
        assert_int_equal(image.height, height);
        assert_true(png_image_finish_read(&image, NULL, golden, 0, NULL));
        for (size_t i = 0; i < (size_t)width * height; i++) {
            if ((golden[i] & 0xffffff) != s.pixels[i]) {
                fail_msg("%s: pixel %zu, %zu is %06x; --rebase %s writes it anew", path, i % width,
                         i / width, s.pixels[i], dir);
            }
        }
    }
    free(golden);
    free(s.pixels);
}

static void test_golden(void **state)
{
    (void)state;
    compare(640, 480, "golden");
    compare(1280, 800, "golden, with a label that is longer than its line at twice the size");
    compare(480, 640, "upright");
    compare(96, 64, "small");
}

/* The same pixels whatever lies behind a row, and every pixel is drawn, at any size. */
static void test_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1},   {2, 3},    {16, 16},    {3, 400},
                                        {400, 3}, {1366, 9}, {1920, 1080}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t w = sizes[i][0], h = sizes[i][1];
        struct vt_surface a = surface(w, h, w), b = surface(w, h, w + 5);
        vt_surface_test_card(&a, "sizes");
        vt_surface_test_card(&b, "sizes");
        for (uint32_t y = 0; y < h; y++) {
            assert_memory_equal(a.pixels + (size_t)y * w, b.pixels + (size_t)y * (w + 5),
                                (size_t)4 * w);
            for (uint32_t x = 0; x < 5; x++) {
                assert_int_equal(b.pixels[(size_t)y * (w + 5) + w + x], 0x5a5a5a5a);
            }
        }
        for (size_t p = 0; p < (size_t)w * h; p++) {
            assert_int_equal(a.pixels[p] >> 24, 0);
        }
        free(a.pixels);
        free(b.pixels);
    }
    struct vt_surface none = {0};
    vt_surface_test_card(&none, "nothing");
}

/* Another size or label is another picture: it says which one it is. */
static void test_label(void **state)
{
    (void)state;
    struct vt_surface a = surface(320, 200, 320), b = surface(320, 200, 320);
    vt_surface_test_card(&a, "one");
    vt_surface_test_card(&b, "two");
    assert_memory_not_equal(a.pixels, b.pixels, (size_t)4 * 320 * 200);
    free(a.pixels);
    free(b.pixels);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_label),
    };
    if (argc < 2) {
        fprintf(stderr, "usage: test_card [--rebase] DIR\n");
        return 2;
    }
    rebase = argc > 2 && strcmp(argv[1], "--rebase") == 0;
    dir = argv[argc - 1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
