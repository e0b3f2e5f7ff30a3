/* virtio/gpu/protocol/protocol.h - what travels on a virtio-gpu's two queues: one header a command.
 *
 * Each command has a header of its own beside this one (resource_create_2d.h, set_scanout.h, …)
 * with the request's and the response's struct, exactly as on the wire, and a table of their
 * fields. Driver, watcher, exporters and tests use the structs where they know the command and the
 * tables where they do not: an encoder, parser or printer that knows no command by itself cannot
 * fall behind.
 *
 * Freestanding, as all of src/virtio; nothing here allocates or keeps state. Bytes from the other
 * side are copied before they are looked at: they may change.
 *
 * Source: virtio 1.3, 5.7.6 "Device Operation"; capset ids and VIRTIO_GPU_CMD_* beyond it from
 * Linux, include/uapi/linux/virtio_gpu.h.
 */
#ifndef VT_VIRTIO_GPU_PROTOCOL_H
#define VT_VIRTIO_GPU_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs are the wire's bytes");

/* ---------------------------------------------------------------- header (5.7.6.7) */

enum vt_vgpu_type {
    /* 2-D */
    VT_VGPU_CMD_GET_DISPLAY_INFO = 0x0100,
    VT_VGPU_CMD_RESOURCE_CREATE_2D = 0x0101,
    VT_VGPU_CMD_RESOURCE_UNREF = 0x0102,
    VT_VGPU_CMD_SET_SCANOUT = 0x0103,
    VT_VGPU_CMD_RESOURCE_FLUSH = 0x0104,
    VT_VGPU_CMD_TRANSFER_TO_HOST_2D = 0x0105,
    VT_VGPU_CMD_RESOURCE_ATTACH_BACKING = 0x0106,
    VT_VGPU_CMD_RESOURCE_DETACH_BACKING = 0x0107,
    VT_VGPU_CMD_GET_CAPSET_INFO = 0x0108,
    VT_VGPU_CMD_GET_CAPSET = 0x0109,
    VT_VGPU_CMD_GET_EDID = 0x010a,
    VT_VGPU_CMD_RESOURCE_ASSIGN_UUID = 0x010b,
    VT_VGPU_CMD_RESOURCE_CREATE_BLOB = 0x010c,
    VT_VGPU_CMD_SET_SCANOUT_BLOB = 0x010d,
    /* 3-D */
    VT_VGPU_CMD_CTX_CREATE = 0x0200,
    VT_VGPU_CMD_CTX_DESTROY = 0x0201,
    VT_VGPU_CMD_CTX_ATTACH_RESOURCE = 0x0202,
    VT_VGPU_CMD_CTX_DETACH_RESOURCE = 0x0203,
    VT_VGPU_CMD_RESOURCE_CREATE_3D = 0x0204,
    VT_VGPU_CMD_TRANSFER_TO_HOST_3D = 0x0205,
    VT_VGPU_CMD_TRANSFER_FROM_HOST_3D = 0x0206,
    VT_VGPU_CMD_SUBMIT_3D = 0x0207,
    VT_VGPU_CMD_RESOURCE_MAP_BLOB = 0x0208,
    VT_VGPU_CMD_RESOURCE_UNMAP_BLOB = 0x0209,
    /* the cursor queue's */
    VT_VGPU_CMD_UPDATE_CURSOR = 0x0300,
    VT_VGPU_CMD_MOVE_CURSOR = 0x0301,
    /* responses */
    VT_VGPU_RESP_OK_NODATA = 0x1100,
    VT_VGPU_RESP_OK_DISPLAY_INFO = 0x1101,
    VT_VGPU_RESP_OK_CAPSET_INFO = 0x1102,
    VT_VGPU_RESP_OK_CAPSET = 0x1103,
    VT_VGPU_RESP_OK_EDID = 0x1104,
    VT_VGPU_RESP_OK_RESOURCE_UUID = 0x1105,
    VT_VGPU_RESP_OK_MAP_INFO = 0x1106,
    VT_VGPU_RESP_ERR_UNSPEC = 0x1200,
    VT_VGPU_RESP_ERR_OUT_OF_MEMORY = 0x1201,
    VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID = 0x1202,
    VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID = 0x1203,
    VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID = 0x1204,
    VT_VGPU_RESP_ERR_INVALID_PARAMETER = 0x1205,
};

