/* semantic/question_words.c - a question's bytes as words. See question.h.
 *
 * A person's typing is forgiven: curly quotes, "pid=42", "22/tcp", ":8080", "what's". What only
 * stands in code or SQL becomes junk, which no rule explains.
 */
#include "semantic/question.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool is_word_byte(char c)
{
    return is_letter(c) || isdigit((unsigned char)c) || c == '_';
}

/* The texts of a word stay in the store; when it is full the question was absurd anyway. */
static const char *keep(struct vt_words *words, const char *text, size_t bytes, bool lower)
{
    if (bytes >= sizeof words->store - words->used) {
        words->cut = true;
        return "";
    }
    char *to = words->store + words->used;
    for (size_t i = 0; i < bytes; i++) {
        to[i] = lower ? (char)tolower((unsigned char)text[i]) : text[i];
    }
    to[bytes] = '\0';
    words->used += bytes + 1;
    return to;
}

const char *vt_words_keep(struct vt_words *words, const char *text, size_t bytes)
{
    return keep(words, text, bytes, true);
}

static struct vt_word *add(struct vt_words *words, enum vt_word_kind kind, const char *text,
                           size_t bytes)
{
    if (words->n >= VT_WORDS_MAX) {
        words->cut = true;
        return &words->at[VT_WORDS_MAX];
    }
    struct vt_word *word = &words->at[words->n++];
    *word = (struct vt_word){.kind = kind};
    word->raw = keep(words, text, bytes, false);
    word->text = keep(words, text, bytes, true);
    return word;
}

static void add_plain(struct vt_words *words, const char *text)
{
    add(words, VT_WORD_PLAIN, text, strlen(text));
}

static bool among(const char *list, const char *text, size_t bytes)
{
    for (const char *p = list; *p != '\0';) {
        size_t length = strcspn(p, "|");
        if (length == bytes && strncasecmp(p, text, bytes) == 0) {
            return true;
        }
        p += length + (p[length] == '|');
    }
    return false;
}

/* ---------------------------------------------------------------- numbers and what begins so */

static bool number_of(const char *text, size_t bytes, int base, uint64_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned digit = isdigit((unsigned char)text[i])
                             ? (unsigned)(text[i] - '0')
                             : (unsigned)(tolower((unsigned char)text[i]) - 'a' + 10);
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *number = value;
    return bytes > 0;
}

static size_t span(const char *text, size_t bytes, int (*is)(int))
{
    size_t n = 0;
    while (n < bytes && is((unsigned char)text[n])) {
        n++;
    }
    return n;
}

/* "10.0.0.2", "fe80::1", "::1". */
static bool is_host(const char *text, size_t bytes)
{
    unsigned dots = 0, colons = 0, digits = 0;
    for (size_t i = 0; i < bytes; i++) {
        dots += text[i] == '.';
        colons += text[i] == ':';
        digits += isdigit((unsigned char)text[i]) != 0;
        if (text[i] != '.' && text[i] != ':' && !isxdigit((unsigned char)text[i])) {
            return false;
        }
    }
    if (colons == 0) {
        return dots == 3 && digits + dots == bytes && text[bytes - 1] != '.';
    }
    return dots == 0 && (strncmp(text, "::", 2) == 0 || colons >= 2) && digits > 0 &&
           memmem(text, bytes, "::", 2) != NULL;
}

