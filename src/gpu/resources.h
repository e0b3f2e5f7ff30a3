/* gpu/resources.h - what a virtio-gpu holds, worked out from the commands that were seen: its
 * resources, what its scanouts show, its cursors.
 *
 * A command counts when the device said OK. One whose answer is unknown counts too, and what it
 * touched is doubtful from then on; so is everything after commands went by unseen. A resource that
 * was made before the watch began is known from its first use on, without its size.
 */
#ifndef VT_GPU_RESOURCES_H
#define VT_GPU_RESOURCES_H

#include "gpu/record.h"
#include "virtio/gpu/protocol/protocol.h"

/** Resources beyond these are counted, not kept. */
#define VT_VGPU_RESOURCES_MAX 16384u

enum vt_vgpu_resource_kind {
    VT_VGPU_RESOURCE_UNKNOWN, /**< made before anybody looked */
    VT_VGPU_RESOURCE_2D,
    VT_VGPU_RESOURCE_3D,
    VT_VGPU_RESOURCE_BLOB,
};
/** "unknown", "2d", "3d", "blob"; never NULL. */
const char *vt_vgpu_resource_kind_name(enum vt_vgpu_resource_kind kind);

struct vt_vgpu_resource_seen {
    uint32_t id;
    enum vt_vgpu_resource_kind kind;
    bool doubtful;
    bool backed;
    uint32_t format, width, height; /**< 0: unknown; of a blob: as it was shown last */
    uint64_t blob_bytes;
    uint32_t entries;       /**< of its backing */
    uint64_t backing_bytes; /**< together */
    uint64_t sequence;      /**< of the command that made it */
    uint64_t transfers, flushes;
};

struct vt_vgpu_scanout_seen {
    bool known; /**< set or turned off since the watch began */
    bool doubtful;
    uint32_t resource; /**< 0: off */
    struct vt_vgpu_rect rect;
    uint64_t sequence; /**< of the command that set it */
    uint32_t cursor;   /**< resource; 0: none */
    uint32_t cursor_x, cursor_y, hot_x, hot_y;
};

struct vt_vgpu_resources;

int vt_vgpu_resources_create(struct vt_vgpu_resources **resources, struct vt_error *err);
/** Takes NULL. */
void vt_vgpu_resources_destroy(struct vt_vgpu_resources *resources);
/** A vt_vgpu_seen_fn, its `arg` the resources; true always. */
bool vt_vgpu_resources_see(const struct vt_vgpu_event_seen *event, void *resources);
/** In order of their ids; valid until the next event. */
const struct vt_vgpu_resource_seen *vt_vgpu_resources_all(const struct vt_vgpu_resources *resources,
                                                          size_t *n);
/** NULL: none of that id. */
const struct vt_vgpu_resource_seen *vt_vgpu_resource_seen(const struct vt_vgpu_resources *resources,
                                                          uint32_t id);
/** VT_VGPU_SCANOUTS_MAX of them. */
const struct vt_vgpu_scanout_seen *
vt_vgpu_resources_scanouts(const struct vt_vgpu_resources *resources);

struct vt_vgpu_resources_counts {
    uint64_t commands, errors; /**< errors: of the device's answers */
    uint64_t lost, resets, left_out;
};
const struct vt_vgpu_resources_counts *
vt_vgpu_resources_counts(const struct vt_vgpu_resources *resources);

#endif
