/* trace/file_read.c - the events of a .vtrace file: one chunk at a time is unpacked and decoded.
 * trace/file.h has the format, file_open.c opens.
 */
#include "trace/file_parts.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- events */

/* The chunk gives nothing more, however often it is asked. */
static int corrupt(struct vt_trace_file *f, const char *what, struct vt_error *err)
{
    char why[VT_TRACE_FILE_MESSAGE_MAX];
    snprintf(why, sizeof why, "byte %zu of %zu unpacked: %s", f->c.at, f->c.size, what);
    vt_trace_file_call_bad(f, f->chunk->at, why);
    f->stuck = true;
    return vt_trace_file_bad_error(f, err);
}

static int begin_chunk(struct vt_trace_file *f, struct vt_error *err)
{
    const struct vt_trace_file_chunk_at *next = &f->chunks[f->next_chunk];
    if (next->raw > f->raw_room) {
        uint8_t *raw = realloc(f->raw, next->raw);
        if (raw == NULL) {
            return vt_trace_file_no_memory(f, err);
        }
        f->raw = raw;
        f->raw_room = next->raw;
    }
    f->places = f->places != NULL ? f->places : calloc(VT_TRACE_FILE_PLACES, sizeof *f->places);
    f->accesses =
        f->accesses != NULL ? f->accesses : calloc(VT_TRACE_FILE_ACCESSES_MAX, sizeof *f->accesses);
    if (f->places == NULL || f->accesses == NULL) {
        return vt_trace_file_no_memory(f, err);
    }
    f->chunk = next;
    f->next_chunk++;
    f->produced = 0;
    f->hits = 0;
    f->c = vt_cursor_of(f->raw, f->chunk->raw);
    f->vcpu = 0;
    f->stamp++;
    for (size_t i = 0; i < VT_TRACE_FILE_VCPUS_MAX; i++) {
        f->vcpus[i] = (struct vt_trace_file_vcpu){.root = ~(uint64_t)0};
    }
    const char *why;
    int rc = vt_trace_file_unpack(f, f->chunk, f->raw, &why, err);
    if (rc < 0) {
        f->next_chunk--;
        f->chunk = NULL;
        return rc;
    }
    return why != NULL ? corrupt(f, why, err) : 0;
}

static void fill(struct vt_trace_file *f, struct vt_trace_event *event, enum vt_trace_kind kind)
{
    struct vt_trace_file_vcpu *v = &f->vcpus[f->vcpu];
    *event = (struct vt_trace_event){.kind = kind,
                                     .vcpu = f->vcpu,
                                     .sequence = v->sequence++,
                                     .time_ns = v->time_ns,
                                     .root = v->root};
    f->produced++;
}

static void follow(struct vt_trace_file *f, struct vt_trace_event *event, uint32_t id)
{
    struct vt_trace_file_vcpu *v = &f->vcpus[f->vcpu];
    fill(f, event, VT_TRACE_EV_BLOCK);
    event->block = &f->blocks[id];
    event->executed = f->blocks[id].n;
    if (v->last > 0) {
        f->followers[v->last - 1] = (struct vt_trace_file_follower){id, f->stamp};
    }
    v->last = id + 1;
}

static bool predicted(const struct vt_trace_file *f, uint32_t *id)
{
    uint32_t last = f->vcpus[f->vcpu].last;
    if (last == 0 || f->followers[last - 1].stamp != f->stamp) {
        return false;
    }
    *id = f->followers[last - 1].next;
    return true;
}

static struct vt_trace_file_place *place_of(struct vt_trace_file *f, uint32_t id, uint32_t k)
{
    struct vt_trace_file_place *p = &f->places[vt_trace_file_place(f->vcpu, id, k)];
    if (p->stamp != f->stamp) {
        *p = (struct vt_trace_file_place){.stamp = f->stamp};
    }
    return p;
}

