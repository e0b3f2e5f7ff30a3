/* volume/gpu/gpu.h - what the volume needs of a Vulkan device: buffers, uploads, programs, work.
 *
 * Programs are compute shaders that reach everything through buffer device addresses: an address
 * and a few numbers are pushed (VT_GPU_PUSH_MAX bytes), larger parameter blocks lie in a buffer
 * whose address is pushed. There are no descriptor sets and no images.
 *
 * One thread at a time, and one piece of work at a time: vt_gpu_begin, commands,
 * vt_gpu_end_and_wait. Commands return nothing; the first one that fails is reported at the end,
 * and nothing is run then. Every wait is bounded: a device that does not answer for
 * VT_GPU_WAIT_NS is given up with VT_E_TIMEOUT. Afterwards, or when it is lost, everything on it
 * fails with VT_E_GONE.
 *
 * Errors common to all functions that take `err`: VT_E_NOMEM (of the device or the host),
 * VT_E_GONE, VT_E_TIMEOUT, VT_E_IO (what else the driver says, with its VkResult in the text).
 */
#ifndef VT_VOLUME_GPU_GPU_H
#define VT_VOLUME_GPU_GPU_H

#include "vitrine/scene.h"

/** How long a device may take for one piece of work: a real one, and one in software. */
#define VT_GPU_WAIT_NS (UINT64_C(10) * 1000 * 1000 * 1000)
#define VT_GPU_SOFTWARE_WAIT_NS (6 * VT_GPU_WAIT_NS)
/** Bytes that can be pushed to a program; every Vulkan device has as many. */
#define VT_GPU_PUSH_MAX 128u

/** What the validation layers complained about first, NULL: nothing. Lives as long as `gpu`. */
const char *vt_gpu_complaint(const struct vt_gpu *gpu);

/** Lost or given up: everything on it fails with VT_E_GONE. */
bool vt_gpu_gone(const struct vt_gpu *gpu);

enum vt_gpu_fault {
    VT_GPU_FAULT_NONE,
    VT_GPU_FAULT_MEMORY, /**< an allocation finds no memory */
    VT_GPU_FAULT_LOST,   /**< a submission finds the device lost */
};
/** For tests: it happens once, after `after` allocations or submissions that succeed. */
void vt_gpu_fault(struct vt_gpu *gpu, enum vt_gpu_fault fault, unsigned after);

/* ---------------------------------------------------------------- buffers */

enum vt_gpu_kind {
    VT_GPU_DEVICE, /**< the device's own memory; filled by vt_gpu_upload, _copy, _fill, programs */
    VT_GPU_UPLOAD, /**< written by the host through `mapped`, read by the device */
    VT_GPU_READBACK, /**< written by the device, read by the host through `mapped` */
};

struct VkBuffer_T;
struct VkDeviceMemory_T;

/** Memory that programs, copies and, where `mapped` is not NULL, the host reach. Read its first
 *  three members only. New memory holds whatever it held before. */
struct vt_gpu_buffer {
    uint64_t bytes;   /**< as asked for */
    uint64_t address; /**< of its first byte, for programs; a multiple of 256 (imports: of 4096) */
    uint8_t *mapped;  /**< the same bytes for the host, coherent; NULL: VT_GPU_DEVICE, imports */
    struct vt_gpu *gpu;
    struct VkBuffer_T *handle;
    struct VkDeviceMemory_T *memory;
    uint64_t allocated; /* counted in vt_gpu_memory */
};

/** The largest buffer the device makes, in bytes: what is larger needs several. */
uint64_t vt_gpu_buffer_max(const struct vt_gpu *gpu);
/** `bytes` > 0. VT_E_NOMEM: more than the device has; VT_E_LIMIT: more than vt_gpu_buffer_max. */
int vt_gpu_buffer_create(struct vt_gpu *gpu, uint64_t bytes, enum vt_gpu_kind kind,
                         struct vt_gpu_buffer **buffer, struct vt_error *err);
/** Host memory as a buffer that the device reads in place; it only reads. `bytes` and `n` are
 *  multiples of 4096; the memory must stay mapped until the buffer is destroyed. What the host
 *  writes is seen by work that begins after it. VT_E_UNSUPPORTED: this device cannot, or not this
 *  mapping (NVIDIA refuses read-only ones): upload it instead. VT_E_LIMIT: more than
 *  vt_gpu_buffer_max. */
