/* cli/bench_synthetic.h - RAM as a guest's might be, where no guest is: something to measure.
 *
 * What it holds follows from its size and its share of pages in use alone: the same on every
 * machine. Changes are told through a page-epoch table as a VM's tracker makes it
 * (memory/track_table.h), but by those who write: a look costs the comparison and no scan.
 */
#ifndef VT_CLI_BENCH_SYNTHETIC_H
#define VT_CLI_BENCH_SYNTHETIC_H

#include "vitrine/scene.h"

struct vt_synthetic;

/** `ram_bytes`: whole pages, up to 2^38; `fill_percent`: pages that are neither holes nor zeros,
 *  0-100. VT_E_INVAL, VT_E_NOMEM, VT_E_IO. */
int vt_synthetic_create(uint64_t ram_bytes, unsigned fill_percent, struct vt_synthetic **synthetic,
                        struct vt_error *err);
/** Takes NULL. Ends the thread of vt_synthetic_start. */
void vt_synthetic_destroy(struct vt_synthetic *synthetic);

/** Mapped read-only, as a VM's RAM is. */
const uint8_t *vt_synthetic_bytes(const struct vt_synthetic *synthetic);
uint64_t vt_synthetic_pages(const struct vt_synthetic *synthetic);
const uint8_t *vt_synthetic_classes(const struct vt_synthetic *synthetic);
/** As vt_classes_owners. */
const uint8_t *vt_synthetic_owners(const struct vt_synthetic *synthetic);
const struct vt_highlights *vt_synthetic_highlights(const struct vt_synthetic *synthetic);

/** A thread writes into `pages_per_s` pages a second from now on, most of them near each other,
 *  and none into page `kept` (the number of pages: into any). Once. VT_E_NOMEM. */
int vt_synthetic_start(struct vt_synthetic *synthetic, uint64_t pages_per_s, uint64_t kept,
                       struct vt_error *err);
/** Any thread: fills a page with `byte` and says that it changed. */
void vt_synthetic_fill(struct vt_synthetic *synthetic, uint64_t page, uint8_t byte);

/** Seconds of the clock of its updates. */
double vt_synthetic_now_s(const struct vt_synthetic *synthetic);
/** What changed since the last look; the first time: everything. The arrays are its own, until the
 *  next look. One thread at a time. */
void vt_synthetic_look(struct vt_synthetic *synthetic, struct vt_volume_update *update);

#endif
