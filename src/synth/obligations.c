/* synth/obligations.c - a kernel's proof: what must hold, asked for one by one. See vitrine/synth.h
 * and docs/synth.md.
 *
 * Nothing of the kernel but its bytes, its program, its places and its claims is looked at, and
 * claims are what is proven. The code and the program are summarised in the same terms, with the
 * same symbols for what each access loads; that they load the same is the first thing to prove. An
 * equation whose sides became one term, or one sum, needs no solver. The first obligation that does
 * not hold, or that nobody can decide in time, refuses the kernel.
 */
#include "synth/obligations.h"

#include "base/io.h"
#include "synth/smt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---------------------------------------------------------------- asking */

static struct vt_obligation *add(struct vt_prover *p, const char *name)
{
    struct vt_synth_kernel *k = p->k;
    if (k->n_obligations == p->room) {
        uint32_t room = p->room == 0 ? 64 : 2 * p->room;
        struct vt_obligation *wider = realloc(k->obligations, room * sizeof *wider);
        if (wider == NULL) {
            vt_fail(p->err, VT_E_NOMEM, "a proof");
            return NULL;
        }
        k->obligations = wider;
        p->room = room;
    }
    struct vt_obligation *o = &k->obligations[k->n_obligations++];
    *o = (struct vt_obligation){.result = VT_PROOF_OPEN, .solver = "structure"};
    snprintf(o->name, sizeof o->name, "%s", name);
    return o;
}

static int keep_text(struct vt_prover *p, const char *name, const char *text, size_t bytes)
{
    if (p->options->directory == NULL) {
        return 0;
    }
    char *path = NULL;
    if (asprintf(&path, "%s/%s.smt2", p->options->directory, name) < 0) {
        return vt_fail(p->err, VT_E_NOMEM, "a proof");
    }
    int rc = vt_write_file_atomic(path, text, bytes, 0644, p->err);
    free(path);
    return rc;
}

/* ---------------------------------------------------------------- refuting without a solver */

#define TRIES 48u

struct guess {
    const struct vt_terms *t;
    uint64_t seed;
    char *example; /* or NULL */
    size_t n;
};

/* Corners, small numbers, numbers that are near each other, and any. */
static uint64_t guess_value(void *arg, vt_term symbol)
{
    struct guess *g = arg;
    uint64_t key[2] = {g->seed, symbol}, h = XXH3_64bits(key, sizeof key), value = h;
    switch (h >> 61) {
    case 0:
    case 1:
        value = h & 7;
        break;
    case 2:
        value = UINT64_C(1) << (h & 63);
        break;
    case 3:
        value = UINT64_MAX - (h & 7);
        break;
    case 4:
        value = (XXH3_64bits(key, sizeof key[0]) & ~UINT64_C(0xff)) + (h & 0xff);
        break;
    default:
        break;
    }
    if (g->example != NULL) {
        unsigned bits = vt_term_bits(g->t, symbol);
        uint64_t shown = bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
        int more = snprintf(g->example + g->n, VT_SMT_EXAMPLE_MAX - g->n, "%s%s = 0x%" PRIx64,
                            g->n > 0 ? ", " : "", vt_term_name(g->t, symbol), shown);
        bool fits = more > 0 && (size_t)more < VT_SMT_EXAMPLE_MAX - g->n;
        g->example[g->n + (fits ? (size_t)more : 0)] = '\0';
        g->n += fits ? (size_t)more : 0;
    }
    return value;
}

/* Whether a few numbers show that it does not hold. It may not hold all the same. */
static bool refuted(struct vt_prover *p, const struct vt_smt_query *q,
                    char example[VT_SMT_EXAMPLE_MAX])
{
    struct guess g = {.t = p->t};
    for (g.seed = 0; g.seed < TRIES; g.seed++) {
        bool against = vt_term_evaluate(p->t, q->goal, guess_value, &g) == 0;
        for (uint32_t i = 0; i < q->n && against; i++) {
            against = vt_term_evaluate(p->t, q->assumptions[i], guess_value, &g) == 1;
        }
        if (against) {
            g.example = example;
            (void)vt_term_evaluate(p->t, q->goal, guess_value, &g);
            return true;
        }
    }
    return false;
}

