/* tests/unit/synth/test_make.c - loops that a compiler made become kernels, and what those compute
 * is what the processor does.
 *
 * Functions of loops.c run on the processor step by step; whenever it is at a loop's head,
 * registers and memory are noted. From one such state the kernel is run for some iterations:
 * registers and memory are to be those of the later one. No more iterations happen than the
 * processor made.
 */
#include "tests/unit/synth/loops.h"
#include "tests/unit/synth/processor.h"
#include "tests/unit/synth/random_loops.h"
#include "vitrine/synth.h"

#include "tests/unit/harness.h"

#include <string.h>
#include <sys/mman.h>

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

static uint64_t sum(const struct vt_linear *l, const struct processor_state *s,
                    const uint64_t *places)
{
    uint64_t value = l->constant;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t reg = l->part[i].reg;
        uint64_t one = reg < 16 ? s->r[reg] : 0;
        if (reg >= VT_LINEAR_PLACE && places != NULL) {
            one = places[reg - VT_LINEAR_PLACE];
        } else {
            assert_true(reg < 16);
        }
        value += l->part[i].coefficient * one;
    }
    return value;
}

static uint64_t read_place(const struct vt_place *p, const struct processor_state *s)
{
    uint64_t value = 0;
    switch (p->kind) {
    case VT_PLACE_GPR:
        return s->r[p->reg];
    case VT_PLACE_XMM_LOW:
        return s->xmm[p->reg][0];
    case VT_PLACE_XMM_HIGH:
        return s->xmm[p->reg][1];
    case VT_PLACE_CELL:
        memcpy(&value, (const void *)(uintptr_t)sum(&p->address, s, NULL), p->bytes);
        return value;
    default:
        fail_msg("a place that no loop here has");
        return 0;
    }
}

static void write_place(const struct vt_place *p, struct processor_state *s, uint64_t value)
{
    switch (p->kind) {
    case VT_PLACE_GPR:
        s->r[p->reg] = value;
        break;
    case VT_PLACE_XMM_LOW:
        s->xmm[p->reg][0] = value;
        break;
    case VT_PLACE_XMM_HIGH:
        s->xmm[p->reg][1] = value;
        break;
    default:
        memcpy((void *)(uintptr_t)sum(&p->address, s, NULL), &value, p->bytes);
        break;
    }
}

struct extent {
    uint64_t low, high;
};

/* All that `which` of struct vt_disjoint touches in `count` iterations. */
static struct extent extent_of(const struct vt_synth_kernel *k, uint32_t which,
                               const struct processor_state *s, uint8_t *const *streams,
                               const uint64_t *inputs, uint64_t count)
{
    const struct vt_pixel_program *p = &k->program;
    if (which < p->n_streams) {
        const struct vt_pixel_stream *stream = &p->streams[which];
        int64_t stride = stream->stride_input == VT_PIXEL_NONE
                             ? stream->stride
                             : (int64_t)inputs[stream->stride_input];
        int64_t last = stride * (int64_t)(count - 1);
        uint64_t at = (uintptr_t)streams[which];
        return (struct extent){at + (uint64_t)(stream->low + (last < 0 ? last : 0)),
                               at + (uint64_t)(stream->high + (last > 0 ? last : 0))};
    }
    which -= p->n_streams;
    const struct vt_place *cell =
        which < p->n_inputs ? &k->inputs[which] : &k->carries[which - p->n_inputs];
    uint64_t at = sum(&cell->address, s, NULL);
    return (struct extent){at, at + cell->bytes};
}

static bool guards_hold(const struct vt_synth_kernel *k, const struct processor_state *s,
                        uint8_t *const *streams, const uint64_t *inputs, uint64_t count)
{
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        struct extent a = extent_of(k, k->disjoint[i].a, s, streams, inputs, count);
        struct extent b = extent_of(k, k->disjoint[i].b, s, streams, inputs, count);
        if (!k->disjoint[i].only_parallel && a.low < b.high && b.low < a.high) {
            return false;
        }
    }
    return true;
}

