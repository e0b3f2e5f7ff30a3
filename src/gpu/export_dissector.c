/* gpu/export_dissector.c - the Lua dissector of our pcapng: dissector.lua with tables made of
 * virtio/gpu/protocol's in it. The program there knows no message by itself.
 *
 * Members of the same name and kind in several messages are one field to filter by
 * ("vgpu.resource_id"); where name and kind disagree, the message's name stands between.
 */
#include "base/embedded.h"
#include "gpu/export_parts.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/** dissector.lua. */
extern const struct vt_embedded vt_vgpu_lua[];

#define FIELDS_MAX 256
#define KEY_BYTES 96

/** What Lua gets to see: one of each distinct member. */
struct known {
    const struct vt_vgpu_field *field;
    const char *message; /* whose alone it is, or NULL */
    char key[KEY_BYTES];
};

struct dissector {
    FILE *out;
    struct known known[FIELDS_MAX];
    size_t n;
};

/** Lower-case, and only what a filter's name may have. */
static void put_in_key(char *key, const char *text)
{
    size_t n = strlen(key);
    for (; *text != '\0' && n + 1 < KEY_BYTES; text++) {
        if (isalnum((unsigned char)*text)) {
            key[n++] = (char)tolower((unsigned char)*text);
        } else if (*text != ']') {
            key[n++] = '_';
        }
    }
    key[n] = '\0';
}

static bool same(const struct vt_vgpu_field *a, const struct vt_vgpu_field *b)
{
    return strcmp(a->name, b->name) == 0 && a->bytes == b->bytes && a->kind == b->kind &&
           a->names == b->names;
}

static const struct known *find_key(const struct dissector *d, const char *key)
{
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(d->known[i].key, key) == 0) {
            return &d->known[i];
        }
    }
    return NULL;
}

static const char *key_of(const struct dissector *d, const char *message,
                          const struct vt_vgpu_field *field)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct known *k = &d->known[i];
        if (same(k->field, field) && (k->message == NULL || strcmp(k->message, message) == 0)) {
            return k->key;
        }
    }
    return "";
}

static const char *number_type(const struct vt_vgpu_field *field)
{
    return field->bytes == 1 ? "uint8" : field->bytes == 8 ? "uint64" : "uint32";
}

static void put_names(FILE *out, const struct vt_vgpu_name *names)
{
    const char *between = "{";
    for (; names->name != NULL; names++) {
        fprintf(out, "%s[0x%" PRIx32 "]=\"%s\"", between, names->value, names->name);
        between = ", ";
    }
    fputc('}', out);
}

/** One ProtoField, and those that are parts of it. */
static void put_field(struct dissector *d, const struct vt_vgpu_field *f, const char *key)
{
    FILE *out = d->out;
    fprintf(out, "field(\"%s\", ProtoField.", key);
    switch (f->kind) {
    case VT_VGPU_NUMBER:
    case VT_VGPU_RESOURCE:
    case VT_VGPU_SCANOUT:
    case VT_VGPU_CONTEXT:
        fprintf(out, "%s(\"vgpu.%s\", \"%s\", base.DEC))\n", number_type(f), key, f->name);
        return;
    case VT_VGPU_HEX:
    case VT_VGPU_ADDRESS:
        fprintf(out, "%s(\"vgpu.%s\", \"%s\", base.HEX))\n", number_type(f), key, f->name);
        return;
    case VT_VGPU_ENUM:
        fprintf(out, "%s(\"vgpu.%s\", \"%s\", base.HEX_DEC, ", number_type(f), key, f->name);
        put_names(out, f->names);
        fputs("))\n", out);
        return;
    case VT_VGPU_FLAGS:
        fprintf(out, "%s(\"vgpu.%s\", \"%s\", base.HEX))\n", number_type(f), key, f->name);
        for (const struct vt_vgpu_name *p = f->names; p->name != NULL; p++) {
            char bit[KEY_BYTES] = "";
            put_in_key(bit, p->name);
            fprintf(out, "bit(\"%s\", \"%s.%s\", \"%s\", %u, 0x%" PRIx32 ")\n", key, key, bit,
                    p->name, 8u * f->bytes, p->value);
        }
        return;
    case VT_VGPU_TEXT:
        fprintf(out, "string(\"vgpu.%s\", \"%s\", base.UNICODE))\n", key, f->name);
        return;
    case VT_VGPU_BYTES:
        fprintf(out, "bytes(\"vgpu.%s\", \"%s\", base.NONE))\n", key, f->name);
        return;
    case VT_VGPU_RECT:
        fprintf(out, "bytes(\"vgpu.%s\", \"%s\", base.NONE))\n", key, f->name);
        static const char *const parts[] = {"x", "y", "width", "height"};
        for (size_t i = 0; i < 4; i++) {
            fprintf(out, "field(\"%s.%s\", ProtoField.uint32(\"vgpu.%s.%s\", \"%s\"))\n", key,
                    parts[i], key, parts[i], parts[i]);
        }
        return;
    }
}

