/* volume/classes.c - what every page of RAM holds, put together from several witnesses.
 *
 *   1. struct page: free, reserved, slab, page table, anonymous, file, other
 *   2. the kernel's mappings: image, modules, vmalloc, stacks, its page tables
 *   3. every process's page tables: code, mapped files, heap, stack, and who maps what
 *   4. contents: holes and zeros among what is free; everything where nothing is known
 *
 * A later witness refines an earlier one and never contradicts it: a page on a free list that some
 * page table still maps stays free. All walks share budgets that follow from the size of RAM, so a
 * guest with endless tables costs time in proportion to its memory and no more.
 */
#include "volume/classes.h"

#include "volume/contents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPER_NONE 0
#define MAPPER_MANY UINT16_MAX
/* More processes are walked, but only so many can be told apart. */
#define MAPPERS_MAX (UINT16_MAX - 1)

struct vt_classes {
    const struct vt_ram *ram;
    uint64_t n_pages;
    uint8_t *classes; /* enum vt_page_class */
    uint8_t *owners;  /* 1 + index into largest */
    uint8_t *kinds;   /* enum vt_linux_page_kind; FREE, IDLE, UNKNOWN: the contents decide */
    struct vt_owner largest[VT_OWNERS_MAX];
    size_t n_largest;
    bool understood;
    char note[256];
};

int vt_classes_create(const struct vt_ram *ram, struct vt_classes **classes, struct vt_error *err)
{
    uint64_t n = vt_ram_size(ram) >> VT_PAGE_SHIFT;
    struct vt_classes *c = calloc(1, sizeof *c);
    if (c != NULL) {
        *c = (struct vt_classes){.ram = ram,
                                 .n_pages = n,
                                 .classes = calloc(n, 1),
                                 .owners = calloc(n, 1),
                                 .kinds = calloc(n, 1)};
    }
    if (c == NULL || c->classes == NULL || c->owners == NULL || c->kinds == NULL) {
        vt_classes_destroy(c);
        return vt_fail(err, VT_E_NOMEM, "page classes: out of memory");
    }
    *classes = c;
    return 0;
}

void vt_classes_destroy(struct vt_classes *classes)
{
    if (classes != NULL) {
        free(classes->classes);
        free(classes->owners);
        free(classes->kinds);
        free(classes);
    }
}

/* ---- 4: contents ---- */

static void look(struct vt_classes *c, uint64_t page, bool populated)
{
    uint8_t kind = c->kinds[page], *class = &c->classes[page];
    if (kind == VT_LINUX_PAGE_RESERVED && *class == VT_CLASS_HOLE) {
        *class = populated ? VT_CLASS_KERNEL_RESERVED : VT_CLASS_HOLE;
    }
    bool free = kind == VT_LINUX_PAGE_FREE || kind == VT_LINUX_PAGE_IDLE;
    if (!free && kind != VT_LINUX_PAGE_UNKNOWN) {
        return;
    }
    const uint8_t *bytes = vt_ram_bytes(c->ram) + (page << VT_PAGE_SHIFT);
    if (!populated) {
        *class = VT_CLASS_HOLE;
    } else if (free) {
        *class = vt_page_is_zero(bytes) ? VT_CLASS_ZERO : VT_CLASS_FREE;
    } else {
        *class = (uint8_t)vt_page_contents(bytes);
    }
}

static int look_at_all(struct vt_classes *c, struct vt_error *err)
{
    uint64_t page = 0;
    while (page < c->n_pages) {
        struct vt_off start, end;
        struct vt_error none;
        int rc = vt_ram_next_data(c->ram, VT_OFF(page << VT_PAGE_SHIFT), &start, &end, &none);
        if (rc == VT_E_NOT_FOUND) {
            start = end = VT_OFF(c->n_pages << VT_PAGE_SHIFT);
        } else if (rc != 0) {
            if (err != NULL) {
                *err = none;
            }
            return rc;
        }
        for (; page < start.v >> VT_PAGE_SHIFT; page++) {
            look(c, page, false);
        }
        for (; page < end.v >> VT_PAGE_SHIFT; page++) {
            look(c, page, true);
        }
    }
    return vt_ram_check(c->ram, err);
}

