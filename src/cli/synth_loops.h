/* cli/synth_loops.h - what the verbs below `vitrine synth` share: loops they are given, how they
 * prove.
 */
#ifndef VT_CLI_SYNTH_LOOPS_H
#define VT_CLI_SYNTH_LOOPS_H

#include "cli/cli.h"
#include "vitrine/synth.h"

#include <limits.h>

/** --smt2, --timeout, --all of options. A non-zero exit code after a usage message. */
int vt_synth_args(const struct vt_args *args, struct vt_proof_options *options);
#define VT_SYNTH_OPTIONS                                                                           \
    {.name = "smt2", .value = "DIR", .help = "write each obligation there, as NAME.smt2"},         \
        {.name = "timeout", .value = "TIME", .help = "for each obligation (default 20s)"},         \
        {.name = "all", .help = "ask a solver also where both sides are seen to be equal"}

/** --smt2 for one of several kernels: a directory of its own below, which is made and kept in
 * `path`. */
int vt_synth_apart(const struct vt_proof_options *all, const char *name, char path[PATH_MAX],
                   struct vt_proof_options *own, struct vt_error *err);

/** The loops of a file that `vitrine hot --json` wrote. *loops is the caller's (free); those
 * without all their bytes are left out and counted. */
int vt_synth_loops_of_hot(const char *path, struct vt_synth_loop **loops, uint32_t *n,
                          uint32_t *left_out, struct vt_error *err);
/** Code at a loop's head, in hexadecimal; blanks are allowed. VT_E_INVAL. */
int vt_synth_loop_of_hex(const char *hex, struct vt_synth_loop *loop, struct vt_error *err);

#endif
