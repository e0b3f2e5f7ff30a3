/* volume/view.c - an image on the device: drawn by one of two programs, read back when asked for.
 *
 * With a scale of n only every n-th pixel is drawn, one after the other into the image's beginning;
 * they are enlarged when read back, or before an overlay is drawn over them, which is always sharp.
 * A pick casts the pixel's ray once more.
 */
#include "volume/view.h"

#include "base/io.h"
#include "volume/overlay_gpu.h"
#include "volume/residency.h"
#include "volume/skins.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "shaders/enlarge.spv.h"
#include "shaders/march.spv.h"
#include "shaders/slices.spv.h"

#define SIDE_MIN 16
#define SIDE_MAX 16384
#define GROUP_SIDE 8 /* pixels of a program's group */

static_assert(offsetof(struct vt_march_look, width) == 128, "as in march.glsl");
static_assert(offsetof(struct vt_march_look, absorption) == 176, "as in march.glsl");
static_assert(sizeof(struct vt_march_look) == 176 + 4 * (256 + 32 + 512 + 32 * 65),
              "as in march.glsl, up to its end");

struct push {
    uint64_t volume, look; /* addresses */
    struct vt_skins_at skins;
    uint64_t image, picked;
    uint32_t x, y;
};

struct enlarge_push {
    uint64_t small, image;
    uint32_t width, height, small_width, scale;
};

/* As march.glsl writes it. */
struct picked {
    uint32_t word, offset, hit;
};

struct vt_view {
    struct vt_gpu *gpu;
    uint32_t width, height;
    float coarser;
    struct vt_gpu_program *programs[2][2]; /* by enum vt_method, and for picks; made when used */
    struct vt_gpu_buffer *look_from, *look, *image, *picked;
    /* For overlays; made when used. */
    struct vt_overlay_gpu *overlays;
    struct vt_gpu_program *enlarge;
    struct vt_gpu_buffer *small;
    bool overlaid;              /* the image is a whole one, whatever its scale */
    struct vt_march_look drawn; /* what the last draw, or pick, has on the device */
    uint8_t *pixels;            /* as given out */
    uint32_t *reduced;          /* as drawn, when fewer */
    bool read;                  /* pixels are those of the image */
    struct vt_volume *volume;   /* the last draw's; NULL: nothing is drawn */
    enum vt_method method;
    unsigned scale;
};

static int make_buffers(struct vt_view *view, struct vt_error *err)
{
    uint64_t n = (uint64_t)view->width * view->height;
    struct vt_gpu *gpu = view->gpu;
    int rc = vt_gpu_buffer_create(gpu, sizeof(struct vt_march_look), VT_GPU_UPLOAD,
                                  &view->look_from, err);
    if (rc == 0) {
        rc = vt_gpu_buffer_create(gpu, sizeof(struct vt_march_look), VT_GPU_DEVICE, &view->look,
                                  err);
    }
    if (rc == 0) {
        rc = vt_gpu_buffer_create(gpu, n * 4, VT_GPU_DEVICE, &view->image, err);
    }
    if (rc == 0) {
        rc = vt_gpu_buffer_create(gpu, sizeof(struct picked), VT_GPU_READBACK, &view->picked, err);
    }
    return rc;
}

int vt_view_create(struct vt_gpu *gpu, uint32_t width, uint32_t height, struct vt_view **view,
                   struct vt_error *err)
{
    if (width < SIDE_MIN || width > SIDE_MAX || height < SIDE_MIN || height > SIDE_MAX) {
        return vt_fail(err, VT_E_INVAL, "an image of %" PRIu32 " x %" PRIu32 ": %d to %d a side",
                       width, height, SIDE_MIN, SIDE_MAX);
    }
    struct vt_view *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a view: out of memory");
    }
    *made = (struct vt_view){.gpu = gpu, .width = width, .height = height, .coarser = 1};
    int rc = make_buffers(made, err);
    if (rc != 0) {
        vt_view_destroy(made);
        return rc;
    }
    *view = made;
    return 0;
}

void vt_view_destroy(struct vt_view *view)
{
    if (view == NULL) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        vt_gpu_program_destroy(view->programs[i][0]);
        vt_gpu_program_destroy(view->programs[i][1]);
    }
    vt_gpu_buffer_destroy(view->look_from);
    vt_gpu_buffer_destroy(view->look);
    vt_gpu_buffer_destroy(view->image);
    vt_gpu_buffer_destroy(view->picked);
    vt_overlay_gpu_destroy(view->overlays);
    vt_gpu_program_destroy(view->enlarge);
    vt_gpu_buffer_destroy(view->small);
    free(view->pixels);
    free(view->reduced);
    free(view);
}

