/* guest/symbols/isf_read.c - reads ISF as it streams by. See isf.h.
 *
 * A stack says what the object around us is; what an object in it means follows from that and from
 * the last key. Types are handed to struct vt_types as they come: they may be used before they are
 * described. A description of a type is an object inside an object inside …: its depth has a cap,
 * and so has everything a file can make us keep.
 */
#include "guest/symbols/isf.h"

#include "base/paths.h"
#include "guest/symbols/types.h"
#include "guest/symbols/xz.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define DEPTH_MAX 48u
#define CHUNK (1u << 16)
/* No name, number or blank between them is longer: what grows inside the JSON parser stays small.
 */
#define QUIET_CHUNKS_MAX 16u
#define KERNEL_MAP                                                                                 \
    UINT64_C(0xffffffff80000000) /* __START_KERNEL_map; per-CPU symbols are below                  \
                                  */
#define KIND_MAX 16u

/* What the object around us is. */
enum place {
    TOP,
    BASES,
    BASE,
    STRUCTS,
    STRUCT,
    FIELDS,
    FIELD,
    ENUMS,
    ENUM,
    CONSTANTS,
    SYMBOLS,
    SYMBOL,
    DESCRIPTION,
    ELSEWHERE,
};

/* Keys that mean something. */
enum word {
    W_OTHER,
    W_ADDRESS,
    W_ANONYMOUS,
    W_BASE_TYPES,
    W_BIT_LENGTH,
    W_BIT_POSITION,
    W_CONSTANT_DATA,
    W_CONSTANTS,
    W_COUNT,
    W_ENUMS,
    W_FIELDS,
    W_KIND,
    W_NAME,
    W_OFFSET,
    W_SIGNED,
    W_SIZE,
    W_SUBTYPE,
    W_SYMBOLS,
    W_TYPE,
    W_USER_TYPES,
    WORDS,
};
static const char *const words[WORDS] = {
    [W_ADDRESS] = "address",
    [W_ANONYMOUS] = "anonymous",
    [W_BASE_TYPES] = "base_types",
    [W_BIT_LENGTH] = "bit_length",
    [W_BIT_POSITION] = "bit_position",
    [W_CONSTANT_DATA] = "constant_data",
    [W_CONSTANTS] = "constants",
    [W_COUNT] = "count",
    [W_ENUMS] = "enums",
    [W_FIELDS] = "fields",
    [W_KIND] = "kind",
    [W_NAME] = "name",
    [W_OFFSET] = "offset",
    [W_SIGNED] = "signed",
    [W_SIZE] = "size",
    [W_SUBTYPE] = "subtype",
    [W_SYMBOLS] = "symbols",
    [W_TYPE] = "type",
    [W_USER_TYPES] = "user_types",
};

/* A description, whole once its object has ended. */
struct description {
    char kind[KIND_MAX], name[VT_SYMBOL_NAME_MAX];
    uint64_t count, bit, bits;
    uint32_t of; /* what it describes is made of */
};

struct parser {
    enum place places[DEPTH_MAX];
    unsigned depth;
    enum word word;
    char entry[VT_SYMBOL_NAME_MAX], field[VT_SYMBOL_NAME_MAX]; /* names we are inside of */

    char kind[KIND_MAX]; /* of the entry */
    uint64_t size;
    bool is_signed;
    uint64_t offset; /* of the field */
    bool anonymous;
    uint64_t address;
    bool has_address;
    struct description descriptions[DEPTH_MAX]; /* by depth */
    struct description whole;                   /* the field's */
    uint32_t type;                              /* its id */

    bool peek; /* only banner and _text are wanted; done: they are there */
    bool done;
    struct vt_types *types;
    struct vt_symbols symbols;
    size_t symbols_room, names_room;
    char banner[VT_ISF_BANNER_MAX];
    uint64_t banner_at, text;
    bool has_banner, has_text;
    struct vt_error *err;
    bool callback; /* something came of the last chunk */
};

static enum place place(const struct parser *p)
{
    return p->depth > 0 ? p->places[p->depth - 1] : ELSEWHERE;
}

static int refuse(struct parser *p, enum vt_code code, const char *what)
{
    vt_fail(p->err, code, "ISF: %s%s%s", what, p->entry[0] != '\0' ? " in " : "", p->entry);
    return 0;
}

static bool copy_name(char *to, size_t size, const unsigned char *text, size_t n)
{
    if (n >= size || memchr(text, '\0', n) != NULL) {
        return false;
    }
    memcpy(to, text, n);
    to[n] = '\0';
    return true;
}

