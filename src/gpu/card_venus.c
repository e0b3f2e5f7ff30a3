/* gpu/card_venus.c - a virtio-gpu's 3-D contexts carried out by the room venus. */
#include "gpu/card_venus.h"

#include "venus/context.h"

static void capset(void *arg, uint8_t bytes[VT_VENUS_CAPSET_BYTES])
{
    vt_venus_capset(arg, true, bytes);
}

static int create(void *arg, uint32_t id, const char *name, const struct vt_venus_events *events,
                  void **context, struct vt_error *err)
{
    struct vt_venus_context *c;
    int rc = vt_venus_context_create(arg, id, name, events, &c, err);
    if (rc == 0) {
        *context = c;
    }
    return rc;
}

static void end(void *context)
{
    vt_venus_context_end(context, "the guest destroyed it");
}

static void destroy(void *context)
{
    vt_venus_context_destroy(context);
}

static int attach(void *context, const struct vt_venus_memory *memory, struct vt_error *err)
{
    return vt_venus_context_attach(context, memory, err);
}

static int detach(void *context, uint32_t id, struct vt_error *err)
{
    return vt_venus_context_detach(context, id, err);
}

static int submit(void *context, const void *stream, size_t bytes, struct vt_error *err)
{
    return vt_venus_context_submit(context, stream, bytes, err);
}

static int fence(void *context, uint32_t timeline, uint64_t id, struct vt_error *err)
{
    return vt_venus_context_fence(context, timeline, id, err);
}

static void statistics(void *context, struct vt_venus_statistics *s)
{
    vt_venus_context_statistics(context, s);
}

static void commands(void *context,
                     bool (*row)(const struct vt_venus_command_count *count, void *arg), void *arg)
{
    vt_venus_context_commands(context, row, arg);
}

struct vt_card_contexts vt_card_venus(struct vt_venus_renderer *renderer)
{
    return (struct vt_card_contexts){.capset = capset,
                                     .create = create,
                                     .end = end,
                                     .destroy = destroy,
                                     .attach = attach,
                                     .detach = detach,
                                     .submit = submit,
                                     .fence = fence,
                                     .statistics = statistics,
                                     .commands = commands,
                                     .arg = renderer};
}
