/* gpu/venus_show.c - sinks for the generated describers: a line of text, members of JSON.
 *
 * An event's request is number, flags, arguments; its response is number, result, what the command
 * gave back (venus-protocol's wire format). Describers call a sink for each member; a structure or
 * array is opened and shut.
 */
#include "gpu/venus_show.h"

#include "base/text.h"
#include "venus/codec.h"
#include "venus/context.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/** Of the structures of one command while it is shown. */
#define ARENA_BYTES (256u << 20)

static uint32_t word_at(const uint8_t *bytes, uint32_t size, uint32_t offset)
{
    uint32_t word = 0;
    if (size >= offset + sizeof word) {
        memcpy(&word, bytes + offset, sizeof word);
    }
    return word;
}

static const struct vn_command *command_of(const struct vt_vgpu_event_seen *e)
{
    return e->request_bytes >= 8 ? vn_command_of(word_at(e->request, e->request_bytes, 0)) : NULL;
}

const char *vt_vgpu_venus_name(const struct vt_vgpu_event_seen *e, char *text, size_t bytes)
{
    const struct vn_command *command = command_of(e);
    if (command != NULL) {
        return command->name;
    }
    snprintf(text, bytes, "command %" PRIu32, word_at(e->request, e->request_bytes, 0));
    return text;
}

/* ---------------------------------------------------------------- a line */

struct line {
    struct vt_venus_sink sink;
    FILE *out;
    size_t blob_max;
    bool first; /* nothing stands behind the last bracket yet */
    bool array[VT_JSON_DEPTH_MAX];
    unsigned depth;
};

static struct line *line_of(struct vt_venus_sink *sink)
{
    return (struct line *)sink; /* its first member */
}

/* What stands before a value: a comma, and the name unless it is an element. */
static FILE *line_next(struct vt_venus_sink *sink, const char *name)
{
    struct line *l = line_of(sink);
    fputs(l->first ? "" : ", ", l->out);
    l->first = false;
    if (l->depth == 0 || l->depth > VT_JSON_DEPTH_MAX || !l->array[l->depth - 1]) {
        fprintf(l->out, "%s ", name);
    }
    return l->out;
}

static bool line_open(struct vt_venus_sink *sink, const char *name, const char *type, bool array)
{
    struct line *l = line_of(sink);
    (void)type;
    fputc(array ? '[' : '{', line_next(sink, name));
    if (l->depth < VT_JSON_DEPTH_MAX) {
        l->array[l->depth] = array;
    }
    l->depth++;
    l->first = true;
    return true;
}

static bool line_shut(struct vt_venus_sink *sink)
{
    struct line *l = line_of(sink);
    l->depth--;
    fputc(l->depth < VT_JSON_DEPTH_MAX && l->array[l->depth] ? ']' : '}', l->out);
    l->first = false;
    return true;
}

static bool line_number(struct vt_venus_sink *sink, const char *name, const char *type,
                        uint64_t value, bool is_signed)
{
    (void)type;
    fprintf(line_next(sink, name), is_signed ? "%" PRId64 : "%" PRIu64, value);
    return true;
}

static bool line_real(struct vt_venus_sink *sink, const char *name, const char *type, double value)
{
    (void)type;
    fprintf(line_next(sink, name), "%.9g", value);
    return true;
}

static bool line_word(struct vt_venus_sink *sink, const char *name, const char *type,
                      const char *text, uint64_t value)
{
    (void)type;
    (void)value;
    fputs(text, line_next(sink, name));
    return true;
}

static bool line_text(struct vt_venus_sink *sink, const char *name, const char *text, size_t bytes)
{
    char safe[1024];
    vt_text_printable(safe, sizeof safe, text, bytes);
    fprintf(line_next(sink, name), "\"%s\"", safe);
    return true;
}

static void put_hex(FILE *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        fprintf(out, "%02x", bytes[i]);
    }
}

