/* The driver and a device that behaves: start, pictures, many commands at once, resources and
 * scanouts step by step, cursor, displays.
 */
#include "tests/unit/virtio/gpu_rig.h"
#include "virtio/gpu/protocol/commands.h"

static void shows_pixels_on(const struct vt_vgpu_model_config *model)
{
    struct rig r;
    rig_open(&r, model, NULL);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_UNINITIALISED);
    rig_start(&r);
    assert_int_equal(vt_vgpu_driver_scanouts(r.d), 2);
    assert_int_equal(vt_vgpu_driver_features(r.d), model->features | VT_VIRTIO_F_VERSION_1);

    /* All of it in one go, without waiting. */
    struct vt_virtio_piece piece;
    uint32_t *pixels = rig_pixels(&r, 64, 48, &piece);
    for (uint32_t i = 0; i < 64 * 48; i++) {
        pixels[i] = i * 2654435761u;
    }
    const struct vt_vgpu_rect all = {0, 0, 64, 48};
    struct seen seen = {0};
    assert_int_equal(vt_vgpu_resource_create(r.d, 7, 2, 64, 48, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_resource_back(r.d, 7, &piece, 1, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 1, 7, &all, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_transfer(r.d, 7, &all, 0, 0, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_flush(r.d, 7, &all, 99, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_resource_state(r.d, 7), VT_VGPU_RES_FREE);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->in_flight, 5);
    rig_drain(&r);
    assert_int_equal(seen.n, 5);
    assert_int_equal(seen.code, 0);
    assert_int_equal(seen.type, VT_VGPU_RESP_OK_NODATA);
    assert_int_equal(seen.header.fence_id, 99);
    assert_int_equal(vt_vgpu_resource_state(r.d, 7), VT_VGPU_RES_SHOWN);
    const struct vt_vgpu_model_resource *host = vt_vgpu_model_resource(r.g, 7);
    assert_memory_equal(host->pixels, pixels, 64 * 48 * 4);
    assert_int_equal(host->flushes, 1);
    assert_int_equal(vt_vgpu_model_scanout(r.g, 1)->resource, 7);
    assert_int_equal(vt_model_counts(r.m)->notifications, 1);

    /* A part: its first pixel's offset. */
    const struct vt_vgpu_rect part = {10, 20, 3, 2};
    memset(pixels, 0x5a, 64 * 48 * 4);
    assert_int_equal(vt_vgpu_transfer(r.d, 7, &part, (20 * 64 + 10) * 4, 0, NULL, NULL), 0);
    rig_drain(&r);
    unsigned changed = 0;
    for (uint32_t i = 0; i < 64 * 48; i++) {
        changed += host->pixels[i] == 0x5a5a5a5a;
    }
    assert_int_equal(changed, 6);
    assert_int_equal(host->pixels[21 * 64 + 12], 0x5a5a5a5a);

    assert_int_equal(vt_vgpu_set_scanout(r.d, 1, 0, NULL, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 7, NULL, NULL), 0);
    rig_drain(&r);
    assert_null(vt_vgpu_model_resource(r.g, 7));
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->failed, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->out_of_order, 0);
    assert_int_equal(vt_vgpu_driver_stop(r.d), 0);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_UNINITIALISED);
    assert_int_equal(vt_model_status(r.m), 0);
    rig_close(&r);
}

static void shows_pixels(void **state)
{
    (void)state;
    static const uint64_t features[] = {
        0,
        VT_VIRTIO_F_INDIRECT_DESC,
        VT_VIRTIO_F_EVENT_IDX,
        RIG_FEATURES,
        VT_VIRTIO_F_RING_PACKED,
        VT_VIRTIO_F_RING_PACKED | RIG_FEATURES,
    };
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct vt_vgpu_model_config model = {.features = features[i], .scanouts = 2};
        shows_pixels_on(&model);
    }
}

static void works_over_pci(void **state)
{
    (void)state;
    const struct vt_vgpu_model_config model = {.features = RIG_FEATURES, .scanouts = 1};
    struct rig r;
    rig_open(&r, &model, NULL);
    const struct vt_virtio_bus *bus = vt_model_bus(r.m);
    uint16_t function = 0;
    uint64_t next = VT_MODEL_PCI_WINDOW;
    struct vt_virtio_device device;
    assert_int_equal(vt_pci_find_virtio(bus, 16, &function), 0);
    assert_int_equal(vt_pci_assign(bus, function, &next, VT_MODEL_PCI_WINDOW + 0x100000), 0);
    assert_int_equal(vt_virtio_pci_open(&device, bus, vt_model_clock(r.m), function), 0);
    r.device = device;
    rig_start(&r);
    rig_resource(&r, 1, 32, 32);
    assert_non_null(vt_vgpu_model_resource(r.g, 1));
    rig_close(&r);
}

