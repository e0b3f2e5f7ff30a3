/* guest/linux/memory.c - how the kernel counts its pages: zones, and counters of all nodes
 * together. See vitrine/linux.h.
 *
 * CPUs keep small differences of their own and add them now and then; /proc/meminfo leaves them
 * out as well.
 */
#include "guest/linux/noun.h"

#include "guest/linux/slab.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- zones */

struct layout {
    struct vt_member node_zones, zone_bytes, node_id;
    struct vt_extent zone;
    struct vt_member name, start, managed, spanned, present, watermark, free;
    struct vt_member nr_free; /* NR_FREE_PAGES */
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, node_zones, "pglist_data", "node_zones"),
    VT_FIELD_BARE_OPTIONAL(layout, node_id, "pglist_data", "node_id"),
    VT_FIELD_SIZE(layout, zone_bytes, "zone"),
    VT_FIELD_BARE(layout, name, "zone", "name"),
    VT_FIELD_BARE(layout, start, "zone", "zone_start_pfn"),
    VT_FIELD_BARE(layout, managed, "zone", "managed_pages"),
    VT_FIELD_BARE(layout, spanned, "zone", "spanned_pages"),
    VT_FIELD_BARE(layout, present, "zone", "present_pages"),
    VT_FIELD_BARE(layout, watermark, "zone", "_watermark"),
    VT_FIELD_BARE(layout, free, "zone", "vm_stat"),
    VT_FIELD_ENUM_OPTIONAL(layout, nr_free, "NR_FREE_PAGES"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

#define ZONES_MAX 8u

static uint64_t counter(const struct vt_walk *w, uint64_t at)
{
    uint64_t value;
    return vt_space_read_u64(w->space, VT_GVA(at), &value, NULL) == 0 && (int64_t)value > 0 ? value
                                                                                            : 0;
}

static void read_zone(struct vt_walk *w, const struct layout *l, struct vt_gva at, uint32_t node,
                      struct vt_zone *row)
{
    struct vt_look *look = &w->look;
    *row = (struct vt_zone){.row.at = at, .node = node};
    vt_look_text(look, VT_GVA(vt_look_member(look, at, &l->name)), row->name, sizeof row->name);
    row->start = VT_GPA(vt_look_member(look, at, &l->start) << VT_PAGE_SHIFT);
    row->spanned_bytes = vt_look_member(look, at, &l->spanned) << VT_PAGE_SHIFT;
    row->present_bytes = vt_look_member(look, at, &l->present) << VT_PAGE_SHIFT;
    row->managed_bytes = vt_look_member(look, at, &l->managed) << VT_PAGE_SHIFT;
    for (unsigned i = 0; i < 3 && 8 * (i + 1) <= l->watermark.size; i++) {
        uint64_t mark = vt_look_u64(look, VT_GVA(at.v + l->watermark.offset + 8 * (uint64_t)i));
        *(i == 0   ? &row->min_bytes
          : i == 1 ? &row->low_bytes
                   : &row->high_bytes) = mark << VT_PAGE_SHIFT;
    }
    row->free_bytes = counter(w, at.v + l->free.offset + 8 * (uint64_t)l->nr_free.offset)
                      << VT_PAGE_SHIFT;
    if (row->managed_bytes > row->present_bytes || row->present_bytes > row->spanned_bytes) {
        vt_look_doubt(look, "more pages than it spans");
    }
}

static int walk_zones(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_gva data;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    bool nodes = vt_kernel_symbol(w->kernel, "node_data", &data, NULL) == 0;
    if (rc == 0 && !nodes) {
        rc = vt_kernel_symbol(w->kernel, "contig_page_data", &data, err);
    }
    unsigned n = nodes ? vt_slab_nodes(w->kernel) : 1;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint64_t node = data.v;
        if (nodes &&
            vt_space_read_u64(w->space, VT_GVA(data.v + 8 * (uint64_t)i), &node, NULL) != 0) {
            vt_walk_torn(w, "node %u cannot be read", i);
            continue;
        }
        uint32_t bytes = l->zone_bytes.size;
        for (uint32_t z = 0; node != 0 && rc == 0 && bytes != 0 && z < ZONES_MAX &&
                             (z + 1) * (uint64_t)bytes <= l->node_zones.size;
             z++) {
            struct vt_zone row;
            do {
                vt_look_begin(&w->look);
                read_zone(w, l, VT_GVA(node + l->node_zones.offset + z * (uint64_t)bytes), i, &row);
            } while (vt_look_again(&w->look));
            rc = vt_walk_row(w, &row.row);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- counters */

enum { COUNTERS = 23 };

struct counters {
    struct vt_member at[COUNTERS];
    struct vt_member zone_items;
};

static const struct vt_field_spec counter_specs[] = {
    VT_FIELD_ENUM_OPTIONAL(counters, zone_items, "NR_VM_ZONE_STAT_ITEMS"),
    {.slot = offsetof(struct counters, at[0]), .paths = {"NR_FREE_PAGES"}, .optional = true},
    {.slot = offsetof(struct counters, at[1]), .paths = {"NR_MLOCK"}, .optional = true},
    {.slot = offsetof(struct counters, at[2]), .paths = {"NR_ZSPAGES"}, .optional = true},
    {.slot = offsetof(struct counters, at[3]), .paths = {"NR_FREE_CMA_PAGES"}, .optional = true},
    {.slot = offsetof(struct counters, at[4]), .paths = {"NR_INACTIVE_ANON"}, .optional = true},
    {.slot = offsetof(struct counters, at[5]), .paths = {"NR_ACTIVE_ANON"}, .optional = true},
    {.slot = offsetof(struct counters, at[6]), .paths = {"NR_INACTIVE_FILE"}, .optional = true},
    {.slot = offsetof(struct counters, at[7]), .paths = {"NR_ACTIVE_FILE"}, .optional = true},
    {.slot = offsetof(struct counters, at[8]), .paths = {"NR_UNEVICTABLE"}, .optional = true},
    {.slot = offsetof(struct counters, at[9]),
     .paths = {"NR_SLAB_RECLAIMABLE_B"},
     .optional = true},
    {.slot = offsetof(struct counters, at[10]),
     .paths = {"NR_SLAB_UNRECLAIMABLE_B"},
     .optional = true},
    {.slot = offsetof(struct counters, at[11]), .paths = {"NR_ANON_MAPPED"}, .optional = true},
    {.slot = offsetof(struct counters, at[12]), .paths = {"NR_FILE_MAPPED"}, .optional = true},
    {.slot = offsetof(struct counters, at[13]), .paths = {"NR_FILE_PAGES"}, .optional = true},
    {.slot = offsetof(struct counters, at[14]), .paths = {"NR_FILE_DIRTY"}, .optional = true},
    {.slot = offsetof(struct counters, at[15]), .paths = {"NR_WRITEBACK"}, .optional = true},
    {.slot = offsetof(struct counters, at[16]), .paths = {"NR_SHMEM"}, .optional = true},
    {.slot = offsetof(struct counters, at[17]),
     .paths = {"NR_KERNEL_MISC_RECLAIMABLE"},
     .optional = true},
    {.slot = offsetof(struct counters, at[18]), .paths = {"NR_KERNEL_STACK_KB"}, .optional = true},
    {.slot = offsetof(struct counters, at[19]), .paths = {"NR_PAGETABLE"}, .optional = true},
    {.slot = offsetof(struct counters, at[20]),
     .paths = {"NR_SECONDARY_PAGETABLE"},
     .optional = true},
    {.slot = offsetof(struct counters, at[21]), .paths = {"NR_SWAPCACHE"}, .optional = true},
    {.slot = offsetof(struct counters, at[22]), .paths = {"NR_VMALLOC"}, .optional = true},
};
static const struct vt_layout_type counters_type = VT_LAYOUT(counters, counter_specs);

/* In that order, by the names that /proc/zoneinfo and /proc/vmstat have for them. */
static const struct {
    const char *name;
    enum { ZONE, NODE, MOVED, KIB } of;
} counters[COUNTERS] = {
    {"nr_free_pages", ZONE},
    {"nr_mlock", ZONE},
    {"nr_zspages", ZONE},
    {"nr_free_cma", ZONE},
    {"nr_inactive_anon", NODE},
    {"nr_active_anon", NODE},
    {"nr_inactive_file", NODE},
    {"nr_active_file", NODE},
    {"nr_unevictable", NODE},
    {"nr_slab_reclaimable", NODE},
    {"nr_slab_unreclaimable", NODE},
    {"nr_anon_pages", NODE},
    {"nr_mapped", NODE},
    {"nr_file_pages", NODE},
    {"nr_dirty", NODE},
    {"nr_writeback", NODE},
    {"nr_shmem", NODE},
    {"nr_kernel_misc_reclaimable", NODE},
    {"nr_kernel_stack", KIB},
    {"nr_page_table_pages", MOVED},
    {"nr_sec_page_table_pages", NODE},
    {"nr_swapcached", NODE},
    {"nr_vmalloc", NODE},
};

static int tell_counter(struct vt_walk *w, const char *name, uint64_t at, unsigned shift)
{
    struct vt_memory_counter row = {.row.at = VT_GVA(at), .name = name};
    vt_look_begin(&w->look); /* counters change all the time: there is nothing to compare */
    row.bytes = counter(w, at) << shift;
    return vt_walk_row(w, &row.row);
}

static int walk_memory(struct vt_walk *w, struct vt_error *err)
{
    const struct counters *l;
    struct vt_gva zones, nodes, total;
    int rc = vt_layout_take(w->kernel, &counters_type, &l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "vm_zone_stat", &zones, err);
    }
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "vm_node_stat", &nodes, err);
    }
    if (rc == 0 && vt_kernel_symbol(w->kernel, "_totalram_pages", &total, NULL) == 0) {
        rc = tell_counter(w, "total", total.v, VT_PAGE_SHIFT);
    }
    for (unsigned i = 0; i < COUNTERS && rc == 0; i++) {
        if (l->at[i].size != 0 && l->at[i].offset < 256) {
            /* Page tables were counted by zone until 5.10; since then their number is one that
             * zones do not have. */
            bool zone = counters[i].of == ZONE ||
                        (counters[i].of == MOVED && l->at[i].offset < l->zone_items.offset);
            uint64_t base = zone ? zones.v : nodes.v;
            rc = tell_counter(w, counters[i].name, base + 8 * (uint64_t)l->at[i].offset,
                              counters[i].of == KIB ? 10 : VT_PAGE_SHIFT);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- columns */

#define ZONE_COLUMN(member, kind, key, title, doc)                                                 \
    {VT_COLUMN(vt_zone, member, kind, key, title, doc)}

static const struct vt_column zone_columns[] = {
    ZONE_COLUMN(node, VT_CELL_U64, "node", "NODE", "NUMA node"),
    ZONE_COLUMN(start, VT_CELL_HEX, "start", "START", "first guest-physical address"),
    ZONE_COLUMN(spanned_bytes, VT_CELL_BYTES, "spanned_bytes", "SPANNED", "with holes"),
    ZONE_COLUMN(present_bytes, VT_CELL_BYTES, "present_bytes", "PRESENT", "without holes"),
    ZONE_COLUMN(managed_bytes, VT_CELL_BYTES, "managed_bytes", "MANAGED",
                "of it, what the kernel hands out"),
    ZONE_COLUMN(free_bytes, VT_CELL_BYTES, "free_bytes", "FREE", "of that, what is free"),
    ZONE_COLUMN(min_bytes, VT_CELL_BYTES, "min_bytes", "MIN", "below it only emergencies get any"),
    ZONE_COLUMN(low_bytes, VT_CELL_BYTES, "low_bytes", "LOW", "below it memory is reclaimed"),
    ZONE_COLUMN(high_bytes, VT_CELL_BYTES, "high_bytes", "HIGH", "above it that ends"),
    ZONE_COLUMN(name, VT_CELL_CHARS, "name", "ZONE", "DMA, DMA32, Normal, Movable, Device"),
};

const struct vt_noun vt_noun_zones = {
    .name = "zones",
    .summary = "List zones of physical memory with what is free",
    .group = "Guest",
    .description = "What /proc/zoneinfo says of each zone of each NUMA node, in bytes.",
    .examples = "vitrine zones web",
    .columns = zone_columns,
    .n_columns = sizeof zone_columns / sizeof zone_columns[0],
    .walk = walk_zones,
};

static const struct vt_column memory_columns[] = {
    {VT_COLUMN(vt_memory_counter, bytes, VT_CELL_BYTES, "bytes", "SIZE", "in bytes")},
    {VT_COLUMN(vt_memory_counter, name, VT_CELL_TEXT, "name", "COUNTER",
               "as /proc/vmstat calls it; total: MemTotal")},
};

const struct vt_noun vt_noun_memory = {
    .name = "memory",
    .member = "counters",
    .summary = "Show what the kernel's memory is used for",
    .group = "Guest",
    .description = "The counters that /proc/meminfo is made of, of all zones and nodes together.",
    .examples = "vitrine memory web",
    .columns = memory_columns,
    .n_columns = sizeof memory_columns / sizeof memory_columns[0],
    .walk = walk_memory,
};
