/* cli/mount/text.h - the files that are text: each is a function that writes one. */
#ifndef VT_CLI_MOUNT_TEXT_H
#define VT_CLI_MOUNT_TEXT_H

#include "cli/mount/fs.h"

#include <stdio.h>

/** The process a file belongs to; all zeros for others. */
typedef int vt_fs_text_fn(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                          struct vt_error *err);

/* Of the system. In the form of the /proc file of that name, where there is one; text of the guest
 * is made safe for terminals. */
vt_fs_text_fn vt_fs_text_version, vt_fs_text_kallsyms, vt_fs_text_modules, vt_fs_text_mounts,
    vt_fs_text_dmesg, vt_fs_text_sockets;
/* Of a process. cmdline and environ are the process's bytes as they are. */
vt_fs_text_fn vt_fs_text_cmdline, vt_fs_text_comm, vt_fs_text_environ, vt_fs_text_files,
    vt_fs_text_maps, vt_fs_text_status;

/** A noun's rows; what the walk says of itself comes last, behind a '#' when it is no JSON. */
int vt_fs_text_noun(struct vt_kernel *kernel, const struct vt_noun *noun, bool json, int32_t pid,
                    FILE *out, struct vt_error *err);
/** Where RAM lies, as /proc/iomem writes it; needs no kernel. */
void vt_fs_text_regions(const struct vt_ram *ram, FILE *out);

#endif
