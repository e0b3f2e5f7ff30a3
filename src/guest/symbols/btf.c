/* guest/symbols/btf.c - reads BTF in place. See btf.h.
 *
 * One pass lists where each type begins and proves that all its records lie inside the section;
 * named structs and unions go into a hash. Members are found through anonymous members with a
 * stack of bounded depth and a bounded number of steps, since hostile types may contain themselves.
 */
#include "guest/symbols/btf.h"

#include "base/cursor.h"
#include "vitrine/guest.h"

#include <stdlib.h>
#include <string.h>

#define TYPES_MAX (4u << 20)
#define CHAIN_MAX 32u /* typedefs and qualifiers in a row */
#define DEPTH_MAX 16u /* anonymous members inside each other */
#define STEPS_MAX 100000u
#define NAME_MAX_BYTES 128u
#define PROBES_PER_SLOT 16u /* names of a kernel need less than one */

/* Bytes behind the common 12 of a type: fixed, and for each of its vlen records. */
static const struct {
    uint8_t fixed, each;
} records[VT_BTF_KINDS] = {
    [VT_BTF_INT] = {4, 0},     [VT_BTF_ARRAY] = {12, 0},   [VT_BTF_STRUCT] = {0, 12},
    [VT_BTF_UNION] = {0, 12},  [VT_BTF_ENUM] = {0, 8},     [VT_BTF_FUNC_PROTO] = {0, 8},
    [VT_BTF_VAR] = {4, 0},     [VT_BTF_DATASEC] = {0, 12}, [VT_BTF_DECL_TAG] = {4, 0},
    [VT_BTF_ENUM64] = {0, 12},
};

struct vt_btf {
    const struct vt_btf *base; /* has the ids below `first` and the strings below first_string */
    uint32_t first, first_string;
    uint32_t own; /* its own first type: not void */
    uint8_t *bytes;
    size_t bytes_n;
    const uint8_t *types; /* the type section */
    const char *strings;  /* the string section; its last byte is zero */
    uint32_t strings_bytes;
    uint32_t *at;      /* where type first + i begins in `types`; id 0 is void and unused */
    uint32_t n;        /* ids, void and the base's included */
    uint32_t *structs; /* open addressing by name: ids of named structs and unions, 0 is free */
    uint32_t mask;
};

struct type {
    uint32_t name, vlen, size; /* size: of what has one; else the type referred to */
    enum vt_btf_kind kind;
    bool bitfields; /* member offsets carry a bit size in their top byte */
    const uint8_t *records;
};

static struct type type_of(const struct vt_btf *btf, uint32_t id)
{
    btf = id < btf->first ? btf->base : btf;
    const uint8_t *p = btf->types + btf->at[id - btf->first];
    uint32_t info = vt_le32(p + 4);
    return (struct type){.name = vt_le32(p),
                         .vlen = info & 0xffff,
                         .size = vt_le32(p + 8),
                         .kind = (enum vt_btf_kind)(info >> 24 & 31),
                         .bitfields = info >> 31,
                         .records = p + 12};
}

/* "" for offsets outside. */
static const char *string_at(const struct vt_btf *btf, uint32_t offset)
{
    btf = offset < btf->first_string ? btf->base : btf;
    offset -= btf->first_string;
    return offset < btf->strings_bytes ? btf->strings + offset : "";
}

static bool is_struct(enum vt_btf_kind kind)
{
    return kind == VT_BTF_STRUCT || kind == VT_BTF_UNION;
}

/* ---------------------------------------------------------------- making one */

static int list_types(struct vt_btf *btf, struct vt_cursor c, struct vt_error *err)
{
    /* The smallest type has 12 bytes. */
    size_t room = c.size / 12 + 1;
    if (room + btf->first > TYPES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "BTF: more than %u types", TYPES_MAX);
    }
    btf->at = malloc(room * sizeof *btf->at);
    if (btf->at == NULL) {
        return vt_fail(err, VT_E_NOMEM, "BTF: out of memory");
    }
    btf->n = btf->first;
    if (btf->base == NULL) {
        btf->at[btf->n++] = 0;
    }
    while (vt_cursor_left(&c) > 0) {
        size_t at = c.at;
        vt_cursor_u32(&c);
        uint32_t info = vt_cursor_u32(&c), kind = info >> 24 & 31, vlen = info & 0xffff;
        vt_cursor_u32(&c);
        if (!c.bad && (kind == 0 || kind >= VT_BTF_KINDS)) {
            return vt_fail(err, VT_E_UNSUPPORTED, "BTF: type %u is of kind %u", btf->n, kind);
        }
        if (c.bad ||
            vt_cursor_take(&c, records[kind].fixed + (size_t)vlen * records[kind].each) == NULL) {
            return vt_fail(err, VT_E_CORRUPT, "BTF: type %u is cut off", btf->n);
        }
        btf->at[btf->n++ - btf->first] = (uint32_t)at;
    }
    return 0;
}

