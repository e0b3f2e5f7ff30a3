/* What is lifted: docs/synth.md names exactly that, and for each of it a form is tried against the
 * processor (test_lift). The file is the argument.
 */
#include "tests/unit/harness.h"

#include "synth/lift_parts.h"
#include "tests/unit/synth/lift_forms.h"

#include "base/io.h"

#include <string.h>

#define TITLE "\n## What is lifted\n"

static char *page;

static bool is_lifted(const char *name)
{
    for (unsigned i = 0; i < VT_LIFT_TABLES; i++) {
        for (const struct vt_lift_semantics *s = vt_lift_tables[i]; s->execute != NULL; s++) {
            if (strcmp(ZydisMnemonicGetString(s->mnemonic), name) == 0) {
                return true;
            }
        }
    }
    return false;
}

struct words {
    unsigned n, different;
    char name[1024][24];
};

static void add(struct words *w, const char *head, size_t n, const char *middle, size_t m,
                const char *tail, size_t k)
{
    assert_true(w->n < 1024 && n + m + k < sizeof w->name[0]);
    snprintf(w->name[w->n++], sizeof w->name[0], "%.*s%.*s%.*s", (int)n, head, (int)m, middle,
             (int)k, tail);
}

/* `a{b,c}d` is abd, acd. */
static void add_all(struct words *w, const char *at, size_t n)
{
    const char *open = memchr(at, '{', n), *close = memchr(at, '}', n), *end = at + n;
    if (open == NULL) {
        add(w, at, n, "", 0, "", 0);
        return;
    }
    assert_true(close != NULL && close > open);
    for (const char *part = open + 1; part <= close;) {
        size_t m = strcspn(part, ",}");
        add(w, at, (size_t)(open - at), part, m, close + 1, (size_t)(end - close - 1));
        part += m + 1;
    }
}

/* What stands between backticks in the section's table. */
static void read_page(struct words *w)
{
    const char *at = strstr(page, TITLE);
    assert_non_null(at);
    const char *end = strstr(at + strlen(TITLE), "\n## ");
    assert_non_null(end);
    w->n = 0;
    for (const char *line = strstr(at, "\n| "); line != NULL && line < end;
         line = strstr(line + 1, "\n| ")) {
        const char *stop = strchr(line + 1, '\n');
        for (const char *open = strchr(line, '`'); open != NULL && open < stop;) {
            const char *close = strchr(open + 1, '`');
            assert_true(close != NULL && close < stop);
            add_all(w, open + 1, (size_t)(close - open - 1));
            open = strchr(close + 1, '`');
        }
    }
}

static void page_is_exact(void **state)
{
    static struct words w;
    (void)state;
    read_page(&w);
    for (unsigned i = 0; i < w.n; i++) {
        if (!is_lifted(w.name[i])) {
            fail_msg("docs/synth.md says that %s is lifted", w.name[i]);
        }
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(w.name[k], w.name[i]) == 0 && strcmp(w.name[i], "movsd") != 0) {
                fail_msg("docs/synth.md names %s twice", w.name[i]);
            }
        }
    }
    for (unsigned t = 0; t < VT_LIFT_TABLES; t++) {
        for (const struct vt_lift_semantics *s = vt_lift_tables[t]; s->execute != NULL; s++) {
            const char *name = ZydisMnemonicGetString(s->mnemonic);
            unsigned i = 0;
            while (i < w.n && strcmp(w.name[i], name) != 0) {
                i++;
            }
            if (i == w.n) {
                fail_msg("docs/synth.md does not say that %s is lifted", name);
            }
        }
    }
}

static bool is_tried(ZydisMnemonic mnemonic)
{
    const struct vt_form *const tables[] = {vt_forms, lift_forms};
    for (unsigned i = 0; i < 2; i++) {
        for (const struct vt_form *f = tables[i]; f->sizes != NULL; f++) {
            if (f->mnemonic == mnemonic) {
                return true;
            }
        }
    }
    return false;
}

static void all_are_tried(void **state)
{
    (void)state;
    for (unsigned t = 0; t < VT_LIFT_TABLES; t++) {
        for (const struct vt_lift_semantics *s = vt_lift_tables[t]; s->execute != NULL; s++) {
            if (!is_tried(s->mnemonic)) {
                fail_msg("no form of %s is tried", ZydisMnemonicGetString(s->mnemonic));
            }
        }
    }
}

int main(int argc, char **argv)
{
    size_t bytes;
    struct vt_error err;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_exact),
        cmocka_unit_test(all_are_tried),
    };
    if (argc != 2 || vt_read_file(argv[1], 1 << 20, &page, &bytes, &err) < 0) {
        fprintf(stderr, "usage: test_synth_lift_docs docs/synth.md\n");
        return 2;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(page);
    return failed;
}
