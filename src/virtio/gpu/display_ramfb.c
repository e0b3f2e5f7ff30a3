/* virtio/gpu/display_ramfb.c - a display in plain memory: QEMU is told where it lies and reads it
 * whenever it draws. The second implementation, which shows that the first is not the interface.
 *
 * Source: QEMU, hw/display/ramfb.c and docs/specs/fw_cfg.rst; the format is Linux's
 * DRM_FORMAT_XRGB8888.
 */
#include "virtio/gpu/display.h"

#include "virtio/barrier.h"

#include <string.h>

#define FOURCC_XRGB8888 0x34325258u /* "XR24" */
#define LEAST 16u
#define MOST_WIDTH 16000u
#define MOST_HEIGHT 12000u

struct ramfb {
    struct vt_display base;
    struct vt_virtio_arena *arena;
    int (*write_config)(const void *record, size_t n, void *arg);
    void *arg;
    struct vt_display_memory memory[2];
    int shown; /* the buffer QEMU was told of, or -1 */
};

static uint8_t *put_be32(uint8_t *to, uint32_t value)
{
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        *to++ = (uint8_t)(value >> (shift - 8));
    }
    return to;
}

static int ramfb_flip(struct vt_display *p, unsigned buffer, const struct vt_damage *damage)
{
    struct ramfb *r = (struct ramfb *)p;
    (void)damage;
    const struct vt_surface *s = &p->surfaces[buffer];
    uint64_t device = r->memory[buffer].device;
    uint8_t record[28], *to = record;
    to = put_be32(to, (uint32_t)(device >> 32));
    to = put_be32(to, (uint32_t)device);
    to = put_be32(to, FOURCC_XRGB8888);
    to = put_be32(to, 0);
    to = put_be32(to, s->width);
    to = put_be32(to, s->height);
    to = put_be32(to, s->stride * (uint32_t)sizeof *s->pixels);
    /* Pixels before the address: whatever write_config does, it does it after them. */
    vt_virtio_barrier();
    int rc = r->write_config(record, (size_t)(to - record), r->arg);
    if (rc == VT_VIRTIO_OK) {
        r->shown = (int)buffer;
    }
    return rc;
}

static int ramfb_poll(struct vt_display *p)
{
    if (!p->busy) {
        return 0;
    }
    vt_display_finish(p, VT_VIRTIO_OK);
    return 1;
}

static int ramfb_resize(struct vt_display *p, uint32_t width, uint32_t height)
{
    struct ramfb *r = (struct ramfb *)p;
    if (width < LEAST || height < LEAST || width > MOST_WIDTH || height > MOST_HEIGHT) {
        return VT_VIRTIO_E_INVAL;
    }
    for (unsigned i = 0; i < p->buffers; i++) {
        int rc = vt_display_pixels(r->arena, &r->memory[i], &p->surfaces[i], width, height);
        if (rc != VT_VIRTIO_OK) {
            return rc;
        }
    }
    return VT_VIRTIO_OK;
}

/* There is no record that turns it off. */
static void ramfb_close(struct vt_display *p)
{
    if (p->busy) {
        vt_display_finish(p, VT_VIRTIO_OK);
    }
}

int vt_display_ramfb(struct vt_virtio_arena *arena,
                     int (*write_config)(const void *record, size_t n, void *arg), void *arg,
                     uint32_t width, uint32_t height, struct vt_display **p)
{
    static const struct vt_display_ops ops = {
        .name = "ramfb",
        .flip = ramfb_flip,
        .poll = ramfb_poll,
        .resize = ramfb_resize,
        .close = ramfb_close,
    };
    struct ramfb *r = vt_virtio_arena_take(arena, sizeof *r, _Alignof(struct ramfb), NULL);
    if (r == NULL) {
        return VT_VIRTIO_E_NOMEM;
    }
    r->base.ops = &ops;
    r->base.buffers = 2;
    r->arena = arena;
    r->write_config = write_config;
    r->arg = arg;
    int rc = vt_display_resize(&r->base, width, height);
    if (rc == VT_VIRTIO_OK) {
        *p = &r->base;
    }
    return rc;
}
