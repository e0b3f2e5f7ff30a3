/* volume/camera.c - where one looks from: see vitrine/scene.h and camera.h.
 *
 * Every change but a pan goes through a pose: target, distance, and three angles (azimuth from the
 * front to the right, elevation, roll). Level at every elevation including straight up and down,
 * where the up vector says which way the azimuth is.
 *
 *   vectors, lens and projection
 *   poses
 *   named views, orbit, pan, zoom, frame
 *   flight (J. van Wijk, W. Nuij, "Smooth and efficient zooming and panning", InfoVis 2003)
 */
#include "volume/camera.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
#define FOV_Y (35 * PI / 180)
#define FOV_MIN 0.01
#define FOV_MAX 3.0
#define DISTANCE_MIN 1e-4
#define DISTANCE_MAX 32.0
/* How far from the cube a target can be panned. */
#define TARGET_MIN (-1.0)
#define TARGET_MAX 2.0
/* Lines end so far before the eye. */
#define LINE_NEAR 1e-5
/* The share of the picture a framed box takes. */
#define FRAME_FILL 0.92
/* Between panning and zooming in a flight; what van Wijk and Nuij found people like. */
#define RHO 1.4

/* ---- vectors, lens and projection ---- */

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double c[3])
{
    double r[3] = {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
    memcpy(c, r, sizeof r);
}

/* False, and left alone: too short to have a direction. */
static bool unit(double v[3])
{
    double length = sqrt(dot(v, v));
    if (!isfinite(length) || length < 1e-12) {
        return false;
    }
    for (unsigned k = 0; k < 3; k++) {
        v[k] /= length;
    }
    return true;
}

static double clamp(double v, double low, double high)
{
    return v >= high ? high : v >= low ? v : low; /* NaN: low */
}

void vt_camera_lens(const struct vt_camera *camera, double aspect, struct vt_lens *lens)
{
    struct vt_lens l;
    for (unsigned k = 0; k < 3; k++) {
        l.eye[k] = camera->eye[k];
        l.forward[k] = camera->target[k] - camera->eye[k];
    }
    if (!unit(l.forward)) {
        memcpy(l.forward, (double[]){0, 0, -1}, sizeof l.forward);
    }
    cross(l.forward, camera->up, l.right);
    if (!unit(l.right)) {
        /* Any axis that the line of sight does not follow will do. */
        const double other[3] = {0, fabs(l.forward[1]) < 0.9, fabs(l.forward[1]) >= 0.9};
        cross(l.forward, other, l.right);
        unit(l.right);
    }
    cross(l.right, l.forward, l.up);
    l.slope_y = tan(clamp(camera->fov_y, FOV_MIN, FOV_MAX) / 2);
    l.slope_x = l.slope_y * (aspect > 0 && isfinite(aspect) ? aspect : 1);
    *lens = l;
}

bool vt_camera_project(const struct vt_lens *lens, const double point[3], double at[3])
{
    double v[3] = {point[0] - lens->eye[0], point[1] - lens->eye[1], point[2] - lens->eye[2]};
    double depth = dot(v, lens->forward);
    if (!(depth > 1e-9)) {
        return false;
    }
    at[0] = 0.5 + 0.5 * dot(v, lens->right) / (depth * lens->slope_x);
    at[1] = 0.5 - 0.5 * dot(v, lens->up) / (depth * lens->slope_y);
    at[2] = depth;
    return true;
}

bool vt_camera_project_line(const struct vt_lens *lens, const double from[3], const double to[3],
                            double from_at[3], double to_at[3])
{
    const double *end[2] = {from, to};
    double depth[2], cut[2][3];
    for (unsigned i = 0; i < 2; i++) {
        double v[3] = {end[i][0] - lens->eye[0], end[i][1] - lens->eye[1],
                       end[i][2] - lens->eye[2]};
        depth[i] = dot(v, lens->forward);
    }
    if (!(depth[0] >= LINE_NEAR || depth[1] >= LINE_NEAR)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        double share = depth[i] >= LINE_NEAR
                           ? 0
                           : (LINE_NEAR - depth[i]) / (depth[1 - i] - depth[i]) * (1 + 1e-9);
        for (unsigned k = 0; k < 3; k++) {
            cut[i][k] = end[i][k] + share * (end[1 - i][k] - end[i][k]);
        }
    }
    return vt_camera_project(lens, cut[0], from_at) && vt_camera_project(lens, cut[1], to_at);
}

/* ---- poses ---- */

struct pose {
    double target[3], distance;
    double azimuth, elevation, roll;
    double fov_y;
};

/* From the target to the eye, and the level up that belongs to it. */
static void axes(double azimuth, double elevation, double back[3], double up[3])
{
    double sa = sin(azimuth), ca = cos(azimuth), se = sin(elevation), ce = cos(elevation);
    memcpy(back, (double[]){ce * sa, se, ce * ca}, 3 * sizeof *back);
    memcpy(up, (double[]){-se * sa, ce, -se * ca}, 3 * sizeof *up);
}

static struct pose pose_of(const struct vt_camera *camera)
{
    struct vt_lens l;
    vt_camera_lens(camera, 1, &l);
    struct pose p = {.fov_y = clamp(camera->fov_y, FOV_MIN, FOV_MAX)};
    double v[3];
    for (unsigned k = 0; k < 3; k++) {
        p.target[k] = camera->target[k];
        v[k] = camera->eye[k] - camera->target[k];
    }
    p.distance = clamp(sqrt(dot(v, v)), DISTANCE_MIN, DISTANCE_MAX);
    p.elevation = asin(clamp(-l.forward[1], -1, 1));
    double ce = hypot(l.forward[0], l.forward[2]);
    if (ce > 1e-6) {
        double back[3], up[3];
        p.azimuth = atan2(-l.forward[0], -l.forward[2]);
        axes(p.azimuth, p.elevation, back, up);
        p.roll = atan2(dot(up, l.right), dot(up, l.up));
    } else {
        double s = p.elevation > 0 ? -1 : 1;
        p.azimuth = atan2(s * l.up[0], s * l.up[2]);
    }
    return p;
}

static void camera_of(const struct pose *p, struct vt_camera *camera)
{
    double back[3], up[3], right[3];
    axes(p->azimuth, p->elevation, back, up);
    cross(up, back, right);
    double cr = cos(p->roll), sr = sin(p->roll);
    for (unsigned k = 0; k < 3; k++) {
        camera->target[k] = p->target[k];
        camera->eye[k] = p->target[k] + p->distance * back[k];
        camera->up[k] = cr * up[k] - sr * right[k];
    }
    camera->fov_y = p->fov_y;
}

/* ---- named views, orbit, pan, zoom, frame ---- */

static const struct {
    const char *name;
    double azimuth, elevation; /* degrees */
} named[] = {
    {"front", 0, 0}, {"back", 180, 0},   {"left", -90, 0}, {"right", 90, 0},
    {"top", 0, 90},  {"bottom", 0, -90}, {"iso", 35, 28},
};

int vt_camera_named(const char *name, struct vt_camera *camera, struct vt_error *err)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (strcmp(name, named[i].name) == 0) {
            struct pose p = {.target = {0.5, 0.5, 0.5},
                             .distance = 1,
                             .azimuth = named[i].azimuth * PI / 180,
                             .elevation = named[i].elevation * PI / 180,
                             .fov_y = FOV_Y};
            const struct vt_box all = {.max = {0, 0, 0}};
            camera_of(&p, camera);
            vt_camera_frame(camera, &all, 0, 1);
            return 0;
        }
    }
    return vt_fail(err, VT_E_INVAL, "no view '%.32s': front, back, left, right, top, bottom or iso",
                   name);
}

