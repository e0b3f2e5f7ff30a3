/* tests/fuzz/fuzz_btf.c - type information of any shape: refused, or safe to ask. */
#include "tests/fuzz/fuzz.h"

#include "guest/symbols/btf.h"
#include "vitrine/guest.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const char *const structs[] = {"task_struct", "mm_struct", "list_head", "a", "outer"};
    static const char *const paths[] = {"tasks", "mm.pgd", "next", "val", "in.second", "x.y.z.w"};
    uint8_t *copy = malloc(count + 1);
    struct vt_btf *btf;
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, bytes, count);
    if (vt_btf_create(copy, count, &btf, NULL) != 0) {
        return 0;
    }
    for (size_t s = 0; s < sizeof structs / sizeof structs[0]; s++) {
        uint32_t size = 0;
        vt_btf_struct_size(btf, structs[s], &size, NULL);
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            struct vt_member m = {0};
            if (vt_btf_member(btf, structs[s], paths[p], &m, NULL) == 0) {
                FUZZ_CHECK((uint64_t)m.offset + m.size <= UINT32_MAX && m.bit < 8);
            }
        }
    }
    int64_t value;
    vt_btf_enumerator(btf, "PG_slab", &value, NULL);
    vt_btf_destroy(btf);
    return 0;
}
