/* tests/unit/gpu/test_vtest.c - the vtest protocol, message by message, with a Venus context that
 * only notes what it is asked: what a Mesa driver says, and what a hostile client could. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "base/loop.h"
#include "gpu/vtest.h"
#include "gpu/vtest_protocol.h"
#include "gpu/vtest_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- a context that notes */

struct vt_venus_renderer {
    int unused;
};

struct vt_venus_context {
    struct vt_venus_events events;
    uint64_t submitted; /* bytes */
};

static struct vt_venus_context *noted; /* of the client that came last */
static pthread_mutex_t noted_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t attached, detached;
static uint64_t last_fence;
static bool hold_fences;

int vt_venus_renderer_create(const struct vt_venus_options *options,
                             struct vt_venus_renderer **renderer, struct vt_error *err)
{
    (void)options;
    (void)err;
    *renderer = calloc(1, sizeof **renderer);
    return 0;
}

void vt_venus_renderer_destroy(struct vt_venus_renderer *renderer)
{
    free(renderer);
}

void vt_venus_capset(const struct vt_venus_renderer *renderer, bool guest_vram,
                     uint8_t capset[VT_VENUS_CAPSET_BYTES])
{
    (void)renderer;
    (void)guest_vram;
    for (unsigned i = 0; i < VT_VENUS_CAPSET_BYTES; i++) {
        capset[i] = (uint8_t)i;
    }
}

int vt_venus_context_create(struct vt_venus_renderer *renderer, uint32_t id, const char *name,
                            const struct vt_venus_events *events, struct vt_venus_context **context,
                            struct vt_error *err)
{
    (void)renderer;
    (void)id;
    (void)err;
    assert_string_equal(name, "test");
    *context = calloc(1, sizeof **context);
    (*context)->events = *events;
    pthread_mutex_lock(&noted_lock);
    noted = *context;
    pthread_mutex_unlock(&noted_lock);
    return 0;
}

void vt_venus_context_destroy(struct vt_venus_context *context)
{
    free(context);
}

int vt_venus_context_attach(struct vt_venus_context *context, const struct vt_venus_memory *memory,
                            struct vt_error *err)
{
    struct stat st;
    (void)context;
    (void)err;
    assert_int_equal(fstat(memory->fd, &st), 0);
    assert_true((uint64_t)st.st_size >= memory->size);
    attached = memory->id;
    return 0;
}

int vt_venus_context_detach(struct vt_venus_context *context, uint32_t id, struct vt_error *err)
{
    (void)context;
    (void)err;
    detached = id;
    return 0;
}

int vt_venus_context_export(struct vt_venus_context *context, uint32_t id, uint64_t blob_id,
                            uint64_t size, int *fd, struct vt_error *err)
{
    (void)context;
    (void)id;
    if (blob_id != 0x1122334455667788) {
        return vt_fail(err, VT_E_NOT_FOUND, "there is no memory %#llx",
                       (unsigned long long)blob_id);
    }
    *fd = memfd_create("exported", MFD_CLOEXEC);
    return ftruncate(*fd, (off_t)size);
}

int vt_venus_context_submit(struct vt_venus_context *context, const void *stream, size_t bytes,
                            struct vt_error *err)
{
    uint32_t first;
    memcpy(&first, stream, sizeof first);
    if (first == 0xbad) {
        return vt_fail(err, VT_E_PROTOCOL, "command 0xbad is not known");
    }
    context->submitted += bytes;
    return 0;
}

/* A context tells from a thread of its own. */
static void *tell_fence(void *arg)
{
    (void)arg;
    noted->events.fence(noted->events.arg, 5, last_fence);
    return NULL;
}

static void reach_fence(void)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, tell_fence, NULL), 0);
    pthread_join(thread, NULL);
}

int vt_venus_context_fence(struct vt_venus_context *context, uint32_t timeline, uint64_t id,
                           struct vt_error *err)
{
    (void)context;
    if (timeline >= VT_VENUS_TIMELINES) {
        return vt_fail(err, VT_E_INVAL, "there is no timeline %u", timeline);
    }
    last_fence = id;
    if (!hold_fences) {
        reach_fence();
    }
    return 0;
}

