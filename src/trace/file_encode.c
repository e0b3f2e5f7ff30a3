/* trace/file_encode.c - see file_encode.h. Most events are as file_model.h expects them and cost a
 * count; the others say what is different.
 */
#include "trace/file_encode.h"

#include <stdlib.h>

int vt_trace_bytes_reserve(struct vt_trace_bytes *b, size_t more, struct vt_error *err)
{
    if (b->room - b->n >= more) {
        return 0;
    }
    size_t room = b->room * 2 > b->n + more ? b->room * 2 : b->n + more;
    uint8_t *at = realloc(b->at, room);
    if (at == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the trace file's buffer");
    }
    b->at = at;
    b->room = room;
    return 0;
}

int vt_trace_encoder_init(struct vt_trace_encoder *e, uint32_t n_vcpus, uint32_t n_registers,
                          struct vt_error *err)
{
    struct vt_trace_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to write a trace with");
    }
    *e = (struct vt_trace_encoder){.n_vcpus = n_vcpus, .n_registers = n_registers, .model = model};
    return 0;
}

void vt_trace_encoder_fini(struct vt_trace_encoder *e)
{
    free(e->model);
    free(e->known);
    *e = (struct vt_trace_encoder){0};
}

void vt_trace_encoder_begin(struct vt_trace_encoder *e, struct vt_trace_batch *to)
{
    to->events.n = to->blocks.n = 0;
    to->n_events = 0;
    to->before = e->totals.events;
    to->instructions_before = e->totals.instructions;
    to->time_ns = 0;
    e->to = to;
    e->vcpu = 0;
    vt_trace_model_begin(e->model);
}

static void put_hits(struct vt_trace_encoder *e)
{
    if (e->hits > 0 && e->hits <= VT_TRACE_OP_MANY_HITS - VT_TRACE_OP_HITS) {
        vt_trace_put_u8(&e->to->events, (uint8_t)(VT_TRACE_OP_HITS + e->hits - 1));
    } else if (e->hits > 0) {
        vt_trace_put_u8(&e->to->events, VT_TRACE_OP_MANY_HITS);
        vt_trace_put_varint(&e->to->events, e->hits);
    }
    e->hits = 0;
}

void vt_trace_encoder_end(struct vt_trace_encoder *e)
{
    put_hits(e);
}

uint32_t vt_trace_encoder_block(const struct vt_trace_encoder *e, uint32_t id)
{
    return id < e->n_known && e->known[id] != 0 ? e->known[id] - 1 : VT_TRACE_MODEL_NONE;
}

/* ---- blocks */

static int room_for_id(struct vt_trace_encoder *e, uint32_t id, struct vt_error *err)
{
    if (id >= VT_TRACE_FILE_BLOCKS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "block %u: a file holds %u", id, VT_TRACE_FILE_BLOCKS_MAX);
    }
    if (id >= e->n_known) {
        uint32_t n = e->n_known == 0 ? 4096 : e->n_known;
        while (n <= id) {
            n *= 2;
        }
        uint32_t *known = reallocarray(e->known, n, sizeof *known);
        if (known == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", n);
        }
        memset(known + e->n_known, 0, (n - e->n_known) * sizeof *known);
        e->known = known;
        e->n_known = n;
    }
    return 0;
}

/* Puts the dictionary entry of a block that is new to the file. */
static int know(struct vt_trace_encoder *e, const struct vt_trace_block *block,
                struct vt_error *err)
{
    int rc = room_for_id(e, block->id, err);
    if (rc < 0) {
        return rc;
    }
    if (block->n == 0 || block->n > VT_TRACE_FILE_INSTRUCTIONS_MAX ||
        block->code_bytes > VT_TRACE_FILE_CODE_MAX) {
        return vt_fail(err, VT_E_INVAL, "block %u has %u instructions in %u bytes", block->id,
                       block->n, block->code_bytes);
    }
    struct vt_trace_bytes *b = &e->to->blocks;
    rc = vt_trace_bytes_reserve(b, (size_t)64 + block->n + block->code_bytes, err);
    if (rc < 0) {
        return rc;
    }
    vt_trace_put_u64(b, block->pc);
    vt_trace_put_u64(b, block->physical);
    vt_trace_put_u8(b, (uint8_t)block->machine);
    vt_trace_put_varint(b, block->n);
    vt_trace_put_varint(b, block->code_bytes);
    vt_trace_put_bytes(b, block->sizes, block->n);
    vt_trace_put_bytes(b, block->code, block->code_bytes);
    e->known[block->id] = ++e->n_blocks;
    return 0;
}

