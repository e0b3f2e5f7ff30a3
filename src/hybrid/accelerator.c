/* hybrid/accelerator.c - looks at what a VM executes, makes kernels of its hottest loops, and keeps
 * those that win. See vitrine/hybrid.h.
 *
 *   accelerator.c  a round: record, choose
 *   pace.c         when the next one is
 *   heat.c         where the guest's time goes
 *   sample.c       registers of a guest that is in a loop
 *   install.c      make, prove, install, on the host or a GPU
 *   measure.c      a kernel against the guest's own code
 *   ledger.c       what was done, as JSON
 *
 * Of nested loops the outermost that can be had and wins is taken: its kernel runs the inner ones,
 * too. A loop is known by its hash and looked at once; one that was refused is not tried again.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"
#include "base/paths.h"
#include "hybrid/accel.h"
#include "hybrid/ledger.h"
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
/* Of that, and of the threshold, this part is enough for code where most of the time goes. */
#define HOT_SHARE 3u
#define MEASURE_MS 20u
#define CANARY_PERIOD 256u
/* How long a kernel that is ready waits at most for others that are being proven. */
#define UNUSED_NS 250000000u
#define OUTER_LESS 16u    /* a loop around a hot one may have so many times fewer iterations */
#define LOOPS_A_ROUND 32u /* that are looked at, hottest first */
#define SHARE_MIN 0.2     /* percent of the instructions below which nothing can be won */

bool vt_accelerator_stopped(const struct vt_accelerator *a)
{
    return a->options.stop != NULL && a->options.stop(a->options.arg);
}

void vt_accelerator_tell(struct vt_accelerator *a, const struct vt_ledger_row *row)
{
    if (a->options.tell != NULL) {
        a->options.tell(a->options.arg, row);
    }
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

/* What an accelerator before this one left; nothing is believed of a kernel that a canary caught,
 * and nobody serves those of a GPU. */
static int adopt(struct vt_accelerator *a, struct vt_error *err)
{
    struct vt_ledger_row *left = NULL;
    uint32_t n = 0;
    uint64_t threshold;
    int rc = vt_ledger_read(a->target, a->accel, &left, &n, &threshold, NULL);
    rc = rc != 0 ? vt_ledger_adopt(a->accel, &left, &n, err) : rc; /* what it says is not needed */
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const struct vt_accel_slot *slot = &left[i].counts;
        bool in = left[i].fate == VT_FATE_WAITING || left[i].fate == VT_FATE_KEPT;
        if (slot->state != VT_ACCEL_EMPTY && (!in || left[i].backend == VT_ACCEL_GPU)) {
            vt_accelerator_remove(a, left[i].slot);
            in = false;
        }
        if (in || left[i].fate == VT_FATE_DISABLED) {
            struct vt_ledger_row *row = new_row(a);
            rc = row != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "a ledger");
            if (row != NULL) {
                *row = left[i];
                a->n_rows++;
            }
        }
    }
    free(left);
    return rc == 0 ? vt_accelerator_commit(a, err) : rc;
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

static int open_gpu(struct vt_accelerator *a, struct vt_error *err)
{
    bool wanted = a->options.backend == VT_ACCEL_GPU;
    if (!wanted && !a->options.also_gpu) {
        return 0;
    }
    int rc = vt_hybrid_worker_start(a->accel, a->target, a->options.gpu, &a->worker, err);
    if (rc == 0 && !wanted && a->options.gpu == NULL && vt_hybrid_worker_is_software(a->worker)) {
        vt_hybrid_worker_stop(a->worker); /* the host's kernels are that already */
        a->worker = NULL;
    }
    return wanted ? rc : 0;
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
    rc = rc != 0 ? rc : open_gpu(a, err);
    rc = rc != 0 ? rc : adopt(a, err);
    if (rc != 0) {
        vt_accelerator_destroy(a, false);
        return rc;
    }
    vt_accel_enable(a->accel, true);
    vt_accelerator_pace(a);
    *accelerator = a;
    return 0;
}

/* What could not be measured yet goes on in use. */
static void leave(struct vt_accelerator *a, bool remove)
{
    for (uint32_t slot = 0; remove && slot < VT_ACCEL_SLOTS; slot++) {
        vt_accelerator_remove(a, slot);
    }
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (!remove && a->rows[i].fate == VT_FATE_WAITING) {
            vt_accel_switch(a->accel, a->rows[i].slot, true);
        }
    }
    (void)vt_accelerator_commit(a, NULL);
}

