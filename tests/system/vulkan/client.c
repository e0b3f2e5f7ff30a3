/* tests/system/vulkan/client.c - the device, the cases, and what is said of results. */
#include "client.h"

#include <stdarg.h>

/* ---------------------------------------------------------------- saying */

void wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("WRONG: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
    _Exit(1);
}

const char *result_name(VkResult result)
{
    switch (result) {
#define NAME(name)                                                                                 \
    case name:                                                                                     \
        return #name;
        NAME(VK_SUCCESS)
        NAME(VK_NOT_READY)
        NAME(VK_TIMEOUT)
        NAME(VK_EVENT_SET)
        NAME(VK_EVENT_RESET)
        NAME(VK_INCOMPLETE)
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(VK_ERROR_INITIALIZATION_FAILED)
        NAME(VK_ERROR_DEVICE_LOST)
        NAME(VK_ERROR_MEMORY_MAP_FAILED)
        NAME(VK_ERROR_LAYER_NOT_PRESENT)
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
        NAME(VK_ERROR_FEATURE_NOT_PRESENT)
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
        NAME(VK_ERROR_TOO_MANY_OBJECTS)
        NAME(VK_ERROR_FORMAT_NOT_SUPPORTED)
        NAME(VK_ERROR_FRAGMENTED_POOL)
        NAME(VK_ERROR_UNKNOWN)
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
        NAME(VK_ERROR_INVALID_EXTERNAL_HANDLE)
        NAME(VK_ERROR_FRAGMENTATION)
        NAME(VK_PIPELINE_COMPILE_REQUIRED)
#undef NAME
    default:
        return "another VkResult";
    }
}

void client_check(VkResult result, const char *call, const char *file, int line)
{
    if (result != VK_SUCCESS) {
        wrong("%s:%d: %s: %s (%d)", strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file,
              line, call, result_name(result), result);
    }
}

uint64_t checksum(const void *bytes, size_t n)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (const uint8_t *at = bytes; n > 0; n--) {
        sum = (sum ^ *at++) * UINT64_C(0x100000001b3);
    }
    return sum;
}

void print_checksum(const char *what, const void *bytes, size_t n)
{
    printf("%s: %016llx\n", what, (unsigned long long)checksum(bytes, n));
}

uint32_t random_next(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Is the word one of the list's, which spaces separate? */
static bool listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at != NULL && (at = strstr(at, word)) != NULL; at += n) {
        if ((at == list || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ')) {
            return true;
        }
    }
    return false;
}

bool client_offered(bool have, const char *name)
{
    bool offered = have && !listed(getenv("VULKAN_WITHOUT"), name);
    if (!offered) {
        printf("skip: %s\n", name);
    }
    return offered;
}

bool client_has(const struct client *c, const char *extension)
{
    for (uint32_t i = 0; i < c->n_extensions; i++) {
        if (strcmp(c->extensions[i].extensionName, extension) == 0) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- the instance */

static VKAPI_ATTR VkBool32 VKAPI_CALL complain(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                               VkDebugUtilsMessageTypeFlagsEXT types,
                                               const VkDebugUtilsMessengerCallbackDataEXT *data,
                                               void *arg)
{
    (void)severity;
    (void)types;
    (void)arg;
    wrong("validation: %s", data->pMessage);
}

static bool validating(void)
{
    const char *value = getenv("VULKAN_VALIDATE");
    return value != NULL && strcmp(value, "1") == 0;
}

static bool instance_has(const char *name)
{
    uint32_t n = 0;
    bool found = false;
    VK(vkEnumerateInstanceExtensionProperties(NULL, &n, NULL));
    VkExtensionProperties *list = calloc(n + 1, sizeof *list);
    EXPECT(list != NULL);
    VK(vkEnumerateInstanceExtensionProperties(NULL, &n, list));
    for (uint32_t i = 0; i < n; i++) {
        found = found || strcmp(list[i].extensionName, name) == 0;
    }
    free(list);
    return found;
}

VkInstance client_instance(bool validate)
{
    const char *layer = "VK_LAYER_KHRONOS_validation";
    const char *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pApplicationName = "vitrine client",
                                           .apiVersion = VK_API_VERSION_1_3};
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = complain};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = validate ? &messenger : NULL,
                                       .pApplicationInfo = &application,
                                       .enabledLayerCount = validate ? 1 : 0,
                                       .ppEnabledLayerNames = &layer,
                                       .enabledExtensionCount = instance_has(extension) ? 1 : 0,
                                       .ppEnabledExtensionNames = &extension};
    VkInstance instance;
    VK(vkCreateInstance(&info, NULL, &instance));
    return instance;
}