static bool line_blob(struct vt_venus_sink *sink, const char *name, const void *bytes, size_t size)
{
    struct line *l = line_of(sink);
    const bool whole = size <= l->blob_max;
    FILE *out = line_next(sink, name);
    fputc('<', out);
    put_hex(out, bytes, whole ? size : l->blob_max);
    fprintf(out, whole ? ">" : "... %zu bytes>", size);
    return true;
}

static bool line_handle(struct vt_venus_sink *sink, const char *name, const char *type, uint64_t id)
{
    (void)type;
    fprintf(line_next(sink, name), id != 0 ? "#%" PRIu64 : "none", id);
    return true;
}

static bool line_null(struct vt_venus_sink *sink, const char *name, const char *type)
{
    (void)type;
    fputs("none", line_next(sink, name));
    return true;
}

static const struct vt_venus_sink line_sink = {
    .open = line_open,
    .shut = line_shut,
    .number = line_number,
    .real = line_real,
    .word = line_word,
    .text = line_text,
    .blob = line_blob,
    .handle = line_handle,
    .null = line_null,
};

/* Arguments, or with `reply` what came back; the first thing that is wrong is in *fault. */
static void describe(const struct vt_vgpu_event_seen *e, bool reply, struct vt_venus_arena *arena,
                     struct vt_venus_sink *sink, struct vt_venus_fault *fault)
{
    const struct vn_command *command = command_of(e);
    const uint8_t *bytes = reply ? e->response : e->request;
    const uint32_t size = reply ? e->response_bytes : e->request_bytes;
    const uint32_t header = reply ? 0 : 8; /* a reply's describer begins with its number */
    struct vt_venus_in in = {.start = bytes, .at = bytes, .end = bytes + size, .arena = arena};
    bool (*read)(struct vt_venus_in *, struct vt_venus_sink *) = command == NULL ? NULL
                                                                 : reply ? command->describe_reply
                                                                         : command->describe;
    if (command == NULL || size < header) {
        vt_venus_fail(&in, command == NULL ? VT_VENUS_UNKNOWN : VT_VENUS_TRUNCATED, NULL,
                      word_at(bytes, size, 0), 0);
    } else if (read == NULL) { /* its arguments cannot be sent: nobody reads them */
        in.fault.command = command->name;
        vt_venus_fail(&in, VT_VENUS_REFUSED, NULL, command->id, 0);
    } else {
        in.at += header;
        in.fault.command = command->name;
        (void)read(&in, sink);
    }
    *fault = in.fault;
    vt_venus_arena_reset(arena);
}

void vt_vgpu_venus_line(FILE *out, const struct vt_vgpu_event_seen *e, size_t blob_max)
{
    char text[256];
    struct vt_venus_fault fault;
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, ARENA_BYTES);
    struct line l = {.sink = line_sink, .out = out, .blob_max = blob_max, .first = true};
    fprintf(out, "%s(", vt_vgpu_venus_name(e, text, sizeof text));
    describe(e, false, &arena, &l.sink, &fault);
    fputc(')', out);
    if (fault.kind == VT_VENUS_FINE && e->response_bytes > 0) {
        fputs(" -> ", out);
        l.first = true;
        l.depth = 0;
        describe(e, true, &arena, &l.sink, &fault);
    }
    if (fault.kind != VT_VENUS_FINE) {
        fprintf(out, " [%s]", vt_venus_fault_text(&fault, text, sizeof text));
    }
    vt_venus_arena_fini(&arena);
}

/* ---------------------------------------------------------------- the result alone */

struct result {
    struct vt_venus_sink sink;
    bool found;
    int32_t value;
};

/* A reply's first word is the result if the command has one; nothing behind it is wanted. */
static bool result_word(struct vt_venus_sink *sink, const char *name, const char *type,
                        const char *text, uint64_t value)
{
    struct result *r = (struct result *)sink; /* its first member */
    (void)name;
    (void)text;
    r->found = strcmp(type, "VkResult") == 0;
    r->value = (int32_t)value;
    return false;
}

static bool result_open(struct vt_venus_sink *sink, const char *name, const char *type, bool array)
{
    (void)sink, (void)name, (void)type, (void)array;
    return false;
}

