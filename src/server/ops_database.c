/* server/ops_database.c - one operation a table of the database: what was there in the last sample,
 * at some time, or since one.
 *
 * The columns are those of a database made for the purpose, so they are what the sampler writes.
 * Each operation asks one statement made of fixed pieces; what a peer gives is bound. Rows come by
 * their id, and a page goes on after the last one's.
 */
#include "semantic/schema.h"
#include "semantic/sql_value.h"
#include "server/ops_parts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_DEFAULT 1000u
#define EVENTS_DEFAULT 100u
#define ROWS_MAX 10000u
#define COLUMNS_MAX 48u
#define TEXT_MAX 2048u
#define TIMEOUT_MS 10000u

/* A parameter that a column has to be equal to. */
struct filter {
    const char *name, *column;
    bool number;
    const char *doc, *example;
};
enum { FILTERS_MAX = 5, COMMON_PARAMS = 5, PARAMS_MAX = FILTERS_MAX + COMMON_PARAMS + 1 };

struct table {
    const char *name; /* in the path; the member of the result */
    const char *view; /* in SQL; its history is <view>_history */
    const char *title, *summary, *description;
    struct filter filters[FILTERS_MAX + 1];
};

#define PID {"pid", "pid", true, "only of this process", "1"}

static const struct table tables[] = {
    {.name = "processes",
     .view = "processes",
     .title = "Sampled processes",
     .summary = "List processes of the last sample, or of the past",
     .filters = {PID,
                 {"name", "name", false, "only those called so", "sshd"},
                 {"ppid", "ppid", true, "only children of this process", NULL}}},
    {.name = "threads",
     .view = "threads",
     .title = "Sampled threads",
     .summary = "List threads of the last sample, or of the past",
     .filters = {PID, {"name", "name", false, "only those called so", NULL}}},
    {.name = "regions",
     .view = "memory_regions",
     .title = "Sampled memory regions",
     .summary = "List memory regions of processes and of the kernel",
     .description = "Those of the kernel have the owner \"kernel\" and no pid. Where a region's\n"
                    "pages lie physically is in the table memory_pages, for the operation sql.",
     .filters = {PID,
                 {"kind", "kind", false, "only of this kind: code, data, heap, stack, file, …",
                  "stack"},
                 {"name", "name", false, "only of this file, or [heap] and the like", NULL},
                 {"owner", "owner", false, "only of processes called so, or of the kernel",
                  "kernel"}}},
    {.name = "modules",
     .view = "modules",
     .title = "Sampled modules",
     .summary = "List kernel modules of the last sample, or of the past",
     .filters = {{"name", "name", false, "only this one", NULL}}},
    {.name = "mounts",
     .view = "mounts",
     .title = "Sampled mounts",
     .summary = "List mounts of the last sample, or of the past",
     .filters = {{"target", "target", false, "only on this directory", "/proc"},
                 {"type", "type", false, "only of this file system", "ext4"}}},
    {.name = "files",
     .view = "files",
     .title = "Sampled open files",
     .summary = "List open files of the last sample, or of the past",
     .filters = {PID,
                 {"path", "path", false, "only this file", NULL},
                 {"name", "name", false, "only of processes called so", NULL},
                 {"kind", "kind", false, "only of this kind", NULL}}},
    {.name = "sockets",
     .view = "sockets",
     .title = "Sampled sockets",
     .summary = "List sockets of the last sample, or of the past",
     .filters = {PID,
                 {"name", "name", false, "only of processes called so", NULL},
                 {"port", "local_port", true, "only of this local port", "22"},
                 {"state", "state", false, "only in this state", "LISTEN"},
                 {"protocol", "protocol", false, "only of this protocol", NULL}}},
};
#define N_TABLES (sizeof tables / sizeof tables[0])

static const struct filter event_filters[] = {
    {"kind", "kind", false, "only of this kind: started, exited, opened, listening, …", "started"},
    {"noun", "noun", false, "only of this table: processes, modules, sockets, …", NULL},
    PID,
    {"name", "name", false, "only of what is called so", NULL},
    {0},
};

/* ---------------------------------------------------------------- columns */

struct columns {
    unsigned n;
    char names[COLUMNS_MAX][32];
    char types[COLUMNS_MAX][16]; /* as declared; "" for last_seen of a view */
};
struct made {
    struct columns tables[N_TABLES], events, boots, sample;
    bool ok;
};
static struct made made;

