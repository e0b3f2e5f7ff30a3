/* Kernels of small loops are proven; kernels that were changed are refused, or do the same as
 * before on every state tried; numbers of iterations that are wrong at some edge are refused. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "synth/smt.h"
#include "tests/unit/synth/mutants.h"
#include "tests/unit/synth/small_loops.h"

#define STATES 60u
#define ITERATIONS 6u

static const struct vt_proof_options quick = {.timeout_ms = 5000};

/* ---------------------------------------------------------------- running kernels */

static uint64_t seed = 0x1234;
static uint64_t any(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed ^ seed >> 31) * 0x9e3779b97f4a7c15u;
}

struct machine {
    uint64_t r[16], xmm[16][4];
    uint8_t memory[ARENA_BYTES];
};

static void randomize(const struct vt_test_loop *of, struct machine *m)
{
    for (unsigned i = 0; i < 16; i++) {
        m->r[i] = any();
        for (unsigned half = 0; half < 4; half++) {
            m->xmm[i][half] = any();
        }
    }
    for (unsigned i = 0; i < ARENA_BYTES; i += 8) {
        uint64_t v = any();
        memcpy(m->memory + i, &v, 8);
    }
    for (unsigned i = 0; i < of->n; i++) {
        const struct vt_test_register *r = &of->registers[i];
        uint64_t base = r->base >= 0 ? m->r[r->base] : r->base == MEMORY ? ARENA_AT : 0;
        m->r[r->reg] = base + r->times * (r->low + any() % (r->high - r->low + 1));
    }
}

static uint64_t sum_of(const struct machine *m, const struct vt_linear *l)
{
    uint64_t sum = l->constant;
    for (uint32_t i = 0; i < l->n; i++) {
        assert_true(l->part[i].reg < 16);
        sum += l->part[i].coefficient * m->r[l->part[i].reg];
    }
    return sum;
}

static void *place_of(struct machine *m, const struct vt_place *p, size_t *bytes)
{
    *bytes = p->kind == VT_PLACE_CELL ? p->bytes : 8;
    switch (p->kind) {
    case VT_PLACE_GPR:
        return &m->r[p->reg];
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        return &m->xmm[p->reg][p->kind - VT_PLACE_XMM_LOW];
    default: {
        uint64_t at = sum_of(m, &p->address) - ARENA_AT;
        return at <= ARENA_BYTES - p->bytes ? m->memory + at : NULL;
    }
    }
}

static uint64_t trips_of(const struct vt_synth_kernel *k, const uint64_t *inputs,
                         const uint64_t *carries)
{
    uint64_t all[VT_PIXEL_INPUTS_MAX], result = 0;
    struct vt_pixel_program with = *k->trips;
    uint32_t n = k->program.n_inputs;
    memcpy(all, inputs, n * sizeof *all);
    memcpy(all + n, carries, k->program.n_carries * sizeof *all);
    with.n_carries = 1;
    with.carries[0] =
        (struct vt_pixel_carry){.name = "trips", .bits = 64, .next = with.n_insns - 1};
    struct vt_pixel_call call = {.count = 1, .inputs = all, .carries = &result};
    (void)vt_pixel_interpret(&with, &call);
    return result;
}

