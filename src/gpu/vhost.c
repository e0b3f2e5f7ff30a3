/* gpu/vhost.c - see vhost.h: the connection, its messages, the back end's own channel.
 *
 * Messages are read as they come, never beyond their ends, so that descriptors stay with the
 * message they belong to. One that cannot be ends the connection; one that asks for something that
 * cannot be done is answered so, where the front end wants an answer.
 */
#include "gpu/vhost_parts.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/** A front end that takes no answer for so long is gone. */
#define PATIENCE_MS 5000u

static void close_fds(struct vt_vhost *v)
{
    while (v->n_fds > 0) {
        close(v->fds[--v->n_fds]);
    }
}

/* The descriptor that a message brought: the caller's from now on; -1: none. */
static int take_fd(struct vt_vhost *v)
{
    return v->n_fds > 0 ? v->fds[--v->n_fds] : -1;
}

static void over(struct vt_vhost *v, const char *reason)
{
    if (v->over) {
        return;
    }
    v->over = true;
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        vt_vhost_queue_stop(v, i);
    }
    vt_source_remove(v->sock_source);
    vt_source_remove(v->backend_source);
    v->sock_source = v->backend_source = NULL;
    v->events.ended(v->events.arg, reason);
}

/* ---------------------------------------------------------------- sending */

static int send_bytes(int sock, const void *head, size_t head_bytes, const void *body, size_t bytes,
                      int fd, struct vt_error *err)
{
    uint8_t all[sizeof(struct vt_vhost_header) + sizeof(struct vt_vhost_shmem_config)];
    memcpy(all, head, head_bytes);
    if (bytes > 0) {
        memcpy(all + head_bytes, body, bytes);
    }
    size_t at = 0, n = head_bytes + bytes;
    const uint64_t deadline = vt_deadline_ms(PATIENCE_MS);
    while (at < n) {
        union {
            char space[CMSG_SPACE(sizeof(int))];
            struct cmsghdr align;
        } control = {0};
        struct iovec iov = {all + at, n - at};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        if (fd >= 0 && at == 0) {
            m.msg_control = control.space;
            m.msg_controllen = sizeof control.space;
            struct cmsghdr *c = CMSG_FIRSTHDR(&m);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof fd);
            memcpy(CMSG_DATA(c), &fd, sizeof fd);
        }
        ssize_t sent = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += (size_t)sent;
        } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            int rc = vt_wait_fd(sock, POLLOUT, deadline, NULL, err);
            if (rc != 0) {
                return rc;
            }
        } else if (sent < 0 && errno != EINTR) {
            return vt_fail_errno(err, VT_E_GONE, errno, "vhost-user: sending");
        }
    }
    return 0;
}

static int answer(struct vt_vhost *v, const void *body, size_t bytes, struct vt_error *err)
{
    const struct vt_vhost_header h = {v->header.request, VT_VHOST_VERSION | VT_VHOST_REPLY,
                                      (uint32_t)bytes};
    return send_bytes(v->sock, &h, sizeof h, body, bytes, -1, err);
}

static int answer_u64(struct vt_vhost *v, uint64_t value, struct vt_error *err)
{
    return answer(v, &value, sizeof value, err);
}

/* ---------------------------------------------------------------- the back end's channel */

static void window_there(struct vt_vhost *v)
{
    v->window = VT_VHOST_WINDOW_THERE;
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        vt_vhost_queue_drain(v, i);
    }
}

static bool has_window(const struct vt_vhost *v)
{
    const uint64_t needs = VT_VHOST_P_SHMEM | VT_VHOST_P_BACKEND_REQ | VT_VHOST_P_BACKEND_SEND_FD;
    return (v->protocol & needs) == needs && v->backend >= 0;
}

