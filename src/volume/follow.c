/* volume/follow.c - see follow.h.
 *
 *   one look     what the tracker says, what was classified meanwhile, the highlights' file
 *   the thread   classifies, then waits; it has a kernel of its own and shares the mapping
 *
 * A classification is handed over by swapping two buffers under the lock. It is older than the
 * look that takes it: pages that got storage since it began are holes in it, and get a class by
 * their contents until the next one.
 */
#include "volume/follow.h"

#include "base/io.h"
#include "volume/contents.h"
#include "volume/highlights.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CLASSES_S 1.0
/* Of a core that classifying may take; where RAM is large it is done less often. */
#define WORK_SHARE 0.25
/* Looking for a kernel that is not there (yet) is worth as much as this many times its cost. */
#define KERNEL_REST 10
#define STATE_TIMEOUT_MS 200

/* What a classification found. */
struct found {
    uint8_t *classes, *owners;
    struct vt_owner processes[VT_OWNERS_MAX];
    size_t n_processes;
    uint32_t tick; /* pages newer than this may have been looked at too early */
    bool understood, paused;
    char system[300];
    char note[VT_ERROR_MESSAGE_MAX];
};

struct vt_follow {
    struct vt_target *target;
    const struct vt_ram *ram;
    uint64_t n_pages;
    struct vt_track *track;
    uint64_t began_ns;
    double classes_s;

    /* the looking thread's */
    struct found shown;
    bool looked, gone;
    uint32_t tick;
    uint64_t *pages;
    size_t n, room;
    uint64_t scan_ns, changed;
    uint32_t classes_version, highlights_version;
    bool no_highlights;
    struct vt_highlights highlights;
    struct stat file; /* of the highlights, when they were read; st_ino 0: none */
    char highlights_note[VT_ERROR_MESSAGE_MAX];
    double now_s;

    /* the classifying thread's */
    struct vt_target own; /* its kernel; the rest is the target's */
    struct vt_classes *scan;
    uint64_t kernel_next_ns;
    char why[VT_ERROR_MESSAGE_MAX]; /* there is no kernel */
    bool paused;

    /* between them */
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t told;
    struct found ready;
    bool fresh, stop;
    struct vt_error failure; /* code 0: none */
};

/* ---------------------------------------------------------------- the thread */

static void find_kernel(struct vt_follow *f)
{
    struct vt_error err;
    vt_target_refresh(&f->own);
    uint64_t from = vt_now_ns();
    if (f->own.kernel != NULL || from < f->kernel_next_ns) {
        return;
    }
    if (vt_target_kernel(&f->own, &err) != 0) {
        uint64_t to = vt_now_ns();
        f->kernel_next_ns = to + KERNEL_REST * (to - from);
        snprintf(f->why, sizeof f->why, "by contents alone: %.280s", err.message);
    }
}

/* With a handle for a moment: QEMU answers few at a time, and others want to ask it, too. */
static void ask_state(struct vt_follow *f)
{
    struct vt_vm *vm;
    enum vt_vm_state state;
    if (f->own.vm == NULL || vt_vm_open(f->own.name, &vm, NULL) != 0) {
        return;
    }
    if (vt_vm_query_state(vm, STATE_TIMEOUT_MS, &state, NULL) == 0 && state != VT_VM_UNKNOWN) {
        f->paused = state == VT_VM_PAUSED;
    }
    vt_vm_close(vm);
}

static void describe(const struct vt_follow *f, struct found *found)
{
    const struct vt_owner *owners;
    found->understood = vt_classes_understood(f->scan);
    found->paused = f->paused;
    found->n_processes = vt_classes_processes(f->scan, &owners);
    memcpy(found->processes, owners, found->n_processes * sizeof *owners);
    if (f->own.kernel != NULL) {
        snprintf(found->system, sizeof found->system, "Linux %.256s",
                 vt_kernel_release(f->own.kernel));
        snprintf(found->note, sizeof found->note, "%s", vt_classes_note(f->scan));
    } else {
        snprintf(found->system, sizeof found->system, "guest not understood");
        snprintf(found->note, sizeof found->note, "%s", f->why);
    }
}

