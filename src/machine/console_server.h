/* machine/console_server.h - the serial console, shared by many clients and a bounded log.
 *
 * Output goes to every client and into the log; the last 64 KiB are kept for those who come later.
 * Nobody may hold the guest up: a client that falls more than that behind is dropped. Input of all
 * clients goes to the guest in the order it comes; while the guest does not take it, clients are
 * not read.
 */
#ifndef VT_MACHINE_CONSOLE_SERVER_H
#define VT_MACHINE_CONSOLE_SERVER_H

#include "base/loop.h"

#define VT_CONSOLE_BACKLOG ((size_t)64 << 10)
#define VT_CONSOLE_CLIENTS_MAX 32
/** The log is turned over at this size; one older part is kept as console.log.1. */
#define VT_CONSOLE_LOG_MAX ((uint64_t)2 << 20)

struct vt_console;

/** `serial_fd` (a connected socket) is owned from now on, also on failure; `log_path` is made. */
int vt_console_create(struct vt_loop *loop, int serial_fd, const char *log_path,
                      struct vt_console **console, struct vt_error *err);
/** Takes NULL. Clients are closed. */
void vt_console_destroy(struct vt_console *console);
/** Owns `fd` from now on; `replay` sends it the backlog first. */
void vt_console_add_client(struct vt_console *console, int fd, bool replay);

#endif
