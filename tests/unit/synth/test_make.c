/* tests/unit/synth/test_make.c - loops that a compiler made become kernels, and what those compute
 * is what the processor does.
 *
 * Functions of loops_*.c run on the processor step by step; whenever it is at a loop's head,
 * registers and memory are noted. From one such state the kernel is run for some iterations:
 * registers and memory are to be those of the later one. No more iterations happen than the
 * processor made.
 */
#include "tests/unit/synth/loops.h"
#include "tests/unit/synth/processor.h"
#include "tests/unit/synth/run_kernel.h"

#include "tests/unit/harness.h"

#include <string.h>

#define ARRIVALS 40u
#define STACK 8192u
#define ARENA (3 * LOOPS_REGION + STACK)
#define TRIALS 3u
#define STARTS 4u
#define STEPS 20000u

static _Alignas(4096) uint8_t arena[ARENA];

/* ---------------------------------------------------------------- the processor */

struct arrival {
    struct processor_state state;
    bool came_back; /* from the one before it */
    uint8_t memory[ARENA];
};

struct recording {
    const struct processor_loop *loop;
    uint32_t n, steps;
    bool outside, cut;
    struct arrival arrivals[ARRIVALS];
};

static bool record(void *arg, const struct processor_state *state)
{
    struct recording *r = arg;
    bool inside = false;
    for (uint32_t i = 0; i < r->loop->n; i++) {
        inside |= state->rip - r->loop->run[i].at < r->loop->run[i].bytes;
    }
    r->outside |= !inside;
    if (r->steps++ == STEPS || (state->rip == r->loop->head && r->n == ARRIVALS)) {
        r->cut = true;
        return false;
    }
    if (state->rip != r->loop->head) {
        return true;
    }
    struct arrival *a = &r->arrivals[r->n++];
    a->state = *state;
    a->came_back = !r->outside;
    memcpy(a->memory, arena, sizeof arena);
    r->outside = false;
    return true;
}

/* ---------------------------------------------------------------- kernels */

static uint64_t seed = 1;
static uint64_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* All: loops read constants that lie in this program. */
static const struct run_memory memory = {NULL, UINT64_C(1) << 47};

/* ---------------------------------------------------------------- comparing */

struct totals {
    uint32_t loops, kernels, counted, independent, equal, runs, declined;
    uint64_t iterations;
};

static void compare(const char *what, const struct vt_synth_kernel *k, const struct recording *r,
                    uint32_t first, struct totals *totals)
{
    struct processor_state s = r->arrivals[first].state;
    uint32_t more = 0;
    while (first + more + 1 < r->n && r->arrivals[first + more + 1].came_back) {
        more++;
    }
    bool cut = first + more + 1 == r->n && r->cut;
    memcpy(arena, r->arrivals[first].memory, sizeof arena);
    uint64_t wanted = cut ? (more > 0 ? 1 + any() % more : 0) : more + 3;
    if (k->trips != NULL) {
        uint64_t known = run_trips(k, &memory, &s);
        if (!cut && known > more) {
            fail_msg("%s: %llu iterations are said to come back, %u do", what,
                     (unsigned long long)known, more);
        }
        if (!cut && known == 0 && more > 3 && k->n_equal == 0) {
            fail_msg("%s: no iteration is said to come back, %u do", what, more);
        }
        wanted = wanted < known ? wanted : known;
    }
    uint64_t n = run_kernel(k, &memory, &s, wanted, NULL);
    if (n == RUN_DECLINED) {
        totals->declined++;
        return;
    }
    /* Without a number of trips it may stop before: where an index is not as small as its window.
     */
    if (n > more || (n < wanted && k->trips != NULL)) {
        fail_msg("%s: %llu iterations of %u happened", what, (unsigned long long)n, more);
    }
    const struct arrival *after = &r->arrivals[first + n];
    for (int i = 0; i < 16; i++) {
        if (s.r[i] != after->state.r[i]) {
            fail_msg("%s: register %d is %#llx, not %#llx, after %llu iterations", what, i,
                     (unsigned long long)s.r[i], (unsigned long long)after->state.r[i],
                     (unsigned long long)n);
        }
        if (memcmp(s.xmm[i], after->state.xmm[i], 32) != 0) {
            fail_msg("%s: xmm%d differs after %llu iterations", what, i, (unsigned long long)n);
        }
    }
    for (uint32_t i = 0; i < ARENA; i++) {
        if (arena[i] != after->memory[i]) {
            fail_msg("%s: byte %u of memory differs after %llu iterations", what, i,
                     (unsigned long long)n);
        }
    }
    totals->runs++;
    totals->iterations += n;
}

