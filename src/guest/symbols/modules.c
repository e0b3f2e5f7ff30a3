/* guest/symbols/modules.c - what loaded modules add to the kernel's names and types. See modules.h.
 *
 *   symbols  modules → struct module → kallsyms: Elf64_Sym[], names, type letters
 *   types    btf_modules → struct btf_module → struct btf: the section as the kernel loaded it
 * Sizes that a guest claims are read only as far as its memory goes and our caps allow.
 * (Linux include/linux/module.h, kernel/module/kallsyms.c, kernel/bpf/btf.c, 5.10 to 7.2)
 */
#include "guest/symbols/modules.h"

#include "base/cursor.h"
#include "guest/linux/list.h"
#include "guest/linux/object.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_MAX 8192u
#define MODULE_SYMBOLS_MAX (1u << 18)

struct module_fields {
    struct vt_member list, name, kallsyms, symtab, num_symtab, strtab, typetab;
    struct vt_member core_base, core_bytes, init_base, init_bytes; /* until Linux 6.3 */
    struct vt_member mem, mem_base, mem_bytes, memory;             /* since 6.4 */
};

#define FIELD(slot, of, path) VT_FIELD_BARE(module_fields, slot, of, path)
#define OPTIONAL(slot, of, path) VT_FIELD_BARE_OPTIONAL(module_fields, slot, of, path)
#define TYPE_FIELD(slot, of, path) VT_FIELD_BARE(type_fields, slot, of, path)

static const struct vt_field_spec module_specs[] = {
    FIELD(list, "module", "list"),
    FIELD(name, "module", "name"),
    FIELD(kallsyms, "module", "kallsyms"),
    FIELD(symtab, "mod_kallsyms", "symtab"),
    FIELD(num_symtab, "mod_kallsyms", "num_symtab"),
    FIELD(strtab, "mod_kallsyms", "strtab"),
    OPTIONAL(typetab, "mod_kallsyms", "typetab"),
    OPTIONAL(core_base, "module", "core_layout.base"),
    OPTIONAL(core_bytes, "module", "core_layout.size"),
    OPTIONAL(init_base, "module", "init_layout.base"),
    OPTIONAL(init_bytes, "module", "init_layout.size"),
    OPTIONAL(mem, "module", "mem"),
    OPTIONAL(mem_base, "module_memory", "base"),
    OPTIONAL(mem_bytes, "module_memory", "size"),
    {.slot = offsetof(struct module_fields, memory),
     .struct_name = "module_memory",
     .optional = true},
};

struct type_fields {
    struct vt_member list, module, btf, data, data_size, name;
};

static const struct vt_field_spec type_specs[] = {
    TYPE_FIELD(list, "btf_module", "list"),    TYPE_FIELD(module, "btf_module", "module"),
    TYPE_FIELD(btf, "btf_module", "btf"),      TYPE_FIELD(data, "btf", "data"),
    TYPE_FIELD(data_size, "btf", "data_size"), TYPE_FIELD(name, "module", "name"),
};

static uint64_t read_member(const struct vt_space *space, uint64_t at, const struct vt_member *m)
{
    uint8_t bytes[8] = {0};
    if (m->size == 0 || m->size > sizeof bytes ||
        vt_space_read(space, VT_GVA(at + m->offset), bytes, m->size, NULL) != 0) {
        return 0;
    }
    return vt_le64(bytes);
}

/* A name as the kernel allows it in file names; false: this is no module. */
static bool read_name(const struct vt_space *space, uint64_t module, const struct vt_member *m,
                      char name[VT_MODULE_NAME_MAX])
{
    size_t room = m->size < VT_MODULE_NAME_MAX ? m->size : VT_MODULE_NAME_MAX;
    if (room == 0 ||
        vt_space_read_string(space, VT_GVA(module + m->offset), name, room, NULL) != 0) {
        return false;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return false;
        }
    }
    return name[0] != '\0';
}

