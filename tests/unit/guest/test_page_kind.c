/* What a struct page says, in the layouts of Linux 6.1 (type bits) and 6.12 (type numbers). */
#include "tests/unit/harness.h"

#include "guest/linux/page_kind.h"

#include <string.h>

#define VMEMMAP UINT64_C(0xffffea0000000000)
#define RESERVED (UINT64_C(1) << 14)
#define SLAB (UINT64_C(1) << 9)

struct page {
    uint64_t flags, lru[2], mapping, index, private;
    uint32_t type, refcount;
    uint64_t memcg;
};

static const struct vt_page_layout bits = {
    .flags = {.offset = 0, .size = 8},
    .lru = {.offset = 8, .size = 16},
    .compound_head = {.offset = 8, .size = 8},
    .mapping = {.offset = 24, .size = 8},
    .private = {.offset = 40, .size = 8},
    .type = {.offset = 48, .size = 4},
    .refcount = {.offset = 52, .size = 4},
    .bytes = sizeof(struct page),
    .vmemmap = VMEMMAP,
    .reserved = RESERVED,
    .slab = SLAB,
    .buddy = VT_PAGE_TYPE_BUDDY,
    .table = VT_PAGE_TYPE_TABLE,
};

static struct vt_page_layout numbers(void)
{
    struct vt_page_layout l = bits;
    l.typed = true;
    l.slab = 0;
    l.buddy = 0xf0;
    l.table = 0xf2;
    l.slab_type = 0xf5;
    return l;
}

static void read_all(const struct vt_page_layout *l, const struct page *pages, size_t n,
                     uint8_t *kinds)
{
    struct vt_page_reading r = {.l = l, .first = 1000, .kinds = kinds};
    for (size_t i = 0; i < n; i++) {
        kinds[i] = (uint8_t)vt_page_kind(&r, i, (const uint8_t *)&pages[i]);
    }
}

#define UNTYPED 0xffffffff

static void each_says_what_it_is(void **state)
{
    (void)state;
    const struct page pages[] = {
        {.flags = RESERVED | SLAB, .type = UNTYPED, .refcount = 1},
        {.flags = SLAB, .type = UNTYPED, .refcount = 1, .mapping = 0xffff888000000001},
        {.type = UNTYPED & ~VT_PAGE_TYPE_TABLE, .refcount = 1, .mapping = 0xffff888000000001},
        {.type = UNTYPED, .refcount = 1, .mapping = 0xffff888000000001},
        {.type = 0, .refcount = 2, .mapping = 0xffff888000000001}, /* mapped once */
        {.type = UNTYPED, .refcount = 1, .mapping = 0xffff888000000000},
        {.type = UNTYPED, .refcount = 1, .mapping = 0xffff888000000002}, /* movable */
        {.type = UNTYPED, .refcount = 1, .mapping = 0x400},              /* not a pointer */
        {.type = UNTYPED, .refcount = 1},
    };
    static const uint8_t want[] = {
        VT_LINUX_PAGE_RESERVED, VT_LINUX_PAGE_SLAB,   VT_LINUX_PAGE_TABLE,
        VT_LINUX_PAGE_ANON,     VT_LINUX_PAGE_ANON,   VT_LINUX_PAGE_FILE,
        VT_LINUX_PAGE_KERNEL,   VT_LINUX_PAGE_KERNEL, VT_LINUX_PAGE_KERNEL,
    };
    uint8_t kinds[sizeof want];
    read_all(&bits, pages, sizeof want, kinds);
    assert_memory_equal(kinds, want, sizeof want);
}

static void types_may_be_numbers(void **state)
{
    (void)state;
    struct vt_page_layout l = numbers();
    const struct page pages[] = {
        {.type = 0xf5000010, .refcount = 1},
        {.type = 0xf2000000, .refcount = 1},
        {.type = 0xf0000000, .private = 0},
        {.type = UNTYPED, .refcount = 1},
    };
    static const uint8_t want[] = {VT_LINUX_PAGE_SLAB, VT_LINUX_PAGE_TABLE, VT_LINUX_PAGE_FREE,
                                   VT_LINUX_PAGE_KERNEL};
    uint8_t kinds[sizeof want];
    read_all(&l, pages, sizeof want, kinds);
    assert_memory_equal(kinds, want, sizeof want);
}

