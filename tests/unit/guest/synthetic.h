/* tests/unit/guest/synthetic.h - a RAM that holds a small, complete Linux: symbols, types, page
 * tables, tasks. Made by rules of its own, so that finding it again proves something.
 */
#ifndef VT_TESTS_GUEST_SYNTHETIC_H
#define VT_TESTS_GUEST_SYNTHETIC_H

#include "tests/unit/guest/tables.h"
#include "vitrine/memory.h"

#define SYNTHETIC_BYTES (16u << 20)
#define SYNTHETIC_TASKS_MAX 64

struct synthetic_kernel {
    enum test_layout layout;
    unsigned levels;         /* 4 or 5 */
    uint64_t text_pa, slide; /* _text at text_pa and at 0xffffffff81000000 + slide */
    uint64_t data_pa;        /* 64 KiB for each task */
    bool percpu_rss;         /* RSS as struct percpu_counter, else as an array of longs */
    bool no_types;
    bool pages;   /* struct pages, a vmalloc area, stacks, heaps: what pages.h asks for */
    bool modules; /* two of them: synthetic_modules.h */
    bool alive;   /* the trampoline in low memory is this kernel's */
    unsigned tasks;
    const char *release;
};

/* What is where in the image, from _text. */
enum {
    AT_BANNER = 0x1000,
    AT_VARIABLES = 0x2000,
    AT_ROOT = 0x3000,
    AT_TABLES = 0x4000,
    AT_INIT_TASK = 0x10000,
    AT_NOTES = 0x11000,
    AT_VMCOREINFO = 0x12000,
    AT_SYMBOLS = 0x20000,
    AT_BTF = 0x80000,
    AT_ETEXT = 0x80000,
    AT_END = 0x1f0000,
};

/* Where a kernel with pages keeps them, physically. */
enum {
    PAGES_ARRAY = 0xc00000,  /* struct pages of all of RAM */
    PAGES_TABLES = 0xd00000, /* page tables of the mappings below */
    PAGES_MODULE = 0xe00000, /* two pages after the image: code, data */
    PAGES_STACKS = 0xe10000, /* four pages for the stack of each task, in the vmalloc area */
};

/* Members of the synthetic task_struct and what it points to. */
enum {
    TASK_STATE = 24,
    TASK_TASKS = 1024,
    TASK_MM = 1048,
    TASK_EXIT_STATE = 1064,
    TASK_PID = 1072,
    TASK_TGID = 1076,
    TASK_PARENT = 1088,
    TASK_COMM = 1200,
    TASK_START = 1300 - 4,
    TASK_CRED = 1400,
    TASK_SIGNAL = 1408,
    TASK_STACK = 32,
    TASK_THREAD_NODE = 1500 - 4,
    TASK_BYTES = 4096,
    DATA_BYTES = 0x10000, /* of each task: the struct, then */
    DATA_CRED = 0x1000,
    DATA_SIGNAL = 0x1100,
    DATA_MM = 0x1200,
    DATA_PAGE_TABLES = 0x2000,
    DATA_ARGS = 0x8000,
};

struct synthetic {
    int fd;
    uint8_t *ram; /* shared with whoever opens it */
    char path[64];
};

/** Empty RAM. */
void synthetic_create(struct synthetic *s);
void synthetic_destroy(struct synthetic *s);
/** Puts a kernel into it. */
void synthetic_add(struct synthetic *s, const struct synthetic_kernel *kernel);
/** The default: 6.1's layout, 5 levels, 12 tasks. */
struct synthetic_kernel synthetic_default(void);
struct vt_ram *synthetic_open(const struct synthetic *s);

/** Where task i (0: the first after init_task) lies. */
uint64_t synthetic_task_pa(const struct synthetic_kernel *kernel, unsigned i);
/** A physical address in the kernel's direct mapping. */
uint64_t synthetic_direct(const struct synthetic_kernel *kernel, uint64_t pa);
/** The kernel's _text. */
uint64_t synthetic_text(const struct synthetic_kernel *kernel);
void synthetic_put(struct synthetic *s, uint64_t pa, uint64_t value, size_t bytes);

/** The parts of a struct page that say what it is. */
struct synthetic_page {
    uint64_t flags, head, mapping, private;
    uint32_t type, refcount;
};
#define SYNTHETIC_PG_RESERVED (1u << 14)
#define SYNTHETIC_PG_SLAB (1u << 9)
/** Writes the struct page of page frame `pfn`. */
void synthetic_page(struct synthetic *s, uint64_t pfn, struct synthetic_page page);

#endif
