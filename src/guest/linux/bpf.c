/* guest/linux/bpf.c - BPF programs, maps and links. See vitrine/linux.h.
 *
 * Each kind has an IDR; what has an id is in it. The code of programs is listed once more for
 * kallsyms (bpf_kallsyms): a program that is there, has an id and is not in the IDR hides.
 */
#include "guest/linux/holders.h"
#include "guest/linux/ops.h"
#include "guest/linux/xarray.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX (1u << 22)
#define TYPES_MAX 128u

struct layout {
    struct vt_extent prog;
    struct vt_member type, len, jited, gpl, jited_len, tag, pages, func, aux, prog_stats, bytes;
    struct vt_extent of_aux;
    struct vt_member id, name, aux_prog, load_time, user, func_idx, func_cnt, map_cnt, target;
    struct vt_member aux_stats, ksym;
    struct vt_member uid, stats_cnt, stats_nsecs, is_prog, node;
    struct vt_extent map;
    struct vt_member map_type, map_key, map_value, map_entries, map_flags, map_id, map_name;
    struct vt_member map_frozen, map_refs, map_user_refs, map_bytes;
    struct vt_extent link;
    struct vt_member link_id, link_type, link_prog, link_ops, link_bytes;
    struct vt_member raw_tp_link, raw_tp_event, event_tp, tp_name;
    struct vt_member xdp_link, xdp_device, device_name;
};

static const struct vt_field_spec specs[] = {
#define PROG(slot, name) VT_FIELD(layout, slot, prog, "bpf_prog", name)
#define AUX(slot, name) VT_FIELD(layout, slot, of_aux, "bpf_prog_aux", name)
#define AUX_OPTIONAL(slot, name) VT_FIELD_OPTIONAL(layout, slot, of_aux, "bpf_prog_aux", name)
#define MAP(slot, name) VT_FIELD(layout, slot, map, "bpf_map", name)
#define LINK(slot, name) VT_FIELD_OPTIONAL(layout, slot, link, "bpf_link", name)
#define BARE(slot, struct_, ...) VT_FIELD_BARE_OPTIONAL(layout, slot, struct_, __VA_ARGS__)
    PROG(type, "type"),
    PROG(len, "len"),
    PROG(jited, "jited"),
    PROG(gpl, "gpl_compatible"),
    PROG(jited_len, "jited_len"),
    PROG(tag, "tag"),
    PROG(pages, "pages"),
    PROG(func, "bpf_func"),
    PROG(aux, "aux"),
    VT_FIELD_OPTIONAL(layout, prog_stats, prog, "bpf_prog", "stats"),
    VT_FIELD_SIZE(layout, bytes, "bpf_prog"),
    AUX(id, "id"),
    AUX(name, "name"),
    AUX(aux_prog, "prog"),
    AUX(load_time, "load_time"),
    AUX_OPTIONAL(user, "user"),
    AUX_OPTIONAL(func_idx, "func_idx"),
    AUX_OPTIONAL(func_cnt, "func_cnt"),
    AUX_OPTIONAL(map_cnt, "used_map_cnt"),
    AUX_OPTIONAL(target, "attach_func_name"),
    AUX_OPTIONAL(aux_stats, "stats"),
    BARE(ksym, "bpf_prog_aux", "ksym"),
    BARE(uid, "user_struct", "uid"),
    BARE(stats_cnt, "bpf_prog_stats", "cnt"),
    BARE(stats_nsecs, "bpf_prog_stats", "nsecs"),
    BARE(is_prog, "bpf_ksym", "prog"),
    BARE(node, "bpf_ksym", "lnode"),
    MAP(map_type, "map_type"),
    MAP(map_key, "key_size"),
    MAP(map_value, "value_size"),
    MAP(map_entries, "max_entries"),
    MAP(map_flags, "map_flags"),
    MAP(map_id, "id"),
    MAP(map_name, "name"),
    VT_FIELD_OPTIONAL(layout, map_frozen, map, "bpf_map", "frozen"),
    BARE(map_refs, "bpf_map", "refcnt"),
    BARE(map_user_refs, "bpf_map", "usercnt"),
    VT_FIELD_SIZE(layout, map_bytes, "bpf_map"),
    LINK(link_id, "id"),
    LINK(link_type, "type"),
    LINK(link_prog, "prog"),
    LINK(link_ops, "ops"),
    VT_FIELD_SIZE_OPTIONAL(layout, link_bytes, "bpf_link"),
    BARE(raw_tp_link, "bpf_raw_tp_link", "link"),
    BARE(raw_tp_event, "bpf_raw_tp_link", "btp"),
    BARE(event_tp, "bpf_raw_event_map", "tp"),
    BARE(tp_name, "tracepoint", "name"),
    BARE(xdp_link, "bpf_xdp_link", "link"),
    BARE(xdp_device, "bpf_xdp_link", "dev"),
    BARE(device_name, "net_device", "name"),
};
static const struct vt_layout_type layout_type = VT_LAYOUT(layout, specs);

