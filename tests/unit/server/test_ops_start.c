/* tests/unit/server/test_ops_start.c - start_vm: what the program is told, and what its end means.
 */
#include "tests/unit/harness.h"

#include "tests/unit/server/fake_vm.h"

#include "server/ops.h"

static int setup(void **state)
{
    int rc = vt_test_dir_setup(state);
    if (rc == 0) {
        fake_places(*state);
    }
    return rc;
}

/* A program that notes its arguments, says something and ends. */
static void write_program(const char *dir, const char *end, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/program", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s/told\n%s\n", dir, end);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
}

static int start(const char *program, const char *args, struct vt_error *err)
{
    const struct vt_host_options options = {.program = program};
    struct vt_host *host;
    struct vt_op_reply reply;
    assert_int_equal(vt_host_create(&options, &host, NULL), 0);
    json_t *a = json_loads(args, 0, NULL);
    int rc = vt_op_run(host, vt_op_find("start_vm"), a, NULL, NULL, &reply, err);
    json_decref(a);
    vt_host_destroy(host);
    return rc;
}

static void assert_told(const char *dir, const char *want)
{
    char path[PATH_MAX], told[512] = "";
    snprintf(path, sizeof path, "%s/told", dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    told[fread(told, 1, sizeof told - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(told, want);
}

static void arguments_are_passed_on(void **state)
{
    char program[PATH_MAX], want[PATH_MAX + 128], image[PATH_MAX];
    struct vt_error err;
    write_program(*state, "exit 0", program);
    /* It says that all is well, but there is no such VM afterwards. */
    assert_int_equal(start(program,
                           "{\"name\": \"a\", \"memory_bytes\": 134217728, \"cpus\": 3,"
                           " \"net\": \"user\", \"paused\": true}",
                           &err),
                     VT_E_NOT_FOUND);
    assert_told(*state, "run\na\n--memory\n134217728\n--cpus\n3\n--net\nuser\n--paused\n");

    snprintf(image, sizeof image, "%s/DATA/images", (char *)*state);
    assert_int_equal(mkdir(image, 0700), 0);
    snprintf(image, sizeof image, "%s/DATA/images/disc.iso", (char *)*state);
    fclose(fopen(image, "w"));
    start(program, "{\"name\": \"a\", \"image\": \"disc.iso\"}", &err);
    snprintf(want, sizeof want, "run\na\n--iso\n%s\n", image);
    assert_told(*state, want);
}

static void its_last_words_are_the_reason(void **state)
{
    static const struct {
        const char *end;
        enum vt_code code;
    } ends[] = {{"echo 'vitrine run: no \\033way' >&2; echo more >&2; exit 1", VT_E_REFUSED},
                {"exit 2", VT_E_INVAL},
                {"exit 3", VT_E_NOT_FOUND},
                {"kill -9 $$", VT_E_REFUSED}};
    char program[PATH_MAX];
    struct vt_error err;
    for (unsigned i = 0; i < 4; i++) {
        write_program(*state, ends[i].end, program);
        assert_int_equal(start(program, "{\"name\": \"a\"}", &err), ends[i].code);
        assert_true(err.message[0] != '\0');
        if (i == 0) {
            assert_non_null(strstr(err.message, "vitrine run: no "));
            assert_null(strchr(err.message, '\033'));
        }
    }
    assert_int_equal(start("/nothing/there", "{\"name\": \"a\"}", &err), VT_E_IO);
}

static void images_are_named_not_reached(void **state)
{
    static const char *const bad[] = {"../x", "a/b", ".hidden", "/etc/passwd", "x y"};
    char program[PATH_MAX], args[128], path[PATH_MAX];
    struct vt_error err;
    write_program(*state, "exit 0", program);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(args, sizeof args, "{\"name\": \"a\", \"image\": \"%s\"}", bad[i]);
        assert_int_equal(start(program, args, &err), VT_E_INVAL);
    }
    snprintf(path, sizeof path, "%s/DATA/images", (char *)*state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/DATA/images/link", (char *)*state);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(start(program, "{\"name\": \"a\", \"image\": \"link\"}", &err),
                     VT_E_NOT_FOUND);
    snprintf(path, sizeof path, "%s/told", (char *)*state);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void one_that_is_there_is_not_started(void **state)
{
    (void)state;
    struct fake_vm vm;
    struct vt_error err;
    fake_vm_start(&vm, "one");
    assert_int_equal(start("/nothing/there", "{\"name\": \"one\"}", &err), VT_E_EXISTS);
    fake_vm_end(&vm);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vt_test_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arguments_are_passed_on),
        TEST(its_last_words_are_the_reason),
        TEST(images_are_named_not_reached),
        TEST(one_that_is_there_is_not_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
