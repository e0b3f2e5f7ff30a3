/* A device that answers wrongly: each lie ends in the error state that has its name, says why,
 * tells everybody who waits, and is recovered from by a reset.
 */
#include "tests/unit/virtio/gpu_rig.h"
#include "virtio/gpu/log.h"
#include "virtio/gpu/protocol/commands.h"

static const uint64_t ring_kinds[] = {
    VT_VGPU_F_EDID,
    RIG_FEATURES,
    VT_VIRTIO_F_RING_PACKED | RIG_FEATURES,
};
#define RING_KINDS (sizeof(ring_kinds) / sizeof(ring_kinds[0]))

/* After any error: nothing is accepted, a start makes everything as new but for what was lost. */
static void recovers(struct rig *r, enum vt_vgpu_state error)
{
    assert_int_equal(vt_vgpu_driver_state(r->d), error);
    assert_true(vt_vgpu_driver_fault(r->d)[0] != '\0');
    assert_int_equal(r->events.n, 1);
    assert_int_equal(r->events.state, error);
    uint64_t refused = vt_vgpu_driver_stats(r->d)->refused_by[error][VT_VGPU_EV_SUBMIT];
    assert_int_equal(vt_vgpu_resource_create(r->d, 50, 2, 16, 16, NULL, NULL),
                     VT_VIRTIO_E_NEEDS_RESET);
    assert_int_equal(vt_vgpu_driver_stats(r->d)->refused_by[error][VT_VGPU_EV_SUBMIT], refused + 1);
    assert_int_equal(vt_vgpu_poll(r->d), VT_VIRTIO_E_NEEDS_RESET);
    assert_int_equal(vt_vgpu_drain(r->d, 1), VT_VIRTIO_E_NEEDS_RESET);

    vt_vgpu_model_behave(r->g);
    rig_start(r);
    assert_string_equal(vt_vgpu_driver_fault(r->d), "");
    assert_int_equal(vt_vgpu_resource_state(r->d, 1), VT_VGPU_RES_LOST);
    const struct vt_vgpu_rect all = {0, 0, 64, 64};
    assert_int_equal(vt_vgpu_transfer(r->d, 1, &all, 0, 0, NULL, NULL), VT_VIRTIO_E_INVAL);
    struct seen seen = {0};
    uint32_t commands = vt_vgpu_model_commands(r->g);
    assert_int_equal(vt_vgpu_resource_destroy(r->d, 1, rig_done, &seen), 0);
    assert_int_equal(seen.n, 0);
    rig_drain(r);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.code, 0);
    assert_int_equal(vt_vgpu_model_commands(r->g), commands);
    assert_int_equal(vt_vgpu_resource_state(r->d, 1), VT_VGPU_RES_FREE);
    rig_resource(r, 1, 64, 64);
    assert_int_equal(vt_vgpu_transfer(r->d, 1, &all, 0, 7, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_set_scanout(r->d, 0, 1, &all, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_flush(r->d, 1, &all, 8, rig_done, &seen), 0);
    rig_drain(r);
    assert_int_equal(seen.n, 4);
    assert_int_equal(seen.code, 0);
    assert_int_equal(vt_vgpu_model_resource(r->g, 1)->flushes, 1);
}

struct lie {
    uint32_t type; /* of the command that is answered wrongly */
    enum vt_vgpu_model_wrong wrong;
    uint32_t value;
    enum vt_vgpu_state state;
    int code; /* of that command */
};

static int send_kind(struct rig *r, uint32_t type, struct seen *seen)
{
    const struct vt_vgpu_rect rect = {0, 0, 32, 32};
    switch (type) {
    case VT_VGPU_CMD_GET_DISPLAY_INFO:
        return vt_vgpu_get_displays(r->d, rig_done, seen);
    case VT_VGPU_CMD_RESOURCE_CREATE_2D: /* not fenced */
        return vt_vgpu_resource_create(r->d, 2, 2, 64, 64, rig_done, seen);
    case VT_VGPU_CMD_UPDATE_CURSOR:
        return vt_vgpu_cursor_set(r->d, 0, 1, 0, 0, 0, 0, rig_done, seen);
    default:
        return vt_vgpu_flush(r->d, 1, &rect, 1234, rig_done, seen);
    }
}

static void one_lie(uint64_t features, const struct lie *lie)
{
    const struct vt_vgpu_model_config model = {.features = features, .scanouts = 2};
    struct rig r;
    rig_open(&r, &model, NULL);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    vt_vgpu_model_rule(r.g, lie->type, 0, 1, lie->wrong, lie->value);
    struct seen seen = {0}, other = {0};
    assert_int_equal(send_kind(&r, lie->type, &seen), 0);
    assert_int_equal(vt_vgpu_resource_create(r.d, 9, 2, 16, 16, rig_done, &other), 0);
    int rc = vt_vgpu_drain(r.d, 100000000);
    if (rc == VT_VIRTIO_E_TIMEOUT) { /* says nothing until the registers are looked at */
        vt_model_pass(r.m, 6000000000);
        rc = vt_vgpu_poll(r.d);
    }
    assert_true(rc < 0);
    bool told = seen.n == 1;
    if (told && lie->code != 0) {
        assert_int_equal(seen.code, lie->code);
    }
    recovers(&r, lie->state);
    /* Everybody is told, once. */
    assert_int_equal(seen.n, 1);
    assert_int_equal(other.n, 1);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->in_flight, 0);
    if (!told) {
        assert_int_equal(seen.code, VT_VIRTIO_E_NEEDS_RESET);
    }
    assert_int_equal(vt_vgpu_resource_state(r.d, 2), VT_VGPU_RES_FREE);
    rig_close(&r);
}

