/* machine/cpio.h - writes an initramfs: a cpio archive in the "newc" form, in memory.
 *
 * The same entries give the same bytes in whatever order they were added: they are sorted by path,
 * numbered in that order, belong to root and carry the time zero. Parents that were not added are
 * made (mode 0755). Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#ifndef VT_MACHINE_CPIO_H
#define VT_MACHINE_CPIO_H

#include "vitrine/base.h"

#include <sys/types.h>

struct vt_cpio_entry {
    char *path; /* without a leading slash */
    mode_t mode;
    unsigned major, minor;
    uint8_t *data;
    size_t size;
};

struct vt_cpio {
    struct vt_cpio_entry *entries;
    size_t n, room;
};

void vt_cpio_init(struct vt_cpio *cpio);
void vt_cpio_fini(struct vt_cpio *cpio);

/** Adds a file, directory, link (data is its target) or device, as the type bits of `mode` say.
 *  `path` is absolute, without "." and ".." parts; `data` is copied (NULL when `size` is 0).
 * Errors: VT_E_INVAL (path), VT_E_EXISTS (path added before), VT_E_LIMIT (4 GiB), VT_E_NOMEM. */
int vt_cpio_add(struct vt_cpio *cpio, const char *path, mode_t mode, const void *data, size_t size,
                struct vt_error *err);
int vt_cpio_add_device(struct vt_cpio *cpio, const char *path, mode_t mode, unsigned major,
                       unsigned minor, struct vt_error *err);
bool vt_cpio_has(const struct vt_cpio *cpio, const char *path);

/** The archive, malloc'ed, the caller's. The entries stay. */
int vt_cpio_finish(struct vt_cpio *cpio, uint8_t **bytes, size_t *size, struct vt_error *err);

#endif
