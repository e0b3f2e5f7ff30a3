/* synth/make_cells.c - which memory is variables. See make_parts.h.
 *
 * Accesses at addresses of registers that no iteration changes, taken together where they overlap.
 * What comes out as 1, 2, 4 or 8 bytes is a cell; other memory that stays where it is becomes a
 * stream that does not go on. There is room for so many: words come first, as pointers
 * are among them, and of others those that are stored to.
 */
#include "synth/make_parts.h"

#include <stdlib.h>

struct piece {
    struct vt_linear address;
    uint64_t bytes;
    bool stored, merged;
};

static bool stays(const struct vt_summary *s, const struct vt_linear *address)
{
    bool all = true;
    for (uint32_t i = 0; i < address->n; i++) {
        uint32_t reg = address->part[i].reg;
        all &= reg >= VT_LINEAR_FS || s->after.r[reg] == s->before.r[reg];
    }
    return all;
}

/* `b` becomes part of `a` if they overlap. */
static bool merge(struct piece *a, struct piece *b)
{
    if (a->merged || b->merged || !vt_linear_alike(&a->address, &b->address)) {
        return false;
    }
    uint64_t behind = b->address.constant - a->address.constant;
    uint64_t before = a->address.constant - b->address.constant;
    if (behind >= a->bytes && before >= b->bytes) {
        return false;
    }
    uint64_t low = behind < a->bytes ? a->address.constant : b->address.constant;
    uint64_t end_a = a->address.constant + a->bytes - low;
    uint64_t end_b = b->address.constant + b->bytes - low;
    a->address.constant = low;
    a->bytes = end_a > end_b ? end_a : end_b;
    a->stored |= b->stored;
    b->merged = true;
    return true;
}

static void take(const struct piece *pieces, uint32_t n, bool stored, bool word, uint32_t most,
                 struct vt_cell *cells, uint32_t *n_cells)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct piece *p = &pieces[i];
        bool whole = p->bytes == 1 || p->bytes == 2 || p->bytes == 4 || p->bytes == 8;
        if (!p->merged && whole && p->stored == stored && (p->bytes == 8) == word &&
            *n_cells < most) {
            cells[(*n_cells)++] =
                (struct vt_cell){.address = p->address, .bytes = (uint8_t)p->bytes};
        }
    }
}

int vt_make_find_cells(struct vt_terms *terms, const struct vt_summary *s, uint32_t most,
                       struct vt_cell *cells, uint32_t *n_cells, struct vt_error *err)
{
    struct piece *pieces = calloc(s->n_operations + 1, sizeof *pieces);
    uint32_t n = 0;
    if (pieces == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a loop's cells");
    }
    for (uint32_t i = 0; i < s->n_operations; i++) {
        struct piece *p = &pieces[n];
        *p = (struct piece){.bytes = s->operations[i].bytes, .stored = s->operations[i].store};
        if (!vt_linear_of(terms, s->operations[i].address, &s->before, &p->address) ||
            !stays(s, &p->address)) {
            continue;
        }
        n++;
    }
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t k = 0; k < n; k++) {
                more |= i != k && merge(&pieces[i], &pieces[k]);
            }
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        take(pieces, n, i % 2 == 0, i < 2, most, cells, n_cells);
    }
    free(pieces);
    return 0;
}
