/* guest/linux/vmalloc.c - the kernel's vmalloc areas. See vitrine/linux.h.
 *
 * One list in the order of addresses until Linux 6.8; since then each of `vmap_nodes` has a list of
 * its own. An area without a vm_struct was made by vm_map_ram.
 */
#include "guest/linux/noun.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NODES_MAX 8192u

struct layout {
    struct vt_extent area;
    struct vt_member start, end, list, vm;
    struct vt_member area_bytes;
    struct vt_extent vm_struct;
    struct vt_member addr, size, flags, nr_pages, phys, caller;
    struct vt_member node_bytes, busy; /* struct vmap_node; the list in it */
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, start, area, "vmap_area", "va_start"),
    VT_FIELD(layout, end, area, "vmap_area", "va_end"),
    VT_FIELD(layout, vm, area, "vmap_area", "vm"),
    VT_FIELD_BARE(layout, list, "vmap_area", "list"),
    VT_FIELD_SIZE(layout, area_bytes, "vmap_area"),
    VT_FIELD(layout, addr, vm_struct, "vm_struct", "addr"),
    VT_FIELD(layout, size, vm_struct, "vm_struct", "size"),
    VT_FIELD(layout, flags, vm_struct, "vm_struct", "flags"),
    VT_FIELD(layout, nr_pages, vm_struct, "vm_struct", "nr_pages"),
    VT_FIELD(layout, phys, vm_struct, "vm_struct", "phys_addr"),
    VT_FIELD(layout, caller, vm_struct, "vm_struct", "caller"),
    VT_FIELD_SIZE_OPTIONAL(layout, node_bytes, "vmap_node"),
    VT_FIELD_BARE_OPTIONAL(layout, busy, "vmap_node", "busy.head"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* Those that /proc/vmallocinfo has words for. (include/linux/vmalloc.h) */
static const char *const flag_words[] = {"ioremap", "vmalloc", "vmap", "user", "dma-coherent"};

static void read_vm(struct vt_walk *w, const struct layout *l, struct vt_gva at,
                    struct vt_vmalloc_area *row)
{
    struct vt_object o;
    if (!vt_look_object(&w->look, at, l->vm_struct, &o)) {
        return;
    }
    uint64_t flags = vt_object_uint(&o, &l->flags);
    if (vt_object_uint(&o, &l->addr) != row->start.v || vt_object_uint(&o, &l->size) > row->bytes) {
        vt_look_doubt(&w->look, "its vm_struct is of another area");
        return;
    }
    row->pages = vt_object_uint(&o, &l->nr_pages);
    row->physical = VT_GPA(vt_object_uint(&o, &l->phys));
    row->caller = VT_GVA(vt_object_uint(&o, &l->caller));
    size_t n = 0;
    row->kind[0] = '\0';
    for (unsigned i = 0; i < sizeof flag_words / sizeof flag_words[0]; i++) {
        if ((flags >> i & 1) != 0) {
            n += (size_t)snprintf(row->kind + n, sizeof row->kind - n, "%s%s", n > 0 ? " " : "",
                                  flag_words[i]);
        }
    }
    const char *name;
    char letter;
    uint64_t distance;
    if (row->caller.v != 0 &&
        vt_kernel_symbol_at(w->kernel, row->caller, &name, &letter, &distance, NULL) == 0) {
        snprintf(row->caller_name, sizeof row->caller_name, "%s+0x%" PRIx64, name, distance);
    }
}

static int walk_list(struct vt_walk *w, const struct layout *l, struct vt_gva head,
                     struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, w->space, head, vt_walk_cap(w, l->area_bytes.size, SIZE_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_vmalloc_area row;
        do {
            struct vt_object o;
            vt_look_begin(&w->look);
            row = (struct vt_vmalloc_area){.row.at = VT_GVA(node.v - l->list.offset)};
            if (vt_look_object(&w->look, row.row.at, l->area, &o)) {
                uint64_t vm = vt_object_uint(&o, &l->vm), end = vt_object_uint(&o, &l->end);
                row.start = VT_GVA(vt_object_uint(&o, &l->start));
                row.bytes = end - row.start.v;
                if (end <= row.start.v || row.start.v % VT_PAGE_BYTES != 0) {
                    vt_look_doubt(&w->look, "its range is no range");
                } else if (vm != 0) {
                    read_vm(w, l, VT_GVA(vm), &row);
                } else {
                    snprintf(row.kind, sizeof row.kind, "vm_map_ram");
                }
            }
            if (list.torn_link) {
                vt_look_doubt(&w->look, "its link is not symmetric");
            }
        } while (vt_look_again(&w->look));
        if ((rc = vt_walk_row(w, &row.row)) != 0) {
            break;
        }
    }
    vt_walk_list_end(w, &list);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_gva head, nodes, count;
    uint64_t array = 0;
    uint32_t n = 0;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    if (vt_kernel_symbol(w->kernel, "vmap_area_list", &head, NULL) == 0) {
        return walk_list(w, l, head, err);
    }
    rc = vt_kernel_symbol(w->kernel, "vmap_nodes", &nodes, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "nr_vmap_nodes", &count, err);
    }
    if (rc == 0) {
        rc = vt_space_read_u64(w->space, nodes, &array, err);
    }
    if (rc == 0) {
        rc = vt_space_read_u32(w->space, count, &n, err);
    }
    if (rc == 0 && (l->busy.size == 0 || n > NODES_MAX)) {
        rc = vt_fail(err, VT_E_CORRUPT, "vmap_nodes are not credible");
    }
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        rc =
            walk_list(w, l, VT_GVA(array + i * (uint64_t)l->node_bytes.size + l->busy.offset), err);
    }
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_vmalloc_area, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(start, VT_CELL_HEX, "start", "START", "first address"),
    COLUMN(bytes, VT_CELL_BYTES, "bytes", "SIZE", "with the guard page behind it"),
    COLUMN(pages, VT_CELL_U64, "pages", "PAGES", "of RAM that it was made of"),
    {VT_COLUMN(vt_vmalloc_area, physical, VT_CELL_HEX, "physical", "PHYSICAL",
               "of a device's memory: where it lies"),
     .zero_is_none = true},
    COLUMN(kind, VT_CELL_CHARS, "kind", "KIND",
           "ioremap, vmalloc, vmap, user, dma-coherent, vm_map_ram"),
    {VT_COLUMN(vt_vmalloc_area, caller, VT_CELL_HEX, "caller", NULL, "who asked for it"),
     .zero_is_none = true},
    {VT_COLUMN(vt_vmalloc_area, caller_name, VT_CELL_CHARS, "caller_name", "CALLER",
               "the same as symbol+offset"),
     .zero_is_none = true},
};

const struct vt_noun vt_noun_vmalloc = {
    .name = "vmalloc",
    .member = "areas",
    .summary = "List the kernel's vmalloc areas",
    .group = "Guest",
    .description =
        "What /proc/vmallocinfo shows, without areas that were freed and only wait to be\n"
        "taken back, and with their real addresses.",
    .examples = "vitrine vmalloc web\nvitrine vmalloc web --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
