/* vitrine/guest.h - what the bytes of a guest's RAM mean: paging, symbols, types, Linux's objects.
 *
 * Nothing is needed but RAM: symbols come from kallsyms, types from BTF, the kernel's place from
 * both and VMCOREINFO. Structure is probed, never guessed from a version number. All of it is
 * hostile input: every count has a cap, every list a cycle limit, nothing recurses on guest data.
 *
 * A struct vt_kernel is read-only after opening except for its translation caches: use one a
 * thread.
 */
#ifndef VITRINE_GUEST_H
#define VITRINE_GUEST_H

#include "vitrine/base.h"
#include "vitrine/memory.h"

/* ---------------------------------------------------------------- paging (x86-64) */

/** An address space: a page-table root and how to walk it. (Intel SDM vol. 3, 4.5; AMD APM vol. 2,
 *  5.3) */
struct vt_space {
    const struct vt_ram *ram;
    struct vt_gpa root; /**< CR3 without its low 12 bits */
    unsigned levels;    /**< 4 or 5 */
    struct vt_tlb *tlb; /**< translation cache, or NULL */
};

enum vt_page_flags {
    VT_PAGE_PRESENT = 1 << 0,
    VT_PAGE_WRITE = 1 << 1,
    VT_PAGE_USER = 1 << 2,
    VT_PAGE_ACCESSED = 1 << 3,
    VT_PAGE_DIRTY = 1 << 4,
    VT_PAGE_GLOBAL = 1 << 5,
    VT_PAGE_NX = 1 << 6,
};

/** "write nx kernel accessed dirty"; 64 bytes are enough. */
void vt_page_flags_text(unsigned flags, char *text, size_t size);

/** One translation: permissions are those of all levels together. */
struct vt_mapping {
    struct vt_gva gva; /**< first byte of the page */
    struct vt_gpa gpa;
    uint64_t page_bytes; /**< 4 KiB, 2 MiB or 1 GiB */
    unsigned flags;      /**< enum vt_page_flags */
};

int vt_tlb_create(struct vt_tlb **tlb, struct vt_error *err);
void vt_tlb_destroy(struct vt_tlb *tlb);
/** Forgets everything: call it when the guest may have run since. */
void vt_tlb_flush(struct vt_tlb *tlb);

/** Translates one address. VT_E_NOT_PRESENT {addr}, VT_E_ADDR (a table outside RAM; not canonical).
 */
int vt_space_translate(const struct vt_space *space, struct vt_gva gva, struct vt_gpa *gpa,
                       struct vt_error *err);
/** The page around `gva` with its flags. */
int vt_space_lookup(const struct vt_space *space, struct vt_gva gva, struct vt_mapping *mapping,
                    struct vt_error *err);
/** Copies from virtual memory, across pages. Nothing is copied unless every page is there. */
int vt_space_read(const struct vt_space *space, struct vt_gva gva, void *buf, uint64_t len,
                  struct vt_error *err);
/** vt_space_read with a verdict; every look walks the page tables anew. */
int vt_space_read_checked(const struct vt_space *space, struct vt_gva gva, void *buf, uint64_t len,
                          enum vt_verdict *verdict, struct vt_error *err);
int vt_space_read_u64(const struct vt_space *space, struct vt_gva gva, uint64_t *value,
                      struct vt_error *err);
int vt_space_read_u32(const struct vt_space *space, struct vt_gva gva, uint32_t *value,
                      struct vt_error *err);
/** A zero-terminated string of at most `size`-1 bytes; always terminated; cut without an error. */
int vt_space_read_string(const struct vt_space *space, struct vt_gva gva, char *buf, size_t size,
                         struct vt_error *err);

/** Calls `fn` for every present leaf mapping of [from, to), and (table != NULL) for every table
 * page on the way with its level (5 … 1). A callback's non-zero return ends the walk and is
 * returned. to.v == 0 stands for the end of the address space. Tables outside RAM are passed
 * over. Tables that are their own ancestors are cut by the level limit; at most `max_tables`
 * tables are read (VT_E_LIMIT). */
