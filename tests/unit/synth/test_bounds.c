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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
