/* What lifted instructions say, against the processor that runs this test: every form of them,
 * random states each, with all registers, flags, vectors and memory compared. Terms are made once
 * an instruction and evaluated for each state. What is havoc is left out, and counted.
 */
#include "tests/unit/harness.h"

#include "synth/lift.h"
#include "tests/unit/synth/lift_forms.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define VARIANTS 3U
#define STATES 60U
#else
#define VARIANTS 10U /* registers and immediates of a form */
#define STATES 300U  /* of a variant */
#endif

#define M(name) ZYDIS_MNEMONIC_##name

/* One after the other: what a later one relies on, and what has rsp in its address. */
static const struct {
    const char *bytes;
    unsigned n;
} rows[] = {
    {"\x31\xd2\x48\xf7\xf1", 5},             /* xor edx, edx; div rcx */
    {"\x48\x99\x48\xf7\xfb", 5},             /* cqo; idiv rbx */
    {"\x48\x99\x49\xf7\xf9", 5},             /* cqo; idiv r9 */
    {"\xff\x74\x24\x08", 4},                 /* push [rsp + 8] */
    {"\x8f\x44\x24\x08", 4},                 /* pop [rsp + 8] */
    {"\x54", 1},                             /* push rsp */
    {"\x5c", 1},                             /* pop rsp */
    {"\x48\x8b\x44\x24\xf0", 5},             /* mov rax, [rsp - 16] */
    {"\x50\x48\x8b\x04\x24\x5b", 6},         /* push rax; mov rax, [rsp]; pop rbx */
    {"\xb4\x05\x00\xc4\x0f\xb7\xc0", 7},     /* mov ah, 5; add ah, al; movzx eax, ax */
    {"\x39\xc8\x0f\x9c\xc0\x0f\xb6\xc0", 8}, /* cmp eax, ecx; setl al; movzx eax, al */
    {"\x48\xff\xc9\x0f\x4c\xc2", 6},         /* dec rcx; cmovl eax, edx */
    {"\x3c\x01\x0f\x46\xc2", 5},             /* cmp al, 1; cmovbe eax, edx */
    {"\x48\xd1\xe0\x48\xd1\xd2", 6},         /* shl rax, 1; rcl rdx, 1 */
    {"\x48\x01\xc8\x48\x11\xda", 6},         /* add rax, rcx; adc rdx, rbx */
    {"\x48\x29\xc8\x48\x19\xda\x19\xf6", 8}, /* sub rax, rcx; sbb rdx, rbx; sbb esi, esi */
    {"\xf3\x0f\x1e\xfa\x90\x0f\x18\x08", 8}, /* endbr64; nop; prefetcht0 [rax] */
    {"\x65\xac", 2},                         /* gs lodsb */
    {"\x65\x48\xa7", 3},                     /* gs cmpsq */
    {"\x65\xa5", 2},                         /* gs movsd */
    {"\xf0\x0f\xc1\x11", 4},                 /* lock xadd [rcx], edx */
    {"\xf0\x48\x0f\xb1\x0a", 5},             /* lock cmpxchg [rdx], rcx */
    {"\xf0\x0f\xab\x01", 4},                 /* lock bts [rcx], eax */
    {"\xf0\x83\x00\x01", 4},                 /* lock add dword ptr [rax], 1 */
    {"\x66\x0f\x70\xc0\x93\x66\x0f\x70\xc0\x39\x66\x0f\xfe\xc1", 14}, /* pshufd twice; paddd */
};

/* ---- an instruction, or a row of them, in terms */

#define ACCESSES 16U
#define SYMBOLS 256U

struct access {
    bool store;
    vt_term address, value;
    unsigned bytes;
};

struct lifted {
    struct vt_terms *t;
    struct vt_lifter l;
    struct vt_lift_state before, after;
    struct vt_lifted out;
    struct access access[ACCESSES];
    unsigned n;
    vt_term must;
    /* What its registers are to be made of. */
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    const uint8_t *code;
    size_t bytes;
    bool alone;
    unsigned long long havoc_flags, flags;
};

