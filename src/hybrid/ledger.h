/* hybrid/ledger.h - counters and rows of a ledger as members of an open JSON object.
 */
#ifndef VT_HYBRID_LEDGER_H
#define VT_HYBRID_LEDGER_H

#include "base/json_writer.h"
#include "vitrine/hybrid.h"

#include <limits.h>

void vt_accel_slot_json(const struct vt_accel_slot *slot, struct vt_json_writer *w);
void vt_ledger_row_json(const struct vt_ledger_row *row, struct vt_json_writer *w);
/** Where vt_accelerator_save puts a VM's ledger. */
int vt_ledger_path(const struct vt_target *target, char out[PATH_MAX], struct vt_error *err);
/** Adds rows of the slots that are in use and that no row is joined with: all that is known of them
 * is there. *rows is from malloc, or NULL. */
int vt_ledger_adopt(const struct vt_accel *accel, struct vt_ledger_row **rows, uint32_t *n,
                    struct vt_error *err);
/** A ledger's text, each row that is in use joined with its slot. */
int vt_ledger_parse(const char *text, size_t bytes, const struct vt_accel *accel,
                    struct vt_ledger_row **rows, uint32_t *n, uint64_t *threshold,
                    struct vt_error *err);

#endif
