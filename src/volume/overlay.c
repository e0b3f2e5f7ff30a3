/* volume/overlay.c - see overlay.h.
 *
 * Laid out for a picture of 1280 x 720 and scaled to the one there is. Edges of a box that its own
 * faces would hide are faint, so that a frame of lines is seen as a body.
 *
 *   boxes      edges in perspective
 *   labels     in two columns beside the cube, each with a line to its box; no two lines cross
 *   title      a band above
 *   legend     a band below: swatches in rows
 */
#include "volume/overlay.h"

#include "base/text.h"
#include "volume/camera.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MARGIN 28.0F
#define BAND_TOP 76.0F
#define LEGEND_ROW 26.0F
#define LEGEND_PAD 15.0F
#define LEGEND_ROWS_MAX 3u
#define FRAME_TRIES 4
#define TURN_TRIES 24
#define TURN_SLACK 1.04
#define LEVEL_MIN 0.2 /* cosine of the steepest view that is moved up or down */
#define LEGEND_HIGHLIGHTS_MAX 8u
#define LABEL_HEIGHT 26.0F
#define LABEL_STEP 33.0F
#define LABEL_WIDTH_MAX 250.0F
#define LABEL_SHARE_MAX 0.27F /* of the picture's width */
#define LABEL_INSET 38.0F     /* of its width: not text */
#define LABELS_MAX 24u        /* a side */

static const struct vt_colour ink = {0xf2, 0xf4, 0xf8, 0xff};
static const struct vt_colour ink_soft = {0xb3, 0xba, 0xc7, 0xff};
static const struct vt_colour ink_faint = {0x7d, 0x86, 0x96, 0xff};
static const struct vt_colour glass = {0x0d, 0x10, 0x15, 0xc8};
static const struct vt_colour rule = {0xff, 0xff, 0xff, 0x1e};
static const struct vt_colour shade = {0x05, 0x07, 0x0a, 0x70};
static const struct vt_colour edge_front = {0xff, 0xff, 0xff, 0x78};
static const struct vt_colour edge_back = {0xff, 0xff, 0xff, 0x24};

struct body {
    double low[3], high[3];
};

struct layer {
    const struct vt_overlay *o;
    struct vt_drawing *drawing;
    struct vt_lens lens;
    struct body ram;           /* what the frame is around */
    float width, height, unit; /* pixels, and pixels a unit of the layout */
    float top, bottom;         /* of what is left between the bands */
};

static const char *printable(char *out, size_t size, const char *s)
{
    vt_text_printable(out, size, s, strlen(s));
    return out;
}

static struct vt_pen pen(const struct layer *l, const struct vt_font *font, float size,
                         struct vt_colour colour, enum vt_align align)
{
    return (struct vt_pen){.font = font, .size = size * l->unit, .colour = colour, .align = align};
}

/* ---- boxes ---- */

static struct body body_of(const struct vt_box *box, unsigned order)
{
    struct body b;
    for (unsigned k = 0; k < 3; k++) {
        b.low[k] = ldexp(box->min[k], -(int)order);
        b.high[k] = ldexp(box->max[k] + 1.0, -(int)order);
    }
    return b;
}

static void draw_line(const struct layer *l, const double from[3], const double to[3], float thick,
                      struct vt_colour colour)
{
    double a[3], b[3];
    if (vt_camera_project_line(&l->lens, from, to, a, b)) {
        vt_drawing_line(l->drawing, (float)(a[0] * (double)l->width),
                        (float)(a[1] * (double)l->height), (float)(b[0] * (double)l->width),
                        (float)(b[1] * (double)l->height), thick, colour);
    }
}

/* The edges whose faces look at the eye, or the others. */
static void draw_edges(const struct layer *l, const struct body *b, bool front, float thick,
                       struct vt_colour colour)
{
    for (unsigned axis = 0; axis < 3; axis++) {
        for (unsigned corner = 0; corner < 4; corner++) {
            double from[3], to[3];
            bool seen = false;
            from[axis] = b->low[axis];
            to[axis] = b->high[axis];
            for (unsigned i = 0; i < 2; i++) {
                unsigned k = (axis + 1 + i) % 3;
                bool high = (corner >> i & 1) != 0;
                from[k] = to[k] = high ? b->high[k] : b->low[k];
                seen |= high ? l->lens.eye[k] > b->high[k] : l->lens.eye[k] < b->low[k];
            }
            if (seen == front) {
                draw_line(l, from, to, thick, colour);
            }
        }
    }
}

