/* tests/unit/machine/test_mtree.c - the guest-physical map, from texts QEMU 11.1 printed (mtree/)
 * and from texts it would not print. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/mtree.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static const char *directory;

static void check(const char *file, uint64_t ram_bytes, const struct vt_ram_region *want,
                  unsigned n_want)
{
    char path[4096];
    char *text;
    struct vt_error err = {0};
    struct vt_ram_region got[VT_RAM_REGIONS_MAX];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", directory, file);
    assert_int_equal(vt_read_file(path, MIB, &text, NULL, &err), 0);
    if (vt_mtree_parse(text, "ram0", ram_bytes, got, &n, &err) != 0) {
        fail_msg("%s: %s", file, err.message);
    }
    free(text);
    assert_int_equal(n, n_want);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(got[i].gpa.v, want[i].gpa.v);
        assert_int_equal(got[i].offset.v, want[i].offset.v);
        assert_int_equal(got[i].bytes, want[i].bytes);
    }
}

static void small_guests_are_one_piece(void **state)
{
    (void)state;
    const struct vt_ram_region all = {{0}, {0}, 128 * MIB};
    check("pc-128M.txt", 128 * MIB, &all, 1);
    check("q35-128M.txt", 128 * MIB, &all, 1);
}

static void large_guests_lie_around_the_pci_hole(void **state)
{
    (void)state;
    /* pc-4G was taken from a booted Linux: its PAM areas show as read-only RAM. */
    const struct vt_ram_region pc[] = {{{0}, {0}, 3 * GIB}, {{4 * GIB}, {3 * GIB}, GIB}};
    const struct vt_ram_region q35[] = {{{0}, {0}, 2 * GIB}, {{4 * GIB}, {2 * GIB}, 2 * GIB}};
    check("pc-4G.txt", 4 * GIB, pc, 2);
    check("q35-4G.txt", 4 * GIB, q35, 2);
}

#define VIEW "FlatView #0\n AS \"memory\", root: system\n Root memory region: system\n"

static int parse(const char *text, struct vt_ram_region *got, unsigned *n, struct vt_error *err)
{
    return vt_mtree_parse(text, "ram0", 16 * MIB, got, n, err);
}

static void a_graphics_card_hides_what_lies_below_it(void **state)
{
    (void)state;
    struct vt_ram_region got[VT_RAM_REGIONS_MAX];
    unsigned n;
    assert_int_equal(parse(VIEW "  0000000000000000-000000000009ffff (prio 0, ram): ram0\n"
                                "  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\n"
                                "  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\n"
                                "  0000000000100000-0000000000ffffff (prio 0, ram): ram0 "
                                "@0000000000100000 KVM\n",
                           got, &n, NULL),
                     0);
    assert_int_equal(n, 2);
    assert_int_equal(got[0].bytes, 0xa0000);
    assert_int_equal(got[1].gpa.v, 0xc0000);
    assert_int_equal(got[1].offset.v, 0xc0000);
    assert_int_equal(got[1].bytes, 0xf40000);
}

static void only_the_view_of_memory_counts(void **state)
{
    (void)state;
    struct vt_ram_region got[VT_RAM_REGIONS_MAX];
    unsigned n;
    /* A machine without an x86 memory map: nothing is added below 1 MiB. */
    assert_int_equal(parse("FlatView #0\n AS \"cpu-smm-0\", root: memory\n"
                           "  0000000000000000-0000000000ffffff (prio 0, ram): ram0\n"
                           "FlatView #1\n AS \"memory\", root: system\n"
                           "  0000000040000000-0000000040ffffff (prio 0, ram): ram0\n"
                           "  0000000050000000-0000000050ffffff (prio 0, ram): ram01\n"
                           "  0000000060000000-0000000060000fff (prio 0, i/o): ram0\n"
                           "FlatView #2\n AS \"memory\", root: other\n"
                           "  0000000070000000-0000000070ffffff (prio 0, ram): ram0\n",
                           got, &n, NULL),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(got[0].gpa.v, 0x40000000);
    assert_int_equal(got[0].bytes, 16 * MIB);
}

static void hostile_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum vt_code code;
    } cases[] = {
        {"", VT_E_NOT_FOUND},
        {VIEW, VT_E_NOT_FOUND},
        {"  0000000000000000-0000000000ffffff (prio 0, ram): ram0\n", VT_E_NOT_FOUND},
        {VIEW "  0000000000000000-0000000000ffffff (prio 0, ram): ram0x\n", VT_E_NOT_FOUND},
        {VIEW "  0-zz (prio 0, ram): ram0\n", VT_E_NOT_FOUND},
        {VIEW "  00000000000000000-0ffffff (prio 0, ram): ram0 @\n", VT_E_NOT_FOUND},
        {VIEW "  10000000000000000-10000000000ffffff (prio 0, ram): ram0\n", VT_E_NOT_FOUND},
        {VIEW "  0000000000000000-0000000001ffffff (prio 0, ram): ram0\n", VT_E_CORRUPT},
        {VIEW "  0000000000000000-ffffffffffffffff (prio 0, ram): ram0\n", VT_E_CORRUPT},
        {VIEW "  0000000000001000-0000000000000fff (prio 0, ram): ram0\n", VT_E_CORRUPT},
        {VIEW "  0000000000000800-0000000000000fff (prio 0, ram): ram0\n", VT_E_CORRUPT},
        {VIEW "  0000000000000000-0000000000000fff (prio 0, ram): ram0 @ffffffffffff000\n",
         VT_E_CORRUPT},
        {VIEW "  0000000000000000-0000000000001fff (prio 0, ram): ram0\n"
              "  0000000000001000-0000000000002fff (prio 0, ram): ram0\n",
         VT_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_ram_region got[VT_RAM_REGIONS_MAX];
        struct vt_error err = {0};
        unsigned n = 77;
        assert_int_equal(parse(cases[i].text, got, &n, &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(n, 77);
    }
}

static void regions_have_a_limit(void **state)
{
    (void)state;
    struct vt_ram_region got[VT_RAM_REGIONS_MAX];
    char text[64 * 256];
    unsigned n;
    for (int lines = VT_RAM_REGIONS_MAX; lines <= VT_RAM_REGIONS_MAX + 1; lines++) {
        size_t used = (size_t)snprintf(text, sizeof text, VIEW);
        for (int i = 0; i < lines; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "  %016x-%016x (prio 0, ram): ram0\n", 0x2000 * i,
                                     0x2000 * i + 0xfff);
        }
        int rc = parse(text, got, &n, NULL);
        assert_int_equal(rc, lines > VT_RAM_REGIONS_MAX ? VT_E_LIMIT : 0);
    }
    assert_int_equal(n, VT_RAM_REGIONS_MAX);
}

int main(int argc, char **argv)
{
    directory = argc > 1 ? argv[1] : "tests/unit/machine/mtree";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_guests_are_one_piece),
        cmocka_unit_test(large_guests_lie_around_the_pci_hole),
        cmocka_unit_test(a_graphics_card_hides_what_lies_below_it),
        cmocka_unit_test(only_the_view_of_memory_counts),
        cmocka_unit_test(hostile_texts),
        cmocka_unit_test(regions_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