/* Fills *o. The example, where it does not hold, goes into `example`. */
static int decide(struct vt_prover *p, struct vt_obligation *o, const struct vt_smt_query *query,
                  char example[VT_SMT_EXAMPLE_MAX])
{
    char *text;
    size_t bytes;
    uint64_t value;
    bool known = vt_term_is_const(p->t, query->goal, &value) && value == 1;
    struct vt_smt_query asked = *query;
    asked.n = known ? 0 : query->n; /* it follows from nothing */
    example[0] = '\0';
    int rc = vt_smt_text(&asked, &text, &bytes, p->err);
    if (rc != 0) {
        return rc;
    }
    XXH128_hash_t hash = XXH3_128bits(text, bytes);
    snprintf(o->hash, sizeof o->hash, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
             (uint64_t)hash.low64);
    rc = keep_text(p, o->name, text, bytes);
    if (rc == 0 && known && !p->options->keep_structure) {
        o->result = VT_PROOF_HOLDS;
    } else if (rc == 0 && refuted(p, query, example)) {
        o->result = VT_PROOF_FALSE;
        snprintf(o->solver, sizeof o->solver, "evaluation");
    } else if (rc == 0) {
        struct vt_smt_answer answer;
        vt_smt_ask(text, bytes, p->options->timeout_ms, p->options->stop, p->options->arg, &answer);
        o->result = (uint8_t)answer.result;
        o->took_us = answer.took_us;
        memcpy(o->solver, answer.solver, sizeof o->solver);
        memcpy(example, answer.example, VT_SMT_EXAMPLE_MAX);
        if (answer.result == VT_PROOF_UNKNOWN && p->options->stop != NULL &&
            p->options->stop(p->options->arg)) {
            rc = vt_fail(p->err, VT_E_INTERRUPTED, "the proof was stopped");
        }
    }
    free(text);
    return rc;
}

static int refuse(struct vt_prover *p, const struct vt_obligation *o, const char *why)
{
    if (o->result == VT_PROOF_FALSE) {
        return vt_fail(p->err, VT_E_REFUSED, "%s does not hold%s%s", o->name,
                       why[0] != '\0' ? ": " : "", why);
    }
    return vt_fail(p->err, VT_E_REFUSED, "%s was not decided%s", o->name,
                   vt_smt_check(NULL) != 0 ? ": there is no solver" : " in time");
}

static int ask(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
               vt_term goal, struct vt_obligation **o, char example[VT_SMT_EXAMPLE_MAX])
{
    *o = add(p, name);
    if (*o == NULL) {
        return VT_E_NOMEM;
    }
    struct vt_smt_query query = {.terms = p->t, .assumptions = assumed, .n = n, .goal = goal};
    return decide(p, *o, &query, example);
}

int vt_oblige(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
              vt_term goal)
{
    char example[VT_SMT_EXAMPLE_MAX];
    struct vt_obligation *o;
    int rc = ask(p, name, assumed, n, goal, &o, example);
    return rc != 0 || o->result == VT_PROOF_HOLDS ? rc : refuse(p, o, example);
}

int vt_oblige_try(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
                  vt_term goal)
{
    char example[VT_SMT_EXAMPLE_MAX];
    struct vt_obligation *o;
    int rc = ask(p, name, assumed, n, goal, &o, example);
    if (rc != 0 || o->result == VT_PROOF_HOLDS) {
        return rc != 0 ? rc : 1;
    }
    p->k->n_obligations--;
    return 0;
}

static bool same_sum(const struct vt_terms *t, vt_term a, vt_term b)
{
    struct vt_term_sum x, y;
    if (vt_term_bits(t, a) != 64 || vt_term_bits(t, b) != 64 || !vt_term_linear(t, a, &x) ||
        !vt_term_linear(t, b, &y) || x.constant != y.constant || x.n != y.n) {
        return false;
    }
    unsigned found = 0; /* atoms of a sum differ from each other */
    for (unsigned i = 0; i < x.n; i++) {
        for (unsigned j = 0; j < y.n; j++) {
            found +=
                x.part[i].atom == y.part[j].atom && x.part[i].coefficient == y.part[j].coefficient;
        }
    }
    return found == x.n;
}

