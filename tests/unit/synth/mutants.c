/* tests/unit/synth/mutants.c - see mutants.h. Changes are counted through, in one order:
 * operations, inner loops, streams, places, guards, the number of trips.
 */
#include "tests/unit/synth/mutants.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static struct vt_pixel_program copy_program(const struct vt_pixel_program *p)
{
    struct vt_pixel_program c = *p;
    c.room = p->n_insns + 2;
    c.insns = must(malloc(c.room * sizeof *c.insns));
    memcpy(c.insns, p->insns, p->n_insns * sizeof *c.insns);
    if (p->loops != NULL) {
        c.loops = must(malloc(VT_PIXEL_LOOPS_MAX * sizeof *c.loops));
        memcpy(c.loops, p->loops, VT_PIXEL_LOOPS_MAX * sizeof *c.loops);
    }
    return c;
}

struct vt_synth_kernel *mutant_copy(const struct vt_synth_kernel *k)
{
    struct vt_synth_kernel *c = must(malloc(sizeof *c));
    *c = *k;
    c->program = copy_program(&k->program);
    if (k->trips != NULL) {
        c->trips = must(malloc(sizeof *c->trips));
        *c->trips = copy_program(k->trips);
    }
    c->obligations = NULL;
    c->n_obligations = 0;
    c->proven = false;
    return c;
}

/* Counts down; at 0 it is this one's turn. */
struct choice {
    unsigned left;
    char *what;
};

static bool is(struct choice *c, const char *what, uint32_t of)
{
    if (c->left-- != 0) {
        return false;
    }
    snprintf(c->what, 64, "%s %u", what, of);
    return true;
}

/* ---------------------------------------------------------------- operations */

