/* virtio/gpu/display.h - what a display is made of, for its implementations.
 *
 * display.c keeps surfaces and damage and knows no device. An implementation has struct vt_display
 * as its first member, fills in ops and surfaces, and calls vt_display_finish once a flip.
 */
#ifndef VT_VIRTIO_GPU_DISPLAY_H
#define VT_VIRTIO_GPU_DISPLAY_H

#include "vitrine/virtio_gpu.h"

#define VT_DISPLAY_RECTS 8u

/** Rectangles inside a surface, none empty. They may overlap. */
struct vt_damage {
    struct vt_vgpu_rect rects[VT_DISPLAY_RECTS];
    unsigned n;
};

struct vt_display_ops {
    const char *name;
    /** Begins to show buffer `buffer`, of which `damage` (valid during the call) differs from what
     *  the device has of it. 0, or a code, and nothing has begun. */
    int (*flip)(struct vt_display *p, unsigned buffer, const struct vt_damage *damage);
    int (*poll)(struct vt_display *p);
    /** Sets p->surfaces anew. */
    int (*resize)(struct vt_display *p, uint32_t width, uint32_t height);
    void (*close)(struct vt_display *p);
};

struct vt_display {
    const struct vt_display_ops *ops;
    struct vt_surface surfaces[2];
    unsigned buffers; /**< 1 or 2 */
    unsigned back;    /**< the one that is drawn to */
    /** What of each the device has not got. */
    struct vt_damage stale[2];
    bool busy;
    void (*done)(int code, void *arg);
    void *arg;
};

/** Adds a rectangle, cut to width x height. */
void vt_damage_add(struct vt_damage *damage, const struct vt_vgpu_rect *rect, uint32_t width,
                   uint32_t height);
/** Pixels for one surface from `memory`, or new ones from the arena when those are too few; black.
 *  VT_VIRTIO_E_NOMEM. */
struct vt_display_memory {
    uint32_t *pixels;
    uint64_t device;
    uint64_t bytes;
};
int vt_display_pixels(struct vt_virtio_arena *arena, struct vt_display_memory *memory,
                      struct vt_surface *s, uint32_t width, uint32_t height);
/** The flip is over. Calls who asked for it. */
void vt_display_finish(struct vt_display *p, int code);

#endif
