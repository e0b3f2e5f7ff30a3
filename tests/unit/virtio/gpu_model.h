/* tests/unit/virtio/gpu_model.h - a virtio-gpu for tests, on the device model.
 *
 * Well-behaved by default: it keeps resources with pixels of their own, copies what is transferred
 * from the guest's memory, shows it on scanouts, and answers as QEMU does. A rule makes it answer
 * certain commands wrongly; what is wrong with the rings themselves is done through
 * vt_vgpu_model_device and tests/unit/virtio/device_model.h.
 */
#ifndef VT_TESTS_GPU_MODEL_H
#define VT_TESTS_GPU_MODEL_H

#include "tests/unit/virtio/device_model.h"
#include "vitrine/virtio_gpu.h"

#define VT_VGPU_MODEL_RESOURCES 32u
#define VT_VGPU_MODEL_COMMANDS 4096u
/** No side of a picture is longer. */
#define VT_VGPU_MODEL_SIDE 4096u

struct vt_vgpu_model;

struct vt_vgpu_model_config {
    uint64_t features;   /**< of rings and of GPUs */
    uint32_t scanouts;   /**< as it says; answers have the first 16 */
    uint16_t queue_max;  /**< 0: 64 */
    size_t ram_bytes;    /**< 0: 8 MiB */
    const uint8_t *edid; /**< of each scanout, at most 1024 bytes; NULL: errors */
    uint32_t edid_bytes;
};

struct vt_vgpu_model *vt_vgpu_model_create(const struct vt_vgpu_model_config *config);
void vt_vgpu_model_destroy(struct vt_vgpu_model *g);
struct vt_model *vt_vgpu_model_device(struct vt_vgpu_model *g);

/* ---- what it shows */

struct vt_vgpu_model_resource {
    uint32_t id, format, width, height;
    uint32_t *pixels; /**< the device's own */
    uint32_t n_entries, transfers, flushes;
};
struct vt_vgpu_model_scanout {
    uint32_t resource;
    struct vt_vgpu_rect rect;
    uint32_t cursor, cursor_x, cursor_y;
};
/** NULL: it has none of that id. */
const struct vt_vgpu_model_resource *vt_vgpu_model_resource(const struct vt_vgpu_model *g,
                                                            uint32_t id);
const struct vt_vgpu_model_scanout *vt_vgpu_model_scanout(const struct vt_vgpu_model *g,
                                                          uint32_t scanout);
/** The user changes a window: another size, and the event. */
void vt_vgpu_model_resize(struct vt_vgpu_model *g, uint32_t scanout, bool enabled, uint32_t width,
                          uint32_t height);

/* ---- what it was sent: types in order, of both queues */

uint32_t vt_vgpu_model_commands(const struct vt_vgpu_model *g);
uint32_t vt_vgpu_model_command(const struct vt_vgpu_model *g, uint32_t i);
/** The last request, its header first, with a tail that is cut at 256 bytes. */
const void *vt_vgpu_model_last(const struct vt_vgpu_model *g, uint32_t *bytes);

/* ---- what it does wrong */

enum vt_vgpu_model_wrong {
    VT_VGPU_MODEL_HOLDS,    /**< does it, but does not answer: vt_vgpu_model_release */
    VT_VGPU_MODEL_ERROR,    /**< does nothing and answers with type `value` */
    VT_VGPU_MODEL_TYPE,     /**< does it and answers with type `value` */
    VT_VGPU_MODEL_CUT,      /**< the answer has only `value` bytes */
    VT_VGPU_MODEL_SAYS,     /**< the answer is whole, but said to have `value` bytes */
    VT_VGPU_MODEL_FENCE,    /**< the answer has fence id `value` */
    VT_VGPU_MODEL_NO_FENCE, /**< and this one no fence at all */
    VT_VGPU_MODEL_CONTEXT,  /**< the answer has context `value` */
    VT_VGPU_MODEL_TWICE,    /**< it is returned a second time */
    VT_VGPU_MODEL_UNKNOWN,  /**< buffer `value` is returned instead */
    VT_VGPU_MODEL_JUMPS,    /**< the used index jumps by `value` */
    VT_VGPU_MODEL_BREAKS,   /**< DEVICE_NEEDS_RESET */
    VT_VGPU_MODEL_RESETS,   /**< the device resets itself */
};
/** Commands of `type` (0: of any) behind the next `after`, `times` of them (0: all). Rules are
 *  tried in order; up to 8. */
void vt_vgpu_model_rule(struct vt_vgpu_model *g, uint32_t type, unsigned after, unsigned times,
                        enum vt_vgpu_model_wrong wrong, uint32_t value);
void vt_vgpu_model_behave(struct vt_vgpu_model *g); /**< no rules any more */
/** Answers the `i`-th of what it holds on `queue`, oldest first; false: there is none. */
bool vt_vgpu_model_release(struct vt_vgpu_model *g, enum vt_vgpu_queue queue, unsigned i);

#endif
