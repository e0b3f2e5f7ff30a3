/* guest/linux/layout.c - a kernel's layouts, each probed when first asked for. See layout.h. */
#include "guest/linux/layout.h"

#include "guest/kernel.h"

#include <stdlib.h>
#include <string.h>

struct vt_layout_entry {
    struct vt_layout_entry *next;
    const struct vt_layout_type *type;
    _Alignas(8) uint8_t layout[];
};

int vt_layout_take(struct vt_kernel *kernel, const struct vt_layout_type *type, void *layout,
                   struct vt_error *err)
{
    const struct vt_layout_entry *known = kernel->layouts;
    while (known != NULL && known->type != type) {
        known = known->next;
    }
    if (known == NULL) {
        struct vt_layout_entry *entry = calloc(1, sizeof *entry + type->bytes);
        if (entry == NULL) {
            return vt_fail(err, VT_E_NOMEM, "layout: out of memory");
        }
        int rc = vt_fields_resolve(kernel, type->specs, type->n_specs, entry->layout, err);
        if (rc != 0) {
            free(entry);
            return rc;
        }
        entry->type = type;
        entry->next = kernel->layouts;
        kernel->layouts = entry;
        known = entry;
    }
    const void *found = known->layout;
    memcpy(layout, &found, sizeof found);
    return 0;
}

void vt_layouts_free(struct vt_layout_entry *first)
{
    while (first != NULL) {
        struct vt_layout_entry *next = first->next;
        free(first);
        first = next;
    }
}
