/* synth/summary_memory.c - cells, and the list of all other accesses. See summary_parts.h.
 *
 * An access whose address is a sum of the head's registers and lies in a cell reads or writes that
 * variable. One that lies in it in part only is refused; one beside it, with the same registers, is
 * another's. What has other registers may lie anywhere: that it does not is guarded.
 */
#include "synth/summary_parts.h"

#include <stdlib.h>
#include <string.h>

enum where { ELSEWHERE, WITHIN, ACROSS };

/* `*cell`, and at which of its bytes. */
static enum where find(struct vt_execution *x, vt_term address, unsigned bytes, uint32_t *cell,
                       unsigned *at)
{
    struct vt_linear linear;
    if (x->s->n_cells == 0 || !vt_linear_of(x->terms, address, &x->s->before, &linear)) {
        return ELSEWHERE;
    }
    for (uint32_t i = 0; i < x->s->n_cells; i++) {
        const struct vt_cell *c = &x->s->cells[i];
        if (!vt_linear_alike(&linear, &c->address)) {
            continue;
        }
        uint64_t behind = linear.constant - c->address.constant, before = 0 - behind;
        if (behind < c->bytes) {
            *cell = i;
            *at = (unsigned)behind;
            return behind + bytes <= c->bytes ? WITHIN : ACROSS;
        }
        if (before < bytes) {
            return ACROSS;
        }
    }
    return ELSEWHERE;
}

static bool across(struct vt_execution *x)
{
    (void)snprintf(x->memory.why, sizeof x->memory.why,
                   "an access to a part of a variable in memory and to what lies beside it");
    return false;
}

static struct vt_memory_operation *append(struct vt_execution *x)
{
    struct vt_summary *s = x->s;
    if (s->n_operations == s->room) {
        uint32_t room = s->room == 0 ? 32 : 2 * s->room;
        struct vt_memory_operation *wider =
            room > VT_PIXEL_VALUES_MAX ? NULL : realloc(s->operations, room * sizeof *wider);
        if (wider == NULL) {
            (void)snprintf(x->memory.why, sizeof x->memory.why, "too many accesses to memory");
            return NULL;
        }
        s->operations = wider;
        s->room = room;
    }
    struct vt_memory_operation *o = &s->operations[s->n_operations++];
    *o = (struct vt_memory_operation){
        .at = x->at, .loop = x->inside, .when = vt_way_term(x->ways, x->way)};
    return o;
}

/* Neither touches what the other does: they are so far apart wherever they are. */
static bool apart(struct vt_execution *x, vt_term a, unsigned a_bytes, vt_term b, unsigned b_bytes)
{
    uint64_t d;
    vt_term difference = vt_term_2(x->terms, VT_PIXEL_SUB, a, b);
    return vt_term_is_const(x->terms, difference, &d) && d >= b_bytes && 0 - d >= a_bytes;
}

/* What was stored there, if since then nothing was that may have changed it; 0: not known. A
 * function that is called finds in its frame what it saved there. */
static vt_term just_stored(struct vt_execution *x, vt_term address, unsigned bytes)
{
    for (uint32_t i = x->s->n_operations; i-- > 0;) {
        const struct vt_memory_operation *o = &x->s->operations[i];
        if (!o->store) {
            continue;
        }
        bool here = o->loop == x->inside && o->when == vt_way_term(x->ways, x->way);
        if (here && o->address == address && o->bytes == bytes) {
            return o->value;
        }
        if (!apart(x, address, bytes, o->address, o->bytes)) {
            return 0;
        }
    }
    return 0;
}

vt_term vt_execution_load(void *arg, vt_term address, unsigned bytes)
{
    struct vt_execution *x = arg;
    uint32_t cell;
    unsigned at;
    switch (find(x, address, bytes, &cell, &at)) {
    case WITHIN:
        return vt_term_extract(x->terms, x->now->cells[cell], 8 * at, 8 * bytes);
    case ACROSS:
        across(x);
        return 0;
    default:
        break;
    }
    vt_term stored = just_stored(x, address, bytes);
    if (stored != 0) {
        return stored;
    }
    struct vt_memory_operation *o = append(x);
    if (o == NULL) {
        return 0;
    }
    o->bytes = (uint8_t)bytes;
    o->address = address;
    o->value = vt_term_symbol(x->terms, 8 * bytes, "load");
    return o->value;
}

bool vt_execution_store(void *arg, vt_term address, vt_term value)
{
    struct vt_execution *x = arg;
    uint32_t cell;
    unsigned at, bits = vt_term_bits(x->terms, value);
    switch (find(x, address, bits / 8, &cell, &at)) {
    case WITHIN: {
        vt_term *to = &x->now->cells[cell];
        unsigned wide = vt_term_bits(x->terms, *to), above = 8 * at + bits;
        vt_term whole = value;
        if (at > 0) {
            whole = vt_term_concat(x->terms, whole, vt_term_extract(x->terms, *to, 0, 8 * at));
        }
        if (above < wide) {
            whole = vt_term_concat(x->terms, vt_term_extract(x->terms, *to, above, wide - above),
                                   whole);
        }
        *to = whole;
        x->s->cells[cell].written = true;
        return true;
    }
    case ACROSS:
        return across(x);
    default:
        break;
    }
    struct vt_memory_operation *o = append(x);
    if (o == NULL) {
        return false;
    }
    o->store = true;
    o->bytes = (uint8_t)(bits / 8);
    o->address = address;
    o->value = value;
    return true;
}

bool vt_execution_in_cell(struct vt_execution *x, vt_term address)
{
    uint32_t cell;
    unsigned at;
    return find(x, address, 1, &cell, &at) == WITHIN;
}
