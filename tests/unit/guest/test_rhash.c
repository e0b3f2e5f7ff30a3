/* tests/unit/guest/test_rhash.c - resizable hash tables built by hand: plain, nested, growing, and
 * broken ones. The first 2 MiB are mapped to themselves.
 */
#include "tests/unit/harness.h"

#include "guest/linux/rhash.h"
#include "tests/unit/guest/synthetic.h"

#include <string.h>

#define ROOT 0x1000u
#define RHASHTABLE 0x8000u /* struct rhashtable */
#define TABLE 0x10000u     /* struct bucket_table */
#define FUTURE 0x20000u
#define NODE(i) (0x40000u + 64u * (unsigned)(i))
#define CAP 2000u

enum { TBL = 8, SIZE = 0, NEST = 4, NEXT_TABLE = 40, BUCKETS = 64 };

static const struct vt_rhash_layout layout = {
    .table = {.offset = TBL, .size = 8},
    .head = {.low = 0, .high = 48},
    .size = {.offset = SIZE, .size = 4},
    .nest = {.offset = NEST, .size = 4},
    .future = {.offset = NEXT_TABLE, .size = 8},
    .buckets = {.offset = BUCKETS},
};

struct fixture {
    struct synthetic s;
    struct vt_ram *ram;
    struct vt_space space;
    struct vt_rhash_walk walk;
    bool met[CAP];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    synthetic_create(&f->s);
    f->ram = synthetic_open(&f->s);
    f->space = (struct vt_space){.ram = f->ram, .root = VT_GPA(ROOT), .levels = 4};
    synthetic_put(&f->s, ROOT, 0x2000 | 1, 8);
    synthetic_put(&f->s, 0x2000, 0x3000 | 1, 8);
    synthetic_put(&f->s, 0x3000, 0x81, 8);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_rhash_end(&f->walk);
    vt_ram_close(f->ram);
    synthetic_destroy(&f->s);
    free(f);
    return 0;
}

static void table(struct fixture *f, uint64_t at, uint32_t size, uint32_t nest, uint64_t future)
{
    synthetic_put(&f->s, RHASHTABLE + TBL, TABLE, 8);
    synthetic_put(&f->s, at + SIZE, size, 4);
    synthetic_put(&f->s, at + NEST, nest, 4);
    synthetic_put(&f->s, at + NEXT_TABLE, future, 8);
}

/* Nodes first … first + n - 1 in the bucket at `bucket`. */
static void chain(struct fixture *f, uint64_t bucket, unsigned first, unsigned n)
{
    uint64_t link = bucket;
    for (unsigned i = first; i < first + n; i++) {
        synthetic_put(&f->s, link, NODE(i), 8);
        link = NODE(i);
    }
    synthetic_put(&f->s, link, n == 0 ? 0 : bucket | 1, 8);
}

/* How many nodes there are; none is given twice. */
static unsigned count(struct fixture *f, size_t cap)
{
    struct vt_gva node;
    unsigned n = 0;
    int rc;
    vt_rhash_end(&f->walk);
    memset(f->met, 0, sizeof f->met);
    vt_rhash_begin(&f->walk, &f->space, &layout, VT_GVA(RHASHTABLE), cap);
    while ((rc = vt_rhash_next(&f->walk, &node, NULL)) == 1) {
        size_t i = (node.v - NODE(0)) / 64;
        assert_false(i < CAP && f->met[i]);
        f->met[i < CAP ? i : 0] = true;
        n++;
    }
    assert_int_equal(rc, 0);
    return n;
}

static void test_plain(void **state)
{
    struct fixture *f = *state;
    unsigned n = 0;
    table(f, TABLE, 512, 0, 0);
    for (unsigned b = 0; b < 512; b++) {
        chain(f, TABLE + BUCKETS + 8 * b, n, b % 4);
        n += b % 4;
    }
    synthetic_put(&f->s, TABLE + BUCKETS + 8, NODE(0) | 1, 8); /* locked */
    assert_int_equal(count(f, CAP), n);
    assert_false(f->walk.torn);
}

