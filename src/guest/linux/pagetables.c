/* guest/linux/pagetables.c - page tables as ranges, and one address level by level. See
 * vitrine/linux.h and pagetables.h.
 *
 *   decode    what Linux means by an entry
 *   gather    all entries, neighbours that say the same put together; twice, and compared
 *   steps     the way of one address
 */
#include "guest/linux/pagetables.h"

#include "guest/linux/noun.h"
#include "guest/linux/pages.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))
#define ENTRY_PWT BIT(3)
#define ENTRY_PCD BIT(4)
#define ENTRY_ACCESSED BIT(5)
#define ENTRY_DIRTY BIT(6)
#define ENTRY_PAT_4K BIT(7) /* that of larger pages is bit 12 */
#define ENTRY_LARGE BIT(7)
#define ENTRY_GLOBAL BIT(8)
#define ENTRY_PROTNONE BIT(8) /* with the present bit clear */
#define ENTRY_SOFT_DIRTY BIT(11)
#define ENTRY_PAT_LARGE BIT(12)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)
#define PK_SHIFT 59
/* Swap entries: a type in the top 5 bits, the offset inverted in those down to bit 9. */
#define SWAP_TYPE_SHIFT 59
#define SWAP_OFFSET_UP 5
#define SWAP_OFFSET_DOWN 14

/* ---------------------------------------------------------------- entries */

struct vt_entry_decoded vt_entry_decode(const struct vt_table_entry *e, uint32_t swaps)
{
    uint64_t page = ~((VT_PAGE_BYTES << (9 * (e->level - 1))) - 1);
    struct vt_entry_decoded d = {.use = VT_ENTRY_MAPS};
    switch (e->kind) {
    case VT_ENTRY_PAGE:
        d.physical = e->value & ENTRY_ADDRESS & page;
        break;
    case VT_ENTRY_TABLE:
    case VT_ENTRY_OUTSIDE:
        d.use = e->kind == VT_ENTRY_TABLE ? VT_ENTRY_LEADS : VT_ENTRY_NOWHERE;
        d.physical = e->value & ENTRY_ADDRESS;
        break;
    case VT_ENTRY_RESERVED:
        d.use = VT_ENTRY_FAULTS;
        break;
    case VT_ENTRY_ABSENT:
        if (e->value == 0) {
            d.use = VT_ENTRY_EMPTY;
        } else if ((e->value & ENTRY_PROTNONE) != 0) {
            /* Addresses are inverted, so that speculation past the present bit meets no RAM. */
            d.use = VT_ENTRY_PROTNONE;
            d.physical = ~e->value & ENTRY_ADDRESS & page;
        } else {
            d.swap_type = (uint32_t)(e->value >> SWAP_TYPE_SHIFT);
            d.swap_offset = ~e->value << SWAP_OFFSET_UP >> SWAP_OFFSET_DOWN;
            d.use = e->level == 1 && d.swap_type < swaps ? VT_ENTRY_SWAPPED : VT_ENTRY_KEPT;
        }
        break;
    }
    return d;
}

const char *vt_entry_use_name(enum vt_entry_use use)
{
    static const char *const names[] = {"page",    "table",    "protnone", "swap",
                                        "special", "reserved", "outside",  "empty"};
    return names[use];
}

static void append(char *text, size_t size, const char *word)
{
    size_t n = strlen(text);
    snprintf(text + n, size - n, "%s%s", n > 0 ? " " : "", word);
}

