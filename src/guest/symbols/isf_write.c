/* guest/symbols/isf_write.c - writes a kernel's symbols and types as ISF, type by type. See isf.h.
 *
 * What has no name gets one from its id, and of two types with one name the second does: in ISF the
 * name is all there is. Typedefs and qualifiers are resolved.
 * (volatility3/schemas/schema-6.2.0.json)
 */
#include "guest/symbols/isf.h"

#include "base/json_writer.h"
#include "vitrine/version.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT "6.2.0"
/* Pointers to pointers, arrays of arrays; the JSON writer has room for more. */
#define CHAIN_MAX 16u
#define NAME_MAX_BYTES 1200u

struct writing {
    struct vt_json_writer json;
    const struct vt_btf *btf;
    bool *repeated; /* by id: an earlier enum or base type has its name */
};

/* What enums are made of, by bytes and sign: C's own names, as compilers give them. */
static const struct {
    const char *name;
    uint32_t bytes;
    bool is_signed;
    const char *kind;
} always[] = {
    {"void", 0, false, "void"},
    {"pointer", 8, false, "int"},
    {"unsigned char", 1, false, "char"},
    {"signed char", 1, true, "char"},
    {"short unsigned int", 2, false, "int"},
    {"short int", 2, true, "int"},
    {"unsigned int", 4, false, "int"},
    {"int", 4, true, "int"},
    {"long unsigned int", 8, false, "int"},
    {"long int", 8, true, "int"},
};
#define ALWAYS (sizeof always / sizeof always[0])

static bool is_struct(enum vt_btf_kind kind)
{
    return kind == VT_BTF_STRUCT || kind == VT_BTF_UNION;
}

static bool is_enum(enum vt_btf_kind kind)
{
    return kind == VT_BTF_ENUM || kind == VT_BTF_ENUM64;
}

static bool is_base(enum vt_btf_kind kind)
{
    return kind == VT_BTF_INT || kind == VT_BTF_FLOAT;
}

static const char *integer_of(uint32_t bytes, bool is_signed)
{
    for (size_t i = 2; i < ALWAYS; i++) {
        if (always[i].bytes == bytes && always[i].is_signed == is_signed) {
            return always[i].name;
        }
    }
    return "unsigned int";
}

/* The key of a struct, union or enum. */
static const char *key_of(const struct writing *w, uint32_t id, const struct vt_btf_type *t,
                          char out[NAME_MAX_BYTES])
{
    bool first = is_struct(t->kind) ? vt_btf_struct(w->btf, t->name) == id : !w->repeated[id];
    if (t->name[0] == '\0') {
        snprintf(out, NAME_MAX_BYTES, "unnamed_%s_%u",
                 is_enum(t->kind)          ? "enum"
                 : t->kind == VT_BTF_UNION ? "union"
                                           : "struct",
                 id);
    } else if (first) {
        return t->name;
    } else {
        snprintf(out, NAME_MAX_BYTES, "%.1100s__%u", t->name, id);
    }
    return out;
}

/* ---------------------------------------------------------------- descriptions */

static void named(struct writing *w, const char *kind, const char *name)
{
    vt_json_object(&w->json);
    vt_json_kv_string(&w->json, "kind", kind);
    if (name != NULL) {
        vt_json_kv_string(&w->json, "name", name);
    }
    vt_json_object_end(&w->json);
}

/* What is neither pointer nor array. */
static void describe_end(struct writing *w, uint32_t id, const struct vt_btf_type *t)
{
    char key[NAME_MAX_BYTES];
    if (t->kind == VT_BTF_FWD) {
        uint32_t known = vt_btf_struct(w->btf, t->name);
        bool is_union = known != 0 ? vt_btf_type(w->btf, known).kind == VT_BTF_UNION : t->flag;
        named(w, is_union ? "union" : "struct", t->name[0] != '\0' ? t->name : "unnamed");
    } else if (is_struct(t->kind)) {
        named(w, t->kind == VT_BTF_UNION ? "union" : "struct", key_of(w, id, t, key));
    } else if (is_enum(t->kind)) {
        named(w, "enum", key_of(w, id, t, key));
    } else if (is_base(t->kind) && t->name[0] != '\0') {
        named(w, "base", t->name);
    } else if (t->kind == VT_BTF_FUNC_PROTO || t->kind == VT_BTF_FUNC) {
        named(w, "function", NULL);
    } else {
        named(w, "base", "void");
    }
}

