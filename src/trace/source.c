/* trace/source.c - the functions of vitrine/trace.h that every kind of source has. See source.h. */
#include "trace/source.h"

int vt_trace_next(struct vt_trace_source *source, uint64_t timeout_ms, struct vt_trace_event *event,
                  struct vt_error *err)
{
    return source->kind->next(source, timeout_ms, event, err);
}

const struct vt_trace_block *vt_trace_block(const struct vt_trace_source *source, uint32_t id)
{
    return source->kind->block(source, id);
}

const struct vt_trace_info *vt_trace_source_info(struct vt_trace_source *source)
{
    return source->kind->info(source);
}

void vt_trace_close(struct vt_trace_source *source)
{
    if (source != NULL) {
        source->kind->close(source);
    }
}
