/* pixel/gpu.h - the GPU back end: a program as SPIR-V, run by Vulkan compute on guest RAM.
 *
 * Iterations are lanes, so only programs that are `independent` are taken, whose streams the caller
 * knows to be disjoint. RAM is imported where it lies (VK_EXT_external_memory_host) if the driver
 * can, else the pages of a call are copied to the device and back. A stream's bytes are found
 * through a table of pages, because guest-virtual memory that goes on is scattered in RAM.
 */
#ifndef VT_PIXEL_GPU_H
#define VT_PIXEL_GPU_H

#include "vitrine/pixel.h"

/** *words is the caller's (free). Any driver with Vulkan 1.2, buffer device addresses, 8- and
 * 16-bit storage, 64-bit integers. VT_E_UNSUPPORTED: not independent, or an operation it does not
 * have. */
int vt_pixel_spirv(const struct vt_pixel_program *p, uint32_t **words, size_t *n,
                   struct vt_error *err);

struct vt_pixel_gpu;        /* a device, and RAM */
struct vt_pixel_gpu_kernel; /* a program on it */

/** `device`: as `vitrine gpus` names them, or part of it; NULL: the first real GPU, else any.
 * `ram`: mapped by the caller, page-aligned, longer lived; written to through this mapping or the
 * device. One thread a device. VT_E_UNSUPPORTED: no such device, or it lacks something. */
int vt_pixel_gpu_open(const char *device, uint8_t *ram, uint64_t ram_bytes,
                      struct vt_pixel_gpu **gpu, struct vt_error *err);
void vt_pixel_gpu_close(struct vt_pixel_gpu *gpu);
const char *vt_pixel_gpu_name(const struct vt_pixel_gpu *gpu);
bool vt_pixel_gpu_is_software(const struct vt_pixel_gpu *gpu); /**< a driver that uses the CPU */
bool vt_pixel_gpu_in_place(const struct vt_pixel_gpu *gpu);    /**< RAM is imported, not copied */
/** From here on pages are copied, also where RAM could be imported. */
void vt_pixel_gpu_copy(struct vt_pixel_gpu *gpu);

int vt_pixel_gpu_compile(struct vt_pixel_gpu *gpu, const struct vt_pixel_program *p,
                         struct vt_pixel_gpu_kernel **kernel, struct vt_error *err);
void vt_pixel_gpu_forget(struct vt_pixel_gpu *gpu, struct vt_pixel_gpu_kernel *kernel);

struct vt_pixel_gpu_stream {
    /** Offsets in RAM of the 4 KiB pages that hold all windows, in guest-virtual order from the
     * lowest address on. */
    const uint64_t *pages;
    uint32_t n_pages;
    int64_t position; /**< of the first iteration, from the first page's first byte on */
};
struct vt_pixel_gpu_call {
    uint64_t count;
    const uint64_t *inputs;
    uint64_t *carries; /**< in and out */
    const struct vt_pixel_gpu_stream *streams;
};
/** Whether all windows lie in the pages that were given, and these in RAM: VT_E_INVAL if not. All
 * that a call says may be somebody else's. */
int vt_pixel_gpu_check(const struct vt_pixel_program *p, const struct vt_pixel_gpu_call *call,
                       uint64_t ram_bytes, struct vt_error *err);
/** Runs all iterations and waits for them. That which vt_pixel_gpu_check says, and VT_E_GONE: the
 * device was lost; what the iterations wrote is undefined then, carries are untouched. */
int vt_pixel_gpu_run(struct vt_pixel_gpu *gpu, struct vt_pixel_gpu_kernel *kernel,
                     const struct vt_pixel_gpu_call *call, struct vt_error *err);

#endif
