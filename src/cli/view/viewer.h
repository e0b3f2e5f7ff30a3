/* cli/view/viewer.h - the window with its VMs: events in, pictures out, until it is closed. */
#ifndef VT_CLI_VIEW_VIEWER_H
#define VT_CLI_VIEW_VIEWER_H

#include "cli/scene_args.h"
#include "cli/view/pane.h"

struct vt_viewer_options {
    const struct vt_args *args; /**< for what is told on stdout */
    struct vt_scene_args scene; /**< what to see, with which GPU, how large */
    const char *const *names;   /**< of VMs, or paths of saved RAM */
    unsigned n;                 /**< 1-VT_CONTROLS_PANES */
    double fps;                 /**< no more pictures a second than these */
    bool fullscreen;
    uint64_t frames;        /**< so many are drawn, then it ends; 0: until it is closed */
    const char *screenshot; /**< written at the end of `frames`, and by F12; NULL: a name with the
                             *  time, by F12 */
    uint64_t memory_bytes;  /**< of the device, for all VMs; 0: as much as they want */
};

/** Opens the VMs in `targets` (n of them, open, taken over in any case) and shows them. Ends with 0
 *  when the window is closed, `frames` are drawn, or vt_interrupted is set. */
int vt_viewer_run(const struct vt_viewer_options *options, struct vt_target *targets,
                  struct vt_error *err);

#endif
