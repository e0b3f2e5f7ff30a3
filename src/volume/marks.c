/* volume/marks.c - see marks.h.
 *
 *   pages   highlights are guest-physical; the map is by offset into RAM
 *   colour  dimmed, or tinted as much as its pages are marked
 *   draw    the field once more, with marks for colours; lines where they change; a distance
 *           transform (Borgefors' 3-4 chamfer) carries each mark's glow outwards
 */
#include "volume/marks.h"

#include "volume/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pages ---- */

static void mark(uint8_t *marks, uint64_t n_pages, uint64_t off, uint64_t bytes, uint8_t value)
{
    uint64_t first = off >> VT_PAGE_SHIFT, n = bytes >> VT_PAGE_SHIFT;
    if (first < n_pages) {
        memset(marks + first, value, n < n_pages - first ? n : n_pages - first);
    }
}

static void mark_run(const struct vt_map_view *map, uint8_t *marks, const struct vt_gpa_run *run,
                     uint8_t value)
{
    if (map->n_regions == 0) {
        mark(marks, map->n_pages, run->gpa.v, run->bytes, value);
    }
    for (unsigned i = 0; i < map->n_regions; i++) {
        const struct vt_ram_region *r = &map->regions[i];
        uint64_t from = r->gpa.v, to = r->gpa.v + r->bytes, end = run->gpa.v + run->bytes;
        from = from > run->gpa.v ? from : run->gpa.v;
        to = to < end ? to : end;
        if (from < to) {
            mark(marks, map->n_pages, r->offset.v + (from - r->gpa.v), to - from, value);
        }
    }
}

int vt_marks_create(const struct vt_map_view *map, uint8_t **marks, struct vt_error *err)
{
    uint8_t *m = NULL;
    if (map->n_highlights > 0) {
        m = calloc(map->n_pages, 1);
        if (m == NULL) {
            return vt_fail(err, VT_E_NOMEM, "highlights: out of memory");
        }
    }
    for (unsigned i = 0; i < map->n_highlights && i < VT_MARKS_MAX; i++) {
        const struct vt_highlight *h = &map->highlights[i];
        for (size_t k = 0; k < h->n_runs; k++) {
            mark_run(map, m, &h->runs[k], (uint8_t)(i + 1));
        }
    }
    *marks = m;
    return 0;
}

/* ---- colour ---- */

/* Of 256. */
#define DIM 176   /* how much of what is not marked goes to the ground */
#define SHADE 112 /* how much of what is, so that the lines around it stand out */
#define TINT_LEAST                                                                                 \
    112 /* how much of its mark's colour a place takes on that has few marked pages */
#define TINT_MOST 148

static const struct vt_colour ground = {0x12, 0x15, 0x1b, 0xff};

static uint8_t mix(uint8_t a, uint8_t b, unsigned t)
{
    return (uint8_t)((a * (256 - t) + b * t + 128) / 256);
}

static struct vt_colour blend(struct vt_colour a, struct vt_colour b, unsigned t)
{
    return (struct vt_colour){mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t), 0xff};
}

/* The mark that most of the marked pages have, and how many are marked at all. */
static uint8_t mark_at(const uint8_t *marks, uint64_t first, uint64_t n, uint64_t *marked)
{
    uint64_t at = first, end = first + n;
    uint8_t most = 0;
    while (at < end && marks[at] == 0) {
        at++;
    }
    *marked = end - at;
    if (end - at <= 1) { /* almost everywhere, in most pictures */
        return at < end ? marks[at] : 0;
    }
    uint64_t count[VT_MARKS_MAX + 1] = {0};
    for (; at < end; at++) {
        count[marks[at]]++;
    }
    for (unsigned m = 1; m <= VT_MARKS_MAX; m++) {
        most = count[m] > (most > 0 ? count[most] : 0) ? (uint8_t)m : most;
    }
    *marked -= count[0];
    return most;
}

struct vt_colour vt_marks_colour(const struct vt_map_view *map, const uint8_t *marks,
                                 uint64_t first, uint64_t n, struct vt_colour plain)
{
    uint64_t marked;
    uint8_t m = mark_at(marks, first, n, &marked);
    if (m == 0) {
        return blend(plain, ground, DIM);
    }
    unsigned t = TINT_LEAST + (unsigned)((TINT_MOST - TINT_LEAST) * marked / n);
    return blend(blend(plain, ground, SHADE), map->highlights[m - 1].colour, t);
}

/* ---- lines and glow ---- */

/* Chamfer distances: three a pixel. */
#define STEP 3
#define STEP_ASIDE 4
#define FAR 255

struct glow {
    uint32_t side;
    uint8_t *mark;     /* a pixel: the nearest mark found so far, or 0 */
    uint8_t *distance; /* to it; 0: it is marked itself */
};