static uint32_t hash_of(const char *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 16777619u;
    }
    return h;
}

/* The slot that holds `name` or is free for it; *probes counts the steps. */
static uint32_t *struct_slot(const struct vt_btf *btf, const char *name, uint64_t *probes)
{
    uint32_t at = hash_of(name) & btf->mask;
    while (btf->structs[at] != 0 &&
           strcmp(string_at(btf, type_of(btf, btf->structs[at]).name), name) != 0) {
        at = (at + 1) & btf->mask;
        ++*probes;
    }
    return &btf->structs[at];
}

static int index_structs(struct vt_btf *btf, struct vt_error *err)
{
    uint32_t named = 0, slots = 64;
    for (uint32_t id = btf->own; id < btf->n; id++) {
        struct type t = type_of(btf, id);
        named += is_struct(t.kind) && *string_at(btf, t.name) != '\0';
    }
    while (slots < 2 * named) {
        slots *= 2;
    }
    btf->mask = slots - 1;
    btf->structs = calloc(slots, sizeof *btf->structs);
    if (btf->structs == NULL) {
        return vt_fail(err, VT_E_NOMEM, "BTF: out of memory");
    }
    uint64_t probes = 0;
    for (uint32_t id = btf->own; id < btf->n; id++) {
        struct type t = type_of(btf, id);
        const char *name = string_at(btf, t.name);
        if (!is_struct(t.kind) || *name == '\0') {
            continue;
        }
        if (memchr(name, '\0', NAME_MAX_BYTES) == NULL) {
            /* Long names sharing a tail would make hashing quadratic; C has none. */
            return vt_fail(err, VT_E_CORRUPT, "BTF: the name of type %u is too long", id);
        }
        uint32_t *slot = struct_slot(btf, name, &probes);
        *slot = *slot == 0 ? id : *slot;
        if (probes > (uint64_t)slots * PROBES_PER_SLOT) {
            return vt_fail(err, VT_E_LIMIT, "BTF: names made to collide");
        }
    }
    return 0;
}

int vt_btf_create(uint8_t *bytes, size_t n, struct vt_btf **out, struct vt_error *err)
{
    return vt_btf_create_split(bytes, n, NULL, out, err);
}

int vt_btf_create_split(uint8_t *bytes, size_t n, const struct vt_btf *base, struct vt_btf **out,
                        struct vt_error *err)
{
    struct vt_btf *btf = calloc(1, sizeof *btf);
    if (btf == NULL) {
        free(bytes);
        return vt_fail(err, VT_E_NOMEM, "BTF: out of memory");
    }
    btf->bytes = bytes;
    btf->bytes_n = n;
    btf->base = base;
    btf->first = base != NULL ? base->n : 0;
    btf->own = base != NULL ? base->n : 1;
    btf->first_string = base != NULL ? base->first_string + base->strings_bytes : 0;
    struct vt_cursor c = vt_cursor_of(bytes, n);
    uint16_t magic = vt_cursor_u16(&c);
    uint8_t version = vt_cursor_u8(&c);
    vt_cursor_u8(&c);
    uint64_t header = vt_cursor_u32(&c);
    uint64_t types_at = vt_cursor_u32(&c) + header, types_bytes = vt_cursor_u32(&c);
    uint64_t strings_at = vt_cursor_u32(&c) + header, strings_bytes = vt_cursor_u32(&c);
    int rc = 0;
    if (c.bad || magic != VT_BTF_MAGIC || version != 1 || n > VT_BTF_BYTES_MAX ||
        types_at + types_bytes > n || strings_at + strings_bytes > n ||
        (strings_bytes == 0 ? base == NULL : bytes[strings_at + strings_bytes - 1] != '\0')) {
        rc = vt_fail(err, VT_E_CORRUPT, "BTF: not a valid header");
    } else {
        btf->types = bytes + types_at;
        btf->strings = (const char *)bytes + strings_at;
        btf->strings_bytes = (uint32_t)strings_bytes;
        rc = list_types(btf, vt_cursor_of(btf->types, types_bytes), err);
    }
    if (rc == 0) {
        rc = index_structs(btf, err);
    }
    if (rc != 0) {
        vt_btf_destroy(btf);
        return rc;
    }
    *out = btf;
    return 0;
}

