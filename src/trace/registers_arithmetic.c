/* trace/registers_arithmetic.c - semantics of arithmetic, logic, shifts and bits. See registers.h.
 *
 * Source: Intel SDM volume 2, "Operation" and "Flags Affected" of each instruction.
 */
#include "trace/registers.h"

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 signed_wide;

static unsigned bits_of(const struct vt_x86_run *run)
{
    return run->i->o[0].bits;
}

static bool same_register(const struct vt_x86_run *run, unsigned a, unsigned b)
{
    const struct vt_x86_operand *x = &run->i->o[a], *y = &run->i->o[b];
    return x->kind == VT_X86_REGISTER && y->kind == VT_X86_REGISTER && x->reg == y->reg &&
           x->shift == y->shift;
}

static struct vt_trace_bits boolean(bool b)
{
    return vt_all(b ? 1 : 0);
}

static int64_t extended(uint64_t value, unsigned bits)
{
    return bits >= 64 ? (int64_t)value : (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* ---------------------------------------------------------------- sums, differences */

/* What the top bits of a, b and their sum say of carry and overflow, and bits 4 of AF. */
static void flags_of_sum(struct vt_x86_run *run, struct vt_trace_bits a, struct vt_trace_bits b,
                         struct vt_trace_bits r, unsigned bits)
{
    struct vt_trace_bits x = vt_bit(a, bits - 1), y = vt_bit(b, bits - 1), z = vt_bit(r, bits - 1);
    vt_x86_set_flag(run, VT_CF, vt_or(vt_and(x, y), vt_and(vt_or(x, y), vt_not(z))));
    vt_x86_set_flag(run, VT_OF, vt_and(vt_xor(x, z), vt_xor(y, z)));
    vt_x86_set_flag(run, VT_AF, vt_bit(vt_xor(vt_xor(a, b), r), 4));
    vt_x86_flags_of(run, r, bits);
}

static void flags_of_difference(struct vt_x86_run *run, struct vt_trace_bits a,
                                struct vt_trace_bits b, struct vt_trace_bits r, unsigned bits)
{
    struct vt_trace_bits x = vt_bit(a, bits - 1), y = vt_bit(b, bits - 1), z = vt_bit(r, bits - 1);
    struct vt_trace_bits less = vt_low(vt_not(x), 1);
    vt_x86_set_flag(run, VT_CF, vt_or(vt_and(less, y), vt_and(vt_or(less, y), z)));
    vt_x86_set_flag(run, VT_OF, vt_and(vt_xor(x, y), vt_xor(x, z)));
    vt_x86_set_flag(run, VT_AF, vt_bit(vt_xor(vt_xor(a, b), r), 4));
    vt_x86_flags_of(run, r, bits);
}

/* A register less itself is 0 whatever it holds. */
static void read_both(struct vt_x86_run *run, struct vt_trace_bits *a, struct vt_trace_bits *b)
{
    *a = vt_x86_read(run, 0);
    *b = vt_x86_read(run, 1);
    if (same_register(run, 0, 1)) {
        *a = *b = vt_all(0);
    }
}

enum { WITHOUT_CARRY, WITH_CARRY };

static void add(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_x86_read(run, 0), b = vt_x86_read(run, 1);
    struct vt_trace_bits c = run->i->kind == WITH_CARRY ? vt_x86_flag(run, VT_CF) : vt_all(0);
    struct vt_trace_bits r = vt_x86_write(run, 0, vt_sum(a, b, c));
    flags_of_sum(run, a, b, r, bits_of(run));
}

static void subtract(struct vt_x86_run *run)
{
    struct vt_trace_bits a, b;
    struct vt_trace_bits c = run->i->kind == WITH_CARRY ? vt_x86_flag(run, VT_CF) : vt_all(0);
    read_both(run, &a, &b);
    struct vt_trace_bits r = vt_x86_write(run, 0, vt_difference(a, b, c));
    flags_of_difference(run, a, b, r, bits_of(run));
}

static void compare(struct vt_x86_run *run)
{
    struct vt_trace_bits a, b;
    read_both(run, &a, &b);
    flags_of_difference(run, a, b, vt_difference(a, b, vt_all(0)), bits_of(run));
}

static void increment(struct vt_x86_run *run)
{
    struct vt_trace_bits carry = vt_x86_flag(run, VT_CF), a = vt_x86_read(run, 0);
    struct vt_trace_bits r = vt_x86_write(run, 0, vt_sum(a, vt_all(1), vt_all(0)));
    flags_of_sum(run, a, vt_all(1), r, bits_of(run));
    vt_x86_set_flag(run, VT_CF, carry);
}

static void decrement(struct vt_x86_run *run)
{
    struct vt_trace_bits carry = vt_x86_flag(run, VT_CF), a = vt_x86_read(run, 0);
    struct vt_trace_bits r = vt_x86_write(run, 0, vt_difference(a, vt_all(1), vt_all(0)));
    flags_of_difference(run, a, vt_all(1), r, bits_of(run));
    vt_x86_set_flag(run, VT_CF, carry);
}

static void negate(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_x86_read(run, 0), zero = vt_all(0);
    struct vt_trace_bits r = vt_x86_write(run, 0, vt_difference(zero, a, zero));
    flags_of_difference(run, zero, a, r, bits_of(run));
}

static void exchange_and_add(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_x86_read(run, 0), b = vt_x86_read(run, 1);
    struct vt_trace_bits r = vt_sum(a, b, vt_all(0));
    if (run->i->o[0].kind == VT_X86_REGISTER) {
        vt_x86_write(run, 1, a);
        vt_x86_write(run, 0, r);
    } else {
        r = vt_x86_write(run, 0, r);
        vt_x86_write(run, 1, a);
    }
    flags_of_sum(run, a, b, r, bits_of(run));
}

/* Only the other flag than its own carry is left alone: OF by adcx, CF by adox. */
static void add_with_one_flag(struct vt_x86_run *run)
{
    enum vt_x86_flag flag = run->i->kind == 0 ? VT_CF : VT_OF;
    unsigned bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 0), b = vt_x86_read(run, 1);
    struct vt_trace_bits r = vt_x86_write(run, 0, vt_sum(a, b, vt_x86_flag(run, flag)));
    struct vt_trace_bits x = vt_bit(a, bits - 1), y = vt_bit(b, bits - 1), z = vt_bit(r, bits - 1);
    vt_x86_set_flag(run, flag, vt_or(vt_and(x, y), vt_and(vt_or(x, y), vt_not(z))));
}

/* What a 32-bit register's upper half becomes when nothing else is written: not said. */
static void leave(struct vt_x86_run *run, unsigned k)
{
    const struct vt_x86_operand *o = &run->i->o[k];
    if (o->kind == VT_X86_REGISTER && o->bits == 32) {
        struct vt_trace_bits *r = &run->s->cpu.r[o->reg];
        *r = vt_bits(r->value, r->known & (UINT32_MAX | ~r->value));
    }
}

/* 1: they are equal, 0: they are not, -1: who knows. */
static int equal(struct vt_trace_bits a, struct vt_trace_bits b, unsigned bits)
{
    uint64_t mask = vt_mask(bits);
    if (((a.value ^ b.value) & a.known & b.known & mask) != 0) {
        return 0;
    }
    return (a.known & b.known & mask) == mask ? 1 : -1;
}

static void compare_and_exchange(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    struct vt_trace_bits old = vt_x86_read(run, 0), new = vt_x86_read(run, 1);
    struct vt_trace_bits expected = vt_x86_register(run, VT_TRACE_RAX, bits);
    int same = equal(old, expected, bits);
    flags_of_difference(run, expected, old, vt_difference(expected, old, vt_all(0)), bits);
    vt_x86_set_flag(run, VT_ZF, same < 0 ? vt_none() : boolean(same == 1));
    if (same == 1) {
        vt_x86_write(run, 0, new);
    } else if (run->i->o[0].kind == VT_X86_MEMORY) {
        /* QEMU may record a store of `new` though none takes place. */
        vt_x86_write(run, 0, vt_none());
    }
    if (same == 0) {
        vt_x86_set_register(run, VT_TRACE_RAX, bits, old);
    } else if (same < 0) {
        vt_x86_set_register(run, VT_TRACE_RAX, bits >= 32 ? 64 : bits, vt_none());
        if (run->i->o[0].kind == VT_X86_REGISTER) {
            vt_x86_set_register(run, run->i->o[0].reg, 64, vt_none());
        }
    }
}

static void compare_and_exchange_two(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run) / 2;
    struct vt_x86_memory m = vt_x86_access(run, false, bits / 4);
    if (m.recorded) {
        vt_x86_address_was(run, m.address, vt_all(0));
    }
    struct vt_trace_bits low = vt_low(m.value[0], bits);
    struct vt_trace_bits high =
        bits == 64 ? m.value[1]
                   : vt_low(vt_bits(m.value[0].value >> 32, m.value[0].known >> 32), 32);
    int a = equal(low, vt_x86_register(run, VT_TRACE_RAX, bits), bits);
    int b = equal(high, vt_x86_register(run, VT_TRACE_RDX, bits), bits);
    int same = a == 0 || b == 0 ? 0 : a == 1 && b == 1 ? 1 : -1;
    vt_x86_set_flag(run, VT_ZF, same < 0 ? vt_none() : boolean(same == 1));
    if (same == 0) {
        vt_x86_set_register(run, VT_TRACE_RAX, bits, low);
        vt_x86_set_register(run, VT_TRACE_RDX, bits, high);
    } else if (same < 0 || bits == 32) {
        run->s->cpu.r[VT_TRACE_RAX] = run->s->cpu.r[VT_TRACE_RDX] = vt_none();
    }
}