bool vt_view_image(const struct vt_view *view, struct vt_view_image *image)
{
    if (view->scale == 0) {
        return false;
    }
    *image = (struct vt_view_image){
        .pixels = view->image,
        .width = view->width,
        .height = view->height,
        .drawn_width = view->overlaid ? view->width : view->drawn.width,
        .drawn_height = view->overlaid ? view->height : view->drawn.height,
        .scale = view->overlaid ? 1 : view->scale,
    };
    return true;
}

void vt_view_coarsen(struct vt_view *view, float by)
{
    view->coarser = by;
}

/* ---- drawing ---- */

static int need_program(struct vt_view *view, enum vt_method method, bool pick,
                        struct vt_error *err)
{
    struct vt_gpu_program **program = &view->programs[method][pick];
    const uint32_t constants[1] = {pick};
    if (*program != NULL) {
        return 0;
    }
    return method == VT_METHOD_MARCH
               ? vt_gpu_program_create(view->gpu, vt_spirv_march, sizeof vt_spirv_march,
                                       sizeof(struct push), constants, 1, program, err)
               : vt_gpu_program_create(view->gpu, vt_spirv_slices, sizeof vt_spirv_slices,
                                       sizeof(struct push), constants, 1, program, err);
}

/* What a shot's overlay needs, and itself. */
static int prepare_overlay(struct vt_view *view, const struct vt_volume *volume,
                           const struct vt_shot *shot, struct vt_error *err)
{
    int rc = 0;
    if (view->overlays == NULL) {
        rc = vt_overlay_gpu_create(view->gpu, view->width, view->height, &view->overlays, err);
    }
    if (rc == 0 && shot->scale > 1 && view->small == NULL) {
        uint64_t n = (uint64_t)((view->width + 1) / 2) * ((view->height + 1) / 2);
        rc = vt_gpu_buffer_create(view->gpu, n * 4, VT_GPU_DEVICE, &view->small, err);
    }
    if (rc == 0 && shot->scale > 1 && view->enlarge == NULL) {
        rc = vt_gpu_program_create(view->gpu, vt_spirv_enlarge, sizeof vt_spirv_enlarge,
                                   sizeof(struct enlarge_push), NULL, 0, &view->enlarge, err);
    }
    struct vt_overlay overlay = *shot->overlay;
    if (overlay.boxes == NULL && overlay.highlights == volume->boxes_of &&
        overlay.n_highlights == volume->n_boxes) {
        overlay.boxes = volume->boxes;
    }
    return rc != 0 ? rc : vt_overlay_gpu_prepare(view->overlays, &overlay, err);
}

static void record_overlay(struct vt_view *view)
{
    if (view->scale > 1) {
        const struct enlarge_push push = {view->small->address, view->image->address, view->width,
                                          view->height,         view->drawn.width,    view->scale};
        vt_gpu_barrier(view->gpu);
        vt_gpu_dispatch(view->gpu, view->enlarge, &push,
                        (view->width + GROUP_SIDE - 1) / GROUP_SIDE,
                        (view->height + GROUP_SIDE - 1) / GROUP_SIDE, 1);
    }
    vt_overlay_gpu_record(view->overlays, view->image->address);
}

/* Casts the rays of the drawn look's picture, or with `pick` the one of pixel (x, y) of it. */
static int cast_rays(struct vt_view *view, bool pick, uint32_t x, uint32_t y,
                     struct vt_gpu_times *times, struct vt_error *err)
{
    struct vt_gpu *gpu = view->gpu;
    struct push push = {.volume = view->volume->address,
                        .look = view->look->address,
                        .image = view->overlaid && view->scale > 1 ? view->small->address
                                                                   : view->image->address,
                        .picked = view->picked->address,
                        .x = x,
                        .y = y};
    vt_volume_touch(view->volume);
    int rc = vt_gpu_begin(gpu, err);
    if (rc != 0) {
        return rc;
    }
    vt_gpu_copy(gpu, view->look_from, 0, view->look, 0, sizeof view->drawn);
    vt_gpu_barrier(gpu);
    vt_skins_record(view->volume, &view->drawn, push.look, &push.skins);
    vt_gpu_span(gpu, "rays");
    vt_gpu_dispatch(gpu, view->programs[view->method][pick], &push,
                    pick ? 1 : (view->drawn.width + GROUP_SIDE - 1) / GROUP_SIDE,
                    pick ? 1 : (view->drawn.height + GROUP_SIDE - 1) / GROUP_SIDE, 1);
    if (view->overlaid && !pick) {
        record_overlay(view);
    }
    rc = vt_gpu_end_and_wait(gpu, times, err);
    if (rc != 0) {
        vt_skins_forget(view->volume);
    }
    return rc;
}

