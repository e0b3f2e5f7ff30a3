/* cli/view/viewer.c - the window with its VMs: see viewer.h.
 *
 *   device      opening it, and opening another when it was lost
 *   layout      panes beside each other
 *   inputs      what the controls do not do by themselves
 *   drawing     which panes are drawn, and how finely; a frame of them
 *   the loop    waits for events; looks at RAM now and then; draws when something is to be seen
 */
#include "cli/view/viewer.h"

#include "base/io.h"
#include "cli/view/hud.h"
#include "cli/view/say.h"
#include "cli/view/window.h"
#include "volume/compose.h"
#include "volume/gpu/gpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PANES VT_CONTROLS_PANES
#define LOOK_S (1.0 / 30)      /* between looks while RAM changes */
#define LOOK_QUIET_S (1.0 / 8) /* and while it does not */
#define QUIET_AFTER_S 1.0
#define RAM_FPS 20.0  /* pictures a second of what only RAM or its glow changes */
#define RAM_SHARE 0.5 /* of the time that drawing them may take */
#define SHOW_WEIGHT 0.2
#define HAND_S 0.3 /* a hand that holds still for so long is at rest */
#define LINE_PIXELS 1u
#define LOST_MAX 3 /* devices in a row that do not live for LOST_S */
#define LOST_S 10.0
#define WAIT_MAX_MS 250.0 /* signals are looked at in between */

struct vt_viewer {
    const struct vt_viewer_options *options;
    struct vt_window *window;
    struct vt_gpu *gpu;
    struct vt_present *present;
    struct vt_compose *compose;
    struct vt_controls controls;
    struct vt_pane panes[PANES];
    struct vt_canvas *overlays[PANES];
    struct vt_present_target size; /* of the frame */
    bool again;                    /* the frame must be made again, whatever changed */
    bool placed;                   /* panes have new places */

    double began_s, frame_s;  /* the last frame */
    double moved_s;           /* the camera's last change */
    double show_s;            /* what a frame takes beside its pictures, lately */
    double drawn_s;           /* what the last frame's pictures took */
    uint32_t cameras, scenes; /* changes of the controls that were drawn */
    uint32_t said_cameras, said_scenes;
    double fps;
    double device_s; /* when it was opened */
    unsigned lost, complaints;
    const char *closed; /* why it ends; NULL: it does not */

    uint64_t frames, drawn, moving_frames;
    double moving_s, drawing_s;
};

static double now(void)
{
    return (double)vt_now_ns() / 1e9;
}

/* ---------------------------------------------------------------- device */

/* What the validation layers complained of, where they were asked for, fails the verb. */
static void close_device(struct vt_viewer *v)
{
    const char *complaint = v->gpu != NULL ? vt_gpu_complaint(v->gpu) : NULL;
    if (complaint != NULL) {
        fprintf(stderr, "vitrine view: %s\n", complaint);
    }
    for (unsigned i = 0; i < v->options->n; i++) {
        struct vt_target keep = v->panes[i].target;
        v->panes[i].target = (struct vt_target){0};
        vt_pane_end(&v->panes[i]);
        v->panes[i].target = keep;
    }
    vt_compose_destroy(v->compose);
    vt_present_destroy(v->present);
    v->complaints += vt_gpu_close(v->gpu);
    v->compose = NULL;
    v->present = NULL;
    v->gpu = NULL;
}

static int open_device(struct vt_viewer *v, struct vt_error *err)
{
    const struct vt_gpu_options options = {.name = v->options->scene.gpu, .windows = true};
    int rc = vt_gpu_open(&options, &v->gpu, err);
    if (rc == 0) {
        rc = vt_present_create(v->gpu, vt_window_surface, v->window, &v->present, err);
    }
    if (rc == 0) {
        rc = vt_compose_create(v->gpu, &v->compose, err);
    }
    v->device_s = now();
    v->size = (struct vt_present_target){0};
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        bool ended = v->panes[i].ended;
        if (!ended) {
            rc = vt_pane_begin(&v->panes[i], v->gpu, now(), err);
        }
        vt_adapt_init(&v->panes[i].adapt, 1.0 / 30);
    }
    return rc;
}

