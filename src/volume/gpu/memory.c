/* volume/gpu/memory.c - buffers: each an allocation of its own, reached by address.
 *
 * Buffers are few (voxels, tables, an image), so nothing is suballocated. Where uploads have a
 * queue family of their own, buffers are shared between both (VK_SHARING_MODE_CONCURRENT), which
 * for buffers costs nothing.
 */
#include "volume/gpu/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t vt_gpu_buffer_max(const struct vt_gpu *gpu)
{
    return gpu->buffer_max;
}

int vt_gpu_range(const struct vt_gpu_buffer *buffer, uint64_t offset, uint64_t n,
                 struct vt_error *err)
{
    if (offset > buffer->bytes || n > buffer->bytes - offset) {
        return vt_fail(err, VT_E_INVAL,
                       "%" PRIu64 " bytes at %" PRIu64 " are not within a buffer of %" PRIu64, n,
                       offset, buffer->bytes);
    }
    return 0;
}

/* The first memory type with all of `need` and the most of `want` and least of `avoid`. */
static int choose_type(const struct vt_gpu *gpu, uint32_t allowed, VkMemoryPropertyFlags need,
                       VkMemoryPropertyFlags want, VkMemoryPropertyFlags avoid, uint32_t *type)
{
    int best = -1;
    for (uint32_t i = 0; i < gpu->types.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = gpu->types.memoryTypes[i].propertyFlags;
        if ((allowed >> i & 1) == 0 || (flags & need) != need) {
            continue;
        }
        int score = 1 + 2 * __builtin_popcount(flags & want) - __builtin_popcount(flags & avoid) +
                    __builtin_popcount(avoid);
        if (score > best) {
            best = score;
            *type = i;
        }
    }
    return best < 0 ? VT_E_UNSUPPORTED : 0;
}

static int type_of_kind(const struct vt_gpu *gpu, enum vt_gpu_kind kind, uint32_t allowed,
                        uint32_t *type)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                                cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                                host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                       VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    switch (kind) {
    case VT_GPU_UPLOAD:
        return choose_type(gpu, allowed, host, 0, local | cached, type);
    case VT_GPU_READBACK:
        return choose_type(gpu, allowed, host, cached, local, type);
    case VT_GPU_DEVICE:
        break;
    }
    return choose_type(gpu, allowed, local, 0, host, type);
}

static int make_handle(struct vt_gpu *gpu, uint64_t bytes, const void *next, VkBuffer *handle,
                       struct vt_error *err)
{
    const uint32_t families[2] = {gpu->family, gpu->upload_family};
    bool shared = gpu->family != gpu->upload_family;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = next,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
        .sharingMode = shared ? VK_SHARING_MODE_CONCURRENT : VK_SHARING_MODE_EXCLUSIVE,
        .queueFamilyIndexCount = shared ? 2 : 0,
        .pQueueFamilyIndices = shared ? families : NULL,
    };
    VkResult result = vkCreateBuffer(gpu->device, &info, NULL, handle);
    return result == VK_SUCCESS ? 0 : vt_gpu_fail(gpu, result, "cannot make a buffer", err);
}

/* Gives a buffer with a handle its memory: `type` of it, with `next` for what is imported. */
static int give_memory(struct vt_gpu_buffer *b, uint64_t bytes, uint32_t type, const void *next,
                       struct vt_error *err)
{
    struct vt_gpu *gpu = b->gpu;
    const VkMemoryAllocateFlagsInfo flags = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .pNext = next,
        .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &flags,
        .allocationSize = bytes,
        .memoryTypeIndex = type,
    };
    VkResult result = vt_gpu_faults(gpu, VT_GPU_FAULT_MEMORY)
                          ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                          : vkAllocateMemory(gpu->device, &info, NULL, &b->memory);
    if (result == VK_SUCCESS) {
        result = vkBindBufferMemory(gpu->device, b->handle, b->memory, 0);
    }
    if (result != VK_SUCCESS) {
        char what[64];
        snprintf(what, sizeof what, "cannot have %" PRIu64 " MiB of its memory", b->bytes >> 20);
        return vt_gpu_fail(gpu, result, what, err);
    }
    const VkBufferDeviceAddressInfo address = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
        .buffer = b->handle,
    };
    b->address = vkGetBufferDeviceAddress(gpu->device, &address);
    return 0;
}

static int new_buffer(struct vt_gpu *gpu, uint64_t bytes, struct vt_gpu_buffer **buffer,
                      struct vt_error *err)
{
    int rc = vt_gpu_ready(gpu, err);
    if (rc != 0) {
        return rc;
    }
    if (bytes == 0) {
        return vt_fail(err, VT_E_INVAL, "a buffer of no bytes");
    }
    struct vt_gpu_buffer *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a buffer's record");
    }
    b->gpu = gpu;
    b->bytes = bytes;
    *buffer = b;
    return 0;
}