static vt_term load(void *arg, vt_term address, unsigned bytes)
{
    struct lifted *x = arg;
    assert_true(x->n < ACCESSES);
    vt_term value = vt_term_symbol(x->t, bytes * 8, "load");
    x->access[x->n++] = (struct access){false, address, value, bytes};
    return value;
}

static bool store(void *arg, vt_term address, vt_term value)
{
    struct lifted *x = arg;
    assert_true(x->n < ACCESSES);
    x->access[x->n++] = (struct access){true, address, value, vt_term_bits(x->t, value) / 8};
    return true;
}

static int lift(struct lifted *x, const uint8_t *code, size_t bytes, struct vt_error *err)
{
    memset(x, 0, sizeof *x);
    x->t = vt_terms_create();
    assert_non_null(x->t);
    x->code = code;
    x->bytes = bytes;
    vt_lifter_init(&x->l, x->t);
    x->l.counts_zeros = true;
    vt_lift_symbols(x->t, &x->before);
    x->after = x->before;
    struct vt_lift_memory memory = {.load = load, .store = store, .arg = x};
    size_t at = 0;
    while (at < bytes) {
        int rc = vt_lift(&x->l, &x->after, &memory, (uintptr_t)vt_native_page + at, code + at,
                         bytes - at, &x->out, err);
        if (rc != 0) {
            return rc;
        }
        assert_true(ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&x->l.decoder, code + at, bytes - at, &x->insn, x->o)));
        x->must = x->out.must;
        at += x->out.bytes;
        assert_int_equal(x->out.next, (uintptr_t)vt_native_page + at);
    }
    assert_int_equal(at, bytes);
    x->alone = x->out.bytes == bytes;
    return 0;
}

/* ---- a state */

struct valuation {
    const struct lifted *x;
    uint64_t value[SYMBOLS];
    uint64_t havoc;
};

static uint64_t value_of(void *arg, vt_term symbol)
{
    const struct valuation *v = arg;
    const struct vt_term_node *n = vt_term_node(v->x->t, symbol);
    if (n->kind == VT_TERM_SYMBOL) {
        return v->value[n->imm];
    }
    return v->havoc < 2 ? 0 - v->havoc : (n->imm + 1) * v->havoc; /* 0, all ones, any */
}

static uint64_t evaluate(struct valuation *v, vt_term term)
{
    return vt_term_evaluate(v->x->t, term, value_of, v);
}

/* The bits of it that no havoc changes; *value has them. */
static uint64_t defined(struct valuation *v, vt_term term, uint64_t *value)
{
    uint64_t changed = 0;
    v->havoc = 0;
    *value = evaluate(v, term);
    if (vt_term_node(v->x->t, term)->kind != VT_TERM_SYMBOL) {
        static const uint64_t others[] = {1, UINT64_C(0x9e3779b97f4a7c15)};
        for (unsigned i = 0; i < 2; i++) {
            v->havoc = others[i];
            changed |= *value ^ evaluate(v, term);
        }
        v->havoc = 0;
    }
    return ~changed;
}

static void give(struct valuation *v, vt_term symbol, uint64_t value)
{
    uint64_t number = vt_term_node(v->x->t, symbol)->imm;
    assert_true(number < SYMBOLS);
    v->value[number] = value;
}

static const unsigned flag_bits[VT_LIFT_FLAGS] = {0, 2, 4, 6, 7, 11};

static void give_state(struct valuation *v)
{
    const struct vt_lift_state *s = &v->x->before;
    for (unsigned i = 0; i < 16; i++) {
        give(v, s->r[i], vt_native.r[i]);
        for (unsigned half = 0; half < 4; half++) {
            give(v, s->xmm[i][half], vt_native.xmm[i][half]);
        }
    }
    for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
        give(v, s->flag[i], vt_native.flags >> flag_bits[i] & 1);
    }
    give(v, s->fs_base, 0);
    give(v, s->gs_base, VT_NATIVE_GS_BASE);
}

