/* Golden questions: test_question_golden DIR compares what each question of DIR/<file>.txt is
 * understood as with what stands behind its arrow; --rebase DIR writes that anew. Read the
 * difference before committing it.
 *
 *   question -> intent slot=value …           understood
 *   question -> intent … | intent …           ambiguous: all readings, best first
 *   question -> ?                             not understood
 *   question -> refused                       it asks for a change
 *
 * "unknown=word" follows where a word was passed over, or stood in the way. Lines that begin with
 * '#' and empty ones stay. */
#include "tests/unit/harness.h"

#include "vitrine/semantic.h"

#include <glob.h>
#include <inttypes.h>
#include <string.h>

static const char *dir;
static bool rebase;

enum { LINE_MAX_BYTES = 4096 };
static const char arrow[] = " -> ";

static void print_text(FILE *out, const char *slot, const char *text)
{
    if (text[0] != '\0') {
        fprintf(out, strpbrk(text, " |\"") != NULL ? " %s=\"%s\"" : " %s=%s", slot, text);
    }
}

static void print_number(FILE *out, const char *slot, int64_t number)
{
    if (number == VT_QUESTION_EVER) {
        fprintf(out, " %s=ever", slot);
    } else if (number != -1) {
        fprintf(out, " %s=%" PRId64, slot, number);
    }
}

static void print_clock(FILE *out, const char *slot, int64_t seconds)
{
    if (seconds >= 0) {
        fprintf(out, " %s=%02" PRId64 ":%02" PRId64, slot, seconds / 3600, seconds / 60 % 60);
        fprintf(out, seconds % 60 != 0 ? ":%02" PRId64 : "", seconds % 60);
    }
}

static void print_question(FILE *out, const struct vt_question *q)
{
    fprintf(out, "%s", vt_intent_name(q->intent));
    print_text(out, "area", q->area);
    print_text(out, "role", q->role);
    print_text(out, "name", q->name);
    print_text(out, "path", q->path);
    print_text(out, "host", q->host);
    print_number(out, "pid", q->pid);
    print_number(out, "uid", q->uid);
    print_number(out, "port", q->port);
    print_number(out, "limit", q->limit);
    print_number(out, "since", q->since_s);
    print_number(out, "until", q->until_s);
    print_clock(out, "since", q->since_clock);
    print_clock(out, "until", q->until_clock);
    print_number(out, "min_bytes", q->min_bytes);
    fprintf(out, "%s", q->yesterday ? " yesterday" : "");
    if (q->address != UINT64_MAX) {
        fprintf(out, " address=0x%" PRIx64, q->address);
    }
    fprintf(out, "%s%s", q->highlight ? " highlight" : "", q->count ? " count" : "");
}

static void understand(char *answer, size_t bytes, const char *text)
{
    struct vt_understood u;
    struct vt_error err;
    FILE *out = fmemopen(answer, bytes, "w");
    assert_non_null(out);
    if (vt_question_parse(text, &u, &err) != 0) {
        fail_msg("'%s': %s", text, err.message);
    }
    for (unsigned i = 0; i < u.n; i++) {
        fprintf(out, "%s", i > 0 ? " | " : "");
        print_question(out, &u.readings[i]);
    }
    fprintf(out, "%s", u.n > 0 ? "" : u.refused ? "refused" : "?");
    print_text(out, "unknown", u.unknown);
    fprintf(out, "%c", '\0');
    assert_int_equal(fclose(out), 0);
}

/* Cuts the line at its last arrow; returns what stood behind it, or "". */
static const char *cut(char *line)
{
    char *found = NULL;
    line[strcspn(line, "\n")] = '\0';
    for (char *p = line; (p = strstr(p, arrow)) != NULL; p++) {
        found = p;
    }
    if (found == NULL) {
        return "";
    }
    *found = '\0';
    return found + strlen(arrow);
}

static unsigned differences;

static void one_file(const char *path)
{
    char *whole = NULL;
    size_t whole_bytes = 0;
    char line[LINE_MAX_BYTES], answer[LINE_MAX_BYTES];
    FILE *in = fopen(path, "r");
    FILE *out = open_memstream(&whole, &whole_bytes);
    assert_true(in != NULL && out != NULL);
    for (unsigned n = 1; fgets(line, sizeof line, in) != NULL; n++) {
        if (line[0] == '#' || line[0] == '\n') {
            fputs(line, out);
            continue;
        }
        const char *want = cut(line);
        understand(answer, sizeof answer, line);
        fprintf(out, "%s%s%s\n", line, arrow, answer);
        if (!rebase && strcmp(want, answer) != 0) {
            differences++;
            print_error("%s:%u: %s\n  want %s\n  is   %s\n", path, n, line, want, answer);
        }
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
    if (rebase) {
        out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fwrite(whole, 1, whole_bytes, out), whole_bytes);
        assert_int_equal(fclose(out), 0);
    }
    free(whole);
}

static void questions_are_understood_as_they_were(void **state)
{
    (void)state;
    char pattern[LINE_MAX_BYTES];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/*.txt", dir);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        one_file(files.gl_pathv[i]);
    }
    globfree(&files);
    if (differences > 0) {
        fail_msg("%u questions differ; test_question_golden --rebase %s writes them", differences,
                 dir);
    }
}

int main(int argc, char **argv)
{
    rebase = argc > 2 && strcmp(argv[1], "--rebase") == 0;
    dir = argv[argc - 1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(questions_are_understood_as_they_were)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
