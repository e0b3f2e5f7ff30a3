/* trace/status.h - what a VM's trace plugin does and has counted, by its segment (ring.h). */
#ifndef VT_TRACE_STATUS_H
#define VT_TRACE_STATUS_H

#include "vitrine/trace.h"

struct vt_trace_status {
    bool ready;              /**< QEMU has loaded the plugin */
    uint32_t detail, policy; /**< as it was last told */
    uint32_t vcpus;
    uint32_t reader;     /**< pid of who consumes, 0: nobody */
    uint64_t n_blocks;   /**< different ones in the dictionary */
    uint64_t ring_words; /**< of one vCPU */
    /* Summed over vCPUs; at most 50 ms old. They grow while something is recorded or counted. */
    uint64_t instructions, blocks, accesses, dropped, cuts;
};
/** Looks without disturbing anybody. Errors: those of vt_trace_open_segment. */
int vt_trace_status(const char *segment, struct vt_trace_status *status, struct vt_error *err);

#endif
