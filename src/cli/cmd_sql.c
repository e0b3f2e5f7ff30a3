/* cli/cmd_sql.c - `vitrine sql`: a guest asked in SQL, over its memory and what was sampled of it.
 *
 * The rows come as a table, as JSON or as CSV; what columns there are is known when the statement
 * runs.
 */
#include "base/io.h"
#include "cli/target.h"
#include "semantic/sql_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATEMENT_MAX 100000u
#define TIMEOUT_NS (UINT64_C(60) * 1000000000)
/* What one asks for oneself may be larger than what others ask of a server. */
#define MEMORY_MAX (UINT64_C(1) << 30)

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };

struct printing {
    enum format format;
    bool pretty;
    bool begun;
    unsigned n;
    char **names;
    struct vt_column *columns; /* of a table */
    struct vt_rows *rows;
    struct vt_json_writer writer;
    struct vt_error *err;
};

/* ---------------------------------------------------------------- rows out */

static void print_field(const char *text, bool quote, bool first)
{
    const char *separator = first ? "" : ",";
    if (!quote && strpbrk(text, ",\"") == NULL) {
        printf("%s%s", separator, text);
        return;
    }
    printf("%s\"", separator);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            putchar('"');
        }
        putchar(*text);
    }
    putchar('"');
}

static int begin_table(struct printing *p)
{
    p->columns = calloc(p->n, sizeof *p->columns);
    if (p->columns == NULL) {
        return vt_fail(p->err, VT_E_NOMEM, "output: out of memory");
    }
    for (unsigned i = 0; i < p->n; i++) {
        /* Right-aligned until a text comes. */
        p->columns[i] =
            (struct vt_column){.key = p->names[i], .title = p->names[i], .kind = VT_CELL_I64};
    }
    const struct vt_output to = {stdout, false, false};
    return vt_rows_create_to(&to, NULL, p->columns, p->n, &p->rows, p->err);
}

/* Names of columns are parts of the statement, or of a database that somebody else wrote. */
static char **safe_names(const char *const *names, unsigned n)
{
    char **safe = calloc(n, sizeof *safe), **members = NULL;
    bool ok = safe != NULL;
    for (unsigned i = 0; ok && i < n; i++) {
        const struct vt_sql_value value = {
            .type = VT_SQL_TEXT, .text = names[i], .bytes = strlen(names[i])};
        safe[i] = vt_sql_value_text(&value);
        ok = safe[i] != NULL;
    }
    if (ok) {
        members = vt_sql_members((const char *const *)safe, n);
    }
    for (unsigned i = 0; safe != NULL && i < n; i++) {
        free(safe[i]);
    }
    free(safe);
    return members;
}

static int on_columns(const char *const *names, unsigned n, void *arg)
{
    struct printing *p = arg;
    int rc = 0;
    p->n = n;
    p->names = safe_names(names, n);
    if (p->names == NULL) {
        return vt_fail(p->err, VT_E_NOMEM, "output: out of memory");
    }
    if (p->format == FORMAT_TABLE) {
        rc = begin_table(p);
    } else if (p->format == FORMAT_JSON) {
        vt_json_init(&p->writer, stdout, p->pretty);
        vt_json_array(&p->writer);
    } else {
        for (unsigned i = 0; i < n; i++) {
            print_field(p->names[i], false, i == 0);
        }
        fputs("\r\n", stdout);
    }
    p->begun = rc == 0;
    return rc;
}