/* Everything anew on a device that works; RAM is all that is needed for it. */
static int reopen_device(struct vt_viewer *v, const struct vt_error *why, struct vt_error *err)
{
    v->lost = now() - v->device_s < LOST_S ? v->lost + 1 : 1;
    if (v->lost >= LOST_MAX) {
        *err = *why;
        return why->code;
    }
    fprintf(stderr, "vitrine view: %s; beginning again\n", why->message);
    close_device(v);
    v->again = true;
    return open_device(v, err);
}

/* ---------------------------------------------------------------- layout */

/* Beside each other; four in two rows. A line of background lies between them. */
static void cell_of(const struct vt_viewer *v, unsigned i, uint32_t cell[4])
{
    unsigned n = v->options->n, rows = n == 4 ? 2 : 1, columns = n / rows;
    uint32_t column = i % columns, row = i / columns;
    uint32_t x0 = v->size.width * column / columns, x1 = v->size.width * (column + 1) / columns;
    uint32_t y0 = v->size.height * row / rows, y1 = v->size.height * (row + 1) / rows;
    x0 += column > 0 ? LINE_PIXELS : 0;
    y0 += row > 0 ? LINE_PIXELS : 0;
    cell[0] = x0;
    cell[1] = y0;
    cell[2] = x1 > x0 ? x1 - x0 : 0;
    cell[3] = y1 > y0 ? y1 - y0 : 0;
}

static int place(struct vt_viewer *v, struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        uint32_t c[4];
        cell_of(v, i, c);
        vt_canvas_destroy(v->overlays[i]);
        v->overlays[i] = NULL;
        vt_controls_resize(&v->controls, i, c[2], c[3]);
        rc = vt_pane_place(&v->panes[i], v->gpu, c[0], c[1], c[2], c[3], err);
    }
    v->again = v->placed = true;
    return rc;
}

/* The frame fits the window. Without anything to be seen its size is 0. */
static int fit(struct vt_viewer *v, struct vt_error *err)
{
    uint32_t width, height;
    struct vt_present_target size = {0};
    vt_window_size(v->window, &width, &height);
    int rc = width > 0 ? vt_present_target(v->present, width, height, &size, err) : 0;
    if (rc != 0) {
        return rc;
    }
    bool same = size.width == v->size.width && size.height == v->size.height;
    bool first = v->size.width == 0;
    if (size.width == 0 || same) {
        v->size = size.width == 0 ? v->size : size;
        return 0;
    }
    v->size = size;
    rc = place(v, err);
    if (rc == 0 && v->frames > 0 && !first) {
        vt_say_size(v->options->args, size.width, size.height);
    }
    return rc;
}

