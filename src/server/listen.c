/* server/listen.c - see listen.h. */
#include "server/listen.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/vmdir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

int vt_listen_parse(const char *text, struct sockaddr_storage *addr, struct vt_error *err)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    uint64_t port;
    if (n == 0 || n >= sizeof host || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        vt_parse_u64(colon + 1, &port, NULL) != 0 || port > UINT16_MAX) {
        return vt_fail(err, VT_E_INVAL, "'%.64s' is no ADDRESS:PORT", text);
    }
    memcpy(host, text, n);
    host[n] = '\0';
    struct sockaddr_storage found = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&found;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&found;
    bool bracketed = host[0] == '[' && host[n - 1] == ']';
    if (bracketed) {
        host[n - 1] = '\0';
    }
    if (bracketed && inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
    } else if (!bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
    } else {
        return vt_fail(err, VT_E_INVAL,
                       "'%.64s': the address is a number: 127.0.0.1:8487, [::1]:8487", text);
    }
    *addr = found;
    return 0;
}

bool vt_listen_is_loopback(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)addr;
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
    return false;
}

/* The next free place. */
static struct vt_listener *room(struct vt_listeners *all, struct vt_error *err)
{
    if (all->n == VT_LISTENERS_MAX) {
        vt_fail(err, VT_E_LIMIT, "at most %d addresses to listen at", VT_LISTENERS_MAX);
        return NULL;
    }
    struct vt_listener *l = &all->all[all->n];
    *l = (struct vt_listener){.fd = -1};
    return l;
}

/* What a listening socket is, from what it is bound to. */
static int describe(struct vt_listener *l, struct vt_error *err)
{
    struct sockaddr_storage addr = {0};
    socklen_t n = sizeof addr;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(l->fd, (struct sockaddr *)&addr, &n) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "getsockname");
    }
    if (addr.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(l->url, sizeof l->url, "http://%s:%u", host, ntohs(v4->sin_port));
    } else if (addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(l->url, sizeof l->url, "http://[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (addr.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&addr;
        l->peer = VT_PEER_OWNER;
        snprintf(l->path, sizeof l->path, "%.*s", (int)sizeof un->sun_path, un->sun_path);
        return 0;
    } else {
        return vt_fail(err, VT_E_INVAL, "a socket that is neither TCP nor Unix");
    }
    l->peer =
        vt_listen_is_loopback((const struct sockaddr *)&addr) ? VT_PEER_LOCAL : VT_PEER_REMOTE;
    return 0;
}

int vt_listen_tcp(struct vt_listeners *all, const struct sockaddr_storage *addr,
                  struct vt_error *err)
{
    static const int on = 1;
    char host[INET6_ADDRSTRLEN] = "";
    bool v6 = addr->ss_family == AF_INET6;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)addr;
    const struct sockaddr_in *four = (const struct sockaddr_in *)addr;
    struct vt_listener *l = room(all, err);
    if (l == NULL) {
        return VT_E_LIMIT;
    }
    inet_ntop(addr->ss_family, v6 ? (const void *)&six->sin6_addr : &four->sin_addr, host,
              sizeof host);
    l->fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = l->fd >= 0 && setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              (!v6 || setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
              bind(l->fd, (const struct sockaddr *)addr, v6 ? sizeof *six : sizeof *four) == 0 &&
              listen(l->fd, BACKLOG) == 0;
    int rc = 0;
    if (!ok) {
        unsigned port = ntohs(v6 ? six->sin6_port : four->sin_port);
        enum vt_code code = errno == EADDRINUSE                               ? VT_E_BUSY
                            : errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT ? VT_E_NOT_FOUND
                                                                              : VT_E_IO;
        code = errno == EACCES ? VT_E_PERM : code;
        rc = vt_fail_errno(err, code, errno, v6 ? "[%s]:%u" : "%s:%u", host, port);
    }
    rc = rc != 0 ? rc : describe(l, err);
    if (rc != 0) {
        vt_close(&l->fd);
        return rc;
    }
    all->n++;
    return 0;
}

/* Removes a socket file that nobody answers at. The registry's lock keeps two servers apart that
 * do so at once. */
static int listen_in_turn(const char *path, int *fd, struct vt_error *err)
{
    struct stat st;
    int lock, other;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        return vt_fail(err, VT_E_EXISTS, "%s is there, and no socket", path);
    }
    int rc = vt_registry_lock(&lock, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_unix_connect(path, &other, err);
    if (rc == 0) {
        close(other);
        rc = vt_fail(err, VT_E_BUSY, "%s: a server listens there already", path);
    } else if (rc == VT_E_GONE && unlink(path) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    } else if (rc == VT_E_GONE || rc == VT_E_NOT_FOUND) {
        rc = vt_unix_listen(path, BACKLOG, fd, err);
    }
    close(lock);
    return rc;
}

int vt_listen_unix(struct vt_listeners *all, const char *path, struct vt_error *err)
{
    struct vt_listener *l = room(all, err);
    if (l == NULL) {
        return VT_E_LIMIT;
    }
    int n = snprintf(l->path, sizeof l->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof l->path) {
        return vt_fail(err, VT_E_INVAL, "%.64s…: too long", path);
    }
    int rc = listen_in_turn(path, &l->fd, err);
    if (rc != 0) {
        return rc;
    }
    fcntl(l->fd, F_SETFL, O_NONBLOCK);
    l->peer = VT_PEER_OWNER;
    l->unlink = true;
    all->n++;
    return 0;
}

int vt_listen_adopt(struct vt_listeners *all, int fd, struct vt_error *err)
{
    int listens = 0;
    socklen_t n = sizeof listens;
    struct vt_listener *l = room(all, err);
    if (l == NULL) {
        close(fd);
        return VT_E_LIMIT;
    }
    l->fd = fd;
    int rc = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0 || listens == 0) {
        rc = vt_fail(err, VT_E_INVAL, "descriptor %d is no socket that listens", fd);
    }
    rc = rc != 0 ? rc : describe(l, err);
    if (rc != 0) {
        vt_close(&l->fd);
        return rc;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    all->n++;
    return 0;
}

void vt_listen_close(struct vt_listeners *all)
{
    for (unsigned i = 0; i < all->n; i++) {
        vt_close(&all->all[i].fd);
        if (all->all[i].unlink) {
            unlink(all->all[i].path);
        }
    }
    all->n = 0;
}
