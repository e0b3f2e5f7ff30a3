/* tests/unit/base/test_paths.c - every place by every rule that leads to it. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "base/paths.h"

#include <string.h>
#include <sys/wait.h>

typedef int place(char out[PATH_MAX], struct vt_error *err);

static const struct {
    place *find;
    const char *override, *xdg, *root, *home;
} places[] = {
    {vt_path_runtime, "VITRINE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "/run/vitrine", NULL},
    {vt_path_cache, "VITRINE_CACHE_DIR", "XDG_CACHE_HOME", "/var/cache/vitrine",
     "/home/u/.cache/vitrine"},
    {vt_path_state, "VITRINE_STATE_DIR", "XDG_STATE_HOME", "/var/lib/vitrine",
     "/home/u/.local/state/vitrine"},
    {vt_path_data, "VITRINE_DATA_DIR", "XDG_DATA_HOME", "/var/lib/vitrine",
     "/home/u/.local/share/vitrine"},
};
#define PLACES (sizeof places / sizeof places[0])

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES; i++) {
        unsetenv(places[i].override);
        unsetenv(places[i].xdg);
    }
    unsetenv("VITRINE_LIB_DIR");
    return setenv("HOME", "/home/u", 1);
}

static void is(place *find, const char *want)
{
    char got[PATH_MAX] = "";
    struct vt_error err = {.message = ""};
    assert_int_equal(find(got, &err), 0);
    assert_string_equal(got, want);
}

static void overrides_win(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES; i++) {
        char out[PATH_MAX] = "untouched";
        struct vt_error err;
        setenv(places[i].xdg, "/xdg", 1);
        setenv(places[i].override, "/over/here", 1);
        is(places[i].find, "/over/here");
        setenv(places[i].override, "relative", 1);
        assert_int_equal(places[i].find(out, &err), VT_E_INVAL);
        assert_non_null(strstr(err.message, places[i].override));
        assert_string_equal(out, "untouched");
    }
}

static void of_root(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    for (size_t i = 0; i < PLACES; i++) {
        setenv(places[i].xdg, "/xdg", 1);
        setenv(places[i].override, "", 1);
        is(places[i].find, places[i].root);
    }
}

/* What an ordinary user gets; when root runs the tests, in a child that became one. */
static void check_user(void)
{
    char temp[64];
    snprintf(temp, sizeof temp, "/tmp/vitrine-%u", (unsigned)geteuid());
    for (size_t i = 0; i < PLACES; i++) {
        is(places[i].find, places[i].home != NULL ? places[i].home : temp);
        setenv(places[i].xdg, "relative", 1);
        is(places[i].find, places[i].home != NULL ? places[i].home : temp);
        setenv(places[i].xdg, "/xdg", 1);
        is(places[i].find, "/xdg/vitrine");
    }
    struct vt_error err;
    char out[PATH_MAX];
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    assert_int_equal(vt_path_cache(out, &err), VT_E_NOT_FOUND);
    assert_string_equal(err.message, "neither XDG_CACHE_HOME nor HOME is set");
}

static void of_a_user(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        check_user();
        return;
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setuid(61183) == 0) {
            check_user();
            _exit(0);
        }
        _exit(1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void files_that_ship(void **state)
{
    char path[PATH_MAX] = "untouched", want[PATH_MAX];
    struct vt_error err;
    assert_int_equal(vt_path_lib("no-such-file.so", path, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/plugins"));
    assert_non_null(strstr(err.message, "/../lib/vitrine"));
    assert_string_equal(path, "untouched");

    setenv("VITRINE_LIB_DIR", *state, 1);
    assert_int_equal(vt_path_format(want, NULL, "%s/x.so", (const char *)*state), 0);
    assert_int_equal(vt_path_lib("x.so", path, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, *state));
    assert_null(strstr(err.message, "/plugins"));
    assert_int_equal(vt_write_file_atomic(want, "", 0, 0600, NULL), 0);
    assert_int_equal(vt_path_lib("x.so", path, &err), 0);
    assert_string_equal(path, want);
    setenv("VITRINE_LIB_DIR", "relative", 1);
    assert_int_equal(vt_path_lib("x.so", path, &err), VT_E_INVAL);
}

static void formats_within_a_path(void **state)
{
    (void)state;
    char out[PATH_MAX];
    assert_int_equal(vt_path_format(out, NULL, "%0*d", PATH_MAX - 1, 0), 0);
    assert_int_equal(strlen(out), PATH_MAX - 1);
    assert_int_equal(vt_path_format(out, NULL, "%0*d", PATH_MAX, 0), VT_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(overrides_win, clean), cmocka_unit_test_setup(of_root, clean),
        cmocka_unit_test_setup(of_a_user, clean),     vt_test_in_dir(files_that_ship),
        cmocka_unit_test(formats_within_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
