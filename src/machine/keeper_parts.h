/* machine/keeper_parts.h - inside of a keeper, shared by keeper.c and the two ways to come by a
 * QEMU.
 */
#ifndef VT_MACHINE_KEEPER_PARTS_H
#define VT_MACHINE_KEEPER_PARTS_H

#include "base/loop.h"
#include "machine/console_server.h"
#include "machine/keeper.h"
#include "machine/keeper_socket.h"
#include "machine/launch.h"
#include "machine/process.h"
#include "machine/qmp.h"
#include "machine/vmdir.h"

#define VT_KEEPER_SERVICES_MAX 8
#define VT_KEEPER_BUILTINS 4

/* A room's service with its state. */
struct vt_running_service {
    const struct vt_keeper_service *service;
    void *state;
};

struct vt_keeper {
    const struct vt_keeper_job *job;
    const struct vt_keeper_service *const *services;
    struct vt_qmp_cancel cancel; /* the starter going away */
    struct vt_vmdir dir;
    struct vt_vm_info info;
    struct vt_loop *loop;
    struct vt_running_service running[VT_KEEPER_SERVICES_MAX];
    size_t n_running;
    struct vt_keeper_entry entries[VT_KEEPER_BUILTINS + VT_KEEPER_SERVICES_MAX];
    size_t n_entries;
    struct vt_keeper_socket *sock;
    int qemu_pidfd; /* tells when QEMU ends; -1: not known */

    /* A QEMU of our own. */
    struct vt_identity identity;
    bool ram_made, segment_made[VT_PLUGINS];
    int ram_fd, log_fd, preload_fd;
    struct vt_launch_fds fds; /* QEMU's ends, until it is started */
    int qmp_fd, serial_fd;    /* our ends */
    char disk_format[8];
    pid_t qemu_pid;        /* our child, or 0 */
    bool asked;            /* somebody asked us to end it */
    char cgroup[PATH_MAX]; /* its group, or empty */
    pid_t gpu_pid;         /* who serves its GPU, or 0 */
    struct vt_qmp *qmp;
    struct vt_source *qmp_source;
    struct vt_console *console;

    /* Somebody else's without a known pid: looked for from time to time. */
    struct vt_source *look;
};

/** Makes RAM, sockets and logs, starts QEMU, greets it and loads a saved state. What was made is
 *  taken back by the keeper, also after a failure. */
int vt_keeper_start_qemu(struct vt_keeper *k, struct vt_error *err);
/** A QEMU to be that can load them gets the plugins and their segments; one that cannot goes
 *  without, and k->info says why. */
int vt_keeper_prepare_plugins(struct vt_keeper *k, const char *qemu, struct vt_error *err);
void vt_keeper_remove_segments(struct vt_keeper *k);
/** A GPU that a service is: its process, and QEMU's end of the connection. */
int vt_keeper_start_gpu(struct vt_keeper *k, const char *qemu, struct vt_error *err);
void vt_keeper_end_gpu(struct vt_keeper *k);
/** QEMU's end, its sockets and its console go on the loop. */
int vt_keeper_watch_qemu(struct vt_keeper *k, struct vt_error *err);
/** Lets the guest run. */
int vt_keeper_start_guest(struct vt_keeper *k, struct vt_error *err);
/** After its end, which `status` of waitpid tells of: writes down why, unless all is well. */
void vt_keeper_note_end(struct vt_keeper *k, int status);
/** Makes QEMU quit; kills it when it does not. */
void vt_keeper_end_qemu(struct vt_keeper *k);

/** The same for a QEMU somebody else started: asks it what it is, and watches for its end. */
int vt_keeper_find_qemu(struct vt_keeper *k, struct vt_error *err);
int vt_keeper_watch_found(struct vt_keeper *k, struct vt_error *err);

#endif
