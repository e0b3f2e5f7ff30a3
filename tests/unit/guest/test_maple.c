/* tests/unit/guest/test_maple.c - maple trees built by hand: every type of node, and broken ones.
 */
#include "tests/unit/harness.h"

#include "guest/linux/maple.h"
#include "tests/unit/guest/synthetic.h"

#include <stdlib.h>
#include <string.h>

enum { DENSE = 0, LEAF = 1, RANGE = 2, ARANGE = 3 };
#define TREE 0x2000u
#define ROOT 0x1000u /* page-table root; a large page maps the first 2 MiB to themselves */
#define NODES 0x10000u
#define ALL UINT64_MAX

static const struct vt_maple_layout layout = {
    .root = 8,
    .dense = {.slot = 8, .slots = 31},
    .range = {.pivot = 8, .slot = 128, .pivots = 15, .slots = 16},
    .arange = {.pivot = 8, .slot = 80, .pivots = 9, .slots = 10},
};

struct fixture {
    struct synthetic s;
    struct vt_ram *ram;
    struct vt_space space;
    struct vt_maple_walk walk;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    synthetic_create(&f->s);
    f->ram = synthetic_open(&f->s);
    f->space = (struct vt_space){.ram = f->ram, .root = VT_GPA(ROOT), .levels = 4};
    synthetic_put(&f->s, ROOT, 0x3000 | 1, 8);
    synthetic_put(&f->s, 0x3000, 0x4000 | 1, 8);
    synthetic_put(&f->s, 0x4000, 0x81, 8);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_ram_close(f->ram);
    synthetic_destroy(&f->s);
    free(f);
    return 0;
}

static uint64_t node(unsigned i)
{
    return NODES + 256 * (uint64_t)i;
}

static uint64_t pointer(unsigned i, unsigned type)
{
    return node(i) | type << 3 | 4;
}

static void set_root(struct fixture *f, unsigned i, unsigned type)
{
    synthetic_put(&f->s, TREE + 8, pointer(i, type) | 2, 8);
    synthetic_put(&f->s, node(i), TREE | 1, 8);
}

static const struct vt_maple_node_layout *of(unsigned type)
{
    return type == DENSE ? &layout.dense : type == ARANGE ? &layout.arange : &layout.range;
}

/* Slot `slot` of node i ends at `pivot` and holds `value`. */
static void put(struct fixture *f, unsigned i, unsigned type, unsigned slot, uint64_t pivot,
                uint64_t value)
{
    if (slot < of(type)->pivots) {
        synthetic_put(&f->s, node(i) + of(type)->pivot + 8 * (uint64_t)slot, pivot, 8);
    }
    synthetic_put(&f->s, node(i) + of(type)->slot + 8 * (uint64_t)slot, value, 8);
}

/* The same with node `child`, which then knows its place. */
static void hang(struct fixture *f, unsigned i, unsigned type, unsigned slot, uint64_t pivot,
                 unsigned child, unsigned child_type)
{
    put(f, i, type, slot, pivot, pointer(child, child_type));
    synthetic_put(&f->s, node(child), node(i) | slot << 3 | 6, 8);
}

/* Walks with room for `cap` nodes; the n entries are compared with `want`. */
static void expect(struct fixture *f, size_t cap, const struct vt_maple_entry *want, size_t n,
                   bool torn)
{
    struct vt_maple_entry e;
    size_t i = 0;
    vt_maple_begin(&f->walk, &f->space, &layout, VT_GVA(TREE), cap);
    while (vt_maple_next(&f->walk, &e)) {
        assert_true(i < n);
        assert_true(e.first == want[i].first);
        assert_true(e.last == want[i].last);
        assert_true(e.value == want[i].value);
        i++;
    }
    assert_int_equal(i, n);
    assert_int_equal(f->walk.torn, torn);
    assert_int_equal(f->walk.why[0] != '\0', torn);
    assert_false(vt_maple_next(&f->walk, &e));
}

static void test_without_nodes(void **state)
{
    struct fixture *f = *state;
    expect(f, 9, NULL, 0, false);
    synthetic_put(&f->s, TREE + 8, 0xffff888000001000, 8);
    expect(f, 9, (struct vt_maple_entry[]){{0, 0, 0xffff888000001000}}, 1, false);
    synthetic_put(&f->s, TREE + 8, 1030, 8); /* XA_ZERO_ENTRY */
    expect(f, 9, (struct vt_maple_entry[]){{0, 0, 1030}}, 1, false);
    assert_true(vt_maple_is_reserved(1030));
    assert_false(vt_maple_is_reserved(0xffff888000001002));
    vt_maple_begin(&f->walk, &f->space, &layout, VT_GVA(0x40000000), 9);
    assert_true(f->walk.torn);
}