int vt_classes_update(struct vt_classes *classes, const uint64_t *pages, size_t n,
                      struct vt_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (pages[i] < classes->n_pages) {
            look(classes, pages[i],
                 vt_ram_is_populated(classes->ram, VT_OFF(pages[i] << VT_PAGE_SHIFT)));
        }
    }
    return vt_ram_check(classes->ram, err);
}

/* ---- 1: struct page ---- */

enum vt_page_class vt_class_of_kind(enum vt_linux_page_kind kind)
{
    switch (kind) {
    case VT_LINUX_PAGE_SLAB:
        return VT_CLASS_KERNEL_SLAB;
    case VT_LINUX_PAGE_TABLE:
        return VT_CLASS_PAGE_TABLE;
    case VT_LINUX_PAGE_ANON:
        return VT_CLASS_USER_ANON;
    case VT_LINUX_PAGE_FILE:
        return VT_CLASS_PAGE_CACHE;
    case VT_LINUX_PAGE_KERNEL:
        return VT_CLASS_KERNEL_OTHER;
    default:
        return VT_CLASS_HOLE;
    }
}

static int ask_struct_pages(struct vt_classes *c, const struct vt_kernel *kernel,
                            struct vt_error *err)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(c->ram, &regions);
    for (unsigned i = 0; i < n; i++) {
        int rc = vt_linux_page_kinds(kernel, regions[i].gpa, regions[i].bytes >> VT_PAGE_SHIFT,
                                     c->kinds + (regions[i].offset.v >> VT_PAGE_SHIFT), err);
        if (rc != 0) {
            memset(c->kinds, VT_LINUX_PAGE_UNKNOWN, c->n_pages);
            return rc;
        }
    }
    for (uint64_t i = 0; i < c->n_pages; i++) {
        c->classes[i] = (uint8_t)vt_class_of_kind((enum vt_linux_page_kind)c->kinds[i]);
    }
    return 0;
}

/* ---- 2: the kernel's mappings ---- */

struct marking {
    struct vt_classes *c;
    uint64_t pages_left; /* to mark, over all walks */
    uint64_t tables_left;
    uint16_t *mappers; /* a page's process + 1, MAPPER_MANY */
    const struct vt_linux_layout *layout;
    uint16_t mapper;       /* of the process walked now */
    uint64_t mapped_pages; /* by it */
};

/* Calls `mark` for each page of RAM in the run. Non-zero ends the walk: the budget is spent. */
static int each_page(struct marking *m, struct vt_gpa gpa, uint64_t bytes,
                     void (*mark)(struct marking *m, uint64_t page, uint64_t at, unsigned what),
                     uint64_t at, unsigned what)
{
    for (uint64_t done = 0; done < bytes;) {
        struct vt_off off;
        uint64_t run;
        if (vt_ram_offset(m->c->ram, VT_GPA(gpa.v + done), &off, &run, NULL) != 0) {
            return 0; /* a device's, or a hole: mappings do not straddle those */
        }
        run = run < bytes - done ? run : bytes - done;
        for (uint64_t i = 0; i < run; i += VT_PAGE_BYTES) {
            if (m->pages_left == 0) {
                return VT_E_LIMIT;
            }
            m->pages_left--;
            mark(m, (off.v + i) >> VT_PAGE_SHIFT, at + done + i, what);
        }
        done += run;
    }
    return 0;
}

