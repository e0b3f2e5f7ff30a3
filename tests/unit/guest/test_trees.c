/* tests/unit/guest/test_trees.c - red-black trees, xarrays and IDRs, whole and broken.
 *
 * The whole RAM is mapped at BASE by one 1 GiB page; addresses below are offsets into both. The
 * kernel is nothing but this address space and the types of an xarray.
 */
#include "tests/unit/harness.h"

#include "guest/kernel.h"
#include "guest/linux/layout.h"
#include "guest/linux/rbtree.h"
#include "guest/linux/xarray.h"
#include "tests/unit/guest/synthetic.h"

#include <bpf/btf.h>
#include <string.h>

#define ROOT 0x1000u
#define BASE UINT64_C(0x400000000000)
#define HEAD 0x10000u
#define NODE(i) (0x20000u + 0x400u * (unsigned)(i))
#define CAP 1000u

/* struct xa_node as 64-bit kernels have it. */
enum { SHIFT = 0, OFFSET = 1, PARENT = 8, SLOTS = 40, MARKS = 552, NODE_BYTES = 576 };
enum { XA_HEAD = 8, IDR_BASE = 16 };

struct fixture {
    struct synthetic s;
    struct vt_ram *ram;
    struct vt_kernel kernel;
    struct vt_rb_walk rb;
    struct vt_xa_walk xa;
};

static void add_types(struct fixture *f, unsigned slots)
{
    struct btf *btf = btf__new_empty();
    int u8 = btf__add_int(btf, "unsigned char", 1, 0);
    int u32 = btf__add_int(btf, "unsigned int", 4, 0);
    int u64 = btf__add_int(btf, "unsigned long", 8, 0);
    int many = btf__add_array(btf, u32, u64, slots), three = btf__add_array(btf, u32, u64, 3);
    btf__add_struct(btf, "xa_node", NODE_BYTES);
    btf__add_field(btf, "shift", u8, SHIFT * 8, 0);
    btf__add_field(btf, "offset", u8, OFFSET * 8, 0);
    btf__add_field(btf, "parent", u64, PARENT * 8, 0);
    btf__add_field(btf, "slots", many, SLOTS * 8, 0);
    btf__add_field(btf, "marks", three, MARKS * 8, 0);
    int array = btf__add_struct(btf, "xarray", 16);
    btf__add_field(btf, "xa_head", u64, XA_HEAD * 8, 0);
    btf__add_struct(btf, "idr", 24);
    btf__add_field(btf, "idr_rt", array, 0, 0);
    btf__add_field(btf, "idr_base", u32, IDR_BASE * 8, 0);
    uint32_t n;
    const void *raw = btf__raw_data(btf, &n);
    uint8_t *copy = malloc(n);
    memcpy(copy, raw, n);
    btf__free(btf);
    assert_int_equal(vt_btf_create(copy, n, &f->kernel.btf, NULL), 0);
}

static void put(struct fixture *f, uint64_t at, uint64_t value)
{
    synthetic_put(&f->s, at, value, 8);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    synthetic_create(&f->s);
    const struct vt_ram_region all = {VT_GPA(0), VT_OFF(0), SYNTHETIC_BYTES};
    if (vt_ram_open(f->s.path, &all, 1, &f->ram, NULL) != 0) {
        return -1;
    }
    f->kernel.ram = f->ram;
    f->kernel.space = (struct vt_space){.ram = f->ram, .root = VT_GPA(ROOT), .levels = 4};
    put(f, ROOT + 8 * 128, 0x2000 | 3);
    put(f, 0x2000, 0x80 | 3);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_layouts_free(f->kernel.layouts);
    vt_btf_destroy(f->kernel.btf);
    vt_ram_close(f->ram);
    synthetic_destroy(&f->s);
    free(f);
    return 0;
}

/* ---- red-black trees */

