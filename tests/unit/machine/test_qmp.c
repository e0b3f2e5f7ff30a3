/* tests/unit/machine/test_qmp.c - the QMP client against peers that answer, babble, stay silent or
 * go away. What the peer says stands in the socket before it is asked: ids count from 1. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/qmp.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING                                                                                   \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 3, \"minor\": 1, \"major\": 11}, "             \
    "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define AGREED "{\"return\": {}, \"id\": 1}\r\n"
#define SOON vt_deadline_ms(20)
#define LATER vt_deadline_ms(10000)

struct peer {
    int theirs;
    struct vt_qmp *qmp;
    struct vt_error err;
};

/* The peer says `script`; returns what negotiating came to. */
static int meet(struct peer *p, const char *script, bool hang_up, uint64_t deadline)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *p = (struct peer){.theirs = pair[0]};
    assert_int_equal(vt_write_all(p->theirs, script, strlen(script), "script", NULL), 0);
    if (hang_up) {
        assert_int_equal(shutdown(p->theirs, SHUT_WR), 0);
    }
    return vt_qmp_adopt(pair[1], "a.sock", deadline, NULL, &p->qmp, &p->err);
}

static void part(struct peer *p)
{
    vt_qmp_close(p->qmp);
    close(p->theirs);
}

static void failed_with(struct peer *p, int rc, enum vt_code code, const char *words)
{
    assert_int_equal(rc, code);
    assert_int_equal(p->err.code, code);
    assert_int_equal(strncmp(p->err.message, "a.sock: ", 8), 0);
    if (strstr(p->err.message, words) == NULL) {
        fail_msg("'%s' lacks '%s'", p->err.message, words);
    }
}

static void answers(void **state)
{
    (void)state;
    struct peer p;
    json_t *reply;
    assert_int_equal(meet(&p,
                          GREETING AGREED
                          "{\"return\": {\"status\": \"running\"}, \"id\": 2}\r\n"
                          "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\\u001b way\"}, "
                          "\"id\": 3}\n"
                          "{\"return\": \"a\\r\\nb\", \"id\": 4}\n",
                          false, LATER),
                     0);
    assert_string_equal(vt_qmp_version(p.qmp), "11.1.3");
    assert_int_equal(
        vt_qmp_execute(p.qmp, "query-status", json_pack("{s:b}", "x", 1), LATER, &reply, &p.err),
        0);
    assert_string_equal(json_string_value(json_object_get(reply, "status")), "running");
    json_decref(reply);
    failed_with(&p, vt_qmp_execute(p.qmp, "cont", NULL, LATER, &reply, &p.err), VT_E_REFUSED,
                "cont: no\\x1b way");
    char *text;
    assert_int_equal(vt_qmp_human(p.qmp, "info", LATER, &text, &p.err), 0);
    assert_string_equal(text, "a\r\nb");
    free(text);

    char sent[512];
    ssize_t n = read(p.theirs, sent, sizeof sent - 1);
    assert_true(n > 0);
    sent[n] = '\0';
    assert_string_equal(sent, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
                              "{\"execute\":\"query-status\",\"id\":2,\"arguments\":{\"x\":true}}\n"
                              "{\"execute\":\"cont\",\"id\":3}\n"
                              "{\"execute\":\"human-monitor-command\",\"id\":4,\"arguments\":"
                              "{\"command-line\":\"info\"}}\n");
    part(&p);
}

static void late_and_foreign_replies_are_dropped(void **state)
{
    (void)state;
    struct peer p;
    json_t *reply;
    assert_int_equal(meet(&p, GREETING "{\"return\": 0, \"id\": 99}\n" AGREED, false, LATER), 0);
    failed_with(&p, vt_qmp_execute(p.qmp, "stop", NULL, SOON, &reply, &p.err), VT_E_TIMEOUT,
                "stop was not answered in time");
    static const char late[] = "{\"return\": 2, \"id\": 2}\n{\"return\": 0, \"id\": \"3\"}\n"
                               "{\"return\": 3, \"id\": 3}\n";
    assert_int_equal(vt_write_all(p.theirs, late, sizeof late - 1, "", NULL), 0);
    assert_int_equal(vt_qmp_execute(p.qmp, "cont", NULL, LATER, &reply, &p.err), 0);
    assert_int_equal(json_integer_value(reply), 3);
    json_decref(reply);
    part(&p);
}

