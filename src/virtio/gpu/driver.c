/* virtio/gpu/driver.c - from start to stop, and commands from the caller to the device and back.
 *
 * lists of calls; vt_vgpu_order takes one, send() puts it on the ring, poll takes it from there,
 * complete() tells who asked. What the device wrote is copied before it is looked at. When a check
 * fails the state machine moves to the error that has its name, and nothing is taken from the rings
 * until the device was reset: its memory may be written to as long as it runs.
 */
#include "virtio/gpu/driver.h"

#include <string.h>

enum {
    SMALL_REQUEST = 128,
    SMALL_RESPONSE = 64,
    BIG_CALLS = 8,
    BIG_LEAST = 4096, /* a capability set, an EDID, a script's command */
    QUEUE_MOST = 256,
    FAULT_ROOM = sizeof(((struct vt_vgpu_driver *)NULL)->fault),
};

/* A register read leaves the guest: microseconds. Nothing of what is looked at is urgent. */
static const uint64_t look_every_ns = 1000000;
static const uint64_t reset_timeout_ns = 1000000000;

static const uint64_t wanted_features =
    VT_VIRTIO_F_VERSION_1 | VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX |
    VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_ACCESS_PLATFORM | VT_VGPU_F_VIRGL | VT_VGPU_F_EDID |
    VT_VGPU_F_RESOURCE_UUID | VT_VGPU_F_RESOURCE_BLOB | VT_VGPU_F_CONTEXT_INIT;

static uint64_t now_ns(const struct vt_vgpu_driver *d)
{
    return d->config.clock->now_ns(d->config.clock->arg);
}

/* ---------------------------------------------------------------- lists */

static void list_append(struct vt_vgpu_list *list, struct vt_vgpu_call *call)
{
    call->next = NULL;
    call->previous = list->last;
    if (list->last != NULL) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
    list->n++;
}

static void list_remove(struct vt_vgpu_list *list, struct vt_vgpu_call *call)
{
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        list->first = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    } else {
        list->last = call->previous;
    }
    list->n--;
}

/* The one used longest ago: what others were can be read from outside for as long as possible. */
static struct vt_vgpu_call *list_pop(struct vt_vgpu_list *list)
{
    struct vt_vgpu_call *call = list->first;
    if (call != NULL) {
        list_remove(list, call);
    }
    return call;
}

/* ---------------------------------------------------------------- state and log */

static void log_text(struct vt_vgpu_driver *d, enum vt_vgpu_log_kind kind,
                     const struct vt_vgpu_text *text)
{
    if (d->config.log != NULL) {
        uint32_t n = (uint32_t)text->used;
        struct vt_vgpu_log_record record = {
            .kind = (uint16_t)kind, .time_ns = now_ns(d), .payload = n, .payload_full = n};
        vt_vgpu_log_write(d->config.log, &record, text->to);
    }
}

void vt_vgpu_note(struct vt_vgpu_driver *d, const struct vt_vgpu_text *text)
{
    log_text(d, VT_VGPU_LOG_NOTE, text);
}

bool vt_vgpu_happens(struct vt_vgpu_driver *d, enum vt_vgpu_event event, const char *why)
{
    enum vt_vgpu_state before = d->state, after = vt_vgpu_state_after(before, event);
    if (after == VT_VGPU_STATES) {
        d->stats.refused++;
        d->stats.refused_by[before][event]++;
        return false;
    }
    if (after == before) {
        return true;
    }
    d->state = after;
    struct vt_vgpu_text text;
    vt_vgpu_say_begin(&text, d->fault, sizeof(d->fault));
    if (vt_vgpu_state_is_error(after)) {
        vt_vgpu_say(&text, why);
    }
    char line[FAULT_ROOM + 64];
    vt_vgpu_say_begin(&text, line, sizeof(line));
    vt_vgpu_say(&text, vt_vgpu_state_name(before));
    vt_vgpu_say(&text, " -> ");
    vt_vgpu_say(&text, vt_vgpu_state_name(after));
    vt_vgpu_say(&text, " on ");
    vt_vgpu_say(&text, vt_vgpu_event_name(event));
    if (why != NULL) {
        vt_vgpu_say(&text, ": ");
        vt_vgpu_say(&text, why);
    }
    log_text(d, VT_VGPU_LOG_STATE, &text);
    return true;
}