static void all_lies(const struct lie *lies, size_t n)
{
    for (size_t k = 0; k < RING_KINDS; k++) {
        for (size_t i = 0; i < n; i++) {
            bool split_only = lies[i].wrong == VT_VGPU_MODEL_JUMPS;
            if (!split_only || (ring_kinds[k] & VT_VIRTIO_F_RING_PACKED) == 0) {
                one_lie(ring_kinds[k], &lies[i]);
            }
        }
    }
}

#define INFO VT_VGPU_CMD_GET_DISPLAY_INFO
#define CREATE VT_VGPU_CMD_RESOURCE_CREATE_2D
#define FLUSH VT_VGPU_CMD_RESOURCE_FLUSH
#define CURSOR VT_VGPU_CMD_UPDATE_CURSOR

static void answers_of_a_wrong_type(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {FLUSH, VT_VGPU_MODEL_TYPE, 0, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_TYPE, 0x10ff, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_TYPE, 0x11ff, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_TYPE, 0x12ff, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_TYPE, UINT32_MAX, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_TYPE, FLUSH, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {CREATE, VT_VGPU_MODEL_TYPE, VT_VGPU_RESP_OK_EDID, VT_VGPU_BROKEN_ANSWER,
         VT_VIRTIO_E_PROTOCOL},
        {INFO, VT_VGPU_MODEL_TYPE, VT_VGPU_RESP_OK_NODATA, VT_VGPU_BROKEN_ANSWER,
         VT_VIRTIO_E_PROTOCOL},
        {INFO, VT_VGPU_MODEL_TYPE, VT_VGPU_RESP_OK_CAPSET, VT_VGPU_BROKEN_ANSWER,
         VT_VIRTIO_E_PROTOCOL},
    };
    all_lies(lies, sizeof(lies) / sizeof(lies[0]));
}

