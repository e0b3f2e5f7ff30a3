/* Memory that a guest maps and the host's GPU uses, on whichever driver is here. */
#include "tests/unit/harness.h"

#include "tests/unit/venus/guest_gpu.h"
#include "tests/unit/venus/guest_group.h"

#include <sys/stat.h>

#define KIB UINT64_C(1024)
#define MEMORY (GUEST_FREE_ID + 0)
#define BUFFER (GUEST_FREE_ID + 1)
#define OTHER_MEMORY (GUEST_FREE_ID + 2)
#define OTHER_BUFFER (GUEST_FREE_ID + 3)
#define OTHER_DEVICE (GUEST_FREE_ID + 4)
#define RESOURCE 77u

static uint32_t mapped_type(struct guest *guest)
{
    uint32_t type = gpu_type(guest, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, UINT32_MAX);
    if (type == UINT32_MAX) {
        skip(); /* no VK_EXT_external_memory_host */
        return 0;
    }
    return type;
}

/* 64 KiB of mapped memory, exported. */
static uint32_t *make_mapped(struct guest *guest)
{
    struct vt_error err;
    assert_int_equal(gpu_allocate(guest, GPU_DEVICE, MEMORY, 64 * KIB, mapped_type(guest), NULL),
                     VK_SUCCESS);
    int fd = -1;
    assert_int_equal(vt_venus_context_export(guest->context, RESOURCE, MEMORY, 64 * KIB, &fd, &err),
                     0);
    uint32_t *at = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    close(fd);
    return at;
}

static void make_bound(struct guest *guest)
{
    VkMemoryRequirements needs = gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    assert_true((needs.memoryTypeBits >> mapped_type(guest) & 1) != 0);
    assert_true(needs.size <= 64 * KIB);
    gpu_bind(guest, BUFFER, MEMORY, 0);
}

static void both_sides_see_what_the_other_writes(void **state)
{
    struct guest *guest = *state;
    uint32_t *at = make_mapped(guest);
    make_bound(guest);
    gpu_fill(guest, BUFFER, 0, 32 * KIB, 0x12345678);
    for (size_t i = 0; i < 32 * KIB / 4; i++) {
        assert_int_equal(at[i], 0x12345678);
    }
    at[5] = 0xabcd;
    const VkBufferCopy copy = {.srcOffset = 0, .dstOffset = 32 * KIB, .size = 4 * KIB};
    gpu_begin(guest);
    GUEST_DO(guest, vkCmdCopyBuffer, .commandBuffer = ID(VkCommandBuffer, GPU_COMMANDS),
             .srcBuffer = ID(VkBuffer, BUFFER), .dstBuffer = ID(VkBuffer, BUFFER), .regionCount = 1,
             .pRegions = &copy);
    gpu_finish(guest);
    assert_int_equal(at[8 * KIB + 5], 0xabcd);
    munmap(at, 64 * KIB);
}

static void what_is_bound_outlives_a_free(void **state)
{
    struct guest *guest = *state;
    uint32_t *at = make_mapped(guest);
    make_bound(guest);
    GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
    assert_int_equal(gpu_memory(guest), 64 * KIB + GUEST_REPLY_BYTES);
    /* Another allocation does not get the pages that the buffer still has. */
    assert_int_equal(
        gpu_allocate(guest, GPU_DEVICE, OTHER_MEMORY, 64 * KIB, mapped_type(guest), NULL),
        VK_SUCCESS);
    struct vt_error err;
    int fd = -1;
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, OTHER_MEMORY, 64 * KIB, &fd, &err),
        0);
    uint32_t *other = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    gpu_fill(guest, BUFFER, 0, 64 * KIB, 7);
    assert_int_equal(at[100], 7);
    assert_int_equal(other[100], 0);
    munmap(other, 64 * KIB);
    GUEST_DO(guest, vkDestroyBuffer, .device = DEVICE, .buffer = ID(VkBuffer, BUFFER));
    munmap(at, 64 * KIB);
}

