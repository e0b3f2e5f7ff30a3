/* tests/fuzz/fuzz_vgpu_export.c - events of any contents, written in every format: JSON is JSON,
 * text is one printable line an event, a pcapng's blocks fit each other.
 */
#include "tests/fuzz/fuzz.h"

#include "gpu/export.h"

#include <jansson.h>
#include <string.h>

#define EVENTS_MAX 64

/* Of the input: its beginning is an event's members, then come request and response. */
static size_t take_event(const uint8_t *bytes, size_t n, struct vt_vgpu_event_seen *event)
{
    const size_t head = 12;
    if (n < head) {
        return 0;
    }
    *event = (struct vt_vgpu_event_seen){.kind = (enum vt_vgpu_seen)(bytes[0] % 4),
                                         .flags = bytes[1] & VT_VGPU_SEEN_FLAGS,
                                         .sequence = bytes[2],
                                         .lost = bytes[3],
                                         .submitted_ns = (uint64_t)bytes[4] << (bytes[5] % 56),
                                         .answered_ns = (uint64_t)bytes[6] << (bytes[7] % 56),
                                         .queue = bytes[8] % 4,
                                         .slot = bytes[8],
                                         .written = bytes[9]};
    size_t request = bytes[10], response = bytes[11];
    request = request < n - head ? request : n - head;
    response = response < n - head - request ? response : n - head - request;
    event->request = request > 0 ? bytes + head : NULL;
    event->request_bytes = (uint32_t)request;
    event->response = response > 0 ? bytes + head + request : NULL;
    event->response_bytes = (uint32_t)response;
    return head + request + response;
}

static void check_json(const char *text, size_t n)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    FUZZ_CHECK(json_is_object(root));
    json_decref(root);
}

static size_t check_lines(const char *text, size_t n, bool json)
{
    size_t lines = 0;
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        FUZZ_CHECK(end != NULL);
        size_t length = (size_t)(end - text);
        if (json) {
            check_json(text, length);
        }
        for (size_t i = 0; i < length; i++) {
            FUZZ_CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
        }
        text += length + 1;
        n -= length + 1;
        lines++;
    }
    return lines;
}

static void check_pcapng(const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint32_t block[7] = {0}, length;
        memcpy(block, bytes + at, n - at < sizeof block ? n - at : sizeof block);
        FUZZ_CHECK(block[1] >= 12 && block[1] % 4 == 0 && block[1] <= n - at);
        memcpy(&length, bytes + at + block[1] - 4, sizeof length);
        FUZZ_CHECK(length == block[1]);
        FUZZ_CHECK(block[0] != 6 || (block[5] <= block[6] && block[5] + 32 <= block[1]));
        at += block[1];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const struct vt_vgpu_origin origin = {.vm = "fuzz\xff\n", .started_unix_ns = UINT64_MAX};
    for (unsigned format = 0; format < VT_VGPU_EXPORT_FORMATS; format++) {
        struct vt_vgpu_event_seen event;
        struct vt_vgpu_export *to;
        struct vt_error err;
        char *text = NULL;
        size_t n = 0, step, at = 0, events = 0;
        FILE *out = open_memstream(&text, &n);
        FUZZ_CHECK(out != NULL);
        FUZZ_CHECK(
            vt_vgpu_export_begin((enum vt_vgpu_export_format)format, out, &origin, &to, &err) == 0);
        while (events < EVENTS_MAX && (step = take_event(bytes + at, count - at, &event)) > 0) {
            FUZZ_CHECK(vt_vgpu_export_put(&event, to));
            at += step;
            events++;
        }
        FUZZ_CHECK(vt_vgpu_export_end(to, &err) == 0);
        FUZZ_CHECK(fclose(out) == 0);
        switch ((enum vt_vgpu_export_format)format) {
        case VT_VGPU_EXPORT_TEXT:
        case VT_VGPU_EXPORT_JSONL:
            FUZZ_CHECK(check_lines(text, n, format == VT_VGPU_EXPORT_JSONL) == events);
            break;
        case VT_VGPU_EXPORT_PCAPNG:
            check_pcapng(text, n);
            break;
        case VT_VGPU_EXPORT_PERFETTO:
            check_json(text, n);
            break;
        case VT_VGPU_EXPORT_FORMATS:
            break;
        }
        free(text);
    }
    return 0;
}
