/* cli/help.h - everything said about verbs, made from the table: help, man pages, completion. */
#ifndef VT_CLI_HELP_H
#define VT_CLI_HELP_H

#include "cli/cli.h"

/** All verbs by group. */
void vt_help_overview(FILE *out);
/** One verb: usage, description, options, examples. */
void vt_help_verb(FILE *out, const struct vt_verb *verb);
/** vitrine-VERB(1) in scdoc's format; NULL: vitrine(1). */
void vt_help_scdoc(FILE *out, const struct vt_verb *verb);
/** `shell` is "bash", "zsh" or "fish"; returns false for another. */
bool vt_help_completion(FILE *out, const char *shell);

#endif