/* ---- accesses */

static bool same_shapes(const struct vt_trace_model *m, const struct vt_trace_model_slot *slot,
                        const struct vt_trace_event *event)
{
    if (slot->n != event->n_accesses || slot->n > slot->room) {
        return false;
    }
    const struct vt_trace_model_place *p = &m->places[slot->base];
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        if (p[i].shape != vt_trace_model_shape(&event->accesses[i])) {
            return false;
        }
    }
    return true;
}

/* How many of the first accesses are where they are expected, with the values that were there; the
 * model has learned of these. The shapes are the same. */
static uint32_t expected(struct vt_trace_model *m, struct vt_trace_model_vcpu *v,
                         const struct vt_trace_model_slot *slot, const struct vt_trace_event *event)
{
    struct vt_trace_model_place *p = &m->places[slot->base];
    uint32_t i = 0;
    for (; i < event->n_accesses; i++, p++) {
        const struct vt_trace_access *a = &event->accesses[i];
        uint64_t step = vt_trace_model_step(p, v->shift);
        if (a->address != p->address + step ||
            (a->has_value && (a->value[0] != m->values[slot->base + i] || a->bytes == 16))) {
            break;
        }
        vt_trace_model_learn(p, step, v->shift, true);
        v->address = p->address;
        v->shift = step;
    }
    return i;
}

static uint64_t value_of(const struct vt_trace_access *a)
{
    return a->has_value ? a->value[0] : 0;
}

static void put_value(struct vt_trace_bytes *b, const struct vt_trace_access *a, uint64_t before)
{
    vt_trace_put_varint(b, vt_trace_file_zigzag(a->value[0] - before));
    if (a->bytes == 16) {
        vt_trace_put_u64(b, a->value[1]);
    }
}

/* One that has a place. */
static void put_placed(struct vt_trace_encoder *e, struct vt_trace_model_vcpu *v, uint32_t place,
                       const struct vt_trace_access *a)
{
    struct vt_trace_bytes *b = &e->to->events;
    struct vt_trace_model_place *p = &e->model->places[place];
    uint64_t step = a->address - p->address, ahead = vt_trace_model_step(p, v->shift);
    vt_trace_put_varint(b, vt_trace_file_zigzag(step - ahead));
    vt_trace_model_learn(p, step, v->shift, step == ahead);
    v->address = a->address;
    v->shift = step;
    if (a->has_value) {
        put_value(b, a, e->model->values[place]);
        e->model->values[place] = a->value[0];
    }
}

static bool same_kind(const struct vt_trace_access *a, const struct vt_trace_access *b)
{
    return a->instruction == b->instruction && a->bytes == b->bytes && a->store == b->store &&
           a->has_value == b->has_value && a->device == b->device;
}

/* Without places: rows of accesses that go on as the ones two before them did (moves of strings
 * make two of them a round), between them others. */
static void put_rows(struct vt_trace_encoder *e, struct vt_trace_model_vcpu *v,
                     const struct vt_trace_event *event)
{
    struct vt_trace_bytes *b = &e->to->events;
    const struct vt_trace_access *a = event->accesses;
    uint32_t n = event->n_accesses;
    for (uint32_t i = 0; i < n; i++) {
        if (i >= 4) {
            uint32_t row = i;
            while (i < n && a[i].address == vt_trace_model_row(a, i) &&
                   same_kind(&a[i], &a[i - 2])) {
                i++;
            }
            vt_trace_put_varint(b, i - row);
            for (; row < i; row++) {
                if (a[row].has_value) {
                    put_value(b, &a[row], value_of(&a[row - 2]));
                }
            }
            if (i == n) {
                break;
            }
        }
        vt_trace_put_varint(b, vt_trace_model_shape(&a[i]));
        vt_trace_put_varint(
            b, vt_trace_file_zigzag(a[i].address - (i > 0 ? a[i - 1].address : v->address)));
        if (a[i].has_value) {
            put_value(b, &a[i], i > 0 ? value_of(&a[i - 1]) : 0);
        }
    }
    v->address = a[n - 1].address;
}

