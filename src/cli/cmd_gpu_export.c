/* cli/cmd_gpu_export.c - `vitrine gpu export`: a recording in a format that other programs read. */
#include "cli/cli.h"
#include "gpu/export.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct vt_option options[] = {
    {.name = "format",
     .value = "FORMAT",
     .help = "text (or, with --json, jsonl), jsonl, pcapng or perfetto"},
    {.name = "out", .value = "FILE", .help = "write there, not to stdout"},
    {0},
};

static bool find_format(const char *name, enum vt_vgpu_export_format *format)
{
    for (unsigned i = 0; i < VT_VGPU_EXPORT_FORMATS; i++) {
        if (strcmp(name, vt_vgpu_export_name((enum vt_vgpu_export_format)i)) == 0) {
            *format = (enum vt_vgpu_export_format)i;
            return true;
        }
    }
    return false;
}

static int export_to(const struct vt_args *args, struct vt_vgpu_reader *from,
                     enum vt_vgpu_export_format format, FILE *out)
{
    struct vt_error err;
    bool cut = false;
    if (vt_vgpu_export_recording(from, format, out, &cut, &err) != 0) {
        /* Whoever reads stdout may have gone; that is no failure worth a word. */
        return out == stdout && ferror(out) ? vt_output_finish(out) : vt_report(args, &err);
    }
    if (cut) {
        fprintf(stderr, "vitrine gpu export: the recording ends within an event\n");
    }
    return VT_EXIT_OK;
}

static int run(const struct vt_args *args)
{
    struct vt_vgpu_reader *from;
    struct vt_error err;
    enum vt_vgpu_export_format format =
        vt_args_json(args) ? VT_VGPU_EXPORT_JSONL : VT_VGPU_EXPORT_TEXT;
    const char *name = vt_args_value(args, "format"), *path = vt_args_value(args, "out");
    if (name != NULL && !find_format(name, &format)) {
        return vt_usage_error(args, "--format: no such format: %s", name);
    }
    if (path == NULL && format == VT_VGPU_EXPORT_PCAPNG && isatty(STDOUT_FILENO)) {
        return vt_usage_error(args, "a pcapng is nothing for a terminal: give --out");
    }
    if (vt_vgpu_reader_open(vt_args_operand(args, 0), &from, &err) != 0) {
        return vt_report(args, &err);
    }
    int result;
    FILE *out = path != NULL ? fopen(path, "we") : stdout;
    if (out == NULL) {
        vt_fail_errno(&err, VT_E_IO, errno, "%s: cannot open", path);
        result = vt_report(args, &err);
    } else {
        result = export_to(args, from, format, out);
        if (path != NULL && fclose(out) != 0 && result == VT_EXIT_OK) {
            vt_fail_errno(&err, VT_E_IO, errno, "%s: cannot write", path);
            result = vt_report(args, &err);
        }
    }
    vt_vgpu_reader_close(from);
    return result;
}

const struct vt_verb vt_verb_gpu_export = {
    .name = "gpu export",
    .group = "GPU",
    .summary = "Write a recording of a GPU's commands for other programs",
    .operands = "RECORDING",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "text has a line a command. jsonl has a JSON object a command, with every field of request "
        "and\n"
        "response. pcapng is for Wireshark and tshark, with the dissector that `vitrine gpu "
        "dissector`\n"
        "prints. perfetto is a trace for ui.perfetto.dev or chrome://tracing: a track a queue, and "
        "how\n"
        "many commands were in flight.",
    .examples = "vitrine gpu export card.vgpu\n"
                "vitrine gpu export card.vgpu --json | jq -c 'select(.response.name != "
                "\"OK_NODATA\")'\n"
                "vitrine gpu export card.vgpu --format pcapng --out card.pcapng\n"
                "vitrine gpu export card.vgpu --format perfetto --out card.json",
    .run = run,
};
