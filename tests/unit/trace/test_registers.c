/* What the interpreter of registers says of each form of instruction, against the processor that
 * runs this test: random states, wholly and partly known, with memory. Instructions that this
 * processor does not have are left out.
 */
#include "tests/unit/harness.h"

#include "tests/unit/x86/forms.h"
#include "trace/registers.h"

#include <string.h>

#define VARIANTS 8U /* registers and immediates of a form */
#define STATES 400U /* of a variant */

/* ---- forms */

#define M(name) ZYDIS_MNEMONIC_##name
/* What the lifter refuses. */
static const struct vt_form forms[] = {
    {M(DIV), "r m", "8", ""},
    {M(IDIV), "r m", "8", ""},
    {M(RCL), "rc mc", "1248", ""},
    {M(RCR), "rc mc", "1248", ""},
    {M(BT), "mr", "248", ""},
    {M(BTS), "mr", "248", ""},
    {M(BTR), "mr", "248", ""},
    {M(BTC), "mr", "248", ""},
    {M(PDEP), "rrr rrm", "48", "bmi2"},
    {M(PEXT), "rrr rrm", "48", "bmi2"},
    {M(CRC32), "rb rB", "48", "sse4.2"},
    {M(CRC32), "rw rd rW rD", "4", "sse4.2"},
    {M(CRC32), "rr rm", "8", "sse4.2"},
    {M(CMPXCHG), "rr mr", "1248", ""},
    {M(XCHG), "mr", "1248", ""},
    {M(LAHF), "", "8", ""},
    {M(SAHF), "", "8", ""},
    {M(CLD), "", "8", ""},
    {M(STD), "", "8", ""},
    /* The stack. */
    {M(PUSH), "r m", "2", ""},
    {M(POP), "r m", "2", ""},
    {M(PUSHFQ), "", "8", ""},
    {M(POPFQ), "", "8", ""},
    /* Strings, once. */
    {M(MOVSB), "", "1", ""},
    {M(MOVSW), "", "2", ""},
    {M(MOVSD), "", "4", ""},
    {M(MOVSQ), "", "8", ""},
    {M(STOSB), "", "1", ""},
    {M(STOSW), "", "2", ""},
    {M(STOSD), "", "4", ""},
    {M(STOSQ), "", "8", ""},
    {M(LODSB), "", "1", ""},
    {M(LODSW), "", "2", ""},
    {M(LODSD), "", "4", ""},
    {M(LODSQ), "", "8", ""},
    {M(SCASB), "", "1", ""},
    {M(SCASW), "", "2", ""},
    {M(SCASD), "", "4", ""},
    {M(SCASQ), "", "8", ""},
    {M(CMPSB), "", "1", ""},
    {M(CMPSW), "", "2", ""},
    {M(CMPSD), "", "4", ""},
    {M(CMPSQ), "", "8", ""},
    {M(XLAT), "", "1", ""},
};

/* ---- an instruction, and what it does to memory */

struct case_of {
    const struct vt_form *form;
    struct vt_x86_insn insn;
    unsigned bytes;
    bool reads, writes; /* the explicit operand, or the implied one */
    uint64_t known, asked;
};

struct touched {
    struct vt_trace_access a[4];
    uint32_t n;
};

static void touch(struct touched *t, bool store, uint64_t address, unsigned bytes)
{
    uint64_t n = vt_number();
    assert_true(address - (uintptr_t)vt_native_scratch < VT_NATIVE_SCRATCH_BYTES);
    memcpy((void *)(uintptr_t)address, &n, bytes);
    t->a[t->n++] = (struct vt_trace_access){
        .store = store, .has_value = true, .address = address, .bytes = (uint8_t)bytes};
}

static void look(struct touched *t, bool stores)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->a[i].store == stores) {
            memcpy(&t->a[i].value[0], (void *)(uintptr_t)t->a[i].address, t->a[i].bytes);
        }
    }
}

static bool is_one_of(ZydisMnemonic m, ZydisMnemonic a, ZydisMnemonic b, ZydisMnemonic c,
                      ZydisMnemonic d)
{
    return m == a || m == b || m == c || m == d;
}

