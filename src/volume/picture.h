/* volume/picture.h - a picture of a target's RAM: look, and draw. For the verb and for the server.
 */
#ifndef VT_VOLUME_PICTURE_H
#define VT_VOLUME_PICTURE_H

#include "vitrine/highlight.h"
#include "vitrine/target.h"
#include "vitrine/volume.h"

#define VT_PICTURE_WIDTH 1600u /**< unless said otherwise */
#define VT_PICTURE_WIDTH_MIN 640u
#define VT_PICTURE_WIDTH_MAX 8192u
#define VT_PICTURE_TOP 6u

struct vt_picture_options {
    bool pause; /**< stop the VM while its pages are classified */
    bool no_highlights;
    enum vt_palette palette;
    uint32_t width; /**< VT_PICTURE_WIDTH_MIN to VT_PICTURE_WIDTH_MAX */
    unsigned top;   /**< so many of the largest processes get shades; at most VT_OWNERS_MAX */
};

/** What was looked at and drawn. */
struct vt_picture {
    struct vt_classes *classes;
    struct vt_highlights highlights;
    struct vt_canvas *canvas;
    const char *name;        /**< the VM's, or the file's without its directory; the target's */
    const char *consistency; /**< "a saved copy", "paused", "live" */
    char system[300];
    char note[VT_ERROR_MESSAGE_MAX]; /**< what was left out and why, or "" */
    int64_t unix_s;
    uint64_t scan_ns, draw_ns;
};

/** The VM stands still for the look only, not while it is drawn. A guest that is not understood is
 *  no failure. *picture is to be given to vt_picture_fini, also after a failure. Errors: those of
 *  vt_classes_scan, vt_target_stop, vt_map_draw. */
int vt_picture_take(struct vt_target *target, const struct vt_picture_options *options,
                    struct vt_picture *picture, struct vt_error *err);
void vt_picture_fini(struct vt_picture *picture);

#endif
