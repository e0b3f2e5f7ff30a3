/* volume/controls.c - what keys, buttons, wheel and drags mean: see controls.h.
 *
 *   panes       sizes, RAM, moving linked cameras together
 *   flights
 *   pointer     drags, clicks, the wheel
 *   keys
 */
#include "volume/controls.h"

#include "volume/overlay.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
/* A press that moves no further is a click. */
#define CLICK_PIXELS 4.0
/* Dragging over the picture's height turns half way round. */
#define ORBIT_HEIGHT PI
#define KEY_ORBIT (PI / 36)
#define KEY_PAN 0.05
#define KEY_ZOOM 0.85
#define WHEEL_ZOOM 0.87
#define WHEEL_MOST 12.0
#define FLIGHT_S 0.9
#define LINK_S 0.5
#define TURN_S 24.0 /* once round */
#define TURN_STEP_MOST_S 0.25
#define SLICE_STEP (1.0F / 64)
#define DENSITY_STEP 1.25F
#define DENSITY_MIN (1.0F / 64)
#define DENSITY_MAX 64.0F
/* A visited page takes so manieth of the picture: what is around it is seen, too. */
#define VISIT_TIMES 6

/* ---- panes ---- */

/* From the same side, so that all of its RAM is seen between an overlay's bands. */
static void frame_whole(const struct vt_controls_pane *pane, const struct vt_scene *scene,
                        struct vt_camera *camera)
{
    vt_overlay_frame(camera, &pane->whole, pane->order, (uint32_t)pane->width,
                     (uint32_t)pane->height, scene->labels);
}

void vt_controls_init(struct vt_controls *controls, unsigned n_panes)
{
    *controls = (struct vt_controls){.linked = true, .turned_s = -1, .plane = 2};
    controls->n_panes = n_panes < 1 ? 1 : n_panes > VT_CONTROLS_PANES ? VT_CONTROLS_PANES : n_panes;
    vt_scene_init(&controls->scene);
    for (unsigned i = 0; i < controls->n_panes; i++) {
        (void)vt_camera_named("iso", &controls->pane[i].camera, NULL);
        controls->pane[i].width = controls->pane[i].height = 1;
    }
}

void vt_controls_resize(struct vt_controls *controls, unsigned pane, double width, double height)
{
    if (pane < controls->n_panes && width >= 1 && height >= 1) {
        controls->pane[pane].width = width;
        controls->pane[pane].height = height;
    }
}

void vt_controls_volume(struct vt_controls *controls, unsigned pane, uint64_t ram_bytes)
{
    if (pane >= controls->n_panes || ram_bytes == 0) {
        return;
    }
    struct vt_controls_pane *p = &controls->pane[pane];
    bool first = p->order == 0;
    unsigned order = vt_volume_order(ram_bytes);
    struct vt_box whole;
    if (vt_volume_box(order, VT_OFF(0), ram_bytes, &whole, NULL) == 0) {
        p->order = order;
        p->whole = whole;
    }
    if (!first || p->order == 0) {
        return;
    }
    /* Linked cameras are where the first of them is. */
    unsigned i = 0;
    while (i < controls->n_panes && (i == pane || controls->pane[i].order == 0)) {
        i++;
    }
    if (controls->linked && i < controls->n_panes) {
        p->camera = controls->pane[i].camera;
    } else {
        frame_whole(p, &controls->scene, &p->camera);
    }
    controls->camera_changes++;
}

/* Whether pane i moves when `pane` does. */
static bool moves(const struct vt_controls *controls, unsigned pane, unsigned i)
{
    return i == pane || controls->linked;
}

static void stop_flights(struct vt_controls *controls, unsigned pane)
{
    for (unsigned i = 0; i < controls->n_panes; i++) {
        if (moves(controls, pane, i)) {
            controls->pane[i].lasts_s = 0;
        }
    }
}

/* The pane's camera was moved by hand: linked ones are where it is. */
static void moved(struct vt_controls *controls, unsigned pane)
{
    stop_flights(controls, pane);
    for (unsigned i = 0; i < controls->n_panes; i++) {
        if (moves(controls, pane, i)) {
            controls->pane[i].camera = controls->pane[pane].camera;
        }
    }
    controls->camera_changes++;
}

