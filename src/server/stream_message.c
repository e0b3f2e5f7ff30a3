/* server/stream_message.c - see stream_message.h.
 *
 * Means are taken eight bytes at a time within one word: pairs of bytes become sums of 16 bits,
 * and a multiplication adds the four of them up.
 */
#include "server/stream_message.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PAGE_WORDS (VT_PAGE_BYTES / 8)
#define TRIES_SKIPPED_MAX 32u /* messages that are not tried to be deflated after a vain try */
#define PAYS(deflated, raw) ((deflated) < (raw) - (raw) / 8)

/* ---------------------------------------------------------------- cells */

size_t vt_cells_bytes(unsigned level)
{
    return (size_t)VT_PAGE_BYTES >> 3 * level;
}

static uint32_t sum_of_word(uint64_t w)
{
    uint64_t pairs = (w & UINT64_C(0x00ff00ff00ff00ff)) + (w >> 8 & UINT64_C(0x00ff00ff00ff00ff));
    return (uint32_t)(pairs * UINT64_C(0x0001000100010001) >> 48);
}

/* The mean of 2^shift bytes: rounded, and 0 only where all are 0. */
static uint8_t mean(uint32_t sum, unsigned shift)
{
    uint32_t rounded = (sum + (UINT32_C(1) << (shift - 1))) >> shift;
    return (uint8_t)(rounded == 0 && sum > 0 ? 1 : rounded);
}

void vt_cells_of_page(const uint8_t *page, unsigned level, uint8_t *cells)
{
    uint16_t sums[PAGE_WORDS];
    if (level == 0) {
        memcpy(cells, page, VT_PAGE_BYTES);
        return;
    }
    for (size_t i = 0; i < PAGE_WORDS; i++) {
        uint64_t word;
        memcpy(&word, page + 8 * i, sizeof word);
        sums[i] = (uint16_t)sum_of_word(word);
    }
    size_t n = vt_cells_bytes(level), words = PAGE_WORDS / n;
    for (size_t cell = 0; cell < n; cell++) {
        uint32_t sum = 0;
        for (size_t i = 0; i < words; i++) {
            sum += sums[cell * words + i];
        }
        cells[cell] = mean(sum, 3 * level);
    }
}

/* ---------------------------------------------------------------- runs */

bool vt_run_list_add(struct vt_run_list *list, uint64_t page)
{
    struct vt_stream_run *last = list->n > 0 ? &list->runs[list->n - 1] : NULL;
    if (last != NULL && (uint64_t)last->first + last->pages == page) {
        last->pages++;
    } else if (list->runs != NULL && list->n < list->room) {
        list->runs[list->n++] = (struct vt_stream_run){(uint32_t)page, 1};
    } else {
        return false;
    }
    list->pages++;
    return true;
}

size_t vt_message_pages_bytes(const struct vt_run_list *list, unsigned level)
{
    return 8 + 8 * list->n + (size_t)list->pages * vt_cells_bytes(level);
}

size_t vt_message_attributes_bytes(const struct vt_run_list *list)
{
    return 8 + 8 * list->n + 2 * (size_t)list->pages;
}

/* ---------------------------------------------------------------- messages */

struct vt_deflater {
    z_stream z;
    unsigned skip, penalty; /* messages to leave alone now, and after the next vain try */
    size_t room;
    uint8_t *raw; /* where payloads are made */
};

int vt_deflater_create(struct vt_deflater **deflater, struct vt_error *err)
{
    struct vt_deflater *d = calloc(1, sizeof *d);
    if (d == NULL || deflateInit(&d->z, Z_BEST_SPEED) != Z_OK) {
        free(d);
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    *deflater = d;
    return 0;
}

void vt_deflater_destroy(struct vt_deflater *d)
{
    if (d != NULL) {
        deflateEnd(&d->z);
        free(d->raw);
        free(d);
    }
}

static uint8_t *put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    at = put16(at, (uint16_t)value);
    return put16(at, (uint16_t)(value >> 16));
}

static void put_header(uint8_t *at, enum vt_message_kind kind, unsigned flags, size_t payload,
                       double time_s)
{
    uint64_t time;
    memcpy(&time, &time_s, sizeof time);
    *at++ = (uint8_t)kind;
    *at++ = (uint8_t)flags;
    at = put16(at, 0);
    at = put32(at, (uint32_t)payload);
    at = put32(at, (uint32_t)time);
    put32(at, (uint32_t)(time >> 32));
}

static uint8_t *room_for(struct vt_deflater *d, size_t bytes)
{
    if (bytes > d->room) {
        uint8_t *more = realloc(d->raw, bytes);
        if (more == NULL) {
            return NULL;
        }
        d->raw = more;
        d->room = bytes;
    }
    return d->raw;
}

