/* semantic/kernel_regions.c - see kernel_regions.h.
 *
 * The kernel's image is four ranges between symbols. What else it maps are its vmalloc areas; one
 * that begins where a thread's stack or a module does is that. What may be written or executed is
 * as its page tables have it.
 */
#include "semantic/kernel_regions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Page tables of one range that are read: 4 GiB of 4 KiB pages. */
#define TABLES_MAX 2048u
/* Three numbers of at most 20 characters, and what is around them. */
#define RUN_TEXT_MAX 70u

/* ---------------------------------------------------------------- runs */

void vt_runs_fini(struct vt_runs_text *t)
{
    free(t->text);
    *t = (struct vt_runs_text){0};
}

void vt_runs_clear(struct vt_runs_text *t)
{
    t->n = 0;
    t->runs = t->cut = t->bytes = 0;
}

static char *number(char *at, int64_t value)
{
    char digits[24];
    unsigned n = 0;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        digits[n++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        *at++ = '-';
    }
    while (n > 0) {
        *at++ = digits[--n];
    }
    return at;
}

void vt_runs_add(struct vt_runs_text *t, const struct vt_page_run *run)
{
    t->bytes += run->bytes;
    if (t->runs == VT_RUNS_MAX || t->no_memory) {
        t->cut++;
        return;
    }
    if (t->n + RUN_TEXT_MAX > t->room) {
        size_t room = t->room == 0 ? 4096 : 2 * t->room;
        char *grown = realloc(t->text, room);
        if (grown == NULL) {
            t->no_memory = true;
            t->cut++;
            return;
        }
        t->text = grown;
        t->room = room;
    }
    char *at = t->text + t->n;
    *at++ = t->runs == 0 ? '[' : ',';
    *at++ = '[';
    at = number(at, (int64_t)run->gva.v);
    *at++ = ',';
    at = number(at, (int64_t)run->gpa.v);
    *at++ = ',';
    at = number(at, (int64_t)run->bytes);
    *at++ = ']';
    t->n = (size_t)(at - t->text);
    t->runs++;
}

void vt_runs_text(struct vt_runs_text *t, const struct vt_page_run *runs, size_t n)
{
    vt_runs_clear(t);
    for (size_t i = 0; i < n; i++) {
        vt_runs_add(t, &runs[i]);
    }
}

void vt_runs_put(const struct vt_runs_text *t, struct vt_records *r)
{
    if (t->runs == 0) {
        vt_record_null(r);
    } else {
        t->text[t->n] = ']'; /* RUN_TEXT_MAX leaves room for it */
        vt_record_bytes(r, t->text, t->n + 1);
    }
}

/* ---------------------------------------------------------------- the kernel's regions */

struct stack {
    uint64_t at;
    int32_t pid, tid;
    struct vt_record_cell name;
    bool placed; /* in a vmalloc area */
};

struct adding {
    struct vt_take *take;
    struct vt_kernel *kernel;
    struct vt_records *records;
    struct vt_runs_text runs;
    unsigned flags; /* of the pages of the range: those that any of them has; NX: all */
    struct stack *stacks;
    size_t n_stacks;
};

struct region {
    uint64_t start, end;
    const char *kind, *name;
    const struct stack *stack; /* or NULL */
    bool device, torn;         /* device: its pages are not RAM */
};

static int add_run(const struct vt_page_run *run, void *arg)
{
    struct adding *a = arg;
    unsigned nx = a->flags & run->flags & VT_PAGE_NX;
    a->flags = ((a->flags | run->flags) & ~(unsigned)VT_PAGE_NX) | nx;
    vt_runs_add(&a->runs, run);
    return 0;
}

static void put_pages(struct adding *a, const struct region *region, char permissions[4])
{
    vt_runs_clear(&a->runs);
    a->flags = VT_PAGE_NX;
    if (!region->device) {
        vt_space_runs(vt_kernel_space(a->kernel), VT_GVA(region->start), VT_GVA(region->end),
                      TABLES_MAX, add_run, a, NULL);
    }
    bool mapped = a->runs.bytes > 0;
    permissions[0] = mapped || region->device ? 'r' : '-';
    permissions[1] = (a->flags & VT_PAGE_WRITE) != 0 || region->device ? 'w' : '-';
    permissions[2] = mapped && (a->flags & VT_PAGE_NX) == 0 ? 'x' : '-';
    permissions[3] = '\0';
}

