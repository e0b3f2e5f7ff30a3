/* machine/guest_tree.h - the unpacked Debian tree the default guest is made from (tools/setup
 * guest).
 *
 * Paths are the tree's own: symbolic links, absolute ones too, stay within it. What the files say
 * about each other (shared libraries a program needs, modules a module needs) is read from the ELF
 * files themselves. Not thread-safe.
 */
#ifndef VT_MACHINE_GUEST_TREE_H
#define VT_MACHINE_GUEST_TREE_H

#include "vitrine/base.h"

#include <limits.h>

struct vt_guest_tree {
    int fd;
    char path[PATH_MAX];
    char kernel[PATH_MAX]; /* within the tree, no leading slash */
    char release[128];     /* what uname -r says */
};

/** Opens a tree and finds its kernel (the newest). VT_E_NOT_FOUND when it is not one. */
int vt_guest_tree_open(const char *path, struct vt_guest_tree *tree, struct vt_error *err);
void vt_guest_tree_close(struct vt_guest_tree *tree);

/** A whole file, malloc'ed, the caller's. Where only FILE.xz is there (modules, since Debian 13),
 * that one unpacked. At most 256 MiB. */
int vt_guest_tree_read(const struct vt_guest_tree *tree, const char *file, uint8_t **bytes,
                       size_t *size, struct vt_error *err);

#define VT_GUEST_NEEDS_MAX 32
#define VT_GUEST_NAME_MAX 128

/** Names, in the order the file gives them. */
struct vt_guest_needs {
    char name[VT_GUEST_NEEDS_MAX][VT_GUEST_NAME_MAX];
    unsigned n;
    char interpreter[VT_GUEST_NAME_MAX]; /* PT_INTERP, or empty */
};

/** DT_NEEDED and PT_INTERP of an ELF file in memory; `what` names it in errors. */
int vt_guest_elf_needs(uint8_t *bytes, size_t size, const char *what, struct vt_guest_needs *needs,
                       struct vt_error *err);
/** The next value of `key` ("depends", "alias") in a module's .modinfo; *at counts, from 0. NULL
 *  when there is none. Borrowed from `bytes`. */
const char *vt_guest_modinfo(uint8_t *bytes, size_t size, const char *key, size_t *at);

#endif
