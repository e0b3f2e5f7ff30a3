/* gpu/card_scanout.c - what a virtio-gpu shows: its scanout and cursor, as a PNG; and what its
 * monitor says of itself. */
#include "gpu/card_parts.h"

#include "virtio/gpu/protocol/formats.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- scanout */

static bool within(const struct vt_vgpu_rect *rect, uint32_t width, uint32_t height)
{
    return rect->width > 0 && rect->height > 0 && (uint64_t)rect->x + rect->width <= width &&
           (uint64_t)rect->y + rect->height <= height;
}

uint32_t vt_card_set_scanout(struct vt_card *card, const struct vt_vgpu_set_scanout *s)
{
    if (s->scanout_id >= card->config.num_scanouts) {
        return VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    if (s->resource_id == 0) {
        card->scanout = (struct vt_card_scanout){0};
        return VT_VGPU_RESP_OK_NODATA;
    }
    const struct vt_card_resource *r = vt_card_resource(card, s->resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->pixels == NULL || !within(&s->rect, r->width, r->height)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    card->scanout = (struct vt_card_scanout){.resource = s->resource_id,
                                             .rect = s->rect,
                                             .format = r->format,
                                             .stride = r->width * 4,
                                             .width = r->width,
                                             .height = r->height};
    return VT_VGPU_RESP_OK_NODATA;
}

uint32_t vt_card_set_scanout_blob(struct vt_card *card, const struct vt_vgpu_set_scanout_blob *s)
{
    if (s->scanout_id >= card->config.num_scanouts) {
        return VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    if (s->resource_id == 0) {
        card->scanout = (struct vt_card_scanout){0};
        return VT_VGPU_RESP_OK_NODATA;
    }
    const struct vt_card_resource *r = vt_card_resource(card, s->resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    const uint64_t row = (uint64_t)s->width * 4, stride = s->strides[0];
    if (r->pixels != NULL || s->width > VT_CARD_SIDE_MAX || s->height > VT_CARD_SIDE_MAX ||
        !within(&s->rect, s->width, s->height) || stride < row || s->offsets[0] > r->size ||
        stride * (s->height - 1ull) + row > r->size - s->offsets[0]) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    card->scanout = (struct vt_card_scanout){.resource = s->resource_id,
                                             .rect = s->rect,
                                             .format = s->format,
                                             .stride = s->strides[0],
                                             .width = s->width,
                                             .height = s->height,
                                             .offset = s->offsets[0]};
    return VT_VGPU_RESP_OK_NODATA;
}

uint32_t vt_card_flush(struct vt_card *card, const struct vt_vgpu_resource_flush *f)
{
    const struct vt_card_resource *r = vt_card_resource(card, f->resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->pixels != NULL && ((uint64_t)f->rect.x + f->rect.width > r->width ||
                              (uint64_t)f->rect.y + f->rect.height > r->height)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    card->statistics.flushes++;
    return VT_VGPU_RESP_OK_NODATA;
}

void vt_card_forget_shown(struct vt_card *card, uint32_t resource)
{
    if (card->scanout.resource == resource) {
        card->scanout = (struct vt_card_scanout){0};
    }
}

/* ---------------------------------------------------------------- cursor */

void vt_card_update_cursor(struct vt_card *card, const struct vt_vgpu_update_cursor *u)
{
    if (u->scanout_id >= card->config.num_scanouts) {
        return;
    }
    card->cursor.x = u->x;
    card->cursor.y = u->y;
    if (u->header.type != VT_VGPU_CMD_UPDATE_CURSOR) {
        return;
    }
    const struct vt_card_resource *r = vt_card_resource(card, u->resource_id);
    card->cursor.hot_x = u->hot_x;
    card->cursor.hot_y = u->hot_y;
    card->cursor.on =
        r != NULL && vt_card_read(card, r, 0, card->cursor.pixels, sizeof card->cursor.pixels);
}

/* ---------------------------------------------------------------- the picture */

/* Where red, green, blue and alpha lie in a pixel's four bytes; alpha 4: there is none. */
struct layout {
    uint32_t format;
    uint8_t red, green, blue, alpha;
};
static const struct layout layouts[] = {
    {VT_VGPU_FORMAT_B8G8R8A8_UNORM, 2, 1, 0, 3}, {VT_VGPU_FORMAT_B8G8R8X8_UNORM, 2, 1, 0, 4},
    {VT_VGPU_FORMAT_A8R8G8B8_UNORM, 1, 2, 3, 0}, {VT_VGPU_FORMAT_X8R8G8B8_UNORM, 1, 2, 3, 4},
    {VT_VGPU_FORMAT_R8G8B8A8_UNORM, 0, 1, 2, 3}, {VT_VGPU_FORMAT_X8B8G8R8_UNORM, 3, 2, 1, 4},
    {VT_VGPU_FORMAT_A8B8G8R8_UNORM, 3, 2, 1, 0}, {VT_VGPU_FORMAT_R8G8B8X8_UNORM, 0, 1, 2, 4},
};

static const struct layout *layout_of(uint32_t format)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (layouts[i].format == format) {
            return &layouts[i];
        }
    }
    return NULL;
}

static void to_rgb(const struct layout *l, const uint8_t *from, uint8_t *to, uint32_t pixels)
{
    for (uint32_t i = 0; i < pixels; i++, from += 4, to += 3) {
        to[0] = from[l->red];
        to[1] = from[l->green];
        to[2] = from[l->blue];
    }
}

/* Linux's cursors are B8G8R8A8 with premultiplied alpha. */
static void draw_cursor(const struct vt_card *card, uint8_t *rgb, uint32_t width, uint32_t height)
{
    const struct vt_card_cursor *c = &card->cursor;
    for (uint32_t y = 0; y < VT_CARD_CURSOR_SIDE; y++) {
        for (uint32_t x = 0; x < VT_CARD_CURSOR_SIDE; x++) {
            uint64_t at_x = (uint64_t)c->x + x, at_y = (uint64_t)c->y + y;
            if (at_x >= width || at_y >= height) {
                continue;
            }
            const uint8_t *p = &c->pixels[((size_t)y * VT_CARD_CURSOR_SIDE + x) * 4];
            uint8_t *to = &rgb[(at_y * width + at_x) * 3];
            for (unsigned i = 0; i < 3; i++) {
                unsigned sum = p[2 - i] + to[i] * (255u - p[3]) / 255u;
                to[i] = (uint8_t)(sum < 255 ? sum : 255);
            }
        }
    }
}

static int write_png(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **png,
                     size_t *bytes, struct vt_error *err)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    uint8_t *out = malloc(size);
    if (out == NULL) {
        return vt_fail(err, VT_E_NOMEM, "picture: out of memory");
    }
    if (png_image_write_to_memory(&image, out, &size, 0, rgb, 0, NULL) == 0) {
        free(out);
        return vt_fail(err, VT_E_NOMEM, "picture: %s", image.message);
    }
    *png = out;
    *bytes = size;
    return 0;
}

int vt_card_picture(struct vt_card *card, bool cursor, uint8_t **png, size_t *bytes,
                    struct vt_error *err)
{
    const struct vt_card_scanout *s = &card->scanout;
    const struct vt_card_resource *r = vt_card_resource(card, s->resource);
    const struct layout *layout = layout_of(s->format);
    if (s->resource == 0 || r == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "the scanout is off");
    }
    if (layout == NULL) {
        return vt_fail(err, VT_E_UNSUPPORTED, "the scanout has an unknown format: %u", s->format);
    }
    const size_t row = (size_t)s->rect.width * 4;
    uint8_t *rgb = malloc((size_t)s->rect.width * s->rect.height * 3);
    uint8_t *line = malloc(row);
    int rc = rgb != NULL && line != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "picture: out of memory");
    for (uint32_t y = 0; rc == 0 && y < s->rect.height; y++) {
        uint64_t at = s->offset + (s->rect.y + (uint64_t)y) * s->stride + s->rect.x * 4ull;
        if (!vt_card_read(card, r, at, line, row)) {
            rc = vt_fail(err, VT_E_GONE, "the scanout's memory is not there");
            break;
        }
        to_rgb(layout, line, rgb + (size_t)y * s->rect.width * 3, s->rect.width);
    }
    if (rc == 0 && cursor && card->cursor.on) {
        draw_cursor(card, rgb, s->rect.width, s->rect.height);
    }
    rc = rc != 0 ? rc : write_png(rgb, s->rect.width, s->rect.height, png, bytes, err);
    free(rgb);
    free(line);
    return rc;
}

