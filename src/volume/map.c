/* volume/map.c - the map of RAM as a picture for people: title, Hilbert field, legend.
 *
 * Laid out for a width of 1600 and scaled to the one asked for: the field on the left, and beside
 * it a column with the share of every class, the largest processes, and how to read the curve.
 */
#include "base/text.h"
#include "volume/draw.h"
#include "volume/field.h"
#include "volume/hilbert2d.h"
#include "volume/marks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAP_WIDTH_MIN 640
#define MAP_WIDTH_MAX 8192

/* The layout's units are pixels of a picture 1600 wide. */
#define DESIGN_WIDTH 1600.0F
#define MARGIN 48.0F
#define FIELD_TOP 132.0F
#define FIELD_ROOM 1024.0F
#define PANEL_LEFT 1120.0F
#define PANEL_RIGHT (DESIGN_WIDTH - MARGIN)
#define FOOT 64.0F
#define ROW 27.0F
#define CURVE_SIDE 112.0F
#define PROCESS_ROWS_MAX 12
#define HIGHLIGHT_ROWS_MAX 8u

static const struct vt_colour ink = {0xf2, 0xf4, 0xf8, 0xff};
static const struct vt_colour ink_soft = {0xb3, 0xba, 0xc7, 0xff};
static const struct vt_colour ink_faint = {0x7d, 0x86, 0x96, 0xff};
static const struct vt_colour paper = {0x0d, 0x10, 0x15, 0xff};
static const struct vt_colour past_end = {0x10, 0x13, 0x19, 0xff};
static const struct vt_colour rule = {0xff, 0xff, 0xff, 0x1e};
static const struct vt_colour track = {0xff, 0xff, 0xff, 0x10};

struct view {
    const struct vt_map_view *map;
    struct vt_canvas *canvas;
    float unit; /* pixels a layout unit */
    uint64_t totals[VT_CLASSES];
    uint8_t *marks; /* highlights of pages; NULL: there are none */
    float y;        /* the panel's next row, layout units */
};

static struct vt_pen pen(const struct view *v, const struct vt_font *font, float size,
                         struct vt_colour colour, enum vt_align align)
{
    return (struct vt_pen){.font = font, .size = size * v->unit, .colour = colour, .align = align};
}

static float text(const struct view *v, const struct vt_pen *p, float x, float y, const char *s)
{
    return vt_canvas_text(v->canvas, p, x * v->unit, y * v->unit, s) / v->unit;
}

/* Guest text made safe for one line. */
static const char *printable(char *out, size_t size, const char *s)
{
    vt_text_printable(out, size, s, strlen(s));
    return out;
}

