/* volume/compose.c - a window's frame: see compose.h. shaders/compose.comp does the work. */
#include "volume/compose.h"

#include "volume/view.h"

#include <stdlib.h>
#include <string.h>

#include "shaders/compose.spv.h"

#define GROUP_SIDE 8u
#define RUN 4u                       /* pixels of a thread */
#define SCALES 5u                    /* none, 1, 2, 4, 8 */
#define BETWEEN UINT32_C(0xff262626) /* the colour of what no pane covers, of several */

struct push {
    uint64_t frame, picture, overlay; /* addresses */
    uint32_t stride, x, y, width, height;
    uint32_t drawn_width, drawn_height;
    uint32_t bgra;
    float grey;
    uint32_t background;
};

/* A pane as it is dispatched. */
struct piece {
    const struct vt_gpu_program *program;
    struct push push;
};

struct vt_compose {
    struct vt_gpu *gpu;
    struct vt_gpu_program *programs[SCALES][2]; /* by scale, and whether something is over it */
    struct vt_gpu_buffer *frame;
    struct vt_gpu_buffer *overlay[VT_COMPOSE_PANES];
    uint32_t width, height;
    bool bgra, made;
};

int vt_compose_create(struct vt_gpu *gpu, struct vt_compose **compose, struct vt_error *err)
{
    struct vt_compose *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a window's frame: out of memory");
    }
    c->gpu = gpu;
    *compose = c;
    return 0;
}

void vt_compose_destroy(struct vt_compose *compose)
{
    if (compose == NULL) {
        return;
    }
    for (unsigned i = 0; i < 2 * SCALES; i++) {
        vt_gpu_program_destroy(compose->programs[i / 2][i % 2]);
    }
    vt_gpu_buffer_destroy(compose->frame);
    for (unsigned i = 0; i < VT_COMPOSE_PANES; i++) {
        vt_gpu_buffer_destroy(compose->overlay[i]);
    }
    free(compose);
}

/* A buffer of so many bytes: the one there is, or a new one. */
static int fit(struct vt_gpu *gpu, struct vt_gpu_buffer **buffer, uint64_t bytes,
               enum vt_gpu_kind kind, struct vt_error *err)
{
    if (*buffer != NULL && (*buffer)->bytes == bytes) {
        return 0;
    }
    vt_gpu_buffer_destroy(*buffer);
    *buffer = NULL;
    return vt_gpu_buffer_create(gpu, bytes, kind, buffer, err);
}

static bool lies_within(const struct vt_compose_pane *pane, uint32_t width, uint32_t height)
{
    return pane->width > 0 && pane->height > 0 && pane->x <= width &&
           pane->width <= width - pane->x && pane->y <= height && pane->height <= height - pane->y;
}

static int need_program(struct vt_compose *c, unsigned scale, bool overlay,
                        const struct vt_gpu_program **program, struct vt_error *err)
{
    const uint32_t constants[2] = {scale, overlay};
    struct vt_gpu_program **made =
        &c->programs[scale == 0 ? 0 : (unsigned)__builtin_ctz(scale) + 1][overlay];
    int rc = *made == NULL
                 ? vt_gpu_program_create(c->gpu, vt_spirv_compose, sizeof vt_spirv_compose,
                                         sizeof(struct push), constants, 2, made, err)
                 : 0;
    *program = *made;
    return rc;
}

