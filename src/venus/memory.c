/* venus/memory.c - VkDeviceMemory: allocated, imported, exported, freed.
 *
 * Host-visible memory is never the driver's own. A driver maps what it allocates into this process
 * alone; what a guest shall see too must be a file's pages, so those are made here and the driver
 * imports them (VK_EXT_external_memory_host). Flushing is therefore nothing: only coherent types
 * are shown as host-visible.
 *
 * A guest's driver may not wait for vkAllocateMemory's result. Where it failed the id stands for a
 * memory that is none, so that freeing it is harmless and using it says what happened.
 */
#include "venus/memory.h"

#include "venus/inside.h"
#include "venus/vn_commands.h"
#include "venus/vn_mesa.h"
#include "venus/vn_tables.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- types ---- */

struct vt_venus_types vt_venus_types_of(struct vt_venus_device *device)
{
    struct vt_venus_types types = {0};
    const VkPhysicalDeviceMemoryProperties *memory =
        vt_venus_gpu_memory(device->gpu, &types.import);
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        if ((memory->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != 0) {
            types.local |= UINT32_C(1) << i;
        }
    }
    types.local &= ~types.import;
    return types;
}

uint32_t vt_venus_types_shown(const struct vt_venus_types *types,
                              const struct vt_venus_resource *resource, uint32_t bits)
{
    uint32_t shown = bits;
    if (resource->external) {
        shown = bits & types->import;
    } else if (resource->sparse || (resource->optimal && !resource->declared)) {
        /* The driver does not take host memory for these. */
        shown = bits & ~types->import;
    }
    return shown != 0 ? shown : bits;
}

/* ---- holds ---- */

static void unref(struct vt_venus_allocation *memory)
{
    if (atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) == 1) {
        free(memory);
    }
}

static void free_memory_state(void *state)
{
    unref(state);
}

static bool hold(struct vt_venus_allocation *memory)
{
    uint32_t holds = atomic_load_explicit(&memory->holds, memory_order_relaxed);
    do {
        if (holds == 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&memory->holds, &holds, holds + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    atomic_fetch_add_explicit(&memory->refs, 1, memory_order_relaxed);
    return true;
}

/* Nothing of the guest uses it any more. */
static void release(struct vt_venus_allocation *memory)
{
    vt_venus_memory_give(memory->context, memory->counted);
    if (memory->piece_used) {
        vt_venus_heap_give(vt_venus_context_heap(memory->context), &memory->piece, !memory->seen);
    } else if (memory->handle != VK_NULL_HANDLE) {
        memory->free(memory->device, memory->handle, NULL);
    }
    if (memory->shared != NULL) {
        vt_venus_shared_put(memory->shared);
    }
}

static void drop_hold(struct vt_venus_allocation *memory)
{
    if (atomic_fetch_sub_explicit(&memory->holds, 1, memory_order_acq_rel) == 1) {
        release(memory);
    }
}

static void put(struct vt_venus_allocation *memory)
{
    if (memory != NULL) {
        drop_hold(memory);
        unref(memory);
    }
}

void vt_venus_end_VkDeviceMemory(struct vt_venus_object *object)
{
    drop_hold(object->state);
}

void vt_venus_resource_end(struct vt_venus_object *object)
{
    struct vt_venus_resource *resource = object->state;
    for (size_t i = 0; i < sizeof resource->bound / sizeof *resource->bound; i++) {
        put(atomic_exchange(&resource->bound[i], NULL));
    }
}

bool vt_venus_resource_bind(struct vt_venus_run *run, const struct vt_venus_object *resource,
                            size_t slot, const VkMemoryRequirements *requirements,
                            VkDeviceMemory *memory, uint64_t offset, const char *member)
{
    const struct vt_venus_object *object = vt_venus_object_of(
        run, resource->owner, (uint64_t)*memory, VK_OBJECT_TYPE_DEVICE_MEMORY, member);
    if (object == NULL) {
        return false;
    }
    struct vt_venus_allocation *allocation = object->state;
    if (allocation->result != VK_SUCCESS) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "memory whose allocation failed", object->id, 0);
        return false;
    }
    if (offset > allocation->size || requirements->size > allocation->size - offset ||
        (requirements->alignment != 0 && offset % requirements->alignment != 0)) {
        vt_venus_fail(
            &run->in, VT_VENUS_VALUE, "memoryOffset", offset,
            requirements->size > allocation->size ? 0 : allocation->size - requirements->size);
        return false;
    }
    if ((requirements->memoryTypeBits >> allocation->type & 1) == 0) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "memory of a type that cannot be bound",
                      allocation->type, requirements->memoryTypeBits);
        return false;
    }
    if (!hold(allocation)) { /* another ring is just freeing it */
        vt_venus_fail(&run->in, VT_VENUS_NO_OBJECT, member, object->id, 0);
        return false;
    }
    struct vt_venus_resource *state = resource->state;
    struct vt_venus_allocation *none = NULL;
    if (!atomic_compare_exchange_strong(&state->bound[slot], &none, allocation)) {
        put(allocation);
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "what is bound already", resource->id, 0);
        return false;
    }
    *memory = allocation->handle;
    return true;
}

