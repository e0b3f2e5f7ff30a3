/* tests/unit/machine/test_keeper_socket.c - keeper.sock and the console behind it: lines, services,
 * many clients, backlog, and clients that do not read or never ask. The loop runs in a thread. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/console_server.h"
#include "machine/keeper_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATER vt_deadline_ms(20000)

static struct {
    char dir[64], path[128], log[128];
    struct vt_loop *loop;
    struct vt_keeper_socket *sock;
    struct vt_console *console;
    struct vt_keeper_entry entries[3];
    int guest;   /* the guest's end of the serial line */
    int quit[2]; /* a byte ends the loop */
    pthread_t thread;
} k;

static void on_console(void *arg, const char *args, int fd)
{
    (void)arg;
    vt_console_add_client(k.console, fd, strcmp(args, "noreplay") != 0);
}

static void on_echo(void *arg, const char *args, int fd)
{
    (void)arg;
    vt_write_all(fd, args, strlen(args), "echo", NULL);
    close(fd);
}

static void on_quit(struct vt_source *source, uint32_t events, void *arg)
{
    (void)source;
    (void)events;
    (void)arg;
    vt_loop_stop(k.loop, 0);
}

static void *run_loop(void *arg)
{
    (void)arg;
    vt_loop_run(k.loop, NULL);
    return NULL;
}

static int setup(void **state)
{
    int pair[2];
    (void)state;
    strcpy(k.dir, "/tmp/vitrine-test-XXXXXX");
    assert_non_null(mkdtemp(k.dir));
    snprintf(k.path, sizeof k.path, "%s/keeper.sock", k.dir);
    snprintf(k.log, sizeof k.log, "%s/console.log", k.dir);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(k.quit, O_CLOEXEC), 0);
    k.guest = pair[1];
    k.entries[0] = (struct vt_keeper_entry){"console", on_console, NULL};
    k.entries[1] = (struct vt_keeper_entry){"echo", on_echo, NULL};
    assert_int_equal(vt_loop_create(&k.loop, NULL), 0);
    assert_int_equal(vt_console_create(k.loop, pair[0], k.log, &k.console, NULL), 0);
    assert_int_equal(vt_keeper_socket_create(k.loop, k.path, k.entries, 2, &k.sock, NULL), 0);
    assert_int_equal(vt_loop_add_fd(k.loop, k.quit[0], EPOLLIN, on_quit, NULL, NULL, NULL), 0);
    return pthread_create(&k.thread, NULL, run_loop, NULL);
}

static int teardown(void **state)
{
    char older[160];
    (void)state;
    assert_int_equal(write(k.quit[1], "", 1), 1);
    pthread_join(k.thread, NULL);
    vt_keeper_socket_destroy(k.sock);
    vt_console_destroy(k.console);
    vt_loop_destroy(k.loop);
    close(k.guest);
    close(k.quit[0]);
    close(k.quit[1]);
    snprintf(older, sizeof older, "%s.1", k.log);
    unlink(older);
    unlink(k.log);
    unlink(k.path);
    return rmdir(k.dir);
}

static int ask(const char *service)
{
    struct vt_error err;
    int fd = -1;
    if (vt_keeper_request(k.path, "web", service, LATER, NULL, &fd, &err) != 0) {
        fail_msg("%s: %s", service, err.message);
    }
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(vt_write_all(fd, text, strlen(text), "peer", NULL), 0);
}

static void hear(int fd, const char *want)
{
    char got[256] = "";
    assert_true(strlen(want) < sizeof got);
    assert_int_equal(vt_wait_fd(fd, POLLIN, LATER, NULL, NULL), 0);
    assert_int_equal(vt_read_all(fd, got, strlen(want), "peer", NULL), 0);
    assert_string_equal(got, want);
}

