/* guest/symbols/types.c - collects types and lays them down as BTF. See types.h.
 *
 * A type's records wait in one arena, wherever it was filled in; ids are given when a type is first
 * named. Strings are kept once; names, pointers and arrays are found again through a hash, so what
 * a thousand files repeat is there once. (Documentation/bpf/btf.rst of Linux)
 */
#include "guest/symbols/types.h"

#include "guest/symbols/btf.h"

#include <stdlib.h>
#include <string.h>

#define IDS_MAX (4u << 20)
#define VLEN_MAX 65535u
#define FIRST_SLOTS 1024u
#define PROBES_PER_SLOT 16u       /* honest names need less than one */
#define FLAG UINT32_C(0x80000000) /* kind_flag: bitfields in it, or signed enumerators */

struct type {
    uint32_t name, info, size; /* as in the section */
    uint32_t at, bytes;        /* of its records in the arena */
    bool known;
};

struct arena {
    uint8_t *bytes;
    size_t n, room;
};

struct member {
    uint32_t name, type;
    uint64_t bit; /* or an enumerator's value */
    uint32_t bits;
};

/* From what a type is to its id. */
struct slot {
    uint32_t what, a, b, id;
};

struct table {
    struct slot *slots; /* id 0 is free */
    size_t room, n;
    uint64_t probes;
};

/* Kinds of derived types are below. */
enum { WHAT_NAME = 32 /* + enum vt_types_space */, WHAT_ENUMERATOR = 64 };

struct vt_types {
    struct type *list; /* of id 1 + i */
    uint32_t n, room;
    struct arena records, strings, open; /* open: struct members of what is being described */
    struct table known, names;           /* names: a = hash, id = offset + 1 */
    struct vt_error failed;
};

/* ---------------------------------------------------------------- memory */

static bool ok(const struct vt_types *t)
{
    return t->failed.code == VT_OK;
}

static void *add(struct vt_types *t, struct arena *arena, size_t n)
{
    if (!ok(t)) {
        return NULL;
    }
    if (n > arena->room - arena->n) {
        size_t room = 2 * arena->room + n + 4096;
        if (room > 2 * (size_t)VT_BTF_BYTES_MAX) {
            vt_fail(&t->failed, VT_E_LIMIT, "types: more than %u bytes of them", VT_BTF_BYTES_MAX);
            return NULL;
        }
        uint8_t *more = realloc(arena->bytes, room);
        if (more == NULL) {
            vt_fail(&t->failed, VT_E_NOMEM, "types: out of memory");
            return NULL;
        }
        arena->bytes = more;
        arena->room = room;
    }
    arena->n += n;
    return arena->bytes + arena->n - n;
}

static void put32(struct vt_types *t, struct arena *arena, uint32_t value)
{
    uint8_t *p = add(t, arena, sizeof value);
    if (p != NULL) {
        value = htole32(value);
        memcpy(p, &value, sizeof value);
    }
}

/* ---------------------------------------------------------------- finding again */

static size_t slot_at(const struct table *table, uint32_t what, uint32_t a, uint32_t b)
{
    uint64_t h = (what * UINT64_C(0x9e3779b97f4a7c15)) ^ a * UINT64_C(0xc2b2ae3d27d4eb4f);
    h = (h ^ h >> 29 ^ b) * UINT64_C(0x165667b19e3779f9);
    return (size_t)(h >> 32) & (table->room - 1);
}

static bool grow(struct vt_types *t, struct table *table)
{
    struct table larger = {.room = table->room == 0 ? FIRST_SLOTS : 2 * table->room, .n = table->n};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (larger.slots == NULL) {
        vt_fail(&t->failed, VT_E_NOMEM, "types: out of memory");
        return false;
    }
    for (size_t i = 0; i < table->room; i++) {
        const struct slot *s = &table->slots[i];
        size_t at = slot_at(&larger, s->what, s->a, s->b);
        while (s->id != 0 && larger.slots[at].id != 0) {
            at = (at + 1) & (larger.room - 1);
        }
        larger.slots[at] = s->id != 0 ? *s : larger.slots[at];
    }
    free(table->slots);
    *table = larger;
    return true;
}