/* The first `done` of the same shapes are as expected. */
static void put_accesses(struct vt_trace_encoder *e, struct vt_trace_model_vcpu *v,
                         struct vt_trace_model_slot *slot, const struct vt_trace_event *event,
                         bool same, uint32_t done)
{
    struct vt_trace_bytes *b = &e->to->events;
    if (same) {
        for (uint32_t i = 0; i < done; i++) {
            vt_trace_put_u8(b, 0);
            if (event->accesses[i].has_value) {
                vt_trace_put_u8(b, 0);
            }
        }
        for (uint32_t i = done; i < event->n_accesses; i++) {
            put_placed(e, v, slot->base + i, &event->accesses[i]);
        }
        return;
    }
    vt_trace_put_varint(b, event->n_accesses);
    slot->n = event->n_accesses <= VT_TRACE_MODEL_ACCESSES ? event->n_accesses & 0xffu : 0xffu;
    if (!vt_trace_model_make_room(e->model, v, slot, event->n_accesses)) {
        put_rows(e, v, event);
        return;
    }
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        uint16_t shape = vt_trace_model_shape(&event->accesses[i]);
        e->model->places[slot->base + i].shape = shape;
        vt_trace_put_varint(b, shape);
        put_placed(e, v, slot->base + i, &event->accesses[i]);
    }
}

static int check_accesses(const struct vt_trace_event *event, struct vt_error *err)
{
    if (event->n_accesses > VT_TRACE_FILE_ACCESSES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "%u accesses in one event", event->n_accesses);
    }
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        if (i >= 2 && same_kind(&event->accesses[i], &event->accesses[i - 2])) {
            continue;
        }
        uint8_t bytes = event->accesses[i].bytes;
        if (bytes == 0 || bytes > 16 || (bytes & (bytes - 1)) != 0 ||
            event->accesses[i].instruction >= event->block->n) {
            return vt_fail(err, VT_E_INVAL, "an access of %u bytes by instruction %u", bytes,
                           event->accesses[i].instruction);
        }
    }
    return 0;
}

/* ---- events */

static bool state_is_same(const struct vt_trace_encoder *e, const struct vt_trace_event *event)
{
    const struct vt_trace_model_vcpu *v = &e->model->vcpus[event->vcpu];
    return event->vcpu == e->vcpu && event->time_ns == v->time_ns && event->root == v->root &&
           event->sequence == v->sequence;
}

static void put_state(struct vt_trace_encoder *e, const struct vt_trace_event *event)
{
    struct vt_trace_bytes *b = &e->to->events;
    if (event->vcpu != e->vcpu) {
        vt_trace_put_u8(b, VT_TRACE_OP_VCPU);
        vt_trace_put_varint(b, event->vcpu);
        e->vcpu = event->vcpu;
    }
    struct vt_trace_model_vcpu *v = &e->model->vcpus[event->vcpu];
    if (event->time_ns != v->time_ns) {
        vt_trace_put_u8(b, VT_TRACE_OP_TIME);
        vt_trace_put_varint(b, vt_trace_file_zigzag(event->time_ns - v->time_ns));
        v->time_ns = event->time_ns;
    }
    if (event->root != v->root) {
        vt_trace_put_u8(b, VT_TRACE_OP_ROOT);
        vt_trace_put_u64(b, event->root);
        v->root = event->root;
    }
    if (event->sequence != v->sequence) {
        vt_trace_put_u8(b, VT_TRACE_OP_SEQUENCE);
        vt_trace_put_varint(b, event->sequence);
        v->sequence = event->sequence;
    }
}