/* 2 048 buckets: a first page of 2 entries, each a page of 512 pointers to pages of 2 buckets. */
static void test_nested(void **state)
{
    struct fixture *f = *state;
    uint64_t first = 0x80000, second = 0x81000, third = 0x82000;
    table(f, TABLE, 2048, 1, 0);
    synthetic_put(&f->s, TABLE + BUCKETS, first, 8);
    synthetic_put(&f->s, first + 8, second, 8); /* odd hashes only */
    synthetic_put(&f->s, second + 8 * 5, third, 8);
    chain(f, third, 0, 3);
    chain(f, third + 8, 3, 1);
    assert_int_equal(count(f, CAP), 4);
    assert_false(f->walk.torn);
    /* 1 024: one level less. */
    table(f, TABLE, 1024, 1, 0);
    chain(f, second + 8 * 5, 0, 3);
    assert_int_equal(count(f, CAP), 3);
    assert_false(f->walk.torn);
}

static void test_growing(void **state)
{
    struct fixture *f = *state;
    table(f, TABLE, 4, 0, FUTURE);
    table(f, FUTURE, 8, 0, 0);
    chain(f, TABLE + BUCKETS, 0, 3);
    chain(f, FUTURE + BUCKETS + 16, 10, 3);
    assert_int_equal(count(f, CAP), 6);
    assert_false(f->walk.torn);
    /* Node 2 was moved between two looks: it stands in both, others behind it. */
    synthetic_put(&f->s, FUTURE + BUCKETS + 16, NODE(2), 8);
    synthetic_put(&f->s, NODE(2), NODE(10), 8);
    assert_int_equal(count(f, CAP), 6);
}

static void test_broken(void **state)
{
    struct fixture *f = *state;
    table(f, TABLE, 4, 0, 0);
    chain(f, TABLE + BUCKETS, 0, 3);
    chain(f, TABLE + BUCKETS + 8, 10, 3);
    synthetic_put(&f->s, NODE(2), NODE(0), 8); /* a cycle */
    assert_int_equal(count(f, CAP), 6);
    assert_true(f->walk.torn);
    synthetic_put(&f->s, NODE(2), NODE(10), 8); /* runs into another bucket */
    assert_int_equal(count(f, CAP), 6);
    assert_true(f->walk.torn);
    synthetic_put(&f->s, NODE(2), UINT64_C(0x12345678900), 8); /* leads nowhere */
    assert_int_equal(count(f, CAP), 7);                        /* with a node that cannot be read */
    assert_true(f->walk.torn);
    chain(f, TABLE + BUCKETS, 0, 3);
    assert_int_equal(count(f, 4), 4);
    assert_true(f->walk.torn);
    assert_int_equal(count(f, CAP), 6);
    assert_false(f->walk.torn);
}

static void test_no_table(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(count(f, CAP), 0); /* not made yet */
    assert_false(f->walk.torn);
    table(f, TABLE, 3, 0, 0); /* no power of two */
    assert_int_equal(count(f, CAP), 0);
    assert_true(f->walk.torn);
    table(f, TABLE, UINT32_C(1) << 31, 0, 0); /* more than RAM */
    assert_int_equal(count(f, CAP), 0);
    assert_true(f->walk.torn);
    table(f, TABLE, 1024, 32, 0);
    assert_int_equal(count(f, CAP), 0);
    assert_true(f->walk.torn);
    table(f, TABLE, 4, 0, TABLE); /* its own successor */
    chain(f, TABLE + BUCKETS, 0, 3);
    assert_int_equal(count(f, CAP), 3);
    assert_true(f->walk.torn);
    synthetic_put(&f->s, RHASHTABLE + TBL, UINT64_C(0x12345678900), 8);
    assert_int_equal(count(f, CAP), 0);
    assert_true(f->walk.torn);
}

#define with_ram(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ram(test_plain),  with_ram(test_nested),   with_ram(test_growing),
        with_ram(test_broken), with_ram(test_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
