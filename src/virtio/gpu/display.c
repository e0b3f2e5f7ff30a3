/* virtio/gpu/display.c - surfaces, damage and flips, whatever is behind them (display.h). */
#include "virtio/gpu/display.h"

#include <string.h>

/* ---------------------------------------------------------------- damage */

/* Two commands more cost about as much as copying this many pixels. */
#define COMMANDS_WORTH 4096u

static uint64_t area(const struct vt_vgpu_rect *r)
{
    return (uint64_t)r->width * r->height;
}

static struct vt_vgpu_rect both(const struct vt_vgpu_rect *a, const struct vt_vgpu_rect *b)
{
    uint32_t x = a->x < b->x ? a->x : b->x, y = a->y < b->y ? a->y : b->y;
    uint32_t end_x = a->x + a->width, end_y = a->y + a->height;
    end_x = end_x > b->x + b->width ? end_x : b->x + b->width;
    end_y = end_y > b->y + b->height ? end_y : b->y + b->height;
    return (struct vt_vgpu_rect){x, y, end_x - x, end_y - y};
}

/* Pixels that joining would add. */
static uint64_t waste(const struct vt_vgpu_rect *a, const struct vt_vgpu_rect *b)
{
    struct vt_vgpu_rect joined = both(a, b);
    uint64_t apart = area(a) + area(b), together = area(&joined);
    return together > apart ? together - apart : 0;
}

/* The member that is joined with `r` at the least cost. */
static unsigned nearest(const struct vt_damage *damage, const struct vt_vgpu_rect *r)
{
    unsigned best = 0;
    for (unsigned i = 1; i < damage->n; i++) {
        if (waste(&damage->rects[i], r) < waste(&damage->rects[best], r)) {
            best = i;
        }
    }
    return best;
}

void vt_damage_add(struct vt_damage *damage, const struct vt_vgpu_rect *rect, uint32_t width,
                   uint32_t height)
{
    if (rect->x >= width || rect->y >= height || rect->width == 0 || rect->height == 0) {
        return;
    }
    struct vt_vgpu_rect r = *rect;
    r.width = r.width < width - r.x ? r.width : width - r.x;
    r.height = r.height < height - r.y ? r.height : height - r.y;
    /* What it is joined with may touch others: they are asked again, one fewer each time. */
    while (damage->n > 0) {
        unsigned i = nearest(damage, &r);
        if (damage->n < VT_DISPLAY_RECTS && waste(&damage->rects[i], &r) > COMMANDS_WORTH) {
            break;
        }
        r = both(&damage->rects[i], &r);
        damage->rects[i] = damage->rects[--damage->n];
    }
    damage->rects[damage->n++] = r;
}

static void damage_all(struct vt_display *p)
{
    for (unsigned i = 0; i < p->buffers; i++) {
        const struct vt_surface *s = &p->surfaces[i];
        p->stale[i].n = 0;
        vt_damage_add(&p->stale[i], &(struct vt_vgpu_rect){0, 0, s->width, s->height}, s->width,
                      s->height);
    }
}

void vt_display_damage(struct vt_display *p, const struct vt_vgpu_rect *rect)
{
    if (rect == NULL) {
        damage_all(p);
        return;
    }
    for (unsigned i = 0; i < p->buffers; i++) {
        const struct vt_surface *s = &p->surfaces[i];
        vt_damage_add(&p->stale[i], rect, s->width, s->height);
    }
}

/* ---------------------------------------------------------------- surfaces */

int vt_display_pixels(struct vt_virtio_arena *arena, struct vt_display_memory *memory,
                      struct vt_surface *s, uint32_t width, uint32_t height)
{
    uint64_t bytes = (uint64_t)width * height * sizeof *s->pixels;
    if (bytes > memory->bytes) {
        uint64_t device = 0;
        void *pixels =
            bytes <= SIZE_MAX ? vt_virtio_arena_take(arena, (size_t)bytes, 4096, &device) : NULL;
        if (pixels == NULL) {
            return VT_VIRTIO_E_NOMEM;
        }
        *memory = (struct vt_display_memory){pixels, device, bytes};
    }
    memset(memory->pixels, 0, (size_t)bytes);
    *s = (struct vt_surface){memory->pixels, width, height, width};
    return VT_VIRTIO_OK;
}

struct vt_surface *vt_display_surface(struct vt_display *p)
{
    return &p->surfaces[p->back];
}

const char *vt_display_name(const struct vt_display *p)
{
    return p->ops->name;
}

/* ---------------------------------------------------------------- flips */

int vt_display_flip(struct vt_display *p, void (*done)(int code, void *arg), void *arg)
{
    if (p->busy) {
        return VT_VIRTIO_E_FULL;
    }
    unsigned shown = p->back;
    struct vt_damage damage = p->stale[shown];
    int rc = p->ops->flip(p, shown, &damage);
    if (rc != VT_VIRTIO_OK) {
        return rc;
    }
    p->busy = true;
    p->done = done;
    p->arg = arg;
    p->stale[shown].n = 0;
    if (p->buffers == 2) {
        /* The flip before this one is done: nobody reads the other one. */
        p->back = !shown;
        for (unsigned i = 0; i < damage.n; i++) {
            const struct vt_vgpu_rect *r = &damage.rects[i];
            vt_surface_blit(&p->surfaces[p->back], (int32_t)r->x, (int32_t)r->y,
                            &p->surfaces[shown], r);
        }
    }
    return VT_VIRTIO_OK;
}

void vt_display_finish(struct vt_display *p, int code)
{
    void (*done)(int, void *) = p->done;
    p->busy = false;
    p->done = NULL;
    if (code != VT_VIRTIO_OK) {
        damage_all(p);
    }
    if (done != NULL) {
        done(code, p->arg);
    }
}

int vt_display_poll(struct vt_display *p)
{
    return p->ops->poll(p);
}

bool vt_display_busy(const struct vt_display *p)
{
    return p->busy;
}

int vt_display_resize(struct vt_display *p, uint32_t width, uint32_t height)
{
    if (p->busy) {
        return VT_VIRTIO_E_FULL;
    }
    int rc = p->ops->resize(p, width, height);
    if (rc == VT_VIRTIO_OK) {
        p->back = 0;
        damage_all(p);
    }
    return rc;
}

void vt_display_close(struct vt_display *p)
{
    p->ops->close(p);
}