int vt_space_walk(const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                  uint64_t max_tables, int (*fn)(const struct vt_mapping *mapping, void *arg),
                  int (*table)(struct vt_gpa table, unsigned level, void *arg), void *arg,
                  struct vt_error *err);

/** Pages that lie one behind the other, virtually and physically. */
struct vt_page_run {
    struct vt_gva gva;
    struct vt_gpa gpa;
    uint64_t bytes;
    unsigned flags; /**< enum vt_page_flags: those that all of its pages have */
};

/** vt_space_walk with neighbours put together: calls `fn` for each run of mapped memory in
 *  [from, to), as long as runs can be, in ascending order; pages that reach beyond are cut there.
 *  `from` and `to` are multiples of 4 KiB. */
int vt_space_runs(const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                  uint64_t max_tables, int (*fn)(const struct vt_page_run *run, void *arg),
                  void *arg, struct vt_error *err);

/** What an entry of a page table leads to. */
enum vt_entry_kind {
    VT_ENTRY_TABLE,    /**< a table of the level below */
    VT_ENTRY_PAGE,     /**< memory */
    VT_ENTRY_ABSENT,   /**< not present: hardware reads no further, the rest is the kernel's */
    VT_ENTRY_RESERVED, /**< present, with a bit set that must not be: an access faults */
    VT_ENTRY_OUTSIDE,  /**< a table that does not lie in RAM */
};

/** One entry, as it is. (Intel SDM vol. 3, 4.5.4) */
struct vt_table_entry {
    struct vt_gva gva; /**< first byte it stands for */
    struct vt_gpa at;  /**< where it lies */
    uint64_t value;
    unsigned level; /**< of its table: 1 for those of 4 KiB pages; of the root itself: levels + 1 */
    unsigned flags; /**< enum vt_page_flags, of all levels down to it together */
    enum vt_entry_kind kind;
};
#define VT_LEVELS_MAX 5

/** Calls `fn` for every entry in [from, to) that is not 0, in ascending order and parents first;
 * the first stands for the root. Bounds and errors as vt_space_walk. */
int vt_space_entries(const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                     uint64_t max_tables, int (*fn)(const struct vt_table_entry *entry, void *arg),
                     void *arg, struct vt_error *err);
/** Of a VT_ENTRY_PAGE. */
struct vt_mapping vt_entry_mapping(const struct vt_table_entry *entry);
/** The entries that translating `gva` goes through, from the root's down: *n of them, at most
 *  space->levels; the last one's kind says how it ends, and may be 0 and absent. VT_E_ADDR: not
 *  canonical, or the root is not in RAM. */
int vt_space_trace(const struct vt_space *space, struct vt_gva gva,
                   struct vt_table_entry entries[VT_LEVELS_MAX], unsigned *n, struct vt_error *err);

/* ---------------------------------------------------------------- the kernel */

struct vt_kernel;

struct vt_kernel_options {
    const char *cache_dir; /**< where resolutions are kept by build id; NULL: no cache */
    /** Directories, separated by colons, with files (.json, .json.xz) in Volatility 3's ISF: what a
     *  kernel without symbols or types is described by, matched by banner. May be NULL; `isf` in
     * the cache directory is always one, the last. */
    const char *symbol_path;
};

/** What opening took. */
struct vt_kernel_cost {
    bool cached;         /**< symbols came from the cache */
    uint64_t scan_ns;    /**< looking for the tables (or for a known kernel) in RAM */
    uint64_t symbols_ns; /**< decoding (or loading) symbols */
    uint64_t place_ns;   /**< addresses and cross-checks */
    uint64_t types_ns;   /**< reading BTF; 0 until something asked for a type */
};

