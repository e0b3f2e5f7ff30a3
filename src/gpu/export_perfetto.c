/* gpu/export_perfetto.c - Chrome's JSON trace: a track a queue, a counter of commands in flight.
 *
 * Slices of one track must not overlap, commands in flight do: a queue has as many lanes as it ever
 * had commands in flight, and a command takes the first lane that is free. Counters are written at
 * the end, in order of time. Source: Chromium's "Trace Event Format", which Perfetto reads.
 */
#include "base/json_writer.h"
#include "base/text.h"
#include "gpu/export_parts.h"
#include "gpu/venus_show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES 2u
/** Of one queue; what is beyond shares the last one. */
#define LANES_MAX 1024u
/** Characters of a message in a slice's arguments. */
#define LINE_BYTES 512
/** Rings of a recording that have tracks of their own; what is beyond shares the last one. */
#define STREAMS_MAX 256u
/** Of a Venus command's blobs. */
#define BLOB_BYTES 32u

struct change {
    uint64_t at_ns;
    int by;
};

struct queue {
    uint64_t *free_at; /* of each lane */
    size_t lanes;
    struct change *changes;
    size_t n, room;
};

/** A context's ring, or its own stream, in a recording of Venus. */
struct stream {
    uint32_t context;
    uint64_t ring;
};

struct perfetto {
    struct queue queues[QUEUES];
    struct stream streams[STREAMS_MAX];
    size_t n_streams;
    bool begun; /* an event has been written */
};

/** Track ids: lanes of the control queue, then of the cursor queue. */
static uint64_t track_of(unsigned queue, size_t lane)
{
    return 1 + (uint64_t)queue * LANES_MAX + lane;
}

static void begin_event(struct vt_vgpu_export *x, struct vt_json_writer *w, const char *phase,
                        const char *name)
{
    struct perfetto *p = x->own;
    fputs(p->begun ? ",\n" : "", x->out);
    p->begun = true;
    vt_json_init(w, x->out, false);
    vt_json_object(w);
    vt_json_kv_string(w, "ph", phase);
    vt_json_kv_u64(w, "pid", 1);
    vt_json_kv_string(w, "name", name);
}

/** Times are microseconds; three digits behind the point keep nanoseconds. */
static void put_time(struct vt_json_writer *w, const char *key, uint64_t ns)
{
    vt_json_key(w, key);
    vt_json_f64(w, (double)ns / 1e3, 16);
}

static void name_track(struct vt_vgpu_export *x, unsigned queue, size_t lane)
{
    struct vt_json_writer w;
    char name[64];
    snprintf(name, sizeof name, lane == 0 ? "%s queue" : "%s queue, %zu more in flight",
             vt_vgpu_queue_name((uint8_t)queue), lane);
    begin_event(x, &w, "M", "thread_name");
    vt_json_kv_u64(&w, "tid", track_of(queue, lane));
    vt_json_key(&w, "args");
    vt_json_object(&w);
    vt_json_kv_string(&w, "name", name);
    vt_json_object_end(&w);
    vt_json_object_end(&w);
}

static bool begin(struct vt_vgpu_export *x)
{
    struct vt_json_writer w;
    char name[sizeof x->origin.vm + sizeof x->origin.device + 16];
    x->own = calloc(1, sizeof(struct perfetto));
    if (x->own == NULL) {
        x->no_memory = true;
        return false;
    }
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", x->out);
    snprintf(name, sizeof name, "%.*s virtio-gpu %.*s", (int)sizeof x->origin.vm, x->origin.vm,
             (int)sizeof x->origin.device, x->origin.device);
    begin_event(x, &w, "M", "process_name");
    vt_json_key(&w, "args");
    vt_json_object(&w);
    vt_json_kv_string(&w, "name", name);
    vt_json_object_end(&w);
    vt_json_object_end(&w);
    return true;
}

