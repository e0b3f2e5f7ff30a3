/* server/mcp_stdio.c - a client on two descriptors: one message a line. See mcp.h.
 *
 * The calling thread reads. What runs an operation goes to a few threads of its own, so that one
 * slow walk holds up nobody and can be cancelled; everything else is answered at once. Answers are
 * written under a lock, whole lines at a time, in pieces a pipe takes without blocking: a client
 * that has stopped reading cannot keep the process alive after its other end closed.
 */
#include "server/mcp_parts.h"

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define JOBS_MAX 64   /* waiting and running */
#define LOOK_MS 100   /* between looks whether somebody still reads */
#define DEAF_LOOKS 10 /* in a row that took nothing, once the input has ended */
#define READ_BYTES 65536

struct job {
    struct job *next;
    json_t *message;
    struct vt_mcp_session session; /* as it was when the message came */
    volatile int stop;
    bool taken; /* by a thread */
};

struct server {
    struct vt_mcp *mcp;
    struct vt_mcp_session session; /* the reader's */
    int out;
    const volatile int *stop;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct job *jobs; /* oldest first */
    unsigned n_jobs;
    pthread_mutex_t writing;
    atomic_bool deaf;   /* nobody reads any more */
    atomic_bool ending; /* the input has ended */
    pthread_t threads[THREADS];
    unsigned n_threads;
};

/* ---------------------------------------------------------------- writing */

/* A pipe or socket that is ready takes this much without blocking. */
#define PIECE_BYTES 4096

static void write_line(struct server *s, const char *text, size_t bytes)
{
    pthread_mutex_lock(&s->writing);
    size_t done = 0;
    unsigned looks = 0;
    while (done < bytes && !s->deaf) {
        struct pollfd p = {.fd = s->out, .events = POLLOUT};
        int ready = poll(&p, 1, LOOK_MS);
        if (ready == 0) {
            looks += s->ending;
            s->deaf = looks == DEAF_LOOKS || vt_mcp_stopped(s->stop);
        } else if (ready > 0) {
            looks = 0;
            size_t piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
            ssize_t n = write(s->out, text + done, piece);
            if (n >= 0) {
                done += (size_t)n;
            } else if (errno != EINTR && errno != EAGAIN) {
                s->deaf = true;
            }
        }
    }
    pthread_mutex_unlock(&s->writing);
}

static void send(struct server *s, const json_t *reply)
{
    char *text;
    size_t bytes;
    if (vt_mcp_dump(reply, &text, &bytes, NULL) == 0) {
        text[bytes] = '\n'; /* in the place of the zero */
        write_line(s, text, bytes + 1);
        free(text);
    }
}

/* ---------------------------------------------------------------- threads */

static void answer(struct server *s, const json_t *message, struct vt_mcp_session *session,
                   volatile int *stop)
{
    json_t *reply;
    if (vt_mcp_answer_any(s->mcp, message, session, stop, &reply, NULL) != 0) {
        reply =
            vt_mcp_error(json_object_get(message, "id"), VT_RPC_INTERNAL, "out of memory", NULL);
    }
    if (reply != NULL) {
        send(s, reply);
        json_decref(reply);
    }
}

static struct job *next_job(struct server *s)
{
    struct job *job = s->jobs;
    while (job != NULL && job->taken) {
        job = job->next;
    }
    return job;
}

static void remove_job(struct server *s, struct job *job)
{
    struct job **at = &s->jobs;
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    s->n_jobs--;
}

