/* virtio/arena.c - memory that is taken and never given back. */
#include "vitrine/virtio.h"

#include <string.h>

void *vt_virtio_arena_take(struct vt_virtio_arena *arena, size_t bytes, size_t alignment,
                           uint64_t *device)
{
    if (bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) {
        return NULL;
    }
    size_t left = arena->bytes - arena->used;
    size_t gap = (size_t)(-((uintptr_t)arena->base + arena->used)) & (alignment - 1);
    if (gap > left || bytes > left - gap) {
        return NULL;
    }
    size_t at = arena->used + gap;
    /* An arena whose two addresses lie differently cannot align both. */
    if (((arena->device + at) & (alignment - 1)) != 0) {
        return NULL;
    }
    arena->used = at + bytes;
    if (device != NULL) {
        *device = arena->device + at;
    }
    return memset(arena->base + at, 0, bytes);
}
