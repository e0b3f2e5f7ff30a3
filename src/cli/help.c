/* cli/help.c - see help.h. */
#include "cli/help.h"

#include "cli/args.h"
#include "vitrine/linux.h"
#include "vitrine/version.h"

#include <ctype.h>
#include <string.h>

void vt_help_overview(FILE *out)
{
    fputs("vitrine - a glass case for virtual machines\n\nusage: vitrine VERB [OPTION...] "
          "[OPERAND...]\n",
          out);
    const char *group = "";
    int widest = 0;
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        int length = (int)strlen((*v)->name);
        widest = length > widest ? length : widest;
    }
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        if (strcmp(group, (*v)->group) != 0) {
            group = (*v)->group;
            fprintf(out, "\n%s\n", group);
        }
        fprintf(out, "  %-*s  %s\n", widest, (*v)->name, (*v)->summary);
    }
    fputs("\n'vitrine VERB --help' says more; every verb takes --json.\n", out);
}

static void usage_line(FILE *out, const struct vt_verb *verb)
{
    fprintf(out, "vitrine %s [OPTION...]%s%s", verb->name, verb->operands[0] != '\0' ? " " : "",
            verb->operands);
}

static void option_rows(FILE *out, const struct vt_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        fprintf(out, "  %-24s %s%s\n", left, o->help, o->repeatable ? " (repeatable)" : "");
    }
}

/* A verb's own columns, or those of the noun that it shows. */
static const struct vt_column *columns_of(const struct vt_verb *verb, unsigned *n)
{
    const struct vt_noun *noun = vt_noun_find(verb->name);
    bool own = verb->n_columns != 0 || noun == NULL;
    *n = own ? verb->n_columns : noun->n_columns;
    return own ? verb->columns : noun->columns;
}

/* By their JSON keys: those are what scripts hold on to. */
static void column_rows(FILE *out, const struct vt_verb *verb)
{
    unsigned n;
    const struct vt_column *columns = columns_of(verb, &n);
    fputs(n != 0 ? "\ncolumns:\n" : "", out);
    for (unsigned i = 0; i < n; i++) {
        const struct vt_column *c = &columns[i];
        fprintf(out, "  %-24s %s%s\n", c->key, c->doc, c->title == NULL ? " (JSON only)" : "");
    }
}

static void word_rows(FILE *out, const struct vt_verb *verb)
{
    fprintf(out, "\n'vitrine %s WORD --help' says more of each:\n", verb->name);
    for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
        fprintf(out, "  %-24s %s\n", vt_verb_last_word(*w), (*w)->summary);
    }
}

void vt_help_verb(FILE *out, const struct vt_verb *verb)
{
    fputs("usage: ", out);
    usage_line(out, verb);
    fprintf(out, "\n\n%s.\n", verb->summary);
    if (verb->description != NULL) {
        fprintf(out, "\n%s\n", verb->description);
    }
    if (verb->words != NULL) {
        word_rows(out, verb);
    }
    fputs("\noptions:\n", out);
    option_rows(out, verb->options);
    option_rows(out, vt_common_options());
    column_rows(out, verb);
    if (verb->alias != NULL) {
        fprintf(out, "\nalias: %s\n", verb->alias);
    }
    if (verb->examples != NULL) {
        fprintf(out, "\nexamples:\n%s\n", verb->examples);
    }
}

/* scdoc gives _ * # [ | at line starts and _ * inside text a meaning. */
static void scdoc_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("_*\\#[|]~<", *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void scdoc_options(FILE *out, const struct vt_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        fprintf(out, "*--%s*", o->name);
        if (o->value != NULL) {
            fprintf(out, " _%s_", o->value);
        }
        fputs("\n\t", out);
        scdoc_text(out, o->help);
        fputs(o->repeatable ? ". May be given more than once.\n\n" : ".\n\n", out);
    }
}

static void scdoc_literal(FILE *out, const char *lines)
{
    fputs("```\n", out);
    fputs(lines, out);
    fputs("\n```\n\n", out);
}

/* "vitrine-gpu-state" */
static void page_name(FILE *out, const struct vt_verb *verb)
{
    fputs("vitrine-", out);
    for (const char *c = verb->name; *c != '\0'; c++) {
        fputc(*c == ' ' ? '-' : *c, out);
    }
}

static void scdoc_verb(FILE *out, const struct vt_verb *verb)
{
    fprintf(out, "*%s*\n\t", verb->name);
    scdoc_text(out, verb->summary);
    fputs(". See *", out);
    page_name(out, verb);
    fputs("*(1).\n\n", out);
}