/* Where cameras begin. */
static int look_from(struct vt_viewer *v, struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        struct vt_pane *pane = &v->panes[i];
        struct vt_scene_args given = v->options->scene;
        struct vt_scene scene;
        struct vt_camera camera;
        given.width = pane->width;
        given.height = pane->height;
        rc = vt_scene_args_place(&given, pane->target.ram, pane->follow, &camera, &scene, err);
        vt_controls_volume(&v->controls, i, vt_ram_size(pane->target.ram));
        if (rc == 0) {
            v->controls.pane[i].camera =
                v->controls.linked && i > 0 ? v->controls.pane[0].camera : camera;
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- inputs */

static int save(struct vt_viewer *v, struct vt_error *err);

/* Into the pane it is in; a drag stays with the pane it began in. */
static void to_pane(const struct vt_viewer *v, struct vt_input *input)
{
    unsigned at = v->controls.active;
    for (unsigned i = 0; !v->controls.held && i < v->options->n; i++) {
        const struct vt_pane *p = &v->panes[i];
        if (input->x >= p->x && input->x < p->x + p->width && input->y >= p->y &&
            input->y < p->y + p->height) {
            at = i;
        }
    }
    input->pane = at;
    input->x -= v->panes[at].x;
    input->y -= v->panes[at].y;
}

static int pick(struct vt_viewer *v, const struct vt_input *input, bool visit, struct vt_error *err)
{
    struct vt_pane *pane = &v->panes[input->pane];
    int rc = vt_pane_pick_at(pane, input->x, input->y, err);
    if (rc == VT_E_INVAL) { /* nothing was drawn yet */
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    pane->news = true;
    vt_say_pick(v->options->args, pane, input->x, input->y);
    if (visit && pane->pick.there) {
        vt_controls_visit(&v->controls, input->pane, pane->pick.at.offset, now());
    }
    return 0;
}

static int act(struct vt_viewer *v, const struct vt_input *input, enum vt_action action,
               struct vt_error *err)
{
    switch (action) {
    case VT_ACTION_NONE:
        return 0;
    case VT_ACTION_PICK:
    case VT_ACTION_VISIT:
        return pick(v, input, action == VT_ACTION_VISIT, err);
    case VT_ACTION_CLEAR:
        for (unsigned i = 0; i < v->options->n; i++) {
            v->panes[i].pick.there = false;
            v->panes[i].news = true;
        }
        return 0;
    case VT_ACTION_SCREENSHOT:
        return save(v, err);
    case VT_ACTION_FULLSCREEN:
        vt_window_toggle_fullscreen(v->window);
        return 0;
    case VT_ACTION_QUIT:
        v->closed = "quit";
        return 0;
    }
    return 0;
}

static int take_events(struct vt_viewer *v, int timeout_ms, struct vt_error *err)
{
    struct vt_window_event event;
    int rc = 0;
    for (int wait = timeout_ms; rc == 0 && vt_window_event(v->window, wait, &event); wait = 0) {
        if (event.kind == VT_WINDOW_CLOSED) {
            v->closed = "closed";
        } else if (event.kind == VT_WINDOW_CHANGED) {
            v->again = true;
        } else {
            to_pane(v, &event.input);
            enum vt_action action = vt_controls_input(&v->controls, &event.input, now());
            rc = act(v, &event.input, action, err);
        }
    }
    if (vt_interrupted != 0) {
        v->closed = "interrupted";
    }
    return rc;
}

/* ---------------------------------------------------------------- drawing */

static int draw_pane(struct vt_viewer *v, unsigned i, unsigned scale, struct vt_error *err)
{
    struct vt_pane *pane = &v->panes[i];
    int rc = vt_pane_draw(pane, &v->controls.pane[i].camera, &v->controls.scene, v->controls.method,
                          scale, now(), err);
    double took_s = (double)pane->cost.total_ns / 1e9;
    if (rc == 0) {
        vt_adapt_took(&pane->adapt, pane->width, pane->height, v->controls.method, took_s);
        pane->news = true;
        v->drawn_s += took_s;
        v->drawing_s += took_s;
        v->drawn++;
    }
    return rc;
}

static int draw_overlay(struct vt_viewer *v, unsigned i, struct vt_error *err)
{
    const struct vt_hud hud = {
        .pane = &v->panes[i],
        .camera = &v->controls.pane[i].camera,
        .controls = &v->controls,
        .device = vt_gpu_info(v->gpu)->name,
        .fps = v->fps,
    };
    struct vt_canvas *canvas;
    if (v->panes[i].width == 0 || v->panes[i].height == 0) {
        return 0;
    }
    int rc = vt_hud_draw(&hud, &canvas, err);
    if (rc == 0) {
        vt_canvas_destroy(v->overlays[i]);
        v->overlays[i] = canvas;
        v->panes[i].news = false;
    }
    return rc;
}

static int compose(struct vt_viewer *v, struct vt_error *err)
{
    struct vt_compose_pane panes[PANES];
    unsigned n = 0;
    for (unsigned i = 0; i < v->options->n; i++) {
        const struct vt_pane *p = &v->panes[i];
        if (p->width > 0 && p->height > 0) {
            panes[n++] = (struct vt_compose_pane){
                .view = p->view,
                .x = p->x,
                .y = p->y,
                .width = p->width,
                .height = p->height,
                .overlay = v->overlays[i],
                .grey = p->ended ? 0.75F : 0,
                .background = v->controls.scene.background,
            };
        }
    }
    return vt_compose_draw(v->compose, v->size.width, v->size.height, v->size.bgra, panes, n, NULL,
                           err);
}

/* Puts a frame together from what was drawn, and shows it. */
static int show(struct vt_viewer *v, bool moving, struct vt_error *err)
{
    double at_s = now(), since_s = at_s - v->frame_s;
    v->fps = since_s < 1 ? (v->fps > 0 ? 0.8 * v->fps + 0.2 / since_s : 1 / since_s) : 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        rc = v->panes[i].news || v->again ? draw_overlay(v, i, err) : 0;
    }
    bool shown = false;
    rc = rc != 0 ? rc : compose(v, err);
    rc = rc != 0 ? rc : vt_present_show(v->present, vt_compose_frame(v->compose), &shown, err);
    if (rc != 0) {
        return rc;
    }
    v->show_s += SHOW_WEIGHT * (now() - at_s - v->show_s);
    v->again = !shown;
    v->frame_s = at_s;
    v->frames += shown;
    if (moving && since_s < 1) {
        v->moving_frames++;
        v->moving_s += since_s;
    }
    return 0;
}

/* Draws what changed, as finely as there is time for. */
static int draw(struct vt_viewer *v, bool forced, struct vt_error *err)
{
    double at_s = now();
    bool cameras = v->cameras != v->controls.camera_changes;
    bool scenes = v->scenes != v->controls.scene_changes;
    bool moves = cameras || scenes || v->placed || vt_controls_busy(&v->controls);
    v->moved_s = cameras || scenes ? at_s : v->moved_s;
    bool hand = v->controls.held && v->controls.dragged && at_s - v->moved_s < HAND_S;
    /* What only RAM changes takes no more than its share of the time. */
    double rest_s = fmax(1 / RAM_FPS, v->drawn_s / RAM_SHARE);
    bool due = forced || at_s - v->frame_s >= rest_s;
    double frame_s = 1 / fmin(v->options->fps, vt_gpu_info(v->gpu)->software ? 30 : 60);
    double budget_s = fmax(frame_s - v->show_s, frame_s / 4) / v->options->n;
    bool news = v->again;
    int rc = 0;
    v->drawn_s = at_s - v->frame_s >= rest_s || moves ? 0 : v->drawn_s;
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        struct vt_pane *p = &v->panes[i];
        bool glows = vt_pane_glows(p, &v->controls.scene, at_s);
        bool changed = (p->changed && (p->adapt.scale == 0 || due)) || (glows && due) || forced;
        unsigned scale = 0;
        p->adapt.budget_s = budget_s;
        if (!hand || moves || changed) {
            scale = vt_adapt_next(&p->adapt, p->width, p->height, v->controls.method, moves || hand,
                                  changed);
        }
        rc = scale != 0 ? draw_pane(v, i, scale, err) : 0;
        p->news |= scenes;
        news |= p->news;
    }
    v->cameras = v->controls.camera_changes;
    v->scenes = v->controls.scene_changes;
    v->placed = false;
    return rc == 0 && news ? show(v, moves, err) : rc;
}

/* Every pane is as fine as it gets, and in the frame. */
static int draw_finest(struct vt_viewer *v, struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        v->panes[i].adapt.scale = 1;
        rc = draw_pane(v, i, 1, err);
    }
    return rc == 0 ? show(v, false, err) : rc;
}