int vt_oblige_equal(struct vt_prover *p, const char *name, const vt_term *assumed, uint32_t n,
                    vt_term a, vt_term b)
{
    if (a == 0 || b == 0 || vt_terms_broken(p->t)) {
        return vt_fail(p->err, VT_E_NOMEM, "a proof: %s", name);
    }
    if (vt_term_bits(p->t, a) != vt_term_bits(p->t, b)) {
        return vt_oblige_fact(p, name, false, "the widths differ");
    }
    vt_term goal = vt_term_compare(p->t, VT_PIXEL_EQ, a, b);
    if (!p->options->keep_structure && same_sum(p->t, a, b)) {
        goal = vt_term_const(p->t, 1, 1);
    }
    return vt_oblige(p, name, assumed, n, goal);
}

int vt_oblige_fact(struct vt_prover *p, const char *name, bool holds, const char *why)
{
    struct vt_obligation *o = add(p, name);
    if (o == NULL) {
        return VT_E_NOMEM;
    }
    o->result = holds ? VT_PROOF_HOLDS : VT_PROOF_FALSE;
    return holds ? 0 : refuse(p, o, why);
}

/* ---------------------------------------------------------------- one iteration */

static int assume(struct vt_prover *p, vt_term bit)
{
    if (p->n_happens == VT_ASSUMED_MAX) {
        return vt_fail(p->err, VT_E_LIMIT, "a proof with more than %u assumptions", VT_ASSUMED_MAX);
    }
    p->happens[p->n_happens++] = bit;
    return 0;
}

/* Accesses and inner loops are the same ones in the same order, as far as can be seen without
 * values. */
static int oblige_shape(struct vt_prover *p)
{
    const struct vt_summary *code = &p->code, *pixel = &p->pixel;
    bool same = code->n_operations == pixel->n_operations;
    for (uint32_t i = 0; i < code->n_operations && same; i++) {
        const struct vt_memory_operation *a = &code->operations[i], *b = &pixel->operations[i];
        same = a->store == b->store && a->bytes == b->bytes && a->loop == b->loop;
    }
    int rc =
        vt_oblige_fact(p, "accesses", same, "the program's accesses are not those of the code");
    same = code->n_loops == pixel->n_loops;
    for (uint32_t i = 0; i < code->n_loops && same; i++) {
        same = code->loops[i].parent == pixel->loops[i].parent;
    }
    return rc != 0 ? rc
                   : vt_oblige_fact(p, "loops", same,
                                    "the program's inner loops are not those of the code");
}

/* The variable of the code's loop that a variable of the program's is paired with. */
static bool paired(const struct vt_inner_loop *ours, uint32_t v, const struct vt_inner_loop *theirs,
                   uint32_t *which)
{
    for (*which = 0; *which < theirs->n; ++*which) {
        if (theirs->variable[*which] == ours->variable[v]) {
            return true;
        }
    }
    return false;
}

/* Where the code may pass a loop by, its results are what the variables began as; where it does
 * not, they are the program's. */
static int assume_results(struct vt_prover *p, uint32_t i)
{
    const struct vt_inner_loop *theirs = &p->code.loops[i], *ours = &p->pixel.loops[i];
    uint64_t always;
    if (vt_term_is_const(p->t, theirs->when, &always) && always == 1) {
        return 0;
    }
    int rc = 0;
    for (uint32_t v = 0; v < theirs->n && rc == 0; v++) {
        vt_term as_before =
            vt_term_compare(p->t, VT_PIXEL_EQ, theirs->result[v], theirs->initial[v]);
        rc = assume(p, vt_term_2(p->t, VT_PIXEL_OR, theirs->when, as_before));
    }
    for (uint32_t v = 0, pair; v < ours->n && rc == 0; v++) {
        if (paired(ours, v, theirs, &pair)) {
            vt_term same =
                vt_term_compare(p->t, VT_PIXEL_EQ, theirs->result[pair], ours->result[v]);
            rc = assume(p, vt_term_implies(p->t, theirs->when, same));
        }
    }
    return rc;
}

