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

#include <string.h>
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
#define COST_TIMES 2 /* of a recording */
#define BUSY 4u      /* slices at whose end a process runs, until it is one that runs */

/* ---------------------------------------------------------------- what looks cost */

void vt_accelerator_pace(struct vt_accelerator *a)
{
    a->pace = (struct vt_pace){.allowance_ns = ALLOWANCE_NS, .counted_ns = vt_now_ns()};
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
