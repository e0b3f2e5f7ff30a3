/* tests/unit/guest/test_types.c - types that are made are BTF as libbpf reads it. */
#include "tests/unit/harness.h"

#include "guest/symbols/btf.h"
#include "guest/symbols/types.h"
#include "vitrine/guest.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

static struct vt_types *begin(void)
{
    struct vt_types *types = NULL;
    assert_int_equal(vt_types_create(&types, NULL), 0);
    return types;
}

/* The same bytes as libbpf and as we read them. */
static struct btf *finish(struct vt_types *types, struct vt_btf **ours)
{
    uint8_t *bytes;
    size_t n;
    struct vt_error err = {0};
    vt_types_finish(types, &bytes, &n, &err);
    assert_string_equal(err.message, "");
    struct btf *theirs = btf__new(bytes, (uint32_t)n);
    assert_non_null(theirs);
    assert_int_equal(vt_btf_create(bytes, n, ours, &err), 0);
    vt_types_destroy(types);
    return theirs;
}

static int failure(struct vt_types *types)
{
    uint8_t *bytes;
    size_t n;
    int rc = vt_types_finish(types, &bytes, &n, NULL);
    vt_types_destroy(types);
    return rc;
}

static void test_every_kind(void **state)
{
    (void)state;
    struct vt_types *t = begin();
    uint32_t later = vt_types_named(t, VT_TYPES_STRUCT, "later", false);
    uint32_t never = vt_types_named(t, VT_TYPES_STRUCT, "never", true);
    uint32_t integer = vt_types_named(t, VT_TYPES_BASE, "long int", false);
    uint32_t unit = vt_types_named(t, VT_TYPES_BASE, "unsigned int", false);
    assert_int_equal(vt_types_named(t, VT_TYPES_STRUCT, "later", false), later);
    assert_int_not_equal(vt_types_named(t, VT_TYPES_ENUM, "later", false), later);
    uint32_t pointer = vt_types_pointer(t, later), array = vt_types_array(t, pointer, 7);
    assert_int_equal(vt_types_pointer(t, later), pointer);
    assert_int_equal(vt_types_array(t, pointer, 7), array);
    assert_int_not_equal(vt_types_array(t, pointer, 8), array);
    uint32_t inner = vt_types_named(t, VT_TYPES_STRUCT, "", false);
    uint32_t other = vt_types_named(t, VT_TYPES_STRUCT, "", false);
    assert_int_not_equal(inner, other);
    assert_false(vt_types_is_known(t, later));

    vt_types_member(t, "as_long", integer, 0, 0);
    vt_types_member(t, "as_pointer", vt_types_pointer(t, vt_types_function(t)), 0, 0);
    vt_types_set_struct(t, inner, true, 8);
    vt_types_member(t, "a", unit, 0, 3);
    vt_types_member(t, "b", unit, 3, 9);
    vt_types_member(t, "", inner, 64, 0);
    vt_types_member(t, "list", array, 128, 0);
    vt_types_member(t, "far", vt_types_pointer(t, never), 128 + 7 * 64, 0);
    vt_types_set_struct(t, later, false, 80);
    assert_true(vt_types_is_known(t, later));
    /* What is known stays as it is. */
    vt_types_member(t, "wrong", integer, 0, 0);
    vt_types_set_struct(t, later, false, 4);
    vt_types_set_base(t, integer, VT_BASE_INT, 8, true);
    vt_types_set_base(t, integer, VT_BASE_CHAR, 1, false);
    vt_types_set_base(t, unit, VT_BASE_INT, 4, false);
    vt_types_set_base(t, vt_types_named(t, VT_TYPES_BASE, "_Bool", false), VT_BASE_BOOL, 1, false);
    vt_types_set_base(t, vt_types_named(t, VT_TYPES_BASE, "char", false), VT_BASE_CHAR, 1, true);
    vt_types_set_base(t, vt_types_named(t, VT_TYPES_BASE, "double", false), VT_BASE_FLOAT, 8, true);
    vt_types_enumerator(t, "SMALL", 3);
    vt_types_enumerator(t, "LARGE", 0xfffffffe);
    vt_types_set_enum(t, vt_types_named(t, VT_TYPES_ENUM, "plain", false), 4);
    vt_types_enumerator(t, "MINUS", -3);
    vt_types_set_enum(t, vt_types_named(t, VT_TYPES_ENUM, "", false), 4);
    vt_types_enumerator(t, "WIDE", INT64_C(0x123456789a));
    vt_types_set_enum(t, vt_types_named(t, VT_TYPES_ENUM, "wide", false), 8);
    assert_true(vt_types_has_enumerator(t, "MINUS"));
    assert_false(vt_types_has_enumerator(t, "PLUS"));
    assert_false(vt_types_has_enumerator(t, ""));

    struct vt_btf *ours;
    struct vt_member m;
    int64_t value;
    uint32_t bytes;
    struct btf *theirs = finish(t, &ours);
    int id = btf__find_by_name_kind(theirs, "later", BTF_KIND_STRUCT);
    assert_int_equal(id, later);
    assert_int_equal(btf_vlen(btf__type_by_id(theirs, later)), 5);
    assert_int_equal(btf__resolve_size(theirs, array), 56);
    assert_true(btf__find_by_name_kind(theirs, "never", BTF_KIND_FWD) > 0);
    assert_true(btf__find_by_name_kind(theirs, "double", BTF_KIND_FLOAT) > 0);
    assert_true(btf__find_by_name_kind(theirs, "wide", BTF_KIND_ENUM64) > 0);
    const struct btf_type *b =
        btf__type_by_id(theirs, (uint32_t)btf__find_by_name_kind(theirs, "_Bool", BTF_KIND_INT));
    assert_int_equal(btf_int_encoding(b), BTF_INT_BOOL);
    b = btf__type_by_id(theirs, integer);
    assert_true(btf_int_encoding(b) == BTF_INT_SIGNED && btf_int_bits(b) == 64 && b->size == 8);
    assert_int_equal(vt_btf_member(ours, "later", "b", &m, NULL), 0);
    assert_true(m.offset == 0 && m.bit == 3 && m.bits == 9);
    assert_int_equal(vt_btf_member(ours, "later", "as_pointer", &m, NULL), 0);
    assert_true(m.offset == 8 && m.size == 8 && m.bits == 0);
    assert_int_equal(vt_btf_member(ours, "later", "list", &m, NULL), 0);
    assert_true(m.offset == 16 && m.size == 56);
    assert_int_equal(vt_btf_member(ours, "later", "wrong", &m, NULL), VT_E_NOT_FOUND);
    assert_int_equal(vt_btf_struct_size(ours, "later", &bytes, NULL), 0);
    assert_int_equal(bytes, 80);
    assert_int_equal(vt_btf_struct_size(ours, "never", &bytes, NULL), VT_E_NOT_FOUND);
    static const struct {
        const char *name;
        int64_t value;
    } values[] = {
        {"SMALL", 3}, {"LARGE", 0xfffffffe}, {"MINUS", -3}, {"WIDE", INT64_C(0x123456789a)}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(vt_btf_enumerator(ours, values[i].name, &value, NULL), 0);
        assert_true(value == values[i].value);
    }
    vt_btf_destroy(ours);
    btf__free(theirs);
}

