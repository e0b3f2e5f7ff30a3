/* machine/process.h - QEMU as a process: which program, as whom, with which files.
 */
#ifndef VT_MACHINE_PROCESS_H
#define VT_MACHINE_PROCESS_H

#include "vitrine/machine.h"

#include <limits.h>

/** QEMU's program for guests of an architecture: VITRINE_QEMU (of others than x86_64:
 *  VITRINE_QEMU_AARCH64 and so on), then the cache's private one, then PATH. */
int vt_qemu_find(const char *arch, char path[PATH_MAX], struct vt_error *err);

/** Who QEMU is to be. */
struct vt_identity {
    bool change; /**< false: stay who we are */
    uid_t uid;
    gid_t gid;
    gid_t kvm_gid; /**< supplementary group of /dev/kvm, or (gid_t)-1 */
};

/** Started by root, each VM gets a uid of its own, which no account, no other VM and no file in
 *  /dev/shm has; or the account `user`. Call it under the registry lock and give the RAM file to
 *  the uid before giving the lock back. */
int vt_identity_pick(const char *name, const char *user, bool kvm, struct vt_identity *identity,
                     struct vt_error *err);

/** Becomes it, for good, with `groups` besides. -1: errno says why. */
int vt_identity_become(const struct vt_identity *identity, const gid_t *groups, size_t n);

/** A file QEMU will open by way of /proc/self/fd/N: as it is when everybody may read it, else as a
 *  copy in memory. */
int vt_open_for_qemu(const char *path, const struct vt_identity *identity, int *fd,
                     struct vt_error *err);

struct vt_spawn {
    const char *program;
    char *const *argv;
    const struct vt_identity *identity;
    const int *fds; /**< descriptors that stay open across exec */
    size_t n_fds;
    int log_fd;           /**< stdout and stderr */
    int preload_fd;       /**< a shared object to preload, or -1; also named in `fds` */
    const char *ram_path; /**< tells the preload object which mapping is guest RAM */
};

/** Starts it as our child. It dies with us (PR_SET_PDEATHSIG), gains no privileges, dumps no core.
 *  A failing exec() is reported here. */
int vt_spawn(const struct vt_spawn *spawn, pid_t *pid, struct vt_error *err);

#endif
