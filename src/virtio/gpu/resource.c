/* virtio/gpu/resource.c - resources: each is owned, and each command to it is judged before it is
 * sent.
 *
 * The table has what the device has confirmed and what it will be when all that is queued succeeds
 * (driver.h). A step that fails changes nothing; when no step is left on its way the plan is what
 * is confirmed. Devices may return buffers in any order: a step older than one that has succeeded
 * changes nothing any more.
 */
#include "virtio/gpu/driver.h"

#include <string.h>

enum { BYTES_PER_PIXEL = 4 }; /* of all eight formats */

struct vt_vgpu_resource *vt_vgpu_resource_find(const struct vt_vgpu_driver *d, uint32_t id)
{
    for (uint32_t i = 0; id != 0 && i < d->config.max_resources; i++) {
        if (d->resources[i].id == id) {
            return &d->resources[i];
        }
    }
    return NULL;
}

static struct vt_vgpu_resource *unused_entry(const struct vt_vgpu_driver *d)
{
    for (uint32_t i = 0; i < d->config.max_resources; i++) {
        if (d->resources[i].id == 0) {
            return &d->resources[i];
        }
    }
    return NULL;
}

enum vt_vgpu_resource_state vt_vgpu_resource_planned(const struct vt_vgpu_driver *d,
                                                     const struct vt_vgpu_resource *r)
{
    bool shown = r->planned == VT_VGPU_RES_BACKED && vt_vgpu_scanouts_show(d, r->id, true);
    return shown ? VT_VGPU_RES_SHOWN : r->planned;
}

enum vt_vgpu_resource_state vt_vgpu_resource_state(const struct vt_vgpu_driver *d, uint32_t id)
{
    const struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    if (r == NULL) {
        return VT_VGPU_RES_FREE;
    }
    bool shown = r->state == VT_VGPU_RES_BACKED && vt_vgpu_scanouts_show(d, id, false);
    return shown ? VT_VGPU_RES_SHOWN : r->state;
}

bool vt_vgpu_step_allowed(struct vt_vgpu_driver *d, const struct vt_vgpu_resource *r,
                          enum vt_vgpu_step step)
{
    enum vt_vgpu_resource_state now = r != NULL ? vt_vgpu_resource_planned(d, r) : VT_VGPU_RES_FREE;
    if (vt_vgpu_resource_after(now, step) == VT_VGPU_RES_STATES) {
        d->stats.steps_refused++;
        return false;
    }
    return true;
}

bool vt_vgpu_rect_inside(const struct vt_vgpu_rect *rect, const struct vt_vgpu_resource *r)
{
    return rect != NULL && rect->width > 0 && rect->height > 0 && rect->width <= r->width &&
           rect->height <= r->height && rect->x <= r->width - rect->width &&
           rect->y <= r->height - rect->height;
}

static void release_if_done(struct vt_vgpu_driver *d, struct vt_vgpu_resource *r)
{
    if (r->pending == 0) {
        r->planned = r->state;
        if (r->state == VT_VGPU_RES_FREE) {
            memset(r, 0, sizeof(*r));
            d->stats.resources--;
        }
    }
}

static bool settle(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                   struct vt_vgpu_answer *answer)
{
    struct vt_vgpu_resource *r = call->resource;
    r->pending--;
    if (answer->code == VT_VIRTIO_OK && call->serial > r->applied) {
        r->applied = call->serial;
        switch (call->step) {
        case VT_VGPU_STEP_BACK:
            r->state = VT_VGPU_RES_BACKED;
            break;
        case VT_VGPU_STEP_DESTROY:
            r->state = VT_VGPU_RES_FREE;
            vt_vgpu_scanouts_forget(d, r->id);
            break;
        default:
            r->state = VT_VGPU_RES_CREATED;
            break;
        }
    }
    release_if_done(d, r);
    return false;
}

/* What every step's order has in common; the step counts once it is queued. */
static struct vt_vgpu_order order_step(struct vt_vgpu_resource *r, enum vt_vgpu_step step,
                                       vt_vgpu_done_fn *done, void *arg)
{
    return (struct vt_vgpu_order){
        .done = done,
        .arg = arg,
        .settle = settle,
        .resource = r,
        .step = step,
        .serial = r->serial + 1,
        .latest = &r->serial,
    };
}

static void step_queued(struct vt_vgpu_resource *r, enum vt_vgpu_step step)
{
    r->serial++;
    r->pending++;
    r->planned = (enum vt_vgpu_resource_state)vt_vgpu_resource_after(r->planned, step);
}

int vt_vgpu_resource_create(struct vt_vgpu_driver *d, uint32_t id, uint32_t format, uint32_t width,
                            uint32_t height, vt_vgpu_done_fn *done, void *arg)
{
    struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    if (id == 0 || width == 0 || height == 0 || !vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_CREATE)) {
        return VT_VIRTIO_E_INVAL;
    }
    bool fresh = r == NULL;
    r = fresh ? unused_entry(d) : r;
    if (r == NULL) {
        return VT_VIRTIO_E_NOMEM;
    }
    struct vt_vgpu_order order = order_step(r, VT_VGPU_STEP_CREATE, done, arg);
    int rc = vt_vgpu_send_create(d, &order, id, format, width, height);
    if (rc != VT_VIRTIO_OK) {
        return rc;
    }
    d->stats.resources += fresh;
    r->id = id;
    r->format = format;
    r->width = width;
    r->height = height;
    r->backing_bytes = 0;
    step_queued(r, VT_VGPU_STEP_CREATE);
    return VT_VIRTIO_OK;
}

