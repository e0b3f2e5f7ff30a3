/* tests/unit/guest/synthetic_modules.h - loaded modules for the synthetic kernel: net_alpha, which
 * has symbols and types, and beta, which has symbols only. */
#ifndef VT_TESTS_GUEST_SYNTHETIC_MODULES_H
#define VT_TESTS_GUEST_SYNTHETIC_MODULES_H

#include "tests/unit/guest/synthetic.h"

struct btf;

/* Physically; everything is reached through the direct mapping. */
enum {
    MODULES_AT = 0xf00000,
    MODULE_STEP = 0x10000, /* of each module: struct module, then */
    MODULE_KALLSYMS = 0x1000,
    MODULE_SYMTAB = 0x2000,
    MODULE_STRTAB = 0x3000,
    MODULE_TYPETAB = 0x4000,
    MODULE_TEXT = 0x5000, /* one page, which symbols point into */
    MODULE_BTF = 0x6000,  /* struct btf_module, struct btf, the section */
    MODULE_BTF_BYTES = 0x7000,
};
/* Members of struct module, mod_kallsyms, btf_module and btf. */
enum {
    MODULE_LIST = 8,
    MODULE_NAME = 24,
    MODULE_STATE = 480,
    MODULE_REFCNT = 484,
    MODULE_TAINTS = 488,
    MODULE_KALLSYMS_POINTER = 96,
    MODULE_MEMORY = 128,
    KALLSYMS_SYMTAB = 0,
    KALLSYMS_NUM = 8,
    KALLSYMS_STRTAB = 16,
    KALLSYMS_TYPETAB = 24,
    BTF_MODULE_LIST = 0,
    BTF_MODULE_OWNER = 16,
    BTF_MODULE_BTF = 24,
    BTF_DATA = 64,
    BTF_DATA_SIZE = 64 + 16,
};

/** Where the list heads `modules` and `btf_modules` are, from _text. */
enum { AT_MODULES = AT_VARIABLES + 0x200, AT_BTF_MODULES = AT_VARIABLES + 0x210 };

/** Adds the structs that describe modules to vmlinux's types. */
void synthetic_module_types(struct btf *btf, const struct synthetic_kernel *kernel);
/** Puts both modules into RAM; `btf`: vmlinux's types, complete. */
void synthetic_modules(struct synthetic *s, const struct synthetic_kernel *kernel, struct btf *btf);
/** Where module i's struct is, physically. */
uint64_t synthetic_module_pa(unsigned i);

#endif
