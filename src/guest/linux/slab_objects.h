/* guest/linux/slab_objects.h - every object of a cache, found by what the kernel says of its pages:
 * an object that was taken off all lists is met as well.
 *
 *   struct vt_gva cache;
 *   rc = vt_slab_cache_of(kernel, "task_struct_cachep", &cache, err);
 *   rc = vt_slab_objects(kernel, cache, fn, arg, &result, err);
 *
 * All of vmemmap is gone through: 1/64 of RAM. The objects that are free are those on the list of
 * their slab, of a CPU, or in a sheaf; on a guest that runs, one may be between these.
 */
#ifndef VT_GUEST_LINUX_SLAB_OBJECTS_H
#define VT_GUEST_LINUX_SLAB_OBJECTS_H

#include "guest/kernel.h"

/** The cache that the kernel's variable `symbol` points to. VT_E_NOT_FOUND. */
int vt_slab_cache_of(struct vt_kernel *kernel, const char *symbol, struct vt_gva *cache,
                     struct vt_error *err);

struct vt_slab_objects {
    uint64_t slabs, in_use, free;
    uint32_t object_bytes;
    bool torn;     /**< a list of free objects was broken: some of "in use" may be free */
    char why[160]; /**< the first reason */
};

/** Calls `fn` for each object of the cache in ascending order of physical pages. Non-zero from `fn`
 *  ends it and is returned. VT_E_NOT_FOUND (a member this needs), VT_E_CORRUPT (no cache lies
 *  there), VT_E_NOMEM. */
int vt_slab_objects(struct vt_kernel *kernel, struct vt_gva cache,
                    int (*fn)(struct vt_gva object, bool in_use, void *arg), void *arg,
                    struct vt_slab_objects *result, struct vt_error *err);

#endif
