/* guest/symbols/dwarf.c - goes through a vmlinux once, unit by unit. See dwarf.h.
 *
 * Each of thousands of units repeats most types. A named one is converted where it is first met
 * complete and only looked up afterwards; one without a name belongs to the unit that uses it. What
 * is still to convert waits in a queue, so nothing recurses. (DWARF 5, ELF gABI)
 */
#include "guest/symbols/dwarf.h"

#include "base/io.h"
#include "guest/symbols/types.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_MAP UINT64_C(0xffffffff80000000)
#define CHAIN_MAX 64u
#define DIMENSIONS_MAX 8u
#define QUEUE_MAX (1u << 20)
#define SYSTEM_MAP_MAX (64u << 20)

/* A type waiting to be converted: a DIE, and the id it was given. */
struct waiting {
    Dwarf_Off die;
    uint32_t id;
};

/* Unnamed types of this unit, by where they are. */
struct seen {
    Dwarf_Off die; /* 0: free */
    uint32_t id;
};

struct reading {
    Dwarf *dwarf;
    struct vt_types *types;
    struct vt_symbols *symbols;
    uint32_t *symbol_types;
    struct waiting *queue;
    size_t queued, queue_room;
    struct seen *seen;
    size_t n_seen, seen_room;
    struct vt_error *err;
};

/* ---------------------------------------------------------------- attributes */

static bool attribute(Dwarf_Die *die, unsigned name, Dwarf_Word *value)
{
    Dwarf_Attribute a;
    return dwarf_formudata(dwarf_attr_integrate(die, name, &a), value) == 0;
}

static uint64_t attribute_or(Dwarf_Die *die, unsigned name, uint64_t otherwise)
{
    Dwarf_Word value;
    return attribute(die, name, &value) ? value : otherwise;
}

static bool flag(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute a;
    bool value = false;
    return dwarf_formflag(dwarf_attr_integrate(die, name, &a), &value) == 0 && value;
}

/* The type of something; false: void. */
static bool type_die(Dwarf_Die *die, Dwarf_Die *type)
{
    Dwarf_Attribute a;
    return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &a), type) != NULL;
}

static const char *name_of(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);
    return name != NULL ? name : "";
}

/* ---------------------------------------------------------------- types */

static int later(struct reading *r, Dwarf_Off die, uint32_t id)
{
    if (r->queued == r->queue_room) {
        size_t room = r->queue_room == 0 ? 256 : 2 * r->queue_room;
        struct waiting *more = room <= QUEUE_MAX ? realloc(r->queue, room * sizeof *more) : NULL;
        if (more == NULL) {
            return vt_fail(r->err, VT_E_LIMIT, "debug information: too many types in one unit");
        }
        r->queue = more;
        r->queue_room = room;
    }
    r->queue[r->queued++] = (struct waiting){die, id};
    return 0;
}