void vt_entry_flags(const struct vt_table_entry *e, bool combined, char *text, size_t size)
{
    bool page = e->kind == VT_ENTRY_PAGE;
    text[0] = '\0';
    if (e->kind == VT_ENTRY_ABSENT) {
        return;
    }
    unsigned own = ((e->value & BIT(1)) != 0 ? (unsigned)VT_PAGE_WRITE : 0) |
                   ((e->value & BIT(2)) != 0 ? (unsigned)VT_PAGE_USER : 0) |
                   ((e->value & BIT(63)) != 0 ? (unsigned)VT_PAGE_NX : 0);
    unsigned flags = combined ? e->flags : own;
    append(text, size, "P");
    if ((flags & VT_PAGE_WRITE) != 0) {
        append(text, size, "W");
    }
    if ((flags & VT_PAGE_USER) != 0) {
        append(text, size, "U");
    }
    if (page && (e->value & ENTRY_GLOBAL) != 0) {
        append(text, size, "G");
    }
    if ((flags & VT_PAGE_NX) != 0) {
        append(text, size, "NX");
    }
    if ((e->value & ENTRY_PWT) != 0) {
        append(text, size, "PWT");
    }
    if ((e->value & ENTRY_PCD) != 0) {
        append(text, size, "PCD");
    }
    if (page && (e->value & (e->level == 1 ? ENTRY_PAT_4K : ENTRY_PAT_LARGE)) != 0) {
        append(text, size, "PAT");
    }
    unsigned key = (unsigned)(e->value >> PK_SHIFT) & 15;
    if (page && key != 0 && (flags & VT_PAGE_USER) != 0) {
        char word[8];
        snprintf(word, sizeof word, "PK%u", key);
        append(text, size, word);
    }
}

/* ---------------------------------------------------------------- ranges */

/* More than any sensible tables have; it bounds memory. */
#define RANGES_MAX ((size_t)1 << 18)

struct range {
    struct vt_table_entry first;
    struct vt_entry_decoded is;
    uint64_t end, pages; /* end: of the address space, as a number without sign */
    uint64_t accessed, dirty, soft_dirty;
    uint64_t told; /* bits that neighbours have in common */
    bool scattered;
};

struct gathering {
    struct range *ranges;
    size_t n, room;
    uint64_t tables;
    uint32_t swaps;
    struct vt_error *err;
};

/* What two entries must agree in to be one range. */
static uint64_t key_of(const struct vt_table_entry *e)
{
    uint64_t bits = ENTRY_PWT | ENTRY_PCD | ENTRY_GLOBAL;
    if (e->kind != VT_ENTRY_PAGE) {
        return 0;
    }
    bits |= e->level == 1 ? ENTRY_PAT_4K : ENTRY_PAT_LARGE;
    if ((e->flags & VT_PAGE_USER) != 0) {
        bits |= UINT64_C(15) << PK_SHIFT;
    }
    return e->value & bits;
}

static unsigned permissions(const struct vt_table_entry *e)
{
    return e->flags & (unsigned)(VT_PAGE_WRITE | VT_PAGE_USER | VT_PAGE_NX);
}

static bool continues(const struct range *r, const struct vt_table_entry *e,
                      const struct vt_entry_decoded *is)
{
    return r->end == e->gva.v && r->first.level == e->level && r->is.use == is->use &&
           (e->kind == VT_ENTRY_ABSENT || permissions(&r->first) == permissions(e)) &&
           r->told == key_of(e) && r->is.swap_type == is->swap_type;
}

