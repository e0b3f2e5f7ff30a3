/* venus/wire.c - arrays, strings and chains of streams.
 */
#include "venus/wire.h"

/* ---- reading ---- */

const uint8_t *vt_venus_in_elements(struct vt_venus_in *in, uint64_t count, size_t size,
                                    const char *member)
{
    size_t left = (size_t)(in->end - in->at);
    if (count > left / size) {
        vt_venus_fail(in, VT_VENUS_COUNT, member, count, left / size);
        return NULL;
    }
    return vt_venus_take(in, (count * size + 3) & ~(size_t)3);
}

const void *vt_venus_in_flat(struct vt_venus_in *in, uint64_t count, size_t size, size_t align,
                             bool null, const char *member)
{
    if (!vt_venus_in_count(in, count, null, member)) {
        return NULL;
    }
    const uint8_t *at = vt_venus_in_elements(in, count, size, member);
    if (at == NULL || ((uintptr_t)at & (align - 1)) == 0) {
        return at;
    }
    void *copy = vt_venus_alloc(in, count * size);
    if (copy != NULL) {
        memcpy(copy, at, count * size);
    }
    return copy;
}

void vt_venus_in_fixed(struct vt_venus_in *in, void *to, uint64_t count, size_t size,
                       const char *member)
{
    const uint8_t *at = vt_venus_in_count(in, count, false, member)
                            ? vt_venus_in_elements(in, count, size, member)
                            : NULL;
    if (at != NULL) {
        memcpy(to, at, count * size);
    } else {
        memset(to, 0, count * size);
    }
}

void *vt_venus_in_space(struct vt_venus_in *in, uint64_t count, size_t size, bool null,
                        const char *member)
{
    if (!vt_venus_in_count(in, count, null, member)) {
        return NULL;
    }
    void *space = vt_venus_alloc_array(in, count, size, 0, member);
    if (space != NULL) {
        memset(space, 0, count * size);
    }
    return space;
}

const char *vt_venus_in_string(struct vt_venus_in *in, bool null, const char *member)
{
    uint64_t bytes = vt_venus_u64(in);
    if (bytes == 0) {
        if (!null) {
            vt_venus_fail(in, VT_VENUS_NULL, member, 0, 0);
        }
        return NULL;
    }
    const uint8_t *at = vt_venus_in_elements(in, bytes, 1, member);
    if (at != NULL && at[bytes - 1] != 0) {
        vt_venus_fail(in, VT_VENUS_VALUE, member, at[bytes - 1], 0);
        return NULL;
    }
    return (const char *)at;
}

const void *vt_venus_in_handles(struct vt_venus_in *in, uint64_t count, VkObjectType type,
                                bool null, bool element_null, const char *member)
{
    if (!vt_venus_in_count(in, count, null, member)) {
        return NULL;
    }
    uint64_t *handles = vt_venus_alloc_array(in, count, sizeof(*handles), 8, member);
    for (uint64_t i = 0; handles != NULL && i < count; i++) {
        handles[i] = vt_venus_in_handle(in, type, element_null, member);
    }
    return handles;
}

void *vt_venus_in_ids(struct vt_venus_in *in, uint64_t count, bool null, const char *member)
{
    if (!vt_venus_in_count(in, count, null, member)) {
        return NULL;
    }
    uint64_t *ids = vt_venus_alloc_array(in, count, sizeof(*ids), 8, member);
    if (ids != NULL) {
        vt_venus_in_copy(in, ids, count * sizeof(*ids));
    }
    return ids;
}

