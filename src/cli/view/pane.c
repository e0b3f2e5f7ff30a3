/* cli/view/pane.c - one VM in a window: see pane.h. */
#include "cli/view/pane.h"

#include "base/text.h"
#include "volume/gpu/gpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RETRY_S 0.5
#define RATE_S 1.0 /* over which changes are averaged */
#define GLOW_HALVES 6.0
#define SIDE_MIN 16u

/* ---------------------------------------------------------------- beginning and ending */

static void let_go(struct vt_pane *pane)
{
    vt_volume_destroy(pane->volume);
    vt_follow_destroy(pane->follow);
    pane->volume = NULL;
    pane->follow = NULL;
    pane->seen = (struct vt_follow_seen){.tick = 0}; /* its words were the follower's */
    pane->pick.there = false;
}

void vt_pane_end(struct vt_pane *pane)
{
    vt_view_destroy(pane->view);
    pane->view = NULL;
    let_go(pane);
    (void)vt_target_close(&pane->target, NULL); /* it was never stopped */
}

int vt_pane_begin(struct vt_pane *pane, struct vt_gpu *gpu, double now_s, struct vt_error *err)
{
    const struct vt_ram *ram = pane->target.ram;
    struct vt_volume_options options = {.memory_bytes = pane->memory_bytes};
    options.n_regions = vt_ram_regions(ram, &options.regions);
    int rc = vt_follow_create(&pane->target, &pane->options, &pane->follow, err);
    if (rc == 0) {
        rc = vt_volume_create(gpu, vt_ram_bytes(ram), vt_ram_size(ram) >> VT_PAGE_SHIFT, &options,
                              &pane->volume, err);
    }
    pane->ended = false;
    pane->pages_per_s = 0;
    pane->looked_s = pane->changed_s = now_s;
    rc = rc != 0 ? rc : vt_pane_look(pane, now_s, err);
    if (rc == 0 && pane->ended) {
        rc = vt_fail(err, VT_E_GONE, "%s has ended", pane->name);
    }
    if (rc != 0) {
        let_go(pane);
    }
    return rc;
}

/* ---------------------------------------------------------------- looking */

/* Which of its processes is shown alone; one that is not there leaves all of them dimmed. */
static int32_t owner_of(const struct vt_pane *pane)
{
    const struct vt_owner *owners;
    size_t n = vt_follow_processes(pane->follow, &owners);
    for (size_t i = 0; pane->only_pid != 0 && i < n; i++) {
        if (owners[i].pid == pane->only_pid) {
            return (int32_t)i + 1;
        }
    }
    return pane->only_pid != 0 ? VT_OWNERS_MAX + 1 : 0;
}

static void note_look(struct vt_pane *pane, const struct vt_volume_update *update, double now_s)
{
    struct vt_follow_seen seen;
    vt_follow_seen(pane->follow, &seen);
    bool classes = update->classes != NULL, ram = update->all || update->n_pages > 0;
    if (classes) {
        vt_follow_totals(pane->follow, pane->totals);
        pane->only_owner = owner_of(pane);
    }
    double since_s = now_s - pane->looked_s;
    if (since_s > 0) {
        double share = 1 - exp(-since_s / RATE_S);
        pane->pages_per_s += share * ((double)seen.changed_pages / since_s - pane->pages_per_s);
    }
    pane->news |=
        classes || update->highlights != NULL ||
        strcmp(seen.consistency, pane->seen.consistency != NULL ? pane->seen.consistency : "") != 0;
    pane->changed |= ram || classes || update->highlights != NULL;
    pane->changed_s = ram ? now_s : pane->changed_s;
    pane->looked_s = now_s;
    pane->seen = seen;
}

int vt_pane_look(struct vt_pane *pane, double now_s, struct vt_error *err)
{
    struct vt_volume_update update;
    struct vt_error why;
    if (pane->ended) {
        return 0;
    }
    int rc = vt_follow_look(pane->follow, &update, &why);
    if (rc == VT_E_GONE) {
        pane->ended = pane->news = true;
        pane->pages_per_s = 0;
        pane->retry_s = now_s + RETRY_S;
        return 0;
    }
    if (rc != 0) {
        return vt_fail(err, why.code, "%s", why.message);
    }
    rc = vt_volume_update(pane->volume, &update, NULL, err);
    if (rc == 0) {
        note_look(pane, &update, now_s);
    }
    return rc;
}

