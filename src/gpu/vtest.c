/* gpu/vtest.c - see vtest.h.
 *
 * The last byte of a message stays in the socket until the message has been answered. So a client
 * whose server goes away while it waits for an answer is told ECONNRESET; Mesa's driver takes the
 * end of a stream, which it would see else, for no error and reads for ever.
 * Everything in a message is checked before it is used, and sizes are bounded before memory is
 * taken for them.
 */
#include "gpu/vtest.h"

#include "base/cursor.h"
#include "base/io.h"
#include "base/text.h"
#include "gpu/vtest_protocol.h"
#include "gpu/vtest_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DWORD sizeof(uint32_t)
#define PAYLOAD_MAX (UINT32_C(64) << 20)
#define PAYLOAD_KEPT (UINT32_C(64) << 10)
#define NAME_MAX_BYTES 4096u
#define RESOURCES_MAX 16384u
#define BATCHES_MAX 4096u
#define BLOB_MAX (UINT64_C(1) << 30)
#define SEND_PATIENCE_S 30
#define SEEN_BYTES 1024u
#define ANSWER_FD_DWORDS 1u
#define TOLD_PATIENCE_S 5

struct vt_vtest {
    int fd;
    struct vt_venus_renderer *renderer;
    struct vt_vtest_options options;
    struct vt_vtest_syncs *syncs;
    uint8_t *payload;
    size_t room;
    /* The socket begins with `owed` bytes that were used already, and goes on with seen[seen_at..].
     */
    uint8_t seen[SEEN_BYTES];
    size_t seen_at, seen_end, owed;
    bool named;
    /* Ids are small and used again: clients keep arrays of them. */
    bool *resources; /* [id - 1] */
    uint32_t *free_ids;
    uint32_t resources_room, used, n_free;

    pthread_cond_t told;  /* lock: `ended` */
    pthread_mutex_t lock; /* of what is below, and of the report */
    struct vt_venus_context *context;
    char name[VT_VTEST_NAME_BYTES];
    uint64_t messages;
    uint32_t n_resources;
    bool stopped; /* by vt_vtest_stop */
    bool ended, failed;
    char reason[VT_VTEST_REASON_BYTES];
    char *commands;
};

/* ---------------------------------------------------------------- life */

int vt_vtest_create(int fd, struct vt_venus_renderer *renderer,
                    const struct vt_vtest_options *options, struct vt_vtest **vtest,
                    struct vt_error *err)
{
    /* An answer that is not taken for so long ends the client. */
    const struct timeval patience = {.tv_sec = SEND_PATIENCE_S};
    struct vt_vtest *v = calloc(1, sizeof *v);
    int rc = v == NULL ? vt_fail(err, VT_E_NOMEM, "a client: out of memory")
                       : vt_vtest_syncs_create(&v->syncs, err);
    if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "a client's socket");
        vt_vtest_syncs_destroy(v->syncs);
    }
    if (rc != 0) {
        free(v);
        close(fd);
        return rc;
    }
    v->fd = fd;
    v->renderer = renderer;
    v->options = *options;
    if (v->options.memory_max_bytes == 0) {
        v->options.memory_max_bytes = BLOB_MAX;
    }
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->told, NULL);
    *vtest = v;
    return 0;
}

