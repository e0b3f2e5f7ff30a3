/* server/watch.c - see watch.h.
 *
 * Trackers belong to the thread; the table and who wants what are under the lock. Nothing is asked
 * of a VM with the lock held.
 */
#include "server/watch.h"

#include "base/io.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_NS UINT64_C(1000000000)
#define PAGES_NS UINT64_C(250000000)
#define STATE_TIMEOUT_MS 500
#define WANTS_MAX 512

struct wish {
    char vm[VT_VM_NAME_MAX + 1]; /* "": all */
    unsigned n;
};

/* The thread's own side of a VM. */
struct tracked {
    char name[VT_VM_NAME_MAX + 1];
    uint64_t started_unix_ns;
    struct vt_track *track;
    uint32_t tick;
    struct vt_vm_info info;
};

struct vt_watch {
    const struct vt_host *host;
    struct vt_feed *feed;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    unsigned n;
    struct vt_watched vms[VT_WATCH_VMS_MAX];
    size_t n_gpus;
    struct vt_gpu_served gpus[VT_GPUS_SERVED_MAX];
    unsigned n_wishes;
    struct wish wishes[WANTS_MAX];
    /* the thread's */
    unsigned n_tracked;
    struct tracked *tracked[VT_WATCH_VMS_MAX];
};

/* ---------------------------------------------------------------- looking */

static bool look_at(struct vt_watch *w, const char *name, struct vt_watched *look)
{
    struct vt_vm *vm;
    if (!vt_host_may_see(w->host, name) || vt_vm_open(name, &vm, NULL) != 0) {
        return false;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    *look = (struct vt_watched){
        .started_unix_ns = info->started_unix_ns, .cpus = info->cpus, .ram_bytes = info->ram_bytes};
    memcpy(look->name, info->name, sizeof look->name);
    if (vt_vm_query_state(vm, STATE_TIMEOUT_MS, &look->state, NULL) != 0) {
        look->state = VT_VM_UNKNOWN;
    }
    vt_vm_usage(info, &look->usage);
    if (info->trace_path[0] != '\0') {
        (void)vt_trace_status(info->trace_path, &look->trace, NULL);
    }
    vt_vm_close(vm);
    return true;
}

static const struct vt_watched *among(const struct vt_watched *vms, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(vms[i].name, name) == 0) {
            return &vms[i];
        }
    }
    return NULL;
}

/* Replaces the table, and tells what differs. */
static void publish(struct vt_watch *w, const struct vt_watched *now, unsigned n)
{
    for (unsigned i = 0; i < w->n; i++) { /* only this thread writes the table */
        if (among(now, n, w->vms[i].name) == NULL) {
            vt_feed_state(w->feed, w->vms[i].name, NULL);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        const struct vt_watched *before = among(w->vms, w->n, now[i].name);
        if (before != NULL && before->started_unix_ns != now[i].started_unix_ns) {
            vt_feed_state(w->feed, now[i].name, NULL);
            before = NULL;
        }
        if (before == NULL || before->state != now[i].state) {
            vt_feed_state(w->feed, now[i].name, vt_vm_state_name(now[i].state));
        }
    }
    pthread_mutex_lock(&w->lock);
    memcpy(w->vms, now, n * sizeof *now);
    w->n = n;
    pthread_mutex_unlock(&w->lock);
}

static void look_around(struct vt_watch *w, struct vt_watched *room)
{
    char **names;
    size_t count;
    unsigned n = 0;
    if (vt_vm_names(&names, &count, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < count && n < VT_WATCH_VMS_MAX; i++) {
        n += look_at(w, names[i], &room[n]);
    }
    vt_vm_names_free(names, count);
    publish(w, room, n);
}

/* ---------------------------------------------------------------- pages */

static bool wanted(struct vt_watch *w, const char *vm)
{
    bool yes = false;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; !yes && i < w->n_wishes; i++) {
        yes = w->wishes[i].vm[0] == '\0' || strcmp(w->wishes[i].vm, vm) == 0;
    }
    pthread_mutex_unlock(&w->lock);
    return yes;
}

static void forget(struct vt_watch *w, unsigned i)
{
    vt_track_close(w->tracked[i]->track);
    free(w->tracked[i]);
    w->tracked[i] = w->tracked[--w->n_tracked];
}

static void begin_tracking(struct vt_watch *w, const struct vt_watched *look)
{
    struct vt_vm *vm;
    struct tracked *t;
    if (w->n_tracked == VT_WATCH_VMS_MAX || vt_vm_open(look->name, &vm, NULL) != 0) {
        return;
    }
    t = calloc(1, sizeof *t);
    if (t != NULL && vt_track_open(vm, &t->track, NULL) == 0) {
        memcpy(t->name, look->name, sizeof t->name);
        t->info = *vt_vm_info(vm);
        t->started_unix_ns = t->info.started_unix_ns;
        if (vt_track_scan(t->track, &t->tick, NULL) == 0) {
            w->tracked[w->n_tracked++] = t;
            t = NULL;
        } else {
            vt_track_close(t->track);
        }
    }
    free(t);
    vt_vm_close(vm);
}

/* File pages [first, end) as guest-physical runs. */
static void add_runs(const struct vt_vm_info *info, uint64_t first, uint64_t end,
                     struct vt_feed_pages *pages)
{
    uint64_t from = first << VT_PAGE_SHIFT, to = end << VT_PAGE_SHIFT;
    pages->pages += end - first;
    for (unsigned i = 0; i < info->n_regions; i++) {
        const struct vt_ram_region *r = &info->regions[i];
        uint64_t low = from > r->offset.v ? from : r->offset.v;
        uint64_t high = to < r->offset.v + r->bytes ? to : r->offset.v + r->bytes;
        if (low >= high) {
            continue;
        }
        if (pages->n_runs == sizeof pages->runs / sizeof pages->runs[0]) {
            pages->cut = true;
            return;
        }
        pages->runs[pages->n_runs].gpa = VT_GPA(r->gpa.v + (low - r->offset.v));
        pages->runs[pages->n_runs++].bytes = high - low;
    }
}

/* False when the tracker is gone. */
static bool tell_pages(struct vt_watch *w, struct tracked *t)
{
    struct vt_feed_pages pages = {.since = t->tick};
    uint64_t first, end = 0;
    if (vt_track_scan(t->track, &pages.tick, NULL) != 0) {
        return false;
    }
    while (vt_track_next(t->track, pages.since, end, &first, &end)) {
        add_runs(&t->info, first, end, &pages);
    }
    t->tick = pages.tick;
    vt_feed_pages(w->feed, t->name, &pages);
    return true;
}

static void look_at_pages(struct vt_watch *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        bool known = false;
        for (unsigned k = 0; k < w->n_tracked; k++) {
            known |= strcmp(w->tracked[k]->name, w->vms[i].name) == 0;
        }
        if (!known && wanted(w, w->vms[i].name)) {
            begin_tracking(w, &w->vms[i]);
        }
    }
    for (unsigned i = w->n_tracked; i > 0; i--) {
        struct tracked *t = w->tracked[i - 1];
        const struct vt_watched *now = among(w->vms, w->n, t->name);
        if (now == NULL || now->started_unix_ns != t->started_unix_ns || !wanted(w, t->name) ||
            !tell_pages(w, t)) {
            forget(w, i - 1);
        }
    }
}

