/* trace/events.c - one vCPU's words as events. See events.h.
 *
 * How far a block came: a CUT says so; without one it ran to its end, unless the next block is one
 * instruction of it to which its last one does not lead: QEMU begins an instruction anew, in a
 * block of its own, when it found that a store changes the very block it is in, or that it touches
 * a device; then an AGAIN says so.
 */
#include "trace/events.h"

#include "trace/source.h"

#include <stdlib.h>
#include <string.h>

/* A repeated string instruction makes two accesses a round and 65536 rounds before QEMU looks for
 * interrupts; this is far beyond. */
#define ACCESSES_MAX ((uint32_t)1 << 20)

void vt_trace_decoder_init(struct vt_trace_decoder *d, const struct vt_trace_header *header,
                           struct vt_trace_dictionary *dictionary, uint32_t vcpu)
{
    *d = (struct vt_trace_decoder){
        .dictionary = dictionary,
        .vcpu = vcpu,
        .n_registers = header->n_registers,
        .cuts = (header->capabilities & VT_TRACE_CAN_CUT) != 0,
        .clock_hz = header->clock_hz != 0 ? header->clock_hz : 1000000000u,
        .clock_start = header->clock_start,
        .root = UINT64_MAX,
    };
}

void vt_trace_decoder_fini(struct vt_trace_decoder *d)
{
    free(d->accesses);
    d->accesses = NULL;
}

void vt_trace_decoder_lose(struct vt_trace_decoder *d, uint64_t words)
{
    d->lost += words;
}

#define LOW56 (((uint64_t)1 << 56) - 1)

/* Words have 56 bits of the clock, which wrap; what seems before the start was right at it. */
static uint64_t time_of(const struct vt_trace_decoder *d, uint64_t word)
{
    uint64_t ticks = (word - d->clock_start) & LOW56;
    if (ticks >> 55 != 0) {
        return 0;
    }
    __extension__ typedef unsigned __int128 wide;
    wide ns = (wide)ticks * 1000000000u / d->clock_hz;
    return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static int corrupt(const struct vt_trace_decoder *d, const struct vt_trace_words *words,
                   const char *what, struct vt_error *err)
{
    return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u at word %llu (0x%016llx): %s", d->vcpu,
                   (unsigned long long)words->position, (unsigned long long)words->at[0], what);
}

static void tell(struct vt_trace_decoder *d, enum vt_trace_kind kind, struct vt_trace_event *event)
{
    vt_trace_event_begin(event, kind, d->vcpu, d->sequence++, d->time_ns, d->root);
    event->detail = d->detail;
    event->generation = d->generation;
}

static int tell_block(struct vt_trace_decoder *d, enum vt_trace_end end, unsigned executed,
                      struct vt_trace_event *event)
{
    vt_trace_event_begin(event, VT_TRACE_EV_BLOCK, d->vcpu, d->sequence++, d->pending_time_ns,
                         d->pending_root);
    event->block = &d->pending->block;
    event->executed = (uint16_t)executed;
    event->end = end;
    event->n_accesses = d->n_accesses;
    event->accesses = d->accesses;
    event->detail = d->detail;
    event->generation = d->generation;
    d->pending = NULL;
    d->again = false;
    return 1;
}

/* The pending block, before something that says nothing about it. */
static int tell_whole(struct vt_trace_decoder *d, struct vt_trace_event *event)
{
    return tell_block(d, VT_TRACE_END_WHOLE, d->pending->block.n, event);
}

static void begin(struct vt_trace_decoder *d, const struct vt_trace_known *known)
{
    d->again = false;
    d->pending = known;
    d->pending_time_ns = d->time_ns;
    d->pending_root = d->root;
    d->n_accesses = 0;
}

/* Whether QEMU left the pending block at its instruction `i`, at `pc`, to begin that anew. The last
 * one makes a block of its own anyway when control comes to it; and so may any where a branch
 * leads, the top of a loop, when QEMU counts instructions (-icount) and one more is due. */
