/* gpu/vtest_sync.c - see vtest_sync.h.
 *
 * One lock for all of a client's: they are few, and raised a few thousand times a second at most.
 * A sync lives as long as its id, a wait or a fence knows it. Waits whose time is over are dropped
 * when the next one comes: their client has closed its descriptor.
 */
#include "gpu/vtest_sync.h"

#include "base/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SYNCS_MAX 65536u
#define WAITS_MAX 256u
#define FENCES_MAX 65536u
#define POINTS_MAX 4096u       /* of one wait or fence */
#define ALL_POINTS_MAX 262144u /* of all that are waiting */

struct sync {
    uint64_t value;
    uint32_t holds;
};

struct point {
    struct sync *sync;
    uint64_t value;
};

struct wait {
    struct wait *next;
    int event;
    bool any;
    uint64_t deadline_ns;
    uint32_t n;
    struct point points[];
};

struct fence {
    struct fence *next;
    uint64_t id;
    uint32_t n;
    struct point points[];
};

struct vt_vtest_syncs {
    pthread_mutex_t lock;
    struct sync **by_id; /* [id - 1], NULL: free */
    uint32_t *free_ids;
    uint32_t room, used, n_free, n;
    struct wait *waits;
    uint32_t n_waits;
    struct fence *fences, **last_fence; /* oldest first */
    uint32_t n_fences;
    uint32_t n_points; /* of waits and fences */
    uint64_t next_fence;
};

int vt_vtest_syncs_create(struct vt_vtest_syncs **syncs, struct vt_error *err)
{
    struct vt_vtest_syncs *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "sync objects: out of memory");
    }
    pthread_mutex_init(&s->lock, NULL);
    s->last_fence = &s->fences;
    s->next_fence = 1;
    *syncs = s;
    return 0;
}

static void put(struct sync *sync)
{
    if (--sync->holds == 0) {
        free(sync);
    }
}

static void put_points(struct vt_vtest_syncs *s, const struct point *points, uint32_t n)
{
    s->n_points -= n;
    for (uint32_t i = 0; i < n; i++) {
        put(points[i].sync);
    }
}

static void end_wait(struct vt_vtest_syncs *s, struct wait **link)
{
    struct wait *w = *link;
    *link = w->next;
    s->n_waits--;
    put_points(s, w->points, w->n);
    close(w->event);
    free(w);
}

static void end_fence(struct vt_vtest_syncs *s, struct fence **link)
{
    struct fence *f = *link;
    *link = f->next;
    if (f->next == NULL) {
        s->last_fence = link;
    }
    s->n_fences--;
    put_points(s, f->points, f->n);
    free(f);
}

static bool reached(const struct wait *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        n += w->points[i].sync->value >= w->points[i].value;
    }
    return w->any && w->n > 0 ? n > 0 : n == w->n;
}

static void tell(const struct wait *w)
{
    /* Room for 2^64 - 2 of them. */
    (void)eventfd_write(w->event, 1);
}

static void tell_waits(struct vt_vtest_syncs *s)
{
    struct wait **link = &s->waits;
    while (*link != NULL) {
        if (reached(*link)) {
            tell(*link);
            end_wait(s, link);
        } else {
            link = &(*link)->next;
        }
    }
}

