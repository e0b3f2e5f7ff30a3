/* guest/linux/maps.c - the memory areas of processes. See vitrine/linux.h and areas.h. */
#include "guest/linux/areas.h"

static int show(struct vt_areas *areas, struct vt_walk *w, const struct vt_task *task, size_t i,
                struct vt_error *err)
{
    struct vt_map row;
    (void)err;
    do {
        vt_look_begin(&w->look);
        vt_area_read(areas, w, task, i, &row);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &row.row);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    return vt_areas_walk(w, show, err);
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_map, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process"),
    COLUMN(start, VT_CELL_HEX, "start", "START", "first address"),
    COLUMN(end, VT_CELL_HEX, "end", "END", "one past the last address"),
    COLUMN(perms, VT_CELL_CHARS, "perms", "PERMS",
           "read, write, execute, and s for shared or p for private"),
    COLUMN(offset, VT_CELL_HEX, "offset", "OFFSET", "where in the file it begins"),
    COLUMN(device, VT_CELL_CHARS, "device", "DEVICE",
           "major and minor number of the file's device, in hexadecimal"),
    COLUMN(inode, VT_CELL_U64, "inode", "INODE", "the file's inode; 0: none"),
    COLUMN(resident_bytes, VT_CELL_BYTES, "resident_bytes", "RESIDENT",
           "in memory, by the page tables; without the page of zeros and devices"),
    COLUMN(dirty_bytes, VT_CELL_BYTES, "dirty_bytes", "DIRTY",
           "of it, pages whose dirty bit is set in the page tables"),
    COLUMN(swapped_bytes, VT_CELL_BYTES, "swapped_bytes", "SWAPPED", "in a swap area"),
    COLUMN(anon, VT_CELL_BOOL, "anon", NULL, "pages of it became the process's own"),
    COLUMN(flags, VT_CELL_CHARS, "flags", NULL, "vm_flags, in the words of /proc/PID/smaps"),
    COLUMN(name, VT_CELL_TEXT, "name", "NAME",
           "the file, or what it is for: [heap], [stack], [vdso], [anon:NAME]"),
};

const struct vt_noun vt_noun_maps = {
    .name = "maps",
    .summary = "List the memory areas of processes",
    .group = "Guest",
    .description =
        "Beside what /proc/PID/maps shows: how much of each area is in memory, dirty or\n"
        "swapped out, counted in the process's page tables, and its flags.",
    .examples = "vitrine maps web --pid 1\nvitrine maps web --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
