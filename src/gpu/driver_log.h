/* gpu/driver_log.h - the log of a virtio-gpu driver of ours (virtio/gpu/log.h), found in a guest's
 * RAM and read as events like those of any queue that is watched (gpu/record.h).
 *
 * Works on RAM of a VM that runs, stands still or crashed, and on saved RAM; nothing is written.
 * Whatever is in that RAM is hostile. A reader is one thread's.
 */
#ifndef VT_GPU_DRIVER_LOG_H
#define VT_GPU_DRIVER_LOG_H

#include "gpu/record.h"
#include "vitrine/memory.h"

/** Rings larger than this are not believed. */
#define VT_VGPU_LOG_BYTES_MAX ((uint64_t)64 << 20)
/** Commands whose answers are waited for, and bytes of them; then the oldest is given without. */
#define VT_VGPU_LOG_PENDING_MAX 1024u
#define VT_VGPU_LOG_PENDING_BYTES_MAX ((size_t)64 << 20)

/** A log's header as it was when looked at, checked. Plain data. */
struct vt_vgpu_log_place {
    struct vt_gpa gpa;
    uint64_t bytes;        /**< of the ring */
    uint32_t header_bytes; /**< the ring begins here */
    uint64_t head, tail;   /**< tail <= head, at most a ring apart */
    uint64_t records;
    char writer[33]; /**< terminated; any bytes */
};

/** The log whose header is in `room` bytes of memory; VT_E_CORRUPT says which rule it breaks,
 *  VT_E_NOT_FOUND: no magic. `gpa` is for messages and *place. */
int vt_vgpu_log_check(const void *header, uint64_t room, struct vt_gpa gpa,
                      struct vt_vgpu_log_place *place, struct vt_error *err);
/** All whole logs in RAM, in order of file offset: up to `most`; *n of them. Cost: a look at the
 *  first bytes of every populated page. VT_E_NOT_FOUND, VT_E_GONE. */
int vt_vgpu_logs_find(const struct vt_ram *ram, struct vt_vgpu_log_place *places, unsigned most,
                      unsigned *n, struct vt_error *err);

struct vt_vgpu_log_reader;
/** From the oldest record that is still there. `ram` outlives the reader. Errors: those of
 *  vt_vgpu_log_check and vt_ram_ptr, VT_E_NOMEM. */
int vt_vgpu_log_reader_create(const struct vt_ram *ram, struct vt_gpa gpa,
                              struct vt_vgpu_log_reader **reader, struct vt_error *err);
/** The same for any memory, which stays where it is and may change meanwhile. */
int vt_vgpu_log_reader_create_at(const void *header, uint64_t room, struct vt_gpa gpa,
                                 struct vt_vgpu_log_reader **reader, struct vt_error *err);
/** Takes NULL. */
void vt_vgpu_log_reader_destroy(struct vt_vgpu_log_reader *reader);
/** Gives what was written since the last call, commands in the order in which they were sent, each
 *  once it is answered; state changes and notes as VT_VGPU_SEEN_NOTE, a reset of the device or of
 *  the guest as _RESET, records that were overwritten before they were read as _LOST. Returns
 *  whether there was anything new (0, 1), or VT_E_INTERRUPTED when `fn` said no, VT_E_NOMEM. Times
 *  count from the first record read. */
int vt_vgpu_log_reader_poll(struct vt_vgpu_log_reader *reader, vt_vgpu_seen_fn *fn, void *arg,
                            struct vt_error *err);
/** Gives what is still waiting for an answer, as it is: at the end. Errors as _poll. */
int vt_vgpu_log_reader_flush(struct vt_vgpu_log_reader *reader, vt_vgpu_seen_fn *fn, void *arg,
                             struct vt_error *err);
/** Records that did not follow the format; what lay between them and the newest was skipped. */
uint64_t vt_vgpu_log_reader_damaged(const struct vt_vgpu_log_reader *reader);

#endif
