/* machine/keeper_socket.c - see keeper_socket.h. */
#include "machine/keeper_socket.h"

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct pending {
    struct vt_keeper_socket *sock;
    struct pending *next; /* newest first */
    struct vt_source *source;
    int fd;
};

struct vt_keeper_socket {
    struct vt_loop *loop;
    struct vt_source *source;
    int fd;
    const struct vt_keeper_entry *entries;
    size_t n_entries;
    struct pending *pending;
    unsigned n_pending;
};

/* Takes a client off the list; its descriptor stays open. */
static int forget(struct pending *p)
{
    struct pending **link = &p->sock->pending;
    while (*link != p) {
        link = &(*link)->next;
    }
    *link = p->next;
    p->sock->n_pending--;
    vt_source_remove(p->source);
    int fd = p->fd;
    free(p);
    return fd;
}

static void answer(struct vt_keeper_socket *s, char *line, int fd)
{
    char *blank = strchr(line, ' ');
    const char *args = blank != NULL ? blank + 1 : "";
    if (blank != NULL) {
        *blank = '\0';
    }
    for (size_t i = 0; i < s->n_entries; i++) {
        if (strcmp(s->entries[i].name, line) != 0) {
            continue;
        }
        if (send(fd, "ok\n", 3, MSG_NOSIGNAL | MSG_DONTWAIT) == 3) {
            s->entries[i].client(s->entries[i].arg, args, fd);
        } else {
            close(fd);
        }
        return;
    }
    static const char none[] = "error no such service\n";
    send(fd, none, sizeof none - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/* Looks first and takes only the line: what follows it is the service's. */
static void on_pending(struct vt_source *source, uint32_t events, void *arg)
{
    struct pending *p = arg;
    struct vt_keeper_socket *s = p->sock;
    char line[VT_KEEPER_LINE_MAX + 1];
    (void)source;
    (void)events;
    ssize_t n = recv(p->fd, line, VT_KEEPER_LINE_MAX, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    char *newline = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
    if (newline == NULL) {
        if (n <= 0 || n == VT_KEEPER_LINE_MAX || (events & (EPOLLHUP | EPOLLRDHUP)) != 0) {
            close(forget(p));
        }
        return;
    }
    size_t bytes = (size_t)(newline - line) + 1;
    int fd = forget(p);
    if (recv(fd, line, bytes, MSG_DONTWAIT) != (ssize_t)bytes) {
        close(fd);
        return;
    }
    line[bytes - 1] = '\0';
    answer(s, line, fd);
}

static void on_listener(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_keeper_socket *s = arg;
    (void)source;
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    if (s->n_pending == VT_KEEPER_PENDING_MAX) {
        struct pending *oldest = s->pending;
        while (oldest->next != NULL) {
            oldest = oldest->next;
        }
        close(forget(oldest));
    }
    struct pending *p = calloc(1, sizeof *p);
    if (p == NULL) {
        close(fd);
        return;
    }
    *p = (struct pending){.sock = s, .next = s->pending, .fd = fd};
    /* Edge-triggered: half a line is looked at again only when more of it comes. */
    if (vt_loop_add_fd(s->loop, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_pending, p, &p->source,
                       NULL) != 0) {
        free(p);
        close(fd);
        return;
    }
    s->pending = p;
    s->n_pending++;
}

int vt_keeper_socket_create(struct vt_loop *loop, const char *path,
                            const struct vt_keeper_entry *entries, size_t n,
                            struct vt_keeper_socket **sock, struct vt_error *err)
{
    struct vt_keeper_socket *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    *s = (struct vt_keeper_socket){.loop = loop, .fd = -1, .entries = entries, .n_entries = n};
    int rc = vt_unix_listen(path, 16, &s->fd, err);
    rc = rc != 0 ? rc : vt_loop_add_fd(loop, s->fd, EPOLLIN, on_listener, s, &s->source, err);
    if (rc != 0) {
        vt_keeper_socket_destroy(s);
        return rc;
    }
    *sock = s;
    return 0;
}

void vt_keeper_socket_destroy(struct vt_keeper_socket *s)
{
    if (s == NULL) {
        return;
    }
    while (s->pending != NULL) {
        close(forget(s->pending)); // NOLINT(clang-analyzer-unix.Malloc): forget moves the list on
    }
    vt_source_remove(s->source);
    vt_close(&s->fd);
    free(s);
}

/* The answer's line, byte by byte: what follows it is the service's. */
static int read_answer(int fd, const char *name, uint64_t deadline_ns, const volatile int *stop,
                       char line[VT_KEEPER_LINE_MAX], struct vt_error *err)
{
    for (size_t n = 0; n < VT_KEEPER_LINE_MAX;) {
        int rc = vt_wait_fd(fd, POLLIN, deadline_ns, stop, err);
        if (rc == VT_E_TIMEOUT) {
            return vt_fail(err, VT_E_TIMEOUT, "%s: its keeper did not answer in time", name);
        }
        if (rc != 0) {
            return rc;
        }
        ssize_t got = read(fd, line + n, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return vt_fail(err, VT_E_GONE, "%s: its keeper went away", name);
        }
        if (line[n] == '\n') {
            line[n] = '\0';
            return 0;
        }
        n++;
    }
    return vt_fail(err, VT_E_PROTOCOL, "%s: its keeper answered nonsense", name);
}

int vt_keeper_request(const char *path, const char *name, const char *service, uint64_t deadline_ns,
                      const volatile int *stop, int *fd, struct vt_error *err)
{
    char line[VT_KEEPER_LINE_MAX];
    int n = snprintf(line, sizeof line, "%s\n", service);
    if (n < 0 || (size_t)n >= sizeof line) {
        return vt_fail(err, VT_E_INVAL, "%s: a service's name is shorter", name);
    }
    int s;
    int rc = vt_unix_connect(path, &s, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_write_all(s, line, (size_t)n, path, err);
    rc = rc != 0 ? rc : read_answer(s, name, deadline_ns, stop, line, err);
    if (rc == 0 && strcmp(line, "ok") != 0) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s: '%s': %s", name, service,
                     strncmp(line, "error ", 6) == 0 ? line + 6 : "refused");
    }
    if (rc != 0) {
        close(s);
        return rc;
    }
    *fd = s;
    return 0;
}