static void blocks_speak_through_their_first_page(void **state)
{
    (void)state;
    const struct page pages[] = {
        {.type = UNTYPED & ~VT_PAGE_TYPE_BUDDY, .private = 2}, /* free, four pages */
        {.type = UNTYPED},
        {.type = UNTYPED, .refcount = 7},
        {.type = UNTYPED},
        {.flags = SLAB, .type = UNTYPED, .refcount = 1}, /* a slab of two: head and tail */
        {.type = UNTYPED, .lru = {VMEMMAP + 1004 * 64 + 1}},
        {.type = UNTYPED, .refcount = 1}, /* two pages, not compound */
        {.type = UNTYPED},
        {.type = UNTYPED, .lru = {VMEMMAP + 5 * 64 + 1}},               /* head before the run */
        {.type = UNTYPED, .lru = {UINT64_MAX}},                         /* head nowhere */
        {.type = UNTYPED, .lru = {VMEMMAP + 1010 * 64 + 1}},            /* its own head */
        {.type = UNTYPED & ~VT_PAGE_TYPE_BUDDY, .private = UINT64_MAX}, /* absurd order */
        {.type = UNTYPED, .refcount = 1},
    };
    static const uint8_t want[] = {
        VT_LINUX_PAGE_FREE,   VT_LINUX_PAGE_FREE,   VT_LINUX_PAGE_FREE,   VT_LINUX_PAGE_FREE,
        VT_LINUX_PAGE_SLAB,   VT_LINUX_PAGE_SLAB,   VT_LINUX_PAGE_KERNEL, VT_LINUX_PAGE_KERNEL,
        VT_LINUX_PAGE_KERNEL, VT_LINUX_PAGE_KERNEL, VT_LINUX_PAGE_KERNEL, VT_LINUX_PAGE_FREE,
        VT_LINUX_PAGE_KERNEL,
    };
    uint8_t kinds[sizeof want];
    read_all(&bits, pages, sizeof want, kinds);
    assert_memory_equal(kinds, want, sizeof want);
}

/* The heads lie at multiples of their blocks' sizes: page 1000 is one of eight pages' size. */
static void tails_may_know_their_heads_by_a_mask(void **state)
{
    (void)state;
    const struct page pages[] = {
        {.flags = SLAB, .type = UNTYPED, .refcount = 1},
        {.type = UNTYPED, .lru = {~(UINT64_C(4) * 64 - 1) + 1}},
        {.type = UNTYPED, .lru = {~(UINT64_C(4) * 64 - 1) + 1}},
        {.type = UNTYPED, .lru = {~(UINT64_C(4) * 64 - 1) + 1}},
        {.type = UNTYPED, .refcount = 1, .mapping = 0xffff888000000001},
        {.type = UNTYPED, .lru = {~(UINT64_C(2) * 64 - 1) + 1}},
        {.type = UNTYPED, .lru = {~(UINT64_C(1024) * 64 - 1) + 1}}, /* its head: before the run */
        {.type = UNTYPED, .lru = {~(UINT64_C(64) - 1) + 1}},        /* itself */
    };
    static const uint8_t want[] = {
        VT_LINUX_PAGE_SLAB, VT_LINUX_PAGE_SLAB, VT_LINUX_PAGE_SLAB,   VT_LINUX_PAGE_SLAB,
        VT_LINUX_PAGE_ANON, VT_LINUX_PAGE_ANON, VT_LINUX_PAGE_KERNEL, VT_LINUX_PAGE_KERNEL,
    };
    uint8_t kinds[sizeof want];
    read_all(&bits, pages, sizeof want, kinds);
    assert_memory_equal(kinds, want, sizeof want);
}

static void layouts_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct vt_page_layout l = bits;
    assert_true(vt_page_layout_fits(&l));
    l.refcount.offset = 61;
    assert_false(vt_page_layout_fits(&l));
    l = bits;
    l.flags.size = 3;
    assert_false(vt_page_layout_fits(&l));
    l = bits;
    l.lru.offset = UINT32_MAX;
    assert_false(vt_page_layout_fits(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_says_what_it_is),
        cmocka_unit_test(types_may_be_numbers),
        cmocka_unit_test(blocks_speak_through_their_first_page),
        cmocka_unit_test(tails_may_know_their_heads_by_a_mask),
        cmocka_unit_test(layouts_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