void vt_camera_orbit(struct vt_camera *camera, double yaw, double pitch)
{
    struct pose p = pose_of(camera);
    p.azimuth = remainder(p.azimuth + (isfinite(yaw) ? yaw : 0), 2 * PI);
    p.elevation = clamp(p.elevation + (isnan(pitch) ? 0 : pitch), -PI / 2, PI / 2);
    p.roll = 0;
    camera_of(&p, camera);
}

void vt_camera_pan(struct vt_camera *camera, double dx, double dy)
{
    struct vt_lens l;
    struct pose p = pose_of(camera);
    vt_camera_lens(camera, 1, &l);
    double height = 2 * p.distance * l.slope_y;
    for (unsigned k = 0; k < 3; k++) {
        double by =
            height * ((isfinite(dx) ? dx : 0) * l.right[k] + (isfinite(dy) ? dy : 0) * l.up[k]);
        double to = clamp(camera->target[k] + by, TARGET_MIN, TARGET_MAX);
        camera->eye[k] += to - camera->target[k];
        camera->target[k] = to;
    }
}

void vt_camera_zoom(struct vt_camera *camera, double factor)
{
    struct pose p = pose_of(camera);
    if (factor > 0) {
        p.distance = clamp(p.distance * factor, DISTANCE_MIN, DISTANCE_MAX);
    }
    camera_of(&p, camera);
}

