/* volume/overlay_gpu.c - see overlay_gpu.h.
 *
 *   sprites   words as coverage, drawn by the canvas once and kept while there is room
 *   tiles     which strokes touch which tile of 16 x 16 pixels
 *   device    strokes, tiles and references in one buffer, sprites in another
 *
 * A group of the shader draws a tile, its strokes in their order: references are made stroke by
 * stroke and then sorted by tile, stably, by counting.
 */
#include "volume/overlay_gpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shaders/overlay.spv.h"

#define TILE 16
#define GROUPS_X 4096u
#define REFS_MAX (UINT32_C(1) << 20)
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
struct gpu_tile {
    uint32_t xy, first, n, unused;
};
struct push {
    uint64_t strokes, tiles, refs, sprites, image;
    uint32_t width, height, n_tiles, zero;
};

struct sprite {
    const struct vt_font *font;
    float size, max_width;
    char *words;
    uint32_t first, width, height; /* in the buffer of sprites, bytes */
};

struct ref {
    uint32_t tile, stroke;
};

struct vt_overlay_gpu {
    struct vt_gpu *gpu;
    struct vt_gpu_program *program;
    uint32_t width, height, tiles_x, n_tiles; /* of the picture */

    struct vt_gpu_buffer *sprites_buffer;
    uint32_t sprite_bytes;
    struct sprite sprites[SPRITES_MAX];
    unsigned n_sprites;

