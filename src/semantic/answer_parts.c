/* semantic/answer_parts.c - what answers are made of: rows from SQL, words, places. See answer.h.
 */
#include "base/text.h"
#include "semantic/answer.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---------------------------------------------------------------- rows */

json_t *vt_row_string(const char *text, size_t bytes)
{
    static const char replacement[] = "\xef\xbf\xbd";
    json_t *string = json_stringn(text, bytes);
    if (string != NULL) {
        return string;
    }
    char *clean = malloc(3 * bytes + 1), *to = clean;
    if (clean == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < bytes;) {
        size_t n = vt_utf8_length(text + i, bytes - i);
        const char *from = n > 0 ? text + i : replacement;
        size_t length = n > 0 ? n : sizeof replacement - 1;
        memcpy(to, from, length);
        to += length;
        i += n > 0 ? n : 1;
    }
    string = json_stringn(clean, (size_t)(to - clean));
    free(clean);
    return string;
}

static json_t *address(uint64_t value)
{
    char text[2 + 16 + 1];
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

#define COLUMNS_MAX 64

struct looking {
    json_t *rows;
    unsigned n;
    char *names[COLUMNS_MAX];
    struct vt_error *err;
};

static int take_columns(const char *const *names, unsigned n, void *arg)
{
    struct looking *l = arg;
    l->n = n < COLUMNS_MAX ? n : COLUMNS_MAX;
    for (unsigned i = 0; i < l->n; i++) {
        l->names[i] = strdup(names[i]);
        if (l->names[i] == NULL) {
            return vt_fail(l->err, VT_E_NOMEM, "out of memory");
        }
    }
    return 0;
}

static json_t *cell(const struct vt_sql_value *v)
{
    switch (v->type) {
    case VT_SQL_INTEGER:
        return json_integer(v->integer);
    case VT_SQL_ADDRESS:
        return address((uint64_t)v->integer);
    case VT_SQL_REAL:
        return isfinite(v->real) ? json_real(v->real) : json_null();
    case VT_SQL_TEXT:
    case VT_SQL_BLOB:
        return vt_row_string(v->text, v->bytes);
    case VT_SQL_NULL:
        break;
    }
    return json_null();
}

static int take_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct looking *l = arg;
    json_t *row = json_object();
    for (unsigned i = 0; row != NULL && i < n && i < l->n; i++) {
        if (json_object_set_new_nocheck(row, l->names[i], cell(&values[i])) != 0) {
            json_decref(row);
            row = NULL;
        }
    }
    return json_array_append_new(l->rows, row) == 0 ? 0
                                                    : vt_fail(l->err, VT_E_NOMEM, "out of memory");
}

static int look(struct vt_answering *a, const char *text, json_t **rows, struct vt_error *err)
{
    struct vt_sql_limits limits = {.max_rows = VT_ANSWER_ROWS_MAX, .stop = a->stop};
    struct looking l = {.rows = json_array(), .err = err};
    int rc = l.rows == NULL
                 ? vt_fail(err, VT_E_NOMEM, "out of memory")
                 : vt_sql_query(a->sql, text, NULL, 0, &limits, take_columns, take_row, &l, err);
    for (unsigned i = 0; i < COLUMNS_MAX; i++) {
        free(l.names[i]);
    }
    if (rc == VT_E_LIMIT && json_array_size(l.rows) > 0) {
        a->answer->rows_cut = true;
        rc = 0;
    }
    if (rc != 0) {
        json_decref(l.rows);
        return rc;
    }
    *rows = l.rows;
    return 0;
}

int vt_answer_look(struct vt_answering *a, json_t **rows, struct vt_error *err, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    char *text = sqlite3_vmprintf(format, args);
    va_end(args);
    int rc = text == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : look(a, text, rows, err);
    sqlite3_free(text);
    return rc;
}

int vt_answer_sql(struct vt_answering *a, struct vt_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = sqlite3_vmprintf(format, args);
    va_end(args);
    char *sql = text != NULL ? strdup(text) : NULL;
    json_t *rows = NULL;
    int rc = sql == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : look(a, sql, &rows, err);
    sqlite3_free(text);
    if (rc != 0) {
        free(sql);
        return rc;
    }
    free(a->answer->sql);
    json_decref(a->answer->rows);
    a->answer->sql = sql;
    a->answer->rows = rows;
    return 0;
}

