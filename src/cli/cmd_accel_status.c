/* cli/cmd_accel_status.c - `vitrine accel status`: the ledger of a VM's kernels as of now. */
#include "cli/accel_show.h"
#include "cli/target.h"
#include "hybrid/ledger.h"

#include <stdlib.h>

struct status {
    struct vt_accel *accel;
    struct vt_ledger_row *rows;
    uint32_t n;
    uint64_t threshold;
};

static uint32_t in_use(const struct status *s)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < VT_ACCEL_SLOTS; slot++) {
        struct vt_accel_slot counts;
        vt_accel_read(s->accel, slot, &counts);
        n += counts.state == VT_ACCEL_ACTIVE;
    }
    return n;
}

static void show_json(const struct vt_args *args, const struct status *s)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "vm", vt_args_operand(args, 0));
    vt_json_kv_bool(&w, "enabled", vt_accel_enabled(s->accel));
    vt_json_kv_u64(&w, "kernels", in_use(s));
    vt_json_kv_u64(&w, "threshold", s->threshold);
    vt_json_key(&w, "loops");
    vt_json_array(&w);
    for (uint32_t i = 0; i < s->n; i++) {
        vt_json_object(&w);
        vt_ledger_row_json(&s->rows[i], &w);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static int show_table(const struct vt_args *args, const struct status *s, struct vt_error *err)
{
    struct vt_rows *rows;
    int rc = vt_rows_create(args, vt_accel_columns, VT_ACCEL_COLUMNS, &rows, err);
    for (uint32_t i = 0; i < s->n && rc == 0; i++) {
        struct vt_accel_shown shown;
        vt_accel_shown(&s->rows[i], &shown);
        vt_cell_record(rows, &shown, VT_ACCEL_COLUMNS);
    }
    if (rc == 0) {
        (void)vt_rows_finish(rows); /* the stream keeps a failure until the end */
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct status s = {0};
    struct vt_target target;
    int result = vt_cli_open(args, "accel status", VT_CLI_RAM, "", &target);
    if (result != 0) {
        return result;
    }
    int rc = vt_accel_open_to_read(&target, &s.accel, &err);
    if (rc == 0) {
        rc = vt_ledger_read(&target, s.accel, &s.rows, &s.n, &s.threshold, &err);
    }
    if (rc == 0 && vt_args_json(args)) {
        show_json(args, &s);
    } else if (rc == 0) {
        rc = show_table(args, &s, &err);
    }
    result = rc != 0 ? vt_report(args, &err) : vt_output_finish(stdout);
    free(s.rows);
    vt_accel_close(s.accel);
    return vt_cli_close(args, &target, result);
}

const struct vt_verb vt_verb_accel_status = {
    .name = "accel status",
    .group = "Trace",
    .summary = "Show a guest's loops that were looked at, and what their kernels do",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "The ledger of 'vitrine accel', which may be running or over, with the counters of now:\n"
        "iterations that kernels ran, calls that they declined and why. All of it, with slices,\n"
        "bytes and checks at run time, is in the output of --json.",
    .examples = "vitrine accel status web\n"
                "vitrine accel status web --json | jq '.loops[] | select(.fate == \"kept\")'",
    .columns = vt_accel_columns,
    .n_columns = VT_ACCEL_COLUMNS,
    .run = run,
};