int vt_pane_revive(struct vt_pane *pane, struct vt_gpu *gpu, double now_s, bool *back,
                   struct vt_error *err)
{
    struct vt_vm *vm;
    struct vt_target target;
    *back = false;
    if (!pane->ended || now_s < pane->retry_s || vt_target_is_file(pane->name)) {
        return 0;
    }
    pane->retry_s = now_s + RETRY_S;
    /* Only then a line in the log. */
    if (vt_vm_open(pane->name, &vm, NULL) != 0) {
        return 0;
    }
    vt_vm_close(vm);
    if (vt_target_open(pane->name, "view", "all of RAM", &target, NULL) != 0) {
        return 0;
    }
    struct vt_target old = pane->target;
    let_go(pane);
    (void)vt_target_close(&old, NULL);
    pane->target = target;
    struct vt_error why;
    int rc = vt_pane_begin(pane, gpu, now_s, &why);
    *back = rc == 0;
    if (rc == VT_E_GONE && !vt_gpu_gone(gpu)) { /* it ended again already */
        pane->ended = true;
        return 0;
    }
    return rc == 0 ? 0 : vt_fail(err, why.code, "%s", why.message);
}

/* ---------------------------------------------------------------- drawing */

int vt_pane_place(struct vt_pane *pane, struct vt_gpu *gpu, uint32_t x, uint32_t y, uint32_t width,
                  uint32_t height, struct vt_error *err)
{
    pane->x = x;
    pane->y = y;
    if (pane->view != NULL && pane->width == width && pane->height == height) {
        return 0;
    }
    vt_view_destroy(pane->view);
    pane->view = NULL;
    pane->width = width;
    pane->height = height;
    pane->changed = pane->news = true;
    if (width < SIDE_MIN || height < SIDE_MIN) {
        return 0; /* nothing can be seen in it */
    }
    return vt_view_create(gpu, width, height, &pane->view, err);
}

int vt_pane_draw(struct vt_pane *pane, const struct vt_camera *camera, const struct vt_scene *scene,
                 enum vt_method method, unsigned scale, double now_s, struct vt_error *err)
{
    struct vt_scene own = *scene;
    own.only_owner = pane->only_owner;
    const struct vt_shot shot = {
        .camera = camera,
        .scene = &own,
        .method = method,
        .scale = scale,
        .now_s = pane->seen.now_s + (now_s - pane->looked_s),
    };
    if (pane->view == NULL || pane->volume == NULL) {
        return 0;
    }
    int rc = vt_view_draw(pane->view, pane->volume, &shot, &pane->cost, err);
    if (rc == 0) {
        pane->changed = false;
    }
    return rc;
}

bool vt_pane_glows(const struct vt_pane *pane, const struct vt_scene *scene, double now_s)
{
    return scene->heat && pane->volume != NULL && pane->seen.tick != 0 &&
           now_s - pane->changed_s < GLOW_HALVES * (double)scene->heat_s;
}

/* ---------------------------------------------------------------- picking */

int vt_pane_pick_at(struct vt_pane *pane, double x, double y, struct vt_error *err)
{
    struct vt_pane_pick pick = {.there = false};
    if (pane->view == NULL || !(x >= 0 && x < pane->width && y >= 0 && y < pane->height)) {
        pane->pick = pick;
        return 0;
    }
    if (pane->follow == NULL) {
        pane->pick = pick;
        return 0;
    }
    int rc = vt_view_pick(pane->view, (uint32_t)x, (uint32_t)y, &pick.at, err);
    if (rc != 0) {
        return rc;
    }
    pick.there = pick.at.hit;
    pick.has_gpa = pick.there && vt_ram_gpa(pane->target.ram, pick.at.offset, &pick.gpa, NULL) == 0;
    const struct vt_owner *owners;
    size_t n = vt_follow_processes(pane->follow, &owners);
    if (pick.there && pick.at.owner > 0 && pick.at.owner <= n) {
        const struct vt_owner *owner = &owners[pick.at.owner - 1];
        char comm[4 * sizeof owner->comm];
        vt_text_printable(comm, sizeof comm, owner->comm, strlen(owner->comm));
        snprintf(pick.owner, sizeof pick.owner, "%.40s (%d)", comm, owner->pid);
    }
    const struct vt_highlights *set = vt_follow_highlights(pane->follow);
    if (pick.there && pick.at.highlight > 0 && pick.at.highlight <= set->n) {
        const char *label = set->all[pick.at.highlight - 1].label;
        vt_text_printable(pick.label, sizeof pick.label, label, strlen(label));
    }
    pane->pick = pick;
    return 0;
}