struct walking {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_holders holders;
    struct vt_code_map map; /* of programs only */
    uint64_t *linked;       /* the program of each link, ascending */
    size_t n_linked;
    const char *type_names[TYPES_MAX]; /* of those met: searching an enum takes its time */
    struct vt_error *err;
};

/* ---------------------------------------------------------------- what the kinds share */

/* "cgroup_skb" for BPF_PROG_TYPE_CGROUP_SKB, or the number. A walk asks for one enum only. */
static void write_type(struct walking *s, const char *enum_name, const char *prefix, uint64_t value,
                       char *text, size_t size)
{
    size_t skip = strlen(prefix), n = 0;
    if (value >= TYPES_MAX) {
        snprintf(text, size, "%" PRIu64, value);
        return;
    }
    const char **name = &s->type_names[value];
    if (*name == NULL &&
        vt_kernel_enumerator_name(s->w->kernel, enum_name, (int64_t)value, name, NULL) != 0) {
        *name = "";
    }
    if (strncmp(*name, prefix, skip) != 0) {
        snprintf(text, size, "%" PRIu64, value);
        return;
    }
    for (const char *c = *name + skip; c[n] != '\0' && n + 1 < size; n++) {
        text[n] = (char)tolower((unsigned char)c[n]);
    }
    text[n] = '\0';
}

/* Who holds the object, into members that every kind has. */
#define SET_HOLDER(s, row_)                                                                        \
    do {                                                                                           \
        size_t n_;                                                                                 \
        const struct vt_holder *h_ = vt_holders_of(&(s)->holders, (row_)->row.at, &n_);            \
        (row_)->holders = (uint32_t)n_;                                                            \
        if (h_ != NULL) {                                                                          \
            (row_)->pid = h_->pid;                                                                 \
            snprintf((row_)->comm, sizeof(row_)->comm, "%s", h_->comm);                            \
        }                                                                                          \
    } while (0)

typedef int give_fn(struct walking *s, uint64_t id, struct vt_gva at);

/* Every object of an IDR; a kernel without it has none of them. */
static int walk_idr(struct walking *s, const char *symbol, uint32_t bytes, give_fn *give,
                    struct vt_error *err)
{
    struct vt_gva idr;
    struct vt_xa_entry entry;
    int rc = vt_kernel_symbol(s->w->kernel, symbol, &idr, err);
    if (rc != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "the kernel was built without %s", symbol);
    }
    struct vt_xa_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", symbol);
    }
    rc = vt_idr_begin(walk, s->w->kernel, idr, vt_walk_cap(s->w, bytes, OBJECTS_MAX), err);
    while (rc == 0 && vt_xa_next(walk, &entry)) {
        if (entry.value != 0 && !vt_xa_is_value(entry.value)) {
            rc = give(s, entry.index, VT_GVA(entry.value));
        }
    }
    if (rc == 0 && walk->torn) {
        vt_walk_torn(s->w, "%s: %s", symbol, walk->why);
    }
    free(walk);
    return rc;
}

