/* guest/linux/memory_runs.c - where memory of a kind lies, as runs. See vitrine/linux.h.
 *
 *   processes   the runs behind the rows of maps, by what an area is
 *   image       between two symbols; modules and vmalloc: between two addresses
 *   stacks      of each thread, up to what is not mapped
 *   tables      every table that the kernel's and the processes' roots lead to, once
 *   by page     slab, page cache, free: neighbours whose struct page says the same
 */
#include "guest/kernel.h"
#include "guest/linux/pages.h"
#include "guest/linux/threads.h"
#include "vitrine/linux.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[VT_MEMORY_KINDS] = {
    [VT_MEMORY_PROCESS] = "process",
    [VT_MEMORY_CODE] = "code",
    [VT_MEMORY_DATA] = "data",
    [VT_MEMORY_HEAP] = "heap",
    [VT_MEMORY_STACK] = "stack",
    [VT_MEMORY_FILE] = "file",
    [VT_MEMORY_ANON] = "anon",
    [VT_MEMORY_VDSO] = "vdso",
    [VT_MEMORY_KERNEL] = "kernel",
    [VT_MEMORY_KERNEL_TEXT] = "kernel_text",
    [VT_MEMORY_KERNEL_RODATA] = "kernel_rodata",
    [VT_MEMORY_KERNEL_DATA] = "kernel_data",
    [VT_MEMORY_KERNEL_BSS] = "kernel_bss",
    [VT_MEMORY_MODULES] = "modules",
    [VT_MEMORY_KERNEL_STACKS] = "kernel_stacks",
    [VT_MEMORY_PAGE_TABLES] = "page_tables",
    [VT_MEMORY_SLAB] = "slab",
    [VT_MEMORY_VMALLOC] = "vmalloc",
    [VT_MEMORY_PAGE_CACHE] = "page_cache",
    [VT_MEMORY_FREE] = "free",
};

const char *vt_memory_kind_name(enum vt_memory_kind kind)
{
    return (unsigned)kind < VT_MEMORY_KINDS ? names[kind] : "unknown";
}

int vt_memory_kind_parse(const char *name, bool of_process, enum vt_memory_kind *kind,
                         struct vt_error *err)
{
    static const struct {
        const char *name;
        enum vt_memory_kind of_process, of_kernel;
    } short_names[] = {
        {"text", VT_MEMORY_CODE, VT_MEMORY_KERNEL_TEXT},
        {"data", VT_MEMORY_DATA, VT_MEMORY_KERNEL_DATA},
        {"rodata", VT_MEMORY_FILE, VT_MEMORY_KERNEL_RODATA},
        {"bss", VT_MEMORY_ANON, VT_MEMORY_KERNEL_BSS},
        {"stacks", VT_MEMORY_KERNEL_STACKS, VT_MEMORY_KERNEL_STACKS},
    };
    for (size_t i = 0; i < sizeof short_names / sizeof short_names[0]; i++) {
        if (strcmp(name, short_names[i].name) == 0) {
            *kind = of_process ? short_names[i].of_process : short_names[i].of_kernel;
            return 0;
        }
    }
    char all[VT_ERROR_MESSAGE_MAX] = "";
    size_t n = 0;
    for (unsigned i = 0; i < VT_MEMORY_KINDS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *kind = (enum vt_memory_kind)i;
            return 0;
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    return vt_fail(err, VT_E_INVAL, "no kind of memory '%.32s': %s", name, all);
}

enum vt_memory_kind vt_map_kind(const struct vt_map *map)
{
    const char *name = map->name != NULL ? map->name : "";
    if (map->inode == 0 && strcmp(name, "[heap]") == 0) {
        return VT_MEMORY_HEAP;
    }
    if (map->inode == 0 && strcmp(name, "[stack]") == 0) {
        return VT_MEMORY_STACK;
    }
    if (map->inode == 0 && name[0] == '[' && name[1] == 'v') {
        return VT_MEMORY_VDSO; /* [vdso], [vvar], [vvar_vclock], [vsyscall] */
    }
    if (map->perms[2] == 'x') {
        return VT_MEMORY_CODE;
    }
    if (map->inode == 0) {
        return VT_MEMORY_ANON;
    }
    return map->perms[1] == 'w' && map->perms[3] == 'p' ? VT_MEMORY_DATA : VT_MEMORY_FILE;
}

struct telling {
    struct vt_kernel *kernel;
    enum vt_memory_kind wanted;
    struct vt_memory_run run; /* kind, pid, level, name of those to come */
    uint64_t direct_map;
    uint64_t tables_left, threads_left; /* no more than RAM has pages */
    uint64_t stack;                     /* up to where one has been told */
    uint8_t *seen;                      /* of page tables: a bit a page of RAM */
    int (*fn)(const struct vt_memory_run *run, void *arg);
    void *arg;
};

/* What of the run is RAM. Mappings may lead anywhere: nothing here takes time by their length. */
static int tell(struct telling *t, struct vt_gva gva, struct vt_gpa gpa, uint64_t bytes,
                unsigned flags)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(t->kernel->ram, &regions);
    uint64_t end = gpa.v + bytes;
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint64_t from = regions[i].gpa.v, to = from + regions[i].bytes;
        from = from > gpa.v ? from : gpa.v;
        to = to < end ? to : end;
        if (from < to) {
            struct vt_memory_run run = t->run;
            run.gva = VT_GVA(gva.v + (from - gpa.v));
            run.gpa = VT_GPA(from);
            run.bytes = to - from;
            run.flags = flags;
            rc = t->fn(&run, t->arg);
        }
    }
    return rc;
}

