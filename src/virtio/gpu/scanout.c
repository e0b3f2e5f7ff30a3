/* virtio/gpu/scanout.c - what each scanout shows, and what the device says of its displays. */
#include "virtio/gpu/driver.h"
#include "virtio/gpu/edid.h"
#include "virtio/gpu/protocol/get_display_info.h"
#include "virtio/gpu/protocol/get_edid.h"

#include <string.h>

/* ---------------------------------------------------------------- SET_SCANOUT */

bool vt_vgpu_scanouts_show(const struct vt_vgpu_driver *d, uint32_t id, bool planned)
{
    for (uint32_t i = 0; i < d->n_scanouts; i++) {
        if ((planned ? d->scanouts[i].planned : d->scanouts[i].resource) == id) {
            return true;
        }
    }
    return false;
}

void vt_vgpu_scanouts_forget(struct vt_vgpu_driver *d, uint32_t id)
{
    for (uint32_t i = 0; i < d->n_scanouts; i++) {
        struct vt_vgpu_scanout *s = &d->scanouts[i];
        if (s->resource == id) {
            s->resource = 0;
            s->planned = s->pending == 0 ? 0 : s->planned;
        }
    }
}

void vt_vgpu_scanouts_lost(struct vt_vgpu_driver *d)
{
    for (uint32_t i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
        d->scanouts[i].resource = d->scanouts[i].planned = d->scanouts[i].cursor = 0;
    }
    d->displays_known = false;
}

static bool settle_scanout(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                           struct vt_vgpu_answer *answer)
{
    struct vt_vgpu_scanout *s = &d->scanouts[call->scanout];
    s->pending--;
    if (answer->code == VT_VIRTIO_OK && call->serial > s->applied) {
        s->applied = call->serial;
        s->resource = call->shows;
    }
    if (s->pending == 0) {
        s->planned = s->resource;
    }
    return false;
}

int vt_vgpu_set_scanout(struct vt_vgpu_driver *d, uint32_t scanout, uint32_t resource,
                        const struct vt_vgpu_rect *rect, vt_vgpu_done_fn *done, void *arg)
{
    static const struct vt_vgpu_rect none;
    if (scanout >= d->n_scanouts) {
        return VT_VIRTIO_E_INVAL;
    }
    if (resource != 0) {
        const struct vt_vgpu_resource *r = vt_vgpu_resource_find(d, resource);
        if (!vt_vgpu_step_allowed(d, r, VT_VGPU_STEP_SHOW) || !vt_vgpu_rect_inside(rect, r)) {
            return VT_VIRTIO_E_INVAL;
        }
    } else if (rect == NULL) {
        rect = &none;
    }
    struct vt_vgpu_scanout *s = &d->scanouts[scanout];
    struct vt_vgpu_order order = {
        .done = done,
        .arg = arg,
        .settle = settle_scanout,
        .scanout = scanout,
        .shows = resource,
        .serial = s->serial + 1,
        .latest = &s->serial,
    };
    int rc = vt_vgpu_send_set_scanout(d, &order, scanout, resource, rect);
    if (rc == VT_VIRTIO_OK) {
        s->serial++;
        s->pending++;
        s->planned = resource;
    }
    return rc;
}

/* ---------------------------------------------------------------- displays */

static bool settle_edid(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                        struct vt_vgpu_answer *answer);

/* Asks for the next scanout's EDID; false when there is none to ask for. */
static bool ask_next(struct vt_vgpu_driver *d, int *rc)
{
    if ((d->config.device->features & VT_VGPU_F_EDID) == 0 || d->asking.next >= d->n_scanouts) {
        return false;
    }
    struct vt_vgpu_order order = {.done = d->asking.done,
                                  .arg = d->asking.arg,
                                  .settle = settle_edid,
                                  .scanout = d->asking.next++};
    *rc = vt_vgpu_send_get_edid(d, &order, order.scanout);
    return true;
}

/* True: the question goes on, and `done` is for its last answer. */
static bool go_on(struct vt_vgpu_driver *d, const struct vt_vgpu_answer *answer)
{
    int rc = VT_VIRTIO_OK;
    if (answer->code != VT_VIRTIO_OK || !ask_next(d, &rc)) {
        d->asking.busy = false;
        return false;
    }
    if (rc != VT_VIRTIO_OK) {
        d->asking.busy = false;
        const struct vt_vgpu_answer failed = {.code = rc};
        if (d->asking.done != NULL) {
            d->asking.done(&failed, d->asking.arg);
        }
    }
    return true;
}

static bool settle_edid(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                        struct vt_vgpu_answer *answer)
{
    struct vt_vgpu_display_info *display = &d->displays[call->scanout];
    if (answer->code == VT_VIRTIO_OK) {
        struct vt_vgpu_resp_edid edid;
        memcpy(&edid, answer->response, sizeof(edid));
        vt_vgpu_edid_read(edid.edid, edid.size < sizeof(edid.edid) ? edid.size : sizeof(edid.edid),
                          display);
    } else if (answer->code == VT_VIRTIO_E_INVAL) {
        /* A display without one is a display all the same. */
        *answer = (struct vt_vgpu_answer){.latency_ns = answer->latency_ns};
    }
    return go_on(d, answer);
}

static bool settle_displays(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                            struct vt_vgpu_answer *answer)
{
    (void)call;
    if (answer->code == VT_VIRTIO_OK) {
        struct vt_vgpu_resp_display_info info;
        memcpy(&info, answer->response, sizeof(info));
        memset(d->displays, 0, sizeof(d->displays));
        for (uint32_t i = 0; i < d->n_scanouts; i++) {
            d->displays[i].enabled = info.pmodes[i].enabled != 0;
            d->displays[i].rect = info.pmodes[i].rect;
        }
        d->displays_known = true;
    }
    return go_on(d, answer);
}

int vt_vgpu_get_displays(struct vt_vgpu_driver *d, vt_vgpu_done_fn *done, void *arg)
{
    if (d->asking.busy) {
        return VT_VIRTIO_E_FULL;
    }
    struct vt_vgpu_order order = {.done = done, .arg = arg, .settle = settle_displays};
    int rc = vt_vgpu_send_get_display_info(d, &order);
    if (rc == VT_VIRTIO_OK) {
        d->asking.busy = true;
        d->asking.next = 0;
        d->asking.done = done;
        d->asking.arg = arg;
    }
    return rc;
}

const struct vt_vgpu_display_info *vt_vgpu_display_info(const struct vt_vgpu_driver *d,
                                                        uint32_t scanout)
{
    return d->displays_known && scanout < d->n_scanouts ? &d->displays[scanout] : NULL;
}
