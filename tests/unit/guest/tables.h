/* tests/unit/guest/tables.h - writes kallsyms tables as the kernels of 5.10 to 7.2 lay them out. */
#ifndef VT_TESTS_GUEST_TABLES_H
#define VT_TESTS_GUEST_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_symbol {
    const char *name;
    char type;
    bool absolute;  /* per-CPU on old kernels */
    uint64_t value; /* from _text, or absolute */
};

enum test_layout {
    LAYOUT_5_10, /* offsets, base, num, names, markers, tokens, index */
    LAYOUT_6_1,  /* the same with seqs between markers and tokens */
    LAYOUT_6_12, /* num, names, markers, tokens, index, offsets, base, seqs */
    LAYOUT_7_2,  /* the same, aligned to 4, place-relative without a base */
    LAYOUT_UP,   /* 6.1 without SMP: base + offset */
    LAYOUT_6_15, /* 6.12 without absolute per-CPU symbols */
    LAYOUTS,
};

/** Writes tables for `symbols` (by value, absolute ones first) at out[at…) of an image whose _text
 *  is out[0] and has the address `text_va`. Returns where they end. */
size_t test_write_tables(uint8_t *out, size_t at, enum test_layout layout, uint64_t text_va,
                         const struct test_symbol *symbols, uint32_t n);

/** "symbol_00042"-like fillers: enough symbols for a kernel. Free with test_symbols_free. */
struct test_symbol *test_symbols(uint32_t n, uint64_t first, uint64_t step, bool percpu);
void test_symbols_free(struct test_symbol *symbols);

#endif
