/* volume/camera.h - a camera's axes, and where a point of the cube lies in its picture. */
#ifndef VT_VOLUME_CAMERA_H
#define VT_VOLUME_CAMERA_H

#include "vitrine/scene.h"

/** A camera ready to project: its axes are unit vectors, at right angles to each other. */
struct vt_lens {
    double eye[3], right[3], up[3], forward[3];
    double slope_x, slope_y; /**< half the picture's width and height at a depth of 1 */
};

/** `aspect`: width by height; what is no positive number counts as 1. Any camera gives a lens: an
 *  up along the line of sight is replaced by one that is not. */
void vt_camera_lens(const struct vt_camera *camera, double aspect, struct vt_lens *lens);

/** A point of the volume as x, y in the picture (0 left and top, 1 right and bottom; outside of it
 *  the point is not seen) and its depth along the line of sight. False: it is not in front of the
 *  eye, and *at is left alone. */
bool vt_camera_project(const struct vt_lens *lens, const double point[3], double at[3]);

/** The part of a line that is in front of the eye, as two points of the picture. False: none. */
bool vt_camera_project_line(const struct vt_lens *lens, const double from[3], const double to[3],
                            double from_at[3], double to_at[3]);

#endif
