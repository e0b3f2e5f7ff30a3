/* tests/fuzz/fuzz_trace_learn.c - any blocks in any order with any ends: what is learned of them is
 * bounded and agrees with itself.
 *
 * Eight bytes an event: kind and end, vCPU and root, place, length, executed, id, size, and where
 * in the input its code lies. The first byte of the input chooses the architecture.
 */
#include "tests/fuzz/fuzz.h"

#include "trace/learn.h"

#define EVENTS_MAX 4096u

static void add(struct vt_trace_graph *g, const uint8_t *event, const uint8_t *data, size_t size)
{
    static const uint64_t bases[] = {0x401000, 0xffffffff81000000u, 0, UINT64_MAX - 20};
    uint8_t sizes[16], code[64];
    size_t from = (size_t)event[7] % size;
    struct vt_trace_block block = {.id = event[5],
                                   .pc = bases[event[2] & 3] + (event[2] >> 2),
                                   .n = (uint16_t)(1 + event[3] % sizeof sizes),
                                   .sizes = sizes,
                                   .code = code,
                                   .code_bytes = (uint16_t)(event[6] % sizeof code)};
    for (size_t i = 0; i < sizeof sizes; i++) {
        sizes[i] = (uint8_t)(data[(from + i) % size] % 16);
    }
    for (size_t i = 0; i < sizeof code; i++) {
        code[i] = data[(from + i) % size];
    }
    struct vt_trace_event e = {.kind = (event[0] & 7) < 7
                                           ? (enum vt_trace_kind)((event[0] & 7) * (event[0] >> 7))
                                           : VT_TRACE_EV_CUT,
                               .end = (enum vt_trace_end)((event[0] >> 3) % 6),
                               .vcpu = event[1] & 3,
                               .root = event[1] >> 6,
                               .block = &block,
                               .executed = event[4],
                               .from = block.pc + (event[4] & 15)};
    struct vt_error err;
    FUZZ_CHECK(vt_trace_graph_add(g, &e, &err) == 0);
}

static void learn(struct vt_trace_graph *g)
{
    struct vt_error err;
    uint32_t n_blocks, n_loops, n;
    uint64_t instructions = 0;
    FUZZ_CHECK(vt_trace_graph_learn(g, &err) == 0);
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(g, &n_blocks);
    const struct vt_trace_loop *loops = vt_trace_graph_loops(g, &n_loops);
    for (uint32_t b = 0; b < n_blocks; b++) {
        FUZZ_CHECK(blocks[b].loop == VT_TRACE_NONE || blocks[b].loop < n_loops);
        instructions += blocks[b].instructions;
        for (uint32_t i = 0; i < blocks[b].n; i++) {
            struct vt_trace_block one;
            vt_trace_graph_instruction(g, b, i, &one);
            FUZZ_CHECK(one.n == 1);
        }
    }
    for (uint32_t i = 0; i < n_loops; i++) {
        FUZZ_CHECK(loops[i].header < n_blocks && blocks[loops[i].header].loop == i);
        FUZZ_CHECK(loops[i].parent == VT_TRACE_NONE || loops[i].parent < i);
    }
    const struct vt_trace_edge *edges = vt_trace_graph_edges(g, &n);
    for (uint32_t i = 0; i < n; i++) {
        FUZZ_CHECK(edges[i].from < n_blocks && edges[i].to < n_blocks);
    }
    FUZZ_CHECK(instructions <= vt_trace_graph_stats(g)->instructions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const archs[] = {"x86_64", "x86_64", "aarch64", "riscv64", "other"};
    struct vt_trace_graph *g;
    if (size < 9 || vt_trace_graph_create(archs[data[0] % 5], &g, NULL) != 0) {
        return 0;
    }
    vt_trace_graph_limit(
        g, &(struct vt_trace_graph_limits){
               .blocks = 500, .instructions = 2000, .edges = 1500, .sequences = 2000});
    for (size_t at = 1, n = 0; at + 8 <= size && n < EVENTS_MAX; at += 8, n++) {
        add(g, data + at, data, size);
    }
    learn(g);
    learn(g);
    vt_trace_graph_destroy(g);
    return 0;
}
