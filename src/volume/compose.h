/* volume/compose.h - a window's frame, put together on the device: views beside each other,
 * enlarged smoothly where they were drawn coarsely, and what is drawn over them. */
#ifndef VT_VOLUME_COMPOSE_H
#define VT_VOLUME_COMPOSE_H

#include "vitrine/scene.h"
#include "volume/draw.h"
#include "volume/gpu/gpu.h"

struct vt_compose;

/** A view's place in the frame. */
struct vt_compose_pane {
    const struct vt_view *view; /**< of width x height, drawn; NULL: there is only the background */
    uint32_t x, y, width, height;
    /** Drawn on an empty canvas of width x height; NULL: nothing is over it. */
    const struct vt_canvas *overlay;
    float grey; /**< 0: as it is, 1: without colours */
    struct vt_colour background;
};

#define VT_COMPOSE_PANES 4u

int vt_compose_create(struct vt_gpu *gpu, struct vt_compose **compose, struct vt_error *err);
/** Takes NULL. */
void vt_compose_destroy(struct vt_compose *compose);
/** Makes a frame of width x height of up to VT_COMPOSE_PANES panes within it, and waits for it.
 *  What no pane covers is dark grey, or undefined where there is one pane. `bgra`: the order of a
 * pixel's bytes. *gpu_ns (may be NULL): what the device took, 0 where it does not say. */
int vt_compose_draw(struct vt_compose *compose, uint32_t width, uint32_t height, bool bgra,
                    const struct vt_compose_pane *panes, unsigned n, uint64_t *gpu_ns,
                    struct vt_error *err);
/** The frame made last; NULL: none is. Belongs to it, until the next. */
const struct vt_gpu_buffer *vt_compose_frame(const struct vt_compose *compose);
/** The frame made last as a new canvas. VT_E_INVAL: none is. */
int vt_compose_canvas(const struct vt_compose *compose, struct vt_canvas **canvas,
                      struct vt_error *err);

#endif