int vt_view_draw(struct vt_view *view, struct vt_volume *volume, const struct vt_shot *shot,
                 struct vt_shot_cost *cost, struct vt_error *err)
{
    uint64_t began_ns = vt_now_ns();
    if (volume->gpu != view->gpu) {
        return vt_fail(err, VT_E_INVAL, "the view and the volume are of different devices");
    }
    if (shot->method != VT_METHOD_MARCH && shot->method != VT_METHOD_SLICES) {
        return vt_fail(err, VT_E_INVAL, "no method %d", (int)shot->method);
    }
    struct vt_march_look look;
    int rc = vt_volume_look(volume, shot, view->width, view->height, &look, err);
    if (rc == 0) {
        rc = need_program(view, shot->method, false, err);
    }
    if (rc == 0) {
        look.coarse *= view->coarser;
        look.fine *= view->coarser;
        look.little *= view->coarser;
        rc = vt_volume_reside(volume, &look, err);
    }
    if (rc == 0 && shot->overlay != NULL) {
        rc = prepare_overlay(view, volume, shot, err);
    }
    if (rc != 0) {
        return rc;
    }
    view->drawn = look;
    memcpy(view->look_from->mapped, &look, sizeof look);
    view->read = false;
    view->volume = volume;
    view->method = shot->method;
    view->scale = shot->scale;
    view->overlaid = shot->overlay != NULL;
    struct vt_gpu_times times = {.gpu_ns = 0};
    rc = cast_rays(view, false, 0, 0, &times, err);
    if (rc != 0) {
        view->volume = NULL;
        return rc;
    }
    if (cost != NULL) {
        *cost = (struct vt_shot_cost){times.gpu_ns, vt_now_ns() - began_ns};
    }
    return 0;
}

/* ---- reading back ---- */

/* Every pixel that was drawn becomes a square. */
static void enlarge(const struct vt_view *view)
{
    uint32_t *to = (uint32_t *)(void *)view->pixels;
    for (uint32_t y = 0; y < view->height; y++) {
        const uint32_t *row = view->reduced + (size_t)(y / view->scale) * view->drawn.width;
        for (uint32_t x = 0; x < view->width; x++) {
            *to++ = row[x / view->scale];
        }
    }
}

int vt_view_pixels(struct vt_view *view, const uint8_t **rgba, struct vt_error *err)
{
    if (view->volume == NULL) {
        return vt_fail(err, VT_E_INVAL, "nothing is drawn yet");
    }
    size_t bytes = (size_t)view->width * view->height * 4;
    bool few = view->scale > 1 && !view->overlaid;
    size_t drawn = few ? (size_t)view->drawn.width * view->drawn.height * 4 : bytes;
    if (view->pixels == NULL) {
        view->pixels = malloc(bytes);
    }
    if (few && view->reduced == NULL) {
        view->reduced = malloc(bytes);
    }
    if (view->pixels == NULL || (few && view->reduced == NULL)) {
        return vt_fail(err, VT_E_NOMEM, "an image of %zu bytes: out of memory", bytes);
    }
    if (!view->read) {
        uint8_t *to = few ? (uint8_t *)view->reduced : view->pixels;
        int rc = vt_gpu_download(view->gpu, view->image, 0, to, drawn, err);
        if (rc != 0) {
            return rc;
        }
        if (few) {
            enlarge(view);
        }
        view->read = true;
    }
    *rgba = view->pixels;
    return 0;
}

int vt_view_pick(struct vt_view *view, uint32_t x, uint32_t y, struct vt_picked *picked,
                 struct vt_error *err)
{
    if (view->volume == NULL) {
        return vt_fail(err, VT_E_INVAL, "nothing is drawn yet");
    }
    if (x >= view->width || y >= view->height) {
        return vt_fail(err, VT_E_INVAL, "no pixel (%" PRIu32 ", %" PRIu32 ")", x, y);
    }
    int rc = need_program(view, view->method, true, err);
    if (rc == 0) {
        rc = cast_rays(view, true, x / view->scale, y / view->scale, NULL, err);
    }
    if (rc != 0) {
        return rc;
    }
    const struct picked *got = (const struct picked *)(const void *)view->picked->mapped;
    *picked = (struct vt_picked){.hit = false};
    if (got->hit != 0) {
        uint64_t byte = (uint64_t)(got->word >> 6) * VT_PAGE_BYTES + got->offset;
        uint32_t voxel[3];
        vt_hilbert3d_point(view->volume->order, byte, voxel);
        vt_volume_describe(view->volume, voxel, picked);
    }
    return 0;
}