/* The slot of (what, a, b), taken or free, `text` (may be NULL) being its string; NULL: failed. */
static struct slot *find(struct vt_types *t, struct table *table, uint32_t what, uint32_t a,
                         uint32_t b, const char *text)
{
    if (!ok(t) || (2 * table->n >= table->room && !grow(t, table))) {
        return NULL;
    }
    size_t at = slot_at(table, what, a, b), probes = 0;
    for (;; at = (at + 1) & (table->room - 1), probes++) {
        struct slot *s = &table->slots[at];
        if (s->id != 0 &&
            (s->what != what || s->a != a || s->b != b ||
             (text != NULL && strcmp((const char *)t->strings.bytes + s->id - 1, text) != 0))) {
            continue;
        }
        table->probes += s->id == 0 ? probes : 0; /* it will be taken */
        if (table->probes > PROBES_PER_SLOT * ((uint64_t)table->n + FIRST_SLOTS)) {
            vt_fail(&t->failed, VT_E_LIMIT, "types: names made to collide");
            return NULL;
        }
        return s;
    }
}

/* Offset of a name in the string section. */
static uint32_t string(struct vt_types *t, const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    }
    struct slot *s = n > 0 ? find(t, &t->names, 0, hash, (uint32_t)n, text) : NULL;
    if (s == NULL) {
        return 0;
    }
    if (s->id == 0) {
        uint8_t *p = add(t, &t->strings, n + 1);
        if (p == NULL) {
            return 0;
        }
        memcpy(p, text, n + 1);
        *s = (struct slot){.a = hash, .b = (uint32_t)n, .id = (uint32_t)(t->strings.n - n - 1) + 1};
        t->names.n++;
    }
    return s->id - 1;
}

/* ---------------------------------------------------------------- types */

static uint32_t new_type(struct vt_types *t, struct type type)
{
    if (!ok(t)) {
        return 0;
    }
    if (t->n == t->room) {
        uint32_t room = t->room == 0 ? 4096 : 2 * t->room;
        struct type *more = room <= IDS_MAX ? realloc(t->list, room * sizeof *more) : NULL;
        if (more == NULL) {
            vt_fail(&t->failed, room <= IDS_MAX ? VT_E_NOMEM : VT_E_LIMIT,
                    "types: no room for %u of them", room);
            return 0;
        }
        t->list = more;
        t->room = room;
    }
    t->list[t->n++] = type;
    return t->n;
}

static struct type *type_of(const struct vt_types *t, uint32_t id)
{
    return ok(t) && id > 0 && id <= t->n ? &t->list[id - 1] : NULL;
}

static uint32_t info(uint32_t kind, uint32_t vlen)
{
    return kind << 24 | vlen;
}

int vt_types_create(struct vt_types **types, struct vt_error *err)
{
    struct vt_types *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "types: out of memory");
    }
    uint8_t *empty = add(t, &t->strings, 1);
    if (empty == NULL) {
        vt_types_destroy(t);
        return vt_fail(err, VT_E_NOMEM, "types: out of memory");
    }
    *empty = 0;
    *types = t;
    return 0;
}

void vt_types_destroy(struct vt_types *t)
{
    if (t != NULL) {
        free(t->list);
        free(t->records.bytes);
        free(t->strings.bytes);
        free(t->open.bytes);
        free(t->known.slots);
        free(t->names.slots);
        free(t);
    }
}

uint32_t vt_types_named(struct vt_types *t, enum vt_types_space space, const char *name,
                        bool is_union)
{
    struct type type = {.name = string(t, name),
                        .info = info(VT_BTF_FWD, 0) | (is_union ? FLAG : 0)};
    if (type.name == 0) {
        return new_type(t, type);
    }
    struct slot *s = find(t, &t->known, WHAT_NAME + (uint32_t)space, type.name, 0, NULL);
    if (s == NULL) {
        return 0;
    }
    if (s->id == 0) {
        uint32_t id = new_type(t, type);
        *s = (struct slot){.what = WHAT_NAME + (uint32_t)space, .a = type.name, .id = id};
        t->known.n += id != 0;
    }
    return s->id;
}

bool vt_types_is_known(const struct vt_types *t, uint32_t id)
{
    const struct type *type = type_of(t, id);
    return type == NULL || type->known;
}

