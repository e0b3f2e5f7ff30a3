/* gpu/venus_show.h - a Venus command with all its arguments, for people and for programs.
 *
 * The bytes are taken out of a recording and are hostile: what does not decode is shown up to
 * there, with the reason. Nothing here needs a Vulkan driver.
 */
#ifndef VT_GPU_VENUS_SHOW_H
#define VT_GPU_VENUS_SHOW_H

#include "base/json_writer.h"
#include "gpu/record.h"

/** "vkCreateBuffer" or "command 999"; `text` is used for the latter. */
const char *vt_vgpu_venus_name(const struct vt_vgpu_event_seen *event, char *text, size_t bytes);

/** The event's reply begins with a VkResult, and it is this; false: it has none. */
bool vt_vgpu_venus_result(const struct vt_vgpu_event_seen *event, int32_t *result);

/** One line without its end: `vkCmdDraw(commandBuffer #12, vertexCount 3, …) -> VK_SUCCESS`. Blobs
 * beyond `blob_max` bytes are shown up to there, with their size. Write errors stay in ferror(out).
 */
void vt_vgpu_venus_line(FILE *out, const struct vt_vgpu_event_seen *event, size_t blob_max);
/** Members of an object that is open: "name", "arguments", "reply", and "fault" when it does not
 * decode. */
void vt_vgpu_venus_json(struct vt_json_writer *w, const struct vt_vgpu_event_seen *event,
                        size_t blob_max);

#endif
