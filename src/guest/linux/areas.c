/* guest/linux/areas.c - the memory areas of a process. See areas.h.
 *
 *   init      members, the words of vm_flags, what else is the same for all processes
 *   collect   the list or the maple tree, checked for order
 *   count     one walk over the page tables beside the areas, both in ascending order
 *   read      one area with what it points to: file, inode, name (fs/proc/task_mmu.c: show_map_vma)
 */
#include "guest/linux/areas.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3

struct vt_areas_layout {
    struct vt_extent mm;
    struct vt_member mmap, tree, brk, start_brk, start_stack, map_count, users;
    struct vt_member context_flags;
    struct vt_extent area;
    struct vt_member start, end, next, prev, area_mm, flags, anon_vma, ops, pgoff, file, private;
    struct vt_member anon_name, shared;
    struct vt_member area_bytes;
    struct vt_member special_name;
    struct vt_member anon_text;
    struct vt_member inode, path;  /* of a struct file */
    struct vt_member shadow_stack; /* the kernel knows shadow stacks */
    struct vt_member shadow_bit, minor_bit, sealed_bit, droppable_bit, guard_bit;
};

#define layout vt_areas_layout
static const struct vt_field_spec specs[] = {
    VT_FIELD_OPTIONAL(layout, mmap, mm, "mm_struct", "mmap"),
    VT_FIELD_OPTIONAL(layout, tree, mm, "mm_struct", "mm_mt"),
    VT_FIELD(layout, brk, mm, "mm_struct", "brk"),
    VT_FIELD(layout, start_brk, mm, "mm_struct", "start_brk"),
    VT_FIELD(layout, start_stack, mm, "mm_struct", "start_stack"),
    VT_FIELD(layout, map_count, mm, "mm_struct", "map_count"),
    VT_FIELD(layout, users, mm, "mm_struct", "mm_users"),
    VT_FIELD_OPTIONAL(layout, context_flags, mm, "mm_struct", "context.flags"),
    VT_FIELD(layout, start, area, "vm_area_struct", "vm_start"),
    VT_FIELD(layout, end, area, "vm_area_struct", "vm_end"),
    VT_FIELD_OPTIONAL(layout, next, area, "vm_area_struct", "vm_next"),
    VT_FIELD_OPTIONAL(layout, prev, area, "vm_area_struct", "vm_prev"),
    VT_FIELD(layout, area_mm, area, "vm_area_struct", "vm_mm"),
    VT_FIELD(layout, flags, area, "vm_area_struct", "vm_flags", "flags"),
    VT_FIELD(layout, anon_vma, area, "vm_area_struct", "anon_vma"),
    VT_FIELD(layout, ops, area, "vm_area_struct", "vm_ops"),
    VT_FIELD(layout, pgoff, area, "vm_area_struct", "vm_pgoff"),
    VT_FIELD(layout, file, area, "vm_area_struct", "vm_file"),
    VT_FIELD(layout, private, area, "vm_area_struct", "vm_private_data"),
    VT_FIELD_OPTIONAL(layout, anon_name, area, "vm_area_struct", "anon_name"),
    VT_FIELD_BARE_OPTIONAL(layout, shared, "vm_area_struct", "shared"),
    VT_FIELD_SIZE(layout, area_bytes, "vm_area_struct"),
    VT_FIELD_BARE_OPTIONAL(layout, special_name, "vm_special_mapping", "name"),
    VT_FIELD_BARE_OPTIONAL(layout, anon_text, "anon_vma_name", "name"),
    VT_FIELD_BARE(layout, inode, "file", "f_inode"),
    VT_FIELD_BARE(layout, path, "file", "f_path"),
    VT_FIELD_SIZE_OPTIONAL(layout, shadow_stack, "thread_shstk"),
    VT_FIELD_ENUM_OPTIONAL(layout, shadow_bit, "VMA_SHADOW_STACK_BIT"),
    VT_FIELD_ENUM_OPTIONAL(layout, minor_bit, "VMA_UFFD_MINOR_BIT"),
    VT_FIELD_ENUM_OPTIONAL(layout, sealed_bit, "VMA_SEALED_BIT"),
    VT_FIELD_ENUM_OPTIONAL(layout, droppable_bit, "VMA_DROPPABLE_BIT"),
    VT_FIELD_ENUM_OPTIONAL(layout, guard_bit, "VMA_MAYBE_GUARD_BIT"),
};
#undef layout
static const struct vt_layout_type type = {.bytes = sizeof(struct vt_areas_layout),
                                           .specs = specs,
                                           .n_specs = sizeof specs / sizeof specs[0]};