void vt_btf_destroy(struct vt_btf *btf)
{
    if (btf != NULL) {
        free(btf->bytes);
        free(btf->at);
        free(btf->structs);
        free(btf);
    }
}

const uint8_t *vt_btf_bytes(const struct vt_btf *btf, size_t *n)
{
    *n = btf->bytes_n;
    return btf->bytes;
}

size_t vt_btf_types(const struct vt_btf *btf)
{
    return btf->n - 1;
}

/* ---------------------------------------------------------------- asking it */

uint32_t vt_btf_strip(const struct vt_btf *btf, uint32_t id)
{
    for (unsigned i = 0; i < CHAIN_MAX && id != 0 && id < btf->n; i++) {
        struct type t = type_of(btf, id);
        switch (t.kind) {
        case VT_BTF_TYPEDEF:
        case VT_BTF_VOLATILE:
        case VT_BTF_CONST:
        case VT_BTF_RESTRICT:
        case VT_BTF_TYPE_TAG:
            id = t.size;
            break;
        default:
            return id;
        }
    }
    return 0;
}

int vt_btf_size(const struct vt_btf *btf, uint32_t id, uint32_t *bytes, struct vt_error *err)
{
    uint64_t count = 1;
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        id = vt_btf_strip(btf, id);
        if (id == 0) {
            break;
        }
        struct type t = type_of(btf, id);
        uint64_t size;
        switch (t.kind) {
        case VT_BTF_INT:
        case VT_BTF_STRUCT:
        case VT_BTF_UNION:
        case VT_BTF_ENUM:
        case VT_BTF_FLOAT:
        case VT_BTF_ENUM64:
            size = t.size;
            break;
        case VT_BTF_PTR:
            size = 8;
            break;
        case VT_BTF_ARRAY:
            count *= vt_le32(t.records + 8);
            if (count > UINT32_MAX) {
                return vt_fail(err, VT_E_CORRUPT, "BTF: an array of %llu elements",
                               (unsigned long long)count);
            }
            id = vt_le32(t.records);
            continue;
        default:
            return vt_fail(err, VT_E_CORRUPT, "BTF: type %u has no size", id);
        }
        if (count * size > UINT32_MAX) {
            return vt_fail(err, VT_E_CORRUPT, "BTF: type %u is too large", id);
        }
        *bytes = (uint32_t)(count * size);
        return 0;
    }
    return vt_fail(err, VT_E_CORRUPT, "BTF: a chain of types without end");
}

uint32_t vt_btf_struct(const struct vt_btf *btf, const char *name)
{
    uint64_t probes = 0;
    return *struct_slot(btf, name, &probes);
}

static int find_struct(const struct vt_btf *btf, const char *name, uint32_t *id,
                       struct vt_error *err)
{
    uint32_t found = vt_btf_struct(btf, name);
    if (found == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "the kernel's types have no struct %s", name);
    }
    *id = found;
    return 0;
}

static struct vt_btf_member member_of(const struct vt_btf *btf, const struct type *t, uint32_t i)
{
    const uint8_t *member = t->records + 12 * (size_t)i;
    uint32_t offset = vt_le32(member + 8);
    return (struct vt_btf_member){.name = string_at(btf, vt_le32(member)),
                                  .type = vt_le32(member + 4),
                                  .bit = t->bitfields ? offset & 0xffffff : offset,
                                  .bits = t->bitfields ? offset >> 24 : 0};
}

/* Goes through the members of a struct and of its anonymous members. */
struct level {
    struct type type;
    uint32_t next;
    uint64_t bit;
};
struct members {
    const struct vt_btf *btf;
    struct level stack[DEPTH_MAX];
    unsigned depth, steps;
};

