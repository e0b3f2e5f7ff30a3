/* virtio/gpu/log.c - writes the driver's log (log.h), and says it as text.
 *
 * Order is all there is to it: whoever stops this guest between any two stores finds a log whose
 * records from `tail` to `head` are whole.
 */
#include "virtio/gpu/log.h"

#include <string.h>

#define RING_MIN ((size_t)64 << 10)
#define PAGE 4096u
#define LINE 512u

struct vt_vgpu_log {
    struct vt_vgpu_log_header *header;
    uint8_t *ring;
    uint64_t bytes, device;
    uint64_t head, tail, records; /* ours: what the header says may be changed by others */
    void (*put)(const char *line, void *arg);
    void *arg;
    char line[LINE];
};

int vt_vgpu_log_create(struct vt_virtio_arena *arena, size_t bytes, const char *writer,
                       struct vt_vgpu_log **log)
{
    if (bytes < RING_MIN || (bytes & (bytes - 1)) != 0 || bytes > SIZE_MAX / 2) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_vgpu_log *l =
        vt_virtio_arena_take(arena, sizeof *l, _Alignof(struct vt_vgpu_log), NULL);
    uint8_t *memory = vt_virtio_arena_take(arena, VT_VGPU_LOG_HEADER_BYTES + bytes, PAGE,
                                           l != NULL ? &l->device : NULL);
    if (l == NULL || memory == NULL) {
        return VT_VIRTIO_E_NOMEM;
    }
    l->header = (struct vt_vgpu_log_header *)(void *)memory;
    l->ring = memory + VT_VGPU_LOG_HEADER_BYTES;
    l->bytes = bytes;
    struct vt_vgpu_log_header *h = l->header;
    h->version = VT_VGPU_LOG_VERSION;
    h->header_bytes = VT_VGPU_LOG_HEADER_BYTES;
    h->bytes = bytes;
    h->clock_hz = 1000000000;
    for (size_t i = 0; i < sizeof h->writer - 1 && writer[i] != 0; i++) {
        h->writer[i] = writer[i];
    }
    /* Pairs with a finder that reads the magic first. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(h->magic, VT_VGPU_LOG_MAGIC, sizeof h->magic);
    *log = l;
    return VT_VIRTIO_OK;
}

uint64_t vt_vgpu_log_address(const struct vt_vgpu_log *log)
{
    return log->device;
}

void vt_vgpu_log_text(struct vt_vgpu_log *log, void (*put)(const char *line, void *arg), void *arg)
{
    log->put = put;
    log->arg = arg;
}

/* ---------------------------------------------------------------- text */

static size_t put_text(char *to, size_t at, const char *text)
{
    while (*text != 0 && at < LINE - 1) {
        to[at++] = *text++;
    }
    return at;
}

/* Right-aligned in `width`, filled with `fill`. */
static size_t put_number(char *to, size_t at, uint64_t value, unsigned width, char fill)
{
    char digits[20];
    unsigned n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (unsigned i = n; i < width && at < LINE - 1; i++) {
        to[at++] = fill;
    }
    while (n > 0 && at < LINE - 1) {
        to[at++] = digits[--n];
    }
    return at;
}

static size_t put_payload(char *to, size_t at, const struct vt_vgpu_log_record *r,
                          const uint8_t *payload)
{
    if (r->kind == VT_VGPU_LOG_STATE || r->kind == VT_VGPU_LOG_NOTE) {
        for (uint32_t i = 0; i < r->payload && at < LINE - 1; i++) {
            to[at++] = payload[i] >= ' ' && payload[i] < 0x7f ? (char)payload[i] : '.';
        }
        return at;
    }
    uint32_t type = 0;
    if (r->payload < sizeof type) {
        at = put_number(to, at, r->payload, 0, ' ');
        return put_text(to, at, " bytes");
    }
    memcpy(&type, payload, sizeof type);
    const struct vt_vgpu_message *message = vt_vgpu_message_of(type);
    if (message == NULL) {
        at = put_text(to, at, "unknown type ");
        at = put_number(to, at, type, 0, ' ');
        at = put_text(to, at, ", ");
        at = put_number(to, at, r->payload_full, 0, ' ');
        return put_text(to, at, " bytes");
    }
    return at + vt_vgpu_describe(message, payload, r->payload, to + at, LINE - at);
}

static void say(struct vt_vgpu_log *l, const struct vt_vgpu_log_record *r, const uint8_t *payload)
{
    static const char marks[] = {' ', '>', '<', '*', '#'};
    size_t at = put_number(l->line, 0, r->time_ns / 1000000000, 4, ' ');
    at = put_text(l->line, at, ".");
    at = put_number(l->line, at, r->time_ns % 1000000000, 9, '0');
    at = put_text(l->line, at, " ");
    l->line[at++] = r->kind < sizeof marks ? marks[r->kind] : '?';
    l->line[at++] = ' ';
    bool command = r->kind == VT_VGPU_LOG_REQUEST || r->kind == VT_VGPU_LOG_RESPONSE;
    if (command) {
        at = put_number(l->line, at, r->sequence, 0, ' ');
        at = put_text(l->line, at, r->queue == VT_VGPU_CURSOR_QUEUE ? " cursor " : " ");
    }
    at = put_payload(l->line, at, r, payload);
    if (r->kind == VT_VGPU_LOG_RESPONSE) {
        at = put_text(l->line, at, " +");
        at = put_number(l->line, at, r->latency_ns, 0, ' ');
        at = put_text(l->line, at, " ns");
    }
    l->line[at] = 0;
    l->put(l->line, l->arg);
}

/* ---------------------------------------------------------------- the ring */

static uint64_t offset(const struct vt_vgpu_log *l, uint64_t position)
{
    return position & (l->bytes - 1);
}

/* Gives up the oldest records until `end` lies no more than a ring after the first one kept. */
static void drop_until(struct vt_vgpu_log *l, uint64_t end)
{
    while (end - l->tail > l->bytes) {
        uint32_t bytes = 0;
        memcpy(&bytes, l->ring + offset(l, l->tail), sizeof bytes);
        /* A device writes where it likes: what is no length of ours drops the rest. */
        l->tail = bytes >= 16 && bytes <= l->head - l->tail ? l->tail + bytes : l->head;
    }
    __atomic_store_n(&l->header->tail, l->tail, __ATOMIC_RELAXED);
    /* Before any byte of the record that takes their place; pairs with the reader's acquire fence
     * between its copy and its load of `tail`. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void append(struct vt_vgpu_log *l, const struct vt_vgpu_log_record *r, const void *payload)
{
    uint64_t at = offset(l, l->head), gap = 0;
    if (at + r->bytes > l->bytes) {
        gap = l->bytes - at;
    }
    drop_until(l, l->head + gap + r->bytes);
    if (gap > 0) {
        struct vt_vgpu_log_record pad = {.bytes = (uint32_t)gap, .kind = VT_VGPU_LOG_PAD};
        memcpy(l->ring + at, &pad, gap < sizeof pad ? (size_t)gap : sizeof pad);
        at = 0;
    }
    memcpy(l->ring + at, r, sizeof *r);
    if (r->payload > 0) {
        memcpy(l->ring + at + sizeof *r, payload, r->payload);
    }
    l->head += gap + r->bytes;
    l->header->records = ++l->records;
    /* After every byte of it; pairs with the reader's acquire load. */
    __atomic_store_n(&l->header->head, l->head, __ATOMIC_RELEASE);
}

void vt_vgpu_log_write(struct vt_vgpu_log *log, const struct vt_vgpu_log_record *record,
                       const void *payload)
{
    if (log == NULL) {
        return;
    }
    struct vt_vgpu_log_record r = *record;
    uint64_t most = log->bytes / VT_VGPU_LOG_CUT - sizeof r;
    r.payload = r.payload_full < most ? r.payload_full : (uint32_t)most;
    r.cut = r.payload < r.payload_full;
    r.bytes = (uint32_t)((sizeof r + r.payload + 15) & ~(size_t)15);
    append(log, &r, payload);
    if (log->put != NULL) {
        say(log, &r, payload);
    }
}

void vt_vgpu_log_say(struct vt_vgpu_log *log, enum vt_vgpu_log_kind kind, uint64_t time_ns,
                     const char *text)
{
    size_t n = 0;
    while (text[n] != 0 && n < UINT32_MAX) {
        n++;
    }
    struct vt_vgpu_log_record r = {
        .kind = (uint16_t)kind, .time_ns = time_ns, .payload_full = (uint32_t)n};
    vt_vgpu_log_write(log, &r, text);
}
