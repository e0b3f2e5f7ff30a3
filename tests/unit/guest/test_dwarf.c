/* tests/unit/guest/test_dwarf.c VMLINUX... - debug information of every version says where the
 * compiler put things, and files that have none are told apart. */
#include "tests/unit/harness.h"

#include "guest/symbols/dwarf.h"
#include "tests/unit/guest/dwarf_fixture.h"
#include "vitrine/guest.h"

#include <string.h>

static char **files;
static int n_files;

static void expect(const struct vt_btf *btf, const char *name, const char *path, size_t offset,
                   size_t bytes)
{
    struct vt_member m = {0};
    struct vt_error err = {0};
    vt_btf_member(btf, name, path, &m, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(m.offset, offset);
    assert_int_equal(m.size, bytes);
}

#define EXPECT(type, tag, path)                                                                    \
    expect(d.types, tag, #path, offsetof(type, path), sizeof(((type *)NULL)->path))

static void expect_bits(const struct vt_btf *btf, const char *path, unsigned bits)
{
    /* Bits in a row: each begins where the one before ends. */
    static uint64_t end;
    struct vt_member m;
    assert_int_equal(vt_btf_member(btf, "fixture", path, &m, NULL), 0);
    assert_int_equal(m.bits, bits);
    uint64_t begin = 8 * (uint64_t)m.offset + m.bit;
    if (strcmp(path, "a") == 0) {
        assert_int_equal(begin, 8 * (offsetof(struct fixture, call) + 8));
    } else {
        assert_true(begin == end);
    }
    end = begin + bits;
}

static void expect_constant(const struct vt_btf *btf, const char *name, int64_t want)
{
    int64_t value = 0;
    assert_int_equal(vt_btf_enumerator(btf, name, &value, NULL), 0);
    assert_true(value == want);
}

static struct vt_btf_type type_of(const struct vt_dwarf *d, const char *symbol)
{
    const struct vt_symbol *s = vt_symbols_find(&d->symbols, symbol);
    assert_non_null(s);
    return vt_btf_type(d->types, d->symbol_types[s - d->symbols.list]);
}

static int count_calls(uint64_t done, uint64_t all, void *arg)
{
    assert_true(done < all);
    ++*(unsigned *)arg;
    return 0;
}

static int stop(uint64_t done, uint64_t all, void *arg)
{
    (void)done;
    (void)all;
    (void)arg;
    return 1;
}

static void test_types(void **state)
{
    (void)state;
    for (int i = 0; i < n_files; i++) {
        struct vt_dwarf d;
        struct vt_error err = {0};
        unsigned calls = 0;
        uint32_t bytes;
        vt_dwarf_read(files[i], NULL, &d, count_calls, &calls, &err);
        assert_string_equal(err.message, "");
        assert_true(calls == 2 && d.units == 2);
        assert_string_equal(d.banner, "Linux version 6.6.6-fixture (nobody@nowhere) #1 SMP");
        assert_true(d.text == UINT64_C(0xffffffff81000000));
        EXPECT(struct fixture, "fixture", text);
        EXPECT(struct fixture, "fixture", inner);
        EXPECT(struct fixture, "fixture", far);
        EXPECT(struct fixture, "fixture", call);
        EXPECT(struct fixture, "fixture", either);
        EXPECT(struct fixture, "fixture", either.high);
        EXPECT(struct fixture, "fixture", as_long);
        EXPECT(struct fixture, "fixture", as_shorts);
        EXPECT(struct fixture, "fixture", flag);
        EXPECT(struct fixture, "fixture", pair);
        EXPECT(struct fixture, "fixture", grid);
        EXPECT(struct fixture, "fixture", signs);
        EXPECT(struct fixture, "fixture", tail);
        expect(d.types, "fixture", "open", offsetof(struct fixture, open), 0);
        EXPECT(struct fixture_inner, "fixture_inner", second);
        EXPECT(union fixture_either, "fixture_either", as_double);
        expect(d.types, "fixture_far", "distance", sizeof(struct fixture), 4);
        expect_bits(d.types, "a", 3);
        expect_bits(d.types, "b", 9);
        expect_bits(d.types, "c", 20);
        expect_bits(d.types, "kind", 17);
        assert_int_equal(vt_btf_struct_size(d.types, "fixture", &bytes, NULL), 0);
        assert_int_equal(bytes, sizeof(struct fixture));
        assert_int_equal(vt_btf_struct(d.types, "fixture_nowhere"), 0);
        expect_constant(d.types, "FIXTURE_BYTE", FIXTURE_BYTE);
        expect_constant(d.types, "FIXTURE_LAST", FIXTURE_LAST);
        expect_constant(d.types, "FIXTURE_MINUS", FIXTURE_MINUS);
        expect_constant(d.types, "FIXTURE_UNNAMED", FIXTURE_UNNAMED);
        vt_dwarf_fini(&d);
    }
}

static void test_symbols_of_it(void **state)
{
    (void)state;
    struct vt_dwarf d;
    struct vt_error err = {0};
    char map[300];
    snprintf(map, sizeof map, "%s/System.map", (const char *)*state);
    FILE *f = fopen(map, "w");
    fputs("0000000000001230 A per_cpu_thing\nnonsense\nffffffff81000010 T only_in_map\n", f);
    fclose(f);
    vt_dwarf_read(files[0], map, &d, NULL, NULL, &err);
    assert_string_equal(err.message, "");
    struct vt_btf_type t = type_of(&d, "first_fixture");
    assert_true(t.kind == VT_BTF_STRUCT && strcmp(t.name, "fixture") == 0);
    t = type_of(&d, "fixture_pointers");
    assert_true(t.kind == VT_BTF_ARRAY && t.n == 2);
    t = vt_btf_type(d.types, t.of);
    assert_true(t.kind == VT_BTF_PTR && t.of == vt_btf_struct(d.types, "fixture"));
    t = type_of(&d, "far_fixture");
    assert_string_equal(t.name, "fixture_far");
    t = type_of(&d, "fixture_sign"); /* two have the name: the type is that of the first */
    assert_true(t.kind == VT_BTF_ENUM || strcmp(t.name, "int") == 0);
    assert_true(type_of(&d, "_text").kind == VT_BTF_VOID);
    assert_true(type_of(&d, "only_in_map").kind == VT_BTF_VOID);
    const struct vt_symbol *s = vt_symbols_find(&d.symbols, "only_in_map");
    assert_true(s->value == 0x10 && !s->absolute);
    s = vt_symbols_find(&d.symbols, "per_cpu_thing");
    assert_true(s->value == 0x1230 && s->absolute);
    vt_dwarf_fini(&d);
}

static void test_refused(void **state)
{
    struct vt_dwarf d;
    struct vt_error err;
    char path[300];
    assert_int_equal(vt_dwarf_read(files[0], NULL, &d, stop, NULL, &err), VT_E_INTERRUPTED);
    assert_int_equal(vt_dwarf_read(files[0], "/nowhere/at/all", &d, NULL, NULL, &err),
                     VT_E_NOT_FOUND);
    assert_int_equal(vt_dwarf_read("/nowhere/at/all", NULL, &d, NULL, NULL, &err), VT_E_NOT_FOUND);
    /* This program: ELF, but no kernel. */
    assert_int_equal(vt_dwarf_read("/proc/self/exe", NULL, &d, NULL, NULL, &err), VT_E_NOT_FOUND);
    snprintf(path, sizeof path, "%s/text", (const char *)*state);
    FILE *f = fopen(path, "w");
    fputs("not ELF at all", f);
    fclose(f);
    assert_int_equal(vt_dwarf_read(path, NULL, &d, NULL, NULL, &err), VT_E_CORRUPT);
    assert_non_null(strstr(err.message, "not an ELF file"));
}

/* Cut anywhere, or with bytes changed: an answer, and no harm. */
static void test_broken(void **state)
{
    char path[300];
    static uint8_t bytes[1 << 18];
    FILE *f = fopen(files[0], "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(n > 1000 && n < sizeof bytes);
    snprintf(path, sizeof path, "%s/broken", (const char *)*state);
    for (unsigned round = 0; round < 400; round++) {
        struct vt_dwarf d;
        uint8_t kept[4];
        size_t at = ((size_t)round * 2654435761u) % (n - sizeof kept);
        memcpy(kept, bytes + at, sizeof kept);
        memset(bytes + at, (int)round, sizeof kept);
        f = fopen(path, "wb");
        assert_int_equal(fwrite(bytes, 1, round % 4 == 0 ? at : n, f), round % 4 == 0 ? at : n);
        fclose(f);
        memcpy(bytes + at, kept, sizeof kept);
        if (vt_dwarf_read(path, NULL, &d, NULL, NULL, NULL) == 0) {
            vt_dwarf_fini(&d);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        vt_test_in_dir(test_symbols_of_it),
        vt_test_in_dir(test_refused),
        vt_test_in_dir(test_broken),
    };
    files = argv + 1;
    n_files = argc - 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
