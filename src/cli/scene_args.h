/* cli/scene_args.h - the options of verbs that draw RAM as a volume: what to see, from where, with
 * which GPU. */
#ifndef VT_CLI_SCENE_ARGS_H
#define VT_CLI_SCENE_ARGS_H

#include "cli/cli.h"
#include "vitrine/scene.h"
#include "volume/follow.h"

/** Rows of a verb's table of options. */
#define VT_SCENE_OPTIONS                                                                           \
    {"size", "WxH", "pixels of the picture (default 1280x720)", false},                            \
        {"gpu", "NAME", "draw with this one: part of its name or its number (vitrine gpus)",       \
         false},                                                                                   \
        {"method", "NAME", "march (rays, default) or slices (blended planes)", false},             \
        {"palette", "NAME", "default, or colorblind (Okabe and Ito's colours)", false},            \
        {"opacity", "POINTS", "how much bytes hide: \"0:0 1:0.02 255:0.05\" (value:opacity)",      \
         false},                                                                                   \
        {"density", "FACTOR", "all of RAM hides so many times as much (default 1)", false},        \
        {"slice", "AXIS=AT", "an opaque plane across x, y or z, at 0 to 1", true},                 \
        {"clip", "AXIS=FROM:TO", "only what lies between, along x, y or z", true},                 \
        {"only", "PID", "dim all but this process' own pages", false},                             \
        {"zoom-to", "WHAT", "a highlight's name, or guest-physical FROM-TO or FROM+BYTES", false}, \
        {"no-heat", NULL, "what was written lately does not glow", false},                         \
        {"no-dim", NULL, "what is not highlighted is not dimmed", false},                          \
        {"no-boxes", NULL, "no boxes around highlights", false},                                   \
        {"no-labels", NULL, "no labels, title or legend", false},                                  \
        {"no-frame", NULL, "no lines around RAM", false},                                          \
    {                                                                                              \
        "no-highlights", NULL, "leave the VM's highlights out", false                              \
    }

#define VT_SCENE_VIEWS "iso, front, back, left, right, top or bottom"

/** Read from them; strings are the arguments'. */
struct vt_scene_args {
    struct vt_scene scene;
    struct vt_camera camera; /**< of the view named, around the whole cube */
    enum vt_method method;
    const char *gpu;     /**< for struct vt_gpu_options; NULL: not said */
    const char *zoom_to; /**< NULL: all of RAM */
    uint32_t width, height;
    int32_t only_pid; /**< 0: all */
    bool no_highlights;
    bool turning; /**< the caller's to set: what is framed stays in the picture from all around */
};

/** `view` NULL, or "3d": iso. Returns 0, or the exit code after saying why. */
int vt_scene_args_read(const struct vt_args *args, const char *view, struct vt_scene_args *out);

/** Takes what depends on RAM and on what was found in it (a look was taken): which process is
 *  shown alone, and where --zoom-to points; without one, the camera frames all of RAM. `camera` and
 *  `scene` may be those of `given`. VT_E_NOT_FOUND (no such highlight or process), VT_E_ADDR,
 *  VT_E_INVAL. */
int vt_scene_args_place(const struct vt_scene_args *given, const struct vt_ram *ram,
                        const struct vt_follow *follow, struct vt_camera *camera,
                        struct vt_scene *scene, struct vt_error *err);

#endif
