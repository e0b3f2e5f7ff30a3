/* server/supervise.h - what a service manager is told, and what it hands over.
 *
 * Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3): datagrams to $NOTIFY_SOCKET,
 * descriptors from 3 on.
 */
#ifndef VT_SERVER_SUPERVISE_H
#define VT_SERVER_SUPERVISE_H

#include <stdint.h>

/** Sends a state ("READY=1"); nothing where nobody wants to know. */
void vt_supervise_tell(const char *state);
/** How often it wants to hear "WATCHDOG=1": half of what it allows; 0: never. */
uint64_t vt_supervise_watchdog_ns(void);
/** How many listening sockets were handed over: descriptors 3, 4, … They become close-on-exec;
 * asked a second time there are none. */
unsigned vt_supervise_sockets(void);
#define VT_SUPERVISE_FIRST_FD 3

#endif
