/* trace/export_perfetto.c - Perfetto's own format: a message Trace of TracePackets with
 * TrackEvents.
 *
 * Source: protos/perfetto/trace of github.com/google/perfetto (field numbers below) and protobuf's
 * "Encoding". Every packet is a field of Trace, so it goes out as soon as it is made; nothing but a
 * packet's bytes is kept. Names are interned: sent once, then by number. Process and thread ids are
 * numbers of ours, unique in the trace; the processes' names have the guest's.
 */
#include "trace/timeline.h"

#include "trace/learn_parts.h"

#include <stdlib.h>
#include <string.h>

enum { /* fields */
       TRACE_PACKET = 1,
       PACKET_TIMESTAMP = 8,
       PACKET_SEQUENCE_ID = 10,
       PACKET_TRACK_EVENT = 11,
       PACKET_INTERNED_DATA = 12,
       PACKET_SEQUENCE_FLAGS = 13,
       PACKET_TRACK_DESCRIPTOR = 60,
       TRACK_UUID = 1,
       TRACK_PROCESS = 3,
       TRACK_THREAD = 4,
       TRACK_PARENT_UUID = 5,
       PROCESS_PID = 1,
       PROCESS_NAME = 6,
       THREAD_PID = 1,
       THREAD_TID = 2,
       THREAD_NAME = 5,
       EVENT_TYPE = 9,
       EVENT_NAME_IID = 10,
       EVENT_TRACK_UUID = 11,
       EVENT_CATEGORIES = 22,
       INTERNED_NAMES = 2,
       NAME_IID = 1,
       NAME_TEXT = 2,
};
enum { SLICE_BEGIN = 1, SLICE_END = 2, INSTANT = 3 };
enum { STATE_CLEARED = 1, NEEDS_STATE = 2 };
#define SEQUENCE 1u
/** Thread ids of a process: its own number and these. */
#define THREADS_OF_ONE 128u

/** A message being made. The greatest is a packet with a name of VT_TRACE_FRAME_TEXT. */
struct message {
    uint8_t bytes[VT_TRACE_FRAME_TEXT + 256];
    size_t n;
};

static void put_varint(struct message *m, uint64_t value)
{
    for (; value >= 0x80 && m->n < sizeof m->bytes; value >>= 7) {
        m->bytes[m->n++] = (uint8_t)(value | 0x80);
    }
    if (m->n < sizeof m->bytes) {
        m->bytes[m->n++] = (uint8_t)value;
    }
}

static void put_number(struct message *m, unsigned field, uint64_t value)
{
    put_varint(m, field << 3);
    put_varint(m, value);
}

static void put_bytes(struct message *m, unsigned field, const void *bytes, size_t n)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, n);
    n = n < sizeof m->bytes - m->n ? n : sizeof m->bytes - m->n;
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void put_text(struct message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
    put_bytes(m, field, inner->bytes, inner->n);
}

struct perfetto {
    struct vt_trace_timeline *timeline;
    FILE *out;
    struct vt_learn_index interned;
    bool begun, no_memory;
};

static void put_packet(struct perfetto *p, struct message *packet)
{
    struct message head = {.n = 0};
    put_number(packet, PACKET_SEQUENCE_ID, SEQUENCE);
    put_number(packet, PACKET_SEQUENCE_FLAGS, p->begun ? NEEDS_STATE : STATE_CLEARED | NEEDS_STATE);
    p->begun = true;
    put_varint(&head, TRACE_PACKET << 3 | 2);
    put_varint(&head, packet->n);
    fwrite(head.bytes, 1, head.n, p->out);
    fwrite(packet->bytes, 1, packet->n, p->out);
}

static uint64_t pid_of(uint32_t process)
{
    return (uint64_t)(process + 1) * THREADS_OF_ONE;
}

static uint64_t uuid_of_process(uint32_t process)
{
    return (uint64_t)1 << 32 | process;
}

static uint64_t uuid_of_track(uint32_t track)
{
    return (uint64_t)2 << 32 | track;
}

