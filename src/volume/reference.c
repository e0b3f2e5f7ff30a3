/* volume/reference.c - see reference.h. Rows are dealt out to threads one by one. */
#include "volume/reference.h"

#include "volume/march.h"
#include "volume/marks.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64
#define PAGES_MAX (UINT64_C(1) << 26) /* as many as a brick word numbers */

struct job {
    const struct vt_march_look *look;
    const struct vt_march_ram *ram;
    enum vt_method method;
    uint8_t *rgba;
    atomic_uint next_row;
};

static void *draw_rows(void *arg)
{
    struct job *job = arg;
    uint32_t width = job->look->width, y;
    while ((y = atomic_fetch_add_explicit(&job->next_row, 1, memory_order_relaxed)) <
           job->look->height) {
        uint8_t *at = job->rgba + (size_t)y * width * 4;
        for (uint32_t x = 0; x < width; x++, at += 4) {
            struct vt_march_ray ray;
            (job->method == VT_METHOD_SLICES ? vt_march_reference_slices
                                             : vt_march_reference)(job->look, job->ram, x, y, &ray);
            for (unsigned k = 0; k < 4; k++) {
                at[k] = (uint8_t)lroundf(fminf(fmaxf(ray.rgba[k], 0), 1) * 255);
            }
        }
    }
    return NULL;
}

/* This thread draws, too: with as many others as can be had. */
static void draw_all(struct job *job)
{
    pthread_t threads[THREADS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = 0;
    while (n < THREADS_MAX && (long)n + 1 < cpus &&
           pthread_create(&threads[n], NULL, draw_rows, job) == 0) {
        n++;
    }
    draw_rows(job);
    while (n > 0) {
        pthread_join(threads[--n], NULL);
    }
}

struct tables {
    uint32_t *bricks, *attributes;
    uint8_t *marks;
    struct vt_bricks *turns;
};

static void free_tables(struct tables *t)
{
    free(t->bricks);
    free(t->attributes);
    free(t->marks);
    free(t->turns);
}

/* What each page is and where it lies, as the march wants it. */
static int make_tables(const struct vt_ram *ram, const struct vt_follow *follow,
                       struct vt_march_ram *out, unsigned *n_owners, struct tables *t,
                       struct vt_error *err)
{
    const struct vt_highlights *set = vt_follow_highlights(follow);
    const uint8_t *classes = vt_follow_classes(follow), *owners = vt_follow_owners(follow);
    struct vt_map_view map = {
        .n_pages = out->n_pages, .highlights = set->all, .n_highlights = (unsigned)set->n};
    struct vt_box box;
    map.n_regions = vt_ram_regions(ram, &map.regions);
    int rc = vt_volume_box(out->order, VT_OFF(0), vt_ram_size(ram), &box, err);
    rc = rc != 0 ? rc : vt_marks_create(&map, &t->marks, err);
    if (rc != 0) {
        return rc;
    }
    size_t n_bricks = 1;
    for (unsigned k = 0; k < 3; k++) {
        out->grid[k] = (box.max[k] >> VT_BRICK_ORDER) + 1;
        n_bricks *= out->grid[k];
    }
    t->bricks = malloc(n_bricks * sizeof *t->bricks);
    t->attributes = malloc(out->n_pages * sizeof *t->attributes);
    t->turns = malloc(sizeof *t->turns);
    if (t->bricks == NULL || t->attributes == NULL || t->turns == NULL) {
        return vt_fail(err, VT_E_NOMEM, "the pages of a volume: out of memory");
    }
    vt_bricks_init(t->turns);
    memset(t->bricks, 0xff, n_bricks * sizeof *t->bricks);
    for (uint32_t page = 0; page < out->n_pages; page++) {
        uint32_t at[3], turn = vt_brick_of_page(t->turns, out->order, page, at);
        if (classes[page] != VT_CLASS_HOLE) {
            t->bricks[((size_t)at[2] * out->grid[1] + at[1]) * out->grid[0] + at[0]] =
                page << 6 | turn;
        }
        t->attributes[page] =
            VT_ATTRIBUTES(classes[page], owners[page], t->marks != NULL ? t->marks[page] : 0);
        *n_owners = owners[page] > *n_owners ? owners[page] : *n_owners;
    }
    out->bricks = t->bricks;
    out->attributes = t->attributes;
    return 0;
}

int vt_reference_draw(const struct vt_ram *ram, const struct vt_follow *follow,
                      const struct vt_shot *shot, uint32_t width, uint32_t height, uint8_t *rgba,
                      struct vt_error *err)
{
    const struct vt_highlights *set = vt_follow_highlights(follow);
    struct vt_march_ram pages = {.order = vt_volume_order(vt_ram_size(ram)),
                                 .bytes = vt_ram_bytes(ram),
                                 .n_pages = vt_ram_size(ram) >> VT_PAGE_SHIFT};
    struct vt_march_look look;
    struct vt_colour colours[VT_MARKS_MAX];
    struct vt_march_facts facts = {.order = pages.order, .highlights = colours};
    struct vt_shot all = *shot;
    struct tables tables = {0};
    if (pages.n_pages > PAGES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "RAM beyond %llu pages is not drawn",
                       (unsigned long long)PAGES_MAX);
    }
    for (; facts.n_highlights < set->n && facts.n_highlights < VT_MARKS_MAX; facts.n_highlights++) {
        colours[facts.n_highlights] = set->all[facts.n_highlights].colour;
    }
    all.scale = 1;
    int rc = make_tables(ram, follow, &pages, &facts.n_owners, &tables, err);
    rc = rc != 0 ? rc : vt_march_look_init(&look, &facts, &all, width, height, err);
    if (rc == 0) {
        struct job job = {.look = &look, .ram = &pages, .method = shot->method, .rgba = rgba};
        draw_all(&job);
        rc = vt_ram_check(ram, err);
    }
    free_tables(&tables);
    return rc;
}
