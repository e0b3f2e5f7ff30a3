/* tests/unit/synth/test_equal.c - pointers that are so far from rsp in one state are taken to be it
 * in a kernel that runs in such states alone: proven, written and read again, and refused where
 * nothing keeps other states out, or where an iteration does not leave it so. */
#include "tests/unit/harness.h"

#include "synth/smt.h"
#include "tests/unit/synth/run_kernel.h"
#include "tests/unit/synth/small_loops.h"

static const struct vt_proof_options quick = {.timeout_ms = 20000};

static uint64_t words[64]; /* rsp is &words[32] */
static const struct run_memory memory = {NULL, UINT64_C(1) << 47};

/* mov [rcx], rax; add rax, [rsp + 8]; inc rax; dec rdx; jnz */
#define TWICE "488901480344240848ffc048ffca75f0"
/* The same with rcx loaded from [rsp - 8] first. */
#define IN_MEMORY "488b4c24f8488901480344240848ffc048ffca75eb"
/* The same, but up to a byte that is 0: add rsi, 1; cmp byte [rsi], 0; jne */
#define UP_TO_ZERO "488901480344240848ffc6803e0075f0"
/* mov rax, rcx; 1: mov [rax], rdi; add rax, 8; cmp rdx, rax; jne 1b; add rdi, [rsp + 40]; dec rsi;
 * jnz */
#define FILLED "4889c84889384883c0084839c275f448037c242848ffce75e7"
/* xor eax, eax; 1: mov [r8 + rax * 8], rdi; inc rax; cmp rdx, rax; jne 1b; add rdi, 3; dec rsi; jnz
 */
#define COUNTED "31c049893cc048ffc04839c275f44883c70348ffce75e9"
/* mov [rcx], rax; add rax, rsp; add rcx, 8; dec rdx; jnz */
#define GOES_ON "4889014801e04883c10848ffca75f1"

static bool read_words(void *arg, uint64_t address, void *to, size_t bytes)
{
    (void)arg;
    uint64_t at = address - (uintptr_t)words;
    if (at > sizeof words - bytes) {
        return false;
    }
    memcpy(to, (const uint8_t *)words + at, bytes);
    return true;
}

/* rcx and what lies at rsp - 8 are rsp + 8, rdx is rsp + 48. */
static struct processor_state state_of(uint64_t trips)
{
    struct processor_state s = {0};
    memset(words, 0, sizeof words);
    s.r[RSP] = (uintptr_t)(words + 32);
    s.r[RCX] = s.r[RSP] + 8;
    s.r[RAX] = 5;
    s.r[RDX] = trips;
    words[31] = s.r[RCX];
    return s;
}

