/* tests/unit/machine/test_discover.c - what command lines of QEMUs say about their QMP sockets. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/discover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `line` with blanks where /proc/<pid>/cmdline has zeros. */
static bool parse(const char *line, struct vt_cmdline *parsed)
{
    char text[1024];
    size_t n = strlen(line) + 1;
    assert_true(n <= sizeof text);
    memcpy(text, line, n);
    for (size_t i = 0; i < n; i++) {
        text[i] = text[i] == ' ' ? '\0' : text[i];
    }
    return vt_discover_parse(text, n, parsed);
}

static void sockets(void **state)
{
    (void)state;
    static const struct {
        const char *line, *name, *path;
        int fd;
    } cases[] = {
        {"qemu-system-x86_64 -name web -qmp unix:/tmp/q,server=on", "web", "/tmp/q", -1},
        {"/opt/x/ld-linux.so.2 --library-path /l /u/qemu-system-arm --qmp unix:q", "", "q", -1},
        {"/usr/libexec/qemu-kvm -name guest=db,debug-threads=on -mon chardev=m,mode=control "
         "-chardev socket,id=m,fd=24,server=on",
         "db", "", 24},
        {"kvm -chardev socket,path=/a,,b,id=c -qmp chardev:c", "", "/a,b", -1},
        {"qemu-system-x86_64 -qmp-pretty unix:/p -qmp unix:/second", "", "/p", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_cmdline parsed;
        assert_true(parse(cases[i].line, &parsed));
        assert_string_equal(parsed.name, cases[i].name);
        assert_true(parsed.n_monitors >= 1);
        assert_string_equal(parsed.monitors[0].path, cases[i].path);
        assert_int_equal(parsed.monitors[0].fd, cases[i].fd);
    }
}

static void nothing_to_attach_to(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "qemu-system-x86_64",
        "qemu-system-x86_64 -qmp",
        "qemu-system-x86_64 -qmp stdio",
        "qemu-system-x86_64 -qmp tcp:localhost:4444,server=on",
        "qemu-system-x86_64 -monitor unix:/tmp/human",
        "qemu-system-x86_64 -mon chardev=m,mode=readline -chardev socket,id=m,path=/x",
        "qemu-system-x86_64 -mon chardev=absent,mode=control",
        "qemu-system-x86_64 -chardev socket,id=m -mon chardev=m,mode=control",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct vt_cmdline parsed;
        assert_true(parse(lines[i], &parsed));
        assert_int_equal(parsed.n_monitors, 0);
    }
}

static void no_qemu(void **state)
{
    (void)state;
    struct vt_cmdline parsed;
    assert_false(parse("vi qemu-system-x86_64.c", &parsed));
    assert_false(parse("/bin/true", &parsed));
    assert_false(vt_discover_parse("", 0, &parsed));
    assert_false(vt_discover_parse("qemu-system-x86_64", 18, &parsed)); /* cut */
}

static void many_monitors_are_capped(void **state)
{
    (void)state;
    struct vt_cmdline parsed;
    char line[1024] = "qemu-system-x86_64";
    for (int i = 0; i < 20; i++) {
        strcat(line, " -qmp unix:/x");
    }
    assert_true(parse(line, &parsed));
    assert_int_equal(parsed.n_monitors, VT_DISCOVER_MONITORS_MAX);
}

static void listening(void **state)
{
    (void)state;
    char dir[] = "/tmp/vitrine-test-XXXXXX", path[64];
    int fd;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/q.sock", dir);
    assert_false(vt_discover_listens(path));
    assert_int_equal(vt_unix_listen(path, 1, &fd, NULL), 0);
    assert_true(vt_discover_listens(path));
    assert_int_equal(vt_discover_pid(path), 0); /* it is this program's, which is no QEMU */
    close(fd);
    assert_false(vt_discover_listens(path));
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets),   cmocka_unit_test(nothing_to_attach_to),
        cmocka_unit_test(no_qemu),   cmocka_unit_test(many_monitors_are_capped),
        cmocka_unit_test(listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
