/* machine/vmjson.c - vm.json: struct vt_vm_info and struct vt_vm_config as JSON, and back. */
#include "machine/vmdir.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VMJSON_MAX ((size_t)256 << 10)

int vt_vmdir_write(const char *dir, const struct vt_vm_info *info, json_t *config,
                   struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = vt_vmdir_file(dir, "vm.json", path, err);
    if (rc != 0) {
        return rc;
    }
    json_t *regions = json_array();
    for (unsigned i = 0; i < info->n_regions; i++) {
        json_array_append_new(regions, json_pack("{s:I, s:I, s:I}", "gpa",
                                                 (json_int_t)info->regions[i].gpa.v, "offset",
                                                 (json_int_t)info->regions[i].offset.v, "bytes",
                                                 (json_int_t)info->regions[i].bytes));
    }
    json_t *j = json_pack(
        "{s:i, s:s, s:b, s:s, s:i, s:i, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:I, "
        "s:o, s:b, s:s, s:I, s:s, s:s, s:s, s:s, s:O*}",
        "vitrine", 1, "name", info->name, "attached", info->attached, "qmp_path", info->qmp_path,
        "qemu_pid", (int)info->qemu_pid, "keeper_pid", (int)info->keeper_pid, "qemu_uid",
        (json_int_t)info->qemu_uid, "qemu_version", info->qemu_version, "accel", info->accel,
        "arch", info->arch, "machine", info->machine, "cpus", (json_int_t)info->cpus, "ram_path",
        info->ram_path, "ram_why", info->ram_why, "ram_bytes", (json_int_t)info->ram_bytes,
        "regions", regions, "tracking", info->tracking, "kernel", info->kernel, "started_unix_ns",
        (json_int_t)info->started_unix_ns, "trace_path", info->trace_path, "trace_why",
        info->trace_why, "hybrid_path", info->hybrid_path, "hybrid_why", info->hybrid_why, "config",
        config);
    char *text = j != NULL ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    if (text == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    rc = vt_write_file_atomic(path, text, strlen(text), 0600, err);
    free(text);
    return rc;
}

/* Copies a string member; false when it is missing, no string or too long. */
static bool get_string(json_t *j, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(j, key));
    if (s == NULL || strlen(s) >= size) {
        return false;
    }
    memcpy(out, s, strlen(s) + 1);
    return true;
}

static bool get_u64(json_t *j, const char *key, uint64_t max, uint64_t *out)
{
    json_t *v = json_object_get(j, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > max) {
        return false;
    }
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static bool get_regions(json_t *j, struct vt_vm_info *info)
{
    json_t *list = json_object_get(j, "regions");
    if (!json_is_array(list) || json_array_size(list) > VT_RAM_REGIONS_MAX) {
        return false;
    }
    info->n_regions = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < info->n_regions; i++) {
        json_t *r = json_array_get(list, i);
        if (!get_u64(r, "gpa", INT64_MAX, &info->regions[i].gpa.v) ||
            !get_u64(r, "offset", INT64_MAX, &info->regions[i].offset.v) ||
            !get_u64(r, "bytes", INT64_MAX, &info->regions[i].bytes)) {
            return false;
        }
    }
    return true;
}

/* Those of before there was more than one have no such member. */
static bool get_arch(json_t *j, struct vt_vm_info *info)
{
    snprintf(info->arch, sizeof info->arch, "x86_64");
    return json_object_get(j, "arch") == NULL ||
           get_string(j, "arch", info->arch, sizeof info->arch);
}

/* Those of before there was a trace have neither. */
static bool get_trace(json_t *j, struct vt_vm_info *info)
{
    return json_object_get(j, "trace_path") == NULL ||
           (get_string(j, "trace_path", info->trace_path, sizeof info->trace_path) &&
            get_string(j, "trace_why", info->trace_why, sizeof info->trace_why));
}

/* Those of before kernels ran in place of loops have neither. */
static bool get_hybrid(json_t *j, struct vt_vm_info *info)
{
    return json_object_get(j, "hybrid_path") == NULL ||
           (get_string(j, "hybrid_path", info->hybrid_path, sizeof info->hybrid_path) &&
            get_string(j, "hybrid_why", info->hybrid_why, sizeof info->hybrid_why));
}

static bool get_info(json_t *j, struct vt_vm_info *info)
{
    uint64_t version, qemu_pid, keeper_pid, uid, cpus;
    json_t *attached = json_object_get(j, "attached"), *tracking = json_object_get(j, "tracking");
    bool ok = get_u64(j, "vitrine", 1, &version) && version == 1 &&
              get_string(j, "name", info->name, sizeof info->name) &&
              get_string(j, "qmp_path", info->qmp_path, sizeof info->qmp_path) &&
              get_u64(j, "qemu_pid", INT32_MAX, &qemu_pid) &&
              get_u64(j, "keeper_pid", INT32_MAX, &keeper_pid) &&
              get_u64(j, "qemu_uid", UINT32_MAX, &uid) &&
              get_string(j, "qemu_version", info->qemu_version, sizeof info->qemu_version) &&
              get_string(j, "accel", info->accel, sizeof info->accel) && get_arch(j, info) &&
              get_string(j, "machine", info->machine, sizeof info->machine) &&
              get_u64(j, "cpus", UINT32_MAX, &cpus) &&
              get_string(j, "ram_path", info->ram_path, sizeof info->ram_path) &&
              get_string(j, "ram_why", info->ram_why, sizeof info->ram_why) &&
              get_u64(j, "ram_bytes", INT64_MAX, &info->ram_bytes) && get_regions(j, info) &&
              get_string(j, "kernel", info->kernel, sizeof info->kernel) && get_trace(j, info) &&
              get_hybrid(j, info) &&
              get_u64(j, "started_unix_ns", INT64_MAX, &info->started_unix_ns) &&
              json_is_boolean(attached) && json_is_boolean(tracking);
    if (!ok) {
        return false;
    }
    info->attached = json_is_true(attached);
    info->tracking = json_is_true(tracking);
    info->qemu_pid = (pid_t)qemu_pid;
    info->keeper_pid = (pid_t)keeper_pid;
    info->qemu_uid = (uid_t)uid;
    info->cpus = (unsigned)cpus;
    return true;
}