static int gather(const struct vt_table_entry *e, void *arg)
{
    struct gathering *g = arg;
    uint64_t bytes = VT_PAGE_BYTES << (9 * (e->level - 1));
    if (e->kind == VT_ENTRY_TABLE) {
        g->tables++;
        return 0;
    }
    struct vt_entry_decoded is = vt_entry_decode(e, g->swaps);
    struct range *r = g->n > 0 ? &g->ranges[g->n - 1] : NULL;
    if (r == NULL || !continues(r, e, &is)) {
        if (g->n == RANGES_MAX) {
            return VT_E_LIMIT;
        }
        if (g->n == g->room) {
            size_t room = g->room == 0 ? 256 : 2 * g->room;
            struct range *more = realloc(g->ranges, room * sizeof *more);
            if (more == NULL) {
                return vt_fail(g->err, VT_E_NOMEM, "page tables: out of memory");
            }
            g->ranges = more;
            g->room = room;
        }
        assert(g->ranges != NULL); /* room > n */
        r = &g->ranges[g->n++];
        *r = (struct range){.first = *e, .is = is, .end = e->gva.v, .told = key_of(e)};
    }
    /* A page's neighbour lies behind it in RAM, or in the swap area. */
    uint64_t done = r->end - r->first.gva.v;
    bool present = is.use == VT_ENTRY_MAPS || is.use == VT_ENTRY_PROTNONE;
    r->scattered |= present && is.physical != r->is.physical + done;
    r->scattered |=
        is.use == VT_ENTRY_SWAPPED && is.swap_offset != r->is.swap_offset + done / VT_PAGE_BYTES;
    r->end += bytes;
    r->pages++;
    r->accessed += present && (e->value & ENTRY_ACCESSED) != 0;
    r->dirty += present && (e->value & ENTRY_DIRTY) != 0;
    r->soft_dirty += present && (e->value & ENTRY_SOFT_DIRTY) != 0;
    return 0;
}

static bool same(const struct range *a, const struct range *b)
{
    return a->first.gva.v == b->first.gva.v && a->end == b->end &&
           a->first.level == b->first.level && a->is.use == b->is.use &&
           a->is.physical == b->is.physical && a->scattered == b->scattered && a->told == b->told &&
           permissions(&a->first) == permissions(&b->first);
}

static int tell(struct vt_walk *w, const struct range *r, uint64_t direct_map, bool steady)
{
    struct vt_page_range row = {
        .row.at = VT_GVA(direct_map + r->first.at.v),
        .pid = w->query.pid,
        .start = r->first.gva,
        .end = VT_GVA(r->end),
        .bytes = r->end - r->first.gva.v,
        .what = vt_entry_use_name(r->is.use),
        .level = r->first.level,
        .page_bytes = VT_PAGE_BYTES << (9 * (r->first.level - 1)),
        .accessed_pages = r->accessed,
        .dirty_pages = r->dirty,
        .soft_dirty_pages = r->soft_dirty,
        .scattered = r->scattered,
        .physical = VT_GPA(UINT64_MAX),
    };
    vt_look_begin(&w->look);
    if (!steady) {
        vt_look_doubt(&w->look, "the tables changed while they were read");
    }
    switch (r->is.use) {
    case VT_ENTRY_MAPS:
    case VT_ENTRY_PROTNONE:
    case VT_ENTRY_NOWHERE:
        row.physical = VT_GPA(r->is.physical);
        break;
    case VT_ENTRY_SWAPPED:
    case VT_ENTRY_KEPT:
        snprintf(row.swap, sizeof row.swap, "%" PRIu32 ":0x%" PRIx64, r->is.swap_type,
                 r->is.swap_offset);
        break;
    default:
        break;
    }
    vt_entry_flags(&r->first, true, row.flags, sizeof row.flags);
    return vt_walk_row(w, &row.row);
}

static int gather_all(struct vt_walk *w, const struct vt_space *space, struct gathering *g,
                      struct vt_error *err)
{
    g->n = 0;
    g->tables = 0;
    g->err = err;
    int rc = vt_space_entries(space, VT_GVA(0), VT_GVA(0),
                              vt_ram_size(w->kernel->ram) / VT_PAGE_BYTES + 1, gather, g, err);
    if (rc == VT_E_LIMIT) {
        vt_walk_torn(w, "%s",
                     g->n == RANGES_MAX ? "more ranges than page tables can sensibly have"
                                        : "more page tables than RAM has pages");
        rc = 0;
    }
    return rc;
}

static int find_space(struct vt_kernel *kernel, struct vt_walk *w, struct vt_space *space,
                      struct vt_error *err)
{
    struct vt_task_list tasks;
    *space = kernel->space;
    if (w->query.pid == 0) {
        return 0;
    }
    int rc = vt_walk_tasks(w, &tasks, err);
    if (rc == 0) {
        rc = vt_linux_task_space(kernel, &tasks.tasks[0], space, err);
        vt_task_list_fini(&tasks);
    }
    return rc;
}