static uint8_t *put_runs(uint8_t *at, uint32_t first, uint32_t second,
                         const struct vt_run_list *list)
{
    at = put32(put32(at, first), second);
    for (size_t i = 0; i < list->n; i++) {
        at = put32(put32(at, list->runs[i].first), list->runs[i].pages);
    }
    return at;
}

/* Deflates what is in d->raw behind the header; 0: it does not fit, which is as good as vain. */
static size_t deflated(struct vt_deflater *d, size_t raw, uint8_t *out)
{
    deflateReset(&d->z);
    d->z.next_in = d->raw;
    d->z.avail_in = (uInt)raw;
    d->z.next_out = out;
    d->z.avail_out = (uInt)raw;
    return deflate(&d->z, Z_FINISH) == Z_STREAM_END ? raw - d->z.avail_out : 0;
}

/* Random bytes take as long as any others and stay as many: after a vain try the next ones go as
 * they are. */
static bool is_tried(struct vt_deflater *d)
{
    if (d->skip > 0) {
        d->skip--;
        return false;
    }
    return true;
}

static void learn(struct vt_deflater *d, bool paid)
{
    d->penalty = paid ? 0 : d->penalty == 0 ? 1 : 2 * d->penalty;
    d->penalty = d->penalty > TRIES_SKIPPED_MAX ? TRIES_SKIPPED_MAX : d->penalty;
    d->skip = d->penalty;
}

/* Makes a message of `raw` bytes in d->raw. */
static int wrap(struct vt_deflater *d, enum vt_message_kind kind, unsigned flags, size_t raw,
                double time_s, struct vt_message *message, struct vt_error *err)
{
    uint8_t *bytes = malloc(VT_MESSAGE_HEADER + raw);
    size_t n = 0;
    if (bytes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    if (is_tried(d)) {
        n = deflated(d, raw, bytes + VT_MESSAGE_HEADER);
        bool paid = n > 0 && PAYS(n, raw);
        n = paid ? n : 0;
        learn(d, paid);
    }
    if (n == 0) {
        memcpy(bytes + VT_MESSAGE_HEADER, d->raw, raw);
    }
    put_header(bytes, kind, flags | (n > 0 ? VT_MESSAGE_DEFLATED : 0u), raw, time_s);
    message->n = VT_MESSAGE_HEADER + (n > 0 ? n : raw);
    uint8_t *fitting = realloc(bytes, message->n);
    message->bytes = fitting != NULL ? fitting : bytes;
    return 0;
}

int vt_message_pages(struct vt_deflater *d, const struct vt_run_list *list, unsigned level,
                     const uint8_t *ram, unsigned flags, double time_s, struct vt_message *message,
                     struct vt_error *err)
{
    size_t raw = vt_message_pages_bytes(list, level), cells = vt_cells_bytes(level);
    uint8_t *at = room_for(d, raw);
    if (at == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    at = put_runs(at, level, (uint32_t)list->n, list);
    for (size_t i = 0; i < list->n; i++) {
        uint64_t page = list->runs[i].first, end = page + list->runs[i].pages;
        for (; page < end; page++, at += cells) {
            vt_cells_of_page(ram + page * VT_PAGE_BYTES, level, at);
        }
    }
    return wrap(d, VT_MESSAGE_PAGES, flags, raw, time_s, message, err);
}

int vt_message_attributes(struct vt_deflater *d, const struct vt_run_list *list,
                          const uint16_t *attributes, unsigned flags, double time_s,
                          struct vt_message *message, struct vt_error *err)
{
    size_t raw = vt_message_attributes_bytes(list);
    uint8_t *at = room_for(d, raw);
    if (at == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    at = put_runs(at, (uint32_t)list->n, 0, list);
    for (size_t i = 0; i < list->n; i++) {
        uint64_t page = list->runs[i].first, end = page + list->runs[i].pages;
        for (; page < end; page++) {
            at = put16(at, attributes[page]);
        }
    }
    return wrap(d, VT_MESSAGE_ATTRIBUTES, flags, raw, time_s, message, err);
}

int vt_message_frame(const struct vt_message_frame *frame, double time_s,
                     struct vt_message *message, struct vt_error *err)
{
    enum { FRAME_HEADER = 12 };
    size_t payload = FRAME_HEADER + frame->bytes;
    uint8_t *bytes = malloc(VT_MESSAGE_HEADER + payload);
    if (bytes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    put_header(bytes, VT_MESSAGE_FRAME, 0, payload, time_s);
    uint8_t *at = put32(bytes + VT_MESSAGE_HEADER, frame->id);
    at = put16(put16(at, (uint16_t)frame->width), (uint16_t)frame->height);
    *at++ = (uint8_t)frame->codec;
    *at++ = frame->alone ? 1 : 0;
    at = put16(at, (uint16_t)frame->scale);
    memcpy(at, frame->picture, frame->bytes);
    message->bytes = bytes;
    message->n = VT_MESSAGE_HEADER + payload;
    return 0;
}
