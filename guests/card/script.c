/* guests/card/script.c - the kernel's command line is a program: statements parted by semicolons,
 * words by blanks. Statements that need no GPU are here.
 *
 * QEMU puts words of its own beside ours (virtio_mmio.device=…); those are for <architecture>/ and
 * no statement. `stay` keeps the machine on at the end.
 */
#include <string.h>

#include "card.h"

bool same_text(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

const char *after_prefix(const char *text, const char *prefix)
{
    while (*prefix) {
        if (*text++ != *prefix++) {
            return NULL;
        }
    }
    return text;
}

bool parse_number(const char *text, uint64_t most, uint64_t *value)
{
    unsigned base = 10;
    uint64_t v = 0;

    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        unsigned digit = *text >= '0' && *text <= '9'   ? (unsigned)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (unsigned)(*text - 'a' + 10)
                                                        : 99;

        if (digit >= base) {
            break;
        }
        if (v > (UINT64_MAX - digit) / base) {
            return false;
        }
        v = v * base + digit;
    }
    if (*text == 'K' || *text == 'M') {
        unsigned shift = *text++ == 'K' ? 10 : 20;

        if (v > UINT64_MAX >> shift) {
            return false;
        }
        v <<= shift;
    }
    if (*text || v > most) {
        return false;
    }
    *value = v;
    return true;
}

bool parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    char first[12];
    uint64_t w, h;
    unsigned n = 0;

    while (*text && *text != 'x' && n < sizeof(first) - 1) {
        first[n++] = *text++;
    }
    first[n] = 0;
    if (*text != 'x' || !parse_number(first, UINT32_MAX, &w) ||
        !parse_number(text + 1, UINT32_MAX, &h)) {
        return false;
    }
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return true;
}

static const struct card_statement *running;
static unsigned count;
void (*script_idle)(void);

unsigned script_statement(void)
{
    return count;
}

bool script_fail(const char *why)
{
    report_begin("error");
    report_text("statement", running ? running->name : "");
    report_text("why", why);
    if (running) {
        report_text("usage", running->usage);
    }
    report_end();
    return false;
}

/* ---- statements of the machine itself */

static bool word_say(const struct card_words *w)
{
    report_begin("say");
    report_text("text", w->n > 0 ? w->word[0] : "");
    report_end();
    return true;
}

void rest_until(uint64_t until)
{
    const uint64_t nap = 10000000;
    uint64_t now;

    while ((now = now_ns()) < until) {
        arch_sleep_until(until - now < nap ? until : now + nap);
        if (script_idle) {
            script_idle();
        }
    }
}

static bool word_wait(const struct card_words *w)
{
    uint64_t ms;

    if (w->n != 1 || !parse_number(w->word[0], 86400000, &ms)) {
        return script_fail("how long?");
    }
    rest_until(now_ns() + ms * 1000000);
    return true;
}

static bool word_stay(const struct card_words *w)
{
    (void)w;
    report_begin("stay");
    report_end();
    rest_until(UINT64_MAX);
    return true;
}

static bool word_crash(const struct card_words *w)
{
    if (w->n == 1 && same_text(w->word[0], "panic")) {
        card_panic("as the script asked for");
    }
    if (w->n != 1 || !arch_crash(w->word[0])) {
        return script_fail("no such crash");
    }
    return script_fail("nothing trapped");
}

static bool word_power_off(const struct card_words *w)
{
    (void)w;
    arch_power_off();
}

const struct card_statement machine_statements[] = {
    {"crash", "crash panic|read|write|undefined", word_crash},
    {"poweroff", "poweroff", word_power_off},
    {"say", "say WORD", word_say},
    {"stay", "stay", word_stay},
    {"wait", "wait MILLISECONDS", word_wait},
    {NULL, NULL, NULL},
};

static const struct card_statement *const tables[] = {
    machine_statements, driver_statements, raw_statements,
    display_statements, bench_statements,  compute_statements,
};

/* ---- reading them */

static const struct card_statement *find(const char *name)
{
    for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct card_statement *s = tables[i]; s->name; s++) {
            if (same_text(s->name, name)) {
                return s;
            }
        }
    }
    return NULL;
}

static bool run_one(struct card_words *words)
{
    const char *name = words->word[0];

    if (words->n == 0) {
        return true;
    }
    count++;
    running = find(name);
    if (!running) {
        report_begin("error");
        report_text("statement", name);
        report_text("why", "no such statement");
        report_end();
        return false;
    }
    words->n--;
    memmove(words->word, words->word + 1, words->n * sizeof(words->word[0]));
    return running->run(words);
}

unsigned script_run(bool *failed)
{
    static struct card_words words;
    char *at = machine.command_line;

    words.n = 0;
    count = 0;
    for (;;) {
        char *word = at, end;

        while (*at && *at != ' ' && *at != '\n' && *at != ';') {
            at++;
        }
        end = *at;
        *at = 0;
        if (*word && !after_prefix(word, "virtio_mmio.device=")) {
            if (words.n == sizeof(words.word) / sizeof(words.word[0])) {
                *failed = !script_fail("too many words");
                return count;
            }
            words.word[words.n++] = word;
        }
        if (end == ';' || end == '\n' || end == 0) {
            if (!run_one(&words)) {
                *failed = true;
                return count;
            }
            words.n = 0;
        }
        if (end == 0) {
            return count;
        }
        at++;
    }
}