static void has_many_in_flight(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    vt_model_hold(r.m, true);
    struct seen seen = {0};
    const struct vt_vgpu_rect rect = {0, 0, 16, 16};
    unsigned queued = 0;
    int rc;
    while ((rc = vt_vgpu_flush(r.d, 1, &rect, queued + 1, rig_done, &seen)) == 0) {
        queued++;
    }
    assert_int_equal(rc, VT_VIRTIO_E_FULL);
    assert_int_equal(queued, 512); /* two for each entry of the largest queue */
    vt_vgpu_kick(r.d);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->in_flight, 64); /* the ring's */
    assert_int_equal(vt_vgpu_poll(r.d), 0);
    unsigned before = vt_model_counts(r.m)->notifications;
    vt_model_hold(r.m, false);
    vt_model_run(r.m, 0);
    rig_drain(&r);
    assert_int_equal(seen.n, queued);
    assert_int_equal(vt_vgpu_model_resource(r.g, 1)->flushes, queued);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->most_in_flight, 64);
    /* 448 more commands, at most one notification for each ringful. */
    assert_true(vt_model_counts(r.m)->notifications - before <= 8);
    rig_close(&r);
}

static void blocks_when_told_to(void **state)
{
    (void)state;
    const struct vt_vgpu_driver_config config = {.in_flight = 1};
    struct rig r;
    rig_open(&r, NULL, &config);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    const struct vt_vgpu_rect rect = {0, 0, 16, 16};
    struct seen seen = {0};
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(vt_vgpu_flush(r.d, 1, &rect, 0, rig_done, &seen), 0);
        assert_int_equal(vt_vgpu_cursor_move(r.d, 0, i, i, NULL, NULL), 0);
    }
    rig_drain(&r);
    assert_int_equal(seen.n, 20);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->most_in_flight, 1);
    assert_int_equal(vt_vgpu_model_scanout(r.g, 0)->cursor_x, 19);
    rig_close(&r);
}

struct again {
    struct rig *r;
    unsigned left;
    int inside[4];
};

static void flush_again(const struct vt_vgpu_answer *answer, void *arg)
{
    struct again *a = arg;
    assert_int_equal(answer->code, 0);
    a->inside[0] = vt_vgpu_poll(a->r->d);
    a->inside[1] = vt_vgpu_drain(a->r->d, 1);
    a->inside[2] = vt_vgpu_driver_start(a->r->d);
    a->inside[3] = vt_vgpu_driver_stop(a->r->d);
    if (a->left-- > 0) {
        const struct vt_vgpu_rect rect = {0, 0, 16, 16};
        assert_int_equal(vt_vgpu_flush(a->r->d, 1, &rect, 0, flush_again, a), 0);
    }
}

static void callbacks_may_queue_more(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    struct again again = {.r = &r, .left = 9};
    const struct vt_vgpu_rect rect = {0, 0, 16, 16};
    assert_int_equal(vt_vgpu_flush(r.d, 1, &rect, 0, flush_again, &again), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_model_resource(r.g, 1)->flushes, 10);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(again.inside[i], VT_VIRTIO_E_INVAL);
    }
    rig_close(&r);
}

/* ---------------------------------------------------------------- resources */

