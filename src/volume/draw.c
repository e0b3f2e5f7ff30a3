/* volume/draw.c - see draw.h.
 *
 * Every curved shape and every letter goes through one rasteriser: edges add signed areas to the
 * cells of a coverage buffer, and a running sum along each row turns them into the share of a pixel
 * that lies inside (exact area coverage; non-zero winding, as long as contours of opposite turn do
 * not cross each other, which those of fonts and of the shapes here do not).
 *
 *   pixels      rectangles, blending
 *   coverage    edges, curves, fill
 *   shapes      rounded rectangles, discs
 *   lines       column by column, without the buffer: there may be thousands
 */
#include "volume/draw.h"

#include "volume/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CANVAS_SIDE_MAX 16384

/* ---- pixels ---- */

int vt_canvas_create(uint32_t width, uint32_t height, struct vt_canvas **canvas,
                     struct vt_error *err)
{
    if (width == 0 || height == 0 || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX) {
        return vt_fail(err, VT_E_INVAL, "a picture of %u x %u pixels: 1 to %d a side", width,
                       height, CANVAS_SIDE_MAX);
    }
    struct vt_canvas *c = calloc(1, sizeof *c);
    uint8_t *rgba = calloc((size_t)width * height, 4);
    if (c == NULL || rgba == NULL) {
        free(c);
        free(rgba);
        return vt_fail(err, VT_E_NOMEM, "a picture of %u x %u pixels: out of memory", width,
                       height);
    }
    *c = (struct vt_canvas){.width = width, .height = height, .rgba = rgba};
    *canvas = c;
    return 0;
}

void vt_canvas_destroy(struct vt_canvas *canvas)
{
    if (canvas != NULL) {
        free(canvas->cover);
        free(canvas->rgba);
        free(canvas);
    }
}

uint32_t vt_canvas_width(const struct vt_canvas *canvas)
{
    return canvas->width;
}

uint32_t vt_canvas_height(const struct vt_canvas *canvas)
{
    return canvas->height;
}

const uint8_t *vt_canvas_pixels(const struct vt_canvas *canvas)
{
    return canvas->rgba;
}

void vt_canvas_put(struct vt_canvas *canvas, const uint8_t *rgba)
{
    memcpy(canvas->rgba, rgba, (size_t)canvas->width * canvas->height * 4);
}

static uint8_t mix(uint32_t below, uint32_t above, uint32_t alpha)
{
    return (uint8_t)((below * (255 - alpha) + above * alpha + 127) / 255);
}

static void blend(uint8_t *at, struct vt_colour colour, uint32_t alpha)
{
    at[0] = mix(at[0], colour.r, alpha);
    at[1] = mix(at[1], colour.g, alpha);
    at[2] = mix(at[2], colour.b, alpha);
    at[3] = mix(at[3], 255, alpha);
}

static int32_t clamp(int64_t v, int32_t low, int32_t high)
{
    return (int32_t)(v < low ? low : v > high ? high : v);
}

void vt_canvas_rect(struct vt_canvas *canvas, int32_t x, int32_t y, int32_t w, int32_t h,
                    struct vt_colour colour)
{
    int32_t width = (int32_t)canvas->width, height = (int32_t)canvas->height;
    int32_t x0 = clamp(x, 0, width), x1 = clamp((int64_t)x + w, 0, width);
    int32_t y0 = clamp(y, 0, height), y1 = clamp((int64_t)y + h, 0, height);
    for (int32_t row = y0; row < y1; row++) {
        uint8_t *at = canvas->rgba + ((size_t)row * canvas->width + (size_t)x0) * 4;
        for (int32_t i = x0; i < x1; i++, at += 4) {
            blend(at, colour, colour.a);
        }
    }
}

void vt_canvas_frame(struct vt_canvas *canvas, int32_t x, int32_t y, int32_t w, int32_t h,
                     int32_t thick, struct vt_colour colour)
{
    vt_canvas_rect(canvas, x, y, w, thick, colour);
    vt_canvas_rect(canvas, x, y + h - thick, w, thick, colour);
    vt_canvas_rect(canvas, x, y + thick, thick, h - 2 * thick, colour);
    vt_canvas_rect(canvas, x + w - thick, y + thick, thick, h - 2 * thick, colour);
}

/* ---- coverage ---- */

