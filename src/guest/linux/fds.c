/* guest/linux/fds.c - open descriptors: files_struct, fdtable. See fds.h. */
#include "guest/linux/fds.h"

#include "guest/linux/layout.h"

#include <inttypes.h>
#include <stdio.h>

#define FDS_MAX (1u << 26) /* above any sysctl_nr_open */
#define WORD 64u

struct layout {
    struct vt_extent table;
    struct vt_member files, fdt;
    struct vt_member max, fd, open, exec;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, files, "task_struct", "files"),
    VT_FIELD_BARE(layout, fdt, "files_struct", "fdt"),
    VT_FIELD(layout, max, table, "fdtable", "max_fds"),
    VT_FIELD(layout, fd, table, "fdtable", "fd"),
    VT_FIELD(layout, open, table, "fdtable", "open_fds"),
    VT_FIELD(layout, exec, table, "fdtable", "close_on_exec"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

static void tear(struct vt_fds *fds, const char *what, uint64_t at)
{
    if (!fds->torn) {
        snprintf(fds->why, sizeof fds->why, "%s at 0x%" PRIx64 " cannot be read", what, at);
        fds->torn = true;
    }
    fds->n = fds->at;
}

int vt_fds_begin(struct vt_fds *fds, struct vt_kernel *kernel, struct vt_gva task,
                 struct vt_error *err)
{
    const struct layout *l;
    struct vt_object table;
    uint64_t files, fdt;
    int rc = vt_layout_take(kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    *fds = (struct vt_fds){.space = &kernel->space};
    if (vt_space_read_u64(fds->space, VT_GVA(task.v + l->files.offset), &files, NULL) != 0) {
        tear(fds, "the task", task.v);
        return 0;
    }
    if (files == 0) {
        return 0;
    }
    if (vt_space_read_u64(fds->space, VT_GVA(files + l->fdt.offset), &fdt, NULL) != 0 ||
        vt_object_read(fds->space, VT_GVA(fdt), l->table, &table, NULL) != 0) {
        tear(fds, "the descriptors", files);
        return 0;
    }
    fds->file_of = VT_GVA(vt_object_uint(&table, &l->fd));
    fds->open_bits = VT_GVA(vt_object_uint(&table, &l->open));
    fds->exec_bits = VT_GVA(vt_object_uint(&table, &l->exec));
    uint64_t n = vt_object_uint(&table, &l->max);
    if (n > FDS_MAX || n % WORD != 0 || n * sizeof(uint64_t) > vt_ram_size(kernel->ram)) {
        snprintf(fds->why, sizeof fds->why, "a table of %" PRIu64 " descriptors", n);
        fds->torn = true;
        return 0;
    }
    fds->n = (uint32_t)n;
    return 0;
}

/* Takes the next word of bits that has one set, with its files. */
static bool next_word(struct vt_fds *fds)
{
    for (; fds->at < fds->n; fds->at += WORD) {
        struct vt_gva bits = VT_GVA(fds->open_bits.v + fds->at / 8);
        struct vt_gva files = VT_GVA(fds->file_of.v + (uint64_t)fds->at * sizeof fds->files[0]);
        if (vt_space_read_u64(fds->space, bits, &fds->open, NULL) != 0) {
            tear(fds, "the table", bits.v);
            return false;
        }
        if (fds->open == 0) {
            continue;
        }
        if (vt_space_read(fds->space, files, fds->files, sizeof fds->files, NULL) != 0) {
            tear(fds, "the table", files.v);
            return false;
        }
        return true;
    }
    return false;
}

bool vt_fds_next(struct vt_fds *fds, uint32_t *fd, struct vt_gva *file)
{
    for (;;) {
        while (fds->open != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(fds->open);
            fds->open &= fds->open - 1;
            if (fds->files[bit] != 0) {
                *fd = fds->at - WORD + bit;
                *file = VT_GVA(fds->files[bit]);
                return true;
            }
        }
        if (!next_word(fds)) {
            fds->open = 0;
            return false;
        }
        fds->at += WORD;
    }
}
