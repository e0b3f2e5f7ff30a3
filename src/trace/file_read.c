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

static int make_room(struct vt_trace_file *f, uint32_t n_accesses, struct vt_error *err)
{
    uint32_t room = f->room_accesses > 0 ? f->room_accesses : VT_TRACE_MODEL_ACCESSES;
    while (room < n_accesses) {
        room *= 2;
    }
    if (room > f->room_accesses) {
        struct vt_trace_access *accesses = reallocarray(f->accesses, room, sizeof *accesses);
        if (accesses == NULL) {
            return vt_trace_file_no_memory(f, err);
        }
        f->accesses = accesses;
        f->room_accesses = room;
    }
    return 0;
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
    f->model = f->model != NULL ? f->model : calloc(1, sizeof *f->model);
    if (f->model == NULL || make_room(f, 0, err) < 0) {
        return vt_trace_file_no_memory(f, err);
    }
    f->chunk = next;
    f->next_chunk++;
    f->produced = 0;
    f->hits = 0;
    f->c = vt_cursor_of(f->raw, f->chunk->raw);
    f->vcpu = 0;
    vt_trace_model_begin(f->model);
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
    struct vt_trace_model_vcpu *v = &f->model->vcpus[f->vcpu];
    vt_trace_event_begin(event, kind, f->vcpu, v->sequence++, v->time_ns, v->root);
    f->produced++;
}

static struct vt_trace_model_slot *follow(struct vt_trace_file *f, struct vt_trace_event *event,
                                          uint32_t id)
{
    struct vt_trace_model_vcpu *v = &f->model->vcpus[f->vcpu];
    struct vt_trace_model_slot *slot = vt_trace_model_slot(f->model, f->vcpu, id);
    vt_trace_model_follow(v, slot, id);
    fill(f, event, VT_TRACE_EV_BLOCK);
    event->block = &f->blocks[id];
    event->executed = f->blocks[id].n;
    return slot;
}

static bool predicted(const struct vt_trace_file *f, uint32_t *id)
{
    *id = vt_trace_model_next(&f->model->vcpus[f->vcpu]);
    return *id != VT_TRACE_MODEL_NONE;
}

/* ---- accesses */

static struct vt_trace_access access_of(uint32_t shape)
{
    return (struct vt_trace_access){.instruction = (uint16_t)(shape & 1023),
                                    .bytes = (uint8_t)(1u << (shape >> 10 & 7)),
                                    .store = (shape & VT_TRACE_SHAPE_STORE) != 0,
                                    .has_value = (shape & VT_TRACE_SHAPE_VALUE) != 0,
                                    .device = (shape & VT_TRACE_SHAPE_DEVICE) != 0};
}

/* Where the bytes give a shape; one that cannot be makes the cursor bad. */
static uint16_t take_shape(struct vt_trace_file *f, const struct vt_trace_event *event)
{
    uint16_t shape = (uint16_t)vt_trace_file_upto(&f->c, UINT16_MAX);
    if ((shape >> 10 & 7) > 4 || (shape & 1023) >= event->block->n) {
        f->c.bad = true;
    }
    return shape;
}

/* The next of a place, `off` from where it is expected. */
static void take_place(struct vt_trace_file *f, uint32_t place, uint64_t off,
                       struct vt_trace_access *a)
{
    struct vt_trace_model_vcpu *v = &f->model->vcpus[f->vcpu];
    struct vt_trace_model_place *p = &f->model->places[place];
    uint64_t step = vt_trace_model_step(p, v->shift) + off;
    vt_trace_model_learn(p, step, v->shift, off == 0);
    *a = access_of(p->shape);
    a->address = v->address = p->address;
    v->shift = step;
}

static void take_value(struct vt_trace_file *f, struct vt_trace_access *a, uint64_t before)
{
    a->value[0] = before + vt_trace_file_unzigzag(vt_trace_file_varint(&f->c));
    a->value[1] = a->bytes == 16 ? vt_cursor_u64(&f->c) : 0;
}

static void take_placed(struct vt_trace_file *f, uint32_t place, struct vt_trace_access *a)
{
    take_place(f, place, vt_trace_file_unzigzag(vt_trace_file_varint(&f->c)), a);
    if (a->has_value) {
        take_value(f, a, f->model->values[place]);
        f->model->values[place] = a->value[0];
    }
}

static void take_rows(struct vt_trace_file *f, const struct vt_trace_event *event, uint32_t n)
{
    struct vt_trace_model_vcpu *v = &f->model->vcpus[f->vcpu];
    struct vt_trace_access *a = f->accesses;
    for (uint32_t i = 0; i < n && !f->c.bad; i++) {
        if (i >= 4) {
            uint32_t end = i + vt_trace_file_upto(&f->c, n - i);
            for (; i < end; i++) {
                a[i] = a[i - 2];
                a[i].address = vt_trace_model_row(a, i);
                if (a[i].has_value) {
                    take_value(f, &a[i], a[i - 2].value[0]);
                }
            }
            if (i == n) {
                break;
            }
        }
        a[i] = access_of(take_shape(f, event));
        a[i].address = (i > 0 ? a[i - 1].address : v->address) +
                       vt_trace_file_unzigzag(vt_trace_file_varint(&f->c));
        if (a[i].has_value) {
            take_value(f, &a[i], i > 0 ? a[i - 1].value[0] : 0);
        }
    }
    v->address = n > 0 ? a[n - 1].address : v->address;
}

