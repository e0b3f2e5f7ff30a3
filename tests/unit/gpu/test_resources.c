/* tests/unit/gpu/test_resources.c - what the commands that were seen leave behind. */
#include "tests/unit/harness.h"

#include "gpu/resources.h"
#include "virtio/gpu/protocol/commands.h"

#include <string.h>

static uint64_t sequence;

static void see(struct vt_vgpu_resources *r, const void *request, size_t n, uint32_t answer,
                uint32_t flags)
{
    const struct vt_vgpu_header response = {.type = answer};
    const struct vt_vgpu_event_seen e = {
        .kind = VT_VGPU_SEEN_COMMAND,
        .flags = flags,
        .sequence = sequence++,
        .queue = ((const struct vt_vgpu_header *)request)->type >= VT_VGPU_CMD_UPDATE_CURSOR,
        .request = request,
        .request_bytes = (uint32_t)n,
        .response = (const uint8_t *)&response,
        .response_bytes = answer != 0 ? sizeof response : 0,
    };
    assert_true(vt_vgpu_resources_see(&e, r));
}

static void create(struct vt_vgpu_resources *r, uint32_t id, uint32_t answer, uint32_t flags)
{
    const struct vt_vgpu_resource_create_2d q = {
        .header.type = VT_VGPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = id,
        .format = 2,
        .width = 640,
        .height = 480,
    };
    see(r, &q, sizeof q, answer, flags);
}

static void back(struct vt_vgpu_resources *r, uint32_t id, uint32_t said, uint32_t there)
{
    struct {
        struct vt_vgpu_resource_attach_backing q;
        struct vt_vgpu_memory_entry entries[4];
    } m = {.q = {.header.type = VT_VGPU_CMD_RESOURCE_ATTACH_BACKING,
                 .resource_id = id,
                 .nr_entries = said}};
    for (unsigned i = 0; i < 4; i++) {
        m.entries[i] = (struct vt_vgpu_memory_entry){.addr = (uint64_t)4096 * i, .length = 1000};
    }
    see(r, &m, sizeof m.q + there * sizeof m.entries[0], VT_VGPU_RESP_OK_NODATA, 0);
}

static void scanout(struct vt_vgpu_resources *r, uint32_t number, uint32_t id, uint32_t answer)
{
    const struct vt_vgpu_set_scanout q = {
        .header.type = VT_VGPU_CMD_SET_SCANOUT,
        .rect = {10, 20, 300, 400},
        .scanout_id = number,
        .resource_id = id,
    };
    see(r, &q, sizeof q, answer, 0);
}

static void about(struct vt_vgpu_resources *r, uint32_t type, uint32_t id)
{
    /* RESOURCE_UNREF, _DETACH_BACKING: an id and padding; FLUSH: a rectangle before it. */
    uint8_t bytes[56] = {0};
    struct vt_vgpu_header h = {.type = type};
    memcpy(bytes, &h, sizeof h);
    size_t at = type == VT_VGPU_CMD_RESOURCE_FLUSH        ? 40
                : type == VT_VGPU_CMD_TRANSFER_TO_HOST_2D ? 48
                                                          : 24;
    memcpy(bytes + at, &id, sizeof id);
    see(r, bytes, sizeof bytes, VT_VGPU_RESP_OK_NODATA, 0);
}

static int setup(void **state)
{
    struct vt_error err;
    return vt_vgpu_resources_create((struct vt_vgpu_resources **)state, &err);
}

static int teardown(void **state)
{
    vt_vgpu_resources_destroy(*state);
    return 0;
}

static void a_life(void **state)
{
    struct vt_vgpu_resources *r = *state;
    create(r, 7, VT_VGPU_RESP_OK_NODATA, 0);
    create(r, 3, VT_VGPU_RESP_OK_NODATA, 0);
    create(r, 9, VT_VGPU_RESP_ERR_OUT_OF_MEMORY, 0);
    back(r, 7, 4, 4);
    scanout(r, 1, 7, VT_VGPU_RESP_OK_NODATA);
    scanout(r, 2, 3, VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID);
    about(r, VT_VGPU_CMD_TRANSFER_TO_HOST_2D, 7);
    about(r, VT_VGPU_CMD_RESOURCE_FLUSH, 7);
    about(r, VT_VGPU_CMD_RESOURCE_FLUSH, 7);
    size_t n;
    const struct vt_vgpu_resource_seen *all = vt_vgpu_resources_all(r, &n);
    assert_int_equal(n, 2);
    assert_int_equal(all[0].id, 3);
    assert_int_equal(all[1].id, 7);
    assert_int_equal(all[1].kind, VT_VGPU_RESOURCE_2D);
    assert_int_equal(all[1].width, 640);
    assert_int_equal(all[1].entries, 4);
    assert_int_equal(all[1].backing_bytes, 4000);
    assert_int_equal(all[1].transfers, 1);
    assert_int_equal(all[1].flushes, 2);
    assert_true(all[1].backed && !all[1].doubtful);
    const struct vt_vgpu_scanout_seen *s = vt_vgpu_resources_scanouts(r);
    assert_true(s[1].known && !s[0].known && !s[2].known);
    assert_int_equal(s[1].resource, 7);
    assert_int_equal(s[1].rect.height, 400);
    assert_int_equal(vt_vgpu_resources_counts(r)->errors, 2);
    about(r, VT_VGPU_CMD_RESOURCE_DETACH_BACKING, 7);
    assert_false(vt_vgpu_resource_seen(r, 7)->backed);
    about(r, VT_VGPU_CMD_RESOURCE_UNREF, 7);
    assert_null(vt_vgpu_resource_seen(r, 7));
    assert_int_equal(s[1].resource, 0);
    assert_non_null(vt_vgpu_resource_seen(r, 3));
}

