/* cli/cmd_view.c - `vitrine view`: RAM as a volume in a window, live. */
#include "cli/target.h"
#include "cli/view/viewer.h"
#include "volume/controls.h"

#include <inttypes.h>

#define FPS 60
#define FPS_MAX 1000

static int open_all(const struct vt_args *args, const struct vt_viewer_options *options,
                    struct vt_target *targets)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < options->n; i++) {
        rc = vt_cli_open_named(args, options->names[i], "view", VT_CLI_RAM, "all of RAM",
                               &targets[i]);
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    const char *names[VT_CONTROLS_PANES];
    struct vt_target targets[VT_CONTROLS_PANES] = {0};
    struct vt_viewer_options o = {.args = args,
                                  .names = names,
                                  .n = vt_args_operands(args),
                                  .fullscreen = vt_args_flag(args, "fullscreen"),
                                  .screenshot = vt_args_value(args, "screenshot")};
    struct vt_error err;
    uint64_t fps;
    int rc = vt_scene_args_read(args, vt_args_value(args, "view"), &o.scene);
    rc = rc != 0 ? rc : vt_args_u64(args, "fps", FPS, &fps);
    rc = rc != 0 ? rc : vt_args_u64(args, "frames", 0, &o.frames);
    rc = rc != 0 ? rc : vt_args_bytes(args, "gpu-memory", 0, &o.memory_bytes);
    if (rc != 0) {
        return rc;
    }
    if (fps < 1 || fps > FPS_MAX) {
        return vt_usage_error(args, "--fps: %" PRIu64 ": 1 to %d", fps, FPS_MAX);
    }
    o.fps = (double)fps;
    for (unsigned i = 0; i < o.n; i++) {
        names[i] = vt_args_operand(args, i);
    }
    rc = open_all(args, &o, targets);
    if (rc == 0) {
        rc = vt_viewer_run(&o, targets, &err) == 0 ? VT_EXIT_OK : vt_report(args, &err);
    }
    for (unsigned i = 0; i < o.n; i++) {
        rc = vt_cli_close(args, &targets[i], rc);
    }
    return rc;
}

static const struct vt_option options[] = {
    {"view", "NAME", VT_SCENE_VIEWS " (default iso)", false},
    VT_SCENE_OPTIONS,
    {"fps", "N", "no more than N pictures a second (default 60)", false},
    {"fullscreen", NULL, "begin with the whole screen", false},
    {"gpu-memory", "SIZE", "of the GPU for all of it (default: as much as it wants)", false},
    {"frames", "N", "end after N pictures", false},
    {"screenshot", "FILE.png", "written by F12, and when --frames ends it", false},
    {0},
};

const struct vt_verb vt_verb_view = {
    .name = "view",
    .group = "Picture",
    .summary = "Show VMs' RAM as volumes in a window, live",
    .operands = "VM [VM]...",
    .min_operands = 1,
    .max_operands = VT_CONTROLS_PANES,
    .options = options,
    .description =
        "A byte of RAM is a voxel; what is near in memory is near in the cube. Colours are what\n"
        "pages hold, as in 'vitrine shot'; what is written glows and fades. While something moves\n"
        "the picture is drawn as finely as there is time for; at rest it becomes sharp. Two to\n"
        "four VMs lie side by side, their cameras linked.\n"
        "\n"
        "A left drag orbits, a right or shift drag pans, the wheel zooms; a click says what is\n"
        "there, a double click flies to it. Keys: ? lists them, q ends.\n"
        "\n"
        "When a VM ends its last picture stays; when one of that name is started again, whatever\n"
        "its RAM, the window goes on with it. Saved RAM (a path) can be shown, too.\n"
        "\n"
        "What is clicked on is told on stdout; --json tells everything that happens there, an\n"
        "object a line. A window needs SDL 2 and a display; where there is none, 'vitrine shot'\n"
        "and 'vitrine film' draw the same picture into files.",
    .examples = "  vitrine view demo\n"
                "  vitrine view demo other --view top\n"
                "  vitrine view demo --zoom-to nginx --screenshot nginx.png\n"
                "  vitrine view demo --json | jq 'select(.event == \"pick\")'",
    .run = run,
};