static const char *grouped(char out[32], uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            memcpy(out + at, "\xc2\xa0", 2); /* a no-break space */
            at += 2;
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *share(char out[16], uint64_t part, uint64_t whole)
{
    double percent = 100.0 * (double)part / (double)whole;
    if (part > 0 && percent < 0.01) {
        snprintf(out, 16, "< 0.01 %%");
    } else {
        snprintf(out, 16, percent > 0 && percent < 0.1 ? "%.2f %%" : "%.1f %%", percent);
    }
    return out;
}

static const char *size_of_pages(char out[24], uint64_t pages)
{
    uint64_t bytes = pages << VT_PAGE_SHIFT;
    if (bytes < 1 << 20) {
        snprintf(out, 24, "%" PRIu64 " KiB", bytes >> 10);
    } else if (bytes < (uint64_t)1 << 30) {
        snprintf(out, 24, "%.1f MiB", (double)bytes / (1 << 20));
    } else {
        snprintf(out, 24, "%.2f GiB", (double)bytes / (1 << 30));
    }
    return out;
}

/* ---- the field ---- */

static enum vt_page_class class_at(const struct vt_map_view *map, uint64_t page)
{
    uint8_t c = map->classes[page];
    return c < VT_CLASSES ? (enum vt_page_class)c : VT_CLASS_HOLE;
}

static struct vt_colour colour_at(const struct vt_map_view *map, uint64_t page)
{
    enum vt_page_class c = class_at(map, page);
    unsigned owner = map->owners != NULL ? map->owners[page] : 0;
    return owner > 0 && owner <= map->n_processes
               ? vt_palette_owner(map->palette, c, owner - 1, map->n_processes)
               : vt_palette_class(map->palette, c);
}

/* The class most of the pages have; between equals, the one in use wins over the one that is not
 * (the order of the enum). */
static struct vt_colour class_colour(const struct view *v, uint64_t first, uint64_t n)
{
    if (n == 1) {
        return colour_at(v->map, first);
    }
    uint64_t count[VT_CLASSES] = {0}, page_of[VT_CLASSES] = {0};
    enum vt_page_class most = VT_CLASS_HOLE;
    for (uint64_t i = 0; i < n; i++) {
        enum vt_page_class c = class_at(v->map, first + i);
        page_of[c] = first + i;
        count[c]++;
    }
    for (enum vt_page_class c = VT_CLASS_HOLE; c < VT_CLASSES; c++) {
        most = count[c] > 0 && count[c] >= count[most] ? c : most;
    }
    return colour_at(v->map, page_of[most]);
}

static struct vt_colour paint(uint64_t first, uint64_t n, void *arg)
{
    const struct view *v = arg;
    struct vt_colour plain = class_colour(v, first, n);
    return v->marks != NULL ? vt_marks_colour(v->map, v->marks, first, n, plain) : plain;
}

static bool address_of_page(const struct vt_map_view *map, uint64_t page, uint64_t *address)
{
    uint64_t off = page << VT_PAGE_SHIFT;
    *address = off;
    for (unsigned i = 0; i < map->n_regions; i++) {
        const struct vt_ram_region *r = &map->regions[i];
        if (off >= r->offset.v && off - r->offset.v < r->bytes) {
            *address = r->gpa.v + (off - r->offset.v);
            return true;
        }
    }
    return map->n_regions == 0;
}

/* Sixteen squares, each with the guest-physical address it begins at. */
static void draw_grid(const struct view *v, const struct vt_field *field, int32_t x, int32_t y)
{
    const struct vt_map_view *map = v->map;
    struct vt_pen p =
        pen(v, &vt_font_semibold, 11, (struct vt_colour){255, 255, 255, 210}, VT_LEFT);
    int32_t thin = v->unit >= 2 ? 2 : 1, side = (int32_t)field->side;
    for (int32_t i = 1; i < 4; i++) {
        struct vt_colour line = {0xff, 0xff, 0xff, i == 2 ? 0x38 : 0x22};
        vt_canvas_rect(v->canvas, x + side * i / 4 - thin / 2, y, thin, side, line);
        vt_canvas_rect(v->canvas, x, y + side * i / 4 - thin / 2, side, thin, line);
    }
    for (uint32_t block = 0; block < 16; block++) {
        uint64_t page = (uint64_t)block << (field->log2_pages - 4), address;
        if (page >= field->n_pages || !address_of_page(map, page, &address)) {
            continue;
        }
        uint32_t bx, by;
        char label[24];
        vt_hilbert2d_point(2, block, &bx, &by);
        snprintf(label, sizeof label, "0x%" PRIx64, address);
        float px = (float)x + (float)(bx * field->side) / 4 + 7 * v->unit;
        float py = (float)y + (float)(by * field->side) / 4 + 7 * v->unit;
        float w = vt_text_width(&p, label);
        vt_canvas_round_rect(v->canvas, px, py, w + 12 * v->unit, 18 * v->unit, 5 * v->unit,
                             (struct vt_colour){0x0d, 0x10, 0x15, 0xa8});
        vt_canvas_text(v->canvas, &p, px + 6 * v->unit, py + 13 * v->unit, label);
    }
}

/* ---- the panel ---- */

static int32_t px(const struct view *v, float units)
{
    return (int32_t)lroundf(units * v->unit);
}

static void heading(struct view *v, const char *title, const char *right)
{
    struct vt_pen p = pen(v, &vt_font_semibold, 13, ink_soft, VT_LEFT);
    text(v, &p, PANEL_LEFT, v->y + 12, title);
    if (right != NULL) {
        p.align = VT_RIGHT;
        p.font = &vt_font_regular;
        p.colour = ink_faint;
        text(v, &p, PANEL_RIGHT, v->y + 12, right);
    }
    int32_t left = px(v, PANEL_LEFT);
    vt_canvas_rect(v->canvas, left, px(v, v->y + 21), px(v, PANEL_RIGHT) - left,
                   v->unit >= 2 ? 2 : 1, rule);
    v->y += 30;
}

/* A bar of `whole` divided by class; `width` layout units. */
static void stacked_bar(const struct view *v, float x, float y, float width, float height,
                        const uint64_t *parts, uint64_t whole, int owner)
{
    uint64_t sum = 0;
    int32_t left = px(v, x), all = px(v, width);
    for (enum vt_page_class c = VT_CLASS_KERNEL_TEXT, i = 0; i < VT_CLASSES; i++) {
        /* What is in use first, the free rest at the right end. */
        c = (enum vt_page_class)((i + VT_CLASS_KERNEL_TEXT) % VT_CLASSES);
        if (i >= VT_CLASSES - VT_CLASS_KERNEL_TEXT) {
            c = (enum vt_page_class)(VT_CLASSES - 1 - i + VT_CLASS_HOLE);
        }
        if (parts[c] == 0 || whole == 0) {
            continue;
        }
        int32_t from = left + (int32_t)((double)all * (double)sum / (double)whole);
        sum += parts[c];
        int32_t to = left + (int32_t)((double)all * (double)sum / (double)whole);
        vt_canvas_rect(
            v->canvas, from, px(v, y), to - from, px(v, y + height) - px(v, y),
            owner < 0 ? vt_palette_class(v->map->palette, c)
                      : vt_palette_owner(v->map->palette, c, (unsigned)owner, v->map->n_processes));
    }
}

static void class_row(struct view *v, enum vt_page_class c)
{
    struct vt_pen name = pen(v, &vt_font_regular, 15, ink, VT_LEFT);
    struct vt_pen number = pen(v, &vt_font_regular, 14, ink_soft, VT_RIGHT);
    struct vt_pen percent = pen(v, &vt_font_semibold, 14, ink, VT_RIGHT);
    char s[32];
    float base = v->y + 14;
    vt_canvas_round_rect(v->canvas, PANEL_LEFT * v->unit, (v->y + 2) * v->unit, 15 * v->unit,
                         15 * v->unit, 4 * v->unit, vt_palette_class(v->map->palette, c));
    if (c == VT_CLASS_HOLE || c == VT_CLASS_ZERO) { /* dark on dark: outline the swatch */
        vt_canvas_frame(v->canvas, px(v, PANEL_LEFT), px(v, v->y + 2), px(v, 15), px(v, 15),
                        v->unit >= 2 ? 2 : 1, rule);
    }
    text(v, &name, PANEL_LEFT + 26, base, vt_class_title(c));
    text(v, &number, PANEL_RIGHT - 176, base, grouped(s, v->totals[c]));
    text(v, &number, PANEL_RIGHT - 80, base, size_of_pages(s, v->totals[c]));
    text(v, &percent, PANEL_RIGHT, base, share(s, v->totals[c], v->map->n_pages));
    v->y += ROW;
}

static void class_group(struct view *v, const char *title, enum vt_page_class from,
                        enum vt_page_class to)
{
    uint64_t sum = 0;
    for (enum vt_page_class c = from; c <= to; c++) {
        sum += v->totals[c];
    }
    if (sum == 0) {
        return;
    }
    char s[16];
    heading(v, title, share(s, sum, v->map->n_pages));
    for (enum vt_page_class c = from; c <= to; c++) {
        if (v->totals[c] > 0) {
            class_row(v, c);
        }
    }
    v->y += 15;
}

static void highlight_row(struct view *v, const struct vt_highlight *h)
{
    struct vt_pen name = pen(v, &vt_font_regular, 15, ink, VT_LEFT);
    struct vt_pen number = pen(v, &vt_font_regular, 14, ink_soft, VT_RIGHT);
    struct vt_pen percent = pen(v, &vt_font_semibold, 14, ink, VT_RIGHT);
    char s[2 * VT_HIGHLIGHT_LABEL_MAX];
    float base = v->y + 14, unit = v->unit;
    vt_canvas_round_rect(v->canvas, PANEL_LEFT * unit, (v->y + 2) * unit, 15 * unit, 15 * unit,
                         4 * unit, h->colour);
    vt_canvas_round_rect(v->canvas, (PANEL_LEFT + 2) * unit, (v->y + 4) * unit, 11 * unit,
                         11 * unit, 2.5F * unit, (struct vt_colour){0x0d, 0x10, 0x15, 0x80});
    name.max_width = (PANEL_RIGHT - 170 - PANEL_LEFT - 26) * unit;
    text(v, &name, PANEL_LEFT + 26, base, printable(s, sizeof s, h->label));
    text(v, &number, PANEL_RIGHT - 80, base, size_of_pages(s, h->bytes >> VT_PAGE_SHIFT));
    text(v, &percent, PANEL_RIGHT, base, share(s, h->bytes >> VT_PAGE_SHIFT, v->map->n_pages));
    v->y += ROW;
}

static void highlight_rows(struct view *v)
{
    unsigned n = v->map->n_highlights, shown = n < HIGHLIGHT_ROWS_MAX ? n : HIGHLIGHT_ROWS_MAX;
    heading(v, "Highlights", "the rest is dimmed");
    for (unsigned i = 0; i < shown; i++) {
        highlight_row(v, &v->map->highlights[i]);
    }
    if (n > shown) {
        struct vt_pen p = pen(v, &vt_font_regular, 14, ink_faint, VT_LEFT);
        char s[32];
        snprintf(s, sizeof s, "and %u more", n - shown);
        text(v, &p, PANEL_LEFT + 26, v->y + 14, s);
        v->y += ROW;
    }
    v->y += 15;
}

static void process_rows(struct view *v, unsigned n)
{
    const struct vt_map_view *map = v->map;
    uint64_t largest = 1;
    for (unsigned i = 0; i < n; i++) {
        largest = map->processes[i].own_pages > largest ? map->processes[i].own_pages : largest;
    }
    heading(v, "Largest processes", "their own pages");
    for (unsigned i = 0; i < n; i++) {
        const struct vt_owner *o = &map->processes[i];
        char s[96];
        float base = v->y + 14;
        struct vt_pen p = pen(v, &vt_font_regular, 15, ink, VT_LEFT);
        p.max_width = 118 * v->unit;
        float w = text(v, &p, PANEL_LEFT, base, printable(s, sizeof s, o->comm));
        p = pen(v, &vt_font_regular, 13, ink_faint, VT_LEFT);
        snprintf(s, sizeof s, "%" PRId32, o->pid);
        text(v, &p, PANEL_LEFT + w + 8, base, s);
        float left = PANEL_LEFT + 184, width = PANEL_RIGHT - 84 - left;
        vt_canvas_rect(v->canvas, px(v, left), px(v, v->y + 4), px(v, width), px(v, 11), track);
        stacked_bar(v, left, v->y + 4, width * (float)((double)o->own_pages / (double)largest), 11,
                    o->classes, o->own_pages, (int)i);
        p = pen(v, &vt_font_regular, 14, ink_soft, VT_RIGHT);
        text(v, &p, PANEL_RIGHT, base, size_of_pages(s, o->own_pages));
        v->y += ROW;
    }
    v->y += 15;
}

/* The curve through the sixteen squares, and what it means. */
static void draw_key(struct view *v, const struct vt_field *field)
{
    heading(v, "How to read it", NULL);
    float cell = CURVE_SIDE / 4, thick = 2.5F;
    struct vt_colour line = ink_soft;
    uint32_t x0 = 0, y0 = 0;
    for (int32_t i = 0; i <= 4; i++) {
        vt_canvas_rect(v->canvas, px(v, PANEL_LEFT), px(v, v->y + cell * (float)i),
                       px(v, CURVE_SIDE), 1, rule);
        vt_canvas_rect(v->canvas, px(v, PANEL_LEFT + cell * (float)i), px(v, v->y), 1,
                       px(v, CURVE_SIDE), rule);
    }
    for (uint32_t d = 1; d < 16; d++) {
        uint32_t x1, y1;
        vt_hilbert2d_point(2, d, &x1, &y1);
        float ax = PANEL_LEFT + cell * ((float)(x0 < x1 ? x0 : x1) + 0.5F);
        float ay = v->y + cell * ((float)(y0 < y1 ? y0 : y1) + 0.5F);
        bool sideways = y0 == y1;
        vt_canvas_round_rect(v->canvas, (ax - thick / 2) * v->unit, (ay - thick / 2) * v->unit,
                             ((sideways ? cell : 0) + thick) * v->unit,
                             ((sideways ? 0 : cell) + thick) * v->unit, 0, line);
        x0 = x1;
        y0 = y1;
    }
    vt_canvas_disc(v->canvas, (PANEL_LEFT + cell / 2) * v->unit, (v->y + cell / 2) * v->unit,
                   5 * v->unit, (struct vt_colour){0x2e, 0xcc, 0x5e, 0xff});
    vt_canvas_disc(v->canvas, (PANEL_LEFT + cell * ((float)x0 + 0.5F)) * v->unit,
                   (v->y + cell * ((float)y0 + 0.5F)) * v->unit, 5 * v->unit,
                   (struct vt_colour){0xf4, 0x43, 0x3f, 0xff});

    char s[3][96], size[24];
    uint64_t block = (uint64_t)1 << (field->log2_pages - 4 + VT_PAGE_SHIFT);
    uint64_t cell_pages = field->halves ? 1 : (uint64_t)1 << field->cell_shift;
    snprintf(s[0], sizeof s[0], "RAM along a Hilbert curve: what is near");
    snprintf(s[1], sizeof s[1], "in memory is near in the picture.");
    snprintf(s[2], sizeof s[2], "Each of the 16 squares holds %s,",
             vt_format_bytes(size, sizeof size, block));
    char dot[96];
    if (cell_pages == 1) {
        snprintf(dot, sizeof dot, "each dot is one page of 4 KiB.");
    } else {
        snprintf(dot, sizeof dot, "each dot is %" PRIu64 " pages of 4 KiB.", cell_pages);
    }
    struct vt_pen p = pen(v, &vt_font_regular, 14, ink_soft, VT_LEFT);
    float x = PANEL_LEFT + CURVE_SIDE + 22;
    const char *lines[] = {s[0], s[1], s[2], dot};
    for (unsigned i = 0; i < 4; i++) {
        p.colour = i < 2 ? ink_soft : ink_faint;
        text(v, &p, x, v->y + 19 + (float)i * 23 + (i >= 2 ? 10 : 0), lines[i]);
    }
    v->y += CURVE_SIDE;
}

/* ---- the whole ---- */

static void draw_title(const struct view *v)
{
    const struct vt_map_view *map = v->map;
    char s[512], system[256], size[24], when[64] = "";
    struct tm tm;
    time_t at = (time_t)map->unix_s;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(when, sizeof when, "%d %b %Y, %H:%M:%S UTC", &tm);
    }
    struct vt_pen p = pen(v, &vt_font_semibold, 36, ink, VT_LEFT);
    p.max_width = (PANEL_RIGHT - MARGIN) * v->unit;
    text(v, &p, MARGIN, 68, printable(s, sizeof s, map->name));
    snprintf(s, sizeof s, "%s%s%s of RAM  \u00b7  %s%s%s",
             map->system != NULL ? printable(system, sizeof system, map->system) : "",
             map->system != NULL ? "  \u00b7  " : "",
             vt_format_bytes(size, sizeof size, map->n_pages << VT_PAGE_SHIFT), when,
             map->consistency != NULL ? "  \u00b7  " : "",
             map->consistency != NULL ? map->consistency : "");
    p = pen(v, &vt_font_regular, 17, ink_soft, VT_LEFT);
    p.max_width = (PANEL_RIGHT - MARGIN) * v->unit;
    text(v, &p, MARGIN, 103, s);
}

