/* semantic/kernel_regions.h - memory_regions beyond what maps has: the kernel's own, and runs
 * of pages as text.
 */
#ifndef VT_SEMANTIC_KERNEL_REGIONS_H
#define VT_SEMANTIC_KERNEL_REGIONS_H

#include "semantic/take.h"

/** Runs of one region that are kept. */
#define VT_RUNS_MAX 4096u

/** "[[gva,gpa,bytes],…]", made again and again in the same memory. Zeroed is empty. */
struct vt_runs_text {
    char *text;
    size_t n, room;
    uint64_t runs, cut; /**< in the text; left out */
    uint64_t bytes;     /**< of memory, of all runs */
    bool no_memory;
};

void vt_runs_fini(struct vt_runs_text *t);
void vt_runs_clear(struct vt_runs_text *t);
void vt_runs_add(struct vt_runs_text *t, const struct vt_page_run *run);
/** Clears and adds all of them. */
void vt_runs_text(struct vt_runs_text *t, const struct vt_page_run *runs, size_t n);
/** The text as a cell; NULL when there are no runs. */
void vt_runs_put(const struct vt_runs_text *t, struct vt_records *r);

/** Adds the kernel's image, stacks, modules and other vmalloc areas to the regions of a take. */
int vt_take_kernel_regions(struct vt_take *take, struct vt_kernel *kernel, struct vt_error *err);

#endif