/* A text that a pointer member of the object at `at` leads to. */
static void read_name_at(struct vt_look *look, struct vt_gva at, const struct vt_member *member,
                         char *text, size_t size)
{
    uint64_t name = member->size != 0 ? vt_look_member(look, at, member) : 0;
    text[0] = '\0';
    if (name != 0) {
        vt_look_text(look, VT_GVA(name), text, size);
    }
}

/* ---------------------------------------------------------------- programs */

static bool bit_of(const struct vt_object *o, const struct vt_member *member)
{
    return (vt_object_uint(o, member) >> member->bit & 1) != 0;
}

/* Runs are counted for each CPU and never hold still. */
static void read_stats(struct walking *s, uint64_t stats, struct vt_bpf_program *p)
{
    const struct vt_percpu *percpu;
    const struct layout *l = s->l;
    if (stats == 0 || l->stats_cnt.size != 8 || l->stats_nsecs.size != 8 ||
        vt_percpu_take(s->w->kernel, &percpu, NULL) != 0) {
        return;
    }
    for (unsigned cpu = 0; cpu < percpu->n; cpu++) {
        struct vt_gva at = vt_percpu_at(percpu, VT_GVA(stats), cpu);
        uint64_t cnt = 0, nsecs = 0;
        vt_space_read_u64(s->w->space, VT_GVA(at.v + l->stats_cnt.offset), &cnt, NULL);
        vt_space_read_u64(s->w->space, VT_GVA(at.v + l->stats_nsecs.offset), &nsecs, NULL);
        p->runs += cnt;
        p->run_ns += nsecs;
    }
}

static int by_address(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static uint32_t count_links(const struct walking *s, uint64_t prog)
{
    size_t low = 0, high = s->n_linked;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->linked[middle] < prog) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t n = 0;
    while (low + n < s->n_linked && s->linked[low + n] == prog) {
        n++;
    }
    return n;
}

static void read_program(struct walking *s, struct vt_gva at, struct vt_bpf_program *p)
{
    const struct layout *l = s->l;
    struct vt_look *look = &s->w->look;
    struct vt_object o, aux;
    uint8_t tag[8];
    *p = (struct vt_bpf_program){.row.at = at, .uid = UINT32_MAX};
    if (!vt_look_object(look, at, l->prog, &o) ||
        !vt_look_object(look, VT_GVA(vt_object_uint(&o, &l->aux)), l->of_aux, &aux)) {
        return;
    }
    if (vt_object_uint(&aux, &l->aux_prog) != at.v) {
        vt_look_doubt(look, "no program: it does not point back to itself");
        return;
    }
    p->id = (uint32_t)vt_object_uint(&aux, &l->id);
    write_type(s, "bpf_prog_type", "BPF_PROG_TYPE_", vt_object_uint(&o, &l->type), p->type,
               sizeof p->type);
    vt_object_text(&aux, &l->name, p->name, sizeof p->name);
    vt_look_read(look, VT_GVA(at.v + l->tag.offset), tag, sizeof tag);
    for (size_t i = 0; i < sizeof tag; i++) {
        snprintf(p->tag + 2 * i, sizeof p->tag - 2 * i, "%02x", tag[i]);
    }
    p->gpl = bit_of(&o, &l->gpl);
    p->jited = bit_of(&o, &l->jited);
    p->instructions = (uint32_t)vt_object_uint(&o, &l->len);
    p->jited_bytes = (uint32_t)vt_object_uint(&o, &l->jited_len);
    p->function = VT_GVA(vt_object_uint(&o, &l->func));
    p->memory_bytes = vt_object_uint(&o, &l->pages) * VT_PAGE_BYTES;
    p->functions = (uint32_t)vt_object_uint(&aux, &l->func_cnt);
    p->maps = (uint32_t)vt_object_uint(&aux, &l->map_cnt);
    p->load_ns = vt_object_uint(&aux, &l->load_time);
    p->links = count_links(s, at.v);
    if (vt_object_uint(&aux, &l->target) != 0) {
        vt_look_text(look, VT_GVA(vt_object_uint(&aux, &l->target)), p->target, sizeof p->target);
    }
    uint64_t user = vt_object_uint(&aux, &l->user);
    if (user != 0 && l->uid.size != 0) {
        p->uid = (uint32_t)vt_look_member(look, VT_GVA(user), &l->uid);
    }
    uint64_t stats = vt_object_uint(&o, &l->prog_stats);
    read_stats(s, stats != 0 ? stats : vt_object_uint(&aux, &l->aux_stats), p);
}