static void judges_steps_before_they_are_sent(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    const struct vt_virtio_piece piece = {VT_MODEL_RAM, 64 * 64 * 4};
    const struct vt_virtio_piece empty = {VT_MODEL_RAM, 0};
    const struct vt_vgpu_rect all = {0, 0, 64, 64};
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 64, 64, NULL, NULL),
                     VT_VIRTIO_E_NEEDS_RESET);
    rig_start(&r);
    uint32_t before = vt_vgpu_model_commands(r.g);
    /* No such resource. */
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &piece, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_unback(r.d, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &all, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_flush(r.d, 1, &all, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 1, &all, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->steps_refused, 6);
    /* Arguments. */
    assert_int_equal(vt_vgpu_resource_create(r.d, 0, 2, 64, 64, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 0, 64, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 64, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 2, 0, NULL, NULL, NULL), VT_VIRTIO_E_INVAL);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_model_commands(r.g), before);

    /* Created: not yet to be shown or transferred to. */
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 64, 64, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 64, 64, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &all, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 1, &all, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_unback(r.d, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &piece, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, NULL, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &piece, 257, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &empty, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &piece, 1, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &piece, 1, NULL, NULL), VT_VIRTIO_E_INVAL);

    /* Rectangles, and what lies behind them. */
    static const struct vt_vgpu_rect wrong[] = {
        {0, 0, 0, 1},  {0, 0, 1, 0},  {0, 0, 65, 1},         {0, 0, 1, 65},
        {1, 0, 64, 1}, {0, 1, 1, 64}, {UINT32_MAX, 0, 2, 1}, {0, UINT32_MAX, 1, 2},
        {64, 0, 1, 1}, {0, 64, 1, 1}, {1, 1, UINT32_MAX, 1}, {1, 1, 1, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(vt_vgpu_transfer(r.d, 1, &wrong[i], 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_vgpu_flush(r.d, 1, &wrong[i], 0, NULL, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 1, &wrong[i], NULL, NULL), VT_VIRTIO_E_INVAL);
    }
    assert_int_equal(vt_vgpu_transfer(r.d, 1, NULL, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &all, 1, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &all, UINT64_MAX, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    const struct vt_vgpu_rect last = {63, 63, 1, 1};
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &last, 64 * 64 * 4 - 4, 0, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &last, 64 * 64 * 4 - 3, 0, NULL, NULL),
                     VT_VIRTIO_E_INVAL);

    /* Shown: neither to be destroyed nor unbacked. */
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 1, &all, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 1, 1, &all, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_resource_unback(r.d, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 0, NULL, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 1, 0, NULL, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_unback(r.d, 1, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_flush(r.d, 1, &all, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_resource_state(r.d, 1), VT_VGPU_RES_CREATED);
    /* Destroyed and made again before anything of that is answered. */
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 32, 32, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_resource_state(r.d, 1), VT_VGPU_RES_CREATED);
    assert_int_equal(vt_vgpu_model_resource(r.g, 1)->width, 32);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->failed, 0);
    rig_close(&r);
}

static void what_fails_changes_nothing(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    struct seen seen = {0}, backed = {0};
    struct vt_virtio_piece piece = {VT_MODEL_RAM, 16};
    vt_vgpu_model_rule(r.g, VT_VGPU_CMD_RESOURCE_CREATE_2D, 0, 1, VT_VGPU_MODEL_ERROR,
                       VT_VGPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(vt_vgpu_resource_create(r.d, 5, 2, 64, 64, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_resource_back(r.d, 5, &piece, 1, rig_done, &backed), 0);
    rig_drain(&r);
    assert_int_equal(seen.code, VT_VIRTIO_E_INVAL);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(backed.type, VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(vt_vgpu_resource_state(r.d, 5), VT_VGPU_RES_FREE);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_READY);

    rig_resource(&r, 5, 64, 64);
    const struct vt_vgpu_rect all = {0, 0, 64, 64};
    vt_vgpu_model_behave(r.g);
    vt_vgpu_model_rule(r.g, VT_VGPU_CMD_SET_SCANOUT, 0, 1, VT_VGPU_MODEL_ERROR,
                       VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 5, &all, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 5, NULL, NULL), VT_VIRTIO_E_INVAL);
    rig_drain(&r);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID);
    assert_int_equal(vt_vgpu_resource_state(r.d, 5), VT_VGPU_RES_BACKED);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 5, NULL, NULL), 0);
    rig_drain(&r);
    rig_close(&r);
}

static void knows_its_leaks(void **state)
{
    (void)state;
    const struct vt_vgpu_driver_config config = {.max_resources = 3};
    struct rig r;
    rig_open(&r, NULL, &config);
    rig_start(&r);
    for (uint32_t id = 10; id < 13; id++) {
        assert_int_equal(vt_vgpu_resource_create(r.d, id, 2, 16, 16, NULL, NULL), 0);
    }
    assert_int_equal(vt_vgpu_resource_create(r.d, 13, 2, 16, 16, NULL, NULL), VT_VIRTIO_E_NOMEM);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 11, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 2);
    assert_int_equal(vt_vgpu_driver_stop(r.d), 2);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    assert_int_equal(vt_vgpu_driver_stop(r.d), 0);
    /* And back again. */
    rig_start(&r);
    assert_int_equal(vt_vgpu_resource_create(r.d, 10, 2, 16, 16, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_resource_state(r.d, 10), VT_VGPU_RES_CREATED);
    rig_close(&r);
}

