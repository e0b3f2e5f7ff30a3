/* volume/overlay_gpu.c - see overlay_gpu.h.
 *
 *   sprites   words as coverage, drawn by the canvas once and kept while there is room
 *   device    strokes in one buffer, sprites in another; which of them touch what, the shader finds
 */
#include "volume/overlay_gpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shaders/overlay.spv.h"

#define TILE 16
#define SPRITES_MAX 512
#define SPRITE_BYTES_MAX (UINT32_C(8) << 20)
#define SPRITE_BYTES_MIN (UINT32_C(1) << 18)
#define TOP_EMS 1.1F /* of a line of words, above its baseline */
#define BOTTOM_EMS 0.4F
#define SIDE_EMS 0.25F /* letters reach beyond their advance */

/* As shaders/overlay.comp reads them. */
struct gpu_stroke {
    float box[4], size;
    uint32_t colour, kind, words;
};
struct push {
    uint64_t strokes, sprites, image;
    uint32_t width, height, n_strokes, zero;
};

struct sprite {
    const struct vt_font *font;
    float size, max_width;
    char *words;
    uint32_t first, width, height; /* in the buffer of sprites, bytes */
};

struct vt_overlay_gpu {
    struct vt_gpu *gpu;
    struct vt_gpu_program *program;
    uint32_t width, height; /* of the picture */

    struct vt_gpu_buffer *sprites_buffer;
    uint32_t sprite_bytes;
    struct sprite sprites[SPRITES_MAX];
    unsigned n_sprites;

    struct vt_drawing drawing, drawn; /* this one, and the one on the device */
    struct gpu_stroke *strokes;
    size_t strokes_room;

    struct vt_gpu_buffer *staged, *buffer; /* the same, for the host and on the device */
    uint64_t bytes;                        /* of them in use */
    struct push push;
};

/* ---- sprites ---- */

static void forget_sprites(struct vt_overlay_gpu *o)
{
    for (unsigned i = 0; i < o->n_sprites; i++) {
        free(o->sprites[i].words);
    }
    o->n_sprites = 0;
    o->sprite_bytes = 0;
}

static const struct sprite *known_sprite(const struct vt_overlay_gpu *o, const struct vt_stroke *s,
                                         const char *words)
{
    for (unsigned i = 0; i < o->n_sprites; i++) {
        const struct sprite *known = &o->sprites[i];
        if (known->font == s->font && known->size == s->size && known->max_width == s->y1 &&
            strcmp(known->words, words) == 0) {
            return known;
        }
    }
    return NULL;
}

static int draw_sprite(struct vt_overlay_gpu *o, const struct vt_stroke *s, const char *words,
                       struct sprite *sprite, struct vt_error *err)
{
    const struct vt_pen pen = {s->font, s->size, {255, 255, 255, 255}, VT_LEFT, s->y1};
    struct vt_canvas *canvas;
    int rc = vt_canvas_create(sprite->width, sprite->height, &canvas, err);
    if (rc != 0) {
        return rc;
    }
    vt_canvas_text(canvas, &pen, floorf(SIDE_EMS * s->size), ceilf(TOP_EMS * s->size), words);
    size_t n = (size_t)sprite->width * sprite->height;
    const uint8_t *rgba = vt_canvas_pixels(canvas);
    uint8_t *cover = malloc(n);
    if (cover == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "words of an overlay: out of memory");
    } else {
        for (size_t i = 0; i < n; i++) {
            cover[i] = rgba[i * 4 + 3];
        }
        rc = vt_gpu_upload(o->gpu, o->sprites_buffer, sprite->first, cover, n, err);
    }
    free(cover);
    vt_canvas_destroy(canvas);
    return rc;
}

/* The sprite of a stroke of words. One that does not fit even when all others are forgotten is
 * nothing: NULL, as is what lies outside the picture. `full`: they must be forgotten first. */
