/* guest/kernel.c - finds the kernel: symbols, then its image, then its address space.
 *
 *   known   a banner from the cache at one of the 2 MiB slots an image may start at
 *   unknown a token table in RAM, parsed (symbols/kallsyms.c)
 *   place   phys_base (and for place-relative tables only it) ties virtual to physical addresses
 *   proof   linux_banner is a banner, and the kernel's own page tables lead to it
 *   alive   the real-mode trampoline in low memory points to this kernel's tables; those of a
 *           kernel from before a reboot do not
 */
#include "guest/kernel.h"

#include "base/cursor.h"
#include "base/io.h"
#include "guest/linux/layout.h"
#include "guest/linux/percpu.h"
#include "guest/symbols/cache.h"
#include "guest/symbols/kallsyms.h"
#include "guest/symbols/vmcoreinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_MAP UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */
#define IMAGE_ALIGN (UINT64_C(2) << 20)         /* CONFIG_PHYSICAL_ALIGN */
#define LINK_VA UINT64_C(0xffffffff81000000)    /* _text without KASLR: CONFIG_PHYSICAL_START */
#define LOW_MEMORY (UINT64_C(1) << 20)
#define NOTES_MAX 65536u
/* Digits side by side are common (a dozen in a guest); symbol tables are not. */
#define CANDIDATES_MAX 65536u
#define TABLES_MAX 32u

static const char banner_start[] = "Linux version ";

/* ---------------------------------------------------------------- inside the image */

/* Where the image holds a symbol; false when there is none of that name. */
static bool image_symbol(const struct vt_kernel *k, const char *name, uint64_t *pa)
{
    const struct vt_symbol *s = vt_symbols_find(&k->symbols, name);
    if (s == NULL || s->absolute) {
        return false;
    }
    *pa = k->text_pa.v + (uint64_t)s->value;
    return true;
}

static bool image_u64(const struct vt_kernel *k, const char *name, uint64_t *value)
{
    uint64_t pa;
    return image_symbol(k, name, &pa) && pa % 8 == 0 &&
           vt_ram_read_u64(k->ram, VT_GPA(pa), value, NULL) == 0;
}

uint8_t *vt_kernel_image_range(const struct vt_kernel *k, const char *from, const char *to,
                               size_t max, size_t *n)
{
    uint64_t start, end;
    if (!image_symbol(k, from, &start) || !image_symbol(k, to, &end) || end <= start ||
        end - start > max) {
        return NULL;
    }
    uint8_t *bytes = calloc(1, end - start + 1);
    if (bytes != NULL && vt_ram_read(k->ram, VT_GPA(start), bytes, end - start, NULL) != 0) {
        free(bytes);
        bytes = NULL;
    }
    *n = end - start;
    return bytes;
}

/* Does phys_base say that the image lies at text_pa and text_va? */
static bool phys_base_agrees(struct vt_kernel *k)
{
    uint64_t base;
    return image_u64(k, "phys_base", &base) && base == k->text_pa.v - k->text_va.v + KERNEL_MAP;
}

/* ---------------------------------------------------------------- proof */

/* The banner at linux_banner, printable and of one line. */
static bool take_banner(struct vt_kernel *k)
{
    uint64_t pa;
    char text[VT_BANNER_MAX] = "";
    if (!image_symbol(k, "linux_banner", &pa) ||
        vt_ram_read(k->ram, VT_GPA(pa), text, sizeof text - 1, NULL) != 0 ||
        strncmp(text, banner_start, sizeof banner_start - 1) != 0) {
        return false;
    }
    size_t length = strcspn(text, "\n");
    if (text[length] != '\n') {
        return false;
    }
    memcpy(k->banner, text, length);
    k->banner[length] = '\0';
    const char *release = text + sizeof banner_start - 1;
    size_t words = strcspn(release, " \n");
    memcpy(k->release, release, words);
    k->release[words] = '\0';
    return true;
}

/* The root of the kernel's page tables and their number of levels: those that lead to the banner.
 */