static bool is_restart(const struct vt_trace_decoder *d, uint64_t pc, unsigned i)
{
    const struct vt_trace_flow *flow = &d->pending->flow;
    bool told = flow->kind == VT_TRACE_FLOW_JUMPS || flow->kind == VT_TRACE_FLOW_BRANCHES ||
                i + 1u == d->pending->block.n;
    return d->again || !told || !vt_trace_flow_may_go(flow, pc);
}

/* The pending block, when `next` begins right after it. */
static int tell_before(struct vt_trace_decoder *d, const struct vt_trace_known *next,
                       struct vt_trace_event *event)
{
    const struct vt_trace_known *known = d->pending;
    const struct vt_trace_block *block = &known->block;
    uint64_t pc = next->block.pc;
    bool one_of_it = next->block.n == 1 && pc - block->pc < block->code_bytes;
    unsigned i = one_of_it ? vt_trace_block_index(block, pc) : block->n;
    if (i < block->n && is_restart(d, pc, i)) {
        tell_block(d, VT_TRACE_END_RESTART, i, event);
        event->from = event->to = pc;
        return 1;
    }
    if (!d->cuts && !vt_trace_flow_may_go(&known->flow, pc)) {
        return tell_block(d, VT_TRACE_END_UNKNOWN, block->n, event);
    }
    return tell_whole(d, event);
}

static int tell_cut(struct vt_trace_decoder *d, enum vt_trace_end end, uint64_t from, uint64_t to,
                    struct vt_trace_event *event)
{
    if (d->pending == NULL) {
        tell(d, VT_TRACE_EV_CUT, event);
        event->end = end;
    } else {
        const struct vt_trace_known *known = d->pending;
        unsigned i = vt_trace_block_index(&known->block, from);
        /* Interrupts come between blocks: that `from` is in this one may well be because it leads
         * there. An exception is raised by what was begun last. */
        if (end == VT_TRACE_END_INTERRUPT && known->flow.kind != VT_TRACE_FLOW_REPEATS &&
            vt_trace_flow_may_go(&known->flow, from)) {
            i = known->block.n;
        }
        if (end == VT_TRACE_END_EXCEPTION && i + 1u == known->block.n && known->flow.traps) {
            i = known->block.n;
        }
        tell_block(d, end, i, event);
    }
    event->from = from;
    event->to = to;
    return 1;
}

/* An exception that nothing was delivered of. */
static int tell_raised(struct vt_trace_decoder *d, struct vt_trace_event *event)
{
    d->raised = false;
    return tell_cut(d, VT_TRACE_END_EXCEPTION, d->raised_at, d->raised_at, event);
}

static int take_cut(struct vt_trace_decoder *d, const struct vt_trace_words *words,
                    struct vt_trace_event *event, struct vt_error *err)
{
    uint64_t type = words->at[0] & 0xff, from = words->at[1], to = words->at[2];
    if (type != 1 && type != 2 && type != 4) {
        return corrupt(d, words, "a discontinuity of no kind", err);
    }
    enum vt_trace_end end = type == 1   ? VT_TRACE_END_INTERRUPT
                            : type == 2 ? VT_TRACE_END_EXCEPTION
                                        : VT_TRACE_END_HOST;
    if (type == 2 && from == to) {
        d->raised = true; /* one raised while another was delivered takes its place */
        d->raised_at = from;
        return 0;
    }
    if (d->raised) {
        d->raised = false;
        end = VT_TRACE_END_EXCEPTION;
    }
    return tell_cut(d, end, from, to, event);
}

static size_t access_words(uint64_t w)
{
    return (w & VT_TRACE_ACCESS_VALUE) == 0 ? 2 : ((w >> 10) & 15) == 4 ? 4 : 3;
}

/* Whether an access can be one of the pending block, and there is room for it. */
static int check_access(struct vt_trace_decoder *d, const struct vt_trace_words *words,
                        struct vt_error *err)
{
    uint64_t w = words->at[0];
    if (((w >> 10) & 15) > 4) {
        return corrupt(d, words, "an access of that many bytes", err);
    }
    if ((w & 1023) >= d->pending->block.n) {
        return corrupt(d, words, "an access by an instruction its block does not have", err);
    }
    if (d->n_accesses == d->accesses_room) {
        if (d->accesses_room == ACCESSES_MAX) {
            return corrupt(d, words, "more accesses than a block can make", err);
        }
        uint32_t room = d->accesses_room == 0 ? 256 : d->accesses_room * 2;
        struct vt_trace_access *more = reallocarray(d->accesses, room, sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for a block's accesses");
        }
        d->accesses = more;
        d->accesses_room = room;
    }
    return 0;
}

