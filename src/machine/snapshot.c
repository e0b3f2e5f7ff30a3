/* machine/snapshot.c - vt_vm_save and vt_vm_restore: a VM's state in a file (saved.h, migrate.h).
 */
#include "vitrine/machine.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/migrate.h"
#include "machine/saved.h"
#include "machine/vmdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int command(struct vt_qmp *qmp, const char *name, struct vt_error *err)
{
    return vt_qmp_execute(qmp, name, NULL, vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, err);
}

static int describe(const struct vt_vm_info *info, bool running, json_t **about,
                    struct vt_error *err)
{
    struct vt_vm_info ignored;
    json_t *config;
    int rc = vt_vmdir_read(info->dir, &ignored, &config, err);
    if (rc != 0) {
        return rc;
    }
    *about = json_pack("{s:s, s:b, s:s, s:o*}", "name", info->name, "running", running,
                       "qemu_version", info->qemu_version, "config", config);
    return *about != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "%s: out of memory", info->name);
}

/* The VM stands still while its state is written, and goes on whatever comes of it. */
static int write_state(struct vt_vm *vm, struct vt_qmp *qmp, int fd, const char *path,
                       const volatile int *stop, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(vm);
    struct vt_qmp_cancel cancel = {.stop = stop, .fd = -1};
    enum vt_vm_state state;
    json_t *about;
    int rc = vt_vm_query_state(vm, VT_QMP_TIMEOUT_MS, &state, err);
    if (rc == 0 && state != VT_VM_RUNNING && state != VT_VM_PAUSED) {
        rc = vt_fail(err, VT_E_BUSY, "%s: cannot be saved while it is %s", info->name,
                     vt_vm_state_name(state));
    }
    bool running = rc == 0 && state == VT_VM_RUNNING;
    rc = rc != 0 ? rc : describe(info, running, &about, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_saved_begin(fd, path, about, err);
    json_decref(about);
    if (rc == 0 && running) {
        rc = command(qmp, "stop", err);
    }
    if (rc == 0) {
        vt_qmp_set_cancel(qmp, &cancel);
        rc = vt_migrate_out(qmp, fd, err);
        vt_qmp_set_cancel(qmp, NULL);
        rc = rc != 0 ? rc : vt_saved_finish(fd, path, err);
    }
    if (running) {
        struct vt_error go_on;
        int rc2 = command(qmp, "cont", &go_on);
        if (rc == 0 && rc2 != 0) {
            rc = rc2;
            if (err != NULL) {
                *err = go_on;
            }
        }
    }
    return rc;
}

int vt_vm_save(struct vt_vm *vm, const char *path, const volatile int *stop, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(vm);
    struct vt_qmp *qmp;
    if (info->attached) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "%s: vitrine did not start it and cannot say how to start it again",
                       info->name);
    }
    struct vt_new_file file;
    int rc = vt_vm_qmp(vm, &qmp, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_new_file_open(&file, path, 0600, false, err);
    if (rc != 0) {
        vt_qmp_close(qmp);
        return rc;
    }
    rc = write_state(vm, qmp, file.fd, path, stop, err);
    vt_qmp_close(qmp);
    if (rc == 0) {
        rc = vt_new_file_commit(&file, err);
    } else {
        vt_new_file_abandon(&file);
    }
    if (rc == VT_E_IO && err != NULL) { /* QEMU's reason does not name the file */
        struct vt_error why = *err;
        vt_fail(err, VT_E_IO, "saving %s to %s: %s", info->name, path, why.message);
    }
    return rc;
}

static int start_from(int fd, const char *path, const char *name, bool paused, const json_t *about,
                      const struct vt_keeper_service *const *services, const volatile int *stop,
                      struct vt_error *err)
{
    const char *old_name = json_string_value(json_object_get(about, "name"));
    struct vt_vm_config config;
    const char **args;
    struct vt_error why;
    if (old_name == NULL ||
        vt_vm_config_from_json(json_object_get(about, "config"), &config, &args, &why) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "%s: its configuration is damaged", path);
    }
    config.name = name != NULL ? name : old_name;
    config.paused = paused || !json_is_true(json_object_get(about, "running"));
    config.incoming_fd = fd;
    int rc = vt_vm_start(&config, services, stop, err);
    free(args);
    return rc;
}

int vt_vm_restore(const char *path, const char *name, bool paused,
                  const struct vt_keeper_service *const *services, const volatile int *stop,
                  struct vt_error *err)
{
    json_t *about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    int rc = vt_saved_read(fd, path, &about, err);
    if (rc == 0) {
        rc = start_from(fd, path, name, paused, about, services, stop, err);
        json_decref(about);
    }
    close(fd);
    return rc;
}