/* ---------------------------------------------------------------- what was read */

static int add_symbol(struct parser *p)
{
    struct vt_symbols *s = &p->symbols;
    size_t n = strlen(p->entry) + 1;
    if (s->n == p->symbols_room) {
        size_t room = s->n == 0 ? 4096 : 2 * s->n;
        struct vt_symbol *more =
            room <= 2 * (size_t)VT_SYMBOLS_MAX ? realloc(s->list, room * sizeof *more) : NULL;
        if (more == NULL) {
            return refuse(p, VT_E_LIMIT, "too many symbols");
        }
        s->list = more;
        p->symbols_room = room;
    }
    if (n > p->names_room - s->names_bytes) {
        size_t room = 2 * p->names_room + VT_SYMBOL_NAME_MAX;
        char *more = room <= 2 * (size_t)VT_SYMBOL_NAMES_MAX ? realloc(s->names, room) : NULL;
        if (more == NULL) {
            return refuse(p, VT_E_LIMIT, "too many names");
        }
        s->names = more;
        p->names_room = room;
    }
    memcpy(s->names + s->names_bytes, p->entry, n);
    s->list[s->n++] = (struct vt_symbol){.value = (int64_t)p->address,
                                         .name = (uint32_t)s->names_bytes,
                                         .type = '?',
                                         .absolute = p->address < KERNEL_MAP};
    s->names_bytes += n;
    return 1;
}

static int end_symbol(struct parser *p)
{
    if (!p->has_address || p->entry[0] == '\0') {
        return 1;
    }
    if (strcmp(p->entry, "linux_banner") == 0 && p->banner[0] != '\0') {
        p->has_banner = true;
        p->banner_at = p->address;
    } else if (strcmp(p->entry, "_text") == 0) {
        p->has_text = true;
        p->text = p->address;
    }
    p->done = p->peek && p->has_banner && p->has_text;
    return p->done ? 0 : p->peek ? 1 : add_symbol(p);
}

/* From a finished description to a type. */
static uint32_t type_from(struct parser *p, const struct description *d)
{
    static const struct {
        const char *kind;
        enum vt_types_space space;
    } named[] = {{"base", VT_TYPES_BASE},
                 {"struct", VT_TYPES_STRUCT},
                 {"class", VT_TYPES_STRUCT},
                 {"union", VT_TYPES_STRUCT},
                 {"enum", VT_TYPES_ENUM}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (strcmp(d->kind, named[i].kind) == 0) {
            bool is_void = d->name[0] == '\0' || (i == 0 && strcmp(d->name, "void") == 0);
            return is_void ? 0
                           : vt_types_named(p->types, named[i].space, d->name,
                                            strcmp(d->kind, "union") == 0);
        }
    }
    if (strcmp(d->kind, "pointer") == 0) {
        return vt_types_pointer(p->types, d->of);
    }
    if (strcmp(d->kind, "array") == 0) {
        return vt_types_array(p->types, d->of, d->count < UINT32_MAX ? (uint32_t)d->count : 0);
    }
    return strcmp(d->kind, "bitfield") == 0 ? d->of : vt_types_function(p->types);
}

static int end_field(struct parser *p)
{
    bool bitfield = strcmp(p->whole.kind, "bitfield") == 0;
    if (p->offset > UINT32_MAX ||
        (bitfield && (p->whole.bit > UINT32_MAX || p->whole.bits > 255))) {
        return refuse(p, VT_E_CORRUPT, "a member too far out");
    }
    vt_types_member(p->types, p->anonymous ? "" : p->field, p->type,
                    8 * p->offset + (bitfield ? p->whole.bit : 0),
                    bitfield ? (uint32_t)p->whole.bits : 0);
    return 1;
}

static int end_entry(struct parser *p, enum place what)
{
    uint32_t bytes = p->size < UINT32_MAX ? (uint32_t)p->size : UINT32_MAX;
    if (what == STRUCT) {
        bool is_union = strcmp(p->kind, "union") == 0;
        vt_types_set_struct(p->types, vt_types_named(p->types, VT_TYPES_STRUCT, p->entry, is_union),
                            is_union, bytes);
    } else if (what == ENUM) {
        vt_types_set_enum(p->types, vt_types_named(p->types, VT_TYPES_ENUM, p->entry, false),
                          bytes);
    } else if (strcmp(p->kind, "void") != 0) {
        enum vt_base_kind kind = strcmp(p->kind, "float") == 0  ? VT_BASE_FLOAT
                                 : strcmp(p->kind, "char") == 0 ? VT_BASE_CHAR
                                 : strcmp(p->kind, "bool") == 0 ? VT_BASE_BOOL
                                                                : VT_BASE_INT;
        vt_types_set_base(p->types, vt_types_named(p->types, VT_TYPES_BASE, p->entry, false), kind,
                          bytes, p->is_signed);
    }
    return 1;
}

