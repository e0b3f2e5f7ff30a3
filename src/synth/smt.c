/* synth/smt.c - terms as SMT-LIB 2. See smt.h.
 *
 * Each node of the query's terms is one define-fun, so the text is as long as the terms are many,
 * however often they share. Bits are bit vectors of width 1. What SMT-LIB lacks is a function of
 * its own for each width it is used with, defined before the first use; the names of these are in
 * upper case, symbols' in lower case, nodes begin with '?': none is ever another. Operands of a
 * node have lower numbers than the node, so ascending order is one in which everything is defined
 * in time.
 */
#include "synth/smt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    const struct vt_terms *terms;
    FILE *to;
    bool defined[VT_PIXEL_OPS][65]; /* by operand width; packed: by lane */
};

static bool packed(uint8_t op)
{
    return op >= VT_PIXEL_PADD && op <= VT_PIXEL_PASHR;
}

/* What SMT-LIB calls it, of two operands of one width and a result of that width. */
static const char *native(uint8_t op)
{
    switch (op) {
    case VT_PIXEL_ADD:
        return "bvadd";
    case VT_PIXEL_SUB:
        return "bvsub";
    case VT_PIXEL_MUL:
        return "bvmul";
    case VT_PIXEL_UDIV:
        return "bvudiv";
    case VT_PIXEL_UREM:
        return "bvurem";
    case VT_PIXEL_SDIV:
        return "bvsdiv";
    case VT_PIXEL_SREM:
        return "bvsrem";
    case VT_PIXEL_AND:
        return "bvand";
    case VT_PIXEL_OR:
        return "bvor";
    case VT_PIXEL_XOR:
        return "bvxor";
    case VT_PIXEL_SHL:
        return "bvshl";
    case VT_PIXEL_LSHR:
        return "bvlshr";
    case VT_PIXEL_ASHR:
        return "bvashr";
    case VT_PIXEL_CONCAT:
        return "concat";
    default:
        return NULL;
    }
}

/* Predicates: true or false there, a bit here. */
static const char *predicate(uint8_t op)
{
    switch (op) {
    case VT_PIXEL_EQ:
    case VT_PIXEL_NE:
        return "=";
    case VT_PIXEL_ULT:
        return "bvult";
    case VT_PIXEL_ULE:
        return "bvule";
    case VT_PIXEL_SLT:
        return "bvslt";
    case VT_PIXEL_SLE:
        return "bvsle";
    default:
        return NULL;
    }
}

/* Those that need a definition: how often they take an operand as wide as the first, and whether
 * there is a bit besides. */
static bool defined_here(uint8_t op, unsigned *operands, bool *bit)
{
    *bit = false;
    switch (op) {
    case VT_PIXEL_POPCNT:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
    case VT_PIXEL_BSWAP:
        *operands = 1;
        return true;
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_BORROW:
    case VT_PIXEL_SUB_OVERFLOW:
        *operands = 2;
        *bit = true;
        return true;
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
    case VT_PIXEL_ROL:
    case VT_PIXEL_ROR:
        *operands = 2;
        return true;
    default:
        *operands = 2;
        return packed(op);
    }
}

static void write_name(FILE *to, uint8_t op, unsigned width)
{
    for (const char *c = vt_pixel_op_name(op); *c != '\0'; c++) {
        fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c == '.' ? '_' : *c, to);
    }
    fprintf(to, "_%u", width);
}

/* ---------------------------------------------------------------- definitions */

/* The sum of bits [low, high), in `w` bits; depth is the logarithm of the width. */
static void write_bit_sum(FILE *to, unsigned w, unsigned low, unsigned high)
{
    if (high - low == 1) {
        fprintf(to, "((_ zero_extend %u) ((_ extract %u %u) a))", w - 1, low, low);
        return;
    }
    unsigned middle = low + (high - low) / 2;
    fputs("(bvadd ", to);
    write_bit_sum(to, w, low, middle);
    fputc(' ', to);
    write_bit_sum(to, w, middle, high);
    fputc(')', to);
}

/* Zeros from the upper (clz) or the lower end. */
static void write_zeros(FILE *to, unsigned w, bool upper)
{
    for (unsigned i = 0; i < w; i++) {
        unsigned bit = upper ? w - 1 - i : i;
        fprintf(to, "(ite (= ((_ extract %u %u) a) #b1) (_ bv%u %u) ", bit, bit, i, w);
    }
    fprintf(to, "(_ bv%u %u)", w, w);
    for (unsigned i = 0; i < w; i++) {
        fputc(')', to);
    }
}