static void draw_body(const struct layer *l, const struct body *b, struct vt_colour front,
                      struct vt_colour back, float thick)
{
    draw_edges(l, b, false, thick, back);
    draw_edges(l, b, true, thick + 1.5F * l->unit, shade);
    draw_edges(l, b, true, thick, front);
}

static struct body ram_of(const struct vt_overlay *o)
{
    struct vt_box box;
    if (o->ram_bytes == 0 || vt_volume_box(o->order, VT_OFF(0), o->ram_bytes, &box, NULL) != 0) {
        return (struct body){.high = {1, 1, 1}};
    }
    return body_of(&box, o->order);
}

/* ---- labels ---- */

/* The words of a label, and its whole width. */
static float label_text(const struct layer *l, const struct vt_highlight *h, struct vt_pen *p,
                        char s[4 * VT_HIGHLIGHT_LABEL_MAX + 1])
{
    float most = fminf(LABEL_WIDTH_MAX * l->unit, LABEL_SHARE_MAX * l->width);
    *p = pen(l, &vt_font_semibold, 13, ink, VT_LEFT);
    p->max_width = most - LABEL_INSET * l->unit;
    printable(s, 4 * VT_HIGHLIGHT_LABEL_MAX + 1, h->label);
    return vt_text_width(p, s) + LABEL_INSET * l->unit;
}

struct label {
    const struct vt_highlight *highlight;
    float x, y; /* what it is about, pixels */
    float slot; /* its own upper edge */
};

struct column {
    struct label all[LABELS_MAX];
    unsigned n, room;
    float edge;   /* where its lines begin */
    float widest; /* label, so far */
};

/* The middle of the largest box, in pixels. False: not in the picture. */
static bool anchor(const struct layer *l, const struct body *bodies, size_t n, float *x, float *y)
{
    double most = -1, middle[3] = {0}, at[3];
    for (size_t i = 0; i < n; i++) {
        double size = 1;
        for (unsigned k = 0; k < 3; k++) {
            size *= bodies[i].high[k] - bodies[i].low[k];
        }
        if (size > most) {
            most = size;
            for (unsigned k = 0; k < 3; k++) {
                middle[k] = (bodies[i].low[k] + bodies[i].high[k]) / 2;
            }
        }
    }
    if (n == 0 || !vt_camera_project(&l->lens, middle, at) || at[0] < 0 || at[0] > 1 || at[1] < 0 ||
        at[1] > 1) {
        return false;
    }
    *x = (float)at[0] * l->width;
    *y = (float)at[1] * l->height;
    return true;
}

/* Where the columns are: just outside of RAM. */
static void place_columns(const struct layer *l, struct column side[2])
{
    float low = l->width / 2, high = l->width / 2, gap = 34 * l->unit;
    for (unsigned corner = 0; corner < 8; corner++) {
        double at[3], p[3];
        for (unsigned k = 0; k < 3; k++) {
            p[k] = (corner >> k & 1) != 0 ? l->ram.high[k] : l->ram.low[k];
        }
        if (vt_camera_project(&l->lens, p, at)) {
            low = fminf(low, (float)at[0] * l->width);
            high = fmaxf(high, (float)at[0] * l->width);
        }
    }
    float room = fmaxf((l->bottom - l->top) / (LABEL_STEP * l->unit), 0);
    side[0] = (struct column){.edge = low - gap};
    side[1] = (struct column){.edge = high + gap};
    side[0].room = side[1].room = (unsigned)fminf(room, (float)LABELS_MAX);
}

/* Into the picture, as wide as they are. */
static void keep_inside(const struct layer *l, struct column side[2])
{
    float margin = MARGIN * l->unit;
    side[0].edge = fmaxf(side[0].edge, margin + side[0].widest);
    side[1].edge = fminf(side[1].edge, l->width - margin - side[1].widest);
}

static void add_label(const struct layer *l, struct column side[2], struct label label)
{
    char s[4 * VT_HIGHLIGHT_LABEL_MAX + 1];
    struct vt_pen p;
    unsigned want = label.x > l->width / 2, other = !want;
    struct column *c = side[want].n < side[want].room ? &side[want] : &side[other];
    if (c->n >= c->room) {
        return; /* as many as can be read are there */
    }
    c->widest = fmaxf(c->widest, label_text(l, label.highlight, &p, s));
    unsigned at = c->n++;
    for (; at > 0 && c->all[at - 1].y > label.y; at--) {
        c->all[at] = c->all[at - 1];
    }
    c->all[at] = label;
}

