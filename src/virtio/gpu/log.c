/* virtio/gpu/log.c - writes the driver's log (log.h), and says it as text.
 *
 * Order is all there is to it: whoever stops this guest between any two stores finds a log whose
 * records from `tail` to `head` are whole.
 */
#include "virtio/gpu/log.h"

#include "virtio/barrier.h"

#include "virtio/gpu/say.h"

#include <string.h>

#define RING_MIN ((size_t)64 << 10)
#define PAGE 4096u
#define LINE 512u
#define SECOND 1000000000u

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
    h->clock_hz = SECOND;
    for (size_t i = 0; i < sizeof h->writer - 1 && writer[i] != 0; i++) {
        h->writer[i] = writer[i];
    }
    /* Pairs with a finder that reads the magic first. */
    vt_virtio_barrier_release();
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

static void say_time(struct vt_vgpu_text *line, uint64_t ns)
{
    uint64_t seconds = ns / SECOND;
    for (uint64_t least = 1000; least > 1 && seconds < least; least /= 10) {
        vt_vgpu_say(line, " ");
    }
    vt_vgpu_say_number(line, seconds);
    char fraction[16];
    struct vt_vgpu_text digits;
    vt_vgpu_say_begin(&digits, fraction, sizeof fraction);
    vt_vgpu_say_number(&digits, SECOND + ns % SECOND); /* a one, then all nine digits */
    fraction[0] = '.';
    vt_vgpu_say(line, fraction);
}

static void say_text(struct vt_vgpu_text *line, const uint8_t *text, uint32_t n)
{
    for (uint32_t i = 0; i < n && line->used + 1 < line->room; i++) {
        vt_vgpu_say(line,
                    (const char[2]){text[i] >= ' ' && text[i] < 0x7f ? (char)text[i] : '.', 0});
    }
}

static void say_message(struct vt_vgpu_text *line, const struct vt_vgpu_log_record *r,
                        const uint8_t *payload)
{
    uint32_t type = 0;
    memcpy(&type, payload, r->payload < sizeof type ? r->payload : sizeof type);
    const struct vt_vgpu_message *message =
        r->payload < sizeof type ? NULL : vt_vgpu_message_of(type);
    if (message != NULL) {
        line->used += vt_vgpu_describe(message, payload, r->payload, line->to + line->used,
                                       line->room - line->used);
        return;
    }
    if (r->payload >= sizeof type) {
        vt_vgpu_say(line, "unknown type ");
        vt_vgpu_say_hex(line, type);
        vt_vgpu_say(line, ", ");
    }
    vt_vgpu_say_number(line, r->payload_full);
    vt_vgpu_say(line, " bytes");
}

static void say_record(struct vt_vgpu_log *l, const struct vt_vgpu_log_record *r,
                       const uint8_t *payload)
{
    static const char *const marks[] = {
        [VT_VGPU_LOG_REQUEST] = " > ",
        [VT_VGPU_LOG_RESPONSE] = " < ",
        [VT_VGPU_LOG_STATE] = " * ",
        [VT_VGPU_LOG_NOTE] = " # ",
    };
    struct vt_vgpu_text line;
    vt_vgpu_say_begin(&line, l->line, sizeof l->line);
    say_time(&line, r->time_ns);
    vt_vgpu_say(&line, r->kind <= VT_VGPU_LOG_NOTE ? marks[r->kind] : " ? ");
    if (r->kind == VT_VGPU_LOG_STATE || r->kind == VT_VGPU_LOG_NOTE) {
        say_text(&line, payload, r->payload);
    } else {
        vt_vgpu_say_number(&line, r->sequence);
        vt_vgpu_say(&line, r->queue == VT_VGPU_CURSOR_QUEUE ? " cursor " : " ");
        say_message(&line, r, payload);
    }
    if (r->kind == VT_VGPU_LOG_RESPONSE) {
        vt_vgpu_say(&line, " +");
        vt_vgpu_say_number(&line, r->latency_ns);
        vt_vgpu_say(&line, " ns");
    }
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
    vt_virtio_barrier_release();
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
        say_record(log, &r, payload);
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