/* ---------------------------------------------------------------- once a walk */

/* By bit; those above 36 have moved and are filled in. (fs/proc/task_mmu.c: show_smap_vma_flags) */
static const char words[37][3] = {
    "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "um", "pf", "dw", "uw",
    "lo", "io", "sr", "rr", "dc", "de", "lf", "ac", "nr", "ht", "sf", "ar", "wf",
    "dd", "sd", "mm", "hg", "nh", "mg", "",   "",   "",   "",   "",
};

static void set_word(struct vt_areas *a, const struct vt_member *bit, unsigned fallback,
                     const char *word)
{
    uint32_t at = bit->size != 0 ? bit->offset : fallback;
    if (at < 64) {
        snprintf(a->words[at], sizeof a->words[at], "%s", word);
    }
}

static void fill_words(struct vt_areas *a)
{
    const struct vt_areas_layout *l = a->l;
    bool shadow = l->shadow_stack.size != 0;
    memcpy(a->words, words, sizeof words);
    /* Where bits have names the kernel's types tell them; before, they were macros: shadow stacks
     * came with bit 37 and pushed the one that was there. */
    set_word(a, &l->minor_bit, shadow ? 38 : 37, "ui");
    if (shadow) {
        set_word(a, &l->shadow_bit, 37, "ss");
    }
    set_word(a, &l->sealed_bit, 63, "sl");
    set_word(a, &l->droppable_bit, 40, "dp");
    if (l->guard_bit.size != 0) {
        set_word(a, &l->guard_bit, 11, "gu");
    }
}

static uint64_t symbol(const struct vt_kernel *kernel, const char *name)
{
    struct vt_gva at;
    return vt_kernel_own_symbol(kernel, name, &at) ? at.v : 0;
}

static int areas_init(struct vt_areas *a, struct vt_walk *walk, struct vt_error *err)
{
    const struct vt_areas_layout *l;
    *a = (struct vt_areas){.kernel = walk->kernel};
    int rc = vt_layout_take(walk->kernel, &type, &l, err);
    if (rc == 0 && l->tree.size != 0) {
        rc = vt_maple_layout(walk->kernel, &a->maple_layout, err);
        a->maple = malloc(sizeof *a->maple);
        if (rc == 0 && a->maple == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "areas: out of memory");
        }
    } else if (rc == 0 && (l->mmap.size == 0 || l->next.size == 0 || l->prev.size == 0)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "mm_struct has neither mm_mt nor mmap");
    }
    if (rc == 0) {
        rc = vt_path_take(walk->kernel, &a->paths, err);
    }
    if (rc != 0) {
        return rc;
    }
    a->l = l;
    if (vt_linux_page_layout(walk->kernel, &a->pages, NULL) != 0) {
        a->pages.bytes = 0;
    }
    fill_words(a);
    a->saved_dirty = l->shadow_stack.size != 0;
    a->special_ops = symbol(walk->kernel, "special_mapping_vmops");
    uint64_t mode_at = symbol(walk->kernel, "vsyscall_mode");
    uint32_t mode;
    enum { VSYSCALL_NONE = 2 };
    if (mode_at != 0 && vt_space_read_u32(walk->space, VT_GVA(mode_at), &mode, NULL) == 0 &&
        mode < VSYSCALL_NONE) {
        a->gate = symbol(walk->kernel, "gate_vma");
    }
    uint64_t swaps_at = symbol(walk->kernel, "nr_swapfiles");
    if (swaps_at == 0 || vt_space_read_u32(walk->space, VT_GVA(swaps_at), &a->swaps, NULL) != 0) {
        a->swaps = 0;
    }
    a->user_end = UINT64_C(1) << (walk->space->levels == 5 ? 56 : 47);
    a->tables_left = vt_ram_size(walk->kernel->ram) / VT_PAGE_BYTES;
    return 0;
}

static void areas_fini(struct vt_areas *a)
{
    free(a->maple);
    free(a->areas);
    free(a->runs);
    a->maple = NULL;
    a->areas = NULL;
    a->runs = NULL;
}