    struct vt_drawing drawing, drawn; /* this one, and the one on the device */
    struct gpu_stroke *strokes;
    size_t strokes_room;
    struct ref *refs;
    uint32_t *sorted; /* strokes, by tile; of the same room */
    size_t n_refs, refs_room;
    uint32_t *count; /* by tile */

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

/* ---- tiles ---- */

static uint32_t packed(struct vt_colour c)
{
    return (uint32_t)c.r | (uint32_t)c.g << 8 | (uint32_t)c.b << 16 | (uint32_t)c.a << 24;
}

static int32_t tile_of(float at, uint32_t n)
{
    float t = floorf(at / TILE);
    return t < 0 ? -1 : t < (float)n ? (int32_t)t : (int32_t)n;
}

static bool add_ref(struct vt_overlay_gpu *o, uint32_t x, uint32_t y, uint32_t stroke)
{
    if (o->n_refs == o->refs_room) {
        size_t want = o->refs_room > 0 ? 2 * o->refs_room : 4096;
        struct ref *more = want <= REFS_MAX ? realloc(o->refs, want * sizeof *more) : NULL;
        o->refs = more != NULL ? more : o->refs;
        uint32_t *sorted = more != NULL ? realloc(o->sorted, want * sizeof *sorted) : NULL;
        if (sorted == NULL) {
            return false;
        }
        o->sorted = sorted;
        o->refs_room = want;
    }
    uint32_t tile = y * o->tiles_x + x;
    o->refs[o->n_refs++] = (struct ref){tile, stroke};
    o->count[tile]++;
    return true;
}

/* The tiles that [x0, x1] x [y0, y1] touches. */
static bool add_box(struct vt_overlay_gpu *o, float x0, float y0, float x1, float y1,
                    uint32_t stroke)
{
    uint32_t tiles_y = o->n_tiles / o->tiles_x;
    int32_t left = tile_of(x0, o->tiles_x), right = tile_of(x1, o->tiles_x);
    int32_t top = tile_of(y0, tiles_y), bottom = tile_of(y1, tiles_y);
    left = left < 0 ? 0 : left;
    top = top < 0 ? 0 : top;
    bool room = true;
    for (int32_t y = top; room && y <= bottom && y < (int32_t)tiles_y; y++) {
        for (int32_t x = left; room && x <= right && x < (int32_t)o->tiles_x; x++) {
            room = add_ref(o, (uint32_t)x, (uint32_t)y, stroke);
        }
    }
    return room;
}

/* Tile by tile along the line's longer way: what of it lies in each is a short box. */
static bool add_line(struct vt_overlay_gpu *o, const struct vt_stroke *s, uint32_t stroke)
{
    if (!isfinite(s->x0 + s->y0 + s->x1 + s->y1 + s->size)) {
        return true;
    }
    bool steep = fabsf(s->y1 - s->y0) > fabsf(s->x1 - s->x0);
    float a0 = steep ? s->y0 : s->x0, a1 = steep ? s->y1 : s->x1;
    float b0 = steep ? s->x0 : s->y0, b1 = steep ? s->x1 : s->y1;
    if (a0 == a1) {
        return true; /* a canvas draws none of it, either */
    }
    float slope = (b1 - b0) / (a1 - a0), first = fminf(a0, a1), last = fmaxf(a0, a1);
    float half = 0.5F * s->size * sqrtf(1 + slope * slope) + 1;
    uint32_t n = steep ? o->n_tiles / o->tiles_x : o->tiles_x;
    int32_t tile = tile_of(first, n), end = tile_of(last, n);
    bool room = true;
    for (tile = tile < 0 ? 0 : tile; room && tile <= end && tile < (int32_t)n; tile++) {
        float from = (float)tile * TILE, to = from + TILE - 0.5F;
        float p = b0 + slope * (fmaxf(from, first) - a0),
              q = b0 + slope * (fminf(to + 1, last) - a0);
        float low = fminf(p, q) - half, high = fmaxf(p, q) + half;
        room = steep ? add_box(o, low, from, high, to, stroke)
                     : add_box(o, from, low, to, high, stroke);
    }
    return room;
}

static bool add_refs(struct vt_overlay_gpu *o, const struct vt_stroke *s,
                     const struct gpu_stroke *g, uint32_t stroke)
{
    return s->kind == VT_STROKE_LINE
               ? add_line(o, s, stroke)
               : add_box(o, g->box[0] - 1, g->box[1] - 1, g->box[0] + g->box[2],
                         g->box[1] + g->box[3], stroke);
}

/* ---- device ---- */

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

/* Strokes, then tiles, then references, each tile's together. */
static int stage(struct vt_overlay_gpu *o, size_t n_strokes, struct vt_error *err)
{
    uint32_t touched = 0;
    for (uint32_t tile = 0; tile < o->n_tiles; tile++) {
        touched += o->count[tile] > 0;
    }
    uint64_t tiles_at = n_strokes * sizeof *o->strokes;
    uint64_t refs_at = tiles_at + (uint64_t)touched * sizeof(struct gpu_tile);
    o->bytes = refs_at + o->n_refs * sizeof(uint32_t);
    int rc = need_buffers(o, o->bytes > 0 ? o->bytes : 16, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *to = o->staged->mapped;
    struct gpu_tile *tiles = (struct gpu_tile *)(void *)(to + tiles_at);
    uint32_t first = 0;
    if (n_strokes > 0) {
        memcpy(to, o->strokes, tiles_at);
    }
    for (uint32_t tile = 0; tile < o->n_tiles; tile++) {
        uint32_t n = o->count[tile];
        if (n > 0) {
            *tiles++ = (struct gpu_tile){tile % o->tiles_x | tile / o->tiles_x << 16, first, n, 0};
        }
        o->count[tile] = first; /* from here on: where its next one goes */
        first += n;
    }
    /* Not where they go: that is memory of a kind which is slow to write here and there. */
    for (size_t i = 0; i < o->n_refs; i++) {
        o->sorted[o->count[o->refs[i].tile]++] = o->refs[i].stroke;
    }
    if (o->n_refs > 0) {
        memcpy(to + refs_at, o->sorted, o->n_refs * sizeof *o->sorted);
    }
    o->push.strokes = o->buffer->address;
    o->push.tiles = o->buffer->address + tiles_at;
    o->push.refs = o->buffer->address + refs_at;
    o->push.n_tiles = touched;
    return 0;
}

/* All strokes as the shader takes them; *full: there is no room for all sprites, and unless it is
 * `last` the rest was not looked at. */
static int convert(struct vt_overlay_gpu *o, bool last, bool *full, struct vt_error *err)
{
    const struct vt_drawing *d = &o->drawing;
    memset(o->count, 0, o->n_tiles * sizeof *o->count);
    o->n_refs = 0;
    int rc = 0;
    bool room = true;
    *full = false;
    for (size_t i = 0; i < d->n && rc == 0 && room && (last || !*full); i++) {
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
                continue;
            }
            g->box[0] -= floorf(SIDE_EMS * s->size);
            g->box[1] -= ceilf(TOP_EMS * s->size);
            g->box[2] = (float)sprite->width;
            g->box[3] = (float)sprite->height;
            g->words = sprite->first;
        }
        room = add_refs(o, s, g, (uint32_t)i);
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
    uint32_t n = o->push.n_tiles;
    o->push.image = image;
    vt_gpu_dispatch(o->gpu, o->program, &o->push, n < GROUPS_X ? n : GROUPS_X,
                    (n + GROUPS_X - 1) / GROUPS_X, 1);
}

/* ---- life ---- */

static int make(struct vt_overlay_gpu *o, struct vt_error *err)
{
    uint64_t bytes = (uint64_t)o->width * o->height;
    bytes = bytes < SPRITE_BYTES_MIN ? SPRITE_BYTES_MIN : bytes;
    bytes = bytes > SPRITE_BYTES_MAX ? SPRITE_BYTES_MAX : bytes;
    o->count = calloc(o->n_tiles, sizeof *o->count);
    if (o->count == NULL) {
        return vt_fail(err, VT_E_NOMEM, "an overlay: out of memory");
    }
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
    o->tiles_x = (width + TILE - 1) / TILE;
    o->n_tiles = o->tiles_x * ((height + TILE - 1) / TILE);
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
    free(overlays->refs);
    free(overlays->sorted);
    free(overlays->count);
    free(overlays);
}