/* Makes a balanced tree of the nodes first … first + n - 1 and returns the address of its root. */
static uint64_t tree(struct fixture *f, unsigned first, unsigned n, uint64_t parent)
{
    if (n == 0) {
        return 0;
    }
    unsigned middle = n / 2;
    uint64_t at = NODE(first + middle), va = BASE + at;
    put(f, at, parent | (middle & 1)); /* a colour of some kind */
    put(f, at + 16, tree(f, first, middle, va));
    put(f, at + 8, tree(f, first + middle + 1, n - middle - 1, va));
    return va;
}

/* How many nodes come, and that they come in order. */
static unsigned count_tree(struct fixture *f, size_t cap)
{
    struct vt_gva node, before = {0};
    unsigned n = 0;
    vt_rb_begin(&f->rb, &f->kernel.space, VT_GVA(BASE + HEAD), cap);
    while (vt_rb_next(&f->rb, &node)) {
        assert_true(node.v > before.v);
        before = node;
        n++;
    }
    assert_false(vt_rb_next(&f->rb, &node));
    return n;
}

static void test_tree(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(count_tree(f, CAP), 0);
    for (unsigned n = 1; n <= 200; n = n * 3 / 2 + 1) {
        put(f, HEAD, tree(f, 0, n, 0));
        assert_int_equal(count_tree(f, CAP), n);
        assert_int_equal(count_tree(f, n), n);
        assert_false(f->rb.torn);
    }
}

static void expect_torn_tree(struct fixture *f, size_t cap, unsigned n, const char *why)
{
    assert_int_equal(count_tree(f, cap), n);
    assert_true(f->rb.torn);
    if (strstr(f->rb.why, why) == NULL) {
        fail_msg("'%s' does not say '%s'", f->rb.why, why);
    }
}

static void test_broken_tree(void **state)
{
    struct fixture *f = *state;
    put(f, HEAD, tree(f, 0, 15, 0)); /* its root is node 7, with 3 and 11 below it */
    expect_torn_tree(f, 10, 10, "more than 10 nodes");
    put(f, NODE(3), BASE + NODE(11));
    expect_torn_tree(f, CAP, 8, "does not name its parent");
    tree(f, 0, 15, 0);
    put(f, NODE(7) + 8, UINT64_C(0x700000000000));
    expect_torn_tree(f, CAP, 8, "leads nowhere");
    put(f, NODE(7) + 8, BASE + NODE(3));
    expect_torn_tree(f, CAP, 8, "is on both sides");
    tree(f, 0, 15, 0);
    put(f, NODE(0) + 16, BASE + NODE(7)); /* up again */
    expect_torn_tree(f, CAP, 15, "does not name its parent");
    put(f, HEAD, UINT64_C(0x700000000000));
    expect_torn_tree(f, CAP, 0, "leads nowhere");
}

static void test_deep_tree(void **state)
{
    struct fixture *f = *state;
    put(f, HEAD, BASE + NODE(200));
    for (unsigned i = 200; i > 0; i--) {
        put(f, NODE(i), i == 200 ? 0 : BASE + NODE(i + 1));
        put(f, NODE(i) + 16, i > 1 ? BASE + NODE(i - 1) : 0);
    }
    expect_torn_tree(f, CAP, VT_RB_DEPTH_MAX, "levels");
    put(f, NODE(1), 0);
    put(f, NODE(1) + 8, BASE + NODE(1)); /* below itself */
    put(f, HEAD, BASE + NODE(1));
    expect_torn_tree(f, CAP, 1, "does not name its parent");
}

/* ---- xarrays */

static uint64_t node_entry(unsigned i)
{
    return (BASE + NODE(i)) | 2;
}

/* An empty node. */
static void make_node(struct fixture *f, unsigned i, unsigned shift, unsigned parent, unsigned slot)
{
    for (unsigned at = 0; at < NODE_BYTES; at += 8) {
        put(f, NODE(i) + at, 0);
    }
    synthetic_put(&f->s, NODE(i) + SHIFT, shift, 1);
    synthetic_put(&f->s, NODE(i) + OFFSET, slot, 1);
    if (parent == i) {
        put(f, HEAD + XA_HEAD, node_entry(i));
    } else {
        put(f, NODE(i) + PARENT, BASE + NODE(parent));
        put(f, NODE(parent) + SLOTS + 8 * slot, node_entry(i));
    }
}

