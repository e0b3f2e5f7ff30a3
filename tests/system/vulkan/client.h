/* tests/system/vulkan/client.h - what the Vulkan client programs share.
 *
 * A program is a list of cases run one after another on one device. What a case prints must be the
 * same wherever the same driver does the work: natively and through Venus. What the device lacks is
 * one line, `skip: NAME`, and names in VULKAN_WITHOUT (separated by spaces) count as lacking, so
 * that a side that has more can be compared with one that has less. A wrong result ends the program
 * with status 1. Objects that are kept (keep()) are destroyed at the end of their case.
 *
 * Environment: VULKAN_WITHOUT; VULKAN_VALIDATE=1 uses the Khronos validation layer, whose errors
 * fail the program; VITRINE_GPU picks the device by a part of its name; VULKAN_CASES runs only
 * those named.
 */
#ifndef VULKAN_CLIENT_H
#define VULKAN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** SPIR-V, of a header that glslang made: CODE(fill_comp). */
struct code {
    const uint32_t *words;
    size_t bytes;
};
#define CODE(name) ((struct code){spirv_##name, sizeof spirv_##name})

struct kept {
    VkObjectType type;
    uint64_t handle;
};

struct client {
    VkInstance instance;
    VkPhysicalDevice physical;
    uint32_t api; /**< of the device, at most 1.3 */
    VkPhysicalDeviceFeatures2 features;
    VkPhysicalDeviceVulkan11Features f11;
    VkPhysicalDeviceVulkan12Features f12;
    VkPhysicalDeviceVulkan13Features f13; /**< zeros below 1.3 */
    VkPhysicalDeviceProperties2 properties;
    VkPhysicalDeviceVulkan11Properties p11;
    VkPhysicalDeviceVulkan12Properties p12;
    VkPhysicalDeviceMemoryProperties memory;
    VkExtensionProperties *extensions;
    uint32_t n_extensions;
    uint32_t family; /**< of graphics and compute */
    VkQueueFlags family_flags;
    uint32_t timestamp_bits;
    VkDevice device;
    VkQueue queue;
    VkCommandPool pool;
    struct kept *kept;
    size_t n_kept, room_kept;
    VkDebugUtilsMessengerEXT messenger;
};

struct client_case {
    const char *name;
    void (*run)(struct client *c);
};

/** Opens the device with all of its features and the extensions of `extensions` (ends with NULL)
 * that it has, runs the cases, and returns main's status. */
int client_main(const char *const *extensions, const struct client_case *cases, size_t n);
/** What client_main does first and last. `chain`: further feature structures, filled and enabled,
 * or NULL. */
void client_open(struct client *c, const char *const *extensions);
void client_close(struct client *c);
/** An instance alone. */
VkInstance client_instance(bool validate);
VkPhysicalDevice client_physical(VkInstance instance);

