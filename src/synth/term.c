/* synth/term.c - contexts, nodes made once, and walks over them. See term.h.
 *
 * A node's operands have lower numbers than it has. Nodes lie in chunks, so that they stay where
 * they are; beside each is what a walk wants of it. A walk goes down and back up through `link`,
 * without a stack, and visits each node once: `seen` is the number of the walk.
 */
#include "synth/term_parts.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 4096U
#define CHUNKS ((VT_TERMS_MAX + CHUNK - 1) / CHUNK)
#define NAME_BYTES 36U
#define PUSHES 64U
#define PRINT_DEPTH 40U
#define RULES_DEPTH 200U

struct chunk {
    struct vt_term_node nodes[CHUNK];
    uint64_t value[CHUNK];
    uint32_t seen[CHUNK];
    vt_term link[CHUNK];
};

struct vt_terms {
    bool broken;
    uint32_t n;
    struct chunk *chunks[CHUNKS];
    vt_term *table; /* open addressing; 0: free */
    uint32_t mask;
    uint32_t symbols, havocs, names_room;
    char (*names)[NAME_BYTES];
    uint32_t *walk; /* the last one's number; behind a pointer, as walks take a const context */
    unsigned depth, pushes;
};

/* ---------------------------------------------------------------- contexts */

static struct chunk *chunk_of(const struct vt_terms *t, vt_term term)
{
    return t->chunks[term / CHUNK];
}

const struct vt_term_node *vt_term_node(const struct vt_terms *t, vt_term term)
{
    term = term < t->n ? term : 0;
    return &chunk_of(t, term)->nodes[term % CHUNK];
}

struct vt_terms *vt_terms_create(void)
{
    struct vt_terms *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->mask = 1023;
    t->n = 1; /* term 0 is none */
    t->table = calloc(t->mask + 1, sizeof *t->table);
    t->chunks[0] = calloc(1, sizeof *t->chunks[0]);
    t->walk = calloc(1, sizeof *t->walk);
    if (t->table == NULL || t->chunks[0] == NULL || t->walk == NULL) {
        vt_terms_destroy(t);
        return NULL;
    }
    return t;
}

void vt_terms_destroy(struct vt_terms *t)
{
    if (t == NULL) {
        return;
    }
    for (unsigned i = 0; i < CHUNKS; i++) {
        free(t->chunks[i]);
    }
    free(t->table);
    free(t->names);
    free(t->walk);
    free(t);
}

bool vt_terms_broken(const struct vt_terms *t)
{
    return t->broken;
}

static vt_term break_down(struct vt_terms *t)
{
    t->broken = true;
    return 0;
}

/* ---------------------------------------------------------------- nodes, made once */

static uint32_t hash_of(const struct vt_term_node *n)
{
    uint64_t h = (uint64_t)n->kind | (uint64_t)n->op << 8 | (uint64_t)n->bits << 16 |
                 (uint64_t)n->lane << 24 | (uint64_t)n->a << 32;
    h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15) + n->imm;
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93) + ((uint64_t)n->b << 32 | n->c);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32);
}

static bool same(const struct vt_term_node *a, const struct vt_term_node *b)
{
    return a->kind == b->kind && a->op == b->op && a->bits == b->bits && a->lane == b->lane &&
           a->a == b->a && a->b == b->b && a->c == b->c && a->imm == b->imm;
}

/* Where the node is in the table, or is to be. */
static uint32_t slot_of(const struct vt_terms *t, const struct vt_term_node *node)
{
    uint32_t at = hash_of(node) & t->mask;
    while (t->table[at] != 0 && !same(vt_term_node(t, t->table[at]), node)) {
        at = (at + 1) & t->mask;
    }
    return at;
}

static bool widen_table(struct vt_terms *t)
{
    vt_term *old = t->table;
    vt_term *wider = calloc(2 * ((size_t)t->mask + 1), sizeof *wider);
    if (wider == NULL) {
        return false;
    }
    t->table = wider;
    t->mask = 2 * t->mask + 1;
    for (vt_term term = 1; term < t->n; term++) {
        t->table[slot_of(t, vt_term_node(t, term))] = term;
    }
    free(old);
    return true;
}