/** A lane that is free at `from_ns`, taken until `to_ns`; SIZE_MAX: no memory. */
static size_t take_lane(struct vt_vgpu_export *x, unsigned queue, uint64_t from_ns, uint64_t to_ns)
{
    struct queue *q = &((struct perfetto *)x->own)->queues[queue];
    size_t lane = 0;
    while (lane < q->lanes && q->free_at[lane] > from_ns) {
        lane++;
    }
    if (lane == LANES_MAX) {
        lane--;
    }
    if (lane == q->lanes) {
        uint64_t *more = realloc(q->free_at, (q->lanes + 1) * sizeof *more);
        if (more == NULL) {
            return SIZE_MAX;
        }
        q->free_at = more;
        q->free_at[q->lanes++] = 0;
        name_track(x, queue, lane);
    }
    if (q->free_at[lane] < to_ns) {
        q->free_at[lane] = to_ns;
    }
    return lane;
}

static bool count(struct vt_vgpu_export *x, unsigned queue, uint64_t at_ns, int by)
{
    struct queue *q = &((struct perfetto *)x->own)->queues[queue];
    if (q->n == q->room) {
        size_t room = q->room > 0 ? 2 * q->room : 256;
        struct change *more = realloc(q->changes, room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        q->changes = more;
        q->room = room;
    }
    q->changes[q->n++] = (struct change){at_ns, by};
    return true;
}

static void put_line(struct vt_json_writer *w, const char *key,
                     const struct vt_vgpu_message *message, const void *bytes, size_t n)
{
    char line[LINE_BYTES];
    vt_vgpu_describe(message, bytes, n, line, sizeof line);
    vt_json_kv_string(w, key, line);
}

static void put_args(struct vt_json_writer *w, const struct vt_vgpu_event_seen *event,
                     const struct vt_vgpu_looked *looked)
{
    vt_json_key(w, "args");
    vt_json_object(w);
    vt_json_kv_u64(w, "sequence", event->sequence);
    vt_json_kv_u64(w, "slot", event->slot);
    put_line(w, "request", looked->request, event->request, event->request_bytes);
    if (event->response_bytes > 0) {
        put_line(w, "response", looked->response, event->response, event->response_bytes);
    }
    for (uint32_t bit = 1; bit <= VT_VGPU_SEEN_FLAGS; bit <<= 1) {
        if ((event->flags & bit) != 0) {
            vt_json_kv_bool(w, vt_vgpu_seen_flag_name(bit), true);
        }
    }
    vt_json_object_end(w);
}

static bool put_command(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    struct vt_vgpu_looked looked;
    struct vt_json_writer w;
    bool answered = (event->flags & VT_VGPU_NO_RESPONSE) == 0;
    unsigned queue = event->queue < QUEUES ? event->queue : VT_VGPU_CONTROL_QUEUE;
    uint64_t from = event->submitted_ns;
    uint64_t to = answered && event->answered_ns > from ? event->answered_ns : from;
    vt_vgpu_look(event, &looked);
    size_t lane = take_lane(x, queue, from, to);
    if (lane == SIZE_MAX || !count(x, queue, from, 1) || (answered && !count(x, queue, to, -1))) {
        x->no_memory = true;
        return false;
    }
    begin_event(x, &w, answered ? "X" : "i",
                looked.request != NULL ? looked.request->name : "unknown command");
    vt_json_kv_string(&w, "cat", vt_vgpu_queue_name(event->queue));
    vt_json_kv_u64(&w, "tid", track_of(queue, lane));
    put_time(&w, "ts", from);
    if (answered) {
        put_time(&w, "dur", to - from);
    } else {
        vt_json_kv_string(&w, "s", "t");
    }
    put_args(&w, event, &looked);
    vt_json_object_end(&w);
    return true;
}

/* The track of a ring; a track's first event comes after its name. */
static uint64_t stream_track(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    struct perfetto *p = x->own;
    size_t i = 0;
    while (i < p->n_streams &&
           (p->streams[i].context != event->written || p->streams[i].ring != event->lost)) {
        i++;
    }
    if (i == STREAMS_MAX) {
        return QUEUES * LANES_MAX + i; /* the last one: tracks count from 1 */
    }
    if (i == p->n_streams) {
        struct vt_json_writer w;
        char name[64];
        p->streams[p->n_streams++] =
            (struct stream){.context = event->written, .ring = event->lost};
        snprintf(name, sizeof name,
                 event->lost != 0 ? "context %" PRIu32 ", ring %" PRIx64
                                  : "context %" PRIu32 ", its own stream",
                 event->written, event->lost);
        begin_event(x, &w, "M", "thread_name");
        vt_json_kv_u64(&w, "tid", 1 + QUEUES * LANES_MAX + i);
        vt_json_key(&w, "args");
        vt_json_object(&w);
        vt_json_kv_string(&w, "name", name);
        vt_json_object_end(&w);
        vt_json_object_end(&w);
    }
    return 1 + QUEUES * LANES_MAX + i;
}

static bool put_venus(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    struct vt_json_writer w;
    char text[64];
    if (event->slot != VT_VGPU_VENUS_COMMAND) {
        return true;
    }
    const uint64_t track = stream_track(x, event);
    begin_event(x, &w, "X", vt_vgpu_venus_name(event, text, sizeof text));
    vt_json_kv_u64(&w, "tid", track);
    put_time(&w, "ts", event->submitted_ns);
    put_time(&w, "dur",
             event->answered_ns > event->submitted_ns ? event->answered_ns - event->submitted_ns
                                                      : 0);
    vt_json_key(&w, "args");
    vt_json_object(&w);
    vt_vgpu_venus_json(&w, event, BLOB_BYTES);
    vt_json_object_end(&w);
    vt_json_object_end(&w);
    return true;
}

static bool put(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    struct vt_json_writer w;
    char text[LINE_BYTES];
    switch (event->kind) {
    case VT_VGPU_SEEN_COMMAND:
        return put_command(x, event);
    case VT_VGPU_SEEN_VENUS:
        return put_venus(x, event);
    case VT_VGPU_SEEN_LOST:
        snprintf(text, sizeof text, "%" PRIu64 " commands were lost", event->lost);
        break;
    case VT_VGPU_SEEN_RESET:
        snprintf(text, sizeof text, "the device was reset");
        break;
    case VT_VGPU_SEEN_NOTE:
        vt_text_printable(text, sizeof text, (const char *)event->request, event->request_bytes);
        break;
    }
    begin_event(x, &w, "i", text);
    vt_json_kv_u64(&w, "tid", track_of(VT_VGPU_CONTROL_QUEUE, 0));
    vt_json_kv_string(&w, "s", "p");
    put_time(&w, "ts", event->submitted_ns);
    vt_json_object_end(&w);
    return true;
}

/** Of the same time: first those that ended. */
static int compare(const void *a, const void *b)
{
    const struct change *one = a, *other = b;
    if (one->at_ns != other->at_ns) {
        return one->at_ns < other->at_ns ? -1 : 1;
    }
    return one->by - other->by;
}

static void put_counter(struct vt_vgpu_export *x, unsigned queue)
{
    struct queue *q = &((struct perfetto *)x->own)->queues[queue];
    char name[64];
    int64_t now = 0;
    if (q->n == 0) {
        return;
    }
    qsort(q->changes, q->n, sizeof *q->changes, compare);
    snprintf(name, sizeof name, "%s queue: in flight", vt_vgpu_queue_name((uint8_t)queue));
    for (size_t i = 0; i < q->n; i++) {
        now += q->changes[i].by;
        if (i + 1 < q->n && q->changes[i + 1].at_ns == q->changes[i].at_ns) {
            continue;
        }
        struct vt_json_writer w;
        begin_event(x, &w, "C", name);
        put_time(&w, "ts", q->changes[i].at_ns);
        vt_json_key(&w, "args");
        vt_json_object(&w);
        vt_json_kv_i64(&w, "commands", now);
        vt_json_object_end(&w);
        vt_json_object_end(&w);
    }
}

static void end(struct vt_vgpu_export *x)
{
    struct perfetto *p = x->own;
    if (p == NULL) {
        return;
    }
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        put_counter(x, queue);
        free(p->queues[queue].free_at);
        free(p->queues[queue].changes);
    }
    fputs("\n]}\n", x->out);
    free(p);
}

const struct vt_vgpu_exporter vt_vgpu_exporter_perfetto = {
    .name = "perfetto", .begin = begin, .put = put, .end = end};