/** Finds the Linux kernel in RAM: symbols, image, banner, address space, each checked against the
 *  others. Leftovers of a kernel that ran before a reboot do not win. Types are read when first
 *  asked for. What RAM does not say of itself comes from ISF files, which then say it of RAM that
 *  agrees with them. `ram` outlives it.
 *  VT_E_NOT_FOUND says which anchor is missing (not booted yet, not Linux, no kallsyms);
 *  VT_E_LIMIT: RAM full of lookalikes. Takes at most seconds, whatever RAM holds. */
int vt_kernel_open(const struct vt_ram *ram, const struct vt_kernel_options *options,
                   struct vt_kernel **kernel, struct vt_error *err);
void vt_kernel_close(struct vt_kernel *kernel);

/** "Linux version …", without the newline; belongs to the kernel. */
const char *vt_kernel_banner(const struct vt_kernel *kernel);
/** "6.1.0-56-cloud-amd64": the banner's third word. */
const char *vt_kernel_release(const struct vt_kernel *kernel);
/** Hex of the GNU build id note, or "". */
const char *vt_kernel_build_id(const struct vt_kernel *kernel);
/** The kernel's own address space (init_top_pgt). */
const struct vt_space *vt_kernel_space(const struct vt_kernel *kernel);
/** Where the kernel's image lies: _text, virtually and physically. */
void vt_kernel_text(const struct vt_kernel *kernel, struct vt_gva *va, struct vt_gpa *pa);
/** How far the image was moved by KASLR, virtually and physically, in bytes. */
void vt_kernel_kaslr(const struct vt_kernel *kernel, uint64_t *virt, uint64_t *phys);
void vt_kernel_cost(const struct vt_kernel *kernel, struct vt_kernel_cost *cost);
/** A value of the kernel's VMCOREINFO ("KERNELOFFSET", "NUMBER(PG_slab)"), cut at `size`. */
int vt_kernel_vmcoreinfo(const struct vt_kernel *kernel, const char *key, char *value, size_t size,
                         struct vt_error *err);
/** Call when the guest may have run since the last reads: drops cached translations, and what was
 *  read of modules. */
void vt_kernel_refresh(struct vt_kernel *kernel);

/* ---------------------------------------------------------------- symbols and types */

/** Address of a symbol; the first one of that name, of the kernel or else of a loaded module.
 *  "module:name" is that module's. VT_E_NOT_FOUND {name}. */
int vt_kernel_symbol(const struct vt_kernel *kernel, const char *name, struct vt_gva *gva,
                     struct vt_error *err);
/** The symbol at or before `gva`: name (belongs to the kernel; of a module, until it is refreshed),
 *  type letter as in nm(1), distance. VT_E_NOT_FOUND outside the kernel's image and the modules. */
int vt_kernel_symbol_at(const struct vt_kernel *kernel, struct vt_gva gva, const char **name,
                        char *type, uint64_t *distance, struct vt_error *err);
/** The loaded module that has the symbol of vt_kernel_symbol_at, or NULL: the kernel itself, or
 *  none. Belongs to the kernel until it is refreshed. */
const char *vt_kernel_module_at(const struct vt_kernel *kernel, struct vt_gva gva);
/** The kernel's own symbols in address order; `name` and `gva` of the i-th;
 *  i < vt_kernel_symbols(). */
size_t vt_kernel_symbols(const struct vt_kernel *kernel);
void vt_kernel_symbol_nth(const struct vt_kernel *kernel, size_t i, const char **name, char *type,
                          struct vt_gva *gva);
/** Calls `fn` for the symbols of the loaded modules, each module's in address order. A callback's
 *  non-zero return ends it and is returned. Modules that cannot be read are passed over; without
 *  types there are none. */
int vt_kernel_module_symbols(const struct vt_kernel *kernel,
                             int (*fn)(const char *module, const char *name, char type,
                                       struct vt_gva gva, void *arg),
                             void *arg);