/* Both loops begin alike, and if a trip begins alike it ends alike and both or neither go on. */
static int oblige_loop(struct vt_prover *p, uint32_t i)
{
    const struct vt_inner_loop *theirs = &p->code.loops[i], *ours = &p->pixel.loops[i];
    char name[48];
    vt_term assumed[VT_ASSUMED_MAX + 1];
    memcpy(assumed, p->happens, sizeof p->happens);
    uint32_t n = p->n_happens;
    assumed[n++] = theirs->when;
    int rc = 0;
    for (uint32_t v = 0, pair; v < ours->n && rc == 0; v++) {
        snprintf(name, sizeof name, "loop.%u.variable.%u.pair", i, v);
        if (!paired(ours, v, theirs, &pair)) {
            return vt_oblige_fact(p, name, false, "the code's loop has no such variable");
        }
        snprintf(name, sizeof name, "loop.%u.variable.%u.initial", i, v);
        rc = vt_oblige_equal(p, name, assumed, n, ours->initial[v], theirs->initial[pair]);
        snprintf(name, sizeof name, "loop.%u.variable.%u.next", i, v);
        rc = rc != 0 ? rc : vt_oblige_equal(p, name, assumed, n, ours->next[v], theirs->next[pair]);
    }
    snprintf(name, sizeof name, "loop.%u.condition", i);
    return rc != 0 ? rc : vt_oblige_equal(p, name, assumed, n, ours->condition, theirs->condition);
}

static int oblige_access(struct vt_prover *p, uint32_t i)
{
    const struct vt_memory_operation *theirs = &p->code.operations[i],
                                     *ours = &p->pixel.operations[i];
    const char *what = theirs->store ? "store" : "load";
    char name[48];
    vt_term assumed[VT_ASSUMED_MAX + 1];
    memcpy(assumed, p->happens, sizeof p->happens);
    uint32_t n = p->n_happens;
    int rc = 0;
    if (theirs->store) { /* a load that only the program makes harms nobody: it is in a window */
        snprintf(name, sizeof name, "%s.%u.when", what, i);
        rc = vt_oblige_equal(p, name, assumed, n, ours->when, theirs->when);
    }
    assumed[n++] = theirs->when;
    snprintf(name, sizeof name, "%s.%u.address", what, i);
    rc = rc != 0 ? rc : vt_oblige_equal(p, name, assumed, n, ours->address, theirs->address);
    if (theirs->store && rc == 0) {
        snprintf(name, sizeof name, "%s.%u.value", what, i);
        rc = vt_oblige_equal(p, name, assumed, n, ours->value, theirs->value);
    }
    if (!theirs->store && rc == 0) { /* the program's load has the code's symbol */
        snprintf(name, sizeof name, "%s.%u.pair", what, i);
        rc = ours->value == theirs->value
                 ? 0
                 : vt_oblige_fact(p, name, false, "the loads are not the same");
    }
    return rc;
}