static float turn(float ax, float ay, float bx, float by, float cx, float cy)
{
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
}

/* Whether the lines of two labels cross. */
static bool crossing(const struct column *c, const struct label *a, const struct label *b,
                     float half)
{
    float ay = a->slot + half, by = b->slot + half;
    return turn(c->edge, ay, a->x, a->y, c->edge, by) * turn(c->edge, ay, a->x, a->y, b->x, b->y) <
               0 &&
           turn(c->edge, by, b->x, b->y, c->edge, ay) * turn(c->edge, by, b->x, b->y, a->x, a->y) <
               0;
}

/* Each beside what it is about, then apart from each other, then within the picture; where lines
 * cross, labels change places: all lines together get shorter each time, so this ends. */
static void settle(const struct layer *l, struct column *c)
{
    float half = LABEL_HEIGHT / 2 * l->unit, step = LABEL_STEP * l->unit, next = l->top;
    for (unsigned i = 0; i < c->n; i++) {
        c->all[i].slot = fmaxf(c->all[i].y - half, next);
        next = c->all[i].slot + step;
    }
    next = l->bottom - LABEL_HEIGHT * l->unit;
    for (unsigned i = c->n; i-- > 0;) {
        c->all[i].slot = fminf(c->all[i].slot, next);
        next = c->all[i].slot - step;
    }
    bool again = true;
    for (unsigned pass = 0; again && pass < LABELS_MAX * LABELS_MAX; pass++) {
        again = false;
        for (unsigned i = 0; i < c->n; i++) {
            for (unsigned k = 0; k < i; k++) {
                if (crossing(c, &c->all[i], &c->all[k], half)) {
                    float slot = c->all[i].slot;
                    c->all[i].slot = c->all[k].slot;
                    c->all[k].slot = slot;
                    again = true;
                }
            }
        }
    }
}

static void draw_leaders(const struct layer *l, const struct column *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        const struct label *a = &c->all[i];
        float y = a->slot + LABEL_HEIGHT / 2 * l->unit, u = l->unit;
        vt_drawing_line(l->drawing, c->edge, y, a->x, a->y, 3 * u, shade);
        vt_drawing_line(l->drawing, c->edge, y, a->x, a->y, 1.3F * u, a->highlight->colour);
        vt_drawing_disc(l->drawing, a->x, a->y, 4.5F * u, shade);
        vt_drawing_disc(l->drawing, a->x, a->y, 3.2F * u, a->highlight->colour);
    }
}

static void draw_labels(const struct layer *l, const struct column *c, bool left)
{
    float u = l->unit;
    for (unsigned i = 0; i < c->n; i++) {
        const struct label *a = &c->all[i];
        char s[4 * VT_HIGHLIGHT_LABEL_MAX + 1];
        struct vt_pen p;
        float w = label_text(l, a->highlight, &p, s), x = left ? c->edge - w : c->edge;
        vt_drawing_round_rect(l->drawing, x, a->slot, w, LABEL_HEIGHT * u, 7 * u,
                              a->highlight->colour);
        vt_drawing_round_rect(l->drawing, x + 1.2F * u, a->slot + 1.2F * u, w - 2.4F * u,
                              (LABEL_HEIGHT - 2.4F) * u, 5.8F * u,
                              (struct vt_colour){0x0d, 0x10, 0x15, 0xf0});
        vt_drawing_disc(l->drawing, x + 15 * u, a->slot + LABEL_HEIGHT / 2 * u, 4.5F * u,
                        a->highlight->colour);
        vt_drawing_text(l->drawing, &p, x + 26 * u, a->slot + 17.5F * u, s);
    }
}

