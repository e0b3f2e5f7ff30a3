/* gpu/diff_value.c - see diff_value.h. Fields come from the protocol's tables; what is special here
 * is known by a field's kind, not by a command's. */
#include "gpu/diff_value.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* More than any message holds that is kept (VT_VGPU_PAYLOAD_MAX). */
#define ELEMENTS_MAX (VT_VGPU_PAYLOAD_MAX / 4)

/* What tables have no field for. */
static const struct vt_vgpu_field type_field = {.name = "type", .bytes = 4, .kind = VT_VGPU_HEX};
static const struct vt_vgpu_field verdict_field = {.name = "verdict", .kind = VT_VGPU_NUMBER};
static const struct vt_vgpu_field memory_field = {.name = "backing_bytes", .kind = VT_VGPU_NUMBER};
static const struct vt_vgpu_field rest_field = {.name = "rest", .kind = VT_VGPU_BYTES};

uint64_t vt_vgpu_hash(uint64_t seed, const void *bytes, size_t n)
{
    /* FNV-1a */
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        seed = (seed ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return seed;
}

bool vt_vgpu_is_ignored(const char *const *ignore, const char *name)
{
    for (; ignore != NULL && *ignore != NULL; ignore++) {
        if (strcmp(*ignore, name) == 0) {
            return true;
        }
    }
    return false;
}

static void put(struct vt_vgpu_values *values, struct vt_vgpu_value v)
{
    if (vt_vgpu_is_ignored(values->ignore, v.field->name)) {
        return;
    }
    if (values->n < VT_VGPU_VALUES_MAX - 1) {
        values->v[values->n++] = v;
    } else {
        values->rest = vt_vgpu_hash(values->rest, &v.number, sizeof v.number);
        values->v[VT_VGPU_VALUES_MAX - 1] = (struct vt_vgpu_value){.field = &rest_field,
                                                                   .what = VT_VGPU_VALUE_BYTES,
                                                                   .element = -1,
                                                                   .number = values->rest};
        values->n = VT_VGPU_VALUES_MAX;
    }
}

static void put_number(struct vt_vgpu_values *values, const struct vt_vgpu_field *field,
                       uint64_t number)
{
    put(values, (struct vt_vgpu_value){.field = field, .element = -1, .number = number});
}

static bool is_of_header(const struct vt_vgpu_field *field)
{
    return field >= vt_vgpu_header_fields &&
           field < vt_vgpu_header_fields + vt_vgpu_n_header_fields;
}

/* A list of pieces of guest memory. */
static bool is_scattered(const struct vt_vgpu_message *message)
{
    for (unsigned i = 0; message->tail.fields != NULL && i < message->tail.n_fields; i++) {
        if (message->tail.fields[i].kind == VT_VGPU_ADDRESS) {
            return true;
        }
    }
    return false;
}

static void visit(const struct vt_vgpu_field *field, int64_t element, uint64_t number,
                  const void *at, size_t n, void *arg)
{
    struct vt_vgpu_values *values = arg;
    struct vt_vgpu_value v = {
        .field = field, .element = element, .number = number, .at = at, .n = n};
    const bool header = is_of_header(field);
    /* A driver numbers fences as it likes; whether there is one, the flags say. A response's header
     * is an echo of the request's, or else its verdict says so. */
    if ((header && (values->response || strcmp(field->name, "fence_id") == 0 ||
                    strcmp(field->name, "type") == 0)) ||
        strcmp(field->name, "padding") == 0) {
        return;
    }
    if (values->scattered) {
        if (element >= 0) {
            values->bytes += field->kind == VT_VGPU_NUMBER ? number : 0;
            return;
        }
        if (!header && field->offset == values->message->tail.count_offset) {
            return;
        }
    }
    switch (field->kind) {
    case VT_VGPU_ADDRESS:
        return;
    case VT_VGPU_RESOURCE:
    case VT_VGPU_CONTEXT:
        /* Only requests name things; what a device answers that is no response may look so. */
        v.what = values->response ? VT_VGPU_VALUE_NUMBER : VT_VGPU_VALUE_ID;
        v.context = field->kind == VT_VGPU_CONTEXT;
        break;
    case VT_VGPU_TEXT:
    case VT_VGPU_BYTES:
    case VT_VGPU_RECT:
        v.what = VT_VGPU_VALUE_BYTES;
        v.number = vt_vgpu_hash(VT_VGPU_HASH_SEED, at, n);
        break;
    default:
        break;
    }
    put(values, v);
}

static void collect(struct vt_vgpu_values *values, enum vt_vgpu_verdict verdict,
                    const struct vt_vgpu_message *message, const uint8_t *bytes, size_t n)
{
    uint32_t type = 0;
    memcpy(&type, bytes, n < sizeof type ? n : sizeof type);
    put_number(values, &type_field, type);
    if (message == NULL) {
        put(values, (struct vt_vgpu_value){.field = &rest_field,
                                           .what = VT_VGPU_VALUE_BYTES,
                                           .element = -1,
                                           .number = vt_vgpu_hash(VT_VGPU_HASH_SEED, bytes, n),
                                           .at = bytes,
                                           .n = n});
        return;
    }
    values->message = message;
    values->scattered = is_scattered(message);
    vt_vgpu_visit(message, bytes, n, ELEMENTS_MAX, visit, values);
    if (values->scattered) {
        put_number(values, &memory_field, values->bytes);
    }
    if (verdict != VT_VGPU_WELL && verdict != VT_VGPU_LONG) {
        put_number(values, &verdict_field, verdict);
    }
}

static void begin(struct vt_vgpu_values *values, const char *const *ignore)
{
    values->n = 0;
    values->message = NULL;
    values->ignore = ignore;
    values->scattered = values->response = false;
    values->bytes = 0;
    values->rest = VT_VGPU_HASH_SEED;
}

void vt_vgpu_values_of_request(struct vt_vgpu_values *values, const uint8_t *bytes, size_t n,
                               const char *const *ignore)
{
    const struct vt_vgpu_message *message = NULL;
    uint32_t elements = 0;
    begin(values, ignore);
    enum vt_vgpu_verdict verdict = vt_vgpu_check_request(bytes, n, &message, &elements);
    collect(values, verdict, message, bytes, n);
}

void vt_vgpu_values_of_response(struct vt_vgpu_values *values, const uint8_t *request,
                                size_t request_bytes, const uint8_t *bytes, size_t n,
                                const char *const *ignore)
{
    const struct vt_vgpu_message *message = NULL;
    struct vt_vgpu_header header = {0};
    uint32_t elements = 0;
    memcpy(&header, request, request_bytes < sizeof header ? request_bytes : sizeof header);
    begin(values, ignore);
    values->response = true;
    enum vt_vgpu_verdict verdict = vt_vgpu_check_response(&header, bytes, n, &message, &elements);
    collect(values, verdict, message, bytes, n);
}

void vt_vgpu_value_text(const struct vt_vgpu_value *value, char to[VT_VGPU_VALUE_TEXT])
{
    const struct vt_vgpu_field *field = value->field;
    const char *name = NULL;
    struct vt_vgpu_rect rect;
    if (field == &type_field) {
        name = vt_vgpu_type_name((uint32_t)value->number);
    } else if (field == &verdict_field) {
        name = vt_vgpu_verdict_name((enum vt_vgpu_verdict)value->number);
    } else if (field->kind == VT_VGPU_ENUM || field->kind == VT_VGPU_FLAGS) {
        name = vt_vgpu_value_name(field, value->number);
    }
    if (name != NULL) {
        snprintf(to, VT_VGPU_VALUE_TEXT, "%s", name);
    } else if (field->kind == VT_VGPU_RECT && value->n == sizeof rect) {
        memcpy(&rect, value->at, sizeof rect);
        snprintf(to, VT_VGPU_VALUE_TEXT, "%ux%u+%u+%u", rect.width, rect.height, rect.x, rect.y);
    } else if (field->kind == VT_VGPU_TEXT) {
        vt_text_printable(to, VT_VGPU_VALUE_TEXT, (const char *)value->at,
                          strnlen((const char *)value->at, value->n));
    } else if (value->what == VT_VGPU_VALUE_BYTES) {
        snprintf(to, VT_VGPU_VALUE_TEXT, "%zu bytes %016" PRIx64, value->n, value->number);
    } else if (field->kind == VT_VGPU_HEX || field->kind == VT_VGPU_FLAGS) {
        snprintf(to, VT_VGPU_VALUE_TEXT, "0x%" PRIx64, value->number);
    } else {
        snprintf(to, VT_VGPU_VALUE_TEXT, "%" PRIu64, value->number);
    }
}
