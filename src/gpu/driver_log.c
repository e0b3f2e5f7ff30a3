/* gpu/driver_log.c - reads the driver's log (driver_log.h).
 *
 * Each look copies what is new, then asks the writer's `tail` what of that was overwritten
 * meanwhile; only the copy is believed, and only after checks. Commands wait in a queue for their
 * answers, so that they come out in the order in which they went in.
 */
#include "gpu/driver_log.h"

#include "virtio/barrier.h"
#include "virtio/gpu/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Padding has at least the members up to here. */
#define RECORD_LEAST 16u

struct waiting {
    struct vt_vgpu_event_seen event;
    bool complete;
};

struct vt_vgpu_log_reader {
    const struct vt_vgpu_log_header *header;
    const uint8_t *ring;
    uint64_t bytes;
    uint8_t *copy;
    uint64_t position, records; /* read up to here */
    uint64_t last;              /* where the last record began, or UINT64_MAX */
    uint64_t damaged;
    uint64_t sequence; /* of the last request */
    uint64_t first_ns; /* of the first record */
    bool timed;
    bool gone; /* the guest forgot its log; it may make a new one there */
    struct waiting queue[VT_VGPU_LOG_PENDING_MAX];
    unsigned first, n;
    size_t pending_bytes;
};

/* ---------------------------------------------------------------- finding */

int vt_vgpu_log_check(const void *header, uint64_t room, struct vt_gpa gpa,
                      struct vt_vgpu_log_place *place, struct vt_error *err)
{
    struct vt_vgpu_log_header h;
    if (room < sizeof h) {
        return vt_fail(err, VT_E_NOT_FOUND, "no log at 0x%" PRIx64, gpa.v);
    }
    memcpy(&h, header, sizeof h);
    if (memcmp(h.magic, VT_VGPU_LOG_MAGIC, sizeof h.magic) != 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "no log at 0x%" PRIx64, gpa.v);
    }
    if (h.version != VT_VGPU_LOG_VERSION) {
        return vt_fail(err, VT_E_CORRUPT, "the log at 0x%" PRIx64 " is of version %" PRIu32, gpa.v,
                       h.version);
    }
    if (h.header_bytes < sizeof h || h.header_bytes > 65536 || h.header_bytes % 16 != 0 ||
        h.bytes < 4096 || h.bytes > VT_VGPU_LOG_BYTES_MAX || (h.bytes & (h.bytes - 1)) != 0 ||
        h.header_bytes > room || h.bytes > room - h.header_bytes) {
        return vt_fail(err, VT_E_CORRUPT,
                       "the log at 0x%" PRIx64 " says a ring of %" PRIu64 " bytes behind %" PRIu32,
                       gpa.v, h.bytes, h.header_bytes);
    }
    /* The writer may have moved both between our looks at one and the other. */
    if (h.head % 16 != 0 || h.tail % 16 != 0 || (h.tail <= h.head && h.head - h.tail > h.bytes)) {
        return vt_fail(err, VT_E_CORRUPT,
                       "the log at 0x%" PRIx64 " goes from %" PRIu64 " to %" PRIu64, gpa.v, h.tail,
                       h.head);
    }
    *place = (struct vt_vgpu_log_place){.gpa = gpa,
                                        .bytes = h.bytes,
                                        .header_bytes = h.header_bytes,
                                        .head = h.head,
                                        .tail = h.tail < h.head ? h.tail : h.head,
                                        .records = h.records};
    memcpy(place->writer, h.writer, sizeof h.writer);
    return 0;
}

/* The log at file offset `off`, or not. */
static bool look(const struct vt_ram *ram, uint64_t off, struct vt_vgpu_log_place *place)
{
    struct vt_gpa gpa;
    struct vt_off again;
    uint64_t run = 0;
    const void *at = NULL;
    return vt_ram_gpa(ram, VT_OFF(off), &gpa, NULL) == 0 &&
           vt_ram_offset(ram, gpa, &again, &run, NULL) == 0 &&
           vt_ram_ptr(ram, gpa, run, &at, NULL) == 0 &&
           vt_vgpu_log_check(at, run, gpa, place, NULL) == 0;
}

