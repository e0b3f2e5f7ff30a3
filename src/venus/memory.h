/* venus/memory.h - a guest's VkDeviceMemory, and what buffers and images need of it.
 *
 * Host-visible memory is a piece of the context's heap (vtest) or bytes of a resource (virtio-gpu),
 * imported into the host's driver; all else comes straight from the driver. What is bound to a
 * memory holds it: a guest that frees it first does not pull pages away from under the host's GPU.
 */
#ifndef VT_VENUS_MEMORY_H
#define VT_VENUS_MEMORY_H

#include "venus/handlers.h"
#include "venus/heap.h"

/** object->state of a VkDeviceMemory. */
struct vt_venus_allocation {
    _Atomic uint32_t holds; /**< the guest's object and what is bound; at 0 the host's goes */
    _Atomic uint32_t refs;  /**< holds, and the object until nobody can read it any more */
    struct vt_venus_context *context;
    VkDevice device;
    PFN_vkFreeMemory free;
    VkDeviceMemory handle;
    uint64_t size; /**< what may be bound */
    uint64_t counted;
    uint32_t type;
    VkResult result;                /**< why there is none: the guest may not have asked */
    bool piece_used, seen;          /**< seen: other processes of the guest may have its file */
    struct vt_venus_piece piece;    /**< piece_used */
    struct vt_venus_shared *shared; /**< a resource's bytes; or NULL */
};

/** Which of the device's memory types resources can have, as guests see it. */
struct vt_venus_types {
    uint32_t import; /**< made of host memory: all that a guest can map or export */
    uint32_t local;  /**< the device's own */
};
struct vt_venus_types vt_venus_types_of(struct vt_venus_device *device);

/** What of a buffer or image is ours. */
struct vt_venus_resource {
    _Atomic(struct vt_venus_allocation *) bound[4]; /**< by plane; buffers use the first */
    bool external; /**< the guest will export or import its memory: only host memory will do */
    bool declared; /**< made with VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT */
    bool modifier; /**< LINEAR, and the guest thinks of it as DRM_FORMAT_MOD_LINEAR */
    bool optimal;
    bool sparse;
    VkFormat format;
    uint32_t layers; /**< of an image */
};

/** Sparse resources are the business of a device's own memory: drivers that have none (CPUs') make
 * them of mappings, which would be our imports' pages, at places and of sizes that a guest says. */
static inline bool vt_venus_types_sparse(const struct vt_venus_types *types)
{
    return types->local != 0;
}

/** The memory types that a guest is told of, out of the driver's. */
uint32_t vt_venus_types_shown(const struct vt_venus_types *types,
                              const struct vt_venus_resource *resource, uint32_t bits);

/** Binds `memory`, the guest's id, to plane `slot` of a buffer or image: same device,
 * `requirements` met at `offset`, nothing bound there before. Then the resource holds it, also when
 * the driver refuses, and `memory` is the host's handle; false and a fault otherwise. */
bool vt_venus_resource_bind(struct vt_venus_run *run, const struct vt_venus_object *resource,
                            size_t slot, const VkMemoryRequirements *requirements,
                            VkDeviceMemory *memory, uint64_t offset, const char *member);
/** The end of a buffer's or image's state. */
void vt_venus_resource_end(struct vt_venus_object *object);

#endif
