/* tests/unit/guest/test_pagetables.c - what Linux means by the entries of its page tables. */
#include "tests/unit/harness.h"

#include "guest/linux/pagetables.h"

#include <string.h>

static struct vt_table_entry entry(uint64_t value, unsigned level, enum vt_entry_kind kind)
{
    return (struct vt_table_entry){.value = value,
                                   .level = level,
                                   .kind = kind,
                                   .flags = VT_PAGE_PRESENT | VT_PAGE_WRITE | VT_PAGE_USER};
}

static void test_pages(void **state)
{
    (void)state;
    struct vt_table_entry e = entry(UINT64_C(0x8000000012345067), 1, VT_ENTRY_PAGE);
    struct vt_entry_decoded d = vt_entry_decode(&e, 1);
    assert_int_equal(d.use, VT_ENTRY_MAPS);
    assert_true(d.physical == 0x12345000);
    e = entry(0x400011e3, 2, VT_ENTRY_PAGE); /* PAT of a large page is no address bit */
    d = vt_entry_decode(&e, 1);
    assert_true(d.physical == 0x40000000);
    e = entry(0x2067, 3, VT_ENTRY_TABLE);
    d = vt_entry_decode(&e, 1);
    assert_int_equal(d.use, VT_ENTRY_LEADS);
    assert_true(d.physical == 0x2000);
    e.kind = VT_ENTRY_OUTSIDE;
    assert_int_equal(vt_entry_decode(&e, 1).use, VT_ENTRY_NOWHERE);
    e = entry(0x81, 4, VT_ENTRY_RESERVED);
    assert_int_equal(vt_entry_decode(&e, 1).use, VT_ENTRY_FAULTS);
    e = entry(0, 1, VT_ENTRY_ABSENT);
    assert_int_equal(vt_entry_decode(&e, 1).use, VT_ENTRY_EMPTY);
}

/* What the kernel makes of page frame 0x12345 and of page 0x789 of a swap area. */
static void test_absent(void **state)
{
    (void)state;
    uint64_t address = ~UINT64_C(0x12345000) & UINT64_C(0x000ffffffffff000);
    struct vt_table_entry e = entry(address | 0x160 | UINT64_C(1) << 63, 1, VT_ENTRY_ABSENT);
    struct vt_entry_decoded d = vt_entry_decode(&e, 1);
    assert_int_equal(d.use, VT_ENTRY_PROTNONE);
    assert_true(d.physical == 0x12345000);
    uint64_t offset = ~UINT64_C(0x789) << 14 >> 5;
    e = entry(offset | UINT64_C(2) << 59, 1, VT_ENTRY_ABSENT);
    d = vt_entry_decode(&e, 3);
    assert_int_equal(d.use, VT_ENTRY_SWAPPED);
    assert_int_equal(d.swap_type, 2);
    assert_true(d.swap_offset == 0x789);
    assert_int_equal(vt_entry_decode(&e, 2).use, VT_ENTRY_KEPT); /* there are but two areas */
    e.level = 2;
    assert_int_equal(vt_entry_decode(&e, 3).use, VT_ENTRY_KEPT);
    for (int use = VT_ENTRY_MAPS; use <= VT_ENTRY_EMPTY; use++) {
        assert_true(vt_entry_use_name((enum vt_entry_use)use)[0] != '\0');
    }
}

static void expect_flags(struct vt_table_entry e, bool combined, const char *want)
{
    char text[40];
    vt_entry_flags(&e, combined, text, sizeof text);
    assert_string_equal(text, want);
}

static void test_flags(void **state)
{
    (void)state;
    expect_flags(entry(0x1, 1, VT_ENTRY_PAGE), false, "P");
    expect_flags(entry(0x1, 1, VT_ENTRY_PAGE), true, "P W U");
    expect_flags(entry(0x11f | UINT64_C(1) << 63, 1, VT_ENTRY_PAGE), false, "P W U G NX PWT PCD");
    expect_flags(entry(0x81, 1, VT_ENTRY_PAGE), false, "P PAT");
    expect_flags(entry(0x81, 2, VT_ENTRY_PAGE), false, "P");
    expect_flags(entry(0x1081, 2, VT_ENTRY_PAGE), false, "P PAT");
    expect_flags(entry(0x5 | UINT64_C(3) << 59, 1, VT_ENTRY_PAGE), false, "P U PK3");
    expect_flags(entry(0x1 | UINT64_C(3) << 59, 1, VT_ENTRY_PAGE), false, "P"); /* the kernel's */
    expect_flags(entry(0x107, 2, VT_ENTRY_TABLE), false, "P W U");
    expect_flags(entry(0x106, 1, VT_ENTRY_ABSENT), false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
