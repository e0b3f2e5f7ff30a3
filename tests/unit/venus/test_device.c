/* Instances, physical devices, devices and queues of a context, on whichever driver is here. */
#include "tests/unit/harness.h"

#include "tests/unit/venus/guest_group.h"

#include <dirent.h>

enum { INSTANCE = 10, GPU = 20, DEVICE = 100, QUEUE = 200, OTHER_QUEUE, SEMAPHORE = 300, FENCE };

#define ID(type, id) ((type)(uintptr_t)(id))

/* The host's first device; false: there is none. */
static bool make_instance(struct guest *guest)
{
    VkInstance instance = ID(VkInstance, INSTANCE);
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_3};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pApplicationInfo = &application};
    struct vn_vkCreateInstance create = {.pCreateInfo = &info, .pInstance = &instance};
    GUEST_CALL(guest, vkCreateInstance, &create);
    if (create.ret != VK_SUCCESS) {
        return false;
    }
    uint32_t n = 0;
    struct vn_vkEnumeratePhysicalDevices list = {.instance = ID(VkInstance, INSTANCE),
                                                 .pPhysicalDeviceCount = &n};
    GUEST_CALL(guest, vkEnumeratePhysicalDevices, &list);
    assert_int_equal(list.ret, VK_SUCCESS);
    n = *list.pPhysicalDeviceCount;
    if (n == 0) {
        return false;
    }
    VkPhysicalDevice first = ID(VkPhysicalDevice, GPU);
    uint32_t one = 1;
    list.pPhysicalDeviceCount = &one;
    list.pPhysicalDevices = &first;
    GUEST_CALL(guest, vkEnumeratePhysicalDevices, &list);
    assert_int_equal(list.ret, n > 1 ? VK_INCOMPLETE : VK_SUCCESS);
    assert_int_equal(*list.pPhysicalDeviceCount, 1);
    return true;
}

static VkDeviceQueueCreateInfo one_queue = {
    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
    .queueCount = 1,
    .pQueuePriorities = (const float[]){1},
};

static VkResult make_device(struct guest *guest, uint64_t id, const char *extension)
{
    VkDevice device = ID(VkDevice, id);
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &one_queue,
        .enabledExtensionCount = extension != NULL,
        .ppEnabledExtensionNames = &extension,
    };
    struct vn_vkCreateDevice create = {
        .physicalDevice = ID(VkPhysicalDevice, GPU), .pCreateInfo = &info, .pDevice = &device};
    GUEST_CALL(guest, vkCreateDevice, &create);
    return create.ret;
}

static int get_queue(struct guest *guest, uint64_t device, uint64_t id, uint32_t family,
                     uint32_t index, uint32_t timeline, struct vt_error *err)
{
    const VkDeviceQueueTimelineInfoMESA bind = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = timeline};
    const VkDeviceQueueInfo2 info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                                     .pNext = &bind,
                                     .queueFamilyIndex = family,
                                     .queueIndex = index};
    VkQueue queue = ID(VkQueue, id);
    struct vn_vkGetDeviceQueue2 get = {
        .device = ID(VkDevice, device), .pQueueInfo = &info, .pQueue = &queue};
    return GUEST_SEND(guest, vkGetDeviceQueue2, &get, err);
}

static void make_queue(struct guest *guest)
{
    struct vt_error err;
    assert_int_equal(make_device(guest, DEVICE, NULL), VK_SUCCESS);
    assert_int_equal(get_queue(guest, DEVICE, QUEUE, 0, 0, 1, &err), 0);
}

/* ---- tests ---- */

static bool has(struct guest *guest, const char *name)
{
    uint32_t n = 0;
    struct vn_vkEnumerateDeviceExtensionProperties list = {
        .physicalDevice = ID(VkPhysicalDevice, GPU), .pPropertyCount = &n};
    GUEST_CALL(guest, vkEnumerateDeviceExtensionProperties, &list);
    n = *list.pPropertyCount;
    VkExtensionProperties *room = calloc(n, sizeof *room);
    list.pPropertyCount = &n;
    list.pProperties = room;
    GUEST_CALL(guest, vkEnumerateDeviceExtensionProperties, &list);
    assert_int_equal(list.ret, VK_SUCCESS);
    bool found = false;
    for (uint32_t i = 0; i < *list.pPropertyCount; i++) {
        found |= strcmp(list.pProperties[i].extensionName, name) == 0;
    }
    free(room);
    return found;
}

