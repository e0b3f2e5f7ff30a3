/* tests/unit/guest/test_hlist.c - hash chains, whole and broken, and the set of what was met.
 *
 * The whole RAM is mapped at BASE by one 1 GiB page. Two heads at HEADS, nodes at NODE(i).
 */
#include "tests/unit/harness.h"

#include "guest/linux/hlist.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/memory.h"

#include <string.h>

#define ROOT 0x1000u
#define BASE UINT64_C(0x400000000000)
#define HEADS 0x10000u
#define NODE(i) (0x20000u + 0x100u * (unsigned)(i))
#define NULLS(bucket) (((uint64_t)(bucket) << 1) | 1)
#define MANY 1000u

struct fixture {
    struct synthetic s;
    struct vt_ram *ram;
    struct vt_space space;
    struct vt_hlist_walk walk;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    synthetic_create(&f->s);
    const struct vt_ram_region all = {VT_GPA(0), VT_OFF(0), SYNTHETIC_BYTES};
    if (vt_ram_open(f->s.path, &all, 1, &f->ram, NULL) != 0) {
        return -1;
    }
    f->space = (struct vt_space){.ram = f->ram, .root = VT_GPA(ROOT), .levels = 4};
    synthetic_put(&f->s, ROOT + 8 * 128, 0x2000 | 3, 8);
    synthetic_put(&f->s, 0x2000, 0x80 | 3, 8);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_hlist_end(&f->walk);
    vt_ram_close(f->ram);
    synthetic_destroy(&f->s);
    free(f);
    return 0;
}

static void put(struct fixture *f, uint64_t at, uint64_t value)
{
    synthetic_put(&f->s, at, value, 8);
}

/* Nodes first … first + n - 1 in a chain from `head`, ended by `end`. */
static void chain(struct fixture *f, uint64_t head, unsigned first, unsigned n, uint64_t end)
{
    uint64_t link = head;
    for (unsigned i = first; i < first + n; i++) {
        put(f, link, BASE + NODE(i));
        put(f, NODE(i) + 8, BASE + link);
        link = NODE(i);
    }
    put(f, link, end);
}

/* How many nodes the bucket at `head` has. */
static unsigned count(struct fixture *f, uint64_t head)
{
    struct vt_gva node;
    unsigned n = 0;
    int rc;
    vt_hlist_bucket(&f->walk, VT_GVA(BASE + head));
    while ((rc = vt_hlist_next(&f->walk, &node, NULL)) == 1) {
        n++;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(vt_hlist_next(&f->walk, &node, NULL), 0); /* the end stays the end */
    return n;
}

static void test_order(void **state)
{
    struct fixture *f = *state;
    chain(f, HEADS, 0, MANY, 0);
    chain(f, HEADS + 8, MANY, 1, 0);
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST, MANY + 1);
    vt_hlist_bucket(&f->walk, VT_GVA(BASE + HEADS));
    for (unsigned i = 0; i < MANY; i++) {
        struct vt_gva node;
        assert_int_equal(vt_hlist_next(&f->walk, &node, NULL), 1);
        assert_int_equal(node.v, BASE + NODE(i));
        assert_false(f->walk.torn_link);
    }
    assert_int_equal(count(f, HEADS + 8), 1);
    assert_int_equal(count(f, HEADS + 16), 0);
    assert_false(f->walk.torn);
}

static void test_nulls(void **state)
{
    struct fixture *f = *state;
    chain(f, HEADS, 0, 3, NULLS(0));
    chain(f, HEADS + 8, 3, 0, NULLS(7));
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST_NULLS, 100);
    assert_int_equal(count(f, HEADS), 3);
    assert_int_equal(count(f, HEADS + 8), 0);
    assert_int_equal(count(f, HEADS + 16), 0); /* never initialised */
    assert_false(f->walk.torn);
}

static void test_locked_head(void **state)
{
    struct fixture *f = *state;
    chain(f, HEADS, 0, 2, 0);
    put(f, HEADS, (BASE + NODE(0)) | 1);
    put(f, HEADS + 8, 1);
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST_BL, 100);
    assert_int_equal(count(f, HEADS), 2);
    assert_int_equal(count(f, HEADS + 8), 0);
    assert_false(f->walk.torn);
}

static void test_asymmetry(void **state)
{
    struct fixture *f = *state;
    struct vt_gva node;
    chain(f, HEADS, 0, 4, 0);
    put(f, NODE(2) + 8, BASE + NODE(0)); /* node 1 was taken out on one side */
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST, 100);
    vt_hlist_bucket(&f->walk, VT_GVA(BASE + HEADS));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vt_hlist_next(&f->walk, &node, NULL), 1);
        assert_int_equal(f->walk.torn_link, i == 2);
    }
    assert_true(f->walk.torn);
    assert_non_null(strstr(f->walk.why, "does not point back"));
}

static void test_cycle(void **state)
{
    struct fixture *f = *state;
    chain(f, HEADS, 0, 5, BASE + NODE(2));
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST, 100);
    assert_int_equal(count(f, HEADS), 5);
    assert_true(f->walk.torn);
    /* A bucket that runs into another one ends there; the next one is still walked. */
    chain(f, HEADS + 8, 10, 2, BASE + NODE(3));
    chain(f, HEADS + 16, 20, 2, 0);
    assert_int_equal(count(f, HEADS + 8), 2);
    assert_int_equal(count(f, HEADS + 16), 2);
}

static void test_wild_links(void **state)
{
    struct fixture *f = *state;
    chain(f, HEADS, 0, 2, BASE + SYNTHETIC_BYTES + 8); /* outside RAM */
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST, 100);
    assert_int_equal(count(f, HEADS), 2);
    assert_true(f->walk.torn);
    assert_non_null(strstr(f->walk.why, "leads nowhere"));
    vt_hlist_end(&f->walk);
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST, 100);
    assert_int_equal(count(f, UINT64_C(0x8000000000)), 0); /* a head that is not mapped */
    assert_true(f->walk.torn);
}

static void test_cap(void **state)
{
    struct fixture *f = *state;
    chain(f, HEADS, 0, 4, 0);
    chain(f, HEADS + 8, 10, 4, 0);
    vt_hlist_begin(&f->walk, &f->space, VT_HLIST, 6);
    assert_int_equal(count(f, HEADS), 4);
    assert_false(f->walk.torn);
    assert_int_equal(count(f, HEADS + 8), 2);
    assert_true(f->walk.torn);
}

static void test_seen(void **state)
{
    struct vt_seen seen = {0};
    (void)state;
    assert_false(vt_seen_has(&seen, 8));
    for (uint64_t v = 8; v <= 8 * UINT64_C(10000); v += 8) {
        assert_int_equal(vt_seen_add(&seen, v, NULL), 1);
    }
    assert_int_equal(vt_seen_add(&seen, 8, NULL), 0);
    assert_true(vt_seen_has(&seen, 80000));
    assert_false(vt_seen_has(&seen, 80008));
    assert_int_equal(seen.n, 10000);
    vt_seen_fini(&seen);
    assert_int_equal(seen.n, 0);
}

#define with_ram(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ram(test_order),     with_ram(test_nulls),        with_ram(test_locked_head),
        with_ram(test_asymmetry), with_ram(test_cycle),        with_ram(test_wild_links),
        with_ram(test_cap),       cmocka_unit_test(test_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
