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
#include "venus/vn_tables.h"

/** object->flags of a VkSemaphore. */
#define VT_VENUS_SEMAPHORE_TIMELINE 1u

/** object->state of a VkInstance. */
struct vt_venus_instance {
    struct vt_venus_context *context;
    VkInstance handle;
    pthread_mutex_t lock;
    struct vt_venus_gpu **gpus; /**< lock: listed when first asked for */
    uint32_t n_gpus;
    bool listed; /**< lock */
    struct vn_instance_table table;
};

/** object->state of a VkQueue; the device's state owns it. */
struct vt_venus_queue {
    VkQueue handle; /**< lock: NULL until the guest has asked for it, and when its device ends */
    uint32_t family, index;
    VkDeviceQueueCreateFlags flags;
    uint32_t timeline; /**< 0: bound to none */
    struct vt_venus_device *device;
    pthread_mutex_t lock; /**< held while `handle` is used */
};

/** A semaphore whose payload is partly ours: see semaphore.c. */
struct vt_venus_semaphore {
    uint64_t handle;               /**< the host's; 0: no entry */
    bool exported;                 /**< made to be exported: who signals it is remembered */
    bool signalled;                /**< an imported payload: the next wait passes */
    struct vt_venus_queue *signal; /**< that signalled it last, or NULL */
};

/** object->state of a VkDevice. */
struct vt_venus_device {
    struct vt_venus_context *context;
    struct vt_venus_gpu *gpu;
    VkDevice handle;
    struct vt_venus_queue *queues; /**< those that it was created with */
    uint32_t n_queues;
    pthread_mutex_t lock;
    pthread_cond_t left;             /**< `waiting` became 0 */
    uint32_t waiting;                /**< lock: threads inside of a wait */
    _Atomic bool ending;             /**< they leave, and the device ends after them */
    struct vt_venus_semaphore *hash; /**< lock: by handle, open addressing */
    size_t hash_max;                 /**< lock: a power of two, or 0 */
    _Atomic size_t tracked;          /**< changed with the lock; 0: nobody needs to look */
    struct vt_venus_retired *retired, *youngest; /**< lock: oldest first (retired.h) */
    uint32_t n_retired;                          /**< lock */
    struct vn_device_table table;
};

/** A wait of the host that can be given up: `step` waits for at most so long and says VK_TIMEOUT
 * then. It is repeated until `timeout_ns` have passed, the context or the device ends
 * (VK_ERROR_DEVICE_LOST), or it says something else. The thread's visitor is paused meanwhile. */
typedef VkResult vt_venus_wait_fn(void *arg, uint64_t timeout_ns);
VkResult vt_venus_wait(struct vt_venus_run *run, struct vt_venus_device *device,
                       uint64_t timeout_ns, vt_venus_wait_fn *step, void *arg);
/** An empty submission whose fence is signalled when all is done that the queue has so far.
 * `fence`: unsignalled, or NULL for a new one; the caller's on success, destroyed and NULL
 * otherwise. VK_NOT_READY: the guest has not got the queue, or its device ends. */
VkResult vt_venus_fence_behind(struct vt_venus_queue *queue, VkFence *fence);
/** Waits until this queue, or all that the guest has got (NULL), are idle. */
VkResult vt_venus_wait_idle(struct vt_venus_run *run, struct vt_venus_device *device,
                            struct vt_venus_queue *only);
/** Before devices' objects are ended: waits a bounded time until the host's queues are idle, and
 * marks those VT_VENUS_DEVICE_HUNG that do not become so. Nothing is submitted to them any more.
 * `object`: a device, an instance for all of its, or NULL for all of the context. */
void vt_venus_devices_quiesce(struct vt_venus_objects *objects, struct vt_venus_object *object);

/** Adds a copy of `object`, which a handler has filled (objects.h: vt_venus_objects_put).
 * VK_ERROR_OUT_OF_HOST_MEMORY: it was not added (and, when its id is in use, the command has a
 * fault); the caller destroys what it made. */
VkResult vt_venus_object_made(struct vt_venus_run *run, const struct vt_venus_object *object,
                              struct vt_venus_object *parent, const char *member);

/** For submissions: takes imported payloads out of what is waited for, and remembers who signals.
 * Arrays are replaced by ones of the command's arena; false and a fault: no memory. */
bool vt_venus_semaphores_submit(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                                VkSubmitInfo *submits);
bool vt_venus_semaphores_submit2(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                                 VkSubmitInfo2 *submits);
bool vt_venus_semaphores_bind(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                              VkBindSparseInfo *binds);

/** The structure of this type in a chain, or NULL. */
void *vt_venus_chain_find(const void *chain, VkStructureType type);
/** Takes every structure of this type out of `*chain`, whose elements are the command's own. */
void vt_venus_chain_drop(const void **chain, VkStructureType type);

#endif