static void answers_of_a_wrong_length(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {FLUSH, VT_VGPU_MODEL_CUT, 0, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_CUT, 1, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_CUT, 23, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {INFO, VT_VGPU_MODEL_CUT, 24, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {INFO, VT_VGPU_MODEL_CUT, 407, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_SAYS, 0, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_SAYS, 8, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        /* An error with something behind it. */
        {INFO, VT_VGPU_MODEL_TYPE, VT_VGPU_RESP_ERR_UNSPEC, VT_VGPU_BROKEN_ANSWER,
         VT_VIRTIO_E_PROTOCOL},
        /* More than there is room for is a matter of the ring. */
        {FLUSH, VT_VGPU_MODEL_SAYS, 25, VT_VGPU_BROKEN_QUEUE, 0},
        {FLUSH, VT_VGPU_MODEL_SAYS, UINT32_MAX, VT_VGPU_BROKEN_QUEUE, 0},
        {INFO, VT_VGPU_MODEL_SAYS, 409, VT_VGPU_BROKEN_QUEUE, 0},
        {CURSOR, VT_VGPU_MODEL_SAYS, 1, VT_VGPU_BROKEN_QUEUE, 0},
    };
    all_lies(lies, sizeof(lies) / sizeof(lies[0]));
}

static void answers_of_another_fence(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {FLUSH, VT_VGPU_MODEL_FENCE, 1233, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_FENCE, 0, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_NO_FENCE, 0, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {FLUSH, VT_VGPU_MODEL_CONTEXT, 3, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
        {CREATE, VT_VGPU_MODEL_FENCE, 1, VT_VGPU_BROKEN_ANSWER, VT_VIRTIO_E_PROTOCOL},
    };
    all_lies(lies, sizeof(lies) / sizeof(lies[0]));
}

static void rings_that_lie(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {FLUSH, VT_VGPU_MODEL_TWICE, 0, VT_VGPU_BROKEN_QUEUE, 0},
        {FLUSH, VT_VGPU_MODEL_UNKNOWN, 60, VT_VGPU_BROKEN_QUEUE, 0},
        {FLUSH, VT_VGPU_MODEL_UNKNOWN, 40000, VT_VGPU_BROKEN_QUEUE, 0},
        {FLUSH, VT_VGPU_MODEL_JUMPS, 5, VT_VGPU_BROKEN_QUEUE, 0},
        {FLUSH, VT_VGPU_MODEL_JUMPS, 40000, VT_VGPU_BROKEN_QUEUE, 0},
        {CURSOR, VT_VGPU_MODEL_TWICE, 0, VT_VGPU_BROKEN_QUEUE, 0},
        {CURSOR, VT_VGPU_MODEL_UNKNOWN, 63, VT_VGPU_BROKEN_QUEUE, 0},
    };
    all_lies(lies, sizeof(lies) / sizeof(lies[0]));
}

static void devices_that_give_up(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {FLUSH, VT_VGPU_MODEL_BREAKS, 0, VT_VGPU_NEEDS_RESET, 0},
        {FLUSH, VT_VGPU_MODEL_RESETS, 0, VT_VGPU_NEEDS_RESET, 0},
        {CURSOR, VT_VGPU_MODEL_RESETS, 0, VT_VGPU_NEEDS_RESET, 0},
        {FLUSH, VT_VGPU_MODEL_HOLDS, 0, VT_VGPU_TIMED_OUT, VT_VIRTIO_E_TIMEOUT},
        {CURSOR, VT_VGPU_MODEL_HOLDS, 0, VT_VGPU_TIMED_OUT, VT_VIRTIO_E_TIMEOUT},
    };
    all_lies(lies, sizeof(lies) / sizeof(lies[0]));
}

/* ---------------------------------------------------------------- what is legal */

static void order_is_the_devices(void **state)
{
    (void)state;
    for (size_t k = 0; k < RING_KINDS; k++) {
        const struct vt_vgpu_model_config model = {.features = ring_kinds[k], .scanouts = 1};
        struct rig r;
        rig_open(&r, &model, NULL);
        rig_start(&r);
        rig_resource(&r, 1, 64, 64);
        vt_vgpu_model_rule(r.g, FLUSH, 0, 0, VT_VGPU_MODEL_HOLDS, 0);
        const struct vt_vgpu_rect rect = {0, 0, 16, 16};
        struct seen seen[5] = {0};
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(vt_vgpu_flush(r.d, 1, &rect, 100 + i, rig_done, &seen[i]), 0);
        }
        vt_vgpu_kick(r.d);
        static const unsigned order[] = {4, 1, 2, 0, 0}; /* of those that are left */
        static const unsigned number[] = {4, 1, 3, 0, 2};
        for (unsigned i = 0; i < 5; i++) {
            assert_true(vt_vgpu_model_release(r.g, VT_VGPU_CONTROL_QUEUE, order[i]));
            assert_int_equal(vt_vgpu_poll(r.d), 1);
            assert_int_equal(seen[number[i]].n, 1);
            assert_int_equal(seen[number[i]].header.fence_id, 100 + number[i]);
        }
        assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_READY);
        assert_int_equal(vt_vgpu_driver_stats(r.d)->out_of_order, 3);
        rig_close(&r);
    }
}

