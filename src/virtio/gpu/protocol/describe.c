/* virtio/gpu/protocol/describe.c - a message as one line of text, from its table alone. */
#include "virtio/gpu/protocol/protocol.h"

#include <string.h>

/** Of a tail: elements that are written out, and plain bytes. */
#define ELEMENTS_SHOWN 4u
#define BYTES_SHOWN 16u

static const char ellipsis[] = "…";

struct line {
    char *to;
    size_t room, n;
    bool cut;
};

/** Appends all of it, or marks the line as cut: there is always room for the mark and the end. */
static void put(struct line *l, const char *text, size_t n)
{
    if (l->cut || n > l->room - l->n) {
        l->cut = true;
        return;
    }
    memcpy(l->to + l->n, text, n);
    l->n += n;
}

static void put_text(struct line *l, const char *text)
{
    size_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    put(l, text, n);
}

static void put_number(struct line *l, uint64_t value, unsigned base)
{
    char digits[2 + 64];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (base == 16) {
        digits[--at] = 'x';
        digits[--at] = '0';
    }
    put(l, digits + at, sizeof digits - at);
}

static void put_byte_hex(struct line *l, uint8_t byte)
{
    const char two[] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    put(l, two, sizeof two);
}

/** The name without "_id", which says nothing in a sentence. */
static void put_name(struct line *l, const char *name)
{
    size_t n = 0;
    while (name[n] != '\0') {
        n++;
    }
    if (n > 3 && memcmp(name + n - 3, "_id", 3) == 0) {
        n -= 3;
    }
    put(l, name, n);
}

static void put_flags(struct line *l, const struct vt_vgpu_field *field, uint64_t value)
{
    const char *between = "";
    for (const struct vt_vgpu_name *p = field->names; p->name != NULL; p++) {
        if ((value & p->value) != 0) {
            put_text(l, between);
            put_text(l, p->name);
            between = "|";
            value &= ~(uint64_t)p->value;
        }
    }
    if (value != 0 || between[0] == '\0') {
        put_text(l, between);
        put_number(l, value, value != 0 ? 16 : 10);
    }
}

static void put_quoted(struct line *l, const uint8_t *at, size_t n)
{
    put_text(l, "\"");
    for (size_t i = 0; i < n && at[i] != '\0'; i++) {
        const char ch = (char)at[i];
        if (at[i] < 0x20 || at[i] >= 0x7f || ch == '"' || ch == '\\') {
            put_text(l, "\\x");
            put_byte_hex(l, at[i]);
        } else {
            put(l, &ch, 1);
        }
    }
    put_text(l, "\"");
}

static void put_bytes(struct line *l, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n && i < BYTES_SHOWN; i++) {
        put_byte_hex(l, at[i]);
    }
    if (n > BYTES_SHOWN) {
        put_text(l, ellipsis);
    }
    put_text(l, n > 0 ? " (" : "(");
    put_number(l, n, 10);
    put_text(l, " bytes)");
}

static void put_rect(struct line *l, const void *at)
{
    struct vt_vgpu_rect rect;
    memcpy(&rect, at, sizeof rect);
    put_number(l, rect.width, 10);
    put_text(l, "x");
    put_number(l, rect.height, 10);
    put_text(l, "+");
    put_number(l, rect.x, 10);
    put_text(l, "+");
    put_number(l, rect.y, 10);
}

static void put_value(struct line *l, const struct vt_vgpu_field *field, uint64_t value,
                      const void *at, size_t n)
{
    const char *name;
    switch (field->kind) {
    case VT_VGPU_NUMBER:
    case VT_VGPU_RESOURCE:
    case VT_VGPU_SCANOUT:
    case VT_VGPU_CONTEXT:
        put_number(l, value, 10);
        return;
    case VT_VGPU_HEX:
    case VT_VGPU_ADDRESS:
        put_number(l, value, 16);
        return;
    case VT_VGPU_ENUM:
        name = vt_vgpu_value_name(field, value);
        if (name != NULL) {
            put_text(l, name);
        } else {
            put_number(l, value, 10);
        }
        return;
    case VT_VGPU_FLAGS:
        put_flags(l, field, value);
        return;
    case VT_VGPU_TEXT:
        put_quoted(l, at, n);
        return;
    case VT_VGPU_BYTES:
        put_bytes(l, at, n);
        return;
    case VT_VGPU_RECT:
        put_rect(l, at);
        return;
    }
}

/* A line is several walks over the same fields, each of which takes its part. */
struct part {
    struct line *line;
    const struct vt_vgpu_message *message;
    const uint8_t *bytes; /* of the message */
    bool ids;             /* of the fixed part: ids, or the rest */
    int64_t element;      /* the last one that was begun */
};

