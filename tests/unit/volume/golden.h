/* tests/unit/volume/golden.h - pictures compared with golden PNGs: PROGRAM DIR compares with
 * DIR/<name>.png, PROGRAM --rebase DIR writes them.
 *
 * Tolerance: no channel of a pixel may differ by more than 2 of 255 (compilers round differently).
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

static inline void vt_golden_compare(const struct vt_canvas *canvas, const char *name)
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
    uint8_t *golden = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(golden);
    assert_true(png_image_finish_read(&image, NULL, golden, 0, NULL));
    const uint8_t *drawn = vt_canvas_pixels(canvas);
    size_t different = 0;
    for (size_t i = 0; i < PNG_IMAGE_SIZE(image); i++) {
        different += abs(golden[i] - drawn[i]) > VT_GOLDEN_TOLERANCE;
    }
    free(golden);
    if (different > 0) {
        fail_msg("%s: %zu channel values differ by more than %d; --rebase %s writes it anew", path,
                 different, VT_GOLDEN_TOLERANCE, vt_golden_dir);
    }
}

#endif