static void scdoc_main(FILE *out)
{
    fputs("vitrine(1) \"vitrine " VITRINE_VERSION "\"\n\n# NAME\n\n"
          "vitrine - a glass case for virtual machines\n\n# SYNOPSIS\n\n"
          "*vitrine* _VERB_ [OPTION...] [OPERAND...]\n\n# VERBS\n\n",
          out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        scdoc_verb(out, *v);
    }
    fputs("# EXIT STATUS\n\n0 ok; 1 failed; 2 usage; 3 not found; 124 timeout.\n", out);
}

void vt_help_scdoc(FILE *out, const struct vt_verb *verb)
{
    if (verb == NULL) {
        scdoc_main(out);
        return;
    }
    page_name(out, verb);
    fputs("(1) \"vitrine " VITRINE_VERSION "\"\n\n# NAME\n\n", out);
    page_name(out, verb);
    fputs(" - ", out);
    scdoc_text(out, verb->summary);
    fprintf(out, "\n\n# SYNOPSIS\n\n*vitrine %s* [OPTION...] ", verb->name);
    scdoc_text(out, verb->operands);
    fputs("\n\n# DESCRIPTION\n\n", out);
    scdoc_text(out, verb->description != NULL ? verb->description : verb->summary);
    if (verb->words != NULL) {
        fputs("\n\n# WORDS\n\n", out);
        for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
            scdoc_verb(out, *w);
        }
    }
    fputs("\n\n# OPTIONS\n\n", out);
    scdoc_options(out, verb->options);
    scdoc_options(out, vt_common_options());
    unsigned n;
    const struct vt_column *columns = columns_of(verb, &n);
    fputs(n != 0 ? "# COLUMNS\n\n" : "", out);
    for (unsigned i = 0; i < n; i++) {
        const struct vt_column *c = &columns[i];
        fputs("*", out);
        scdoc_text(out, c->key);
        fputs("*\n\t", out);
        scdoc_text(out, c->doc);
        fputs(c->title == NULL ? " (JSON only).\n\n" : ".\n\n", out);
    }
    if (verb->examples != NULL) {
        fputs("# EXAMPLES\n\n", out);
        scdoc_literal(out, verb->examples);
    }
    fputs("# EXIT STATUS\n\n0 ok; 1 failed; 2 usage; 3 not found; 124 timeout.\n\n"
          "# SEE ALSO\n\n*vitrine*(1)\n",
          out);
}

static void bash_options(FILE *out, const struct vt_verb *verb)
{
    fprintf(out, "        '%s') words=\"", verb->name);
    for (const struct vt_option *o = verb->options; o != NULL && o->name != NULL; o++) {
        fprintf(out, "--%s ", o->name);
    }
    for (const struct vt_option *o = vt_common_options(); o->name != NULL; o++) {
        fprintf(out, "--%s ", o->name);
    }
    fputs("\" ;;\n", out);
}

/* A verb that has words: they come first, then it is as if the two were one. */
static void bash_words(FILE *out, const struct vt_verb *verb)
{
    fprintf(out,
            "    if [ \"$verb\" = %s ]; then\n        if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
            "            mapfile -t COMPREPLY < <(compgen -W \"",
            verb->name);
    for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
        fprintf(out, "%s ", vt_verb_last_word(*w));
    }
    fprintf(out,
            "--help%s\" -- \"$cur\")\n            return\n        fi\n"
            "        case ${COMP_WORDS[2]} in\n        ",
            verb->run != NULL ? " $(vitrine ls --names 2>/dev/null)" : "");
    for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
        fprintf(out, "%s%s", w == verb->words ? "" : "|", vt_verb_last_word(*w));
    }
    fputs(") verb=\"$verb ${COMP_WORDS[2]}\" ;;\n        esac\n    fi\n", out);
}

static void bash_completion(FILE *out)
{
    fputs("_vitrine() {\n    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words\n",
          out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        if ((*v)->words != NULL) {
            bash_words(out, *v);
        }
    }
    fputs("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"", out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        fprintf(out, "%s ", (*v)->name);
    }
    fputs("\"\n    else\n        case $verb in\n", out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        bash_options(out, *v);
        for (const struct vt_verb *const *w = (*v)->words; w != NULL && *w != NULL; w++) {
            bash_options(out, *w);
        }
    }
    fputs("        esac\n        case $cur in\n        -*) ;;\n"
          "        *) words=\"$(vitrine ls --names 2>/dev/null)\" ;;\n        esac\n    fi\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
          "complete -o default -F _vitrine vitrine\n",
          out);
}