static void members_begin(struct members *m, const struct vt_btf *btf, uint32_t id)
{
    m->btf = btf;
    m->depth = 1;
    m->steps = 0;
    m->stack[0] = (struct level){.type = type_of(btf, id)};
}

/* false: there are no more. A member's place is from the outermost struct. */
static bool members_next(struct members *m, struct vt_btf_member *found)
{
    while (m->depth > 0 && m->steps++ < STEPS_MAX) {
        struct level *top = &m->stack[m->depth - 1];
        if (top->next == top->type.vlen) {
            m->depth--;
            continue;
        }
        *found = member_of(m->btf, &top->type, top->next++);
        found->bit += top->bit;
        uint32_t inner = *found->name == '\0' ? vt_btf_strip(m->btf, found->type) : 0;
        if (inner != 0 && is_struct(type_of(m->btf, inner).kind) && m->depth < DEPTH_MAX) {
            m->stack[m->depth++] =
                (struct level){.type = type_of(m->btf, inner), .bit = found->bit};
        }
        return true;
    }
    return false;
}

/* The member called name[0..length) in struct `id` or in its anonymous members. */
static bool find_member(const struct vt_btf *btf, uint32_t id, const char *name, size_t length,
                        struct vt_btf_member *found)
{
    struct members m;
    members_begin(&m, btf, id);
    while (members_next(&m, found)) {
        if (strncmp(found->name, name, length) == 0 && found->name[length] == '\0') {
            return true;
        }
    }
    return false;
}

int vt_btf_each_member(const struct vt_btf *btf, const char *struct_name,
                       int (*fn)(const struct vt_btf_member *member, void *arg), void *arg,
                       struct vt_error *err)
{
    struct members m;
    struct vt_btf_member member;
    uint32_t id = 0;
    int rc = find_struct(btf, struct_name, &id, err);
    if (rc != 0) {
        return rc;
    }
    members_begin(&m, btf, id);
    while (rc == 0 && members_next(&m, &member)) {
        rc = fn(&member, arg);
    }
    return rc;
}

int vt_btf_hooks(const struct vt_btf *btf, const char *struct_name, struct vt_btf_hook *hooks,
                 size_t max, size_t *n, struct vt_error *err)
{
    struct members m;
    struct vt_btf_member found;
    uint32_t id = 0;
    size_t count = 0;
    int rc = find_struct(btf, struct_name, &id, err);
    if (rc != 0) {
        return rc;
    }
    members_begin(&m, btf, id);
    while (count < max && members_next(&m, &found)) {
        uint32_t pointer = vt_btf_strip(btf, found.type);
        uint32_t to = pointer != 0 && type_of(btf, pointer).kind == VT_BTF_PTR
                          ? vt_btf_strip(btf, type_of(btf, pointer).size)
                          : 0;
        if (to != 0 && type_of(btf, to).kind == VT_BTF_FUNC_PROTO) {
            hooks[count++] = (struct vt_btf_hook){found.name, (uint32_t)(found.bit / 8)};
        }
    }
    *n = count;
    return 0;
}

int vt_btf_member(const struct vt_btf *btf, const char *struct_name, const char *path,
                  struct vt_member *member, struct vt_error *err)
{
    uint32_t id = 0, bytes = 0;
    uint64_t bit = 0;
    struct vt_btf_member found = {0};
    int rc = find_struct(btf, struct_name, &id, err);
    if (rc != 0) {
        return rc;
    }
    for (const char *at = path;;) {
        size_t length = strcspn(at, ".");
        if (length == 0 || id == 0 || !is_struct(type_of(btf, id).kind) ||
            !find_member(btf, id, at, length, &found)) {
            return vt_fail(err, VT_E_NOT_FOUND, "the kernel's struct %s has no member %s",
                           struct_name, path);
        }
        bit += found.bit;
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
        id = vt_btf_strip(btf, found.type);
    }
    if (found.bits != 0) {
        bytes = (uint32_t)((bit % 8 + found.bits + 7) / 8);
    } else {
        rc = vt_btf_size(btf, found.type, &bytes, err);
    }
    if (rc == 0 && bit / 8 > UINT32_MAX - bytes) {
        rc = vt_fail(err, VT_E_CORRUPT, "BTF: %s.%s lies too far out", struct_name, path);
    }
    if (rc == 0) {
        *member = (struct vt_member){.offset = (uint32_t)(bit / 8),
                                     .size = bytes,
                                     .bit = (uint8_t)(bit % 8),
                                     .bits = (uint8_t)found.bits};
    }
    return rc;
}