vt_term vt_term_intern(struct vt_terms *t, const struct vt_term_node *node)
{
    uint32_t at = slot_of(t, node);
    if (t->table[at] != 0) {
        return t->table[at];
    }
    if (t->broken || t->n >= VT_TERMS_MAX) {
        return break_down(t);
    }
    if (t->n > t->mask / 3 * 2) {
        if (!widen_table(t)) {
            return break_down(t);
        }
        at = slot_of(t, node);
    }
    struct chunk **chunk = &t->chunks[t->n / CHUNK];
    if (*chunk == NULL && (*chunk = calloc(1, sizeof **chunk)) == NULL) {
        return break_down(t);
    }
    (*chunk)->nodes[t->n % CHUNK] = *node;
    t->table[at] = t->n;
    return t->n++;
}

vt_term vt_term_const(struct vt_terms *t, unsigned bits, uint64_t value)
{
    if (bits < 1 || bits > 64) { /* as wide as none is none */
        return bits == 0 ? 0 : break_down(t);
    }
    return vt_term_intern(t, &(struct vt_term_node){.kind = VT_TERM_CONSTANT,
                                                    .bits = (uint8_t)bits,
                                                    .imm = value & vt_term_mask(bits)});
}

vt_term vt_term_symbol(struct vt_terms *t, unsigned bits, const char *name)
{
    if (bits < 1 || bits > 64 || t->broken) {
        return break_down(t);
    }
    if (t->symbols == t->names_room) {
        uint32_t room = t->names_room == 0 ? 64 : 2 * t->names_room;
        char(*wider)[NAME_BYTES] = realloc(t->names, room * sizeof *wider);
        if (wider == NULL) {
            return break_down(t);
        }
        t->names = wider;
        t->names_room = room;
    }
    struct vt_term_node n = {.kind = VT_TERM_SYMBOL, .bits = (uint8_t)bits, .imm = t->symbols};
    (void)snprintf(t->names[t->symbols], NAME_BYTES, "%.23s.%u", name[0] != '\0' ? name : "any",
                   t->symbols);
    t->symbols++;
    return vt_term_intern(t, &n);
}

vt_term vt_term_havoc(struct vt_terms *t, unsigned bits)
{
    if (bits < 1 || bits > 64) {
        return break_down(t);
    }
    return vt_term_intern(t, &(struct vt_term_node){
                                 .kind = VT_TERM_HAVOC, .bits = (uint8_t)bits, .imm = t->havocs++});
}

const char *vt_term_name(const struct vt_terms *t, vt_term symbol)
{
    const struct vt_term_node *n = vt_term_node(t, symbol);
    return n->kind == VT_TERM_SYMBOL ? t->names[n->imm] : n->kind == VT_TERM_HAVOC ? "havoc" : "";
}

bool vt_term_is_const(const struct vt_terms *t, vt_term term, uint64_t *value)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    if (term == 0 || n->kind != VT_TERM_CONSTANT) {
        return false;
    }
    *value = n->imm;
    return true;
}

/* ---------------------------------------------------------------- operations */

/* Whether operands are there and as wide as the operation wants them. */
static bool fits(const struct vt_terms *t, const struct vt_term_node *n)
{
    unsigned a = vt_term_bits(t, n->a), b = vt_term_bits(t, n->b), c = vt_term_bits(t, n->c);
    if (n->bits < 1 || n->bits > 64) {
        return false;
    }
    switch (vt_term_shape(n->op)) {
    case VT_SHAPE_UNARY:
        return a == n->bits && (n->op != VT_PIXEL_BSWAP || n->bits % 16 == 0);
    case VT_SHAPE_BINARY:
        return a == n->bits && b == a;
    case VT_SHAPE_COMPARE:
        return n->bits == 1 && a == b;
    case VT_SHAPE_CARRY:
        return n->bits == 1 && a == b && c == 1;
    case VT_SHAPE_SELECT:
        return a == n->bits && b == a && c == 1;
    case VT_SHAPE_WIDEN:
        return a <= n->bits;
    case VT_SHAPE_EXTRACT:
        return n->imm < 64 && n->imm + n->bits <= a;
    case VT_SHAPE_CONCAT:
        return a + b == n->bits;
    case VT_SHAPE_PACKED:
        return n->bits == 64 && a == 64 && b == 64 &&
               (n->lane == 8 || n->lane == 16 || n->lane == 32);
    default:
        return false;
    }
}

