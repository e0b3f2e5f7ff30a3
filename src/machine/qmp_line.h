/* machine/qmp_line.h - QMP's lines: bytes in, JSON objects out. Apart from qmp.c so that it can be
 * fuzzed without a socket.
 */
#ifndef VT_MACHINE_QMP_LINE_H
#define VT_MACHINE_QMP_LINE_H

#include "vitrine/base.h"

#include <jansson.h>

struct vt_qmp_lines {
    char *bytes;
    size_t used, room, scanned; /* scanned: no newline before it */
    size_t taken;               /* handed out already */
};

void vt_qmp_lines_fini(struct vt_qmp_lines *lines);
/** Space for at least one more byte: *space bytes at *at. VT_E_LIMIT when a line grows too long. */
int vt_qmp_lines_reserve(struct vt_qmp_lines *lines, char **at, size_t *space,
                         struct vt_error *err);
/** `count` bytes were written into the reserved space. */
void vt_qmp_lines_added(struct vt_qmp_lines *lines, size_t count);
/** The next whole line as a JSON object, a new reference; NULL in *message when there is none yet.
 *  Empty lines are skipped. VT_E_PROTOCOL shows the beginning of what is not a JSON object. */
int vt_qmp_lines_next(struct vt_qmp_lines *lines, json_t **message, struct vt_error *err);

#endif
