/* cli/cmd_synth.c - `vitrine synth WORD`: kernels of loops. Each word is a verb in a file of its
 * own, cmd_synth_<word>.c; here is only their list. */
#include "cli/cli.h"

extern const struct vt_verb vt_verb_synth_make;
extern const struct vt_verb vt_verb_synth_show;
extern const struct vt_verb vt_verb_synth_verify;

/* One a line, so that two people can add one. */
/* clang-format off */
static const struct vt_verb *const words[] = {
    &vt_verb_synth_make,
    &vt_verb_synth_show,
    &vt_verb_synth_verify,
    NULL,
};
/* clang-format on */

const struct vt_verb vt_verb_synth = {
    .name = "synth",
    .group = "Acceleration",
    .summary = "Make kernels of loops, and prove them",
    .operands = "WORD [OPERAND...]",
    .min_operands = 1,
    .max_operands = 1,
    .words = words,
    .description =
        "A kernel is a loop of a guest's code, a program that does the same as its iterations, and "
        "a\n"
        "proof of it. It is one JSON file that anybody can check again: from the code's bytes and "
        "the\n"
        "program's operations alone, with Z3 and, where there is one, bitwuzla. docs/synth.md has "
        "the\n"
        "argument.",
    .examples = "vitrine synth make --bytes '48 31 14 c7 48 ff c0 48 39 c1 75 f4' --out kernels\n"
                "vitrine synth verify kernels/*.json",
};
