/* gpu/vhost_server.c - see vhost_server.h. */
#include "gpu/vhost_server.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "gpu/listen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct job {
    int (*fn)(struct vt_card *card, void *arg, struct vt_error *err);
    void *arg;
    struct vt_error *err;
    int result;
    bool done;
};

struct device {
    struct device *next;
    struct vt_vhost_server *server;
    unsigned number;
    int sock; /* until the thread has it */
    int wake;
    pthread_t thread;
    struct vt_loop *loop;
    struct vt_vhost *vhost;
    /* under the server's lock */
    bool stop, gone;
    struct job *job;
};

struct vt_vhost_server {
    struct vt_loop *loop;
    struct vt_card_options options;
    struct vt_card_contexts contexts; /* of those */
    void (*say)(void *arg, const char *line);
    void (*ended)(void *arg, unsigned devices_left);
    void *arg;
    int event;
    struct vt_source *listener_source, *event_source;
    struct vt_gpu_listener listener;
    pthread_mutex_t lock, say_lock;
    pthread_cond_t change;
    struct device *devices;
    unsigned n, next_number;
};

static void poke(int fd)
{
    const uint64_t one = 1;
    if (write(fd, &one, sizeof one) != (ssize_t)sizeof one) {
        return; /* it is awake */
    }
}

/* ---------------------------------------------------------------- on a device's thread */

static void say(void *arg, const char *line)
{
    const struct device *d = arg;
    struct vt_vhost_server *s = d->server;
    char text[640];
    if (s->say != NULL) {
        snprintf(text, sizeof text, "gpu %u: %s", d->number, line);
        pthread_mutex_lock(&s->say_lock);
        s->say(s->arg, text);
        pthread_mutex_unlock(&s->say_lock);
    }
}

static void on_over(void *arg, const char *reason)
{
    struct device *d = arg;
    char line[512];
    snprintf(line, sizeof line, "disconnected%s%s", reason != NULL ? ": " : "",
             reason != NULL ? reason : "");
    say(d, line);
    vt_loop_stop(d->loop, 0);
}

static void on_wake(struct vt_source *source, uint32_t events, void *arg)
{
    struct device *d = arg;
    struct vt_vhost_server *s = d->server;
    uint64_t n;
    (void)source;
    (void)events;
    if (read(d->wake, &n, sizeof n) != (ssize_t)sizeof n) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct job *job = d->job;
    d->job = NULL;
    const bool stop = d->stop;
    pthread_mutex_unlock(&s->lock);
    if (job != NULL) {
        int result = job->fn(vt_vhost_card(d->vhost), job->arg, job->err);
        pthread_mutex_lock(&s->lock);
        job->result = result;
        job->done = true;
        pthread_cond_broadcast(&s->change);
        pthread_mutex_unlock(&s->lock);
    }
    if (stop) {
        vt_loop_stop(d->loop, 0);
    }
}

static int serve(struct device *d, struct vt_error *err)
{
    const struct vt_vhost_events events = {.ended = on_over, .say = say, .arg = d};
    int rc = vt_loop_create(&d->loop, err);
    rc = rc != 0 ? rc : vt_loop_add_fd(d->loop, d->wake, EPOLLIN, on_wake, d, NULL, err);
    if (rc != 0) {
        close(d->sock);
        return rc;
    }
    rc = vt_vhost_create(d->loop, d->sock, &d->server->options, &events, &d->vhost, err);
    return rc != 0 ? rc : vt_loop_run(d->loop, err);
}

static void *run(void *arg)
{
    struct device *d = arg;
    struct vt_vhost_server *s = d->server;
    struct vt_error err;
    say(d, "connected");
    if (serve(d, &err) != 0) {
        say(d, err.message);
    }
    vt_vhost_destroy(d->vhost);
    vt_loop_destroy(d->loop);
    pthread_mutex_lock(&s->lock);
    d->gone = true;
    if (d->job != NULL) {
        d->job->result = vt_fail(d->job->err, VT_E_GONE, "the device is gone");
        d->job->done = true;
        d->job = NULL;
    }
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->lock);
    poke(s->event);
    return NULL;
}

/* ---------------------------------------------------------------- on the loop */

static void on_event(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_vhost_server *s = arg;
    uint64_t n;
    (void)source;
    (void)events;
    if (read(s->event, &n, sizeof n) != (ssize_t)sizeof n) {
        return;
    }
    for (struct device **at = &s->devices, *d; (d = *at) != NULL;) {
        pthread_mutex_lock(&s->lock);
        const bool gone = d->gone;
        pthread_mutex_unlock(&s->lock);
        if (!gone) {
            at = &d->next;
            continue;
        }
        pthread_join(d->thread, NULL);
        *at = d->next;
        close(d->wake);
        free(d);
        s->n--;
        if (s->ended != NULL) {
            s->ended(s->arg, s->n);
        }
    }
}

int vt_vhost_server_add(struct vt_vhost_server *s, int sock, struct vt_error *err)
{
    struct device *d = s->n < VT_VHOST_DEVICES_MAX ? calloc(1, sizeof *d) : NULL;
    if (d == NULL) {
        close(sock);
        return vt_fail(err, VT_E_LIMIT, "more than %u GPUs at a time", VT_VHOST_DEVICES_MAX);
    }
    d->server = s;
    d->number = s->next_number;
    d->sock = sock;
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->wake < 0 || pthread_create(&d->thread, NULL, run, d) != 0) {
        vt_close(&d->wake);
        close(sock);
        free(d);
        return vt_fail(err, VT_E_NOMEM, "a GPU's thread cannot be made");
    }
    s->next_number++;
    struct device **at = &s->devices;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = d;
    s->n++;
    return 0;
}

