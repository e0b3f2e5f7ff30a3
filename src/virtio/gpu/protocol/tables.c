/* virtio/gpu/protocol/tables.c - every message as a table, made of the lists in the commands'
 * headers; names of values; who answers what.
 */
#include "virtio/gpu/protocol/commands.h"

/* ---------------------------------------------------------------- names of values */

const struct vt_vgpu_name vt_vgpu_formats[] = {
    {VT_VGPU_FORMAT_B8G8R8A8_UNORM, "B8G8R8A8_UNORM"},
    {VT_VGPU_FORMAT_B8G8R8X8_UNORM, "B8G8R8X8_UNORM"},
    {VT_VGPU_FORMAT_A8R8G8B8_UNORM, "A8R8G8B8_UNORM"},
    {VT_VGPU_FORMAT_X8R8G8B8_UNORM, "X8R8G8B8_UNORM"},
    {VT_VGPU_FORMAT_R8G8B8A8_UNORM, "R8G8B8A8_UNORM"},
    {VT_VGPU_FORMAT_X8B8G8R8_UNORM, "X8B8G8R8_UNORM"},
    {VT_VGPU_FORMAT_A8B8G8R8_UNORM, "A8B8G8R8_UNORM"},
    {VT_VGPU_FORMAT_R8G8B8X8_UNORM, "R8G8B8X8_UNORM"},
    {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_capsets[] = {
    {VT_VGPU_CAPSET_VIRGL, "VIRGL"},
    {VT_VGPU_CAPSET_VIRGL2, "VIRGL2"},
    {VT_VGPU_CAPSET_GFXSTREAM_VULKAN, "GFXSTREAM_VULKAN"},
    {VT_VGPU_CAPSET_VENUS, "VENUS"},
    {VT_VGPU_CAPSET_CROSS_DOMAIN, "CROSS_DOMAIN"},
    {VT_VGPU_CAPSET_DRM, "DRM"},
    {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_blob_mems[] = {
    {VT_VGPU_BLOB_MEM_GUEST, "GUEST"},
    {VT_VGPU_BLOB_MEM_HOST3D, "HOST3D"},
    {VT_VGPU_BLOB_MEM_HOST3D_GUEST, "HOST3D_GUEST"},
    {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_blob_flag_names[] = {
    {VT_VGPU_BLOB_USE_MAPPABLE, "MAPPABLE"},
    {VT_VGPU_BLOB_USE_SHAREABLE, "SHAREABLE"},
    {VT_VGPU_BLOB_USE_CROSS_DEVICE, "CROSS_DEVICE"},
    {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_map_caches[] = {
    {VT_VGPU_MAP_CACHE_NONE, "NONE"},
    {VT_VGPU_MAP_CACHE_CACHED, "CACHED"},
    {VT_VGPU_MAP_CACHE_UNCACHED, "UNCACHED"},
    {VT_VGPU_MAP_CACHE_WC, "WC"},
    {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_targets[] = {
    {0, "BUFFER"},       {1, "TEXTURE_1D"},   {2, "TEXTURE_2D"}, {3, "TEXTURE_3D"},
    {4, "TEXTURE_CUBE"}, {5, "TEXTURE_RECT"}, {6, "1D_ARRAY"},   {7, "2D_ARRAY"},
    {8, "CUBE_ARRAY"},   {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_binds[] = {
    {1u << 0, "DEPTH_STENCIL"},
    {1u << 1, "RENDER_TARGET"},
    {1u << 3, "SAMPLER_VIEW"},
    {1u << 4, "VERTEX_BUFFER"},
    {1u << 5, "INDEX_BUFFER"},
    {1u << 6, "CONSTANT_BUFFER"},
    {1u << 7, "DISPLAY_TARGET"},
    {1u << 8, "COMMAND_ARGS"},
    {1u << 11, "STREAM_OUTPUT"},
    {1u << 14, "SHADER_BUFFER"},
    {1u << 15, "QUERY_BUFFER"},
    {1u << 16, "CURSOR"},
    {1u << 17, "CUSTOM"},
    {1u << 18, "SCANOUT"},
    {1u << 19, "STAGING"},
    {1u << 20, "SHARED"},
    {0, NULL},
};

const struct vt_vgpu_name vt_vgpu_resource_flags[] = {
    {VT_VGPU_RESOURCE_Y_0_TOP, "Y_0_TOP"},
    {0, NULL},
};

static const struct vt_vgpu_name header_flags[] = {
    {VT_VGPU_FLAG_FENCE, "FENCE"},
    {VT_VGPU_FLAG_INFO_RING_IDX, "INFO_RING_IDX"},
    {0, NULL},
};

/* ---------------------------------------------------------------- fields */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD(S, member, kind, names, doc)                                                         \
    {#member, offsetof(S, member), sizeof(((S *)NULL)->member), VT_VGPU_##kind, names, doc},
#define FIELDS(lower, UPPER)                                                                       \
    static const struct vt_vgpu_field lower##_fields[] = {                                         \
        VT_VGPU_##UPPER##_FIELDS(FIELD, struct vt_vgpu_##lower)};

FIELDS(resource_create_2d, RESOURCE_CREATE_2D)
FIELDS(resource_unref, RESOURCE_UNREF)
FIELDS(set_scanout, SET_SCANOUT)
FIELDS(resource_flush, RESOURCE_FLUSH)
FIELDS(transfer_to_host_2d, TRANSFER_TO_HOST_2D)
FIELDS(resource_attach_backing, RESOURCE_ATTACH_BACKING)
FIELDS(resource_detach_backing, RESOURCE_DETACH_BACKING)
FIELDS(get_capset_info, GET_CAPSET_INFO)
FIELDS(get_capset, GET_CAPSET)
FIELDS(get_edid, GET_EDID)
FIELDS(resource_assign_uuid, RESOURCE_ASSIGN_UUID)
FIELDS(resource_create_blob, RESOURCE_CREATE_BLOB)
FIELDS(set_scanout_blob, SET_SCANOUT_BLOB)
FIELDS(ctx_create, CTX_CREATE)
FIELDS(ctx_attach_resource, CTX_ATTACH_RESOURCE)
FIELDS(ctx_detach_resource, CTX_DETACH_RESOURCE)
FIELDS(resource_create_3d, RESOURCE_CREATE_3D)
FIELDS(transfer_to_host_3d, TRANSFER_TO_HOST_3D)
FIELDS(transfer_from_host_3d, TRANSFER_FROM_HOST_3D)
FIELDS(submit_3d, SUBMIT_3D)
FIELDS(resource_map_blob, RESOURCE_MAP_BLOB)
FIELDS(resource_unmap_blob, RESOURCE_UNMAP_BLOB)
FIELDS(update_cursor, UPDATE_CURSOR)
FIELDS(move_cursor, MOVE_CURSOR)

FIELDS(resp_capset_info, RESP_CAPSET_INFO)
FIELDS(resp_edid, RESP_EDID)
FIELDS(resp_resource_uuid, RESP_RESOURCE_UUID)
FIELDS(resp_map_info, RESP_MAP_INFO)

FIELDS(memory_entry, MEMORY_ENTRY)
FIELDS(display_one, DISPLAY_ONE)
static const struct vt_vgpu_field submit_3d_tail[] = {VT_VGPU_SUBMIT_3D_TAIL};
static const struct vt_vgpu_field resp_edid_tail[] = {VT_VGPU_RESP_EDID_TAIL};
static const struct vt_vgpu_field capset_tail[] = {VT_VGPU_CAPSET_TAIL};

/* ---------------------------------------------------------------- messages */

/* What comes last, if anything, is the tail. NAME is the end of VT_VGPU_<PREFIX>_<NAME>. */
#define MESSAGE(PREFIX, NAME, lower, ...)                                                          \
    {                                                                                              \
        VT_VGPU_##PREFIX##_##NAME, #NAME, sizeof(struct vt_vgpu_##lower), COUNT(lower##_fields),   \
            lower##_fields,                                                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define BARE(PREFIX, NAME, ...)                                                                    \
    {                                                                                              \
        VT_VGPU_##PREFIX##_##NAME, #NAME, sizeof(struct vt_vgpu_header), 0, NULL,                  \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define NO_TAIL .name = NULL
#define TAIL(name_, count_, bytes_, capacity_, fields_)                                            \
    .name = (name_), .count_offset = (count_), .bytes = (bytes_), .capacity = (capacity_),         \
    .n_fields = COUNT(fields_), .fields = (fields_)
#define ENTRIES(S)                                                                                 \
    TAIL("entries", offsetof(S, nr_entries), sizeof(struct vt_vgpu_memory_entry), 0,               \
         memory_entry_fields)
#define REQUEST(NAME, lower, ...) MESSAGE(CMD, NAME, lower, __VA_ARGS__)

/* In order of type and without gaps within a group: found by their number. */
static const struct vt_vgpu_message requests[] = {
    BARE(CMD, GET_DISPLAY_INFO, NO_TAIL),
    REQUEST(RESOURCE_CREATE_2D, resource_create_2d, NO_TAIL),
    REQUEST(RESOURCE_UNREF, resource_unref, NO_TAIL),
    REQUEST(SET_SCANOUT, set_scanout, NO_TAIL),
    REQUEST(RESOURCE_FLUSH, resource_flush, NO_TAIL),
    REQUEST(TRANSFER_TO_HOST_2D, transfer_to_host_2d, NO_TAIL),
    REQUEST(RESOURCE_ATTACH_BACKING, resource_attach_backing,
            ENTRIES(struct vt_vgpu_resource_attach_backing)),
    REQUEST(RESOURCE_DETACH_BACKING, resource_detach_backing, NO_TAIL),
    REQUEST(GET_CAPSET_INFO, get_capset_info, NO_TAIL),
    REQUEST(GET_CAPSET, get_capset, NO_TAIL),
    REQUEST(GET_EDID, get_edid, NO_TAIL),
    REQUEST(RESOURCE_ASSIGN_UUID, resource_assign_uuid, NO_TAIL),
    REQUEST(RESOURCE_CREATE_BLOB, resource_create_blob,
            ENTRIES(struct vt_vgpu_resource_create_blob)),
    REQUEST(SET_SCANOUT_BLOB, set_scanout_blob, NO_TAIL),

    REQUEST(CTX_CREATE, ctx_create, NO_TAIL),
    BARE(CMD, CTX_DESTROY, NO_TAIL),
    REQUEST(CTX_ATTACH_RESOURCE, ctx_attach_resource, NO_TAIL),
    REQUEST(CTX_DETACH_RESOURCE, ctx_detach_resource, NO_TAIL),
    REQUEST(RESOURCE_CREATE_3D, resource_create_3d, NO_TAIL),
    REQUEST(TRANSFER_TO_HOST_3D, transfer_to_host_3d, NO_TAIL),
    REQUEST(TRANSFER_FROM_HOST_3D, transfer_from_host_3d, NO_TAIL),
    REQUEST(SUBMIT_3D, submit_3d,
            TAIL("commands", offsetof(struct vt_vgpu_submit_3d, size), 1, 0, submit_3d_tail)),
    REQUEST(RESOURCE_MAP_BLOB, resource_map_blob, NO_TAIL),
    REQUEST(RESOURCE_UNMAP_BLOB, resource_unmap_blob, NO_TAIL),

    REQUEST(UPDATE_CURSOR, update_cursor, NO_TAIL),
    REQUEST(MOVE_CURSOR, move_cursor, NO_TAIL),
};

static const struct vt_vgpu_message responses[] = {
    BARE(RESP, OK_NODATA, NO_TAIL),
    BARE(RESP, OK_DISPLAY_INFO,
         TAIL("pmodes", 0, sizeof(struct vt_vgpu_display_one), VT_VGPU_SCANOUTS_MAX,
              display_one_fields)),
    MESSAGE(RESP, OK_CAPSET_INFO, resp_capset_info, NO_TAIL),
    BARE(RESP, OK_CAPSET, TAIL("capset_data", 0, 1, 0, capset_tail)),
    {VT_VGPU_RESP_OK_EDID,
     "OK_EDID",
     offsetof(struct vt_vgpu_resp_edid, edid),
     COUNT(resp_edid_fields),
     resp_edid_fields,
     {TAIL("edid", offsetof(struct vt_vgpu_resp_edid, size), 1,
           sizeof(((struct vt_vgpu_resp_edid *)NULL)->edid), resp_edid_tail)}},
    MESSAGE(RESP, OK_RESOURCE_UUID, resp_resource_uuid, NO_TAIL),
    MESSAGE(RESP, OK_MAP_INFO, resp_map_info, NO_TAIL),

    BARE(RESP, ERR_UNSPEC, NO_TAIL),
    BARE(RESP, ERR_OUT_OF_MEMORY, NO_TAIL),
    BARE(RESP, ERR_INVALID_SCANOUT_ID, NO_TAIL),
    BARE(RESP, ERR_INVALID_RESOURCE_ID, NO_TAIL),
    BARE(RESP, ERR_INVALID_CONTEXT_ID, NO_TAIL),
    BARE(RESP, ERR_INVALID_PARAMETER, NO_TAIL),
};

/* The groups' first types, and where they begin in `requests` or `responses`. */
#define AT_2D(NAME) &requests[VT_VGPU_CMD_##NAME - VT_VGPU_CMD_GET_DISPLAY_INFO]
#define AT_3D(NAME) &requests[FIRST_3D + VT_VGPU_CMD_##NAME - VT_VGPU_CMD_CTX_CREATE]
#define AT_CURSOR(NAME) &requests[FIRST_CURSOR + VT_VGPU_CMD_##NAME - VT_VGPU_CMD_UPDATE_CURSOR]
enum {
    FIRST_3D = VT_VGPU_CMD_SET_SCANOUT_BLOB - VT_VGPU_CMD_GET_DISPLAY_INFO + 1,
    FIRST_CURSOR = FIRST_3D + VT_VGPU_CMD_RESOURCE_UNMAP_BLOB - VT_VGPU_CMD_CTX_CREATE + 1,
    FIRST_ERROR = VT_VGPU_RESP_OK_MAP_INFO - VT_VGPU_RESP_OK_NODATA + 1,
};
_Static_assert(COUNT(requests) == FIRST_CURSOR + 2, "no gaps");
_Static_assert(COUNT(responses) ==
                   FIRST_ERROR + VT_VGPU_RESP_ERR_INVALID_PARAMETER - VT_VGPU_RESP_ERR_UNSPEC + 1,
               "no gaps");

#define OK_(NAME) VT_VGPU_RESP_OK_##NAME, VT_VGPU_CONTROL_QUEUE
static const struct vt_vgpu_command commands[] = {
    {AT_2D(GET_DISPLAY_INFO), OK_(DISPLAY_INFO), 0},
    {AT_2D(RESOURCE_CREATE_2D), OK_(NODATA), 0},
    {AT_2D(RESOURCE_UNREF), OK_(NODATA), 0},
    {AT_2D(SET_SCANOUT), OK_(NODATA), 0},
    {AT_2D(RESOURCE_FLUSH), OK_(NODATA), 0},
    {AT_2D(TRANSFER_TO_HOST_2D), OK_(NODATA), 0},
    {AT_2D(RESOURCE_ATTACH_BACKING), OK_(NODATA), 0},
    {AT_2D(RESOURCE_DETACH_BACKING), OK_(NODATA), 0},
    {AT_2D(GET_CAPSET_INFO), OK_(CAPSET_INFO), VT_VGPU_F_VIRGL},
    {AT_2D(GET_CAPSET), OK_(CAPSET), VT_VGPU_F_VIRGL},
    {AT_2D(GET_EDID), OK_(EDID), VT_VGPU_F_EDID},
    {AT_2D(RESOURCE_ASSIGN_UUID), OK_(RESOURCE_UUID), VT_VGPU_F_RESOURCE_UUID},
    {AT_2D(RESOURCE_CREATE_BLOB), OK_(NODATA), VT_VGPU_F_RESOURCE_BLOB},
    {AT_2D(SET_SCANOUT_BLOB), OK_(NODATA), VT_VGPU_F_RESOURCE_BLOB},
    {AT_3D(CTX_CREATE), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(CTX_DESTROY), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(CTX_ATTACH_RESOURCE), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(CTX_DETACH_RESOURCE), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(RESOURCE_CREATE_3D), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(TRANSFER_TO_HOST_3D), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(TRANSFER_FROM_HOST_3D), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(SUBMIT_3D), OK_(NODATA), VT_VGPU_F_VIRGL},
    {AT_3D(RESOURCE_MAP_BLOB), OK_(MAP_INFO), VT_VGPU_F_RESOURCE_BLOB},
    {AT_3D(RESOURCE_UNMAP_BLOB), OK_(NODATA), VT_VGPU_F_RESOURCE_BLOB},
    {AT_CURSOR(UPDATE_CURSOR), VT_VGPU_RESP_OK_NODATA, VT_VGPU_CURSOR_QUEUE, 0},
    {AT_CURSOR(MOVE_CURSOR), VT_VGPU_RESP_OK_NODATA, VT_VGPU_CURSOR_QUEUE, 0},
};
_Static_assert(COUNT(commands) == COUNT(requests), "each has a line");

#define NAME_OF(PREFIX, NAME) {VT_VGPU_##PREFIX##_##NAME, #NAME}
static const struct vt_vgpu_name type_names[] = {
    NAME_OF(CMD, GET_DISPLAY_INFO),
    NAME_OF(CMD, RESOURCE_CREATE_2D),
    NAME_OF(CMD, RESOURCE_UNREF),
    NAME_OF(CMD, SET_SCANOUT),
    NAME_OF(CMD, RESOURCE_FLUSH),
    NAME_OF(CMD, TRANSFER_TO_HOST_2D),
    NAME_OF(CMD, RESOURCE_ATTACH_BACKING),
    NAME_OF(CMD, RESOURCE_DETACH_BACKING),
    NAME_OF(CMD, GET_CAPSET_INFO),
    NAME_OF(CMD, GET_CAPSET),
    NAME_OF(CMD, GET_EDID),
    NAME_OF(CMD, RESOURCE_ASSIGN_UUID),
    NAME_OF(CMD, RESOURCE_CREATE_BLOB),
    NAME_OF(CMD, SET_SCANOUT_BLOB),
    NAME_OF(CMD, CTX_CREATE),
    NAME_OF(CMD, CTX_DESTROY),
    NAME_OF(CMD, CTX_ATTACH_RESOURCE),
    NAME_OF(CMD, CTX_DETACH_RESOURCE),
    NAME_OF(CMD, RESOURCE_CREATE_3D),
    NAME_OF(CMD, TRANSFER_TO_HOST_3D),
    NAME_OF(CMD, TRANSFER_FROM_HOST_3D),
    NAME_OF(CMD, SUBMIT_3D),
    NAME_OF(CMD, RESOURCE_MAP_BLOB),
    NAME_OF(CMD, RESOURCE_UNMAP_BLOB),
    NAME_OF(CMD, UPDATE_CURSOR),
    NAME_OF(CMD, MOVE_CURSOR),
    NAME_OF(RESP, OK_NODATA),
    NAME_OF(RESP, OK_DISPLAY_INFO),
    NAME_OF(RESP, OK_CAPSET_INFO),
    NAME_OF(RESP, OK_CAPSET),
    NAME_OF(RESP, OK_EDID),
    NAME_OF(RESP, OK_RESOURCE_UUID),
    NAME_OF(RESP, OK_MAP_INFO),
    NAME_OF(RESP, ERR_UNSPEC),
    NAME_OF(RESP, ERR_OUT_OF_MEMORY),
    NAME_OF(RESP, ERR_INVALID_SCANOUT_ID),
    NAME_OF(RESP, ERR_INVALID_RESOURCE_ID),
    NAME_OF(RESP, ERR_INVALID_CONTEXT_ID),
    NAME_OF(RESP, ERR_INVALID_PARAMETER),
    {0, NULL},
};

#define HEADER_FIELDS(F, S)                                                                        \
    F(S, type, ENUM, type_names, "which command or response")                                      \
    F(S, flags, FLAGS, header_flags, "what the header says besides")                               \
    F(S, fence_id, NUMBER, NULL, "of a fenced command, and of its response")                       \
    F(S, ctx_id, CONTEXT, NULL, "of 3-D commands")                                                 \
    F(S, ring_idx, NUMBER, NULL, "timeline of the context")
const struct vt_vgpu_field vt_vgpu_header_fields[] = {HEADER_FIELDS(FIELD, struct vt_vgpu_header)};
const unsigned vt_vgpu_n_header_fields = COUNT(vt_vgpu_header_fields);

/* ---------------------------------------------------------------- looking up */

const struct vt_vgpu_command *vt_vgpu_commands(size_t *n)
{
    *n = COUNT(commands);
    return commands;
}

const struct vt_vgpu_message *vt_vgpu_responses(size_t *n)
{
    *n = COUNT(responses);
    return responses;
}

const struct vt_vgpu_command *vt_vgpu_command_of(uint32_t type)
{
    if (type - VT_VGPU_CMD_GET_DISPLAY_INFO < FIRST_3D) {
        return &commands[type - VT_VGPU_CMD_GET_DISPLAY_INFO];
    }
    if (type - VT_VGPU_CMD_CTX_CREATE < FIRST_CURSOR - FIRST_3D) {
        return &commands[FIRST_3D + type - VT_VGPU_CMD_CTX_CREATE];
    }
    if (type - VT_VGPU_CMD_UPDATE_CURSOR < COUNT(commands) - FIRST_CURSOR) {
        return &commands[FIRST_CURSOR + type - VT_VGPU_CMD_UPDATE_CURSOR];
    }
    return NULL;
}

const struct vt_vgpu_message *vt_vgpu_message_of(uint32_t type)
{
    const struct vt_vgpu_command *command = vt_vgpu_command_of(type);
    if (command != NULL) {
        return command->request;
    }
    if (type - VT_VGPU_RESP_OK_NODATA < FIRST_ERROR) {
        return &responses[type - VT_VGPU_RESP_OK_NODATA];
    }
    if (type - VT_VGPU_RESP_ERR_UNSPEC < COUNT(responses) - FIRST_ERROR) {
        return &responses[FIRST_ERROR + type - VT_VGPU_RESP_ERR_UNSPEC];
    }
    return NULL;
}

const char *vt_vgpu_type_name(uint32_t type)
{
    const struct vt_vgpu_message *message = vt_vgpu_message_of(type);
    return message != NULL ? message->name : NULL;
}

const char *vt_vgpu_value_name(const struct vt_vgpu_field *field, uint64_t value)
{
    for (const struct vt_vgpu_name *p = field->names; p != NULL && p->name != NULL; p++) {
        if (p->value == value) {
            return p->name;
        }
    }
    return NULL;
}

uint32_t vt_vgpu_message_room(const struct vt_vgpu_message *message)
{
    return message->bytes + (uint32_t)message->tail.capacity * message->tail.bytes;
}
