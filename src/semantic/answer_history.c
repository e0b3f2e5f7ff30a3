/* semantic/answer_history.c - answers about what changed, and what was: from the events and the
 * histories of the database.
 */
#include "semantic/answer.h"
#include "semantic/roles.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_SPAN_S 60 /* where none is asked for */

/* ---------------------------------------------------------------- of whom, of when */

/* " AND …" on a table with columns pid and name, of those a question names; "": of all. Unlike
 * subjects they need not be there any more. Freed with sqlite3_free. */
static char *of_whom(const struct vt_question *q)
{
    if (q->pid >= 0) {
        return sqlite3_mprintf(" AND pid = %lld", (long long)q->pid);
    }
    const struct vt_role *role = q->role[0] != '\0' ? vt_role_find(q->role) : NULL;
    if (q->name[0] == '\0' && role == NULL) {
        return sqlite3_mprintf("");
    }
    char *text =
        q->name[0] != '\0'
            ? sqlite3_mprintf(" AND (substr(name, 1, length(%.15Q)) = %.15Q COLLATE NOCASE",
                              q->name, q->name)
            : sqlite3_mprintf(" AND (0");
    /* A name that goes with a role: whoever plays it is meant as well. */
    for (const char *const *p = role != NULL ? role->programs : NULL;
         p != NULL && *p != NULL && text != NULL; p++) {
        char *more = (*p)[strlen(*p) - 1] == '*' ? sqlite3_mprintf("%s OR name GLOB %Q", text, *p)
                                                 : sqlite3_mprintf("%s OR name = %.15Q", text, *p);
        sqlite3_free(text);
        text = more;
    }
    char *whole = text != NULL ? sqlite3_mprintf("%s)", text) : NULL;
    sqlite3_free(text);
    return whole;
}

/* "time >= (SELECT time FROM sample) - 60" for a column. */
static char *of_when(const struct vt_question *q, const char *column, int64_t fallback_s)
{
    int64_t since = q->since_s >= 0 ? q->since_s : q->until_s >= 0 ? VT_QUESTION_EVER : fallback_s;
    char *from =
        since == VT_QUESTION_EVER
            ? sqlite3_mprintf("1")
            : sqlite3_mprintf("%s >= (SELECT time FROM sample) - %lld", column, (long long)since);
    if (from == NULL || q->until_s <= 0) {
        return from;
    }
    char *both = sqlite3_mprintf("%s AND %s <= (SELECT time FROM sample) - %lld", from, column,
                                 (long long)q->until_s);
    sqlite3_free(from);
    return both;
}

static void say_when(struct vt_answering *a, int64_t fallback_s)
{
    const struct vt_question *q = a->q;
    int64_t since = q->since_s >= 0 ? q->since_s : fallback_s;
    if (q->until_s > 0) {
        vt_say(a, "until %" PRId64 " s ago", q->until_s);
    } else if (since == VT_QUESTION_EVER) {
        vt_say(a, "as far as is known");
    } else {
        vt_say(a, "in %s", vt_said_span(a, since));
    }
}

/* When the guest was first looked at, where that is less long ago than what was asked for. */
static int say_known_since(struct vt_answering *a, int64_t fallback_s, struct vt_error *err)
{
    json_t *rows;
    int64_t since = a->q->since_s >= 0 ? a->q->since_s : fallback_s;
    int rc = vt_answer_look(
        a, &rows, err, "SELECT (SELECT min(first_seen) FROM boots) AS first, time FROM sample");
    if (rc != 0) {
        return rc;
    }
    double first = vt_row_real(json_array_get(rows, 0), "first");
    double now = vt_row_real(json_array_get(rows, 0), "time");
    if (!isnan(first) && (since == VT_QUESTION_EVER || now - first < (double)since)) {
        vt_say(a, " It is known since %s only.", vt_said_time(a, first));
    }
    json_decref(rows);
    return 0;
}

/* ---------------------------------------------------------------- changes */