static int save(struct vt_viewer *v, struct vt_error *err)
{
    char made[64];
    const char *path = v->options->screenshot;
    struct vt_canvas *canvas;
    int rc = draw_finest(v, err);
    rc = rc != 0 ? rc : vt_compose_canvas(v->compose, &canvas, err);
    if (rc != 0) {
        return rc;
    }
    if (path == NULL) {
        time_t at = time(NULL);
        struct tm tm;
        strftime(made, sizeof made, "vitrine-%Y%m%d-%H%M%S.png", localtime_r(&at, &tm));
        path = made;
    }
    struct vt_error why;
    if (vt_canvas_write_png(canvas, path, &why) == 0) {
        vt_say_saved(v->options->args, path);
    } else if (v->options->frames > 0) {
        rc = vt_fail(err, why.code, "%s", why.message);
    } else { /* a full disk is no reason to close the window */
        fprintf(stderr, "vitrine view: %s\n", why.message);
    }
    vt_canvas_destroy(canvas);
    return rc;
}

/* ---------------------------------------------------------------- the loop */

static int look(struct vt_viewer *v, struct vt_error *err)
{
    int rc = 0;
    double at_s = now();
    for (unsigned i = 0; rc == 0 && i < v->options->n; i++) {
        struct vt_pane *p = &v->panes[i];
        double every_s = at_s - p->changed_s < QUIET_AFTER_S ? LOOK_S : LOOK_QUIET_S;
        bool back = false;
        if (p->ended) {
            rc = vt_pane_revive(p, v->gpu, at_s, &back, err);
        } else if (at_s - p->looked_s >= every_s) {
            rc = vt_pane_look(p, at_s, err);
            if (rc == 0 && p->ended) {
                vt_say_vm(v->options->args, p, "ended");
            }
        }
        if (rc == 0 && back) {
            vt_controls_volume(&v->controls, i, vt_ram_size(p->target.ram));
            p->changed = p->news = true;
            vt_say_vm(v->options->args, p, "back");
        }
    }
    return rc;
}

