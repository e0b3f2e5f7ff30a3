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
/** vt_ledger_read of a ledger's text. */
int vt_ledger_parse(const char *text, size_t bytes, const struct vt_accel *accel,
                    struct vt_ledger_row **rows, uint32_t *n, uint64_t *threshold,
                    struct vt_error *err);

#endif
