/* tests/fuzz/fuzz_vgpu_driver.c - the driver between a caller and a device that both do as the
 * input says.
 *
 * The first byte says how the driver is made and what the device offers; then each byte is a step
 * of one of the two, with its arguments behind it. The device answers rightly, with any bytes, with
 * lengths and ids that are not so, in any order, never; it breaks, is reset, changes its displays.
 * Whatever they do: every command that was accepted is told of exactly once, an error state has a
 * reason, the counts are right, the driver breaks no rule of the device's, and after a reset by a
 * device that behaves everything works.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/virtio/device_model.h"
#include "virtio/gpu/protocol/commands.h"
#include "vitrine/virtio_gpu.h"

#include <string.h>

enum { STEPS_MAX = 2000, COMMANDS_MAX = 4096, IDS = 6, SIDE = 64 };

struct world {
    const uint8_t *at, *end;
    struct vt_model *m;
    struct vt_vgpu_driver *d;
    struct vt_vgpu_config_space space;
    struct vt_virtio_piece memory;
    uint8_t told[COMMANDS_MAX]; /* of each command: how often; one more when it was accepted */
    uint32_t n_commands;
    uint32_t events;
    /* It was reset behind the driver's back, or returned what it has: each of the two is right to
     * believe that the other one breaks the rules. */
    bool confused;
};

static uint32_t next(struct world *w, unsigned bytes)
{
    uint32_t value = 0;
    size_t left = (size_t)(w->end - w->at), n = bytes < left ? bytes : left;
    memcpy(&value, w->at, n);
    w->at += n;
    return value;
}

static void done(const struct vt_vgpu_answer *answer, void *arg)
{
    uint8_t *told = arg;
    FUZZ_CHECK(*told == 1);
    *told = 2;
    FUZZ_CHECK(answer->code <= 0);
    FUZZ_CHECK((answer->response_bytes == 0) == (answer->response == NULL));
    FUZZ_CHECK(answer->code != VT_VIRTIO_OK || answer->type == 0 ||
               !vt_vgpu_is_error(answer->type));
    uint8_t sum = 0;
    for (uint32_t i = 0; i < answer->response_bytes; i++) {
        sum = (uint8_t)(sum + ((const uint8_t *)answer->response)[i]);
    }
    *(volatile uint8_t *)&sum = sum;
}

static void on_event(enum vt_vgpu_event event, enum vt_vgpu_state now, void *arg)
{
    struct world *w = arg;
    w->events++;
    FUZZ_CHECK((event == VT_VGPU_EV_DISPLAY_CHANGED) || now >= VT_VGPU_TIMED_OUT);
}

/* ---------------------------------------------------------------- the caller */

static int command(struct world *w, uint8_t *told)
{
    uint32_t id = next(w, 1) % IDS;
    uint32_t shape = next(w, 2);
    const struct vt_vgpu_rect rect = {shape & 15, shape >> 4 & 15, (shape >> 8 & 15) * 8,
                                      (shape >> 12 & 15) * 8};
    switch (next(w, 1) % 13) {
    case 0:
        return vt_vgpu_resource_create(w->d, id, 2, SIDE, id == 1 ? SIDE : shape % SIDE, done,
                                       told);
    case 1: {
        const struct vt_virtio_piece pieces[4] = {
            {w->memory.device, SIDE * SIDE}, w->memory, w->memory, w->memory};
        return vt_vgpu_resource_back(w->d, id, pieces, shape % 6, done, told);
    }
    case 2:
        return vt_vgpu_resource_unback(w->d, id, done, told);
    case 3:
    case 4:
        return vt_vgpu_set_scanout(w->d, shape % 4, id, &rect, done, told);
    case 5:
        return vt_vgpu_transfer(w->d, id, &rect, shape & 0x3ff, shape & 3, done, told);
    case 6:
        return vt_vgpu_flush(w->d, id, &rect, shape & 3, done, told);
    case 7:
        return vt_vgpu_resource_destroy(w->d, id, done, told);
    case 8:
        return vt_vgpu_cursor_set(w->d, shape % 4, id, 1, 2, 3, 4, done, told);
    case 9:
        return vt_vgpu_cursor_move(w->d, shape % 4, 1, 2, done, told);
    case 10:
        return vt_vgpu_get_displays(w->d, done, told);
    default: {
        uint8_t raw[160] = {0};
        uint32_t type = 0x100 + (shape & 0x20f), bytes = shape >> 8 & 0x7f;
        memcpy(raw, &type, sizeof(type));
        return vt_vgpu_submit(w->d, (enum vt_vgpu_queue)(shape & 3), raw, bytes, id * 400, done,
                              told);
    }
    }
}

static void ask(struct world *w)
{
    if (w->n_commands == COMMANDS_MAX) {
        return;
    }
    uint8_t *told = &w->told[w->n_commands++];
    *told = 1;
    if (command(w, told) != VT_VIRTIO_OK) {
        FUZZ_CHECK(*told == 1); /* refused: not told of */
        *told = 0;
    }
}

/* ---------------------------------------------------------------- the device */

