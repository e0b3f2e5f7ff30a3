/* vitrine/scene.h - guest RAM as a volume on a GPU, seen from any side.
 *
 * A byte of RAM is a voxel; the RAM file's bytes lie along a 3-D Hilbert curve through a cube of
 * side 2^order (vt_volume_order), so a page of 4096 bytes is a brick of 16^3 voxels. A struct
 * vt_gpu is a Vulkan device, a struct vt_volume one VM's RAM on it, a struct vt_scene what to show
 * of it, a struct vt_view an image that is drawn. No window system is needed.
 *
 * A vt_gpu and all that was made on it belong to one thread at a time. A device that is lost fails
 * everything on it with VT_E_GONE until it is closed; the caller opens another.
 */
#ifndef VITRINE_SCENE_H
#define VITRINE_SCENE_H

#include "vitrine/highlight.h"
#include "vitrine/volume.h"

/* ---------------------------------------------------------------- devices */

struct vt_gpu;

struct vt_gpu_info {
    char name[256];             /**< "NVIDIA H200", "llvmpipe (LLVM 15.0.6, 256 bits)" */
    char driver[256];           /**< "llvmpipe 22.3.6", as the driver says */
    unsigned index;             /**< in the loader's order */
    bool software;              /**< runs on the CPU */
    bool imports;               /**< uses host memory in place (VK_EXT_external_memory_host); not
                                 *  where that lies behind a bus */
    bool timestamps;            /**< says how long it took */
    uint64_t memory_bytes;      /**< of its largest device-local heap */
    uint64_t storage_max_bytes; /**< largest storage buffer it binds */
};

/** All devices of all drivers the Vulkan loader finds; malloc'ed. VT_E_UNSUPPORTED: no loader, no
 *  driver; the message says what to install. */
int vt_gpu_list(struct vt_gpu_info **list, size_t *n, struct vt_error *err);

struct vt_gpu_options {
    const char *name; /**< part of its name, or its index; NULL: $VITRINE_GPU, else the first real
                       * GPU, else a software one */
    bool validate;    /**< turn validation layers on; what they say fails vt_gpu_close's result */
    bool windows;     /**< what is drawn can be shown in windows, where device and system can */
};
int vt_gpu_open(const struct vt_gpu_options *options, struct vt_gpu **gpu, struct vt_error *err);
/** Which one vt_gpu_open would take, without taking it. */
int vt_gpu_find(const struct vt_gpu_options *options, struct vt_gpu_info *info,
                struct vt_error *err);
/** Takes NULL. Everything made on it must be gone. Returns how many complaints the validation
 * layers had, 0 without them. */
unsigned vt_gpu_close(struct vt_gpu *gpu);
const struct vt_gpu_info *vt_gpu_info(const struct vt_gpu *gpu);
/** Device memory that is allocated now by us, and (VK_EXT_memory_budget, else 0) by this process as
 *  the driver counts it. */
void vt_gpu_memory(const struct vt_gpu *gpu, uint64_t *ours, uint64_t *driver);

/* ---------------------------------------------------------------- volumes */

struct vt_volume;

struct vt_volume_options {
    uint64_t memory_bytes; /**< of the device for this volume; 0: as much as it wants (1.15 x RAM).
                            *  With less, all have their coarser levels, and those that the camera
                            *  of the last draws is near to their voxels, as draws bring them in;
                            *  these are bytes of then, not of the last update */
    bool copy;             /**< do not import host memory even where it could be */
    const struct vt_ram_region *regions; /**< where highlights lie in `bytes`; copied */
    unsigned n_regions;                  /**< 0: guest-physical addresses are offsets */
};

/** `bytes` (n_pages of 4 KiB, read-only, by RAM-file offset; borrowed until it is destroyed)
 * becomes a volume. All pages are holes until an update. VT_E_NOMEM (device or host), VT_E_LIMIT
 * (more than 2^38 bytes). */
int vt_volume_create(struct vt_gpu *gpu, const uint8_t *bytes, uint64_t n_pages,
                     const struct vt_volume_options *options, struct vt_volume **volume,
                     struct vt_error *err);
/** Takes NULL. */
void vt_volume_destroy(struct vt_volume *volume);
unsigned vt_volume_side(const struct vt_volume *volume); /**< order: the side is 2^order voxels */

/** What became of RAM since the last update. NULL members did not change. */
struct vt_volume_update {
    const uint64_t *pages; /**< indices of pages whose bytes changed, ascending */
    size_t n_pages;
    bool all;               /**< every page that is no VT_CLASS_HOLE in `classes` changed (without
                             * `classes`: every page) at times unknown: none is hot any more;
                             * `pages` is not looked at */
    const uint8_t *classes; /**< enum vt_page_class of all pages; one that is VT_CLASS_HOLE and not
                             * in `pages` becomes a hole again */
    const uint8_t *owners;  /**< as vt_classes_owners, of all pages */
    const struct vt_highlights *highlights;
    double now_s; /**< a clock that only grows: pages in `pages` are hot at this time */
};
struct vt_volume_cost {
    uint64_t uploaded_bytes; /**< 0 where RAM is imported */
    uint64_t bricks;         /**< whose levels were made anew */
    uint64_t cpu_ns, gpu_ns; /**< gpu_ns 0: the device has no timestamps */
};
/** Takes the changes to the device; the next frame shows them. `cost` may be NULL. VT_E_INVAL:
 * pages that are not ascending or none of RAM's; nothing happened then. After any other failure
 * what it shows is of no one moment: destroy it. */