/* ---------------------------------------------------------------- the parser's calls */

static enum place place_inside(const struct parser *p)
{
    switch (place(p)) {
    case TOP:
        if (p->word == W_SYMBOLS) {
            return SYMBOLS;
        }
        return p->peek                   ? ELSEWHERE
               : p->word == W_BASE_TYPES ? BASES
               : p->word == W_USER_TYPES ? STRUCTS
               : p->word == W_ENUMS      ? ENUMS
                                         : ELSEWHERE;
    case BASES:
        return BASE;
    case STRUCTS:
        return STRUCT;
    case STRUCT:
        return p->word == W_FIELDS ? FIELDS : ELSEWHERE;
    case FIELDS:
        return FIELD;
    case FIELD:
        return p->word == W_TYPE ? DESCRIPTION : ELSEWHERE;
    case ENUMS:
        return ENUM;
    case ENUM:
        return p->word == W_CONSTANTS ? CONSTANTS : ELSEWHERE;
    case SYMBOLS:
        return SYMBOL;
    case DESCRIPTION:
        return p->word == W_SUBTYPE || p->word == W_TYPE ? DESCRIPTION : ELSEWHERE;
    default:
        return ELSEWHERE;
    }
}

static int push(struct parser *p, enum place where)
{
    p->callback = true;
    if (p->depth == DEPTH_MAX) {
        return refuse(p, VT_E_LIMIT, "nested too deeply");
    }
    p->places[p->depth++] = where;
    p->word = W_OTHER;
    switch (where) {
    case BASE:
    case STRUCT:
    case ENUM:
        p->kind[0] = '\0';
        p->size = 0;
        p->is_signed = false;
        break;
    case FIELD:
        p->offset = 0;
        p->anonymous = false;
        p->whole = (struct description){0};
        p->type = 0;
        break;
    case SYMBOL:
        p->has_address = false;
        break;
    case DESCRIPTION: {
        struct description *d = &p->descriptions[p->depth - 1];
        d->kind[0] = d->name[0] = '\0';
        d->count = d->bit = d->bits = d->of = 0;
        break;
    }
    default:
        break;
    }
    return 1;
}

static int on_start_map(void *arg)
{
    struct parser *p = arg;
    return push(p, p->depth == 0 ? TOP : place_inside(p));
}

static int on_start_array(void *arg)
{
    return push(arg, ELSEWHERE);
}

static int on_end(void *arg)
{
    struct parser *p = arg;
    enum place what = place(p);
    p->callback = true;
    p->depth--;
    p->word = W_OTHER;
    switch (what) {
    case DESCRIPTION: {
        struct description *d = &p->descriptions[p->depth];
        uint32_t type = type_from(p, d);
        if (place(p) == DESCRIPTION) {
            p->descriptions[p->depth - 1].of = type;
        } else {
            p->whole = *d;
            p->type = type;
        }
        return 1;
    }
    case FIELD:
        return end_field(p);
    case SYMBOL:
        return end_symbol(p);
    case BASE:
    case STRUCT:
    case ENUM:
        return end_entry(p, what);
    default:
        return 1;
    }
}

static int on_key(void *arg, const unsigned char *text, size_t n)
{
    struct parser *p = arg;
    p->callback = true;
    switch (place(p)) {
    case BASES:
    case STRUCTS:
    case ENUMS:
    case SYMBOLS:
        return copy_name(p->entry, sizeof p->entry, text, n) ||
               refuse(p, VT_E_LIMIT, "a name that is none");
    case FIELDS:
    case CONSTANTS:
        return copy_name(p->field, sizeof p->field, text, n) ||
               refuse(p, VT_E_LIMIT, "a name that is none");
    default:
        p->word = W_OTHER;
        for (unsigned w = 1; w < WORDS; w++) {
            if (strlen(words[w]) == n && memcmp(words[w], text, n) == 0) {
                p->word = (enum word)w;
            }
        }
        return 1;
    }
}