/* Boxes of the newest on top; of too many labels the newest are kept. */
static void draw_highlights(const struct layer *l, bool letters)
{
    const struct vt_overlay *o = l->o;
    struct column side[2];
    place_columns(l, side);
    for (size_t i = 0; i < o->n_highlights; i++) {
        const struct vt_highlight *h = &o->highlights[i];
        struct vt_highlight_boxes found;
        const struct vt_highlight_boxes *boxes = o->boxes != NULL ? &o->boxes[i] : &found;
        struct body bodies[VT_HIGHLIGHT_BOXES_MAX];
        if (o->boxes == NULL) {
            found.n = vt_highlight_boxes(h, o->order, o->regions, o->n_regions, found.box);
        }
        struct vt_colour back = h->colour;
        back.a = 0x60;
        for (size_t k = 0; k < boxes->n; k++) {
            bodies[k] = body_of(&boxes->box[k], o->order);
            if (o->scene->boxes) {
                draw_body(l, &bodies[k], h->colour, back, 1.5F * l->unit);
            }
        }
        struct label label = {.highlight = h};
        size_t newer = o->n_highlights - 1 - i;
        if (o->scene->labels && letters && newer < (size_t)side[0].room + side[1].room &&
            anchor(l, bodies, boxes->n, &label.x, &label.y)) {
            add_label(l, side, label);
        }
    }
    keep_inside(l, side);
    for (unsigned i = 0; i < 2; i++) {
        settle(l, &side[i]);
        draw_leaders(l, &side[i]);
    }
    draw_labels(l, &side[0], true);
    draw_labels(l, &side[1], false);
}

/* ---- title ---- */

static void draw_title(struct layer *l)
{
    const struct vt_overlay *o = l->o;
    float u = l->unit;
    char s[512], system[256], size[24], when[64] = "";
    struct tm tm;
    time_t at = (time_t)o->unix_s;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(when, sizeof when, "%d %b %Y, %H:%M:%S UTC", &tm);
    }
    int32_t band = (int32_t)lroundf(BAND_TOP * u);
    vt_drawing_rect(l->drawing, 0, 0, (int32_t)l->width, band, glass);
    vt_drawing_rect(l->drawing, 0, band, (int32_t)l->width, u >= 2 ? 2 : 1, rule);
    struct vt_pen p = pen(l, &vt_font_regular, 12, ink_faint, VT_RIGHT);
    float credit =
        o->credit != NULL
            ? vt_drawing_text(l->drawing, &p, l->width - MARGIN * u, 34 * u, o->credit) + MARGIN * u
            : 0;
    p = pen(l, &vt_font_semibold, 24, ink, VT_LEFT);
    p.max_width = l->width - 2 * MARGIN * u - credit;
    vt_drawing_text(l->drawing, &p, MARGIN * u, 36 * u, printable(s, sizeof s, o->name));
    uint64_t pages = 0;
    for (unsigned c = 0; o->totals != NULL && c < VT_CLASSES; c++) {
        pages += o->totals[c];
    }
    snprintf(s, sizeof s, "%s%s%s%s%s%s%s",
             o->system != NULL ? printable(system, sizeof system, o->system) : "",
             o->system != NULL ? "  \u00b7  " : "",
             pages > 0 ? vt_format_bytes(size, sizeof size, pages << VT_PAGE_SHIFT) : "",
             pages > 0 ? " of RAM  \u00b7  " : "", when, o->consistency != NULL ? "  \u00b7  " : "",
             o->consistency != NULL ? o->consistency : "");
    p = pen(l, &vt_font_regular, 14, ink_soft, VT_LEFT);
    p.max_width = l->width - 2 * MARGIN * u;
    vt_drawing_text(l->drawing, &p, MARGIN * u, 60 * u, s);
    l->top = (BAND_TOP + 14) * u;
}

/* ---- legend ---- */

struct item {
    char text[4 * VT_HIGHLIGHT_LABEL_MAX + 1], share[16];
    struct vt_colour colour;
    bool highlight;
    float width; /* pixels, the gap to the next included */
    unsigned row;
};

struct legend {
    struct item all[VT_CLASSES + LEGEND_HIGHLIGHTS_MAX];
    unsigned n, rows;
    float x;
};

static void percent(char out[16], uint64_t part, uint64_t whole)
{
    double share = whole > 0 ? 100.0 * (double)part / (double)whole : 0;
    snprintf(out, 16, share > 0 && share < 0.1 ? "< 0.1 %%" : "%.1f %%", share);
}

