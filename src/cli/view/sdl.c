/* cli/view/sdl.c - see sdl.h. */
#include "cli/view/sdl.h"

#include <dlfcn.h>

#define LIBRARY "libSDL2-2.0.so.0"

int vt_sdl_load(const struct vt_sdl **sdl, struct vt_error *err)
{
    static struct vt_sdl table;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "no SDL 2 here to open a window with (Debian: libsdl2-2.0-0)");
    }
    const char *missing = NULL;
#define FIND(name)                                                                                 \
    table.name = (__typeof__(table.name))dlsym(library, "SDL_" #name);                             \
    missing = table.name == NULL ? "SDL_" #name : missing;
    VT_SDL_FUNCTIONS(FIND)
    if (missing != NULL) {
        dlclose(library);
        return vt_fail(err, VT_E_UNSUPPORTED, LIBRARY " is too old: it has no %s", missing);
    }
    *sdl = &table;
    return 0;
}
