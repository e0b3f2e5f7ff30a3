/* cli/cmd_ls.c - `vitrine ls`: the VMs there are. */
#include "cli/vm.h"

#include <time.h>

static const struct vt_column columns[] = {
    {"name", "NAME", VT_CELL_TEXT, 0},       {"state", "STATE", VT_CELL_TEXT, 0},
    {"qemu_pid", "PID", VT_CELL_I64, 0},     {"memory_bytes", "MEMORY", VT_CELL_BYTES, 0},
    {"cpus", "CPUS", VT_CELL_U64, 0},        {"accel", "ACCEL", VT_CELL_TEXT, 0},
    {"machine", "MACHINE", VT_CELL_TEXT, 0}, {"uptime_s", "UP S", VT_CELL_U64, 0},
};

#define STATE_TIMEOUT_MS 2000

static uint64_t uptime_s(const struct vt_vm_info *info)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return now_ns > info->started_unix_ns ? (now_ns - info->started_unix_ns) / 1000000000u : 0;
}

static void show_vm(struct vt_rows *rows, const char *name)
{
    struct vt_vm *vm;
    struct vt_error err;
    if (vt_vm_open(name, &vm, &err) != 0) {
        if (err.code == VT_E_BUSY) { /* starting or ending: nothing but its name is known */
            vt_cell_text(rows, name);
            vt_cell_text(rows, vt_vm_state_name(VT_VM_UNKNOWN));
            for (size_t i = 2; i < sizeof columns / sizeof columns[0]; i++) {
                vt_cell_none(rows);
            }
        }
        return;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    enum vt_vm_state state = VT_VM_UNKNOWN;
    if (vt_vm_query_state(vm, STATE_TIMEOUT_MS, &state, &err) != 0) {
        state = VT_VM_UNKNOWN;
    }
    vt_cell_text(rows, info->name);
    vt_cell_text(rows, vt_vm_state_name(state));
    vt_cell_i64(rows, info->qemu_pid);
    vt_cell_u64(rows, info->ram_bytes);
    vt_cell_u64(rows, info->cpus);
    vt_cell_text(rows, info->accel);
    vt_cell_text(rows, info->machine);
    vt_cell_u64(rows, uptime_s(info));
    vt_vm_close(vm);
}

static int run(const struct vt_args *args)
{
    char **names;
    size_t n;
    struct vt_rows *rows;
    struct vt_error err;
    vt_vm_clean_stale();
    if (vt_vm_names(&names, &n, &err) != 0) {
        return vt_report(args, &err);
    }
    int rc = VT_EXIT_OK;
    if (vt_args_flag(args, "names")) {
        for (size_t i = 0; i < n; i++) {
            puts(names[i]);
        }
    } else if (vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, &err) !=
               0) {
        rc = vt_report(args, &err);
    } else {
        for (size_t i = 0; i < n; i++) {
            show_vm(rows, names[i]);
        }
        rc = vt_rows_finish(rows);
    }
    vt_vm_names_free(names, n);
    return rc;
}

static const struct vt_option options[] = {
    {"names", NULL, "print names only, one a line", false},
    {0},
};

const struct vt_verb vt_verb_ls = {
    .name = "ls",
    .alias = "list",
    .group = "Machines",
    .summary = "List virtual machines",
    .operands = "",
    .options = options,
    .description = "Lists the VMs that run, with their state. What was left behind by a VM whose\n"
                   "keeper was killed is removed on the way.",
    .examples = "vitrine ls\nvitrine ls --json",
    .run = run,
};
