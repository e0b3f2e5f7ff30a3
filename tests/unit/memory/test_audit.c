/* tests/unit/memory/test_audit.c - every look into a guest leaves one line. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "vitrine/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/vitrine-audit-XXXXXX", path[64];

static int make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/audit.log", dir);
    unsetenv("VITRINE_AUDIT");
    return setenv("VITRINE_STATE_DIR", dir, 1);
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void test_lines(void **state)
{
    (void)state;
    struct vt_error err;
    char *text;
    struct stat st;
    assert_int_equal(vt_audit("web", "read", &err, "%s+%d", "0x10", 4), 0);
    assert_int_equal(vt_audit("a\"b", "ps", &err, "%s", ""), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(vt_read_file(path, 4096, &text, NULL, &err), 0);
    char *second = strchr(text, '\n');
    assert_non_null(second);
    assert_non_null(strstr(text, "\"vm\":\"web\",\"operation\":\"read\",\"detail\":\"0x10+4\"}\n"));
    assert_non_null(strstr(second, "\"vm\":\"a\\\"b\",\"operation\":\"ps\",\"detail\":\"\"}\n"));
    assert_string_equal(strchr(second + 1, '\n'), "\n");
    free(text);
}

static void test_off(void **state)
{
    (void)state;
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    setenv("VITRINE_AUDIT", "off", 1);
    assert_int_equal(vt_audit("web", "read", NULL, "%s", ""), 0);
    unsetenv("VITRINE_AUDIT");
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

static void test_refused(void **state)
{
    (void)state;
    struct vt_error err;
    setenv("VITRINE_STATE_DIR", "/proc/nowhere", 1);
    assert_int_not_equal(vt_audit("web", "read", &err, "%s", ""), 0);
    setenv("VITRINE_STATE_DIR", dir, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
