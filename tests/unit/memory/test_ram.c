/* tests/unit/memory/test_ram.c - opening, the guest-physical map, bounds, reads. */
#include "tests/unit/harness.h"

#include "tests/unit/memory/ramfile.h"
#include "vitrine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define GIB ((uint64_t)1 << 30)

static void refuses_what_is_no_ram_file(void **state)
{
    (void)state;
    struct vt_ram *ram = NULL;
    struct vt_error err = {0};
    assert_int_equal(vt_ram_open("/nonexistent/ram", NULL, 0, &ram, &err), VT_E_NOT_FOUND);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.message, "/nonexistent/ram"));
    assert_int_equal(vt_ram_open("/", NULL, 0, &ram, &err), VT_E_INVAL);
    assert_int_equal(vt_ram_open("/dev/null", NULL, 0, &ram, &err), VT_E_INVAL);

    char dir[] = "/tmp/vitrine-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(vt_ram_open(fifo, NULL, 0, &ram, &err), VT_E_INVAL);
    unlink(fifo);
    rmdir(dir);

    struct ramfile f = ramfile_make(0);
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), VT_E_INVAL);
    assert_int_equal(ftruncate(f.fd, 5000), 0);
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), VT_E_INVAL);
    assert_null(ram);
    close(f.fd);
}