int vt_btf_struct_size(const struct vt_btf *btf, const char *struct_name, uint32_t *bytes,
                       struct vt_error *err)
{
    uint32_t id = 0;
    int rc = find_struct(btf, struct_name, &id, err);
    return rc != 0 ? rc : vt_btf_size(btf, id, bytes, err);
}

int vt_btf_enumerator(const struct vt_btf *btf, const char *name, int64_t *value,
                      struct vt_error *err)
{
    for (uint32_t id = btf->own; id < btf->n; id++) {
        struct type t = type_of(btf, id);
        size_t each = t.kind == VT_BTF_ENUM ? 8 : t.kind == VT_BTF_ENUM64 ? 12 : 0;
        for (uint32_t i = 0; each != 0 && i < t.vlen; i++) {
            if (strcmp(string_at(btf, vt_le32(t.records + each * i)), name) == 0) {
                vt_btf_enumerator_at(btf, id, i, &name, value);
                return 0;
            }
        }
    }
    return vt_fail(err, VT_E_NOT_FOUND, "the kernel's types have no enumerator %s", name);
}

int vt_btf_enumerator_name(const struct vt_btf *btf, const char *enum_name, int64_t value,
                           const char **name, struct vt_error *err)
{
    const char *found = NULL;
    for (uint32_t id = btf->own; id < btf->n && found == NULL; id++) {
        struct type t = type_of(btf, id);
        if ((t.kind != VT_BTF_ENUM && t.kind != VT_BTF_ENUM64) ||
            strcmp(string_at(btf, t.name), enum_name) != 0) {
            continue;
        }
        for (uint32_t i = 0; i < t.vlen; i++) {
            const char *one;
            int64_t its;
            vt_btf_enumerator_at(btf, id, i, &one, &its);
            found = its == value ? one : found;
        }
    }
    if (found == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "the kernel's enum %s has no such value", enum_name);
    }
    *name = found;
    return 0;
}

/* ---------------------------------------------------------------- all there is */

struct vt_btf_type vt_btf_type(const struct vt_btf *btf, uint32_t id)
{
    if (id == 0 || id >= btf->n) {
        return (struct vt_btf_type){.name = ""};
    }
    struct type t = type_of(btf, id);
    struct vt_btf_type out = {
        .kind = t.kind, .name = string_at(btf, t.name), .n = t.vlen, .flag = t.bitfields};
    switch (t.kind) {
    case VT_BTF_INT:
        out.bytes = t.size;
        out.encoding = vt_le32(t.records) >> 24;
        break;
    case VT_BTF_STRUCT:
    case VT_BTF_UNION:
    case VT_BTF_ENUM:
    case VT_BTF_ENUM64:
    case VT_BTF_FLOAT:
    case VT_BTF_DATASEC:
        out.bytes = t.size;
        break;
    case VT_BTF_ARRAY:
        out.of = vt_le32(t.records);
        out.n = vt_le32(t.records + 8);
        break;
    default:
        out.of = t.size;
        break;
    }
    return out;
}

struct vt_btf_member vt_btf_member_at(const struct vt_btf *btf, uint32_t id, uint32_t i)
{
    struct type t = type_of(btf, id);
    return member_of(btf, &t, i);
}

void vt_btf_enumerator_at(const struct vt_btf *btf, uint32_t id, uint32_t i, const char **name,
                          int64_t *value)
{
    struct type t = type_of(btf, id);
    bool wide = t.kind == VT_BTF_ENUM64;
    const uint8_t *e = t.records + (wide ? 12 : 8) * (size_t)i;
    *name = string_at(btf, vt_le32(e));
    *value = wide                       ? (int64_t)vt_le64(e + 4)
             : t.bitfields /* signed */ ? (int32_t)vt_le32(e + 4)
                                        : (int64_t)vt_le32(e + 4);
}