static uint64_t somewhere(void)
{
    return (uintptr_t)vt_native_scratch + VT_NATIVE_SCRATCH_BYTES / 2 + vt_any() % 4096;
}

/* What of the instruction's memory is where, with registers that make it so. False: these
 * registers cannot. */
static bool arrange(struct case_of *c, struct touched *t)
{
    const struct vt_x86_insn *i = &c->insn;
    uint64_t *r = vt_native.r, at = somewhere();
    ZydisMnemonic m = c->form->mnemonic;
    unsigned memory = 4, bytes = 0;
    t->n = 0;
    for (unsigned k = 0; k < i->n; k++) {
        memory = i->o[k].kind == VT_X86_MEMORY ? k : memory;
    }
    r[VT_TRACE_RSP] = somewhere() & ~(uint64_t)7;
    if (memory < 4) {
        bytes = i->o[memory].bits / 8U;
        uint64_t away = 0;
        if (i->index != VT_X86_NO_REGISTER) {
            r[i->index] = vt_any() % 64;
        }
        bool bit = memory == 0 && i->n == 2 && i->o[1].kind == VT_X86_REGISTER &&
                   is_one_of(m, M(BT), M(BTS), M(BTR), M(BTC));
        if (bit && (i->o[1].reg == i->base || i->o[1].reg == i->index)) {
            return false;
        }
        if (bit) {
            int64_t number_of = (int64_t)(vt_any() % 32768) - 16384;
            uint64_t mask = vt_mask(i->o[1].bits);
            r[i->o[1].reg] = (r[i->o[1].reg] & ~mask) | ((uint64_t)number_of & mask);
            away = (uint64_t)(number_of >> (bytes == 2 ? 4 : bytes == 4 ? 5 : 6)) * bytes;
        }
        r[i->base] =
            at - i->displacement - (i->index != VT_X86_NO_REGISTER ? r[i->index] * i->scale : 0);
        at += away;
    }
    /* In the order in which QEMU does. */
    if (is_one_of(m, M(POP), M(POPFQ), M(POPFQ), M(POPFQ))) {
        touch(t, false, r[VT_TRACE_RSP], i->o[0].kind == 0 ? 8 : i->o[0].bits / 8U);
    }
    if (memory < 4 && m != M(LEA)) {
        if (c->reads) {
            touch(t, false, at, bytes);
        }
        if (c->writes) {
            touch(t, true, at, bytes);
        }
    }
    if (is_one_of(m, M(PUSH), M(PUSHFQ), M(PUSHFQ), M(PUSHFQ))) {
        bytes = i->bits == 16 ? 2 : 8;
        touch(t, true, r[VT_TRACE_RSP] - bytes, bytes);
    }
    if (m == M(LEAVE)) {
        r[VT_TRACE_RBP] = at;
        touch(t, false, at, 8);
    }
    if (m == M(XLAT)) {
        r[VT_TRACE_RBX] = at;
        touch(t, false, at + (r[VT_TRACE_RAX] & 0xff), 1);
    }
    return true;
}

static void arrange_string(struct case_of *c, struct touched *t)
{
    uint64_t *r = vt_native.r;
    ZydisMnemonic m = c->form->mnemonic;
    uint64_t from = somewhere(), to = somewhere();
    bool moves = is_one_of(m, M(MOVSB), M(MOVSW), M(MOVSD), M(MOVSQ));
    bool stores = is_one_of(m, M(STOSB), M(STOSW), M(STOSD), M(STOSQ));
    bool loads = is_one_of(m, M(LODSB), M(LODSW), M(LODSD), M(LODSQ));
    bool scans = is_one_of(m, M(SCASB), M(SCASW), M(SCASD), M(SCASQ));
    bool compares = is_one_of(m, M(CMPSB), M(CMPSW), M(CMPSD), M(CMPSQ));
    if (!moves && !stores && !loads && !scans && !compares) {
        return;
    }
    r[VT_TRACE_RSI] = from;
    r[VT_TRACE_RDI] = to;
    if (moves || loads || compares) {
        touch(t, false, from, c->bytes);
    }
    if (scans || compares) {
        touch(t, false, to, c->bytes);
    }
    if (moves || stores) {
        touch(t, true, to, c->bytes);
    }
    if (compares && vt_any() % 2 == 0) {
        memmove((void *)(uintptr_t)to, (void *)(uintptr_t)from, c->bytes);
    }
}

