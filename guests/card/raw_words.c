/* guests/card/raw_words.c - any command with any fields, as the tables of the protocol have them:
 * the driver's state machines are not asked, the device is.
 *
 *   raw SET_SCANOUT scanout_id=0 resource_id=1 rect=0,0,640x480 fence_id=7 flags=1
 *   raw RESOURCE_ATTACH_BACKING resource_id=1 entries=mem:4096,mem+8192:4096
 *   raw 0x1ff room=64
 *   bytes control 24 00010000…
 *
 * Fields are the specification's; what is not said is 0. A list after the fixed part has elements
 * parted by commas, members by colons, and its count follows unless it is said behind it.
 */
#include <string.h>

#include "gpu.h"

enum { REQUEST_MOST = 4096, RESPONSE_MOST = 4096 };

static struct {
    uint8_t bytes[REQUEST_MOST] __attribute__((aligned(8)));
    uint32_t n;
    const struct vt_vgpu_command *command; /* NULL: a type that nobody knows */
    uint32_t room;
} request;

static bool store(const struct vt_vgpu_field *field, uint32_t base, uint64_t value)
{
    unsigned bits = 8u * field->bytes;

    if (field->bytes > 8 || (bits < 64 && value >> bits)) {
        return false;
    }
    memcpy(request.bytes + base + field->offset, &value, field->bytes);
    return true;
}

/* "mem" and "mem+4096" are addresses of what `memory` took. */
static bool read_value(const struct vt_vgpu_field *field, const char *text, uint64_t *value)
{
    const char *in_memory = after_prefix(text, "mem");

    if (in_memory && (*in_memory == 0 || *in_memory == '+')) {
        uint64_t offset = 0;

        if (*in_memory == '+' && !parse_number(in_memory + 1, UINT64_MAX, &offset)) {
            return false;
        }
        *value = scratch.address + offset;
        return true;
    }
    for (const struct vt_vgpu_name *n = field->names; n && n->name; n++) {
        if (same_text(n->name, text)) {
            *value = n->value;
            return true;
        }
    }
    return parse_number(text, UINT64_MAX, value);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *to, uint32_t most, uint32_t *n)
{
    for (*n = 0; *text; text += 2, (*n)++) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0 || *n == most) {
            return false;
        }
        to[*n] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool set_field(const struct vt_vgpu_field *field, uint32_t base, const char *text)
{
    uint8_t *at = request.bytes + base + field->offset;
    struct vt_vgpu_rect rect;
    uint64_t value;
    uint32_t n;

    switch (field->kind) {
    case VT_VGPU_RECT:
        if (!parse_rect(text, &rect)) {
            return false;
        }
        memcpy(at, &rect, sizeof(rect));
        return true;
    case VT_VGPU_BYTES:
        return read_hex(text, at, field->bytes, &n);
    case VT_VGPU_TEXT:
        for (n = 0; text[n] && n < field->bytes; n++) {
            at[n] = (uint8_t)text[n];
        }
        return true;
    default:
        return read_value(field, text, &value) && store(field, base, value);
    }
}

/* "A:B,A:B" behind the fixed part. */
static bool set_elements(const struct vt_vgpu_message *message, const char *text)
{
    const struct vt_vgpu_tail *tail = &message->tail;
    uint32_t count = 0, n;

    if (!tail->fields) {
        if (!read_hex(text, request.bytes + message->bytes, REQUEST_MOST - message->bytes,
                      &count)) {
            return false;
        }
        n = count;
    } else {
        unsigned member = 0;

        while (*text) {
            char word[24];
            unsigned used = 0;

            if (member >= tail->n_fields ||
                message->bytes + (count + 1) * tail->bytes > REQUEST_MOST) {
                return false;
            }
            while (*text && *text != ':' && *text != ',' && used < sizeof(word) - 1) {
                word[used++] = *text++;
            }
            word[used] = 0;
            if (!set_field(&tail->fields[member], message->bytes + count * tail->bytes, word)) {
                return false;
            }
            member = *text == ':' ? member + 1 : 0;
            count += *text != ':';
            text += *text != 0;
        }
        n = count * tail->bytes;
    }
    request.n = message->bytes + n;
    if (tail->count_offset) {
        memcpy(request.bytes + tail->count_offset, &count, sizeof(count));
    }
    return true;
}

