/* volume/gpu/instance.h - an instance of Vulkan and the devices it finds. */
#ifndef VT_VOLUME_GPU_INSTANCE_H
#define VT_VOLUME_GPU_INSTANCE_H

#include "volume/gpu/parts.h"

/** With validation layers when there is a `listener`; with every window system's surfaces when
 * there will be `windows`. VT_E_UNSUPPORTED: no driver, or no layers. */
int vt_gpu_instance_create(const VkDebugUtilsMessengerCreateInfoEXT *listener, bool windows,
                           VkInstance *instance, struct vt_error *err);
/** At least one; free(*list). */
int vt_gpu_physical_list(VkInstance instance, VkPhysicalDevice **list, uint32_t *n,
                         struct vt_error *err);
void vt_gpu_describe(VkPhysicalDevice physical, unsigned index, struct vt_gpu_info *info);
bool vt_gpu_device_has(VkPhysicalDevice physical, const char *extension);

#endif