/* The device broke a rule: nothing is taken from it until it was reset. */
static void fail(struct vt_vgpu_driver *d, enum vt_vgpu_event event, int code, const char *why)
{
    if (vt_vgpu_happens(d, event, why)) {
        d->error = code;
        d->error_event = event;
    }
}

static const char *name_of(const struct vt_vgpu_call *call)
{
    const char *name = vt_vgpu_type_name(call->header.type);
    return name != NULL ? name : "a command of unknown type";
}

/* ---------------------------------------------------------------- completion */

/* `to` is where the call goes: to those that are free, or to the abandoned. */
static void complete(struct vt_vgpu_driver *d, struct vt_vgpu_call *call, struct vt_vgpu_list *to,
                     const struct vt_vgpu_answer *answer)
{
    /* Free before anybody is told: there is always a call for the command that follows from it. */
    const struct vt_vgpu_call was = *call;
    list_append(to, call);
    struct vt_vgpu_answer told = *answer;
    bool taken = was.settle != NULL && was.settle(d, &was, &told);
    if (answer->code != VT_VIRTIO_OK) {
        d->stats.failed++;
    }
    if (was.done != NULL && !taken) {
        was.done(&told, was.arg);
    }
}

static void complete_without_answer(struct vt_vgpu_driver *d, struct vt_vgpu_call *call,
                                    struct vt_vgpu_list *to, int code)
{
    const struct vt_vgpu_answer answer = {.code = code};
    complete(d, call, to, &answer);
}

static void log_command(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                        enum vt_vgpu_log_kind kind, uint64_t time_ns, const void *payload,
                        uint32_t n, uint32_t written)
{
    if (d->config.log == NULL) {
        return;
    }
    bool response = kind == VT_VGPU_LOG_RESPONSE;
    struct vt_vgpu_log_record record = {.kind = (uint16_t)kind,
                                        .queue = call->queue,
                                        .sequence = call->sequence,
                                        .time_ns = time_ns,
                                        .latency_ns = response ? time_ns - call->sent_ns : 0,
                                        .slot = call->slot,
                                        .payload = n,
                                        .payload_full = n,
                                        .written = response ? written : 0};
    vt_vgpu_log_write(d->config.log, &record, payload);
}

/* A step with others behind it is not repeated: those were meant to come after it. */
static bool may_repeat(const struct vt_vgpu_call *call, uint32_t type)
{
    return call->retries > 0 &&
           (type == VT_VGPU_RESP_ERR_OUT_OF_MEMORY || type == VT_VGPU_RESP_ERR_UNSPEC) &&
           (call->latest == NULL || *call->latest == call->serial);
}

