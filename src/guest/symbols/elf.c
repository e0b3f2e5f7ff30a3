/* guest/symbols/elf.c - see elf.h.
 *
 *   headers    which segments are loaded, where sections and the dynamic segment are
 *   tables     symbol tables, by section headers or the dynamic segment's hash tables
 *   stubs      `jmp *slot(%rip)` of the linkage table, named by the slot's relocation
 *   order      one symbol an address, unsized ones only where no function is
 */
#include "guest/symbols/elf.h"

#include "base/cursor.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define PAGE UINT64_C(4096)
#define SECTIONS_MAX 65536u
#define DYNAMIC_MAX 1024u
#define SLOTS_MAX ((size_t)1 << 18)
/* Symbols that begin before an address and may reach over the one before it. */
#define SYMBOLS_BACK 16u
#define STUB_BYTES 16u

struct table { /* of symbols, with their names: places in the file */
    uint64_t symbols, n, strings, strings_bytes;
};

struct slot { /* of the global offset table: what it will point at */
    uint64_t address;
    uint32_t symbol; /* of the dynamic table */
};

struct reader {
    const struct vt_elf_bytes *file;
    struct vt_elf *elf;
    struct vt_error *err;
    uint64_t sections, n_sections;   /* 0: their headers are not known */
    uint64_t dynamic, dynamic_bytes; /* 0: there is none */
    struct table dynamic_table;
    uint64_t relocations[2], relocations_bytes[2];
    struct slot *slots;
    size_t n_slots;
};

/* ---- bytes */

static bool is_there(const struct vt_elf_bytes *f, uint64_t offset, uint64_t n)
{
    if (offset > f->n || n > f->n - offset) {
        return false;
    }
    for (uint64_t page = offset / PAGE;
         f->pages != NULL && n > 0 && page <= (offset + n - 1) / PAGE; page++) {
        if ((f->pages[page / 8] >> (page % 8) & 1) == 0) {
            return false;
        }
    }
    return true;
}

static bool take(const struct vt_elf_bytes *f, uint64_t offset, void *to, size_t n)
{
    if (!is_there(f, offset, n)) {
        return false;
    }
    memcpy(to, f->at + offset, n);
    return true;
}

/* Where a linked address is in the file. */
static bool offset_of(const struct vt_elf *elf, uint64_t address, uint64_t *offset)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const struct vt_elf_segment *s = &elf->segments[i];
        if (address - s->address < s->file_bytes) {
            *offset = s->offset + (address - s->address);
            return true;
        }
    }
    return false;
}

bool vt_elf_address(const struct vt_elf *elf, uint64_t offset, uint64_t *address)
{
    const struct vt_elf_segment *found = NULL;
    for (unsigned i = 0; i < elf->n_segments; i++) { /* pages on a border are in two */
        const struct vt_elf_segment *s = &elf->segments[i];
        if (offset - s->offset < s->file_bytes && (found == NULL || s->code)) {
            found = s;
        }
    }
    if (found != NULL) {
        *address = found->address + (offset - found->offset);
    }
    return found != NULL;
}

static const struct vt_elf_segment *code_at(const struct vt_elf *elf, uint64_t address)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const struct vt_elf_segment *s = &elf->segments[i];
        if (s->code && address - s->address < s->bytes) {
            return s;
        }
    }
    return NULL;
}

/* ---- collecting */

static int no_memory(struct reader *r)
{
    return vt_fail(r->err, VT_E_NOMEM, "symbols of a file: out of memory");
}

/* A name of the file, with `more` behind it, kept; false: it is not there, or there are too many.
 * Longer ones are cut. */
