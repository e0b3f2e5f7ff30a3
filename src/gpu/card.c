/* gpu/card.c - see card.h. Requests are checked and given to what carries them out; answers are
 * made, kept in order where fences need it, and handed to the transport.
 *
 * A fence without a ring is of one timeline that all commands share, and Linux takes a later one
 * for all earlier ones: such answers are kept until those before are out. A fence with a ring
 * belongs to that ring of its context, and is answered when it is signalled.
 */
#include "gpu/card_parts.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "gpu/venus_counts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINES_MAX 65536u

/* ---------------------------------------------------------------- from other threads */

static void wake(struct vt_card *card)
{
    const uint64_t one = 1;
    /* Only a counter that overflows is refused, and then the loop is awake. */
    if (write(card->event, &one, sizeof one) != (ssize_t)sizeof one) {
        return;
    }
}

void vt_card_ready(struct vt_card_pending *pending, uint32_t type)
{
    struct vt_card *card = pending->card;
    pending->type = type;
    pending->next = NULL;
    pthread_mutex_lock(&card->lock);
    *card->ready_last = pending;
    card->ready_last = &pending->next;
    pthread_mutex_unlock(&card->lock);
    wake(card);
}

void vt_card_say(struct vt_card *card, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return;
    }
    pthread_mutex_lock(&card->lock);
    size_t had = card->lines != NULL ? strlen(card->lines) : 0, more = strlen(line);
    char *all = had + more < LINES_MAX ? realloc(card->lines, had + more + 2) : NULL;
    if (all != NULL) {
        memcpy(all + had, line, more);
        memcpy(all + had + more, "\n", 2);
        card->lines = all;
    }
    pthread_mutex_unlock(&card->lock);
    wake(card);
}

/* ---------------------------------------------------------------- answers */

static void free_pending(struct vt_card_pending *p)
{
    p->card->waiting_bytes -= p->bytes;
    free(p);
}

static void send_answer(struct vt_card_pending *p, const void *answer, size_t bytes)
{
    struct vt_card *card = p->card;
    if (p->token != NULL) {
        card->events.answer(card->events.arg, p->token, answer, bytes);
    }
    free_pending(p);
}

/* Those at the front whose answers are known. */
static void release_global(struct vt_card *card)
{
    while (card->global_first != NULL && card->global_first->done) {
        struct vt_card_pending *p = card->global_first;
        card->global_first = p->later;
        if (p->later == NULL) {
            card->global_last = &card->global_first;
        }
        send_answer(p, p->held, p->held_bytes);
    }
}

/* `answer` begins with a header whose type is set. */
static void finish(struct vt_card_pending *p, void *answer, size_t bytes)
{
    struct vt_card *card = p->card;
    struct vt_vgpu_header *h = answer, error;
    if (bytes > p->room && p->token != NULL) {
        error = (struct vt_vgpu_header){
            .type = vt_vgpu_is_error(h->type) ? h->type : VT_VGPU_RESP_ERR_UNSPEC};
        h = &error;
        bytes = p->room >= sizeof error ? sizeof error : 0;
    }
    card->statistics.errors += vt_vgpu_is_error(h->type);
    if ((p->header.flags & VT_VGPU_FLAG_FENCE) != 0) {
        h->flags = p->header.flags & (VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX);
        h->fence_id = p->header.fence_id;
        h->ctx_id = p->header.ctx_id;
        h->ring_idx = p->header.ring_idx;
        card->statistics.fences++;
    }
    if (!p->global) {
        send_answer(p, h, bytes);
        return;
    }
    memcpy(p->held, h, bytes);
    p->held_bytes = bytes;
    p->done = true;
    release_global(card);
}

static void finish_type(struct vt_card_pending *p, uint32_t type)
{
    struct vt_vgpu_header h = {.type = type};
    finish(p, &h, sizeof h);
}

static void say_lines(struct vt_card *card)
{
    pthread_mutex_lock(&card->lock);
    char *lines = card->lines, *rest = lines;
    card->lines = NULL;
    pthread_mutex_unlock(&card->lock);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0' && card->events.say != NULL) {
            card->events.say(card->events.arg, line);
        }
    }
    free(lines);
}

static struct vt_card_pending *take_ready_list(struct vt_card *card)
{
    pthread_mutex_lock(&card->lock);
    struct vt_card_pending *first = card->ready;
    card->ready = NULL;
    card->ready_last = &card->ready;
    pthread_mutex_unlock(&card->lock);
    return first;
}