static const char *const gpr[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

struct after {
    const char *name;
    vt_term before, pixel, code;
};

/* The state after it, in which what the program leaves alone is to be left alone. What neither side
 * touches makes one obligation together. */
static int oblige_after(struct vt_prover *p, const struct after *a)
{
    bool same = a->pixel == a->before && a->code == a->before && a->before != 0;
    return same ? 0 : vt_oblige_equal(p, a->name, p->happens, p->n_happens, a->pixel, a->code);
}

static int oblige_state(struct vt_prover *p)
{
    const struct vt_lift_state *before = &p->pixel.before, *code = &p->code.after,
                               *pixel = &p->pixel.after;
    char name[48];
    int rc = 0;
    for (unsigned i = 0; i < 16 && rc == 0; i++) {
        snprintf(name, sizeof name, "after.%s", gpr[i]);
        rc = oblige_after(p, &(struct after){name, before->r[i], pixel->r[i], code->r[i]});
    }
    for (unsigned i = 0; i < 64 && rc == 0; i++) {
        snprintf(name, sizeof name, "after.%cmm%u.%s", i % 4 < 2 ? 'x' : 'y', i / 4,
                 i % 2 == 0 ? "low" : "high");
        rc = oblige_after(p, &(struct after){name, before->xmm[i / 4][i % 4],
                                             pixel->xmm[i / 4][i % 4], code->xmm[i / 4][i % 4]});
    }
    for (uint32_t i = 0; i < p->code.n_cells && rc == 0; i++) {
        const struct vt_cell *cell = &p->code.cells[i];
        snprintf(name, sizeof name, "after.cell.%u", i);
        rc = oblige_after(
            p, &(struct after){name, cell->before, p->pixel.cells[i].after, cell->after});
    }
    const struct after bases[] = {
        {"after.fs", before->fs_base, pixel->fs_base, code->fs_base},
        {"after.gs", before->gs_base, pixel->gs_base, code->gs_base},
    };
    for (unsigned i = 0; i < 2 && rc == 0; i++) {
        rc = oblige_after(p, &bases[i]);
    }
    return rc != 0 ? rc : vt_oblige_fact(p, "unchanged", true, "");
}

static int oblige_all(struct vt_prover *p)
{
    uint8_t lost = p->code.flags_read & (uint8_t)~p->code.flags_kept;
    int rc = vt_oblige_fact(p, "flags", lost == 0,
                            "an iteration depends on flags that the one before it changed");
    rc = rc != 0 ? rc : oblige_shape(p);
    rc = rc != 0 ? rc : vt_oblige_trips_program(p);
    rc = rc != 0 ? rc : assume(p, p->pixel.comes_back);
    if (rc == 0 && p->trips != 0) {
        rc = assume(p, vt_term_compare(p->t, VT_PIXEL_NE, p->trips, vt_term_const(p->t, 64, 0)));
    }
    for (uint32_t i = 0; i < p->code.n_loops && rc == 0; i++) {
        rc = assume_results(p, i);
    }
    rc = rc != 0 ? rc : vt_oblige(p, "back", p->happens, p->n_happens, p->code.comes_back);
    rc = rc != 0 ? rc : assume(p, p->code.comes_back);
    for (uint32_t i = 0; i < p->code.n_loops && rc == 0; i++) {
        rc = oblige_loop(p, i);
    }
    for (uint32_t i = 0; i < p->code.n_operations && rc == 0; i++) {
        rc = oblige_access(p, i);
    }
    rc = rc != 0 ? rc : oblige_state(p);
    rc = rc != 0 ? rc : vt_oblige_windows(p);
    return rc != 0 ? rc : vt_oblige_claims(p);
}

/* ---------------------------------------------------------------- the proof */

static int check_loop(const struct vt_synth_kernel *k, struct vt_error *err)
{
    struct vt_synth_loop again = k->loop;
    int rc = vt_synth_loop_finish(&again, err);
    if (rc == 0 && memcmp(again.blocks, k->loop.blocks, sizeof again.blocks) != 0) {
        rc = vt_fail(err, VT_E_CORRUPT, "blocks of the loop are not in order");
    }
    return rc == 0 && memcmp(again.hash, k->loop.hash, sizeof again.hash) != 0
               ? vt_fail(err, VT_E_CORRUPT, "the loop's hash is not that of its bytes")
               : rc;
}

int vt_synth_prove(struct vt_synth_kernel *k, const struct vt_proof_options *options,
                   struct vt_error *err)
{
    static const struct vt_proof_options none = {0};
    uint64_t began = vt_now_ns();
    struct vt_prover p = {
        .k = k, .options = options != NULL ? options : &none, .t = vt_terms_create(), .err = err};
    free(k->obligations);
    k->obligations = NULL;
    k->n_obligations = 0;
    k->proven = false;
    if (p.t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a proof");
    }
    struct vt_given given;
    int rc = vt_pixel_validate(&k->program, err);
    rc = rc != 0 ? rc : check_loop(k, err);
    if (rc == 0) {
        vt_kernel_given(k, &given);
        rc = vt_summary_of_code(p.t, &k->loop, &given, &p.code, err);
    }
    if (rc == 0) {
        rc = vt_summary_of_pixel(p.t, k, &p.code, &p.pixel, err);
        rc = rc != 0 ? rc : oblige_all(&p);
        vt_summary_fini(&p.pixel);
        vt_summary_fini(&p.code);
    }
    vt_terms_destroy(p.t);
    k->proof_us = (vt_now_ns() - began) / 1000;
    k->proven = rc == 0;
    return rc;
}