/* What an operation is mistaken for: of the same operands. */
static const uint8_t mistaken[VT_PIXEL_OPS][2] = {
    [VT_PIXEL_ADD] = {VT_PIXEL_SUB, VT_PIXEL_OR},
    [VT_PIXEL_SUB] = {VT_PIXEL_ADD, VT_PIXEL_XOR},
    [VT_PIXEL_MUL] = {VT_PIXEL_ADD, VT_PIXEL_UMULH},
    [VT_PIXEL_UMULH] = {VT_PIXEL_SMULH, VT_PIXEL_MUL},
    [VT_PIXEL_SMULH] = {VT_PIXEL_UMULH, VT_PIXEL_MUL},
    [VT_PIXEL_UDIV] = {VT_PIXEL_SDIV, VT_PIXEL_UREM},
    [VT_PIXEL_SDIV] = {VT_PIXEL_UDIV, VT_PIXEL_SREM},
    [VT_PIXEL_UREM] = {VT_PIXEL_UDIV, VT_PIXEL_SREM},
    [VT_PIXEL_SREM] = {VT_PIXEL_SDIV, VT_PIXEL_UREM},
    [VT_PIXEL_AND] = {VT_PIXEL_OR, VT_PIXEL_XOR},
    [VT_PIXEL_OR] = {VT_PIXEL_XOR, VT_PIXEL_ADD},
    [VT_PIXEL_XOR] = {VT_PIXEL_OR, VT_PIXEL_ADD},
    [VT_PIXEL_NOT] = {VT_PIXEL_NEG},
    [VT_PIXEL_NEG] = {VT_PIXEL_NOT},
    [VT_PIXEL_SHL] = {VT_PIXEL_LSHR, VT_PIXEL_ROL},
    [VT_PIXEL_LSHR] = {VT_PIXEL_ASHR, VT_PIXEL_ROR},
    [VT_PIXEL_ASHR] = {VT_PIXEL_LSHR, VT_PIXEL_SHL},
    [VT_PIXEL_ROL] = {VT_PIXEL_ROR, VT_PIXEL_SHL},
    [VT_PIXEL_ROR] = {VT_PIXEL_ROL, VT_PIXEL_LSHR},
    [VT_PIXEL_POPCNT] = {VT_PIXEL_CLZ},
    [VT_PIXEL_CLZ] = {VT_PIXEL_CTZ},
    [VT_PIXEL_CTZ] = {VT_PIXEL_CLZ},
    [VT_PIXEL_BSWAP] = {VT_PIXEL_NOT},
    [VT_PIXEL_EQ] = {VT_PIXEL_NE, VT_PIXEL_ULE},
    [VT_PIXEL_NE] = {VT_PIXEL_EQ, VT_PIXEL_ULT},
    [VT_PIXEL_ULT] = {VT_PIXEL_ULE, VT_PIXEL_SLT},
    [VT_PIXEL_ULE] = {VT_PIXEL_ULT, VT_PIXEL_SLE},
    [VT_PIXEL_SLT] = {VT_PIXEL_SLE, VT_PIXEL_ULT},
    [VT_PIXEL_SLE] = {VT_PIXEL_SLT, VT_PIXEL_ULE},
    [VT_PIXEL_ADD_CARRY] = {VT_PIXEL_ADD_OVERFLOW, VT_PIXEL_SUB_BORROW},
    [VT_PIXEL_ADD_OVERFLOW] = {VT_PIXEL_ADD_CARRY, VT_PIXEL_SUB_OVERFLOW},
    [VT_PIXEL_SUB_BORROW] = {VT_PIXEL_SUB_OVERFLOW, VT_PIXEL_ADD_CARRY},
    [VT_PIXEL_SUB_OVERFLOW] = {VT_PIXEL_SUB_BORROW, VT_PIXEL_ADD_OVERFLOW},
    [VT_PIXEL_ZEXT] = {VT_PIXEL_SEXT},
    [VT_PIXEL_SEXT] = {VT_PIXEL_ZEXT},
    [VT_PIXEL_PADD] = {VT_PIXEL_PSUB, VT_PIXEL_PADDUS},
    [VT_PIXEL_PSUB] = {VT_PIXEL_PADD, VT_PIXEL_PSUBUS},
    [VT_PIXEL_PADDUS] = {VT_PIXEL_PADDSS, VT_PIXEL_PADD},
    [VT_PIXEL_PADDSS] = {VT_PIXEL_PADDUS, VT_PIXEL_PADD},
    [VT_PIXEL_PSUBUS] = {VT_PIXEL_PSUBSS, VT_PIXEL_PSUB},
    [VT_PIXEL_PSUBSS] = {VT_PIXEL_PSUBUS, VT_PIXEL_PSUB},
    [VT_PIXEL_PMULL] = {VT_PIXEL_PADD},
    [VT_PIXEL_PMINU] = {VT_PIXEL_PMINS, VT_PIXEL_PMAXU},
    [VT_PIXEL_PMINS] = {VT_PIXEL_PMINU, VT_PIXEL_PMAXS},
    [VT_PIXEL_PMAXU] = {VT_PIXEL_PMAXS, VT_PIXEL_PMINU},
    [VT_PIXEL_PMAXS] = {VT_PIXEL_PMAXU, VT_PIXEL_PMINS},
    [VT_PIXEL_PAVG] = {VT_PIXEL_PMAXU},
    [VT_PIXEL_PEQ] = {VT_PIXEL_PSGT},
    [VT_PIXEL_PSGT] = {VT_PIXEL_PEQ},
    [VT_PIXEL_PSHL] = {VT_PIXEL_PLSHR},
    [VT_PIXEL_PLSHR] = {VT_PIXEL_PASHR, VT_PIXEL_PSHL},
    [VT_PIXEL_PASHR] = {VT_PIXEL_PLSHR},
};

/* A value before `i` of v's width that is not v, the nearest one, or v. */
static uint32_t other_value(const struct vt_pixel_program *p, uint32_t i, uint32_t v)
{
    for (uint32_t k = i; k-- > 0;) {
        if (k != v && p->insns[k].bits != 0 && p->insns[k].bits == p->insns[v].bits) {
            return k;
        }
    }
    return v;
}

