/* venus/gpu.h - a physical device of the host as guests see it: which extensions, which memory.
 *
 * Everything that leaves the host is made from memory of our own (heap.c), so dma-bufs, DRM
 * modifiers (LINEAR alone) and sync files are always ours: no driver is asked for them, and they
 * work on each that imports host memory.
 */
#ifndef VT_VENUS_GPU_H
#define VT_VENUS_GPU_H

#include "venus/context.h"
#include "venus/renderer.h"

/** Of one VkPhysicalDevice of the host; an instance's state owns them, a guest's VkPhysicalDevice
 * has it as its `state`. Does not change, but for what `lock` guards. */
struct vt_venus_gpu {
    VkPhysicalDevice handle;
    const struct vn_instance_table *call;
    struct vt_venus_renderer *renderer;
    uint32_t api_version;       /**< what the guest is told */
    bool imports;               /**< VK_EXT_external_memory_host */
    bool discrete;              /**< its device-local heaps are not the host's RAM */
    bool foreign;               /**< VK_EXT_queue_family_foreign is the host's own */
    size_t import_alignment;    /**< of host pointers and sizes */
    VkExtensionProperties *own; /**< the host's extensions */
    uint32_t n_own;
    VkExtensionProperties *shown; /**< what the guest sees: of the protocol, and ours */
    uint32_t n_shown;
    VkQueueFamilyProperties *families;
    uint32_t n_families;
    uint8_t device_uuid[VK_UUID_SIZE], driver_uuid[VK_UUID_SIZE];
    pthread_mutex_t lock;
    bool memory_known;                       /**< lock */
    uint32_t import_types;                   /**< lock: vt_venus_gpu_memory */
    uint32_t counted_types;                  /**< lock: vt_venus_gpu_counts */
    VkPhysicalDeviceMemoryProperties memory; /**< lock */
};

int vt_venus_gpu_create(struct vt_venus_renderer *renderer, const struct vn_instance_table *call,
                        VkPhysicalDevice handle, uint32_t version_max, struct vt_venus_gpu **gpu,
                        struct vt_error *err);
/** Takes NULL. */
void vt_venus_gpu_destroy(struct vt_venus_gpu *gpu);

/** Memory types as the guest sees them: HOST_VISIBLE where the heap's memory can be imported (the
 * bits of `*import_types`, when asked for), nowhere else. */
const VkPhysicalDeviceMemoryProperties *vt_venus_gpu_memory(struct vt_venus_gpu *gpu,
                                                            uint32_t *import_types);
/** Whether allocations of a memory type count against memory_max_bytes: when somebody asked for a
 * limit all do; the one that we choose is for the host's RAM. */
bool vt_venus_gpu_counts(struct vt_venus_gpu *gpu, uint32_t type);
/** Whether the host's driver has an extension. */
bool vt_venus_gpu_has(const struct vt_venus_gpu *gpu, const char *extension);
/** Whether an extension is carried out by us: the driver is never told of it. */
bool vt_venus_emulated(const char *extension);

#endif