static struct vt_loaded *add_module(struct vt_modules *modules, struct vt_error *err)
{
    if ((modules->n & (modules->n - 1)) == 0) {
        size_t room = modules->n == 0 ? 1 : 2 * modules->n;
        struct vt_loaded *more = realloc(modules->list, room * sizeof *more);
        if (more == NULL) {
            vt_fail(err, VT_E_NOMEM, "modules: out of memory");
            return NULL;
        }
        modules->list = more;
    }
    struct vt_loaded *module = &modules->list[modules->n++];
    *module = (struct vt_loaded){0};
    return module;
}

/* Calls `fn` with each struct on the list whose head is called `head`. */
static int each(const struct vt_kernel *kernel, const char *head, const struct vt_member *link,
                int (*fn)(uint64_t at, void *arg, struct vt_error *err), void *arg,
                struct vt_error *err)
{
    struct vt_list_walk walk;
    struct vt_gva at, node;
    int rc = vt_kernel_symbol(kernel, head, &at, err);
    if (rc != 0) {
        return rc;
    }
    vt_list_begin(&walk, vt_kernel_space(kernel), at, MODULES_MAX);
    while ((rc = vt_list_next(&walk, &node, err)) == 1) {
        rc = fn(node.v - link->offset, arg, err);
        if (rc != 0) {
            break;
        }
    }
    vt_list_end(&walk);
    return rc;
}

/* ---------------------------------------------------------------- symbols */

struct symbol_reading {
    const struct vt_space *space;
    struct module_fields fields;
    struct vt_modules *modules;
    size_t symbols, names_bytes; /* of all modules together */
};

/* The bytes from `at` on, as many as are there up to `max`; malloc'ed. NULL: none. */
static char *read_up_to(const struct vt_space *space, uint64_t at, size_t max, size_t *n)
{
    char *bytes = malloc(max);
    size_t got = 0;
    while (bytes != NULL && got < max) {
        size_t page = VT_PAGE_BYTES - ((at + got) & (VT_PAGE_BYTES - 1));
        page = page < max - got ? page : max - got;
        if (vt_space_read(space, VT_GVA(at + got), bytes + got, page, NULL) != 0) {
            break;
        }
        got += page;
    }
    if (got == 0) {
        free(bytes);
        return NULL;
    }
    *n = got;
    return bytes;
}

/* The symbols that have a name and a place. `symtab` is a private copy. */
static int take_symbols(struct symbol_reading *r, const Elf64_Sym *symtab, uint32_t n,
                        uint64_t strtab, const char *types, struct vt_symbols *s,
                        struct vt_error *err)
{
    size_t last = 0, text_bytes = 0, needed = 0;
    for (uint32_t i = 0; i < n; i++) {
        last = symtab[i].st_name > last ? symtab[i].st_name : last;
    }
    if (last > VT_SYMBOL_NAMES_MAX) {
        return 0;
    }
    char *text = read_up_to(r->space, strtab, last + VT_SYMBOL_NAME_MAX, &text_bytes);
    struct vt_symbols made = {.list = calloc(n, sizeof *made.list)};
    for (uint32_t i = 0; text != NULL && made.list != NULL && i < n; i++) {
        const Elf64_Sym *sym = &symtab[i];
        if (sym->st_shndx == SHN_UNDEF || sym->st_name >= text_bytes) {
            continue;
        }
        size_t left = text_bytes - sym->st_name;
        size_t length = strnlen(text + sym->st_name, left);
        if (length == 0 || length == left || length >= VT_SYMBOL_NAME_MAX) {
            continue;
        }
        needed += length + 1;
        made.list[made.n++] = (struct vt_symbol){
            .value = (int64_t)sym->st_value, .name = sym->st_name, .type = types[i]};
    }
    r->symbols += made.n;
    r->names_bytes += needed;
    int rc = 0;
    if (made.n > 0 && r->symbols <= VT_SYMBOLS_MAX && r->names_bytes <= VT_SYMBOL_NAMES_MAX) {
        made.names = malloc(needed);
        if (made.names == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "modules: out of memory");
        }
        for (size_t i = 0; rc == 0 && i < made.n; i++) {
            size_t length = strlen(text + made.list[i].name) + 1;
            memcpy(made.names + made.names_bytes, text + made.list[i].name, length);
            made.list[i].name = (uint32_t)made.names_bytes;
            made.names_bytes += length;
        }
        if (rc == 0) {
            rc = vt_symbols_index(&made, err);
        }
    } else {
        made.n = 0;
    }
    free(text);
    if (rc == 0 && made.n > 0) {
        *s = made;
        return 0;
    }
    vt_symbols_fini(&made);
    return rc == VT_E_NOMEM ? rc : 0;
}

