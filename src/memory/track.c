/* memory/track.c - the reader's side of the page tracker. See vitrine/memory.h, track_wire.h. */
#include "memory/track.h"

#include "base/io.h"
#include "memory/track_table.h"
#include "memory/track_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Hashing a terabyte takes a while; a tracker that says nothing for so long is stuck. */
#define ANSWER_MS 60000

struct vt_track {
    int sock;
    enum vt_track_mode mode;
    char vm[VT_VM_NAME_MAX + 1];
    char why[VT_ERROR_MESSAGE_MAX];
    struct vt_table table;
};

const char *vt_track_mode_name(enum vt_track_mode mode)
{
    static const char *const names[] = {"none", "pagemap", "hash"};
    return (size_t)mode < sizeof names / sizeof names[0] ? names[mode] : "none";
}

/* ---------------------------------------------------------------- open */

static int greet(struct vt_track *t, struct vt_error *err)
{
    struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
    int flags = fcntl(t->sock, F_GETFL);
    if (flags < 0 || fcntl(t->sock, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        setsockopt(t->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s: the page tracker's socket", t->vm);
    }
    struct vt_track_hello hello;
    size_t count = sizeof hello;
    int fd = -1;
    size_t n_fds = 1;
    int rc = vt_wait_fd(t->sock, POLLIN, vt_deadline_ms(ANSWER_MS), NULL, err);
    if (rc == 0) {
        rc = vt_recv_fds(t->sock, &hello, &count, &fd, &n_fds, err);
    }
    if (rc != 0) {
        return rc;
    }
    /* Sent as one message into an empty socket, so it comes as one. */
    if (count == 0) {
        rc = vt_fail(err, VT_E_GONE, "%s: the page tracker ended", t->vm);
    } else if (count != sizeof hello) {
        rc = vt_fail(err, VT_E_PROTOCOL, "%s: the page tracker's greeting is cut short", t->vm);
    } else {
        rc = vt_track_hello_check(&hello, err);
    }
    if (rc == 0) {
        t->mode = (enum vt_track_mode)hello.mode;
        memcpy(t->why, hello.why, sizeof t->why);
        if (t->mode == VT_TRACK_NONE) {
            rc = vt_fail(err, VT_E_UNSUPPORTED, "%s: changes of its RAM cannot be tracked: %s",
                         t->vm, t->why);
        } else if (n_fds != 1) {
            rc = vt_fail(err, VT_E_PROTOCOL, "%s: the page tracker sent no epoch table", t->vm);
        } else {
            rc = vt_table_open(&t->table, fd, hello.ram_bytes, err);
        }
    }
    if (n_fds == 1) {
        close(fd);
    }
    return rc;
}

int vt_track_adopt(int sock, const char *vm, struct vt_track **track, struct vt_error *err)
{
    struct vt_track *t = calloc(1, sizeof *t);
    if (t == NULL) {
        close(sock);
        return vt_fail(err, VT_E_NOMEM, "no memory for a tracker's handle");
    }
    t->sock = sock;
    t->table.fd = -1;
    snprintf(t->vm, sizeof t->vm, "%s", vm);
    int rc = greet(t, err);
    if (rc != 0) {
        vt_track_close(t);
        return rc;
    }
    *track = t;
    return 0;
}

void vt_track_close(struct vt_track *track)
{
    if (track == NULL) {
        return;
    }
    vt_close(&track->sock);
    vt_table_close(&track->table);
    free(track);
}

enum vt_track_mode vt_track_mode(const struct vt_track *track)
{
    return track->mode;
}

const char *vt_track_why(const struct vt_track *track)
{
    return track->why;
}

/* ---------------------------------------------------------------- scans */

static int ask(struct vt_track *t, uint32_t op, uint32_t value, struct vt_error *err)
{
    struct vt_track_word word = {.op = op, .value = value};
    if (send(t->sock, &word, sizeof word, MSG_NOSIGNAL) != sizeof word) {
        return vt_fail_errno(err, VT_E_GONE, errno, "%s: the page tracker ended", t->vm);
    }
    return 0;
}

/* The socket blocks, with a time limit: one system call less on the way of every scan. */
static int answer(struct vt_track *t, struct vt_track_word *word, struct vt_error *err)
{
    ssize_t n;
    do {
        n = recv(t->sock, word, sizeof *word, MSG_WAITALL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        return vt_fail(err, VT_E_TIMEOUT, "%s: the page tracker does not answer", t->vm);
    }
    if (n <= 0) {
        return vt_fail(err, VT_E_GONE, "%s: the page tracker ended (did QEMU?)", t->vm);
    }
    if (n != sizeof *word || word->op != VT_TRACK_SCAN || word->value == 0) {
        return vt_fail(err, VT_E_PROTOCOL, "%s: the page tracker answered nonsense", t->vm);
    }
    return 0;
}

int vt_track_scan(struct vt_track *track, uint32_t *tick, struct vt_error *err)
{
    struct vt_track_word word;
    int rc = ask(track, VT_TRACK_SCAN, 0, err);
    rc = rc == 0 ? answer(track, &word, err) : rc;
    if (rc != 0) {
        /* An answer that comes late must not be taken for the next one. */
        shutdown(track->sock, SHUT_RDWR);
        return rc;
    }
    *tick = word.value;
    return 0;
}

int vt_track_subscribe(struct vt_track *track, unsigned hz, struct vt_error *err)
{
    if (hz > VT_TRACK_HZ_MAX) {
        return vt_fail(err, VT_E_INVAL, "%u scans a second, at most %u", hz, VT_TRACK_HZ_MAX);
    }
    return ask(track, VT_TRACK_SUBSCRIBE, hz, err);
}

/* ---------------------------------------------------------------- the table */

uint32_t vt_track_tick(const struct vt_track *track)
{
    return atomic_load_explicit(&track->table.header->tick, memory_order_acquire);
}

uint32_t vt_track_started(const struct vt_track *track)
{
    /* Pairs with vt_table_start: the look at the marks comes first. */
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&track->table.header->started, memory_order_relaxed);
}

const uint32_t *vt_track_epochs(const struct vt_track *track)
{
    return track->table.epochs;
}

const uint32_t *vt_track_group_epochs(const struct vt_track *track)
{
    return track->table.group_epochs;
}

bool vt_track_next(const struct vt_track *track, uint32_t since, uint64_t from, uint64_t *first,
                   uint64_t *end)
{
    return vt_table_next(&track->table, since, from, first, end);
}

void vt_track_stats(const struct vt_track *track, struct vt_track_stats *stats)
{
    const struct vt_table_header *h = track->table.header;
    uint32_t turn;
    uint32_t again;
    do {
        turn = atomic_load_explicit(&h->stats_turn, memory_order_acquire);
        *stats = (struct vt_track_stats){
            .tick = atomic_load_explicit(&h->tick, memory_order_acquire),
            .dirty_pages_total = atomic_load_explicit(&h->dirty_pages_total, memory_order_acquire),
            .last_dirty_pages = atomic_load_explicit(&h->last_dirty_pages, memory_order_acquire),
            .last_scan_ns = atomic_load_explicit(&h->last_scan_ns, memory_order_acquire),
            .scan_ns_total = atomic_load_explicit(&h->scan_ns_total, memory_order_acquire),
            .last_scan_at_ns = atomic_load_explicit(&h->last_scan_at_ns, memory_order_acquire),
        };
        again = atomic_load_explicit(&h->stats_turn, memory_order_relaxed);
    } while (turn != again || (turn & 1) != 0);
}
