/* cli/bench_venus.h - the parts of `vitrine bench venus`: a Vulkan client that measures whatever
 * driver it finds, and the decoder by itself. */
#ifndef VT_CLI_BENCH_VENUS_H
#define VT_CLI_BENCH_VENUS_H

#include "vitrine/base.h"

/** Medians of one run. */
struct vt_bench_vulkan {
    char device[256];
    double round_trip_us;           /**< a command whose answer is waited for */
    double submit_wait_per_s;       /**< a submission and its fence, one after the other */
    double pipelined_submits_per_s; /**< many submissions, one wait at the end */
    double alloc_map_free_us;       /**< 1 MiB that the host sees: allocate, map, write, free */
    double record_ns;               /**< of one recorded command, as the client sees it */
};
/** Measures the Vulkan device that this process finds (VITRINE_GPU picks one), about two seconds.
 */
int vt_bench_vulkan_run(struct vt_bench_vulkan *result, struct vt_error *err);

/** What a recorded command costs us: taken out of the stream, decoded, its handles looked up, and
 * carried out by a driver that does nothing. The process should end afterwards: the context that
 * does it is left as it is. */
int vt_bench_venus_decode(double *ns_per_command, struct vt_error *err);

#endif
