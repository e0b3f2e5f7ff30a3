/* Classification without a kernel: by contents, in full and for single pages. */
#include "tests/unit/harness.h"

#include "vitrine/volume.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES 64

static char path[] = "/tmp/vitrine-classes.XXXXXX";
static int fd;
static struct vt_ram *ram;
static struct vt_classes *classes;

static void write_page(uint64_t page, int byte, size_t bytes)
{
    uint8_t buf[4096];
    memset(buf, byte, sizeof buf);
    assert_int_equal(pwrite(fd, buf, bytes, (off_t)(page * 4096)), bytes);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, PAGES * 4096), 0);
    write_page(3, 0, 4096); /* zeros with storage */
    write_page(7, 'a', 4096);
    write_page(9, 0x01, 8);
    struct vt_error err;
    assert_int_equal(vt_ram_open(path, NULL, 0, &ram, &err), 0);
    assert_int_equal(vt_classes_create(ram, &classes, &err), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vt_classes_destroy(classes);
    vt_ram_close(ram);
    close(fd);
    unlink(path);
    return 0;
}

static void check_sum(void)
{
    uint64_t totals[VT_CLASSES], sum = 0;
    vt_classes_totals(classes, totals);
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        sum += totals[c];
    }
    assert_int_equal(sum, PAGES);
    assert_int_equal(vt_classes_pages(classes), PAGES);
}

static void contents_decide_without_a_kernel(void **state)
{
    (void)state;
    struct vt_error err;
    const struct vt_owner *owners;
    assert_int_equal(vt_classes_scan(classes, NULL, &err), 0);
    const uint8_t *c = vt_classes_bytes(classes);
    assert_false(vt_classes_understood(classes));
    assert_int_equal(vt_classes_processes(classes, &owners), 0);
    assert_int_equal(c[3], VT_CLASS_ZERO);
    assert_int_equal(c[7], VT_CLASS_LIKE_TEXT);
    assert_int_equal(c[9], VT_CLASS_LIKE_DATA);
    uint64_t totals[VT_CLASSES];
    vt_classes_totals(classes, totals);
    /* What the file system stores for three pages may be more than three; the rest are holes. */
    assert_true(totals[VT_CLASS_HOLE] + totals[VT_CLASS_ZERO] == PAGES - 2);
    check_sum();
}

static void update_sees_only_what_it_is_given(void **state)
{
    (void)state;
    struct vt_error err;
    assert_int_equal(vt_classes_scan(classes, NULL, &err), 0);
    const uint8_t *c = vt_classes_bytes(classes);
    write_page(20, 'x', 4096);
    write_page(21, 'x', 4096);
    write_page(7, 0, 4096);
    uint64_t given[] = {7, 20, PAGES, UINT64_MAX};
    uint8_t before = c[21];
    assert_int_equal(vt_classes_update(classes, given, 4, &err), 0);
    assert_int_equal(c[20], VT_CLASS_LIKE_TEXT);
    assert_int_equal(c[7], VT_CLASS_ZERO);
    assert_int_equal(c[21], before);
    check_sum();
}

static void lost_ram_is_an_error(void **state)
{
    (void)state;
    struct vt_error err;
    assert_int_equal(ftruncate(fd, 4096), 0);
    uint64_t given[] = {7};
    assert_int_equal(vt_classes_scan(classes, NULL, &err) != 0 ||
                         vt_classes_update(classes, given, 1, &err) != 0,
                     1);
    check_sum();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(contents_decide_without_a_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(update_sees_only_what_it_is_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_ram_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