/* QEMU takes it once the device has started, and not before. */
static void map_window(struct vt_vhost *v)
{
    uint64_t bytes;
    struct vt_error err;
    if (!has_window(v) || v->window != VT_VHOST_WINDOW_NOT) {
        return;
    }
    const int fd = vt_card_window(v->card, &bytes);
    const struct vt_vhost_shmem_map map = {
        .id = VT_CARD_WINDOW_ID, .bytes = bytes, .flags = VT_VHOST_SHMEM_WRITABLE};
    const bool acks = (v->protocol & VT_VHOST_P_REPLY_ACK) != 0;
    const struct vt_vhost_header h = {VT_VHOST_BACKEND_SHMEM_MAP,
                                      VT_VHOST_VERSION | (acks ? VT_VHOST_NEED_REPLY : 0),
                                      sizeof map};
    v->window = acks ? VT_VHOST_WINDOW_ASKED : VT_VHOST_WINDOW_THERE;
    if (send_bytes(v->backend, &h, sizeof h, &map, sizeof map, fd, &err) != 0) {
        over(v, err.message);
    }
}

/* Only answers to SHMEM_MAP come here: a header and a u64, 0 when it is done. */
static void on_backend(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_vhost *v = arg;
    struct vt_vhost_header h;
    uint64_t result;
    (void)events;
    ssize_t n =
        recv(v->backend, v->reply + v->reply_have, sizeof v->reply - v->reply_have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) { /* the connection's own end follows */
        vt_source_remove(source);
        v->backend_source = NULL;
        return;
    }
    v->reply_have += (size_t)n;
    if (v->reply_have < sizeof v->reply) {
        return;
    }
    v->reply_have = 0;
    memcpy(&h, v->reply, sizeof h);
    memcpy(&result, v->reply + sizeof h, sizeof result);
    if (h.request != VT_VHOST_BACKEND_SHMEM_MAP || h.bytes != sizeof result ||
        v->window != VT_VHOST_WINDOW_ASKED) {
        over(v, "the front end answered what was not asked");
        return;
    }
    if (result != 0 && !v->mapped_before && v->events.say != NULL) {
        v->events.say(v->events.arg, "the front end did not map the memory window");
    }
    v->mapped_before |= result == 0;
    window_there(v);
}

static void on_config(void *arg)
{
    struct vt_vhost *v = arg;
    const struct vt_vhost_header h = {VT_VHOST_BACKEND_CONFIG_CHANGE, VT_VHOST_VERSION, 0};
    struct vt_error err;
    if (v->backend >= 0 && !v->over &&
        send_bytes(v->backend, &h, sizeof h, NULL, 0, -1, &err) != 0) {
        over(v, err.message);
    }
}

static int set_backend(struct vt_vhost *v, struct vt_error *err)
{
    int fd = take_fd(v);
    if (fd < 0) {
        return vt_fail(err, VT_E_PROTOCOL, "SET_BACKEND_REQ_FD without a descriptor");
    }
    vt_source_remove(v->backend_source);
    v->backend_source = NULL;
    vt_close(&v->backend);
    v->backend = fd;
    v->reply_have = 0;
    return vt_loop_add_fd(v->loop, fd, EPOLLIN, on_backend, v, &v->backend_source, err);
}

/* ---------------------------------------------------------------- memory */

static void resolve_all(struct vt_vhost *v)
{
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        vt_vhost_queue_resolve(v, &v->queues[i]);
    }
}

static struct vt_guest_region region_of(const struct vt_vhost_region *r)
{
    return (struct vt_guest_region){
        .gpa = r->gpa, .bytes = r->bytes, .front_end = r->front_end, .offset = r->offset};
}

static int set_mem_table(struct vt_vhost *v, struct vt_error *err)
{
    struct vt_vhost_table table = {0};
    const size_t head = 8, bytes = v->header.bytes;
    memcpy(&table, v->payload, bytes < sizeof table ? bytes : sizeof table);
    if (bytes < head || table.n > VT_VHOST_TABLE_REGIONS_MAX || table.n != v->n_fds ||
        bytes < head + table.n * sizeof table.regions[0]) {
        return vt_fail(err, VT_E_PROTOCOL, "SET_MEM_TABLE: %u regions, %zu descriptors", table.n,
                       v->n_fds);
    }
    vt_guest_memory_clear(&v->memory);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < table.n; i++) {
        struct vt_guest_region r = region_of(&table.regions[i]);
        rc = vt_guest_memory_add(&v->memory, &r, v->fds[i], err);
    }
    resolve_all(v);
    return rc;
}

/* ---------------------------------------------------------------- queues */