static struct seen *seen_slot(const struct reading *r, Dwarf_Off die)
{
    size_t at = (size_t)((die * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (r->seen_room - 1);
    while (r->seen[at].die != 0 && r->seen[at].die != die) {
        at = (at + 1) & (r->seen_room - 1);
    }
    return &r->seen[at];
}

/* The id of an unnamed type, converted later when it is met first. */
static int unnamed(struct reading *r, Dwarf_Off die, enum vt_types_space space, uint32_t *id)
{
    if (2 * r->n_seen >= r->seen_room) {
        struct reading larger = *r;
        larger.seen_room = r->seen_room == 0 ? 256 : 2 * r->seen_room;
        larger.seen =
            larger.seen_room <= QUEUE_MAX ? calloc(larger.seen_room, sizeof *larger.seen) : NULL;
        if (larger.seen == NULL) {
            return vt_fail(r->err, VT_E_LIMIT, "debug information: too many types in one unit");
        }
        for (size_t i = 0; i < r->seen_room; i++) {
            if (r->seen[i].die != 0) {
                *seen_slot(&larger, r->seen[i].die) = r->seen[i];
            }
        }
        free(r->seen);
        r->seen = larger.seen;
        r->seen_room = larger.seen_room;
    }
    struct seen *s = seen_slot(r, die);
    int rc = 0;
    if (s->die == 0) {
        *s = (struct seen){die, vt_types_named(r->types, space, "", false)};
        r->n_seen++;
        rc = later(r, die, s->id);
    }
    *id = s->id;
    return rc;
}

static uint32_t base_of(struct reading *r, Dwarf_Die *die)
{
    const char *name = name_of(die);
    uint64_t encoding = attribute_or(die, DW_AT_encoding, DW_ATE_unsigned);
    uint64_t bytes = attribute_or(die, DW_AT_byte_size, 0);
    enum vt_base_kind kind = encoding == DW_ATE_boolean ? VT_BASE_BOOL
                             : encoding == DW_ATE_float ? VT_BASE_FLOAT
                             : encoding == DW_ATE_signed_char || encoding == DW_ATE_unsigned_char
                                 ? VT_BASE_CHAR
                                 : VT_BASE_INT;
    if (*name == '\0' || bytes > UINT32_MAX) {
        return 0;
    }
    uint32_t id = vt_types_named(r->types, VT_TYPES_BASE, name, false);
    vt_types_set_base(r->types, id, kind, (uint32_t)bytes,
                      encoding == DW_ATE_signed || encoding == DW_ATE_signed_char);
    return id;
}

/* A struct, union or enum. */
static int named_of(struct reading *r, Dwarf_Die *die, int tag, uint32_t *id)
{
    const char *name = name_of(die);
    enum vt_types_space space = tag == DW_TAG_enumeration_type ? VT_TYPES_ENUM : VT_TYPES_STRUCT;
    if (*name == '\0') {
        return unnamed(r, dwarf_dieoffset(die), space, id);
    }
    *id = vt_types_named(r->types, space, name, tag == DW_TAG_union_type);
    return vt_types_is_known(r->types, *id) || flag(die, DW_AT_declaration)
               ? 0
               : later(r, dwarf_dieoffset(die), *id);
}

/* Elements of each dimension, the outermost first; an unknown number counts as none. */
static unsigned dimensions(Dwarf_Die *die, uint32_t counts[DIMENSIONS_MAX])
{
    Dwarf_Die child;
    unsigned n = 0;
    for (int rc = dwarf_child(die, &child); rc == 0 && n < DIMENSIONS_MAX;
         rc = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_subrange_type) {
            continue;
        }
        Dwarf_Word value;
        uint64_t count = 0;
        if (attribute(&child, DW_AT_count, &value)) {
            count = value;
        } else if (attribute(&child, DW_AT_upper_bound, &value)) {
            count = value + 1;
        }
        counts[n++] = count <= UINT32_MAX ? (uint32_t)count : 0;
    }
    return n;
}

/* The type that `die` (of a member, a variable) has. */
static int type_id(struct reading *r, Dwarf_Die *die, uint32_t *id)
{
    struct {
        bool pointer;
        uint32_t count;
    } around[CHAIN_MAX];
    unsigned depth = 0;
    uint32_t counts[DIMENSIONS_MAX], inner = 0;
    Dwarf_Die type = *die;
    int rc = 0;
    for (unsigned step = 0; type_die(&type, &type); step++) {
        int tag = dwarf_tag(&type);
        if (step == CHAIN_MAX || depth + DIMENSIONS_MAX > CHAIN_MAX) {
            return vt_fail(r->err, VT_E_CORRUPT, "debug information: a type without end");
        }
        if (tag == DW_TAG_pointer_type) {
            around[depth].pointer = true;
            around[depth++].count = 0;
        } else if (tag == DW_TAG_array_type) {
            unsigned n = dimensions(&type, counts);
            for (unsigned i = 0; i < n; i++) {
                around[depth].pointer = false;
                around[depth++].count = counts[i];
            }
        } else if (tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
                   tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type) {
            rc = named_of(r, &type, tag, &inner);
            break;
        } else if (tag == DW_TAG_base_type) {
            inner = base_of(r, &type);
            break;
        } else if (tag == DW_TAG_subroutine_type) {
            inner = vt_types_function(r->types);
            break;
        } else if (tag != DW_TAG_typedef && tag != DW_TAG_const_type &&
                   tag != DW_TAG_volatile_type && tag != DW_TAG_restrict_type &&
                   tag != DW_TAG_atomic_type) {
            break;
        }
    }
    while (depth > 0) {
        depth--;
        inner = around[depth].pointer ? vt_types_pointer(r->types, inner)
                                      : vt_types_array(r->types, inner, around[depth].count);
    }
    *id = inner;
    return rc;
}

/* A bitfield's first bit in DWARF 2's terms: counted from the high end of a unit. */
static uint64_t old_bit(Dwarf_Die *member, uint64_t byte, uint64_t bits)
{
    Dwarf_Die type;
    uint64_t unit = attribute_or(member, DW_AT_byte_size, 0);
    if (unit == 0 && type_die(member, &type)) {
        Dwarf_Word size;
        unit = dwarf_aggregate_size(&type, &size) == 0 ? size : 0;
    }
    return 8 * byte + 8 * unit - bits - attribute_or(member, DW_AT_bit_offset, 0);
}

/* In bytes; DWARF 2 writes it as an expression. */
static uint64_t member_offset(Dwarf_Die *member)
{
    Dwarf_Word value;
    Dwarf_Attribute a;
    Dwarf_Op *ops;
    size_t n;
    if (attribute(member, DW_AT_data_member_location, &value)) {
        return value;
    }
    return dwarf_getlocation(dwarf_attr(member, DW_AT_data_member_location, &a), &ops, &n) == 0 &&
                   n == 1 && ops[0].atom == DW_OP_plus_uconst
               ? ops[0].number
               : 0;
}

static int convert_struct(struct reading *r, Dwarf_Die *die, uint32_t id)
{
    Dwarf_Die child;
    int rc = 0;
    for (int more = dwarf_child(die, &child); rc == 0 && more == 0;
         more = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_member || flag(&child, DW_AT_external)) {
            continue;
        }
        uint64_t byte = member_offset(&child);
        uint64_t bits = attribute_or(&child, DW_AT_bit_size, 0);
        Dwarf_Word bit;
        if (!attribute(&child, DW_AT_data_bit_offset, &bit)) {
            bit = bits != 0 ? old_bit(&child, byte, bits) : 8 * byte;
        }
        uint32_t type = 0;
        rc = type_id(r, &child, &type);
        vt_types_member(r->types, name_of(&child), type, bit, bits < 256 ? (uint32_t)bits : 0);
    }
    vt_types_set_struct(r->types, id, dwarf_tag(die) == DW_TAG_union_type,
                        attribute_or(die, DW_AT_byte_size, 0));
    return rc;
}

