/* tests/unit/guest/test_elf.c - functions of ELF files, held against libelf's reading of the C
 * library and of this program; with parts of the file missing, what is left is still right. */
#include "tests/unit/harness.h"

#include "guest/symbols/elf.h"

#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

struct file {
    uint8_t *at, *pages;
    uint64_t n;
};

static void load(const char *path, struct file *f)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    f->n = (uint64_t)st.st_size;
    f->at = malloc(f->n);
    f->pages = malloc(f->n / PAGE / 8 + 1);
    assert_true(f->at != NULL && f->pages != NULL);
    memset(f->pages, 0xff, f->n / PAGE / 8 + 1);
    assert_int_equal(read(fd, f->at, f->n), f->n);
    close(fd);
}

static void unload(struct file *f)
{
    free(f->at);
    free(f->pages);
}

static void lose(struct file *f, uint64_t offset, uint64_t n)
{
    for (uint64_t page = offset / PAGE; page * PAGE < offset + n && page * PAGE < f->n; page++) {
        uint64_t at = page * PAGE, left = f->n - at;
        f->pages[page / 8] &= (uint8_t)~(1u << page % 8);
        memset(f->at + at, 0, left < PAGE ? left : PAGE);
    }
}

static struct vt_elf read_elf(const struct file *f)
{
    struct vt_elf_bytes bytes = {f->at, f->n, f->pages};
    struct vt_elf elf;
    struct vt_error err;
    assert_int_equal(vt_elf_read(&bytes, &elf, &err), 0);
    return elf;
}

/* Calls for each function with a size that libelf finds in tables of `type`. */
static unsigned each(const char *path, unsigned type,
                     void (*fn)(const GElf_Sym *sym, const char *name, void *arg), void *arg)
{
    unsigned n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    assert_non_null(elf);
    for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn != NULL; scn = elf_nextscn(elf, scn)) {
        GElf_Shdr shdr;
        assert_non_null(gelf_getshdr(scn, &shdr));
        if (shdr.sh_type != type) {
            continue;
        }
        Elf_Data *data = elf_getdata(scn, NULL);
        for (size_t i = 0; i < shdr.sh_size / shdr.sh_entsize; i++) {
            GElf_Sym sym;
            assert_non_null(gelf_getsym(data, (int)i, &sym));
            if (GELF_ST_TYPE(sym.st_info) == STT_FUNC && sym.st_shndx != SHN_UNDEF &&
                sym.st_size > 0) {
                fn(&sym, elf_strptr(elf, shdr.sh_link, sym.st_name), arg);
                n++;
            }
        }
    }
    elf_end(elf);
    close(fd);
    return n;
}

struct alias {
    uint64_t address;
    const char *name;
    bool found;
};

static void is_alias(const GElf_Sym *sym, const char *name, void *arg)
{
    struct alias *a = arg;
    a->found |= sym->st_value == a->address && strcmp(name, a->name) == 0;
}

/* Every function begins at a symbol, and its last byte is in one that begins no earlier. */
static void is_found(const GElf_Sym *sym, const char *name, void *arg)
{
    const struct vt_elf *elf = arg;
    const struct vt_elf_symbol *s = vt_elf_symbol_at(elf, sym->st_value);
    (void)name;
    assert_non_null(s);
    assert_true(s->address == sym->st_value);
    s = vt_elf_symbol_at(elf, sym->st_value + sym->st_size - 1);
    assert_non_null(s);
    assert_true(s->address >= sym->st_value);
}

static const char *libc_path(void)
{
    static char path[4096];
    struct link_map *map = _r_debug.r_map;
    while (map != NULL && strstr(map->l_name, "libc.so") == NULL) {
        map = map->l_next;
    }
    if (map != NULL) {
        snprintf(path, sizeof path, "%s", map->l_name);
    }
    return map != NULL ? path : NULL;
}

static void dynamic_symbols_are_libelfs(void **state)
{
    (void)state;
    const char *path = libc_path();
    struct file f;
    if (path == NULL) {
        skip();
    }
    load(path, &f);
    struct vt_elf elf = read_elf(&f);
    assert_true(each(path, SHT_DYNSYM, is_found, &elf) > 1000);
    const struct vt_elf_symbol *s = NULL;
    for (size_t i = 0; i < elf.n_symbols && s == NULL; i++) {
        s = strcmp(vt_elf_symbol_name(&elf, &elf.symbols[i]), "qsort") == 0 ? &elf.symbols[i] : s;
    }
    assert_non_null(s); /* not __qsort or the like */
    struct alias alias = {s->address, "qsort", false};
    each(path, SHT_DYNSYM, is_alias, &alias);
    assert_true(alias.found);

    /* Without section headers, which programs do not need to run: by the hash table. */
    ElfW(Ehdr) h;
    memcpy(&h, f.at, sizeof h);
    lose(&f, h.e_shoff, (uint64_t)h.e_shnum * h.e_shentsize);
    struct vt_elf less = read_elf(&f);
    assert_true(each(path, SHT_DYNSYM, is_found, &less) > 1000);
    vt_elf_fini(&elf);
    vt_elf_fini(&less);
    unload(&f);
}