static void put_process(void *arg, uint32_t process, const char *name)
{
    struct message packet = {.n = 0}, track = {.n = 0}, about = {.n = 0};
    put_number(&about, PROCESS_PID, pid_of(process));
    put_text(&about, PROCESS_NAME, name);
    put_number(&track, TRACK_UUID, uuid_of_process(process));
    put_message(&track, TRACK_PROCESS, &about);
    put_message(&packet, PACKET_TRACK_DESCRIPTOR, &track);
    put_packet(arg, &packet);
}

static void put_track(void *arg, uint32_t number, uint32_t process, unsigned vcpu, const char *name)
{
    struct message packet = {.n = 0}, track = {.n = 0}, about = {.n = 0};
    put_number(&about, THREAD_PID, pid_of(process));
    put_number(&about, THREAD_TID, pid_of(process) + 1 + vcpu);
    put_text(&about, THREAD_NAME, name);
    put_number(&track, TRACK_UUID, uuid_of_track(number));
    put_number(&track, TRACK_PARENT_UUID, uuid_of_process(process));
    put_message(&track, TRACK_THREAD, &about);
    put_message(&packet, PACKET_TRACK_DESCRIPTOR, &track);
    put_packet(arg, &packet);
}

static void put_event(struct perfetto *p, unsigned type, uint32_t track, uint64_t ns,
                      const struct vt_trace_slice_name *name)
{
    struct message packet = {.n = 0}, event = {.n = 0};
    put_number(&packet, PACKET_TIMESTAMP, ns);
    if (name != NULL && vt_learn_index_find(&p->interned, name->id, 0) == VT_LEARN_NONE) {
        struct message interned = {.n = 0}, entry = {.n = 0};
        put_number(&entry, NAME_IID, name->id + 1u);
        put_text(&entry, NAME_TEXT, name->text);
        put_message(&interned, INTERNED_NAMES, &entry);
        put_message(&packet, PACKET_INTERNED_DATA, &interned);
        p->no_memory |= vt_learn_index_put(&p->interned, name->id, 0, 0, NULL) != 0;
    }
    put_number(&event, EVENT_TYPE, type);
    put_number(&event, EVENT_TRACK_UUID, uuid_of_track(track));
    if (name != NULL) {
        put_number(&event, EVENT_NAME_IID, name->id + 1u);
        put_text(&event, EVENT_CATEGORIES, name->category);
    }
    put_message(&packet, PACKET_TRACK_EVENT, &event);
    put_packet(p, &packet);
}

static void put_begin(void *arg, uint32_t track, uint64_t ns,
                      const struct vt_trace_slice_name *name)
{
    put_event(arg, SLICE_BEGIN, track, ns, name);
}

static void put_end(void *arg, uint32_t track, uint64_t ns)
{
    put_event(arg, SLICE_END, track, ns, NULL);
}

static void put_instant(void *arg, uint32_t track, uint64_t ns,
                        const struct vt_trace_slice_name *name)
{
    put_event(arg, INSTANT, track, ns, name);
}

static const struct vt_trace_timeline_sink sink = {.process = put_process,
                                                   .track = put_track,
                                                   .begin = put_begin,
                                                   .end = put_end,
                                                   .instant = put_instant};

static int begin(struct vt_trace_export *x, struct vt_error *err)
{
    struct perfetto *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a trace of Perfetto's");
    }
    p->out = x->out;
    x->own = p;
    return vt_trace_timeline_create(x, &sink, p, &p->timeline, err);
}

static int put(struct vt_trace_export *x, const struct vt_trace_event *event, struct vt_error *err)
{
    return vt_trace_timeline_put(((struct perfetto *)x->own)->timeline, event, err);
}

static int end(struct vt_trace_export *x, bool whole, struct vt_error *err)
{
    struct perfetto *p = x->own;
    if (p == NULL) {
        return 0;
    }
    int rc = vt_trace_timeline_end(p->timeline, whole, err);
    if (rc == 0 && whole && p->no_memory) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for a trace of Perfetto's");
    }
    vt_learn_index_fini(&p->interned);
    free(p);
    return rc;
}

const struct vt_trace_exporter vt_trace_exporter_perfetto = {
    .name = "perfetto", .begin = begin, .put = put, .end = end};