static void add_item(const struct layer *l, struct legend *g, struct vt_colour colour,
                     const char *text, uint64_t part, uint64_t whole, bool highlight)
{
    float u = l->unit;
    struct item *it = &g->all[g->n];
    struct vt_pen name = pen(l, &vt_font_regular, 13, ink, VT_LEFT);
    name.max_width = LABEL_WIDTH_MAX * u;
    *it = (struct item){.colour = colour, .highlight = highlight};
    printable(it->text, sizeof it->text, text);
    percent(it->share, part, whole);
    it->width = vt_text_width(&name, it->text) + vt_text_width(&name, it->share) + 54 * u;
    if (g->x + it->width > l->width - (2 * MARGIN - 26) * u && g->x > 0) {
        g->rows++;
        g->x = 0;
    }
    if (g->rows < LEGEND_ROWS_MAX) {
        it->row = g->rows;
        g->x += it->width;
        g->n++;
    }
}

static void draw_item(const struct layer *l, const struct item *it, float x, float base)
{
    float u = l->unit;
    vt_drawing_round_rect(l->drawing, x, base - 11.5F * u, 13 * u, 13 * u, 3.5F * u, it->colour);
    if (it->highlight) {
        vt_drawing_round_rect(l->drawing, x + 2 * u, base - 9.5F * u, 9 * u, 9 * u, 2 * u,
                              (struct vt_colour){0x0d, 0x10, 0x15, 0x90});
    }
    struct vt_pen p = pen(l, &vt_font_regular, 13, ink, VT_LEFT);
    p.max_width = LABEL_WIDTH_MAX * u;
    float w = vt_drawing_text(l->drawing, &p, x + 21 * u, base, it->text);
    p.colour = ink_faint;
    vt_drawing_text(l->drawing, &p, x + 28 * u + w, base, it->share);
}

/* Highlights, then the classes that are there to see. */
static void draw_legend(struct layer *l)
{
    const struct vt_overlay *o = l->o;
    struct legend g = {.n = 0};
    uint64_t whole = 0;
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        whole += o->totals[c];
    }
    for (size_t i = 0; i < o->n_highlights && i < LEGEND_HIGHLIGHTS_MAX; i++) {
        const struct vt_highlight *h = &o->highlights[i];
        add_item(l, &g, h->colour, h->label, h->bytes >> VT_PAGE_SHIFT, whole, true);
    }
    for (enum vt_page_class c = VT_CLASS_FREE; c < VT_CLASSES; c++) {
        if (o->totals[c] > 0 && o->scene->class_opacity[c] > 0) {
            add_item(l, &g, vt_palette_class(o->scene->palette, c), vt_class_title(c), o->totals[c],
                     whole, false);
        }
    }
    if (g.n == 0) {
        return;
    }
    float u = l->unit, rows = (float)g.all[g.n - 1].row + 1;
    float band = l->height - (rows * LEGEND_ROW + 2 * LEGEND_PAD - 6) * u, x = MARGIN * u;
    int32_t y = (int32_t)lroundf(band);
    vt_drawing_rect(l->drawing, 0, y, (int32_t)l->width, (int32_t)l->height - y, glass);
    vt_drawing_rect(l->drawing, 0, y, (int32_t)l->width, u >= 2 ? 2 : 1, rule);
    for (unsigned i = 0; i < g.n; i++) {
        if (i > 0 && g.all[i].row != g.all[i - 1].row) {
            x = MARGIN * u;
        }
        draw_item(l, &g.all[i], x, band + (LEGEND_PAD + 13 + LEGEND_ROW * (float)g.all[i].row) * u);
        x += g.all[i].width;
    }
    l->bottom = band - 14 * u;
}

/* ---- the whole ---- */

static float unit_of(float width, float height)
{
    return fmaxf(fminf(width / 1280, height / 720), 0.75F);
}

/* Bands need room beside what they are about. */
static bool has_bands(float width, float height)
{
    return width >= 480 && height >= 270;
}

/* Where the box's corners are in the picture, 0-1; false where one is not before the eye. */
static bool bounds(const struct vt_camera *camera, const struct vt_box *box, unsigned order,
                   double aspect, double low[2], double high[2])
{
    struct body b = body_of(box, order);
    struct vt_lens lens;
    vt_camera_lens(camera, aspect, &lens);
    for (unsigned corner = 0; corner < 8; corner++) {
        double at[3], p[3];
        for (unsigned k = 0; k < 3; k++) {
            p[k] = (corner >> k & 1) != 0 ? b.high[k] : b.low[k];
        }
        if (!vt_camera_project(&lens, p, at)) {
            return false;
        }
        for (unsigned k = 0; k < 2; k++) {
            low[k] = corner == 0 ? at[k] : fmin(low[k], at[k]);
            high[k] = corner == 0 ? at[k] : fmax(high[k], at[k]);
        }
    }
    return true;
}

