/* cli/view/hud.c - what is drawn over a picture in a window: see hud.h.
 *
 *   what was picked    the page's own box, and a card that says what it is
 *   figures            the line at the upper right
 *   banner             a VM that ended
 *   keys               a card in the middle
 */
#include "cli/view/hud.h"

#include "volume/camera.h"
#include "volume/overlay.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct vt_colour ink = {0xf2, 0xf4, 0xf8, 0xff};
static const struct vt_colour ink_soft = {0xb3, 0xba, 0xc7, 0xff};
static const struct vt_colour glass = {0x0d, 0x10, 0x15, 0xe6};
static const struct vt_colour edge = {0xff, 0xff, 0xff, 0x2c};
static const struct vt_colour picked = {0xff, 0xff, 0xff, 0xf0};
static const struct vt_colour picked_shade = {0x05, 0x07, 0x0a, 0xb0};
static const struct vt_colour alarm_ink = {0xff, 0xd1, 0x66, 0xff};

struct layer {
    const struct vt_hud *hud;
    struct vt_canvas *canvas;
    float width, height, unit; /* pixels, and pixels a unit of a layout of 1280 x 720 */
};

static struct vt_pen pen(const struct layer *l, const struct vt_font *font, float size,
                         struct vt_colour colour, enum vt_align align)
{
    return (struct vt_pen){.font = font, .size = size * l->unit, .colour = colour, .align = align};
}

static void card(const struct layer *l, float x, float y, float w, float h)
{
    float u = l->unit;
    vt_canvas_round_rect(l->canvas, x, y, w, h, 9 * u, edge);
    vt_canvas_round_rect(l->canvas, x + u, y + u, w - 2 * u, h - 2 * u, 8 * u, glass);
}

/* ---- what was picked ---- */

static void page_box(const struct layer *l)
{
    const struct vt_pane *pane = l->hud->pane;
    unsigned order = vt_volume_order(vt_ram_size(pane->target.ram));
    double low[3], high[3];
    struct vt_lens lens;
    vt_camera_lens(l->hud->camera, (double)l->width / (double)l->height, &lens);
    for (unsigned k = 0; k < 3; k++) { /* a page is 16^3 voxels, aligned */
        uint32_t first = pane->pick.at.voxel[k] & ~UINT32_C(15);
        low[k] = ldexp(first, -(int)order);
        high[k] = ldexp(first + 16.0, -(int)order);
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < 12; i++) {
            unsigned axis = i / 4, a = (axis + 1) % 3, b = (axis + 2) % 3;
            double from[3], to[3], at[3], till[3];
            from[axis] = low[axis];
            to[axis] = high[axis];
            from[a] = to[a] = (i & 1) != 0 ? high[a] : low[a];
            from[b] = to[b] = (i & 2) != 0 ? high[b] : low[b];
            if (vt_camera_project_line(&lens, from, to, at, till)) {
                vt_canvas_line(l->canvas, (float)at[0] * l->width, (float)at[1] * l->height,
                               (float)till[0] * l->width, (float)till[1] * l->height,
                               (pass == 0 ? 3.4F : 1.4F) * l->unit,
                               pass == 0 ? picked_shade : picked);
            }
        }
    }
}

/* What a pick says, a line each. */
struct lines {
    char text[5][256];
    unsigned n;
};

static void say(struct lines *lines, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct lines *lines, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(lines->text[lines->n], sizeof lines->text[0], fmt, args);
    va_end(args);
    lines->n++;
}

static void pick_card(const struct layer *l)
{
    const struct vt_pane_pick *pick = &l->hud->pane->pick;
    const struct vt_picked *at = &pick->at;
    enum vt_page_class class = (enum vt_page_class)at->page_class;
    struct lines lines = {.n = 0};
    if (pick->has_gpa) {
        say(&lines, "0x%09" PRIx64, pick->gpa.v);
    } else {
        say(&lines, "file offset 0x%" PRIx64, at->offset.v);
    }
    say(&lines, "%s", vt_class_title(class));
    if (pick->owner[0] != '\0') {
        say(&lines, "of %s", pick->owner);
    }
    if (pick->label[0] != '\0') {
        say(&lines, "in %s", pick->label);
    }
    if (at->value >= 0x21 && at->value < 0x7f) {
        say(&lines, "byte 0x%02x '%c'", at->value, at->value);
    } else {
        say(&lines, "byte 0x%02x", at->value);
    }
    float u = l->unit, w = 0, row = 21 * u, pad = 14 * u;
    for (unsigned i = 0; i < lines.n; i++) {
        struct vt_pen p = pen(l, i == 0 ? &vt_font_semibold : &vt_font_regular, 14, ink, VT_LEFT);
        p.max_width = l->width / 2;
        w = fmaxf(w, vt_text_width(&p, lines.text[i]));
    }
    float x = 28 * u, y = 92 * u;
    w += 2 * pad + 22 * u;
    card(l, x, y, w, (float)lines.n * row + 2 * pad - 6 * u);
    for (unsigned i = 0; i < lines.n; i++) {
        struct vt_pen p = pen(l, i == 0 ? &vt_font_semibold : &vt_font_regular, 14,
                              i == 0 ? ink : ink_soft, VT_LEFT);
        p.max_width = l->width / 2;
        float base = y + pad + 11 * u + (float)i * row;
        vt_canvas_text(l->canvas, &p, x + pad + 22 * u, base, lines.text[i]);
        if (i == 1) {
            vt_canvas_round_rect(l->canvas, x + pad, base - 11 * u, 13 * u, 13 * u, 3.5F * u,
                                 vt_palette_class(l->hud->controls->scene.palette, class));
        }
    }
}

