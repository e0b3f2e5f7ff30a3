/* machine/console_client.h - commands to the root shell behind a VM's serial console.
 *
 * The line is shared with people and echoes what is typed, so a command travels as text without
 * anything a shell, a line editor or a terminal gives a meaning to, and its output lies between
 * markers of a random token that is typed in two halves: the echo never looks like a marker.
 *
 * Not thread-safe for one descriptor.
 */
#ifndef VT_MACHINE_CONSOLE_CLIENT_H
#define VT_MACHINE_CONSOLE_CLIENT_H

#include "vitrine/machine.h"

/** Bytes of a command that vt_console_exec takes. */
#define VT_CONSOLE_COMMAND_MAX 4096

/** The serial console as a stream socket, after its backlog (up to 64 KiB) when `replay`. */
int vt_console_open(struct vt_vm *vm, bool replay, int *fd, struct vt_error *err);

/** Gets the output, as a person reads it (see expect.h), piece by piece. Non-zero ends the wait. */
typedef int vt_console_sink(void *arg, const char *text, size_t bytes, struct vt_error *err);

/** Runs `command` in a subshell of the shell that listens on `fd`, with stdin from /dev/null, and
 *  waits for its end; *exit_code is the command's (0–255). The shell may still be starting: it is
 *  asked again until it answers. VT_E_TIMEOUT says whether the shell did not answer or the command
 *  did not end (it goes on in the guest then); VT_E_GONE, VT_E_INTERRUPTED, VT_E_LIMIT. */
int vt_console_exec_on(int fd, const char *command, uint64_t deadline_ns, const volatile int *stop,
                       vt_console_sink *sink, void *arg, int *exit_code, struct vt_error *err);

/** The same for a VM; several callers at once take turns (console.lock in its directory). */
int vt_console_exec(struct vt_vm *vm, const char *command, uint64_t deadline_ns,
                    const volatile int *stop, vt_console_sink *sink, void *arg, int *exit_code,
                    struct vt_error *err);

#endif