static void draw_panel(struct view *v, const struct vt_field *field, float bottom)
{
    v->y = FIELD_TOP;
    stacked_bar(v, PANEL_LEFT, v->y, PANEL_RIGHT - PANEL_LEFT, 16, v->totals, v->map->n_pages, -1);
    v->y += 16 + 22;
    if (v->map->n_highlights > 0) {
        highlight_rows(v);
    }
    class_group(v, "Kernel", VT_CLASS_KERNEL_TEXT, VT_CLASS_PAGE_CACHE);
    class_group(v, "Processes", VT_CLASS_USER_CODE, VT_CLASS_USER_STACK);
    class_group(v, "By contents", VT_CLASS_LIKE_TEXT, VT_CLASS_LIKE_DATA);
    class_group(v, "Not in use", VT_CLASS_HOLE, VT_CLASS_FREE);

    bool key = field->log2_pages >= 4;
    float left = bottom - v->y - (key ? 30 + CURVE_SIDE : 0);
    unsigned n = v->map->n_processes < PROCESS_ROWS_MAX ? v->map->n_processes : PROCESS_ROWS_MAX;
    while (n > 0 && 30 + ROW * (float)n + 15 > left) {
        n--;
    }
    if (n > 0) {
        process_rows(v, n);
    }
    if (key && bottom - v->y >= 30 + CURVE_SIDE) {
        v->y = bottom - CURVE_SIDE - 30;
        draw_key(v, field);
    }
}

