/* cli/verbs.c - the one table of verbs, in the order the overview shows them, and the nouns' verbs
 * after those of their group. */
#include "cli/nouns.h"

#include <assert.h>
#include <string.h>

extern const struct vt_verb vt_verb_run;
extern const struct vt_verb vt_verb_ls;
extern const struct vt_verb vt_verb_info;
extern const struct vt_verb vt_verb_pause;
extern const struct vt_verb vt_verb_resume;
extern const struct vt_verb vt_verb_reset;
extern const struct vt_verb vt_verb_stop;
extern const struct vt_verb vt_verb_kill;
extern const struct vt_verb vt_verb_attach;
extern const struct vt_verb vt_verb_detach;
extern const struct vt_verb vt_verb_save;
extern const struct vt_verb vt_verb_restore;
extern const struct vt_verb vt_verb_top;
extern const struct vt_verb vt_verb_console;
extern const struct vt_verb vt_verb_guest;
extern const struct vt_verb vt_verb_snapshot;
extern const struct vt_verb vt_verb_dump;
extern const struct vt_verb vt_verb_uname;
extern const struct vt_verb vt_verb_pagecache;
extern const struct vt_verb vt_verb_read;
extern const struct vt_verb vt_verb_find_memory;
extern const struct vt_verb vt_verb_mount;
extern const struct vt_verb vt_verb_unmount;
extern const struct vt_verb vt_verb_symbols;
extern const struct vt_verb vt_verb_pagetables;
extern const struct vt_verb vt_verb_isf;
extern const struct vt_verb vt_verb_translate;
extern const struct vt_verb vt_verb_shot;
extern const struct vt_verb vt_verb_bench;
extern const struct vt_verb vt_verb_help;

/* One a line, so that two people can add one. */
/* clang-format off */
static const struct vt_verb *const written[] = {
    &vt_verb_run,
    &vt_verb_ls,
    &vt_verb_info,
    &vt_verb_pause,
    &vt_verb_resume,
    &vt_verb_reset,
    &vt_verb_stop,
    &vt_verb_kill,
    &vt_verb_attach,
    &vt_verb_detach,
    &vt_verb_save,
    &vt_verb_restore,
    &vt_verb_top,
    &vt_verb_console,
    &vt_verb_guest,
    &vt_verb_snapshot,
    &vt_verb_dump,
    &vt_verb_uname,
    &vt_verb_pagecache,
    &vt_verb_read,
    &vt_verb_find_memory,
    &vt_verb_mount,
    &vt_verb_unmount,
    &vt_verb_symbols,
    &vt_verb_pagetables,
    &vt_verb_isf,
    &vt_verb_translate,
    &vt_verb_shot,
    &vt_verb_bench,
    &vt_verb_help,
    NULL,
};
/* clang-format on */

#define VERBS_MAX 128

static bool is_written(const char *name)
{
    for (const struct vt_verb *const *v = written; *v != NULL; v++) {
        if (strcmp((*v)->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const struct vt_verb *const *vt_verbs(void)
{
    static const struct vt_verb *all[VERBS_MAX + 1];
    static struct vt_verb of_nouns[VERBS_MAX];
    static size_t n;
    if (n != 0) {
        return all;
    }
    size_t n_nouns = 0;
    for (const struct vt_noun *const *noun = vt_nouns; *noun != NULL; noun++) {
        if (!is_written((*noun)->name)) {
            assert(n_nouns < VERBS_MAX);
            of_nouns[n_nouns++] = vt_noun_verb(*noun);
        }
    }
    /* Each group in one piece: what was written first, then its nouns; groups that only nouns have
     * come last. */
    bool placed[VERBS_MAX] = {false};
    for (const struct vt_verb *const *v = written; *v != NULL; v++) {
        bool group_ends = v[1] == NULL || strcmp(v[0]->group, v[1]->group) != 0;
        assert(n < VERBS_MAX);
        all[n++] = *v;
        for (size_t i = 0; group_ends && i < n_nouns; i++) {
            if (!placed[i] && strcmp(of_nouns[i].group, (*v)->group) == 0) {
                assert(n < VERBS_MAX);
                all[n++] = &of_nouns[i];
                placed[i] = true;
            }
        }
    }
    for (size_t i = 0; i < n_nouns; i++) {
        if (!placed[i]) {
            assert(n < VERBS_MAX);
            all[n++] = &of_nouns[i];
        }
    }
    all[n] = NULL;
    return all;
}

const struct vt_verb *vt_verb_find(const char *name)
{
    for (const struct vt_verb *const *v = vt_verbs(); *v != NULL; v++) {
        if (strcmp((*v)->name, name) == 0 ||
            ((*v)->alias != NULL && strcmp((*v)->alias, name) == 0)) {
            return *v;
        }
    }
    return NULL;
}
