/* memory/scanner.h - the two ways to find out which pages changed since the last look.
 *
 * A scan is a sequence of steps, so that a long one (hashing gigabytes) leaves its thread time for
 * other things. After the last step every page written since the scan before (as far as the way
 * can see) carries the epoch `tick`; the first scan gives it to everything with storage.
 */
#ifndef VT_MEMORY_SCANNER_H
#define VT_MEMORY_SCANNER_H

#include "memory/track_table.h"

#include <sys/types.h>

struct vt_scanner;

/** `qemu_pid` 0: not known. Picks the better way that works; `why` (of `why_bytes`) says why it is
 *  not VT_TRACK_PAGEMAP, or "". Errors: as vt_ram_open. */
int vt_scanner_create(pid_t qemu_pid, const char *ram_path, struct vt_scanner **scanner, char *why,
                      size_t why_bytes, struct vt_error *err);
/** Takes NULL. */
void vt_scanner_destroy(struct vt_scanner *scanner);
enum vt_track_mode vt_scanner_mode(const struct vt_scanner *scanner);
uint64_t vt_scanner_ram_bytes(const struct vt_scanner *scanner);

/** One step of scan `tick`: 1 when the scan is complete, 0 when there is more to do. *dirty_pages
 *  is added to. Errors: VT_E_GONE (QEMU or its RAM), VT_E_IO. A scan that failed leaves pages
 *  marked that it saw; the scanner is of no use any more. */
int vt_scanner_step(struct vt_scanner *scanner, struct vt_table *table, uint32_t tick,
                    uint64_t *dirty_pages, struct vt_error *err);

/* ---- one each; vt_scanner_create chooses ---- */

struct vt_pagemap_scan;
struct vt_hash_scan;

/** VT_E_UNSUPPORTED, with the reason, when the kernel or QEMU's mapping does not support it. */
int vt_pagemap_scan_create(pid_t pid, const char *ram_path, const struct vt_ram *ram,
                           struct vt_pagemap_scan **scan, struct vt_error *err);
void vt_pagemap_scan_destroy(struct vt_pagemap_scan *scan);
int vt_pagemap_scan_run(struct vt_pagemap_scan *scan, struct vt_table *table, uint32_t tick,
                        uint64_t *dirty_pages, struct vt_error *err);

/** Whether no page is marked as written, without clearing a mark: for readers, beside the tracker's
 *  own scans. It begins with a look for RAM that got storage since this one's last call. */
int vt_pagemap_scan_quiet(struct vt_pagemap_scan *scan, bool *quiet, struct vt_error *err);

int vt_hash_scan_create(const struct vt_ram *ram, struct vt_hash_scan **scan, struct vt_error *err);
void vt_hash_scan_destroy(struct vt_hash_scan *scan);
int vt_hash_scan_step(struct vt_hash_scan *scan, struct vt_table *table, uint32_t tick,
                      uint64_t *dirty_pages, struct vt_error *err);

#endif
