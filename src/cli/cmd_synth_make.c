/* cli/cmd_synth_make.c - `vitrine synth make`: kernels of loops that were recorded, or of bytes. */
#include "cli/synth_loops.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct vt_column columns[] = {
    {"address", "ADDRESS", VT_CELL_HEX, .doc = "where the loop's head was seen; 0 for --bytes"},
    {"loop", "LOOP", VT_CELL_TEXT, .doc = "XXH3-128 of the loop's code"},
    {"result", "RESULT", VT_CELL_TEXT,
     .doc = "proven; refused: no proof; unsupported: no kernel of this loop"},
    {"obligations", "OBLIGATIONS", VT_CELL_U64, .doc = "how many, null: there is no kernel"},
    {"time_ms", "MS", VT_CELL_F64, .digits = 1, .doc = "milliseconds the proof took"},
    {"file", "FILE", VT_CELL_TEXT, .doc = "where the kernel is, null: nowhere"},
    {"why", "WHY", VT_CELL_TEXT, .doc = "why not, null: it is proven"},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static const struct vt_option options[] = {
    {.name = "hot", .value = "FILE", .help = "loops of a file that 'vitrine hot --json' wrote"},
    {.name = "loop", .value = "N", .help = "of these the N-th alone, from 1 on"},
    {.name = "bytes", .value = "HEX", .help = "a loop's code, the first byte its head"},
    {.name = "out", .value = "DIR", .help = "write proven kernels there"},
    VT_SYNTH_OPTIONS,
    {0},
};

static int make(struct vt_rows *rows, const struct vt_synth_loop *loop, const char *directory,
                const struct vt_proof_options *all, bool several, struct vt_error *err)
{
    struct vt_synth_kernel *k = NULL;
    struct vt_proof_options how = *all;
    char path[PATH_MAX] = "", obligations[PATH_MAX];
    int rc = vt_synth_make(loop, &k, err);
    bool made = rc == 0;
    rc = rc == 0 && several ? vt_synth_apart(all, loop->hash, obligations, &how, err) : rc;
    rc = rc != 0 ? rc : vt_synth_prove(k, &how, err);
    bool proven = rc == 0;
    if (proven && directory != NULL) {
        rc = vt_synth_save(k, directory, path, sizeof path, err);
    }
    if (rc != 0 && rc != VT_E_UNSUPPORTED && rc != VT_E_REFUSED) {
        vt_synth_kernel_destroy(k);
        return rc;
    }
    vt_cell_u64(rows, loop->head);
    vt_cell_text(rows, loop->hash);
    vt_cell_text(rows, proven ? "proven" : rc == VT_E_REFUSED ? "refused" : "unsupported");
    if (made) {
        vt_cell_u64(rows, k->n_obligations);
        vt_cell_f64(rows, (double)k->proof_us / 1000);
    } else {
        vt_cell_none(rows);
        vt_cell_none(rows);
    }
    vt_cell_text(rows, path[0] != '\0' ? path : NULL);
    vt_cell_text(rows, proven ? NULL : err->message);
    vt_synth_kernel_destroy(k);
    return proven ? 0 : rc;
}

static int read_loops(const struct vt_args *args, struct vt_synth_loop **loops, uint32_t *first,
                      uint32_t *n)
{
    const char *hot = vt_args_value(args, "hot"), *bytes = vt_args_value(args, "bytes");
    struct vt_error err;
    uint64_t only;
    uint32_t left_out;
    int result = vt_args_u64(args, "loop", 0, &only);
    *first = 0;
    if (result != 0 || (hot == NULL) == (bytes == NULL)) {
        return result != 0 ? result : vt_usage_error(args, "give --hot or --bytes");
    }
    if (bytes != NULL) {
        *n = 1;
        *loops = calloc(1, sizeof **loops);
        if (*loops == NULL) {
            vt_fail(&err, VT_E_NOMEM, "a loop");
            return vt_report(args, &err);
        }
        if (vt_synth_loop_of_hex(bytes, *loops, &err) != 0) {
            return vt_usage_error(args, "--bytes: %s", err.message);
        }
        return 0;
    }
    if (vt_synth_loops_of_hot(hot, loops, n, &left_out, &err) != 0) {
        return vt_report(args, &err);
    }
    if (left_out > 0) {
        fprintf(stderr,
                "vitrine synth make: %" PRIu32 " loops have no kernel: too large, or not all "
                "of their bytes are known\n",
                left_out);
    }
    if (vt_args_value(args, "loop") != NULL && (only < 1 || only > *n)) {
        return vt_usage_error(args, "--loop takes 1 to %" PRIu32, *n);
    }
    if (only != 0) {
        *first = (uint32_t)only - 1;
        *n = *first + 1;
    }
    return 0;
}

static int run(const struct vt_args *args)
{
    struct vt_proof_options how;
    struct vt_error err;
    struct vt_rows *rows;
    struct vt_synth_loop *loops = NULL;
    uint32_t first = 0, n = 0;
    int result = vt_synth_args(args, &how);
    result = result != 0 ? result : read_loops(args, &loops, &first, &n);
    if (result != 0) {
        free(loops);
        return result;
    }
    int rc = vt_rows_create(args, columns, N_COLUMNS, &rows, &err);
    if (rc != 0) {
        free(loops);
        return vt_report(args, &err);
    }
    bool all = true;
    for (uint32_t i = first; i < n; i++) {
        rc = make(rows, &loops[i], vt_args_value(args, "out"), &how, n - first > 1, &err);
        all = all && rc == 0;
        if (rc != 0 && rc != VT_E_REFUSED && rc != VT_E_UNSUPPORTED) {
            break;
        }
        rc = 0;
    }
    free(loops);
    result = vt_rows_finish(rows);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    return result != VT_EXIT_OK ? result : all ? VT_EXIT_OK : VT_EXIT_FAILED;
}

const struct vt_verb vt_verb_synth_make = {
    .name = "synth make",
    .group = "Acceleration",
    .summary = "Make kernels of loops and prove them",
    .operands = "",
    .options = options,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .description =
        "Loops come from what 'vitrine hot --json' wrote, or one from the command line. The exit "
        "code is\n"
        "0 if there is a proven kernel of each.",
    .examples = "vitrine hot demo --json > hot.json\n"
                "vitrine synth make --hot hot.json --out kernels\n"
                "vitrine synth make --bytes '48 31 14 c7 48 ff c0 48 39 c1 75 f4'",
    .run = run,
};
