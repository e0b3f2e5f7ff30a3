/* trace/service.c - the segment of a VM that is to be, laid out: what a keeper needs of this room.
 */
#include "trace/ring.h"
#include "vitrine/machine.h"
#include "vitrine/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Sparse. A boot of Linux translates some 10^5 blocks of 70 bytes each. */
#define DICTIONARY_BYTES ((uint64_t)128 << 20)

/* Pages that are written to whatever is recorded must be there: a full /dev/shm would end QEMU. */
static int reserve(int fd, uint64_t offset, struct vt_error *err)
{
    return fallocate(fd, 0, (off_t)offset, VT_TRACE_PAGE) == 0
               ? 0
               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "a trace segment");
}

static int lay_out(int fd, unsigned cpus, struct vt_error *err)
{
    struct vt_trace_header h = {
        .version = VT_TRACE_VERSION,
        .header_bytes = sizeof h,
        .vcpus = cpus < VT_TRACE_VCPUS_MAX ? cpus : VT_TRACE_VCPUS_MAX,
        .ring_words = VT_TRACE_RING_WORDS,
        .control_offset = VT_TRACE_PAGE,
        .vcpu_offset = (uint64_t)2 * VT_TRACE_PAGE,
        .vcpu_stride = VT_TRACE_PAGE + (uint64_t)VT_TRACE_RING_WORDS * sizeof(uint64_t),
        .dictionary_bytes = DICTIONARY_BYTES,
    };
    memcpy(h.magic, VT_TRACE_MAGIC, sizeof h.magic);
    h.dictionary_offset = h.vcpu_offset + h.vcpus * h.vcpu_stride;
    h.segment_bytes = h.dictionary_offset + h.dictionary_bytes;
    if (ftruncate(fd, (off_t)h.segment_bytes) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "a trace segment");
    }
    int rc = reserve(fd, 0, err);
    rc = rc != 0 ? rc : reserve(fd, h.control_offset, err);
    for (uint32_t i = 0; rc == 0 && i < h.vcpus; i++) {
        rc = reserve(fd, h.vcpu_offset + i * h.vcpu_stride, err);
    }
    if (rc == 0 && pwrite(fd, &h, sizeof h, 0) != sizeof h) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "a trace segment");
    }
    return rc;
}

const struct vt_keeper_service vt_trace_service = {.name = "trace", .segment = lay_out};
