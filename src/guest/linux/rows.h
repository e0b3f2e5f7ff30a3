/* guest/linux/rows.h - a noun's rows with what all rows have in common, and as JSON.
 *
 * The command line, the file system and the server show the same columns in the same order, and
 * write the same JSON: {"<member>": [rows], "torn": …, "why": …}, of nouns that check also
 * "checked" and "findings".
 */
#ifndef VT_GUEST_LINUX_ROWS_H
#define VT_GUEST_LINUX_ROWS_H

#include "base/json_writer.h"
#include "vitrine/linux.h"

#define VT_NOUN_COLUMNS_MAX 32

/** All columns of a noun's rows, and how many: its own, and "trust", "at" and "why" before its last
 *  one, which is often long and ragged; of a noun that checks, after it, and then "finding". All
 * but "trust", which is at columns[*trust], take their value from the row by vt_cell_value. */
unsigned vt_noun_columns(const struct vt_noun *noun, struct vt_column columns[VT_NOUN_COLUMNS_MAX],
                         unsigned *trust);
/** The name of the array of rows. */
const char *vt_noun_member(const struct vt_noun *noun);

struct vt_noun_json {
    uint64_t limit; /**< rows at most; 0: all. Were there more, the object says "truncated": true */
    /** Asked after each row, when not NULL; non-zero ends the walk and is returned. */
    int (*check)(void *arg, struct vt_error *err);
    void *arg;
};

/** Walks a noun and writes one object. Nothing is written when the walk fails before its first row;
 *  when it fails later, the object is ended as a list that is incomplete. Errors: those of
 *  vt_noun_walk, what `check` returns. */
int vt_noun_write_json(struct vt_json_writer *w, struct vt_kernel *kernel,
                       const struct vt_noun *noun, const struct vt_noun_query *query,
                       const struct vt_noun_json *how, struct vt_noun_result *result,
                       struct vt_error *err);

#endif
