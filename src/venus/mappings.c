/* venus/mappings.c - the memory that a guest writes by itself, for whoever records or replays it.
 */
#include "venus/memory.h"

struct walk {
    bool (*visit)(uint64_t memory, uint8_t *at, size_t size, void *arg);
    void *arg;
    bool stopped;
};

static void visit_memory(struct vt_venus_object *object, void *arg)
{
    struct walk *w = arg;
    const struct vt_venus_allocation *memory = object->state;
    if (w->stopped || memory == NULL) {
        return;
    }
    if (memory->piece_used) {
        w->stopped = !w->visit(object->id, memory->piece.at, memory->piece.size, w->arg);
    } else if (memory->shared != NULL) {
        w->stopped = !w->visit(object->id, memory->shared->at, memory->shared->size, w->arg);
    }
}

void vt_venus_context_mappings(struct vt_venus_context *context,
                               bool (*visit)(uint64_t memory, uint8_t *at, size_t size, void *arg),
                               void *arg)
{
    struct walk w = {.visit = visit, .arg = arg};
    vt_venus_objects_each(vt_venus_context_objects(context), VK_OBJECT_TYPE_DEVICE_MEMORY,
                          visit_memory, &w);
}