static void received(struct vt_vgpu_driver *d, struct vt_vgpu_call *call, uint32_t written)
{
    uint64_t now = now_ns(d);
    uint32_t n = written < call->response_bytes ? written : call->response_bytes;
    struct vt_vgpu_list *flying = &d->flying[call->queue];
    if (flying->first != call) {
        d->stats.out_of_order++;
    }
    list_remove(flying, call);
    d->stats.in_flight--;
    d->stats.answered++;
    memcpy(d->scratch, call->response, n);
    log_command(d, call, VT_VGPU_LOG_RESPONSE, now, d->scratch, n, written);
    (void)vt_vgpu_happens(d, VT_VGPU_EV_RESPONSE, NULL);

    struct vt_vgpu_answer answer = {.response = n > 0 ? d->scratch : NULL,
                                    .response_bytes = n,
                                    .latency_ns = now - call->sent_ns};
    const struct vt_vgpu_message *message = NULL;
    enum vt_vgpu_verdict verdict = VT_VGPU_WELL;
    /* Devices say nothing on the cursor queue, also where there is room for it. */
    bool silent = call->response_bytes == 0 || (n == 0 && call->queue == VT_VGPU_CURSOR_QUEUE);
    if (!silent) {
        uint32_t elements = 0;
        verdict = vt_vgpu_check_response(&call->header, d->scratch, n, &message, &elements);
    }
    if (verdict != VT_VGPU_WELL) {
        char why[FAULT_ROOM];
        struct vt_vgpu_text text;
        vt_vgpu_say_begin(&text, why, sizeof(why));
        vt_vgpu_say(&text, "the answer to ");
        vt_vgpu_say(&text, name_of(call));
        vt_vgpu_say(&text, " (command ");
        vt_vgpu_say_number(&text, call->sequence);
        vt_vgpu_say(&text, "): ");
        vt_vgpu_say(&text, vt_vgpu_verdict_name(verdict));
        vt_vgpu_say(&text, "; ");
        vt_vgpu_say_number(&text, n);
        vt_vgpu_say(&text, " bytes");
        if (n >= sizeof(struct vt_vgpu_header)) {
            struct vt_vgpu_header header;
            memcpy(&header, d->scratch, sizeof(header));
            vt_vgpu_say(&text, ", type ");
            vt_vgpu_say_hex(&text, header.type);
            vt_vgpu_say(&text, ", fence ");
            vt_vgpu_say_number(&text, header.fence_id);
        }
        fail(d, VT_VGPU_EV_ANSWER_FAULT, VT_VIRTIO_E_PROTOCOL, why);
        complete_without_answer(d, call, call->home, VT_VIRTIO_E_PROTOCOL);
        return;
    }
    answer.type = message != NULL ? message->type : 0;
    if (vt_vgpu_is_error(answer.type)) {
        if (may_repeat(call, answer.type)) {
            call->retries--;
            d->stats.retried++;
            list_append(&d->waiting[call->queue], call);
            return;
        }
        answer.code = VT_VIRTIO_E_INVAL;
    }
    complete(d, call, call->home, &answer);
}

/* ---------------------------------------------------------------- sending */

static void send_waiting(struct vt_vgpu_driver *d, enum vt_vgpu_queue queue)
{
    struct vt_vgpu_list *waiting = &d->waiting[queue], *flying = &d->flying[queue];
    while (d->state == VT_VGPU_READY && waiting->first != NULL &&
           (d->config.in_flight == 0 || d->stats.in_flight < d->config.in_flight)) {
        struct vt_vgpu_call *call = waiting->first;
        const struct vt_virtio_piece pieces[2] = {
            {call->request_device, call->request_bytes},
            {call->response_device, call->response_bytes},
        };
        int rc = vt_virtqueue_add(d->queue[queue], pieces, 1, call->response_bytes > 0 ? 1 : 0,
                                  call, &call->slot);
        if (rc == VT_VIRTIO_E_FULL && flying->n > 0) {
            return;
        }
        if (rc != VT_VIRTIO_OK) {
            const char *why = vt_virtqueue_fault(d->queue[queue]);
            fail(d, VT_VGPU_EV_QUEUE_FAULT, rc, why != NULL ? why : vt_virtio_code_name(rc));
            return;
        }
        list_remove(waiting, call);
        list_append(flying, call);
        call->sent_ns = now_ns(d);
        call->sequence = ++d->sequence;
        d->unpublished[queue] = true;
        if (++d->stats.in_flight > d->stats.most_in_flight) {
            d->stats.most_in_flight = d->stats.in_flight;
        }
        log_command(d, call, VT_VGPU_LOG_REQUEST, call->sent_ns, call->request, call->request_bytes,
                    0);
    }
}

static struct vt_vgpu_call *call_for(struct vt_vgpu_driver *d, const struct vt_vgpu_order *order)
{
    uint32_t bytes = order->request_bytes + order->tail_bytes;
    bool small = bytes <= SMALL_REQUEST && order->response_bytes <= SMALL_RESPONSE;
    struct vt_vgpu_call *call = list_pop(small ? &d->small : &d->big);
    if (call == NULL) {
        return NULL;
    }
    call->queue = (uint8_t)order->queue;
    call->request_bytes = bytes;
    call->response_bytes = order->response_bytes;
    call->retries = order->repeatable ? d->config.retries : 0;
    call->done = order->done;
    call->arg = order->arg;
    call->settle = order->settle;
    call->resource = order->resource;
    call->step = order->step;
    call->scanout = order->scanout;
    call->shows = order->shows;
    call->serial = order->serial;
    call->latest = order->latest;
    return call;
}

