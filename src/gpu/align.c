/* gpu/align.c - see align.h. Boxes still to be looked at are a stack; each is split where its
 * shortest edit script has its middle. */
#include "gpu/align.h"

#include <stdlib.h>

/* Edits on one side's search before it is cut off. */
#define EDITS_MAX 512
#define NOWHERE (-1)

void vt_align_fini(struct vt_align *align)
{
    free(align->forward);
    free(align->backward);
    free(align->boxes);
    *align = (struct vt_align){0};
}

static int push(struct vt_align *align, struct vt_align_box box, struct vt_error *err)
{
    if (box.a0 == box.a1 || box.b0 == box.b1) {
        return 0;
    }
    if (align->n_boxes == align->room) {
        size_t room = align->room > 0 ? 2 * align->room : 64;
        struct vt_align_box *boxes = reallocarray(align->boxes, room, sizeof *boxes);
        if (boxes == NULL) {
            return vt_fail(err, VT_E_NOMEM, "out of memory");
        }
        align->boxes = boxes;
        align->room = room;
    }
    align->boxes[align->n_boxes++] = box;
    return 0;
}

/* How far one gets on diagonal k (x - y) with one edit more than its neighbours took; NOWHERE: not
 * inside the box. */
static int32_t reach(const int32_t *v, int32_t k, int32_t n, int32_t m)
{
    int32_t right = v[k - 1] != NOWHERE && v[k - 1] < n ? v[k - 1] + 1 : NOWHERE;
    int32_t down = v[k + 1] != NOWHERE && v[k + 1] - k <= m ? v[k + 1] : NOWHERE;
    int32_t x = right > down ? right : down;
    return x != NOWHERE && x - k >= 0 && x - k <= m ? x : NOWHERE;
}

/* Finds where to split a box whose sides share neither their first nor their last key. */
static void split(const struct vt_align *align, const struct vt_align_box *box, const uint64_t *a,
                  const uint64_t *b, uint32_t *at_a, uint32_t *at_b)
{
    const int32_t n = (int32_t)(box->a1 - box->a0), m = (int32_t)(box->b1 - box->b0);
    const int32_t delta = n - m;
    int32_t *f = align->forward + align->n_diagonals / 2;
    int32_t *r = align->backward + align->n_diagonals / 2;
    a += box->a0;
    b += box->b0;
    int32_t best_x = 0, best_y = 0;
    f[0] = r[0] = 0;
    for (int32_t d = 1;; d++) {
        f[-d - 1] = f[d + 1] = f[-d] = f[d] = NOWHERE;
        r[-d - 1] = r[d + 1] = r[-d] = r[d] = NOWHERE;
        for (int32_t k = -d; k <= d; k += 2) {
            int32_t x = reach(f, k, n, m);
            while (x != NOWHERE && x < n && x - k < m && a[x] == b[x - k]) {
                x++;
            }
            f[k] = x;
            if (x == NOWHERE) {
                continue;
            }
            if (2 * x - k > best_x + best_y) {
                best_x = x;
                best_y = x - k;
            }
            int32_t other = delta - k;
            if (delta % 2 != 0 && other > -d && other < d && r[other] != NOWHERE &&
                x + r[other] >= n) {
                *at_a = box->a0 + (uint32_t)x;
                *at_b = box->b0 + (uint32_t)(x - k);
                return;
            }
        }
        for (int32_t k = -d; k <= d; k += 2) {
            int32_t x = reach(r, k, n, m);
            while (x != NOWHERE && x < n && x - k < m && a[n - 1 - x] == b[m - 1 - (x - k)]) {
                x++;
            }
            r[k] = x;
            int32_t other = delta - k;
            if (x != NOWHERE && delta % 2 == 0 && other >= -d && other <= d &&
                f[other] != NOWHERE && x + f[other] >= n) {
                *at_a = box->a0 + (uint32_t)(n - x);
                *at_b = box->b0 + (uint32_t)(m - (x - k));
                return;
            }
        }
        if (d == EDITS_MAX) {
            *at_a = box->a0 + (uint32_t)best_x;
            *at_b = box->b0 + (uint32_t)best_y;
            return;
        }
    }
}

static void pair(uint32_t *of_a, uint32_t *of_b, uint32_t i, uint32_t j)
{
    of_a[i] = j;
    of_b[j] = i;
}

int vt_align_box(struct vt_align *align, struct vt_align_box box, const uint64_t *a,
                 const uint64_t *b, uint32_t *of_a, uint32_t *of_b, struct vt_error *err)
{
    if (align->forward == NULL) {
        /* A search is cut off before it needs more. */
        align->n_diagonals = 2 * (EDITS_MAX + 2);
        align->forward = calloc(align->n_diagonals, sizeof *align->forward);
        align->backward = calloc(align->n_diagonals, sizeof *align->backward);
        if (align->forward == NULL || align->backward == NULL) {
            vt_align_fini(align);
            return vt_fail(err, VT_E_NOMEM, "out of memory");
        }
    }
    align->n_boxes = 0;
    int rc = push(align, box, err);
    while (rc == 0 && align->n_boxes > 0) {
        box = align->boxes[--align->n_boxes];
        while (box.a0 < box.a1 && box.b0 < box.b1 && a[box.a0] == b[box.b0]) {
            pair(of_a, of_b, box.a0++, box.b0++);
        }
        while (box.a0 < box.a1 && box.b0 < box.b1 && a[box.a1 - 1] == b[box.b1 - 1]) {
            pair(of_a, of_b, --box.a1, --box.b1);
        }
        if (box.a0 == box.a1 || box.b0 == box.b1) {
            continue;
        }
        uint32_t i, j;
        split(align, &box, a, b, &i, &j);
        rc = push(align, (struct vt_align_box){i, box.a1, j, box.b1}, err);
        rc = rc != 0 ? rc : push(align, (struct vt_align_box){box.a0, i, box.b0, j}, err);
    }
    return rc;
}
