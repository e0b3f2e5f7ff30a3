/* Pictures as JPEG, read again by the library's other half. */
#include "tests/unit/harness.h"

#include "volume/jpeg.h"

#include <string.h>
#include <turbojpeg.h>

static void paint(uint8_t *rgba, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint8_t *p = rgba + 4 * ((size_t)y * width + x);
            p[0] = (uint8_t)(255 * x / width);
            p[1] = (uint8_t)(255 * y / height);
            p[2] = 40;
            p[3] = (uint8_t)(x * y); /* says nothing */
        }
    }
}

static void check(struct vt_jpeg *jpeg, uint32_t width, uint32_t height)
{
    size_t bytes = (size_t)width * height * 4, n = 0;
    uint8_t *rgba = malloc(bytes), *again = malloc(bytes);
    const uint8_t *coded;
    struct vt_error err = {0};
    int w, h, sub, space;
    paint(rgba, width, height);
    assert_int_equal(vt_jpeg_encode(jpeg, rgba, width, height, 90, &coded, &n, &err), 0);
    tjhandle reader = tjInitDecompress();
    assert_int_equal(tjDecompressHeader3(reader, coded, n, &w, &h, &sub, &space), 0);
    assert_int_equal(w, width);
    assert_int_equal(h, height);
    assert_int_equal(tjDecompress2(reader, coded, n, again, w, 0, h, TJPF_RGBA, 0), 0);
    for (size_t i = 0; i < bytes; i += 4) {
        for (size_t c = 0; c < 3; c++) {
            assert_true(abs(rgba[i + c] - again[i + c]) < 16);
        }
    }
    tjDestroy(reader);
    free(rgba);
    free(again);
}

static void pictures_come_back(void **state)
{
    (void)state;
    struct vt_jpeg *jpeg;
    struct vt_error err = {0};
    assert_int_equal(vt_jpeg_create(&jpeg, &err), 0);
    check(jpeg, 64, 48);
    check(jpeg, 641, 359); /* larger than before, and odd */
    check(jpeg, 64, 48);
    vt_jpeg_destroy(jpeg);
    vt_jpeg_destroy(NULL);
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    struct vt_jpeg *jpeg;
    struct vt_error err = {0};
    const uint8_t pixel[4] = {0}, *coded = NULL;
    size_t n = 1;
    assert_int_equal(vt_jpeg_create(&jpeg, &err), 0);
    assert_int_equal(vt_jpeg_encode(jpeg, pixel, 0, 1, 80, &coded, &n, &err), VT_E_INVAL);
    assert_int_equal(vt_jpeg_encode(jpeg, pixel, 1, 65501, 80, &coded, &n, &err), VT_E_INVAL);
    assert_int_equal(vt_jpeg_encode(jpeg, pixel, 1, 1, 0, &coded, &n, &err), VT_E_INVAL);
    assert_int_equal(vt_jpeg_encode(jpeg, pixel, 1, 1, 101, &coded, &n, &err), VT_E_INVAL);
    assert_null(coded);
    assert_int_equal(n, 1);
    vt_jpeg_destroy(jpeg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_come_back),
        cmocka_unit_test(what_is_no_picture_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
