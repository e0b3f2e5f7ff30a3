/* gpu/export_jsonl.c - a JSON object an event; a message's fields by name, from its table.
 *
 * A message is {"name", "header": {…}, its fields…, its tail}. Addresses and hexadecimal numbers
 * are "0x…" strings, and so is a number that JavaScript would round; enumerations their names where
 * they have one, flags arrays of names, bytes a string of hexadecimal digits, rectangles objects;
 * numbered members ("strides[0]") one array.
 */
#include "base/json_writer.h"
#include "gpu/export_parts.h"
#include "gpu/venus_show.h"

#include <stdlib.h>
#include <string.h>

/** Names of members, with their terminator. */
#define NAME_BYTES 64

struct message_out {
    struct vt_json_writer *w;
    const struct vt_vgpu_message *message;
    bool in_header, in_tail, in_array;
    int64_t element; /* the tail's that is open, or -1 */
};

/** Integers that a double holds. */
#define EXACT_MAX ((uint64_t)1 << 53)

static void put_number(struct vt_json_writer *w, uint64_t value)
{
    if (value <= EXACT_MAX) {
        vt_json_u64(w, value);
    } else {
        vt_json_hex(w, value);
    }
}

static void put_member(struct vt_json_writer *w, const char *key, uint64_t value)
{
    vt_json_key(w, key);
    put_number(w, value);
}

static void put_flags(struct vt_json_writer *w, const struct vt_vgpu_field *field, uint64_t value)
{
    vt_json_array(w);
    for (const struct vt_vgpu_name *p = field->names; p->name != NULL; p++) {
        if ((value & p->value) != 0) {
            vt_json_string(w, p->name);
            value &= ~(uint64_t)p->value;
        }
    }
    if (value != 0) {
        vt_json_hex(w, value);
    }
    vt_json_array_end(w);
}

static void put_hex_bytes(struct vt_json_writer *w, const uint8_t *at, size_t n)
{
    char *digits = malloc(2 * n + 1);
    if (digits == NULL) {
        vt_json_null(w);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        digits[2 * i] = "0123456789abcdef"[at[i] >> 4];
        digits[2 * i + 1] = "0123456789abcdef"[at[i] & 15];
    }
    vt_json_string_n(w, digits, 2 * n);
    free(digits);
}

static void put_value(struct vt_json_writer *w, const struct vt_vgpu_field *field, uint64_t value,
                      const void *at, size_t n)
{
    const char *name = NULL;
    struct vt_vgpu_rect rect;
    switch (field->kind) {
    case VT_VGPU_ENUM:
        name = vt_vgpu_value_name(field, value);
        if (name != NULL) {
            vt_json_string(w, name);
            return;
        }
        put_number(w, value);
        return;
    case VT_VGPU_NUMBER:
    case VT_VGPU_RESOURCE:
    case VT_VGPU_SCANOUT:
    case VT_VGPU_CONTEXT:
        put_number(w, value);
        return;
    case VT_VGPU_HEX:
    case VT_VGPU_ADDRESS:
        vt_json_hex(w, value);
        return;
    case VT_VGPU_FLAGS:
        put_flags(w, field, value);
        return;
    case VT_VGPU_TEXT:
        vt_json_string_n(w, at, strnlen(at, n));
        return;
    case VT_VGPU_BYTES:
        put_hex_bytes(w, at, n);
        return;
    case VT_VGPU_RECT:
        memcpy(&rect, at, sizeof rect);
        vt_json_object(w);
        vt_json_kv_u64(w, "x", rect.x);
        vt_json_kv_u64(w, "y", rect.y);
        vt_json_kv_u64(w, "width", rect.width);
        vt_json_kv_u64(w, "height", rect.height);
        vt_json_object_end(w);
        return;
    }
}

static void close_array(struct message_out *m)
{
    if (m->in_array) {
        vt_json_array_end(m->w);
        m->in_array = false;
    }
}

/** The member's key, or its array: of "strides[0]", "strides[1]" … the first opens one. */
static void put_key(struct message_out *m, const char *name)
{
    const char *bracket = strchr(name, '[');
    if (bracket == NULL || strcmp(bracket, "[0]") == 0) {
        close_array(m);
        char key[NAME_BYTES] = "";
        size_t n = bracket != NULL ? (size_t)(bracket - name) : strlen(name);
        memcpy(key, name, n < sizeof key ? n : sizeof key - 1);
        vt_json_key(m->w, key);
        if (bracket != NULL) {
            vt_json_array(m->w);
            m->in_array = true;
        }
    }
}

static void put_field(const struct vt_vgpu_field *field, int64_t element, uint64_t value,
                      const void *at, size_t n, void *arg)
{
    struct message_out *m = arg;
    bool is_header =
        field >= vt_vgpu_header_fields && field < vt_vgpu_header_fields + vt_vgpu_n_header_fields;
    if (m->in_header && !is_header) {
        vt_json_object_end(m->w);
        m->in_header = false;
    }
    if (element != m->element) {
        close_array(m);
        if (!m->in_tail) {
            vt_json_key(m->w, m->message->tail.name);
            vt_json_array(m->w);
            m->in_tail = true;
        } else {
            vt_json_object_end(m->w);
        }
        vt_json_object(m->w);
        m->element = element;
    }
    put_key(m, field->name);
    put_value(m->w, field, value, at, n);
}