static void test_extensions(void **state)
{
    struct guest *guest = *state;
    assert_false(has(guest, "VK_KHR_swapchain")); /* the guest's own affair */
    assert_false(has(guest, "VK_EXT_external_memory_host"));
    bool ours = has(guest, "VK_KHR_external_semaphore_fd");
    assert_int_equal(has(guest, "VK_EXT_external_memory_dma_buf"), ours);
    assert_int_equal(has(guest, "VK_EXT_image_drm_format_modifier"), ours);
    assert_int_equal(make_device(guest, DEVICE, "VK_NO_such_extension"),
                     VK_ERROR_EXTENSION_NOT_PRESENT);
    assert_int_equal(make_device(guest, DEVICE, ours ? "VK_KHR_external_semaphore_fd" : NULL),
                     VK_SUCCESS);
}

static void test_memory_types(void **state)
{
    struct guest *guest = *state;
    VkPhysicalDeviceMemoryProperties properties = {0};
    struct vn_vkGetPhysicalDeviceMemoryProperties get = {
        .physicalDevice = ID(VkPhysicalDevice, GPU), .pMemoryProperties = &properties};
    GUEST_CALL(guest, vkGetPhysicalDeviceMemoryProperties, &get);
    const VkMemoryPropertyFlags needed =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    bool any = false;
    for (uint32_t i = 0; i < get.pMemoryProperties->memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = get.pMemoryProperties->memoryTypes[i].propertyFlags;
        any |= (flags & needed) == needed;
        assert_true((flags & needed) == needed || (flags & needed) == 0);
    }
    assert_int_equal(any, has(guest, "VK_KHR_external_semaphore_fd"));
}

static void test_fences_of_a_timeline(void **state)
{
    struct guest *guest = *state;
    make_queue(guest);
    struct vt_error err;
    for (uint64_t i = 1; i <= 100; i++) {
        struct vn_vkQueueSubmit submit = {.queue = ID(VkQueue, QUEUE)};
        assert_int_equal(GUEST_SEND(guest, vkQueueSubmit, &submit, &err), 0);
        assert_int_equal(vt_venus_context_fence(guest->context, i % 2, i, &err), 0);
    }
    guest_await_fences(guest, 100);
    assert_true(guest->ordered);
    assert_int_equal(vt_venus_context_fence(guest->context, VT_VENUS_TIMELINES, 1, &err),
                     VT_E_INVAL);
    struct vn_vkDestroyDevice destroy = {.device = ID(VkDevice, DEVICE)};
    assert_int_equal(GUEST_SEND(guest, vkDestroyDevice, &destroy, &err), 0);
    /* Its timeline is free again, and has nothing to wait for. */
    assert_int_equal(vt_venus_context_fence(guest->context, 1, 1000, &err), 0);
    guest_await_fences(guest, 101);
    make_queue(guest);
}

static void test_imported_payloads(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    const VkExportSemaphoreCreateInfo exported = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT};
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                        .pNext = &exported};
    VkSemaphore semaphore = ID(VkSemaphore, SEMAPHORE);
    struct vn_vkCreateSemaphore create = {
        .device = ID(VkDevice, DEVICE), .pCreateInfo = &info, .pSemaphore = &semaphore};
    GUEST_CALL(guest, vkCreateSemaphore, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
    semaphore = ID(VkSemaphore, SEMAPHORE);
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkSubmitInfo waits = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .waitSemaphoreCount = 1,
                                .pWaitSemaphores = &semaphore,
                                .pWaitDstStageMask = &stage};
    const VkSubmitInfo signals = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                  .signalSemaphoreCount = 1,
                                  .pSignalSemaphores = &semaphore};
    const VkImportSemaphoreResourceInfoMESA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_RESOURCE_INFO_MESA, .semaphore = semaphore};
    struct vn_vkImportSemaphoreResourceMESA take = {.device = ID(VkDevice, DEVICE),
                                                    .pImportSemaphoreResourceInfo = &import};
    struct vn_vkWaitSemaphoreResourceMESA give = {.device = ID(VkDevice, DEVICE),
                                                  .semaphore = semaphore};
    for (int i = 0; i < 3; i++) {
        struct vn_vkQueueSubmit submit = {
            .queue = ID(VkQueue, QUEUE), .submitCount = 1, .pSubmits = &signals};
        GUEST_CALL(guest, vkQueueSubmit, &submit); /* signalled, and taken by an export */
        assert_int_equal(submit.ret, VK_SUCCESS);
        assert_int_equal(GUEST_SEND(guest, vkWaitSemaphoreResourceMESA, &give, &err), 0);
        /* Imported, twice; one wait passes. */
        assert_int_equal(GUEST_SEND(guest, vkImportSemaphoreResourceMESA, &take, &err), 0);
        assert_int_equal(GUEST_SEND(guest, vkImportSemaphoreResourceMESA, &take, &err), 0);
        submit.pSubmits = &waits;
        GUEST_CALL(guest, vkQueueSubmit, &submit);
        assert_int_equal(submit.ret, VK_SUCCESS);
    }
    struct vn_vkDeviceWaitIdle idle = {.device = ID(VkDevice, DEVICE)};
    GUEST_CALL(guest, vkDeviceWaitIdle, &idle);
    assert_int_equal(idle.ret, VK_SUCCESS);
}