static void describe(struct writing *w, uint32_t id)
{
    unsigned depth = 0;
    for (;; depth++) {
        id = depth < CHAIN_MAX ? vt_btf_strip(w->btf, id) : 0;
        struct vt_btf_type t = vt_btf_type(w->btf, id);
        if (t.kind != VT_BTF_PTR && t.kind != VT_BTF_ARRAY) {
            describe_end(w, id, &t);
            break;
        }
        vt_json_object(&w->json);
        vt_json_kv_string(&w->json, "kind", t.kind == VT_BTF_PTR ? "pointer" : "array");
        if (t.kind == VT_BTF_ARRAY) {
            vt_json_kv_u64(&w->json, "count", t.n);
        }
        vt_json_key(&w->json, "subtype");
        id = t.of;
    }
    for (; depth > 0; depth--) {
        vt_json_object_end(&w->json);
    }
}

/* A bitfield, as bits of the integer it lies in. Returns that one's offset. */
static uint64_t describe_bits(struct writing *w, const struct vt_btf_member *m)
{
    uint32_t id = vt_btf_strip(w->btf, m->type);
    struct vt_btf_type t = vt_btf_type(w->btf, id);
    bool known = (is_enum(t.kind) || (t.kind == VT_BTF_INT && t.name[0] != '\0')) && t.bytes > 0;
    uint64_t unit = known ? 8 * (uint64_t)t.bytes : 32;
    uint64_t at = m->bit / unit * unit;
    if (m->bit % unit + m->bits > unit) { /* packed: across the units */
        at = m->bit / 8 * 8;
        known = known && m->bit - at + m->bits <= unit;
    }
    vt_json_object(&w->json);
    vt_json_kv_string(&w->json, "kind", "bitfield");
    vt_json_kv_u64(&w->json, "bit_position", m->bit - at);
    vt_json_kv_u64(&w->json, "bit_length", m->bits);
    vt_json_key(&w->json, "type");
    if (known) {
        describe_end(w, id, &t);
    } else {
        named(w, "base", integer_of(m->bit - at + m->bits > 32 ? 8 : 4, false));
    }
    vt_json_object_end(&w->json);
    return at / 8;
}

/* ---------------------------------------------------------------- sections */

static void write_struct(struct writing *w, uint32_t id, const struct vt_btf_type *t)
{
    char key[NAME_MAX_BYTES];
    vt_json_key(&w->json, key_of(w, id, t, key));
    vt_json_object(&w->json);
    vt_json_kv_string(&w->json, "kind", t->kind == VT_BTF_UNION ? "union" : "struct");
    vt_json_kv_u64(&w->json, "size", t->bytes);
    vt_json_key(&w->json, "fields");
    vt_json_object(&w->json);
    for (uint32_t i = 0; i < t->n; i++) {
        struct vt_btf_member m = vt_btf_member_at(w->btf, id, i);
        uint64_t offset = m.bit / 8;
        snprintf(key, sizeof key, "unnamed_field_%u", i);
        vt_json_key(&w->json, m.name[0] != '\0' ? m.name : key);
        vt_json_object(&w->json);
        vt_json_key(&w->json, "type");
        if (m.bits != 0) {
            offset = describe_bits(w, &m);
        } else {
            describe(w, m.type);
        }
        vt_json_kv_u64(&w->json, "offset", offset);
        if (m.name[0] == '\0') {
            vt_json_kv_bool(&w->json, "anonymous", true);
        }
        vt_json_object_end(&w->json);
    }
    vt_json_object_end(&w->json);
    vt_json_object_end(&w->json);
}

