/* venus/wire.h - what generated decoders and encoders are made of, beyond codec.h: arrays, strings,
 * chains.
 *
 * Readers yield NULL and 0 after a fault. What they return lives in the command's arena or stands
 * in the stream itself. `null` says whether there may be nothing; `member` names it in a fault. */
#ifndef VT_VENUS_WIRE_H
#define VT_VENUS_WIRE_H

#include "venus/codec.h"
#include "venus/objects.h"
#include "venus/vulkan.h"

/** Structures in a chain. */
#define VT_VENUS_CHAIN_MAX 128u

struct vn_say;
/** A structure that stands in chains. What it reads and writes comes after sType and pNext; the
 * partial ones, for what a command returns, are NULL where nothing comes. */
struct vn_struct {
    VkStructureType type;
    uint32_t size;
    const char *name;
    void (*in)(struct vt_venus_in *in, void *to);
    void (*in_partial)(struct vt_venus_in *in, void *to);
    void (*put)(struct vt_venus_out *out, const void *from);
    void (*put_partial)(struct vt_venus_out *out, const void *from);
    void (*say)(struct vn_say *say, const void *from); /**< say.h */
};
/** What may stand in a structure's chain, by sType. `name` is "VkBufferCreateInfo.pNext". */
struct vn_chain {
    const char *name;
    const struct vn_struct *const *structs;
    size_t count;
};

/* ---- reading ---- */