static void check_program(struct walking *s, struct vt_bpf_program *p)
{
    struct vt_code_at code;
    if (!p->listed) {
        vt_row_find(&p->row, "its code is in place and it has an id, but it is not among the "
                             "kernel's programs: it hides from bpftool");
    }
    if (!s->w->look.doubted && vt_hook_check(&s->map, p->function, "its code", &p->row) &&
        p->jited) {
        vt_code_find(&s->map, p->function, &code);
        if (code.owner != VT_CODE_BPF) {
            vt_row_find(&p->row, "it runs code of %s and not what was compiled from it",
                        code.owner_text);
        }
    }
}

static int give_program(struct walking *s, uint64_t id, struct vt_gva at, bool listed)
{
    struct vt_walk *w = s->w;
    struct vt_bpf_program p;
    do {
        vt_look_begin(&w->look);
        read_program(s, at, &p);
        if (!w->look.doubted && p.id != id) {
            vt_look_doubt(&w->look, "its id is %" PRIu32 ", its place %" PRIu64, p.id, id);
        }
        p.listed = listed;
        check_program(s, &p);
    } while (vt_look_again(&w->look));
    SET_HOLDER(s, &p);
    return vt_walk_row(w, &p.row);
}

static int give_listed_program(struct walking *s, uint64_t id, struct vt_gva at)
{
    return give_program(s, id, at, true);
}

static int note_link(struct walking *s, uint64_t id, struct vt_gva at)
{
    uint64_t prog = 0;
    (void)id;
    if (s->l->link_prog.size != sizeof prog ||
        vt_space_read_u64(s->w->space, VT_GVA(at.v + s->l->link_prog.offset), &prog, NULL) != 0) {
        return 0;
    }
    if ((s->n_linked & (s->n_linked - 1)) == 0) {
        size_t room = s->n_linked == 0 ? 1 : 2 * s->n_linked;
        uint64_t *more = realloc(s->linked, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(s->err, VT_E_NOMEM, "BPF links: out of memory");
        }
        s->linked = more;
    }
    s->linked[s->n_linked++] = prog;
    return 0;
}

/* The program that an image in bpf_kallsyms belongs to, if it has an id of its own and the IDR does
 * not have it. */
static bool hides(struct walking *s, struct vt_gva idr, struct vt_gva image, uint32_t *id,
                  struct vt_gva *prog)
{
    const struct layout *l = s->l;
    struct vt_object aux;
    uint64_t known = 0;
    bool is_prog = false;
    if (vt_space_read(s->w->space, VT_GVA(image.v + l->is_prog.offset), &is_prog, 1, NULL) != 0 ||
        !is_prog ||
        vt_object_read(s->w->space, VT_GVA(image.v - l->ksym.offset), l->of_aux, &aux, NULL) != 0) {
        return false;
    }
    *id = (uint32_t)vt_object_uint(&aux, &l->id);
    *prog = VT_GVA(vt_object_uint(&aux, &l->aux_prog));
    return *id != 0 && vt_object_uint(&aux, &l->func_idx) == 0 &&
           (vt_idr_load(s->w->kernel, idr, *id, &known, NULL) != 0 || known != prog->v);
}