/* As many as a kernel has: each is found again by its name. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct vt_types *t = begin();
    uint32_t *ids = calloc(MANY, sizeof *ids);
    char name[32];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "type_%u", i);
            uint32_t id = vt_types_named(t, VT_TYPES_STRUCT, name, false);
            assert_true(id != 0 && (round == 0 || id == ids[i]));
            ids[i] = id;
            vt_types_member(t, name, vt_types_pointer(t, id), 0, 0);
            vt_types_set_struct(t, id, false, 8);
        }
    }
    struct vt_btf *ours;
    struct btf *theirs = finish(t, &ours);
    assert_int_equal(vt_btf_types(ours), 2 * MANY);
    assert_int_equal(vt_btf_struct(ours, "type_19999"), ids[MANY - 1]);
    free(ids);
    vt_btf_destroy(ours);
    btf__free(theirs);
}

static void test_limits(void **state)
{
    (void)state;
    struct vt_types *t = begin();
    uint32_t id = vt_types_named(t, VT_TYPES_STRUCT, "crowd", false);
    for (unsigned i = 0; i < 65536; i++) {
        vt_types_member(t, "m", 0, 0, 0);
    }
    vt_types_set_struct(t, id, false, 8);
    assert_int_equal(failure(t), VT_E_LIMIT);

    t = begin();
    id = vt_types_named(t, VT_TYPES_STRUCT, "long", false);
    vt_types_member(t, "near", 0, 0, 1);
    vt_types_member(t, "far", 0, UINT64_C(1) << 24, 0);
    vt_types_set_struct(t, id, false, 8u << 20);
    assert_int_equal(failure(t), VT_E_LIMIT);

    t = begin();
    id = vt_types_named(t, VT_TYPES_STRUCT, "huge", false);
    vt_types_set_struct(t, id, false, UINT64_C(1) << 32);
    vt_types_member(t, "far", 0, UINT64_C(1) << 32, 0);
    id = vt_types_named(t, VT_TYPES_STRUCT, "huger", false);
    vt_types_set_struct(t, id, false, 8);
    /* It sticks: nothing is made any more, and nothing breaks. */
    assert_int_equal(vt_types_named(t, VT_TYPES_STRUCT, "x", false), 0);
    assert_int_equal(vt_types_pointer(t, 1), 0);
    assert_true(vt_types_is_known(t, 1));
    vt_types_set_enum(t, 1, 4);
    vt_types_set_base(t, 1, VT_BASE_INT, 4, false);
    assert_int_equal(failure(t), VT_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_limits),
    };
    libbpf_set_print(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
