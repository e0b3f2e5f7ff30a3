/* gpu/listen.c - see listen.h.
 *
 * Whether a socket is stale is found out by connecting to it; only that very file is removed then,
 * and only its own file at the end, since another server may have come in between.
 */
#include "gpu/listen.h"

#include "base/io.h"
#include "base/paths.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

static int make_absolute(char out[PATH_MAX], const char *path, struct vt_error *err)
{
    char here[PATH_MAX];
    if (path[0] == '/') {
        return vt_path_format(out, err, "%s", path);
    }
    if (getcwd(here, sizeof here) == NULL) {
        return vt_fail_errno(err, VT_E_IO, errno, "the working directory");
    }
    return vt_path_format(out, err, "%s/%s", here, path);
}

/* 0: there was nothing, or it is gone now. */
static int remove_stale(const char *path, struct vt_error *err)
{
    struct stat st, now;
    struct vt_error why;
    int fd = -1;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? 0 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return vt_fail(err, VT_E_EXISTS, "%s is there already, and no socket", path);
    }
    int rc = vt_unix_connect(path, &fd, &why);
    if (rc == 0 || rc == VT_E_BUSY) {
        vt_close(&fd);
        return vt_fail(err, VT_E_EXISTS, "%s is served already", path);
    }
    if (rc != VT_E_GONE) {
        *err = why;
        return rc;
    }
    if (lstat(path, &now) == 0 && now.st_dev == st.st_dev && now.st_ino == st.st_ino &&
        unlink(path) != 0 && errno != ENOENT) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    return 0;
}

int vt_gpu_listen(struct vt_gpu_listener *listener, const char *path, struct vt_error *err)
{
    struct stat st;
    struct vt_gpu_listener l = {.fd = -1};
    int rc = make_absolute(l.path, path, err);
    rc = rc != 0 ? rc : remove_stale(l.path, err);
    rc = rc != 0 ? rc : vt_unix_listen(l.path, BACKLOG, &l.fd, err);
    if (rc != 0) {
        return rc;
    }
    if (lstat(l.path, &st) == 0) {
        l.device = st.st_dev;
        l.inode = st.st_ino;
    }
    *listener = l;
    return 0;
}

void vt_gpu_unlisten(struct vt_gpu_listener *l)
{
    struct stat st;
    if (l->fd >= 0 && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode) {
        unlink(l->path);
    }
    vt_close(&l->fd);
}