static struct recording r; /* of the last trial */

static void begin(const struct loop_case *c, const struct processor_loop *loop)
{
    for (uint32_t i = 0; i < ARENA; i++) {
        arena[i] = (uint8_t)any();
    }
    for (uint32_t i = 0; i < 2; i++) { /* strings end */
        memset(arena + (size_t)(i + 1) * LOOPS_REGION - 3000, 0, 8);
    }
    uint64_t arguments[6] = {(uintptr_t)arena,
                             (uintptr_t)arena + LOOPS_REGION,
                             (uintptr_t)arena + 2 * (uintptr_t)LOOPS_REGION,
                             1 + any() % 60,
                             any(),
                             any()};
    r.loop = loop;
    r.n = r.steps = 0;
    r.outside = true;
    r.cut = false;
    assert_true(
        processor_run((const void *)(uintptr_t)c->run, arguments, arena + ARENA - 64, record, &r));
}

static bool read_arena(void *arg, uint64_t address, void *to, size_t bytes)
{
    const struct arrival *at = arg;
    uint64_t from = address - (uintptr_t)arena;
    if (from > ARENA - bytes) {
        return false;
    }
    memcpy(to, at->memory + from, bytes);
    return true;
}

/* Made again where something may be taken for granted, at the last arrival of one run. NULL: there
 * is nothing. */
static struct vt_synth_kernel *make_at(const struct loop_case *c, const struct processor_loop *loop,
                                       const struct vt_synth_loop *of)
{
    struct vt_synth_kernel *k;
    begin(c, loop);
    if (r.n == 0) {
        return NULL;
    }
    struct vt_synth_state at = {.read = read_arena, .arg = &r.arrivals[r.n - 1]};
    memcpy(at.r, r.arrivals[r.n - 1].state.r, sizeof at.r);
    if (vt_synth_make_at(of, &at, &k, NULL) != 0) {
        return NULL;
    }
    if (k->n_equal == 0) {
        vt_synth_kernel_destroy(k);
        k = NULL;
    }
    return k;
}

static void try_loop(const struct loop_case *c, const char *what, const struct processor_loop *loop,
                     const struct vt_synth_kernel *k, struct totals *totals)
{
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        begin(c, loop);
        for (uint32_t i = 0; i < STARTS && r.n > 0; i++) {
            compare(what, k, &r, i == 0 ? 0 : (uint32_t)(any() % r.n), totals);
        }
    }
}

static void loop_of(const struct processor_loop *from, struct vt_synth_loop *loop)
{
    memset(loop, 0, sizeof *loop);
    loop->head = from->head;
    for (uint32_t i = 0; i < from->n; i++) {
        assert_true(loop->n_bytes + from->run[i].bytes <= VT_SYNTH_BYTES_MAX);
        loop->blocks[loop->n_blocks++] =
            (struct vt_synth_block){.at = (int64_t)(from->run[i].at - from->head),
                                    .first = loop->n_bytes,
                                    .n = from->run[i].bytes};
        memcpy(loop->bytes + loop->n_bytes, (const void *)(uintptr_t)from->run[i].at,
               from->run[i].bytes);
        loop->n_bytes += from->run[i].bytes;
    }
}

static void show(const char *what, struct vt_synth_kernel *k)
{
    print_message("%s: %u operations, %u streams, %s%s%s\n", what, k->program.n_insns,
                  k->program.n_streams, k->trips != NULL ? "trips " : "",
                  k->program.counted ? "counted " : "",
                  k->program.independent ? "independent" : "");
    (void)vt_pixel_write(&k->program, stderr, NULL);
}

static void prove(const char *what, struct vt_synth_kernel *k)
{
    struct vt_error why = {0};
    int proof = vt_synth_prove(k, &(struct vt_proof_options){.timeout_ms = 5000}, &why);
    print_message("%s: proof %d, %llu ms, %u obligations: %s\n", what, proof,
                  (unsigned long long)k->proof_us / 1000, k->n_obligations,
                  proof != 0 ? why.message : "");
    for (uint32_t o = 0; o < k->n_obligations; o++) {
        if (k->obligations[o].took_us > 200000) {
            print_message("    %s: %u ms %s\n", k->obligations[o].name,
                          k->obligations[o].took_us / 1000, k->obligations[o].solver);
        }
    }
}

