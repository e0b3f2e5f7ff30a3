/* base/embedded.h - files compiled into a library: the table that tools/embed makes of them.
 */
#ifndef VT_BASE_EMBEDDED_H
#define VT_BASE_EMBEDDED_H

#include <stdint.h>

/** The table ends with a NULL name. */
struct vt_embedded {
    const char *name;
    const uint8_t *bytes;
    uint64_t size;
};

#endif
