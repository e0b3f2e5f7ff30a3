/* virtio/gpu/protocol/check.c - is this message well-formed, and what are its fields?
 *
 * Bytes come from the other side and may change while they are looked at: each number is copied
 * once, and what is read later has bounds of its own.
 */
#include "virtio/gpu/protocol/protocol.h"

#include <string.h>

const char *vt_vgpu_verdict_name(enum vt_vgpu_verdict verdict)
{
    static const char *const names[VT_VGPU_VERDICTS] = {
        [VT_VGPU_WELL] = "well-formed",
        [VT_VGPU_SHORT] = "too short",
        [VT_VGPU_UNKNOWN_TYPE] = "of an unknown type",
        [VT_VGPU_NOT_ITS_KIND] = "not of the kind that is due",
        [VT_VGPU_TAIL_SHORT] = "has fewer elements than it says",
        [VT_VGPU_WRONG_FENCE] = "of another fence or context",
        [VT_VGPU_LONG] = "longer than it should be",
    };
    return (unsigned)verdict < VT_VGPU_VERDICTS ? names[verdict] : "unknown";
}

static uint32_t read_u32(const void *bytes, size_t offset)
{
    uint32_t value;
    memcpy(&value, (const uint8_t *)bytes + offset, sizeof value);
    return value;
}

/** Elements it says it has, and those that are there. `n` covers the fixed part. */
static void count_tail(const struct vt_vgpu_message *m, const void *bytes, size_t n, uint64_t *said,
                       uint64_t *there)
{
    uint64_t room = (n - m->bytes) / m->tail.bytes;
    *said = m->tail.count_offset != 0 ? read_u32(bytes, m->tail.count_offset)
            : m->tail.capacity != 0   ? m->tail.capacity
                                      : room;
    *there = *said < room ? *said : room;
    if (m->tail.capacity != 0 && *there > m->tail.capacity) {
        *there = m->tail.capacity;
    }
}

/** The verdict on lengths alone. */
static enum vt_vgpu_verdict check_size(const struct vt_vgpu_message *m, const void *bytes, size_t n,
                                       uint32_t *elements)
{
    *elements = 0;
    if (n < m->bytes) {
        return VT_VGPU_SHORT;
    }
    if (m->tail.name == NULL) {
        return n > m->bytes ? VT_VGPU_LONG : VT_VGPU_WELL;
    }
    uint64_t said, there;
    count_tail(m, bytes, n, &said, &there);
    *elements = (uint32_t)(there < UINT32_MAX ? there : UINT32_MAX);
    if (said > there) {
        return VT_VGPU_TAIL_SHORT;
    }
    uint64_t most = said > m->tail.capacity ? said : m->tail.capacity;
    return n - m->bytes > most * m->tail.bytes ? VT_VGPU_LONG : VT_VGPU_WELL;
}

enum vt_vgpu_verdict vt_vgpu_check_request(const void *bytes, size_t n,
                                           const struct vt_vgpu_message **message,
                                           uint32_t *elements)
{
    *message = NULL;
    *elements = 0;
    if (n < sizeof(struct vt_vgpu_header)) {
        return VT_VGPU_SHORT;
    }
    uint32_t type = read_u32(bytes, offsetof(struct vt_vgpu_header, type));
    *message = vt_vgpu_message_of(type);
    if (*message == NULL) {
        return VT_VGPU_UNKNOWN_TYPE;
    }
    enum vt_vgpu_verdict verdict = check_size(*message, bytes, n, elements);
    return vt_vgpu_command_of(type) == NULL ? VT_VGPU_NOT_ITS_KIND : verdict;
}

enum vt_vgpu_verdict vt_vgpu_check_response(const struct vt_vgpu_header *request, const void *bytes,
                                            size_t n, const struct vt_vgpu_message **message,
                                            uint32_t *elements)
{
    const struct vt_vgpu_command *command = vt_vgpu_command_of(request->type);
    struct vt_vgpu_header header;
    *message = NULL;
    *elements = 0;
    if (n == 0 && command != NULL && command->queue == VT_VGPU_CURSOR_QUEUE) {
        return VT_VGPU_WELL;
    }
    if (n < sizeof header) {
        return VT_VGPU_SHORT;
    }
    memcpy(&header, bytes, sizeof header);
    *message = vt_vgpu_message_of(header.type);
    if (*message == NULL) {
        return VT_VGPU_UNKNOWN_TYPE;
    }
    enum vt_vgpu_verdict verdict = check_size(*message, bytes, n, elements);
    bool due = vt_vgpu_is_error(header.type) ||
               (command != NULL ? header.type == command->response
                                : vt_vgpu_command_of(header.type) == NULL);
    if (!due) {
        return VT_VGPU_NOT_ITS_KIND;
    }
    if (verdict != VT_VGPU_WELL && verdict != VT_VGPU_LONG) {
        return verdict;
    }
    bool fenced = (request->flags & VT_VGPU_FLAG_FENCE) != 0;
    if (fenced != ((header.flags & VT_VGPU_FLAG_FENCE) != 0) ||
        (fenced && (header.fence_id != request->fence_id || header.ctx_id != request->ctx_id))) {
        return VT_VGPU_WRONG_FENCE;
    }
    return verdict;
}

/* ---------------------------------------------------------------- visiting */

static uint64_t number_at(const uint8_t *at, size_t n)
{
    uint64_t value = 0;
    memcpy(&value, at, n);
    return value;
}

static void visit_fields(const struct vt_vgpu_field *fields, unsigned n_fields, int64_t element,
                         const uint8_t *bytes, size_t n, vt_vgpu_visit_fn *fn, void *arg)
{
    for (unsigned i = 0; i < n_fields; i++) {
        const struct vt_vgpu_field *f = &fields[i];
        if ((size_t)f->offset + f->bytes > n) {
            continue;
        }
        const uint8_t *at = bytes + f->offset;
        bool is_number =
            f->kind != VT_VGPU_TEXT && f->kind != VT_VGPU_BYTES && f->kind != VT_VGPU_RECT;
        fn(f, element, is_number ? number_at(at, f->bytes) : 0, at, f->bytes, arg);
    }
}

void vt_vgpu_visit(const struct vt_vgpu_message *message, const void *bytes, size_t n,
                   uint32_t max_elements, vt_vgpu_visit_fn *fn, void *arg)
{
    const uint8_t *at = bytes;
    visit_fields(vt_vgpu_header_fields, vt_vgpu_n_header_fields, -1, at, n, fn, arg);
    if (message == NULL) {
        return;
    }
    visit_fields(message->fields, message->n_fields, -1, at, n, fn, arg);
    const struct vt_vgpu_tail *tail = &message->tail;
    if (tail->name == NULL || n < message->bytes) {
        return;
    }
    uint64_t said, there;
    count_tail(message, bytes, n, &said, &there);
    at += message->bytes;
    if (tail->bytes == 1) {
        fn(tail->fields, -1, 0, at, (size_t)there, arg);
        return;
    }
    for (uint64_t i = 0; i < there && i < max_elements; i++) {
        visit_fields(tail->fields, tail->n_fields, (int64_t)i, at + i * tail->bytes, tail->bytes,
                     fn, arg);
    }
}
