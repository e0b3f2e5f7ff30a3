/* server/stream_render.c - pictures of a VM's volume for clients that draw none themselves.
 *
 *   told       what looks saw, gathered until the thread takes it
 *   slots      a client's view each: what it wants, and what it was drawn with
 *   the thread takes what is new, brings the volume up to date, draws, answers picks
 *
 * A client has one frame that waits to be sent; while it does, nothing is drawn for that client,
 * and the next one shows things as they are then. A device that is lost is opened anew once a
 * minute.
 */
#include "server/stream_parts.h"

#include "base/io.h"
#include "volume/adapt.h"
#include "volume/draw.h"
#include "volume/jpeg.h"
#include "volume/overlay.h"
#include "volume/video.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
#define FRAME_S 0.04          /* that drawing may take while something moves */
#define FADE_NS (SECOND / 10) /* from one frame to the next of heat that fades */
#define FADED 6               /* half-lives after which nothing of it is left */
#define LOST_AGAIN_NS (60 * SECOND)
#define CODEC_JPEG 1
#define CODEC_H264 2
#define VIDEO_FPS 25
#define KEY_FRAMES                                                                                 \
    50 /* one of so many can be decoded by itself: who missed something goes on there */

/* What a client wants drawn, and what it was drawn with. */
struct slot {
    uint64_t number; /* of the client; 0: free */
    bool there;      /* while slots are compared with clients */
    struct vt_stream_view view;
    bool fresh;   /* the view is new since it was last drawn */
    bool stale;   /* so is the volume */
    bool refused; /* it cannot be drawn; the client has been told */
    bool room;    /* its last frame is on its way */
    struct vt_adapt adapt;
    uint32_t width, height; /* of these: */
    struct vt_view *image;
    struct vt_canvas *canvas;
    struct vt_encoder *encoder; /* of H.264, for that size and: */
    int quality;
    unsigned since_key; /* frames */
    unsigned n_picks;
    struct vt_stream_pick picks[VT_STREAM_PICKS_MAX];
};

struct vt_renderer {
    struct vt_stream *stream;
    const struct vt_ram *ram;
    uint64_t n_pages;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* CLOCK_MONOTONIC */
    /* under the lock */
    bool stop, nudged, told, told_facts, told_highlights, told_all;
    uint64_t *changed; /* by page, a bit */
    uint8_t *classes, *owners;
    struct vt_highlights highlights;
    struct vt_owner processes[VT_OWNERS_MAX];
    size_t n_processes;
    double now_s;
    uint64_t now_ns; /* when it was that time */
    /* the thread's: what it took of that, and what it draws with */
    struct vt_volume_update update;
    uint64_t *pages;
    uint8_t *own_classes, *own_owners;
    struct vt_highlights own_highlights;
    struct vt_owner own_processes[VT_OWNERS_MAX];
    size_t n_own_processes;
    double changed_s;
    struct vt_gpu *gpu;
    struct vt_volume *volume;
    struct vt_jpeg *jpeg;
    bool no_video;    /* there is no encoder of H.264 */
    bool ready;       /* classes have been told: there is something to draw */
    uint64_t lost_ns; /* when the device was lost; 0: never */
    bool failed;      /* nothing can be drawn */
    struct vt_error why;
    struct slot slots[VT_STREAM_CLIENTS_MAX];
};

/* ---------------------------------------------------------------- the device */

bool vt_streams_gpu(struct vt_streams *streams, struct vt_gpu_info *info)
{
    const struct vt_gpu_options options = {.name = streams->o.gpu};
    pthread_mutex_lock(&streams->gpu_lock);
    if (!streams->gpu_known) {
        streams->gpu_there = vt_gpu_find(&options, &streams->gpu, NULL) == 0;
        streams->gpu_known = true;
    }
    bool there = streams->gpu_there;
    if (there) {
        *info = streams->gpu;
    }
    pthread_mutex_unlock(&streams->gpu_lock);
    return there;
}

static void drop_image(struct slot *slot)
{
    vt_view_destroy(slot->image);
    vt_canvas_destroy(slot->canvas);
    vt_encoder_destroy(slot->encoder);
    slot->encoder = NULL;
    slot->image = NULL;
    slot->canvas = NULL;
    slot->width = slot->height = 0;
}

