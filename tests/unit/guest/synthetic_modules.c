/* tests/unit/guest/synthetic_modules.c - see synthetic_modules.h. */
#include "tests/unit/guest/synthetic_modules.h"

#include <assert.h>
#include <bpf/btf.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

uint64_t synthetic_module_pa(unsigned i)
{
    return MODULES_AT + (uint64_t)i * MODULE_STEP;
}

static bool new_style(const struct synthetic_kernel *k)
{
    return k->layout == LAYOUT_6_12 || k->layout == LAYOUT_7_2 || k->layout == LAYOUT_6_15;
}

static void field(struct btf *btf, const char *name, int type, unsigned byte)
{
    assert(btf__add_field(btf, name, type, byte * 8, 0) == 0);
}

void synthetic_module_types(struct btf *btf, const struct synthetic_kernel *k)
{
    int u32 = btf__find_by_name_kind(btf, "unsigned int", BTF_KIND_INT);
    int u64 = btf__find_by_name_kind(btf, "unsigned long", BTF_KIND_INT);
    int c = btf__find_by_name_kind(btf, "char", BTF_KIND_INT);
    int list = btf__find_by_name_kind(btf, "list_head", BTF_KIND_STRUCT);
    int pointer = btf__add_ptr(btf, 0);
    int text = btf__add_array(btf, u32, c, 56);
    int memory = btf__add_struct(btf, new_style(k) ? "module_memory" : "module_layout", 24);
    field(btf, "base", pointer, 0);
    field(btf, "size", u32, 8);
    int memories = btf__add_array(btf, u32, memory, 3);
    btf__add_struct(btf, "mod_kallsyms", 32);
    field(btf, "symtab", pointer, KALLSYMS_SYMTAB);
    field(btf, "num_symtab", u32, KALLSYMS_NUM);
    field(btf, "strtab", pointer, KALLSYMS_STRTAB);
    field(btf, "typetab", pointer, KALLSYMS_TYPETAB);
    btf__add_struct(btf, "module", 512);
    field(btf, "list", list, MODULE_LIST);
    field(btf, "name", text, MODULE_NAME);
    field(btf, "kallsyms", pointer, MODULE_KALLSYMS_POINTER);
    field(btf, "state", u32, MODULE_STATE);
    field(btf, "refcnt", u32, MODULE_REFCNT);
    field(btf, "taints", u64, MODULE_TAINTS);
    if (new_style(k)) {
        field(btf, "mem", memories, MODULE_MEMORY);
    } else {
        field(btf, "core_layout", memory, MODULE_MEMORY);
        field(btf, "init_layout", memory, MODULE_MEMORY + 24);
    }
    btf__add_struct(btf, "btf", 128);
    field(btf, "data", pointer, BTF_DATA);
    field(btf, "data_size", u32, BTF_DATA_SIZE);
    btf__add_struct(btf, "btf_module", 48);
    field(btf, "list", list, BTF_MODULE_LIST);
    field(btf, "module", pointer, BTF_MODULE_OWNER);
    field(btf, "btf", pointer, BTF_MODULE_BTF);
}

/* A ring of `n` list_heads, the head first. */
static void put_ring(struct synthetic *s, const uint64_t *pas, const uint64_t *vas, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        synthetic_put(s, pas[i], vas[(i + 1) % n], 8);
        synthetic_put(s, pas[i] + 8, vas[(i + n - 1) % n], 8);
    }
}

struct own_symbol {
    const char *name;
    uint16_t section;
    uint32_t offset; /* from the module's text */
    char type;
};