static int take_accesses(struct vt_trace_file *f, struct vt_trace_event *event, bool same,
                         struct vt_error *err)
{
    struct vt_cursor *c = &f->c;
    uint32_t id = event->block->id;
    uint32_t n = same ? place_of(f, id, 0)->n : vt_trace_file_upto(c, VT_TRACE_FILE_ACCESSES_MAX);
    for (uint32_t i = 0; i < n && !c->bad; i++) {
        struct vt_trace_access *a = &f->accesses[i];
        struct vt_trace_file_place *p = place_of(f, id, i);
        if (!same) {
            p->shape = (uint16_t)vt_trace_file_upto(c, UINT16_MAX);
        }
        uint32_t shape = p->shape, log2 = shape >> 10 & 7;
        *a = (struct vt_trace_access){.instruction = (uint16_t)(shape & 1023),
                                      .bytes = (uint8_t)(1u << log2),
                                      .store = (shape & VT_TRACE_SHAPE_STORE) != 0,
                                      .has_value = (shape & VT_TRACE_SHAPE_VALUE) != 0,
                                      .device = (shape & VT_TRACE_SHAPE_DEVICE) != 0};
        if (log2 > 4 || a->instruction >= event->block->n) {
            return corrupt(f, "an access is out of range", err);
        }
        a->address = p->address += vt_trace_file_unzigzag(vt_trace_file_varint(c));
        if (a->has_value) {
            a->value[0] = p->value += vt_trace_file_unzigzag(vt_trace_file_varint(c));
            a->value[1] = a->bytes == 16 ? vt_cursor_u64(c) : 0;
        }
    }
    place_of(f, id, 0)->n = vt_trace_file_place_n(n);
    event->n_accesses = n;
    event->accesses = f->accesses;
    return 0;
}

static enum vt_trace_end take_end(struct vt_cursor *c)
{
    uint8_t end = vt_cursor_u8(c);
    c->bad |= end > VT_TRACE_END_UNKNOWN;
    return end > VT_TRACE_END_UNKNOWN ? VT_TRACE_END_UNKNOWN : (enum vt_trace_end)end;
}

static int take_block(struct vt_trace_file *f, uint8_t op, struct vt_trace_event *event,
                      struct vt_error *err)
{
    uint32_t id = 0;
    if ((op & VT_TRACE_BLOCK_MISS) != 0) {
        uint64_t v = vt_trace_file_varint(&f->c);
        if (f->c.bad || v >= f->n_blocks) {
            return corrupt(f, "it names a block that the file does not have", err);
        }
        id = (uint32_t)v;
    } else if (!predicted(f, &id)) {
        return corrupt(f, "nothing is known to follow the block before", err);
    }
    follow(f, event, id);
    if ((op & VT_TRACE_BLOCK_SHORT) != 0) {
        event->executed = (uint16_t)vt_trace_file_upto(&f->c, event->block->n);
        event->end = take_end(&f->c);
    }
    if ((op & VT_TRACE_BLOCK_JUMP) != 0) {
        event->from = vt_cursor_u64(&f->c);
        event->to = vt_cursor_u64(&f->c);
    }
    bool same = (op & VT_TRACE_BLOCK_SAME_SHAPES) != 0;
    return (op & VT_TRACE_BLOCK_ACCESSES) != 0 ? take_accesses(f, event, same, err) : 0;
}

/* 1: an event; 0: the vCPU's state has changed, or `hits` wait. */
static int take_op(struct vt_trace_file *f, struct vt_trace_event *event, struct vt_error *err)
{
    struct vt_cursor *c = &f->c;
    struct vt_trace_file_vcpu *v = &f->vcpus[f->vcpu];
    uint8_t op = vt_cursor_u8(c);
    if (op >= VT_TRACE_OP_HITS) {
        f->hits =
            op == VT_TRACE_OP_MANY_HITS ? vt_trace_file_varint(c) : op - VT_TRACE_OP_HITS + 1u;
        if (f->hits > f->chunk->n_events - f->produced) {
            return corrupt(f, "more blocks follow than the chunk has", err);
        }
        return 0;
    }
    switch (op) {
    case VT_TRACE_OP_VCPU:
        f->vcpu = vt_trace_file_upto(c, f->info.vcpus > 0 ? f->info.vcpus - 1 : 0);
        return 0;
    case VT_TRACE_OP_TIME:
        v->time_ns += vt_trace_file_unzigzag(vt_trace_file_varint(c));
        return 0;
    case VT_TRACE_OP_ROOT:
        v->root = vt_cursor_u64(c);
        return 0;
    case VT_TRACE_OP_SEQUENCE:
        v->sequence = vt_trace_file_varint(c);
        return 0;
    case VT_TRACE_OP_REGISTERS:
        fill(f, event, VT_TRACE_EV_REGISTERS);
        event->pc = vt_cursor_u64(c);
        event->n_registers = vt_trace_file_upto(c, f->info.n_registers);
        event->registers = f->registers;
        for (uint32_t i = 0; i < event->n_registers; i++) {
            f->registers[i] = vt_cursor_u64(c);
        }
        return 1;
    case VT_TRACE_OP_LOST:
        fill(f, event, VT_TRACE_EV_LOST);
        event->lost_words = vt_trace_file_varint(c);
        return 1;
    case VT_TRACE_OP_MODE:
        fill(f, event, VT_TRACE_EV_MODE);
        event->detail = vt_trace_file_upto(c, UINT32_MAX);
        event->generation = vt_trace_file_upto(c, UINT32_MAX);
        return 1;
    case VT_TRACE_OP_PAUSE:
        fill(f, event, VT_TRACE_EV_PAUSE);
        return 1;
    case VT_TRACE_OP_RESUME:
        fill(f, event, VT_TRACE_EV_RESUME);
        return 1;
    case VT_TRACE_OP_CUT:
        fill(f, event, VT_TRACE_EV_CUT);
        event->end = take_end(c);
        event->from = vt_cursor_u64(c);
        event->to = vt_cursor_u64(c);
        return 1;
    default:
        if (op < VT_TRACE_OP_BLOCK || op >= VT_TRACE_OP_BLOCK + 32) {
            return corrupt(f, "no event begins with this byte", err);
        }
        int rc = take_block(f, op, event, err);
        return rc < 0 ? rc : 1;
    }
}

