/* base/json_writer.c - see json_writer.h. */
#include "base/json_writer.h"

#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void vt_json_init(struct vt_json_writer *w, FILE *out, bool pretty)
{
    *w = (struct vt_json_writer){.out = out, .pretty = pretty};
}

void vt_json_finish(struct vt_json_writer *w)
{
    assert(w->depth == 0 && !w->after_key);
    fputc('\n', w->out);
}

static void newline(struct vt_json_writer *w)
{
    if (w->pretty) {
        fprintf(w->out, "\n%*s", (int)(2 * w->depth), "");
    }
}

/* What stands before any value: nothing after a key, else a comma where there was an item. */
static void before_value(struct vt_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    assert(w->depth == 0 || !w->is_object[w->depth]);
    if (w->depth > 0) {
        if (w->has_item[w->depth]) {
            fputc(',', w->out);
        }
        newline(w);
    }
    w->has_item[w->depth] = true;
}

static void open_scope(struct vt_json_writer *w, bool object)
{
    before_value(w);
    assert(w->depth < VT_JSON_DEPTH_MAX);
    w->depth++;
    w->has_item[w->depth] = false;
    w->is_object[w->depth] = object;
    fputc(object ? '{' : '[', w->out);
}

static void close_scope(struct vt_json_writer *w, bool object)
{
    assert(w->depth > 0 && w->is_object[w->depth] == object && !w->after_key);
    bool had = w->has_item[w->depth];
    w->depth--;
    if (had) {
        newline(w);
    }
    fputc(object ? '}' : ']', w->out);
}

void vt_json_object(struct vt_json_writer *w)
{
    open_scope(w, true);
}

void vt_json_object_end(struct vt_json_writer *w)
{
    close_scope(w, true);
}

void vt_json_array(struct vt_json_writer *w)
{
    open_scope(w, false);
}

void vt_json_array_end(struct vt_json_writer *w)
{
    close_scope(w, false);
}

static void quoted(struct vt_json_writer *w, const char *text, size_t bytes)
{
    fputc('"', w->out);
    for (size_t i = 0; i < bytes;) {
        unsigned char ch = (unsigned char)text[i];
        if (ch >= 0x80) {
            size_t n = vt_utf8_length(text + i, bytes - i);
            if (n == 0) {
                fputs("\xef\xbf\xbd", w->out);
                i++;
            } else {
                fwrite(text + i, 1, n, w->out);
                i += n;
            }
            continue;
        }
        static const char short_escape[] = "btn.fr"; /* 0x08 … 0x0d; 0x0b has none */
        if (ch == '"' || ch == '\\') {
            fprintf(w->out, "\\%c", ch);
        } else if (ch >= 0x08 && ch <= 0x0d && ch != 0x0b) {
            fprintf(w->out, "\\%c", short_escape[ch - 0x08]);
        } else if (ch < 0x20 || ch == 0x7f) {
            fprintf(w->out, "\\u%04x", ch);
        } else {
            fputc(ch, w->out);
        }
        i++;
    }
    fputc('"', w->out);
}

void vt_json_key(struct vt_json_writer *w, const char *key)
{
    assert(w->depth > 0 && w->is_object[w->depth] && !w->after_key);
    if (w->has_item[w->depth]) {
        fputc(',', w->out);
    }
    newline(w);
    w->has_item[w->depth] = true;
    quoted(w, key, strlen(key));
    fputs(w->pretty ? ": " : ":", w->out);
    w->after_key = true;
}

void vt_json_string_n(struct vt_json_writer *w, const char *text, size_t bytes)
{
    before_value(w);
    quoted(w, text, bytes);
}

void vt_json_string(struct vt_json_writer *w, const char *text)
{
    if (text == NULL) {
        vt_json_null(w);
        return;
    }
    vt_json_string_n(w, text, strlen(text));
}

void vt_json_u64(struct vt_json_writer *w, uint64_t value)
{
    before_value(w);
    fprintf(w->out, "%" PRIu64, value);
}

void vt_json_i64(struct vt_json_writer *w, int64_t value)
{
    before_value(w);
    fprintf(w->out, "%" PRId64, value);
}

void vt_json_f64(struct vt_json_writer *w, double value, int digits)
{
    if (!isfinite(value)) {
        vt_json_null(w);
        return;
    }
    before_value(w);
    fprintf(w->out, "%.*g", digits, value);
}

void vt_json_bool(struct vt_json_writer *w, bool value)
{
    before_value(w);
    fputs(value ? "true" : "false", w->out);
}

void vt_json_null(struct vt_json_writer *w)
{
    before_value(w);
    fputs("null", w->out);
}

void vt_json_hex(struct vt_json_writer *w, uint64_t value)
{
    before_value(w);
    fprintf(w->out, "\"0x%" PRIx64 "\"", value);
}

void vt_json_kv_string(struct vt_json_writer *w, const char *key, const char *text)
{
    vt_json_key(w, key);
    vt_json_string(w, text);
}

void vt_json_kv_u64(struct vt_json_writer *w, const char *key, uint64_t value)
{
    vt_json_key(w, key);
    vt_json_u64(w, value);
}

void vt_json_kv_i64(struct vt_json_writer *w, const char *key, int64_t value)
{
    vt_json_key(w, key);
    vt_json_i64(w, value);
}

void vt_json_kv_f64(struct vt_json_writer *w, const char *key, double value, int digits)
{
    vt_json_key(w, key);
    vt_json_f64(w, value, digits);
}

void vt_json_kv_bool(struct vt_json_writer *w, const char *key, bool value)
{
    vt_json_key(w, key);
    vt_json_bool(w, value);
}

void vt_json_kv_hex(struct vt_json_writer *w, const char *key, uint64_t value)
{
    vt_json_key(w, key);
    vt_json_hex(w, value);
}
