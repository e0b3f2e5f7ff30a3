/* volume/studio.c - see studio.h. */
#include "volume/studio.h"

#include "base/io.h"
#include "vitrine/version.h"
#include "volume/overlay.h"
#include "volume/reference.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct vt_studio {
    struct vt_target *target;
    struct vt_studio_options options;
    const char *name;
    struct vt_follow *follow;
    struct vt_gpu *gpu; /* NULL: by the reference, from `rgba` */
    struct vt_volume *volume;
    struct vt_view *view;
    struct vt_canvas *canvas;
    uint8_t *rgba;
    char why[VT_ERROR_MESSAGE_MAX];
    int64_t unix_s;
    uint64_t look_ns, draw_ns;
};

/* ---------------------------------------------------------------- the device */

static void close_device(struct vt_studio *s)
{
    vt_view_destroy(s->view);
    vt_volume_destroy(s->volume);
    vt_gpu_close(s->gpu);
    s->view = NULL;
    s->volume = NULL;
    s->gpu = NULL;
}

static int open_device(struct vt_studio *s, struct vt_error *err)
{
    const struct vt_ram *ram = s->target->ram;
    struct vt_gpu_options which = {.name = s->options.gpu};
    struct vt_volume_options how = {.copy = s->options.copy};
    how.n_regions = vt_ram_regions(ram, &how.regions);
    int rc = vt_gpu_open(&which, &s->gpu, err);
    if (rc == 0) {
        rc = vt_volume_create(s->gpu, vt_ram_bytes(ram), vt_ram_size(ram) >> VT_PAGE_SHIFT, &how,
                              &s->volume, err);
    }
    if (rc == 0) {
        rc = vt_view_create(s->gpu, s->options.width, s->options.height, &s->view, err);
    }
    if (rc != 0) {
        close_device(s);
    }
    return rc;
}

/* Everything again, on a device opened anew: drivers are reset, and machines sleep. */
static int reopen_device(struct vt_studio *s, struct vt_error *err)
{
    struct vt_follow_seen seen;
    vt_follow_seen(s->follow, &seen);
    struct vt_volume_update all = {.all = true,
                                   .classes = vt_follow_classes(s->follow),
                                   .owners = vt_follow_owners(s->follow),
                                   .highlights = vt_follow_highlights(s->follow),
                                   .now_s = seen.now_s};
    close_device(s);
    int rc = open_device(s, err);
    return rc != 0 ? rc : vt_volume_update(s->volume, &all, NULL, err);
}

/* Whether there is nothing to draw with, rather than nothing of the name asked for. */
static bool no_driver(const struct vt_studio *s, const struct vt_error *err)
{
    struct vt_gpu_info *list;
    size_t n;
    if (err->code != VT_E_UNSUPPORTED || s->options.gpu != NULL || getenv("VITRINE_GPU") != NULL) {
        return false;
    }
    int rc = vt_gpu_list(&list, &n, NULL);
    if (rc == 0) {
        free(list);
    }
    return rc == VT_E_UNSUPPORTED;
}

/* ---------------------------------------------------------------- making */

int vt_studio_create(struct vt_target *target, const struct vt_studio_options *options,
                     struct vt_studio **studio, struct vt_error *err)
{
    struct vt_error why = {0};
    const char *slash = strrchr(target->name, '/');
    struct vt_studio *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a picture: out of memory");
    }
    s->target = target;
    s->options = *options;
    s->name = slash != NULL ? slash + 1 : target->name;
    int rc = vt_canvas_create(options->width, options->height, &s->canvas, err);
    rc = rc != 0 ? rc : vt_follow_create(target, &options->follow, &s->follow, err);
    if (rc == 0 && open_device(s, &why) != 0) {
        if (!no_driver(s, &why)) {
            rc = vt_fail(err, why.code, "%s", why.message);
        } else {
            memcpy(s->why, why.message, sizeof s->why);
            s->rgba = malloc((size_t)options->width * options->height * 4);
            rc = s->rgba != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "a picture: out of memory");
        }
    }
    if (rc != 0) {
        vt_studio_destroy(s);
        return rc;
    }
    *studio = s;
    return 0;
}