static void mark_area(struct marking *m, uint64_t page, uint64_t at, unsigned area)
{
    (void)at;
    uint8_t *kind = &m->c->kinds[page], *class = &m->c->classes[page];
    bool boot = *kind == VT_LINUX_PAGE_RESERVED;
    bool taken = *kind == VT_LINUX_PAGE_KERNEL;
    switch ((enum vt_linux_area)area) {
    case VT_LINUX_AREA_TABLE:
        if (boot || taken || *kind == VT_LINUX_PAGE_TABLE) {
            *class = VT_CLASS_PAGE_TABLE;
        }
        break;
    case VT_LINUX_AREA_TEXT:
    case VT_LINUX_AREA_DATA:
        /* What the image gave back after boot is mapped still and somebody else's. */
        if (boot && *class != VT_CLASS_PAGE_TABLE) {
            *class = area == VT_LINUX_AREA_TEXT ? VT_CLASS_KERNEL_TEXT : VT_CLASS_KERNEL_DATA;
        }
        break;
    case VT_LINUX_AREA_MODULE_TEXT:
    case VT_LINUX_AREA_MODULE_DATA:
        if (taken) {
            *class =
                area == VT_LINUX_AREA_MODULE_TEXT ? VT_CLASS_KERNEL_TEXT : VT_CLASS_KERNEL_DATA;
        }
        break;
    case VT_LINUX_AREA_VMALLOC:
        if (taken) {
            *class = VT_CLASS_KERNEL_VMALLOC;
        }
        break;
    case VT_LINUX_AREA_STACK:
        if (boot || taken) {
            *class = VT_CLASS_KERNEL_STACK;
        }
        break;
    }
}

static int on_area(enum vt_linux_area area, struct vt_gpa gpa, uint64_t bytes, void *arg)
{
    return each_page(arg, gpa, bytes, mark_area, 0, area);
}

/* ---- 3: processes ---- */

static bool within(uint64_t at, struct vt_gva from, struct vt_gva to)
{
    return at >= from.v && at < to.v;
}

static void mark_user(struct marking *m, uint64_t page, uint64_t at, unsigned flags)
{
    uint8_t kind = m->c->kinds[page], *class = &m->c->classes[page];
    const struct vt_linux_layout *l = m->layout;
    if (kind != VT_LINUX_PAGE_ANON && kind != VT_LINUX_PAGE_FILE) {
        return; /* vdso and rings are the kernel's; a free page was unmapped meanwhile */
    }
    if ((flags & VT_PAGE_NX) == 0) {
        *class = VT_CLASS_USER_CODE;
    } else if (kind == VT_LINUX_PAGE_FILE) {
        *class = *class == VT_CLASS_USER_CODE ? VT_CLASS_USER_CODE : VT_CLASS_USER_FILE;
    } else if (within(at, l->heap_from, l->heap_to)) {
        *class = VT_CLASS_USER_HEAP;
    } else if (within(at, l->stack_from, l->stack_to)) {
        *class = VT_CLASS_USER_STACK;
    }
    m->mapped_pages++;
    uint16_t *mapper = &m->mappers[page];
    *mapper = *mapper == MAPPER_NONE || *mapper == m->mapper ? m->mapper : MAPPER_MANY;
}

static int on_user_mapping(const struct vt_mapping *mapping, void *arg)
{
    return (mapping->flags & VT_PAGE_USER) == 0
               ? 0
               : each_page(arg, mapping->gpa, mapping->page_bytes, mark_user, mapping->gva.v,
                           mapping->flags);
}

static int on_user_table(struct vt_gpa table, unsigned level, void *arg)
{
    (void)level;
    struct marking *m = arg;
    m->tables_left--;
    return each_page(arg, table, VT_PAGE_BYTES, mark_area, 0, VT_LINUX_AREA_TABLE);
}

/* Order of tasks by page-table root, so that those who share one (threads, vfork) stand together,
 * the lowest pid first. */
