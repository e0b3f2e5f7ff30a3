/* guest/linux/code.c - a map of the kernel's code, and whose an address is. See code.h.
 *
 * The image's text lies between _stext and _etext; init text is the kernel's until it has booted.
 * Modules are those on the list: code of one that hides is nobody's, which is the point. BPF tells
 * its images in bpf_kallsyms, ftrace its trampolines in its ops, kprobes their slots in pages.
 */
#include "guest/linux/code.h"

#include "guest/linux/insn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_MAX 65536u
#define IMAGES_MAX (1u << 20)
#define OPS_MAX 65536u
#define SLOTS_MAX 65536u
#define RANGE_MAX (UINT64_C(1) << 30)
/* How often a map is made anew for addresses that it does not know: a guest that is full of them
 * must not cost a walk each. */
#define LOOKS_MAX 8u

struct layout {
    struct vt_extent module;
    struct vt_member list, name, module_bytes;
    struct vt_member core_base, core_bytes, init_base, init_bytes; /* until 6.3 */
    struct vt_member mem;                                          /* since 6.4 */
    struct vt_extent memory;
    struct vt_member memory_base, memory_bytes, memory_size;
    struct vt_extent image;
    struct vt_member start, end, node, image_name;
    struct vt_extent ops;
    struct vt_member next, trampoline, trampoline_bytes;
    struct vt_extent slots;
    struct vt_member slots_node, slots_at, pages;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, list, module, "module", "list"),
    VT_FIELD(layout, name, module, "module", "name"),
    VT_FIELD_SIZE(layout, module_bytes, "module"),
    VT_FIELD_OPTIONAL(layout, core_base, module, "module", "core_layout.base"),
    VT_FIELD_OPTIONAL(layout, core_bytes, module, "module", "core_layout.text_size"),
    VT_FIELD_OPTIONAL(layout, init_base, module, "module", "init_layout.base"),
    VT_FIELD_OPTIONAL(layout, init_bytes, module, "module", "init_layout.text_size"),
    VT_FIELD_OPTIONAL(layout, mem, module, "module", "mem"),
    VT_FIELD_OPTIONAL(layout, memory_base, memory, "module_memory", "base"),
    VT_FIELD_OPTIONAL(layout, memory_bytes, memory, "module_memory", "size"),
    VT_FIELD_SIZE_OPTIONAL(layout, memory_size, "module_memory"),
    VT_FIELD_OPTIONAL(layout, start, image, "bpf_ksym", "start"),
    VT_FIELD_OPTIONAL(layout, end, image, "bpf_ksym", "end"),
    VT_FIELD_OPTIONAL(layout, node, image, "bpf_ksym", "lnode"),
    VT_FIELD_OPTIONAL(layout, image_name, image, "bpf_ksym", "name"),
    VT_FIELD_OPTIONAL(layout, next, ops, "ftrace_ops", "next"),
    VT_FIELD_OPTIONAL(layout, trampoline, ops, "ftrace_ops", "trampoline"),
    VT_FIELD_OPTIONAL(layout, trampoline_bytes, ops, "ftrace_ops", "trampoline_size"),
    VT_FIELD_BARE_OPTIONAL(layout, pages, "kprobe_insn_cache", "pages"),
    VT_FIELD_OPTIONAL(layout, slots_node, slots, "kprobe_insn_page", "list"),
    VT_FIELD_OPTIONAL(layout, slots_at, slots, "kprobe_insn_page", "insns"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* mod_mem_type: what has code. */
enum { MEM_TEXT = 0, MEM_INIT_TEXT = 4 };

/* ---------------------------------------------------------------- making a map */

static int add(struct vt_code_map *map, uint64_t from, uint64_t bytes, enum vt_code_owner owner,
               const char *name, struct vt_error *err)
{
    if (from == 0 || bytes == 0 || bytes > RANGE_MAX || from > UINT64_MAX - bytes) {
        return 0;
    }
    if (map->n == map->room) {
        size_t room = map->room == 0 ? 64 : 2 * map->room;
        struct vt_code_range *more = realloc(map->ranges, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "code: out of memory");
        }
        map->ranges = more;
        map->room = room;
    }
    struct vt_code_range *r = &map->ranges[map->n++];
    *r = (struct vt_code_range){.from = from, .to = from + bytes, .owner = owner};
    snprintf(r->name, sizeof r->name, "%s", name);
    return 0;
}

