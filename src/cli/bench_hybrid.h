/* cli/bench_hybrid.h - runs of `vitrine bench hybrid`: the guest's program of loops, in a guest and
 * on the host, and what a VM's work costs.
 */
#ifndef VT_CLI_BENCH_HYBRID_H
#define VT_CLI_BENCH_HYBRID_H

#include "cli/bench.h"

#define VT_BENCH_LOOPS_MAX 64u

/** A line of vt-loops. */
struct vt_bench_loop {
    char name[32], check[20];
    uint64_t bytes, median_ns;
};
struct vt_bench_loops {
    uint32_t n;
    struct vt_bench_loop all[VT_BENCH_LOOPS_MAX];
};

/** A VM of our own under TCG that has reached its shell. */
int vt_bench_hybrid_start(const char *name, uint64_t memory_bytes, bool no_accel,
                          struct vt_error *err);
/** Runs `vt-loops ARGUMENTS` there, or here with vm NULL. */
int vt_bench_hybrid_loops(struct vt_vm *vm, const char *arguments, struct vt_bench_loops *out,
                          struct vt_error *err);
/** Runs a command in the guest; *cpu_ms is what QEMU's threads ran meanwhile. */
int vt_bench_hybrid_work(struct vt_vm *vm, const char *command, double *cpu_ms,
                         struct vt_error *err);

#endif