/* One element, of x and y, which are `w` bits wide; shifts: y is the whole amount. */
static void write_element(FILE *to, uint8_t op, unsigned w)
{
    static const char *const compare[][3] = {
        [VT_PIXEL_PMINU] = {"bvult", "x", "y"},
        [VT_PIXEL_PMINS] = {"bvslt", "x", "y"},
        [VT_PIXEL_PMAXU] = {"bvult", "y", "x"},
        [VT_PIXEL_PMAXS] = {"bvslt", "y", "x"},
    };
    uint64_t all = (UINT64_C(1) << w) - 1, top = UINT64_C(1) << (w - 1);
    switch (op) {
    case VT_PIXEL_PADD:
        fputs("(bvadd x y)", to);
        break;
    case VT_PIXEL_PSUB:
        fputs("(bvsub x y)", to);
        break;
    case VT_PIXEL_PMULL:
        fputs("(bvmul x y)", to);
        break;
    case VT_PIXEL_PADDUS:
        fprintf(to,
                "(let ((s (bvadd ((_ zero_extend 1) x) ((_ zero_extend 1) y)))) "
                "(ite (= ((_ extract %u %u) s) #b1) (_ bv%" PRIu64 " %u) ((_ extract %u 0) s)))",
                w, w, all, w, w - 1);
        break;
    case VT_PIXEL_PSUBUS:
        fprintf(to, "(ite (bvult x y) (_ bv0 %u) (bvsub x y))", w);
        break;
    case VT_PIXEL_PADDSS:
    case VT_PIXEL_PSUBSS:
        fprintf(to,
                "(let ((s (%s ((_ sign_extend 1) x) ((_ sign_extend 1) y)))) "
                "(ite (= ((_ extract %u %u) s) ((_ extract %u %u) s)) ((_ extract %u 0) s) "
                "(ite (= ((_ extract %u %u) s) #b1) (_ bv%" PRIu64 " %u) (_ bv%" PRIu64 " %u))))",
                op == VT_PIXEL_PADDSS ? "bvadd" : "bvsub", w, w, w - 1, w - 1, w - 1, w, w, top, w,
                top - 1, w);
        break;
    case VT_PIXEL_PMINU:
    case VT_PIXEL_PMINS:
    case VT_PIXEL_PMAXU:
    case VT_PIXEL_PMAXS:
        fprintf(to, "(ite (%s %s %s) x y)", compare[op][0], compare[op][1], compare[op][2]);
        break;
    case VT_PIXEL_PAVG:
        fprintf(to,
                "((_ extract %u 1) (bvadd (bvadd ((_ zero_extend 1) x) ((_ zero_extend 1) y)) "
                "(_ bv1 %u)))",
                w, w + 1);
        break;
    case VT_PIXEL_PEQ:
        fprintf(to, "(ite (= x y) (_ bv%" PRIu64 " %u) (_ bv0 %u))", all, w, w);
        break;
    case VT_PIXEL_PSGT:
        fprintf(to, "(ite (bvslt y x) (_ bv%" PRIu64 " %u) (_ bv0 %u))", all, w, w);
        break;
    default: /* shifts: an amount of the lane's width or more is as good as the width */
        fprintf(to, "(%s x (ite (bvult y (_ bv%u 64)) ((_ extract %u 0) y) (_ bv%u %u)))",
                op == VT_PIXEL_PSHL    ? "bvshl"
                : op == VT_PIXEL_PLSHR ? "bvlshr"
                                       : "bvashr",
                w, w - 1, w, w);
        break;
    }
}