int vt_volume_update(struct vt_volume *volume, const struct vt_volume_update *update,
                     struct vt_volume_cost *cost, struct vt_error *err);
/** Device bytes of it: voxels, coarser levels, tables. */
uint64_t vt_volume_gpu_bytes(const struct vt_volume *volume);

/* ---------------------------------------------------------------- cameras: pure arithmetic */

/** Where one looks from. The cube is [0, 1]^3; x to the right, y up, z towards the viewer of the
 *  view "front". */
struct vt_camera {
    double eye[3], target[3], up[3];
    double fov_y; /**< radians */
};
/** "front", "back", "left", "right", "top", "bottom", "iso" (default); VT_E_INVAL names them. */
int vt_camera_named(const char *name, struct vt_camera *camera, struct vt_error *err);
/** Moves the eye around the target to the right and up, radians; it never turns over. */
void vt_camera_orbit(struct vt_camera *camera, double yaw, double pitch);
/** Moves the camera to the right and up (what is seen goes the other way) by shares of the
 *  picture's height at the target; bounded to the cube's surroundings. */
void vt_camera_pan(struct vt_camera *camera, double dx, double dy);
/** Towards (factor < 1) or away from the target; bounded. */
void vt_camera_zoom(struct vt_camera *camera, double factor);
/** From the same side, so that `box` (of a volume of 2^order) fills the picture. */
void vt_camera_frame(struct vt_camera *camera, const struct vt_box *box, unsigned order,
                     double aspect);
/** A smooth flight, t from 0 to 1; beyond that, its ends. Far targets are reached by rising, so
 *  that the way between them is seen. */
void vt_camera_fly(const struct vt_camera *from, const struct vt_camera *to, double t,
                   struct vt_camera *at);

/* ---------------------------------------------------------------- scenes */

/** What is shown. vt_scene_init gives what most want. Plain data. */
struct vt_scene {
    enum vt_palette palette;
    /** By byte value, 0–1: how much of what is behind it 1/1024 of the cube's depth hides: a
     *  voxel of 1 GiB of RAM, or two of 8 GiB. */
    float opacity[256];
    float class_opacity[VT_CLASSES]; /**< times this, 0–1 */
    float density;                   /**< times this; 1 as given */
    bool heat;                       /**< recent writes glow */
    float heat_s;                    /**< and fade to half in so many seconds */
    bool dim_others;                 /**< what is not highlighted is dimmed, when something is */
    bool slice_on[3]; /**< planes YZ, XZ, XY at slice[i], 0–1 along x, y, z: opaque */
    float slice[3];
    float clip_min[3], clip_max[3]; /**< only inside is drawn */
    int32_t only_owner;             /**< 1 + index of a process: others are dimmed; 0: all */
    bool boxes, labels, frame;      /**< around highlights; their names; around the cube */
    struct vt_colour background;
};
void vt_scene_init(struct vt_scene *scene);
/** A transfer function as text: "0:0 1:0.02 128:0.1 255:0.5": value:opacity, ascending, linear
 *  between, constant before the first and after the last. The scene is left alone on VT_E_INVAL. */
int vt_scene_opacity(struct vt_scene *scene, const char *text, struct vt_error *err);

/* ---------------------------------------------------------------- views */

struct vt_view;
struct vt_overlay; /**< volume/overlay.h */

enum vt_method {
    VT_METHOD_MARCH,  /**< rays, front to back */
    VT_METHOD_SLICES, /**< blended planes, back to front */
};

struct vt_shot {
    const struct vt_camera *camera;
    const struct vt_scene *scene;
    enum vt_method method;
    unsigned scale; /**< 1: every pixel; 2, 4, 8: every so manieth in both directions, enlarged */
    double now_s;   /**< of the heat */
    const struct vt_overlay *overlay; /**< drawn over it, always at every pixel; NULL: nothing is */
};
struct vt_shot_cost {
    uint64_t gpu_ns;   /**< 0: no timestamps */
    uint64_t total_ns; /**< until the image was complete on the device */
};

/** An image of width x height (16–16384) on the volume's device. */
int vt_view_create(struct vt_gpu *gpu, uint32_t width, uint32_t height, struct vt_view **view,
                   struct vt_error *err);
void vt_view_destroy(struct vt_view *view);
/** Draws and waits for the device. `cost` may be NULL. */
int vt_view_draw(struct vt_view *view, struct vt_volume *volume, const struct vt_shot *shot,
                 struct vt_shot_cost *cost, struct vt_error *err);
/** The image drawn last: R, G, B, A bytes, rows from the top without gaps; belongs to the view
 * until the next draw. Reads it back when first asked for. */
int vt_view_pixels(struct vt_view *view, const uint8_t **rgba, struct vt_error *err);

/** What is at a pixel of the image drawn last (or is there now, where RAM has changed since): the
 * first voxel that hides half of what is behind it, or else the most opaque one met. */
struct vt_picked {
    bool hit;
    uint32_t voxel[3];
    struct vt_off offset; /**< the byte in the RAM file */
    uint8_t value, page_class, owner;
    uint16_t highlight; /**< 1 + index, 0: none */
};
/** The volume drawn last must still be there. VT_E_INVAL: nothing is drawn yet, no such pixel. */
int vt_view_pick(struct vt_view *view, uint32_t x, uint32_t y, struct vt_picked *picked,
                 struct vt_error *err);
/** The same by the reference on the CPU, for tests and for devices that are gone. */
void vt_pick_reference(const struct vt_volume *volume, const struct vt_shot *shot, uint32_t width,
                       uint32_t height, uint32_t x, uint32_t y, struct vt_picked *picked);

#endif