static void write_enum(struct writing *w, uint32_t id, const struct vt_btf_type *t)
{
    char key[NAME_MAX_BYTES];
    vt_json_key(&w->json, key_of(w, id, t, key));
    vt_json_object(&w->json);
    vt_json_kv_u64(&w->json, "size", t->bytes);
    vt_json_kv_string(&w->json, "base", integer_of(t->bytes, t->flag));
    vt_json_key(&w->json, "constants");
    vt_json_object(&w->json);
    for (uint32_t i = 0; i < t->n; i++) {
        const char *name;
        int64_t value;
        vt_btf_enumerator_at(w->btf, id, i, &name, &value);
        if (t->flag) {
            vt_json_kv_i64(&w->json, name, value);
        } else {
            vt_json_kv_u64(&w->json, name, (uint64_t)value);
        }
    }
    vt_json_object_end(&w->json);
    vt_json_object_end(&w->json);
}

static void write_base(struct writing *w, const char *name, uint32_t bytes, bool is_signed,
                       const char *kind)
{
    vt_json_key(&w->json, name);
    vt_json_object(&w->json);
    vt_json_kv_u64(&w->json, "size", bytes);
    vt_json_kv_bool(&w->json, "signed", is_signed);
    vt_json_kv_string(&w->json, "kind", kind);
    vt_json_kv_string(&w->json, "endian", "little");
    vt_json_object_end(&w->json);
}

static void write_bases(struct writing *w)
{
    for (size_t i = 0; i < ALWAYS; i++) {
        write_base(w, always[i].name, always[i].bytes, always[i].is_signed, always[i].kind);
    }
    for (uint32_t id = 1; id <= vt_btf_types(w->btf); id++) {
        struct vt_btf_type t = vt_btf_type(w->btf, id);
        bool there = !is_base(t.kind) || t.name[0] == '\0' || w->repeated[id];
        for (size_t i = 0; i < ALWAYS && !there; i++) {
            there = strcmp(always[i].name, t.name) == 0;
        }
        if (!there) {
            write_base(w, t.name, t.bytes, t.encoding & VT_BTF_INT_SIGNED,
                       t.kind == VT_BTF_FLOAT                           ? "float"
                       : t.encoding & VT_BTF_INT_BOOL                   ? "bool"
                       : t.bytes == 1 && strstr(t.name, "char") != NULL ? "char"
                                                                        : "int");
        }
    }
}

/* Base64 (RFC 4648) of the banner as it stands in the kernel: newline and zero behind it. */
static void write_banner(struct writing *w, const char *banner)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[VT_ISF_BANNER_MAX + 2], out[sizeof text * 4 / 3 + 8];
    size_t n = (size_t)snprintf(text, sizeof text, "%.*s\n", (int)VT_ISF_BANNER_MAX, banner) + 1;
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 3; k++) {
            bits = bits << 8 | (k < n ? (uint8_t)text[k] : 0);
        }
        for (unsigned k = 0; k < 4; k++) {
            out[at++] = i + k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
        }
    }
    vt_json_key(&w->json, "constant_data");
    vt_json_string_n(&w->json, out, at);
}

static void write_symbols(struct writing *w, const struct vt_isf_source *source)
{
    for (size_t i = 0; i < source->symbols->n; i++) {
        const struct vt_symbol *s = &source->symbols->list[i];
        const char *name = vt_symbols_name(source->symbols, s);
        if (vt_symbols_find(source->symbols, name) != s) {
            continue; /* an earlier one has the name */
        }
        vt_json_key(&w->json, name);
        vt_json_object(&w->json);
        vt_json_kv_u64(&w->json, "address", (s->absolute ? 0 : source->text) + (uint64_t)s->value);
        vt_json_key(&w->json, "type");
        describe(w, source->symbol_types != NULL ? source->symbol_types[i] : 0);
        if (strcmp(name, "linux_banner") == 0) {
            write_banner(w, source->banner);
        }
        vt_json_object_end(&w->json);
    }
}

