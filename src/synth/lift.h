/* synth/lift.h - x86-64 instructions as terms.
 *
 * The state before is terms, the state after is terms of them. Memory is the caller's: it is asked
 * for what a load brings and told what a store writes, in the order in which the processor does it.
 * Integer instructions of 64-bit code, with 8, 16, 32 and 64 bits, and the integer ones of SSE2 to
 * SSE4.2 on xmm0 … xmm15, and as AVX and AVX2 have them, on ymm0 … ymm15. DF is 0, and nobody else
 * looks on: a lock prefix adds nothing. What is undefined in the Intel SDM (volume 2) is a havoc
 * term. Every form is compared with the processor that runs tests/unit/synth/test_lift, thousands
 * of random states each. What is not known is refused: VT_E_UNSUPPORTED, with the instruction as
 * text and the reason.
 */
#ifndef VT_SYNTH_LIFT_H
#define VT_SYNTH_LIFT_H

#include "synth/term.h"

#include <Zydis/Zydis.h>

enum vt_lift_flag {
    VT_LIFT_CF,
    VT_LIFT_PF,
    VT_LIFT_AF,
    VT_LIFT_ZF,
    VT_LIFT_SF,
    VT_LIFT_OF,
    VT_LIFT_FLAGS
};

struct vt_lift_state {
    vt_term r[16];               /**< rax rcx rdx rbx rsp rbp rsi rdi r8 … r15, 64 bits */
    vt_term flag[VT_LIFT_FLAGS]; /**< 1 bit. DF is not here: it is 0 */
    vt_term xmm[16][4];          /**< bits 0-63, 64-127, 128-191, 192-255: of ymm */
    vt_term fs_base, gs_base;
};

struct vt_lift_memory {
    vt_term (*load)(void *arg, vt_term address, unsigned bytes); /**< 1, 2, 4, 8; 0: refused */
    /** False: refused. 16 and 32 bytes come as two or four calls, the lowest first. */
    bool (*store)(void *arg, vt_term address, vt_term value);
    void *arg;
    char why[160]; /**< by whoever refuses */
};

enum vt_lift_way {
    VT_LIFT_NEXT,
    VT_LIFT_JUMP,        /**< to target; so does a call, which pushes next */
    VT_LIFT_CONDITIONAL, /**< to target if `taken`, else next */
    VT_LIFT_RETURN,      /**< to the address `returns` */
};
struct vt_lifted {
    uint8_t way;       /**< enum vt_lift_way */
    uint8_t bytes;     /**< of the instruction */
    uint8_t alignment; /**< 16, 32: it faults unless its memory operand is aligned to that */
    vt_term taken;     /**< 1 bit */
    vt_term returns;   /**< 64 bits */
    vt_term aligned;   /**< the address that must be */
    uint64_t target, next;
    uint16_t registers; /**< GPRs written (also partly) */
    uint16_t vectors;   /**< xmm or ymm registers written (also partly) */
    uint8_t flags_read; /**< bit per enum vt_lift_flag: their old value is asked for, also where
                             that is for some counts of a shift only */
    uint8_t flags_written;
    vt_term must; /**< 1 bit, or 0: else it faults (division) */
};

struct vt_lifter {
    struct vt_terms *terms;
    /** The processor has tzcnt and lzcnt (BMI1, LZCNT): known of it, or else assumed of none. One
     * without takes them for bsf and bsr: then tzcnt of 0 is havoc and lzcnt refused. */
    bool counts_zeros;
    ZydisDecoder decoder; /**< vt_lifter_init */
};
void vt_lifter_init(struct vt_lifter *l, struct vt_terms *terms);
/** Fresh symbols for all of a state, named rax, …, cf, …, xmm0.low, …, fs.base. */
void vt_lift_symbols(struct vt_terms *terms, struct vt_lift_state *state);
/** Executes the instruction that `code` (up to 15 bytes are looked at) holds at `pc` on *state.
 * VT_E_UNSUPPORTED, VT_E_CORRUPT (no instruction); the state is then of no use. */
int vt_lift(struct vt_lifter *l, struct vt_lift_state *state, struct vt_lift_memory *memory,
            uint64_t pc, const uint8_t *code, size_t bytes, struct vt_lifted *out,
            struct vt_error *err);

#endif
