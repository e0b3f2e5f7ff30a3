/* cli/bench_hybrid.h - runs of `vitrine bench hybrid`: the guest's program of loops, in a guest and
 * on the host.
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

/** Runs `vt-loops ARGUMENTS` there, or here with vm NULL. */
int vt_bench_hybrid_loops(struct vt_vm *vm, const char *arguments, struct vt_bench_loops *out,
                          struct vt_error *err);

#endif
