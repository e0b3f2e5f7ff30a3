/* cli/bench_http.c - see bench_http.h. One thread over epoll; the server is another process. */
#include "cli/bench_http.h"

#include "base/io.h"
#include "cli/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 64u
#define START_MS 60000u
#define ANSWER_MS 10000
#define TIMES_MAX ((size_t)4 << 20)
#define HEAD_MAX 4096u

struct connection {
    int fd;
    bool measured; /* the first answer is not: it may have waited for the first sample */
    uint64_t asked_ns;
    char head[HEAD_MAX + 1];
    size_t n_head;
    uint64_t left; /* of the answer's body; known once the head is whole */
    bool in_body;
};

struct load {
    struct connection connections[CONNECTIONS];
    char request[256];
    int epoll;
    double *ms;
    size_t n, room;
    struct vt_error *err;
};

/* ---------------------------------------------------------------- the server */

static _Noreturn void be_server(const char *vm, const char *dir, int out)
{
    char socket[512];
    snprintf(socket, sizeof socket, "%s/serve.sock", dir);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setenv("VITRINE_DATA_DIR", dir, 1);
    dup2(out, STDOUT_FILENO);
    execl("/proc/self/exe", "vitrine", "serve", vm, "--listen", "127.0.0.1:0", "--socket", socket,
          "--json", (char *)NULL);
    _exit(127);
}

/* It says where it listens in one line. */
static int read_port(int fd, uint16_t *port, struct vt_error *err)
{
    char line[4096];
    size_t n = 0;
    uint64_t deadline = vt_deadline_ms(START_MS);
    while (n < sizeof line - 1 && memchr(line, '\n', n) == NULL) {
        int rc = vt_wait_fd(fd, POLLIN, deadline, &vt_interrupted, err);
        if (rc != 0) {
            return rc;
        }
        ssize_t got = read(fd, line + n, sizeof line - 1 - n);
        if (got <= 0) {
            return vt_fail(err, VT_E_GONE, "the server did not start");
        }
        n += (size_t)got;
    }
    json_t *where = json_loadb(line, n, JSON_DISABLE_EOF_CHECK, NULL);
    const char *url = json_string_value(json_array_get(json_object_get(where, "urls"), 0));
    const char *colon = url != NULL ? strrchr(url, ':') : NULL;
    long number = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;
    json_decref(where);
    if (number <= 0 || number > UINT16_MAX) {
        return vt_fail(err, VT_E_PROTOCOL, "the server did not say where it listens");
    }
    *port = (uint16_t)number;
    return 0;
}

static int start_server(const char *vm, const char *dir, pid_t *pid, uint16_t *port,
                        struct vt_error *err)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    *pid = fork();
    if (*pid == 0) {
        be_server(vm, dir, pipes[1]);
    }
    vt_close(&pipes[1]);
    int rc = *pid < 0 ? vt_fail_errno(err, VT_E_IO, errno, "fork") : read_port(pipes[0], port, err);
    vt_close(&pipes[0]);
    return rc;
}

static void stop_server(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
}

/* ---------------------------------------------------------------- the clients */

static int ask(struct load *l, struct connection *c)
{
    size_t n = strlen(l->request);
    c->n_head = 0;
    c->in_body = false;
    c->asked_ns = vt_now_ns();
    return send(c->fd, l->request, n, MSG_NOSIGNAL) == (ssize_t)n
               ? 0
               : vt_fail_errno(l->err, VT_E_IO, errno, "asking the server");
}

static int connect_all(struct load *l, uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &l->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&at, sizeof at) != 0 ||
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
            epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
            return vt_fail_errno(l->err, VT_E_IO, errno, "connecting to the server");
        }
    }
    return 0;
}

static int answered(struct load *l, struct connection *c)
{
    if (l->n == l->room) {
        size_t room = l->room == 0 ? 65536 : 2 * l->room;
        double *grown = room <= TIMES_MAX ? realloc(l->ms, room * sizeof *grown) : NULL;
        if (grown == NULL) {
            return vt_fail(l->err, VT_E_NOMEM, "no memory for more answers");
        }
        l->ms = grown;
        l->room = room;
    }
    if (c->measured) {
        l->ms[l->n++] = (double)(vt_now_ns() - c->asked_ns) / 1e6;
    }
    c->measured = true;
    return ask(l, c);
}

/* The head is whole: how long is the body? */
static int begin_body(struct load *l, struct connection *c, const char *end)
{
    c->head[c->n_head] = '\0';
    const char *length = strcasestr(c->head, "\ncontent-length:");
    if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0 || length == NULL) {
        return vt_fail(l->err, VT_E_PROTOCOL, "the server answered: %.*s",
                       (int)strcspn(c->head, "\r\n"), c->head);
    }
    c->left = strtoull(length + strlen("\ncontent-length:"), NULL, 10);
    c->left -= (uint64_t)(c->head + c->n_head - end);
    c->in_body = true;
    return 0;
}

static int take_bytes(struct load *l, struct connection *c)
{
    static char scratch[262144];
    char *into = c->in_body ? scratch : c->head + c->n_head;
    size_t room =
        c->in_body ? (c->left < sizeof scratch ? c->left : sizeof scratch) : HEAD_MAX - c->n_head;
    ssize_t n = recv(c->fd, into, room, 0);
    if (n <= 0) {
        return vt_fail(l->err, VT_E_GONE, "the server closed a connection");
    }
    if (c->in_body) {
        c->left -= (uint64_t)n;
    } else {
        c->n_head += (size_t)n;
        c->head[c->n_head] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        int rc = end != NULL ? begin_body(l, c, end + 4) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return c->in_body && c->left == 0 ? answered(l, c) : 0;
}

static int load(struct load *l, unsigned seconds)
{
    struct epoll_event ready[CONNECTIONS];
    uint64_t until = vt_deadline_ms(UINT64_C(1000) * seconds);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < CONNECTIONS; i++) {
        rc = ask(l, &l->connections[i]);
    }
    while (rc == 0 && vt_now_ns() < until) {
        int n = epoll_wait(l->epoll, ready, CONNECTIONS, ANSWER_MS);
        if (vt_interrupted) {
            return vt_fail(l->err, VT_E_INTERRUPTED, "interrupted");
        }
        if (n == 0) {
            return vt_fail(l->err, VT_E_TIMEOUT, "the server does not answer");
        }
        for (int i = 0; rc == 0 && i < n; i++) {
            rc = take_bytes(l, ready[i].data.ptr);
        }
    }
    return rc == 0 && l->n == 0 ? vt_fail(l->err, VT_E_TIMEOUT, "the server does not answer") : rc;
}

int vt_bench_http(const char *vm, const char *dir, unsigned seconds, double **ms, size_t *n,
                  struct vt_error *err)
{
    uint16_t port;
    pid_t server = -1;
    struct load *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        l->connections[i].fd = -1;
    }
    l->err = err;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    int rc = l->epoll < 0 ? vt_fail_errno(err, VT_E_IO, errno, "epoll") : 0;
    if (rc == 0) {
        rc = start_server(vm, dir, &server, &port, err);
        if (rc == 0) {
            snprintf(l->request, sizeof l->request,
                     "GET /api/v1/vms/%s/processes HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", vm,
                     port);
            rc = connect_all(l, port);
        }
        rc = rc != 0 ? rc : load(l, seconds);
        stop_server(server);
    }
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        vt_close(&l->connections[i].fd);
    }
    vt_close(&l->epoll);
    if (rc == 0) {
        *ms = l->ms;
        *n = l->n;
    } else {
        free(l->ms);
    }
    free(l);
    return rc;
}
