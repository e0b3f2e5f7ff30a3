/* trace/registers_execute.c - operands and memory of the instructions that are executed again, and
 * what recorded accesses tell of the registers before them. See registers.h.
 */
#include "trace/registers.h"

/* ---------------------------------------------------------------- bits */

struct vt_trace_bits vt_sum(struct vt_trace_bits a, struct vt_trace_bits b,
                            struct vt_trace_bits carry)
{
    uint64_t both = a.known & b.known;
    unsigned n = (carry.known & 1) == 0 ? 0
                 : both == UINT64_MAX   ? 64
                                        : (unsigned)__builtin_ctzll(~both);
    return vt_bits(a.value + b.value + (carry.value & 1), vt_mask(n));
}

struct vt_trace_bits vt_difference(struct vt_trace_bits a, struct vt_trace_bits b,
                                   struct vt_trace_bits borrow)
{
    return vt_sum(a, vt_not(b), vt_not(borrow));
}

void vt_x86_forget(struct vt_x86_state *s)
{
    memset(s, 0, sizeof *s);
}

/* ---------------------------------------------------------------- flags */

void vt_x86_flags_of(struct vt_x86_run *run, struct vt_trace_bits result, unsigned bits)
{
    struct vt_trace_bits zero = vt_none(), parity = vt_none();
    result = vt_low(result, bits);
    if (result.value != 0) {
        zero = vt_all(0);
    } else if (vt_is_known(result, bits)) {
        zero = vt_all(1);
    }
    if (vt_is_known(result, 8)) {
        parity = vt_all((__builtin_popcountll(result.value & 0xff) & 1) == 0);
    }
    vt_x86_set_flag(run, VT_ZF, zero);
    vt_x86_set_flag(run, VT_SF, vt_bit(result, bits - 1));
    vt_x86_set_flag(run, VT_PF, parity);
}

struct vt_trace_bits vt_x86_condition(const struct vt_x86_run *run, unsigned condition)
{
    struct vt_trace_bits holds;
    struct vt_trace_bits less = vt_xor(vt_x86_flag(run, VT_SF), vt_x86_flag(run, VT_OF));
    switch (condition >> 1 & 7) {
    case 0:
        holds = vt_x86_flag(run, VT_OF);
        break;
    case 1:
        holds = vt_x86_flag(run, VT_CF);
        break;
    case 2:
        holds = vt_x86_flag(run, VT_ZF);
        break;
    case 3:
        holds = vt_or(vt_x86_flag(run, VT_CF), vt_x86_flag(run, VT_ZF));
        break;
    case 4:
        holds = vt_x86_flag(run, VT_SF);
        break;
    case 5:
        holds = vt_x86_flag(run, VT_PF);
        break;
    case 6:
        holds = less;
        break;
    default:
        holds = vt_or(less, vt_x86_flag(run, VT_ZF));
        break;
    }
    return vt_xor(holds, vt_all(condition & 1));
}

static void was(struct vt_trace_bits *flags, unsigned flag, bool set)
{
    flags->known |= flag;
    flags->value = (flags->value & ~(uint64_t)flag) | (set ? flag : 0);
}

/* SF and OF are equal, or are not: one tells the other. */
static void sign_and_overflow(struct vt_trace_bits *flags, bool differ)
{
    if ((flags->known & VT_SF) != 0) {
        was(flags, VT_OF, ((flags->value & VT_SF) != 0) != differ);
    } else if ((flags->known & VT_OF) != 0) {
        was(flags, VT_SF, ((flags->value & VT_OF) != 0) != differ);
    }
}