/* Kernels of one of its loops; how many there are. */
static uint32_t make_of(const struct loop_case *c, const char *what,
                        const struct processor_loop *at, struct totals *totals)
{
    static struct vt_synth_loop loop;
    struct vt_error err = {0};
    uint32_t made = 0;
    loop_of(at, &loop);
    totals->loops++;
    struct vt_synth_kernel *k = make_at(c, at, &loop);
    if (k != NULL) {
        uint32_t declined = totals->declined, runs = totals->runs;
        totals->equal++;
        made++;
        try_loop(c, what, at, k, totals);
        if (totals->runs == runs) {
            fail_msg("%s: all of %u states are declined", what, totals->declined - declined);
        }
        vt_synth_kernel_destroy(k);
    }
    int rc = vt_synth_make(&loop, &k, &err);
    if (rc < 0) {
        print_message("%s: %s\n", what, err.message);
        assert_int_equal(rc, VT_E_UNSUPPORTED);
        return made;
    }
    if (getenv("VITRINE_TEST_SHOW") != NULL) {
        show(what, k);
    }
    if (getenv("VITRINE_TEST_PROVE") != NULL) {
        prove(what, k);
    }
    totals->kernels++;
    totals->counted += k->program.counted;
    totals->independent += k->program.independent;
    try_loop(c, what, at, k, totals);
    vt_synth_kernel_destroy(k);
    return made + 1;
}

/* Whether one of its loops became a kernel, or none has to. */
static bool try_case(const char *how, const struct loop_case *c, struct totals *totals)
{
    struct processor_loop loops[8];
    uint32_t n = processor_loops((const void *)(uintptr_t)c->run, loops, 8), made = 0;
    for (uint32_t i = 0; i < n; i++) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s %s loop %u", how, c->name, i);
        made += make_of(c, what, &loops[i], totals);
    }
    if (c->needed && made == 0) {
        print_message("%s %s: no kernel\n", how, c->name);
    }
    return !c->needed || made != 0;
}

static void try_all(const char *how, const struct loop_case *const parts[3])
{
    struct totals totals = {0};
    uint32_t missing = 0;
    for (uint32_t part = 0; part < 3; part++) {
        for (const struct loop_case *c = parts[part]; c->name != NULL; c++) {
            missing += !try_case(how, c, &totals);
        }
    }
    print_message("%s: %u kernels of %u loops, %u counted, %u independent, %u more with "
                  "equalities; %u runs and %u that "
                  "guards declined, %llu iterations\n",
                  how, totals.kernels, totals.loops, totals.counted, totals.independent,
                  totals.equal, totals.runs, totals.declined,
                  (unsigned long long)totals.iterations);
    assert_int_equal(missing, 0);
}

#define ALL(level) ((const struct loop_case *const[]){level##_streams, level##_more, level##_calls})

static void test_o0(void **state)
{
    (void)state;
    try_all("-O0", ALL(loops_o0));
}

static void test_o1(void **state)
{
    (void)state;
    try_all("-O1", ALL(loops_o1));
}

static void test_o2(void **state)
{
    (void)state;
    try_all("-O2", ALL(loops_o2));
}

static void test_o2_scalar(void **state)
{
    (void)state;
    try_all("-O2 without vectors", ALL(loops_o2_scalar));
}

static void test_o3(void **state)
{
    (void)state;
    try_all("-O3", ALL(loops_o3));
}

static void test_o3_avx2(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx2")) {
        print_message("no AVX2 here\n");
        skip();
    }
    try_all("-O3 with AVX2", ALL(loops_o3_avx2));
}

static void test_os(void **state)
{
    (void)state;
    try_all("-Os", ALL(loops_os));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_o0),        cmocka_unit_test(test_o1), cmocka_unit_test(test_o2),
        cmocka_unit_test(test_o2_scalar), cmocka_unit_test(test_o3), cmocka_unit_test(test_o3_avx2),
        cmocka_unit_test(test_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
