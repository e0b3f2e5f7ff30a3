/* tests/fuzz/fuzz_kallsyms.c - symbol tables with bytes changed anywhere, in every layout.
 *
 * Input: a byte for the layout, then patches of offset (2 bytes) and value (1 byte); with bit 7 of
 * the first byte set, what follows is the memory itself.
 */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "guest/symbols/kallsyms.h"
#include "tests/unit/guest/tables.h"

#include <string.h>

#define IMAGE 65536u /* what an offset reaches */
#define SYMBOLS 1003u

static void check(const struct vt_kallsyms *k)
{
    const struct vt_symbols *s = &k->symbols;
    FUZZ_CHECK(s->n > 0 && s->n <= VT_SYMBOLS_MAX && k->layout != NULL);
    for (size_t i = 0; i < s->n; i++) {
        const char *name = vt_symbols_name(s, &s->list[i]);
        const struct vt_symbol *found = vt_symbols_find(s, name);
        FUZZ_CHECK(s->list[i].name < s->names_bytes && strlen(name) < VT_SYMBOL_NAME_MAX);
        FUZZ_CHECK(found != NULL && strcmp(vt_symbols_name(s, found), name) == 0);
        const struct vt_symbol *before =
            vt_symbols_before(s, s->list[i].value, s->list[i].absolute);
        FUZZ_CHECK(before != NULL && before->value == s->list[i].value);
    }
    const struct vt_symbol *text = vt_symbols_find(s, "_text");
    FUZZ_CHECK(text != NULL && text->value == 0);
}

static void look(const uint8_t *bytes, size_t n)
{
    struct vt_kallsyms k;
    for (size_t at = 0; vt_kallsyms_next(bytes, n, &at); at++) {
        if (vt_kallsyms_parse(bytes, n, at, &k, NULL) == 0) {
            check(&k);
            vt_symbols_fini(&k.symbols);
        }
    }
}

static uint8_t *make_image(enum test_layout layout)
{
    uint8_t *image = calloc(1, IMAGE);
    bool percpu = layout == LAYOUT_5_10 || layout == LAYOUT_6_1 || layout == LAYOUT_6_12;
    struct test_symbol *symbols = test_symbols(SYMBOLS, 0, 64, percpu);
    FUZZ_CHECK(image != NULL);
    symbols[SYMBOLS / 16].name = "_text";
    FUZZ_CHECK(test_write_tables(image, 4096, layout, UINT64_C(0xffffffff81000000), symbols,
                                 SYMBOLS) < IMAGE);
    test_symbols_free(symbols);
    return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static uint8_t *images[LAYOUTS];
    if (count == 0) {
        return 0;
    }
    if (bytes[0] & 0x80) {
        look(bytes + 1, count - 1);
        return 0;
    }
    enum test_layout layout = bytes[0] % LAYOUTS;
    if (images[layout] == NULL) {
        images[layout] = make_image(layout);
    }
    uint8_t *copy = malloc(IMAGE);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, images[layout], IMAGE);
    for (size_t i = 1; i + 3 <= count; i += 3) {
        copy[vt_le16(bytes + i)] = bytes[i + 2];
    }
    look(copy, IMAGE);
    free(copy);
    return 0;
}
