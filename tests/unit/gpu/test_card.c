/* tests/unit/gpu/test_card.c - a virtio-gpu's commands, one by one: as drivers send them, and as
 * nobody should. */
#include "tests/unit/harness.h"

#include "vhost_front.h"

#include "virtio/gpu/edid.h"

#include <png.h>
#include <string.h>

static int begin(void **state)
{
    struct vt_front *f = malloc(sizeof *f);
    vt_front_begin(f, true);
    vt_front_start(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    vt_front_end(*state);
    free(*state);
    return 0;
}

#define DO(f, request) do_simple(f, &(request), sizeof(request))
static uint32_t do_simple(struct vt_front *f, const void *request, size_t bytes)
{
    struct vt_vgpu_header h;
    return vt_front_do(f, request, bytes, &h, sizeof h);
}

static uint32_t create_2d(struct vt_front *f, uint32_t id, uint32_t width, uint32_t height)
{
    const struct vt_vgpu_resource_create_2d c = {.header.type = VT_VGPU_CMD_RESOURCE_CREATE_2D,
                                                 .resource_id = id,
                                                 .format = VT_VGPU_FORMAT_B8G8R8X8_UNORM,
                                                 .width = width,
                                                 .height = height};
    return DO(f, c);
}

static uint32_t by_id(struct vt_front *f, uint32_t type, uint32_t id)
{
    const struct vt_vgpu_resource_unref r = {.header.type = type, .resource_id = id};
    return DO(f, r);
}

/* In as many pieces as it has bytes / piece, scattered backwards. */
static uint32_t back(struct vt_front *f, uint32_t id, size_t offset, uint32_t bytes, uint32_t piece)
{
    struct {
        struct vt_vgpu_resource_attach_backing a;
        struct vt_vgpu_memory_entry e[64];
    } r = {.a = {.header.type = VT_VGPU_CMD_RESOURCE_ATTACH_BACKING,
                 .resource_id = id,
                 .nr_entries = bytes / piece}};
    for (uint32_t i = 0; i < bytes / piece; i++) {
        r.e[i] = (struct vt_vgpu_memory_entry){
            .addr = vt_front_gpa(offset + (bytes / piece - 1 - i) * (size_t)piece),
            .length = piece};
    }
    return do_simple(f, &r, sizeof r.a + r.a.nr_entries * sizeof r.e[0]);
}

static uint32_t blob(struct vt_front *f, uint32_t id, uint32_t mem, uint32_t flags, uint64_t size)
{
    struct {
        struct vt_vgpu_resource_create_blob b;
        struct vt_vgpu_memory_entry e;
    } r = {.b = {.header = {.type = VT_VGPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = 1},
                 .resource_id = id,
                 .blob_mem = mem,
                 .blob_flags = flags,
                 .nr_entries = mem == VT_VGPU_BLOB_MEM_GUEST,
                 .blob_id = 7,
                 .size = size},
           .e = {.addr = vt_front_gpa(0x80000), .length = 0x10000}};
    return do_simple(f, &r, sizeof r.b + r.b.nr_entries * sizeof r.e);
}

static uint32_t map(struct vt_front *f, uint32_t id, uint64_t offset)
{
    const struct vt_vgpu_resource_map_blob m = {
        .header.type = VT_VGPU_CMD_RESOURCE_MAP_BLOB, .resource_id = id, .offset = offset};
    struct vt_vgpu_resp_map_info r;
    uint32_t type = vt_front_do(f, &m, sizeof m, &r, sizeof r);
    if (type == VT_VGPU_RESP_OK_MAP_INFO) {
        assert_int_equal(r.map_info, VT_VGPU_MAP_CACHE_CACHED);
    }
    return type;
}

static uint32_t context(struct vt_front *f, uint32_t id, uint32_t capset)
{
    const struct vt_vgpu_ctx_create c = {.header = {.type = VT_VGPU_CMD_CTX_CREATE, .ctx_id = id},
                                         .nlen = 4,
                                         .context_init = capset,
                                         .debug_name = "t\033st"};
    return DO(f, c);
}

static uint32_t of_context(struct vt_front *f, uint32_t type, uint32_t id, uint32_t resource)
{
    const struct vt_vgpu_ctx_attach_resource a = {.header = {.type = type, .ctx_id = id},
                                                  .resource_id = resource};
    return DO(f, a);
}

static uint32_t destroy_context(struct vt_front *f, uint32_t id)
{
    const struct vt_vgpu_header h = {.type = VT_VGPU_CMD_CTX_DESTROY, .ctx_id = id};
    return DO(f, h);
}

static uint32_t submit(struct vt_front *f, uint32_t id, uint32_t flags, uint8_t ring, uint32_t size)
{
    struct {
        struct vt_vgpu_submit_3d s;
        uint8_t stream[64];
    } r = {.s = {.header = {.type = VT_VGPU_CMD_SUBMIT_3D,
                            .flags = flags,
                            .ctx_id = id,
                            .ring_idx = ring,
                            .fence_id = 1},
                 .size = size}};
    return do_simple(f, &r, sizeof r.s + (size < 64 ? size : 64));
}

/* ---------------------------------------------------------------- 2-D */

static void test_shows_what_was_drawn(void **state)
{
    struct vt_front *f = *state;
    const uint32_t side = 32;
    uint32_t *pixels = (uint32_t *)(void *)(f->memory + 0x80000);
    assert_int_equal(create_2d(f, 9, side, side), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(back(f, 9, 0x80000, side * side * 4, 256), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(back(f, 9, 0x80000, 256, 256), VT_VGPU_RESP_ERR_UNSPEC);
    for (uint32_t i = 0; i < side * side; i++) { /* pieces are backwards, of 64 pixels */
        uint32_t piece = side * side / 64 - 1 - i / 64;
        pixels[piece * 64 + i % 64] = 0xff000000u | i * 16411u;
    }
    struct vt_vgpu_transfer_to_host_2d t = {.header.type = VT_VGPU_CMD_TRANSFER_TO_HOST_2D,
                                            .rect = {0, 0, side, side},
                                            .resource_id = 9};
    assert_int_equal(DO(f, t), VT_VGPU_RESP_OK_NODATA);
    struct vt_vgpu_set_scanout s = {
        .header.type = VT_VGPU_CMD_SET_SCANOUT, .rect = {4, 8, 16, 16}, .resource_id = 9};
    assert_int_equal(DO(f, s), VT_VGPU_RESP_OK_NODATA);

    uint8_t *png;
    size_t bytes;
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t rgb[16 * 16 * 3];
    assert_int_equal(vt_card_picture(vt_vhost_card(f->vhost), true, &png, &bytes, NULL), 0);
    assert_true(png_image_begin_read_from_memory(&image, png, bytes));
    assert_int_equal(image.width, 16);
    assert_int_equal(image.height, 16);
    image.format = PNG_FORMAT_RGB;
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    for (uint32_t y = 0; y < 16; y++) {
        for (uint32_t x = 0; x < 16; x++) {
            uint32_t want = ((y + 8) * side + x + 4) * 16411u;
            const uint8_t *p = &rgb[((size_t)y * 16 + x) * 3];
            assert_int_equal((uint32_t)(p[0] << 16 | p[1] << 8 | p[2]), want & 0xffffff);
        }
    }
    free(png);

    s.rect.x = 20;
    assert_int_equal(DO(f, s), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    s.rect = (struct vt_vgpu_rect){UINT32_MAX, 0, 2, 2};
    assert_int_equal(DO(f, s), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    s.scanout_id = 1;
    assert_int_equal(DO(f, s), VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID);
    s = (struct vt_vgpu_set_scanout){.header.type = VT_VGPU_CMD_SET_SCANOUT, .resource_id = 77};
    assert_int_equal(DO(f, s), VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    t.rect = (struct vt_vgpu_rect){0, 0, side + 1, side};
    assert_int_equal(DO(f, t), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    t.rect = (struct vt_vgpu_rect){0, 0, side, side};
    t.offset = UINT64_MAX - 4;
    assert_int_equal(DO(f, t), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(by_id(f, VT_VGPU_CMD_RESOURCE_UNREF, 9), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(vt_card_picture(vt_vhost_card(f->vhost), true, &png, &bytes, NULL),
                     VT_E_NOT_FOUND);
}

static void test_pictures_that_cannot_be(void **state)
{
    struct vt_front *f = *state;
    assert_int_equal(create_2d(f, 0, 4, 4), VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(create_2d(f, 1, 0, 4), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(create_2d(f, 1, UINT32_MAX, UINT32_MAX), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    for (uint32_t id = 1; id <= 4; id++) { /* no more than a gibibyte */
        assert_int_equal(create_2d(f, id, 8192, 8192), VT_VGPU_RESP_OK_NODATA);
    }
    assert_int_equal(create_2d(f, 5, 1, 1), VT_VGPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(create_2d(f, 4, 1, 1), VT_VGPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(by_id(f, VT_VGPU_CMD_RESOURCE_UNREF, 4), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(create_2d(f, 3, 1, 1), VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(create_2d(f, 5, 1, 1), VT_VGPU_RESP_OK_NODATA);
}

static void test_says_what_its_monitor_is(void **state)
{
    struct vt_front *f = *state;
    const struct vt_vgpu_get_edid g = {.header.type = VT_VGPU_CMD_GET_EDID};
    static const uint32_t sizes[][2] = {{1280, 800}, {640, 480}, {1920, 1080}, {3840, 2160}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct vt_vgpu_resp_edid r;
        struct vt_vgpu_display_info info = {0};
        assert_int_equal(vt_card_resize(vt_vhost_card(f->vhost), sizes[i][0], sizes[i][1], NULL),
                         0);
        assert_int_equal(vt_front_do(f, &g, sizeof g, &r, sizeof r), VT_VGPU_RESP_OK_EDID);
        assert_int_equal(r.size, 128);
        assert_true(vt_vgpu_edid_read(r.edid, r.size, &info));
        assert_string_equal(info.name, "vitrine");
        assert_true(info.n_modes > 0);
        assert_int_equal(info.modes[0].width, sizes[i][0]);
        assert_int_equal(info.modes[0].height, sizes[i][1]);
    }
}

/* ---------------------------------------------------------------- capability sets, blobs */

static void test_has_one_set_of_capabilities(void **state)
{
    struct vt_front *f = *state;
    struct vt_vgpu_get_capset_info i = {.header.type = VT_VGPU_CMD_GET_CAPSET_INFO};
    struct vt_vgpu_get_capset g = {.header.type = VT_VGPU_CMD_GET_CAPSET,
                                   .capset_id = VT_VGPU_CAPSET_VENUS};
    struct vt_vgpu_resp_capset_info r;
    uint8_t set[24 + VT_VENUS_CAPSET_BYTES];
    assert_int_equal(vt_front_do(f, &i, sizeof i, &r, sizeof r), VT_VGPU_RESP_OK_CAPSET_INFO);
    assert_int_equal(r.capset_id, VT_VGPU_CAPSET_VENUS);
    assert_int_equal(r.capset_max_size, VT_VENUS_CAPSET_BYTES);
    i.capset_index = 1;
    assert_int_equal(DO(f, i), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(vt_front_do(f, &g, sizeof g, set, sizeof set), VT_VGPU_RESP_OK_CAPSET);
    assert_int_equal(set[24], 0x5a);
    assert_int_equal(set[sizeof set - 1], 0x5a);
    assert_int_equal(DO(f, g), VT_VGPU_RESP_ERR_UNSPEC); /* no room */
    g.capset_version = 1;
    assert_int_equal(DO(f, g), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
}

static void test_blobs_lie_where_the_guest_maps_them(void **state)
{
    struct vt_front *f = *state;
    const uint32_t mappable = VT_VGPU_BLOB_USE_MAPPABLE, host = VT_VGPU_BLOB_MEM_HOST3D;
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(blob(f, 20, host, mappable, 0x3000), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(map(f, 20, 0xff000), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(map(f, 20, UINT64_MAX & ~UINT64_C(4095)), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(map(f, 20, 1), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(map(f, 21, 0), VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(map(f, 20, 0x8000), VT_VGPU_RESP_OK_MAP_INFO);
    assert_int_equal(map(f, 20, 0x8000), VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_ATTACH_RESOURCE, 1, 20), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(f->contexts.attached, 1);
    assert_int_equal(f->contexts.memory.id, 20);
    assert_int_equal(f->contexts.memory.offset, 0x8000);
    assert_int_equal(f->contexts.memory.size, 0x3000);
    assert_true(f->contexts.memory.trusted);
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_DETACH_RESOURCE, 1, 20), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(f->contexts.detached, 1);

    /* What was there is gone with the mapping. */
    uint64_t bytes;
    int window = vt_card_window(vt_vhost_card(f->vhost), &bytes);
    assert_int_equal(pwrite(window, "x", 1, 0x8000), 1);
    assert_int_equal(by_id(f, VT_VGPU_CMD_RESOURCE_UNMAP_BLOB, 20), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(by_id(f, VT_VGPU_CMD_RESOURCE_UNMAP_BLOB, 20), VT_VGPU_RESP_ERR_UNSPEC);
    char byte = 'y';
    assert_int_equal(pread(window, &byte, 1, 0x8000), 1);
    assert_int_equal(byte, 0);

    /* Mapped after it was attached. */
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_ATTACH_RESOURCE, 1, 20), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(f->contexts.attached, 1);
    assert_int_equal(map(f, 20, 0x1000), VT_VGPU_RESP_OK_MAP_INFO);
    assert_int_equal(destroy_context(f, 1), VT_VGPU_RESP_OK_NODATA); /* behind that */
    assert_int_equal(f->contexts.attached, 2);
    assert_int_equal(f->contexts.memory.offset, 0x1000);
}

/* Blobs that only the device sees take memory of their own: with what is mapped, even twice, never
 * more than the window has. */
static void test_blobs_of_their_own_are_bounded(void **state)
{
    struct vt_front *f = *state;
    const uint32_t mappable = VT_VGPU_BLOB_USE_MAPPABLE, host = VT_VGPU_BLOB_MEM_HOST3D;
    const uint32_t attach = VT_VGPU_CMD_CTX_ATTACH_RESOURCE, all = 1u << 20;
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(blob(f, 1, host, 0, all), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(of_context(f, attach, 1, 1), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(f->contexts.attached, 1);
    for (uint32_t id = 2; id < 4; id++) {
        assert_int_equal(blob(f, id, host, mappable, all), VT_VGPU_RESP_OK_NODATA);
        assert_int_equal(map(f, id, 0), VT_VGPU_RESP_OK_MAP_INFO);
    }
    assert_int_equal(blob(f, 4, host, 0, UINT64_C(1) << 45), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(of_context(f, attach, 1, 4), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(f->contexts.attached, 1);
    assert_int_equal(f->contexts.memory.id, 1);
}

/* Each that a context has is a descriptor here, and a process has not many. */
static void test_blobs_of_their_own_are_not_many(void **state)
{
    struct vt_front *f = *state;
    const uint32_t attach = VT_VGPU_CMD_CTX_ATTACH_RESOURCE;
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    for (uint32_t id = 1; id <= VT_CARD_FILES_MAX + 1; id++) {
        assert_int_equal(blob(f, id, VT_VGPU_BLOB_MEM_HOST3D, 0, 16), VT_VGPU_RESP_OK_NODATA);
        assert_int_equal(of_context(f, attach, 1, id), VT_VGPU_RESP_OK_NODATA);
    }
    assert_int_equal(f->contexts.attached, VT_CARD_FILES_MAX);
}

static void test_blobs_that_cannot_be(void **state)
{
    struct vt_front *f = *state;
    const uint32_t host = VT_VGPU_BLOB_MEM_HOST3D, guest = VT_VGPU_BLOB_MEM_GUEST;
    assert_int_equal(blob(f, 1, host, 1, 0), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(blob(f, 1, host, 1, UINT64_MAX), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(blob(f, 1, host, 64, 4096), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(blob(f, 1, 9, 1, 4096), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(blob(f, 1, guest, 0, 0x10001), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(blob(f, 1, guest, 0, 0x10000), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(map(f, 1, 0), VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(blob(f, 2, host, 0, 0x1000), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(map(f, 2, 0), VT_VGPU_RESP_ERR_UNSPEC); /* not mappable */
}

/* ---------------------------------------------------------------- contexts */

static void test_contexts_that_cannot_be(void **state)
{
    struct vt_front *f = *state;
    const uint32_t ring = VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX;
    assert_int_equal(context(f, 0, 4), VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_int_equal(context(f, 1, 1), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    assert_null(strchr(f->said, '\033'));
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_int_equal(submit(f, 9, 0, 0, 8), VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_int_equal(submit(f, 1, 0, 0, 7), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(submit(f, 1, ring, 64, 8), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(submit(f, 1, 0, 0, 4096), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(submit(f, 1, 0, 0, UINT32_MAX), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(submit(f, 1, ring, 63, 8), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(submit(f, 1, VT_VGPU_FLAG_FENCE, 0, 0), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_ATTACH_RESOURCE, 1, 5),
                     VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_ATTACH_RESOURCE, 7, 5),
                     VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_DETACH_RESOURCE, 1, 5),
                     VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(destroy_context(f, 1), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(destroy_context(f, 1), VT_VGPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_int_equal(f->contexts.created, 1);
    assert_int_equal(f->contexts.destroyed, 1);
}

static void test_a_context_without_capabilities_takes_no_commands(void **state)
{
    struct vt_front *f = *state;
    assert_int_equal(context(f, 1, 0), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(create_2d(f, 5, 4, 4), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(of_context(f, VT_VGPU_CMD_CTX_ATTACH_RESOURCE, 1, 5), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(submit(f, 1, 0, 0, 8), VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(destroy_context(f, 1), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(f->contexts.created, 0);
}

static void test_a_context_that_ends_answers_its_fences(void **state)
{
    struct vt_front *f = *state;
    const uint32_t ring = VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX;
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    f->contexts.refuse = true;
    assert_int_equal(submit(f, 1, ring, 0, 8), VT_VGPU_RESP_ERR_UNSPEC);
    assert_non_null(strstr(f->said, "ended: it was refused"));
    assert_non_null(strstr(f->said, "  two"));
    assert_int_equal(destroy_context(f, 1), VT_VGPU_RESP_OK_NODATA);
}

static bool two_fences(struct vt_front *f)
{
    return __atomic_load_n(&f->contexts.fences, __ATOMIC_SEQ_CST) == 2;
}

static void ask_fence(struct vt_front *f, unsigned slot, uint32_t flags, uint8_t ring)
{
    const struct vt_vgpu_submit_3d s = {.header = {.type = VT_VGPU_CMD_SUBMIT_3D,
                                                   .ctx_id = 1,
                                                   .flags = VT_VGPU_FLAG_FENCE | flags,
                                                   .ring_idx = ring,
                                                   .fence_id = 100 + slot}};
    vt_front_request(f, 0, slot, &s, sizeof s, sizeof s.header);
}

static void test_fences_of_rings_overtake_each_other(void **state)
{
    struct vt_front *f = *state;
    struct vt_vgpu_header h;
    unsigned slot;
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    f->contexts.hold_fences = true;
    ask_fence(f, 1, VT_VGPU_FLAG_INFO_RING_IDX, 1);
    ask_fence(f, 2, VT_VGPU_FLAG_INFO_RING_IDX, 2);
    assert_true(vt_front_turn_until(f, two_fences));
    vt_front_signal(f, 1);
    vt_front_turn(f);
    assert_int_equal(vt_front_answer(f, 0, &slot, &h, sizeof h), sizeof h);
    assert_int_equal(h.fence_id, 102);
    vt_front_signal(f, 0);
    vt_front_turn(f);
    assert_int_equal(vt_front_answer(f, 0, &slot, &h, sizeof h), sizeof h);
    assert_int_equal(h.fence_id, 101);
}

static void test_fences_without_a_ring_keep_their_order(void **state)
{
    struct vt_front *f = *state;
    struct vt_vgpu_header h;
    unsigned slot;
    assert_int_equal(context(f, 1, 4), VT_VGPU_RESP_OK_NODATA);
    f->contexts.hold_fences = true;
    ask_fence(f, 1, 0, 0);
    ask_fence(f, 2, 0, 0);
    assert_true(vt_front_turn_until(f, two_fences));
    const struct vt_vgpu_header info = {
        .type = VT_VGPU_CMD_GET_DISPLAY_INFO, .flags = VT_VGPU_FLAG_FENCE, .fence_id = 103};
    vt_front_request(f, 0, 3, &info, sizeof info, 408);
    vt_front_signal(f, 1);
    vt_front_turn(f);
    assert_int_equal(vt_front_answer(f, 0, &slot, &h, sizeof h), -1);
    vt_front_signal(f, 0);
    vt_front_turn(f);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(vt_front_answer(f, 0, &slot, &h, sizeof h), i < 3 ? 24 : 408);
        assert_int_equal(h.fence_id, 100 + i);
    }
}

static void test_names_resources_for_others(void **state)
{
    struct vt_front *f = *state;
    const struct vt_vgpu_resource_assign_uuid a = {.header.type = VT_VGPU_CMD_RESOURCE_ASSIGN_UUID,
                                                   .resource_id = 3};
    struct vt_vgpu_resp_resource_uuid one, two;
    assert_int_equal(DO(f, a), VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(create_2d(f, 3, 1, 1), VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(vt_front_do(f, &a, sizeof a, &one, sizeof one), VT_VGPU_RESP_OK_RESOURCE_UUID);
    assert_int_equal(vt_front_do(f, &a, sizeof a, &two, sizeof two), VT_VGPU_RESP_OK_RESOURCE_UUID);
    assert_memory_equal(one.uuid, two.uuid, 16);
}

static void test_commands_that_are_none(void **state)
{
    struct vt_front *f = *state;
    struct vt_vgpu_header h = {.type = 0xdead};
    assert_int_equal(DO(f, h), VT_VGPU_RESP_ERR_UNSPEC);
    h.type = VT_VGPU_RESP_OK_NODATA;
    assert_int_equal(DO(f, h), VT_VGPU_RESP_ERR_UNSPEC);
    h.type = VT_VGPU_CMD_SET_SCANOUT;
    assert_int_equal(DO(f, h), VT_VGPU_RESP_ERR_INVALID_PARAMETER); /* too short */
    const struct vt_vgpu_update_cursor c = {.header.type = VT_VGPU_CMD_UPDATE_CURSOR};
    assert_int_equal(DO(f, c), VT_VGPU_RESP_ERR_UNSPEC); /* of the other queue */
    const struct vt_vgpu_resource_create_3d d = {.header.type = VT_VGPU_CMD_RESOURCE_CREATE_3D};
    assert_int_equal(DO(f, d), VT_VGPU_RESP_ERR_UNSPEC);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shows_what_was_drawn),
        TEST(test_pictures_that_cannot_be),
        TEST(test_says_what_its_monitor_is),
        TEST(test_has_one_set_of_capabilities),
        TEST(test_blobs_lie_where_the_guest_maps_them),
        TEST(test_blobs_of_their_own_are_bounded),
        TEST(test_blobs_of_their_own_are_not_many),
        TEST(test_blobs_that_cannot_be),
        TEST(test_contexts_that_cannot_be),
        TEST(test_a_context_without_capabilities_takes_no_commands),
        TEST(test_a_context_that_ends_answers_its_fences),
        TEST(test_fences_of_rings_overtake_each_other),
        TEST(test_fences_without_a_ring_keep_their_order),
        TEST(test_names_resources_for_others),
        TEST(test_commands_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
