/* synth/lift_strings.c - string instructions without a repetition. See lift_parts.h.
 *
 * DF is taken to be 0: whoever runs a kernel guards that, and an instruction that sets it is
 * refused.
 */
#include "synth/lift_parts.h"

/* Bytes of an element: how->kind. */
static unsigned bits_of(const struct vt_lift_run *x)
{
    return 8U * x->how->kind;
}

/* What rsi points to may lie in another segment. */
static vt_term source(struct vt_lift_run *x)
{
    vt_term address = x->s->r[VT_LIFT_RSI], base = 0;
    if ((x->insn.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS) != 0) {
        base = x->s->fs_base;
    } else if ((x->insn.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS) != 0) {
        base = x->s->gs_base;
    }
    address = base != 0 ? vt_lift_2(x, VT_PIXEL_ADD, base, address) : address;
    return vt_lift_load(x, address, x->how->kind);
}

static vt_term destination(struct vt_lift_run *x)
{
    return vt_lift_load(x, x->s->r[VT_LIFT_RDI], x->how->kind);
}

static void go_on(struct vt_lift_run *x, unsigned reg)
{
    vt_term step = vt_lift_const(x, 64, x->how->kind);
    vt_lift_set_register(x, reg, 64, vt_lift_2(x, VT_PIXEL_ADD, x->s->r[reg], step));
}

static bool is_plain(struct vt_lift_run *x)
{
    if (x->insn.address_width != 64) {
        vt_lift_refuse(x, "a string in 32 bits of addresses");
    }
    return x->refused == NULL;
}

static void load(struct vt_lift_run *x)
{
    if (is_plain(x)) {
        vt_lift_set_register(x, VT_LIFT_RAX, bits_of(x), source(x));
        go_on(x, VT_LIFT_RSI);
    }
}

static void store(struct vt_lift_run *x)
{
    if (is_plain(x)) {
        vt_lift_store(x, x->s->r[VT_LIFT_RDI], vt_lift_register(x, VT_LIFT_RAX, bits_of(x)));
        go_on(x, VT_LIFT_RDI);
    }
}

static void move(struct vt_lift_run *x)
{
    if (is_plain(x)) {
        vt_lift_store(x, x->s->r[VT_LIFT_RDI], source(x));
        go_on(x, VT_LIFT_RSI);
        go_on(x, VT_LIFT_RDI);
    }
}

static void scan(struct vt_lift_run *x)
{
    if (is_plain(x)) {
        vt_lift_compare(x, vt_lift_register(x, VT_LIFT_RAX, bits_of(x)), destination(x));
        go_on(x, VT_LIFT_RDI);
    }
}

static void compare(struct vt_lift_run *x)
{
    if (is_plain(x)) {
        vt_term a = source(x);
        vt_lift_compare(x, a, destination(x));
        go_on(x, VT_LIFT_RSI);
        go_on(x, VT_LIFT_RDI);
    }
}

#define M(name) ZYDIS_MNEMONIC_##name
#define WIDTHS(name, f)                                                                            \
    {M(name##B), f, 1, 0}, {M(name##W), f, 2, 0}, {M(name##D), f, 4, 0}, {M(name##Q), f, 8, 0}

const struct vt_lift_semantics vt_lift_strings[] = {
    WIDTHS(LODS, load), WIDTHS(STOS, store),   WIDTHS(MOVS, move),
    WIDTHS(SCAS, scan), WIDTHS(CMPS, compare), {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
