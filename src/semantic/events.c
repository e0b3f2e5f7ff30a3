/* semantic/events.c - see events.h. */
#include "semantic/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line for people; what it is about is in the row. */
#define DETAIL_MAX 600
#define NAME_MAX_BYTES 256

static void free_one(struct vt_event_kept *e)
{
    free(e->name);
    free(e->detail);
}

void vt_events_clear(struct vt_events *events)
{
    for (size_t i = 0; i < events->n; i++) {
        free_one(&events->list[i]);
    }
    events->n = 0;
    events->opened = events->closed = events->left_out = 0;
    events->no_memory = false;
}

void vt_events_fini(struct vt_events *events)
{
    vt_events_clear(events);
    free(events->list);
    sqlite3_finalize(events->insert);
    *events = (struct vt_events){0};
}

void vt_events_add(struct vt_events *events, double now_s, const char *kind, const char *noun,
                   int64_t row, int32_t pid, const char *name, const char *fmt, ...)
{
    if (events->n == VT_EVENTS_MAX) {
        events->left_out++;
        return;
    }
    if (events->n == events->room) {
        size_t room = events->room == 0 ? 64 : 2 * events->room;
        struct vt_event_kept *grown = realloc(events->list, room * sizeof *grown);
        if (grown == NULL) {
            events->no_memory = true;
            return;
        }
        events->list = grown;
        events->room = room;
    }
    struct vt_event_kept e = {
        .boot = events->boot,
        .event = {.unix_s = now_s, .kind = kind, .noun = noun, .row = row, .pid = pid}};
    char detail[DETAIL_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    e.detail = strdup(detail);
    e.name = name != NULL ? strdup(name) : NULL;
    if (e.detail == NULL || (name != NULL && e.name == NULL)) {
        free_one(&e);
        events->no_memory = true;
        return;
    }
    e.event.detail = e.detail;
    e.event.name = e.name;
    events->list[events->n++] = e;
}

/* ---------------------------------------------------------------- rows */

/* Cells of one row by name. */
struct reading {
    const struct vt_db_table *table;
    const uint8_t *record;
    uint32_t bytes;
};

static struct vt_record_cell cell(const struct reading *r, const char *column)
{
    return vt_record_cell(r->record, r->bytes, vt_db_column(r->table, column));
}

/* A text as a string, "" where there is none. */
struct text {
    char s[NAME_MAX_BYTES + 1];
};

static struct text text(const struct reading *r, const char *column)
{
    struct text t;
    struct vt_record_cell c = cell(r, column);
    size_t n = c.bytes < NAME_MAX_BYTES ? c.bytes : NAME_MAX_BYTES;
    memcpy(t.s, c.tag == VT_TAG_TEXT ? c.text : "", c.tag == VT_TAG_TEXT ? n : 0);
    t.s[c.tag == VT_TAG_TEXT ? n : 0] = '\0';
    return t;
}

static int32_t pid(const struct reading *r)
{
    return (int32_t)cell(r, "pid").integer;
}

static struct reading reading_of(enum vt_db_table_id id, const struct vt_present *row)
{
    return (struct reading){&vt_db_tables[id], row->record, row->bytes};
}

static bool listens(const struct reading *r)
{
    struct vt_record_cell state = cell(r, "state");
    return state.tag == VT_TAG_TEXT && state.bytes == 6 && memcmp(state.text, "LISTEN", 6) == 0;
}

static void tell_socket(struct vt_events *events, double now_s, const char *kind, int64_t id,
                        const struct reading *r)
{
    struct text name = text(r, "name"), protocol = text(r, "protocol"), family = text(r, "family"),
                local = text(r, "local");
    vt_events_add(events, now_s, kind, "sockets", id, pid(r), name.s,
                  "%s (pid %" PRId32 ") %s %s %s", name.s[0] != '\0' ? name.s : "nobody", pid(r),
                  strcmp(kind, "listening") == 0 ? "listens on" : "no longer listens on",
                  protocol.s[0] != '\0' ? protocol.s : family.s,
                  local.s[0] != '\0' ? local.s : "a socket without an address");
}

static void tell_file(struct vt_events *events, double now_s, const char *kind, int64_t id,
                      const struct reading *r)
{
    struct vt_record_cell fd = cell(r, "fd");
    bool opened = strcmp(kind, "opened") == 0;
    uint64_t *asked = opened ? &events->opened : &events->closed;
    if (fd.tag != VT_TAG_INTEGER) {
        return; /* working directories, roots and programs are not opened */
    }
    if ((*asked)++ < VT_EVENTS_FILES_MAX) {
        struct text name = text(r, "name"), path = text(r, "path");
        vt_events_add(events, now_s, kind, "files", id, pid(r), name.s,
                      "%s (pid %" PRId32 ") %s %s as %" PRId64, name.s, pid(r), kind, path.s,
                      fd.integer);
    }
}

void vt_events_appeared(struct vt_events *events, double now_s, enum vt_db_table_id id,
                        const struct vt_present *row)
{
    const struct reading r = reading_of(id, row);
    struct text name = text(&r, "name");
    if (id == VT_DB_PROCESSES) {
        struct text args = text(&r, "args");
        vt_events_add(events, now_s, "started", "processes", row->id, pid(&r), name.s,
                      "%s (pid %" PRId32 ") started, a child of %" PRId64 "%s%s", name.s, pid(&r),
                      cell(&r, "ppid").integer, args.s[0] != '\0' ? ": " : "", args.s);
    } else if (id == VT_DB_MODULES) {
        vt_events_add(events, now_s, "loaded", "modules", row->id, 0, name.s,
                      "module %s was loaded", name.s);
    } else if (id == VT_DB_MOUNTS) {
        struct text type = text(&r, "type"), source = text(&r, "source"),
                    target = text(&r, "target");
        vt_events_add(events, now_s, "mounted", "mounts", row->id, 0, target.s,
                      "%s (%s) was mounted on %s", source.s, type.s, target.s);
    } else if (id == VT_DB_FILES) {
        tell_file(events, now_s, "opened", row->id, &r);
    } else if (id == VT_DB_SOCKETS && listens(&r)) {
        tell_socket(events, now_s, "listening", row->id, &r);
    }
}

void vt_events_gone(struct vt_events *events, double now_s, enum vt_db_table_id id,
                    const struct vt_present *row)
{
    const struct reading r = reading_of(id, row);
    struct text name = text(&r, "name");
    if (id == VT_DB_PROCESSES) {
        vt_events_add(events, now_s, "exited", "processes", row->id, pid(&r), name.s,
                      "%s (pid %" PRId32 ") ended", name.s, pid(&r));
    } else if (id == VT_DB_MODULES) {
        vt_events_add(events, now_s, "unloaded", "modules", row->id, 0, name.s,
                      "module %s was unloaded", name.s);
    } else if (id == VT_DB_MOUNTS) {
        struct text type = text(&r, "type"), target = text(&r, "target");
        vt_events_add(events, now_s, "unmounted", "mounts", row->id, 0, target.s,
                      "%s was unmounted (%s)", target.s, type.s);
    } else if (id == VT_DB_FILES) {
        tell_file(events, now_s, "closed", row->id, &r);
    } else if (id == VT_DB_SOCKETS && listens(&r)) {
        tell_socket(events, now_s, "not_listening", row->id, &r);
    }
}

void vt_events_changed(struct vt_events *events, double now_s, enum vt_db_table_id id,
                       const struct vt_present *row, const uint8_t *record, uint32_t bytes)
{
    const struct reading before = reading_of(id, row), after = {&vt_db_tables[id], record, bytes};
    if (id == VT_DB_PROCESSES) {
        struct text was = text(&before, "name"), is = text(&after, "name");
        struct text args = text(&after, "args");
        if (strcmp(was.s, is.s) != 0) {
            vt_events_add(events, now_s, "renamed", "processes", row->id, pid(&after), is.s,
                          "%s (pid %" PRId32 ") is now %s%s%s", was.s, pid(&after), is.s,
                          args.s[0] != '\0' ? ": " : "", args.s);
        }
    } else if (id == VT_DB_SOCKETS && listens(&before) != listens(&after)) {
        /* Who no longer listens is told by what was. */
        tell_socket(events, now_s, listens(&after) ? "listening" : "not_listening", row->id,
                    listens(&after) ? &after : &before);
    }
}

/* ---------------------------------------------------------------- writing */

static void tell_left_out(struct vt_events *events, double now_s)
{
    const struct {
        const char *kind;
        uint64_t asked;
    } files[] = {{"opened", events->opened}, {"closed", events->closed}};
    for (size_t i = 0; i < 2; i++) {
        if (files[i].asked > VT_EVENTS_FILES_MAX) {
            vt_events_add(events, now_s, files[i].kind, "files", 0, 0, NULL,
                          "%" PRIu64 " more files were %s in that second",
                          files[i].asked - VT_EVENTS_FILES_MAX, files[i].kind);
        }
    }
    if (events->left_out > 0) {
        struct vt_event_kept *last = &events->list[events->n - 1];
        char detail[DETAIL_MAX];
        snprintf(detail, sizeof detail, "%.400s; and %" PRIu64 " more events that are left out",
                 last->detail, events->left_out);
        char *longer = strdup(detail);
        if (longer != NULL) {
            free(last->detail);
            last->event.detail = last->detail = longer;
        }
    }
}

static void bind_text_or_null(sqlite3_stmt *stmt, int i, const char *s)
{
    if (s == NULL || s[0] == '\0') {
        sqlite3_bind_null(stmt, i);
    } else {
        sqlite3_bind_text(stmt, i, s, -1, SQLITE_STATIC);
    }
}

int vt_events_write(struct vt_events *events, struct vt_store *store, double now_s,
                    struct vt_error *err)
{
    if (events->no_memory) {
        return vt_fail(err, VT_E_NOMEM, "sampling: out of memory");
    }
    if (events->n == 0) {
        return 0;
    }
    tell_left_out(events, now_s);
    int rc = vt_store_prepare(store,
                              "INSERT INTO events(time, boot, kind, noun, row, pid, name, detail) "
                              "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                              &events->insert, err);
    for (size_t i = 0; rc == 0 && i < events->n; i++) {
        struct vt_event *e = &events->list[i].event;
        sqlite3_stmt *stmt = events->insert;
        sqlite3_bind_double(stmt, 1, e->unix_s);
        sqlite3_bind_int64(stmt, 2, events->list[i].boot);
        sqlite3_bind_text(stmt, 3, e->kind, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 4, e->noun, -1, SQLITE_STATIC);
        if (e->row != 0) {
            sqlite3_bind_int64(stmt, 5, e->row);
        }
        if (e->pid != 0) {
            sqlite3_bind_int64(stmt, 6, e->pid);
        }
        bind_text_or_null(stmt, 7, e->name);
        sqlite3_bind_text(stmt, 8, e->detail, -1, SQLITE_STATIC);
        rc = vt_store_step(store, stmt, err);
        e->id = sqlite3_last_insert_rowid(store->db);
    }
    return rc;
}