static int print_cell(struct printing *p, unsigned i, const struct vt_sql_value *value)
{
    if (value->type == VT_SQL_NULL) {
        if (p->format == FORMAT_TABLE) {
            vt_cell_formatted(p->rows, "-");
        } else if (i > 0) {
            putchar(',');
        }
        return 0;
    }
    char *text = vt_sql_value_text(value);
    if (text == NULL) {
        return vt_fail(p->err, VT_E_NOMEM, "output: out of memory");
    }
    bool is_text = value->type == VT_SQL_TEXT || value->type == VT_SQL_BLOB;
    if (p->format == FORMAT_TABLE) {
        vt_cell_formatted(p->rows, text);
        p->columns[i].kind = is_text ? VT_CELL_TEXT : p->columns[i].kind;
    } else {
        /* An empty text is "" and NULL is nothing. */
        print_field(text, is_text && text[0] == '\0', i == 0);
    }
    free(text);
    return 0;
}

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct printing *p = arg;
    int rc = 0;
    if (p->format == FORMAT_JSON) {
        vt_json_object(&p->writer);
        for (unsigned i = 0; i < n; i++) {
            vt_json_key(&p->writer, p->names[i]);
            vt_json_sql_value(&p->writer, &values[i]);
        }
        vt_json_object_end(&p->writer);
    } else {
        for (unsigned i = 0; rc == 0 && i < n; i++) {
            rc = print_cell(p, i, &values[i]);
        }
    }
    if (p->format == FORMAT_CSV) {
        fputs("\r\n", stdout);
    }
    if (rc == 0 && ferror(stdout)) {
        rc = vt_fail(p->err, VT_E_IO, "writing output failed");
    }
    return rc;
}

static int finish(struct printing *p)
{
    int result = VT_EXIT_OK;
    if (p->rows != NULL) {
        result = vt_rows_finish(p->rows);
    } else if (p->begun) {
        if (p->format == FORMAT_JSON) {
            vt_json_array_end(&p->writer);
            vt_json_finish(&p->writer);
        }
        result = vt_output_finish(stdout);
    }
    free(p->columns);
    free(p->names);
    return result;
}

static int query(const struct vt_args *args, struct vt_sql *sql, const char *text,
                 uint64_t timeout_ns)
{
    struct vt_error err;
    struct printing p = {.pretty = vt_args_pretty(args), .err = &err};
    p.format = vt_args_json(args)          ? FORMAT_JSON
               : vt_args_flag(args, "csv") ? FORMAT_CSV
                                           : FORMAT_TABLE;
    const struct vt_sql_limits limits = {
        .max_rows = UINT64_MAX,
        .max_bytes = UINT64_MAX,
        .max_memory = MEMORY_MAX,
        .timeout_ms = timeout_ns == 0 ? UINT64_MAX : timeout_ns / 1000000 + 1,
        .stop = &vt_interrupted,
    };
    int rc = vt_sql_query(sql, text, NULL, 0, &limits, on_columns, on_row, &p, &err);
    int result = finish(&p);
    if (vt_sql_warning(sql) != NULL) {
        fprintf(stderr, "vitrine sql: %s\n", vt_sql_warning(sql));
    }
    return rc != 0 ? vt_report(args, &err) : result;
}

/* ---------------------------------------------------------------- what can be asked */

struct listing {
    const struct vt_args *args;
    const char *only; /* a table, or NULL */
    bool columns;
    struct vt_rows *rows; /* NULL until there is one */
    char table[160];      /* the one before, as it is shown */
    struct vt_error *err;
};

static int begin_list(struct listing *l)
{
    static const struct vt_column of_columns[] = {
        {.key = "table", .title = "TABLE", .kind = VT_CELL_TEXT},
        {.key = "column", .title = "COLUMN", .kind = VT_CELL_TEXT},
        {.key = "type", .title = "TYPE", .kind = VT_CELL_TEXT},
        {.key = "hidden", .kind = VT_CELL_BOOL},
        {.key = "doc", .title = "WHAT IT SAYS", .kind = VT_CELL_TEXT},
    };
    static const struct vt_column of_tables[] = {
        {.key = "table", .title = "TABLE", .kind = VT_CELL_TEXT},
        {.key = "doc", .title = "WHAT IT HOLDS", .kind = VT_CELL_TEXT},
    };
    return l->columns ? vt_rows_create(l->args, of_columns, 5, &l->rows, l->err)
                      : vt_rows_create(l->args, of_tables, 2, &l->rows, l->err);
}

