/* cli/cmd_symbols.c - `vitrine symbols`: names and addresses of the kernel and its modules, both
 * ways. */
#include "base/text.h"
#include "cli/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct vt_column columns[] = {
    {.key = "address", .title = "ADDRESS", .kind = VT_CELL_HEX},
    {.key = "type", .title = "T", .kind = VT_CELL_TEXT},
    {.key = "name", .title = "NAME", .kind = VT_CELL_TEXT},
    {.key = "module", .title = "MODULE", .kind = VT_CELL_TEXT},
};

static void print_symbol(struct vt_rows *rows, const char *module, const char *name, char type,
                         struct vt_gva gva)
{
    vt_cell_u64(rows, gva.v);
    vt_cell_text(rows, (char[]){type, '\0'});
    vt_cell_text(rows, name);
    vt_cell_text(rows, module);
}

struct wanted {
    const char *name; /* NULL: all there are */
    size_t module;    /* bytes of its module in front of a colon, or 0 */
    bool only_first;
    bool found;
    struct vt_rows *rows;
};

/* 1: that was all. */
static int print_if_wanted(const char *module, const char *name, char type, struct vt_gva gva,
                           void *arg)
{
    struct wanted *w = arg;
    const char *bare = w->module > 0 ? w->name + w->module + 1 : w->name;
    bool here = w->module == 0 || (module != NULL && strlen(module) == w->module &&
                                   memcmp(module, w->name, w->module) == 0);
    if (w->name == NULL || (here && strcmp(name, bare) == 0)) {
        print_symbol(w->rows, module, name, type, gva);
        w->found = true;
    }
    return w->only_first && w->found;
}

static void print_named(const struct vt_kernel *kernel, struct wanted *w)
{
    size_t n = vt_kernel_symbols(kernel);
    int done = 0;
    for (size_t i = 0; i < n && done == 0; i++) {
        const char *name;
        char type;
        struct vt_gva gva;
        vt_kernel_symbol_nth(kernel, i, &name, &type, &gva);
        done = print_if_wanted(NULL, name, type, gva, w);
    }
    if (done == 0) {
        vt_kernel_module_symbols(kernel, print_if_wanted, w);
    }
}

static int print_answer(const struct vt_args *args, const struct vt_kernel *kernel,
                        const char *wanted)
{
    struct vt_error err;
    struct vt_rows *rows;
    struct vt_gva gva;
    const char *name = NULL;
    char type = '?', text[1200];
    uint64_t distance = 0;
    bool is_address = wanted != NULL && wanted[0] >= '0' && wanted[0] <= '9';
    int rc = 0;
    if (is_address) {
        if (vt_parse_u64(wanted, &gva.v, &err) != 0) {
            return vt_usage_error(args, "%s", err.message);
        }
        rc = vt_kernel_symbol_at(kernel, gva, &name, &type, &distance, &err);
    } else if (wanted != NULL) {
        rc = vt_kernel_symbol(kernel, wanted, &gva, &err);
    }
    if (rc == 0) {
        rc = vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    if (is_address) {
        snprintf(text, sizeof text, distance == 0 ? "%s" : "%s+0x%" PRIx64, name, distance);
        print_symbol(rows, vt_kernel_module_at(kernel, gva), text, type, gva);
    } else {
        const char *colon = wanted != NULL ? strchr(wanted, ':') : NULL;
        struct wanted w = {.name = wanted,
                           .module = colon != NULL ? (size_t)(colon - wanted) : 0,
                           .only_first = wanted != NULL && !vt_args_flag(args, "all"),
                           .rows = rows};
        print_named(kernel, &w);
    }
    return vt_rows_finish(rows);
}

/* ---------------------------------------------------------------- a type */

static const struct vt_column member_columns[] = {
    {.key = "offset", .title = "OFFSET", .kind = VT_CELL_U64},
    {.key = "size_bytes", .title = "SIZE", .kind = VT_CELL_U64},
    {.key = "bits", .title = "BITS", .kind = VT_CELL_TEXT},
    {.key = "name", .title = "NAME", .kind = VT_CELL_TEXT},
    {.key = "type", .title = "TYPE", .kind = VT_CELL_TEXT},
};

static int print_member(const char *name, const char *type, const struct vt_member *member,
                        void *arg)
{
    struct vt_rows *rows = arg;
    char bits[16];
    snprintf(bits, sizeof bits, "%u-%u", member->bit, member->bit + member->bits - 1);
    vt_cell_u64(rows, member->offset);
    vt_cell_u64(rows, member->size);
    vt_cell_text(rows, member->bits != 0 ? bits : NULL);
    vt_cell_text(rows, name[0] != '\0' ? name : NULL);
    vt_cell_text(rows, type);
    return 0;
}

static int print_type(const struct vt_args *args, const struct vt_kernel *kernel, const char *type)
{
    struct vt_error err;
    struct vt_rows *rows;
    uint32_t bytes;
    int rc = vt_kernel_struct_size(kernel, type, &bytes, &err);
    if (rc == 0) {
        rc = vt_rows_create_in(args, "members", member_columns,
                               sizeof member_columns / sizeof member_columns[0], &rows, &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    vt_kernel_each_member(kernel, type, print_member, rows, NULL);
    struct vt_json_writer *json = vt_rows_members(rows);
    if (json != NULL) {
        vt_json_kv_u64(json, "size_bytes", bytes);
    }
    int result = vt_rows_finish(rows);
    if (json == NULL && result == VT_EXIT_OK) {
        printf("%u bytes\n", bytes);
    }
    return result;
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    const char *wanted = vt_args_operand(args, 1), *type = vt_args_value(args, "type");
    if (type != NULL && wanted != NULL) {
        return vt_usage_error(args, "--type goes without a symbol");
    }
    int result = vt_cli_open(args, "symbols", VT_CLI_KERNEL,
                             wanted != NULL ? wanted
                             : type != NULL ? type
                                            : "",
                             &t);
    if (result != 0) {
        return result;
    }
    result = type != NULL ? print_type(args, t.kernel, type) : print_answer(args, t.kernel, wanted);
    return vt_cli_close(args, &t, result);
}

static const struct vt_option options[] = {
    {"all", NULL, "every symbol of that name, not only the first", false},
    {"type", "[MODULE:]NAME", "the members of a struct or union instead", false},
    {0},
};

const struct vt_verb vt_verb_symbols = {
    .name = "symbols",
    .alias = "sym",
    .group = "Memory",
    .summary = "Look up symbols of the kernel and its modules, by name or by address",
    .operands = "VM [[MODULE:]NAME|0xADDR]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .description =
        "Read from the symbol tables that the kernel and its modules carry in RAM. With a name:\n"
        "its address; with an address: the symbol it lies in, and how far; with neither: all\n"
        "symbols by address, the modules' after the kernel's, as /proc/kallsyms has them.",
    .examples = "vitrine symbols web init_task\nvitrine symbols web virtio_net:virtnet_probe\n"
                "vitrine symbols web 0xffffffff81000123\n"
                "vitrine symbols web --type task_struct",
    .run = run,
};