void vt_accelerator_destroy(struct vt_accelerator *a, bool remove)
{
    if (a == NULL) {
        return;
    }
    if (a->accel != NULL) {
        leave(a, remove);
    }
    vt_hybrid_worker_stop(a->worker);
    vt_accel_close(a->accel);
    free(a->rows);
    free(a);
}

const char *vt_accelerator_gpu(const struct vt_accelerator *a)
{
    return a->worker != NULL && !vt_hybrid_worker_lost(a->worker) ? vt_hybrid_worker_gpu(a->worker)
                                                                  : "";
}

/* ---------------------------------------------------------------- loops */

struct whereabouts {
    uint64_t root; /* of its page tables */
    uint64_t pc;
    struct vt_trace_place place;
    const char *process; /* or "kernel" */
};

static struct whereabouts find_loop(const struct vt_trace_hot *hot,
                                    const struct vt_trace_loop *loop)
{
    uint32_t n;
    const struct vt_trace_basic_block *b = &vt_trace_graph_blocks(hot->graph, &n)[loop->header];
    const struct vt_trace_space *space = &vt_trace_graph_spaces(hot->graph, &n)[b->space];
    struct whereabouts w = {.root = space->root, .pc = b->pc};
    struct vt_trace_block one;
    vt_trace_graph_instruction(hot->graph, loop->header, 0, &one);
    (void)vt_trace_place(hot->names, space->root, &one, b->pc, &w.place);
    w.process = space->kernel ? "kernel" : w.place.process != NULL ? w.place.process : "user";
    return w;
}

static void describe(struct vt_ledger_row *row, const struct vt_trace_hot *hot,
                     const struct vt_trace_loop *seen, const struct whereabouts *w,
                     const struct vt_synth_loop *loop)
{
    uint64_t all = vt_trace_graph_stats(hot->graph)->instructions;
    vt_trace_place_text(&w->place, w->pc, row->place, sizeof row->place);
    snprintf(row->process, sizeof row->process, "%s", w->process);
    memcpy(row->hash, loop->hash, sizeof row->hash);
    row->head = loop->head;
    row->iterations = seen->iterations;
    row->percent = all == 0 ? 0 : 100.0 * (double)seen->instructions / (double)all;
}

/* A kernel for the loop of a row, made or out of the cache. False: it was cut short. */
static bool fill_row(struct vt_accelerator *a, uint32_t which, const struct vt_synth_loop *loop,
                     uint64_t root)
{
    struct vt_ledger_row *row = &a->rows[which];
    struct vt_synth_kernel *k = vt_accelerator_kernel(a, loop, root, row);
    if (k == NULL && vt_accelerator_stopped(a)) {
        return false; /* a proof that was cut short is not a failure of the loop's */
    }
    if (k != NULL) {
        row->why[0] = '\0';
        vt_accelerator_install(a, k, row);
    }
    vt_synth_kernel_destroy(k);
    vt_accelerator_tell(a, row);
    return true;
}

/* A row for a loop that is new; NULL: there is no memory, or it was cut short. */
static struct vt_ledger_row *look_at(struct vt_accelerator *a, const struct vt_trace_hot *hot,
                                     const struct vt_trace_loop *seen, const struct whereabouts *w,
                                     const struct vt_synth_loop *loop)
{
    struct vt_ledger_row *row = new_row(a);
    if (row == NULL) {
        return NULL;
    }
    describe(row, hot, seen, w, loop);
    if (!fill_row(a, a->n_rows, loop, w->root)) {
        return NULL;
    }
    a->n_rows++;
    return row;
}