static bool take_space(struct vt_kernel *k)
{
    uint64_t root, banner, five = 0;
    if ((!image_symbol(k, "init_top_pgt", &root) && !image_symbol(k, "init_level4_pgt", &root)) ||
        !image_symbol(k, "linux_banner", &banner)) {
        return false;
    }
    if (image_symbol(k, "__pgtable_l5_enabled", &five)) {
        uint32_t enabled = 0;
        five =
            vt_ram_read(k->ram, VT_GPA(five), &enabled, sizeof enabled, NULL) == 0 && (enabled & 1);
    }
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        k->space.root = VT_GPA(root);
        k->space.levels = (five != 0) == (attempt == 0) ? 5 : 4;
        vt_tlb_flush(k->space.tlb);
        struct vt_gpa gpa;
        struct vt_gva gva = VT_GVA(k->text_va.v + (banner - k->text_pa.v));
        if (vt_space_translate(&k->space, gva, &gpa, NULL) == 0 && gpa.v == banner) {
            return true;
        }
    }
    return false;
}

/* The GNU build id from the image's notes (ELF gABI, "Note Section"), in hex. */
static void take_build_id(struct vt_kernel *k)
{
    size_t n;
    uint8_t *notes = vt_kernel_image_range(k, "__start_notes", "__stop_notes", NOTES_MAX, &n);
    struct vt_cursor c = vt_cursor_of(notes, notes != NULL ? n : 0);
    k->build_id[0] = '\0';
    while (vt_cursor_left(&c) > 0 && k->build_id[0] == '\0') {
        uint32_t name_bytes = vt_cursor_u32(&c), bytes = vt_cursor_u32(&c);
        uint32_t type = vt_cursor_u32(&c);
        const uint8_t *name = vt_cursor_take(&c, name_bytes);
        vt_cursor_align(&c, 4);
        const uint8_t *id = vt_cursor_take(&c, bytes);
        vt_cursor_align(&c, 4);
        if (id != NULL && type == 3 && name_bytes == 4 && memcmp(name, "GNU", 4) == 0 &&
            bytes <= VT_BUILD_ID_MAX) {
            for (uint32_t i = 0; i < bytes; i++) {
                snprintf(k->build_id + 2 * (size_t)i, 3, "%02x", id[i]);
            }
        }
    }
    free(notes);
}

static void take_vmcoreinfo(struct vt_kernel *k)
{
    uint64_t at, bytes;
    if (!image_u64(k, "vmcoreinfo_data", &at) || !image_u64(k, "vmcoreinfo_size", &bytes) ||
        bytes == 0 || bytes > VT_VMCOREINFO_MAX) {
        return;
    }
    k->vmcoreinfo = malloc(bytes);
    if (k->vmcoreinfo != NULL &&
        vt_space_read(&k->space, VT_GVA(at), k->vmcoreinfo, bytes, NULL) == 0) {
        k->vmcoreinfo_bytes = bytes;
    }
}

static bool is_proved(struct vt_kernel *k)
{
    return phys_base_agrees(k) && take_banner(k) && take_space(k);
}

/* Linux keeps a page table for starting CPUs below 1 MiB; its last entry is init_top_pgt's. A
 * kernel that boots over the leftovers of another writes its own there. */