static unsigned operands_of(enum vt_pixel_op op)
{
    switch (vt_term_shape(op)) {
    case VT_SHAPE_UNARY:
    case VT_SHAPE_WIDEN:
    case VT_SHAPE_EXTRACT:
        return 1;
    case VT_SHAPE_CARRY:
    case VT_SHAPE_SELECT:
        return 3;
    default:
        return 2;
    }
}

/* All operands are constants. */
static bool fold(const struct vt_terms *t, const struct vt_term_node *n, uint64_t *value)
{
    uint64_t v[3] = {0};
    vt_term of[3] = {n->a, n->b, n->c};
    for (unsigned i = 0, count = operands_of(n->op); i < count; i++) {
        if (!vt_term_is_const(t, of[i], &v[i])) {
            return false;
        }
    }
    *value = vt_term_apply(n, vt_term_bits(t, n->a), v[0], v[1], v[2]);
    return true;
}

bool vt_term_may_push(struct vt_terms *t)
{
    if (t->pushes == PUSHES) {
        return false;
    }
    t->pushes++;
    return true;
}

vt_term vt_term_make(struct vt_terms *t, enum vt_pixel_op op, unsigned bits, unsigned lane,
                     vt_term a, vt_term b, vt_term c, uint64_t imm)
{
    unsigned n_operands = operands_of(op);
    bool packed = vt_term_shape(op) == VT_SHAPE_PACKED;
    struct vt_term_node n = {.kind = VT_TERM_OPERATION,
                             .op = (uint8_t)op,
                             .bits = (uint8_t)bits,
                             .lane = (uint8_t)(packed ? lane : 0),
                             .a = a,
                             .b = n_operands > 1 ? b : 0,
                             .c = n_operands > 2 ? c : 0,
                             .imm = op == VT_PIXEL_EXTRACT ? imm : 0};
    if (t->broken || bits == 0 || a == 0 || (n_operands > 1 && b == 0) ||
        (n_operands > 2 && c == 0)) {
        return 0;
    }
    if (!fits(t, &n)) {
        return break_down(t);
    }
    uint64_t value;
    if (fold(t, &n, &value)) {
        return vt_term_const(t, bits, value);
    }
    if (t->depth == 0) {
        t->pushes = 0;
    }
    t->depth++;
    /* Rules that go down a long chain stop somewhere. */
    vt_term simpler = t->depth < RULES_DEPTH ? vt_term_simplify(t, &n) : 0;
    t->depth--;
    return simpler != 0 ? simpler : vt_term_intern(t, &n);
}

vt_term vt_term_extract(struct vt_terms *t, vt_term a, unsigned first, unsigned bits)
{
    return vt_term_make(t, VT_PIXEL_EXTRACT, bits, 0, a, 0, 0, first);
}

vt_term vt_term_concat(struct vt_terms *t, vt_term high, vt_term low)
{
    return vt_term_make(t, VT_PIXEL_CONCAT, vt_term_bits(t, high) + vt_term_bits(t, low), 0, high,
                        low, 0, 0);
}

static vt_term to_width(struct vt_terms *t, enum vt_pixel_op op, vt_term a, unsigned bits)
{
    return bits < vt_term_bits(t, a) ? vt_term_extract(t, a, 0, bits)
                                     : vt_term_make(t, op, bits, 0, a, 0, 0, 0);
}

vt_term vt_term_zext(struct vt_terms *t, vt_term a, unsigned bits)
{
    return to_width(t, VT_PIXEL_ZEXT, a, bits);
}

vt_term vt_term_sext(struct vt_terms *t, vt_term a, unsigned bits)
{
    return to_width(t, VT_PIXEL_SEXT, a, bits);
}

/* ---------------------------------------------------------------- walks */

struct walk {
    const struct vt_terms *t;
    uint32_t number;
    uint64_t (*visit)(void *arg, vt_term term, const struct vt_term_node *n,
                      const uint64_t operands[3]);
    void *arg;
};

static bool is_seen(const struct walk *w, vt_term term)
{
    return term == 0 || chunk_of(w->t, term)->seen[term % CHUNK] == w->number;
}