#define VT_VGPU_FLAG_FENCE 1u
#define VT_VGPU_FLAG_INFO_RING_IDX 2u

/** Before every request and response. A device copies flags, fence_id, ctx_id and ring_idx of a
 * fenced request into its response. */
struct vt_vgpu_header {
    uint32_t type;
    uint32_t flags;
    uint64_t fence_id;
    uint32_t ctx_id;
    uint8_t ring_idx;
    uint8_t padding[3];
};
_Static_assert(sizeof(struct vt_vgpu_header) == 24, "5.7.6.7");

struct vt_vgpu_rect {
    uint32_t x, y, width, height;
};

#define VT_VGPU_SCANOUTS_MAX 16u

/** Queues (5.7.2). */
enum vt_vgpu_queue { VT_VGPU_CONTROL_QUEUE = 0, VT_VGPU_CURSOR_QUEUE = 1 };

/** The device's configuration (5.7.4). */
struct vt_vgpu_config_space {
    uint32_t events_read, events_clear;
    uint32_t num_scanouts, num_capsets;
};
#define VT_VGPU_EVENT_DISPLAY 1u

/** Feature bits (5.7.3). */
#define VT_VGPU_F_VIRGL ((uint64_t)1 << 0)
#define VT_VGPU_F_EDID ((uint64_t)1 << 1)
#define VT_VGPU_F_RESOURCE_UUID ((uint64_t)1 << 2)
#define VT_VGPU_F_RESOURCE_BLOB ((uint64_t)1 << 3)
#define VT_VGPU_F_CONTEXT_INIT ((uint64_t)1 << 4)

/* ---------------------------------------------------------------- fields, for those who know no
 * command */

enum vt_vgpu_kind {
    VT_VGPU_NUMBER,   /**< unsigned, 1-8 bytes */
    VT_VGPU_HEX,      /**< flags without names, ids that are addresses */
    VT_VGPU_ADDRESS,  /**< guest-physical, 8 bytes; differs from run to run */
    VT_VGPU_RESOURCE, /**< a resource id; 0 is none */
    VT_VGPU_SCANOUT,
    VT_VGPU_CONTEXT,
    VT_VGPU_ENUM,  /**< one of `names` */
    VT_VGPU_FLAGS, /**< a set of `names` */
    VT_VGPU_TEXT,  /**< zero-terminated or full, any bytes */
    VT_VGPU_BYTES, /**< an EDID, a UUID, a command stream */
    VT_VGPU_RECT,  /**< struct vt_vgpu_rect */
};

struct vt_vgpu_name {
    uint32_t value;
    const char *name;
};

/** A member of a message or of one of its repeated parts. */
struct vt_vgpu_field {
    const char *name; /**< the specification's, with `rect` for its `r` */
    uint16_t offset;  /**< within the struct */
    uint16_t bytes;   /**< 0: the plain bytes of a tail */
    enum vt_vgpu_kind kind;
    const struct vt_vgpu_name *names; /**< VT_VGPU_ENUM, _FLAGS: ended by a NULL name */
    const char *doc;
};

/** What follows the fixed part: as many elements as the u32 member at `count_offset` says; with
 *  `count_offset` 0 as many as `capacity` says; with both 0 as many as there are. A `capacity` is
 *  how many elements there is always room for, whatever the count. */
struct vt_vgpu_tail {
    const char *name; /**< "entries"; NULL: nothing follows */
    uint16_t count_offset;
    uint16_t bytes; /**< of one element; 1: plain bytes, described by the one field */
    uint16_t capacity;
    uint8_t n_fields;
    const struct vt_vgpu_field *fields; /**< of one element */
};

struct vt_vgpu_message {
    uint32_t type;
    const char *name; /**< "RESOURCE_CREATE_2D", "OK_NODATA" */
    uint16_t bytes;   /**< of the fixed part, with the header, without a tail */
    uint8_t n_fields; /**< without the header's */
    const struct vt_vgpu_field *fields;
    struct vt_vgpu_tail tail;
};

struct vt_vgpu_command {
    const struct vt_vgpu_message *request;
    uint32_t response; /**< the type of a successful response; error types may come for any */
    enum vt_vgpu_queue queue;
    uint64_t feature; /**< that must have been negotiated, or 0 */
};

