/* cli/cmd_gpu.c - `vitrine gpu WORD`: a guest's GPU. Each word is a verb in a file of its own,
 * cmd_gpu_<word>.c; here is only their list. */
#include "cli/cli.h"

extern const struct vt_verb vt_verb_gpu_diff;
extern const struct vt_verb vt_verb_gpu_dissector;
extern const struct vt_verb vt_verb_gpu_dump;
extern const struct vt_verb vt_verb_gpu_export;
extern const struct vt_verb vt_verb_gpu_log;
extern const struct vt_verb vt_verb_gpu_replay;
extern const struct vt_verb vt_verb_gpu_serve;
extern const struct vt_verb vt_verb_gpu_stat;
extern const struct vt_verb vt_verb_gpu_state;
extern const struct vt_verb vt_verb_gpu_watch;

/* One a line, so that two people can add one. */
/* clang-format off */
static const struct vt_verb *const words[] = {
    &vt_verb_gpu_diff,
    &vt_verb_gpu_dissector,
    &vt_verb_gpu_dump,
    &vt_verb_gpu_export,
    &vt_verb_gpu_log,
    &vt_verb_gpu_replay,
    &vt_verb_gpu_serve,
    &vt_verb_gpu_stat,
    &vt_verb_gpu_state,
    &vt_verb_gpu_watch,
    NULL,
};
/* clang-format on */

const struct vt_verb vt_verb_gpu = {
    .name = "gpu",
    .group = "GPU",
    .summary = "Give guests a GPU, and look at what they do with theirs",
    .operands = "WORD [OPERAND...]",
    .min_operands = 1,
    .max_operands = 1,
    .words = words,
    .description = "A virtio-gpu is watched from outside: QEMU says where its queues are, and they "
                   "are read in\n"
                   "the VM's RAM. The guest needs nothing for it, and cannot notice it.\n\n"
                   "'gpu serve' gives guests this host's Vulkan.",
    .examples = "vitrine gpu state card",
};
