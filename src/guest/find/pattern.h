/* guest/find/pattern.h - bytes to look for, each with a mask, and where they stand in memory. */
#ifndef VT_GUEST_FIND_PATTERN_H
#define VT_GUEST_FIND_PATTERN_H

#include "vitrine/find.h"

/** Memory m matches where (m[i] & mask[i]) == value[i] for all i. */
struct vt_pattern {
    char *text; /* as given */
    uint8_t *value, *mask;
    size_t n;
    size_t anchor[2]; /* the two places that are rarest in memory; they may be the same */
};

/** Both make a pattern that vt_pattern_fini frees. VT_E_INVAL, VT_E_NOMEM. */
int vt_pattern_hex(struct vt_pattern *pattern, const char *hex, struct vt_error *err);
int vt_pattern_text(struct vt_pattern *pattern, const char *text, unsigned flags,
                    struct vt_error *err);
void vt_pattern_fini(struct vt_pattern *pattern);

/** The first match in bytes[0, n) that begins at or after `from`: its place; n when there is none.
 */
size_t vt_pattern_next(const struct vt_pattern *pattern, const uint8_t *bytes, size_t n,
                       size_t from);

#endif
