/* cli/view/window.h - a window of the system's, and what is done to it as inputs of
 * volume/controls.h. One at a time, in the thread that made it. */
#ifndef VT_CLI_VIEW_WINDOW_H
#define VT_CLI_VIEW_WINDOW_H

#include "volume/controls.h"
#include "volume/gpu/present.h"

struct vt_window;

/** VT_E_UNSUPPORTED: built without SDL, it is not installed, or there is no display. */
int vt_window_create(const char *title, uint32_t width, uint32_t height, bool fullscreen,
                     struct vt_window **window, struct vt_error *err);
/** Takes NULL. */
void vt_window_destroy(struct vt_window *window);

/** A vt_present_surface; `window` is the user. */
int vt_window_surface(void *window, VkInstance instance, VkSurfaceKHR *surface,
                      struct vt_error *err);
/** In pixels; 0 x 0: minimised or hidden. */
void vt_window_size(const struct vt_window *window, uint32_t *width, uint32_t *height);
void vt_window_toggle_fullscreen(struct vt_window *window);

enum vt_window_event_kind {
    VT_WINDOW_INPUT,
    VT_WINDOW_CHANGED, /**< its size, or what it shows must be shown again */
    VT_WINDOW_CLOSED,
};
struct vt_window_event {
    enum vt_window_event_kind kind;
    struct vt_input input; /**< x and y: pixels of the window; pane: 0 */
};
/** The next event, waited for no longer than `timeout_ms`. False: none came. */
bool vt_window_event(struct vt_window *window, int timeout_ms, struct vt_window_event *event);

#endif
