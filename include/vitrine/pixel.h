/* vitrine/pixel.h - the Pixel CPU: programs that run a loop's iterations, for CPUs and GPUs.
 *
 * A program is what one iteration of a loop does, in single assignment: a list of operations on
 * bit vectors of 1 to 64 bits. Its iterations are run in order, or, if the program says that they
 * are independent, in any order and at once. It knows no addresses: memory comes as *streams*, each
 * a host pointer that goes on by a stride from one iteration to the next, of which an iteration
 * touches a window of bytes. Values come in as *inputs*, equal for all iterations, and as
 * *carries*, which each iteration hands to the next. docs/pixel.md has every operation's exact
 * meaning, src/pixel/interpret.c is that meaning in C, and three back ends follow it.
 *
 * Programs are made by the builder, or read from text or JSON; whoever runs one has validated it.
 * A program belongs to its maker and is not changed after vt_pixel_validate; any number of threads
 * may read one. Little-endian throughout. Errors: VT_E_INVAL, VT_E_CORRUPT (text, JSON),
 * VT_E_LIMIT, VT_E_NOMEM.
 */
#ifndef VITRINE_PIXEL_H
#define VITRINE_PIXEL_H

#include "vitrine/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VT_PIXEL_NONE UINT32_MAX
#define VT_PIXEL_VALUES_MAX 16384u
#define VT_PIXEL_STREAMS_MAX 16u
#define VT_PIXEL_INPUTS_MAX 96u
#define VT_PIXEL_CARRIES_MAX 96u
#define VT_PIXEL_LOOPS_MAX 16u
#define VT_PIXEL_NESTING_MAX 4u
#define VT_PIXEL_VARIABLES_MAX 64u   /**< of one inner loop */
#define VT_PIXEL_WINDOW_MAX 1048576u /**< bytes of a window */
#define VT_PIXEL_TRIPS_MAX 1048576u  /**< of an inner loop, in one iteration */

/* Operands are numbers of earlier values (`a`, `b`, `c`), each of the result's width unless it is
 * said otherwise. Widths are 1, 8, 16, 32, 64. Shift amounts are values of the result's width and
 * unsigned; what is shifted by its width or more is 0 (ashr: the sign). */
enum vt_pixel_op {
    VT_PIXEL_CONST, /**< imm; bits above the width are 0 */
    VT_PIXEL_INPUT, /**< imm: which; of that input's width */
    VT_PIXEL_CARRY, /**< imm: which; its value as this iteration begins */
    VT_PIXEL_INDEX, /**< 64 bits: iterations of this call before this one */

    VT_PIXEL_ADD,
    VT_PIXEL_SUB,
    VT_PIXEL_MUL,
    VT_PIXEL_UMULH, /**< the upper half of the product of twice the width */
    VT_PIXEL_SMULH,
    VT_PIXEL_UDIV, /**< by 0: all ones. As SMT-LIB's bvudiv, bvurem, bvsdiv, bvsrem */
    VT_PIXEL_UREM, /**< by 0: a */
    VT_PIXEL_SDIV,
    VT_PIXEL_SREM,
    VT_PIXEL_AND,
    VT_PIXEL_OR,
    VT_PIXEL_XOR,
    VT_PIXEL_NOT,
    VT_PIXEL_NEG,
    VT_PIXEL_SHL,
    VT_PIXEL_LSHR,
    VT_PIXEL_ASHR,
    VT_PIXEL_ROL, /**< by b modulo the width */
    VT_PIXEL_ROR,
    VT_PIXEL_POPCNT,
    VT_PIXEL_CLZ,   /**< of 0: the width */
    VT_PIXEL_CTZ,   /**< of 0: the width */
    VT_PIXEL_BSWAP, /**< 16, 32, 64 bits */

    /* 1 bit; a and b of one width, c a bit */
    VT_PIXEL_EQ,
    VT_PIXEL_NE,
    VT_PIXEL_ULT,
    VT_PIXEL_ULE,
    VT_PIXEL_SLT,
    VT_PIXEL_SLE,
    VT_PIXEL_ADD_CARRY,    /**< out of a + b + c */
    VT_PIXEL_ADD_OVERFLOW, /**< signed, of a + b + c */
    VT_PIXEL_SUB_BORROW,   /**< of a - b - c */
    VT_PIXEL_SUB_OVERFLOW, /**< signed, of a - b - c */

    VT_PIXEL_SELECT,  /**< c (1 bit) ? a : b */
    VT_PIXEL_ZEXT,    /**< a, narrower */
    VT_PIXEL_SEXT,    /**< a, narrower */
    VT_PIXEL_EXTRACT, /**< of a, which is wider, the bits from imm on */
    VT_PIXEL_CONCAT,  /**< a above b, each of half the width; 16, 32, 64 bits */

