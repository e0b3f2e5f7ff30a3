/* tests/unit/machine/test_ended.c - why a VM ended: written, told in printable words, forgotten. */
#include "tests/unit/harness.h"

#include "machine/ended.h"
#include "vitrine/machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static void told_until_forgotten(void **state)
{
    char text[400], path[256];
    struct vt_error err;
    struct vt_vm *vm;
    assert_int_equal(setenv("VITRINE_STATE_DIR", *state, 1), 0);
    assert_int_equal(setenv("VITRINE_RUNTIME_DIR", *state, 1), 0);
    assert_false(vt_ended_read("web", text, sizeof text));
    assert_int_equal(vt_ended_write("web", "killed by signal 9: \033[2Jbang", &err), 0);
    assert_true(vt_ended_read("web", text, sizeof text));
    assert_non_null(strstr(text, "killed by signal 9: "));
    assert_null(strchr(text, '\033'));
    assert_int_equal(vt_vm_open("web", &vm, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, text));
    assert_false(vt_ended_read("other", text, sizeof text));

    /* The age is the file's. */
    snprintf(path, sizeof path, "%s/ended/web", (const char *)*state);
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = time(NULL) - 3 * 3600 - 60}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(vt_ended_read("web", text, sizeof text));
    assert_non_null(strstr(text, "ended 3 h ago"));

    vt_ended_forget("web");
    vt_ended_forget("web");
    assert_false(vt_ended_read("web", text, sizeof text));
    assert_int_equal(vt_vm_open("web", &vm, &err), VT_E_NOT_FOUND);
    assert_string_equal(err.message, "no VM named 'web'");
}

/* However much QEMU had to say, what is written can be read. */
static void long_words(void **state)
{
    char why[2000], text[400];
    memset(why, 'x', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    assert_int_equal(setenv("VITRINE_STATE_DIR", *state, 1), 0);
    assert_int_equal(vt_ended_write("web", why, NULL), 0);
    assert_true(vt_ended_read("web", text, sizeof text));
    assert_non_null(strstr(text, "xxx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(told_until_forgotten),
        vt_test_in_dir(long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