static struct vt_vhost_queue *queue_of(struct vt_vhost *v, uint64_t index, struct vt_error *err)
{
    if (index >= VT_VHOST_QUEUES) {
        vt_fail(err, VT_E_INVAL, "there is no queue %" PRIu64, index);
        return NULL;
    }
    return &v->queues[index];
}

static int set_vring_num(struct vt_vhost *v, const struct vt_vhost_vring_state *s,
                         struct vt_error *err)
{
    struct vt_vhost_queue *q = queue_of(v, s->index, err);
    if (q == NULL) {
        return VT_E_INVAL;
    }
    if (q->running || s->num == 0 || s->num > VT_DEVICE_QUEUE_SIZE_MAX ||
        (s->num & (s->num - 1)) != 0) {
        return vt_fail(err, VT_E_INVAL, "a queue of %u", s->num);
    }
    q->ring.size = (uint16_t)s->num;
    vt_vhost_queue_resolve(v, q);
    return 0;
}

static int set_vring_addr(struct vt_vhost *v, struct vt_error *err)
{
    struct vt_vhost_vring_addr addr;
    memcpy(&addr, v->payload, sizeof addr);
    struct vt_vhost_queue *q = queue_of(v, addr.index, err);
    if (q == NULL) {
        return VT_E_INVAL;
    }
    q->addr = addr;
    q->has_addr = true;
    vt_vhost_queue_resolve(v, q);
    return 0;
}

static int set_vring_base(struct vt_vhost *v, const struct vt_vhost_vring_state *s,
                          struct vt_error *err)
{
    struct vt_vhost_queue *q = queue_of(v, s->index, err);
    if (q == NULL) {
        return VT_E_INVAL;
    }
    if (q->running) {
        return vt_fail(err, VT_E_INVAL, "SET_VRING_BASE of a queue that runs");
    }
    q->base = (uint16_t)s->num;
    return 0;
}

static int get_vring_base(struct vt_vhost *v, const struct vt_vhost_vring_state *s,
                          struct vt_error *err)
{
    struct vt_vhost_queue *q = queue_of(v, s->index, err);
    if (q == NULL) {
        return VT_E_PROTOCOL; /* it waits for an answer that cannot be */
    }
    vt_vhost_queue_stop(v, s->index);
    const struct vt_vhost_vring_state state = {s->index, q->base};
    return answer(v, &state, sizeof state, err);
}

static int set_vring_fd(struct vt_vhost *v, uint64_t word, struct vt_error *err)
{
    struct vt_vhost_queue *q = queue_of(v, word & VT_VHOST_VRING_INDEX_MASK, err);
    const bool none = (word & VT_VHOST_VRING_NO_FD) != 0;
    if (q == NULL) {
        return VT_E_INVAL;
    }
    int fd = none ? -1 : take_fd(v);
    if (!none && fd < 0) {
        return vt_fail(err, VT_E_PROTOCOL, "a queue's descriptor is missing");
    }
    if (fd >= 0) { /* a full or an empty one must not hold the device up */
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
            int rc = vt_fail_errno(err, VT_E_IO, errno, "a queue's descriptor");
            close(fd);
            return rc;
        }
    }
    switch (v->header.request) {
    case VT_VHOST_SET_VRING_CALL:
        vt_close(&q->call);
        q->call = fd;
        return 0;
    case VT_VHOST_SET_VRING_ERR:
        vt_close(&q->err);
        q->err = fd;
        return 0;
    default:
        break;
    }
    if (fd < 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "a queue without a kick: it would be polled");
    }
    if (q->running) {
        vt_source_remove(q->kick_source);
        q->kick_source = NULL;
        q->base = q->ring.next;
    }
    vt_close(&q->kick);
    q->kick = fd;
    q->enabled |= (v->features & VT_VHOST_F_PROTOCOL_FEATURES) == 0;
    int rc = vt_vhost_queue_start(v, (unsigned)(q - v->queues), err);
    if (rc == 0) {
        vt_vhost_queue_drain(v, (unsigned)(q - v->queues));
    }
    return rc;
}

