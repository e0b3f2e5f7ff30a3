/* cli/cmd_info.c - `vitrine info`: everything known of one VM. */
#include "cli/vm.h"

#include "base/text.h"
#include "vitrine/memory.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define STATE_TIMEOUT_MS 2000

/* How changes of RAM are noticed, and why not in the cheap way. */
struct tracking {
    enum vt_track_mode mode;
    char why[VT_ERROR_MESSAGE_MAX];
};

static void ask_tracking(struct vt_vm *vm, struct tracking *t)
{
    struct vt_track *track;
    struct vt_error err;
    *t = (struct tracking){.mode = VT_TRACK_NONE};
    if (vt_track_open(vm, &track, &err) != 0) {
        snprintf(t->why, sizeof t->why, "%s", err.message);
        return;
    }
    t->mode = vt_track_mode(track);
    snprintf(t->why, sizeof t->why, "%s", vt_track_why(track));
    vt_track_close(track);
}

static void print_json(const struct vt_args *args, const struct vt_vm_info *info,
                       const struct tracking *tracking, const char *state)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "name", info->name);
    vt_json_kv_string(&w, "state", state);
    vt_json_kv_bool(&w, "attached", info->attached);
    vt_json_kv_string(&w, "directory", info->dir);
    vt_json_kv_i64(&w, "qemu_pid", info->qemu_pid);
    vt_json_kv_i64(&w, "keeper_pid", info->keeper_pid);
    vt_json_kv_u64(&w, "qemu_uid", info->qemu_uid);
    vt_json_kv_string(&w, "qemu_version", info->qemu_version);
    vt_json_kv_string(&w, "accel", info->accel);
    vt_json_kv_string(&w, "arch", info->arch);
    vt_json_kv_string(&w, "machine", info->machine);
    vt_json_kv_u64(&w, "cpus", info->cpus);
    vt_json_kv_u64(&w, "memory_bytes", info->ram_bytes);
    vt_json_kv_string(&w, "ram_path", info->ram_path[0] != '\0' ? info->ram_path : NULL);
    vt_json_kv_string(&w, "ram_why", info->ram_why[0] != '\0' ? info->ram_why : NULL);
    vt_json_key(&w, "regions");
    vt_json_array(&w);
    for (unsigned i = 0; i < info->n_regions; i++) {
        vt_json_object(&w);
        vt_json_kv_hex(&w, "gpa", info->regions[i].gpa.v);
        vt_json_kv_hex(&w, "offset", info->regions[i].offset.v);
        vt_json_kv_u64(&w, "bytes", info->regions[i].bytes);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_kv_string(&w, "tracking", vt_track_mode_name(tracking->mode));
    vt_json_kv_string(&w, "tracking_why", tracking->why[0] != '\0' ? tracking->why : NULL);
    vt_json_kv_string(&w, "trace_path", info->trace_path[0] != '\0' ? info->trace_path : NULL);
    vt_json_kv_string(&w, "trace_why", info->trace_path[0] != '\0' ? NULL : info->trace_why);
    vt_json_kv_string(&w, "hybrid_path", info->hybrid_path[0] != '\0' ? info->hybrid_path : NULL);
    vt_json_kv_string(&w, "hybrid_why", info->hybrid_path[0] != '\0' ? NULL : info->hybrid_why);
    vt_json_kv_string(&w, "kernel", info->kernel[0] != '\0' ? info->kernel : NULL);
    vt_json_kv_f64(&w, "started_unix_s", (double)info->started_unix_ns / 1e9, 16);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void line(const char *what, const char *text)
{
    char safe[2048];
    vt_text_printable(safe, sizeof safe, text, strlen(text));
    printf("%-10s %s\n", what, safe);
}

static void print_text(const struct vt_vm_info *info, const struct tracking *tracking,
                       const char *state)
{
    char text[VT_VM_PATH_MAX + 256], size[32];
    line("name", info->name);
    line("state", state);
    snprintf(text, sizeof text, "%s, %s, %s, %u CPU%s, %s", info->machine, info->arch, info->accel,
             info->cpus, info->cpus == 1 ? "" : "s",
             vt_format_bytes(size, sizeof size, info->ram_bytes));
    line("machine", text);
    snprintf(text, sizeof text, "%s, pid %d, uid %u%s", info->qemu_version, (int)info->qemu_pid,
             (unsigned)info->qemu_uid, info->attached ? ", started by somebody else" : "");
    line("QEMU", text);
    snprintf(text, sizeof text, "pid %d", (int)info->keeper_pid);
    line("keeper", text);
    if (info->kernel[0] != '\0') {
        line("kernel", info->kernel);
    }
    if (info->ram_path[0] != '\0') {
        line("RAM", info->ram_path);
    } else {
        snprintf(text, sizeof text, "not shared: %s", info->ram_why);
        line("RAM", text);
    }
    for (unsigned i = 0; i < info->n_regions; i++) {
        const struct vt_ram_region *r = &info->regions[i];
        printf("  0x%012" PRIx64 " - 0x%012" PRIx64 "  at file offset 0x%" PRIx64 " (%s)\n",
               r->gpa.v, r->gpa.v + r->bytes - 1, r->offset.v,
               vt_format_bytes(size, sizeof size, r->bytes));
    }
    snprintf(text, sizeof text, "%s%s%s", vt_track_mode_name(tracking->mode),
             tracking->why[0] != '\0' ? ": " : "", tracking->why);
    line("changes", text);
    snprintf(text, sizeof text, "%s%s", info->trace_path[0] != '\0' ? "" : "none: ",
             info->trace_path[0] != '\0' ? info->trace_path : info->trace_why);
    line("trace", text);
    snprintf(text, sizeof text, "%s%s", info->hybrid_path[0] != '\0' ? "" : "none: ",
             info->hybrid_path[0] != '\0' ? info->hybrid_path : info->hybrid_why);
    line("kernels", text);
    struct tm tm;
    time_t started = (time_t)(info->started_unix_ns / 1000000000u);
    if (localtime_r(&started, &tm) != NULL && strftime(text, sizeof text, "%F %T %z", &tm) > 0) {
        line(info->attached ? "attached" : "started", text);
    }
    line("directory", info->dir);
    char qmp[VT_VM_PATH_MAX + 16];
    snprintf(qmp, sizeof qmp, "%s%s", info->attached ? info->qmp_path : info->dir,
             info->attached ? "" : "/qmp.sock");
    snprintf(text, sizeof text, "socat READLINE UNIX-CONNECT:%s", qmp);
    line("QMP", text);
    snprintf(text, sizeof text,
             "echo '{\"execute\":\"qmp_capabilities\"}{\"execute\":\"human-monitor-command\","
             "\"arguments\":{\"command-line\":\"gdbserver tcp:127.0.0.1:1234\"}}' | "
             "socat -t1 - UNIX-CONNECT:%s && gdb -ex 'target remote :1234'",
             qmp);
    line("gdb", text);
}

static int run(const struct vt_args *args)
{
    struct vt_vm *vm;
    struct vt_error err;
    enum vt_vm_state state;
    int rc = vt_cli_open_vm(args, &vm);
    if (rc != 0) {
        return rc;
    }
    if (vt_vm_query_state(vm, STATE_TIMEOUT_MS, &state, &err) != 0) {
        rc = vt_report(args, &err);
    } else {
        struct tracking tracking;
        ask_tracking(vm, &tracking);
        if (vt_args_json(args)) {
            print_json(args, vt_vm_info(vm), &tracking, vt_vm_state_name(state));
        } else {
            print_text(vt_vm_info(vm), &tracking, vt_vm_state_name(state));
        }
    }
    vt_vm_close(vm);
    return rc;
}

const struct vt_verb vt_verb_info = {
    .name = "info",
    .group = "Machines",
    .summary = "Show everything known of a VM",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
