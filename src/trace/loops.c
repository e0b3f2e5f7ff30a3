/* trace/loops.c - dominators, natural loops from the inside out, and functions. See learn.h.
 *
 * Vertices are basic blocks in reverse postorder, numbered from 1; 0 is a root above every entry.
 * Edges are those that stay in a function: next, jump, and over a call.
 */
#include "trace/learn_parts.h"

#include <math.h>
#include <stdlib.h>

/* Steps up the dominator tree: real programs take a few an edge; hostile ones are cut off. */
#define STEPS_MAX ((uint64_t)1 << 28)

struct walk {
    struct vt_trace_graph *g;
    uint32_t n;                  /* blocks; all arrays have n + 1 */
    uint32_t *number, *block_of; /* block -> order, order -> block */
    uint32_t *idom;              /* by order */
    uint32_t *inside, *before;   /* by order: blocks dominated; place in a preorder of the tree */
    uint32_t *leader;            /* by block: union of those in one loop: its header */
    uint32_t *loop_of;           /* by block: the loop it heads */
    uint32_t *stack, *at;        /* blocks; by block: where a depth-first walk is in its edges */
    bool *root;                  /* by block: an edge from 0 */
};

static bool stays(const struct vt_trace_edge *edge)
{
    return edge->kind == VT_EDGE_NEXT || edge->kind == VT_EDGE_JUMP || edge->kind == VT_EDGE_OVER;
}

static int walk_init(struct walk *w, struct vt_trace_graph *g, struct vt_error *err)
{
    *w = (struct walk){.g = g, .n = g->n_blocks};
    uint32_t **arrays[] = {&w->number, &w->block_of, &w->idom,  &w->inside, &w->before,
                           &w->leader, &w->loop_of,  &w->stack, &w->at};
    bool ok = true;
    for (unsigned i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i] = calloc(w->n + 1u, sizeof **arrays[i]);
        ok = ok && *arrays[i] != NULL;
    }
    w->root = calloc(w->n + 1u, sizeof *w->root);
    return ok && w->root != NULL
               ? 0
               : vt_fail(err, VT_E_NOMEM, "no memory for the loops of %u blocks", w->n);
}

static void walk_fini(struct walk *w)
{
    free(w->number);
    free(w->block_of);
    free(w->idom);
    free(w->inside);
    free(w->before);
    free(w->leader);
    free(w->loop_of);
    free(w->stack);
    free(w->at);
    free(w->root);
}

/* ---------------------------------------------------------------- dominators */

/* Depth first from one root; numbers downwards from *next as blocks are left. */
static void number_from(struct walk *w, uint32_t root, uint32_t *next)
{
    const struct vt_trace_graph *g = w->g;
    uint32_t depth = 0;
    w->stack[depth++] = root;
    w->number[root] = UINT32_MAX; /* seen */
    w->at[root] = g->out_at[root];
    while (depth > 0) {
        uint32_t block = w->stack[depth - 1];
        if (w->at[block] == g->out_at[block + 1]) {
            w->number[block] = *next;
            w->block_of[(*next)--] = block;
            depth--;
            continue;
        }
        const struct vt_trace_edge *edge = &g->edges[w->at[block]++];
        if (stays(edge) && w->number[edge->to] == 0) {
            w->number[edge->to] = UINT32_MAX;
            w->at[edge->to] = g->out_at[edge->to];
            w->stack[depth++] = edge->to;
        }
    }
}

static bool is_entered(const struct walk *w, uint32_t block)
{
    const struct vt_trace_graph *g = w->g;
    for (uint32_t i = g->in_at[block]; i < g->in_at[block + 1]; i++) {
        const struct vt_trace_edge *edge = &g->edges[g->edges_in[i]];
        if (stays(edge) && edge->from != block) {
            return true;
        }
    }
    return false;
}

/* Marks what `start` leads to, or what leads to it, of what has no number; its lowest address. */
static uint32_t flood(struct walk *w, uint32_t start, bool onwards, uint32_t *marks, uint32_t mark)
{
    const struct vt_trace_graph *g = w->g;
    const uint32_t *at = onwards ? g->out_at : g->in_at;
    uint32_t depth = 0, lowest = start;
    w->stack[depth++] = start;
    marks[start] = mark;
    while (depth > 0) {
        uint32_t block = w->stack[--depth];
        lowest = g->blocks[block].pc < g->blocks[lowest].pc ? block : lowest;
        for (uint32_t i = at[block]; i < at[block + 1]; i++) {
            const struct vt_trace_edge *edge = &g->edges[onwards ? i : g->edges_in[i]];
            uint32_t next = onwards ? edge->to : edge->from;
            if (stays(edge) && w->number[next] == 0 && marks[next] != mark) {
                marks[next] = mark;
                w->stack[depth++] = next;
            }
        }
    }
    return lowest;
}

