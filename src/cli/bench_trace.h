/* cli/bench_trace.h - one run of `vitrine bench trace`: a guest that boots or computes, from its
 * first instruction until it says that it is done, recorded or counted or left alone.
 */
#ifndef VT_CLI_BENCH_TRACE_H
#define VT_CLI_BENCH_TRACE_H

#include "cli/bench.h"

enum vt_bench_work { VT_BENCH_BOOT, VT_BENCH_COMPUTE, VT_BENCH_WORKS };
/** Who takes what is recorded. */
enum vt_bench_consumer {
    VT_BENCH_NOBODY, /**< rings keep what ran last */
    VT_BENCH_DECODE, /**< each event, and each instruction of it by class */
    VT_BENCH_STORE,  /**< a .vtrace file in memory */
};

struct vt_bench_trace_run {
    enum vt_bench_work work;
    enum vt_bench_consumer consumer;
    bool plugin;     /**< ours is loaded */
    uint32_t detail; /**< enum vt_trace_detail */
    /** QEMU's -plugin and -D, or NULL: another's plugin instead. */
    const char *const *qemu_args;
    uint64_t for_ns; /**< 0: until the guest is done */
    uint64_t rounds; /**< VT_BENCH_COMPUTE: of its work */
    const char *dir; /**< for files */
};

struct vt_bench_trace_sample {
    double wall_s;           /**< until the guest was done and all that was recorded was taken */
    double user_s, system_s; /**< of QEMU */
    double consumer_s;       /**< our own, all threads */
    uint64_t instructions;   /**< by the plugin's counters; 0: nothing counted */
    uint64_t seen;           /**< by the consumer: whole blocks, as the counters have them */
    uint64_t dropped;        /**< words */
    uint64_t ring_bytes, file_bytes;
    char qemu[32];
};

/** VT_E_PROTOCOL: what was seen is not what was counted. */
int vt_bench_trace_measure(const struct vt_bench_trace_run *run, uint64_t memory_bytes,
                           struct vt_bench_trace_sample *sample, struct vt_error *err);

#endif