/* ---- memory */

#define ZONE_BYTES 4096U

static uint8_t *zone(void)
{
    return vt_native_scratch + VT_NATIVE_SCRATCH_BYTES / 2;
}

static uint64_t somewhere(void)
{
    return (uintptr_t)zone() + 1024 + vt_any() % 1024;
}

static int number_of(ZydisRegister reg)
{
    ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    return reg != ZYDIS_REGISTER_NONE ? (int)(full - ZYDIS_REGISTER_RAX) : -1;
}

/* What says which bit of memory is meant; or -1. */
static int bit_register(const ZydisDecodedOperand *o, const ZydisDecodedInstruction *insn)
{
    bool bits = insn->mnemonic == M(BT) || insn->mnemonic == M(BTS) || insn->mnemonic == M(BTR) ||
                insn->mnemonic == M(BTC);
    return bits && o[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
                   o[1].type == ZYDIS_OPERAND_TYPE_REGISTER
               ? number_of(o[1].reg.value)
               : -1;
}

/* Registers, so that the memory operand is in the zone. */
static void arrange(const struct lifted *x)
{
    uint64_t *r = vt_native.r;
    r[4] = somewhere();
    if (x->insn.mnemonic == M(LEAVE)) {
        r[5] = somewhere();
    }
    if (bit_register(x->o, &x->insn) >= 0) {
        r[bit_register(x->o, &x->insn)] = vt_any() % 16000 - 8000;
    }
    for (unsigned k = 0; k < x->insn.operand_count; k++) {
        const ZydisDecodedOperand *o = &x->o[k];
        int base = number_of(o->mem.base), index = number_of(o->mem.index);
        if (o->type != ZYDIS_OPERAND_TYPE_MEMORY || base == 4 ||
            o->mem.type != ZYDIS_MEMOP_TYPE_MEM) {
            continue;
        }
        bool locked =
            x->insn.mnemonic == M(XCHG) || (x->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
        /* A locked access across cache lines is one that systems may stop. */
        uint64_t at = x->out.alignment != 0 || locked ? somewhere() & ~(uint64_t)31 : somewhere();
        uint64_t garbage = x->insn.address_width == 32 ? vt_any() << 32 : 0, away = 0;
        if (index >= 0) {
            r[index] = vt_any() % 64;
            away = r[index] * (o->mem.scale != 0 ? o->mem.scale : 1); /* 0: xlat's */
            r[index] += garbage;
        }
        at -= o->mem.segment == ZYDIS_REGISTER_GS ? VT_NATIVE_GS_BASE : 0;
        r[base] = at - (uint64_t)o->mem.disp.value - away;
        if (x->insn.address_width == 32) {
            r[base] = (uint32_t)r[base] + garbage;
        }
    }
}

static uint8_t *place_of(struct valuation *v, const struct access *a)
{
    uint8_t *at = (uint8_t *)(uintptr_t)evaluate(v, a->address);
    assert_true(at >= zone() && at + a->bytes <= zone() + ZONE_BYTES);
    return at;
}

/* Random bytes where it looks; for a return, the address of what a jump leads to. */
static void fill(struct valuation *v)
{
    uint64_t taken = (uintptr_t)vt_native_page + v->x->bytes + VT_NATIVE_TAKEN;
    for (unsigned i = 0; i < v->x->n; i++) {
        uint64_t value = vt_number();
        value = v->x->out.way == VT_LIFT_RETURN ? taken : value;
        memcpy(place_of(v, &v->x->access[i]), &value, v->x->access[i].bytes);
    }
}

/* Symbols of loads are what is there; but for a load of what was stored just before. */
static void give_loads(struct valuation *v)
{
    for (unsigned i = 0; i < v->x->n; i++) {
        const struct access *a = &v->x->access[i];
        uint64_t value = 0;
        if (!a->store) {
            memcpy(&value, place_of(v, a), a->bytes);
            for (unsigned k = 0; k < i; k++) {
                const struct access *s = &v->x->access[k];
                if (s->store && place_of(v, s) == place_of(v, a) && s->bytes == a->bytes) {
                    value = evaluate(v, s->value);
                }
            }
            give(v, a->value, value);
        }
    }
}

/* ---- comparing */

static _Noreturn void differ(const struct lifted *x, const char *what, unsigned which, uint64_t is,
                             uint64_t said)
{
    print_message("%s, %u bits:", ZydisMnemonicGetString(x->insn.mnemonic), x->insn.operand_width);
    for (size_t i = 0; i < x->bytes; i++) {
        print_message(" %02x", x->code[i]);
    }
    print_message("\n%s %u is 0x%llx, said to be 0x%llx\n", what, which, (unsigned long long)is,
                  (unsigned long long)said);
    fail();
    abort();
}

static void compare(struct lifted *x, const char *what, unsigned which, struct valuation *v,
                    vt_term term, uint64_t is)
{
    uint64_t said, mask = defined(v, term, &said);
    if (((is ^ said) & mask) != 0) {
        differ(x, what, which, is, said);
    }
}

static void compare_memory(struct lifted *x, struct valuation *v, uint8_t *expected)
{
    for (unsigned i = 0; i < x->n; i++) {
        const struct access *a = &x->access[i];
        if (a->store) {
            uint64_t value, mask = defined(v, a->value, &value);
            uint8_t *at = (uint8_t *)(uintptr_t)evaluate(v, a->address);
            if (a->bytes < 8) {
                mask |= UINT64_MAX << 8 * a->bytes;
            }
            if (mask != UINT64_MAX) { /* what it really is */
                uint64_t is = 0;
                memcpy(&is, at, a->bytes);
                value = (value & mask) | (is & ~mask);
            }
            memcpy(expected + (at - zone()), &value, a->bytes);
        }
    }
    if (memcmp(expected, zone(), ZONE_BYTES) != 0) {
        unsigned at = 0;
        while (expected[at] == zone()[at]) {
            at++;
        }
        differ(x, "memory", at, zone()[at], expected[at]);
    }
}

/* `only`: of flags, these. */
static void compare_all(struct lifted *x, struct valuation *v, uint8_t *expected, unsigned only)
{
    for (unsigned i = 0; i < 16; i++) {
        compare(x, "register", i, v, x->after.r[i], vt_native.r[i]);
        for (unsigned half = 0; half < (vt_native_wide != 0 ? 4U : 2U); half++) {
            static const char *const names[] = {"xmm.low", "xmm.high", "ymm.low", "ymm.high"};
            compare(x, names[half], i, v, x->after.xmm[i][half], vt_native.xmm[i][half]);
        }
    }
    for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
        uint64_t said, is = vt_native.flags >> flag_bits[i] & 1;
        if ((only >> i & 1) != 0) {
            bool known = (defined(v, x->after.flag[i], &said) & 1) != 0;
            x->flags++;
            x->havoc_flags += !known;
            if (known && said != is) {
                differ(x, "flag", i, is, said);
            }
        }
    }
    compare_memory(x, v, expected);
    uint64_t taken =
        x->out.way == VT_LIFT_CONDITIONAL ? evaluate(v, x->out.taken)
        : x->out.way == VT_LIFT_RETURN
            ? evaluate(v, x->out.returns) == (uintptr_t)vt_native_page + x->bytes + VT_NATIVE_TAKEN
            : x->out.way == VT_LIFT_JUMP;
    if (taken != vt_native.taken) {
        differ(x, "jump", 0, vt_native.taken, taken);
    }
}

/* 1: it was run. */
static unsigned try_state(struct lifted *x)
{
    static uint8_t expected[ZONE_BYTES], filled[ZONE_BYTES];
    static struct valuation v;
    const uint64_t all = 0x8d5;
    v.x = x;
    v.havoc = 0;
    for (unsigned i = 0; i < 16; i++) {
        vt_native.r[i] = vt_number();
        vt_native.xmm[i][0] = vt_number();
        for (unsigned half = 1; half < 4; half++) {
            vt_native.xmm[i][half] = vt_any() % 4 == 0 ? vt_native.xmm[i][0] : vt_number();
        }
    }
    if (vt_any() % 2 == 0) { /* as dividing wants it */
        vt_native.r[2] %= 3;
    }
    if (vt_any() % 4 == 0) { /* as counting does */
        vt_native.r[1] %= 3;
        vt_native.xmm[vt_any() % 16][0] = vt_any() % 70;
    }
    vt_native.flags = 0x202 | (vt_any() & all);
    arrange(x);
    give_state(&v);
    fill(&v);
    if (x->insn.mnemonic == M(CMPXCHG) && vt_any() % 2 == 0) {
        memcpy(place_of(&v, &x->access[0]), &vt_native.r[0], x->access[0].bytes);
    }
    give_loads(&v);
    memcpy(expected, zone(), ZONE_BYTES);
    memcpy(filled, zone(), ZONE_BYTES);
    struct vt_native before = vt_native;
    bool may = x->must == 0 || evaluate(&v, x->must) != 0;
    if (x->out.alignment != 0 && (evaluate(&v, x->out.aligned) & (x->out.alignment - 1U)) != 0) {
        differ(x, "alignment", 0, 0, evaluate(&v, x->out.aligned));
    }
    bool did = vt_native_run();
    if (did != may) {
        differ(x, "fault", 0, did, may);
    }
    if (!did) {
        return 0;
    }
    compare_all(x, &v, expected, (1U << VT_LIFT_FLAGS) - 1);
    if (x->alone && vt_any() % 4 == 0) { /* flags that it does not read change nothing */
        uint64_t free_flags = 0;
        for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
            free_flags |= (uint64_t)((x->out.flags_read >> i & 1) == 0) << flag_bits[i];
        }
        vt_native = before;
        vt_native.flags ^= free_flags;
        memcpy(expected, filled, ZONE_BYTES);
        memcpy(zone(), filled, ZONE_BYTES);
        assert_true(vt_native_run());
        compare_all(x, &v, expected, x->out.flags_written);
    }
    return 1;
}

