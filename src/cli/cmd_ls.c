/* cli/cmd_ls.c - `vitrine ls`: the VMs there are. */
#include "cli/vm.h"

#include "base/text.h"
#include "vitrine/semantic.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct vt_column columns[] = {
    {.key = "name", .title = "NAME", .kind = VT_CELL_TEXT},
    {.key = "state", .title = "STATE", .kind = VT_CELL_TEXT},
    {.key = "qemu_pid", .title = "PID", .kind = VT_CELL_I64},
    {.key = "memory_bytes", .title = "MEMORY", .kind = VT_CELL_BYTES},
    {.key = "cpus", .title = "CPUS", .kind = VT_CELL_U64},
    {.key = "accel", .title = "ACCEL", .kind = VT_CELL_TEXT},
    {.key = "arch", .kind = VT_CELL_TEXT},
    {.key = "machine", .title = "MACHINE", .kind = VT_CELL_TEXT},
    {.key = "uptime_s", .title = "UP S", .kind = VT_CELL_U64},
    {.key = "qmp_path", .kind = VT_CELL_TEXT},
    {.key = "last_sample_unix_s", .kind = VT_CELL_U64},
    {.key = "note", .title = "NOTE", .kind = VT_CELL_TEXT},
};

#define N_COLUMNS (sizeof columns / sizeof columns[0])

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
            for (size_t i = 2; i < N_COLUMNS; i++) {
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
    vt_cell_text(rows, info->arch);
    vt_cell_text(rows, info->machine);
    vt_cell_u64(rows, uptime_s(info));
    char path[VT_VM_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s%s", info->attached ? info->qmp_path : info->dir,
             info->attached ? "" : "/qmp.sock");
    vt_cell_text(rows, path);
    vt_cell_none(rows);
    vt_cell_text(rows, info->attached ? "attached" : "");
    vt_vm_close(vm);
}

/* A name that attach takes, made from QEMU's. */
static void suggest_name(const struct vt_foreign_vm *f, char name[VT_VM_NAME_MAX + 1])
{
    snprintf(name, VT_VM_NAME_MAX + 1, "%.*s", VT_VM_NAME_MAX, f->name);
    if (!vt_name_is_valid(name)) {
        snprintf(name, VT_VM_NAME_MAX + 1, "qemu-%d", (int)f->qemu_pid);
    }
}

static void show_foreign(struct vt_rows *rows, const struct vt_foreign_vm *f)
{
    char name[VT_VM_NAME_MAX + 1], note[VT_VM_PATH_MAX + 128];
    suggest_name(f, name);
    if (f->qmp_path[0] == '\0') {
        snprintf(note, sizeof note, "no QMP socket to be seen");
    } else if (f->held) {
        snprintf(note, sizeof note, "another client holds its QMP socket %s", f->qmp_path);
    } else {
        snprintf(note, sizeof note, "vitrine attach %s --qmp %s", name, f->qmp_path);
    }
    vt_cell_text(rows, name);
    vt_cell_text(rows, "not attached");
    vt_cell_i64(rows, f->qemu_pid);
    for (size_t i = 3; i < N_COLUMNS - 3; i++) {
        vt_cell_none(rows);
    }
    vt_cell_text(rows, f->qmp_path[0] != '\0' ? f->qmp_path : NULL);
    vt_cell_none(rows);
    vt_cell_text(rows, note);
}

static int show_all_foreign(struct vt_rows *rows, struct vt_error *err)
{
    struct vt_foreign_vm *list;
    size_t n;
    int rc = vt_vm_discover(&list, &n, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        show_foreign(rows, &list[i]);
    }
    free(list);
    return 0;
}

static void show_past(struct vt_rows *rows, const struct vt_past *past)
{
    char when[32], note[64];
    bool noted = past->ended_s > 0;
    time_t seconds = (time_t)(noted ? past->ended_s : past->last_s);
    struct tm t;
    if (localtime_r(&seconds, &t) == NULL || strftime(when, sizeof when, "%F %T", &t) == 0) {
        snprintf(when, sizeof when, "an unknown time");
    }
    snprintf(note, sizeof note, "%s %s", noted ? "ended" : "last sample", when);
    vt_cell_text(rows, past->name);
    vt_cell_text(rows, "ended");
    for (size_t i = 2; i < N_COLUMNS - 2; i++) {
        vt_cell_none(rows);
    }
    vt_cell_u64(rows, past->last_s > 0 ? (uint64_t)past->last_s : 0);
    vt_cell_text(rows, note);
}

static int show_all_past(struct vt_rows *rows, struct vt_error *err)
{
    struct vt_past *list;
    size_t n;
    int rc = vt_past_list(&list, &n, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        show_past(rows, &list[i]);
    }
    free(list);
    return 0;
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
    } else if (vt_rows_create(args, columns, N_COLUMNS, &rows, &err) != 0) {
        rc = vt_report(args, &err);
    } else {
        for (size_t i = 0; i < n; i++) {
            show_vm(rows, names[i]);
        }
        if (!vt_args_flag(args, "ours") && show_all_foreign(rows, &err) != 0) {
            rc = vt_report(args, &err);
        }
        if (vt_args_flag(args, "all") && show_all_past(rows, &err) != 0) {
            rc = vt_report(args, &err);
        }
        int written = vt_rows_finish(rows);
        rc = rc != 0 ? rc : written;
    }
    vt_vm_names_free(names, n);
    return rc;
}

static const struct vt_option options[] = {
    {"all", NULL, "also list VMs that ended and left a database", false},
    {"names", NULL, "print the names of our VMs only, one a line", false},
    {"ours", NULL, "do not look for VMs that vitrine does not know", false},
    {0},
};

const struct vt_verb vt_verb_ls = {
    .name = "ls",
    .alias = "list",
    .group = "Machines",
    .summary = "List virtual machines",
    .operands = "",
    .options = options,
    .description =
        "Lists the VMs that run, with their state, and the QEMUs on this host that vitrine does\n"
        "not know yet, with the command that attaches them. What was left behind by a VM whose\n"
        "keeper was killed is removed on the way. A VM that has ended, which --all shows, can "
        "still be\n"
        "asked: by 'vitrine ask' and 'vitrine sql', as long as its database is there.",
    .examples = "vitrine ls\nvitrine ls --json",
    .run = run,
};