static void freed_memory_is_used_again_by_the_same_guest(void **state)
{
    struct guest *guest = *state;
    uint64_t before = gpu_memory(guest);
    uint64_t objects = gpu_objects(guest);
    ino_t inode = 0;
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(
            gpu_allocate(guest, GPU_DEVICE, MEMORY, 64 * KIB - i, mapped_type(guest), NULL),
            VK_SUCCESS);
        struct vt_error err;
        int fd = -1;
        assert_int_equal(
            vt_venus_context_export(guest->context, RESOURCE, MEMORY, 64 * KIB - i, &fd, &err), 0);
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        assert_true(inode == 0 || inode == st.st_ino);
        inode = st.st_ino;
        close(fd);
        assert_int_equal(vt_venus_context_detach(guest->context, RESOURCE, &err), 0);
        GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
        assert_int_equal(gpu_memory(guest), before);
        assert_int_equal(gpu_objects(guest), objects);
    }
    /* What other processes may have a hold on is not. */
    const VkExportMemoryAllocateInfo exported = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT};
    assert_int_equal(
        gpu_allocate(guest, GPU_DEVICE, MEMORY, 64 * KIB, mapped_type(guest), &exported),
        VK_SUCCESS);
    GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
    make_mapped(guest);
    int fd = -1;
    struct vt_error err;
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, MEMORY, 64 * KIB, &fd, &err), 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_ino != inode);
    close(fd);
}

/* ---- resources of the guest's ---- */

static int attach(struct guest *guest, uint32_t id, uint64_t bytes)
{
    struct vt_error err;
    int fd = memfd_create("window", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    const struct vt_venus_memory memory = {.id = id, .fd = fd, .size = bytes, .trusted = true};
    assert_int_equal(vt_venus_context_attach(guest->context, &memory, &err), 0);
    return fd;
}

static VkResult import_resource(struct guest *guest, uint64_t bytes, uint32_t resource)
{
    const VkImportMemoryResourceInfoMESA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA, .resourceId = resource};
    return gpu_allocate(guest, GPU_DEVICE, MEMORY, bytes, mapped_type(guest), &import);
}

static void a_resource_is_imported_and_outlives_its_detaching(void **state)
{
    struct guest *guest = *state;
    uint32_t type = mapped_type(guest);
    int fd = attach(guest, RESOURCE, 64 * KIB);
    VkMemoryResourcePropertiesMESA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_RESOURCE_PROPERTIES_MESA};
    struct vn_vkGetMemoryResourcePropertiesMESA get = {
        .device = DEVICE, .resourceId = RESOURCE, .pMemoryResourceProperties = &properties};
    GUEST_CALL(guest, vkGetMemoryResourcePropertiesMESA, &get);
    assert_int_equal(get.ret, VK_SUCCESS);
    assert_true((get.pMemoryResourceProperties->memoryTypeBits >> type & 1) != 0);
    assert_int_equal(import_resource(guest, 64 * KIB, RESOURCE), VK_SUCCESS);
    make_bound(guest);
    struct vt_error err;
    assert_int_equal(vt_venus_context_detach(guest->context, RESOURCE, &err), 0);
    gpu_fill(guest, BUFFER, 0, 64 * KIB, 99);
    uint32_t value = 0;
    assert_int_equal(pread(fd, &value, sizeof value, 60 * KIB), sizeof value);
    assert_int_equal(value, 99);
    close(fd);
}

