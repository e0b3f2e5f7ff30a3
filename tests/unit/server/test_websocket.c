/* The WebSocket handshake, against the example of RFC 6455 (1.3), and what is refused. */
#include "tests/unit/harness.h"

#include "server/websocket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static void the_example_of_the_rfc(void **state)
{
    const struct vt_ws_request request = {.upgrade = "websocket",
                                          .connection = "Upgrade",
                                          .version = "13",
                                          .key = KEY,
                                          .protocol = "chat, vitrine.events.v1",
                                          .http_1_1 = true};
    char accept[VT_WS_ACCEPT_MAX];
    const char *protocol = NULL;
    (void)state;
    assert_int_equal(vt_ws_handshake(&request, VT_WS_EVENTS, accept, &protocol), 101);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_string_equal(protocol, VT_WS_EVENTS);
}

static void handshakes(void **state)
{
    static const struct {
        struct vt_ws_request request;
        unsigned status;
    } table[] = {
        {{"websocket", "Upgrade", "13", KEY, NULL, true}, 101},
        {{"WebSocket", "keep-alive, upgrade", "13", KEY, NULL, true}, 101},
        {{"h2c, websocket", "keep-alive ,\tUpgrade ", "13", KEY, NULL, true}, 101},
        {{"websocket", "Upgrade", "13", KEY, NULL, false}, 400},
        {{NULL, "Upgrade", "13", KEY, NULL, true}, 426},
        {{"websocket", "Upgrade", NULL, KEY, NULL, true}, 426},
        {{"websocket", "Upgrade", "8", KEY, NULL, true}, 426},
        {{"websockets", "Upgrade", "13", KEY, NULL, true}, 400},
        {{"websocket", "close", "13", KEY, NULL, true}, 400},
        {{"websocket", "upgraded", "13", KEY, NULL, true}, 400},
        {{"websocket", NULL, "13", KEY, NULL, true}, 400},
        {{"websocket", "Upgrade", "13", NULL, NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZSEh", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "????????????????????????", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "chat", true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "Vitrine.events.v1", true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "vitrine.events.v10", true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "", true}, 400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char accept[VT_WS_ACCEPT_MAX];
        const char *protocol = "unset";
        unsigned status = vt_ws_handshake(&table[i].request, VT_WS_EVENTS, accept, &protocol);
        if (status != table[i].status) {
            fail_msg("handshake %zu: %u", i, status);
        }
        assert_true(status != 101 || protocol == NULL);
    }
}

struct ending {
    struct vt_loop *loop;
    unsigned ends;
    enum vt_ws_end how;
};

static void on_ended(struct vt_ws *ws, enum vt_ws_end how, void *arg)
{
    struct ending *e = arg;
    (void)ws;
    e->ends++;
    e->how = how;
    vt_loop_stop(e->loop, 0);
}

static const struct vt_ws_calls ends_only = {.ended = on_ended};

/* Reads what the server said, to its end; the code of its close. */
static unsigned read_close(int fd)
{
    static unsigned char text[1 << 22];
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, text + n, sizeof text - n)) > 0) {
        n += (size_t)got;
    }
    unsigned code = 0;
    for (size_t at = 0; at + 2 <= n;) {
        size_t bytes = text[at + 1], head = 2;
        if (bytes == 126) {
            bytes = (size_t)text[at + 2] << 8 | text[at + 3];
            head = 4;
        }
        if ((text[at] & 0x0f) == 8 && at + head + 2 <= n) {
            code = (unsigned)text[at + head] << 8 | text[at + head + 1];
        }
        at += head + bytes;
    }
    return code;
}

/* Who does not read is told to come back later, once he reads, and is dropped in any case. */
static void slow_readers_are_dropped(void **state)
{
    static const struct vt_ws_limits limits = {.queue_bytes = 100000,
                                               .queue_count = 1000,
                                               .ping_ns = UINT64_C(60000000000),
                                               .close_ns = UINT64_C(50000000)};
    struct ending e = {0};
    struct vt_ws *ws;
    char text[1000];
    int fds[2];
    unsigned sent = 0;
    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(vt_loop_create(&e.loop, NULL), 0);
    assert_int_equal(vt_ws_create(e.loop, fds[0], NULL, 0, &limits, &ends_only, &e, &ws, NULL), 0);
    while (vt_ws_send(ws, text, sizeof text)) {
        assert_true(++sent < 100000);
    }
    assert_true(vt_ws_send(ws, text, sizeof text)); /* closing: nothing more is taken */
    assert_int_equal(e.ends, 0);                    /* it is told from the loop */
    assert_int_equal(vt_loop_run(e.loop, NULL), 0);
    assert_int_equal(e.ends, 1);
    assert_int_equal(e.how, VT_WS_SLOW);
    close(fds[0]);
    close(fds[1]);
    vt_loop_destroy(e.loop);
}

static void the_server_goes(void **state)
{
    static const unsigned char answer[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9}; /* masked by 0 */
    struct ending e = {0};
    struct vt_ws *ws;
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(vt_loop_create(&e.loop, NULL), 0);
    assert_int_equal(
        vt_ws_create(e.loop, fds[0], NULL, 0, &vt_ws_limits, &ends_only, &e, &ws, NULL), 0);
    vt_ws_close(ws, 1001, "going");
    assert_int_equal(write(fds[1], answer, sizeof answer), sizeof answer);
    assert_int_equal(vt_loop_run(e.loop, NULL), 0);
    assert_int_equal(e.ends, 1);
    assert_int_equal(e.how, VT_WS_CLOSED);
    close(fds[0]);
    assert_int_equal(read_close(fds[1]), 1001);
    close(fds[1]);
    vt_loop_destroy(e.loop);
}