/* The cells of memory_regions (schema.c), in their order. */
static bool add_region(struct adding *a, const struct region *region)
{
    struct vt_records *r = a->records;
    char permissions[4];
    put_pages(a, region, permissions);
    vt_record_begin(r, region->torn);
    vt_record_integer(r, region->stack != NULL ? region->stack->pid : 0); /* process */
    if (region->stack != NULL) {
        vt_record_integer(r, region->stack->pid);
    } else {
        vt_record_null(r);
    }
    vt_record_integer(r, (int64_t)region->start);
    vt_record_integer(r, (int64_t)region->end);
    vt_record_text(r, permissions);
    vt_record_null(r); /* offset, device, inode */
    vt_record_null(r);
    vt_record_null(r);
    vt_record_identity(r);
    if (region->stack != NULL && region->stack->name.tag == VT_TAG_TEXT) {
        vt_record_bytes(r, region->stack->name.text, region->stack->name.bytes);
    } else {
        vt_record_text(r, "kernel");
    }
    vt_record_text(r, region->kind);
    vt_record_text(r, region->name);
    vt_record_integer(r, (int64_t)a->runs.bytes);
    vt_record_null(r); /* dirty, swapped */
    vt_record_null(r);
    vt_runs_put(&a->runs, r);
    vt_record_integer(r, (int64_t)a->runs.cut);
    return vt_record_end(r);
}

static void add_image(struct adding *a)
{
    static const struct {
        const char *from[2], *to;
        enum vt_memory_kind kind;
    } parts[] = {
        {{"_stext", "_text"}, "_etext", VT_MEMORY_KERNEL_TEXT},
        {{"__start_rodata", NULL}, "__end_rodata", VT_MEMORY_KERNEL_RODATA},
        {{"_sdata", NULL}, "_edata", VT_MEMORY_KERNEL_DATA},
        {{"__bss_start", NULL}, "__bss_stop", VT_MEMORY_KERNEL_BSS},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct vt_gva from, to;
        bool known = vt_kernel_symbol(a->kernel, parts[i].from[0], &from, NULL) == 0 ||
                     (parts[i].from[1] != NULL &&
                      vt_kernel_symbol(a->kernel, parts[i].from[1], &from, NULL) == 0);
        if (known && vt_kernel_symbol(a->kernel, parts[i].to, &to, NULL) == 0) {
            /* The bytes of a page that is shared belong to both. */
            uint64_t start = from.v & ~(VT_PAGE_BYTES - 1);
            uint64_t end = (to.v + VT_PAGE_BYTES - 1) & ~(VT_PAGE_BYTES - 1);
            if (start < end) {
                const struct region region = {
                    .start = start, .end = end, .kind = vt_memory_kind_name(parts[i].kind)};
                add_region(a, &region);
            }
        }
    }
}

/* ---------------------------------------------------------------- stacks, modules, vmalloc */

