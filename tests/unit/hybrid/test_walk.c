/* tests/unit/hybrid/test_walk.c - the page walk of plugins/hybrid: what it finds, and each reason
 * for which it finds nothing.
 */
#include "tests/unit/harness.h"

#include "fake_guest.h"

#include <string.h>

#define VA UINT64_C(0x7f1234567000)
#define TOP UINT64_C(0xffff888000200000)

static int walk_at(const struct fake_guest *g, uint64_t va, enum vt_access access,
                   struct vt_page *page)
{
    struct vt_walk_cache cache = {0};
    return vt_walk(&g->m, &g->p, &cache, va, access, page);
}

static int walk(const struct fake_guest *g, uint64_t va, enum vt_access access)
{
    struct vt_page page;
    return walk_at(g, va, access, &page);
}

static void finds_pages(void **state)
{
    (void)state;
    for (int five = 0; five < 2; five++) {
        struct fake_guest g;
        struct vt_page page;
        fake_init(&g, five);
        fake_map(&g, VA, 7, FAKE_ALL);
        assert_int_equal(walk_at(&g, VA + 5, VT_WRITES, &page), VT_GOES);
        assert_true(page.va == VA && page.bytes == 4096 && page.host == fake_page(&g, 7));
        uint64_t high = five ? UINT64_C(0xff00000000000000) : UINT64_C(0xffff800000000000);
        g.p.user = false;
        fake_map(&g, high, 8, P | W | A | D);
        assert_int_equal(walk_at(&g, high + 4095, VT_EXECUTES, &page), VT_GOES);
        assert_true(page.host == fake_page(&g, 8));
        fake_fini(&g);
    }
}

static void large_pages_end_with_ram(void **state)
{
    (void)state;
    struct fake_guest g;
    struct vt_page page;
    fake_init(&g, false);
    g.p.user = false;
    /* 2 MiB at guest-physical 2 MiB; the one at 0 begins with what is no RAM. */
    *fake_entry(&g, TOP, 2) = 0x200000 | P | W | A | D | PS;
    *fake_entry(&g, TOP + 0x200000, 2) = 0 | P | W | A | D | PS;
    assert_int_equal(walk_at(&g, TOP + 0x1234, VT_WRITES, &page), VT_GOES);
    assert_true(page.va == TOP && page.bytes == 0x200000 && page.host == fake_page(&g, 256));
    assert_int_equal(walk_at(&g, TOP + 0x300000 + 9, VT_WRITES, &page), VT_GOES);
    assert_true(page.va == TOP + 0x300000 && page.bytes == 0x100000 && page.host == g.m.base);
    assert_int_equal(walk(&g, TOP + 0x200000, VT_READS), VT_HYBRID_NOT_RAM);
    /* 1 GiB of which RAM is a part. */
    *fake_entry(&g, UINT64_C(0xffff900000000000), 3) = 0 | P | W | A | D | PS;
    assert_int_equal(walk_at(&g, UINT64_C(0xffff900000123456), VT_READS, &page), VT_GOES);
    assert_true(page.va == UINT64_C(0xffff900000100000) && page.bytes == g.m.bytes &&
                page.host == g.m.base);
    assert_int_equal(walk(&g, UINT64_C(0xffff900000100000) + g.m.bytes, VT_READS),
                     VT_HYBRID_NOT_RAM);
    *fake_entry(&g, UINT64_C(0xffff900000000000), 3) |= 1 << 13; /* reserved; 1 << 12 is not */
    assert_int_equal(walk(&g, UINT64_C(0xffff900000123456), VT_READS), VT_HYBRID_PROTECTED);
    *fake_entry(&g, TOP, 2) |= 1 << 12;
    assert_int_equal(walk(&g, TOP, VT_READS), VT_GOES);
    *fake_entry(&g, TOP, 2) |= 1 << 20;
    assert_int_equal(walk(&g, TOP, VT_READS), VT_HYBRID_PROTECTED);
    /* No entry of the topmost table is a page. */
    *fake_entry(&g, UINT64_C(0xffffa00000000000), 4) = 0x200000 | P | W | A | D | PS;
    assert_int_equal(walk(&g, UINT64_C(0xffffa00000000000), VT_READS), VT_HYBRID_PROTECTED);
    fake_fini(&g);
}