/* ---------------------------------------------------------------- logic */

enum { AND, OR, XOR, TEST, ANDN };

static void logic(struct vt_x86_run *run)
{
    struct vt_trace_bits a, b, r;
    unsigned kind = run->i->kind;
    if (kind == ANDN) {
        a = vt_low(vt_not(vt_x86_read(run, 1)), bits_of(run));
        b = vt_x86_read(run, 2);
    } else {
        a = vt_x86_read(run, 0);
        b = vt_x86_read(run, 1);
    }
    if (kind == XOR) {
        r = same_register(run, 0, 1) ? vt_all(0) : vt_xor(a, b);
    } else {
        r = kind == OR ? vt_or(a, b) : vt_and(a, b);
    }
    if (kind != TEST) {
        r = vt_x86_write(run, 0, r);
    }
    vt_x86_forget_flags(run, VT_AF);
    vt_x86_flags_of(run, r, bits_of(run));
    vt_x86_set_flag(run, VT_CF, vt_all(0));
    vt_x86_set_flag(run, VT_OF, vt_all(0));
    if (kind == ANDN) {
        vt_x86_forget_flags(run, VT_PF);
    }
}

static void complement(struct vt_x86_run *run)
{
    vt_x86_write(run, 0, vt_not(vt_x86_read(run, 0)));
}

