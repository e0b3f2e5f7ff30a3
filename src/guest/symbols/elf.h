/* guest/symbols/elf.h - the functions of an ELF file of which perhaps not all bytes are there.
 *
 * For programs and libraries as a guest's page cache has them: .symtab where it was read, .dynsym,
 * which the loader needs, found by section headers or else by the dynamic segment, and the stubs of
 * the procedure linkage table by what they jump to. 64 bits, little-endian. Every byte is hostile.
 * (System V ABI, "Object Files", "Dynamic Linking"; gABI's GNU hash as binutils writes it)
 */
#ifndef VT_GUEST_SYMBOLS_ELF_H
#define VT_GUEST_SYMBOLS_ELF_H

#include "vitrine/base.h"

#define VT_ELF_SEGMENTS_MAX 32u
#define VT_ELF_SYMBOLS_MAX ((size_t)1 << 21)
#define VT_ELF_NAMES_MAX ((size_t)128 << 20)
#define VT_ELF_NAME_MAX 4096u /**< longer ones (C++ knows such) are cut */

/** What there is of a file. Not owned. */
struct vt_elf_bytes {
    const uint8_t *at;
    uint64_t n;
    const uint8_t *pages; /**< bit i: the page of 4 KiB at i * 4096 is there; NULL: all are */
};

struct vt_elf_symbol {
    uint64_t address, bytes; /**< bytes: up to the next one or `end` where it has none */
    uint64_t end;            /**< of its section or segment */
    uint32_t name;           /**< offset into names */
    uint8_t rank;            /**< of those at one address the highest is kept */
};

struct vt_elf {
    struct vt_elf_segment {
        uint64_t offset, address, file_bytes, bytes;
        bool code;
    } segments[VT_ELF_SEGMENTS_MAX]; /**< those that are loaded */
    unsigned n_segments;
    struct vt_elf_symbol *symbols; /**< in the order of their addresses, one for each */
    size_t n_symbols, symbols_room;
    char *names; /**< zero-terminated; any bytes */
    size_t names_bytes, names_room;
};

/** Reads what can be read; no symbols is no error. VT_E_CORRUPT: no such ELF file; VT_E_NOMEM. Free
 *  with vt_elf_fini. */
int vt_elf_read(const struct vt_elf_bytes *file, struct vt_elf *elf, struct vt_error *err);
void vt_elf_fini(struct vt_elf *elf);
/** Where the byte at `offset` of the file was linked to be. */
bool vt_elf_address(const struct vt_elf *elf, uint64_t offset, uint64_t *address);
/** The symbol that has `address`, or NULL. */
const struct vt_elf_symbol *vt_elf_symbol_at(const struct vt_elf *elf, uint64_t address);
const char *vt_elf_symbol_name(const struct vt_elf *elf, const struct vt_elf_symbol *symbol);

#endif