static int tell_run(const struct vt_page_run *run, void *arg)
{
    return tell(arg, run->gva, run->gpa, run->bytes, run->flags);
}

/* ---------------------------------------------------------------- processes */

static int on_map(const struct vt_row *row, void *arg)
{
    struct telling *t = arg;
    const struct vt_map *map = (const struct vt_map *)row;
    int rc = 0;
    t->run.kind = vt_map_kind(map);
    t->run.pid = map->pid;
    t->run.name = map->name;
    if (t->wanted == VT_MEMORY_PROCESS || t->wanted == t->run.kind) {
        for (size_t i = 0; i < map->n_runs && rc == 0; i++) {
            rc = tell_run(&map->runs[i], t);
        }
    }
    return rc;
}

static int tell_stack_run(const struct vt_page_run *run, void *arg)
{
    struct telling *t = arg;
    if (run->gva.v != t->stack) {
        return 0; /* behind the guard page */
    }
    t->stack += run->bytes;
    return tell_run(run, t);
}

static int tell_stack(struct telling *t, struct vt_gva task, uint32_t member)
{
    uint64_t from;
    if (vt_space_read_u64(&t->kernel->space, VT_GVA(task.v + member), &from, NULL) != 0) {
        return 0;
    }
    uint64_t bytes = vt_linux_stack_bytes(t->kernel, VT_GVA(from));
    if (from == 0 || from % VT_PAGE_BYTES != 0 || from + bytes < from) {
        return 0;
    }
    t->stack = from;
    /* On the way to one stack lies one table a level, two where it straddles them. */
    int rc = vt_space_runs(&t->kernel->space, VT_GVA(from), VT_GVA(from + bytes), 2 * VT_LEVELS_MAX,
                           tell_stack_run, t, NULL);
    return rc == VT_E_ADDR || rc == VT_E_LIMIT ? 0 : rc;
}

/* Of all threads; a list that is broken is told as far as it goes. */
static int tell_stacks(struct telling *t, const struct vt_task *task, struct vt_error *err)
{
    struct vt_member stack;
    struct vt_thread_walk threads;
    struct vt_gva thread;
    int rc = vt_kernel_member(t->kernel, "task_struct", "stack", &stack, err);
    if (rc != 0) {
        return rc;
    }
    t->run.pid = task->pid;
    t->run.name = task->comm;
    rc = vt_threads_begin(&threads, t->kernel, task->at, err);
    while (rc == 0 && t->threads_left > 0 && (rc = vt_threads_next(&threads, &thread, err)) == 1) {
        t->threads_left--;
        rc = tell_stack(t, thread, stack.offset);
    }
    vt_list_end(&threads.list);
    return rc;
}

/* Calls `tell_of` for the process asked for, or all. */
static int each_process(struct telling *t, int32_t pid,
                        int (*tell_of)(struct telling *t, const struct vt_task *task,
                                       struct vt_error *err),
                        struct vt_error *err)
{
    struct vt_task_list tasks;
    bool found = pid == 0;
    int rc = vt_linux_tasks(t->kernel, &tasks, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < tasks.n && rc == 0; i++) {
        if (pid == 0 || tasks.tasks[i].pid == pid) {
            found = true;
            rc = tell_of(t, &tasks.tasks[i], err);
        }
    }
    vt_task_list_fini(&tasks);
    return rc == 0 && !found ? vt_fail(err, VT_E_NOT_FOUND, "no process %" PRId32, pid) : rc;
}

