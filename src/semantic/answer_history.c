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

/* Of those a question names, on a table p with columns pid, name and args; "": of all. Unlike
 * subjects they need not be there any more. */
static int of_whom(const struct vt_question *q, char **condition, struct vt_error *err)
{
    const struct vt_role *role = q->role[0] != '\0' ? vt_role_find(q->role) : NULL;
    if (q->pid < 0 && q->name[0] == '\0' && role != NULL) {
        return vt_answer_programs(role, condition, err);
    }
    char *sql = q->pid >= 0 ? sqlite3_mprintf("p.pid = %lld", (long long)q->pid)
                : q->name[0] != '\0'
                    ? sqlite3_mprintf("substr(p.name, 1, length(%.15Q)) = %.15Q COLLATE NOCASE",
                                      q->name, q->name)
                    : sqlite3_mprintf("");
    *condition = sql != NULL ? strdup(sql) : NULL;
    sqlite3_free(sql);
    return *condition == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
}

/* "time >= (SELECT time FROM sample) - 60" for a column, and until when for another, which is the
 * same one for what happens at once; "": ever. */
static int of_when(const struct vt_question *q, const char *column, const char *first,
                   int64_t fallback_s, char **from, char **until, struct vt_error *err)
{
    int64_t since = q->since_s >= 0 ? q->since_s : q->until_s >= 0 ? VT_QUESTION_EVER : fallback_s;
    int n = since == VT_QUESTION_EVER
                ? asprintf(from, "%s", "")
                : asprintf(from, "%s >= (SELECT time FROM sample) - %" PRId64, column, since);
    *from = n < 0 ? NULL : *from;
    n = q->until_s <= 0
            ? asprintf(until, "%s", "")
            : asprintf(until, "%s <= (SELECT time FROM sample) - %" PRId64, first, q->until_s);
    *until = n < 0 ? NULL : *until;
    return *from == NULL || *until == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
}

static void free_all(char **texts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        free(texts[i]);
    }
}

static void say_when(struct vt_answering *a, int64_t fallback_s)
{
    const struct vt_question *q = a->q;
    int64_t since = q->since_s >= 0 ? q->since_s : fallback_s;
    if (!isnan(a->from_s) && !isnan(a->to_s)) {
        vt_say(a, "between %s and %s", vt_said_time(a, a->from_s), vt_said_time(a, a->to_s));
    } else if (!isnan(a->from_s)) {
        vt_say(a, "since %s", vt_said_time(a, a->from_s));
    } else if (!isnan(a->to_s)) {
        vt_say(a, "before %s", vt_said_time(a, a->to_s));
    } else if (q->until_s > 0) {
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
        vt_say(a, "\nThe guest is known since %s only.", vt_said_time(a, first));
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
    /* whose, from, until, of what */
    char *conditions[4] = {NULL, NULL, NULL, strdup("")}, *where = NULL;
    int rc = of_whom(q, &conditions[0], err);
    if (rc == 0 && q->role[0] != '\0' && q->pid < 0 && q->name[0] == '\0') {
        /* Events do not say what a process was started with. */
        char *programs = conditions[0];
        rc = asprintf(&conditions[0], "p.pid IN (SELECT p.pid FROM processes_history p WHERE %s)",
                      programs) < 0
                 ? vt_fail(err, VT_E_NOMEM, "out of memory")
                 : 0;
        conditions[0] = rc == 0 ? conditions[0] : NULL;
        free(programs);
    }
    rc = rc != 0 ? rc
                 : of_when(q, "time", "time", CHANGES_SPAN_S, &conditions[1], &conditions[2], err);
    if (q->area[0] != '\0') {
        free(conditions[3]);
        conditions[3] = asprintf(&where, "noun = '%s'", q->area) < 0 ? NULL : where;
    }
    where = rc == 0 ? vt_answer_where(conditions, 4) : NULL;
    if (rc == 0) {
        rc = where == NULL
                 ? vt_fail(err, VT_E_NOMEM, "out of memory")
                 : vt_answer_sql(a, err,
                                 "SELECT time, kind, noun, pid, name, detail FROM events p"
                                 "%s ORDER BY time DESC, id DESC LIMIT %lld",
                                 where, q->limit > 0 ? (long long)q->limit : 1000LL);
    }
    free_all(conditions, 4);
    free(where);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    vt_say(a, "%s%s%s %s ", n == 0 ? "Nothing" : vt_said_count(a, n, "thing", "things"),
           q->area[0] != '\0' ? " of " : "", q->area, n == 0 ? "changed" : "happened");
    say_when(a, CHANGES_SPAN_S);
    vt_say(a, n == 0 ? "." : ", the latest first:");
    say_kinds(a, a->answer->rows);
    return say_known_since(a, CHANGES_SPAN_S, err);
}

/* ---------------------------------------------------------------- history */

static void say_life(struct vt_answering *a, const json_t *row)
{
    double last = vt_row_real(row, "last_seen");
    vt_say(a, "\n  %s started %s", vt_said_process(a, row),
           vt_said_time(a, vt_row_real(row, "started")));
    if (isnan(last)) {
        vt_say(a, a->target->ended ? " and ran to the last sample" : " and runs");
    } else {
        vt_say(a, " and was gone after %s", vt_said_time(a, last));
    }
}

/* When a process started, also before it was first seen: the guest's own clock knows. */
#define STARTED "min(p.first_seen, ifnull(b.booted_s + p.started_s, p.first_seen))"

int vt_answer_history(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    bool ended = strcmp(q->area, "ended") == 0, started = strcmp(q->area, "started") == 0;
    /* whose, from, until, which, of which user */
    char user[48] = "";
    char *conditions[5] = {NULL, NULL, NULL, strdup(ended ? "p.last_seen IS NOT NULL" : ""), user};
    if (q->uid >= 0) {
        snprintf(user, sizeof user, "p.uid = %" PRId64, q->uid);
    }
    json_t *row;
    size_t i;
    int rc = of_whom(q, &conditions[0], err);
    const char *last = started ? STARTED : "ifnull(p.last_seen, (SELECT time FROM sample))";
    rc = rc != 0 ? rc
                 : of_when(q, last, ended ? last : STARTED, VT_QUESTION_EVER, &conditions[1],
                           &conditions[2], err);
    char *where = rc == 0 ? vt_answer_where(conditions, 5) : NULL;
    if (rc == 0) {
        rc = where == NULL
                 ? vt_fail(err, VT_E_NOMEM, "out of memory")
                 : vt_answer_sql(a, err,
                                 "SELECT p.pid, p.ppid, p.name, p.args, p.uid, p.first_seen,"
                                 " p.last_seen, " STARTED " AS started"
                                 " FROM processes_history p JOIN boots b ON b.id = p.boot"
                                 "%s ORDER BY %s LIMIT %lld",
                                 where,
                                 started ? "started DESC, p.id DESC"
                                         : "p.last_seen IS NULL, p.last_seen DESC, p.id DESC",
                                 q->limit > 0 ? (long long)q->limit : 100LL);
    }
    free_all(conditions, 4);
    free(where);
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
    if (q->uid >= 0) {
        vt_say(a, ", of user %" PRId64, q->uid);
    }
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
