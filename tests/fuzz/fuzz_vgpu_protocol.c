/* tests/fuzz/fuzz_vgpu_protocol.c - a request and a response of any bytes: what is said of them
 * agrees with itself, and nothing outside of them is read.
 */
#include "tests/fuzz/fuzz.h"

#include "virtio/gpu/protocol/protocol.h"

#include <string.h>

struct seen {
    const uint8_t *bytes;
    size_t n;
    int64_t element;
    uint32_t elements;
    size_t fixed;
};

static void look(const struct vt_vgpu_field *field, int64_t element, uint64_t value, const void *at,
                 size_t n, void *arg)
{
    struct seen *s = arg;
    const uint8_t *from = at;
    FUZZ_CHECK(from >= s->bytes && n <= s->n && (size_t)(from - s->bytes) <= s->n - n);
    FUZZ_CHECK(field->bytes == 0 || field->bytes == n);
    FUZZ_CHECK(element == s->element || element == s->element + 1);
    if (element < 0) {
        s->fixed++;
    } else if (element != s->element) {
        s->elements++;
    }
    s->element = element;
    if (n > 0 && n <= 8 && field->bytes != 0) {
        uint64_t again = 0;
        memcpy(&again, at, n);
        FUZZ_CHECK(value == again || field->kind == VT_VGPU_BYTES || field->kind == VT_VGPU_TEXT);
    }
}

static void check_line(const struct vt_vgpu_message *m, const uint8_t *bytes, size_t n, size_t room)
{
    char *line = malloc(room);
    FUZZ_CHECK(line != NULL || room == 0);
    size_t length = vt_vgpu_describe(m, bytes, n, line, room);
    FUZZ_CHECK(room == 0 ? length == 0 : length < room && strlen(line) == length);
    for (size_t i = 0; i < length; i++) {
        bool ellipsis = i + 3 <= length && memcmp(line + i, "…", 3) == 0;
        FUZZ_CHECK((line[i] >= 0x20 && line[i] < 0x7f) || ellipsis);
        i += ellipsis ? 2 : 0;
    }
    free(line);
}

static void check_message(const struct vt_vgpu_message *m, enum vt_vgpu_verdict verdict,
                          uint32_t elements, const uint8_t *bytes, size_t n)
{
    struct seen s = {.bytes = bytes, .n = n, .element = -1};
    vt_vgpu_visit(m, bytes, n, UINT32_MAX, look, &s);
    FUZZ_CHECK(m == NULL || n >= sizeof(struct vt_vgpu_header));
    if (m != NULL && n >= m->bytes) {
        size_t plain = m->tail.name != NULL && m->tail.bytes == 1;
        FUZZ_CHECK(s.fixed == vt_vgpu_n_header_fields + m->n_fields + plain);
        FUZZ_CHECK(plain || s.elements == elements);
        FUZZ_CHECK(m->tail.name != NULL || verdict != VT_VGPU_TAIL_SHORT);
        if (verdict == VT_VGPU_WELL) {
            size_t tail = (size_t)elements * m->tail.bytes;
            size_t most = (size_t)m->tail.capacity * m->tail.bytes;
            FUZZ_CHECK(n >= m->bytes + tail && n <= m->bytes + (tail > most ? tail : most));
        }
    } else {
        FUZZ_CHECK(s.elements == 0 && elements == 0 && verdict != VT_VGPU_WELL);
    }
    check_line(m, bytes, n, 4096);
    check_line(m, bytes, n, n % 97);
}

static uint8_t *copy(const uint8_t *bytes, size_t n)
{
    uint8_t *own = malloc(n > 0 ? n : 1);
    FUZZ_CHECK(own != NULL);
    if (n > 0) {
        memcpy(own, bytes, n);
    }
    return own;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const struct vt_vgpu_message *m;
    uint32_t elements;
    if (count < 2) {
        return 0;
    }
    size_t n = (size_t)bytes[0] | (size_t)bytes[1] << 8;
    bytes += 2;
    count -= 2;
    n = n < count ? n : count;
    uint8_t *request = copy(bytes, n), *response = copy(bytes + n, count - n);
    enum vt_vgpu_verdict verdict = vt_vgpu_check_request(request, n, &m, &elements);
    check_message(m, verdict, elements, request, n);
    struct vt_vgpu_header header = {0};
    memcpy(&header, request, n < sizeof header ? n : sizeof header);
    FUZZ_CHECK(verdict != VT_VGPU_WELL || vt_vgpu_command_of(header.type)->request == m);
    verdict = vt_vgpu_check_response(&header, response, count - n, &m, &elements);
    if (verdict == VT_VGPU_WELL && m == NULL) {
        FUZZ_CHECK(count == n && vt_vgpu_command_of(header.type)->queue == VT_VGPU_CURSOR_QUEUE);
    } else {
        check_message(m, verdict, elements, response, count - n);
        FUZZ_CHECK(verdict != VT_VGPU_WELL || vt_vgpu_command_of(m->type) == NULL);
    }
    free(request);
    free(response);
    return 0;
}