/* ---- flights ---- */

static void fly_one(struct vt_controls_pane *pane, const struct vt_camera *to, double lasts_s,
                    double now_s)
{
    pane->from = pane->camera;
    pane->to = *to;
    pane->began_s = now_s;
    pane->lasts_s = lasts_s;
}

void vt_controls_fly(struct vt_controls *controls, unsigned pane, const struct vt_camera *to,
                     double now_s)
{
    for (unsigned i = 0; pane < controls->n_panes && i < controls->n_panes; i++) {
        if (moves(controls, pane, i)) {
            fly_one(&controls->pane[i], to, FLIGHT_S, now_s);
        }
    }
}

void vt_controls_visit(struct vt_controls *controls, unsigned pane, struct vt_off offset,
                       double now_s)
{
    struct vt_box box;
    if (pane >= controls->n_panes ||
        vt_volume_box(controls->pane[pane].order, VT_OFF(offset.v & ~(VT_PAGE_BYTES - 1)),
                      VT_PAGE_BYTES, &box, NULL) != 0) {
        return;
    }
    struct vt_controls_pane *p = &controls->pane[pane];
    struct vt_camera to = p->camera;
    vt_camera_frame(&to, &box, p->order, p->width / p->height);
    vt_camera_zoom(&to, VISIT_TIMES);
    vt_controls_fly(controls, pane, &to, now_s);
}

bool vt_controls_busy(const struct vt_controls *controls)
{
    bool flying = false;
    for (unsigned i = 0; i < controls->n_panes; i++) {
        flying |= controls->pane[i].lasts_s > 0;
    }
    return flying || controls->turntable;
}

bool vt_controls_tick(struct vt_controls *controls, double now_s)
{
    bool moving = controls->held && controls->dragged;
    for (unsigned i = 0; i < controls->n_panes; i++) {
        struct vt_controls_pane *p = &controls->pane[i];
        if (p->lasts_s > 0) {
            double t = (now_s - p->began_s) / p->lasts_s;
            vt_camera_fly(&p->from, &p->to, t, &p->camera);
            p->lasts_s = t < 1 ? p->lasts_s : 0;
            controls->camera_changes++;
            moving = true;
        }
    }
    if (!controls->turntable || controls->held || moving) {
        controls->turned_s = -1; /* and goes on from where it is then */
        return moving;
    }
    if (controls->turned_s >= 0) {
        double step_s = fmin(fmax(now_s - controls->turned_s, 0), TURN_STEP_MOST_S);
        for (unsigned i = 0; i < controls->n_panes; i++) {
            vt_camera_orbit(&controls->pane[i].camera, 2 * PI * step_s / TURN_S, 0);
        }
        controls->camera_changes++;
    }
    controls->turned_s = now_s;
    return true;
}

/* ---- pointer ---- */

/* What lies under the pointer, at the target's depth, stays there. */
static void zoom_at(struct vt_controls *controls, unsigned pane, double x, double y, double factor)
{
    struct vt_controls_pane *p = &controls->pane[pane];
    double before[3], after[3], was = 0, is = 0;
    for (unsigned k = 0; k < 3; k++) {
        before[k] = p->camera.eye[k] - p->camera.target[k];
        was += before[k] * before[k];
    }
    vt_camera_zoom(&p->camera, factor);
    for (unsigned k = 0; k < 3; k++) {
        after[k] = p->camera.eye[k] - p->camera.target[k];
        is += after[k] * after[k];
    }
    if (is > 0) {
        double by = sqrt(was / is) - 1; /* of the picture's height, as it is now */
        vt_camera_pan(&p->camera, by * (x - p->width / 2) / p->height,
                      -by * (y - p->height / 2) / p->height);
    }
    moved(controls, pane);
}