/* ---- comparing */

static _Noreturn void differ(const struct case_of *c, const char *what, uint64_t is, uint64_t said,
                             uint64_t known)
{
    print_message("%s, %u bits, operands %u:", ZydisMnemonicGetString(c->form->mnemonic),
                  c->bytes * 8, c->insn.n);
    for (unsigned i = 0; i < c->insn.next - c->insn.pc; i++) {
        print_message(" %02x", vt_native_page[i]);
    }
    print_message("\n%s is 0x%llx, known 0x%llx of 0x%llx\n", what, (unsigned long long)is,
                  (unsigned long long)said, (unsigned long long)known);
    fail();
    abort();
}

static void compare(struct case_of *c, const struct vt_x86_run *run, bool count)
{
    const struct vt_trace_bits *r = run->s->cpu.r;
    if (run->disagrees || run->faults) {
        differ(c, run->faults ? "it faults" : "a disagreement", 0, 0, 0);
    }
    for (unsigned i = 0; i < 16; i++) {
        if (((r[i].value ^ vt_native.r[i]) & r[i].known) != 0) {
            differ(c, vt_trace_register_name(i), vt_native.r[i], r[i].value, r[i].known);
        }
        if (count) {
            c->asked++;
            c->known += r[i].known == UINT64_MAX;
        }
    }
    const struct vt_trace_bits *f = &r[VT_TRACE_RFLAGS];
    if (((f->value ^ vt_native.flags) & f->known & VT_FLAGS) != 0) {
        differ(c, "rflags", vt_native.flags & VT_FLAGS, f->value, f->known);
    }
}

/* `unknown`: of each register's bits, which are not. */
static struct vt_x86_state state_of(const struct vt_native *n, bool all)
{
    struct vt_x86_state s = {0};
    for (unsigned i = 0; i < 16; i++) {
        uint64_t known = all                 ? UINT64_MAX
                         : vt_any() % 3 == 0 ? 0
                         : vt_any() % 2 == 0 ? vt_any()
                                             : UINT64_MAX;
        s.cpu.r[i] = vt_bits(n->r[i], known);
    }
    s.cpu.r[VT_TRACE_RFLAGS] = vt_bits(n->flags, VT_FLAGS & (all ? UINT64_MAX : vt_any()));
    return s;
}

static void try_one(struct case_of *c, bool in_order)
{
    struct touched t;
    struct vt_trace_registers_counts counts = {0};
    for (unsigned i = 0; i < 16; i++) {
        vt_native.r[i] = vt_number();
    }
    if (vt_any() % 2 == 0) { /* as dividing wants it */
        vt_native.r[VT_TRACE_RDX] %= 3;
    }
    if (c->form->mnemonic == M(CMPXCHG) && vt_any() % 2 == 0 &&
        c->insn.o[0].kind == VT_X86_REGISTER) {
        vt_native.r[VT_TRACE_RAX] = vt_native.r[c->insn.o[0].reg];
    }
    vt_native.flags = 0x202 | (vt_any() & VT_FLAGS);
    if (!arrange(c, &t)) {
        return;
    }
    arrange_string(c, &t);
    if (c->form->mnemonic == M(CMPXCHG) && vt_any() % 2 == 0 && t.n != 0 &&
        c->insn.base != VT_TRACE_RAX && c->insn.index != VT_TRACE_RAX) {
        memcpy((void *)(uintptr_t)t.a[0].address, &vt_native.r[VT_TRACE_RAX], c->bytes);
    }
    if (c->form->mnemonic == M(POPFQ)) { /* no trap, no other privilege */
        uint64_t flags = 0x202 | (vt_any() & VT_FLAGS);
        memcpy((void *)(uintptr_t)t.a[0].address, &flags, sizeof flags);
    }
    look(&t, false);
    struct vt_x86_state before[4] = {
        state_of(&vt_native, true),
        state_of(&vt_native, false),
        state_of(&vt_native, false),
        state_of(&vt_native, false),
    };
    if (c->form->mnemonic == M(DIV) || c->form->mnemonic == M(IDIV)) {
        struct vt_x86_state s = before[0];
        struct vt_x86_run run = {.s = &s, .counts = &counts, .accesses = t.a, .n_accesses = t.n};
        vt_x86_execute(&run, &c->insn);
        if (run.faults) {
            return;
        }
    }
    assert_true(vt_native_run());
    look(&t, true);
    for (unsigned k = 0; k < 4; k++) {
        struct vt_x86_run run = {
            .s = &before[k],
            .counts = &counts,
            .accesses = t.a,
            .n_accesses = k == 3 ? 0 : t.n, /* nothing was recorded */
            .old_counts = k == 2,
        };
        vt_x86_execute(&run, &c->insn);
        compare(c, &run, k == 0 && in_order);
    }
}

