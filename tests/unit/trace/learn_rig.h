/* tests/unit/trace/learn_rig.h - events of a program that is known, as a source would give them.
 *
 * The program is `rig_code`, as an assembler made it of the listing beside it; a test says which
 * translation blocks ran in which order.
 */
#ifndef VT_TESTS_TRACE_LEARN_RIG_H
#define VT_TESTS_TRACE_LEARN_RIG_H

#include "tests/unit/harness.h"

#include "trace/learn.h"

#include <string.h>

#define RIG_BASE 0x401000u
#define RIG_KERNEL 0xffffffff81000000u
#define RIG_ROOT 0x1234000u

/* clang-format off */
static const uint8_t rig_code[] = {
    /* 00 main:  xor eax,eax; mov ecx,3 */           0x31, 0xc0, 0xb9, 3, 0, 0, 0,
    /* 07 outer: mov edx,10 */                       0xba, 10, 0, 0, 0,
    /* 0c inner: add rax,[rsi]; add rsi,8; dec edx; jnz inner */
    0x48, 0x03, 0x06, 0x48, 0x83, 0xc6, 8, 0xff, 0xca, 0x75, 0xf5,
    /* 17 call sub */                                0xe8, 0x24, 0, 0, 0,
    /* 1c dec ecx; jnz outer; ret */                 0xff, 0xc9, 0x75, 0xe7, 0xc3,
    [0x40] = /* sub: inc rbx; cmp ebx,2; jle 49; nop; 49: ret */
    0x48, 0xff, 0xc3, 0x83, 0xfb, 2, 0x7e, 1, 0x90, 0xc3,
    [0x60] = /* walk: mov rdi,[rdi]; test rdi,rdi; jnz walk; 68: syscall */
    0x48, 0x8b, 0x3f, 0x48, 0x85, 0xff, 0x75, 0xf8, 0x0f, 0x05,
    [0x70] = /* movsd xmm0,[rsi]; 74: mulsd xmm0,xmm1; addsd xmm2,xmm0; dec ecx; jnz 74 */
    0xf2, 0x0f, 0x10, 0x06, 0xf2, 0x0f, 0x59, 0xc1, 0xf2, 0x0f, 0x58, 0xd0, 0xff, 0xc9, 0x75, 0xf4,
    /* 80 iretq */                                   0x48, 0xcf,
    [0x90] = /* rep movsb; cli; in al,0x60; jmp rax; call rax */
    0xf3, 0xa4, 0xfa, 0xe4, 0x60, 0xff, 0xe0, 0xff, 0xd0,
    [0xa0] = /* body: inc eax; test al,1; jz a9; a6: inc edx; nop; a9: dec ecx; jnz body; ret */
    0xff, 0xc0, 0xa8, 1, 0x74, 3, 0xff, 0xc2, 0x90, 0xff, 0xc9, 0x75, 0xf3, 0xc3,
    [0xb0] = /* jmp a9 */
    0xeb, 0xf7,
};
/* Where instructions end, in order. */
static const uint8_t rig_ends[] = {
    0x02, 0x07, 0x0c, 0x0f, 0x13, 0x15, 0x17, 0x1c, 0x1e, 0x20, 0x21, 0x43, 0x46, 0x48, 0x49, 0x4a,
    0x63, 0x66, 0x68, 0x6a, 0x74, 0x78, 0x7c, 0x7e, 0x80, 0x82, 0x92, 0x93, 0x95, 0x97, 0x99, 0xa2,
    0xa4, 0xa6, 0xa8, 0xa9, 0xab, 0xad, 0xae, 0xb2,
};
/* clang-format on */

struct rig {
    struct vt_trace_graph *g;
    struct vt_error err;
    uint64_t root;
    uint32_t vcpu;
};

/* A translation block of n instructions at `at`; `base`: where the program lies. */
struct rig_block {
    struct vt_trace_block block;
    uint8_t sizes[32];
};

static inline void rig_block_make(struct rig_block *b, uint64_t base, unsigned at, unsigned n)
{
    unsigned end = at;
    memset(b, 0, sizeof *b);
    for (unsigned i = 0, k = 0; i < n; i++) {
        while (rig_ends[k] <= end) {
            k++;
        }
        b->sizes[i] = (uint8_t)(rig_ends[k] - end);
        end = rig_ends[k];
    }
    b->block = (struct vt_trace_block){.id = (base == RIG_KERNEL ? 1u << 16 : 0) | at << 8 | n,
                                       .pc = base + at,
                                       .physical = ~(uint64_t)0,
                                       .n = (uint16_t)n,
                                       .code_bytes = (uint16_t)(end - at),
                                       .sizes = b->sizes,
                                       .code = rig_code + at};
}