static void count_event(const char *event, json_t *data, void *arg)
{
    unsigned *seen = arg;
    assert_string_equal(event, "STOP");
    assert_int_equal(json_integer_value(json_object_get(data, "n")), *seen);
    ++*seen;
}

static void events_are_handed_out(void **state)
{
    (void)state;
    struct peer p;
    unsigned seen = 0;
    assert_int_equal(meet(&p,
                          "{\"event\": 5}\n" GREETING AGREED
                          "{\"event\": \"STOP\", \"data\": {\"n\": 0}}\n"
                          "{\"event\": \"STOP\", \"data\": {\"n\": 1}}\n"
                          "{\"return\": {}, \"id\": 2}\n"
                          "{\"event\": \"STOP\", \"data\": {\"n\": 2}}\n",
                          false, LATER),
                     0);
    vt_qmp_on_event(p.qmp, count_event, &seen);
    assert_int_equal(vt_qmp_execute(p.qmp, "stop", NULL, LATER, NULL, &p.err), 0);
    assert_int_equal(vt_qmp_wait_event(p.qmp, "STOP", LATER, &p.err), 0); /* one came already */
    assert_int_equal(vt_qmp_dispatch(p.qmp, &p.err), 0);
    assert_int_equal(seen, 3);
    failed_with(&p, vt_qmp_wait_event(p.qmp, "RESUME", SOON, &p.err), VT_E_TIMEOUT, "RESUME");
    static const char more[] = "{\"event\": \"STOP\", \"data\": {\"n\": 3}}\n{\"event\": ";
    assert_int_equal(vt_write_all(p.theirs, more, sizeof more - 1, "", NULL), 0);
    assert_int_equal(vt_qmp_dispatch(p.qmp, &p.err), 0);
    assert_int_equal(seen, 4);
    shutdown(p.theirs, SHUT_WR);
    failed_with(&p, vt_qmp_dispatch(p.qmp, &p.err), VT_E_GONE, "in the middle of a line");
    part(&p);
}

static void peers_that_are_no_qemu(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        bool hang_up;
        enum vt_code code;
        const char *words;
    } cases[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n", false, VT_E_PROTOCOL, "not QMP: 'SSH-2.0-OpenSSH_9.2'"},
        {"\x1b[2Jgarbage that is longer than forty characters are\n", false, VT_E_PROTOCOL,
         "\\x1b[2Jgarbage"},
        {"[1]\n", false, VT_E_PROTOCOL, "not QMP"},
        {"{\"QMP\": {\"version\": 5}}\n", false, VT_E_PROTOCOL, "greeting"},
        {"", false, VT_E_TIMEOUT, "another client holds the socket"},
        {"{\"QMP\": ", false, VT_E_TIMEOUT, "half a line"},
        {"{\"QMP\": ", true, VT_E_GONE, "in the middle of a line"},
        {"", true, VT_E_GONE, "closed the connection"},
        {GREETING, false, VT_E_TIMEOUT, "qmp_capabilities was not answered"},
        {GREETING, true, VT_E_GONE, "closed the connection"},
        {GREETING "{\"id\": 1}\n", false, VT_E_PROTOCOL, "without 'return'"},
        {GREETING "{\"error\": {}}\n", false, VT_E_REFUSED, "no reason given"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p;
        int rc = meet(&p, cases[i].script, cases[i].hang_up,
                      cases[i].code == VT_E_TIMEOUT ? SOON : LATER);
        failed_with(&p, rc, cases[i].code, cases[i].words);
        close(p.theirs);
    }
}

/* Says the same thing until nobody listens. */
static void *babble(void *arg)
{
    int fd = *(int *)arg;
    static char flood[1 << 16];
    static const char event[] = "{\"event\": \"RTC_CHANGE\"}\n";
    size_t n = 0;
    while (n + sizeof event < sizeof flood) {
        memcpy(flood + n, event, sizeof event - 1);
        n += sizeof event - 1;
    }
    while (send(fd, flood, n, MSG_NOSIGNAL) > 0) {
    }
    return NULL;
}

static void *endless_line(void *arg)
{
    int fd = *(int *)arg;
    static char flood[1 << 16];
    memset(flood, '[', sizeof flood);
    while (send(fd, flood, sizeof flood, MSG_NOSIGNAL) > 0) {
    }
    return NULL;
}

