/* guest/symbols/kallsyms.c - finds and decodes the kernel's symbol tables. See kallsyms.h.
 *
 * Anchor: the tokens "0" … "9" stand side by side in every token table. From there
 *   token index   u16[256] after it, strictly increasing, agreeing with the table's zeros
 *   num_syms      before it; proved by parsing all names and comparing every marker
 *   addresses     one of the arrangements in `layouts`, proved by order and range
 * Names are strings of token numbers behind a length of one byte, or two when bit 7 is set.
 */
#include "guest/symbols/kallsyms.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS 256u
#define TOKEN_TABLE_MAX 8192u
#define TOKEN_COPY 8u /* bytes that are copied at once; most tokens are shorter */
#define SYMBOLS_MIN 1000u
/* The names of the largest kernels take 4 MiB. */
#define NAMES_SPAN_MAX (16u << 20)
/* Names, markers and sequence numbers take 10 to 20 bytes a symbol. */
#define BYTES_PER_SYMBOL_MIN 6u
#define BYTES_PER_SYMBOL_MAX 64u
#define NAMES_PER_MARKER 256u
/* Bytes of names to go through for one token table before it is taken for an attack on our time. */
#define WORK_MAX (4 * (size_t)NAMES_SPAN_MAX)
#define WORK_FIRST_NAMES 1024u
/* An image is smaller than 1 GiB: __START_KERNEL_map to MODULES_VADDR. */
#define IMAGE_MAX (INT64_C(1) << 30)
#define KERNEL_MAP UINT64_C(0xffffffff80000000)

static const uint8_t digits[20] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

struct tokens {
    size_t table_at, index_at;
    uint16_t start[TOKENS], length[TOKENS];
    uint8_t text[TOKEN_TABLE_MAX + TOKEN_COPY];
};

/* Where the tables lie in the image, as positions in the run of bytes. */
struct places {
    size_t num_at, names_at, names_end;
    uint32_t n;
};

enum formula {
    PERCPU, /* off >= 0: absolute; else base - 1 - off */
    BASE,   /* base + (u32)off */
    PLACE,  /* &off + off */
};

static const struct layout {
    const char *name;
    bool before_names; /* base and offsets precede num_syms; else they follow the token index */
    enum formula formula;
} layouts[] = {
    {"offsets first, per-CPU absolute", true, PERCPU}, /* 5.10, 6.1 on SMP */
    {"offsets first", true, BASE},
    {"offsets last, per-CPU absolute", false, PERCPU}, /* 6.12 */
    {"offsets last", false, BASE},
    {"place-relative", false, PLACE}, /* 7.2 */
};

bool vt_kallsyms_next(const uint8_t *bytes, size_t n, size_t *at)
{
    if (*at >= n) {
        return false;
    }
    const uint8_t *hit = memmem(bytes + *at, n - *at, digits, sizeof digits);
    if (hit != NULL) {
        *at = (size_t)(hit - bytes);
    }
    return hit != NULL;
}

/* ---------------------------------------------------------------- tokens */

/* Is there a token index at q for digits at p? Fills start and table_at. */
static bool take_index(const uint8_t *bytes, size_t p, size_t q, struct tokens *t)
{
    uint16_t index[TOKENS];
    memcpy(index, bytes + q, sizeof index);
    for (unsigned i = 0; i < TOKENS; i++) {
        t->start[i] = le16toh(index[i]);
        if (i == 0 ? t->start[0] != 0 : t->start[i] <= t->start[i - 1]) {
            return false;
        }
    }
    if (t->start['0'] > p || t->start['1'] - t->start['0'] != 2) {
        return false;
    }
    t->table_at = p - t->start['0'];
    t->index_at = q;
    return t->start[TOKENS - 1] < q - t->table_at && q - t->table_at <= TOKEN_TABLE_MAX;
}

