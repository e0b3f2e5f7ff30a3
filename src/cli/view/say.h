/* cli/view/say.h - what happens in the window, told on stdout: JSON lines with --json, else a line
 * for what was clicked on and what was written; what becomes of VMs goes to stderr then. */
#ifndef VT_CLI_VIEW_SAY_H
#define VT_CLI_VIEW_SAY_H

#include "cli/cli.h"
#include "cli/view/pane.h"
#include "volume/controls.h"

/** How it went, until now. */
struct vt_view_figures {
    uint64_t frames;    /**< shown */
    uint64_t drawn;     /**< pictures drawn for them */
    double seconds;     /**< since the window was opened */
    double moving_fps;  /**< while something moved; 0: nothing did */
    double drawing_ms;  /**< of a picture, on average */
    double processor_s; /**< of all threads */
    uint64_t gpu_bytes; /**< of all volumes */
};

void vt_say_opened(const struct vt_args *args, const struct vt_pane *panes, unsigned n,
                   const struct vt_gpu *gpu, uint32_t width, uint32_t height);
void vt_say_size(const struct vt_args *args, uint32_t width, uint32_t height);
void vt_say_camera(const struct vt_args *args, const struct vt_controls *controls,
                   const struct vt_pane *panes);
void vt_say_scene(const struct vt_args *args, const struct vt_controls *controls);
void vt_say_pick(const struct vt_args *args, const struct vt_pane *pane, double x, double y);
/** `state`: "ended" or "back". */
void vt_say_vm(const struct vt_args *args, const struct vt_pane *pane, const char *state);
void vt_say_saved(const struct vt_args *args, const char *path);
void vt_say_closed(const struct vt_args *args, const char *why,
                   const struct vt_view_figures *figures);

#endif