static bool keep_name(struct reader *r, const struct table *t, uint64_t at, const char *more,
                      uint32_t *kept, int *rc)
{
    struct vt_elf *elf = r->elf;
    size_t n = 0, n_more = strlen(more);
    uint64_t begin;
    if (at >= t->strings_bytes || __builtin_add_overflow(t->strings, at, &begin)) {
        return false;
    }
    uint64_t most =
        t->strings_bytes - at < VT_ELF_NAME_MAX ? t->strings_bytes - at : VT_ELF_NAME_MAX;
    bool ends = false;
    while (n < most && !ends) { /* page by page */
        uint64_t offset = begin + n, part = PAGE - offset % PAGE;
        part = part < most - n ? part : most - n;
        part = offset < r->file->n && part > r->file->n - offset ? r->file->n - offset : part;
        if (!is_there(r->file, offset, part)) {
            return false;
        }
        const uint8_t *end = memchr(r->file->at + offset, '\0', part);
        ends = end != NULL;
        n += ends ? (size_t)(end - (r->file->at + offset)) : part;
    }
    if (n == 0 || elf->names_bytes + n + n_more + 1 > VT_ELF_NAMES_MAX) {
        return false;
    }
    if (elf->names_room - elf->names_bytes < n + n_more + 1) {
        size_t room = (elf->names_room == 0 ? 65536 : elf->names_room * 2) + VT_ELF_NAME_MAX;
        char *to = realloc(elf->names, room);
        if (to == NULL) {
            *rc = no_memory(r);
            return false;
        }
        elf->names = to;
        elf->names_room = room;
    }
    char *to = elf->names + elf->names_bytes;
    memcpy(to, r->file->at + begin, n);
    memcpy(to + n, more, n_more + 1);
    *kept = (uint32_t)elf->names_bytes;
    elf->names_bytes += n + n_more + 1;
    return true;
}

static int add(struct reader *r, struct vt_elf_symbol symbol)
{
    struct vt_elf *elf = r->elf;
    if (elf->n_symbols == elf->symbols_room) {
        size_t room = elf->symbols_room == 0 ? 1024 : elf->symbols_room * 2;
        struct vt_elf_symbol *to = reallocarray(elf->symbols, room, sizeof *to);
        if (to == NULL) {
            return no_memory(r);
        }
        elf->symbols = to;
        elf->symbols_room = room;
    }
    elf->symbols[elf->n_symbols++] = symbol;
    return 0;
}

/* Of several names at one address people mean the one that is sized, a function, has fewest
 * underscores in front, and is not local. */
static uint8_t rank_of(const Elf64_Sym *s, const char *name)
{
    unsigned under = 0, type = ELF64_ST_TYPE(s->st_info);
    while (under < 3 && name[under] == '_') {
        under++;
    }
    return (uint8_t)((s->st_size != 0 ? 32u : 0u) | (type != STT_NOTYPE ? 16u : 0u) |
                     (3u - under) << 2 | (ELF64_ST_BIND(s->st_info) != STB_LOCAL ? 2u : 0u) | 1u);
}

static bool read_section(const struct reader *r, uint64_t i, Elf64_Shdr *s)
{
    uint64_t at;
    return i < r->n_sections && !__builtin_add_overflow(r->sections, i * sizeof *s, &at) &&
           take(r->file, at, s, sizeof *s);
}

/* How far what begins at a symbol can reach. */
static uint64_t end_of(const struct reader *r, const Elf64_Sym *s,
                       const struct vt_elf_segment *segment)
{
    Elf64_Shdr section;
    bool known = s->st_shndx < SHN_LORESERVE && read_section(r, s->st_shndx, &section) &&
                 s->st_value - section.sh_addr < section.sh_size;
    uint64_t left = segment->bytes - (s->st_value - segment->address);
    uint64_t in_section = known ? section.sh_size - (s->st_value - section.sh_addr) : left;
    return s->st_value + (in_section < left ? in_section : left);
}

static int add_table(struct reader *r, const struct table *t)
{
    int rc = 0;
    for (uint64_t i = 0; i < t->n && i < VT_ELF_SYMBOLS_MAX && rc == 0; i++) {
        Elf64_Sym s;
        uint32_t name;
        if (!take(r->file, t->symbols + i * sizeof s, &s, sizeof s)) {
            if (t->symbols + i * sizeof s >= r->file->n) {
                break;
            }
            continue;
        }
        unsigned type = ELF64_ST_TYPE(s.st_info);
        const struct vt_elf_segment *segment = code_at(r->elf, s.st_value);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) ||
            s.st_shndx == SHN_UNDEF || segment == NULL ||
            !keep_name(r, t, s.st_name, "", &name, &rc)) {
            continue;
        }
        const char *text = r->elf->names + name;
        if (type == STT_NOTYPE && (text[0] == '$' || strncmp(text, ".L", 2) == 0)) {
            continue; /* an assembler's */
        }
        uint64_t end = end_of(r, &s, segment);
        rc = add(r, (struct vt_elf_symbol){.address = s.st_value,
                                           .bytes = s.st_size < end - s.st_value ? s.st_size
                                                                                 : end - s.st_value,
                                           .end = end,
                                           .name = name,
                                           .rank = rank_of(&s, text)});
    }
    return rc;
}

/* ---- headers */