static int set_vring_enable(struct vt_vhost *v, const struct vt_vhost_vring_state *s,
                            struct vt_error *err)
{
    struct vt_vhost_queue *q = queue_of(v, s->index, err);
    if (q == NULL || s->num > 1) {
        return vt_fail(err, VT_E_INVAL, "SET_VRING_ENABLE: queue %u, %u", s->index, s->num);
    }
    q->enabled = s->num == 1;
    return 0;
}

/* ---------------------------------------------------------------- features and configuration */

static uint64_t features(const struct vt_vhost *v)
{
    return vt_card_features(v->card) | VT_VIRTIO_VERSION_1 | VT_VIRTIO_RING_INDIRECT |
           VT_VIRTIO_RING_EVENT_INDEX | VT_VHOST_F_PROTOCOL_FEATURES;
}

/* Not CONFIGURE_MEM_SLOTS: with it, and memory mapped by SHMEM_MAP, QEMU 11.1 dies when the device
 * is started a second time. */
#define PROTOCOL                                                                                   \
    (VT_VHOST_P_MQ | VT_VHOST_P_REPLY_ACK | VT_VHOST_P_BACKEND_REQ | VT_VHOST_P_CONFIG |           \
     VT_VHOST_P_BACKEND_SEND_FD | VT_VHOST_P_RESET_DEVICE | VT_VHOST_P_SHMEM)

static int set_bits(uint64_t offered, uint64_t wanted, uint64_t *bits, const char *what,
                    struct vt_error *err)
{
    if ((wanted & ~offered) != 0) {
        return vt_fail(err, VT_E_INVAL, "%s that were not offered: 0x%" PRIx64, what,
                       wanted & ~offered);
    }
    *bits = wanted;
    return 0;
}

/* Its space is as long as the front end wants; what is behind ours is 0. */
static int get_config(struct vt_vhost *v, struct vt_error *err)
{
    struct vt_vhost_config c = {0};
    uint8_t all[VT_VHOST_CONFIG_BYTES_MAX] = {0};
    memcpy(&c, v->payload, VT_VHOST_CONFIG_HEAD);
    if (v->header.bytes < VT_VHOST_CONFIG_HEAD || c.bytes > sizeof all ||
        c.offset > sizeof all - c.bytes) {
        return vt_fail(err, VT_E_PROTOCOL, "GET_CONFIG: %u bytes at %u", c.bytes, c.offset);
    }
    memcpy(all, vt_card_config(v->card), sizeof(struct vt_vgpu_config_space));
    memcpy(c.space, all + c.offset, c.bytes);
    return answer(v, &c, VT_VHOST_CONFIG_HEAD + c.bytes, err);
}

static int set_config(struct vt_vhost *v, struct vt_error *err)
{
    const uint32_t at = offsetof(struct vt_vgpu_config_space, events_clear);
    struct vt_vhost_config c = {0};
    uint32_t clear;
    memcpy(&c, v->payload, v->header.bytes < sizeof c ? v->header.bytes : sizeof c);
    if (v->header.bytes < VT_VHOST_CONFIG_HEAD || c.bytes > sizeof c.space ||
        v->header.bytes - VT_VHOST_CONFIG_HEAD < c.bytes) {
        return vt_fail(err, VT_E_PROTOCOL, "SET_CONFIG: %u bytes", c.bytes);
    }
    if (c.offset <= at && at + sizeof clear <= (uint64_t)c.offset + c.bytes) {
        memcpy(&clear, c.space + (at - c.offset), sizeof clear);
        vt_card_clear_events(v->card, clear);
    }
    return 0;
}

static int get_shmem_config(struct vt_vhost *v, struct vt_error *err)
{
    struct vt_vhost_shmem_config c = {.n = 1};
    vt_card_window(v->card, &c.bytes[VT_CARD_WINDOW_ID]);
    return answer(v, &c, sizeof c, err);
}

/* ---------------------------------------------------------------- messages */

/* Least bytes of each message's payload; SET_MEM_TABLE and the configuration's look for
 * themselves. */
static size_t least(uint32_t request)
{
    switch (request) {
    case VT_VHOST_SET_FEATURES:
    case VT_VHOST_SET_PROTOCOL_FEATURES:
    case VT_VHOST_SET_VRING_KICK:
    case VT_VHOST_SET_VRING_CALL:
    case VT_VHOST_SET_VRING_ERR:
    case VT_VHOST_SET_VRING_NUM:
    case VT_VHOST_SET_VRING_BASE:
    case VT_VHOST_GET_VRING_BASE:
    case VT_VHOST_SET_VRING_ENABLE:
        return 8;
    case VT_VHOST_SET_VRING_ADDR:
        return sizeof(struct vt_vhost_vring_addr);
    default:
        return 0;
    }
}