static void skip(struct vt_trace_words *words, size_t n)
{
    words->at += n;
    words->n -= n;
    words->position += n;
}

/* All that are in a row: most words are of these. */
static int take_accesses(struct vt_trace_decoder *d, struct vt_trace_words *words,
                         struct vt_error *err)
{
    const uint64_t *at = words->at, *end = at + words->n;
    const uint32_t n_instructions = d->pending != NULL ? d->pending->block.n : 0;
    uint32_t k = d->n_accesses;
    int rc = 0;
    while (at < end && VT_TRACE_KIND(*at) == VT_TRACE_ACCESS) {
        uint64_t w = *at;
        unsigned log2 = (unsigned)(w >> 10) & 15, i = (unsigned)w & 1023;
        size_t n = access_words(w);
        if (n > (size_t)(end - at)) {
            break;
        }
        if (d->pending == NULL) { /* of a block that began before this reader came */
            at += n;
            continue;
        }
        if (log2 > 4 || i >= n_instructions || k == d->accesses_room) {
            skip(words, (size_t)(at - words->at));
            d->n_accesses = k;
            rc = check_access(d, words, err);
            if (rc != 0) {
                break;
            }
        }
        bool has_value = (w & VT_TRACE_ACCESS_VALUE) != 0;
        d->accesses[k++] = (struct vt_trace_access){
            .instruction = (uint16_t)i,
            .bytes = (uint8_t)(1u << log2),
            .store = (w & VT_TRACE_ACCESS_STORE) != 0,
            .has_value = has_value,
            .device = (w & VT_TRACE_ACCESS_DEVICE) != 0,
            .address = at[1],
            .value = {has_value ? at[2] : 0, has_value && log2 == 4 ? at[3] : 0},
        };
        at += n;
    }
    skip(words, (size_t)(at - words->at));
    d->n_accesses = k;
    return rc;
}

/* Words of the record that begins here; 0 for none that is known. */
static size_t record_words(const struct vt_trace_decoder *d, uint64_t w)
{
    switch (VT_TRACE_KIND(w)) {
    case VT_TRACE_BLOCK:
    case VT_TRACE_TIME:
    case VT_TRACE_ROOT:
    case VT_TRACE_LOST:
    case VT_TRACE_MODE:
    case VT_TRACE_AGAIN:
        return 1;
    case VT_TRACE_ACCESS:
        return access_words(w);
    case VT_TRACE_CUT:
        return 3;
    case VT_TRACE_REGISTERS:
        return (w & 0xffff) == (uint64_t)d->n_registers + 1 ? 2 + (size_t)d->n_registers : 0;
    case VT_TRACE_PAUSE:
    case VT_TRACE_AT:
        return 2;
    default:
        return 0;
    }
}

static int tell_lost(struct vt_trace_decoder *d, struct vt_trace_event *event)
{
    if (d->raised) {
        return tell_raised(d, event);
    }
    if (d->pending != NULL) {
        return tell_block(d, VT_TRACE_END_UNKNOWN, d->pending->block.n, event);
    }
    tell(d, VT_TRACE_EV_LOST, event);
    event->lost_words = d->lost;
    d->lost = 0;
    return 1;
}