static void tells_permission_from_absence(void **state)
{
    (void)state;
    char path[] = "/tmp/vitrine-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(fchmod(fd, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(99);
        }
        struct vt_ram *ram;
        struct vt_error err = {0};
        int rc = vt_ram_open(path, NULL, 0, &ram, &err);
        _exit(rc == VT_E_PERM && err.sys_errno == EACCES ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    close(fd);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void refuses_maps_that_do_not_fit(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(0x10000);
    static const struct vt_ram_region bad[][2] = {
        {{{0}, {0}, 0x11000}},                              /* beyond the file */
        {{{0}, {0x10000}, 0x1000}},                         /* begins at its end */
        {{{0}, {UINT64_MAX - 0xfff}, 0x1000}},              /* offset overflows */
        {{{UINT64_MAX - 0xfff}, {0}, 0x2000}},              /* address overflows */
        {{{0x800}, {0}, 0x1000}},                           /* not page-aligned */
        {{{0}, {0}, 0}},                                    /* empty */
        {{{0}, {0}, 0x2000}, {{0x1000}, {0x4000}, 0x1000}}, /* overlap */
        {{{0x8000}, {0}, 0x1000}, {{0}, {0x4000}, 0x1000}}, /* not ascending */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vt_ram *ram;
        struct vt_error err;
        unsigned n = i >= 6 ? 2 : 1;
        assert_int_equal(vt_ram_open(f.path, bad[i], n, &ram, &err), VT_E_INVAL);
    }
    close(f.fd);
}

/* A q35 with 4 GiB: 2 GiB below the hole, the rest from 4 GiB up. */
static void maps_around_the_pci_hole(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(4 * GIB);
    static const struct vt_ram_region map[] = {
        {{0}, {0}, 0xa0000},
        {{0xa0000}, {0xa0000}, 2 * GIB - 0xa0000}, /* touches the one before */
        {{4 * GIB}, {2 * GIB}, 2 * GIB},
    };
    ramfile_put(&f, 2 * GIB, "above", 6);
    ramfile_put(&f, 0x9fffc, "two sides", 10);
    struct vt_ram *ram;
    struct vt_error err = {0};
    assert_int_equal(vt_ram_open(f.path, map, 3, &ram, &err), 0);
    assert_int_equal(vt_ram_size(ram), 4 * GIB);
    assert_int_equal(vt_ram_end(ram).v, 6 * GIB);
    const struct vt_ram_region *regions;
    assert_int_equal(vt_ram_regions(ram, &regions), 2);

    struct vt_off off;
    uint64_t run;
    assert_int_equal(vt_ram_offset(ram, VT_GPA(4 * GIB + 5), &off, &run, &err), 0);
    assert_int_equal(off.v, 2 * GIB + 5);
    assert_int_equal(run, 2 * GIB - 5);
    struct vt_gpa gpa;
    assert_int_equal(vt_ram_gpa(ram, off, &gpa, &err), 0);
    assert_int_equal(gpa.v, 4 * GIB + 5);
    assert_int_equal(vt_ram_gpa(ram, VT_OFF(4 * GIB), &gpa, &err), VT_E_ADDR);

    const void *p;
    assert_int_equal(vt_ram_ptr(ram, VT_GPA(4 * GIB), 6, &p, &err), 0);
    assert_string_equal(p, "above");
    char text[10];
    assert_int_equal(vt_ram_read(ram, VT_GPA(0x9fffc), text, 10, &err), 0);
    assert_string_equal(text, "two sides");

    static const struct {
        uint64_t gpa, len, max;
    } bad[] = {
        {2 * GIB, 1, 6 * GIB},             /* in the hole */
        {4 * GIB - 1, 1, 6 * GIB},         /* its last byte */
        {2 * GIB - 8, 16, 2 * GIB},        /* runs into it */
        {6 * GIB, 1, 6 * GIB},             /* the end */
        {6 * GIB - 1, 2, 6 * GIB},         /* past the end */
        {4 * GIB, UINT64_MAX, 6 * GIB},    /* length overflows */
        {UINT64_MAX, 1, 6 * GIB},          /* last address there is */
        {UINT64_MAX, UINT64_MAX, 6 * GIB}, /* both */
        {8, UINT64_MAX - 7, 2 * GIB},      /* wraps to 0 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char byte = 'x';
        p = &byte;
        assert_int_equal(vt_ram_ptr(ram, VT_GPA(bad[i].gpa), bad[i].len, &p, &err), VT_E_ADDR);
        assert_int_equal(err.addr, bad[i].gpa);
        assert_int_equal(err.len, bad[i].len);
        assert_int_equal(err.max, bad[i].max);
        assert_ptr_equal(p, &byte);
        memset(&err, 0, sizeof err);
        assert_int_equal(vt_ram_read(ram, VT_GPA(bad[i].gpa), &byte, bad[i].len, &err), VT_E_ADDR);
        assert_int_equal(err.len, bad[i].len);
        assert_int_equal(err.max, bad[i].max);
        assert_int_equal(byte, 'x');
    }
    vt_ram_close(ram);
    close(f.fd);
}

static void reads_across_regions_that_touch_only_in_the_guest(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(0x4000);
    static const struct vt_ram_region map[] = {
        {{0}, {0x3000}, 0x1000}, {{0x1000}, {0}, 0x2000}, {{0x4000}, {0x2000}, 0x1000}};
    ramfile_put(&f, 0x3ffe, "ab", 2);
    ramfile_put(&f, 0, "cd", 3);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, map, 3, &ram, &err), 0);
    char text[5];
    assert_int_equal(vt_ram_read(ram, VT_GPA(0xffe), text, 5, &err), 0);
    assert_string_equal(text, "abcd");
    const void *p;
    assert_int_equal(vt_ram_ptr(ram, VT_GPA(0xffe), 4, &p, &err), VT_E_ADDR);
    assert_int_equal(err.max, 0x1000);
    char big[0x5000];
    assert_int_equal(vt_ram_read(ram, VT_GPA(0), big, 0x3000, &err), 0);
    assert_int_equal(vt_ram_read(ram, VT_GPA(0), big, 0x3001, &err), VT_E_ADDR);
    assert_int_equal(err.max, 0x3000);
    vt_ram_close(ram);
    close(f.fd);
}

static void reads_words_whole(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(0x2000);
    static const uint8_t le[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    ramfile_put(&f, 0xff8, le, 8);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    uint64_t v = 0;
    assert_int_equal(vt_ram_read_u64(ram, VT_GPA(0xff8), &v, &err), 0);
    assert_true(v == 0x0807060504030201);
    assert_int_equal(vt_ram_read_u64(ram, VT_GPA(0x1000), &v, &err), 0);
    assert_true(v == 0);
    assert_int_equal(vt_ram_read_u64(ram, VT_GPA(0xffc), &v, &err), VT_E_INVAL);
    assert_int_equal(vt_ram_read_u64(ram, VT_GPA(0x2000), &v, &err), VT_E_ADDR);
    assert_int_equal(err.len, 8);
    vt_ram_close(ram);
    vt_ram_close(NULL);
    close(f.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_ram_file),
        cmocka_unit_test(tells_permission_from_absence),
        cmocka_unit_test(refuses_maps_that_do_not_fit),
        cmocka_unit_test(maps_around_the_pci_hole),
        cmocka_unit_test(reads_across_regions_that_touch_only_in_the_guest),
        cmocka_unit_test(reads_words_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