static void read_columns(sqlite3 *db, const char *view, struct columns *columns)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, "SELECT name, type FROM pragma_table_info(?1)", -1, &stmt, NULL) ==
        SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, view, -1, SQLITE_STATIC);
        while (sqlite3_step(stmt) == SQLITE_ROW && columns->n < COLUMNS_MAX) {
            const char *name = (const char *)sqlite3_column_text(stmt, 0);
            if (strncmp(name, "runs", 4) == 0) {
                continue; /* long, and nicer in memory_pages */
            }
            unsigned i = columns->n++;
            snprintf(columns->names[i], sizeof columns->names[i], "%s", name);
            snprintf(columns->types[i], sizeof columns->types[i], "%s",
                     (const char *)sqlite3_column_text(stmt, 1));
        }
    }
    sqlite3_finalize(stmt);
}

static void make_columns(void)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
        vt_db_migrate(db, "columns", vt_db_version, NULL) == 0) {
        for (size_t i = 0; i < N_TABLES; i++) {
            read_columns(db, tables[i].view, &made.tables[i]);
        }
        read_columns(db, "events", &made.events);
        read_columns(db, "boots", &made.boots);
        read_columns(db, "sample", &made.sample);
        made.ok = made.sample.n > 0;
    }
    sqlite3_close(db);
}

static const struct made *get_columns(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_columns);
    return &made;
}

/* ---------------------------------------------------------------- asking */

struct asking {
    struct vt_op_call *call;
    char text[TEXT_MAX];
    size_t used;
    struct vt_sql_value values[FILTERS_MAX + COMMON_PARAMS];
    unsigned n_values;
    const char *member; /* the array of rows, or NULL: one object */
    const struct columns *columns;
    uint64_t limit, n;
    int64_t last; /* id of the last row */
    bool more;
    struct vt_error *err;
};

static void add(struct asking *a, const char *piece)
{
    int n = snprintf(a->text + a->used, sizeof a->text - a->used, "%s", piece);
    a->used += (size_t)n < sizeof a->text - a->used ? (size_t)n : 0;
}

static void add_name(struct asking *a, const char *name)
{
    add(a, "\"");
    add(a, name);
    add(a, "\"");
}

/* "column = ?3", and the value. */
static void add_condition(struct asking *a, const char *before, const char *after,
                          struct vt_sql_value value)
{
    char number[16];
    a->values[a->n_values++] = value;
    snprintf(number, sizeof number, "?%u", a->n_values);
    add(a, before);
    add(a, number);
    add(a, after);
}

static struct vt_sql_value integer(uint64_t value)
{
    return (struct vt_sql_value){.type = VT_SQL_INTEGER, .integer = (int64_t)value};
}

static bool given(const struct vt_op_call *call, const char *name)
{
    return json_object_get(call->args, name) != NULL;
}

static void add_filters(struct asking *a, const struct filter *f)
{
    for (; f->name != NULL; f++) {
        const char *text = vt_call_text(a->call, f->name);
        if (!given(a->call, f->name)) {
            continue;
        }
        add(a, " AND ");
        add_name(a, f->column);
        add_condition(a, " = ", "",
                      f->number ? integer(vt_call_u64(a->call, f->name, 0))
                                : (struct vt_sql_value){
                                      .type = VT_SQL_TEXT, .text = text, .bytes = strlen(text)});
    }
}

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct asking *a = arg;
    struct vt_json_writer *w = a->call->out;
    if (a->n == a->limit) {
        a->more = true;
        return 0; /* one more than asked for was selected */
    }
    a->n++;
    a->last = values[0].integer;
    vt_json_object(w);
    for (unsigned i = 0; i < n; i++) {
        if (i == a->columns->n) { /* the one behind them */
            vt_json_kv_bool(w, "present", values[i].integer != 0);
        } else {
            vt_json_key(w, a->columns->names[i]);
            vt_json_sql_value(w, &values[i]);
        }
    }
    vt_json_object_end(w);
    return vt_call_check(a->call, a->err);
}

static int ask(struct asking *a, struct vt_error *err)
{
    const struct vt_sql_limits limits = {
        .timeout_ms = TIMEOUT_MS, .max_rows = a->limit + 1, .stop = a->call->lease->stop};
    a->err = err;
    return vt_sql_query(a->call->lease->sql, a->text, a->values, a->n_values, &limits, NULL, on_row,
                        a, err);
}