static int list_column(const struct vt_sql_column *c, void *arg)
{
    struct listing *l = arg;
    char table[sizeof l->table];
    snprintf(table, sizeof table, "%s%s", c->live ? "live." : "", c->table);
    bool wanted = l->only == NULL || strcmp(l->only, table) == 0 || strcmp(l->only, c->table) == 0;
    if (!wanted || (!l->columns && strcmp(l->table, table) == 0)) {
        return 0;
    }
    int rc = l->rows == NULL ? begin_list(l) : 0;
    if (rc != 0) {
        return rc;
    }
    memcpy(l->table, table, sizeof table);
    vt_cell_text(l->rows, table);
    if (l->columns) {
        vt_cell_text(l->rows, c->column);
        vt_cell_text(l->rows, c->type);
        vt_cell_bool(l->rows, c->hidden);
        vt_cell_text(l->rows, c->doc);
    } else {
        vt_cell_text(l->rows, c->table_doc);
    }
    return 0;
}

static int list(const struct vt_args *args, struct vt_sql *sql, bool columns, const char *only)
{
    struct vt_error err;
    struct listing l = {.args = args, .only = only, .columns = columns, .err = &err};
    int rc = vt_sql_columns(sql, list_column, &l, &err);
    if (rc == 0 && l.rows == NULL) {
        rc = vt_fail(&err, VT_E_NOT_FOUND, "there is no table '%.100s'", only);
    }
    int result = l.rows != NULL ? vt_rows_finish(l.rows) : VT_EXIT_OK;
    return rc != 0 ? vt_report(args, &err) : result;
}

/* ---------------------------------------------------------------- the statement */

/* From stdin or a file; the caller frees it. */
static char *read_statement(const char *path, struct vt_error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *in = is_stdin ? stdin : fopen(path, "re");
    char *text = in != NULL ? malloc(STATEMENT_MAX + 2) : NULL;
    if (text == NULL) {
        vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    } else {
        size_t n = fread(text, 1, STATEMENT_MAX + 1, in);
        text[n] = '\0';
        bool bad = true;
        if (ferror(in)) {
            vt_fail_errno(err, VT_E_IO, errno, "%s", path);
        } else if (n > STATEMENT_MAX) {
            vt_fail(err, VT_E_LIMIT, "%s: longer than a statement may be", path);
        } else if (strlen(text) != n) {
            vt_fail(err, VT_E_INVAL, "%s: is not text", path);
        } else {
            bad = false;
        }
        if (bad) {
            free(text);
            text = NULL;
        }
    }
    if (in != NULL && !is_stdin) {
        fclose(in);
    }
    return text;
}

/* What there is, without a sample. */
static int open_as_it_is(struct vt_target *target, struct vt_sql **sql, struct vt_error *err)
{
    char path[VT_VM_PATH_MAX];
    if (target->vm == NULL) {
        return vt_sql_open(NULL, target, sql, err);
    }
    int rc = vt_db_path(target->name, path, err);
    rc = rc != 0 ? rc : vt_sql_open(path, target, sql, err);
    return rc == VT_E_NOT_FOUND ? vt_sql_open(NULL, target, sql, err) : rc;
}

/* A statement that reads nothing from the database needs no sample; nor does a list of its tables
 * when they are there. */
static int open_for(const struct vt_args *args, struct vt_target *target, const char *text,
                    struct vt_database *db, struct vt_error *err)
{
    bool stored = true, live;
    if (target->ended) {
        return vt_database_open(target, db, err);
    }
    int rc = open_as_it_is(target, &db->sql, err);
    if (rc != 0 || vt_args_flag(args, "no-sample")) {
        return rc;
    }
    const char *asks = text != NULL ? text : "SELECT 1 FROM boots";
    bool prepared = vt_sql_reads(db->sql, asks, &stored, &live, NULL) == 0;
    if (prepared && (text == NULL || !stored)) {
        return 0;
    }
    vt_sql_close(db->sql);
    db->sql = NULL;
    return vt_database_open(target, db, err);
}

