/* hybrid/accelerator.h - inside of an accelerator, shared by its files.
 */
#ifndef VT_HYBRID_ACCELERATOR_H
#define VT_HYBRID_ACCELERATOR_H

#include "hybrid/heat.h"
#include "hybrid/worker.h"
#include "vitrine/hybrid.h"

#include <limits.h>

/** When it looks again; pace.c's. */
struct vt_pace {
    uint64_t ms;          /* the last pause; 0: there was none */
    bool won;             /* the last look */
    bool hot;             /* the next one is for a place where most of the time goes */
    int64_t allowance_ns; /* for looks that win nothing, until counted_ns */
    uint64_t counted_ns;
    struct vt_heat_map heat;
    struct vt_pace_kernel {
        uint32_t row;    /* one more than its number */
        uint64_t ran;    /* iterations, of which savings are in the allowance */
        uint32_t ran_in; /* the busy slice in which they were seen to become more */
    } kernels[VT_ACCEL_SLOTS];
};

struct vt_accelerator {
    struct vt_target *target;
    struct vt_accel *accel;
    struct vt_hybrid_worker *worker;       /* or NULL: no GPU */
    struct vt_accelerator_options options; /* with defaults filled in */
    uint64_t threshold;
    struct vt_pace pace;
    char cache[PATH_MAX];
    struct vt_ledger_row *rows;
    uint32_t n_rows, room;
    uint64_t uncommitted_ns;     /* since when something waits for a commit; 0: nothing does */
    bool forget[VT_ACCEL_SLOTS]; /* with the next commit the worker forgets them */
    bool to_try[VT_ACCEL_SLOTS]; /* the host runs them; a GPU, if they are kept, is to be tried */
};

bool vt_accelerator_stopped(const struct vt_accelerator *a);
void vt_accelerator_tell(struct vt_accelerator *a, const struct vt_ledger_row *row);

/** Begins. */
void vt_accelerator_pace(struct vt_accelerator *a);
/** What kernels did since the last time: what they saved is added to the allowance, and those that
 * nobody uses are put to rest. Whether one ran that is not measured yet, or not on a GPU. */
bool vt_accelerator_kernels(struct vt_accelerator *a);
/** A look is over; one that won nothing is paid. */
void vt_accelerator_looked(struct vt_accelerator *a, uint64_t recorded_ms, uint32_t won);
/** All was dropped that QEMU had translated. */
void vt_accelerator_flushed(struct vt_accelerator *a);

/** The state of a guest that is in the loop just now; *space is where its memory is found, and has
 * to stay. False: it was not there, or nobody knows. */
bool vt_accelerator_sample(struct vt_accelerator *a, const struct vt_synth_loop *loop,
                           struct vt_space *space, struct vt_synth_state *state);
/** From the cache, or made and proven; `root` is of the page tables it was seen with. NULL: the row
 * says why not. */
struct vt_synth_kernel *vt_accelerator_kernel(struct vt_accelerator *a,
                                              const struct vt_synth_loop *loop, uint64_t root,
                                              struct vt_ledger_row *row);
/** Into a slot, with the next commit; the row is WAITING then, or says why not. */
void vt_accelerator_install(struct vt_accelerator *a, const struct vt_synth_kernel *k,
                            struct vt_ledger_row *row);
void vt_accelerator_remove(struct vt_accelerator *a, uint32_t slot);
/** Nothing if nothing waits for it. */
int vt_accelerator_commit(struct vt_accelerator *a, struct vt_error *err);
/** Measures every kernel that waits and has enough to do, keeps it or removes it; then each that is
 * kept and to be tried on a GPU, against the host. `won`: how many are kept. */
int vt_accelerator_judge(struct vt_accelerator *a, uint32_t *won, struct vt_error *err);
int vt_accelerator_measure(struct vt_accelerator *a, uint32_t *tried, uint32_t *won,
                           struct vt_error *err);

#endif
