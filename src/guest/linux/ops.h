/* guest/linux/ops.h - tables of functions (struct file_operations and its like): whose code each of
 * their pointers leads to. */
#ifndef VT_GUEST_LINUX_OPS_H
#define VT_GUEST_LINUX_OPS_H

#include "guest/linux/code.h"
#include "guest/symbols/btf.h"

#define VT_OPS_MAX 128u

/** Which members of a struct are pointers to functions. */
struct vt_ops {
    const char *struct_name;
    uint32_t bytes; /**< of the struct */
    size_t n;
    struct vt_btf_hook hooks[VT_OPS_MAX];
};

/** VT_E_NOT_FOUND: the kernel has no such struct. */
int vt_ops_take(const struct vt_kernel *kernel, const char *struct_name, struct vt_ops *ops,
                struct vt_error *err);

/** Reads the table at `at` through the walk's look. A pointer that leads to nobody's code becomes
 *  the row's finding ("ldisc n_tty: receive_buf leads to …"). Returns how many do. */
unsigned vt_ops_check(struct vt_code_map *map, const struct vt_ops *ops, struct vt_gva at,
                      const char *what, struct vt_row *row);

/** The same for one pointer. */
bool vt_hook_check(struct vt_code_map *map, struct vt_gva function, const char *what,
                   struct vt_row *row);

#endif