/* Base64 of the banner (RFC 4648), up to its newline. */
static bool take_banner(struct parser *p, const unsigned char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned have = 0;
    size_t length = 0;
    for (size_t i = 0; i < n && text[i] != '='; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL || length == sizeof p->banner - 1) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            p->banner[length++] = (char)(bits >> have & 0xff);
        }
    }
    p->banner[length] = '\0';
    p->banner[strcspn(p->banner, "\n")] = '\0';
    return true;
}

static int on_string(void *arg, const unsigned char *text, size_t n)
{
    struct parser *p = arg;
    struct description *d = p->depth > 0 ? &p->descriptions[p->depth - 1] : NULL;
    bool good = true;
    p->callback = true;
    switch (place(p)) {
    case BASE:
    case STRUCT:
        good = p->word != W_KIND || copy_name(p->kind, sizeof p->kind, text, n);
        break;
    case DESCRIPTION:
        if (p->word == W_KIND) {
            good = copy_name(d->kind, sizeof d->kind, text, n);
        } else if (p->word == W_NAME) {
            good = copy_name(d->name, sizeof d->name, text, n);
        }
        break;
    case SYMBOL:
        if (p->word == W_CONSTANT_DATA && strcmp(p->entry, "linux_banner") == 0) {
            good = take_banner(p, text, n);
        }
        break;
    default:
        break;
    }
    return good || refuse(p, VT_E_CORRUPT, "text that is none");
}

static int on_number(void *arg, const char *text, size_t n)
{
    struct parser *p = arg;
    char digits[32], *end;
    p->callback = true;
    if (place(p) == ELSEWHERE || place(p) == TOP) {
        return 1;
    }
    if (n >= sizeof digits) {
        return refuse(p, VT_E_CORRUPT, "a number too long");
    }
    memcpy(digits, text, n);
    digits[n] = '\0';
    errno = 0;
    uint64_t value =
        digits[0] == '-' ? (uint64_t)strtoll(digits, &end, 10) : strtoull(digits, &end, 10);
    if (*end != '\0' || errno != 0) {
        return refuse(p, VT_E_CORRUPT, "a number that is no 64-bit integer");
    }
    struct description *d = &p->descriptions[p->depth - 1];
    switch (place(p)) {
    case BASE:
    case STRUCT:
    case ENUM:
        p->size = p->word == W_SIZE ? value : p->size;
        break;
    case FIELD:
        p->offset = p->word == W_OFFSET ? value : p->offset;
        break;
    case CONSTANTS:
        vt_types_enumerator(p->types, p->field, (int64_t)value);
        break;
    case SYMBOL:
        if (p->word == W_ADDRESS) {
            p->address = value;
            p->has_address = true;
        }
        break;
    case DESCRIPTION:
        d->count = p->word == W_COUNT ? value : d->count;
        d->bit = p->word == W_BIT_POSITION ? value : d->bit;
        d->bits = p->word == W_BIT_LENGTH ? value : d->bits;
        break;
    default:
        break;
    }
    return 1;
}

static int on_boolean(void *arg, int value)
{
    struct parser *p = arg;
    p->callback = true;
    if (place(p) == FIELD && p->word == W_ANONYMOUS) {
        p->anonymous = value != 0;
    } else if (place(p) == BASE && p->word == W_SIGNED) {
        p->is_signed = value != 0;
    }
    return 1;
}

static int on_null(void *arg)
{
    ((struct parser *)arg)->callback = true;
    return 1;
}

/* ---------------------------------------------------------------- a file */

static int feed(struct parser *p, FILE *in, const char *path, struct vt_error *err)
{
    static const yajl_callbacks calls = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_end,
        .yajl_start_array = on_start_array,
        .yajl_end_array = on_end,
    };
    struct vt_error said = {0};
    uint8_t *chunk = malloc(CHUNK);
    yajl_handle json = chunk != NULL ? yajl_alloc(&calls, NULL, p) : NULL;
    yajl_status status = yajl_status_ok;
    uint64_t total = 0;
    unsigned quiet = 0;
    size_t n = 0;
    int rc = json == NULL ? vt_fail(err, VT_E_NOMEM, "%s: out of memory", path) : 0;
    p->err = &said;
    while (rc == 0 && status == yajl_status_ok && (n = fread(chunk, 1, CHUNK, in)) > 0) {
        p->callback = false;
        total += n;
        status = yajl_parse(json, chunk, n);
        quiet = p->callback ? 0 : quiet + 1;
        if (total > VT_ISF_BYTES_MAX || quiet > QUIET_CHUNKS_MAX) {
            rc = vt_fail(err, VT_E_LIMIT, "%s: ISF: %s", path,
                         quiet > QUIET_CHUNKS_MAX ? "a text without end" : "too large");
        }
    }
    if (rc == 0 && status == yajl_status_ok) {
        status = ferror(in) ? yajl_status_error : yajl_complete_parse(json);
    }
    if (rc == 0 && !p->done && said.code != VT_OK) {
        rc = vt_fail(err, said.code, "%s: %s", path, said.message);
    } else if (rc == 0 && !p->done && status != yajl_status_ok) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s: %s", path,
                     ferror(in) ? "cannot be read, or is damaged" : "not JSON");
    }
    if (json != NULL) {
        yajl_free(json);
    }
    free(chunk);
    return rc;
}

