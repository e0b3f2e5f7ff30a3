/* trace/hot_loops.c - all there is to know of a loop's code: its blocks with their bytes, the ways
 * between them, in and out, and a hash that is the same wherever and whenever the same code loops.
 * See hot.h; docs/trace.md has the JSON.
 */
#include "trace/hot.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct body {
    const struct vt_trace_graph *g;
    const struct vt_trace_loop *loop;
    const struct vt_trace_basic_block *blocks;
    uint32_t n_all;
    bool *inside;    /* by block */
    uint32_t *order; /* those inside, by address */
    uint32_t n;
};

static void body_fini(struct body *b)
{
    free(b->inside);
    free(b->order);
}

static int by_address(const void *a, const void *b, void *arg)
{
    const struct vt_trace_basic_block *blocks = arg;
    uint64_t x = blocks[*(const uint32_t *)a].pc, y = blocks[*(const uint32_t *)b].pc;
    return (x > y) - (x < y);
}

static int body_init(struct body *b, const struct vt_trace_graph *g, uint32_t index,
                     struct vt_error *err)
{
    uint32_t n_loops;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(g, &n_loops);
    *b = (struct body){.g = g, .loop = &loops[index]};
    b->blocks = vt_trace_graph_blocks(g, &b->n_all);
    b->inside = calloc(b->n_all, sizeof *b->inside);
    b->order = calloc(b->n_all, sizeof *b->order);
    if (b->inside == NULL || b->order == NULL) {
        body_fini(b);
        return vt_fail(err, VT_E_NOMEM, "no memory for a loop of %" PRIu32 " blocks",
                       b->loop->n_blocks);
    }
    for (uint32_t i = 0; i < b->n_all; i++) {
        uint32_t loop = b->blocks[i].loop;
        while (loop != VT_TRACE_NONE && loop != index) {
            loop = loops[loop].parent;
        }
        if (loop == index) {
            b->inside[i] = true;
            b->order[b->n++] = i;
        }
    }
    qsort_r(b->order, b->n, sizeof *b->order, by_address, (void *)b->blocks);
    return 0;
}

/* ---------------------------------------------------------------- bytes */

/* The bytes of a block into `out`, which has room for them; false: not all are known. */
static bool bytes_of(const struct body *b, uint32_t block, uint8_t *out)
{
    for (uint32_t i = 0; i < b->blocks[block].n; i++) {
        struct vt_trace_block one;
        vt_trace_graph_instruction(b->g, block, i, &one);
        if (one.code_bytes != one.sizes[0]) {
            return false;
        }
        memcpy(out, one.code, one.code_bytes);
        out += one.code_bytes;
    }
    return true;
}

static void hex_of(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static uint32_t longest(const struct body *b)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        most = b->blocks[b->order[i]].bytes > most ? b->blocks[b->order[i]].bytes : most;
    }
    return most;
}

