/* cli/view/window.c - a window by SDL 2: see window.h. */
#include "cli/view/window.h"

#include "cli/view/sdl.h"

#include <math.h>
#include <stdlib.h>

struct vt_window {
    const struct vt_sdl *sdl;
    SDL_Window *handle;
    double at_x, at_y; /* the pointer, pixels: where a wheel turns */
};

int vt_window_create(const char *title, uint32_t width, uint32_t height, bool fullscreen,
                     struct vt_window **window, struct vt_error *err)
{
    const struct vt_sdl *sdl;
    int rc = vt_sdl_load(&sdl, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_window *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a window: out of memory");
    }
    w->sdl = sdl;
    sdl->SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* the verb has its own */
    sdl->SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    sdl->SetHint(SDL_HINT_APP_NAME, "vitrine");
    /* A click that also gives the window the focus means what it says; a slow frame makes it one.
     */
    sdl->SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
    if (sdl->Init(SDL_INIT_VIDEO) != 0) {
        rc = vt_fail(err, VT_E_UNSUPPORTED,
                     "no display to open a window on (%s); 'vitrine shot --view' draws without one",
                     sdl->GetError());
        free(w);
        return rc;
    }
    uint32_t flags = SDL_WINDOW_VULKAN | SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI |
                     (fullscreen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    w->handle = sdl->CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                  (int)width, (int)height, flags);
    if (w->handle == NULL) {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "no window that Vulkan can draw in (%s)",
                     sdl->GetError());
        vt_window_destroy(w);
        return rc;
    }
    *window = w;
    return 0;
}

void vt_window_destroy(struct vt_window *window)
{
    if (window == NULL) {
        return;
    }
    if (window->handle != NULL) {
        window->sdl->DestroyWindow(window->handle);
    }
    window->sdl->Quit();
    free(window);
}

int vt_window_surface(void *window, VkInstance instance, VkSurfaceKHR *surface,
                      struct vt_error *err)
{
    struct vt_window *w = window;
    if (!w->sdl->Vulkan_CreateSurface(w->handle, instance, surface)) {
        return vt_fail(err, VT_E_UNSUPPORTED, "Vulkan cannot draw in this window (%s)",
                       w->sdl->GetError());
    }
    return 0;
}

void vt_window_size(const struct vt_window *window, uint32_t *width, uint32_t *height)
{
    int w = 0, h = 0;
    if ((window->sdl->GetWindowFlags(window->handle) &
         (SDL_WINDOW_MINIMIZED | SDL_WINDOW_HIDDEN)) == 0) {
        window->sdl->Vulkan_GetDrawableSize(window->handle, &w, &h);
    }
    *width = w > 0 ? (uint32_t)w : 0;
    *height = h > 0 ? (uint32_t)h : 0;
}

void vt_window_toggle_fullscreen(struct vt_window *window)
{
    uint32_t flags = window->sdl->GetWindowFlags(window->handle);
    window->sdl->SetWindowFullscreen(
        window->handle, (flags & SDL_WINDOW_FULLSCREEN) != 0 ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
}

/* Pixels a unit of the window system's. */
static double pixels_a_unit(const struct vt_window *w)
{
    int units, height;
    uint32_t pixels, ignored;
    w->sdl->GetWindowSize(w->handle, &units, &height);
    vt_window_size(w, &pixels, &ignored);
    return units > 0 && pixels > 0 ? (double)pixels / units : 1;
}

static void point_at(struct vt_window *w, double x, double y, struct vt_input *input)
{
    double scale = pixels_a_unit(w);
    w->at_x = input->x = x * scale;
    w->at_y = input->y = y * scale;
}

static bool button_of(uint8_t sdl_button, enum vt_button *button)
{
    switch (sdl_button) {
    case SDL_BUTTON_LEFT:
        *button = VT_BUTTON_LEFT;
        return true;
    case SDL_BUTTON_MIDDLE:
        *button = VT_BUTTON_MIDDLE;
        return true;
    case SDL_BUTTON_RIGHT:
        *button = VT_BUTTON_RIGHT;
        return true;
    default:
        return false;
    }
}

/* Keys that write nothing; the others come as text, so that every keyboard's layout will do. */
static uint32_t key_of(SDL_Keycode code)
{
    static const struct {
        SDL_Keycode code;
        uint32_t key;
    } keys[] = {
        {SDLK_ESCAPE, VT_KEY_ESCAPE}, {SDLK_LEFT, VT_KEY_LEFT}, {SDLK_RIGHT, VT_KEY_RIGHT},
        {SDLK_UP, VT_KEY_UP},         {SDLK_DOWN, VT_KEY_DOWN}, {SDLK_F11, VT_KEY_F11},
        {SDLK_F12, VT_KEY_F12},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].code == code) {
            return keys[i].key;
        }
    }
    return 0;
}

/* False: it means nothing to us. */
static bool translate(struct vt_window *w, const SDL_Event *e, struct vt_window_event *event)
{
    struct vt_input *in = &event->input;
    *event = (struct vt_window_event){.kind = VT_WINDOW_INPUT};
    in->x = w->at_x;
    in->y = w->at_y;
    in->shift = (w->sdl->GetModState() & KMOD_SHIFT) != 0;
    switch (e->type) {
    case SDL_QUIT:
        event->kind = VT_WINDOW_CLOSED;
        return true;
    case SDL_WINDOWEVENT:
        if (e->window.event == SDL_WINDOWEVENT_CLOSE) {
            event->kind = VT_WINDOW_CLOSED;
        } else if (e->window.event == SDL_WINDOWEVENT_FOCUS_LOST) {
            in->kind = VT_INPUT_LEAVE;
        } else {
            event->kind = VT_WINDOW_CHANGED;
        }
        return true;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        in->kind = e->type == SDL_MOUSEBUTTONDOWN ? VT_INPUT_PRESS : VT_INPUT_RELEASE;
        in->clicks = e->button.clicks;
        point_at(w, e->button.x, e->button.y, in);
        return button_of(e->button.button, &in->button);
    case SDL_MOUSEMOTION:
        in->kind = VT_INPUT_MOTION;
        point_at(w, e->motion.x, e->motion.y, in);
        return true;
    case SDL_MOUSEWHEEL:
        in->kind = VT_INPUT_WHEEL;
        in->amount = (double)e->wheel.preciseY;
        return true;
    case SDL_MULTIGESTURE:
        in->kind = VT_INPUT_PINCH;
        in->amount = exp(2 * (double)e->mgesture.dDist); /* dDist: share of the screen */
        return true;
    case SDL_TEXTINPUT: /* one key at a time, all of ours are ASCII */
        in->kind = VT_INPUT_KEY;
        in->key = (uint8_t)e->text.text[0];
        return in->key != 0 && in->key < 128;
    case SDL_KEYDOWN:
        in->kind = VT_INPUT_KEY;
        in->key = key_of(e->key.keysym.sym);
        return in->key != 0;
    default:
        return false;
    }
}

bool vt_window_event(struct vt_window *window, int timeout_ms, struct vt_window_event *event)
{
    SDL_Event e;
    bool any = timeout_ms > 0 ? window->sdl->WaitEventTimeout(&e, timeout_ms) != 0
                              : window->sdl->PollEvent(&e) != 0;
    while (any && !translate(window, &e, event)) {
        any = window->sdl->PollEvent(&e) != 0;
    }
    return any;
}
