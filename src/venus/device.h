/* venus/device.h - states of instances, devices and queues, and waiting for a host's GPU without
 * ever being held by it.
 *
 * Queues of the host are externally synchronised and several rings submit: each has a lock. Nothing
 * waits for a GPU without a bound: a device that does not become idle is given up, with all its
 * objects, when its context ends.
 */
#ifndef VT_VENUS_DEVICE_H
#define VT_VENUS_DEVICE_H

#include "venus/gpu.h"

/** Set in a VkDevice's object->flags: the host's GPU did not finish; nothing of it may be
 * destroyed. */
#define VT_VENUS_DEVICE_HUNG 1u

/** object->state of a VkInstance. */
struct vt_venus_instance {
    struct vt_venus_context *context;
    struct vn_instance_table *table;
    VkInstance handle;
    uint32_t api_version; /**< that it was made with */
    pthread_mutex_t lock;
    struct vt_venus_gpu **gpus; /**< lock: listed when first asked for */
    uint32_t n_gpus;
    bool listed;
};

/** object->state of a VkQueue; the device's state owns it. */
struct vt_venus_queue {
    VkQueue handle; /**< NULL until the guest has asked for it */
    uint32_t family, index;
    VkDeviceQueueCreateFlags flags;
    uint32_t timeline; /**< 0: bound to none */
    struct vt_venus_device *device;
    pthread_mutex_t lock; /**< held for each use of `handle` */
};

/** A semaphore whose payload is partly ours: see semaphore.c. */
struct vt_venus_semaphore {
    VkSemaphore handle;
    bool exported;                 /**< made to be exported: who signals it is remembered */
    bool signalled;                /**< an imported payload: the next wait passes */
    struct vt_venus_queue *signal; /**< that signalled it last */
};

/** object->state of a VkDevice. */
struct vt_venus_device {
    struct vt_venus_context *context;
    struct vt_venus_gpu *gpu;
    struct vn_device_table *table;
    VkDevice handle;
    struct vt_venus_queue *queues;
    uint32_t n_queues;
    _Atomic uint32_t waiting; /**< threads inside of a wait; the device ends after they left */
    _Atomic bool ending;
    pthread_mutex_t lock;
    struct vt_venus_semaphore *semaphores; /**< lock */
    size_t n_semaphores, max_semaphores;   /**< lock */
    _Atomic size_t tracked;                /**< n_semaphores, read without the lock */
    VkFence *retired; /**< lock: exported while they were pending, destroyed when done */
    size_t n_retired, max_retired;
};

/** Waits for fences in slices, so that the context's and the device's end are noticed:
 * VK_ERROR_DEVICE_LOST then. The thread's visitor is paused meanwhile. */
VkResult vt_venus_wait_fences(struct vt_venus_run *run, struct vt_venus_device *device, uint32_t n,
                              const VkFence *fences, VkBool32 all, uint64_t timeout_ns);
/** Waits for queues to be idle, with the same ends. */
VkResult vt_venus_wait_idle(struct vt_venus_run *run, struct vt_venus_device *device,
                            struct vt_venus_queue *only);
/** Before devices' objects are ended: waits a bounded time until the host's queues are idle, and
 * marks those devices VT_VENUS_DEVICE_HUNG that do not become so. NULL: the context's all. */
void vt_venus_devices_quiesce(struct vt_venus_objects *objects, struct vt_venus_object *device);

/** For submissions: takes imported payloads out of what is waited for, and remembers who signals.
 * Arrays are replaced by ones of the command's arena; false and a fault: no memory. */
bool vt_venus_semaphores_submit(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                                VkSubmitInfo *submits);
bool vt_venus_semaphores_submit2(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                                 VkSubmitInfo2 *submits);
bool vt_venus_semaphores_bind(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                              VkBindSparseInfo *binds);
/** The device's end: what is kept of its fences and semaphores goes. */
void vt_venus_fences_retire(struct vt_venus_device *device, bool all);

/** The structure of this type in a chain, or NULL. */
void *vt_venus_chain_find(const void *chain, VkStructureType type);
/** Takes every structure of this type out of `*chain`, whose elements are the command's own. */
void vt_venus_chain_drop(const void **chain, VkStructureType type);

#endif