static int classify(struct vt_follow *f, struct vt_error *err)
{
    uint32_t tick = f->track != NULL ? vt_track_tick(f->track) : 0;
    find_kernel(f);
    ask_state(f);
    int rc = vt_classes_scan(f->scan, f->own.kernel, err);
    if (rc == 0) {
        pthread_mutex_lock(&f->lock);
        f->ready.tick = tick;
        memcpy(f->ready.classes, vt_classes_bytes(f->scan), f->n_pages);
        memcpy(f->ready.owners, vt_classes_owners(f->scan), f->n_pages);
        describe(f, &f->ready);
        f->fresh = true;
        pthread_cond_broadcast(&f->told);
        pthread_mutex_unlock(&f->lock);
    }
    return rc;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
}

/* Waits until the next classification is due; false: it is not wanted any more. */
static bool rest(struct vt_follow *f, uint64_t began_ns)
{
    uint64_t took = vt_now_ns() - began_ns, least = (uint64_t)((double)took / WORK_SHARE);
    uint64_t every = (uint64_t)(f->classes_s * 1e9);
    struct timespec until = timespec_of(began_ns + (every > least ? every : least));
    pthread_mutex_lock(&f->lock);
    int rc = 0;
    while (!f->stop && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&f->told, &f->lock, &until);
    }
    bool more = !f->stop;
    pthread_mutex_unlock(&f->lock);
    return more;
}

static void *work(void *arg)
{
    struct vt_follow *f = arg;
    bool more = true;
    while (more) {
        struct vt_error err = {0};
        uint64_t from = vt_now_ns();
        int rc = classify(f, &err);
        pthread_mutex_lock(&f->lock);
        f->failure = err;
        pthread_cond_broadcast(&f->told);
        pthread_mutex_unlock(&f->lock);
        more = rc != VT_E_GONE && f->track != NULL && rest(f, from); /* else nothing changes */
    }
    return NULL;
}

/* ---------------------------------------------------------------- making */

static int make_found(struct found *found, uint64_t n_pages, struct vt_error *err)
{
    found->classes = calloc(n_pages, 1);
    found->owners = calloc(n_pages, 1);
    return found->classes != NULL && found->owners != NULL
               ? 0
               : vt_fail(err, VT_E_NOMEM, "page classes: out of memory");
}

/* Signals are for the threads that expect them; those of lost RAM are the reader's own. */
static int start(struct vt_follow *f, struct vt_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&f->thread, NULL, work, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    f->threaded = rc == 0;
    return rc == 0 ? 0 : vt_fail_errno(err, VT_E_NOMEM, rc, "a thread for page classes");
}

int vt_follow_create_tracked(struct vt_target *target, struct vt_track *track,
                             const struct vt_follow_options *options, struct vt_follow **follow,
                             struct vt_error *err)
{
    static const struct vt_follow_options usual;
    options = options != NULL ? options : &usual;
    struct vt_follow *f = calloc(1, sizeof *f);
    if (f == NULL) {
        vt_track_close(track);
        return vt_fail(err, VT_E_NOMEM, "RAM's changes: out of memory");
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&f->lock, NULL);
    f->target = target;
    f->ram = target->ram;
    f->n_pages = vt_ram_size(target->ram) >> VT_PAGE_SHIFT;
    f->track = track;
    f->began_ns = vt_now_ns();
    f->classes_s = options->classes_s != 0 ? options->classes_s : CLASSES_S;
    f->no_highlights = options->no_highlights;
    f->own = (struct vt_target){.name = target->name, .vm = target->vm, .ram = target->ram};
    int rc = make_found(&f->shown, f->n_pages, err);
    rc = rc != 0 ? rc : make_found(&f->ready, f->n_pages, err);
    rc = rc != 0 ? rc : vt_classes_create(f->ram, &f->scan, err);
    if (rc == 0) {
        rc = options->classes_s < 0 ? classify(f, err) : start(f, err);
    }
    if (rc != 0) {
        vt_follow_destroy(f);
        return rc;
    }
    *follow = f;
    return 0;
}

int vt_follow_create(struct vt_target *target, const struct vt_follow_options *options,
                     struct vt_follow **follow, struct vt_error *err)
{
    struct vt_track *track = NULL;
    int rc = target->vm != NULL ? vt_track_open(target->vm, &track, err) : 0;
    return rc != 0 ? rc : vt_follow_create_tracked(target, track, options, follow, err);
}

