/* cli/view/pane.h - one VM in a window: its RAM followed, on the device, and the picture of it.
 *
 * A VM that ends leaves its last picture, and its RAM as it was can still be turned and asked
 * about; when a VM of that name is there again, with whatever RAM, the pane goes on with it.
 * Times are seconds of the window's clock.
 */
#ifndef VT_CLI_VIEW_PANE_H
#define VT_CLI_VIEW_PANE_H

#include "vitrine/scene.h"
#include "vitrine/target.h"
#include "volume/adapt.h"
#include "volume/follow.h"

/** What was clicked on. */
struct vt_pane_pick {
    bool there;
    struct vt_picked at;
    struct vt_gpa gpa; /**< of the byte */
    bool has_gpa;
    char owner[64];                             /**< "nginx (812)", safe to show; "" */
    char label[4 * VT_HIGHLIGHT_LABEL_MAX + 1]; /**< of the highlight, safe to show; "" */
};

struct vt_pane {
    const char *name; /**< as given; borrowed */
    struct vt_follow_options options;
    int32_t only_pid; /**< 0: all */
    uint64_t memory_bytes;
    struct vt_target target;
    struct vt_follow *follow;
    struct vt_volume *volume;
    struct vt_view *view;
    uint32_t x, y, width, height; /**< in the window */
    struct vt_adapt adapt;

    bool ended;                 /**< the VM is gone */
    double retry_s;             /**< when to look for another one */
    struct vt_follow_seen seen; /**< at the last look */
    double looked_s, changed_s; /**< the last look, and the last change of RAM */
    double pages_per_s;         /**< that change, lately */
    int32_t only_owner;         /**< for the scene */
    uint64_t totals[VT_CLASSES];
    bool changed; /**< since the last picture */
    bool news;    /**< what is drawn over the picture changed, too */
    struct vt_shot_cost cost;
    struct vt_pane_pick pick;
};

/** Follows the pane's target, which is open, on the device; the first look is taken. */
int vt_pane_begin(struct vt_pane *pane, struct vt_gpu *gpu, double now_s, struct vt_error *err);
/** Lets go of the device, of the VM too. Takes one that holds nothing. */
void vt_pane_end(struct vt_pane *pane);

/** Looks at RAM and takes the changes to the device. A VM that ended is no error. */
int vt_pane_look(struct vt_pane *pane, double now_s, struct vt_error *err);
/** Where the VM ended: goes on with one of its name if there is one by now (*back). */
int vt_pane_revive(struct vt_pane *pane, struct vt_gpu *gpu, double now_s, bool *back,
                   struct vt_error *err);

/** Its place in the window; 16 pixels at least. */
int vt_pane_place(struct vt_pane *pane, struct vt_gpu *gpu, uint32_t x, uint32_t y, uint32_t width,
                  uint32_t height, struct vt_error *err);
/** Draws it. */
int vt_pane_draw(struct vt_pane *pane, const struct vt_camera *camera, const struct vt_scene *scene,
                 enum vt_method method, unsigned scale, double now_s, struct vt_error *err);
/** Whether writes still fade, so that the picture changes without any. */
bool vt_pane_glows(const struct vt_pane *pane, const struct vt_scene *scene, double now_s);

/** Sets `pick` to what is at a pixel of the picture drawn last. */
int vt_pane_pick_at(struct vt_pane *pane, double x, double y, struct vt_error *err);

#endif