/* What the bands leave of a picture at least, 0-1. */
struct room {
    double top, bottom, side;
};

static struct room room_of(uint32_t width, uint32_t height)
{
    float w = (float)width, h = (float)height, u = unit_of(w, h), gap = 14 * u;
    float legend = (LEGEND_ROWS_MAX * LEGEND_ROW + 2 * LEGEND_PAD) * u;
    return (struct room){.top = (double)((BAND_TOP * u + gap) / h),
                         .bottom = 1 - (double)((legend + gap) / h),
                         .side = (double)(MARGIN * u / w)};
}

void vt_overlay_frame(struct vt_camera *camera, const struct vt_box *box, unsigned order,
                      uint32_t width, uint32_t height, bool labels)
{
    struct room room = room_of(width, height);
    double aspect = (double)width / height, low[2], high[2];
    vt_camera_frame(camera, box, order, aspect);
    /* Perspective makes it a matter of trying; each try comes close to what it aims at. */
    for (unsigned i = 0; labels && has_bands((float)width, (float)height) && i < FRAME_TRIES &&
                         bounds(camera, box, order, aspect, low, high);
         i++) {
        vt_camera_zoom(camera, fmax((high[0] - low[0]) / (1 - 2 * room.side),
                                    (high[1] - low[1]) / (room.bottom - room.top)));
        if (bounds(camera, box, order, aspect, low, high)) {
            vt_camera_pan(camera, ((low[0] + high[0]) / 2 - 0.5) * aspect,
                          (room.top + room.bottom) / 2 - (low[1] + high[1]) / 2);
        }
    }
}

static double distance_of(const struct vt_camera *c)
{
    double x = c->eye[0] - c->target[0], y = c->eye[1] - c->target[1], z = c->eye[2] - c->target[2];
    return sqrt(x * x + y * y + z * z);
}

void vt_overlay_frame_turning(struct vt_camera *camera, const struct vt_box *box, unsigned order,
                              uint32_t width, uint32_t height, bool labels)
{
    double farthest = 0;
    for (unsigned i = 0; i < TURN_TRIES; i++) {
        struct vt_camera from = *camera;
        vt_camera_orbit(&from, 2 * acos(-1) * i / TURN_TRIES, 0);
        vt_overlay_frame(&from, box, order, width, height, labels);
        farthest = fmax(farthest, distance_of(&from));
    }
    vt_camera_frame(camera, box, order, (double)width / height);
    vt_camera_zoom(camera, TURN_SLACK * farthest / distance_of(camera));
    /* Up or down, which going around it does not change. */
    struct vt_lens lens;
    struct room room = room_of(width, height);
    vt_camera_lens(camera, 1, &lens);
    double level = hypot(lens.forward[0], lens.forward[2]);
    if (labels && has_bands((float)width, (float)height) && level > LEVEL_MIN) {
        double by = ((room.top + room.bottom) / 2 - 0.5) * 2 * lens.slope_y * farthest / level;
        camera->eye[1] += by;
        camera->target[1] += by;
    }
}

void vt_overlay_layout(const struct vt_overlay *overlay, uint32_t width, uint32_t height,
                       struct vt_drawing *drawing)
{
    struct layer l = {
        .o = overlay, .drawing = drawing, .width = (float)width, .height = (float)height};
    l.unit = unit_of(l.width, l.height);
    l.top = MARGIN * l.unit;
    l.bottom = l.height - MARGIN * l.unit;
    vt_camera_lens(overlay->camera, (double)l.width / (double)l.height, &l.lens);
    l.ram = ram_of(overlay);
    if (overlay->scene->frame) {
        draw_body(&l, &l.ram, edge_front, edge_back, 1.1F * l.unit);
    }
    bool letters = l.width >= 320 && l.height >= 180, bands = has_bands(l.width, l.height);
    if (bands && overlay->name != NULL) {
        draw_title(&l);
    }
    if (bands && overlay->totals != NULL) {
        draw_legend(&l);
    }
    draw_highlights(&l, letters);
}

void vt_overlay_draw(const struct vt_overlay *overlay, struct vt_canvas *canvas)
{
    struct vt_drawing drawing = {.n = 0};
    vt_overlay_layout(overlay, vt_canvas_width(canvas), vt_canvas_height(canvas), &drawing);
    vt_drawing_paint(&drawing, canvas);
    vt_drawing_fini(&drawing);
}
