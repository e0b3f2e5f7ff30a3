/* tests/unit/machine/test_plugin.c - which plugins a QEMU loads, asked of programs that answer as
 * QEMUs do. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/plugin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Never waited for. */
#define PATIENCE_MS 60000

static char program[64];
static const struct vt_identity as_we_are;

static int setup(void **state)
{
    (void)state;
    strcpy(program, "/tmp/vitrine-test-XXXXXX");
    int fd = mkstemp(program);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(program);
}

static int ask(const char *script, uint64_t timeout_ms, unsigned *api, struct vt_error *err)
{
    assert_int_equal(vt_write_file_atomic(program, script, strlen(script), 0700, NULL), 0);
    return vt_qemu_plugin_api(program, &as_we_are, timeout_ms, api, err);
}

static unsigned api_of_version(const char *version)
{
    char script[256];
    unsigned api = 0;
    snprintf(
        script, sizeof script,
        "#!/bin/sh\n[ \"$1 $3\" = '-plugin -version' ] || exit 1\n"
        "echo 'QEMU emulator version %s (Debian 1:9.9+ds-1)'\necho 'Copyright (c) 2003-2026'\n",
        version);
    int rc = ask(script, PATIENCE_MS, &api, NULL);
    assert_true((rc == 0) == (api != 0));
    assert_true(rc == 0 || rc == VT_E_UNSUPPORTED);
    return api;
}

static void versions(void **state)
{
    (void)state;
    assert_int_equal(api_of_version("7.2.22"), 0);
    assert_int_equal(api_of_version("9.1.50"), 0);
    assert_int_equal(api_of_version("9.2.0"), 4);
    assert_int_equal(api_of_version("10.0.13"), 4);
    assert_int_equal(api_of_version("11.0.9"), 4);
    assert_int_equal(api_of_version("11.1.3"), 7);
    assert_int_equal(api_of_version("11.10.0"), 0);
    assert_int_equal(api_of_version("12.0.0"), 0);
}

static void answers_that_are_none(void **state)
{
    (void)state;
    unsigned api = 99;
    struct vt_error err;
    assert_int_equal(
        ask("#!/bin/sh\necho 'plugin interface not enabled in this build' >&2\nexit 1\n",
            PATIENCE_MS, &api, &err),
        VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "no plugins"));
    assert_int_equal(ask("#!/bin/sh\nexec yes version\n", PATIENCE_MS, &api, &err),
                     VT_E_UNSUPPORTED);
    assert_int_equal(ask("#!/bin/sh\n", PATIENCE_MS, &api, &err), VT_E_UNSUPPORTED);
    assert_int_equal(ask("#!/bin/sh\nexec sleep 1000\n", 1, &api, &err), VT_E_TIMEOUT);
    assert_int_equal(vt_qemu_plugin_api("/nonexistent/qemu", &as_we_are, PATIENCE_MS, &api, &err),
                     VT_E_NOT_FOUND);
    assert_int_equal(api, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_that_are_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