/* ---------------------------------------------------------------- multiplication, division */

static wide product(uint64_t a, uint64_t b, unsigned bits, bool is_signed)
{
    return is_signed ? (wide)((signed_wide)extended(a, bits) * extended(b, bits)) : (wide)a * b;
}

/* Whether the product does not fit its low half. */
static bool overflows(wide p, unsigned bits, bool is_signed)
{
    if (!is_signed) {
        return p >> bits != 0;
    }
    return (signed_wide)p != (signed_wide)extended((uint64_t)p, bits);
}

static void flags_of_product(struct vt_x86_run *run, struct vt_trace_bits overflow)
{
    vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
    vt_x86_set_flag(run, VT_CF, overflow);
    vt_x86_set_flag(run, VT_OF, overflow);
}

enum { UNSIGNED, SIGNED };

/* imul has one, two or three operands; the implied ones are named, too, when there is one. */
static void multiply(struct vt_x86_run *run)
{
    const struct vt_x86_insn *i = run->i;
    bool is_signed = i->kind == SIGNED, known;
    unsigned bits = bits_of(run);
    if (is_signed && i->n >= 2) {
        unsigned k = i->n == 3 ? 1 : 0;
        struct vt_trace_bits a = vt_x86_read(run, k), b = vt_x86_read(run, k + 1);
        known = vt_is_known(a, bits) && vt_is_known(b, bits);
        wide p = product(a.value, b.value, bits, true);
        vt_x86_write(run, 0, known ? vt_all((uint64_t)p) : vt_none());
        flags_of_product(run, known ? boolean(overflows(p, bits, true)) : vt_none());
        return;
    }
    struct vt_trace_bits a = vt_x86_read(run, 0), b = vt_x86_register(run, VT_TRACE_RAX, bits);
    known = vt_is_known(a, bits) && vt_is_known(b, bits);
    wide p = product(a.value, b.value, bits, is_signed);
    struct vt_trace_bits low = known ? vt_all((uint64_t)p) : vt_none();
    struct vt_trace_bits high = known ? vt_all((uint64_t)(p >> bits)) : vt_none();
    if (bits == 8) {
        vt_x86_set_register(run, VT_TRACE_RAX, 16, low);
    } else {
        vt_x86_set_register(run, VT_TRACE_RAX, bits, low);
        vt_x86_set_register(run, VT_TRACE_RDX, bits, high);
    }
    flags_of_product(run, known ? boolean(overflows(p, bits, is_signed)) : vt_none());
}

