/* tests/unit/hybrid/test_mode.c - each bit of a vCPU's mode that kernels mind, by itself: what runs
 * nothing, and what a kernel of the guest may touch.
 */
#include "tests/unit/harness.h"

#include "plugins/hybrid/machine.h"

/* A program under Linux, as QEMU has it. */
static const struct vt_mode program = {.hflags = 0x0440c0b3,
                                       .df = 1,
                                       .eflags = 0x202,
                                       .cr0 = 0x80050033,
                                       .cr3 = 0x123000,
                                       .cr4 = 0x3506f0};

static int mode_of(const struct vt_mode *m, enum vt_vectors vectors)
{
    struct vt_paging p = {0};
    return vt_mode_of(m, vectors, &p);
}

static void each_bit_has_a_say(void **state)
{
    (void)state;
    static const struct {
        uint32_t hflags;
        uint64_t eflags, cr0, cr4; /* exchanged */
        int32_t df;
        int all, vectors;
    } rows[] = {
        {0, 0, 0, 0, 1, VT_GOES, VT_GOES},
        {1 << 3, 0, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE},  /* behind STI or MOV SS */
        {1 << 7, 0, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE},  /* no protection */
        {1 << 14, 0, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* no long mode */
        {1 << 15, 0, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* code of 32 bits in it */
        {1 << 19, 0, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* SMM */
        {1 << 21, 0, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* a guest of the guest */
        {0, 1 << 8, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE},  /* TF: steps one by one */
        {0, 1 << 9, 0, 0, 1, VT_GOES, VT_GOES},                /* IF */
        {0, 1 << 18, 0, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* AC, with AM: aligned alone */
        {0, 1 << 18, 1 << 18, 0, 1, VT_GOES, VT_GOES},         /* AC without AM */
        {0, 0, UINT64_C(1) << 31, 0, 1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* no paging */
        {0, 0, 1 << 2, 0, 1, VT_GOES, VT_HYBRID_MODE},                   /* EM */
        {0, 0, 1 << 3, 0, 1, VT_GOES, VT_HYBRID_MODE},    /* TS: vectors are another's */
        {0, 0, 0, 1 << 9, 1, VT_GOES, VT_HYBRID_MODE},    /* no OSFXSR */
        {0, 0, 0, 0, -1, VT_HYBRID_MODE, VT_HYBRID_MODE}, /* DF */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vt_mode m = program;
        m.hflags ^= rows[i].hflags;
        m.eflags ^= rows[i].eflags;
        m.cr0 ^= rows[i].cr0;
        m.cr4 ^= rows[i].cr4;
        m.df = rows[i].df;
        assert_int_equal(mode_of(&m, VT_NO_VECTORS), rows[i].all);
        assert_int_equal(mode_of(&m, VT_SSE), rows[i].vectors);
        /* AVX wants what SSE wants, and to be enabled. */
        assert_int_equal(mode_of(&m, VT_AVX), VT_HYBRID_MODE);
        m.hflags |= (uint32_t)1 << 28;
        assert_int_equal(mode_of(&m, VT_AVX), rows[i].vectors);
    }
}

static void what_may_be_touched(void **state)
{
    (void)state;
    struct vt_mode m = program;
    struct vt_paging p = {0};
    assert_int_equal(vt_mode_of(&m, VT_NO_VECTORS, &p), VT_GOES);
    assert_true(p.root == 0x123000 && p.user && p.user_pages && !p.five);
    assert_true(!p.user_keys && !p.kernel_keys);
    m.hflags &= ~3U; /* the kernel under SMAP */
    assert_int_equal(vt_mode_of(&m, VT_NO_VECTORS, &p), VT_GOES);
    assert_true(!p.user && !p.user_pages);
    m.eflags |= 1 << 18; /* between STAC and CLAC; AM is for programs */
    assert_int_equal(vt_mode_of(&m, VT_NO_VECTORS, &p), VT_GOES);
    assert_true(!p.user && p.user_pages);
    m.eflags &= ~(UINT64_C(1) << 18);
    m.cr4 &= ~(UINT64_C(1) << 21); /* without SMAP */
    assert_int_equal(vt_mode_of(&m, VT_NO_VECTORS, &p), VT_GOES);
    assert_true(!p.user && p.user_pages);
    m.cr4 |= 1 << 12 | 1 << 22;
    assert_int_equal(vt_mode_of(&m, VT_NO_VECTORS, &p), VT_GOES);
    assert_true(p.five && p.user_keys && !p.kernel_keys);
    m.cr4 ^= 1 << 22 | 1 << 24;
    assert_int_equal(vt_mode_of(&m, VT_NO_VECTORS, &p), VT_GOES);
    assert_true(!p.user_keys && p.kernel_keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bit_has_a_say),
        cmocka_unit_test(what_may_be_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
