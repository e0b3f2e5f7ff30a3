/* cli/target.h - the VM operand of verbs that look into a guest: vitrine/target.h with exit codes.
 */
#ifndef VT_CLI_TARGET_H
#define VT_CLI_TARGET_H

#include "cli/cli.h"
#include "vitrine/target.h"

/** The option of verbs that call vt_cli_pause. */
#define VT_CLI_PAUSE {"pause", NULL, "stop the VM while it is read: one point in time", false}

enum vt_cli_need {
    VT_CLI_RAM,      /**< vm and ram */
    VT_CLI_KERNEL,   /**< and the kernel, or fail */
    VT_CLI_DATABASE, /**< vm and ram, or a VM that ended and left its database */
};

/** Opens the first operand; `operation` (the verb) and `detail` go into the audit line. Returns 0,
 *  or the exit code after saying why. */
int vt_cli_open(const struct vt_args *args, const char *operation, enum vt_cli_need need,
                const char *detail, struct vt_target *target);
/** The same for a target that is not the first operand. */
int vt_cli_open_named(const struct vt_args *args, const char *name, const char *operation,
                      enum vt_cli_need need, const char *detail, struct vt_target *target);
/** With --pause: stops the VM until vt_cli_close. */
int vt_cli_pause(const struct vt_args *args, struct vt_target *target, struct vt_error *err);
/** Resumes what was paused and closes. Returns `result`, or a failure's code when resuming failed
 *  (said on stderr). */
int vt_cli_close(const struct vt_args *args, struct vt_target *target, int result);
/** The address space of the process named by --pid, else the kernel's. */
int vt_cli_space(const struct vt_args *args, struct vt_target *target, struct vt_space *space,
                 struct vt_error *err);

#endif
