/* server/host_sampler.c - the threads that sample VMs, and the one that looks for new VMs.
 *
 * A sampler's thread has a context and a vt_sampler of its own and ends with its VM; the watcher
 * joins it, and starts one for each VM that has none. Ticks are due at whole intervals from the
 * first one; those that are missed are left out. What failed is tried again, so that a guest that
 * boots, or a VM that somebody else stops sampling, is sampled from then on.
 */
#include "base/io.h"
#include "server/host_parts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_S 1.0
#define OPEN_WAIT_MAX_S 30.0 /* between attempts to open a VM that cannot be opened */
#define WATCH_MIN_S 0.2
#define FIRST_SAMPLE_MS 10000u

static double interval_s(const struct vt_host *host)
{
    return host->options.interval_s > 0 ? host->options.interval_s : INTERVAL_S;
}

static uint64_t ns_of(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

/* Threads of ours take no signals but those of their own faults. */
static int start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGFPE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* ---------------------------------------------------------------- one VM */

static void forward_event(const struct vt_event *event, void *arg)
{
    const struct vt_served *s = arg;
    const struct vt_host_options *o = &s->host->options;
    if (o->on_event != NULL) {
        o->on_event(s->name, event, o->arg);
    }
}

static struct vt_sampler_options sampler_options(const struct vt_host *host)
{
    struct vt_sampler_options options = host->options.sampler;
    options.path = NULL; /* each VM has its own */
    return options;
}

/* Opens what is not open yet. */
static int open_sampler(struct vt_served *s, struct vt_error *err)
{
    const struct vt_sampler_options options = sampler_options(s->host);
    int rc = s->context != NULL ? 0 : vt_context_open(s, "sample", "", false, &s->context, err);
    if (rc == 0 && s->sampler == NULL) {
        rc = vt_sampler_create(&s->context->lease.target, &options, &s->sampler, err);
        if (rc == 0) {
            vt_sampler_on_event(s->sampler, forward_event, s);
        }
    }
    return rc;
}

static void close_sampler(struct vt_served *s)
{
    vt_sampler_destroy(s->sampler);
    vt_context_close(s->context);
    s->sampler = NULL;
    s->context = NULL;
}

static void note(struct vt_served *s, int rc, const struct vt_sample *sample, bool busy,
                 const struct vt_error *err)
{
    pthread_mutex_lock(&s->host->lock);
    s->busy = busy;
    if (rc == 0) {
        s->last = *sample;
        s->samples++;
        s->cpu_seconds += (double)sample->cpu_ns / 1e9;
        s->error[0] = '\0';
    } else {
        s->failures++;
        snprintf(s->error, sizeof s->error, "%s", err->message);
    }
    pthread_cond_broadcast(&s->host->changed);
    pthread_mutex_unlock(&s->host->lock);
    if (rc == 0 && s->host->options.on_sample != NULL) {
        s->host->options.on_sample(s->name, sample, s->host->options.arg);
    }
}

/* False when the host ends. */
static bool wait_until(struct vt_host *host, uint64_t deadline_ns)
{
    pthread_mutex_lock(&host->lock);
    while (host->stop == 0 && vt_host_wait(host, deadline_ns) == 0) {
    }
    bool go_on = host->stop == 0;
    pthread_mutex_unlock(&host->lock);
    return go_on;
}

static void *sample_vm(void *arg)
{
    struct vt_served *s = arg;
    struct vt_host *host = s->host;
    const double interval = interval_s(host);
    double wait_s = interval; /* for a VM that cannot be opened */
    uint64_t due = vt_now_ns();
    bool over = false;
    for (bool go_on = true; go_on; go_on = go_on && wait_until(host, due)) {
        struct vt_error err;
        struct vt_sample sample;
        struct vt_life life;
        uint64_t began = vt_now_ns();
        int rc = open_sampler(s, &err);
        bool opened = rc == 0, busy = rc == VT_E_BUSY && s->context != NULL;
        rc = opened ? vt_sampler_tick(s->sampler, &sample, &err) : rc;
        note(s, rc, &sample, busy, &err);
        uint64_t now = vt_now_ns();
        if (rc == 0) {
            wait_s = interval;
            due += ns_of(interval);
            due = due > now ? due : now;
        } else if (opened || busy) {
            /* Looking for a kernel may take long: not more than a third of the time. */
            double spent = (double)(now - began) / 1e9;
            due = now + ns_of(2 * spent > interval ? 2 * spent : interval);
        } else {
            wait_s = 2 * wait_s < OPEN_WAIT_MAX_S ? 2 * wait_s : OPEN_WAIT_MAX_S;
            due = now + ns_of(wait_s);
        }
        bool same = vt_life_look(s->name, &life, NULL) == 0 &&
                    (s->context == NULL || vt_life_same(&life, &s->context->life));
        if (rc == 0 && !same && !over) {
            due = now; /* once more, to note that all of it is gone */
        } else {
            go_on = rc != VT_E_GONE && same;
        }
        over = !same;
    }
    close_sampler(s);
    pthread_mutex_lock(&host->lock);
    s->ended = true;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

/* Begins to sample a VM that exists, if that is not done yet; with `now`, opens it at once, so that
 * the caller hears that somebody else samples it. */
static int begin(struct vt_host *host, const char *name, bool now, struct vt_error *err)
{
    struct vt_life life;
    if (vt_life_look(name, &life, NULL) != 0) {
        return 0;
    }
    pthread_mutex_lock(&host->lock);
    struct vt_served *s = vt_host_use(host, name);
    bool mine = s != NULL && !s->sampling;
    if (mine) {
        s->sampling = true;
        s->ended = false;
        s->busy = false;
        s->last = (struct vt_sample){0};
        s->error[0] = '\0';
        s->host = host;
    } else if (s != NULL) {
        vt_host_leave(host, s);
    }
    pthread_mutex_unlock(&host->lock);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", name);
    }
    if (!mine) {
        return 0;
    }
    int rc = now ? open_sampler(s, err) : 0;
    /* All but another sampler the thread meets again, and says so. */
    rc = rc == VT_E_BUSY && s->context != NULL ? rc : 0;
    if (rc == 0 && start_thread(&s->thread, sample_vm, s) != 0) {
        rc = vt_fail(err, VT_E_NOMEM, "%s: no thread to be had", name);
    }
    if (rc != 0) {
        close_sampler(s);
        pthread_mutex_lock(&host->lock);
        s->sampling = false;
        vt_host_leave(host, s);
        pthread_mutex_unlock(&host->lock);
    }
    return rc;
}

/* Joins threads that ended, or (all) that will. */
static void join(struct vt_host *host, bool all)
{
    struct vt_served *s;
    do {
        pthread_mutex_lock(&host->lock);
        for (s = host->vms; s != NULL && !(s->sampling && (s->ended || all)); s = s->next) {
        }
        pthread_mutex_unlock(&host->lock);
        if (s != NULL) {
            pthread_join(s->thread, NULL);
            pthread_mutex_lock(&host->lock);
            s->sampling = false;
            vt_host_leave(host, s);
            pthread_mutex_unlock(&host->lock);
        }
    } while (s != NULL);
}

/* ---------------------------------------------------------------- all VMs */

static void begin_all(struct vt_host *host)
{
    char **names;
    size_t n;
    if (!host->options.sample || vt_vm_names(&names, &n, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (vt_host_may_see(host, names[i])) {
            begin(host, names[i], false, NULL);
        }
    }
    vt_vm_names_free(names, n);
}

static void *watch(void *arg)
{
    struct vt_host *host = arg;
    double every = interval_s(host) > WATCH_MIN_S ? interval_s(host) : WATCH_MIN_S;
    do {
        join(host, false);
        vt_host_sweep(host);
        begin_all(host);
    } while (wait_until(host, vt_now_ns() + ns_of(every)));
    return NULL;
}

int vt_host_watch(struct vt_host *host, struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && host->options.sample && i < host->options.n_names; i++) {
        rc = begin(host, host->options.names[i], true, err);
    }
    if (rc == 0 && start_thread(&host->watcher, watch, host) != 0) {
        rc = vt_fail(err, VT_E_NOMEM, "host: no thread to be had");
    }
    host->watching = rc == 0;
    return rc;
}

void vt_host_unwatch(struct vt_host *host)
{
    if (host->watching) {
        pthread_join(host->watcher, NULL);
        host->watching = false;
    }
    join(host, true);
}

/* ---------------------------------------------------------------- databases of leases */

/* Our own sampler is about to take its first sample. With the lock. */
static void await_first(struct vt_host *host, struct vt_served *s)
{
    uint64_t deadline = vt_deadline_ms(FIRST_SAMPLE_MS);
    while (s->sampling && !s->ended && !s->busy && s->last.number == 0 && s->error[0] == '\0' &&
           host->stop == 0 && vt_host_wait(host, deadline) == 0) {
    }
}

/* Nobody samples: takes one sample, unless one was taken just now. */
static int sample_once(struct vt_host *host, struct vt_served *s, struct vt_target *target,
                       struct vt_error *err)
{
    const struct vt_sampler_options options = sampler_options(host);
    struct vt_sampler *sampler;
    struct vt_sample sample;
    struct vt_error why;
    int rc = 0;
    pthread_mutex_lock(&s->once);
    if (s->once_ns == 0 || vt_now_ns() - s->once_ns > ns_of(interval_s(host))) {
        rc = vt_audit(s->name, "sample", &why, "%s", "");
        rc = rc != 0 ? rc : vt_sampler_create(target, &options, &sampler, &why);
        if (rc == 0) {
            rc = vt_sampler_tick(sampler, &sample, &why);
            vt_sampler_destroy(sampler);
        } else if (rc == VT_E_BUSY) {
            rc = 0; /* another process samples */
        }
        s->once_ns = rc == 0 ? vt_now_ns() : 0;
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    pthread_mutex_unlock(&s->once);
    return rc;
}

int vt_lease_sql(struct vt_host *host, struct vt_lease *lease, struct vt_error *err)
{
    struct vt_context *c = (struct vt_context *)lease;
    struct vt_served *s = c->vm;
    char path[VT_VM_PATH_MAX], error[VT_ERROR_MESSAGE_MAX];
    if (lease->sql != NULL) {
        return 0;
    }
    pthread_mutex_lock(&host->lock);
    if (!lease->target.ended) {
        await_first(host, s);
    }
    bool sampled = lease->target.ended || (s->sampling && !s->ended);
    memcpy(error, s->error, sizeof error);
    pthread_mutex_unlock(&host->lock);
    int rc = sampled ? 0 : sample_once(host, s, &lease->target, err);
    rc = rc != 0 ? rc : vt_db_path(s->name, path, err);
    if (rc == 0 && c->sql == NULL) {
        rc = vt_sql_open(path, &lease->target, &c->sql, err);
        if (rc == VT_E_NOT_FOUND && error[0] != '\0') {
            rc = vt_fail(err, VT_E_NOT_FOUND, "%s", error);
        }
    }
    if (rc == 0) {
        lease->sql = c->sql;
    }
    return rc;
}

/* ---------------------------------------------------------------- what is known of them */

void vt_host_each(struct vt_host *host, void (*fn)(const struct vt_host_vm *vm, void *arg),
                  void *arg)
{
    struct known {
        char name[VT_VM_NAME_MAX + 1], error[VT_ERROR_MESSAGE_MAX];
        struct vt_host_vm vm;
    } *all;
    size_t n = 0, i = 0;
    pthread_mutex_lock(&host->lock);
    for (const struct vt_served *s = host->vms; s != NULL; s = s->next) {
        n++;
    }
    all = calloc(n + 1, sizeof *all);
    for (const struct vt_served *s = host->vms; all != NULL && s != NULL; s = s->next) {
        if (!s->sampling) {
            continue;
        }
        memcpy(all[i].name, s->name, sizeof all[i].name);
        memcpy(all[i].error, s->error, sizeof all[i].error);
        all[i].vm = (struct vt_host_vm){.name = all[i].name,
                                        .last = s->last,
                                        .samples = s->samples,
                                        .failures = s->failures,
                                        .cpu_seconds = s->cpu_seconds,
                                        .error = all[i].error};
        i++;
    }
    pthread_mutex_unlock(&host->lock);
    for (size_t k = 0; k < i; k++) { /* without the lock: it may ask the host something */
        fn(&all[k].vm, arg);
    }
    free(all);
}