static int walk_hidden(struct walking *s, struct vt_error *err)
{
    const struct layout *l = s->l;
    struct vt_list_walk list;
    struct vt_gva head, idr, node, prog;
    uint32_t id;
    int rc;
    if (l->ksym.size == 0 || l->is_prog.size == 0 || l->node.size == 0 ||
        vt_kernel_symbol(s->w->kernel, "bpf_kallsyms", &head, NULL) != 0 ||
        vt_kernel_symbol(s->w->kernel, "prog_idr", &idr, NULL) != 0) {
        return 0;
    }
    vt_list_begin(&list, s->w->space, head, vt_walk_cap(s->w, l->bytes.size, OBJECTS_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        rc = hides(s, idr, VT_GVA(node.v - l->node.offset), &id, &prog)
                 ? give_program(s, id, prog, false)
                 : 0;
        if (rc != 0) {
            break;
        }
    }
    vt_walk_list_end(s->w, &list);
    return rc;
}

static int begin(struct walking *s, struct vt_walk *w, const char *ops, struct vt_error *err)
{
    *s = (struct walking){.w = w, .err = err};
    int rc = vt_layout_take(w->kernel, &layout_type, &s->l, err);
    if (rc == VT_E_NOT_FOUND) {
        return vt_fail(err, VT_E_UNSUPPORTED, "the kernel was built without BPF");
    }
    return rc != 0 ? rc : vt_holders_take(w, ops, NULL, &s->holders, err);
}

static void end(struct walking *s)
{
    vt_holders_fini(&s->holders);
    vt_code_map_fini(&s->map);
    free(s->linked);
}

static int walk_programs(struct vt_walk *w, struct vt_error *err)
{
    struct walking s;
    int rc = begin(&s, w, "bpf_prog_fops", err);
    rc = rc != 0 ? rc : vt_code_map_init(&s.map, w, err);
    if (rc == 0 && s.l->link_bytes.size != 0) {
        rc = walk_idr(&s, "link_idr", s.l->link_bytes.size, note_link, err);
    }
    if (s.n_linked != 0) {
        qsort(s.linked, s.n_linked, sizeof *s.linked, by_address);
    }
    rc = rc != 0 ? rc : walk_idr(&s, "prog_idr", s.l->bytes.size, give_listed_program, err);
    rc = rc != 0 ? rc : walk_hidden(&s, err);
    end(&s);
    return rc;
}

/* ---------------------------------------------------------------- maps */

static int64_t count_of(struct walking *s, struct vt_gva at, const struct vt_member *member)
{
    uint64_t value = 0;
    if (member->size == sizeof value) {
        vt_space_read_u64(s->w->space, VT_GVA(at.v + member->offset), &value, NULL);
    }
    return (int64_t)value;
}

static int give_map(struct walking *s, uint64_t id, struct vt_gva at)
{
    const struct layout *l = s->l;
    struct vt_walk *w = s->w;
    struct vt_bpf_map m;
    struct vt_object o;
    do {
        vt_look_begin(&w->look);
        m = (struct vt_bpf_map){.row.at = at};
        if (!vt_look_object(&w->look, at, l->map, &o)) {
            continue;
        }
        m.id = (uint32_t)vt_object_uint(&o, &l->map_id);
        write_type(s, "bpf_map_type", "BPF_MAP_TYPE_", vt_object_uint(&o, &l->map_type), m.type,
                   sizeof m.type);
        vt_object_text(&o, &l->map_name, m.name, sizeof m.name);
        m.key_bytes = (uint32_t)vt_object_uint(&o, &l->map_key);
        m.value_bytes = (uint32_t)vt_object_uint(&o, &l->map_value);
        m.max_entries = (uint32_t)vt_object_uint(&o, &l->map_entries);
        m.flags = (uint32_t)vt_object_uint(&o, &l->map_flags);
        m.frozen = vt_object_uint(&o, &l->map_frozen) != 0;
        if (m.id != id) {
            vt_look_doubt(&w->look, "its id is %" PRIu32 ", its place %" PRIu64, m.id, id);
        }
    } while (vt_look_again(&w->look));
    m.references = count_of(s, at, &l->map_refs);
    m.user_references = count_of(s, at, &l->map_user_refs);
    SET_HOLDER(s, &m);
    return vt_walk_row(w, &m.row);
}

static int walk_maps(struct vt_walk *w, struct vt_error *err)
{
    struct walking s;
    int rc = begin(&s, w, "bpf_map_fops", err);
    rc = rc != 0 ? rc : walk_idr(&s, "map_idr", s.l->map_bytes.size, give_map, err);
    end(&s);
    return rc;
}

/* ---------------------------------------------------------------- links */

static void read_target(struct walking *s, struct vt_bpf_link *link, struct vt_gva aux)
{
    const struct layout *l = s->l;
    struct vt_look *look = &s->w->look;
    if (strcmp(link->type, "raw_tracepoint") == 0 && l->raw_tp_event.size != 0 &&
        l->event_tp.size != 0 && l->tp_name.size != 0) {
        struct vt_gva outer = VT_GVA(link->row.at.v - l->raw_tp_link.offset);
        struct vt_gva event = VT_GVA(vt_look_member(look, outer, &l->raw_tp_event));
        struct vt_gva tp = VT_GVA(vt_look_member(look, event, &l->event_tp));
        read_name_at(look, tp, &l->tp_name, link->target, sizeof link->target);
    } else if (strcmp(link->type, "xdp") == 0 && l->xdp_device.size != 0 &&
               l->device_name.size != 0) {
        struct vt_gva outer = VT_GVA(link->row.at.v - l->xdp_link.offset);
        uint64_t device = vt_look_member(look, outer, &l->xdp_device);
        if (device != 0) {
            vt_look_text(look, VT_GVA(device + l->device_name.offset), link->target, 16);
        }
    } else if (aux.v != 0) {
        read_name_at(look, aux, &l->target, link->target, sizeof link->target);
    }
}

static void read_link(struct walking *s, struct vt_gva at, struct vt_bpf_link *link)
{
    const struct layout *l = s->l;
    struct vt_look *look = &s->w->look;
    struct vt_object o, aux;
    *link = (struct vt_bpf_link){.row.at = at};
    if (!vt_look_object(look, at, l->link, &o)) {
        return;
    }
    link->id = (uint32_t)vt_object_uint(&o, &l->link_id);
    write_type(s, "bpf_link_type", "BPF_LINK_TYPE_", vt_object_uint(&o, &l->link_type), link->type,
               sizeof link->type);
    link->ops = VT_GVA(vt_object_uint(&o, &l->link_ops));
    const char *name = vt_walk_symbol(s->w, link->ops);
    snprintf(link->ops_name, sizeof link->ops_name, "%s", name != NULL ? name : "");
    uint64_t prog = vt_object_uint(&o, &l->link_prog);
    struct vt_gva at_aux = VT_GVA(0);
    if (prog != 0) { /* links of struct_ops have none */
        at_aux = VT_GVA(vt_look_member(look, VT_GVA(prog), &l->aux));
        if (vt_look_object(look, at_aux, l->of_aux, &aux)) {
            link->program = (uint32_t)vt_object_uint(&aux, &l->id);
            vt_object_text(&aux, &l->name, link->program_name, sizeof link->program_name);
        }
    }
    read_target(s, link, at_aux);
}

static int give_link(struct walking *s, uint64_t id, struct vt_gva at)
{
    struct vt_walk *w = s->w;
    struct vt_bpf_link link;
    do {
        vt_look_begin(&w->look);
        read_link(s, at, &link);
        if (!w->look.doubted && link.id != id) {
            vt_look_doubt(&w->look, "its id is %" PRIu32 ", its place %" PRIu64, link.id, id);
        }
    } while (vt_look_again(&w->look));
    SET_HOLDER(s, &link);
    return vt_walk_row(w, &link.row);
}

static int walk_links(struct vt_walk *w, struct vt_error *err)
{
    struct walking s;
    int rc = begin(&s, w, "bpf_link_fops", err);
    if (rc == 0 && s.l->link_bytes.size == 0) {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "the kernel has no BPF links");
    }
    rc = rc != 0 ? rc : walk_idr(&s, "link_idr", s.l->link_bytes.size, give_link, err);
    end(&s);
    return rc;
}

