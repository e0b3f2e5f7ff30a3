/* tests/unit/pixel/generate.h - random valid programs and calls that fit them, from a seed.
 *
 * For tests that hold one meaning of a program against another: the interpreter, the host, a GPU,
 * terms. The same seed and wishes give the same programs. All operations, kinds of carries and of
 * strides come up, accesses lie in their windows, and inner loops mostly end. Linked as
 * dep_test_pixel.
 */
#ifndef VT_TESTS_PIXEL_GENERATE_H
#define VT_TESTS_PIXEL_GENERATE_H

#include "vitrine/pixel.h"

struct vt_generator {
    uint64_t state;
    /* wishes */
    unsigned operations; /**< about so many besides those that come with them; 40 */
    unsigned loops;      /**< inner loops at most; 3 */
    /** Only programs that are `independent`, whose loops' trips never run out; calls in which no
     * two iterations touch a byte that one of them writes, and streams lie apart. */
    bool independent;
    /** Programs that are `independent`, but trips may run out and streams overlap all the same. */
    bool meeting;
    unsigned fixed_op; /**< each program has this operation, ADD to PASHR; 0: any */
};
void vt_generator_init(struct vt_generator *g, uint64_t seed);
uint64_t vt_generator_next(struct vt_generator *g); /**< 64 random bits */
/** 0 … n - 1 */
uint32_t vt_generator_below(struct vt_generator *g, uint32_t n);
/** Random, and often 0, all ones, a power of two or one of their neighbours. */
uint64_t vt_generator_value(struct vt_generator *g, unsigned bits);

/** *p is made anew (vt_pixel_fini) and has been validated. False: no memory; what is generated and
 * is not valid aborts with the reason. */
bool vt_generate(struct vt_generator *g, struct vt_pixel_program *p);

/** A call with all that it points to. */
struct vt_generated_call {
    struct vt_pixel_call call;
    uint64_t inputs[VT_PIXEL_INPUTS_MAX];
    uint64_t carries[VT_PIXEL_CARRIES_MAX];
    uint8_t *streams[VT_PIXEL_STREAMS_MAX];
    uint8_t *memory; /**< where all windows lie, with random bytes around them */
    size_t bytes;
};
/** Up to `most` iterations. *c is made anew and stays where it is. False: no memory. */
bool vt_generate_call(struct vt_generator *g, const struct vt_pixel_program *p, uint64_t most,
                      struct vt_generated_call *c);
/** The same again, with memory of its own. */
bool vt_generated_copy(const struct vt_pixel_program *p, const struct vt_generated_call *from,
                       struct vt_generated_call *to);
/** Whether carries and all memory are the same; if not, `why` says what differs first. */
bool vt_generated_equal(const struct vt_pixel_program *p, const struct vt_generated_call *a,
                        const struct vt_generated_call *b, char *why, size_t room);
void vt_generated_fini(struct vt_generated_call *c);

#endif