static int parse(struct parser *p, const char *path, struct vt_error *err)
{
    FILE *in;
    int rc = vt_xz_open(path, &in, err);
    if (rc == 0) {
        rc = feed(p, in, path, err);
        fclose(in);
    }
    return rc;
}

int vt_isf_peek(const char *path, char banner[VT_ISF_BANNER_MAX], int64_t *banner_at,
                struct vt_error *err)
{
    struct parser *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "ISF: out of memory");
    }
    p->peek = true;
    int rc = parse(p, path, err);
    if (rc == 0 && !p->done) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s: no linux_banner", path);
    }
    if (rc == 0) {
        memcpy(banner, p->banner, sizeof p->banner);
        *banner_at = (int64_t)(p->banner_at - p->text);
    }
    free(p);
    return rc;
}

/* From addresses to places in the image. */
static int finish_symbols(struct parser *p, const char *path, struct vt_error *err)
{
    struct vt_symbols *s = &p->symbols;
    if (s->n == 0 || !p->has_text || p->text < KERNEL_MAP) {
        return vt_fail(err, VT_E_CORRUPT, "%s: no symbol _text", path);
    }
    if (s->n > VT_SYMBOLS_MAX || s->names_bytes > VT_SYMBOL_NAMES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "%s: too many symbols", path);
    }
    for (size_t i = 0; i < s->n; i++) {
        s->list[i].value -= s->list[i].absolute ? 0 : (int64_t)p->text;
    }
    return vt_symbols_index(s, err);
}

int vt_isf_read(const char *path, struct vt_isf *isf, struct vt_error *err)
{
    struct vt_isf made = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    struct parser *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "ISF: out of memory");
    }
    int rc = vt_types_create(&p->types, err);
    if (rc == 0) {
        rc = parse(p, path, err);
    }
    if (rc == 0) {
        rc = finish_symbols(p, path, err);
    }
    if (rc == 0) {
        rc = vt_types_finish(p->types, &bytes, &n, err);
    }
    vt_types_destroy(p->types);
    if (rc == 0) {
        rc = vt_btf_create(bytes, n, &made.types, err);
    }
    if (rc == 0) {
        memcpy(made.banner, p->banner, sizeof made.banner);
        made.text = p->text;
        made.symbols = p->symbols;
        *isf = made;
    } else {
        vt_symbols_fini(&p->symbols);
    }
    free(p);
    return rc;
}

void vt_isf_fini(struct vt_isf *isf)
{
    vt_symbols_fini(&isf->symbols);
    vt_btf_destroy(isf->types);
    isf->types = NULL;
}

/* ---------------------------------------------------------------- directories of them */

static int is_isf(const struct dirent *e)
{
    static const char *const ends[] = {".json", ".json.xz"};
    size_t n = strlen(e->d_name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t k = strlen(ends[i]);
        if (n > k && strcmp(e->d_name + n - k, ends[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int each_in(const char *dir, int (*fn)(const char *path, void *arg), void *arg)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_isf, alphasort), rc = 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        if (rc == 0 && i < (int)VT_ISF_FILES_MAX &&
            vt_path_format(path, NULL, "%s/%s", dir, entries[i]->d_name) == 0) {
            rc = fn(path, arg);
        }
        free(entries[i]);
    }
    if (n >= 0) {
        free(entries);
    }
    return rc;
}

int vt_isf_each(const char *dirs, int (*fn)(const char *path, void *arg), void *arg)
{
    int rc = 0;
    while (rc == 0 && *dirs != '\0') {
        char dir[PATH_MAX];
        size_t n = strcspn(dirs, ":");
        if (n > 0 && n < sizeof dir) {
            memcpy(dir, dirs, n);
            dir[n] = '\0';
            rc = each_in(dir, fn, arg);
        }
        dirs += n + (dirs[n] == ':');
    }
    return rc;
}
