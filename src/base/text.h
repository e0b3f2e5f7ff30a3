/* base/text.h - text that comes from a guest or a person: UTF-8, terminal safety, numbers, sizes.
 */
#ifndef VT_BASE_TEXT_H
#define VT_BASE_TEXT_H

#include "vitrine/base.h"

#include <stdio.h>

/** Bytes of the well-formed UTF-8 sequence at `text` (1–4), or 0 when there is none within `bytes`.
 *  Overlong forms, surrogates and values above U+10FFFF are not well-formed. (Unicode 15, 3.9) */
size_t vt_utf8_length(const char *text, size_t bytes);

/** As vt_utf8_length, but 0 also for what steers a terminal or reorders a line instead of showing:
 *  the controls C0, C1 and DEL, the line and paragraph separators U+2028 and U+2029, and the
 *  bidirectional marks, overrides and isolates (U+061C, U+200E, U+200F, U+202A–E, U+2066–9). */
size_t vt_printable_length(const char *text, size_t bytes);

/** Copies `bytes` of guest text into `out` as something safe for a terminal and for one line:
 *  what vt_printable_length refuses becomes \xNN, byte by byte. Always terminated; cut at
 *  `out_bytes` (at least 1) on a character border. Returns the length written. */
size_t vt_text_printable(char *out, size_t out_bytes, const char *text, size_t bytes);

/** An unsigned number: decimal, 0x… or 0…, the whole string, no sign, no blanks. */
int vt_parse_u64(const char *text, uint64_t *value, struct vt_error *err);

/** A size in bytes: a number with an optional K, M, G or T (binary, either case, an "iB" or "B"
 *  after it allowed). */
int vt_parse_bytes(const char *text, uint64_t *bytes, struct vt_error *err);

/** A duration: a number with ns, us, ms, s, m or h; a bare number counts seconds. Result in ns. */
int vt_parse_duration(const char *text, uint64_t *ns, struct vt_error *err);

/** "128 MiB", "4.5 GiB", "1023 B": three significant digits, or a whole number. Returns `out`. */
const char *vt_format_bytes(char *out, size_t out_bytes, uint64_t bytes);

/** The hex dump everyone knows: address, 16 bytes, text. `at` is the address of the first byte. */
void vt_hexdump(FILE *out, uint64_t at, const void *bytes, size_t count);

/** A VM's name: 1–32 of [A-Za-z0-9._-], the first one a letter or digit. */
bool vt_name_is_valid(const char *name);

#endif
