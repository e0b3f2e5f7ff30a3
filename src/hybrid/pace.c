/* hybrid/pace.c - when an accelerator looks again.
 *
 * A look costs a guest its recording, in which it hardly gets on, and twice all its translations
 * (docs/performance.md has figures). So looks that win nothing are paid from an allowance: a part
 * of the time that passes, and half of what kernels save. Where a guest is can be seen while it
 * runs: a program's name lies in its RAM, and QEMU tells the PC of a vCPU that runs on, to a block.
 * Where much of its time goes to one place a kernel can win much: new code that is so hot is looked
 * at as long as the allowance is not overdrawn. Elsewhere there is little to win, and little is
 * lost: a look is taken only when all that can be left over is, and pauses become longer. Kernels
 * that could not be measured as they were made, since the guest was elsewhere, are when it is back.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"
#include "vitrine/dump.h"
#include "vitrine/linux.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FOUND_MS 500u /* after a look that found something, and before any other */
#define PAUSE_MS 30000u
#define PAUSE_MAX_MS 480000u
/** Between two times that it is seen where the guest is; and while kernels are not in, and its time
 * goes to many places: asking QEMU so often costs the guest one percent (docs/performance.md). */
#define SLICE_MS 100u
#define SLICE_SCATTERED_MS 500u
/** Of the time that passes, and of the time that kernels save, what looks may cost; and how much of
 * each can be left over. */
#define SHARE 64
#define SHARE_SAVED 2
#define ALLOWANCE_NS INT64_C(6000000000)
#define SAVINGS_NS INT64_C(60000000000)
/** What it costs that all is translated again, and how often a look that tries kernels in vain
 * makes it so: the first one is earned before, unless something is hot. */
#define FLUSH_NS INT64_C(130000000)
#define FIRST_FLUSHES 4
/** Slices of a vCPU that was not idle in which no kernel ran anything: then all are removed; or, of
 * so many, those that did not. What they cost all other code in so long is what it costs to have
 * them back. */
#define REST_SLICES 100u
#define CROWD (VT_ACCEL_SLOTS * 3 / 4)
#define RIP 16

/* ---------------------------------------------------------------- what looks cost */

void vt_accelerator_pace(struct vt_accelerator *a)
{
    int64_t first_ns = (int64_t)a->options.record_ms * 1000000 + FIRST_FLUSHES * FLUSH_NS;
    a->pace = (struct vt_pace){.allowance_ns = ALLOWANCE_NS - first_ns, .counted_ns = vt_now_ns()};
}

static void add(int64_t *allowance, int64_t ns, int64_t most)
{
    if (*allowance < most) {
        *allowance = *allowance + ns < most ? *allowance + ns : most;
    }
}

static void earn(struct vt_pace *p)
{
    uint64_t now = vt_now_ns();
    add(&p->allowance_ns, (int64_t)(now - p->counted_ns) / SHARE, ALLOWANCE_NS);
    p->counted_ns = now;
}

/* What so many iterations of a kernel saved, as it was measured when it was kept. */
static void save(struct vt_pace *p, const struct vt_ledger_row *row, uint64_t iterations)
{
    if (row->fate == VT_FATE_KEPT && row->tcg_rate > 0 && row->rate > row->tcg_rate) {
        double ns = (double)iterations * (1 / row->tcg_rate - 1 / row->rate) * 1e9;
        add(&p->allowance_ns, (int64_t)fmin(ns / SHARE_SAVED, (double)SAVINGS_NS), SAVINGS_NS);
    }
}

void vt_accelerator_looked(struct vt_accelerator *a, uint64_t recorded_ms, uint32_t won)
{
    a->pace.won = won != 0;
    if (won == 0) {
        a->pace.allowance_ns -= (int64_t)recorded_ms * 1000000 + 2 * FLUSH_NS;
    }
}

void vt_accelerator_flushed(struct vt_accelerator *a)
{
    a->pace.allowance_ns -= FLUSH_NS;
}

/* ---------------------------------------------------------------- where the guest is */

static int see(const struct vt_row *row, void *arg)
{
    memcpy(arg, row, sizeof(struct vt_cpu));
    return 0;
}

static bool pc_of(const struct vt_accelerator *a, uint64_t *pc)
{
    struct vt_dump_cpu *cpus = NULL;
    unsigned n = 0;
    bool known = vt_dump_cpus(a->target->vm, &cpus, &n, NULL) == 0 && n > 0;
    *pc = known ? cpus[0].reg[RIP] : 0;
    free(cpus);
    return known;
}

static enum vt_heat note_place(struct vt_accelerator *a)
{
    struct vt_error ignored;
    struct vt_noun_result result;
    struct vt_cpu cpu = {.online = false};
    uint64_t pc;
    vt_target_refresh(a->target);
    if (a->target->kernel != NULL) {
        (void)vt_noun_walk(a->target->kernel, vt_noun_find("cpus"), NULL, see, &cpu, &result,
                           &ignored);
    }
    if ((cpu.online && cpu.idle) || !pc_of(a, &pc)) {
        vt_heat_idle(&a->pace.heat);
        return VT_COLD;
    }
    return vt_heat_note(&a->pace.heat, pc, cpu.comm, sizeof cpu.comm);
}

