/* guests/card/device_tree.c - reads a flattened device tree, node by node.
 *
 * Source: Devicetree Specification 0.4, chapter 5 (the blob), 2.3 (standard properties). Offsets
 * are checked against the blob's own sizes; a blob that lies ends the walk.
 */
#include <string.h>

#include "card.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4 };

uint64_t tree_cells(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 4 * n; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)tree_cells(at, 1);
}

bool tree_open(struct card_tree *tree, const void *blob)
{
    const uint8_t *b = blob;

    if (!b || be32(b) != 0xd00dfeed) {
        return false;
    }
    *tree = (struct card_tree){
        .bytes = be32(b + 4),
        .structs = b + be32(b + 8),
        .strings = b + be32(b + 12),
        .strings_bytes = be32(b + 32),
        .structs_bytes = be32(b + 36),
    };
    return true;
}

/* Length of the text at `at`, or `room` if it does not end before. */
static uint32_t text_bytes(const uint8_t *at, uint32_t room)
{
    uint32_t n = 0;

    while (n < room && at[n] != 0) {
        n++;
    }
    return n;
}

/* The token at *at; *at moves behind it. 0: the end. */
static uint32_t token(const struct card_tree *tree, uint32_t *at, const uint8_t **data,
                      uint32_t *bytes, const char **name)
{
    const uint8_t *s = tree->structs;

    while (*at + 4 <= tree->structs_bytes) {
        uint32_t kind = be32(s + *at), room = tree->structs_bytes - *at - 4;

        *data = s + *at + 4;
        switch (kind) {
        case NOP:
            *at += 4;
            continue;
        case BEGIN_NODE:
            *bytes = text_bytes(*data, room);
            if (*bytes == room) {
                return 0;
            }
            *name = (const char *)*data;
            *at += 4 + ((*bytes + 4) & ~3u);
            return kind;
        case END_NODE:
            *at += 4;
            return kind;
        case PROPERTY:
            if (room < 8 || be32(*data) > room - 8 || be32(*data + 4) >= tree->strings_bytes) {
                return 0;
            }
            *bytes = be32(*data);
            *name = (const char *)tree->strings + be32(*data + 4);
            *data += 8;
            *at += 12 + ((*bytes + 3) & ~3u);
            return kind;
        default:
            return 0;
        }
    }
    return 0;
}

bool tree_next(struct card_tree *tree, struct card_node *node)
{
    const uint32_t deepest = sizeof(tree->cells) / sizeof(tree->cells[0]) - 1;
    const uint8_t *data;
    const char *name;
    uint32_t kind, bytes;

    while ((kind = token(tree, &tree->at, &data, &bytes, &name)) != 0) {
        if (kind == END_NODE && tree->depth > 0) {
            tree->depth--;
        }
        if (kind != BEGIN_NODE) {
            continue;
        }
        if (tree->depth >= deepest) {
            return false;
        }
        *node = (struct card_node){
            .name = name,
            .tree = tree,
            .properties = tree->at,
            .address_cells = tree->cells[tree->depth][0],
            .size_cells = tree->cells[tree->depth][1],
        };
        tree->depth++;
        tree->cells[tree->depth][0] = tree_u32(node, "#address-cells", 2);
        tree->cells[tree->depth][1] = tree_u32(node, "#size-cells", 1);
        return true;
    }
    return false;
}

const void *tree_property(const struct card_node *node, const char *name, uint32_t *bytes)
{
    uint32_t at = node->properties, n;
    const uint8_t *data;
    const char *is;

    while (token(node->tree, &at, &data, &n, &is) == PROPERTY) {
        if (same_text(is, name)) {
            *bytes = n;
            return data;
        }
    }
    return NULL;
}

uint32_t tree_u32(const struct card_node *node, const char *name, uint32_t otherwise)
{
    uint32_t bytes;
    const void *at = tree_property(node, name, &bytes);

    return at && bytes >= 4 ? be32(at) : otherwise;
}

bool tree_is(const struct card_node *node, const char *word)
{
    uint32_t bytes;
    const char *at = tree_property(node, "compatible", &bytes);

    while (at && bytes > 0) {
        uint32_t n = text_bytes((const uint8_t *)at, bytes);

        if (n < bytes && same_text(at, word)) {
            return true;
        }
        n = n < bytes ? n + 1 : n;
        at += n;
        bytes -= n;
    }
    return false;
}

bool tree_reg(const struct card_node *node, unsigned index, uint64_t *address, uint64_t *bytes)
{
    uint32_t n, one = 4 * (node->address_cells + node->size_cells);
    const uint8_t *at = tree_property(node, "reg", &n);

    if (!at || node->address_cells > 2 || node->size_cells > 2 || (index + 1) * one > n) {
        return false;
    }
    at += index * one;
    *address = tree_cells(at, node->address_cells);
    *bytes = tree_cells(at + 4 * node->address_cells, node->size_cells);
    return true;
}
