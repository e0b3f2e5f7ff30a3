/* semantic/hints.c - SQLite's errors in plain words: where in the statement, and what was perhaps
 * meant. See sql.h.
 */
#include "semantic/sql.h"

#include "base/text.h"
#include "vitrine/linux.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64

/* How many letters to add, drop, change or swap with the next (optimal string alignment). */
static unsigned distance(const char *a, const char *b)
{
    unsigned char rows[3][NAME_MAX_BYTES + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n >= NAME_MAX_BYTES || m >= NAME_MAX_BYTES) {
        return NAME_MAX_BYTES;
    }
    unsigned char *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++) {
        last[j] = (unsigned char)j;
    }
    for (size_t i = 1; i <= n; i++) {
        now[0] = (unsigned char)i;
        for (size_t j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            int best = last[j - 1] + (x != y);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = (unsigned char)best;
        }
        unsigned char *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[m];
}

struct guess {
    const char *given;
    char best[NAME_MAX_BYTES];
    unsigned distance;
};

static void consider(struct guess *g, const char *name)
{
    /* "process" means "processes": what begins alike is nearer than its letters say. */
    size_t n = strlen(g->given);
    unsigned d = n >= 3 && strncasecmp(name, g->given, n) == 0 ? 1 : distance(g->given, name);
    if (d < g->distance && strlen(name) < sizeof g->best) {
        g->distance = d;
        strcpy(g->best, name);
    }
}

/* Each name that a statement of our own finds. */
static void consider_all(struct vt_sql *sql, struct guess *g, const char *text)
{
    sqlite3_stmt *stmt = NULL;
    sql->inside = true;
    if (sqlite3_prepare_v2(sql->db, text, -1, &stmt, NULL) == SQLITE_OK) {
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(stmt, 0);
            if (name != NULL) {
                consider(g, name);
            }
        }
    }
    sqlite3_finalize(stmt);
    sql->inside = false;
}

static void guess_table(struct vt_sql *sql, struct guess *g)
{
    consider_all(sql, g,
                 "SELECT name FROM pragma_table_list WHERE schema IN ('main', 'live')"
                 " AND name NOT LIKE 'sqlite_%'");
}

/* Columns of the tables that the statement names. */
static void guess_column(struct vt_sql *sql, struct guess *g, const char *text)
{
    sqlite3_stmt *stmt = NULL;
    sql->inside = true;
    int rc = sqlite3_prepare_v2(sql->db,
                                "SELECT c.name FROM pragma_table_list AS t, "
                                "pragma_table_info(t.name, t.schema) AS c "
                                "WHERE t.schema IN ('main', 'live') AND instr(lower(?1), t.name)",
                                -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(stmt, 0);
            if (name != NULL) {
                consider(g, name);
            }
        }
    }
    sqlite3_finalize(stmt);
    sql->inside = false;
}

static const char *after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* What was perhaps meant; may be "". `message` is SQLite's. */
static void hint(struct vt_sql *sql, const char *message, const char *text, char out[256])
{
    const char *table = after(message, "no such table: ");
    const char *column = after(message, "no such column: ");
    const char *function = after(message, "no such function: ");
    const char *given = table != NULL ? table : column != NULL ? column : function;
    out[0] = '\0';
    if (given == NULL) {
        return;
    }
    const char *dot = strrchr(given, '.');
    char name[NAME_MAX_BYTES];
    given = dot != NULL ? dot + 1 : given;
    if (strlen(given) >= sizeof name) {
        return;
    }
    strcpy(name, given); /* the connection's message ends with the next statement */
    struct guess g = {.given = name, .distance = 1 + (unsigned)(strlen(name) + 1) / 3};
    if (table != NULL) {
        guess_table(sql, &g);
    } else if (column != NULL) {
        guess_column(sql, &g, text);
    } else {
        for (const char *const *f = vt_sql_functions; *f != NULL; f++) {
            consider(&g, *f);
        }
    }
    char quoted[NAME_MAX_BYTES + 2];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    if (column != NULL && strstr(text, quoted) != NULL) {
        snprintf(out, 256, "; text stands in single quotes: '%s'", name);
    } else if (g.best[0] != '\0') {
        snprintf(out, 256, "; there is %s", g.best);
    } else if (table != NULL && !sql->stored) {
        snprintf(out, 256, "; the VM was not sampled, so there are live tables only");
    }
}

/* Whether it is a live table that is missing, since the VM ended. */
static bool has_ended(const struct vt_sql *sql, const char *message)
{
    const char *table = after(message, "no such table: ");
    return sql->target != NULL && sql->target->ended && table != NULL &&
           (after(table, "live.") != NULL || vt_noun_find(table) != NULL);
}

int vt_sql_explain(struct vt_sql *sql, int rc, const char *text, struct vt_error *err)
{
    char message[200], more[256] = "", place[96] = "";
    enum vt_code code = VT_E_INVAL;
    snprintf(message, sizeof message, "%s", sqlite3_errmsg(sql->db));
    if (sql->refused[0] != '\0' || strstr(message, " may not be modified") != NULL ||
        strstr(message, "cannot modify ") != NULL) {
        rc = SQLITE_AUTH; /* which SQLite does not always say */
    }
    switch (rc & 0xff) {
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        code = VT_E_PERM;
        snprintf(message, sizeof message, "%s",
                 sql->refused[0] != '\0' ? sql->refused : "a statement may only read");
        break;
    case SQLITE_NOMEM:
        code = VT_E_LIMIT;
        snprintf(message, sizeof message, "the statement takes too much memory");
        break;
    case SQLITE_TOOBIG:
        code = VT_E_LIMIT;
        snprintf(message, sizeof message, "a value, or the statement, is too long");
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = VT_E_BUSY;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = VT_E_CORRUPT;
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_PROTOCOL:
        code = VT_E_IO;
        break;
    case SQLITE_INTERRUPT:
        code = VT_E_INTERRUPTED;
        break;
    case SQLITE_ERROR: {
        if (has_ended(sql, message)) {
            return vt_fail(err, VT_E_GONE, "%s has ended; only its database is left",
                           sql->target->name);
        }
#if SQLITE_VERSION_NUMBER >= 3038000
        int at = sqlite3_error_offset(sql->db);
        if (at >= 0 && (size_t)at < strlen(vt_sql_skip(text))) {
            const char *first = vt_sql_skip(text);
            snprintf(place, sizeof place, " at character %td: %.40s", first - text + at + 1,
                     first + at);
        }
#endif
        hint(sql, sqlite3_errmsg(sql->db), text, more);
        break;
    }
    default:
        break;
    }
    char line[sizeof message + sizeof more + sizeof place], safe[VT_ERROR_MESSAGE_MAX];
    snprintf(line, sizeof line, "%s%s%s", message, more, more[0] != '\0' ? "" : place);
    vt_text_printable(safe, sizeof safe, line, strlen(line));
    return vt_fail(err, code, "%s", safe);
}
