/* test_qcow2.c - an empty image, read back field by field; QEMU itself opens one in
 * tests/system/alpine.sh. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/qcow2.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/vt-test-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/vt-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/disk.qcow2", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static uint32_t be32(const char *bytes, size_t at)
{
    uint32_t v;
    memcpy(&v, bytes + at, sizeof v);
    return be32toh(v);
}

static uint64_t be64(const char *bytes, size_t at)
{
    uint64_t v;
    memcpy(&v, bytes + at, sizeof v);
    return be64toh(v);
}

static void the_header_says_what_it_is(void **state)
{
    (void)state;
    struct vt_error err;
    char *b;
    size_t n;
    const uint64_t size = (UINT64_C(5) << 30) + 512;
    assert_int_equal(vt_qcow2_create(path, size, &err), 0);
    assert_int_equal(vt_read_file(path, 1 << 20, &b, &n, &err), 0);
    assert_int_equal(n, 4 * 65536);
    assert_memory_equal(b, "QFI\xfb", 4);
    assert_int_equal(be32(b, 4), 3);
    assert_int_equal(be32(b, 20), 16);
    assert_int_equal(be64(b, 24), size);
    assert_int_equal(be32(b, 36), 11); /* L1 entries: 5 GiB / 512 MiB, rounded up */
    const uint64_t l1 = be64(b, 40), table = be64(b, 48), block = be64(b, table);
    assert_int_equal(be32(b, 96), 4);
    assert_int_equal(be32(b, 100), 104);
    /* Each of the four clusters is used once, and counted so. */
    assert_true(l1 != table && l1 != block && table != block);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(be32(b, block + i * 4), i < 2 ? 0x00010001 : 0);
    }
    free(b);
}

static void what_is_there_is_left_alone(void **state)
{
    (void)state;
    struct vt_error err;
    struct stat st;
    assert_int_equal(vt_write_file_atomic(path, "mine", 4, 0600, &err), 0);
    assert_int_equal(vt_qcow2_create(path, 1 << 20, &err), VT_E_EXISTS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
}

static void odd_sizes_are_refused(void **state)
{
    (void)state;
    struct vt_error err;
    static const uint64_t bad[] = {0, 1, 513, (UINT64_C(4) << 40) + 512};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_qcow2_create(path, bad[i], &err), VT_E_INVAL);
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void nowhere_to_write(void **state)
{
    (void)state;
    struct vt_error err;
    assert_int_equal(vt_qcow2_create("/nonexistent/disk", 1 << 20, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/disk"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_header_says_what_it_is),
        TEST(what_is_there_is_left_alone),
        TEST(odd_sizes_are_refused),
        TEST(nowhere_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
