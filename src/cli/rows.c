/* cli/rows.c - rows out: an aligned table, or one JSON array of objects. See cli.h.
 *
 * The table is held back until the end, because a column is as wide as its widest cell; JSON goes
 * out row by row.
 */
#include "cli/cli.h"

#include "base/cell.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct vt_rows {
    FILE *out;
    const struct vt_column *columns;
    unsigned n_columns;
    unsigned at; /* the column the next cell belongs to */
    bool json, in_object, ended;
    struct vt_json_writer writer;
    char **cells; /* table: n_columns texts a row */
    size_t n_cells, room;
    bool out_of_memory;
};

int vt_rows_create(const struct vt_args *args, const struct vt_column *columns, unsigned n,
                   struct vt_rows **rows, struct vt_error *err)
{
    return vt_rows_create_in(args, NULL, columns, n, rows, err);
}

int vt_rows_create_in(const struct vt_args *args, const char *member,
                      const struct vt_column *columns, unsigned n, struct vt_rows **rows,
                      struct vt_error *err)
{
    const struct vt_output to = {stdout, vt_args_json(args), vt_args_pretty(args)};
    return vt_rows_create_to(&to, member, columns, n, rows, err);
}

int vt_rows_create_to(const struct vt_output *to, const char *member,
                      const struct vt_column *columns, unsigned n, struct vt_rows **rows,
                      struct vt_error *err)
{
    assert(n > 0);
    struct vt_rows *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "output: out of memory");
    }
    *r = (struct vt_rows){.out = to->out, .columns = columns, .n_columns = n, .json = to->json};
    if (r->json) {
        vt_json_init(&r->writer, to->out, to->pretty);
        r->in_object = member != NULL;
        if (r->in_object) {
            vt_json_object(&r->writer);
            vt_json_key(&r->writer, member);
        }
        vt_json_array(&r->writer);
    }
    *rows = r;
    return 0;
}

struct vt_json_writer *vt_rows_members(struct vt_rows *r)
{
    assert(r->at == 0 && (!r->json || r->in_object));
    if (!r->json) {
        return NULL;
    }
    if (!r->ended) {
        vt_json_array_end(&r->writer);
        r->ended = true;
    }
    return &r->writer;
}

/* Steps to the next cell; opens and closes the JSON object around a row. */
static const struct vt_column *next_column(struct vt_rows *r)
{
    const struct vt_column *c = &r->columns[r->at];
    if (r->json) {
        if (r->at == 0) {
            vt_json_object(&r->writer);
        }
        vt_json_key(&r->writer, c->key);
    }
    r->at = (r->at + 1) % r->n_columns;
    return c;
}

static void end_cell(struct vt_rows *r)
{
    if (r->json && r->at == 0) {
        vt_json_object_end(&r->writer);
    }
}

static void hold(struct vt_rows *r, const char *text)
{
    if (r->n_cells == r->room) {
        size_t room = r->room == 0 ? 256 : r->room * 2;
        char **cells = realloc(r->cells, room * sizeof *cells);
        if (cells == NULL) {
            r->out_of_memory = true;
            return;
        }
        r->cells = cells;
        r->room = room;
    }
    char *copy = strdup(text);
    r->out_of_memory |= copy == NULL;
    r->cells[r->n_cells++] = copy;
}

void vt_cell_text(struct vt_rows *r, const char *text)
{
    assert(r->columns[r->at].kind == VT_CELL_TEXT || r->columns[r->at].kind == VT_CELL_CHARS);
    next_column(r);
    if (r->json) {
        vt_json_string(&r->writer, text);
    } else if (text == NULL) {
        hold(r, "-");
    } else {
        char safe[4096];
        vt_text_printable(safe, sizeof safe, text, strlen(text));
        hold(r, safe);
    }
    end_cell(r);
}

void vt_cell_formatted(struct vt_rows *r, const char *text)
{
    assert(!r->json);
    next_column(r);
    hold(r, text);
}

void vt_cell_u64(struct vt_rows *r, uint64_t value)
{
    const struct vt_column *c = next_column(r);
    char text[64];
    switch (c->kind) {
    case VT_CELL_HEX:
        if (r->json) {
            vt_json_hex(&r->writer, value);
        }
        snprintf(text, sizeof text, "0x%" PRIx64, value);
        break;
    case VT_CELL_SECONDS:
        if (r->json) {
            vt_json_f64(&r->writer, (double)value / 1e9, 15);
        }
        snprintf(text, sizeof text, "%.*f", c->digits == 0 ? 1 : c->digits, (double)value / 1e9);
        break;
    case VT_CELL_BYTES:
        if (r->json) {
            vt_json_u64(&r->writer, value);
        }
        vt_format_bytes(text, sizeof text, value);
        break;
    default:
        assert(c->kind == VT_CELL_U64);
        if (r->json) {
            vt_json_u64(&r->writer, value);
        }
        snprintf(text, sizeof text, "%" PRIu64, value);
        break;
    }
    if (!r->json) {
        hold(r, text);
    }
    end_cell(r);
}