static uint64_t value_of(const struct walk *w, vt_term term)
{
    return term == 0 ? 0 : chunk_of(w->t, term)->value[term % CHUNK];
}

/* Operands before what is made of them. What visits is of the same context, and may make terms,
 * but not walk. */
static uint64_t walk(struct walk *w, vt_term term)
{
    if (term == 0 || term >= w->t->n) {
        return 0;
    }
    if (++*w->t->walk == 0) { /* numbers came round */
        for (unsigned i = 0; i < CHUNKS && w->t->chunks[i] != NULL; i++) {
            memset(w->t->chunks[i]->seen, 0, sizeof w->t->chunks[i]->seen);
        }
        *w->t->walk = 1;
    }
    w->number = *w->t->walk;
    chunk_of(w->t, term)->link[term % CHUNK] = 0;
    for (vt_term at = term; at != 0;) {
        struct chunk *chunk = chunk_of(w->t, at);
        const struct vt_term_node *n = &chunk->nodes[at % CHUNK];
        vt_term down = !is_seen(w, n->a)   ? n->a
                       : !is_seen(w, n->b) ? n->b
                       : !is_seen(w, n->c) ? n->c
                                           : 0;
        if (down != 0) {
            chunk_of(w->t, down)->link[down % CHUNK] = at;
            at = down;
            continue;
        }
        uint64_t operands[3] = {value_of(w, n->a), value_of(w, n->b), value_of(w, n->c)};
        chunk->value[at % CHUNK] = w->visit(w->arg, at, n, operands);
        chunk->seen[at % CHUNK] = w->number;
        at = chunk->link[at % CHUNK];
    }
    return value_of(w, term);
}

struct evaluation {
    const struct vt_terms *t;
    uint64_t (*value)(void *arg, vt_term symbol);
    void *arg;
};

static uint64_t evaluate_one(void *arg, vt_term term, const struct vt_term_node *n,
                             const uint64_t v[3])
{
    const struct evaluation *e = arg;
    switch (n->kind) {
    case VT_TERM_CONSTANT:
        return n->imm;
    case VT_TERM_OPERATION:
        return vt_term_apply(n, vt_term_bits(e->t, n->a), v[0], v[1], v[2]);
    default:
        return e->value(e->arg, term) & vt_term_mask(n->bits);
    }
}

uint64_t vt_term_evaluate(const struct vt_terms *t, vt_term term,
                          uint64_t (*value)(void *arg, vt_term symbol), void *arg)
{
    struct evaluation e = {.t = t, .value = value, .arg = arg};
    return walk(&(struct walk){.t = t, .visit = evaluate_one, .arg = &e}, term);
}

struct substitution {
    struct vt_terms *t;
    const vt_term *from, *to;
    unsigned n;
};

static uint64_t substitute_one(void *arg, vt_term term, const struct vt_term_node *n,
                               const uint64_t v[3])
{
    const struct substitution *s = arg;
    if (n->kind == VT_TERM_OPERATION) {
        return v[0] == n->a && v[1] == n->b && v[2] == n->c
                   ? term
                   : vt_term_make(s->t, n->op, n->bits, n->lane, (vt_term)v[0], (vt_term)v[1],
                                  (vt_term)v[2], n->imm);
    }
    for (unsigned i = 0; i < s->n && n->kind != VT_TERM_CONSTANT; i++) {
        if (s->from[i] == term) {
            return s->to[i];
        }
    }
    return term;
}

vt_term vt_term_substitute(struct vt_terms *t, vt_term term, const vt_term *from, const vt_term *to,
                           unsigned n)
{
    struct substitution s = {.t = t, .from = from, .to = to, .n = n};
    return (vt_term)walk(&(struct walk){.t = t, .visit = substitute_one, .arg = &s}, term);
}

struct listing {
    void (*each)(void *arg, vt_term symbol);
    void *arg;
};

static uint64_t list_one(void *arg, vt_term term, const struct vt_term_node *n, const uint64_t v[3])
{
    const struct listing *l = arg;
    (void)v;
    if (n->kind == VT_TERM_SYMBOL || n->kind == VT_TERM_HAVOC) {
        l->each(l->arg, term);
    }
    return 0;
}