/** The number before an array: false for none, true for `expected`, a fault for anything else. */
static inline bool vt_venus_in_count(struct vt_venus_in *in, uint64_t expected, bool null,
                                     const char *member)
{
    uint64_t count = vt_venus_u64(in);
    if (__builtin_expect(count == expected, 1)) {
        return count != 0;
    }
    if (count != 0) {
        vt_venus_fail(in, VT_VENUS_COUNT, member, count, expected);
    } else if (!null) {
        vt_venus_fail(in, VT_VENUS_NULL, member, 0, expected);
    }
    return false;
}
/** Whether something follows that a pointer leads to. */
static inline bool vt_venus_in_pointer(struct vt_venus_in *in, bool null, const char *member)
{
    uint64_t count = vt_venus_u64(in);
    if (__builtin_expect(count > 1, 0)) {
        vt_venus_fail(in, VT_VENUS_COUNT, member, count, 1);
        return false;
    }
    if (__builtin_expect(count == 0 && !null, 0)) {
        vt_venus_fail(in, VT_VENUS_NULL, member, 0, 0);
    }
    return count == 1;
}
/** A pointer that must lead nowhere. */
static inline void *vt_venus_in_none(struct vt_venus_in *in, const char *member)
{
    if (vt_venus_u64(in) != 0) {
        vt_venus_fail(in, VT_VENUS_REFUSED, member, 1, 0);
    }
    return NULL;
}
static inline float vt_venus_f32(struct vt_venus_in *in)
{
    uint32_t bits = vt_venus_u32(in);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
static inline double vt_venus_f64(struct vt_venus_in *in)
{
    uint64_t bits = vt_venus_u64(in);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
/** At most 256 bytes of values that are laid out in the stream as they are in memory; never NULL:
 * zeros after a fault. */
static inline const uint8_t *vt_venus_in_plain(struct vt_venus_in *in, size_t bytes)
{
    static const uint8_t zeros[256];
    const uint8_t *at = vt_venus_take(in, bytes);
    return at != NULL ? at : zeros;
}
/** What is laid out in the stream as it is in memory. */
static inline void vt_venus_in_copy(struct vt_venus_in *in, void *to, size_t bytes)
{
    const uint8_t *at = vt_venus_take(in, bytes);
    if (at != NULL) {
        memcpy(to, at, bytes);
    } else {
        memset(to, 0, bytes);
    }
}
/** `count` elements that are laid out as in memory, their number before them; where `align` allows
 * it they stay where they are. */
const void *vt_venus_in_flat(struct vt_venus_in *in, uint64_t count, size_t size, size_t align,
                             bool null, const char *member);
/** The elements alone, padded to 4 bytes. */
const uint8_t *vt_venus_in_elements(struct vt_venus_in *in, uint64_t count, size_t size,
                                    const char *member);
/** As vt_venus_in_flat, into an array within a structure. */
void vt_venus_in_fixed(struct vt_venus_in *in, void *to, uint64_t count, size_t size,
                       const char *member);
/** Zeroed memory for what a command returns; in the stream there is only the number. */
void *vt_venus_in_space(struct vt_venus_in *in, uint64_t count, size_t size, bool null,
                        const char *member);
const char *vt_venus_in_string(struct vt_venus_in *in, bool null, const char *member);
/** Arrays of handles: the host's (`element_null` allows id 0 among them), and of ids as they are,
 * which may be written to. */
const void *vt_venus_in_handles(struct vt_venus_in *in, uint64_t count, VkObjectType type,
                                bool null, bool element_null, const char *member);
void *vt_venus_in_ids(struct vt_venus_in *in, uint64_t count, bool null, const char *member);
/** The first argument: its object and the host's handle, or, without objects, NULL and the id. */
static inline uint64_t vt_venus_in_self(struct vt_venus_in *in, VkObjectType type,
                                        struct vt_venus_object **self, const char *member)
{
    if (in->objects == NULL) {
        *self = NULL;
        return vt_venus_u64(in);
    }
    *self = vt_venus_in_object(in, type, member);
    in->owner = *self != NULL ? (*self)->owner : NULL;
    return *self != NULL ? (*self)->handle : 0;
}
void *vt_venus_in_links(struct vt_venus_in *in, const struct vn_chain *chain, bool partial);
/** What pNext leads to. */
static inline void *vt_venus_in_chain(struct vt_venus_in *in, const struct vn_chain *chain,
                                      bool partial)
{
    return vt_venus_in_pointer(in, true, chain->name) ? vt_venus_in_links(in, chain, partial)
                                                      : NULL;
}
/** sType, which has to be this one. */
static inline VkStructureType vt_venus_in_type(struct vt_venus_in *in, VkStructureType type,
                                               const char *name)
{
    uint32_t found = vt_venus_u32(in);
    if (__builtin_expect(found != (uint32_t)type, 0)) {
        vt_venus_fail(in, VT_VENUS_STRUCT, name, found, (uint64_t)type);
    }
    return type;
}

/** Whether the descriptors are there that the type asks for; drivers do not look. */
void vt_venus_check_write(struct vt_venus_in *in, const VkWriteDescriptorSet *write);

/* ---- writing ---- */

/** Bytes, and zeros up to a multiple of 4. */
void vt_venus_put_bytes(struct vt_venus_out *out, const void *from, size_t bytes);
static inline void vt_venus_put_f32(struct vt_venus_out *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    vt_venus_put_u32(out, bits);
}
static inline void vt_venus_put_f64(struct vt_venus_out *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    vt_venus_put_u64(out, bits);
}
/** A pointer's number, and whether its element follows. */
static inline bool vt_venus_put_pointer(struct vt_venus_out *out, const void *pointer)
{
    vt_venus_put_u64(out, pointer != NULL);
    return pointer != NULL;
}
/** An array's number (0 without one), and whether its elements follow. */
static inline bool vt_venus_put_count(struct vt_venus_out *out, const void *array, uint64_t count)
{
    vt_venus_put_u64(out, array != NULL ? count : 0);
    return array != NULL;
}
/** Number and elements of an array laid out as in memory. */
void vt_venus_put_flat(struct vt_venus_out *out, const void *array, uint64_t count, size_t size);
void vt_venus_put_string(struct vt_venus_out *out, const char *text);
/** pNext: what the chain allows of it. */
void vt_venus_put_chain(struct vt_venus_out *out, const struct vn_chain *chain, const void *next,
                        bool partial);

#endif
