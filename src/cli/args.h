/* cli/args.h - inside of struct vt_args, for main.c, help.c and args.c only. */
#ifndef VT_CLI_ARGS_H
#define VT_CLI_ARGS_H

#include "cli/cli.h"

struct vt_given {
    const struct vt_option *option;
    const char *value;
};

struct vt_args {
    const struct vt_verb *verb;
    const char **operands;
    unsigned n_operands;
    struct vt_given *given;
    unsigned n_given;
};

/** Parses what follows the verb's name. Returns 0 or an exit code after saying why. Strings are
 *  argv's. vt_args_fini either way. */
int vt_args_parse(const struct vt_verb *verb, int argc, const char *const *argv,
                  struct vt_args *args);
void vt_args_fini(struct vt_args *args);

const struct vt_option *vt_common_options(void);

#endif
