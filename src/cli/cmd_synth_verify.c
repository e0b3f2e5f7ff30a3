/* cli/cmd_synth_verify.c - `vitrine synth verify`: proves kernels from their files' bytes and
 * operations alone. */
#include "cli/synth_loops.h"

#include <stdlib.h>
#include <string.h>

static const struct vt_column columns[] = {
    {"file", "FILE", VT_CELL_TEXT, .doc = "the kernel's file"},
    {"result", "RESULT", VT_CELL_TEXT,
     .doc = "proven; refused: not all holds, or not decided in time; corrupt: changed"},
    {"loop", "LOOP", VT_CELL_TEXT, .doc = "XXH3-128 of the loop's code; null: not known"},
    {"obligations", "OBLIGATIONS", VT_CELL_U64,
     .doc = "how many there are, or were until one failed"},
    {"solved", "SOLVED", VT_CELL_U64,
     .doc = "those that a solver decided; of the others both sides "
            "are one term"},
    {"time_ms", "MS", VT_CELL_F64, .digits = 1, .doc = "milliseconds the proof took"},
    {"why", "WHY", VT_CELL_TEXT, .doc = "what is wrong; null: nothing"},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static const struct vt_option options[] = {
    VT_SYNTH_OPTIONS,
    {0},
};

static uint32_t solved(const struct vt_synth_kernel *k)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->n_obligations; i++) {
        n += strcmp(k->obligations[i].solver, "structure") != 0;
    }
    return n;
}

/* Where the obligations of one of several files go. */
static int apart(const struct vt_proof_options *all, const char *file, char path[PATH_MAX],
                 struct vt_proof_options *own, struct vt_error *err)
{
    char name[NAME_MAX + 1];
    const char *base = strrchr(file, '/');
    snprintf(name, sizeof name, "%s", base != NULL ? base + 1 : file);
    char *end = strrchr(name, '.');
    if (end != NULL && strcmp(end, ".json") == 0) {
        *end = '\0';
    }
    return vt_synth_apart(all, name, path, own, err);
}

static int verify(struct vt_rows *rows, const char *path, const struct vt_proof_options *all,
                  bool several, struct vt_error *err)
{
    struct vt_synth_kernel *k = NULL;
    struct vt_proof_options how = *all;
    char directory[PATH_MAX];
    int rc = vt_synth_load(path, &k, err);
    rc = rc == 0 && several ? apart(all, path, directory, &how, err) : rc;
    rc = rc != 0 ? rc : vt_synth_verify(k, &how, err);
    if (rc == VT_E_INTERRUPTED) {
        vt_synth_kernel_destroy(k);
        return rc;
    }
    vt_cell_text(rows, path);
    vt_cell_text(rows, rc == 0 ? "proven" : rc == VT_E_REFUSED ? "refused" : "corrupt");
    vt_cell_text(rows, k != NULL ? k->loop.hash : NULL);
    if (k != NULL) {
        vt_cell_u64(rows, k->n_obligations);
        vt_cell_u64(rows, solved(k));
        vt_cell_f64(rows, (double)k->proof_us / 1000);
    } else {
        vt_cell_none(rows);
        vt_cell_none(rows);
        vt_cell_none(rows);
    }
    vt_cell_text(rows, rc != 0 ? err->message : NULL);
    vt_synth_kernel_destroy(k);
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_proof_options how;
    struct vt_error err;
    struct vt_rows *rows;
    int result = vt_synth_args(args, &how);
    if (result != 0) {
        return result;
    }
    if (vt_rows_create(args, columns, N_COLUMNS, &rows, &err) != 0) {
        return vt_report(args, &err);
    }
    bool all = true;
    int rc = 0;
    for (unsigned i = 0; i < vt_args_operands(args) && rc != VT_E_INTERRUPTED; i++) {
        rc = verify(rows, vt_args_operand(args, i), &how, vt_args_operands(args) > 1, &err);
        all = all && rc == 0;
    }
    result = vt_rows_finish(rows);
    if (rc == VT_E_INTERRUPTED) {
        return vt_report(args, &err);
    }
    return result != VT_EXIT_OK ? result : all ? VT_EXIT_OK : VT_EXIT_FAILED;
}

const struct vt_verb vt_verb_synth_verify = {
    .name = "synth verify",
    .group = "Acceleration",
    .summary = "Prove kernels again, from their files alone",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = UINT32_MAX,
    .options = options,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .description =
        "The code's bytes and the program's operations are read from the file, and all obligations "
        "are\n"
        "made and proven of these; what the file says about its proof is compared, not believed. "
        "The exit\n"
        "code is 0 if all of them are proven.\n\n"
        "With --smt2 each obligation is a file for any solver of SMT-LIB 2 (QF_BV): 'unsat' means "
        "that it\n"
        "holds. Each of several kernels has a directory of its own below, called as its file is.",
    .examples = "vitrine synth verify kernel.json\n"
                "vitrine synth verify kernel.json --smt2 obligations && z3 obligations/back.smt2\n"
                "vitrine synth verify *.json --json | jq -r '.[] | select(.result != \"proven\") | "
                ".file'",
    .run = run,
};
