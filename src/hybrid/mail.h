/* hybrid/mail.h - a request of the segment's mailbox, copied before it is looked at.
 */
#ifndef VT_HYBRID_MAIL_H
#define VT_HYBRID_MAIL_H

#include "hybrid/segment.h"
#include "pixel/gpu.h"

struct vt_mail_request {
    struct vt_pixel_gpu_call call; /**< points into the rest */
    uint64_t inputs[VT_HYBRID_INPUTS_MAX];
    uint64_t carries[VT_HYBRID_CARRIES_MAX];
    struct vt_pixel_gpu_stream streams[VT_HYBRID_STREAMS_MAX];
    uint64_t pages[VT_HYBRID_MAIL_PAGES];
};

/** The request of a kernel with so many streams. VT_E_CORRUPT: pages that it cannot have; what else
 * is wrong with it vt_pixel_gpu_check says. */
int vt_mail_read(const struct vt_hybrid_mailbox *mail, uint32_t n_streams,
                 struct vt_mail_request *request, struct vt_error *err);

#endif
