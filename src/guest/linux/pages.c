/* guest/linux/pages.c - see pages.h.
 *
 *   struct page   members and type values, and what they say about a page
 *   areas         one walk over the kernel's half, sorted by address; stacks of all threads
 *   layout        heap, stack and page-table root of a process
 */
#include "guest/linux/pages.h"

#include "guest/kernel.h"

#include "guest/linux/list.h"
#include "guest/linux/object.h"
#include "guest/linux/page_kind.h"

#include <stdlib.h>
#include <string.h>

/* Linux, Documentation/arch/x86/x86_64/mm.rst, by number of page-table levels: used where the
 * variable that KASLR moves is missing. */
struct bases {
    uint64_t vmemmap, vmalloc, vmalloc_bytes, user_end, direct_map;
};

static struct bases default_bases(const struct vt_kernel *kernel)
{
    return vt_kernel_space(kernel)->levels == 5
               ? (struct bases){0xffd4000000000000, 0xffa0000000000000, (uint64_t)12800 << 40,
                                (uint64_t)1 << 56, 0xff11000000000000}
               : (struct bases){0xffffea0000000000, 0xffffc90000000000, (uint64_t)32 << 40,
                                (uint64_t)1 << 47, 0xffff888000000000};
}

static uint64_t variable(const struct vt_kernel *kernel, const char *name, uint64_t fallback)
{
    struct vt_gva at;
    uint64_t value;
    return vt_kernel_symbol(kernel, name, &at, NULL) == 0 &&
                   vt_space_read_u64(vt_kernel_space(kernel), at, &value, NULL) == 0 && value != 0
               ? value
               : fallback;
}

uint64_t vt_linux_direct_map(const struct vt_kernel *kernel)
{
    return variable(kernel, "page_offset_base", default_bases(kernel).direct_map);
}

void vt_linux_vmalloc_range(const struct vt_kernel *kernel, struct vt_gva *from, struct vt_gva *to)
{
    struct bases bases = default_bases(kernel);
    *from = VT_GVA(variable(kernel, "vmalloc_base", bases.vmalloc));
    *to = VT_GVA(from->v + bases.vmalloc_bytes);
}

/* A stack in the vmalloc area ends at its guard page; elsewhere it is four pages, as on every
 * x86-64 without KASAN. */
#define STACK_PAGES 4
#define STACK_PAGES_MAX 16

uint64_t vt_linux_stack_bytes(const struct vt_kernel *kernel, struct vt_gva stack)
{
    struct vt_gva from, to;
    vt_linux_vmalloc_range(kernel, &from, &to);
    bool guarded = stack.v >= from.v && stack.v < to.v;
    return VT_PAGE_BYTES * (guarded ? STACK_PAGES_MAX : STACK_PAGES);
}

/* ---- struct page ---- */

static int flag_mask(const struct vt_kernel *kernel, const char *name, uint64_t *mask,
                     struct vt_error *err)
{
    int64_t bit;
    int rc = vt_kernel_enumerator(kernel, name, &bit, err);
    if (rc == 0 && (bit < 0 || bit > 63)) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s: bit %lld", name, (long long)bit);
    }
    if (rc == 0) {
        *mask = (uint64_t)1 << bit;
    }
    return rc;
}

