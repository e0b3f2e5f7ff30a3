/* guest/linux/ops.c - see ops.h. */
#include "guest/linux/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int vt_ops_take(const struct vt_kernel *kernel, const char *struct_name, struct vt_ops *ops,
                struct vt_error *err)
{
    const struct vt_btf *types;
    *ops = (struct vt_ops){.struct_name = struct_name};
    int rc = vt_kernel_types(kernel, &types, err);
    if (rc == 0) {
        rc = vt_btf_struct_size(types, struct_name, &ops->bytes, err);
    }
    return rc != 0 ? rc : vt_btf_hooks(types, struct_name, ops->hooks, VT_OPS_MAX, &ops->n, err);
}

bool vt_hook_check(struct vt_code_map *map, struct vt_gva function, const char *what,
                   struct vt_row *row)
{
    struct vt_code_at code;
    vt_code_find(map, function, &code);
    if (vt_code_is_owned(&code)) {
        return true;
    }
    vt_row_find(row,
                "%s leads to 0x%" PRIx64 ", %s: neither the kernel nor a module that is "
                "listed put it there",
                what, function.v, code.whose);
    return false;
}

unsigned vt_ops_check(struct vt_code_map *map, const struct vt_ops *ops, struct vt_gva at,
                      const char *what, struct vt_row *row)
{
    unsigned n = 0;
    for (size_t i = 0; i < ops->n && ops->hooks[i].offset + 8 <= ops->bytes; i++) {
        char text[64];
        struct vt_gva function =
            VT_GVA(vt_look_u64(&map->walk->look, VT_GVA(at.v + ops->hooks[i].offset)));
        snprintf(text, sizeof text, "%s: %s", what, ops->hooks[i].name);
        n += function.v != 0 && !vt_hook_check(map, function, text, row);
    }
    return n;
}
