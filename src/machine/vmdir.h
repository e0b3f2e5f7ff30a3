/* machine/vmdir.h - a VM's directory: its files' names, its lock and vm.json.
 *
 * Who may touch what: making and removing directories happens under the registry lock
 * (<runtime>/.lock); a VM's own lock is held by its keeper for as long as the VM lives, so a
 * directory whose lock is free is stale and may be cleaned by anybody.
 */
#ifndef VT_MACHINE_VMDIR_H
#define VT_MACHINE_VMDIR_H

#include "vitrine/machine.h"

#include <jansson.h>
#include <limits.h>

/** QMP sockets for tools: qmp-1.sock … */
#define VT_QMP_SOCKETS 4

struct vt_vmdir {
    char path[PATH_MAX];
    int lock_fd;
};

/** Takes the registry lock, waiting: holders only make and remove a few files. close() gives it
 *  back. Makes the runtime directory when it is missing; VT_E_PERM when it is not ours alone. */
int vt_registry_lock(int *fd, struct vt_error *err);

/** The path of a VM's directory; VT_E_INVAL for a name that is none. */
int vt_vmdir_path(const char *name, char path[PATH_MAX], struct vt_error *err);
/** A file in it. */
int vt_vmdir_file(const char *dir, const char *file, char path[PATH_MAX], struct vt_error *err);
/** "/dev/shm/qemu_ram_<name>"; 64 bytes are enough for a valid name. */
void vt_vmdir_ram_path(const char *name, char *path, size_t size);
/** "/dev/shm/qemu_<plugin>_<name>", the same; of a plugin "trace" or "hybrid". */
void vt_vmdir_segment_path(const char *plugin, const char *name, char *path, size_t size);
/** Says in the directory which file that is, so that what is left of it can be told from
 *  another's. */
int vt_vmdir_mark_segment(const char *dir, const char *plugin, int fd, struct vt_error *err);

/** Makes the directory and takes its lock; a stale one is cleaned first. VT_E_EXISTS when the VM
 *  lives. */
int vt_vmdir_create(const char *name, struct vt_vmdir *dir, struct vt_error *err);
/** Removes the directory with all files, and gives the lock back. */
void vt_vmdir_remove(struct vt_vmdir *dir);
/** Whether the VM's keeper holds its lock. VT_E_NOT_FOUND without a directory. */
int vt_vmdir_is_live(const char *name, bool *live, struct vt_error *err);

/** vm.json: what is known of a VM, and `config` (any JSON object) for save. */
int vt_vmdir_write(const char *dir, const struct vt_vm_info *info, json_t *config,
                   struct vt_error *err);
/** Reads it strictly. *config (may be NULL) is a new reference. VT_E_NOT_FOUND when it is not
 *  written yet. */
int vt_vmdir_read(const char *dir, struct vt_vm_info *info, json_t **config, struct vt_error *err);

/** A configuration as JSON, with the machine type and accelerator it came to be. */
json_t *vt_vm_config_to_json(const struct vt_vm_config *config, const struct vt_vm_info *info);
/** The way back; strings are `json`'s. *args (for qemu_args) is malloc'ed. VT_E_CORRUPT. */
int vt_vm_config_from_json(const json_t *json, struct vt_vm_config *config, const char ***args,
                           struct vt_error *err);

/** Opens `path` (made when missing, mode 0600) and takes its exclusive lock without waiting:
 *  VT_E_BUSY when it is held. */
int vt_lock_file(const char *path, int *fd, struct vt_error *err);

#endif