/** Every command known, in order of type; *n of them. */
const struct vt_vgpu_command *vt_vgpu_commands(size_t *n);
/** Every kind of response known, in order of type; *n of them. */
const struct vt_vgpu_message *vt_vgpu_responses(size_t *n);
/** NULL: not a command. */
const struct vt_vgpu_command *vt_vgpu_command_of(uint32_t type);
/** A request or a response; NULL: unknown type. */
const struct vt_vgpu_message *vt_vgpu_message_of(uint32_t type);
/** "SET_SCANOUT", "ERR_INVALID_RESOURCE_ID"; NULL: unknown. */
const char *vt_vgpu_type_name(uint32_t type);
/** The name of `value` in a field's names; NULL: none. */
const char *vt_vgpu_value_name(const struct vt_vgpu_field *field, uint64_t value);
/** Bytes of a message with its whole capacity: what a response needs room for. */
uint32_t vt_vgpu_message_room(const struct vt_vgpu_message *message);

static inline bool vt_vgpu_is_error(uint32_t type)
{
    return type >> 8 == VT_VGPU_RESP_ERR_UNSPEC >> 8;
}

/** The header's own fields, for those who show them. */
extern const struct vt_vgpu_field vt_vgpu_header_fields[];
extern const unsigned vt_vgpu_n_header_fields;

/* ---------------------------------------------------------------- reading one */

enum vt_vgpu_verdict {
    VT_VGPU_WELL,
    VT_VGPU_SHORT,        /**< fewer bytes than its fixed part */
    VT_VGPU_UNKNOWN_TYPE, /**< no such command or response */
    VT_VGPU_NOT_ITS_KIND, /**< a response where a request is due, or the reverse; or of another
                            command */
    VT_VGPU_TAIL_SHORT,   /**< it says more elements than there are bytes */
    VT_VGPU_WRONG_FENCE,  /**< flag, fence id or context are not the fenced request's */
    VT_VGPU_LONG,         /**< bytes beyond its end (allowed by devices, said by us) */
    VT_VGPU_VERDICTS
};
const char *vt_vgpu_verdict_name(enum vt_vgpu_verdict verdict);

/** Is this a well-formed request? *message (NULL: unknown, or no whole header) and *elements of its
 *  tail (those that are there; of plain bytes, the bytes) are always set. `bytes` may be any
 * memory, of any alignment; it is not kept. */
enum vt_vgpu_verdict vt_vgpu_check_request(const void *bytes, size_t n,
                                           const struct vt_vgpu_message **message,
                                           uint32_t *elements);
/** The same for a response to `request`: its success type or an error. With a fence in the request
 *  the response's flag, fence id and context must be the request's. Devices answer the cursor
 *  queue's commands with no bytes at all: that is well, too, and *message is NULL. */
enum vt_vgpu_verdict vt_vgpu_check_response(const struct vt_vgpu_header *request, const void *bytes,
                                            size_t n, const struct vt_vgpu_message **message,
                                            uint32_t *elements);

/** Called once a value: `element` is the number within the tail, or -1 (also for plain bytes, which
 *  come as one field); `value` the number for kinds that are numbers; `at`/`n` the bytes of the
 *  field inside the message. */
typedef void vt_vgpu_visit_fn(const struct vt_vgpu_field *field, int64_t element, uint64_t value,
                              const void *at, size_t n, void *arg);
/** Every field of a message that is there, the header's first; at most `max_elements` of the tail.
 *  The message need not be well-formed: no byte beyond `n` is read. `message` NULL: the header. */
void vt_vgpu_visit(const struct vt_vgpu_message *message, const void *bytes, size_t n,
                   uint32_t max_elements, vt_vgpu_visit_fn *fn, void *arg);
/** One line of text, always terminated, cut with "…" when `room` is too small: "SET_SCANOUT scanout
 *  0 resource 1 rect 1280x800+0+0 fence 7". Ids come first, then the rest in the struct's order,
 *  the tail and what the header says. Bytes a guest chose are made printable. Returns its length.
 */
size_t vt_vgpu_describe(const struct vt_vgpu_message *message, const void *bytes, size_t n,
                        char *to, size_t room);

#endif
