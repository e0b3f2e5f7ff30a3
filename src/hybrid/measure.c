/* hybrid/measure.c - a kernel against the guest's own code, in the guest that runs.
 *
 * Windows of time alternate: in one the kernel is active, in the next the guest runs its loop
 * itself and the hook only counts. Iterations a second are compared, by the medians of the windows
 * in which the loop ran at all. All kernels that wait are measured in the same windows: one that
 * makes the others slower is seen in their rates, too.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS 5u
#define PAIRS_NEEDED 3u       /* in which the loop ran, with and without */
#define ITERATIONS_NEEDED 200 /* in a window: else it did not run */
#define WIN 1.05              /* what must be won to be kept */
#define COMMIT_MS 10000u

struct windows {
    double with[PAIRS], without[PAIRS];
    uint32_t n_with, n_without;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

static uint64_t iterations_of(const struct vt_accelerator *a, const struct vt_ledger_row *row)
{
    struct vt_accel_slot slot;
    vt_accel_read(a->accel, row->slot, &slot);
    return slot.heads + slot.iterations;
}

/* One window; adds each waiting kernel's rate to its list. */
static void watch(struct vt_accelerator *a, struct windows *all, bool active)
{
    uint64_t before[VT_ACCEL_SLOTS] = {0};
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].fate == VT_FATE_WAITING) {
            vt_accel_switch(a->accel, a->rows[i].slot, active);
        }
    }
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].fate == VT_FATE_WAITING) {
            before[a->rows[i].slot] = iterations_of(a, &a->rows[i]);
        }
    }
    uint64_t begin = vt_now_ns(), ns = a->options.measure_ms * 1000000;
    struct timespec window = {.tv_sec = (time_t)(ns / 1000000000),
                              .tv_nsec = (long)(ns % 1000000000)};
    (void)nanosleep(&window, NULL);
    double seconds = (double)(vt_now_ns() - begin) / 1e9;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].fate == VT_FATE_WAITING) {
            uint32_t slot = a->rows[i].slot;
            uint64_t n = iterations_of(a, &a->rows[i]) - before[slot];
            struct windows *w = &all[slot];
            if (n >= ITERATIONS_NEEDED && active) {
                w->with[w->n_with++] = (double)n / seconds;
            } else if (n >= ITERATIONS_NEEDED) {
                w->without[w->n_without++] = (double)n / seconds;
            }
        }
    }
}

static void judge(struct vt_accelerator *a, struct vt_ledger_row *row, struct windows *w,
                  uint32_t *tried, uint32_t *won)
{
    if (w->n_with < PAIRS_NEEDED || w->n_without < PAIRS_NEEDED) {
        return;
    }
    row->rate = median(w->with, w->n_with);
    row->tcg_rate = median(w->without, w->n_without);
    (*tried)++;
    if (row->rate >= WIN * row->tcg_rate) {
        row->fate = VT_FATE_KEPT;
        (*won)++;
    } else {
        row->fate = VT_FATE_SLOWER;
        vt_accel_read(a->accel, row->slot, &row->counts);
        snprintf(row->why, sizeof row->why, "%.2f times as fast as the guest's own code",
                 row->rate / row->tcg_rate);
        vt_accel_remove(a->accel, row->slot);
    }
    vt_accelerator_tell(a, row);
}

int vt_accelerator_measure(struct vt_accelerator *a, uint32_t *tried, uint32_t *won,
                           struct vt_error *err)
{
    uint32_t waiting = 0, removed = 0;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        waiting += a->rows[i].fate == VT_FATE_WAITING;
    }
    struct windows *all = waiting != 0 ? calloc(VT_ACCEL_SLOTS, sizeof *all) : NULL;
    if (all == NULL) {
        return waiting == 0 ? 0 : vt_fail(err, VT_E_NOMEM, "measuring");
    }
    for (uint32_t i = 0; i < PAIRS; i++) {
        watch(a, all, false);
        watch(a, all, true);
    }
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].fate == VT_FATE_WAITING) { /* and stays active if it could not be measured */
            judge(a, &a->rows[i], &all[a->rows[i].slot], tried, won);
            removed += a->rows[i].fate == VT_FATE_SLOWER;
        }
    }
    free(all);
    return removed != 0 ? vt_accel_commit(a->accel, COMMIT_MS, err) : 0;
}
