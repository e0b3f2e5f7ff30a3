/* gpu/venus_record.h - recording what Venus contexts carry out.
 *
 * An observer (vitrine/venus.h) that writes a recording (gpu/record.h): each command with its reply
 * and its times, in the order in which they ended; and before work is submitted to a queue what the
 * guest has written into memory since it was last looked at, so that the recording can be carried
 * out again without the guest.
 */
#ifndef VT_GPU_VENUS_RECORD_H
#define VT_GPU_VENUS_RECORD_H

#include "gpu/record.h"
#include "vitrine/venus.h"

struct vt_vgpu_venus_recorder;
/** Creates the file as vt_vgpu_writer_create does. */
int vt_vgpu_venus_recorder_create(const char *path, bool replace, const char *name,
                                  struct vt_vgpu_venus_recorder **recorder, struct vt_error *err);
/** To be handed to the renderer; valid until the recorder is closed, which comes after the
 * renderer's end. */
struct vt_venus_observer vt_vgpu_venus_recorder_observer(struct vt_vgpu_venus_recorder *recorder);
/** Flushes and closes; takes NULL. The first failure to write, also one of long ago, is told here:
 * VT_E_IO, VT_E_NOMEM. The recorder is gone in any case. */
int vt_vgpu_venus_recorder_close(struct vt_vgpu_venus_recorder *recorder, struct vt_error *err);

#endif
