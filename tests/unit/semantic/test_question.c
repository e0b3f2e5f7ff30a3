/* Questions: what holds for all of them, whatever the grammar knows. The golden questions are the
 * sample: test_question DIR. */
#include "tests/unit/harness.h"

#include "semantic/question.h"
#include "vitrine/linux.h"

#include <ctype.h>
#include <glob.h>
#include <string.h>

static const char *dir;

static struct vt_understood parse(const char *text)
{
    struct vt_understood u;
    struct vt_error err;
    if (vt_question_parse(text, &u, &err) != 0) {
        fail_msg("'%s': %s", text, err.message);
    }
    return u;
}

static bool alike(const struct vt_understood *a, const struct vt_understood *b)
{
    bool same = a->n == b->n && a->refused == b->refused;
    for (unsigned i = 0; same && i < a->n; i++) {
        same = a->readings[i].intent == b->readings[i].intent &&
               strcasecmp(a->readings[i].reading, b->readings[i].reading) == 0;
    }
    return same;
}

/* Calls `fn` for each golden question. */
static unsigned each_question(void (*fn)(const char *text, const struct vt_understood *u))
{
    char pattern[512], line[2048];
    glob_t files;
    unsigned n = 0;
    snprintf(pattern, sizeof pattern, "%s/*.txt", dir);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *in = fopen(files.gl_pathv[i], "r");
        assert_non_null(in);
        while (fgets(line, sizeof line, in) != NULL) {
            char *arrow = strstr(line, " -> ");
            if (line[0] != '#' && arrow != NULL) {
                *arrow = '\0';
                struct vt_understood u = parse(line);
                fn(line, &u);
                n++;
            }
        }
        fclose(in);
    }
    globfree(&files);
    return n;
}

static void same_when_said(const char *format, const char *text, const struct vt_understood *u)
{
    char more[2048];
    snprintf(more, sizeof more, format, text);
    if (strlen(more) > VT_QUESTION_MAX) {
        return;
    }
    struct vt_understood other = parse(more);
    if (!alike(u, &other)) {
        fail_msg("'%s' is not understood as '%s': %u, %u (%s, %s)", more, text, other.n, u->n,
                 other.readings[0].reading, u->readings[0].reading);
    }
}

static void politely(const char *text, const struct vt_understood *u)
{
    same_when_said("%s?", text, u);
    same_when_said("%s please", text, u);
    same_when_said("Please, %s", text, u);
    same_when_said("Hello! %s Thank you.", text, u);
    same_when_said("could you please %s", text, u);
    same_when_said("  %s\n", text, u);
}

static void politeness_changes_nothing(void **state)
{
    (void)state;
    assert_true(each_question(politely) >= 250);
}

static void in_other_case(const char *text, const struct vt_understood *u)
{
    char upper[2048], lower[2048];
    size_t n = strlen(text);
    for (size_t i = 0; i <= n; i++) {
        upper[i] = (char)toupper((unsigned char)text[i]);
        lower[i] = (char)tolower((unsigned char)text[i]);
    }
    same_when_said("%s", upper, u);
    same_when_said("%s", lower, u);
}

static void case_changes_nothing(void **state)
{
    (void)state;
    each_question(in_other_case);
}

/* A "not" somewhere makes another question of it: an answer to the old one would be wrong. */
static void turned_round(const char *text, const struct vt_understood *u)
{
    static const char *const formats[] = {"not %s", "%s not", "%s, but not sshd", "%s without root",
                                          "%s except nginx"};
    char more[2048];
    for (size_t i = 0; u->n > 0 && i < sizeof formats / sizeof *formats; i++) {
        snprintf(more, sizeof more, formats[i], text);
        struct vt_understood other = parse(more);
        /* "not kernel threads" are those of users. */
        if (other.n > 0 && strcmp(other.readings[0].area, "user") != 0) {
            fail_msg("'%s' is taken for '%s'", more, other.readings[0].reading);
        }
    }
}

static void negation_is_never_passed_over(void **state)
{
    (void)state;
    each_question(turned_round);
}

/* What is said of the reading is all there is to say. */
static void well_formed(const char *text, const struct vt_understood *u)
{
    assert_in_range(u->n, 0, VT_READINGS_MAX);
    if (u->n == 1 ? u->why[0] != '\0' : u->why[0] == '\0') {
        fail_msg("'%s': why is '%s'", text, u->why);
    }
    assert_false(u->refused && u->n > 0);
    for (unsigned i = 0; i < u->n; i++) {
        const struct vt_question *q = &u->readings[i];
        assert_in_range(q->intent, 0, VT_INTENTS - 1);
        assert_true(q->reading[0] != '\0');
        assert_true(q->role[0] == '\0' || vt_role_find(q->role) != NULL);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(q->reading, u->readings[k].reading);
        }
    }
}

static void readings_differ_in_their_words(void **state)
{
    (void)state;
    each_question(well_formed);
}