/* The member "sample": the last one, or null. */
static int write_sample(struct vt_op_call *call, struct vt_error *err)
{
    struct asking a = {.call = call, .columns = &get_columns()->sample, .limit = 1};
    add(&a, "SELECT * FROM sample");
    vt_json_key(call->out, "sample");
    int rc = ask(&a, err);
    if (rc == 0 && a.n == 0) {
        vt_json_null(call->out);
    }
    return rc;
}

static int ready(struct vt_op_call *call, struct vt_error *err)
{
    return get_columns()->ok ? vt_lease_sql(call->host, call->lease, err)
                             : vt_fail(err, VT_E_NOMEM, "%s: out of memory", call->op->name);
}

/* ---------------------------------------------------------------- a table */

static void select_rows(struct asking *a, const struct table *t, bool past)
{
    add(a, "SELECT ");
    for (unsigned i = 0; i < a->columns->n; i++) {
        const char *name = a->columns->names[i];
        if (past && strcmp(name, "last_seen") == 0) {
            add(a, "coalesce(last_seen, (SELECT time FROM sample))");
        } else {
            add_name(a, name);
        }
        add(a, ", ");
    }
    add(a, past ? "last_seen IS NULL FROM " : "1 FROM ");
    add(a, t->view);
    add(a, past ? "_history WHERE 1" : " WHERE 1");
}