static int read_segments(struct reader *r, const Elf64_Ehdr *h)
{
    struct vt_elf *elf = r->elf;
    if (h->e_phentsize != sizeof(Elf64_Phdr)) {
        return vt_fail(r->err, VT_E_CORRUPT, "program headers of %u bytes", h->e_phentsize);
    }
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        if (!take(r->file, h->e_phoff + i * sizeof p, &p, sizeof p)) {
            break;
        }
        if (p.p_type == PT_DYNAMIC) {
            r->dynamic = p.p_offset;
            r->dynamic_bytes = p.p_filesz;
        } else if (p.p_type == PT_LOAD && elf->n_segments < VT_ELF_SEGMENTS_MAX &&
                   p.p_filesz <= p.p_memsz && p.p_vaddr <= UINT64_MAX - p.p_memsz &&
                   p.p_offset <= UINT64_MAX - p.p_filesz) {
            elf->segments[elf->n_segments++] =
                (struct vt_elf_segment){.offset = p.p_offset,
                                        .address = p.p_vaddr,
                                        .file_bytes = p.p_filesz,
                                        .bytes = p.p_memsz,
                                        .code = (p.p_flags & PF_X) != 0};
        }
    }
    return elf->n_segments > 0 ? 0 : vt_fail(r->err, VT_E_CORRUPT, "an ELF file without segments");
}

static int read_sections(struct reader *r, const Elf64_Ehdr *h)
{
    Elf64_Shdr s, strings;
    struct table symbols = {0};
    if (h->e_shoff == 0 || h->e_shentsize != sizeof s) {
        return 0;
    }
    r->sections = h->e_shoff;
    r->n_sections = h->e_shnum != 0 ? h->e_shnum : 1;
    if (h->e_shnum == 0 && read_section(r, 0, &s)) { /* too many for the header */
        r->n_sections = s.sh_size < SECTIONS_MAX ? s.sh_size : SECTIONS_MAX;
    }
    for (uint64_t i = 0; i < r->n_sections; i++) {
        if (read_section(r, i, &s) && (s.sh_type == SHT_SYMTAB || s.sh_type == SHT_DYNSYM) &&
            s.sh_entsize == sizeof(Elf64_Sym) && read_section(r, s.sh_link, &strings) &&
            strings.sh_type == SHT_STRTAB) {
            *(s.sh_type == SHT_DYNSYM ? &r->dynamic_table : &symbols) = (struct table){
                s.sh_offset, s.sh_size / sizeof(Elf64_Sym), strings.sh_offset, strings.sh_size};
        }
    }
    return add_table(r, &symbols);
}

/* ---- the dynamic segment */

/* How many symbols a hash table knows of: what it was made to be looked up by. */
static uint64_t count_by_hash(const struct reader *r, uint64_t at)
{
    uint32_t head[2];
    return take(r->file, at, head, sizeof head) ? vt_le32((uint8_t *)&head[1]) : 0;
}

static uint64_t count_by_gnu_hash(const struct reader *r, uint64_t at)
{
    uint32_t head[4], most = 0, v; /* buckets, first symbol, words of the filter, its shift */
    if (!take(r->file, at, head, sizeof head)) {
        return 0;
    }
    uint64_t buckets = at + sizeof head + (uint64_t)head[2] * 8;
    uint64_t chains = buckets + (uint64_t)head[0] * 4;
    for (uint64_t i = 0; i < head[0] && i < VT_ELF_SYMBOLS_MAX; i++) {
        if (!take(r->file, buckets + i * 4, &v, sizeof v)) {
            break;
        }
        most = v > most ? v : most;
    }
    if (most < head[1]) {
        return head[1];
    }
    for (uint64_t i = most; i < VT_ELF_SYMBOLS_MAX; i++) { /* the last chain to its end */
        if (!take(r->file, chains + (i - head[1]) * 4, &v, sizeof v) || (v & 1) != 0) {
            return i + 1;
        }
    }
    return 0;
}

