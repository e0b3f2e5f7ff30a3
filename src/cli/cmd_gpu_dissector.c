/* cli/cmd_gpu_dissector.c - `vitrine gpu dissector`: what Wireshark needs to read our pcapng. */
#include "cli/cli.h"
#include "gpu/export.h"

static int run(const struct vt_args *args)
{
    (void)args;
    vt_vgpu_export_dissector(stdout);
    return vt_output_finish(stdout);
}

const struct vt_verb vt_verb_gpu_dissector = {
    .name = "gpu dissector",
    .group = "GPU",
    .summary = "Print the Lua dissector of recordings in pcapng",
    .operands = "",
    .description = "Wireshark and tshark know every field of every virtio-gpu command with it: "
                   "vgpu.resource_id,\n"
                   "vgpu.rect.width, vgpu.latency_ns and the others can be filtered by. It is made "
                   "of the same\n"
                   "tables that decode commands in vitrine itself.",
    .examples = "vitrine gpu dissector > ~/.local/lib/wireshark/plugins/vgpu.lua\n"
                "vitrine gpu dissector > vgpu.lua\n"
                "tshark -X lua_script:vgpu.lua -r card.pcapng -Y 'vgpu.latency_ns > 1000000'",
    .run = run,
};