static int put_block(struct vt_trace_encoder *e, const struct vt_trace_event *event,
                     struct vt_error *err)
{
    const struct vt_trace_block *block = event->block;
    if (block == NULL || event->executed > block->n || event->end > VT_TRACE_END_UNKNOWN) {
        return vt_fail(err, VT_E_INVAL, "an event without its block");
    }
    uint32_t id = vt_trace_encoder_block(e, block->id);
    struct vt_trace_model_slot *slot = vt_trace_model_find(e->model, event->vcpu, id);
    /* What was so before was checked before. */
    bool same = slot != NULL ? same_shapes(e->model, slot, event) : event->n_accesses == 0;
    int rc = same ? 0 : check_accesses(event, err);
    if (rc == 0 && id == VT_TRACE_MODEL_NONE) {
        rc = know(e, block, err);
        id = vt_trace_encoder_block(e, block->id);
    }
    if (rc < 0) {
        return rc;
    }
    struct vt_trace_model_vcpu *v = &e->model->vcpus[event->vcpu];
    bool hit = vt_trace_model_next(v) == id;
    slot = vt_trace_model_slot(e->model, event->vcpu, id);
    vt_trace_model_follow(v, slot, id);
    bool cut_short = event->executed != block->n || event->end != VT_TRACE_END_WHOLE;
    bool jump = (event->from | event->to) != 0;
    uint32_t done = same ? expected(e->model, v, slot, event) : 0;
    e->totals.blocks++;
    e->totals.instructions += event->executed;
    e->totals.accesses += event->n_accesses;
    if (hit && same && done == event->n_accesses && !cut_short && !jump &&
        state_is_same(e, event)) {
        e->hits++;
        return 0;
    }
    put_hits(e);
    put_state(e, event);
    struct vt_trace_bytes *b = &e->to->events;
    bool accesses = event->n_accesses > 0 || !same;
    vt_trace_put_u8(b, (uint8_t)(VT_TRACE_OP_BLOCK | (hit ? 0 : VT_TRACE_BLOCK_MISS) |
                                 (cut_short ? VT_TRACE_BLOCK_SHORT : 0) |
                                 (jump ? VT_TRACE_BLOCK_JUMP : 0) |
                                 (accesses ? VT_TRACE_BLOCK_ACCESSES : 0) |
                                 (accesses && same ? VT_TRACE_BLOCK_SAME : 0)));
    if (!hit) {
        vt_trace_put_varint(b, id);
    }
    if (cut_short) {
        vt_trace_put_varint(b, event->executed);
        vt_trace_put_u8(b, (uint8_t)event->end);
        e->totals.cuts++;
    }
    if (jump) {
        vt_trace_put_u64(b, event->from);
        vt_trace_put_u64(b, event->to);
    }
    if (accesses) {
        put_accesses(e, v, slot, event, same, done);
    }
    return 0;
}

static int put_other(struct vt_trace_encoder *e, const struct vt_trace_event *event,
                     struct vt_error *err)
{
    if ((event->kind == VT_TRACE_EV_REGISTERS && event->n_registers > e->n_registers) ||
        (event->kind == VT_TRACE_EV_CUT && event->end > VT_TRACE_END_UNKNOWN) ||
        event->kind > VT_TRACE_EV_CUT) {
        return vt_fail(err, VT_E_INVAL, "an event of kind %u that is out of range", event->kind);
    }
    struct vt_trace_bytes *b = &e->to->events;
    put_hits(e);
    put_state(e, event);
    switch (event->kind) {
    case VT_TRACE_EV_REGISTERS:
        vt_trace_put_u8(b, VT_TRACE_OP_REGISTERS);
        vt_trace_put_u64(b, event->pc);
        vt_trace_put_varint(b, event->n_registers);
        for (uint32_t i = 0; i < event->n_registers; i++) {
            vt_trace_put_u64(b, event->registers[i]);
        }
        break;
    case VT_TRACE_EV_LOST:
        vt_trace_put_u8(b, VT_TRACE_OP_LOST);
        vt_trace_put_varint(b, event->lost_words);
        e->totals.lost_words += event->lost_words;
        break;
    case VT_TRACE_EV_MODE:
        vt_trace_put_u8(b, VT_TRACE_OP_MODE);
        vt_trace_put_varint(b, event->detail);
        vt_trace_put_varint(b, event->generation);
        break;
    case VT_TRACE_EV_PAUSE:
        vt_trace_put_u8(b, VT_TRACE_OP_PAUSE);
        break;
    case VT_TRACE_EV_RESUME:
        vt_trace_put_u8(b, VT_TRACE_OP_RESUME);
        break;
    case VT_TRACE_EV_CUT:
        vt_trace_put_u8(b, VT_TRACE_OP_CUT);
        vt_trace_put_u8(b, (uint8_t)event->end);
        vt_trace_put_u64(b, event->from);
        vt_trace_put_u64(b, event->to);
        e->totals.cuts++;
        break;
    case VT_TRACE_EV_BLOCK:
        break; /* put_block's */
    }
    return 0;
}

int vt_trace_encoder_put(struct vt_trace_encoder *e, const struct vt_trace_event *event,
                         struct vt_error *err)
{
    if (event->vcpu >= e->n_vcpus) {
        return vt_fail(err, VT_E_INVAL, "an event of vCPU %u", event->vcpu);
    }
    int rc = event->kind == VT_TRACE_EV_BLOCK ? put_block(e, event, err) : put_other(e, event, err);
    if (rc < 0) {
        return rc;
    }
    e->model->vcpus[event->vcpu].sequence++;
    if (e->to->n_events++ == 0) {
        e->to->time_ns = event->time_ns;
    }
    e->totals.events++;
    if (event->time_ns > e->totals.last_time_ns) {
        e->totals.last_time_ns = event->time_ns;
    }
    return 0;
}