static __attribute__((noinline)) int a_local_function(int v)
{
    __asm__ volatile("" : "+r"(v));
    return v + 1;
}

static uint64_t bias(void)
{
    return _r_debug.r_map->l_addr;
}

static const char *name_at(const struct vt_elf *elf, uint64_t address)
{
    const struct vt_elf_symbol *s = vt_elf_symbol_at(elf, address);
    return s != NULL ? vt_elf_symbol_name(elf, s) : "";
}

static void own_symbols_are_libelfs(void **state)
{
    (void)state;
    struct file f;
    load("/proc/self/exe", &f);
    struct vt_elf elf = read_elf(&f);
    uint64_t here = (uint64_t)(uintptr_t)a_local_function - bias();
    assert_true(each("/proc/self/exe", SHT_SYMTAB, is_found, &elf) > 3);
    assert_int_equal(a_local_function(1), 2);
    assert_string_equal(name_at(&elf, here + 1), "a_local_function");
    vt_elf_fini(&elf);

    /* The pages that are not loaded may never have been read: no name, and nothing wrong. */
    ElfW(Ehdr) h;
    memcpy(&h, f.at, sizeof h);
    lose(&f, h.e_shoff, (uint64_t)h.e_shnum * h.e_shentsize);
    elf = read_elf(&f);
    assert_string_not_equal(name_at(&elf, here), "a_local_function");
    vt_elf_fini(&elf);
    unload(&f);
}

static void offsets_become_addresses(void **state)
{
    (void)state;
    struct file f;
    load("/proc/self/exe", &f);
    struct vt_elf elf = read_elf(&f);
    unsigned checked = 0;
    for (unsigned i = 0; i < elf.n_segments; i++) {
        const struct vt_elf_segment *s = &elf.segments[i];
        uint64_t address;
        if (s->code) {
            assert_true(vt_elf_address(&elf, s->offset + 5, &address));
            assert_true(address == s->address + 5);
            /* What is mapped there is the file's. */
            assert_memory_equal((const void *)(uintptr_t)(bias() + address), f.at + s->offset + 5,
                                16);
            checked++;
        }
    }
    uint64_t address = 1;
    assert_true(checked > 0);
    assert_false(vt_elf_address(&elf, f.n + PAGE, &address));
    assert_true(address == 1);
    vt_elf_fini(&elf);
    unload(&f);
}

#ifdef __x86_64__
static void stubs_have_names(void **state)
{
    (void)state;
    struct file f;
    load("/proc/self/exe", &f);
    struct vt_elf elf = read_elf(&f);
    unsigned stubs = 0, ours = 0;
    for (size_t i = 0; i < elf.n_symbols; i++) {
        const char *name = vt_elf_symbol_name(&elf, &elf.symbols[i]);
        const char *end = strstr(name, "@plt");
        stubs += end != NULL && end[4] == '\0';
        ours += strcmp(name, "elf_begin@plt") == 0;
    }
    assert_true(stubs > 5);
    assert_int_equal(ours, 1);
    vt_elf_fini(&elf);
    unload(&f);
}
#endif

static void what_is_no_elf_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[PAGE] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    struct vt_elf elf;
    struct vt_error err;
    assert_int_equal(vt_elf_read(&(struct vt_elf_bytes){bytes, PAGE, NULL}, &elf, &err),
                     VT_E_UNSUPPORTED);
    bytes[4] = 2;
    assert_int_equal(vt_elf_read(&(struct vt_elf_bytes){bytes, PAGE, NULL}, &elf, &err),
                     VT_E_CORRUPT);
    assert_int_equal(vt_elf_read(&(struct vt_elf_bytes){bytes, 63, NULL}, &elf, &err),
                     VT_E_CORRUPT);
    memcpy(bytes, "#!/bin/sh\n", 10);
    assert_int_equal(vt_elf_read(&(struct vt_elf_bytes){bytes, PAGE, NULL}, &elf, &err),
                     VT_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dynamic_symbols_are_libelfs),
        cmocka_unit_test(own_symbols_are_libelfs),
        cmocka_unit_test(offsets_become_addresses),
#ifdef __x86_64__
        cmocka_unit_test(stubs_have_names),
#endif
        cmocka_unit_test(what_is_no_elf_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
