/* machine/console_server.c - see console_server.h. */
#include "machine/console_server.h"

#include "base/io.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    struct vt_console *console;
    struct client *next;
    struct vt_source *source;
    int fd;
    uint64_t sent; /* bytes of the stream it has; never more than the backlog behind */
};

struct vt_console {
    struct vt_loop *loop;
    struct vt_source *serial;
    int serial_fd, log_fd;
    uint64_t log_bytes;
    char log_path[PATH_MAX];
    struct client *clients;
    unsigned n_clients;
    char backlog[VT_CONSOLE_BACKLOG]; /* a ring: byte i of the stream lies at i % size */
    uint64_t printed;                 /* bytes of the stream so far */
    char input[4096];                 /* what the guest has not taken yet */
    size_t n_input;
};

static int open_log(struct vt_console *c, struct vt_error *err)
{
    int fd = open(c->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", c->log_path);
    }
    vt_close(&c->log_fd);
    c->log_fd = fd;
    c->log_bytes = 0;
    return 0;
}

/* The log is a convenience: when it cannot be written (disk full) the console goes on without. */
static void log_output(struct vt_console *c, const char *bytes, size_t n)
{
    char older[PATH_MAX];
    if (c->log_bytes + n > VT_CONSOLE_LOG_MAX &&
        vt_path_format(older, NULL, "%s.1", c->log_path) == 0) {
        rename(c->log_path, older);
        open_log(c, NULL);
    }
    if (c->log_fd >= 0 && write(c->log_fd, bytes, n) == (ssize_t)n) {
        c->log_bytes += n;
    }
}

static void drop(struct client *client)
{
    struct vt_console *c = client->console;
    struct client **link = &c->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    c->n_clients--;
    vt_source_remove(client->source);
    close(client->fd);
    free(client);
}

static void remember(struct vt_console *c, const char *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t at = (size_t)(c->printed % VT_CONSOLE_BACKLOG);
        size_t run = VT_CONSOLE_BACKLOG - at < n - done ? VT_CONSOLE_BACKLOG - at : n - done;
        memcpy(c->backlog + at, bytes + done, run);
        c->printed += run;
        done += run;
    }
}

/* Clients are read only while the guest has taken everything, and told when there is room as long
 * as they lag behind. */
static void set_client_events(const struct vt_console *c, const struct client *client)
{
    uint32_t in = c->n_input > 0 ? 0 : EPOLLIN, out = client->sent < c->printed ? EPOLLOUT : 0;
    vt_source_set_events(client->source, in | out, NULL);
}

static void set_input_events(struct vt_console *c)
{
    if (c->serial != NULL) {
        vt_source_set_events(c->serial, c->n_input > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN, NULL);
    }
    for (struct client *client = c->clients; client != NULL; client = client->next) {
        set_client_events(c, client);
    }
}

/* Sends what the client lacks, as far as its socket takes it. A client is dropped when it is gone,
 * or so late that the backlog no longer holds what it lacks. */
static void catch_up(struct client *client)
{
    const struct vt_console *c = client->console;
    if (c->printed - client->sent > VT_CONSOLE_BACKLOG) {
        drop(client);
        return;
    }
    while (client->sent < c->printed) {
        size_t at = (size_t)(client->sent % VT_CONSOLE_BACKLOG);
        uint64_t left = c->printed - client->sent;
        size_t run = VT_CONSOLE_BACKLOG - at < left ? VT_CONSOLE_BACKLOG - at : (size_t)left;
        ssize_t n = send(client->fd, c->backlog + at, run, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            drop(client);
            return;
        }
        if (n < 0) {
            break;
        }
        client->sent += (uint64_t)n;
    }
    set_client_events(c, client);
}

static void flush_input(struct vt_console *c)
{
    ssize_t n = send(c->serial_fd, c->input, c->n_input, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t taken = n > 0 ? (size_t)n : 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        taken = c->n_input; /* QEMU is gone: its end is noticed elsewhere */
    }
    memmove(c->input, c->input + taken, c->n_input - taken);
    c->n_input -= taken;
}

static void on_client(struct vt_source *source, uint32_t events, void *arg)
{
    struct client *client = arg;
    struct vt_console *c = client->console;
    (void)source;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && (c->n_input > 0 || (events & EPOLLIN) == 0)) {
        drop(client);
        return;
    }
    if ((events & EPOLLIN) == 0 || c->n_input > 0) {
        catch_up(client);
        return;
    }
    ssize_t n = recv(client->fd, c->input, sizeof c->input, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        drop(client);
        return;
    }
    if (n > 0) {
        c->n_input = (size_t)n;
        flush_input(c);
        if (c->n_input > 0) {
            set_input_events(c);
        }
    }
}

static void on_serial(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_console *c = arg;
    char bytes[4096];
    if ((events & EPOLLOUT) != 0 && c->n_input > 0) {
        flush_input(c);
        if (c->n_input == 0) {
            set_input_events(c);
        }
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        return;
    }
    ssize_t n = recv(c->serial_fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        vt_source_remove(source);
        c->serial = NULL;
        return;
    }
    if (n <= 0) {
        return;
    }
    remember(c, bytes, (size_t)n);
    log_output(c, bytes, (size_t)n);
    for (struct client *client = c->clients, *next; client != NULL; client = next) {
        next = client->next;
        catch_up(client);
    }
}

int vt_console_create(struct vt_loop *loop, int serial_fd, const char *log_path,
                      struct vt_console **console, struct vt_error *err)
{
    struct vt_console *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(serial_fd);
        return vt_fail(err, VT_E_NOMEM, "console: out of memory");
    }
    c->loop = loop;
    c->serial_fd = serial_fd;
    c->log_fd = -1;
    int rc = vt_path_format(c->log_path, err, "%s", log_path);
    rc = rc != 0 ? rc : open_log(c, err);
    rc = rc != 0 ? rc : vt_loop_add_fd(loop, serial_fd, EPOLLIN, on_serial, c, &c->serial, err);
    if (rc != 0) {
        vt_console_destroy(c);
        return rc;
    }
    *console = c;
    return 0;
}

void vt_console_destroy(struct vt_console *c)
{
    if (c == NULL) {
        return;
    }
    while (c->clients != NULL) {
        drop(c->clients);
    }
    vt_source_remove(c->serial);
    vt_close(&c->serial_fd);
    vt_close(&c->log_fd);
    free(c);
}

void vt_console_add_client(struct vt_console *c, int fd, bool replay)
{
    struct client *client =
        c->n_clients < VT_CONSOLE_CLIENTS_MAX ? calloc(1, sizeof *client) : NULL;
    if (client == NULL) {
        close(fd);
        return;
    }
    *client = (struct client){.console = c, .next = c->clients, .fd = fd, .sent = c->printed};
    if (replay) {
        client->sent -= c->printed < VT_CONSOLE_BACKLOG ? c->printed : VT_CONSOLE_BACKLOG;
    }
    if (vt_loop_add_fd(c->loop, fd, 0, on_client, client, &client->source, NULL) != 0) {
        free(client);
        close(fd);
        return;
    }
    c->clients = client;
    c->n_clients++;
    catch_up(client);
}