static void watch_messages(struct client *c)
{
    const VkDebugUtilsMessengerCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = complain};
    PFN_vkCreateDebugUtilsMessengerEXT create =
        (PFN_vkCreateDebugUtilsMessengerEXT)vkGetInstanceProcAddr(c->instance,
                                                                  "vkCreateDebugUtilsMessengerEXT");
    VK(create(c->instance, &info, NULL, &c->messenger));
}

VkPhysicalDevice client_physical(VkInstance instance)
{
    VkPhysicalDevice devices[16];
    uint32_t n = COUNT(devices);
    const char *part = getenv("VITRINE_GPU");
    VkResult result = vkEnumeratePhysicalDevices(instance, &n, devices);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) {
        VK(result);
    }
    for (uint32_t i = 0; i < n; i++) {
        VkPhysicalDeviceProperties properties;
        vkGetPhysicalDeviceProperties(devices[i], &properties);
        if (part == NULL || strstr(properties.deviceName, part) != NULL) {
            return devices[i];
        }
    }
    wrong("no Vulkan device%s%s", part != NULL ? " named " : "", part != NULL ? part : "");
}

/* ---------------------------------------------------------------- the device */

static void link_versions(struct client *c)
{
    bool v13 = c->api >= VK_API_VERSION_1_3;
    c->f13 = (VkPhysicalDeviceVulkan13Features){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    c->f12 = (VkPhysicalDeviceVulkan12Features){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = v13 ? &c->f13 : NULL};
    c->f11 = (VkPhysicalDeviceVulkan11Features){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &c->f12};
    c->features = (VkPhysicalDeviceFeatures2){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                              .pNext = &c->f11};
    c->p12 = (VkPhysicalDeviceVulkan12Properties){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES};
    c->p11 = (VkPhysicalDeviceVulkan11Properties){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, .pNext = &c->p12};
    c->properties = (VkPhysicalDeviceProperties2){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &c->p11};
}

static void choose_family(struct client *c)
{
    VkQueueFamilyProperties families[16];
    uint32_t n = COUNT(families);
    vkGetPhysicalDeviceQueueFamilyProperties(c->physical, &n, families);
    for (uint32_t i = 0; i < n; i++) {
        VkQueueFlags both = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
        if ((families[i].queueFlags & both) == both) {
            c->family = i;
            c->family_flags = families[i].queueFlags;
            c->timestamp_bits = families[i].timestampValidBits;
            return;
        }
    }
    wrong("no queue for graphics and compute");
}

/* Extensions with a structure of features that is filled and enabled as it is. */
static const struct {
    const char *extension;
    VkStructureType type;
    size_t bytes;
} feature_structs[] = {
#define FEATURES(name, number, type)                                                               \
    {name, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##number##_FEATURES_EXT, sizeof(type)}
    FEATURES(VK_EXT_TRANSFORM_FEEDBACK_EXTENSION_NAME, TRANSFORM_FEEDBACK,
             VkPhysicalDeviceTransformFeedbackFeaturesEXT),
    FEATURES(VK_EXT_CONDITIONAL_RENDERING_EXTENSION_NAME, CONDITIONAL_RENDERING,
             VkPhysicalDeviceConditionalRenderingFeaturesEXT),
    FEATURES(VK_EXT_EXTENDED_DYNAMIC_STATE_EXTENSION_NAME, EXTENDED_DYNAMIC_STATE,
             VkPhysicalDeviceExtendedDynamicStateFeaturesEXT),
    FEATURES(VK_EXT_EXTENDED_DYNAMIC_STATE_2_EXTENSION_NAME, EXTENDED_DYNAMIC_STATE_2,
             VkPhysicalDeviceExtendedDynamicState2FeaturesEXT),
    FEATURES(VK_EXT_EXTENDED_DYNAMIC_STATE_3_EXTENSION_NAME, EXTENDED_DYNAMIC_STATE_3,
             VkPhysicalDeviceExtendedDynamicState3FeaturesEXT),
    FEATURES(VK_EXT_VERTEX_INPUT_DYNAMIC_STATE_EXTENSION_NAME, VERTEX_INPUT_DYNAMIC_STATE,
             VkPhysicalDeviceVertexInputDynamicStateFeaturesEXT),
    FEATURES(VK_EXT_VERTEX_ATTRIBUTE_DIVISOR_EXTENSION_NAME, VERTEX_ATTRIBUTE_DIVISOR,
             VkPhysicalDeviceVertexAttributeDivisorFeaturesEXT),
    FEATURES(VK_EXT_LINE_RASTERIZATION_EXTENSION_NAME, LINE_RASTERIZATION,
             VkPhysicalDeviceLineRasterizationFeaturesEXT),
    FEATURES(VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME, GRAPHICS_PIPELINE_LIBRARY,
             VkPhysicalDeviceGraphicsPipelineLibraryFeaturesEXT),
    FEATURES(VK_EXT_MESH_SHADER_EXTENSION_NAME, MESH_SHADER, VkPhysicalDeviceMeshShaderFeaturesEXT),
    FEATURES(VK_EXT_ROBUSTNESS_2_EXTENSION_NAME, ROBUSTNESS_2,
             VkPhysicalDeviceRobustness2FeaturesEXT),
    FEATURES(VK_EXT_CUSTOM_BORDER_COLOR_EXTENSION_NAME, CUSTOM_BORDER_COLOR,
             VkPhysicalDeviceCustomBorderColorFeaturesEXT),
    FEATURES(VK_EXT_DEPTH_CLIP_ENABLE_EXTENSION_NAME, DEPTH_CLIP_ENABLE,
             VkPhysicalDeviceDepthClipEnableFeaturesEXT),
    FEATURES(VK_EXT_PRIMITIVE_TOPOLOGY_LIST_RESTART_EXTENSION_NAME, PRIMITIVE_TOPOLOGY_LIST_RESTART,
             VkPhysicalDevicePrimitiveTopologyListRestartFeaturesEXT),
#undef FEATURES
};

static const char *find_listed(const char *const *list, const char *name)
{
    for (; list != NULL && *list != NULL; list++) {
        if (strcmp(*list, name) == 0) {
            return *list;
        }
    }
    return NULL;
}

/* Those of the list that are there; the others are forgotten. */
static void choose_extensions(struct client *c, const char *const *list)
{
    uint32_t n = 0, kept = 0;
    VK(vkEnumerateDeviceExtensionProperties(c->physical, NULL, &n, NULL));
    c->extensions = calloc(n + 1, sizeof *c->extensions);
    EXPECT(c->extensions != NULL);
    VK(vkEnumerateDeviceExtensionProperties(c->physical, NULL, &n, c->extensions));
    for (uint32_t i = 0; i < n; i++) {
        const char *name = c->extensions[i].extensionName;
        if (find_listed(list, name) != NULL && !listed(getenv("VULKAN_WITHOUT"), name)) {
            c->extensions[kept++] = c->extensions[i];
        }
    }
    c->n_extensions = kept;
}

static void create_device(struct client *c)
{
    const float priority = 1;
    const char *names[128];
    void *more[COUNT(feature_structs)] = {NULL};
    void *first = NULL;
    EXPECT(c->n_extensions <= COUNT(names));
    for (uint32_t i = 0; i < c->n_extensions; i++) {
        names[i] = c->extensions[i].extensionName;
    }
    for (size_t i = 0; i < COUNT(feature_structs); i++) {
        if (client_has(c, feature_structs[i].extension)) {
            VkBaseOutStructure *s = more[i] = calloc(1, feature_structs[i].bytes);
            EXPECT(s != NULL);
            s->sType = feature_structs[i].type;
            s->pNext = first;
            first = s;
        }
    }
    if (c->api >= VK_API_VERSION_1_3) {
        c->f13.pNext = first;
    } else {
        c->f12.pNext = first;
    }
    vkGetPhysicalDeviceFeatures2(c->physical, &c->features);
    c->features.features.robustBufferAccess = VK_FALSE;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = c->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &c->features,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = c->n_extensions,
                                     .ppEnabledExtensionNames = names};
    VK(vkCreateDevice(c->physical, &info, NULL, &c->device));
    c->f12.pNext = c->api >= VK_API_VERSION_1_3 ? &c->f13 : NULL;
    c->f13.pNext = NULL;
    for (size_t i = 0; i < COUNT(more); i++) {
        free(more[i]);
    }
}

void client_open(struct client *c, const char *const *extensions)
{
    VkPhysicalDeviceProperties properties;
    *c = (struct client){.instance = client_instance(validating())};
    if (validating()) {
        watch_messages(c);
    }
    c->physical = client_physical(c->instance);
    vkGetPhysicalDeviceProperties(c->physical, &properties);
    c->api =
        properties.apiVersion < VK_API_VERSION_1_3 ? properties.apiVersion : VK_API_VERSION_1_3;
    if (listed(getenv("VULKAN_WITHOUT"), "vulkan-1.3") && c->api >= VK_API_VERSION_1_3) {
        c->api = VK_API_VERSION_1_2;
    }
    EXPECT(c->api >= VK_API_VERSION_1_2);
    link_versions(c);
    vkGetPhysicalDeviceProperties2(c->physical, &c->properties);
    vkGetPhysicalDeviceMemoryProperties(c->physical, &c->memory);
    choose_family(c);
    choose_extensions(c, extensions);
    create_device(c);
    vkGetDeviceQueue(c->device, c->family, 0, &c->queue);
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = c->family};
    VK(vkCreateCommandPool(c->device, &pool, NULL, &c->pool));
}

