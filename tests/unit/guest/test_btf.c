/* tests/unit/guest/test_btf.c - types as libbpf writes and reads them, and broken ones. */
#include "tests/unit/harness.h"

#include "guest/symbols/btf.h"
#include "vitrine/guest.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

/* A struct with everything C has: nested, anonymous, arrays, bitfields, qualifiers, enums. */
static struct btf *write_types(void)
{
    struct btf *b = btf__new_empty();
    int u32 = btf__add_int(b, "unsigned int", 4, 0);
    int u64 = btf__add_int(b, "unsigned long", 8, 0);
    int pointer = btf__add_ptr(b, 0);
    int constant = btf__add_const(b, pointer);
    int grid = btf__add_array(b, u32, btf__add_array(b, u32, u64, 3), 5);
    int inner = btf__add_struct(b, "inner", 24);
    btf__add_field(b, "first", u64, 0, 0);
    btf__add_field(b, "second", u32, 64, 0);
    int alias = btf__add_typedef(b, "inner_t", btf__add_const(b, btf__add_volatile(b, inner)));
    int deep = btf__add_union(b, NULL, 8);
    btf__add_field(b, "as_long", u64, 0, 0);
    btf__add_field(b, "as_pointer", constant, 0, 0);
    int shallow = btf__add_struct(b, NULL, 16);
    btf__add_field(b, "before", u64, 0, 0);
    btf__add_field(b, NULL, deep, 64, 0);
    btf__add_struct(b, "outer", 200);
    btf__add_field(b, "head", u32, 0, 0);
    btf__add_field(b, "low", u32, 32, 3);
    btf__add_field(b, "high", u32, 35, 9);
    btf__add_field(b, NULL, shallow, 64, 0);
    btf__add_field(b, "in", alias, 192, 0);
    btf__add_field(b, "grid", grid, 384, 0);
    btf__add_field(b, "tail", pointer, 384 + 5 * 3 * 64, 0);
    btf__add_struct(b, "empty", 0);
    btf__add_enum(b, NULL, 4);
    btf__add_enum_value(b, "PG_locked", 0);
    btf__add_enum_value(b, "PG_slab", 9);
    btf__add_enum(b, "signs", 4);
    btf__add_enum_value(b, "MINUS", -3);
    btf__add_enum_value(b, "MINUS_TOO", -3);
    btf__add_enum64(b, "wide", 8, false);
    btf__add_enum64_value(b, "WIDE", UINT64_C(0x123456789a));
    btf__add_float(b, "double", 8);
    btf__add_func(b, "f", BTF_FUNC_GLOBAL, btf__add_func_proto(b, u32));
    btf__add_var(b, "v", BTF_VAR_STATIC, u32);
    btf__add_datasec(b, ".data", 4);
    btf__add_decl_tag(b, "tag", inner, -1);
    btf__add_type_tag(b, "rcu", u32);
    return b;
}

static struct vt_btf *read_types(const struct btf *b)
{
    uint32_t n;
    const void *raw = btf__raw_data(b, &n);
    uint8_t *copy = malloc(n);
    struct vt_btf *btf = NULL;
    struct vt_error err = {0};
    memcpy(copy, raw, n);
    vt_btf_create(copy, n, &btf, &err);
    assert_string_equal(err.message, "");
    return btf;
}

