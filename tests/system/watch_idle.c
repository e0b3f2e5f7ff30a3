/* tests/system/watch_idle.c - preloaded into a Vulkan program: who destroys a semaphore while what
 * was submitted since the device was last idle may still hold it ends with status 99. That a
 * semaphore was signalled is not enough: Mesa's queues drop those they waited for a moment later
 * (vulkan/runtime/vk_queue.c: vk_queue_submit_cleanup).
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

#define SHOWN __attribute__((visibility("default")))

static _Atomic unsigned long submitted, ended;

SHOWN VkResult vkQueueSubmit(VkQueue queue, uint32_t n, const VkSubmitInfo *infos, VkFence fence)
{
    PFN_vkQueueSubmit real = (PFN_vkQueueSubmit)dlsym(RTLD_NEXT, "vkQueueSubmit");
    atomic_fetch_add(&submitted, 1);
    return real(queue, n, infos, fence);
}

SHOWN VkResult vkDeviceWaitIdle(VkDevice device)
{
    PFN_vkDeviceWaitIdle real = (PFN_vkDeviceWaitIdle)dlsym(RTLD_NEXT, "vkDeviceWaitIdle");
    unsigned long until = atomic_load(&submitted);
    VkResult result = real(device);
    atomic_store(&ended, until);
    return result;
}

SHOWN void vkDestroySemaphore(VkDevice device, VkSemaphore semaphore,
                              const VkAllocationCallbacks *allocator)
{
    PFN_vkDestroySemaphore real = (PFN_vkDestroySemaphore)dlsym(RTLD_NEXT, "vkDestroySemaphore");
    if (semaphore != VK_NULL_HANDLE && atomic_load(&ended) != atomic_load(&submitted)) {
        fprintf(stderr, "a semaphore is destroyed; submitted %lu, ended %lu\n",
                atomic_load(&submitted), atomic_load(&ended));
        _exit(99);
    }
    real(device, semaphore, allocator);
}
