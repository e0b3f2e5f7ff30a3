/* tests/unit/semantic/fabricated.h - looks at a guest that was never there: rows of any table, as
 * a walk would have taken them, and a database to put them into.
 */
#ifndef VT_TESTS_SEMANTIC_FABRICATED_H
#define VT_TESTS_SEMANTIC_FABRICATED_H

#include "semantic/changes.h"

/** A value of one column; of the others, identity is made up from the row's number. */
struct fabricated_cell {
    const char *column;
    const char *text; /**< or NULL: */
    int64_t integer;
};

/** All tables empty, and not looked at but for processes. */
void fabricated_begin(struct vt_take *take);
/** Adds a row to a table, which is then one that was looked at. `cells` end with a zeroed one; NULL
 *  is none. What makes up the identity depends on `number` alone, unless it is said. */
void fabricated_row(struct vt_take *take, enum vt_db_table_id id, int64_t number, bool torn,
                    const struct fabricated_cell *cells);
/** Looked at, and nothing there. */
void fabricated_empty(struct vt_take *take, enum vt_db_table_id id);

/** Applies the take as sample store->number + 1 at `now_s`, with its row of `sample`. */
void fabricated_apply(struct vt_store *store, struct vt_take *take, struct vt_events *events,
                      double now_s, struct vt_changes *changes);

/** The first value of a query, as text in a buffer that the next call overwrites. */
const char *fabricated_query(sqlite3 *db, const char *sql);

#endif
