/* semantic/past.h - the database of a VM that has ended, as sql.c and answers read it. */
#ifndef VT_SEMANTIC_PAST_H
#define VT_SEMANTIC_PAST_H

#include "vitrine/semantic.h"

#include <sqlite3.h>

/** When it ended, and its last sample, as its database has it. VT_E_NOT_FOUND: there is no sample.
 *  The name is the caller's to fill in. */
int vt_past_read(struct vt_sql *sql, struct vt_past *past, struct vt_error *err);
/** Where a sampler noted the end, nothing is present any more: makes temporary views, under the
 *  names of those of the database, of what was there in the last sample. Returns SQLite's code. */
int vt_past_views(sqlite3 *db);

#endif
