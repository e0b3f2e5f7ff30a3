/* cli/bench.h - what measurements share: a VM to measure, times, and the table of them.
 *
 * `vitrine bench NAME [VM]` is one struct vt_bench in bench_<name>.c and one line in cmd_bench.c.
 */
#ifndef VT_CLI_BENCH_H
#define VT_CLI_BENCH_H

#include "cli/target.h"
#include "vitrine/machine.h"

struct vt_bench {
    const char *name;
    const char *summary; /**< one line, no full stop */
    int (*run)(const struct vt_args *args);
};

/** The VM to measure: the second operand, or a default guest of our own that has reached its
 *  shell. Its name is in `name`. */
struct vt_bench_vm {
    const char *name;
    bool ours;
    char own[VT_VM_NAME_MAX + 1];
};
int vt_bench_vm_open(const struct vt_args *args, struct vt_bench_vm *vm, struct vt_error *err);
/** Always one of our own; `index` tells several apart. */
int vt_bench_vm_start(const struct vt_args *args, unsigned index, struct vt_bench_vm *vm,
                      struct vt_error *err);
/** Lets a default guest write into `pages` pages `hz` times a second, until it ends. */
int vt_bench_vm_write(struct vt_vm *vm, uint64_t pages, uint64_t hz, struct vt_error *err);
/** Ends it when it is ours. */
void vt_bench_vm_close(struct vt_bench_vm *vm);

/** What is done to the VM to measure. */
typedef int vt_bench_measure(struct vt_target *target, bool ours, void *context,
                             struct vt_error *err);
/** Opens the VM and what `need` says of it, measures, and closes. Saved RAM is refused unless
 *  `saved` is fine. Returns the exit code, after saying what went wrong. */
int vt_bench_on_vm(const struct vt_args *args, const char *operation, enum vt_cli_need need,
                   bool saved, vt_bench_measure *measure, void *context);

/* These sort `ms`; percentiles are nearest ranks. */
double vt_bench_median(double *ms, size_t n);
double vt_bench_percentile(double *ms, size_t n, unsigned percent);
/** "key": {"median", "p99"} */
void vt_bench_times(struct vt_json_writer *w, const char *key, double *ms, size_t n);
/** A line for the terminal. */
void vt_bench_print(const char *what, double *ms, size_t n);

#endif
