/* synth/summary.c - execution of a loop's code on terms. See summary_parts.h.
 *
 * A region is the whole loop or an inner one. Its nodes are executed in topological order; where
 * ways meet, states are merged by select. An inner loop is executed as a region of its own, as
 * often as it takes until what changes in it is known: those are its variables, symbols within and
 * new symbols after it. A trip that leaves it is a trip too; where it goes on is a variable, if
 * there are several places. What may fault leaves the loop before it does.
 */
#include "synth/summary_parts.h"

#include <stdlib.h>
#include <string.h>

/* Of the number of a loop's way out: a word, as the other variables are. Of mixed widths gcc makes
 * poorer vectors. */
#define EXIT_BITS 64

#define TRIPS 64U         /* of an inner loop that are executed one by one … */
#define TRIPS_INSNS 4096U /* … if they are no more instructions than that */
#define BACK (-2)         /* where an edge leads: to the head of the region */

struct edge {
    int32_t to; /* node, VT_FLOW_LEAVES or BACK */
    vt_way way;
    struct vt_running state;
};
struct edges {
    struct edge *e;
    uint32_t n, room;
};
static int run_region(struct vt_execution *x, int32_t region, const struct vt_running *entry,
                      vt_way entered, struct edges *out);

static int refuse(struct vt_execution *x, int64_t at, const char *why)
{
    return vt_refuse_insn(x->err, x->loop, at, why);
}

static int out_of_memory(struct vt_execution *x)
{
    return vt_fail(x->err, VT_E_NOMEM, "a loop's summary");
}

static int add_edge(struct vt_execution *x, struct edges *edges, int32_t to, vt_way way,
                    const struct vt_running *state)
{
    if (way == VT_WAY_NEVER) {
        return 0;
    }
    if (edges->n == edges->room) {
        uint32_t room = edges->room == 0 ? 8 : 2 * edges->room;
        struct edge *wider = realloc(edges->e, room * sizeof *wider);
        if (wider == NULL) {
            return out_of_memory(x);
        }
        edges->e = wider;
        edges->room = room;
    }
    edges->e[edges->n++] = (struct edge){.to = to, .way = way, .state = *state};
    return 0;
}

/* ---------------------------------------------------------------- merging */

/* All edges to one place, or all with `any`: the way to there, and the state. */
static vt_way merge(struct vt_execution *x, const struct edges *edges, int32_t to, bool any,
                    struct vt_running *state)
{
    vt_way way = VT_WAY_NEVER;
    for (uint32_t i = 0; i < edges->n; i++) {
        if (any || edges->e[i].to == to) {
            way = vt_way_or(x->ways, way, edges->e[i].way);
        }
    }
    bool first = true;
    /* Ways exclude one another. The last edge's state is what is left when no other was taken. */
    for (uint32_t i = edges->n; i-- > 0;) {
        const struct edge *e = &edges->e[i];
        if (!any && e->to != to) {
            continue;
        }
        if (first) {
            *state = e->state;
            first = false;
            continue;
        }
        vt_term bit = vt_way_term(x->ways, vt_way_given(x->ways, e->way, way));
        vt_term *into = (vt_term *)state;
        const vt_term *from = (const vt_term *)&e->state;
        for (size_t k = 0; k < VT_RUNNING_TERMS; k++) {
            if (into[k] != from[k]) {
                into[k] = vt_term_select(x->terms, bit, from[k], into[k]);
            }
        }
    }
    return way;
}

/* ---------------------------------------------------------------- instructions */

/* `must` holds, or the loop is left right here. */
static int go_on_if(struct vt_execution *x, vt_term must, const struct vt_running *before,
                    vt_way *way, struct edges *edges)
{
    vt_way good = vt_way_of(x->ways, must);
    int rc = add_edge(x, edges, VT_FLOW_LEAVES,
                      vt_way_and(x->ways, *way, vt_way_not(x->ways, good)), before);
    *way = vt_way_and(x->ways, *way, good);
    return rc;
}

/* Of a cell it does not change, and so is part of whether the loop comes back at all. Of others
 * it is noted, once for all that are a multiple of that apart. */