static bool settled(const struct vt_viewer *v)
{
    bool fine = !v->again && v->cameras == v->controls.camera_changes &&
                v->scenes == v->controls.scene_changes && !vt_controls_busy(&v->controls);
    for (unsigned i = 0; i < v->options->n; i++) {
        fine &= v->panes[i].adapt.scale == 1 || v->panes[i].view == NULL;
    }
    return fine;
}

/* How long to wait for an event: until the next picture may be shown, or the next look is due. */
static int wait_ms(const struct vt_viewer *v, double began_s)
{
    double at_s = now(), wait_s = WAIT_MAX_MS / 1000;
    if (v->size.width > 0 && (v->options->frames > 0 || !settled(v))) {
        wait_s = fmax(began_s + 1 / v->options->fps - at_s, 0);
    }
    for (unsigned i = 0; i < v->options->n; i++) {
        const struct vt_pane *p = &v->panes[i];
        double every_s = at_s - p->changed_s < QUIET_AFTER_S ? LOOK_S : LOOK_QUIET_S;
        if (!p->ended && p->seen.tick != 0) {
            wait_s = fmin(wait_s, fmax(p->looked_s + every_s - at_s, 0));
        }
        if (vt_pane_glows(p, &v->controls.scene, at_s)) {
            wait_s = fmin(wait_s, 1 / RAM_FPS);
        }
    }
    return (int)ceil(1000 * wait_s);
}

static void say_news(struct vt_viewer *v, bool moving)
{
    if (v->said_scenes != v->controls.scene_changes) {
        v->said_scenes = v->controls.scene_changes;
        vt_say_scene(v->options->args, &v->controls);
    }
    if (!moving && !v->controls.held && v->said_cameras != v->controls.camera_changes) {
        v->said_cameras = v->controls.camera_changes;
        vt_say_camera(v->options->args, &v->controls, v->panes);
    }
}

