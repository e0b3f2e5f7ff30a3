/* server/stream_client.c - what one client of a stream is told next (stream_parts.h).
 *
 * Texts come first: they are small and say what the rest means. Then attributes, since a page that
 * is no hole has cells; then pictures; then cells, in turns of what changed and what is owed.
 */
#include "server/stream_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define UNTOLD UINT16_MAX /* class 255 is none */

/* ---------------------------------------------------------------- life */

int vt_stream_client_prepare(struct vt_stream *s, struct vt_stream_client *c, struct vt_error *err)
{
    c->told = malloc(s->n_pages * sizeof *c->told);
    int rc = c->told != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "out of memory");
    rc = rc != 0 ? rc : vt_lane_init(&c->lanes[0], s->n_pages, false, err);
    rc = rc != 0 ? rc : vt_lane_init(&c->lanes[1], s->n_pages, true, err);
    if (rc == 0) {
        memset(c->told, 0xff, s->n_pages * sizeof *c->told);
        c->lanes[0].on = true;
        c->ready = true;
    }
    return rc;
}

void vt_stream_client_free(struct vt_stream_client *c)
{
    for (unsigned i = 0; i < c->n_said; i++) {
        free(c->said[i]);
    }
    free(c->frame.bytes);
    free(c->out.bytes);
    free(c->wants.fine);
    free(c->now.fine);
    free(c->told);
    vt_lane_fini(&c->lanes[0]);
    vt_lane_fini(&c->lanes[1]);
    free(c);
}

void vt_stream_client_take(struct vt_stream_client *c)
{
    struct vt_stream_wants *w = &c->wants;
    bool key = c->now.key || w->key, fine_changed = c->now.fine_changed || w->fine_changed;
    struct vt_stream_run *fine = c->now.fine;
    size_t n_fine = c->now.n_fine;
    if (w->fine_changed) {
        free(fine);
        fine = w->fine;
        n_fine = w->n_fine;
        w->fine = NULL;
        w->n_fine = 0;
    }
    w->key = w->fine_changed = false;
    c->now = *w;
    c->now.fine = fine;
    c->now.n_fine = n_fine;
    c->now.key = key;
    c->now.fine_changed = fine_changed;
}

/* Does what it last wanted differently. */
static void apply(struct vt_stream *s, struct vt_stream_client *c)
{
    struct vt_lane *all = &c->lanes[0], *fine = &c->lanes[1];
    struct vt_stream_wants *w = &c->now;
    if (w->key) {
        all->level = w->level;
        vt_lane_begin(all, s, c->told);
        vt_lane_begin(fine, s, c->told);
        c->complete_due = true;
    }
    if (w->fine_changed) {
        vt_lane_narrow(fine, s, c->told, w->fine_level, w->fine, w->n_fine);
        free(w->fine);
        w->fine = NULL;
        w->n_fine = 0;
    }
    w->key = w->fine_changed = false;
}

/* ---------------------------------------------------------------- when */

/* Finer cells of the level that all are sent at, or a coarser one, say nothing new. */
static bool is_on(const struct vt_stream_client *c, const struct vt_lane *lane)
{
    return lane->on && (lane == &c->lanes[0] || lane->level < c->lanes[0].level);
}

/* The least that a message of cells takes. */
static size_t least(const struct vt_lane *lane)
{
    return VT_MESSAGE_HEADER + 16 + vt_cells_bytes(lane->level);
}

bool vt_stream_client_wants_look(const struct vt_stream_client *c, uint64_t credit, uint64_t now_ns)
{
    return c->ready && c->now.started && c->now.hz > 0 && now_ns >= c->due_ns &&
           !c->lanes[0].sweeping && !c->lanes[1].sweeping && credit >= least(&c->lanes[0]);
}

uint64_t vt_stream_client_due(const struct vt_stream_client *c)
{
    bool paced = c->now.hz > 0 && !c->stalled;
    uint64_t due = paced && c->due_ns < c->stats_ns ? c->due_ns : c->stats_ns;
    return c->ready && c->now.started ? due : UINT64_MAX;
}

static void pace(struct vt_stream_client *c, uint64_t now_ns)
{
    uint64_t period = (uint64_t)((double)SECOND / c->now.hz);
    c->due_ns += period;
    if (c->due_ns < now_ns) { /* it did not keep up: from here on again */
        c->due_ns = now_ns + period / 2;
    } else if (c->due_ns > now_ns + period) {
        c->due_ns = now_ns + period;
    }
}

