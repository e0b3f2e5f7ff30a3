/* gpu/export.c - the frame around the formats, and what they ask of an event. See export.h. */
#include "gpu/export_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct vt_vgpu_exporter *const exporters[VT_VGPU_EXPORT_FORMATS] = {
    [VT_VGPU_EXPORT_TEXT] = &vt_vgpu_exporter_text,
    [VT_VGPU_EXPORT_JSONL] = &vt_vgpu_exporter_jsonl,
    [VT_VGPU_EXPORT_PCAPNG] = &vt_vgpu_exporter_pcapng,
    [VT_VGPU_EXPORT_PERFETTO] = &vt_vgpu_exporter_perfetto,
};

const char *vt_vgpu_export_name(enum vt_vgpu_export_format format)
{
    return exporters[format]->name;
}

int vt_vgpu_export_begin(enum vt_vgpu_export_format format, FILE *out,
                         const struct vt_vgpu_origin *origin, struct vt_vgpu_export **to,
                         struct vt_error *err)
{
    struct vt_vgpu_export *x = calloc(1, sizeof *x);
    if (x == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for an export");
    }
    x->as = exporters[format];
    x->out = out;
    x->origin = *origin;
    if (x->as->begin != NULL && !x->as->begin(x)) {
        int rc = vt_vgpu_export_end(x, err);
        return rc != 0 ? rc : vt_fail(err, VT_E_IO, "cannot write the export");
    }
    *to = x;
    return 0;
}

bool vt_vgpu_export_put(const struct vt_vgpu_event_seen *event, void *to)
{
    struct vt_vgpu_export *x = to;
    return !x->no_memory && x->as->put(x, event) && !ferror(x->out);
}

int vt_vgpu_export_end(struct vt_vgpu_export *x, struct vt_error *err)
{
    if (x == NULL) {
        return 0;
    }
    errno = 0;
    if (x->as->end != NULL) {
        x->as->end(x);
    }
    int rc = 0;
    if (x->no_memory) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for what an export has to keep");
    } else if (fflush(x->out) != 0 || ferror(x->out)) {
        rc = vt_fail_errno(err, VT_E_IO, errno != 0 ? errno : EIO, "cannot write the export");
    }
    free(x);
    return rc;
}

int vt_vgpu_export_recording(struct vt_vgpu_reader *from, enum vt_vgpu_export_format format,
                             FILE *out, bool *cut, struct vt_error *err)
{
    struct vt_vgpu_export *x;
    struct vt_vgpu_event_seen event;
    int rc = vt_vgpu_export_begin(format, out, vt_vgpu_reader_origin(from), &x, err);
    if (rc != 0) {
        return rc;
    }
    bool is_cut = false;
    while ((rc = vt_vgpu_reader_next(from, &event, &is_cut, err)) > 0) {
        if (!vt_vgpu_export_put(&event, x)) {
            return vt_vgpu_export_end(x, err);
        }
    }
    if (rc < 0) {
        vt_vgpu_export_end(x, NULL);
        return rc;
    }
    rc = vt_vgpu_export_end(x, err);
    if (rc == 0) {
        *cut = is_cut;
    }
    return rc;
}

/* ---------------------------------------------------------------- an event */

void vt_vgpu_look(const struct vt_vgpu_event_seen *event, struct vt_vgpu_looked *looked)
{
    struct vt_vgpu_header header = {0};
    memset(looked, 0, sizeof *looked);
    if (event->request_bytes > 0) {
        memcpy(&header, event->request,
               event->request_bytes < sizeof header ? event->request_bytes : sizeof header);
    }
    looked->request_verdict = vt_vgpu_check_request(event->request, event->request_bytes,
                                                    &looked->request, &looked->request_elements);
    looked->response_verdict =
        vt_vgpu_check_response(&header, event->response, event->response_bytes, &looked->response,
                               &looked->response_elements);
}

const char *vt_vgpu_queue_name(uint8_t queue)
{
    return queue == VT_VGPU_CONTROL_QUEUE  ? "control"
           : queue == VT_VGPU_CURSOR_QUEUE ? "cursor"
                                           : "unknown";
}

const char *vt_vgpu_seen_flag_name(uint32_t flag)
{
    switch ((enum vt_vgpu_seen_flags)flag) {
    case VT_VGPU_NO_RESPONSE:
        return "no_response";
    case VT_VGPU_STALE_RESPONSE:
        return "stale_response";
    case VT_VGPU_STALE_REQUEST:
        return "stale_request";
    case VT_VGPU_CUT:
        return "cut";
    case VT_VGPU_TIMES_ARE_BOUNDS:
        return "times_are_bounds";
    case VT_VGPU_LATE:
        return "late";
    case VT_VGPU_SEEN_FLAGS:
        break;
    }
    return NULL;
}