static void each_level_has_a_say(void **state)
{
    (void)state;
    struct fake_guest g;
    fake_init(&g, false);
    fake_map(&g, VA, 7, FAKE_ALL);
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *entry = fake_entry(&g, VA, level), before = *entry;
        static const struct {
            uint64_t without, with;
            int reads, writes, executes;
        } rows[] = {
            {P, 0, VT_HYBRID_ABSENT, VT_HYBRID_ABSENT, VT_HYBRID_ABSENT},
            {A, 0, VT_HYBRID_ABSENT, VT_HYBRID_ABSENT, VT_HYBRID_ABSENT},
            {W, 0, VT_GOES, VT_HYBRID_PROTECTED, VT_GOES},
            {U, 0, VT_HYBRID_PROTECTED, VT_HYBRID_PROTECTED, VT_HYBRID_PROTECTED},
            {0, NX, VT_GOES, VT_GOES, VT_HYBRID_PROTECTED},
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            *entry = (before & ~rows[i].without) | rows[i].with;
            assert_int_equal(walk(&g, VA, VT_READS), rows[i].reads);
            assert_int_equal(walk(&g, VA, VT_WRITES), rows[i].writes);
            assert_int_equal(walk(&g, VA, VT_EXECUTES), rows[i].executes);
        }
        *entry = UINT64_C(0x7f0000000) | (before & 0xfff); /* beyond RAM */
        assert_int_equal(walk(&g, VA, VT_READS), VT_HYBRID_NOT_RAM);
        *entry = before;
    }
    uint64_t *leaf = fake_entry(&g, VA, 1);
    *leaf &= ~(uint64_t)D;
    assert_int_equal(walk(&g, VA, VT_READS), VT_GOES);
    assert_int_equal(walk(&g, VA, VT_WRITES), VT_HYBRID_CLEAN);
    *leaf |= D | UINT64_C(3) << 59; /* a protection key */
    assert_int_equal(walk(&g, VA, VT_WRITES), VT_GOES);
    g.p.kernel_keys = true; /* are for the kernel's pages */
    assert_int_equal(walk(&g, VA, VT_READS), VT_GOES);
    g.p.user_keys = true;
    assert_int_equal(walk(&g, VA, VT_READS), VT_HYBRID_PROTECTED);
    fake_fini(&g);
}

/* What a kernel may do with pages of programs, and programs with the kernel's. */
static void privileges_are_kept_apart(void **state)
{
    (void)state;
    struct fake_guest g;
    const uint64_t kernels = VA + VT_PAGE_BYTES;
    fake_init(&g, false);
    fake_map(&g, VA, 7, FAKE_ALL);
    fake_map(&g, kernels, 8, FAKE_ALL & ~(uint64_t)U);
    assert_int_equal(walk(&g, kernels, VT_READS), VT_HYBRID_PROTECTED);
    g.p.user = g.p.user_pages = false;
    assert_int_equal(walk(&g, kernels, VT_WRITES), VT_GOES);
    assert_int_equal(walk(&g, VA, VT_READS), VT_HYBRID_PROTECTED);
    assert_int_equal(walk(&g, VA, VT_WRITES), VT_HYBRID_PROTECTED);
    g.p.user_pages = true;
    assert_int_equal(walk(&g, VA, VT_READS), VT_GOES);
    assert_int_equal(walk(&g, VA, VT_WRITES), VT_GOES);
    assert_int_equal(walk(&g, VA, VT_EXECUTES), VT_HYBRID_PROTECTED);
    *fake_entry(&g, VA, 1) &= ~(uint64_t)W;
    assert_int_equal(walk(&g, VA, VT_WRITES), VT_HYBRID_PROTECTED);
    *fake_entry(&g, VA, 1) |= UINT64_C(5) << 59;
    *fake_entry(&g, kernels, 1) |= UINT64_C(5) << 59;
    g.p.user_keys = true; /* a kernel minds the keys of programs' pages, too */
    assert_int_equal(walk(&g, VA, VT_READS), VT_HYBRID_PROTECTED);
    assert_int_equal(walk(&g, kernels, VT_READS), VT_GOES);
    g.p.kernel_keys = true;
    assert_int_equal(walk(&g, kernels, VT_READS), VT_HYBRID_PROTECTED);
    fake_fini(&g);
}