/* ---- what it says of itself */

static void note_flag(void *arg, vt_term symbol)
{
    struct {
        const struct lifted *x;
        unsigned read;
    } *found = arg;
    for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
        if (symbol == found->x->before.flag[i]) {
            found->read |= 1U << i;
        }
    }
}

static void check_claims(const struct lifted *x)
{
    struct {
        const struct lifted *x;
        unsigned read;
    } found = {.x = x};
    for (unsigned i = 0; i < 16; i++) {
        vt_term_symbols(x->t, x->after.r[i], note_flag, &found);
        assert_true((x->out.registers >> i & 1) != 0 || x->after.r[i] == x->before.r[i]);
        for (unsigned half = 0; half < 4; half++) {
            vt_term_symbols(x->t, x->after.xmm[i][half], note_flag, &found);
            assert_true((x->out.vectors >> i & 1) != 0 ||
                        x->after.xmm[i][half] == x->before.xmm[i][half]);
        }
    }
    for (unsigned i = 0; i < x->n; i++) {
        vt_term_symbols(x->t, x->access[i].address, note_flag, &found);
        vt_term_symbols(x->t, x->access[i].value, note_flag, &found);
    }
    vt_term_symbols(x->t, x->out.taken, note_flag, &found);
    for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
        if ((x->out.flags_written >> i & 1) != 0) {
            vt_term_symbols(x->t, x->after.flag[i], note_flag, &found);
        } else {
            assert_int_equal(x->after.flag[i], x->before.flag[i]);
        }
    }
    assert_int_equal(found.read & ~x->out.flags_read, 0);
}

