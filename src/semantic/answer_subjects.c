/* semantic/answer_subjects.c - the processes a question is about: by pid, by name, or by what they
 * do. See answer.h.
 *
 * A role shows in a process's name, in its command line, and in the port it listens on; each row
 * says which. Those that listen come first: of sshd and its sessions, the daemon.
 */
#include "semantic/answer.h"
#include "semantic/roles.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COMM_BYTES 15

bool vt_answer_has_subject(const struct vt_question *q)
{
    return q->pid >= 0 || q->role[0] != '\0' || q->name[0] != '\0';
}

/* ---------------------------------------------------------------- conditions */

/* A condition under construction. */
struct sql_text {
    FILE *out;
    char *text;
    size_t bytes;
};

static int begin_text(struct sql_text *t, struct vt_error *err)
{
    *t = (struct sql_text){0};
    t->out = open_memstream(&t->text, &t->bytes);
    return t->out != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "out of memory");
}

static void add(struct sql_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *piece = sqlite3_vmprintf(format, args);
    va_end(args);
    fputs(piece != NULL ? piece : "\x01", t->out); /* no SQL: it fails, and not silently */
    sqlite3_free(piece);
}

/* Closes; the text is the caller's. */
static int end_text(struct sql_text *t, struct vt_error *err)
{
    bool lost = ferror(t->out) != 0;
    lost |= fclose(t->out) != 0;
    t->out = NULL;
    return lost ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
}

/* Of the names a role's programs have. */
static void add_programs(struct sql_text *t, const struct vt_role *role)
{
    const char *comma = "p.name IN (";
    for (const char *const *known = role->programs; *known != NULL; known++) {
        size_t length = strlen(*known);
        if ((*known)[length - 1] != '*') {
            add(t, "%s%.*Q", comma, COMM_BYTES, *known);
            comma = ", ";
        }
    }
    add(t, comma[0] == ',' ? ")" : "0");
    for (const char *const *known = role->programs; *known != NULL; known++) {
        if ((*known)[strlen(*known) - 1] == '*') {
            add(t, " OR p.name GLOB %Q", *known);
        }
    }
    for (const char *const *part = role->arguments; part != NULL && *part != NULL; part++) {
        add(t, " OR instr(p.args, %Q) > 0", *part);
    }
}

int vt_answer_programs(const struct vt_role *role, char **condition, struct vt_error *err)
{
    struct sql_text t;
    int rc = begin_text(&t, err);
    if (rc != 0) {
        return rc;
    }
    add(&t, "(");
    add_programs(&t, role);
    add(&t, ")");
    rc = end_text(&t, err);
    if (rc != 0) {
        free(t.text);
        return rc;
    }
    *condition = t.text;
    return 0;
}

/* Programs that busybox runs under its own name: told apart here, by pid. */
static int add_applets(struct vt_answering *a, struct sql_text *t, const struct vt_role *role,
                       struct vt_error *err)
{
    json_t *rows, *row;
    size_t i;
    int rc = vt_answer_look(a, &rows, err,
                            "SELECT pid, name, args FROM processes WHERE name = 'busybox'");
    if (rc != 0) {
        return rc;
    }
    json_array_foreach(rows, i, row)
    {
        if (vt_role_played(role, "busybox", vt_row_text(row, "args"))) {
            add(t, " OR p.pid = %lld", (long long)vt_row_int(row, "pid"));
        }
    }
    json_decref(rows);
    return 0;
}

static void add_ports(struct sql_text *t, const struct vt_role *role)
{
    static const struct {
        unsigned protocol;
        const char *condition;
    } kinds[] = {
        {VT_ROLE_TCP, "protocol = 'tcp' AND state = 'LISTEN'"},
        {VT_ROLE_UDP, "protocol = 'udp' AND state = 'CLOSE'"},
    };
    for (unsigned k = 0; k < 2; k++) {
        const char *comma = "";
        for (const struct vt_role_port *p = role->ports; p != NULL && p->port != 0; p++) {
            if ((p->protocols & kinds[k].protocol) != 0) {
                if (comma[0] == '\0') {
                    add(t, " OR p.pid IN (SELECT pid FROM sockets WHERE %s AND local_port IN (",
                        kinds[k].condition);
                }
                add(t, "%s%d", comma, p->port);
                comma = ", ";
            }
        }
        if (comma[0] != '\0') {
            add(t, "))");
        }
    }
}

/* ---------------------------------------------------------------- finding */

