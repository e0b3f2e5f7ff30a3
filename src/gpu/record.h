/* gpu/record.h - what was seen on a virtio-gpu's queues: events, and the file they are kept in.
 *
 * One internal binary log (NAME.vgpu); JSON lines, pcapng, Perfetto and `gpu diff` are pure
 * functions of it. Events come from four places and look the same: watching a guest's queues from
 * outside (gpu/watch.h), our driver's own log in the guest's RAM (virtio/gpu/log.h), a GPU that we
 * serve (gpu/venus_record.h), a file.
 *
 * A file is struct vt_vgpu_file_header, then events, each a struct vt_vgpu_file_event and its
 * bytes; little-endian, append-only, whole up to the last complete event. Files are hostile when
 * read.
 */
#ifndef VT_GPU_RECORD_H
#define VT_GPU_RECORD_H

#include "vitrine/base.h"

#define VT_VGPU_FILE_MAGIC "VT-GPU\r\n\x1a\n"
#define VT_VGPU_FILE_VERSION 1u
/** Bytes of one request or response that are kept. */
#define VT_VGPU_PAYLOAD_MAX (1u << 20)
/** Of a Venus event's: a command may bring a large shader or upload. */
#define VT_VGPU_VENUS_MAX (64u << 20)

/** The file's beginning; strings are zero-padded. */
struct vt_vgpu_file_header {
    char magic[16]; /**< VT_VGPU_FILE_MAGIC, zero-padded */
    uint32_t version;
    uint32_t header_bytes; /**< events begin here */
    uint64_t features;
    uint64_t started_unix_ns;
    char vm[64], source[32], device[64];
};
_Static_assert(sizeof(struct vt_vgpu_file_header) == 200, "the file's bytes");

/** One event; the request's bytes follow, then the response's, without padding. */
struct vt_vgpu_file_event {
    uint32_t bytes; /**< with what follows */
    uint8_t kind, queue;
    uint16_t slot;
    uint32_t flags, written;
    uint64_t sequence, lost, submitted_ns, answered_ns;
    uint32_t request_bytes, response_bytes;
};
_Static_assert(sizeof(struct vt_vgpu_file_event) == 56, "the file's bytes");

enum vt_vgpu_seen {
    VT_VGPU_SEEN_COMMAND, /**< a request and, unless it says otherwise, its response */
    VT_VGPU_SEEN_LOST,    /**< `lost` commands went by unseen between the one before and this */
    VT_VGPU_SEEN_RESET,   /**< the device was reset or its queues moved */
    VT_VGPU_SEEN_NOTE,    /**< text in `request` */
    VT_VGPU_SEEN_VENUS,   /**< of a context that we carry out; `slot` is enum vt_vgpu_venus */
};
/** "command", "lost", "reset", "note", "venus"; never NULL. */
const char *vt_vgpu_seen_name(enum vt_vgpu_seen kind);

/** What a Venus event is. Its context's id is in `written`, its ring's (0: the context's own
 * stream) in `lost`. */
enum vt_vgpu_venus {
    VT_VGPU_VENUS_CREATED,   /**< request: the context's name */
    VT_VGPU_VENUS_DESTROYED, /**< nothing else */
    VT_VGPU_VENUS_COMMAND,   /**< request: the command; response: its reply, if there was one */
    VT_VGPU_VENUS_MEMORY,   /**< request: struct vt_vgpu_venus_memory, then what stands there now */
    VT_VGPU_VENUS_ATTACHED, /**< request: struct vt_vgpu_venus_memory without bytes */
    VT_VGPU_VENUS_DETACHED, /**< as above */
    VT_VGPU_VENUS_KINDS,
};
/** A place in memory that a guest writes by itself. */
struct vt_vgpu_venus_memory {
    uint64_t id;     /**< of the VkDeviceMemory, of the resource when attached or detached */
    uint64_t offset; /**< bytes from its beginning; its size when attached */
};

enum vt_vgpu_seen_flags {
    VT_VGPU_NO_RESPONSE = 1, /**< not answered when it was last looked at */
    VT_VGPU_STALE_RESPONSE =
        2, /**< the memory of the response had been used again when it was read */
    VT_VGPU_STALE_REQUEST = 4, /**< so had the request's, or a part of it */
    VT_VGPU_CUT = 8, /**< longer than VT_VGPU_PAYLOAD_MAX or its descriptors ended early */
    VT_VGPU_TIMES_ARE_BOUNDS = 16, /**< times are when we looked, not when it happened */
    VT_VGPU_LATE =
        32, /**< the request was read after the device had returned it; it looked right */
    VT_VGPU_SEEN_FLAGS = 63, /**< all of them */
};

/** Plain data; `request` and `response` are borrowed. */
struct vt_vgpu_event_seen {
    enum vt_vgpu_seen kind;
    uint32_t flags;    /**< enum vt_vgpu_seen_flags */
    uint64_t sequence; /**< counts commands of both queues as they were made available */
    uint64_t lost;
    uint64_t submitted_ns; /**< since the recording began */
    uint64_t answered_ns;  /**< 0: not */
    uint8_t queue;         /**< enum vt_vgpu_queue */
    uint16_t slot;         /**< head descriptor (split) or buffer id (packed) */
    uint32_t written;      /**< the used ring's length */
    const uint8_t *request, *response;
    uint32_t request_bytes, response_bytes;
};

/** A consumer: false ends what produces. */
typedef bool vt_vgpu_seen_fn(const struct vt_vgpu_event_seen *event, void *arg);

/** Where the events of a file come from, for people; strings may be empty. */
struct vt_vgpu_origin {
    char vm[64], source[32]; /**< source: "watch", "driver's log" */
    char device[64];         /**< QEMU's path or id of the device */
    uint64_t features;       /**< negotiated */
    uint64_t started_unix_ns;
};

/** The place that a Venus event speaks of, or false; what stands behind it in `request` are bytes.
 */
bool vt_vgpu_venus_place(const struct vt_vgpu_event_seen *event,
                         struct vt_vgpu_venus_memory *place);

struct vt_vgpu_writer;
/** Creates the file (mode 0600), with O_EXCL unless `replace`, which empties one that is there. */
int vt_vgpu_writer_create(const char *path, bool replace, const struct vt_vgpu_origin *origin,
                          struct vt_vgpu_writer **writer, struct vt_error *err);
int vt_vgpu_writer_put(struct vt_vgpu_writer *writer, const struct vt_vgpu_event_seen *event,
                       struct vt_error *err);
/** Lets readers of the file see what was put so far. */
int vt_vgpu_writer_flush(struct vt_vgpu_writer *writer, struct vt_error *err);
/** Flushes and closes; takes NULL. The writer is gone also when that fails. */
int vt_vgpu_writer_close(struct vt_vgpu_writer *writer, struct vt_error *err);

struct vt_vgpu_reader;
/** VT_E_CORRUPT: not such a file; VT_E_UNSUPPORTED: of another version; those of opening files. */
int vt_vgpu_reader_open(const char *path, struct vt_vgpu_reader **reader, struct vt_error *err);
const struct vt_vgpu_origin *vt_vgpu_reader_origin(const struct vt_vgpu_reader *reader);
/** 1 and an event that is valid until the next call; 0 at the end, *cut when the last one is
 *  incomplete; VT_E_CORRUPT with the offset in err->addr. */
int vt_vgpu_reader_next(struct vt_vgpu_reader *reader, struct vt_vgpu_event_seen *event, bool *cut,
                        struct vt_error *err);
void vt_vgpu_reader_close(struct vt_vgpu_reader *reader);

#endif