void vt_cell_i64(struct vt_rows *r, int64_t value)
{
    assert(r->columns[r->at].kind == VT_CELL_I64);
    next_column(r);
    if (r->json) {
        vt_json_i64(&r->writer, value);
    } else {
        char text[32];
        snprintf(text, sizeof text, "%" PRId64, value);
        hold(r, text);
    }
    end_cell(r);
}

void vt_cell_f64(struct vt_rows *r, double value)
{
    const struct vt_column *c = next_column(r);
    assert(c->kind == VT_CELL_F64);
    if (r->json) {
        vt_json_f64(&r->writer, value, 6);
    } else {
        char text[64];
        snprintf(text, sizeof text, "%.*f", c->digits == 0 ? 1 : c->digits, value);
        hold(r, text);
    }
    end_cell(r);
}

void vt_cell_bool(struct vt_rows *r, bool value)
{
    assert(r->columns[r->at].kind == VT_CELL_BOOL);
    next_column(r);
    if (r->json) {
        vt_json_bool(&r->writer, value);
    } else {
        hold(r, value ? "yes" : "no");
    }
    end_cell(r);
}

void vt_cell_none(struct vt_rows *r)
{
    next_column(r);
    if (r->json) {
        vt_json_null(&r->writer);
    } else {
        hold(r, "-");
    }
    end_cell(r);
}

void vt_cell_record(struct vt_rows *r, const void *record, unsigned n)
{
    for (; n > 0; n--) {
        struct vt_value v = vt_cell_value(&r->columns[r->at], record);
        switch (v.type) {
        case VT_VALUE_NONE:
            vt_cell_none(r);
            break;
        case VT_VALUE_TEXT:
            vt_cell_text(r, v.text);
            break;
        case VT_VALUE_U64:
            vt_cell_u64(r, v.u64);
            break;
        case VT_VALUE_I64:
            vt_cell_i64(r, v.i64);
            break;
        case VT_VALUE_F64:
            vt_cell_f64(r, v.f64);
            break;
        case VT_VALUE_BOOL:
            vt_cell_bool(r, v.boolean);
            break;
        }
    }
}

/* Columns on a terminal, counting a UTF-8 sequence as one. */
static int width(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static bool is_left(enum vt_cell_kind kind)
{
    return kind == VT_CELL_TEXT || kind == VT_CELL_CHARS || kind == VT_CELL_BOOL;
}

/* `widest`: room for the width of each column. */
static void print_table(const struct vt_rows *r, int *widest)
{
    size_t n_rows = r->n_cells / r->n_columns;
    unsigned last = 0; /* the last shown column is not padded on its right */
    for (unsigned c = 0; c < r->n_columns; c++) {
        if (r->columns[c].title == NULL) {
            continue;
        }
        last = c;
        widest[c] = width(r->columns[c].title);
        for (size_t i = 0; i < n_rows; i++) {
            int w = width(r->cells[i * r->n_columns + c]);
            widest[c] = w > widest[c] ? w : widest[c];
        }
    }
    for (size_t row = 0; row <= n_rows; row++) {
        const char *gap = "";
        for (unsigned c = 0; c < r->n_columns; c++) {
            if (r->columns[c].title == NULL) {
                continue;
            }
            const char *text =
                row == 0 ? r->columns[c].title : r->cells[(row - 1) * r->n_columns + c];
            bool left = is_left(r->columns[c].kind);
            int pad = widest[c] - width(text);
            fprintf(r->out, "%s%*s%s%*s", gap, left ? 0 : pad, "", text,
                    left && c != last ? pad : 0, "");
            gap = "  ";
        }
        fputc('\n', r->out);
    }
}

/* "| head" has seen enough: that is no news. */
static bool reader_is_gone(FILE *out)
{
    struct pollfd fd = {.fd = fileno(out), .events = POLLOUT};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR) != 0;
}

int vt_output_finish(FILE *out)
{
    bool failed_before = ferror(out);
    if (fflush(out) == 0 && !failed_before) {
        return VT_EXIT_OK;
    }
    const char *why = failed_before ? "an earlier write failed" : strerror(errno);
    if (!reader_is_gone(out)) {
        fprintf(stderr, "vitrine: writing output: %s\n", why);
    }
    return VT_EXIT_FAILED;
}

int vt_rows_finish(struct vt_rows *r)
{
    int result = VT_EXIT_OK;
    int *widest = calloc(r->n_columns, sizeof *widest);
    assert(r->at == 0);
    if (r->json) {
        if (r->in_object) {
            vt_rows_members(r);
            vt_json_object_end(&r->writer);
        } else {
            vt_json_array_end(&r->writer);
        }
        vt_json_finish(&r->writer);
    } else if (r->out_of_memory || widest == NULL) {
        fputs("vitrine: out of memory\n", stderr);
        result = VT_EXIT_FAILED;
    } else {
        print_table(r, widest);
    }
    int written = vt_output_finish(r->out);
    result = result == VT_EXIT_OK ? written : result;
    for (size_t i = 0; i < r->n_cells; i++) {
        free(r->cells[i]);
    }
    free(r->cells);
    free(widest);
    free(r);
    return result;
}
