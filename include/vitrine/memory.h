/* vitrine/memory.h - a guest's RAM: mapped read-only and zero-copy, addressed guest-physically.
 *
 * A struct vt_ram may be read by any number of threads at once; opening and closing is the owner's.
 * Pointers into the mapping stay valid until vt_ram_close, whatever the guest does: a RAM file that
 * is truncated or removed while mapped turns into zeros under the pointer and every later call
 * answers VT_E_GONE (a SIGBUS handler, installed by the first vt_ram_open and chained to the one
 * before, replaces the lost pages).
 *
 * The guest writes while we read: a value may change between two looks, and a range may be torn.
 * Copy what you decide on (vt_ram_read), validate, and use vt_snapshot_* for a verdict.
 */
#ifndef VITRINE_MEMORY_H
#define VITRINE_MEMORY_H

#include "vitrine/base.h"
#include "vitrine/machine.h"

struct vt_ram;

/* ---------------------------------------------------------------- open */

/** Maps `path` read-only. `regions` (ascending, page-aligned, inside the file) says where
 *  guest-physical addresses lie; n == 0: identity over the whole file.
 *  Errors: VT_E_NOT_FOUND, VT_E_PERM, VT_E_MAP (errno), VT_E_INVAL (not a regular file, empty,
 *  a region outside; without regions, not a multiple of 4 KiB: with them, what follows the last
 *  whole page is none of RAM's). */
int vt_ram_open(const char *path, const struct vt_ram_region *regions, unsigned n,
                struct vt_ram **ram, struct vt_error *err);
/** The RAM of a VM; VT_E_UNSUPPORTED with the reason when it is not shared. */
int vt_ram_open_vm(const struct vt_vm *vm, struct vt_ram **ram, struct vt_error *err);
/** Takes NULL. Pointers into the mapping die with it. */
void vt_ram_close(struct vt_ram *ram);

/** Bytes of RAM (of the file). */
uint64_t vt_ram_size(const struct vt_ram *ram);
/** One past the highest guest-physical address backed by RAM. */
struct vt_gpa vt_ram_end(const struct vt_ram *ram);
unsigned vt_ram_regions(const struct vt_ram *ram, const struct vt_ram_region **regions);

/* ---------------------------------------------------------------- addresses and reads */

/** Guest-physical to file offset: *run (may be NULL) is how many bytes from there are contiguous.
 *  VT_E_ADDR {addr, len 1, max} in a hole or past the end. */
int vt_ram_offset(const struct vt_ram *ram, struct vt_gpa gpa, struct vt_off *off, uint64_t *run,
                  struct vt_error *err);
/** The way back; VT_E_ADDR for an offset no region maps. */
int vt_ram_gpa(const struct vt_ram *ram, struct vt_off off, struct vt_gpa *gpa,
               struct vt_error *err);

/** Zero-copy: a pointer to [gpa, gpa+len), bounds-checked, O(log regions). The range must lie in
 * one region. Touching a page the guest never touched makes the host allocate it: use
 *  vt_ram_is_populated or vt_ram_read first where that matters.
 *  Errors: VT_E_ADDR {addr, len, max} (also when addr + len overflows), VT_E_GONE. */
int vt_ram_ptr(const struct vt_ram *ram, struct vt_gpa gpa, uint64_t len, const void **ptr,
               struct vt_error *err);
/** Copies; may cross regions that touch; pages never touched read as zeros without being allocated.
 *  Errors as vt_ram_ptr; on VT_E_GONE `buf` may have been written. */
int vt_ram_read(const struct vt_ram *ram, struct vt_gpa gpa, void *buf, uint64_t len,
                struct vt_error *err);
/** What two looks at memory that the guest goes on writing are worth. */
enum vt_verdict {
    VT_CONSISTENT, /**< all of it as it was at one moment between the looks */
    VT_RETRIED,    /**< the same, after looking again */
    VT_TORN,       /**< it kept changing */
    VT_UNCHECKED,  /**< nobody looked a second time */
};
const char *vt_verdict_name(enum vt_verdict verdict);

