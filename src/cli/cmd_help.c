/* cli/cmd_help.c - `vitrine help [VERB]`, and the sources of man pages and completion. */
#include "cli/help.h"

#include <string.h>

static int run(const struct vt_args *args)
{
    const char *name = vt_args_operand(args, 0);
    const char *word = vt_args_operand(args, 1);
    const struct vt_verb *verb = name != NULL ? vt_verb_find(name) : NULL;
    if (name != NULL && verb == NULL) {
        return vt_usage_error(args, "no verb '%s'", name);
    }
    verb = word != NULL ? vt_verb_word(verb, word) : verb;
    if (word != NULL && verb == NULL) {
        return vt_usage_error(args, "no verb '%s %s'", name, word);
    }
    const char *shell = vt_args_value(args, "completion");
    if (shell != NULL) {
        return vt_help_completion(stdout, shell)
                   ? VT_EXIT_OK
                   : vt_usage_error(args, "--completion: '%s' is not bash, zsh or fish", shell);
    }
    if (vt_args_flag(args, "names")) {
        for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
            puts((*v)->name);
            for (const struct vt_verb *const *w = (*v)->words; w != NULL && *w != NULL; w++) {
                puts((*w)->name);
            }
        }
    } else if (vt_args_flag(args, "scdoc")) {
        vt_help_scdoc(stdout, verb);
    } else if (verb != NULL) {
        vt_help_verb(stdout, verb);
    } else {
        vt_help_overview(stdout);
    }
    return VT_EXIT_OK;
}

static const struct vt_option options[] = {
    {"completion", "SHELL", "print completion for bash, zsh or fish", false},
    {"scdoc", NULL, "print the man page's source (scdoc)", false},
    {"names", NULL, "print the names of all verbs", false},
    {0},
};

const struct vt_verb vt_verb_help = {
    .name = "help",
    .group = "Help",
    .summary = "Show what vitrine can do",
    .operands = "[VERB [WORD]]",
    .max_operands = 2,
    .options = options,
    .run = run,
};