void vt_vtest_destroy(struct vt_vtest *v)
{
    if (v == NULL) {
        return;
    }
    vt_venus_context_destroy(v->context); /* no fence is reached any more */
    vt_vtest_syncs_destroy(v->syncs);
    close(v->fd);
    free(v->payload);
    free(v->resources);
    free(v->free_ids);
    free(v->commands);
    pthread_cond_destroy(&v->told);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

void vt_vtest_stop(struct vt_vtest *v)
{
    pthread_mutex_lock(&v->lock);
    v->stopped = true;
    pthread_mutex_unlock(&v->lock);
    shutdown(v->fd, SHUT_RD);
}

/* The first reason counts. */
static void end(struct vt_vtest *v, bool failed, const char *reason, const char *commands)
{
    pthread_mutex_lock(&v->lock);
    if (!v->ended) {
        v->ended = true;
        v->failed = failed;
        vt_text_printable(v->reason, sizeof v->reason, reason, strlen(reason));
        v->commands = commands != NULL ? strdup(commands) : NULL;
        pthread_cond_signal(&v->told);
    }
    pthread_mutex_unlock(&v->lock);
}

static void context_ended(void *arg, const char *reason, const char *commands)
{
    struct vt_vtest *v = arg;
    end(v, true, reason, commands);
    /* Its next message finds a closed door. Only reading ends: see above. */
    shutdown(v->fd, SHUT_RD);
}

static void fence_reached(void *arg, uint32_t timeline, uint64_t id)
{
    struct vt_vtest *v = arg;
    (void)timeline;
    vt_vtest_fence_reached(v->syncs, id);
}

static bool add_command(const struct vt_venus_command_count *c, void *arg)
{
    struct vt_vtest_report *r = arg;
    struct vt_vtest_count *to = &r->commands[r->n_commands++];
    to->id = c->id;
    to->count = c->count;
    to->failed = c->failed;
    to->ns = c->ns;
    snprintf(to->name, sizeof to->name, "%s", c->name);
    return r->n_commands < VT_VTEST_REPORT_COMMANDS;
}

void vt_vtest_report(struct vt_vtest *v, struct vt_vtest_report *report)
{
    memset(report, 0, offsetof(struct vt_vtest_report, commands));
    report->id = v->options.id;
    report->syncs = vt_vtest_syncs_count(v->syncs);
    pthread_mutex_lock(&v->lock);
    memcpy(report->name, v->name, sizeof report->name);
    memcpy(report->reason, v->reason, sizeof report->reason);
    report->begun = v->context != NULL;
    report->ended = v->ended;
    report->failed = v->failed;
    report->messages = v->messages;
    report->resources = v->n_resources;
    if (v->context != NULL) {
        char device[VT_VENUS_DEVICE_BYTES];
        vt_venus_context_device(v->context, device);
        vt_text_printable(report->device, sizeof report->device, device,
                          strnlen(device, sizeof device));
        vt_venus_context_statistics(v->context, &report->venus);
        vt_venus_context_commands(v->context, add_command, report);
    }
    pthread_mutex_unlock(&v->lock);
}

const char *vt_vtest_last_commands(const struct vt_vtest *v)
{
    return v->commands;
}

/* ---------------------------------------------------------------- socket */

/* As many bytes, or VT_E_GONE. */
static int take(struct vt_vtest *v, void *bytes, size_t count, struct vt_error *err)
{
    uint8_t *to = bytes;
    while (count > 0) {
        ssize_t n = recv(v->fd, to, count, MSG_WAITALL);
        if (n == 0) {
            return vt_fail(err, VT_E_GONE, "the client closed the connection");
        }
        if (n < 0 && errno != EINTR) {
            return vt_fail_errno(err, VT_E_GONE, errno, "the client's connection");
        }
        if (n > 0) {
            to += n;
            count -= (size_t)n;
        }
    }
    return 0;
}

/* The messages up to here have been answered: they leave the socket. */
static int settle(struct vt_vtest *v, struct vt_error *err)
{
    uint8_t used[SEEN_BYTES];
    size_t owed = v->owed;
    v->owed = 0;
    return take(v, used, owed, err);
}

/* Looks at what is in the socket, `count` or fewer bytes of it. */
static int look(struct vt_vtest *v, size_t count, struct vt_error *err)
{
    for (;;) {
        ssize_t n = recv(v->fd, v->seen, count, MSG_PEEK);
        if (n > 0) {
            v->seen_at = 0;
            v->seen_end = (size_t)n;
            return 0;
        }
        if (n == 0) {
            return vt_fail(err, VT_E_GONE, "the client closed the connection");
        }
        if (errno != EINTR) {
            return vt_fail_errno(err, VT_E_GONE, errno, "the client's connection");
        }
    }
}

/* `count` > 0 bytes, the last of which stays in the socket: all of them, where they came at once
 * and are few. */
static int take_but_last(struct vt_vtest *v, uint8_t *bytes, size_t count, struct vt_error *err)
{
    if (v->seen_end - v->seen_at < count) {
        v->seen_at = v->seen_end = 0;
        int rc = settle(v, err);
        if (rc == 0 && count <= sizeof v->seen) {
            rc = look(v, sizeof v->seen, err);
        }
        if (rc == 0 && v->seen_end < count) {
            rc = take(v, bytes, count - 1, err);
            rc = rc != 0 ? rc : look(v, 1, err);
            bytes += count - 1;
            count = 1;
        }
        if (rc != 0) {
            return rc;
        }
    }
    memcpy(bytes, v->seen + v->seen_at, count);
    v->seen_at += count;
    v->owed += count;
    return 0;
}

static int give(struct vt_vtest *v, const void *bytes, size_t count, struct vt_error *err)
{
    const uint8_t *from = bytes;
    while (count > 0) {
        ssize_t n = send(v->fd, from, count, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            return vt_fail(err, VT_E_TIMEOUT, "the client did not take an answer for %d s",
                           SEND_PATIENCE_S);
        }
        if (n < 0 && errno != EINTR) {
            return vt_fail_errno(err, VT_E_GONE, errno, "the client's connection");
        }
        if (n > 0) {
            from += n;
            count -= (size_t)n;
        }
    }
    return 0;
}

/* An answer of n dwords. */
static int answer(struct vt_vtest *v, enum vt_vtest_message id, const uint32_t *dwords, uint32_t n,
                  struct vt_error *err)
{
    uint32_t message[2 + 1 + VT_VENUS_CAPSET_BYTES / DWORD] = {htole32(n), htole32(id)};
    for (uint32_t i = 0; i < n; i++) {
        message[2 + i] = htole32(dwords[i]);
    }
    return give(v, message, (2 + n) * DWORD, err);
}

/* A descriptor travels with a byte of its own, behind its message. Both leave in one call where
 * that can be: the client, which reads one after the other, then waits once. */
static int answer_fd(struct vt_vtest *v, enum vt_vtest_message id, const uint32_t *dwords,
                     uint32_t n, int fd, struct vt_error *err)
{
    uint32_t message[2 + ANSWER_FD_DWORDS] = {htole32(n), htole32(id)};
    union {
        char space[CMSG_SPACE(sizeof fd)];
        struct cmsghdr head;
    } control = {.head = {.cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS,
                          .cmsg_len = CMSG_LEN(sizeof fd)}};
    for (uint32_t i = 0; i < n; i++) {
        message[2 + i] = htole32(dwords[i]);
    }
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    struct iovec parts[] = {{message, (2 + n) * DWORD}, {(char[]){0}, 1}};
    struct mmsghdr both[] = {
        {.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
        {.msg_hdr = {.msg_iov = &parts[1],
                     .msg_iovlen = 1,
                     .msg_control = &control,
                     .msg_controllen = sizeof control.space}},
    };
    int sent = sendmmsg(v->fd, both, 2, MSG_NOSIGNAL);
    if (sent == 2) {
        return 0;
    }
    size_t done = sent > 0 ? both[0].msg_len : 0;
    int rc = give(v, (const char *)message + done, parts[0].iov_len - done, err);
    return rc != 0 ? rc : vt_send_fds(v->fd, "", 1, &fd, 1, err);
}

/* ---------------------------------------------------------------- resources */

static int grow_resources(struct vt_vtest *v, struct vt_error *err)
{
    uint32_t room = v->resources_room == 0 ? 64 : v->resources_room * 2;
    bool *resources = realloc(v->resources, room * sizeof *resources);
    if (resources != NULL) {
        v->resources = resources;
    }
    uint32_t *free_ids = realloc(v->free_ids, room * sizeof *free_ids);
    if (free_ids != NULL) {
        v->free_ids = free_ids;
    }
    if (resources == NULL || free_ids == NULL) {
        return vt_fail(err, VT_E_NOMEM, "resources: out of memory");
    }
    v->resources_room = room;
    return 0;
}

/* An id that is not in use, not taken yet. */
static int free_resource(struct vt_vtest *v, uint32_t *id, struct vt_error *err)
{
    if (v->n_resources == RESOURCES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %u resources", RESOURCES_MAX);
    }
    int rc = v->n_free == 0 && v->used == v->resources_room ? grow_resources(v, err) : 0;
    if (rc == 0) {
        *id = v->n_free > 0 ? v->free_ids[v->n_free - 1] : v->used + 1;
    }
    return rc;
}

static void count_resources(struct vt_vtest *v, bool more)
{
    pthread_mutex_lock(&v->lock);
    v->n_resources = more ? v->n_resources + 1 : v->n_resources - 1;
    pthread_mutex_unlock(&v->lock);
}

static void keep_resource(struct vt_vtest *v, uint32_t id)
{
    if (v->n_free > 0) {
        v->n_free--;
    } else {
        v->used++;
    }
    v->resources[id - 1] = true;
    count_resources(v, true);
}

/* Memory that both sides map. Sealed, so that no client can take pages away from under us. */
static int make_shared(struct vt_vtest *v, uint32_t id, uint64_t size, int *fd,
                       struct vt_error *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (size == 0 || size > v->options.memory_max_bytes) {
        return vt_fail(err, VT_E_LIMIT, "shared memory of %" PRIu64 " bytes (1 to %" PRIu64 ")",
                       size, v->options.memory_max_bytes);
    }
    size = (size + page - 1) & ~(page - 1);
    int memory = memfd_create("vitrine-vtest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0 || ftruncate(memory, (off_t)size) != 0 ||
        fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int rc = vt_fail_errno(err, VT_E_NOMEM, errno, "shared memory of %" PRIu64 " bytes", size);
        vt_close(&memory);
        return rc;
    }
    const struct vt_venus_memory shared = {.id = id, .fd = memory, .size = size, .trusted = true};
    int rc = vt_venus_context_attach(v->context, &shared, err);
    if (rc != 0) {
        vt_close(&memory);
        return rc;
    }
    *fd = memory;
    return 0;
}

static int create_blob(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t type = vt_cursor_u32(in);
    vt_cursor_u32(in); /* flags: everything we hand out can be mapped and shared */
    uint64_t size = vt_cursor_u64(in), blob = vt_cursor_u64(in);
    uint32_t id;
    int fd, rc = free_resource(v, &id, err);
    if (rc != 0) {
        return rc;
    }
    if (type == VT_VTEST_BLOB_HOST3D && blob != 0) {
        rc = vt_venus_context_export(v->context, id, blob, size, &fd, err);
    } else if (type == VT_VTEST_BLOB_HOST3D || type == VT_VTEST_BLOB_GUEST) {
        rc = make_shared(v, id, size, &fd, err);
    } else {
        rc = vt_fail(err, VT_E_PROTOCOL, "a blob of unknown type %" PRIu32, type);
    }
    if (rc != 0) {
        return rc;
    }
    keep_resource(v, id);
    rc = answer_fd(v, VT_VTEST_RESOURCE_CREATE_BLOB, &id, 1, fd, err);
    close(fd);
    return rc;
}

static int unref_resource(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t id = vt_cursor_u32(in);
    if (id == 0 || id > v->used || !v->resources[id - 1]) {
        return vt_fail(err, VT_E_PROTOCOL, "there is no resource %" PRIu32, id);
    }
    int rc = vt_venus_context_detach(v->context, id, err);
    if (rc == 0) {
        v->resources[id - 1] = false;
        v->free_ids[v->n_free++] = id;
        count_resources(v, false);
    }
    return rc;
}

/* ---------------------------------------------------------------- who is there, what is offered */

static int take_name(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    if (v->named) {
        return vt_fail(err, VT_E_PROTOCOL, "a second CREATE_RENDERER");
    }
    const char *name = (const char *)in->base;
    v->named = true;
    pthread_mutex_lock(&v->lock);
    vt_text_printable(v->name, sizeof v->name, name, strnlen(name, in->size));
    pthread_mutex_unlock(&v->lock);
    return 0;
}

static int tell_version(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t theirs = vt_cursor_u32(in);
    uint32_t version = theirs < VT_VTEST_VERSION ? theirs : VT_VTEST_VERSION;
    return answer(v, VT_VTEST_PROTOCOL_VERSION, &version, 1, err);
}

static int tell_param(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    bool known = vt_cursor_u32(in) == VT_VTEST_PARAM_TIMELINES;
    const uint32_t told[] = {known, known ? VT_VENUS_TIMELINES : 0};
    return answer(v, VT_VTEST_GET_PARAM, told, 2, err);
}

static int tell_capset(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t id = vt_cursor_u32(in), version = vt_cursor_u32(in);
    uint32_t told[1 + VT_VENUS_CAPSET_BYTES / DWORD] = {0};
    if (id != VT_VTEST_CAPSET_VENUS || version != 0) {
        return answer(v, VT_VTEST_GET_CAPSET, told, 1, err);
    }
    uint8_t capset[VT_VENUS_CAPSET_BYTES];
    vt_venus_capset(v->renderer, false, capset);
    told[0] = 1;
    for (unsigned i = 0; i < VT_VENUS_CAPSET_BYTES / DWORD; i++) {
        told[1 + i] = vt_le32(capset + i * DWORD);
    }
    return answer(v, VT_VTEST_GET_CAPSET, told, 1 + VT_VENUS_CAPSET_BYTES / DWORD, err);
}

void vt_vtest_describe_capset(const struct vt_venus_renderer *renderer, char *out, size_t bytes)
{
    uint8_t capset[VT_VENUS_CAPSET_BYTES];
    vt_venus_capset(renderer, false, capset);
    uint32_t version = vt_le32(capset + DWORD);
    snprintf(out, bytes, "wire format %" PRIu32 ", Vulkan %u.%u.%u, Venus protocol %" PRIu32,
             vt_le32(capset), version >> 22 & 0x7f, version >> 12 & 0x3ff, version & 0xfff,
             vt_le32(capset + 3 * DWORD));
}

static int begin_context(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t capset = vt_cursor_u32(in);
    if (capset != VT_VTEST_CAPSET_VENUS) {
        return vt_fail(err, VT_E_PROTOCOL,
                       "CONTEXT_INIT asks for capset %" PRIu32 "; only Venus (4) is served",
                       capset);
    }
    if (v->context != NULL) {
        return vt_fail(err, VT_E_PROTOCOL, "a second CONTEXT_INIT");
    }
    const struct vt_venus_events events = {
        .fence = fence_reached, .ended = context_ended, .arg = v};
    struct vt_venus_context *context;
    int rc = vt_venus_context_create(v->renderer, v->options.id, v->name, &events, &context, err);
    if (rc != 0) {
        return rc;
    }
    vt_venus_context_peer(context, v->fd);
    pthread_mutex_lock(&v->lock);
    v->context = context;
    pthread_mutex_unlock(&v->lock);
    if (v->options.begun != NULL) {
        v->options.begun(v->options.arg, v->name);
    }
    return 0;
}

/* ---------------------------------------------------------------- sync objects */

static int create_sync(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t id;
    int rc = vt_vtest_sync_create(v->syncs, vt_cursor_u64(in), &id, err);
    return rc != 0 ? rc : answer(v, VT_VTEST_SYNC_CREATE, &id, 1, err);
}

static int read_sync(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint64_t value;
    int rc = vt_vtest_sync_read(v->syncs, vt_cursor_u32(in), &value, err);
    const uint32_t told[] = {(uint32_t)value, (uint32_t)(value >> 32)};
    return rc != 0 ? rc : answer(v, VT_VTEST_SYNC_READ, told, 2, err);
}

static struct vt_vtest_point take_point(struct vt_cursor *in)
{
    struct vt_vtest_point point = {.sync = vt_cursor_u32(in)};
    point.value = vt_cursor_u64(in);
    return point;
}

/* `n` of them, which must be there; the caller frees. */
static int take_points(struct vt_cursor *in, uint32_t n, struct vt_vtest_point **points,
                       struct vt_error *err)
{
    struct vt_vtest_point *p = calloc(n > 0 ? n : 1, sizeof *p);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%" PRIu32 " sync objects: out of memory", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        p[i] = take_point(in);
    }
    *points = p;
    return 0;
}

static int wait_syncs(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t flags = vt_cursor_u32(in), timeout_ms = vt_cursor_u32(in);
    size_t left = in->size - in->at;
    if (in->bad || left % (3 * DWORD) != 0) {
        return vt_fail(err, VT_E_PROTOCOL, "SYNC_WAIT of %zu bytes", in->size);
    }
    struct vt_vtest_point *points = NULL;
    uint32_t n = (uint32_t)(left / (3 * DWORD));
    int fd, rc = take_points(in, n, &points, err);
    rc = rc != 0 ? rc
                 : vt_vtest_sync_wait(v->syncs, (flags & VT_VTEST_WAIT_ANY) != 0, timeout_ms,
                                      points, n, &fd, err);
    free(points);
    if (rc != 0) {
        return rc;
    }
    rc = answer_fd(v, VT_VTEST_SYNC_WAIT, NULL, 0, fd, err);
    close(fd);
    return rc;
}

/* ---------------------------------------------------------------- submits */

/* A fence behind what was just submitted on the timeline. */
static int fence(struct vt_vtest *v, uint32_t timeline, const struct vt_vtest_point *points,
                 uint32_t n, struct vt_error *err)
{
    uint64_t id;
    int rc = vt_vtest_fence_create(v->syncs, points, n, &id, err);
    if (rc == 0) {
        rc = vt_venus_context_fence(v->context, timeline, id, err);
        if (rc != 0) {
            vt_vtest_fence_drop(v->syncs, id);
        }
    }
    return rc;
}

/* [at, at + n) elements of `element` dwords, in dwords of the message. */
static bool inside(const struct vt_cursor *in, uint32_t at, uint32_t n, uint32_t element)
{
    return (uint64_t)at + (uint64_t)n * element <= in->size / DWORD;
}

static int submit_batch(struct vt_vtest *v, const struct vt_cursor *in,
                        const struct vt_vtest_batch *b, struct vt_error *err)
{
    if (!inside(in, b->stream, b->stream_size, 1) || !inside(in, b->syncs, b->n_syncs, 3)) {
        return vt_fail(err, VT_E_PROTOCOL,
                       "a batch of SUBMIT_CMD2 lies outside its message of %zu bytes", in->size);
    }
    int rc = 0;
    if (b->stream_size > 0) {
        rc = vt_venus_context_submit(v->context, in->base + (size_t)b->stream * DWORD,
                                     (size_t)b->stream_size * DWORD, err);
    }
    if (rc != 0 || b->n_syncs == 0) {
        return rc;
    }
    struct vt_cursor syncs = *in;
    struct vt_vtest_point *points = NULL;
    vt_cursor_seek(&syncs, (size_t)b->syncs * DWORD);
    rc = take_points(&syncs, b->n_syncs, &points, err);
    if (rc == 0) {
        uint32_t timeline = (b->flags & VT_VTEST_RING_INDEX) != 0 ? b->ring_index : 0;
        rc = fence(v, timeline, points, b->n_syncs, err);
    }
    free(points);
    return rc;
}

static int submit2(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    uint32_t n = vt_cursor_u32(in);
    if (in->bad || n > BATCHES_MAX ||
        !inside(in, 1, n, (uint32_t)(sizeof(struct vt_vtest_batch) / DWORD))) {
        return vt_fail(err, VT_E_PROTOCOL, "SUBMIT_CMD2 of %" PRIu32 " batches in %zu bytes", n,
                       in->size);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        struct vt_vtest_batch batch;
        batch.flags = vt_cursor_u32(in);
        batch.stream = vt_cursor_u32(in);
        batch.stream_size = vt_cursor_u32(in);
        batch.syncs = vt_cursor_u32(in);
        batch.n_syncs = vt_cursor_u32(in);
        batch.ring_index = vt_cursor_u32(in);
        rc = submit_batch(v, in, &batch, err);
    }
    return rc;
}

static int submit(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    return in->size == 0 ? 0 : vt_venus_context_submit(v->context, in->base, in->size, err);
}

/* ---------------------------------------------------------------- messages */

static int pong(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    (void)in;
    return answer(v, VT_VTEST_PING, NULL, 0, err);
}

/* Nothing here is ever busy: it is asked behind a PING, so that old servers answer something. */
static int not_busy(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    const uint32_t busy = 0;
    (void)in;
    return answer(v, VT_VTEST_BUSY_WAIT, &busy, 1, err);
}

static int unref_sync(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    return vt_vtest_sync_unref(v->syncs, vt_cursor_u32(in), err);
}

static int write_sync(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    return vt_vtest_sync_write(v->syncs, take_point(in), err);
}

static int virgl(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err)
{
    (void)v;
    (void)in;
    return vt_fail(err, VT_E_UNSUPPORTED,
                   "this is a client of virgl (OpenGL); only Venus (Vulkan) is served: run its "
                   "OpenGL on zink");
}

#define ANY UINT32_MAX

static const struct message {
    const char *name;
    uint32_t dwords; /* ANY: up to PAYLOAD_MAX */
    bool in_context; /* only after CONTEXT_INIT */
    int (*run)(struct vt_vtest *v, struct vt_cursor *in, struct vt_error *err);
} messages[] = {
    [VT_VTEST_GET_CAPS] = {"GET_CAPS", 0, false, virgl},
    [VT_VTEST_RESOURCE_UNREF] = {"RESOURCE_UNREF", 1, true, unref_resource},
    [VT_VTEST_SUBMIT_CMD] = {"SUBMIT_CMD", ANY, true, submit},
    [VT_VTEST_BUSY_WAIT] = {"RESOURCE_BUSY_WAIT", 2, false, not_busy},
    [VT_VTEST_CREATE_RENDERER] = {"CREATE_RENDERER", ANY, false, take_name},
    [VT_VTEST_GET_CAPS2] = {"GET_CAPS2", 0, false, virgl},
    [VT_VTEST_PING] = {"PING_PROTOCOL_VERSION", 0, false, pong},
    [VT_VTEST_PROTOCOL_VERSION] = {"PROTOCOL_VERSION", 1, false, tell_version},
    [VT_VTEST_GET_PARAM] = {"GET_PARAM", 1, false, tell_param},
    [VT_VTEST_GET_CAPSET] = {"GET_CAPSET", 2, false, tell_capset},
    [VT_VTEST_CONTEXT_INIT] = {"CONTEXT_INIT", 1, false, begin_context},
    [VT_VTEST_RESOURCE_CREATE_BLOB] = {"RESOURCE_CREATE_BLOB", 6, true, create_blob},
    [VT_VTEST_SYNC_CREATE] = {"SYNC_CREATE", 2, true, create_sync},
    [VT_VTEST_SYNC_UNREF] = {"SYNC_UNREF", 1, true, unref_sync},
    [VT_VTEST_SYNC_READ] = {"SYNC_READ", 1, true, read_sync},
    [VT_VTEST_SYNC_WRITE] = {"SYNC_WRITE", 3, true, write_sync},
    [VT_VTEST_SYNC_WAIT] = {"SYNC_WAIT", ANY, true, wait_syncs},
    [VT_VTEST_SUBMIT_CMD2] = {"SUBMIT_CMD2", ANY, true, submit2},
};

/* The message of this header, if it may come now in this length. */
static const struct message *check(const struct vt_vtest *v, uint32_t length, uint32_t id,
                                   size_t *bytes, struct vt_error *err)
{
    const struct message *m =
        id < sizeof messages / sizeof messages[0] ? &messages[id] : &messages[0];
    bool name = id == VT_VTEST_CREATE_RENDERER;
    if (m->run == NULL) {
        vt_fail(err, VT_E_PROTOCOL, "a message of unknown id %" PRIu32, id);
    } else if (m->in_context && v->context == NULL) {
        vt_fail(err, VT_E_PROTOCOL, "%s before CONTEXT_INIT", m->name);
    } else if (m->dwords == ANY ? length > (name ? NAME_MAX_BYTES : PAYLOAD_MAX / DWORD)
                                : length != m->dwords) {
        vt_fail(err, VT_E_PROTOCOL, "%s with a length of %" PRIu32, m->name, length);
    } else {
        *bytes = name ? length : length * DWORD;
        return m;
    }
    return NULL;
}

/* Room for a payload; what a large one took is given back afterwards. */
static int make_room(struct vt_vtest *v, size_t bytes, struct vt_error *err)
{
    size_t room = bytes > PAYLOAD_KEPT ? bytes : PAYLOAD_KEPT;
    if (v->payload != NULL && (room == v->room || (bytes <= v->room && v->room == PAYLOAD_KEPT))) {
        return 0;
    }
    free(v->payload);
    v->payload = malloc(room);
    v->room = room;
    return v->payload != NULL
               ? 0
               : vt_fail(err, VT_E_NOMEM, "a message of %zu bytes: out of memory", bytes);
}

static int serve_message(struct vt_vtest *v, struct vt_error *err)
{
    uint8_t header[2 * DWORD];
    int rc = take_but_last(v, header, sizeof header, err);
    if (rc != 0) {
        return rc;
    }
    size_t bytes = 0;
    const struct message *m = check(v, vt_le32(header), vt_le32(header + DWORD), &bytes, err);
    if (m == NULL) {
        return err->code;
    }
    rc = make_room(v, bytes, err);
    if (rc == 0 && bytes > 0) {
        rc = take_but_last(v, v->payload, bytes, err);
        if (rc == VT_E_GONE) {
            return vt_fail(err, VT_E_PROTOCOL, "the connection ended in the middle of %s", m->name);
        }
    }
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&v->lock);
    v->messages++;
    pthread_mutex_unlock(&v->lock);
    struct vt_cursor in = vt_cursor_of(v->payload, bytes);
    return m->run(v, &in, err);
}

/* A context that has ended tells so from another thread, with its last commands. */
static void await_end(struct vt_vtest *v)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TOLD_PATIENCE_S;
    pthread_mutex_lock(&v->lock);
    while (!v->ended && pthread_cond_timedwait(&v->told, &v->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&v->lock);
}

void vt_vtest_run(struct vt_vtest *v)
{
    struct vt_error err;
    int rc;
    do {
        rc = serve_message(v, &err);
    } while (rc == 0);
    if (v->context != NULL && vt_venus_context_reason(v->context) != NULL) {
        await_end(v);
    }
    pthread_mutex_lock(&v->lock);
    bool stopped = v->stopped;
    pthread_mutex_unlock(&v->lock);
    if (stopped && rc == VT_E_GONE) {
        end(v, false, "the server ends", NULL);
    } else {
        end(v, rc != VT_E_GONE, err.message, NULL);
    }
}