/* Up to the chunk's end: 1 an event, 0 none left. */
static int take_event(struct vt_trace_file *f, struct vt_trace_event *event, struct vt_error *err)
{
    for (;;) {
        if (f->hits > 0) {
            uint32_t id;
            if (!predicted(f, &id)) {
                return corrupt(f, "nothing is known to follow the block before", err);
            }
            f->hits--;
            follow(f, event, id);
            return 1;
        }
        if (vt_cursor_left(&f->c) == 0) {
            return f->produced != f->chunk->n_events
                       ? corrupt(f, "the chunk ends before its last event", err)
                       : 0;
        }
        if (f->produced == f->chunk->n_events) {
            return corrupt(f, "more follows the chunk's last event", err);
        }
        int rc = take_op(f, event, err);
        if (rc >= 0 && f->c.bad) {
            rc = corrupt(f, "a number is out of range or cut off", err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

int vt_trace_file_next(struct vt_trace_source *source, uint64_t timeout_ms,
                       struct vt_trace_event *event, struct vt_error *err)
{
    (void)timeout_ms;
    struct vt_trace_file *f = vt_trace_file_of(source);
    struct vt_trace_event next;
    if (f->stuck) {
        return vt_trace_file_bad_error(f, err);
    }
    for (;;) {
        if (f->chunk != NULL) {
            int rc = take_event(f, &next, err);
            if (rc == 1) {
                *event = next;
            }
            if (rc != 0) {
                return rc;
            }
            f->chunk = NULL;
        }
        if (f->next_chunk == f->n_chunks) {
            f->info.ended = true;
            return f->bad ? vt_trace_file_bad_error(f, err) : 0;
        }
        int rc = begin_chunk(f, err);
        if (rc < 0) {
            return rc;
        }
    }
}

int vt_trace_file_seek(struct vt_trace_source *source, uint64_t event, struct vt_error *err)
{
    if (vt_trace_file_about(source) == NULL) {
        return vt_fail(err, VT_E_INVAL, "only a trace's file can be read from its middle");
    }
    struct vt_trace_file *f = vt_trace_file_of(source);
    if (event > f->about.events) {
        return vt_fail(err, VT_E_INVAL, "%s: event %llu of %llu", f->name,
                       (unsigned long long)event, (unsigned long long)f->about.events);
    }
    size_t low = 0, high = f->n_chunks; /* the first chunk that begins after it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->chunks[middle].number <= event) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    f->chunk = NULL;
    f->stuck = false;
    f->info.ended = false;
    f->next_chunk = low > 0 ? low - 1 : 0;
    if (f->n_chunks == 0 || event == f->about.events) {
        f->next_chunk = f->n_chunks;
        return 0;
    }
    int rc = begin_chunk(f, err);
    while (rc >= 0 && !f->stuck && f->chunk != NULL && f->chunk->number + f->produced < event) {
        struct vt_trace_event skipped;
        rc = take_event(f, &skipped, err);
    }
    return rc < 0 ? rc : 0;
}