/* ---------------------------------------------------------------- which areas */

static int add(struct vt_areas *a, struct vt_area area, struct vt_error *err)
{
    if (a->n == a->room) {
        size_t room = a->room == 0 ? 256 : 2 * a->room;
        struct vt_area *more = realloc(a->areas, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "areas: out of memory");
        }
        a->areas = more;
        a->room = room;
    }
    a->areas[a->n++] = area;
    return 0;
}

static int collect_tree(struct vt_areas *a, const struct vt_walk *walk, char why[160],
                        struct vt_error *err)
{
    struct vt_maple_entry e;
    int rc = 0;
    vt_maple_begin(a->maple, walk->space, &a->maple_layout, VT_GVA(a->mm.v + a->l->tree.offset),
                   vt_walk_cap(walk, VT_MAPLE_NODE_BYTES, SIZE_MAX));
    while (rc == 0 && vt_maple_next(a->maple, &e)) {
        if (!vt_maple_is_reserved(e.value)) { /* marks are left by a fork under way */
            rc =
                add(a, (struct vt_area){.at = VT_GVA(e.value), .start = e.first, .end = e.last + 1},
                    err);
        }
    }
    memcpy(why, a->maple->why, sizeof a->maple->why);
    return rc;
}

/* Areas ascend, so the list cannot lead back: one that does not is its end. */
static int collect_list(struct vt_areas *a, const struct vt_walk *walk, uint64_t first,
                        char why[160], struct vt_error *err)
{
    size_t cap = vt_walk_cap(walk, a->l->area_bytes.size, SIZE_MAX);
    uint64_t before = 0, reached = 0;
    struct vt_object o;
    int rc = 0;
    for (uint64_t at = first; at != 0 && rc == 0;) {
        if (vt_object_read(walk->space, VT_GVA(at), a->l->area, &o, NULL) != 0) {
            snprintf(why, 160, "the link to area 0x%" PRIx64 " leads nowhere", at);
            break;
        }
        struct vt_area area = {.at = VT_GVA(at),
                               .start = vt_object_uint(&o, &a->l->start),
                               .end = vt_object_uint(&o, &a->l->end),
                               .broken_link = vt_object_uint(&o, &a->l->prev) != before};
        if (area.start < reached || area.end <= area.start || a->n >= cap) {
            snprintf(why, 160, "area 0x%" PRIx64 " does not lie behind the one before it", at);
            break;
        }
        reached = area.end;
        before = at;
        at = vt_object_uint(&o, &a->l->next);
        rc = add(a, area, err);
    }
    return rc;
}