int vt_gpu_buffer_import(struct vt_gpu *gpu, const void *bytes, uint64_t n,
                         struct vt_gpu_buffer **buffer, struct vt_error *err);
/** Takes NULL. Only between pieces of work; waits for uploads on the way to it. */
void vt_gpu_buffer_destroy(struct vt_gpu_buffer *buffer);

/* ---------------------------------------------------------------- uploads */

/** Copies n bytes (offset, bytes, n: any) into a buffer. They are taken over before it returns and
 *  gathered: many small uploads become few submissions, on a queue of their own where the device
 *  has one. Work that begins later sees them. Not between vt_gpu_begin and _end_and_wait
 *  (VT_E_BUSY). VT_E_INVAL: outside the buffer. */
int vt_gpu_upload(struct vt_gpu *gpu, struct vt_gpu_buffer *buffer, uint64_t offset,
                  const void *bytes, uint64_t n, struct vt_error *err);
/** Sends what was gathered on its way; does not wait. Work does so by itself. */
int vt_gpu_flush(struct vt_gpu *gpu, struct vt_error *err);
/** Reads n bytes of any buffer back, after all uploads. Waits. Not while work is recorded. */
int vt_gpu_download(struct vt_gpu *gpu, const struct vt_gpu_buffer *buffer, uint64_t offset,
                    void *bytes, uint64_t n, struct vt_error *err);

/* ---------------------------------------------------------------- programs */

struct vt_gpu_program;

/** A shader of shaders/meson.build: `#include "shaders/NAME.spv.h"` gives
 *  `static const uint32_t vt_spirv_NAME[]`; `spirv_bytes` is its sizeof. It takes `push_bytes`
 *  (0–128, a multiple of 4) of push constants. `constants` are the values of its specialization
 *  constants 0, 1, … (32 bits each), NULL when n_constants is 0. */
int vt_gpu_program_create(struct vt_gpu *gpu, const uint32_t *spirv, size_t spirv_bytes,
                          uint32_t push_bytes, const uint32_t *constants, unsigned n_constants,
                          struct vt_gpu_program **program, struct vt_error *err);
/** Takes NULL. Only between pieces of work. */
void vt_gpu_program_destroy(struct vt_gpu_program *program);

/* ---------------------------------------------------------------- work */

#define VT_GPU_SPANS 16

/** How long the device took. All 0 where it has no timestamps. */
struct vt_gpu_times {
    uint64_t gpu_ns; /**< all of the work */
    unsigned n;
    struct {
        const char *name; /**< as given to vt_gpu_span */
        uint64_t ns;
    } span[VT_GPU_SPANS];
};

/** Begins a piece of work. VT_E_BUSY: one is begun already. */
int vt_gpu_begin(struct vt_gpu *gpu, struct vt_error *err);
/** Gives up what was recorded since vt_gpu_begin; nothing when nothing was. */
void vt_gpu_abandon(struct vt_gpu *gpu);
/** A named part begins (and the one before it ends); `name` is a literal. More than VT_GPU_SPANS
 *  are not told apart. Use a barrier first, or the parts overlap. */
void vt_gpu_span(struct vt_gpu *gpu, const char *name);
/** Runs x * y * z groups of the program; `push` is as many bytes as it takes. None when one of x,
 *  y, z is 0. Fails with VT_E_LIMIT over 65535 groups in a direction. */
void vt_gpu_dispatch(struct vt_gpu *gpu, const struct vt_gpu_program *program, const void *push,
                     uint32_t x, uint32_t y, uint32_t z);
/** Copies n bytes. The ranges lie in the buffers and do not overlap, else VT_E_INVAL. */
void vt_gpu_copy(struct vt_gpu *gpu, const struct vt_gpu_buffer *from, uint64_t from_offset,
                 struct vt_gpu_buffer *to, uint64_t to_offset, uint64_t n);
/** Fills with a 32-bit word; offset and n are multiples of 4. */
void vt_gpu_fill(struct vt_gpu *gpu, struct vt_gpu_buffer *buffer, uint64_t offset, uint64_t n,
                 uint32_t word);
/** What was recorded before is complete and seen by what is recorded after. Without one, commands
 *  run in any order. The end of work is one by itself, towards the host too. */
void vt_gpu_barrier(struct vt_gpu *gpu);
/** Runs it after all uploads and waits. `times` may be NULL. */
int vt_gpu_end_and_wait(struct vt_gpu *gpu, struct vt_gpu_times *times, struct vt_error *err);

#endif
