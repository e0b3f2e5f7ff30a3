/* synth/summary_order.c - loads that decide whether the loop goes on, before what it stores. See
 * summary_parts.h.
 *
 * "Convert a byte where it lies, then look at the next one": a program's checks stand before its
 * first store, so the load that the condition needs has to come before it, too. It may wherever the
 * bytes are apart, whatever registers hold: where the two addresses differ by a constant that is
 * no less than what lies before. Two accesses that share no byte may be made in either order.
 */
#include "synth/summary_parts.h"

#include <stdlib.h>
#include <string.h>

struct wanted {
    const struct vt_summary *s;
    bool load[VT_PIXEL_VALUES_MAX];
};

static void want(void *arg, vt_term symbol)
{
    struct wanted *w = arg;
    for (uint32_t i = 0; i < w->s->n_operations; i++) {
        w->load[i] |= !w->s->operations[i].store && w->s->operations[i].value == symbol;
    }
}

static bool are_apart(struct vt_terms *t, const struct vt_memory_operation *a,
                      const struct vt_memory_operation *b)
{
    vt_term by = vt_term_2(t, VT_PIXEL_SUB, b->address, a->address);
    struct vt_term_sum sum;
    return vt_term_linear(t, by, &sum) && sum.n == 0 && sum.constant >= a->bytes &&
           0 - sum.constant >= b->bytes;
}

/* Inner loops are begun between accesses: nothing is moved from one side of that to the other. */
static bool is_between(const struct vt_execution *x, uint32_t at)
{
    bool found = false;
    for (uint32_t i = 0; i < x->s->n_loops; i++) {
        found |= x->loops[i].at == at;
    }
    return found;
}

int vt_execution_order(struct vt_execution *x)
{
    struct vt_summary *s = x->s;
    struct wanted *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(x->err, VT_E_NOMEM, "a loop's summary");
    }
    w->s = s;
    vt_term_symbols(x->terms, s->comes_back, want, w);
    for (uint32_t i = s->n_operations; i-- > 0;) { /* what they are loaded from comes before */
        if (w->load[i]) {
            vt_term_symbols(x->terms, s->operations[i].address, want, w);
        }
    }
    for (uint32_t i = 0; i < s->n_operations; i++) {
        struct vt_memory_operation moved = s->operations[i];
        uint32_t to = i;
        while (w->load[i] && moved.loop < 0 && to > 0 && s->operations[to - 1].loop < 0 &&
               !is_between(x, to) && are_apart(x->terms, &s->operations[to - 1], &moved)) {
            to--;
        }
        /* No farther than to before the first of the stores. */
        while (to < i && !s->operations[to].store) {
            to++;
        }
        if (to < i) {
            memmove(s->operations + to + 1, s->operations + to, (i - to) * sizeof moved);
            memmove(w->load + to + 1, w->load + to, (i - to) * sizeof w->load[0]);
            s->operations[to] = moved;
            w->load[to] = true;
        }
    }
    free(w);
    return 0;
}
