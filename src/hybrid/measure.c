/* hybrid/measure.c - a kernel against the guest's own code, in the guest that runs.
 *
 * Windows of time alternate: in one the kernel is active, in the next the guest runs its loop
 * itself and the hook only counts. Iterations a second are compared, by the upper quartile of the
 * windows in which the loop ran at all: a loop that begins or ends within a window makes some of
 * them low. The seconds are those that the vCPU's thread was executing, so that neither a busy host
 * nor an idle guest counts; with a GPU's kernel, for which it waits, they are the clock's. All
 * kernels that wait are measured in the same windows: one that makes the others slower is seen in
 * their rates, too. In the same way a GPU is measured against the host, for kernels that were kept:
 * again and again, until a loop ran in enough of the windows.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"
#include "machine/vcpu_clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS 10u
#define PAIRS_NEEDED 3u       /* in which the loop ran, with and without */
#define ITERATIONS_NEEDED 200 /* in a window: else it did not run */
#define WIN 1.05              /* what must be won to be kept */
#define WINDOW_MAX 10u        /* times its length, when the vCPU hardly runs */

#define OWN 0.5 /* of the iterations in its windows are the kernel's, or it is not used */

struct windows {
    double with[PAIRS], without[PAIRS];
    uint32_t n_with, n_without;
    uint64_t ran, own; /* iterations while it was active; of these, the kernel's */
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double upper_quartile(double *values, uint32_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[3 * n / 4];
}

/* ---------------------------------------------------------------- seconds */

/* How long its vCPU has been executing; false: not known. */
static bool vcpu_executed(const struct vt_accelerator *a, uint64_t *ns)
{
    struct vt_vcpu_clocks now;
    vt_vcpu_clocks(vt_vm_info(a->target->vm)->qemu_pid, &now);
    *ns = now.n != 0 ? now.clocks[0].executed_ns : 0;
    return now.n != 0;
}

static bool on_gpu(const struct vt_accelerator *a)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].fate == VT_FATE_WAITING && a->rows[i].backend == VT_ACCEL_GPU) {
            return true;
        }
    }
    return false;
}

/* Waits for a window to pass, which on a machine that has much to do is longer: until the vCPU has
 * run half of it. How long it was, by the thread's clock or the host's. */
static double wait_window(const struct vt_accelerator *a, bool by_clock)
{
    uint64_t begin = vt_now_ns(), ns = a->options.measure_ms * 1000000, before, after = 0;
    struct timespec window = {.tv_sec = (time_t)(ns / 1000000000),
                              .tv_nsec = (long)(ns % 1000000000)};
    bool known = !by_clock && vcpu_executed(a, &before);
    do {
        (void)nanosleep(&window, NULL);
        known = known && vcpu_executed(a, &after);
    } while (known && after - before < ns / 2 && vt_now_ns() - begin < WINDOW_MAX * ns &&
             !vt_accelerator_stopped(a));
    return (known && after > before ? (double)(after - before) : (double)(vt_now_ns() - begin)) /
           1e9;
}

/* ---------------------------------------------------------------- windows */

/* Two ways to run loops. */
struct contest {
    bool (*takes)(const struct vt_accelerator *a, const struct vt_ledger_row *row);
    void (*set)(struct vt_accel *accel, uint32_t slot, bool with);
    bool by_clock;
};

static bool waits(const struct vt_accelerator *a, const struct vt_ledger_row *row)
{
    (void)a;
    return row->fate == VT_FATE_WAITING;
}

static bool wants_gpu(const struct vt_accelerator *a, const struct vt_ledger_row *row)
{
    return row->fate == VT_FATE_KEPT && a->to_try[row->slot];
}

static void use_gpu(struct vt_accel *accel, uint32_t slot, bool with)
{
    vt_accel_use(accel, slot, with ? VT_ACCEL_GPU : VT_ACCEL_HOST);
}

/* One window; adds the rate of each kernel that takes part to its list. */
static void watch(struct vt_accelerator *a, const struct contest *c, struct windows *all, bool with)
{
    uint64_t before[VT_ACCEL_SLOTS] = {0}, own[VT_ACCEL_SLOTS] = {0};
    struct vt_accel_slot counts;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (c->takes(a, &a->rows[i])) {
            uint32_t slot = a->rows[i].slot;
            c->set(a->accel, slot, with);
            vt_accel_read(a->accel, slot, &counts);
            before[slot] = counts.heads + counts.iterations;
            own[slot] = counts.iterations;
        }
    }
    double seconds = wait_window(a, c->by_clock);
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (c->takes(a, &a->rows[i])) {
            uint32_t slot = a->rows[i].slot;
            vt_accel_read(a->accel, slot, &counts);
            uint64_t n = counts.heads + counts.iterations - before[slot];
            struct windows *w = &all[slot];
            w->ran += with ? n : 0;
            w->own += with ? counts.iterations - own[slot] : 0;
            if (n >= ITERATIONS_NEEDED && with) {
                w->with[w->n_with++] = (double)n / seconds;
            } else if (n >= ITERATIONS_NEEDED) {
                w->without[w->n_without++] = (double)n / seconds;
            }
        }
    }
}