/* From this state and the arena; *s is the state after. Returns how many iterations happened;
 * UINT64_MAX: a guard does not hold. */
static uint64_t run_kernel(const struct vt_synth_kernel *k, struct processor_state *s,
                           uint64_t count)
{
    const struct vt_pixel_program *p = &k->program;
    uint64_t inputs[VT_PIXEL_INPUTS_MAX], carries[VT_PIXEL_CARRIES_MAX];
    uint8_t *streams[VT_PIXEL_STREAMS_MAX];
    uint64_t places[VT_PIXEL_INPUTS_MAX + VT_PIXEL_CARRIES_MAX];
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        inputs[i] = read_place(&k->inputs[i], s);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        carries[i] = read_place(&k->carries[i], s);
    }
    memcpy(places, inputs, p->n_inputs * sizeof *places);
    memcpy(places + p->n_inputs, carries, p->n_carries * sizeof *places);
    for (uint32_t i = 0; i < p->n_streams; i++) {
        streams[i] = (uint8_t *)(uintptr_t)sum(&k->streams[i], s,
                                               places); // NOLINT(performance-no-int-to-ptr)
    }
    if (count > 0 && !guards_hold(k, s, streams, inputs, count)) {
        return UINT64_MAX;
    }
    struct vt_pixel_call call = {
        .count = count, .inputs = inputs, .carries = carries, .streams = streams};
    uint64_t n = vt_pixel_interpret(p, &call);
    struct processor_state before = *s;
    for (uint32_t i = 0; i < p->n_carries; i++) {
        write_place(&k->carries[i], k->carries[i].kind == VT_PLACE_CELL ? &before : s, carries[i]);
    }
    return n;
}

static uint64_t trips(const struct vt_synth_kernel *k, const struct processor_state *s)
{
    uint64_t inputs[VT_PIXEL_INPUTS_MAX], carry = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->program.n_inputs; i++) {
        inputs[n++] = read_place(&k->inputs[i], s);
    }
    for (uint32_t i = 0; i < k->program.n_carries; i++) {
        inputs[n++] = read_place(&k->carries[i], s);
    }
    /* The last value, as a carry's next. */
    struct vt_pixel_program p = *k->trips;
    p.n_carries = 1;
    p.carries[0] = (struct vt_pixel_carry){.name = "trips", .bits = 64, .next = p.n_insns - 1};
    struct vt_pixel_call call = {.count = 1, .inputs = inputs, .carries = &carry};
    assert_int_equal(vt_pixel_interpret(&p, &call), 1);
    return carry;
}

/* ---------------------------------------------------------------- comparing */

