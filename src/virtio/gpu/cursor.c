/* virtio/gpu/cursor.c - the cursor, on its own queue.
 *
 * Devices read a cursor's picture when UPDATE_CURSOR comes, from their own copy: it must have been
 * transferred, with a fence, before (5.7.6.6). No answer is asked for: QEMU gives none.
 */
#include "virtio/gpu/driver.h"

enum { CURSOR_SIDE = 64 };

int vt_vgpu_cursor_set(struct vt_vgpu_driver *d, uint32_t scanout, uint32_t resource, uint32_t x,
                       uint32_t y, uint32_t hot_x, uint32_t hot_y, vt_vgpu_done_fn *done, void *arg)
{
    if (scanout >= d->n_scanouts || hot_x >= CURSOR_SIDE || hot_y >= CURSOR_SIDE) {
        return VT_VIRTIO_E_INVAL;
    }
    if (resource != 0) {
        const struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, resource);
        if (!vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_TRANSFER) || r->width != CURSOR_SIDE ||
            r->height != CURSOR_SIDE) {
            return VT_VIRTIO_E_INVAL;
        }
    }
    struct vt_vgpu_order order = {.done = done, .arg = arg};
    int rc = vt_vgpu_send_cursor(d, &order, VT_VGPU_CMD_UPDATE_CURSOR, scanout, resource, x, y,
                                 hot_x, hot_y);
    if (rc == VT_VIRTIO_OK) {
        d->scanouts[scanout].cursor = resource;
    }
    return rc;
}

int vt_vgpu_cursor_move(struct vt_vgpu_driver *d, uint32_t scanout, uint32_t x, uint32_t y,
                        vt_vgpu_done_fn *done, void *arg)
{
    if (scanout >= d->n_scanouts) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_order order = {.done = done, .arg = arg};
    return vt_vgpu_send_cursor(d, &order, VT_VGPU_CMD_MOVE_CURSOR, scanout,
                               d->scanouts[scanout].cursor, x, y, 0, 0);
}
