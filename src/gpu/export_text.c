/* gpu/export_text.c - a line an event, for people:
 *
 *     0.001234567 control    17  SET_SCANOUT scanout 0 resource 1 rect 1280x800+0+0 -> OK_NODATA 31
 * us
 *
 * What is wrong with a message, or with how it was seen, stands in brackets at the end.
 */
#include "base/text.h"
#include "gpu/export_parts.h"
#include "gpu/venus_show.h"

#include <inttypes.h>

/** A line of one message, at most. */
#define LINE_BYTES 1024
/** Of a Venus command's blobs. */
#define BLOB_BYTES 16

static void put_latency(FILE *out, uint64_t ns)
{
    if (ns < 10000) {
        fprintf(out, "  %" PRIu64 " ns", ns);
    } else if (ns < 10000000) {
        fprintf(out, "  %.1f us", (double)ns / 1e3);
    } else {
        fprintf(out, "  %.1f ms", (double)ns / 1e6);
    }
}

static void put_doubts(FILE *out, const struct vt_vgpu_event_seen *event,
                       const struct vt_vgpu_looked *looked)
{
    const uint32_t said = VT_VGPU_NO_RESPONSE | VT_VGPU_TIMES_ARE_BOUNDS;
    for (uint32_t bit = 1; bit <= VT_VGPU_SEEN_FLAGS; bit <<= 1) {
        if ((event->flags & bit & ~said) != 0) {
            fprintf(out, " [%s]", vt_vgpu_seen_flag_name(bit));
        }
    }
    if (looked->request_verdict != VT_VGPU_WELL) {
        fprintf(out, " [request %s]", vt_vgpu_verdict_name(looked->request_verdict));
    }
    if ((event->flags & VT_VGPU_NO_RESPONSE) == 0 && looked->response_verdict != VT_VGPU_WELL) {
        fprintf(out, " [response %s]", vt_vgpu_verdict_name(looked->response_verdict));
    }
}

static void put_command(FILE *out, const struct vt_vgpu_event_seen *event)
{
    char line[LINE_BYTES];
    struct vt_vgpu_looked looked;
    vt_vgpu_look(event, &looked);
    vt_vgpu_describe(looked.request, event->request, event->request_bytes, line, sizeof line);
    fprintf(out, "%-7s %6" PRIu64 "  %s", vt_vgpu_queue_name(event->queue), event->sequence, line);
    if ((event->flags & VT_VGPU_NO_RESPONSE) != 0) {
        fputs(" -> no response", out);
    } else {
        fputs(" ->", out);
        if (event->response_bytes > 0) {
            vt_vgpu_describe(looked.response, event->response, event->response_bytes, line,
                             sizeof line);
            fprintf(out, " %s", line);
        } else {
            fputs(" done", out);
        }
        if (vt_vgpu_knows_latency(event)) {
            put_latency(out, event->answered_ns - event->submitted_ns);
        }
    }
    put_doubts(out, event, &looked);
}

static void put_venus(FILE *out, const struct vt_vgpu_event_seen *event)
{
    struct vt_vgpu_venus_memory place;
    char text[LINE_BYTES];
    fprintf(out, "context %" PRIu32 " ", event->written);
    switch ((enum vt_vgpu_venus)event->slot) {
    case VT_VGPU_VENUS_COMMAND:
        fprintf(out, "ring %" PRIx64 " %6" PRIu64 "  ", event->lost, event->sequence);
        vt_vgpu_venus_line(out, event, BLOB_BYTES);
        put_latency(out, event->answered_ns - event->submitted_ns);
        return;
    case VT_VGPU_VENUS_CREATED:
        vt_text_printable(text, sizeof text, (const char *)event->request, event->request_bytes);
        fprintf(out, "created: %s", text);
        return;
    case VT_VGPU_VENUS_DESTROYED:
        fputs("destroyed", out);
        return;
    case VT_VGPU_VENUS_MEMORY:
    case VT_VGPU_VENUS_ATTACHED:
    case VT_VGPU_VENUS_DETACHED:
    case VT_VGPU_VENUS_KINDS:
        break;
    }
    if (!vt_vgpu_venus_place(event, &place)) {
        fputs("an event without a place", out);
    } else if (event->slot == VT_VGPU_VENUS_MEMORY) {
        fprintf(out, "memory #%" PRIu64 ": the guest wrote %zu bytes from byte %" PRIu64 " on",
                place.id, event->request_bytes - sizeof place, place.offset);
    } else {
        fprintf(out, "resource %" PRIu64 " %s", place.id,
                event->slot == VT_VGPU_VENUS_ATTACHED ? "attached" : "detached");
    }
}

static bool put(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    char text[LINE_BYTES];
    fprintf(x->out, "%5" PRIu64 ".%09u ", event->submitted_ns / 1000000000,
            (unsigned)(event->submitted_ns % 1000000000));
    switch (event->kind) {
    case VT_VGPU_SEEN_COMMAND:
        put_command(x->out, event);
        break;
    case VT_VGPU_SEEN_LOST:
        fprintf(x->out, "%" PRIu64 " commands were lost", event->lost);
        break;
    case VT_VGPU_SEEN_RESET:
        fputs("the device was reset", x->out);
        break;
    case VT_VGPU_SEEN_VENUS:
        put_venus(x->out, event);
        break;
    case VT_VGPU_SEEN_NOTE:
        vt_text_printable(text, sizeof text, (const char *)event->request, event->request_bytes);
        fputs(text, x->out);
        break;
    }
    fputc('\n', x->out);
    return true;
}

const struct vt_vgpu_exporter vt_vgpu_exporter_text = {.name = "text", .put = put};