/** One look at [at, at+len) of some address space; what vt_ram_read and vt_space_read do. */
typedef int vt_look_fn(void *space, uint64_t at, void *buf, uint64_t len, struct vt_error *err);
/** Looks until one look finds just what the one before took, at most four times after the first:
 *  then all of `buf` was in memory at the moment that last look began. (A byte that changed and
 *  changed back in between is not seen.) VT_TORN is a success: `buf` holds the last look. */
int vt_look_twice(vt_look_fn *look, void *space, uint64_t at, void *buf, uint64_t len,
                  enum vt_verdict *verdict, struct vt_error *err);
/** vt_ram_read with a verdict. */
int vt_ram_read_checked(const struct vt_ram *ram, struct vt_gpa gpa, void *buf, uint64_t len,
                        enum vt_verdict *verdict, struct vt_error *err);
/** A little-endian 8-byte read as one access (never torn). VT_E_INVAL unless `gpa` is a multiple of
 *  8, else errors as vt_ram_ptr. */
int vt_ram_read_u64(const struct vt_ram *ram, struct vt_gpa gpa, uint64_t *value,
                    struct vt_error *err);

/** The whole mapping, vt_ram_size bytes, by file offset. For scanners: combine with
 *  vt_ram_next_data, or holes get allocated. */
const uint8_t *vt_ram_bytes(const struct vt_ram *ram);
/** The next populated run that holds or follows the page of `from` (file offsets, page-aligned;
 *  *start may lie below an unaligned `from`, by less than a page). VT_E_NOT_FOUND when there is
 * none up to the end. */
int vt_ram_next_data(const struct vt_ram *ram, struct vt_off from, struct vt_off *start,
                     struct vt_off *end, struct vt_error *err);
/** Whether the page at `off` has storage: it holds something but zeros, or was read or written
 * once. A yes costs a bit test, a no a system call. Reading a page that has none through the
 * mapping allocates it. */
bool vt_ram_is_populated(const struct vt_ram *ram, struct vt_off off);
/** VT_E_GONE once a page of the mapping was lost, else 0. Ask after a batch of vt_ram_bytes reads.
 */
int vt_ram_check(const struct vt_ram *ram, struct vt_error *err);

/* ---------------------------------------------------------------- page epochs */

/** How changes are noticed. */
enum vt_track_mode {
    VT_TRACK_NONE,
    /** userfaultfd write-protection inside QEMU + PAGEMAP_SCAN outside. Sees what QEMU's process
     *  writes; not what others write into the file (a vhost-user device), nor that QEMU gave a
     *  page's storage back (a balloon) until the guest uses it again. */
    VT_TRACK_PAGEMAP,
    VT_TRACK_HASH, /**< per-page hashing: costs a read of all populated RAM per scan */
};
const char *vt_track_mode_name(enum vt_track_mode mode);

/** A reader's view of a VM's page-epoch table: one u32 a page, the tick of its last change. One
 *  tracker (in the VM's keeper) writes it; any number of readers compare, wait-free. */
struct vt_track;

/** The service that vt_vm_start needs for this ("track"). */
extern const struct vt_keeper_service vt_track_service;

/** Connects to the tracker in the VM's keeper. A handle is one thread's; the table it shows may be
 *  read by any. VT_E_UNSUPPORTED with the reason when the VM's RAM cannot be tracked at all. */
int vt_track_open(struct vt_vm *vm, struct vt_track **track, struct vt_error *err);
void vt_track_close(struct vt_track *track);
enum vt_track_mode vt_track_mode(const struct vt_track *track);
/** Why it is not VT_TRACK_PAGEMAP, or "". */
const char *vt_track_why(const struct vt_track *track);

/** Makes the tracker look now and waits for it: *tick is then the tick of that scan, and every
 * write that happened before the call has an epoch <= *tick. Ticks start at 1 and grow by 1 a
 *  scan; the first one gives its tick to every page with storage. VT_E_GONE when the tracker ended
 *  (QEMU died; or 2^32 ticks are used up: open anew); the handle is of no use after a failure. */
int vt_track_scan(struct vt_track *track, uint32_t *tick, struct vt_error *err);
/** Asks for scans at `hz` (0: none, at most 1000) for as long as this handle lives. */
int vt_track_subscribe(struct vt_track *track, unsigned hz, struct vt_error *err);
/** The tick of the latest completed scan (acquire: epochs up to it are visible). */
uint32_t vt_track_tick(const struct vt_track *track);

