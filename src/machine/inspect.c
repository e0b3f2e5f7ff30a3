/* machine/inspect.c - see inspect.h. */
#include "machine/inspect.h"

#include "machine/mtree.h"

#include <stdlib.h>
#include <string.h>

static void copy_text(char *out, size_t size, const char *text)
{
    size_t n = strnlen(text, size - 1);
    memcpy(out, text, n);
    out[n] = '\0';
}

/* A property of an object in QEMU's tree; a new reference. */
static int get_property(struct vt_qmp *qmp, const char *path, const char *property,
                        uint64_t deadline_ns, json_t **value, struct vt_error *err)
{
    return vt_qmp_execute(qmp, "qom-get",
                          json_pack("{s:s, s:s}", "path", path, "property", property), deadline_ns,
                          value, err);
}

/* "pc-q35-11.1": the exact type behind the alias "q35". */
static int get_machine(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_vm_info *info,
                       struct vt_error *err)
{
    json_t *type;
    int rc = get_property(qmp, "/machine", "type", deadline_ns, &type, err);
    if (rc != 0) {
        return rc;
    }
    const char *text = json_is_string(type) ? json_string_value(type) : "";
    copy_text(info->machine, sizeof info->machine, text);
    size_t n = strlen(info->machine);
    static const char suffix[] = "-machine";
    if (n > sizeof suffix - 1 && strcmp(info->machine + n - (sizeof suffix - 1), suffix) == 0) {
        info->machine[n - (sizeof suffix - 1)] = '\0';
    }
    json_decref(type);
    return 0;
}

static int get_arch(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_vm_info *info,
                    struct vt_error *err)
{
    json_t *reply;
    int rc = vt_qmp_execute(qmp, "query-target", NULL, deadline_ns, &reply, err);
    if (rc != 0) {
        return rc;
    }
    const char *arch = json_string_value(json_object_get(reply, "arch"));
    copy_text(info->arch, sizeof info->arch, arch != NULL ? arch : "");
    json_decref(reply);
    return 0;
}

static int get_accel_and_cpus(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_vm_info *info,
                              struct vt_error *err)
{
    json_t *reply;
    int rc = vt_qmp_execute(qmp, "query-kvm", NULL, deadline_ns, &reply, err);
    if (rc != 0) {
        return rc;
    }
    copy_text(info->accel, sizeof info->accel,
              json_is_true(json_object_get(reply, "enabled")) ? "kvm" : "tcg");
    json_decref(reply);
    rc = vt_qmp_execute(qmp, "query-cpus-fast", NULL, deadline_ns, &reply, err);
    if (rc != 0) {
        return rc;
    }
    info->cpus = (unsigned)json_array_size(reply);
    json_decref(reply);
    return 0;
}

/* The backend that is the machine's RAM: the largest one. VMs with RAM in several pieces (NUMA,
 * hotplug) have no single file, and are told so. */
static int find_backend(struct vt_qmp *qmp, uint64_t deadline_ns, char *id, size_t id_size,
                        bool *shared, struct vt_vm_info *info, struct vt_error *err)
{
    json_t *list;
    int rc = vt_qmp_execute(qmp, "query-memdev", NULL, deadline_ns, &list, err);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(list);
    json_t *memdev = json_array_get(list, 0);
    const char *name = json_string_value(json_object_get(memdev, "id"));
    json_t *size = json_object_get(memdev, "size");
    if (n == 0) {
        copy_text(info->ram_why, sizeof info->ram_why,
                  "its RAM is QEMU's own: no memory-backend-file with share=on");
    } else if (n > 1) {
        copy_text(info->ram_why, sizeof info->ram_why,
                  "its RAM lies in several memory backends, not in one file");
    } else if (name == NULL || strchr(name, '/') != NULL || strlen(name) >= id_size ||
               !json_is_integer(size) || json_integer_value(size) <= 0) {
        rc = vt_fail(err, VT_E_PROTOCOL, "query-memdev: an answer that makes no sense");
    } else {
        copy_text(id, id_size, name);
        info->ram_bytes = (uint64_t)json_integer_value(size);
        *shared = json_is_true(json_object_get(memdev, "share"));
    }
    json_decref(list);
    return rc;
}