void client_close(struct client *c)
{
    client_sweep(c);
    free(c->kept);
    vkDestroyCommandPool(c->device, c->pool, NULL);
    vkDestroyDevice(c->device, NULL);
    if (c->messenger != VK_NULL_HANDLE) {
        PFN_vkDestroyDebugUtilsMessengerEXT destroy =
            (PFN_vkDestroyDebugUtilsMessengerEXT)vkGetInstanceProcAddr(
                c->instance, "vkDestroyDebugUtilsMessengerEXT");
        destroy(c->instance, c->messenger, NULL);
    }
    vkDestroyInstance(c->instance, NULL);
    free(c->extensions);
}

int client_main(const char *const *extensions, const struct client_case *cases, size_t n)
{
    struct client c;
    setvbuf(stdout, NULL, _IOLBF, 0);
    client_open(&c, extensions);
    for (size_t i = 0; i < n; i++) {
        if (getenv("VULKAN_CASES") == NULL || listed(getenv("VULKAN_CASES"), cases[i].name)) {
            printf("== %s\n", cases[i].name);
            cases[i].run(&c);
            client_sweep(&c);
        }
    }
    client_close(&c);
    return 0;
}

/* ---------------------------------------------------------------- what is destroyed by itself */

void keep(struct client *c, VkObjectType type, uint64_t handle)
{
    if (c->n_kept == c->room_kept) {
        size_t room = c->room_kept * 2 + 64;
        struct kept *more = realloc(c->kept, room * sizeof *more);
        EXPECT(more != NULL);
        c->kept = more;
        c->room_kept = room;
    }
    c->kept[c->n_kept++] = (struct kept){type, handle};
}