/* 'name:help' for zsh's _describe: in single quotes, the name's end is the first colon. */
static void zsh_entry(FILE *out, const char *dashes, const char *name, const char *help)
{
    fprintf(out, "'%s%s:", dashes, name);
    for (; *help != '\0'; help++) {
        if (*help == '\'') {
            fputs("'\\'", out);
        }
        fputc(*help, out);
    }
    fputs("' ", out);
}

static void zsh_options(FILE *out, const struct vt_verb *verb)
{
    fprintf(out, "('%s') options=(", verb->name);
    for (const struct vt_option *o = verb->options; o != NULL && o->name != NULL; o++) {
        zsh_entry(out, "--", o->name, o->help);
    }
    for (const struct vt_option *o = vt_common_options(); o->name != NULL; o++) {
        zsh_entry(out, "--", o->name, o->help);
    }
    fputs(") ;;\n", out);
}

static void zsh_words(FILE *out, const struct vt_verb *verb)
{
    fprintf(out, "if [[ $verb == %s ]]; then\n    if (( CURRENT == 3 )); then\n        verbs=(",
            verb->name);
    for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
        zsh_entry(out, "", vt_verb_last_word(*w), (*w)->summary);
    }
    fprintf(
        out,
        ")\n        _describe word verbs\n%s        return\n    fi\n    case $words[3] in\n    ",
        verb->run != NULL ? "        compadd -- $(vitrine ls --names 2>/dev/null)\n" : "");
    for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
        fprintf(out, "%s%s", w == verb->words ? "" : "|", vt_verb_last_word(*w));
    }
    fputs(") verb=\"$verb $words[3]\" ;;\n    esac\nfi\n", out);
}

static void zsh_completion(FILE *out)
{
    fputs("#compdef vitrine\nlocal -a verbs options\nif (( CURRENT == 2 )); then\n    verbs=(",
          out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        zsh_entry(out, "", (*v)->name, (*v)->summary);
    }
    fputs(")\n    _describe verb verbs\n    return\nfi\nlocal verb=$words[2]\n", out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        if ((*v)->words != NULL) {
            zsh_words(out, *v);
        }
    }
    fputs("case $verb in\n", out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        zsh_options(out, *v);
        for (const struct vt_verb *const *w = (*v)->words; w != NULL && *w != NULL; w++) {
            zsh_options(out, *w);
        }
    }
    fputs("esac\nif [[ $PREFIX == -* ]]; then\n    _describe -o option options\nelse\n"
          "    _alternative 'vms:VM:($(vitrine ls --names 2>/dev/null))' 'files:file:_files'\nfi\n",
          out);
}

/* fish strings in single quotes: only \ and ' need care. */
static void fish_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void fish_options(FILE *out, const char *condition, const struct vt_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        fprintf(out, "complete -c vitrine %s -l %s%s -d ", condition, o->name,
                o->value != NULL ? " -r" : "");
        fish_quoted(out, o->help);
        fputc('\n', out);
    }
}

static void fish_words(FILE *out, const struct vt_verb *verb)
{
    for (const struct vt_verb *const *w = verb->words; *w != NULL; w++) {
        const char *word = vt_verb_last_word(*w);
        char condition[128];
        fprintf(out,
                "complete -c vitrine -f -n '__fish_seen_subcommand_from %s; and "
                "test (count (commandline -opc)) -eq 2' -a %s -d ",
                verb->name, word);
        fish_quoted(out, (*w)->summary);
        fputc('\n', out);
        snprintf(condition, sizeof condition,
                 "-n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s'",
                 verb->name, word);
        fish_options(out, condition, (*w)->options);
    }
}

static void fish_completion(FILE *out)
{
    fputs("complete -c vitrine -f -n 'not __fish_use_subcommand' -a '(vitrine ls --names "
          "2>/dev/null)'\n",
          out);
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        fprintf(out, "complete -c vitrine -f -n __fish_use_subcommand -a %s -d ", (*v)->name);
        fish_quoted(out, (*v)->summary);
        fputc('\n', out);
        char condition[128];
        snprintf(condition, sizeof condition, "-n '__fish_seen_subcommand_from %s'", (*v)->name);
        fish_options(out, condition, (*v)->options);
        if ((*v)->words != NULL) {
            fish_words(out, *v);
        }
    }
    fish_options(out, "", vt_common_options());
}

bool vt_help_completion(FILE *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        bash_completion(out);
    } else if (strcmp(shell, "zsh") == 0) {
        zsh_completion(out);
    } else if (strcmp(shell, "fish") == 0) {
        fish_completion(out);
    } else {
        return false;
    }
    return true;
}