/* Runs up to `count` iterations; how many happened. UINT64_MAX: not on this memory. */
static uint64_t run(const struct vt_synth_kernel *k, struct machine *m, uint64_t count)
{
    const struct vt_pixel_program *p = &k->program;
    uint64_t inputs[VT_PIXEL_INPUTS_MAX] = {0}, carries[VT_PIXEL_CARRIES_MAX] = {0};
    uint8_t *streams[VT_PIXEL_STREAMS_MAX];
    size_t bytes;
    for (uint32_t i = 0; i < p->n_inputs + p->n_carries; i++) {
        const struct vt_place *place =
            i < p->n_inputs ? &k->inputs[i] : &k->carries[i - p->n_inputs];
        void *at = place_of(m, place, &bytes);
        if (at == NULL) {
            return UINT64_MAX;
        }
        memcpy(i < p->n_inputs ? &inputs[i] : &carries[i - p->n_inputs], at, bytes);
    }
    if (k->trips != NULL) {
        uint64_t trips = trips_of(k, inputs, carries);
        count = count < trips ? count : trips;
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_pixel_stream *s = &p->streams[i];
        int64_t stride =
            s->stride_input == VT_PIXEL_NONE ? s->stride : (int64_t)inputs[s->stride_input];
        int64_t first = (int64_t)(sum_of(m, &k->streams[i]) - ARENA_AT);
        for (uint64_t n = 0; n <= count && n <= ITERATIONS; n++) {
            int64_t at = first + (int64_t)n * stride;
            if (at < 0 || at > (int64_t)ARENA_BYTES || at + s->low < 0 ||
                at + s->high > (int64_t)ARENA_BYTES) {
                return UINT64_MAX;
            }
        }
        streams[i] = m->memory + first;
    }
    struct vt_pixel_call call = {
        .count = count, .inputs = inputs, .carries = carries, .streams = streams};
    uint64_t n = vt_pixel_interpret(p, &call);
    void *to[VT_PIXEL_CARRIES_MAX];
    for (uint32_t i = 0; i < p->n_carries; i++) { /* before registers change */
        to[i] = place_of(m, &k->carries[i], &bytes);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        (void)place_of(m, &k->carries[i], &bytes);
        memcpy(to[i], &carries[i], k->carries[i].kind == VT_PLACE_CELL ? k->carries[i].bytes : 8);
    }
    return n;
}

/* Iterations that both ran alike; fails where they differ. */
static uint64_t compare(const struct vt_test_loop *of, const struct vt_synth_kernel *a,
                        const struct vt_synth_kernel *b, const char *what)
{
    static struct machine start, x, y;
    uint64_t all = 0;
    for (unsigned i = 0; i < STATES; i++) {
        randomize(of, &start);
        x = y = start;
        uint64_t n = run(b, &y, ITERATIONS);
        if (n == UINT64_MAX) {
            continue;
        }
        uint64_t m = run(a, &x, n);
        if (m == UINT64_MAX) {
            continue;
        }
        if (m < n) { /* which is the shorter one */
            y = start;
            (void)run(b, &y, m);
        }
        if (memcmp(&x, &y, sizeof x) != 0) {
            fail_msg("%s, %s: proven, and does something else", of->name, what);
        }
        all += m < n ? m : n;
    }
    return all;
}

/* ---------------------------------------------------------------- tests */

static void prove(const struct vt_test_loop *of, struct vt_synth_kernel *k)
{
    struct vt_error err;
    if (vt_synth_prove(k, NULL, &err) != 0) {
        fail_msg("%s: %s", of->name, err.message);
    }
    assert_true(k->proven);
    assert_int_not_equal(k->n_obligations, 0);
    for (uint32_t i = 0; i < k->n_obligations; i++) {
        assert_int_equal(k->obligations[i].result, VT_PROOF_HOLDS);
    }
}

static void test_proven(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VT_TEST_LOOPS; i++) {
        struct vt_synth_kernel *k = vt_test_kernel(&vt_test_loops[i]);
        prove(&vt_test_loops[i], k);
        if (compare(&vt_test_loops[i], k, k, "itself") < STATES) {
            fail_msg("%s: its states are none in which it runs", vt_test_loops[i].name);
        }
        vt_synth_kernel_destroy(k);
    }
}