static int list_table(struct vt_op_call *call, struct vt_error *err)
{
    size_t t = 0;
    while (strcmp(tables[t].title, call->op->title) != 0) {
        t++;
    }
    struct asking a = {.call = call,
                       .columns = &get_columns()->tables[t],
                       .limit = vt_call_u64(call, "limit", ROWS_DEFAULT)};
    struct vt_sql_value at = {.type = VT_SQL_REAL, .real = vt_call_number(call, "at", 0)};
    struct vt_sql_value since = {.type = VT_SQL_REAL, .real = vt_call_number(call, "since", 0)};
    bool past = vt_call_bool(call, "history") || given(call, "at") || given(call, "since");
    int rc = ready(call, err);
    if (rc != 0) {
        return rc;
    }
    select_rows(&a, &tables[t], past);
    add_filters(&a, tables[t].filters);
    if (given(call, "at")) {
        add_condition(&a, " AND first_seen <= ", "", at);
        add_condition(&a, " AND (last_seen IS NULL OR last_seen >= ", ")", at);
    }
    if (given(call, "since")) {
        add_condition(&a, " AND (first_seen >= ", "", since);
        add_condition(&a, " OR last_seen >= ", ")", since);
    }
    if (given(call, "after")) {
        add_condition(&a, " AND id > ", "", integer(vt_call_u64(call, "after", 0)));
    }
    add_condition(&a, " ORDER BY id LIMIT ", "", integer(a.limit + 1));
    vt_json_object(call->out);
    vt_json_key(call->out, tables[t].name);
    vt_json_array(call->out);
    rc = ask(&a, err);
    vt_json_array_end(call->out);
    if (rc == 0) {
        rc = write_sample(call, err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_json_key(call->out, "next");
    if (a.more) {
        vt_json_i64(call->out, a.last);
    } else {
        vt_json_null(call->out);
    }
    vt_json_object_end(call->out);
    return 0;
}

/* ---------------------------------------------------------------- events, boots, the sample */

static int list_events(struct vt_op_call *call, struct vt_error *err)
{
    struct asking a = {.call = call,
                       .columns = &get_columns()->events,
                       .limit = vt_call_u64(call, "limit", EVENTS_DEFAULT)};
    struct vt_sql_value since = {.type = VT_SQL_REAL, .real = vt_call_number(call, "since", 0)};
    int rc = ready(call, err);
    if (rc != 0) {
        return rc;
    }
    a.last = (int64_t)vt_call_u64(call, "after", 0);
    /* From a place on: the first ones. Else the newest; both in order. */
    add(&a, given(call, "after") ? "SELECT * FROM events WHERE 1"
                                 : "SELECT * FROM (SELECT * FROM events WHERE 1");
    add_filters(&a, event_filters);
    if (given(call, "since")) {
        add_condition(&a, " AND time >= ", "", since);
    }
    if (given(call, "after")) {
        add_condition(&a, " AND id > ", "", integer((uint64_t)a.last));
        add_condition(&a, " ORDER BY id LIMIT ", "", integer(a.limit));
    } else {
        add_condition(&a, " ORDER BY id DESC LIMIT ", ") ORDER BY id", integer(a.limit));
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "events");
    vt_json_array(call->out);
    rc = ask(&a, err);
    vt_json_array_end(call->out);
    vt_json_kv_i64(call->out, "next", a.last);
    vt_json_object_end(call->out);
    return rc;
}

static int list_boots(struct vt_op_call *call, struct vt_error *err)
{
    struct asking a = {.call = call, .columns = &get_columns()->boots, .limit = ROWS_DEFAULT};
    int rc = ready(call, err);
    if (rc != 0) {
        return rc;
    }
    add(&a, "SELECT * FROM boots ORDER BY id");
    vt_json_object(call->out);
    vt_json_key(call->out, "boots");
    vt_json_array(call->out);
    rc = ask(&a, err);
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    return rc;
}

static int show_sample(struct vt_op_call *call, struct vt_error *err)
{
    int rc = ready(call, err);
    if (rc == 0) {
        vt_json_object(call->out);
        rc = write_sample(call, err);
        vt_json_object_end(call->out);
    }
    return rc;
}

/* ---------------------------------------------------------------- schemas */

static json_t *column_schema(const char *name, const char *type)
{
    if (strcmp(name, "fd") == 0) { /* or "cwd" and the like */
        return json_pack("{s:[s,s,s]}", "type", "integer", "string", "null");
    }
    if (strcmp(type, "INTEGER") == 0) {
        return json_pack("{s:[s,s]}", "type", "integer", "null");
    }
    if (strcmp(type, "ADDRESS") == 0) {
        return json_pack("{s:[s,s], s:s}", "type", "string", "null", "pattern", "^0x[0-9a-f]+$");
    }
    return json_pack("{s:[s,s]}", "type", strcmp(type, "TEXT") == 0 ? "string" : "number", "null");
}

static json_t *row_schema(const struct columns *columns, bool present)
{
    json_t *properties = json_object(), *required = json_array();
    for (unsigned i = 0; i < columns->n; i++) {
        json_object_set_new(properties, columns->names[i],
                            column_schema(columns->names[i], columns->types[i]));
        json_array_append_new(required, json_string(columns->names[i]));
    }
    if (present) {
        json_object_set_new(
            properties, "present",
            json_pack("{s:s, s:s}", "type", "boolean", "description", "in the last sample"));
        json_array_append_new(required, json_string("present"));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", false);
}

static json_t *sample_schema(void)
{
    json_t *row = row_schema(&get_columns()->sample, false);
    json_object_set_new(row, "type", json_pack("[s,s]", "object", "null"));
    json_object_set_new(row, "description", json_string("the last sample; null: none was taken"));
    return row;
}

/* An object of one array. */
static json_t *rows_schema(const char *member, json_t *row)
{
    return json_pack("{s:s, s:b, s:[s], s:{s:{s:s, s:o}}}", "type", "object",
                     "additionalProperties", false, "required", member, "properties", member,
                     "type", "array", "items", row);
}

static void add_member(json_t *schema, const char *name, json_t *value)
{
    json_object_set_new(json_object_get(schema, "properties"), name, value);
    json_array_append_new(json_object_get(schema, "required"), json_string(name));
}

static json_t *table_schema(const struct vt_op *op)
{
    size_t t = 0;
    while (strcmp(tables[t].title, op->title) != 0) {
        t++;
    }
    json_t *schema = rows_schema(tables[t].name, row_schema(&get_columns()->tables[t], true));
    add_member(schema, "sample", sample_schema());
    add_member(schema, "next",
               json_pack("{s:[s,s], s:s}", "type", "integer", "null", "description",
                         "what to give as after for the rows that follow; null: there are none"));
    return schema;
}

static json_t *events_schema(const struct vt_op *op)
{
    (void)op;
    json_t *schema = rows_schema("events", row_schema(&get_columns()->events, false));
    add_member(schema, "next",
               json_pack("{s:s, s:s}", "type", "integer", "description",
                         "what to give as after for what happens from now on"));
    return schema;
}

static json_t *boots_schema(const struct vt_op *op)
{
    (void)op;
    return rows_schema("boots", row_schema(&get_columns()->boots, false));
}

static json_t *status_schema(const struct vt_op *op)
{
    (void)op;
    return json_pack("{s:s, s:b, s:[s], s:{s:o}}", "type", "object", "additionalProperties", false,
                     "required", "sample", "properties", "sample", sample_schema());
}

/* ---------------------------------------------------------------- the operations */

static const struct vt_param common[COMMON_PARAMS] = {
    {.name = "at",
     .kind = VT_PARAM_NUMBER,
     .doc = "what was there at this time, in seconds since 1970"},
    {.name = "since",
     .kind = VT_PARAM_NUMBER,
     .doc = "what appeared or went since this time, in seconds since 1970"},
    {.name = "history", .kind = VT_PARAM_BOOL, .doc = "all that is known, of the past, too"},
    {.name = "after",
     .kind = VT_PARAM_UINT,
     .doc = "go on after the row with this id: the next of the page before"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = ROWS_MAX,
     .doc = "rows at most; 1000 when not given",
     .example = "100"},
};

static const struct vt_param event_common[] = {
    {.name = "since",
     .kind = VT_PARAM_NUMBER,
     .doc = "not what happened before this time, in seconds since 1970"},
    {.name = "after",
     .kind = VT_PARAM_UINT,
     .doc = "from the one after the event with this id on; without it, the newest"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = ROWS_MAX,
     .doc = "events at most; 100 when not given"},
};

static void make_params(struct vt_param *p, const struct filter *f, const struct vt_param *more,
                        size_t n_more)
{
    for (; f->name != NULL; f++) {
        *p++ = (struct vt_param){
            .name = f->name,
            .kind = f->number ? VT_PARAM_UINT : VT_PARAM_TEXT,
            .max = f->number ? INT32_MAX : 0,
            .doc = f->doc,
            .example = f->example,
        };
    }
    memcpy(p, more, n_more * sizeof *p);
}

const struct vt_op *vt_ops_of_tables(void)
{
    enum { FLAGS = VT_OP_VM | VT_OP_DATABASE };
    static struct vt_op ops[N_TABLES + 4];
    static struct vt_param params[N_TABLES + 1][PARAMS_MAX];
    static char names[N_TABLES][40], paths[N_TABLES][40];
    for (size_t i = 0; i < N_TABLES; i++) {
        const struct table *t = &tables[i];
        snprintf(names[i], sizeof names[i], "sampled_%s", t->name);
        snprintf(paths[i], sizeof paths[i], "/vms/{vm}/%s", t->name);
        make_params(params[i], t->filters, common, COMMON_PARAMS);
        ops[i] = (struct vt_op){.name = names[i],
                                .method = "GET",
                                .path = paths[i],
                                .group = "Database",
                                .title = t->title,
                                .summary = t->summary,
                                .description = t->description,
                                .params = params[i],
                                .flags = FLAGS,
                                .make_result = table_schema,
                                .run = list_table};
    }
    make_params(params[N_TABLES], event_filters, event_common,
                sizeof event_common / sizeof event_common[0]);
    ops[N_TABLES] =
        (struct vt_op){.name = "events",
                       .method = "GET",
                       .path = "/vms/{vm}/events",
                       .group = "Database",
                       .title = "Events",
                       .summary = "List what happened: started, exited, opened, listening, …",
                       .params = params[N_TABLES],
                       .flags = FLAGS,
                       .make_result = events_schema,
                       .run = list_events};
    ops[N_TABLES + 1] = (struct vt_op){.name = "boots",
                                       .method = "GET",
                                       .path = "/vms/{vm}/boots",
                                       .group = "Database",
                                       .title = "Boots",
                                       .summary = "List the kernels that were seen to run",
                                       .flags = FLAGS,
                                       .make_result = boots_schema,
                                       .run = list_boots};
    ops[N_TABLES + 2] = (struct vt_op){.name = "sample",
                                       .method = "GET",
                                       .path = "/vms/{vm}/sample",
                                       .group = "Database",
                                       .title = "The last sample",
                                       .summary = "Show when the last sample was taken",
                                       .flags = FLAGS,
                                       .make_result = status_schema,
                                       .run = show_sample};
    return ops;
}
