/* trace/paths.c - hot paths: from the hottest block on, always where most go, both ways.
 *
 * A step is taken while at least half of the executions of a block take it; calls are followed into
 * what is called and out of it. A block is in one path. See learn.h.
 */
#include "trace/learn_parts.h"

#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 256u
#define STEPS_MAX 64u

struct building {
    struct vt_trace_graph *g;
    bool *used;                     /* by block */
    uint32_t blocks[2 * STEPS_MAX]; /* the path: from the middle to both ends */
    uint32_t first, end;
    uint64_t count;
};

/* The edge most executions of `block` take onwards, or backwards; NULL: no half of them agrees. */
static const struct vt_trace_edge *main_edge(const struct vt_trace_graph *g, uint32_t block,
                                             bool onwards)
{
    const uint32_t *at = onwards ? g->out_at : g->in_at;
    const struct vt_trace_edge *best = NULL;
    for (uint32_t i = at[block]; i < at[block + 1]; i++) {
        const struct vt_trace_edge *edge = &g->edges[onwards ? i : g->edges_in[i]];
        if (edge->kind != VT_EDGE_OVER && (best == NULL || edge->count > best->count)) {
            best = edge;
        }
    }
    return best != NULL && best->count * 2 >= g->blocks[block].count ? best : NULL;
}

static void take(struct building *b, uint32_t block, uint64_t count)
{
    b->used[block] = true;
    b->count = count < b->count ? count : b->count;
}

static void build(struct building *b, uint32_t seed, bool *closed)
{
    const struct vt_trace_edge *edge;
    b->first = STEPS_MAX;
    b->end = STEPS_MAX + 1;
    b->blocks[STEPS_MAX] = seed;
    b->count = UINT64_MAX;
    take(b, seed, b->g->blocks[seed].count);
    while (b->end < 2 * STEPS_MAX &&
           (edge = main_edge(b->g, b->blocks[b->end - 1], true)) != NULL && !b->used[edge->to]) {
        take(b, edge->to, edge->count);
        b->blocks[b->end++] = edge->to;
    }
    while (b->first > 0 && (edge = main_edge(b->g, b->blocks[b->first], false)) != NULL &&
           !b->used[edge->from]) {
        take(b, edge->from, edge->count);
        b->blocks[--b->first] = edge->from;
    }
    edge = main_edge(b->g, b->blocks[b->end - 1], true);
    *closed = edge != NULL && edge->to == b->blocks[b->first];
}

static int keep(struct building *b, bool closed, struct vt_error *err)
{
    struct vt_trace_graph *g = b->g;
    struct vt_trace_path path = {
        .first = g->n_path_blocks, .n = b->end - b->first, .count = b->count, .closed = closed};
    int rc = vt_learn_room((void **)&g->paths, g->n_paths, &g->paths_room, sizeof *g->paths, err);
    for (uint32_t i = b->first; i < b->end && rc == 0; i++) {
        rc = vt_learn_room((void **)&g->path_blocks, g->n_path_blocks, &g->path_blocks_room,
                           sizeof *g->path_blocks, err);
        if (rc == 0) {
            g->path_blocks[g->n_path_blocks++] = b->blocks[i];
            path.instructions += path.count * g->blocks[b->blocks[i]].n;
        }
    }
    if (rc == 0) {
        g->paths[g->n_paths++] = path;
    }
    return rc;
}

static int hotter_block(const void *a, const void *b, void *arg)
{
    const struct vt_trace_basic_block *blocks = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return blocks[x].instructions != blocks[y].instructions
               ? (blocks[x].instructions > blocks[y].instructions ? -1 : 1)
               : (x > y) - (x < y);
}

static int hotter_path(const void *a, const void *b)
{
    const struct vt_trace_path *x = a, *y = b;
    return x->instructions != y->instructions ? (x->instructions > y->instructions ? -1 : 1)
                                              : (x->first > y->first) - (x->first < y->first);
}

int vt_learn_paths(struct vt_trace_graph *g, struct vt_error *err)
{
    struct building b = {.g = g, .used = calloc(g->n_blocks + 1u, sizeof *b.used)};
    uint32_t *order = calloc(g->n_blocks + 1u, sizeof *order);
    int rc = b.used == NULL || order == NULL
                 ? vt_fail(err, VT_E_NOMEM, "no memory for the paths of %u blocks", g->n_blocks)
                 : 0;
    for (uint32_t i = 0; rc == 0 && i < g->n_blocks; i++) {
        order[i] = i;
    }
    if (rc == 0) {
        qsort_r(order, g->n_blocks, sizeof *order, hotter_block, g->blocks);
    }
    for (uint32_t i = 0; i < g->n_blocks && g->n_paths < PATHS_MAX && rc == 0; i++) {
        bool closed = false;
        if (!b.used[order[i]]) {
            build(&b, order[i], &closed);
            rc = keep(&b, closed, err);
        }
    }
    if (rc == 0 && g->n_paths > 0) {
        qsort(g->paths, g->n_paths, sizeof *g->paths, hotter_path);
    }
    free(order);
    free(b.used);
    return rc;
}
