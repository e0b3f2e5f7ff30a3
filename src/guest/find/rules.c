/* guest/find/rules.c - YARA rules over an address space, as libyara scans a process: block by
 * block.
 *
 * Each block is a copy, so that libyara never sees bytes change under it. A block goes on a little
 * way into the next one, so that a match over the seam is found; libyara drops what it finds twice.
 */
#include "guest/find/find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yara.h>

#define BLOCK ((size_t)8 << 20)
#define SEAM ((size_t)64 << 10)
#define LOOK_AGAIN_MAX 512u

struct vt_rules {
    YR_RULES *rules;
};

static int fail_yara(int code, struct vt_error *err)
{
    return code == ERROR_INSUFFICIENT_MEMORY
               ? vt_fail(err, VT_E_NOMEM, "no memory for YARA")
               : vt_fail(err, VT_E_UNSUPPORTED, "libyara failed (error %d)", code);
}

/* ---------------------------------------------------------------- compiling */

struct complaint {
    char text[200];
};

static void on_complaint(int level, const char *file, int line, const YR_RULE *rule,
                         const char *message, void *arg)
{
    struct complaint *c = arg;
    (void)file;
    (void)rule;
    if (level == YARA_ERROR_LEVEL_ERROR && c->text[0] == '\0') {
        snprintf(c->text, sizeof c->text, "line %d: %s", line, message);
    }
}

int vt_rules_compile(const char *path, struct vt_rules **rules, struct vt_error *err)
{
    struct complaint complaint = {""};
    YR_COMPILER *compiler;
    struct vt_rules *r = calloc(1, sizeof *r);
    FILE *file = fopen(path, "re");
    int rc = 0;
    if (file == NULL || r == NULL) {
        rc = r == NULL ? vt_fail(err, VT_E_NOMEM, "no memory for rules")
                       : vt_fail_errno(err, vt_code_of_errno(errno), errno, "cannot open %s", path);
        if (file != NULL) {
            fclose(file);
        }
        free(r);
        return rc;
    }
    int code = yr_initialize();
    if (code != ERROR_SUCCESS) {
        fclose(file);
        free(r);
        return fail_yara(code, err);
    }
    code = yr_compiler_create(&compiler);
    if (code == ERROR_SUCCESS) {
        yr_compiler_set_callback(compiler, on_complaint, &complaint);
        if (yr_compiler_add_file(compiler, file, NULL, path) > 0) {
            rc = vt_fail(err, VT_E_INVAL, "%s, %s", path, complaint.text);
        } else {
            code = yr_compiler_get_rules(compiler, &r->rules);
        }
        yr_compiler_destroy(compiler);
    }
    fclose(file);
    if (rc == 0 && code != ERROR_SUCCESS) {
        rc = fail_yara(code, err);
    }
    if (rc != 0) {
        yr_finalize();
        free(r);
        return rc;
    }
    *rules = r;
    return 0;
}

void vt_rules_free(struct vt_rules *rules)
{
    if (rules != NULL) {
        yr_rules_destroy(rules->rules);
        yr_finalize();
        free(rules);
    }
}

/* ---------------------------------------------------------------- scanning */

struct scan {
    struct vt_search *search;
    struct vt_window window;
    YR_MEMORY_BLOCK block;
    unsigned index;
    uint64_t done;
    int rc; /* why it ended early */
    struct vt_error *err;
};

static const uint8_t *fetch(YR_MEMORY_BLOCK *block)
{
    const struct scan *s = block->context;
    return s->window.bytes;
}

static YR_MEMORY_BLOCK *next_block(YR_MEMORY_BLOCK_ITERATOR *iterator)
{
    struct scan *s = iterator->context;
    s->rc = vt_search_progress(s->search, s->done, s->err);
    if (s->rc != 0 || !vt_window_next(&s->window)) {
        return NULL;
    }
    s->done += s->window.starts;
    s->block = (YR_MEMORY_BLOCK){
        .size = s->window.n, .base = s->window.at, .context = s, .fetch_data = fetch};
    return &s->block;
}