void vt_studio_destroy(struct vt_studio *studio)
{
    if (studio != NULL) {
        close_device(studio);
        vt_follow_destroy(studio->follow);
        vt_canvas_destroy(studio->canvas);
        free(studio->rgba);
        free(studio);
    }
}

/* ---------------------------------------------------------------- looking and drawing */

int vt_studio_look(struct vt_studio *studio, struct vt_error *err)
{
    struct vt_studio *s = studio;
    struct vt_volume_update update;
    struct vt_error why = {0};
    uint64_t from = vt_now_ns();
    int rc = vt_follow_look(s->follow, &update, err);
    if (rc == 0 && s->gpu != NULL) {
        rc = vt_volume_update(s->volume, &update, NULL, &why);
        if (rc == VT_E_GONE) {
            rc = reopen_device(s, &why);
        }
        if (rc != 0) {
            vt_fail(err, why.code, "%s", why.message);
        }
    }
    s->unix_s = (int64_t)time(NULL);
    s->look_ns = vt_now_ns() - from;
    return rc;
}

static int draw_pixels(struct vt_studio *s, const struct vt_shot *shot, const uint8_t **rgba,
                       struct vt_error *err)
{
    if (s->gpu == NULL) {
        *rgba = s->rgba;
        return vt_reference_draw(s->target->ram, s->follow, shot, s->options.width,
                                 s->options.height, s->rgba, err);
    }
    int rc = vt_view_draw(s->view, s->volume, shot, NULL, err);
    return rc != 0 ? rc : vt_view_pixels(s->view, rgba, err);
}

static void draw_overlay(struct vt_studio *s, const struct vt_shot *shot)
{
    const struct vt_highlights *set = vt_follow_highlights(s->follow);
    struct vt_follow_seen seen;
    uint64_t totals[VT_CLASSES];
    vt_follow_seen(s->follow, &seen);
    vt_follow_totals(s->follow, totals);
    struct vt_overlay overlay = {.camera = shot->camera,
                                 .scene = shot->scene,
                                 .order = vt_volume_order(vt_ram_size(s->target->ram)),
                                 .ram_bytes = vt_ram_size(s->target->ram),
                                 .highlights = set->all,
                                 .n_highlights = set->n,
                                 .unix_s = s->unix_s};
    overlay.n_regions = vt_ram_regions(s->target->ram, &overlay.regions);
    if (shot->scene->labels) {
        overlay.name = s->name;
        overlay.system = seen.system;
        overlay.consistency = seen.consistency;
        overlay.credit = "vitrine " VITRINE_VERSION;
        overlay.totals = totals;
    }
    vt_overlay_draw(&overlay, s->canvas);
}

int vt_studio_draw(struct vt_studio *studio, const struct vt_camera *camera,
                   const struct vt_scene *scene, const struct vt_canvas **canvas,
                   struct vt_error *err)
{
    struct vt_studio *s = studio;
    struct vt_follow_seen seen;
    vt_follow_seen(s->follow, &seen);
    const struct vt_shot shot = {.camera = camera,
                                 .scene = scene,
                                 .method = s->options.method,
                                 .scale = 1,
                                 .now_s = seen.now_s};
    const uint8_t *rgba;
    uint64_t from = vt_now_ns();
    int rc = draw_pixels(s, &shot, &rgba, err);
    if (rc == VT_E_GONE && s->gpu != NULL) {
        rc = reopen_device(s, err);
        rc = rc != 0 ? rc : draw_pixels(s, &shot, &rgba, err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_canvas_put(s->canvas, rgba);
    draw_overlay(s, &shot);
    s->draw_ns = vt_now_ns() - from;
    *canvas = s->canvas;
    return 0;
}

/* ---------------------------------------------------------------- what was seen */

const struct vt_follow *vt_studio_follow(const struct vt_studio *studio)
{
    return studio->follow;
}

void vt_studio_seen(const struct vt_studio *studio, struct vt_studio_seen *seen)
{
    const struct vt_studio *s = studio;
    *seen = (struct vt_studio_seen){
        .name = s->name,
        .info = s->gpu != NULL ? vt_gpu_info(s->gpu) : NULL,
        .why = s->gpu != NULL ? NULL : s->why,
        .gpu_bytes = s->volume != NULL ? vt_volume_gpu_bytes(s->volume) : 0,
        .look_ns = s->look_ns,
        .draw_ns = s->draw_ns,
    };
}