static void multiply_without_flags(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 2), b = vt_x86_register(run, VT_TRACE_RDX, bits);
    bool known = vt_is_known(a, bits) && vt_is_known(b, bits);
    wide p = (wide)a.value * b.value;
    vt_x86_write(run, 1, known ? vt_all((uint64_t)p) : vt_none());
    vt_x86_write(run, 0, known ? vt_all((uint64_t)(p >> bits)) : vt_none());
}

/* False: it faults. */
static bool quotient(wide dividend, uint64_t divisor, unsigned bits, bool is_signed, uint64_t *q,
                     uint64_t *r)
{
    if (divisor == 0) {
        return false;
    }
    if (!is_signed) {
        wide result = dividend / divisor;
        *q = (uint64_t)result;
        *r = (uint64_t)(dividend % divisor);
        return result <= vt_mask(bits);
    }
    signed_wide n = (signed_wide)dividend, d = extended(divisor, bits);
    if (bits < 64) {
        n = extended((uint64_t)dividend, 2 * bits);
    } else if (d == -1 && dividend == (wide)1 << 127) {
        return false;
    }
    signed_wide result = n / d;
    *q = (uint64_t)result;
    *r = (uint64_t)(n % d);
    return result == extended((uint64_t)result, bits);
}

static void divide(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    struct vt_trace_bits d = vt_x86_read(run, 0);
    struct vt_trace_bits low = vt_x86_register(run, VT_TRACE_RAX, bits == 8 ? 16 : bits);
    struct vt_trace_bits high = vt_x86_register(run, VT_TRACE_RDX, bits);
    high = bits == 8 ? vt_all(0) : high;
    struct vt_trace_bits q = vt_none(), r = vt_none();
    if (vt_is_known(d, 64) && vt_is_known(low, 64) && vt_is_known(high, 64)) {
        uint64_t quotient_value = 0, rest = 0;
        run->faults = !quotient((wide)high.value << bits | low.value, d.value, bits,
                                run->i->kind == SIGNED, &quotient_value, &rest);
        q = vt_all(quotient_value);
        r = vt_all(rest);
    }
    if (bits == 8) {
        uint64_t value = (q.value & 0xff) | (r.value & 0xff) << 8;
        vt_x86_set_register(run, VT_TRACE_RAX, 16, vt_bits(value, q.known & r.known));
    } else {
        vt_x86_set_register(run, VT_TRACE_RAX, bits, q);
        vt_x86_set_register(run, VT_TRACE_RDX, bits, r);
    }
    vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
}

/* ---------------------------------------------------------------- shifts, rotations */

static struct vt_trace_bits shifted_left(struct vt_trace_bits a, unsigned n)
{
    return n >= 64 ? vt_all(0) : vt_bits(a.value << n, a.known << n | vt_mask(n));
}

static struct vt_trace_bits shifted_right(struct vt_trace_bits a, unsigned n)
{
    return n >= 64 ? vt_all(0) : vt_bits(a.value >> n, a.known >> n | ~(UINT64_MAX >> n));
}

static struct vt_trace_bits shifted_right_signed(struct vt_trace_bits a, unsigned n, unsigned bits)
{
    n = n < 63 ? n : 63;
    return vt_bits((uint64_t)(extended(a.value, bits) >> n),
                   (uint64_t)(extended(a.known, bits) >> n));
}

/* The count, masked; -1: unknown. */
static int count_of(struct vt_x86_run *run, unsigned k)
{
    uint64_t mask = bits_of(run) == 64 ? 63 : 31;
    struct vt_trace_bits c = run->i->n > k ? vt_x86_read(run, k) : vt_all(1);
    return (c.known & mask) == mask ? (int)(c.value & mask) : -1;
}

/* Whether nothing is left to do: no bit is shifted, or nobody knows how many. */
static bool count_is_special(struct vt_x86_run *run, int n)
{
    const struct vt_x86_operand *o = &run->i->o[0];
    if (n < 0) {
        leave(run, 0);
        struct vt_trace_bits upper = run->s->cpu.r[o->reg % VT_X86_VECTORS];
        vt_x86_read(run, 0);
        vt_x86_write(run, 0, vt_none());
        if (o->kind == VT_X86_REGISTER && o->bits == 32) {
            run->s->cpu.r[o->reg] = vt_bits(upper.value, upper.known & ~(uint64_t)UINT32_MAX);
        }
        vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
    } else if (n == 0) {
        leave(run, 0);
    }
    return n <= 0;
}