void vt_x86_condition_was(struct vt_trace_bits *flags, unsigned condition, bool holds)
{
    static const unsigned single[] = {VT_OF, VT_CF, VT_ZF, 0, VT_SF, VT_PF, 0, 0};
    unsigned which = condition >> 1 & 7;
    holds = holds != ((condition & 1) != 0);
    if (single[which] != 0) {
        was(flags, single[which], holds);
    } else if (which == 3 && !holds) {
        was(flags, VT_CF, false);
        was(flags, VT_ZF, false);
    } else if (which == 3 && (flags->known & VT_CF) != 0 && (flags->value & VT_CF) == 0) {
        was(flags, VT_ZF, true);
    } else if (which == 3 && (flags->known & VT_ZF) != 0 && (flags->value & VT_ZF) == 0) {
        was(flags, VT_CF, true);
    } else if (which == 6) {
        sign_and_overflow(flags, holds);
    } else if (which == 7 && !holds) {
        was(flags, VT_ZF, false);
        sign_and_overflow(flags, false);
    } else if (which == 7 && (flags->known & VT_ZF) != 0 && (flags->value & VT_ZF) == 0) {
        sign_and_overflow(flags, true);
    }
}

/* ---------------------------------------------------------------- registers */

struct vt_trace_bits vt_x86_register(const struct vt_x86_run *run, unsigned reg, unsigned bits)
{
    return vt_low(run->s->cpu.r[reg], bits);
}

void vt_x86_set_register(struct vt_x86_run *run, unsigned reg, unsigned bits,
                         struct vt_trace_bits value)
{
    struct vt_trace_bits *to = &run->s->cpu.r[reg];
    uint64_t mask = vt_mask(bits);
    if (bits >= 32) {
        *to = vt_low(value, bits);
        return;
    }
    *to = vt_bits((to->value & ~mask) | (value.value & mask),
                  (to->known & ~mask) | (value.known & mask));
}

void vt_x86_register_was(struct vt_x86_run *run, unsigned reg, uint64_t value, unsigned bits)
{
    struct vt_trace_bits *r = &run->s->cpu.r[reg];
    uint64_t mask = vt_mask(bits);
    if (((r->value ^ value) & r->known & mask) != 0) {
        run->disagrees = true;
        return;
    }
    run->counts->addresses += vt_is_known(*r, bits);
    *r = vt_bits(r->value | (value & mask), r->known | mask);
}

/* ---------------------------------------------------------------- memory */

struct vt_x86_memory vt_x86_access(struct vt_x86_run *run, bool store, unsigned bytes)
{
    uint32_t *next = store ? &run->store : &run->load;
    struct vt_x86_memory all = {.recorded = false};
    unsigned have = 0;
    while (have < bytes) {
        while (*next < run->n_accesses && run->accesses[*next].store != store) {
            (*next)++;
        }
        if (*next >= run->n_accesses) {
            break;
        }
        const struct vt_trace_access *a = &run->accesses[*next];
        if (have == 0) {
            all.recorded = true;
            all.address = a->address;
        }
        if (a->address != all.address + have || a->bytes > bytes - have || a->bytes == 0) {
            *next += have == 0;
            break;
        }
        if (a->has_value && a->bytes == 16) {
            all.value[0] = vt_all(a->value[0]);
            all.value[1] = vt_all(a->value[1]);
        } else if (a->has_value && have % 8 + a->bytes <= 8) {
            unsigned shift = have % 8 * 8;
            struct vt_trace_bits *word = &all.value[have / 8 & 1];
            uint64_t mask = vt_mask(a->bytes * 8U) << shift;
            *word = vt_bits(word->value | (a->value[0] << shift & mask), word->known | mask);
        }
        have += a->bytes;
        (*next)++;
    }
    return all;
}

struct vt_trace_bits vt_x86_stored(struct vt_x86_run *run, const struct vt_x86_memory *memory,
                                   unsigned word, struct vt_trace_bits value, unsigned bits)
{
    struct vt_trace_bits seen = memory->value[word];
    uint64_t mask = vt_mask(bits);
    if (((seen.value ^ value.value) & seen.known & value.known & mask) != 0) {
        run->disagrees = true;
    }
    run->counts->values += (seen.known & value.known & mask) == mask;
    return vt_low(vt_bits((value.value & ~seen.known) | seen.value, value.known | seen.known),
                  bits);
}

