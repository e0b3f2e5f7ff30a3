/* synth/from_trace.c - a loop that a trace showed, as synthesis takes it. See from_trace.h.
 */
#include "synth/from_trace.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

static bool is_in(const struct vt_trace_loop *loops, uint32_t inner, uint32_t outer)
{
    while (inner != VT_TRACE_NONE && inner != outer) {
        inner = loops[inner].parent;
    }
    return inner == outer;
}

/* ---------------------------------------------------------------- the head */

struct search {
    const struct vt_trace_graph *graph;
    const struct vt_trace_loop *loops;
    const struct vt_trace_basic_block *blocks;
    const struct vt_trace_edge *edges;
    uint32_t n_blocks, n_edges, index; /* of the loop */
};

static bool inside(const struct search *s, uint32_t block)
{
    return is_in(s->loops, s->blocks[block].loop, s->index);
}

/* Behind a branch, taken or not, a translation begins; elsewhere it goes on. */
static bool ends_with_branch(const struct search *s, uint32_t block)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    struct vt_trace_block one;
    vt_trace_graph_instruction(s->graph, block, s->blocks[block].n - 1, &one);
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return ZYAN_SUCCESS(
               ZydisDecoderDecodeInstruction(&decoder, NULL, one.code, one.code_bytes, &insn)) &&
           insn.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE;
}

/* The block of the loop behind whose last instruction, no branch, another one begins; or NONE. */
static uint32_t falls_into(const struct search *s, uint32_t block)
{
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        if (s->blocks[i].pc + s->blocks[i].bytes == s->blocks[block].pc &&
            s->blocks[i].space == s->blocks[block].space && inside(s, i) &&
            !ends_with_branch(s, i)) {
            return i;
        }
    }
    return VT_TRACE_NONE;
}

static bool is_only_before(const struct search *s, uint32_t before, uint32_t block)
{
    bool only = true;
    for (uint32_t i = 0; i < s->n_edges; i++) {
        const struct vt_trace_edge *e = &s->edges[i];
        only = only && (e->to != block || e->from == before || !inside(s, e->from));
    }
    return only;
}

/* The only block within the loop to which one leads, or NONE. */
static uint32_t only_after(const struct search *s, uint32_t block)
{
    uint32_t after = VT_TRACE_NONE, n = 0;
    for (uint32_t i = 0; i < s->n_edges; i++) {
        const struct vt_trace_edge *e = &s->edges[i];
        if (e->from == block && e->kind != VT_EDGE_CALL && inside(s, e->to)) {
            after = e->to;
            n++;
        }
    }
    return n == 1 ? after : VT_TRACE_NONE;
}

/* A kernel runs, and iterations are counted, where a translation begins. All of them have to come
 * to the head so; the header of a loop that was entered in its middle may also be fallen into. Then
 * it is a block before or behind it through which they pass, too. NONE: there is none. */
static uint32_t head_of(const struct search *s)
{
    uint32_t header = s->loops[s->index].header, before, block = header;
    for (uint32_t step = 0; step < s->loops[s->index].n_blocks; step++) {
        before = falls_into(s, block);
        if (before == VT_TRACE_NONE) {
            return block;
        }
        if (s->blocks[before].loop != s->index || !is_only_before(s, before, block)) {
            break;
        }
        block = before;
    }
    block = header;
    for (uint32_t step = 0; step < s->loops[s->index].n_blocks; step++) {
        block = only_after(s, block);
        if (block == VT_TRACE_NONE || s->blocks[block].loop != s->index) {
            break;
        }
        if (falls_into(s, block) == VT_TRACE_NONE) {
            return block;
        }
    }
    return VT_TRACE_NONE;
}

/* ---------------------------------------------------------------- the code */

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
static void mark(const struct search *s, bool *part)
{
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        part[i] = inside(s, i);
    }
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < s->n_edges; i++) {
            const struct vt_trace_edge *e = &s->edges[i];
            bool called = e->kind != VT_EDGE_RETURN && !inside(s, e->from);
            if (part[e->from] && !part[e->to] && (e->kind == VT_EDGE_CALL || called)) {
                part[e->to] = true;
                more = true;
            }
        }
    }
}

int vt_synth_loop_of_trace(const struct vt_trace_graph *graph, uint32_t index,
                           struct vt_synth_loop *loop, struct vt_error *err)
{
    uint32_t n_loops;
    struct search s = {.graph = graph, .index = index};
    s.loops = vt_trace_graph_loops(graph, &n_loops);
    s.blocks = vt_trace_graph_blocks(graph, &s.n_blocks);
    s.edges = vt_trace_graph_edges(graph, &s.n_edges);
    uint32_t head = head_of(&s);
    if (head == VT_TRACE_NONE) {
        return vt_fail(err, VT_E_UNSUPPORTED, "no block of the loop is come to by branches alone");
    }
    bool *part = calloc(s.n_blocks + 1, sizeof *part);
    if (part == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a loop's blocks");
    }
    mark(&s, part);
    struct vt_synth_loop made = {.head = s.blocks[head].pc};
    int rc = 0;
    for (uint32_t i = 0; i < s.n_blocks && rc == 0; i++) {
        if (!part[i]) {
            continue;
        }
        if (made.n_blocks == VT_SYNTH_BLOCKS_MAX) {
            rc = vt_fail(err, VT_E_UNSUPPORTED, "a loop of more than %u blocks",
                         VT_SYNTH_BLOCKS_MAX);
            break;
        }
        struct vt_synth_block *b = &made.blocks[made.n_blocks++];
        b->at = (int64_t)(s.blocks[i].pc - made.head);
        b->first = made.n_bytes;
        if (!append(graph, i, s.blocks[i].n, &made)) {
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