static int by_root(const void *a, const void *b)
{
    const struct vt_task *x = *(const struct vt_task *const *)a;
    const struct vt_task *y = *(const struct vt_task *const *)b;
    if (x->pgd.v != y->pgd.v) {
        return x->pgd.v < y->pgd.v ? -1 : 1;
    }
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static int by_size(const void *a, const void *b)
{
    const struct vt_owner *x = a, *y = b;
    if (x->own_pages != y->own_pages) {
        return x->own_pages > y->own_pages ? -1 : 1;
    }
    if (x->mapped_pages != y->mapped_pages) {
        return x->mapped_pages > y->mapped_pages ? -1 : 1;
    }
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Walks every address space once. *all gets one owner a space, in the order of their mapper
 * numbers. */
static int ask_processes(struct vt_classes *c, struct vt_kernel *kernel,
                         const struct vt_task_list *tasks, struct marking *m, struct vt_owner **all,
                         size_t *n_all, struct vt_error *err)
{
    const struct vt_task **order = calloc(tasks->n + 1, sizeof(void *));
    size_t room = tasks->n < MAPPERS_MAX ? tasks->n : MAPPERS_MAX, n = 0;
    *all = calloc(room + 1, sizeof **all);
    if (order == NULL || *all == NULL) {
        free(order);
        return vt_fail(err, VT_E_NOMEM, "page classes: out of memory");
    }
    for (size_t i = 0; i < tasks->n; i++) {
        order[i] = &tasks->tasks[i];
    }
    qsort(order, tasks->n, sizeof(void *), by_root);
    uint64_t unreadable = 0;
    int rc = 0;
    for (size_t i = 0; i < tasks->n && rc == 0; i++) {
        const struct vt_task *t = order[i];
        struct vt_linux_layout layout;
        if (t->mm.v == 0 || (i > 0 && t->pgd.v == order[i - 1]->pgd.v)) {
            continue;
        }
        if (vt_linux_task_layout(kernel, t, &layout, NULL) != 0) {
            unreadable++;
            continue;
        }
        bool named = n < room;
        m->layout = &layout;
        m->mapper = named ? (uint16_t)(n + 1) : MAPPER_MANY;
        m->mapped_pages = 0;
        each_page(m, t->pgd, VT_PAGE_BYTES, mark_area, 0, VT_LINUX_AREA_TABLE);
        rc = vt_space_walk(&layout.space, VT_GVA(0), layout.user_end, m->tables_left,
                           on_user_mapping, on_user_table, m, NULL);
        unreadable += rc == VT_E_ADDR;
        rc = rc == VT_E_ADDR ? 0 : rc;
        if (named) {
            struct vt_owner *o = &(*all)[n++];
            o->pid = t->pid;
            memcpy(o->comm, t->comm, sizeof o->comm);
            o->mapped_pages = m->mapped_pages;
        }
    }
    free(order);
    *n_all = n;
    if (rc == VT_E_LIMIT) {
        snprintf(c->note, sizeof c->note, "more page tables than RAM can hold: walks were cut");
        rc = 0;
    } else if (unreadable > 0) {
        snprintf(c->note, sizeof c->note, "%zu processes could not be walked", (size_t)unreadable);
    }
    return rc;
}

/* Counts what each process has for itself and gives the largest ones their numbers. */
static void find_owners(struct vt_classes *c, const uint16_t *mappers, struct vt_owner *all,
                        size_t n_all)
{
    for (uint64_t i = 0; i < c->n_pages; i++) {
        if (mappers[i] != MAPPER_NONE && mappers[i] <= n_all) {
            all[mappers[i] - 1].own_pages++;
            all[mappers[i] - 1].classes[c->classes[i]]++;
        }
    }
    uint8_t *number = calloc(n_all + 1, 1);
    struct vt_owner *sorted = calloc(n_all + 1, sizeof *sorted);
    if (number != NULL && sorted != NULL) {
        memcpy(sorted, all, n_all * sizeof *sorted);
        qsort(sorted, n_all, sizeof *sorted, by_size);
        c->n_largest = n_all < VT_OWNERS_MAX ? n_all : VT_OWNERS_MAX;
        memcpy(c->largest, sorted, c->n_largest * sizeof *sorted);
        for (size_t i = 0; i < n_all; i++) {
            for (size_t k = 0; k < c->n_largest; k++) {
                if (c->largest[k].pid == all[i].pid) {
                    number[i] = (uint8_t)(k + 1);
                }
            }
        }
        for (uint64_t i = 0; i < c->n_pages; i++) {
            c->owners[i] = mappers[i] <= n_all && mappers[i] > 0 ? number[mappers[i] - 1] : 0;
        }
    }
    free(number);
    free(sorted);
}

/* ---- all of it ---- */

/* Witnesses 1 to 3. A failure leaves what was learned before it. */
static int ask_kernel(struct vt_classes *c, struct vt_kernel *kernel, struct vt_error *err)
{
    struct vt_task_list tasks = {0};
    struct vt_owner *all = NULL;
    size_t n_all = 0;
    /* What no honest guest exceeds: tables are an eighth of RAM, and a page is mapped by 64. */
    struct marking m = {.c = c,
                        .pages_left = 64 * c->n_pages + ((uint64_t)1 << 20),
                        .tables_left = c->n_pages / 8 + 1024,
                        .mappers = calloc(c->n_pages, sizeof(uint16_t))};
    int rc = m.mappers == NULL ? vt_fail(err, VT_E_NOMEM, "page classes: out of memory")
                               : ask_struct_pages(c, kernel, err);
    if (rc == 0) {
        c->understood = true;
        rc = vt_linux_tasks(kernel, &tasks, err);
    }
    if (rc == 0) {
        rc = vt_linux_kernel_areas(kernel, &tasks, m.tables_left, on_area, &m, err);
    }
    if (rc == 0) {
        rc = ask_processes(c, kernel, &tasks, &m, &all, &n_all, err);
    }
    if (rc == 0) {
        find_owners(c, m.mappers, all, n_all);
        if (tasks.torn && c->note[0] == '\0') {
            snprintf(c->note, sizeof c->note, "the process list was torn: %.200s", tasks.why);
        }
    }
    vt_task_list_fini(&tasks);
    free(all);
    free(m.mappers);
    return rc;
}

int vt_classes_scan(struct vt_classes *classes, struct vt_kernel *kernel, struct vt_error *err)
{
    struct vt_classes *c = classes;
    struct vt_error why;
    memset(c->classes, VT_CLASS_HOLE, c->n_pages);
    memset(c->owners, 0, c->n_pages);
    memset(c->kinds, VT_LINUX_PAGE_UNKNOWN, c->n_pages);
    c->n_largest = 0;
    c->understood = false;
    c->note[0] = '\0';
    if (kernel != NULL) {
        int rc = ask_kernel(c, kernel, &why);
        if (rc == VT_E_NOMEM) {
            *err = why;
            return rc;
        }
        if (rc != 0) {
            snprintf(c->note, sizeof c->note, "%s%.220s",
                     c->understood ? "processes left out: " : "by contents alone: ", why.message);
        }
    }
    return look_at_all(c, err);
}

const uint8_t *vt_classes_bytes(const struct vt_classes *classes)
{
    return classes->classes;
}

const uint8_t *vt_classes_owners(const struct vt_classes *classes)
{
    return classes->owners;
}

uint64_t vt_classes_pages(const struct vt_classes *classes)
{
    return classes->n_pages;
}

void vt_classes_totals(const struct vt_classes *classes, uint64_t totals[VT_CLASSES])
{
    memset(totals, 0, VT_CLASSES * sizeof totals[0]);
    for (uint64_t i = 0; i < classes->n_pages; i++) {
        totals[classes->classes[i]]++;
    }
}

size_t vt_classes_processes(const struct vt_classes *classes, const struct vt_owner **owners)
{
    *owners = classes->largest;
    return classes->n_largest;
}

bool vt_classes_understood(const struct vt_classes *classes)
{
    return classes->understood;
}

const char *vt_classes_note(const struct vt_classes *classes)
{
    return classes->note;
}