bool vt_path_begin(struct vt_path *path, struct vt_canvas *canvas, float left, float top,
                   float right, float bottom)
{
    int32_t width = (int32_t)canvas->width, height = (int32_t)canvas->height;
    *path = (struct vt_path){.canvas = canvas};
    path->x0 = clamp((int64_t)floorf(left) - 1, 0, width);
    path->y0 = clamp((int64_t)floorf(top) - 1, 0, height);
    path->w = clamp((int64_t)ceilf(right) + 1, 0, width) - path->x0;
    path->h = clamp((int64_t)ceilf(bottom) + 1, 0, height) - path->y0;
    if (path->w <= 0 || path->h <= 0) {
        return false;
    }
    /* One cell more a row takes what an edge on the right border leaves for its neighbour. */
    path->stride = path->w + 1;
    size_t cells = (size_t)path->stride * (size_t)path->h;
    if (cells > canvas->n_cover) {
        float *more = realloc(canvas->cover, cells * sizeof *more);
        if (more == NULL) {
            return false;
        }
        canvas->cover = more;
        canvas->n_cover = cells;
    }
    memset(canvas->cover, 0, cells * sizeof *canvas->cover);
    return true;
}

/* One edge's part within one row: from (x0, y0) to (x1, y1), 0 <= y <= 1 in the row, `sign` its
 * direction. The area to the right of the edge is spread over the cells it crosses so that the
 * running sum equals the covered share of every cell. */
static void add_row(const struct vt_path *path, float *row, float x0, float x1, float dy)
{
    float limit = (float)path->w;
    if (x0 > x1) {
        float t = x0;
        x0 = x1;
        x1 = t;
    }
    x0 = fminf(fmaxf(x0, 0), limit);
    x1 = fminf(fmaxf(x1, 0), limit);
    int32_t first = (int32_t)x0, last = (int32_t)ceilf(x1);
    if (last <= first + 1) {
        float inside = (float)first + 1 - 0.5F * (x0 + x1);
        row[first] += dy * inside;
        if (first < path->w) {
            row[first + 1] += dy * (1 - inside);
        }
        return;
    }
    float per_x = dy / (x1 - x0), before = 0;
    for (int32_t cell = first; cell < last; cell++) {
        /* Area to the right of the edge in this cell: all of it below x0..a, a trapezium in a..b.
         */
        float a = fmaxf(x0, (float)cell), b = fminf(x1, (float)cell + 1);
        float area = per_x * ((a - x0) + (b - a) * ((float)cell + 1 - 0.5F * (a + b)));
        row[cell] += area - before;
        before = area;
    }
    row[last] += dy - before;
}

static void edge(struct vt_path *path, float x0, float y0, float x1, float y1)
{
    float sign = 1;
    if (y0 > y1) {
        float t = y0;
        y0 = y1;
        y1 = t;
        t = x0;
        x0 = x1;
        x1 = t;
        sign = -1;
    }
    x0 -= (float)path->x0;
    x1 -= (float)path->x0;
    y0 -= (float)path->y0;
    y1 -= (float)path->y0;
    if (y1 <= 0 || y0 >= (float)path->h || y0 >= y1) {
        return;
    }
    float slope = (x1 - x0) / (y1 - y0);
    int32_t first = (int32_t)fmaxf(y0, 0);
    for (int32_t row = first; row < path->h && (float)row < y1; row++) {
        float a = fmaxf(y0, (float)row), b = fminf(y1, (float)row + 1);
        float *cells = path->canvas->cover + (size_t)row * (size_t)path->stride;
        add_row(path, cells, x0 + slope * (a - y0), x0 + slope * (b - y0), sign * (b - a));
    }
}

void vt_path_line(struct vt_path *path, float x, float y)
{
    edge(path, path->x, path->y, x, y);
    path->x = x;
    path->y = y;
}

void vt_path_move(struct vt_path *path, float x, float y)
{
    vt_path_line(path, path->start_x, path->start_y);
    path->x = path->start_x = x;
    path->y = path->start_y = y;
}

void vt_path_cubic(struct vt_path *path, float ax, float ay, float bx, float by, float x, float y)
{
    float x0 = path->x, y0 = path->y;
    float reach = fabsf(ax - x0) + fabsf(ay - y0) + fabsf(bx - ax) + fabsf(by - ay) +
                  fabsf(x - bx) + fabsf(y - by);
    int steps = 4 + (int)fminf(reach / 3, 60);
    for (int i = 1; i <= steps; i++) {
        float t = (float)i / (float)steps, u = 1 - t;
        float w0 = u * u * u, w1 = 3 * u * u * t, w2 = 3 * u * t * t, w3 = t * t * t;
        vt_path_line(path, w0 * x0 + w1 * ax + w2 * bx + w3 * x,
                     w0 * y0 + w1 * ay + w2 * by + w3 * y);
    }
}

