/* tests/unit/synth/test_trips.c - counters as compilers and kernels have them are counted: 8, 16,
 * 32 and 64 bits wide, up, down, by more than one, signed or not, to a number, a register or a
 * variable. Each number is proven, and is as large as it can be where the step is a power of two.
 */
#include "tests/unit/harness.h"

#include "synth/smt.h"
#include "tests/unit/synth/small_loops.h"

static const struct vt_proof_options quick = {.timeout_ms = 20000};

struct row {
    const char *name, *hex;
    uint64_t rcx, rdx, rdi, rsi;
    uint64_t trips; /* iterations that come back from there */
};

#define FILL "4889074883c708" /* mov [rdi], rax; add rdi, 8 */
#define FAR UINT64_C(0xabcdef0100000000)

static const struct row rows[] = {
    {"dec ecx; jnz", FILL "ffc975f5", FAR | 64, 0, 0, 0, 63},
    {"dec ecx; jnz, from 0", FILL "ffc975f5", FAR, 0, 0, 0, UINT32_MAX},
    {"dec ecx first, as clear_page has it", "ffc948890748894708488d7f4075f1", 64, 0, 0, 0, 63},
    {"sub edx, 1; jne", FILL "83ea0175f4", 0, FAR | 7, 0, 0, 6},
    {"sub edx, 4; jne", FILL "83ea0475f4", 0, 32, 0, 0, 7},
    {"dec cl; jnz", FILL "fec975f5", 0x1205, 0, 0, 0, 4},
    {"inc cx; cmp cx, dx; jne", FILL "66ffc16639d175f1", 0x5fffe, 0x70003, 0, 0, 4},
    {"inc ecx; cmp cl, 100; jne", FILL "ffc180f96475f2", 0x12f0, 0, 0, 0, 115},
    {"inc ecx; cmp ecx, edx; jl", FILL "ffc139d17cf3", 0xfffffffd, 4, 0, 0, 6},
    {"sub ecx, 8; cmp ecx, 7; ja", FILL "83e90883f90777f1", 41, 0, 0, 0, 4},
    {"dec ecx; jns", FILL "ffc979f5", 9, 0, 0, 0, 9},
    {"sub rcx, 64; jns", FILL "4883e94079f3", 640, 0, 0, 0, 10},
    {"sub ecx, 64; cmp ecx, 64; jae", FILL "83e94083f94073f1", 640, 0, 0, 0, 9},
    {"loop", FILL "e2f7", 12, 0, 0, 0, 11},
    {"cmp rsi, rdi; jne", FILL "4839fe75f4", 0, 0, 0x1000, 0x1040, 7},
    {"cmp rsi, r8; je out; dec ecx; jnz", "89164883c6044939f07404ffc975f1", 5, 0, 0, 4000, 4},
};

/* r8 is 4444. */
static uint64_t trips_of(const struct vt_synth_kernel *k, const struct row *row)
{
    const uint64_t r[16] = {
        [RCX] = row->rcx, [RDX] = row->rdx, [RSI] = row->rsi, [RDI] = row->rdi, [R8] = 4444};
    struct vt_pixel_program p = *k->trips;
    uint64_t inputs[VT_PIXEL_INPUTS_MAX], number = 0;
    p.n_carries = 1;
    p.carries[0] = (struct vt_pixel_carry){
        .name = "number", .bits = 64, .next = p.n_insns - 1, .kind = VT_PIXEL_LAST};
    for (uint32_t i = 0; i < p.n_inputs; i++) {
        const struct vt_place *place =
            i < k->program.n_inputs ? &k->inputs[i] : &k->carries[i - k->program.n_inputs];
        assert_int_equal(place->kind, VT_PLACE_GPR);
        uint8_t bits = p.inputs[i].bits;
        inputs[i] = bits == 64 ? r[place->reg] : r[place->reg] & ((UINT64_C(1) << bits) - 1);
    }
    assert_int_equal(vt_pixel_validate(&p, NULL), 0);
    uint8_t *none[1] = {NULL};
    const struct vt_pixel_call call = {
        .count = 1, .inputs = inputs, .carries = &number, .streams = none};
    assert_int_equal(vt_pixel_interpret(&p, &call), 1);
    return number;
}

static void counters_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct vt_test_loop of = {.name = rows[i].name, .hex = rows[i].hex};
        struct vt_synth_kernel *k = vt_test_kernel(&of);
        struct vt_error err;
        if (k->trips == NULL) {
            fail_msg("%s: not counted", rows[i].name);
        }
        uint64_t trips = trips_of(k, &rows[i]);
        if (trips != rows[i].trips) {
            fail_msg("%s: %llu iterations, not %llu", rows[i].name, (unsigned long long)trips,
                     (unsigned long long)rows[i].trips);
        }
        if (vt_synth_prove(k, &quick, &err) != 0) {
            fail_msg("%s: %s", rows[i].name, err.message);
        }
        vt_synth_kernel_destroy(k);
    }
}

/* A way out that depends on what is loaded has no number. */
static void data_is_not_counted(void **state)
{
    (void)state;
    /* mov eax, [rdi]; test eax, eax; je out; mov [rsi], edx; add rdi, 4; add rsi, 4; dec ecx; jnz
     */
    const struct vt_test_loop of = {.name = "two ways out",
                                    .hex = "8b0785c0740e89164883c7044883c604ffc975ec"};
    struct vt_synth_kernel *k = vt_test_kernel(&of);
    assert_null(k->trips);
    vt_synth_kernel_destroy(k);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(counters_are_counted),
                                       cmocka_unit_test(data_is_not_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