/* A type that is what it refers to: made once. */
static uint32_t derived(struct vt_types *t, enum vt_btf_kind kind, uint32_t of, uint32_t count)
{
    struct slot *s = find(t, &t->known, kind, of, count, NULL);
    if (s == NULL) {
        return 0;
    }
    if (s->id == 0) {
        struct type type = {.info = info(kind, 0), .known = true, .at = (uint32_t)t->records.n};
        if (kind == VT_BTF_ARRAY) {
            put32(t, &t->records, of);
            put32(t, &t->records, 0); /* the type of an index: nobody asks */
            put32(t, &t->records, count);
            type.bytes = 12;
        } else {
            type.size = of;
        }
        *s = (struct slot){.what = kind, .a = of, .b = count, .id = new_type(t, type)};
        t->known.n += s->id != 0;
    }
    return s->id;
}

uint32_t vt_types_pointer(struct vt_types *t, uint32_t to)
{
    return derived(t, VT_BTF_PTR, to, 0);
}

uint32_t vt_types_array(struct vt_types *t, uint32_t of, uint32_t count)
{
    return derived(t, VT_BTF_ARRAY, of, count);
}

uint32_t vt_types_function(struct vt_types *t)
{
    return derived(t, VT_BTF_FUNC_PROTO, 0, 0);
}

void vt_types_set_base(struct vt_types *t, uint32_t id, enum vt_base_kind kind, uint32_t bytes,
                       bool is_signed)
{
    struct type *type = type_of(t, id);
    if (type == NULL || type->known) {
        return;
    }
    type->info = info(kind == VT_BASE_FLOAT ? VT_BTF_FLOAT : VT_BTF_INT, 0);
    type->size = bytes;
    type->at = (uint32_t)t->records.n;
    type->known = true;
    if (kind != VT_BASE_FLOAT) {
        uint32_t encoding =
            (is_signed ? VT_BTF_INT_SIGNED : 0) | (kind == VT_BASE_CHAR   ? VT_BTF_INT_CHAR
                                                   : kind == VT_BASE_BOOL ? VT_BTF_INT_BOOL
                                                                          : 0);
        put32(t, &t->records, encoding << 24 | (bytes <= 16 ? 8 * bytes : 0));
        type->bytes = 4;
    }
}

static void add_open(struct vt_types *t, const char *name, uint32_t type, uint64_t bit,
                     uint32_t bits)
{
    struct member m = {.name = string(t, name), .type = type, .bit = bit, .bits = bits};
    uint8_t *p = add(t, &t->open, sizeof m);
    if (p != NULL) {
        memcpy(p, &m, sizeof m);
    }
}

void vt_types_member(struct vt_types *t, const char *name, uint32_t type, uint64_t bit,
                     uint32_t bits)
{
    add_open(t, name, type, bit, bits);
}

void vt_types_enumerator(struct vt_types *t, const char *name, int64_t value)
{
    add_open(t, name, 0, (uint64_t)value, 0);
}

/* Ends what is open: it belongs to type `id`. NULL: nowhere to put it. */
static struct type *take_open(struct vt_types *t, uint32_t id, uint32_t *n)
{
    struct type *type = type_of(t, id);
    size_t count = t->open.n / sizeof(struct member);
    t->open.n = 0;
    if (type == NULL || type->known) {
        return NULL;
    }
    if (count > VLEN_MAX) {
        vt_fail(&t->failed, VT_E_LIMIT, "types: '%s' has %zu members",
                (const char *)t->strings.bytes + type->name, count);
        return NULL;
    }
    type->known = true;
    type->at = (uint32_t)t->records.n;
    *n = (uint32_t)count;
    return type;
}

static struct member member_at(const struct vt_types *t, uint32_t i)
{
    struct member m;
    memcpy(&m, t->open.bytes + (size_t)i * sizeof m, sizeof m);
    return m;
}

static struct slot *enumerator_slot(struct vt_types *t, uint32_t name)
{
    return find(t, &t->known, WHAT_ENUMERATOR, name, 0, NULL);
}

bool vt_types_has_enumerator(struct vt_types *t, const char *name)
{
    uint32_t text = string(t, name);
    struct slot *s = text != 0 ? enumerator_slot(t, text) : NULL;
    return s != NULL && s->id != 0;
}