struct talk {
    struct ending ending; /* first: on_ended's */
    unsigned texts, drains;
    char last[64];
};

static void on_text(struct vt_ws *ws, const char *text, size_t bytes, void *arg)
{
    struct talk *t = arg;
    t->texts++;
    snprintf(t->last, sizeof t->last, "%.*s", (int)bytes, text);
    if (strcmp(t->last, "bye") == 0) {
        vt_ws_send(ws, "last words", 10);
        vt_ws_finish(ws, 1008, "said bye");
        vt_ws_send(ws, "too late", 8);
    }
}

static void on_drained(struct vt_ws *ws, void *arg)
{
    struct talk *t = arg;
    assert_true(vt_ws_is_drained(ws));
    t->drains++;
    vt_loop_stop(t->ending.loop, 0);
}

static const struct vt_ws_calls all_calls = {
    .ended = on_ended, .text = on_text, .drained = on_drained};

static void begin_talk(struct talk *t, struct vt_ws **ws, int fds[2])
{
    static const struct vt_ws_limits limits = {.queue_bytes = 4 << 20,
                                               .queue_count = 100,
                                               .ping_ns = UINT64_C(60000000000),
                                               .close_ns = UINT64_C(50000000),
                                               .message_bytes = 1000};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(vt_loop_create(&t->ending.loop, NULL), 0);
    assert_int_equal(
        vt_ws_create(t->ending.loop, fds[0], NULL, 0, &limits, &all_calls, t, ws, NULL), 0);
}

static void end_talk(struct talk *t, int fds[2])
{
    close(fds[0]);
    close(fds[1]);
    vt_loop_destroy(t->ending.loop);
}

/* A frame of a client's, masked by zeros. */
static void say(int fd, unsigned char first, const char *text)
{
    unsigned char frame[256] = {first, (unsigned char)(0x80 | strlen(text))};
    memcpy(frame + 6, text, strlen(text));
    assert_int_equal(write(fd, frame, 6 + strlen(text)), 6 + strlen(text));
}

static void texts_are_taken_where_they_may_be(void **state)
{
    struct talk t = {0};
    struct vt_ws *ws;
    int fds[2];
    (void)state;
    begin_talk(&t, &ws, fds);
    say(fds[1], 0x01, "hel"); /* in two parts */
    say(fds[1], 0x80, "lo");
    say(fds[1], 0x81, "bye");
    say(fds[1], 0x81, "more"); /* after the end: not heard */
    assert_int_equal(vt_loop_run(t.ending.loop, NULL), 0);
    assert_int_equal(t.texts, 2);
    assert_string_equal(t.last, "bye");
    assert_int_equal(t.ending.ends, 1);
    assert_int_equal(t.ending.how, VT_WS_PROTOCOL);
    close(fds[0]);
    char got[256];
    ssize_t n = read(fds[1], got, sizeof got);
    assert_true(n > 16);
    assert_memory_equal(got, "\x81\x0alast words", 12); /* before the close */
    assert_memory_equal(got + 12, "\x88\x0a\x03\xf0said bye", 12);
    assert_int_equal(n, 24);
    fds[0] = -1;
    end_talk(&t, fds);
}

static void who_sends_what_is_not_taken(void **state)
{
    static const struct {
        unsigned char first;
        size_t bytes;
        unsigned code;
    } table[] = {{0x82, 10, 1003}, {0x81, 1001, 1009}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct talk t = {0};
        struct vt_ws *ws;
        int fds[2];
        unsigned char frame[8 + 1001] = {table[i].first};
        size_t head = 6;
        begin_talk(&t, &ws, fds);
        if (table[i].bytes < 126) {
            frame[1] = (unsigned char)(0x80 | table[i].bytes);
        } else {
            frame[1] = 0x80 | 126;
            frame[2] = (unsigned char)(table[i].bytes >> 8);
            frame[3] = (unsigned char)table[i].bytes;
            head = 8;
        }
        assert_int_equal(write(fds[1], frame, head + table[i].bytes), head + table[i].bytes);
        assert_int_equal(vt_loop_run(t.ending.loop, NULL), 0);
        assert_int_equal(t.texts, 0);
        assert_int_equal(t.ending.how, VT_WS_PROTOCOL);
        close(fds[0]);
        assert_int_equal(read_close(fds[1]), table[i].code);
        fds[0] = -1;
        end_talk(&t, fds);
    }
}

static void it_is_told_when_all_is_gone(void **state)
{
    static char data[1 << 20], got[1 << 16];
    struct talk t = {0};
    struct vt_ws *ws;
    int fds[2];
    (void)state;
    begin_talk(&t, &ws, fds);
    assert_true(vt_ws_is_drained(ws));
    assert_true(vt_ws_send_binary(ws, "x", 1));
    assert_true(vt_ws_is_drained(ws)); /* nobody is told of what went at once */
    assert_true(vt_ws_send_binary(ws, data, sizeof data));
    assert_false(vt_ws_is_drained(ws));
    /* A peer that reads as fast as it can, in this thread's pauses. */
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        for (size_t left = sizeof data; left > 0;) {
            ssize_t n = read(fds[1], got, sizeof got);
            left -= n > 0 && (size_t)n < left ? (size_t)n : n > 0 ? left : 0;
        }
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(vt_loop_run(t.ending.loop, NULL), 0);
    assert_int_equal(t.drains, 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    vt_ws_destroy(ws);
    end_talk(&t, fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(handshakes),
        cmocka_unit_test(slow_readers_are_dropped),
        cmocka_unit_test(the_server_goes),
        cmocka_unit_test(texts_are_taken_where_they_may_be),
        cmocka_unit_test(who_sends_what_is_not_taken),
        cmocka_unit_test(it_is_told_when_all_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
