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
    struct vt_rows *rows;
    const char *only; /* a table, or NULL */
    bool columns;
    char table[160]; /* the one before, as it is shown */
    unsigned listed;
};

static int list_column(const struct vt_sql_column *c, void *arg)
{
    struct listing *l = arg;
    char table[sizeof l->table];
    snprintf(table, sizeof table, "%s%s", c->live ? "live." : "", c->table);
    if (l->only != NULL && strcmp(l->only, table) != 0 && strcmp(l->only, c->table) != 0) {
        return 0;
    }
    if (l->columns) {
        vt_cell_text(l->rows, table);
        vt_cell_text(l->rows, c->column);
        vt_cell_text(l->rows, c->type);
        vt_cell_bool(l->rows, c->hidden);
        vt_cell_text(l->rows, c->doc);
        l->listed++;
    } else if (strcmp(l->table, table) != 0) {
        memcpy(l->table, table, sizeof table);
        vt_cell_text(l->rows, table);
        vt_cell_text(l->rows, c->table_doc);
        l->listed++;
    }
    return 0;
}

static int list(const struct vt_args *args, struct vt_sql *sql, bool columns, const char *only)
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
    struct listing l = {.only = only, .columns = columns};
    struct vt_error err;
    int rc = columns ? vt_rows_create(args, of_columns, 5, &l.rows, &err)
                     : vt_rows_create(args, of_tables, 2, &l.rows, &err);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    rc = vt_sql_columns(sql, list_column, &l, &err);
    int result = vt_rows_finish(l.rows);
    if (rc == 0 && l.listed == 0) {
        rc = vt_fail(&err, VT_E_NOT_FOUND, "there is no table '%.100s'", only);
    }
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

static int open_sql(struct vt_target *target, struct vt_sql **sql, struct vt_error *err)
{
    char path[VT_VM_PATH_MAX];
    if (target->vm == NULL) {
        return vt_sql_open(NULL, target, sql, err);
    }
    int rc = vt_db_path(target->name, path, err);
    if (rc == 0) {
        rc = vt_sql_open(access(path, F_OK) == 0 ? path : NULL, target, sql, err);
    }
    return rc;
}

static int run_open(const struct vt_args *args, struct vt_target *target, const char *text,
                    uint64_t timeout_ns)
{
    bool columns = vt_args_flag(args, "schema"), tables = vt_args_flag(args, "tables");
    struct vt_error err;
    struct vt_sql *sql = NULL;
    int rc = vt_target_kernel(target, &err);
    if (rc == 0 && vt_args_flag(args, "pause")) {
        rc = vt_target_stop(target, &err);
    }
    if (rc == 0) {
        rc = open_sql(target, &sql, &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    int result = columns || tables ? list(args, sql, columns, vt_args_operand(args, 1))
                                   : query(args, sql, text, timeout_ns);
    vt_sql_close(sql);
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
    if (!list_only && (file != NULL || strcmp(text, "-") == 0)) {
        text = read = read_statement(file != NULL ? file : "-", &err);
        if (read == NULL) {
            return vt_report(args, &err);
        }
    }
    result = vt_cli_open(args, "sql", VT_CLI_RAM, list_only ? "" : text, &target);
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
    {"pause", NULL, "stop the VM while it is read: one point in time", false},
    {0},
};

const struct vt_verb vt_verb_sql = {
    .name = "sql",
    .group = "Guest",
    .summary = "Ask a guest in SQL",
    .operands = "VM [STATEMENT|-|TABLE]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .description =
        "Runs one SELECT. Tables live.NOUN (live.ps, live.sockets, …) are the guest's memory, "
        "read\n"
        "when the statement names them; a noun that is named twice is read once. A name without\n"
        "\"live.\" is looked for in the VM's database first.\n"
        "\n"
        "Addresses compare with 0x literals and are shown as \"0x…\"; address(x) makes such a text "
        "of\n"
        "any number. Of nouns that belong to processes, WHERE pid = N reads that process only.",
    .examples =
        "vitrine sql web \"SELECT pid, comm, rss_bytes FROM live.ps ORDER BY 3 DESC LIMIT 5\"\n"
        "vitrine sql web \"SELECT p.args, s.local FROM sockets s JOIN ps p USING (pid)\" --json\n"
        "vitrine sql web --schema live.maps\n"
        "vitrine sql ./web.ram --file report.sql --csv",
    .run = run,
};