void vt_venus_context_statistics(const struct vt_venus_context *context,
                                 struct vt_venus_statistics *statistics)
{
    *statistics = (struct vt_venus_statistics){.bytes = context->submitted};
}

void vt_venus_context_commands(const struct vt_venus_context *context,
                               bool (*row)(const struct vt_venus_command_count *count, void *arg),
                               void *arg)
{
    (void)context;
    const struct vt_venus_command_count count = {.name = "vkCreateBuffer", .id = 50, .count = 3};
    row(&count, arg);
}

void vt_venus_context_peer(struct vt_venus_context *context, int fd)
{
    (void)context;
    assert_true(fd >= 0);
}

void vt_venus_context_device(const struct vt_venus_context *context,
                             char device[VT_VENUS_DEVICE_BYTES])
{
    (void)context;
    memset(device, 0, VT_VENUS_DEVICE_BYTES);
}

const char *vt_venus_context_reason(const struct vt_venus_context *context)
{
    (void)context;
    return NULL;
}

/* ---------------------------------------------------------------- a client */

struct peer {
    int fd;
    pthread_t thread;
    struct vt_vtest *vtest;
    struct vt_vtest_report report;
};

static void *serve(void *arg)
{
    struct peer *p = arg;
    vt_vtest_run(p->vtest);
    vt_vtest_report(p->vtest, &p->report);
    vt_vtest_destroy(p->vtest);
    return NULL;
}

