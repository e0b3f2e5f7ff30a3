/* tests/unit/synth/test_bounds.c - how far indices may go and what must be aligned: kernels of such
 * loops are proven, and refused when they claim a little less than is needed. */
#include "tests/unit/harness.h"

#include "synth/smt.h"
#include "tests/unit/synth/small_loops.h"

static struct vt_synth_kernel *kernel(const char *hex)
{
    struct vt_test_loop of = {.name = hex, .hex = hex};
    return vt_test_kernel(&of);
}

static void is_proven(struct vt_synth_kernel *k)
{
    struct vt_error err = {0};
    if (vt_synth_prove(k, NULL, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

/* And frees it. */
static void is_refuted(struct vt_synth_kernel *k, const char *obligation)
{
    struct vt_error err = {0};
    assert_int_equal(vt_synth_prove(k, NULL, &err), VT_E_REFUSED);
    if (strncmp(err.message, obligation, strlen(obligation)) != 0) {
        fail_msg("not %s: %s", obligation, err.message);
    }
    vt_synth_kernel_destroy(k);
}

static void is_refused(const char *hex, const char *why)
{
    struct vt_synth_loop loop;
    struct vt_synth_kernel *k;
    struct vt_error err = {0};
    vt_test_loop_of(hex, &loop);
    assert_int_equal(vt_synth_make(&loop, &k, &err), VT_E_UNSUPPORTED);
    if (strstr(err.message, why) == NULL) {
        fail_msg("not because of %s: %s", why, err.message);
    }
}

static uint32_t table_of(const struct vt_synth_kernel *k)
{
    uint32_t i = 0;
    while (i < k->program.n_streams && k->program.streams[i].stride != 0) {
        i++;
    }
    assert_true(i < k->program.n_streams);
    return i;
}

/* A table of 16-bit indices to words, 256 KiB: its window is all of it. */
static void a_table_of_256_kib(void **state)
{
    (void)state;
    /* movzx eax, word [rsi]; mov eax, [rbx + rax*4]; mov [rdi], eax; add rsi, 2; add rdi, 4; cmp
     * rsi, rdx; jne */
    static const char hex[] = "0fb7068b048389074883c6024883c7044839d675eb";
    struct vt_synth_kernel *k = kernel(hex);
    const struct vt_pixel_stream *s = &k->program.streams[table_of(k)];
    assert_int_equal(s->high - s->low, 262144);
    is_proven(k);
    vt_synth_kernel_destroy(k);
    k = kernel(hex);
    k->program.streams[table_of(k)].high--;
    is_refuted(k, "access.");
}

/* The same with 18 bits is 1 MiB, the most there is. */
static void a_table_of_1_mib(void **state)
{
    (void)state;
    /* mov eax, [rsi]; and eax, 0x3ffff; mov eax, [rbx + rax*4]; mov [rdi], eax; add rsi, 4; add
     * rdi, 4; cmp rsi, rdx; jne */
    struct vt_synth_kernel *k = kernel("8b0625ffff03008b048389074883c6044883c7044839d675e7");
    const struct vt_pixel_stream *s = &k->program.streams[table_of(k)];
    assert_int_equal(s->high - s->low, 1048576);
    is_proven(k);
    vt_synth_kernel_destroy(k);
    is_refused("8b0625ffff07008b048389074883c6044883c7044839d675e7", "too far");
}

/* Without the guard nothing would be aligned. */
static void needs_alignment(const char *hex)
{
    struct vt_synth_kernel *k = kernel(hex);
    is_proven(k);
    vt_synth_kernel_destroy(k);
    k = kernel(hex);
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        n += k->aligned[i] != 0;
        k->aligned[i] = 0;
    }
    assert_int_equal(n, 1);
    is_refuted(k, "aligned.");
}

/* An inner loop that goes on by sixteens stays aligned; one that goes on by eights does not. */
static void inner_loops_that_are_aligned(void **state)
{
    (void)state;
    /* 0: xor eax, eax; pxor xmm0, xmm0; 1: paddd xmm0, [rsi + rax]; add rax, 16; cmp rax, r8; jne
     * 1b; movd [rdi], xmm0; add rsi, 256; add rdi, 4; cmp rsi, rdx; jne 0b */
    needs_alignment(
        "31c0660fefc0660ffe04064883c0104c39c075f2660f7e074881c6000100004883c7044839d675d8");
    is_refuted(
        kernel("31c0660fefc0660ffe04064883c0084c39c075f2660f7e074881c6000100004883c7044839d675d8"),
        "aligned.");
}

/* A stride that is a register is guarded with the position: with and without an inner loop. */
static void strides_that_are_aligned(void **state)
{
    (void)state;
    /* … add rsi, rcx … */
    needs_alignment("31c0660fefc0660ffe04064883c0104c39c075f2660f7e074801ce4883c7044839d675dc");
    /* paddd xmm0, [rsi]; add rsi, rcx; add rdi, 1; cmp rdi, rdx; jne */
    needs_alignment("660ffe064801ce4883c7014839d775f0");
    /* … add rsi, 8 … */
    is_refused("660ffe064883c6084839d675f3", "sixteens");
}

/* An index of a vector in a table: what is no multiple of 16 is not the kernel's. */
static void indices_that_are_aligned(void **state)
{
    (void)state;
    /* movzx eax, byte [rsi]; movdqa xmm0, [rbx + rax]; movdqu [rdi], xmm0; add rdi, 16; add rsi, 1;
     * cmp rsi, rdx; jne */
    static const char hex[] = "0fb606660f6f0403f30f7f074883c7104883c6014839d675e7";
    needs_alignment(hex);
    struct vt_synth_kernel *k = kernel(hex);
    uint32_t checks = 0;
    for (uint32_t i = 0; i < k->program.n_insns; i++) {
        struct vt_pixel_insn *insn = &k->program.insns[i];
        if (insn->op == VT_PIXEL_CHECK) { /* it holds, whatever is loaded */
            *insn = (struct vt_pixel_insn){.op = VT_PIXEL_CONST,
                                           .bits = 1,
                                           .a = VT_PIXEL_NONE,
                                           .b = VT_PIXEL_NONE,
                                           .c = VT_PIXEL_NONE};
            checks++;
        }
    }
    assert_int_not_equal(checks, 0);
    assert_null(k->trips);
    struct vt_error err = {0};
    assert_int_equal(vt_synth_prove(k, NULL, &err), VT_E_REFUSED);
    vt_synth_kernel_destroy(k);
}

/* AVX's vectors of 256 bits are aligned to 32: less is not enough. */
static void vectors_that_are_aligned_to_32(void **state)
{
    (void)state;
    /* vmovdqa ymm0, [rsi]; vpaddd ymm1, ymm1, ymm0; add rsi, 32; cmp rsi, rdx; jne */
    static const char hex[] = "c5fd6f06c5f5fec84883c6204839d675ef";
    needs_alignment(hex);
    struct vt_synth_kernel *k = kernel(hex);
    assert_int_equal(k->aligned[0], 32);
    k->aligned[0] = 16;
    is_refuted(k, "aligned.");
    /* … add rsi, 16 … */
    is_refused("c5fd6f06c5f5fec84883c6104839d675ef", "aligned");
}

/* An instruction of AVX clears what is above 128 bits, one of SSE leaves it; the former is aligned
 * to nothing. */
static void upper_halves(void **state)
{
    (void)state;
    /* [v]paddd xmm1, [xmm1,] [rsi]; add rsi, 16; cmp rsi, rdx; jne */
    static const struct {
        const char *hex;
        uint32_t carries;
        uint8_t aligned;
    } all[] = {{"c5f1fe0e4883c6104839d675f3", 2, 0}, {"660ffe0e4883c6104839d675f3", 0, 16}};
    for (unsigned i = 0; i < 2; i++) {
        struct vt_synth_kernel *k = kernel(all[i].hex);
        uint32_t found = 0, last = 0;
        assert_int_equal(vt_synth_loop_wants_avx(&k->loop), i == 0);
        assert_int_equal(k->aligned[0], all[i].aligned);
        is_proven(k);
        for (uint32_t c = 0; c < k->program.n_carries; c++) {
            bool upper =
                k->carries[c].kind == VT_PLACE_YMM_LOW || k->carries[c].kind == VT_PLACE_YMM_HIGH;
            found += upper;
            last = upper ? c : last;
        }
        assert_int_equal(found, all[i].carries);
        if (found != 0) { /* another register's is cleared, or so it claims */
            k->carries[last].reg = 2;
            is_refuted(k, "after.ymm1.high");
        } else {
            vt_synth_kernel_destroy(k);
        }
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
        cmocka_unit_test(a_table_of_256_kib),
        cmocka_unit_test(a_table_of_1_mib),
        cmocka_unit_test(inner_loops_that_are_aligned),
        cmocka_unit_test(strides_that_are_aligned),
        cmocka_unit_test(indices_that_are_aligned),
        cmocka_unit_test(vectors_that_are_aligned_to_32),
        cmocka_unit_test(upper_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