/* "10:30", "10:30:15", "3pm", "10:30pm": seconds since midnight. */
static bool clock_of(const char *text, size_t bytes, uint64_t *seconds)
{
    bool pm = bytes > 2 && among("pm", text + bytes - 2, 2);
    bool half = pm || (bytes > 2 && among("am", text + bytes - 2, 2));
    const char *end = text + bytes - (half ? 2 : 0);
    uint64_t parts[3] = {0};
    unsigned n = 0;
    for (const char *p = text; p < end; n++) {
        size_t digits = span(p, (size_t)(end - p), isdigit);
        if (n == 3 || digits > 2 || (n > 0 && digits != 2) ||
            !number_of(p, digits, 10, &parts[n])) {
            return false;
        }
        p += digits;
        if (p < end) { /* a colon, and something behind it */
            if (*p != ':' || p + 1 == end) {
                return false;
            }
            p++;
        }
    }
    if (n == 0 || (n == 1 && !half) || parts[0] > (half ? 12 : 23) || (half && parts[0] == 0) ||
        parts[1] > 59 || parts[2] > 59) {
        return false;
    }
    uint64_t hours = half ? parts[0] % 12 + (pm ? 12 : 0) : parts[0];
    *seconds = hours * 3600 + parts[1] * 60 + parts[2];
    return true;
}

/* Whether it was one. Bytes of a run without blanks and sentence marks. */
static bool add_numeric(struct vt_words *words, const char *text, size_t bytes)
{
    uint64_t number;
    size_t digits = span(text, bytes, isdigit);
    size_t hex = span(text, bytes, isxdigit);
    if (is_host(text, bytes)) {
        add(words, VT_WORD_HOST, text, bytes);
        return true;
    }
    if (clock_of(text, bytes, &number)) {
        add(words, VT_WORD_CLOCK, text, bytes)->number = number;
        return true;
    }
    const char *colon = memchr(text, ':', bytes);
    if (colon != NULL && is_host(text, (size_t)(colon - text)) &&
        span(colon + 1, (size_t)(text + bytes - colon - 1), isdigit) ==
            (size_t)(text + bytes - colon - 1) &&
        number_of(colon + 1, (size_t)(text + bytes - colon - 1), 10, &number)) {
        add(words, VT_WORD_HOST, text, (size_t)(colon - text));
        add_plain(words, "port");
        add(words, VT_WORD_NUMBER, colon + 1, (size_t)(text + bytes - colon - 1))->number = number;
        return true;
    }
    if (bytes > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        if (span(text + 2, bytes - 2, isxdigit) != bytes - 2 ||
            !number_of(text + 2, bytes - 2, 16, &number)) {
            return false;
        }
        add(words, VT_WORD_ADDRESS, text, bytes)->number = number;
        return true;
    }
    if (hex == bytes && digits < bytes && bytes >= 12 && bytes <= 16 &&
        number_of(text, bytes, 16, &number)) {
        add(words, VT_WORD_ADDRESS, text, bytes)->number = number;
        return true;
    }
    if (digits == bytes && number_of(text, bytes, 10, &number)) {
        add(words, VT_WORD_NUMBER, text, bytes)->number = number;
        return true;
    }
    if (digits > 0 && digits < bytes && number_of(text, digits, 10, &number) &&
        among("k|m|g|kb|mb|gb|tb|kib|mib|gib|tib", text + digits, bytes - digits) &&
        !(bytes - digits == 1 && text[digits] == 'm')) {
        char unit = (char)tolower((unsigned char)text[digits]);
        add(words, VT_WORD_NUMBER, text, digits)->number = number;
        add_plain(words, unit == 'k' ? "kib" : unit == 'm' ? "mib" : unit == 'g' ? "gib" : "tib");
        return true;
    }
    if (digits > 0 && !among("2d|3d", text, bytes) &&
        among("s|m|h|d|sec|secs|min|mins|hr|hrs", text + digits, bytes - digits) &&
        number_of(text, digits, 10, &number)) {
        add(words, VT_WORD_NUMBER, text, digits)->number = number;
        /* "m" and its like are units only here. */
        char unit = (char)tolower((unsigned char)text[digits]);
        add_plain(words, unit == 's'   ? "second"
                         : unit == 'm' ? "minute"
                         : unit == 'h' ? "hour"
                                       : "day");
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- words */

static void add_word(struct vt_words *words, const char *text, size_t bytes);

/* "what's", "isn't", "processes'": what stands before the apostrophe, then what it stands for. */
static bool add_contracted(struct vt_words *words, const char *text, size_t bytes)
{
    const char *mark = memchr(text, '\'', bytes);
    if (mark == NULL || mark == text) {
        return false;
    }
    size_t before = (size_t)(mark - text);
    const char *after = mark + 1;
    size_t rest = bytes - before - 1;
    if (rest == 1 && tolower((unsigned char)*after) == 't' && before > 1 &&
        tolower((unsigned char)mark[-1]) == 'n') {
        if (before > 1 && !among("can|won|ain", text, before)) {
            add(words, VT_WORD_PLAIN, text, before - 1);
        }
        add_plain(words, "not");
        return true;
    }
    add_word(words, text, before);
    if (among("s", after, rest) &&
        among("what|who|where|when|how|that|there|it|here|which|why", text, before)) {
        add_plain(words, "is");
    } else if (among("s|", after, rest) || rest == 0) {
        add_plain(words, "'s");
    } else if (among("re", after, rest)) {
        add_plain(words, "are");
    } else if (among("ed", after, rest)) {
        return true; /* "vmalloc'ed" */
    } else if (among("ve|d|ll|m", after, rest)) {
        add_plain(words, "have");
    } else {
        add(words, VT_WORD_PLAIN, after, rest);
    }
    return true;
}

static bool is_symbol(const char *text, size_t bytes)
{
    if (isdigit((unsigned char)text[0]) || memchr(text, '_', bytes) == NULL) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') {
            return false;
        }
    }
    return true;
}