/* One loop of the trace. Whether a kernel of it is in. */
static bool try_loop(struct vt_accelerator *a, const struct vt_trace_hot *hot, uint32_t index,
                     uint32_t *found)
{
    struct vt_synth_loop loop;
    if (vt_synth_loop_of_trace(hot->graph, index, &loop, NULL) != 0) {
        return false;
    }
    uint32_t n;
    const struct vt_trace_loop *seen = &vt_trace_graph_loops(hot->graph, &n)[index];
    struct whereabouts w = find_loop(hot, seen);
    for (uint32_t i = 0; i < loop.n_blocks; i++) {
        const struct vt_synth_block *b = &loop.blocks[i];
        vt_heat_shows(&a->pace.heat, loop.head + (uint64_t)b->at, b->n, w.process);
    }
    struct vt_ledger_row *row = row_of(a, loop.hash);
    if (row != NULL && row->fate == VT_FATE_RESTING) {
        describe(row, hot, seen, &w, &loop);
        (void)fill_row(a, (uint32_t)(row - a->rows), &loop, w.root);
    }
    if (row == NULL) {
        if (a->uncommitted_ns != 0 && vt_now_ns() - a->uncommitted_ns > UNUSED_NS) {
            (void)vt_accelerator_commit(a, NULL);
        }
        row = look_at(a, hot, seen, &w, &loop);
        *found += row != NULL;
    }
    return row != NULL && (row->fate == VT_FATE_WAITING || row->fate == VT_FATE_KEPT);
}

/* A loop, or rather the outermost around it of which there is a kernel. */
static void try_nest(struct vt_accelerator *a, const struct vt_trace_hot *hot, uint32_t index,
                     uint64_t threshold, bool *done, uint32_t *found)
{
    uint32_t n, nest[64], depth = 0;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(hot->graph, &n);
    for (uint32_t i = index; i != VT_TRACE_NONE && depth < 64; i = loops[i].parent) {
        nest[depth++] = i;
    }
    while (depth-- > 0 && !vt_accelerator_stopped(a)) {
        uint32_t i = nest[depth];
        if (done[i]) {
            return; /* within one that has a kernel */
        }
        if (loops[i].iterations >= threshold / OUTER_LESS && try_loop(a, hot, i, found)) {
            done[i] = true;
            return;
        }
    }
}

static int choose(struct vt_accelerator *a, const struct vt_trace_hot *hot, uint64_t threshold,
                  uint32_t *found, struct vt_error *err)
{
    uint32_t n, looked = 0;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(hot->graph, &n);
    uint64_t all = vt_trace_graph_stats(hot->graph)->instructions;
    bool *done = calloc(n + 1, sizeof *done);
    if (done == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%u loops", n);
    }
    for (uint32_t i = 0; i < n && looked < LOOPS_A_ROUND && !vt_accelerator_stopped(a); i++) {
        double percent = all == 0 ? 0 : 100.0 * (double)loops[i].instructions / (double)all;
        if (loops[i].iterations >= threshold && percent >= SHARE_MIN) {
            try_nest(a, hot, i, threshold, done, found);
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
            vt_accelerator_remove(a, row->slot);
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

int vt_accelerator_judge(struct vt_accelerator *a, uint32_t *won, struct vt_error *err)
{
    uint32_t tried = 0;
    *won = 0;
    note_refusals(a);
    int rc = vt_accelerator_measure(a, &tried, won, err);
    if (rc == 0) {
        note_refusals(a);
        rc = vt_accelerator_commit(a, err);
        adapt(a, tried, *won);
    }
    return rc;
}

int vt_accelerator_round(struct vt_accelerator *a, uint32_t *found, struct vt_error *err)
{
    const uint64_t part = a->pace.hot ? HOT_SHARE : 1, ms = a->options.record_ms / part;
    struct vt_trace_hot hot = {.top = LOOPS_A_ROUND};
    struct vt_trace_hot_request request = {.policy = VT_TRACE_WAIT,
                                           .for_ns = ms * 1000000,
                                           .stop = a->options.stop,
                                           .arg = a->options.arg};
    uint32_t won = 0;
    *found = 0;
    int rc = vt_trace_hot_live(&hot, a->target, &request, err);
    rc = rc != 0 ? rc : choose(a, &hot, a->threshold / part, found, err);
    vt_trace_hot_fini(&hot);
    rc = rc == 0 ? vt_accelerator_commit(a, err) : rc;
    rc = rc == 0 ? vt_accelerator_judge(a, &won, err) : rc;
    if (rc == 0) {
        vt_accelerator_looked(a, ms, won);
        rc = vt_accelerator_stopped(a) ? vt_fail(err, VT_E_INTERRUPTED, "interrupted") : 0;
    }
    /* Whatever was not found any more. */
    return vt_accel_gone(a->accel) ? vt_fail(err, VT_E_GONE, "QEMU ended") : rc;
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