/* *answered: it was, or has an answer of its own. */
static int carry_out(struct vt_vhost *v, bool *answered, struct vt_error *err)
{
    uint64_t word = 0;
    struct vt_vhost_vring_state state = {0};
    memcpy(&word, v->payload, sizeof word);
    memcpy(&state, v->payload, sizeof state);
    *answered = true;
    switch (v->header.request) {
    case VT_VHOST_GET_FEATURES:
        return answer_u64(v, features(v), err);
    case VT_VHOST_GET_PROTOCOL_FEATURES:
        return answer_u64(v, PROTOCOL, err);
    case VT_VHOST_GET_QUEUE_NUM:
        return answer_u64(v, VT_VHOST_QUEUES, err);
    case VT_VHOST_GET_VRING_BASE:
        return get_vring_base(v, &state, err);
    case VT_VHOST_GET_CONFIG:
        return get_config(v, err);
    case VT_VHOST_GET_SHMEM_CONFIG:
        return get_shmem_config(v, err);
    default:
        *answered = false;
        break;
    }
    switch (v->header.request) {
    case VT_VHOST_SET_FEATURES:
        return set_bits(features(v), word, &v->features, "features", err);
    case VT_VHOST_SET_PROTOCOL_FEATURES:
        return set_bits(PROTOCOL, word, &v->protocol, "protocol features", err);
    case VT_VHOST_SET_OWNER:
        return 0;
    case VT_VHOST_RESET_OWNER:
    case VT_VHOST_RESET_DEVICE:
        vt_vhost_reset(v);
        return 0;
    case VT_VHOST_SET_MEM_TABLE:
        return set_mem_table(v, err);
    case VT_VHOST_SET_VRING_NUM:
        return set_vring_num(v, &state, err);
    case VT_VHOST_SET_VRING_ADDR:
        return set_vring_addr(v, err);
    case VT_VHOST_SET_VRING_BASE:
        return set_vring_base(v, &state, err);
    case VT_VHOST_SET_VRING_KICK:
    case VT_VHOST_SET_VRING_CALL:
    case VT_VHOST_SET_VRING_ERR:
        return set_vring_fd(v, word, err);
    case VT_VHOST_SET_VRING_ENABLE:
        return set_vring_enable(v, &state, err);
    case VT_VHOST_SET_BACKEND_REQ_FD:
        return set_backend(v, err);
    case VT_VHOST_SET_CONFIG:
        return set_config(v, err);
    default:
        return vt_fail(err, VT_E_PROTOCOL, "vhost-user: message %u is not known",
                       v->header.request);
    }
}

/* Enabled queues are looked at, once the front end has its answer. */
static void after(struct vt_vhost *v)
{
    if (v->header.request != VT_VHOST_SET_VRING_ENABLE) {
        return;
    }
    bool all = true;
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        all &= v->queues[i].enabled && v->queues[i].running;
    }
    if (all) {
        map_window(v);
    }
    for (unsigned i = 0; i < VT_VHOST_QUEUES && !v->over; i++) {
        vt_vhost_queue_drain(v, i);
    }
}

static void message(struct vt_vhost *v)
{
    struct vt_error err = {.message = ""};
    bool answered = false;
    int rc =
        v->header.bytes < least(v->header.request)
            ? vt_fail(&err, VT_E_PROTOCOL, "vhost-user: message %u is too short", v->header.request)
            : carry_out(v, &answered, &err);
    const bool wants = (v->header.flags & VT_VHOST_NEED_REPLY) != 0 &&
                       (v->protocol & VT_VHOST_P_REPLY_ACK) != 0 && !answered;
    if (rc != 0 && v->events.say != NULL) {
        v->events.say(v->events.arg, err.message);
    }
    if (rc == VT_E_PROTOCOL || rc == VT_E_GONE || (rc != 0 && answered)) {
        over(v, err.message);
    } else if (wants) {
        struct vt_error failure;
        if (answer_u64(v, rc != 0, &failure) != 0) {
            over(v, failure.message);
        }
    }
    if (!v->over) {
        after(v);
    }
    close_fds(v);
    memset(v->payload, 0, sizeof v->payload);
    v->have = 0;
}

