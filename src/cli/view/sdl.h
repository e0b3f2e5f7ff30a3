/* cli/view/sdl.h - SDL 2, found when a window is wanted: no other verb loads it and what it needs.
 *
 * Its functions by their own names behind one pointer: `sdl->WaitEvent(…)` for SDL_WaitEvent.
 */
#ifndef VT_CLI_VIEW_SDL_H
#define VT_CLI_VIEW_SDL_H

#include "vitrine/base.h"

#include <SDL.h>
#include <SDL_vulkan.h>

#define VT_SDL_FUNCTIONS(f)                                                                        \
    f(Init) f(Quit) f(GetError) f(SetHint) f(CreateWindow) f(DestroyWindow) f(WaitEventTimeout)    \
        f(PollEvent) f(GetWindowSize) f(GetWindowFlags) f(SetWindowTitle) f(SetWindowFullscreen)   \
            f(GetModState) f(Vulkan_CreateSurface) f(Vulkan_GetDrawableSize)

#define VT_SDL_MEMBER(name) __typeof__(SDL_##name) *(name);
struct vt_sdl {
    VT_SDL_FUNCTIONS(VT_SDL_MEMBER)
};

/** Loads it; stays loaded. VT_E_UNSUPPORTED: it is not installed. */
int vt_sdl_load(const struct vt_sdl **sdl, struct vt_error *err);

#endif