/* Loops that ran already when recording began have no entry. Each cycle that nothing else leads to
 * gets one where compilers lay the top of a loop: at its lowest address. What the last of a depth
 * first walk's roots does not reach, the one before it does, and so on; and what leads to such a
 * root is its cycle. */
static void enter_cycles(struct walk *w, uint32_t *next)
{
    uint32_t *marks = w->leader, *roots = w->loop_of, *cycle = w->before; /* not used yet */
    uint32_t n = 0, n_cycles = 0;
    for (uint32_t b = 0; b < w->n; b++) {
        if (w->number[b] == 0 && marks[b] == 0) {
            roots[n++] = b;
            (void)flood(w, b, true, marks, 1);
        }
    }
    for (uint32_t i = n; i-- > 0;) {
        if (marks[roots[i]] != 2) {
            uint32_t root = roots[i];
            (void)flood(w, root, true, marks, 2);
            roots[n - ++n_cycles] = flood(w, root, false, cycle, 1);
        }
    }
    for (uint32_t i = n - n_cycles; i < n; i++) {
        w->root[roots[i]] = true;
        if (w->number[roots[i]] == 0) {
            number_from(w, roots[i], next);
        }
    }
}

static void number_all(struct walk *w)
{
    uint32_t next = w->n;
    for (uint32_t b = 0; b < w->n; b++) {
        w->root[b] = w->g->blocks[b].entry || !is_entered(w, b);
        if (w->root[b] && w->number[b] == 0) {
            number_from(w, b, &next);
        }
    }
    enter_cycles(w, &next);
}

static bool dominators(struct walk *w)
{
    const struct vt_trace_graph *g = w->g;
    uint64_t steps = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t v = 1; v <= w->n; v++) {
            uint32_t block = w->block_of[v], best = w->root[block] ? 0 : UINT32_MAX;
            for (uint32_t i = g->in_at[block]; i < g->in_at[block + 1] && best != 0; i++) {
                const struct vt_trace_edge *edge = &g->edges[g->edges_in[i]];
                uint32_t p = w->number[edge->from];
                if (!stays(edge) || w->idom[p] == UINT32_MAX) {
                    continue;
                }
                if (best == UINT32_MAX) {
                    best = p;
                }
                while (p != best && steps++ < STEPS_MAX) {
                    if (p > best) {
                        p = w->idom[p];
                    } else {
                        best = w->idom[best];
                    }
                }
                if (steps >= STEPS_MAX) {
                    return false;
                }
            }
            if (w->idom[v] != best) {
                w->idom[v] = best;
                changed = true;
            }
        }
    }
    return true;
}

static void tree_places(struct walk *w)
{
    /* A dominator's number is below those of what it dominates. */
    for (uint32_t v = 0; v <= w->n; v++) {
        w->inside[v] = 1;
    }
    for (uint32_t v = w->n; v > 0; v--) {
        w->inside[w->idom[v]] += w->inside[v];
    }
    uint32_t *taken = w->stack; /* free now; by order */
    w->before[0] = 0;
    for (uint32_t v = 0; v <= w->n; v++) {
        taken[v] = 1;
    }
    for (uint32_t v = 1; v <= w->n; v++) {
        uint32_t up = w->idom[v];
        w->before[v] = w->before[up] + taken[up];
        taken[up] += w->inside[v];
    }
}

static bool dominates(const struct walk *w, uint32_t a, uint32_t b)
{
    uint32_t x = w->number[a], y = w->number[b];
    return w->before[x] <= w->before[y] && w->before[y] < w->before[x] + w->inside[x];
}

/* ---------------------------------------------------------------- loops */

static uint32_t leader_of(struct walk *w, uint32_t block)
{
    while (w->leader[block] != block) {
        w->leader[block] = w->leader[w->leader[block]];
        block = w->leader[block];
    }
    return block;
}

/* Puts a block, or the loop it heads, into the loop of `header`; the blocks that lead there next.
 */