static void close_gpu(struct vt_renderer *r)
{
    for (unsigned i = 0; i < VT_STREAM_CLIENTS_MAX; i++) {
        drop_image(&r->slots[i]);
    }
    vt_volume_destroy(r->volume);
    vt_gpu_close(r->gpu);
    r->volume = NULL;
    r->gpu = NULL;
}

/* The whole volume anew: with all that is known already. */
static int open_gpu(struct vt_renderer *r, struct vt_error *err)
{
    const struct vt_streams_options *o = &r->stream->streams->o;
    const struct vt_gpu_options gpu = {.name = o->gpu};
    const struct vt_ram_region *regions;
    struct vt_volume_options volume = {.memory_bytes = o->gpu_memory};
    volume.n_regions = vt_ram_regions(r->ram, &regions);
    volume.regions = regions;
    int rc = vt_gpu_open(&gpu, &r->gpu, err);
    rc = rc != 0
             ? rc
             : vt_volume_create(r->gpu, vt_ram_bytes(r->ram), r->n_pages, &volume, &r->volume, err);
    if (rc == 0) {
        r->update = (struct vt_volume_update){.all = true,
                                              .classes = r->own_classes,
                                              .owners = r->own_owners,
                                              .highlights = &r->own_highlights,
                                              .now_s = r->update.now_s};
    }
    return rc;
}

/* ---------------------------------------------------------------- what looks saw */

/* A copy of its own; without memory for it, what there was. */
static void copy_highlights(struct vt_highlights *to, const struct vt_highlights *from)
{
    struct vt_highlights copy = {.all = calloc(from->n > 0 ? from->n : 1, sizeof *copy.all)};
    bool ok = copy.all != NULL;
    for (size_t i = 0; ok && i < from->n; i++) {
        const struct vt_highlight *h = &from->all[i];
        copy.all[i] = *h;
        copy.all[i].runs = malloc((h->n_runs > 0 ? h->n_runs : 1) * sizeof *h->runs);
        copy.n = i + 1;
        ok = copy.all[i].runs != NULL;
        if (ok && h->n_runs > 0) {
            memcpy(copy.all[i].runs, h->runs, h->n_runs * sizeof *h->runs);
        }
    }
    if (ok) {
        vt_highlights_fini(to);
        *to = copy;
    } else {
        vt_highlights_fini(&copy);
    }
}

void vt_renderer_tell(struct vt_renderer *r, const struct vt_volume_update *update)
{
    const struct vt_follow *follow = r->stream->follow;
    const struct vt_owner *owners;
    pthread_mutex_lock(&r->lock);
    r->told_all |= update->all;
    for (size_t i = 0; i < update->n_pages && !update->all; i++) {
        r->changed[update->pages[i] / 64] |= UINT64_C(1) << update->pages[i] % 64;
    }
    r->told |= update->all || update->n_pages > 0;
    if (update->classes != NULL || update->owners != NULL) {
        memcpy(r->classes, vt_follow_classes(follow), r->n_pages);
        memcpy(r->owners, vt_follow_owners(follow), r->n_pages);
        r->n_processes = vt_follow_processes(follow, &owners);
        memcpy(r->processes, owners, r->n_processes * sizeof *owners);
        r->told_facts = true;
    }
    if (update->highlights != NULL) {
        copy_highlights(&r->highlights, update->highlights);
        r->told_highlights = true;
    }
    r->now_s = update->now_s;
    r->now_ns = vt_now_ns();
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

void vt_renderer_nudge(struct vt_renderer *r)
{
    if (r != NULL) {
        pthread_mutex_lock(&r->lock);
        r->nudged = true;
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->lock);
    }
}

/* Pages whose bits are set, and clears them. */
static size_t take_pages(struct vt_renderer *r)
{
    size_t n = 0;
    for (uint64_t word = 0; word < (r->n_pages + 63) / 64; word++) {
        for (uint64_t left = r->changed[word]; left != 0; left &= left - 1) {
            r->pages[n++] = word * 64 + (unsigned)__builtin_ctzll(left);
        }
        r->changed[word] = 0;
    }
    return n;
}

