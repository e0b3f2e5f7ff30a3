/* virtio/gpu/log.h - the driver's log: every command and response with all its bytes, in a ring in
 * the guest's RAM that anybody can read from outside, while the guest runs and after it crashed.
 *
 * The ring begins at a page boundary with struct vt_vgpu_log_header, whose magic makes it findable
 * in a RAM image: the magic is written last, so that what has it is whole. Records are multiples of
 * 16 bytes and lie one behind the other in `bytes` (a power of two) bytes of ring; positions count
 * bytes ever written and are taken modulo `bytes`; a record never wraps: a VT_VGPU_LOG_PAD, of
 * which there may be no more than its first 16 bytes, fills the end.
 *
 * One writer. It moves `tail` past the records it is about to overwrite, writes the record, then
 * moves `head`: `tail` before any byte of the record, those before `head`. A reader loads `head`,
 * copies, and loads `tail` after that: what lies before `tail` by then it drops. A guest that stops
 * in the middle of a record leaves `head` before it.
 *
 * Readers outside are in src/gpu; to them the guest is hostile.
 */
#ifndef VT_VIRTIO_GPU_LOG_H
#define VT_VIRTIO_GPU_LOG_H

#include "virtio/gpu/protocol/protocol.h"
#include "vitrine/virtio.h"

#define VT_VGPU_LOG_MAGIC                                                                          \
    "VT-GPULOG\0\x1a\n\xf0\x9f\x8e" /**< 16 bytes with the zero at its end                         \
                                     */
#define VT_VGPU_LOG_VERSION 1u

struct vt_vgpu_log_header {
    char magic[16];
    uint32_t version;
    uint32_t header_bytes; /**< the ring begins here, from the header's first byte: 4096 */
    uint64_t bytes;        /**< of the ring */
    uint64_t head, tail;   /**< bytes written, bytes overwritten */
    uint64_t records;      /**< written in all */
    uint64_t clock_hz;     /**< 1e9: times are nanoseconds of the guest's own clock */
    char writer[32];       /**< "gpu-card x86_64", for people */
};

enum vt_vgpu_log_kind {
    VT_VGPU_LOG_PAD = 0,
    VT_VGPU_LOG_REQUEST = 1,  /**< followed by the request's bytes */
    VT_VGPU_LOG_RESPONSE = 2, /**< followed by the response's */
    VT_VGPU_LOG_STATE = 3, /**< followed by text: "READY -> TIMED_OUT on TIMEOUT: SET_SCANOUT …" */
    VT_VGPU_LOG_NOTE = 4,  /**< followed by text */
};

struct vt_vgpu_log_record {
    uint32_t bytes;    /**< of the record with its payload, padded to 16 */
    uint16_t kind;     /**< enum vt_vgpu_log_kind */
    uint8_t queue;     /**< enum vt_vgpu_queue */
    uint8_t cut;       /**< 1: the payload is only the beginning */
    uint64_t sequence; /**< of the command: the same in its response */
    uint64_t time_ns;
    uint64_t latency_ns; /**< responses */
    uint16_t slot;       /**< descriptor or buffer id on the ring */
    uint16_t pad;
    uint32_t payload;      /**< bytes that follow */
    uint32_t payload_full; /**< before it was cut */
    uint32_t written;      /**< responses: what the device said it wrote */
};
_Static_assert(sizeof(struct vt_vgpu_log_record) == 48, "a multiple of 16");
_Static_assert(sizeof(VT_VGPU_LOG_MAGIC) == 16, "as long as the header's member");

#define VT_VGPU_LOG_HEADER_BYTES 4096u
/** Payloads are cut at this part of the ring. */
#define VT_VGPU_LOG_CUT 16u

struct vt_vgpu_log;

/** Takes the ring from `arena`; `bytes` a power of two of at least 64 KiB. VT_VIRTIO_E_INVAL,
 *  _NOMEM. `writer` is cut to 31 bytes. */
int vt_vgpu_log_create(struct vt_virtio_arena *arena, size_t bytes, const char *writer,
                       struct vt_vgpu_log **log);
/** Where it lies, as the device sees it: guest-physical. */
uint64_t vt_vgpu_log_address(const struct vt_vgpu_log *log);
/** Every record also as a line of text through `put`; NULL turns it off. A line lives as long as
 *  the call. "   0.001234567 > 7 SET_SCANOUT …", "   0.001240000 < 7 OK_NODATA … +5433 ns", states
 *  and notes with "*" and "#". */
void vt_vgpu_log_text(struct vt_vgpu_log *log, void (*put)(const char *line, void *arg), void *arg);
/** One record with `record->payload_full` bytes of payload, cut at a sixteenth of the ring.
 * `bytes`, `payload` and `cut` are the log's to fill in. Takes a NULL log, which keeps nothing. */
void vt_vgpu_log_write(struct vt_vgpu_log *log, const struct vt_vgpu_log_record *record,
                       const void *payload);
/** A record of text: VT_VGPU_LOG_STATE or _NOTE. Takes a NULL log. */
void vt_vgpu_log_say(struct vt_vgpu_log *log, enum vt_vgpu_log_kind kind, uint64_t time_ns,
                     const char *text);

#endif