/** A member's place in a struct, found by name through BTF, through anonymous members too. `path`
 *  may have dots: "thread_info.cpu" is a member of a member. A struct that the kernel itself does
 *  not have is looked for in the loaded modules; "module:struct" is that module's. Sizes and
 * offsets in bytes; of a bitfield, the bytes it touches. */
struct vt_member {
    uint32_t offset;
    uint32_t size;
    uint8_t bit, bits; /**< of a bitfield: its lowest bit in the first byte, and how many; else 0 */
};
int vt_kernel_member(const struct vt_kernel *kernel, const char *struct_name, const char *path,
                     struct vt_member *member, struct vt_error *err);
/** Calls `fn` for every member of a struct or union, and for those of its anonymous members (whose
 *  own `name` is ""); `type` is in C's words. Non-zero from it ends it and is returned. Strings are
 *  the callback's only while it runs. VT_E_NOT_FOUND. */
int vt_kernel_each_member(const struct vt_kernel *kernel, const char *struct_name,
                          int (*fn)(const char *name, const char *type,
                                    const struct vt_member *member, void *arg),
                          void *arg, struct vt_error *err);
int vt_kernel_struct_size(const struct vt_kernel *kernel, const char *struct_name, uint32_t *bytes,
                          struct vt_error *err);
/** The value of an enumerator ("PG_slab"), whichever enum it belongs to. */
int vt_kernel_enumerator(const struct vt_kernel *kernel, const char *name, int64_t *value,
                         struct vt_error *err);
/** The name of an enumerator of an enum ("bpf_prog_type"); the last one, where several have the
 *  value. Belongs to the kernel. VT_E_NOT_FOUND. */
int vt_kernel_enumerator_name(const struct vt_kernel *kernel, const char *enum_name, int64_t value,
                              const char **name, struct vt_error *err);

/* ---------------------------------------------------------------- tasks */

/** How far an object may be believed. */
enum vt_trust {
    VT_TRUST_OK,   /**< structure validated, and equal when read a second time */
    VT_TRUST_TORN, /**< changed while it was read, or a link that is not symmetric */
};

/** "ok" or "torn". */
const char *vt_trust_name(enum vt_trust trust);

struct vt_task {
    struct vt_gva at;        /**< the task_struct */
    int32_t pid, tgid, ppid; /**< ppid: real_parent's tgid */
    uint32_t uid;            /**< cred.uid */
    char state;              /**< R S D T t X Z P I, as ps shows it */
    uint32_t cpu;
    uint64_t start_ns; /**< since boot */
    struct vt_gva mm;  /**< 0: kernel thread */
    struct vt_gpa pgd; /**< page-table root; 0 without mm */
    uint64_t rss_pages;
    unsigned threads; /**< of the thread group; filled for group leaders */
    char comm[16 + 1];
    enum vt_trust trust;
};

struct vt_task_list {
    struct vt_task *tasks; /**< in the kernel's order, group leaders only; swapper/0 is not in it */
    size_t n;
    bool torn;     /**< the walk met broken links or a cycle: the list may be incomplete */
    char why[160]; /**< where and how, when torn */
};

/** All processes. Free with vt_task_list_fini. Bounded: at most 4 Mi tasks, cycles are cut. */
int vt_linux_tasks(struct vt_kernel *kernel, struct vt_task_list *list, struct vt_error *err);
void vt_task_list_fini(struct vt_task_list *list);
/** The process's address space; VT_E_NOT_FOUND for kernel threads. Belongs to the kernel's caches.
 */
int vt_linux_task_space(const struct vt_kernel *kernel, const struct vt_task *task,
                        struct vt_space *space, struct vt_error *err);
/** A process's command line, arguments separated by blanks; "" for kernel threads. */
int vt_linux_task_args(struct vt_kernel *kernel, const struct vt_task *task, char *buf, size_t size,
                       struct vt_error *err);

#endif