int vt_vmdir_read(const char *dir, struct vt_vm_info *info, json_t **config, struct vt_error *err)
{
    char path[PATH_MAX];
    char *text;
    size_t bytes;
    int rc = vt_vmdir_file(dir, "vm.json", path, err);
    rc = rc != 0 ? rc : vt_read_file(path, VMJSON_MAX, &text, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    json_t *j = json_loadb(text, bytes, 0, NULL);
    free(text);
    struct vt_vm_info got = {0};
    if (!json_is_object(j) || !get_info(j, &got) || strlen(dir) >= sizeof got.dir) {
        json_decref(j);
        return vt_fail(err, VT_E_CORRUPT, "%s is damaged", path);
    }
    memcpy(got.dir, dir, strlen(dir) + 1);
    *info = got;
    if (config != NULL) {
        *config = json_incref(json_object_get(j, "config"));
    }
    json_decref(j);
    return 0;
}

static json_t *to_array(const char *const *texts)
{
    json_t *list = json_array();
    for (const char *const *t = texts; t != NULL && *t != NULL; t++) {
        json_array_append_new(list, json_string(*t));
    }
    return list;
}

json_t *vt_vm_config_to_json(const struct vt_vm_config *c, const struct vt_vm_info *info)
{
    json_t *extra = to_array(c->qemu_args);
    return json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, "
                     "s:b, s:b, s:o, s:o}",
                     "kernel", c->kernel, "initrd", c->initrd, "append", c->append, "disk", c->disk,
                     "iso", c->iso, "memory_bytes", (json_int_t)c->memory_bytes, "cpus",
                     (json_int_t)c->cpus, "cpu_quota_percent", (json_int_t)c->cpu_quota_percent,
                     "memory_limit_bytes", (json_int_t)c->memory_limit_bytes, "arch", info->arch,
                     "machine", info->machine, "accel", info->accel, "cpu_model", c->cpu_model,
                     "net", c->net, "trace", !c->no_trace, "hybrid", !c->no_accel, "gpus",
                     to_array(c->gpus), "qemu_args", extra);
}

#define QEMU_ARGS_MAX 1024

/* Texts of an array, into a list of `room`; how many, or -1. */
static int from_array(const json_t *array, const char **list, size_t room)
{
    size_t n = json_array_size(array);
    if (n > room || (array != NULL && !json_is_array(array))) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = json_string_value(json_array_get(array, i));
        if (list[i] == NULL) {
            return -1;
        }
    }
    return (int)n;
}

int vt_vm_config_from_json(const json_t *json, struct vt_vm_config *config, const char ***args,
                           struct vt_error *err)
{
    struct vt_vm_config c = {0};
    json_t *extra, *gpus = NULL;
    json_int_t memory, cpus, quota, limit;
    json_error_t why;
    int trace = 1, hybrid = 1;
    if (json_unpack_ex((json_t *)(uintptr_t)json, &why, 0,
                       "{s?s, s?s, s?s, s?s, s?s, s?s, s?o, s?b, s?b, s:I, s:I, s:I, s:I, s:s, "
                       "s:s, s:s, s:s, s:o}",
                       "kernel", &c.kernel, "initrd", &c.initrd, "append", &c.append, "disk",
                       &c.disk, "iso", &c.iso, "arch", &c.arch, "gpus", &gpus, "trace", &trace,
                       "hybrid", &hybrid, "memory_bytes", &memory, "cpus", &cpus,
                       "cpu_quota_percent", &quota, "memory_limit_bytes", &limit, "machine",
                       &c.machine, "accel", &c.accel, "cpu_model", &c.cpu_model, "net", &c.net,
                       "qemu_args", &extra) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "configuration: %s", why.text);
    }
    if (memory <= 0 || cpus <= 0 || cpus > UINT8_MAX || quota < 0 || quota > 100 * UINT8_MAX ||
        limit < 0 || !json_is_array(extra)) {
        return vt_fail(err, VT_E_CORRUPT, "configuration: a value out of range");
    }
    const char **list = calloc(2 * (QEMU_ARGS_MAX + 1), sizeof *list);
    if (list == NULL) {
        return vt_fail(err, VT_E_NOMEM, "configuration: out of memory");
    }
    if (from_array(extra, list, QEMU_ARGS_MAX) < 0 ||
        from_array(gpus, list + QEMU_ARGS_MAX + 1, QEMU_ARGS_MAX) < 0) {
        free(list);
        return vt_fail(err, VT_E_CORRUPT, "configuration: not a list of texts");
    }
    c.memory_bytes = (uint64_t)memory;
    c.cpus = (unsigned)cpus;
    c.cpu_quota_percent = (unsigned)quota;
    c.memory_limit_bytes = (uint64_t)limit;
    c.no_trace = trace == 0;
    c.no_accel = hybrid == 0;
    c.qemu_args = list;
    c.gpus = list + QEMU_ARGS_MAX + 1;
    *config = c;
    *args = list;
    return 0;
}
