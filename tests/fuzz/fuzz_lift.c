/* tests/fuzz/fuzz_lift.c - any code, lifted twice: once over symbols, once over numbers, which
 * folds as it goes. Both mean the same, before and after symbols are replaced; what is refused says
 * why; nothing is read past the end.
 */
#include "tests/fuzz/fuzz.h"

#include "synth/lift.h"

#include <string.h>

#define INSTRUCTIONS 40U
#define SYMBOLS 4096U

struct side {
    struct vt_terms *t;
    struct vt_lift_state s;
    struct vt_lift_memory memory;
    const uint64_t *seed;
    uint64_t stored; /**< of all that was stored and where, a digest */
    uint64_t value[SYMBOLS];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
    return a ^ a >> 29;
}

static uint64_t value_of(void *arg, vt_term symbol)
{
    const struct side *side = arg;
    const struct vt_term_node *n = vt_term_node(side->t, symbol);
    return n->kind == VT_TERM_SYMBOL ? side->value[n->imm] : 0;
}

static uint64_t evaluate(struct side *side, vt_term term)
{
    return vt_term_evaluate(side->t, term, value_of, side);
}

/* What is in memory depends on the address alone. */
static vt_term load(void *arg, vt_term address, unsigned bytes)
{
    struct side *side = arg;
    vt_term symbol = vt_term_symbol(side->t, bytes * 8, "load");
    uint64_t value = mix(evaluate(side, address), *side->seed);
    if (symbol == 0 || vt_term_node(side->t, symbol)->imm >= SYMBOLS) {
        return 0;
    }
    side->value[vt_term_node(side->t, symbol)->imm] = value;
    return symbol;
}

static vt_term load_number(void *arg, vt_term address, unsigned bytes)
{
    struct side *side = arg;
    return vt_term_const(side->t, bytes * 8, mix(evaluate(side, address), *side->seed));
}

static bool store(void *arg, vt_term address, vt_term value)
{
    struct side *side = arg;
    side->stored = mix(mix(side->stored, evaluate(side, address)), evaluate(side, value));
    return vt_term_bits(side->t, value) % 8 == 0;
}

/* Each term of a state, one after the other. */
static vt_term *term_of(struct vt_lift_state *s, unsigned i)
{
    return i < 16   ? &s->r[i]
           : i < 22 ? &s->flag[i - 16]
           : i < 86 ? &s->xmm[(i - 22) / 4][(i - 22) % 4]
           : i < 87 ? &s->fs_base
                    : &s->gs_base;
}
#define TERMS 88U

static void give(struct side *side, vt_term symbol, uint64_t value)
{
    side->value[vt_term_node(side->t, symbol)->imm] = value;
}

/* With numbers in the place of the first state's symbols. */
static void replace(struct side *side, struct vt_lift_state *first)
{
    vt_term from[TERMS], to[TERMS];
    for (unsigned i = 0; i < TERMS; i++) {
        from[i] = *term_of(first, i);
        to[i] = vt_term_const(side->t, vt_term_bits(side->t, from[i]), evaluate(side, from[i]));
    }
    for (unsigned i = 0; i < TERMS; i++) {
        vt_term term = *term_of(&side->s, i);
        vt_term replaced = vt_term_substitute(side->t, term, from, to, TERMS);
        FUZZ_CHECK(evaluate(side, replaced) == evaluate(side, term));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct side a, b;
    uint64_t seed = count;
    for (size_t i = 0; i < count; i++) {
        seed = mix(seed, bytes[i]);
    }
    a = b = (struct side){.seed = &seed};
    a.t = vt_terms_create();
    b.t = vt_terms_create();
    FUZZ_CHECK(a.t != NULL && b.t != NULL);
    a.memory = (struct vt_lift_memory){.load = load, .store = store, .arg = &a};
    b.memory = (struct vt_lift_memory){.load = load_number, .store = store, .arg = &b};
    struct vt_lifter of_a, of_b;
    vt_lifter_init(&of_a, a.t);
    vt_lifter_init(&of_b, b.t);
    of_a.counts_zeros = of_b.counts_zeros = (count & 1) != 0;
    vt_lift_symbols(a.t, &a.s);
    struct vt_lift_state first = a.s;
    for (unsigned i = 0; i < TERMS; i++) {
        vt_term symbol = *term_of(&a.s, i);
        unsigned bits = vt_term_bits(a.t, symbol);
        uint64_t value = mix(i, seed);
        give(&a, symbol, bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value);
        *term_of(&b.s, i) = vt_term_const(b.t, bits, value);
    }
    size_t at = 0;
    for (unsigned n = 0; n < INSTRUCTIONS && at < count; n++) {
        struct vt_lifted x, y;
        struct vt_error err = {0};
        uint8_t code[15];
        size_t left = count - at < sizeof code ? count - at : sizeof code;
        memcpy(code, bytes + at, left);
        struct vt_lift_state was = a.s;
        int rc = vt_lift(&of_a, &a.s, &a.memory, 0x1000 + at, code, left, &x, &err);
        if (rc != 0) {
            FUZZ_CHECK(err.message[0] != '\0' &&
                       (rc == VT_E_UNSUPPORTED || rc == VT_E_CORRUPT || rc == VT_E_NOMEM));
            a.s = was;
            a.stored = b.stored; /* what it did before it was refused */
            break;
        }
        /* Numbers are never refused where symbols are not. */
        FUZZ_CHECK(vt_lift(&of_b, &b.s, &b.memory, 0x1000 + at, code, left, &y, &err) == 0);
        FUZZ_CHECK(x.bytes == y.bytes && x.way == y.way && x.target == y.target &&
                   x.registers == y.registers);
        /* A shift by a count that is known may leave flags alone. */
        FUZZ_CHECK((y.flags_written & ~x.flags_written) == 0);
        FUZZ_CHECK(evaluate(&a, x.taken) == evaluate(&b, y.taken));
        FUZZ_CHECK(evaluate(&a, x.must) == evaluate(&b, y.must));
        FUZZ_CHECK(evaluate(&a, x.aligned) == evaluate(&b, y.aligned));
        at += x.bytes;
        for (unsigned i = 0; i < TERMS; i++) {
            FUZZ_CHECK(evaluate(&a, *term_of(&a.s, i)) == evaluate(&b, *term_of(&b.s, i)));
        }
    }
    FUZZ_CHECK(a.stored == b.stored);
    replace(&a, &first);
    vt_terms_destroy(a.t);
    vt_terms_destroy(b.t);
    return 0;
}
