/* Devices without memory, devices that are lost, RAM whose file is cut short: an error each time,
 * nothing leaked, and what can go on goes on. */
#include "tests/unit/volume/gpu_harness.h"

#include "memory/fault.h"
#include "volume/overlay.h"
#include "volume/volume.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 64u

static uint8_t *bytes;

/* A volume's and a view's whole life; *did says how far it came. */
static int live(struct vt_gpu *gpu, unsigned *did, struct vt_error *err)
{
    struct vt_volume *volume = NULL;
    struct vt_view *view = NULL;
    struct vt_scene scene;
    struct vt_camera camera;
    const uint8_t *rgba;
    struct vt_picked picked;
    vt_scene_init(&scene);
    assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
    const struct vt_overlay overlay = {.camera = &camera, .scene = &scene, .name = "a VM"};
    const struct vt_shot shot = {
        .camera = &camera, .scene = &scene, .scale = 4, .overlay = &overlay};
    const struct vt_volume_options options = {.copy = true};
    int rc = vt_volume_create(gpu, bytes, PAGES, &options, &volume, err);
    *did = 0;
    for (unsigned i = 0; rc == 0 && i < 2; i++) {
        const struct vt_volume_update update = {.all = true};
        rc = vt_volume_update(volume, &update, NULL, err);
        *did = 1;
        if (rc == 0 && view == NULL) {
            rc = vt_view_create(gpu, 500, 300, &view, err);
        }
        rc = rc != 0 ? rc : vt_view_draw(view, volume, &shot, NULL, err);
        rc = rc != 0 ? rc : vt_view_pixels(view, &rgba, err);
        rc = rc != 0 ? rc : vt_view_pick(view, 250, 150, &picked, err);
    }
    vt_view_destroy(view);
    vt_volume_destroy(volume);
    return rc;
}

static uint64_t ours(const struct vt_gpu *gpu)
{
    uint64_t bytes_now, driver;
    vt_gpu_memory(gpu, &bytes_now, &driver);
    return bytes_now;
}

static void no_memory(void **state)
{
    struct vt_gpu *gpu = *state;
    struct vt_error err;
    unsigned did, failed = 0;
    uint64_t before = ours(gpu);
    for (unsigned after = 0;; after++) {
        vt_gpu_fault(gpu, VT_GPU_FAULT_MEMORY, after);
        int rc = live(gpu, &did, &err);
        assert_true(ours(gpu) == before);
        if (rc == 0) {
            break; /* as many allocations as it needs */
        }
        assert_int_equal(rc, VT_E_NOMEM);
        assert_non_null(strstr(err.message, "no memory left"));
        failed++;
    }
    vt_gpu_fault(gpu, VT_GPU_FAULT_NONE, 0);
    assert_true(failed > 10);
    /* More than the device has, and then less. */
    struct vt_volume *volume = NULL;
    uint64_t n = vt_gpu_info(gpu)->memory_bytes / 4096 * 2;
    const struct vt_volume_options options = {.copy = true};
    int rc = vt_volume_create(gpu, bytes, n < 1u << 25 ? n : 1u << 25, &options, &volume, &err);
    if (rc == 0) {
        vt_volume_destroy(volume); /* a device with so much */
    } else {
        assert_int_equal(rc, VT_E_NOMEM);
    }
    assert_true(ours(gpu) == before);
    assert_int_equal(live(gpu, &did, &err), 0);
}

static void lost(void **state)
{
    (void)state;
    unsigned did, after = 0, drew = 0;
    struct vt_error err;
    for (int rc = VT_E_GONE; rc != 0; after += 3) {
        struct vt_gpu *gpu = vt_test_gpu_open();
        vt_gpu_fault(gpu, VT_GPU_FAULT_LOST, after);
        rc = live(gpu, &did, &err);
        drew += did;
        if (rc != 0) {
            assert_int_equal(rc, VT_E_GONE);
            assert_non_null(strstr(err.message, "lost"));
            assert_int_equal(live(gpu, &did, &err), VT_E_GONE); /* for good */
            assert_non_null(strstr(err.message, "gone"));
        }
        assert_int_equal(vt_gpu_close(gpu), 0);
    }
    assert_true(drew > 2);
}

/* RAM in place, and its file cut short: zeros, no signal. */
static void cut_short(void **state)
{
    struct vt_gpu *gpu = *state;
    struct vt_fault_guard *guard;
    struct vt_error err;
    struct vt_volume *volume;
    struct vt_view *view;
    int fd = memfd_create("ram", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, PAGES * 4096), PAGES * 4096);
    uint8_t *ram = mmap(NULL, PAGES * 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(ram != MAP_FAILED);
    assert_int_equal(vt_fault_guard(ram, PAGES * 4096, fd, &guard, &err), 0);
    assert_int_equal(vt_volume_create(gpu, ram, PAGES, NULL, &volume, &err), 0);
    assert_int_equal(vt_view_create(gpu, 64, 64, &view, &err), 0);
    const struct vt_volume_update all = {.all = true};
    assert_int_equal(vt_volume_update(volume, &all, NULL, &err), 0);
    struct vt_scene scene;
    struct vt_camera camera;
    const uint8_t *rgba;
    vt_scene_init(&scene);
    assert_int_equal(vt_camera_named("iso", &camera, NULL), 0);
    const struct vt_shot shot = {.camera = &camera, .scene = &scene, .scale = 1};
    assert_int_equal(vt_view_draw(view, volume, &shot, NULL, &err), 0);
    assert_false(vt_fault_lost(guard));
    assert_int_equal(ftruncate(fd, 5 * 4096), 0);
    assert_int_equal(vt_view_draw(view, volume, &shot, NULL, &err), 0);
    assert_int_equal(vt_view_pixels(view, &rgba, &err), 0);
    assert_int_equal(vt_volume_update(volume, &all, NULL, &err), 0);
    assert_true(vt_fault_lost(guard) || !vt_gpu_info(gpu)->imports);
    vt_view_destroy(view);
    vt_volume_destroy(volume);
    vt_fault_unguard(guard);
    munmap(ram, PAGES * 4096);
    close(fd);
}

int main(void)
{
    bytes = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    for (size_t i = 0; i < PAGES * 4096; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    const struct CMUnitTest tests[] = {
        vt_test_on_gpu(no_memory),
        cmocka_unit_test(lost),
        vt_test_on_gpu(cut_short),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    munmap(bytes, PAGES * 4096);
    return failed;
}
