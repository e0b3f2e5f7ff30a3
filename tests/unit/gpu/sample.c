/* tests/unit/gpu/sample.c - see sample.h. Messages are made of the tables: a new command is in it
 * by itself.
 */
#include "tests/unit/gpu/sample.h"

#include "virtio/gpu/protocol/commands.h"

#include <string.h>

const struct vt_vgpu_origin vt_sample_origin = {
    .vm = "sample",
    .source = "test",
    .device = "/machine/peripheral/gpu0",
    .started_unix_ns = 1700000000000000000,
};

#define ELEMENTS 3u

struct sample {
    vt_vgpu_seen_fn *fn;
    void *arg;
    uint64_t sequence;
};

static void set_fields(uint8_t *at, const struct vt_vgpu_field *fields, unsigned n, uint32_t value)
{
    for (unsigned i = 0; i < n; i++) {
        const struct vt_vgpu_field *f = &fields[i];
        uint8_t *to = at + f->offset;
        if (f->kind == VT_VGPU_RECT) {
            memcpy(to, &(struct vt_vgpu_rect){value, value + 1, value + 2, value + 3},
                   sizeof(struct vt_vgpu_rect));
            value += 4;
        } else if (f->kind == VT_VGPU_TEXT) {
            strcpy((char *)to, "na\"m\xff"
                               "e");
        } else if (f->kind == VT_VGPU_FLAGS || f->kind == VT_VGPU_ENUM) {
            memcpy(to, &f->names[0].value, sizeof f->names[0].value);
        } else {
            uint64_t number = value++;
            memcpy(to, &number, f->bytes < 8 ? f->bytes : 8);
        }
    }
}

/** The whole message; returns its bytes. */
static uint32_t make(const struct vt_vgpu_message *m, const struct vt_vgpu_header *header,
                     uint8_t *to, size_t room)
{
    uint32_t elements = m->tail.capacity > 0 ? m->tail.capacity : ELEMENTS;
    uint32_t bytes = m->bytes + (m->tail.name != NULL ? elements * m->tail.bytes : 0);
    memset(to, 0, room);
    set_fields(to, m->fields, m->n_fields, 100);
    memcpy(to, header, sizeof *header);
    memcpy(to, &m->type, sizeof m->type);
    if (m->tail.name == NULL) {
        return bytes;
    }
    if (m->tail.count_offset > 0) {
        memcpy(to + m->tail.count_offset, &(uint32_t){ELEMENTS}, 4);
    }
    for (uint32_t i = 0; i < elements; i++) {
        uint8_t *at = to + m->bytes + i * m->tail.bytes;
        if (m->tail.bytes == 1) {
            *at = (uint8_t)(0xa0 + i);
        } else {
            set_fields(at, m->tail.fields, m->tail.n_fields, 200 + 10 * i);
        }
    }
    return bytes;
}

static void put(struct sample *s, struct vt_vgpu_event_seen *event)
{
    event->sequence = s->sequence;
    event->submitted_ns = s->sequence * 1000000;
    if (event->kind == VT_VGPU_SEEN_COMMAND && (event->flags & VT_VGPU_NO_RESPONSE) == 0) {
        event->answered_ns = event->submitted_ns + 2500000;
    }
    event->slot = (uint16_t)(s->sequence % 64);
    event->written = event->response_bytes;
    s->sequence++;
    s->fn(event, s->arg);
}

static void put_command(struct sample *s, const struct vt_vgpu_command *c, uint32_t answer)
{
    static uint8_t request[2048], response[2048];
    struct vt_vgpu_header header = {
        .flags = VT_VGPU_FLAG_FENCE, .fence_id = s->sequence, .ctx_id = 7};
    struct vt_vgpu_event_seen event = {
        .queue = (uint8_t)c->queue, .request = request, .response = response};
    event.request_bytes = make(c->request, &header, request, sizeof request);
    if (c->queue == VT_VGPU_CONTROL_QUEUE) {
        event.response_bytes = make(vt_vgpu_message_of(answer), &header, response, sizeof response);
    }
    put(s, &event);
}

static void put_wrong_ones(struct sample *s)
{
    static uint8_t bytes[64];
    const struct vt_vgpu_header ok = {.type = VT_VGPU_RESP_OK_NODATA};
    struct vt_vgpu_header unknown = {.type = 0x1ff};
    put(s, &(struct vt_vgpu_event_seen){.request = (const uint8_t *)&unknown,
                                        .request_bytes = sizeof unknown,
                                        .response = (const uint8_t *)&ok,
                                        .response_bytes = sizeof ok});
    memcpy(bytes, &(uint32_t){VT_VGPU_CMD_SET_SCANOUT}, 4);
    put(s,
        &(struct vt_vgpu_event_seen){.request = bytes,
                                     .request_bytes = 40,
                                     .response = (const uint8_t *)&ok,
                                     .response_bytes = 3,
                                     .flags = VT_VGPU_STALE_RESPONSE | VT_VGPU_TIMES_ARE_BOUNDS});
    put(s, &(struct vt_vgpu_event_seen){
               .request = bytes, .request_bytes = 5, .flags = VT_VGPU_NO_RESPONSE | VT_VGPU_CUT});
    put(s, &(struct vt_vgpu_event_seen){.flags = VT_VGPU_NO_RESPONSE | VT_VGPU_STALE_REQUEST});
}

void vt_sample_put(vt_vgpu_seen_fn *fn, void *arg)
{
    struct sample s = {.fn = fn, .arg = arg};
    size_t n;
    const struct vt_vgpu_command *commands = vt_vgpu_commands(&n);
    put(&s, &(struct vt_vgpu_event_seen){.kind = VT_VGPU_SEEN_NOTE,
                                         .request = (const uint8_t *)"a note",
                                         .request_bytes = 6});
    for (size_t i = 0; i < n; i++) {
        put_command(&s, &commands[i], commands[i].response);
    }
    put_command(&s, vt_vgpu_command_of(VT_VGPU_CMD_SET_SCANOUT),
                VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID);
    put_wrong_ones(&s);
    put(&s, &(struct vt_vgpu_event_seen){.kind = VT_VGPU_SEEN_LOST, .lost = 12});
    put(&s, &(struct vt_vgpu_event_seen){.kind = VT_VGPU_SEEN_RESET});
}
