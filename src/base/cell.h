/* base/cell.h - the values of a record, taken out by its columns (struct vt_column).
 *
 * What shows records (tables, JSON, SQL) asks here what a column holds in one, and so agrees on
 * what is unknown, signed or text.
 */
#ifndef VT_BASE_CELL_H
#define VT_BASE_CELL_H

#include "base/json_writer.h"
#include "vitrine/base.h"

enum vt_value_type {
    VT_VALUE_NONE, /**< unknown, or none */
    VT_VALUE_TEXT,
    VT_VALUE_U64, /**< of VT_CELL_U64, _HEX, _BYTES and _SECONDS */
    VT_VALUE_I64,
    VT_VALUE_F64,
    VT_VALUE_BOOL,
};

struct vt_value {
    enum vt_value_type type;
    const char *text; /**< belongs to the record */
    uint64_t u64;
    int64_t i64;
    double f64;
    bool boolean;
};

/** What `record` holds in a column that was made by VT_COLUMN for its type. */
struct vt_value vt_cell_value(const struct vt_column *column, const void *record);

/** Writes a value of a column as JSON: addresses as "0x…", durations as seconds, unknown as null.
 */
void vt_json_value(struct vt_json_writer *w, const struct vt_column *column,
                   const struct vt_value *value);
/** Members of an object: the record's values of `n` columns by their keys. */
void vt_json_record(struct vt_json_writer *w, const struct vt_column *columns, unsigned n,
                    const void *record);

#endif