/* The records that are rare. *used says whether the record is done with. */
static int take_rare(struct vt_trace_decoder *d, const struct vt_trace_words *words, bool *used,
                     struct vt_trace_event *event, struct vt_error *err)
{
    uint64_t w = words->at[0];
    unsigned kind = VT_TRACE_KIND(w);
    *used = true;
    switch (kind) {
    case VT_TRACE_LOST:
        d->lost += w & LOW56;
        return 0; /* told before the next record */
    case VT_TRACE_CUT:
        return take_cut(d, words, event, err);
    case VT_TRACE_REGISTERS:
        tell(d, VT_TRACE_EV_REGISTERS, event);
        memcpy(d->registers, words->at + 2, d->n_registers * sizeof(uint64_t));
        event->pc = words->at[1];
        event->n_registers = d->n_registers;
        event->registers = d->registers;
        return 1;
    default:
        break;
    }
    if (d->raised) {
        *used = false;
        return tell_raised(d, event);
    }
    if (d->pending != NULL) {
        *used = false;
        return tell_whole(d, event);
    }
    if (kind == VT_TRACE_MODE) {
        d->generation = (uint32_t)w;
        d->detail = (uint32_t)(w >> 32) & 0xff;
        tell(d, VT_TRACE_EV_MODE, event);
    } else { /* VT_TRACE_PAUSE */
        if (VT_TRACE_KIND(words->at[1]) != VT_TRACE_TIME) {
            return corrupt(d, words, "a pause without its time", err);
        }
        d->time_ns = time_of(d, words->at[1]);
        tell(d, (w & 1) != 0 ? VT_TRACE_EV_PAUSE : VT_TRACE_EV_RESUME, event);
    }
    return 1;
}

/* Pages from where the dictionary has a block to where it executes. */
static int64_t pages_of(uint64_t w)
{
    return (int64_t)(w << 8) >> 8;
}

/* The block that begins with this record. */
static int begun(struct vt_trace_decoder *d, const struct vt_trace_words *words,
                 const struct vt_trace_known **known, struct vt_error *err)
{
    uint64_t w = words->at[0];
    int64_t pages = 0;
    if (VT_TRACE_KIND(w) == VT_TRACE_AT) {
        pages = pages_of(w);
        w = words->at[1];
        if (VT_TRACE_KIND(w) != VT_TRACE_BLOCK) {
            return corrupt(d, words, "an address without its block", err);
        }
    }
    struct vt_trace_known *entry = vt_trace_dictionary_find(d->dictionary, (uint32_t)w);
    if (entry == NULL) {
        return corrupt(d, words, "a block that the dictionary does not have", err);
    }
    return vt_trace_dictionary_show(d->dictionary, entry, pages, known, err);
}

int vt_trace_decoder_next(struct vt_trace_decoder *d, struct vt_trace_words *words,
                          struct vt_trace_event *event, struct vt_error *err)
{
    if (d->lost != 0) {
        return tell_lost(d, event);
    }
    int rc = 0;
    while (rc == 0 && words->n != 0) {
        uint64_t w = words->at[0];
        size_t n = record_words(d, w);
        if (n == 0) {
            return corrupt(d, words, "no record begins like this", err);
        }
        if (n > words->n) {
            return 0;
        }
        bool used = true;
        switch (VT_TRACE_KIND(w)) {
        case VT_TRACE_BLOCK:
        case VT_TRACE_AT: {
            const struct vt_trace_known *known;
            rc = begun(d, words, &known, err);
            if (rc != 0) {
                return rc;
            }
            if (d->raised && d->pending == NULL) {
                return tell_raised(d, event);
            }
            if (d->pending != NULL) {
                rc = d->raised ? tell_raised(d, event) : tell_before(d, known, event);
            }
            begin(d, known);
            break;
        }
        case VT_TRACE_TIME:
            d->time_ns = time_of(d, w);
            break;
        case VT_TRACE_ACCESS:
            rc = take_accesses(d, words, err);
            used = false;
            break;
        case VT_TRACE_AGAIN:
            d->again = d->pending != NULL;
            break;
        case VT_TRACE_ROOT:
            d->root = w & LOW56;
            break;
        default:
            rc = take_rare(d, words, &used, event, err);
            break;
        }
        if (used && rc >= 0) {
            skip(words, n);
        }
        if (rc == 0 && d->lost != 0) {
            return tell_lost(d, event);
        }
    }
    return rc;
}

int vt_trace_decoder_end(struct vt_trace_decoder *d, struct vt_trace_event *event)
{
    if (d->lost != 0 || d->pending != NULL || d->raised) {
        return tell_lost(d, event);
    }
    return 0;
}