/** Epochs by page index (file offset / 4096); vt_ram_size / 4096 of them; 0: never seen to change.
 *  Load them relaxed after vt_track_tick. */
const uint32_t *vt_track_epochs(const struct vt_track *track);
/** The newest epoch of each run of VT_EPOCH_GROUP pages: skip a group that is not newer. */
#define VT_EPOCH_GROUP 64
const uint32_t *vt_track_group_epochs(const struct vt_track *track);

/** The next run of pages [*first, *end) at or after page `from` that changed after tick `since`;
 *  false when there is none. Skips quiet groups, so a look over gigabytes takes microseconds. */
bool vt_track_next(const struct vt_track *track, uint32_t since, uint64_t from, uint64_t *first,
                   uint64_t *end);

struct vt_track_stats {
    uint32_t tick;
    uint64_t dirty_pages_total; /**< pages reported by all scans but the first */
    uint64_t last_dirty_pages;
    uint64_t last_scan_ns, scan_ns_total;
    uint64_t last_scan_at_ns; /**< CLOCK_MONOTONIC */
};
void vt_track_stats(const struct vt_track *track, struct vt_track_stats *stats);

/* ---------------------------------------------------------------- snapshots */

/** A private copy of a VM's RAM that is refreshed by copying what changed. */
struct vt_snapshot;

struct vt_refresh {
    bool pause;           /**< stop the VM around the copy: a point in time */
    bool unchecked;       /**< do not look a second time: no verdict, less cost */
    unsigned max_retries; /**< 0: 3 */
};

struct vt_refresh_result {
    enum vt_verdict
        verdict; /**< VT_TORN: vt_snapshot_torn lists what changed under the last look */
    uint32_t tick;
    uint64_t copied_pages, retried_pages, torn_pages;
    uint64_t scan_ns, copy_ns, total_ns, paused_ns;
};

/** `ram` and `track` outlive the snapshot. Without `track`, or where it can only hash, a refresh
 *  compares all populated RAM with the copy instead (the hash would cost the same read once more).
 *  `vm` (may be NULL) is needed for `pause` and makes verdicts cheaper. Memory: address space of
 * the RAM's size, populated as the guest's is. */
int vt_snapshot_create(const struct vt_ram *ram, struct vt_track *track, struct vt_vm *vm,
                       struct vt_snapshot **snap, struct vt_error *err);
void vt_snapshot_destroy(struct vt_snapshot *snap);
/** Brings the copy up to date; the first refresh copies everything with storage.
 *
 *  Unless told otherwise it looks again after copying, and copies and looks once more as long as
 *  RAM changed meanwhile: when a look finds nothing new, no page was written between that look and
 *  the one before, so the copy is RAM at a moment between them. (When comparing, a page that
 *  changed and changed back in between goes unseen.) `pause` stops the guest for the last look, and
 *  resumes it if it was running; a caller who may be killed by a signal blocks it meanwhile.
 *  Errors: VT_E_GONE (RAM or tracker), VT_E_INVAL (`pause` without a VM), VT_E_BUSY (it is
 *  being saved, or does not answer), those of vt_vm_pause. The
 *  copy may then be of no one moment; a later refresh mends it. */
int vt_snapshot_refresh(struct vt_snapshot *snap, const struct vt_refresh *how,
                        struct vt_refresh_result *result, struct vt_error *err);
/** The copy, by file offset. */
const uint8_t *vt_snapshot_bytes(const struct vt_snapshot *snap);
/** Page indices of the last refresh's torn pages. */
size_t vt_snapshot_torn(const struct vt_snapshot *snap, const uint64_t **pages);

/* ---------------------------------------------------------------- audit */

/** Appends one JSON line {"time","uid","user","pid","vm","operation","detail"} to
 *  <state>/audit.log (mode 0600, O_APPEND, one write). Every verb that looks into a guest calls it
 *  before it looks, and does not look when it fails. VITRINE_AUDIT=off turns it off. */
int vt_audit(const char *vm, const char *operation, struct vt_error *err, const char *detail_fmt,
             ...) __attribute__((format(printf, 4, 5)));

#endif
