/* virtio/gpu/surface.c - drawing into memory: fill, line, text, blit. All clip; integers only, so
 * that every machine draws the same pixels and guests need no floating point.
 */
#include "virtio/gpu/font.h"
#include "vitrine/virtio_gpu.h"

#include <string.h>

/* [x, end_x) x [y, end_y), inside a surface. */
struct box {
    uint32_t x, y, end_x, end_y;
};

static uint32_t clamp(int64_t v, uint32_t most)
{
    return v < 0 ? 0 : v > most ? most : (uint32_t)v;
}

static struct box clip(const struct vt_surface *s, int64_t x, int64_t y, uint64_t width,
                       uint64_t height)
{
    return (struct box){clamp(x, s->width), clamp(y, s->height),
                        clamp(x + (int64_t)width, s->width), clamp(y + (int64_t)height, s->height)};
}

static uint32_t *row(const struct vt_surface *s, uint32_t y)
{
    return s->pixels + (size_t)y * s->stride;
}

static void fill(struct vt_surface *s, struct box b, uint32_t colour)
{
    for (uint32_t y = b.y; y < b.end_y; y++) {
        uint32_t *pixels = row(s, y);
        for (uint32_t x = b.x; x < b.end_x; x++) {
            pixels[x] = colour;
        }
    }
}

void vt_surface_fill(struct vt_surface *s, const struct vt_vgpu_rect *rect, uint32_t colour)
{
    fill(s, clip(s, rect->x, rect->y, rect->width, rect->height), colour);
}

/* ---------------------------------------------------------------- lines */

/* Beyond this a coordinate's products would not fit. */
#define FAR ((int32_t)1 << 29)

/* The pixel of step `i` of `n` on the way from `from` to `to`: the nearest, halves upwards. */
static int64_t between(int64_t from, int64_t to, int64_t i, int64_t n)
{
    int64_t twice = 2 * (to - from) * i + n;
    int64_t step = twice / (2 * n);
    return from + step - (twice < 0 && step * 2 * n != twice);
}

void vt_surface_line(struct vt_surface *s, int32_t x0, int32_t y0, int32_t x1, int32_t y1,
                     uint32_t colour)
{
    if (x0 <= -FAR || x0 >= FAR || y0 <= -FAR || y0 >= FAR || x1 <= -FAR || x1 >= FAR ||
        y1 <= -FAR || y1 >= FAR) {
        return;
    }
    int32_t wide = x1 > x0 ? x1 - x0 : x0 - x1, high = y1 > y0 ? y1 - y0 : y0 - y1;
    bool steep = high > wide;
    /* One way round, whichever end is named first, so that both draw the same pixels. */
    if (steep ? y0 > y1 : x0 > x1) {
        int32_t x = x0, y = y0;
        x0 = x1;
        y0 = y1;
        x1 = x;
        y1 = y;
    }
    int64_t n = steep ? high : wide;
    int32_t start = steep ? y0 : x0;
    int64_t most = (int64_t)(steep ? s->height : s->width) - 1 - start;
    for (int64_t i = start < 0 ? -(int64_t)start : 0; i <= n && i <= most; i++) {
        int64_t x = steep ? between(x0, x1, i, n) : x0 + i;
        int64_t y = steep || n == 0 ? y0 + i : between(y0, y1, i, n);
        if (x >= 0 && x < s->width && y >= 0 && y < s->height) {
            row(s, (uint32_t)y)[x] = colour;
        }
    }
}

/* ---------------------------------------------------------------- text */

static void character(struct vt_surface *s, int64_t x, int64_t y, unsigned scale, uint32_t colour,
                      unsigned char c)
{
    /* What has no picture is a box. */
    static const uint64_t box[2] = {0x00007e4242424242, 0x4242427e00000000};
    const uint64_t *bits =
        c >= VT_FONT_FIRST && c <= VT_FONT_LAST ? vt_font[c - VT_FONT_FIRST] : box;
    for (unsigned r = 0; r < VT_FONT_HEIGHT; r++) {
        uint8_t pixels = (uint8_t)(bits[r / 8] >> (56 - r % 8 * 8));
        for (unsigned i = 0; i < VT_FONT_WIDTH; i++) {
            if ((pixels & 0x80u >> i) != 0) {
                fill(s, clip(s, x + (int64_t)i * scale, y + (int64_t)r * scale, scale, scale),
                     colour);
            }
        }
    }
}

int32_t vt_surface_text(struct vt_surface *s, int32_t x, int32_t y, unsigned scale, uint32_t colour,
                        const char *text)
{
    int64_t at = x, step = (int64_t)scale * VT_FONT_WIDTH;
    for (; *text != 0; text++) {
        if (at < s->width && at + step > 0) {
            character(s, at, y, scale, colour, (unsigned char)*text);
        }
        at += at < INT32_MAX ? step : 0;
    }
    return at < INT32_MAX ? (int32_t)at : INT32_MAX;
}

/* ---------------------------------------------------------------- blit */

void vt_surface_blit(struct vt_surface *to, int32_t x, int32_t y, const struct vt_surface *from,
                     const struct vt_vgpu_rect *part)
{
    struct box b = clip(from, part->x, part->y, part->width, part->height);
    if (b.x >= b.end_x || b.y >= b.end_y) {
        return;
    }
    struct box t = clip(to, x, y, b.end_x - b.x, b.end_y - b.y);
    if (t.x >= t.end_x || t.y >= t.end_y) {
        return;
    }
    /* What was cut off on the left and above is cut off the source, too. */
    uint32_t left = b.x + (uint32_t)((int64_t)t.x - x), top = b.y + (uint32_t)((int64_t)t.y - y);
    size_t bytes = (size_t)(t.end_x - t.x) * sizeof *to->pixels;
    uint32_t rows = t.end_y - t.y;
    /* Downwards onto itself: from the last row, or rows were gone before they are copied. */
    bool backwards = row(to, t.y) > row(from, top);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t r = backwards ? rows - 1 - i : i;
        memmove(row(to, t.y + r) + t.x, row(from, top + r) + left, bytes);
    }
}