int vt_vgpu_resource_back(struct vt_vgpu_driver *d, uint32_t id,
                          const struct vt_virtio_piece *pieces, uint32_t n, vt_vgpu_done_fn *done,
                          void *arg)
{
    struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    uint64_t bytes = 0;
    if (pieces == NULL || n == 0 || n > d->config.max_entries ||
        !vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_BACK)) {
        return VT_VIRTIO_E_INVAL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (pieces[i].bytes == 0) {
            return VT_VIRTIO_E_INVAL;
        }
        bytes += pieces[i].bytes;
    }
    struct vt_vgpu_order order = order_step(r, VT_VGPU_STEP_BACK, done, arg);
    int rc = vt_vgpu_send_attach(d, &order, id, pieces, n);
    if (rc != VT_VIRTIO_OK) {
        return rc;
    }
    r->backing_bytes = bytes;
    step_queued(r, VT_VGPU_STEP_BACK);
    return VT_VIRTIO_OK;
}

int vt_vgpu_resource_unback(struct vt_vgpu_driver *d, uint32_t id, vt_vgpu_done_fn *done, void *arg)
{
    struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    if (!vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_UNBACK)) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_order order = order_step(r, VT_VGPU_STEP_UNBACK, done, arg);
    int rc = vt_vgpu_send_detach(d, &order, id);
    if (rc == VT_VIRTIO_OK) {
        step_queued(r, VT_VGPU_STEP_UNBACK);
    }
    return rc;
}

int vt_vgpu_resource_destroy(struct vt_vgpu_driver *d, uint32_t id, vt_vgpu_done_fn *done,
                             void *arg)
{
    struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    if (!vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_DESTROY)) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_order order = order_step(r, VT_VGPU_STEP_DESTROY, done, arg);
    /* The device does not know a lost one. */
    int rc = r->planned == VT_VGPU_RES_LOST ? vt_vgpu_order_nothing(d, &order)
                                            : vt_vgpu_send_unref(d, &order, id);
    if (rc == VT_VIRTIO_OK) {
        step_queued(r, VT_VGPU_STEP_DESTROY);
    }
    return rc;
}

int vt_vgpu_transfer(struct vt_vgpu_driver *d, uint32_t id, const struct vt_vgpu_rect *rect,
                     uint64_t offset, uint64_t fence, vt_vgpu_done_fn *done, void *arg)
{
    struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    if (!vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_TRANSFER) || !vt_vgpu_rect_inside(rect, r)) {
        return VT_VIRTIO_E_INVAL;
    }
    uint64_t bytes = ((uint64_t)(rect->height - 1) * r->width + rect->width) * BYTES_PER_PIXEL;
    if (bytes > r->backing_bytes || offset > r->backing_bytes - bytes) {
        return VT_VIRTIO_E_INVAL;
    }
    /* Repeated behind a flush it would not be seen. */
    struct vt_vgpu_order order = {
        .done = done, .arg = arg, .serial = r->uses + 1, .latest = &r->uses};
    int rc = vt_vgpu_send_transfer(d, &order, id, rect, offset, fence);
    r->uses += rc == VT_VIRTIO_OK;
    return rc;
}

int vt_vgpu_flush(struct vt_vgpu_driver *d, uint32_t id, const struct vt_vgpu_rect *rect,
                  uint64_t fence, vt_vgpu_done_fn *done, void *arg)
{
    struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, id);
    if (!vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_FLUSH) || !vt_vgpu_rect_inside(rect, r)) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_order order = {.done = done, .arg = arg};
    int rc = vt_vgpu_send_flush(d, &order, id, rect, fence);
    r->uses += rc == VT_VIRTIO_OK;
    return rc;
}

void vt_vgpu_resources_lost(struct vt_vgpu_driver *d)
{
    for (uint32_t i = 0; i < d->config.max_resources; i++) {
        struct vt_vgpu_resource *r = &d->resources[i];
        unsigned after = vt_vgpu_resource_after(r->state, VT_VGPU_STEP_RESET);
        if (r->id != 0 && after != VT_VGPU_RES_STATES) {
            r->state = r->planned = (enum vt_vgpu_resource_state)after;
        }
    }
}

uint32_t vt_vgpu_resources_give_up(struct vt_vgpu_driver *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->config.max_resources; i++) {
        struct vt_vgpu_resource *r = &d->resources[i];
        if (r->id == 0) {
            continue;
        }
        char line[96];
        struct vt_vgpu_text text;
        vt_vgpu_say_begin(&text, line, sizeof(line));
        vt_vgpu_say(&text, "resource ");
        vt_vgpu_say_number(&text, r->id);
        vt_vgpu_say(&text, " (");
        vt_vgpu_say_number(&text, r->width);
        vt_vgpu_say(&text, "x");
        vt_vgpu_say_number(&text, r->height);
        vt_vgpu_say(&text, ") was not destroyed");
        vt_vgpu_note(d, &text);
        memset(r, 0, sizeof(*r));
        n++;
    }
    d->stats.resources = 0;
    return n;
}
