/* hybrid/install.c - kernels made, proven, put into slots and taken out of them, on the host and on
 * a GPU.
 */
#include "hybrid/accelerator.h"

#include "base/io.h"

#include <string.h>

#define COMMIT_MS 10000u
/* An interrupt waits for a slice, some 100 us: about so many instructions are run in it; and of
 * iterations with a loop inside, whose instructions are not known, so many. */
#define SLICE_INSTRUCTIONS 400000u
#define SLICE_OF_LOOPS 128u

static void fail_row(struct vt_ledger_row *row, enum vt_loop_fate fate, const struct vt_error *err)
{
    row->fate = fate;
    snprintf(row->why, sizeof row->why, "%s", err->message);
}

/* Where the loop cannot be had from its bytes alone, or it has to keep memory apart from other
 * memory, also with what the guest's registers hold in it. */
static int make(struct vt_accelerator *a, const struct vt_synth_loop *loop, uint64_t root,
                struct vt_synth_kernel **k, struct vt_error *err)
{
    const struct vt_kernel *guest = a->target->kernel;
    struct vt_space space = {.ram = a->target->ram,
                             .root = VT_GPA(root),
                             .levels = guest != NULL ? vt_kernel_space(guest)->levels : 4};
    struct vt_synth_state state;
    struct vt_synth_kernel *better;
    struct vt_error ignored;
    int rc = vt_synth_make(loop, k, err);
    bool apart = false;
    for (uint32_t i = 0; rc == 0 && i < (*k)->n_disjoint; i++) {
        apart |= !(*k)->disjoint[i].only_parallel;
    }
    if ((rc != VT_E_UNSUPPORTED && !apart) || !vt_accelerator_sample(a, loop, &space, &state) ||
        vt_synth_make_at(loop, &state, &better, &ignored) != 0) {
        return rc;
    }
    if (rc == 0) {
        vt_synth_kernel_destroy(*k);
    }
    *k = better;
    return 0;
}

struct vt_synth_kernel *vt_accelerator_kernel(struct vt_accelerator *a,
                                              const struct vt_synth_loop *loop, uint64_t root,
                                              struct vt_ledger_row *row)
{
    struct vt_proof_options proof = {
        .timeout_ms = a->options.proof_ms, .stop = a->options.stop, .arg = a->options.arg};
    struct vt_synth_kernel *k = NULL;
    struct vt_error err;
    if (vt_synth_find(a->cache, loop->hash, &proof, &k, row->file, sizeof row->file, &err) == 0 &&
        k->loop.head != loop->head && vt_synth_loop_is_bound(loop)) {
        vt_synth_kernel_destroy(k); /* it is of another place, and holds there */
        k = NULL;
        row->file[0] = '\0';
    }
    if (k != NULL) {
        row->cached = true;
    } else {
        uint64_t begin = vt_now_ns();
        int rc = make(a, loop, root, &k, &err);
        row->make_us = (vt_now_ns() - begin) / 1000;
        if (rc != 0) {
            fail_row(row, VT_FATE_UNSUPPORTED, &err);
            return NULL;
        }
        rc = vt_synth_prove(k, &proof, &err);
        row->proof_us = k->proof_us;
        if (rc != 0) {
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

static uint64_t slice_of(const struct vt_synth_kernel *k)
{
    return k->program.n_loops != 0 ? SLICE_OF_LOOPS
                                   : SLICE_INSTRUCTIONS / (k->instructions | 1u) + 1;
}

void vt_accelerator_install(struct vt_accelerator *a, const struct vt_synth_kernel *k,
                            struct vt_ledger_row *row)
{
    bool gpu = a->worker != NULL && !vt_hybrid_worker_lost(a->worker) && k->program.independent;
    struct vt_accel_options options = {.backend = gpu ? VT_ACCEL_GPU : VT_ACCEL_HOST,
                                       .passive = true,
                                       .canary_period = a->options.canary_period,
                                       .slice_iterations = slice_of(k)};
    struct vt_error err;
    uint64_t begin = vt_now_ns();
    int rc = vt_accel_install(a->accel, k, &options, &row->slot, &err);
    if (rc == 0 && gpu) {
        a->forget[row->slot] = false;
        rc = vt_hybrid_worker_serve(a->worker, row->slot, &k->program, &err);
        if (a->options.also_gpu) {
            a->to_try[row->slot] = rc == 0;
            rc = 0; /* the host runs it */
            vt_accel_use(a->accel, row->slot, VT_ACCEL_HOST);
        } else if (rc != 0) {
            vt_accel_remove(a->accel, row->slot);
        }
    }
    if (rc != 0) {
        fail_row(row, rc == VT_E_BUSY ? VT_FATE_RESTING : VT_FATE_REFUSED, &err);
        return;
    }
    row->fate = VT_FATE_WAITING;
    row->backend = gpu && !a->options.also_gpu ? VT_ACCEL_GPU : VT_ACCEL_HOST;
    row->compile_us = (vt_now_ns() - begin) / 1000;
    a->uncommitted_ns = a->uncommitted_ns != 0 ? a->uncommitted_ns : vt_now_ns();
}

void vt_accelerator_remove(struct vt_accelerator *a, uint32_t slot)
{
    vt_accel_remove(a->accel, slot);
    a->forget[slot] = true;
    a->to_try[slot] = false;
    a->uncommitted_ns = a->uncommitted_ns != 0 ? a->uncommitted_ns : vt_now_ns();
}

int vt_accelerator_commit(struct vt_accelerator *a, struct vt_error *err)
{
    if (a->uncommitted_ns != 0) {
        vt_accelerator_flushed(a);
    }
    int rc = a->uncommitted_ns != 0 ? vt_accel_commit(a->accel, COMMIT_MS, err) : 0;
    if (rc == 0) {
        a->uncommitted_ns = 0;
        for (uint32_t slot = 0; slot < VT_ACCEL_SLOTS; slot++) {
            if (a->forget[slot] && a->worker != NULL) {
                vt_hybrid_worker_forget(a->worker, slot);
            }
            a->forget[slot] = false;
        }
    }
    return rc;
}