struct counts {
    unsigned forms, instructions;
    unsigned long long states, flags, havoc_flags;
};

static void try_code(const uint8_t *code, size_t bytes, struct counts *counts)
{
    struct lifted x;
    struct vt_error err;
    vt_native_place(code, bytes);
    if (lift(&x, code, bytes, &err) != 0) {
        print_message("%s\n", err.message);
        fail();
    }
    if (x.alone) {
        check_claims(&x);
    }
    for (unsigned k = 0; k < STATES; k++) {
        counts->states += try_state(&x);
    }
    counts->instructions++;
    counts->flags += x.flags;
    counts->havoc_flags += x.havoc_flags;
    assert_false(vt_terms_broken(x.t));
    vt_terms_destroy(x.t);
}

/* No bit of memory by a register that its address is made of. */
static bool can_arrange(const struct vt_instruction *i)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, i->code, i->bytes, &insn, o)));
    int bit = bit_register(o, &insn);
    return bit < 0 || (insn.address_width == 64 && bit != number_of(o[0].mem.base) &&
                       bit != number_of(o[0].mem.index));
}

static void try_form(const struct vt_form *form, const char *operands, size_t n, unsigned bytes,
                     struct counts *counts)
{
    unsigned done = 0, wanted = n == 0 ? 1 : VARIANTS;
    for (unsigned tries = 0; done < wanted && tries < VARIANTS * 20; tries++) {
        struct vt_instruction i;
        struct vt_form_ways ways = {.high = bytes == 1 && vt_any() % 3 == 0, .segments = true};
        if (vt_form_make(form, operands, n, bytes, ways, &i) && can_arrange(&i)) {
            try_code(i.code, i.bytes, counts);
            done++;
        }
    }
    counts->forms++;
    if (done == 0) {
        print_message("%s %.*s of %u bytes: no such instruction\n",
                      ZydisMnemonicGetString(form->mnemonic), (int)n, operands, bytes);
        fail();
    }
}

