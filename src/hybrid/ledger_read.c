/* hybrid/ledger_read.c - the ledger that vt_accelerator_save left, read again and joined with what
 * the VM's slots count now.
 */
#include "hybrid/ledger.h"

#include "base/io.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_BYTES_MAX ((size_t)64 << 20)

static void get_text(json_t *row, const char *key, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(row, key));
    snprintf(out, room, "%s", text != NULL ? text : "");
}

static uint64_t get_u64(json_t *row, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(row, key));
    return value > 0 ? (uint64_t)value : 0;
}

static double get_f64(json_t *row, const char *key)
{
    double value = json_number_value(json_object_get(row, key));
    return value > 0 ? value : 0;
}

static uint64_t get_us(json_t *row, const char *key)
{
    double us = get_f64(row, key) * 1e3;
    return us < 1e18 ? (uint64_t)us : 0;
}

static bool get_fate(json_t *row, enum vt_loop_fate *fate)
{
    const char *text = json_string_value(json_object_get(row, "fate")), *name;
    for (unsigned i = 0; text != NULL && (name = vt_loop_fate_name(i)) != NULL; i++) {
        if (strcmp(text, name) == 0) {
            *fate = i;
            return true;
        }
    }
    return false;
}

static bool get_row(json_t *from, struct vt_ledger_row *row)
{
    char address[32], backend[8];
    memset(row, 0, sizeof *row);
    get_text(from, "loop", row->hash, sizeof row->hash);
    get_text(from, "place", row->place, sizeof row->place);
    get_text(from, "process", row->process, sizeof row->process);
    get_text(from, "why", row->why, sizeof row->why);
    get_text(from, "kernel", row->file, sizeof row->file);
    get_text(from, "address", address, sizeof address);
    get_text(from, "backend", backend, sizeof backend);
    row->head = strtoull(address, NULL, 16);
    row->iterations = get_u64(from, "iterations_seen");
    row->percent = get_f64(from, "percent");
    row->cached = json_is_true(json_object_get(from, "cached"));
    row->instructions = (uint32_t)get_u64(from, "x86_instructions");
    row->operations = (uint32_t)get_u64(from, "pixel_ops");
    row->make_us = get_us(from, "make_ms");
    row->proof_us = get_us(from, "proof_ms");
    row->compile_us = get_us(from, "compile_ms");
    row->tcg_rate = get_f64(from, "tcg_iterations_per_s");
    row->rate = get_f64(from, "iterations_per_s");
    row->backend = strcmp(backend, "gpu") == 0 ? VT_ACCEL_GPU : VT_ACCEL_HOST;
    uint64_t slot = get_u64(from, "slot");
    row->slot = slot < VT_ACCEL_SLOTS ? (uint32_t)slot : 0;
    return row->hash[0] != '\0' && get_fate(from, &row->fate);
}

static void join(const struct vt_accel *accel, struct vt_ledger_row *row)
{
    struct vt_accel_slot slot;
    if (row->fate != VT_FATE_WAITING && row->fate != VT_FATE_KEPT) {
        return;
    }
    vt_accel_read(accel, row->slot, &slot);
    if (slot.state == VT_ACCEL_EMPTY || strcmp(slot.hash, row->hash) != 0) {
        row->fate = VT_FATE_REFUSED;
        snprintf(row->why, sizeof row->why, "removed");
        return;
    }
    row->counts = slot;
    if (slot.state == VT_ACCEL_REFUSED || slot.state == VT_ACCEL_DISABLED) {
        row->fate = slot.state == VT_ACCEL_REFUSED ? VT_FATE_REFUSED : VT_FATE_DISABLED;
        snprintf(row->why, sizeof row->why, "%s", slot.why);
    }
}

static int read_rows(json_t *root, const struct vt_accel *accel, struct vt_ledger_row **rows,
                     uint32_t *n, struct vt_error *err)
{
    json_t *list = json_object_get(root, "loops");
    size_t all = json_array_size(list);
    struct vt_ledger_row *made = calloc(all + 1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a ledger of %zu loops", all);
    }
    for (size_t i = 0; i < all; i++) {
        if (!get_row(json_array_get(list, i), &made[i])) {
            free(made);
            return vt_fail(err, VT_E_CORRUPT, "row %zu of the ledger is none", i);
        }
        join(accel, &made[i]);
    }
    *rows = made;
    *n = (uint32_t)all;
    return 0;
}

int vt_ledger_parse(const char *text, size_t bytes, const struct vt_accel *accel,
                    struct vt_ledger_row **rows, uint32_t *n, uint64_t *threshold,
                    struct vt_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, bytes, 0, &why);
    if (root == NULL) {
        return vt_fail(err, VT_E_CORRUPT, "the ledger: %s", why.text);
    }
    int rc = read_rows(root, accel, rows, n, err);
    if (rc == 0) {
        *threshold = get_u64(root, "threshold");
    }
    json_decref(root);
    return rc;
}

int vt_ledger_read(const struct vt_target *target, const struct vt_accel *accel,
                   struct vt_ledger_row **rows, uint32_t *n, uint64_t *threshold,
                   struct vt_error *err)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    int rc = vt_ledger_path(target, path, err);
    rc = rc != 0 ? rc : vt_read_file(path, LEDGER_BYTES_MAX, &text, &bytes, err);
    if (rc != 0) {
        return rc == VT_E_NOT_FOUND
                   ? vt_fail(err, VT_E_NOT_FOUND, "nobody has accelerated %s yet", target->name)
                   : rc;
    }
    rc = vt_ledger_parse(text, bytes, accel, rows, n, threshold, err);
    free(text);
    return rc;
}