static void hear_end(int fd)
{
    char byte;
    assert_int_equal(vt_wait_fd(fd, POLLIN, LATER, NULL, NULL), 0);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

static void services_are_found_by_name(void **state)
{
    (void)state;
    struct vt_error err;
    int fd = ask("echo some words");
    hear(fd, "some words");
    hear_end(fd);
    fd = -7;
    assert_int_equal(vt_keeper_request(k.path, "web", "ech", LATER, NULL, &fd, &err),
                     VT_E_NOT_FOUND);
    assert_string_equal(err.message, "web: 'ech': no such service");
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(vt_keeper_request(k.path, "web", long_name, LATER, NULL, &fd, &err),
                     VT_E_INVAL);
    assert_int_equal(fd, -7);
}

static void lines_in_pieces_and_too_long(void **state)
{
    (void)state;
    int fd;
    assert_int_equal(vt_unix_connect(k.path, &fd, NULL), 0);
    say(fd, "ec");
    say(fd, "ho pie");
    say(fd, "ces\n");
    hear(fd, "ok\npieces");
    hear_end(fd);
    assert_int_equal(vt_unix_connect(k.path, &fd, NULL), 0);
    char line[VT_KEEPER_LINE_MAX];
    memset(line, 'e', sizeof line);
    assert_int_equal(vt_write_all(fd, line, sizeof line, "peer", NULL), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1); /* an end, or a reset with bytes unread */
    assert_true(read(fd, line, 1) <= 0);
    close(fd);
}

static void those_who_never_ask_make_room(void **state)
{
    (void)state;
    int silent[VT_KEEPER_PENDING_MAX + 1];
    for (int i = 0; i <= VT_KEEPER_PENDING_MAX; i++) {
        assert_int_equal(vt_unix_connect(k.path, &silent[i], NULL), 0);
    }
    hear_end(silent[0]);
    int fd = ask("echo here");
    hear(fd, "here");
    hear_end(fd);
    for (int i = 1; i <= VT_KEEPER_PENDING_MAX; i++) {
        close(silent[i]);
    }
}

static void everybody_hears_the_guest(void **state)
{
    (void)state;
    int first = ask("console");
    say(k.guest, "boot\n");
    hear(first, "boot\n");
    int late = ask("console"), fresh = ask("console noreplay");
    hear(late, "boot\n");
    say(first, "ls\n");
    hear(k.guest, "ls\n");
    say(fresh, "ps\n");
    hear(k.guest, "ps\n");
    say(k.guest, "answer");
    hear(first, "answer");
    hear(late, "answer");
    hear(fresh, "answer");
    close(first);
    close(late);
    say(k.guest, "more");
    hear(fresh, "more");
    close(fresh);
    char *log;
    assert_int_equal(vt_read_file(k.log, 4096, &log, NULL, NULL), 0);
    assert_string_equal(log, "boot\nanswermore");
    free(log);
}

static void a_client_that_does_not_read_holds_nobody_up(void **state)
{
    (void)state;
    int stuck = ask("console"), reader = ask("console");
    char block[4096], got[4096];
    memset(block, 'x', sizeof block);
    const size_t blocks = 800; /* more than a socket's buffer holds, and than a log part */
    for (size_t i = 0; i < blocks; i++) {
        block[0] = (char)('a' + (int)(i % 26));
        assert_int_equal(vt_write_all(k.guest, block, sizeof block, "guest", NULL), 0);
        assert_int_equal(vt_read_all(reader, got, sizeof got, "console", NULL), 0);
        assert_memory_equal(got, block, sizeof got);
    }
    ssize_t n;
    uint64_t kept = 0;
    while ((n = read(stuck, got, sizeof got)) > 0) {
        kept += (uint64_t)n;
    }
    assert_true(kept < blocks * sizeof block); /* it was dropped on the way */
    close(stuck);
    int late = ask("console"); /* the backlog is the last 64 KiB, in order */
    for (size_t i = blocks - VT_CONSOLE_BACKLOG / sizeof block; i < blocks; i++) {
        block[0] = (char)('a' + (int)(i % 26));
        assert_int_equal(vt_read_all(late, got, sizeof got, "console", NULL), 0);
        assert_memory_equal(got, block, sizeof got);
    }
    struct stat st;
    assert_int_equal(stat(k.log, &st), 0);
    assert_true((uint64_t)st.st_size <= VT_CONSOLE_LOG_MAX);
    close(late);
    close(reader);
}

static void input_waits_for_the_guest(void **state)
{
    (void)state;
    int fd = ask("console");
    char block[4096], got[4096];
    size_t sent = 0, received = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    /* Until everything between here and the guest is full. */
    for (int idle = 0; idle < 3;) {
        for (size_t i = 0; i < sizeof block; i++) {
            block[i] = (char)((sent + i) % 251);
        }
        ssize_t n = send(fd, block, sizeof block, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        idle = n > 0 ? 0 : idle + (poll(&p, 1, 50) == 0);
    }
    while (received < sent) {
        ssize_t n = read(k.guest, got, sizeof got);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal((unsigned char)got[i], (received + (size_t)i) % 251);
        }
        received += (size_t)n;
    }
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(services_are_found_by_name),
        TEST(lines_in_pieces_and_too_long),
        TEST(those_who_never_ask_make_room),
        TEST(everybody_hears_the_guest),
        TEST(a_client_that_does_not_read_holds_nobody_up),
        TEST(input_waits_for_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