static void try_forms(const struct vt_form *form, struct counts *counts)
{
    for (; form->sizes != NULL; form++) {
        if (!vt_native_has(form->feature)) {
            print_message("no %s here\n", form->feature);
            continue;
        }
        for (const char *size = form->sizes; *size != '\0'; size++) {
            const char *operands = form->operands;
            do {
                size_t n = strcspn(operands, " ");
                /* A byte has no shorter immediate. */
                if (!(*size == '1' && memchr(operands, 'I', n) != NULL &&
                      form->operands[0] != 'r')) {
                    try_form(form, operands, n, (unsigned)(*size - '0'), counts);
                }
                operands += n;
            } while (*operands++ == ' ');
        }
    }
}

static void every_form(void **state)
{
    struct counts counts = {0};
    (void)state;
    if (!vt_native_setup()) {
        skip();
    }
    try_forms(vt_forms, &counts);
    try_forms(lift_forms, &counts);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        try_code((const uint8_t *)rows[i].bytes, rows[i].n, &counts);
    }
    print_message("%u forms, %u instructions, %llu states; of %llu flags %llu undefined\n",
                  counts.forms, counts.instructions, counts.states, counts.flags,
                  counts.havoc_flags);
}

/* ---- what is refused, and why */

static vt_term no_load(void *arg, vt_term address, unsigned bytes)
{
    (void)arg, (void)address, (void)bytes;
    return 0;
}

static bool no_store(void *arg, vt_term address, vt_term value)
{
    (void)arg, (void)address, (void)value;
    return false;
}

