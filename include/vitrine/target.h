/* vitrine/target.h - what is looked into: a VM by its name, or saved RAM by its path.
 *
 * A name with a '/' is a path: raw RAM, an ELF core, LiME, a QEMU or kdump file (vitrine/dump.h).
 * Opening a target writes the audit line first: nothing is looked at that is not in the log.
 * A target is one thread's; open another for another thread.
 */
#ifndef VITRINE_TARGET_H
#define VITRINE_TARGET_H

#include "vitrine/guest.h"

struct vt_target {
    const char *name;         /**< as it was opened: the caller's, who keeps it alive */
    struct vt_vm *vm;         /**< NULL: a file */
    struct vt_ram *ram;       /**< always, unless it ended */
    bool ended;               /**< a VM that is over: its database is all there is of it
                                 (vt_database_target); neither vm nor ram */
    struct vt_kernel *kernel; /**< once asked for */
    struct vt_signals *held;  /**< while we have it stopped: what its end gives back */
};

/** Whether a name is the path of saved RAM. */
bool vt_target_is_file(const char *name);
/** Opens saved RAM alone, without a line in the log. Where a raw file leaves open which of QEMU's
 *  machines it is of, the guest's own tasks tell. Errors: those of vt_dump_open and vt_ram_open. */
int vt_target_file(const char *path, struct vt_ram **ram, struct vt_error *err);
/** Opens `name`; `operation` and `detail` go into the audit line. Errors: those of vt_audit,
 *  vt_vm_open, vt_ram_open_vm and vt_target_file. */
int vt_target_open(const char *name, const char *operation, const char *detail,
                   struct vt_target *target, struct vt_error *err);
/** Resumes what was paused and closes; zeroes *target. Takes one that holds nothing. Failing to
 *  resume is the only error, and everything is closed then, too. */
int vt_target_close(struct vt_target *target, struct vt_error *err);

/** VT_E_UNSUPPORTED when its machine is known to be another than x86_64. */
int vt_target_is_x86_64(const struct vt_target *target, struct vt_error *err);
/** Opens the kernel if it is not yet, with the cache and the symbol path every tool shares
 *  (VITRINE_SYMBOL_PATH). VT_E_GONE: it ended; those of vt_kernel_open. */
int vt_target_kernel(struct vt_target *target, struct vt_error *err);
/** For handles that are kept: call it when the guest may have run since the last use. Forgets what
 *  was cached of the guest; a kernel that does not run any more is closed, so that the next
 *  vt_target_kernel finds the one that does. */
void vt_target_refresh(struct vt_target *target);
/** "0x1f", "42", "symbol" or "symbol+0x10" to a number; *is_symbol (may be NULL) tells which. A
 *  symbol needs the kernel: it is opened when it was not. VT_E_INVAL, VT_E_NOT_FOUND. */
int vt_target_address(struct vt_target *target, const char *text, uint64_t *address,
                      bool *is_symbol, struct vt_error *err);
/** The address space of process `pid`, or with 0 the kernel's; opens the kernel when it was not.
 *  VT_E_NOT_FOUND: no such process, or a kernel thread. */
int vt_target_space(struct vt_target *target, int32_t pid, struct vt_space *space,
                    struct vt_error *err);

/** Stops a running VM until vt_target_resume or _close; SIGINT, SIGTERM and SIGHUP wait meanwhile
 *  in this thread, so that they cannot leave it stopped. Nothing for a file or a paused VM.
 *  Errors: those of vt_vm_pause. */
int vt_target_stop(struct vt_target *target, struct vt_error *err);
/** Ends what vt_target_stop began; nothing when it did not stop it. */
int vt_target_resume(struct vt_target *target, struct vt_error *err);

#endif