/* Takes what was told since the last time. With the lock. */
static void take_told(struct vt_renderer *r)
{
    struct vt_volume_update *u = &r->update;
    *u = (struct vt_volume_update){.all = r->told_all, .now_s = r->now_s};
    if (r->told) {
        u->pages = r->pages;
        u->n_pages = take_pages(r);
        r->changed_s = r->now_s;
    }
    if (r->told_facts) {
        memcpy(r->own_classes, r->classes, r->n_pages);
        memcpy(r->own_owners, r->owners, r->n_pages);
        memcpy(r->own_processes, r->processes, sizeof r->own_processes);
        r->n_own_processes = r->n_processes;
        u->classes = r->own_classes;
        u->owners = r->own_owners;
        r->ready = true;
    }
    if (r->told_highlights) {
        vt_highlights_fini(&r->own_highlights);
        r->own_highlights = r->highlights;
        r->highlights = (struct vt_highlights){0};
        u->highlights = &r->own_highlights;
    }
    r->told = r->told_all = r->told_facts = r->told_highlights = false;
}

/* ---------------------------------------------------------------- clients */

static struct slot *slot_of(struct vt_renderer *r, uint64_t number)
{
    struct slot *unused = NULL;
    for (unsigned i = 0; i < VT_STREAM_CLIENTS_MAX; i++) {
        if (r->slots[i].number == number) {
            return &r->slots[i];
        }
        unused = r->slots[i].number == 0 ? &r->slots[i] : unused;
    }
    if (unused != NULL) {
        *unused = (struct slot){.number = number};
        vt_adapt_init(&unused->adapt, FRAME_S);
    }
    return unused;
}

/* What clients want drawn now. */
static void take_views(struct vt_renderer *r)
{
    struct vt_stream *s = r->stream;
    for (unsigned i = 0; i < VT_STREAM_CLIENTS_MAX; i++) {
        r->slots[i].there = false;
    }
    pthread_mutex_lock(&s->lock);
    for (struct vt_stream_client *c = s->clients; c != NULL; c = c->next) {
        struct slot *slot = !c->left && c->view.width > 0 ? slot_of(r, c->number) : NULL;
        if (slot == NULL) {
            continue;
        }
        slot->there = true;
        slot->room = c->frame.bytes == NULL;
        if (c->view_changed) {
            slot->view = c->view;
            slot->fresh = true;
            slot->refused = false;
            c->view_changed = false;
        }
        slot->n_picks = c->n_picks;
        memcpy(slot->picks, c->picks, c->n_picks * sizeof c->picks[0]);
    }
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < VT_STREAM_CLIENTS_MAX; i++) {
        if (!r->slots[i].there && r->slots[i].number != 0) {
            drop_image(&r->slots[i]);
            r->slots[i].number = 0;
        }
    }
}

static struct vt_stream_client *client_of(struct vt_stream *s, uint64_t number)
{
    struct vt_stream_client *c = s->clients;
    while (c != NULL && (c->number != number || c->left)) {
        c = c->next;
    }
    return c;
}

static void wake_stream(struct vt_stream *s)
{
    s->nudged = true;
    pthread_cond_signal(&s->wake);
}

/* Hands a text over (malloc'ed, or NULL), in answer to `answered` picks. */
static void say(struct vt_renderer *r, const struct slot *slot, char *text, unsigned answered)
{
    struct vt_stream *s = r->stream;
    pthread_mutex_lock(&s->lock);
    struct vt_stream_client *c = client_of(s, slot->number);
    if (c != NULL) {
        c->n_picks -= answered;
        memmove(c->picks, c->picks + answered, c->n_picks * sizeof c->picks[0]);
        if (text != NULL && c->n_said < sizeof c->said / sizeof c->said[0]) {
            c->said[c->n_said++] = text;
            text = NULL;
        }
        wake_stream(s);
    }
    pthread_mutex_unlock(&s->lock);
    free(text);
}

static void hand_over(struct vt_renderer *r, struct slot *slot, const struct vt_message *frame)
{
    struct vt_stream *s = r->stream;
    uint8_t *left = frame->bytes;
    pthread_mutex_lock(&s->lock);
    struct vt_stream_client *c = client_of(s, slot->number);
    if (c != NULL && c->frame.bytes == NULL) {
        c->frame = *frame;
        left = NULL;
        wake_stream(s);
    }
    pthread_mutex_unlock(&s->lock);
    slot->room = false;
    free(left);
}

