/* tests/unit/machine/test_process.c - which QEMU is taken for guests of which architecture. */
#include "tests/unit/harness.h"

#include "machine/process.h"

#include <string.h>
#include <sys/stat.h>

/* A program that is never run. */
static void make_program(const char *dir, const char *below, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", dir, below);
    mkdir(path, 0700);
    snprintf(path, PATH_MAX, "%s/%s/%s", dir, below, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
}

static void each_place_in_turn(void **state)
{
    const char *dir = *state;
    char bin[PATH_MAX], mine[PATH_MAX], set[PATH_MAX], got[PATH_MAX] = "untouched";
    struct vt_error err;
    setenv("VITRINE_CACHE_DIR", dir, 1);
    unsetenv("VITRINE_QEMU");
    unsetenv("VITRINE_QEMU_AARCH64");
    snprintf(bin, sizeof bin, "relative:%.4000s/bin", dir);
    setenv("PATH", bin, 1);

    assert_int_equal(vt_qemu_find("aarch64", got, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "VITRINE_QEMU_AARCH64"));
    assert_string_equal(got, "untouched");

    make_program(dir, "bin", "qemu-system-aarch64", bin);
    assert_int_equal(vt_qemu_find("aarch64", got, &err), 0);
    assert_string_equal(got, bin);
    assert_int_equal(vt_qemu_find("x86_64", got, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "not in VITRINE_QEMU,"));

    make_program(dir, "qemu", "qemu-system-aarch64", mine);
    assert_int_equal(vt_qemu_find("aarch64", got, &err), 0);
    assert_string_equal(got, mine);

    make_program(dir, "bin", "other", set);
    setenv("VITRINE_QEMU_AARCH64", set, 1);
    assert_int_equal(vt_qemu_find("aarch64", got, &err), 0);
    assert_string_equal(got, set);
    assert_int_equal(vt_qemu_find("riscv64", got, &err), VT_E_NOT_FOUND);

    setenv("VITRINE_QEMU", set, 1); /* of x86_64 only */
    assert_int_equal(vt_qemu_find("x86_64", got, &err), 0);
    assert_string_equal(got, set);
    assert_int_equal(vt_qemu_find("riscv64", got, &err), VT_E_NOT_FOUND);

    setenv("VITRINE_QEMU_AARCH64", "/nonexistent/qemu", 1);
    assert_int_equal(vt_qemu_find("aarch64", got, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/qemu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_place_in_turn, vt_test_dir_setup,
                                        vt_test_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