/* ---------------------------------------------------------------- nouns */

#define HOLDER_COLUMNS(struct_)                                                                    \
    {VT_COLUMN(struct_, pid, VT_CELL_I64, "pid", "PID", "first process that holds it"),            \
     .zero_is_none = true},                                                                        \
        {VT_COLUMN(struct_, comm, VT_CELL_CHARS, "comm", "COMMAND", "name of that process"),       \
         .zero_is_none = true},                                                                    \
    {                                                                                              \
        VT_COLUMN(struct_, holders, VT_CELL_U64, "holders", NULL, "descriptors of it, of all")     \
    }

#define PROGRAM(member, kind, key, title, doc)                                                     \
    VT_COLUMN(vt_bpf_program, member, kind, key, title, doc)
static const struct vt_column program_columns[] = {
    {PROGRAM(id, VT_CELL_U64, "id", "ID", "number of the program")},
    {PROGRAM(type, VT_CELL_CHARS, "type", "TYPE", "kprobe, cgroup_skb, xdp, …")},
    {PROGRAM(name, VT_CELL_CHARS, "name", "NAME", "as it was loaded"), .zero_is_none = true},
    {PROGRAM(tag, VT_CELL_CHARS, "tag", "TAG", "digest of its instructions")},
    {PROGRAM(gpl, VT_CELL_BOOL, "gpl", NULL, "may call what only GPL code may")},
    {PROGRAM(instructions, VT_CELL_U64, "instructions", NULL, "of BPF, after verification")},
    {PROGRAM(jited, VT_CELL_BOOL, "jited", NULL, "compiled, not interpreted")},
    {PROGRAM(jited_bytes, VT_CELL_U64, "jited_bytes", "CODE", "bytes of machine code"),
     .zero_is_none = true},
    {PROGRAM(memory_bytes, VT_CELL_BYTES, "memory_bytes", NULL, "pages it takes")},
    {PROGRAM(functions, VT_CELL_U64, "functions", NULL, "it is made of")},
    {PROGRAM(maps, VT_CELL_U64, "maps", "MAPS", "it uses")},
    {PROGRAM(links, VT_CELL_U64, "links", "LINKS", "that attach it")},
    {PROGRAM(target, VT_CELL_CHARS, "target", "TARGET", "function it is attached to by type"),
     .zero_is_none = true},
    {PROGRAM(runs, VT_CELL_U64, "runs", NULL, "counted while kernel.bpf_stats_enabled is set")},
    {PROGRAM(run_ns, VT_CELL_SECONDS, "run_s", NULL, "time it ran, counted likewise")},
    {PROGRAM(load_ns, VT_CELL_SECONDS, "loaded_s", "LOADED", "since boot")},
    {PROGRAM(uid, VT_CELL_U64, "uid", "UID", "who loaded it"), .ones_are_none = true},
    {PROGRAM(listed, VT_CELL_BOOL, "listed", NULL, "among the kernel's programs")},
    HOLDER_COLUMNS(vt_bpf_program),
    {PROGRAM(function, VT_CELL_HEX, "function", "ADDRESS", "where its code begins")},
};

