/* machine/keeper_socket.h - keeper.sock: one line names a service, then the socket is the
 * service's.
 *
 * Protocol: the client sends "<service>[ <args>]\n", at most 256 bytes; the keeper answers "ok\n"
 * or "error <text>\n" and, after ok, hands the socket over.
 */
#ifndef VT_MACHINE_KEEPER_SOCKET_H
#define VT_MACHINE_KEEPER_SOCKET_H

#include "base/loop.h"

#define VT_KEEPER_LINE_MAX 256
#define VT_KEEPER_PENDING_MAX 32

struct vt_keeper_entry {
    const char *name;
    /** Owns `fd` (non-blocking) from now on. */
    void (*client)(void *arg, const char *args, int fd);
    void *arg;
};

struct vt_keeper_socket;

/** Listens at `path`; `entries` is borrowed. */
int vt_keeper_socket_create(struct vt_loop *loop, const char *path,
                            const struct vt_keeper_entry *entries, size_t n,
                            struct vt_keeper_socket **sock, struct vt_error *err);
/** Takes NULL. Clients that have not named a service yet are closed. */
void vt_keeper_socket_destroy(struct vt_keeper_socket *sock);

/** The client's side: connects, asks, and returns the stream after "ok". `name` names the VM in
 *  errors: VT_E_GONE (no keeper), VT_E_NOT_FOUND (no such service), VT_E_TIMEOUT. */
int vt_keeper_request(const char *path, const char *name, const char *service, uint64_t deadline_ns,
                      const volatile int *stop, int *fd, struct vt_error *err);

#endif