static void write_packed(struct writer *w, uint8_t op, unsigned lane)
{
    FILE *to = w->to;
    bool shift = op == VT_PIXEL_PSHL || op == VT_PIXEL_PLSHR || op == VT_PIXEL_PASHR;
    fputs("(define-fun ", to);
    write_name(to, op, lane);
    fprintf(to, "_ELEMENT ((x (_ BitVec %u)) (y (_ BitVec %u))) (_ BitVec %u) ", lane,
            shift ? 64 : lane, lane);
    write_element(to, op, lane);
    fputs(")\n(define-fun ", to);
    write_name(to, op, lane);
    fputs(" ((a (_ BitVec 64)) (b (_ BitVec 64))) (_ BitVec 64) ", to);
    unsigned n = 64 / lane;
    for (unsigned i = n; i-- > 0;) {
        fputs(i > 0 ? "(concat (" : "(", to);
        write_name(to, op, lane);
        fprintf(to, "_ELEMENT ((_ extract %u %u) a) ", i * lane + lane - 1, i * lane);
        if (shift) {
            fputs("b) ", to);
        } else {
            fprintf(to, "((_ extract %u %u) b)) ", i * lane + lane - 1, i * lane);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        fputc(')', to);
    }
    fputc('\n', to);
}

/* a OP b OP c in `more` more bits, of which those above the width say what overflowed. */
static void write_wide_sum(FILE *to, unsigned w, const char *extend, const char *op)
{
    fprintf(to, "(let ((s (%s (%s ((_ %s 1) a) ((_ %s 1) b)) ((_ zero_extend %u) c)))) ", op, op,
            extend, extend, w);
}

static void write_definition(struct writer *writer, uint8_t op, unsigned w)
{
    unsigned operands;
    bool bit;
    if (!defined_here(op, &operands, &bit) || writer->defined[op][w]) {
        return;
    }
    writer->defined[op][w] = true;
    if (packed(op)) {
        write_packed(writer, op, w);
        return;
    }
    FILE *to = writer->to;
    fputs("(define-fun ", to);
    write_name(to, op, w);
    fprintf(to, " ((a (_ BitVec %u))", w);
    if (operands == 2) {
        fprintf(to, " (b (_ BitVec %u))", w);
    }
    fputs(bit ? " (c (_ BitVec 1))) (_ BitVec 1) " : ") ", to);
    if (!bit) {
        fprintf(to, "(_ BitVec %u) ", w);
    }
    switch (op) {
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH: {
        const char *extend = op == VT_PIXEL_UMULH ? "zero_extend" : "sign_extend";
        fprintf(to, "((_ extract %u %u) (bvmul ((_ %s %u) a) ((_ %s %u) b)))", 2 * w - 1, w, extend,
                w, extend, w);
        break;
    }
    case VT_PIXEL_ROL:
    case VT_PIXEL_ROR: /* by 0, the part that is shifted by the whole width is 0 */
        fprintf(to,
                "(let ((m (bvurem b (_ bv%u %u)))) (bvor (%s a m) (%s a (bvsub (_ bv%u %u) m))))",
                w, w, op == VT_PIXEL_ROL ? "bvshl" : "bvlshr",
                op == VT_PIXEL_ROL ? "bvlshr" : "bvshl", w, w);
        break;
    case VT_PIXEL_POPCNT:
        write_bit_sum(to, w, 0, w);
        break;
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
        write_zeros(to, w, op == VT_PIXEL_CLZ);
        break;
    case VT_PIXEL_BSWAP:
        for (unsigned i = 0; i < w / 8; i++) {
            fprintf(to, "%s((_ extract %u %u) a) ", i + 1 < w / 8 ? "(concat " : "", i * 8 + 7,
                    i * 8);
        }
        for (unsigned i = 1; i < w / 8; i++) {
            fputc(')', to);
        }
        break;
    case VT_PIXEL_ADD_CARRY:
        write_wide_sum(to, w, "zero_extend", "bvadd");
        fprintf(to, "((_ extract %u %u) s))", w, w);
        break;
    case VT_PIXEL_SUB_BORROW:
        write_wide_sum(to, w, "zero_extend", "bvsub");
        fprintf(to, "((_ extract %u %u) s))", w, w);
        break;
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_OVERFLOW:
        write_wide_sum(to, w, "sign_extend", op == VT_PIXEL_ADD_OVERFLOW ? "bvadd" : "bvsub");
        fprintf(to, "(bvxor ((_ extract %u %u) s) ((_ extract %u %u) s)))", w, w, w - 1, w - 1);
        break;
    default:
        break;
    }
    fputs(")\n", to);
}

/* ---------------------------------------------------------------- nodes */

static void write_operand(struct writer *w, vt_term term)
{
    const struct vt_term_node *n = vt_term_node(w->terms, term);
    if (n->kind == VT_TERM_CONSTANT) {
        fprintf(w->to, " (_ bv%" PRIu64 " %u)", n->imm, n->bits);
    } else if (n->kind == VT_TERM_OPERATION) {
        fprintf(w->to, " ?%u", term);
    } else if (n->kind == VT_TERM_HAVOC) {
        fprintf(w->to, " undefined.%u", term);
    } else {
        fprintf(w->to, " s.%s", vt_term_name(w->terms, term));
    }
}

static void write_operation(struct writer *w, vt_term term, const struct vt_term_node *n)
{
    FILE *to = w->to;
    unsigned from = n->a != 0 ? vt_term_bits(w->terms, n->a) : n->bits, operands;
    bool bit;
    unsigned width = packed(n->op) ? n->lane : from;
    write_definition(w, n->op, width);
    fprintf(to, "(define-fun ?%u () (_ BitVec %u) ", term, n->bits);
    const char *name;
    if ((name = native(n->op)) != NULL) {
        fprintf(to, "(%s", name);
        write_operand(w, n->a);
        write_operand(w, n->b);
    } else if ((name = predicate(n->op)) != NULL) {
        fprintf(to, "(ite (%s", name);
        write_operand(w, n->a);
        write_operand(w, n->b);
        fputs(n->op == VT_PIXEL_NE ? ") #b0 #b1" : ") #b1 #b0", to);
    } else if (defined_here(n->op, &operands, &bit)) {
        fputc('(', to);
        write_name(to, n->op, width);
        write_operand(w, n->a);
        if (operands == 2) {
            write_operand(w, n->b);
        }
        if (bit && n->c != 0) {
            write_operand(w, n->c);
        } else if (bit) {
            fputs(" #b0", to);
        }
    } else {
        switch (n->op) {
        case VT_PIXEL_NOT:
            fputs("(bvnot", to);
            write_operand(w, n->a);
            break;
        case VT_PIXEL_NEG:
            fputs("(bvneg", to);
            write_operand(w, n->a);
            break;
        case VT_PIXEL_SELECT:
            fputs("(ite (=", to);
            write_operand(w, n->c);
            fputs(" #b1)", to);
            write_operand(w, n->a);
            write_operand(w, n->b);
            break;
        case VT_PIXEL_ZEXT:
        case VT_PIXEL_SEXT:
            fprintf(to, "((_ %s %u)", n->op == VT_PIXEL_ZEXT ? "zero_extend" : "sign_extend",
                    n->bits - from);
            write_operand(w, n->a);
            break;
        default: /* extract: nothing else is left */
            fprintf(to, "((_ extract %u %u)", (unsigned)n->imm + n->bits - 1, (unsigned)n->imm);
            write_operand(w, n->a);
            break;
        }
    }
    fputs("))\n", to);
}

static void write_query(struct writer *w, const struct vt_smt_query *q, const bool *used,
                        vt_term last)
{
    fputs("(set-logic QF_BV)\n", w->to);
    for (vt_term t = 1; t <= last; t++) {
        const struct vt_term_node *n = used[t] ? vt_term_node(w->terms, t) : NULL;
        if (n == NULL || n->kind == VT_TERM_CONSTANT) {
            continue;
        }
        if (n->kind == VT_TERM_OPERATION) {
            write_operation(w, t, n);
        } else {
            fputs("(declare-const", w->to);
            write_operand(w, t);
            fprintf(w->to, " (_ BitVec %u))\n", n->bits);
        }
    }
    for (uint32_t i = 0; i < q->n; i++) {
        fputs("(assert (= #b1", w->to);
        write_operand(w, q->assumptions[i]);
        fputs("))\n", w->to);
    }
    fputs("(assert (= #b0", w->to); /* the goal does not hold: unsat says that it must */
    write_operand(w, q->goal);
    fputs("))\n(check-sat)\n", w->to);
}

int vt_smt_text(const struct vt_smt_query *q, char **text, size_t *bytes, struct vt_error *err)
{
    if (vt_terms_broken(q->terms) || q->goal == 0) {
        return vt_fail(err, VT_E_NOMEM, "a question to a solver");
    }
    vt_term last = q->goal;
    for (uint32_t i = 0; i < q->n; i++) {
        last = q->assumptions[i] > last ? q->assumptions[i] : last;
    }
    bool *used = calloc((size_t)last + 1, sizeof *used);
    struct writer *w = calloc(1, sizeof *w);
    char *out = NULL;
    size_t n_out = 0;
    FILE *to = used != NULL && w != NULL ? open_memstream(&out, &n_out) : NULL;
    if (to == NULL) {
        free(used);
        free(w);
        return vt_fail(err, VT_E_NOMEM, "a question to a solver");
    }
    used[q->goal] = true;
    for (uint32_t i = 0; i < q->n; i++) {
        used[q->assumptions[i]] = true;
    }
    for (vt_term t = last; t > 0; t--) {
        const struct vt_term_node *n = used[t] ? vt_term_node(q->terms, t) : NULL;
        if (n != NULL && n->kind == VT_TERM_OPERATION) {
            used[n->a] = true;
            used[n->b] = true;
            used[n->c] = true;
        }
    }
    *w = (struct writer){.terms = q->terms, .to = to};
    write_query(w, q, used, last);
    free(used);
    free(w);
    bool bad = ferror(to) != 0;
    if (fclose(to) != 0 || bad) {
        free(out);
        return vt_fail(err, VT_E_NOMEM, "a question to a solver");
    }
    *text = out;
    *bytes = n_out;
    return 0;
}
