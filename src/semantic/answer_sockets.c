/* semantic/answer_sockets.c - answers about who listens and who is connected. */
#include "semantic/answer.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define LISTENING                                                                                  \
    "(state = 'LISTEN' OR protocol IN ('udp', 'udplite') AND state = 'CLOSE' AND local_port > 0)"
#define SOCKET_COLUMNS                                                                             \
    "pid, name, family, protocol, type, state, local, peer, uid, fd, inode, rx_bytes, tx_bytes, "  \
    "socket"

/* The condition for a protocol: "tcp", "udp", "unix"; else none. */
static const char *of_protocol(const char *area)
{
    return strcmp(area, "tcp") == 0    ? " AND protocol = 'tcp'"
           : strcmp(area, "udp") == 0  ? " AND protocol IN ('udp', 'udplite')"
           : strcmp(area, "unix") == 0 ? " AND family = 'unix'"
                                       : "";
}

/* " AND pid IN (…)" of the subjects and of a user, or "" without any. *none: there are none, and
 * that is said. */
static int of_subjects(struct vt_answering *a, char **condition, bool *none, struct vt_error *err)
{
    json_t *found = NULL;
    char *pids = NULL;
    *none = false;
    int rc = 0;
    if (vt_answer_has_subject(a->q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0) {
            return rc;
        }
        *none = json_array_size(found) == 0;
        pids = vt_answer_pids(found);
        json_decref(found);
        rc = pids == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
    }
    char user[48] = "";
    if (a->q->uid >= 0) {
        snprintf(user, sizeof user, " AND uid = %" PRId64, a->q->uid);
    }
    *condition = pids != NULL ? sqlite3_mprintf(" AND pid IN %s%s", pids, user)
                              : sqlite3_mprintf("%s", user);
    free(pids);
    if (rc == 0 && *condition == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    return rc;
}

/* "dropbear (pid 88)", "nobody's process" */
static const char *said_holder(struct vt_answering *a, const json_t *row)
{
    return vt_row_int(row, "pid") > 0 ? vt_said_process(a, row) : "a socket without a process";
}

/* Who listened there before, for a port that nobody listens on. */
static int say_past_listener(struct vt_answering *a, struct vt_error *err)
{
    json_t *rows;
    int rc = vt_answer_look(a, &rows, err,
                            "SELECT pid, name, local, first_seen, last_seen FROM sockets_history"
                            " WHERE local_port = %lld AND last_seen IS NOT NULL AND " LISTENING
                            " ORDER BY last_seen DESC LIMIT 1",
                            (long long)a->q->port);
    const json_t *row = rc == 0 ? json_array_get(rows, 0) : NULL;
    if (row != NULL) {
        vt_say(a, " %s did, until %s.", said_holder(a, row),
               vt_said_time(a, vt_row_real(row, "last_seen")));
    }
    if (rc == 0) {
        json_decref(rows);
    }
    return rc;
}

static void say_listeners(struct vt_answering *a, const json_t *rows)
{
    json_t *row;
    size_t i, n = json_array_size(rows);
    if (a->q->port < 0 && n > 1) {
        vt_say(a, "%s accept connections or packets: ", vt_said_count(a, n, "socket", "sockets"));
    }
    json_array_foreach(rows, i, row)
    {
        if (i == 12 && n > 13) {
            vt_say(a, " and %zu more", n - i);
            break;
        }
        bool unix_socket = strcmp(vt_row_text(row, "family"), "unix") == 0;
        vt_say(a, "%s%s listens on %s%s%s", i == 0 ? "" : ", ", said_holder(a, row),
               vt_said(a, vt_row_text(row, "local")), unix_socket ? "" : " by ",
               unix_socket ? "" : vt_said(a, vt_row_text(row, "protocol")));
    }
    vt_say(a, ".");
}

int vt_answer_listeners(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    char *whose;
    bool none;
    int rc = of_subjects(a, &whose, &none, err);
    if (rc != 0 || none) {
        sqlite3_free(rc == 0 ? whose : NULL);
        return rc;
    }
    vt_answer_verb(a, "sockets %s", a->target->name);
    char *port = q->port >= 0 ? sqlite3_mprintf(" AND local_port = %lld", (long long)q->port)
                              : sqlite3_mprintf("");
    rc = port == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory")
                      : vt_answer_sql(a, err,
                                      "SELECT " SOCKET_COLUMNS " FROM sockets WHERE " LISTENING
                                      "%s%s%s ORDER BY family = 'unix', local_port, local",
                                      port, whose, of_protocol(q->area));
    sqlite3_free(port);
    sqlite3_free(whose);
    if (rc != 0) {
        return rc;
    }
    vt_answer_objects(a, a->answer->rows, "socket", "sock");
    if (json_array_size(a->answer->rows) > 0) {
        say_listeners(a, a->answer->rows);
    } else if (q->port >= 0) {
        vt_say(a, "Nothing listens on %s%sport %" PRId64 ".", q->area,
               q->area[0] != '\0' ? " " : "", q->port);
        rc = say_past_listener(a, err);
    } else {
        vt_say(a, vt_answer_has_subject(q) ? "It listens on nothing." : "Nothing listens.");
    }
    return rc;
}

static const char *said_end(struct vt_answering *a, const char *end)
{
    return end[0] != '\0' ? vt_said(a, end) : "no address";
}

int vt_answer_connections(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    char *whose, *where = NULL;
    bool none;
    json_t *row;
    size_t i;
    int rc = of_subjects(a, &whose, &none, err);
    if (rc != 0 || none) {
        sqlite3_free(rc == 0 ? whose : NULL);
        return rc;
    }
    vt_answer_verb(a, "sockets %s", a->target->name);
    bool all = strcmp(q->area, "all") == 0, of_unix = strcmp(q->area, "unix") == 0;
    const char *state = all ? "family <> ''"
                        : strcmp(q->area, "established") == 0
                            ? "state = 'ESTABLISHED' AND family IN ('inet', 'inet6')"
                        : of_unix ? "state = 'ESTABLISHED'"
                                  : "family IN ('inet', 'inet6') AND peer_port > 0 AND state NOT IN"
                                    " ('LISTEN', 'CLOSE')";
    where = q->port >= 0 ? sqlite3_mprintf("%s AND (local_port = %lld OR peer_port = %lld)", state,
                                           (long long)q->port, (long long)q->port)
                         : sqlite3_mprintf("%s", state);
    if (where != NULL && q->host[0] != '\0') {
        char *more = sqlite3_mprintf("%s AND peer_address IN (%Q, '::ffff:' || %Q)", where, q->host,
                                     q->host);
        sqlite3_free(where);
        where = more;
    }
    rc = where == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory")
                       : vt_answer_sql(a, err,
                                       "SELECT " SOCKET_COLUMNS " FROM sockets WHERE %s%s%s"
                                       " ORDER BY pid, local_port",
                                       where, whose, of_protocol(q->area));
    sqlite3_free(where);
    sqlite3_free(whose);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    vt_answer_objects(a, a->answer->rows, "socket", "sock");
    vt_say(a, "There %s %s", n == 1 ? "is" : "are",
           all ? vt_said_count(a, n, "socket", "sockets")
               : vt_said_count(a, n, "connection", "connections"));
    if (q->port >= 0) {
        vt_say(a, " with port %" PRId64, q->port);
    }
    if (q->host[0] != '\0') {
        vt_say(a, " to %s", vt_said(a, q->host));
    }
    if (q->uid >= 0) {
        vt_say(a, " of user %" PRId64, q->uid);
    }
    vt_say(a, n > 0 && !all ? ": " : ".");
    for (i = 0; !all && i < n && i < 8; i++) {
        row = json_array_get(a->answer->rows, i);
        vt_say(a, "%s%s from %s to %s, %s", i == 0 ? "" : "; ", said_holder(a, row),
               said_end(a, vt_row_text(row, "local")), said_end(a, vt_row_text(row, "peer")),
               vt_said(a, vt_row_text(row, "state")));
    }
    vt_say(a, n > 0 && !all ? n > 8 ? "; …" : "." : "");
    return 0;
}