enum { SHL, SHR, SAR };

static void shift(struct vt_x86_run *run)
{
    int count = count_of(run, 1);
    if (count_is_special(run, count)) {
        return;
    }
    unsigned n = (unsigned)count, bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 0), r, carry, overflow;
    if (run->i->kind == SHL) {
        r = shifted_left(a, n);
        carry = n < bits ? vt_bit(a, bits - n) : vt_none();
        overflow = n == 1 ? vt_xor(vt_bit(r, bits - 1), carry) : vt_none();
    } else if (run->i->kind == SHR) {
        r = shifted_right(a, n);
        carry = n < bits ? vt_bit(a, n - 1) : vt_none();
        overflow = n == 1 ? vt_bit(a, bits - 1) : vt_none();
    } else {
        r = shifted_right_signed(a, n, bits);
        carry = vt_bit(a, (n < bits ? n : bits) - 1);
        overflow = n == 1 ? vt_all(0) : vt_none();
    }
    r = vt_x86_write(run, 0, r);
    vt_x86_forget_flags(run, VT_AF);
    vt_x86_flags_of(run, r, bits);
    vt_x86_set_flag(run, VT_CF, carry);
    vt_x86_set_flag(run, VT_OF, overflow);
}

enum { ROL, ROR };

static struct vt_trace_bits rotated_left(struct vt_trace_bits a, unsigned n, unsigned bits)
{
    if (n == 0 || n >= bits || bits > 64) {
        return a;
    }
    a = vt_low(a, bits);
    return vt_low(vt_bits(a.value << n | a.value >> (bits - n),
                          a.known << n | (a.known & vt_mask(bits)) >> (bits - n)),
                  bits);
}

static void rotate(struct vt_x86_run *run)
{
    int count = count_of(run, 1);
    if (count_is_special(run, count)) {
        return;
    }
    unsigned bits = bits_of(run), n = (unsigned)count % bits;
    bool left = run->i->kind == ROL;
    struct vt_trace_bits a = vt_x86_read(run, 0);
    struct vt_trace_bits r = rotated_left(a, left ? n : (bits - n) % bits, bits);
    r = vt_x86_write(run, 0, r);
    struct vt_trace_bits top = vt_bit(r, bits - 1);
    struct vt_trace_bits carry = left ? vt_bit(r, 0) : top;
    vt_x86_set_flag(run, VT_CF, carry);
    vt_x86_set_flag(run, VT_OF,
                    count != 1 ? vt_none() : vt_xor(top, left ? carry : vt_bit(r, bits - 2)));
}

/* Bit for bit: they are rare, and the carry is one of what goes round. */
static void rotate_through_carry(struct vt_x86_run *run)
{
    int count = count_of(run, 1);
    if (count_is_special(run, count)) {
        return;
    }
    unsigned bits = bits_of(run), n = (unsigned)count;
    bool left = run->i->kind == ROL;
    struct vt_trace_bits r = vt_x86_read(run, 0), carry = vt_x86_flag(run, VT_CF);
    n = bits < 32 ? n % (bits + 1) : n;
    struct vt_trace_bits overflow = vt_xor(vt_bit(r, bits - 1), carry);
    for (unsigned k = 0; k < n; k++) {
        struct vt_trace_bits out = vt_bit(r, left ? bits - 1 : 0);
        if (left) {
            r = vt_low(vt_or(shifted_left(r, 1), carry), bits);
        } else {
            r = vt_or(shifted_right(r, 1), shifted_left(carry, bits - 1));
        }
        carry = out;
    }
    if (n == 0) {
        leave(run, 0);
        vt_x86_forget_flags(run, VT_OF);
        return;
    }
    r = vt_x86_write(run, 0, r);
    vt_x86_set_flag(run, VT_CF, carry);
    if (left) {
        overflow = vt_xor(vt_bit(r, bits - 1), carry);
    }
    vt_x86_set_flag(run, VT_OF, count == 1 ? overflow : vt_none());
}

