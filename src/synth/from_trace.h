/* synth/from_trace.h - a loop that a trace showed, as synthesis takes it.
 */
#ifndef VT_SYNTH_FROM_TRACE_H
#define VT_SYNTH_FROM_TRACE_H

#include "trace/learn.h"
#include "vitrine/synth.h"

/** Loop `index` of the graph with inner loops' blocks and those of functions that are called. Its
 * head is where a branch, taken or not, leads in every iteration: mostly the loop's header, else a
 * block before or behind it, and then the hash is not the one that `vitrine hot` shows.
 * VT_E_UNSUPPORTED: too large, no such block, or not all of its bytes are known. */
int vt_synth_loop_of_trace(const struct vt_trace_graph *graph, uint32_t index,
                           struct vt_synth_loop *loop, struct vt_error *err);

#endif
