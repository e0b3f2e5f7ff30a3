/* guests/card/report.c - lines on the serial port: one JSON object each, nothing else in it.
 *
 * A report that a trap interrupts is left as it is, and the trap's begins on a new line.
 */
#include "card.h"

static bool open;

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    while (n > 0) {
        arch_put(digits[--n]);
    }
}

static void put_text(const char *text)
{
    for (; *text; text++) {
        arch_put(*text);
    }
}

/* Bytes of the well-formed UTF-8 character at `text` that is not ASCII; 0: there is none. */
static unsigned character(const char *text)
{
    unsigned char c = (unsigned char)*text;
    unsigned n = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe1 && c < 0xf0 ? 3 : 0;

    for (unsigned i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

static void put_quoted(const char *text)
{
    arch_put('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        unsigned n = character(text);

        if (n > 0) {
            for (; n > 1; n--) {
                arch_put(*text++);
            }
            arch_put(*text);
        } else if (c < ' ' || c >= 127) {
            put_text("\\u00");
            arch_put("0123456789abcdef"[c >> 4]);
            arch_put("0123456789abcdef"[c & 15]);
        } else {
            if (c == '"' || c == '\\') {
                arch_put('\\');
            }
            arch_put((char)c);
        }
    }
    arch_put('"');
}

static void put_key(const char *key)
{
    put_text(", ");
    put_quoted(key);
    put_text(": ");
}

void report_begin(const char *event)
{
    if (open) {
        arch_put('\n');
    }
    open = true;
    put_text("{\"event\": ");
    put_quoted(event);
}

void report_text(const char *key, const char *value)
{
    put_key(key);
    put_quoted(value);
}

void report_number(const char *key, uint64_t value)
{
    put_key(key);
    put_number(value, 10);
}

void report_address(const char *key, uint64_t value)
{
    put_key(key);
    put_text("\"0x");
    put_number(value, 16);
    arch_put('"');
}

void report_truth(const char *key, bool value)
{
    put_key(key);
    put_text(value ? "true" : "false");
}

void report_end(void)
{
    put_text("}\n");
    open = false;
}