static void refuse(struct vt_renderer *r, struct slot *slot, const struct vt_error *err)
{
    size_t bytes;
    if (!slot->refused) {
        say(r, slot, vt_say_error(err->code, err->message, &bytes), 0);
    }
    slot->refused = true;
    slot->fresh = slot->stale = false;
}

/* ---------------------------------------------------------------- drawing */

static double time_now(struct vt_renderer *r)
{
    pthread_mutex_lock(&r->lock);
    double now_s = r->now_s + (double)(vt_now_ns() - r->now_ns) / 1e9;
    pthread_mutex_unlock(&r->lock);
    return now_s;
}

static int make_image(struct vt_renderer *r, struct slot *slot, struct vt_error *err)
{
    const struct vt_stream_view *v = &slot->view;
    if (slot->image != NULL && slot->width == v->width && slot->height == v->height) {
        return 0;
    }
    drop_image(slot);
    int rc = vt_view_create(r->gpu, v->width, v->height, &slot->image, err);
    rc = rc != 0 ? rc : vt_canvas_create(v->width, v->height, &slot->canvas, err);
    if (rc != 0) {
        drop_image(slot);
        return rc;
    }
    slot->width = v->width;
    slot->height = v->height;
    return 0;
}

/* The scene with what only is known here: which owner the process is. */
static void complete_scene(const struct vt_renderer *r, const struct vt_stream_view *view,
                           struct vt_scene *scene)
{
    *scene = view->scene;
    scene->only_owner = 0;
    for (size_t i = 0; i < r->n_own_processes && view->only_pid != 0; i++) {
        if (r->own_processes[i].pid == view->only_pid) {
            scene->only_owner = (int32_t)i + 1;
        }
    }
}

static void draw_over(struct vt_renderer *r, struct slot *slot, const struct vt_scene *scene)
{
    const struct vt_ram_region *regions;
    struct vt_overlay overlay = {
        .camera = &slot->view.camera,
        .scene = scene,
        .order = vt_volume_side(r->volume),
        .ram_bytes = r->n_pages * VT_PAGE_BYTES,
        .highlights = r->own_highlights.all,
        .n_highlights = r->own_highlights.n,
    };
    overlay.n_regions = vt_ram_regions(r->ram, &regions);
    overlay.regions = regions;
    vt_overlay_draw(&overlay, slot->canvas);
}

/* Another quality, of a picture that comes to rest, begins a video anew: sharp from its first
 * picture on. */
static int make_encoder(struct slot *slot, struct vt_error *err)
{
    const struct vt_stream_view *v = &slot->view;
    const struct vt_video_options video = {.width = v->width,
                                           .height = v->height,
                                           .fps = VIDEO_FPS,
                                           .quality = (unsigned)(51 - v->quality * 41 / 100),
                                           .live = true};
    if (slot->encoder != NULL && slot->quality == v->quality) {
        return 0;
    }
    vt_encoder_destroy(slot->encoder);
    slot->encoder = NULL;
    slot->quality = v->quality;
    slot->since_key = KEY_FRAMES;
    return vt_encoder_create(&video, &slot->encoder, err);
}

/* The canvas as the client wants it, or as JPEG, which all have. */
static int encode(struct vt_renderer *r, struct slot *slot, struct vt_message_frame *frame,
                  struct vt_error *err)
{
    const struct vt_stream_view *v = &slot->view;
    const uint8_t *pixels = vt_canvas_pixels(slot->canvas);
    struct vt_encoded out = {.n = 0};
    if (v->h264 && !r->no_video) {
        bool key = make_encoder(slot, NULL) == 0 && ++slot->since_key >= KEY_FRAMES;
        r->no_video = slot->encoder == NULL ||
                      vt_encoder_put(slot->encoder, pixels, key, NULL) != 0 ||
                      vt_encoder_take(slot->encoder, &out, NULL) != 0 || out.n == 0;
        slot->since_key = key ? 0 : slot->since_key;
    }
    frame->codec = out.n > 0 ? CODEC_H264 : CODEC_JPEG;
    frame->alone = out.n == 0 || out.key;
    frame->picture = out.bytes;
    frame->bytes = out.n;
    return out.n > 0 ? 0
                     : vt_jpeg_encode(r->jpeg, pixels, v->width, v->height, v->quality,
                                      &frame->picture, &frame->bytes, err);
}

