/* venus/retired.h - timeline semaphores that the guest has destroyed, and the host not yet.
 *
 * A guest may destroy a semaphore as soon as it knows that the submission that waits for it is
 * done. Where Mesa emulates timelines (vulkan/runtime/vk_queue.c: vk_queue_submit_cleanup), the
 * thread of the host's queue drops what it held of the semaphore only after it has told that:
 * destroyed at once, it would write to freed memory. A queue ends its submissions one after
 * another, so a semaphore is destroyed when every queue has passed an empty submission that came
 * after its end.
 *
 * Any thread; the device's state is alive.
 */
#ifndef VT_VENUS_RETIRED_H
#define VT_VENUS_RETIRED_H

#include "venus/device.h"

/** So many wait at most, behind a queue that stands still. */
#define VT_VENUS_RETIRED_MAX 4096u

/** Takes a semaphore over and destroys it when no queue of the device has it any more, at the
 * latest with the device. Where there is no memory to remember it, it outlives the device. */
void vt_venus_retire(struct vt_venus_device *device, VkSemaphore semaphore);
/** Destroys those that nothing holds any more; whether there is room for another. */
bool vt_venus_retired_room(struct vt_venus_device *device);
/** Calls `visit` with each that is still there; the device's lock is held. */
void vt_venus_retired_each(struct vt_venus_device *device,
                           void (*visit)(const struct vt_venus_device *device,
                                         VkSemaphore semaphore));
/** Before the device is destroyed, whose queues are idle; `hung`: they are not, and nothing is
 * destroyed. */
void vt_venus_retired_end(struct vt_venus_device *device, bool hung);

#endif
