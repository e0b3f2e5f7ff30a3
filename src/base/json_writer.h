/* base/json_writer.h - a streaming JSON writer, shared by CLI, audit log, HTTP and MCP.
 *
 * Writes to a FILE the caller owns. Commas, nesting, escaping and indentation are its business; the
 * order of calls is the caller's (asserted). Text that is not UTF-8 is written with U+FFFD for each
 * bad byte, so the output is always valid JSON whatever a guest put into a name. Addresses go out
 * as "0x…" strings: numbers above 2^53 do not survive JavaScript. Write errors stay in ferror(out).
 */
#ifndef VT_BASE_JSON_WRITER_H
#define VT_BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VT_JSON_DEPTH_MAX 32

struct vt_json_writer {
    FILE *out;
    bool pretty;    /* two-space indentation and newlines; else one line */
    bool after_key; /* a key was written, its value comes next */
    unsigned depth; /* open objects and arrays */
    bool has_item[VT_JSON_DEPTH_MAX + 1];
    bool is_object[VT_JSON_DEPTH_MAX + 1];
};

void vt_json_init(struct vt_json_writer *w, FILE *out, bool pretty);
/** Ends the document with a newline; every object and array must be closed. */
void vt_json_finish(struct vt_json_writer *w);

void vt_json_object(struct vt_json_writer *w);
void vt_json_object_end(struct vt_json_writer *w);
void vt_json_array(struct vt_json_writer *w);
void vt_json_array_end(struct vt_json_writer *w);
/** The next member's name; only inside an object. */
void vt_json_key(struct vt_json_writer *w, const char *key);

void vt_json_string(struct vt_json_writer *w, const char *text);
void vt_json_string_n(struct vt_json_writer *w, const char *text, size_t bytes);
void vt_json_u64(struct vt_json_writer *w, uint64_t value);
void vt_json_i64(struct vt_json_writer *w, int64_t value);
/** Shortest form with up to `digits` significant digits; NaN and infinities become null. */
void vt_json_f64(struct vt_json_writer *w, double value, int digits);
void vt_json_bool(struct vt_json_writer *w, bool value);
void vt_json_null(struct vt_json_writer *w);
/** An address: "0x…" in lower case without leading zeros. */
void vt_json_hex(struct vt_json_writer *w, uint64_t value);

/* key + value in one step */
void vt_json_kv_string(struct vt_json_writer *w, const char *key, const char *text);
void vt_json_kv_u64(struct vt_json_writer *w, const char *key, uint64_t value);
void vt_json_kv_i64(struct vt_json_writer *w, const char *key, int64_t value);
void vt_json_kv_f64(struct vt_json_writer *w, const char *key, double value, int digits);
void vt_json_kv_bool(struct vt_json_writer *w, const char *key, bool value);
void vt_json_kv_hex(struct vt_json_writer *w, const char *key, uint64_t value);

#endif
