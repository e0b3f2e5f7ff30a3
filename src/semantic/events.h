/* semantic/events.h - what happened between two samples: collected, written, told. */
#ifndef VT_SEMANTIC_EVENTS_H
#define VT_SEMANTIC_EVENTS_H

#include "semantic/store.h"

/** Events of one sample that are kept; of "opened" and "closed" each. */
#define VT_EVENTS_MAX 4096u
#define VT_EVENTS_FILES_MAX 256u

struct vt_event_kept {
    struct vt_event event; /* its texts belong to it */
    char *name, *detail;
    int64_t boot;
};

/** Zeroed is empty. */
struct vt_events {
    struct vt_event_kept *list;
    size_t n, room;
    int64_t boot;            /* of those that are added */
    uint64_t opened, closed; /* asked for, kept or not */
    uint64_t left_out;       /* of all others */
    bool no_memory;
    sqlite3_stmt *insert;
};

void vt_events_fini(struct vt_events *events);
/** Forgets them, keeps the statement. */
void vt_events_clear(struct vt_events *events);
/** `kind` and `noun` are literals. `name` may be NULL; `row` and `pid` 0. */
void vt_events_add(struct vt_events *events, double now_s, const char *kind, const char *noun,
                   int64_t row, int32_t pid, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 8, 9)));

/* What becomes of rows, as events; `row` is as it is now, or was last. */
void vt_events_appeared(struct vt_events *events, double now_s, enum vt_db_table_id id,
                        const struct vt_present *row);
void vt_events_gone(struct vt_events *events, double now_s, enum vt_db_table_id id,
                    const struct vt_present *row);
/** `record` is what the row becomes. */
void vt_events_changed(struct vt_events *events, double now_s, enum vt_db_table_id id,
                       const struct vt_present *row, const uint8_t *record, uint32_t bytes);

/** Into the database; gives each its id, and says how many were left out. */
int vt_events_write(struct vt_events *events, struct vt_store *store, double now_s,
                    struct vt_error *err);

#endif
