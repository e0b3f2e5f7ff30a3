/* venus/vulkan.h - the Vulkan API as the generated protocol knows it: headers of the registry's own
 * version, without prototypes (everything is called through tables that the loader fills). */
#ifndef VT_VENUS_VULKAN_H
#define VT_VENUS_VULKAN_H

#define VK_NO_PROTOTYPES 1
#include <vulkan/vulkan.h>

#endif
