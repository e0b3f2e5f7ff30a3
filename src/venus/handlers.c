/* venus/handlers.c - finding and adding objects, with the faults that may come of it. */
#include "venus/handlers.h"

#include <stdlib.h>

bool vt_venus_add_with(struct vt_venus_run *run, uint64_t id, VkObjectType type, uint64_t handle,
                       struct vt_venus_object *parent, void *state, void (*free_state)(void *),
                       const char *member)
{
    struct vt_error err = {.code = VT_E_NOMEM};
    struct vt_venus_object *object = calloc(1, sizeof *object);
    if (object != NULL) {
        object->id = id;
        object->type = type;
        object->handle = handle;
        object->state = state;
        object->free_state = free_state;
        if (vt_venus_objects_put(vt_venus_context_objects(run->context), object, parent, &err) ==
            0) {
            return true;
        }
        free(object);
    }
    struct vt_venus_object none = {
        .id = id,
        .type = type,
        .handle = handle,
        .instance = parent->instance,
        .device = parent->device,
        .owner = parent->owner,
        .parent = parent,
        .state = state,
    };
    vt_venus_end_fn *end = vt_venus_end_of(type);
    if (end != NULL) {
        end(&none);
    }
    if (free_state != NULL) {
        free_state(state);
    }
    vt_venus_fail(&run->in, err.code == VT_E_EXISTS ? VT_VENUS_EXISTS : VT_VENUS_MEMORY, member, id,
                  0);
    return false;
}

bool vt_venus_add(struct vt_venus_run *run, uint64_t id, VkObjectType type, uint64_t handle,
                  struct vt_venus_object *parent, const char *member)
{
    return vt_venus_add_with(run, id, type, handle, parent, NULL, NULL, member);
}

struct vt_venus_object *vt_venus_object_of(struct vt_venus_run *run,
                                           const struct vt_venus_object *self, uint64_t id,
                                           VkObjectType type, const char *member)
{
    struct vt_venus_object *object =
        vt_venus_objects_get(vt_venus_context_objects(run->context), id);
    if (object == NULL) {
        vt_venus_fail(&run->in, id == 0 ? VT_VENUS_NULL : VT_VENUS_NO_OBJECT, member, id, 0);
    } else if (object->type != type) {
        vt_venus_fail(&run->in, VT_VENUS_TYPE, member, id, object->type);
    } else if (object->owner != self) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, member, id, 0);
    } else {
        return object;
    }
    return NULL;
}