/* ---------------------------------------------------------------- where it is not any more */

static bool is_in(const struct vt_ledger_row *row)
{
    return row->fate == VT_FATE_WAITING || row->fate == VT_FATE_KEPT;
}

/* All that ran nothing since that slice. */
static void put_to_rest(struct vt_accelerator *a, uint32_t since)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        struct vt_ledger_row *row = &a->rows[i];
        if (is_in(row) && a->pace.kernels[row->slot].ran_in <= since) {
            vt_accelerator_remove(a, row->slot);
            row->fate = VT_FATE_RESTING;
            snprintf(row->why, sizeof row->why, "nobody runs its loop now");
            vt_accelerator_tell(a, row);
        }
    }
    vt_heat_forget(&a->pace.heat);        /* their loops, too, are looked at again */
    (void)vt_accelerator_commit(a, NULL); /* if QEMU is gone, the next look says so */
}

/* Whether it ran anything since the last time. */
static bool look_at_kernel(struct vt_accelerator *a, uint32_t which, uint32_t now)
{
    struct vt_ledger_row *row = &a->rows[which];
    struct vt_pace_kernel *k = &a->pace.kernels[row->slot];
    vt_accel_read(a->accel, row->slot, &row->counts);
    uint64_t ran = row->counts.iterations;
    bool is_new = k->row != which + 1 || ran < k->ran;
    bool more = !is_new && ran > k->ran;
    if (more) {
        save(&a->pace, row, ran - k->ran);
    }
    *k = (struct vt_pace_kernel){
        .row = which + 1, .ran = ran, .ran_in = is_new || more ? now : k->ran_in};
    return more;
}

/* Whether kernels ran anything that are not measured yet, or not on a GPU. With a kernel in, all
 * code that QEMU translates is a little slower (docs/hybrid.md), and there are so many slots: so
 * kernels do not stay for nothing. They go together, since without them all that they were in is
 * translated anew.
 */
bool vt_accelerator_kernels(struct vt_accelerator *a)
{
    uint32_t now = a->pace.heat.busy, last = 0, first = UINT32_MAX;
    uint32_t in = 0;
    bool woke = false;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (is_in(&a->rows[i])) {
            bool ran = look_at_kernel(a, i, now);
            uint32_t ran_in = a->pace.kernels[a->rows[i].slot].ran_in;
            bool asks = a->rows[i].fate == VT_FATE_WAITING || a->to_try[a->rows[i].slot];
            woke = woke || (ran && asks);
            last = ran_in > last ? ran_in : last;
            first = ran_in < first ? ran_in : first;
            in++;
        }
    }
    bool unused = in != 0 && now - last >= REST_SLICES;
    bool crowded = in >= CROWD && now - first >= REST_SLICES;
    if (unused || crowded) {
        put_to_rest(a, now - REST_SLICES);
    }
    return woke;
}

/* ---------------------------------------------------------------- the pause */

static struct timespec slice_of(const struct vt_accelerator *a)
{
    bool in = false;
    for (uint32_t i = 0; i < a->n_rows && !in; i++) {
        in = is_in(&a->rows[i]);
    }
    long ms = vt_heat_is_scattered(&a->pace.heat) && !in ? SLICE_SCATTERED_MS : SLICE_MS;
    return (struct timespec){.tv_nsec = ms * 1000000};
}

/* Whether a look is worth what it costs. */
static bool is_worth_it(const struct vt_pace *p, enum vt_heat heat)
{
    return p->allowance_ns >= (heat == VT_HOT || p->won ? 1 : ALLOWANCE_NS);
}

void vt_accelerator_pause(struct vt_accelerator *a, uint32_t found)
{
    struct vt_pace *p = &a->pace;
    uint64_t begin = vt_now_ns(), judged = begin;
    p->ms = found != 0 ? FOUND_MS : p->ms < PAUSE_MS ? PAUSE_MS : p->ms * 2;
    p->ms = p->ms < PAUSE_MAX_MS ? p->ms : PAUSE_MAX_MS;
    enum vt_heat heat = VT_COLD;
    for (bool over = false; !over && !vt_accelerator_stopped(a);) {
        const struct timespec slice = slice_of(a);
        (void)nanosleep(&slice, NULL);
        earn(p);
        uint64_t now = vt_now_ns();
        if (vt_accelerator_kernels(a) && now >= judged + FOUND_MS * (uint64_t)1000000) {
            uint32_t won;
            (void)vt_accelerator_judge(a, &won, NULL); /* if QEMU is gone, the next look says so */
            judged = now = vt_now_ns();
        }
        enum vt_heat here = note_place(a);
        heat = here > heat ? here : heat;
        p->ms = heat != VT_COLD ? FOUND_MS : p->ms;
        over = now >= begin + p->ms * 1000000 && is_worth_it(p, heat);
    }
    p->hot = heat == VT_HOT;
    vt_heat_look(&p->heat);
}