static uint32_t take_in(struct walk *w, uint32_t loop, uint32_t header, uint32_t block,
                        uint32_t depth)
{
    struct vt_trace_graph *g = w->g;
    if (w->loop_of[block] != VT_TRACE_NONE) {
        g->loops[w->loop_of[block]].parent = loop;
    } else {
        g->blocks[block].loop = loop;
    }
    for (uint32_t i = g->in_at[block]; i < g->in_at[block + 1]; i++) {
        const struct vt_trace_edge *edge = &g->edges[g->edges_in[i]];
        uint32_t from = leader_of(w, edge->from);
        if (stays(edge) && from != header && from != block) {
            w->leader[from] = header;
            w->stack[depth++] = from;
        }
    }
    return depth;
}

static int loop_at(struct walk *w, uint32_t header, struct vt_error *err)
{
    struct vt_trace_graph *g = w->g;
    uint32_t depth = 0;
    bool is_loop = false;
    for (uint32_t i = g->in_at[header]; i < g->in_at[header + 1]; i++) {
        const struct vt_trace_edge *edge = &g->edges[g->edges_in[i]];
        if (!stays(edge)) {
            continue;
        }
        if (!dominates(w, header, edge->from)) {
            g->stats.irreducible += w->number[edge->from] > w->number[header];
            continue;
        }
        is_loop = true;
        uint32_t tail = leader_of(w, edge->from);
        if (tail != header) {
            w->leader[tail] = header;
            w->stack[depth++] = tail;
        }
    }
    if (!is_loop) {
        return 0;
    }
    int rc = vt_learn_room((void **)&g->loops, g->n_loops, &g->loops_room, sizeof *g->loops, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t loop = g->n_loops++;
    g->loops[loop] = (struct vt_trace_loop){.header = header, .parent = VT_TRACE_NONE};
    w->loop_of[header] = loop;
    g->blocks[header].loop = loop;
    while (depth > 0) {
        uint32_t block = w->stack[--depth];
        depth = take_in(w, loop, header, block, depth);
    }
    uint64_t inside = 0;
    for (uint32_t i = g->in_at[header]; i < g->in_at[header + 1]; i++) {
        const struct vt_trace_edge *edge = &g->edges[g->edges_in[i]];
        inside += stays(edge) && leader_of(w, edge->from) == header ? edge->count : 0;
    }
    struct vt_trace_loop *made = &g->loops[loop];
    made->iterations = g->blocks[header].count;
    made->entries = made->iterations > inside ? made->iterations - inside : 0;
    made->trips =
        made->entries > 0 ? (double)made->iterations / (double)made->entries : (double)NAN;
    return 0;
}

static void widen(struct vt_trace_loop *loop, uint64_t first, uint64_t last)
{
    loop->first = loop->n_blocks == 0 || first < loop->first ? first : loop->first;
    loop->last = loop->n_blocks == 0 || last > loop->last ? last : loop->last;
}

/* Sums; an inner loop stands before the one around it. */
static void sum_loops(struct vt_trace_graph *g)
{
    for (uint32_t b = 0; b < g->n_blocks; b++) {
        const struct vt_trace_basic_block *block = &g->blocks[b];
        if (block->loop != VT_TRACE_NONE) {
            struct vt_trace_loop *loop = &g->loops[block->loop];
            widen(loop, block->pc, block->pc + block->bytes);
            loop->n_blocks++;
            loop->exclusive += block->instructions;
            loop->instructions += block->instructions;
        }
    }
    for (uint32_t i = 0; i < g->n_loops; i++) {
        const struct vt_trace_loop *loop = &g->loops[i];
        if (loop->parent != VT_TRACE_NONE) {
            struct vt_trace_loop *around = &g->loops[loop->parent];
            widen(around, loop->first, loop->last);
            around->n_blocks += loop->n_blocks;
            around->instructions += loop->instructions;
        }
    }
    for (uint32_t i = g->n_loops; i-- > 0;) {
        struct vt_trace_loop *loop = &g->loops[i];
        loop->depth = loop->parent == VT_TRACE_NONE ? 1 : g->loops[loop->parent].depth + 1;
    }
}

static int by_instructions(const void *a, const void *b, void *arg)
{
    const struct vt_trace_loop *loops = arg;
    const struct vt_trace_loop *x = &loops[*(const uint32_t *)a], *y = &loops[*(const uint32_t *)b];
    if (x->instructions != y->instructions) {
        return x->instructions > y->instructions ? -1 : 1;
    }
    return x->depth != y->depth ? (x->depth < y->depth ? -1 : 1)
                                : (x->header > y->header) - (x->header < y->header);
}

static int sort_loops(struct vt_trace_graph *g, struct vt_error *err)
{
    if (g->n_loops == 0) {
        return 0;
    }
    uint32_t *order = calloc(g->n_loops, sizeof *order), *now = calloc(g->n_loops, sizeof *now);
    struct vt_trace_loop *sorted = calloc(g->n_loops, sizeof *sorted);
    if (order == NULL || now == NULL || sorted == NULL) {
        free(order);
        free(now);
        free(sorted);
        return vt_fail(err, VT_E_NOMEM, "no memory to sort %u loops", g->n_loops);
    }
    for (uint32_t i = 0; i < g->n_loops; i++) {
        order[i] = i;
    }
    qsort_r(order, g->n_loops, sizeof *order, by_instructions, g->loops);
    for (uint32_t i = 0; i < g->n_loops; i++) {
        now[order[i]] = i;
    }
    for (uint32_t i = 0; i < g->n_loops; i++) {
        sorted[i] = g->loops[order[i]];
        sorted[i].parent =
            sorted[i].parent == VT_TRACE_NONE ? VT_TRACE_NONE : now[sorted[i].parent];
    }
    for (uint32_t b = 0; b < g->n_blocks; b++) {
        uint32_t *loop = &g->blocks[b].loop;
        *loop = *loop == VT_TRACE_NONE ? VT_TRACE_NONE : now[*loop];
    }
    free(g->loops);
    g->loops = sorted;
    g->loops_room = g->n_loops;
    free(order);
    free(now);
    return 0;
}

static int make_loops(struct walk *w, struct vt_error *err)
{
    int rc = 0;
    for (uint32_t b = 0; b < w->n; b++) {
        w->leader[b] = b;
        w->loop_of[b] = VT_TRACE_NONE;
    }
    for (uint32_t v = w->n; v > 0 && rc == 0; v--) {
        rc = loop_at(w, w->block_of[v], err);
    }
    if (rc == 0) {
        sum_loops(w->g);
        rc = sort_loops(w->g, err);
    }
    return rc;
}

/* ---------------------------------------------------------------- functions */

static int hotter_function(const void *a, const void *b)
{
    const struct vt_trace_function *x = a, *y = b;
    return x->instructions != y->instructions ? (x->instructions > y->instructions ? -1 : 1)
                                              : (x->entry > y->entry) - (x->entry < y->entry);
}

/* What one child of the root dominates. */
static int make_functions(struct walk *w, struct vt_error *err)
{
    struct vt_trace_graph *g = w->g;
    for (uint32_t v = 1; v <= w->n; v++) {
        uint32_t b = w->block_of[v];
        if (w->idom[v] == 0) {
            int rc = vt_learn_room((void **)&g->functions, g->n_functions, &g->functions_room,
                                   sizeof *g->functions, err);
            if (rc != 0) {
                return rc;
            }
            g->blocks[b].function = g->n_functions;
            g->functions[g->n_functions++] = (struct vt_trace_function){.entry = b};
        } else {
            g->blocks[b].function = g->blocks[w->block_of[w->idom[v]]].function;
        }
        struct vt_trace_function *function = &g->functions[g->blocks[b].function];
        function->n_blocks++;
        function->instructions += g->blocks[b].instructions;
    }
    for (uint32_t i = 0; i < g->n_edges; i++) {
        if (g->edges[i].kind == VT_EDGE_CALL) {
            g->functions[g->blocks[g->edges[i].to].function].calls += g->edges[i].count;
        }
    }
    qsort(g->functions, g->n_functions, sizeof *g->functions, hotter_function);
    uint32_t *now = w->at; /* free now: by block */
    for (uint32_t i = 0; i < g->n_functions; i++) {
        now[g->functions[i].entry] = i;
    }
    for (uint32_t v = 1; v <= w->n; v++) {
        uint32_t b = w->block_of[v];
        g->blocks[b].function =
            w->idom[v] == 0 ? now[b] : g->blocks[w->block_of[w->idom[v]]].function;
    }
    return 0;
}

int vt_learn_loops(struct vt_trace_graph *g, struct vt_error *err)
{
    struct walk w;
    if (g->n_blocks == 0) {
        return 0;
    }
    int rc = walk_init(&w, g, err);
    if (rc == 0) {
        number_all(&w);
        w.idom[0] = 0;
        for (uint32_t v = 1; v <= w.n; v++) {
            w.idom[v] = UINT32_MAX;
        }
        if (dominators(&w)) {
            tree_places(&w);
            rc = make_loops(&w, err);
            rc = rc == 0 ? make_functions(&w, err) : rc;
        } else {
            g->stats.truncated = true;
        }
    }
    walk_fini(&w);
    return rc;
}