static int by_stack(const void *left, const void *right)
{
    const struct stack *a = left, *b = right;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int collect_stacks(struct adding *a, struct vt_error *err)
{
    const struct vt_db_table *table = &vt_db_tables[VT_DB_THREADS];
    const struct vt_records *r = &a->take->tables[VT_DB_THREADS];
    unsigned pid = vt_db_column(table, "pid"), tid = vt_db_column(table, "tid"),
             name = vt_db_column(table, "name"), stack = vt_db_column(table, "stack");
    a->stacks = calloc(r->n_rows + 1, sizeof *a->stacks);
    if (a->stacks == NULL) {
        return vt_fail(err, VT_E_NOMEM, "sampling: out of memory");
    }
    for (size_t i = 0; i < r->n_rows; i++) {
        const uint8_t *record = r->bytes + r->rows[i].at;
        uint32_t bytes = r->rows[i].bytes;
        struct vt_record_cell at = vt_record_cell(record, bytes, stack);
        if (at.tag == VT_TAG_INTEGER && at.integer != 0 && !r->rows[i].torn) {
            a->stacks[a->n_stacks++] =
                (struct stack){.at = (uint64_t)at.integer,
                               .pid = (int32_t)vt_record_cell(record, bytes, pid).integer,
                               .tid = (int32_t)vt_record_cell(record, bytes, tid).integer,
                               .name = vt_record_cell(record, bytes, name)};
        }
    }
    qsort(a->stacks, a->n_stacks, sizeof *a->stacks, by_stack);
    return 0;
}

static bool is_module(const struct vt_take *take, uint64_t start, char name[VT_TEXT_MAX])
{
    const struct vt_db_table *table = &vt_db_tables[VT_DB_MODULES];
    const struct vt_records *r = &take->tables[VT_DB_MODULES];
    unsigned base = vt_db_column(table, "base"), title = vt_db_column(table, "name");
    for (size_t i = 0; i < r->n_rows; i++) {
        const uint8_t *record = r->bytes + r->rows[i].at;
        struct vt_record_cell text = vt_record_cell(record, r->rows[i].bytes, title);
        if ((uint64_t)vt_record_cell(record, r->rows[i].bytes, base).integer == start &&
            text.tag == VT_TAG_TEXT && text.bytes < VT_TEXT_MAX) {
            memcpy(name, text.text, text.bytes);
            name[text.bytes] = '\0';
            return true;
        }
    }
    return false;
}

static int add_area(const struct vt_row *row, void *arg)
{
    const struct vt_vmalloc_area *area = (const void *)row;
    struct adding *a = arg;
    char name[VT_TEXT_MAX];
    if (area->bytes <= VT_PAGE_BYTES || area->start.v + area->bytes < area->start.v ||
        (area->start.v | area->bytes) % VT_PAGE_BYTES != 0) {
        return 0;
    }
    const struct stack key = {.at = area->start.v};
    struct region region = {.start = area->start.v,
                            .end = area->start.v + area->bytes - VT_PAGE_BYTES,
                            .kind = area->physical.v != 0 ? "device"
                                                          : vt_memory_kind_name(VT_MEMORY_VMALLOC),
                            .name = area->caller_name[0] != '\0' ? area->caller_name : NULL,
                            .device = area->physical.v != 0,
                            .torn = row->trust != VT_TRUST_OK};
    struct stack *stack = a->n_stacks == 0
                              ? NULL
                              : bsearch(&key, a->stacks, a->n_stacks, sizeof *a->stacks, by_stack);
    if (stack != NULL) {
        stack->placed = true;
        region.kind = vt_memory_kind_name(VT_MEMORY_KERNEL_STACKS);
        region.stack = stack;
        snprintf(name, sizeof name, "thread %d", stack->tid);
        region.name = name;
    } else if (is_module(a->take, region.start, name)) {
        region.kind = vt_memory_kind_name(VT_MEMORY_MODULES);
        region.name = name;
    }
    return add_region(a, &region) ? 0 : 1;
}

/* Without vmalloc'ed stacks they lie in the direct mapping. */
static void add_other_stacks(struct adding *a)
{
    uint32_t bytes;
    if (vt_kernel_struct_size(a->kernel, "thread_union", &bytes, NULL) != 0 || bytes == 0 ||
        bytes % VT_PAGE_BYTES != 0) {
        return;
    }
    for (size_t i = 0; i < a->n_stacks; i++) {
        const struct stack *stack = &a->stacks[i];
        char name[32];
        if (!stack->placed && stack->at % VT_PAGE_BYTES == 0 && stack->at + bytes > stack->at) {
            snprintf(name, sizeof name, "thread %d", stack->tid);
            const struct region region = {.start = stack->at,
                                          .end = stack->at + bytes,
                                          .kind = vt_memory_kind_name(VT_MEMORY_KERNEL_STACKS),
                                          .name = name,
                                          .stack = stack};
            add_region(a, &region);
        }
    }
}

int vt_take_kernel_regions(struct vt_take *take, struct vt_kernel *kernel, struct vt_error *err)
{
    struct vt_noun_result result = {0};
    struct vt_records *r = &take->tables[VT_DB_REGIONS];
    struct adding a = {.take = take, .kernel = kernel, .records = r};
    int rc = collect_stacks(&a, err);
    if (rc == 0) {
        add_image(&a);
        rc = vt_noun_walk(kernel, vt_noun_find("vmalloc"), NULL, add_area, &a, &result, err);
        rc = rc == VT_E_GONE || rc == VT_E_NOMEM ? rc : 0;
    }
    if (rc == 0) {
        add_other_stacks(&a);
        rc = r->no_memory || a.runs.no_memory ? vt_fail(err, VT_E_NOMEM, "sampling: out of memory")
                                              : 0;
    }
    if (rc == 0 && !r->torn && (r->full || result.torn)) {
        r->torn = true;
        snprintf(r->why, sizeof r->why, "%s",
                 r->full ? "too many rows, or too long ones" : result.why);
    }
    vt_runs_fini(&a.runs);
    free(a.stacks);
    return rc;
}
