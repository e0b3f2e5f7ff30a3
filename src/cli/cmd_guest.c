/* cli/cmd_guest.c - `vitrine guest build`: makes guests to run. */
#include "cli/cli.h"

#include "machine/guest_image.h"

#include <string.h>

static int build(const struct vt_args *args)
{
    struct vt_guest_image image;
    struct vt_error err;
    const char *out = vt_args_value(args, "out");
    int rc = out != NULL ? vt_guest_build(out, &image, &err) : vt_guest_default(&image, &err);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    static const struct vt_column columns[] = {
        {"kernel", "KERNEL", VT_CELL_TEXT, 0},
        {"initrd", "INITRD", VT_CELL_TEXT, 0},
        {"append", "APPEND", VT_CELL_TEXT, 0},
    };
    struct vt_rows *rows;
    if (vt_rows_create(args, columns, 3, &rows, &err) != 0) {
        return vt_report(args, &err);
    }
    vt_cell_text(rows, image.kernel);
    vt_cell_text(rows, image.initrd);
    vt_cell_text(rows, image.append);
    return vt_rows_finish(rows);
}

static int run(const struct vt_args *args)
{
    const char *what = vt_args_operand(args, 0);
    if (strcmp(what, "build") == 0 && vt_args_operands(args) == 1) {
        return build(args);
    }
    return vt_usage_error(args, "'%s' is not one of: build", what);
}

static const struct vt_option options[] = {
    {"out", "DIR", "build: write kernel, initrd and append into DIR", false},
    {0},
};

const struct vt_verb vt_verb_guest = {
    .name = "guest",
    .group = "Machines",
    .summary = "Make guests to run",
    .operands = "build",
    .min_operands = 1,
    .max_operands = 3,
    .options = options,
    .description =
        "'guest build' makes the default guest: a Debian cloud kernel with an initramfs that "
        "holds\n"
        "busybox, an SSH daemon and a web server. The same inputs give the same bytes. 'vitrine "
        "run'\nmakes it by itself when it is given nothing else to boot.",
    .examples = "  vitrine guest build --out guest",
    .run = run,
};