static bool is_alive(const struct vt_kernel *k)
{
    uint64_t mine, theirs;
    if (vt_ram_read_u64(k->ram, VT_GPA(k->space.root.v + 511 * 8), &mine, NULL) != 0) {
        return false;
    }
    for (uint64_t page = 0; page < LOW_MEMORY; page += VT_PAGE_BYTES) {
        if (vt_ram_read_u64(k->ram, VT_GPA(page + 511 * 8), &theirs, NULL) == 0 && theirs == mine) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- an unknown kernel */

/* From what kallsyms knows, and where it was found, to the image's place. */
static bool place_image(struct vt_kernel *k, const struct vt_kallsyms *tables, struct vt_gpa run)
{
    if (tables->place_relative) {
        uint64_t base;
        k->text_pa = VT_GPA(run.v + (uint64_t)tables->text_at);
        if (!image_u64(k, "phys_base", &base)) {
            return false;
        }
        k->text_va = VT_GVA(k->text_pa.v - base + KERNEL_MAP);
        return is_proved(k);
    }
    /* The tables lie in the image, somewhere behind _text, and both of _text's addresses are the
     * same modulo the image's alignment. */
    k->text_va = VT_GVA(tables->text_va);
    uint64_t inside = run.v + tables->token_table_at;
    uint64_t below = (inside - tables->text_va) % IMAGE_ALIGN;
    for (; below < VT_KERNEL_IMAGE_MAX && below <= inside; below += IMAGE_ALIGN) {
        k->text_pa = VT_GPA(inside - below);
        if (is_proved(k)) {
            return true;
        }
    }
    return false;
}

struct search {
    struct vt_kernel best; /* the first proved kernel; space.ram is NULL while there is none */
    unsigned candidates, tables;
    bool alive;
    uint64_t symbols_ns, place_ns;
};

/* One run of physically contiguous populated memory. */
static int search_run(struct vt_kernel *k, struct search *s, struct vt_off start, uint64_t bytes,
                      struct vt_error *err)
{
    const uint8_t *run = vt_ram_bytes(k->ram) + start.v;
    struct vt_gpa gpa;
    int rc = vt_ram_gpa(k->ram, start, &gpa, err);
    for (size_t at = 0; rc == 0 && !s->alive && vt_kallsyms_next(run, bytes, &at); at++) {
        struct vt_kallsyms tables;
        uint64_t before = vt_now_ns();
        if (++s->candidates > CANDIDATES_MAX || s->tables >= TABLES_MAX) {
            return vt_fail(err, VT_E_LIMIT, "RAM is full of what looks like symbol tables");
        }
        rc = vt_kallsyms_parse(run, bytes, at, &tables, err);
        uint64_t parsed = vt_now_ns();
        s->symbols_ns += parsed - before;
        s->tables += rc != VT_E_NOT_FOUND;
        if (rc != 0) {
            rc = rc == VT_E_NOMEM ? rc : 0;
            continue;
        }
        k->symbols = tables.symbols;
        bool proved = place_image(k, &tables, gpa);
        s->alive = proved && is_alive(k);
        if (s->alive || (proved && s->best.ram == NULL)) {
            vt_symbols_fini(&s->best.symbols);
            s->best = *k;
        } else {
            vt_symbols_fini(&k->symbols);
        }
        k->symbols = (struct vt_symbols){0};
        s->place_ns += vt_now_ns() - parsed;
    }
    return rc;
}

static int find_unknown(struct vt_kernel *k, struct vt_error *err)
{
    struct search s = {0};
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(k->ram, &regions);
    uint64_t begin = vt_now_ns();
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0 && !s.alive; i++) {
        struct vt_off at = regions[i].offset, end, stop = VT_OFF(at.v + regions[i].bytes);
        while (rc == 0 && !s.alive && at.v < stop.v &&
               vt_ram_next_data(k->ram, at, &at, &end, NULL) == 0 && at.v < stop.v) {
            end = end.v < stop.v ? end : stop;
            rc = search_run(k, &s, at, end.v - at.v, err);
            at = end;
        }
    }
    if (rc == 0) {
        rc = vt_ram_check(k->ram, err);
    }
    if (rc == 0 && s.best.ram == NULL) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s",
                     s.tables > 0 ? "a kernel's symbols are in RAM, but no kernel that they fit"
                                  : "no Linux kernel in RAM (not booted yet, or no kallsyms)");
    }
    if (rc != 0) {
        vt_symbols_fini(&s.best.symbols);
        return rc;
    }
    struct vt_kernel_cost cost = {.symbols_ns = s.symbols_ns, .place_ns = s.place_ns};
    cost.scan_ns = vt_now_ns() - begin - cost.symbols_ns - cost.place_ns;
    *k = s.best;
    k->cost = cost;
    return 0;
}

/* ---------------------------------------------------------------- a known kernel */