static uint64_t known_part(const struct vt_x86_run *run, uint8_t reg, unsigned bits, bool *unknown)
{
    if (reg == VT_X86_NO_REGISTER) {
        return 0;
    }
    if (reg == VT_X86_RIP) {
        return run->i->next;
    }
    if (!vt_is_known(run->s->cpu.r[reg], bits)) {
        *unknown = true;
        return 0;
    }
    return run->s->cpu.r[reg].value & vt_mask(bits);
}

void vt_x86_address_was(struct vt_x86_run *run, uint64_t address, struct vt_trace_bits offset)
{
    const struct vt_x86_insn *i = run->i;
    bool base = false, index = false, segment = false;
    if (i->segment_unknown || !vt_is_known(offset, 64) ||
        (i->address != 64 && (i->address != 32 || i->segment != VT_X86_NO_REGISTER))) {
        return;
    }
    uint64_t rest = address - offset.value - i->displacement;
    rest -= known_part(run, i->base, i->address, &base);
    rest -= known_part(run, i->index, i->address, &index) * i->scale;
    rest -= known_part(run, i->segment, 64, &segment);
    if (base + index + segment > 1 || (i->base == i->index && base)) {
        return;
    }
    if (base) {
        vt_x86_register_was(run, i->base, rest, i->address);
    } else if (segment) {
        vt_x86_register_was(run, i->segment, rest, 64);
    } else if (index) {
        unsigned shift = (unsigned)__builtin_ctz(i->scale != 0 ? i->scale : 1);
        if ((rest & vt_mask(shift)) != 0) {
            run->disagrees = true;
        } else {
            vt_x86_register_was(run, i->index, (rest & vt_mask(i->address)) >> shift,
                                i->address - shift);
        }
    } else {
        run->counts->addresses++;
        run->disagrees |= (rest & vt_mask(i->address)) != 0;
    }
}

struct vt_trace_bits vt_x86_address(const struct vt_x86_run *run)
{
    const struct vt_x86_insn *i = run->i;
    struct vt_trace_bits sum = vt_all(i->displacement), zero = vt_all(0);
    if (i->base == VT_X86_RIP) {
        sum.value += i->next;
    } else if (i->base != VT_X86_NO_REGISTER) {
        sum = vt_sum(sum, run->s->cpu.r[i->base], zero);
    }
    if (i->index != VT_X86_NO_REGISTER) {
        struct vt_trace_bits index = run->s->cpu.r[i->index];
        uint64_t low = i->scale != 0 ? (uint64_t)i->scale - 1 : 0;
        index = vt_bits(index.value * i->scale, index.known * i->scale | low);
        sum = vt_sum(sum, index, zero);
    }
    return vt_low(sum, i->address);
}

/* ---------------------------------------------------------------- operands */

struct vt_trace_bits vt_x86_read(struct vt_x86_run *run, unsigned k)
{
    const struct vt_x86_operand *o = &run->i->o[k];
    if (k >= run->i->n) {
        return vt_none();
    }
    switch (o->kind) {
    case VT_X86_REGISTER: {
        struct vt_trace_bits r = run->s->cpu.r[o->reg];
        return vt_low(vt_bits(r.value >> o->shift, r.known >> o->shift), o->bits);
    }
    case VT_X86_IMMEDIATE:
        return vt_low(vt_all(run->i->immediate), k == 0 ? 64 : run->i->o[0].bits);
    case VT_X86_MEMORY: {
        struct vt_x86_memory m = vt_x86_access(run, false, o->bits / 8U);
        if (m.recorded) {
            vt_x86_address_was(run, m.address, vt_all(0));
        }
        return vt_low(m.value[0], o->bits);
    }
    default:
        return vt_low(vt_none(), o->bits);
    }
}