void vt_path_fill(struct vt_path *path, struct vt_colour colour)
{
    vt_path_line(path, path->start_x, path->start_y);
    for (int32_t row = 0; row < path->h; row++) {
        const float *cells = path->canvas->cover + (size_t)row * (size_t)path->stride;
        uint8_t *at = path->canvas->rgba +
                      ((size_t)(path->y0 + row) * path->canvas->width + (size_t)path->x0) * 4;
        float sum = 0;
        for (int32_t i = 0; i < path->w; i++, at += 4) {
            sum += cells[i];
            float cover = fminf(fabsf(sum), 1);
            blend(at, colour, (uint32_t)(cover * (float)colour.a + 0.5F));
        }
    }
}

/* ---- shapes ---- */

/* Distance of a cubic's handles that makes a quarter of a circle (error below 0.03 %). */
#define ARC 0.5523F

void vt_canvas_round_rect(struct vt_canvas *canvas, float x, float y, float w, float h,
                          float radius, struct vt_colour colour)
{
    struct vt_path p;
    if (!vt_path_begin(&p, canvas, x, y, x + w, y + h)) {
        return;
    }
    float r = fminf(radius, 0.5F * fminf(w, h)), k = r * (1 - ARC);
    float x1 = x + w, y1 = y + h;
    vt_path_move(&p, x + r, y);
    vt_path_line(&p, x1 - r, y);
    vt_path_cubic(&p, x1 - k, y, x1, y + k, x1, y + r);
    vt_path_line(&p, x1, y1 - r);
    vt_path_cubic(&p, x1, y1 - k, x1 - k, y1, x1 - r, y1);
    vt_path_line(&p, x + r, y1);
    vt_path_cubic(&p, x + k, y1, x, y1 - k, x, y1 - r);
    vt_path_line(&p, x, y + r);
    vt_path_cubic(&p, x, y + k, x + k, y, x + r, y);
    vt_path_fill(&p, colour);
}

void vt_canvas_disc(struct vt_canvas *canvas, float x, float y, float radius,
                    struct vt_colour colour)
{
    vt_canvas_round_rect(canvas, x - radius, y - radius, 2 * radius, 2 * radius, radius, colour);
}

/* ---- lines ---- */

/* Keeps the part of a line, from `from` to `to` of its way, where low <= a + t (b - a) <= high. */
static bool clip(float a, float b, float low, float high, float *from, float *to)
{
    float way = b - a;
    if (way == 0) {
        return a >= low && a <= high;
    }
    float t0 = (low - a) / way, t1 = (high - a) / way;
    *from = fmaxf(*from, fminf(t0, t1));
    *to = fminf(*to, fmaxf(t0, t1));
    return *from < *to;
}

/* The share of the pixel [i, i + 1] that lies in [low, high]. */
static float overlap(int32_t i, float low, float high)
{
    return fmaxf(0, fminf(high, (float)i + 1) - fmaxf(low, (float)i));
}

void vt_canvas_line(struct vt_canvas *canvas, float x0, float y0, float x1, float y1, float thick,
                    struct vt_colour colour)
{
    float from = 0, to = 1;
    float width = (float)canvas->width, height = (float)canvas->height;
    if (!isfinite(x0 + y0 + x1 + y1 + thick) ||
        !clip(x0, x1, -2 * thick - 2, width + 2 * thick + 2, &from, &to) ||
        !clip(y0, y1, -2 * thick - 2, height + 2 * thick + 2, &from, &to)) {
        return;
    }
    bool steep = fabsf(y1 - y0) > fabsf(x1 - x0);
    float along[2] = {steep ? y0 : x0, steep ? y1 : x1};
    float across[2] = {steep ? x0 : y0, steep ? x1 : y1};
    float slope = (across[1] - across[0]) / (along[1] - along[0]);
    float a0 = along[0] + from * (along[1] - along[0]), a1 = along[0] + to * (along[1] - along[0]);
    float first = fminf(a0, a1), last = fmaxf(a0, a1);
    float half = 0.5F * thick * sqrtf(1 + slope * slope);
    int32_t limit = (int32_t)(steep ? canvas->height : canvas->width);
    int32_t other = (int32_t)(steep ? canvas->width : canvas->height);
    int32_t end = clamp((int64_t)ceilf(last), 0, limit);
    for (int32_t i = clamp((int64_t)floorf(first), 0, limit); i < end; i++) {
        float middle = across[0] + slope * ((float)i + 0.5F - along[0]);
        float low = middle - half, high = middle + half, reach = overlap(i, first, last);
        int32_t k_end = clamp((int64_t)ceilf(high), 0, other);
        for (int32_t k = clamp((int64_t)floorf(low), 0, other); k < k_end; k++) {
            size_t x = (size_t)(steep ? k : i), y = (size_t)(steep ? i : k);
            float cover = reach * overlap(k, low, high);
            blend(canvas->rgba + (y * canvas->width + x) * 4, colour,
                  (uint32_t)(cover * (float)colour.a + 0.5F));
        }
    }
}
