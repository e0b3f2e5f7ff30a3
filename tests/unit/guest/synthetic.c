/* tests/unit/guest/synthetic.c - see synthetic.h. */
#include "tests/unit/guest/synthetic.h"

#include "tests/unit/guest/synthetic_modules.h"

#include <assert.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILLERS 1500u
#define PRESENT 1u
#define RW_USER 6u
#define LARGE 0x80u

void synthetic_create(struct synthetic *s)
{
    s->fd = memfd_create("synthetic", MFD_CLOEXEC);
    assert(s->fd >= 0 && ftruncate(s->fd, SYNTHETIC_BYTES) == 0);
    s->ram = mmap(NULL, SYNTHETIC_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    assert(s->ram != MAP_FAILED);
    snprintf(s->path, sizeof s->path, "/proc/self/fd/%d", s->fd);
}

void synthetic_destroy(struct synthetic *s)
{
    munmap(s->ram, SYNTHETIC_BYTES);
    close(s->fd);
}

struct synthetic_kernel synthetic_default(void)
{
    return (struct synthetic_kernel){.layout = LAYOUT_6_1,
                                     .levels = 5,
                                     .text_pa = 0x400000,
                                     .slide = 0x2c00000,
                                     .data_pa = 0x800000,
                                     .alive = true,
                                     .tasks = 12,
                                     .release = "6.1.0-test"};
}

struct vt_ram *synthetic_open(const struct synthetic *s)
{
    struct vt_ram *ram = NULL;
    struct vt_error err;
    if (vt_ram_open(s->path, NULL, 0, &ram, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return ram;
}

uint64_t synthetic_text(const struct synthetic_kernel *k)
{
    return UINT64_C(0xffffffff81000000) + k->slide;
}

uint64_t synthetic_direct(const struct synthetic_kernel *k, uint64_t pa)
{
    return (k->levels == 5 ? UINT64_C(0xff11000000000000) : UINT64_C(0xffff888000000000)) + pa;
}

uint64_t synthetic_task_pa(const struct synthetic_kernel *k, unsigned i)
{
    return k->data_pa + i * (uint64_t)DATA_BYTES;
}

void synthetic_put(struct synthetic *s, uint64_t pa, uint64_t value, size_t bytes)
{
    assert(pa + bytes <= SYNTHETIC_BYTES);
    memcpy(s->ram + pa, &value, bytes);
}

/* Maps [va, va+bytes) to pa: tables come from *next; 2 MiB pages, or 4 KiB ones. */
static void map(struct synthetic *s, unsigned levels, uint64_t root, uint64_t *next, uint64_t va,
                uint64_t pa, uint64_t bytes, bool large)
{
    uint64_t step = large ? 2u << 20 : 4096;
    for (uint64_t done = 0; done < bytes; done += step) {
        uint64_t table = root;
        for (unsigned level = levels; level > (large ? 2u : 1u); level--) {
            uint64_t at = table + 8 * ((va + done) >> (12 + 9 * (level - 1)) & 511), entry;
            memcpy(&entry, s->ram + at, 8);
            if (entry == 0) {
                entry = *next | PRESENT | RW_USER;
                *next += 4096;
                synthetic_put(s, at, entry, 8);
            }
            table = entry & ~UINT64_C(4095);
        }
        uint64_t at = table + 8 * ((va + done) >> (large ? 21 : 12) & 511);
        synthetic_put(s, at, (pa + done) | PRESENT | RW_USER | (large ? LARGE : 0), 8);
    }
}

void synthetic_page(struct synthetic *s, uint64_t pfn, struct synthetic_page page)
{
    uint64_t at = PAGES_ARRAY + pfn * 64;
    synthetic_put(s, at, page.flags, 8);
    synthetic_put(s, at + 8, page.head, 8);
    synthetic_put(s, at + 24, page.mapping, 8);
    synthetic_put(s, at + 40, page.private, 8);
    synthetic_put(s, at + 48, page.type, 4);
    synthetic_put(s, at + 52, page.refcount, 4);
}

/* ---------------------------------------------------------------- types */

struct types {
    struct btf *btf;
    int u32, u64, pointer, text, list;
};

static int record(struct types *t, const char *name, unsigned bytes)
{
    return btf__add_struct(t->btf, name, bytes);
}

static void field(struct types *t, const char *name, int type, unsigned byte)
{
    assert(btf__add_field(t->btf, name, type, byte * 8, 0) == 0);
}

static void put_types(struct synthetic *s, const struct synthetic_kernel *k, uint64_t *end)
{
    struct types t = {.btf = btf__new_empty()};
    t.u32 = btf__add_int(t.btf, "unsigned int", 4, 0);
    t.u64 = btf__add_int(t.btf, "unsigned long", 8, 0);
    int c = btf__add_int(t.btf, "char", 1, BTF_INT_CHAR);
    t.pointer = btf__add_ptr(t.btf, 0);
    t.text = btf__add_array(t.btf, t.u32, c, 16);
    int uid_t_ = btf__add_typedef(t.btf, "uid_t", t.u32);
    int longs = btf__add_array(t.btf, t.u32, t.u64, 4);

    t.list = record(&t, "list_head", 16);
    field(&t, "next", t.pointer, 0);
    field(&t, "prev", t.pointer, 8);
    int kuid = record(&t, NULL, 4);
    field(&t, "val", uid_t_, 0);
    int kuid_t_ = btf__add_typedef(t.btf, "kuid_t", kuid);
    record(&t, "cred", 64);
    field(&t, "uid", kuid_t_, 8);
    field(&t, "gid", kuid_t_, 12);
    field(&t, "euid", kuid_t_, 24);
    record(&t, "signal_struct", 128);
    field(&t, "nr_threads", t.u32, 12);
    field(&t, "thread_head", t.list, 16);
    int thread_info = record(&t, "thread_info", 24);
    field(&t, "flags", t.u64, 0);
    field(&t, "cpu", t.u32, 16);
    int counter = record(&t, "percpu_counter", 40);
    field(&t, "count", t.u64, 8);
    field(&t, "counters", t.pointer, 32);
    int counters = btf__add_array(t.btf, t.u32, counter, 4);
    int stat = record(&t, "mm_rss_stat", 32);
    field(&t, "count", longs, 0);
    int inner = record(&t, NULL, 512);
    field(&t, "pgd", t.pointer, 32);
    field(&t, "arg_start", t.u64, 64);
    field(&t, "arg_end", t.u64, 72);
    field(&t, "start_brk", t.u64, 80);
    field(&t, "brk", t.u64, 88);
    field(&t, "start_stack", t.u64, 96);
    field(&t, "stack_vm", t.u64, 104);
    field(&t, "env_end", t.u64, 112);
    field(&t, "env_start", t.u64, 120);
    field(&t, "rss_stat", k->percpu_rss ? counters : stat, 128);
    record(&t, "mm_struct", 512);
    field(&t, NULL, inner, 0);
    record(&t, "task_struct", TASK_BYTES);
    field(&t, "thread_info", thread_info, 0);
    field(&t, "__state", t.u32, TASK_STATE);
    field(&t, "tasks", t.list, TASK_TASKS);
    field(&t, "mm", t.pointer, TASK_MM);
    field(&t, "exit_state", t.u32, TASK_EXIT_STATE);
    field(&t, "pid", t.u32, TASK_PID);
    field(&t, "tgid", t.u32, TASK_TGID);
    field(&t, "real_parent", t.pointer, TASK_PARENT);
    field(&t, "comm", t.text, TASK_COMM);
    field(&t, "start_boottime", t.u64, TASK_START);
    field(&t, "cred", t.pointer, TASK_CRED);
    field(&t, "signal", t.pointer, TASK_SIGNAL);
    if (k->pages) {
        field(&t, "stack", t.pointer, TASK_STACK);
        field(&t, "thread_node", t.list, TASK_THREAD_NODE);
        record(&t, "page", 64);
        field(&t, "flags", t.u64, 0);
        field(&t, "lru", t.list, 8);
        field(&t, "compound_head", t.u64, 8);
        field(&t, "mapping", t.pointer, 24);
        field(&t, "private", t.u64, 40);
        field(&t, "page_type", t.u32, 48);
        field(&t, "_refcount", t.u32, 52);
        btf__add_enum(t.btf, "pageflags", 4);
        btf__add_enum_value(t.btf, "PG_slab", 9);
        btf__add_enum_value(t.btf, "PG_reserved", 14);
    }
    if (k->modules) {
        synthetic_module_types(t.btf, k);
        synthetic_modules(s, k, t.btf);
    }
    uint32_t bytes;
    const void *raw = btf__raw_data(t.btf, &bytes);
    memcpy(s->ram + k->text_pa + AT_BTF, raw, bytes);
    *end = AT_BTF + bytes;
    btf__free(t.btf);
}

/* ---------------------------------------------------------------- symbols */

static int by_value(const void *left, const void *right)
{
    const struct test_symbol *a = left, *b = right;
    if (a->absolute != b->absolute) {
        return a->absolute ? -1 : 1;
    }
    return a->value < b->value ? -1 : a->value > b->value ? 1 : strcmp(a->name, b->name);
}

static void put_symbols(struct synthetic *s, const struct synthetic_kernel *k, uint64_t btf_end)
{
    const struct test_symbol own[] = {
        {"_text", 'T', false, 0},
        {"linux_banner", 'D', false, AT_BANNER},
        {"phys_base", 'D', false, AT_VARIABLES},
        {"__pgtable_l5_enabled", 'D', false, AT_VARIABLES + 8},
        {"vmcoreinfo_data", 'B', false, AT_VARIABLES + 16},
        {"vmcoreinfo_size", 'B', false, AT_VARIABLES + 24},
        {"nr_cpu_ids", 'D', false, AT_VARIABLES + 32},
        {"__per_cpu_offset", 'D', false, AT_VARIABLES + 0x100},
        {"vmemmap_base", 'D', false, AT_VARIABLES + 40},
        {"vmalloc_base", 'D', false, AT_VARIABLES + 48},
        {"modules", 'd', false, AT_MODULES},
        {"btf_modules", 'd', false, AT_BTF_MODULES},
        {"__cpu_online_mask", 'D', false, AT_VARIABLES + 56},
        {"init_top_pgt", 'D', false, AT_ROOT},
        {"_etext", 'T', false, AT_ETEXT},
        {"init_task", 'D', false, AT_INIT_TASK},
        {"__start_notes", 'R', false, AT_NOTES},
        {"__stop_notes", 'R', false, AT_NOTES + 64},
        {"__start_BTF", 'R', false, AT_BTF},
        {"__stop_BTF", 'R', false, btf_end},
        {"_end", 'B', false, AT_END},
        {"current_task", 'A', true, 0x1fb80},
    };
    size_t n_own = sizeof own / sizeof own[0] -
                   (k->layout == LAYOUT_7_2 || k->layout == LAYOUT_UP || k->layout == LAYOUT_6_15);
    struct test_symbol *all = calloc(FILLERS + n_own, sizeof *all);
    struct test_symbol *fillers = test_symbols(FILLERS, 0x100000, 32, false);
    memcpy(all, fillers, FILLERS * sizeof *all);
    memcpy(all + FILLERS, own, n_own * sizeof *all);
    qsort(all, FILLERS + n_own, sizeof *all, by_value);
    size_t end = test_write_tables(s->ram + k->text_pa, AT_SYMBOLS, k->layout, synthetic_text(k),
                                   all, (uint32_t)(FILLERS + n_own));
    assert(end < AT_BTF);
    test_symbols_free(fillers);
    free(all);
}

/* ---------------------------------------------------------------- tasks */

static void put_task(struct synthetic *s, const struct synthetic_kernel *k, unsigned i)
{
    uint64_t pa = synthetic_task_pa(k, i), init = synthetic_text(k) + AT_INIT_TASK;
    uint64_t next = i + 1 == k->tasks ? init : synthetic_direct(k, synthetic_task_pa(k, i + 1));
    uint64_t prev = i == 0 ? init : synthetic_direct(k, synthetic_task_pa(k, i - 1));
    bool thread = i % 2 == 1; /* every second one is the kernel's */
    memset(s->ram + pa, 0, DATA_BYTES);
    synthetic_put(s, pa + 16, i % 2, 4); /* cpu */
    synthetic_put(s, pa + TASK_STATE, thread ? 0x402 : 1, 4);
    synthetic_put(s, pa + TASK_TASKS, next + TASK_TASKS, 8);
    synthetic_put(s, pa + TASK_TASKS + 8, prev + TASK_TASKS, 8);
    synthetic_put(s, pa + TASK_PID, 100 + i, 4);
    synthetic_put(s, pa + TASK_TGID, 100 + i, 4);
    synthetic_put(s, pa + TASK_PARENT, prev, 8);
    synthetic_put(s, pa + TASK_START, 1000000 * (uint64_t)i, 8);
    snprintf((char *)s->ram + pa + TASK_COMM, 16, "task-%u", i);
    synthetic_put(s, pa + TASK_CRED, synthetic_direct(k, pa + DATA_CRED), 8);
    synthetic_put(s, pa + DATA_CRED + 8, 1000 + i, 4);
    synthetic_put(s, pa + DATA_CRED + 12, 2000 + i, 4);
    synthetic_put(s, pa + DATA_CRED + 24, 3000 + i, 4);
    synthetic_put(s, pa + TASK_SIGNAL, synthetic_direct(k, pa + DATA_SIGNAL), 8);
    synthetic_put(s, pa + DATA_SIGNAL + 12, 1 + i % 3, 4);
    if (thread) {
        return;
    }
    uint64_t mm = pa + DATA_MM, tables = pa + DATA_PAGE_TABLES + 4096, args = 0x7ffc0fff8;
    synthetic_put(s, pa + TASK_MM, synthetic_direct(k, mm), 8);
    synthetic_put(s, mm + 32, synthetic_direct(k, pa + DATA_PAGE_TABLES), 8);
    /* Arguments that cross into a page lying elsewhere. */
    map(s, k->levels, pa + DATA_PAGE_TABLES, &tables, args & ~UINT64_C(4095), pa + DATA_ARGS, 4096,
        false);
    map(s, k->levels, pa + DATA_PAGE_TABLES, &tables, (args & ~UINT64_C(4095)) + 4096,
        pa + DATA_ARGS + 0x3000, 4096, false);
    memcpy(s->ram + pa + DATA_ARGS + 0xff8, "/sbin/da", 8);
    memcpy(s->ram + pa + DATA_ARGS + 0x3000, "emon\0-x\0", 8);
    synthetic_put(s, mm + 64, args, 8);
    synthetic_put(s, mm + 72, args + 16, 8);
    for (unsigned kind = 0; kind < 4; kind++) {
        uint64_t value = 10 * (kind + 1) + i;
        if (!k->percpu_rss) {
            synthetic_put(s, mm + 128 + 8 * kind, value, 8);
        } else {
            /* Two CPUs have parts of it. */
            uint64_t parts = pa + 0x1800 + 16 * kind;
            synthetic_put(s, mm + 128 + 40 * kind + 8, value - 5, 8);
            synthetic_put(s, mm + 128 + 40 * kind + 32, synthetic_direct(k, parts) - 0x1000, 8);
            synthetic_put(s, parts, 7, 4);
            synthetic_put(s, parts + 4, (uint32_t)-2, 4);
        }
    }
}

static void put_init_task(struct synthetic *s, const struct synthetic_kernel *k)
{
    uint64_t pa = k->text_pa + AT_INIT_TASK, init = synthetic_text(k) + AT_INIT_TASK;
    uint64_t first = k->tasks > 0 ? synthetic_direct(k, synthetic_task_pa(k, 0)) : init;
    uint64_t last = k->tasks > 0 ? synthetic_direct(k, synthetic_task_pa(k, k->tasks - 1)) : init;
    synthetic_put(s, pa + TASK_TASKS, first + TASK_TASKS, 8);
    synthetic_put(s, pa + TASK_TASKS + 8, last + TASK_TASKS, 8);
    synthetic_put(s, pa + TASK_PARENT, init, 8);
}

/* ---------------------------------------------------------------- pages */

static uint64_t vmalloc_base(const struct synthetic_kernel *k)
{
    return k->levels == 5 ? UINT64_C(0xffa1000000000000) : UINT64_C(0xffffc91000000000);
}

/* Array, module and stacks; that of vmemmap lies where it does without KASLR. */
static void put_pages(struct synthetic *s, const struct synthetic_kernel *k)
{
    uint64_t next = PAGES_TABLES, root = k->text_pa + AT_ROOT;
    memset(s->ram + PAGES_ARRAY, 0, PAGES_STACKS - PAGES_ARRAY);
    map(s, k->levels, root, &next,
        k->levels == 5 ? UINT64_C(0xffd4000000000000) : UINT64_C(0xffffea0000000000), PAGES_ARRAY,
        256u << 10, false);
    map(s, k->levels, root, &next, synthetic_text(k) + (8u << 20), PAGES_MODULE, 8192, false);
    synthetic_put(s, k->text_pa + AT_VARIABLES + 48, vmalloc_base(k), 8);
    for (unsigned i = 0; i < k->tasks; i++) {
        map(s, k->levels, root, &next, vmalloc_base(k) + i * 0x5000, PAGES_STACKS + i * 0x4000,
            0x4000, false);
    }
    assert(next <= PAGES_MODULE);
}

static void put_task_pages(struct synthetic *s, const struct synthetic_kernel *k, unsigned i)
{
    uint64_t pa = synthetic_task_pa(k, i), mm = pa + DATA_MM;
    uint64_t head = pa + DATA_SIGNAL + 16, node = pa + TASK_THREAD_NODE;
    synthetic_put(s, pa + TASK_STACK, vmalloc_base(k) + i * 0x5000, 8);
    for (unsigned link = 0; link < 16; link += 8) {
        synthetic_put(s, head + link, synthetic_direct(k, node), 8);
        synthetic_put(s, node + link, synthetic_direct(k, head), 8);
    }
    if (i % 2 == 0) { /* heap: the first page of the arguments; stack: the second */
        synthetic_put(s, mm + 80, 0x7ffc0f000, 8);
        synthetic_put(s, mm + 88, 0x7ffc0f800, 8);
        synthetic_put(s, mm + 96, 0x7ffc10008, 8);
        synthetic_put(s, mm + 104, 1, 8);
        synthetic_put(s, mm + 112, 0x7ffc10100, 8);
    }
}

/* ---------------------------------------------------------------- the kernel */

void synthetic_add(struct synthetic *s, const struct synthetic_kernel *k)
{
    uint64_t text = synthetic_text(k), at = k->text_pa, btf_end = AT_BTF;
    memset(s->ram + at, 0, AT_END);
    snprintf((char *)s->ram + at + AT_BANNER, 200, "Linux version %s (nobody@nowhere) #1 SMP\n",
             k->release);
    synthetic_put(s, at + AT_VARIABLES, at - text + UINT64_C(0xffffffff80000000), 8);
    synthetic_put(s, at + AT_VARIABLES + 8, k->levels == 5, 4);
    synthetic_put(s, at + AT_VARIABLES + 16, text + AT_VMCOREINFO, 8);
    int note = snprintf((char *)s->ram + at + AT_VMCOREINFO, 200,
                        "OSRELEASE=%s\nKERNELOFFSET=%llx\nNUMBER(PG_slab)=9\n", k->release,
                        (unsigned long long)k->slide);
    synthetic_put(s, at + AT_VARIABLES + 24, (uint64_t)note, 8);
    synthetic_put(s, at + AT_VARIABLES + 32, 2, 4);
    synthetic_put(s, at + AT_VARIABLES + 0x100, 0x1000, 8);
    synthetic_put(s, at + AT_VARIABLES + 0x108, 0x1004, 8);

    uint64_t next = at + AT_TABLES;
    map(s, k->levels, at + AT_ROOT, &next, text, at, 2u << 20, true);
    map(s, k->levels, at + AT_ROOT, &next, synthetic_direct(k, 0), 0, SYNTHETIC_BYTES, true);
    assert(next <= at + AT_INIT_TASK);
    if (k->alive) {
        memcpy(s->ram + 0x9d000 + 511 * 8, s->ram + at + AT_ROOT + 511 * 8, 8);
    }

    const uint8_t note_header[] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0};
    memcpy(s->ram + at + AT_NOTES, note_header, sizeof note_header);
    for (unsigned i = 0; i < 20; i++) {
        s->ram[at + AT_NOTES + sizeof note_header + i] =
            (uint8_t)(i ^ (uint8_t)k->release[0] ^ k->layout);
    }
    if (k->pages) {
        put_pages(s, k);
    }
    if (!k->no_types) {
        put_types(s, k, &btf_end);
    }
    put_symbols(s, k, btf_end);
    put_init_task(s, k);
    for (unsigned i = 0; i < k->tasks; i++) {
        put_task(s, k, i);
        if (k->pages) {
            put_task_pages(s, k, i);
        }
    }
}
