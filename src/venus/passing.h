/* venus/passing.h - what generated handlers do with objects; for handlers by hand as well.
 */
#ifndef VT_VENUS_PASSING_H
#define VT_VENUS_PASSING_H

#include "venus/context.h"

/** The object with an id that was not looked up while reading: of this type and of the same owner
 * (device), or NULL and a fault. */
struct vt_venus_object *vt_venus_owned(struct vt_venus_run *run,
                                       const struct vt_venus_object *owner, uint64_t id,
                                       VkObjectType type, const char *member);
/** Whether a new object may have this id; a fault if not. */
bool vt_venus_unused(struct vt_venus_run *run, uint64_t id, const char *member);
/** Adds what the host has made. False: it could not be added and the caller destroys it; *result
 * becomes VK_ERROR_OUT_OF_HOST_MEMORY where there are too many objects, everything else is a fault.
 */
bool vt_venus_made(struct vt_venus_run *run, struct vt_venus_object *parent, uint64_t id,
                   VkObjectType type, uint64_t handle, const char *member, VkResult *result);
/** Ends the object with this id, if it is not 0. */
void vt_venus_destroyed(struct vt_venus_run *run, const struct vt_venus_object *owner, uint64_t id,
                        VkObjectType type, const char *member);
/** Takes an object out of the table that was allocated from `pool`; its handle, or 0: its id is 0
 * or there is a fault. It leaves the table at once, so that no id is freed twice. */
uint64_t vt_venus_freed(struct vt_venus_run *run, struct vt_venus_object *pool, uint64_t id,
                        VkObjectType type, const char *member);
/** Adds what was allocated from `pool`, all or none: without objects they go back with it. */
VkResult vt_venus_allocated(struct vt_venus_run *run, struct vt_venus_object *pool, const void *ids,
                            const void *handles, uint32_t count, VkObjectType type,
                            const char *member);

/** Room for as many handles, all null, at least one; NULL and a fault. */
void *vt_venus_room_for_handles(struct vt_venus_run *run, uint64_t count);

#endif
