/* cli/bench_hybrid_loss.h - what work that no kernel replaces costs in three kinds of VMs.
 */
#ifndef VT_CLI_BENCH_HYBRID_LOSS_H
#define VT_CLI_BENCH_HYBRID_LOSS_H

#include "cli/bench.h"
#include "vitrine/synth.h"

#define VT_BENCH_LOSS_ROUNDS_MAX 51u
#define VT_BENCH_LOSS_TURNS 20u /* of the work, in a round's VMs */

enum vt_bench_loss_kind {
    VT_BENCH_PLAIN,   /**< QEMU without plugins */
    VT_BENCH_IDLE,    /**< with those of `vitrine run`, which have nothing to do */
    VT_BENCH_KERNELS, /**< and with kernels in, of loops that do not occur */
    VT_BENCH_LOSS_KINDS,
};
enum vt_bench_loss_load { VT_BENCH_LOSS_BOOT, VT_BENCH_LOSS_WORK, VT_BENCH_LOSS_LOADS };

/** CPU time of QEMU, in seconds. */
struct vt_bench_loss {
    uint32_t rounds, n_kernels;
    uint64_t heads; /**< of the kernels' loops, that occurred nevertheless */
    double boot[VT_BENCH_LOSS_KINDS][VT_BENCH_LOSS_ROUNDS_MAX];
    double work[VT_BENCH_LOSS_KINDS][VT_BENCH_LOSS_ROUNDS_MAX][VT_BENCH_LOSS_TURNS];
};

/** One round after the other, in each of which three VMs boot and then do the same work in turns.
 * The kernels are proven. */
int vt_bench_loss_measure(uint64_t memory_bytes, uint32_t rounds,
                          struct vt_synth_kernel *const *kernels, uint32_t n,
                          struct vt_bench_loss *loss, struct vt_error *err);

/** What a kind costs more than PLAIN, in percent, by the least of each; low and high: of the same
 * with any one round left out. */
struct vt_bench_loss_figure {
    double percent, low, high, plain_s;
};
struct vt_bench_loss_figure vt_bench_loss_figure(const struct vt_bench_loss *loss,
                                                 enum vt_bench_loss_load load,
                                                 enum vt_bench_loss_kind kind);
void vt_bench_loss_json(const struct vt_bench_loss *loss, struct vt_json_writer *w);
void vt_bench_loss_print(const struct vt_bench_loss *loss);

#endif