static void move_up(uint32_t *value, uint32_t from, uint32_t by)
{
    if (*value != VT_PIXEL_NONE && *value >= from) {
        *value += by;
    }
}

/* Makes room for `by` operations before `at`. */
static void insert(struct vt_pixel_program *p, uint32_t at, uint32_t by)
{
    memmove(&p->insns[at + by], &p->insns[at], (p->n_insns - at) * sizeof *p->insns);
    p->n_insns += by;
    for (uint32_t i = 0; i < p->n_insns; i++) {
        move_up(&p->insns[i].b, at, by);
        move_up(&p->insns[i].c, at, by);
        if (p->insns[i].op != VT_PIXEL_RESULT) {
            move_up(&p->insns[i].a, at, by);
        }
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        move_up(&p->carries[i].next, at, by);
    }
    for (uint32_t i = 0; i < p->n_loops; i++) {
        struct vt_pixel_loop *l = &p->loops[i];
        for (uint32_t v = 0; v < l->n; v++) {
            move_up(&l->initial[v], at, by);
            move_up(&l->next[v], at, by);
        }
        move_up(&l->condition, at, by);
    }
}

/* Whoever uses operand `*operand` of the operation `at` gets its lower half alone, extended. */
static void halve(struct vt_pixel_program *p, uint32_t at, uint32_t which, bool sign)
{
    uint32_t v = which == 0 ? p->insns[at].a : p->insns[at].b;
    uint8_t bits = p->insns[v].bits;
    insert(p, at, 2);
    p->insns[at] = (struct vt_pixel_insn){
        .op = VT_PIXEL_EXTRACT, .bits = bits / 2, .a = v, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    p->insns[at + 1] = (struct vt_pixel_insn){.op = sign ? VT_PIXEL_SEXT : VT_PIXEL_ZEXT,
                                              .bits = bits,
                                              .a = at,
                                              .b = VT_PIXEL_NONE,
                                              .c = VT_PIXEL_NONE};
    *(which == 0 ? &p->insns[at + 2].a : &p->insns[at + 2].b) = at + 1;
}

static void drop(struct vt_pixel_insn *insn)
{
    *insn = (struct vt_pixel_insn){.op = VT_PIXEL_CONST,
                                   .bits = 1,
                                   .a = VT_PIXEL_NONE,
                                   .b = VT_PIXEL_NONE,
                                   .c = VT_PIXEL_NONE};
}

static uint64_t mask_of(const struct vt_pixel_insn *insn)
{
    return insn->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << insn->bits) - 1;
}

static bool commutes(uint8_t op)
{
    static const uint8_t all[] = {
        VT_PIXEL_ADD,         VT_PIXEL_MUL,    VT_PIXEL_UMULH, VT_PIXEL_SMULH, VT_PIXEL_AND,
        VT_PIXEL_OR,          VT_PIXEL_XOR,    VT_PIXEL_EQ,    VT_PIXEL_NE,    VT_PIXEL_PADD,
        VT_PIXEL_PADDUS,      VT_PIXEL_PADDSS, VT_PIXEL_PMULL, VT_PIXEL_PMINU, VT_PIXEL_PMINS,
        VT_PIXEL_PMAXU,       VT_PIXEL_PMAXS,  VT_PIXEL_PAVG,  VT_PIXEL_PEQ,   VT_PIXEL_ADD_CARRY,
        VT_PIXEL_ADD_OVERFLOW};
    return memchr(all, op, sizeof all) != NULL;
}

