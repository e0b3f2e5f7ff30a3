/* cli/target.h - the VM operand of verbs that look into a guest.
 *
 * A VM's name, or the path of saved RAM (told apart by its '/'): raw, an ELF core or LiME. Opening
 * writes the audit line first: nothing is looked at that is not in the log.
 */
#ifndef VT_CLI_TARGET_H
#define VT_CLI_TARGET_H

#include "cli/cli.h"
#include "vitrine/guest.h"

#include <signal.h>

/** The option of verbs that call vt_target_pause. */
#define VT_TARGET_PAUSE {"pause", NULL, "stop the VM while it is read: one point in time", false}

struct vt_target {
    const char *name;         /**< the operand */
    struct vt_vm *vm;         /**< NULL: a file */
    struct vt_ram *ram;       /**< always */
    struct vt_kernel *kernel; /**< when asked for */
    bool paused;              /**< by us */
    sigset_t signals;         /**< the mask from before the pause */
};

enum vt_target_need {
    VT_TARGET_RAM,    /**< vm and ram */
    VT_TARGET_KERNEL, /**< and the kernel, or fail */
};

/** Whether an operand is saved RAM, and not a VM's name. */
bool vt_target_is_file(const char *name);
/** Opens saved RAM alone, without a line in the log. */
int vt_target_file(const char *path, struct vt_ram **ram, struct vt_error *err);
/** Opens the first operand; `operation` (the verb) and `detail` go into the audit line. Returns 0,
 * or the exit code after saying why. */
int vt_target_open(const struct vt_args *args, const char *operation, enum vt_target_need need,
                   const char *detail, struct vt_target *target);
/** The same for a target that is not the first operand. */
int vt_target_open_named(const struct vt_args *args, const char *name, const char *operation,
                         enum vt_target_need need, const char *detail, struct vt_target *target);
/** With --pause: stops the VM until vt_target_close; signals wait meanwhile. */
int vt_target_pause(const struct vt_args *args, struct vt_target *target, struct vt_error *err);
/** The same for a VM, asked for or not. */
int vt_target_stop(struct vt_target *target, struct vt_error *err);
/** Ends what vt_target_pause began, before the rest of the work; nothing when it did not pause. */
int vt_target_resume(struct vt_target *target, struct vt_error *err);
/** Resumes what was paused and closes. Returns `result`, or a failure's code when resuming failed
 *  (said on stderr). */
int vt_target_close(const struct vt_args *args, struct vt_target *target, int result);

/** "0x1f", "42", "symbol" or "symbol+0x10" to a number; *is_symbol (may be NULL) tells which. A
 *  symbol needs the kernel: it is opened when it was not. */
int vt_target_address(struct vt_target *target, const char *text, uint64_t *address,
                      bool *is_symbol, struct vt_error *err);
/** Opens the kernel if it is not yet. */
int vt_target_kernel(struct vt_target *target, struct vt_error *err);
/** The address space of the process named by --pid, else the kernel's. */
int vt_target_space(const struct vt_args *args, struct vt_target *target, struct vt_space *space,
                    struct vt_error *err);

#endif
