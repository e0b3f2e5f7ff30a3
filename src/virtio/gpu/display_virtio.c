/* virtio/gpu/display_virtio.c - a display over the virtio-gpu driver: a resource a buffer.
 *
 * A flip is transfers of what the device has not got, SET_SCANOUT when another buffer is to be
 * shown, and flushes: numbered steps, which are queued as there is room, none waiting for the
 * answer of another. It is done when all are answered.
 */
#include "virtio/gpu/display.h"
#include "virtio/gpu/protocol/formats.h"

#define MOST 16384u /* a side: 1 GiB in all */

struct virtio_display {
    struct vt_display base;
    struct vt_vgpu_driver *driver;
    struct vt_virtio_arena *arena;
    uint32_t scanout, first_id;
    struct vt_display_memory memory[2];
    bool made[2];
    uint32_t shows; /* the resource the scanout was set to, or 0 */
    int setup;      /* why setting up failed, or 0 */
    /* The flip on its way. */
    struct {
        struct vt_damage damage;
        uint32_t id, showed;
        unsigned next, steps, unanswered;
        int code;
    } flip;
};

static struct virtio_display *of(struct vt_display *p)
{
    return (struct virtio_display *)p;
}

/* ---------------------------------------------------------------- flips */

static void give_up(struct virtio_display *v, int code)
{
    v->flip.code = v->flip.code != VT_VIRTIO_OK ? v->flip.code : code;
    v->flip.next = v->flip.steps;
}

static void finish_if_done(struct virtio_display *v)
{
    if (v->base.busy && v->flip.next == v->flip.steps && v->flip.unanswered == 0) {
        vt_display_finish(&v->base, v->flip.code);
    }
}

static void answered(const struct vt_vgpu_answer *answer, void *arg)
{
    struct virtio_display *v = arg;
    v->flip.unanswered--;
    if (answer->code != VT_VIRTIO_OK) {
        give_up(v, answer->code);
    }
    finish_if_done(v);
}

static void scanout_answered(const struct vt_vgpu_answer *answer, void *arg)
{
    struct virtio_display *v = arg;
    if (answer->code != VT_VIRTIO_OK) {
        v->shows = v->flip.showed;
    }
    answered(answer, arg);
}

static int flip_step(struct virtio_display *v)
{
    const struct vt_surface *s = &v->base.surfaces[v->flip.id - v->first_id];
    unsigned i = v->flip.next, n = v->flip.damage.n;
    if (i < n) {
        const struct vt_vgpu_rect *r = &v->flip.damage.rects[i];
        uint64_t offset = ((uint64_t)r->y * s->stride + r->x) * sizeof *s->pixels;
        return vt_vgpu_transfer(v->driver, v->flip.id, r, offset, 0, answered, v);
    }
    if (i > n) {
        const struct vt_vgpu_rect *r = &v->flip.damage.rects[i - n - 1];
        return vt_vgpu_flush(v->driver, v->flip.id, r, 0, answered, v);
    }
    const struct vt_vgpu_rect all = {0, 0, s->width, s->height};
    int rc = vt_vgpu_set_scanout(v->driver, v->scanout, v->flip.id, &all, scanout_answered, v);
    v->shows = rc == VT_VIRTIO_OK ? v->flip.id : v->shows;
    return rc;
}

/* Queues what there is room for. */
static int advance(struct virtio_display *v)
{
    for (; v->flip.next < v->flip.steps; v->flip.next++) {
        if (v->flip.next == v->flip.damage.n && v->shows == v->flip.id) {
            continue;
        }
        int rc = flip_step(v);
        if (rc != VT_VIRTIO_OK) {
            return rc;
        }
        v->flip.unanswered++;
    }
    return VT_VIRTIO_OK;
}

static int virtio_flip(struct vt_display *p, unsigned buffer, const struct vt_damage *damage)
{
    struct virtio_display *v = of(p);
    if (v->setup != VT_VIRTIO_OK) {
        return v->setup;
    }
    v->flip.damage = *damage;
    v->flip.id = v->first_id + buffer;
    v->flip.showed = v->shows;
    v->flip.next = 0;
    v->flip.steps = 2 * damage->n + 1;
    v->flip.unanswered = 0;
    v->flip.code = VT_VIRTIO_OK;
    int rc = advance(v);
    if (rc != VT_VIRTIO_OK && rc != VT_VIRTIO_E_FULL) {
        if (v->flip.unanswered == 0) {
            return rc;
        }
        give_up(v, rc);
    }
    vt_vgpu_kick(v->driver);
    return VT_VIRTIO_OK;
}

static int virtio_poll(struct vt_display *p)
{
    struct virtio_display *v = of(p);
    int n = vt_vgpu_poll(v->driver);
    if (p->busy && v->flip.next < v->flip.steps) {
        int rc = advance(v);
        if (rc != VT_VIRTIO_OK && rc != VT_VIRTIO_E_FULL) {
            give_up(v, rc);
        }
        vt_vgpu_kick(v->driver);
    }
    finish_if_done(v);
    return n;
}

/* ---------------------------------------------------------------- setting up, and the reverse */