/* ---- allocating ---- */

/* What an import may have behind it, in a chain of our own; dedicated memory of a host's driver is
 * no longer that when the bytes are ours. */
struct import_chain {
    VkMemoryAllocateInfo info;
    VkImportMemoryHostPointerInfoEXT pointer;
    VkMemoryAllocateFlagsInfo flags;
};

static VkResult import_bytes(const struct vt_venus_object *self,
                             const struct vt_venus_allocation *memory,
                             const VkMemoryAllocateFlagsInfo *flags, void *at, uint64_t bytes,
                             VkDeviceMemory *handle)
{
    struct import_chain chain = {
        .info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                 .pNext = &chain.pointer,
                 .allocationSize = bytes,
                 .memoryTypeIndex = memory->type},
        .pointer = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
                    .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
                    .pHostPointer = at},
    };
    if (flags != NULL) {
        chain.flags = *flags;
        chain.flags.pNext = NULL;
        chain.pointer.pNext = &chain.flags;
    }
    return self->device->AllocateMemory(memory->device, &chain.info, NULL, handle);
}

/* A CPU's driver uses pages like any program; others pin them, and are slow where there are none
 * yet. */
static bool wants_pages(const struct vt_venus_device *device)
{
    VkPhysicalDeviceProperties properties;
    device->gpu->call->GetPhysicalDeviceProperties(device->gpu->handle, &properties);
    return properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU;
}