static int find_page_layout(const struct vt_kernel *kernel, struct vt_page_layout *l,
                            struct vt_error *err)
{
    static const struct vt_field_spec specs[] = {
        VT_FIELD_BARE(vt_page_layout, flags, "page", "flags"),
        VT_FIELD_BARE(vt_page_layout, refcount, "page", "_refcount"),
        VT_FIELD_BARE(vt_page_layout, type, "page", "page_type"),
        VT_FIELD_BARE(vt_page_layout, mapping, "page", "mapping"),
        VT_FIELD_BARE(vt_page_layout, compound_head, "page", "compound_head", "compound_info"),
        VT_FIELD_BARE(vt_page_layout, private, "page", "private"),
        VT_FIELD_BARE(vt_page_layout, lru, "page", "pcp_list", "lru"),
    };
    *l = (struct vt_page_layout){0};
    int rc = vt_fields_resolve(kernel, specs, sizeof specs / sizeof specs[0], l, err);
    if (rc == 0) {
        rc = vt_kernel_struct_size(kernel, "page", &l->bytes, err);
    }
    if (rc == 0 && (l->bytes < 32 || l->bytes > 256)) {
        rc = vt_fail(err, VT_E_CORRUPT, "struct page of %u bytes", l->bytes);
    }
    if (rc == 0) {
        rc = flag_mask(kernel, "PG_reserved", &l->reserved, err);
    }
    if (rc != 0) {
        return rc;
    }
    int64_t buddy, table, slab;
    if (vt_kernel_enumerator(kernel, "PGTY_buddy", &buddy, NULL) == 0 &&
        vt_kernel_enumerator(kernel, "PGTY_table", &table, NULL) == 0) {
        l->typed = true;
        l->buddy = (uint32_t)buddy;
        l->table = (uint32_t)table;
        if (vt_kernel_enumerator(kernel, "PGTY_slab", &slab, NULL) == 0) {
            l->slab_type = (uint32_t)slab;
            return 0;
        }
    } else {
        l->buddy = VT_PAGE_TYPE_BUDDY;
        l->table = VT_PAGE_TYPE_TABLE;
    }
    return flag_mask(kernel, "PG_slab", &l->slab, err);
}

int vt_linux_page_layout(const struct vt_kernel *kernel, struct vt_page_layout *layout,
                         struct vt_error *err)
{
    struct vt_page_layout found, *known = kernel->pages;
    if (known == NULL) {
        int rc = find_page_layout(kernel, &found, err);
        if (rc == 0 && !vt_page_layout_fits(&found)) {
            rc = vt_fail(err, VT_E_CORRUPT, "struct page: a member outside or of odd size");
        }
        known = rc == 0 ? malloc(sizeof *known) : NULL;
        if (known == NULL) {
            return rc != 0 ? rc : vt_fail(err, VT_E_NOMEM, "struct page: out of memory");
        }
        *known = found;
        /* A cache, like that of translations: kernels are const to those who only ask. */
        ((struct vt_kernel *)kernel)->pages = known;
    }
    *layout = *known;
    /* A kernel that boots has not decided yet where it lies. */
    layout->vmemmap = variable(kernel, "vmemmap_base", default_bases(kernel).vmemmap);
    return 0;
}