static void resources_that_do_not_fit_are_refused(void **state)
{
    struct guest *guest = *state;
    close(attach(guest, RESOURCE, 8 * KIB));
    static const uint64_t sizes[] = {12 * KIB, UINT64_MAX, UINT64_MAX - 4096, UINT64_C(1) << 63, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(import_resource(guest, sizes[i], RESOURCE) < 0);
    }
    assert_int_equal(import_resource(guest, 4 * KIB, RESOURCE + 1),
                     VK_ERROR_INVALID_EXTERNAL_HANDLE);
    VkMemoryResourcePropertiesMESA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_RESOURCE_PROPERTIES_MESA};
    struct vn_vkGetMemoryResourcePropertiesMESA get = {
        .device = DEVICE, .resourceId = RESOURCE + 1, .pMemoryResourceProperties = &properties};
    GUEST_CALL(guest, vkGetMemoryResourcePropertiesMESA, &get);
    assert_int_equal(get.ret, VK_ERROR_INVALID_EXTERNAL_HANDLE);
    assert_int_equal(import_resource(guest, 5 * KIB, RESOURCE), VK_SUCCESS);
}

/* ---- what a guest may not do ---- */

static void sizes_that_cannot_be_are_results(void **state)
{
    struct guest *guest = *state;
    static const uint64_t sizes[] = {0, UINT64_MAX, UINT64_MAX - 4096, UINT64_C(1) << 63,
                                     UINT64_C(1) << 62};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(
            gpu_allocate(guest, GPU_DEVICE, MEMORY, sizes[i], mapped_type(guest), NULL),
            VK_ERROR_OUT_OF_DEVICE_MEMORY);
    }
    const VkMemoryOpaqueCaptureAddressAllocateInfo address = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_OPAQUE_CAPTURE_ADDRESS_ALLOCATE_INFO,
        .opaqueCaptureAddress = 4096};
    assert_int_equal(gpu_allocate(guest, GPU_DEVICE, MEMORY, 4096, mapped_type(guest), &address),
                     VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS);
    assert_int_equal(gpu_memory(guest), GUEST_REPLY_BYTES);
    /* The id can be used for one that works, and freeing one that did not is nothing. */
    assert_int_equal(gpu_allocate(guest, GPU_DEVICE, MEMORY, 1, mapped_type(guest), NULL),
                     VK_SUCCESS);
    assert_true(
        gpu_allocate(guest, GPU_DEVICE, OTHER_MEMORY, UINT64_MAX, mapped_type(guest), NULL) < 0);
    GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, OTHER_MEMORY));
}

static void budgets_are_kept(void **state)
{
    (void)state;
    const struct vt_venus_options options = {.memory_max_bytes = GUEST_REPLY_BYTES + 128 * KIB};
    struct vt_venus_renderer *small = NULL;
    struct vt_error err;
    assert_int_equal(vt_venus_renderer_create(&options, &small, &err), 0);
    struct guest guest;
    guest_init(&guest, small);
    assert_true(gpu_ready(&guest));
    uint32_t type = mapped_type(&guest);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gpu_allocate(&guest, GPU_DEVICE, MEMORY, 100 * KIB, type, NULL),
                         VK_SUCCESS);
        assert_int_equal(gpu_allocate(&guest, GPU_DEVICE, OTHER_MEMORY, 100 * KIB, type, NULL),
                         VK_ERROR_OUT_OF_DEVICE_MEMORY);
        GUEST_DO(&guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
    }
    guest_fini(&guest);
    vt_venus_renderer_destroy(small);
}

static void exports_are_checked(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    struct vt_error err;
    int fd = -1;
    assert_int_equal(vt_venus_context_export(guest->context, RESOURCE, MEMORY, 64 * KIB, &fd, &err),
                     VT_E_EXISTS);
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, MEMORY, 64 * KIB + 1, &fd, &err),
        VT_E_INVAL);
    assert_int_equal(vt_venus_context_export(guest->context, RESOURCE + 1, MEMORY, 0, &fd, &err),
                     VT_E_INVAL);
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, OTHER_MEMORY, 4096, &fd, &err),
        VT_E_NOT_FOUND);
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, GPU_DEVICE, 4096, &fd, &err),
        VT_E_NOT_FOUND);
    assert_true(
        gpu_allocate(guest, GPU_DEVICE, OTHER_MEMORY, UINT64_MAX, mapped_type(guest), NULL) < 0);
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, OTHER_MEMORY, 4096, &fd, &err),
        VT_E_NOT_FOUND);
    assert_int_equal(fd, -1);
    assert_int_equal(
        vt_venus_context_export(guest->context, RESOURCE + 1, MEMORY, 64 * KIB, &fd, &err), 0);
    close(fd);
}

