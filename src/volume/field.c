/* volume/field.c - see field.h. */
#include "volume/field.h"

#include "volume/draw.h"
#include "volume/hilbert2d.h"

static unsigned log2_up(uint64_t n)
{
    unsigned bits = 0;
    while (((uint64_t)1 << bits) < n) {
        bits++;
    }
    return bits;
}

struct vt_field vt_field_fit(uint64_t n_pages, uint32_t room)
{
    struct vt_field f = {.n_pages = n_pages, .log2_pages = log2_up(n_pages)};
    unsigned most = 0;
    while ((uint32_t)2 << most <= room && most < 14) {
        most++;
    }
    f.order = f.log2_pages / 2;
    f.halves = (f.log2_pages & 1) != 0;
    if (f.order >= most) { /* a cell is one pixel and cannot be halved */
        f.order = most;
        f.halves = false;
    }
    if (f.order == 0) {
        f.order = 1; /* one or two pages: the curve's first cells */
        f.halves = false;
    }
    f.cell_shift = f.log2_pages > 2 * f.order ? f.log2_pages - 2 * f.order : 0;
    uint32_t cells = (uint32_t)1 << f.order;
    f.side = room / cells * cells;
    if (f.side < room / 5 * 4) {
        f.side = room;
    }
    return f;
}

/* Whether the curve leaves cell `d` sideways (else up or down), and towards larger coordinates. */
static void direction(const struct vt_field *field, uint32_t d, bool *sideways, bool *forward)
{
    uint32_t last = ((uint32_t)1 << (2 * field->order)) - 1;
    uint32_t x0, y0, x1, y1;
    uint32_t from = d < last ? d : d - 1;
    vt_hilbert2d_point(field->order, from, &x0, &y0);
    vt_hilbert2d_point(field->order, from + 1, &x1, &y1);
    *sideways = y0 == y1;
    *forward = x1 > x0 || y1 > y0;
}

void vt_field_draw(const struct vt_field *field, struct vt_canvas *canvas, int32_t x, int32_t y,
                   vt_field_paint *paint, void *arg)
{
    uint64_t cells = (uint64_t)1 << (2 * field->order);
    uint64_t a_cell = (uint64_t)1 << field->cell_shift;
    for (uint64_t d = 0; d < cells && d << field->cell_shift < field->n_pages; d++) {
        uint32_t cx, cy;
        vt_hilbert2d_point(field->order, (uint32_t)d, &cx, &cy);
        int32_t x0 = (int32_t)((uint64_t)cx * field->side >> field->order);
        int32_t y0 = (int32_t)((uint64_t)cy * field->side >> field->order);
        int32_t w = (int32_t)((uint64_t)(cx + 1) * field->side >> field->order) - x0;
        int32_t h = (int32_t)((uint64_t)(cy + 1) * field->side >> field->order) - y0;
        uint64_t first = d << field->cell_shift;
        uint64_t n = field->n_pages - first < a_cell ? field->n_pages - first : a_cell;
        if (!field->halves) {
            vt_canvas_rect(canvas, x + x0, y + y0, w, h, paint(first, n, arg));
            continue;
        }
        bool sideways, forward;
        direction(field, (uint32_t)d, &sideways, &forward);
        for (uint64_t half = 0; half < n; half++) {
            bool far = (half == 1) == forward;
            int32_t hx = x0, hy = y0, hw = w, hh = h;
            if (sideways) {
                hx += far ? w / 2 : 0;
                hw = far ? w - w / 2 : w / 2;
            } else {
                hy += far ? h / 2 : 0;
                hh = far ? h - h / 2 : h / 2;
            }
            vt_canvas_rect(canvas, x + hx, y + hy, hw, hh, paint(first + half, 1, arg));
        }
    }
}