struct vt_trace_bits vt_x86_write(struct vt_x86_run *run, unsigned k, struct vt_trace_bits value)
{
    const struct vt_x86_operand *o = &run->i->o[k];
    if (k >= run->i->n) {
        return value;
    }
    value = vt_low(value, o->bits);
    if (o->kind == VT_X86_REGISTER) {
        if (o->shift != 0) {
            struct vt_trace_bits *r = &run->s->cpu.r[o->reg];
            *r = vt_bits((r->value & ~UINT64_C(0xff00)) | value.value << 8,
                         (r->known & ~UINT64_C(0xff00)) | (value.known & 0xff) << 8);
        } else {
            vt_x86_set_register(run, o->reg, o->bits, value);
        }
    } else if (o->kind == VT_X86_MEMORY) {
        struct vt_x86_memory m = vt_x86_access(run, true, o->bits / 8U);
        if (m.recorded) {
            vt_x86_address_was(run, m.address, vt_all(0));
            value = vt_x86_stored(run, &m, 0, value, o->bits);
        }
    }
    return value;
}

void vt_x86_learn(struct vt_x86_run *run, unsigned k, struct vt_trace_bits value)
{
    const struct vt_x86_operand *o = &run->i->o[k];
    if (k >= run->i->n || o->kind != VT_X86_REGISTER) {
        return;
    }
    struct vt_trace_bits *r = &run->s->cpu.r[o->reg];
    uint64_t known = value.known & vt_mask(o->bits);
    uint64_t fresh = known << o->shift & ~r->known;
    *r = vt_bits(r->value | (value.value << o->shift & fresh), r->known | fresh);
}

/* ---------------------------------------------------------------- instructions */

static void forget_written(struct vt_x86_run *run, uint16_t registers)
{
    const struct vt_x86_insn *i = run->i;
    for (unsigned k = 0; k < VT_X86_VECTORS; k++) {
        if ((registers >> k & 1) != 0) {
            run->s->cpu.r[k] = vt_none();
        }
        if ((i->writes_vectors >> k & 1) != 0) {
            run->s->vector[k][0] = run->s->vector[k][1] = vt_none();
        }
    }
    vt_x86_forget_flags(run, i->flags);
}

/* An instruction without semantics: where its only memory operand is, when all that was recorded is
 * of the operand. */
static void only_address(struct vt_x86_run *run)
{
    const struct vt_x86_insn *i = run->i;
    unsigned memory = 0, bytes = 0;
    uint64_t first = UINT64_MAX;
    for (unsigned k = 0; k < i->n; k++) {
        memory += i->o[k].kind == VT_X86_MEMORY ? i->o[k].bits / 8U : 0;
    }
    for (uint32_t k = 0; k < run->n_accesses && bytes <= memory; k++) {
        const struct vt_trace_access *a = &run->accesses[k];
        bytes += a->bytes;
        first = a->address < first ? a->address : first;
    }
    if (memory != 0 && bytes == memory && i->repeat == 0 && i->way == VT_X86_NEXT) {
        vt_x86_address_was(run, first, vt_all(0));
    }
}

void vt_x86_execute(struct vt_x86_run *run, const struct vt_x86_insn *insn)
{
    run->i = insn;
    run->load = run->store = 0;
    run->disagrees = run->faults = false;
    run->to = run->selector = vt_none();
    run->counts->instructions++;
    if (insn->execute != NULL) {
        insn->execute(run);
    } else {
        run->counts->not_executed++;
        only_address(run);
        forget_written(run, insn->writes);
    }
    if (insn->loads_fs) {
        run->s->cpu.r[VT_TRACE_FS_BASE] = vt_none();
    }
    if (insn->loads_gs) {
        run->s->cpu.r[VT_TRACE_GS_BASE] = vt_none();
    }
    if (run->disagrees || run->faults) {
        run->counts->disagreements++;
        forget_written(run, insn->reads | insn->writes);
        if (insn->segment != VT_X86_NO_REGISTER) {
            run->s->cpu.r[insn->segment] = vt_none();
        }
        vt_x86_forget_flags(run, VT_FLAGS);
    }
}

void vt_x86_execute_partly(struct vt_x86_run *run, const struct vt_x86_insn *insn)
{
    if (insn->repeat == 0) {
        return;
    }
    run->partly = true;
    vt_x86_execute(run, insn);
    run->partly = false;
    run->counts->instructions--;
}
