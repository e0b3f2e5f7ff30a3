/* venus/codec.c - what the inline readers and writers of codec.h do not do themselves: faults,
 * further blocks of an arena, growth of what is written.
 */
#include "venus/codec.h"

#include <stdalign.h>
#include <stdlib.h>

/* An arena begins with a block of BLOCK_BYTES and keeps one of at most KEPT_BYTES. */
#define BLOCK_BYTES ((size_t)64 * 1024)
#define KEPT_BYTES ((size_t)1024 * 1024)

struct vt_venus_block {
    struct vt_venus_block *next;
    size_t size;
    alignas(16) uint8_t bytes[];
};

/* Where an arena without a block stands: nothing can be taken but no bytes at all. */
static alignas(16) uint8_t nothing[16];

void vt_venus_arena_init(struct vt_venus_arena *arena, size_t max_bytes)
{
    *arena = (struct vt_venus_arena){.at = nothing, .end = nothing, .max = max_bytes};
}

static void free_blocks(struct vt_venus_block *block)
{
    while (block != NULL) {
        struct vt_venus_block *next = block->next;
        free(block);
        block = next;
    }
}

void vt_venus_arena_fini(struct vt_venus_arena *arena)
{
    free_blocks(arena->blocks);
    vt_venus_arena_init(arena, arena->max);
}

void vt_venus_arena_reset(struct vt_venus_arena *arena)
{
    struct vt_venus_block *newest = arena->blocks;
    if (newest == NULL) {
        return;
    }
    if (newest->size > KEPT_BYTES) {
        vt_venus_arena_fini(arena);
        return;
    }
    if (newest->next != NULL) {
        free_blocks(newest->next);
        newest->next = NULL;
        arena->used = newest->size;
    }
    arena->at = newest->bytes;
    arena->end = newest->bytes + newest->size;
}

void *vt_venus_arena_more(struct vt_venus_arena *arena, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    size_t left = (arena->max - arena->used) & ~(size_t)15;
    if (rounded < bytes || rounded > left) {
        return NULL;
    }
    size_t size = arena->blocks != NULL && arena->blocks->size <= KEPT_BYTES / 2
                      ? arena->blocks->size * 2
                      : BLOCK_BYTES;
    size = size < rounded ? rounded : size;
    size = size > left ? left : size;
    struct vt_venus_block *block = malloc(sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->used += size;
    arena->at = block->bytes + rounded;
    arena->end = block->bytes + size;
    return block->bytes;
}

void vt_venus_fail(struct vt_venus_in *in, enum vt_venus_fault_kind kind, const char *member,
                   uint64_t value, uint64_t other)
{
    if (in->fault.kind == VT_VENUS_FINE) {
        in->fault.kind = kind;
        in->fault.member = member;
        in->fault.value = value;
        in->fault.other = other;
        in->fault.offset = (size_t)(in->at - in->start);
    }
    in->at = in->end;
}

void *vt_venus_alloc_array(struct vt_venus_in *in, uint64_t count, size_t size, size_t wire,
                           const char *member)
{
    size_t left = (size_t)(in->end - in->at);
    if (wire != 0 && count > left / wire) {
        vt_venus_fail(in, VT_VENUS_COUNT, member, count, left / wire);
        return NULL;
    }
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        vt_venus_fail(in, VT_VENUS_COUNT, member, count, in->arena->max / size);
        return NULL;
    }
    void *taken = vt_venus_arena_take(in->arena, bytes);
    if (taken == NULL) {
        vt_venus_fail(in, VT_VENUS_MEMORY, member, bytes, in->arena->max);
    }
    return taken;
}

void vt_venus_out_init(struct vt_venus_out *out, size_t max_bytes)
{
    *out = (struct vt_venus_out){.max = max_bytes};
}

void vt_venus_out_fixed(struct vt_venus_out *out, void *memory, size_t bytes)
{
    *out = (struct vt_venus_out){.start = memory,
                                 .at = memory,
                                 .end = memory != NULL ? (uint8_t *)memory + bytes : NULL,
                                 .max = bytes,
                                 .fixed = true};
}

void vt_venus_out_fini(struct vt_venus_out *out)
{
    if (!out->fixed) {
        free(out->start);
    }
    *out = (struct vt_venus_out){.max = out->max};
}

/* Sticky: no later and shorter value is written behind a gap. */
static bool overflow(struct vt_venus_out *out)
{
    out->overflow = true;
    out->end = out->at;
    return false;
}

bool vt_venus_out_more(struct vt_venus_out *out, size_t bytes)
{
    size_t used = (size_t)(out->at - out->start);
    size_t size = (size_t)(out->end - out->start);
    if (out->fixed || out->overflow || bytes > out->max - used) {
        return overflow(out);
    }
    size_t wanted = size < 256 ? 256 : size * 2;
    wanted = wanted < used + bytes ? used + bytes : wanted;
    wanted = wanted > out->max ? out->max : wanted;
    uint8_t *grown = realloc(out->start, wanted);
    if (grown == NULL) {
        return overflow(out);
    }
    out->start = grown;
    out->at = grown + used;
    out->end = grown + wanted;
    return true;
}