static int read_dynamic(struct reader *r)
{
    struct table t = {0};
    uint64_t hash = 0, gnu_hash = 0, at;
    for (unsigned i = 0; i < DYNAMIC_MAX && (i + 1) * sizeof(Elf64_Dyn) <= r->dynamic_bytes; i++) {
        Elf64_Dyn d;
        if (!take(r->file, r->dynamic + i * sizeof d, &d, sizeof d) || d.d_tag == DT_NULL) {
            break;
        }
        uint64_t v = d.d_un.d_val;
        bool found = offset_of(r->elf, v, &at);
        switch (d.d_tag) {
        case DT_SYMTAB:
            t.symbols = found ? at : 0;
            break;
        case DT_STRTAB:
            t.strings = found ? at : 0;
            break;
        case DT_STRSZ:
            t.strings_bytes = v;
            break;
        case DT_HASH:
            hash = found ? at : 0;
            break;
        case DT_GNU_HASH:
            gnu_hash = found ? at : 0;
            break;
        case DT_JMPREL:
            r->relocations[0] = found ? at : 0;
            break;
        case DT_PLTRELSZ:
            r->relocations_bytes[0] = v;
            break;
        case DT_RELA:
            r->relocations[1] = found ? at : 0;
            break;
        case DT_RELASZ:
            r->relocations_bytes[1] = v;
            break;
        default:
            break;
        }
    }
    if (r->dynamic_table.n == 0 && t.symbols != 0 && t.strings != 0) {
        t.n = hash != 0 ? count_by_hash(r, hash) : 0;
        t.n = t.n == 0 && gnu_hash != 0 ? count_by_gnu_hash(r, gnu_hash) : t.n;
        r->dynamic_table = t;
    }
    return add_table(r, &r->dynamic_table);
}

/* ---- stubs */

static int by_slot(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    return x->address != y->address ? (x->address < y->address ? -1 : 1) : 0;
}

static int read_slots(struct reader *r)
{
    for (unsigned k = 0; k < 2; k++) {
        uint64_t n = r->relocations[k] != 0 ? r->relocations_bytes[k] / sizeof(Elf64_Rela) : 0;
        for (uint64_t i = 0; i < n && r->n_slots < SLOTS_MAX; i++) {
            Elf64_Rela rel;
            if (!take(r->file, r->relocations[k] + i * sizeof rel, &rel, sizeof rel)) {
                if (r->relocations[k] + i * sizeof rel >= r->file->n) {
                    break;
                }
                continue;
            }
            uint32_t type = (uint32_t)ELF64_R_TYPE(rel.r_info);
            if (ELF64_R_SYM(rel.r_info) == 0 ||
                (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)) {
                continue;
            }
            if ((r->n_slots & (r->n_slots - 1)) == 0) {
                struct slot *to =
                    reallocarray(r->slots, r->n_slots == 0 ? 1 : r->n_slots * 2, sizeof *to);
                if (to == NULL) {
                    return no_memory(r);
                }
                r->slots = to;
            }
            r->slots[r->n_slots++] = (struct slot){rel.r_offset, (uint32_t)ELF64_R_SYM(rel.r_info)};
        }
    }
    if (r->n_slots > 0) {
        qsort(r->slots, r->n_slots, sizeof *r->slots, by_slot);
    }
    return 0;
}

/* One that jumps through the slot at `target`. */
static int add_stub(struct reader *r, uint64_t at, uint64_t bytes, uint64_t target)
{
    struct slot key = {.address = target};
    const struct slot *slot =
        r->n_slots > 0 ? bsearch(&key, r->slots, r->n_slots, sizeof key, by_slot) : NULL;
    const struct table *t = &r->dynamic_table;
    Elf64_Sym s;
    uint32_t name;
    int rc = 0;
    if (slot == NULL || slot->symbol >= t->n ||
        !take(r->file, t->symbols + (uint64_t)slot->symbol * sizeof s, &s, sizeof s) ||
        !keep_name(r, t, s.st_name, "@plt", &name, &rc)) {
        return rc;
    }
    return add(
        r, (struct vt_elf_symbol){.address = at, .bytes = bytes, .end = at + bytes, .name = name});
}

/* Whether the jump at at[k] of n bytes is a linker's stub: aligned, perhaps behind an endbr64, and
 * followed by what linkers fill up with, not a jump that ends a function. *before: bytes of it that
 * stand before the jump. */
static bool is_stub(const uint8_t *at, uint64_t k, uint64_t n, uint64_t address, unsigned *before)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    bool bound = k >= 1 && at[k - 1] == 0xf2; /* bnd jmp */
    *before = 0;
    if (k >= 4u + bound && memcmp(at + k - 4 - bound, endbr64, sizeof endbr64) == 0) {
        *before = 4u + bound;
    }
    if ((address - *before) % STUB_BYTES != 0 && address % 8 != 0) {
        return false;
    }
    const uint8_t *next = at + k + 6;
    return n - k >= 8 &&
           (next[0] == 0x68 || (next[0] == 0x66 && (next[1] == 0x90 || next[1] == 0x0f)) ||
            (next[0] == 0x0f && next[1] == 0x1f));
}

