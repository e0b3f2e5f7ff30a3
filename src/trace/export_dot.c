/* trace/export_dot.c - the flow graph of what was executed most, for graphviz: a node a basic
 * block, those of a function together, an edge the width of how often it was taken.
 *
 * A call's edge goes to the function, and a thin one to where it came back.
 */
#include "trace/export_parts.h"

#include "base/text.h"
#include "trace/learn.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_SHOWN 250u

static int begin(struct vt_trace_export *x, struct vt_error *err)
{
    struct vt_trace_graph *graph = NULL;
    int rc = vt_trace_graph_create(x->info->arch, &graph, err);
    x->own = graph;
    return rc;
}

static int put(struct vt_trace_export *x, const struct vt_trace_event *event, struct vt_error *err)
{
    return vt_trace_graph_add(x->own, event, err);
}

struct drawn {
    const struct vt_trace_graph *graph;
    const struct vt_trace_basic_block *blocks;
    const struct vt_trace_space *spaces;
    uint32_t n, n_shown;
    uint32_t *shown; /* indices: the hottest, by function then address */
    bool *is_shown;
    uint64_t all; /* instructions */
};

/* Sorting has no room for an argument. */
struct key {
    uint64_t instructions, pc;
    uint32_t function, space, block;
};

static int hottest_first(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->instructions != y->instructions) {
        return x->instructions > y->instructions ? -1 : 1;
    }
    return x->block < y->block ? -1 : 1;
}

static int by_function(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->function != y->function) {
        return x->function < y->function ? -1 : 1;
    }
    if (x->space != y->space) {
        return x->space < y->space ? -1 : 1;
    }
    return x->pc != y->pc ? (x->pc < y->pc ? -1 : 1) : x->block < y->block ? -1 : 1;
}

static int choose(struct drawn *d, uint32_t most, struct vt_error *err)
{
    struct key *keys = calloc(d->n + 1u, sizeof *keys);
    d->shown = calloc(d->n + 1u, sizeof *d->shown);
    d->is_shown = calloc(d->n + 1u, sizeof *d->is_shown);
    if (keys == NULL || d->shown == NULL || d->is_shown == NULL) {
        free(keys);
        return vt_fail(err, VT_E_NOMEM, "no memory for a graph of %u blocks", d->n);
    }
    for (uint32_t i = 0; i < d->n; i++) {
        const struct vt_trace_basic_block *b = &d->blocks[i];
        keys[i] = (struct key){b->instructions, b->pc, b->function, b->space, i};
    }
    qsort(keys, d->n, sizeof *keys, hottest_first);
    d->n_shown = d->n < most ? d->n : most;
    qsort(keys, d->n_shown, sizeof *keys, by_function);
    for (uint32_t i = 0; i < d->n_shown; i++) {
        d->shown[i] = keys[i].block;
        d->is_shown[keys[i].block] = true;
    }
    free(keys);
    return 0;
}

/* Between quotes of DOT. */
static void put_quoted(FILE *out, const char *text)
{
    char safe[VT_TRACE_TEXT];
    vt_text_printable(safe, sizeof safe, text, strlen(text));
    for (const char *at = safe; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            putc('\\', out);
        }
        putc(*at, out);
    }
}

static void place_of(const struct vt_trace_export *x, const struct drawn *d, uint32_t block,
                     struct vt_trace_place *place)
{
    struct vt_trace_block one;
    const struct vt_trace_basic_block *b = &d->blocks[block];
    vt_trace_graph_instruction(d->graph, block, 0, &one);
    (void)vt_trace_place(x->names, d->spaces[b->space].root, &one, b->pc, place);
}

static void put_name(FILE *out, const struct vt_trace_place *place, uint64_t pc, bool exact)
{
    const char *name = place->function != NULL ? place->function : place->object;
    if (name == NULL) {
        fprintf(out, "0x%" PRIx64, pc);
        return;
    }
    put_quoted(out, name);
    if (exact && (place->offset > 0 || place->function == NULL)) {
        fprintf(out, "+0x%" PRIx64, place->offset);
    }
}

static void put_block(const struct vt_trace_export *x, const struct drawn *d, uint32_t i)
{
    const struct vt_trace_basic_block *b = &d->blocks[i];
    struct vt_trace_place place;
    double share = d->all > 0 ? (double)b->instructions / (double)d->all : 0;
    place_of(x, d, i, &place);
    fprintf(x->out, "    b%" PRIu32 " [label=\"", i);
    put_name(x->out, &place, b->pc, true);
    fprintf(x->out,
            "\\l%" PRIu32 " instructions, %" PRIu64 " times\\l%.2f %%: %s\\l\", "
            "fillcolor=\"0.06 %.3f 1.0\"];\n",
            b->n, b->count, 100 * share, vt_trace_work_name(b->work), fmin(0.9, sqrt(share)));
}

