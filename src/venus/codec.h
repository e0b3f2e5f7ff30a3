/* venus/codec.h - the bytes of Venus streams: a bounds-checked reader with one sticky fault, memory
 * that lasts for one command, and a writer of replies.
 *
 * Everything read here was written by a guest. A reader stands on a private copy of the stream:
 * what was checked cannot change any more. After the first fault every read yields zeros and NULLs,
 * so decoders need not look at each step; whoever runs a command looks once, before it acts.
 *
 * The format is venus-protocol's wire format 1: little-endian, everything padded to 4 bytes,
 * pointers as a uint64_t count and that many elements, chains as elements behind one another with a
 * count before each. Decoders, encoders and describers of all commands are generated
 * (tools/venus-gen) on top of this.
 */
#ifndef VT_VENUS_CODEC_H
#define VT_VENUS_CODEC_H

#include "vitrine/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vt_venus_object;
struct vt_venus_objects;

/** What can be wrong with a command. */
enum vt_venus_fault_kind {
    VT_VENUS_FINE,
    VT_VENUS_TRUNCATED, /**< the stream ends inside of a value */
    VT_VENUS_COUNT,     /**< a count above what the stream holds or a fixed array has room for */
    VT_VENUS_NO_OBJECT, /**< no object has this id */
    VT_VENUS_TYPE,      /**< the object with this id is of another type */
    VT_VENUS_NULL,      /**< a handle or pointer that must not be null is */
    VT_VENUS_STRUCT,    /**< an sType that may not stand here */
    VT_VENUS_TAG,       /**< a union's member that does not exist */
    VT_VENUS_VALUE,     /**< a value outside of what the command allows */
    VT_VENUS_MEMORY,    /**< more memory than one command may have */
    VT_VENUS_UNKNOWN,   /**< no command has this number */
    VT_VENUS_REFUSED,   /**< a command, structure or flag that this host does not carry out */
    VT_VENUS_EXISTS,    /**< an id that is in use is given to a new object */
    VT_VENUS_FOREIGN,   /**< the object belongs to another device or instance than the first one */
};
/** "truncated stream", "no such object", …; never NULL. */
const char *vt_venus_fault_name(enum vt_venus_fault_kind kind);

/** The first thing that was wrong. Plain data; strings are static. */
struct vt_venus_fault {
    enum vt_venus_fault_kind kind;
    const char *command; /**< "vkCreateBuffer"; NULL: before a command was known */
    const char *member;  /**< "VkBufferCreateInfo.pQueueFamilyIndices" or an argument's name */
    uint64_t value;      /**< the id, count, sType, tag, number or value */
    uint64_t other;      /**< the type found or the largest count allowed */
    size_t offset;       /**< bytes from the stream's beginning */
};
/** One sentence that names command, member and value. Returns `text`. */
const char *vt_venus_fault_text(const struct vt_venus_fault *fault, char *text, size_t bytes);

/** Memory for the structures of one command: taken from the front, given back all at once. Freed
 * blocks are kept up to a bound, so that a command costs no allocation. One thread's. */
struct vt_venus_arena {
    uint8_t *at, *end; /**< free room in the current block; 16-byte aligned */
    struct vt_venus_block *blocks;
    size_t used, max; /**< bytes since the last reset, in all and at most */
};
void vt_venus_arena_init(struct vt_venus_arena *arena, size_t max_bytes);
void vt_venus_arena_fini(struct vt_venus_arena *arena);
/** What was taken is free again. */
void vt_venus_arena_reset(struct vt_venus_arena *arena);
/** Not on the fast path: a further block. NULL: above max or out of memory. */
void *vt_venus_arena_more(struct vt_venus_arena *arena, size_t bytes);
/** Uninitialised, aligned to 16 bytes; NULL as above. */
static inline void *vt_venus_arena_take(struct vt_venus_arena *arena, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (rounded < bytes || rounded > (size_t)(arena->end - arena->at)) {
        return vt_venus_arena_more(arena, bytes);
    }
    void *taken = arena->at;
    arena->at += rounded;
    return taken;
}

/** A stream being read. `objects` NULL: handles stay the guest's ids (recordings, descriptions,
 * tests). */
struct vt_venus_in {
    const uint8_t *start, *at, *end; /**< borrowed; nobody else writes there */
    struct vt_venus_arena *arena;    /**< borrowed; reset by whoever runs commands, between them */
    struct vt_venus_objects *objects;
    const struct vt_venus_object *owner; /**< of the command's first argument; only compared */
    struct vt_venus_fault fault;         /**< sticky: the first one */
};

