/* trace/registers_strings.c - semantics of string instructions, with and without rep. See
 * registers.h.
 *
 * How many rounds there were is seen from what was recorded: QEMU does some of them in one
 * execution of the instruction and comes back for the others.
 *
 * Source: Intel SDM volume 2.
 */
#include "trace/registers.h"

struct string {
    unsigned bytes;
    uint32_t rounds;
    struct vt_trace_bits direction; /* DF */
};

/* A pointer was at `first` in the first round and at `last` in the last. */
static void follow(struct vt_x86_run *run, struct string *s, unsigned reg, uint64_t first,
                   uint64_t last, bool told)
{
    struct vt_trace_bits *r = &run->s->cpu.r[reg];
    unsigned bits = run->i->address;
    if (told && run->i->mode == 64 && bits == 64) {
        vt_x86_register_was(run, reg, first, 64);
    }
    if (told && s->rounds > 1 && (s->direction.known & 1) == 0 &&
        (last - first == (s->rounds - 1) * (uint64_t)s->bytes ||
         first - last == (s->rounds - 1) * (uint64_t)s->bytes)) {
        s->direction = vt_all(last < first);
    }
    uint64_t by = s->rounds * (uint64_t)s->bytes;
    if (told && s->rounds > 1 && (s->direction.known & 1) != 0) {
        run->disagrees |= (s->direction.value & 1) != 0 ? first - last != by - s->bytes
                                                        : last - first != by - s->bytes;
    }
    if (bits != 64 || (s->direction.known & 1) == 0) {
        *r = vt_none();
    } else {
        *r = vt_sum(*r, vt_all((s->direction.value & 1) != 0 ? -by : by), vt_all(0));
    }
}

/* The addresses of the recorded loads or stores, first and last; how many: rounds. */
static uint32_t spread(const struct vt_x86_run *run, const struct string *s, bool store,
                       uint64_t *first, uint64_t *last)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < run->n_accesses; i++) {
        const struct vt_trace_access *a = &run->accesses[i];
        if (a->store == store && a->bytes == s->bytes) {
            *first = n == 0 ? a->address : *first;
            *last = a->address;
            n++;
        }
    }
    return n;
}

static void forget_string(struct vt_x86_run *run, bool rsi, bool rdi)
{
    if (rsi) {
        run->s->cpu.r[VT_TRACE_RSI] = vt_none();
    }
    if (rdi) {
        run->s->cpu.r[VT_TRACE_RDI] = vt_none();
    }
    if (run->i->repeat != 0) {
        run->s->cpu.r[VT_TRACE_RCX] = vt_none();
    }
    vt_x86_forget_flags(run, run->i->flags);
}

/* Counts the rounds off; false: nothing says how many there were, or there was none. */
static bool count_rounds(struct vt_x86_run *run, struct string *s, bool rsi, bool rdi)
{
    unsigned bits = run->i->address;
    struct vt_trace_bits rcx = vt_x86_register(run, VT_TRACE_RCX, bits);
    s->direction = vt_x86_flag(run, VT_DF);
    if (run->i->repeat == 0) {
        s->rounds = 1;
        return true;
    }
    if (s->rounds == 0) {
        if (!run->partly && (!vt_is_known(rcx, 64) || rcx.value != 0)) {
            forget_string(run, rsi, rdi);
        }
        return false;
    }
    if (bits != 64) {
        forget_string(run, rsi, rdi);
        return false;
    }
    run->disagrees |= vt_is_known(rcx, 64) && rcx.value < s->rounds;
    vt_x86_set_register(run, VT_TRACE_RCX, bits, vt_difference(rcx, vt_all(s->rounds), vt_all(0)));
    return true;
}

static void learn_direction(struct vt_x86_run *run, const struct string *s)
{
    vt_x86_set_flag(run, VT_DF, s->direction);
}

/* Addresses of rsi are in a segment that can be another one. */
static bool plain_source(const struct vt_x86_run *run)
{
    return run->i->segment == VT_X86_NO_REGISTER;
}

static void move_string(struct vt_x86_run *run)
{
    struct string s = {.bytes = run->i->kind};
    uint64_t from = 0, from_last = 0, to = 0, to_last = 0;
    uint32_t loads = spread(run, &s, false, &from, &from_last);
    uint32_t stores = spread(run, &s, true, &to, &to_last);
    s.rounds = stores;
    if (!count_rounds(run, &s, true, true)) {
        return;
    }
    /* A load whose store failed is of no round. */
    bool whole = loads == stores && loads != 0;
    follow(run, &s, VT_TRACE_RDI, to, to_last, stores != 0);
    follow(run, &s, VT_TRACE_RSI, from, whole ? from_last : from, whole && plain_source(run));
    learn_direction(run, &s);
}

static void store_string(struct vt_x86_run *run)
{
    struct string s = {.bytes = run->i->kind};
    uint64_t to = 0, last = 0;
    unsigned bits = run->i->kind * 8U;
    uint32_t stores = s.rounds = spread(run, &s, true, &to, &last);
    if (!count_rounds(run, &s, false, true)) {
        return;
    }
    if (stores != 0) {
        struct vt_x86_memory m = vt_x86_access(run, true, s.bytes);
        struct vt_trace_bits value =
            vt_x86_stored(run, &m, 0, vt_x86_register(run, VT_TRACE_RAX, bits), bits);
        struct vt_trace_bits *rax = &run->s->cpu.r[VT_TRACE_RAX];
        uint64_t fresh = value.known & vt_mask(bits) & ~rax->known;
        *rax = vt_bits(rax->value | (value.value & fresh), rax->known | fresh);
    }
    follow(run, &s, VT_TRACE_RDI, to, last, stores != 0);
    learn_direction(run, &s);
}

