/* vitrine/synth.h - kernels: a loop of x86-64 code, a Pixel program that does the same, and a
 * proof.
 *
 * A kernel stands for iterations of a loop that come back to its head. Whoever runs it does so when
 * the vCPU is at the head, for some iterations, of which none leaves the loop; the guest itself
 * runs the one that leaves, and so flags and the PC come out right without being touched. Between
 * two iterations the state is: general registers, vector registers, memory. What of it the loop
 * changes and the program computes are its carries; the *places* say where in the state each input
 * comes from and each carry comes from and goes to. Stream positions are sums of registers at the
 * head.
 *
 * Made by vt_synth_make of nothing but the loop's bytes, proven by vt_synth_prove, kept as JSON by
 * vt_synth_save, and proven again from the JSON's bytes and operations alone by vt_synth_verify:
 * nothing that a file claims is believed. docs/synth.md has the argument why what is proven
 * suffices. One thread a kernel. Errors: VT_E_UNSUPPORTED (this loop cannot be had, and why),
 * VT_E_CORRUPT (a file), VT_E_REFUSED (not proven: false, or unknown within the time), VT_E_NOMEM,
 * VT_E_IO, VT_E_INTERRUPTED.
 */
#ifndef VITRINE_SYNTH_H
#define VITRINE_SYNTH_H

#include "vitrine/pixel.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VT_SYNTH_BLOCKS_MAX 64u
#define VT_SYNTH_BYTES_MAX 4096u /**< of a loop's code */
#define VT_SYNTH_CELLS_MAX 48u
#define VT_SYNTH_DISJOINT_MAX 256u
#define VT_SYNTH_EQUAL_MAX 16u

struct vt_synth_block {
    int64_t at;     /**< from the head's first byte; the head's own block has 0 */
    uint32_t first; /**< of vt_synth_loop.bytes */
    uint32_t n;
};
/** A loop's code: basic blocks that were executed, by `at`, without overlaps. A way that leads out
 * of them leaves the loop. */
struct vt_synth_loop {
    uint64_t head; /**< guest-virtual, where it was seen; the kernel holds wherever the bytes lie,
                        unless vt_synth_loop_is_bound */
    uint32_t n_blocks, n_bytes;
    struct vt_synth_block blocks[VT_SYNTH_BLOCKS_MAX];
    uint8_t bytes[VT_SYNTH_BYTES_MAX];
    char hash[33]; /**< XXH3-128 as `vitrine hot --json` has it */
};

#define VT_LINEAR_FS 16u
#define VT_LINEAR_GS 17u
#define VT_LINEAR_PLACE 32u
/** constant + Σ coefficient × register at the head, modulo 2^64. */
struct vt_linear {
    uint64_t constant;
    uint32_t n;
    struct {
        /** 0-15 rax rcx rdx rbx rsp rbp rsi rdi r8 … r15; FS, GS base. In positions of streams
         * also VT_LINEAR_PLACE + i: the kernel's input i, behind the inputs its carries, of 32
         * bits, zeros above them, or 64: a pointer or an index that lies in memory. */
        uint32_t reg;
        uint64_t coefficient;
    } part[4];
};

enum vt_place_kind {
    VT_PLACE_GPR,     /**< 64 bits */
    VT_PLACE_XMM_LOW, /**< a vector register's bits 0-63, */
    VT_PLACE_XMM_HIGH,
    VT_PLACE_YMM_LOW, /**< 128-191, */
    VT_PLACE_YMM_HIGH,
    VT_PLACE_FS_BASE, /**< inputs only */
    VT_PLACE_GS_BASE,
    VT_PLACE_CELL, /**< memory that stays where it is: `bytes` at `address`, which no iteration
                      moves */
};
struct vt_place {
    uint8_t kind;
    uint8_t reg;   /**< GPR, XMM, YMM */
    uint8_t bytes; /**< CELL: 1, 2, 4, 8 */
    struct vt_linear address;
};

static inline bool vt_place_is_vector(uint8_t kind)
{
    return kind >= VT_PLACE_XMM_LOW && kind <= VT_PLACE_YMM_HIGH;
}

/** What is guarded at run time beside permissions: these bytes must not overlap, for any of the
 * iterations that are run. Below n_streams a stream, all its windows; then cells among inputs and
 * carries: n_streams + i an input's, n_streams + n_inputs + i a carry's. */
struct vt_disjoint {
    uint8_t a, b;
    bool only_parallel; /**< wanted only where iterations are run out of order */
};

/** What a kernel takes for granted of the state at the head: a general register, or a cell of 8
 * bytes, is a sum of registers that are no such place themselves. */
struct vt_equal {
    struct vt_place place;
    struct vt_linear sum;
};

enum vt_proof_result { VT_PROOF_OPEN, VT_PROOF_HOLDS, VT_PROOF_FALSE, VT_PROOF_UNKNOWN };
struct vt_obligation {
    char name[48];   /**< "carry.rax", "store.0.address", "stream.1.stride", … */
    uint8_t result;  /**< enum vt_proof_result */
    char solver[16]; /**< "structure" (both sides are one term), "z3", "bitwuzla"; "evaluation":
                          numbers were found for which it is false */
    uint32_t took_us;
    char hash[33]; /**< XXH3-128 of its SMT-LIB text */
};