static void shift_two(struct vt_x86_run *run)
{
    int count = count_of(run, 2);
    if (count_is_special(run, count)) {
        return;
    }
    unsigned n = (unsigned)count, bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 0), b = vt_x86_read(run, 1), r, carry;
    if (n > bits) {
        vt_x86_write(run, 0, vt_none());
        vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
        return;
    }
    if (run->i->kind == SHL) {
        r = vt_low(vt_or(shifted_left(a, n), shifted_right(b, bits - n)), bits);
        carry = vt_bit(a, bits - n);
    } else {
        r = vt_low(vt_or(shifted_right(a, n), shifted_left(b, bits - n)), bits);
        carry = vt_bit(a, n - 1);
    }
    r = vt_x86_write(run, 0, r);
    vt_x86_forget_flags(run, VT_AF);
    vt_x86_flags_of(run, r, bits);
    vt_x86_set_flag(run, VT_CF, carry);
    vt_x86_set_flag(run, VT_OF,
                    n == 1 ? vt_xor(vt_bit(a, bits - 1), vt_bit(r, bits - 1)) : vt_none());
}

/* shlx, shrx, sarx, rorx: another destination, and no flags. */
enum { SHLX, SHRX, SARX, RORX };

static void shift_without_flags(struct vt_x86_run *run)
{
    int count = count_of(run, 2);
    unsigned n = (unsigned)count, bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 1), r = vt_none();
    if (count >= 0) {
        switch (run->i->kind) {
        case SHLX:
            r = shifted_left(a, n);
            break;
        case SHRX:
            r = shifted_right(a, n);
            break;
        case SARX:
            r = shifted_right_signed(a, n, bits);
            break;
        default:
            r = rotated_left(a, (bits - n) % bits, bits);
        }
    }
    vt_x86_write(run, 0, r);
}

/* ---------------------------------------------------------------- bits */

enum { BT, BTS, BTR, BTC };

/* A register as the bit's number reaches memory beyond the operand. */
static void test_bit(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    const struct vt_x86_operand *o = run->i->o;
    struct vt_trace_bits number = vt_x86_read(run, 1), a;
    bool far = o[0].kind == VT_X86_MEMORY && o[1].kind == VT_X86_REGISTER;
    bool known = vt_is_known(number, far ? bits : 6);
    unsigned n = (unsigned)number.value & (bits - 1);
    struct vt_trace_bits away = vt_none();
    struct vt_x86_memory m = {.recorded = false};
    if (far && known) {
        away = vt_all((uint64_t)(extended(number.value, bits) >> (bits == 16   ? 4
                                                                  : bits == 32 ? 5
                                                                               : 6)) *
                      (bits / 8));
    }
    if (far) {
        m = vt_x86_access(run, false, bits / 8);
        if (m.recorded) {
            vt_x86_address_was(run, m.address, away);
        }
        a = vt_low(m.value[0], bits);
    } else {
        a = vt_x86_read(run, 0);
    }
    struct vt_trace_bits one = known ? vt_all((uint64_t)1 << n) : vt_none(), r = a;
    switch (run->i->kind) {
    case BTS:
        r = known ? vt_or(a, one) : vt_none();
        break;
    case BTR:
        r = known ? vt_and(a, vt_not(one)) : vt_none();
        break;
    case BTC:
        r = known ? vt_xor(a, one) : vt_none();
        break;
    default:
        break;
    }
    if (run->i->kind != BT && far) {
        m = vt_x86_access(run, true, bits / 8);
        if (m.recorded) {
            vt_x86_address_was(run, m.address, away);
            vt_x86_stored(run, &m, 0, r, bits);
        }
    } else if (run->i->kind != BT) {
        vt_x86_write(run, 0, r);
    }
    vt_x86_forget_flags(run, VT_OF | VT_SF | VT_AF | VT_PF);
    vt_x86_set_flag(run, VT_CF, known ? vt_bit(a, n) : vt_none());
}

enum { FORWARD, BACKWARD };

/* Of 0, what the destination holds is not said. */
static void scan(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 1), r = vt_none(), zero = vt_none();
    if (a.value != 0) {
        zero = vt_all(0);
    } else if (vt_is_known(a, 64)) {
        zero = vt_all(1);
    }
    if (a.value != 0 && vt_is_known(a, 64)) {
        r = vt_all((unsigned)(run->i->kind == FORWARD ? __builtin_ctzll(a.value)
                                                      : 63 - __builtin_clzll(a.value)));
    }
    if (r.known == 0 && bits < 64) {
        vt_x86_set_register(run, run->i->o[0].reg, 64, vt_none());
    } else {
        vt_x86_write(run, 0, r);
    }
    vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
    vt_x86_set_flag(run, VT_ZF, zero);
}

