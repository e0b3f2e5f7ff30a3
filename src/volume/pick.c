/* volume/pick.c - what a voxel of a picture is, and picking without a device. The host's own tables
 * say so; a byte that the guest has written since the picture was drawn is shown as it is now. */
#include "volume/view.h"

void vt_volume_describe(const struct vt_volume *volume, const uint32_t voxel[3],
                        struct vt_picked *picked)
{
    *picked = (struct vt_picked){.hit = false};
    uint64_t offset = vt_hilbert3d_distance(volume->order, voxel);
    uint64_t page = offset / VT_BRICK_VOXELS;
    if (page >= volume->n_pages || vt_volume_brick_at(volume, voxel) == VT_HOLE) {
        return;
    }
    uint32_t attributes = volume->attributes[page];
    *picked = (struct vt_picked){
        .hit = true,
        .voxel = {voxel[0], voxel[1], voxel[2]},
        .offset = {offset},
        .value = volume->bytes[offset],
        .page_class = VT_ATTRIBUTE_CLASS(attributes),
        .owner = VT_ATTRIBUTE_OWNER(attributes),
        .highlight = VT_ATTRIBUTE_HIGHLIGHT(attributes),
    };
}

int vt_volume_look(const struct vt_volume *volume, const struct vt_shot *shot, uint32_t width,
                   uint32_t height, struct vt_march_look *look, struct vt_error *err)
{
    const struct vt_march_facts facts = {
        .order = volume->order,
        .n_owners = volume->n_owners,
        .highlights = volume->highlights,
        .n_highlights = volume->n_highlights,
        .now_ms = vt_volume_ms(shot->now_s),
    };
    return vt_march_look_init(look, &facts, shot, width, height, err);
}

struct vt_march_ram vt_volume_ram(const struct vt_volume *volume)
{
    return (struct vt_march_ram){
        .order = volume->order,
        .bytes = volume->bytes,
        .n_pages = volume->n_pages,
        .attributes = volume->attributes,
        .bricks = volume->bricks,
        .grid = {volume->grid[0], volume->grid[1], volume->grid[2]},
        .newest = volume->newest,
    };
}

void vt_pick_reference(const struct vt_volume *volume, const struct vt_shot *shot, uint32_t width,
                       uint32_t height, uint32_t x, uint32_t y, struct vt_picked *picked)
{
    struct vt_march_look look;
    struct vt_march_ray ray = {.hit = false};
    if (x < width && y < height && vt_volume_look(volume, shot, width, height, &look, NULL) == 0) {
        struct vt_march_ram ram = vt_volume_ram(volume);
        (shot->method == VT_METHOD_SLICES ? vt_march_reference_slices : vt_march_reference)(
            &look, &ram, x / shot->scale, y / shot->scale, &ray);
    }
    *picked = (struct vt_picked){.hit = false};
    if (ray.hit) {
        vt_volume_describe(volume, ray.voxel, picked);
    }
}