struct vt_synth_kernel {
    struct vt_synth_loop loop;
    struct vt_pixel_program program;
    struct vt_place inputs[VT_PIXEL_INPUTS_MAX]; /**< of program.inputs */
    struct vt_place
        carries[VT_PIXEL_CARRIES_MAX]; /**< of program.carries: from where and to where */
    struct vt_linear streams[VT_PIXEL_STREAMS_MAX]; /**< position at the head */
    uint8_t aligned[VT_PIXEL_STREAMS_MAX]; /**< 16, 32: x86 would fault unless the position is
                                                aligned to that */
    struct vt_disjoint disjoint[VT_SYNTH_DISJOINT_MAX];
    uint32_t n_disjoint;
    struct vt_equal equal[VT_SYNTH_EQUAL_MAX]; /**< elsewhere `trips` is 0, or a CHECK fails */
    uint32_t n_equal;
    uint32_t instructions; /**< of one iteration at most, inner loops once */
    /** How many iterations from here on surely come back to the head: a program without carries,
     * streams and loops, of the same inputs plus, after them, the carries as inputs, whose last
     * value (64 bits) is that number. NULL: not known, the program has a CHECK instead. With it the
     * program has no CHECK for the loop's own end. */
    struct vt_pixel_program *trips;
    struct vt_obligation *obligations;
    uint32_t n_obligations;
    uint64_t proof_us;
    bool proven;
};
void vt_synth_kernel_destroy(struct vt_synth_kernel *k); /**< NULL is allowed */

/** The loop's kernel, not proven. *k is the caller's. VT_E_UNSUPPORTED. */
int vt_synth_make(const struct vt_synth_loop *loop, struct vt_synth_kernel **k,
                  struct vt_error *err);
/** The state of somebody who is in the loop: what no iteration changes is as it is at the head, and
 * all else may be anything. Nothing that it says is believed. */
struct vt_synth_state {
    uint64_t r[16];
    /** `bytes` at a guest-virtual address; false: they are not there. */
    bool (*read)(void *arg, uint64_t address, void *to, size_t bytes);
    void *arg;
};
/** As vt_synth_make. Where the loop cannot be had, or cells and streams of its kernel overlap in
 * that state, pointers into the stack that no iteration changes are taken for what they are from
 * rsp on (`equal`). `state` may be NULL. */
int vt_synth_make_at(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                     struct vt_synth_kernel **k, struct vt_error *err);
/** Checks the blocks' order, sorts them, and fills `hash`. VT_E_INVAL. */
int vt_synth_loop_finish(struct vt_synth_loop *loop, struct vt_error *err);
/** Whether an operand counts from the instruction itself: a kernel of it holds at loop->head alone,
 * and nowhere else where the same bytes lie. */
bool vt_synth_loop_is_bound(const struct vt_synth_loop *loop);
/** Whether some instruction faults unless AVX is enabled. */
bool vt_synth_loop_wants_avx(const struct vt_synth_loop *loop);

struct vt_proof_options {
    uint32_t timeout_ms;   /**< for each obligation; 0: 20000 */
    const char *directory; /**< every obligation is written there as NAME.smt2; or NULL */
    bool keep_structure;   /**< ask a solver also where both sides are one term */
    bool (*stop)(void *arg);
    void *arg;
};
/** Proves all obligations anew; fills k->obligations, k->proven. VT_E_REFUSED: one is false or
 * unknown, and which. */
int vt_synth_prove(struct vt_synth_kernel *k, const struct vt_proof_options *options,
                   struct vt_error *err);

/** Whether iterations may be run in any order wherever all of `disjoint` holds, what is
 * only_parallel included: the program is independent, and what it writes in one iteration no other
 * one of the same stream touches. */
bool vt_synth_any_order(const struct vt_synth_kernel *k);

/** <directory>/<content hash>.json, replaced as a whole. */
int vt_synth_save(const struct vt_synth_kernel *k, const char *directory, char *path, size_t room,
                  struct vt_error *err);
/** Reads a file that anybody may have written; nothing is proven. VT_E_CORRUPT. */
int vt_synth_load(const char *path, struct vt_synth_kernel **k, struct vt_error *err);
/** The same from its text. */
int vt_synth_read(const char *text, size_t bytes, struct vt_synth_kernel **k, struct vt_error *err);
/** Proves a loaded kernel, and that the obligations its file claims are those. VT_E_REFUSED,
 * VT_E_CORRUPT. */
int vt_synth_verify(struct vt_synth_kernel *k, const struct vt_proof_options *options,
                    struct vt_error *err);
/** The proven kernel of a loop with this hash, or VT_E_NOT_FOUND. Proven again before it is given.
 * Its file is told in `path`, of `room` bytes, unless that is NULL. */
int vt_synth_find(const char *directory, const char *hash, const struct vt_proof_options *options,
                  struct vt_synth_kernel **k, char *path, size_t room, struct vt_error *err);

#ifdef __cplusplus
}
#endif

#endif
