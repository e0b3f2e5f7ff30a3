/* server/ops_sql.c - the operation sql: read-only SQL over what was sampled and over live tables.
 */
#include "semantic/sql_value.h"
#include "server/ops_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_MAX (UINT64_C(64) << 10)
#define ROWS_DEFAULT 1000u
#define ROWS_MAX 100000u
#define TIMEOUT_MS 10000u

struct asking {
    struct vt_op_call *call;
    char **members;
    unsigned n;
    struct vt_error *err;
};

static int on_columns(const char *const *names, unsigned n, void *arg)
{
    struct asking *a = arg;
    struct vt_json_writer *w = a->call->out;
    a->members = vt_sql_members(names, n);
    a->n = n;
    if (a->members == NULL) {
        return vt_fail(a->err, VT_E_NOMEM, "sql: out of memory");
    }
    vt_json_object(w);
    vt_json_key(w, "columns");
    vt_json_array(w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_string(w, a->members[i]);
    }
    vt_json_array_end(w);
    vt_json_key(w, "rows");
    vt_json_array(w);
    return 0;
}

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct asking *a = arg;
    struct vt_json_writer *w = a->call->out;
    vt_json_object(w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_key(w, a->members[i]);
        vt_json_sql_value(w, &values[i]);
    }
    vt_json_object_end(w);
    return vt_call_check(a->call, a->err);
}