/* Where each block lies, seen from the header, and its bytes; false: not all are known. */
static bool hash_of(const struct body *b, uint8_t *bytes, char out[33])
{
    uint64_t header = b->blocks[b->loop->header].pc;
    bool known = true;
    XXH3_state_t state;
    (void)XXH3_128bits_reset(&state);
    for (uint32_t i = 0; i < b->n && known; i++) {
        const struct vt_trace_basic_block *block = &b->blocks[b->order[i]];
        uint64_t place[2] = {htole64(block->pc - header), htole64(block->bytes)};
        (void)XXH3_128bits_update(&state, place, sizeof place);
        known = bytes_of(b, b->order[i], bytes);
        (void)XXH3_128bits_update(&state, bytes, known ? block->bytes : 0);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
    hex_of(canonical.digest, sizeof canonical.digest, out);
    return known;
}

/* ---------------------------------------------------------------- JSON */

static void address_or_null(struct vt_json_writer *w, const char *key, uint64_t address)
{
    if (address == ~(uint64_t)0) {
        vt_json_key(w, key);
        vt_json_null(w);
    } else {
        vt_json_kv_hex(w, key, address);
    }
}

static void text_or_null(struct vt_json_writer *w, const char *key, const char *text)
{
    vt_json_key(w, key);
    if (text != NULL) {
        vt_json_string(w, text);
    } else {
        vt_json_null(w);
    }
}

static void block_json(const struct body *b, uint32_t index, uint8_t *bytes, char *hex,
                       struct vt_json_writer *w)
{
    const struct vt_trace_basic_block *block = &b->blocks[index];
    uint32_t n_loops;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(b->g, &n_loops);
    struct vt_trace_block first;
    bool known = bytes_of(b, index, bytes);
    if (known) {
        hex_of(bytes, block->bytes, hex);
    }
    vt_trace_graph_instruction(b->g, index, 0, &first);
    vt_json_object(w);
    vt_json_kv_hex(w, "address", block->pc);
    address_or_null(w, "physical", first.physical);
    text_or_null(w, "bytes", known ? hex : NULL);
    vt_json_kv_u64(w, "instructions", block->n);
    vt_json_kv_u64(w, "count", block->count);
    vt_json_kv_hex(w, "loop", b->blocks[loops[block->loop].header].pc);
    vt_json_object_end(w);
}

static const char *role_of(const struct body *b, const struct vt_trace_edge *edge)
{
    bool from = b->inside[edge->from], to = b->inside[edge->to];
    if (from && to) {
        return edge->to == b->loop->header && edge->kind != VT_EDGE_CALL ? "back" : "inside";
    }
    return edge->kind == VT_EDGE_CALL     ? "call"
           : edge->kind == VT_EDGE_RETURN ? "return"
           : to                           ? "entry"
                                          : "exit";
}

static void edges_json(const struct body *b, struct vt_json_writer *w)
{
    uint32_t n;
    const struct vt_trace_edge *edges = vt_trace_graph_edges(b->g, &n);
    vt_json_key(w, "edges");
    vt_json_array(w);
    for (uint32_t i = 0; i < n; i++) {
        if (b->inside[edges[i].from] || b->inside[edges[i].to]) {
            vt_json_object(w);
            vt_json_kv_hex(w, "from", b->blocks[edges[i].from].pc);
            vt_json_kv_hex(w, "to", b->blocks[edges[i].to].pc);
            vt_json_kv_string(w, "kind", vt_trace_edge_kind_name(edges[i].kind));
            vt_json_kv_string(w, "role", role_of(b, &edges[i]));
            vt_json_kv_u64(w, "count", edges[i].count);
            vt_json_object_end(w);
        }
    }
    vt_json_array_end(w);
}

int vt_trace_hot_loop_json(const struct vt_trace_graph *graph, uint32_t loop,
                           struct vt_json_writer *w, struct vt_error *err)
{
    struct body b;
    char hash[33];
    uint32_t n;
    int rc = body_init(&b, graph, loop, err);
    if (rc != 0) {
        return rc;
    }
    size_t most = longest(&b);
    uint8_t *bytes = malloc(most + 2 * most + 1);
    if (bytes == NULL) {
        body_fini(&b);
        return vt_fail(err, VT_E_NOMEM, "no memory for a block of %zu bytes", most);
    }
    char *hex = (char *)bytes + most;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(graph, &n);
    const struct vt_trace_space *space =
        &vt_trace_graph_spaces(graph, &n)[b.blocks[b.loop->header].space];
    text_or_null(w, "hash", hash_of(&b, bytes, hash) ? hash : NULL);
    address_or_null(w, "root", space->root);
    address_or_null(w, "parent",
                    b.loop->parent == VT_TRACE_NONE ? ~(uint64_t)0
                                                    : b.blocks[loops[b.loop->parent].header].pc);
    vt_json_key(w, "code");
    vt_json_array(w);
    for (uint32_t i = 0; i < b.n; i++) {
        block_json(&b, b.order[i], bytes, hex, w);
    }
    vt_json_array_end(w);
    edges_json(&b, w);
    free(bytes);
    body_fini(&b);
    return 0;
}

/* ---------------------------------------------------------------- text */

/* Of the executions of a block that ends in a branch, how many took it; not a number elsewhere. */
static double taken(const struct body *b, uint32_t block)
{
    uint32_t n;
    const struct vt_trace_edge *out = vt_trace_graph_out(b->g, block, &n);
    uint64_t jumps = 0, all = 0;
    bool falls = false;
    for (uint32_t i = 0; i < n; i++) {
        jumps += out[i].kind == VT_EDGE_JUMP ? out[i].count : 0;
        all += out[i].count;
        falls |= out[i].kind == VT_EDGE_NEXT;
    }
    return jumps > 0 && falls ? 100.0 * (double)jumps / (double)all : (double)NAN;
}

static void print_block(const struct body *b, uint32_t index, FILE *out)
{
    const struct vt_trace_basic_block *block = &b->blocks[index];
    double share = taken(b, index);
    for (uint32_t i = 0; i < block->n; i++) {
        struct vt_trace_block one;
        struct vt_trace_instruction insn;
        vt_trace_graph_instruction(b->g, index, i, &one);
        vt_trace_decode(&one, 0, &insn);
        fprintf(out, "%14" PRIu64 "  0x%" PRIx64 "  %s", block->count, insn.pc, insn.text);
        if (i + 1 == block->n && !isnan(share)) {
            fprintf(out, "   ; taken %.1f %%", share);
        }
        fputc('\n', out);
    }
}

int vt_trace_hot_loop_text(const struct vt_trace_hot *hot, uint32_t loop, FILE *out,
                           struct vt_error *err)
{
    struct body b;
    uint32_t n;
    int rc = body_init(&b, hot->graph, loop, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t root = vt_trace_graph_spaces(hot->graph, &n)[b.blocks[b.loop->header].space].root;
    for (uint32_t i = 0; i < b.n; i++) {
        const struct vt_trace_basic_block *block = &b.blocks[b.order[i]];
        const struct vt_trace_basic_block *before = i > 0 ? &b.blocks[b.order[i - 1]] : NULL;
        if (before == NULL || before->pc + before->bytes != block->pc) {
            struct vt_trace_place place;
            struct vt_trace_block one;
            char text[128];
            vt_trace_graph_instruction(hot->graph, b.order[i], 0, &one);
            (void)vt_trace_place(hot->names, root, &one, block->pc, &place);
            vt_trace_place_text(&place, block->pc, text, sizeof text);
            fprintf(out, "%14s  %s:\n", "", text);
        }
        print_block(&b, b.order[i], out);
    }
    body_fini(&b);
    return 0;
}