static VkResult allocate_piece(struct vt_venus_device *device, const struct vt_venus_object *self,
                               const VkMemoryAllocateInfo *info,
                               const VkMemoryAllocateFlagsInfo *flags,
                               struct vt_venus_allocation *memory)
{
    struct vt_venus_heap *heap = vt_venus_context_heap(memory->context);
    struct vt_venus_import like = {.device = memory->device,
                                   .type = memory->type,
                                   .free = memory->free,
                                   .flags = flags != NULL ? flags->flags : 0};
    uint64_t unit = device->gpu->import_alignment;
    if (info->allocationSize > UINT64_MAX - unit) {
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    uint64_t bytes = (info->allocationSize + unit - 1) / unit * unit;
    struct vt_error err;
    if (vt_venus_heap_take(heap, bytes, &like, &memory->piece, &err) != 0) {
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    struct vt_venus_piece *piece = &memory->piece;
    VkResult result = VK_SUCCESS;
    if (piece->import.device == NULL) {
        if (!piece->touched && wants_pages(device) && vt_venus_heap_touch(heap, piece, &err) != 0) {
            result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
        } else {
            result = import_bytes(self, memory, flags, piece->at, piece->size, &like.memory);
        }
        if (result != VK_SUCCESS) {
            vt_venus_heap_give(heap, piece, true);
            return result;
        }
        piece->import = like;
    }
    memory->piece_used = true;
    memory->handle = piece->import.memory;
    memory->size = piece->size;
    return VK_SUCCESS;
}

static VkResult allocate_shared(struct vt_venus_device *device, const struct vt_venus_object *self,
                                const VkMemoryAllocateInfo *info,
                                const VkMemoryAllocateFlagsInfo *flags, uint32_t resource,
                                struct vt_venus_allocation *memory)
{
    struct vt_venus_shared *shared = vt_venus_shared_get(memory->context, resource);
    if (shared == NULL) {
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    }
    uint64_t unit = device->gpu->import_alignment;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t mapped = (shared->size + page - 1) & ~(page - 1);
    VkResult result = VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (info->allocationSize <= mapped && (uintptr_t)shared->at % unit == 0) {
        uint64_t bytes = (info->allocationSize + unit - 1) / unit * unit;
        if (bytes <= mapped) {
            memory->size = bytes;
            result = import_bytes(self, memory, flags, shared->at, bytes, &memory->handle);
        }
    }
    if (result != VK_SUCCESS) {
        vt_venus_shared_put(shared);
        return result;
    }
    memory->shared = shared;
    return VK_SUCCESS;
}

static VkResult allocate(struct vt_venus_device *device, const struct vt_venus_object *self,
                         VkMemoryAllocateInfo *info, struct vt_venus_allocation *memory)
{
    const VkImportMemoryResourceInfoMESA *resource =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA);
    const VkExportMemoryAllocateInfo *exported =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    const VkMemoryAllocateFlagsInfo *flags =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO);
    struct vt_venus_types types = vt_venus_types_of(device);
    bool import = (types.import >> info->memoryTypeIndex & 1) != 0;
    memory->seen = exported != NULL && exported->handleTypes != 0;
    if (info->allocationSize == 0) {
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    if (resource != NULL && resource->resourceId != 0) {
        return import ? allocate_shared(device, self, info, flags, resource->resourceId, memory)
                      : VK_ERROR_INVALID_EXTERNAL_HANDLE;
    }
    if (vt_venus_gpu_counts(device->gpu, info->memoryTypeIndex)) {
        if (!vt_venus_memory_take(memory->context, info->allocationSize)) {
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        }
        memory->counted = info->allocationSize;
    }
    if (import) {
        const VkMemoryOpaqueCaptureAddressAllocateInfo *address = vt_venus_chain_find(
            info->pNext, VK_STRUCTURE_TYPE_MEMORY_OPAQUE_CAPTURE_ADDRESS_ALLOCATE_INFO);
        if (address != NULL && address->opaqueCaptureAddress != 0) {
            return VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS; /* Vulkan has none for imports */
        }
        return allocate_piece(device, self, info, flags, memory);
    }
    vt_venus_chain_drop(&info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA);
    vt_venus_chain_drop(&info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    memory->size = info->allocationSize;
    VkResult result = self->device->AllocateMemory(memory->device, info, NULL, &memory->handle);
    return result == VK_SUCCESS && memory->handle == VK_NULL_HANDLE ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                                                                    : result;
}

void vt_venus_vkAllocateMemory(struct vt_venus_run *run, struct vn_vkAllocateMemory *args)
{
    struct vt_venus_device *device = args->self->state;
    struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
    VkMemoryAllocateInfo info = *args->pAllocateInfo;
    uint32_t count = vt_venus_gpu_memory(device->gpu, NULL)->memoryTypeCount;
    if (info.memoryTypeIndex >= count) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "VkMemoryAllocateInfo.memoryTypeIndex",
                      info.memoryTypeIndex, count);
        return;
    }
    uint64_t id = (uint64_t)*args->pMemory;
    struct vt_venus_object *before =
        vt_venus_objects_find(objects, id, VK_OBJECT_TYPE_DEVICE_MEMORY);
    if (before != NULL && ((struct vt_venus_allocation *)before->state)->result != VK_SUCCESS) {
        vt_venus_objects_end(objects, before);
    }
    struct vt_venus_allocation *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_MEMORY, "pMemory", sizeof *memory, 0);
        return;
    }
    atomic_init(&memory->holds, 1);
    atomic_init(&memory->refs, 1);
    memory->context = run->context;
    memory->device = args->device;
    memory->free = args->self->device->FreeMemory;
    memory->type = info.memoryTypeIndex;
    args->ret = memory->result = allocate(device, args->self, &info, memory);
    if (memory->result != VK_SUCCESS) {
        vt_venus_memory_give(run->context, memory->counted);
        memory->counted = 0;
        memory->handle = VK_NULL_HANDLE;
    }
    vt_venus_add_with(run, id, VK_OBJECT_TYPE_DEVICE_MEMORY, (uint64_t)memory->handle, args->self,
                      memory, free_memory_state, "pMemory");
}

void vt_venus_vkFreeMemory(struct vt_venus_run *run, struct vn_vkFreeMemory *args)
{
    struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
    if (args->memory != VK_NULL_HANDLE) {
        struct vt_venus_object *object = vt_venus_object_of(run, args->self, (uint64_t)args->memory,
                                                            VK_OBJECT_TYPE_DEVICE_MEMORY, "memory");
        if (object != NULL) {
            vt_venus_objects_end(objects, object);
        }
    }
}

