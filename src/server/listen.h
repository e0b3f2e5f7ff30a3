/* server/listen.h - where a server listens: TCP addresses, a Unix socket, sockets handed over.
 */
#ifndef VT_SERVER_LISTEN_H
#define VT_SERVER_LISTEN_H

#include "server/auth.h"

#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define VT_LISTEN_PORT 8487 /**< where nothing else is said: VITR on a telephone's keys */
#define VT_LISTENERS_MAX 16

struct vt_listener {
    int fd;
    enum vt_peer peer;   /**< what who connects here is; OWNER: if his uid says so */
    char url[64];        /**< "http://127.0.0.1:8487", or "" for a Unix socket */
    char path[PATH_MAX]; /**< of a Unix socket, or "" */
    bool unlink;         /**< the socket file is ours to remove */
};

struct vt_listeners {
    unsigned n;
    struct vt_listener all[VT_LISTENERS_MAX];
};

/** "127.0.0.1:8487", "[::1]:0", "0.0.0.0:80". Addresses are numbers: a name may lead anywhere.
 *  VT_E_INVAL. */
int vt_listen_parse(const char *text, struct sockaddr_storage *addr, struct vt_error *err);
/** Whether an address can be reached from this host alone. */
bool vt_listen_is_loopback(const struct sockaddr *addr);

/** Adds one. VT_E_BUSY: somebody listens there. VT_E_NOT_FOUND: this host has no such address. */
int vt_listen_tcp(struct vt_listeners *all, const struct sockaddr_storage *addr,
                  struct vt_error *err);
/** Adds the Unix socket `path`, mode 0600. One that nobody listens at any more is replaced;
 *  VT_E_BUSY when somebody does. Two servers that come at once exclude each other. */
int vt_listen_unix(struct vt_listeners *all, const char *path, struct vt_error *err);
/** Adds a socket that listens already, and owns it from now on. VT_E_INVAL: it does not. */
int vt_listen_adopt(struct vt_listeners *all, int fd, struct vt_error *err);
/** Closes all, and removes the socket files that are ours. */
void vt_listen_close(struct vt_listeners *all);

#endif
