/* tests/system/venus/hold_window.c - preloaded into a Vulkan program: once its device is idle for
 * the first time, which is when it wants to take everything down, HOLD_WINDOW/drawn appears and
 * HOLD_WINDOW/go is waited for. So somebody else can look at its last frame.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

static void touch(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* A named pipe: opening it waits for the other side. */
static void wait_for(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    close(open(path, O_RDONLY | O_CLOEXEC));
}

__attribute__((visibility("default"))) VkResult vkDeviceWaitIdle(VkDevice device)
{
    static int held;
    PFN_vkDeviceWaitIdle real = (PFN_vkDeviceWaitIdle)dlsym(RTLD_NEXT, "vkDeviceWaitIdle");
    const char *directory = getenv("HOLD_WINDOW");
    VkResult result = real(device);
    if (directory != NULL && !held) {
        held = 1;
        touch(directory, "drawn");
        wait_for(directory, "go");
    }
    return result;
}
