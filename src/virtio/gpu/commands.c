/* virtio/gpu/commands.c - the requests the driver sends, made and ordered. */
#include "virtio/gpu/protocol/commands.h"
#include "virtio/gpu/driver.h"

#include <string.h>

static struct vt_vgpu_header header(uint32_t type, uint64_t fence)
{
    return (struct vt_vgpu_header){
        .type = type, .flags = fence != 0 ? VT_VGPU_FLAG_FENCE : 0, .fence_id = fence};
}

/* A command of fixed size that is answered with a header. */
static int send_plain(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, const void *request,
                      uint32_t bytes)
{
    order->queue = VT_VGPU_CONTROL_QUEUE;
    order->request = request;
    order->request_bytes = bytes;
    order->response_bytes = sizeof(struct vt_vgpu_header);
    return vt_vgpu_order(d, order);
}

int vt_vgpu_send_create(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                        uint32_t format, uint32_t width, uint32_t height)
{
    const struct vt_vgpu_resource_create_2d request = {
        .header = header(VT_VGPU_CMD_RESOURCE_CREATE_2D, 0),
        .resource_id = id,
        .format = format,
        .width = width,
        .height = height,
    };
    order->repeatable = true;
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_unref(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id)
{
    const struct vt_vgpu_resource_unref request = {.header = header(VT_VGPU_CMD_RESOURCE_UNREF, 0),
                                                   .resource_id = id};
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_attach(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                        const struct vt_virtio_piece *pieces, uint32_t n)
{
    const struct vt_vgpu_resource_attach_backing request = {
        .header = header(VT_VGPU_CMD_RESOURCE_ATTACH_BACKING, 0),
        .resource_id = id,
        .nr_entries = n,
    };
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_vgpu_memory_entry entry = {.addr = pieces[i].device,
                                                   .length = pieces[i].bytes};
        memcpy(d->entries + i * sizeof(entry), &entry, sizeof(entry));
    }
    order->tail = d->entries;
    order->tail_bytes = n * (uint32_t)sizeof(struct vt_vgpu_memory_entry);
    order->repeatable = true;
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_detach(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id)
{
    const struct vt_vgpu_resource_detach_backing request = {
        .header = header(VT_VGPU_CMD_RESOURCE_DETACH_BACKING, 0), .resource_id = id};
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_set_scanout(struct vt_vgpu_driver *d, struct vt_vgpu_order *order,
                             uint32_t scanout, uint32_t id, const struct vt_vgpu_rect *rect)
{
    const struct vt_vgpu_set_scanout request = {
        .header = header(VT_VGPU_CMD_SET_SCANOUT, 0),
        .rect = *rect,
        .scanout_id = scanout,
        .resource_id = id,
    };
    order->repeatable = true;
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_transfer(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                          const struct vt_vgpu_rect *rect, uint64_t offset, uint64_t fence)
{
    const struct vt_vgpu_transfer_to_host_2d request = {
        .header = header(VT_VGPU_CMD_TRANSFER_TO_HOST_2D, fence),
        .rect = *rect,
        .offset = offset,
        .resource_id = id,
    };
    order->repeatable = true;
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_flush(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                       const struct vt_vgpu_rect *rect, uint64_t fence)
{
    const struct vt_vgpu_resource_flush request = {
        .header = header(VT_VGPU_CMD_RESOURCE_FLUSH, fence), .rect = *rect, .resource_id = id};
    order->repeatable = true;
    return send_plain(d, order, &request, sizeof(request));
}

int vt_vgpu_send_get_display_info(struct vt_vgpu_driver *d, struct vt_vgpu_order *order)
{
    const struct vt_vgpu_header request = header(VT_VGPU_CMD_GET_DISPLAY_INFO, 0);
    order->queue = VT_VGPU_CONTROL_QUEUE;
    order->request = &request;
    order->request_bytes = sizeof(request);
    order->response_bytes = sizeof(struct vt_vgpu_resp_display_info);
    order->repeatable = true;
    return vt_vgpu_order(d, order);
}

int vt_vgpu_send_get_edid(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t scanout)
{
    const struct vt_vgpu_get_edid request = {.header = header(VT_VGPU_CMD_GET_EDID, 0),
                                             .scanout = scanout};
    order->queue = VT_VGPU_CONTROL_QUEUE;
    order->request = &request;
    order->request_bytes = sizeof(request);
    order->response_bytes = sizeof(struct vt_vgpu_resp_edid);
    order->repeatable = true;
    return vt_vgpu_order(d, order);
}

int vt_vgpu_send_cursor(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t type,
                        uint32_t scanout, uint32_t id, uint32_t x, uint32_t y, uint32_t hot_x,
                        uint32_t hot_y)
{
    /* MOVE_CURSOR's struct is the same. */
    const struct vt_vgpu_update_cursor request = {
        .header = header(type, 0),
        .scanout_id = scanout,
        .x = x,
        .y = y,
        .resource_id = id,
        .hot_x = hot_x,
        .hot_y = hot_y,
    };
    order->queue = VT_VGPU_CURSOR_QUEUE;
    order->request = &request;
    order->request_bytes = sizeof(request);
    return vt_vgpu_order(d, order);
}

void vt_vgpu_rooms(uint32_t entries, uint32_t *request, uint32_t *response)
{
    *request = (uint32_t)(sizeof(struct vt_vgpu_resource_attach_backing) +
                          entries * sizeof(struct vt_vgpu_memory_entry));
    *response = sizeof(struct vt_vgpu_resp_edid);
}