/* Rows of processes, the listening ones first. */
#define FIND                                                                                       \
    "SELECT p.pid, p.ppid, p.name, p.args, p.state, p.uid, p.threads, p.rss_bytes, p.regions, "    \
    "p.kernel,"                                                                                    \
    " p.page_table, p.task,"                                                                       \
    " (SELECT group_concat(s.local, ' ') FROM sockets s WHERE s.pid = p.pid"                       \
    " AND (s.state = 'LISTEN' OR s.protocol = 'udp' AND s.state = 'CLOSE')) AS listens"            \
    " FROM processes p WHERE %s ORDER BY listens IS NULL, p.pid"
#define FIND_PAST                                                                                  \
    "SELECT p.pid, p.name, p.args, p.uid, p.first_seen, p.last_seen FROM processes_history p"      \
    " WHERE %s AND p.last_seen IS NOT NULL ORDER BY p.last_seen DESC LIMIT 5"

static int find(struct vt_answering *a, bool become, const char *condition, json_t **found,
                struct vt_error *err)
{
    if (!become) {
        return vt_answer_look(a, found, err, FIND, condition);
    }
    int rc = vt_answer_sql(a, err, FIND, condition);
    if (rc == 0) {
        *found = json_incref(a->answer->rows);
    }
    return rc;
}

/* Whether one of the addresses is on a port of the role; *port is which. */
static bool listens_for(const struct vt_role *role, const char *listens, unsigned *port)
{
    for (const char *at = listens; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        const char *colon = memrchr(at, ':', n);
        unsigned long number = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
        if (number > 0 && number <= UINT16_MAX &&
            vt_role_serves(role, (uint16_t)number, VT_ROLE_TCP | VT_ROLE_UDP)) {
            *port = (unsigned)number;
            return true;
        }
        at += n;
    }
    return false;
}

static void add_evidence(const struct vt_question *q, json_t *row)
{
    const struct vt_role *role = q->role[0] != '\0' ? vt_role_find(q->role) : NULL;
    char text[96], port_text[48] = "";
    unsigned port;
    if (role == NULL) {
        vt_row_set_text(row, "evidence", q->pid >= 0 ? "its pid" : "its name");
        return;
    }
    if (listens_for(role, vt_row_text(row, "listens"), &port)) {
        snprintf(port_text, sizeof port_text, "it listens on port %u", port);
    }
    const char *name = vt_row_text(row, "name"), *args = vt_row_text(row, "args");
    const char *by = vt_role_played(role, name, NULL)   ? "its name"
                     : vt_role_played(role, name, args) ? "its command line"
                                                        : "";
    snprintf(text, sizeof text, "%s%s%s", by, by[0] != '\0' && port_text[0] != '\0' ? ", " : "",
             port_text);
    vt_row_set_text(row, "evidence", text);
}

/* ---------------------------------------------------------------- nothing found */

static void say_past(struct vt_answering *a, const json_t *rows)
{
    json_t *row;
    size_t i, n = json_array_size(rows);
    json_array_foreach(rows, i, row)
    {
        vt_say(a, "%s%s was, from %s until %s", i == 0 ? " " : vt_said_comma(i, n),
               vt_said_process(a, row), vt_said_time(a, vt_row_real(row, "first_seen")),
               vt_said_time(a, vt_row_real(row, "last_seen")));
    }
    if (n > 0) {
        vt_say(a, ".");
    }
}

/* What the history knows becomes the answer's rows, if it knows anything. */
static int tell_past(struct vt_answering *a, bool become, const char *condition,
                     struct vt_error *err)
{
    json_t *rows;
    int rc = vt_answer_look(a, &rows, err, FIND_PAST, condition);
    if (rc == 0) {
        say_past(a, rows);
        if (become && json_array_size(rows) > 0) {
            rc = vt_answer_sql(a, err, FIND_PAST, condition);
        }
        json_decref(rows);
    }
    return rc;
}

static void say_role_missing(struct vt_answering *a, const struct vt_role *role)
{
    vt_say(a, "No %s is running: no process is called %s", role->noun, role->programs[0]);
    size_t n = 1;
    while (role->programs[n] != NULL && n < 4) {
        n++;
    }
    for (size_t i = 1; i < n; i++) {
        vt_say(a, "%s%s", i + 1 == n && role->programs[n] == NULL ? " or " : ", ",
               role->programs[i]);
    }
    vt_say(a, role->programs[n] != NULL ? " or the like" : "");
    if (role->ports != NULL) {
        vt_say(a, ", and nothing listens on port %u", role->ports[0].port);
    }
    vt_say(a, ".");
}

/* ---------------------------------------------------------------- by pid, name, role */

