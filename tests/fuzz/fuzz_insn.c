/* tests/fuzz/fuzz_insn.c - code of a guest: how functions begin, and switches in them. Nothing is
 * read past the end, nothing runs for ever, and what a call says holds together.
 */
#include "tests/fuzz/fuzz.h"

#include "guest/linux/insn.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const uint64_t at = UINT64_C(0xffffffff81000000), untouched = 1;
    uint8_t *copy = malloc(count + 1); /* its end is where a sanitizer looks */
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, bytes, count);
    copy = realloc(copy, count > 0 ? count : 1);
    FUZZ_CHECK(copy != NULL);
    struct vt_insn_detour d = vt_insn_detour(copy, count, at);
    FUZZ_CHECK(d.next <= count && d.next <= VT_INSN_DETOUR_BYTES);
    FUZZ_CHECK((d.kind == VT_INSN_OTHER) == (d.next == 0));
    for (uint32_t number = 0; number < 3; number++) {
        uint64_t target = untouched;
        bool left = vt_insn_switch(copy, count, at, number, &target);
        FUZZ_CHECK(left || target == untouched);
    }
    free(copy);
    return 0;
}
