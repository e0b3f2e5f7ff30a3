/* cli/view/say.c - what happens in the window, told on stdout: see say.h. */
#include "cli/view/say.h"

#include <inttypes.h>
#include <stdio.h>

/* An event is a line that readers get at once. */
static void begin(const struct vt_args *args, struct vt_json_writer *w, const char *event)
{
    vt_json_init(w, stdout, vt_args_pretty(args));
    vt_json_object(w);
    vt_json_kv_string(w, "event", event);
}

static void end(struct vt_json_writer *w)
{
    vt_json_object_end(w);
    vt_json_finish(w);
    fflush(stdout);
}

static void numbers(struct vt_json_writer *w, const char *key, const double v[3])
{
    vt_json_key(w, key);
    vt_json_array(w);
    for (unsigned k = 0; k < 3; k++) {
        vt_json_f64(w, v[k], 9);
    }
    vt_json_array_end(w);
}

void vt_say_opened(const struct vt_args *args, const struct vt_pane *panes, unsigned n,
                   const struct vt_gpu *gpu, uint32_t width, uint32_t height)
{
    struct vt_json_writer w;
    if (!vt_args_json(args)) {
        return;
    }
    begin(args, &w, "opened");
    vt_json_kv_string(&w, "device", vt_gpu_info(gpu)->name);
    vt_json_kv_u64(&w, "width", width);
    vt_json_kv_u64(&w, "height", height);
    vt_json_key(&w, "vms");
    vt_json_array(&w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_object(&w);
        vt_json_kv_string(&w, "vm", panes[i].name);
        vt_json_kv_u64(&w, "ram_bytes", vt_ram_size(panes[i].target.ram));
        vt_json_kv_string(&w, "system", panes[i].seen.system);
        vt_json_kv_bool(&w, "understood", panes[i].seen.understood);
        vt_json_kv_u64(&w, "x", panes[i].x);
        vt_json_kv_u64(&w, "y", panes[i].y);
        vt_json_kv_u64(&w, "width", panes[i].width);
        vt_json_kv_u64(&w, "height", panes[i].height);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    end(&w);
}

void vt_say_size(const struct vt_args *args, uint32_t width, uint32_t height)
{
    struct vt_json_writer w;
    if (!vt_args_json(args)) {
        return;
    }
    begin(args, &w, "size");
    vt_json_kv_u64(&w, "width", width);
    vt_json_kv_u64(&w, "height", height);
    end(&w);
}

void vt_say_camera(const struct vt_args *args, const struct vt_controls *controls,
                   const struct vt_pane *panes)
{
    struct vt_json_writer w;
    if (!vt_args_json(args)) {
        return;
    }
    begin(args, &w, "camera");
    vt_json_kv_bool(&w, "linked", controls->linked);
    vt_json_key(&w, "cameras");
    vt_json_array(&w);
    for (unsigned i = 0; i < controls->n_panes; i++) {
        const struct vt_camera *c = &controls->pane[i].camera;
        vt_json_object(&w);
        vt_json_kv_string(&w, "vm", panes[i].name);
        numbers(&w, "eye", c->eye);
        numbers(&w, "target", c->target);
        numbers(&w, "up", c->up);
        vt_json_kv_f64(&w, "fov_y", c->fov_y, 9);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    end(&w);
}

void vt_say_scene(const struct vt_args *args, const struct vt_controls *controls)
{
    const struct vt_scene *s = &controls->scene;
    struct vt_json_writer w;
    if (!vt_args_json(args)) {
        return;
    }
    begin(args, &w, "scene");
    vt_json_kv_string(&w, "palette", s->palette == VT_PALETTE_DEFAULT ? "default" : "colorblind");
    vt_json_kv_string(&w, "method", controls->method == VT_METHOD_MARCH ? "march" : "slices");
    vt_json_kv_f64(&w, "density", (double)s->density, 6);
    vt_json_kv_bool(&w, "heat", s->heat);
    vt_json_kv_bool(&w, "boxes", s->boxes);
    vt_json_kv_bool(&w, "labels", s->labels);
    vt_json_kv_bool(&w, "frame", s->frame);
    vt_json_kv_bool(&w, "dim_others", s->dim_others);
    vt_json_key(&w, "slices");
    vt_json_object(&w);
    for (unsigned k = 0; k < 3; k++) {
        const char name[2] = {(char)('x' + k), '\0'};
        if (s->slice_on[k]) {
            vt_json_kv_f64(&w, name, (double)s->slice[k], 6);
        }
    }
    vt_json_object_end(&w);
    vt_json_kv_bool(&w, "turntable", controls->turntable);
    vt_json_kv_bool(&w, "linked", controls->linked);
    vt_json_kv_bool(&w, "help", controls->help);
    end(&w);
}

static void pick_json(const struct vt_args *args, const struct vt_pane *pane, double x, double y)
{
    const struct vt_pane_pick *pick = &pane->pick;
    struct vt_json_writer w;
    begin(args, &w, "pick");
    vt_json_kv_string(&w, "vm", pane->name);
    vt_json_kv_f64(&w, "x", x, 6);
    vt_json_kv_f64(&w, "y", y, 6);
    vt_json_kv_bool(&w, "hit", pick->there);
    if (pick->there) {
        vt_json_key(&w, "gpa");
        pick->has_gpa ? vt_json_hex(&w, pick->gpa.v) : vt_json_null(&w);
        vt_json_kv_hex(&w, "offset", pick->at.offset.v);
        vt_json_kv_u64(&w, "page", pick->at.offset.v >> VT_PAGE_SHIFT);
        vt_json_kv_u64(&w, "value", pick->at.value);
        vt_json_kv_string(&w, "class", vt_class_name((enum vt_page_class)pick->at.page_class));
        vt_json_kv_string(&w, "owner", pick->owner[0] != '\0' ? pick->owner : NULL);
        vt_json_kv_string(&w, "highlight", pick->label[0] != '\0' ? pick->label : NULL);
    }
    end(&w);
}

void vt_say_pick(const struct vt_args *args, const struct vt_pane *pane, double x, double y)
{
    const struct vt_pane_pick *pick = &pane->pick;
    if (vt_args_json(args)) {
        pick_json(args, pane, x, y);
    } else if (pick->there) {
        printf("%s 0x%" PRIx64 " %s%s%s%s%s\n", pane->name,
               pick->has_gpa ? pick->gpa.v : pick->at.offset.v,
               vt_class_title((enum vt_page_class)pick->at.page_class),
               pick->owner[0] != '\0' ? ", of " : "", pick->owner,
               pick->label[0] != '\0' ? ", in " : "", pick->label);
        fflush(stdout);
    }
}

void vt_say_vm(const struct vt_args *args, const struct vt_pane *pane, const char *state)
{
    struct vt_json_writer w;
    if (vt_args_json(args)) {
        begin(args, &w, "vm");
        vt_json_kv_string(&w, "vm", pane->name);
        vt_json_kv_string(&w, "state", state);
        vt_json_kv_u64(&w, "ram_bytes", vt_ram_size(pane->target.ram));
        end(&w);
    } else {
        fprintf(stderr, "vitrine view: %s %s\n", pane->name,
                state[0] == 'e' ? "has ended; its last picture stays" : "is back");
    }
}

void vt_say_saved(const struct vt_args *args, const char *path)
{
    struct vt_json_writer w;
    if (vt_args_json(args)) {
        begin(args, &w, "saved");
        vt_json_kv_string(&w, "file", path);
        end(&w);
    } else {
        printf("%s\n", path);
        fflush(stdout);
    }
}

void vt_say_closed(const struct vt_args *args, const char *why,
                   const struct vt_view_figures *figures)
{
    struct vt_json_writer w;
    if (!vt_args_json(args)) {
        return;
    }
    begin(args, &w, "closed");
    vt_json_kv_string(&w, "why", why);
    vt_json_kv_u64(&w, "frames", figures->frames);
    vt_json_kv_u64(&w, "drawn", figures->drawn);
    vt_json_kv_f64(&w, "seconds", figures->seconds, 6);
    vt_json_kv_f64(&w, "moving_fps", figures->moving_fps, 4);
    vt_json_kv_f64(&w, "drawing_ms", figures->drawing_ms, 4);
    vt_json_kv_f64(&w, "processor_s", figures->processor_s, 4);
    vt_json_kv_u64(&w, "gpu_bytes", figures->gpu_bytes);
    end(&w);
}