static bool find_tokens(const uint8_t *bytes, size_t n, size_t p, struct tokens *t)
{
    size_t last = p + TOKEN_TABLE_MAX;
    last = n < sizeof t->start || last > n - sizeof t->start ? n - sizeof t->start : last;
    if (n < sizeof t->start) {
        return false;
    }
    for (size_t q = (p + sizeof digits + 3) & ~(size_t)3; q <= last; q += 4) {
        if (vt_le16(bytes + q) != 0 || !take_index(bytes, p, q, t)) {
            continue;
        }
        size_t size = q - t->table_at;
        memcpy(t->text, bytes + t->table_at, size);
        bool good = true;
        for (unsigned i = 0; i < TOKENS && good; i++) {
            size_t next = i + 1 < TOKENS ? t->start[i + 1] : size;
            const uint8_t *zero = memchr(t->text + t->start[i], '\0', next - t->start[i]);
            good = zero != NULL && (i + 1 == TOKENS || zero == t->text + next - 1);
            t->length[i] = good ? (uint16_t)(zero - (t->text + t->start[i])) : 0;
        }
        if (good) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- names */

/* A name's length in tokens; moves *at behind the length. 0: not a name. */
static size_t name_length(const uint8_t *bytes, size_t end, size_t *at)
{
    if (*at >= end) {
        return 0;
    }
    size_t length = bytes[(*at)++];
    if (length & 0x80) {
        if (*at >= end) {
            return 0;
        }
        length = (length & 0x7f) | (size_t)bytes[(*at)++] << 7;
    }
    return length <= end - *at ? length : 0;
}

static bool skip_names(const uint8_t *bytes, size_t end, size_t count, size_t *at)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = name_length(bytes, end, at);
        if (length == 0) {
            return false;
        }
        *at += length;
    }
    return true;
}

static bool is_type(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '?' || c == '-';
}

/* Do the first names after a num_syms look like names? */
static bool starts_well(const uint8_t *bytes, size_t end, const struct tokens *t, uint32_t n,
                        size_t names_at)
{
    size_t at = names_at;
    if (name_length(bytes, end, &at) == 0 || !is_type(t->text[t->start[bytes[at]]])) {
        return false;
    }
    at = names_at;
    return skip_names(bytes, end, n < NAMES_PER_MARKER + 1 ? n : NAMES_PER_MARKER + 1, &at);
}

/* Parses all names; the marker table behind them must hold where each 256th begins. */
static bool markers_agree(const uint8_t *bytes, size_t end, struct places *p)
{
    uint32_t n_markers = (p->n + NAMES_PER_MARKER - 1) / NAMES_PER_MARKER;
    uint32_t *starts = calloc(n_markers, sizeof *starts);
    size_t at = p->names_at;
    bool good = starts != NULL;
    for (uint32_t i = 0; i < n_markers && good; i++) {
        starts[i] = (uint32_t)(at - p->names_at);
        uint32_t left = p->n - i * NAMES_PER_MARKER;
        good = skip_names(bytes, end, left < NAMES_PER_MARKER ? left : NAMES_PER_MARKER, &at);
    }
    p->names_end = at;
    bool found = false;
    for (size_t align = 4; align <= 8 && good && !found; align *= 2) {
        size_t markers = (at + align - 1) & ~(align - 1);
        found = markers <= end && (end - markers) / 4 >= n_markers;
        for (uint32_t i = 0; i < n_markers && found; i++) {
            found = vt_le32(bytes + markers + 4 * (size_t)i) == starts[i];
        }
    }
    free(starts);
    return found;
}

/* Steps back from the token table to the number of symbols in front of the names. */
static bool find_names(const uint8_t *bytes, const struct tokens *t, struct places *p)
{
    size_t end = t->table_at, low = end > NAMES_SPAN_MAX ? end - NAMES_SPAN_MAX : 0;
    size_t work = 0;
    for (size_t at = end & ~(size_t)3; at >= low + 4 && work < WORK_MAX;) {
        at -= 4;
        uint32_t n = vt_le32(bytes + at);
        if (n < SYMBOLS_MIN || n > VT_SYMBOLS_MAX || n > (end - at) / BYTES_PER_SYMBOL_MIN ||
            n < (end - at) / BYTES_PER_SYMBOL_MAX) {
            continue;
        }
        size_t names_at = at + (vt_le32(bytes + at + 4) == 0 ? 8 : 4);
        work += WORK_FIRST_NAMES;
        if (!starts_well(bytes, end, t, n, names_at)) {
            continue;
        }
        work += end - at;
        *p = (struct places){.num_at = at, .names_at = names_at, .n = n};
        if (markers_agree(bytes, end, p)) {
            return true;
        }
    }
    return false;
}

