/* machine/guest_image.h - the default guest: a kernel, an initramfs made by us, a command line.
 *
 * The initramfs is made from the Debian tree that `tools/setup guest` unpacked and from the files
 * of guests/linux, which are part of this library; guests/linux/recipe says what goes where. The
 * same inputs give the same bytes. Thread-safe; two processes may build at once.
 */
#ifndef VT_MACHINE_GUEST_IMAGE_H
#define VT_MACHINE_GUEST_IMAGE_H

#include "base/embedded.h"
#include "vitrine/base.h"

#include <limits.h>

/** What makes a guest another one than the default; zeroed: nothing. All borrowed. */
struct vt_guest_wants {
    const char *kernel_tree; /* kernel and modules from this unpacked tree, or NULL */
    const char **files; /* more files, "FILE" or "FILE:PATH" (PATH: /bin/<name>); ends with NULL */
    const char **modules; /* more kernel modules, loaded at boot; ends with NULL */
    bool mesa; /* a guest that has Mesa's Venus driver, of <cache>/mesa-guest (recipe.mesa) */
};

struct vt_guest_image {
    char kernel[PATH_MAX];
    char initrd[PATH_MAX];
    char append[256];
};

/** With less RAM the default guest may not boot: the kernel and the unpacked initramfs fill it.
 * (6.1 booted with 88 MiB and not with 80, with one CPU and with four.) */
#define VT_GUEST_LEAST_BYTES ((uint64_t)96 << 20)

/** The default guest, from <cache>/guest-source, with what is wanted besides (`wants`, or NULL);
 *  its initramfs lies in <cache>/guest/<hash of its
 *  bytes>/ and is written when it is not there yet or differs (some 30 ms in all). Errors:
 *  VT_E_NOT_FOUND (no source tree: says what makes it), VT_E_CORRUPT (a file in it), VT_E_IO, … */
int vt_guest_default(const struct vt_guest_wants *wants, struct vt_guest_image *image,
                     struct vt_error *err);

/** The same into a directory of the caller's, which is made when missing: files "kernel", "initrd"
 *  and "append". */
int vt_guest_build(const char *dir, const struct vt_guest_wants *wants,
                   struct vt_guest_image *image, struct vt_error *err);

/** The initramfs of a source tree in memory, malloc'ed. kernel and append of *image are filled. */
int vt_guest_initramfs(const char *source, const struct vt_guest_wants *wants,
                       struct vt_guest_image *image, uint8_t **bytes, size_t *size,
                       struct vt_error *err);

/** Its own files, compiled in. */
extern const struct vt_embedded vt_guest_files[];

#endif
