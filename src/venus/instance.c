/* venus/instance.c - instances, and the physical devices that they list.
 *
 * A guest's instance is one of the host's, made without its layers and without its window systems'
 * extensions: those are the guest's own affair. Physical devices get the ids that the guest brings
 * when it lists them.
 */
#include "venus/device.h"
#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <stdlib.h>
#include <string.h>

#define VERSION_MIN VK_API_VERSION_1_1
/* Host devices that are listed at most. */
#define GPUS_MAX 64u

VkResult vt_venus_object_made(struct vt_venus_run *run, const struct vt_venus_object *object,
                              struct vt_venus_object *parent, const char *member)
{
    struct vt_venus_object *made = malloc(sizeof *made);
    if (made == NULL) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    *made = *object;
    int rc = vt_venus_objects_put(vt_venus_context_objects(run->context), made, parent, NULL);
    if (rc == 0) {
        return VK_SUCCESS;
    }
    if (rc == VT_E_EXISTS) {
        vt_venus_fail(&run->in, VT_VENUS_EXISTS, member, object->id, 0);
    }
    free(made);
    return VK_ERROR_OUT_OF_HOST_MEMORY;
}

void *vt_venus_chain_find(const void *chain, VkStructureType type)
{
    const VkBaseInStructure *at = chain;
    while (at != NULL && at->sType != type) {
        at = at->pNext;
    }
    return (void *)(uintptr_t)at;
}

void vt_venus_chain_drop(const void **chain, VkStructureType type)
{
    while (*chain != NULL) {
        /* Decoded into the command's own memory, which may be changed. */
        VkBaseOutStructure *at = (VkBaseOutStructure *)(uintptr_t)*chain;
        if (at->sType == type) {
            *chain = at->pNext;
        } else {
            chain = (const void **)&at->pNext;
        }
    }
}

static uint32_t loader_version(void)
{
    PFN_vkEnumerateInstanceVersion ask =
        (PFN_vkEnumerateInstanceVersion)vkGetInstanceProcAddr(NULL, "vkEnumerateInstanceVersion");
    uint32_t version = VK_API_VERSION_1_0;
    if (ask == NULL || ask(&version) != VK_SUCCESS) {
        return VK_API_VERSION_1_0;
    }
    return version < vt_venus_version_max() ? version : vt_venus_version_max();
}

void vt_venus_vkEnumerateInstanceVersion(struct vt_venus_run *run,
                                         struct vn_vkEnumerateInstanceVersion *args)
{
    (void)run;
    *args->pApiVersion = loader_version();
    args->ret = VK_SUCCESS;
}

