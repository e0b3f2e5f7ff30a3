/* volume/gpu/parts.h - what the files of volume/gpu share: the device and its Vulkan handles.
 *
 * device.c opens and closes, memory.c makes buffers, upload.c gathers uploads in a ring of staging
 * slots, program.c makes pipelines, work.c records, submits and waits, present.c shows in windows.
 *
 * Two timeline semaphores say how far the device is: `uploads` and `works`, each counting its
 * submissions. Work waits for all uploads submitted before it, and the host waits for all work, so
 * an upload never meets work that reads what it writes.
 */
#ifndef VT_VOLUME_GPU_PARTS_H
#define VT_VOLUME_GPU_PARTS_H

#include "volume/gpu/gpu.h"

#include <stdatomic.h>
#include <vulkan/vulkan.h>

#define VT_GPU_SLOTS 4
#define VT_GPU_SLOT_BYTES (UINT64_C(4) << 20)
#define VT_GPU_SLOT_COPIES 2048

/** Submissions to a queue: the device has completed `semaphore`'s value of them. */
struct vt_gpu_line {
    VkSemaphore semaphore;
    uint64_t submitted;
};

struct vt_gpu_upload_copy {
    VkBuffer to;
    VkBufferCopy region;
};

struct vt_gpu_ring {
    struct vt_gpu_buffer *staging; /* VT_GPU_SLOTS slots */
    VkCommandPool pool;
    struct {
        VkCommandBuffer commands;
        uint64_t value; /* of the line, when it was submitted last */
    } slot[VT_GPU_SLOTS];
    unsigned at;   /* the slot being filled */
    uint64_t used; /* bytes of it; 0: it may still be in use by the device */
    uint64_t top;  /* no copy of it ends higher up in its buffer */
    unsigned n;
    struct vt_gpu_upload_copy copies[VT_GPU_SLOT_COPIES];
};

struct vt_gpu {
    struct vt_gpu_info info;
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    _Atomic unsigned complaints; /* counted on whatever thread the layers are called on */
    char complaint[1024];
    VkPhysicalDevice physical;
    VkDevice device;
    uint32_t family, upload_family;
    VkQueue queue, upload_queue;
    VkPhysicalDeviceMemoryProperties types;
    uint64_t buffer_max;
    bool budget;             /* VK_EXT_memory_budget */
    bool windows;            /* VK_KHR_swapchain */
    double ns_per_tick;      /* 0: no timestamps */
    uint64_t timestamp_mask; /* the bits of a timestamp that count */
    PFN_vkGetMemoryHostPointerPropertiesEXT host_pointer_properties;
    uint64_t ours; /* bytes allocated */
    uint64_t wait_ns;
    bool gone;               /* lost or given up: nothing works on it */
    enum vt_gpu_fault fault; /* that is to happen */
    unsigned fault_after;
    bool stuck; /* it does not end what it does: nothing of it may be freed */

    struct vt_gpu_line uploads, works;
    struct vt_gpu_ring ring;

    VkCommandPool pool;
    VkCommandBuffer commands;
    VkQueryPool timestamps; /* the beginning, of each span, the end */
    bool recording;
    struct vt_error failed; /* the first command that did; code VT_OK: none */
    unsigned n_spans;
    const char *span[VT_GPU_SPANS];
};

struct vt_gpu_program {
    struct vt_gpu *gpu;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    uint32_t push_bytes;
};

/** Whether `fault` is to happen now. */
bool vt_gpu_faults(struct vt_gpu *gpu, enum vt_gpu_fault fault);

/** Fills `err` for a result that is not VK_SUCCESS: "WHAT: plain words". A lost device is marked
 *  so. */
int vt_gpu_fail(struct vt_gpu *gpu, VkResult result, const char *what, struct vt_error *err);
#ifdef __clang_analyzer__ /* as of vt_fail */
#define vt_gpu_fail(...) (vt_gpu_fail(__VA_ARGS__), (int)VT_E_IO)
#endif
/** VT_E_GONE when it is, VT_E_BUSY while work is recorded. */
int vt_gpu_ready(const struct vt_gpu *gpu, struct vt_error *err);
/** [offset, offset + n) lies within the buffer, or VT_E_INVAL. */
int vt_gpu_range(const struct vt_gpu_buffer *buffer, uint64_t offset, uint64_t n,
                 struct vt_error *err);

int vt_gpu_line_init(struct vt_gpu *gpu, struct vt_gpu_line *line, struct vt_error *err);
/** Waits for its `value`th submission; a device that does not get there is gone. */
int vt_gpu_line_wait(struct vt_gpu *gpu, const struct vt_gpu_line *line, uint64_t value,
                     struct vt_error *err);
/** Submits, the next of `line`, after `after` (NULL: after nothing) has done all of its own. */
int vt_gpu_submit(struct vt_gpu *gpu, VkQueue queue, VkCommandBuffer commands,
                  struct vt_gpu_line *line, const struct vt_gpu_line *after, struct vt_error *err);
/** Everything submitted is over, so that handles may be destroyed. false: leave them alone. */
bool vt_gpu_settled(struct vt_gpu *gpu);

int vt_gpu_ring_init(struct vt_gpu *gpu, struct vt_error *err);
void vt_gpu_ring_fini(struct vt_gpu *gpu);
int vt_gpu_work_init(struct vt_gpu *gpu, struct vt_error *err);
void vt_gpu_work_fini(struct vt_gpu *gpu);

#endif
