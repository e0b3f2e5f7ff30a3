/* guest/linux/syscalls.c - where each system call leads. See vitrine/linux.h.
 *
 * tables      sys_call_table, ia32_sys_call_table: how kernels until 6.8 get to a call; later ones
 *             keep the tables for tracing
 * dispatchers x64_sys_call, ia32_sys_call, x32_sys_call: a compiled switch (and stable kernels of
 *             before have it, too); it is run for each number
 * names       of trace events, which know number and name without either of them
 */
#include "guest/linux/code.h"
#include "guest/linux/insn.h"
#include "guest/linux/noun.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 1024u
#define DISPATCHER_MAX 65536u
#define NAME_MAX_BYTES 64u
/* A number that no kernel has a call for: leads to "not implemented". */
#define NUMBER_NONE 0x3fffffffu

struct layout {
    struct vt_member name, number;
};
static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE_OPTIONAL(layout, name, "syscall_metadata", "name"),
    VT_FIELD_BARE_OPTIONAL(layout, number, "syscall_metadata", "syscall_nr"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct abi {
    const char *name, *table, *dispatcher;
    bool traced; /* trace events know its numbers */
};
static const struct abi abis[] = {
    {"x86-64", "sys_call_table", "x64_sys_call", true},
    {"ia32", "ia32_sys_call_table", "ia32_sys_call", false},
    {"x32", "x32_sys_call_table", "x32_sys_call", false},
};

/* What is known of one ABI. */
struct calls {
    const struct abi *abi;
    struct vt_gva table; /* 0: there is none */
    unsigned room;       /* of the table at most, in entries */
    struct vt_gva dispatcher;
    uint8_t *code; /* of the dispatcher, or NULL */
    size_t code_bytes;
    uint64_t none;                 /* where the dispatcher sends a number that is not used */
    unsigned n;                    /* numbers */
    char (*names)[NAME_MAX_BYTES]; /* [NUMBERS_MAX], by trace events */
};

/* The distance from a symbol to the next one. */
static uint64_t symbol_room(const struct vt_kernel *kernel, struct vt_gva at, uint64_t max)
{
    const char *name;
    char letter;
    uint64_t distance, low = 1, high = max;
    /* symbol_at gives the symbol before an address: the first address whose symbol is another. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (vt_kernel_symbol_at(kernel, VT_GVA(at.v + middle), &name, &letter, &distance, NULL) ==
                0 &&
            distance == middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_syscall_name(const char *name)
{
    static const char *const prefixes[] = {"__x64_", "__ia32_", "__x32_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], n) == 0) {
            name += n;
            break;
        }
    }
    return strncmp(name, "sys_", 4) == 0 || strncmp(name, "compat_sys_", 11) == 0;
}

/* "openat" of "__x64_sys_openat", or NULL. */
static const char *bare_name(const char *symbol)
{
    const char *sys = is_syscall_name(symbol) ? strstr(symbol, "sys_") : NULL;
    return sys != NULL ? sys + 4 : NULL;
}

/* A name of the function that begins at `at`, as a call; prefers `wanted`. NULL: none does. */
static const char *call_at(const struct vt_kernel *kernel, struct vt_gva at, const char *wanted)
{
    static const char *const prefixes[] = {"__x64_sys_",
                                           "__ia32_sys_",
                                           "__ia32_compat_sys_",
                                           "__x32_compat_sys_",
                                           "__x64_compat_sys_",
                                           "compat_sys_",
                                           "sys_"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char whole[NAME_MAX_BYTES + 32];
        const char *name;
        snprintf(whole, sizeof whole, "%s%s", prefixes[i], wanted);
        if (wanted[0] != '\0' && vt_code_symbol_is(kernel, at, whole, &name) &&
            strcmp(name, whole) == 0) {
            return bare_name(name);
        }
        if (found == NULL && vt_code_symbol_is(kernel, at, prefixes[i], &name)) {
            found = bare_name(name);
        }
    }
    return found;
}

/* ---------------------------------------------------------------- what a kernel has */

/* Names by number, from the trace events' descriptions (struct syscall_metadata). */
static void read_names(struct vt_walk *w, const struct layout *l, struct calls *c)
{
    static const char prefix[] = "__syscall_meta__";
    size_t n = l->name.size == 8 && l->number.size == 4 ? vt_kernel_symbols(w->kernel) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *symbol;
        char letter, text[NAME_MAX_BYTES];
        struct vt_gva at;
        uint64_t name;
        uint32_t number;
        vt_kernel_symbol_nth(w->kernel, i, &symbol, &letter, &at);
        if (strncmp(symbol, prefix, sizeof prefix - 1) != 0 ||
            vt_space_read_u32(w->space, VT_GVA(at.v + l->number.offset), &number, NULL) != 0 ||
            number >= NUMBERS_MAX ||
            vt_space_read_u64(w->space, VT_GVA(at.v + l->name.offset), &name, NULL) != 0 ||
            vt_space_read_string(w->space, VT_GVA(name), text, sizeof text, NULL) != 0 ||
            strncmp(text, "sys_", 4) != 0) {
            continue;
        }
        snprintf(c->names[number], NAME_MAX_BYTES, "%s", text + 4);
        c->n = number + 1 > c->n ? number + 1 : c->n;
    }
}

static uint64_t dispatched(const struct calls *c, uint32_t number)
{
    uint64_t target = 0;
    return c->code != NULL &&
                   vt_insn_switch(c->code, c->code_bytes, c->dispatcher.v, number, &target)
               ? target
               : 0;
}

static int take_dispatcher(struct vt_walk *w, struct calls *c, struct vt_error *err)
{
    if (vt_kernel_symbol(w->kernel, c->abi->dispatcher, &c->dispatcher, NULL) != 0) {
        return 0;
    }
    c->code_bytes = (size_t)symbol_room(w->kernel, c->dispatcher, DISPATCHER_MAX);
    c->code = malloc(c->code_bytes);
    if (c->code == NULL) {
        return vt_fail(err, VT_E_NOMEM, "syscalls: out of memory");
    }
    if (vt_space_read(w->space, c->dispatcher, c->code, c->code_bytes, NULL) != 0) {
        vt_walk_torn(w, "%s cannot be read", c->abi->dispatcher);
        free(c->code);
        c->code = NULL;
    }
    c->none = dispatched(c, NUMBER_NONE);
    return 0;
}

/* How many numbers there are: neither table nor dispatcher say it, but what the last entries lead
 * to does. */
static void count_numbers(struct vt_walk *w, struct calls *c)
{
    for (uint32_t i = c->n; i < NUMBERS_MAX; i++) {
        uint64_t handler;
        bool listed = i < c->room &&
                      vt_space_read_u64(w->space, VT_GVA(c->table.v + 8 * (uint64_t)i), &handler,
                                        NULL) == 0 &&
                      call_at(w->kernel, VT_GVA(handler), "") != NULL;
        if (listed || dispatched(c, i) != c->none) {
            c->n = i + 1;
        }
    }
}

static int take_calls(struct vt_walk *w, const struct layout *l, const struct abi *abi,
                      struct calls *c, struct vt_error *err)
{
    *c = (struct calls){.abi = abi, .names = calloc(NUMBERS_MAX, sizeof *c->names)};
    if (c->names == NULL) {
        return vt_fail(err, VT_E_NOMEM, "syscalls: out of memory");
    }
    if (vt_kernel_symbol(w->kernel, abi->table, &c->table, NULL) == 0) {
        c->room = (unsigned)(symbol_room(w->kernel, c->table, UINT64_C(8) * NUMBERS_MAX) / 8);
    }
    int rc = take_dispatcher(w, c, err);
    if (rc == 0 && abi->traced) {
        read_names(w, l, c);
    }
    if (rc == 0) {
        count_numbers(w, c);
    }
    return rc;
}

/* ---------------------------------------------------------------- one call */

static void check(struct vt_walk *w, struct vt_code_map *map, const struct calls *c,
                  struct vt_syscall *s, struct vt_gva handler, const char *expected)
{
    const char *by = s->by;
    struct vt_code_at code;
    struct vt_gva target;
    vt_code_find(map, handler, &code);
    if (code.owner != VT_CODE_KERNEL) {
        vt_row_find(&s->row,
                    "%s sends it to 0x%" PRIx64 ", %s and not the kernel's own: what is "
                    "there sees and decides what the call does",
                    by, handler.v, code.whose);
        return;
    }
    const char *call = call_at(w->kernel, handler, expected);
    if (call == NULL) {
        vt_row_find(&s->row, "%s sends it to %s, which is no system call's beginning", by,
                    code.symbol);
    } else if (expected[0] != '\0' && strcmp(call, expected) != 0 && c->abi->traced) {
        vt_row_find(&s->row, "%s sends it to another call, %s", by, code.symbol);
    } else if (vt_code_detour(map, handler, &target, &code)) {
        vt_row_find(&s->row, "the function begins with a jump to 0x%" PRIx64 ", %s: it was patched",
                    target.v, code.whose);
    }
}

static void read_call(struct vt_walk *w, struct vt_code_map *map, const struct calls *c,
                      uint32_t number, struct vt_syscall *s)
{
    uint64_t by_switch = dispatched(c, number);
    const char *expected = c->names[number];
    *s = (struct vt_syscall){.row.at = c->dispatcher, .abi = c->abi->name, .number = number};
    if (number < c->room) {
        s->row.at = VT_GVA(c->table.v + 8 * (uint64_t)number);
        s->table = VT_GVA(vt_look_u64(&w->look, s->row.at));
    }
    s->handler = by_switch != 0 ? VT_GVA(by_switch) : s->table;
    s->by = by_switch != 0 ? c->abi->dispatcher : c->abi->table;
    struct vt_code_at code;
    vt_code_find(map, s->handler, &code);
    snprintf(s->symbol, sizeof s->symbol, "%s", code.symbol);
    snprintf(s->owner, sizeof s->owner, "%s", code.owner_text);
    const char *name = call_at(w->kernel, s->handler, expected);
    snprintf(s->name, sizeof s->name, "%s", name != NULL ? name : expected);
    if (expected[0] != '\0') {
        snprintf(s->name, sizeof s->name, "%s", expected);
    }
    check(w, map, c, s, s->handler, expected);
    if (s->table.v != 0 && s->table.v != s->handler.v) {
        s->by = c->abi->table;
        check(w, map, c, s, s->table, s->name);
        s->by = c->abi->dispatcher;
    }
}

static int walk_abi(struct vt_walk *w, const struct layout *l, struct vt_code_map *map,
                    const struct abi *abi, struct vt_error *err)
{
    struct calls c;
    int rc = take_calls(w, l, abi, &c, err);
    for (uint32_t number = 0; rc == 0 && number < c.n; number++) {
        struct vt_syscall s;
        do {
            vt_look_begin(&w->look);
            read_call(w, map, &c, number, &s);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &s.row);
    }
    free(c.code);
    free(c.names);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_code_map map;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0 || (rc = vt_code_map_init(&map, w, err)) != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < sizeof abis / sizeof abis[0]; i++) {
        rc = walk_abi(w, l, &map, &abis[i], err);
    }
    if (rc == 0 && w->result.rows == 0) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "the kernel has neither sys_call_table nor x64_sys_call");
    }
    vt_code_map_fini(&map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_syscall, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_syscall, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(abi, VT_CELL_TEXT, "abi", "ABI", "x86-64, ia32 or x32"),
    COLUMN(number, VT_CELL_U64, "number", "NUMBER", "what a program puts into eax"),
    COLUMN_OR_NONE(name, VT_CELL_CHARS, "name", "NAME",
                   "as the kernel's trace events or symbols say"),
    COLUMN(handler, VT_CELL_HEX, "handler", "HANDLER", "where the kernel goes"),
    COLUMN_OR_NONE(symbol, VT_CELL_CHARS, "symbol", "SYMBOL", "of that place"),
    COLUMN(owner, VT_CELL_CHARS, "owner", NULL, "whose code that is"),
    COLUMN(by, VT_CELL_TEXT, "by", NULL, "how it gets there: by this table or this function"),
    COLUMN_OR_NONE(table, VT_CELL_HEX, "table_entry", NULL,
                   "the entry of the table, which newer kernels only trace by"),
};

const struct vt_noun vt_noun_syscalls = {
    .name = "syscalls",
    .summary = "Check where each system call leads",
    .group = "Trust",
    .checks = true,
    .description =
        "Follows every system call to the function that serves it, as the kernel itself does:\n"
        "through its table, or through the switch that newer kernels compile it to. One that\n"
        "leads anywhere but to the beginning of a system call of the kernel's own, or whose\n"
        "function begins with a jump to nobody's code, has a finding.",
    .examples = "vitrine syscalls web\n"
                "vitrine syscalls web --json | jq '.syscalls[] | select(.finding)'",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