/* Every n-th mutant; VITRINE_MUTANTS=1 for all of them. */
static void test_mutants(void **state)
{
    (void)state;
    const char *set = getenv("VITRINE_MUTANTS");
    unsigned long wanted = set != NULL ? strtoul(set, NULL, 10) : 0;
    unsigned step = wanted >= 1 && wanted <= 1000 ? (unsigned)wanted : 41, refused = 0,
             accepted = 0, of_all = 0;
    for (unsigned i = 0; i < VT_TEST_LOOPS; i++) {
        struct vt_synth_kernel *k = vt_test_kernel(&vt_test_loops[i]);
        assert_int_equal(vt_pixel_validate(&k->program, NULL), 0);
        for (unsigned m = i % step;; m += step) {
            struct vt_synth_kernel *changed = mutant_copy(k);
            struct vt_error err;
            char what[64];
            if (!mutant_change(changed, m, what)) {
                vt_synth_kernel_destroy(changed);
                break;
            }
            of_all++;
            if (vt_synth_prove(changed, &quick, &err) == 0) {
                (void)compare(&vt_test_loops[i], k, changed, what);
                accepted++;
                if (set != NULL) {
                    printf("%s, mutant %u, %s: accepted\n", vt_test_loops[i].name, m, what);
                }
            } else {
                if (err.code != VT_E_REFUSED && err.code != VT_E_CORRUPT &&
                    err.code != VT_E_UNSUPPORTED) {
                    fail_msg("%s, %s: %s", vt_test_loops[i].name, what, err.message);
                }
                assert_false(changed->proven);
                refused++;
            }
            vt_synth_kernel_destroy(changed);
        }
        vt_synth_kernel_destroy(k);
    }
    printf("%u mutants: %u refused, %u do the same\n", of_all, refused, accepted);
    assert_true(refused > accepted && refused > 15);
}

/* Loops with numbers of iterations that somebody else thought of. Inputs of these programs are
 * named in the kernel's order. */
static struct vt_synth_kernel *with_trips(const char *hex, const char *body)
{
    struct vt_test_loop of = {.name = "trips", .hex = hex};
    struct vt_synth_kernel *k = vt_test_kernel(&of);
    struct vt_error err;
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    assert_non_null(to);
    fprintf(to, "pixel 1\n");
    int rdx = -1, rax = -1;
    for (uint32_t i = 0; i < k->program.n_inputs; i++) {
        fprintf(to, "input i%u i%u\n", i, k->program.inputs[i].bits);
        rdx = k->inputs[i].kind == VT_PLACE_GPR && k->inputs[i].reg == RDX ? (int)i : rdx;
    }
    for (uint32_t i = 0; i < k->program.n_carries; i++) {
        fprintf(to, "input i%u i%u\n", k->program.n_inputs + i, k->program.carries[i].bits);
        rax = k->carries[i].kind == VT_PLACE_GPR && k->carries[i].reg == RAX
                  ? (int)(k->program.n_inputs + i)
                  : rax;
    }
    assert_true(rax >= 0 && rdx >= 0);
    fprintf(to, "%%0 = input i64 i%d\n%%1 = input i64 i%d\n%s", rax, rdx, body);
    assert_int_equal(fclose(to), 0);
    if (k->trips == NULL) {
        k->trips = calloc(1, sizeof *k->trips);
        assert_non_null(k->trips);
    } else {
        vt_pixel_fini(k->trips);
    }
    if (vt_pixel_read(k->trips, text, n, &err) != 0) {
        fail_msg("%s", err.message);
    }
    free(text);
    return k;
}

#define STEP_1_NE "880c0748ffc04839d075f5" /* mov [rdi + rax], cl; inc rax; cmp rax, rdx; jne */
#define STEP_3_NE "880c074883c0034839d075f4"
#define STEP_16_JB "880c074883c0104839d072f4"
#define STEP_1_JL "880c0748ffc04839d07cf5"

