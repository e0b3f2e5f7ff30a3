/* cli/cmd_gpu_dump.c - `vitrine gpu dump`: the commands of a recording with all their arguments. */
#include "cli/cli.h"
#include "gpu/export.h"
#include "gpu/venus_show.h"

#include <fnmatch.h>
#include <string.h>

static const struct vt_option options[] = {
    {.name = "command", .value = "PATTERN", .help = "only commands of such a name: 'vkCmd*'"},
    {.name = "context", .value = "ID", .help = "only what concerns this Venus context"},
    {.name = "failed", .help = "only commands whose result is an error"},
    {.name = "count", .value = "N", .help = "end after so many"},
    {0},
};

struct choice {
    const char *command;
    bool one_context, failed;
    uint64_t context, count;
};

static bool is_chosen(const struct choice *choice, const struct vt_vgpu_event_seen *e)
{
    const bool venus = e->kind == VT_VGPU_SEEN_VENUS;
    const bool command = venus && e->slot == VT_VGPU_VENUS_COMMAND;
    char text[64];
    int32_t result = 0;
    if (choice->one_context && (!venus || e->written != choice->context)) {
        return false;
    }
    if (choice->command != NULL &&
        (!command || fnmatch(choice->command, vt_vgpu_venus_name(e, text, sizeof text), 0) != 0)) {
        return false;
    }
    return !choice->failed || (command && vt_vgpu_venus_result(e, &result) && result < 0);
}

static int dump(const struct vt_args *args, const struct choice *choice,
                struct vt_vgpu_reader *from)
{
    const enum vt_vgpu_export_format format =
        vt_args_json(args) ? VT_VGPU_EXPORT_JSONL : VT_VGPU_EXPORT_TEXT;
    struct vt_vgpu_event_seen event;
    struct vt_vgpu_export *to;
    struct vt_error err;
    bool cut = false;
    int more = 0;
    if (vt_vgpu_export_begin(format, stdout, vt_vgpu_reader_origin(from), &to, &err) != 0) {
        return vt_report(args, &err);
    }
    for (uint64_t shown = 0;
         shown < choice->count && (more = vt_vgpu_reader_next(from, &event, &cut, &err)) > 0;) {
        if (is_chosen(choice, &event)) {
            shown++;
            if (!vt_vgpu_export_put(&event, to)) {
                break;
            }
        }
    }
    struct vt_error ending;
    int rc = vt_vgpu_export_end(to, &ending);
    if (more < 0) {
        return vt_report(args, &err);
    }
    if (rc != 0) {
        return ferror(stdout) ? vt_output_finish(stdout) : vt_report(args, &ending);
    }
    if (cut) {
        fprintf(stderr, "vitrine gpu dump: the recording ends within an event\n");
    }
    return vt_output_finish(stdout);
}

static int run(const struct vt_args *args)
{
    struct vt_vgpu_reader *from;
    struct vt_error err;
    struct choice choice = {.command = vt_args_value(args, "command"),
                            .failed = vt_args_flag(args, "failed")};
    int wrong = vt_args_u64(args, "count", UINT64_MAX, &choice.count);
    choice.one_context = vt_args_value(args, "context") != NULL;
    if (wrong == 0) {
        wrong = vt_args_u64(args, "context", 0, &choice.context);
    }
    if (wrong != 0) {
        return wrong;
    }
    if (vt_vgpu_reader_open(vt_args_operand(args, 0), &from, &err) != 0) {
        return vt_report(args, &err);
    }
    int result = dump(args, &choice, from);
    vt_vgpu_reader_close(from);
    return result;
}

const struct vt_verb vt_verb_gpu_dump = {
    .name = "gpu dump",
    .group = "GPU",
    .summary = "List a recording's commands with every argument",
    .operands = "RECORDING",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "What a guest's Vulkan programs sent through Venus, as `vitrine gpu serve --record` wrote "
        "it\n"
        "down: a line a command, with structures and chains as they were, handles as the guest's "
        "ids,\n"
        "and what came back. --json has a JSON object a line, with whole blobs (shaders, push\n"
        "constants). Recordings of virtio-gpu commands (`vitrine gpu watch`) are listed, too.",
    .examples = "vitrine gpu dump frame.vgpu --command 'vkCreate*Pipelines'\n"
                "vitrine gpu dump frame.vgpu --failed\n"
                "vitrine gpu dump frame.vgpu --json | jq -r .name | sort | uniq -c",
    .run = run,
};