bool vt_kernel_try(struct vt_kernel *k, const char *banner, int64_t banner_at,
                   int (*load)(struct vt_kernel *kernel, void *arg), void *arg)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(k->ram, &regions);
    size_t length = strlen(banner);
    if (length == 0 || length >= VT_BANNER_MAX || banner_at < 0 ||
        banner_at >= VT_KERNEL_IMAGE_MAX) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t slot = (regions[i].gpa.v + IMAGE_ALIGN - 1) & ~(IMAGE_ALIGN - 1);
        uint64_t end = regions[i].gpa.v + regions[i].bytes;
        for (; slot < end; slot += IMAGE_ALIGN) {
            char text[VT_BANNER_MAX];
            uint64_t before = vt_now_ns();
            if (vt_ram_read(k->ram, VT_GPA(slot + (uint64_t)banner_at), text, length, NULL) != 0 ||
                memcmp(text, banner, length) != 0 || (k->symbols.n == 0 && load(k, arg) != 0)) {
                continue;
            }
            uint64_t loaded = vt_now_ns(), base = 0;
            k->cost.symbols_ns += loaded - before;
            k->text_pa = VT_GPA(slot);
            bool proved = image_u64(k, "phys_base", &base);
            k->text_va = VT_GVA(slot - base + KERNEL_MAP);
            proved = proved && is_proved(k) && is_alive(k);
            k->cost.place_ns += vt_now_ns() - loaded;
            if (proved) {
                take_build_id(k);
                return true;
            }
        }
    }
    vt_symbols_fini(&k->symbols);
    return false;
}

static int load_known(struct vt_kernel *k, void *arg)
{
    return vt_cache_load(k->cache_dir, arg, &k->symbols, NULL);
}

/* 1: found. */
static int try_known(const struct vt_cache_key *key, void *arg)
{
    struct vt_kernel *k = arg;
    struct vt_cache_key copy = *key;
    if (!vt_kernel_try(k, key->banner, key->banner_at, load_known, &copy)) {
        return 0;
    }
    if (strcmp(k->build_id, key->build_id) != 0) {
        vt_symbols_fini(&k->symbols);
        return 0;
    }
    return 1;
}

static bool find_known(struct vt_kernel *k)
{
    uint64_t begin = vt_now_ns();
    k->cost.cached = vt_cache_each(k->cache_dir, try_known, k) == 1;
    k->cost.scan_ns = vt_now_ns() - begin - k->cost.symbols_ns - k->cost.place_ns;
    return k->cost.cached;
}

/* A cache that cannot be written costs time at the next opening, nothing else. */
static void remember(const struct vt_kernel *k, const char *dir)
{
    struct vt_cache_key key = {.banner_at = vt_symbols_find(&k->symbols, "linux_banner")->value};
    if (k->build_id[0] != '\0') {
        memcpy(key.banner, k->banner, strlen(k->banner));
        memcpy(key.build_id, k->build_id, strlen(k->build_id));
        vt_cache_store(dir, &key, &k->symbols, NULL);
    }
}

/* ---------------------------------------------------------------- public */

/* Copies what the options say; the cache's own directory of files comes last. */
static int take_options(struct vt_kernel *k, const struct vt_kernel_options *options,
                        struct vt_error *err)
{
    const char *dir = options != NULL ? options->cache_dir : NULL;
    const char *path = options != NULL ? options->symbol_path : NULL;
    bool good = true;
    if (dir != NULL) {
        k->cache_dir = strdup(dir);
        good = k->cache_dir != NULL &&
               asprintf(&k->symbol_path, "%s%s%s/isf", path != NULL ? path : "",
                        path != NULL ? ":" : "", dir) >= 0;
    } else if (path != NULL) {
        k->symbol_path = strdup(path);
        good = k->symbol_path != NULL;
    }
    return good ? 0 : vt_fail(err, VT_E_NOMEM, "kernel: out of memory");
}

/* As if nothing had been tried. */
static void begin_anew(struct vt_kernel *k)
{
    *k = (struct vt_kernel){.ram = k->ram,
                            .space = {.ram = k->ram, .tlb = k->space.tlb},
                            .cache_dir = k->cache_dir,
                            .symbol_path = k->symbol_path};
}

