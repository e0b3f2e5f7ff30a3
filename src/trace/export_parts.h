/* trace/export_parts.h - what export.c and the writers of each format have in common. */
#ifndef VT_TRACE_EXPORT_PARTS_H
#define VT_TRACE_EXPORT_PARTS_H

#include "trace/export.h"
#include "trace/stacks.h"

struct vt_trace_export {
    const struct vt_trace_export_options *options;
    struct vt_trace_names *names;
    struct vt_trace_source *source;
    const struct vt_trace_info *info;
    FILE *out;
    struct vt_trace_export_done *done;
    void *own; /* the writer's state, freed by its `end` */
};

/** A format. `end` is called once after a `begin`, whether that failed or not; with `whole` false
 *  it only frees. Errors of `out` stay in it: nobody else asks. */
struct vt_trace_exporter {
    const char *name;
    int (*begin)(struct vt_trace_export *x, struct vt_error *err);
    int (*put)(struct vt_trace_export *x, const struct vt_trace_event *event, struct vt_error *err);
    int (*end)(struct vt_trace_export *x, bool whole, struct vt_error *err);
};
extern const struct vt_trace_exporter vt_trace_exporter_collapsed, vt_trace_exporter_svg,
    vt_trace_exporter_chrome, vt_trace_exporter_perfetto, vt_trace_exporter_dot,
    vt_trace_exporter_csv;

/** Of formats made of call stacks: `own` is a struct vt_trace_stacks. `end` frees it. */
int vt_trace_export_begin_stacks(struct vt_trace_export *x, struct vt_error *err);
int vt_trace_export_put_stacks(struct vt_trace_export *x, const struct vt_trace_event *event,
                               struct vt_error *err);
void vt_trace_export_end_stacks(struct vt_trace_export *x);

/** Text between quotes of XML, DOT or CSV is made of this: one line of UTF-8 without controls. */
#define VT_TRACE_TEXT 256u

#endif