/* The loader's extensions; NULL and 0 where there are none. The caller frees. */
static VkExtensionProperties *list_extensions(uint32_t *n)
{
    PFN_vkEnumerateInstanceExtensionProperties ask =
        (PFN_vkEnumerateInstanceExtensionProperties)vkGetInstanceProcAddr(
            NULL, "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    *n = 0;
    if (ask == NULL || ask(NULL, &count, NULL) != VK_SUCCESS) {
        return NULL;
    }
    VkExtensionProperties *all = calloc(count + 1, sizeof *all);
    if (all != NULL && ask(NULL, &count, all) >= VK_SUCCESS) {
        *n = count;
    }
    return all;
}

static const VkExtensionProperties *find_extension(const VkExtensionProperties *all, uint32_t n,
                                                   const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(all[i].extensionName, name) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

/* Of all: those of the protocol, to the front. */
static uint32_t keep_known(VkExtensionProperties *all, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (size_t k = 0; k < VN_EXTENSIONS; k++) {
            if (strcmp(all[i].extensionName, vn_extensions[k].name) == 0) {
                all[kept++] = all[i];
                break;
            }
        }
    }
    return kept;
}

void vt_venus_vkEnumerateInstanceExtensionProperties(
    struct vt_venus_run *run, struct vn_vkEnumerateInstanceExtensionProperties *args)
{
    (void)run;
    uint32_t n = 0;
    VkExtensionProperties *all = list_extensions(&n);
    n = keep_known(all, n);
    args->ret = VK_SUCCESS;
    if (args->pLayerName != NULL) {
        args->ret = VK_ERROR_LAYER_NOT_PRESENT;
        *args->pPropertyCount = 0;
    } else if (args->pProperties == NULL) {
        *args->pPropertyCount = n;
    } else {
        if (*args->pPropertyCount < n) {
            n = *args->pPropertyCount;
            args->ret = VK_INCOMPLETE;
        }
        if (n > 0) {
            memcpy(args->pProperties, all, n * sizeof *all);
        }
        *args->pPropertyCount = n;
    }
    free(all);
}

void vt_venus_vkEnumerateInstanceLayerProperties(struct vt_venus_run *run,
                                                 struct vn_vkEnumerateInstanceLayerProperties *args)
{
    (void)run;
    *args->pPropertyCount = 0;
    args->ret = VK_SUCCESS;
}

void vt_venus_end_VkInstance(struct vt_venus_object *object)
{
    struct vt_venus_instance *instance = object->state;
    if ((object->flags & VT_VENUS_DEVICE_HUNG) == 0) {
        instance->table.DestroyInstance(instance->handle, NULL);
    }
}

static void free_instance(void *state)
{
    struct vt_venus_instance *instance = state;
    for (uint32_t i = 0; i < instance->n_gpus; i++) {
        vt_venus_gpu_destroy(instance->gpus[i]);
    }
    free(instance->gpus);
    pthread_mutex_destroy(&instance->lock);
    free(instance);
}

static VkResult create_host(const VkApplicationInfo *application, const char *const *names,
                            uint32_t n_names, VkInstance *instance)
{
    static const char *const validation = "VK_LAYER_KHRONOS_validation";
    uint32_t n_own = 0;
    VkExtensionProperties *own = list_extensions(&n_own);
    const char **enabled = calloc((size_t)n_names + 1, sizeof *enabled);
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)vkGetInstanceProcAddr(NULL, "vkCreateInstance");
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = application,
        .ppEnabledExtensionNames = enabled,
        .ppEnabledLayerNames = &validation,
        .enabledLayerCount = getenv("VITRINE_GPU_VALIDATE") != NULL,
    };
    VkResult result = VK_SUCCESS;
    if (create == NULL || enabled == NULL || own == NULL) {
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    const char *portability = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
    if (result == VK_SUCCESS && find_extension(own, n_own, portability) != NULL) {
        enabled[info.enabledExtensionCount++] = portability;
        info.flags = VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    uint32_t n_known = result == VK_SUCCESS ? keep_known(own, n_own) : 0;
    for (uint32_t i = 0; i < n_names && result == VK_SUCCESS; i++) {
        const VkExtensionProperties *known = find_extension(own, n_known, names[i]);
        if (known == NULL) {
            result = VK_ERROR_EXTENSION_NOT_PRESENT;
        } else if (strcmp(names[i], portability) != 0) {
            enabled[info.enabledExtensionCount++] = known->extensionName;
        }
    }
    if (result == VK_SUCCESS) {
        result = create(&info, NULL, instance);
    }
    free(enabled);
    free(own);
    return result;
}

static void hold_drivers(struct vt_venus_renderer *renderer)
{
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .apiVersion = VERSION_MIN,
    };
    VkInstance instance = VK_NULL_HANDLE;
    pthread_mutex_lock(&renderer->lock);
    if (renderer->anchor == VK_NULL_HANDLE &&
        create_host(&application, NULL, 0, &instance) == VK_SUCCESS) {
        PFN_vkEnumeratePhysicalDevices list = (PFN_vkEnumeratePhysicalDevices)vkGetInstanceProcAddr(
            instance, "vkEnumeratePhysicalDevices");
        uint32_t n = 0;
        (void)list(instance, &n, NULL); /* now they have opened what they need */
        renderer->anchor = instance;
    }
    pthread_mutex_unlock(&renderer->lock);
}