int vt_linux_page_kinds(const struct vt_kernel *kernel, struct vt_gpa from, uint64_t n_pages,
                        uint8_t *kinds, struct vt_error *err)
{
    struct vt_page_layout l;
    int rc = vt_linux_page_layout(kernel, &l, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_page_reading r = {.space = vt_kernel_space(kernel),
                                .l = &l,
                                .first = from.v >> VT_PAGE_SHIFT,
                                .kinds = kinds};
    uint8_t chunk[VT_PAGE_BYTES];
    uint64_t a_chunk = sizeof chunk / l.bytes;
    memset(kinds, VT_LINUX_PAGE_UNKNOWN, n_pages);
    for (uint64_t i = 0; i < n_pages; i += a_chunk) {
        uint64_t at = l.vmemmap + (r.first + i) * l.bytes;
        uint64_t n = n_pages - i < a_chunk ? n_pages - i : a_chunk;
        if (vt_space_read(r.space, VT_GVA(at), chunk, n * l.bytes, NULL) != 0) {
            continue;
        }
        for (uint64_t k = 0; k < n; k++) {
            kinds[i + k] = (uint8_t)vt_page_kind(&r, i + k, chunk + k * l.bytes);
        }
    }
    return 0;
}

/* ---- areas ---- */

struct areas {
    uint64_t text, etext, end; /* the image; modules follow it */
    uint64_t vmalloc, vmalloc_end;
    int (*fn)(enum vt_linux_area area, struct vt_gpa gpa, uint64_t bytes, void *arg);
    void *arg;
};

static int on_mapping(const struct vt_mapping *m, void *arg)
{
    const struct areas *a = arg;
    uint64_t va = m->gva.v;
    if (va >= a->vmalloc && va < a->vmalloc_end) {
        return a->fn(VT_LINUX_AREA_VMALLOC, m->gpa, m->page_bytes, a->arg);
    }
    if (va < (a->text & ~(m->page_bytes - 1)) || va >= VT_LINUX_MODULES_END) {
        return 0;
    }
    if (va >= a->end) {
        return a->fn(m->flags & VT_PAGE_NX ? VT_LINUX_AREA_MODULE_DATA : VT_LINUX_AREA_MODULE_TEXT,
                     m->gpa, m->page_bytes, a->arg);
    }
    /* The image: its borders are page borders, but one large page may hold parts of two. */
    for (uint64_t off = 0; off < m->page_bytes; off += VT_PAGE_BYTES) {
        uint64_t page = va + off;
        if (page >= a->text && page < a->end) {
            int rc = a->fn(page < a->etext ? VT_LINUX_AREA_TEXT : VT_LINUX_AREA_DATA,
                           VT_GPA(m->gpa.v + off), VT_PAGE_BYTES, a->arg);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int on_table(struct vt_gpa table, unsigned level, void *arg)
{
    (void)level;
    const struct areas *a = arg;
    return a->fn(VT_LINUX_AREA_TABLE, table, VT_PAGE_BYTES, a->arg);
}

static int tell_stack(const struct vt_kernel *kernel, const struct areas *a, uint64_t stack)
{
    uint64_t most = vt_linux_stack_bytes(kernel, VT_GVA(stack));
    int rc = 0;
    for (uint64_t at = 0; at < most && rc == 0; at += VT_PAGE_BYTES) {
        struct vt_gpa gpa;
        if (vt_space_translate(vt_kernel_space(kernel), VT_GVA(stack + at), &gpa, NULL) != 0) {
            break;
        }
        rc = a->fn(VT_LINUX_AREA_STACK, gpa, VT_PAGE_BYTES, a->arg);
    }
    return rc;
}

struct stack_layout {
    struct vt_member stack, signal, thread_node, thread_head;
};

/* The stacks of a process's threads; a list that is broken is told as far as it goes. `left` counts
 * threads over all processes. */
static int tell_stacks(const struct vt_kernel *kernel, const struct areas *a,
                       const struct stack_layout *l, const struct vt_task *task, size_t *left)
{
    const struct vt_space *space = vt_kernel_space(kernel);
    uint64_t signal, stack;
    int rc = 0;
    struct vt_list_walk walk;
    if (vt_space_read_u64(space, VT_GVA(task->at.v + l->signal.offset), &signal, NULL) != 0) {
        return 0;
    }
    struct vt_gva node;
    vt_list_begin(&walk, space, VT_GVA(signal + l->thread_head.offset), *left);
    while (rc == 0 && *left > 0 && vt_list_next(&walk, &node, NULL) == 1) {
        --*left;
        uint64_t at = node.v - l->thread_node.offset + l->stack.offset;
        if (vt_space_read_u64(space, VT_GVA(at), &stack, NULL) == 0) {
            rc = tell_stack(kernel, a, stack);
        }
    }
    vt_list_end(&walk);
    return rc;
}

int vt_linux_kernel_areas(const struct vt_kernel *kernel, const struct vt_task_list *tasks,
                          uint64_t max_tables,
                          int (*fn)(enum vt_linux_area area, struct vt_gpa gpa, uint64_t bytes,
                                    void *arg),
                          void *arg, struct vt_error *err)
{
    static const struct vt_field_spec specs[] = {
        VT_FIELD_BARE(stack_layout, stack, "task_struct", "stack"),
        VT_FIELD_BARE(stack_layout, signal, "task_struct", "signal"),
        VT_FIELD_BARE(stack_layout, thread_node, "task_struct", "thread_node"),
        VT_FIELD_BARE(stack_layout, thread_head, "signal_struct", "thread_head"),
    };
    struct stack_layout l;
    struct vt_gva text, etext, end;
    int rc = vt_kernel_symbol(kernel, "_text", &text, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(kernel, "_etext", &etext, err);
    }
    if (rc == 0) {
        rc = vt_kernel_symbol(kernel, "_end", &end, err);
    }
    if (rc == 0) {
        rc = vt_fields_resolve(kernel, specs, sizeof specs / sizeof specs[0], &l, err);
    }
    if (rc != 0) {
        return rc;
    }
    const struct vt_space *space = vt_kernel_space(kernel);
    struct vt_gva vmalloc, vmalloc_end;
    vt_linux_vmalloc_range(kernel, &vmalloc, &vmalloc_end);
    struct areas a = {.text = text.v,
                      .etext = etext.v,
                      .end = end.v,
                      .vmalloc = vmalloc.v,
                      .vmalloc_end = vmalloc_end.v,
                      .fn = fn,
                      .arg = arg};
    uint64_t half = default_bases(kernel).user_end;
    int walked = vt_space_walk(space, VT_GVA(0 - half), VT_GVA(0), max_tables, on_mapping, on_table,
                               &a, err);
    if (walked != 0 && walked != VT_E_LIMIT) {
        return walked;
    }
    /* No process has more threads than RAM has pages for their stacks. */
    size_t left = (size_t)(vt_ram_size(space->ram) / VT_PAGE_BYTES);
    for (size_t i = 0; i < tasks->n && rc == 0; i++) {
        rc = tell_stacks(kernel, &a, &l, &tasks->tasks[i], &left);
    }
    return rc != 0 ? rc : walked;
}

/* ---- layout ---- */

/* With page-table isolation user mode runs on the second half of an 8 KiB root, and the kernel's
 * half maps user memory never executable: the sign to go by. */
static struct vt_gpa user_root(const struct vt_space *space, struct vt_gpa root)
{
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t entry;
        if (vt_ram_read_u64(space->ram, VT_GPA(root.v + 8 * i), &entry, NULL) == 0 &&
            (entry & 1) != 0 && entry >> 63 != 0) {
            return VT_GPA(root.v | VT_PAGE_BYTES);
        }
    }
    return root;
}

struct mm_layout {
    struct vt_member start_brk, brk, start_stack, stack_vm, env_end;
};

int vt_linux_task_layout(const struct vt_kernel *kernel, const struct vt_task *task,
                         struct vt_linux_layout *layout, struct vt_error *err)
{
    static const struct vt_field_spec specs[] = {
        VT_FIELD_BARE(mm_layout, start_brk, "mm_struct", "start_brk"),
        VT_FIELD_BARE(mm_layout, brk, "mm_struct", "brk"),
        VT_FIELD_BARE(mm_layout, start_stack, "mm_struct", "start_stack"),
        VT_FIELD_BARE(mm_layout, stack_vm, "mm_struct", "stack_vm"),
        VT_FIELD_BARE(mm_layout, env_end, "mm_struct", "env_end"),
    };
    struct mm_layout l;
    struct vt_space space;
    int rc = vt_linux_task_space(kernel, task, &space, err);
    if (rc == 0) {
        rc = vt_fields_resolve(kernel, specs, sizeof specs / sizeof specs[0], &l, err);
    }
    const struct vt_member *members[] = {&l.start_brk, &l.brk, &l.start_stack, &l.stack_vm,
                                         &l.env_end};
    uint64_t value[5];
    for (unsigned i = 0; i < 5 && rc == 0; i++) {
        rc = vt_space_read_u64(vt_kernel_space(kernel), VT_GVA(task->mm.v + members[i]->offset),
                               &value[i], err);
    }
    if (rc != 0) {
        return rc;
    }
    uint64_t user_end = default_bases(kernel).user_end, mask = ~(VT_PAGE_BYTES - 1);
    uint64_t heap = value[0] & mask, brk = (value[1] + VT_PAGE_BYTES - 1) & mask;
    /* The stack's pages reach from its top down; arguments and environment lie above where it
     * began, and the program's name and a word follow them. */
    uint64_t top = ((value[4] > value[2] ? value[4] : value[2]) + 2 * VT_PAGE_BYTES) & mask;
    uint64_t pages = value[3] < user_end >> VT_PAGE_SHIFT ? value[3] : 0;
    uint64_t bytes = (pages + 1) << VT_PAGE_SHIFT;
    space.root = user_root(&space, task->pgd);
    space.tlb = NULL; /* for walking whole */
    *layout = (struct vt_linux_layout){.space = space, .user_end = VT_GVA(user_end)};
    if (heap < brk && brk <= user_end) {
        layout->heap_from = VT_GVA(heap);
        layout->heap_to = VT_GVA(brk);
    }
    if (pages > 0 && top > bytes && top <= user_end) {
        layout->stack_from = VT_GVA(top - bytes);
        layout->stack_to = VT_GVA(top);
    }
    return 0;
}