static int find_sprite(struct vt_overlay_gpu *o, const struct vt_stroke *s, const char *words,
                       const struct sprite **sprite, bool *full, struct vt_error *err)
{
    *sprite = known_sprite(o, s, words);
    if (*sprite != NULL || s->size < 1 || s->x0 >= (float)o->width) {
        return 0;
    }
    float wide = fminf(s->x1, (float)o->width) + 2 * SIDE_EMS * s->size + 2;
    struct sprite new = {.font = s->font,
                         .size = s->size,
                         .max_width = s->y1,
                         .first = o->sprite_bytes,
                         .width = (uint32_t)wide,
                         .height = (uint32_t)ceilf(TOP_EMS * s->size) +
                                   (uint32_t)ceilf(BOTTOM_EMS * s->size)};
    uint64_t bytes = (uint64_t)new.width *new.height;
    if (o->n_sprites == SPRITES_MAX || o->sprite_bytes + bytes > o->sprites_buffer->bytes) {
        *full = true;
        return 0;
    }
    new.words = strdup(words);
    if (new.words == NULL) {
        return vt_fail(err, VT_E_NOMEM, "words of an overlay: out of memory");
    }
    int rc = draw_sprite(o, s, words, &new, err);
    if (rc != 0) {
        free(new.words);
        return rc;
    }
    o->sprite_bytes += (uint32_t)bytes;
    o->sprites[o->n_sprites] = new;
    *sprite = &o->sprites[o->n_sprites++];
    return 0;
}

/* ---- device ---- */

static uint32_t packed(struct vt_colour c)
{
    return (uint32_t)c.r | (uint32_t)c.g << 8 | (uint32_t)c.b << 16 | (uint32_t)c.a << 24;
}

static int need_buffers(struct vt_overlay_gpu *o, uint64_t bytes, struct vt_error *err)
{
    if (o->buffer != NULL && o->buffer->bytes >= bytes) {
        return 0;
    }
    vt_gpu_buffer_destroy(o->staged);
    vt_gpu_buffer_destroy(o->buffer);
    o->staged = o->buffer = NULL;
    int rc = vt_gpu_buffer_create(o->gpu, 2 * bytes, VT_GPU_UPLOAD, &o->staged, err);
    return rc != 0 ? rc : vt_gpu_buffer_create(o->gpu, 2 * bytes, VT_GPU_DEVICE, &o->buffer, err);
}

static int stage(struct vt_overlay_gpu *o, size_t n_strokes, struct vt_error *err)
{
    o->bytes = n_strokes * sizeof *o->strokes;
    int rc = need_buffers(o, o->bytes > 0 ? o->bytes : sizeof *o->strokes, err);
    if (rc == 0) {
        if (n_strokes > 0) {
            memcpy(o->staged->mapped, o->strokes, o->bytes);
        }
        o->push.strokes = o->buffer->address;
        o->push.n_strokes = (uint32_t)n_strokes;
    }
    return rc;
}

/* All strokes as the shader takes them; *full: there is no room for all sprites, and unless it is
 * `last` the rest was not looked at. */
static int convert(struct vt_overlay_gpu *o, bool last, bool *full, struct vt_error *err)
{
    const struct vt_drawing *d = &o->drawing;
    int rc = 0;
    *full = false;
    for (size_t i = 0; i < d->n && rc == 0 && (last || !*full); i++) {
        const struct vt_stroke *s = &d->strokes[i];
        struct gpu_stroke *g = &o->strokes[i];
        *g = (struct gpu_stroke){.box = {s->x0, s->y0, s->x1, s->y1},
                                 .size = s->size,
                                 .colour = packed(s->colour),
                                 .kind = (uint32_t)s->kind};
        if (s->kind == VT_STROKE_WORDS) {
            const struct sprite *sprite = NULL;
            rc = find_sprite(o, s, d->words + s->words, &sprite, full, err);
            if (sprite == NULL) {
                g->colour = 0; /* draws nothing */
                g->kind = VT_STROKE_RECT;
                continue;
            }
            g->box[0] -= floorf(SIDE_EMS * s->size);
            g->box[1] -= ceilf(TOP_EMS * s->size);
            g->box[2] = (float)sprite->width;
            g->box[3] = (float)sprite->height;
            g->words = sprite->first;
        }
    }
    return rc;
}

