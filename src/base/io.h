/* base/io.h - file descriptors, time and Unix sockets: the small steps every room takes.
 *
 * Every descriptor made here is close-on-exec. Deadlines are absolute CLOCK_MONOTONIC nanoseconds;
 * VT_NO_DEADLINE waits for ever.
 */
#ifndef VT_BASE_IO_H
#define VT_BASE_IO_H

#include "vitrine/base.h"

#include <limits.h>
#include <sys/types.h>

#define VT_NO_DEADLINE UINT64_MAX

/** CLOCK_MONOTONIC in nanoseconds. */
uint64_t vt_now_ns(void);
/** A deadline `ms` milliseconds from now. */
uint64_t vt_deadline_ms(uint64_t ms);
/** What poll() wants for a deadline: milliseconds left, rounded up, 0 when past, -1 for none. */
int vt_poll_timeout(uint64_t deadline_ns);

/** Waits until `fd` shows one of `events` (POLLIN, POLLOUT). VT_E_TIMEOUT when the deadline passes
 *  first, VT_E_INTERRUPTED when *stop (may be NULL) becomes non-zero by a handler of a signal that
 *  the calling thread takes. POLLHUP and POLLERR count as ready: the next read or write says what
 *  it is. */
int vt_wait_fd(int fd, short events, uint64_t deadline_ns, const volatile int *stop,
               struct vt_error *err);

/** close() that takes -1 and keeps errno; sets *fd to -1. */
void vt_close(int *fd);

/** Writes all of it, retrying after signals and short writes. `what` names the target. A peer that
 *  is gone raises SIGPIPE as write() does; a program that ignores it gets VT_E_GONE. */
int vt_write_all(int fd, const void *bytes, size_t count, const char *what, struct vt_error *err);
/** Reads exactly `count` bytes; VT_E_GONE when the stream ends before. */
int vt_read_all(int fd, void *bytes, size_t count, const char *what, struct vt_error *err);

/** The whole file as a malloc'ed, zero-terminated buffer the caller frees; at most `max_bytes`
 *  (VT_E_LIMIT beyond). Works on /proc files. `bytes` may be NULL. */
int vt_read_file(const char *path, size_t max_bytes, char **text, size_t *bytes,
                 struct vt_error *err);
/** A file being written beside `path`: after _commit readers see all of it, before and after
 *  _abandon the old one or nothing. Where `path` is a device or a pipe, which a rename would
 * replace, the bytes go straight into it if `through`, else opening fails with VT_E_INVAL. */
struct vt_new_file {
    const char *path; /* the caller's, who keeps it alive */
    int fd;           /* write here; it may be seeked in unless it goes through */
    char temp[PATH_MAX];
};
int vt_new_file_open(struct vt_new_file *file, const char *path, mode_t mode, bool through,
                     struct vt_error *err);
/** Closes and renames; on failure the file is abandoned. */
int vt_new_file_commit(struct vt_new_file *file, struct vt_error *err);
void vt_new_file_abandon(struct vt_new_file *file);
/** All of that in one step, through devices too. */
int vt_write_file_atomic(const char *path, const void *bytes, size_t count, mode_t mode,
                         struct vt_error *err);

/** mkdir -p with `mode` for the parts that are made. An existing directory is fine. */
int vt_make_dirs(const char *path, mode_t mode, struct vt_error *err);

/** Connects to a stream socket; paths longer than sun_path are reached through /proc/self/fd.
 *  VT_E_NOT_FOUND without a file, VT_E_GONE when nobody listens (stale), VT_E_PERM, VT_E_BUSY when
 *  the listener's queue stays full for two seconds. */
int vt_unix_connect(const char *path, int *fd, struct vt_error *err);
/** Binds and listens with mode 0600; an existing file at `path` is VT_E_EXISTS. */
int vt_unix_listen(const char *path, int backlog, int *fd, struct vt_error *err);
/** Sends `count` > 0 bytes with up to 8 descriptors as one message (SCM_RIGHTS). */
int vt_send_fds(int sock, const void *bytes, size_t count, const int *fds, size_t n_fds,
                struct vt_error *err);
/** Receives one message; descriptors beyond `*n_fds` are closed. *count 0 means end of stream. */
int vt_recv_fds(int sock, void *bytes, size_t *count, int *fds, size_t *n_fds,
                struct vt_error *err);

#endif