static void test_trips(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *body;
        bool right;
    } all[] = {
        /* rdx - rax - 1; one more is the iteration that leaves */
        {STEP_1_NE, "%2 = sub i64 %1, %0\n%3 = const i64 1\n%4 = sub i64 %2, %3\n", true},
        {STEP_1_NE, "%2 = sub i64 %1, %0\n", false},
        {STEP_1_NE, "%2 = sub i64 %1, %0\n%3 = const i64 2\n%4 = sub i64 %2, %3\n", false},
        {STEP_1_NE, "%2 = const i64 0\n", true},
        {STEP_1_NE, "%2 = const i64 1\n", false},
        /* (rdx - rax) / 3 - 1, which passes rdx by unless it is a multiple */
        {STEP_3_NE,
         "%2 = sub i64 %1, %0\n%3 = const i64 3\n%4 = udiv i64 %2, %3\n"
         "%5 = const i64 1\n%6 = sub i64 %4, %5\n",
         false},
        /* (rdx - rax - 1) / 16 with and without a look at which is less */
        {STEP_16_JB,
         "%2 = sub i64 %1, %0\n%3 = const i64 1\n%4 = sub i64 %2, %3\n%5 = const i64 4\n"
         "%6 = lshr i64 %4, %5\n%7 = ult i1 %0, %1\n%8 = const i64 0\n"
         "%9 = select i64 %6, %8, %7\n",
         true},
        {STEP_16_JB,
         "%2 = sub i64 %1, %0\n%3 = const i64 1\n%4 = sub i64 %2, %3\n%5 = const i64 4\n"
         "%6 = lshr i64 %4, %5\n",
         false},
        {STEP_16_JB,
         "%2 = sub i64 %1, %0\n%3 = const i64 4\n%4 = lshr i64 %2, %3\n"
         "%5 = ult i1 %0, %1\n%6 = const i64 0\n%7 = select i64 %4, %6, %5\n",
         false},
        /* signed: rdx - rax - 1 where rax < rdx, as signed and as unsigned numbers */
        {STEP_1_JL,
         "%2 = sub i64 %1, %0\n%3 = const i64 1\n%4 = sub i64 %2, %3\n%5 = slt i1 %0, %1\n"
         "%6 = const i64 0\n%7 = select i64 %4, %6, %5\n",
         true},
        {STEP_1_JL,
         "%2 = sub i64 %1, %0\n%3 = const i64 1\n%4 = sub i64 %2, %3\n%5 = ult i1 %0, %1\n"
         "%6 = const i64 0\n%7 = select i64 %4, %6, %5\n",
         false},
        {STEP_1_JL, "%2 = sub i64 %1, %0\n%3 = const i64 1\n%4 = sub i64 %2, %3\n", false},
    };
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct vt_synth_kernel *k = with_trips(all[i].hex, all[i].body);
        struct vt_error err = {0};
        int rc = vt_synth_prove(k, NULL, &err);
        if ((rc == 0) != all[i].right) {
            fail_msg("trips %u: %d %s", i, rc, err.message);
        }
        vt_synth_kernel_destroy(k);
    }
}

/* Obligations are files that say what was asked. */
static void test_files(void **state)
{
    struct vt_synth_kernel *k = vt_test_kernel(&vt_test_loops[0]);
    struct vt_proof_options options = {.directory = *state, .keep_structure = true};
    struct vt_error err;
    assert_int_equal(vt_synth_prove(k, &options, &err), 0);
    char path[512];
    snprintf(path, sizeof path, "%s/back.smt2", (const char *)*state);
    char *text;
    assert_int_equal(vt_read_file(path, 1 << 20, &text, NULL, &err), 0);
    assert_non_null(strstr(text, "(set-logic QF_BV)"));
    assert_non_null(strstr(text, "(check-sat)"));
    free(text);
    vt_synth_kernel_destroy(k);
}

static bool stop_now(void *arg)
{
    ++*(unsigned *)arg;
    return true;
}

static void test_stopped(void **state)
{
    (void)state;
    struct vt_synth_kernel *k = vt_test_kernel(&vt_test_loops[0]);
    unsigned asked = 0;
    struct vt_proof_options options = {.stop = stop_now, .arg = &asked, .keep_structure = true};
    struct vt_error err;
    assert_int_equal(vt_synth_prove(k, &options, &err), VT_E_INTERRUPTED);
    assert_int_not_equal(asked, 0);
    assert_false(k->proven);
    vt_synth_kernel_destroy(k);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_proven),
                                       cmocka_unit_test(test_mutants), cmocka_unit_test(test_trips),
                                       vt_test_in_dir(test_files), cmocka_unit_test(test_stopped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