/* Nothing is mapped through the driver, and everything that a guest maps is coherent. */
void vt_venus_vkFlushMappedMemoryRanges(struct vt_venus_run *run,
                                        struct vn_vkFlushMappedMemoryRanges *args)
{
    (void)run;
    args->ret = VK_SUCCESS;
}

void vt_venus_vkInvalidateMappedMemoryRanges(struct vt_venus_run *run,
                                             struct vn_vkInvalidateMappedMemoryRanges *args)
{
    (void)run;
    args->ret = VK_SUCCESS;
}

void vt_venus_vkUnmapMemory(struct vt_venus_run *run, struct vn_vkUnmapMemory *args)
{
    (void)run;
    (void)args;
}

void vt_venus_vkGetMemoryResourcePropertiesMESA(struct vt_venus_run *run,
                                                struct vn_vkGetMemoryResourcePropertiesMESA *args)
{
    struct vt_venus_device *device = args->self->state;
    struct vt_venus_types types = vt_venus_types_of(device);
    struct vt_venus_shared *shared = vt_venus_shared_get(run->context, args->resourceId);
    if (shared == NULL) {
        args->ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
        return;
    }
    VkMemoryHostPointerPropertiesEXT pointer = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    args->ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (types.import != 0) {
        args->ret = args->self->device->GetMemoryHostPointerPropertiesEXT(
            args->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, shared->at,
            &pointer);
    }
    if (args->ret == VK_SUCCESS) {
        args->pMemoryResourceProperties->memoryTypeBits = pointer.memoryTypeBits & types.import;
        VkMemoryResourceAllocationSizePropertiesMESA *size =
            vt_venus_chain_find(args->pMemoryResourceProperties->pNext,
                                VK_STRUCTURE_TYPE_MEMORY_RESOURCE_ALLOCATION_SIZE_PROPERTIES_MESA);
        if (size != NULL) {
            size->allocationSize = shared->size;
        }
    }
    vt_venus_shared_put(shared);
}

/* ---- exporting ---- */

static int export_memory(struct vt_venus_context *context, const struct vt_venus_object *object,
                         uint32_t id, uint64_t size, int *fd, struct vt_error *err)
{
    struct vt_venus_allocation *memory = object != NULL ? object->state : NULL;
    if (memory == NULL || memory->result != VK_SUCCESS || !hold(memory)) {
        return vt_fail(err, VT_E_NOT_FOUND, "no memory was allocated for this blob");
    }
    int file = memory->piece_used       ? memory->piece.fd
               : memory->shared != NULL ? memory->shared->fd
                                        : -1;
    int rc = 0;
    if (file < 0 || (memory->shared != NULL && memory->shared->offset != 0)) {
        rc = vt_fail(err, VT_E_UNSUPPORTED,
                     "memory of type %u is the device's own and cannot be mapped", memory->type);
    } else if (size == 0 || size > memory->size) {
        rc = vt_fail(err, VT_E_INVAL, "a blob of %llu bytes of a memory of %llu",
                     (unsigned long long)size, (unsigned long long)memory->size);
    } else {
        int copy = fcntl(file, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            rc = vt_fail(err, VT_E_LIMIT, "no file descriptors left");
        } else {
            const struct vt_venus_memory blob = {
                .id = id, .fd = copy, .size = size, .trusted = true};
            rc = vt_venus_shared_add(context, &blob, true, err);
            if (rc != 0) {
                close(copy);
            } else {
                *fd = copy;
            }
        }
    }
    put(memory);
    return rc;
}

int vt_venus_context_export(struct vt_venus_context *context, uint32_t id, uint64_t blob_id,
                            uint64_t size, int *fd, struct vt_error *err)
{
    struct vt_venus_objects *objects = vt_venus_context_objects(context);
    struct vt_venus_visitor visitor = {0};
    vt_venus_visitor_add(objects, &visitor);
    vt_venus_visitor_resume(objects, &visitor);
    int rc = export_memory(context,
                           vt_venus_objects_find(objects, blob_id, VK_OBJECT_TYPE_DEVICE_MEMORY),
                           id, size, fd, err);
    vt_venus_visitor_remove(objects, &visitor);
    return rc;
}
