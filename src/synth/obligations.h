/* synth/obligations.h - a proof in the making, for the files that state what is to be proven.
 *
 *   obligations.c         asks; vt_synth_prove; the iteration does what the code's does
 *   obligations_claims.c  what else a kernel claims: positions, cells, alignment, trips,
 * disjointness obligations_windows.c accesses stay in their windows
 */
#ifndef VT_SYNTH_OBLIGATIONS_H
#define VT_SYNTH_OBLIGATIONS_H

#include "synth/summary.h"

#define VT_ASSUMED_MAX 128u

struct vt_prover {
    struct vt_synth_kernel *k;
    const struct vt_proof_options *options;
    struct vt_terms *t;
    struct vt_summary code, pixel;
    uint32_t room; /* of k->obligations */
    vt_term trips; /* 64 bits: of the state before; 0: the kernel has none */
    /* What holds of an iteration that the program says happens: bits. The last of them is that the
     * code comes back, which is proven from the others. */
    vt_term happens[VT_ASSUMED_MAX];
    uint32_t n_happens;
    struct vt_error *err;
};

/** `goal` (1 bit) follows from `assumed`. VT_E_REFUSED, VT_E_NOMEM, VT_E_IO, VT_E_INTERRUPTED. */
int vt_oblige(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
              vt_term goal);
/** a = b follows from it; of any one width. */
int vt_oblige_equal(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
                    vt_term a, vt_term b);
/** What needs no solver; `why` says what is wrong where it is. */
int vt_oblige_fact(struct vt_prover *p, const char *name, bool holds, const char *why);
/** Whether it follows; what is asked becomes an obligation only if it does. Negative: as above. */
int vt_oblige_try(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
                  vt_term goal);

static inline vt_term vt_term_not(struct vt_terms *t, vt_term bit)
{
    return vt_term_1(t, VT_PIXEL_NOT, bit);
}
static inline vt_term vt_term_and(struct vt_terms *t, vt_term a, vt_term b)
{
    return vt_term_2(t, VT_PIXEL_AND, a, b);
}
static inline vt_term vt_term_implies(struct vt_terms *t, vt_term a, vt_term b)
{
    return vt_term_2(t, VT_PIXEL_OR, vt_term_not(t, a), b);
}

int vt_oblige_trips_program(struct vt_prover *p); /**< what it is made of; makes p->trips */
int vt_oblige_claims(struct vt_prover *p);
int vt_oblige_windows(struct vt_prover *p);

/** An inner loop's variables in a trip, by the trip's number (64 bits): what goes on by a constant
 * is initial + constant × trip, anything else a new symbol. How many are of the first kind. */
uint32_t vt_in_trip(struct vt_prover *p, const struct vt_inner_loop *loop, vt_term trip,
                    vt_term to[VT_PIXEL_VARIABLES_MAX]);

/** The pairs that the argument needs disjoint. UINT32_MAX: more than `room`. */
uint32_t vt_kernel_disjoint(const struct vt_synth_kernel *k, struct vt_disjoint *pairs,
                            uint32_t room);

#endif
