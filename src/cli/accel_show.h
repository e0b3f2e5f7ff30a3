/* cli/accel_show.h - rows of an accelerator's ledger on a terminal: for `vitrine accel` and its
 * words.
 */
#ifndef VT_CLI_ACCEL_SHOW_H
#define VT_CLI_ACCEL_SHOW_H

#include "cli/cli.h"
#include "vitrine/hybrid.h"

/** A row as it is shown. */
struct vt_accel_shown {
    struct vt_ledger_row row; /**< place, process and why made printable */
    const char *fate;
    double speedup, proof_ms; /**< not a number: not measured, no kernel */
    uint64_t declined;        /**< calls that ran nothing */
    char reasons[64];         /**< the two most frequent ones */
    char kernel[16];          /**< how its file in the cache begins, or "" */
};
void vt_accel_shown(const struct vt_ledger_row *row, struct vt_accel_shown *out);

#define VT_ACCEL_COLUMNS 11u
extern const struct vt_column vt_accel_columns[VT_ACCEL_COLUMNS];

#endif
