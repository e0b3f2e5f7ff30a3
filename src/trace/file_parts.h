/* trace/file_parts.h - a .vtrace file that is being read: what its opening (file_open.c) and its
 * events (file_read.c) share.
 */
#ifndef VT_TRACE_FILE_PARTS_H
#define VT_TRACE_FILE_PARTS_H

#include "base/cursor.h"
#include "trace/file_model.h"
#include "trace/source.h"

#include <zstd.h>

#define VT_TRACE_FILE_MESSAGE_MAX 160

struct vt_trace_file_chunk_at {
    uint64_t at; /* of its header */
    uint32_t kind, raw, stored, n_events;
    uint64_t number, instructions, time_ns, hash; /* before it; of its first event */
};

struct vt_trace_file {
    struct vt_trace_source source;
    int fd;
    uint64_t size;
    char name[64]; /* the path's end, for messages */
    struct vt_trace_info info;
    struct vt_trace_file_about about;
    /* Where the readable part ends, when it is not the file's end. */
    bool bad, stuck; /* stuck: in the midst of it */
    uint64_t bad_at;
    char why[VT_TRACE_FILE_MESSAGE_MAX];

    uint8_t **kept; /* unpacked dictionary and names, which blocks and names point into */
    size_t n_kept, room_kept;
    uint64_t kept_bytes;
    struct vt_trace_block *blocks;
    uint32_t n_blocks, room_blocks;
    struct vt_trace_file_root_name *roots;
    struct vt_trace_file_block_name *block_names;
    size_t room_roots, room_block_names;

    struct vt_trace_file_chunk_at *chunks; /* of events */
    size_t n_chunks, room_chunks;

    ZSTD_DCtx *zstd;
    uint8_t *packed, *raw;
    size_t packed_room, raw_room;
    /* the chunk being read */
    size_t next_chunk;
    const struct vt_trace_file_chunk_at *chunk;
    struct vt_cursor c;
    uint32_t produced;
    uint64_t hits; /* still to come */
    uint32_t vcpu;
    struct vt_trace_model *model;     /* these two once there are events */
    struct vt_trace_access *accesses; /* of the event; at least VT_TRACE_MODEL_ACCESSES */
    uint32_t room_accesses;
    uint64_t registers[VT_TRACE_FILE_REGISTERS_MAX];
};

static inline struct vt_trace_file *vt_trace_file_of(const struct vt_trace_source *source)
{
    return (struct vt_trace_file *)(uintptr_t)source;
}

static inline uint64_t vt_trace_file_varint(struct vt_cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = vt_cursor_u8(c);
        v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            return v;
        }
    }
    c->bad = true;
    return 0;
}

/* A number up to `max`, else the cursor is bad and it is 0. */
static inline uint32_t vt_trace_file_upto(struct vt_cursor *c, uint32_t max)
{
    uint64_t v = vt_trace_file_varint(c);
    if (v > max) {
        c->bad = true;
        v = 0;
    }
    return (uint32_t)v;
}

int vt_trace_file_no_memory(const struct vt_trace_file *f, struct vt_error *err);
/** From this byte on nothing can be read. */
void vt_trace_file_call_bad(struct vt_trace_file *f, uint64_t at, const char *why);
int vt_trace_file_bad_error(const struct vt_trace_file *f, struct vt_error *err);
/** Unpacks into `to` of chunk->raw bytes. Sets *why, or NULL, and returns 0 when the bytes are bad.
 */
int vt_trace_file_unpack(struct vt_trace_file *f, const struct vt_trace_file_chunk_at *chunk,
                         uint8_t *to, const char **why, struct vt_error *err);
int vt_trace_file_next(struct vt_trace_source *source, uint64_t timeout_ms,
                       struct vt_trace_event *event, struct vt_error *err);

#endif