static bool add_keyed_number(struct vt_words *words, const char *text, size_t bytes)
{
    static const char keys[] = "pid|port|uid|tid|process|proc|task";
    size_t letters = span(text, bytes, isalpha);
    size_t mark = letters < bytes && strchr("=:#", text[letters]) != NULL;
    uint64_t number;
    if (letters == 0 || letters + mark >= bytes || !among(keys, text, letters) ||
        span(text + letters + mark, bytes - letters - mark, isdigit) != bytes - letters - mark ||
        !number_of(text + letters + mark, bytes - letters - mark, 10, &number)) {
        return false;
    }
    add(words, VT_WORD_PLAIN, text, letters);
    add(words, VT_WORD_NUMBER, text + letters + mark, bytes - letters - mark)->number = number;
    return true;
}

/* "tcp/udp", "22/tcp", "tcp/22"; but "kworker/0:1" and "ksoftirqd/0" are names. */
static bool add_divided(struct vt_words *words, const char *text, size_t bytes)
{
    const char *slash = memchr(text, '/', bytes);
    if (slash == NULL) {
        return false;
    }
    size_t before = (size_t)(slash - text), after = bytes - before - 1;
    uint64_t number;
    if (before > 0 && span(text, before, isdigit) == before && after > 0 &&
        span(slash + 1, after, isalpha) == after && number_of(text, before, 10, &number)) {
        add(words, VT_WORD_NUMBER, text, before)->number = number;
        add(words, VT_WORD_PLAIN, slash + 1, after);
        return true;
    }
    if (among("tcp|udp", text, before) && after > 0 && span(slash + 1, after, isdigit) == after &&
        number_of(slash + 1, after, 10, &number)) {
        add(words, VT_WORD_PLAIN, text, before);
        add(words, VT_WORD_NUMBER, slash + 1, after)->number = number;
        return true;
    }
    if (before > 0 && after > 0 && span(text, before, isalpha) == before &&
        span(slash + 1, after, isalpha) == after) {
        add(words, VT_WORD_PLAIN, text, before);
        add(words, VT_WORD_COMMA, "/", 1);
        add(words, VT_WORD_PLAIN, slash + 1, after);
        return true;
    }
    return false;
}

