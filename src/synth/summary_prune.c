/* synth/summary_prune.c - what of inner loops is wanted, and which flags are read. See
 * summary_parts.h.
 *
 * Wanted is what the iteration leaves behind, what memory operations and conditions are made of,
 * and, of inner loops' variables, what those depend on. Flags count as read, besides, where they
 * are seen in a state in which the loop is left: the guest's own last iteration makes that of the
 * flags that it finds.
 */
#include "synth/summary_parts.h"

#include <stdlib.h>
#include <string.h>

static void want(void *arg, vt_term symbol)
{
    struct vt_execution *x = arg;
    for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
        x->s->flags_read |= (uint8_t)(x->s->before.flag[i] == symbol ? 1U << i : 0);
    }
    for (uint32_t l = 0; l < x->s->n_loops; l++) {
        struct vt_running_loop *loop = &x->loops[l];
        for (uint32_t v = 0; v < loop->n; v++) {
            if (loop->variable[v] == symbol || loop->result[v] == symbol) {
                loop->wanted[v] = true;
            }
        }
    }
}

static void want_all_of(struct vt_execution *x, vt_term term)
{
    if (term != 0) {
        vt_term_symbols(x->terms, term, want, x);
    }
}

/* What wanted variables depend on, until there is no more. */
static void want_more(struct vt_execution *x)
{
    bool done[VT_PIXEL_LOOPS_MAX][VT_RUNNING_TERMS + 1] = {{false}};
    for (bool more = true; more;) {
        more = false;
        for (uint32_t l = 0; l < x->s->n_loops; l++) {
            struct vt_running_loop *loop = &x->loops[l];
            for (uint32_t v = 0; v < loop->n; v++) {
                if (loop->wanted[v] && !done[l][v]) {
                    want_all_of(x, loop->initial[v]);
                    want_all_of(x, loop->next[v]);
                    done[l][v] = true;
                    more = true;
                }
            }
        }
    }
}

static void want_what_is_kept(struct vt_execution *x)
{
    struct vt_summary *s = x->s;
    for (unsigned i = 0; i < 16; i++) {
        want_all_of(x, s->after.r[i]);
        for (unsigned half = 0; half < 4; half++) {
            want_all_of(x, s->after.xmm[i][half]);
        }
    }
    for (uint32_t i = 0; i < s->n_cells; i++) {
        want_all_of(x, s->cells[i].after);
    }
    for (uint32_t i = 0; i < s->n_operations; i++) {
        want_all_of(x, s->operations[i].when);
        want_all_of(x, s->operations[i].address);
        want_all_of(x, s->operations[i].value);
    }
    for (uint32_t i = 0; i < s->n_aligned; i++) {
        want_all_of(x, s->aligned[i]);
    }
    for (uint32_t l = 0; l < s->n_loops; l++) {
        want_all_of(x, x->loops[l].when);
        want_all_of(x, x->loops[l].condition);
    }
    want_all_of(x, s->comes_back);
    want_more(x);
}

/* What the states say in which the loop is left, without wanting it. */
static void read_flags(struct vt_execution *x)
{
    bool kept[VT_PIXEL_LOOPS_MAX][VT_RUNNING_TERMS + 1];
    for (uint32_t l = 0; l < x->s->n_loops; l++) {
        memcpy(kept[l], x->loops[l].wanted, sizeof kept[l]);
    }
    for (uint32_t i = 0; i < x->n_left; i++) {
        want_all_of(x, x->left[i]);
    }
    want_more(x);
    for (uint32_t l = 0; l < x->s->n_loops; l++) {
        memcpy(x->loops[l].wanted, kept[l], sizeof kept[l]);
    }
}

int vt_execution_finish(struct vt_execution *x)
{
    struct vt_summary *s = x->s;
    want_what_is_kept(x);
    read_flags(x);
    if (s->n_loops == 0) {
        return 0;
    }
    s->loops = calloc(s->n_loops, sizeof *s->loops);
    if (s->loops == NULL) {
        return vt_fail(x->err, VT_E_NOMEM, "a loop's summary");
    }
    for (uint32_t i = 0; i < s->n_loops; i++) {
        const struct vt_running_loop *from = &x->loops[i];
        struct vt_inner_loop *to = &s->loops[i];
        to->parent = from->parent;
        to->at = from->at;
        to->condition = from->condition;
        to->when = from->when;
        for (uint32_t v = 0; v < from->n; v++) {
            if (!from->wanted[v]) {
                continue;
            }
            if (to->n == VT_PIXEL_VARIABLES_MAX) {
                return vt_fail(x->err, VT_E_UNSUPPORTED,
                               "an inner loop with more than %u variables", VT_PIXEL_VARIABLES_MAX);
            }
            to->variable[to->n] = from->variable[v];
            to->initial[to->n] = from->initial[v];
            to->next[to->n] = from->next[v];
            to->result[to->n++] = from->result[v];
        }
    }
    return 0;
}
