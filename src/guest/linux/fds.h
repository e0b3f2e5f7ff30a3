/* guest/linux/fds.h - the open descriptors of a process: its table of struct file.
 *
 *   if (vt_fds_begin(&fds, kernel, task, err) != 0) …
 *   while (vt_fds_next(&fds, &fd, &file)) …
 *   if (fds.torn) …
 */
#ifndef VT_GUEST_LINUX_FDS_H
#define VT_GUEST_LINUX_FDS_H

#include "guest/kernel.h"

struct vt_fds {
    const struct vt_space *space;
    struct vt_gva file_of;              /* array of struct file *, by descriptor */
    struct vt_gva open_bits, exec_bits; /* a bit for each: it is open; it is closed on exec */
    uint32_t n, at;                     /* room of the table; next descriptor to look at */
    uint64_t open;                      /* those of this word of bits that are to be looked at */
    uint64_t files[64];                 /* of this word */
    bool torn;                          /* descriptors may be missing */
    char why[96];
};

/** `task`: a struct task_struct; one without a table (a kernel thread's may be empty, a zombie has
 *  none) has no descriptors. VT_E_NOT_FOUND (members), VT_E_NOMEM. */
int vt_fds_begin(struct vt_fds *fds, struct vt_kernel *kernel, struct vt_gva task,
                 struct vt_error *err);
/** In ascending order. One that is just being opened, and has no file yet, is passed over. */
bool vt_fds_next(struct vt_fds *fds, uint32_t *fd, struct vt_gva *file);

#endif