void vt_types_set_struct(struct vt_types *t, uint32_t id, bool is_union, uint64_t bytes)
{
    uint32_t n, bitfields = 0;
    struct type *type = take_open(t, id, &n);
    if (type == NULL) {
        return;
    }
    bool fits = bytes <= UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        bitfields = member_at(t, i).bits != 0 ? FLAG : bitfields;
    }
    for (uint32_t i = 0; i < n && fits; i++) {
        struct member m = member_at(t, i);
        fits = m.bits <= 255 && m.bit < UINT64_C(1) << (bitfields != 0 ? 24 : 32);
    }
    if (!fits) {
        vt_fail(&t->failed, VT_E_LIMIT, "types: '%s' is too large",
                (const char *)t->strings.bytes + type->name);
        return;
    }
    type->info = info(is_union ? VT_BTF_UNION : VT_BTF_STRUCT, n) | bitfields;
    type->size = (uint32_t)bytes;
    type->bytes = 12 * n;
    for (uint32_t i = 0; i < n; i++) {
        struct member m = member_at(t, i);
        put32(t, &t->records, m.name);
        put32(t, &t->records, m.type);
        put32(t, &t->records, (uint32_t)m.bit | m.bits << 24);
    }
}

void vt_types_set_enum(struct vt_types *t, uint32_t id, uint32_t bytes)
{
    uint32_t n;
    struct type *type = take_open(t, id, &n);
    if (type == NULL) {
        return;
    }
    bool is_signed = false, wide = bytes > 4;
    for (uint32_t i = 0; i < n; i++) {
        is_signed |= (int64_t)member_at(t, i).bit < 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        int64_t value = (int64_t)member_at(t, i).bit;
        wide |= is_signed ? value != (int32_t)value : value != (int64_t)(uint32_t)value;
    }
    type->info = info(wide ? VT_BTF_ENUM64 : VT_BTF_ENUM, n) | (is_signed ? FLAG : 0);
    type->size = bytes;
    type->bytes = (wide ? 12 : 8) * n;
    for (uint32_t i = 0; i < n; i++) {
        struct member m = member_at(t, i);
        struct slot *s = enumerator_slot(t, m.name);
        if (s != NULL && s->id == 0) {
            *s = (struct slot){.what = WHAT_ENUMERATOR, .a = m.name, .id = id};
            t->known.n++;
        }
        put32(t, &t->records, m.name);
        put32(t, &t->records, (uint32_t)m.bit);
        if (wide) {
            put32(t, &t->records, (uint32_t)(m.bit >> 32));
        }
    }
}

/* ---------------------------------------------------------------- the section */

int vt_types_finish(struct vt_types *t, uint8_t **bytes, size_t *n, struct vt_error *err)
{
    struct arena out = {0};
    uint64_t types_bytes = 12 * (uint64_t)t->n;
    for (uint32_t i = 0; i < t->n; i++) {
        types_bytes += t->list[i].bytes;
    }
    if (ok(t) && 24 + types_bytes + t->strings.n > VT_BTF_BYTES_MAX) {
        vt_fail(&t->failed, VT_E_LIMIT, "types: more than %u bytes of them", VT_BTF_BYTES_MAX);
    }
    put32(t, &out, VT_BTF_MAGIC | 1 << 16);
    put32(t, &out, 24);
    put32(t, &out, 0);
    put32(t, &out, (uint32_t)types_bytes);
    put32(t, &out, (uint32_t)types_bytes);
    put32(t, &out, (uint32_t)t->strings.n);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct type *type = &t->list[i];
        put32(t, &out, type->name);
        put32(t, &out, type->info);
        put32(t, &out, type->size);
        uint8_t *p = add(t, &out, type->bytes);
        if (p != NULL && type->bytes > 0) {
            memcpy(p, t->records.bytes + type->at, type->bytes);
        }
    }
    uint8_t *p = add(t, &out, t->strings.n);
    if (p == NULL) {
        free(out.bytes);
        return vt_fail(err, t->failed.code, "%s", t->failed.message);
    }
    memcpy(p, t->strings.bytes, t->strings.n);
    *bytes = out.bytes;
    *n = out.n;
    return 0;
}
