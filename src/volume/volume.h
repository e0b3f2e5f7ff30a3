/* volume/volume.h - inside of a volume: what lies on the device, and the same on the host.
 *
 * shaders/volume.glsl says what the tables are; the structs here are its layout. The host keeps
 * what a reference needs (brick words, attributes, last writes) and no voxels: these are the RAM.
 */
#ifndef VT_VOLUME_VOLUME_H
#define VT_VOLUME_VOLUME_H

#include "vitrine/scene.h"
#include "volume/gpu/gpu.h"
#include "volume/hilbert3d.h"

#define VT_HOLE UINT32_MAX
#define VT_NO_SLOT UINT32_MAX
#define VT_BRICK_ZERO (UINT32_C(1) << 5) /* known on the device only */
#define VT_CHUNK_SHIFT 18
#define VT_CHUNKS_MAX 256u /* of a gibibyte each: as many pages as a brick word numbers */
#define VT_CELLS_BYTES (512u + 64u + 8u + 1u) /* of a page, levels 1-4 */
#define VT_VOLUME_POOLED 1u

#define VT_ATTRIBUTES(page_class, owner, highlight)                                                \
    ((uint32_t)(page_class) | (uint32_t)(owner) << 8 | (uint32_t)(highlight) << 16)
#define VT_ATTRIBUTE_CLASS(attributes) ((uint8_t)((attributes) & 255))
#define VT_ATTRIBUTE_OWNER(attributes) ((uint8_t)((attributes) >> 8 & 255))
#define VT_ATTRIBUTE_HIGHLIGHT(attributes) ((uint16_t)((attributes) >> 16 & 511))

/** VtNode */
struct vt_volume_node {
    uint32_t summary, newest, classes, owners;
};

/** VtChunk: addresses */
struct vt_volume_chunk {
    uint64_t level[5];
};

/** Volume, up to its chunks. */
struct vt_volume_layout {
    uint64_t bricks, offsets, attributes, newest, slots, nodes; /* addresses */
    uint32_t order, flags, n_pages, n_node_levels;
    uint32_t grid[4];
    uint32_t node_first[16];
    uint32_t turns[32]; /**< struct vt_bricks' */
};

/* Nothing but volume.c and levels.c knows what is in there. */
struct vt_volume_build;
struct vt_highlight_boxes;
struct vt_skins;

struct vt_volume {
    struct vt_gpu *gpu;
    const uint8_t *bytes; /**< the RAM; read pages that are no holes only */
    uint32_t n_pages;
    unsigned order;
    uint32_t grid[3];               /**< bricks along x, y, z, from corner 0 of the cube */
    const struct vt_bricks *tables; /**< how bricks are turned */
    uint32_t *bricks;               /**< by brick, x fastest: page << 6 | orientation, or VT_HOLE */
    uint32_t *attributes;           /**< by page: VT_ATTRIBUTES */
    uint32_t *newest; /**< by page: last write, ms of the volume's clock, from 1; 0: never */
    uint64_t address; /**< on the device, of what programs take: a struct vt_volume_layout */
    struct vt_volume_layout layout;
    struct vt_colour highlights[VT_HIGHLIGHTS_MAX]; /**< colour of highlight 1 and on */
    unsigned n_highlights;
    const struct vt_highlight *boxes_of; /**< which highlights `boxes` are around; not looked at */
    struct vt_highlight_boxes *boxes;    /**< NULL: none */
    size_t n_boxes;
    unsigned n_owners;      /**< the highest that a page has had; 0: no page has one */
    uint32_t last;          /**< the highest page that was no hole */
    uint32_t hottest;       /**< the newest of `newest` */
    uint64_t version;       /**< counts updates */
    struct vt_skins *skins; /**< what bricks look like in the picture drawn last */
    struct vt_volume_build *build;
};

/** Seconds of the clock of struct vt_volume_update as in `newest`: ms + 1, clamped to 1 and
 *  UINT32_MAX (49 days). */
uint32_t vt_volume_ms(double now_s);

/** Before work that reads RAM in place: has this thread touch its last page. Where RAM's file was
 *  cut short (memory/fault.h), all that is lost becomes zeros then; a driver's threads have SIGBUS
 *  blocked, and one that they meet ends the process. What is lost while they work still does. */
void vt_volume_touch(const struct vt_volume *volume);

/** The brick word at voxel (x, y, z); VT_HOLE also outside the grid. */
uint32_t vt_volume_brick_at(const struct vt_volume *volume, const uint32_t voxel[3]);

#endif
