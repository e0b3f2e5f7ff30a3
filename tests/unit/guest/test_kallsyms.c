/* tests/unit/guest/test_kallsyms.c - symbol tables of every layout are found and read. */
#include "tests/unit/harness.h"

#include "guest/symbols/kallsyms.h"
#include "tests/unit/guest/tables.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE (512u << 10)
#define TEXT_VA UINT64_C(0xffffffff9a600000)
#define SYMBOLS 3001u

struct image {
    uint8_t *bytes;
    struct test_symbol *symbols;
    size_t end;
};

static char long_name[400]; /* its length takes two bytes */

static bool has_percpu(enum test_layout layout)
{
    return layout == LAYOUT_5_10 || layout == LAYOUT_6_1 || layout == LAYOUT_6_12;
}

static struct image make(enum test_layout layout, size_t at)
{
    struct image image = {.bytes = aligned_alloc(4096, IMAGE)};
    uint32_t noise = 1;
    for (size_t i = 0; i < IMAGE; i++) {
        noise = noise * 1664525 + 1013904223;
        image.bytes[i] = (uint8_t)(noise >> 24);
    }
    image.symbols = test_symbols(SYMBOLS, 0, 64, has_percpu(layout));
    uint32_t text = has_percpu(layout) ? SYMBOLS / 16 : 0;
    for (uint32_t i = text; i < SYMBOLS; i++) {
        image.symbols[i].value -= 64 * (uint64_t)text;
    }
    image.symbols[text].name = "_text";
    image.symbols[text].type = 'T';
    image.symbols[text + 1].name = "linux_banner";
    memset(long_name, 'x', sizeof long_name - 1);
    image.symbols[700].name = long_name;
    image.symbols[900].name = image.symbols[901].name;
    image.end = test_write_tables(image.bytes, at, layout, TEXT_VA, image.symbols, SYMBOLS);
    return image;
}

static void free_image(struct image *image)
{
    free(image->bytes);
    test_symbols_free(image->symbols);
}

static int find(const uint8_t *bytes, size_t n, struct vt_kallsyms *k)
{
    int rc = VT_E_NOT_FOUND;
    for (size_t at = 0; rc != 0 && vt_kallsyms_next(bytes, n, &at); at++) {
        rc = vt_kallsyms_parse(bytes, n, at, k, NULL);
    }
    return rc;
}

static void check(enum test_layout layout, size_t at)
{
    struct image image = make(layout, at);
    struct vt_kallsyms k;
    assert_int_equal(find(image.bytes, IMAGE, &k), 0);
    assert_int_equal(k.symbols.n, SYMBOLS);
    assert_int_equal(k.place_relative, layout == LAYOUT_7_2);
    if (k.place_relative) {
        assert_int_equal(k.text_at, 0);
    } else {
        assert_true(k.text_va == TEXT_VA);
    }
    for (uint32_t i = 0; i < SYMBOLS; i++) {
        const struct test_symbol *want = &image.symbols[i];
        const struct vt_symbol *got = &k.symbols.list[i];
        assert_string_equal(vt_symbols_name(&k.symbols, got), want->name);
        assert_int_equal(got->type, want->type);
        assert_int_equal(got->absolute, want->absolute);
        assert_true(got->value == (int64_t)want->value);
    }
    assert_ptr_equal(vt_symbols_find(&k.symbols, image.symbols[900].name), &k.symbols.list[900]);
    assert_ptr_equal(vt_symbols_find(&k.symbols, long_name), &k.symbols.list[700]);
    assert_null(vt_symbols_find(&k.symbols, "no_such_symbol"));
    int64_t value = k.symbols.list[2000].value;
    assert_ptr_equal(vt_symbols_before(&k.symbols, value, false), &k.symbols.list[2000]);
    assert_ptr_equal(vt_symbols_before(&k.symbols, value + 63, false), &k.symbols.list[2000]);
    assert_ptr_equal(vt_symbols_before(&k.symbols, value - 1, false), &k.symbols.list[1999]);
    assert_null(vt_symbols_before(&k.symbols, -1, false));
    vt_symbols_fini(&k.symbols);
    free_image(&image);
}

static void test_layouts(void **state)
{
    (void)state;
    for (enum test_layout layout = 0; layout < LAYOUTS; layout++) {
        check(layout, 0x20000);
        /* The token table may begin at any address, the others at multiples of 4 or 8. */
        check(layout, 0x20004);
    }
}

static void test_cut(void **state)
{
    (void)state;
    for (enum test_layout layout = 0; layout < LAYOUTS; layout++) {
        struct image image = make(layout, 0x20000);
        /* Wherever the memory ends: no table, or the whole one; never a read outside (ASan). */
        for (size_t n = 0x20000; n < image.end; n += 997) {
            uint8_t *part = malloc(n);
            struct vt_kallsyms k;
            memcpy(part, image.bytes, n);
            if (find(part, n, &k) == 0) {
                assert_int_equal(k.symbols.n, SYMBOLS);
                vt_symbols_fini(&k.symbols);
            }
            free(part);
        }
        free_image(&image);
    }
}

static void test_damage(void **state)
{
    (void)state;
    struct vt_kallsyms k;
    struct image image = make(LAYOUT_6_1, 0x20000);
    /* One name's length off by one: the markers notice. */
    size_t at = 0x20000 + SYMBOLS * 4 + 4 + 8 + 8;
    assert_true(image.bytes[at] > 0 && image.bytes[at] < 128);
    image.bytes[at]++;
    assert_int_not_equal(find(image.bytes, IMAGE, &k), 0);
    free_image(&image);

    /* Only names, no addresses that fit. */
    image = make(LAYOUT_6_1, 0x20000);
    memset(image.bytes + 0x20000, 0xee, SYMBOLS * 4);
    assert_int_not_equal(find(image.bytes, IMAGE, &k), 0);
    free_image(&image);

    /* A token index that does not increase. */
    image = make(LAYOUT_6_1, 0x20000);
    image.bytes[image.end - 256] ^= 0xff;
    assert_int_not_equal(find(image.bytes, IMAGE, &k), 0);
    free_image(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