int vt_vgpu_logs_find(const struct vt_ram *ram, struct vt_vgpu_log_place *places, unsigned most,
                      unsigned *n, struct vt_error *err)
{
    const uint8_t *bytes = vt_ram_bytes(ram);
    uint64_t size = vt_ram_size(ram), off = 0;
    unsigned found = 0;
    struct vt_off start, end;
    while (off < size && found < most &&
           vt_ram_next_data(ram, VT_OFF(off), &start, &end, NULL) == 0) {
        off = start.v > off ? start.v : off;
        for (; off + VT_PAGE_BYTES <= end.v && found < most; off += VT_PAGE_BYTES) {
            if (memcmp(bytes + off, VT_VGPU_LOG_MAGIC, sizeof VT_VGPU_LOG_MAGIC) == 0 &&
                look(ram, off, &places[found])) {
                found++;
            }
        }
        off = end.v;
    }
    int rc = vt_ram_check(ram, err);
    if (rc != 0) {
        return rc;
    }
    if (found == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "no log of a virtio-gpu driver in its RAM");
    }
    *n = found;
    return 0;
}

/* ---------------------------------------------------------------- create, destroy */

int vt_vgpu_log_reader_create_at(const void *header, uint64_t room, struct vt_gpa gpa,
                                 struct vt_vgpu_log_reader **reader, struct vt_error *err)
{
    struct vt_vgpu_log_place place;
    int rc = vt_vgpu_log_check(header, room, gpa, &place, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_vgpu_log_reader *r = calloc(1, sizeof *r);
    uint8_t *copy = malloc(place.bytes);
    if (r == NULL || copy == NULL) {
        free(r);
        free(copy);
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    r->header = header;
    r->bytes = place.bytes;
    r->ring = (const uint8_t *)header + place.header_bytes;
    r->copy = copy;
    r->position = place.tail;
    r->last = UINT64_MAX;
    *reader = r;
    return 0;
}

int vt_vgpu_log_reader_create(const struct vt_ram *ram, struct vt_gpa gpa,
                              struct vt_vgpu_log_reader **reader, struct vt_error *err)
{
    struct vt_off off;
    uint64_t run = 0;
    const void *at = NULL;
    if (gpa.v % VT_PAGE_BYTES != 0) {
        return vt_fail(err, VT_E_INVAL, "a log begins at a page boundary, 0x%" PRIx64 " is none",
                       gpa.v);
    }
    int rc = vt_ram_offset(ram, gpa, &off, &run, err);
    if (rc == 0) {
        rc = vt_ram_ptr(ram, gpa, run, &at, err);
    }
    return rc != 0 ? rc : vt_vgpu_log_reader_create_at(at, run, gpa, reader, err);
}

void vt_vgpu_log_reader_destroy(struct vt_vgpu_log_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    for (unsigned i = 0; i < reader->n; i++) {
        struct waiting *w = &reader->queue[(reader->first + i) % VT_VGPU_LOG_PENDING_MAX];
        free((void *)w->event.request);
        free((void *)w->event.response);
    }
    free(reader->copy);
    free(reader);
}

uint64_t vt_vgpu_log_reader_damaged(const struct vt_vgpu_log_reader *reader)
{
    return reader->damaged;
}

/* ---------------------------------------------------------------- events in order */

/* Where events go. */
struct sink {
    vt_vgpu_seen_fn *fn;
    void *arg;
    bool ended;
};

static void give_first(struct vt_vgpu_log_reader *r, struct sink *sink)
{
    struct waiting *w = &r->queue[r->first];
    struct vt_vgpu_event_seen *e = &w->event;
    if (!w->complete) {
        e->flags |= VT_VGPU_NO_RESPONSE;
    }
    sink->ended = sink->ended || !sink->fn(e, sink->arg);
    r->pending_bytes -= (size_t)e->request_bytes + e->response_bytes;
    free((void *)e->request);
    free((void *)e->response);
    r->first = (r->first + 1) % VT_VGPU_LOG_PENDING_MAX;
    r->n--;
}

static void give_complete(struct vt_vgpu_log_reader *r, struct sink *sink)
{
    while (r->n > 0 && (r->queue[r->first].complete || r->n == VT_VGPU_LOG_PENDING_MAX ||
                        r->pending_bytes > VT_VGPU_LOG_PENDING_BYTES_MAX)) {
        give_first(r, sink);
    }
}

/* A copy of a record's payload, as much as is kept; NULL: no memory. Empty ones are a byte long. */
static uint8_t *keep(struct vt_vgpu_log_reader *r, const uint8_t *payload, uint32_t *n,
                     struct vt_error *err)
{
    *n = *n < VT_VGPU_PAYLOAD_MAX ? *n : VT_VGPU_PAYLOAD_MAX;
    uint8_t *copy = malloc((size_t)*n + 1);
    if (copy == NULL) {
        (void)vt_fail(err, VT_E_NOMEM, "out of memory");
        return NULL;
    }
    memcpy(copy, payload, *n);
    r->pending_bytes += *n;
    return copy;
}

/* Room for it was made by give_complete. */
static void append(struct vt_vgpu_log_reader *r, const struct vt_vgpu_event_seen *event,
                   bool complete)
{
    r->queue[(r->first + r->n++) % VT_VGPU_LOG_PENDING_MAX] = (struct waiting){*event, complete};
}

static uint64_t since(struct vt_vgpu_log_reader *r, uint64_t time_ns)
{
    if (!r->timed) {
        r->timed = true;
        r->first_ns = time_ns;
    }
    return time_ns > r->first_ns ? time_ns - r->first_ns : 0;
}

/* Nothing that waits will be answered any more. */
static void append_reset(struct vt_vgpu_log_reader *r, uint64_t at_ns, struct sink *sink)
{
    while (r->n > 0) {
        give_first(r, sink);
    }
    append(r, &(struct vt_vgpu_event_seen){.kind = VT_VGPU_SEEN_RESET, .submitted_ns = at_ns},
           true);
    give_complete(r, sink);
}

/* ---------------------------------------------------------------- records */

static int take_request(struct vt_vgpu_log_reader *r, const struct vt_vgpu_log_record *record,
                        const uint8_t *payload, struct sink *sink, struct vt_error *err)
{
    struct vt_vgpu_event_seen e = {
        .kind = VT_VGPU_SEEN_COMMAND,
        .sequence = record->sequence,
        .submitted_ns = since(r, record->time_ns),
        .queue = record->queue,
        .slot = record->slot,
        .flags = record->cut != 0 || record->payload > VT_VGPU_PAYLOAD_MAX ? VT_VGPU_CUT : 0u,
        .request_bytes = record->payload,
    };
    /* One command more, or a new driver that counts from 1; else some are missing. */
    if (record->sequence > r->sequence && record->sequence - r->sequence > 1) {
        struct vt_vgpu_event_seen lost = {.kind = VT_VGPU_SEEN_LOST,
                                          .sequence = record->sequence,
                                          .lost = record->sequence - r->sequence - 1,
                                          .submitted_ns = e.submitted_ns};
        append(r, &lost, true);
        give_complete(r, sink);
    }
    r->sequence = record->sequence;
    e.request = keep(r, payload, &e.request_bytes, err);
    if (e.request == NULL) {
        return VT_E_NOMEM;
    }
    append(r, &e, false);
    return 0;
}

/* The newest with this sequence that waits, or NULL: its request was overwritten. */
static struct waiting *asked(struct vt_vgpu_log_reader *r, uint64_t sequence)
{
    for (unsigned i = r->n; i-- > 0;) {
        struct waiting *w = &r->queue[(r->first + i) % VT_VGPU_LOG_PENDING_MAX];
        if (w->event.kind == VT_VGPU_SEEN_COMMAND && w->event.sequence == sequence &&
            !w->complete) {
            return w;
        }
    }
    return NULL;
}

static int take_response(struct vt_vgpu_log_reader *r, const struct vt_vgpu_log_record *record,
                         const uint8_t *payload, struct vt_error *err)
{
    uint64_t at = since(r, record->time_ns);
    struct waiting *w = asked(r, record->sequence);
    if (w == NULL) {
        return 0;
    }
    struct vt_vgpu_event_seen *e = &w->event;
    uint32_t n = record->payload;
    uint8_t *copy = keep(r, payload, &n, err);
    if (copy == NULL) {
        return VT_E_NOMEM;
    }
    e->response = copy;
    e->response_bytes = n;
    e->written = record->written;
    e->flags |= record->cut != 0 || record->payload > n ? VT_VGPU_CUT : 0u;
    e->answered_ns = at > 0 ? at : 1;
    w->complete = true;
    return 0;
}

static bool says(const uint8_t *text, uint32_t n, const char *words)
{
    return memmem(text, n, words, strlen(words)) != NULL;
}

static int take_text(struct vt_vgpu_log_reader *r, uint64_t at_ns, const uint8_t *text, uint32_t n,
                     struct vt_error *err)
{
    struct vt_vgpu_event_seen e = {.kind = VT_VGPU_SEEN_NOTE,
                                   .sequence = r->sequence,
                                   .submitted_ns = at_ns,
                                   .request_bytes = n};
    e.request = keep(r, text, &e.request_bytes, err);
    if (e.request == NULL) {
        return VT_E_NOMEM;
    }
    append(r, &e, true);
    return 0;
}

static int take_state(struct vt_vgpu_log_reader *r, uint64_t at_ns, const uint8_t *text, uint32_t n,
                      struct sink *sink, struct vt_error *err)
{
    int rc = take_text(r, at_ns, text, n, err);
    if (rc == 0 && (says(text, n, " -> RECOVERING ") || says(text, n, " -> UNINITIALISED "))) {
        append_reset(r, at_ns, sink);
    }
    return rc;
}

static int take_damage(struct vt_vgpu_log_reader *r, uint64_t bytes, struct vt_error *err)
{
    char text[96];
    r->damaged++;
    int n =
        snprintf(text, sizeof text, "the log is damaged: %" PRIu64 " bytes of it skipped", bytes);
    return take_text(r, 0, (const uint8_t *)text, (uint32_t)n, err);
}

/* The record at `position`, whose bytes up to `end` are in the copy. False: it does not follow
 * the format. */
static bool record_at(const struct vt_vgpu_log_reader *r, uint64_t position, uint64_t end,
                      struct vt_vgpu_log_record *record)
{
    uint64_t offset = position & (r->bytes - 1);
    uint64_t room = r->bytes - offset < end - position ? r->bytes - offset : end - position;
    memset(record, 0, sizeof *record);
    if (room < RECORD_LEAST) {
        return false;
    }
    memcpy(record, r->copy + offset, room < sizeof *record ? room : sizeof *record);
    if (record->bytes < RECORD_LEAST || record->bytes % 16 != 0 || record->bytes > room) {
        return false;
    }
    return record->kind == VT_VGPU_LOG_PAD ||
           (record->bytes >= sizeof *record && record->payload <= record->bytes - sizeof *record);
}

static int take_records(struct vt_vgpu_log_reader *r, uint64_t head, struct sink *sink,
                        struct vt_error *err)
{
    int rc = 0;
    while (r->position != head && rc == 0 && !sink->ended) {
        struct vt_vgpu_log_record record;
        if (!record_at(r, r->position, head, &record)) {
            uint64_t skipped = head - r->position;
            r->position = head;
            rc = take_damage(r, skipped, err);
            break;
        }
        const uint8_t *payload = r->copy + (r->position & (r->bytes - 1)) + sizeof record;
        r->last = record.kind == VT_VGPU_LOG_PAD ? r->last : r->position;
        r->position += record.bytes;
        switch ((enum vt_vgpu_log_kind)record.kind) {
        case VT_VGPU_LOG_PAD:
            break;
        case VT_VGPU_LOG_REQUEST:
            rc = take_request(r, &record, payload, sink, err);
            break;
        case VT_VGPU_LOG_RESPONSE:
            rc = take_response(r, &record, payload, err);
            break;
        case VT_VGPU_LOG_STATE:
            rc = take_state(r, since(r, record.time_ns), payload, record.payload, sink, err);
            break;
        case VT_VGPU_LOG_NOTE:
            rc = take_text(r, since(r, record.time_ns), payload, record.payload, err);
            break;
        default: /* of a later version */
            break;
        }
        give_complete(r, sink);
    }
    give_complete(r, sink);
    return rc;
}

/* ---------------------------------------------------------------- looks */

/* The last record read is not what it was, and was not overwritten by what came behind it. */
static bool rewritten(const struct vt_vgpu_log_reader *r)
{
    uint64_t offset = r->last & (r->bytes - 1);
    if (r->last == UINT64_MAX ||
        memcmp(r->ring + offset, r->copy + offset, sizeof(struct vt_vgpu_log_record)) == 0) {
        return false;
    }
    vt_virtio_barrier_acquire();
    return __atomic_load_n(&r->header->tail, __ATOMIC_RELAXED) <= r->last;
}

/* The guest began anew: another boot, another log in the same place. It may have written more than
 * the one before when we look: times tell them apart. */
static bool restarted(struct vt_vgpu_log_reader *r, uint64_t head, uint64_t records)
{
    bool there = memcmp(r->header->magic, VT_VGPU_LOG_MAGIC, sizeof r->header->magic) == 0;
    if (!there) {
        r->gone = true;
        return false;
    }
    return r->gone || head < r->position || records < r->records || rewritten(r);
}

int vt_vgpu_log_reader_poll(struct vt_vgpu_log_reader *reader, vt_vgpu_seen_fn *fn, void *arg,
                            struct vt_error *err)
{
    struct vt_vgpu_log_reader *r = reader;
    struct sink sink = {fn, arg, false};
    uint64_t records = __atomic_load_n(&r->header->records, __ATOMIC_RELAXED);
    /* Pairs with the writer's release: what lies before it is written. */
    uint64_t head = __atomic_load_n(&r->header->head, __ATOMIC_ACQUIRE) & ~(uint64_t)15;
    if (restarted(r, head, records)) {
        append_reset(r, 0, &sink);
        r->gone = r->timed = false;
        r->position = r->sequence = r->records = 0;
        r->last = UINT64_MAX;
    }
    if (r->gone || head <= r->position) {
        return 0;
    }
    r->records = records;
    /* What is further back than a ring was overwritten long ago. */
    uint64_t from = head - r->position > r->bytes ? head - r->bytes : r->position;
    uint64_t offset = from & (r->bytes - 1), n = head - from;
    uint64_t before_end = n < r->bytes - offset ? n : r->bytes - offset;
    memcpy(r->copy + offset, r->ring + offset, before_end);
    memcpy(r->copy, r->ring, n - before_end);
    /* The copy before `tail`: pairs with the writer's fence between its `tail` and its record. */
    vt_virtio_barrier_acquire();
    uint64_t tail = __atomic_load_n(&r->header->tail, __ATOMIC_RELAXED) & ~(uint64_t)15;
    int rc = 0;
    if (tail > r->position) {
        r->position = tail < head ? tail : head;
    } else if (from > r->position) {
        /* `tail` is a lie: of no place in the ring is it known that a record begins there. */
        r->position = head;
        rc = take_damage(r, n, err);
    }
    rc = rc == 0 ? take_records(r, head, &sink, err) : rc;
    if (rc != 0) {
        return rc;
    }
    return sink.ended ? vt_fail(err, VT_E_INTERRUPTED, "whoever reads the events has ended") : 1;
}

int vt_vgpu_log_reader_flush(struct vt_vgpu_log_reader *reader, vt_vgpu_seen_fn *fn, void *arg,
                             struct vt_error *err)
{
    struct sink sink = {fn, arg, false};
    int any = reader->n > 0;
    while (reader->n > 0) {
        give_first(reader, &sink);
    }
    return sink.ended ? vt_fail(err, VT_E_INTERRUPTED, "whoever reads the events has ended") : any;
}