static int step(struct vt_viewer *v, struct vt_error *err)
{
    const struct vt_viewer_options *o = v->options;
    double began_s = now();
    bool moving = vt_controls_tick(&v->controls, began_s);
    int rc = look(v, err);
    rc = rc != 0 ? rc : fit(v, err);
    if (rc == 0 && v->size.width > 0) {
        rc = draw(v, o->frames > 0, err);
    }
    if (rc != 0) {
        return rc;
    }
    say_news(v, moving);
    if (o->frames > 0 && v->frames >= o->frames) {
        v->closed = "frames";
        return o->screenshot != NULL ? save(v, err) : 0;
    }
    return take_events(v, wait_ms(v, began_s), err);
}

static int begin(struct vt_viewer *v, struct vt_error *err)
{
    const struct vt_viewer_options *o = v->options;
    char title[128];
    snprintf(title, sizeof title, "vitrine \u2013 %.64s%s", o->names[0], o->n > 1 ? " \u2026" : "");
    vt_controls_init(&v->controls, o->n);
    v->controls.scene = o->scene.scene;
    v->controls.method = o->scene.method;
    /* A window for Vulkan needs a driver, too; SDL would say so in other words. */
    const struct vt_gpu_options gpu = {.name = o->scene.gpu};
    struct vt_gpu_info info;
    int rc = vt_gpu_find(&gpu, &info, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_window_create(title, o->scene.width, o->scene.height, o->fullscreen, &v->window, err);
    rc = rc != 0 ? rc : open_device(v, err);
    v->began_s = now();
    rc = rc != 0 ? rc : fit(v, err);
    rc = rc != 0 ? rc : look_from(v, err);
    if (rc == 0) {
        v->said_cameras = v->controls.camera_changes;
        v->said_scenes = v->controls.scene_changes;
        vt_say_opened(o->args, v->panes, o->n, v->gpu, v->size.width, v->size.height);
    }
    return rc;
}

static void say_closed(struct vt_viewer *v)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    struct vt_view_figures f = {
        .frames = v->frames,
        .drawn = v->drawn,
        .seconds = now() - v->began_s,
        .moving_fps = v->moving_s > 0 ? (double)v->moving_frames / v->moving_s : 0,
        .drawing_ms = v->drawn > 0 ? 1000 * v->drawing_s / (double)v->drawn : 0,
        .processor_s = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9,
    };
    for (unsigned i = 0; i < v->options->n; i++) {
        f.gpu_bytes += v->panes[i].volume != NULL ? vt_volume_gpu_bytes(v->panes[i].volume) : 0;
    }
    vt_say_closed(v->options->args, v->closed, &f);
}

int vt_viewer_run(const struct vt_viewer_options *options, struct vt_target *targets,
                  struct vt_error *err)
{
    struct vt_viewer v = {.options = options, .again = true};
    for (unsigned i = 0; i < options->n; i++) {
        v.panes[i] = (struct vt_pane){
            .name = options->names[i],
            .options = {.no_highlights = options->scene.no_highlights},
            .only_pid = options->scene.only_pid,
            .memory_bytes = options->memory_bytes / options->n,
            .target = targets[i],
        };
        targets[i] = (struct vt_target){0};
    }
    int rc = begin(&v, err);
    while (rc == 0 && v.closed == NULL) {
        struct vt_error why;
        rc = step(&v, &why);
        if (rc != 0 && v.gpu != NULL && vt_gpu_gone(v.gpu)) {
            rc = reopen_device(&v, &why, err);
        } else if (rc != 0) {
            rc = vt_fail(err, why.code, "%s", why.message);
        }
    }
    if (rc == 0) {
        say_closed(&v);
    }
    close_device(&v);
    if (rc == 0 && v.complaints > 0) {
        rc = vt_fail(err, VT_E_PROTOCOL, "Vulkan's validation layers had %u complaints",
                     v.complaints);
    }
    vt_window_destroy(v.window);
    for (unsigned i = 0; i < options->n; i++) {
        vt_canvas_destroy(v.overlays[i]);
        (void)vt_target_close(&v.panes[i].target, NULL);
    }
    return rc;
}