static void put_function(const struct vt_trace_export *x, const struct drawn *d, uint32_t i)
{
    const struct vt_trace_basic_block *b = &d->blocks[i];
    const struct vt_trace_space *space = &d->spaces[b->space];
    uint32_t n;
    const struct vt_trace_function *functions = vt_trace_graph_functions(d->graph, &n);
    uint32_t entry = b->function < n ? functions[b->function].entry : i;
    struct vt_trace_place place;
    place_of(x, d, entry, &place);
    fprintf(x->out, "  subgraph cluster_%" PRIu32 " {\n    label=\"", i);
    if (space->kernel) {
        fputs("kernel: ", x->out);
    } else if (place.process != NULL) {
        put_quoted(x->out, place.process);
        fprintf(x->out, " (%" PRId64 "): ", place.pid);
    } else if (space->root != UINT64_MAX) {
        fprintf(x->out, "root 0x%" PRIx64 ": ", space->root);
    }
    put_name(x->out, &place, d->blocks[entry].pc, false);
    fputs("\";\n", x->out);
}

static const char *const styles[] = {
    [VT_EDGE_NEXT] = "color=\"#555555\"",
    [VT_EDGE_JUMP] = "color=\"#1558b0\"",
    [VT_EDGE_CALL] = "color=\"#2e7d32\", constraint=false",
    [VT_EDGE_RETURN] = "color=\"#c62828\", style=dashed, constraint=false",
    [VT_EDGE_OVER] = "color=\"#999999\", style=dotted",
};

static void put_edges(const struct vt_trace_export *x, const struct drawn *d)
{
    uint32_t n;
    const struct vt_trace_edge *edges = vt_trace_graph_edges(d->graph, &n);
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_trace_edge *e = &edges[i];
        if (d->is_shown[e->from] && d->is_shown[e->to]) {
            fprintf(x->out,
                    "  b%" PRIu32 " -> b%" PRIu32 " [%s, penwidth=%.2f, label=\"%" PRIu64
                    "\", tooltip=\"%s\"];\n",
                    e->from, e->to, styles[e->kind], 1 + log10((double)e->count + 1) / 2, e->count,
                    vt_trace_edge_kind_name(e->kind));
        }
    }
}

static int draw(struct vt_trace_export *x, struct vt_error *err)
{
    uint32_t unused;
    int rc = vt_trace_graph_learn(x->own, err);
    if (rc != 0) {
        return rc;
    }
    struct drawn d = {.graph = x->own, .all = vt_trace_graph_stats(x->own)->instructions};
    d.blocks = vt_trace_graph_blocks(x->own, &d.n);
    d.spaces = vt_trace_graph_spaces(x->own, &unused);
    rc = choose(&d, x->options->blocks != 0 ? x->options->blocks : BLOCKS_SHOWN, err);
    if (rc == 0) {
        fputs(
            "digraph flow {\n  graph [fontname=\"monospace\", style=rounded, color=\"#bbbbbb\"];\n"
            "  node [shape=box, style=filled, fontname=\"monospace\", fontsize=10];\n"
            "  edge [fontname=\"monospace\", fontsize=8];\n",
            x->out);
        for (uint32_t i = 0; i < d.n_shown; i++) {
            const struct vt_trace_basic_block *b = &d.blocks[d.shown[i]];
            const struct vt_trace_basic_block *before = i > 0 ? &d.blocks[d.shown[i - 1]] : NULL;
            bool opens =
                before == NULL || before->function != b->function || before->space != b->space;
            if (opens) {
                fputs(i > 0 ? "  }\n" : "", x->out);
                put_function(x, &d, d.shown[i]);
            }
            put_block(x, &d, d.shown[i]);
        }
        fputs(d.n_shown > 0 ? "  }\n" : "", x->out);
        put_edges(x, &d);
        fputs("}\n", x->out);
    }
    x->done->left_out = d.n - d.n_shown;
    x->done->truncated = vt_trace_graph_stats(x->own)->truncated;
    free(d.shown);
    free(d.is_shown);
    return rc;
}

static int end(struct vt_trace_export *x, bool whole, struct vt_error *err)
{
    int rc = whole ? draw(x, err) : 0;
    vt_trace_graph_destroy(x->own);
    return rc;
}

const struct vt_trace_exporter vt_trace_exporter_dot = {
    .name = "dot", .begin = begin, .put = put, .end = end};