static bool set_one(char *word)
{
    const struct vt_vgpu_message *message = request.command ? request.command->request : NULL;
    char *value = word;
    uint64_t number;

    while (*value && *value != '=') {
        value++;
    }
    if (!*value) {
        return false;
    }
    *value++ = 0;
    if (same_text(word, "room")) {
        return parse_number(value, RESPONSE_MOST, &number) &&
               (request.room = (uint32_t)number, true);
    }
    if (same_text(word, "length")) { /* of the request: cut or padded */
        return parse_number(value, REQUEST_MOST, &number) && (request.n = (uint32_t)number, true);
    }
    for (unsigned i = 0; i < vt_vgpu_n_header_fields; i++) {
        if (same_text(word, vt_vgpu_header_fields[i].name)) {
            return set_field(&vt_vgpu_header_fields[i], 0, value);
        }
    }
    for (unsigned i = 0; message && i < message->n_fields; i++) {
        if (same_text(word, message->fields[i].name)) {
            return set_field(&message->fields[i], 0, value);
        }
    }
    return message && message->tail.name && same_text(word, message->tail.name) &&
           set_elements(message, value);
}

static const struct vt_vgpu_command *command_named(const char *name)
{
    size_t n;
    const struct vt_vgpu_command *commands = vt_vgpu_commands(&n);

    for (size_t i = 0; i < n; i++) {
        if (same_text(commands[i].request->name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

static bool send(const char *name, enum vt_vgpu_queue queue)
{
    void *ask = gpu_ask(name);

    return gpu_sent(vt_vgpu_submit(gpu.driver, queue, request.bytes, request.n, request.room,
                                   gpu_answered, ask),
                    ask);
}

static bool word_raw(const struct card_words *w)
{
    const struct vt_vgpu_message *response;
    uint64_t type;

    if (w->n < 1) {
        return script_fail("which?");
    }
    if (!gpu_need()) {
        return false;
    }
    memset(&request, 0, sizeof(request));
    request.command = command_named(w->word[0]);
    if (!request.command && !parse_number(w->word[0], UINT32_MAX, &type)) {
        return script_fail("no such command");
    }
    request.n = request.room = sizeof(struct vt_vgpu_header);
    if (request.command) {
        type = request.command->request->type;
        request.n = request.command->request->bytes;
        response = vt_vgpu_message_of(request.command->response);
        request.room = response ? response->bytes : request.room;
        if (response && response->tail.name) {
            request.room = RESPONSE_MOST;
        }
    }
    memcpy(request.bytes, &type, sizeof(uint32_t));
    for (unsigned i = 1; i < w->n; i++) {
        if (!set_one(w->word[i])) {
            return script_fail(w->word[i]);
        }
    }
    return send(request.command ? request.command->request->name : "unknown",
                request.command ? request.command->queue : VT_VGPU_CONTROL_QUEUE);
}

static bool word_bytes(const struct card_words *w)
{
    bool cursor = w->n > 0 && same_text(w->word[0], "cursor");
    uint64_t room;

    memset(&request, 0, sizeof(request));
    if (w->n != 3 || (!cursor && !same_text(w->word[0], "control")) ||
        !parse_number(w->word[1], RESPONSE_MOST, &room) ||
        !read_hex(w->word[2], request.bytes, REQUEST_MOST, &request.n)) {
        return script_fail("not understood");
    }
    request.room = (uint32_t)room;
    return gpu_need() && send("bytes", cursor ? VT_VGPU_CURSOR_QUEUE : VT_VGPU_CONTROL_QUEUE);
}

const struct card_statement raw_statements[] = {
    {"bytes", "bytes control|cursor RESPONSE_ROOM HEX", word_bytes},
    {"raw", "raw COMMAND|TYPE [FIELD=VALUE]... [room=BYTES] [length=BYTES]", word_raw},
    {NULL, NULL, NULL},
};