static void steps_answered_backwards(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    vt_vgpu_model_rule(r.g, 0, 0, 0, VT_VGPU_MODEL_HOLDS, 0);
    struct vt_virtio_piece piece;
    rig_pixels(&r, 64, 64, &piece);
    const struct vt_vgpu_rect all = {0, 0, 64, 64};
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 64, 64, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_back(r.d, 1, &piece, 1, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 1, &all, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_set_scanout(r.d, 0, 0, NULL, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), 0);
    vt_vgpu_kick(r.d);
    for (unsigned i = 5; i-- > 0;) {
        assert_true(vt_vgpu_model_release(r.g, VT_VGPU_CONTROL_QUEUE, i));
    }
    rig_drain(&r);
    assert_int_equal(vt_vgpu_resource_state(r.d, 1), VT_VGPU_RES_FREE);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    vt_vgpu_model_behave(r.g);
    rig_resource(&r, 1, 64, 64);
    rig_close(&r);
}

/* ---------------------------------------------------------------- retries */

static void repeats_what_may_be_repeated(void **state)
{
    (void)state;
    const struct vt_vgpu_driver_config config = {.retries = 3};
    struct rig r;
    rig_open(&r, NULL, &config);
    rig_start(&r);
    struct seen seen = {0};
    vt_vgpu_model_rule(r.g, CREATE, 0, 2, VT_VGPU_MODEL_ERROR, VT_VGPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 64, 64, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.code, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->retried, 2);
    assert_int_equal(vt_vgpu_resource_state(r.d, 1), VT_VGPU_RES_CREATED);

    /* In vain. */
    vt_vgpu_model_behave(r.g);
    vt_vgpu_model_rule(r.g, CREATE, 0, 0, VT_VGPU_MODEL_ERROR, VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(vt_vgpu_resource_create(r.d, 2, 2, 64, 64, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->retried, 5);
    /* Not an error that goes away by itself; not with a step queued behind; not a raw command. */
    vt_vgpu_model_behave(r.g);
    vt_vgpu_model_rule(r.g, CREATE, 0, 1, VT_VGPU_MODEL_ERROR, VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(vt_vgpu_resource_create(r.d, 3, 2, 64, 64, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    vt_vgpu_model_rule(r.g, CREATE, 0, 1, VT_VGPU_MODEL_ERROR, VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(vt_vgpu_resource_create(r.d, 3, 2, 64, 64, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 3, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_UNSPEC);
    const struct vt_vgpu_header odd = {.type = 0x999};
    assert_int_equal(vt_vgpu_submit(r.d, 0, &odd, sizeof(odd), 24, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->retried, 5);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_READY);
    rig_close(&r);
}

static void a_transfer_is_not_repeated_behind_its_flush(void **state)
{
    (void)state;
    const struct vt_vgpu_driver_config config = {.retries = 1};
    struct rig r;
    rig_open(&r, NULL, &config);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    const struct vt_vgpu_rect rect = {0, 0, 16, 16};
    struct seen seen = {0};
    vt_vgpu_model_rule(r.g, VT_VGPU_CMD_TRANSFER_TO_HOST_2D, 0, 2, VT_VGPU_MODEL_ERROR,
                       VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &rect, 0, 0, rig_done, &seen), 0);
    assert_int_equal(vt_vgpu_flush(r.d, 1, &rect, 0, NULL, NULL), 0);
    rig_drain(&r);
    assert_int_equal(seen.type, VT_VGPU_RESP_ERR_UNSPEC);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->retried, 0);
    assert_int_equal(vt_vgpu_transfer(r.d, 1, &rect, 0, 0, rig_done, &seen), 0);
    rig_drain(&r);
    assert_int_equal(seen.code, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->retried, 1);
    rig_close(&r);
}

/* ---------------------------------------------------------------- start */

static void starts_that_fail(void **state)
{
    (void)state;
    static const struct {
        unsigned lie;
        int code;
    } cases[] = {
        {VT_MODEL_REFUSES_FEATURES, VT_VIRTIO_E_UNSUPPORTED},
        {VT_MODEL_RESET_HANGS, VT_VIRTIO_E_TIMEOUT},
        {VT_MODEL_RESTLESS_CONFIG, VT_VIRTIO_E_TIMEOUT},
        {VT_MODEL_QUEUE_IN_USE, VT_VIRTIO_E_PROTOCOL},
        {VT_MODEL_QUEUE_REFUSED, VT_VIRTIO_E_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        rig_open(&r, NULL, NULL);
        vt_model_lie(r.m, cases[i].lie);
        if (cases[i].lie == VT_MODEL_RESET_HANGS) {
            /* It has something to come out of. */
            vt_model_lie(r.m, 0);
            rig_start(&r);
            vt_model_break(r.m);
            vt_model_pass(r.m, 2000000);
            assert_int_equal(vt_vgpu_poll(r.d), VT_VIRTIO_E_NEEDS_RESET);
            vt_model_lie(r.m, cases[i].lie);
        }
        assert_int_equal(vt_vgpu_driver_start(r.d), cases[i].code);
        assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_UNUSABLE);
        assert_true(vt_vgpu_driver_fault(r.d)[0] != '\0');
        assert_int_equal(vt_vgpu_poll(r.d), VT_VIRTIO_E_NEEDS_RESET);
        vt_model_lie(r.m, 0);
        rig_start(&r);
        rig_resource(&r, 1, 16, 16);
        rig_close(&r);
    }
}

static void devices_that_are_no_use(void **state)
{
    (void)state;
    static const struct vt_vgpu_model_config models[] = {
        {.features = RIG_FEATURES, .scanouts = 0},
        {.features = RIG_FEATURES, .scanouts = 17},
        {.features = RIG_FEATURES, .scanouts = UINT32_MAX},
        {.features = RIG_FEATURES, .scanouts = 1, .queue_max = 1},
    };
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        struct rig r;
        rig_open(&r, &models[i], NULL);
        assert_true(vt_vgpu_driver_start(r.d) < 0);
        assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_UNUSABLE);
        assert_int_equal(vt_vgpu_driver_stop(r.d), 0);
        assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_UNINITIALISED);
        rig_close(&r);
    }
}

static void features_that_are_not_wanted(void **state)
{
    (void)state;
    const struct vt_vgpu_model_config model = {.features = RIG_FEATURES | VT_VIRTIO_F_RING_PACKED |
                                                           VT_VIRTIO_F_IN_ORDER | VT_VGPU_F_VIRGL |
                                                           VT_VGPU_F_CONTEXT_INIT,
                                               .scanouts = 1};
    const struct vt_vgpu_driver_config config = {.features_off =
                                                     VT_VIRTIO_F_RING_PACKED | VT_VGPU_F_VIRGL};
    struct rig r;
    rig_open(&r, &model, &config);
    rig_start(&r);
    assert_int_equal(vt_vgpu_driver_features(r.d), RIG_FEATURES | VT_VIRTIO_F_VERSION_1);
    assert_int_equal(vt_vgpu_driver_capsets(r.d), 0);
    rig_close(&r);
}

static void a_running_one_is_not_started(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    unsigned resets = vt_model_counts(r.m)->resets;
    assert_int_equal(vt_vgpu_driver_start(r.d), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_READY);
    assert_int_equal(vt_model_counts(r.m)->resets, resets);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->refused_by[VT_VGPU_READY][VT_VGPU_EV_RESET], 1);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->refused, 1);
    rig_close(&r);
}

