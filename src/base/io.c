/* base/io.c - see io.h. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

uint64_t vt_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t vt_deadline_ms(uint64_t ms)
{
    uint64_t now = vt_now_ns();
    return ms > (VT_NO_DEADLINE - now) / 1000000u ? VT_NO_DEADLINE : now + ms * 1000000u;
}

int vt_poll_timeout(uint64_t deadline_ns)
{
    if (deadline_ns == VT_NO_DEADLINE) {
        return -1;
    }
    uint64_t now = vt_now_ns();
    if (now >= deadline_ns) {
        return 0;
    }
    uint64_t ms = (deadline_ns - now - 1) / 1000000u + 1;
    return ms > 1000000u ? 1000000 : (int)ms;
}

/* 0: ready; 1: try again; else the failure. */
static int wait_once(int fd, short events, uint64_t deadline_ns, const sigset_t *mask,
                     struct vt_error *err)
{
    int ms = vt_poll_timeout(deadline_ns);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    struct pollfd p = {.fd = fd, .events = events};
    int r = ppoll(&p, 1, ms < 0 ? NULL : &t, mask);
    if (r > 0) {
        return 0;
    }
    if (r < 0 && errno != EINTR) {
        return vt_fail_errno(err, VT_E_IO, errno, "poll");
    }
    if (deadline_ns != VT_NO_DEADLINE && vt_now_ns() >= deadline_ns) {
        return vt_fail(err, VT_E_TIMEOUT, "no answer in time");
    }
    return 1;
}

int vt_wait_fd(int fd, short events, uint64_t deadline_ns, const volatile int *stop,
               struct vt_error *err)
{
    /* A signal between the look at *stop and the wait would be slept through, so signals are held
     * back and only let in by ppoll itself. */
    sigset_t all, before;
    sigfillset(&all);
    int rc = 1;
    while (rc > 0) {
        pthread_sigmask(SIG_SETMASK, &all, &before);
        if (stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0) {
            rc = vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        } else {
            rc = wait_once(fd, events, deadline_ns, &before, err);
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return rc;
}

void vt_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
        *fd = -1;
    }
}

int vt_write_all(int fd, const void *bytes, size_t count, const char *what, struct vt_error *err)
{
    const char *p = bytes;
    while (count > 0) {
        ssize_t n = write(fd, p, count);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return vt_fail_errno(err, vt_code_of_errno(errno), errno, "writing %s", what);
        }
        p += n;
        count -= (size_t)n;
    }
    return 0;
}

int vt_read_all(int fd, void *bytes, size_t count, const char *what, struct vt_error *err)
{
    char *p = bytes;
    while (count > 0) {
        ssize_t n = read(fd, p, count);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return vt_fail_errno(err, vt_code_of_errno(errno), errno, "reading %s", what);
        }
        if (n == 0) {
            return vt_fail(err, VT_E_GONE, "reading %s: it ended %zu bytes early", what, count);
        }
        p += n;
        count -= (size_t)n;
    }
    return 0;
}

int vt_read_file(const char *path, size_t max_bytes, char **text, size_t *bytes,
                 struct vt_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    size_t room = 4096, used = 0;
    char *buf = malloc(room + 1);
    int rc = 0;
    while (buf != NULL) {
        ssize_t n = read(fd, buf + used, room - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "reading %s", path);
            break;
        }
        used += (size_t)n;
        if (used > max_bytes) {
            rc = vt_fail(err, VT_E_LIMIT, "%s is larger than %zu bytes", path, max_bytes);
            break;
        }
        if (n == 0) {
            break;
        }
        if (used == room) {
            room *= 2;
            char *bigger = realloc(buf, room + 1);
            if (bigger == NULL) {
                free(buf);
            }
            buf = bigger;
        }
    }
    close(fd);
    if (buf == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    if (rc != 0) {
        free(buf);
        return rc;
    }
    buf[used] = '\0';
    *text = buf;
    if (bytes != NULL) {
        *bytes = used;
    }
    return 0;
}

int vt_new_file_open(struct vt_new_file *file, const char *path, mode_t mode, bool through,
                     struct vt_error *err)
{
    struct stat st;
    *file = (struct vt_new_file){.path = path, .fd = -1};
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        if (!through) {
            return vt_fail(err, VT_E_INVAL, "%s is not a regular file", path);
        }
        file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return file->fd >= 0 ? 0 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if ((size_t)snprintf(file->temp, sizeof file->temp, "%s.XXXXXX", path) >= sizeof file->temp) {
        return vt_fail(err, VT_E_INVAL, "%s: path too long", path);
    }
    file->fd = mkostemp(file->temp, O_CLOEXEC);
    if (file->fd < 0) {
        file->temp[0] = '\0';
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if (fchmod(file->fd, mode) != 0) {
        int rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
        vt_new_file_abandon(file);
        return rc;
    }
    return 0;
}

int vt_new_file_commit(struct vt_new_file *file, struct vt_error *err)
{
    int fd = file->fd;
    file->fd = -1;
    int rc = 0;
    /* close() is where some file systems say that the disk is full. */
    if (close(fd) != 0 || (file->temp[0] != '\0' && rename(file->temp, file->path) != 0)) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", file->path);
        vt_new_file_abandon(file);
    }
    file->temp[0] = '\0';
    return rc;
}