static void a_flood_of_events_does_not_outlive_the_deadline(void **state)
{
    (void)state;
    struct peer p;
    pthread_t thread;
    assert_int_equal(meet(&p, GREETING AGREED, false, LATER), 0);
    assert_int_equal(pthread_create(&thread, NULL, babble, &p.theirs), 0);
    failed_with(&p, vt_qmp_execute(p.qmp, "stop", NULL, SOON, NULL, &p.err), VT_E_TIMEOUT, "stop");
    vt_qmp_close(p.qmp);
    pthread_join(thread, NULL);
    close(p.theirs);
}

static void a_line_has_a_limit(void **state)
{
    (void)state;
    struct peer p;
    pthread_t thread;
    assert_int_equal(meet(&p, GREETING AGREED, false, LATER), 0);
    assert_int_equal(pthread_create(&thread, NULL, endless_line, &p.theirs), 0);
    failed_with(&p, vt_qmp_execute(p.qmp, "stop", NULL, VT_NO_DEADLINE, NULL, &p.err), VT_E_LIMIT,
                "16 MiB");
    vt_qmp_close(p.qmp);
    pthread_join(thread, NULL);
    close(p.theirs);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct peer p;
    char *deep = calloc(1, 300002);
    assert_non_null(deep);
    memset(deep, '[', 150000);
    deep[150000] = '\n';
    int rc = meet(&p, deep, false, LATER);
    failed_with(&p, rc, VT_E_PROTOCOL, "not QMP");
    close(p.theirs);
    free(deep);
}

static void waits_can_be_cancelled(void **state)
{
    (void)state;
    struct peer p;
    int pipe_fds[2];
    volatile int stop = 1;
    assert_int_equal(meet(&p, GREETING AGREED, false, LATER), 0);
    struct vt_qmp_cancel by_flag = {.stop = &stop, .fd = -1};
    vt_qmp_set_cancel(p.qmp, &by_flag);
    failed_with(&p, vt_qmp_execute(p.qmp, "stop", NULL, VT_NO_DEADLINE, NULL, &p.err),
                VT_E_INTERRUPTED, "interrupted");
    assert_int_equal(pipe(pipe_fds), 0);
    struct vt_qmp_cancel by_fd = {.fd = pipe_fds[0]};
    vt_qmp_set_cancel(p.qmp, &by_fd);
    close(pipe_fds[1]);
    failed_with(&p, vt_qmp_execute(p.qmp, "stop", NULL, VT_NO_DEADLINE, NULL, &p.err),
                VT_E_INTERRUPTED, "interrupted");
    close(pipe_fds[0]);
    part(&p);
}

static void descriptors_travel_with_the_command(void **state)
{
    (void)state;
    struct peer p;
    int pipe_fds[2];
    assert_int_equal(meet(&p, GREETING AGREED "{\"return\": {}, \"id\": 2}\n", false, LATER), 0);
    char bytes[256];
    size_t count = sizeof bytes, n_fds = 1;
    int fd = -1;
    assert_true(read(p.theirs, bytes, sizeof bytes) > 0); /* qmp_capabilities */
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(vt_qmp_execute_fd(p.qmp, "getfd", json_pack("{s:s}", "fdname", "f"),
                                       pipe_fds[1], LATER, NULL, &p.err),
                     0);
    assert_int_equal(vt_recv_fds(p.theirs, bytes, &count, &fd, &n_fds, NULL), 0);
    assert_int_equal(n_fds, 1);
    assert_int_equal(bytes[0], '{');
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipe_fds[0], bytes, 1), 1);
    close(fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    part(&p);
}

static void sockets_that_are_not_there(void **state)
{
    (void)state;
    struct vt_qmp *qmp = NULL;
    struct vt_error err;
    char dir[] = "/tmp/vitrine-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/qmp.sock", dir);
    assert_int_equal(vt_qmp_connect(path, LATER, NULL, &qmp, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(vt_qmp_reconnect(path, SOON, NULL, &qmp, &err), VT_E_NOT_FOUND);
    int fd;
    assert_int_equal(vt_unix_listen(path, 1, &fd, &err), 0);
    close(fd); /* the file stays: a stale socket */
    assert_int_equal(vt_qmp_connect(path, LATER, NULL, &qmp, &err), VT_E_GONE);
    assert_non_null(strstr(err.message, path));
    assert_null(qmp);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(late_and_foreign_replies_are_dropped),
        cmocka_unit_test(events_are_handed_out),
        cmocka_unit_test(peers_that_are_no_qemu),
        cmocka_unit_test(a_flood_of_events_does_not_outlive_the_deadline),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(waits_can_be_cancelled),
        cmocka_unit_test(descriptors_travel_with_the_command),
        cmocka_unit_test(sockets_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