void vt_term_symbols(const struct vt_terms *t, vt_term term,
                     void (*each)(void *arg, vt_term symbol), void *arg)
{
    struct listing l = {.each = each, .arg = arg};
    walk(&(struct walk){.t = t, .visit = list_one, .arg = &l}, term);
}

/* ---------------------------------------------------------------- text */

struct text {
    const struct vt_terms *t;
    char *to;
    size_t room, n;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *x, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (x->n + 1 < x->room) {
        int n = vsnprintf(x->to + x->n, x->room - x->n, format, list);
        x->n += n > 0 ? (size_t)n : 0;
    }
    va_end(list);
}

static const char *smt_name(enum vt_pixel_op op)
{
    static const char *const names[VT_PIXEL_OPS] = {
        [VT_PIXEL_ADD] = "bvadd",   [VT_PIXEL_SUB] = "bvsub",     [VT_PIXEL_MUL] = "bvmul",
        [VT_PIXEL_UDIV] = "bvudiv", [VT_PIXEL_UREM] = "bvurem",   [VT_PIXEL_SDIV] = "bvsdiv",
        [VT_PIXEL_SREM] = "bvsrem", [VT_PIXEL_AND] = "bvand",     [VT_PIXEL_OR] = "bvor",
        [VT_PIXEL_XOR] = "bvxor",   [VT_PIXEL_NOT] = "bvnot",     [VT_PIXEL_NEG] = "bvneg",
        [VT_PIXEL_SHL] = "bvshl",   [VT_PIXEL_LSHR] = "bvlshr",   [VT_PIXEL_ASHR] = "bvashr",
        [VT_PIXEL_EQ] = "=",        [VT_PIXEL_NE] = "distinct",   [VT_PIXEL_ULT] = "bvult",
        [VT_PIXEL_ULE] = "bvule",   [VT_PIXEL_SLT] = "bvslt",     [VT_PIXEL_SLE] = "bvsle",
        [VT_PIXEL_SELECT] = "ite",  [VT_PIXEL_CONCAT] = "concat",
    };
    return names[op] != NULL ? names[op] : vt_pixel_op_name(op);
}

/* Depth is bounded; what lies deeper is "…". */
static void print(struct text *x, vt_term term, unsigned depth)
{
    const struct vt_term_node *n = vt_term_node(x->t, term);
    if (x->n + 1 >= x->room) {
        return;
    }
    if (n->kind == VT_TERM_CONSTANT) {
        if (n->bits % 4 == 0) {
            say(x, "#x%0*llx", (int)n->bits / 4, (unsigned long long)n->imm);
        } else {
            say(x, n->bits == 1 ? "#b%llu" : "(_ bv%llu %u)", (unsigned long long)n->imm, n->bits);
        }
        return;
    }
    if (n->kind != VT_TERM_OPERATION || depth == PRINT_DEPTH) {
        say(x, "%s", n->kind != VT_TERM_OPERATION ? vt_term_name(x->t, term) : "...");
        return;
    }
    unsigned wider = n->bits - vt_term_bits(x->t, n->a);
    switch (n->op) {
    case VT_PIXEL_EXTRACT:
        say(x, "((_ extract %u %u)", (unsigned)n->imm + n->bits - 1, (unsigned)n->imm);
        break;
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        say(x, "((_ %s_extend %u)", n->op == VT_PIXEL_ZEXT ? "zero" : "sign", wider);
        break;
    default:
        say(x, n->lane != 0 ? "(%s.%u" : "(%s", smt_name(n->op), n->lane);
        break;
    }
    /* The bit comes first, as ite has it. */
    vt_term of[3] = {n->a, n->b, n->c};
    for (unsigned i = 0; i < 3; i++) {
        vt_term operand = n->op == VT_PIXEL_SELECT ? of[(i + 2) % 3] : of[i];
        if (operand != 0) {
            say(x, " ");
            print(x, operand, depth + 1);
        }
    }
    say(x, ")");
}

void vt_term_print(const struct vt_terms *t, vt_term term, char *to, size_t room)
{
    struct text x = {.t = t, .to = to, .room = room};
    if (room != 0) {
        to[0] = '\0';
        print(&x, term, 0);
    }
}
