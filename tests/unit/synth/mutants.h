/* tests/unit/synth/mutants.h - kernels that are wrong in one thing. */
#ifndef VT_TESTS_SYNTH_MUTANTS_H
#define VT_TESTS_SYNTH_MUTANTS_H

#include "vitrine/synth.h"

struct vt_synth_kernel *mutant_copy(const struct vt_synth_kernel *k); /**< abort without memory */
/** Changes one thing: the which-th of all that can be changed. False: there are not so many. What
 * comes out may be no program, or do the same. `what` says in words what was done. */
bool mutant_change(struct vt_synth_kernel *k, unsigned which, char what[64]);
unsigned mutant_count(const struct vt_synth_kernel *k);

#endif
