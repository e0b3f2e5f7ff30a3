/* guest/linux/modules.c - loaded modules: the list `modules`. See vitrine/linux.h.
 *
 * A module's memory has been one piece for code and one for loading (core_layout), and since 6.4
 * is an array of pieces by use (struct module_memory mem[]); what serves loading only comes last.
 */
#include "guest/linux/noun.h"

#include <stdio.h>
#include <string.h>

/* mod_mem_type: MOD_TEXT … MOD_RO_AFTER_INIT stay, the rest is given back. */
enum { MEM_KEPT = 4 };
#define MODULES_MAX 65536u
#define USERS_MAX 1024u

struct layout {
    struct vt_extent module;
    struct vt_member list, name, state, taints, refcnt;
    struct vt_member core_base, core_bytes; /* until 6.3 */
    struct vt_member mem;                   /* since 6.4 */
    struct vt_extent memory;
    struct vt_member memory_base, memory_bytes, memory_size, module_bytes;
    struct vt_member version, srcversion, args, init, exit;
    struct vt_member users, use_node, user; /* of a module; of a struct module_use */
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, list, module, "module", "list"),
    VT_FIELD(layout, name, module, "module", "name"),
    VT_FIELD(layout, state, module, "module", "state"),
    VT_FIELD(layout, taints, module, "module", "taints"),
    VT_FIELD(layout, refcnt, module, "module", "refcnt"),
    VT_FIELD_OPTIONAL(layout, core_base, module, "module", "core_layout.base"),
    VT_FIELD_OPTIONAL(layout, core_bytes, module, "module", "core_layout.size"),
    VT_FIELD_OPTIONAL(layout, mem, module, "module", "mem"),
    VT_FIELD_OPTIONAL(layout, memory_base, memory, "module_memory", "base"),
    VT_FIELD_OPTIONAL(layout, memory_bytes, memory, "module_memory", "size"),
    VT_FIELD_SIZE_OPTIONAL(layout, memory_size, "module_memory"),
    VT_FIELD_SIZE(layout, module_bytes, "module"),
    VT_FIELD_OPTIONAL(layout, version, module, "module", "version"),
    VT_FIELD_OPTIONAL(layout, srcversion, module, "module", "srcversion"),
    VT_FIELD_OPTIONAL(layout, args, module, "module", "args"),
    VT_FIELD_OPTIONAL(layout, init, module, "module", "init"),
    VT_FIELD_OPTIONAL(layout, exit, module, "module", "exit"),
    VT_FIELD_OPTIONAL(layout, users, module, "module", "source_list"),
    VT_FIELD_BARE_OPTIONAL(layout, use_node, "module_use", "source_list"),
    VT_FIELD_BARE_OPTIONAL(layout, user, "module_use", "source"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* Letters of the taint flags that a module can have (kernel/panic.c: taint_flags). */
static void write_taints(uint64_t bits, char *text, size_t size)
{
    static const char letters[] = "PFSRMBUDAWCIOELKXTN";
    size_t n = 0;
    for (size_t i = 0; i + 1 < sizeof letters && n + 1 < size; i++) {
        if (bits >> i & 1) {
            text[n++] = letters[i];
        }
    }
    text[n] = '\0';
}

static void read_memory(struct vt_look *look, const struct layout *l, const struct vt_object *o,
                        struct vt_module *m)
{
    if (l->mem.size == 0 || l->memory_size.size == 0) {
        m->base = VT_GVA(vt_object_uint(o, &l->core_base));
        m->bytes = vt_object_uint(o, &l->core_bytes);
        return;
    }
    for (uint32_t i = 0; i < MEM_KEPT && (i + 1) * l->memory_size.size <= l->mem.size; i++) {
        struct vt_object memory;
        struct vt_gva at = VT_GVA(o->at.v + l->mem.offset + i * (uint64_t)l->memory_size.size);
        if (vt_look_object(look, at, l->memory, &memory)) {
            m->bytes += vt_object_uint(&memory, &l->memory_bytes);
            if (i == 0) {
                m->base = VT_GVA(vt_object_uint(&memory, &l->memory_base));
            }
        }
    }
}

/* The modules that use it, as /proc/modules names them. */
static int read_users(struct vt_look *look, const struct layout *l, struct vt_gva at,
                      struct vt_module *m, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    size_t n = 0;
    int rc;
    if (l->users.size == 0 || l->use_node.size == 0 || l->user.size != 8) {
        return 0;
    }
    vt_list_begin(&list, look->space, VT_GVA(at.v + l->users.offset), USERS_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        char name[64 + 1];
        if (list.torn_link) { /* another module's list, for all we know */
            rc = 0;
            break;
        }
        struct vt_gva user =
            VT_GVA(vt_look_member(look, VT_GVA(node.v - l->use_node.offset), &l->user));
        vt_look_text(look, VT_GVA(user.v + l->name.offset), name, sizeof name);
        if (n + strlen(name) + 2 < sizeof m->used_by) {
            n += (size_t)snprintf(m->used_by + n, sizeof m->used_by - n, "%s%s", n > 0 ? "," : "",
                                  name);
        }
    }
    if (list.torn) {
        vt_look_doubt(look, "users: %.80s", list.why);
    }
    vt_list_end(&list);
    return rc;
}

static void read_text(struct vt_look *look, const struct vt_object *o,
                      const struct vt_member *member, char *text, size_t size)
{
    uint64_t at = vt_object_uint(o, member);
    if (at != 0) {
        vt_look_text(look, VT_GVA(at), text, size);
    }
}

static int read_module(struct vt_look *look, const struct layout *l, struct vt_gva at,
                       struct vt_module *m, struct vt_error *err)
{
    static const char *const states[] = {"Live", "Loading", "Unloading", "Unformed"};
    enum { UNFORMED = 3 };
    struct vt_object o;
    *m = (struct vt_module){.row.at = at};
    if (!vt_look_object(look, at, l->module, &o)) {
        return 0;
    }
    vt_object_text(&o, &l->name, m->name, sizeof m->name);
    uint64_t state = vt_object_uint(&o, &l->state);
    if (m->name[0] == '\0' || state >= sizeof states / sizeof states[0]) {
        vt_look_doubt(look, "no module's name and state");
        return 0;
    }
    m->listed = state != UNFORMED;
    m->permanent =
        vt_object_uint(&o, &l->init) != 0 && l->exit.size != 0 && vt_object_uint(&o, &l->exit) == 0;
    snprintf(m->state, sizeof m->state, "%s", states[state]);
    write_taints(vt_object_uint(&o, &l->taints), m->taints, sizeof m->taints);
    uint32_t users = (uint32_t)vt_object_uint(&o, &l->refcnt);
    m->users = users > 0 ? users - 1 : 0; /* MODULE_REF_BASE */
    read_memory(look, l, &o, m);
    if (state == UNFORMED) {
        return 0; /* what it points to is not there yet, or not any more */
    }
    read_text(look, &o, &l->version, m->version, sizeof m->version);
    read_text(look, &o, &l->srcversion, m->srcversion, sizeof m->srcversion);
    read_text(look, &o, &l->args, m->args, sizeof m->args);
    return read_users(look, l, at, m, err);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_gva head, node;
    struct vt_list_walk list;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "modules", &head, err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_list_begin(&list, w->space, head, vt_walk_cap(w, l->module_bytes.size, MODULES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_module m;
        do {
            vt_look_begin(&w->look);
            rc = read_module(&w->look, l, VT_GVA(node.v - l->list.offset), &m, err);
            if (list.torn_link) {
                vt_look_doubt(&w->look, "its link is not symmetric");
            }
        } while (rc == 0 && vt_look_again(&w->look));
        if (rc != 0 || (rc = vt_walk_row(w, &m.row)) != 0) {
            break;
        }
    }
    vt_walk_list_end(w, &list);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_module, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_module, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(name, VT_CELL_CHARS, "name", "NAME", "name"),
    COLUMN(bytes, VT_CELL_BYTES, "bytes", "SIZE", "memory it keeps, without what loading needed"),
    COLUMN(users, VT_CELL_U64, "users", "USERS", "references by other modules and users"),
    COLUMN(state, VT_CELL_CHARS, "state", "STATE",
           "Live, Loading, Unloading; Unformed: before and after"),
    COLUMN(listed, VT_CELL_BOOL, "listed", NULL, "whether /proc/modules shows it"),
    COLUMN(permanent, VT_CELL_BOOL, "permanent", NULL, "whether it cannot be removed"),
    COLUMN_OR_NONE(version, VT_CELL_CHARS, "version", NULL, "as its maker says"),
    COLUMN_OR_NONE(srcversion, VT_CELL_CHARS, "srcversion", NULL, "checksum of its source"),
    COLUMN_OR_NONE(args, VT_CELL_CHARS, "args", NULL, "what it was loaded with"),
    COLUMN(taints, VT_CELL_CHARS, "taints", "TAINTS",
           "letters of what it taints the kernel with, as in /proc/modules"),
    COLUMN(base, VT_CELL_HEX, "base", "BASE", "where its code lies"),
    COLUMN_OR_NONE(used_by, VT_CELL_CHARS, "used_by", "USED BY", "modules that use it"),
};

const struct vt_noun vt_noun_modules = {
    .name = "modules",
    .summary = "List the kernel's loaded modules",
    .group = "Guest",
    .description = "Walks the kernel's list of modules. A module that hides from it is found by\n"
                   "'vitrine hidden'.",
    .examples = "vitrine modules web\nvitrine modules web --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