void vt_venus_vkCreateInstance(struct vt_venus_run *run, struct vn_vkCreateInstance *args)
{
    const VkInstanceCreateInfo *guest = args->pCreateInfo;
    uint32_t version_max = loader_version();
    if (version_max < VERSION_MIN) {
        args->ret = VK_ERROR_INCOMPATIBLE_DRIVER;
        return;
    }
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO};
    if (guest->pApplicationInfo != NULL) {
        application = *guest->pApplicationInfo;
        application.pNext = NULL;
    }
    if (application.apiVersion < VERSION_MIN) {
        application.apiVersion = VERSION_MIN;
    }
    if (application.apiVersion > version_max) {
        application.apiVersion = version_max;
    }
    struct vt_venus_instance *made = calloc(1, sizeof *made);
    if (made == NULL) {
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->context = run->context;
    hold_drivers(vt_venus_context_renderer(run->context));
    args->ret = create_host(&application, guest->ppEnabledExtensionNames,
                            guest->enabledExtensionCount, &made->handle);
    if (args->ret == VK_SUCCESS) {
        vn_instance_table_load(&made->table, vkGetInstanceProcAddr, made->handle);
        const struct vt_venus_object object = {
            .id = (uint64_t)*args->pInstance,
            .type = VK_OBJECT_TYPE_INSTANCE,
            .handle = (uint64_t)made->handle,
            .instance = &made->table,
            .state = made,
            .free_state = free_instance,
        };
        args->ret = vt_venus_object_made(run, &object, NULL, "pInstance");
        if (args->ret != VK_SUCCESS) {
            made->table.DestroyInstance(made->handle, NULL);
        }
    }
    if (args->ret != VK_SUCCESS) {
        free_instance(made);
    }
}

void vt_venus_vkDestroyInstance(struct vt_venus_run *run, struct vn_vkDestroyInstance *args)
{
    if (args->self != NULL) {
        struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
        vt_venus_devices_quiesce(objects, args->self);
        vt_venus_objects_end(objects, args->self);
    }
}

/* "1", or a part of the name; as everywhere. */
static bool chosen(const struct vt_venus_options *options, uint32_t number, const char *name)
{
    if (options->gpu == NULL || *options->gpu == '\0') {
        return true;
    }
    char *end;
    unsigned long wanted = strtoul(options->gpu, &end, 10);
    if (*end == '\0') {
        return wanted == number;
    }
    return strcasestr(name, options->gpu) != NULL;
}

/* instance->lock is held. */
static VkResult list_gpus(struct vt_venus_instance *instance)
{
    struct vt_venus_renderer *renderer = vt_venus_context_renderer(instance->context);
    VkPhysicalDevice all[GPUS_MAX];
    uint32_t n = GPUS_MAX;
    VkResult result = instance->table.EnumeratePhysicalDevices(instance->handle, &n, all);
    if (result < VK_SUCCESS) {
        return result;
    }
    instance->gpus = calloc(GPUS_MAX, sizeof *instance->gpus);
    if (instance->gpus == NULL) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        VkPhysicalDeviceProperties properties;
        instance->table.GetPhysicalDeviceProperties(all[i], &properties);
        if (properties.apiVersion >= VERSION_MIN &&
            chosen(&renderer->options, i, properties.deviceName) &&
            vt_venus_gpu_create(renderer, &instance->table, all[i], vt_venus_version_max(),
                                &instance->gpus[instance->n_gpus], NULL) == 0) {
            instance->n_gpus++;
        }
    }
    instance->listed = true;
    return VK_SUCCESS;
}

static VkResult need_gpus(struct vt_venus_instance *instance)
{
    pthread_mutex_lock(&instance->lock);
    VkResult result = instance->listed ? VK_SUCCESS : list_gpus(instance);
    pthread_mutex_unlock(&instance->lock);
    return result;
}

static VkResult add_gpu(struct vt_venus_run *run, struct vt_venus_object *instance, uint64_t id,
                        struct vt_venus_gpu *gpu)
{
    const struct vt_venus_object *object = vt_venus_objects_find(
        vt_venus_context_objects(run->context), id, VK_OBJECT_TYPE_PHYSICAL_DEVICE);
    if (object != NULL && object->state == gpu) {
        return VK_SUCCESS; /* listed once more */
    }
    const struct vt_venus_object made = {
        .id = id,
        .type = VK_OBJECT_TYPE_PHYSICAL_DEVICE,
        .handle = (uint64_t)gpu->handle,
        .state = gpu,
    };
    return vt_venus_object_made(run, &made, instance, "pPhysicalDevices");
}

