/* trace/file_model.h - what a .vtrace file's writer and reader expect of the next event, so that
 * only what is different is written. Both do the same with each event; what they know begins anew
 * with each chunk. docs/trace.md has it in words.
 *
 * A *slot* is what is known of a block on one vCPU: the block that came after it, and how many
 * accesses it made. Its *places*, one an access, hold what the access was and where.
 */
#ifndef VT_TRACE_FILE_MODEL_H
#define VT_TRACE_FILE_MODEL_H

#include "trace/file.h"

#define VT_TRACE_MODEL_SLOTS 65536u
#define VT_TRACE_MODEL_PLACES 65536u
/** More accesses than that have no places. */
#define VT_TRACE_MODEL_ACCESSES 64u
#define VT_TRACE_MODEL_NONE 0xffffffu /**< no block's id */

enum vt_trace_model_rule { /* what an address is expected to differ by from the one before */
                           VT_TRACE_RULE_NOTHING,
                           VT_TRACE_RULE_STRIDE, /**< as the last time */
                           VT_TRACE_RULE_SHIFT   /**< as the access before this one did */
};

struct vt_trace_model_place {
    uint64_t address;
    int32_t stride; /* 0 for those that are greater */
    uint16_t shape;
    uint8_t rule;
};

struct vt_trace_model_slot {
    uint64_t key; /* stamp, vCPU, block; another key's slot is nobody's */
    uint32_t next : 24, n : 8;
    uint32_t base : 20, room : 12; /* places */
};

struct vt_trace_model_vcpu {
    uint64_t sequence, time_ns, root;
    uint64_t address, shift; /* of its last access, and by what that differed from its place */
    struct vt_trace_model_slot *last;
    uint64_t last_key; /* the slot may have become another block's */
};

struct vt_trace_model {
    uint32_t stamp, used;
    struct vt_trace_model_vcpu vcpus[VT_TRACE_FILE_VCPUS_MAX];
    struct vt_trace_model_slot slots[VT_TRACE_MODEL_SLOTS];
    struct vt_trace_model_place places[VT_TRACE_MODEL_PLACES];
    uint64_t values[VT_TRACE_MODEL_PLACES];
};

static inline void vt_trace_model_begin(struct vt_trace_model *m)
{
    m->stamp++; /* 0 is that of slots never used */
    m->used = 0;
    for (uint32_t i = 0; i < VT_TRACE_FILE_VCPUS_MAX; i++) {
        m->vcpus[i] = (struct vt_trace_model_vcpu){.root = ~(uint64_t)0};
    }
}

static inline struct vt_trace_model_slot *vt_trace_model_at(struct vt_trace_model *m, uint32_t vcpu,
                                                            uint32_t id)
{
    return &m->slots[(id + vcpu * 20011u) % VT_TRACE_MODEL_SLOTS];
}

static inline uint64_t vt_trace_model_key(const struct vt_trace_model *m, uint32_t vcpu,
                                          uint32_t id)
{
    return (uint64_t)m->stamp << 32 | vcpu << 24 | id;
}

/** NULL: nothing is known of it. */
static inline struct vt_trace_model_slot *vt_trace_model_find(struct vt_trace_model *m,
                                                              uint32_t vcpu, uint32_t id)
{
    struct vt_trace_model_slot *s = vt_trace_model_at(m, vcpu, id);
    return s->key == vt_trace_model_key(m, vcpu, id) ? s : NULL;
}

/** Its slot; a new one, if need be. */
static inline struct vt_trace_model_slot *vt_trace_model_slot(struct vt_trace_model *m,
                                                              uint32_t vcpu, uint32_t id)
{
    struct vt_trace_model_slot *s = vt_trace_model_at(m, vcpu, id);
    uint64_t key = vt_trace_model_key(m, vcpu, id);
    if (s->key != key) {
        *s = (struct vt_trace_model_slot){.key = key, .next = VT_TRACE_MODEL_NONE};
    }
    return s;
}

/** The block expected on this vCPU, or VT_TRACE_MODEL_NONE. */
static inline uint32_t vt_trace_model_next(const struct vt_trace_model_vcpu *v)
{
    return v->last != NULL && v->last->key == v->last_key ? v->last->next : VT_TRACE_MODEL_NONE;
}

static inline void vt_trace_model_follow(struct vt_trace_model_vcpu *v,
                                         struct vt_trace_model_slot *slot, uint32_t id)
{
    if (v->last != NULL && v->last->key == v->last_key) {
        v->last->next = id & VT_TRACE_MODEL_NONE;
    }
    v->last = slot;
    v->last_key = slot->key;
}

/** Makes sure of places for `n` accesses; false when they have none. New ones expect the address
 * that this vCPU used last. */
static inline bool vt_trace_model_make_room(struct vt_trace_model *m,
                                            const struct vt_trace_model_vcpu *v,
                                            struct vt_trace_model_slot *slot, uint32_t n)
{
    if (n > VT_TRACE_MODEL_ACCESSES) {
        return false;
    }
    if (n > slot->room) {
        if (n > VT_TRACE_MODEL_PLACES - m->used) {
            return false;
        }
        slot->base = m->used & 0xfffffu;
        slot->room = n & 0xfffu;
        m->used += n;
        for (uint32_t i = 0; i < n; i++) {
            m->places[slot->base + i] = (struct vt_trace_model_place){.address = v->address};
            m->values[slot->base + i] = 0;
        }
    }
    return true;
}

/** What the address is expected to differ by; `shift` is what the access before it did. */
static inline uint64_t vt_trace_model_step(const struct vt_trace_model_place *p, uint64_t shift)
{
    return p->rule == VT_TRACE_RULE_STRIDE  ? (uint64_t)(int64_t)p->stride
           : p->rule == VT_TRACE_RULE_SHIFT ? shift
                                            : 0;
}

/** It differed by `step`. */
static inline void vt_trace_model_learn(struct vt_trace_model_place *p, uint64_t step,
                                        uint64_t shift, bool expected)
{
    if (!expected) {
        p->rule = step == (uint64_t)(int64_t)p->stride ? VT_TRACE_RULE_STRIDE
                  : step == shift                      ? VT_TRACE_RULE_SHIFT
                                                       : VT_TRACE_RULE_NOTHING;
    }
    p->address += step;
    p->stride = step + 0x80000000u < (uint64_t)1 << 32 ? (int32_t)(uint32_t)step : 0;
}

/** Without places: where access `k` >= 4 is expected, of the shape of k - 2. */
static inline uint64_t vt_trace_model_row(const struct vt_trace_access *a, uint32_t k)
{
    return 2 * a[k - 2].address - a[k - 4].address;
}

static inline uint16_t vt_trace_model_shape(const struct vt_trace_access *a)
{
    return (uint16_t)((a->instruction & 1023u) | (uint32_t)__builtin_ctz(a->bytes) << 10 |
                      (a->store ? VT_TRACE_SHAPE_STORE : 0) |
                      (a->has_value ? VT_TRACE_SHAPE_VALUE : 0) |
                      (a->device ? VT_TRACE_SHAPE_DEVICE : 0));
}

static inline uint64_t vt_trace_file_zigzag(uint64_t difference)
{
    return (difference << 1) ^ (0 - (difference >> 63));
}
static inline uint64_t vt_trace_file_unzigzag(uint64_t v)
{
    return (v >> 1) ^ (0 - (v & 1));
}

#endif
