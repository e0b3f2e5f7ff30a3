/* cli/cmd_translate.c - `vitrine translate`: from a virtual address to a physical one. */
#include "base/text.h"
#include "cli/target.h"

#include <stdio.h>

static const struct vt_column columns[] = {
    {.key = "virtual", .title = "VIRTUAL", .kind = VT_CELL_HEX},
    {.key = "physical", .title = "PHYSICAL", .kind = VT_CELL_HEX},
    {.key = "page_bytes", .title = "PAGE", .kind = VT_CELL_BYTES},
    {.key = "flags", .title = "FLAGS", .kind = VT_CELL_TEXT},
    {.key = "offset", .title = "OFFSET", .kind = VT_CELL_HEX},
};

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    struct vt_space space;
    struct vt_mapping m;
    struct vt_rows *rows;
    uint64_t address;
    int result = vt_cli_open(args, "translate", VT_CLI_KERNEL, vt_args_operand(args, 1), &t);
    if (result != 0) {
        return result;
    }
    int rc = vt_cli_pause(args, &t, &err);
    if (rc == 0) {
        rc = vt_target_address(&t, vt_args_operand(args, 1), &address, NULL, &err);
    }
    if (rc == 0) {
        rc = vt_cli_space(args, &t, &space, &err);
    }
    if (rc == 0) {
        rc = vt_space_lookup(&space, VT_GVA(address), &m, &err);
    }
    if (rc == 0) {
        rc = vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, &err);
    }
    if (rc != 0) {
        return vt_cli_close(args, &t, vt_report(args, &err));
    }
    char flags[128];
    struct vt_off off;
    uint64_t physical = m.gpa.v + (address - m.gva.v);
    vt_page_flags_text(m.flags, flags, sizeof flags);
    vt_cell_u64(rows, address);
    vt_cell_u64(rows, physical);
    vt_cell_u64(rows, m.page_bytes);
    vt_cell_text(rows, flags);
    if (vt_ram_offset(t.ram, VT_GPA(physical), &off, NULL, NULL) == 0) {
        vt_cell_u64(rows, off.v);
    } else {
        vt_cell_none(rows); /* a device's memory */
    }
    return vt_cli_close(args, &t, vt_rows_finish(rows));
}

static const struct vt_option options[] = {
    {"pid", "PID", "in that process; default: the kernel's own tables", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_translate = {
    .name = "translate",
    .group = "Memory",
    .summary = "Translate a virtual address through the guest's page tables",
    .operands = "VM ADDR",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "ADDR is a number, a kernel symbol or symbol+offset. FLAGS are those of all levels\n"
        "together; OFFSET is where the byte lies in the file that backs RAM.",
    .examples = "vitrine translate web init_task\nvitrine translate web 0x400000 --pid 85",
    .run = run,
};
