/* cli/cmd_gpus.c - `vitrine gpus`: the devices that can draw memory as a volume. */
#include "cli/cli.h"

#include "vitrine/scene.h"

#include <stdlib.h>

static const struct vt_column columns[] = {
    {VT_COLUMN(vt_gpu_info, index, VT_CELL_U64, "index", "NUMBER", "for --gpu")},
    {VT_COLUMN(vt_gpu_info, name, VT_CELL_CHARS, "name", "NAME", "a part of it does for --gpu")},
    {VT_COLUMN(vt_gpu_info, driver, VT_CELL_CHARS, "driver", "DRIVER", "name and version")},
    {VT_COLUMN(vt_gpu_info, memory_bytes, VT_CELL_BYTES, "memory_bytes", "MEMORY",
               "its largest heap of its own")},
    {VT_COLUMN(vt_gpu_info, software, VT_CELL_BOOL, "software", "SOFTWARE", "runs on the CPU")},
    {VT_COLUMN(vt_gpu_info, imports, VT_CELL_BOOL, "imports", "IN PLACE",
               "can use host memory without a copy of it")},
    {VT_COLUMN(vt_gpu_info, timestamps, VT_CELL_BOOL, "timestamps", NULL, "says how long it took")},
    {VT_COLUMN(vt_gpu_info, storage_max_bytes, VT_CELL_BYTES, "storage_max_bytes", NULL,
               "the largest storage buffer it binds")},
};

#define N_COLUMNS ((unsigned)(sizeof columns / sizeof columns[0]))

static int run(const struct vt_args *args)
{
    struct vt_gpu_info *list;
    size_t n;
    struct vt_error err;
    if (vt_gpu_list(&list, &n, &err) != 0) {
        return vt_report(args, &err);
    }
    struct vt_rows *rows;
    if (vt_rows_create(args, columns, N_COLUMNS, &rows, &err) != 0) {
        free(list);
        return vt_report(args, &err);
    }
    for (size_t i = 0; i < n; i++) {
        vt_cell_record(rows, &list[i], N_COLUMNS);
    }
    free(list);
    return vt_rows_finish(rows);
}

const struct vt_verb vt_verb_gpus = {
    .name = "gpus",
    .group = "Picture",
    .summary = "List the GPUs that can draw memory as a volume",
    .operands = "",
    .columns = columns,
    .n_columns = N_COLUMNS,
    .description =
        "Every device of every Vulkan driver is one, a driver that runs on the CPU too. Verbs "
        "that\n"
        "draw take the first real one, or the software one where there is no other; --gpu or\n"
        "VITRINE_GPU name another, by a part of its name or by its number.",
    .examples = "vitrine gpus\n"
                "vitrine gpus --json",
    .run = run,
};