static void slot(struct fixture *f, unsigned node, unsigned i, uint64_t entry)
{
    put(f, NODE(node) + SLOTS + 8 * i, entry);
}

static void begin(struct fixture *f, size_t cap)
{
    assert_int_equal(vt_xa_begin(&f->xa, &f->kernel, VT_GVA(BASE + HEAD), cap, NULL), 0);
}

static void expect(struct fixture *f, uint64_t index, uint64_t count, uint64_t value)
{
    struct vt_xa_entry e;
    assert_true(vt_xa_next(&f->xa, &e));
    assert_int_equal(e.index, index);
    assert_int_equal(e.count, count);
    assert_int_equal(e.value, value);
    for (uint64_t i = index; i < index + count; i += count > 1 ? count - 1 : 1) {
        struct vt_xa_entry loaded;
        assert_int_equal(vt_xa_load(&f->kernel, VT_GVA(BASE + HEAD), i, &loaded, NULL), 0);
        assert_memory_equal(&loaded, &e, sizeof e);
    }
}

static void expect_end(struct fixture *f, const char *why)
{
    struct vt_xa_entry e;
    assert_false(vt_xa_next(&f->xa, &e));
    assert_false(vt_xa_next(&f->xa, &e));
    assert_int_equal(f->xa.torn, why != NULL);
    if (why != NULL && strstr(f->xa.why, why) == NULL) {
        fail_msg("'%s' does not say '%s'", f->xa.why, why);
    }
}

static void expect_nothing_at(struct fixture *f, uint64_t index, int code)
{
    struct vt_xa_entry e;
    assert_int_equal(vt_xa_load(&f->kernel, VT_GVA(BASE + HEAD), index, &e, NULL), code);
}

static void test_array(void **state)
{
    struct fixture *f = *state;
    add_types(f, 64);
    begin(f, CAP); /* empty */
    expect_end(f, NULL);
    expect_nothing_at(f, 0, VT_E_NOT_FOUND);
    put(f, HEAD + XA_HEAD, 0x5000); /* one entry, in the head */
    begin(f, CAP);
    expect(f, 0, 1, 0x5000);
    expect_end(f, NULL);
    expect_nothing_at(f, 1, VT_E_NOT_FOUND);
    make_node(f, 0, 12, 0, 0);
    make_node(f, 1, 6, 0, 3);
    make_node(f, 2, 0, 1, 63);
    synthetic_put(&f->s, NODE(0) + OFFSET, 7, 1); /* what it was before means nothing */
    slot(f, 0, 0, 0x1000);                        /* 4096 indices in one slot */
    slot(f, 1, 8, 0x2000);                        /* four slots of 64 */
    slot(f, 1, 9, 8 << 2 | 2);
    slot(f, 1, 10, 8 << 2 | 2);
    slot(f, 1, 11, 8 << 2 | 2);
    slot(f, 1, 12, 257 << 2 | 2); /* reserved */
    slot(f, 2, 5, 77 << 1 | 1);
    slot(f, 2, 63, 0x3000);
    put(f, NODE(2) + MARKS, UINT64_C(1) << 63);
    put(f, NODE(2) + MARKS + 16, UINT64_C(1) << 63);
    begin(f, CAP);
    expect(f, 0, 4096, 0x1000);
    expect(f, 3 * 4096 + 8 * 64, 256, 0x2000);
    expect(f, 3 * 4096 + 63 * 64 + 5, 1, 77 << 1 | 1);
    struct vt_xa_entry e;
    assert_true(vt_xa_next(&f->xa, &e));
    assert_int_equal(e.value, 0x3000);
    assert_int_equal(e.marks, 5);
    assert_true(vt_xa_is_value(77 << 1 | 1));
    assert_int_equal(vt_xa_to_value(77 << 1 | 1), 77);
    expect_end(f, NULL);
    expect_nothing_at(f, 4096, VT_E_NOT_FOUND);
    expect_nothing_at(f, 3 * 4096 + 12 * 64, VT_E_NOT_FOUND);
    expect_nothing_at(f, 64 * 4096, VT_E_NOT_FOUND);
    expect_nothing_at(f, UINT64_MAX, VT_E_NOT_FOUND);
}

