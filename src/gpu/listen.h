/* gpu/listen.h - a Unix socket that is served at a path, and removed with its server.
 */
#ifndef VT_GPU_LISTEN_H
#define VT_GPU_LISTEN_H

#include "vitrine/base.h"

#include <limits.h>
#include <sys/types.h>

struct vt_gpu_listener {
    int fd;
    char path[PATH_MAX]; /**< absolute */
    dev_t device;        /**< whose file it is: another's is not removed */
    ino_t inode;
};

/** Listens, mode 0600. A socket there that nobody listens on any more is replaced; VT_E_EXISTS: it
 * is listened on, or no socket. */
int vt_gpu_listen(struct vt_gpu_listener *listener, const char *path, struct vt_error *err);
/** Takes one that does not listen (fd -1). */
void vt_gpu_unlisten(struct vt_gpu_listener *listener);

#endif
