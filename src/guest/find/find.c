/* guest/find/find.c - searches: patterns window by window, then rules. See vitrine/find.h.
 *
 * Matches of one window are collected, put in order and told; so memory is bounded by a window.
 */
#include "guest/find/find.h"

#include "guest/find/extents.h"
#include "guest/find/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW ((size_t)256 << 10)
#define HITS_MAX ((size_t)4 << 20)

struct vt_find {
    struct vt_pattern patterns[VT_FIND_PATTERNS_MAX];
    unsigned n;
    struct vt_rules *rules;
};

int vt_find_create(struct vt_find **find, struct vt_error *err)
{
    struct vt_find *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to search with");
    }
    *find = f;
    return 0;
}

void vt_find_destroy(struct vt_find *find)
{
    if (find == NULL) {
        return;
    }
    for (unsigned i = 0; i < find->n; i++) {
        vt_pattern_fini(&find->patterns[i]);
    }
    vt_rules_free(find->rules);
    free(find);
}

static int room_for_one(const struct vt_find *find, struct vt_error *err)
{
    return find->n < VT_FIND_PATTERNS_MAX
               ? 0
               : vt_fail(err, VT_E_LIMIT, "more than %u patterns", VT_FIND_PATTERNS_MAX);
}

int vt_find_add_hex(struct vt_find *find, const char *hex, struct vt_error *err)
{
    int rc = room_for_one(find, err);
    rc = rc != 0 ? rc : vt_pattern_hex(&find->patterns[find->n], hex, err);
    find->n += rc == 0;
    return rc;
}

int vt_find_add_text(struct vt_find *find, const char *text, unsigned flags, struct vt_error *err)
{
    int rc = room_for_one(find, err);
    rc = rc != 0 ? rc : vt_pattern_text(&find->patterns[find->n], text, flags, err);
    find->n += rc == 0;
    return rc;
}

int vt_find_add_rules(struct vt_find *find, const char *path, struct vt_error *err)
{
    return find->rules == NULL ? vt_rules_compile(path, &find->rules, err)
                               : vt_fail(err, VT_E_INVAL, "more than one file of rules");
}

unsigned vt_find_patterns(const struct vt_find *find)
{
    return find->n;
}

const char *vt_find_pattern(const struct vt_find *find, unsigned i)
{
    return find->patterns[i].text;
}

/* ---------------------------------------------------------------- one search */

void vt_search_limit(struct vt_search *search, const char *why)
{
    if (!search->result.limited) {
        search->result.limited = true;
        snprintf(search->result.why, sizeof search->result.why, "%s", why);
    }
}

int vt_search_tell(struct vt_search *search, struct vt_find_match *match)
{
    match->gpa = VT_GPA(0);
    vt_extents_gpa(search->extents, match->at, &match->gpa);
    search->result.matches++;
    return search->fn(match, search->arg);
}

int vt_search_progress(struct vt_search *search, uint64_t done, struct vt_error *err)
{
    int rc = vt_ram_check(search->extents->ram, err);
    if (rc == 0 && search->progress != NULL &&
        search->progress(done, search->total, search->arg) != 0) {
        rc = vt_fail(err, VT_E_INTERRUPTED, "interrupted");
    }
    return rc;
}

struct hit {
    uint64_t at;
    unsigned pattern;
};

struct hits {
    struct hit *list;
    size_t n, room;
};

static int by_address(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

/* Where a pattern stands in the window. Only the window's own places: those behind are the next
 * one's. */
static int collect(struct vt_search *s, const struct vt_window *w, const struct vt_pattern *p,
                   unsigned index, struct hits *hits, struct vt_error *err)
{
    size_t n = w->n - w->starts < p->n - 1 ? w->n : w->starts + p->n - 1;
    for (size_t i = 0; (i = vt_pattern_next(p, w->bytes, n, i)) < n; i++) {
        if (hits->n == HITS_MAX) {
            vt_search_limit(s, "a pattern that stands everywhere");
            return 0;
        }
        if (hits->n == hits->room) {
            size_t room = hits->room == 0 ? 64 : 2 * hits->room;
            struct hit *list = realloc(hits->list, room * sizeof *list);
            if (list == NULL) {
                return vt_fail(err, VT_E_NOMEM, "no memory for matches");
            }
            hits->list = list;
            hits->room = room;
        }
        hits->list[hits->n++] = (struct hit){w->at + i, index};
    }
    return 0;
}

/* A match is what is there the second time, too. */
static enum vt_trust look_again(const struct vt_search *s, const struct vt_pattern *p, uint64_t at)
{
    uint8_t bytes[VT_FIND_PATTERN_MAX];
    return vt_extents_read(s->extents, at, bytes, p->n) && vt_pattern_next(p, bytes, p->n, 0) == 0
               ? VT_TRUST_OK
               : VT_TRUST_TORN;
}

static int tell_all(struct vt_search *s, const struct vt_find *find, struct hits *hits)
{
    int rc = 0;
    if (find->n > 1 && hits->n > 1) {
        qsort(hits->list, hits->n, sizeof *hits->list, by_address);
    }
    for (size_t i = 0; rc == 0 && i < hits->n; i++) {
        const struct hit *hit = &hits->list[i];
        const struct vt_pattern *p = &find->patterns[hit->pattern];
        rc = vt_search_tell(s, &(struct vt_find_match){.at = hit->at,
                                                       .bytes = p->n,
                                                       .pattern = p->text,
                                                       .index = hit->pattern,
                                                       .trust = look_again(s, p, hit->at)});
    }
    hits->n = 0;
    return rc;
}

static int search_patterns(struct vt_search *s, const struct vt_find *find, struct vt_error *err)
{
    struct vt_window w;
    struct hits hits = {0};
    size_t longest = 1;
    uint64_t done = 0;
    for (unsigned i = 0; i < find->n; i++) {
        longest = find->patterns[i].n > longest ? find->patterns[i].n : longest;
    }
    int rc = vt_window_init(&w, s->extents, WINDOW, longest - 1, false, err);
    while (rc == 0 && vt_window_next(&w)) {
        for (unsigned i = 0; rc == 0 && i < find->n; i++) {
            rc = collect(s, &w, &find->patterns[i], i, &hits, err);
        }
        rc = rc != 0 ? rc : tell_all(s, find, &hits);
        done += w.starts;
        rc = rc != 0 ? rc : vt_search_progress(s, done, err);
    }
    free(hits.list);
    vt_window_fini(&w);
    return rc;
}

int vt_find_run(struct vt_find *find, const struct vt_find_where *where, vt_find_fn *fn,
                vt_find_progress_fn *progress, void *arg, struct vt_find_result *result,
                struct vt_error *err)
{
    struct vt_extents extents;
    if (find->n == 0 && find->rules == NULL) {
        return vt_fail(err, VT_E_INVAL, "nothing to search for");
    }
    int rc = vt_extents_take(where, &extents, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_search s = {.extents = &extents,
                          .fn = fn,
                          .progress = progress,
                          .arg = arg,
                          .total = (find->n > 0 ? extents.bytes : 0) +
                                   (find->rules != NULL ? extents.bytes : 0),
                          .result.space_bytes = extents.bytes};
    if (extents.limited) {
        vt_search_limit(&s, "page tables that map the same memory over and over");
    }
    if (find->n > 0) {
        rc = search_patterns(&s, find, err);
    }
    if (rc == 0 && find->rules != NULL) {
        rc = vt_rules_scan(find->rules, &s, find->n, find->n > 0 ? extents.bytes : 0, err);
    }
    *result = s.result;
    vt_extents_fini(&extents);
    return rc;
}