static uint32_t swap_areas(const struct vt_kernel *kernel)
{
    struct vt_gva at;
    uint32_t n;
    return vt_kernel_own_symbol(kernel, "nr_swapfiles", &at) &&
                   vt_space_read_u32(&kernel->space, at, &n, NULL) == 0
               ? n
               : 0;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct vt_space space;
    struct gathering before = {.swaps = swap_areas(w->kernel)}, now = before;
    int rc = find_space(w->kernel, w, &space, err);
    if (rc == 0) {
        rc = gather_all(w, &space, &before, err);
    }
    if (rc == 0) {
        rc = gather_all(w, &space, &now, err);
    }
    uint64_t direct_map = vt_linux_direct_map(w->kernel);
    size_t k = 0;
    for (size_t i = 0; i < now.n && rc == 0; i++) {
        /* Without its sign the address space is one ascending run; both are in that order. */
        while (k < before.n && before.ranges[k].first.gva.v < now.ranges[i].first.gva.v) {
            k++;
        }
        rc = tell(w, &now.ranges[i], direct_map,
                  k < before.n && same(&before.ranges[k], &now.ranges[i]));
    }
    free(before.ranges);
    free(now.ranges);
    return rc;
}

/* ---------------------------------------------------------------- one address */

int vt_linux_page_steps(struct vt_kernel *kernel, const struct vt_space *space, struct vt_gva gva,
                        struct vt_page_step steps[VT_LEVELS_MAX], unsigned *n, struct vt_error *err)
{
    static const char *const names[] = {"PT", "PD", "PDPT", "PML4", "PML5"};
    struct vt_table_entry entries[VT_LEVELS_MAX];
    uint32_t swaps = swap_areas(kernel);
    int rc = vt_space_trace(space, gva, entries, n, err);
    for (unsigned i = 0; rc == 0 && i < *n; i++) {
        const struct vt_table_entry *e = &entries[i];
        struct vt_entry_decoded d = vt_entry_decode(e, swaps);
        struct vt_page_step *s = &steps[i];
        *s = (struct vt_page_step){.level = names[e->level - 1],
                                   .index = (uint32_t)(e->at.v % VT_PAGE_BYTES / 8),
                                   .entry = e->at,
                                   .value = e->value,
                                   .what = vt_entry_use_name(d.use),
                                   .leads_to = VT_GPA(UINT64_MAX)};
        vt_entry_flags(e, false, s->flags, sizeof s->flags);
        if (e->kind != VT_ENTRY_ABSENT && (e->value & ENTRY_ACCESSED) != 0) {
            append(s->flags, sizeof s->flags, "A");
        }
        if (e->kind == VT_ENTRY_PAGE && (e->value & ENTRY_DIRTY) != 0) {
            append(s->flags, sizeof s->flags, "D");
        }
        if (e->kind == VT_ENTRY_PAGE && e->level > 1 && (e->value & ENTRY_LARGE) != 0) {
            append(s->flags, sizeof s->flags, "PS");
        }
        if (e->kind == VT_ENTRY_PAGE && (e->value & ENTRY_SOFT_DIRTY) != 0) {
            append(s->flags, sizeof s->flags, "soft-dirty");
        }
        if (d.use == VT_ENTRY_SWAPPED || d.use == VT_ENTRY_KEPT) {
            snprintf(s->swap, sizeof s->swap, "%" PRIu32 ":0x%" PRIx64, d.swap_type, d.swap_offset);
        } else if (d.use != VT_ENTRY_EMPTY && d.use != VT_ENTRY_FAULTS) {
            uint64_t inside = gva.v - e->gva.v;
            bool page = d.use == VT_ENTRY_MAPS || d.use == VT_ENTRY_PROTNONE;
            s->leads_to = VT_GPA(d.physical + (page ? inside : 0));
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- columns */

#define RANGE(member, kind, key, title, doc)                                                       \
    {VT_COLUMN(vt_page_range, member, kind, key, title, doc)}
#define STEP(member, kind, key, title, doc) {VT_COLUMN(vt_page_step, member, kind, key, title, doc)}

const struct vt_column vt_page_range_columns[VT_PAGE_RANGE_COLUMNS] = {
    RANGE(start, VT_CELL_HEX, "start", "START", "first virtual address"),
    RANGE(end, VT_CELL_HEX, "end", "END", "one past the last; 0x0: the end of all addresses"),
    RANGE(bytes, VT_CELL_BYTES, "bytes", "SIZE", "of the range"),
    {VT_COLUMN(vt_page_range, physical, VT_CELL_HEX, "physical", "PHYSICAL",
               "where its first page lies, guest-physically; of a table outside RAM: that"),
     .ones_are_none = true},
    RANGE(scattered, VT_CELL_BOOL, "scattered", "SCATTERED",
          "its pages do not lie one behind the other"),
    RANGE(page_bytes, VT_CELL_BYTES, "page_bytes", "PAGES", "size of a page"),
    RANGE(level, VT_CELL_U64, "level", NULL, "of the tables: 1 for pages of 4 KiB"),
    RANGE(accessed_pages, VT_CELL_U64, "accessed_pages", "ACCESSED",
          "entries whose accessed bit is set"),
    RANGE(dirty_pages, VT_CELL_U64, "dirty_pages", "DIRTY", "entries whose dirty bit is set"),
    RANGE(soft_dirty_pages, VT_CELL_U64, "soft_dirty_pages", NULL,
          "entries whose bit 11 is set: Linux's soft-dirty bit"),
    RANGE(swap, VT_CELL_CHARS, "swap", NULL, "type and offset of the first swap entry"),
    RANGE(pid, VT_CELL_I64, "pid", NULL, "process; 0: the kernel"),
    RANGE(what, VT_CELL_TEXT, "what", "WHAT",
          "page, protnone, swap, special, reserved; outside: a table not in RAM"),
    RANGE(flags, VT_CELL_CHARS, "flags", "FLAGS",
          "P W U G NX PWT PCD PAT PKn; permissions are those of all levels"),
};

const struct vt_column vt_page_step_columns[VT_PAGE_STEP_COLUMNS] = {
    STEP(level, VT_CELL_TEXT, "level", "LEVEL", "PML5, PML4, PDPT, PD, PT"),
    STEP(index, VT_CELL_U64, "index", "INDEX", "of the entry in its table"),
    STEP(entry, VT_CELL_HEX, "entry", "ENTRY", "where it lies, guest-physically"),
    STEP(value, VT_CELL_HEX, "value", "VALUE", "its bits"),
    {VT_COLUMN(vt_page_step, leads_to, VT_CELL_HEX, "leads_to", "LEADS TO",
               "the table of the next level, or the byte itself"),
     .ones_are_none = true},
    STEP(swap, VT_CELL_CHARS, "swap", NULL, "type and offset of a swap entry"),
    STEP(what, VT_CELL_TEXT, "what", "WHAT", "table, page, or why it ends here"),
    STEP(flags, VT_CELL_CHARS, "flags", "FLAGS", "the entry's own bits"),
};

const struct vt_noun vt_noun_pagetables = {
    .name = "pagetables",
    .member = "ranges",
    .summary = "Show page tables as ranges",
    .group = "Guest",
    .description =
        "The kernel's own page tables, or with --pid a process's. Neighbours with the same\n"
        "flags are one range. With --translate: the entries that lead to one address, from the\n"
        "root's table down.",
    .examples = "vitrine pagetables web\nvitrine pagetables web --pid 1\n"
                "vitrine pagetables web --translate init_task",
    .by_pid = true,
    .kernel_by_default = true,
    .columns = vt_page_range_columns,
    .n_columns = VT_PAGE_RANGE_COLUMNS,
    .walk = walk,
};