static void said_again(const char *text, const struct vt_understood *u)
{
    for (unsigned i = 0; i < u->n; i++) {
        const struct vt_question *q = &u->readings[i];
        struct vt_understood again = parse(q->reading);
        if (again.n != 1 || again.readings[0].intent != q->intent ||
            strcmp(again.readings[0].reading, q->reading) != 0) {
            fail_msg("'%s' is '%s', which is '%s'", text, q->reading, again.readings[0].reading);
        }
    }
}

static void a_reading_can_be_asked(void **state)
{
    (void)state;
    each_question(said_again);
}

static void example_is_understood(enum vt_intent intent, const char *example, void *arg)
{
    unsigned *seen = arg;
    struct vt_understood u = parse(example);
    assert_int_equal(u.n, 1);
    assert_string_equal(u.unknown, "");
    assert_string_equal(vt_intent_name(u.readings[0].intent), vt_intent_name(intent));
    *seen |= 1U << intent;
}

static void there_is_an_example_of_each_intent(void **state)
{
    (void)state;
    unsigned seen = 0;
    vt_question_examples(example_is_understood, &seen);
    assert_int_equal(seen, (1U << VT_INTENTS) - 1);
}

static void order_of_words_keeps_the_meaning(void **state)
{
    static const struct {
        const char *one, *other;
    } pairs[] = {
        {"heap of pid 42", "pid 42 heap"},
        {"sshd's kernel stack", "kernel stack of sshd"},
        {"which port does nginx listen on", "nginx listens on which port"},
        {"who has /etc/passwd open", "/etc/passwd is open by whom"},
        {"in the last minute, what changed", "what changed in the last minute"},
        {"memory: top 5 users", "top 5 users of memory"},
        {"is nginx connected to 10.0.0.2", "10.0.0.2 connections of nginx"},
        {"port 22: who listens", "who listens on port 22"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct vt_understood one = parse(pairs[i].one), other = parse(pairs[i].other);
        if (one.n != 1 || !alike(&one, &other)) {
            fail_msg("'%s' is '%s', '%s' is '%s'", pairs[i].one, one.readings[0].reading,
                     pairs[i].other, other.readings[0].reading);
        }
    }
}

static void order_of_words_makes_the_meaning(void **state)
{
    static const struct {
        const char *text, *reading;
    } asked[] = {
        {"who started nginx", "the parent of nginx"},
        {"did nginx start", "when nginx started"},
        {"what did nginx start", "the children of nginx"},
        {"what was started by nginx", "the children of nginx"},
        {"which port does sshd listen on", "where sshd listens"},
        {"who listens on port 22", "who listens on port 22"},
        {"which files does nginx have open", "the open files of nginx"},
        {"who has /nginx open", "who has /nginx open"},
        {"the page tables of the kernel", "the kernel's page tables"},
        {"the memory of process 42", "the memory of process 42"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct vt_understood u = parse(asked[i].text);
        if (u.n != 1 || strcmp(u.readings[0].reading, asked[i].reading) != 0) {
            fail_msg("'%s' is '%s'", asked[i].text, u.readings[0].reading);
        }
    }
}

static void slots_are_as_asked(void **state)
{
    (void)state;
    struct vt_question q = parse("is NetworkManager running?").readings[0];
    assert_string_equal(q.name, "NetworkManager");
    assert_string_equal(q.role, "network");
    q = parse("find the process called \"My App\"").readings[0];
    assert_string_equal(q.name, "My App");
    q = parse("who has '/tmp/a b.txt' open?").readings[0];
    assert_string_equal(q.path, "/tmp/a b.txt");
    q = parse("what ran between 10 and 5 minutes ago").readings[0];
    assert_true(q.since_s == 600 && q.until_s == 300);
    q = parse("what ran between an hour and 5 minutes ago").readings[0];
    assert_true(q.since_s == 3600 && q.until_s == 300);
    q = parse("what is at 0xFFFFFFFF81000000").readings[0];
    assert_true(q.address == 0xffffffff81000000);
    q = parse("what is at 0x0").readings[0];
    assert_true(q.address == 0);
    q = parse("heap of pid 42").readings[0];
    assert_true(q.uid == -1 && q.port == -1 && q.limit == -1 && q.since_s == -1 &&
                q.until_s == -1 && q.address == UINT64_MAX && !q.highlight && !q.count);
}

static void what_is_no_question_is_an_error(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "   ",
                                        "\n\t",
                                        "list \xff processes",
                                        "list \xc3",
                                        "list \x1b[31m processes",
                                        "\xe2\x80\xae"
                                        "ps"};
    struct vt_understood u = {.n = 77};
    struct vt_error err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err.code = VT_OK;
        assert_int_equal(vt_question_parse(wrong[i], &u, &err), VT_E_INVAL);
        assert_int_equal(err.code, VT_E_INVAL);
        assert_int_equal(u.n, 77);
    }
    char text[VT_QUESTION_MAX + 2];
    memset(text, 'a', sizeof text);
    text[VT_QUESTION_MAX + 1] = '\0';
    assert_int_equal(vt_question_parse(text, &u, &err), VT_E_INVAL);
    text[VT_QUESTION_MAX] = '\0';
    assert_int_equal(vt_question_parse(text, &u, &err), 0);
    assert_int_equal(u.n, 0);
}