static bool change_const(struct vt_pixel_insn *insn, uint32_t i, struct choice *c)
{
    uint64_t mask = mask_of(insn), top = mask ^ mask >> 1;
    if (is(c, "one more, constant", i)) {
        insn->imm = (insn->imm + 1) & mask;
    } else if (insn->bits > 1 && is(c, "one less, constant", i)) {
        insn->imm = (insn->imm - 1) & mask;
    } else if (insn->bits > 1 && is(c, "another sign, constant", i)) {
        insn->imm ^= top;
    } else if (insn->bits > 1 && insn->imm != 0 && is(c, "twice, constant", i)) {
        insn->imm = (insn->imm << 1) & mask;
    } else {
        return false;
    }
    return true;
}

static bool change_memory(struct vt_pixel_program *p, uint32_t i, struct choice *c)
{
    struct vt_pixel_insn *insn = &p->insns[i];
    if (is(c, "a byte on, access", i)) {
        insn->imm++;
    } else if (is(c, "a byte back, access", i)) {
        insn->imm--;
    } else if (is(c, "eight bytes on, access", i)) {
        insn->imm += 8;
    } else if (p->n_streams > 1 && is(c, "another stream, access", i)) {
        insn->stream = (uint8_t)((insn->stream + 1u) % p->n_streams);
    } else if (insn->a != VT_PIXEL_NONE && is(c, "no index, access", i)) {
        insn->a = VT_PIXEL_NONE;
    } else if (insn->op == VT_PIXEL_STORE && is(c, "no store", i)) {
        drop(insn);
    } else if (insn->c != VT_PIXEL_NONE && is(c, "always, store", i)) {
        insn->c = VT_PIXEL_NONE;
    } else {
        return false;
    }
    return true;
}

static bool change_insn(struct vt_pixel_program *p, uint32_t i, struct choice *c)
{
    struct vt_pixel_insn *insn = &p->insns[i];
    bool memory = insn->op == VT_PIXEL_LOAD || insn->op == VT_PIXEL_STORE,
         bracket = insn->op == VT_PIXEL_LOOP || insn->op == VT_PIXEL_END;
    if ((insn->op == VT_PIXEL_CONST && change_const(insn, i, c)) ||
        (memory && change_memory(p, i, c))) {
        return true;
    }
    for (unsigned m = 0; m < 2; m++) {
        if (mistaken[insn->op][m] != 0 && is(c, "another operation", i)) {
            insn->op = mistaken[insn->op][m];
            return true;
        }
    }
    if (insn->lane != 0 && is(c, "other elements", i)) {
        insn->lane = insn->lane == 16 ? 32 : 16;
        return true;
    }
    if (insn->a != VT_PIXEL_NONE && insn->b != VT_PIXEL_NONE && !memory && !commutes(insn->op) &&
        is(c, "operands swapped", i)) {
        uint32_t a = insn->a;
        insn->a = insn->b;
        insn->b = a;
        return true;
    }
    if ((insn->op == VT_PIXEL_EXTRACT || insn->op == VT_PIXEL_INPUT || insn->op == VT_PIXEL_CARRY ||
         insn->op == VT_PIXEL_VARIABLE || insn->op == VT_PIXEL_RESULT) &&
        is(c, "another part, or place", i)) {
        insn->imm ^= 1;
        return true;
    }
    if (insn->op == VT_PIXEL_CHECK && is(c, "no check", i)) {
        drop(insn);
        return true;
    }
    uint32_t *operands[3] = {&insn->a, &insn->b, &insn->c};
    for (unsigned o = 0; o < 3 && insn->op != VT_PIXEL_RESULT && !bracket; o++) {
        if (*operands[o] != VT_PIXEL_NONE && is(c, "another operand", i)) {
            *operands[o] = other_value(p, i, *operands[o]);
            return true;
        }
    }
    for (uint32_t o = 0; o < 2 && insn->op != VT_PIXEL_RESULT && !bracket; o++) {
        bool wide = *operands[o] != VT_PIXEL_NONE && p->insns[*operands[o]].bits >= 16;
        if (wide && is(c, "half of an operand", i)) {
            halve(p, i, o, false);
            return true;
        }
        if (wide && is(c, "half of an operand, signed", i)) {
            halve(p, i, o, true);
            return true;
        }
    }
    return false;
}