/* Expands all names into `s`. The bytes are a private copy: find_names saw them as good. */
static int decode_names(const uint8_t *bytes, const struct tokens *t, const struct places *p,
                        struct vt_symbols *s, struct vt_error *err)
{
    size_t room = (size_t)p->n * 32, at = p->names_at;
    s->n = p->n;
    s->list = calloc(p->n, sizeof *s->list);
    s->names = malloc(room);
    for (uint32_t i = 0; i < p->n && s->list != NULL && s->names != NULL; i++) {
        if (room - s->names_bytes < VT_SYMBOL_NAME_MAX + TOKEN_COPY + 1) {
            room *= 2;
            char *more = room <= VT_SYMBOL_NAMES_MAX ? realloc(s->names, room) : NULL;
            if (more == NULL) {
                return vt_fail(err, VT_E_LIMIT, "kallsyms: names need more than %zu bytes",
                               room / 2);
            }
            s->names = more;
        }
        size_t length = name_length(bytes, p->names_end, &at), used = 0;
        char *name = s->names + s->names_bytes;
        for (size_t k = 0; k < length; k++) {
            uint8_t token = bytes[at + k];
            if (used + t->length[token] > VT_SYMBOL_NAME_MAX) {
                return vt_fail(err, VT_E_CORRUPT, "kallsyms: a name is too long");
            }
            memcpy(name + used, t->text + t->start[token], TOKEN_COPY);
            if (t->length[token] > TOKEN_COPY) {
                memcpy(name + used, t->text + t->start[token], t->length[token]);
            }
            used += t->length[token];
        }
        at += length;
        if (length == 0 || used == 0) {
            return vt_fail(err, VT_E_CORRUPT, "kallsyms: an empty name");
        }
        name[used] = '\0';
        s->list[i].type = name[0];
        s->list[i].name = (uint32_t)(s->names_bytes + 1);
        s->names_bytes += used + 1;
    }
    return s->list == NULL || s->names == NULL ? vt_fail(err, VT_E_NOMEM, "kallsyms: out of memory")
                                               : 0;
}

/* ---------------------------------------------------------------- addresses */

/* Values of all symbols by one layout with its offsets at `at`, relative to *base (BASE, PERCPU) or
 * to `at` (PLACE). Believed when nearly all are in order and inside one image. */
static bool take_addresses(const uint8_t *bytes, size_t n, size_t at, enum formula formula,
                           struct vt_symbols *s)
{
    if (at > n || (n - at) / 4 < s->n) {
        return false;
    }
    size_t relative = 0, disorder = 0;
    int64_t before = INT64_MIN, first = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t raw = vt_le32(bytes + at + 4 * i);
        int64_t off = (int32_t)raw, value;
        bool absolute = formula == PERCPU && off >= 0;
        switch (formula) {
        case PERCPU:
            value = absolute ? off : -1 - off;
            break;
        case BASE:
            value = raw;
            break;
        default:
            value = 4 * (int64_t)i + off;
            break;
        }
        if (value >= IMAGE_MAX || value <= -IMAGE_MAX) {
            return false;
        }
        s->list[i].value = value;
        s->list[i].absolute = absolute;
        if (!absolute) {
            first = relative++ == 0 ? value : first;
            disorder += value < before;
            before = value;
        }
    }
    return relative > s->n / 2 && disorder <= s->n / 1000 && before - first > (int64_t)s->n;
}

static bool is_kernel_base(uint64_t base)
{
    return base >= KERNEL_MAP && base < KERNEL_MAP + (uint64_t)IMAGE_MAX &&
           base % VT_PAGE_BYTES == 0;
}