static void look_at_gpus(struct vt_watch *w, struct vt_gpu_served *room)
{
    size_t n = vt_gpus_served(room);
    pthread_mutex_lock(&w->lock);
    memcpy(w->gpus, room, n * sizeof *room);
    w->n_gpus = n;
    pthread_mutex_unlock(&w->lock);
}

void vt_watch_gpus(struct vt_watch *w, void (*fn)(const struct vt_gpu_served *gpu, void *arg),
                   void *arg)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n_gpus; i++) {
        fn(&w->gpus[i], arg);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---------------------------------------------------------------- the thread */

/* Until `deadline_ns`, or somebody wants something; false: to the end. */
static bool wait_until(struct vt_watch *w, uint64_t deadline_ns)
{
    const struct timespec t = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                               .tv_nsec = (long)(deadline_ns % 1000000000u)};
    pthread_mutex_lock(&w->lock);
    if (!w->stop) {
        pthread_cond_timedwait(&w->wake, &w->lock, &t);
    }
    bool go_on = !w->stop;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct vt_watch *w = arg;
    struct vt_watched *room = calloc(VT_WATCH_VMS_MAX, sizeof *room);
    struct vt_gpu_served *gpus = calloc(VT_GPUS_SERVED_MAX, sizeof *gpus);
    uint64_t next_look = 0, next_pages = 0;
    bool go_on = room != NULL && gpus != NULL;
    while (go_on) {
        uint64_t now = vt_now_ns();
        if (now >= next_look) {
            look_around(w, room);
            look_at_gpus(w, gpus);
            next_look = vt_now_ns() + LOOK_NS;
        }
        pthread_mutex_lock(&w->lock);
        bool pages = w->n_wishes > 0 || w->n_tracked > 0;
        pthread_mutex_unlock(&w->lock);
        if (pages && now >= next_pages) {
            look_at_pages(w);
            next_pages = vt_now_ns() + PAGES_NS;
        }
        go_on = wait_until(w, pages && next_pages < next_look ? next_pages : next_look);
    }
    while (w->n_tracked > 0) {
        forget(w, w->n_tracked - 1);
    }
    free(gpus);
    free(room);
    return NULL;
}

int vt_watch_create(const struct vt_host *host, struct vt_feed *feed, struct vt_watch **watch,
                    struct vt_error *err)
{
    struct vt_watch *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    pthread_condattr_t monotonic;
    sigset_t all, before;
    w->host = host;
    w->feed = feed;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->running = rc == 0;
    if (rc != 0) {
        vt_watch_destroy(w);
        return vt_fail_errno(err, VT_E_NOMEM, rc, "cannot start a thread");
    }
    *watch = w;
    return 0;
}

void vt_watch_destroy(struct vt_watch *w)
{
    if (w == NULL) {
        return;
    }
    if (w->running) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void vt_watch_each(struct vt_watch *w, void (*fn)(const struct vt_watched *vm, void *arg),
                   void *arg)
{
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->n; i++) {
        fn(&w->vms[i], arg);
    }
    pthread_mutex_unlock(&w->lock);
}

int vt_watch_pages(struct vt_watch *w, const char *vm, bool add, struct vt_error *err)
{
    const char *name = vm != NULL ? vm : "";
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    unsigned i = 0;
    while (i < w->n_wishes && strcmp(w->wishes[i].vm, name) != 0) {
        i++;
    }
    if (i < w->n_wishes) {
        w->wishes[i].n += add ? 1u : -1u;
        if (w->wishes[i].n == 0) {
            w->wishes[i] = w->wishes[--w->n_wishes];
        }
    } else if (add && w->n_wishes == WANTS_MAX) {
        rc = vt_fail(err, VT_E_LIMIT, "too many wishes");
    } else if (add) {
        w->wishes[w->n_wishes].n = 1;
        snprintf(w->wishes[w->n_wishes++].vm, sizeof w->wishes[0].vm, "%s", name);
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}
