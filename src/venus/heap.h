/* venus/heap.h - memory of a context that a guest maps and the host's GPU uses: pieces, each of a
 * memfd of its own, because a guest finds its memory at a file's first byte.
 *
 * Making a piece costs zeroed pages, and having a driver import one costs hundreds of microseconds
 * on some: pieces given back are kept for a while, together with what the driver made of them. A
 * piece never leaves its context but to the host, so what is in it was the same guest's.
 */
#ifndef VT_VENUS_HEAP_H
#define VT_VENUS_HEAP_H

#include "venus/context.h"

/** Bytes of unused pieces that a context keeps. */
#define VT_VENUS_HEAP_KEPT_BYTES ((uint64_t)64 << 20)

/** A piece as a host's driver has imported it. */
struct vt_venus_import {
    VkDevice device; /**< NULL: not imported */
    VkDeviceMemory memory;
    PFN_vkFreeMemory free;
    uint32_t type;               /**< memory type */
    VkMemoryAllocateFlags flags; /**< allocated with */
};

/** Of the host's page size and at most the host's address space; one class of sizes each, so that
 * pieces can be used again. */
struct vt_venus_piece {
    int fd;      /**< sealed against shrinking and growing */
    uint8_t *at; /**< mapped, readable and writable */
    size_t size; /**< a multiple of the host's page size */
    bool touched;
    struct vt_venus_import import;
};

int vt_venus_heap_create(uint64_t kept_max_bytes, struct vt_venus_heap **heap,
                         struct vt_error *err);
/** All pieces were given back and their devices forgotten; takes NULL. */
void vt_venus_heap_destroy(struct vt_venus_heap *heap);

/** At least `bytes` (not 0). `like` (or NULL): a kept piece that was imported so is preferred; the
 * piece's import says whether it was. VT_E_LIMIT: larger than any piece; VT_E_NOMEM. */
int vt_venus_heap_take(struct vt_venus_heap *heap, uint64_t bytes,
                       const struct vt_venus_import *like, struct vt_venus_piece *piece,
                       struct vt_error *err);
/** Its pages are there afterwards, which drivers of real GPUs want before they import. */
int vt_venus_heap_touch(struct vt_venus_heap *heap, struct vt_venus_piece *piece,
                        struct vt_error *err);
/** Gives a piece back, import included. `keep`: nobody outside of the guest's own process can see
 * it, so it may be used again. */
void vt_venus_heap_give(struct vt_venus_heap *heap, struct vt_venus_piece *piece, bool keep);
/** Before a device ends: kept pieces are no longer its own. `hung`: nothing of the device may be
 * destroyed, and its GPU may still write: those pieces stay mapped for ever. */
void vt_venus_heap_forget(struct vt_venus_heap *heap, VkDevice device, bool hung);

/** What is kept now. */
struct vt_venus_heap_kept {
    uint64_t bytes;
    uint32_t pieces;
};
void vt_venus_heap_kept(struct vt_venus_heap *heap, struct vt_venus_heap_kept *kept);

#endif