static void run_windows(struct vt_accelerator *a, const struct contest *c, struct windows *all)
{
    bool ran = true;
    for (uint32_t pair = 0; pair < PAIRS && ran && !vt_accelerator_stopped(a); pair++) {
        watch(a, c, all, false);
        watch(a, c, all, true); /* as which one stays that waits and cannot be measured */
        ran = pair + 1 < PAIRS_NEEDED;
        for (uint32_t slot = 0; slot < VT_ACCEL_SLOTS; slot++) {
            ran = ran || all[slot].n_with + all[slot].n_without != 0;
        }
    }
}

static bool are_enough(const struct windows *w)
{
    return w->n_with >= PAIRS_NEEDED && w->n_without >= PAIRS_NEEDED;
}

/* ---------------------------------------------------------------- verdicts */

/* A kernel that hardly ever runs costs its hook. */
static void say_declined(struct vt_ledger_row *row)
{
    uint32_t most = 0;
    for (uint32_t i = 1; i < VT_ACCEL_DECLINES; i++) {
        most = row->counts.declines[i] > row->counts.declines[most] ? i : most;
    }
    snprintf(row->why, sizeof row->why, "the kernel hardly runs, mostly since %s",
             vt_accel_decline_text(most));
}

static void judge(struct vt_accelerator *a, struct vt_ledger_row *row, struct windows *w,
                  uint32_t *tried, uint32_t *won)
{
    if (!are_enough(w)) {
        return;
    }
    row->rate = upper_quartile(w->with, w->n_with);
    row->tcg_rate = upper_quartile(w->without, w->n_without);
    (*tried)++;
    bool used = (double)w->own >= OWN * (double)w->ran;
    if (used && row->rate >= WIN * row->tcg_rate) {
        row->fate = VT_FATE_KEPT;
        (*won)++;
    } else {
        row->fate = VT_FATE_SLOWER;
        vt_accel_read(a->accel, row->slot, &row->counts);
        if (used) {
            snprintf(row->why, sizeof row->why, "only %.2f times as fast as the guest's own code",
                     row->rate / row->tcg_rate);
        } else {
            say_declined(row);
        }
        vt_accelerator_remove(a, row->slot);
    }
    vt_accelerator_tell(a, row);
}

/* What won stays; the host until it is known. */
static void judge_gpu(struct vt_accelerator *a, struct vt_ledger_row *row, struct windows *w)
{
    bool known = are_enough(w);
    double gpu = known ? upper_quartile(w->with, w->n_with) : 0;
    a->to_try[row->slot] = !known;
    if (!known || gpu < WIN * upper_quartile(w->without, w->n_without)) {
        vt_accel_use(a->accel, row->slot, VT_ACCEL_HOST);
        return;
    }
    row->backend = VT_ACCEL_GPU; /* as the last window left it */
    row->rate = gpu;
    vt_accelerator_tell(a, row);
}

/* Windows of a contest, of all that take part: the caller's (free); NULL: nobody does, or there is
 * no memory. */
static struct windows *hold(struct vt_accelerator *a, const struct contest *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        n += c->takes(a, &a->rows[i]);
    }
    struct windows *all = n != 0 ? calloc(VT_ACCEL_SLOTS, sizeof *all) : NULL;
    if (all != NULL) {
        run_windows(a, c, all);
    }
    return all;
}

int vt_accelerator_measure(struct vt_accelerator *a, uint32_t *tried, uint32_t *won,
                           struct vt_error *err)
{
    struct contest guest = {waits, vt_accel_switch, on_gpu(a)}, gpu = {wants_gpu, use_gpu, true};
    struct windows *all = hold(a, &guest);
    for (uint32_t i = 0; i < a->n_rows && all != NULL; i++) {
        if (guest.takes(a, &a->rows[i])) {
            judge(a, &a->rows[i], &all[a->rows[i].slot], tried, won);
        }
    }
    free(all);
    int rc = vt_accelerator_commit(a, err);
    all = rc == 0 ? hold(a, &gpu) : NULL;
    for (uint32_t i = 0; i < a->n_rows && all != NULL; i++) {
        if (gpu.takes(a, &a->rows[i])) {
            judge_gpu(a, &a->rows[i], &all[a->rows[i].slot]);
        }
    }
    free(all);
    return rc;
}