static void drag(struct vt_controls *controls, const struct vt_input *input)
{
    struct vt_controls_pane *p = &controls->pane[controls->active];
    if (!controls->dragged &&
        hypot(input->x - controls->press_x, input->y - controls->press_y) <= CLICK_PIXELS) {
        return;
    }
    controls->dragged = true;
    double dx = (input->x - controls->x) / p->height, dy = (input->y - controls->y) / p->height;
    controls->x = input->x;
    controls->y = input->y;
    if (controls->pans) {
        vt_camera_pan(&p->camera, -dx, dy);
    } else {
        vt_camera_orbit(&p->camera, -dx * ORBIT_HEIGHT, dy * ORBIT_HEIGHT);
    }
    moved(controls, controls->active);
}

static enum vt_action press(struct vt_controls *controls, const struct vt_input *input)
{
    if (!controls->held) {
        controls->held = true;
        controls->dragged = false;
        controls->button = input->button;
        controls->pans = input->button != VT_BUTTON_LEFT || input->shift;
        controls->active = input->pane;
        controls->x = controls->press_x = input->x;
        controls->y = controls->press_y = input->y;
    }
    return VT_ACTION_NONE;
}

static enum vt_action release(struct vt_controls *controls, const struct vt_input *input)
{
    if (!controls->held || input->button != controls->button) {
        return VT_ACTION_NONE;
    }
    bool click = !controls->dragged && controls->button == VT_BUTTON_LEFT && !controls->pans &&
                 input->pane == controls->active;
    controls->held = controls->dragged = false;
    if (!click) {
        return VT_ACTION_NONE;
    }
    return input->clicks == 2 ? VT_ACTION_VISIT : VT_ACTION_PICK;
}

/* ---- keys ---- */

static void fit(struct vt_controls *controls, double now_s)
{
    for (unsigned i = 0; i < controls->n_panes; i++) {
        struct vt_controls_pane *p = &controls->pane[i];
        if (moves(controls, controls->active, i)) {
            struct vt_camera to = p->camera;
            frame_whole(p, &controls->scene, &to);
            fly_one(p, &to, FLIGHT_S, now_s);
        }
    }
}

static void view(struct vt_controls *controls, unsigned i, double now_s)
{
    static const char *const names[] = {"iso", "front", "back", "left", "right", "top", "bottom"};
    struct vt_controls_pane *p = &controls->pane[controls->active];
    struct vt_camera to;
    if (vt_camera_named(names[i], &to, NULL) == 0) {
        frame_whole(p, &controls->scene, &to);
        vt_controls_fly(controls, controls->active, &to, now_s);
    }
}

static void arrow(struct vt_controls *controls, uint32_t key, bool shift)
{
    double right = key == VT_KEY_RIGHT ? 1 : key == VT_KEY_LEFT ? -1 : 0;
    double up = key == VT_KEY_UP ? 1 : key == VT_KEY_DOWN ? -1 : 0;
    struct vt_camera *camera = &controls->pane[controls->active].camera;
    if (shift) {
        vt_camera_pan(camera, right * KEY_PAN, up * KEY_PAN);
    } else {
        vt_camera_orbit(camera, right * KEY_ORBIT, up * KEY_ORBIT);
    }
    moved(controls, controls->active);
}

static void link_cameras(struct vt_controls *controls, double now_s)
{
    controls->linked = !controls->linked;
    for (unsigned i = 0; controls->linked && i < controls->n_panes; i++) {
        if (i != controls->active) {
            fly_one(&controls->pane[i], &controls->pane[controls->active].camera, LINK_S, now_s);
        }
    }
    controls->scene_changes++;
}