static void what_is_not_known(void **state)
{
    struct vt_vgpu_resources *r = *state;
    about(r, VT_VGPU_CMD_RESOURCE_FLUSH, 5); /* made before */
    assert_int_equal(vt_vgpu_resource_seen(r, 5)->kind, VT_VGPU_RESOURCE_UNKNOWN);
    assert_false(vt_vgpu_resource_seen(r, 5)->doubtful);
    create(r, 6, 0, VT_VGPU_NO_RESPONSE);
    assert_true(vt_vgpu_resource_seen(r, 6)->doubtful);
    create(r, 8, VT_VGPU_RESP_OK_NODATA, VT_VGPU_STALE_RESPONSE);
    assert_true(vt_vgpu_resource_seen(r, 8)->doubtful);
    back(r, 5, 4, 2); /* two entries are missing */
    assert_true(vt_vgpu_resource_seen(r, 5)->doubtful);
    assert_int_equal(vt_vgpu_resource_seen(r, 5)->backing_bytes, 2000);
    create(r, 10, VT_VGPU_RESP_OK_NODATA, 0);
    assert_false(vt_vgpu_resource_seen(r, 10)->doubtful);
    const struct vt_vgpu_event_seen lost = {.kind = VT_VGPU_SEEN_LOST, .lost = 3};
    vt_vgpu_resources_see(&lost, r);
    assert_true(vt_vgpu_resource_seen(r, 10)->doubtful);
    assert_int_equal(vt_vgpu_resources_counts(r)->lost, 3);
    const struct vt_vgpu_event_seen reset = {.kind = VT_VGPU_SEEN_RESET};
    vt_vgpu_resources_see(&reset, r);
    size_t n;
    vt_vgpu_resources_all(r, &n);
    assert_int_equal(n, 0);
    create(r, 1, VT_VGPU_RESP_OK_NODATA, 0);
    assert_false(vt_vgpu_resource_seen(r, 1)->doubtful);
}

static void blobs_and_cursors(void **state)
{
    struct vt_vgpu_resources *r = *state;
    const struct vt_vgpu_resource_create_blob blob = {
        .header.type = VT_VGPU_CMD_RESOURCE_CREATE_BLOB, .resource_id = 4, .size = 1 << 20};
    see(r, &blob, sizeof blob, VT_VGPU_RESP_OK_NODATA, 0);
    const struct vt_vgpu_set_scanout_blob shown = {
        .header.type = VT_VGPU_CMD_SET_SCANOUT_BLOB,
        .rect = {0, 0, 64, 32},
        .resource_id = 4,
        .width = 64,
        .height = 32,
        .format = 1,
    };
    see(r, &shown, sizeof shown, VT_VGPU_RESP_OK_NODATA, 0);
    const struct vt_vgpu_resource_seen *s = vt_vgpu_resource_seen(r, 4);
    assert_int_equal(s->kind, VT_VGPU_RESOURCE_BLOB);
    assert_int_equal(s->blob_bytes, 1 << 20);
    assert_int_equal(s->width, 64);
    assert_false(s->backed);
    struct vt_vgpu_update_cursor cursor = {
        .header.type = VT_VGPU_CMD_UPDATE_CURSOR, .x = 5, .y = 6, .resource_id = 44, .hot_x = 1};
    see(r, &cursor, sizeof cursor, 0, 0);
    cursor.header.type = VT_VGPU_CMD_MOVE_CURSOR;
    cursor.x = 50;
    cursor.resource_id = 0;
    see(r, &cursor, sizeof cursor, 0, 0);
    const struct vt_vgpu_scanout_seen *o = vt_vgpu_resources_scanouts(r);
    assert_int_equal(o[0].cursor, 44);
    assert_int_equal(o[0].cursor_x, 50);
    assert_int_equal(o[0].hot_x, 1);
    cursor.scanout_id = 999;
    see(r, &cursor, sizeof cursor, 0, 0);
}

static void no_end_of_resources(void **state)
{
    struct vt_vgpu_resources *r = *state;
    for (uint32_t i = 0; i < VT_VGPU_RESOURCES_MAX + 5; i++) {
        create(r, UINT32_MAX - i, VT_VGPU_RESP_OK_NODATA, 0);
    }
    size_t n;
    vt_vgpu_resources_all(r, &n);
    assert_int_equal(n, VT_VGPU_RESOURCES_MAX);
    assert_int_equal(vt_vgpu_resources_counts(r)->left_out, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(blobs_and_cursors, setup, teardown),
        cmocka_unit_test_setup_teardown(no_end_of_resources, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