static int note_alignment(struct vt_execution *x, const struct vt_flow_insn *insn, vt_term address,
                          unsigned to)
{
    struct vt_summary *s = x->s;
    if (vt_execution_in_cell(x, address)) {
        vt_term even = vt_address_is_aligned(x->terms, address, to);
        x->even = vt_term_2(x->terms, VT_PIXEL_AND, x->even, even);
        return 0;
    }
    for (uint32_t i = 0; i < s->n_aligned; i++) {
        uint64_t apart;
        vt_term difference = vt_term_2(x->terms, VT_PIXEL_SUB, address, s->aligned[i]);
        if (vt_term_is_const(x->terms, difference, &apart) && apart % to == 0 &&
            s->aligned_to[i] >= to) {
            return 0;
        }
    }
    if (s->n_aligned == sizeof s->aligned / sizeof *s->aligned) {
        return refuse(x, insn->at, "too many accesses that must be aligned");
    }
    s->aligned_to[s->n_aligned] = (uint8_t)to;
    s->aligned[s->n_aligned++] = address;
    return 0;
}

static int32_t place(int32_t region_head, int32_t node)
{
    return node == region_head ? BACK : node;
}

/* `state` is at the node's first instruction; edges are to where it leads. */
static int run_node(struct vt_execution *x, uint32_t node, int32_t head, struct vt_running *state,
                    vt_way way, struct edges *edges)
{
    const struct vt_flow_node *n = &x->flow->nodes[node];
    struct vt_lifted lifted = {.way = VT_LIFT_NEXT};
    struct vt_running before;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct vt_flow_insn *insn = &x->flow->insns[n->first + i];
        before = *state;
        x->now = state;
        x->way = way;
        x->at = insn->at;
        x->executed++;
        int rc =
            vt_lift(&x->lifter, &state->registers, &x->memory, x->loop->head + (uint64_t)insn->at,
                    insn->code, insn->room, &lifted, x->err);
        if (rc < 0) {
            return rc;
        }
        if (lifted.bytes != insn->bytes || lifted.way != insn->way) {
            return refuse(x, insn->at, "an instruction that is read in two ways");
        }
        if (rc == 0 && lifted.must != 0) {
            rc = go_on_if(x, lifted.must, &before, &way, edges);
        }
        if (rc == 0 && lifted.alignment != 0) {
            rc = note_alignment(x, insn, lifted.aligned, lifted.alignment);
        }
        if (rc < 0) {
            return rc;
        }
        if (vt_terms_broken(x->terms) || x->ways->broken) {
            return refuse(x, insn->at, "more terms than there is room for");
        }
    }
    int32_t next = place(head, n->next), target = place(head, n->target);
    if (lifted.way == VT_LIFT_NEXT) {
        return add_edge(x, edges, next, way, state);
    }
    if (lifted.way == VT_LIFT_RETURN && n->target != VT_FLOW_LEAVES) {
        vt_term back = vt_term_const(x->terms, 64, x->loop->head + (uint64_t)n->back);
        int rc = go_on_if(x, vt_term_compare(x->terms, VT_PIXEL_EQ, lifted.returns, back), &before,
                          &way, edges);
        if (rc < 0) {
            return rc;
        }
    }
    if (lifted.way == VT_LIFT_JUMP || lifted.way == VT_LIFT_RETURN) {
        return add_edge(x, edges, target, way, state);
    }
    vt_way taken = vt_way_of(x->ways, lifted.taken);
    int rc = add_edge(x, edges, target, vt_way_and(x->ways, way, taken), state);
    return rc < 0 ? rc
                  : add_edge(x, edges, next, vt_way_and(x->ways, way, vt_way_not(x->ways, taken)),
                             state);
}

/* ---------------------------------------------------------------- inner loops */

/* Marks what one trip changes and was not known to change. */
static bool changes(const struct vt_running *start, const struct vt_running *next, bool *changed)
{
    const vt_term *a = (const vt_term *)start, *b = (const vt_term *)next;
    bool more = false;
    for (size_t k = 0; k < VT_RUNNING_TERMS; k++) {
        more |= !changed[k] && a[k] != b[k];
        changed[k] |= a[k] != b[k];
    }
    return more;
}

