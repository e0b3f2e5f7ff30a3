/* semantic/retention.h - what keeps the database from growing: history that is too old goes, and
 * the oldest when the file is too large; a little of it at each sample.
 */
#ifndef VT_SEMANTIC_RETENTION_H
#define VT_SEMANTIC_RETENTION_H

#include "semantic/store.h"

/** Zeroed: the defaults. */
struct vt_retention {
    uint64_t seconds;   /**< 0: 7 days */
    uint64_t max_bytes; /**< 0: 512 MiB */
    unsigned waited;    /* samples since history was looked at */
    bool again;         /* there was more to do than is done at once */
};

/** Outside a transaction, with the time of the store's last sample. Rows that are there stay. */
int vt_retention_apply(struct vt_store *store, struct vt_retention *retention,
                       struct vt_error *err);

#endif