/* Where a CPU has them not, tzcnt is bsf, which differs in flags and for 0; lzcnt is bsr. */
static void count_zeros(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 1), r = vt_none();
    bool known = vt_is_known(a, 64);
    if (known && run->i->kind == FORWARD) {
        r = vt_all(a.value == 0 ? bits : (unsigned)__builtin_ctzll(a.value));
    } else if (known) {
        r = vt_all(a.value == 0 ? bits : bits - 64 + (unsigned)__builtin_clzll(a.value));
    }
    vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
    if (run->old_counts) {
        bool sure = known && a.value != 0 && run->i->kind == FORWARD;
        vt_x86_set_register(run, run->i->o[0].reg, sure ? bits : 64, sure ? r : vt_none());
        return;
    }
    r = vt_x86_write(run, 0, r);
    vt_x86_set_flag(run, VT_CF, known ? boolean(a.value == 0) : vt_none());
    vt_x86_set_flag(run, VT_ZF, known ? boolean(r.value == 0) : vt_none());
}

static void count_ones(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_x86_read(run, 1);
    bool known = vt_is_known(a, 64);
    vt_x86_write(run, 0, known ? vt_all((unsigned)__builtin_popcountll(a.value)) : vt_none());
    for (unsigned flag = 1; flag <= VT_OF; flag <<= 1) {
        if ((flag & VT_FLAGS_ARITHMETIC) != 0) {
            vt_x86_set_flag(run, flag, vt_all(0));
        }
    }
    vt_x86_set_flag(run, VT_ZF, known ? boolean(a.value == 0) : vt_none());
}

enum { BLSI, BLSR, BLSMSK };

static void lowest_bit(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run), kind = run->i->kind;
    struct vt_trace_bits a = vt_x86_read(run, 1), r = vt_none();
    bool known = vt_is_known(a, 64);
    if (known) {
        uint64_t v = a.value;
        r = vt_all(kind == BLSI ? v & -v : kind == BLSR ? v & (v - 1) : v ^ (v - 1));
    }
    vt_x86_write(run, 0, r);
    vt_x86_flags_of(run, r, bits);
    vt_x86_forget_flags(run, VT_AF | VT_PF);
    if (kind == BLSMSK) {
        vt_x86_set_flag(run, VT_ZF, vt_all(0));
    }
    vt_x86_set_flag(run, VT_OF, vt_all(0));
    vt_x86_set_flag(run, VT_CF, known ? boolean((a.value == 0) == (kind != BLSI)) : vt_none());
}

static void extract(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_x86_read(run, 1), c = vt_x86_read(run, 2), r = vt_none();
    if (vt_is_known(c, 16)) {
        unsigned start = (unsigned)c.value & 0xff, n = (unsigned)(c.value >> 8) & 0xff;
        r = vt_low(shifted_right(a, start), n);
    }
    vt_x86_write(run, 0, r);
    vt_x86_flags_of(run, r, bits_of(run));
    vt_x86_forget_flags(run, VT_AF | VT_PF | VT_SF);
    vt_x86_set_flag(run, VT_CF, vt_all(0));
    vt_x86_set_flag(run, VT_OF, vt_all(0));
}

static void zero_high(struct vt_x86_run *run)
{
    unsigned bits = bits_of(run);
    struct vt_trace_bits a = vt_x86_read(run, 1), c = vt_x86_read(run, 2), r = vt_none();
    bool known = vt_is_known(c, 8);
    unsigned n = (unsigned)c.value & 0xff;
    r = known ? vt_low(a, n) : r;
    vt_x86_write(run, 0, r);
    vt_x86_flags_of(run, r, bits);
    vt_x86_forget_flags(run, VT_AF | VT_PF);
    vt_x86_set_flag(run, VT_CF, known ? boolean(n >= bits) : vt_none());
    vt_x86_set_flag(run, VT_OF, vt_all(0));
}

enum { DEPOSIT, GATHER };

static void scatter(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_x86_read(run, 1), mask = vt_x86_read(run, 2), r = vt_none();
    if (vt_is_known(a, 64) && vt_is_known(mask, 64)) {
        uint64_t out = 0, m = mask.value;
        for (unsigned k = 0; m != 0; k++, m &= m - 1) {
            unsigned at = (unsigned)__builtin_ctzll(m);
            bool set = (a.value >> (run->i->kind == DEPOSIT ? k : at) & 1) != 0;
            out |= (uint64_t)set << (run->i->kind == DEPOSIT ? at : k);
        }
        r = vt_all(out);
    }
    vt_x86_write(run, 0, r);
}