struct totals {
    uint32_t loops, kernels, counted, independent, runs, declined, mutants;
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
        uint64_t known = trips(k, &s);
        if (!cut && known > more) {
            fail_msg("%s: %llu iterations are said to come back, %u do", what,
                     (unsigned long long)known, more);
        }
        if (!cut && known == 0 && more > 3) {
            fail_msg("%s: no iteration is said to come back, %u do", what, more);
        }
        wanted = wanted < known ? wanted : known;
    }
    uint64_t n = run_kernel(k, &s, wanted);
    if (n == UINT64_MAX) {
        totals->declined++;
        return;
    }
    if (n > more || (n < wanted && k->trips != NULL) || (n != more && !cut && k->trips == NULL)) {
        fail_msg("%s: %llu iterations of %u happened", what, (unsigned long long)n, more);
    }
    const struct arrival *after = &r->arrivals[first + n];
    for (int i = 0; i < 16; i++) {
        if (s.r[i] != after->state.r[i]) {
            fail_msg("%s: register %d is %#llx, not %#llx, after %llu iterations", what, i,
                     (unsigned long long)s.r[i], (unsigned long long)after->state.r[i],
                     (unsigned long long)n);
        }
        if (memcmp(s.xmm[i], after->state.xmm[i], 16) != 0) {
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

static void try_loop(const struct loop_case *c, const char *what, const struct processor_loop *loop,
                     const struct vt_synth_kernel *k, struct totals *totals)
{
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
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
        assert_true(processor_run((const void *)(uintptr_t)c->run, arguments, arena + ARENA - 64,
                                  record, &r));
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

static void try_all(const char *how, const struct loop_case *cases)
{
    struct totals totals = {0};
    uint32_t missing = 0;
    for (const struct loop_case *c = cases; c->name != NULL; c++) {
        struct processor_loop loops[8];
        uint32_t n = processor_loops((const void *)(uintptr_t)c->run, loops, 8), made = 0;
        for (uint32_t i = 0; i < n; i++) {
            static struct vt_synth_loop loop;
            struct vt_synth_kernel *k = NULL;
            struct vt_error err = {0};
            char what[64];
            (void)snprintf(what, sizeof what, "%s %s loop %u", how, c->name, i);
            loop_of(&loops[i], &loop);
            totals.loops++;
            int rc = vt_synth_make(&loop, &k, &err);
            if (rc < 0) {
                print_message("%s: %s\n", what, err.message);
                assert_int_equal(rc, VT_E_UNSUPPORTED);
                continue;
            }
            if (getenv("VITRINE_TEST_SHOW") != NULL) {
                print_message("%s: %u operations, %u streams, %s%s%s\n", what, k->program.n_insns,
                              k->program.n_streams, k->trips != NULL ? "trips " : "",
                              k->program.counted ? "counted " : "",
                              k->program.independent ? "independent" : "");
                (void)vt_pixel_write(&k->program, stderr, NULL);
            }
            if (getenv("VITRINE_TEST_PROVE") != NULL) {
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
            made++;
            totals.kernels++;
            totals.counted += k->program.counted;
            totals.independent += k->program.independent;
            try_loop(c, what, &loops[i], k, &totals);
            vt_synth_kernel_destroy(k);
        }
        if (c->needed && made == 0) {
            print_message("%s %s: no kernel\n", how, c->name);
            missing++;
        }
    }
    print_message("%s: %u kernels of %u loops, %u counted, %u independent; %u runs and %u that "
                  "guards declined, %llu iterations\n",
                  how, totals.kernels, totals.loops, totals.counted, totals.independent,
                  totals.runs, totals.declined, (unsigned long long)totals.iterations);
    assert_int_equal(missing, 0);
}

static void test_o1(void **state)
{
    (void)state;
    try_all("-O1", loops_o1);
}

static void test_o2(void **state)
{
    (void)state;
    try_all("-O2", loops_o2);
}

static void test_o2_scalar(void **state)
{
    (void)state;
    try_all("-O2 without vectors", loops_o2_scalar);
}

static void test_o3(void **state)
{
    (void)state;
    try_all("-O3", loops_o3);
}

static void test_os(void **state)
{
    (void)state;
    try_all("-Os", loops_os);
}

/* ---------------------------------------------------------------- loops that nobody thought of */

#define MUTANTS 48u
#define RANDOM_LOOPS 300u /* VITRINE_RANDOM_LOOPS says another number */
#define RANDOM_PROVEN 8u  /* every so many of their kernels is proven; VITRINE_RANDOM_PROVEN */

static uint64_t number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static const uint8_t work_registers[] = {0, 2, 8, 9, 10, 11};

struct reasons {
    uint32_t n;
    struct {
        char why[96];
        uint32_t times;
    } reason[64];
};

/* By what follows the last colon: before it are terms. */
static void count(struct reasons *into, const char *message)
{
    const char *colon = strrchr(message, ':'), *why = colon != NULL ? colon + 1 : message;
    uint32_t i = 0;
    while (i < into->n && strncmp(into->reason[i].why, why, sizeof into->reason[i].why - 1) != 0) {
        i++;
    }
    if (i == sizeof into->reason / sizeof *into->reason) {
        return;
    }
    into->n += i == into->n;
    (void)snprintf(into->reason[i].why, sizeof into->reason[i].why, "%s", why);
    into->reason[i].times++;
}

static void show(const char *what, const struct reasons *from)
{
    for (uint32_t i = 0; i < from->n; i++) {
        print_message("%s, %u times: %s\n", what, from->reason[i].times, from->reason[i].why);
    }
}

/* Something of the program, a stream or a place is another one. False: nothing was found. */
static bool change(struct vt_synth_kernel *k)
{
    static const uint8_t same_kind[] = {VT_PIXEL_ADD, VT_PIXEL_SUB, VT_PIXEL_XOR, VT_PIXEL_OR,
                                        VT_PIXEL_AND};
    struct vt_pixel_program *p = &k->program;
    struct vt_pixel_insn *i = &p->insns[any() % p->n_insns];
    uint32_t at = (uint32_t)any();
    switch (any() % 8) {
    case 0:
        i->imm ^=
            i->op == VT_PIXEL_CONST ? UINT64_C(1) << any() % (i->bits == 0 ? 64 : i->bits) : 0;
        return i->op == VT_PIXEL_CONST;
    case 1:
        i->imm += i->op == VT_PIXEL_LOAD || i->op == VT_PIXEL_STORE ? 1 - 2 * (at & 1) : 0;
        return i->op == VT_PIXEL_LOAD || i->op == VT_PIXEL_STORE;
    case 2:
        if (memchr(same_kind, i->op, sizeof same_kind) == NULL) {
            return false;
        }
        i->op = same_kind[at % sizeof same_kind];
        return true;
    case 3:
        if (i->b == VT_PIXEL_NONE) {
            return false;
        }
        i->b = (uint32_t)(i - p->insns) > 0 ? at % (uint32_t)(i - p->insns) : i->b;
        return true;
    case 4:
        if (p->n_carries == 0) {
            return false;
        }
        p->carries[at % p->n_carries].next = (uint32_t)(any() % p->n_insns);
        return true;
    case 5:
        if (p->n_streams == 0) {
            return false;
        }
        p->streams[at % p->n_streams].stride += 1 - 2 * (int64_t)(any() & 1);
        return true;
    case 6:
        if (p->n_streams == 0) {
            return false;
        }
        k->streams[at % p->n_streams].constant += 1 - 2 * (any() & 1);
        return true;
    default:
        if (p->n_carries == 0 || k->carries[at % p->n_carries].kind != VT_PLACE_GPR) {
            return false;
        }
        k->carries[at % p->n_carries].reg = work_registers[any() % sizeof work_registers];
        return true;
    }
}

/* Whether it does something else than `k` from a state that guards let both begin in. */
static bool differs(const struct vt_synth_kernel *k, const struct vt_synth_kernel *changed)
{
    static uint8_t memory[ARENA];
    for (uint32_t i = 0; i < 4 && i < r.n; i++) {
        const struct arrival *from = &r.arrivals[any() % r.n];
        struct processor_state a = from->state, b = from->state;
        uint64_t most = 1 + any() % 5;
        memcpy(arena, from->memory, sizeof arena);
        if (k->trips != NULL) {
            uint64_t known = trips(k, &a);
            most = most < known ? most : known;
        }
        /* Fewer iterations are no difference: the guest runs the others. */
        uint64_t n = run_kernel(changed, &b, most);
        memcpy(memory, arena, sizeof arena);
        memcpy(arena, from->memory, sizeof arena);
        uint64_t m = n == 0 || n == UINT64_MAX ? UINT64_MAX : run_kernel(k, &a, n);
        if (m != UINT64_MAX &&
            (m != n || memcmp(&a, &b, sizeof a) != 0 || memcmp(memory, arena, sizeof arena) != 0)) {
            return true;
        }
    }
    return false;
}

/* Kernels that are changed, and do something else, are not proven. */
static void try_mutants(const char *what, const struct vt_synth_kernel *k, struct totals *totals)
{
    for (uint32_t i = 0; i < MUTANTS; i++) {
        static struct vt_synth_kernel changed;
        struct vt_error err;
        changed = *k;
        changed.program.insns = malloc((k->program.n_insns + 1) * sizeof *k->program.insns);
        assert_non_null(changed.program.insns);
        memcpy(changed.program.insns, k->program.insns,
               k->program.n_insns * sizeof *k->program.insns);
        changed.obligations = NULL;
        changed.n_obligations = 0;
        if (change(&changed) && vt_pixel_validate(&changed.program, NULL) == 0 &&
            differs(k, &changed)) {
            totals->mutants++;
            if (vt_synth_prove(&changed, &(struct vt_proof_options){.timeout_ms = 2000}, &err) ==
                0) {
                (void)vt_pixel_write(&k->program, stderr, NULL);
                (void)vt_pixel_write(&changed.program, stderr, NULL);
                fail_msg("%s: a changed kernel, which does something else, is proven", what);
            }
        }
        free(changed.obligations);
        free(changed.program.insns);
    }
}

static void test_random(void **state)
{
    (void)state;
    const uint64_t n = number("VITRINE_RANDOM_LOOPS", RANDOM_LOOPS),
                   step = number("VITRINE_RANDOM_PROVEN", RANDOM_PROVEN),
                   first = number("VITRINE_RANDOM_FIRST", 1);
    static struct reasons refused, unproven;
    struct totals totals = {0};
    uint32_t asked = 0, proven = 0;
    struct random_loop code;
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    for (uint64_t i = first; i < first + n; i++) {
        static struct vt_synth_loop loop;
        struct vt_synth_kernel *k;
        struct vt_error err = {0};
        char what[40];
        random_loop_make(i, &code);
        memcpy(page, code.code, sizeof code.code);
        struct processor_loop from = {.head = (uintptr_t)page + code.head, .n = 1};
        from.run[0].at = from.head;
        from.run[0].bytes = code.end - code.head;
        loop_of(&from, &loop);
        (void)snprintf(what, sizeof what, "random loop %llu", (unsigned long long)i);
        totals.loops++;
        int rc = vt_synth_make(&loop, &k, &err);
        if (rc < 0) {
            assert_int_equal(rc, VT_E_UNSUPPORTED);
            count(&refused, err.message);
            continue;
        }
        totals.kernels++;
        totals.counted += k->program.counted;
        totals.independent += k->program.independent;
        if (step != 0 && totals.kernels % step == 0) {
            rc = vt_synth_prove(k, &(struct vt_proof_options){.timeout_ms = 2000}, &err);
            asked++;
            proven += rc == 0;
            if (rc < 0) {
                print_message("%s: %s\n", what, err.message);
                count(&unproven, err.message);
            }
        }
        const struct loop_case c = {.name = "random", .run = (loop_function *)(uintptr_t)page};
        try_loop(&c, what, &from, k, &totals);
        if (k->proven && k->program.n_insns > 0) {
            try_mutants(what, k, &totals);
        }
        vt_synth_kernel_destroy(k);
    }
    munmap(page, 4096);
    show("no kernel", &refused);
    show("not proven", &unproven);
    print_message("%u kernels of %u random loops, %u of %u proven, %u counted, %u independent; %u "
                  "runs, %u refused by guards, %llu iterations; %u mutants refused\n",
                  totals.kernels, totals.loops, proven, asked, totals.counted, totals.independent,
                  totals.runs, totals.declined, (unsigned long long)totals.iterations,
                  totals.mutants);
    assert_true(3 * totals.kernels > totals.loops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_o1), cmocka_unit_test(test_o2), cmocka_unit_test(test_o2_scalar),
        cmocka_unit_test(test_o3), cmocka_unit_test(test_os), cmocka_unit_test(test_random),
    };
    const char *only = getenv("VITRINE_RANDOM_LOOPS"); /* and nothing else */
    cmocka_set_test_filter(only != NULL ? "test_random" : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