void vt_card_take_ready(struct vt_card *card)
{
    struct vt_card_pending *next;
    for (struct vt_card_pending *p = take_ready_list(card); p != NULL; p = next) {
        next = p->next;
        finish_type(p, p->type);
    }
    say_lines(card);
}

static void on_event(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_card *card = arg;
    uint64_t n;
    (void)source;
    (void)events;
    if (read(card->event, &n, sizeof n) == (ssize_t)sizeof n) {
        vt_card_take_ready(card);
    }
}

/* ---------------------------------------------------------------- what is told */

static void display_info(struct vt_card_pending *p)
{
    struct vt_card *card = p->card;
    struct vt_vgpu_resp_display_info r = {.header.type = VT_VGPU_RESP_OK_DISPLAY_INFO};
    r.pmodes[0].rect = (struct vt_vgpu_rect){.width = card->width, .height = card->height};
    r.pmodes[0].enabled = 1;
    finish(p, &r, sizeof r);
}

static void edid(struct vt_card_pending *p, const struct vt_vgpu_get_edid *request)
{
    struct vt_vgpu_resp_edid r = {.header.type = VT_VGPU_RESP_OK_EDID, .size = 128};
    if (request->scanout >= p->card->config.num_scanouts) {
        finish_type(p, VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID);
        return;
    }
    vt_card_edid(p->card->width, p->card->height, r.edid);
    finish(p, &r, sizeof r);
}

static void capset_info(struct vt_card_pending *p, const struct vt_vgpu_get_capset_info *request)
{
    struct vt_vgpu_resp_capset_info r = {.header.type = VT_VGPU_RESP_OK_CAPSET_INFO,
                                         .capset_id = VT_VGPU_CAPSET_VENUS,
                                         .capset_max_size = VT_VENUS_CAPSET_BYTES};
    if (request->capset_index >= p->card->config.num_capsets) {
        finish_type(p, VT_VGPU_RESP_ERR_INVALID_PARAMETER);
        return;
    }
    finish(p, &r, sizeof r);
}

static void capset(struct vt_card_pending *p, const struct vt_vgpu_get_capset *request)
{
    struct vt_card *card = p->card;
    struct {
        struct vt_vgpu_header header;
        uint8_t bytes[VT_VENUS_CAPSET_BYTES];
    } r = {.header.type = VT_VGPU_RESP_OK_CAPSET};
    if (!card->has_contexts || request->capset_id != VT_VGPU_CAPSET_VENUS ||
        request->capset_version != 0) {
        finish_type(p, VT_VGPU_RESP_ERR_INVALID_PARAMETER);
        return;
    }
    card->contexts.capset(card->contexts.arg, r.bytes);
    finish(p, &r, sizeof r);
}

static void map_blob(struct vt_card_pending *p, const struct vt_vgpu_resource_map_blob *request)
{
    struct vt_vgpu_resp_map_info r = {.header.type = vt_card_map_blob(p->card, request),
                                      .map_info = VT_VGPU_MAP_CACHE_CACHED};
    finish(p, &r, r.header.type == VT_VGPU_RESP_OK_MAP_INFO ? sizeof r : sizeof r.header);
}

