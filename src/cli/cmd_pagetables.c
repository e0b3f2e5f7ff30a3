/* cli/cmd_pagetables.c - `vitrine pagetables`: the noun, and the way of one address through the
 * tables.
 */
#include "base/text.h"
#include "cli/nouns.h"
#include "guest/linux/pagetables.h"

#include <inttypes.h>

static int translate(const struct vt_args *args, struct vt_target *target)
{
    struct vt_page_step steps[VT_LEVELS_MAX];
    struct vt_error err;
    struct vt_space space;
    struct vt_rows *rows;
    uint64_t address;
    unsigned n = 0;
    int rc = vt_cli_pause(args, target, &err);
    if (rc == 0) {
        rc = vt_target_address(target, vt_args_value(args, "translate"), &address, NULL, &err);
    }
    if (rc == 0) {
        rc = vt_cli_space(args, target, &space, &err);
    }
    if (rc == 0) {
        rc = vt_linux_page_steps(target->kernel, &space, VT_GVA(address), steps, &n, &err);
    }
    if (rc == 0) {
        rc = vt_rows_create_in(args, "levels", vt_page_step_columns, VT_PAGE_STEP_COLUMNS, &rows,
                               &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    for (unsigned i = 0; i < n; i++) {
        vt_cell_record(rows, &steps[i], VT_PAGE_STEP_COLUMNS);
    }
    struct vt_json_writer *w = vt_rows_members(rows);
    if (w != NULL) {
        vt_json_kv_hex(w, "virtual", address);
    }
    return vt_rows_finish(rows);
}

static int run(const struct vt_args *args)
{
    struct vt_noun_query query = {0};
    struct vt_target target;
    uint64_t pid;
    char detail[64];
    int result = vt_args_u64(args, "pid", 0, &pid);
    if (result != 0) {
        return result;
    }
    if (pid > INT32_MAX || (pid == 0 && vt_args_value(args, "pid") != NULL)) {
        return vt_usage_error(args, "--pid: a process has a number from 1 to %d", INT32_MAX);
    }
    query.pid = (int32_t)pid;
    snprintf(detail, sizeof detail, "pid %" PRId32, query.pid);
    result = vt_cli_open(args, "pagetables", VT_CLI_KERNEL, detail, &target);
    if (result != 0) {
        return result;
    }
    result = vt_args_value(args, "translate") != NULL
                 ? translate(args, &target)
                 : vt_noun_print(args, &target, vt_noun_find("pagetables"), &query);
    return vt_cli_close(args, &target, result);
}

static const struct vt_option options[] = {
    {"pid", "N", "of this process; default: the kernel's own", false},
    {"translate", "ADDR", "only what leads to this address, symbol or symbol+offset", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_pagetables = {
    .name = "pagetables",
    .group = "Memory",
    .summary = "Show page tables as ranges, or what leads to one address",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "The kernel's own page tables, or with --pid a process's: those the kernel runs on\n"
        "for it. Neighbours with the same flags are one range; permissions are those of all\n"
        "levels together. Tables are followed wherever they lead, themselves included.\n\n"
        "With --translate: the entries that lead to an address, from the root's table down,\n"
        "where each lies, its bits, the table or byte it leads to, or why it ends there.",
    .examples = "vitrine pagetables web\nvitrine pagetables web --pid 1\n"
                "vitrine pagetables web --translate init_task\n"
                "vitrine pagetables web --pid 1 --translate 0x401000 --json",
    .columns = vt_page_range_columns,
    .n_columns = VT_PAGE_RANGE_COLUMNS,
    .run = run,
};
