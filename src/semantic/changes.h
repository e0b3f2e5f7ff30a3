/* semantic/changes.h - the difference between what is known and what was just seen, written. */
#ifndef VT_SEMANTIC_CHANGES_H
#define VT_SEMANTIC_CHANGES_H

#include "semantic/events.h"
#include "semantic/take.h"

struct vt_changes {
    uint64_t number; /* of this sample: greater than the last one's */
    bool quiet;      /* the first sample of a boot: what is there did not just come */
    struct vt_events *events;
    uint64_t appeared, gone, changed, rows;
    /** Told of a module whose symbols are wanted (`live`), or are no longer there. */
    int (*module)(const char *name, bool live, void *arg, struct vt_error *err);
    void *arg;
};

/** Inside a transaction of the store. */
int vt_changes_apply(struct vt_changes *changes, struct vt_store *store, struct vt_take *take,
                     struct vt_error *err);

#endif