/* The polynomial of Castagnoli, its bits reversed. */
static void checksum(struct vt_x86_run *run)
{
    struct vt_trace_bits a = vt_low(vt_x86_read(run, 0), 32), b = vt_x86_read(run, 1);
    uint32_t crc = (uint32_t)a.value;
    for (unsigned k = 0; k < run->i->o[1].bits; k++) {
        uint32_t bit = (crc ^ (uint32_t)(b.value >> k)) & 1;
        crc = crc >> 1 ^ (bit != 0 ? 0x82f63b78U : 0);
    }
    /* An immediate of its own size is never read here: operand 1 is a register or memory. */
    bool known = vt_is_known(a, 32) && vt_is_known(b, run->i->o[1].bits);
    vt_x86_write(run, 0, known ? vt_all(crc) : vt_bits(0, ~(uint64_t)UINT32_MAX));
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_x86_semantics vt_x86_arithmetic[] = {
    {M(ADD), add, WITHOUT_CARRY, 0, false},
    {M(ADC), add, WITH_CARRY, 0, false},
    {M(SUB), subtract, WITHOUT_CARRY, 0, false},
    {M(SBB), subtract, WITH_CARRY, 0, false},
    {M(CMP), compare, 0, 0, false},
    {M(INC), increment, 0, 0, false},
    {M(DEC), decrement, 0, 0, false},
    {M(NEG), negate, 0, 0, false},
    {M(XADD), exchange_and_add, 0, 0, false},
    {M(ADCX), add_with_one_flag, 0, 0, false},
    {M(ADOX), add_with_one_flag, 1, 0, false},
    {M(CMPXCHG), compare_and_exchange, 0, 0, false},
    {M(CMPXCHG8B), compare_and_exchange_two, 0, 0, false},
    {M(CMPXCHG16B), compare_and_exchange_two, 0, 0, false},

    {M(AND), logic, AND, 0, false},
    {M(OR), logic, OR, 0, false},
    {M(XOR), logic, XOR, 0, false},
    {M(TEST), logic, TEST, 0, false},
    {M(ANDN), logic, ANDN, 0, false},
    {M(NOT), complement, 0, 0, false},

    {M(MUL), multiply, UNSIGNED, 0, false},
    {M(IMUL), multiply, SIGNED, 0, false},
    {M(MULX), multiply_without_flags, 0, 0, false},
    {M(DIV), divide, UNSIGNED, 0, false},
    {M(IDIV), divide, SIGNED, 0, false},

    {M(SHL), shift, SHL, 0, false},
    {M(SHR), shift, SHR, 0, false},
    {M(SAR), shift, SAR, 0, false},
    {M(ROL), rotate, ROL, 0, false},
    {M(ROR), rotate, ROR, 0, false},
    {M(RCL), rotate_through_carry, ROL, 0, false},
    {M(RCR), rotate_through_carry, ROR, 0, false},
    {M(SHLD), shift_two, SHL, 0, false},
    {M(SHRD), shift_two, SHR, 0, false},
    {M(SHLX), shift_without_flags, SHLX, 0, false},
    {M(SHRX), shift_without_flags, SHRX, 0, false},
    {M(SARX), shift_without_flags, SARX, 0, false},
    {M(RORX), shift_without_flags, RORX, 0, false},

    {M(BT), test_bit, BT, 0, false},
    {M(BTS), test_bit, BTS, 0, false},
    {M(BTR), test_bit, BTR, 0, false},
    {M(BTC), test_bit, BTC, 0, false},
    {M(BSF), scan, FORWARD, 0, false},
    {M(BSR), scan, BACKWARD, 0, false},
    {M(TZCNT), count_zeros, FORWARD, 0, false},
    {M(LZCNT), count_zeros, BACKWARD, 0, false},
    {M(POPCNT), count_ones, 0, 0, false},
    {M(BLSI), lowest_bit, BLSI, 0, false},
    {M(BLSR), lowest_bit, BLSR, 0, false},
    {M(BLSMSK), lowest_bit, BLSMSK, 0, false},
    {M(BEXTR), extract, 0, 0, false},
    {M(BZHI), zero_high, 0, 0, false},
    {M(PDEP), scatter, DEPOSIT, 0, false},
    {M(PEXT), scatter, GATHER, 0, false},
    {M(CRC32), checksum, 0, 0, false},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0, false},
};
