/* cli/bench_nouns.h - how long each noun's walk takes; a part of `vitrine bench guest`. */
#ifndef VT_CLI_BENCH_NOUNS_H
#define VT_CLI_BENCH_NOUNS_H

#include "cli/target.h"
#include "vitrine/linux.h"

struct vt_bench_noun {
    const struct vt_noun *noun;
    uint64_t rows, torn_rows; /**< of the last walk */
    double cold_ms;           /**< the first walk in an open kernel: members are probed */
    double *ms;               /**< of the walks after it; sorted by vt_bench_median */
    size_t runs;              /**< 0: this kernel does not have it, `why` says what it lacks */
    char why[VT_ERROR_MESSAGE_MAX];
};

/** Walks every noun for a moment each, translations forgotten before each walk. Free with
 *  vt_bench_nouns_fini. */
int vt_bench_nouns(struct vt_target *target, struct vt_bench_noun **nouns, size_t *n,
                   struct vt_error *err);
void vt_bench_nouns_fini(struct vt_bench_noun *nouns, size_t n);
/** "verbs": [{"name", "rows", …}] */
void vt_bench_nouns_json(struct vt_json_writer *w, struct vt_bench_noun *nouns, size_t n);
void vt_bench_nouns_print(struct vt_bench_noun *nouns, size_t n);

#endif