char *vt_answer_where(char *const *conditions, unsigned n)
{
    char *text = NULL;
    size_t bytes;
    bool any = false, lost = false;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        lost |= conditions[i] == NULL;
        if (conditions[i] != NULL && conditions[i][0] != '\0') {
            fprintf(out, "%s%s", any ? " AND " : " WHERE ", conditions[i]);
            any = true;
        }
    }
    lost |= ferror(out) != 0;
    lost |= fclose(out) != 0;
    if (lost) {
        free(text);
        text = NULL;
    }
    return text;
}

void vt_answer_verb(struct vt_answering *a, const char *format, ...)
{
    char *rest, *verb;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&rest, format, args);
    va_end(args);
    if (n < 0 || asprintf(&verb, "vitrine %s", rest) < 0) {
        verb = NULL;
    }
    if (n >= 0) {
        free(rest);
    }
    a->nomem |= verb == NULL;
    free(a->answer->verb);
    a->answer->verb = verb;
}

int vt_answer_kernel(struct vt_answering *a, struct vt_error *err)
{
    int rc = vt_target_kernel(a->target, err);
    if (rc == 0) {
        vt_kernel_refresh(a->target->kernel);
    }
    return rc;
}

int vt_answer_stopped(const struct vt_answering *a, struct vt_error *err)
{
    return a->stop != NULL && *a->stop ? vt_fail(err, VT_E_INTERRUPTED, "interrupted") : 0;
}

