/* tests/unit/virtio/gpu_rig.h - the driver and a model of a device, connected; what tests of both
 * have in common.
 */
#ifndef VT_TESTS_GPU_RIG_H
#define VT_TESTS_GPU_RIG_H

#include "tests/unit/harness.h"
#include "tests/unit/virtio/gpu_model.h"

#include <string.h>

#define RIG_FEATURES                                                                               \
    (VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX | VT_VGPU_F_EDID | VT_VGPU_F_RESOURCE_BLOB)

struct rig {
    struct vt_vgpu_model *g;
    struct vt_model *m;
    struct vt_virtio_device device;
    struct vt_virtio_arena arena;
    struct vt_vgpu_driver *d;
    struct {
        unsigned n;
        enum vt_vgpu_event last;
        enum vt_vgpu_state state;
    } events;
};

/** What a callback saw. */
struct seen {
    unsigned n;
    int code;
    uint32_t type, bytes;
    uint64_t latency_ns;
    struct vt_vgpu_header header;
};

static inline void rig_done(const struct vt_vgpu_answer *answer, void *arg)
{
    struct seen *seen = arg;
    seen->n++;
    seen->code = answer->code;
    seen->type = answer->type;
    seen->bytes = answer->response_bytes;
    seen->latency_ns = answer->latency_ns;
    if (answer->response_bytes >= sizeof(seen->header)) {
        memcpy(&seen->header, answer->response, sizeof(seen->header));
    }
}

static inline void rig_event(enum vt_vgpu_event event, enum vt_vgpu_state now, void *arg)
{
    struct rig *r = arg;
    r->events.n++;
    r->events.last = event;
    r->events.state = now;
}

/** `config` with what the rig does not set; NULL: defaults. Not started. */
static inline void rig_open(struct rig *r, const struct vt_vgpu_model_config *model,
                            const struct vt_vgpu_driver_config *config)
{
    const struct vt_vgpu_model_config usual = {.features = RIG_FEATURES, .scanouts = 2};
    memset(r, 0, sizeof(*r));
    r->g = vt_vgpu_model_create(model != NULL ? model : &usual);
    r->m = vt_vgpu_model_device(r->g);
    r->arena = vt_model_arena(r->m);
    assert_int_equal(
        vt_virtio_mmio_open(&r->device, vt_model_bus(r->m), vt_model_clock(r->m), VT_MODEL_MMIO),
        0);
    struct vt_vgpu_driver_config c = config != NULL ? *config : (struct vt_vgpu_driver_config){0};
    c.device = &r->device;
    c.arena = &r->arena;
    c.clock = vt_model_clock(r->m);
    c.on_event = rig_event;
    c.arg = r;
    assert_int_equal(vt_vgpu_driver_create(&c, &r->d), 0);
}

static inline void rig_start(struct rig *r)
{
    assert_int_equal(vt_vgpu_driver_start(r->d), 0);
    assert_int_equal(vt_vgpu_driver_state(r->d), VT_VGPU_READY);
}

static inline void rig_close(struct rig *r)
{
    assert_null(vt_model_complaint(r->m));
    vt_vgpu_model_destroy(r->g);
}

/** Pixel memory and its address for the device. */
static inline uint32_t *rig_pixels(struct rig *r, uint32_t width, uint32_t height,
                                   struct vt_virtio_piece *piece)
{
    piece->bytes = width * height * 4;
    uint32_t *pixels = vt_virtio_arena_take(&r->arena, piece->bytes, 4096, &piece->device);
    assert_non_null(pixels);
    return pixels;
}

/** Resource `id`, `width` x `height`, backed; the device has said so. */
static inline uint32_t *rig_resource(struct rig *r, uint32_t id, uint32_t width, uint32_t height)
{
    struct vt_virtio_piece piece;
    uint32_t *pixels = rig_pixels(r, width, height, &piece);
    assert_int_equal(vt_vgpu_resource_create(r->d, id, 2, width, height, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_back(r->d, id, &piece, 1, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_drain(r->d, 1000000000), 0);
    assert_int_equal(vt_vgpu_resource_state(r->d, id), VT_VGPU_RES_BACKED);
    return pixels;
}

static inline void rig_drain(struct rig *r)
{
    assert_int_equal(vt_vgpu_drain(r->d, 1000000000), 0);
}

#endif
