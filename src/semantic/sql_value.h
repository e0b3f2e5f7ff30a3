/* semantic/sql_value.h - values of SQL (struct vt_sql_value) as JSON and as text. */
#ifndef VT_SEMANTIC_SQL_VALUE_H
#define VT_SEMANTIC_SQL_VALUE_H

#include "base/json_writer.h"
#include "vitrine/semantic.h"

/** Numbers as they are, addresses as "0x…", text with U+FFFD for what is not UTF-8, BLOBs as hex
 *  digits. */
void vt_json_sql_value(struct vt_json_writer *w, const struct vt_sql_value *value);

/** The same for people and files, on one line and safe for a terminal; NULL for VT_SQL_NULL and
 * when out of memory. The caller frees it. */
char *vt_sql_value_text(const struct vt_sql_value *value);

/** Names for the members of a JSON object: `names` with "_2", "_3" … behind those that were there
 *  already. An array of n, in one piece with its texts: free() frees all. NULL: out of memory. */
char **vt_sql_members(const char *const *names, unsigned n);

#endif