static void ends_of_a_type_that_is_not(void **state)
{
    struct guest *guest = *state;
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = 4096,
                                       .memoryTypeIndex = 32};
    VkDeviceMemory memory = ID(VkDeviceMemory, MEMORY);
    GUEST_ENDS(guest, "memoryTypeIndex", vkAllocateMemory, .device = DEVICE, .pAllocateInfo = &info,
               .pMemory = &memory);
}

static void ends_of_an_id_in_use(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = 4096,
                                       .memoryTypeIndex = mapped_type(guest)};
    VkDeviceMemory memory = ID(VkDeviceMemory, MEMORY);
    GUEST_ENDS(guest, "1000", vkAllocateMemory, .device = DEVICE, .pAllocateInfo = &info,
               .pMemory = &memory);
}

static void ends_of_a_double_free(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    GUEST_DO(guest, vkFreeMemory, .device = DEVICE);
    GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
    GUEST_ENDS(guest, "1000", vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
}

static void ends_of_freeing_what_is_no_memory(void **state)
{
    struct guest *guest = *state;
    GUEST_ENDS(guest, "vkFreeMemory", vkFreeMemory, .device = DEVICE,
               .memory = ID(VkDeviceMemory, GPU_POOL));
}

static void bind_ends(struct guest *guest, const char *word, uint64_t buffer, uint64_t memory,
                      uint64_t offset)
{
    const VkBindBufferMemoryInfo bind = {.sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
                                         .buffer = ID(VkBuffer, buffer),
                                         .memory = ID(VkDeviceMemory, memory),
                                         .memoryOffset = offset};
    GUEST_ENDS(guest, word, vkBindBufferMemory2, .device = DEVICE, .bindInfoCount = 1,
               .pBindInfos = &bind);
}

static void ends_of_binding_behind_the_end(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    bind_ends(guest, "memoryOffset", BUFFER, MEMORY, 4096);
}

static void ends_of_binding_far_behind_the_end(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    bind_ends(guest, "memoryOffset", BUFFER, MEMORY, UINT64_MAX - 4095);
}

static void ends_of_binding_twice(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    make_bound(guest);
    bind_ends(guest, "bound already", BUFFER, MEMORY, 0);
}

static void ends_of_binding_nothing(void **state)
{
    struct guest *guest = *state;
    gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    bind_ends(guest, "VkBindBufferMemoryInfo.memory", BUFFER, 0, 0);
}

static void ends_of_binding_what_failed(void **state)
{
    struct guest *guest = *state;
    gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    assert_true(gpu_allocate(guest, GPU_DEVICE, MEMORY, UINT64_MAX, mapped_type(guest), NULL) < 0);
    bind_ends(guest, "allocation failed", BUFFER, MEMORY, 0);
}

static void ends_of_binding_memory_of_another_device(void **state)
{
    struct guest *guest = *state;
    gpu_device(guest, OTHER_DEVICE);
    gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    assert_int_equal(gpu_allocate(guest, OTHER_DEVICE, MEMORY, 64 * KIB, mapped_type(guest), NULL),
                     VK_SUCCESS);
    bind_ends(guest, "VkBindBufferMemoryInfo.memory", BUFFER, MEMORY, 0);
}

/* Drivers without memory of their own would map pages wherever a guest says. */
static void ends_of_sparse_binding_without_memory_of_its_own(void **state)
{
    struct guest *guest = *state;
    VkPhysicalDeviceMemoryProperties properties = {0};
    struct vn_vkGetPhysicalDeviceMemoryProperties get = {
        .physicalDevice = ID(VkPhysicalDevice, GPU_PHYSICAL), .pMemoryProperties = &properties};
    GUEST_CALL(guest, vkGetPhysicalDeviceMemoryProperties, &get);
    for (uint32_t i = 0; i < get.pMemoryProperties->memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = get.pMemoryProperties->memoryTypes[i].propertyFlags;
        if ((flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) == 0) {
            skip();
        }
    }
    munmap(make_mapped(guest), 64 * KIB);
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .flags = VK_BUFFER_CREATE_SPARSE_BINDING_BIT,
                                     .size = 64 * KIB,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkBuffer buffer = ID(VkBuffer, BUFFER);
    struct vn_vkCreateBuffer create = {.device = DEVICE, .pCreateInfo = &info, .pBuffer = &buffer};
    GUEST_CALL(guest, vkCreateBuffer, &create);
    assert_int_equal(create.ret, VK_ERROR_FEATURE_NOT_PRESENT);
    gpu_buffer(guest, GPU_DEVICE, BUFFER, 64 * KIB, NULL);
    const VkSparseMemoryBind range = {.size = UINT64_C(1) << 40,
                                      .memory = ID(VkDeviceMemory, MEMORY)};
    const VkSparseBufferMemoryBindInfo bind = {
        .buffer = ID(VkBuffer, BUFFER), .bindCount = 1, .pBinds = &range};
    const VkBindSparseInfo binds = {
        .sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO, .bufferBindCount = 1, .pBufferBinds = &bind};
    GUEST_ENDS(guest, "vkQueueBindSparse", vkQueueBindSparse, .queue = ID(VkQueue, GPU_QUEUE),
               .bindInfoCount = 1, .pBindInfo = &binds);
}

static void a_device_takes_its_memory_with_it(void **state)
{
    struct guest *guest = *state;
    munmap(make_mapped(guest), 64 * KIB);
    make_bound(guest);
    assert_int_equal(
        gpu_allocate(guest, GPU_DEVICE, OTHER_MEMORY, 64 * KIB, mapped_type(guest), NULL),
        VK_SUCCESS);
    GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, OTHER_MEMORY));
    GUEST_DO(guest, vkDestroyDevice, .device = DEVICE);
    struct vt_error err;
    assert_int_equal(vt_venus_context_detach(guest->context, RESOURCE, &err), 0);
    assert_int_equal(gpu_memory(guest), GUEST_REPLY_BYTES);
    /* A kept piece serves the next device. */
    gpu_device_ready(guest);
    uint32_t *at = make_mapped(guest);
    make_bound(guest);
    gpu_fill(guest, BUFFER, 0, 64 * KIB, 3);
    assert_int_equal(at[0], 3);
    munmap(at, 64 * KIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(both_sides_see_what_the_other_writes),
        GROUP_TEST(what_is_bound_outlives_a_free),
        GROUP_TEST(freed_memory_is_used_again_by_the_same_guest),
        GROUP_TEST(a_resource_is_imported_and_outlives_its_detaching),
        GROUP_TEST(resources_that_do_not_fit_are_refused),
        GROUP_TEST(sizes_that_cannot_be_are_results),
        cmocka_unit_test(budgets_are_kept),
        GROUP_TEST(exports_are_checked),
        GROUP_TEST(ends_of_a_type_that_is_not),
        GROUP_TEST(ends_of_an_id_in_use),
        GROUP_TEST(ends_of_a_double_free),
        GROUP_TEST(ends_of_freeing_what_is_no_memory),
        GROUP_TEST(ends_of_binding_behind_the_end),
        GROUP_TEST(ends_of_binding_far_behind_the_end),
        GROUP_TEST(ends_of_binding_twice),
        GROUP_TEST(ends_of_binding_nothing),
        GROUP_TEST(ends_of_binding_what_failed),
        GROUP_TEST(ends_of_binding_memory_of_another_device),
        GROUP_TEST(ends_of_sparse_binding_without_memory_of_its_own),
        GROUP_TEST(a_device_takes_its_memory_with_it),
    };
    return group_begin(gpu_ready) ? group_end(cmocka_run_group_tests(tests, NULL, NULL)) : 77;
}