static int piece_of(struct vt_compose *c, unsigned i, const struct vt_compose_pane *pane,
                    struct piece *piece, struct vt_error *err)
{
    const struct vt_colour *b = &pane->background;
    struct push *push = &piece->push;
    unsigned scale = 0;
    *push = (struct push){
        .frame = c->frame->address,
        .stride = c->width,
        .x = pane->x,
        .y = pane->y,
        .width = pane->width,
        .height = pane->height,
        .bgra = c->bgra,
        .grey = pane->grey,
        .background = (uint32_t)b->r | (uint32_t)b->g << 8 | (uint32_t)b->b << 16,
    };
    if (pane->overlay != NULL) {
        uint64_t bytes = (uint64_t)pane->width * pane->height * 4;
        if (vt_canvas_width(pane->overlay) != pane->width ||
            vt_canvas_height(pane->overlay) != pane->height) {
            return vt_fail(err, VT_E_INVAL, "what is drawn over a pane is not of its size");
        }
        int rc = fit(c->gpu, &c->overlay[i], bytes, VT_GPU_UPLOAD, err);
        if (rc != 0) {
            return rc;
        }
        memcpy(c->overlay[i]->mapped, vt_canvas_pixels(pane->overlay), bytes);
        push->overlay = c->overlay[i]->address;
    }
    struct vt_view_image image;
    if (pane->view != NULL && vt_view_image(pane->view, &image)) {
        if (image.width != pane->width || image.height != pane->height) {
            return vt_fail(err, VT_E_INVAL, "a view is not of its pane's size");
        }
        push->picture = image.pixels->address;
        push->drawn_width = image.drawn_width;
        push->drawn_height = image.drawn_height;
        scale = image.scale;
    }
    return need_program(c, scale, pane->overlay != NULL, &piece->program, err);
}

int vt_compose_draw(struct vt_compose *compose, uint32_t width, uint32_t height, bool bgra,
                    const struct vt_compose_pane *panes, unsigned n, uint64_t *gpu_ns,
                    struct vt_error *err)
{
    struct vt_compose *c = compose;
    struct piece pieces[VT_COMPOSE_PANES];
    if (n > VT_COMPOSE_PANES) {
        return vt_fail(err, VT_E_LIMIT, "%u panes: up to %u", n, VT_COMPOSE_PANES);
    }
    for (unsigned i = 0; i < n; i++) {
        if (!lies_within(&panes[i], width, height)) {
            return vt_fail(err, VT_E_INVAL, "a pane does not lie in its window");
        }
    }
    c->made = false;
    int rc = fit(c->gpu, &c->frame, (uint64_t)width * height * 4, VT_GPU_DEVICE, err);
    c->width = width;
    c->height = height;
    c->bgra = bgra;
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        rc = piece_of(c, i, &panes[i], &pieces[i], err);
    }
    rc = rc != 0 ? rc : vt_gpu_begin(c->gpu, err);
    if (rc != 0) {
        return rc;
    }
    if (n != 1) { /* one may cover it all */
        vt_gpu_fill(c->gpu, c->frame, 0, c->frame->bytes, BETWEEN);
        vt_gpu_barrier(c->gpu);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct push *push = &pieces[i].push;
        vt_gpu_dispatch(c->gpu, pieces[i].program, push,
                        (push->width + RUN * GROUP_SIDE - 1) / (RUN * GROUP_SIDE),
                        (push->height + GROUP_SIDE - 1) / GROUP_SIDE, 1);
    }
    struct vt_gpu_times times = {.gpu_ns = 0};
    rc = vt_gpu_end_and_wait(c->gpu, &times, err);
    c->made = rc == 0;
    if (rc == 0 && gpu_ns != NULL) {
        *gpu_ns = times.gpu_ns;
    }
    return rc;
}

const struct vt_gpu_buffer *vt_compose_frame(const struct vt_compose *compose)
{
    return compose->made ? compose->frame : NULL;
}

int vt_compose_canvas(const struct vt_compose *compose, struct vt_canvas **canvas,
                      struct vt_error *err)
{
    const struct vt_compose *c = compose;
    if (!c->made) {
        return vt_fail(err, VT_E_INVAL, "nothing is drawn yet");
    }
    size_t n = (size_t)c->width * c->height;
    uint8_t *rgba = malloc(n * 4);
    struct vt_canvas *made = NULL;
    int rc = rgba != NULL ? vt_gpu_download(c->gpu, c->frame, 0, rgba, n * 4, err)
                          : vt_fail(err, VT_E_NOMEM, "a picture of the window: out of memory");
    if (rc == 0) {
        rc = vt_canvas_create(c->width, c->height, &made, err);
    }
    if (rc == 0) {
        for (size_t i = 0; c->bgra && i < n; i++) {
            uint8_t blue = rgba[4 * i];
            rgba[4 * i] = rgba[4 * i + 2];
            rgba[4 * i + 2] = blue;
        }
        vt_canvas_put(made, rgba);
        *canvas = made;
    }
    free(rgba);
    return rc;
}