static inline void rig_event(struct rig *r, uint64_t base, unsigned at, unsigned n,
                             unsigned executed, enum vt_trace_end end, uint64_t from)
{
    struct rig_block b;
    rig_block_make(&b, base, at, n);
    struct vt_trace_event event = {.kind = VT_TRACE_EV_BLOCK,
                                   .vcpu = r->vcpu,
                                   .root = r->root,
                                   .block = &b.block,
                                   .executed = (uint16_t)executed,
                                   .end = end,
                                   .from = from};
    assert_int_equal(vt_trace_graph_add(r->g, &event, &r->err), 0);
}

/* All of it, `times` times. */
static inline void rig_run(struct rig *r, unsigned at, unsigned n, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        rig_event(r, RIG_BASE, at, n, n, VT_TRACE_END_WHOLE, 0);
    }
}

/* A handler in the kernel that does nothing but come back. */
static inline void rig_handler(struct rig *r)
{
    rig_event(r, RIG_KERNEL, 0x80, 1, 1, VT_TRACE_END_WHOLE, 0);
}

/* One row of the matrix: the block that leads into the inner loop, and what follows. */
static inline void rig_row(struct rig *r, bool first, bool last)
{
    rig_run(r, first ? 0 : 7, first ? 7 : 5, 1);
    rig_run(r, 0xc, 4, 9);
    rig_run(r, 0x17, 1, 1);
    rig_run(r, 0x40, 3, 1);
    if (last) {
        rig_run(r, 0x48, 2, 1);
    } else {
        rig_run(r, 0x49, 1, 1);
    }
    rig_run(r, 0x1c, 2, 1);
    if (last) {
        rig_run(r, 0x20, 1, 1);
    }
}

static inline void rig_main(struct rig *r)
{
    rig_row(r, true, false);
    rig_row(r, false, false);
    rig_row(r, false, true);
}

static inline int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    r->root = RIG_ROOT;
    *state = r;
    return vt_trace_graph_create("x86_64", &r->g, NULL);
}

static inline int rig_teardown(void **state)
{
    struct rig *r = *state;
    vt_trace_graph_destroy(r->g);
    free(r);
    return 0;
}

#define rig_test(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static inline void rig_learn(struct rig *r)
{
    int rc = vt_trace_graph_learn(r->g, &r->err);
    if (rc != 0) {
        fail_msg("%s", r->err.message);
    }
}

/* The block at an offset of the program, or of the kernel's copy; fails when there is none. */
static inline uint32_t rig_find(struct rig *r, uint64_t pc, uint64_t root)
{
    uint32_t n, n_spaces;
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(r->g, &n);
    const struct vt_trace_space *spaces = vt_trace_graph_spaces(r->g, &n_spaces);
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_trace_space *space = &spaces[blocks[i].space];
        if (blocks[i].pc == pc && (space->kernel || space->root == root)) {
            return i;
        }
    }
    fail_msg("no basic block begins at 0x%llx", (unsigned long long)pc);
    return 0;
}

static inline const struct vt_trace_basic_block *rig_block_at(struct rig *r, unsigned at)
{
    uint32_t n;
    return vt_trace_graph_blocks(r->g, &n) + rig_find(r, RIG_BASE + at, r->root);
}

static inline const struct vt_trace_loop *rig_loop_at(struct rig *r, unsigned at)
{
    uint32_t n, header = rig_find(r, RIG_BASE + at, r->root);
    const struct vt_trace_loop *loops = vt_trace_graph_loops(r->g, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (loops[i].header == header) {
            return &loops[i];
        }
    }
    fail_msg("no loop at 0x%x", at);
    return NULL;
}

/* Times control went from one block to another in a way; 0: never. */
static inline uint64_t rig_edge(struct rig *r, unsigned from, unsigned to,
                                enum vt_trace_edge_kind kind)
{
    uint32_t n, target = rig_find(r, RIG_BASE + to, r->root);
    const struct vt_trace_edge *edges =
        vt_trace_graph_out(r->g, rig_find(r, RIG_BASE + from, r->root), &n);
    for (uint32_t i = 0; i < n; i++) {
        if (edges[i].to == target && edges[i].kind == kind) {
            return edges[i].count;
        }
    }
    return 0;
}

#endif
