/* volume/picture.c - see picture.h. */
#include "volume/picture.h"

#include "base/io.h"
#include "vitrine/version.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STATE_TIMEOUT_MS 2000

/* A guest that is not understood is no failure. */
static void find_kernel(struct vt_picture *s, struct vt_target *t)
{
    struct vt_error why;
    if (vt_target_kernel(t, &why) == 0) {
        snprintf(s->system, sizeof s->system, "Linux %.256s", vt_kernel_release(t->kernel));
    } else {
        snprintf(s->system, sizeof s->system, "guest not understood");
        snprintf(s->note, sizeof s->note, "by contents alone: %.280s", why.message);
    }
}

/* Classifies, with the VM standing still if that was asked for; it runs again before drawing. */
static int look(struct vt_picture *s, struct vt_target *t, bool pause, struct vt_error *err)
{
    enum vt_vm_state state = VT_VM_UNKNOWN;
    int rc = vt_classes_create(t->ram, &s->classes, err);
    if (rc == 0) {
        find_kernel(s, t);
        rc = pause ? vt_target_stop(t, err) : 0;
    }
    if (rc == 0 && t->vm != NULL && t->held == NULL) {
        rc = vt_vm_query_state(t->vm, STATE_TIMEOUT_MS, &state, err);
    }
    if (rc != 0) {
        return rc;
    }
    bool paused = t->held != NULL || state == VT_VM_PAUSED;
    s->consistency = t->vm == NULL ? "a saved copy" : paused ? "paused" : "live";
    s->unix_s = (int64_t)time(NULL);
    uint64_t from = vt_now_ns();
    rc = vt_classes_scan(s->classes, t->kernel, err);
    s->scan_ns = vt_now_ns() - from;
    if (rc == 0 && vt_classes_note(s->classes)[0] != '\0') {
        snprintf(s->note, sizeof s->note, "%s", vt_classes_note(s->classes));
    }
    struct vt_error resume;
    if (vt_target_resume(t, &resume) != 0 && rc == 0) {
        rc = vt_fail(err, resume.code, "%s", resume.message);
    }
    return rc;
}

/* Those that cannot be read are left out: a picture is there to look at RAM. */
static void find_highlights(struct vt_picture *s, struct vt_target *t)
{
    struct vt_error why;
    if (t->vm != NULL && vt_highlights_load(t->vm, &s->highlights, &why) != 0) {
        snprintf(s->note, sizeof s->note, "highlights left out: %.280s", why.message);
    }
}

static int draw(struct vt_picture *s, const struct vt_target *t,
                const struct vt_picture_options *options, struct vt_error *err)
{
    uint64_t from = vt_now_ns();
    struct vt_map_view map = {
        .name = s->name,
        .system = s->system,
        .consistency = s->consistency,
        .note = s->note,
        .credit = "vitrine " VITRINE_VERSION,
        .unix_s = s->unix_s,
        .classes = vt_classes_bytes(s->classes),
        .owners = vt_classes_owners(s->classes),
        .n_pages = vt_classes_pages(s->classes),
        .palette = options->palette,
        .width = options->width,
        .highlights = s->highlights.all,
        .n_highlights = (unsigned)s->highlights.n,
    };
    size_t n = vt_classes_processes(s->classes, &map.processes);
    map.n_processes = (unsigned)(n < options->top ? n : options->top);
    map.n_regions = vt_ram_regions(t->ram, &map.regions);
    int rc = vt_map_draw(&map, &s->canvas, err);
    s->draw_ns = vt_now_ns() - from;
    return rc;
}

int vt_picture_take(struct vt_target *target, const struct vt_picture_options *options,
                    struct vt_picture *picture, struct vt_error *err)
{
    const char *slash = strrchr(target->name, '/');
    *picture = (struct vt_picture){.name = slash != NULL ? slash + 1 : target->name};
    int rc = look(picture, target, options->pause, err);
    if (rc == 0 && !options->no_highlights) {
        find_highlights(picture, target);
    }
    return rc != 0 ? rc : draw(picture, target, options, err);
}

void vt_picture_fini(struct vt_picture *picture)
{
    vt_highlights_fini(&picture->highlights);
    vt_canvas_destroy(picture->canvas);
    vt_classes_destroy(picture->classes);
}