static int find(struct vt_kernel *k, struct vt_error *err)
{
    if (k->cache_dir != NULL && find_known(k)) {
        return 0;
    }
    begin_anew(k);
    int rc = find_unknown(k, err);
    if (rc == VT_E_NOT_FOUND && k->symbol_path != NULL) {
        begin_anew(k);
        rc = vt_kernel_find_described(k, NULL) == 0 ? 0 : rc;
    }
    if (rc == 0) {
        take_build_id(k);
        if (k->cache_dir != NULL) {
            remember(k, k->cache_dir);
        }
    }
    return rc;
}

int vt_kernel_open(const struct vt_ram *ram, const struct vt_kernel_options *options,
                   struct vt_kernel **kernel, struct vt_error *err)
{
    struct vt_kernel *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return vt_fail(err, VT_E_NOMEM, "kernel: out of memory");
    }
    k->ram = k->space.ram = ram;
    int rc = vt_tlb_create(&k->space.tlb, err);
    if (rc == 0) {
        rc = take_options(k, options, err);
    }
    if (rc == 0) {
        rc = find(k, err);
    }
    if (rc != 0) {
        vt_kernel_close(k);
        return rc;
    }
    vt_tlb_flush(k->space.tlb);
    take_vmcoreinfo(k);
    *kernel = k;
    return 0;
}

static void forget_modules(struct vt_kernel *k)
{
    vt_modules_fini(&k->module_symbols);
    vt_modules_fini(&k->module_types);
    k->has_module_symbols = k->has_module_types = false;
}

void vt_kernel_close(struct vt_kernel *kernel)
{
    if (kernel == NULL) {
        return;
    }
    forget_modules(kernel);
    vt_symbols_fini(&kernel->symbols);
    vt_btf_destroy(kernel->btf);
    vt_btf_destroy(kernel->described);
    vt_tlb_destroy(kernel->space.tlb);
    free(kernel->vmcoreinfo);
    free(kernel->cache_dir);
    free(kernel->symbol_path);
    free(kernel->tasks);
    vt_layouts_free(kernel->layouts);
    vt_percpu_free(kernel->percpu);
    free(kernel->pages);
    free(kernel);
}

const char *vt_kernel_banner(const struct vt_kernel *kernel)
{
    return kernel->banner;
}

const char *vt_kernel_release(const struct vt_kernel *kernel)
{
    return kernel->release;
}

const char *vt_kernel_build_id(const struct vt_kernel *kernel)
{
    return kernel->build_id;
}

const struct vt_space *vt_kernel_space(const struct vt_kernel *kernel)
{
    return &kernel->space;
}

void vt_kernel_text(const struct vt_kernel *kernel, struct vt_gva *va, struct vt_gpa *pa)
{
    *va = kernel->text_va;
    *pa = kernel->text_pa;
}

void vt_kernel_kaslr(const struct vt_kernel *kernel, uint64_t *virt, uint64_t *phys)
{
    char text[32], *end = text;
    uint64_t moved = kernel->text_va.v - LINK_VA;
    if (vt_vmcoreinfo_get(kernel->vmcoreinfo, kernel->vmcoreinfo_bytes, "KERNELOFFSET", text,
                          sizeof text)) {
        uint64_t said = strtoull(text, &end, 16);
        moved = *end == '\0' ? said : moved;
    }
    *virt = moved;
    *phys = kernel->text_pa.v - (kernel->text_va.v - moved - KERNEL_MAP);
}

void vt_kernel_cost(const struct vt_kernel *kernel, struct vt_kernel_cost *cost)
{
    *cost = kernel->cost;
}

int vt_kernel_vmcoreinfo(const struct vt_kernel *kernel, const char *key, char *value, size_t size,
                         struct vt_error *err)
{
    if (size == 0 ||
        !vt_vmcoreinfo_get(kernel->vmcoreinfo, kernel->vmcoreinfo_bytes, key, value, size)) {
        return vt_fail(err, VT_E_NOT_FOUND, "VMCOREINFO has no %s", key);
    }
    return 0;
}

void vt_kernel_refresh(struct vt_kernel *kernel)
{
    vt_tlb_flush(kernel->space.tlb);
    forget_modules(kernel);
    kernel->no_types = (struct vt_error){0};
}