static int take_accesses(struct vt_trace_file *f, struct vt_trace_event *event,
                         struct vt_trace_model_slot *slot, bool same, struct vt_error *err)
{
    struct vt_trace_model_vcpu *v = &f->model->vcpus[f->vcpu];
    uint32_t n = slot->n;
    if (same && n > slot->room) {
        return corrupt(f, "no accesses are known of this block", err);
    }
    if (!same) {
        n = vt_trace_file_upto(&f->c, VT_TRACE_FILE_ACCESSES_MAX);
        slot->n = n <= VT_TRACE_MODEL_ACCESSES ? n & 0xffu : 0xffu;
    }
    int rc = make_room(f, n, err);
    if (rc < 0) {
        return rc;
    }
    event->n_accesses = n;
    event->accesses = f->accesses;
    if (!same && !vt_trace_model_make_room(f->model, v, slot, n)) {
        take_rows(f, event, n);
        return 0;
    }
    for (uint32_t i = 0; i < n && !f->c.bad; i++) {
        uint32_t place = slot->base + i;
        if (!same) {
            f->model->places[place].shape = take_shape(f, event);
        }
        take_placed(f, place, &f->accesses[i]);
    }
    return 0;
}

/* All of it as expected. */
static int take_expected(struct vt_trace_file *f, struct vt_trace_event *event,
                         struct vt_error *err)
{
    uint32_t id;
    if (!predicted(f, &id)) {
        return corrupt(f, "nothing is known to follow the block before", err);
    }
    f->hits--;
    struct vt_trace_model_slot *slot = follow(f, event, id);
    if (slot->n > slot->room) {
        return corrupt(f, "no accesses are known of this block", err);
    }
    event->n_accesses = slot->n;
    event->accesses = f->accesses;
    for (uint32_t i = 0; i < slot->n; i++) {
        take_place(f, slot->base + i, 0, &f->accesses[i]);
        if (f->accesses[i].has_value) {
            f->accesses[i].value[0] = f->model->values[slot->base + i];
        }
    }
    return 1;
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
    struct vt_trace_model_slot *slot = follow(f, event, id);
    if ((op & VT_TRACE_BLOCK_SHORT) != 0) {
        event->executed = (uint16_t)vt_trace_file_upto(&f->c, event->block->n);
        event->end = take_end(&f->c);
    }
    if ((op & VT_TRACE_BLOCK_JUMP) != 0) {
        event->from = vt_cursor_u64(&f->c);
        event->to = vt_cursor_u64(&f->c);
    }
    bool same = (op & VT_TRACE_BLOCK_SAME) != 0;
    if ((op & VT_TRACE_BLOCK_ACCESSES) != 0) {
        return take_accesses(f, event, slot, same, err);
    }
    slot->n = 0;
    return 0;
}

/* 1: an event; 0: the vCPU's state has changed, or `hits` wait. */
static int take_op(struct vt_trace_file *f, struct vt_trace_event *event, struct vt_error *err)
{
    struct vt_cursor *c = &f->c;
    struct vt_trace_model_vcpu *v = &f->model->vcpus[f->vcpu];
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
            return take_expected(f, event, err);
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

static int no_file(struct vt_error *err)
{
    return vt_fail(err, VT_E_INVAL, "only a trace's file can be read from its middle");
}

/* The next event is the first of this chunk. */
static int go_to_chunk(struct vt_trace_file *f, size_t i, struct vt_error *err)
{
    f->chunk = NULL;
    f->stuck = false;
    f->info.ended = false;
    f->next_chunk = i;
    return i < f->n_chunks ? begin_chunk(f, err) : 0;
}

uint64_t vt_trace_file_tell(const struct vt_trace_source *source)
{
    const struct vt_trace_file *f = vt_trace_file_of(source);
    return f->chunk != NULL              ? f->chunk->number + f->produced
           : f->next_chunk < f->n_chunks ? f->chunks[f->next_chunk].number
                                         : f->about.events;
}

int vt_trace_file_seek(struct vt_trace_source *source, uint64_t event, struct vt_error *err)
{
    if (vt_trace_file_about(source) == NULL) {
        return no_file(err);
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
    bool end = event == f->about.events;
    int rc = go_to_chunk(f, end ? f->n_chunks : low - (low > 0), err);
    while (rc >= 0 && !end && !f->stuck && f->chunk != NULL &&
           f->chunk->number + f->produced < event) {
        struct vt_trace_event skipped;
        rc = take_event(f, &skipped, err);
    }
    return rc < 0 ? rc : 0;
}

int vt_trace_file_seek_time(struct vt_trace_source *source, uint64_t time_ns, struct vt_error *err)
{
    if (vt_trace_file_about(source) == NULL) {
        return no_file(err);
    }
    struct vt_trace_file *f = vt_trace_file_of(source);
    /* vCPUs take turns, so that chunks need not begin in order: as far as all before begin early.
     */
    size_t i = 0;
    while (i < f->n_chunks && f->chunks[i].time_ns < time_ns) {
        i++;
    }
    return go_to_chunk(f, i - (i > 0), err);
}