static int draw_field(const struct view *v, const struct vt_field *field, struct vt_error *err)
{
    int32_t x = px(v, MARGIN), y = px(v, FIELD_TOP), side = (int32_t)field->side;
    vt_canvas_rect(v->canvas, x, y, side, side, past_end);
    vt_field_draw(field, v->canvas, x, y, paint, (void *)(uintptr_t)v);
    int rc = v->marks != NULL
                 ? vt_marks_draw(v->map, v->marks, field, v->canvas, x, y, v->unit, err)
                 : 0;
    if (field->log2_pages >= 8) {
        draw_grid(v, field, x, y);
    }
    return rc;
}

int vt_map_draw(const struct vt_map_view *map, struct vt_canvas **canvas, struct vt_error *err)
{
    if (map->width < MAP_WIDTH_MIN || map->width > MAP_WIDTH_MAX) {
        return vt_fail(err, VT_E_INVAL, "a width of %" PRIu32 " pixels: %d to %d", map->width,
                       MAP_WIDTH_MIN, MAP_WIDTH_MAX);
    }
    if (map->n_pages == 0 || map->n_pages > (uint64_t)1 << 32) {
        return vt_fail(err, VT_E_INVAL, "%" PRIu64 " pages: 1 to 2^32", map->n_pages);
    }
    struct view v = {.map = map, .unit = (float)map->width / DESIGN_WIDTH};
    struct vt_field field = vt_field_fit(map->n_pages, (uint32_t)(FIELD_ROOM * v.unit));
    float height = FIELD_TOP + FIELD_ROOM + FOOT;
    int rc = vt_marks_create(map, &v.marks, err);
    if (rc == 0) {
        rc = vt_canvas_create(map->width, (uint32_t)lroundf(height * v.unit), &v.canvas, err);
    }
    if (rc != 0) {
        free(v.marks);
        return rc;
    }
    for (uint64_t i = 0; i < map->n_pages; i++) {
        v.totals[class_at(map, i)]++;
    }
    vt_canvas_rect(v.canvas, 0, 0, (int32_t)map->width, (int32_t)vt_canvas_height(v.canvas), paper);
    draw_title(&v);

    rc = draw_field(&v, &field, err);
    free(v.marks);
    if (rc != 0) {
        vt_canvas_destroy(v.canvas);
        return rc;
    }
    draw_panel(&v, &field, FIELD_TOP + FIELD_ROOM);
    struct vt_pen p = pen(&v, &vt_font_regular, 13, ink_faint, VT_LEFT);
    if (map->note != NULL && map->note[0] != '\0') {
        char s[320];
        p.max_width = (PANEL_RIGHT - MARGIN - 160) * v.unit;
        text(&v, &p, MARGIN, FIELD_TOP + FIELD_ROOM + 36, printable(s, sizeof s, map->note));
    }
    if (map->credit != NULL) {
        p.align = VT_RIGHT;
        p.max_width = 0;
        text(&v, &p, PANEL_RIGHT, FIELD_TOP + FIELD_ROOM + 36, map->credit);
    }
    *canvas = v.canvas;
    return 0;
}