static void on_connection(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_vhost_server *s = arg;
    struct vt_error err;
    (void)source;
    (void)events;
    int sock = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC);
    if (sock >= 0 && vt_vhost_server_add(s, sock, &err) != 0 && s->say != NULL) {
        pthread_mutex_lock(&s->say_lock);
        s->say(s->arg, err.message);
        pthread_mutex_unlock(&s->say_lock);
    }
}

static int set_up(struct vt_vhost_server *s, const char *path, struct vt_error *err)
{
    s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "eventfd");
    }
    int rc = vt_loop_add_fd(s->loop, s->event, EPOLLIN, on_event, s, &s->event_source, err);
    if (rc != 0 || path == NULL) {
        return rc;
    }
    rc = vt_gpu_listen(&s->listener, path, err);
    if (rc != 0) {
        return rc;
    }
    return vt_loop_add_fd(s->loop, s->listener.fd, EPOLLIN, on_connection, s, &s->listener_source,
                          err);
}

int vt_vhost_server_create(struct vt_loop *loop, const char *path,
                           const struct vt_card_options *options,
                           void (*say_line)(void *arg, const char *line), void *arg,
                           struct vt_vhost_server **server, struct vt_error *err)
{
    struct vt_vhost_server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "vhost-user: out of memory");
    }
    *s = (struct vt_vhost_server){.loop = loop,
                                  .options = *options,
                                  .say = say_line,
                                  .arg = arg,
                                  .listener.fd = -1,
                                  .event = -1,
                                  .next_number = 1};
    if (options->contexts != NULL) {
        s->contexts = *options->contexts;
        s->options.contexts = &s->contexts;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->say_lock, NULL);
    pthread_cond_init(&s->change, NULL);
    int rc = set_up(s, path, err);
    if (rc != 0) {
        vt_vhost_server_destroy(s);
        return rc;
    }
    *server = s;
    return 0;
}

void vt_vhost_server_destroy(struct vt_vhost_server *s)
{
    if (s == NULL) {
        return;
    }
    vt_source_remove(s->listener_source);
    vt_source_remove(s->event_source);
    vt_gpu_unlisten(&s->listener);
    for (struct device *d = s->devices; d != NULL; d = d->next) {
        pthread_mutex_lock(&s->lock);
        d->stop = true;
        pthread_mutex_unlock(&s->lock);
        poke(d->wake);
    }
    for (struct device *d = s->devices, *next; d != NULL; d = next) {
        next = d->next;
        pthread_join(d->thread, NULL);
        close(d->wake);
        free(d);
    }
    vt_close(&s->event);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->say_lock);
    pthread_cond_destroy(&s->change);
    free(s);
}

void vt_vhost_server_on_end(struct vt_vhost_server *server,
                            void (*ended)(void *arg, unsigned devices_left))
{
    server->ended = ended;
}

int vt_vhost_server_ask(struct vt_vhost_server *s, unsigned number,
                        int (*fn)(struct vt_card *card, void *arg, struct vt_error *err), void *arg,
                        struct vt_error *err)
{
    struct job job = {.fn = fn, .arg = arg, .err = err};
    struct device *d = s->devices;
    while (d != NULL && number != 0 && d->number != number) {
        d = d->next;
    }
    pthread_mutex_lock(&s->lock);
    if (d == NULL || d->gone) {
        pthread_mutex_unlock(&s->lock);
        return vt_fail(err, VT_E_NOT_FOUND, "there is no such GPU");
    }
    d->job = &job;
    poke(d->wake);
    while (!job.done) {
        pthread_cond_wait(&s->change, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return job.result;
}

struct write {
    struct vt_json_writer *w;
    unsigned gpu;
};

static int write_card(struct vt_card *card, void *arg, struct vt_error *err)
{
    const struct write *to = arg;
    (void)err;
    vt_card_json(card, to->w);
    return 0;
}

static int write_contexts(struct vt_card *card, void *arg, struct vt_error *err)
{
    const struct write *to = arg;
    (void)err;
    vt_card_contexts_json(card, to->gpu, to->w);
    return 0;
}

void vt_vhost_server_json(struct vt_vhost_server *s, struct vt_json_writer *w)
{
    if (s->listener.fd >= 0) {
        vt_json_kv_string(w, "path", s->listener.path);
    }
    vt_json_key(w, "devices");
    vt_json_array(w);
    for (struct device *d = s->devices; d != NULL; d = d->next) {
        vt_json_object(w);
        vt_json_kv_u64(w, "gpu", d->number);
        vt_vhost_server_ask(s, d->number, write_card, &(struct write){w, d->number}, NULL);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_key(w, "contexts");
    vt_json_array(w);
    for (struct device *d = s->devices; d != NULL; d = d->next) {
        vt_vhost_server_ask(s, d->number, write_contexts, &(struct write){w, d->number}, NULL);
    }
    vt_json_array_end(w);
}

const char *vt_vhost_server_path(const struct vt_vhost_server *s)
{
    return s->listener.path;
}
