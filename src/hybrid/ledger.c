/* hybrid/ledger.c - what an accelerator did, as JSON beside the VM's other files.
 */
#include "hybrid/ledger.h"

#include "base/paths.h"
#include "hybrid/accelerator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *vt_loop_fate_name(enum vt_loop_fate fate)
{
    static const char *const names[] = {"unsupported", "unproven", "refused",  "waiting",
                                        "kept",        "slower",   "disabled", "resting"};
    return (unsigned)fate < sizeof names / sizeof names[0] ? names[fate] : NULL;
}

static void reasons(struct vt_json_writer *w, const char *key, const uint64_t *counts)
{
    vt_json_key(w, key);
    vt_json_object(w);
    for (uint32_t i = 0; i < VT_ACCEL_DECLINES; i++) {
        if (counts[i] != 0) {
            vt_json_kv_u64(w, vt_accel_decline_name(i), counts[i]);
        }
    }
    vt_json_object_end(w);
}

void vt_accel_slot_json(const struct vt_accel_slot *s, struct vt_json_writer *w)
{
    vt_json_kv_string(w, "state", vt_accel_state_name(s->state));
    vt_json_kv_string(w, "hash", s->hash);
    vt_json_kv_hex(w, "head", s->head);
    vt_json_kv_string(w, "backend", s->backend == VT_ACCEL_GPU ? "gpu" : "host");
    vt_json_kv_u64(w, "heads", s->heads);
    vt_json_kv_u64(w, "iterations", s->iterations);
    vt_json_kv_u64(w, "calls", s->calls);
    vt_json_kv_u64(w, "slices", s->slices);
    vt_json_kv_u64(w, "chunks", s->chunks);
    vt_json_kv_u64(w, "bounced", s->bounced);
    vt_json_kv_u64(w, "bytes", s->bytes);
    vt_json_kv_u64(w, "ns", s->ns);
    vt_json_kv_u64(w, "canaries", s->canaries);
    vt_json_kv_u64(w, "canaries_discarded", s->canaries_discarded);
    vt_json_kv_u64(w, "canaries_failed", s->canaries_failed);
    reasons(w, "declines", s->declines);
    reasons(w, "stops", s->stops);
}

void vt_ledger_row_json(const struct vt_ledger_row *row, struct vt_json_writer *w)
{
    vt_json_kv_string(w, "loop", row->hash);
    vt_json_kv_string(w, "place", row->place);
    vt_json_kv_string(w, "process", row->process);
    vt_json_kv_hex(w, "address", row->head);
    vt_json_kv_u64(w, "iterations_seen", row->iterations);
    vt_json_kv_f64(w, "percent", row->percent, 4);
    vt_json_kv_string(w, "fate", vt_loop_fate_name(row->fate));
    vt_json_kv_string(w, "why", row->why[0] != '\0' ? row->why : NULL);
    vt_json_kv_string(w, "backend", row->backend == VT_ACCEL_GPU ? "gpu" : "host");
    vt_json_kv_u64(w, "slot", row->slot);
    vt_json_kv_string(w, "kernel", row->file[0] != '\0' ? row->file : NULL);
    vt_json_kv_bool(w, "cached", row->cached);
    vt_json_kv_u64(w, "x86_instructions", row->instructions);
    vt_json_kv_u64(w, "pixel_ops", row->operations);
    vt_json_kv_f64(w, "make_ms", (double)row->make_us / 1e3, 6);
    vt_json_kv_f64(w, "proof_ms", (double)row->proof_us / 1e3, 6);
    vt_json_kv_f64(w, "compile_ms", (double)row->compile_us / 1e3, 6);
    vt_json_kv_f64(w, "tcg_iterations_per_s", row->tcg_rate, 6);
    vt_json_kv_f64(w, "iterations_per_s", row->rate, 6);
    vt_json_key(w, "speedup");
    if (row->tcg_rate > 0) {
        vt_json_f64(w, row->rate / row->tcg_rate, 4);
    } else {
        vt_json_null(w);
    }
    vt_json_key(w, "counts");
    if (row->counts.state != VT_ACCEL_EMPTY) {
        vt_json_object(w);
        vt_accel_slot_json(&row->counts, w);
        vt_json_object_end(w);
    } else {
        vt_json_null(w);
    }
}

int vt_ledger_path(const struct vt_target *target, char out[PATH_MAX], struct vt_error *err)
{
    return vt_path_format(out, err, "%s/accel.json", vt_vm_info(target->vm)->dir);
}

int vt_accelerator_save(struct vt_accelerator *a, struct vt_error *err)
{
    char path[PATH_MAX], made[PATH_MAX + 8];
    uint32_t n;
    const struct vt_ledger_row *rows = vt_accelerator_ledger(a, &n);
    int rc = vt_ledger_path(a->target, path, err);
    if (rc != 0) {
        return rc;
    }
    snprintf(made, sizeof made, "%s.new", path);
    FILE *to = fopen(made, "we");
    if (to == NULL) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", made);
    }
    struct vt_json_writer w;
    vt_json_init(&w, to, false);
    vt_json_object(&w);
    vt_json_kv_u64(&w, "threshold", a->threshold);
    vt_json_key(&w, "loops");
    vt_json_array(&w);
    for (uint32_t i = 0; i < n; i++) {
        vt_json_object(&w);
        vt_ledger_row_json(&rows[i], &w);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    bool written = ferror(to) == 0;
    written = fclose(to) == 0 && written;
    if (!written || rename(made, path) != 0) {
        int why = errno;
        unlink(made);
        return vt_fail_errno(err, VT_E_IO, why, "%s", path);
    }
    return 0;
}