    /* Packed: the width is 64, and `lane` bits (8, 16, 32) an element. */
    VT_PIXEL_PADD,
    VT_PIXEL_PSUB,
    VT_PIXEL_PADDUS, /**< unsigned, saturating */
    VT_PIXEL_PADDSS,
    VT_PIXEL_PSUBUS,
    VT_PIXEL_PSUBSS,
    VT_PIXEL_PMULL, /**< the lower halves of products; lane 16, 32 */
    VT_PIXEL_PMINU,
    VT_PIXEL_PMINS,
    VT_PIXEL_PMAXU,
    VT_PIXEL_PMAXS,
    VT_PIXEL_PAVG, /**< unsigned, rounded up; lane 8, 16 */
    VT_PIXEL_PEQ,  /**< all ones or 0 */
    VT_PIXEL_PSGT,
    VT_PIXEL_PSHL, /**< each by b, which is 64 bits; lane or more: 0 */
    VT_PIXEL_PLSHR,
    VT_PIXEL_PASHR,

    /* Memory: `stream`; the bytes are of the position of this iteration plus imm (signed), plus a
     * (64 bits, unsigned) if it is not VT_PIXEL_NONE. They lie in the stream's window; a program
     * for which they do not is wrong, and what it does is undefined: proofs are for that. */
    VT_PIXEL_LOAD,  /**< 8, 16, 32, 64 bits */
    VT_PIXEL_STORE, /**< b, whose width says how many bytes; only if c (1 bit or NONE). No value */

    /** a (1 bit) is 1, or this iteration did not happen: no store of it, no carry; it and all later
     * ones are not run. Before the first STORE. No value. */
    VT_PIXEL_CHECK,

    /* Inner loops: do { … } while (condition). What lies between LOOP and END is run at least once;
     * values of it are not visible outside. Neither STORE nor CHECK in it, and no STORE before it.
     * A loop whose condition still holds after its `max_trips` acts as a CHECK that failed. */
    VT_PIXEL_LOOP,     /**< imm: which. No value */
    VT_PIXEL_VARIABLE, /**< imm: variable of the innermost loop; as this trip begins */
    VT_PIXEL_END,      /**< imm: which. No value */
    VT_PIXEL_RESULT,   /**< a: a loop (its number) that ended here or in a loop around here; imm:
                            variable, as its last trip's `next` left it */
    VT_PIXEL_OPS
};

struct vt_pixel_insn { /* value i is the i-th */
    uint8_t op;        /**< enum vt_pixel_op */
    uint8_t bits;      /**< of the result; STORE, CHECK, LOOP, END: 0 */
    uint8_t lane;      /**< packed: bits of an element, else 0 */
    uint8_t stream;    /**< LOAD, STORE */
    uint32_t a, b, c;  /**< or VT_PIXEL_NONE */
    uint64_t imm;
};

struct vt_pixel_input {
    char name[24]; /**< [a-z_][a-z0-9_.]*, unique among inputs and carries */
    uint8_t bits;
};

enum vt_pixel_carry_kind {
    VT_PIXEL_ANY,       /**< next is any function: iterations depend on each other */
    VT_PIXEL_INDUCTION, /**< next = carry + step */
    /* next = carry OP e1 OP e2 …, where no e depends on the carry, and nothing else reads the carry
     * or what is on the way to next (select of a compare is one OP; SUB counts as adding -e): an
     * iteration that is run with OP's identity in place of the carry gives e1 OP e2 … */
    VT_PIXEL_REDUCE_ADD,
    VT_PIXEL_REDUCE_XOR,
    VT_PIXEL_REDUCE_AND,
    VT_PIXEL_REDUCE_OR,
    VT_PIXEL_REDUCE_UMIN,
    VT_PIXEL_REDUCE_UMAX,
    VT_PIXEL_REDUCE_SMIN,
    VT_PIXEL_REDUCE_SMAX,
    VT_PIXEL_LAST, /**< nothing reads the carry: the last iteration's next is what is left */
};
struct vt_pixel_carry {
    char name[24];
    uint8_t bits;
    uint8_t kind; /**< enum vt_pixel_carry_kind; found out */
    /** Found out, for INDUCTION and REDUCE: what is said of them holds for the carry's low `narrow`
     * bits, and the bits of next above them are 0, as x86's 32-bit operations have it. Else bits.
     */
    uint8_t narrow;
    uint32_t next; /**< value, of its width, outside of loops */
    uint64_t step; /**< found out, for INDUCTION; below 2^narrow */
};

