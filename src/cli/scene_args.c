/* cli/scene_args.c - see scene_args.h.
 *
 *   texts     "x=0.5", "x=0.2:0.8", "1280x720", "0x100000+64K"
 *   options   into a scene, a camera and the rest
 *   place     where that is in a RAM
 */
#include "cli/scene_args.h"

#include "base/text.h"
#include "volume/overlay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MIN 16u
#define SIDE_MAX 16384u
#define DENSITY_MAX 1000.0

/* ---------------------------------------------------------------- texts */

/* Digits with at most one point, up to `end`. */
static bool number(const char *text, char end, double *value, const char **rest)
{
    char *stop;
    size_t n = strspn(text, "0123456789.");
    if (n == 0 || text[n] != end) {
        return false;
    }
    *value = strtod(text, &stop);
    *rest = stop + (end != '\0');
    return stop == text + n;
}

/* "x=…": which axis, and what follows. */
static bool axis(const char *text, unsigned *which, const char **rest)
{
    if (text[0] < 'x' || text[0] > 'z' || text[1] != '=') {
        return false;
    }
    *which = (unsigned)(text[0] - 'x');
    *rest = text + 2;
    return true;
}

static bool read_slice(const char *text, struct vt_scene *scene)
{
    unsigned which;
    double at;
    if (!axis(text, &which, &text) || !number(text, '\0', &at, &text) || at > 1) {
        return false;
    }
    scene->slice_on[which] = true;
    scene->slice[which] = (float)at;
    return true;
}

static bool read_clip(const char *text, struct vt_scene *scene)
{
    unsigned which;
    double from, to;
    if (!axis(text, &which, &text) || !number(text, ':', &from, &text) ||
        !number(text, '\0', &to, &text) || to > 1 || from >= to) {
        return false;
    }
    scene->clip_min[which] = (float)from;
    scene->clip_max[which] = (float)to;
    return true;
}

static bool read_size(const char *text, uint32_t *width, uint32_t *height)
{
    double w, h;
    if (!number(text, 'x', &w, &text) || !number(text, '\0', &h, &text) || floor(w) != w ||
        floor(h) != h || fmin(w, h) < SIDE_MIN || fmax(w, h) > SIDE_MAX) {
        return false;
    }
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return true;
}

/* "FROM-TO" or "FROM+BYTES"; false: not that. */
static bool read_range(const char *text, struct vt_gpa *from, uint64_t *bytes)
{
    char first[32];
    size_t n = strcspn(text, "-+");
    if (text[n] == '\0' || n >= sizeof first) {
        return false;
    }
    memcpy(first, text, n);
    first[n] = '\0';
    uint64_t start, end;
    bool good = vt_parse_u64(first, &start, NULL) == 0 &&
                (text[n] == '-' ? vt_parse_u64(text + n + 1, &end, NULL)
                                : vt_parse_bytes(text + n + 1, &end, NULL)) == 0;
    if (!good || (text[n] == '-' ? end <= start : end == 0)) {
        return false;
    }
    *from = VT_GPA(start);
    *bytes = text[n] == '-' ? end - start : end;
    return true;
}

/* ---------------------------------------------------------------- options */

static int read_scene(const struct vt_args *args, struct vt_scene *scene)
{
    struct vt_error err;
    const char *palette = vt_args_value(args, "palette"), *opacity = vt_args_value(args, "opacity");
    const char *density = vt_args_value(args, "density"), *text;
    double factor = 1;
    vt_scene_init(scene);
    if (palette != NULL && vt_palette_parse(palette, &scene->palette, &err) != 0) {
        return vt_usage_error(args, "--palette: %s", err.message);
    }
    if (opacity != NULL && vt_scene_opacity(scene, opacity, &err) != 0) {
        return vt_usage_error(args, "--opacity: %s", err.message);
    }
    if (density != NULL && (!number(density, '\0', &factor, &text) || factor > DENSITY_MAX)) {
        return vt_usage_error(args, "--density: %s: a number from 0 to %.0f", density, DENSITY_MAX);
    }
    for (unsigned i = 0; (text = vt_args_value_at(args, "slice", i)) != NULL; i++) {
        if (!read_slice(text, scene)) {
            return vt_usage_error(args, "--slice: %s: x=, y= or z= and a place from 0 to 1", text);
        }
    }
    for (unsigned i = 0; (text = vt_args_value_at(args, "clip", i)) != NULL; i++) {
        if (!read_clip(text, scene)) {
            return vt_usage_error(args, "--clip: %s: x=, y= or z= and FROM:TO, 0 to 1", text);
        }
    }
    scene->density = (float)factor;
    scene->heat = !vt_args_flag(args, "no-heat");
    scene->dim_others = !vt_args_flag(args, "no-dim");
    scene->boxes = !vt_args_flag(args, "no-boxes");
    scene->labels = !vt_args_flag(args, "no-labels");
    scene->frame = !vt_args_flag(args, "no-frame");
    return 0;
}