static struct vt_synth_kernel *kernel_at(const char *hex, const struct processor_state *s)
{
    struct vt_synth_state at = {.read = read_words};
    struct vt_synth_loop loop;
    struct vt_synth_kernel *k;
    struct vt_error err;
    memcpy(at.r, s->r, sizeof at.r);
    vt_test_loop_of(hex, &loop);
    if (vt_synth_make_at(&loop, &at, &k, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return k;
}

static void assert_proven(struct vt_synth_kernel *k)
{
    struct vt_error err;
    if (vt_synth_prove(k, &quick, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void assert_refused(struct vt_synth_kernel *k, const char *why)
{
    struct vt_error err;
    assert_int_equal(vt_synth_prove(k, &quick, &err), VT_E_REFUSED);
    if (strncmp(err.message, why, strlen(why)) != 0) {
        fail_msg("%s", err.message);
    }
    assert_false(k->proven);
}

/* A variable that is stored by one register and loaded by another is one variable. */
static void two_registers_of_one_variable(void **state)
{
    (void)state;
    static const char *const loops[] = {TWICE, IN_MEMORY};
    for (unsigned i = 0; i < 2; i++) {
        struct processor_state s = state_of(9);
        struct vt_synth_kernel *k = kernel_at(loops[i], &s);
        assert_int_equal(k->n_equal, 1);
        assert_proven(k);
        assert_int_equal(run_trips(k, &memory, &s), 8);
        assert_int_equal(run_kernel(k, &memory, &s, 8, NULL), 8);
        uint64_t a = 5, b = 0;
        for (unsigned n = 0; n < 8; n++) {
            b = a;
            a += b + 1;
        }
        assert_int_equal(s.r[RAX], a);
        assert_int_equal(words[33], b);
        vt_synth_kernel_destroy(k);
    }
}

/* Where the pointer is another one there are no trips. */
static void elsewhere_it_does_not_run(void **state)
{
    (void)state;
    static const char *const loops[] = {TWICE, IN_MEMORY};
    for (unsigned i = 0; i < 2; i++) {
        struct processor_state s = state_of(9);
        struct vt_synth_kernel *k = kernel_at(loops[i], &s);
        s.r[RCX] += 8;
        words[31] += 8;
        assert_int_equal(run_trips(k, &memory, &s), 0);
        vt_synth_kernel_destroy(k);
    }
}

/* Where it is not known how many iterations come back, the first thing that happens is a check. */
static void without_trips_it_is_checked(void **state)
{
    (void)state;
    struct processor_state s = state_of(0), other;
    s.r[RSI] = (uintptr_t)words;
    memset(words, 1, 20);
    struct vt_synth_kernel *k = kernel_at(UP_TO_ZERO, &s);
    assert_int_equal(k->n_equal, 1);
    assert_null(k->trips);
    assert_proven(k);
    other = s;
    assert_int_equal(run_kernel(k, &memory, &s, 30, NULL), 19);
    assert_int_not_equal(words[33], 0);
    words[33] = 0;
    other.r[RCX] += 8;
    assert_int_equal(run_kernel(k, &memory, &other, 30, NULL), 0);
    assert_int_equal(words[33] | words[34], 0);
    vt_synth_kernel_destroy(k);
}

/* An inner loop that stores, from one pointer into the stack to another, is its trips. */
static void a_loop_between_two_pointers_is_unrolled(void **state)
{
    (void)state;
    struct vt_synth_loop loop;
    struct vt_synth_kernel *k;
    struct processor_state s = state_of(0);
    s.r[RDX] = s.r[RSP] + 48;
    s.r[RSI] = 5;
    s.r[RDI] = 3;
    vt_test_loop_of(FILLED, &loop);
    assert_int_equal(vt_synth_make(&loop, &k, NULL), VT_E_UNSUPPORTED);
    k = kernel_at(FILLED, &s);
    assert_int_equal(k->n_equal, 2);
    assert_int_equal(k->program.n_loops, 0);
    assert_proven(k);
    assert_int_equal(run_trips(k, &memory, &s), 4);
    assert_int_equal(run_kernel(k, &memory, &s, 4, NULL), 4);
    assert_int_equal(s.r[RDI], 3 << 4);
    for (unsigned i = 33; i < 38; i++) {
        assert_int_equal(words[i], 3 << 3);
    }
    assert_int_equal(words[38], 0);
    s.r[RDX] -= 8; /* another end */
    assert_int_equal(run_trips(k, &memory, &s), 0);
    vt_synth_kernel_destroy(k);
}

/* So is one up to a number in a register, while it is that number. */
static void a_loop_up_to_a_number_is_unrolled(void **state)
{
    (void)state;
    struct processor_state s = state_of(4);
    s.r[RSI] = 5;
    s.r[RDI] = 3;
    s.r[R8] = (uintptr_t)words;
    struct vt_synth_kernel *k = kernel_at(COUNTED, &s);
    assert_int_equal(k->n_equal, 1);
    assert_int_equal(k->equal[0].sum.n, 0);
    assert_proven(k);
    assert_int_equal(run_kernel(k, &memory, &s, run_trips(k, &memory, &s), NULL), 4);
    assert_int_equal(s.r[RDI], 3 + 4 * 3);
    assert_int_equal(words[3], 3 + 3 * 3);
    assert_int_equal(words[4], 0);
    s.r[RSI] = 5;
    s.r[RDX] = 5;
    assert_int_equal(run_trips(k, &memory, &s), 0);
    vt_synth_kernel_destroy(k);
}

/* What is written is read again, and proven again; without its equalities it is not. */
static void files_keep_it(void **state)
{
    struct processor_state s = state_of(9);
    struct vt_synth_kernel *k = kernel_at(IN_MEMORY, &s), *again;
    char path[4096];
    struct vt_error err;
    assert_proven(k);
    assert_int_equal(vt_synth_save(k, *state, path, sizeof path, &err), 0);
    assert_int_equal(vt_synth_load(path, &again, &err), 0);
    assert_int_equal(again->n_equal, 1);
    assert_int_equal(again->equal[0].place.kind, VT_PLACE_CELL);
    assert_int_equal(vt_synth_verify(again, &quick, &err), 0);
    again->n_equal = 0;
    assert_int_equal(vt_synth_prove(again, &quick, &err), VT_E_REFUSED);
    vt_synth_kernel_destroy(again);
    vt_synth_kernel_destroy(k);
}

/* Trips or checks that let other states in, and claims of something else, are refused. */
static void what_is_not_guarded_is_refused(void **state)
{
    (void)state;
    struct processor_state s = state_of(9);
    struct vt_synth_kernel *k = kernel_at(TWICE, &s);
    struct vt_pixel_insn *last = &k->trips->insns[k->trips->n_insns - 1];
    assert_int_equal(last->op, VT_PIXEL_SELECT);
    *last = (struct vt_pixel_insn){
        .op = VT_PIXEL_OR, .bits = 64, .a = last->a, .b = last->a, .c = VT_PIXEL_NONE};
    assert_refused(k, "equal.0.guarded");
    vt_synth_kernel_destroy(k);

    k = kernel_at(TWICE, &s);
    k->equal[0].sum.constant = 16;
    assert_int_equal(vt_synth_prove(k, &quick, NULL), VT_E_REFUSED);
    vt_synth_kernel_destroy(k);

    s.r[RSI] = (uintptr_t)words;
    k = kernel_at(UP_TO_ZERO, &s);
    uint32_t checks = 0;
    for (uint32_t i = 0; i < k->program.n_insns; i++) {
        struct vt_pixel_insn *insn = &k->program.insns[i];
        if (insn->op == VT_PIXEL_CHECK && checks++ == 0) { /* it says nothing now */
            *insn = (struct vt_pixel_insn){.op = VT_PIXEL_CONST,
                                           .bits = 8,
                                           .a = VT_PIXEL_NONE,
                                           .b = VT_PIXEL_NONE,
                                           .c = VT_PIXEL_NONE};
        }
    }
    assert_int_equal(checks, 2);
    assert_refused(k, "equal.0.guarded");
    vt_synth_kernel_destroy(k);
}

static uint32_t input_of(const struct vt_synth_kernel *k, uint8_t reg)
{
    uint32_t n = k->program.n_inputs + k->program.n_carries, i = 0;
    while (i < n &&
           (i < k->program.n_inputs ? k->inputs[i] : k->carries[i - k->program.n_inputs]).reg !=
               reg) {
        i++;
    }
    assert_int_not_equal(i, n);
    return i;
}

static uint32_t emit(struct vt_pixel_program *p, uint8_t op, uint8_t bits, uint32_t a, uint32_t b,
                     uint32_t c, uint64_t imm)
{
    return vt_pixel_emit(
        p, (struct vt_pixel_insn){.op = op, .bits = bits, .a = a, .b = b, .c = c, .imm = imm});
}

/* It is so at the head, the trips ask for it, and after one iteration it is not so any more. */
static void what_does_not_stay_is_refused(void **state)
{
    (void)state;
    const uint32_t none = VT_PIXEL_NONE;
    struct vt_synth_loop loop;
    struct vt_synth_kernel *k;
    vt_test_loop_of(GOES_ON, &loop);
    assert_int_equal(vt_synth_make(&loop, &k, NULL), 0);
    struct vt_pixel_program *t = k->trips;
    uint32_t trips = t->n_insns - 1;
    uint32_t rsp = emit(t, VT_PIXEL_INPUT, 64, none, none, none, input_of(k, RSP));
    uint32_t rcx = emit(t, VT_PIXEL_INPUT, 64, none, none, none, input_of(k, RCX));
    uint32_t there =
        emit(t, VT_PIXEL_ADD, 64, rsp, emit(t, VT_PIXEL_CONST, 64, none, none, none, 8), none, 0);
    uint32_t so = emit(t, VT_PIXEL_EQ, 1, rcx, there, none, 0);
    uint32_t one =
        emit(t, VT_PIXEL_AND, 64, trips, emit(t, VT_PIXEL_CONST, 64, none, none, none, 1), none, 0);
    emit(t, VT_PIXEL_SELECT, 64, one, emit(t, VT_PIXEL_CONST, 64, none, none, none, 0), so, 0);
    assert_proven(k);
    k->equal[k->n_equal++] = (struct vt_equal){.place = {.kind = VT_PLACE_GPR, .reg = RCX},
                                               .sum = {.constant = 8, .n = 1, .part = {{RSP, 1}}}};
    assert_refused(k, "equal.0.stays");
    vt_synth_kernel_destroy(k);
}

/* An equality of what is no place, of itself, or of another equality's place is none. */
static void what_is_no_equality_is_refused(void **state)
{
    (void)state;
    struct processor_state s = state_of(9);
    for (unsigned i = 0; i < 5; i++) {
        struct vt_synth_kernel *k = kernel_at(IN_MEMORY, &s);
        k->equal[1] = k->equal[0];
        k->n_equal = i == 0 || i == 4 ? 2 : 1;
        switch (i) {
        case 1:
            k->equal[0].place.address.constant += 8;
            break;
        case 2:
            k->equal[0].place = (struct vt_place){.kind = VT_PLACE_GPR, .reg = RSP};
            break;
        case 3:
            k->equal[0].place = (struct vt_place){.kind = VT_PLACE_XMM_LOW};
            break;
        case 4:
            k->equal[1].place = (struct vt_place){.kind = VT_PLACE_GPR, .reg = RSP};
            break;
        default:
            break;
        }
        assert_int_equal(vt_synth_prove(k, &quick, NULL), VT_E_CORRUPT);
        vt_synth_kernel_destroy(k);
    }
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_registers_of_one_variable),
        cmocka_unit_test(elsewhere_it_does_not_run),
        cmocka_unit_test(without_trips_it_is_checked),
        cmocka_unit_test(a_loop_between_two_pointers_is_unrolled),
        cmocka_unit_test(a_loop_up_to_a_number_is_unrolled),
        vt_test_in_dir(files_keep_it),
        cmocka_unit_test(what_is_not_guarded_is_refused),
        cmocka_unit_test(what_does_not_stay_is_refused),
        cmocka_unit_test(what_is_no_equality_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
