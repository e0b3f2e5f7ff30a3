/* tests/unit/volume/gpu_harness.h - the software device, or the one VITRINE_GPU names, with
 * validation layers listening. */
#ifndef VT_TESTS_GPU_HARNESS_H
#define VT_TESTS_GPU_HARNESS_H

#include "tests/unit/harness.h"

#include "volume/gpu/gpu.h"

#include <dlfcn.h>

/** Ends the program as skipped where there is no software driver, or no layers. */
static inline struct vt_gpu *vt_test_gpu_open(void)
{
    /* Memory that a driver keeps in its globals is a leak to LeakSanitizer once it is unloaded. */
    dlopen("libvulkan_lvp.so", RTLD_NOW | RTLD_NODELETE);
    const char *asked = getenv("VITRINE_GPU");
    const struct vt_gpu_options options = {.name = asked != NULL ? asked : "llvmpipe",
                                           .validate = true};
    struct vt_gpu *gpu;
    struct vt_error err;
    if (vt_gpu_open(&options, &gpu, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(err.code == VT_E_UNSUPPORTED || err.code == VT_E_NOT_FOUND ? 77 : 1);
    }
    return gpu;
}

/** The same for cmocka: *state is the device. */
static inline int vt_test_gpu_setup(void **state)
{
    *state = vt_test_gpu_open();
    return 0;
}

/** Fails when the layers complained of anything. */
static inline int vt_test_gpu_teardown(void **state)
{
    struct vt_gpu *gpu = *state;
    if (vt_gpu_complaint(gpu) != NULL) {
        fprintf(stderr, "%s\n", vt_gpu_complaint(gpu));
    }
    return vt_gpu_close(gpu) == 0 ? 0 : -1;
}

#define vt_test_on_gpu(f)                                                                          \
    cmocka_unit_test_setup_teardown(f, vt_test_gpu_setup, vt_test_gpu_teardown)

#endif