/** The device has the extension, it was asked for, and nobody said it should do without. */
bool client_has(const struct client *c, const char *extension);
/** `have`, unless VULKAN_WITHOUT has the name; says that it is skipped otherwise. */
bool client_offered(bool have, const char *name);
#define NEED(have, name)                                                                           \
    do {                                                                                           \
        if (!client_offered(have, name)) {                                                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define NEED_EXTENSION(c, name) NEED(client_has(c, name), name)
#define NEED_API_1_3(c) NEED((c)->api >= VK_API_VERSION_1_3, "vulkan-1.3")

const char *result_name(VkResult result);
/** Ends the program unless the call succeeded. */
#define VK(call) client_check((call), #call, __FILE__, __LINE__)
void client_check(VkResult result, const char *call, const char *file, int line);
/** Ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void wrong(const char *format, ...);
#define EXPECT(condition)                                                                          \
    ((condition) ? (void)0 : wrong("%s:%d: %s", __FILE__, __LINE__, #condition))

uint64_t checksum(const void *bytes, size_t n);
/** "what: 0123456789abcdef" */
void print_checksum(const char *what, const void *bytes, size_t n);
uint32_t random_next(uint32_t *state);

void keep(struct client *c, VkObjectType type, uint64_t handle);
#define KEEP(c, type, handle) keep(c, VK_OBJECT_TYPE_##type, (uint64_t)(handle))
void client_sweep(struct client *c);

/* ---------------------------------------------------------------- memory, buffers, images */

/** The first type with all flags among `bits`; ends the program when there is none. */
uint32_t memory_type(const struct client *c, uint32_t bits, VkMemoryPropertyFlags flags);

struct buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceSize size;
    void *at; /**< mapped when it is host visible */
    VkDeviceAddress address;
};
#define HOST_MEMORY (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
/** Kept. `at` is mapped for HOST_MEMORY and zeroed; `address` is there with SHADER_DEVICE_ADDRESS.
 */
struct buffer buffer_create(struct client *c, VkDeviceSize size, VkBufferUsageFlags usage,
                            VkMemoryPropertyFlags flags);
/** A storage, transfer, uniform, vertex, index, indirect buffer that the host sees. */
struct buffer buffer_host(struct client *c, VkDeviceSize size);

struct image {
    VkImage image;
    VkDeviceMemory memory;
    VkImageView view;
    VkFormat format;
    VkExtent3D extent;
    uint32_t levels, layers;
    VkImageAspectFlags aspect;
};
/** Kept, with memory of the device and a view of all of it (`view_type`
 * VK_IMAGE_VIEW_TYPE_MAX_ENUM: none). */
struct image image_create(struct client *c, const VkImageCreateInfo *info,
                          VkImageAspectFlags aspect, VkImageViewType view_type);
/** Two dimensions, one level, optimal tiling. */
struct image image_2d(struct client *c, VkFormat format, uint32_t width, uint32_t height,
                      VkImageUsageFlags usage, VkSampleCountFlagBits samples);
/** Everything before, everything after, all of the image. */
void image_barrier(VkCommandBuffer commands, const struct image *image, VkImageLayout before,
                   VkImageLayout after);
void memory_barrier(VkCommandBuffer commands);
/** Level 0, layer 0 of an image in TRANSFER_SRC_OPTIMAL. */
void image_to_buffer(VkCommandBuffer commands, const struct image *image,
                     const struct buffer *buffer);
VkImageSubresourceRange image_range(const struct image *image);
VkSampler sampler_create(struct client *c, VkFilter filter, VkSamplerAddressMode mode);
bool format_has(const struct client *c, VkFormat format, VkFormatFeatureFlags features);

/* ---------------------------------------------------------------- commands */

/** Recording, for one submission. */
VkCommandBuffer commands_begin(struct client *c);
/** Ends, submits, waits, frees. */
void commands_run(struct client *c, VkCommandBuffer commands);
VkFence fence_create(struct client *c, bool signalled);
VkSemaphore semaphore_create(struct client *c, bool timeline, uint64_t value);

/* ---------------------------------------------------------------- descriptors and pipelines */

VkShaderModule shader_create(struct client *c, struct code code);
/** One set with bindings 0…n-1 of these types, one each, for all stages. */
VkDescriptorSetLayout set_layout(struct client *c, const VkDescriptorType *types, uint32_t n);
VkDescriptorSet set_create(struct client *c, VkDescriptorSetLayout layout);
void set_buffer(struct client *c, VkDescriptorSet set, uint32_t binding, VkDescriptorType type,
                const struct buffer *buffer);
void set_image(struct client *c, VkDescriptorSet set, uint32_t binding, VkDescriptorType type,
               VkImageView view, VkSampler sampler, VkImageLayout layout);
VkPipelineLayout pipeline_layout(struct client *c, const VkDescriptorSetLayout *sets, uint32_t n,
                                 uint32_t push_bytes);
VkPipeline compute_pipeline(struct client *c, VkPipelineLayout layout, struct code code,
                            const VkSpecializationInfo *constants);

/** A graphics pipeline: what is zero takes the plainest meaning (one sample, triangles, no culling,
 * no depth, all channels written, viewport and scissor of `width` x `height`). */
struct graphics {
    struct code vert, tesc, tese, geom, frag, task, mesh;
    VkPipelineLayout layout; /**< none: an empty one */
    VkRenderPass pass;       /**< none: dynamic rendering with the formats below */
    uint32_t subpass;
    VkFormat colors[4];
    uint32_t n_colors; /**< also with a pass */
    VkFormat depth, stencil;
    uint32_t width, height;
    VkPrimitiveTopology topology; /**< 0: triangles, unless `points` */
    bool points, restart, wireframe, discard;
    uint32_t patch; /**< control points */
    VkSampleCountFlagBits samples;
    bool depth_test, depth_write, stencil_test;
    VkCompareOp depth_op;
    VkStencilOpState front, back;
    VkPipelineColorBlendAttachmentState
        blend[4]; /**< colorWriteMask 0: no blending, all channels */
    const VkPipelineVertexInputStateCreateInfo *input;
    const VkPipelineRasterizationStateCreateInfo *raster;
    const VkSpecializationInfo *constants; /**< of all stages */
    const VkDynamicState *dynamic;
    uint32_t n_dynamic;
    uint32_t view_mask;
    bool counted; /**< viewports and scissors are counted dynamically */
    VkPipelineCache cache;
    VkPipelineCreateFlags flags;
    VkPipeline base;
    const void *next;
};
VkPipeline graphics_pipeline(struct client *c, const struct graphics *g);

/** Of render pass 1: `n` colours of these formats, cleared, stored and left in
 * TRANSFER_SRC_OPTIMAL; `depth` may be VK_FORMAT_UNDEFINED; with more than one sample, attachments
 * behind them resolve the colours. */
VkRenderPass render_pass(struct client *c, const VkFormat *colors, uint32_t n, VkFormat depth,
                         VkSampleCountFlagBits samples);
VkFramebuffer framebuffer(struct client *c, VkRenderPass pass, const VkImageView *views, uint32_t n,
                          uint32_t width, uint32_t height);

/** An offscreen picture: RGBA8 with a render pass, a framebuffer and a buffer to read it from. */
struct target {
    struct image color;
    VkRenderPass pass;
    VkFramebuffer frame;
    struct buffer pixels;
    uint32_t width, height;
};
struct target target_create(struct client *c, uint32_t width, uint32_t height);
void target_begin(const struct target *t, VkCommandBuffer commands, VkSubpassContents contents);
/** Ends the pass, copies, runs, prints the checksum. */
void target_finish(struct client *c, const struct target *t, VkCommandBuffer commands,
                   const char *what);
/** The layout of rect.vert's push constants; a set may come before. */
VkPipelineLayout rect_layout(struct client *c, const VkDescriptorSetLayout *set);
/** Four vertices of a strip: left, top, right, bottom from -1 to 1. */
void draw_rect(VkCommandBuffer commands, VkPipelineLayout layout, const float rect[4],
               const float color[4], float depth);
uint32_t target_pixel(const struct target *t, uint32_t x, uint32_t y);

#define LOAD(c, name) PFN_##name name##_ = (PFN_##name)vkGetDeviceProcAddr((c)->device, #name)

#endif
