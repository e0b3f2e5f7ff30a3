/* synth/from_trace.c - a loop that a trace showed, as synthesis takes it. See from_trace.h.
 */
#include "synth/from_trace.h"

#include <stdlib.h>
#include <string.h>

static bool is_in(const struct vt_trace_loop *loops, uint32_t inner, uint32_t outer)
{
    while (inner != VT_TRACE_NONE && inner != outer) {
        inner = loops[inner].parent;
    }
    return inner == outer;
}

/* A kernel runs when a vCPU comes to the head by a jump, since only there a translation begins.
 * Where a loop is entered in its middle, what dominates it is come to by falling through from the
 * block that jumps back; then that block is the head: every iteration passes through both. */
static uint32_t head_of(const struct vt_trace_graph *graph, const struct vt_trace_loop *loops,
                        const struct vt_trace_basic_block *blocks, uint32_t index)
{
    uint32_t n, head = loops[index].header;
    const struct vt_trace_edge *edges = vt_trace_graph_edges(graph, &n);
    for (uint32_t step = 0; step < loops[index].n_blocks; step++) {
        uint32_t before = VT_TRACE_NONE, inside = 0;
        bool jumped = false;
        for (uint32_t i = 0; i < n; i++) {
            if (edges[i].to == head && is_in(loops, blocks[edges[i].from].loop, index)) {
                jumped = jumped || edges[i].kind != VT_EDGE_NEXT;
                before = edges[i].from;
                inside++;
            }
        }
        if (jumped || inside != 1 || blocks[before].loop != index) {
            return jumped ? head : loops[index].header;
        }
        head = before;
    }
    return loops[index].header;
}

/* Appends the bytes of a block; false: not all are known, or they do not fit. */
static bool append(const struct vt_trace_graph *graph, uint32_t block, uint32_t n,
                   struct vt_synth_loop *loop)
{
    for (uint32_t i = 0; i < n; i++) {
        struct vt_trace_block one;
        vt_trace_graph_instruction(graph, block, i, &one);
        if (one.code_bytes != one.sizes[0] || one.code_bytes > sizeof loop->bytes - loop->n_bytes) {
            return false;
        }
        memcpy(loop->bytes + loop->n_bytes, one.code, one.code_bytes);
        loop->n_bytes += one.code_bytes;
    }
    return true;
}

/* Marks the loop's blocks, and those of functions that they call. */
static void mark(const struct vt_trace_graph *graph, const struct vt_trace_loop *loops,
                 uint32_t index, bool *part)
{
    uint32_t n_blocks, n;
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(graph, &n_blocks);
    const struct vt_trace_edge *edges = vt_trace_graph_edges(graph, &n);
    for (uint32_t i = 0; i < n_blocks; i++) {
        part[i] = is_in(loops, blocks[i].loop, index);
    }
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < n; i++) {
            const struct vt_trace_edge *e = &edges[i];
            bool within = e->kind != VT_EDGE_RETURN && !is_in(loops, blocks[e->from].loop, index);
            if (part[e->from] && !part[e->to] && (e->kind == VT_EDGE_CALL || within)) {
                part[e->to] = true;
                more = true;
            }
        }
    }
}

int vt_synth_loop_of_trace(const struct vt_trace_graph *graph, uint32_t index,
                           struct vt_synth_loop *loop, struct vt_error *err)
{
    uint32_t n_loops, n_blocks;
    int rc = 0;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(graph, &n_loops);
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(graph, &n_blocks);
    struct vt_synth_loop made = {.head = blocks[head_of(graph, loops, blocks, index)].pc};
    bool *part = calloc(n_blocks + 1, sizeof *part);
    if (part == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a loop's blocks");
    }
    mark(graph, loops, index, part);
    for (uint32_t i = 0; i < n_blocks && rc == 0; i++) {
        if (!part[i]) {
            continue;
        }
        if (made.n_blocks == VT_SYNTH_BLOCKS_MAX) {
            rc = vt_fail(err, VT_E_UNSUPPORTED, "a loop of more than %u blocks",
                         VT_SYNTH_BLOCKS_MAX);
            break;
        }
        struct vt_synth_block *b = &made.blocks[made.n_blocks++];
        b->at = (int64_t)(blocks[i].pc - made.head);
        b->first = made.n_bytes;
        if (!append(graph, i, blocks[i].n, &made)) {
            rc = vt_fail(err, VT_E_UNSUPPORTED, "a loop of unknown bytes, or of more than %u",
                         VT_SYNTH_BYTES_MAX);
        }
        b->n = made.n_bytes - b->first;
    }
    free(part);
    rc = rc != 0 ? rc : vt_synth_loop_finish(&made, err);
    if (rc == 0) {
        *loop = made;
    }
    return rc;
}