void vt_follow_destroy(struct vt_follow *follow)
{
    struct vt_follow *f = follow;
    if (f == NULL) {
        return;
    }
    if (f->threaded) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_broadcast(&f->told);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    vt_kernel_close(f->own.kernel);
    vt_classes_destroy(f->scan);
    vt_track_close(f->track);
    vt_highlights_fini(&f->highlights);
    pthread_cond_destroy(&f->told);
    pthread_mutex_destroy(&f->lock);
    free(f->shown.classes);
    free(f->shown.owners);
    free(f->ready.classes);
    free(f->ready.owners);
    free(f->pages);
    free(f);
}

/* ---------------------------------------------------------------- one look */

/* A page that is shown as a hole and has storage by now gets a class; whether it is none now. */
static bool is_known(struct vt_follow *f, uint64_t page, bool *news)
{
    uint8_t *class = &f->shown.classes[page];
    if (*class == VT_CLASS_HOLE && vt_ram_is_populated(f->ram, VT_OFF(page << VT_PAGE_SHIFT))) {
        *class = (uint8_t)vt_page_contents(vt_ram_bytes(f->ram) + (page << VT_PAGE_SHIFT));
        *news = true;
    }
    return *class != VT_CLASS_HOLE;
}

/* Counts of a process' pages are no difference that anybody sees. */
static bool differ(const struct found *a, const struct found *b, uint64_t n_pages)
{
    bool same = a->n_processes == b->n_processes && memcmp(a->classes, b->classes, n_pages) == 0 &&
                memcmp(a->owners, b->owners, n_pages) == 0;
    for (size_t i = 0; same && i < a->n_processes; i++) {
        same = a->processes[i].pid == b->processes[i].pid &&
               strcmp(a->processes[i].comm, b->processes[i].comm) == 0;
    }
    return !same;
}

/* Waits for the first classification, takes later ones when they are there. */
static int take_classes(struct vt_follow *f, bool *news, struct vt_error *err)
{
    struct found old;
    int rc = 0;
    pthread_mutex_lock(&f->lock);
    while (!f->looked && !f->fresh && f->failure.code == 0) {
        pthread_cond_wait(&f->told, &f->lock);
    }
    bool taken = f->fresh;
    if (!taken && f->failure.code != 0 && (!f->looked || f->failure.code == VT_E_GONE)) {
        rc = vt_fail(err, f->failure.code, "%s", f->failure.message);
    } else if (taken) {
        old = f->shown;
        f->shown = f->ready;
        f->ready = old;
        f->fresh = false;
        uint32_t since = f->shown.tick < f->tick ? f->shown.tick : f->tick;
        uint64_t first, end = 0;
        bool filled = false;
        while (f->track != NULL && vt_track_next(f->track, since, end, &first, &end)) {
            for (uint64_t page = first; page < end; page++) {
                is_known(f, page, &filled);
            }
        }
        /* What is not ours any more stays as it is until we let go of the lock. */
        *news = *news || !f->looked || differ(&old, &f->shown, f->n_pages);
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static int add_page(struct vt_follow *f, uint64_t page, struct vt_error *err)
{
    if (f->n == f->room) {
        size_t room = f->room > 0 ? 2 * f->room : 1024;
        uint64_t *pages = realloc(f->pages, room * sizeof *pages);
        if (pages == NULL) {
            return vt_fail(err, VT_E_NOMEM, "changed pages: out of memory");
        }
        f->pages = pages;
        f->room = room;
    }
    f->pages[f->n++] = page;
    return 0;
}

static int list_pages(struct vt_follow *f, uint32_t since, bool *news, struct vt_error *err)
{
    uint64_t first, end = 0;
    int rc = 0;
    f->n = 0;
    while (f->track != NULL && vt_track_next(f->track, since, end, &first, &end)) {
        for (uint64_t page = first; page < end && rc == 0; page++) {
            if (is_known(f, page, news)) {
                rc = add_page(f, page, err);
            }
        }
    }
    return rc;
}

/* Whether the highlights' file is another one than last time. */
static bool highlights_changed(struct vt_follow *f)
{
    char path[PATH_MAX];
    struct stat now = {0};
    int n = snprintf(path, sizeof path, "%s/" VT_HIGHLIGHTS_FILE, vt_vm_info(f->target->vm)->dir);
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &now) != 0) {
        now = (struct stat){0};
    }
    bool same = now.st_ino == f->file.st_ino && now.st_size == f->file.st_size &&
                now.st_mtim.tv_sec == f->file.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == f->file.st_mtim.tv_nsec;
    f->file = now;
    return !same;
}

