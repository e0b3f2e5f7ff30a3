/* venus/handlers.h - what handlers of several objects share. */
#ifndef VT_VENUS_HANDLERS_H
#define VT_VENUS_HANDLERS_H

#include "venus/device.h"

/** Adds a new object below `parent`. False: a fault, and the host's object has ended. */
bool vt_venus_add(struct vt_venus_run *run, uint64_t id, VkObjectType type, uint64_t handle,
                  struct vt_venus_object *parent, const char *member);
/** With a state, which is the object's from now on, also on failure. */
bool vt_venus_add_with(struct vt_venus_run *run, uint64_t id, VkObjectType type, uint64_t handle,
                       struct vt_venus_object *parent, void *state, void (*free_state)(void *),
                       const char *member);
/** The object `id` of a type and of the device `self`, or NULL and a fault. */
struct vt_venus_object *vt_venus_object_of(struct vt_venus_run *run,
                                           const struct vt_venus_object *self, uint64_t id,
                                           VkObjectType type, const char *member);
/** Whether the host's device lacks a function that a guest calls: a fault then. */
#define vt_venus_lacks(run, function)                                                              \
    ((function) == NULL &&                                                                         \
     (vt_venus_fail(&(run)->in, VT_VENUS_REFUSED, "a function this device does not have", 0, 0),   \
      true))

#endif