static bool result_shut(struct vt_venus_sink *sink)
{
    (void)sink;
    return false;
}

static bool result_number(struct vt_venus_sink *sink, const char *name, const char *type,
                          uint64_t value, bool is_signed)
{
    (void)sink, (void)name, (void)type, (void)value, (void)is_signed;
    return false;
}

static bool result_real(struct vt_venus_sink *sink, const char *name, const char *type,
                        double value)
{
    (void)sink, (void)name, (void)type, (void)value;
    return false;
}

static bool result_text(struct vt_venus_sink *sink, const char *name, const char *text,
                        size_t bytes)
{
    (void)sink, (void)name, (void)text, (void)bytes;
    return false;
}

static bool result_blob(struct vt_venus_sink *sink, const char *name, const void *bytes,
                        size_t size)
{
    (void)sink, (void)name, (void)bytes, (void)size;
    return false;
}

static bool result_handle(struct vt_venus_sink *sink, const char *name, const char *type,
                          uint64_t id)
{
    (void)sink, (void)name, (void)type, (void)id;
    return false;
}

static bool result_null(struct vt_venus_sink *sink, const char *name, const char *type)
{
    (void)sink, (void)name, (void)type;
    return false;
}

bool vt_vgpu_venus_result(const struct vt_vgpu_event_seen *e, int32_t *result)
{
    struct vt_venus_fault fault;
    struct vt_venus_arena arena;
    struct result r = {.sink = {.open = result_open,
                                .shut = result_shut,
                                .number = result_number,
                                .real = result_real,
                                .word = result_word,
                                .text = result_text,
                                .blob = result_blob,
                                .handle = result_handle,
                                .null = result_null}};
    vt_venus_arena_init(&arena, ARENA_BYTES);
    describe(e, true, &arena, &r.sink, &fault);
    vt_venus_arena_fini(&arena);
    if (r.found) {
        *result = r.value;
    }
    return r.found;
}

/* ---------------------------------------------------------------- JSON */

struct json {
    struct vt_venus_sink sink;
    struct vt_json_writer *w;
    size_t blob_max;
    unsigned skipped; /* levels below the deepest that the writer keeps */
};

static struct json *json_of(struct vt_venus_sink *sink)
{
    return (struct json *)sink; /* its first member */
}

/* The writer, ready for a value of this name; NULL: too deep to be shown. */
static struct vt_json_writer *json_next(struct vt_venus_sink *sink, const char *name)
{
    struct json *j = json_of(sink);
    if (j->skipped > 0) {
        return NULL;
    }
    if (j->w->is_object[j->w->depth]) {
        vt_json_key(j->w, name);
    }
    return j->w;
}

static bool json_open(struct vt_venus_sink *sink, const char *name, const char *type, bool array)
{
    struct json *j = json_of(sink);
    (void)type;
    if (j->skipped > 0 || j->w->depth + 1 >= VT_JSON_DEPTH_MAX) {
        if (j->skipped++ == 0) {
            if (j->w->is_object[j->w->depth]) {
                vt_json_key(j->w, name);
            }
            vt_json_string(j->w, "...");
        }
        return true;
    }
    struct vt_json_writer *w = json_next(sink, name);
    (array ? vt_json_array : vt_json_object)(w);
    return true;
}

static bool json_shut(struct vt_venus_sink *sink)
{
    struct json *j = json_of(sink);
    if (j->skipped > 0) {
        j->skipped--;
    } else {
        (j->w->is_object[j->w->depth] ? vt_json_object_end : vt_json_array_end)(j->w);
    }
    return true;
}

static bool json_number(struct vt_venus_sink *sink, const char *name, const char *type,
                        uint64_t value, bool is_signed)
{
    struct vt_json_writer *w = json_next(sink, name);
    (void)type;
    if (w == NULL) {
        return true;
    }
    if (is_signed) {
        vt_json_i64(w, (int64_t)value);
    } else if (value > (uint64_t)1 << 53) {
        vt_json_hex(w, value); /* readers of JSON have doubles */
    } else {
        vt_json_u64(w, value);
    }
    return true;
}

