/* tests/unit/volume/golden.h - pictures compared with golden PNGs: PROGRAM DIR compares with
 * DIR/<name>.png, PROGRAM --rebase DIR writes them.
 *
 * Tolerance: no channel of a pixel may differ by more than 2 of 255 (compilers round differently),
 * or what a test says instead.
 */
#ifndef VT_TESTS_VOLUME_GOLDEN_H
#define VT_TESTS_VOLUME_GOLDEN_H

#include "tests/unit/harness.h"

#include "vitrine/volume.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VT_GOLDEN_TOLERANCE 2

static const char *vt_golden_dir;
static bool vt_golden_rebase;

static inline void vt_golden_args(int argc, char **argv)
{
    vt_golden_rebase = argc > 2 && strcmp(argv[1], "--rebase") == 0;
    vt_golden_dir = argv[argc - 1];
}

/* At most `odd` pixels of a thousand may differ by more than `tolerance` in a channel. */
static inline void vt_golden_compare_near(const struct vt_canvas *canvas, const char *name,
                                          int tolerance, size_t odd)
{
    char path[4096];
    struct vt_error err;
    assert_true((size_t)snprintf(path, sizeof path, "%s/%s.png", vt_golden_dir, name) <
                sizeof path);
    if (vt_golden_rebase) {
        assert_int_equal(vt_canvas_write_png(canvas, path, &err), 0);
        return;
    }
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path)) {
        fail_msg("%s: %s", path, image.message);
    }
    image.format = PNG_FORMAT_RGBA;
    assert_int_equal(image.width, vt_canvas_width(canvas));
    assert_int_equal(image.height, vt_canvas_height(canvas));
    size_t n = PNG_IMAGE_SIZE(image) / 4, different = 0;
    uint8_t *golden = malloc(4 * n);
    assert_non_null(golden);
    assert_true(png_image_finish_read(&image, NULL, golden, 0, NULL));
    const uint8_t *drawn = vt_canvas_pixels(canvas);
    for (size_t i = 0; i < n; i++) {
        bool same = true;
        for (size_t k = 4 * i; k < 4 * i + 4; k++) {
            same &= abs(golden[k] - drawn[k]) <= tolerance;
        }
        different += !same;
    }
    free(golden);
    if (different > n * odd / 1000) {
        fail_msg("%s: %zu pixels differ by more than %d; --rebase %s writes it anew", path,
                 different, tolerance, vt_golden_dir);
    }
}

static inline void vt_golden_compare(const struct vt_canvas *canvas, const char *name)
{
    vt_golden_compare_near(canvas, name, VT_GOLDEN_TOLERANCE, 0);
}

#endif