static int read_symbols(struct symbol_reading *r, uint64_t module, struct vt_symbols *symbols,
                        struct vt_error *err)
{
    const struct module_fields *f = &r->fields;
    uint64_t tables = read_member(r->space, module, &f->kallsyms);
    uint64_t n = tables != 0 ? read_member(r->space, tables, &f->num_symtab) : 0;
    uint64_t symtab_at = read_member(r->space, tables, &f->symtab);
    uint64_t strtab = read_member(r->space, tables, &f->strtab);
    uint64_t types_at = read_member(r->space, tables, &f->typetab);
    if (n == 0 || n > MODULE_SYMBOLS_MAX || r->symbols > VT_SYMBOLS_MAX) {
        return 0;
    }
    Elf64_Sym *symtab = malloc(n * sizeof *symtab);
    char *types = malloc(n);
    int rc =
        symtab == NULL || types == NULL ? vt_fail(err, VT_E_NOMEM, "modules: out of memory") : 0;
    if (rc == 0) {
        if (types_at == 0 || vt_space_read(r->space, VT_GVA(types_at), types, n, NULL) != 0) {
            memset(types, '?', n);
        }
        if (vt_space_read(r->space, VT_GVA(symtab_at), symtab, n * sizeof *symtab, NULL) == 0) {
            rc = take_symbols(r, symtab, (uint32_t)n, strtab, types, symbols, err);
        }
    }
    free(symtab);
    free(types);
    return rc;
}

static void add_range(struct vt_loaded *module, uint64_t base, uint64_t bytes)
{
    if (base != 0 && bytes != 0 && base + bytes > base && module->n_ranges < VT_MODULE_RANGES_MAX) {
        module->ranges[module->n_ranges++] = (struct vt_module_range){base, bytes};
    }
}

static void read_ranges(const struct symbol_reading *r, struct vt_loaded *module)
{
    const struct module_fields *f = &r->fields;
    const struct vt_space *space = r->space;
    uint64_t at = module->at.v;
    add_range(module, read_member(space, at, &f->core_base),
              read_member(space, at, &f->core_bytes));
    add_range(module, read_member(space, at, &f->init_base),
              read_member(space, at, &f->init_bytes));
    for (uint32_t i = 0; f->memory.size != 0 && i < f->mem.size / f->memory.size; i++) {
        uint64_t memory = at + f->mem.offset + (uint64_t)i * f->memory.size;
        add_range(module, read_member(space, memory, &f->mem_base),
                  read_member(space, memory, &f->mem_bytes));
    }
}

static int add_symbols(uint64_t at, void *arg, struct vt_error *err)
{
    struct symbol_reading *r = arg;
    char name[VT_MODULE_NAME_MAX];
    if (!read_name(r->space, at, &r->fields.name, name)) {
        return 0;
    }
    struct vt_loaded *module = add_module(r->modules, err);
    if (module == NULL) {
        return VT_E_NOMEM;
    }
    module->at = VT_GVA(at);
    memcpy(module->name, name, sizeof name);
    read_ranges(r, module);
    return read_symbols(r, at, &module->symbols, err);
}

int vt_modules_read_symbols(const struct vt_kernel *kernel, struct vt_modules *modules,
                            struct vt_error *err)
{
    struct vt_modules made = {0};
    struct symbol_reading r = {.space = vt_kernel_space(kernel), .modules = &made};
    int rc = vt_fields_resolve(kernel, module_specs, sizeof module_specs / sizeof module_specs[0],
                               &r.fields, err);
    if (rc == 0) {
        rc = each(kernel, "modules", &r.fields.list, add_symbols, &r, err);
    }
    if (rc != 0) {
        vt_modules_fini(&made);
        return rc;
    }
    *modules = made;
    return 0;
}

