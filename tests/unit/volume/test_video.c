/* Pictures as H.264: one by one, and in a file. What ffprobe says of files is in
 * tests/system/film.sh. */
#include "tests/unit/harness.h"

#include "volume/video.h"

#include <dirent.h>
#include <string.h>

enum { WIDTH = 97, HEIGHT = 64, FPS = 25 };

static uint8_t picture[WIDTH * HEIGHT * 4];

static const uint8_t *paint(unsigned n)
{
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++) {
        picture[4 * i] = (uint8_t)(i % WIDTH * 2 + n);
        picture[4 * i + 1] = (uint8_t)(i / WIDTH * 4);
        picture[4 * i + 2] = (uint8_t)(n * 8);
    }
    return picture;
}

/* The types of the NAL units in Annex B form, as bits (ITU-T H.264, 7.3.1 and annex B). */
static uint32_t units(const uint8_t *bytes, size_t n)
{
    uint32_t types = 0;
    for (size_t i = 0; i + 3 < n; i++) {
        if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1) {
            types |= UINT32_C(1) << (bytes[i + 3] & 31);
        }
    }
    return types;
}

enum { SLICE = 1 << 1, IDR = 1 << 5, SPS = 1 << 7, PPS = 1 << 8 };

static void live_pictures_come_out_one_by_one(void **state)
{
    (void)state;
    const struct vt_video_options options = {
        .width = WIDTH, .height = HEIGHT, .fps = FPS, .live = true};
    struct vt_encoder *encoder;
    struct vt_encoded out;
    struct vt_error err = {0};
    assert_int_equal(vt_encoder_create(&options, &encoder, &err), 0);
    for (unsigned i = 0; i < 8; i++) {
        bool key = i == 0 || i == 5;
        assert_int_equal(vt_encoder_put(encoder, paint(i), i == 5, &err), 0);
        assert_int_equal(vt_encoder_take(encoder, &out, &err), 0);
        assert_true(out.n > 4);
        assert_memory_equal(out.bytes, "\0\0\0\1", 4);
        assert_int_equal(out.key, key);
        uint32_t types = units(out.bytes, out.n);
        assert_int_equal(types & (SPS | PPS | IDR), key ? SPS | PPS | IDR : 0);
        assert_true(key || (types & SLICE) != 0);
        assert_int_equal(vt_encoder_take(encoder, &out, &err), 0);
        assert_int_equal(out.n, 0);
    }
    vt_encoder_destroy(encoder);
    vt_encoder_destroy(NULL);
}

static unsigned files_in(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;
    for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
        n += d->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

static void a_movie_is_there_when_it_is_finished(void **state)
{
    const struct vt_video_options options = {.width = WIDTH, .height = HEIGHT, .fps = FPS};
    struct vt_movie *movie;
    struct vt_error err = {0};
    char path[4096], first[8];
    snprintf(path, sizeof path, "%s/a: b.mp4", (const char *)*state);
    assert_int_equal(vt_movie_create(path, &options, &movie, &err), 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(vt_movie_add(movie, paint(i), 1 + i % 2, &err), 0);
    }
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(vt_movie_finish(movie, &err), 0);
    FILE *file = fopen(path, "rb");
    assert_int_equal(fread(first, 1, sizeof first, file), sizeof first);
    fclose(file);
    assert_memory_equal(first + 4, "ftyp", 4);
    assert_int_equal(files_in(*state), 1);

    assert_int_equal(vt_movie_create(path, &options, &movie, &err), 0);
    assert_int_equal(vt_movie_add(movie, paint(1), 1, &err), 0);
    vt_movie_discard(movie);
    vt_movie_discard(NULL);
    assert_int_equal(files_in(*state), 1); /* that from before */

    snprintf(path, sizeof path, "%s/none/a.mp4", (const char *)*state);
    assert_int_not_equal(vt_movie_create(path, &options, &movie, &err), 0);
    assert_int_equal(files_in(*state), 1);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const struct vt_video_options bad[] = {
        {.width = 15, .height = 16, .fps = 1},
        {.width = 16, .height = 4097, .fps = 1},
        {.width = 16, .height = 16, .fps = 0},
        {.width = 16, .height = 16, .fps = 241},
        {.width = 16, .height = 16, .fps = 1, .quality = 52},
    };
    struct vt_encoder *encoder = NULL;
    struct vt_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_encoder_create(&bad[i], &encoder, &err), VT_E_INVAL);
    }
    assert_null(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_pictures_come_out_one_by_one),
        vt_test_in_dir(a_movie_is_there_when_it_is_finished),
        cmocka_unit_test(nonsense_is_refused),
    };
    struct vt_error err;
    if (vt_video_check(&err) != 0) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