/* ---------------------------------------------------------------- on the way */

static void a_reset_tells_everybody(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    rig_resource(&r, 1, 64, 64);
    rig_resource(&r, 2, 64, 64);
    const struct vt_vgpu_rect rect = {0, 0, 16, 16};
    struct seen seen = {0}, destroyed = {0}, displays = {0};
    vt_model_hold(r.m, true);
    assert_int_equal(vt_vgpu_get_displays(r.d, rig_done, &displays), 0);
    assert_int_equal(vt_vgpu_resource_destroy(r.d, 2, rig_done, &destroyed), 0);
    for (unsigned i = 0; i < 300; i++) { /* many of them not yet on the ring */
        assert_int_equal(vt_vgpu_flush(r.d, 1, &rect, 0, rig_done, &seen), 0);
    }
    vt_vgpu_kick(r.d);
    vt_model_pass(r.m, 6000000000);
    assert_int_equal(vt_vgpu_poll(r.d), VT_VIRTIO_E_TIMEOUT);
    assert_int_equal(displays.n, 1); /* the oldest */
    assert_int_equal(displays.code, VT_VIRTIO_E_TIMEOUT);
    assert_int_equal(seen.n, 0);
    vt_model_hold(r.m, false);
    rig_start(&r);
    assert_int_equal(seen.n, 300);
    assert_int_equal(seen.code, VT_VIRTIO_E_NEEDS_RESET);
    assert_int_equal(destroyed.code, VT_VIRTIO_E_NEEDS_RESET);
    /* The device has forgotten it, but nobody was told that it was destroyed. */
    assert_int_equal(vt_vgpu_resource_state(r.d, 2), VT_VGPU_RES_LOST);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->timed_out, 1);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resets, 2);
    assert_int_equal(vt_vgpu_get_displays(r.d, rig_done, &displays), 0);
    rig_drain(&r);
    assert_int_equal(displays.n, 2);
    assert_int_equal(displays.code, 0);
    rig_close(&r);
}

