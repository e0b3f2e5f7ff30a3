/* hybrid/pace.c - when an accelerator looks again.
 *
 * A look costs a guest about twice its recording: it hardly gets on meanwhile, and all its code is
 * translated anew after. So looks that win nothing are paid from an allowance: a part of the time
 * that passes, and half of what kernels save. Where a guest is costs nothing to see: a program's
 * name lies in its RAM, and QEMU tells the PC of a vCPU that runs on, to a block. Code that is seen
 * again and again for the first time is looked at soon, if the allowance is not overdrawn; without
 * any the pauses become longer and longer, and leave some of it. Kernels that could not be measured
 * as they were made, since the guest was elsewhere, are when it is back.
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
#define SLICE_MS 100u
/** Of the time that passes, and of the time that kernels save, what looks may cost; how much of
 * each can be left over; and what is for code that is new. */
#define SHARE 64
#define SHARE_SAVED 2
#define ALLOWANCE_NS INT64_C(6000000000)
#define SAVINGS_NS INT64_C(60000000000)
#define RESERVE_NS INT64_C(4000000000)
#define COST_TIMES 2 /* of a recording */
/** In which no kernel ran anything: then all are removed; or, of so many, those that did not. */
#define REST_NS UINT64_C(30000000000)
#define CROWD (VT_ACCEL_SLOTS * 3 / 4)
/** Code that is hot: that many bytes of one program in which the PC was at the end of so many
 * slices; of those that lie back ever fewer count. A look sees what lies near it and runs, too. */
#define PLACE_BITS 7
#define NEAR 8u
#define HOT 4u
#define SEEN_MAX 16u
#define HALF_SLICES 32u
#define RIP 16

/* ---------------------------------------------------------------- what looks cost */

void vt_accelerator_pace(struct vt_accelerator *a)
{
    uint64_t now = vt_now_ns();
    a->pace = (struct vt_pace){.allowance_ns = ALLOWANCE_NS, .counted_ns = now};
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

void vt_accelerator_paid(struct vt_accelerator *a)
{
    a->pace.allowance_ns -= (int64_t)a->options.record_ms * 1000000 * COST_TIMES;
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

/* Names a piece of code; 0: the guest idles, or nobody knows. Kernels are for VMs of one vCPU. */
static uint64_t place_now(const struct vt_accelerator *a)
{
    struct vt_error ignored;
    struct vt_noun_result result;
    struct vt_cpu cpu = {.online = false};
    uint64_t pc, program = 0;
    vt_target_refresh(a->target);
    if (a->target->kernel != NULL) {
        (void)vt_noun_walk(a->target->kernel, vt_noun_find("cpus"), NULL, see, &cpu, &result,
                           &ignored);
    }
    if ((cpu.online && cpu.idle) || !pc_of(a, &pc)) {
        return 0;
    }
    /* The upper half of addresses is the kernel's, whoever runs. */
    for (unsigned i = 0; pc >> 63 == 0 && i < sizeof cpu.comm && cpu.comm[i] != '\0'; i++) {
        program = program * 131 + (uint8_t)cpu.comm[i];
    }
    uint64_t place = pc >> PLACE_BITS ^ program << 41;
    return place != 0 ? place : 1;
}

static struct vt_pace_place *entry_of(struct vt_pace *p, uint64_t place)
{
    struct vt_pace_place *coldest = &p->places[0];
    for (uint32_t i = 0; i < VT_PACE_PLACES; i++) {
        if (p->places[i].place == place) {
            return &p->places[i];
        }
        coldest = p->places[i].seen < coldest->seen ? &p->places[i] : coldest;
    }
    *coldest = (struct vt_pace_place){.place = place};
    return coldest;
}

static void forget_slowly(struct vt_pace *p)
{
    for (uint32_t i = 0; i < VT_PACE_PLACES; i++) {
        p->places[i].seen /= 2;
        if (p->places[i].seen == 0) {
            p->places[i] = (struct vt_pace_place){0};
        }
    }
}

static void know(struct vt_pace *p, uint64_t place)
{
    for (uint32_t i = 0; i < VT_PACE_PLACES; i++) {
        struct vt_pace_place *e = &p->places[i];
        uint64_t far = e->place > place ? e->place - place : place - e->place;
        e->known = e->known || (e->place != 0 && far <= NEAR);
    }
}

/* Whether code has become hot. */
static bool somewhere_new(struct vt_accelerator *a)
{
    struct vt_pace *p = &a->pace;
    uint64_t place = place_now(a);
    if (++p->slices % HALF_SLICES == 0) {
        forget_slowly(p);
    }
    if (place == 0) {
        return false;
    }
    struct vt_pace_place *e = entry_of(p, place);
    e->seen += e->seen < SEEN_MAX;
    bool is_new = e->seen >= HOT && !e->known;
    if (is_new) {
        know(p, place);
    }
    return is_new;
}

/* ---------------------------------------------------------------- where it is not any more */

static bool is_in(const struct vt_ledger_row *row)
{
    return row->fate == VT_FATE_WAITING || row->fate == VT_FATE_KEPT;
}

/* All that ran nothing since then. */
static void put_to_rest(struct vt_accelerator *a, uint64_t since_ns)
{
    for (uint32_t i = 0; i < a->n_rows; i++) {
        struct vt_ledger_row *row = &a->rows[i];
        if (is_in(row) && a->pace.kernels[row->slot].ran_ns <= since_ns) {
            vt_accelerator_remove(a, row->slot);
            row->fate = VT_FATE_RESTING;
            snprintf(row->why, sizeof row->why, "nobody runs its loop now");
            vt_accelerator_tell(a, row);
        }
    }
    memset(a->pace.places, 0, sizeof a->pace.places); /* their loops, too, are looked at again */
    (void)vt_accelerator_commit(a, NULL);             /* if QEMU is gone, the next look says so */
}

/* Whether it ran anything since the last time. */
static bool look_at_kernel(struct vt_accelerator *a, uint32_t which, uint64_t now)
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
        .row = which + 1, .ran = ran, .ran_ns = is_new || more ? now : k->ran_ns};
    return more;
}

