/* hybrid/accelerator.c - looks at what a VM executes, makes kernels of its hottest loops, and keeps
 * those that win. See vitrine/hybrid.h.
 *
 *   accelerator.c  a round: record, choose, make, prove, install
 *   measure.c      a kernel against the guest's own code
 *   ledger.c       what was done, as JSON
 *
 * Of nested loops the outermost that can be had is taken: a kernel of it runs the inner ones, too.
 * A loop is known by its hash and looked at once; one that was refused is not tried again.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"
#include "base/paths.h"
#include "synth/from_trace.h"
#include "trace/hot.h"
#include "trace/ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define THRESHOLD 10000u
#define THRESHOLD_MIN 1000u
#define THRESHOLD_MAX 100000000u
#define RECORD_MS 300u
#define MEASURE_MS 40u
#define CANARY_PERIOD 256u
#define COMMIT_MS 10000u
#define LOOPS_A_ROUND 32u /* that are looked at, hottest first */
#define SHARE_MIN 0.2     /* percent of the instructions below which nothing can be won */

static bool stopped(const struct vt_accelerator *a)
{
    return a->options.stop != NULL && a->options.stop(a->options.arg);
}

void vt_accelerator_tell(struct vt_accelerator *a, const struct vt_ledger_row *row)
{
    if (a->options.tell != NULL) {
        a->options.tell(a->options.arg, row);
    }
}

/* ---------------------------------------------------------------- beginning, end */

static int choose_cache(struct vt_accelerator *a, struct vt_error *err)
{
    char base[PATH_MAX];
    if (a->options.cache != NULL) {
        return vt_path_format(a->cache, err, "%s", a->options.cache);
    }
    int rc = vt_path_cache(base, err);
    rc = rc != 0 ? rc : vt_path_format(a->cache, err, "%s/kernels", base);
    if (rc == 0) {
        (void)mkdir(base, 0700);
        (void)mkdir(a->cache, 0700);
    }
    return rc;
}

int vt_accelerator_create(struct vt_target *target, const struct vt_accelerator_options *options,
                          struct vt_accelerator **accelerator, struct vt_error *err)
{
    struct vt_accelerator *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return vt_fail(err, VT_E_NOMEM, "an accelerator");
    }
    a->target = target;
    a->options = *options;
    a->threshold = options->threshold != 0 ? options->threshold : THRESHOLD;
    a->options.record_ms = options->record_ms != 0 ? options->record_ms : RECORD_MS;
    a->options.measure_ms = options->measure_ms != 0 ? options->measure_ms : MEASURE_MS;
    a->options.canary_period = options->canary_period != 0 ? options->canary_period : CANARY_PERIOD;
    int rc = choose_cache(a, err);
    rc = rc != 0 ? rc : vt_accel_open(target, &a->accel, err);
    if (rc != 0) {
        vt_accelerator_destroy(a, false);
        return rc;
    }
    vt_accel_enable(a->accel, true);
    *accelerator = a;
    return 0;
}

void vt_accelerator_destroy(struct vt_accelerator *a, bool remove)
{
    if (a == NULL) {
        return;
    }
    if (remove && a->accel != NULL) {
        for (uint32_t slot = 0; slot < VT_ACCEL_SLOTS; slot++) {
            vt_accel_remove(a->accel, slot);
        }
        (void)vt_accel_commit(a->accel, COMMIT_MS, NULL);
    }
    vt_accel_close(a->accel);
    free(a->rows);
    free(a);
}

uint64_t vt_accelerator_threshold(const struct vt_accelerator *a)
{
    return a->threshold;
}

/* ---------------------------------------------------------------- rows */

static struct vt_ledger_row *row_of(struct vt_accelerator *a, const char *hash)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (strcmp(a->rows[i].hash, hash) == 0) {
            return &a->rows[i];
        }
    }
    return NULL;
}

static struct vt_ledger_row *new_row(struct vt_accelerator *a)
{
    if (a->n_rows == a->room) {
        uint32_t room = a->room == 0 ? 32 : a->room * 2;
        struct vt_ledger_row *wider = realloc(a->rows, room * sizeof *wider);
        if (wider == NULL) {
            return NULL;
        }
        a->rows = wider;
        a->room = room;
    }
    struct vt_ledger_row *row = &a->rows[a->n_rows];
    memset(row, 0, sizeof *row);
    return row;
}