/* Highlights that cannot be read are none: what is looked at is RAM. */
static bool read_highlights(struct vt_follow *f)
{
    struct vt_highlights set = {0};
    struct vt_error why;
    if (f->target->vm == NULL || f->no_highlights || !highlights_changed(f)) {
        return !f->looked;
    }
    f->highlights_note[0] = '\0';
    if (vt_highlights_load(f->target->vm, &set, &why) != 0) {
        set = (struct vt_highlights){0};
        snprintf(f->highlights_note, sizeof f->highlights_note, "highlights left out: %.280s",
                 why.message);
    }
    vt_highlights_fini(&f->highlights);
    f->highlights = set;
    return true;
}

static uint64_t count_known(const struct vt_follow *f)
{
    uint64_t n = 0;
    for (uint64_t page = 0; page < f->n_pages; page++) {
        n += f->shown.classes[page] != VT_CLASS_HOLE;
    }
    return n;
}

int vt_follow_look(struct vt_follow *follow, struct vt_volume_update *update, struct vt_error *err)
{
    struct vt_follow *f = follow;
    uint64_t from = vt_now_ns();
    uint32_t tick = f->tick;
    bool news = false, first = !f->looked;
    int rc = f->track != NULL ? vt_track_scan(f->track, &tick, err) : vt_ram_check(f->ram, err);
    uint64_t scan_ns = vt_now_ns() - from;
    rc = rc != 0 ? rc : take_classes(f, &news, err);
    from = vt_now_ns();
    rc = rc != 0 || first ? rc : list_pages(f, f->tick, &news, err);
    rc = rc != 0 ? rc : vt_ram_check(f->ram, err);
    f->gone = rc == VT_E_GONE;
    if (rc != 0) {
        return rc;
    }
    bool marked = read_highlights(f);
    f->scan_ns = scan_ns + (vt_now_ns() - from);
    f->tick = tick;
    f->looked = true;
    f->now_s = (double)(vt_now_ns() - f->began_ns) / 1e9;
    f->changed = first ? count_known(f) : f->n;
    f->classes_version += news;
    f->highlights_version += marked;
    *update = (struct vt_volume_update){
        .pages = first ? NULL : f->pages,
        .n_pages = first ? 0 : f->n,
        .all = first,
        .classes = news ? f->shown.classes : NULL,
        .owners = news ? f->shown.owners : NULL,
        .highlights = marked ? &f->highlights : NULL,
        .now_s = f->now_s,
    };
    return 0;
}

/* ---------------------------------------------------------------- what was seen */

void vt_follow_seen(const struct vt_follow *follow, struct vt_follow_seen *seen)
{
    const struct found *shown = &follow->shown;
    *seen = (struct vt_follow_seen){
        .tick = follow->tick,
        .changed_pages = follow->changed,
        .scan_ns = follow->scan_ns,
        .classes_version = follow->classes_version,
        .highlights_version = follow->highlights_version,
        .now_s = follow->now_s,
        .understood = shown->understood,
        .system = shown->system,
        .note = shown->note[0] != '\0' ? shown->note : follow->highlights_note,
        .consistency = follow->target->vm == NULL ? "a saved copy"
                       : shown->paused            ? "paused"
                                                  : "live",
    };
}

bool vt_follow_gone(const struct vt_follow *follow)
{
    return follow->gone;
}

const struct vt_track *vt_follow_track(const struct vt_follow *follow)
{
    return follow->track;
}

const uint8_t *vt_follow_classes(const struct vt_follow *follow)
{
    return follow->shown.classes;
}

const uint8_t *vt_follow_owners(const struct vt_follow *follow)
{
    return follow->shown.owners;
}

void vt_follow_totals(const struct vt_follow *follow, uint64_t totals[VT_CLASSES])
{
    memset(totals, 0, VT_CLASSES * sizeof totals[0]);
    for (uint64_t page = 0; page < follow->n_pages; page++) {
        totals[follow->shown.classes[page]]++;
    }
}

size_t vt_follow_processes(const struct vt_follow *follow, const struct vt_owner **owners)
{
    *owners = follow->shown.processes;
    return follow->shown.n_processes;
}

const struct vt_highlights *vt_follow_highlights(const struct vt_follow *follow)
{
    return &follow->highlights;
}