/* Keys that change the scene. False: it is none of them. */
static bool scene_key(struct vt_controls *controls, uint32_t key)
{
    struct vt_scene *s = &controls->scene;
    const struct {
        uint32_t key;
        bool *flag;
    } flags[] = {{'h', &s->heat},        {'b', &s->boxes},       {'l', &s->labels},
                 {'f', &s->frame},       {'d', &s->dim_others},  {'x', &s->slice_on[0]},
                 {'y', &s->slice_on[1]}, {'z', &s->slice_on[2]}, {'?', &controls->help}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (key == flags[i].key) {
            *flags[i].flag = !*flags[i].flag;
            controls->plane = key >= 'x' && key <= 'z' ? key - 'x' : controls->plane;
            return true;
        }
    }
    float *slice = &s->slice[controls->plane];
    switch (key) {
    case 'p':
        s->palette = s->palette == VT_PALETTE_DEFAULT ? VT_PALETTE_COLORBLIND : VT_PALETTE_DEFAULT;
        return true;
    case 'm':
        controls->method = controls->method == VT_METHOD_MARCH ? VT_METHOD_SLICES : VT_METHOD_MARCH;
        return true;
    case '[':
    case ']':
        s->slice_on[controls->plane] = true;
        *slice = fminf(fmaxf(*slice + (key == ']' ? SLICE_STEP : -SLICE_STEP), 0), 1);
        return true;
    case 't':
        s->density = fmaxf(s->density / DENSITY_STEP, DENSITY_MIN);
        return true;
    case 'T':
        s->density = fminf(s->density * DENSITY_STEP, DENSITY_MAX);
        return true;
    default:
        return false;
    }
}

static enum vt_action key_pressed(struct vt_controls *controls, const struct vt_input *input,
                                  double now_s)
{
    struct vt_controls_pane *p = &controls->pane[controls->active];
    uint32_t key = input->key;
    if (scene_key(controls, key)) {
        controls->scene_changes++;
        return VT_ACTION_NONE;
    }
    if (key >= '1' && key <= '7') {
        view(controls, key - '1', now_s);
        return VT_ACTION_NONE;
    }
    switch (key) {
    case VT_KEY_LEFT:
    case VT_KEY_RIGHT:
    case VT_KEY_UP:
    case VT_KEY_DOWN:
        arrow(controls, key, input->shift);
        return VT_ACTION_NONE;
    case '+':
    case '=': /* the same key without shift, on many keyboards */
    case '-':
        zoom_at(controls, controls->active, p->width / 2, p->height / 2,
                key == '-' ? 1 / KEY_ZOOM : KEY_ZOOM);
        return VT_ACTION_NONE;
    case '0':
        fit(controls, now_s);
        return VT_ACTION_NONE;
    case 'r':
        controls->turntable = !controls->turntable;
        controls->scene_changes++;
        return VT_ACTION_NONE;
    case 'k':
        link_cameras(controls, now_s);
        return VT_ACTION_NONE;
    case VT_KEY_ESCAPE:
        controls->help = false;
        controls->scene_changes++;
        return VT_ACTION_CLEAR;
    case VT_KEY_F11:
        return VT_ACTION_FULLSCREEN;
    case VT_KEY_F12:
        return VT_ACTION_SCREENSHOT;
    case 'q':
        return VT_ACTION_QUIT;
    default:
        return VT_ACTION_NONE;
    }
}

enum vt_action vt_controls_input(struct vt_controls *controls, const struct vt_input *input,
                                 double now_s)
{
    bool finite = isfinite(input->x) && isfinite(input->y) && isfinite(input->amount);
    if (input->pane >= controls->n_panes || !finite) {
        return VT_ACTION_NONE;
    }
    switch (input->kind) {
    case VT_INPUT_PRESS:
        return press(controls, input);
    case VT_INPUT_RELEASE:
        return release(controls, input);
    case VT_INPUT_MOTION:
        if (controls->held) {
            drag(controls, input);
        }
        return VT_ACTION_NONE;
    case VT_INPUT_WHEEL:
        controls->active = input->pane;
        zoom_at(controls, input->pane, input->x, input->y,
                pow(WHEEL_ZOOM, fmin(fmax(input->amount, -WHEEL_MOST), WHEEL_MOST)));
        return VT_ACTION_NONE;
    case VT_INPUT_PINCH:
        if (input->amount > 0) {
            controls->active = input->pane;
            zoom_at(controls, input->pane, input->x, input->y, 1 / input->amount);
        }
        return VT_ACTION_NONE;
    case VT_INPUT_KEY:
        return key_pressed(controls, input, now_s);
    case VT_INPUT_LEAVE:
        controls->held = controls->dragged = false;
        return VT_ACTION_NONE;
    }
    return VT_ACTION_NONE;
}