static void describe(struct vt_ledger_row *row, const struct vt_trace_hot *hot, uint32_t index,
                     const struct vt_synth_loop *loop)
{
    uint32_t n;
    const struct vt_trace_loop *l = &vt_trace_graph_loops(hot->graph, &n)[index];
    const struct vt_trace_basic_block *b = &vt_trace_graph_blocks(hot->graph, &n)[l->header];
    const struct vt_trace_space *space = &vt_trace_graph_spaces(hot->graph, &n)[b->space];
    uint64_t all = vt_trace_graph_stats(hot->graph)->instructions;
    struct vt_trace_place place;
    struct vt_trace_block one;
    vt_trace_graph_instruction(hot->graph, l->header, 0, &one);
    (void)vt_trace_place(hot->names, space->root, &one, b->pc, &place);
    vt_trace_place_text(&place, b->pc, row->place, sizeof row->place);
    snprintf(row->process, sizeof row->process, "%s",
             space->kernel           ? "kernel"
             : place.process != NULL ? place.process
                                     : "user");
    memcpy(row->hash, loop->hash, sizeof row->hash);
    row->head = loop->head;
    row->iterations = l->iterations;
    row->percent = all == 0 ? 0 : 100.0 * (double)l->instructions / (double)all;
}

/* ---------------------------------------------------------------- kernels */

static void fail_row(struct vt_ledger_row *row, enum vt_loop_fate fate, const struct vt_error *err)
{
    row->fate = fate;
    snprintf(row->why, sizeof row->why, "%s", err->message);
}

/* From the cache, or made and proven. NULL: the row says why not. */
static struct vt_synth_kernel *kernel_of(struct vt_accelerator *a, const struct vt_synth_loop *loop,
                                         struct vt_ledger_row *row)
{
    struct vt_proof_options proof = {
        .timeout_ms = a->options.proof_ms, .stop = a->options.stop, .arg = a->options.arg};
    struct vt_synth_kernel *k = NULL;
    struct vt_error err;
    uint64_t begin = vt_now_ns();
    if (vt_synth_find(a->cache, loop->hash, &proof, &k, &err) == 0) {
        row->cached = true;
    } else {
        int rc = vt_synth_make(loop, &k, &err);
        row->make_us = (vt_now_ns() - begin) / 1000;
        if (rc != 0) {
            fail_row(row, VT_FATE_UNSUPPORTED, &err);
            return NULL;
        }
        if (vt_synth_prove(k, &proof, &err) != 0) {
            fail_row(row, VT_FATE_UNPROVEN, &err);
            vt_synth_kernel_destroy(k);
            return NULL;
        }
        /* Without a cache it is made again next time. */
        (void)vt_synth_save(k, a->cache, row->file, sizeof row->file, NULL);
    }
    k->loop.head = loop->head;
    row->proof_us = k->proof_us;
    row->instructions = k->instructions;
    row->operations = k->program.n_insns;
    return k;
}

static void install(struct vt_accelerator *a, const struct vt_synth_kernel *k,
                    struct vt_ledger_row *row)
{
    struct vt_accel_options options = {
        .backend = a->options.backend, .passive = true, .canary_period = a->options.canary_period};
    struct vt_error err;
    if (options.backend == VT_ACCEL_GPU && !k->program.independent) {
        options.backend = VT_ACCEL_HOST;
    }
    uint64_t begin = vt_now_ns();
    if (vt_accel_install(a->accel, k, &options, &row->slot, &err) != 0) {
        fail_row(row, VT_FATE_REFUSED, &err);
    } else {
        row->fate = VT_FATE_WAITING;
        row->backend = options.backend;
        row->compile_us = (vt_now_ns() - begin) / 1000;
    }
}

/* One loop of the trace. Whether a kernel of it is there, then or now. */
static bool try_loop(struct vt_accelerator *a, const struct vt_trace_hot *hot, uint32_t index,
                     uint32_t *found)
{
    struct vt_synth_loop loop;
    struct vt_error err;
    if (vt_synth_loop_of_trace(hot->graph, index, &loop, &err) != 0) {
        return false;
    }
    struct vt_ledger_row *row = row_of(a, loop.hash);
    if (row == NULL) {
        row = new_row(a);
        if (row == NULL) {
            return false;
        }
        describe(row, hot, index, &loop);
        struct vt_synth_kernel *k = kernel_of(a, &loop, row);
        if (k != NULL) {
            install(a, k, row);
            vt_synth_kernel_destroy(k);
        }
        if (stopped(a)) {
            return false; /* a proof that was cut short is not a failure of the loop's */
        }
        a->n_rows++;
        (*found)++;
        vt_accelerator_tell(a, row);
    }
    return row->fate >= VT_FATE_REFUSED;
}

