/* synth/summary.h - what one iteration of a loop does, in terms of the state at its head.
 *
 *   summary.c        control flow: blocks in order, merging where ways meet, inner loops
 *   summary_memory.c accesses: cells, and the list of all others
 *   summary_pixel.c  the same of a Pixel program with its places
 *   refuse.c         words for what cannot be had
 *   linear.c         sums of registers, as terms and back
 *   equal.c          places that are taken to be such sums
 *   analyse.c        streams, strides, windows, inductions, trips: from a summary to a kernel
 *   obligations.c    two summaries to be equal, and all that a kernel claims besides
 *
 * A summary is of x86 code, or of a Pixel program in the shoes of that code; a proof holds one
 * against the other. The state at the head is symbols. Memory operations are listed in program
 * order; a load's value is a fresh symbol. A *cell* is memory at an address that no iteration moves
 * and that nothing else overlaps (a guard): it is a variable, and accesses to it are not listed.
 * Inner loops are summarised from the inside out: variables are symbols within, results are symbols
 * after it. The iteration that leaves the loop is not described but for what it must not depend on.
 */
#ifndef VT_SYNTH_SUMMARY_H
#define VT_SYNTH_SUMMARY_H

#include "synth/lift.h"
#include "vitrine/synth.h"

struct vt_cell {
    struct vt_linear address;
    uint8_t bytes;
    vt_term before, after; /**< 8 × bytes wide */
    bool written;
};

struct vt_memory_operation {
    bool store;
    uint8_t bytes; /**< 1, 2, 4, 8 */
    int64_t at;    /**< of code: the instruction, from the head */
    int32_t loop;  /**< the innermost inner loop it is in, or -1 */
    vt_term when;  /**< 1 bit; in an inner loop: within a trip of it */
    vt_term address;
    vt_term value;  /**< stored; or the symbol that was loaded */
    uint8_t stream; /**< of a Pixel program: which, */
    vt_term offset; /**< and where from its position on, 64 bits */
};

struct vt_inner_loop {
    int32_t parent; /**< -1: none */
    uint32_t at;    /**< memory operations that are listed before it is run */
    uint32_t n;
    vt_term variable[VT_PIXEL_VARIABLES_MAX]; /**< symbols, as a trip begins */
    vt_term initial[VT_PIXEL_VARIABLES_MAX];
    vt_term next[VT_PIXEL_VARIABLES_MAX];
    vt_term result[VT_PIXEL_VARIABLES_MAX]; /**< symbols, as it has ended */
    vt_term condition;                      /**< again */
    vt_term when;       /**< whether it is run at all; else results are the initial values */
    uint32_t max_trips; /**< of a Pixel program */
};

struct vt_summary {
    struct vt_lift_state before, after; /**< flags of `after` as the iteration comes back */
    vt_term comes_back; /**< 1 bit: this iteration comes back to the head, and nothing in it faults
                             but for pages */
    uint32_t n_operations, room;
    struct vt_memory_operation *operations;
    uint32_t n_cells;
    struct vt_cell cells[VT_SYNTH_CELLS_MAX];
    uint32_t n_loops;
    struct vt_inner_loop *loops; /**< in the order in which they are begun; or NULL */
    /** Bit per enum vt_lift_flag: flags of the head's state on which anything of this iteration
     * depends, the state in which it leaves the loop included; flags that it leaves as they were on
     * every way back. A flag that is read and not kept makes the loop refused. */
    uint8_t flags_read, flags_kept;
    uint32_t n_aligned; /**< addresses that must be multiples of 16 or 32 */
    vt_term aligned[32];
    uint8_t aligned_to[32];
    uint32_t instructions;
};
void vt_summary_fini(struct vt_summary *s);

/** What is known of the state at the head before anything is summarised. */
struct vt_given {
    uint32_t n_cells, n_equal;
    struct vt_cell cells[VT_SYNTH_CELLS_MAX]; /**< address, bytes; the rest is filled in */
    struct vt_equal equal[VT_SYNTH_EQUAL_MAX];
};
/** Of x86 code in states in which that is so. VT_E_UNSUPPORTED; VT_E_CORRUPT: no equality. */
int vt_summary_of_code(struct vt_terms *terms, const struct vt_synth_loop *loop,
                       const struct vt_given *given, struct vt_summary *s, struct vt_error *err);
/** VT_E_UNSUPPORTED: "INSTRUCTION at ADDRESS: why", of the one so far from the head. */
int vt_refuse_insn(struct vt_error *err, const struct vt_synth_loop *loop, int64_t at,
                   const char *why);
/** What k takes for granted. */
void vt_kernel_given(const struct vt_synth_kernel *k, struct vt_given *given);
/** What stands in the places of equalities in s->before, symbols until now, becomes the sums.
 * VT_E_CORRUPT: a place is none of the summary's or there twice, or a sum is of such places. */
int vt_equal_apply(struct vt_terms *terms, const struct vt_equal *equal, uint32_t n,
                   struct vt_summary *s, struct vt_error *err);
/** Whether they are equal in a state, as a bit. */
vt_term vt_equal_term(struct vt_terms *terms, const struct vt_equal *equal,
                      const struct vt_summary *s, bool after);
/** Of k's validated program: `s` gets before's symbols from `code`, which was made of k->loop with
 * vt_kernel_cells. Its n-th access and its n-th inner loop are taken to be the code's n-th ones and
 * get their symbols (where widths agree, else their own): that they are the same is for
 * obligations.c to prove. `when` of loads and stores: CHECKs before it held, and a store's own
 * condition. VT_E_CORRUPT: places do not fit. */
int vt_summary_of_pixel(struct vt_terms *terms, const struct vt_synth_kernel *k,
                        const struct vt_summary *code, struct vt_summary *s, struct vt_error *err);
/** The cells that k's places name, each once. */
uint32_t vt_kernel_cells(const struct vt_synth_kernel *k, struct vt_cell cells[VT_SYNTH_CELLS_MAX]);

/** What stands in a place, before or after; 0: a cell that the summary does not have. */
vt_term vt_place_term(const struct vt_summary *s, const struct vt_place *place, bool after);

/** 1 bit: a multiple of 16 or 32. */
static inline vt_term vt_address_is_aligned(struct vt_terms *terms, vt_term address, unsigned to)
{
    unsigned bits = to == 32 ? 5 : 4;
    return vt_term_compare(terms, VT_PIXEL_EQ, vt_term_extract(terms, address, 0, bits),
                           vt_term_const(terms, bits, 0));
}

/** A linear sum as a term over a state. */
vt_term vt_linear_term(struct vt_terms *terms, const struct vt_linear *linear,
                       const struct vt_lift_state *state);
/** A stream's position as a term over `s`, before or after the iteration; 0: it has none. */
vt_term vt_position_term(struct vt_terms *terms, const struct vt_synth_kernel *k, uint32_t stream,
                         const struct vt_summary *s, bool after);
/** Whether two sums are of the same registers, so often each; and all the same. */
bool vt_linear_alike(const struct vt_linear *a, const struct vt_linear *b);
bool vt_linear_same(const struct vt_linear *a, const struct vt_linear *b);
/** The other way; false: it is none, or has more than four registers. */
bool vt_linear_of(struct vt_terms *terms, vt_term term, const struct vt_lift_state *state,
                  struct vt_linear *linear);

#endif
