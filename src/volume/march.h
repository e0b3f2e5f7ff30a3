/* volume/march.h - one ray through the volume: what marching means, for the device and for the CPU.
 *
 * A scene, a camera and a volume's few tables become one block of numbers, struct vt_march_look,
 * which shaders/march.comp and shaders/slices.comp read as it is and which the reference on the CPU
 * (march_reference.c) reads, too. Lengths are voxels, z and y as in the cube of scene.h; colours
 * are 0-1, sRGB, mixed as they stand.
 *
 * A ray goes from voxel to voxel, front to back. A voxel of byte b on a page of class c takes away
 * 1 - exp(-s l) of the light behind it over l voxels of its length, s = absorption[b] (the
 * scene's, times VT_MARCH_DEPTH / side: volumes of all sizes look alike) x class_opacity[c] (x
 * VT_MARCH_DIM_ABSORB if dimmed, x (1 + VT_MARCH_HEAT_ABSORB h) if hot), and gives as much light of
 * its own: the page's colour x (VT_MARCH_SHADE + (1 - VT_MARCH_SHADE) b / 255). Pages that are
 * holes and what lies past the end of RAM are nothing. The ray ends when less than VT_MARCH_END of
 * the light is left, or at a slice plane that has a page there, which is opaque.
 */
#ifndef VT_VOLUME_MARCH_H
#define VT_VOLUME_MARCH_H

#include "volume/volume.h"

#define VT_MARCH_END 0.004
#define VT_MARCH_LEAST 1e-5 /**< what hides no more is not picked: a corner that rounding finds */
#define VT_MARCH_MORE 1.01  /**< hiding more than another voxel means at least so much */
#define VT_MARCH_SHADE 0.6
#define VT_MARCH_TINT 0.7         /**< how much of a highlight's colour its pages take */
#define VT_MARCH_DIM_ABSORB 0.12  /**< what is dimmed hides as much less */
#define VT_MARCH_DIM_COLOUR 0.5   /**< and is as much darker */
#define VT_MARCH_HEAT_COLOUR 0.85 /**< how much of the heat's colour a page just written takes */
#define VT_MARCH_HEAT_ABSORB 3.0  /**< and how much more it hides */
#define VT_MARCH_HOT {1.0, 0.62, 0.16} /**< the heat's colour */
#define VT_MARCH_ABSORB_MAX 16.0f      /**< of one voxel: opacity 1 */
#define VT_MARCH_DEPTH 1024.0f         /**< voxels: the cube's side that opacities are given for */
/** Devices draw by coarser cells what is less than so much of a pixel. */
#define VT_MARCH_FINE 0.06f
#define VT_MARCH_DIRECTION_MIN 1e-6f /**< no direction's component is smaller: no division by 0 */

enum vt_march_flags {
    VT_MARCH_SLICE_X = 1, /**< and 2 and 4: y, z */
    VT_MARCH_HEAT = 8,
    VT_MARCH_DIM_PLAIN = 16, /**< pages without a highlight are dimmed */
    VT_MARCH_FRAME = 32,
};

/** Laid out as std430 does it; shaders/march.glsl has its twin. */
struct vt_march_look {
    float eye[4], forward[4]; /**< forward: length 1 */
    float right[4], up[4];    /**< half the picture's width and height at distance 1; [3]: what a
                               *  pixel is of that */
    float clip_min[4], clip_max[4];       /**< voxels, within the cube */
    float slice[4];                       /**< voxels along x, y, z */
    float background[4];                  /**< colour */
    uint32_t width, height, order, flags; /**< pixels that are drawn; enum vt_march_flags */
    uint32_t now_ms;                      /**< of the volume's clock */
    uint32_t only_owner;
    float coarse;     /**< a pixel's width at distance 1, which levels are chosen by; 0: every voxel
                       *  is looked at, as the reference always does */
    float heat_decay; /**< per ms, as a power of 2: negative */
    float fine, little; /**< VT_MARCH_FINE by the scene's thickest voxel, and as it is; 0 as
                         *  `coarse` */
    float pad[2];
    float absorption[256];                   /**< of a voxel by its byte */
    float class_opacity[32];                 /**< what is no class: hole's */
    uint32_t highlights[512];                /**< colours by highlight, R lowest; [0] unused */
    uint32_t colours[32][VT_OWNERS_MAX + 1]; /**< by class and owner, R lowest; [c][0] no owner's */
};

/** What a look needs to know of a volume. */
struct vt_march_facts {
    unsigned order;
    unsigned n_owners;                  /**< processes that have a shade */
    const struct vt_colour *highlights; /**< of highlight 1 and on */
    size_t n_highlights;
    uint32_t now_ms; /**< the shot's time by the volume's clock */
};

/** `width` and `height` of the picture; it is drawn at 1/shot->scale of that. VT_E_INVAL: a scene
 * or camera that cannot be drawn (a number that is none, no direction, scale not 1, 2, 4 or 8). */
int vt_march_look_init(struct vt_march_look *look, const struct vt_march_facts *facts,
                       const struct vt_shot *shot, uint32_t width, uint32_t height,
                       struct vt_error *err);

/** RAM and what is known of it, on the CPU. */
struct vt_march_ram {
    unsigned order;
    const uint8_t *bytes; /**< n_pages x 4096 */
    uint64_t n_pages;
    const uint32_t *attributes; /**< of pages, VT_ATTRIBUTES */
    const uint32_t *bricks;     /**< by brick, as in struct vt_volume: VT_HOLE where nothing is */
    uint32_t grid[3];           /**< bricks along x, y, z */
    const uint32_t *newest;     /**< last writes, ms of the volume's clock; 0, or NULL: never */
};

/** What became of one ray. */
struct vt_march_ray {
    float rgba[4]; /**< 0-1, straight alpha */
    bool hit;      /**< something is there: what follows is about it */
    uint32_t voxel[3];
    float hides;  /**< how much of what is behind it that voxel hides, 0-1 */
    float margin; /**< how near another voxel came to being picked: 0: a tie, 1: far */
};

/** The reference: the ray of pixel (x, y) of the look's picture, voxel by voxel, in double
 * precision. */
void vt_march_reference(const struct vt_march_look *look, const struct vt_march_ram *ram,
                        uint32_t x, uint32_t y, struct vt_march_ray *ray);
/** The axis that planes are stacked along: the one that the picture's middle looks along most. */
unsigned vt_march_axis(const struct vt_march_look *look);
/** The other method: planes of voxels across the axis that the picture's middle looks along, each
 * as thick as a voxel and sampled once. */
void vt_march_reference_slices(const struct vt_march_look *look, const struct vt_march_ram *ram,
                               uint32_t x, uint32_t y, struct vt_march_ray *ray);

#endif