static int add_image(struct vt_code_map *map, const char *from, const char *to,
                     enum vt_code_owner owner, struct vt_error *err)
{
    struct vt_gva start, end;
    int rc = vt_kernel_symbol(map->walk->kernel, from, &start, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(map->walk->kernel, to, &end, err);
    }
    return rc != 0 ? rc : add(map, start.v, end.v - start.v, owner, "", err);
}

static bool has_booted(const struct vt_kernel *kernel)
{
    struct vt_gva at;
    uint32_t state;
    int64_t running;
    return vt_kernel_symbol(kernel, "system_state", &at, NULL) != 0 ||
           vt_kernel_enumerator(kernel, "SYSTEM_RUNNING", &running, NULL) != 0 ||
           vt_space_read_u32(&kernel->space, at, &state, NULL) != 0 || state >= running;
}

static int add_module(struct vt_code_map *map, const struct layout *l, const struct vt_object *o,
                      struct vt_error *err)
{
    static const unsigned with_code[] = {MEM_TEXT, MEM_INIT_TEXT};
    char name[64];
    vt_object_text(o, &l->name, name, sizeof name);
    if (l->mem.size == 0 || l->memory_size.size == 0) {
        int rc = add(map, vt_object_uint(o, &l->core_base), vt_object_uint(o, &l->core_bytes),
                     VT_CODE_MODULE, name, err);
        return rc != 0 ? rc
                       : add(map, vt_object_uint(o, &l->init_base),
                             vt_object_uint(o, &l->init_bytes), VT_CODE_MODULE, name, err);
    }
    for (unsigned i = 0; i < sizeof with_code / sizeof with_code[0]; i++) {
        uint64_t from = (uint64_t)with_code[i] * l->memory_size.size;
        struct vt_object memory;
        if (from + l->memory_size.size > l->mem.size ||
            vt_object_read(map->walk->space, VT_GVA(o->at.v + l->mem.offset + from), l->memory,
                           &memory, NULL) != 0) {
            continue;
        }
        int rc = add(map, vt_object_uint(&memory, &l->memory_base),
                     vt_object_uint(&memory, &l->memory_bytes), VT_CODE_MODULE, name, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int add_modules(struct vt_code_map *map, const struct layout *l, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_kernel_symbol(map->walk->kernel, "modules", &head, NULL);
    if (rc != 0) {
        return 0; /* a kernel without modules */
    }
    vt_list_begin(&list, map->walk->space, head,
                  vt_walk_cap(map->walk, l->module_bytes.size, MODULES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_object o;
        rc = 0;
        if (vt_object_read(map->walk->space, VT_GVA(node.v - l->list.offset), l->module, &o,
                           NULL) == 0) {
            rc = add_module(map, l, &o, err);
        }
        if (rc != 0) {
            break;
        }
    }
    vt_list_end(&list);
    return rc;
}

static int add_bpf(struct vt_code_map *map, const struct layout *l, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_kernel_symbol(map->walk->kernel, "bpf_kallsyms", &head, NULL);
    if (rc != 0 || l->start.size == 0 || l->end.size == 0 || l->node.size == 0) {
        return 0; /* a kernel without BPF's compiler */
    }
    vt_list_begin(&list, map->walk->space, head,
                  vt_walk_cap(map->walk, l->image.high - l->image.low, IMAGES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_object o;
        char name[64];
        rc = 0;
        if (vt_object_read(map->walk->space, VT_GVA(node.v - l->node.offset), l->image, &o, NULL) ==
            0) {
            uint64_t from = vt_object_uint(&o, &l->start);
            vt_object_text(&o, &l->image_name, name, sizeof name);
            rc = add(map, from, vt_object_uint(&o, &l->end) - from, VT_CODE_BPF, name, err);
        }
        if (rc != 0) {
            break;
        }
    }
    vt_list_end(&list);
    return rc;
}

/* The chain of ops that are in use; it ends at ftrace_list_end. */
static int add_ftrace(struct vt_code_map *map, const struct layout *l, struct vt_error *err)
{
    const struct vt_kernel *kernel = map->walk->kernel;
    struct vt_gva at, end;
    uint64_t ops;
    int rc = 0;
    if (l->next.size == 0 || l->trampoline.size == 0 || l->trampoline_bytes.size == 0 ||
        vt_kernel_symbol(kernel, "ftrace_ops_list", &at, NULL) != 0 ||
        vt_kernel_symbol(kernel, "ftrace_list_end", &end, NULL) != 0 ||
        vt_space_read_u64(map->walk->space, at, &ops, NULL) != 0) {
        return 0;
    }
    struct vt_object o;
    for (unsigned i = 0; rc == 0 && i < OPS_MAX && ops != end.v &&
                         vt_object_read(map->walk->space, VT_GVA(ops), l->ops, &o, NULL) == 0;
         i++) {
        rc = add(map, vt_object_uint(&o, &l->trampoline), vt_object_uint(&o, &l->trampoline_bytes),
                 VT_CODE_FTRACE, "", err);
        ops = vt_object_uint(&o, &l->next);
    }
    return rc;
}

/* Pages of copied instructions: a probed function jumps there. */
static int add_kprobes(struct vt_code_map *map, const struct layout *l, const char *cache,
                       struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva head, node;
    if (l->pages.size == 0 || l->slots_node.size == 0 || l->slots_at.size == 0 ||
        vt_kernel_symbol(map->walk->kernel, cache, &head, NULL) != 0) {
        return 0;
    }
    int rc;
    vt_list_begin(&list, map->walk->space, VT_GVA(head.v + l->pages.offset), SLOTS_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_object o;
        rc = 0;
        if (vt_object_read(map->walk->space, VT_GVA(node.v - l->slots_node.offset), l->slots, &o,
                           NULL) == 0) {
            rc = add(map, vt_object_uint(&o, &l->slots_at), VT_PAGE_BYTES, VT_CODE_KPROBE, "", err);
        }
        if (rc != 0) {
            break;
        }
    }
    vt_list_end(&list);
    return rc;
}

static int by_address(const void *a, const void *b)
{
    const struct vt_code_range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Replaces the map by what is there now; leaves it alone on failure. */
static int take_map(struct vt_code_map *map, struct vt_error *err)
{
    struct vt_code_map now = {.walk = map->walk, .looks = map->looks + 1};
    const struct layout *l;
    int rc = vt_layout_take(map->walk->kernel, &type, &l, err);
    if (rc == 0) {
        rc = add_image(&now, "_stext", "_etext", VT_CODE_KERNEL, err);
    }
    if (rc == 0) {
        rc = add_image(&now, "_sinittext", "_einittext",
                       has_booted(map->walk->kernel) ? VT_CODE_INIT : VT_CODE_KERNEL, err);
    }
    if (rc == 0) {
        rc = add_modules(&now, l, err);
    }
    if (rc == 0) {
        rc = add_bpf(&now, l, err);
    }
    if (rc == 0) {
        rc = add_ftrace(&now, l, err);
    }
    if (rc == 0) {
        rc = add_kprobes(&now, l, "kprobe_insn_slots", err);
    }
    if (rc == 0) {
        rc = add_kprobes(&now, l, "kprobe_optinsn_slots", err);
    }
    if (rc != 0) {
        free(now.ranges);
        return rc;
    }
    qsort(now.ranges, now.n, sizeof *now.ranges, by_address);
    free(map->ranges);
    *map = now;
    return 0;
}

int vt_code_map_init(struct vt_code_map *map, struct vt_walk *walk, struct vt_error *err)
{
    *map = (struct vt_code_map){.walk = walk};
    return take_map(map, err);
}

void vt_code_map_fini(struct vt_code_map *map)
{
    free(map->ranges);
    *map = (struct vt_code_map){0};
}

/* ---------------------------------------------------------------- asking it */

/* The last range that begins at or before `at` and holds it, or NULL. */
static const struct vt_code_range *range_of(const struct vt_code_map *map, uint64_t at)
{
    size_t low = 0, high = map->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->ranges[middle].from <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && at < map->ranges[low - 1].to ? &map->ranges[low - 1] : NULL;
}

static void name_place(const struct vt_kernel *kernel, const struct vt_code_range *range,
                       struct vt_gva at, struct vt_code_at *code)
{
    const char *name;
    char letter;
    uint64_t distance;
    if (vt_kernel_symbol_at(kernel, at, &name, &letter, &distance, NULL) != 0 ||
        at.v - distance < range->from) {
        name = range->name;
        distance = at.v - range->from;
    }
    code->start = distance == 0;
    if (distance == 0) {
        snprintf(code->symbol, sizeof code->symbol, "%s", name);
    } else if (name[0] != '\0') {
        snprintf(code->symbol, sizeof code->symbol, "%s+0x%" PRIx64, name, distance);
    }
}

void vt_code_find(struct vt_code_map *map, struct vt_gva at, struct vt_code_at *code)
{
    static const char *const owners[] = {
        [VT_CODE_NOBODY] = "nobody",
        [VT_CODE_KERNEL] = "kernel",
        [VT_CODE_INIT] = "freed init text",
        [VT_CODE_MODULE] = "module",
        [VT_CODE_BPF] = "bpf",
        [VT_CODE_FTRACE] = "ftrace",
        [VT_CODE_KPROBE] = "kprobe",
    };
    const struct vt_code_range *range = range_of(map, at.v);
    if (range == NULL && map->looks < LOOKS_MAX && !map->frozen) {
        vt_kernel_refresh(map->walk->kernel);
        range = take_map(map, NULL) == 0 ? range_of(map, at.v) : NULL;
    }
    *code = (struct vt_code_at){.owner = range != NULL ? range->owner : VT_CODE_NOBODY};
    bool named = range != NULL && range->name[0] != '\0';
    snprintf(code->owner_text, sizeof code->owner_text, "%s%s%s", owners[code->owner],
             named ? " " : "", named ? range->name : "");
    if (code->owner == VT_CODE_NOBODY) {
        snprintf(code->whose, sizeof code->whose, "nobody's code");
    } else {
        snprintf(code->whose, sizeof code->whose, "%s%s",
                 code->owner == VT_CODE_INIT ? "" : "code of ", code->owner_text);
    }
    if (range != NULL) {
        name_place(map->walk->kernel, range, at, code);
    }
}

bool vt_code_is_owned(const struct vt_code_at *code)
{
    return code->owner != VT_CODE_NOBODY && code->owner != VT_CODE_INIT;
}

bool vt_code_symbol_is(const struct vt_kernel *kernel, struct vt_gva at, const char *prefix,
                       const char **name)
{
    size_t low = 0, high = vt_kernel_symbols(kernel);
    const char *here;
    char letter;
    struct vt_gva gva;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        vt_kernel_symbol_nth(kernel, middle, &here, &letter, &gva);
        if (gva.v < at.v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < vt_kernel_symbols(kernel); low++) {
        vt_kernel_symbol_nth(kernel, low, &here, &letter, &gva);
        if (gva.v != at.v) {
            break;
        }
        if (strncmp(here, prefix, strlen(prefix)) == 0) {
            if (name != NULL) {
                *name = here;
            }
            return true;
        }
    }
    return false;
}

bool vt_code_detour(struct vt_code_map *map, struct vt_gva at, struct vt_gva *target,
                    struct vt_code_at *code)
{
    /* One call may stand before it: that of ftrace. */
    for (unsigned i = 0; i < 2; i++) {
        uint8_t bytes[VT_INSN_DETOUR_BYTES];
        uint64_t room = VT_PAGE_BYTES - at.v % VT_PAGE_BYTES;
        size_t n = room < sizeof bytes ? (size_t)room : sizeof bytes;
        if (vt_space_read(map->walk->space, at, bytes, sizeof bytes, NULL) == 0) {
            n = sizeof bytes;
        } else if (vt_space_read(map->walk->space, at, bytes, n, NULL) != 0) {
            return false;
        }
        struct vt_insn_detour d = vt_insn_detour(bytes, n, at.v);
        if (d.kind == VT_INSN_OTHER || d.kind == VT_INSN_TRAP ||
            (d.kind == VT_INSN_INDIRECT &&
             vt_space_read_u64(map->walk->space, VT_GVA(d.target), &d.target, NULL) != 0)) {
            return false;
        }
        vt_code_find(map, VT_GVA(d.target), code);
        if (code->owner == VT_CODE_NOBODY) {
            *target = VT_GVA(d.target);
            return true;
        }
        if (d.kind != VT_INSN_CALL) {
            return false;
        }
        at.v += d.next;
    }
    return false;
}
