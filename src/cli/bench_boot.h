/* cli/bench_boot.h - default guests that boot while somebody looks at the clocks: what `vitrine
 * bench` trace, hybrid and boot share.
 */
#ifndef VT_CLI_BENCH_BOOT_H
#define VT_CLI_BENCH_BOOT_H

#include "cli/bench.h"
#include "machine/guest_image.h"

/** Seconds. */
struct vt_bench_clocks {
    double wall;
    double cpu;          /**< of QEMU's threads, to the nanosecond */
    double user, system; /**< of QEMU, to the clock tick */
    double ours;         /**< of all our threads */
};
/** VT_E_GONE: QEMU ended. */
int vt_bench_clocks(pid_t qemu, struct vt_bench_clocks *clocks, struct vt_error *err);
/** What passed since `begin`. */
struct vt_bench_clocks vt_bench_clocks_since(const struct vt_bench_clocks *begin,
                                             const struct vt_bench_clocks *end);

/** Fills in the default guest, whose paths are kept in `image`. */
int vt_bench_default_guest(struct vt_vm_config *config, struct vt_guest_image *image,
                           struct vt_error *err);
/** Starts a VM and opens it. What it takes from `config` is as there but for the default guest, and
 * for the name where that is NULL: vt_vm_info says it. */
int vt_bench_boot_start(struct vt_vm_config *config, struct vt_vm **vm, struct vt_error *err);
/** Of a VM that was started paused, its first instruction up to the shell. VT_E_TIMEOUT. */
int vt_bench_boot(struct vt_vm *vm, uint64_t timeout_ms, struct vt_bench_clocks *took,
                  struct vt_error *err);
/** Waits for the last that the default guest starts beside its shell: then nothing else runs. */
int vt_bench_wait_services(struct vt_vm *vm, struct vt_error *err);
/** Ends and closes it; NULL is fine. */
void vt_bench_boot_end(struct vt_vm *vm);

/** A directory for files of a measurement, in memory: a disk would be what is measured. VT_E_IO. */
struct vt_bench_dir {
    char path[64]; /**< "": none */
};
int vt_bench_dir_make(struct vt_bench_dir *dir, struct vt_error *err);
/** With what is in it. */
void vt_bench_dir_remove(struct vt_bench_dir *dir);

#endif
