/* tests/fuzz/fuzz_websocket.c - bytes of a WebSocket's peer, some of them with the handshake.
 *
 * However they are cut, the connection ends once, and what was sent meanwhile are whole frames of a
 * server: known opcodes, no mask, control frames short.
 */
#include "tests/fuzz/fuzz.h"

#include "server/websocket.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENT_MAX 32768

struct seen {
    struct vt_loop *loop;
    unsigned ends;
};

static void on_end(struct vt_ws *ws, enum vt_ws_end how, void *arg)
{
    struct seen *seen = arg;
    (void)ws;
    FUZZ_CHECK(how < VT_WS_ENDS);
    seen->ends++;
    vt_loop_stop(seen->loop, 0);
}

/* The last frame may be cut: the peer was gone. */
static void check_frames(const uint8_t *at, size_t left)
{
    while (left >= 2) {
        unsigned opcode = at[0] & 0x0f;
        uint64_t bytes = at[1] & 0x7f;
        size_t head = 2;
        FUZZ_CHECK((at[0] & 0xf0) == 0x80 && (at[1] & 0x80) == 0);
        FUZZ_CHECK(opcode == 1 || opcode == 8 || opcode == 9 || opcode == 10);
        FUZZ_CHECK(opcode < 8 || bytes < 126);
        FUZZ_CHECK(bytes < 126); /* nothing that is sent here is longer */
        if (left < head + bytes) {
            return;
        }
        at += head + bytes;
        left -= head + (size_t)bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vt_ws_calls calls = {.ended = on_end};
    static const struct vt_ws_limits limits = {.queue_bytes = 4096,
                                               .queue_count = 64,
                                               .ping_ns = UINT64_C(1000000000),
                                               .close_ns = UINT64_C(1000000000)};
    static uint8_t got[1 << 20];
    struct seen seen = {0};
    struct vt_ws *ws;
    int fds[2];
    if (size == 0 || size > SENT_MAX) {
        return 0;
    }
    size_t early = data[0] % size;
    data++;
    size--;
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    FUZZ_CHECK(vt_loop_create(&seen.loop, NULL) == 0);
    FUZZ_CHECK(vt_ws_create(seen.loop, fds[0], data, early, &limits, &calls, &seen, &ws, NULL) ==
               0);
    FUZZ_CHECK(write(fds[1], data + early, size - early) == (ssize_t)(size - early));
    FUZZ_CHECK(shutdown(fds[1], SHUT_WR) == 0);
    vt_ws_send(ws, "{}", 2);
    FUZZ_CHECK(vt_loop_run(seen.loop, NULL) == 0);
    FUZZ_CHECK(seen.ends == 1);
    ssize_t n = read(fds[1], got, sizeof got);
    check_frames(got, n > 0 ? (size_t)n : 0);
    vt_loop_destroy(seen.loop);
    close(fds[0]);
    close(fds[1]);
    return 0;
}