const struct vt_noun vt_noun_bpf = {
    .name = "bpf",
    .member = "programs",
    .summary = "Check the kernel's BPF programs",
    .group = "Trust",
    .description =
        "Every BPF program that has an id, with who holds it. One that is not listed though its\n"
        "code is in place, and one that runs other code than was compiled from it, have a "
        "finding.\n"
        "A program stays without holders when a link, a file of bpffs or what it is attached to\n"
        "keeps it.",
    .examples = "vitrine bpf web\nvitrine bpf web --json | jq '.programs[] | {id, name, type}'",
    .checks = true,
    .columns = program_columns,
    .n_columns = sizeof program_columns / sizeof program_columns[0],
    .walk = walk_programs,
};

#define MAP_COLUMN(member, kind, key, title, doc)                                                  \
    VT_COLUMN(vt_bpf_map, member, kind, key, title, doc)
static const struct vt_column map_columns[] = {
    {MAP_COLUMN(id, VT_CELL_U64, "id", "ID", "number of the map")},
    {MAP_COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "hash, array, ringbuf, …")},
    {MAP_COLUMN(key_bytes, VT_CELL_U64, "key_bytes", "KEY", "size of a key")},
    {MAP_COLUMN(value_bytes, VT_CELL_U64, "value_bytes", "VALUE", "size of a value")},
    {MAP_COLUMN(max_entries, VT_CELL_U64, "max_entries", "ENTRIES", "at most")},
    {MAP_COLUMN(flags, VT_CELL_HEX, "flags", "FLAGS", "BPF_F_…")},
    {MAP_COLUMN(frozen, VT_CELL_BOOL, "frozen", "FROZEN", "user space may not write any more")},
    {MAP_COLUMN(references, VT_CELL_I64, "references", NULL, "by programs and user space")},
    {MAP_COLUMN(user_references, VT_CELL_I64, "user_references", NULL, "by user space")},
    HOLDER_COLUMNS(vt_bpf_map),
    {MAP_COLUMN(name, VT_CELL_CHARS, "name", "NAME", "as it was made"), .zero_is_none = true},
};