/* "3 processes started (sh, ls, cat)" for each kind of event, in the order of the first. */
static void say_kinds(struct vt_answering *a, const json_t *rows)
{
    size_t n = json_array_size(rows);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *kind = vt_row_text(row, "kind"), *noun = vt_row_text(row, "noun");
        uint64_t count = 0;
        bool first = true;
        for (size_t k = 0; k < n; k++) {
            const json_t *other = json_array_get(rows, k);
            bool same = strcmp(vt_row_text(other, "kind"), kind) == 0 &&
                        strcmp(vt_row_text(other, "noun"), noun) == 0;
            first = first && !(same && k < i);
            count += same;
        }
        if (!first) {
            continue;
        }
        vt_say(a, "\n  %s %s: ", vt_said(a, noun), vt_said(a, kind));
        size_t said = 0;
        for (size_t k = i; k < n && said < 6; k++) {
            const json_t *other = json_array_get(rows, k);
            if (strcmp(vt_row_text(other, "kind"), kind) == 0 &&
                strcmp(vt_row_text(other, "noun"), noun) == 0) {
                vt_say(a, "%s%s at %s", said++ == 0 ? "" : "; ",
                       vt_said(a, vt_row_text(other, "detail")),
                       vt_said_time(a, vt_row_real(other, "time")));
            }
        }
        if (count > said) {
            vt_say(a, "; and %" PRIu64 " more", count - said);
        }
    }
}

int vt_answer_changes(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    char *whom = of_whom(q), *when = of_when(q, "time", CHANGES_SPAN_S);
    char *noun =
        q->area[0] != '\0' ? sqlite3_mprintf(" AND noun = %Q", q->area) : sqlite3_mprintf("");
    int rc = whom == NULL || when == NULL || noun == NULL
                 ? vt_fail(err, VT_E_NOMEM, "out of memory")
                 : vt_answer_sql(a, err,
                                 "SELECT time, kind, noun, pid, name, detail FROM events"
                                 " WHERE %s%s%s ORDER BY time DESC, id DESC LIMIT %lld",
                                 when, noun, whom, q->limit > 0 ? (long long)q->limit : 1000LL);
    sqlite3_free(whom);
    sqlite3_free(when);
    sqlite3_free(noun);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    vt_say(a, n == 0 ? "Nothing%s%s changed " : "%s%s%s happened ",
           n == 0 ? "" : vt_said_count(a, n, "thing", "things"), q->area[0] != '\0' ? " of " : "",
           q->area);
    say_when(a, CHANGES_SPAN_S);
    vt_say(a, n == 0 ? "." : ", the latest first:");
    say_kinds(a, a->answer->rows);
    return say_known_since(a, CHANGES_SPAN_S, err);
}

/* ---------------------------------------------------------------- history */

static void say_life(struct vt_answering *a, const json_t *row)
{
    double last = vt_row_real(row, "last_seen");
    bool known = vt_row_int(row, "seen_starting") != 0;
    vt_say(a, "\n  %s %s %s", vt_said_process(a, row), known ? "started" : "was there since before",
           vt_said_time(a, vt_row_real(row, "first_seen")));
    if (isnan(last)) {
        vt_say(a, " and runs");
    } else {
        vt_say(a, " and was gone after %s", vt_said_time(a, last));
    }
}

int vt_answer_history(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    bool ended = strcmp(q->area, "ended") == 0, started = strcmp(q->area, "started") == 0;
    char *whom = of_whom(q);
    char *when = of_when(q, started ? "first_seen" : "ifnull(last_seen, (SELECT time FROM sample))",
                         VT_QUESTION_EVER);
    json_t *row;
    size_t i;
    /* What was there in the first sample of a boot may have started at any time before. */
    int rc =
        whom == NULL || when == NULL
            ? vt_fail(err, VT_E_NOMEM, "out of memory")
            : vt_answer_sql(a, err,
                            "SELECT pid, ppid, name, args, uid, first_seen, last_seen,"
                            " first_seen > (SELECT b.first_seen FROM boots b WHERE b.id = p.boot)"
                            " AS seen_starting, rss_bytes FROM processes_history p"
                            " WHERE %s%s%s%s ORDER BY %s LIMIT %lld",
                            when, whom, ended ? " AND last_seen IS NOT NULL" : "",
                            started ? " AND seen_starting" : "",
                            started ? "first_seen DESC, id DESC"
                                    : "last_seen IS NULL, last_seen DESC, id DESC",
                            q->limit > 0 ? (long long)q->limit : 100LL);
    sqlite3_free(whom);
    sqlite3_free(when);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    const char *verb = ended ? "ended" : started ? "started" : "ran";
    if (n == 0) {
        vt_say(a, "No such process %s ", verb);
    } else {
        vt_say(a, "%s %s ", vt_said_count(a, n, "process", "processes"), verb);
    }
    say_when(a, VT_QUESTION_EVER);
    vt_say(a, n == 0 ? "." : ":");
    json_array_foreach(a->answer->rows, i, row)
    {
        if (i == 12) {
            vt_say(a, "\n  and %zu more", n - i);
            break;
        }
        say_life(a, row);
    }
    return say_known_since(a, VT_QUESTION_EVER, err);
}
