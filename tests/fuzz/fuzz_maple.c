/* tests/fuzz/fuzz_maple.c - maple trees of any content: the root's pointer, then up to 16 nodes
 * that lie one behind the other. Entries ascend and do not overlap, and no node is gone through
 * twice.
 */
#include "tests/fuzz/fuzz.h"

#include "guest/linux/maple.h"
#include "tests/unit/guest/synthetic.h"

#include <string.h>

#define TABLES 0x1000u
#define TREE 0x8000u
#define NODES 0x10000u
#define NODES_MAX 16u

static const struct vt_maple_layout layout = {
    .root = 8,
    .dense = {.slot = 8, .slots = 31},
    .range = {.pivot = 8, .slot = 128, .pivots = 15, .slots = 16},
    .arange = {.pivot = 8, .slot = 80, .pivots = 9, .slots = 10},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct synthetic s;
    static struct vt_ram *ram;
    static struct vt_maple_walk walk;
    if (ram == NULL) {
        synthetic_create(&s);
        ram = synthetic_open(&s);
        /* The first 2 MiB lie where they are. */
        synthetic_put(&s, TABLES, 0x2000 | 1, 8);
        synthetic_put(&s, 0x2000, 0x3000 | 1, 8);
        synthetic_put(&s, 0x3000, 0x81, 8);
    }
    struct vt_space space = {.ram = ram, .root = VT_GPA(TABLES), .levels = 4};
    size_t head = count < 8 ? count : 8, rest = count - head;
    rest = rest < NODES_MAX * VT_MAPLE_NODE_BYTES ? rest : NODES_MAX * VT_MAPLE_NODE_BYTES;
    memset(s.ram + TREE, 0, 24);
    memset(s.ram + NODES, 0, NODES_MAX * VT_MAPLE_NODE_BYTES);
    memcpy(s.ram + TREE + 8, bytes, head);
    memcpy(s.ram + NODES, bytes + head, rest);

    struct vt_maple_entry e;
    uint64_t next = 0;
    unsigned n = 0;
    bool ended = false;
    vt_maple_begin(&walk, &space, &layout, VT_GVA(TREE), 1000);
    while (vt_maple_next(&walk, &e)) {
        FUZZ_CHECK(!ended && e.first >= next && e.last >= e.first && e.value != 0);
        ended = e.last == UINT64_MAX;
        next = e.last + 1;
        FUZZ_CHECK(++n <= NODES_MAX * 31 + 1);
    }
    FUZZ_CHECK(walk.torn == (walk.why[0] != '\0'));
    return 0;
}