static struct vt_colour mark_as_colour(uint64_t first, uint64_t n, void *arg)
{
    uint64_t marked;
    return (struct vt_colour){mark_at(arg, first, n, &marked), 0, 0, 0xff};
}

static int find_marks(struct glow *g, uint8_t *marks, const struct vt_field *field,
                      struct vt_error *err)
{
    struct vt_canvas *canvas;
    size_t n = (size_t)field->side * field->side;
    int rc = vt_canvas_create(field->side, field->side, &canvas, err);
    if (rc != 0) {
        return rc;
    }
    *g = (struct glow){.side = field->side, .mark = calloc(n, 1), .distance = malloc(n)};
    if (g->mark != NULL && g->distance != NULL) {
        vt_field_draw(field, canvas, 0, 0, mark_as_colour, marks);
        memset(g->distance, FAR, n);
        for (size_t i = 0; i < n; i++) {
            g->mark[i] = canvas->rgba[4 * i];
            if (g->mark[i] != 0) {
                g->distance[i] = 0;
            }
        }
    } else {
        rc = vt_fail(err, VT_E_NOMEM, "highlights: out of memory");
    }
    vt_canvas_destroy(canvas);
    return rc;
}

static void nearer(struct glow *g, size_t at, size_t from, unsigned step)
{
    unsigned d = g->distance[from] + step;
    if (d < g->distance[at]) {
        g->distance[at] = (uint8_t)d;
        g->mark[at] = g->mark[from];
    }
}

/* Down the rows and up again; `at` runs through each row there and back. */
static void spread(struct glow *g)
{
    size_t side = g->side;
    for (size_t y = 0; y < side; y++) {
        for (size_t x = 0; x < side; x++) {
            size_t at = y * side + x;
            if (x > 0) {
                nearer(g, at, at - 1, STEP);
            }
            if (y > 0) {
                nearer(g, at, at - side, STEP);
            }
            if (y > 0 && x > 0) {
                nearer(g, at, at - side - 1, STEP_ASIDE);
            }
            if (y > 0 && x + 1 < side) {
                nearer(g, at, at - side + 1, STEP_ASIDE);
            }
        }
    }
    for (size_t y = side; y-- > 0;) {
        for (size_t x = side; x-- > 0;) {
            size_t at = y * side + x;
            if (x + 1 < side) {
                nearer(g, at, at + 1, STEP);
            }
            if (y + 1 < side) {
                nearer(g, at, at + side, STEP);
            }
            if (y + 1 < side && x + 1 < side) {
                nearer(g, at, at + side + 1, STEP_ASIDE);
            }
            if (y + 1 < side && x > 0) {
                nearer(g, at, at + side - 1, STEP_ASIDE);
            }
        }
    }
}

/* Whether pixel (x, y) is within `thick` pixels of one that has another mark, or none. */
static bool is_border(const struct glow *g, uint32_t x, uint32_t y, uint32_t thick)
{
    size_t side = g->side, at = (size_t)y * side + x;
    for (uint32_t d = 1; d <= thick; d++) {
        const bool inside[] = {x >= d, x + d < side, y >= d, y + d < side};
        const size_t next[] = {at - d, at + d, at - d * side, at + d * side};
        for (unsigned i = 0; i < 4; i++) {
            if (inside[i] && (g->distance[next[i]] != 0 || g->mark[next[i]] != g->mark[at])) {
                return true;
            }
        }
    }
    return false;
}

int vt_marks_draw(const struct vt_map_view *map, uint8_t *marks, const struct vt_field *field,
                  struct vt_canvas *canvas, int32_t x, int32_t y, float unit, struct vt_error *err)
{
    static const struct vt_colour white = {0xff, 0xff, 0xff, 0xff};
    struct glow g = {0};
    int rc = find_marks(&g, marks, field, err);
    float reach = STEP * fmaxf(3, 7 * unit);
    uint32_t thick = unit >= 2 ? 2 : 1;
    if (rc == 0) {
        spread(&g);
    }
    for (uint32_t row = 0; rc == 0 && row < g.side; row++) {
        for (uint32_t column = 0; column < g.side; column++) {
            size_t at = (size_t)row * g.side + column;
            if (g.mark[at] == 0) {
                continue;
            }
            struct vt_colour c = map->highlights[g.mark[at] - 1].colour;
            if (g.distance[at] != 0) {
                float fade = 1 - (float)g.distance[at] / reach;
                c.a = fade > 0 ? (uint8_t)(112 * fade * fade) : 0;
            } else if (is_border(&g, column, row, thick)) {
                c = blend(c, white, 72);
            } else {
                c.a = 0;
            }
            if (c.a != 0) {
                vt_canvas_rect(canvas, x + (int32_t)column, y + (int32_t)row, 1, 1, c);
            }
        }
    }
    free(g.mark);
    free(g.distance);
    return rc;
}