static bool assemble(const struct vt_form *form, const char *operands, size_t n, unsigned bytes,
                     struct case_of *c)
{
    ZydisDecoder decoder;
    struct vt_instruction to;
    struct vt_form_ways ways = {.high = bytes == 1 && vt_any() % 3 == 0};
    if (!vt_form_make(form, operands, n, bytes, ways, &to)) {
        return false;
    }
    vt_native_place(to.code, to.bytes);
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    *c = (struct case_of){.form = form, .bytes = bytes};
    vt_x86_insn_decode(&decoder, (uintptr_t)vt_native_page, vt_native_page, (unsigned)to.bytes,
                       &c->insn);
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, vt_native_page, to.bytes, &insn, o)));
    for (unsigned k = 0; k < insn.operand_count_visible; k++) {
        if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY) {
            c->reads |= (o[k].actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
            c->writes |= (o[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
        }
    }
    return true;
}

/* Every one of them is executed, and with everything known most registers stay so. */
static void try_form(const struct vt_form *form, const char *operands, size_t n, unsigned bytes)
{
    unsigned done = 0;
    uint64_t known = 0, asked = 0;
    for (unsigned tries = 0; done < VARIANTS && tries < VARIANTS * 20; tries++) {
        struct case_of c;
        if (!assemble(form, operands, n, bytes, &c)) {
            continue;
        }
        done++;
        if (c.insn.execute == NULL) {
            differ(&c, "it is not executed", 0, 0, 0);
        }
        for (unsigned k = 0; k < STATES; k++) {
            try_one(&c, true);
        }
        known += c.known;
        asked += c.asked;
    }
    if (done == 0) {
        print_message("%s %.*s of %u bytes: no such instruction\n",
                      ZydisMnemonicGetString(form->mnemonic), (int)n, operands, bytes);
        fail();
    }
    if (known * 100 < asked * 93) {
        print_message("%s %.*s of %u bytes: %llu of %llu registers are known\n",
                      ZydisMnemonicGetString(form->mnemonic), (int)n, operands, bytes,
                      (unsigned long long)known, (unsigned long long)asked);
        fail();
    }
}

static unsigned every_one(const struct vt_form *form)
{
    unsigned count = 0;
    for (const char *size = form->sizes; *size != '\0'; size++) {
        const char *operands = form->operands;
        do {
            size_t n = strcspn(operands, " ");
            /* A byte has no shorter immediate. */
            if (!(*size == '1' && memchr(operands, 'I', n) != NULL && form->operands[0] != 'r')) {
                try_form(form, operands, n, (unsigned)(*size - '0'));
                count++;
            }
            operands += n;
        } while (*operands++ == ' ');
    }
    return count;
}

static void every_form(void **state)
{
    (void)state;
    unsigned count = 0;
    if (!vt_native_setup()) {
        skip();
    }
    for (const struct vt_form *form = vt_forms; form->sizes != NULL; form++) {
        count += vt_native_has(form->feature) ? every_one(form) : 0;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        count += vt_native_has(forms[i].feature) ? every_one(&forms[i]) : 0;
    }
    print_message("%u forms, %u states each\n", count, VARIANTS * STATES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
