/* tests/fuzz/fuzz_btf.c - type information of any shape: refused, or safe to ask; alone, and as
 * types of a module on top of themselves. */
#include "tests/fuzz/fuzz.h"

#include "guest/symbols/btf.h"
#include "vitrine/guest.h"

#include <string.h>

static struct vt_btf *make(const uint8_t *bytes, size_t count, const struct vt_btf *base)
{
    uint8_t *copy = malloc(count + 1);
    struct vt_btf *btf = NULL;
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, bytes, count);
    vt_btf_create_split(copy, count, base, &btf, NULL);
    return btf;
}

static void ask(const struct vt_btf *btf)
{
    static const char *const structs[] = {"task_struct", "mm_struct", "list_head", "a", "outer"};
    static const char *const paths[] = {"tasks", "mm.pgd", "next", "val", "in.second", "x.y.z.w"};
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
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_btf *btf = make(bytes, count, NULL);
    if (btf == NULL) {
        return 0;
    }
    ask(btf);
    struct vt_btf *split = make(bytes, count, btf);
    if (split != NULL) {
        FUZZ_CHECK(vt_btf_types(split) == 2 * vt_btf_types(btf));
        ask(split);
        vt_btf_destroy(split);
    }
    vt_btf_destroy(btf);
    return 0;
}
