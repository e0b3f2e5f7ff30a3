/* tests/unit/synth/small_loops.h - small loops, as bytes, and states in which they can run. */
#ifndef VT_TESTS_SYNTH_SMALL_LOOPS_H
#define VT_TESTS_SYNTH_SMALL_LOOPS_H

#include "vitrine/synth.h"

#include <string.h>

#define ARENA_AT UINT64_C(0x10000000) /* guest-virtual, of the memory that loops run on */
#define ARENA_BYTES 65536u

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9 };
#define ABSOLUTE (-1)
#define MEMORY (-2) /* from ARENA_AT on */

/** reg = base + times × (low … high); others are any number. */
struct vt_test_register {
    int8_t reg, base;
    uint32_t low, high, times;
};
struct vt_test_loop {
    const char *name, *hex;
    struct vt_test_register registers[6];
    unsigned n;
};

static const struct vt_test_loop vt_test_loops[] = {
    /* xor [rdi + rax*8], rcx; inc rax; cmp rax, rdx; jne */
    {"xor",
     "48310cc748ffc04839d075f4",
     {{RDI, MEMORY, 8, 200, 16}, {RAX, ABSOLUTE, 0, 9, 1}, {RDX, RAX, 1, 40, 1}},
     3},
    /* mov [rdi], al; add rdi, 1; cmp rdi, rdx; jb */
    {"fill", "88074883c7014839d772f5", {{RDI, MEMORY, 8, 900, 7}, {RDX, RDI, 1, 60, 1}}, 2},
    /* add rax, [rdi]; add rdi, 8; dec rcx; jnz */
    {"sum", "4803074883c70848ffc975f4", {{RDI, MEMORY, 8, 900, 8}, {RCX, ABSOLUTE, 1, 60, 1}}, 2},
    /* mov al, [rsi]; mov [rdi], al; inc rsi; inc rdi; sub rcx, 1; ja */
    {"copy",
     "8a06880748ffc648ffc74883e90177f0",
     {{RSI, MEMORY, 8, 900, 8}, {RDI, MEMORY, 8, 900, 8}, {RCX, ABSOLUTE, 1, 60, 1}},
     3},
    /* mov eax, [rdi + rcx*4]; test eax, eax; jns 1f; neg eax; 1: mov [rdi + rcx*4], eax; inc rcx;
     * cmp rcx, rdx; jb */
    {"absolute",
     "8b048f85c07902f7d889048f48ffc14839d172ec",
     {{RDI, MEMORY, 8, 900, 4}, {RCX, ABSOLUTE, 0, 20, 1}, {RDX, RCX, 1, 60, 1}},
     3},
    /* mov r8, [rsi]; xor eax, eax; 1: inc eax; lea r9, [r8 - 1]; and r8, r9; jnz 1b; mov [rdi],
     * eax; add rsi, 8; add rdi, 4; cmp rsi, rdx; jne */
    {"bits",
     "4c8b0631c0ffc04d8d48ff4d21c875f589074883c6084883c7044839d675e1",
     {{RSI, MEMORY, 8, 900, 8}, {RDI, MEMORY, 2000, 4000, 8}, {RDX, RSI, 1, 60, 8}},
     3},
    /* add dword [rsp + 8], 1; mov eax, [rsp + 8]; mov [rdi + rcx*4], eax; add rcx, 1; cmp rcx, rdx;
     * jl */
    {"cell",
     "83442408018b44240889048f4883c1014839d17ceb",
     {{RSP, MEMORY, 8, 900, 8},
      {RDI, MEMORY, 2000, 3000, 8},
      {RCX, ABSOLUTE, 0, 20, 1},
      {RDX, RCX, 1, 60, 1}},
     4},
    /* movdqa xmm0, [rsi + rax]; pxor xmm0, xmm1; movaps [rdi + rax], xmm0; add rax, 16; cmp rax,
     * rdx; jne */
    {"vector",
     "660f6f0406660fefc10f2904074883c0104839d075ea",
     {{RSI, MEMORY, 8, 900, 16},
      {RDI, MEMORY, 8, 900, 16},
      {RAX, ABSOLUTE, 0, 9, 16},
      {RDX, RAX, 1, 40, 16}},
     4},
    /* vmovdqa ymm0, [rsi + rax]; vpxor ymm0, ymm0, ymm1; vmovdqu [rdi + rax], ymm0; vpaddd xmm2,
     * xmm2, xmm0; add rax, 32; cmp rax, rdx; jne */
    {"avx",
     "c5fd6f0406c5fdefc1c5fe7f0407c5e9fed04883c0204839d075e5",
     {{RSI, MEMORY, 8, 500, 32},
      {RDI, MEMORY, 8, 900, 16},
      {RAX, ABSOLUTE, 0, 9, 32},
      {RDX, RAX, 1, 40, 32}},
     4},
};
#define VT_TEST_LOOPS (sizeof vt_test_loops / sizeof vt_test_loops[0])

static inline void vt_test_loop_of(const char *hex, struct vt_synth_loop *loop)
{
    memset(loop, 0, sizeof *loop);
    for (; hex[0] != '\0'; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        loop->bytes[loop->n_bytes++] = (uint8_t)byte;
    }
    loop->head = 0x401000;
    loop->n_blocks = 1;
    loop->blocks[0] = (struct vt_synth_block){.n = loop->n_bytes};
    assert_int_equal(vt_synth_loop_finish(loop, NULL), 0);
}

static inline struct vt_synth_kernel *vt_test_kernel(const struct vt_test_loop *of)
{
    struct vt_synth_loop loop;
    struct vt_synth_kernel *k;
    struct vt_error err;
    vt_test_loop_of(of->hex, &loop);
    if (vt_synth_make(&loop, &k, &err) != 0) {
        fail_msg("%s: %s", of->name, err.message);
    }
    return k;
}

#endif