static void errors_again_and_again(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    size_t used = 0;
    for (unsigned i = 0; i < 200; i++) {
        static const enum vt_vgpu_model_wrong wrong[] = {VT_VGPU_MODEL_HOLDS, VT_VGPU_MODEL_CUT,
                                                         VT_VGPU_MODEL_TWICE, VT_VGPU_MODEL_BREAKS};
        struct seen seen = {0};
        vt_vgpu_model_rule(r.g, CREATE, 0, 1, wrong[i % 4], 3);
        assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 16, 16, rig_done, &seen), 0);
        vt_vgpu_kick(r.d);
        vt_model_pass(r.m, 6000000000);
        assert_true(vt_vgpu_poll(r.d) < 0);
        vt_vgpu_model_behave(r.g);
        rig_start(&r);
        assert_int_equal(seen.n, 1);
        if (vt_vgpu_resource_state(r.d, 1) == VT_VGPU_RES_LOST) { /* TWICE: once was right */
            assert_int_equal(vt_vgpu_resource_destroy(r.d, 1, NULL, NULL), 0);
            rig_drain(&r);
        }
        assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
        used = i == 0 ? r.arena.used : used;
    }
    assert_int_equal(r.arena.used, used); /* nothing is taken that was there before */
    rig_close(&r);
}