static int create(struct vt_gpu_buffer *b, enum vt_gpu_kind kind, struct vt_error *err)
{
    struct vt_gpu *gpu = b->gpu;
    int rc = make_handle(gpu, b->bytes, NULL, &b->handle, err);
    if (rc != 0) {
        return rc;
    }
    VkMemoryRequirements need;
    vkGetBufferMemoryRequirements(gpu->device, b->handle, &need);
    uint32_t type = 0;
    if (type_of_kind(gpu, kind, need.memoryTypeBits, &type) != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s has no memory of the kind that is needed",
                       gpu->info.name);
    }
    rc = give_memory(b, need.size, type, NULL, err);
    if (rc != 0) {
        return rc;
    }
    b->allocated = need.size;
    gpu->ours += b->allocated;
    if (kind == VT_GPU_DEVICE) {
        return 0;
    }
    void *mapped;
    VkResult result = vkMapMemory(gpu->device, b->memory, 0, VK_WHOLE_SIZE, 0, &mapped);
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot map its memory", err);
    }
    b->mapped = mapped;
    return 0;
}

int vt_gpu_buffer_create(struct vt_gpu *gpu, uint64_t bytes, enum vt_gpu_kind kind,
                         struct vt_gpu_buffer **buffer, struct vt_error *err)
{
    if (bytes > gpu->info.memory_bytes) {
        return vt_fail(err, VT_E_NOMEM, "%" PRIu64 " MiB do not fit into the %" PRIu64 " MiB of %s",
                       bytes >> 20, gpu->info.memory_bytes >> 20, gpu->info.name);
    }
    if (bytes > gpu->buffer_max) {
        return vt_fail(err, VT_E_LIMIT, "%s makes no buffer over %" PRIu64 " MiB", gpu->info.name,
                       gpu->buffer_max >> 20);
    }
    struct vt_gpu_buffer *b;
    int rc = new_buffer(gpu, bytes, &b, err);
    if (rc != 0) {
        return rc;
    }
    rc = create(b, kind, err);
    if (rc != 0) {
        vt_gpu_buffer_destroy(b);
        return rc;
    }
    *buffer = b;
    return 0;
}

static int import(struct vt_gpu_buffer *b, const void *bytes, struct vt_error *err)
{
    struct vt_gpu *gpu = b->gpu;
    const VkExternalMemoryHandleTypeFlagBits kind =
        VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    /* Vulkan takes no pointer to const; the device is only told to read. */
    void *host = (void *)(uintptr_t)bytes;
    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    VkResult result = gpu->host_pointer_properties(gpu->device, kind, host, &properties);
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot use this memory in place", err);
    }
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = kind,
    };
    int rc = make_handle(gpu, b->bytes, &external, &b->handle, err);
    if (rc != 0) {
        return rc;
    }
    VkMemoryRequirements need;
    vkGetBufferMemoryRequirements(gpu->device, b->handle, &need);
    uint32_t type = 0;
    if (need.size > b->bytes || choose_type(gpu, need.memoryTypeBits & properties.memoryTypeBits, 0,
                                            VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0, &type) != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s cannot use this memory in place", gpu->info.name);
    }
    const VkImportMemoryHostPointerInfoEXT from = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = kind,
        .pHostPointer = host,
    };
    return give_memory(b, b->bytes, type, &from, err);
}

int vt_gpu_buffer_import(struct vt_gpu *gpu, const void *bytes, uint64_t n,
                         struct vt_gpu_buffer **buffer, struct vt_error *err)
{
    if (!gpu->info.imports) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s uses no host memory in place", gpu->info.name);
    }
    if ((uintptr_t)bytes % VT_PAGE_BYTES != 0 || n % VT_PAGE_BYTES != 0) {
        return vt_fail(err, VT_E_INVAL, "memory used in place must be whole pages");
    }
    if (n > gpu->buffer_max) {
        return vt_fail(err, VT_E_LIMIT, "%s makes no buffer over %" PRIu64 " MiB", gpu->info.name,
                       gpu->buffer_max >> 20);
    }
    struct vt_gpu_buffer *b;
    int rc = new_buffer(gpu, n, &b, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_error why;
    rc = import(b, bytes, &why);
    if (rc == 0) {
        *buffer = b;
        return 0;
    }
    vt_gpu_buffer_destroy(b);
    /* Drivers refuse a mapping with one result or another; but for a lost device they all mean
     * that its bytes must be uploaded. */
    return vt_fail(err, rc == VT_E_GONE ? VT_E_GONE : VT_E_UNSUPPORTED, "%s", why.message);
}

void vt_gpu_buffer_destroy(struct vt_gpu_buffer *buffer)
{
    if (buffer == NULL) {
        return;
    }
    struct vt_gpu *gpu = buffer->gpu;
    if (vt_gpu_settled(gpu)) {
        vkDestroyBuffer(gpu->device, buffer->handle, NULL);
        vkFreeMemory(gpu->device, buffer->memory, NULL);
        gpu->ours -= buffer->allocated;
    }
    free(buffer);
}