static int draw(struct vt_renderer *r, struct slot *slot, unsigned scale, struct vt_error *err)
{
    const struct vt_stream_view *v = &slot->view;
    struct vt_scene scene;
    const uint8_t *pixels;
    struct vt_message message;
    struct vt_message_frame frame = {
        .id = v->id, .width = v->width, .height = v->height, .scale = scale};
    complete_scene(r, v, &scene);
    const struct vt_shot shot = {.camera = &v->camera,
                                 .scene = &scene,
                                 .method = v->method,
                                 .scale = scale,
                                 .now_s = time_now(r)};
    uint64_t began_ns = vt_now_ns();
    int rc = vt_view_draw(slot->image, r->volume, &shot, NULL, err);
    rc = rc != 0 ? rc : vt_view_pixels(slot->image, &pixels, err);
    if (rc != 0) {
        return rc;
    }
    vt_canvas_put(slot->canvas, pixels);
    draw_over(r, slot, &scene);
    rc = encode(r, slot, &frame, err);
    vt_adapt_took(&slot->adapt, v->width, v->height, v->method,
                  (double)(vt_now_ns() - began_ns) / 1e9);
    rc = rc != 0 ? rc : vt_message_frame(&frame, shot.now_s, &message, err);
    if (rc == 0) {
        hand_over(r, slot, &message);
        slot->fresh = slot->stale = false;
    }
    return rc;
}

/* Heat that is still to be seen fades without anything that says so. */
static bool is_fading(struct vt_renderer *r, const struct slot *slot)
{
    return slot->view.scene.heat &&
           time_now(r) - r->changed_s < FADED * (double)slot->view.scene.heat_s;
}

/* Draws if there is something new to see, and says what is at pixels. *drawn: so it did. */
static int mind_slot(struct vt_renderer *r, struct slot *slot, bool fade, bool *drawn,
                     struct vt_error *err)
{
    if (slot->refused || !slot->room) {
        return 0;
    }
    bool changed = slot->fresh || slot->stale || (fade && is_fading(r, slot));
    unsigned scale = vt_adapt_next(&slot->adapt, slot->view.width, slot->view.height,
                                   slot->view.method, slot->view.moving, changed);
    if (scale == 0) {
        return 0;
    }
    int rc = make_image(r, slot, err);
    rc = rc != 0 ? rc : draw(r, slot, scale, err);
    *drawn |= rc == 0;
    return rc;
}

static void answer_picks(struct vt_renderer *r, struct slot *slot)
{
    for (unsigned i = 0; i < slot->n_picks; i++) {
        struct vt_picked picked = {.hit = false};
        size_t bytes;
        if (slot->image != NULL) {
            vt_view_pick(slot->image, slot->picks[i].x, slot->picks[i].y, &picked, NULL);
        }
        const struct vt_said_pick pick = {.id = slot->picks[i].id,
                                          .picked = &picked,
                                          .owners = r->own_processes,
                                          .n_owners = r->n_own_processes,
                                          .highlights = &r->own_highlights};
        say(r, slot, vt_say_picked(r->ram, &pick, &bytes), 1);
    }
    slot->n_picks = 0;
}

/* ---------------------------------------------------------------- the thread */

/* Waits for something to do; false: to the end. */
static bool await(struct vt_renderer *r, uint64_t until_ns)
{
    const struct timespec t = {.tv_sec = (time_t)(until_ns / SECOND),
                               .tv_nsec = (long)(until_ns % SECOND)};
    pthread_mutex_lock(&r->lock);
    while (!r->stop && !r->nudged && !r->told && !r->told_facts && !r->told_highlights &&
           pthread_cond_timedwait(&r->wake, &r->lock, &t) == 0) {
    }
    bool go_on = !r->stop;
    r->nudged = false;
    take_told(r);
    pthread_mutex_unlock(&r->lock);
    return go_on;
}

static bool says_something(const struct vt_volume_update *u)
{
    return u->all || u->n_pages > 0 || u->classes != NULL || u->highlights != NULL;
}