int vt_vgpu_order(struct vt_vgpu_driver *d, const struct vt_vgpu_order *order)
{
    if (!vt_vgpu_happens(d, VT_VGPU_EV_SUBMIT, NULL)) {
        return VT_VIRTIO_E_NEEDS_RESET;
    }
    if (order->request_bytes + order->tail_bytes > d->big_request ||
        order->response_bytes > d->big_response) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_call *call = call_for(d, order);
    if (call == NULL) {
        return VT_VIRTIO_E_FULL;
    }
    memcpy(&call->header, order->request, sizeof(call->header));
    memcpy(call->request, order->request, order->request_bytes);
    if (order->tail_bytes > 0) {
        memcpy(call->request + order->request_bytes, order->tail, order->tail_bytes);
    }
    d->stats.submitted++;
    list_append(&d->waiting[order->queue], call);
    send_waiting(d, order->queue);
    return VT_VIRTIO_OK;
}

int vt_vgpu_order_nothing(struct vt_vgpu_driver *d, const struct vt_vgpu_order *order)
{
    if (!vt_vgpu_happens(d, VT_VGPU_EV_SUBMIT, NULL)) {
        return VT_VIRTIO_E_NEEDS_RESET;
    }
    struct vt_vgpu_call *call = call_for(d, order);
    if (call == NULL) {
        return VT_VIRTIO_E_FULL;
    }
    list_append(&d->finished, call);
    return VT_VIRTIO_OK;
}

int vt_vgpu_submit(struct vt_vgpu_driver *d, enum vt_vgpu_queue queue, const void *request,
                   uint32_t request_bytes, uint32_t response_bytes, vt_vgpu_done_fn *done,
                   void *arg)
{
    if (request == NULL || request_bytes < sizeof(struct vt_vgpu_header) ||
        (queue != VT_VGPU_CONTROL_QUEUE && queue != VT_VGPU_CURSOR_QUEUE)) {
        return VT_VIRTIO_E_INVAL;
    }
    const struct vt_vgpu_order order = {.queue = queue,
                                        .request = request,
                                        .request_bytes = request_bytes,
                                        .response_bytes = response_bytes,
                                        .done = done,
                                        .arg = arg};
    return vt_vgpu_order(d, &order);
}

void vt_vgpu_kick(struct vt_vgpu_driver *d)
{
    for (unsigned q = 0; q < 2 && d->state == VT_VGPU_READY; q++) {
        if (d->unpublished[q]) {
            d->unpublished[q] = false;
            if (vt_virtqueue_publish(d->queue[q])) {
                vt_virtio_notify(d->config.device, d->queue[q]);
                d->stats.notifications++;
            }
        }
    }
}

/* ---------------------------------------------------------------- polling */

static uint32_t take(struct vt_vgpu_driver *d, enum vt_vgpu_queue queue)
{
    /* Callbacks send more, which a fast device returns at once: each poll ends all the same. One
     * more than is on its way: a device that returns what it has not got is found out. */
    uint32_t most = d->flying[queue].n + 1, n = 0;
    while (n < most && d->state == VT_VGPU_READY) {
        void *token = NULL;
        uint32_t written = 0;
        int rc = vt_virtqueue_take(d->queue[queue], &token, &written);
        if (rc < 0) {
            const char *why = vt_virtqueue_fault(d->queue[queue]);
            fail(d, VT_VGPU_EV_QUEUE_FAULT, rc, why != NULL ? why : vt_virtio_code_name(rc));
        }
        if (rc <= 0) {
            break;
        }
        received(d, token, written);
        n++;
    }
    return n;
}