static bool json_real(struct vt_venus_sink *sink, const char *name, const char *type, double value)
{
    struct vt_json_writer *w = json_next(sink, name);
    (void)type;
    if (w != NULL) {
        vt_json_f64(w, value, 9);
    }
    return true;
}

static bool json_word(struct vt_venus_sink *sink, const char *name, const char *type,
                      const char *text, uint64_t value)
{
    struct vt_json_writer *w = json_next(sink, name);
    (void)type;
    (void)value;
    if (w != NULL) {
        vt_json_string(w, text);
    }
    return true;
}

static bool json_text(struct vt_venus_sink *sink, const char *name, const char *text, size_t bytes)
{
    struct vt_json_writer *w = json_next(sink, name);
    if (w != NULL) {
        vt_json_string_n(w, text, bytes);
    }
    return true;
}

static bool json_blob(struct vt_venus_sink *sink, const char *name, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    struct json *j = json_of(sink);
    struct vt_json_writer *w = json_next(sink, name);
    if (w == NULL) {
        return true;
    }
    const size_t shown = size < j->blob_max ? size : j->blob_max;
    const uint8_t *from = bytes;
    char *hex = malloc(2 * shown + 1);
    vt_json_object(w);
    vt_json_kv_u64(w, "bytes", size);
    vt_json_key(w, "hex");
    if (hex == NULL) {
        vt_json_null(w);
    } else {
        for (size_t i = 0; i < shown; i++) {
            hex[2 * i] = digits[from[i] >> 4];
            hex[2 * i + 1] = digits[from[i] & 15];
        }
        vt_json_string_n(w, hex, 2 * shown);
    }
    vt_json_object_end(w);
    free(hex);
    return true;
}

static bool json_handle(struct vt_venus_sink *sink, const char *name, const char *type, uint64_t id)
{
    return json_number(sink, name, type, id, false);
}

static bool json_null(struct vt_venus_sink *sink, const char *name, const char *type)
{
    struct vt_json_writer *w = json_next(sink, name);
    (void)type;
    if (w != NULL) {
        vt_json_null(w);
    }
    return true;
}

static const struct vt_venus_sink json_sink = {
    .open = json_open,
    .shut = json_shut,
    .number = json_number,
    .real = json_real,
    .word = json_word,
    .text = json_text,
    .blob = json_blob,
    .handle = json_handle,
    .null = json_null,
};

/* One member that is an object of what `describe` finds; whatever a fault left open is shut. */
static void json_part(struct json *j, const char *name, const struct vt_vgpu_event_seen *e,
                      bool reply, struct vt_venus_arena *arena, struct vt_venus_fault *fault)
{
    vt_json_key(j->w, name);
    vt_json_object(j->w);
    const unsigned depth = j->w->depth;
    describe(e, reply, arena, &j->sink, fault);
    j->skipped = 0;
    while (j->w->depth > depth) {
        json_shut(&j->sink);
    }
    vt_json_object_end(j->w);
}

void vt_vgpu_venus_json(struct vt_json_writer *w, const struct vt_vgpu_event_seen *e,
                        size_t blob_max)
{
    char text[256];
    struct vt_venus_fault fault;
    struct vt_venus_arena arena;
    struct json j = {.sink = json_sink, .w = w, .blob_max = blob_max};
    vt_venus_arena_init(&arena, ARENA_BYTES);
    vt_json_kv_string(w, "name", vt_vgpu_venus_name(e, text, sizeof text));
    json_part(&j, "arguments", e, false, &arena, &fault);
    if (fault.kind == VT_VENUS_FINE && e->response_bytes > 0) {
        json_part(&j, "reply", e, true, &arena, &fault);
    }
    if (fault.kind != VT_VENUS_FINE) {
        vt_json_kv_string(w, "fault", vt_venus_fault_text(&fault, text, sizeof text));
    }
    vt_venus_arena_fini(&arena);
}
