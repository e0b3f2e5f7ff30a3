/* synth/smt.h - a question to solvers: do these hold together?
 *
 * A query is terms of one bit: assumptions, and one goal that is to follow from them. As SMT-LIB 2
 * (QF_BV) it says that the goal does not; each of our operations that SMT-LIB does not have is
 * defined there in terms of those that it has (docs/synth.md has the definitions). Z3 is asked
 * through its C API, bitwuzla as a program where there is one, both at once, and the first that
 * knows wins.
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

struct vt_smt_answer {
    enum vt_proof_result result; /**< HOLDS: unsat */
    char solver[16];
    uint32_t took_us;
};
/** Asks. Never fails: what goes wrong is UNKNOWN. `stop` is asked now and then. */
void vt_smt_ask(const char *text, size_t bytes, uint32_t timeout_ms, bool (*stop)(void *arg),
                void *arg, struct vt_smt_answer *answer);

#endif
