/* trace/export.c - a source's events through the writer of a format. See export.h. */
#include "trace/export_parts.h"

#include <string.h>

/** Events between two looks at whether to stop. */
#define EVENTS_A_LOOK 4096u

static const struct vt_trace_exporter *const exporters[VT_TRACE_EXPORT_FORMATS] = {
    [VT_TRACE_EXPORT_COLLAPSED] = &vt_trace_exporter_collapsed,
    [VT_TRACE_EXPORT_SVG] = &vt_trace_exporter_svg,
    [VT_TRACE_EXPORT_CHROME] = &vt_trace_exporter_chrome,
    [VT_TRACE_EXPORT_PERFETTO] = &vt_trace_exporter_perfetto,
    [VT_TRACE_EXPORT_DOT] = &vt_trace_exporter_dot,
    [VT_TRACE_EXPORT_CSV] = &vt_trace_exporter_csv,
};

const char *vt_trace_export_name(enum vt_trace_export_format format)
{
    return (unsigned)format < VT_TRACE_EXPORT_FORMATS ? exporters[format]->name : "?";
}

bool vt_trace_export_of(const char *name, enum vt_trace_export_format *format)
{
    for (unsigned i = 0; i < VT_TRACE_EXPORT_FORMATS; i++) {
        if (strcmp(name, exporters[i]->name) == 0) {
            *format = (enum vt_trace_export_format)i;
            return true;
        }
    }
    return false;
}

static int put_all(struct vt_trace_export *x, const struct vt_trace_exporter *as,
                   struct vt_error *err)
{
    const struct vt_trace_export_options *o = x->options;
    struct vt_trace_event event;
    int rc = 1;
    for (uint64_t n = 0; rc == 1 && (o->count == 0 || x->done->instructions < o->count); n++) {
        if (n % EVENTS_A_LOOK == 0 && o->stop != NULL && *o->stop != 0) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        if (n % EVENTS_A_LOOK == 0 && ferror(x->out)) {
            break; /* told below */
        }
        rc = vt_trace_next(x->source, 0, &event, err);
        if (rc == 1) {
            x->done->events++;
            x->done->instructions += event.kind == VT_TRACE_EV_BLOCK ? event.executed : 0;
            x->done->lost_words += event.kind == VT_TRACE_EV_LOST ? event.lost_words : 0;
            vt_trace_names_see(x->names, &event);
            int put = as->put(x, &event, err);
            rc = put != 0 ? put : rc;
        }
    }
    return rc < 0 ? rc : 0;
}

int vt_trace_export_begin_stacks(struct vt_trace_export *x, struct vt_error *err)
{
    struct vt_trace_stacks *stacks = NULL;
    int rc = vt_trace_stacks_create(x->info->arch, x->names, NULL, &stacks, err);
    x->own = stacks;
    return rc;
}

int vt_trace_export_put_stacks(struct vt_trace_export *x, const struct vt_trace_event *event,
                               struct vt_error *err)
{
    return vt_trace_stacks_add(x->own, event, NULL, err);
}

void vt_trace_export_end_stacks(struct vt_trace_export *x)
{
    if (x->own != NULL) {
        x->done->truncated = vt_trace_stacks_stats(x->own)->truncated;
    }
    vt_trace_stacks_destroy(x->own);
}

int vt_trace_export(struct vt_trace_source *source, struct vt_trace_names *names,
                    const struct vt_trace_export_options *options, FILE *out,
                    struct vt_trace_export_done *done, struct vt_error *err)
{
    const struct vt_trace_exporter *as = exporters[options->format];
    struct vt_trace_export_done counted = {0};
    struct vt_trace_export x = {.options = options,
                                .names = names,
                                .source = source,
                                .info = vt_trace_source_info(source),
                                .out = out,
                                .done = &counted};
    int rc = as->begin(&x, err);
    rc = rc == 0 ? put_all(&x, as, err) : rc;
    vt_trace_names_settle(names);
    int ended = as->end(&x, rc == 0, rc == 0 ? err : NULL);
    rc = rc != 0 ? rc : ended;
    if (rc == 0 && (fflush(out) != 0 || ferror(out))) {
        rc = vt_fail(err, VT_E_IO, "cannot write the trace as %s", as->name);
    }
    if (rc == 0) {
        *done = counted;
    }
    return rc;
}
