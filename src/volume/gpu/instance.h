/* volume/gpu/instance.h - an instance of Vulkan and the devices it finds. */
#ifndef VT_VOLUME_GPU_INSTANCE_H
#define VT_VOLUME_GPU_INSTANCE_H

#include "volume/gpu/parts.h"

/** With validation layers when there is a `listener`. VT_E_UNSUPPORTED: no driver, or no layers. */
int vt_gpu_instance_create(const VkDebugUtilsMessengerCreateInfoEXT *listener, VkInstance *instance,
                           struct vt_error *err);
/** At least one; free(*list). */
int vt_gpu_physical_list(VkInstance instance, VkPhysicalDevice **list, uint32_t *n,
                         struct vt_error *err);
void vt_gpu_describe(VkPhysicalDevice physical, unsigned index, struct vt_gpu_info *info);
bool vt_gpu_device_has(VkPhysicalDevice physical, const char *extension);

#endif
