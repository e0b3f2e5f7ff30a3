/* memory/track_table.h - the page-epoch table in shared memory: one writer, any number of readers.
 *
 * Layout of the memfd (native byte order, all offsets multiples of 4 KiB): header, group epochs
 * (u32 a VT_EPOCH_GROUP pages), page epochs (u32 a page). It is sealed against shrinking, growing
 * and new writable mappings, so a reader can neither be hurt by it nor hurt it. Order: the writer
 * stores epochs relaxed, then `tick` with release; a reader loads `tick` with acquire, then epochs
 * relaxed. Epochs of a scan that is not published yet may be seen early: they are newer than tick.
 */
#ifndef VT_MEMORY_TRACK_TABLE_H
#define VT_MEMORY_TRACK_TABLE_H

#include "vitrine/memory.h"

#include <stdatomic.h>

#define VT_TABLE_MAGIC 0x65707674u /* "tvpe" */
#define VT_TABLE_VERSION 2u
/** RAM sizes beyond this (64 TiB) are refused: the table's size is computed from it. */
#define VT_TABLE_RAM_MAX ((uint64_t)1 << 46)

struct vt_table_header {
    uint32_t magic, version;
    uint64_t ram_bytes;
    _Atomic(uint32_t) tick;       /* of the last scan that is complete */
    _Atomic(uint32_t) started;    /* of the last scan that began to clear marks */
    _Atomic(uint32_t) stats_turn; /* odd while the numbers below change */
    _Atomic(uint64_t) dirty_pages_total, last_dirty_pages;
    _Atomic(uint64_t) last_scan_ns, scan_ns_total, last_scan_at_ns;
};

struct vt_table {
    struct vt_table_header *header;
    uint32_t *group_epochs;
    uint32_t *epochs;
    uint64_t pages;
    size_t bytes;
    int fd; /* the writer's, to pass on; -1 in a reader */
};

/** The writer's side, all epochs 0. */
int vt_table_create(struct vt_table *table, uint64_t ram_bytes, struct vt_error *err);
/** The reader's side of `fd` (stays the caller's). VT_E_CORRUPT when it is not what
 *  vt_table_create made for `ram_bytes`. */
int vt_table_open(struct vt_table *table, int fd, uint64_t ram_bytes, struct vt_error *err);
/** Takes a zeroed one. */
void vt_table_close(struct vt_table *table);

/** Scan `tick` begins: called before its first mark is cleared. */
void vt_table_start(struct vt_table *table, uint32_t tick);
/** Pages [first, end) changed: they get the epoch `tick`. */
void vt_table_mark(struct vt_table *table, uint64_t first, uint64_t end, uint32_t tick);
/** Scan `tick` is complete. */
void vt_table_publish(struct vt_table *table, uint32_t tick, uint64_t dirty_pages, uint64_t scan_ns,
                      uint64_t now_ns);

/** As vt_track_next. */
bool vt_table_next(const struct vt_table *table, uint32_t since, uint64_t from, uint64_t *first,
                   uint64_t *end);

#endif
