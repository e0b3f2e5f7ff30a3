/* cli/view/hud.h - what is drawn over a VM's picture in a window: the overlay of every picture, how
 * fast it is drawn, what was clicked on, the keys, and what became of the VM. */
#ifndef VT_CLI_VIEW_HUD_H
#define VT_CLI_VIEW_HUD_H

#include "cli/view/pane.h"
#include "volume/controls.h"
#include "volume/draw.h"

struct vt_hud {
    const struct vt_pane *pane;
    const struct vt_camera *camera;
    const struct vt_controls *controls;
    const char *device; /**< "NVIDIA H200" */
    double fps;         /**< pictures a second, lately; 0: it stands still */
};

/** A new canvas of the pane's size. */
int vt_hud_draw(const struct vt_hud *hud, struct vt_canvas **canvas, struct vt_error *err);

#endif
