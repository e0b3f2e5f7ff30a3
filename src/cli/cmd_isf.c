/* cli/cmd_isf.c - `vitrine isf`: symbol files that Volatility 3 reads, from debug information or
 * from a guest's RAM. */
#include "cli/target.h"

#include "base/io.h"
#include "guest/described.h"
#include "guest/symbols/dwarf.h"
#include "guest/symbols/xz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS UINT64_C(200000000)

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* A file being written, packed when its name says so. */
struct output {
    struct vt_new_file file;
    FILE *plain, *stream;
};

static int output_open(struct output *o, const char *path, struct vt_error *err)
{
    int rc = vt_new_file_open(&o->file, path, 0644, true, err);
    if (rc != 0) {
        return rc;
    }
    int fd = dup(o->file.fd);
    o->plain = o->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (o->plain == NULL) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
        vt_close(&fd);
    } else if (ends_with(path, ".xz")) {
        rc = vt_xz_pack(o->plain, &o->stream, err);
        if (rc != 0) {
            fclose(o->plain);
        }
    }
    if (rc != 0) {
        vt_new_file_abandon(&o->file);
    }
    return rc;
}

/* Ends the file, or takes it back when `rc` says that it is not whole. */
static int output_close(struct output *o, int rc, struct vt_error *err)
{
    bool good = !ferror(o->stream);
    if (o->stream != o->plain) {
        good = fclose(o->stream) == 0 && good;
    }
    good = !ferror(o->plain) && good;
    good = fclose(o->plain) == 0 && good;
    if (rc == 0 && !good) {
        rc = vt_fail(err, VT_E_IO, "%s could not be written", o->file.path);
    }
    if (rc != 0) {
        vt_new_file_abandon(&o->file);
        return rc;
    }
    return vt_new_file_commit(&o->file, err);
}

/* ---------------------------------------------------------------- from-dwarf */

static int show_progress(uint64_t done, uint64_t all, void *arg)
{
    uint64_t *last = arg, now = vt_now_ns();
    if (now - *last >= PROGRESS_NS) {
        vt_progress("reading debug information: %" PRIu64 " %%", all > 0 ? 100 * done / all : 0);
        *last = now;
    }
    return vt_interrupted;
}

static int from_dwarf(const struct vt_args *args, const char *vmlinux, const char *path)
{
    struct vt_error err;
    struct vt_dwarf dwarf = {0};
    struct output out;
    uint64_t last = vt_now_ns();
    int rc = vt_dwarf_read(vmlinux, vt_args_value(args, "system-map"), &dwarf, show_progress, &last,
                           &err);
    vt_progress("%s", "");
    if (rc == 0) {
        rc = output_open(&out, path, &err);
    }
    if (rc == 0) {
        const char *name = strrchr(vmlinux, '/');
        const struct vt_isf_source source = {.banner = dwarf.banner,
                                             .text = dwarf.text,
                                             .symbols = &dwarf.symbols,
                                             .types = dwarf.types,
                                             .symbol_types = dwarf.symbol_types,
                                             .kind = "dwarf",
                                             .name = name != NULL ? name + 1 : vmlinux};
        rc = vt_isf_write(out.stream, &source, &err);
        rc = output_close(&out, rc, &err);
    }
    vt_dwarf_fini(&dwarf);
    return rc == 0 ? VT_EXIT_OK : vt_report(args, &err);
}

/* ---------------------------------------------------------------- from-vm */

static int from_vm(const struct vt_args *args, const char *name, const char *path)
{
    struct vt_error err;
    struct vt_target t;
    struct output out;
    int result = vt_cli_open_named(args, name, "isf", VT_CLI_KERNEL, "from-vm", &t);
    if (result != 0) {
        return result;
    }
    int rc = output_open(&out, path, &err);
    if (rc == 0) {
        rc = vt_kernel_write_isf(t.kernel, out.stream, &err);
        rc = output_close(&out, rc, &err);
    }
    return vt_cli_close(args, &t, rc == 0 ? VT_EXIT_OK : vt_report(args, &err));
}

static int run(const struct vt_args *args)
{
    const char *what = vt_args_operand(args, 0), *from = vt_args_operand(args, 1);
    const char *path = vt_args_operand(args, 2);
    bool is_vm = strcmp(what, "from-vm") == 0;
    if (!is_vm && strcmp(what, "from-dwarf") != 0) {
        return vt_usage_error(args, "'%s' is neither from-dwarf nor from-vm", what);
    }
    if (is_vm && vt_args_value(args, "system-map") != NULL) {
        return vt_usage_error(args, "--system-map goes with from-dwarf");
    }
    return is_vm ? from_vm(args, from, path) : from_dwarf(args, from, path);
}

static const struct vt_option options[] = {
    {"system-map", "FILE", "from-dwarf: symbols that the file's own table lacks", false},
    {0},
};

const struct vt_verb vt_verb_isf = {
    .name = "isf",
    .group = "Memory",
    .summary = "Write a kernel's symbols and types as a file for Volatility 3",
    .operands = "from-dwarf VMLINUX OUT | from-vm VM OUT",
    .min_operands = 3,
    .max_operands = 3,
    .options = options,
    .description =
        "The file is in Volatility 3's Intermediate Symbol Format: JSON, packed when OUT ends in\n"
        ".xz. 'from-dwarf' makes it from a vmlinux with debug information, 'from-vm' from what "
        "the\n"
        "kernel in a VM's RAM says of itself (its symbol tables and BTF), whatever its version.\n"
        "\n"
        "vitrine reads such files, too: a kernel that carries no symbols or no types is looked "
        "for\n"
        "in the directories of VITRINE_SYMBOL_PATH (separated by colons) and in symbols/isf of "
        "the\n"
        "cache directory, by its banner. What is found is kept in the cache.",
    .examples = "vitrine isf from-vm web web.json.xz\n"
                "vitrine isf from-dwarf /usr/lib/debug/boot/vmlinux-6.1.0-50-amd64 linux.json.xz",
    .run = run,
};