/* ---------------------------------------------------------------- the kernel's addresses */

static int between(struct telling *t, uint64_t from, uint64_t to, struct vt_error *err)
{
    from &= ~(VT_PAGE_BYTES - 1);
    to = (to + VT_PAGE_BYTES - 1) & ~(VT_PAGE_BYTES - 1);
    return vt_space_runs(&t->kernel->space, VT_GVA(from), VT_GVA(to), t->tables_left, tell_run, t,
                         err);
}

static const struct {
    const char *from, *to;
} sections[] = {
    {"_text", "_etext"},
    {"__start_rodata", "__end_rodata"},
    {"_sdata", "_edata"},
    {"__bss_start", "__bss_stop"},
};

static int tell_section(struct telling *t, enum vt_memory_kind kind, struct vt_error *err)
{
    struct vt_gva from, to;
    unsigned i = (unsigned)kind - VT_MEMORY_KERNEL_TEXT;
    int rc = vt_kernel_symbol(t->kernel, sections[i].from, &from, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(t->kernel, sections[i].to, &to, err);
    }
    if (rc == 0 && (to.v < from.v || to.v - from.v > (uint64_t)VT_KERNEL_IMAGE_MAX)) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s does not lie behind %s", sections[i].to,
                     sections[i].from);
    }
    t->run.kind = kind;
    return rc == 0 ? between(t, from.v, to.v, err) : rc;
}

static int tell_image(struct telling *t, struct vt_error *err)
{
    int rc = 0;
    for (unsigned k = VT_MEMORY_KERNEL_TEXT; k <= VT_MEMORY_KERNEL_BSS && rc == 0; k++) {
        rc = tell_section(t, (enum vt_memory_kind)k, err);
    }
    return rc;
}

static int tell_modules(struct telling *t, struct vt_error *err)
{
    /* Mappings of 2 MiB reach beyond the image's end. */
    const uint64_t large = UINT64_C(2) << 20;
    struct vt_gva end;
    int rc = vt_kernel_symbol(t->kernel, "_end", &end, err);
    return rc == 0 ? between(t, (end.v + large - 1) & ~(large - 1), VT_LINUX_MODULES_END, err) : rc;
}

static int tell_vmalloc(struct telling *t, struct vt_error *err)
{
    struct vt_gva from, to;
    vt_linux_vmalloc_range(t->kernel, &from, &to);
    return between(t, from.v, to.v, err);
}

/* ---------------------------------------------------------------- page tables */

static int on_table(struct vt_gpa table, unsigned level, void *arg)
{
    struct telling *t = arg;
    struct vt_off off;
    if (t->tables_left > 0) {
        t->tables_left--;
    }
    if (vt_ram_offset(t->kernel->ram, table, &off, NULL, NULL) != 0) {
        return 0;
    }
    uint64_t page = off.v >> VT_PAGE_SHIFT;
    uint8_t bit = (uint8_t)(1u << page % 8);
    if ((t->seen[page / 8] & bit) != 0) {
        return 0;
    }
    t->seen[page / 8] |= bit;
    t->run.level = level;
    return tell(t, VT_GVA(t->direct_map + table.v), table, VT_PAGE_BYTES, 0);
}

static int no_mapping(const struct vt_mapping *mapping, void *arg)
{
    (void)mapping;
    (void)arg;
    return 0;
}

static int tell_tables_of(struct telling *t, const struct vt_task *task, struct vt_error *err)
{
    struct vt_linux_layout layout;
    if (task->mm.v == 0 || vt_linux_task_layout(t->kernel, task, &layout, NULL) != 0) {
        return 0;
    }
    t->run.pid = task->pid;
    t->run.name = task->comm;
    int rc = on_table(task->pgd, layout.space.levels, t); /* with two roots, the kernel's */
    if (rc == 0) {
        rc = vt_space_walk(&layout.space, VT_GVA(0), layout.user_end, t->tables_left, no_mapping,
                           on_table, t, err);
    }
    return rc == VT_E_ADDR ? 0 : rc; /* a process that just ended */
}