static void too_many_words_are_not_understood(void **state)
{
    (void)state;
    char text[VT_QUESTION_MAX + 1] = "processes";
    while (strlen(text) + 3 < sizeof text) {
        strcat(text, " a");
    }
    assert_int_equal(parse(text).n, 0);
}

/* ---------------------------------------------------------------- the tables */

static bool lexicon_has(const char *concept, size_t bytes)
{
    for (const struct vt_lexeme *row = vt_lexicon; row->concept != NULL; row++) {
        if (strlen(row->concept) == bytes && memcmp(row->concept, concept, bytes) == 0) {
            return true;
        }
    }
    for (const struct vt_phrase *phrase = vt_phrases; phrase->concept != NULL; phrase++) {
        if (strlen(phrase->concept) == bytes && memcmp(phrase->concept, concept, bytes) == 0) {
            return true;
        }
    }
    static const char *const made[] = {"NUMBER", "ADDRESS", "PATH",    "HOST", "SYMBOL", "NAME",
                                       "LIB",    "WHO",     "SERVICE", "ANY",  "QUOTED", "SIZE"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (strlen(made[i]) == bytes && memcmp(made[i], concept, bytes) == 0) {
            return true;
        }
    }
    return false;
}

static void check_pattern(const char *pattern)
{
    struct vt_element element;
    const char *p = pattern;
    while (vt_element_next(&p, &element)) {
        const char *end = element.names + element.bytes;
        for (const char *name = element.names; name < end;) {
            size_t bytes = strcspn(name, "|: ?>");
            if (!lexicon_has(name, bytes)) {
                fail_msg("'%s' has '%.*s', which nothing is", pattern, (int)bytes, name);
            }
            name += strcspn(name, "| ?>");
            name += *name == '|';
            if (*name == ' ' || *name == '?' || *name == '>') {
                break;
            }
        }
    }
}

static void patterns_name_what_there_is(void **state)
{
    (void)state;
    for (const struct vt_phrase *phrase = vt_phrases; phrase->concept != NULL; phrase++) {
        check_pattern(phrase->pattern);
    }
    for (const struct vt_rule *rule = vt_rules; rule->pattern != NULL; rule++) {
        check_pattern(rule->pattern);
        assert_true(rule->area == NULL ||
                    strlen(rule->area) < sizeof((struct vt_question){0}.area));
    }
}

static void a_phrase_stands_once_in_the_lexicon(void **state)
{
    (void)state;
    for (const struct vt_lexeme *row = vt_lexicon; row->concept != NULL; row++) {
        for (const char *p = row->phrases; *p != '\0';) {
            size_t bytes = strcspn(p, "|");
            unsigned times = 0;
            assert_true(bytes > 0);
            for (const struct vt_lexeme *other = vt_lexicon; other->concept != NULL; other++) {
                for (const char *q = other->phrases; *q != '\0';) {
                    size_t length = strcspn(q, "|");
                    times += length == bytes && memcmp(p, q, bytes) == 0;
                    q += length + (q[length] == '|');
                }
            }
            if (times != 1) {
                fail_msg("'%.*s' stands %u times", (int)bytes, p, times);
            }
            p += bytes + (p[bytes] == '|');
        }
        if (strcmp(row->concept, "ROLE") == 0 || strcmp(row->concept, "PROGRAM") == 0) {
            assert_non_null(vt_role_find(row->value));
        }
        if (strcmp(row->concept, "NOUN") == 0) {
            assert_non_null(vt_noun_find(row->value));
        }
    }
}

int main(int argc, char **argv)
{
    dir = argv[argc - 1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(politeness_changes_nothing),
        cmocka_unit_test(case_changes_nothing),
        cmocka_unit_test(negation_is_never_passed_over),
        cmocka_unit_test(readings_differ_in_their_words),
        cmocka_unit_test(a_reading_can_be_asked),
        cmocka_unit_test(there_is_an_example_of_each_intent),
        cmocka_unit_test(order_of_words_keeps_the_meaning),
        cmocka_unit_test(order_of_words_makes_the_meaning),
        cmocka_unit_test(slots_are_as_asked),
        cmocka_unit_test(what_is_no_question_is_an_error),
        cmocka_unit_test(too_many_words_are_not_understood),
        cmocka_unit_test(patterns_name_what_there_is),
        cmocka_unit_test(a_phrase_stands_once_in_the_lexicon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