static void config_changed(struct vt_vgpu_driver *d)
{
    struct vt_virtio_device *device = d->config.device;
    struct vt_vgpu_config_space space;
    int rc = vt_virtio_config_read(device, 0, &space, sizeof(space));
    if (rc == VT_VIRTIO_OK && (space.events_read & VT_VGPU_EVENT_DISPLAY) != 0) {
        rc = vt_virtio_config_write(device, offsetof(struct vt_vgpu_config_space, events_clear),
                                    VT_VGPU_EVENT_DISPLAY);
        if (vt_vgpu_happens(d, VT_VGPU_EV_DISPLAY_CHANGED, NULL)) {
            d->display_changed = true;
        }
    }
    if (rc != VT_VIRTIO_OK) {
        fail(d, VT_VGPU_EV_NEEDS_RESET, rc, "its configuration changes without end");
    }
}

/* Status and interrupt registers: what the rings do not tell. */
static void look(struct vt_vgpu_driver *d, uint64_t now)
{
    d->looked_ns = now;
    uint32_t bits = __atomic_exchange_n(&d->interrupt, 0, __ATOMIC_RELAXED) |
                    vt_virtio_interrupt(d->config.device);
    uint8_t status = vt_virtio_status(d->config.device);
    if ((status & VT_VIRTIO_NEEDS_RESET) != 0) {
        fail(d, VT_VGPU_EV_NEEDS_RESET, VT_VIRTIO_E_NEEDS_RESET, "the device says so");
    } else if ((status & VT_VIRTIO_DRIVER_OK) == 0) {
        fail(d, VT_VGPU_EV_NEEDS_RESET, VT_VIRTIO_E_NEEDS_RESET,
             "the device was reset, and not by its driver");
    } else if ((bits & 2) != 0) {
        config_changed(d);
    }
}

static bool is_late(const struct vt_vgpu_driver *d, const struct vt_vgpu_call *call, uint64_t now)
{
    return call != NULL && now - call->sent_ns >= d->config.timeout_ns;
}

/* Lists are in the order of times: the first is the latest. Its memory stays the device's. */
static uint32_t time_out(struct vt_vgpu_driver *d, uint64_t now)
{
    for (unsigned q = 0; q < 2; q++) {
        struct vt_vgpu_call *call = d->flying[q].first;
        if (is_late(d, call, now) && d->state == VT_VGPU_READY) {
            char why[FAULT_ROOM];
            struct vt_vgpu_text text;
            vt_vgpu_say_begin(&text, why, sizeof(why));
            vt_vgpu_say(&text, name_of(call));
            vt_vgpu_say(&text, " (command ");
            vt_vgpu_say_number(&text, call->sequence);
            vt_vgpu_say(&text, ") was not answered in ");
            vt_vgpu_say_number(&text, (now - call->sent_ns) / 1000000);
            vt_vgpu_say(&text, " ms");
            fail(d, VT_VGPU_EV_TIMEOUT, VT_VIRTIO_E_TIMEOUT, why);
            d->stats.timed_out++;
            d->stats.in_flight--;
            list_remove(&d->flying[q], call);
            complete_without_answer(d, call, &d->abandoned, VT_VIRTIO_E_TIMEOUT);
            return 1;
        }
    }
    return 0;
}

static uint32_t complete_finished(struct vt_vgpu_driver *d)
{
    uint32_t most = d->finished.n, n = 0;
    for (; n < most; n++) {
        struct vt_vgpu_call *call = d->finished.first;
        list_remove(&d->finished, call);
        complete_without_answer(d, call, call->home, VT_VIRTIO_OK);
    }
    return n;
}

static void tell(struct vt_vgpu_driver *d)
{
    bool display = d->display_changed;
    d->display_changed = false;
    if (d->config.on_event == NULL) {
        return;
    }
    if (display) {
        d->config.on_event(VT_VGPU_EV_DISPLAY_CHANGED, d->state, d->config.arg);
    }
    if (d->error != 0) {
        d->config.on_event(d->error_event, d->state, d->config.arg);
    }
}

