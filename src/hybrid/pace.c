/* hybrid/pace.c - when an accelerator looks again.
 *
 * A look costs a guest about twice its recording: it hardly gets on meanwhile, and all its code is
 * translated anew after. So looks that win nothing are paid from an allowance, which is a part of
 * the time that passes. Who runs costs nothing to see (it lies in the guest's RAM): a process that
 * is seen for the first time to run for a while is looked at soon, if the allowance is not
 * overdrawn; without one the pauses become longer and longer, and leave some of it.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"
#include "vitrine/linux.h"

#include <stdio.h>
#include <time.h>

#define FOUND_MS 500u /* after a look that found something, and before any other */
#define PAUSE_MS 8000u
#define PAUSE_MAX_MS 64000u
#define SLICE_MS 100u
/** Of the time that passes, what looks may cost; how much can be left over; and what of it is for
 * who begins to run. */
#define SHARE 64
#define ALLOWANCE_NS INT64_C(12000000000)
#define RESERVE_NS INT64_C(8000000000)
#define COST_TIMES 2         /* of a recording */
#define REST_NS 30000000000u /* in which no kernel ran anything: then all are removed */
#define BUSY 4u              /* slices at whose end a process runs, until it is one that runs */

/* ---------------------------------------------------------------- what looks cost */

void vt_accelerator_pace(struct vt_accelerator *a)
{
    uint64_t now = vt_now_ns();
    a->pace = (struct vt_pace){.allowance_ns = ALLOWANCE_NS, .counted_ns = now, .ran_ns = now};
}

static void earn(struct vt_pace *p)
{
    uint64_t now = vt_now_ns();
    p->allowance_ns += (int64_t)(now - p->counted_ns) / SHARE;
    p->allowance_ns = p->allowance_ns < ALLOWANCE_NS ? p->allowance_ns : ALLOWANCE_NS;
    p->counted_ns = now;
}

void vt_accelerator_paid(struct vt_accelerator *a)
{
    a->pace.allowance_ns -= (int64_t)a->options.record_ms * 1000000 * COST_TIMES;
}

/* ---------------------------------------------------------------- who runs */

static int see(const struct vt_row *row, void *arg)
{
    const struct vt_cpu *cpu = (const struct vt_cpu *)row;
    int32_t *pid = arg;
    *pid = cpu->online && !cpu->idle && cpu->pid != 0 ? cpu->pid : *pid;
    return 0;
}

/* Kernels are for VMs of one vCPU. 0: none, the idle task, or a guest that is not understood. */
static int32_t running(const struct vt_accelerator *a)
{
    struct vt_error ignored;
    struct vt_noun_result result;
    int32_t pid = 0;
    vt_target_refresh(a->target);
    if (a->target->kernel != NULL) {
        (void)vt_noun_walk(a->target->kernel, vt_noun_find("cpus"), NULL, see, &pid, &result,
                           &ignored);
    }
    return pid;
}

/* Whether somebody runs who has not been seen to run for a while before. */
static bool somebody_new(struct vt_accelerator *a)
{
    struct vt_pace *p = &a->pace;
    int32_t pid = running(a);
    for (uint32_t i = 0; i < VT_PACE_RUNNERS && pid != 0; i++) {
        if (p->runners[i].pid == pid) {
            return p->runners[i].seen < BUSY && ++p->runners[i].seen == BUSY;
        }
    }
    if (pid != 0) {
        p->runners[p->next].pid = pid;
        p->runners[p->next].seen = 1;
        p->next = (p->next + 1) % VT_PACE_RUNNERS;
    }
    return false;
}

/* ---------------------------------------------------------------- who does not */

static bool is_in(const struct vt_ledger_row *row)
{
    return row->fate == VT_FATE_WAITING || row->fate == VT_FATE_KEPT;
}

static void put_to_rest(struct vt_accelerator *a)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        struct vt_ledger_row *row = &a->rows[i];
        if (is_in(row)) {
            vt_accelerator_remove(a, row->slot);
            row->fate = VT_FATE_RESTING;
            snprintf(row->why, sizeof row->why, "nobody runs its loop now");
            vt_accelerator_tell(a, row);
        }
    }
    (void)vt_accelerator_commit(a, NULL); /* if QEMU is gone, the next look says so */
}

/* With a kernel in, all code that QEMU translates is a little slower (docs/hybrid.md). */
static void rest(struct vt_accelerator *a)
{
    struct vt_pace *p = &a->pace;
    uint64_t ran = 0, now = vt_now_ns();
    uint32_t in = 0;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (is_in(&a->rows[i])) {
            vt_accel_read(a->accel, a->rows[i].slot, &a->rows[i].counts);
            ran += a->rows[i].counts.iterations;
            in++;
        }
    }
    if (ran != p->ran || in != p->in) {
        p->ran = ran;
        p->in = in;
        p->ran_ns = now;
    } else if (in != 0 && now - p->ran_ns >= REST_NS) {
        put_to_rest(a);
    }
}

/* ---------------------------------------------------------------- the pause */

void vt_accelerator_pause(struct vt_accelerator *a, uint32_t found)
{
    struct vt_pace *p = &a->pace;
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    uint64_t begin = vt_now_ns(), least = begin + FOUND_MS * (uint64_t)1000000;
    p->ms = found != 0 ? FOUND_MS : p->ms < PAUSE_MS ? PAUSE_MS : p->ms * 2;
    p->ms = p->ms < PAUSE_MAX_MS ? p->ms : PAUSE_MAX_MS;
    for (bool over = false; !over && !vt_accelerator_stopped(a);) {
        (void)nanosleep(&slice, NULL);
        earn(p);
        rest(a);
        p->somebody = somebody_new(a) || p->somebody;
        uint64_t now = vt_now_ns();
        if (now >= least && p->somebody && p->allowance_ns > 0) {
            p->ms = FOUND_MS;
            over = true;
        }
        over = over ||
               (now >= begin + p->ms * 1000000 && (p->allowance_ns >= RESERVE_NS || found != 0));
    }
    p->somebody = false;
}
