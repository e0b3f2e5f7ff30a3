/* tests/fuzz/fuzz_vtest.c - the messages of a vtest client, on a driver that does nothing.
 *
 * The first byte says how the client begins: as Mesa's driver does, or with whatever the input has.
 * Then the input is messages: a byte for the message's kind, one for the length of its body, which
 * follows; some kinds get a length or an id that are not so. The server's side ends when the client
 * has gone; answers and descriptors are taken and thrown away.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/venus/stub_driver.h"

#include "base/io.h"
#include "gpu/vtest.h"
#include "gpu/vtest_protocol.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES_MAX = 64 };

struct side {
    int fd;
};

/* Takes whatever the server says until it hangs up. */
static void *take(void *arg)
{
    const struct side *side = arg;
    for (;;) {
        uint8_t bytes[4096];
        int fds[8];
        size_t count = sizeof bytes, n_fds = 8;
        if (vt_recv_fds(side->fd, bytes, &count, fds, &n_fds, NULL) != 0 || count == 0) {
            return NULL;
        }
        for (size_t i = 0; i < n_fds; i++) {
            close(fds[i]);
        }
    }
}

static bool say(int fd, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    while (count > 0) {
        ssize_t n = send(fd, at, count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        count -= (size_t)n;
    }
    return true;
}

static bool message(int fd, uint32_t id, uint32_t length, const void *body, size_t bytes)
{
    const uint32_t header[2] = {length, id};
    return say(fd, header, sizeof header) && say(fd, body, bytes);
}

static bool begin(int fd)
{
    const uint32_t version = VT_VTEST_VERSION, capset = VT_VTEST_CAPSET_VENUS, busy[2] = {0, 0};
    return message(fd, VT_VTEST_CREATE_RENDERER, 4, "fuz", 4) &&
           message(fd, VT_VTEST_PING, 0, NULL, 0) &&
           message(fd, VT_VTEST_BUSY_WAIT, 2, busy, sizeof busy) &&
           message(fd, VT_VTEST_PROTOCOL_VERSION, 1, &version, 4) &&
           message(fd, VT_VTEST_CONTEXT_INIT, 1, &capset, 4);
}

static void be_client(int fd, const uint8_t *bytes, size_t count)
{
    static const uint8_t kinds[] = {VT_VTEST_RESOURCE_CREATE_BLOB,
                                    VT_VTEST_RESOURCE_UNREF,
                                    VT_VTEST_SYNC_CREATE,
                                    VT_VTEST_SYNC_UNREF,
                                    VT_VTEST_SYNC_READ,
                                    VT_VTEST_SYNC_WRITE,
                                    VT_VTEST_SYNC_WAIT,
                                    VT_VTEST_SUBMIT_CMD2,
                                    VT_VTEST_SUBMIT_CMD,
                                    VT_VTEST_GET_PARAM,
                                    VT_VTEST_GET_CAPSET,
                                    VT_VTEST_PING,
                                    VT_VTEST_BUSY_WAIT,
                                    VT_VTEST_CONTEXT_INIT,
                                    VT_VTEST_PROTOCOL_VERSION,
                                    VT_VTEST_CREATE_RENDERER};
    const uint8_t *at = bytes + 1, *end = bytes + count;
    if ((bytes[0] & 1) == 0 && !begin(fd)) {
        return;
    }
    for (unsigned n = 0; n < MESSAGES_MAX && end - at >= 2; n++) {
        uint32_t kind = *at++, words = *at++ % 64, id = kinds[kind % sizeof kinds];
        uint32_t length = words, body[64] = {0};
        size_t left = (size_t)(end - at), wants = (size_t)words * 4;
        size_t have = wants < left ? wants : left;
        memcpy(body, at, have);
        at += have;
        if ((kind & 0xf0) == 0xf0) {
            length = body[0];
        } else if ((kind & 0xf0) == 0xe0) {
            id = body[0];
        } else if (id == VT_VTEST_CREATE_RENDERER) {
            length = words * 4;
        } else if (id == VT_VTEST_SYNC_WAIT) {
            body[1] %= 3; /* ms: it is answered at once, the descriptor says when */
        }
        if (!message(fd, id, length, body, wants)) {
            return;
        }
    }
}

static void *serve(void *arg)
{
    vt_vtest_run(arg);
    return NULL;
}

static struct vt_venus_renderer *renderer(void)
{
    static struct vt_venus_renderer *made;
    const struct vt_venus_options options = {.memory_max_bytes = 4 << 20, .objects_max = 1000};
    struct vt_error err;
    FUZZ_CHECK(made != NULL || vt_venus_renderer_create(&options, &made, &err) == 0);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const struct vt_vtest_options options = {.id = 1, .memory_max_bytes = 1 << 20};
    static struct vt_vtest_report report;
    struct vt_error err;
    struct vt_vtest *vtest;
    pthread_t server, taker;
    int pair[2];
    if (count == 0) {
        return 0;
    }
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    FUZZ_CHECK(vt_vtest_create(pair[0], renderer(), &options, &vtest, &err) == 0);
    struct side side = {pair[1]};
    FUZZ_CHECK(pthread_create(&server, NULL, serve, vtest) == 0);
    FUZZ_CHECK(pthread_create(&taker, NULL, take, &side) == 0);
    be_client(pair[1], bytes, count);
    shutdown(pair[1], SHUT_WR);
    pthread_join(server, NULL);
    vt_vtest_report(vtest, &report);
    FUZZ_CHECK(memchr(report.reason, '\0', sizeof report.reason) != NULL);
    vt_vtest_destroy(vtest);
    pthread_join(taker, NULL);
    close(pair[1]);
    FUZZ_CHECK(stub_driver_alive() <= STUB_DRIVER_KEPT);
    return 0;
}