/* ---------------------------------------------------------------- texts */

static bool say(struct vt_outgoing *out, char *text, size_t bytes)
{
    if (text == NULL) {
        *out = (struct vt_outgoing){.close = 1011, .reason = "out of memory"};
    } else {
        *out = (struct vt_outgoing){.bytes = (uint8_t *)text, .n = bytes};
    }
    return true;
}

static char *take_said(struct vt_stream *s, struct vt_stream_client *c)
{
    char *text = NULL;
    pthread_mutex_lock(&s->lock);
    if (c->n_said > 0) {
        text = c->said[0];
        c->n_said--;
        memmove(c->said, c->said + 1, c->n_said * sizeof *c->said);
    }
    pthread_mutex_unlock(&s->lock);
    return text;
}

static bool next_text(struct vt_stream *s, struct vt_stream_client *c, uint64_t now_ns,
                      struct vt_outgoing *out)
{
    char *text;
    size_t n = 0;
    if (c->system_told != s->system_version) {
        c->system_told = s->system_version;
        text = vt_say_system(s, &n);
    } else if (c->owners_told != s->owners_version) {
        c->owners_told = s->owners_version;
        text = vt_say_owners(s, &n);
    } else if (c->highlights_told != s->highlights_version) {
        c->highlights_told = s->highlights_version;
        text = vt_say_highlights(s, &n);
    } else if ((text = take_said(s, c)) != NULL) {
        n = strlen(text);
    } else if (c->complete_due && !c->attributing && c->attributes_told == s->attributes_version &&
               c->lanes[0].n_owed == 0) {
        c->complete_due = false;
        text = vt_say_complete(&n);
    } else if (now_ns >= c->stats_ns) {
        text = vt_say_stats(s, c, &n);
        c->stats_ns = now_ns + SECOND;
        c->updates = c->bytes = 0;
        c->changed_before = s->changed_pages;
    } else {
        return false;
    }
    return say(out, text, n);
}

/* ---------------------------------------------------------------- attributes */

/* What differs from what it was told goes into the list, as much as there is room for. */
static void gather_attributes(struct vt_stream *s, struct vt_stream_client *c, size_t raw)
{
    uint64_t page = c->attributes_at;
    for (; page < s->n_pages; page++) {
        uint16_t before = c->told[page], now = s->attributes[page];
        if (before == now) {
            continue;
        }
        if (vt_message_attributes_bytes(&s->list) + 10 > raw || !vt_run_list_add(&s->list, page)) {
            break;
        }
        bool was = before != UNTOLD && (before & 255) != VT_CLASS_HOLE;
        bool is = (now & 255) != VT_CLASS_HOLE;
        c->told[page] = now;
        for (unsigned i = 0; i < 2 && was != is; i++) {
            vt_lane_owe(&c->lanes[i], page, is && c->lanes[i].on);
        }
    }
    c->attributes_at = page;
    c->attributing = page < s->n_pages;
}

/* ---------------------------------------------------------------- binary */

static bool sent(struct vt_stream_client *c, int rc, const struct vt_message *m,
                 const struct vt_error *err, struct vt_outgoing *out)
{
    if (rc != 0) {
        *out = (struct vt_outgoing){.close = 1011};
        snprintf(out->reason, sizeof out->reason, "%s", err->message);
        return true;
    }
    c->bytes += m->n;
    *out = (struct vt_outgoing){.binary = true, .bytes = m->bytes, .n = m->n};
    return true;
}

/* How much of a payload fits, with nothing deflated; 0: not even `min` of a message. */
static size_t room(struct vt_stream_client *c, uint64_t credit, size_t min)
{
    if (credit < min) {
        c->stalled = true;
        return 0;
    }
    size_t payload = (size_t)credit - VT_MESSAGE_HEADER;
    return payload < VT_MESSAGE_RAW_MAX ? payload : VT_MESSAGE_RAW_MAX;
}

static bool next_attributes(struct vt_stream *s, struct vt_stream_client *c, uint64_t credit,
                            uint64_t now_ns, struct vt_outgoing *out)
{
    struct vt_message m;
    struct vt_error err;
    if (!c->attributing && c->attributes_told != s->attributes_version) {
        c->attributing = true;
        c->attributes_at = 0;
        c->attributes_told = s->attributes_version;
    }
    size_t raw = c->attributing ? room(c, credit, VT_MESSAGE_HEADER + 18) : 0;
    if (raw == 0) {
        return false;
    }
    s->list.n = s->list.pages = 0;
    gather_attributes(s, c, raw);
    if (s->list.n == 0) {
        return false;
    }
    int rc = vt_message_attributes(s->deflater, &s->list, s->attributes, 0,
                                   vt_stream_time(s, now_ns), &m, &err);
    return sent(c, rc, &m, &err, out);
}

