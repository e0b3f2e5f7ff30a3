/* hybrid/ledger_read.c - the ledger that vt_accelerator_save left, read again and joined with what
 * the VM's slots count now.
 */
#include "hybrid/ledger.h"

#include "base/io.h"

#include <inttypes.h>
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

static bool uses(const struct vt_ledger_row *row)
{
    return row->fate == VT_FATE_WAITING || row->fate == VT_FATE_KEPT;
}

/* Its kernel was moved (to a GPU, or back) after the row was written. */
static void find_slot(const struct vt_accel *accel, struct vt_ledger_row *row,
                      struct vt_accel_slot *slot)
{
    vt_accel_read(accel, row->slot, slot);
    for (uint32_t i = 0; i < VT_ACCEL_SLOTS && strcmp(slot->hash, row->hash) != 0; i++) {
        vt_accel_read(accel, i, slot);
        row->slot = i;
    }
}

static void join_slot(struct vt_ledger_row *row, const struct vt_accel_slot *slot)
{
    row->counts = *slot;
    row->backend = slot->backend;
    if (slot->state == VT_ACCEL_REFUSED || slot->state == VT_ACCEL_DISABLED) {
        row->fate = slot->state == VT_ACCEL_REFUSED ? VT_FATE_REFUSED : VT_FATE_DISABLED;
        snprintf(row->why, sizeof row->why, "%s", slot->why);
    }
}

static void join(const struct vt_accel *accel, struct vt_ledger_row *row)
{
    struct vt_accel_slot slot;
    if (!uses(row)) {
        return;
    }
    find_slot(accel, row, &slot);
    if (slot.state == VT_ACCEL_EMPTY || strcmp(slot.hash, row->hash) != 0) {
        row->fate = VT_FATE_REFUSED;
        snprintf(row->why, sizeof row->why, "removed");
        return;
    }
    join_slot(row, &slot);
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

static bool has_row(const struct vt_ledger_row *rows, uint32_t n, uint32_t slot)
{
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].counts.state != VT_ACCEL_EMPTY && rows[i].slot == slot) {
            return true;
        }
    }
    return false;
}

int vt_ledger_adopt(const struct vt_accel *accel, struct vt_ledger_row **rows, uint32_t *n,
                    struct vt_error *err)
{
    struct vt_ledger_row *more = realloc(*rows, (*n + VT_ACCEL_SLOTS) * sizeof *more);
    if (more == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a ledger of %u loops", *n);
    }
    *rows = more;
    for (uint32_t i = 0, written = *n; i < VT_ACCEL_SLOTS; i++) {
        struct vt_accel_slot slot;
        vt_accel_read(accel, i, &slot);
        if (slot.state == VT_ACCEL_EMPTY || has_row(more, written, i)) {
            continue;
        }
        struct vt_ledger_row *row = &more[(*n)++];
        *row = (struct vt_ledger_row){.head = slot.head, .fate = VT_FATE_WAITING, .slot = i};
        snprintf(row->hash, sizeof row->hash, "%.32s", slot.hash);
        snprintf(row->place, sizeof row->place, "0x%" PRIx64, slot.head);
        join_slot(row, &slot);
    }
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
    char path[PATH_MAX], *text = NULL;
    size_t bytes;
    int rc = vt_ledger_path(target, path, err);
    rc = rc != 0 ? rc : vt_read_file(path, LEDGER_BYTES_MAX, &text, &bytes, err);
    *rows = NULL;
    *n = 0;
    *threshold = 0;
    if (rc == 0) {
        rc = vt_ledger_parse(text, bytes, accel, rows, n, threshold, err);
    } else if (rc == VT_E_NOT_FOUND) {
        rc = 0; /* nobody wrote one yet */
    }
    free(text);
    return rc != 0 ? rc : vt_ledger_adopt(accel, rows, n, err);
}