/* A value in one of the forms without a sign has none. */
static bool constant(Dwarf_Die *die, int64_t *value)
{
    Dwarf_Attribute a;
    Dwarf_Word word;
    Dwarf_Sword sword;
    if (dwarf_attr(die, DW_AT_const_value, &a) == NULL) {
        return false;
    }
    unsigned form = dwarf_whatform(&a);
    if (form == DW_FORM_sdata || form == DW_FORM_implicit_const) {
        bool good = dwarf_formsdata(&a, &sword) == 0;
        *value = good ? sword : 0;
        return good;
    }
    bool good = dwarf_formudata(&a, &word) == 0;
    *value = good ? (int64_t)word : 0;
    return good;
}

static void convert_enum(struct reading *r, Dwarf_Die *die, uint32_t id)
{
    Dwarf_Die child;
    for (int more = dwarf_child(die, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
        int64_t value;
        if (dwarf_tag(&child) == DW_TAG_enumerator && constant(&child, &value)) {
            vt_types_enumerator(r->types, name_of(&child), value);
        }
    }
    uint64_t bytes = attribute_or(die, DW_AT_byte_size, 4);
    vt_types_set_enum(r->types, id, bytes <= 8 ? (uint32_t)bytes : 4);
}

static int convert_waiting(struct reading *r)
{
    int rc = 0;
    while (rc == 0 && r->queued > 0) {
        struct waiting next = r->queue[--r->queued];
        Dwarf_Die die;
        if (vt_types_is_known(r->types, next.id) ||
            dwarf_offdie(r->dwarf, next.die, &die) == NULL) {
            continue;
        }
        if (dwarf_tag(&die) == DW_TAG_enumeration_type) {
            convert_enum(r, &die, next.id);
        } else {
            rc = convert_struct(r, &die, next.id);
        }
    }
    return rc;
}

/* Unnamed enums are repeated by every unit: one is new when something in it is. */
static int unnamed_enum(struct reading *r, Dwarf_Die *die)
{
    Dwarf_Die child;
    uint32_t id;
    for (int more = dwarf_child(die, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
        if (!vt_types_has_enumerator(r->types, name_of(&child))) {
            return unnamed(r, dwarf_dieoffset(die), VT_TYPES_ENUM, &id);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- variables and units */

static int take_variable(struct reading *r, Dwarf_Die *die)
{
    Dwarf_Attribute a;
    Dwarf_Op *ops;
    size_t n;
    if (dwarf_getlocation(dwarf_attr(die, DW_AT_location, &a), &ops, &n) != 0 || n != 1 ||
        ops[0].atom != DW_OP_addr) {
        return 0;
    }
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &a));
    const struct vt_symbol *s = name != NULL ? vt_symbols_find(r->symbols, name) : NULL;
    size_t i = s != NULL ? (size_t)(s - r->symbols->list) : 0;
    if (s == NULL || (uint64_t)s->value != ops[0].number || r->symbol_types[i] != 0) {
        return 0;
    }
    return type_id(r, die, &r->symbol_types[i]);
}

static int take_top(struct reading *r, Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    uint32_t id;
    switch (tag) {
    case DW_TAG_variable:
        return take_variable(r, die);
    case DW_TAG_base_type:
        base_of(r, die);
        return 0;
    case DW_TAG_enumeration_type:
        if (*name_of(die) == '\0') {
            return unnamed_enum(r, die);
        }
        return named_of(r, die, tag, &id);
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
        return *name_of(die) != '\0' ? named_of(r, die, tag, &id) : 0;
    default:
        return 0;
    }
}

static bool is_c(Dwarf_Die *unit)
{
    switch (attribute_or(unit, DW_AT_language, DW_LANG_C11)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
        return true;
    default:
        return false;
    }
}

static int read_unit(struct reading *r, Dwarf_Die *unit)
{
    Dwarf_Die die;
    int rc = 0;
    for (int more = dwarf_child(unit, &die); rc == 0 && more == 0;
         more = dwarf_siblingof(&die, &die)) {
        rc = take_top(r, &die);
        if (rc == 0) {
            rc = convert_waiting(r);
        }
    }
    r->queued = 0;
    if (r->n_seen > 0) {
        memset(r->seen, 0, r->seen_room * sizeof *r->seen);
        r->n_seen = 0;
    }
    return rc;
}

static int read_units(struct reading *r, uint64_t all, uint64_t *units,
                      int (*progress)(uint64_t done, uint64_t all, void *arg), void *arg)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit;
    int rc = 0;
    while (rc == 0 && dwarf_get_units(r->dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
        if (progress != NULL && progress(dwarf_dieoffset(&unit), all, arg) != 0) {
            return vt_fail(r->err, VT_E_INTERRUPTED, "interrupted");
        }
        if (dwarf_tag(&unit) == DW_TAG_compile_unit && is_c(&unit)) {
            rc = read_unit(r, &unit);
            ++*units;
        }
    }
    if (rc == 0 && *units == 0) {
        rc = vt_fail(r->err, VT_E_NOT_FOUND, "no debug information (DWARF) about C in it");
    }
    return rc;
}

/* ---------------------------------------------------------------- symbols */

struct symbol_list {
    struct vt_symbols *symbols;
    size_t room, names_room;
};

static int add_symbol(struct symbol_list *list, const char *name, uint64_t value, char type,
                      struct vt_error *err)
{
    struct vt_symbols *s = list->symbols;
    size_t n = strlen(name) + 1;
    if (n == 1 || n > VT_SYMBOL_NAME_MAX) {
        return 0;
    }
    if (s->n == list->room || n > list->names_room - s->names_bytes) {
        size_t room = s->n == list->room ? 2 * s->n + 4096 : list->room;
        size_t names = 2 * list->names_room + VT_SYMBOL_NAME_MAX;
        if (room > 2 * (size_t)VT_SYMBOLS_MAX || names > 4 * (size_t)VT_SYMBOL_NAMES_MAX) {
            return vt_fail(err, VT_E_LIMIT, "too many symbols");
        }
        struct vt_symbol *more = realloc(s->list, room * sizeof *more);
        s->list = more != NULL ? more : s->list;
        char *text = more != NULL ? realloc(s->names, names) : NULL;
        if (text == NULL) {
            return vt_fail(err, VT_E_NOMEM, "symbols: out of memory");
        }
        s->names = text;
        list->room = room;
        list->names_room = names;
    }
    memcpy(s->names + s->names_bytes, name, n);
    s->list[s->n++] = (struct vt_symbol){.value = (int64_t)value,
                                         .name = (uint32_t)s->names_bytes,
                                         .type = type,
                                         .absolute = value < KERNEL_MAP};
    s->names_bytes += n;
    return 0;
}

static int read_symtab(Elf *elf, struct symbol_list *list, struct vt_error *err)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_SYMTAB ||
            header.sh_entsize == 0) {
            continue;
        }
        Elf_Data *data = elf_getdata(section, NULL);
        size_t n = data != NULL ? data->d_size / header.sh_entsize : 0;
        for (size_t i = 0; i < n && i <= INT32_MAX; i++) {
            GElf_Sym sym;
            if (gelf_getsym(data, (int)i, &sym) == NULL || sym.st_shndx == SHN_UNDEF ||
                GELF_ST_TYPE(sym.st_info) == STT_SECTION || GELF_ST_TYPE(sym.st_info) == STT_FILE) {
                continue;
            }
            const char *name = elf_strptr(elf, header.sh_link, sym.st_name);
            char type = GELF_ST_TYPE(sym.st_info) == STT_FUNC     ? 't'
                        : GELF_ST_TYPE(sym.st_info) == STT_OBJECT ? 'd'
                                                                  : '?';
            int rc = name != NULL ? add_symbol(list, name, sym.st_value, type, err) : 0;
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

/* Lines of "address letter name". */
static int read_system_map(const char *path, struct symbol_list *list, struct vt_error *err)
{
    char *text;
    int rc = vt_read_file(path, SYSTEM_MAP_MAX, &text, NULL, err);
    if (rc != 0) {
        return rc;
    }
    char *rest = text;
    for (char *line; rc == 0 && (line = strsep(&rest, "\n")) != NULL;) {
        char *end;
        uint64_t value = strtoull(line, &end, 16);
        if (end != line && end[0] == ' ' && end[1] != '\0' && end[2] == ' ') {
            rc = add_symbol(list, end + 3, value, end[1], err);
        }
    }
    free(text);
    return rc;
}

/* The text at an address of the image, as the file has it. */
static bool read_text(Elf *elf, uint64_t address, char *text, size_t size)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || !(header.sh_flags & SHF_ALLOC) ||
            header.sh_type == SHT_NOBITS || address - header.sh_addr >= header.sh_size) {
            continue;
        }
        Elf_Data *data = elf_rawdata(section, NULL);
        uint64_t at = address - header.sh_addr;
        if (data == NULL || data->d_buf == NULL || at >= data->d_size) {
            return false;
        }
        const char *from = (const char *)data->d_buf + at;
        size_t n = strnlen(from, data->d_size - at < size ? data->d_size - at : size);
        if (n == size || n == data->d_size - at) {
            return false;
        }
        memcpy(text, from, n + 1);
        return true;
    }
    return false;
}

