/* tests/unit/guest/tables.c - see tables.h. Format: scripts/kallsyms.c of Linux. */
#include "tests/unit/guest/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multi-character tokens, at the codes above ASCII. */
static const char *const words[] = {"symbol_", "_init", "linux_", "T_", "00", "123"};
#define WORDS (sizeof words / sizeof words[0])

struct writer {
    uint8_t *out;
    size_t at, align;
};

static void put(struct writer *w, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        w->out[w->at++] = (uint8_t)(value >> (8 * i));
    }
}

static void align(struct writer *w, size_t to)
{
    while (w->at % to != 0) {
        w->out[w->at++] = 0;
    }
}

static size_t encode(const char *text, uint8_t codes[1024])
{
    size_t n = 0;
    while (*text != '\0') {
        size_t word = 0;
        while (word < WORDS && strncmp(text, words[word], strlen(words[word])) != 0) {
            word++;
        }
        codes[n++] = word < WORDS ? (uint8_t)(0x80 + word) : (uint8_t)*text;
        text += word < WORDS ? strlen(words[word]) : 1;
    }
    return n;
}

static void put_names(struct writer *w, const struct test_symbol *symbols, uint32_t n)
{
    uint32_t *markers = calloc(n / 256 + 1, sizeof *markers);
    put(w, n, 4);
    align(w, w->align);
    size_t names = w->at;
    for (uint32_t i = 0; i < n; i++) {
        char text[1024];
        uint8_t codes[1024];
        snprintf(text, sizeof text, "%c%s", symbols[i].type, symbols[i].name);
        size_t length = encode(text, codes);
        if (i % 256 == 0) {
            markers[i / 256] = (uint32_t)(w->at - names);
        }
        put(w, length < 128 ? length : 0x80 | (length & 0x7f), 1);
        if (length >= 128) {
            put(w, length >> 7, 1);
        }
        memcpy(w->out + w->at, codes, length);
        w->at += length;
    }
    align(w, w->align);
    for (uint32_t i = 0; i < (n + 255) / 256; i++) {
        put(w, markers[i], 4);
    }
    align(w, w->align);
    free(markers);
}

static void put_seqs(struct writer *w, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        put(w, (uint64_t)i * 2654435761u, 3);
    }
    align(w, w->align);
}

static void put_tokens(struct writer *w)
{
    uint16_t index[256];
    size_t begin = w->at;
    for (unsigned i = 0; i < 256; i++) {
        index[i] = (uint16_t)(w->at - begin);
        if (i >= 0x80 && i < 0x80 + WORDS) {
            memcpy(w->out + w->at, words[i - 0x80], strlen(words[i - 0x80]));
            w->at += strlen(words[i - 0x80]);
        } else if (i > ' ' && i < 0x7f) {
            put(w, i, 1);
        }
        put(w, 0, 1);
    }
    align(w, w->align);
    for (unsigned i = 0; i < 256; i++) {
        put(w, index[i], 2);
    }
    align(w, w->align);
}

static void put_offsets(struct writer *w, enum test_layout layout,
                        const struct test_symbol *symbols, uint32_t n)
{
    bool percpu = layout == LAYOUT_5_10 || layout == LAYOUT_6_1 || layout == LAYOUT_6_12;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t value = symbols[i].value;
        if (layout == LAYOUT_7_2) {
            value -= w->at;
        } else if (percpu && !symbols[i].absolute) {
            value = (uint64_t)-1 - value;
        }
        put(w, value, 4);
    }
}

size_t test_write_tables(uint8_t *out, size_t at, enum test_layout layout, uint64_t text_va,
                         const struct test_symbol *symbols, uint32_t n)
{
    struct writer w = {.out = out, .at = at, .align = layout == LAYOUT_7_2 ? 4 : 8};
    bool first = layout == LAYOUT_5_10 || layout == LAYOUT_6_1 || layout == LAYOUT_UP;
    align(&w, w.align);
    if (first) {
        put_offsets(&w, layout, symbols, n);
        align(&w, 8);
        put(&w, text_va, 8);
    }
    put_names(&w, symbols, n);
    if (layout == LAYOUT_6_1 || layout == LAYOUT_UP) {
        put_seqs(&w, n);
    }
    put_tokens(&w);
    if (!first) {
        put_offsets(&w, layout, symbols, n);
        if (layout != LAYOUT_7_2) {
            align(&w, 8);
            put(&w, text_va, 8);
        }
        put_seqs(&w, n);
    }
    return w.at;
}

struct test_symbol *test_symbols(uint32_t n, uint64_t first, uint64_t step, bool percpu)
{
    /* The names lie behind the array: one allocation. */
    struct test_symbol *s = calloc(n, sizeof *s + 32);
    char(*names)[32] = (char(*)[32])(s + n);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "symbol_%05u", i);
        s[i] = (struct test_symbol){.name = names[i], .type = 't', .value = first + step * i};
        if (percpu && i < n / 16) {
            s[i].absolute = true;
            s[i].type = 'A';
            s[i].value = 64 * (uint64_t)i;
        }
    }
    return s;
}

void test_symbols_free(struct test_symbol *symbols)
{
    free(symbols);
}
