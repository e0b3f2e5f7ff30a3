/* machine/qmp_line.c - see qmp_line.h. */
#include "machine/qmp_line.h"

#include "base/text.h"
#include "machine/qmp.h"

#include <stdlib.h>
#include <string.h>

void vt_qmp_lines_fini(struct vt_qmp_lines *lines)
{
    free(lines->bytes);
    *lines = (struct vt_qmp_lines){0};
}

int vt_qmp_lines_reserve(struct vt_qmp_lines *lines, char **at, size_t *space, struct vt_error *err)
{
    if (lines->taken > 0) {
        memmove(lines->bytes, lines->bytes + lines->taken, lines->used - lines->taken);
        lines->used -= lines->taken;
        lines->scanned -= lines->taken;
        lines->taken = 0;
    }
    if (lines->used >= VT_QMP_LINE_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a line longer than %zu MiB", VT_QMP_LINE_MAX >> 20);
    }
    if (lines->used == lines->room) {
        size_t room = lines->room == 0 ? 4096 : lines->room * 2;
        char *bytes = realloc(lines->bytes, room);
        if (bytes == NULL) {
            return vt_fail(err, VT_E_NOMEM, "out of memory");
        }
        lines->bytes = bytes;
        lines->room = room;
    }
    *at = lines->bytes + lines->used;
    *space = lines->room - lines->used;
    return 0;
}

void vt_qmp_lines_added(struct vt_qmp_lines *lines, size_t count)
{
    lines->used += count;
}

static int parse(const char *line, size_t bytes, json_t **message, struct vt_error *err)
{
    json_error_t why;
    json_t *json = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(json)) {
        *message = json;
        return 0;
    }
    json_decref(json);
    char shown[64];
    vt_text_printable(shown, sizeof shown, line, bytes < 40 ? bytes : 40);
    return vt_fail(err, VT_E_PROTOCOL, "not QMP: '%s%s'", shown, bytes > 40 ? "..." : "");
}

int vt_qmp_lines_next(struct vt_qmp_lines *lines, json_t **message, struct vt_error *err)
{
    for (;;) {
        char *newline = lines->used == lines->scanned ? NULL
                                                      : memchr(lines->bytes + lines->scanned, '\n',
                                                               lines->used - lines->scanned);
        if (newline == NULL) {
            lines->scanned = lines->used;
            *message = NULL;
            return 0;
        }
        const char *line = lines->bytes + lines->taken;
        size_t bytes = (size_t)(newline - line);
        lines->taken += bytes + 1;
        lines->scanned = lines->taken;
        bytes -= bytes > 0 && line[bytes - 1] == '\r';
        if (bytes > 0) {
            return parse(line, bytes, message, err);
        }
    }
}