void vt_vtest_syncs_destroy(struct vt_vtest_syncs *s)
{
    if (s == NULL) {
        return;
    }
    while (s->waits != NULL) {
        tell(s->waits);
        end_wait(s, &s->waits);
    }
    while (s->fences != NULL) {
        end_fence(s, &s->fences);
    }
    for (uint32_t i = 0; i < s->used; i++) {
        if (s->by_id[i] != NULL) {
            put(s->by_id[i]);
        }
    }
    free(s->by_id);
    free(s->free_ids);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---------------------------------------------------------------- ids */

static int grow(struct vt_vtest_syncs *s, struct vt_error *err)
{
    uint32_t room = s->room == 0 ? 64 : s->room * 2;
    struct sync **by_id = realloc(s->by_id, room * sizeof *by_id);
    if (by_id != NULL) {
        s->by_id = by_id;
    }
    uint32_t *free_ids = realloc(s->free_ids, room * sizeof *free_ids);
    if (free_ids != NULL) {
        s->free_ids = free_ids;
    }
    if (by_id == NULL || free_ids == NULL) {
        return vt_fail(err, VT_E_NOMEM, "sync objects: out of memory");
    }
    s->room = room;
    return 0;
}

static int add(struct vt_vtest_syncs *s, uint64_t value, uint32_t *id, struct vt_error *err)
{
    if (s->n == SYNCS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %u sync objects", SYNCS_MAX);
    }
    int rc = s->n_free == 0 && s->used == s->room ? grow(s, err) : 0;
    if (rc != 0) {
        return rc;
    }
    struct sync *sync = malloc(sizeof *sync);
    if (sync == NULL) {
        return vt_fail(err, VT_E_NOMEM, "sync objects: out of memory");
    }
    *sync = (struct sync){.value = value, .holds = 1};
    *id = s->n_free > 0 ? s->free_ids[--s->n_free] : ++s->used;
    s->by_id[*id - 1] = sync;
    s->n++;
    return 0;
}

int vt_vtest_sync_create(struct vt_vtest_syncs *s, uint64_t value, uint32_t *id,
                         struct vt_error *err)
{
    pthread_mutex_lock(&s->lock);
    int rc = add(s, value, id, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static struct sync *find(const struct vt_vtest_syncs *s, uint32_t id, struct vt_error *err)
{
    struct sync *sync = id > 0 && id <= s->used ? s->by_id[id - 1] : NULL;
    if (sync == NULL) {
        vt_fail(err, VT_E_NOT_FOUND, "there is no sync object %u", id);
    }
    return sync;
}

int vt_vtest_sync_unref(struct vt_vtest_syncs *s, uint32_t id, struct vt_error *err)
{
    pthread_mutex_lock(&s->lock);
    struct sync *sync = find(s, id, err);
    if (sync != NULL) {
        s->by_id[id - 1] = NULL;
        s->free_ids[s->n_free++] = id;
        s->n--;
        put(sync);
    }
    pthread_mutex_unlock(&s->lock);
    return sync != NULL ? 0 : VT_E_NOT_FOUND;
}

int vt_vtest_sync_read(struct vt_vtest_syncs *s, uint32_t id, uint64_t *value, struct vt_error *err)
{
    pthread_mutex_lock(&s->lock);
    const struct sync *sync = find(s, id, err);
    if (sync != NULL) {
        *value = sync->value;
    }
    pthread_mutex_unlock(&s->lock);
    return sync != NULL ? 0 : VT_E_NOT_FOUND;
}

int vt_vtest_sync_write(struct vt_vtest_syncs *s, struct vt_vtest_point to, struct vt_error *err)
{
    pthread_mutex_lock(&s->lock);
    struct sync *sync = find(s, to.sync, err);
    if (sync != NULL) {
        sync->value = to.value;
        tell_waits(s);
    }
    pthread_mutex_unlock(&s->lock);
    return sync != NULL ? 0 : VT_E_NOT_FOUND;
}

/* ---------------------------------------------------------------- points */

/* All are found, and held, or none. */
static int hold_points(struct vt_vtest_syncs *s, const struct vt_vtest_point *points, uint32_t n,
                       struct point *held, struct vt_error *err)
{
    if (n > ALL_POINTS_MAX - s->n_points) {
        return vt_fail(err, VT_E_LIMIT, "waits and fences for more than %u sync objects",
                       ALL_POINTS_MAX);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct sync *sync = find(s, points[i].sync, err);
        if (sync == NULL) {
            put_points(s, held, i);
            return VT_E_NOT_FOUND;
        }
        sync->holds++;
        s->n_points++;
        held[i] = (struct point){.sync = sync, .value = points[i].value};
    }
    return 0;
}

static void drop_old_waits(struct vt_vtest_syncs *s)
{
    uint64_t now = vt_now_ns();
    struct wait **link = &s->waits;
    while (*link != NULL) {
        if ((*link)->deadline_ns <= now) {
            end_wait(s, link);
        } else {
            link = &(*link)->next;
        }
    }
}

static int add_wait(struct vt_vtest_syncs *s, struct wait *w, const struct vt_vtest_point *points,
                    int *fd, struct vt_error *err)
{
    drop_old_waits(s);
    if (s->n_waits == WAITS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %u waits at once", WAITS_MAX);
    }
    int rc = hold_points(s, points, w->n, w->points, err);
    if (rc != 0) {
        return rc;
    }
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int theirs = w->event < 0 ? -1 : dup(w->event);
    if (theirs < 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "a descriptor to wait on");
        put_points(s, w->points, w->n);
        vt_close(&w->event);
        return rc;
    }
    w->next = s->waits;
    s->waits = w;
    s->n_waits++;
    if (reached(w)) {
        tell(w);
        end_wait(s, &s->waits);
    }
    *fd = theirs;
    return 0;
}

int vt_vtest_sync_wait(struct vt_vtest_syncs *s, bool any, uint32_t timeout_ms,
                       const struct vt_vtest_point *points, uint32_t n, int *fd,
                       struct vt_error *err)
{
    if (n > POINTS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a wait for %u sync objects (%u at most)", n, POINTS_MAX);
    }
    struct wait *w = malloc(sizeof *w + n * sizeof *w->points);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a wait: out of memory");
    }
    *w = (struct wait){.any = any,
                       .n = n,
                       .deadline_ns =
                           timeout_ms == UINT32_MAX ? VT_NO_DEADLINE : vt_deadline_ms(timeout_ms)};
    pthread_mutex_lock(&s->lock);
    int rc = add_wait(s, w, points, fd, err);
    pthread_mutex_unlock(&s->lock);
    if (rc != 0) {
        free(w);
    }
    return rc;
}

/* ---------------------------------------------------------------- fences */

static int add_fence(struct vt_vtest_syncs *s, struct fence *f, const struct vt_vtest_point *points,
                     struct vt_error *err)
{
    if (s->n_fences == FENCES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %u fences at once", FENCES_MAX);
    }
    int rc = hold_points(s, points, f->n, f->points, err);
    if (rc == 0) {
        f->id = s->next_fence++;
        *s->last_fence = f;
        s->last_fence = &f->next;
        s->n_fences++;
    }
    return rc;
}

int vt_vtest_fence_create(struct vt_vtest_syncs *s, const struct vt_vtest_point *points, uint32_t n,
                          uint64_t *id, struct vt_error *err)
{
    if (n > POINTS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a batch with %u sync objects (%u at most)", n, POINTS_MAX);
    }
    struct fence *f = malloc(sizeof *f + n * sizeof *f->points);
    if (f == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a fence: out of memory");
    }
    *f = (struct fence){.n = n};
    pthread_mutex_lock(&s->lock);
    int rc = add_fence(s, f, points, err);
    if (rc == 0) {
        *id = f->id;
    }
    pthread_mutex_unlock(&s->lock);
    if (rc != 0) {
        free(f);
    }
    return rc;
}

static void finish_fence(struct vt_vtest_syncs *s, uint64_t id, bool raise)
{
    pthread_mutex_lock(&s->lock);
    struct fence **link = &s->fences;
    while (*link != NULL && (*link)->id != id) {
        link = &(*link)->next;
    }
    struct fence *f = *link;
    if (f != NULL && raise) {
        for (uint32_t i = 0; i < f->n; i++) {
            /* Timelines finish in any order: a late fence takes nothing back. */
            if (f->points[i].sync->value < f->points[i].value) {
                f->points[i].sync->value = f->points[i].value;
            }
        }
        tell_waits(s);
    }
    if (f != NULL) {
        end_fence(s, link);
    }
    pthread_mutex_unlock(&s->lock);
}

void vt_vtest_fence_reached(struct vt_vtest_syncs *s, uint64_t id)
{
    finish_fence(s, id, true);
}

void vt_vtest_fence_drop(struct vt_vtest_syncs *s, uint64_t id)
{
    finish_fence(s, id, false);
}

uint32_t vt_vtest_syncs_count(struct vt_vtest_syncs *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}
