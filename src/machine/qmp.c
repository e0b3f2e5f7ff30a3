/* machine/qmp.c - the QMP client; see machine/qmp.h. Lines are taken apart in qmp_line.c. */
#include "machine/qmp.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/qmp_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct vt_qmp {
    int fd;
    int held_fd;
    char what[160]; /* names the socket in every error */
    char version[32];
    struct vt_qmp_lines lines;
    uint64_t last_id;
    const struct vt_qmp_cancel *cancel;
    vt_qmp_event_fn *on_event;
    void *event_arg;
    const char *awaited_event; /* vt_qmp_wait_event's */
    bool awaited_came;
    char recent[8][32]; /* events since the last command was sent, a ring */
    unsigned n_recent;
};

/* Puts the socket's name before a failure's message. */
static int named(struct vt_qmp *q, struct vt_error *err, int code)
{
    if (err != NULL) {
        struct vt_error inner = *err;
        vt_fail(err, (enum vt_code)code, "%s: %s", q->what, inner.message);
        err->sys_errno = inner.sys_errno;
    }
    return code;
}

/* Waits for `events` on the socket, until the deadline or the cancel. */
static int wait_ready(struct vt_qmp *q, short events, uint64_t deadline_ns, struct vt_error *err)
{
    for (;;) {
        const struct vt_qmp_cancel *c = q->cancel;
        if (c != NULL && c->stop != NULL && *c->stop != 0) {
            return vt_fail(err, VT_E_INTERRUPTED, "%s: interrupted", q->what);
        }
        struct pollfd p[2] = {{.fd = q->fd, .events = events},
                              {.fd = c != NULL ? c->fd : -1, .events = POLLIN}};
        int r = poll(p, 2, vt_poll_timeout(deadline_ns));
        if (r < 0 && errno != EINTR) {
            return vt_fail_errno(err, VT_E_IO, errno, "%s: poll", q->what);
        }
        if (r > 0 && p[1].revents != 0) {
            return vt_fail(err, VT_E_INTERRUPTED, "%s: interrupted", q->what);
        }
        if (r > 0 && p[0].revents != 0) {
            return 0;
        }
        if (r == 0 && vt_poll_timeout(deadline_ns) == 0) {
            return vt_fail(err, VT_E_TIMEOUT, "%s: no answer in time", q->what);
        }
    }
}

/* Reads what is there into the line buffer without waiting; *any says whether it was something. */
static int fill(struct vt_qmp *q, bool *any, struct vt_error *err)
{
    char *at;
    size_t space;
    int rc = vt_qmp_lines_reserve(&q->lines, &at, &space, err);
    if (rc != 0) {
        return named(q, err, rc);
    }
    ssize_t n = read(q->fd, at, space);
    *any = n > 0;
    if (n > 0) {
        vt_qmp_lines_added(&q->lines, (size_t)n);
        return 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (n < 0 && errno != ECONNRESET) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", q->what);
    }
    return vt_fail(err, VT_E_GONE, "%s: the other side closed the connection%s", q->what,
                   q->lines.used > q->lines.taken ? " in the middle of a line" : "");
}

static void take_event(struct vt_qmp *q, json_t *message)
{
    const char *event = json_string_value(json_object_get(message, "event"));
    if (event == NULL) {
        return;
    }
    strncpy(q->recent[q->n_recent++ % 8], event, sizeof q->recent[0] - 1);
    if (q->awaited_event != NULL && strcmp(q->awaited_event, event) == 0) {
        q->awaited_came = true;
    }
    if (q->on_event != NULL) {
        q->on_event(event, json_object_get(message, "data"), q->event_arg);
    }
}

/* The next message that is not an event; events on the way are handed out. With `wait_event`, an
 * awaited event ends it too, with *message NULL. */
static int next_message(struct vt_qmp *q, uint64_t deadline_ns, json_t **message,
                        struct vt_error *err)
{
    for (;;) {
        json_t *m;
        int rc = vt_qmp_lines_next(&q->lines, &m, err);
        if (rc != 0) {
            return named(q, err, rc);
        }
        if (m != NULL && json_object_get(m, "event") == NULL) {
            *message = m;
            return 0;
        }
        if (m != NULL) {
            take_event(q, m);
            json_decref(m);
            if (q->awaited_event != NULL && q->awaited_came) {
                *message = NULL;
                return 0;
            }
            /* A flood of events must not outlive the deadline. */
            if (vt_poll_timeout(deadline_ns) == 0) {
                return vt_fail(err, VT_E_TIMEOUT, "%s: no answer in time", q->what);
            }
            continue;
        }
        bool any;
        rc = wait_ready(q, POLLIN, deadline_ns, err);
        rc = rc != 0 ? rc : fill(q, &any, err);
        if (rc != 0) {
            return rc;
        }
    }
}

