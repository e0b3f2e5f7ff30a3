/* cli/verbs.c - the one table of verbs, in the order the overview shows them. A noun that has no
 * verb here gets one that lists it. */
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
extern const struct vt_verb vt_verb_synth;
extern const struct vt_verb vt_verb_top;
extern const struct vt_verb vt_verb_console;
extern const struct vt_verb vt_verb_guest;
extern const struct vt_verb vt_verb_snapshot;
extern const struct vt_verb vt_verb_dump;
extern const struct vt_verb vt_verb_uname;
extern const struct vt_verb vt_verb_pagecache;
extern const struct vt_verb vt_verb_read;
extern const struct vt_verb vt_verb_find_memory;
extern const struct vt_verb vt_verb_ask;
extern const struct vt_verb vt_verb_sample;
extern const struct vt_verb vt_verb_sql;
extern const struct vt_verb vt_verb_mcp;
extern const struct vt_verb vt_verb_mount;
extern const struct vt_verb vt_verb_unmount;
extern const struct vt_verb vt_verb_symbols;
extern const struct vt_verb vt_verb_pagetables;
extern const struct vt_verb vt_verb_translate;
extern const struct vt_verb vt_verb_isf;
extern const struct vt_verb vt_verb_highlight;
extern const struct vt_verb vt_verb_hot;
extern const struct vt_verb vt_verb_accel;
extern const struct vt_verb vt_verb_shot;
extern const struct vt_verb vt_verb_film;
extern const struct vt_verb vt_verb_view;
extern const struct vt_verb vt_verb_gpu;
extern const struct vt_verb vt_verb_gpus;
extern const struct vt_verb vt_verb_trace;
extern const struct vt_verb vt_verb_serve;
extern const struct vt_verb vt_verb_bench;
extern const struct vt_verb vt_verb_help;

/* One a line, so that two people can add one. */
/* clang-format off */
static const struct vt_verb *const before_nouns[] = {
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
    &vt_verb_uname,
    NULL,
};
static const struct vt_verb *const after_nouns[] = {
    &vt_verb_ask,
    &vt_verb_sample,
    &vt_verb_sql,
    &vt_verb_read,
    &vt_verb_find_memory,
    &vt_verb_translate,
    &vt_verb_pagetables,
    &vt_verb_pagecache,
    &vt_verb_symbols,
    &vt_verb_isf,
    &vt_verb_snapshot,
    &vt_verb_dump,
    &vt_verb_mount,
    &vt_verb_unmount,
    &vt_verb_hot,
    &vt_verb_synth,
    &vt_verb_accel,
    &vt_verb_gpu,
    &vt_verb_trace,
    &vt_verb_highlight,
    &vt_verb_shot,
    &vt_verb_film,
    &vt_verb_view,
    &vt_verb_gpus,
    &vt_verb_mcp,
    &vt_verb_serve,
    &vt_verb_bench,
    &vt_verb_help,
    NULL,
};
/* clang-format on */

#define VERBS_MAX 128

static bool names(const struct vt_verb *const *verbs, const char *name)
{
    while (*verbs != NULL && strcmp((*verbs)->name, name) != 0) {
        verbs++;
    }
    return *verbs != NULL;
}

static void append(const struct vt_verb **all, size_t *n, const struct vt_verb *const *verbs)
{
    for (; *verbs != NULL; verbs++) {
        assert(*n < VERBS_MAX);
        all[(*n)++] = *verbs;
    }
}

const struct vt_verb *const *vt_verbs(void)
{
    static const struct vt_verb *all[VERBS_MAX + 1];
    static struct vt_verb of_nouns[VERBS_MAX];
    static size_t n;
    if (n != 0) {
        return all;
    }
    append(all, &n, before_nouns);
    for (const struct vt_noun *const *noun = vt_nouns; *noun != NULL; noun++) {
        if (!names(before_nouns, (*noun)->name) && !names(after_nouns, (*noun)->name)) {
            assert(n < VERBS_MAX);
            of_nouns[n] = vt_noun_verb(*noun);
            all[n] = &of_nouns[n];
            n++;
        }
    }
    append(all, &n, after_nouns);
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

const char *vt_verb_last_word(const struct vt_verb *verb)
{
    const char *space = strrchr(verb->name, ' ');
    return space != NULL ? space + 1 : verb->name;
}

const struct vt_verb *vt_verb_word(const struct vt_verb *verb, const char *word)
{
    for (const struct vt_verb *const *v = verb->words; v != NULL && *v != NULL; v++) {
        if (strcmp(vt_verb_last_word(*v), word) == 0) {
            return *v;
        }
    }
    return NULL;
}
