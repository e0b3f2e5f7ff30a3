/* synth/smt.h - a question to solvers: do these hold together?
 *
 * A query is terms of one bit: assumptions, and one goal that is to follow from them. As SMT-LIB 2
 * (QF_BV) it says that the goal does not; each of our operations that SMT-LIB does not have is
 * defined there in terms of those that it has (docs/synth.md has the definitions). Z3 is asked
 * through its C API in a process of its own, which may be ended at any moment and takes nobody with
 * it; bitwuzla, where there is one, as a program. The first that knows wins.
 */
#ifndef VT_SYNTH_SMT_H
#define VT_SYNTH_SMT_H

#include "synth/term.h"
#include "vitrine/synth.h"

struct vt_smt_query {
    const struct vt_terms *terms;
    const vt_term *assumptions;
    uint32_t n;
    vt_term goal;
};
/** The whole text, ending with (check-sat). *text is the caller's (free). VT_E_NOMEM. */
int vt_smt_text(const struct vt_smt_query *query, char **text, size_t *bytes, struct vt_error *err);

#define VT_SMT_EXAMPLE_MAX 240u
struct vt_smt_answer {
    enum vt_proof_result result; /**< HOLDS: unsat */
    char solver[16];             /**< who knew, or "none" */
    uint32_t took_us;
    char example[VT_SMT_EXAMPLE_MAX]; /**< FALSE: values for which it is, if the solver said; cut */
};
/** Asks. Never fails: what goes wrong is UNKNOWN. `stop` is asked every few milliseconds. */
void vt_smt_ask(const char *text, size_t bytes, uint32_t timeout_ms, bool (*stop)(void *arg),
                void *arg, struct vt_smt_answer *answer);
/** Whether there is any solver. VT_E_UNSUPPORTED says what is missing. */
int vt_smt_check(struct vt_error *err);

/* ---------------------------------------------------------------- the module */

#define VT_SOLVER_MODULE "vitrine-solver.so"
#define VT_SOLVER_SYMBOL "vt_solver_z3"

/** What the module exports under that name. */
struct vt_solver {
    /** UNKNOWN for whatever goes wrong. `example` gets values for FALSE. Only one call a process:
     * what it leaves behind is not taken away. */
    enum vt_proof_result (*ask)(const char *text, uint32_t timeout_ms, char *example, size_t room);
};

#endif
