/* cli/cmd_dump.c - `vitrine dump`: RAM into a file that drgn, crash or Volatility opens. */
#include "cli/target.h"
#include "guest/copy.h"

#include <stdio.h>

static const struct vt_column columns[] = {
    {.key = "vm", .title = "VM", .kind = VT_CELL_TEXT},
    {.key = "format", .title = "FORMAT", .kind = VT_CELL_TEXT},
    {.key = "verdict", .title = "VERDICT", .kind = VT_CELL_TEXT},
    {.key = "bytes", .title = "RAM", .kind = VT_CELL_BYTES},
    {.key = "stored_bytes", .title = "STORED", .kind = VT_CELL_BYTES},
    {.key = "torn_pages", .title = "TORN", .kind = VT_CELL_U64},
    {.key = "cpus", .title = "CPUS", .kind = VT_CELL_U64},
    {.key = "paused_ms", .title = "PAUSED MS", .kind = VT_CELL_F64, .digits = 2},
    {.key = "release", .title = "KERNEL", .kind = VT_CELL_TEXT},
    {.key = "vmcoreinfo", .kind = VT_CELL_BOOL}, /* the core has that note */
    {.key = "drgn", .kind = VT_CELL_TEXT},       /* the commands that open it */
    {.key = "crash", .kind = VT_CELL_TEXT},
    {.key = "volatility", .kind = VT_CELL_TEXT},
};

/* How its readers open it. Debian keeps a kernel's debug symbols there, and so do Ubuntu and, one
 * directory on, Fedora. */
struct commands {
    char drgn[1024], crash[1024], volatility[1024];
};

static void make_commands(const char *path, enum vt_dump_format format, const char *release,
                          struct commands *c)
{
    *c = (struct commands){0};
    if (format == VT_DUMP_ELF && release != NULL) {
        snprintf(c->drgn, sizeof c->drgn, "drgn -c %s -s /usr/lib/debug/boot/vmlinux-%s", path,
                 release);
        snprintf(c->crash, sizeof c->crash, "crash /usr/lib/debug/boot/vmlinux-%s %s", release,
                 path);
    }
    if (release != NULL) {
        snprintf(c->volatility, sizeof c->volatility, "vol -f %s linux.pslist", path);
    }
}

static uint64_t ram_bytes(const struct vt_ram *ram)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(ram, &regions);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += regions[i].bytes;
    }
    return bytes;
}

static void cell_command(struct vt_rows *rows, const char *text)
{
    vt_cell_text(rows, text[0] != '\0' ? text : NULL);
}

static int show(const struct vt_args *args, const struct vt_target *t, const struct vt_copy *copy,
                enum vt_dump_format format, uint64_t stored, struct vt_error *err)
{
    struct commands c;
    struct vt_rows *rows;
    char text[8];
    const char *release = t->kernel != NULL ? vt_kernel_release(t->kernel) : NULL;
    bool note = t->kernel != NULL &&
                vt_kernel_vmcoreinfo(t->kernel, "OSRELEASE", text, sizeof text, NULL) == 0;
    make_commands(vt_args_operand(args, 1), format, release, &c);
    if (vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, err) != 0) {
        return vt_report(args, err);
    }
    vt_cell_text(rows, t->name);
    vt_cell_text(rows, vt_dump_format_name(format));
    vt_cell_text(rows, vt_verdict_name(t->vm != NULL ? copy->result.verdict : VT_UNCHECKED));
    vt_cell_u64(rows, ram_bytes(t->ram));
    vt_cell_u64(rows, stored);
    vt_cell_u64(rows, copy->result.torn_pages);
    vt_cell_u64(rows, copy->n_cpus);
    vt_cell_f64(rows, (double)copy->result.paused_ns / 1e6);
    vt_cell_text(rows, release);
    vt_cell_bool(rows, note && format == VT_DUMP_ELF);
    cell_command(rows, c.drgn);
    cell_command(rows, c.crash);
    cell_command(rows, c.volatility);
    int result = vt_rows_finish(rows);
    const char *const hints[] = {c.drgn, c.crash, format == VT_DUMP_LIME ? c.volatility : ""};
    for (size_t i = 0; !vt_args_json(args) && i < sizeof hints / sizeof hints[0]; i++) {
        if (hints[i][0] != '\0') {
            fprintf(stderr, "open it: %s\n", hints[i]);
        }
    }
    return result;
}

