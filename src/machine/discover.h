/* machine/discover.h - QEMUs somebody else started, as /proc shows them.
 *
 * A QMP socket is tied to its process by the socket's inode: /proc/net/unix lists path and inode,
 * /proc/<pid>/fd the inodes a process holds. That finds sockets given by path and by descriptor
 * (libvirt) alike, and does not take the creator (SO_PEERCRED) for QEMU.
 */
#ifndef VT_MACHINE_DISCOVER_H
#define VT_MACHINE_DISCOVER_H

#include "vitrine/machine.h"

/** The QEMU that listens at `path`, or 0. */
pid_t vt_discover_pid(const char *path);
/** Whether anybody listens at `path`. */
bool vt_discover_listens(const char *path);

#define VT_DISCOVER_MONITORS_MAX 8

/** A QMP monitor on a command line: a socket by path (absolute or not), or by descriptor. */
struct vt_monitor {
    char path[VT_VM_PATH_MAX]; /**< or empty */
    int fd;                    /**< or -1 */
};

struct vt_cmdline {
    char name[64]; /**< -name's, or empty */
    struct vt_monitor monitors[VT_DISCOVER_MONITORS_MAX];
    unsigned n_monitors;
};

/** Reads a command line as /proc/<pid>/cmdline shows it; false when it is not QEMU's. Hostile
 *  input: any user may run a program with any arguments. */
bool vt_discover_parse(const char *cmdline, size_t bytes, struct vt_cmdline *parsed);

#endif