static void put_module(struct synthetic *s, const struct synthetic_kernel *k, unsigned i,
                       const char *name, const struct own_symbol *symbols, uint32_t n)
{
    uint64_t pa = synthetic_module_pa(i), kallsyms = pa + MODULE_KALLSYMS;
    memset(s->ram + pa, 0, MODULE_STEP);
    memcpy(s->ram + pa + MODULE_NAME, name, strlen(name));
    synthetic_put(s, pa + MODULE_KALLSYMS_POINTER, synthetic_direct(k, kallsyms), 8);
    /* Old: core and nothing more; new: two of three, text last. */
    unsigned text = new_style(k) ? 2 : 0;
    synthetic_put(s, pa + MODULE_MEMORY + 24 * text, synthetic_direct(k, pa + MODULE_TEXT), 8);
    synthetic_put(s, pa + MODULE_MEMORY + 24 * text + 8, 4096, 4);
    if (new_style(k)) {
        synthetic_put(s, pa + MODULE_MEMORY, synthetic_direct(k, pa + MODULE_BTF), 8);
        synthetic_put(s, pa + MODULE_MEMORY + 8, 256, 4);
    }
    synthetic_put(s, kallsyms + KALLSYMS_SYMTAB, synthetic_direct(k, pa + MODULE_SYMTAB), 8);
    synthetic_put(s, kallsyms + KALLSYMS_NUM, n + 1, 4);
    synthetic_put(s, kallsyms + KALLSYMS_STRTAB, synthetic_direct(k, pa + MODULE_STRTAB), 8);
    synthetic_put(s, kallsyms + KALLSYMS_TYPETAB, synthetic_direct(k, pa + MODULE_TYPETAB), 8);
    uint32_t at = 1;
    for (uint32_t j = 0; j < n; j++) {
        Elf64_Sym sym = {.st_name = at,
                         .st_shndx = symbols[j].section,
                         .st_value = synthetic_direct(k, pa + MODULE_TEXT) + symbols[j].offset};
        memcpy(s->ram + pa + MODULE_SYMTAB + (j + 1) * sizeof sym, &sym, sizeof sym);
        memcpy(s->ram + pa + MODULE_STRTAB + at, symbols[j].name, strlen(symbols[j].name));
        s->ram[pa + MODULE_TYPETAB + j + 1] = (uint8_t)symbols[j].type;
        at += (uint32_t)strlen(symbols[j].name) + 1;
    }
}

void synthetic_modules(struct synthetic *s, const struct synthetic_kernel *k, struct btf *base)
{
    static const struct own_symbol alpha[] = {
        {"alpha_open", 1, 0x10, 't'},    {"shared_name", 1, 0x80, 't'},
        {"imported", SHN_UNDEF, 0, 'U'}, {"", 1, 0x90, 't'},
        {"alpha_state", 2, 0x800, 'd'},
    };
    static const struct own_symbol beta[] = {{"shared_name", 1, 0x40, 't'},
                                             {"beta_only", 1, 0x60, 'T'}};
    put_module(s, k, 0, "net_alpha", alpha, sizeof alpha / sizeof alpha[0]);
    put_module(s, k, 1, "beta", beta, sizeof beta / sizeof beta[0]);
    uint64_t text = synthetic_text(k), one = synthetic_module_pa(0), two = synthetic_module_pa(1);
    const uint64_t pas[] = {k->text_pa + AT_MODULES, one + MODULE_LIST, two + MODULE_LIST};
    const uint64_t vas[] = {text + AT_MODULES, synthetic_direct(k, pas[1]),
                            synthetic_direct(k, pas[2])};
    put_ring(s, pas, vas, 3);

    struct btf *split = btf__new_empty_split(base);
    int u32 = btf__find_by_name_kind(base, "unsigned int", BTF_KIND_INT);
    int list = btf__find_by_name_kind(base, "list_head", BTF_KIND_STRUCT);
    int task = btf__add_ptr(split, btf__find_by_name_kind(base, "task_struct", BTF_KIND_STRUCT));
    int count = btf__add_typedef(split, "alpha_count", u32);
    btf__add_struct(split, "alpha_state", 40);
    field(split, "next", list, 0);
    field(split, "task", task, 16);
    field(split, "count", count, 24);
    btf__add_enum(split, "alpha_kind", 4);
    btf__add_enum_value(split, "ALPHA_THIRD", 3);
    uint32_t bytes;
    const void *raw = btf__raw_data(split, &bytes);
    uint64_t at = one + MODULE_BTF, btf = at + 0x100, data = one + MODULE_BTF_BYTES;
    memcpy(s->ram + data, raw, bytes);
    synthetic_put(s, at + BTF_MODULE_OWNER, synthetic_direct(k, one), 8);
    synthetic_put(s, at + BTF_MODULE_BTF, synthetic_direct(k, btf), 8);
    synthetic_put(s, btf + BTF_DATA, synthetic_direct(k, data), 8);
    synthetic_put(s, btf + BTF_DATA_SIZE, bytes, 4);
    const uint64_t btf_pas[] = {k->text_pa + AT_BTF_MODULES, at + BTF_MODULE_LIST};
    const uint64_t btf_vas[] = {text + AT_BTF_MODULES, synthetic_direct(k, btf_pas[1])};
    put_ring(s, btf_pas, btf_vas, 2);
    btf__free(split);
}