const struct vt_noun vt_noun_bpfmaps = {
    .name = "bpfmaps",
    .member = "maps",
    .summary = "List the kernel's BPF maps",
    .group = "Guest",
    .examples = "vitrine bpfmaps web",
    .columns = map_columns,
    .n_columns = sizeof map_columns / sizeof map_columns[0],
    .walk = walk_maps,
};

#define LINK_COLUMN(member, kind, key, title, doc)                                                 \
    VT_COLUMN(vt_bpf_link, member, kind, key, title, doc)
static const struct vt_column link_columns[] = {
    {LINK_COLUMN(id, VT_CELL_U64, "id", "ID", "number of the link")},
    {LINK_COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "tracing, cgroup, xdp, …")},
    {LINK_COLUMN(program, VT_CELL_U64, "program_id", "PROGRAM", "number of the program"),
     .zero_is_none = true},
    {LINK_COLUMN(program_name, VT_CELL_CHARS, "program_name", "NAME", "of the program"),
     .zero_is_none = true},
    {LINK_COLUMN(ops, VT_CELL_HEX, "ops", NULL, "table of the link's functions")},
    {LINK_COLUMN(ops_name, VT_CELL_CHARS, "ops_name", "KIND", "symbol of that table"),
     .zero_is_none = true},
    HOLDER_COLUMNS(vt_bpf_link),
    {LINK_COLUMN(target, VT_CELL_CHARS, "target", "TARGET", "tracepoint, function or interface"),
     .zero_is_none = true},
};

const struct vt_noun vt_noun_bpflinks = {
    .name = "bpflinks",
    .member = "links",
    .summary = "List what attaches BPF programs",
    .group = "Guest",
    .description = "BPF links. A program can also be attached without one, to a control group, a\n"
                   "socket or an interface.",
    .examples = "vitrine bpflinks web",
    .columns = link_columns,
    .n_columns = sizeof link_columns / sizeof link_columns[0],
    .walk = walk_links,
};