/* Sends all of it without blocking past the deadline; the descriptor goes with the first byte. */
static int send_line(struct vt_qmp *q, const char *line, size_t bytes, int fd, uint64_t deadline_ns,
                     struct vt_error *err)
{
    size_t sent = 0;
    if (fd >= 0) {
        int rc = wait_ready(q, POLLOUT, deadline_ns, err);
        rc = rc != 0 ? rc : vt_send_fds(q->fd, line, 1, &fd, 1, err);
        if (rc != 0) {
            return rc;
        }
        sent = 1;
    }
    while (sent < bytes) {
        int rc = wait_ready(q, POLLOUT, deadline_ns, err);
        if (rc != 0) {
            return rc;
        }
        ssize_t n = send(q->fd, line + sent, bytes - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return errno == EPIPE || errno == ECONNRESET
                       ? vt_fail(err, VT_E_GONE, "%s: the other side closed the connection",
                                 q->what)
                       : vt_fail_errno(err, VT_E_IO, errno, "%s", q->what);
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int refused(struct vt_qmp *q, const char *command, json_t *error, struct vt_error *err)
{
    const char *desc = json_string_value(json_object_get(error, "desc"));
    char shown[240];
    vt_text_printable(shown, sizeof shown, desc != NULL ? desc : "no reason given",
                      desc != NULL ? strlen(desc) : 15);
    return vt_fail(err, VT_E_REFUSED, "%s: %s: %s", q->what, command, shown);
}

int vt_qmp_execute_fd(struct vt_qmp *q, const char *command, json_t *arguments, int fd,
                      uint64_t deadline_ns, json_t **reply, struct vt_error *err)
{
    json_int_t id = (json_int_t)++q->last_id;
    json_t *request =
        json_pack("{s:s, s:I, s:o*}", "execute", command, "id", id, "arguments", arguments);
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    char *line = text != NULL ? realloc(text, strlen(text) + 2) : NULL;
    if (line == NULL) {
        free(text);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", q->what);
    }
    strcat(line, "\n");
    q->n_recent = 0;
    int rc = send_line(q, line, strlen(line), fd, deadline_ns, err);
    free(line);
    while (rc == 0) {
        json_t *m;
        rc = next_message(q, deadline_ns, &m, err);
        if (rc != 0) {
            break;
        }
        json_t *its_id = json_object_get(m, "id");
        json_t *error = json_object_get(m, "error");
        json_t *value = json_object_get(m, "return");
        /* QEMU answers a line it cannot parse without an id: that can only be about this one. */
        bool ours = json_is_integer(its_id) ? json_integer_value(its_id) == id
                                            : its_id == NULL && error != NULL;
        if (!ours) {
            json_decref(m);
            continue;
        }
        if (error != NULL) {
            rc = refused(q, command, error, err);
        } else if (value == NULL) {
            rc = vt_fail(err, VT_E_PROTOCOL, "%s: %s: a reply without 'return'", q->what, command);
        } else if (reply != NULL) {
            *reply = json_incref(value);
        }
        json_decref(m);
        break;
    }
    if (rc == VT_E_TIMEOUT) {
        return vt_fail(err, VT_E_TIMEOUT, "%s: %s was not answered in time", q->what, command);
    }
    return rc;
}

int vt_qmp_execute(struct vt_qmp *q, const char *command, json_t *arguments, uint64_t deadline_ns,
                   json_t **reply, struct vt_error *err)
{
    return vt_qmp_execute_fd(q, command, arguments, -1, deadline_ns, reply, err);
}

int vt_qmp_human(struct vt_qmp *q, const char *line, uint64_t deadline_ns, char **text,
                 struct vt_error *err)
{
    json_t *reply;
    int rc = vt_qmp_execute(q, "human-monitor-command", json_pack("{s:s}", "command-line", line),
                            deadline_ns, &reply, err);
    if (rc != 0) {
        return rc;
    }
    const char *answer = json_string_value(reply);
    char *copy = answer != NULL ? strdup(answer) : NULL;
    json_decref(reply);
    if (copy == NULL) {
        return vt_fail(err, VT_E_PROTOCOL, "%s: %s: the reply is not text", q->what, line);
    }
    *text = copy;
    return 0;
}

int vt_qmp_wait_event(struct vt_qmp *q, const char *event, uint64_t deadline_ns,
                      struct vt_error *err)
{
    unsigned kept = q->n_recent < 8 ? q->n_recent : 8;
    for (unsigned i = 0; i < kept; i++) {
        if (strncmp(q->recent[i], event, sizeof q->recent[0] - 1) == 0) {
            return 0;
        }
    }
    int rc = 0;
    q->awaited_event = event;
    q->awaited_came = false;
    while (rc == 0 && !q->awaited_came) {
        json_t *m = NULL;
        rc = next_message(q, deadline_ns, &m, err);
        if (rc == 0) {
            json_decref(m); /* NULL, or a late reply */
        }
    }
    q->awaited_event = NULL;
    return rc == VT_E_TIMEOUT
               ? vt_fail(err, VT_E_TIMEOUT, "%s: event %s did not come in time", q->what, event)
               : rc;
}

int vt_qmp_dispatch(struct vt_qmp *q, struct vt_error *err)
{
    bool any;
    int rc = fill(q, &any, err);
    for (json_t *m = NULL; rc == 0;) {
        rc = vt_qmp_lines_next(&q->lines, &m, err);
        if (rc != 0) {
            return named(q, err, rc);
        }
        if (m == NULL) {
            return 0;
        }
        take_event(q, m);
        json_decref(m);
    }
    return rc;
}

/* Greeting and qmp_capabilities. */
static int negotiate(struct vt_qmp *q, uint64_t deadline_ns, struct vt_error *err)
{
    json_t *greeting = NULL;
    int rc = next_message(q, deadline_ns, &greeting, err);
    if (rc == VT_E_TIMEOUT) {
        return vt_fail(err, VT_E_TIMEOUT, "%s: no QMP greeting in time (%s)", q->what,
                       q->lines.used > 0 ? "it sent half a line"
                                         : "QEMU hangs, or another client holds the socket");
    }
    if (rc != 0) {
        return rc;
    }
    json_int_t major, minor, micro;
    if (json_unpack(greeting, "{s:{s:{s:{s:I, s:I, s:I}}}}", "QMP", "version", "qemu", "major",
                    &major, "minor", &minor, "micro", &micro) != 0) {
        json_decref(greeting);
        return vt_fail(err, VT_E_PROTOCOL, "%s: its greeting is not QMP's", q->what);
    }
    json_decref(greeting);
    snprintf(q->version, sizeof q->version, "%u.%u.%u", (unsigned)major & 0xffff,
             (unsigned)minor & 0xffff, (unsigned)micro & 0xffff);
    return vt_qmp_execute(q, "qmp_capabilities", NULL, deadline_ns, NULL, err);
}

int vt_qmp_adopt(int fd, const char *what, uint64_t deadline_ns, const struct vt_qmp_cancel *cancel,
                 struct vt_qmp **qmp, struct vt_error *err)
{
    struct vt_qmp *q = calloc(1, sizeof *q);
    if (q == NULL) {
        close(fd);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", what);
    }
    q->fd = fd;
    q->held_fd = -1;
    q->cancel = cancel;
    snprintf(q->what, sizeof q->what, "%s", what);
    int rc = 0;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", what);
    }
    rc = rc != 0 ? rc : negotiate(q, deadline_ns, err);
    if (rc != 0) {
        vt_qmp_close(q);
        return rc;
    }
    q->cancel = NULL;
    *qmp = q;
    return 0;
}

int vt_qmp_connect(const char *path, uint64_t deadline_ns, const struct vt_qmp_cancel *cancel,
                   struct vt_qmp **qmp, struct vt_error *err)
{
    int fd;
    int rc = vt_unix_connect(path, &fd, err);
    return rc != 0 ? rc : vt_qmp_adopt(fd, path, deadline_ns, cancel, qmp, err);
}

int vt_qmp_reconnect(const char *path, uint64_t deadline_ns, const struct vt_qmp_cancel *cancel,
                     struct vt_qmp **qmp, struct vt_error *err)
{
    for (uint64_t pause_ms = 1;; pause_ms = pause_ms < 100 ? pause_ms * 2 : 100) {
        int rc = vt_qmp_connect(path, deadline_ns, cancel, qmp, err);
        if ((rc != VT_E_NOT_FOUND && rc != VT_E_GONE) || vt_poll_timeout(deadline_ns) == 0) {
            return rc;
        }
        struct pollfd p = {.fd = cancel != NULL ? cancel->fd : -1, .events = POLLIN};
        if (poll(&p, 1, (int)pause_ms) > 0 ||
            (cancel != NULL && cancel->stop != NULL && *cancel->stop != 0)) {
            return vt_fail(err, VT_E_INTERRUPTED, "%s: interrupted", path);
        }
    }
}

void vt_qmp_close(struct vt_qmp *q)
{
    if (q == NULL) {
        return;
    }
    vt_close(&q->fd);
    vt_close(&q->held_fd);
    vt_qmp_lines_fini(&q->lines);
    free(q);
}

void vt_qmp_hold(struct vt_qmp *q, int fd)
{
    q->held_fd = fd;
}

void vt_qmp_set_cancel(struct vt_qmp *q, const struct vt_qmp_cancel *cancel)
{
    q->cancel = cancel;
}

void vt_qmp_on_event(struct vt_qmp *q, vt_qmp_event_fn *fn, void *arg)
{
    q->on_event = fn;
    q->event_arg = arg;
}

int vt_qmp_fd(const struct vt_qmp *q)
{
    return q->fd;
}

const char *vt_qmp_version(const struct vt_qmp *q)
{
    return q->version;
}