struct vt_pixel_stream {
    char name[24];
    bool reads, writes;    /**< found out */
    int32_t low, high;     /**< the window: bytes [low, high) from the position on, one at least */
    int64_t stride;        /**< bytes from an iteration's position to the next one's; if */
    uint32_t stride_input; /**< is not VT_PIXEL_NONE, that input (64 bits) is it instead */
};

struct vt_pixel_loop {
    uint32_t n;                               /**< variables */
    uint32_t initial[VT_PIXEL_VARIABLES_MAX]; /**< values from before the loop; say the width */
    uint32_t next[VT_PIXEL_VARIABLES_MAX];    /**< visible at its END */
    uint32_t condition;                       /**< visible at its END, 1 bit: again */
    uint32_t max_trips;                       /**< 1 … VT_PIXEL_TRIPS_MAX */
};

struct vt_pixel_program {
    struct vt_pixel_insn *insns;
    uint32_t n_insns, room;
    uint32_t n_inputs, n_carries, n_streams, n_loops;
    struct vt_pixel_input inputs[VT_PIXEL_INPUTS_MAX];
    struct vt_pixel_carry carries[VT_PIXEL_CARRIES_MAX];
    struct vt_pixel_stream streams[VT_PIXEL_STREAMS_MAX];
    struct vt_pixel_loop *loops; /**< room for VT_PIXEL_LOOPS_MAX, or NULL */
    /** Found out: no CHECK and no inner loop: all iterations of a call
     * happen. */
    bool counted;
    /** Found out: no ANY carry and no CHECK. If, besides, no two iterations touch the same byte of
     * which one writes it, they may run in any order; that is the caller's to know. Inner loops'
     * trips may still run out: then the iterations that follow must not be seen to have run. */
    bool independent;
};

void vt_pixel_init(struct vt_pixel_program *p);
void vt_pixel_fini(struct vt_pixel_program *p);
/** Appends; returns the value's number, or VT_PIXEL_NONE without memory or beyond
 * VT_PIXEL_VALUES_MAX. Checks nothing else. */
uint32_t vt_pixel_emit(struct vt_pixel_program *p, struct vt_pixel_insn insn);
/** Appends an inner loop without variables; returns its number, or VT_PIXEL_NONE without memory or
 * beyond VT_PIXEL_LOOPS_MAX. Only once in the program may it LOOP and END. */
uint32_t vt_pixel_add_loop(struct vt_pixel_program *p);
/** Whether it is a program: all rules above. Finds out what is found out, and clears what has no
 * meaning: operands, lane, stream and imm that an operation does not have, names behind their end,
 * the stride beside a stride_input. VT_E_CORRUPT, with the operation's number and why. */
int vt_pixel_validate(struct vt_pixel_program *p, struct vt_error *err);

const char *vt_pixel_op_name(enum vt_pixel_op op); /**< "add", "mul.high.unsigned"…; or NULL */

/** Text as docs/pixel.md has it; what is written is read again as the same program. */
int vt_pixel_write(const struct vt_pixel_program *p, FILE *to, struct vt_error *err);
/** Reads and validates. Hostile text is welcome. VT_E_CORRUPT with line and why. */
int vt_pixel_read(struct vt_pixel_program *p, const char *text, size_t bytes, struct vt_error *err);

/** One run of consecutive iterations. */
struct vt_pixel_call {
    uint64_t count;          /**< iterations wanted */
    const uint64_t *inputs;  /**< bits above an input's width are ignored */
    uint64_t *carries;       /**< in and out; out: bits above the width are 0 */
    uint8_t *const *streams; /**< host address of each stream's position in the first iteration.
                                  All windows of all iterations are memory that may be read, and
                                  written where the stream writes; they may overlap */
};

/** The meaning of an operation from ADD to PASHR: its result, of insn->bits. `a`, `b` and `c` are
 * the operands' values, of which a has `bits_a` bits; bits above an operand's width are ignored.
 * Any widths from 1 to 64 will do (an element of packed operations: 8, 16, 32). */
uint64_t vt_pixel_evaluate(const struct vt_pixel_insn *insn, unsigned bits_a, uint64_t a,
                           uint64_t b, uint64_t c);

/** The meaning of a program. Returns how many iterations happened: `count`, or fewer if a CHECK
 * failed or an inner loop's trips ran out. Carries and memory are as after the last that happened.
 */
uint64_t vt_pixel_interpret(const struct vt_pixel_program *p, const struct vt_pixel_call *call);

#ifdef __cplusplus
}
#endif

#endif