static bool change_insns(struct vt_pixel_program *p, struct choice *c)
{
    for (uint32_t i = 0; i < p->n_insns; i++) {
        if (change_insn(p, i, c)) {
            return true;
        }
    }
    return false;
}

static bool change_loops(struct vt_pixel_program *p, struct choice *c)
{
    for (uint32_t i = 0; i < p->n_loops; i++) {
        struct vt_pixel_loop *l = &p->loops[i];
        if (l->max_trips > 1 && is(c, "one trip less, loop", i)) {
            l->max_trips--;
            return true;
        }
        if (is(c, "twice the trips, loop", i)) {
            l->max_trips *= 2;
            return true;
        }
        if (is(c, "another condition, loop", i)) {
            l->condition = other_value(p, l->condition, l->condition);
            return true;
        }
        for (uint32_t v = 0; v < l->n; v++) {
            if (is(c, "another beginning, variable", v)) {
                l->initial[v] = other_value(p, l->initial[v], l->initial[v]);
                return true;
            }
            if (is(c, "another next, variable", v)) {
                l->next[v] = other_value(p, p->n_insns, l->next[v]);
                return true;
            }
        }
    }
    return false;
}

/* ---------------------------------------------------------------- memory, places */

static bool change_linear(struct vt_linear *l, uint32_t of, struct choice *c)
{
    if (is(c, "a byte on, position", of)) {
        l->constant++;
    } else if (is(c, "sixteen bytes back, position", of)) {
        l->constant -= 16;
    } else if (l->n > 0 && is(c, "twice a register, position", of)) {
        l->part[0].coefficient *= 2;
    } else if (l->n > 0 && is(c, "another register, position", of)) {
        l->part[0].reg ^= 1;
    } else if (l->n > 0 && is(c, "a register less, position", of)) {
        l->n--;
    } else {
        return false;
    }
    return true;
}

static bool change_streams(struct vt_synth_kernel *k, struct choice *c)
{
    struct vt_pixel_program *p = &k->program;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        struct vt_pixel_stream *s = &p->streams[i];
        if (is(c, "a longer stride, stream", i)) {
            s->stride++;
        } else if (s->stride != 0 && is(c, "the other way, stream", i)) {
            s->stride = -s->stride;
        } else if (s->stride != 0 && is(c, "it stays, stream", i)) {
            s->stride = 0;
        } else if (is(c, "a higher low, stream", i)) {
            s->low++;
        } else if (is(c, "a lower high, stream", i)) {
            s->high--;
        } else if (change_linear(&k->streams[i], i, c)) {
        } else if (k->aligned[i] && is(c, "not aligned, stream", i)) {
            k->aligned[i] = 0;
        } else if (k->aligned[i] == 32 && is(c, "aligned to half of it, stream", i)) {
            k->aligned[i] = 16;
        } else if (s->stride_input != VT_PIXEL_NONE && is(c, "a stride of its own, stream", i)) {
            s->stride_input = VT_PIXEL_NONE;
        } else if (i > 0 && is(c, "two positions swapped, stream", i)) {
            struct vt_linear l = k->streams[i];
            k->streams[i] = k->streams[0];
            k->streams[0] = l;
        } else {
            continue;
        }
        return true;
    }
    return false;
}