static void addresses_that_are_none(void **state)
{
    (void)state;
    struct fake_guest g;
    fake_init(&g, false);
    fake_map(&g, VA, 7, FAKE_ALL);
    assert_int_equal(walk(&g, VA | UINT64_C(1) << 47, VT_READS), VT_HYBRID_ADDRESS);
    assert_int_equal(walk(&g, VA | UINT64_C(1) << 63, VT_READS), VT_HYBRID_ADDRESS);
    assert_int_equal(walk(&g, UINT64_C(0x800000000000), VT_READS), VT_HYBRID_ADDRESS);
    g.p.root = UINT64_C(0xfffffffffffff000);
    assert_int_equal(walk(&g, VA, VT_READS), VT_HYBRID_NOT_RAM);
    fake_fini(&g);
}

static void a_cache_says_the_same(void **state)
{
    (void)state;
    struct fake_guest g;
    struct vt_walk_cache cache = {0};
    fake_init(&g, false);
    for (uint32_t i = 0; i < 1024; i++) {
        fake_map(&g, VA + i * VT_PAGE_BYTES, i % 900,
                 i % 7 == 0   ? P | U | A
                 : i % 5 == 0 ? FAKE_ALL & ~(uint64_t)D
                              : FAKE_ALL);
    }
    *fake_entry(&g, VA + 0x200000, 2) &= ~(uint64_t)W;
    for (uint32_t i = 0; i < 4000; i++) {
        uint64_t va = VA + i * 977u % 1024 * VT_PAGE_BYTES + i;
        enum vt_access access = (enum vt_access)(i % 3);
        struct vt_page a = {0}, b = {0};
        assert_int_equal(vt_walk(&g.m, &g.p, &cache, va, access, &a), walk_at(&g, va, access, &b));
        assert_memory_equal(&a, &b, sizeof a);
    }
    fake_fini(&g);
}

static void ranges_are_checked(void **state)
{
    (void)state;
    struct vt_memory m = {.bytes = 0x100000};
    const struct vt_hybrid_range bad[] = {
        {0x100000, 0x1000, 0x100000}, {0x100000, 0x101000, 0},   {0x100001, 0x1000, 0},
        {0x100000, 0x1001, 0},        {0x100000, 0x1000, 0x800}, {~UINT64_C(0xfff), 0x1000, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(vt_memory_ranges(&m, &bad[i], 1));
    }
    assert_false(vt_memory_ranges(&m, bad, VT_HYBRID_RANGES_MAX + 1));
    /* Below 1 MiB nothing is taken. */
    const struct vt_hybrid_range low[] = {{0, 0x100000, 0}, {0xff000, 0x3000, 0x1000}};
    assert_true(vt_memory_ranges(&m, low, 2));
    assert_int_equal(m.n_ranges, 1);
    assert_true(m.ranges[0].gpa == 0x100000 && m.ranges[0].bytes == 0x2000 &&
                m.ranges[0].offset == 0x2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_pages),
        cmocka_unit_test(large_pages_end_with_ram),
        cmocka_unit_test(each_level_has_a_say),
        cmocka_unit_test(addresses_that_are_none),
        cmocka_unit_test(a_cache_says_the_same),
        cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(privileges_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