static int sql(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_error why = {0};
    struct asking a = {.call = call, .err = &why};
    const struct vt_sql_limits limits = {
        .max_rows = vt_call_u64(call, "limit", ROWS_DEFAULT),
        .max_bytes = VT_RESULT_MAX,
        .timeout_ms = TIMEOUT_MS,
        .stop = call->lease->stop,
    };
    int rc = vt_lease_sql(call->host, call->lease, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_sql_query(call->lease->sql, vt_call_text(call, "query"), NULL, 0, &limits, on_columns,
                      on_row, &a, &why);
    /* Rows past a limit are left out, which is said. */
    bool cut = rc == VT_E_LIMIT && a.members != NULL && vt_call_check(call, NULL) == 0;
    free(a.members);
    if (rc != 0 && !cut) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    vt_json_array_end(call->out);
    vt_json_kv_bool(call->out, "truncated", cut);
    vt_json_kv_string(call->out, "warning", cut ? why.message : vt_sql_warning(call->lease->sql));
    vt_json_object_end(call->out);
    return 0;
}

/* ---------------------------------------------------------------- what can be asked */

struct listing {
    struct vt_op_call *call;
    char table[80];
    struct vt_error *err;
};

static void end_table(struct listing *l)
{
    if (l->table[0] != '\0') {
        vt_json_array_end(l->call->out);
        vt_json_object_end(l->call->out);
    }
}

static int on_column(const struct vt_sql_column *c, void *arg)
{
    struct listing *l = arg;
    struct vt_json_writer *w = l->call->out;
    char table[sizeof l->table];
    snprintf(table, sizeof table, "%s%s", c->live ? "live." : "", c->table);
    if (strcmp(table, l->table) != 0) {
        end_table(l);
        memcpy(l->table, table, sizeof table);
        vt_json_object(w);
        vt_json_kv_string(w, "name", table);
        vt_json_kv_string(w, "description", c->table_doc);
        vt_json_key(w, "columns");
        vt_json_array(w);
    }
    vt_json_object(w);
    vt_json_kv_string(w, "name", c->column);
    vt_json_kv_string(w, "type", c->type);
    vt_json_kv_bool(w, "hidden", c->hidden);
    vt_json_kv_string(w, "description", c->doc);
    vt_json_object_end(w);
    return vt_call_check(l->call, l->err);
}

static int sql_tables(struct vt_op_call *call, struct vt_error *err)
{
    struct listing l = {.call = call, .err = err};
    int rc = vt_lease_sql(call->host, call->lease, err);
    if (rc != 0) {
        return rc;
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "tables");
    vt_json_array(call->out);
    rc = vt_sql_columns(call->lease->sql, on_column, &l, err);
    end_table(&l);
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    return rc;
}

/* ---------------------------------------------------------------- the table */

static const struct vt_param params[] = {
    {.name = "query",
     .kind = VT_PARAM_TEXT,
     .required = true,
     .min = 1,
     .max = STATEMENT_MAX,
     .doc = "one statement that only reads",
     .example = "SELECT pid, name, rss_bytes FROM processes ORDER BY rss_bytes DESC LIMIT 5"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = ROWS_MAX,
     .doc = "rows at most; 1000 when not given"},
    {0},
};

static const char result[] =
    "{\"type\": \"object\", \"additionalProperties\": false,"
    " \"required\": [\"columns\", \"rows\", \"truncated\", \"warning\"], \"properties\": {"
    "\"columns\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},"
    "\"rows\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    " \"additionalProperties\": {\"type\": [\"string\", \"number\", \"null\"]}},"
    " \"description\": \"members are the columns; addresses are texts of the form 0x…\"},"
    "\"truncated\": {\"type\": \"boolean\", \"description\": \"there were more rows\"},"
    "\"warning\": {\"type\": [\"string\", \"null\"], \"description\":"
    " \"why rows may be missing\"}}}";

static const char tables_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"tables\"],"
    " \"properties\": {\"tables\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    " \"additionalProperties\": false, \"required\": [\"name\", \"description\", \"columns\"],"
    " \"properties\": {\"name\": {\"type\": \"string\"},"
    "\"description\": {\"type\": [\"string\", \"null\"]},"
    "\"columns\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    " \"additionalProperties\": false,"
    " \"required\": [\"name\", \"type\", \"hidden\", \"description\"], \"properties\": {"
    "\"name\": {\"type\": \"string\"},"
    "\"type\": {\"type\": \"string\", \"description\": \"as declared\"},"
    "\"hidden\": {\"type\": \"boolean\", \"description\": \"not part of *\"},"
    "\"description\": {\"type\": [\"string\", \"null\"]}}}}}}}}}";

#define DESCRIPTION                                                                                \
    "SQLite's dialect. Tables of the last sample, and behind each name with _history what was:\n"  \
    "processes (pid, ppid, name, args, state, uid, threads, rss_bytes, page_table, started_s),\n"  \
    "threads (tid, pid, name, state, cpu, stack), memory_regions (pid, owner, kind, start, end,\n" \
    "permissions, name, resident_bytes, dirty_bytes), memory_pages (region, pid, gva, gpa, "       \
    "bytes),\n"                                                                                    \
    "symbols (name, address, size, type, module), modules, mounts, files (pid, name, fd, path),\n" \
    "sockets (protocol, state, local_address, local_port, peer_address, peer_port, pid, name),\n"  \
    "events (time, kind, noun, pid, name, detail), boots, sample. Each row has first_seen and\n"   \
    "last_seen, in seconds since 1970. live.<noun> (live.ps, live.sockets, …) are walks of the\n"  \
    "guest's memory right now. Addresses are 64-bit integers: 0x literals compare with them.\n"    \
    "In memory_regions, kind is one of code, data, heap, stack, file, anon, vdso, kernel_text …"

const struct vt_op vt_ops_sql[] = {
    {
        .name = "sql",
        .method = "POST",
        .path = "/vms/{vm}/sql",
        .group = "Questions",
        .title = "Ask in SQL",
        .summary = "Ask in read-only SQL about a guest, now and in the past",
        .description = DESCRIPTION,
        .params = params,
        .flags = VT_OP_VM | VT_OP_TOOL | VT_OP_PAST,
        .result = result,
        .run = sql,
    },
    {
        .name = "sql_get",
        .method = "GET",
        .path = "/vms/{vm}/sql",
        .group = "Questions",
        .title = "Ask in SQL by a link",
        .summary = "Ask in read-only SQL, the statement in the address",
        .params = params,
        .flags = VT_OP_VM | VT_OP_PAST,
        .result = result,
        .run = sql,
    },
    {
        .name = "sql_tables",
        .method = "GET",
        .path = "/vms/{vm}/tables",
        .group = "Questions",
        .title = "Tables",
        .summary = "List the tables and columns that SQL can ask for",
        .flags = VT_OP_VM | VT_OP_DATABASE,
        .result = tables_result,
        .run = sql_tables,
    },
    {0},
};