static void test_whole_range(void **state)
{
    struct fixture *f = *state;
    add_types(f, 64);
    make_node(f, 0, 60, 0, 0);
    for (unsigned i = 1; i <= 10; i++) {
        make_node(f, i, 60 - 6 * i, i - 1, i == 1 ? 15 : 63);
    }
    slot(f, 10, 63, 0x7000);
    begin(f, 1);
    expect(f, UINT64_MAX, 1, 0x7000);
    expect_end(f, NULL);
    slot(f, 0, 15, 0);
    slot(f, 0, 16, 0x7000);
    make_node(f, 1, 54, 0, 17);
    begin(f, CAP);
    expect_end(f, "more than 64 bits");
}

static void test_broken_array(void **state)
{
    struct fixture *f = *state;
    struct vt_xa_entry e;
    add_types(f, 64);
    make_node(f, 0, 6, 0, 0);
    make_node(f, 1, 0, 0, 1);
    slot(f, 1, 0, 0x1000);
    slot(f, 1, 1, 0x2000);
    slot(f, 0, 3, 0x4000);
    begin(f, 2);
    assert_true(vt_xa_next(&f->xa, &e) && vt_xa_next(&f->xa, &e));
    expect_end(f, "more than 2 entries");
    static const struct {
        unsigned at, bytes;
        uint64_t value;
    } wrong[] = {
        {SHIFT, 1, 6}, {SHIFT, 1, 3}, {OFFSET, 1, 2}, {PARENT, 8, BASE + NODE(1)}, {PARENT, 8, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        make_node(f, 1, 0, 0, 1);
        slot(f, 1, 0, 0x1000);
        synthetic_put(&f->s, NODE(1) + wrong[i].at, wrong[i].value, wrong[i].bytes);
        begin(f, CAP);
        assert_true(vt_xa_next(&f->xa, &e));
        assert_int_equal(e.index, 3 * 64);
        expect_end(f, "no node of the array");
        expect_nothing_at(f, 64, VT_E_CORRUPT);
    }
    slot(f, 0, 1, node_entry(0)); /* the root below itself */
    slot(f, 0, 3, 0);
    begin(f, CAP);
    expect_end(f, "no node of the array");
    slot(f, 0, 1, UINT64_C(0x700000000002));
    begin(f, CAP);
    expect_end(f, "no node of the array");
    put(f, HEAD + XA_HEAD, UINT64_C(0x700000000002));
    begin(f, CAP);
    expect_end(f, "no node of the array");
    assert_int_equal(vt_xa_begin(&f->xa, &f->kernel, VT_GVA(0x700000000000), CAP, NULL), 0);
    expect_end(f, "cannot be read");
}

static void test_idr(void **state)
{
    struct fixture *f = *state;
    uint64_t value;
    add_types(f, 16);
    make_node(f, 0, 0, 0, 0);
    slot(f, 0, 2, 0x1000);
    synthetic_put(&f->s, HEAD + IDR_BASE, 10, 4);
    struct vt_gva idr = VT_GVA(BASE + HEAD);
    struct vt_xa_entry e;
    assert_int_equal(vt_idr_begin(&f->xa, &f->kernel, idr, CAP, NULL), 0);
    assert_true(vt_xa_next(&f->xa, &e));
    assert_int_equal(e.index, 12);
    expect_end(f, NULL);
    assert_int_equal(vt_idr_load(&f->kernel, idr, 12, &value, NULL), 0);
    assert_int_equal(value, 0x1000);
    assert_int_equal(vt_idr_load(&f->kernel, idr, 2, &value, NULL), VT_E_NOT_FOUND);
    assert_int_equal(vt_idr_load(&f->kernel, idr, 11, &value, NULL), VT_E_NOT_FOUND);
}

static void test_types(void **state)
{
    struct fixture *f = *state;
    add_types(f, 3);
    assert_int_equal(vt_xa_begin(&f->xa, &f->kernel, VT_GVA(BASE + HEAD), CAP, NULL), VT_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idr, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
