/* cli/cmd_snapshot.c - `vitrine snapshot`: a guest's RAM into a file, with a verdict. */
#include "cli/target.h"
#include "guest/copy.h"

#include <stdlib.h>

static const struct vt_column columns[] = {
    {.key = "vm", .title = "VM", .kind = VT_CELL_TEXT},
    {.key = "verdict", .title = "VERDICT", .kind = VT_CELL_TEXT},
    {.key = "bytes", .title = "BYTES", .kind = VT_CELL_BYTES},
    {.key = "stored_bytes", .title = "STORED", .kind = VT_CELL_BYTES},
    {.key = "retried_pages", .title = "RETRIED", .kind = VT_CELL_U64},
    {.key = "torn_pages", .title = "TORN", .kind = VT_CELL_U64},
    {.key = "paused_ms", .title = "PAUSED MS", .kind = VT_CELL_F64, .digits = 2},
    {.key = "copy_ms", .title = "COPY MS", .kind = VT_CELL_F64, .digits = 2},
    {.key = "mode", .title = "MODE", .kind = VT_CELL_TEXT},
    {.key = "torn", .kind = VT_CELL_TEXT},
};

static int show(const struct vt_args *args, const struct vt_target *t, const struct vt_copy *copy,
                uint64_t stored, struct vt_error *err)
{
    const struct vt_refresh_result *r = &copy->result;
    struct vt_rows *rows;
    int rc = vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, err);
    if (rc != 0) {
        return vt_report(args, err);
    }
    char *torn = vt_copy_torn(copy, t->ram);
    vt_cell_text(rows, t->name);
    vt_cell_text(rows, vt_verdict_name(r->verdict));
    vt_cell_u64(rows, vt_ram_end(t->ram).v);
    vt_cell_u64(rows, stored);
    vt_cell_u64(rows, r->retried_pages);
    vt_cell_u64(rows, r->torn_pages);
    vt_cell_f64(rows, (double)r->paused_ns / 1e6);
    vt_cell_f64(rows, (double)r->total_ns / 1e6);
    vt_cell_text(
        rows, vt_track_mode_name(copy->track != NULL ? vt_track_mode(copy->track) : VT_TRACK_NONE));
    vt_cell_text(rows, torn);
    free(torn);
    return vt_rows_finish(rows);
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    const char *path = vt_args_operand(args, 1);
    int result = vt_cli_open(args, "snapshot", VT_CLI_RAM, path, &t);
    if (result != 0) {
        return result;
    }
    struct vt_copy copy = {0};
    uint64_t stored = 0;
    int rc = t.vm == NULL ? vt_fail(&err, VT_E_INVAL, "%s is a snapshot already", t.name)
                          : vt_copy_take(&t, vt_args_flag(args, "pause"), false, &copy, &err);
    if (rc == 0) {
        struct vt_share share = {.what = "writing"};
        const struct vt_dump dump = {.ram = t.ram,
                                     .copy = vt_snapshot_bytes(copy.snap),
                                     .progress = vt_cli_progress,
                                     .arg = &share};
        rc = vt_copy_write(path, &dump, VT_DUMP_RAW, &stored, &err);
    }
    result = rc == 0 ? show(args, &t, &copy, stored, &err) : vt_report(args, &err);
    vt_copy_fini(&copy);
    return vt_cli_close(args, &t, result);
}

static const struct vt_option options[] = {VT_CLI_PAUSE, {0}};

const struct vt_verb vt_verb_snapshot = {
    .name = "snapshot",
    .group = "Memory",
    .summary = "Write a guest's RAM to a file, and say how consistent it is",
    .operands = "VM FILE",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "The file holds guest-physical memory from address 0: a page's offset is its\n"
        "address, and what is zero or no RAM is a hole. Every verb that looks into a guest\n"
        "takes it in place of a VM's name, written with a '/' (./FILE).\n\n"
        "The verdict: 'consistent' or, after copying some pages again, 'retried' means RAM as\n"
        "it was at one moment; 'torn' means the guest kept writing, and the pages that changed\n"
        "under the copy are listed (--json). With --pause the guest stops for the last part of\n"
        "the copy, about a millisecond, and the copy is always of one moment.",
    .examples = "vitrine snapshot web web.raw --pause\nvitrine ps ./web.raw",
    .run = run,
};
