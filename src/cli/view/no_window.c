/* cli/view/no_window.c - window.h where there was no SDL to build with: it says so. */
#include "cli/view/window.h"

int vt_window_create(const char *title, uint32_t width, uint32_t height, bool fullscreen,
                     struct vt_window **window, struct vt_error *err)
{
    (void)title;
    (void)width;
    (void)height;
    (void)fullscreen;
    (void)window;
    return vt_fail(err, VT_E_UNSUPPORTED,
                   "this vitrine was built without windows (SDL 2's headers were not there); "
                   "'vitrine shot --view' draws without one");
}

void vt_window_destroy(struct vt_window *window)
{
    (void)window;
}

int vt_window_surface(void *window, VkInstance instance, VkSurfaceKHR *surface,
                      struct vt_error *err)
{
    (void)window;
    (void)instance;
    (void)surface;
    return vt_fail(err, VT_E_UNSUPPORTED, "no window");
}

void vt_window_size(const struct vt_window *window, uint32_t *width, uint32_t *height)
{
    (void)window;
    *width = *height = 0;
}

void vt_window_toggle_fullscreen(struct vt_window *window)
{
    (void)window;
}

bool vt_window_event(struct vt_window *window, int timeout_ms, struct vt_window_event *event)
{
    (void)window;
    (void)timeout_ms;
    (void)event;
    return false;
}