static int take_banner(Elf *elf, struct vt_dwarf *d, struct vt_error *err)
{
    const struct vt_symbol *banner = vt_symbols_find(&d->symbols, "linux_banner");
    const struct vt_symbol *text = vt_symbols_find(&d->symbols, "_text");
    if (banner == NULL || text == NULL || text->absolute) {
        return vt_fail(err, VT_E_NOT_FOUND, "not a Linux kernel with symbols: no %s",
                       banner == NULL ? "linux_banner" : "_text");
    }
    if (!read_text(elf, (uint64_t)banner->value, d->banner, sizeof d->banner)) {
        return vt_fail(err, VT_E_NOT_FOUND,
                       "the kernel's own data is not in it, so neither is its banner");
    }
    d->banner[strcspn(d->banner, "\n")] = '\0';
    d->text = (uint64_t)text->value;
    return 0;
}

static uint64_t debug_bytes(Elf *elf)
{
    size_t names;
    for (Elf_Scn *section = NULL;
         elf_getshdrstrndx(elf, &names) == 0 && (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        const char *name =
            gelf_getshdr(section, &header) != NULL ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name != NULL && strcmp(name, ".debug_info") == 0) {
            return header.sh_size;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- all of it */

static int read_all(struct reading *r, Elf *elf, const char *system_map, struct vt_dwarf *d,
                    int (*progress)(uint64_t done, uint64_t all, void *arg), void *arg)
{
    struct symbol_list list = {.symbols = &d->symbols};
    uint8_t *bytes = NULL;
    size_t n;
    int rc = read_symtab(elf, &list, r->err);
    if (rc == 0 && system_map != NULL) {
        rc = read_system_map(system_map, &list, r->err);
    }
    if (rc == 0 && d->symbols.n == 0) {
        rc = vt_fail(r->err, VT_E_NOT_FOUND, "no symbol table in it");
    }
    if (rc == 0) {
        rc = vt_symbols_index(&d->symbols, r->err);
    }
    if (rc == 0) {
        rc = take_banner(elf, d, r->err);
    }
    if (rc == 0) {
        d->symbol_types = calloc(d->symbols.n, sizeof *d->symbol_types);
        rc = d->symbol_types == NULL ? vt_fail(r->err, VT_E_NOMEM, "symbols: out of memory") : 0;
    }
    if (rc == 0) {
        r->symbols = &d->symbols;
        r->symbol_types = d->symbol_types;
        rc = read_units(r, debug_bytes(elf), &d->units, progress, arg);
    }
    if (rc == 0) {
        rc = vt_types_finish(r->types, &bytes, &n, r->err);
    }
    if (rc == 0) {
        rc = vt_btf_create(bytes, n, &d->types, r->err);
    }
    for (size_t i = 0; i < d->symbols.n; i++) {
        d->symbols.list[i].value -= d->symbols.list[i].absolute ? 0 : (int64_t)d->text;
    }
    return rc;
}

int vt_dwarf_read(const char *path, const char *system_map, struct vt_dwarf *dwarf,
                  int (*progress)(uint64_t done, uint64_t all, void *arg), void *arg,
                  struct vt_error *err)
{
    struct vt_error said = {0};
    struct vt_dwarf made = {0};
    struct reading r = {.err = &said};
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf == NULL || elf_kind(elf) != ELF_K_ELF) {
        rc = vt_fail(&said, VT_E_CORRUPT, "not an ELF file");
    }
    if (rc == 0) {
        rc = vt_types_create(&r.types, &said);
    }
    if (rc == 0) {
        r.dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
        rc = r.dwarf == NULL ? vt_fail(&said, VT_E_NOT_FOUND, "no debug information (DWARF) in it")
                             : read_all(&r, elf, system_map, &made, progress, arg);
    }
    vt_types_destroy(r.types);
    free(r.queue);
    free(r.seen);
    dwarf_end(r.dwarf);
    elf_end(elf);
    vt_close(&fd);
    if (rc != 0) {
        vt_dwarf_fini(&made);
        return vt_fail(err, said.code, "%s: %s", path, said.message);
    }
    *dwarf = made;
    return 0;
}

void vt_dwarf_fini(struct vt_dwarf *dwarf)
{
    vt_symbols_fini(&dwarf->symbols);
    vt_btf_destroy(dwarf->types);
    free(dwarf->symbol_types);
    *dwarf = (struct vt_dwarf){0};
}