static bool find_addresses(const uint8_t *bytes, size_t n, const struct tokens *t,
                           const struct places *p, struct vt_kallsyms *out)
{
    size_t span = 4 * (size_t)p->n;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        const struct layout *l = &layouts[i];
        size_t at, base_at = 0;
        if (l->before_names) {
            if (p->num_at < span + 16) {
                continue;
            }
            base_at = p->num_at - 8;
            at = (base_at - span) & ~(size_t)7;
        } else {
            at = (t->index_at + sizeof t->start + 3) & ~(size_t)3;
        }
        /* Behind the index 4-byte alignment and 8-byte alignment are both seen. */
        for (unsigned attempt = 0; attempt < (l->before_names || at % 8 == 0 ? 1 : 2); attempt++) {
            at += 4 * (size_t)attempt;
            uint64_t base = 0;
            if (l->formula != PLACE) {
                base_at = l->before_names ? base_at : (at + span + 7) & ~(size_t)7;
                if (base_at > n || n - base_at < 8 ||
                    !is_kernel_base(base = vt_le64(bytes + base_at))) {
                    continue;
                }
            }
            if (take_addresses(bytes, n, at, l->formula, &out->symbols)) {
                out->layout = l->name;
                out->place_relative = l->formula == PLACE;
                out->text_va = base;
                out->text_at = (int64_t)at;
                return true;
            }
        }
    }
    return false;
}

/* From values relative to the tables' base to values relative to _text. */
static bool rebase(struct vt_kallsyms *k)
{
    const struct vt_symbol *text = vt_symbols_find(&k->symbols, "_text");
    if (text == NULL || text->absolute) {
        return false;
    }
    int64_t shift = text->value;
    for (size_t i = 0; i < k->symbols.n; i++) {
        k->symbols.list[i].value -= k->symbols.list[i].absolute ? 0 : shift;
    }
    k->text_va += (uint64_t)shift;
    k->text_at += shift;
    return true;
}

int vt_kallsyms_parse(const uint8_t *bytes, size_t n, size_t candidate, struct vt_kallsyms *out,
                      struct vt_error *err)
{
    struct vt_kallsyms k = {0};
    struct places p;
    uint8_t *copy = NULL;
    struct tokens *t = malloc(sizeof *t);
    int rc = t == NULL ? vt_fail(err, VT_E_NOMEM, "kallsyms: out of memory") : 0;
    if (rc == 0 && !find_tokens(bytes, n, candidate, t)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "no token table here");
    }
    if (rc == 0 && !find_names(bytes, t, &p)) {
        rc = vt_fail(err, VT_E_CORRUPT, "a token table without names");
    }
    if (rc == 0) {
        /* All tables, wherever the offsets are; positions stay aligned as they were. From here on
         * everything is proved and decoded on the copy: the guest cannot change it any more. */
        size_t span = 4 * (size_t)p.n + 64;
        size_t low = (p.num_at > span ? p.num_at - span : 0) & ~(size_t)7;
        size_t high = t->index_at + sizeof t->start;
        high = n - high > span ? high + span : n;
        copy = malloc(high - low);
        if (copy == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "kallsyms: out of memory");
        } else {
            memcpy(copy, bytes + low, high - low);
            k.token_table_at = t->table_at;
            t->table_at -= low;
            t->index_at -= low;
            p.num_at -= low;
            p.names_at -= low;
            if (!markers_agree(copy, t->table_at, &p)) {
                rc = vt_fail(err, VT_E_CORRUPT, "symbol table changed while it was read");
            }
        }
        if (rc == 0) {
            rc = decode_names(copy, t, &p, &k.symbols, err);
        }
        if (rc == 0 && !find_addresses(copy, high - low, t, &p, &k)) {
            rc = vt_fail(err, VT_E_CORRUPT, "symbol names without addresses of a known layout");
        }
        if (rc == 0) {
            k.text_at += (int64_t)low;
            rc = vt_symbols_index(&k.symbols, err);
        }
        if (rc == 0 && !rebase(&k)) {
            rc = vt_fail(err, VT_E_CORRUPT, "symbol table without _text");
        }
    }
    free(copy);
    free(t);
    if (rc != 0) {
        vt_symbols_fini(&k.symbols);
        return rc;
    }
    *out = k;
    return 0;
}
