/* volume/studio.h - finished pictures of a target's RAM as a volume: what changes, a device that
 * draws it, and title, boxes, labels and legend on top. One thread's. */
#ifndef VT_VOLUME_STUDIO_H
#define VT_VOLUME_STUDIO_H

#include "volume/follow.h"

struct vt_studio;

struct vt_studio_options {
    const char *gpu; /**< as in struct vt_gpu_options; NULL: any, or where there is no Vulkan driver
                      *  at all, the CPU */
    uint32_t width, height; /**< 16-16384 */
    enum vt_method method;
    bool copy; /**< pictures are of the bytes as they were at the last look, also on devices that
                *  could use RAM in place */
    struct vt_follow_options follow;
};

/** `target` as for vt_follow_create; its name is the picture's title. Errors: those of
 *  vt_follow_create, vt_gpu_open, vt_volume_create and vt_view_create. */
int vt_studio_create(struct vt_target *target, const struct vt_studio_options *options,
                     struct vt_studio **studio, struct vt_error *err);
/** Takes NULL. */
void vt_studio_destroy(struct vt_studio *studio);
/** Looks once and takes what changed to the device. First before anything is drawn. Errors: those
 *  of vt_follow_look (VT_E_GONE: the VM ended) and vt_volume_update. */
int vt_studio_look(struct vt_studio *studio, struct vt_error *err);
/** Draws. *canvas is the studio's, until the next picture. A device that was lost is opened anew
 *  once. Errors: those of vt_view_draw. */
int vt_studio_draw(struct vt_studio *studio, const struct vt_camera *camera,
                   const struct vt_scene *scene, const struct vt_canvas **canvas,
                   struct vt_error *err);

const struct vt_follow *vt_studio_follow(const struct vt_studio *studio);

struct vt_studio_seen {
    const char *name;               /**< of the VM, or the file's without its directory */
    const struct vt_gpu_info *info; /**< of the device; NULL: the CPU, by the reference */
    const char *why;                /**< there is no device, or NULL */
    uint64_t gpu_bytes;             /**< of the volume on it */
    uint64_t look_ns, draw_ns;      /**< the last ones took */
};
void vt_studio_seen(const struct vt_studio *studio, struct vt_studio_seen *seen);

#endif