int64_t vt_row_int(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

double vt_row_real(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *vt_row_text(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

uint64_t vt_row_address(const json_t *row, const char *key)
{
    uint64_t value;
    return vt_parse_u64(vt_row_text(row, key), &value, NULL) == 0 ? value : 0;
}

void vt_row_set_address(json_t *row, const char *key, uint64_t value)
{
    json_object_set_new(row, key, address(value));
}

void vt_row_set_text(json_t *row, const char *key, const char *text)
{
    json_object_set_new(row, key, vt_row_string(text, strlen(text)));
}

/* ---------------------------------------------------------------- words */

void vt_say(struct vt_answering *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(a->text, format, args); /* errors stay in the stream */
    va_end(args);
}

#define SAID (sizeof((struct vt_answering *)0)->said[0])

static char *next_said(struct vt_answering *a)
{
    return a->said[a->next_said++ % (sizeof a->said / sizeof a->said[0])];
}

const char *vt_said(struct vt_answering *a, const char *guest_text)
{
    char *out = next_said(a);
    vt_text_printable(out, SAID, guest_text, strlen(guest_text));
    return out;
}

const char *vt_said_bytes(struct vt_answering *a, uint64_t bytes)
{
    return vt_format_bytes(next_said(a), SAID, bytes);
}

const char *vt_said_count(struct vt_answering *a, uint64_t n, const char *one, const char *many)
{
    char *out = next_said(a);
    if (n == 0) {
        snprintf(out, SAID, "no %s", many);
    } else {
        snprintf(out, SAID, "%" PRIu64 " %s", n, n == 1 ? one : many);
    }
    return out;
}

const char *vt_said_time(struct vt_answering *a, double unix_s)
{
    char *out = next_said(a);
    time_t now = time(NULL), then = (time_t)unix_s;
    struct tm t, today;
    if (!(fabs(unix_s) < 1e11) || localtime_r(&then, &t) == NULL ||
        localtime_r(&now, &today) == NULL) {
        snprintf(out, SAID, "at an unknown time");
        return out;
    }
    bool same_day = t.tm_year == today.tm_year && t.tm_yday == today.tm_yday;
    strftime(out, SAID, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &t);
    return out;
}

const char *vt_said_span(struct vt_answering *a, int64_t seconds)
{
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    char *out = next_said(a);
    unsigned u = 0;
    while (units[u].s > 1 && (seconds < units[u].s || seconds % units[u].s != 0)) {
        u++;
    }
    int64_t n = seconds / units[u].s;
    if (n == 1) {
        snprintf(out, SAID, "the last %s", units[u].name);
    } else {
        snprintf(out, SAID, "the last %" PRId64 " %ss", n, units[u].name);
    }
    return out;
}

const char *vt_said_comma(size_t i, size_t n)
{
    return i == 0 ? "" : i + 1 == n ? " and " : ", ";
}

/* ---------------------------------------------------------------- places */

/* The label as the answer keeps it: the last one, or a copy; NULL without memory. */
static const char *keep_label(struct vt_answering *a, const char *label)
{
    struct vt_answer *answer = a->answer;
    size_t n = answer->n_labels;
    if (n > 0 && strcmp(answer->labels[n - 1], label) == 0) {
        return answer->labels[n - 1];
    }
    if ((n & (n - 1)) == 0) {
        char **more = reallocarray(answer->labels, n == 0 ? 1 : 2 * n, sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        answer->labels = more;
    }
    answer->labels[n] = strdup(label);
    return answer->labels[n] != NULL ? answer->labels[answer->n_labels++] : NULL;
}

static bool goes_on(const struct vt_place *p, const char *label, int32_t pid, struct vt_gva gva,
                    struct vt_gpa gpa)
{
    return p->pid == pid && p->gpa.v + p->bytes == gpa.v &&
           (gva.v == 0 ? p->gva.v == 0 : p->gva.v != 0 && p->gva.v + p->bytes == gva.v) &&
           strcmp(p->label, label) == 0;
}

static void add_place(struct vt_answering *a, const char *label, int32_t pid, struct vt_gva gva,
                      struct vt_gpa gpa, uint64_t bytes)
{
    struct vt_answer *answer = a->answer;
    size_t n = answer->n_all_places;
    answer->place_bytes += bytes;
    if (n > 0 && goes_on(&answer->places[n - 1], label, pid, gva, gpa)) {
        answer->places[n - 1].bytes += bytes;
        return;
    }
    if (n == VT_HIGHLIGHT_RUNS_MAX) {
        answer->places_cut = true;
        return;
    }
    if (n == a->room) {
        size_t room = a->room == 0 ? 64 : 2 * a->room;
        struct vt_place *more = reallocarray(answer->places, room, sizeof *more);
        if (more == NULL) {
            a->nomem = true;
            return;
        }
        answer->places = more;
        a->room = room;
    }
    const char *kept = keep_label(a, label);
    if (kept == NULL) {
        a->nomem = true;
        return;
    }
    answer->places[answer->n_all_places++] =
        (struct vt_place){.label = kept, .pid = pid, .gva = gva, .gpa = gpa, .bytes = bytes};
}

void vt_answer_place(struct vt_answering *a, const char *label, int32_t pid, struct vt_gva gva,
                     struct vt_gpa gpa, uint64_t bytes)
{
    struct vt_off off;
    uint64_t run;
    if (a->target->ended) {
        return; /* what lay there is gone */
    }
    while (bytes > 0 && vt_ram_offset(a->target->ram, gpa, &off, &run, NULL) == 0) {
        run = run < bytes ? run : bytes;
        add_place(a, label, pid, gva, gpa, run);
        gpa.v += run;
        gva.v += gva.v != 0 ? run : 0;
        bytes -= run;
    }
}

struct range {
    struct vt_answering *a;
    const char *label;
    int32_t pid;
};

static int on_run(const struct vt_page_run *run, void *arg)
{
    const struct range *r = arg;
    vt_answer_place(r->a, r->label, r->pid, run->gva, run->gpa, run->bytes);
    return 0;
}

int vt_answer_range(struct vt_answering *a, const char *label, int32_t pid,
                    const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                    struct vt_error *err)
{
    struct range r = {a, label, pid};
    struct vt_space whole = *space;
    whole.tlb = NULL; /* for walking whole */
    uint64_t tables = vt_ram_size(a->target->ram) / VT_PAGE_BYTES / 8 + 1024;
    int rc = vt_space_runs(&whole, from, to, tables, on_run, &r, err);
    return rc == VT_E_LIMIT ? 0 : rc;
}

void vt_answer_objects(struct vt_answering *a, const json_t *rows, const char *key,
                       const char *type)
{
    uint32_t bytes;
    json_t *row;
    size_t i;
    if (vt_answer_kernel(a, NULL) != 0 ||
        vt_kernel_struct_size(a->target->kernel, type, &bytes, NULL) != 0) {
        return;
    }
    json_array_foreach(rows, i, row)
    {
        const struct vt_space *space = vt_kernel_space(a->target->kernel);
        struct vt_gva at = VT_GVA(vt_row_address(row, key));
        struct vt_gpa gpa;
        char label[96];
        const char *name = vt_row_text(row, "name");
        if (at.v >> 63 != 0 && vt_space_translate(space, at, &gpa, NULL) == 0) {
            snprintf(label, sizeof label, "%.60s%s%s", name, name[0] != '\0' ? " " : "", type);
            vt_answer_place(a, label, (int32_t)vt_row_int(row, "pid"), at, gpa, bytes);
        }
    }
}