static bool change_place(struct vt_place *p, uint32_t of, struct choice *c)
{
    if (p->kind == VT_PLACE_CELL) {
        if (is(c, "half of a cell, place", of)) {
            p->bytes = p->bytes > 1 ? p->bytes / 2 : 2;
            return true;
        }
        return change_linear(&p->address, of, c);
    }
    if (is(c, "another register, place", of)) {
        p->reg ^= 1;
        return true;
    }
    if (p->kind != VT_PLACE_GPR && is(c, "the other half, place", of)) {
        p->kind = (uint8_t)(VT_PLACE_XMM_LOW + ((p->kind - VT_PLACE_XMM_LOW) ^ 1));
        return true;
    }
    if (vt_place_is_vector(p->kind) && is(c, "128 bits up or down, place", of)) {
        p->kind = (uint8_t)(VT_PLACE_XMM_LOW + ((p->kind - VT_PLACE_XMM_LOW) ^ 2));
        return true;
    }
    return false;
}

static bool change_places(struct vt_synth_kernel *k, struct choice *c)
{
    struct vt_pixel_program *p = &k->program;
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        if (change_place(&k->inputs[i], i, c)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        struct vt_pixel_carry *carry = &p->carries[i];
        if (change_place(&k->carries[i], p->n_inputs + i, c)) {
            return true;
        }
        if (is(c, "another next, carry", i)) {
            carry->next = other_value(p, p->n_insns, carry->next);
            return true;
        }
        for (uint32_t v = 0; v < p->n_insns; v++) {
            const struct vt_pixel_insn *insn = &p->insns[v];
            if (insn->op == VT_PIXEL_CARRY && insn->imm == i && carry->next != v &&
                is(c, "it stays, carry", i)) {
                carry->next = v;
                return true;
            }
        }
        if (i > 0 && is(c, "two places swapped, carry", i)) {
            struct vt_place place = k->carries[i];
            k->carries[i] = k->carries[0];
            k->carries[0] = place;
            return true;
        }
    }
    if (p->n_carries > 0 && is(c, "no such carry", p->n_carries - 1)) {
        p->n_carries--;
        return true;
    }
    return false;
}

static bool change_guards(struct vt_synth_kernel *k, struct choice *c)
{
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        if (is(c, "no guard", i)) {
            k->disjoint[i] = k->disjoint[--k->n_disjoint];
            return true;
        }
        if (!k->disjoint[i].only_parallel && is(c, "only in parallel, guard", i)) {
            k->disjoint[i].only_parallel = true;
            return true;
        }
        if (is(c, "of another one, guard", i)) {
            k->disjoint[i].b ^= 1;
            return true;
        }
    }
    for (uint32_t i = 0; i < k->n_equal; i++) {
        struct vt_equal *e = &k->equal[i];
        if (is(c, "not taken for granted", i)) {
            *e = k->equal[--k->n_equal];
            return true;
        }
        if (is(c, "of another register, equality", i)) {
            e->place.reg ^= 1;
            return true;
        }
        if (change_linear(&e->sum, i, c)) {
            return true;
        }
    }
    if (k->trips != NULL && is(c, "no trips", 0)) {
        vt_pixel_fini(k->trips);
        free(k->trips);
        k->trips = NULL;
        return true;
    }
    if (k->trips == NULL || !change_insns(k->trips, c)) {
        return false;
    }
    size_t n = strlen(c->what);
    snprintf(c->what + n, 64 - n, ", of trips");
    return true;
}

bool mutant_change(struct vt_synth_kernel *k, unsigned which, char what[64])
{
    struct choice c = {.left = which, .what = what};
    return change_insns(&k->program, &c) || change_loops(&k->program, &c) ||
           change_streams(k, &c) || change_places(k, &c) || change_guards(k, &c);
}

unsigned mutant_count(const struct vt_synth_kernel *k)
{
    struct vt_synth_kernel *copy = mutant_copy(k);
    char what[64];
    struct choice c = {.left = UINT32_MAX, .what = what};
    (void)(change_insns(&copy->program, &c) || change_loops(&copy->program, &c) ||
           change_streams(copy, &c) || change_places(copy, &c) || change_guards(copy, &c));
    vt_synth_kernel_destroy(copy);
    return UINT32_MAX - c.left;
}