/* One look at the mm and its areas; a non-empty `why`: something was not in order. */
static int collect(struct vt_areas *a, const struct vt_walk *walk, char why[160],
                   struct vt_error *err)
{
    struct vt_object mm;
    a->n = 0;
    why[0] = '\0';
    if (vt_object_read(walk->space, a->mm, a->l->mm, &mm, NULL) != 0) {
        snprintf(why, 160, "the mm at 0x%" PRIx64 " cannot be read", a->mm.v);
        return 0;
    }
    if (vt_object_uint(&mm, &a->l->users) == 0) {
        return 0; /* the process ended, its areas are being taken away */
    }
    a->brk = vt_object_uint(&mm, &a->l->brk);
    a->start_brk = vt_object_uint(&mm, &a->l->start_brk);
    a->start_stack = vt_object_uint(&mm, &a->l->start_stack);
    uint64_t count = vt_object_uint(&mm, &a->l->map_count);
    int rc = a->maple != NULL ? collect_tree(a, walk, why, err)
                              : collect_list(a, walk, vt_object_uint(&mm, &a->l->mmap), why, err);
    if (rc == 0 && why[0] == '\0' && a->n != count) {
        snprintf(why, 160, "%zu areas were found where the kernel counts %" PRIu64, a->n, count);
    }
    enum { HAS_VSYSCALL = 2 };
    if (rc == 0 && a->gate != 0 &&
        (vt_object_uint(&mm, &a->l->context_flags) & HAS_VSYSCALL) != 0) {
        struct vt_area gate = {.at = VT_GVA(a->gate)};
        if (vt_space_read_u64(walk->space, VT_GVA(a->gate + a->l->start.offset), &gate.start,
                              NULL) == 0 &&
            vt_space_read_u64(walk->space, VT_GVA(a->gate + a->l->end.offset), &gate.end, NULL) ==
                0) {
            rc = add(a, gate, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- what is in memory */

#define ENTRY_DIRTY (UINT64_C(1) << 6)
#define ENTRY_PROTNONE (UINT64_C(1) << 8)
#define ENTRY_SPECIAL (UINT64_C(1) << 9)
#define ENTRY_SAVED_DIRTY (UINT64_C(1) << 58)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)
#define SWAP_TYPE_SHIFT 59

/* Of one process: more than any sensible one has; it bounds memory. */
#define RUNS_MAX ((size_t)1 << 20)

struct counting {
    struct vt_areas *a;
    size_t i;
    struct vt_error *err;
};

/* A resident page: the end of the area's last run, or a run of its own. */
static int add_to_runs(struct vt_areas *a, struct vt_area *area, struct vt_page_run page,
                       struct vt_error *err)
{
    struct vt_page_run *last = area->n_runs > 0 ? &a->runs[a->n_runs - 1] : NULL;
    if (last != NULL && last->gva.v + last->bytes == page.gva.v &&
        last->gpa.v + last->bytes == page.gpa.v) {
        last->bytes += page.bytes;
        last->flags &= page.flags;
        return 0;
    }
    if (a->n_runs == RUNS_MAX) {
        return VT_E_LIMIT;
    }
    if (a->n_runs == a->runs_room) {
        size_t room = a->runs_room == 0 ? 256 : 2 * a->runs_room;
        struct vt_page_run *more = realloc(a->runs, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "areas: out of memory");
        }
        a->runs = more;
        a->runs_room = room;
    }
    assert(a->runs != NULL); /* room > n */
    if (area->n_runs++ == 0) {
        area->first_run = a->n_runs;
    }
    a->runs[a->n_runs++] = page;
    return 0;
}

/* Whether a page of a private file area is the process's own by now. */
static bool is_anonymous(const struct vt_areas *a, uint64_t gpa)
{
    uint8_t page[256]; /* vt_linux_page_layout allows no more */
    struct vt_page_reading r = {.l = &a->pages, .first = gpa >> VT_PAGE_SHIFT};
    return a->pages.bytes != 0 &&
           vt_space_read(&a->kernel->space, VT_GVA(a->pages.vmemmap + r.first * a->pages.bytes),
                         page, a->pages.bytes, NULL) == 0 &&
           vt_page_kind(&r, 0, page) == VT_LINUX_PAGE_ANON;
}

static int count(const struct vt_table_entry *e, void *arg)
{
    struct counting *c = arg;
    struct vt_areas *a = c->a;
    while (c->i < a->n && a->areas[c->i].end <= e->gva.v) {
        c->i++;
    }
    bool hidden = e->kind == VT_ENTRY_ABSENT && (e->value & ENTRY_PROTNONE) != 0;
    if (c->i == a->n || a->areas[c->i].start > e->gva.v ||
        (e->kind != VT_ENTRY_PAGE && e->kind != VT_ENTRY_ABSENT)) {
        return 0;
    }
    struct vt_area *area = &a->areas[c->i];
    uint64_t bytes = VT_PAGE_BYTES << (9 * (e->level - 1));
    if (e->kind == VT_ENTRY_ABSENT && !hidden) {
        if (e->level == 1 && e->value >> SWAP_TYPE_SHIFT < a->swaps) {
            area->swapped_bytes += bytes;
        }
        return 0;
    }
    if (e->level == 1 && (e->value & ENTRY_SPECIAL) != 0) {
        return 0; /* the page of zeros, or no page of RAM */
    }
    if (area->resident_bytes == 0) {
        area->first_resident = e->gva.v;
    }
    area->resident_bytes += bytes;
    bool dirty =
        (e->value & ENTRY_DIRTY) != 0 || (a->saved_dirty && (e->value & ENTRY_SAVED_DIRTY) != 0);
    area->dirty_bytes += dirty ? bytes : 0;
    struct vt_page_run page = {.gva = e->gva,
                               .gpa = vt_entry_mapping(e).gpa,
                               .bytes = bytes,
                               .flags = e->flags & ~(hidden ? (unsigned)VT_PAGE_PRESENT : 0)};
    if (hidden) { /* addresses are inverted, so that speculation meets no RAM */
        page.gpa = VT_GPA(~e->value & ENTRY_ADDRESS & ~(bytes - 1));
    }
    int rc = add_to_runs(a, area, page, c->err);
    if (rc != 0) {
        return rc;
    }
    if ((area->flags & VT_AREA_EXEC) != 0 && (area->of_file || area->of_kernel) && !hidden &&
        e->level == 1 && is_anonymous(a, page.gpa.v)) {
        if (area->changed_bytes == 0) {
            area->first_changed = e->gva.v;
        }
        area->changed_bytes += bytes;
    }
    return 0;
}

struct bounded {
    struct counting counting;
    uint64_t tables;
};

static int count_bounded(const struct vt_table_entry *e, void *arg)
{
    struct bounded *b = arg;
    b->tables += e->kind == VT_ENTRY_TABLE;
    return count(e, &b->counting);
}

static int areas_take(struct vt_areas *a, struct vt_walk *walk, const struct vt_task *task,
                      struct vt_error *err)
{
    char why[160] = "";
    struct vt_space space;
    a->n = 0;
    a->n_runs = 0;
    a->mm = task->mm;
    if (task->mm.v == 0) {
        return 0;
    }
    int rc = 0;
    for (int i = 0; i < TRIES && rc == 0 && (i == 0 || why[0] != '\0'); i++) {
        rc = collect(a, walk, why, err);
    }
    if (rc == 0) {
        rc = vt_linux_task_space(a->kernel, task, &space, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (why[0] != '\0') {
        vt_walk_torn(walk, "process %" PRId32 ": %.130s", task->pid, why);
    }
    for (size_t i = 0; i < a->n; i++) {
        struct vt_object o;
        if (vt_object_read(walk->space, a->areas[i].at, a->l->area, &o, NULL) == 0) {
            uint64_t ops = vt_object_uint(&o, &a->l->ops);
            a->areas[i].flags = vt_object_uint(&o, &a->l->flags);
            a->areas[i].of_file = vt_object_uint(&o, &a->l->file) != 0;
            a->areas[i].of_kernel =
                ops != 0 && ops == a->special_ops && a->l->special_name.size != 0;
        }
    }
    struct bounded b = {.counting = {.a = a, .err = err}};
    rc = vt_space_entries(&space, VT_GVA(0), VT_GVA(a->user_end), a->tables_left, count_bounded, &b,
                          err);
    a->tables_left -= b.tables < a->tables_left ? b.tables : a->tables_left;
    if (rc == VT_E_LIMIT || rc == VT_E_ADDR) {
        vt_walk_torn(walk, "process %" PRId32 ": the page tables are no tables of a process",
                     task->pid);
        rc = 0;
    }
    return rc;
}

/* ---------------------------------------------------------------- one area */

static const char *named(struct vt_areas *a, const char *what, struct vt_look *look, uint64_t name)
{
    char text[80 + 1]; /* ANON_VMA_NAME_MAX_LEN */
    vt_look_text(look, VT_GVA(name + a->l->anon_text.offset), text, sizeof text);
    snprintf(a->name, sizeof a->name, "[%s:%s]", what, text);
    return a->name;
}

/* What stands where a name would: a file's path, or what the kernel uses the memory for. */
static const char *read_name(struct vt_areas *a, struct vt_walk *walk, const struct vt_area *area,
                             const struct vt_object *o)
{
    struct vt_look *look = &walk->look;
    const struct vt_areas_layout *l = a->l;
    uint64_t file = vt_object_uint(o, &l->file), name = vt_object_uint(o, &l->anon_name);
    if (l->anon_text.offset == 0) {
        name = 0;
    }
    if (file != 0) {
        /* Where the name shares its place with what files need, it is no name here. */
        if (name != 0 && l->anon_name.offset != l->shared.offset) {
            return named(a, "anon_shmem", look, name);
        }
        struct vt_path path = vt_path_read(look, a->paths, VT_GVA(file + l->path.offset));
        return vt_path_text(look, a->kernel, a->paths, path, NULL, a->name, NULL);
    }
    if (area->at.v == a->gate) {
        return "[vsyscall]";
    }
    if (area->of_kernel) {
        uint64_t text =
            vt_look_u64(look, VT_GVA(vt_object_uint(o, &l->private) + l->special_name.offset));
        vt_look_text(look, VT_GVA(text), a->name, 64);
        return a->name;
    }
    if (area->start < a->brk && area->end > a->start_brk) {
        return "[heap]";
    }
    if (area->start <= a->start_stack && area->end >= a->start_stack) {
        return "[stack]";
    }
    return name != 0 ? named(a, "anon", look, name) : "";
}

static void write_flags(const struct vt_areas *a, uint64_t flags, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < 64 && n + 4 <= size; i++) {
        if ((flags >> i & 1) != 0 && a->words[i][0] != '\0') {
            n += (size_t)snprintf(text + n, size - n, "%s%s", n > 0 ? " " : "", a->words[i]);
        }
    }
}

void vt_area_read(struct vt_areas *a, struct vt_walk *walk, const struct vt_task *task, size_t i,
                  struct vt_map *row)
{
    struct vt_look *look = &walk->look;
    const struct vt_areas_layout *l = a->l;
    const struct vt_area *area = &a->areas[i];
    struct vt_object o;
    *row = (struct vt_map){.row.at = area->at,
                           .pid = task->pid,
                           .start = VT_GVA(area->start),
                           .end = VT_GVA(area->end),
                           .device = "00:00",
                           .resident_bytes = area->resident_bytes,
                           .dirty_bytes = area->dirty_bytes,
                           .swapped_bytes = area->swapped_bytes,
                           .runs = area->n_runs > 0 ? &a->runs[area->first_run] : NULL,
                           .n_runs = area->n_runs};
    a->name[0] = '\0';
    if (area->broken_link) {
        vt_look_doubt(look, "its link is not symmetric");
    }
    if (!vt_look_object(look, area->at, l->area, &o)) {
        return;
    }
    bool gate = area->at.v == a->gate;
    if (vt_object_uint(&o, &l->start) != area->start || vt_object_uint(&o, &l->end) != area->end ||
        (!gate && vt_object_uint(&o, &l->area_mm) != a->mm.v)) {
        vt_look_doubt(look, "it is not the area that was listed");
        return;
    }
    uint64_t flags = vt_object_uint(&o, &l->flags), file = vt_object_uint(&o, &l->file);
    row->perms[0] = flags & VT_AREA_READ ? 'r' : '-';
    row->perms[1] = flags & VT_AREA_WRITE ? 'w' : '-';
    row->perms[2] = flags & VT_AREA_EXEC ? 'x' : '-';
    row->perms[3] = flags & VT_AREA_MAYSHARE ? 's' : 'p';
    write_flags(a, flags, row->flags, sizeof row->flags);
    row->anon = vt_object_uint(&o, &l->anon_vma) != 0;
    if (file != 0) {
        row->offset = vt_object_uint(&o, &l->pgoff) << VT_PAGE_SHIFT;
        struct vt_inode inode;
        vt_inode_read(look, a->paths, VT_GVA(vt_look_member(look, VT_GVA(file), &l->inode)),
                      &inode);
        row->inode = inode.number;
        snprintf(row->device, sizeof row->device, "%02x:%02x", vt_device_major(inode.device),
                 vt_device_minor(inode.device));
    }
    const char *name = read_name(a, walk, area, &o);
    row->name = name[0] != '\0' ? name : NULL;
}

int vt_areas_walk(struct vt_walk *w, vt_area_fn *fn, struct vt_error *err)
{
    struct vt_task_list tasks;
    int rc = vt_walk_tasks(w, &tasks, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_areas *areas = malloc(sizeof *areas);
    rc = areas != NULL ? areas_init(areas, w, err)
                       : vt_fail(err, VT_E_NOMEM, "areas: out of memory");
    for (size_t i = 0; i < tasks.n && rc == 0; i++) {
        rc = areas_take(areas, w, &tasks.tasks[i], err);
        for (size_t k = 0; rc == 0 && k < areas->n; k++) {
            rc = fn(areas, w, &tasks.tasks[i], k, err);
        }
    }
    if (areas != NULL) {
        areas_fini(areas);
    }
    free(areas);
    vt_task_list_fini(&tasks);
    return rc;
}