/* ---------------------------------------------------------------- types */

struct type_reading {
    const struct vt_space *space;
    struct type_fields fields;
    const struct vt_btf *base;
    struct vt_modules *modules;
    size_t bytes; /* of all modules together */
};

static int add_types(uint64_t at, void *arg, struct vt_error *err)
{
    struct type_reading *r = arg;
    const struct type_fields *f = &r->fields;
    char name[VT_MODULE_NAME_MAX];
    uint64_t owner = read_member(r->space, at, &f->module);
    uint64_t btf = read_member(r->space, at, &f->btf);
    uint64_t data = read_member(r->space, btf, &f->data);
    uint64_t n = read_member(r->space, btf, &f->data_size);
    if (!read_name(r->space, owner, &f->name, name) || n == 0 || n > VT_BTF_BYTES_MAX - r->bytes) {
        return 0;
    }
    uint8_t *bytes = malloc(n);
    struct vt_btf *types = NULL;
    int rc = bytes == NULL ? vt_fail(err, VT_E_NOMEM, "modules: out of memory") : 0;
    if (rc == 0 && vt_space_read(r->space, VT_GVA(data), bytes, n, NULL) != 0) {
        free(bytes);
        return 0;
    }
    r->bytes += n;
    if (rc == 0) {
        rc = vt_btf_create_split(bytes, n, r->base, &types, err);
    }
    if (rc != 0) {
        return rc == VT_E_NOMEM ? rc : 0;
    }
    struct vt_loaded *module = add_module(r->modules, err);
    if (module == NULL) {
        vt_btf_destroy(types);
        return VT_E_NOMEM;
    }
    module->at = VT_GVA(owner);
    memcpy(module->name, name, sizeof name);
    module->types = types;
    return 0;
}

int vt_modules_read_types(const struct vt_kernel *kernel, const struct vt_btf *base,
                          struct vt_modules *modules, struct vt_error *err)
{
    struct vt_modules made = {0};
    struct type_reading r = {.space = vt_kernel_space(kernel), .base = base, .modules = &made};
    int rc = vt_fields_resolve(kernel, type_specs, sizeof type_specs / sizeof type_specs[0],
                               &r.fields, err);
    if (rc == 0) {
        rc = each(kernel, "btf_modules", &r.fields.list, add_types, &r, err);
    }
    if (rc != 0) {
        vt_modules_fini(&made);
        return rc;
    }
    *modules = made;
    return 0;
}

/* ---------------------------------------------------------------- asking */

void vt_modules_fini(struct vt_modules *modules)
{
    for (size_t i = 0; i < modules->n; i++) {
        vt_symbols_fini(&modules->list[i].symbols);
        vt_btf_destroy(modules->list[i].types);
    }
    free(modules->list);
    *modules = (struct vt_modules){0};
}

const struct vt_loaded *vt_modules_named(const struct vt_modules *modules, const char *text,
                                         size_t n)
{
    for (size_t i = 0; i < modules->n; i++) {
        const char *name = modules->list[i].name;
        size_t k = 0;
        while (k < n && (name[k] == text[k] || (name[k] == '_' && text[k] == '-'))) {
            k++;
        }
        if (k == n && name[k] == '\0') {
            return &modules->list[i];
        }
    }
    return NULL;
}

const struct vt_symbol *vt_modules_symbol_at(const struct vt_modules *modules, struct vt_gva gva,
                                             const struct vt_loaded **module)
{
    for (size_t i = 0; i < modules->n; i++) {
        const struct vt_loaded *m = &modules->list[i];
        for (unsigned k = 0; k < m->n_ranges; k++) {
            const struct vt_module_range *range = &m->ranges[k];
            if (gva.v - range->base >= range->bytes || m->symbols.n == 0) {
                continue;
            }
            const struct vt_symbol *s = vt_symbols_before(&m->symbols, (int64_t)gva.v, false);
            /* What lies before the range's first symbol has none; that of another range is not it.
             */
            if (s != NULL && (uint64_t)s->value >= range->base) {
                *module = m;
                return s;
            }
        }
    }
    return NULL;
}