int vt_vgpu_poll(struct vt_vgpu_driver *d)
{
    if (d->inside) {
        return VT_VIRTIO_E_INVAL;
    }
    if (d->state != VT_VGPU_READY && d->error == 0) {
        return d->state == VT_VGPU_UNINITIALISED ? VT_VIRTIO_E_NO_DEVICE : VT_VIRTIO_E_NEEDS_RESET;
    }
    d->inside = true;
    uint32_t n = 0;
    if (d->state == VT_VGPU_READY) {
        n = complete_finished(d);
        n += take(d, VT_VGPU_CURSOR_QUEUE);
        n += take(d, VT_VGPU_CONTROL_QUEUE);
        uint64_t now = now_ns(d);
        bool late = is_late(d, d->flying[0].first, now) || is_late(d, d->flying[1].first, now);
        /* What the registers say is the better reason for a command that is late. */
        if (d->state == VT_VGPU_READY && (late || now - d->looked_ns >= look_every_ns ||
                                          __atomic_load_n(&d->interrupt, __ATOMIC_RELAXED) != 0)) {
            look(d, now);
        }
        n += late ? time_out(d, now) : 0;
        send_waiting(d, VT_VGPU_CURSOR_QUEUE);
        send_waiting(d, VT_VGPU_CONTROL_QUEUE);
        tell(d);
        vt_vgpu_kick(d);
    } else {
        tell(d);
    }
    d->inside = false;
    int error = d->error;
    d->error = 0;
    return error != 0 ? error : (int)n;
}

int vt_vgpu_drain(struct vt_vgpu_driver *d, uint64_t timeout_ns)
{
    const struct vt_virtio_clock *clock = d->config.clock;
    uint64_t began = now_ns(d);
    for (;;) {
        int rc = vt_vgpu_poll(d);
        if (rc < 0) {
            return rc;
        }
        if (d->stats.in_flight + d->waiting[0].n + d->waiting[1].n + d->finished.n == 0) {
            return VT_VIRTIO_OK;
        }
        if (now_ns(d) - began >= timeout_ns) {
            return VT_VIRTIO_E_TIMEOUT;
        }
        if (clock->relax != NULL) {
            clock->relax(clock->arg);
        }
    }
}

void vt_vgpu_interrupt(struct vt_vgpu_driver *d)
{
    uint32_t bits = vt_virtio_interrupt(d->config.device);
    if (bits != 0) {
        d->stats.interrupts++;
        (void)__atomic_fetch_or(&d->interrupt, bits, __ATOMIC_RELAXED);
    }
}

bool vt_vgpu_interrupts(struct vt_vgpu_driver *d, bool wanted)
{
    bool returned = false;
    for (unsigned q = 0; q < 2 && d->state == VT_VGPU_READY; q++) {
        returned |= vt_virtqueue_interrupts(d->queue[q], wanted);
    }
    return returned;
}

/* ---------------------------------------------------------------- start and stop */

static void list_forget(struct vt_vgpu_driver *d, struct vt_vgpu_list *list)
{
    while (list->first != NULL) {
        struct vt_vgpu_call *call = list->first;
        list_remove(list, call);
        complete_without_answer(d, call, call->home, VT_VIRTIO_E_NEEDS_RESET);
    }
}

/* After a reset: nothing is on its way, and the device knows of nothing. */
static void forget(struct vt_vgpu_driver *d)
{
    d->stats.in_flight = 0;
    d->error = 0;
    d->display_changed = false;
    d->unpublished[0] = d->unpublished[1] = false;
    vt_vgpu_resources_lost(d);
    vt_vgpu_scanouts_lost(d);
    complete_finished(d);
    for (unsigned q = 0; q < 2; q++) {
        list_forget(d, &d->flying[q]);
        list_forget(d, &d->waiting[q]);
        if (d->queue[q] != NULL) {
            vt_virtqueue_reset(d->queue[q]);
        }
    }
    while (d->abandoned.first != NULL) {
        struct vt_vgpu_call *call = d->abandoned.first;
        list_remove(&d->abandoned, call);
        list_append(call->home, call);
    }
}