/* Whether kernels that are not measured yet ran anything. With a kernel in, all code that QEMU
 * translates is a little slower (docs/hybrid.md), and there are so many slots: so kernels do not
 * stay for nothing. They go together, since without them all that they were in is translated anew.
 */
bool vt_accelerator_kernels(struct vt_accelerator *a)
{
    uint64_t now = vt_now_ns(), last = 0, first = UINT64_MAX;
    uint32_t in = 0;
    bool woke = false;
    for (uint32_t i = 0; i < a->n_rows; i++) {
        if (is_in(&a->rows[i])) {
            bool ran = look_at_kernel(a, i, now);
            uint64_t ran_ns = a->pace.kernels[a->rows[i].slot].ran_ns;
            woke = woke || (ran && a->rows[i].fate == VT_FATE_WAITING);
            last = ran_ns > last ? ran_ns : last;
            first = ran_ns < first ? ran_ns : first;
            in++;
        }
    }
    bool unused = in != 0 && now - last >= REST_NS;
    bool crowded = in >= CROWD && now - first >= REST_NS;
    if (unused || crowded) {
        put_to_rest(a, now - REST_NS);
    }
    return woke;
}

/* ---------------------------------------------------------------- the pause */

void vt_accelerator_pause(struct vt_accelerator *a, uint32_t found)
{
    struct vt_pace *p = &a->pace;
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    uint64_t begin = vt_now_ns(), least = begin + FOUND_MS * (uint64_t)1000000, judged = begin;
    p->ms = found != 0 ? FOUND_MS : p->ms < PAUSE_MS ? PAUSE_MS : p->ms * 2;
    p->ms = p->ms < PAUSE_MAX_MS ? p->ms : PAUSE_MAX_MS;
    bool hot = false;
    for (bool over = false; !over && !vt_accelerator_stopped(a);) {
        (void)nanosleep(&slice, NULL);
        earn(p);
        uint64_t now = vt_now_ns();
        if (vt_accelerator_kernels(a) && now >= judged + FOUND_MS * (uint64_t)1000000) {
            uint32_t won;
            (void)vt_accelerator_judge(a, &won, NULL); /* if QEMU is gone, the next look says so */
            judged = now = vt_now_ns();
        }
        hot = somewhere_new(a) || hot;
        if (now >= least && hot && p->allowance_ns > 0) {
            p->ms = FOUND_MS;
            over = true;
        }
        over = over ||
               (now >= begin + p->ms * 1000000 && p->allowance_ns > (found != 0 ? 0 : RESERVE_NS));
    }
}
