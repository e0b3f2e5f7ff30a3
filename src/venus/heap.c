/* venus/heap.c - pieces of shared memory, and those kept for use again.
 *
 * Sizes above 64 KiB are rounded up to an eighth of their power of two, so that allocations which
 * are nearly alike find each other's pieces. What is kept is bounded in bytes and number; the piece
 * unused for the longest time goes first. System calls and drivers are called without the lock.
 */
#include "venus/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define KEPT_MAX 128u
#define CLASSES_FROM ((uint64_t)64 << 10)
/* Larger ones are neither rounded up nor kept. */
#define CLASSES_TO ((uint64_t)64 << 20)
#define PIECE_MAX ((uint64_t)1 << 46)

struct vt_venus_heap {
    pthread_mutex_t lock;
    uint64_t page, kept_max;
    /* under the lock; kept[0] has been unused for the longest time */
    uint64_t kept_bytes;
    uint32_t n_kept;
    struct vt_venus_piece kept[KEPT_MAX];
};

int vt_venus_heap_create(uint64_t kept_max_bytes, struct vt_venus_heap **heap, struct vt_error *err)
{
    struct vt_venus_heap *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a heap");
    }
    pthread_mutex_init(&h->lock, NULL);
    h->page = (uint64_t)sysconf(_SC_PAGESIZE);
    h->kept_max = kept_max_bytes;
    *heap = h;
    return 0;
}

/* ---- one piece ---- */

static uint64_t size_class(const struct vt_venus_heap *heap, uint64_t bytes)
{
    uint64_t step = heap->page;
    if (bytes > CLASSES_FROM && bytes <= CLASSES_TO) {
        uint64_t eighth = (uint64_t)1 << (63 - __builtin_clzll(bytes - 1) - 3);
        step = eighth > step ? eighth : step;
    }
    return (bytes + step - 1) & ~(step - 1);
}

int vt_venus_heap_touch(struct vt_venus_heap *heap, struct vt_venus_piece *piece,
                        struct vt_error *err)
{
    if (piece->touched) {
        return 0;
    }
    if (madvise(piece->at, piece->size, MADV_POPULATE_WRITE) != 0) {
        if (errno != EINVAL) {
            return vt_fail_errno(err, VT_E_NOMEM, errno, "%zu bytes of shared memory", piece->size);
        }
        /* A kernel before 5.14. A write might meet what a guest has written to a kept piece. */
        for (size_t at = 0; at < piece->size; at += heap->page) {
            __atomic_fetch_or(piece->at + at, 0, __ATOMIC_RELAXED);
        }
    }
    piece->touched = true;
    return 0;
}

static int make(uint64_t size, struct vt_venus_piece *piece, struct vt_error *err)
{
    int fd = memfd_create("vitrine-venus", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return vt_fail_errno(err, VT_E_NOMEM, errno, "memfd_create");
    }
    void *at = MAP_FAILED;
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (at == MAP_FAILED) {
        int rc = vt_fail_errno(err, VT_E_NOMEM, errno, "%llu bytes of shared memory",
                               (unsigned long long)size);
        close(fd);
        return rc;
    }
    *piece = (struct vt_venus_piece){.fd = fd, .at = at, .size = size};
    return 0;
}

static void release_import(struct vt_venus_piece *piece)
{
    if (piece->import.device != NULL) {
        piece->import.free(piece->import.device, piece->import.memory, NULL);
        piece->import = (struct vt_venus_import){0};
    }
}

static void destroy(struct vt_venus_piece *piece)
{
    release_import(piece);
    munmap(piece->at, piece->size);
    close(piece->fd);
}

/* ---- those kept ---- */

static bool imported_like(const struct vt_venus_import *import, const struct vt_venus_import *like)
{
    return import->device == like->device && import->type == like->type &&
           import->flags == like->flags;
}

/* Under the lock. */
static struct vt_venus_piece pull(struct vt_venus_heap *heap, uint32_t at)
{
    struct vt_venus_piece piece = heap->kept[at];
    heap->n_kept--;
    heap->kept_bytes -= piece.size;
    memmove(&heap->kept[at], &heap->kept[at + 1], (heap->n_kept - at) * sizeof *heap->kept);
    return piece;
}

int vt_venus_heap_take(struct vt_venus_heap *heap, uint64_t bytes,
                       const struct vt_venus_import *like, struct vt_venus_piece *piece,
                       struct vt_error *err)
{
    if (bytes == 0 || bytes > PIECE_MAX) {
        return vt_fail(err, VT_E_LIMIT, "no piece of memory has %llu bytes",
                       (unsigned long long)bytes);
    }
    uint64_t size = size_class(heap, bytes);
    struct vt_venus_piece got;
    bool found = false;
    pthread_mutex_lock(&heap->lock);
    uint32_t best = heap->n_kept;
    for (uint32_t i = heap->n_kept; i-- > 0;) {
        if (heap->kept[i].size == size) {
            best = i;
            if (like != NULL && imported_like(&heap->kept[i].import, like)) {
                break;
            }
        }
    }
    if (best < heap->n_kept) {
        got = pull(heap, best);
        found = true;
    }
    pthread_mutex_unlock(&heap->lock);
    if (!found) {
        int rc = make(size, &got, err);
        if (rc != 0) {
            return rc;
        }
    } else if (like == NULL || !imported_like(&got.import, like)) {
        release_import(&got);
    }
    *piece = got;
    return 0;
}

void vt_venus_heap_give(struct vt_venus_heap *heap, struct vt_venus_piece *piece, bool keep)
{
    struct vt_venus_piece given = *piece;
    piece->fd = -1;
    piece->at = NULL;
    if (!keep || given.size > CLASSES_TO || given.size > heap->kept_max) {
        destroy(&given);
        return;
    }
    struct vt_venus_piece out[KEPT_MAX];
    uint32_t n_out = 0;
    pthread_mutex_lock(&heap->lock);
    while (heap->n_kept == KEPT_MAX || heap->kept_bytes + given.size > heap->kept_max) {
        out[n_out++] = pull(heap, 0);
    }
    heap->kept[heap->n_kept++] = given;
    heap->kept_bytes += given.size;
    pthread_mutex_unlock(&heap->lock);
    for (uint32_t i = 0; i < n_out; i++) {
        destroy(&out[i]);
    }
}

void vt_venus_heap_forget(struct vt_venus_heap *heap, VkDevice device, bool hung)
{
    pthread_mutex_lock(&heap->lock);
    for (uint32_t i = heap->n_kept; i-- > 0;) {
        if (heap->kept[i].import.device != device) {
            continue;
        }
        if (hung) {
            close(pull(heap, i).fd);
        } else {
            /* The device is ending: nobody else calls its driver's functions for memory. */
            release_import(&heap->kept[i]);
        }
    }
    pthread_mutex_unlock(&heap->lock);
}

void vt_venus_heap_kept(struct vt_venus_heap *heap, struct vt_venus_heap_kept *kept)
{
    pthread_mutex_lock(&heap->lock);
    *kept = (struct vt_venus_heap_kept){.bytes = heap->kept_bytes, .pieces = heap->n_kept};
    pthread_mutex_unlock(&heap->lock);
}

void vt_venus_heap_destroy(struct vt_venus_heap *heap)
{
    if (heap == NULL) {
        return;
    }
    for (uint32_t i = 0; i < heap->n_kept; i++) {
        destroy(&heap->kept[i]);
    }
    pthread_mutex_destroy(&heap->lock);
    free(heap);
}