static int get_ram_path(struct vt_qmp *qmp, const char *id, uint64_t deadline_ns,
                        struct vt_vm_info *info, struct vt_error *err)
{
    char object[160];
    json_t *path;
    snprintf(object, sizeof object, "/objects/%s", id);
    int rc = get_property(qmp, object, "mem-path", deadline_ns, &path, err);
    if (rc == VT_E_REFUSED) { /* memory-backend-ram and -memfd have no such property */
        copy_text(info->ram_why, sizeof info->ram_why,
                  "its RAM has no file (not a memory-backend-file)");
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    const char *text = json_string_value(path);
    if (text == NULL || text[0] != '/' || strlen(text) >= sizeof info->ram_path) {
        copy_text(info->ram_why, sizeof info->ram_why, "its RAM file has no usable path");
    } else {
        copy_text(info->ram_path, sizeof info->ram_path, text);
    }
    json_decref(path);
    return 0;
}

static int get_ram(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_vm_info *info,
                   struct vt_error *err)
{
    char id[128] = "";
    bool shared = false;
    int rc = find_backend(qmp, deadline_ns, id, sizeof id, &shared, info, err);
    if (rc != 0 || id[0] == '\0') {
        return rc;
    }
    if (!shared) {
        copy_text(info->ram_why, sizeof info->ram_why,
                  "its RAM is private to QEMU: the memory backend lacks share=on");
        return 0;
    }
    char *map;
    rc = get_ram_path(qmp, id, deadline_ns, info, err);
    rc = rc != 0 ? rc : vt_qmp_human(qmp, "info mtree -f", deadline_ns, &map, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_mtree_parse(map, id, info->ram_bytes, info->regions, &info->n_regions, err);
    free(map);
    return rc;
}

int vt_inspect(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_vm_info *info,
               struct vt_error *err)
{
    copy_text(info->qemu_version, sizeof info->qemu_version, vt_qmp_version(qmp));
    int rc = get_machine(qmp, deadline_ns, info, err);
    rc = rc != 0 ? rc : get_arch(qmp, deadline_ns, info, err);
    rc = rc != 0 ? rc : get_accel_and_cpus(qmp, deadline_ns, info, err);
    return rc != 0 ? rc : get_ram(qmp, deadline_ns, info, err);
}

int vt_inspect_state(struct vt_qmp *qmp, uint64_t deadline_ns, enum vt_vm_state *state,
                     struct vt_error *err)
{
    static const struct {
        const char *word;
        enum vt_vm_state state;
    } words[] = {
        {"running", VT_VM_RUNNING},          {"paused", VT_VM_PAUSED},
        {"prelaunch", VT_VM_PAUSED},         {"debug", VT_VM_PAUSED},
        {"suspended", VT_VM_PAUSED},         {"watchdog", VT_VM_PAUSED},
        {"shutdown", VT_VM_SHUTDOWN},        {"guest-panicked", VT_VM_CRASHED},
        {"internal-error", VT_VM_CRASHED},   {"io-error", VT_VM_CRASHED},
        {"inmigrate", VT_VM_MIGRATING},      {"postmigrate", VT_VM_MIGRATING},
        {"finish-migrate", VT_VM_MIGRATING}, {"save-vm", VT_VM_MIGRATING},
        {"restore-vm", VT_VM_MIGRATING},     {"colo", VT_VM_MIGRATING},
    };
    json_t *reply;
    int rc = vt_qmp_execute(qmp, "query-status", NULL, deadline_ns, &reply, err);
    if (rc != 0) {
        return rc;
    }
    const char *word = json_string_value(json_object_get(reply, "status"));
    enum vt_vm_state found = VT_VM_UNKNOWN;
    for (size_t i = 0; word != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].word) == 0) {
            found = words[i].state;
        }
    }
    json_decref(reply);
    *state = found;
    return 0;
}
