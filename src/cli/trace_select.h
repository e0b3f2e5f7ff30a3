/* cli/trace_select.h - which events of a trace a verb is about: from where to where, and of what.
 */
#ifndef VT_CLI_TRACE_SELECT_H
#define VT_CLI_TRACE_SELECT_H

#include "cli/cli.h"
#include "vitrine/trace.h"

/** A number of events from the beginning, or a time since then. */
struct vt_trace_when {
    bool given, is_time;
    uint64_t value; /* nanoseconds */
};

struct vt_trace_select {
    struct vt_trace_filter filter;  /* no points */
    struct vt_trace_filter touched; /* its ranges: of data */
    struct vt_trace_when from, to;
    const char *process; /* name or number; NULL: all */
    int64_t pid;         /* -1: it is a name */
    uint64_t number;     /* of the next event */
    /* of the root that was seen last on a vCPU, whether it is the process' */
    uint64_t roots[64];
    bool root_is[64];
};

/** Rows for a verb's table of options. */
#define VT_TRACE_SELECT_OPTIONS                                                                    \
    {"from", "WHERE", "begin at event N (the first is 0), or at a time: 15.37s", false},           \
        {"to", "WHERE", "end before event N, or before a time", false},                            \
        {"filter", "WHAT", "kernel, user, range=A-B, range=A+N, root=A, vcpu=N", true},            \
        {"process", "PID|NAME", "what ran under the page table of that process", false},           \
    {                                                                                              \
        "address", "A-B|A+N", "only blocks that read or write memory there", true                  \
    }

/** From a verb's options; 0, or an exit code and a message. */
int vt_trace_select_read(const struct vt_args *args, struct vt_trace_select *select);
/** Goes to where the selection begins: in files without reading what is before. */
int vt_trace_select_begin(struct vt_trace_select *select, struct vt_trace_source *source,
                          struct vt_error *err);

enum vt_trace_selected { VT_TRACE_SELECT_NO, VT_TRACE_SELECT_YES, VT_TRACE_SELECT_END };
/** Of every event after that, in order; `names` has seen it, or is NULL. What was lost is always
 * selected, for what follows does not follow from what was before. */
enum vt_trace_selected vt_trace_select(struct vt_trace_select *select,
                                       const struct vt_trace_info *info,
                                       struct vt_trace_names *names,
                                       const struct vt_trace_event *event);
/** Whether an access is of the addresses asked for. */
bool vt_trace_select_access(const struct vt_trace_select *select,
                            const struct vt_trace_access *access);

#endif