static int bring_up_to_date(struct vt_renderer *r, struct vt_error *err)
{
    int rc = r->gpu == NULL ? open_gpu(r, err) : 0;
    if (rc != 0 || !says_something(&r->update)) {
        return rc;
    }
    rc = vt_volume_update(r->volume, &r->update, NULL, err);
    r->update = (struct vt_volume_update){.now_s = r->update.now_s};
    for (unsigned i = 0; rc == 0 && i < VT_STREAM_CLIENTS_MAX; i++) {
        r->slots[i].stale = true;
    }
    return rc;
}

/* What fails for one view alone is that client's; else the device is given up, and tried again
 * unless that was so lately. */
static void take_failure(struct vt_renderer *r, struct slot *slot, int rc,
                         const struct vt_error *err)
{
    if (slot != NULL && rc == VT_E_INVAL) {
        refuse(r, slot, err);
        return;
    }
    uint64_t now_ns = vt_now_ns();
    close_gpu(r);
    r->failed = rc != VT_E_GONE || (r->lost_ns != 0 && now_ns - r->lost_ns < LOST_AGAIN_NS);
    r->lost_ns = now_ns;
    r->why = *err;
}

static bool turn(struct vt_renderer *r, bool fade)
{
    struct vt_error err;
    bool drawn = false;
    if (!r->ready) {
        return false;
    }
    take_views(r);
    int rc = r->failed ? 0 : bring_up_to_date(r, &err);
    if (rc != 0) {
        take_failure(r, NULL, rc, &err);
    }
    for (unsigned i = 0; i < VT_STREAM_CLIENTS_MAX; i++) {
        struct slot *slot = &r->slots[i];
        if (slot->number == 0) {
            continue;
        }
        if (r->failed) {
            refuse(r, slot, &r->why);
        } else if (r->gpu != NULL) {
            rc = mind_slot(r, slot, fade, &drawn, &err);
            if (rc != 0) {
                take_failure(r, slot, rc, &err);
            }
        }
        answer_picks(r, slot);
    }
    return drawn || (r->gpu == NULL && !r->failed); /* opened anew at once */
}

static void *run(void *arg)
{
    struct vt_renderer *r = arg;
    uint64_t faded_ns = 0, until_ns = 0;
    while (await(r, until_ns)) {
        uint64_t now_ns = vt_now_ns();
        bool fade = now_ns - faded_ns >= FADE_NS;
        faded_ns = fade ? now_ns : faded_ns;
        until_ns = turn(r, fade) ? 0 : vt_now_ns() + FADE_NS;
    }
    close_gpu(r);
    return NULL;
}

/* ---------------------------------------------------------------- life */

static int make_tables(struct vt_renderer *r, struct vt_error *err)
{
    r->changed = calloc((r->n_pages + 63) / 64, sizeof *r->changed);
    r->pages = malloc(r->n_pages * sizeof *r->pages);
    uint8_t **tables[] = {&r->classes, &r->owners, &r->own_classes, &r->own_owners};
    bool ok = r->changed != NULL && r->pages != NULL;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        *tables[i] = calloc(r->n_pages, 1);
        ok &= *tables[i] != NULL;
    }
    return ok ? vt_jpeg_create(&r->jpeg, err) : vt_fail(err, VT_E_NOMEM, "out of memory");
}

static void free_all(struct vt_renderer *r)
{
    vt_highlights_fini(&r->highlights);
    vt_highlights_fini(&r->own_highlights);
    vt_jpeg_destroy(r->jpeg);
    free(r->changed);
    free(r->pages);
    free(r->classes);
    free(r->owners);
    free(r->own_classes);
    free(r->own_owners);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int vt_renderer_create(struct vt_stream *s, struct vt_renderer **renderer, struct vt_error *err)
{
    struct vt_renderer *r = calloc(1, sizeof *r);
    pthread_condattr_t monotonic;
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    r->stream = s;
    r->ram = s->target.ram;
    r->n_pages = s->n_pages;
    r->now_ns = vt_now_ns();
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = make_tables(r, err);
    /* The signal mask is that of the stream's thread. */
    int failed = rc == 0 ? pthread_create(&r->thread, NULL, run, r) : 0;
    if (failed != 0) {
        rc = vt_fail_errno(err, VT_E_NOMEM, failed, "cannot start a thread");
    }
    if (rc != 0) {
        free_all(r);
        return rc;
    }
    *renderer = r;
    return 0;
}

void vt_renderer_destroy(struct vt_renderer *r)
{
    if (r != NULL) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        free_all(r);
    }
}