void vt_camera_frame(struct vt_camera *camera, const struct vt_box *box, unsigned order,
                     double aspect)
{
    struct pose p = pose_of(camera);
    struct vt_lens l;
    double half[3];
    for (unsigned k = 0; k < 3; k++) {
        double low = ldexp(box->min[k], -(int)order), high = ldexp(box->max[k] + 1.0, -(int)order);
        p.target[k] = (low + high) / 2;
        half[k] = fmax(high - low, 0) / 2;
    }
    /* Far enough back for each corner: |across| <= slope x fill x (distance + depth). */
    vt_camera_lens(camera, aspect, &l);
    p.distance = DISTANCE_MIN;
    for (unsigned corner = 0; corner < 8; corner++) {
        double v[3];
        for (unsigned k = 0; k < 3; k++) {
            v[k] = (corner >> k & 1) != 0 ? half[k] : -half[k];
        }
        double depth = dot(v, l.forward);
        double x = fabs(dot(v, l.right)) / (l.slope_x * FRAME_FILL);
        double y = fabs(dot(v, l.up)) / (l.slope_y * FRAME_FILL);
        p.distance = clamp(fmax(x, y) - depth, p.distance, DISTANCE_MAX);
    }
    camera_of(&p, camera);
}

/* ---- flight ---- */

/* Share `s` (0 to 1) of the best path between pictures `w0` and `w1` high whose middles are
 * `apart`: how far the middle has gone (0 to 1), and the picture's height. */
static void glide(double w0, double w1, double apart, double s, double *gone, double *height)
{
    const double rho2 = RHO * RHO;
    if (apart < 1e-6 * fmin(w0, w1)) {
        *gone = s;
        *height = w0 * pow(w1 / w0, s);
        return;
    }
    double more = w1 * w1 - w0 * w0, across = rho2 * rho2 * apart * apart;
    double r0 = -asinh((more + across) / (2 * w0 * rho2 * apart));
    double r1 = -asinh((more - across) / (2 * w1 * rho2 * apart));
    double r = r0 + s * (r1 - r0);
    /* cosh r0 tanh r - sinh r0 without the difference of two large numbers */
    *gone = w0 / rho2 * sinh(r - r0) / cosh(r) / apart;
    *height = w0 * cosh(r0) / cosh(r);
}

void vt_camera_fly(const struct vt_camera *from, const struct vt_camera *to, double t,
                   struct vt_camera *at)
{
    if (!(t > 0)) {
        *at = *from;
        return;
    }
    if (t >= 1) {
        *at = *to;
        return;
    }
    double s = t * t * t * (10 + t * (6 * t - 15)); /* at rest at both ends */
    struct pose a = pose_of(from), b = pose_of(to), p;
    double apart = 0, gone, height;
    for (unsigned k = 0; k < 3; k++) {
        apart += (b.target[k] - a.target[k]) * (b.target[k] - a.target[k]);
    }
    glide(2 * a.distance * tan(a.fov_y / 2), 2 * b.distance * tan(b.fov_y / 2), sqrt(apart), s,
          &gone, &height);
    for (unsigned k = 0; k < 3; k++) {
        p.target[k] = a.target[k] + gone * (b.target[k] - a.target[k]);
    }
    p.fov_y = a.fov_y + s * (b.fov_y - a.fov_y);
    p.distance = height / (2 * tan(p.fov_y / 2));
    p.azimuth = a.azimuth + s * remainder(b.azimuth - a.azimuth, 2 * PI);
    p.elevation = a.elevation + s * (b.elevation - a.elevation);
    p.roll = a.roll + s * remainder(b.roll - a.roll, 2 * PI);
    camera_of(&p, at);
}