static void know(struct dissector *d, const char *message, const struct vt_vgpu_field *fields,
                 unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct vt_vgpu_field *f = &fields[i];
        if (key_of(d, message, f)[0] != '\0' || d->n == FIELDS_MAX) {
            continue;
        }
        struct known *k = &d->known[d->n];
        k->field = f;
        k->message = NULL;
        k->key[0] = '\0';
        put_in_key(k->key, f->name);
        if (find_key(d, k->key) != NULL) {
            k->message = message;
            k->key[0] = '\0';
            put_in_key(k->key, message);
            strncat(k->key, ".", KEY_BYTES - strlen(k->key) - 1);
            put_in_key(k->key, f->name);
        }
        d->n++;
        put_field(d, f, k->key);
    }
}

static const char *kind_name(enum vt_vgpu_kind kind)
{
    switch (kind) {
    case VT_VGPU_RESOURCE:
    case VT_VGPU_SCANOUT:
        return "id";
    case VT_VGPU_TEXT:
        return "text";
    case VT_VGPU_BYTES:
        return "bytes";
    case VT_VGPU_RECT:
        return "rect";
    case VT_VGPU_NUMBER:
    case VT_VGPU_HEX:
    case VT_VGPU_ADDRESS:
    case VT_VGPU_CONTEXT:
    case VT_VGPU_ENUM:
    case VT_VGPU_FLAGS:
        break;
    }
    return "number";
}

static void put_list(struct dissector *d, const char *message, const struct vt_vgpu_field *fields,
                     unsigned n)
{
    fputs("{", d->out);
    for (unsigned i = 0; i < n; i++) {
        const struct vt_vgpu_field *f = &fields[i];
        fprintf(d->out, "%s{\"%s\", %u, %u, \"%s\", \"%s\"}", i == 0 ? "" : ", ",
                key_of(d, message, f), f->offset, f->bytes, kind_name(f->kind), f->name);
    }
    fputs("}", d->out);
}

static void put_message(struct dissector *d, const struct vt_vgpu_message *m)
{
    fprintf(d->out, "messages[0x%04" PRIx32 "] = {name=\"%s\", bytes=%u, fields=", m->type, m->name,
            m->bytes);
    put_list(d, m->name, m->fields, m->n_fields);
    if (m->tail.name != NULL) {
        fprintf(d->out, ", tail={name=\"%s\", count_offset=%u, bytes=%u, capacity=%u, fields=",
                m->tail.name, m->tail.count_offset, m->tail.bytes, m->tail.capacity);
        put_list(d, m->name, m->tail.fields, m->tail.n_fields);
        fputs("}", d->out);
    }
    fputs("}\n", d->out);
}

static void put_tables(FILE *out)
{
    struct dissector d = {.out = out};
    size_t n_commands, n_responses;
    const struct vt_vgpu_command *commands = vt_vgpu_commands(&n_commands);
    const struct vt_vgpu_message *responses = vt_vgpu_responses(&n_responses);
    for (uint32_t flag = 1; flag <= VT_VGPU_SEEN_FLAGS; flag <<= 1) {
        fprintf(out, "bit(\"seen\", \"%s\", \"%s\", 8, 0x%" PRIx32 ")\n",
                vt_vgpu_seen_flag_name(flag), vt_vgpu_seen_flag_name(flag), flag);
    }
    know(&d, "header", vt_vgpu_header_fields, vt_vgpu_n_header_fields);
    for (size_t i = 0; i < n_commands + n_responses; i++) {
        const struct vt_vgpu_message *m =
            i < n_commands ? commands[i].request : &responses[i - n_commands];
        know(&d, m->name, m->fields, m->n_fields);
        know(&d, m->name, m->tail.fields, m->tail.n_fields);
    }
    fputs("local header = ", out);
    put_list(&d, "header", vt_vgpu_header_fields, vt_vgpu_n_header_fields);
    fputs("\n", out);
    for (size_t i = 0; i < n_commands + n_responses; i++) {
        put_message(&d, i < n_commands ? commands[i].request : &responses[i - n_commands]);
    }
}

void vt_vgpu_export_dissector(FILE *out)
{
    static const char mark[] = "--@TABLES@\n";
    const char *program = (const char *)vt_vgpu_lua[0].bytes;
    const size_t n = vt_vgpu_lua[0].size, mark_bytes = sizeof mark - 1;
    const char *at = memmem(program, n, mark, mark_bytes);
    assert(at != NULL);
    const size_t before = (size_t)(at - program);
    fwrite(program, 1, before, out);
    put_tables(out);
    fwrite(at + mark_bytes, 1, n - before - mark_bytes, out);
}