static void expect(const struct vt_btf *btf, const char *name, const char *path, uint32_t offset,
                   uint32_t size, unsigned bit, unsigned bits)
{
    struct vt_member m;
    struct vt_error err = {0};
    vt_btf_member(btf, name, path, &m, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(m.offset, offset);
    assert_int_equal(m.size, size);
    assert_int_equal(m.bit, bit);
    assert_int_equal(m.bits, bits);
}

static void test_members(void **state)
{
    (void)state;
    struct btf *b = write_types();
    struct vt_btf *btf = read_types(b);
    struct vt_member m;
    struct vt_error err;
    assert_int_equal(vt_btf_types(btf), btf__type_cnt(b) - 1);
    expect(btf, "outer", "head", 0, 4, 0, 0);
    expect(btf, "outer", "low", 4, 1, 0, 3);
    expect(btf, "outer", "high", 4, 2, 3, 9);
    expect(btf, "outer", "before", 8, 8, 0, 0);
    expect(btf, "outer", "as_long", 16, 8, 0, 0);
    expect(btf, "outer", "as_pointer", 16, 8, 0, 0);
    expect(btf, "outer", "in", 24, 24, 0, 0);
    expect(btf, "outer", "in.second", 32, 4, 0, 0);
    expect(btf, "outer", "grid", 48, 120, 0, 0);
    expect(btf, "outer", "tail", 168, 8, 0, 0);
    static const char *const missing[] = {"nothing", "hea", "headd", "in.third",   "head.x",   "",
                                          ".",       "in.", ".in",   "grid.first", "in..first"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        assert_int_equal(vt_btf_member(btf, "outer", missing[i], &m, &err), VT_E_NOT_FOUND);
    }
    assert_int_equal(vt_btf_member(btf, "none", "x", &m, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_btf_member(btf, "inner_t", "first", &m, &err), VT_E_NOT_FOUND);
    uint32_t bytes;
    assert_int_equal(vt_btf_struct_size(btf, "outer", &bytes, &err), 0);
    assert_int_equal(bytes, 200);
    assert_int_equal(vt_btf_struct_size(btf, "empty", &bytes, &err), 0);
    assert_int_equal(bytes, 0);
    int64_t value;
    assert_int_equal(vt_btf_enumerator(btf, "PG_slab", &value, &err), 0);
    assert_int_equal(value, 9);
    assert_int_equal(vt_btf_enumerator(btf, "MINUS", &value, &err), 0);
    assert_int_equal(value, -3);
    assert_int_equal(vt_btf_enumerator(btf, "WIDE", &value, &err), 0);
    assert_true(value == INT64_C(0x123456789a));
    assert_int_equal(vt_btf_enumerator(btf, "PG_", &value, &err), VT_E_NOT_FOUND);
    const char *name;
    assert_int_equal(vt_btf_enumerator_name(btf, "signs", -3, &name, &err), 0);
    assert_string_equal(name, "MINUS_TOO");
    assert_int_equal(vt_btf_enumerator_name(btf, "wide", INT64_C(0x123456789a), &name, &err), 0);
    assert_string_equal(name, "WIDE");
    assert_int_equal(vt_btf_enumerator_name(btf, "wide", -3, &name, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_btf_enumerator_name(btf, "outer", 0, &name, &err), VT_E_NOT_FOUND);
    vt_btf_destroy(btf);
    btf__free(b);
}

static void expect_text(const struct vt_btf *btf, uint32_t id, const char *want)
{
    char text[64];
    vt_btf_text(btf, id, text, sizeof text);
    assert_string_equal(text, want);
}

/* Types in words. */
static void test_text(void **state)
{
    (void)state;
    struct btf *b = btf__new_empty();
    int i = btf__add_int(b, "int", 4, BTF_INT_SIGNED);
    int s = btf__add_struct(b, "s", 4), u = btf__add_union(b, NULL, 4);
    int e = btf__add_enum(b, "e", 4), fwd = btf__add_fwd(b, "far", BTF_FWD_UNION);
    int near = btf__add_fwd(b, "near", BTF_FWD_STRUCT), t = btf__add_typedef(b, "t", s);
    int wide = btf__add_enum64(b, "w", 8, false);
    int p = btf__add_ptr(b, btf__add_const(b, s)), pp = btf__add_ptr(b, btf__add_volatile(b, p));
    int grid = btf__add_array(b, i, btf__add_array(b, i, p, 3), 5);
    int f = btf__add_ptr(b, btf__add_func_proto(b, i));
    int tag = btf__add_ptr(b, btf__add_type_tag(b, "rcu", t));
    int to_grid = btf__add_ptr(b, grid), text = btf__add_array(b, i, i, 16);
    int endless = btf__add_ptr(b, (int)btf__type_cnt(b));
    struct vt_btf *btf = read_types(b);
    const struct {
        int id;
        const char *text;
    } wants[] = {
        {0, "void"},
        {i, "int"},
        {s, "struct s"},
        {u, "union {}"},
        {e, "enum e"},
        {wide, "enum w"},
        {fwd, "union far"},
        {near, "struct near"},
        {t, "t"},
        {p, "const struct s *"},
        {pp, "const struct s **"},
        {grid, "const struct s *[5][3]"},
        {to_grid, "const struct s *[5][3]*"},
        {f, "function *"},
        {tag, "t *"},
        {text, "int [16]"},
        {btf__add_ptr(b, 0), "void"},
    };
    for (size_t k = 0; k < sizeof wants / sizeof wants[0]; k++) {
        expect_text(btf, (uint32_t)wants[k].id, wants[k].text);
    }
    char text_of_it[8];
    vt_btf_text(btf, (uint32_t)grid, text_of_it, sizeof text_of_it);
    assert_string_equal(text_of_it, "const s");
    vt_btf_text(btf, (uint32_t)endless, text_of_it, sizeof text_of_it);
    vt_btf_destroy(btf);
    btf__free(b);
}

/* The host's own kernel, where it has types: every named member of every struct as libbpf says. */
static void test_real(void **state)
{
    (void)state;
    struct btf *b = btf__parse("/sys/kernel/btf/vmlinux", NULL);
    if (b == NULL) {
        skip();
    }
    struct vt_btf *btf = read_types(b);
    unsigned checked = 0;
    for (uint32_t id = 1; id < btf__type_cnt(b); id++) {
        const struct btf_type *t = btf__type_by_id(b, id);
        const char *name = btf__name_by_offset(b, t->name_off);
        if (!btf_is_composite(t) || *name == '\0' ||
            btf__find_by_name_kind(b, name, btf_kind(t)) != (int)id) {
            continue;
        }
        uint32_t bytes;
        if (vt_btf_struct_size(btf, name, &bytes, NULL) != 0 || bytes != t->size) {
            continue; /* a union and a struct of one name: the other one */
        }
        const struct btf_member *members = btf_members(t);
        for (uint32_t i = 0; i < btf_vlen(t); i++) {
            const char *member = btf__name_by_offset(b, members[i].name_off);
            struct vt_member m;
            if (*member == '\0' || vt_btf_member(btf, name, member, &m, NULL) != 0) {
                continue;
            }
            assert_int_equal(m.offset, btf_member_bit_offset(t, i) / 8);
            assert_int_equal(m.bits, btf_member_bitfield_size(t, i));
            if (m.bits == 0) {
                assert_int_equal(m.size, btf__resolve_size(b, members[i].type));
            }
            checked++;
        }
    }
    assert_true(checked > 10000);
    vt_btf_destroy(btf);
    btf__free(b);
}

static int create(const uint8_t *raw, size_t n, struct vt_btf **btf)
{
    uint8_t *copy = malloc(n + 1);
    memcpy(copy, raw, n);
    return vt_btf_create(copy, n, btf, NULL);
}

static void test_broken(void **state)
{
    (void)state;
    struct btf *b = write_types();
    uint32_t n;
    const uint8_t *raw = btf__raw_data(b, &n);
    uint8_t *bytes = malloc(n);
    struct vt_btf *btf;
    for (uint32_t cut = 0; cut < n; cut++) {
        assert_int_not_equal(create(raw, cut, &btf), 0);
    }
    /* One byte of the header wrong: magic, version; then one of each type's kind. */
    for (uint32_t at = 0; at < 3; at++) {
        memcpy(bytes, raw, n);
        bytes[at] ^= 0x40;
        assert_int_equal(create(bytes, n, &btf), VT_E_CORRUPT);
    }
    memcpy(bytes, raw, n);
    bytes[24 + 7] = 0x1f; /* the first type is of kind 31 */
    assert_int_equal(create(bytes, n, &btf), VT_E_UNSUPPORTED);
    /* Any one byte of the types changed: refused or usable, never a crash or an endless loop. */
    for (uint32_t at = 24; at < n; at++) {
        memcpy(bytes, raw, n);
        bytes[at] ^= 0xff;
        if (create(bytes, n, &btf) == 0) {
            struct vt_member m;
            int64_t value;
            vt_btf_member(btf, "outer", "as_pointer", &m, NULL);
            vt_btf_member(btf, "outer", "grid", &m, NULL);
            vt_btf_member(btf, "outer", "in.second", &m, NULL);
            vt_btf_enumerator(btf, "PG_slab", &value, NULL);
            vt_btf_destroy(btf);
        }
    }
    free(bytes);
    btf__free(b);
}

/* Types that contain themselves. */
static void test_cycles(void **state)
{
    (void)state;
    struct btf *b = btf__new_empty();
    struct vt_member m;
    uint32_t bytes;
    int self = btf__add_struct(b, "self", 8); /* id 1: its anonymous members are itself */
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(btf__add_field(b, NULL, self, 0, 0), 0);
    }
    btf__add_typedef(b, "loop", 3); /* ids 2 and 3 name each other */
    btf__add_typedef(b, "pool", 2);
    btf__add_array(b, self, 4, 2); /* id 4: an array of itself */
    btf__add_struct(b, "user", 8);
    btf__add_field(b, "looping", 2, 0, 0);
    btf__add_field(b, "array", 4, 0, 0);
    btf__add_field(b, "wild", 1000000, 0, 0);
    struct vt_btf *btf = read_types(b);
    assert_int_equal(vt_btf_member(btf, "self", "x", &m, NULL), VT_E_NOT_FOUND);
    assert_int_equal(vt_btf_member(btf, "user", "looping", &m, NULL), VT_E_CORRUPT);
    assert_int_equal(vt_btf_member(btf, "user", "array", &m, NULL), VT_E_CORRUPT);
    assert_int_equal(vt_btf_member(btf, "user", "wild", &m, NULL), VT_E_CORRUPT);
    assert_int_equal(vt_btf_member(btf, "user", "looping.x", &m, NULL), VT_E_NOT_FOUND);
    assert_int_equal(vt_btf_struct_size(btf, "self", &bytes, NULL), 0);
    vt_btf_destroy(btf);
    btf__free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members), cmocka_unit_test(test_text),   cmocka_unit_test(test_real),
        cmocka_unit_test(test_broken),  cmocka_unit_test(test_cycles),
    };
    libbpf_set_print(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