static bool same(const struct vt_drawing *a, const struct vt_drawing *b)
{
    return a->n == b->n && a->n_words == b->n_words &&
           memcmp(a->strokes, b->strokes, a->n * sizeof *a->strokes) == 0 &&
           memcmp(a->words, b->words, a->n_words) == 0;
}

int vt_overlay_gpu_prepare(struct vt_overlay_gpu *overlays, const struct vt_overlay *overlay,
                           struct vt_error *err)
{
    struct vt_overlay_gpu *o = overlays;
    vt_drawing_clear(&o->drawing);
    vt_overlay_layout(overlay, o->width, o->height, &o->drawing);
    if (o->push.strokes != 0 && o->drawing.n > 0 && o->drawing.n_words > 0 &&
        same(&o->drawing, &o->drawn)) {
        return 0;
    }
    o->push.strokes = 0;
    if (o->drawing.n > o->strokes_room) {
        struct gpu_stroke *more = realloc(o->strokes, o->drawing.room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "an overlay: out of memory");
        }
        o->strokes = more;
        o->strokes_room = o->drawing.room;
    }
    bool full;
    int rc = convert(o, false, &full, err);
    if (rc == 0 && full) {
        forget_sprites(o);
        rc = convert(o, true, &full, err);
    }
    if (rc == 0) {
        rc = stage(o, o->drawing.n, err);
    }
    if (rc == 0) {
        struct vt_drawing drawn = o->drawn;
        o->drawn = o->drawing;
        o->drawing = drawn;
    }
    return rc;
}

void vt_overlay_gpu_record(struct vt_overlay_gpu *overlays, uint64_t image)
{
    struct vt_overlay_gpu *o = overlays;
    vt_gpu_copy(o->gpu, o->staged, 0, o->buffer, 0, o->bytes);
    vt_gpu_barrier(o->gpu);
    vt_gpu_span(o->gpu, "overlay");
    o->push.image = image;
    vt_gpu_dispatch(o->gpu, o->program, &o->push, (o->width + TILE - 1) / TILE,
                    (o->height + TILE - 1) / TILE, 1);
}

/* ---- life ---- */

static int make(struct vt_overlay_gpu *o, struct vt_error *err)
{
    uint64_t bytes = (uint64_t)o->width * o->height;
    bytes = bytes < SPRITE_BYTES_MIN ? SPRITE_BYTES_MIN : bytes;
    bytes = bytes > SPRITE_BYTES_MAX ? SPRITE_BYTES_MAX : bytes;
    int rc = vt_gpu_buffer_create(o->gpu, bytes, VT_GPU_DEVICE, &o->sprites_buffer, err);
    if (rc == 0) {
        rc = vt_gpu_program_create(o->gpu, vt_spirv_overlay, sizeof vt_spirv_overlay,
                                   sizeof(struct push), NULL, 0, &o->program, err);
    }
    if (rc == 0) {
        o->push.sprites = o->sprites_buffer->address;
        o->push.width = o->width;
        o->push.height = o->height;
    }
    return rc;
}

int vt_overlay_gpu_create(struct vt_gpu *gpu, uint32_t width, uint32_t height,
                          struct vt_overlay_gpu **overlays, struct vt_error *err)
{
    struct vt_overlay_gpu *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return vt_fail(err, VT_E_NOMEM, "an overlay: out of memory");
    }
    o->gpu = gpu;
    o->width = width;
    o->height = height;
    int rc = make(o, err);
    if (rc != 0) {
        vt_overlay_gpu_destroy(o);
        return rc;
    }
    *overlays = o;
    return 0;
}

void vt_overlay_gpu_destroy(struct vt_overlay_gpu *overlays)
{
    if (overlays == NULL) {
        return;
    }
    forget_sprites(overlays);
    vt_gpu_program_destroy(overlays->program);
    vt_gpu_buffer_destroy(overlays->sprites_buffer);
    vt_gpu_buffer_destroy(overlays->staged);
    vt_gpu_buffer_destroy(overlays->buffer);
    vt_drawing_fini(&overlays->drawing);
    vt_drawing_fini(&overlays->drawn);
    free(overlays->strokes);
    free(overlays);
}
