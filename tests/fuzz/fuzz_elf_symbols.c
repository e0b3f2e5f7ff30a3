/* tests/fuzz/fuzz_elf_symbols.c - a program's file as a page cache may have it.
 *
 * Input: a byte that says which of the file's pages are not there, then the file.
 */
#include "tests/fuzz/fuzz.h"

#include "guest/symbols/elf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    uint8_t pages[64];
    struct vt_elf elf;
    if (count == 0 || count > sizeof pages * 8 * 4096) {
        return 0;
    }
    memset(pages, ~bytes[0], sizeof pages);
    struct vt_elf_bytes file = {bytes + 1, count - 1, bytes[0] != 0 ? pages : NULL};
    if (vt_elf_read(&file, &elf, NULL) != 0) {
        return 0;
    }
    for (size_t i = 0; i < elf.n_symbols; i++) {
        const struct vt_elf_symbol *s = &elf.symbols[i];
        const struct vt_elf_symbol *at = vt_elf_symbol_at(&elf, s->address);
        FUZZ_CHECK(i == 0 || s->address > s[-1].address);
        FUZZ_CHECK(s->bytes == 0 || at == s);
        FUZZ_CHECK(s->name + strlen(vt_elf_symbol_name(&elf, s)) < elf.names_bytes);
    }
    for (uint64_t offset = 0; offset < count + 4096; offset += 1021) {
        uint64_t address = 0;
        FUZZ_CHECK(vt_elf_address(&elf, offset, &address) || address == 0);
        vt_elf_symbol_at(&elf, address);
    }
    vt_elf_fini(&elf);
    return 0;
}
