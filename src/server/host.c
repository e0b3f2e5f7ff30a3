/* server/host.c - the VMs that are served, and the leases on them. See host.h.
 *
 * A context (an opened VM) is either out, as one user's lease, or idle in its VM's list. Opening
 * and closing takes milliseconds and happens without the lock; `contexts` counts those being
 * opened, too, and so bounds them. Each lease looks whether its VM is still the one that was
 * opened.
 */
#include "server/host.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/vmdir.h"
#include "server/host_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXTS_MAX 4u       /* of one VM */
#define LEASE_WAIT_MS 10000u  /* for one of them */
#define KERNEL_NS 1000000000u /* a guest that boots is looked at again that often */

/* ---------------------------------------------------------------- lives */

int vt_life_look(const char *vm, struct vt_life *life, struct vt_error *err)
{
    char dir[PATH_MAX], path[PATH_MAX];
    struct stat st;
    bool live = false;
    int rc = vt_vmdir_path(vm, dir, err);
    rc = rc != 0 ? rc : vt_vmdir_file(dir, "vm.json", path, err);
    rc = rc != 0 ? rc : vt_vmdir_is_live(vm, &live, err);
    if (rc == 0 && (!live || stat(path, &st) != 0)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s'", vm);
    }
    if (rc == 0) {
        *life = (struct vt_life){st.st_dev, st.st_ino, st.st_mtim};
    }
    return rc;
}

bool vt_life_same(const struct vt_life *a, const struct vt_life *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->written.tv_sec == b->written.tv_sec && a->written.tv_nsec == b->written.tv_nsec;
}

/* ---------------------------------------------------------------- the host */

int vt_host_wait(struct vt_host *host, uint64_t deadline_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                   .tv_nsec = (long)(deadline_ns % 1000000000u)};
    return pthread_cond_timedwait(&host->changed, &host->lock, &until) == ETIMEDOUT ? VT_E_TIMEOUT
                                                                                    : 0;
}

int vt_host_create(const struct vt_host_options *options, struct vt_host **host,
                   struct vt_error *err)
{
    for (unsigned i = 0; i < options->n_names; i++) {
        if (!vt_name_is_valid(options->names[i])) {
            return vt_fail(err, VT_E_INVAL, "'%.64s' is not a VM's name", options->names[i]);
        }
    }
    struct vt_host *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return vt_fail(err, VT_E_NOMEM, "host: out of memory");
    }
    h->options = *options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = vt_host_watch(h, err);
    if (rc != 0) {
        vt_host_destroy(h);
        return rc;
    }
    *host = h;
    return 0;
}

void vt_context_close(struct vt_context *c)
{
    if (c != NULL) {
        vt_sql_close(c->sql);
        vt_target_close(&c->lease.target, NULL);
        free(c);
    }
}

void vt_host_destroy(struct vt_host *host)
{
    if (host == NULL) {
        return;
    }
    vt_host_interrupt(host);
    vt_host_unwatch(host);
    while (host->vms != NULL) {
        struct vt_served *s = host->vms;
        host->vms = s->next;
        pthread_mutex_destroy(&s->once);
        while (s->idle != NULL) {
            struct vt_context *c = s->idle;
            s->idle = c->next;
            vt_context_close(c);
        }
        free(s);
    }
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

void vt_host_interrupt(struct vt_host *host)
{
    pthread_mutex_lock(&host->lock);
    __atomic_store_n(&host->stop, 1, __ATOMIC_RELAXED);
    for (struct vt_context *c = host->out; c != NULL; c = c->next) {
        __atomic_store_n(c->stop, 1, __ATOMIC_RELAXED);
    }
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

const volatile int *vt_host_stop(const struct vt_host *host)
{
    return &host->stop;
}

const char *vt_host_program(const struct vt_host *host)
{
    return host->options.program != NULL ? host->options.program : "/proc/self/exe";
}

bool vt_host_is_read_only(const struct vt_host *host)
{
    return host->options.read_only;
}

bool vt_host_may_see(const struct vt_host *host, const char *vm)
{
    bool seen = host->options.n_names == 0;
    for (unsigned i = 0; !seen && i < host->options.n_names; i++) {
        seen = strcmp(host->options.names[i], vm) == 0;
    }
    return seen;
}

/* ---------------------------------------------------------------- what is kept of a VM */

struct vt_served *vt_host_use(struct vt_host *host, const char *name)
{
    struct vt_served *s = host->vms;
    while (s != NULL && strcmp(s->name, name) != 0) {
        s = s->next;
    }
    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL) {
            return NULL;
        }
        snprintf(s->name, sizeof s->name, "%s", name);
        pthread_mutex_init(&s->once, NULL);
        s->next = host->vms;
        host->vms = s;
    }
    s->users++;
    return s;
}