static inline bool vt_venus_bad(const struct vt_venus_in *in)
{
    return __builtin_expect(in->fault.kind != VT_VENUS_FINE, 0);
}
/** Keeps the first fault and moves the cursor to the end. */
__attribute__((cold)) void vt_venus_fail(struct vt_venus_in *in, enum vt_venus_fault_kind kind,
                                         const char *member, uint64_t value, uint64_t other);

/** `bytes` (a multiple of 4) from the cursor on, or NULL and a fault. */
static inline const uint8_t *vt_venus_take(struct vt_venus_in *in, size_t bytes)
{
    const uint8_t *at = in->at;
    if (__builtin_expect(bytes > (size_t)(in->end - at), 0)) {
        vt_venus_fail(in, VT_VENUS_TRUNCATED, NULL, bytes, (uint64_t)(in->end - at));
        return NULL;
    }
    in->at = at + bytes;
    return at;
}
static inline uint32_t vt_venus_u32(struct vt_venus_in *in)
{
    const uint8_t *at = vt_venus_take(in, 4);
    uint32_t value = 0;
    if (at != NULL) {
        memcpy(&value, at, 4);
    }
    return value;
}
static inline uint64_t vt_venus_u64(struct vt_venus_in *in)
{
    const uint8_t *at = vt_venus_take(in, 8);
    uint64_t value = 0;
    if (at != NULL) {
        memcpy(&value, at, 8);
    }
    return value;
}
/** Memory of the command; NULL and VT_VENUS_MEMORY when there is no more. Uninitialised. */
static inline void *vt_venus_alloc(struct vt_venus_in *in, size_t bytes)
{
    void *taken = vt_venus_arena_take(in->arena, bytes);
    if (__builtin_expect(taken == NULL, 0)) {
        vt_venus_fail(in, VT_VENUS_MEMORY, NULL, bytes, in->arena->max);
    }
    return taken;
}
/** As many elements of `size` bytes in memory, each of which takes at least `wire` bytes in the
 * stream (0: none): the count is checked against what is left before anything is allocated. */
void *vt_venus_alloc_array(struct vt_venus_in *in, uint64_t count, size_t size, size_t wire,
                           const char *member);

/** Bytes being written; grows on demand up to `max`, or stands on memory that the guest reads
 * (`fixed`). What does not fit is counted and not written: `overflow` says so. One thread's. */
struct vt_venus_out {
    uint8_t *start, *at, *end;
    size_t max;
    bool fixed, overflow;
};
void vt_venus_out_init(struct vt_venus_out *out, size_t max_bytes);
void vt_venus_out_fixed(struct vt_venus_out *out, void *memory, size_t bytes);
void vt_venus_out_fini(struct vt_venus_out *out);
/** Not on the fast path: room for `bytes` more, or false and `overflow`. */
bool vt_venus_out_more(struct vt_venus_out *out, size_t bytes);
/** Room for `bytes` (a multiple of 4), or NULL. */
static inline uint8_t *vt_venus_room(struct vt_venus_out *out, size_t bytes)
{
    if (__builtin_expect(bytes > (size_t)(out->end - out->at), 0) &&
        !vt_venus_out_more(out, bytes)) {
        return NULL;
    }
    uint8_t *at = out->at;
    out->at = at + bytes;
    return at;
}
static inline void vt_venus_put_u32(struct vt_venus_out *out, uint32_t value)
{
    uint8_t *at = vt_venus_room(out, 4);
    if (at != NULL) {
        memcpy(at, &value, 4);
    }
}
static inline void vt_venus_put_u64(struct vt_venus_out *out, uint64_t value)
{
    uint8_t *at = vt_venus_room(out, 8);
    if (at != NULL) {
        memcpy(at, &value, 8);
    }
}

/** Where a describer puts what it finds: structures and arrays nest, everything else is a member.
 * `name` is the member's or argument's name ("[3]" for elements), `type` its C type. Returns false
 * to stop. */
struct vt_venus_sink {
    bool (*open)(struct vt_venus_sink *sink, const char *name, const char *type, bool array);
    bool (*shut)(struct vt_venus_sink *sink);
    bool (*number)(struct vt_venus_sink *sink, const char *name, const char *type, uint64_t value,
                   bool is_signed);
    bool (*real)(struct vt_venus_sink *sink, const char *name, const char *type, double value);
    /** An enumerant's name; a set of bits as "A|B|0x10"; VkResult too. */
    bool (*word)(struct vt_venus_sink *sink, const char *name, const char *type, const char *text,
                 uint64_t value);
    bool (*text)(struct vt_venus_sink *sink, const char *name, const char *text, size_t bytes);
    bool (*blob)(struct vt_venus_sink *sink, const char *name, const void *bytes, size_t size);
    bool (*handle)(struct vt_venus_sink *sink, const char *name, const char *type, uint64_t id);
    bool (*null)(struct vt_venus_sink *sink, const char *name, const char *type);
};

#endif
