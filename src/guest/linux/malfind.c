/* guest/linux/malfind.c - user memory whose execution nobody vouches for. See vitrine/linux.h and
 * areas.h.
 *
 * A program's code comes from files and cannot be written. What is executable beside that, or
 * differs from its file, was made at run time: by a compiler in the program, or by somebody who got
 * in.
 */
#include "guest/linux/areas.h"
#include "guest/linux/code_bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 16 };

/* Why an area is suspect, or "". */
static void judge(const struct vt_area *area, char *text, size_t size)
{
    bool backed = area->of_file || area->of_kernel;
    bool writable = (area->flags & VT_AREA_WRITE) != 0;
    text[0] = '\0';
    if ((area->flags & VT_AREA_EXEC) == 0) {
        return;
    }
    if (writable) {
        snprintf(text, size, "writable and executable");
    }
    size_t n = strlen(text);
    const char *and = n > 0 ? ", " : "";
    if (!backed) {
        snprintf(text + n, size - n, "%sexecutable without a file", and);
    } else if (area->changed_bytes > 0) {
        snprintf(text + n, size - n, "%s%s code was changed", and,
                 area->of_file ? "file" : "the kernel's");
    }
}

/* Bytes of the first page that matters. The process goes on writing there: they are not compared.
 */
static void read_bytes(const struct vt_space *space, const struct vt_area *area,
                       struct vt_suspect *row)
{
    uint8_t bytes[64];
    row->first = VT_GVA(area->changed_bytes > 0 ? area->first_changed : area->first_resident);
    if (area->resident_bytes == 0 ||
        vt_space_read(space, row->first, bytes, sizeof bytes, NULL) != 0) {
        row->first = VT_GVA(0);
        return;
    }
    for (unsigned i = 0; i < SHOWN; i++) {
        snprintf(row->bytes + 3 * (size_t)i, sizeof row->bytes - 3 * (size_t)i, "%02x ", bytes[i]);
    }
    row->bytes[3 * SHOWN - 1] = '\0';
    snprintf(row->looks, sizeof row->looks, "%s", vt_code_bytes_look(bytes, sizeof bytes));
}

static int show(struct vt_areas *areas, struct vt_walk *w, const struct vt_task *task, size_t i,
                struct vt_error *err)
{
    struct vt_suspect row = {.pid = task->pid};
    const struct vt_area *area = &areas->areas[i];
    struct vt_space space;
    struct vt_map map;
    (void)err;
    judge(area, row.reason, sizeof row.reason);
    if (row.reason[0] == '\0' || area->at.v == areas->gate ||
        vt_linux_task_space(w->kernel, task, &space, NULL) != 0) {
        return 0;
    }
    do {
        vt_look_begin(&w->look);
        vt_area_read(areas, w, task, i, &map);
    } while (vt_look_again(&w->look));
    row.row.at = map.row.at;
    row.start = map.start;
    row.end = map.end;
    row.resident_pages = map.resident_bytes / VT_PAGE_BYTES;
    row.changed_pages = area->changed_bytes / VT_PAGE_BYTES;
    row.name = map.name;
    memcpy(row.perms, map.perms, sizeof row.perms);
    memcpy(row.comm, task->comm, sizeof row.comm);
    read_bytes(&space, area, &row);
    return vt_walk_row(w, &row.row);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    return vt_areas_walk(w, show, err);
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_suspect, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process"),
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "its name"),
    COLUMN(start, VT_CELL_HEX, "start", "START", "first address of the area"),
    COLUMN(end, VT_CELL_HEX, "end", "END", "one past the last"),
    COLUMN(perms, VT_CELL_CHARS, "perms", "PERMS", "as in maps"),
    COLUMN(resident_pages, VT_CELL_U64, "resident_pages", "RESIDENT", "pages in memory"),
    COLUMN(changed_pages, VT_CELL_U64, "changed_pages", "CHANGED",
           "of a file's code: pages that are copies of the process's own"),
    {VT_COLUMN(vt_suspect, first, VT_CELL_HEX, "first", NULL, "where the bytes shown lie"),
     .zero_is_none = true},
    COLUMN(looks, VT_CELL_CHARS, "looks", "LOOKS LIKE", "what the bytes may be; a guess"),
    COLUMN(bytes, VT_CELL_CHARS, "bytes", "BYTES",
           "the first of the first page in memory, or changed"),
    COLUMN(name, VT_CELL_TEXT, "name", "NAME", "as in maps"),
    COLUMN(reason, VT_CELL_CHARS, "reason", "REASON", "why it is listed"),
};

const struct vt_noun vt_noun_malfind = {
    .name = "malfind",
    .member = "areas",
    .summary = "Find user memory that may hold injected code",
    .group = "Trust",
    .description =
        "Lists memory that is writable and executable, executable without coming from a file,\n"
        "or code of a file that differs from the file because the process has a copy of its\n"
        "own. Programs that compile at run time have such memory as well: look at the bytes\n"
        "('vitrine read VM ADDR LEN --pid PID').",
    .examples = "vitrine malfind web\nvitrine malfind web --pid 85 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