static void backs_with_many_pieces(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    struct vt_virtio_piece all, pieces[256];
    uint32_t *pixels = rig_pixels(&r, 256, 64, &all);
    for (uint32_t i = 0; i < 256 * 64; i++) {
        pixels[i] = i;
    }
    /* Backwards, so that they are looked at. */
    for (uint32_t i = 0; i < 256; i++) {
        pieces[i] = (struct vt_virtio_piece){all.device + (uint64_t)(255 - i) * 256, 256};
    }
    const struct vt_vgpu_rect rect = {0, 0, 256, 64};
    assert_int_equal(vt_vgpu_resource_create(r.d, 3, 2, 256, 64, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_back(r.d, 3, pieces, 256, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_transfer(r.d, 3, &rect, 0, 0, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->failed, 0);
    const uint32_t *host = vt_vgpu_model_resource(r.g, 3)->pixels;
    assert_int_equal(host[0], 255 * 64);
    assert_int_equal(host[256 * 64 - 1], 63);
    rig_close(&r);
}

/* ---------------------------------------------------------------- raw commands, cursor, displays
 */

static unsigned no_queue = 2; /* a variable: static analysis knows enums, too */

static void sends_anything(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    struct seen seen = {0};
    const struct vt_vgpu_header odd = {
        .type = 0x4242, .flags = VT_VGPU_FLAG_FENCE, .fence_id = 77, .ctx_id = 5};
    assert_int_equal(
        vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, &odd, sizeof(odd), 24, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(seen.code, VT_VIRTIO_E_INVAL);
    assert_int_equal(seen.header.fence_id, 77);
    assert_int_equal(seen.header.ctx_id, 5);
    /* Too long, too short, elsewhere; a stop without room for an answer is none. */
    static uint8_t long_one[1 << 16];
    assert_int_equal(
        vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, long_one, sizeof(long_one), 24, rig_done, &seen),
        VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, &odd, 24, 1 << 20, rig_done, &seen),
                     VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, &odd, 23, 24, rig_done, &seen),
                     VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, NULL, 24, 24, rig_done, &seen),
                     VT_VIRTIO_E_INVAL);
    assert_int_equal(
        vt_vgpu_submit(r.d, (enum vt_vgpu_queue)no_queue, &odd, 24, 24, rig_done, &seen),
        VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, &odd, 24, 0, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.type, 0);
    assert_int_equal(seen.code, 0);
    /* A cursor command on the control queue: silence is not an error there either. */
    const struct vt_vgpu_move_cursor move = {.header.type = VT_VGPU_CMD_MOVE_CURSOR};
    assert_int_equal(
        vt_vgpu_submit(r.d, VT_VGPU_CONTROL_QUEUE, &move, sizeof(move), 24, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.code, 0);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_READY);
    rig_close(&r);
}