void vt_venus_vkEnumeratePhysicalDevices(struct vt_venus_run *run,
                                         struct vn_vkEnumeratePhysicalDevices *args)
{
    struct vt_venus_instance *instance = args->self->state;
    args->ret = need_gpus(instance);
    if (args->ret != VK_SUCCESS) {
        *args->pPhysicalDeviceCount = 0;
        return;
    }
    if (args->pPhysicalDevices == NULL) {
        *args->pPhysicalDeviceCount = instance->n_gpus;
        return;
    }
    uint32_t n = instance->n_gpus;
    VkResult all = VK_SUCCESS;
    if (*args->pPhysicalDeviceCount < n) {
        n = *args->pPhysicalDeviceCount;
        all = VK_INCOMPLETE;
    }
    *args->pPhysicalDeviceCount = n;
    for (uint32_t i = 0; i < n && args->ret == VK_SUCCESS; i++) {
        args->ret =
            add_gpu(run, args->self, (uint64_t)args->pPhysicalDevices[i], instance->gpus[i]);
    }
    if (args->ret == VK_SUCCESS) {
        args->ret = all;
    }
}

/* The guest's id of a host's device. */
struct search {
    uint64_t handle, id;
    const struct vn_instance_table *instance;
};

static void match(struct vt_venus_object *object, void *arg)
{
    struct search *search = arg;
    if (object->handle == search->handle && object->instance == search->instance) {
        search->id = object->id;
    }
}

static uint64_t id_of(struct vt_venus_run *run, struct vt_venus_object *instance,
                      VkPhysicalDevice handle)
{
    struct search search = {.handle = (uint64_t)handle, .instance = instance->instance};
    vt_venus_objects_each(vt_venus_context_objects(run->context), VK_OBJECT_TYPE_PHYSICAL_DEVICE,
                          match, &search);
    return search.id;
}

/* Devices that the guest has no id for are left out; a group without any is none. */
static bool fill_group(struct vt_venus_run *run, struct vt_venus_object *instance,
                       const VkPhysicalDeviceGroupProperties *own,
                       VkPhysicalDeviceGroupProperties *shown)
{
    uint32_t n = 0;
    VkPhysicalDevice ids[VK_MAX_DEVICE_GROUP_SIZE] = {0};
    for (uint32_t i = 0; i < own->physicalDeviceCount && i < VK_MAX_DEVICE_GROUP_SIZE; i++) {
        uint64_t id = id_of(run, instance, own->physicalDevices[i]);
        if (id != 0) {
            ids[n++] = (VkPhysicalDevice)(uintptr_t)id;
        }
    }
    if (n > 0 && shown != NULL) {
        shown->physicalDeviceCount = n;
        memcpy(shown->physicalDevices, ids, sizeof ids);
        shown->subsetAllocation = own->subsetAllocation;
    }
    return n > 0;
}

void vt_venus_vkEnumeratePhysicalDeviceGroups(struct vt_venus_run *run,
                                              struct vn_vkEnumeratePhysicalDeviceGroups *args)
{
    struct vt_venus_instance *instance = args->self->state;
    uint32_t room = *args->pPhysicalDeviceGroupCount, n_own = GPUS_MAX, n = 0;
    *args->pPhysicalDeviceGroupCount = 0;
    VkPhysicalDeviceGroupProperties *own = calloc(n_own, sizeof *own);
    if (own == NULL) {
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < n_own; i++) {
        own[i].sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_GROUP_PROPERTIES;
    }
    args->ret = instance->table.EnumeratePhysicalDeviceGroups(instance->handle, &n_own, own);
    bool all = true;
    for (uint32_t i = 0; i < n_own && args->ret >= VK_SUCCESS; i++) {
        VkPhysicalDeviceGroupProperties *shown = args->pPhysicalDeviceGroupProperties;
        if (shown != NULL && n == room) {
            all = !fill_group(run, args->self, &own[i], NULL) && all;
        } else if (fill_group(run, args->self, &own[i], shown != NULL ? &shown[n] : NULL)) {
            n++;
        }
    }
    if (args->ret >= VK_SUCCESS) {
        *args->pPhysicalDeviceGroupCount = n;
        args->ret = all ? VK_SUCCESS : VK_INCOMPLETE;
    }
    free(own);
}
