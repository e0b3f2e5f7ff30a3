/* venus/passing.c - objects of commands that pass through: made, allocated, freed, destroyed.
 */
#include "venus/passing.h"

struct vt_venus_object *vt_venus_owned(struct vt_venus_run *run,
                                       const struct vt_venus_object *owner, uint64_t id,
                                       VkObjectType type, const char *member)
{
    struct vt_venus_object *object = vt_venus_objects_get(run->in.objects, id);
    if (object == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_NO_OBJECT, member, id, 0);
        return NULL;
    }
    if (object->type != type) {
        vt_venus_fail(&run->in, VT_VENUS_TYPE, member, id, (uint64_t)object->type);
        return NULL;
    }
    if (object->owner != owner->owner) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, member, id, 0);
        return NULL;
    }
    return object;
}

bool vt_venus_unused(struct vt_venus_run *run, uint64_t id, const char *member)
{
    if (id == 0) {
        vt_venus_fail(&run->in, VT_VENUS_NULL, member, 0, 0);
        return false;
    }
    if (vt_venus_objects_get(run->in.objects, id) != NULL) {
        vt_venus_fail(&run->in, VT_VENUS_EXISTS, member, id, 0);
        return false;
    }
    return true;
}

bool vt_venus_made(struct vt_venus_run *run, struct vt_venus_object *parent, uint64_t id,
                   VkObjectType type, uint64_t handle, const char *member, VkResult *result)
{
    struct vt_error err;
    int rc = vt_venus_objects_add(run->in.objects, id, type, handle, parent, NULL, &err);
    if (rc == VT_E_LIMIT || rc == VT_E_NOMEM) {
        *result = VK_ERROR_OUT_OF_HOST_MEMORY;
    } else if (rc != 0) {
        vt_venus_fail(&run->in, rc == VT_E_GONE ? VT_VENUS_NO_OBJECT : VT_VENUS_EXISTS, member, id,
                      0);
    }
    return rc == 0;
}

void vt_venus_destroyed(struct vt_venus_run *run, const struct vt_venus_object *owner, uint64_t id,
                        VkObjectType type, const char *member)
{
    struct vt_venus_object *object = id != 0 ? vt_venus_owned(run, owner, id, type, member) : NULL;
    if (object != NULL) {
        vt_venus_objects_end(run->in.objects, object);
    }
}

uint64_t vt_venus_freed(struct vt_venus_run *run, struct vt_venus_object *pool, uint64_t id,
                        VkObjectType type, const char *member)
{
    struct vt_venus_object *object = id != 0 ? vt_venus_owned(run, pool, id, type, member) : NULL;
    if (object == NULL) {
        return 0;
    }
    if (object->parent != pool) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, member, id, pool->id);
        return 0;
    }
    vt_venus_objects_end(run->in.objects, object);
    return object->handle;
}

VkResult vt_venus_allocated(struct vt_venus_run *run, struct vt_venus_object *pool, const void *ids,
                            const void *handles, uint32_t count, VkObjectType type,
                            const char *member)
{
    const uint64_t *id = ids;
    const uint64_t *handle = handles;
    VkResult result = VK_SUCCESS;
    uint32_t added = 0;
    while (added < count &&
           vt_venus_made(run, pool, id[added], type, handle[added], member, &result)) {
        added++;
    }
    if (added < count) {
        while (added > 0) {
            (void)vt_venus_freed(run, pool, id[--added], type, member);
        }
    }
    return result;
}

void *vt_venus_room_for_handles(struct vt_venus_run *run, uint64_t count)
{
    uint64_t *room = vt_venus_alloc_array(&run->in, count + 1, sizeof(*room), 0, "count");
    if (room != NULL) {
        memset(room, 0, (count + 1) * sizeof(*room));
    }
    return room;
}
