/* A client over a socket: lines, answers in any order, cancellation, the end. */
#include "tests/unit/harness.h"

#include "server/mcp.h"
#include "tests/unit/server/fake_ops.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

struct world {
    struct vt_mcp *mcp;
    int ours, theirs;
    pthread_t thread;
    bool running;
    volatile int stop;
    int rc;
};

static void *serve(void *arg)
{
    struct world *w = arg;
    w->rc = vt_mcp_serve(w->mcp, w->theirs, w->theirs, false, &w->stop, NULL);
    return NULL;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    int fds[2];
    fake_vms = 1;
    fake_rows = 3;
    fake_release = fake_interrupted = false;
    if (w == NULL || vt_mcp_create(NULL, &w->mcp, NULL) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -1;
    }
    w->ours = fds[0];
    w->theirs = fds[1];
    *state = w;
    w->running = pthread_create(&w->thread, NULL, serve, w) == 0;
    return w->running ? 0 : -1;
}

static void join(struct world *w)
{
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    w->running = false;
}

static int teardown(void **state)
{
    struct world *w = *state;
    if (w->running) {
        shutdown(w->ours, SHUT_WR);
        pthread_join(w->thread, NULL);
    }
    close(w->ours);
    close(w->theirs);
    vt_mcp_destroy(w->mcp);
    free(w);
    return 0;
}

static void put(struct world *w, const char *text, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = send(w->ours, text + done, bytes - done, MSG_NOSIGNAL);
        assert_true(n > 0);
        done += (size_t)n;
    }
}

static void say(struct world *w, const char *line)
{
    put(w, line, strlen(line));
    put(w, "\n", 1);
}

/* The next line as JSON; NULL at the end. */
static json_t *hear(struct world *w)
{
    size_t n = 0, room = 1 << 20;
    char *line = malloc(room);
    assert_non_null(line);
    while (n < room) {
        struct pollfd p = {.fd = w->ours, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 30000), 1);
        ssize_t got = recv(w->ours, line + n, 1, 0);
        if (got == 0) {
            break;
        }
        assert_int_equal(got, 1);
        if (line[n++] == '\n') {
            break;
        }
    }
    json_t *parsed = n > 0 ? json_loadb(line, n, 0, NULL) : NULL;
    assert_true(n == 0 || parsed != NULL);
    free(line);
    return parsed;
}

static json_int_t hear_id(struct world *w)
{
    json_t *reply = hear(w);
    assert_non_null(reply);
    json_int_t id = json_integer_value(json_object_get(reply, "id"));
    json_decref(reply);
    return id;
}

#define INITIALIZE                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{}}}"
#define PING(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"ping\"}"
#define WAIT(id)                                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"wait\"}}"

static void await_waiting(unsigned n)
{
    while (fake_waiting != n) {
        sched_yield();
    }
}

static void lines_come_in_pieces(void **state)
{
    static const char two[] = INITIALIZE "\r\n\n" PING("2") "\n";
    struct world *w = *state;
    for (size_t i = 0; i < sizeof two - 1; i++) {
        put(w, two + i, 1);
    }
    assert_int_equal(hear_id(w), 1);
    assert_int_equal(hear_id(w), 2);
}

static void a_slow_tool_holds_up_nobody(void **state)
{
    struct world *w = *state;
    say(w, INITIALIZE);
    assert_int_equal(hear_id(w), 1);
    say(w, WAIT("2"));
    await_waiting(1);
    say(w, PING("3"));
    assert_int_equal(hear_id(w), 3);
    say(w, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":"
           "{\"name\":\"list_vms\"}}");
    assert_int_equal(hear_id(w), 4);
    fake_release = true;
    assert_int_equal(hear_id(w), 2);
}

static void cancelled_requests_get_no_answer(void **state)
{
    struct world *w = *state;
    say(w, INITIALIZE);
    assert_int_equal(hear_id(w), 1);
    say(w, WAIT("2"));
    say(w, WAIT("\"2\""));
    await_waiting(2);
    say(w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
           "{\"requestId\":2}}");
    await_waiting(1);
    fake_release = true;
    json_t *reply = hear(w);
    assert_string_equal(json_string_value(json_object_get(reply, "id")), "2");
    json_decref(reply);
    shutdown(w->ours, SHUT_WR);
    join(w);
    close(w->theirs);
    w->theirs = -1;
    assert_null(hear(w));
}