static void *work(void *arg)
{
    struct server *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct job *job = next_job(s);
        if (job == NULL) {
            if (s->ending) {
                break;
            }
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        job->taken = true;
        pthread_mutex_unlock(&s->lock);
        answer(s, job->message, &job->session, &job->stop);
        pthread_mutex_lock(&s->lock);
        remove_job(s, job);
        pthread_cond_broadcast(&s->changed);
        json_decref(job->message);
        free(job);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are for the thread that reads. With the lock. */
static void add_thread(struct server *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&s->threads[s->n_threads], NULL, work, s) == 0) {
        s->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Hands a message over, for good. False: too many are there already, or no thread could be made. */
static bool enqueue(struct server *s, json_t *message)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return false;
    }
    job->message = message;
    job->session = s->session;
    pthread_mutex_lock(&s->lock);
    bool ok = s->n_jobs < JOBS_MAX;
    if (ok && s->n_jobs >= s->n_threads && s->n_threads < THREADS) {
        add_thread(s);
    }
    ok = ok && s->n_threads > 0;
    if (ok) {
        struct job **at = &s->jobs;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = job;
        s->n_jobs++;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (!ok) {
        free(job);
    }
    return ok;
}

static void cancel(struct server *s, const json_t *notification)
{
    const json_t *id = json_object_get(json_object_get(notification, "params"), "requestId");
    pthread_mutex_lock(&s->lock);
    for (struct job *job = s->jobs; job != NULL && id != NULL; job = job->next) {
        if (json_equal(json_object_get(job->message, "id"), (json_t *)id)) {
            __atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---------------------------------------------------------------- reading */

static bool takes_long(const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    return json_is_array(message) ||
           (method != NULL && json_object_get(message, "id") != NULL &&
            (strcmp(method, "tools/call") == 0 || strncmp(method, "resources/", 10) == 0));
}

static void take_line(struct server *s, const char *text, size_t bytes)
{
    json_t *fault = NULL;
    if (bytes > 0 && text[bytes - 1] == '\r') {
        bytes--;
    }
    if (bytes == 0) {
        return;
    }
    json_t *message = vt_mcp_parse(text, bytes, &fault);
    const char *method = json_string_value(json_object_get(message, "method"));
    if (message == NULL) {
        if (fault != NULL) {
            send(s, fault);
        }
    } else if (takes_long(message)) {
        if (enqueue(s, message)) {
            message = NULL;
        } else {
            json_t *busy = vt_mcp_error(json_object_get(message, "id"), VT_RPC_INTERNAL,
                                        "too many requests at once", NULL);
            send(s, busy);
            json_decref(busy);
        }
    } else if (method != NULL && strcmp(method, "notifications/cancelled") == 0) {
        cancel(s, message);
    } else {
        answer(s, message, &s->session, NULL);
    }
    json_decref(fault);
    json_decref(message);
}

struct lines {
    char *bytes;
    size_t n, room;
    bool skipping; /* the rest of a line that was too long */
};

static void refuse_long(struct server *s)
{
    json_t *fault = vt_mcp_error(NULL, VT_RPC_REQUEST, "a message of more than 1 MiB", NULL);
    if (fault != NULL) {
        send(s, fault);
        json_decref(fault);
    }
}

/* Takes what was read into the room behind `n`. */
static void take_bytes(struct server *s, struct lines *l, size_t more)
{
    size_t from = 0, seen = l->n;
    l->n += more;
    for (char *end; (end = memchr(l->bytes + seen, '\n', l->n - seen)) != NULL;) {
        size_t at = (size_t)(end - l->bytes);
        if (!l->skipping) {
            take_line(s, l->bytes + from, at - from);
        }
        l->skipping = false;
        from = seen = at + 1;
    }
    l->n -= from;
    memmove(l->bytes, l->bytes + from, l->n);
    if (l->n > VT_MCP_MESSAGE_MAX || l->skipping) {
        if (!l->skipping) {
            refuse_long(s);
        }
        l->skipping = true;
        l->n = 0;
    }
}

static bool make_room(struct lines *l)
{
    if (l->room - l->n >= READ_BYTES) {
        return true;
    }
    size_t room = 2 * l->room + 2 * READ_BYTES;
    char *grown = realloc(l->bytes, room);
    if (grown == NULL) {
        return false;
    }
    l->bytes = grown;
    l->room = room;
    return true;
}

static int read_all(struct server *s, int in, struct vt_error *err)
{
    struct lines lines = {0};
    int rc = 0;
    while (rc == 0 && !s->deaf && !vt_mcp_stopped(s->stop)) {
        if (!make_room(&lines)) {
            rc = vt_fail(err, VT_E_NOMEM, "out of memory");
            break;
        }
        /* Wakes now and then to see that the other end is deaf. */
        rc = vt_wait_fd(in, POLLIN, vt_deadline_ms(1000), s->stop, err);
        if (rc == VT_E_TIMEOUT) {
            rc = 0;
            continue;
        }
        if (rc != 0) {
            break;
        }
        ssize_t n = read(in, lines.bytes + lines.n, READ_BYTES);
        if (n == 0) {
            break;
        }
        if (n > 0) {
            take_bytes(s, &lines, (size_t)n);
        } else if (errno != EINTR && errno != EAGAIN) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "reading the client's messages");
        }
    }
    free(lines.bytes);
    return rc == VT_E_INTERRUPTED ? 0 : rc;
}

/* ---------------------------------------------------------------- the whole */

/* Whether nobody can read what is written any more. */
static bool hung_up(const struct server *s)
{
    struct pollfd p = {.fd = s->out};
    return s->deaf || (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0);
}

/* Lets what was asked for be answered while somebody waits for it, then stops it. True: it was. */
static bool end(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_broadcast(&s->changed);
    while (s->n_jobs > 0 && !hung_up(s) && !vt_mcp_stopped(s->stop)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&s->changed, &s->lock, &until);
    }
    bool late = s->n_jobs > 0;
    for (struct job *job = s->jobs; job != NULL; job = job->next) {
        __atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&s->lock);
    if (late) {
        vt_host_interrupt(s->mcp->host);
    }
    for (unsigned i = 0; i < s->n_threads; i++) {
        pthread_join(s->threads[i], NULL);
    }
    return !late;
}

int vt_mcp_serve(struct vt_mcp *mcp, int in, int out, bool may_change, const volatile int *stop,
                 struct vt_error *err)
{
    struct server s = {.mcp = mcp, .session.may_change = may_change, .out = out, .stop = stop};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&s.lock, NULL);
    pthread_mutex_init(&s.writing, NULL);
    int rc = read_all(&s, in, err);
    bool answered = end(&s);
    pthread_mutex_destroy(&s.writing);
    pthread_mutex_destroy(&s.lock);
    pthread_cond_destroy(&s.changed);
    return rc == 0 && s.deaf && answered && !vt_mcp_stopped(stop)
               ? vt_fail(err, VT_E_GONE, "nobody reads the answers any more")
               : rc;
}
