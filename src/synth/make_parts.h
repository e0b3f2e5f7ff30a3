/* synth/make_parts.h - what the files that make kernels share.
 *
 *   make.c             the steps; places, guards
 *   make_cells.c       which memory is variables
 *   make_equal.c       which pointers are how far from rsp
 *   analyse.c          accesses: streams, windows
 *   analyse_index.c    addresses: strides, indices, and what has to hold for them
 *   analyse_range.c    what values a term can have
 *   analyse_trips.c    how many iterations come back
 *   generate.c         a program of it all, in order
 *   generate_terms.c   terms as operations, of the widths that there are
 *   generate_narrow.c  terms as narrow as they can be
 */
#ifndef VT_SYNTH_MAKE_PARTS_H
#define VT_SYNTH_MAKE_PARTS_H

#include "synth/summary.h"

/** Of a memory operation. */
struct vt_access {
    struct vt_linear moving; /**< the registers of its address; constant 0 */
    int64_t constant;        /**< of the address */
    vt_term index_term;      /**< 64 bits, from 0 to `most`; or 0 */
    vt_term check;           /**< 1 bit, that says so; or 0: it is always so */
    uint64_t most;
    uint8_t aligned; /**< 16, 32: to that, or x86 would fault */
    uint8_t stream;
    int64_t offset; /**< from the stream's position, without the index */
};

/** What the program computes and is given, in its order. */
struct vt_value_place {
    vt_term before, after; /**< after: 0 for inputs */
    struct vt_place place;
    char name[24];
};

#define VT_MUST_MAX 24u

struct vt_making {
    struct vt_terms *terms;
    const struct vt_summary *s;
    struct vt_synth_kernel *k;
    struct vt_access *accesses;        /**< one for each operation of the summary */
    vt_term equal[VT_SYNTH_EQUAL_MAX]; /**< symbols of what stands in the places of k->equal */
    vt_term same;                      /**< that they are those sums: 1 bit */
    struct vt_value_place inputs[VT_PIXEL_INPUTS_MAX], carries[VT_PIXEL_CARRIES_MAX];
    uint32_t n_inputs, n_carries;
    bool crowded; /**< refused for more of them than there is room for */
    /** What has to hold beside the code's own conditions, for positions and indices to be what they
     * are taken to be; `happens` is all of it, and that the code comes back. */
    vt_term must[VT_MUST_MAX], happens;
    uint32_t n_must;
    uint32_t max_trips[VT_PIXEL_LOOPS_MAX]; /**< of inner loops that walk; 0: any */
    vt_term trips;                          /**< or 0 */
    vt_term *narrow;                        /**< of each term: vt_narrow */
    struct vt_error *err;
};

/** The loop with all of its cells, those that are given first. */
int vt_make_summarise(struct vt_terms *terms, const struct vt_synth_loop *loop, uint32_t most,
                      struct vt_given *given, struct vt_summary *s, struct vt_error *err);
/** Which places are which sums in that state, with the cells that this needs; of inner loops'
 * bounds only if they are asked for. None: n_equal is 0. */
void vt_make_find_equal(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                        bool bounds, struct vt_given *given);
/** Whether memory that stays where it is and must not overlap does in that state. */
bool vt_make_overlaps(const struct vt_synth_kernel *k, const struct vt_synth_state *state);

/** Adds to cells what `s` shows to be variables in memory, up to `most`. */
int vt_make_find_cells(struct vt_terms *terms, const struct vt_summary *s, uint32_t most,
                       struct vt_cell *cells, uint32_t *n_cells, struct vt_error *err);

/** Least and greatest value as an unsigned number. */
struct vt_range {
    uint64_t least, most;
};
struct vt_range vt_range_of(const struct vt_terms *terms, vt_term term);

/** An address as position and index. VT_E_UNSUPPORTED. */
int vt_analyse_address(struct vt_making *m, const struct vt_memory_operation *o,
                       struct vt_access *a);
/** A position's stride: a constant, or one register. */
bool vt_find_stride(const struct vt_making *m, const struct vt_linear *position, int64_t *constant,
                    int32_t *reg);
int vt_refuse_access(struct vt_making *m, const struct vt_memory_operation *o, const char *why);
/** The index is a multiple of that, or the iteration does not happen. VT_E_UNSUPPORTED. */
int vt_must_be_aligned(struct vt_making *m, const struct vt_memory_operation *o, vt_term index,
                       unsigned to);
/** Fills accesses, `happens`, and k's streams; strides that are registers become
 * stride_register[i], else -1. VT_E_UNSUPPORTED. */
int vt_analyse_accesses(struct vt_making *m, int32_t stride_register[VT_PIXEL_STREAMS_MAX]);
/** Fills m->trips, or leaves it 0. */
void vt_analyse_trips(struct vt_making *m);

/** The same value, made of narrower operations where only lower bits are asked for. */
vt_term vt_narrow(struct vt_making *m, vt_term term);

/** k's program and trips. */
int vt_generate(struct vt_making *m);

/** Terms as operations of `p`. */
struct vt_emitter {
    struct vt_making *m;
    struct vt_pixel_program *p;
    uint32_t *value; /**< of each term, plus one; 0: not yet */
    vt_term *log;    /**< terms that have values, in the order in which they got them */
    uint32_t n_log, room_log;
    bool carries_are_inputs;
    vt_term failed; /**< one that cannot be said; 0: none */
    bool full;
};
int vt_emitter_init(struct vt_emitter *e, struct vt_making *m, struct vt_pixel_program *p);
void vt_emitter_fini(struct vt_emitter *e);
/** The value, emitted if it is not there. Terms of odd widths are values of the next width, upper
 * bits 0. NONE: failed or full. */
uint32_t vt_emit_term(struct vt_emitter *e, vt_term term);
/** From here on the term is this value. */
void vt_emit_bind(struct vt_emitter *e, vt_term term, uint32_t value);
/** Forgets all that was bound since the log was that long. */
void vt_emit_forget(struct vt_emitter *e, uint32_t n_log);
uint32_t vt_emit_insn(struct vt_emitter *e, struct vt_pixel_insn insn);

#endif