/* `text` NULL: what can be asked is listed. */
static int run_open(const struct vt_args *args, struct vt_target *target, const char *text,
                    uint64_t timeout_ns)
{
    struct vt_database db = {0};
    struct vt_error err;
    int rc = vt_cli_pause(args, target, &err);
    rc = rc != 0 ? rc : open_for(args, target, text, &db, &err);
    if (rc != 0) {
        vt_database_close(&db);
        return vt_report(args, &err);
    }
    bool columns = vt_args_flag(args, "schema");
    int result = text != NULL ? query(args, db.sql, text, timeout_ns)
                              : list(args, db.sql, columns, vt_args_operand(args, 1));
    vt_database_close(&db);
    return result;
}

static int run(const struct vt_args *args)
{
    const char *text = vt_args_operand(args, 1), *file = vt_args_value(args, "file");
    bool list_only = vt_args_flag(args, "schema") || vt_args_flag(args, "tables");
    char *read = NULL;
    struct vt_error err;
    struct vt_target target;
    uint64_t timeout_ns;
    int result = vt_args_duration(args, "timeout", TIMEOUT_NS, &timeout_ns);
    if (result != 0) {
        return result;
    }
    if (!list_only && (text == NULL) == (file == NULL)) {
        return vt_usage_error(args, "a statement is needed: as an argument, from a file, or '-'");
    }
    if (vt_args_json(args) && vt_args_flag(args, "csv")) {
        return vt_usage_error(args, "--json and --csv: one of them");
    }
    if (list_only) {
        text = NULL;
    } else if (file != NULL || strcmp(text, "-") == 0) {
        text = read = read_statement(file != NULL ? file : "-", &err);
        if (read == NULL) {
            return vt_report(args, &err);
        }
    }
    result = vt_cli_open(args, "sql", VT_CLI_DATABASE, list_only ? "" : text, &target);
    if (result == 0) {
        result = vt_cli_close(args, &target, run_open(args, &target, text, timeout_ns));
    }
    free(read);
    return result;
}

static const struct vt_option options[] = {
    {"file", "FILE", "read the statement from a file", false},
    {"csv", NULL, "comma-separated values (RFC 4180)", false},
    {"tables", NULL, "list what tables there are", false},
    {"schema", NULL, "list their columns, or those of one table", false},
    {"timeout", "TIME", "give up after that long; 0: never (default: 60s)", false},
    {"no-sample", NULL, "read what was sampled before, even when nobody samples now", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_sql = {
    .name = "sql",
    .group = "Ask",
    .summary = "Ask a guest in SQL",
    .operands = "VM [STATEMENT|-|TABLE]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .description =
        "Runs one SELECT over what was sampled of the guest and over its memory.\n"
        "\n"
        "processes, threads, memory_regions, files, sockets, … are tables of the VM's database "
        "(see\n"
        "docs/database.md); PLURAL_history has what was. When nobody samples the VM and the\n"
        "statement reads them, one sample is taken first. Of saved RAM the database is in memory.\n"
        "A VM that has ended leaves its database: the present is its last sample then.\n"
        "\n"
        "live.ps, live.maps, live.slabs, …: every noun is a table that is read from the guest's\n"
        "memory when the statement names it, once however often it does. \"live.\" may be left "
        "out\n"
        "where the database has no such table. WHERE pid = N reads one process only, and\n"
        "live.pagetables(N) asks for one; so does live.pagecache('PATH') for a file.\n"
        "\n"
        "Addresses compare with 0x literals and are shown as \"0x…\"; address(x) makes such a "
        "text\n"
        "of any number. Output is one line a row: what a terminal would act on is shown as \\xNN.",
    .examples =
        "vitrine sql web \"SELECT pid, name, rss_bytes FROM processes ORDER BY 3 DESC LIMIT 5\"\n"
        "vitrine sql web \"SELECT pid, comm, local FROM live.sockets WHERE state = 'LISTEN'\" "
        "--json\n"
        "vitrine sql web --schema live.maps\n"
        "vitrine sql ./web.ram --file report.sql --csv",
    .run = run,
};