/* True: more may be there. */
static bool receive(struct vt_vhost *v)
{
    const size_t head = sizeof v->header;
    const bool in_head = v->have < head;
    uint8_t *to = in_head ? (uint8_t *)&v->header + v->have : v->payload + (v->have - head);
    size_t n = in_head ? head - v->have : head + v->header.bytes - v->have;
    size_t n_fds = VT_VHOST_FDS_MAX - v->n_fds;
    struct vt_error err;
    if (vt_recv_fds(v->sock, to, &n, v->fds + v->n_fds, &n_fds, &err) != 0) {
        if (err.sys_errno != EAGAIN && err.sys_errno != EWOULDBLOCK) {
            over(v, err.message);
        }
        return false;
    }
    v->n_fds += n_fds;
    if (n == 0) {
        over(v, v->have > 0 ? "the front end closed it within a message" : NULL);
        return false;
    }
    v->have += n;
    if (v->have < head) {
        return true;
    }
    if (in_head && ((v->header.flags & VT_VHOST_VERSION_MASK) != VT_VHOST_VERSION ||
                    v->header.bytes > sizeof v->payload)) {
        over(v, "what came is no vhost-user message");
        return false;
    }
    if (v->have == head + v->header.bytes) {
        message(v);
    }
    return !v->over;
}

static void on_sock(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_vhost *v = arg;
    (void)source;
    (void)events;
    for (unsigned i = 0; i < 64 && receive(v); i++) {
    }
}

/* ---------------------------------------------------------------- its life */

static void on_say(void *arg, const char *line)
{
    struct vt_vhost *v = arg;
    if (v->events.say != NULL) {
        v->events.say(v->events.arg, line);
    }
}

static int set_up(struct vt_vhost *v, const struct vt_card_options *options, struct vt_error *err)
{
    const struct vt_card_events events = {
        .answer = vt_vhost_answer, .config = on_config, .say = on_say, .arg = v};
    int flags = fcntl(v->sock, F_GETFL);
    if (flags < 0 || fcntl(v->sock, F_SETFL, flags | O_NONBLOCK) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "vhost-user");
    }
    int rc = vt_card_create(v->loop, &v->memory, options, &events, &v->card, err);
    return rc != 0 ? rc
                   : vt_loop_add_fd(v->loop, v->sock, EPOLLIN, on_sock, v, &v->sock_source, err);
}

int vt_vhost_create(struct vt_loop *loop, int sock, const struct vt_card_options *options,
                    const struct vt_vhost_events *events, struct vt_vhost **vhost,
                    struct vt_error *err)
{
    struct vt_vhost *v = calloc(1, sizeof *v);
    if (v == NULL) {
        close(sock);
        return vt_fail(err, VT_E_NOMEM, "vhost-user: out of memory");
    }
    v->loop = loop;
    v->events = *events;
    v->sock = sock;
    v->backend = -1;
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        struct vt_vhost_queue *q = &v->queues[i];
        q->kick = q->call = q->err = -1;
        q->late_last = &q->late;
    }
    int rc = set_up(v, options, err);
    if (rc != 0) {
        vt_vhost_destroy(v);
        return rc;
    }
    *vhost = v;
    return 0;
}

void vt_vhost_destroy(struct vt_vhost *v)
{
    if (v == NULL) {
        return;
    }
    vt_source_remove(v->sock_source);
    vt_source_remove(v->backend_source);
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        vt_vhost_queue_stop(v, i);
        vt_close(&v->queues[i].err);
    }
    v->over = true;
    if (v->card != NULL) {
        vt_vhost_reset(v);
        vt_card_destroy(v->card);
    }
    close_fds(v);
    vt_guest_memory_clear(&v->memory);
    vt_close(&v->sock);
    vt_close(&v->backend);
    free(v->request);
    free(v);
}

struct vt_card *vt_vhost_card(struct vt_vhost *v)
{
    return v->card;
}