static const struct vn_struct *find_struct(const struct vn_chain *chain, uint32_t type)
{
    size_t low = 0;
    size_t high = chain->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t there = (uint32_t)chain->structs[middle]->type;
        if (there == type) {
            return chain->structs[middle];
        }
        if (there < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* On the wire the types come first, each followed by whether there is another, and then what the
 * structures hold, the last one's first. */
void *vt_venus_in_links(struct vt_venus_in *in, const struct vn_chain *chain, bool partial)
{
    const struct vn_struct *kinds[VT_VENUS_CHAIN_MAX];
    VkBaseOutStructure *links[VT_VENUS_CHAIN_MAX];
    size_t count = 0;
    do {
        uint32_t type = vt_venus_u32(in);
        const struct vn_struct *kind = find_struct(chain, type);
        if (kind == NULL || count == VT_VENUS_CHAIN_MAX) {
            vt_venus_fail(in, kind == NULL ? VT_VENUS_STRUCT : VT_VENUS_COUNT, chain->name,
                          kind == NULL ? type : count, 0);
            return NULL;
        }
        VkBaseOutStructure *link = vt_venus_alloc(in, kind->size);
        if (link == NULL) {
            return NULL;
        }
        memset(link, 0, kind->size);
        link->sType = kind->type;
        if (count > 0) {
            links[count - 1]->pNext = link;
        }
        kinds[count] = kind;
        links[count++] = link;
    } while (vt_venus_in_pointer(in, true, chain->name));
    for (size_t i = count; i-- > 0;) {
        void (*read)(struct vt_venus_in *, void *) = partial ? kinds[i]->in_partial : kinds[i]->in;
        if (read != NULL) {
            read(in, links[i]);
        }
    }
    return links[0];
}

/* What the chain of a write holds in place of arrays, NULL unless it is as much as the write says.
 */
static const void *chained(const VkWriteDescriptorSet *write)
{
    for (const VkBaseInStructure *link = write->pNext; link != NULL; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK &&
            write->descriptorType == VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK) {
            const VkWriteDescriptorSetInlineUniformBlock *block = (const void *)link;
            return block->dataSize == write->descriptorCount ? block->pData : NULL;
        }
        if (link->sType == VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_KHR &&
            write->descriptorType == VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR) {
            const VkWriteDescriptorSetAccelerationStructureKHR *array = (const void *)link;
            return array->accelerationStructureCount == write->descriptorCount
                       ? array->pAccelerationStructures
                       : NULL;
        }
    }
    return NULL;
}

void vt_venus_check_write(struct vt_venus_in *in, const VkWriteDescriptorSet *write)
{
    const void *needed;
    const char *member;
    switch (write->descriptorType) {
    case VK_DESCRIPTOR_TYPE_SAMPLER:
    case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
    case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
    case VK_DESCRIPTOR_TYPE_STORAGE_IMAGE:
    case VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT:
        needed = write->pImageInfo;
        member = "VkWriteDescriptorSet.pImageInfo";
        break;
    case VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER:
        needed = write->pTexelBufferView;
        member = "VkWriteDescriptorSet.pTexelBufferView";
        break;
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER:
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC:
        needed = write->pBufferInfo;
        member = "VkWriteDescriptorSet.pBufferInfo";
        break;
    default:
        needed = chained(write);
        member = "VkWriteDescriptorSet.pNext";
        break;
    }
    if (needed == NULL && write->descriptorCount > 0) {
        vt_venus_fail(in, VT_VENUS_NULL, member, 0, write->descriptorCount);
    }
}

/* ---- writing ---- */

void vt_venus_put_bytes(struct vt_venus_out *out, const void *from, size_t bytes)
{
    size_t padded = (bytes + 3) & ~(size_t)3;
    uint8_t *at = padded >= bytes ? vt_venus_room(out, padded) : NULL;
    if (at != NULL && bytes > 0) {
        memset(at + padded - 4, 0, 4);
        memcpy(at, from, bytes);
    }
}

void vt_venus_put_flat(struct vt_venus_out *out, const void *array, uint64_t count, size_t size)
{
    if (vt_venus_put_count(out, array, count)) {
        vt_venus_put_bytes(out, array, count * size);
    }
}

void vt_venus_put_string(struct vt_venus_out *out, const char *text)
{
    if (text == NULL) {
        vt_venus_put_u64(out, 0);
        return;
    }
    size_t bytes = strlen(text) + 1;
    vt_venus_put_u64(out, bytes);
    vt_venus_put_bytes(out, text, bytes);
}

void vt_venus_put_chain(struct vt_venus_out *out, const struct vn_chain *chain, const void *next,
                        bool partial)
{
    const struct vn_struct *kinds[VT_VENUS_CHAIN_MAX];
    const VkBaseInStructure *links[VT_VENUS_CHAIN_MAX];
    size_t count = 0;
    for (const VkBaseInStructure *link = next; link != NULL; link = link->pNext) {
        const struct vn_struct *kind = find_struct(chain, (uint32_t)link->sType);
        if (kind != NULL && count < VT_VENUS_CHAIN_MAX) {
            vt_venus_put_u64(out, 1);
            vt_venus_put_u32(out, (uint32_t)link->sType);
            kinds[count] = kind;
            links[count++] = link;
        }
    }
    vt_venus_put_u64(out, 0);
    for (size_t i = count; i-- > 0;) {
        void (*write)(struct vt_venus_out *, const void *) =
            partial ? kinds[i]->put_partial : kinds[i]->put;
        if (write != NULL) {
            write(out, links[i]);
        }
    }
}
