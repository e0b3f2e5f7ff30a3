/* cli/cmd_symbols.c - `vitrine symbols`: the kernel's names and addresses, both ways. */
#include "base/text.h"
#include "cli/target.h"

#include <stdio.h>
#include <string.h>

static const struct vt_column columns[] = {
    {"address", "ADDRESS", VT_CELL_HEX, 0},
    {"type", "T", VT_CELL_TEXT, 0},
    {"name", "NAME", VT_CELL_TEXT, 0},
};

static void print_symbol(struct vt_rows *rows, const char *name, char type, uint64_t address)
{
    vt_cell_u64(rows, address);
    vt_cell_text(rows, (char[]){type, '\0'});
    vt_cell_text(rows, name);
}

/* Every symbol, or with a name those of that name; *found counts them. */
static void print_matches(const struct vt_kernel *kernel, const char *wanted, bool all,
                          struct vt_rows *rows, size_t *found)
{
    size_t n = vt_kernel_symbols(kernel);
    *found = 0;
    for (size_t i = 0; i < n && (all || wanted == NULL || *found == 0); i++) {
        const char *name;
        char type;
        struct vt_gva gva;
        vt_kernel_symbol_nth(kernel, i, &name, &type, &gva);
        if (wanted == NULL || strcmp(name, wanted) == 0) {
            print_symbol(rows, name, type, gva.v);
            ++*found;
        }
    }
}

static int print_at(const struct vt_kernel *kernel, uint64_t address, struct vt_rows *rows,
                    struct vt_error *err)
{
    const char *name;
    char type, text[1200];
    uint64_t distance;
    int rc = vt_kernel_symbol_at(kernel, VT_GVA(address), &name, &type, &distance, err);
    if (rc == 0) {
        snprintf(text, sizeof text, distance == 0 ? "%s" : "%s+0x%llx", name,
                 (unsigned long long)distance);
        print_symbol(rows, text, type, address);
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    struct vt_rows *rows;
    const char *wanted = vt_args_operand(args, 1);
    bool is_address = wanted != NULL && wanted[0] >= '0' && wanted[0] <= '9';
    uint64_t address = 0;
    if (is_address && vt_parse_u64(wanted, &address, &err) != 0) {
        return vt_usage_error(args, "%s", err.message);
    }
    int result =
        vt_target_open(args, "symbols", VT_TARGET_KERNEL, wanted != NULL ? wanted : "", &t);
    if (result != 0) {
        return result;
    }
    if (vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, &err) != 0) {
        return vt_target_close(args, &t, vt_report(args, &err));
    }
    int rc = 0;
    size_t found = 1;
    if (is_address) {
        rc = print_at(t.kernel, address, rows, &err);
    } else {
        print_matches(t.kernel, wanted, vt_args_flag(args, "all"), rows, &found);
        if (found == 0) {
            rc = vt_fail(&err, VT_E_NOT_FOUND, "the kernel has no symbol '%s'", wanted);
        }
    }
    result = vt_rows_finish(rows);
    if (rc != 0) {
        result = vt_report(args, &err);
    }
    return vt_target_close(args, &t, result);
}

static const struct vt_option options[] = {
    {"all", NULL, "every symbol of that name, not only the first", false},
    {0},
};

const struct vt_verb vt_verb_symbols = {
    .name = "symbols",
    .alias = "sym",
    .group = "Guest",
    .summary = "Look up the kernel's symbols, by name or by address",
    .operands = "VM [NAME|0xADDR]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .description = "Read from the symbol tables the kernel carries in RAM. With a name: its "
                   "address; with an address: the symbol it lies in, and how far; with neither: "
                   "all symbols by address, as /proc/kallsyms has them.",
    .examples = "vitrine symbols web init_task\nvitrine symbols web 0xffffffff81000123",
    .run = run,
};
