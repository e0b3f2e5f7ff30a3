/* The bare-metal guest's reader of device trees, on trees made here: nodes in order, cells of
 * parents, words of "compatible", and blobs that lie.
 */
#include "tests/unit/harness.h"

#include <string.h>

#include "card.h"

/* device_tree.c takes it from script.c, which wants a whole machine. */
bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- a blob */

struct blob {
    uint8_t bytes[4096], structs[2048], strings[512];
    uint32_t n_structs, n_strings;
};

static void be32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static void word(struct blob *b, uint32_t value)
{
    be32(b->structs + b->n_structs, value);
    b->n_structs += 4;
}

static void bytes(struct blob *b, const void *from, size_t n)
{
    memcpy(b->structs + b->n_structs, from, n);
    b->n_structs += (uint32_t)(n + 3) & ~3u;
}

static void begin(struct blob *b, const char *name)
{
    word(b, 1);
    bytes(b, name, strlen(name) + 1);
}

static void property(struct blob *b, const char *name, const void *value, size_t n)
{
    word(b, 3);
    word(b, (uint32_t)n);
    word(b, b->n_strings);
    bytes(b, value, n);
    strcpy((char *)b->strings + b->n_strings, name);
    b->n_strings += (uint32_t)strlen(name) + 1;
}

static void cells(struct blob *b, const char *name, const uint32_t *values, size_t n)
{
    uint8_t wire[64];
    for (size_t i = 0; i < n; i++) {
        be32(wire + 4 * i, values[i]);
    }
    property(b, name, wire, 4 * n);
}

static void end(struct blob *b)
{
    word(b, 2);
}

static const void *finish(struct blob *b)
{
    const uint32_t at = 64, strings = at + b->n_structs;
    const uint32_t header[] = {0xd00dfeed, strings + b->n_strings, at,          strings, 40, 17, 16,
                               0,          b->n_strings,           b->n_structs};
    for (unsigned i = 0; i < sizeof header / sizeof *header; i++) {
        be32(b->bytes + 4 * i, header[i]);
    }
    memcpy(b->bytes + at, b->structs, b->n_structs);
    memcpy(b->bytes + strings, b->strings, b->n_strings);
    return b->bytes;
}

static void machine_tree(struct blob *b)
{
    memset(b, 0, sizeof *b);
    begin(b, "");
    cells(b, "#address-cells", (uint32_t[]){2}, 1);
    cells(b, "#size-cells", (uint32_t[]){2}, 1);
    begin(b, "memory@40000000");
    property(b, "device_type", "memory", 7);
    cells(b, "reg", (uint32_t[]){0, 0x40000000, 1, 0, 0x20, 0, 0, 4096}, 8);
    end(b);
    word(b, 4); /* nothing */
    begin(b, "soc");
    cells(b, "#address-cells", (uint32_t[]){1}, 1);
    cells(b, "#size-cells", (uint32_t[]){0}, 1);
    begin(b, "serial@9000000");
    property(b, "compatible", "arm,pl011\0arm,primecell", 24);
    cells(b, "reg", (uint32_t[]){0x9000000}, 1);
    end(b);
    end(b);
    begin(b, "chosen");
    property(b, "bootargs", "card 1x1", 9);
    end(b);
    end(b);
    word(b, 9);
}

/* ---- tests */

static void test_nodes_and_properties(void **state)
{
    (void)state;
    struct blob b;
    struct card_tree tree;
    struct card_node node;
    uint64_t address, n;
    uint32_t size;
    machine_tree(&b);
    assert_true(tree_open(&tree, finish(&b)));

    assert_true(tree_next(&tree, &node));
    assert_string_equal(node.name, "");
    assert_int_equal(tree_u32(&node, "#address-cells", 7), 2);
    assert_int_equal(tree_u32(&node, "#nothing", 7), 7);

    assert_true(tree_next(&tree, &node));
    assert_string_equal(node.name, "memory@40000000");
    assert_true(tree_reg(&node, 0, &address, &n));
    assert_true(address == 0x40000000 && n == (uint64_t)1 << 32);
    assert_true(tree_reg(&node, 1, &address, &n));
    assert_true(address == (uint64_t)0x20 << 32 && n == 4096);
    assert_false(tree_reg(&node, 2, &address, &n));
    assert_string_equal(tree_property(&node, "device_type", &size), "memory");
    assert_int_equal(size, 7);
    assert_false(tree_is(&node, "memory"));

    assert_true(tree_next(&tree, &node));
    assert_string_equal(node.name, "soc");
    assert_null(tree_property(&node, "reg", &size)); /* its child's */

    assert_true(tree_next(&tree, &node));
    assert_string_equal(node.name, "serial@9000000");
    assert_true(tree_is(&node, "arm,pl011"));
    assert_true(tree_is(&node, "arm,primecell"));
    assert_false(tree_is(&node, "arm"));
    assert_true(tree_reg(&node, 0, &address, &n)); /* cells of the parent: 1 and 0 */
    assert_true(address == 0x9000000 && n == 0);

    assert_true(tree_next(&tree, &node));
    assert_string_equal(node.name, "chosen");
    assert_string_equal(tree_property(&node, "bootargs", &size), "card 1x1");
    assert_false(tree_next(&tree, &node));
}

static void walk(const void *blob)
{
    struct card_tree tree;
    struct card_node node;
    uint64_t address, n;
    uint32_t size;
    if (tree_open(&tree, blob)) {
        while (tree_next(&tree, &node)) {
            (void)tree_is(&node, "arm,pl011");
            (void)tree_reg(&node, 0, &address, &n);
            (void)tree_property(&node, "bootargs", &size);
        }
    }
}

static void test_lies_end_the_walk(void **state)
{
    (void)state;
    struct blob b;
    machine_tree(&b);
    (void)finish(&b);
    /* Every word of the structure spoilt in turn; what is read stays within the blob. */
    for (uint32_t at = 0; at < b.n_structs; at += 4) {
        static const uint32_t values[] = {0, 1, 2, 3, 4, 9, 0x7fffffff, 0xfffffffc, 0xffffffff};
        for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
            uint8_t *copy = malloc(64 + b.n_structs + b.n_strings);
            memcpy(copy, b.bytes, 64 + b.n_structs + b.n_strings);
            be32(copy + 64 + at, values[i]);
            walk(copy);
            free(copy);
        }
    }
    /* Nodes without end. */
    memset(&b, 0, sizeof b);
    for (unsigned i = 0; i < 100; i++) {
        begin(&b, "deeper");
    }
    walk(finish(&b));
    struct card_tree tree;
    be32(b.bytes, 0xd00dfeee);
    assert_false(tree_open(&tree, b.bytes));
    assert_false(tree_open(&tree, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_and_properties),
        cmocka_unit_test(test_lies_end_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
