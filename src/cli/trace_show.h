/* cli/trace_show.h - events of a trace on stdout, for people or as JSON lines.
 */
#ifndef VT_CLI_TRACE_SHOW_H
#define VT_CLI_TRACE_SHOW_H

#include "cli/cli.h"
#include "vitrine/trace.h"

/** What went by, of one source. */
struct vt_trace_tally {
    uint64_t instructions, blocks, accesses, cuts, lost_words;
};

/** Adds an event to what went by. */
void vt_trace_tally(struct vt_trace_tally *tally, const struct vt_trace_event *event);

/** A line an instruction that completed and a line for whatever else happened; in JSON an object an
 *  event. `names` are those of the registers. */
void vt_trace_show(const struct vt_args *args, const struct vt_trace_info *info,
                   const struct vt_trace_event *event);

#endif
