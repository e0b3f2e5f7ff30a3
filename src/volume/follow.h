/* volume/follow.h - what becomes of a target's RAM from one look to the next, as volumes are told.
 *
 * One look asks the tracker which pages changed; what the pages hold (classes, owners) is found out
 * by a thread of its own, with a target of its own, so that a look takes no longer than the scan
 * for changed pages. Highlights are read again when their file changed. Saved RAM never changes.
 *
 * A follower and what it gives out belong to one thread at a time.
 */
#ifndef VT_VOLUME_FOLLOW_H
#define VT_VOLUME_FOLLOW_H

#include "vitrine/scene.h"
#include "vitrine/target.h"

struct vt_follow;

struct vt_follow_options {
    double classes_s; /**< all pages are classified anew that often, or less often where it would
                       *  take more than a quarter of a core; 0: once a second; negative: once,
                       *  before vt_follow_create returns */
    bool no_highlights;
};

/** `target` (with its RAM; it may have a kernel already) outlives the follower and stays the
 *  caller's thread's; its name is not logged again. A guest that is not understood is no failure:
 *  classes are by contents then. `options` may be NULL. Errors: VT_E_NOMEM, VT_E_GONE, those of
 *  vt_track_open. */
int vt_follow_create(struct vt_target *target, const struct vt_follow_options *options,
                     struct vt_follow **follow, struct vt_error *err);
/** The same with a tracker of its RAM that is there already; NULL: nothing changes. It is the
 *  follower's from now on, also after a failure. */
int vt_follow_create_tracked(struct vt_target *target, struct vt_track *track,
                             const struct vt_follow_options *options, struct vt_follow **follow,
                             struct vt_error *err);
/** Takes NULL. */
void vt_follow_destroy(struct vt_follow *follow);

/** Looks once. *update is what changed since the last look (the first: everything, and the first
 *  classification is waited for); its arrays are the follower's, until the next look. VT_E_GONE:
 * the VM ended, or its RAM is lost. */
int vt_follow_look(struct vt_follow *follow, struct vt_volume_update *update, struct vt_error *err);

/** What the last look saw. */
struct vt_follow_seen {
    uint32_t tick;            /**< of the tracker; 0: nothing is tracked */
    uint64_t changed_pages;   /**< since the look before */
    uint64_t scan_ns;         /**< that the look took */
    uint32_t classes_version; /**< grows with each classification that differs */
    uint32_t highlights_version;
    double now_s;            /**< the clock of vt_volume_update: seconds since vt_follow_create */
    bool understood;         /**< classes are the guest's own word */
    const char *system;      /**< "Linux 6.1.0-…" or why there is nothing to say */
    const char *note;        /**< what was left out, or "" */
    const char *consistency; /**< "live", "paused", "a saved copy" */
};
void vt_follow_seen(const struct vt_follow *follow, struct vt_follow_seen *seen);

/** Whether the last look failed because the VM ended or its RAM is lost. */
bool vt_follow_gone(const struct vt_follow *follow);

/** For those who serve several readers that are each at a tick of their own; NULL: not tracked. Its
 *  epochs may be read by any thread. */
const struct vt_track *vt_follow_track(const struct vt_follow *follow);
/** Of all pages, as of the last look. */
const uint8_t *vt_follow_classes(const struct vt_follow *follow);
const uint8_t *vt_follow_owners(const struct vt_follow *follow);
/** Pages of each class; the sum is that of all pages. */
void vt_follow_totals(const struct vt_follow *follow, uint64_t totals[VT_CLASSES]);
size_t vt_follow_processes(const struct vt_follow *follow, const struct vt_owner **owners);
const struct vt_highlights *vt_follow_highlights(const struct vt_follow *follow);

#endif
