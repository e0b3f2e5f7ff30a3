/* gpu/export_parts.h - what export.c and the writers of each format have in common. */
#ifndef VT_GPU_EXPORT_PARTS_H
#define VT_GPU_EXPORT_PARTS_H

#include "gpu/export.h"
#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_export {
    const struct vt_vgpu_exporter *as;
    FILE *out;
    struct vt_vgpu_origin origin;
    void *own; /* the writer's state, freed by its end */
    bool no_memory;
};

/** A format. Each returns false when memory ran out (and says so in no_memory) or `out` has an
 *  error; `begin` and `end` may be NULL. `end` is called once after `begin`, even after a failure.
 */
struct vt_vgpu_exporter {
    const char *name;
    bool (*begin)(struct vt_vgpu_export *x);
    bool (*put)(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event);
    void (*end)(struct vt_vgpu_export *x);
};
extern const struct vt_vgpu_exporter vt_vgpu_exporter_text, vt_vgpu_exporter_jsonl,
    vt_vgpu_exporter_pcapng, vt_vgpu_exporter_perfetto;

/** An event's messages, looked at once. A message that is NULL is unknown or without a header. */
struct vt_vgpu_looked {
    const struct vt_vgpu_message *request, *response;
    enum vt_vgpu_verdict request_verdict, response_verdict;
    uint32_t request_elements, response_elements;
};
void vt_vgpu_look(const struct vt_vgpu_event_seen *event, struct vt_vgpu_looked *looked);

/** Was it seen both on its way and back? */
static inline bool vt_vgpu_knows_latency(const struct vt_vgpu_event_seen *event)
{
    return (event->flags & (VT_VGPU_NO_RESPONSE | VT_VGPU_LATE)) == 0 &&
           event->answered_ns >= event->submitted_ns;
}

/** "control", "cursor". */
const char *vt_vgpu_queue_name(uint8_t queue);
/** Of one bit of enum vt_vgpu_seen_flags: "stale_response"; NULL: not one. */
const char *vt_vgpu_seen_flag_name(uint32_t flag);

#endif