/* ---------------------------------------------------------------- EDID */

/* VESA E-EDID 1.4: one detailed timing at 60 Hz with CVT's reduced blanking, a name. */
void vt_card_edid(uint32_t width, uint32_t height, uint8_t e[128])
{
    static const uint8_t head[] = {
        0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, /* magic */
        0x5a, 0x92,                                  /* "VTR": five bits a letter, from 1 */
        1,    0,    0,    0,    0,    0,             /* product, serial */
        0,    36,   1,    4,                         /* week, 2026, version 1.4 */
        0xa5,                                        /* digital, 8 bits, DisplayPort */
        0,    0,                                     /* size in cm: below */
        120,  0x06, /* gamma 2.2; sRGB, preferred timing is native */
        0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54, /* sRGB's colours */
    };
    enum { STANDARD = 38, TIMING = 54, NAME = 72, RANGE = 90, DUMMY = 108 };
    const uint32_t across_blank = 160, down_blank = 30;
    const uint32_t across = width < 4095 ? width : 4095, down = height < 4095 ? height : 4095;
    uint64_t clock = (uint64_t)(across + across_blank) * (down + down_blank) * 60 / 10000;
    clock = clock < UINT16_MAX ? clock : UINT16_MAX;
    const uint32_t across_mm = across * 254 / 960, down_mm = down * 254 / 960; /* 96 dpi */
    memset(e, 0, 128);
    memcpy(e, head, sizeof head);
    e[21] = (uint8_t)(across_mm / 10 < 255 ? across_mm / 10 : 255);
    e[22] = (uint8_t)(down_mm / 10 < 255 ? down_mm / 10 : 255);
    memset(e + STANDARD, 1, 16); /* unused */
    uint8_t *t = e + TIMING;
    t[0] = (uint8_t)clock;
    t[1] = (uint8_t)(clock >> 8);
    t[2] = (uint8_t)across;
    t[3] = (uint8_t)across_blank;
    t[4] = (uint8_t)(across >> 8 << 4);
    t[5] = (uint8_t)down;
    t[6] = (uint8_t)down_blank;
    t[7] = (uint8_t)(down >> 8 << 4);
    t[8] = 48;          /* front porch, pixels */
    t[9] = 32;          /* sync, pixels */
    t[10] = 3 << 4 | 6; /* front porch, sync, lines */
    t[12] = (uint8_t)across_mm;
    t[13] = (uint8_t)down_mm;
    t[14] = (uint8_t)((across_mm >> 8 & 15) << 4 | (down_mm >> 8 & 15));
    t[17] = 0x1a; /* digital, separate sync: + across, - down */
    static const uint8_t name[18] = {0,   0,   0,   0xfc, 0,   'v', 'i', 't', 'r',
                                     'i', 'n', 'e', '\n', ' ', ' ', ' ', ' ', ' '};
    memcpy(e + NAME, name, sizeof name);
    static const uint8_t range[18] = {0,  0, 0,    0xfd, 0,   50,  75,  30,  160,
                                      66, 1, '\n', ' ',  ' ', ' ', ' ', ' ', ' '};
    memcpy(e + RANGE, range, sizeof range);
    e[DUMMY + 3] = 0x10;
    uint8_t sum = 0;
    for (unsigned i = 0; i < 127; i++) {
        sum = (uint8_t)(sum + e[i]);
    }
    e[127] = (uint8_t)-sum;
}