/* Step after step; where there is no room, what is on its way is waited for: until the driver's own
 * timeouts, at most. */
static int in_turn(struct virtio_display *v, int (*step)(struct virtio_display *v, unsigned i),
                   unsigned steps)
{
    int rc = VT_VIRTIO_OK;
    for (unsigned i = 0; rc == VT_VIRTIO_OK && i < steps; i++) {
        rc = step(v, i);
        if (rc == VT_VIRTIO_E_FULL) {
            rc = vt_vgpu_drain(v->driver, UINT64_MAX);
            rc = rc == VT_VIRTIO_OK ? step(v, i) : rc;
        }
    }
    vt_vgpu_kick(v->driver);
    return rc;
}

static void set_up(const struct vt_vgpu_answer *answer, void *arg)
{
    struct virtio_display *v = arg;
    if (answer->code != VT_VIRTIO_OK && v->setup == VT_VIRTIO_OK) {
        v->setup = answer->code;
    }
}

static int make(struct virtio_display *v, unsigned i)
{
    unsigned buffer = i / 2;
    uint32_t id = v->first_id + buffer;
    const struct vt_surface *s = &v->base.surfaces[buffer];
    if (i % 2 == 0) {
        int rc = vt_vgpu_resource_create(v->driver, id, VT_VGPU_FORMAT_B8G8R8X8_UNORM, s->width,
                                         s->height, set_up, v);
        v->made[buffer] = rc == VT_VIRTIO_OK;
        return rc;
    }
    const struct vt_virtio_piece piece = {
        v->memory[buffer].device,
        (uint32_t)((uint64_t)s->stride * s->height * sizeof *s->pixels),
    };
    return vt_vgpu_resource_back(v->driver, id, &piece, 1, set_up, v);
}

static int unmake(struct virtio_display *v, unsigned i)
{
    int rc = VT_VIRTIO_OK;
    if (i == 0) {
        /* After a reset no scanout shows anything. */
        if (v->shows != 0 && vt_vgpu_resource_state(v->driver, v->shows) != VT_VGPU_RES_LOST) {
            rc = vt_vgpu_set_scanout(v->driver, v->scanout, 0, NULL, NULL, NULL);
        }
        v->shows = rc == VT_VIRTIO_OK ? 0 : v->shows;
        return rc;
    }
    if (v->made[i - 1]) {
        rc = vt_vgpu_resource_destroy(v->driver, v->first_id + i - 1, NULL, NULL);
        /* Invalid: the device did not make it. */
        rc = rc == VT_VIRTIO_E_INVAL ? VT_VIRTIO_OK : rc;
        v->made[i - 1] = rc != VT_VIRTIO_OK;
    }
    return rc;
}

static int virtio_resize(struct vt_display *p, uint32_t width, uint32_t height)
{
    struct virtio_display *v = of(p);
    if (width == 0 || height == 0 || width > MOST || height > MOST) {
        return VT_VIRTIO_E_INVAL;
    }
    int rc = in_turn(v, unmake, 1 + p->buffers);
    for (unsigned i = 0; rc == VT_VIRTIO_OK && i < p->buffers; i++) {
        rc = vt_display_pixels(v->arena, &v->memory[i], &p->surfaces[i], width, height);
    }
    v->setup = VT_VIRTIO_OK;
    rc = rc == VT_VIRTIO_OK ? in_turn(v, make, 2 * p->buffers) : rc;
    if (rc != VT_VIRTIO_OK) {
        v->setup = rc;
    }
    return rc;
}

static void virtio_close(struct vt_display *p)
{
    struct virtio_display *v = of(p);
    if (p->busy) {
        give_up(v, VT_VIRTIO_OK);
    }
    (void)in_turn(v, unmake, 1 + p->buffers);
}

int vt_display_virtio_gpu(struct vt_vgpu_driver *d, struct vt_virtio_arena *arena, uint32_t scanout,
                          uint32_t first_id, unsigned buffers, uint32_t width, uint32_t height,
                          struct vt_display **p)
{
    static const struct vt_display_ops ops = {
        .name = "virtio-gpu",
        .flip = virtio_flip,
        .poll = virtio_poll,
        .resize = virtio_resize,
        .close = virtio_close,
    };
    if (buffers < 1 || buffers > 2 || scanout >= vt_vgpu_driver_scanouts(d) || first_id == 0 ||
        first_id > UINT32_MAX - buffers) {
        return VT_VIRTIO_E_INVAL;
    }
    struct virtio_display *v =
        vt_virtio_arena_take(arena, sizeof *v, _Alignof(struct virtio_display), NULL);
    if (v == NULL) {
        return VT_VIRTIO_E_NOMEM;
    }
    v->base.ops = &ops;
    v->base.buffers = buffers;
    v->driver = d;
    v->arena = arena;
    v->scanout = scanout;
    v->first_id = first_id;
    int rc = vt_display_resize(&v->base, width, height);
    if (rc != VT_VIRTIO_OK) {
        vt_display_close(&v->base);
        return rc;
    }
    *p = &v->base;
    return VT_VIRTIO_OK;
}
