/* cli/trace_show.h - events of a trace on stdout, for people or as JSON lines.
 */
#ifndef VT_CLI_TRACE_SHOW_H
#define VT_CLI_TRACE_SHOW_H

#include "cli/trace_registers.h"
#include "cli/trace_select.h"
#include "vitrine/target.h"
#include "vitrine/trace.h"

/** What went by, of one source. */
struct vt_trace_tally {
    uint64_t instructions, blocks, accesses, cuts, lost_words;
};

/** Adds an event to what went by. */
void vt_trace_tally(struct vt_trace_tally *tally, const struct vt_trace_event *event);

/** A line an instruction that completed and a line for whatever else happened; in JSON an object an
 *  event. `names` and `registers`, which have seen the event, or NULL. */
void vt_trace_show(const struct vt_args *args, const struct vt_trace_info *info,
                   struct vt_trace_names *names, const struct vt_cli_registers *registers,
                   const struct vt_trace_event *event);

/** A line for each access of a block that is selected, at most `max`; in JSON an object. How many.
 */
uint64_t vt_trace_show_accesses(const struct vt_args *args, const struct vt_trace_select *select,
                                struct vt_trace_names *names, const struct vt_trace_event *event,
                                uint64_t max);

/** What is already recorded: a VM's rings, a copy of them or a file, whichever `what` is; a VM's
 * use goes to its audit log as `operation`. */
int vt_cli_trace_open(const char *what, const char *operation, struct vt_trace_source **source,
                      struct vt_error *err);

/** The same with names, of a VM's guest as it is now or those that a file keeps. */
struct vt_cli_trace {
    struct vt_target target; /* of a VM */
    struct vt_trace_source *source;
    struct vt_trace_names *names;
};
int vt_cli_trace_open_named(const char *what, const char *operation, struct vt_cli_trace *trace,
                            struct vt_error *err);
/** Takes one of zeros, too. */
void vt_cli_trace_close(struct vt_cli_trace *trace);

#endif