/* "page-tables" is two words, "sshd-session" and "user www-data" have one. */
static bool add_hyphened(struct vt_words *words, const char *text, size_t bytes)
{
    const struct vt_role *role;
    char part[VT_QUESTION_MAX + 1];
    bool of_user = words->n > 0 && strcmp(words->at[words->n - 1].text, "user") == 0;
    if (memchr(text, '-', bytes) == NULL || of_user) {
        return false;
    }
    memcpy(part, text, bytes);
    part[bytes] = '\0';
    for (size_t i = 0; i < bytes; i++) {
        part[i] = (char)tolower((unsigned char)part[i]);
    }
    if (vt_lexicon_knows(part) || vt_program_find(part, &role) != NULL) {
        return false;
    }
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t at = 0; at < bytes;) {
            size_t length = strcspn(text + at, "-");
            length = at + length > bytes ? bytes - at : length;
            if (pass == 1) {
                add(words, VT_WORD_PLAIN, text + at, length);
            } else {
                part[at + length] = '\0';
                if (length == 0 || !vt_lexicon_knows(part + at)) {
                    return false;
                }
            }
            at += length + 1;
        }
    }
    return true;
}

/* What follows "called" is a name, whatever it looks like. */
static bool is_named(const struct vt_words *words)
{
    const char *before = words->n > 0 ? words->at[words->n - 1].text : "";
    return strcmp(before, "called") == 0 || strcmp(before, "named") == 0;
}

