/* virtio/gpu/say.h - putting a line of text together without a libc. */
#ifndef VT_VIRTIO_GPU_SAY_H
#define VT_VIRTIO_GPU_SAY_H

#include <stddef.h>
#include <stdint.h>

/** Text that grows in `to` and stays terminated; what does not fit is dropped. */
struct vt_vgpu_text {
    char *to;
    size_t room, used; /**< `room` with the terminator, at least 1 */
};

void vt_vgpu_say_begin(struct vt_vgpu_text *text, char *to, size_t room);
/** NULL adds nothing. */
void vt_vgpu_say(struct vt_vgpu_text *text, const char *words);
void vt_vgpu_say_number(struct vt_vgpu_text *text, uint64_t number);
/** With 0x before it. */
void vt_vgpu_say_hex(struct vt_vgpu_text *text, uint64_t number);

#endif
