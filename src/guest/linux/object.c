/* guest/linux/object.c - members by probing, objects by one copy. See object.h. */
#include "guest/linux/object.h"

#include "base/cursor.h"

#include <string.h>

static int find(const struct vt_kernel *kernel, const struct vt_field_spec *spec, const char *path,
                struct vt_member *member, struct vt_error *err)
{
    if (spec->struct_name != NULL) {
        return vt_kernel_member(kernel, spec->struct_name, path, member, err);
    }
    int64_t value;
    int rc = vt_kernel_enumerator(kernel, path, &value, err);
    if (rc == 0 && (value < 0 || value > UINT32_MAX)) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s is %lld", path, (long long)value);
    }
    if (rc == 0) {
        *member = (struct vt_member){.offset = (uint32_t)value, .size = 1};
    }
    return rc;
}

int vt_fields_resolve(const struct vt_kernel *kernel, const struct vt_field_spec *specs, size_t n,
                      void *layout, struct vt_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct vt_field_spec *spec = &specs[i];
        struct vt_member member = {0};
        int rc = VT_E_NOT_FOUND;
        if (spec->paths[0] == NULL) {
            rc = vt_kernel_struct_size(kernel, spec->struct_name, &member.size, err);
        }
        for (size_t p = 0; p < VT_FIELD_PATHS && spec->paths[p] != NULL && rc != 0; p++) {
            rc = find(kernel, spec, spec->paths[p], &member, err);
            if (rc != 0 && rc != VT_E_NOT_FOUND) {
                return rc;
            }
        }
        if (rc != 0 && !spec->optional) {
            return rc;
        }
        if (rc != 0) {
            continue; /* the slot keeps what another spec may have found for it */
        }
        memcpy((uint8_t *)layout + spec->slot, &member, sizeof member);
        if (spec->extent != 0) {
            uint8_t *at = (uint8_t *)layout + (spec->extent - 1);
            struct vt_extent extent;
            memcpy(&extent, at, sizeof extent);
            vt_extent_add(&extent, &member);
            memcpy(at, &extent, sizeof extent);
        }
    }
    return 0;
}

void vt_extent_add(struct vt_extent *extent, const struct vt_member *member)
{
    if (member->size == 0) {
        return;
    }
    uint32_t end = member->offset + member->size;
    if (extent->high == 0 || member->offset < extent->low) {
        extent->low = member->offset;
    }
    extent->high = end > extent->high ? end : extent->high;
}

int vt_object_read(const struct vt_space *space, struct vt_gva at, struct vt_extent extent,
                   struct vt_object *object, struct vt_error *err)
{
    uint32_t n = extent.high - extent.low;
    if (n > sizeof object->bytes) {
        return vt_fail(err, VT_E_LIMIT, "an object's members span %u bytes", n);
    }
    int rc = vt_space_read(space, VT_GVA(at.v + extent.low), object->bytes, n, err);
    if (rc == 0) {
        object->at = at;
        object->low = extent.low;
        object->n = n;
    }
    return rc;
}

/* The member's bytes in the copy, or NULL. */
static const uint8_t *bytes_of(const struct vt_object *object, const struct vt_member *member)
{
    uint64_t at = (uint64_t)member->offset - object->low;
    return member->size != 0 && member->offset >= object->low && at + member->size <= object->n
               ? object->bytes + at
               : NULL;
}

uint64_t vt_object_uint(const struct vt_object *object, const struct vt_member *member)
{
    const uint8_t *p = bytes_of(object, member);
    switch (p != NULL ? member->size : 0) {
    case 1:
        return *p;
    case 2:
        return vt_le16(p);
    case 4:
        return vt_le32(p);
    case 8:
        return vt_le64(p);
    default:
        return 0;
    }
}

void vt_object_text(const struct vt_object *object, const struct vt_member *member, char *text,
                    size_t size)
{
    const uint8_t *p = bytes_of(object, member);
    size_t room = p == NULL ? 0 : member->size < size - 1 ? member->size : size - 1;
    size_t n = 0;
    for (; n < room && p[n] != '\0'; n++) {
        text[n] = (char)p[n];
    }
    text[n] = '\0';
}
