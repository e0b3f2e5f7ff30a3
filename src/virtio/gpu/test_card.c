/* virtio/gpu/test_card.c - a picture that shows what is wrong: corners in four colours (turned or
 * mirrored), a frame of single pixels (cut off), a circle (stretched), bars and ramps (channels
 * swapped or lost), stripes of single pixels (scaled), and words (which one is it?).
 *
 * Everything is placed in cells of an eighteenth of the height, counted from the middle.
 */
#include "virtio/gpu/font.h"
#include "virtio/gpu/say.h"
#include "vitrine/virtio_gpu.h"

enum colour {
    GROUND = 0x181c24,
    GRID = 0x384250,
    BOX = 0x0a0c10,
    WHITE = 0xffffff,
    GREY = 0xa8b4c4,
    RED = 0xff0000,
    GREEN = 0x00ff00,
    BLUE = 0x0000ff,
};

struct card {
    struct vt_surface *s;
    int64_t width, height, cell, middle_x, middle_y;
    int64_t left, right; /* of the bars and what is below them */
};

/* [x, end_x) x [y, end_y), any of it outside. */
static void fill(const struct card *c, int64_t x, int64_t y, int64_t end_x, int64_t end_y,
                 uint32_t colour)
{
    x = x < 0 ? 0 : x;
    y = y < 0 ? 0 : y;
    if (end_x > x && end_y > y) {
        vt_surface_fill(c->s,
                        &(struct vt_vgpu_rect){(uint32_t)x, (uint32_t)y, (uint32_t)(end_x - x),
                                               (uint32_t)(end_y - y)},
                        colour);
    }
}

static void background(const struct card *c)
{
    fill(c, 0, 0, c->width, c->height, GROUND);
    for (int64_t x = c->middle_x % c->cell; x < c->width; x += c->cell) {
        fill(c, x, 0, x + 1, c->height, GRID);
    }
    for (int64_t y = c->middle_y % c->cell; y < c->height; y += c->cell) {
        fill(c, 0, y, c->width, y + 1, GRID);
    }
    int64_t mark = 3 * c->cell / 2, w = c->width, h = c->height;
    fill(c, 0, 0, mark, mark, RED);
    fill(c, w - mark, 0, w, mark, GREEN);
    fill(c, 0, h - mark, mark, h, BLUE);
    fill(c, w - mark, h - mark, w, h, WHITE);
    fill(c, 0, 0, w, 1, WHITE);
    fill(c, 0, h - 1, w, h, WHITE);
    fill(c, 0, 0, 1, h, WHITE);
    fill(c, w - 1, 0, w, h, WHITE);
    /* Inside the white corner its frame is black, or it would not be seen. */
    fill(c, w - mark, h - 1, w, h, 0);
    fill(c, w - 1, h - mark, w, h, 0);
}

static void bars(const struct card *c, int64_t top, int64_t bottom)
{
    static const uint32_t colours[] = {0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
                                       0xff00ff, 0xff0000, 0x0000ff, 0x000000};
    int64_t n = sizeof colours / sizeof colours[0], wide = c->right - c->left;
    for (int64_t i = 0; i < n; i++) {
        fill(c, c->left + wide * i / n, top, c->left + wide * (i + 1) / n, bottom, colours[i]);
    }
}

static void ramps(const struct card *c, int64_t top, int64_t bottom)
{
    static const uint32_t units[] = {0x010101, 0x010000, 0x000100, 0x000001};
    int64_t wide = c->right - c->left, high = bottom - top;
    for (int64_t x = 0; x < wide; x++) {
        uint32_t v = (uint32_t)(wide > 1 ? x * 255 / (wide - 1) : 0);
        for (int64_t i = 0; i < 4; i++) {
            fill(c, c->left + x, top + high * i / 4, c->left + x + 1, top + high * (i + 1) / 4,
                 v * units[i]);
        }
    }
}

/* Upright, lying, chequered in single pixels; a fan of lines. */
static void stripes(const struct card *c, int64_t top, int64_t bottom)
{
    int64_t wide = (c->right - c->left) / 4, last = c->left + 3 * wide;
    fill(c, c->left, top, c->right, bottom, BOX);
    for (int64_t y = top; y < bottom; y++) {
        for (int64_t x = 0; x < wide; x++) {
            fill(c, c->left + x, y, c->left + x + 1, y + 1, x % 2 == 0 ? WHITE : BOX);
            fill(c, c->left + wide + x, y, c->left + wide + x + 1, y + 1, y % 2 == 0 ? WHITE : BOX);
            fill(c, c->left + 2 * wide + x, y, c->left + 2 * wide + x + 1, y + 1,
                 (x + y) % 2 == 0 ? WHITE : BOX);
        }
    }
    for (int64_t i = 0; i <= 8; i++) {
        int64_t x = last + (c->right - 1 - last) * i / 8, y = top + (bottom - 1 - top) * i / 8;
        vt_surface_line(c->s, (int32_t)last, (int32_t)top, (int32_t)x, (int32_t)bottom - 1, GREY);
        vt_surface_line(c->s, (int32_t)last, (int32_t)top, (int32_t)c->right - 1, (int32_t)y, GREY);
    }
}