static bool next_cells(struct vt_stream *s, struct vt_stream_client *c, struct vt_lane *lane,
                       bool owed, uint64_t credit, uint64_t now_ns, struct vt_outgoing *out)
{
    struct vt_message m;
    struct vt_error err;
    if (!is_on(c, lane)) {
        lane->sweeping = false;
        return false;
    }
    if (owed ? lane->n_owed == 0 : !lane->sweeping) {
        return false;
    }
    size_t raw = room(c, credit, least(lane));
    if (raw == 0) {
        return false;
    }
    double time_s = owed ? vt_stream_time(s, now_ns) : lane->time_s;
    s->list.n = s->list.pages = 0;
    if (owed) {
        vt_lane_gather_owed(lane, s, raw);
    } else {
        vt_lane_gather_changed(lane, s, raw);
        if (!lane->sweeping && lane == &c->lanes[0]) {
            c->updates++;
            atomic_fetch_add(&s->streams->updates, 1);
        }
    }
    if (s->list.n == 0) {
        return false;
    }
    int rc = vt_message_pages(s->deflater, &s->list, lane->level, vt_ram_bytes(s->target.ram),
                              owed ? VT_MESSAGE_KEY : 0, time_s, &m, &err);
    return sent(c, rc, &m, &err, out);
}

static bool next_frame(struct vt_stream *s, struct vt_stream_client *c, uint64_t credit,
                       struct vt_outgoing *out)
{
    struct vt_message m = {0};
    pthread_mutex_lock(&s->lock);
    if (c->frame.bytes != NULL && c->frame.n <= credit) {
        m = c->frame;
        c->frame = (struct vt_message){0};
    }
    c->stalled |= c->frame.bytes != NULL;
    pthread_mutex_unlock(&s->lock);
    if (m.bytes == NULL) {
        return false;
    }
    vt_renderer_nudge(s->renderer); /* there is room for the next one */
    atomic_fetch_add(&s->streams->frames, 1);
    return sent(c, 0, &m, NULL, out);
}

static bool next_pages(struct vt_stream *s, struct vt_stream_client *c, uint64_t credit,
                       uint64_t now_ns, struct vt_outgoing *out)
{
    if (vt_stream_client_wants_look(c, credit, now_ns) && s->look > c->lanes[0].seen) {
        vt_lane_sweep(&c->lanes[0], s);
        vt_lane_sweep(&c->lanes[1], s);
        pace(c, now_ns);
    }
    for (unsigned turn = 0; turn < 2; turn++) {
        bool owed = c->key_turn == (turn == 0);
        for (unsigned i = 0; i < 2; i++) {
            if (next_cells(s, c, &c->lanes[i], owed, credit, now_ns, out)) {
                c->key_turn = !owed;
                return true;
            }
        }
    }
    return false;
}

bool vt_stream_client_next(struct vt_stream *s, struct vt_stream_client *c, uint64_t credit,
                           uint64_t now_ns, struct vt_outgoing *out)
{
    if (!c->greeted) {
        size_t n;
        c->greeted = true;
        char *hello = vt_say_hello(s, &n);
        return say(out, hello, n);
    }
    if (!c->now.started) {
        return false;
    }
    bool was_stalled = c->stalled;
    if (c->stats_ns == 0) {
        c->stats_ns = now_ns + SECOND;
        c->due_ns = now_ns;
        c->changed_before = s->changed_pages;
    }
    apply(s, c);
    c->stalled = c->now.hz > 0 && credit < least(&c->lanes[0]);
    bool any = next_text(s, c, now_ns, out) || next_attributes(s, c, credit, now_ns, out) ||
               next_frame(s, c, credit, out) ||
               (!c->attributing && next_pages(s, c, credit, now_ns, out));
    if (c->stalled && !was_stalled) {
        atomic_fetch_add(&s->streams->stalls, 1);
    }
    if (c->stalled != was_stalled) {
        atomic_fetch_add(&s->streams->stalled, c->stalled ? 1u : UINT32_MAX);
    }
    return any;
}