static void put_message(struct vt_json_writer *w, const char *key,
                        const struct vt_vgpu_message *message, enum vt_vgpu_verdict verdict,
                        const void *bytes, size_t n)
{
    vt_json_key(w, key);
    vt_json_object(w);
    vt_json_key(w, "name");
    if (message != NULL) {
        vt_json_string(w, message->name);
    } else {
        vt_json_null(w);
    }
    vt_json_kv_u64(w, "bytes", n);
    if (verdict != VT_VGPU_WELL) {
        vt_json_kv_string(w, "wrong", vt_vgpu_verdict_name(verdict));
    }
    vt_json_key(w, "header");
    vt_json_object(w);
    struct message_out m = {.w = w, .message = message, .in_header = true, .element = -1};
    vt_vgpu_visit(message, bytes, n, UINT32_MAX, put_field, &m);
    close_array(&m);
    if (m.in_tail) {
        vt_json_object_end(w);
        vt_json_array_end(w);
    }
    if (m.in_header) {
        vt_json_object_end(w);
    }
    vt_json_object_end(w);
}

static void put_command(struct vt_json_writer *w, const struct vt_vgpu_event_seen *event)
{
    struct vt_vgpu_looked looked;
    vt_vgpu_look(event, &looked);
    vt_json_kv_string(w, "queue", vt_vgpu_queue_name(event->queue));
    vt_json_kv_u64(w, "slot", event->slot);
    if ((event->flags & VT_VGPU_NO_RESPONSE) == 0) {
        put_member(w, "answered_ns", event->answered_ns);
        if (vt_vgpu_knows_latency(event)) {
            put_member(w, "latency_ns", event->answered_ns - event->submitted_ns);
        }
        vt_json_kv_u64(w, "written", event->written);
    }
    put_message(w, "request", looked.request, looked.request_verdict, event->request,
                event->request_bytes);
    if (event->response_bytes > 0) {
        put_message(w, "response", looked.response, looked.response_verdict, event->response,
                    event->response_bytes);
    }
}

static void put_venus(struct vt_json_writer *w, const struct vt_vgpu_event_seen *event)
{
    static const char *const kinds[] = {
        [VT_VGPU_VENUS_CREATED] = "created",   [VT_VGPU_VENUS_DESTROYED] = "destroyed",
        [VT_VGPU_VENUS_COMMAND] = "command",   [VT_VGPU_VENUS_MEMORY] = "memory",
        [VT_VGPU_VENUS_ATTACHED] = "attached", [VT_VGPU_VENUS_DETACHED] = "detached",
    };
    struct vt_vgpu_venus_memory place;
    vt_json_kv_string(w, "what", kinds[event->slot]);
    vt_json_kv_u64(w, "context", event->written);
    if (event->slot == VT_VGPU_VENUS_COMMAND) {
        vt_json_kv_hex(w, "ring", event->lost);
        put_member(w, "answered_ns", event->answered_ns);
        vt_vgpu_venus_json(w, event, VT_VGPU_VENUS_MAX);
    } else if (event->slot == VT_VGPU_VENUS_CREATED) {
        vt_json_key(w, "context_name");
        vt_json_string_n(w, event->request_bytes > 0 ? (const char *)event->request : "",
                         event->request_bytes);
    } else if (vt_vgpu_venus_place(event, &place)) {
        put_member(w, event->slot == VT_VGPU_VENUS_MEMORY ? "memory" : "resource", place.id);
        if (event->slot == VT_VGPU_VENUS_MEMORY) {
            put_member(w, "offset", place.offset);
            put_member(w, "bytes", event->request_bytes - sizeof place);
        } else if (event->slot == VT_VGPU_VENUS_ATTACHED) {
            put_member(w, "size", place.offset);
        }
    }
}

static bool put(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    struct vt_json_writer w;
    vt_json_init(&w, x->out, false);
    vt_json_object(&w);
    vt_json_kv_string(&w, "kind", vt_vgpu_seen_name(event->kind));
    put_member(&w, "sequence", event->sequence);
    put_member(&w, "submitted_ns", event->submitted_ns);
    vt_json_key(&w, "flags");
    vt_json_array(&w);
    for (uint32_t bit = 1; bit <= VT_VGPU_SEEN_FLAGS; bit <<= 1) {
        if ((event->flags & bit) != 0) {
            vt_json_string(&w, vt_vgpu_seen_flag_name(bit));
        }
    }
    vt_json_array_end(&w);
    switch (event->kind) {
    case VT_VGPU_SEEN_COMMAND:
        put_command(&w, event);
        break;
    case VT_VGPU_SEEN_LOST:
        put_member(&w, "lost", event->lost);
        break;
    case VT_VGPU_SEEN_RESET:
        break;
    case VT_VGPU_SEEN_VENUS:
        put_venus(&w, event);
        break;
    case VT_VGPU_SEEN_NOTE:
        vt_json_key(&w, "text");
        vt_json_string_n(&w, event->request_bytes > 0 ? (const char *)event->request : "",
                         event->request_bytes);
        break;
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
    return true;
}

const struct vt_vgpu_exporter vt_vgpu_exporter_jsonl = {.name = "jsonl", .put = put};