static int read_stubs(struct reader *r)
{
    uint64_t left = r->file->n; /* segments may overlap, and make it endless */
    int rc = read_slots(r);
    for (unsigned i = 0; i < r->elf->n_segments && r->n_slots > 0; i++) {
        const struct vt_elf_segment *s = &r->elf->segments[i];
        uint64_t n = s->file_bytes;
        if (!s->code || s->offset >= r->file->n) {
            continue;
        }
        n = n < r->file->n - s->offset ? n : r->file->n - s->offset;
        n = n < left ? n : left;
        left -= n;
        const uint8_t *at = r->file->at + s->offset; /* what is not there is zero */
        for (uint64_t k = 0; k + 8 <= n && rc == 0 && r->elf->n_symbols < VT_ELF_SYMBOLS_MAX; k++) {
            uint64_t jump = s->address + k;
            unsigned before;
            if (at[k] == 0xff && at[k + 1] == 0x25 && is_stub(at, k, n, jump, &before)) {
                rc = add_stub(r, jump - before,
                              jump % 8 == 0 && jump % STUB_BYTES != 0 ? 8 : STUB_BYTES,
                              jump + 6 + (uint64_t)(int32_t)vt_le32(at + k + 2));
            }
        }
    }
    return rc;
}

/* ---- order */

static int by_address(const void *a, const void *b)
{
    const struct vt_elf_symbol *x = a, *y = b;
    if (x->address != y->address) {
        return x->address < y->address ? -1 : 1;
    }
    if (x->rank != y->rank) {
        return x->rank > y->rank ? -1 : 1;
    }
    return x->name < y->name ? -1 : x->name > y->name;
}

static void put_in_order(struct vt_elf *elf)
{
    size_t n = 0;
    uint64_t covered = 0; /* up to here by functions that have a size */
    if (elf->n_symbols > 0) {
        qsort(elf->symbols, elf->n_symbols, sizeof *elf->symbols, by_address);
    }
    for (size_t i = 0; i < elf->n_symbols; i++) {
        struct vt_elf_symbol s = elf->symbols[i];
        if ((n > 0 && elf->symbols[n - 1].address == s.address) ||
            ((s.bytes == 0 || s.rank == 0) && s.address < covered)) {
            continue; /* a worse name; a label or a jump inside a function */
        }
        covered = s.address + s.bytes > covered ? s.address + s.bytes : covered;
        elf->symbols[n++] = s;
    }
    elf->n_symbols = n;
    for (size_t i = 0; i < n; i++) {
        struct vt_elf_symbol *s = &elf->symbols[i];
        if (s->bytes == 0) {
            uint64_t end = i + 1 < n && s[1].address < s->end ? s[1].address : s->end;
            s->bytes = end - s->address;
        }
    }
}

int vt_elf_read(const struct vt_elf_bytes *file, struct vt_elf *elf, struct vt_error *err)
{
    struct vt_elf made = {0};
    struct reader r = {.file = file, .elf = &made, .err = err};
    Elf64_Ehdr h;
    if (!take(file, 0, &h, sizeof h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "no ELF file begins here");
    }
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB) {
        return vt_fail(err, VT_E_UNSUPPORTED, "an ELF file of another kind of machine");
    }
    int rc = read_segments(&r, &h);
    rc = rc == 0 ? read_sections(&r, &h) : rc;
    rc = rc == 0 ? read_dynamic(&r) : rc;
    rc = rc == 0 && h.e_machine == EM_X86_64 ? read_stubs(&r) : rc;
    free(r.slots);
    if (rc != 0) {
        vt_elf_fini(&made);
        return rc;
    }
    put_in_order(&made);
    *elf = made;
    return 0;
}

void vt_elf_fini(struct vt_elf *elf)
{
    free(elf->symbols);
    free(elf->names);
    *elf = (struct vt_elf){0};
}

/* ---- asking */

const struct vt_elf_symbol *vt_elf_symbol_at(const struct vt_elf *elf, uint64_t address)
{
    size_t low = 0, high = elf->n_symbols; /* the first that begins after it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (elf->symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = 0; i < SYMBOLS_BACK && i < low; i++) {
        const struct vt_elf_symbol *s = &elf->symbols[low - 1 - i];
        if (address - s->address < s->bytes) {
            return s;
        }
    }
    return NULL;
}

const char *vt_elf_symbol_name(const struct vt_elf *elf, const struct vt_elf_symbol *symbol)
{
    return elf->names + symbol->name;
}