static void assign_uuid(struct vt_card_pending *p, uint32_t id)
{
    struct vt_vgpu_resp_resource_uuid answer = {.header.type = VT_VGPU_RESP_OK_RESOURCE_UUID};
    struct vt_card_resource *r = vt_card_resource(p->card, id);
    if (r == NULL) {
        finish_type(p, VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
        return;
    }
    if (!r->named && getentropy(r->uuid, sizeof r->uuid) != 0) {
        finish_type(p, VT_VGPU_RESP_ERR_UNSPEC);
        return;
    }
    r->named = true;
    r->uuid[6] = (uint8_t)((r->uuid[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    r->uuid[8] = (uint8_t)((r->uuid[8] & 0x3f) | 0x80);
    memcpy(answer.uuid, r->uuid, sizeof answer.uuid);
    finish(p, &answer, sizeof answer);
}

/* ---------------------------------------------------------------- requests */

/* The device's own commands, carried out at once. 0: it was answered. */
static uint32_t carry_out(struct vt_card_pending *p, const void *request, size_t bytes)
{
    struct vt_card *card = p->card;
    /* The id stands first in all that have nothing else. */
    const struct vt_vgpu_resource_unref *only_id = request;
    switch (p->header.type) {
    case VT_VGPU_CMD_GET_DISPLAY_INFO:
        return display_info(p), 0;
    case VT_VGPU_CMD_GET_EDID:
        return edid(p, request), 0;
    case VT_VGPU_CMD_GET_CAPSET_INFO:
        return capset_info(p, request), 0;
    case VT_VGPU_CMD_GET_CAPSET:
        return capset(p, request), 0;
    case VT_VGPU_CMD_RESOURCE_ASSIGN_UUID:
        return assign_uuid(p, only_id->resource_id), 0;
    case VT_VGPU_CMD_RESOURCE_MAP_BLOB:
        return map_blob(p, request), 0;
    case VT_VGPU_CMD_RESOURCE_CREATE_2D:
        return vt_card_create_2d(card, request);
    case VT_VGPU_CMD_RESOURCE_CREATE_BLOB:
        return vt_card_create_blob(card, request, bytes);
    case VT_VGPU_CMD_RESOURCE_UNREF:
        return vt_card_unref(card, only_id->resource_id);
    case VT_VGPU_CMD_RESOURCE_ATTACH_BACKING:
        return vt_card_attach_backing(card, request, bytes);
    case VT_VGPU_CMD_RESOURCE_DETACH_BACKING:
        return vt_card_detach_backing(card, only_id->resource_id);
    case VT_VGPU_CMD_RESOURCE_UNMAP_BLOB:
        return vt_card_unmap_blob(card, only_id->resource_id);
    case VT_VGPU_CMD_TRANSFER_TO_HOST_2D:
        return vt_card_transfer(card, request);
    case VT_VGPU_CMD_SET_SCANOUT:
        return vt_card_set_scanout(card, request);
    case VT_VGPU_CMD_SET_SCANOUT_BLOB:
        return vt_card_set_scanout_blob(card, request);
    case VT_VGPU_CMD_RESOURCE_FLUSH:
        return vt_card_flush(card, request);
    case VT_VGPU_CMD_UPDATE_CURSOR:
    case VT_VGPU_CMD_MOVE_CURSOR:
        vt_card_update_cursor(card, request);
        return VT_VGPU_RESP_OK_NODATA;
    case VT_VGPU_CMD_CTX_CREATE:
        return vt_card_ctx_create(card, request);
    case VT_VGPU_CMD_CTX_DESTROY:
        return vt_card_ctx_destroy(card, p);
    case VT_VGPU_CMD_CTX_ATTACH_RESOURCE:
        return vt_card_ctx_attach(card, only_id->resource_id, p);
    case VT_VGPU_CMD_CTX_DETACH_RESOURCE:
        return vt_card_ctx_detach(card, only_id->resource_id, p);
    case VT_VGPU_CMD_SUBMIT_3D:
        return vt_card_submit(card, p);
    default: /* 3-D without Venus: no capability set of ours has it */
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
}

/* NULL: it is answered with *type. The stream of a SUBMIT_3D is kept behind it. */
static struct vt_card_pending *make_pending(struct vt_card *card, const void *request, size_t bytes,
                                            uint32_t *type)
{
    struct vt_vgpu_submit_3d submit = {0};
    size_t stream = 0;
    if (*type == VT_VGPU_CMD_SUBMIT_3D) {
        memcpy(&submit, request, sizeof submit);
        if (submit.size > bytes - sizeof submit) {
            *type = VT_VGPU_RESP_ERR_INVALID_PARAMETER;
            return NULL;
        }
        stream = submit.size;
        if (stream > VT_CARD_WAITING_BYTES_MAX - card->waiting_bytes) {
            *type = VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
            return NULL;
        }
    }
    struct vt_card_pending *p = calloc(1, sizeof *p + stream);
    if (p == NULL) {
        *type = VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
        return NULL;
    }
    p->bytes = stream;
    if (stream > 0) {
        memcpy(p->stream, (const uint8_t *)request + sizeof submit, stream);
    }
    card->waiting_bytes += stream;
    return p;
}

/* Answers what no pending could be made for. */
static void refuse(struct vt_card *card, const struct vt_vgpu_header *request, uint64_t room,
                   void *token, uint32_t type)
{
    struct vt_vgpu_header h = {.type = type};
    if ((request->flags & VT_VGPU_FLAG_FENCE) != 0) {
        h.flags = request->flags & (VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX);
        h.fence_id = request->fence_id;
        h.ctx_id = request->ctx_id;
        h.ring_idx = request->ring_idx;
    }
    card->statistics.errors++;
    card->events.answer(card->events.arg, token, &h, room >= sizeof h ? sizeof h : 0);
}

static void say_refused(struct vt_card *card, const void *request, size_t bytes, uint32_t type)
{
    char text[320];
    const struct vt_vgpu_message *m;
    uint32_t elements;
    vt_vgpu_check_request(request, bytes, &m, &elements);
    vt_vgpu_describe(m, request, bytes, text, sizeof text);
    vt_card_say(card, "%s: %s", vt_vgpu_type_name(type), text);
}

void vt_card_request(struct vt_card *card, enum vt_vgpu_queue queue, const void *request,
                     size_t bytes, uint64_t room, void *token)
{
    const struct vt_vgpu_message *message;
    struct vt_vgpu_header header = {0};
    uint32_t elements, type;
    enum vt_vgpu_verdict verdict = vt_vgpu_check_request(request, bytes, &message, &elements);
    memcpy(&header, request, bytes < sizeof header ? bytes : sizeof header);
    card->statistics.commands++;
    const struct vt_vgpu_command *command = vt_vgpu_command_of(header.type);
    bool well = verdict == VT_VGPU_WELL || verdict == VT_VGPU_LONG;
    if (!well || command == NULL || command->queue != queue ||
        (command->feature & ~vt_card_features(card)) != 0) {
        type = verdict == VT_VGPU_SHORT || verdict == VT_VGPU_TAIL_SHORT
                   ? VT_VGPU_RESP_ERR_INVALID_PARAMETER
                   : VT_VGPU_RESP_ERR_UNSPEC;
        say_refused(card, request, bytes, type);
        refuse(card, &header, room, token, type);
        return;
    }
    type = header.type;
    struct vt_card_pending *p = make_pending(card, request, bytes, &type);
    if (p == NULL) {
        refuse(card, &header, room, token, type);
        return;
    }
    p->card = card;
    p->token = token;
    p->room = room;
    p->header = header;
    p->global = (header.flags & VT_VGPU_FLAG_FENCE) != 0 &&
                (header.flags & VT_VGPU_FLAG_INFO_RING_IDX) == 0;
    if (p->global) {
        *card->global_last = p;
        card->global_last = &p->later;
    }
    type = carry_out(p, request, bytes);
    if (type != 0) {
        if (vt_vgpu_is_error(type)) {
            say_refused(card, request, bytes, type);
        }
        finish_type(p, type);
    }
    /* Whoever has it answers and frees it. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
}

/* ---------------------------------------------------------------- its life */

static int make_window(struct vt_card *card, struct vt_error *err)
{
    card->window = memfd_create("vitrine-gpu-window", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (card->window < 0 || ftruncate(card->window, (off_t)card->window_bytes) != 0 ||
        fcntl(card->window, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "the GPU's memory window");
    }
    return 0;
}

static int set_up(struct vt_card *card, struct vt_error *err)
{
    card->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (card->event < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "eventfd");
    }
    int rc = make_window(card, err);
    return rc != 0 ? rc
                   : vt_loop_add_fd(card->loop, card->event, EPOLLIN, on_event, card, &card->source,
                                    err);
}

int vt_card_create(struct vt_loop *loop, const struct vt_guest_memory *memory,
                   const struct vt_card_options *options, const struct vt_card_events *events,
                   struct vt_card **card, struct vt_error *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t window = options->window_bytes != 0 ? options->window_bytes : 1ull << 30;
    if (window % page != 0 || window >> 46 != 0) {
        return vt_fail(err, VT_E_INVAL, "the GPU's memory window: not a multiple of a page");
    }
    struct vt_card *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "GPU: out of memory");
    }
    *c = (struct vt_card){.loop = loop,
                          .memory = memory,
                          .events = *events,
                          .width = options->width != 0 ? options->width : 1280,
                          .height = options->height != 0 ? options->height : 800,
                          .window = -1,
                          .window_bytes = window,
                          .event = -1};
    pthread_mutex_init(&c->lock, NULL);
    c->ready_last = &c->ready;
    c->global_last = &c->global_first;
    if (options->contexts != NULL) {
        c->contexts = *options->contexts;
        c->has_contexts = true;
    }
    c->config = (struct vt_vgpu_config_space){.num_scanouts = 1, .num_capsets = c->has_contexts};
    int rc = set_up(c, err);
    if (rc != 0) {
        vt_card_destroy(c);
        return rc;
    }
    *card = c;
    return 0;
}

/* What waits is told that it waits for nothing. */
static void drop_pending(struct vt_card *card)
{
    struct vt_card_pending *next;
    for (struct vt_card_pending *p = card->global_first; p != NULL; p = next) {
        next = p->later;
        p->global = false;
        if (p->done) { /* the others are in the list of those that are ready */
            send_answer(p, NULL, 0);
        }
    }
    card->global_first = NULL;
    card->global_last = &card->global_first;
    for (struct vt_card_pending *p = take_ready_list(card); p != NULL; p = next) {
        next = p->next;
        send_answer(p, NULL, 0);
    }
}

void vt_card_reset(struct vt_card *card)
{
    vt_card_drop_contexts(card);
    drop_pending(card);
    vt_card_drop_resources(card);
    card->scanout = (struct vt_card_scanout){0};
    card->cursor.on = false;
    card->config.events_read = 0;
    card->statistics.resets++;
    say_lines(card);
}

void vt_card_destroy(struct vt_card *card)
{
    if (card == NULL) {
        return;
    }
    vt_card_reset(card);
    vt_source_remove(card->source);
    vt_close(&card->event);
    vt_close(&card->window);
    pthread_mutex_destroy(&card->lock);
    free(card->lines);
    free(card);
}

uint64_t vt_card_features(const struct vt_card *card)
{
    return card->has_contexts ? VT_CARD_FEATURES
                              : VT_CARD_FEATURES & ~(VT_VGPU_F_VIRGL | VT_VGPU_F_CONTEXT_INIT);
}

const struct vt_vgpu_config_space *vt_card_config(const struct vt_card *card)
{
    return &card->config;
}

void vt_card_clear_events(struct vt_card *card, uint32_t events)
{
    card->config.events_read &= ~events;
}

int vt_card_resize(struct vt_card *card, uint32_t width, uint32_t height, struct vt_error *err)
{
    if (width < 16 || height < 16 || width > VT_CARD_SIDE_MAX || height > VT_CARD_SIDE_MAX) {
        return vt_fail(err, VT_E_INVAL, "%ux%u is not a screen's size", width, height);
    }
    card->width = width;
    card->height = height;
    card->config.events_read |= VT_VGPU_EVENT_DISPLAY;
    card->events.config(card->events.arg);
    return 0;
}

int vt_card_window(const struct vt_card *card, uint64_t *bytes)
{
    *bytes = card->window_bytes;
    return card->window;
}

void vt_card_statistics(const struct vt_card *card, struct vt_card_statistics *statistics)
{
    *statistics = card->statistics;
}

static bool write_command(const struct vt_venus_command_count *count, void *arg)
{
    vt_gpu_command_json(count, arg);
    return true;
}

void vt_card_contexts_json(const struct vt_card *card, unsigned gpu, struct vt_json_writer *w)
{
    for (const struct vt_card_context *c = card->context_list; c != NULL; c = c->next) {
        struct vt_venus_statistics v;
        if (c->context == NULL) {
            continue;
        }
        card->contexts.statistics(c->context, &v);
        vt_json_object(w);
        vt_json_kv_u64(w, "id", c->id);
        vt_json_kv_string(w, "name", c->name);
        vt_json_kv_u64(w, "gpu", gpu);
        vt_json_kv_f64(w, "seconds", (double)(vt_now_ns() - c->begun_ns) / 1e9, 6);
        vt_json_kv_bool(w, "ended", v.ended);
        vt_gpu_counts_json(&v, w);
        vt_json_key(w, "by_command");
        vt_json_array(w);
        card->contexts.commands(c->context, write_command, w);
        vt_json_array_end(w);
        vt_json_object_end(w);
    }
}

void vt_card_json(const struct vt_card *card, struct vt_json_writer *w)
{
    const struct vt_card_statistics *s = &card->statistics;
    const struct vt_card_scanout *shown = &card->scanout;
    vt_json_kv_u64(w, "width", shown->resource != 0 ? shown->rect.width : 0);
    vt_json_kv_u64(w, "height", shown->resource != 0 ? shown->rect.height : 0);
    vt_json_kv_u64(w, "requests", s->commands);
    vt_json_kv_u64(w, "errors", s->errors);
    vt_json_kv_u64(w, "fences", s->fences);
    vt_json_kv_u64(w, "transfers", s->transfers);
    vt_json_kv_u64(w, "flushes", s->flushes);
    vt_json_kv_u64(w, "resets", s->resets);
    vt_json_kv_u64(w, "resources", s->resources);
    vt_json_kv_u64(w, "pixel_bytes", s->pixel_bytes);
    vt_json_kv_u64(w, "window_bytes", card->window_bytes);
    vt_json_kv_u64(w, "mapped_bytes", s->mapped_bytes);
}
