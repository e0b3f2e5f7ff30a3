/* venus/renderer.h - what all contexts of a process share: options, the Vulkan loader, and what was
 * found out about the host's devices. */
#ifndef VT_VENUS_RENDERER_H
#define VT_VENUS_RENDERER_H

#include "venus/vulkan.h"
#include "vitrine/venus.h"

#include <pthread.h>

/** Devices whose memory is remembered; further ones are looked at again. */
#define VT_VENUS_KNOWN_GPUS 16u

/** What importing host memory is possible into, found out with a device of our own. */
struct vt_venus_known_gpu {
    uint8_t device[VK_UUID_SIZE], driver[VK_UUID_SIZE];
    uint32_t import_types; /**< a bit for each memory type */
};

struct vt_venus_renderer {
    struct vt_venus_options options; /**< as they are in force; strings are the renderer's */
    bool memory_asked;               /**< memory_max_bytes was given, not chosen by us */
    pthread_mutex_t lock;
    struct vt_venus_known_gpu known[VT_VENUS_KNOWN_GPUS]; /**< lock */
    uint32_t n_known;                                     /**< lock */
    /** lock: an instance of our own, from the first guest's on, which keeps the host's drivers
     * loaded. Without it they come and go with each guest, which is slow, and which some bear a few
     * dozen times in a process. */
    VkInstance anchor;
};

/** The Vulkan version that guests may speak at most: the protocol's, patch included. */
uint32_t vt_venus_version_max(void);
/** The loader's, which is linked; what it gives may load drivers when it is called. */
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                               const char *name);

#endif
