/* tests/unit/base/test_unix_socket.c - sockets by path, however long, and descriptors over them. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char *in(const char *dir, const char *name)
{
    static char path[PATH_MAX];
    assert_int_equal(vt_path_format(path, NULL, "%s/%s", dir, name), 0);
    return path;
}

static void talk(const char *path)
{
    struct vt_error err;
    int listener = -1, client = -1;
    assert_int_equal(vt_unix_listen(path, 4, &listener, &err), 0);
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(vt_unix_connect(path, &client, &err), 0);
    assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    char text[3] = "";
    assert_int_equal(vt_write_all(client, "hi", 2, "server", &err), 0);
    assert_int_equal(vt_read_all(server, text, 2, "client", &err), 0);
    assert_string_equal(text, "hi");
    close(server);
    close(client);
    close(listener);
}

static void short_and_long_paths(void **state)
{
    const char *top = *state;
    char path[PATH_MAX];
    talk(in(top, "s"));
    /* Every length around the limit of sun_path, 108 with its zero, and one far beyond. */
    static const int lengths[] = {104, 105, 106, 107, 108, 109, 110, 111, 250};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int padding = lengths[i] - (int)strlen(top) - (int)strlen("//qmp.sock");
        assert_int_equal(vt_path_format(path, NULL, "%s/%0*d", top, padding, 0), 0);
        assert_int_equal(vt_make_dirs(path, 0700, NULL), 0);
        assert_int_equal(strlen(in(path, "qmp.sock")), lengths[i]);
        talk(in(path, "qmp.sock"));
    }
}

static void failures_say_which(void **state)
{
    struct vt_error err;
    int fd = 77, listener = -1;
    assert_int_equal(vt_unix_connect(in(*state, "none"), &fd, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/none: "));
    assert_int_equal(vt_unix_connect("", &fd, &err), VT_E_INVAL);
    assert_int_equal(vt_unix_listen("", 1, &fd, &err), VT_E_INVAL);
    assert_int_equal(vt_write_file_atomic(in(*state, "file"), "", 0, 0600, NULL), 0);
    assert_int_equal(vt_unix_connect(in(*state, "file"), &fd, &err), VT_E_GONE);
    assert_int_equal(vt_unix_listen(in(*state, "file"), 1, &fd, &err), VT_E_EXISTS);
    assert_int_equal(vt_unix_listen(in(*state, "s"), 1, &listener, &err), 0);
    assert_int_equal(vt_unix_listen(in(*state, "s"), 1, &fd, &err), VT_E_EXISTS);
    close(listener);
    assert_int_equal(vt_unix_connect(in(*state, "s"), &fd, &err), VT_E_GONE);
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(vt_unix_connect(in(*state, name), &fd, &err), VT_E_INVAL);
    assert_int_equal(vt_unix_connect(name, &fd, &err), VT_E_INVAL);
    assert_int_equal(fd, 77);
}

/* A listener that never accepts, its queue full: an answer comes all the same. */
static void a_full_queue_is_busy(void **state)
{
    struct vt_error err;
    int listener = -1, clients[16], n = 0, rc = 0;
    assert_int_equal(vt_unix_listen(in(*state, "s"), 0, &listener, &err), 0);
    while (n < 16 && rc == 0) {
        rc = vt_unix_connect(in(*state, "s"), &clients[n], &err);
        n += rc == 0;
    }
    assert_int_equal(rc, VT_E_BUSY);
    while (n > 0) {
        close(clients[--n]);
    }
    close(listener);
}

static void descriptors_travel(void **state)
{
    (void)state;
    struct vt_error err;
    int pair[2], p[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(vt_send_fds(pair[0], "abc", 3, p, 2, &err), 0);
    char text[8];
    size_t count = sizeof text, n = 4;
    int got[4];
    assert_int_equal(vt_recv_fds(pair[1], text, &count, got, &n, &err), 0);
    assert_int_equal(count, 3);
    assert_memory_equal(text, "abc", 3);
    assert_int_equal(n, 2);
    assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(got[1], "x", 1), 1);
    assert_int_equal(read(p[0], text, 1), 1);
    assert_int_equal(text[0], 'x');
    for (int i = 0; i < 2; i++) {
        close(got[i]);
        close(p[i]);
    }
    assert_int_equal(vt_send_fds(pair[0], "plain", 5, NULL, 0, &err), 0);
    count = sizeof text;
    n = 4;
    assert_int_equal(vt_recv_fds(pair[1], text, &count, got, &n, &err), 0);
    assert_int_equal(count, 5);
    assert_int_equal(n, 0);
    close(pair[0]);
    count = sizeof text;
    assert_int_equal(vt_recv_fds(pair[1], text, &count, got, &n, &err), 0);
    assert_int_equal(count, 0);
    close(pair[1]);
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void surplus_descriptors_are_closed(void **state)
{
    (void)state;
    struct vt_error err;
    int pair[2], fds[9];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 9; i++) {
        fds[i] = pair[0];
    }
    assert_int_equal(vt_send_fds(pair[0], "x", 1, fds, 9, &err), VT_E_INVAL);
    assert_int_equal(vt_send_fds(pair[0], "", 0, fds, 1, &err), VT_E_INVAL);
    unsigned before = open_descriptors();
    assert_int_equal(vt_send_fds(pair[0], "x", 1, fds, 8, &err), 0);
    char text[8];
    size_t count = sizeof text, n = 3;
    int got[3];
    assert_int_equal(vt_recv_fds(pair[1], text, &count, got, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(open_descriptors(), before + 3);
    for (int i = 0; i < 3; i++) {
        close(got[i]);
    }
    close(pair[1]);
    assert_int_equal(vt_send_fds(pair[0], "x", 1, NULL, 0, &err), VT_E_GONE);
    close(pair[0]);
    assert_int_equal(vt_recv_fds(-1, text, &count, got, &n, &err), VT_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(short_and_long_paths),
        vt_test_in_dir(failures_say_which),
        vt_test_in_dir(a_full_queue_is_busy),
        cmocka_unit_test(descriptors_travel),
        cmocka_unit_test(surplus_descriptors_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