static int tell_tables(struct telling *t, int32_t pid, struct vt_error *err)
{
    const struct vt_space *space = &t->kernel->space;
    uint64_t half = UINT64_C(1) << (space->levels == 5 ? 56 : 47);
    t->seen = calloc(vt_ram_size(t->kernel->ram) / VT_PAGE_BYTES / 8 + 1, 1);
    if (t->seen == NULL) {
        return vt_fail(err, VT_E_NOMEM, "page tables: out of memory");
    }
    int rc = pid != 0 ? 0
                      : vt_space_walk(space, VT_GVA(0 - half), VT_GVA(0), t->tables_left,
                                      no_mapping, on_table, t, err);
    if (rc == 0) {
        rc = each_process(t, pid, tell_tables_of, err);
    }
    free(t->seen);
    return rc;
}

/* ---------------------------------------------------------------- by struct page */

static bool is_wanted(enum vt_memory_kind wanted, uint8_t kind)
{
    switch (wanted) {
    case VT_MEMORY_SLAB:
        return kind == VT_LINUX_PAGE_SLAB;
    case VT_MEMORY_PAGE_CACHE:
        return kind == VT_LINUX_PAGE_FILE;
    default:
        return kind == VT_LINUX_PAGE_FREE || kind == VT_LINUX_PAGE_IDLE;
    }
}

static int tell_pages(struct telling *t, struct vt_error *err)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(t->kernel->ram, &regions);
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint64_t pages = regions[i].bytes >> VT_PAGE_SHIFT, first = 0;
        uint8_t *kinds = malloc(pages + 1);
        if (kinds == NULL) {
            return vt_fail(err, VT_E_NOMEM, "page kinds: out of memory");
        }
        rc = vt_linux_page_kinds(t->kernel, regions[i].gpa, pages, kinds, err);
        for (uint64_t page = 0; page < pages && rc == 0; page++) {
            if (!is_wanted(t->wanted, kinds[page])) {
                first = page + 1;
            } else if (page + 1 == pages || !is_wanted(t->wanted, kinds[page + 1])) {
                uint64_t gpa = regions[i].gpa.v + (first << VT_PAGE_SHIFT);
                rc = tell(t, VT_GVA(t->direct_map + gpa), VT_GPA(gpa),
                          (page + 1 - first) << VT_PAGE_SHIFT, 0);
            }
        }
        free(kinds);
    }
    return rc;
}

int vt_linux_memory_runs(struct vt_kernel *kernel, enum vt_memory_kind kind, int32_t pid,
                         int (*fn)(const struct vt_memory_run *run, void *arg), void *arg,
                         struct vt_error *err)
{
    struct telling t = {.kernel = kernel,
                        .wanted = kind,
                        .run = {.kind = kind},
                        .direct_map = vt_linux_direct_map(kernel),
                        .tables_left = vt_ram_size(kernel->ram) / VT_PAGE_BYTES + 1,
                        .threads_left = vt_ram_size(kernel->ram) / VT_PAGE_BYTES,
                        .fn = fn,
                        .arg = arg};
    if ((unsigned)kind >= VT_MEMORY_KINDS) {
        return vt_fail(err, VT_E_INVAL, "no kind of memory %u", (unsigned)kind);
    }
    if (kind < VT_MEMORY_KERNEL) {
        struct vt_noun_query query = {.pid = pid};
        struct vt_noun_result result;
        return vt_noun_walk(kernel, vt_noun_find("maps"), &query, on_map, &t, &result, err);
    }
    if (kind == VT_MEMORY_KERNEL_STACKS) {
        return each_process(&t, pid, tell_stacks, err);
    }
    if (kind == VT_MEMORY_PAGE_TABLES) {
        return tell_tables(&t, pid, err);
    }
    if (pid != 0) {
        return vt_fail(err, VT_E_INVAL, "%s is no process's: it is the kernel's as a whole",
                       names[kind]);
    }
    switch (kind) {
    case VT_MEMORY_KERNEL:
        return tell_image(&t, err);
    case VT_MEMORY_KERNEL_TEXT:
    case VT_MEMORY_KERNEL_RODATA:
    case VT_MEMORY_KERNEL_DATA:
    case VT_MEMORY_KERNEL_BSS:
        return tell_section(&t, kind, err);
    case VT_MEMORY_MODULES:
        return tell_modules(&t, err);
    case VT_MEMORY_VMALLOC:
        return tell_vmalloc(&t, err);
    default:
        return tell_pages(&t, err);
    }
}