static bool is_header(const struct vt_vgpu_field *field)
{
    return field >= vt_vgpu_header_fields &&
           field < vt_vgpu_header_fields + vt_vgpu_n_header_fields;
}

static bool is_id(const struct vt_vgpu_field *field)
{
    return field->kind == VT_VGPU_RESOURCE || field->kind == VT_VGPU_SCANOUT;
}

static void put_field(struct line *l, const struct vt_vgpu_field *field, uint64_t value,
                      const void *at, size_t n)
{
    put_text(l, " ");
    put_name(l, field->name);
    put_text(l, " ");
    put_value(l, field, value, at, n);
}

static void describe_fixed(const struct vt_vgpu_field *field, int64_t element, uint64_t value,
                           const void *at, size_t n, void *arg)
{
    struct part *p = arg;
    if (element < 0 && field->bytes > 0 && !is_header(field) && is_id(field) == p->ids) {
        put_field(p->line, field, value, at, n);
    }
}

/** Of elements that are always there those that are all zero say nothing. */
static bool is_blank(const uint8_t *at, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= at[i];
    }
    return any == 0;
}

static void describe_tail(const struct vt_vgpu_field *field, int64_t element, uint64_t value,
                          const void *at, size_t n, void *arg)
{
    struct part *p = arg;
    const struct vt_vgpu_tail *tail = &p->message->tail;
    if (field->bytes == 0) {
        put_field(p->line, field, value, at, n);
        return;
    }
    if (element < 0) {
        return;
    }
    const uint8_t *whole = p->bytes + p->message->bytes + (uint64_t)element * tail->bytes;
    if (tail->capacity != 0 && is_blank(whole, tail->bytes)) {
        return;
    }
    bool begins = element != p->element;
    p->element = element;
    if (tail->capacity == 0 && element >= ELEMENTS_SHOWN) {
        put_text(p->line, begins ? " …" : "");
        return;
    }
    if (begins) {
        put_text(p->line, " ");
        put_text(p->line, tail->name);
        put_text(p->line, "[");
        put_number(p->line, (uint64_t)element, 10);
        put_text(p->line, "]");
    }
    put_field(p->line, field, value, at, n);
}

static void describe_header(struct line *l, const struct vt_vgpu_header *h)
{
    if ((h->flags & VT_VGPU_FLAG_FENCE) != 0) {
        put_text(l, " fence ");
        put_number(l, h->fence_id, 10);
    }
    if (h->ctx_id != 0) {
        put_text(l, " context ");
        put_number(l, h->ctx_id, 10);
    }
    if ((h->flags & VT_VGPU_FLAG_INFO_RING_IDX) != 0) {
        put_text(l, " ring ");
        put_number(l, h->ring_idx, 10);
    }
    uint32_t rest = h->flags & ~(VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX);
    if (rest != 0) {
        put_text(l, " flags ");
        put_number(l, rest, 16);
    }
}

size_t vt_vgpu_describe(const struct vt_vgpu_message *message, const void *bytes, size_t n,
                        char *to, size_t room)
{
    if (room == 0) {
        return 0;
    }
    const size_t reserved = sizeof ellipsis; /* the mark and the terminator */
    struct line l = {.to = to, .room = room >= reserved ? room - reserved : 0};
    struct vt_vgpu_header h = {0};
    if (n > 0) {
        memcpy(&h, bytes, n < sizeof h ? n : sizeof h);
    }
    if (message != NULL) {
        put_text(&l, message->name);
    } else {
        put_text(&l, "type ");
        put_number(&l, h.type, 16);
        put_text(&l, " (");
        put_number(&l, n, 10);
        put_text(&l, " bytes)");
    }
    struct part p = {.line = &l, .message = message, .bytes = bytes, .ids = true, .element = -1};
    vt_vgpu_visit(message, bytes, n, 0, describe_fixed, &p);
    p.ids = false;
    vt_vgpu_visit(message, bytes, n, 0, describe_fixed, &p);
    if (message != NULL && message->tail.name != NULL) {
        uint32_t most = message->tail.capacity != 0 ? message->tail.capacity : ELEMENTS_SHOWN + 1;
        vt_vgpu_visit(message, bytes, n, most, describe_tail, &p);
    }
    describe_header(&l, &h);
    if (l.cut && room >= reserved) {
        memcpy(to + l.n, ellipsis, sizeof ellipsis - 1);
        l.n += sizeof ellipsis - 1;
    }
    to[l.n] = '\0';
    return l.n;
}
