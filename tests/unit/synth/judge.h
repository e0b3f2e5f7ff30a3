/* tests/unit/synth/judge.h - whether a kernel does what the processor does.
 *
 * A random loop runs on the processor step by step from several states; registers and memory are
 * noted whenever it is at its head. From such a state a kernel is run under its guards, and is to
 * leave what the processor had so many iterations later. One loop at a time in a process.
 */
#ifndef VT_TESTS_SYNTH_JUDGE_H
#define VT_TESTS_SYNTH_JUDGE_H

#include "tests/unit/synth/random_loops.h"
#include "tests/unit/synth/run_kernel.h"

#define JUDGE_TRIALS 6u /**< states of one judge_record */

enum judge_outcome { SAME, DECLINED, DIFFERS };
enum judge_how { INTERPRETED, BACKWARDS, COMPILED };
struct judge_counts {
    uint64_t runs, declined, iterations;
};

void judge_setup(void);   /**< memory, and what happens on faults: once a process */
uint64_t judge_any(void); /**< random numbers, of the loop's */
/** From here on this is the loop; *to is what a kernel is made of. */
void judge_begin(const struct random_loop *loop, uint64_t number, struct vt_synth_loop *to);
/** One of the states that a kernel may be made at. */
void judge_state(const struct random_loop *loop, uint64_t number, struct vt_synth_state *state);
/** On the processor, from states `number` and the following ones. */
void judge_record(const struct random_loop *loop, uint64_t number);
/** DECLINED: guards let it run nowhere. DIFFERS: `why` says where. */
enum judge_outcome judge_compare(const struct vt_synth_kernel *k, enum judge_how how,
                                 vt_pixel_entry *entry, struct judge_counts *counts, char why[160]);
/** Whether `changed`, which was made of `k`, does what it must not do. Inner loops that no longer
 * end are cut short: then fewer iterations happen, which harms nobody. */
bool judge_is_wrong(const struct vt_synth_kernel *k, struct vt_synth_kernel *changed,
                    char why[160]);

#endif