static void test_exported_fence(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = ID(VkFence, FENCE);
    struct vn_vkCreateFence create = {
        .device = ID(VkDevice, DEVICE), .pCreateInfo = &info, .pFence = &fence};
    GUEST_CALL(guest, vkCreateFence, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
    fence = ID(VkFence, FENCE);
    struct vn_vkQueueSubmit submit = {.queue = ID(VkQueue, QUEUE), .fence = fence};
    struct vn_vkGetFenceStatus status = {.device = ID(VkDevice, DEVICE), .fence = fence};
    struct vn_vkWaitForFences wait = {.device = ID(VkDevice, DEVICE),
                                      .fenceCount = 1,
                                      .pFences = &fence,
                                      .waitAll = VK_TRUE,
                                      .timeout = UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        GUEST_CALL(guest, vkQueueSubmit, &submit);
        assert_int_equal(submit.ret, VK_SUCCESS);
        if (i == 1) {
            GUEST_CALL(guest, vkWaitForFences, &wait);
            assert_int_equal(wait.ret, VK_SUCCESS);
        }
        struct vn_vkResetFenceResourceMESA reset = {.device = ID(VkDevice, DEVICE), .fence = fence};
        assert_int_equal(GUEST_SEND(guest, vkResetFenceResourceMESA, &reset, &err), 0);
        GUEST_CALL(guest, vkGetFenceStatus, &status);
        assert_int_equal(status.ret, VK_NOT_READY);
    }
    wait.timeout = 1000000;
    GUEST_CALL(guest, vkWaitForFences, &wait);
    assert_int_equal(wait.ret, VK_TIMEOUT);
}

/* A guest that goes in the middle of what it does: its device waits for a value that nobody signals
 * any more, and ends all the same. */
static void test_wait_without_end(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    VkPhysicalDeviceTimelineSemaphoreFeatures feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .timelineSemaphore = VK_TRUE};
    VkDevice device = ID(VkDevice, DEVICE);
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &feature,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &one_queue};
    struct vn_vkCreateDevice create = {
        .physicalDevice = ID(VkPhysicalDevice, GPU), .pCreateInfo = &info, .pDevice = &device};
    GUEST_CALL(guest, vkCreateDevice, &create);
    if (create.ret != VK_SUCCESS) {
        skip(); /* a driver without them */
    }
    assert_int_equal(get_queue(guest, DEVICE, QUEUE, 0, 0, 1, &err), 0);
    const VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo semaphore_info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                                  .pNext = &type};
    VkSemaphore semaphore = ID(VkSemaphore, SEMAPHORE);
    struct vn_vkCreateSemaphore make = {
        .device = ID(VkDevice, DEVICE), .pCreateInfo = &semaphore_info, .pSemaphore = &semaphore};
    GUEST_CALL(guest, vkCreateSemaphore, &make);
    assert_int_equal(make.ret, VK_SUCCESS);
    semaphore = ID(VkSemaphore, SEMAPHORE);
    const uint64_t value = 7;
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = 1,
        .pWaitSemaphoreValues = &value};
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkSubmitInfo waits = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .pNext = &values,
                                .waitSemaphoreCount = 1,
                                .pWaitSemaphores = &semaphore,
                                .pWaitDstStageMask = &stage};
    struct vn_vkQueueSubmit submit = {
        .queue = ID(VkQueue, QUEUE), .submitCount = 1, .pSubmits = &waits};
    GUEST_CALL(guest, vkQueueSubmit, &submit);
    assert_int_equal(submit.ret, VK_SUCCESS);
    assert_int_equal(vt_venus_context_fence(guest->context, 1, 1, &err), 0);
    const VkSemaphoreWaitInfo wait_info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                           .semaphoreCount = 1,
                                           .pSemaphores = &semaphore,
                                           .pValues = &value};
    struct vn_vkWaitSemaphores wait = {
        .device = ID(VkDevice, DEVICE), .pWaitInfo = &wait_info, .timeout = 1000000};
    GUEST_CALL(guest, vkWaitSemaphores, &wait);
    assert_int_equal(wait.ret, VK_TIMEOUT);
}