static void answer_well(struct world *w, struct vt_model_buffer *b)
{
    uint8_t answer[2048] = {0};
    struct vt_vgpu_header request = {0}, response = {.type = VT_VGPU_RESP_ERR_UNSPEC};
    memcpy(&request, b->out, b->out_bytes < sizeof(request) ? b->out_bytes : sizeof(request));
    const struct vt_vgpu_command *known = vt_vgpu_command_of(request.type);
    uint32_t bytes = sizeof(response);
    if (known != NULL && b->queue == VT_VGPU_CONTROL_QUEUE && next(w, 1) % 8 != 0) {
        response.type = known->response;
        bytes = vt_vgpu_message_room(vt_vgpu_message_of(known->response));
        for (uint32_t i = sizeof(response); i < bytes && w->at < w->end; i++) {
            answer[i] = (uint8_t)next(w, 1);
        }
    } else if (b->queue == VT_VGPU_CURSOR_QUEUE) {
        bytes = 0;
    }
    response.flags = request.flags & VT_VGPU_FLAG_FENCE;
    response.fence_id = response.flags != 0 ? request.fence_id : 0;
    response.ctx_id = response.flags != 0 ? request.ctx_id : 0;
    memcpy(answer, &response, sizeof(response));
    vt_model_return(b, answer, bytes < b->in_bytes ? bytes : b->in_bytes);
}

static void device(struct world *w)
{
    uint16_t queue = (uint16_t)(next(w, 1) & 1);
    uint8_t what = (uint8_t)next(w, 1);
    if ((vt_model_status(w->m) & VT_VIRTIO_DRIVER_OK) == 0) {
        return; /* it has no rings to lie with */
    }
    struct vt_model_buffer *b = vt_model_pending(w->m, queue, what >> 4);
    uint8_t bytes[512];
    uint32_t n = next(w, 2) % (sizeof(bytes) + 1);
    switch (what & 15) {
    case 0:
        vt_model_break(w->m);
        break;
    case 1: {
        const struct vt_virtio_bus *bus = vt_model_bus(w->m);
        bus->mmio_write(bus->arg, VT_MODEL_MMIO + 0x70, 4, 0);
        w->confused = true;
        break;
    }
    case 2:
        vt_model_return_unknown(w->m, queue, n, next(w, 4));
        w->confused = true;
        break;
    case 3:
        if ((vt_model_features(w->m) & VT_VIRTIO_F_RING_PACKED) == 0) {
            vt_model_jump(w->m, queue, (uint16_t)n);
            w->confused = true;
        }
        break;
    case 4: {
        const uint32_t events = next(w, 1);
        vt_model_change_config(w->m, 0, &events, sizeof(events));
        break;
    }
    case 5:
        vt_model_lie(w->m, next(w, 1) & ~(unsigned)VT_MODEL_LEGACY);
        break;
    case 6:
    case 7:
        for (uint32_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)next(w, 1);
        }
        if (b != NULL && (what & 1) != 0) {
            vt_model_return_lying(b, bytes, n < b->in_bytes ? n : b->in_bytes, b->id, next(w, 4));
        } else if (b != NULL) {
            vt_model_return(b, bytes, n < b->in_bytes ? n : b->in_bytes);
        }
        break;
    default:
        if (b != NULL) {
            answer_well(w, b);
        }
        break;
    }
}

/* ---------------------------------------------------------------- what must be so */

static void check(const struct world *w)
{
    enum vt_vgpu_state state = vt_vgpu_driver_state(w->d);
    const struct vt_vgpu_stats *s = vt_vgpu_driver_stats(w->d);
    FUZZ_CHECK(state == VT_VGPU_UNINITIALISED || state == VT_VGPU_READY ||
               state >= VT_VGPU_TIMED_OUT);
    FUZZ_CHECK((vt_vgpu_driver_fault(w->d)[0] != '\0') == (state >= VT_VGPU_TIMED_OUT));
    FUZZ_CHECK(s->in_flight <= 2 * 64 && s->most_in_flight >= s->in_flight);
    uint32_t resources = 0;
    for (uint32_t id = 1; id < IDS; id++) {
        resources += vt_vgpu_resource_state(w->d, id) != VT_VGPU_RES_FREE;
    }
    FUZZ_CHECK(resources <= s->resources && s->resources < IDS);
    for (uint32_t i = 0; i < 4; i++) {
        const struct vt_vgpu_display_info *info = vt_vgpu_display_info(w->d, i);
        FUZZ_CHECK(info == NULL || info->n_modes <= 64);
    }
}