/* An ELF core tells of the kernel, if there is one to be found. */
static void find_kernel(struct vt_target *t, enum vt_dump_format format)
{
    struct vt_error err;
    char text[8];
    if (vt_target_kernel(t, &err) != 0) {
        if (format == VT_DUMP_ELF) {
            fprintf(stderr, "vitrine dump: the core gets no VMCOREINFO: %s\n", err.message);
        }
    } else if (format == VT_DUMP_ELF &&
               vt_kernel_vmcoreinfo(t->kernel, "OSRELEASE", text, sizeof text, &err) != 0) {
        fprintf(stderr, "vitrine dump: this kernel keeps no VMCOREINFO: drgn and crash will not "
                        "know it\n");
    }
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    enum vt_dump_format format = VT_DUMP_ELF;
    const char *path = vt_args_operand(args, 1), *name = vt_args_value(args, "format");
    if (name != NULL && vt_dump_format_parse(name, &format, &err) != 0) {
        return vt_usage_error(args, "--format: %s", err.message);
    }
    char detail[VT_ERROR_MESSAGE_MAX];
    snprintf(detail, sizeof detail, "%s %s", vt_dump_format_name(format), path);
    int result = vt_cli_open(args, "dump", VT_CLI_RAM, detail, &t);
    if (result != 0) {
        return result;
    }
    struct vt_copy copy = {0};
    uint64_t stored = 0;
    if (format == VT_DUMP_ELF && vt_target_is_x86_64(&t, NULL) != 0) {
        result = vt_usage_error(
            args, "an ELF core is of x86_64, and %s is not: --format raw or lime", t.name);
        return vt_cli_close(args, &t, result);
    }
    find_kernel(&t, format);
    int rc = t.vm != NULL
                 ? vt_copy_take(&t, vt_args_flag(args, "pause"), format == VT_DUMP_ELF, &copy, &err)
                 : 0;
    if (rc == 0) {
        struct vt_share share = {.what = "writing"};
        const struct vt_dump dump = {.ram = t.ram,
                                     .copy =
                                         copy.snap != NULL ? vt_snapshot_bytes(copy.snap) : NULL,
                                     .kernel = t.kernel,
                                     .cpus = copy.cpus,
                                     .n_cpus = copy.n_cpus,
                                     .progress = vt_cli_progress,
                                     .arg = &share};
        rc = vt_copy_write(path, &dump, format, &stored, &err);
    }
    result = rc == 0 ? show(args, &t, &copy, format, stored, &err) : vt_report(args, &err);
    vt_copy_fini(&copy);
    return vt_cli_close(args, &t, result);
}

static const struct vt_option options[] = {
    {"format", "FORMAT", "elf (the default), raw or lime", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_dump = {
    .name = "dump",
    .group = "Memory",
    .summary = "Write RAM to a file that drgn, crash or Volatility opens",
    .operands = "VM FILE",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "elf is a core as kdump writes it: the kernel's VMCOREINFO, found in RAM, the CPUs'\n"
        "registers, and RAM with its physical addresses and those of the kernel's direct\n"
        "mapping. drgn and crash (9 or newer) open it together with the kernel's vmlinux; how\n"
        "is printed at the end. lime is what Volatility likes best; raw puts each page at its\n"
        "address. Pages of zeros become holes of the file.\n\n"
        "Every verb that looks into a guest takes such a file in place of a VM's name, written\n"
        "with a '/' (./FILE): these, and the cores of QEMU's dump-guest-memory and of kdump, if\n"
        "not compressed.\n\n"
        "RAM is copied until the copy is of one moment, or said to be torn. With --pause the\n"
        "guest stops for the last part of it, and the registers are of the same moment.",
    .examples = "vitrine dump web web.core --pause\nvitrine ps ./web.core\n"
                "vitrine dump web web.lime --format lime",
    .run = run,
};
