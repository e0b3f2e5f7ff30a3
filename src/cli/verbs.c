/* cli/verbs.c - the one table of verbs, in the order the overview shows them. */
#include "cli/cli.h"

#include <string.h>

extern const struct vt_verb vt_verb_help;

const struct vt_verb *const vt_verbs[] = {
    &vt_verb_help,
    NULL,
};

const struct vt_verb *vt_verb_find(const char *name)
{
    for (const struct vt_verb *const *v = vt_verbs; *v != NULL; v++) {
        if (strcmp((*v)->name, name) == 0 ||
            ((*v)->alias != NULL && strcmp((*v)->alias, name) == 0)) {
            return *v;
        }
    }
    return NULL;
}