static void load_string(struct vt_x86_run *run)
{
    struct string s = {.bytes = run->i->kind};
    uint64_t from = 0, last = 0;
    uint32_t loads = s.rounds = spread(run, &s, false, &from, &last);
    if (!count_rounds(run, &s, true, false)) {
        return;
    }
    struct vt_trace_bits value = vt_none();
    for (uint32_t i = 0; i < loads; i++) {
        value = vt_x86_access(run, false, s.bytes).value[0];
    }
    vt_x86_set_register(run, VT_TRACE_RAX, s.bytes * 8, value);
    follow(run, &s, VT_TRACE_RSI, from, last, loads != 0 && plain_source(run));
    learn_direction(run, &s);
}

static void compare_flags(struct vt_x86_run *run, struct vt_trace_bits a, struct vt_trace_bits b,
                          unsigned bits)
{
    struct vt_trace_bits r = vt_difference(a, b, vt_all(0));
    struct vt_trace_bits x = vt_bit(a, bits - 1), y = vt_bit(b, bits - 1), z = vt_bit(r, bits - 1);
    bool known = vt_is_known(a, bits) && vt_is_known(b, bits);
    vt_x86_set_flag(run, VT_CF,
                    known ? vt_all(vt_low(a, bits).value < vt_low(b, bits).value) : vt_none());
    vt_x86_set_flag(run, VT_OF, vt_and(vt_xor(x, y), vt_xor(x, z)));
    vt_x86_set_flag(run, VT_AF, vt_bit(vt_xor(vt_xor(a, b), r), 4));
    vt_x86_flags_of(run, r, bits);
    if (run->partly) {
        vt_x86_forget_flags(run, VT_FLAGS_ARITHMETIC);
    }
}

static void scan_string(struct vt_x86_run *run)
{
    struct string s = {.bytes = run->i->kind};
    uint64_t at = 0, last = 0;
    uint32_t loads = s.rounds = spread(run, &s, false, &at, &last);
    if (!count_rounds(run, &s, false, true)) {
        return;
    }
    struct vt_trace_bits value = vt_none();
    for (uint32_t i = 0; i < loads; i++) {
        value = vt_x86_access(run, false, s.bytes).value[0];
    }
    follow(run, &s, VT_TRACE_RDI, at, last, loads != 0);
    learn_direction(run, &s);
    compare_flags(run, vt_x86_register(run, VT_TRACE_RAX, s.bytes * 8), value, s.bytes * 8);
}

/* Which of a round's two loads is rsi's, is seen when one of the registers is known. */
static void compare_strings(struct vt_x86_run *run)
{
    struct string s = {.bytes = run->i->kind};
    uint64_t first = 0, last = 0;
    uint32_t loads = spread(run, &s, false, &first, &last);
    s.rounds = loads / 2;
    if (!count_rounds(run, &s, true, true)) {
        return;
    }
    struct vt_x86_memory begin[2] = {{0}}, end[2] = {{0}};
    for (uint32_t i = 0; i < s.rounds && loads >= 2; i++) {
        end[0] = vt_x86_access(run, false, s.bytes);
        end[1] = vt_x86_access(run, false, s.bytes);
        if (i == 0) {
            begin[0] = end[0];
            begin[1] = end[1];
        }
    }
    struct vt_trace_bits rsi = run->s->cpu.r[VT_TRACE_RSI], rdi = run->s->cpu.r[VT_TRACE_RDI];
    int source = -1;
    if (begin[1].recorded && plain_source(run) && vt_is_known(rsi, 64)) {
        source = rsi.value == begin[0].address ? 0 : rsi.value == begin[1].address ? 1 : -1;
    } else if (begin[1].recorded && vt_is_known(rdi, 64)) {
        source = rdi.value == begin[0].address ? 1 : rdi.value == begin[1].address ? 0 : -1;
    }
    if (source < 0) {
        forget_string(run, true, true);
        return;
    }
    follow(run, &s, VT_TRACE_RDI, begin[!source].address, end[!source].address, true);
    follow(run, &s, VT_TRACE_RSI, begin[source].address, end[source].address, plain_source(run));
    learn_direction(run, &s);
    compare_flags(run, vt_low(end[source].value[0], s.bytes * 8),
                  vt_low(end[!source].value[0], s.bytes * 8), s.bytes * 8);
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_x86_semantics vt_x86_strings[] = {
    {M(MOVSB), move_string, 1, 0, true},         {M(MOVSW), move_string, 2, 0, true},
    {M(MOVSD), move_string, 4, 0, true},         {M(MOVSQ), move_string, 8, 0, true},
    {M(STOSB), store_string, 1, 0, true},        {M(STOSW), store_string, 2, 0, true},
    {M(STOSD), store_string, 4, 0, true},        {M(STOSQ), store_string, 8, 0, true},
    {M(LODSB), load_string, 1, 0, true},         {M(LODSW), load_string, 2, 0, true},
    {M(LODSD), load_string, 4, 0, true},         {M(LODSQ), load_string, 8, 0, true},
    {M(SCASB), scan_string, 1, 0, true},         {M(SCASW), scan_string, 2, 0, true},
    {M(SCASD), scan_string, 4, 0, true},         {M(SCASQ), scan_string, 8, 0, true},
    {M(CMPSB), compare_strings, 1, 0, true},     {M(CMPSW), compare_strings, 2, 0, true},
    {M(CMPSD), compare_strings, 4, 0, true},     {M(CMPSQ), compare_strings, 8, 0, true},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0, false},
};
