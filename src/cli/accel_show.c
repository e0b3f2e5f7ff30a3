/* cli/accel_show.c - see accel_show.h. */
#include "cli/accel_show.h"

#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void printable(char *text, size_t room)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    vt_text_printable(text, room, copy, strlen(copy));
}

static void say_reasons(const uint64_t *declines, char *out, size_t room)
{
    size_t used = 0;
    bool said[VT_ACCEL_DECLINES] = {false};
    out[0] = '\0';
    for (unsigned k = 0; k < 2; k++) {
        uint32_t most = VT_ACCEL_DECLINES;
        for (uint32_t i = 0; i < VT_ACCEL_DECLINES; i++) {
            if (!said[i] && declines[i] != 0 &&
                (most == VT_ACCEL_DECLINES || declines[i] > declines[most])) {
                most = i;
            }
        }
        if (most == VT_ACCEL_DECLINES || used >= room) {
            return;
        }
        said[most] = true;
        int n = snprintf(out + used, room - used, "%s%s %" PRIu64, used != 0 ? ", " : "",
                         vt_accel_decline_name(most), declines[most]);
        used += n > 0 ? (size_t)n : 0;
    }
}

void vt_accel_shown(const struct vt_ledger_row *row, struct vt_accel_shown *out)
{
    *out = (struct vt_accel_shown){.row = *row, .fate = vt_loop_fate_name(row->fate)};
    printable(out->row.place, sizeof out->row.place);
    printable(out->row.process, sizeof out->row.process);
    printable(out->row.why, sizeof out->row.why);
    out->speedup = row->tcg_rate > 0 ? row->rate / row->tcg_rate : (double)NAN;
    out->proof_ms = row->proof_us != 0 ? (double)row->proof_us / 1e3 : (double)NAN;
    for (uint32_t i = 0; i < VT_ACCEL_DECLINES; i++) {
        out->declined += row->counts.declines[i];
    }
    const char *file = strrchr(row->file, '/');
    snprintf(out->kernel, sizeof out->kernel, "%.12s", file != NULL ? file + 1 : "");
    say_reasons(row->counts.declines, out->reasons, sizeof out->reasons);
}

const struct vt_column vt_accel_columns[VT_ACCEL_COLUMNS] = {
    {VT_COLUMN(vt_accel_shown, fate, VT_CELL_TEXT, "fate", "FATE",
               "kept, waiting, resting, slower, unsupported, unproven, refused, disabled")},
    {VT_COLUMN(vt_accel_shown, row.place, VT_CELL_CHARS, "place", "LOOP", "where it begins")},
    {VT_COLUMN(vt_accel_shown, row.process, VT_CELL_CHARS, "process", "PROCESS", "or kernel")},
    {VT_COLUMN(vt_accel_shown, row.percent, VT_CELL_F64, "percent", "SHARE %",
               "of the guest's instructions when the loop was found")},
    {VT_COLUMN(vt_accel_shown, speedup, VT_CELL_F64, "speedup", "SPEEDUP",
               "times as many iterations a second with the kernel as without")},
    {VT_COLUMN(vt_accel_shown, row.counts.iterations, VT_CELL_U64, "iterations", "ITERATIONS",
               "that the kernel ran")},
    {VT_COLUMN(vt_accel_shown, kernel, VT_CELL_CHARS, "kernel", "KERNEL",
               "how its file in the cache begins; with --json its path")},
    {VT_COLUMN(vt_accel_shown, proof_ms, VT_CELL_F64, "proof_ms", "PROOF ms",
               "milliseconds that the proof took")},
    {VT_COLUMN(vt_accel_shown, declined, VT_CELL_U64, "declined", "DECLINED",
               "calls of the kernel that ran nothing")},
    {VT_COLUMN(vt_accel_shown, reasons, VT_CELL_CHARS, "declines", "BECAUSE",
               "the most frequent reasons (docs/hybrid.md) and how often")},
    {VT_COLUMN(vt_accel_shown, row.why, VT_CELL_CHARS, "why", "WHY", "it is not in use")},
};
