/* server/stream_thread.c - the thread of a stream: it looks at a VM's RAM as often as its clients
 * want, and makes their messages.
 *
 * It looks when a client is due, and once a second anyway, so that the end of the VM is seen. A
 * client's next message is made while the one before is handed to the kernel, so all that waits for
 * a slow one is two messages; what it misses meanwhile is one number, the look it was brought up
 * to.
 */
#include "server/stream_parts.h"

#include "base/io.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define LOOK_ANYWAY_NS SECOND
#define LOOK_AGAIN_NS (SECOND / 120) /* a younger look serves the next client, too */
#define LOOK_TO_DRAW_NS (SECOND / 25)
#define RENDERER_REST_NS (10 * SECOND)     /* without a view to draw */
#define RUNS_ROOM (VT_MESSAGE_RAW_MAX / 9) /* of the smallest cells, a run for each */

double vt_stream_time(const struct vt_stream *s, uint64_t now_ns)
{
    return s->seen.now_s + (double)(now_ns - s->looked_ns) / 1e9;
}

/* ---------------------------------------------------------------- opening */

static int open_tables(struct vt_stream *s, struct vt_error *err)
{
    s->n_pages = vt_ram_size(s->target.ram) / VT_PAGE_BYTES;
    s->changed = calloc(s->n_pages, sizeof *s->changed);
    s->group_changed = calloc(s->n_pages / VT_STREAM_GROUP + 1, sizeof *s->group_changed);
    s->attributes = calloc(s->n_pages, sizeof *s->attributes);
    s->list.room = RUNS_ROOM;
    s->list.runs = malloc(s->list.room * sizeof *s->list.runs);
    if (s->changed == NULL || s->group_changed == NULL || s->attributes == NULL ||
        s->list.runs == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    return vt_deflater_create(&s->deflater, err);
}

static int open_all(struct vt_stream *s, struct vt_error *err)
{
    static const struct vt_follow_options options = {0};
    pthread_mutex_lock(&s->lock);
    memcpy(s->opened_for, s->clients->origin, sizeof s->opened_for);
    pthread_mutex_unlock(&s->lock);
    int rc = vt_target_open(s->vm, "volume", s->opened_for, &s->target, err);
    rc = rc != 0 ? rc : open_tables(s, err);
    return rc != 0 ? rc : vt_follow_create(&s->target, &options, &s->follow, err);
}

static void close_all(struct vt_stream *s)
{
    vt_renderer_destroy(s->renderer);
    vt_follow_destroy(s->follow);
    vt_target_close(&s->target, NULL);
    vt_deflater_destroy(s->deflater);
    free(s->changed);
    free(s->group_changed);
    free(s->attributes);
    free(s->list.runs);
}

/* ---------------------------------------------------------------- looking */

static uint64_t mix(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *at = bytes; /* FNV-1a */
    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static uint64_t mix_text(uint64_t sum, const char *text)
{
    return text != NULL ? mix(sum, text, strlen(text) + 1) : mix(sum, "", 1);
}

static void mark(struct vt_stream *s, uint64_t page)
{
    s->changed[page] = s->look;
    s->group_changed[page / VT_STREAM_GROUP] = s->look;
}

static void take_changes(struct vt_stream *s, const struct vt_volume_update *update)
{
    if (update->all && s->look > 1) { /* the first one is everybody's key frame */
        for (uint64_t page = 0; page < s->n_pages; page++) {
            mark(s, page);
        }
    }
    for (size_t i = 0; i < update->n_pages && !update->all; i++) {
        mark(s, update->pages[i]);
    }
    s->changed_pages += update->all ? s->n_pages : update->n_pages;
}

/* What lies beside the pages, by whether it differs from what was there. */
static void take_facts(struct vt_stream *s, const struct vt_volume_update *update)
{
    const struct vt_owner *owners;
    if (update->classes != NULL || update->owners != NULL || s->attributes_version == 0) {
        const uint8_t *classes = vt_follow_classes(s->follow), *of = vt_follow_owners(s->follow);
        for (uint64_t page = 0; page < s->n_pages; page++) {
            s->attributes[page] = (uint16_t)(classes[page] | of[page] << 8);
        }
        s->attributes_version++;
    }
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    size_t n = vt_follow_processes(s->follow, &owners);
    for (size_t i = 0; i < n; i++) {
        sum = mix(sum, &owners[i].pid, sizeof owners[i].pid);
        sum = mix_text(sum, owners[i].comm);
    }
    if (sum != s->owners_sum || s->owners_version == 0) {
        s->owners_sum = sum;
        s->owners_version++;
    }
    sum = mix_text(UINT64_C(0xcbf29ce484222325), s->seen.system);
    sum = mix_text(mix_text(sum, s->seen.note), s->seen.consistency);
    sum = mix(sum, &s->seen.understood, sizeof s->seen.understood);
    if (sum != s->system_sum || s->system_version == 0) {
        s->system_sum = sum;
        s->system_version++;
    }
    s->highlights_version = s->seen.highlights_version + 1; /* a client was told of 0: of none */
}

static int look(struct vt_stream *s, struct vt_error *err)
{
    struct vt_volume_update update = {0};
    int rc = vt_follow_look(s->follow, &update, err);
    rc = rc != 0 ? rc : vt_ram_check(s->target.ram, err);
    if (rc != 0) {
        return rc;
    }
    s->look++;
    s->looked_ns = vt_now_ns();
    vt_follow_seen(s->follow, &s->seen);
    take_changes(s, &update);
    take_facts(s, &update);
    if (s->renderer != NULL) {
        vt_renderer_tell(s->renderer, &update);
    }
    return 0;
}

/* ---------------------------------------------------------------- clients */

static void tell_loop(struct vt_stream *s)
{
    const uint64_t one = 1;
    /* Fails only when the counter is full, and then the loop is told already. */
    ssize_t n = write(s->streams->eventfd, &one, sizeof one);
    (void)n;
}

/* Frees those who left, takes what the others said. False: nobody is left, and nobody may come any
 * more. */
static bool look_around(struct vt_stream *s, struct vt_stream_client **first)
{
    struct vt_stream_client *left = NULL;
    s->frames_wanted = s->frames_news = false;
    pthread_mutex_lock(&s->lock);
    for (struct vt_stream_client **at = &s->clients; *at != NULL;) {
        struct vt_stream_client *c = *at;
        if (c->left) {
            *at = c->next;
            c->next = left;
            left = c;
        } else {
            vt_stream_client_take(c);
            s->frames_wanted |= c->view.width > 0;
            s->frames_news |= c->view_changed || c->n_picks > 0;
            at = &c->next;
        }
    }
    *first = s->clients;
    bool go_on = !s->stop && s->clients != NULL;
    s->over = !go_on;
    s->nudged = false;
    pthread_mutex_unlock(&s->lock);
    while (left != NULL) {
        struct vt_stream_client *c = left;
        left = c->next;
        atomic_fetch_add(&s->streams->stalled, c->stalled ? UINT32_MAX : 0u);
        vt_stream_client_free(c);
    }
    return go_on;
}

/* Whether it may be told something now, and what may be spent on that. */
static bool is_free(struct vt_stream *s, const struct vt_stream_client *c, uint64_t *credit)
{
    pthread_mutex_lock(&s->lock);
    bool free_ = !c->posted && !c->left;
    *credit = c->credit;
    pthread_mutex_unlock(&s->lock);
    return free_;
}

static void post(struct vt_stream *s, struct vt_stream_client *c, const struct vt_outgoing *out)
{
    if (out->binary) {
        atomic_fetch_add(&s->streams->messages, 1);
        atomic_fetch_add(&s->streams->bytes, out->n);
    }
    pthread_mutex_lock(&s->lock);
    c->out = *out; /* freed with the client if it left */
    c->posted = true;
    c->credit -= out->binary ? out->n : 0;
    pthread_mutex_unlock(&s->lock);
}

static int greet(struct vt_stream *s, struct vt_stream_client *c, struct vt_error *err)
{
    int rc = 0;
    if (strcmp(c->origin, s->opened_for) == 0) {
        s->opened_for[0] = '\0'; /* this line was written when the VM was opened */
    } else {
        rc = vt_audit(s->vm, "volume", err, "%s", c->origin);
    }
    return rc != 0 ? rc : vt_stream_client_prepare(s, c, err);
}

static void refuse(struct vt_stream *s, struct vt_stream_client *c, const struct vt_error *err)
{
    struct vt_outgoing out = {.close = 1011};
    out.bytes = (uint8_t *)vt_say_error(err->code, err->message, &out.n);
    snprintf(out.reason, sizeof out.reason, "%s", err->message);
    c->greeted = true;
    post(s, c, &out);
}

/* ---------------------------------------------------------------- the thread */

static bool wants_look(struct vt_stream *s, struct vt_stream_client *first, uint64_t now_ns)
{
    uint64_t credit, age = now_ns - s->looked_ns;
    if (s->look == 0 || age >= LOOK_ANYWAY_NS || (s->frames_wanted && age >= LOOK_TO_DRAW_NS)) {
        return true;
    }
    for (struct vt_stream_client *c = first; c != NULL && age >= LOOK_AGAIN_NS; c = c->next) {
        if (is_free(s, c, &credit) && vt_stream_client_wants_look(c, credit, now_ns)) {
            return true;
        }
    }
    return false;
}

/* One message to each who may be told something. Whether there was any. */
static bool tell(struct vt_stream *s, struct vt_stream_client *first)
{
    bool any = false;
    for (struct vt_stream_client *c = first; c != NULL; c = c->next) {
        struct vt_outgoing out;
        struct vt_error err;
        uint64_t credit;
        if (!is_free(s, c, &credit) || (c->greeted && !c->ready)) {
            continue;
        }
        if (!c->ready && greet(s, c, &err) != 0) {
            refuse(s, c, &err);
            any = true;
        } else if (vt_stream_client_next(s, c, credit, vt_now_ns(), &out)) {
            post(s, c, &out);
            any = true;
        }
    }
    return any;
}

static void await(struct vt_stream *s, struct vt_stream_client *first)
{
    uint64_t credit, now = vt_now_ns();
    uint64_t until = s->looked_ns + (s->frames_wanted ? LOOK_TO_DRAW_NS : LOOK_ANYWAY_NS);
    for (struct vt_stream_client *c = first; c != NULL; c = c->next) {
        if (is_free(s, c, &credit)) {
            uint64_t due = vt_stream_client_due(c);
            until = due < until ? due : until;
        }
    }
    until = until > now ? until : now + LOOK_AGAIN_NS; /* a look that was young enough */
    const struct timespec t = {.tv_sec = (time_t)(until / SECOND),
                               .tv_nsec = (long)(until % SECOND)};
    pthread_mutex_lock(&s->lock);
    while (!s->nudged && !s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &t) == 0) {
    }
    pthread_mutex_unlock(&s->lock);
}

/* The renderer lives for as long as somebody has a view, and a little longer: who reloads a page
 * has one again soon. */
static int mind_renderer(struct vt_stream *s, uint64_t now_ns, struct vt_error *err)
{
    int rc = 0;
    if (s->frames_wanted) {
        s->frames_ns = now_ns;
    }
    if (s->frames_wanted && s->renderer == NULL) {
        rc = vt_renderer_create(s, &s->renderer, err);
        if (rc == 0) {
            const struct vt_volume_update all = {.all = true,
                                                 .classes = vt_follow_classes(s->follow),
                                                 .owners = vt_follow_owners(s->follow),
                                                 .highlights = vt_follow_highlights(s->follow),
                                                 .now_s = s->seen.now_s};
            vt_renderer_tell(s->renderer, &all);
        }
    } else if (s->renderer != NULL && now_ns - s->frames_ns > RENDERER_REST_NS) {
        vt_renderer_destroy(s->renderer);
        s->renderer = NULL;
    } else if (s->frames_news) {
        vt_renderer_nudge(s->renderer);
    }
    return rc;
}

static int serve(struct vt_stream *s, struct vt_error *err)
{
    struct vt_stream_client *first;
    while (look_around(s, &first)) {
        int rc = wants_look(s, first, vt_now_ns()) ? look(s, err) : 0;
        rc = rc != 0 ? rc : mind_renderer(s, vt_now_ns(), err);
        if (rc != 0) {
            return rc;
        }
        if (tell(s, first)) {
            tell_loop(s);
        } else {
            await(s, first);
        }
    }
    return 0;
}

/* The last words to everybody: that the VM is gone, or what went wrong. What waits to be taken is
 * not worth anything any more. */
static void say_end(struct vt_stream *s, int rc, const struct vt_error *err)
{
    pthread_mutex_lock(&s->lock);
    s->over = true;
    for (struct vt_stream_client *c = s->clients; rc != 0 && c != NULL; c = c->next) {
        free(c->out.bytes);
        c->out = (struct vt_outgoing){.close = rc == VT_E_GONE ? 1000 : 1011};
        c->out.bytes =
            (uint8_t *)(rc == VT_E_GONE ? vt_say_ended(&c->out.n)
                                        : vt_say_error(err->code, err->message, &c->out.n));
        snprintf(c->out.reason, sizeof c->out.reason, "%s", err->message);
        c->posted = true;
        atomic_fetch_add(&s->streams->stalled, c->stalled ? UINT32_MAX : 0u);
        c->stalled = false;
    }
    s->done = true;
    pthread_mutex_unlock(&s->lock);
    tell_loop(s);
}

void *vt_stream_run(void *arg)
{
    struct vt_stream *s = arg;
    struct vt_error err = {.message = ""};
    int rc = open_all(s, &err);
    rc = rc != 0 ? rc : serve(s, &err);
    close_all(s);
    /* A device and pictures were tens of megabytes, some of them in arenas that nobody may use
     * again for hours. */
    malloc_trim(0);
    say_end(s, rc, &err);
    return NULL;
}