int vt_scene_args_read(const struct vt_args *args, const char *view, struct vt_scene_args *out)
{
    struct vt_scene_args a = {.gpu = vt_args_value(args, "gpu"),
                              .zoom_to = vt_args_value(args, "zoom-to"),
                              .width = 1280,
                              .height = 720,
                              .no_highlights = vt_args_flag(args, "no-highlights")};
    const char *method = vt_args_value(args, "method"), *size = vt_args_value(args, "size");
    struct vt_error err;
    uint64_t pid;
    int rc = read_scene(args, &a.scene);
    rc = rc != 0 ? rc : vt_args_u64(args, "only", 0, &pid);
    if (rc != 0) {
        return rc;
    }
    if (pid > INT32_MAX || (pid == 0 && vt_args_value(args, "only") != NULL)) {
        return vt_usage_error(args, "--only: %s is no process id", vt_args_value(args, "only"));
    }
    a.only_pid = (int32_t)pid;
    if (view == NULL || strcmp(view, "3d") == 0) {
        view = "iso";
    }
    if (vt_camera_named(view, &a.camera, &err) != 0) {
        return vt_usage_error(args, "--view: %s", err.message);
    }
    if (size != NULL && !read_size(size, &a.width, &a.height)) {
        return vt_usage_error(args, "--size: %s: WxH, %u to %u pixels each", size, SIDE_MIN,
                              SIDE_MAX);
    }
    if (method != NULL && strcmp(method, "slices") == 0) {
        a.method = VT_METHOD_SLICES;
    } else if (method != NULL && strcmp(method, "march") != 0) {
        return vt_usage_error(args, "--method: %s: march or slices", method);
    }
    *out = a;
    return 0;
}

/* ---------------------------------------------------------------- place */

static void unite(struct vt_box *all, const struct vt_box *box, bool first)
{
    for (unsigned k = 0; k < 3; k++) {
        all->min[k] = first || box->min[k] < all->min[k] ? box->min[k] : all->min[k];
        all->max[k] = first || box->max[k] > all->max[k] ? box->max[k] : all->max[k];
    }
}

/* Around guest-physical runs, piece by piece as they lie in the file. */
static int box_of_runs(const struct vt_ram *ram, const struct vt_gpa_run *runs, size_t n,
                       struct vt_box *all, struct vt_error *err)
{
    unsigned order = vt_volume_order(vt_ram_size(ram));
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        for (uint64_t done = 0; done < runs[i].bytes;) {
            struct vt_off off;
            struct vt_box box;
            uint64_t run, left = runs[i].bytes - done;
            int rc = vt_ram_offset(ram, VT_GPA(runs[i].gpa.v + done), &off, &run, err);
            run = rc == 0 && run < left ? run : left;
            rc = rc != 0 ? rc : vt_volume_box(order, off, run, &box, err);
            if (rc != 0) {
                return rc;
            }
            unite(all, &box, first);
            first = false;
            done += run;
        }
    }
    return 0;
}

static int find_place(const char *what, const struct vt_ram *ram, const struct vt_follow *follow,
                      struct vt_box *box, struct vt_error *err)
{
    const struct vt_highlights *set = vt_follow_highlights(follow);
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->all[i].name, what) == 0) {
            return box_of_runs(ram, set->all[i].runs, set->all[i].n_runs, box, err);
        }
    }
    struct vt_gpa_run range;
    if (!read_range(what, &range.gpa, &range.bytes)) {
        return vt_fail(err, VT_E_NOT_FOUND,
                       "--zoom-to: '%.64s' is no highlight, and no range such as 0x100000+64K",
                       what);
    }
    uint64_t end = vt_ram_end(ram).v;
    if (range.gpa.v >= end || range.bytes > end - range.gpa.v) {
        return vt_fail_addr(err, "guest-physical RAM", range.gpa.v, range.bytes, end);
    }
    return box_of_runs(ram, &range, 1, box, err);
}

static int find_owner(int32_t pid, const struct vt_follow *follow, int32_t *only,
                      struct vt_error *err)
{
    const struct vt_owner *owners;
    size_t n = vt_follow_processes(follow, &owners);
    for (size_t i = 0; i < n; i++) {
        if (owners[i].pid == pid) {
            *only = (int32_t)i + 1;
            return 0;
        }
    }
    return vt_fail(err, VT_E_NOT_FOUND, "--only: process %" PRId32 " is none of the %zu largest",
                   pid, n);
}

int vt_scene_args_place(const struct vt_scene_args *given, const struct vt_ram *ram,
                        const struct vt_follow *follow, struct vt_camera *camera,
                        struct vt_scene *scene, struct vt_error *err)
{
    unsigned order = vt_volume_order(vt_ram_size(ram));
    int32_t only = 0;
    struct vt_box box;
    int rc = given->zoom_to != NULL ? find_place(given->zoom_to, ram, follow, &box, err)
                                    : vt_volume_box(order, VT_OFF(0), vt_ram_size(ram), &box, err);
    if (rc == 0 && given->only_pid != 0) {
        rc = find_owner(given->only_pid, follow, &only, err);
    }
    if (rc == 0) {
        struct vt_scene seen = given->scene;
        struct vt_camera at = given->camera;
        seen.only_owner = only;
        (given->turning ? vt_overlay_frame_turning : vt_overlay_frame)(
            &at, &box, order, given->width, given->height, seen.labels);
        *scene = seen;
        *camera = at;
    }
    return rc;
}
