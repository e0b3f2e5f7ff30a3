/* trace/live.h - sources over a segment that is mapped already; vt_trace_open_live and
 * vt_trace_open_segment are these and a path.
 */
#ifndef VT_TRACE_LIVE_H
#define VT_TRACE_LIVE_H

#include "trace/segment.h"
#include "vitrine/trace.h"

/** Takes *segment over on success. `live`: consumes from now on (writes the segment); else what the
 *  rings hold at this moment. */
int vt_trace_live_create(const struct vt_trace_segment *segment, bool live,
                         struct vt_trace_source **source, struct vt_error *err);

#endif
