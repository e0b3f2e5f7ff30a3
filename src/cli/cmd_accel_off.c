/* cli/cmd_accel_off.c - `vitrine accel off`: all kernels out. */
#include "cli/target.h"
#include "vitrine/hybrid.h"

#include <inttypes.h>

#define COMMIT_MS 30000u

static int take_out(struct vt_accel *accel, uint32_t *n, struct vt_error *err)
{
    uint32_t removed = 0;
    for (uint32_t slot = 0; slot < VT_ACCEL_SLOTS; slot++) {
        struct vt_accel_slot counts;
        vt_accel_read(accel, slot, &counts);
        removed += counts.state != VT_ACCEL_EMPTY;
        vt_accel_remove(accel, slot);
    }
    vt_accel_enable(accel, false);
    int rc = removed != 0 ? vt_accel_commit(accel, COMMIT_MS, err) : 0;
    *n = removed;
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct vt_accel *accel = NULL;
    struct vt_target target;
    uint32_t n = 0;
    int result = vt_cli_open(args, "accel off", VT_CLI_RAM, "", &target);
    if (result != 0) {
        return result;
    }
    int rc = vt_accel_open(&target, &accel, &err);
    rc = rc == 0 ? take_out(accel, &n, &err) : rc;
    if (rc == 0 && vt_args_json(args)) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, vt_args_pretty(args));
        vt_json_object(&w);
        vt_json_kv_u64(&w, "removed", n);
        vt_json_object_end(&w);
        vt_json_finish(&w);
    }
    result = rc != 0 ? vt_report(args, &err) : vt_output_finish(stdout);
    vt_accel_close(accel);
    return vt_cli_close(args, &target, result);
}

const struct vt_verb vt_verb_accel_off = {
    .name = "accel off",
    .group = "Trace",
    .summary = "Take all kernels out of a guest",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "The guest runs its own code alone from then on. A 'vitrine accel' that is running holds\n"
        "the VM: end it first, or with --remove in the first place.",
    .examples = "vitrine accel off web",
    .run = run,
};