static int start_queue(struct vt_vgpu_driver *d, uint16_t index, const char **why)
{
    static const uint64_t of_rings =
        VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX | VT_VIRTIO_F_RING_PACKED;
    struct vt_virtio_device *device = d->config.device;
    uint16_t most = vt_virtio_queue_max(device, index), size = d->config.queue_size;
    while (size > most) {
        size /= 2;
    }
    if (size < 2) {
        *why = index == VT_VGPU_CONTROL_QUEUE ? "its control queue is too small"
                                              : "its cursor queue is too small";
        return VT_VIRTIO_E_UNSUPPORTED;
    }
    uint64_t features = device->features & of_rings;
    if (d->queue[index] == NULL || d->queue_size[index] != size ||
        d->queue_features[index] != features) {
        const struct vt_virtqueue_config config = {
            .index = index, .size = size, .max_pieces = 2, .features = device->features};
        struct vt_virtqueue *queue = NULL;
        int rc = vt_virtqueue_create(&config, d->config.arena, &queue);
        if (rc != VT_VIRTIO_OK) {
            return rc;
        }
        d->queue[index] = queue;
        d->queue_size[index] = size;
        d->queue_features[index] = features;
    }
    (void)vt_virtqueue_interrupts(d->queue[index], false);
    return vt_virtio_queue_start(device, d->queue[index], 0xffff);
}

static int bring_up(struct vt_vgpu_driver *d, const char **why)
{
    struct vt_virtio_device *device = d->config.device;
    uint64_t wanted = wanted_features & ~d->config.features_off;
    if ((wanted & VT_VGPU_F_VIRGL) == 0) {
        wanted &= ~VT_VGPU_F_CONTEXT_INIT; /* 5.7.3: requires it */
    }
    int rc = vt_virtio_reset(device, reset_timeout_ns);
    d->stats.resets++;
    forget(d);
    if (rc == VT_VIRTIO_OK) {
        rc = vt_virtio_negotiate(device, wanted, 0);
    }
    if (rc != VT_VIRTIO_OK) {
        return rc;
    }
    (void)vt_vgpu_happens(d, VT_VGPU_EV_PROBE, NULL);
    struct vt_vgpu_config_space space;
    rc = vt_virtio_config_read(device, 0, &space, sizeof(space));
    if (rc != VT_VIRTIO_OK) {
        return rc;
    }
    if (space.num_scanouts < 1 || space.num_scanouts > VT_VGPU_SCANOUTS_MAX) {
        *why = "it does not have 1 to 16 scanouts";
        return VT_VIRTIO_E_PROTOCOL;
    }
    d->n_scanouts = space.num_scanouts;
    d->n_capsets = space.num_capsets;
    for (uint16_t q = 0; q < 2 && rc == VT_VIRTIO_OK; q++) {
        rc = start_queue(d, q, why);
    }
    return rc == VT_VIRTIO_OK ? vt_virtio_start(device) : rc;
}

int vt_vgpu_driver_start(struct vt_vgpu_driver *d)
{
    if (d->inside ||
        (d->state != VT_VGPU_UNINITIALISED && !vt_vgpu_happens(d, VT_VGPU_EV_RESET, NULL))) {
        return VT_VIRTIO_E_INVAL;
    }
    const char *why = NULL;
    d->inside = true;
    int rc = bring_up(d, &why);
    d->inside = false;
    if (rc == VT_VIRTIO_OK) {
        d->looked_ns = now_ns(d);
        (void)vt_vgpu_happens(d, VT_VGPU_EV_QUEUES_RUN, NULL);
        return VT_VIRTIO_OK;
    }
    why = why != NULL ? why : d->config.device->fault;
    (void)vt_vgpu_happens(d, VT_VGPU_EV_RESET_FAILED, why != NULL ? why : vt_virtio_code_name(rc));
    return rc;
}

int vt_vgpu_driver_stop(struct vt_vgpu_driver *d)
{
    if (d->inside) {
        return VT_VIRTIO_E_INVAL;
    }
    if (!vt_vgpu_happens(d, VT_VGPU_EV_SHUT_DOWN, NULL)) {
        return 0;
    }
    d->inside = true;
    (void)vt_virtio_reset(d->config.device, reset_timeout_ns);
    d->stats.resets++;
    forget(d);
    d->inside = false;
    return (int)vt_vgpu_resources_give_up(d);
}

