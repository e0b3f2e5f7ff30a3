/* gpu/venus_counts.h - what Venus counts, as members of a JSON object: the same for clients of a
 * socket and contexts in a VM.
 */
#ifndef VT_GPU_VENUS_COUNTS_H
#define VT_GPU_VENUS_COUNTS_H

#include "base/json_writer.h"
#include "vitrine/venus.h"

/** Members of the object that is open. */
void vt_gpu_counts_json(const struct vt_venus_statistics *counts, struct vt_json_writer *w);
/** An object: one command's row. */
void vt_gpu_command_json(const struct vt_venus_command_count *count, struct vt_json_writer *w);

#endif
