/* guest/find/find.h - what a search's parts share: patterns (find.c) and rules (rules.c). */
#ifndef VT_GUEST_FIND_FIND_H
#define VT_GUEST_FIND_FIND_H

#include "guest/find/extents.h"

struct vt_search {
    const struct vt_extents *extents;
    vt_find_fn *fn;
    vt_find_progress_fn *progress;
    void *arg;
    uint64_t total; /* of progress */
    struct vt_find_result result;
};

/** Not all was searched or told; the first reason stays. */
void vt_search_limit(struct vt_search *search, const char *why);
/** Fills in the physical address and tells of a match. Non-zero ends the search. */
int vt_search_tell(struct vt_search *search, struct vt_find_match *match);
int vt_search_progress(struct vt_search *search, uint64_t done, struct vt_error *err);

struct vt_rules;

int vt_rules_compile(const char *path, struct vt_rules **rules, struct vt_error *err);
/** Takes NULL. */
void vt_rules_free(struct vt_rules *rules);
/** Scans the search's space. `index` becomes the matches' index; `done`: progress so far. */
int vt_rules_scan(struct vt_rules *rules, struct vt_search *search, unsigned index, uint64_t done,
                  struct vt_error *err);

#endif
