/* trace/file_encode.h - events and blocks as the bytes of a .vtrace file's chunks. Nothing here
 * knows of files: the bytes are the caller's.
 */
#ifndef VT_TRACE_FILE_ENCODE_H
#define VT_TRACE_FILE_ENCODE_H

#include "trace/file_bytes.h"
#include "trace/file_model.h"

/** The greatest event: beside the fill that closes a chunk, one fits into it. */
#define VT_TRACE_ENCODE_EVENT_BYTES ((size_t)VT_TRACE_FILE_ACCESSES_MAX * 34 + 4096)
_Static_assert(VT_TRACE_FILE_CHUNK_BYTES + VT_TRACE_ENCODE_EVENT_BYTES <= VT_TRACE_FILE_RAW_MAX,
               "the greatest event fits into a chunk");

/** What goes into the file together. */
struct vt_trace_batch {
    struct vt_trace_bytes blocks; /* new ones; before the events, which name them */
    struct vt_trace_bytes events; /* has room for VT_TRACE_FILE_RAW_MAX */
    uint32_t n_events;
    uint64_t before, instructions_before, time_ns; /* as the header has it */
};

struct vt_trace_encoder {
    struct vt_trace_batch *to;
    uint32_t n_vcpus, n_registers;
    uint64_t hits; /* not put yet */
    uint32_t vcpu;
    uint32_t n_blocks;
    uint32_t *known; /* by the source's id: the file's + 1, 0: not in the file yet */
    uint32_t n_known;
    struct vt_trace_model *model;
    struct vt_trace_file_totals totals;
};

int vt_trace_encoder_init(struct vt_trace_encoder *e, uint32_t n_vcpus, uint32_t n_registers,
                          struct vt_error *err);
void vt_trace_encoder_fini(struct vt_trace_encoder *e);
/** What comes goes into *to, which is emptied, and begins a chunk. */
void vt_trace_encoder_begin(struct vt_trace_encoder *e, struct vt_trace_batch *to);
/** VT_E_INVAL, VT_E_LIMIT, VT_E_NOMEM: nothing was put. */
int vt_trace_encoder_put(struct vt_trace_encoder *e, const struct vt_trace_event *event,
                         struct vt_error *err);
/** The batch is to be written: puts what waits for more of its kind. */
void vt_trace_encoder_end(struct vt_trace_encoder *e);
/** The file's id of a source's block, or VT_TRACE_MODEL_NONE. */
uint32_t vt_trace_encoder_block(const struct vt_trace_encoder *e, uint32_t id);
/** Makes sure of room for as many more bytes. */
int vt_trace_bytes_reserve(struct vt_trace_bytes *b, size_t more, struct vt_error *err);

#endif