static void test_one_leaf(void **state)
{
    struct fixture *f = *state;
    set_root(f, 0, LEAF);
    put(f, 0, LEAF, 0, 0, 0x111);
    put(f, 0, LEAF, 1, 0xfff, 0);
    put(f, 0, LEAF, 2, 0x1fff, 0x222);
    put(f, 0, LEAF, 3, 0, 0x333);    /* no pivot: up to the end */
    put(f, 0, LEAF, 4, 0x10, 0x999); /* left over */
    const struct vt_maple_entry some[] = {
        {0, 0, 0x111}, {0x1000, 0x1fff, 0x222}, {0x2000, ALL, 0x333}};
    expect(f, 9, some, 3, false);
    put(f, 0, LEAF, 3, ALL, 0x333); /* the other way to say it */
    expect(f, 9, some, 3, false);
    /* A full one: the last slot has no pivot. */
    struct vt_maple_entry full[16];
    for (unsigned i = 0; i < 16; i++) {
        full[i] = (struct vt_maple_entry){10 * i, i == 15 ? ALL : 10 * i + 9, 0x500 + i};
        put(f, 0, LEAF, i, full[i].last, full[i].value);
    }
    expect(f, 9, full, 16, false);
}

/* arange over range over leaf and dense. */
static void make_tree(struct fixture *f)
{
    set_root(f, 0, ARANGE);
    hang(f, 0, ARANGE, 0, 0xffff, 1, RANGE);
    hang(f, 0, ARANGE, 1, 0x1ffff, 2, LEAF);
    hang(f, 0, ARANGE, 2, 0, 3, LEAF);
    hang(f, 1, RANGE, 0, 0xff, 4, LEAF);
    hang(f, 1, RANGE, 1, 0x11e, 5, DENSE);
    hang(f, 1, RANGE, 2, 0xffff, 6, LEAF);
    put(f, 4, LEAF, 0, 0x7f, 0);
    put(f, 4, LEAF, 1, 0xff, 0xa);
    put(f, 5, DENSE, 3, 0, 0xb);
    put(f, 5, DENSE, 30, 0, 0xc);
    put(f, 6, LEAF, 0, 0x11f, 0xd);
    put(f, 6, LEAF, 1, 0xffff, 0);
    put(f, 2, LEAF, 0, 0, 0xe0);
    put(f, 2, LEAF, 0, 0x10fff, 0xe);
    put(f, 2, LEAF, 1, 0x1ffff, 0xf);
    put(f, 3, LEAF, 0, ALL, 0);
}

static const struct vt_maple_entry entries[] = {
    {0x80, 0xff, 0xa},   {0x103, 0x103, 0xb},     {0x11e, 0x11e, 0xc},
    {0x11f, 0x11f, 0xd}, {0x10000, 0x10fff, 0xe}, {0x11000, 0x1ffff, 0xf},
};

static void test_levels(void **state)
{
    struct fixture *f = *state;
    make_tree(f);
    expect(f, 7, entries, 6, false);
    expect(f, 6, entries, 6, true); /* one node more than allowed: the last, empty one */
    expect(f, 1, NULL, 0, true);
}

static void test_broken(void **state)
{
    struct fixture *f = *state;
    make_tree(f);
    put(f, 1, RANGE, 0, 0xff, 0); /* no child */
    expect(f, 99, entries + 1, 5, true);
    hang(f, 1, RANGE, 0, 0xff, 4, LEAF);
    put(f, 1, RANGE, 0, 0xff, pointer(4, 9)); /* no such type */
    expect(f, 99, entries + 1, 5, true);
    put(f, 1, RANGE, 0, 0xff, UINT64_C(0x400000000c)); /* not mapped */
    expect(f, 99, entries + 1, 5, true);
    hang(f, 1, RANGE, 0, 0xff, 4, LEAF);
    synthetic_put(&f->s, node(4), node(4), 8); /* freed: its own parent */
    expect(f, 99, entries + 1, 5, true);
    synthetic_put(&f->s, node(4), node(1) | 1 << 3 | 6, 8); /* another slot */
    expect(f, 99, entries + 1, 5, true);
    hang(f, 1, RANGE, 0, 0xff, 4, LEAF);
    put(f, 2, LEAF, 1, 0x20000, 0xf); /* behind the node's range */
    expect(f, 99, entries, 5, true);
    put(f, 2, LEAF, 1, 0x10ffe, 0xf); /* before the slot before it */
    expect(f, 99, entries, 5, true);
    put(f, 2, LEAF, 1, 0x1ffff, 0xf);
    expect(f, 99, entries, 6, false);
    synthetic_put(&f->s, node(0), (TREE + 64) | 1, 8); /* the root of another tree */
    expect(f, 99, NULL, 0, true);
}

/* Nodes that lead back to a node above them, and a chain deeper than any tree. */
static void test_cycles(void **state)
{
    struct fixture *f = *state;
    set_root(f, 0, RANGE);
    hang(f, 0, RANGE, 0, 0xffff, 1, RANGE);
    put(f, 0, RANGE, 1, ALL, pointer(0, RANGE));
    put(f, 1, RANGE, 0, 0xfff, pointer(1, RANGE));
    put(f, 1, RANGE, 1, 0xffff, pointer(0, RANGE));
    expect(f, 1000000, NULL, 0, true);
    for (unsigned i = 0; i < 40; i++) {
        hang(f, i, RANGE, 0, ALL, i + 1, RANGE);
    }
    expect(f, 1000000, NULL, 0, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cycles, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