static void meet(struct peer *p)
{
    static struct vt_venus_renderer renderer;
    const struct vt_vtest_options options = {.id = 7, .memory_max_bytes = 1 << 20};
    struct vt_error err;
    int pair[2];
    hold_fences = false;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(vt_vtest_create(pair[0], &renderer, &options, &p->vtest, &err), 0);
    p->fd = pair[1];
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

/* What the server said of it at the end. */
static void part(struct peer *p, bool failed, const char *reason)
{
    vt_close(&p->fd);
    pthread_join(p->thread, NULL);
    assert_true(p->report.ended);
    assert_string_equal(p->report.reason, reason);
    assert_int_equal(p->report.failed, failed);
}

/* In one piece: the server may end it after any part. */
static void say(struct peer *p, uint32_t length, uint32_t id, const void *bytes, size_t n)
{
    uint32_t message[64] = {length, id};
    assert_true(n <= sizeof message - 8);
    if (n > 0) {
        memcpy(message + 2, bytes, n);
    }
    assert_int_equal(vt_write_all(p->fd, message, 8 + n, "a message", NULL), 0);
}

static void say_dwords(struct peer *p, uint32_t id, const uint32_t *dwords, uint32_t n)
{
    say(p, n, id, dwords, n * sizeof *dwords);
}
#define SAY(p, id, ...)                                                                            \
    say_dwords((p), (id), (const uint32_t[]){__VA_ARGS__},                                         \
               sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* The answer's dwords behind its header. */
static void expect_dwords(struct peer *p, uint32_t id, const uint32_t *dwords, uint32_t n)
{
    uint32_t got[64];
    assert_int_equal(vt_read_all(p->fd, got, (2 + n) * sizeof *got, "answer", NULL), 0);
    assert_int_equal(got[0], n);
    assert_int_equal(got[1], id);
    if (n > 0) {
        assert_memory_equal(got + 2, dwords, n * sizeof *got);
    }
}
#define EXPECT(p, id, ...)                                                                         \
    expect_dwords((p), (id), (const uint32_t[]){__VA_ARGS__},                                      \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static int expect_fd(struct peer *p)
{
    char byte;
    size_t count = 1, n = 1;
    int fd;
    assert_int_equal(vt_recv_fds(p->fd, &byte, &count, &fd, &n, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(n, 1);
    return fd;
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void greet(struct peer *p)
{
    say(p, 5, VT_VTEST_CREATE_RENDERER, "test", 5);
    SAY(p, VT_VTEST_CONTEXT_INIT, VT_VTEST_CAPSET_VENUS);
}

/* Waits until all before has been done. */
static void sync_up(struct peer *p)
{
    say(p, 0, VT_VTEST_PING, NULL, 0);
    expect_dwords(p, VT_VTEST_PING, NULL, 0);
}

/* ---------------------------------------------------------------- tests */

static void test_greeting(void **state)
{
    struct peer p;
    uint32_t capset[42];
    (void)state;
    meet(&p);
    say(&p, 5, VT_VTEST_CREATE_RENDERER, "test", 5);
    say(&p, 0, VT_VTEST_PING, NULL, 0);
    SAY(&p, VT_VTEST_BUSY_WAIT, 0, 0);
    expect_dwords(&p, VT_VTEST_PING, NULL, 0);
    EXPECT(&p, VT_VTEST_BUSY_WAIT, 0);
    SAY(&p, VT_VTEST_PROTOCOL_VERSION, 3);
    EXPECT(&p, VT_VTEST_PROTOCOL_VERSION, 3);
    SAY(&p, VT_VTEST_PROTOCOL_VERSION, 9);
    EXPECT(&p, VT_VTEST_PROTOCOL_VERSION, 3);
    SAY(&p, VT_VTEST_GET_PARAM, 1);
    EXPECT(&p, VT_VTEST_GET_PARAM, 1, 64);
    SAY(&p, VT_VTEST_GET_PARAM, 2);
    EXPECT(&p, VT_VTEST_GET_PARAM, 0, 0);
    SAY(&p, VT_VTEST_GET_CAPSET, 4, 1);
    EXPECT(&p, VT_VTEST_GET_CAPSET, 0);
    SAY(&p, VT_VTEST_GET_CAPSET, 4, 0);
    assert_int_equal(vt_read_all(p.fd, capset, 12, "capset", NULL), 0);
    assert_int_equal(capset[0], 41);
    assert_int_equal(capset[2], 1);
    assert_int_equal(vt_read_all(p.fd, capset, VT_VENUS_CAPSET_BYTES, "capset", NULL), 0);
    assert_int_equal(((const uint8_t *)capset)[159], 159);
    SAY(&p, VT_VTEST_CONTEXT_INIT, 4);
    sync_up(&p);
    part(&p, false, "the client closed the connection");
    assert_string_equal(p.report.name, "test");
    assert_true(p.report.begun);
}

static void test_blobs(void **state)
{
    struct peer p;
    struct stat st;
    (void)state;
    meet(&p);
    greet(&p);
    SAY(&p, VT_VTEST_RESOURCE_CREATE_BLOB, VT_VTEST_BLOB_HOST3D, 1, 5000, 0, 0, 0);
    EXPECT(&p, VT_VTEST_RESOURCE_CREATE_BLOB, 1);
    int fd = expect_fd(&p);
    assert_int_equal(attached, 1);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size >= 5000);
    assert_int_equal(ftruncate(fd, 0), -1); /* sealed */
    close(fd);
    SAY(&p, VT_VTEST_RESOURCE_CREATE_BLOB, VT_VTEST_BLOB_HOST3D, 1, 65536, 0, 0x55667788,
        0x11223344);
    EXPECT(&p, VT_VTEST_RESOURCE_CREATE_BLOB, 2);
    fd = expect_fd(&p);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 65536);
    close(fd);
    SAY(&p, VT_VTEST_RESOURCE_UNREF, 1);
    SAY(&p, VT_VTEST_RESOURCE_CREATE_BLOB, VT_VTEST_BLOB_GUEST, 1, 4096, 0, 0, 0);
    EXPECT(&p, VT_VTEST_RESOURCE_CREATE_BLOB, 1); /* used again */
    close(expect_fd(&p));
    assert_int_equal(detached, 1);
    part(&p, false, "the client closed the connection");
    assert_int_equal(p.report.resources, 2);
}

static void test_syncs(void **state)
{
    struct peer p;
    (void)state;
    meet(&p);
    greet(&p);
    SAY(&p, VT_VTEST_SYNC_CREATE, 3, 1);
    EXPECT(&p, VT_VTEST_SYNC_CREATE, 1);
    SAY(&p, VT_VTEST_SYNC_CREATE, 0, 0);
    EXPECT(&p, VT_VTEST_SYNC_CREATE, 2);
    SAY(&p, VT_VTEST_SYNC_READ, 1);
    EXPECT(&p, VT_VTEST_SYNC_READ, 3, 1);
    /* All of them, any of them, and one that is reached already. */
    SAY(&p, VT_VTEST_SYNC_WAIT, 0, VT_VTEST_FOR_EVER, 1, 3, 1, 2, 5, 0);
    expect_dwords(&p, VT_VTEST_SYNC_WAIT, NULL, 0);
    int all = expect_fd(&p);
    SAY(&p, VT_VTEST_SYNC_WAIT, VT_VTEST_WAIT_ANY, VT_VTEST_FOR_EVER, 1, 4, 1, 2, 5, 0);
    expect_dwords(&p, VT_VTEST_SYNC_WAIT, NULL, 0);
    int any = expect_fd(&p);
    SAY(&p, VT_VTEST_SYNC_WAIT, 0, 0, 1, 3, 1);
    expect_dwords(&p, VT_VTEST_SYNC_WAIT, NULL, 0);
    int now = expect_fd(&p);
    assert_true(readable(now));
    assert_false(readable(all));
    assert_false(readable(any));
    /* A batch raises the second, when its fence is reached. */
    hold_fences = true;
    SAY(&p, VT_VTEST_SUBMIT_CMD2, 1, VT_VTEST_RING_INDEX, 7, 2, 9, 1, 5, 100, 200, 2, 6, 0);
    sync_up(&p);
    assert_false(readable(all));
    reach_fence();
    assert_true(readable(all));
    assert_true(readable(any));
    SAY(&p, VT_VTEST_SYNC_READ, 2);
    EXPECT(&p, VT_VTEST_SYNC_READ, 6, 0);
    SAY(&p, VT_VTEST_SYNC_WRITE, 2, 1, 0);
    SAY(&p, VT_VTEST_SYNC_READ, 2);
    EXPECT(&p, VT_VTEST_SYNC_READ, 1, 0);
    SAY(&p, VT_VTEST_SYNC_UNREF, 2);
    sync_up(&p);
    close(all);
    close(any);
    close(now);
    part(&p, false, "the client closed the connection");
}

/* One message after the greeting, and what it ends with. */
static void refuse(uint32_t length, uint32_t id, const uint32_t *dwords, uint32_t n,
                   const char *reason)
{
    struct peer p;
    char byte;
    meet(&p);
    greet(&p);
    sync_up(&p);
    say(&p, length, id, dwords, n * sizeof *dwords);
    /* The last byte was not taken: the end is an error, which Mesa's driver needs. */
    assert_int_equal(recv(p.fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    part(&p, true, reason);
}
#define REFUSE(reason, id, ...)                                                                    \
    refuse(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (id),                       \
           (const uint32_t[]){__VA_ARGS__},                                                        \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), reason)

static void test_hostile(void **state)
{
    (void)state;
    REFUSE("a message of unknown id 77", 77, 0);
    REFUSE("a message of unknown id 0", 0, 0);
    REFUSE("RESOURCE_UNREF with a length of 2", VT_VTEST_RESOURCE_UNREF, 1, 1);
    REFUSE("there is no resource 1", VT_VTEST_RESOURCE_UNREF, 1);
    REFUSE("there is no resource 4294967295", VT_VTEST_RESOURCE_UNREF, UINT32_MAX);
    REFUSE("a second CONTEXT_INIT", VT_VTEST_CONTEXT_INIT, 4);
    REFUSE("CONTEXT_INIT asks for capset 2; only Venus (4) is served", VT_VTEST_CONTEXT_INIT, 2);
    REFUSE("there is no sync object 1", VT_VTEST_SYNC_READ, 1);
    REFUSE("SYNC_WAIT of 12 bytes", VT_VTEST_SYNC_WAIT, 0, 0, 1);
    REFUSE("SYNC_WAIT of 4 bytes", VT_VTEST_SYNC_WAIT, 0);
    REFUSE("there is no sync object 9", VT_VTEST_SYNC_WAIT, 0, 0, 9, 0, 0);
    REFUSE("a blob of unknown type 3", VT_VTEST_RESOURCE_CREATE_BLOB, 3, 1, 4096, 0, 0, 0);
    REFUSE("shared memory of 0 bytes (1 to 1048576)", VT_VTEST_RESOURCE_CREATE_BLOB, 2, 1, 0, 0, 0,
           0);
    REFUSE("shared memory of 18446744073709551615 bytes (1 to 1048576)",
           VT_VTEST_RESOURCE_CREATE_BLOB, 2, 1, UINT32_MAX, UINT32_MAX, 0, 0);
    REFUSE("there is no memory 0x5", VT_VTEST_RESOURCE_CREATE_BLOB, 2, 1, 4096, 0, 5, 0);
    REFUSE("SUBMIT_CMD2 of 2 batches in 28 bytes", VT_VTEST_SUBMIT_CMD2, 2, 0, 0, 0, 0, 0, 0);
    REFUSE("SUBMIT_CMD2 of 4294967295 batches in 4 bytes", VT_VTEST_SUBMIT_CMD2, UINT32_MAX);
    REFUSE("a batch of SUBMIT_CMD2 lies outside its message of 28 bytes", VT_VTEST_SUBMIT_CMD2, 1,
           0, 7, 1, 0, 0, 0);
    REFUSE("a batch of SUBMIT_CMD2 lies outside its message of 28 bytes", VT_VTEST_SUBMIT_CMD2, 1,
           0, UINT32_MAX, UINT32_MAX, 0, 0, 0);
    REFUSE("a batch of SUBMIT_CMD2 lies outside its message of 28 bytes", VT_VTEST_SUBMIT_CMD2, 1,
           0, 0, 0, 6, 0x55555556, 0);
    REFUSE("there is no sync object 3", VT_VTEST_SUBMIT_CMD2, 1, 0, 0, 0, 7, 1, 0, 3, 0, 0);
    REFUSE("command 0xbad is not known", VT_VTEST_SUBMIT_CMD, 0xbad, 0);
    REFUSE("command 0xbad is not known", VT_VTEST_SUBMIT_CMD2, 1, 0, 7, 1, 0, 0, 0, 0xbad);
    refuse(UINT32_MAX, VT_VTEST_SUBMIT_CMD, NULL, 0, "SUBMIT_CMD with a length of 4294967295");
    refuse(UINT32_MAX, VT_VTEST_CREATE_RENDERER, NULL, 0,
           "CREATE_RENDERER with a length of 4294967295");
    refuse(1, VT_VTEST_CREATE_RENDERER, (const uint32_t[]){0}, 1, "a second CREATE_RENDERER");
}

static void test_before_context(void **state)
{
    struct peer p;
    (void)state;
    meet(&p);
    SAY(&p, VT_VTEST_SYNC_CREATE, 0, 0);
    part(&p, true, "SYNC_CREATE before CONTEXT_INIT");
    assert_false(p.report.begun);
    meet(&p);
    say(&p, 0, VT_VTEST_GET_CAPS2, NULL, 0);
    part(&p, true,
         "this is a client of virgl (OpenGL); only Venus (Vulkan) is served: run its OpenGL on "
         "zink");
}

static void test_byte_by_byte(void **state)
{
    struct peer p;
    const uint32_t message[] = {1, VT_VTEST_SYNC_READ, 1};
    (void)state;
    meet(&p);
    greet(&p);
    SAY(&p, VT_VTEST_SYNC_CREATE, 9, 0);
    EXPECT(&p, VT_VTEST_SYNC_CREATE, 1);
    for (size_t i = 0; i < sizeof message; i++) {
        assert_int_equal(vt_write_all(p.fd, (const uint8_t *)message + i, 1, "a byte", NULL), 0);
    }
    EXPECT(&p, VT_VTEST_SYNC_READ, 9, 0);
    say(&p, 4, VT_VTEST_SUBMIT_CMD, message, 8);
    part(&p, true, "the connection ended in the middle of SUBMIT_CMD");
}

static void *end_context(void *arg)
{
    (void)arg;
    noted->events.ended(noted->events.arg, "vkCreateBuffer: size 0",
                        "vkCreateDevice\nvkCreateBuffer");
    return NULL;
}

static void test_context_ends(void **state)
{
    struct peer p;
    pthread_t thread;
    (void)state;
    meet(&p);
    greet(&p);
    sync_up(&p);
    assert_int_equal(pthread_create(&thread, NULL, end_context, NULL), 0);
    pthread_join(thread, NULL);
    part(&p, true, "vkCreateBuffer: size 0");
    assert_int_equal(p.report.n_commands, 1);
    assert_string_equal(p.report.commands[0].name, "vkCreateBuffer");
}

static void test_stop(void **state)
{
    struct peer p;
    (void)state;
    meet(&p);
    greet(&p);
    sync_up(&p);
    vt_vtest_stop(p.vtest);
    part(&p, false, "the server ends");
}

/* ---------------------------------------------------------------- many clients */

struct heard {
    struct vt_loop *loop;
    unsigned begun, ended, until;
    char reason[VT_VTEST_REASON_BYTES];
};

static void hear(void *arg, const struct vt_vtest_news *news)
{
    struct heard *h = arg;
    h->begun += news->kind == VT_VTEST_BEGUN;
    if (news->kind == VT_VTEST_ENDED) {
        snprintf(h->reason, sizeof h->reason, "%s", news->report->reason);
        if (++h->ended == h->until) {
            vt_loop_stop(h->loop, 0);
        }
    }
}

#define CLIENTS 20

static void *be_many(void *arg)
{
    const char *path = arg;
    struct peer peers[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(vt_unix_connect(path, &peers[i].fd, NULL), 0);
        greet(&peers[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        sync_up(&peers[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        close(peers[i].fd);
    }
    return NULL;
}

static void serve_many(const char *dir, bool sandbox)
{
    struct vt_error err;
    struct heard h = {.until = CLIENTS};
    struct vt_vtest_server *server;
    pthread_t thread;
    struct stat st;
    char path[256];
    snprintf(path, sizeof path, "%s/vtest.sock", dir);
    const struct vt_vtest_server_options options = {
        .path = path, .sandbox = sandbox, .news = hear, .arg = &h};
    assert_int_equal(vt_loop_create(&h.loop, &err), 0);
    int rc = vt_vtest_server_create(h.loop, &options, &server, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct vt_vtest_server *second;
    assert_int_equal(vt_vtest_server_create(h.loop, &options, &second, &err), VT_E_EXISTS);
    assert_int_equal(pthread_create(&thread, NULL, be_many, path), 0);
    assert_int_equal(vt_loop_run(h.loop, &err), 0);
    pthread_join(thread, NULL);
    assert_int_equal(h.begun, CLIENTS);
    assert_string_equal(h.reason, "the client closed the connection");
    vt_vtest_server_destroy(server);
    vt_loop_destroy(h.loop);
    assert_int_equal(stat(path, &st), -1);
}

static void test_many(void **state)
{
    serve_many(*state, false);
}

static void test_many_processes(void **state)
{
    serve_many(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_syncs),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_before_context),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_context_ends),
        cmocka_unit_test(test_stop),
        vt_test_in_dir(test_many),
        vt_test_in_dir(test_many_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