void vt_new_file_abandon(struct vt_new_file *file)
{
    vt_close(&file->fd);
    if (file->temp[0] != '\0') {
        unlink(file->temp);
        file->temp[0] = '\0';
    }
}

int vt_write_file_atomic(const char *path, const void *bytes, size_t count, mode_t mode,
                         struct vt_error *err)
{
    struct vt_new_file file;
    int rc = vt_new_file_open(&file, path, mode, true, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_write_all(file.fd, bytes, count, path, err);
    if (rc != 0) {
        vt_new_file_abandon(&file);
        return rc;
    }
    return vt_new_file_commit(&file, err);
}

int vt_make_dirs(const char *path, mode_t mode, struct vt_error *err)
{
    char part[4096];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) {
        return vt_fail(err, VT_E_INVAL, "'%s': not a usable path", path);
    }
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", part);
        }
    }
    struct stat st;
    if (stat(path, &st) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    return S_ISDIR(st.st_mode) ? 0 : vt_fail(err, VT_E_EXISTS, "%s is not a directory", path);
}

/* sun_path holds 108 bytes. A longer path goes by way of its directory's descriptor, which lives
 * until the caller's connect() or bind() is done. */
static int unix_address(const char *path, struct sockaddr_un *addr, int *dir_fd,
                        struct vt_error *err)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dir_fd = -1;
    if (path[0] == '\0') { /* the kernel would take it for an abstract name */
        return vt_fail(err, VT_E_INVAL, "a socket needs a path");
    }
    if (strlen(path) < sizeof addr->sun_path) {
        memcpy(addr->sun_path, path, strlen(path) + 1);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    char dir[4096];
    if (slash == NULL || (size_t)(slash - path) >= sizeof dir || strlen(slash) > 64) {
        return vt_fail(err, VT_E_INVAL, "%s: too long for a socket", path);
    }
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    snprintf(addr->sun_path, sizeof addr->sun_path, "/proc/self/fd/%d%s", *dir_fd, slash);
    return 0;
}

int vt_unix_connect(const char *path, int *fd, struct vt_error *err)
{
    struct sockaddr_un addr;
    int dir_fd;
    int rc = unix_address(path, &addr, &dir_fd, err);
    if (rc != 0) {
        return rc;
    }
    /* connect() waits while the listener's queue is full, for ever unless told otherwise. */
    const struct timeval patience = {.tv_sec = 2}, for_ever = {0};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        connect(s, (const struct sockaddr *)&addr, sizeof addr) != 0 ||
        setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &for_ever, sizeof for_ever) != 0) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
        vt_close(&s);
    } else {
        *fd = s;
    }
    vt_close(&dir_fd);
    return rc;
}

int vt_unix_listen(const char *path, int backlog, int *fd, struct vt_error *err)
{
    struct sockaddr_un addr;
    int dir_fd;
    int rc = unix_address(path, &addr, &dir_fd, err);
    if (rc != 0) {
        return rc;
    }
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* The mode of a socket file is 0777 & ~umask at bind(); fchmod before it sets just that. */
    bool bound =
        s >= 0 && fchmod(s, 0600) == 0 && bind(s, (const struct sockaddr *)&addr, sizeof addr) == 0;
    if (bound && listen(s, backlog) == 0) {
        *fd = s;
    } else {
        enum vt_code code = errno == EADDRINUSE ? VT_E_EXISTS : vt_code_of_errno(errno);
        rc = vt_fail_errno(err, code, errno, "%s", path);
        if (bound) {
            unlink(addr.sun_path);
        }
        vt_close(&s);
    }
    vt_close(&dir_fd);
    return rc;
}

#define MAX_FDS 8

int vt_send_fds(int sock, const void *bytes, size_t count, const int *fds, size_t n_fds,
                struct vt_error *err)
{
    if (count == 0 || n_fds > MAX_FDS) {
        return vt_fail(err, VT_E_INVAL, "sending descriptors: bad counts");
    }
    union {
        char space[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = count};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds > 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    ssize_t n;
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "sending descriptors");
    }
    return (size_t)n == count ? 0 : vt_fail(err, VT_E_IO, "sending descriptors: short write");
}

int vt_recv_fds(int sock, void *bytes, size_t *count, int *fds, size_t *n_fds, struct vt_error *err)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = bytes, .iov_len = *count};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t n;
    do {
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "receiving descriptors");
    }
    size_t got = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (got < *n_fds) {
                fds[got++] = fd;
            } else {
                close(fd);
            }
        }
    }
    *count = (size_t)n;
    *n_fds = got;
    return 0;
}
