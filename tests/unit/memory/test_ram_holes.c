/* tests/unit/memory/test_ram_holes.c - scanning and reading RAM that was never touched. */
#include "tests/unit/harness.h"

#include "tests/unit/memory/ramfile.h"
#include "vitrine/memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define GIB ((uint64_t)1 << 30)

static uint64_t stored_bytes(const struct ramfile *f)
{
    struct stat st;
    assert_int_equal(fstat(f->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static void finds_the_runs(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(8 * GIB);
    ramfile_put(&f, 0x1000, "x", 1);
    ramfile_put(&f, 0x2000, "x", 1);
    ramfile_put(&f, 8 * GIB - 1, "x", 1);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    struct vt_off start;
    struct vt_off end;
    assert_int_equal(vt_ram_next_data(ram, VT_OFF(0), &start, &end, &err), 0);
    assert_int_equal(start.v, 0x1000);
    assert_int_equal(end.v, 0x3000);
    assert_int_equal(vt_ram_next_data(ram, VT_OFF(0x2345), &start, &end, &err), 0);
    assert_int_equal(start.v, 0x2000);
    assert_int_equal(end.v, 0x3000);
    assert_int_equal(vt_ram_next_data(ram, end, &start, &end, &err), 0);
    assert_int_equal(start.v, 8 * GIB - 0x1000);
    assert_int_equal(end.v, 8 * GIB);
    assert_int_equal(vt_ram_next_data(ram, end, &start, &end, &err), VT_E_NOT_FOUND);
    assert_int_equal(start.v, 8 * GIB - 0x1000);
    assert_int_equal(vt_ram_next_data(ram, VT_OFF(UINT64_MAX), &start, &end, &err), VT_E_NOT_FOUND);
    vt_ram_close(ram);
    close(f.fd);
}

static void a_read_allocates_nothing(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(GIB);
    ramfile_put(&f, 0x5000, "here", 4);
    uint64_t before = stored_bytes(&f);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    enum { N = 1 << 20 };
    uint8_t *copy = malloc(N);
    assert_non_null(copy);
    memset(copy, 0xff, N);
    assert_int_equal(vt_ram_read(ram, VT_GPA(3), copy, N, &err), 0);
    for (size_t i = 0; i < N; i++) {
        bool here = i >= 0x5000 - 3 && i < 0x5000 - 3 + 4;
        assert_int_equal(copy[i], here ? "here"[i - (0x5000 - 3)] : 0);
    }
    uint64_t v = 1;
    assert_int_equal(vt_ram_read_u64(ram, VT_GPA(0x8000), &v, &err), 0);
    assert_true(v == 0);
    assert_int_equal(stored_bytes(&f), before);
    free(copy);
    vt_ram_close(ram);
    close(f.fd);
}

static void notices_what_is_written_later(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(GIB);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    assert_false(vt_ram_is_populated(ram, VT_OFF(0x7000)));
    ramfile_put(&f, 0x7008, "late", 5);
    assert_true(vt_ram_is_populated(ram, VT_OFF(0x7fff)));
    assert_false(vt_ram_is_populated(ram, VT_OFF(0x8000)));
    assert_false(vt_ram_is_populated(ram, VT_OFF(GIB)));
    char text[5];
    assert_int_equal(vt_ram_read(ram, VT_GPA(0x7008), text, 5, &err), 0);
    assert_string_equal(text, "late");
    /* What a balloon does: the page is gone and reads as zeros again. */
    assert_int_equal(fallocate(f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0x7000, 0x1000),
                     0);
    assert_int_equal(vt_ram_read(ram, VT_GPA(0x7008), text, 5, &err), 0);
    assert_string_equal(text, "");
    vt_ram_close(ram);
    close(f.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_runs),
        cmocka_unit_test(a_read_allocates_nothing),
        cmocka_unit_test(notices_what_is_written_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
