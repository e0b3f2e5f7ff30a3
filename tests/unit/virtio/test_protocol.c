/* tests/unit/virtio/test_protocol.c - messages against Linux's own header, and what check, visit
 * and describe say of good, short, long and wrong ones.
 */
#include "tests/unit/harness.h"

#include "virtio/gpu/protocol/commands.h"

#include <linux/virtio_gpu.h>
#include <string.h>

/* ---------------------------------------------------------------- layout */

#define SAME_SIZE(ours, theirs)                                                                    \
    _Static_assert(sizeof(struct vt_vgpu_##ours) == sizeof(struct virtio_gpu_##theirs), #ours)
#define SAME(ours, theirs, member, its)                                                            \
    _Static_assert(offsetof(struct vt_vgpu_##ours, member) ==                                      \
                           offsetof(struct virtio_gpu_##theirs, its) &&                            \
                       sizeof(((struct vt_vgpu_##ours *)NULL)->member) ==                          \
                           sizeof(((struct virtio_gpu_##theirs *)NULL)->its),                      \
                   #ours "." #member)

SAME_SIZE(header, ctrl_hdr);
SAME(header, ctrl_hdr, fence_id, fence_id);
SAME(header, ctrl_hdr, ctx_id, ctx_id);
SAME(header, ctrl_hdr, ring_idx, ring_idx);
SAME_SIZE(config_space, config);
SAME(config_space, config, num_capsets, num_capsets);
SAME_SIZE(resource_create_2d, resource_create_2d);
SAME(resource_create_2d, resource_create_2d, format, format);
SAME(resource_create_2d, resource_create_2d, height, height);
SAME_SIZE(resource_unref, resource_unref);
SAME_SIZE(set_scanout, set_scanout);
SAME(set_scanout, set_scanout, rect, r);
SAME(set_scanout, set_scanout, scanout_id, scanout_id);
SAME(set_scanout, set_scanout, resource_id, resource_id);
SAME_SIZE(resource_flush, resource_flush);
SAME(resource_flush, resource_flush, resource_id, resource_id);
SAME_SIZE(transfer_to_host_2d, transfer_to_host_2d);
SAME(transfer_to_host_2d, transfer_to_host_2d, offset, offset);
SAME(transfer_to_host_2d, transfer_to_host_2d, resource_id, resource_id);
SAME_SIZE(resource_attach_backing, resource_attach_backing);
SAME(resource_attach_backing, resource_attach_backing, nr_entries, nr_entries);
SAME_SIZE(memory_entry, mem_entry);
SAME(memory_entry, mem_entry, length, length);
SAME_SIZE(resource_detach_backing, resource_detach_backing);
SAME_SIZE(display_one, display_one);
SAME(display_one, display_one, enabled, enabled);
SAME_SIZE(resp_display_info, resp_display_info);
SAME_SIZE(get_capset_info, get_capset_info);
SAME_SIZE(resp_capset_info, resp_capset_info);
SAME(resp_capset_info, resp_capset_info, capset_max_size, capset_max_size);
SAME_SIZE(get_capset, get_capset);
SAME(get_capset, get_capset, capset_version, capset_version);
SAME_SIZE(get_edid, cmd_get_edid);
SAME_SIZE(resp_edid, resp_edid);
SAME(resp_edid, resp_edid, edid, edid);
SAME_SIZE(resource_assign_uuid, resource_assign_uuid);
SAME_SIZE(resp_resource_uuid, resp_resource_uuid);
SAME_SIZE(resource_create_blob, resource_create_blob);
SAME(resource_create_blob, resource_create_blob, blob_mem, blob_mem);
SAME(resource_create_blob, resource_create_blob, blob_flags, blob_flags);
SAME(resource_create_blob, resource_create_blob, nr_entries, nr_entries);
SAME(resource_create_blob, resource_create_blob, blob_id, blob_id);
SAME(resource_create_blob, resource_create_blob, size, size);
SAME_SIZE(set_scanout_blob, set_scanout_blob);
SAME(set_scanout_blob, set_scanout_blob, format, format);
SAME(set_scanout_blob, set_scanout_blob, strides, strides);
SAME(set_scanout_blob, set_scanout_blob, offsets, offsets);
SAME_SIZE(ctx_create, ctx_create);
SAME(ctx_create, ctx_create, context_init, context_init);
SAME(ctx_create, ctx_create, debug_name, debug_name);
SAME_SIZE(ctx_destroy, ctx_destroy);
SAME_SIZE(ctx_attach_resource, ctx_resource);
SAME_SIZE(ctx_detach_resource, ctx_resource);
SAME_SIZE(resource_create_3d, resource_create_3d);
SAME(resource_create_3d, resource_create_3d, bind, bind);
SAME(resource_create_3d, resource_create_3d, depth, depth);
SAME(resource_create_3d, resource_create_3d, last_level, last_level);
SAME(resource_create_3d, resource_create_3d, flags, flags);
SAME_SIZE(transfer_to_host_3d, transfer_host_3d);
SAME_SIZE(transfer_from_host_3d, transfer_host_3d);
SAME(transfer_to_host_3d, transfer_host_3d, depth, box.d);
SAME(transfer_to_host_3d, transfer_host_3d, offset, offset);
SAME(transfer_to_host_3d, transfer_host_3d, level, level);
SAME(transfer_to_host_3d, transfer_host_3d, layer_stride, layer_stride);
SAME_SIZE(submit_3d, cmd_submit);
SAME_SIZE(resource_map_blob, resource_map_blob);
SAME(resource_map_blob, resource_map_blob, offset, offset);
SAME_SIZE(resp_map_info, resp_map_info);
SAME_SIZE(resource_unmap_blob, resource_unmap_blob);
SAME_SIZE(update_cursor, update_cursor);
SAME_SIZE(move_cursor, update_cursor);
SAME(update_cursor, update_cursor, y, pos.y);
SAME(update_cursor, update_cursor, resource_id, resource_id);
SAME(update_cursor, update_cursor, hot_y, hot_y);

/* ---------------------------------------------------------------- tables */

static void numbers_are_linuxs(void **state)
{
    (void)state;
    static const struct {
        uint32_t theirs;
        const char *name;
    } known[] = {
        {VIRTIO_GPU_CMD_GET_DISPLAY_INFO, "GET_DISPLAY_INFO"},
        {VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, "RESOURCE_CREATE_2D"},
        {VIRTIO_GPU_CMD_RESOURCE_UNREF, "RESOURCE_UNREF"},
        {VIRTIO_GPU_CMD_SET_SCANOUT, "SET_SCANOUT"},
        {VIRTIO_GPU_CMD_RESOURCE_FLUSH, "RESOURCE_FLUSH"},
        {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, "TRANSFER_TO_HOST_2D"},
        {VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, "RESOURCE_ATTACH_BACKING"},
        {VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, "RESOURCE_DETACH_BACKING"},
        {VIRTIO_GPU_CMD_GET_CAPSET_INFO, "GET_CAPSET_INFO"},
        {VIRTIO_GPU_CMD_GET_CAPSET, "GET_CAPSET"},
        {VIRTIO_GPU_CMD_GET_EDID, "GET_EDID"},
        {VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, "RESOURCE_ASSIGN_UUID"},
        {VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, "RESOURCE_CREATE_BLOB"},
        {VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, "SET_SCANOUT_BLOB"},
        {VIRTIO_GPU_CMD_CTX_CREATE, "CTX_CREATE"},
        {VIRTIO_GPU_CMD_CTX_DESTROY, "CTX_DESTROY"},
        {VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, "CTX_ATTACH_RESOURCE"},
        {VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, "CTX_DETACH_RESOURCE"},
        {VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, "RESOURCE_CREATE_3D"},
        {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, "TRANSFER_TO_HOST_3D"},
        {VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, "TRANSFER_FROM_HOST_3D"},
        {VIRTIO_GPU_CMD_SUBMIT_3D, "SUBMIT_3D"},
        {VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, "RESOURCE_MAP_BLOB"},
        {VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, "RESOURCE_UNMAP_BLOB"},
        {VIRTIO_GPU_CMD_UPDATE_CURSOR, "UPDATE_CURSOR"},
        {VIRTIO_GPU_CMD_MOVE_CURSOR, "MOVE_CURSOR"},
        {VIRTIO_GPU_RESP_OK_NODATA, "OK_NODATA"},
        {VIRTIO_GPU_RESP_OK_DISPLAY_INFO, "OK_DISPLAY_INFO"},
        {VIRTIO_GPU_RESP_OK_CAPSET_INFO, "OK_CAPSET_INFO"},
        {VIRTIO_GPU_RESP_OK_CAPSET, "OK_CAPSET"},
        {VIRTIO_GPU_RESP_OK_EDID, "OK_EDID"},
        {VIRTIO_GPU_RESP_OK_RESOURCE_UUID, "OK_RESOURCE_UUID"},
        {VIRTIO_GPU_RESP_OK_MAP_INFO, "OK_MAP_INFO"},
        {VIRTIO_GPU_RESP_ERR_UNSPEC, "ERR_UNSPEC"},
        {VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "ERR_OUT_OF_MEMORY"},
        {VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, "ERR_INVALID_SCANOUT_ID"},
        {VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID, "ERR_INVALID_RESOURCE_ID"},
        {VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "ERR_INVALID_CONTEXT_ID"},
        {VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "ERR_INVALID_PARAMETER"},
    };
    const size_t n_known = sizeof known / sizeof known[0];
    size_t n_commands, n_responses, found = 0;
    vt_vgpu_commands(&n_commands);
    vt_vgpu_responses(&n_responses);
    assert_int_equal(n_known, n_commands + n_responses);
    for (size_t i = 0; i < n_known; i++) {
        assert_string_equal(vt_vgpu_type_name(known[i].theirs), known[i].name);
        assert_string_equal(vt_vgpu_value_name(&vt_vgpu_header_fields[0], known[i].theirs),
                            known[i].name);
    }
    for (uint32_t type = 0; type < 0x20000; type++) {
        const struct vt_vgpu_message *m = vt_vgpu_message_of(type);
        const struct vt_vgpu_command *c = vt_vgpu_command_of(type);
        found += m != NULL;
        assert_true(m == NULL || m->type == type);
        assert_true(c == NULL || c->request == m);
    }
    assert_int_equal(found, n_known);
    assert_null(vt_vgpu_type_name(UINT32_MAX));
    assert_int_equal(vt_vgpu_command_of(VIRTIO_GPU_CMD_MOVE_CURSOR)->queue, VT_VGPU_CURSOR_QUEUE);
    assert_int_equal(vt_vgpu_command_of(VIRTIO_GPU_CMD_GET_EDID)->response,
                     VIRTIO_GPU_RESP_OK_EDID);
    assert_int_equal(vt_vgpu_command_of(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB)->feature,
                     1 << VIRTIO_GPU_F_RESOURCE_BLOB);
}

static void check_fields(const struct vt_vgpu_field *fields, unsigned n, size_t from, size_t bytes)
{
    uint8_t used[256] = {0};
    assert_true(bytes <= sizeof used);
    for (unsigned i = 0; i < n; i++) {
        const struct vt_vgpu_field *f = &fields[i];
        assert_true(f->offset >= from && f->bytes > 0 && f->offset + (size_t)f->bytes <= bytes);
        assert_true(f->name[0] != '\0' && f->doc[0] != '\0');
        bool named = f->kind == VT_VGPU_ENUM || f->kind == VT_VGPU_FLAGS;
        assert_true(named == (f->names != NULL));
        bool is_long = f->kind == VT_VGPU_TEXT || f->kind == VT_VGPU_BYTES;
        assert_true(is_long || f->bytes <= 8 || f->kind == VT_VGPU_RECT);
        for (size_t at = 0; at < f->bytes; at++) {
            assert_int_equal(used[f->offset + at]++, 0);
        }
    }
}

static void check_message(const struct vt_vgpu_message *m)
{
    check_fields(m->fields, m->n_fields, sizeof(struct vt_vgpu_header), m->bytes);
    const struct vt_vgpu_tail *tail = &m->tail;
    if (tail->name == NULL) {
        return;
    }
    assert_true(tail->bytes > 0 && tail->n_fields > 0);
    assert_true(tail->count_offset == 0 || tail->count_offset + 4u <= m->bytes);
    if (tail->bytes == 1) {
        assert_int_equal(tail->n_fields, 1);
        assert_int_equal(tail->fields[0].bytes, 0);
        assert_int_equal(tail->fields[0].kind, VT_VGPU_BYTES);
    } else {
        check_fields(tail->fields, tail->n_fields, 0, tail->bytes);
    }
}

static void fields_lie_within(void **state)
{
    (void)state;
    size_t n;
    const struct vt_vgpu_command *commands = vt_vgpu_commands(&n);
    for (size_t i = 0; i < n; i++) {
        check_message(commands[i].request);
        assert_false(vt_vgpu_is_error(commands[i].response));
        assert_non_null(vt_vgpu_message_of(commands[i].response));
    }
    const struct vt_vgpu_message *responses = vt_vgpu_responses(&n);
    for (size_t i = 0; i < n; i++) {
        check_message(&responses[i]);
    }
    check_fields(vt_vgpu_header_fields, vt_vgpu_n_header_fields, 0, sizeof(struct vt_vgpu_header));
    assert_int_equal(vt_vgpu_message_room(vt_vgpu_message_of(VT_VGPU_RESP_OK_DISPLAY_INFO)),
                     sizeof(struct vt_vgpu_resp_display_info));
    assert_int_equal(vt_vgpu_message_room(vt_vgpu_message_of(VT_VGPU_RESP_OK_EDID)),
                     sizeof(struct vt_vgpu_resp_edid));
    assert_int_equal(vt_vgpu_message_room(vt_vgpu_message_of(VT_VGPU_RESP_OK_NODATA)), 24);
}

/* ---------------------------------------------------------------- check */

static enum vt_vgpu_verdict request(const void *bytes, size_t n, uint32_t *elements)
{
    const struct vt_vgpu_message *m;
    return vt_vgpu_check_request(bytes, n, &m, elements);
}

static void requests_of_every_length(void **state)
{
    (void)state;
    size_t n_commands;
    const struct vt_vgpu_command *commands = vt_vgpu_commands(&n_commands);
    for (size_t i = 0; i < n_commands; i++) {
        const struct vt_vgpu_message *m = commands[i].request;
        uint8_t bytes[256] = {0};
        memcpy(bytes, &m->type, sizeof m->type);
        for (size_t n = 0; n < sizeof bytes; n++) {
            const struct vt_vgpu_message *seen;
            uint32_t elements = 99;
            enum vt_vgpu_verdict v = vt_vgpu_check_request(bytes, n, &seen, &elements);
            assert_int_equal(v, n < m->bytes   ? VT_VGPU_SHORT
                                : n > m->bytes ? VT_VGPU_LONG
                                               : VT_VGPU_WELL);
            assert_ptr_equal(seen, n < sizeof(struct vt_vgpu_header) ? NULL : m);
            assert_int_equal(elements, 0);
        }
    }
}

struct backing {
    struct vt_vgpu_resource_attach_backing fixed;
    struct vt_vgpu_memory_entry entries[6];
};

static void tails_are_counted(void **state)
{
    (void)state;
    struct backing b = {.fixed = {.header = {.type = VT_VGPU_CMD_RESOURCE_ATTACH_BACKING},
                                  .resource_id = 5,
                                  .nr_entries = 6}};
    uint32_t elements;
    assert_int_equal(request(&b, sizeof b, &elements), VT_VGPU_WELL);
    assert_int_equal(elements, 6);
    assert_int_equal(request(&b, sizeof b - 1, &elements), VT_VGPU_TAIL_SHORT);
    assert_int_equal(elements, 5);
    b.fixed.nr_entries = 5;
    assert_int_equal(request(&b, sizeof b, &elements), VT_VGPU_LONG);
    assert_int_equal(elements, 5);
    b.fixed.nr_entries = UINT32_MAX;
    assert_int_equal(request(&b, sizeof b, &elements), VT_VGPU_TAIL_SHORT);
    assert_int_equal(elements, 6);
    struct vt_vgpu_submit_3d s = {.header = {.type = VT_VGPU_CMD_SUBMIT_3D}, .size = 1};
    assert_int_equal(request(&s, sizeof s, &elements), VT_VGPU_TAIL_SHORT);
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    struct vt_vgpu_header h = {.type = VT_VGPU_RESP_OK_NODATA};
    const struct vt_vgpu_message *m;
    uint32_t elements;
    assert_int_equal(vt_vgpu_check_request(&h, sizeof h, &m, &elements), VT_VGPU_NOT_ITS_KIND);
    assert_string_equal(m->name, "OK_NODATA");
    h.type = 0x10e;
    assert_int_equal(vt_vgpu_check_request(&h, sizeof h, &m, &elements), VT_VGPU_UNKNOWN_TYPE);
    assert_null(m);
    for (int v = VT_VGPU_WELL; v <= VT_VGPU_VERDICTS; v++) {
        assert_non_null(vt_vgpu_verdict_name((enum vt_vgpu_verdict)v));
    }
}

static enum vt_vgpu_verdict answer(uint32_t request_type, uint32_t type, size_t n)
{
    struct vt_vgpu_header q = {.type = request_type};
    static union {
        uint32_t type;
        uint8_t bytes[2048];
    } r;
    r.type = type;
    const struct vt_vgpu_message *m;
    uint32_t elements;
    return vt_vgpu_check_response(&q, r.bytes, n, &m, &elements);
}

static void responses_fit_their_requests(void **state)
{
    (void)state;
    const uint32_t flush = VT_VGPU_CMD_RESOURCE_FLUSH, info = VT_VGPU_CMD_GET_DISPLAY_INFO;
    assert_int_equal(answer(flush, VT_VGPU_RESP_OK_NODATA, 24), VT_VGPU_WELL);
    assert_int_equal(answer(flush, VT_VGPU_RESP_OK_NODATA, 23), VT_VGPU_SHORT);
    assert_int_equal(answer(flush, VT_VGPU_RESP_OK_NODATA, 0), VT_VGPU_SHORT);
    assert_int_equal(answer(flush, VT_VGPU_RESP_OK_NODATA, 25), VT_VGPU_LONG);
    assert_int_equal(answer(flush, VT_VGPU_RESP_ERR_INVALID_PARAMETER, 24), VT_VGPU_WELL);
    assert_int_equal(answer(flush, VT_VGPU_RESP_OK_EDID, 1056), VT_VGPU_NOT_ITS_KIND);
    assert_int_equal(answer(flush, flush, 48), VT_VGPU_NOT_ITS_KIND);
    assert_int_equal(answer(flush, 0, 24), VT_VGPU_UNKNOWN_TYPE);
    assert_int_equal(answer(info, VT_VGPU_RESP_OK_NODATA, 24), VT_VGPU_NOT_ITS_KIND);
    assert_int_equal(answer(info, VT_VGPU_RESP_OK_DISPLAY_INFO, 408), VT_VGPU_WELL);
    assert_int_equal(answer(info, VT_VGPU_RESP_OK_DISPLAY_INFO, 407), VT_VGPU_TAIL_SHORT);
    assert_int_equal(answer(info, VT_VGPU_RESP_OK_DISPLAY_INFO, 409), VT_VGPU_LONG);
    assert_int_equal(answer(VT_VGPU_CMD_MOVE_CURSOR, 0, 0), VT_VGPU_WELL);
    assert_int_equal(answer(VT_VGPU_CMD_GET_CAPSET, VT_VGPU_RESP_OK_CAPSET, 2000), VT_VGPU_WELL);
    /* To a command nobody knows any response may come, and no request. */
    assert_int_equal(answer(0x1ff, VT_VGPU_RESP_OK_NODATA, 24), VT_VGPU_WELL);
    assert_int_equal(answer(0x1ff, flush, 48), VT_VGPU_NOT_ITS_KIND);
}

static void fences_come_back(void **state)
{
    (void)state;
    const struct vt_vgpu_header q = {.type = VT_VGPU_CMD_RESOURCE_FLUSH,
                                     .flags = VT_VGPU_FLAG_FENCE,
                                     .fence_id = UINT64_MAX - 1,
                                     .ctx_id = 3};
    struct vt_vgpu_header r = q;
    const struct vt_vgpu_message *m;
    uint32_t elements;
    r.type = VT_VGPU_RESP_OK_NODATA;
    assert_int_equal(vt_vgpu_check_response(&q, &r, sizeof r, &m, &elements), VT_VGPU_WELL);
    r.fence_id++;
    assert_int_equal(vt_vgpu_check_response(&q, &r, sizeof r, &m, &elements), VT_VGPU_WRONG_FENCE);
    r = q;
    r.type = VT_VGPU_RESP_ERR_UNSPEC;
    r.flags = 0;
    assert_int_equal(vt_vgpu_check_response(&q, &r, sizeof r, &m, &elements), VT_VGPU_WRONG_FENCE);
    r.flags = VT_VGPU_FLAG_FENCE;
    r.ctx_id = 0;
    assert_int_equal(vt_vgpu_check_response(&q, &r, sizeof r, &m, &elements), VT_VGPU_WRONG_FENCE);
    struct vt_vgpu_header plain = q;
    plain.flags = 0;
    assert_int_equal(vt_vgpu_check_response(&plain, &r, sizeof r, &m, &elements),
                     VT_VGPU_WRONG_FENCE);
}

/* ---------------------------------------------------------------- describe */

static void describes(const void *bytes, size_t n, const char *wanted)
{
    const struct vt_vgpu_message *m;
    uint32_t elements;
    char line[512];
    vt_vgpu_check_request(bytes, n, &m, &elements);
    size_t length = vt_vgpu_describe(m, bytes, n, line, sizeof line);
    assert_string_equal(line, wanted);
    assert_int_equal(length, strlen(wanted));
    /* In less room: the beginning of it and a mark, and no byte more. */
    for (size_t room = 0; room <= length + 1; room++) {
        char *small = malloc(room);
        assert_true(small != NULL || room == 0);
        size_t k = vt_vgpu_describe(m, bytes, n, small, room);
        assert_true(room == 0 ? k == 0 : k < room && small[k] == '\0');
        if (k < length && room > strlen("…")) {
            assert_true(k >= 3 && memcmp(small + k - 3, "…", 3) == 0);
            assert_memory_equal(small, wanted, k - 3);
        }
        free(small);
    }
}

static void lines(void **state)
{
    (void)state;
    struct vt_vgpu_set_scanout scanout = {
        .header = {.type = VT_VGPU_CMD_SET_SCANOUT, .flags = VT_VGPU_FLAG_FENCE, .fence_id = 7},
        .rect = {0, 0, 1280, 800},
        .resource_id = 1};
    describes(&scanout, sizeof scanout,
              "SET_SCANOUT scanout 0 resource 1 rect 1280x800+0+0 fence 7");
    describes(&scanout, 24, "SET_SCANOUT fence 7");
    struct vt_vgpu_resource_create_2d create = {.header = {.type = VT_VGPU_CMD_RESOURCE_CREATE_2D},
                                                .resource_id = 9,
                                                .format = VT_VGPU_FORMAT_B8G8R8X8_UNORM,
                                                .width = 640,
                                                .height = 480};
    describes(&create, sizeof create,
              "RESOURCE_CREATE_2D resource 9 format B8G8R8X8_UNORM width 640 height 480");
    create.format = 5;
    describes(&create, sizeof create,
              "RESOURCE_CREATE_2D resource 9 format 5 width 640 height 480");
    struct backing b = {.fixed = {.header = {.type = VT_VGPU_CMD_RESOURCE_ATTACH_BACKING},
                                  .resource_id = 5,
                                  .nr_entries = 2},
                        .entries = {{.addr = 0x123456789000, .length = 4096}, {.addr = 1}}};
    describes(&b, sizeof b.fixed + 32,
              "RESOURCE_ATTACH_BACKING resource 5 nr_entries 2 entries[0] addr 0x123456789000 "
              "length 4096 entries[1] addr 0x1 length 0");
    b.fixed.nr_entries = 6;
    describes(&b, sizeof b,
              "RESOURCE_ATTACH_BACKING resource 5 nr_entries 6 entries[0] addr 0x123456789000 "
              "length 4096 entries[1] addr 0x1 length 0 entries[2] addr 0x0 length 0 entries[3] "
              "addr 0x0 length 0 …");
    struct vt_vgpu_ctx_create ctx = {.header = {.type = VT_VGPU_CMD_CTX_CREATE,
                                                .flags = VT_VGPU_FLAG_INFO_RING_IDX | 0x30,
                                                .ctx_id = 2,
                                                .ring_idx = 1},
                                     .nlen = 5,
                                     .context_init = VT_VGPU_CAPSET_VENUS,
                                     .debug_name = "a\"\x1b\xff"
                                                   "b"};
    describes(&ctx, sizeof ctx,
              "CTX_CREATE nlen 5 context_init VENUS debug_name \"a\\x22\\x1b\\xffb\" context 2 "
              "ring 1 flags 0x30");
    struct vt_vgpu_resource_create_blob blob = {
        .header = {.type = VT_VGPU_CMD_RESOURCE_CREATE_BLOB},
        .resource_id = 1,
        .blob_mem = VT_VGPU_BLOB_MEM_HOST3D,
        .blob_flags = 1 | 4 | 0x80,
        .blob_id = 6,
        .size = 1u << 20};
    describes(&blob, sizeof blob,
              "RESOURCE_CREATE_BLOB resource 1 blob_mem HOST3D blob_flags "
              "MAPPABLE|CROSS_DEVICE|0x80 nr_entries 0 blob 6 size 1048576");
    struct vt_vgpu_resp_display_info info = {.header = {.type = VT_VGPU_RESP_OK_DISPLAY_INFO}};
    info.pmodes[5] = (struct vt_vgpu_display_one){{10, 20, 640, 480}, 1, 0};
    describes(&info, sizeof info,
              "OK_DISPLAY_INFO pmodes[5] rect 640x480+10+20 enabled 1 flags 0x0");
    struct vt_vgpu_resp_edid edid = {
        .header = {.type = VT_VGPU_RESP_OK_EDID}, .size = 3, .edid = {0, 0xff, 0x80}};
    describes(&edid, sizeof edid, "OK_EDID size 3 edid 00ff80 (3 bytes)");
    edid.size = 128;
    describes(&edid, sizeof edid,
              "OK_EDID size 128 edid 00ff8000000000000000000000000000… (128 bytes)");
    struct vt_vgpu_header unknown = {.type = 0xabcd};
    describes(&unknown, sizeof unknown, "type 0xabcd (24 bytes)");
    describes(&unknown, 2, "type 0xabcd (2 bytes)");
    unknown.type = VT_VGPU_RESP_OK_CAPSET;
    describes(&unknown, sizeof unknown, "OK_CAPSET capset_data (0 bytes)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_linuxs),       cmocka_unit_test(fields_lie_within),
        cmocka_unit_test(requests_of_every_length), cmocka_unit_test(tails_are_counted),
        cmocka_unit_test(kinds_are_told_apart),     cmocka_unit_test(responses_fit_their_requests),
        cmocka_unit_test(fences_come_back),         cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
