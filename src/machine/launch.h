/* machine/launch.h - QEMU's command line, made from a VM's configuration. A pure function: every
 * descriptor is open already and named by its number.
 */
#ifndef VT_MACHINE_LAUNCH_H
#define VT_MACHINE_LAUNCH_H

#include "machine/vmdir.h"
#include "vitrine/machine.h"

/** What QEMU loads to see or steer what TCG executes (plugins/). */
enum vt_plugin { VT_PLUGIN_TRACE, VT_PLUGIN_HYBRID, VT_PLUGINS };

/** Descriptors QEMU inherits; -1: not used. */
struct vt_launch_fds {
    int qmp_keeper;                              /**< a connected socket: the keeper's own QMP */
    int serial;                                  /**< a connected socket: the first serial port */
    int qmp_public;                              /**< listening: qmp.sock */
    int qmp_tools[VT_QMP_SOCKETS];               /**< listening: qmp-N.sock */
    int kernel, initrd;                          /**< read-only */
    int disk;                                    /**< read-write */
    int iso;                                     /**< read-only */
    int kvm;                                     /**< /dev/kvm, for a QEMU that may not open it */
    int plugin[VT_PLUGINS], segment[VT_PLUGINS]; /**< each and what it writes to; both or neither */
    int gpu; /**< a connected socket: who serves the GPU "venus" */
};

#define VT_LAUNCH_FDS_NONE                                                                         \
    ((struct vt_launch_fds){                                                                       \
        -1, -1, -1, {-1, -1, -1, -1}, -1, -1, -1, -1, -1, {-1, -1}, {-1, -1}, -1})

/** The fd sets block devices are opened from. */
enum { VT_FDSET_DISK = 1, VT_FDSET_ISO = 2, VT_FDSET_KVM = 3 };

struct vt_launch {
    const struct vt_vm_config *config; /**< with every default filled in */
    const char *qemu;                  /**< argv[0] */
    const char *ram_path;
    const char *disk_format; /**< "raw" or "qcow2" */
    struct vt_launch_fds fds;
};

/** A GPU that another process serves over vhost-user: "venus[,NAME=VALUE...]". */
#define VT_GPU_VENUS "venus"
bool vt_gpu_is_venus(const char *text);

/** The argument vector, ended by NULL; free with vt_argv_free. */
int vt_launch_argv(const struct vt_launch *launch, char ***argv, struct vt_error *err);
void vt_argv_free(char **argv);

/** Fills in defaults and checks ranges: a complete configuration, sharing `config`'s strings. */
int vt_vm_config_complete(const struct vt_vm_config *config, struct vt_vm_config *complete,
                          struct vt_error *err);

#endif
