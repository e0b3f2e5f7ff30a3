/* volume/boxes.c - the box around a run of the volume's curve, by going down its octants.
 *
 * A run is whole octants, but for one octant at each end, of which the same is true one level
 * below: two descents see at most seven octants a level each. What is carried down is how the curve
 * lies in the octant: the axes exchanged and mirrored, and the parity that hilbert3d.c calls carry.
 */
#include "vitrine/highlight.h"

#include <string.h>

#define ORDER_MIN 5u
#define ORDER_MAX 21u

/* A cube of the octree and how the curve runs through it. */
struct cube {
    unsigned order;     /* its side is 2^order */
    uint32_t corner[3]; /* the lowest */
    uint8_t from[3];    /* coordinate i of the volume goes along from[i] of the curve's own … */
    uint8_t mirror[3];  /* … or, with 1, against it */
    uint8_t carry;
};

unsigned vt_volume_order(uint64_t ram_bytes)
{
    unsigned order = ORDER_MIN;
    while (order < ORDER_MAX && (uint64_t)1 << (3 * order) < ram_bytes) {
        order++;
    }
    return order;
}

/* How what lies below octant `own` is turned; as turn() of hilbert3d.c, on axes instead of points.
 */
static void turn(struct cube *c, const uint8_t own[3], unsigned i)
{
    for (unsigned k = 0; k < 3; k++) {
        if (own[i] != 0) {
            c->mirror[k] ^= c->from[k] == 0;
        } else if (c->from[k] == 0 || c->from[k] == i) {
            c->from[k] = (uint8_t)(i - c->from[k]);
        }
    }
}

/* The octant that the curve meets as number `digit`. */
static struct cube octant(const struct cube *c, unsigned digit)
{
    uint8_t x = digit >> 2 & 1, y = digit >> 1 & 1, z = digit & 1;
    const uint8_t own[3] = {x ^ c->carry, y ^ x, z ^ y};
    struct cube o = *c;
    o.order--;
    for (unsigned k = 0; k < 3; k++) {
        o.corner[k] |= (uint32_t)(own[c->from[k]] ^ c->mirror[k]) << o.order;
    }
    turn(&o, own, 0);
    turn(&o, own, 1);
    turn(&o, own, 2);
    o.carry = z;
    return o;
}

static void add(struct vt_box *box, const struct cube *c)
{
    uint32_t last = ((uint32_t)1 << c->order) - 1;
    for (unsigned k = 0; k < 3; k++) {
        uint32_t low = c->corner[k], high = low + last;
        box->min[k] = low < box->min[k] ? low : box->min[k];
        box->max[k] = high > box->max[k] ? high : box->max[k];
    }
}

static void add_between(struct vt_box *box, const struct cube *c, unsigned after, unsigned before)
{
    for (unsigned digit = after + 1; digit < before; digit++) {
        struct cube o = octant(c, digit);
        add(box, &o);
    }
}

static unsigned digit_of(const struct cube *c, uint64_t at)
{
    return (unsigned)(at >> (3 * (c->order - 1))) & 7;
}

static uint64_t below(const struct cube *c)
{
    return ((uint64_t)1 << (3 * c->order)) - 1;
}

/* From `first` to the end of its cube. */
static void add_rest(struct vt_box *box, struct cube c, uint64_t first)
{
    while ((first & below(&c)) != 0) {
        unsigned digit = digit_of(&c, first);
        add_between(box, &c, digit, 8);
        c = octant(&c, digit);
    }
    add(box, &c);
}

/* From the beginning of its cube to `last`. */
static void add_begin(struct vt_box *box, struct cube c, uint64_t last)
{
    while ((last & below(&c)) != below(&c)) {
        unsigned digit = digit_of(&c, last);
        for (unsigned before = 0; before < digit; before++) {
            struct cube o = octant(&c, before);
            add(box, &o);
        }
        c = octant(&c, digit);
    }
    add(box, &c);
}

int vt_volume_box(unsigned order, struct vt_off off, uint64_t bytes, struct vt_box *box,
                  struct vt_error *err)
{
    if (order < ORDER_MIN || order > ORDER_MAX) {
        return vt_fail(err, VT_E_INVAL, "a volume of order %u: %u to %u", order, ORDER_MIN,
                       ORDER_MAX);
    }
    uint64_t size = (uint64_t)1 << (3 * order);
    if (bytes == 0 || off.v >= size || bytes > size - off.v) {
        return vt_fail_addr(err, "the volume", off.v, bytes, size);
    }
    uint64_t first = off.v, last = off.v + (bytes - 1);
    struct cube c = {.order = order, .from = {0, 1, 2}};
    struct vt_box found = {.min = {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    while (c.order > 0 && digit_of(&c, first) == digit_of(&c, last)) {
        c = octant(&c, digit_of(&c, first));
    }
    if (c.order == 0 || ((first & below(&c)) == 0 && (last & below(&c)) == below(&c))) {
        add(&found, &c);
    } else {
        unsigned from = digit_of(&c, first), to = digit_of(&c, last);
        add_between(&found, &c, from, to);
        add_rest(&found, octant(&c, from), first);
        add_begin(&found, octant(&c, to), last);
    }
    *box = found;
    return 0;
}
