/* guest/linux/idt.c - the interrupt descriptor table: 256 gates and where they lead. See
 * vitrine/linux.h.
 *
 * All CPUs share one table. What the CPUs were told lies in idt_descr; that is usually another
 * mapping of idt_table's page. Handlers lie in the kernel's entry text; exceptions that Linux does
 * not use keep the handlers of early boot, whose memory has been given back since.
 * (Intel SDM vol. 3, 6.14; arch/x86/kernel/idt.c)
 */
#include "guest/linux/code.h"
#include "guest/linux/noun.h"

#include "base/cursor.h"

#include <inttypes.h>
#include <stdio.h>

enum { GATES = 256, GATE_BYTES = 16, EXCEPTIONS = 32 };
enum { TYPE_INTERRUPT = 14, TYPE_TRAP = 15 };
/* Vectors that user programs may raise themselves: int3, into, int $0x80. */
enum { BREAKPOINT = 3, OVERFLOW = 4, SYSCALL32 = 0x80 };

static const char *const exceptions[EXCEPTIONS] = {
    "divide error",
    "debug",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    NULL,
    "x87 floating point",
    "alignment check",
    "machine check",
    "SIMD floating point",
    "virtualization",
    "control protection",
    [28] = "hypervisor injection",
    [29] = "VMM communication",
    [30] = "security",
};

struct table {
    struct vt_gva at;
    bool moved; /* the CPUs were told of another table than the kernel's */
    uint64_t entry_from, entry_to, early_from, early_to, cs;
};

/* The address that follows a 16-bit limit at `symbol`, or 0. */
static uint64_t told_table(const struct vt_kernel *kernel)
{
    struct vt_gva at;
    uint64_t told;
    return vt_kernel_symbol(kernel, "idt_descr", &at, NULL) == 0 &&
                   vt_space_read_u64(&kernel->space, VT_GVA(at.v + 2), &told, NULL) == 0
               ? told
               : 0;
}

static int take_table(const struct vt_kernel *kernel, struct table *t, struct vt_error *err)
{
    struct vt_gva own, from, to;
    struct vt_gpa own_at, told_at;
    *t = (struct table){.cs = 0x10};
    int rc = vt_kernel_symbol(kernel, "idt_table", &own, err);
    if (rc != 0) {
        return rc;
    }
    t->at = VT_GVA(told_table(kernel));
    if (t->at.v == 0 || vt_space_translate(&kernel->space, t->at, &told_at, NULL) != 0) {
        t->at = own;
    } else {
        t->moved =
            vt_space_translate(&kernel->space, own, &own_at, NULL) == 0 && own_at.v != told_at.v;
    }
    if (vt_kernel_symbol(kernel, "__entry_text_start", &from, NULL) == 0 &&
        vt_kernel_symbol(kernel, "__entry_text_end", &to, NULL) == 0) {
        t->entry_from = from.v;
        t->entry_to = to.v;
    }
    if (vt_kernel_symbol(kernel, "early_idt_handler_array", &from, NULL) == 0) {
        t->early_from = from.v;
        t->early_to = from.v + EXCEPTIONS * (uint64_t)GATE_BYTES;
    }
    return 0;
}

/* Whether it is the handler that early boot has for this exception: one of an array of equal parts.
 */
static bool is_early(const struct table *t, const struct vt_gate *g)
{
    if (g->vector >= EXCEPTIONS || g->handler.v < t->early_from || g->handler.v >= t->early_to) {
        return false;
    }
    uint64_t offset = g->handler.v - t->early_from;
    return g->vector == 0 ? offset == 0
                          : offset % g->vector == 0 && offset / g->vector <= GATE_BYTES;
}

static void check(struct vt_code_map *map, const struct table *t, struct vt_gate *g,
                  const struct vt_code_at *code)
{
    struct vt_gva target;
    struct vt_code_at there;
    bool by_user = g->vector == BREAKPOINT || g->vector == OVERFLOW || g->vector == SYSCALL32;
    if (t->moved) {
        vt_row_find(&g->row,
                    "idt_descr tells the CPUs of another table than the kernel's idt_table");
    }
    if (is_early(t, g)) {
        return;
    }
    if (code->owner != VT_CODE_KERNEL) {
        vt_row_find(&g->row,
                    "leads to 0x%" PRIx64 ", %s: it runs with all rights whenever this "
                    "interrupt comes",
                    g->handler.v, code->whose);
    } else if (t->entry_to != 0 && (g->handler.v < t->entry_from || g->handler.v >= t->entry_to)) {
        vt_row_find(&g->row, "leads to %s, which is no entry of the kernel", code->symbol);
    } else if (g->dpl != 0 && !by_user) {
        vt_row_find(&g->row, "user programs may raise it, which the kernel does not mean to allow");
    } else if (g->selector != t->cs) {
        vt_row_find(&g->row, "runs in segment 0x%x instead of the kernel's", g->selector);
    } else if (vt_code_detour(map, g->handler, &target, &there)) {
        vt_row_find(&g->row, "the handler begins with a jump to 0x%" PRIx64 ", %s", target.v,
                    there.whose);
    }
}