/* ---- what a guest must not do ends its context, with a reason ---- */

static void assert_ended(struct guest *guest, int rc, const struct vt_error *err, const char *word)
{
    assert_int_equal(rc, VT_E_PROTOCOL);
    if (strstr(err->message, word) == NULL) {
        fail_msg("'%s' does not say %s", err->message, word);
    }
    assert_non_null(vt_venus_context_reason(guest->context));
}

static void test_queue_that_is_not(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    assert_ended(guest, get_queue(guest, DEVICE, OTHER_QUEUE, 77, 0, 2, &err), &err,
                 "queueFamilyIndex");
}

static void test_queue_index_that_is_not(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    assert_ended(guest, get_queue(guest, DEVICE, OTHER_QUEUE, 0, 1, 2, &err), &err, "queueIndex");
}

static void test_timeline_that_is_not(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    assert_int_equal(make_device(guest, DEVICE, NULL), VK_SUCCESS);
    assert_ended(guest, get_queue(guest, DEVICE, QUEUE, 0, 0, VT_VENUS_TIMELINES, &err), &err,
                 "ringIdx");
}

static void test_timeline_in_use(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    assert_int_equal(make_device(guest, DEVICE + 1, NULL), VK_SUCCESS);
    assert_ended(guest, get_queue(guest, DEVICE + 1, OTHER_QUEUE, 0, 0, 1, &err), &err, "ringIdx");
}

static void test_too_many_queues(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    float priorities[1000] = {0};
    const VkDeviceQueueCreateInfo many = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                          .queueCount = 1000,
                                          .pQueuePriorities = priorities};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &many};
    VkDevice device = ID(VkDevice, DEVICE);
    struct vn_vkCreateDevice create = {
        .physicalDevice = ID(VkPhysicalDevice, GPU), .pCreateInfo = &info, .pDevice = &device};
    assert_ended(guest, GUEST_SEND(guest, vkCreateDevice, &create, &err), &err, "queueCount");
}

static void test_id_in_use(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    assert_ended(guest, get_queue(guest, DEVICE, GPU, 0, 0, 1, &err), &err, "pQueue");
}

static void test_object_of_another_device(void **state)
{
    struct guest *guest = *state;
    struct vt_error err;
    make_queue(guest);
    assert_int_equal(make_device(guest, DEVICE + 1, NULL), VK_SUCCESS);
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = ID(VkFence, FENCE);
    struct vn_vkCreateFence create = {
        .device = ID(VkDevice, DEVICE + 1), .pCreateInfo = &info, .pFence = &fence};
    GUEST_CALL(guest, vkCreateFence, &create);
    struct vn_vkQueueSubmit submit = {.queue = ID(VkQueue, QUEUE), .fence = ID(VkFence, FENCE)};
    assert_ended(guest, GUEST_SEND(guest, vkQueueSubmit, &submit, &err), &err,
                 "object of another device");
}

/* ---- nothing is left behind ---- */

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

static unsigned long resident_kib(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static void once(void)
{
    struct guest guest;
    struct vt_error err;
    guest_init(&guest, renderer);
    make_instance(&guest);
    make_queue(&guest);
    assert_int_equal(vt_venus_context_fence(guest.context, 1, 1, &err), 0);
    guest_await_fences(&guest, 1);
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(guest.context, &statistics);
    assert_int_equal(statistics.objects, 4); /* destroyed with their context */
    guest_fini(&guest);
}

static void test_many_contexts(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) { /* drivers keep something of their first instances */
        once();
    }
    unsigned files = open_files();
    unsigned long resident = resident_kib();
    for (int i = 0; i < 100; i++) {
        once();
    }
    assert_int_equal(open_files(), files);
    assert_true(resident_kib() < resident + 32 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(test_extensions),
        GROUP_TEST(test_memory_types),
        GROUP_TEST(test_fences_of_a_timeline),
        GROUP_TEST(test_imported_payloads),
        GROUP_TEST(test_exported_fence),
        GROUP_TEST(test_wait_without_end),
        GROUP_TEST(test_queue_that_is_not),
        GROUP_TEST(test_queue_index_that_is_not),
        GROUP_TEST(test_timeline_that_is_not),
        GROUP_TEST(test_timeline_in_use),
        GROUP_TEST(test_too_many_queues),
        GROUP_TEST(test_object_of_another_device),
        GROUP_TEST(test_id_in_use),
        cmocka_unit_test(test_many_contexts),
    };
    return group_begin(make_instance) ? group_end(cmocka_run_group_tests(tests, NULL, NULL)) : 77;
}