static void destroy(VkDevice device, VkObjectType type, uint64_t handle)
{
    switch (type) {
#define DESTROY(TYPE, name)                                                                        \
    case VK_OBJECT_TYPE_##TYPE:                                                                    \
        vkDestroy##name(device, (Vk##name)handle, NULL);                                           \
        break;
        DESTROY(BUFFER, Buffer)
        DESTROY(BUFFER_VIEW, BufferView)
        DESTROY(COMMAND_POOL, CommandPool)
        DESTROY(DESCRIPTOR_POOL, DescriptorPool)
        DESTROY(DESCRIPTOR_SET_LAYOUT, DescriptorSetLayout)
        DESTROY(DESCRIPTOR_UPDATE_TEMPLATE, DescriptorUpdateTemplate)
        DESTROY(EVENT, Event)
        DESTROY(FENCE, Fence)
        DESTROY(FRAMEBUFFER, Framebuffer)
        DESTROY(IMAGE, Image)
        DESTROY(IMAGE_VIEW, ImageView)
        DESTROY(PIPELINE, Pipeline)
        DESTROY(PIPELINE_CACHE, PipelineCache)
        DESTROY(PIPELINE_LAYOUT, PipelineLayout)
        DESTROY(QUERY_POOL, QueryPool)
        DESTROY(RENDER_PASS, RenderPass)
        DESTROY(SAMPLER, Sampler)
        DESTROY(SAMPLER_YCBCR_CONVERSION, SamplerYcbcrConversion)
        DESTROY(SEMAPHORE, Semaphore)
        DESTROY(SHADER_MODULE, ShaderModule)
#undef DESTROY
    case VK_OBJECT_TYPE_DEVICE_MEMORY:
        vkFreeMemory(device, (VkDeviceMemory)handle, NULL);
        break;
    default:
        wrong("objects of type %d are not kept", type);
    }
}

void client_sweep(struct client *c)
{
    while (c->n_kept > 0) {
        c->n_kept--;
        destroy(c->device, c->kept[c->n_kept].type, c->kept[c->n_kept].handle);
    }
}