static void too_many_at_once_are_refused(void **state)
{
    struct world *w = *state;
    unsigned refused = 0, answered = 0;
    say(w, INITIALIZE);
    assert_int_equal(hear_id(w), 1);
    for (unsigned i = 0; i < 70; i++) {
        say(w, WAIT("5"));
    }
    for (; refused < 6; refused++) {
        json_t *reply = hear(w);
        assert_int_equal(
            json_integer_value(json_object_get(json_object_get(reply, "error"), "code")), -32603);
        json_decref(reply);
    }
    fake_release = true;
    for (; answered < 64; answered++) {
        json_t *reply = hear(w);
        assert_non_null(json_object_get(reply, "result"));
        json_decref(reply);
    }
}

static void long_lines_are_refused_and_skipped(void **state)
{
    struct world *w = *state;
    char *text = malloc(3 * VT_MCP_MESSAGE_MAX);
    assert_non_null(text);
    memset(text, ' ', 3 * VT_MCP_MESSAGE_MAX);
    put(w, text, 3 * VT_MCP_MESSAGE_MAX);
    free(text);
    json_t *reply = hear(w);
    assert_true(json_is_null(json_object_get(reply, "id")));
    json_decref(reply);
    put(w, "}\n", 2); /* still of that line */
    say(w, PING("2"));
    assert_int_equal(hear_id(w), 2);
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    struct world *w = *state;
    say(w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}");
    json_t *reply = hear(w);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "error"), "code")),
                     -32700);
    assert_true(json_is_null(json_object_get(reply, "id")));
    json_decref(reply);
}

static void what_runs_at_the_end_is_answered(void **state)
{
    struct world *w = *state;
    fake_rows = 2000; /* an answer of many pieces */
    say(w, INITIALIZE);
    say(w,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"many\"}}");
    shutdown(w->ours, SHUT_WR);
    assert_int_equal(hear_id(w), 1);
    assert_int_equal(hear_id(w), 2);
    join(w);
    assert_int_equal(w->rc, 0);
}

static void so_is_what_takes_long(void **state)
{
    struct world *w = *state;
    say(w, INITIALIZE);
    say(w, WAIT("2"));
    shutdown(w->ours, SHUT_WR);
    assert_int_equal(hear_id(w), 1);
    await_waiting(1);
    struct pollfd p = {.fd = w->ours, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 1500), 0); /* neither an answer nor the end */
    fake_release = true;
    assert_int_equal(hear_id(w), 2);
    join(w);
    assert_int_equal(w->rc, 0);
}

static void begin_to_wait(struct world *w)
{
    say(w, INITIALIZE);
    assert_int_equal(hear_id(w), 1);
    say(w, WAIT("2"));
    await_waiting(1);
}

static void what_nobody_waits_for_is_interrupted(void **state)
{
    struct world *w = *state;
    begin_to_wait(w);
    close(w->ours);
    w->ours = -1;
    join(w);
    assert_int_equal(fake_waiting, 0);
}

static void what_runs_when_it_is_told_to_end_is_interrupted(void **state)
{
    struct world *w = *state;
    begin_to_wait(w);
    shutdown(w->ours, SHUT_WR);
    __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
    join(w);
    assert_int_equal(w->rc, 0);
    assert_int_equal(fake_waiting, 0);
}

static void a_client_that_reads_nothing_ends_too(void **state)
{
    struct world *w = *state;
    fake_rows = 2000;
    say(w, INITIALIZE);
    for (unsigned i = 0; i < 40; i++) { /* more than the socket holds */
        say(w, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":"
               "{\"name\":\"many\"}}");
    }
    shutdown(w->ours, SHUT_WR);
    join(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_tool_holds_up_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_requests_get_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_at_once_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lines_are_refused_and_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_runs_at_the_end_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(so_is_what_takes_long, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_runs_when_it_is_told_to_end_is_interrupted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_client_that_reads_nothing_ends_too, setup, teardown),
    };
    return cmocka_run_group_tests_name("mcp_stdio", tests, NULL, NULL);
}