/* ---- figures ---- */

static void figures(const struct vt_hud *hud, char *out, size_t size)
{
    const struct vt_pane *pane = hud->pane;
    char rate[32] = "", scale[32] = "";
    uint64_t ns = pane->cost.gpu_ns > 0 ? pane->cost.gpu_ns : pane->cost.total_ns;
    if (hud->fps > 0) {
        snprintf(rate, sizeof rate, "%.*f fps  \u00b7  ", hud->fps < 9.95 ? 1 : 0, hud->fps);
    }
    if (pane->adapt.scale > 1) {
        snprintf(scale, sizeof scale, "1/%u  \u00b7  ", pane->adapt.scale);
    }
    snprintf(out, size, "%s%s%.1f ms  \u00b7  %.0f pages/s  \u00b7  %.48s", rate, scale,
             (double)ns / 1e6, pane->pages_per_s, hud->device);
}

/* ---- banner ---- */

static void banner(const struct layer *l)
{
    const struct vt_pane *pane = l->hud->pane;
    char text[256];
    snprintf(text, sizeof text, "%.64s has ended  \u00b7  shown as it was last", pane->name);
    const char *more = "it goes on when a VM of this name is started";
    float u = l->unit;
    struct vt_pen p = pen(l, &vt_font_semibold, 16, alarm_ink, VT_CENTRE);
    struct vt_pen q = pen(l, &vt_font_regular, 13, ink_soft, VT_CENTRE);
    p.max_width = q.max_width = l->width - 60 * u;
    float w = fmaxf(vt_text_width(&p, text), vt_text_width(&q, more)) + 44 * u, y = 92 * u;
    card(l, (l->width - w) / 2, y, w, 62 * u);
    vt_canvas_text(l->canvas, &p, l->width / 2, y + 27 * u, text);
    vt_canvas_text(l->canvas, &q, l->width / 2, y + 47 * u, more);
}

/* ---- keys ---- */

static void keys(const struct layer *l)
{
    static const char *const rows[][2] = {
        {"left drag, arrows", "orbit"},
        {"right or shift drag", "pan"},
        {"wheel, + \u2013", "zoom"},
        {"click, double click", "what is there; fly to it"},
        {"1 \u2013 7, 0", "views from each side; all of RAM"},
        {"h  b  l  f  d", "heat, boxes, labels, frame, dim others"},
        {"x  y  z, [  ]", "slice planes, and move the last one"},
        {"t  T", "more, less transparent"},
        {"p  m", "colours, method"},
        {"r  k", "turntable; link cameras"},
        {"F11  F12", "full screen, screenshot"},
        {"Esc  ?  q", "clear, this list, quit"},
    };
    const unsigned n = sizeof rows / sizeof rows[0];
    float u = l->unit, row = 25 * u, w = 520 * u, h = (float)n * row + 40 * u;
    float x = (l->width - w) / 2, y = (l->height - h) / 2;
    card(l, x, y, w, h);
    for (unsigned i = 0; i < n; i++) {
        float base = y + 36 * u + (float)i * row;
        struct vt_pen key = pen(l, &vt_font_semibold, 14, ink, VT_RIGHT);
        struct vt_pen what = pen(l, &vt_font_regular, 14, ink_soft, VT_LEFT);
        vt_canvas_text(l->canvas, &key, x + 180 * u, base, rows[i][0]);
        vt_canvas_text(l->canvas, &what, x + 204 * u, base, rows[i][1]);
    }
}

/* ---- the whole ---- */

static void overlay(const struct layer *l)
{
    const struct vt_hud *hud = l->hud;
    const struct vt_pane *pane = hud->pane;
    static const struct vt_highlights none;
    const struct vt_highlights *set =
        pane->follow != NULL ? vt_follow_highlights(pane->follow) : &none;
    const struct vt_ram_region *regions;
    bool words = hud->controls->scene.labels;
    char credit[160];
    figures(hud, credit, sizeof credit);
    struct vt_overlay over = {
        .camera = hud->camera,
        .scene = &hud->controls->scene,
        .order = vt_volume_order(vt_ram_size(pane->target.ram)),
        .ram_bytes = vt_ram_size(pane->target.ram),
        .highlights = set->all,
        .n_highlights = set->n,
        .name = words ? pane->name : NULL,
        .system = pane->seen.system,
        .consistency = pane->ended ? "ended" : pane->seen.consistency,
        .credit = credit,
        .unix_s = (int64_t)time(NULL),
        .totals = words ? pane->totals : NULL,
    };
    over.n_regions = vt_ram_regions(pane->target.ram, &regions);
    over.regions = regions;
    vt_overlay_draw(&over, l->canvas);
}

int vt_hud_draw(const struct vt_hud *hud, struct vt_canvas **canvas, struct vt_error *err)
{
    struct layer l = {
        .hud = hud, .width = (float)hud->pane->width, .height = (float)hud->pane->height};
    int rc = vt_canvas_create(hud->pane->width, hud->pane->height, &l.canvas, err);
    if (rc != 0) {
        return rc;
    }
    l.unit = fmaxf(fminf(l.width / 1280, l.height / 720), 0.75F);
    bool letters = l.width >= 320 && l.height >= 180;
    if (hud->pane->target.ram != NULL) {
        overlay(&l);
    }
    if (hud->pane->pick.there) {
        page_box(&l);
    }
    if (hud->pane->pick.there && letters) {
        pick_card(&l);
    }
    if (hud->pane->ended && letters) {
        banner(&l);
    }
    if (hud->controls->help && letters) {
        keys(&l);
    }
    *canvas = l.canvas;
    return 0;
}