void vt_host_leave(struct vt_host *host, struct vt_served *s)
{
    s->users--;
    pthread_cond_broadcast(&host->changed);
    if (s->users > 0 || s->contexts > 0) {
        return;
    }
    struct vt_served **at = &host->vms;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    pthread_mutex_destroy(&s->once);
    free(s);
}

static void put_idle(struct vt_served *s, struct vt_context *c)
{
    c->next = s->idle;
    s->idle = c;
}

/* An idle context, or (*context NULL) the right to open one. With the lock. */
static int await_context(struct vt_host *host, struct vt_served *s, struct vt_context **context,
                         struct vt_error *err)
{
    uint64_t deadline = vt_deadline_ms(LEASE_WAIT_MS);
    while (s->idle == NULL && s->contexts == CONTEXTS_MAX) {
        if (host->stop != 0) {
            break;
        }
        if (vt_host_wait(host, deadline) != 0) {
            return vt_fail(err, VT_E_BUSY, "%s: %u others look into it", s->name, CONTEXTS_MAX);
        }
    }
    if (host->stop != 0) {
        return vt_fail(err, VT_E_INTERRUPTED, "%s: the server ends", s->name);
    }
    *context = s->idle;
    if (s->idle != NULL) {
        s->idle = s->idle->next;
    } else {
        s->contexts++;
    }
    return 0;
}

int vt_context_open(struct vt_served *s, const char *operation, const char *detail, bool past,
                    struct vt_context **context, struct vt_error *err)
{
    struct vt_context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", s->name);
    }
    c->vm = s;
    /* Looked at before it is opened: a restart in between shows as another life at the next lease.
     */
    vt_life_look(s->name, &c->life, NULL);
    operation = operation != NULL ? operation : "database";
    int rc = past ? vt_database_target(s->name, operation, detail, &c->lease.target, err)
                  : vt_target_open(s->name, operation, detail, &c->lease.target, err);
    if (rc != 0) {
        free(c);
        return rc;
    }
    *context = c;
    return 0;
}

/* Makes a kept context fit for use, or closes it: *context is NULL then. */
static int freshen(struct vt_context **context, const char *operation, const char *detail,
                   struct vt_error *err)
{
    struct vt_context *c = *context;
    struct vt_life now;
    if (vt_life_look(c->vm->name, &now, NULL) != 0 || !vt_life_same(&now, &c->life) ||
        vt_ram_check(c->lease.target.ram, NULL) != 0) {
        vt_context_close(c);
        *context = NULL;
        return 0;
    }
    if (operation == NULL) {
        return 0;
    }
    int rc = vt_audit(c->vm->name, operation, err, "%s", detail);
    if (rc == 0) {
        vt_target_refresh(&c->lease.target);
    }
    return rc;
}

void vt_host_sweep(struct vt_host *host)
{
    struct vt_context *stale = NULL;
    pthread_mutex_lock(&host->lock);
    struct vt_served *next;
    for (struct vt_served *s = host->vms; s != NULL; s = next) {
        struct vt_life life;
        next = s->next;
        bool lives = s->idle == NULL || vt_life_look(s->name, &life, NULL) == 0;
        for (struct vt_context **at = &s->idle; *at != NULL;) {
            struct vt_context *c = *at;
            if (lives && vt_life_same(&life, &c->life)) {
                at = &c->next;
                continue;
            }
            *at = c->next;
            c->next = stale;
            stale = c;
            s->contexts--;
        }
        s->users++;
        vt_host_leave(host, s); /* an entry that holds nothing any more goes */
    }
    pthread_mutex_unlock(&host->lock);
    while (stale != NULL) {
        struct vt_context *c = stale;
        stale = c->next;
        vt_context_close(c);
    }
}

