/* gpu/export.h - events of a GPU's queues in formats that other programs read.
 *
 * Each is a pure function of the events that are put and of where they come from: the same
 * recording gives the same bytes. docs/virtio-gpu.md describes them for their readers.
 *
 *   text      a line an event, for people
 *   jsonl     a JSON object an event, every field of request and response by its name
 *   pcapng    a packet a request and a packet a response; the dissector's text names their fields
 *   perfetto  Chrome's JSON trace: a track a queue, an in-flight counter a queue; for Perfetto
 */
#ifndef VT_GPU_EXPORT_H
#define VT_GPU_EXPORT_H

#include "gpu/record.h"

#include <stdio.h>

enum vt_vgpu_export_format {
    VT_VGPU_EXPORT_TEXT,
    VT_VGPU_EXPORT_JSONL,
    VT_VGPU_EXPORT_PCAPNG,
    VT_VGPU_EXPORT_PERFETTO,
    VT_VGPU_EXPORT_FORMATS
};
/** "text", "jsonl", "pcapng", "perfetto". */
const char *vt_vgpu_export_name(enum vt_vgpu_export_format format);

struct vt_vgpu_export;
/** Begins writing to `out`, which stays the caller's: flush and close it after _end. Perfetto's is
 *  whole only then; of the others every event is, once `out` is flushed, but for responses in
 *  pcapng: they wait for their turn. VT_E_NOMEM, VT_E_IO. */
int vt_vgpu_export_begin(enum vt_vgpu_export_format format, FILE *out,
                         const struct vt_vgpu_origin *origin, struct vt_vgpu_export **to,
                         struct vt_error *err);
/** A vt_vgpu_seen_fn, its `arg` the export: false when it cannot be written, which _end explains.
 */
bool vt_vgpu_export_put(const struct vt_vgpu_event_seen *event, void *to);
/** Writes what is left, and frees; takes NULL. VT_E_NOMEM, VT_E_IO. */
int vt_vgpu_export_end(struct vt_vgpu_export *to, struct vt_error *err);

/** A recording's events, one after the other; *cut as vt_vgpu_reader_next has it. */
int vt_vgpu_export_recording(struct vt_vgpu_reader *from, enum vt_vgpu_export_format format,
                             FILE *out, bool *cut, struct vt_error *err);

/** The Lua dissector that makes Wireshark and tshark read the pcapng, made of the tables in
 *  virtio/gpu/protocol. Write errors stay in ferror(out). */
void vt_vgpu_export_dissector(FILE *out);

#endif