static void registers_are_the_better_reason(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    vt_vgpu_model_rule(r.g, CREATE, 0, 1, VT_VGPU_MODEL_RESETS, 0);
    assert_int_equal(vt_vgpu_resource_create(r.d, 1, 2, 16, 16, NULL, NULL), 0);
    vt_vgpu_kick(r.d);
    vt_model_pass(r.m, 60000000000);
    assert_int_equal(vt_vgpu_poll(r.d), VT_VIRTIO_E_NEEDS_RESET);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_NEEDS_RESET);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->timed_out, 0);
    rig_close(&r);
    /* A configuration that never stands still. */
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    vt_vgpu_model_resize(r.g, 0, true, 1, 1);
    vt_model_lie(r.m, VT_MODEL_RESTLESS_CONFIG);
    vt_model_pass(r.m, 2000000);
    assert_int_equal(vt_vgpu_poll(r.d), VT_VIRTIO_E_TIMEOUT);
    assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_NEEDS_RESET);
    rig_close(&r);
}

/* ---------------------------------------------------------------- what the log has of it */

struct lines {
    char text[64][200];
    unsigned n;
};

static void put_line(const char *line, void *arg)
{
    struct lines *lines = arg;
    if (lines->n < 64) {
        snprintf(lines->text[lines->n++], sizeof(lines->text[0]), "%s", line);
    }
}

static bool has_line(const struct lines *lines, const char *part)
{
    for (unsigned i = 0; i < lines->n; i++) {
        if (strstr(lines->text[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static void everything_is_in_the_log(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, NULL, NULL);
    struct vt_vgpu_log *log = NULL;
    struct lines lines = {.n = 0};
    assert_int_equal(vt_vgpu_log_create(&r.arena, 64 * 1024, "test", &log), 0);
    vt_vgpu_log_text(log, put_line, &lines);
    const struct vt_vgpu_driver_config config = {.device = &r.device,
                                                 .arena = &r.arena,
                                                 .clock = vt_model_clock(r.m),
                                                 .log = log,
                                                 .timeout_ns = 1000000};
    assert_int_equal(vt_vgpu_driver_create(&config, &r.d), 0);
    rig_start(&r);
    rig_resource(&r, 4711, 64, 64);
    vt_vgpu_model_rule(r.g, FLUSH, 0, 1, VT_VGPU_MODEL_CUT, 5);
    const struct vt_vgpu_rect rect = {0, 0, 16, 16};
    assert_int_equal(vt_vgpu_flush(r.d, 4711, &rect, 0, NULL, NULL), 0);
    assert_int_equal(vt_vgpu_drain(r.d, 1000000000), VT_VIRTIO_E_PROTOCOL);
    assert_true(has_line(&lines, "NEGOTIATED -> READY on QUEUES_RUN"));
    assert_true(has_line(&lines, "RESOURCE_CREATE_2D"));
    assert_true(has_line(&lines, "OK_NODATA"));
    assert_true(has_line(&lines, "READY -> BROKEN_ANSWER on ANSWER_FAULT: the answer to "
                                 "RESOURCE_FLUSH (command 3): too short; 5 bytes"));
    rig_start(&r);
    assert_true(has_line(&lines, "BROKEN_ANSWER -> RECOVERING on RESET"));
    assert_int_equal(vt_vgpu_driver_stop(r.d), 1);
    assert_true(has_line(&lines, "resource 4711 (64x64) was not destroyed"));
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_a_wrong_type),
        cmocka_unit_test(answers_of_a_wrong_length),
        cmocka_unit_test(answers_of_another_fence),
        cmocka_unit_test(rings_that_lie),
        cmocka_unit_test(devices_that_give_up),
        cmocka_unit_test(order_is_the_devices),
        cmocka_unit_test(steps_answered_backwards),
        cmocka_unit_test(repeats_what_may_be_repeated),
        cmocka_unit_test(a_transfer_is_not_repeated_behind_its_flush),
        cmocka_unit_test(starts_that_fail),
        cmocka_unit_test(devices_that_are_no_use),
        cmocka_unit_test(features_that_are_not_wanted),
        cmocka_unit_test(a_running_one_is_not_started),
        cmocka_unit_test(a_reset_tells_everybody),
        cmocka_unit_test(errors_again_and_again),
        cmocka_unit_test(registers_are_the_better_reason),
        cmocka_unit_test(everything_is_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