/* The places to which trips leave the loop. */
static uint32_t ways_out(const struct edges *trips, int32_t *to)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < trips->n; i++) {
        uint32_t k = 0;
        while (k < n && to[k] != trips->e[i].to) {
            k++;
        }
        if (k == n && trips->e[i].to != BACK && n < VT_FLOW_NODES_MAX) {
            to[n++] = trips->e[i].to;
        }
    }
    return n;
}

static void add_variable(struct vt_execution *x, struct vt_running_loop *l, vt_term variable,
                         vt_term initial, vt_term next)
{
    l->variable[l->n] = variable;
    l->initial[l->n] = initial;
    l->next[l->n] = next;
    l->result[l->n] = vt_term_symbol(x->terms, vt_term_bits(x->terms, initial), "result");
    l->n++;
}

/* From all trips that leave it, edges to where they go, with the results. */
static int leave_loop(struct vt_execution *x, struct vt_running_loop *l, const struct edges *trips,
                      const struct vt_running *results, vt_way way, struct edges *edges)
{
    int32_t to[VT_FLOW_NODES_MAX];
    uint32_t n = ways_out(trips, to);
    vt_term exit = 0;
    if (n > 1) {
        vt_term next = vt_term_const(x->terms, EXIT_BITS, 0);
        for (uint32_t k = 1; k < n; k++) {
            struct vt_running ignored;
            vt_way here = merge(x, trips, to[k], false, &ignored);
            next = vt_term_select(x->terms, vt_way_term(x->ways, here),
                                  vt_term_const(x->terms, EXIT_BITS, k), next);
        }
        add_variable(x, l, vt_term_symbol(x->terms, EXIT_BITS, "exit"),
                     vt_term_const(x->terms, EXIT_BITS, 0), next);
        exit = l->result[l->n - 1];
    }
    vt_way rest = way;
    for (uint32_t k = 0; k < n; k++) {
        vt_way here = rest;
        if (k + 1 < n) {
            vt_way bit = vt_way_of(x->ways, vt_term_compare(x->terms, VT_PIXEL_EQ, exit,
                                                            vt_term_const(x->terms, EXIT_BITS, k)));
            here = vt_way_and(x->ways, rest, bit);
            rest = vt_way_and(x->ways, rest, vt_way_not(x->ways, bit));
        }
        int rc = add_edge(x, edges, to[k], here, results);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Whether it is known when the loop ends, and that is soon: then its trips are executed one after
 * another as what they are, and edges are to where it goes on. Else nothing has happened. */
static int run_trips(struct vt_execution *x, int32_t loop, const struct vt_running *state,
                     vt_way way, struct edges *edges, bool *done)
{
    struct vt_summary *s = x->s;
    uint32_t operations = s->n_operations, loops = s->n_loops, aligned = s->n_aligned;
    uint32_t n_edges = edges->n, executed = x->executed;
    struct vt_running now = *state;
    struct edges trip = {0};
    int rc = 0;
    *done = false;
    for (unsigned trips = 0; trips < TRIPS && !*done && rc == 0; trips++) {
        trip.n = 0;
        rc = run_region(x, loop, &now, way, &trip);
        vt_way again = rc == 0 ? merge(x, &trip, BACK, false, &now) : VT_WAY_NEVER;
        if (rc < 0 || (again != way && again != VT_WAY_NEVER) || s->n_loops != loops ||
            x->executed - executed > TRIPS_INSNS) {
            break;
        }
        *done = again == VT_WAY_NEVER;
        for (uint32_t i = 0; i < trip.n && rc == 0; i++) {
            const struct edge *e = &trip.e[i];
            rc = e->to == BACK ? 0 : add_edge(x, edges, e->to, e->way, &e->state);
        }
    }
    free(trip.e);
    if (!*done) {
        s->n_operations = operations;
        s->n_aligned = aligned;
        s->n_loops = loops;
        edges->n = n_edges;
    }
    return rc;
}

static int run_loop(struct vt_execution *x, int32_t loop, const struct vt_running *state,
                    vt_way way, struct edges *edges)
{
    struct vt_summary *s = x->s;
    bool changed[VT_RUNNING_TERMS] = {false};
    uint32_t operations = s->n_operations, loops = s->n_loops, aligned = s->n_aligned;
    int32_t outside = x->inside;
    struct edges trips = {0};
    struct vt_running start, next, results = *state;
    const vt_term *initial = (const vt_term *)state;
    bool done;
    int rc = run_trips(x, loop, state, way, edges, &done);
    if (rc < 0 || done) {
        return rc;
    }
    if (loops == VT_PIXEL_LOOPS_MAX) {
        return refuse(x, x->flow->insns[x->flow->nodes[x->flow->loops[loop].head].first].at,
                      "too many inner loops");
    }
    struct vt_running_loop *l = &x->loops[loops];
    do {
        s->n_operations = operations;
        s->n_aligned = aligned;
        s->n_loops = loops + 1;
        *l = (struct vt_running_loop){
            .parent = outside, .at = operations, .when = vt_way_term(x->ways, way)};
        start = *state;
        for (size_t k = 0; k < VT_RUNNING_TERMS; k++) {
            if (changed[k]) {
                ((vt_term *)&start)[k] =
                    vt_term_symbol(x->terms, vt_term_bits(x->terms, initial[k]), "variable");
            }
        }
        trips.n = 0;
        x->inside = (int32_t)loops;
        rc = run_region(x, loop, &start, VT_WAY_ALWAYS, &trips);
        x->inside = outside;
        if (rc < 0) {
            break;
        }
        merge(x, &trips, 0, true, &next);
    } while (changes(&start, &next, changed));
    if (rc == 0) {
        struct vt_running ignored;
        l->condition = vt_way_term(x->ways, merge(x, &trips, BACK, false, &ignored));
        for (size_t k = 0; k < VT_RUNNING_TERMS; k++) {
            if (changed[k]) {
                add_variable(x, l, ((vt_term *)&start)[k], initial[k], ((vt_term *)&next)[k]);
                ((vt_term *)&results)[k] = l->result[l->n - 1];
            }
        }
        rc = leave_loop(x, l, &trips, &results, way, edges);
    }
    free(trips.e);
    return rc;
}

/* ---------------------------------------------------------------- regions */

static bool is_inside(const struct vt_flow *f, int32_t region, uint32_t node)
{
    return region < 0 || f->loops[region].has[node];
}

/* `region`: an inner loop, or -1. Edges that lead out of it, BACK ones among them, are added to
 * *out. */
static int run_region(struct vt_execution *x, int32_t region, const struct vt_running *entry,
                      vt_way entered, struct edges *out)
{
    const struct vt_flow *f = x->flow;
    uint32_t head = region < 0 ? 0 : f->loops[region].head;
    struct edges edges = {0};
    int rc = 0;
    for (uint32_t i = f->nodes[head].order; i < f->n_order && rc == 0; i++) {
        uint32_t node = f->by_order[i];
        int32_t inner = f->nodes[node].loop;
        bool here = inner == region;
        bool begins = inner >= 0 && inner != region && f->loops[inner].parent == region &&
                      f->loops[inner].head == node;
        if (!is_inside(f, region, node) || (!here && !begins)) {
            continue;
        }
        struct vt_running state;
        vt_way way = entered;
        if (node == head) {
            state = *entry;
        } else {
            way = merge(x, &edges, (int32_t)node, false, &state);
        }
        if (way == VT_WAY_NEVER) {
            continue;
        }
        rc = begins ? run_loop(x, inner, &state, way, &edges)
                    : run_node(x, node, (int32_t)head, &state, way, &edges);
    }
    for (uint32_t i = 0; i < edges.n && rc == 0; i++) {
        const struct edge *e = &edges.e[i];
        int32_t to = place((int32_t)head, e->to);
        if (to < 0 || !is_inside(f, region, (uint32_t)to)) {
            rc = add_edge(x, out, to, e->way, &e->state);
        }
    }
    free(edges.e);
    return rc;
}

/* ---------------------------------------------------------------- all */

static int note_left(struct vt_execution *x, const struct edges *out)
{
    x->left = calloc((size_t)out->n * VT_RUNNING_TERMS + 1, sizeof *x->left);
    if (x->left == NULL) {
        return out_of_memory(x);
    }
    for (uint32_t i = 0; i < out->n; i++) {
        if (out->e[i].to == VT_FLOW_LEAVES) {
            memcpy(x->left + x->n_left, &out->e[i].state, sizeof out->e[i].state);
            x->n_left += (uint32_t)VT_RUNNING_TERMS;
        }
    }
    return 0;
}

static int run_all(struct vt_execution *x)
{
    struct vt_summary *s = x->s;
    struct vt_running state = {.registers = s->before}, after = {0};
    struct edges out = {0};
    for (uint32_t i = 0; i < s->n_cells; i++) {
        state.cells[i] = s->cells[i].before;
    }
    x->inside = -1;
    x->even = vt_term_const(x->terms, 1, 1);
    int rc = run_region(x, -1, &state, VT_WAY_ALWAYS, &out);
    if (rc == 0) {
        vt_way way = merge(x, &out, BACK, false, &after);
        s->comes_back = vt_term_2(x->terms, VT_PIXEL_AND, vt_way_term(x->ways, way), x->even);
        rc = way == VT_WAY_NEVER ? refuse(x, 0, "no way leads back to the head")
                                 : note_left(x, &out);
    }
    if (rc == 0) {
        s->after = after.registers;
        for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
            bool kept = true;
            for (uint32_t e = 0; e < out.n; e++) {
                kept &=
                    out.e[e].to != BACK || out.e[e].state.registers.flag[i] == s->before.flag[i];
            }
            s->flags_kept |= (uint8_t)(kept ? 1U << i : 0);
        }
        for (uint32_t i = 0; i < s->n_cells; i++) {
            s->cells[i].after = after.cells[i];
        }
        for (uint32_t i = 0; i < x->flow->n_order; i++) {
            s->instructions += x->flow->nodes[x->flow->by_order[i]].n;
        }
        rc = vt_execution_order(x);
        rc = rc != 0 ? rc : vt_execution_finish(x);
    }
    free(out.e);
    return rc;
}

void vt_summary_fini(struct vt_summary *s)
{
    free(s->operations);
    free(s->loops);
    s->operations = NULL;
    s->loops = NULL;
}

int vt_summary_of_code(struct vt_terms *terms, const struct vt_synth_loop *loop,
                       const struct vt_given *given, struct vt_summary *s, struct vt_error *err)
{
    struct vt_summary found = {.n_cells = given->n_cells};
    struct vt_execution x = {.terms = terms, .loop = loop, .s = &found, .err = err};
    x.memory =
        (struct vt_lift_memory){.load = vt_execution_load, .store = vt_execution_store, .arg = &x};
    vt_lifter_init(&x.lifter, terms);
    vt_lift_symbols(terms, &found.before);
    for (uint32_t i = 0; i < given->n_cells; i++) {
        const struct vt_cell *cell = &given->cells[i];
        found.cells[i] =
            (struct vt_cell){.address = cell->address,
                             .bytes = cell->bytes,
                             .before = vt_term_symbol(terms, 8U * cell->bytes, "cell")};
    }
    int rc = vt_equal_apply(terms, given->equal, given->n_equal, &found, err);
    if (rc != 0) {
        return rc;
    }
    x.flow = calloc(1, sizeof *x.flow);
    x.ways = malloc(sizeof *x.ways);
    x.loops = calloc(VT_PIXEL_LOOPS_MAX, sizeof *x.loops);
    if (x.flow == NULL || x.ways == NULL || x.loops == NULL) {
        rc = out_of_memory(&x);
    } else {
        vt_ways_init(x.ways, terms);
        rc = vt_flow_find(loop, x.flow, err);
    }
    if (rc == 0) {
        rc = run_all(&x);
    }
    if (rc == 0 && (vt_terms_broken(terms) || x.ways->broken)) {
        rc = refuse(&x, 0, "more terms than there is room for");
    }
    free(x.left);
    free(x.loops);
    free(x.ways);
    free(x.flow);
    if (rc < 0) {
        vt_summary_fini(&found);
        return rc;
    }
    *s = found;
    return 0;
}