static void moves_the_cursor(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    rig_resource(&r, 2, 64, 32);
    struct seen seen = {0};
    assert_int_equal(vt_vgpu_cursor_set(r.d, 2, 1, 0, 0, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_cursor_set(r.d, 1, 1, 0, 0, 64, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_cursor_set(r.d, 1, 1, 0, 0, 0, 64, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_cursor_set(r.d, 1, 2, 0, 0, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_cursor_set(r.d, 1, 3, 0, 0, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_cursor_move(r.d, 2, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_cursor_set(r.d, 1, 1, 100, 200, 3, 4, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.code, 0);
    uint32_t bytes = 0;
    struct vt_vgpu_update_cursor sent;
    memcpy(&sent, vt_vgpu_model_last(r.g, &bytes), sizeof(sent));
    assert_int_equal(bytes, sizeof(sent));
    assert_int_equal(sent.hot_x, 3);
    assert_int_equal(sent.hot_y, 4);
    const struct vt_vgpu_model_scanout *s = vt_vgpu_model_scanout(r.g, 1);
    assert_int_equal(s->cursor, 1);
    assert_int_equal(vt_vgpu_cursor_move(r.d, 1, 5, 6, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(s->cursor_x, 5);
    assert_int_equal(s->cursor_y, 6);
    memcpy(&sent, vt_vgpu_model_last(r.g, &bytes), sizeof(sent));
    assert_int_equal(sent.resource_id, 1);
    assert_int_equal(vt_vgpu_cursor_set(r.d, 1, 0, 0, 0, 0, 0, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(s->cursor, 0);
    rig_close(&r);
}

static void follows_the_displays(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    assert_null(vt_vgpu_display_info(r.d, 0));
    struct seen seen = {0};
    assert_int_equal(vt_vgpu_get_displays(r.d, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_get_displays(r.d, rig_done, &seen), VT_VIRTIO_E_FULL);
    rig_drain(&r);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.code, 0); /* the model has no EDID: a display all the same */
    const struct vt_vgpu_display_info *first = vt_vgpu_display_info(r.d, 0);
    assert_true(first->enabled);
    assert_int_equal(first->rect.width, 1280);
    assert_int_equal(first->n_modes, 0);
    assert_false(vt_vgpu_display_info(r.d, 1)->enabled);
    assert_null(vt_vgpu_display_info(r.d, 2));

    vt_vgpu_model_resize(r.g, 1, true, 1920, 1080);
    vt_model_pass(r.m, 2000000);
    assert_int_equal(vt_vgpu_poll(r.d), 0);
    assert_int_equal(r.events.n, 1);
    assert_int_equal(r.events.last, VT_VGPU_EV_DISPLAY_CHANGED);
    assert_int_equal(r.events.state, VT_VGPU_READY);
    assert_int_equal(vt_vgpu_get_displays(r.d, NULL, NULL), 0);
    rig_drain(&r);
    assert_true(vt_vgpu_display_info(r.d, 1)->enabled);
    assert_int_equal(vt_vgpu_display_info(r.d, 1)->rect.height, 1080);
    rig_close(&r);
}

static void reads_the_monitors_modes(void **state)
{
    (void)state;
    /* A base block with one detailed timing, 1920 x 1080, and a name. */
    uint8_t edid[128] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    static const uint8_t timing[18] = {0x02, 0x3a, 0x80, 0x18, 0x71, 0x38, 0x2d, 0x40, 0x58,
                                       0x2c, 0x45, 0x00, 0,    0,    0,    0,    0,    0x1e};
    static const uint8_t name[18] = {0, 0, 0, 0xfc, 0, 'M', 'o', 'd', 'e', 'l', '\n'};
    edid[18] = 1;
    edid[19] = 4;
    memset(edid + 38, 1, 16);
    memcpy(edid + 54, timing, sizeof(timing));
    memcpy(edid + 72, name, sizeof(name));
    for (unsigned i = 0; i < 127; i++) {
        edid[127] = (uint8_t)(edid[127] - edid[i]);
    }
    const struct vt_vgpu_model_config model = {
        .features = RIG_FEATURES, .scanouts = 3, .edid = edid, .edid_bytes = sizeof(edid)};
    struct rig r;
    rig_open(&r, &model, NULL);
    rig_start(&r);
    struct seen seen = {0};
    assert_int_equal(vt_vgpu_get_displays(r.d, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.type, VT_VGPU_RESP_OK_EDID);
    for (uint32_t i = 0; i < 3; i++) {
        const struct vt_vgpu_display_info *info = vt_vgpu_display_info(r.d, i);
        assert_string_equal(info->name, "Model");
        assert_int_equal(info->n_modes, 1);
        assert_int_equal(info->modes[0].width, 1920);
        assert_int_equal(info->modes[0].height, 1080);
        assert_int_equal(info->modes[0].refresh_mhz, 60000);
        assert_true(info->modes[0].preferred);
        assert_int_equal(info->rect.width, 1280); /* what the user wants is another matter */
    }
    /* It says that it has more than there is room for. */
    struct vt_vgpu_model_config more = model;
    more.edid_bytes = 1024;
    uint8_t large[1024] = {0};
    memcpy(large, edid, sizeof(edid));
    more.edid = large;
    rig_close(&r);
    rig_open(&r, &more, NULL);
    rig_start(&r);
    assert_int_equal(vt_vgpu_get_displays(r.d, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_display_info(r.d, 2)->n_modes, 1);
    /* No room for the questions that follow: commands that need as much are on their way. */
    vt_model_hold(r.m, true);
    assert_int_equal(vt_vgpu_get_displays(r.d, rig_done, &seen), 0);
    static const struct vt_vgpu_header ask = {.type = VT_VGPU_CMD_GET_DISPLAY_INFO};
    struct seen others = {0};
    unsigned queued = 0;
    while (vt_vgpu_submit(r.d, 0, &ask, sizeof(ask), 408, rig_done, &others) == 0) {
        queued++;
    }
    assert_true(queued > 0);
    vt_model_hold(r.m, false);
    vt_vgpu_kick(r.d);
    rig_drain(&r);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.code, 0);
    assert_int_equal(others.n, queued);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->failed, 0);
    rig_close(&r);
}

static void a_destroyed_one_is_not_shown(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    rig_resource(&r, 2, 64, 64);
    const struct vt_vgpu_rect all = {0, 0, 64, 64};
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 1, &all, NULL, NULL), 0);
    rig_drain(&r);
    /* The other one is to be shown, fails to, and the first is gone by then. */
    vt_vgpu_model_rule(r.g, VT_VGPU_CMD_SET_SCANOUT, 0, 1, VT_VGPU_MODEL_ERROR,
                       VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 2, &all, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_resource_state(r.d, 1), VT_VGPU_RES_FREE);
    assert_int_equal(vt_vgpu_resource_state(r.d, 2), VT_VGPU_RES_BACKED);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 2, NULL, NULL), 0);
    rig_drain(&r);
    rig_close(&r);
}

static void sleeps_until_interrupted(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    vt_vgpu_interrupt(r.d);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->interrupts, 0);
    assert_false(vt_vgpu_interrupts(r.d, true));
    unsigned before = vt_model_counts(r.m)->interrupts;
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 16, 16, NULL, NULL), 0);
    vt_vgpu_kick(r.d);
    assert_int_equal(vt_model_counts(r.m)->interrupts, before + 1);
    vt_vgpu_interrupt(r.d);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->interrupts, 1);
    assert_int_equal(vt_vgpu_poll(r.d), 1);
    assert_false(vt_vgpu_interrupts(r.d, false));
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), 0);
    vt_vgpu_kick(r.d);
    assert_int_equal(vt_model_counts(r.m)->interrupts, before + 1);
    rig_drain(&r);
    /* A change of the configuration that the handler has acknowledged is not missed. */
    vt_vgpu_model_resize(r.g, 0, true, 800, 600);
    vt_vgpu_interrupt(r.d);
    assert_int_equal(vt_vgpu_poll(r.d), 0);
    assert_int_equal(r.events.last, VT_VGPU_EV_DISPLAY_CHANGED);
    rig_close(&r);
}

static void refuses_what_it_cannot_drive(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    struct vt_vgpu_driver *d = NULL;
    const struct vt_vgpu_driver_config good = {
        .device = &r.device, .arena = &r.arena, .clock = vt_model_clock(r.m)};
    struct vt_vgpu_driver_config c = good;
    c.device = NULL;
    assert_int_equal(vt_vgpu_driver_create(&c, &d), VT_VIRTIO_E_INVAL);
    c = good;
    c.clock = NULL;
    assert_int_equal(vt_vgpu_driver_create(&c, &d), VT_VIRTIO_E_INVAL);
    c = good;
    c.queue_size = 48;
    assert_int_equal(vt_vgpu_driver_create(&c, &d), VT_VIRTIO_E_INVAL);
    c.queue_size = 512;
    assert_int_equal(vt_vgpu_driver_create(&c, &d), VT_VIRTIO_E_INVAL);
    struct vt_virtio_device network = r.device;
    network.id = 1;
    c = good;
    c.device = &network;
    assert_int_equal(vt_vgpu_driver_create(&c, &d), VT_VIRTIO_E_INVAL);
    for (size_t bytes = 64; bytes < 128 * 1024; bytes *= 2) {
        struct vt_virtio_arena small = r.arena;
        small.bytes = small.used + bytes;
        c = good;
        c.arena = &small;
        assert_int_equal(vt_vgpu_driver_create(&c, &d), VT_VIRTIO_E_NOMEM);
    }
    assert_null(d);
    assert_int_equal(vt_vgpu_poll(r.d), VT_VIRTIO_E_NO_DEVICE);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_pixels),
        cmocka_unit_test(works_over_pci),
        cmocka_unit_test(has_many_in_flight),
        cmocka_unit_test(blocks_when_told_to),
        cmocka_unit_test(callbacks_may_queue_more),
        cmocka_unit_test(judges_steps_before_they_are_sent),
        cmocka_unit_test(what_fails_changes_nothing),
        cmocka_unit_test(knows_its_leaks),
        cmocka_unit_test(backs_with_many_pieces),
        cmocka_unit_test(sends_anything),
        cmocka_unit_test(moves_the_cursor),
        cmocka_unit_test(follows_the_displays),
        cmocka_unit_test(reads_the_monitors_modes),
        cmocka_unit_test(a_destroyed_one_is_not_shown),
        cmocka_unit_test(sleeps_until_interrupted),
        cmocka_unit_test(refuses_what_it_cannot_drive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
