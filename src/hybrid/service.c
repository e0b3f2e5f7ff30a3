/* hybrid/service.c - the segment of a VM that is to be, laid out. See segment.h.
 */
#include "hybrid/service.h"

#include "hybrid/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ROUND_UP(bytes) (((uint64_t)(bytes) + VT_HYBRID_PAGE - 1) / VT_HYBRID_PAGE * VT_HYBRID_PAGE)

_Static_assert(sizeof(struct vt_hybrid_header) <= VT_HYBRID_PAGE, "the header has a page");
_Static_assert(sizeof(struct vt_hybrid_control) <= VT_HYBRID_PAGE, "the control block has a page");

static int lay_out(int fd, unsigned cpus, struct vt_error *err)
{
    (void)cpus;
    struct vt_hybrid_header h = {
        .version = VT_HYBRID_VERSION,
        .header_bytes = sizeof h,
        .slots = VT_HYBRID_SLOTS,
        .slot_bytes = sizeof(struct vt_hybrid_slot),
        .control_offset = VT_HYBRID_PAGE,
        .slot_offset = (uint64_t)2 * VT_HYBRID_PAGE,
        .kernel_stride = ROUND_UP(sizeof(struct vt_hybrid_kernel)),
        .image_stride = VT_HYBRID_IMAGE_BYTES,
    };
    memcpy(h.magic, VT_HYBRID_MAGIC, sizeof h.magic);
    h.mailbox_offset = h.slot_offset + ROUND_UP(VT_HYBRID_SLOTS * sizeof(struct vt_hybrid_slot));
    h.kernel_offset = h.mailbox_offset + ROUND_UP(sizeof(struct vt_hybrid_mailbox));
    h.image_offset = h.kernel_offset + VT_HYBRID_SLOTS * h.kernel_stride;
    h.segment_bytes = h.image_offset + VT_HYBRID_SLOTS * h.image_stride;
    /* What the plugin writes to must be there: a full /dev/shm would end QEMU. */
    if (ftruncate(fd, (off_t)h.segment_bytes) != 0 ||
        fallocate(fd, 0, 0, (off_t)h.kernel_offset) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "a segment for kernels");
    }
    return pwrite(fd, &h, sizeof h, 0) == sizeof h
               ? 0
               : vt_fail_errno(err, VT_E_IO, errno, "a segment for kernels");
}

const struct vt_keeper_service vt_hybrid_service = {.name = "hybrid", .segment = lay_out};