static void refused(void **state)
{
    static const struct {
        const char *bytes;
        unsigned n;
        const char *why;
    } cases[] = {
        {"\xf3\xa4", 2, "rep movsb: a string instruction that is a loop by itself"},
        {"\xf2\xae", 2, "repne scasb: a string instruction that is a loop by itself"},
        {"\x67\xac", 2, "lodsb: a string in 32 bits of addresses"},
        {"\x6c", 1, "insb: a system instruction"},
        {"\xfd", 1, "std: an instruction whose meaning is not known"},
        {"\xf3\x90", 2, "pause: it waits for somebody else"},
        {"\x0f\xb1\xd1", 3,
         "cmpxchg ecx, edx: processors disagree on what it does to upper halves"},
        {"\xcb", 1, "ret far: a return to another segment, or to 16 bits"},
        {"\xff\xd0", 2, "call rax: a jump whose target is computed"},
        {"\xff\xe0", 2, "jmp rax: a jump whose target is computed"},
        {"\xff\x20", 2, "jmp [rax]: a jump whose target is computed"},
        {"\xd9\xc0", 2, "fld st0: floating point"},
        {"\xf2\x0f\x58\xc1", 4,
         "addsd xmm0, xmm1: a vector instruction whose meaning is not known"},
        {"\xc5\xfd\x58\xc1", 4,
         "vaddpd ymm0, ymm0, ymm1: a vector instruction whose meaning is not known"},
        {"\x62\xf1\x7d\x28\xef\xc1", 6, "vpxord ymm0, ymm0, ymm1: AVX-512"},
        {"\xc5\xfd\xef\x07", 4, "vpxor ymm0, ymm0, [rdi]: not this address"},
        {"\xc4\xe2\x7d\x78\x07", 5, "vpbroadcastb ymm0, byte ptr [rdi]: not this address"},
        {"\xc4\xe2\x7d\x36\x07", 5, "vpermd ymm0, ymm0, [rdi]: not this address"},
        {"\xc4\xe3\x7d\x46\x07\x01", 6, "vperm2i128 ymm0, ymm0, [rdi], 0x01: not this address"},
        {"\x0f\xef\xc1", 3, "pxor mm0, mm1: MMX registers"},
        {"\x8e\xd8", 2, "mov ds, ax: a segment register"},
        {"\x0f\x05", 2, "syscall: a way into or out of the kernel"},
        {"\xf4", 1, "hlt: a system instruction"},
        {"\xec", 1, "in al, dx: a system instruction"},
        {"\xd3\xd0", 2, "rcl eax, cl: a rotation through carry by a register"},
        {"\x48\xf7\xf1", 3, "div rcx: a dividend of 128 bits"},
        {"\x9c", 1, "pushfq: an instruction whose meaning is not known"},
        {"\xf3\x0f\xbd\xc1", 4, "lzcnt eax, ecx: old processors take it for another instruction"},
        {"\x48\x8b\x07", 3, "mov rax, [rdi]: not this address"},
        {"\x48\x89\x07", 3, "mov [rdi], rax: not this address"},
        {"\x00\x07", 2, "add [rdi], al: not this address"},
        {"\x0f\xb6\x07", 3, "movzx eax, byte ptr [rdi]: not this address"},
        {"\xd3\x27", 2, "shl dword ptr [rdi], cl: not this address"},
        {"\xf7\x37", 2, "div [rdi]: not this address"},
        {"\xf7\x2f", 2, "imul [rdi]: not this address"},
        {"\xc4\xe2\x70\xf7\x07", 5, "bextr eax, [rdi], ecx: not this address"},
        {"\x66\x0f\xef\x07", 4, "pxor xmm0, [rdi]: not this address"},
        {"\x66\x0f\x60\x07", 4, "punpcklbw xmm0, [rdi]: not this address"},
        {"\x66\x0f\xf6\x07", 4, "psadbw xmm0, [rdi]: not this address"},
        {"\x66\x0f\x67\x07", 4, "packuswb xmm0, [rdi]: not this address"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lifted x = {.t = vt_terms_create()};
        struct vt_lifted out = {.bytes = 77};
        struct vt_error err = {0};
        struct vt_lift_memory memory = {.load = load, .store = store, .arg = &x};
        vt_lifter_init(&x.l, x.t);
        vt_lift_symbols(x.t, &x.before);
        if (strstr(cases[i].why, "[rdi]") != NULL) {
            memory.load = no_load;
            memory.store = no_store;
            strcpy(memory.why, "not this address");
        }
        assert_int_equal(vt_lift(&x.l, &x.before, &memory, 0x1000, (const uint8_t *)cases[i].bytes,
                                 cases[i].n, &out, &err),
                         VT_E_UNSUPPORTED);
        char why[160];
        const char *colon = strstr(cases[i].why, ": ");
        (void)snprintf(why, sizeof why, "%.*s at 0x1000%s", (int)(colon - cases[i].why),
                       cases[i].why, colon);
        assert_string_equal(err.message, why);
        assert_int_equal(out.bytes, 77);
        assert_false(vt_terms_broken(x.t));
        vt_terms_destroy(x.t);
    }
}

static void no_instruction(void **state)
{
    struct lifted x;
    struct vt_error err;
    (void)state;
    assert_int_equal(lift(&x, (const uint8_t *)"\x48\x8b", 2, &err), VT_E_CORRUPT);
    vt_terms_destroy(x.t);
    assert_int_equal(lift(&x, (const uint8_t *)"\x06", 1, &err), VT_E_CORRUPT);
    vt_terms_destroy(x.t);
}

/* Addresses of rip, targets, and tzcnt where the processor may have none. */
static void by_hand(void **state)
{
    struct lifted x;
    struct vt_error err;
    uint64_t value;
    (void)state;
    uint64_t pc = (uintptr_t)vt_native_page;
    assert_int_equal(lift(&x, (const uint8_t *)"\x48\x8b\x05\x10\0\0\0", 7, &err), 0);
    assert_int_equal(x.n, 1);
    assert_true(vt_term_is_const(x.t, x.access[0].address, &value));
    assert_int_equal(value, pc + 7 + 16);
    vt_terms_destroy(x.t);
    assert_int_equal(lift(&x, (const uint8_t *)"\x75\xf0", 2, &err), 0);
    assert_int_equal(x.out.way, VT_LIFT_CONDITIONAL);
    assert_int_equal(x.out.target, pc + 2 - 16);
    assert_int_equal(x.out.flags_read, 1U << VT_LIFT_ZF);
    vt_terms_destroy(x.t);
    assert_int_equal(lift(&x, (const uint8_t *)"\x64\x48\x8b\x04\x25\x08\0\0\0", 9, &err), 0);
    assert_int_equal(x.access[0].address,
                     vt_term_2(x.t, VT_PIXEL_ADD, x.before.fs_base, vt_term_const(x.t, 64, 8)));
    vt_terms_destroy(x.t);
    x = (struct lifted){.t = vt_terms_create()};
    vt_lifter_init(&x.l, x.t);
    vt_lift_symbols(x.t, &x.before);
    x.after = x.before;
    struct vt_lift_memory memory = {.load = load, .store = store, .arg = &x};
    assert_int_equal(
        vt_lift(&x.l, &x.after, &memory, 0, (const uint8_t *)"\xf3\x0f\xbc\xc1", 4, &x.out, &err),
        0);
    static struct valuation v;
    v.x = &x;
    give(&v, x.before.r[1], 0x30);
    assert_true(defined(&v, x.after.r[0], &value) == UINT64_MAX && value == 4);
    give(&v, x.before.r[1], 0);
    assert_int_equal(defined(&v, x.after.r[0], &value), 0);
    vt_terms_destroy(x.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_instruction),
        cmocka_unit_test(by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
