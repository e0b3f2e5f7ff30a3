/* gpu/card_context.c - a virtio-gpu's 3-D contexts: one thread each, on which all that belongs to
 * the context is done in the order in which the guest asked for it. What one waits for holds up no
 * other, nor the device.
 *
 * The lock of a context guards its list of work and its fences; a pending request is in one of
 * both, or on its way back to the loop (vt_card_ready), never in two.
 */
#include "gpu/card_parts.h"

#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS UINT64_C(2000000000)
#define TIMER_NS UINT64_C(250000000)

static struct vt_card_context **place_of(struct vt_card *card, uint32_t id)
{
    struct vt_card_context **at = &card->context_list;
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

struct vt_card_context *vt_card_context(struct vt_card *card, uint32_t id)
{
    return *place_of(card, id);
}

/* Makes what it waits for return, unless its thread is about to destroy it. */
static void end(struct vt_card_context *c)
{
    pthread_mutex_lock(&c->alive);
    if (!c->destroyed) {
        c->card->contexts.end(c->context);
    }
    pthread_mutex_unlock(&c->alive);
}

/* ---------------------------------------------------------------- what the context tells */

static void on_fence(void *arg, uint32_t timeline, uint64_t id)
{
    struct vt_card_context *c = arg;
    (void)timeline;
    pthread_mutex_lock(&c->lock);
    struct vt_card_pending **at = &c->fences, *found;
    while (*at != NULL && (*at)->fence != id) {
        at = &(*at)->next;
    }
    found = *at;
    if (found != NULL) {
        *at = found->next;
    }
    pthread_mutex_unlock(&c->lock);
    if (found != NULL) {
        vt_card_ready(found, VT_VGPU_RESP_OK_NODATA);
    }
}

static void fail_fences(struct vt_card_context *c)
{
    pthread_mutex_lock(&c->lock);
    struct vt_card_pending *next, *all = c->fences;
    c->fences = NULL;
    c->ended = true;
    pthread_mutex_unlock(&c->lock);
    for (; all != NULL; all = next) {
        next = all->next;
        vt_card_ready(all, VT_VGPU_RESP_ERR_UNSPEC);
    }
}

static void on_ended(void *arg, const char *reason, const char *commands)
{
    struct vt_card_context *c = arg;
    char shown[256];
    pthread_mutex_lock(&c->lock);
    const bool leaving = c->leaving;
    pthread_mutex_unlock(&c->lock);
    vt_text_printable(shown, sizeof shown, reason, strlen(reason));
    if (!leaving) {
        vt_card_say(c->card, "context %u (%s) ended: %s", c->id, c->name, shown);
    }
    for (const char *line = leaving ? NULL : commands; line != NULL && *line != '\0';) {
        size_t n = strcspn(line, "\n");
        vt_text_printable(shown, sizeof shown, line, n);
        vt_card_say(c->card, "context %u:   %s", c->id, shown);
        line += n + (line[n] == '\n');
    }
    fail_fences(c);
}

/* ---------------------------------------------------------------- its thread */

static uint32_t answer_of(int rc)
{
    switch (rc) {
    case 0:
        return VT_VGPU_RESP_OK_NODATA;
    case VT_E_NOMEM:
    case VT_E_LIMIT:
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    case VT_E_INVAL:
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    default:
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
}

static void attach(struct vt_card_context *c, struct vt_card_pending *p)
{
    struct vt_error err;
    int rc = c->card->contexts.attach(c->context, &p->memory, &err);
    if (rc != 0) {
        vt_card_say(c->card, "context %u (%s), resource %u: %s", c->id, c->name, p->memory.id,
                    err.message);
    }
    vt_close(&p->memory.fd);
    vt_card_ready(p, answer_of(rc));
}

/* The fence is put into the list before it is asked for: it may be signalled at once. */
static void submit(struct vt_card_context *c, struct vt_card_pending *p)
{
    const bool fenced = (p->header.flags & VT_VGPU_FLAG_FENCE) != 0;
    const uint32_t timeline =
        (p->header.flags & VT_VGPU_FLAG_INFO_RING_IDX) != 0 ? p->header.ring_idx : 0;
    int rc = p->bytes > 0 ? c->card->contexts.submit(c->context, p->stream, p->bytes, NULL) : 0;
    if (rc != 0 || !fenced) {
        vt_card_ready(p, answer_of(rc));
        return;
    }
    const uint64_t id = c->next_fence++;
    pthread_mutex_lock(&c->lock);
    const bool ended = c->ended;
    p->fence = id;
    if (!ended) {
        p->next = c->fences;
        c->fences = p;
    }
    pthread_mutex_unlock(&c->lock);
    if (ended) {
        vt_card_ready(p, VT_VGPU_RESP_ERR_UNSPEC);
        return;
    }
    if (c->card->contexts.fence(c->context, timeline, id, NULL) != 0) {
        /* Refused, or the context has ended meanwhile and its fences have been answered. */
        pthread_mutex_lock(&c->lock);
        struct vt_card_pending **at = &c->fences;
        while (*at != NULL && *at != p) {
            at = &(*at)->next;
        }
        const bool still = *at == p;
        if (still) {
            *at = p->next;
        }
        pthread_mutex_unlock(&c->lock);
        if (still) {
            vt_card_ready(p, VT_VGPU_RESP_ERR_INVALID_PARAMETER);
        }
    }
}

static void work(struct vt_card_context *c, struct vt_card_pending *p)
{
    switch (p->work) {
    case VT_CARD_ATTACH:
        attach(c, p);
        break;
    case VT_CARD_DETACH:
        vt_card_ready(p, answer_of(c->card->contexts.detach(c->context, p->memory.id, NULL)));
        break;
    case VT_CARD_SUBMIT:
        submit(c, p);
        break;
    case VT_CARD_END:
        break;
    }
}

/* Ends after VT_CARD_END, the last thing it is given. */
static void *run(void *arg)
{
    struct vt_card_context *c = arg;
    for (bool on = true; on;) {
        pthread_mutex_lock(&c->lock);
        while (c->first == NULL) {
            pthread_cond_wait(&c->wake, &c->lock);
        }
        struct vt_card_pending *p = c->first;
        c->first = p->next;
        if (c->first == NULL) {
            c->last = &c->first;
        }
        pthread_mutex_unlock(&c->lock);
        on = p->work != VT_CARD_END;
        if (on) {
            work(c, p);
            continue;
        }
        pthread_mutex_lock(&c->alive);
        c->destroyed = true;
        pthread_mutex_unlock(&c->alive);
        c->card->contexts.destroy(c->context);
        fail_fences(c);
        pthread_mutex_lock(&c->lock);
        c->gone = true;
        pthread_mutex_unlock(&c->lock);
        vt_card_ready(p, VT_VGPU_RESP_OK_NODATA);
    }
    return NULL;
}

static void give(struct vt_card_context *c, struct vt_card_pending *p)
{
    p->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->last = p;
    c->last = &p->next;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* Work that nobody asked for by name. NULL: no memory. */
static struct vt_card_pending *own_work(struct vt_card *card)
{
    struct vt_card_pending *p = calloc(1, sizeof *p);
    if (p != NULL) {
        p->card = card;
    }
    return p;
}

/* ---------------------------------------------------------------- coming and going */

static void free_context(struct vt_card_context *c)
{
    if (c->context != NULL) {
        pthread_join(c->thread, NULL);
    }
    free(c->last_work);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->alive);
    pthread_cond_destroy(&c->wake);
    c->card->statistics.contexts--;
    free(c);
}

/* Those whose threads have nothing left to do. */
static void reap(struct vt_card *card)
{
    for (struct vt_card_context **at = &card->context_gone, *c; (c = *at) != NULL;) {
        pthread_mutex_lock(&c->lock);
        const bool gone = c->gone;
        pthread_mutex_unlock(&c->lock);
        if (gone) {
            *at = c->next;
            free_context(c);
        } else {
            at = &c->next;
        }
    }
}

static uint32_t start(struct vt_card_context *c)
{
    struct vt_card *card = c->card;
    struct vt_error err;
    c->last_work = own_work(card);
    if (c->last_work == NULL) {
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    const struct vt_venus_events events = {.fence = on_fence, .ended = on_ended, .arg = c};
    int rc = card->contexts.create(card->contexts.arg, c->id, c->name, &events, &c->context, &err);
    if (rc != 0) {
        vt_card_say(card, "context %u (%s): %s", c->id, c->name, err.message);
        return answer_of(rc);
    }
    if (pthread_create(&c->thread, NULL, run, c) != 0) {
        card->contexts.destroy(c->context);
        c->context = NULL;
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    return VT_VGPU_RESP_OK_NODATA;
}

uint32_t vt_card_ctx_create(struct vt_card *card, const struct vt_vgpu_ctx_create *r)
{
    const uint32_t id = r->header.ctx_id, capset = r->context_init & 0xff;
    reap(card);
    struct vt_card_context **at = place_of(card, id);
    if (id == 0 || *at != NULL || (capset != 0 && capset != VT_VGPU_CAPSET_VENUS)) {
        return id == 0 || *at != NULL ? VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID
                                      : VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    struct vt_card_context *c =
        card->statistics.contexts < VT_CARD_CONTEXTS_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    c->card = card;
    c->id = id;
    c->capset = capset;
    c->begun_ns = vt_now_ns();
    c->last = &c->first;
    c->next_fence = 1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->alive, NULL);
    pthread_cond_init(&c->wake, NULL);
    card->statistics.contexts++;
    vt_text_printable(c->name, sizeof c->name, r->debug_name,
                      strnlen(r->debug_name, sizeof r->debug_name - 1));
    /* Linux makes one without a capability set for who only has buffers to show. */
    uint32_t type = capset != 0 ? start(c) : VT_VGPU_RESP_OK_NODATA;
    if (type != VT_VGPU_RESP_OK_NODATA) {
        free_context(c);
        return type;
    }
    *at = c;
    vt_card_say(card, "context %u (%s) begins", c->id, c->name);
    return type;
}

/* What a guest handed over before it destroyed a context is still carried out, unless it takes too
 * long: a stream may wait for what never comes. */
static void on_context_timer(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_card *card = arg;
    const uint64_t now = vt_now_ns();
    (void)source;
    (void)events;
    reap(card);
    for (struct vt_card_context *c = card->context_gone; c != NULL; c = c->next) {
        if (now >= c->patience_ns) {
            end(c);
        }
    }
    if (card->context_gone == NULL) {
        vt_source_remove(card->context_timer);
        card->context_timer = NULL;
    }
}

/* Its thread ends after `last` (NULL: after work of our own); it is out of the list of those that a
 * guest can name. */
static void leave(struct vt_card *card, struct vt_card_context **at, struct vt_card_pending *last)
{
    struct vt_card_context *c = *at;
    if (last == NULL) {
        last = c->last_work;
        c->last_work = NULL;
    }
    *at = c->next;
    vt_card_say(card, "context %u (%s) is destroyed", c->id, c->name);
    if (c->context == NULL) {
        free_context(c);
        return;
    }
    c->next = card->context_gone;
    card->context_gone = c;
    last->work = VT_CARD_END;
    c->patience_ns = vt_now_ns() + PATIENCE_NS;
    pthread_mutex_lock(&c->lock);
    c->leaving = true;
    pthread_mutex_unlock(&c->lock);
    if (card->context_timer == NULL &&
        vt_loop_add_timer(card->loop, TIMER_NS, TIMER_NS, on_context_timer, card,
                          &card->context_timer, NULL) != 0) {
        end(c); /* nobody else would */
    }
    give(c, last);
}

static void forget_context(struct vt_card *card, uint32_t id)
{
    for (unsigned i = 0; i < VT_CARD_BUCKETS; i++) {
        for (struct vt_card_resource *r = card->resources[i]; r != NULL; r = r->next) {
            for (uint32_t k = 0; k < r->n_contexts; k++) {
                if (r->contexts[k] == id) {
                    r->contexts[k] = r->contexts[--r->n_contexts];
                    break;
                }
            }
        }
    }
}

uint32_t vt_card_ctx_destroy(struct vt_card *card, struct vt_card_pending *pending)
{
    struct vt_card_context **at = place_of(card, pending->header.ctx_id);
    if (*at == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    const bool has_thread = (*at)->context != NULL;
    forget_context(card, pending->header.ctx_id);
    leave(card, at, pending);
    return has_thread ? 0 : VT_VGPU_RESP_OK_NODATA;
}

void vt_card_drop_contexts(struct vt_card *card)
{
    while (card->context_list != NULL) {
        leave(card, &card->context_list, NULL);
    }
    for (struct vt_card_context *c = card->context_gone; c != NULL; c = c->next) {
        end(c);
    }
    vt_source_remove(card->context_timer);
    card->context_timer = NULL;
    for (struct vt_card_context *c; (c = card->context_gone) != NULL;) {
        card->context_gone = c->next;
        free_context(c);
    }
}

/* ---------------------------------------------------------------- resources */

static bool remember(struct vt_card_resource *r, uint32_t context)
{
    if (r->n_contexts == r->room_contexts) {
        uint32_t room = r->room_contexts == 0 ? 2 : r->room_contexts * 2;
        uint32_t *more = realloc(r->contexts, room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        r->contexts = more;
        r->room_contexts = room;
    }
    r->contexts[r->n_contexts++] = context;
    return true;
}

static uint32_t index_of(const struct vt_card_resource *r, uint32_t context)
{
    uint32_t i = 0;
    while (i < r->n_contexts && r->contexts[i] != context) {
        i++;
    }
    return i;
}

/* `p` goes to the context's thread with a descriptor of its own. */
static bool give_memory(struct vt_card_context *c, const struct vt_venus_memory *memory,
                        struct vt_card_pending *p)
{
    p->memory = *memory;
    p->memory.fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 3);
    if (p->memory.fd < 0) {
        return false;
    }
    p->work = VT_CARD_ATTACH;
    give(c, p);
    return true;
}

uint32_t vt_card_ctx_attach(struct vt_card *card, uint32_t resource,
                            struct vt_card_pending *pending)
{
    struct vt_card_context *c = vt_card_context(card, pending->header.ctx_id);
    struct vt_card_resource *r = vt_card_resource(card, resource);
    struct vt_venus_memory memory;
    if (c == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (index_of(r, c->id) < r->n_contexts) {
        return VT_VGPU_RESP_OK_NODATA; /* Linux attaches again what is opened again */
    }
    if (!remember(r, c->id)) {
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    if (c->context == NULL || !vt_card_memory(card, r, &memory)) {
        return VT_VGPU_RESP_OK_NODATA; /* nothing (yet) that it could see */
    }
    return give_memory(c, &memory, pending) ? 0 : VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
}

uint32_t vt_card_ctx_detach(struct vt_card *card, uint32_t resource,
                            struct vt_card_pending *pending)
{
    struct vt_card_context *c = vt_card_context(card, pending->header.ctx_id);
    struct vt_card_resource *r = vt_card_resource(card, resource);
    if (pending->header.ctx_id == 0) {
        return VT_VGPU_RESP_OK_NODATA; /* what Linux says of a file that never had a context */
    }
    if (c == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    uint32_t at = r != NULL ? index_of(r, c->id) : 0;
    if (r == NULL || at == r->n_contexts) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    r->contexts[at] = r->contexts[--r->n_contexts];
    struct vt_venus_memory memory;
    if (c->context == NULL || !vt_card_memory(card, r, &memory)) {
        return VT_VGPU_RESP_OK_NODATA;
    }
    pending->work = VT_CARD_DETACH;
    pending->memory.id = resource;
    give(c, pending);
    return 0;
}

void vt_card_attach_waiting(struct vt_card *card, struct vt_card_resource *r)
{
    struct vt_venus_memory memory;
    for (uint32_t i = 0; i < r->n_contexts && vt_card_memory(card, r, &memory); i++) {
        struct vt_card_context *c = vt_card_context(card, r->contexts[i]);
        struct vt_card_pending *p = c != NULL && c->context != NULL ? own_work(card) : NULL;
        if (p != NULL && !give_memory(c, &memory, p)) {
            free(p);
        }
    }
}

void vt_card_detach_all(struct vt_card *card, struct vt_card_resource *r)
{
    for (uint32_t i = 0; i < r->n_contexts; i++) {
        struct vt_card_context *c = vt_card_context(card, r->contexts[i]);
        struct vt_card_pending *p = c != NULL && c->context != NULL ? own_work(card) : NULL;
        if (p != NULL) {
            p->work = VT_CARD_DETACH;
            p->memory.id = r->id;
            give(c, p);
        }
    }
}

/* ---------------------------------------------------------------- commands */

uint32_t vt_card_submit(struct vt_card *card, struct vt_card_pending *pending)
{
    struct vt_card_context *c = vt_card_context(card, pending->header.ctx_id);
    if (c == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    const bool on_ring = (pending->header.flags & VT_VGPU_FLAG_INFO_RING_IDX) != 0;
    if (c->context == NULL || pending->bytes % 4 != 0 ||
        (on_ring && pending->header.ring_idx >= VT_VENUS_TIMELINES)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    pending->work = VT_CARD_SUBMIT;
    give(c, pending);
    return 0;
}
