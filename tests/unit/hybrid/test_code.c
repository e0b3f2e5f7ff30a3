/* tests/unit/hybrid/test_code.c - pages that hold translated code: found again by where they lie
 * here and by where they lie for the guest; more than there is room for, and every page may be one.
 */
#include "tests/unit/harness.h"

#include "plugins/hybrid/plugin.h"

struct vt_memory vt_ram;

static uint8_t *host(uint64_t address)
{
    return (uint8_t *)(uintptr_t)address;
}

static void pages_by_address(void **state)
{
    (void)state;
    const uint64_t far = UINT64_C(0x7f0000000000);
    assert_false(vt_code_holds(host(far)));
    vt_code_add(host(far + 0x1234));
    vt_code_add(host(0x5000));
    assert_true(vt_code_holds(host(far + 0x1fff)) && vt_code_holds(host(0x5000)));
    assert_false(vt_code_holds(host(far + 0x2000)) || vt_code_holds(host(far + 0xfff)));
    assert_false(vt_code_holds(host(0x6000)) || vt_code_holds(host(far + (UINT64_C(1) << 40))));
    vt_code_clear();
    assert_false(vt_code_holds(host(far + 0x1234)) || vt_code_holds(host(0x5000)));
}

static void pages_by_place_in_the_guest(void **state)
{
    (void)state;
    vt_ram = (struct vt_memory){
        .base = host(0x700000000000),
        .n_ranges = 2,
        .ranges = {{0x100000, 0x10000, 0x100000}, {UINT64_C(1) << 32, 0x10000, 0x200000}}};
    vt_code_add_physical((UINT64_C(1) << 32) + 0x3004);
    vt_code_add_physical(0x3000); /* is no RAM of ours */
    assert_true(vt_code_holds(vt_ram.base + 0x203000));
    assert_false(vt_code_holds(vt_ram.base + 0x103000) || vt_code_holds(vt_ram.base + 0x204000));
    assert_false(vt_code_holds(vt_ram.base + 0x210000) || vt_code_holds(vt_ram.base + 0x3000));
    vt_code_clear();
    assert_false(vt_code_holds(vt_ram.base + 0x203000));
}

/* Last: what is lost stays lost. */
static void no_room(void **state)
{
    (void)state;
    for (uint64_t block = 2; block < 1030; block++) {
        vt_code_add(host(block << 30));
    }
    assert_true(vt_code_holds(host(0x123456000)));
    vt_code_clear();
    assert_true(vt_code_holds(host(0x123456000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_by_address),
        cmocka_unit_test(pages_by_place_in_the_guest),
        cmocka_unit_test(no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