/* A loop, or rather the outermost around it of which there is a kernel. */
static void try_nest(struct vt_accelerator *a, const struct vt_trace_hot *hot, uint32_t index,
                     bool *done, uint32_t *found)
{
    uint32_t n, nest[64], depth = 0;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(hot->graph, &n);
    for (uint32_t i = index; i != VT_TRACE_NONE && depth < 64; i = loops[i].parent) {
        nest[depth++] = i;
    }
    while (depth-- > 0 && !stopped(a)) {
        uint32_t i = nest[depth];
        if (done[i]) {
            return; /* within one that has a kernel */
        }
        if (loops[i].iterations >= a->threshold && try_loop(a, hot, i, found)) {
            done[i] = true;
            return;
        }
    }
}

static int choose(struct vt_accelerator *a, const struct vt_trace_hot *hot, uint32_t *found,
                  struct vt_error *err)
{
    uint32_t n, looked = 0;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(hot->graph, &n);
    uint64_t all = vt_trace_graph_stats(hot->graph)->instructions;
    bool *done = calloc(n + 1, sizeof *done);
    if (done == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%u loops", n);
    }
    for (uint32_t i = 0; i < n && looked < LOOPS_A_ROUND && !stopped(a); i++) {
        double percent = all == 0 ? 0 : 100.0 * (double)loops[i].instructions / (double)all;
        if (loops[i].iterations >= a->threshold && percent >= SHARE_MIN) {
            try_nest(a, hot, i, done, found);
            looked++;
        }
    }
    free(done);
    return 0;
}

/* ---------------------------------------------------------------- a round */

static void note_refusals(struct vt_accelerator *a)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        struct vt_ledger_row *row = &a->rows[i];
        struct vt_accel_slot slot;
        if (row->fate != VT_FATE_WAITING && row->fate != VT_FATE_KEPT) {
            continue;
        }
        vt_accel_read(a->accel, row->slot, &slot);
        if (slot.state == VT_ACCEL_REFUSED || slot.state == VT_ACCEL_DISABLED) {
            row->fate = slot.state == VT_ACCEL_REFUSED ? VT_FATE_REFUSED : VT_FATE_DISABLED;
            snprintf(row->why, sizeof row->why, "%s", slot.why);
            row->counts = slot;
            vt_accel_remove(a->accel, row->slot);
            vt_accelerator_tell(a, row);
        }
    }
}

/* Where most of what was tried won, cooler loops may, too; where nothing did, hotter ones alone. */
static void adapt(struct vt_accelerator *a, uint32_t tried, uint32_t won)
{
    if (tried == 0) {
        return;
    }
    if (2 * won >= tried) {
        a->threshold = a->threshold / 2 > THRESHOLD_MIN ? a->threshold / 2 : THRESHOLD_MIN;
    } else if (won == 0) {
        a->threshold = a->threshold * 2 < THRESHOLD_MAX ? a->threshold * 2 : THRESHOLD_MAX;
    }
}

int vt_accelerator_round(struct vt_accelerator *a, uint32_t *found, struct vt_error *err)
{
    struct vt_trace_hot hot = {.top = LOOPS_A_ROUND};
    struct vt_trace_hot_request request = {.policy = VT_TRACE_WAIT,
                                           .for_ns = a->options.record_ms * 1000000,
                                           .stop = a->options.stop,
                                           .arg = a->options.arg};
    uint32_t tried = 0, won = 0;
    *found = 0;
    int rc = vt_trace_hot_live(&hot, a->target, &request, err);
    rc = rc != 0 ? rc : choose(a, &hot, found, err);
    vt_trace_hot_fini(&hot);
    if (rc == 0 && *found > 0) {
        rc = vt_accel_commit(a->accel, COMMIT_MS, err);
    }
    if (rc == 0) {
        note_refusals(a);
        rc = vt_accelerator_measure(a, &tried, &won, err);
    }
    if (rc == 0) {
        note_refusals(a);
        adapt(a, tried, won);
        rc = stopped(a) ? vt_fail(err, VT_E_INTERRUPTED, "interrupted") : 0;
    }
    return rc;
}

const struct vt_ledger_row *vt_accelerator_ledger(struct vt_accelerator *a, uint32_t *n)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].fate == VT_FATE_WAITING || a->rows[i].fate == VT_FATE_KEPT) {
            vt_accel_read(a->accel, a->rows[i].slot, &a->rows[i].counts);
        }
    }
    *n = a->n_rows;
    return a->rows;
}