static void add_word(struct vt_words *words, const char *text, size_t bytes)
{
    if (is_named(words) && memchr(text, '\'', bytes) == NULL) {
        add(words, VT_WORD_PLAIN, text, bytes);
        return;
    }
    if (add_numeric(words, text, bytes) || add_keyed_number(words, text, bytes) ||
        add_contracted(words, text, bytes) || add_divided(words, text, bytes) ||
        add_hyphened(words, text, bytes)) {
        return;
    }
    if (is_symbol(text, bytes)) {
        add(words, VT_WORD_SYMBOL, text, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (!is_word_byte(text[i]) && strchr("-.+/:@", text[i]) == NULL) {
            add(words, VT_WORD_JUNK, text, bytes);
            return;
        }
    }
    add(words, VT_WORD_PLAIN, text, bytes);
}

/* ---------------------------------------------------------------- the question */

/* Typographic marks as the plain ones; returns the bytes. `out` holds VT_QUESTION_MAX + 1. */
static size_t plain_marks(char *out, const char *text)
{
    static const struct {
        const char *fancy;
        char plain;
    } marks[] = {
        {"\xe2\x80\x98", '\''}, {"\xe2\x80\x99", '\''}, {"\xe2\x80\x9c", '"'},
        {"\xe2\x80\x9d", '"'},  {"\xe2\x80\xa6", '.'},  {"\xe2\x80\x93", ','},
        {"\xe2\x80\x94", ','},  {"\xc2\xa0", ' '},      {"\xc2\xb4", '\''},
    };
    size_t n = 0;
    while (*text != '\0') {
        bool found = false;
        for (size_t i = 0; !found && i < sizeof marks / sizeof *marks; i++) {
            size_t bytes = strlen(marks[i].fancy);
            if (strncmp(text, marks[i].fancy, bytes) == 0) {
                out[n++] = marks[i].plain;
                text += bytes;
                found = true;
            }
        }
        if (!found) {
            out[n++] = *text++;
        }
    }
    out[n] = '\0';
    return n;
}

static bool ends_word(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr("?!,;\"", c) != NULL;
}

/* The closing quote for the one at `p`, or NULL. */
static const char *closing(const char *p)
{
    for (const char *q = p + 1; *q != '\0'; q++) {
        if (*q == *p && q > p + 1 && !is_word_byte(q[1])) {
            return q;
        }
    }
    return NULL;
}

/* A run up to a blank or a mark that ends a word, without what closes a sentence. */
static size_t run_of(const char *p)
{
    size_t n = 0;
    while (!ends_word(p[n]) && p[n] != '(' && p[n] != ')' && p[n] != '[' && p[n] != ']') {
        n++;
    }
    while (n > 0 && (p[n - 1] == '.' || (p[n - 1] == ':' && n > 1 && p[n - 2] != ':'))) {
        n--;
    }
    return n;
}

static const char *take_mark(struct vt_words *words, const char *p)
{
    switch (*p) {
    case '?':
    case '!':
    case '.':
    case ';':
        add(words, VT_WORD_STOP, p, 1);
        return p + 1;
    case ',':
    case ')':
    case ']':
    case '(':
    case '[':
        add(words, VT_WORD_COMMA, p, 1);
        return p + 1;
    case '&':
        add_plain(words, "and");
        return p + 1;
    default:
        add(words, VT_WORD_JUNK, p, 1);
        return p + 1;
    }
}

static const char *take_word(struct vt_words *words, const char *p)
{
    size_t bytes = run_of(p);
    unsigned before = words->n;
    add_word(words, p, bytes);
    p += bytes;
    if (strncmp(p, "()", 2) == 0 && words->n == before + 1 && is_word_byte(p[-1])) {
        words->at[before].kind = VT_WORD_SYMBOL;
        return p + 2;
    }
    if ((*p == '(' || *p == '[') && words->n > before) {
        words->at[words->n - 1].kind = VT_WORD_JUNK;
    }
    return p;
}

static const char *take_path(struct vt_words *words, const char *p)
{
    size_t bytes = strcspn(p, " \t\r\n\"'`,;?!)");
    while (bytes > 1 && strchr(".:", p[bytes - 1]) != NULL) {
        bytes--;
    }
    add(words, VT_WORD_PATH, p, bytes);
    return p + bytes;
}

static const char *take(struct vt_words *words, const char *p)
{
    if (isspace((unsigned char)*p)) {
        return p + 1;
    }
    if (strchr("\"'`", *p) != NULL) {
        const char *end = closing(p);
        if (end == NULL) {
            return p + 1;
        }
        bool path = p[1] == '/';
        add(words, path ? VT_WORD_PATH : VT_WORD_QUOTED, p + 1, (size_t)(end - p - 1));
        p = end + 1;
        if (strncmp(p, "'s", 2) == 0 && !is_word_byte(p[2])) {
            add_plain(words, "'s");
            p += 2;
        }
        return p;
    }
    if (*p == '/' && (p[1] == '\0' || !ends_word(p[1]))) {
        return take_path(words, p);
    }
    if (*p == '/' || (*p == '~' && p[1] == '/')) {
        return *p == '/' ? (add(words, VT_WORD_PATH, p, 1), p + 1) : take_path(words, p);
    }
    if (*p == ':' && isdigit((unsigned char)p[1])) {
        add_plain(words, "port");
        return p + 1;
    }
    if (*p == '#' && isdigit((unsigned char)p[1])) {
        return p + 1;
    }
    if (*p == '-' && isdigit((unsigned char)p[1])) {
        add(words, VT_WORD_JUNK, p, 1);
        return p + 1;
    }
    if (*p == '-' || (*p == ':' && p[1] != ':')) {
        add(words, VT_WORD_COMMA, p, 1);
        return p + 1 + strspn(p + 1, "-");
    }
    if (is_word_byte(*p) || strncmp(p, "::", 2) == 0 ||
        (*p == '.' && is_letter(p[1]) && (words->n == 0 || isspace((unsigned char)p[-1])))) {
        return run_of(p) > 0 ? take_word(words, p) : take_mark(words, p);
    }
    return take_mark(words, p);
}

void vt_words_split(struct vt_words *words, const char *text)
{
    char plain[VT_QUESTION_MAX + 1];
    words->n = 0;
    words->used = 0;
    words->cut = false;
    plain_marks(plain, text);
    for (const char *p = plain; *p != '\0';) {
        p = take(words, p);
    }
}
