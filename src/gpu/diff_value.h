/* gpu/diff_value.h - a message as a list of values that can be held against another's: what differs
 * from run to run is already left out (diff.h). Private to the comparison. */
#ifndef VT_GPU_DIFF_VALUE_H
#define VT_GPU_DIFF_VALUE_H

#include "gpu/diff.h"

/** Values of one message; what comes behind them is one value, a hash. */
#define VT_VGPU_VALUES_MAX 512
/** Bytes of a value as text. */
#define VT_VGPU_VALUE_TEXT 96

enum vt_vgpu_value_what {
    VT_VGPU_VALUE_NUMBER,
    VT_VGPU_VALUE_ID,    /**< of a resource or context; `number` is it */
    VT_VGPU_VALUE_BYTES, /**< `number` is a hash of them */
};

struct vt_vgpu_value {
    const struct vt_vgpu_field *field;
    enum vt_vgpu_value_what what;
    bool context;    /**< _ID: of a context, not of a resource */
    int64_t element; /**< of the tail, or -1 */
    uint64_t number;
    const uint8_t *at;
    size_t n;
};

struct vt_vgpu_values {
    unsigned n;
    struct vt_vgpu_value v[VT_VGPU_VALUES_MAX];
    /* while they are collected */
    const struct vt_vgpu_message *message;
    const char *const *ignore;
    bool scattered, response;
    uint64_t bytes, rest;
};

/** A hash of `n` bytes that continues `seed`; begin with VT_VGPU_HASH_SEED. */
#define VT_VGPU_HASH_SEED UINT64_C(0xcbf29ce484222325)
uint64_t vt_vgpu_hash(uint64_t seed, const void *bytes, size_t n);

/** `ignore` as in vt_vgpu_diff_create. `values` points into `bytes`. */
void vt_vgpu_values_of_request(struct vt_vgpu_values *values, const uint8_t *bytes, size_t n,
                               const char *const *ignore);
void vt_vgpu_values_of_response(struct vt_vgpu_values *values, const uint8_t *request,
                                size_t request_bytes, const uint8_t *bytes, size_t n,
                                const char *const *ignore);
/** Is `name` in the list? */
bool vt_vgpu_is_ignored(const char *const *ignore, const char *name);
/** A value as text that is safe to print, always terminated. */
void vt_vgpu_value_text(const struct vt_vgpu_value *value, char to[VT_VGPU_VALUE_TEXT]);

#endif
