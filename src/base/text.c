/* base/text.c - see text.h. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

size_t vt_utf8_length(const char *text, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    if (bytes == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    size_t n = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
               : (s[0] & 0xf0) == 0xe0        ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || n > bytes) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

size_t vt_printable_length(const char *text, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = vt_utf8_length(text, bytes);
    bool control = false;
    if (n == 1) {
        control = s[0] < 0x20 || s[0] == 0x7f;
    } else if (n == 2) {
        control = (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
    } else if (n == 3 && s[0] == 0xe2) {
        control = (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f)) ||
                  (s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) ||
                  (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
    }
    return control ? 0 : n;
}

size_t vt_text_printable(char *out, size_t out_bytes, const char *text, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes;) {
        size_t n = vt_printable_length(text + i, bytes - i);
        if (n == 0) {
            if (used + 4 >= out_bytes) {
                break;
            }
            used += (size_t)snprintf(out + used, out_bytes - used, "\\x%02x",
                                     (unsigned)(unsigned char)text[i]);
            i++;
            continue;
        }
        if (used + n >= out_bytes) {
            break;
        }
        memcpy(out + used, text + i, n);
        used += n;
        i += n;
    }
    out[used] = '\0';
    return used;
}

/* A number and what follows it. */
static int parse_number(const char *text, uint64_t *value, const char **rest)
{
    if (!isdigit((unsigned char)text[0])) {
        return VT_E_INVAL;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    if (errno != 0 || end == text) {
        return VT_E_INVAL;
    }
    *value = v;
    *rest = end;
    return 0;
}

int vt_parse_u64(const char *text, uint64_t *value, struct vt_error *err)
{
    uint64_t v;
    const char *rest;
    if (parse_number(text, &v, &rest) != 0 || *rest != '\0') {
        return vt_fail(err, VT_E_INVAL, "'%s' is not a number", text);
    }
    *value = v;
    return 0;
}

int vt_parse_bytes(const char *text, uint64_t *bytes, struct vt_error *err)
{
    uint64_t v;
    const char *rest;
    if (parse_number(text, &v, &rest) != 0) {
        return vt_fail(err, VT_E_INVAL, "'%s' is not a size (try 256M or 4G)", text);
    }
    unsigned shift = 0;
    switch (toupper((unsigned char)*rest)) {
    case 'T':
        shift = 40;
        break;
    case 'G':
        shift = 30;
        break;
    case 'M':
        shift = 20;
        break;
    case 'K':
        shift = 10;
        break;
    default:
        break;
    }
    rest += shift != 0;
    bool suffix_ok =
        *rest == '\0' || strcmp(rest, "B") == 0 || (shift != 0 && strcmp(rest, "iB") == 0);
    if (!suffix_ok || (shift != 0 && v > UINT64_MAX >> shift)) {
        return vt_fail(err, VT_E_INVAL, "'%s' is not a size (try 256M or 4G)", text);
    }
    *bytes = v << shift;
    return 0;
}

int vt_parse_duration(const char *text, uint64_t *ns, struct vt_error *err)
{
    static const struct {
        const char *suffix;
        uint64_t scale;
    } units[] = {{"ns", 1},         {"us", 1000},       {"ms", 1000000},     {"", 1000000000},
                 {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    uint64_t v;
    const char *rest;
    if (parse_number(text, &v, &rest) == 0) {
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (strcmp(rest, units[i].suffix) == 0 && v <= UINT64_MAX / units[i].scale) {
                *ns = v * units[i].scale;
                return 0;
            }
        }
    }
    return vt_fail(err, VT_E_INVAL, "'%s' is not a duration (try 500ms or 10s)", text);
}

const char *vt_format_bytes(char *out, size_t out_bytes, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double v = (double)bytes;
    while (v >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]) {
        v /= 1024;
        unit++;
    }
    snprintf(out, out_bytes, v >= 100 ? "%.0f %s" : "%.3g %s", v, units[unit]);
    return out;
}

void vt_hexdump(FILE *out, uint64_t at, const void *bytes, size_t count)
{
    const unsigned char *b = bytes;
    for (size_t row = 0; row < count; row += 16) {
        size_t n = count - row < 16 ? count - row : 16;
        fprintf(out, "%016" PRIx64 " ", at + row);
        for (size_t i = 0; i < 16; i++) {
            const char *gap = i == 8 ? "  " : " ";
            if (i < n) {
                fprintf(out, "%s%02x", gap, b[row + i]);
            } else {
                fprintf(out, "%s  ", gap);
            }
        }
        fputs("  |", out);
        for (size_t i = 0; i < n; i++) {
            unsigned char ch = b[row + i];
            fputc(ch >= 0x20 && ch < 0x7f ? ch : '.', out);
        }
        fputs("|\n", out);
    }
}

bool vt_name_is_valid(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > 32 || !isalnum((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)name[i];
        if (ch >= 0x80 || (!isalnum(ch) && strchr("._-", ch) == NULL)) {
            return false;
        }
    }
    return true;
}