/* Makes `stop` end a context's work, be it set by the user or for all by the host. */
static void lend(struct vt_host *host, struct vt_context *c, volatile int *stop)
{
    c->stop = stop;
    c->lease.stop = stop != NULL ? stop : &host->stop;
    c->lease.sql = NULL;
    if (stop == NULL) {
        return;
    }
    pthread_mutex_lock(&host->lock);
    c->next = host->out;
    host->out = c;
    if (host->stop != 0) {
        __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&host->lock);
}

/* With the lock. */
static void take_back(struct vt_host *host, struct vt_context *c)
{
    struct vt_context **at = &host->out;
    while (c->stop != NULL && *at != c) {
        at = &(*at)->next;
    }
    if (c->stop != NULL) {
        *at = c->next;
        c->stop = NULL;
    }
    c->lease.stop = &host->stop;
}

int vt_host_lease(struct vt_host *host, const char *vm, const char *operation, const char *detail,
                  volatile int *stop, struct vt_lease **lease, struct vt_error *err)
{
    if (!vt_name_is_valid(vm)) {
        return vt_fail(err, VT_E_INVAL, "not a VM's name (1-32 letters, digits, '.', '_', '-')");
    }
    if (!vt_host_may_see(host, vm)) {
        return vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s' is served here", vm);
    }
    struct vt_context *c = NULL;
    pthread_mutex_lock(&host->lock);
    struct vt_served *s = vt_host_use(host, vm);
    int rc = s != NULL ? await_context(host, s, &c, err)
                       : vt_fail(err, VT_E_NOMEM, "%s: out of memory", vm);
    if (rc != 0) {
        if (s != NULL) {
            vt_host_leave(host, s);
        }
        pthread_mutex_unlock(&host->lock);
        return rc;
    }
    pthread_mutex_unlock(&host->lock);
    rc = c != NULL ? freshen(&c, operation, detail, err) : 0;
    if (rc == 0 && c == NULL) {
        rc = vt_context_open(s, operation, detail, true, &c, err);
    }
    if (rc == 0) {
        lend(host, c, stop);
        *lease = &c->lease;
        return 0;
    }
    pthread_mutex_lock(&host->lock);
    if (c != NULL) {
        put_idle(s, c); /* only the audit line failed */
    } else {
        s->contexts--;
    }
    vt_host_leave(host, s);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

int vt_lease_kernel(struct vt_host *host, struct vt_lease *lease, struct vt_error *err)
{
    struct vt_served *s = ((struct vt_context *)lease)->vm;
    struct vt_error why = {0};
    if (lease->target.kernel != NULL || lease->target.ended) {
        return vt_target_kernel(&lease->target, err);
    }
    pthread_mutex_lock(&host->lock);
    if (s->no_kernel_ns != 0 && vt_now_ns() - s->no_kernel_ns < KERNEL_NS) {
        why = s->no_kernel;
    }
    pthread_mutex_unlock(&host->lock);
    int rc = why.code != VT_OK ? (int)why.code : vt_target_kernel(&lease->target, &why);
    pthread_mutex_lock(&host->lock);
    if (rc == 0) {
        s->no_kernel_ns = 0;
    } else if (s->no_kernel_ns == 0 || vt_now_ns() - s->no_kernel_ns >= KERNEL_NS) {
        s->no_kernel = why;
        s->no_kernel_ns = vt_now_ns();
    }
    pthread_mutex_unlock(&host->lock);
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    return rc;
}

void vt_host_give_back(struct vt_host *host, struct vt_lease *lease)
{
    struct vt_context *c = (struct vt_context *)lease;
    struct vt_served *s = c->vm;
    vt_target_resume(&lease->target, NULL);
    if (lease->target.vm != NULL) {
        vt_vm_release(lease->target.vm);
    }
    pthread_mutex_lock(&host->lock);
    take_back(host, c);
    put_idle(s, c);
    vt_host_leave(host, s);
    pthread_mutex_unlock(&host->lock);
}
