/* With memory for a third of RAM's voxels: those near to the camera come in frame by frame, and
 * what is near then looks as with memory for all. */
#include "tests/unit/volume/gpu_harness.h"

#include "volume/levels.h"
#include "volume/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 4096u /* a cube of 256 */
#define MEMORY (UINT64_C(9) << 20)
#define WIDTH 96
#define HEIGHT 64
#define BYTES ((size_t)WIDTH * HEIGHT * 4)

static struct vt_gpu *gpu;
static uint8_t *bytes;
static struct vt_camera camera;
static struct vt_scene scene;

static struct vt_volume *volume_of(uint64_t memory_bytes)
{
    struct vt_volume *volume;
    struct vt_error err;
    const struct vt_volume_options options = {.copy = true, .memory_bytes = memory_bytes};
    if (vt_volume_create(gpu, bytes, PAGES, &options, &volume, &err) != 0 ||
        vt_volume_update(volume, &(struct vt_volume_update){.all = true}, NULL, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return volume;
}

static void draw(struct vt_view *view, struct vt_volume *volume, uint8_t pixels[BYTES])
{
    const struct vt_shot shot = {.camera = &camera, .scene = &scene, .scale = 1, .now_s = 99};
    const uint8_t *rgba;
    struct vt_error err;
    if (vt_view_draw(view, volume, &shot, NULL, &err) != 0 ||
        vt_view_pixels(view, &rgba, &err) != 0) {
        fail_msg("%s", err.message);
    }
    memcpy(pixels, rgba, BYTES);
}

static double rms(const uint8_t *a, const uint8_t *b)
{
    double squares = 0;
    for (size_t i = 0; i < BYTES; i++) {
        squares += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sqrt(squares / (double)BYTES);
}

/* Looks along z at a corner of the cube from 60 voxels away. */
static void look_at(double x, double y)
{
    camera = (struct vt_camera){
        .eye = {x, y, 1.23}, .target = {x, y, 0.9}, .up = {0, 1, 0}, .fov_y = 0.6};
}

/* Of the pages in the cube of 48 voxels around a point, how many have voxels. */
static unsigned near_ones(const struct vt_volume *volume, double x, double y, bool resident)
{
    unsigned n = 0;
    for (uint32_t page = 0; page < PAGES; page++) {
        uint32_t b[3];
        vt_hilbert3d_point(volume->order, (uint64_t)page * 4096, b);
        bool near = fabs(b[0] - x * 256) < 48 && fabs(b[1] - y * 256) < 48 && b[2] > 256 - 48;
        n += near && (!resident || volume->build->slots.words[page] != VT_NO_SLOT);
    }
    return n;
}

static void near_voxels_come_in(void **state)
{
    (void)state;
    static uint8_t all[BYTES], few[BYTES];
    struct vt_volume *whole = volume_of(0), *pooled = volume_of(MEMORY);
    struct vt_view *view;
    assert_int_equal(vt_view_create(gpu, WIDTH, HEIGHT, &view, NULL), 0);
    assert_true(vt_volume_gpu_bytes(pooled) <= MEMORY);
    assert_in_range(pooled->build->n_slots, PAGES / 4, PAGES / 2);
    vt_scene_init(&scene);
    scene.heat = false;
    scene.density = 3;
    unsigned missing = 0;
    for (unsigned corner = 0; corner < 4; corner++) {
        double x = corner & 1 ? 0.8 : 0.2, y = corner >> 1 ? 0.8 : 0.2;
        look_at(x, y);
        missing += near_ones(pooled, x, y, false) - near_ones(pooled, x, y, true);
        draw(view, whole, all);
        draw(view, pooled, few);
        for (unsigned frame = 0; frame < 4; frame++) {
            draw(view, pooled, few);
        }
        print_message("corner %u: rms %.2f\n", corner, rms(all, few));
        assert_true(rms(all, few) < 2);
        assert_int_equal(near_ones(pooled, x, y, true), near_ones(pooled, x, y, false));

        /* Writes far away take slots for a while, and give them back. */
        uint64_t pages[600];
        size_t n = 0;
        for (uint32_t page = 0; page < PAGES && n < 600; page++) {
            uint32_t b[3];
            vt_hilbert3d_point(pooled->order, (uint64_t)page * 4096, b);
            if (b[2] < 100) {
                pages[n++] = page;
            }
        }
        const struct vt_volume_update update = {.pages = pages, .n_pages = n, .now_s = 1 + corner};
        assert_int_equal(vt_volume_update(pooled, &update, NULL, NULL), 0);
        for (unsigned frame = 0; frame < 3; frame++) {
            draw(view, pooled, few);
        }
        assert_int_equal(near_ones(pooled, x, y, true), near_ones(pooled, x, y, false));
    }
    assert_true(missing > 100);
    vt_view_destroy(view);
    vt_volume_destroy(whole);
    vt_volume_destroy(pooled);
}

/* A draw brings in no more than a few megabytes. */
static void a_little_at_a_time(void **state)
{
    (void)state;
    static uint8_t pixels[BYTES];
    struct vt_volume *volume = volume_of(MEMORY);
    struct vt_view *view;
    assert_int_equal(vt_view_create(gpu, WIDTH, HEIGHT, &view, NULL), 0);
    vt_scene_init(&scene);
    look_at(0.5, 0.5);
    uint32_t *before = malloc(PAGES * sizeof *before);
    for (unsigned frame = 0; frame < 4; frame++) {
        unsigned came = 0;
        memcpy(before, volume->build->slots.words, PAGES * sizeof *before);
        draw(view, volume, pixels);
        for (uint32_t page = 0; page < PAGES; page++) {
            came += before[page] == VT_NO_SLOT && volume->build->slots.words[page] != VT_NO_SLOT;
        }
        assert_in_range(came, 0, 1024);
    }
    free(before);
    vt_view_destroy(view);
    vt_volume_destroy(volume);
}

int main(void)
{
    uint32_t x = 7;
    gpu = vt_test_gpu_open();
    bytes = mmap(NULL, PAGES * (size_t)4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    assert_true(bytes != MAP_FAILED);
    for (size_t i = 0; i < PAGES * (size_t)4096; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = x >> 30 == 0 ? (uint8_t)(x >> 16) : 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_voxels_come_in),
        cmocka_unit_test(a_little_at_a_time),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    munmap(bytes, PAGES * (size_t)4096);
    void *state = gpu;
    return failed + (vt_test_gpu_teardown(&state) != 0);
}