static int64_t root(int64_t v)
{
    int64_t r = 0;
    for (int64_t bit = (int64_t)1 << 31; bit > 0; bit >>= 1) {
        if ((r + bit) * (r + bit) <= v) {
            r += bit;
        }
    }
    return r;
}

static void circle(const struct card *c)
{
    int64_t smaller = c->width < c->height ? c->width : c->height;
    int64_t outer = smaller * 4 / 9, inner = outer - 1 - c->cell / 24;
    for (int64_t y = -outer; y <= outer; y++) {
        int64_t x = root(outer * outer - y * y), hole = -1;
        if (y >= -inner && y <= inner) {
            hole = root(inner * inner - y * y);
        }
        fill(c, c->middle_x - x, c->middle_y + y, c->middle_x - hole, c->middle_y + y + 1, WHITE);
        fill(c, c->middle_x + hole + 1, c->middle_y + y, c->middle_x + x + 1, c->middle_y + y + 1,
             WHITE);
    }
}

/* ---------------------------------------------------------------- words */

static int64_t length(const char *text)
{
    int64_t n = 0;
    while (text[n] != 0) {
        n++;
    }
    return n;
}

/* In the middle, as large as `scale` if that fits. */
static void words(const struct card *c, int64_t y, int64_t scale, uint32_t colour, const char *text)
{
    int64_t room = c->right - c->left, n = length(text) * VT_FONT_WIDTH;
    scale = scale < 1 ? 1 : scale;
    while (scale > 1 && n * scale > room) {
        scale--;
    }
    vt_surface_text(c->s, (int32_t)(c->middle_x - n * scale / 2), (int32_t)y, (unsigned)scale,
                    colour, text);
}

static void text(const struct card *c, int64_t top, int64_t bottom, const char *label)
{
    fill(c, c->left, top, c->right, bottom, BOX);
    char size[48];
    struct vt_vgpu_text said;
    vt_vgpu_say_begin(&said, size, sizeof size);
    vt_vgpu_say_number(&said, c->s->width);
    vt_vgpu_say(&said, " x ");
    vt_vgpu_say_number(&said, c->s->height);
    words(c, top + c->cell / 8, c->cell * 3 / 32, WHITE, size);
    words(c, bottom - c->cell * 9 / 8, c->cell / 20, GREY, label);
    char line[VT_FONT_LAST - VT_FONT_FIRST + 2];
    unsigned n = 0;
    int64_t scale = c->cell / 26 < 1 ? 1 : c->cell / 26, y = bottom + scale * 2;
    for (char ch = VT_FONT_FIRST; ch <= VT_FONT_LAST; ch++) {
        line[n++] = ch;
        if (n == 48 || ch == VT_FONT_LAST) {
            line[n] = 0;
            int64_t half = (int64_t)n * scale * VT_FONT_WIDTH / 2;
            fill(c, c->middle_x - half, y, c->middle_x + half, y + scale * VT_FONT_HEIGHT, GROUND);
            words(c, y, scale, GREY, line);
            n = 0;
            y += scale * VT_FONT_HEIGHT;
        }
    }
}

void vt_surface_test_card(struct vt_surface *s, const char *label)
{
    if (s->width == 0 || s->height == 0) {
        return;
    }
    struct card c = {.s = s, .width = s->width, .height = s->height};
    c.cell = c.height / 18 < 4 ? 4 : c.height / 18;
    c.middle_x = c.width / 2;
    c.middle_y = c.height / 2;
    int64_t half = c.middle_x - 2 * c.cell;
    half = half > 10 * c.cell ? 10 * c.cell : half < 0 ? 0 : half;
    c.left = c.middle_x - half;
    c.right = c.middle_x + half;
    background(&c);
    bars(&c, c.middle_y - 7 * c.cell, c.middle_y - 3 * c.cell);
    ramps(&c, c.middle_y - 3 * c.cell, c.middle_y + c.cell);
    stripes(&c, c.middle_y + c.cell, c.middle_y + 4 * c.cell);
    circle(&c);
    text(&c, c.middle_y + 4 * c.cell, c.middle_y + 7 * c.cell, label);
}
