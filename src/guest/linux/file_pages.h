/* guest/linux/file_pages.h - the pages of a file: its struct address_space, entry by entry. */
#ifndef VT_GUEST_LINUX_FILE_PAGES_H
#define VT_GUEST_LINUX_FILE_PAGES_H

#include "guest/linux/noun.h"

struct vt_mapping_layout {
    struct vt_member i_data;         /**< of an inode: its own mapping */
    struct vt_member pages, nrpages; /**< of a mapping */
    struct vt_member xa_flags;
};

/** Belongs to the kernel. VT_E_NOT_FOUND. */
int vt_mapping_take(struct vt_kernel *kernel, const struct vt_mapping_layout **layout,
                    struct vt_error *err);

/** Counts the pages of the mapping at `at` into the row and doubts the row's look when they are not
 *  as many as the kernel counted. VT_E_NOT_FOUND. */
int vt_mapping_count(struct vt_walk *walk, const struct vt_mapping_layout *l, struct vt_gva at,
                     struct vt_cached_file *row, struct vt_error *err);

#endif