static void write_origin(struct writing *w, const char *what, const char *kind, const char *name)
{
    vt_json_key(&w->json, what);
    vt_json_array(&w->json);
    if (kind != NULL) {
        named(w, kind, name);
    }
    vt_json_array_end(&w->json);
}

static void write_metadata(struct writing *w, const struct vt_isf_source *source)
{
    vt_json_key(&w->json, "metadata");
    vt_json_object(&w->json);
    vt_json_kv_string(&w->json, "format", FORMAT);
    vt_json_key(&w->json, "producer");
    vt_json_object(&w->json);
    vt_json_kv_string(&w->json, "name", "vitrine");
    vt_json_kv_string(&w->json, "version", VITRINE_VERSION);
    vt_json_object_end(&w->json);
    vt_json_key(&w->json, "linux");
    vt_json_object(&w->json);
    write_origin(w, "symbols", source->kind != NULL ? "symtab" : NULL, source->name);
    write_origin(w, "types", source->kind, source->name);
    vt_json_object_end(&w->json);
    vt_json_object_end(&w->json);
}

/* ---------------------------------------------------------------- repeated names */

struct name {
    const char *text;
    uint32_t id;
    bool is_enum; /* enums and base types have one name space each */
};

static int by_name(const void *left, const void *right)
{
    const struct name *a = left, *b = right;
    int order = a->is_enum - b->is_enum;
    order = order != 0 ? order : strcmp(a->text, b->text);
    return order != 0 ? order : a->id < b->id ? -1 : a->id > b->id;
}

static int find_repeated(struct writing *w, struct vt_error *err)
{
    uint32_t count = (uint32_t)vt_btf_types(w->btf) + 1, n = 0;
    struct name *names = calloc(count, sizeof *names);
    w->repeated = calloc(count, sizeof *w->repeated);
    if (names == NULL || w->repeated == NULL) {
        free(names);
        return vt_fail(err, VT_E_NOMEM, "ISF: out of memory");
    }
    for (uint32_t id = 1; id < count; id++) {
        struct vt_btf_type t = vt_btf_type(w->btf, id);
        if (is_base(t.kind) || is_enum(t.kind)) {
            names[n++] = (struct name){t.name, id, is_enum(t.kind)};
        }
    }
    qsort(names, n, sizeof *names, by_name);
    for (uint32_t i = 1; i < n; i++) {
        w->repeated[names[i].id] = names[i].is_enum == names[i - 1].is_enum &&
                                   strcmp(names[i].text, names[i - 1].text) == 0;
    }
    free(names);
    return 0;
}

int vt_isf_write(FILE *out, const struct vt_isf_source *source, struct vt_error *err)
{
    struct writing w = {.btf = source->types};
    struct vt_json_writer *json = &w.json;
    uint32_t types = (uint32_t)vt_btf_types(w.btf);
    int rc = find_repeated(&w, err);
    if (rc != 0) {
        free(w.repeated);
        return rc;
    }
    vt_json_init(json, out, false);
    vt_json_object(json);
    write_metadata(&w, source);
    vt_json_key(json, "base_types");
    vt_json_object(json);
    write_bases(&w);
    vt_json_object_end(json);
    vt_json_key(json, "symbols");
    vt_json_object(json);
    write_symbols(&w, source);
    vt_json_object_end(json);
    vt_json_key(json, "enums");
    vt_json_object(json);
    for (uint32_t id = 1; id <= types; id++) {
        struct vt_btf_type t = vt_btf_type(w.btf, id);
        if (is_enum(t.kind)) {
            write_enum(&w, id, &t);
        }
    }
    vt_json_object_end(json);
    vt_json_key(json, "user_types");
    vt_json_object(json);
    for (uint32_t id = 1; id <= types; id++) {
        struct vt_btf_type t = vt_btf_type(w.btf, id);
        if (is_struct(t.kind)) {
            write_struct(&w, id, &t);
        }
    }
    vt_json_object_end(json);
    vt_json_object_end(json);
    vt_json_finish(json);
    free(w.repeated);
    return 0;
}