static int by_pid(struct vt_answering *a, bool become, json_t **found, struct vt_error *err)
{
    char condition[64];
    snprintf(condition, sizeof condition, "p.pid = %" PRId64, a->q->pid);
    int rc = find(a, become, condition, found, err);
    if (rc != 0 || json_array_size(*found) > 0) {
        return rc;
    }
    json_decref(*found);
    json_t *past;
    rc = vt_answer_look(a, &past, err, FIND_PAST, condition);
    if (rc != 0) {
        return rc;
    }
    const json_t *last = json_array_get(past, 0);
    if (last != NULL) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no process %" PRId64 "; it was %s, until %s",
                     a->target->name, a->q->pid, vt_said(a, vt_row_text(last, "name")),
                     vt_said_time(a, vt_row_real(last, "last_seen")));
    } else {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no process %" PRId64, a->target->name, a->q->pid);
    }
    json_decref(past);
    return rc;
}

static int by_role(struct vt_answering *a, bool become, json_t **found, struct vt_error *err)
{
    const struct vt_role *role = vt_role_find(a->q->role);
    if (role == NULL) {
        return vt_fail(err, VT_E_INVAL, "there is no role '%s'", a->q->role);
    }
    struct sql_text all = {0};
    char *names = NULL;
    int rc = vt_answer_programs(role, &names, err);
    if (rc == 0) {
        rc = begin_text(&all, err);
    }
    if (rc == 0) {
        fputs(names, all.out);
        rc = add_applets(a, &all, role, err);
        add_ports(&all, role);
        int ended = end_text(&all, rc == 0 ? err : NULL);
        rc = rc != 0 ? rc : ended;
    }
    if (rc == 0) {
        rc = find(a, become, all.text, found, err);
    }
    if (rc == 0 && json_array_size(*found) == 0) {
        say_role_missing(a, role);
        rc = tell_past(a, become, names, err);
        if (rc != 0) {
            json_decref(*found);
        }
    }
    free(names);
    free(all.text);
    return rc;
}

/* By the whole name; else by how it begins; else by a part of the command line. */
static int by_name(struct vt_answering *a, bool become, json_t **found, struct vt_error *err)
{
    static const char *const conditions[] = {
        "p.name = %.*Q COLLATE NOCASE",
        "substr(p.name, 1, length(%.*Q)) = %.*Q COLLATE NOCASE",
        "instr(lower(p.args), lower(%.*Q)) > 0",
    };
    const char *name = a->q->name;
    int rc = 0;
    *found = NULL;
    for (unsigned i = 0; i < 3 && rc == 0 && json_array_size(*found) == 0; i++) {
        int cut = i < 2 ? COMM_BYTES : VT_QUESTION_MAX;
        char *condition = sqlite3_mprintf(conditions[i], cut, name, cut, name);
        json_decref(*found);
        *found = NULL;
        rc = condition == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory")
                               : find(a, become, condition, found, err);
        sqlite3_free(condition);
    }
    if (rc != 0 || json_array_size(*found) > 0) {
        return rc;
    }
    vt_say(a, "No process is called %s.", vt_said(a, name));
    if (a->q->role[0] != '\0') {
        json_decref(*found);
        vt_say(a, " ");
        return by_role(a, become, found, err);
    }
    char *condition = sqlite3_mprintf(conditions[1], COMM_BYTES, name, COMM_BYTES, name);
    rc = condition == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory")
                           : tell_past(a, become, condition, err);
    sqlite3_free(condition);
    if (rc != 0) {
        json_decref(*found);
    }
    return rc;
}

int vt_answer_subjects(struct vt_answering *a, bool become, json_t **found, struct vt_error *err)
{
    json_t *rows, *row;
    size_t i;
    int rc = a->q->pid >= 0          ? by_pid(a, become, &rows, err)
             : a->q->name[0] != '\0' ? by_name(a, become, &rows, err)
                                     : by_role(a, become, &rows, err);
    if (rc != 0) {
        return rc;
    }
    json_array_foreach(rows, i, row)
    {
        add_evidence(a->q, row);
    }
    *found = rows;
    return 0;
}

char *vt_answer_pids(const json_t *found)
{
    struct sql_text t;
    json_t *row;
    size_t i;
    if (begin_text(&t, NULL) != 0) {
        return NULL;
    }
    json_array_foreach(found, i, row)
    {
        if (i < VT_ANSWER_SUBJECTS_MAX) {
            fprintf(t.out, "%s%" PRId64, i == 0 ? "(" : ", ", vt_row_int(row, "pid"));
        }
    }
    fputs(i == 0 ? "()" : ")", t.out);
    if (end_text(&t, NULL) != 0) {
        free(t.text);
        return NULL;
    }
    return t.text;
}

const char *vt_said_process(struct vt_answering *a, const json_t *row)
{
    char *out = a->said[a->next_said++ % (sizeof a->said / sizeof a->said[0])];
    char name[64];
    snprintf(name, sizeof name, "%s", vt_said(a, vt_row_text(row, "name")));
    snprintf(out, sizeof a->said[0], "%s (pid %" PRId64 ")", name, vt_row_int(row, "pid"));
    return out;
}