/* libyara packs matches without alignment, so each is copied; NULL: that was the last. */
static const void *take_match(const void *at, YR_MATCH *match)
{
    memcpy(match, at, sizeof *match);
    return match->next;
}

static enum vt_trust look_again(const struct scan *s, const YR_MATCH *match, uint64_t at)
{
    uint8_t bytes[LOOK_AGAIN_MAX];
    size_t n = match->data_length > 0 ? (size_t)match->data_length : 0;
    n = n < sizeof bytes ? n : sizeof bytes;
    return vt_extents_read(s->search->extents, at, bytes, n) && memcmp(bytes, match->data, n) == 0
               ? VT_TRUST_OK
               : VT_TRUST_TORN;
}

static int tell_rule(struct scan *s, YR_SCAN_CONTEXT *context, YR_RULE *rule)
{
    struct vt_find_match found = {.pattern = rule->identifier, .index = s->index};
    bool told = false;
    YR_STRING *string;
    yr_rule_strings_foreach(rule, string)
    {
        YR_MATCH match;
        for (const void *at = context->matches[string->idx].head; at != NULL;) {
            at = take_match(at, &match);
            if (match.is_private) {
                continue;
            }
            found.at = (uint64_t)match.base + (uint64_t)match.offset;
            found.bytes = match.match_length > 0 ? (uint64_t)match.match_length : 0;
            found.string = string->identifier;
            found.trust = look_again(s, &match, found.at);
            told = true;
            s->rc = vt_search_tell(s->search, &found);
            if (s->rc != 0) {
                return CALLBACK_ABORT;
            }
        }
    }
    if (!told) {
        found = (struct vt_find_match){.pattern = rule->identifier, .index = s->index};
        s->rc = vt_search_tell(s->search, &found);
    }
    return s->rc == 0 ? CALLBACK_CONTINUE : CALLBACK_ABORT;
}

static int on_message(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
    struct scan *s = arg;
    if (message == CALLBACK_MSG_RULE_MATCHING && s->rc == 0) {
        return tell_rule(s, context, data);
    }
    if (message == CALLBACK_MSG_TOO_MANY_MATCHES) {
        char why[160];
        const YR_STRING *string = data;
        snprintf(why, sizeof why, "too many matches of the string %.100s", string->identifier);
        vt_search_limit(s->search, why);
    }
    return s->rc == 0 ? CALLBACK_CONTINUE : CALLBACK_ABORT;
}

int vt_rules_scan(struct vt_rules *rules, struct vt_search *search, unsigned index, uint64_t done,
                  struct vt_error *err)
{
    struct scan s = {.search = search, .index = index, .done = done, .err = err};
    YR_MEMORY_BLOCK_ITERATOR iterator = {
        .context = &s, .first = next_block, .next = next_block, .last_error = ERROR_SUCCESS};
    YR_SCANNER *scanner;
    int rc = vt_window_init(&s.window, search->extents, BLOCK, SEAM, true, err);
    if (rc != 0) {
        return rc;
    }
    int code = yr_scanner_create(rules->rules, &scanner);
    if (code == ERROR_SUCCESS) {
        yr_scanner_set_callback(scanner, on_message, &s);
        /* Ours is the handler that keeps a RAM file that is cut from killing us. */
        yr_scanner_set_flags(scanner, SCAN_FLAGS_PROCESS_MEMORY | SCAN_FLAGS_NO_TRYCATCH |
                                          SCAN_FLAGS_REPORT_RULES_MATCHING);
        code = yr_scanner_scan_mem_blocks(scanner, &iterator);
        yr_scanner_destroy(scanner);
    }
    vt_window_fini(&s.window);
    if (s.rc != 0) {
        return s.rc;
    }
    return code == ERROR_SUCCESS ? 0 : fail_yara(code, err);
}
