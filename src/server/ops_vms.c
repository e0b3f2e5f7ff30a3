/* server/ops_vms.c - operations on VMs themselves: which there are, what is known of one. */
#include "server/ops_parts.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATE_TIMEOUT_MS 2000

/* ---------------------------------------------------------------- list */

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void write_vm(struct vt_json_writer *w, const char *name)
{
    struct vt_vm *vm;
    struct vt_error err;
    enum vt_vm_state state = VT_VM_UNKNOWN;
    int rc = vt_vm_open(name, &vm, &err);
    if (rc != 0 && rc != VT_E_BUSY) {
        return; /* it ended meanwhile */
    }
    vt_json_object(w);
    vt_json_kv_string(w, "name", name);
    if (rc != 0) { /* starting or ending: nothing but its name is known */
        vt_json_kv_string(w, "state", vt_vm_state_name(state));
        vt_json_object_end(w);
        return;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    if (vt_vm_query_state(vm, STATE_TIMEOUT_MS, &state, NULL) != 0) {
        state = VT_VM_UNKNOWN;
    }
    double started = (double)info->started_unix_ns / 1e9, up = now_s() - started;
    vt_json_kv_string(w, "state", vt_vm_state_name(state));
    vt_json_kv_bool(w, "attached", info->attached);
    vt_json_kv_u64(w, "memory_bytes", info->ram_bytes);
    vt_json_kv_u64(w, "cpus", info->cpus);
    vt_json_kv_string(w, "arch", info->arch);
    vt_json_kv_string(w, "machine", info->machine);
    vt_json_kv_string(w, "accel", info->accel);
    vt_json_kv_string(w, "qemu_version", info->qemu_version);
    vt_json_kv_i64(w, "qemu_pid", info->qemu_pid);
    vt_json_kv_f64(w, "started_unix_s", started, 16);
    vt_json_kv_f64(w, "uptime_s", up > 0 ? up : 0, 6);
    vt_json_kv_string(w, "ram_why", info->ram_why[0] != '\0' ? info->ram_why : NULL);
    vt_json_key(w, "regions");
    vt_json_array(w);
    for (unsigned i = 0; i < info->n_regions; i++) {
        vt_json_object(w);
        vt_json_kv_hex(w, "gpa", info->regions[i].gpa.v);
        vt_json_kv_hex(w, "offset", info->regions[i].offset.v);
        vt_json_kv_u64(w, "bytes", info->regions[i].bytes);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_object_end(w);
    vt_vm_close(vm);
}

static void write_past(struct vt_json_writer *w, const struct vt_past *past)
{
    vt_json_object(w);
    vt_json_kv_string(w, "name", past->name);
    vt_json_kv_string(w, "state", "ended");
    vt_json_kv_f64(w, "last_sample_unix_s", past->last_s, 16);
    if (past->ended_s > 0) {
        vt_json_kv_f64(w, "ended_unix_s", past->ended_s, 16);
    }
    vt_json_object_end(w);
}

static int list_vms(struct vt_op_call *call, struct vt_error *err)
{
    char **names;
    size_t n, n_past = 0;
    struct vt_past *past = NULL;
    int rc = vt_vm_names(&names, &n, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_call_bool(call, "ended") ? vt_past_list(&past, &n_past, err) : 0;
    if (rc != 0) {
        vt_vm_names_free(names, n);
        return rc;
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "vms");
    vt_json_array(call->out);
    for (size_t i = 0; i < n; i++) {
        if (vt_host_may_see(call->host, names[i])) {
            write_vm(call->out, names[i]);
        }
    }
    for (size_t i = 0; i < n_past; i++) {
        if (vt_host_may_see(call->host, past[i].name)) {
            write_past(call->out, &past[i]);
        }
    }
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    vt_vm_names_free(names, n);
    free(past);
    return 0;
}

int vt_call_write_vm(struct vt_op_call *call, const char *name, struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = vt_vm_open(name, &vm, err);
    if (rc == 0) {
        vt_vm_close(vm);
    }
    if (rc != 0 && rc != VT_E_BUSY) {
        return rc;
    }
    write_vm(call->out, name);
    return call->out->has_item[0] ? 0 : vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s'", name);
}

static int vm_info(struct vt_op_call *call, struct vt_error *err)
{
    const char *name = vt_call_text(call, "vm");
    struct vt_past past;
    int rc = vt_call_write_vm(call, name, err);
    if (rc == VT_E_NOT_FOUND && vt_past_find(name, &past, NULL) == 0) {
        write_past(call->out, &past);
        rc = 0;
    }
    return rc;
}

#define VM_SCHEMA                                                                                  \
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"name\", \"state\"]," \
    " \"properties\": {"                                                                           \
    "\"name\": {\"type\": \"string\"},"                                                            \
    "\"state\": {\"enum\": [\"unknown\", \"running\", \"paused\", \"shutdown\", \"crashed\","      \
    " \"migrating\", \"dead\", \"ended\"], \"description\": \"ended: only its database is left,"   \
    " for ask, sql, events and the sampled tables\"},"                                             \
    "\"attached\": {\"type\": \"boolean\", \"description\": \"started by somebody else\"},"        \
    "\"memory_bytes\": {\"type\": \"integer\"},"                                                   \
    "\"cpus\": {\"type\": \"integer\"},"                                                           \
    "\"arch\": {\"type\": \"string\"}, \"machine\": {\"type\": \"string\"},"                       \
    "\"accel\": {\"type\": \"string\"},"                                                           \
    "\"qemu_version\": {\"type\": \"string\"},"                                                    \
    "\"qemu_pid\": {\"type\": \"integer\"},"                                                       \
    "\"started_unix_s\": {\"type\": \"number\"},"                                                  \
    "\"uptime_s\": {\"type\": \"number\"},"                                                        \
    "\"last_sample_unix_s\": {\"type\": \"number\", \"description\": \"of one that ended\"},"      \
    "\"ended_unix_s\": {\"type\": \"number\", \"description\": \"when its end was sampled\"},"     \
    "\"ram_why\": {\"type\": [\"string\", \"null\"], \"description\":"                             \
    " \"why its memory cannot be read; null: it can\"},"                                           \
    "\"regions\": {\"type\": \"array\", \"description\": \"where RAM lies, guest-physically and "  \
    "in"                                                                                           \
    " its file\", \"items\": {\"type\": \"object\", \"additionalProperties\": false,"              \
    " \"required\": [\"gpa\", \"offset\", \"bytes\"], \"properties\": {"                           \
    "\"gpa\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"                             \
    "\"offset\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"                          \
    "\"bytes\": {\"type\": \"integer\"}}}}}}"

const char vt_vm_result[] = VM_SCHEMA;

static const char list_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"vms\"],"
    " \"properties\": {\"vms\": {\"type\": \"array\", \"items\": " VM_SCHEMA "}}}";

static const struct vt_param list_params[] = {
    {.name = "ended",
     .kind = VT_PARAM_BOOL,
     .doc = "also those that ended and left their database"},
    {0},
};

const struct vt_op vt_ops_vms[] = {
    {
        .name = "list_vms",
        .method = "GET",
        .path = "/vms",
        .group = "Machines",
        .title = "Virtual machines",
        .summary = "List the virtual machines",
        .description = "The VMs that can be looked into, with their state, memory and CPUs. Their\n"
                       "names are what every other operation takes as \"vm\".",
        .params = list_params,
        .flags = VT_OP_TOOL,
        .result = list_result,
        .run = list_vms,
    },
    {
        .name = "vm_info",
        .method = "GET",
        .path = "/vms/{vm}",
        .group = "Machines",
        .title = "One virtual machine",
        .summary = "Show what is known of a virtual machine",
        .flags = VT_OP_VM | VT_OP_BY_NAME,
        .result = vt_vm_result,
        .run = vm_info,
    },
    {0},
};