/* ---------------------------------------------------------------- made */

static bool make_calls(struct vt_vgpu_driver *d, struct vt_vgpu_list *list, uint32_t n,
                       uint32_t request_room, uint32_t response_room)
{
    struct vt_virtio_arena *arena = d->config.arena;
    uint32_t stride = request_room + response_room;
    uint64_t device = 0;
    struct vt_vgpu_call *calls = vt_virtio_arena_take(arena, n * sizeof(*calls), 64, NULL);
    uint8_t *room = vt_virtio_arena_take(arena, (size_t)n * stride, 64, &device);
    if (calls == NULL || room == NULL) {
        return false;
    }
    for (uint32_t i = n; i-- > 0;) {
        size_t at = (size_t)i * stride;
        calls[i].request = room + at;
        calls[i].request_device = device + at;
        calls[i].response = room + at + request_room;
        calls[i].response_device = device + at + request_room;
        calls[i].home = list;
        list_append(list, &calls[i]);
    }
    return true;
}

int vt_vgpu_driver_create(const struct vt_vgpu_driver_config *config,
                          struct vt_vgpu_driver **driver)
{
    if (config->device == NULL || config->arena == NULL || config->clock == NULL ||
        config->clock->now_ns == NULL || config->device->id != 16 ||
        config->queue_size > QUEUE_MOST || (config->queue_size & (config->queue_size - 1)) != 0) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_driver *d = vt_virtio_arena_take(config->arena, sizeof(*d), 64, NULL);
    if (d == NULL) {
        return VT_VIRTIO_E_NOMEM;
    }
    d->config = *config;
    d->config.queue_size = config->queue_size != 0 ? config->queue_size : QUEUE_MOST;
    d->config.max_resources = config->max_resources != 0 ? config->max_resources : 64;
    d->config.max_entries = config->max_entries != 0 ? config->max_entries : 256;
    d->config.timeout_ns = config->timeout_ns != 0 ? config->timeout_ns : 5000000000;
    uint32_t request = 0, response = 0;
    vt_vgpu_rooms(d->config.max_entries, &request, &response);
    request = (request + 63) / 64 * 64;
    d->big_request = request > BIG_LEAST ? request : BIG_LEAST;
    d->big_response = response > BIG_LEAST ? response : BIG_LEAST;
    d->scratch = vt_virtio_arena_take(config->arena, d->big_response, 64, NULL);
    d->resources = vt_virtio_arena_take(config->arena,
                                        d->config.max_resources * sizeof(*d->resources), 64, NULL);
    d->entries = vt_virtio_arena_take(config->arena, d->big_request, 64, NULL);
    if (d->scratch == NULL || d->resources == NULL || d->entries == NULL ||
        !make_calls(d, &d->small, 2u * d->config.queue_size, SMALL_REQUEST, SMALL_RESPONSE) ||
        !make_calls(d, &d->big, BIG_CALLS, d->big_request, d->big_response)) {
        return VT_VIRTIO_E_NOMEM;
    }
    *driver = d;
    return VT_VIRTIO_OK;
}

enum vt_vgpu_state vt_vgpu_driver_state(const struct vt_vgpu_driver *d)
{
    return d->state;
}

const char *vt_vgpu_driver_fault(const struct vt_vgpu_driver *d)
{
    return d->fault;
}

const struct vt_vgpu_stats *vt_vgpu_driver_stats(const struct vt_vgpu_driver *d)
{
    return &d->stats;
}

uint64_t vt_vgpu_driver_features(const struct vt_vgpu_driver *d)
{
    return d->config.device->features;
}

uint32_t vt_vgpu_driver_scanouts(const struct vt_vgpu_driver *d)
{
    return d->n_scanouts;
}

uint32_t vt_vgpu_driver_capsets(const struct vt_vgpu_driver *d)
{
    return d->n_capsets;
}