static void step(struct world *w)
{
    switch (next(w, 1) % 12) {
    case 0:
    case 1:
    case 2:
    case 3:
        ask(w);
        break;
    case 4:
    case 5:
    case 6:
        device(w);
        break;
    case 7:
        vt_vgpu_kick(w->d);
        break;
    case 8:
    case 9:
        (void)vt_vgpu_poll(w->d);
        break;
    case 10:
        vt_model_pass(w->m, (uint64_t)next(w, 1) * 1000000);
        break;
    default: {
        uint32_t what = next(w, 1) % 4;
        if (what == 0) {
            int left = vt_vgpu_driver_stop(w->d);
            FUZZ_CHECK(left >= 0 && left < IDS);
        } else if (what == 1) {
            vt_vgpu_interrupt(w->d);
        } else if (what == 2) {
            (void)vt_vgpu_interrupts(w->d, next(w, 1) & 1);
        } else {
            (void)vt_vgpu_driver_start(w->d);
        }
        break;
    }
    }
    check(w);
}

static void serve_well(struct world *w)
{
    static const uint8_t success[1] = {1};
    const uint8_t *at = w->at, *end = w->end;
    for (uint16_t q = 0; q < 2; q++) {
        vt_model_run(w->m, q);
        struct vt_model_buffer *b;
        while ((b = vt_model_pending(w->m, q, 0)) != NULL) {
            w->at = success;
            w->end = success + sizeof(success);
            answer_well(w, b);
        }
    }
    w->at = at;
    w->end = end;
}

static void works_after_all(struct world *w)
{
    vt_model_lie(w->m, 0);
    if (vt_vgpu_driver_state(w->d) == VT_VGPU_READY) {
        (void)vt_vgpu_driver_stop(w->d);
    }
    FUZZ_CHECK(vt_vgpu_driver_start(w->d) == VT_VIRTIO_OK);
    FUZZ_CHECK(vt_vgpu_driver_state(w->d) == VT_VGPU_READY);
    for (uint32_t i = 0; i < w->n_commands; i++) {
        FUZZ_CHECK(w->told[i] != 1);
    }
    uint8_t told[2] = {1, 1};
    FUZZ_CHECK(vt_vgpu_resource_create(w->d, IDS, 2, SIDE, SIDE, done, &told[0]) == VT_VIRTIO_OK);
    FUZZ_CHECK(vt_vgpu_resource_back(w->d, IDS, &w->memory, 1, done, &told[1]) == VT_VIRTIO_OK);
    vt_vgpu_kick(w->d);
    for (unsigned i = 0; i < 2; i++) { /* one after the other, if it is so made */
        serve_well(w);
        FUZZ_CHECK(vt_vgpu_poll(w->d) >= 0);
    }
    FUZZ_CHECK(told[0] == 2 && told[1] == 2);
    FUZZ_CHECK(vt_vgpu_resource_state(w->d, IDS) == VT_VGPU_RES_BACKED);
    FUZZ_CHECK(vt_vgpu_driver_stop(w->d) >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct world w;
    w = (struct world){.at = bytes, .end = bytes + count};
    uint32_t how = next(&w, 1);
    w.space = (struct vt_vgpu_config_space){.num_scanouts = 1 + (how & 3)};
    const struct vt_model_config model = {
        .id = 16,
        .features = ((how & 4) != 0 ? VT_VIRTIO_F_INDIRECT_DESC : 0) |
                    ((how & 8) != 0 ? VT_VIRTIO_F_EVENT_IDX : 0) |
                    ((how & 16) != 0 ? VT_VIRTIO_F_RING_PACKED : 0) | VT_VGPU_F_EDID,
        .queues = 2,
        .queue_max = (how & 32) != 0 ? 4 : 64,
        .config = &w.space,
        .config_bytes = sizeof(w.space),
        .ram_bytes = (size_t)1 << 20,
    };
    w.m = vt_model_create(&model);
    struct vt_virtio_arena arena = vt_model_arena(w.m);
    struct vt_virtio_device d;
    FUZZ_CHECK(vt_virtio_mmio_open(&d, vt_model_bus(w.m), vt_model_clock(w.m), VT_MODEL_MMIO) ==
               VT_VIRTIO_OK);
    const struct vt_vgpu_driver_config config = {
        .device = &d,
        .arena = &arena,
        .clock = vt_model_clock(w.m),
        .queue_size = 64,
        .in_flight = (how & 64) != 0 ? 1 : 0,
        .retries = (how & 128) != 0 ? 2 : 0,
        .timeout_ns = 100000000,
        .max_entries = 4,
        .on_event = on_event,
        .arg = &w,
    };
    FUZZ_CHECK(vt_vgpu_driver_create(&config, &w.d) == VT_VIRTIO_OK);
    w.memory.bytes = SIDE * SIDE * 4;
    FUZZ_CHECK(vt_virtio_arena_take(&arena, w.memory.bytes, 4096, &w.memory.device) != NULL);
    FUZZ_CHECK(vt_vgpu_driver_start(w.d) == VT_VIRTIO_OK);
    size_t used = arena.used;
    for (unsigned i = 0; i < STEPS_MAX && w.at < w.end; i++) {
        step(&w);
    }
    works_after_all(&w);
    FUZZ_CHECK(arena.used == used);
    if (!w.confused && vt_model_complaint(w.m) != NULL) {
        fprintf(stderr, "the driver: %s\n", vt_model_complaint(w.m));
        abort();
    }
    vt_model_destroy(w.m);
    return 0;
}