static void read_gate(struct vt_walk *w, struct vt_code_map *map, const struct table *t,
                      unsigned vector, struct vt_gate *g)
{
    uint8_t raw[GATE_BYTES];
    struct vt_code_at code;
    *g = (struct vt_gate){
        .row.at = VT_GVA(t->at.v + vector * (uint64_t)GATE_BYTES),
        .vector = vector,
        .name = vector < EXCEPTIONS   ? exceptions[vector]
                : vector == SYSCALL32 ? "32-bit system call"
                                      : NULL,
    };
    vt_look_read(&w->look, g->row.at, raw, sizeof raw);
    g->handler =
        VT_GVA(vt_le16(raw) | (uint64_t)vt_le16(raw + 6) << 16 | (uint64_t)vt_le32(raw + 8) << 32);
    g->selector = vt_le16(raw + 2);
    g->ist = raw[4] & 7;
    g->dpl = raw[5] >> 5 & 3;
    g->present = (raw[5] & 0x80) != 0;
    switch (raw[5] & 15) {
    case TYPE_INTERRUPT:
        g->type = "interrupt";
        break;
    case TYPE_TRAP:
        g->type = "trap";
        break;
    default:
        g->type = "other";
    }
    vt_code_find(map, g->handler, &code);
    if (g->present) {
        snprintf(g->symbol, sizeof g->symbol, "%s", code.symbol);
        snprintf(g->owner, sizeof g->owner, "%s", code.owner_text);
        check(map, t, g, &code);
    }
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct table t;
    struct vt_code_map map;
    int rc = take_table(w->kernel, &t, err);
    if (rc != 0 || (rc = vt_code_map_init(&map, w, err)) != 0) {
        return rc;
    }
    for (unsigned vector = 0; rc == 0 && vector < GATES; vector++) {
        struct vt_gate g;
        do {
            vt_look_begin(&w->look);
            read_gate(w, &map, &t, vector, &g);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &g.row);
    }
    vt_code_map_fini(&map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_gate, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_gate, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(vector, VT_CELL_U64, "vector", "VECTOR", "number of the interrupt or exception"),
    COLUMN_OR_NONE(name, VT_CELL_TEXT, "name", "NAME", "of an exception"),
    COLUMN(present, VT_CELL_BOOL, "present", NULL, "whether the gate is in use"),
    COLUMN(type, VT_CELL_TEXT, "type", "TYPE", "interrupt (further ones wait) or trap"),
    COLUMN(dpl, VT_CELL_U64, "dpl", "DPL",
           "who may raise it: 0 the kernel, 3 user programs as well"),
    COLUMN(ist, VT_CELL_U64, "ist", "IST", "which stack of its own it runs on; 0: none"),
    COLUMN(selector, VT_CELL_HEX, "selector", NULL, "code segment it runs in"),
    COLUMN(handler, VT_CELL_HEX, "handler", "HANDLER", "where it leads"),
    COLUMN_OR_NONE(owner, VT_CELL_CHARS, "owner", NULL, "whose code that is"),
    COLUMN_OR_NONE(symbol, VT_CELL_CHARS, "symbol", "SYMBOL", "of that place"),
};

const struct vt_noun vt_noun_idt = {
    .name = "idt",
    .summary = "Check the interrupt descriptor table",
    .group = "Trust",
    .checks = true,
    .description =
        "Shows where each of the 256 interrupts and exceptions leads. One that leads anywhere but\n"
        "to an entry of the kernel, that user programs may raise but should not, or whose handler\n"
        "begins with a jump to nobody's code, has a finding. Exceptions that Linux does not use\n"
        "keep the handler of early boot (early_idt_handler_array); that is as it should be.",
    .examples = "vitrine idt web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
