/* trace/export_chrome.c - Chrome's JSON trace: begin and end events on threads of processes.
 *
 * Source: Chromium's "Trace Event Format". Process and thread ids are numbers of ours (readers take
 * thread ids to be unique among all processes); names have the guest's. Timestamps are
 * microseconds.
 */
#include "base/json_writer.h"
#include "trace/timeline.h"

#include <stdlib.h>

struct chrome {
    struct vt_trace_timeline *timeline;
    FILE *out;
    uint32_t *process_of; /* of each track */
    uint32_t n_tracks;
    bool begun, no_memory;
};

static void begin_event(struct chrome *c, struct vt_json_writer *w, const char *phase,
                        uint32_t process)
{
    fputs(c->begun ? ",\n" : "", c->out);
    c->begun = true;
    vt_json_init(w, c->out, false);
    vt_json_object(w);
    vt_json_kv_string(w, "ph", phase);
    vt_json_kv_u64(w, "pid", process + 1u);
}

static void put_name(struct vt_json_writer *w, const char *kind, const char *name)
{
    vt_json_kv_string(w, "name", kind);
    vt_json_key(w, "args");
    vt_json_object(w);
    vt_json_kv_string(w, "name", name);
    vt_json_object_end(w);
    vt_json_object_end(w);
}

static void put_process(void *arg, uint32_t process, const char *name)
{
    struct vt_json_writer w;
    begin_event(arg, &w, "M", process);
    put_name(&w, "process_name", name);
}

static void put_track(void *arg, uint32_t track, uint32_t process, unsigned vcpu, const char *name)
{
    struct chrome *c = arg;
    struct vt_json_writer w;
    (void)vcpu;
    uint32_t *more = reallocarray(c->process_of, track + 1u, sizeof *more);
    if (more == NULL) {
        c->no_memory = true;
        return;
    }
    c->process_of = more;
    c->process_of[track] = process;
    c->n_tracks = track + 1;
    begin_event(c, &w, "M", process);
    vt_json_kv_u64(&w, "tid", track + 1u);
    put_name(&w, "thread_name", name);
}

static void put_event(struct chrome *c, const char *phase, uint32_t track, uint64_t ns,
                      const struct vt_trace_slice_name *name)
{
    struct vt_json_writer w;
    if (track >= c->n_tracks) {
        return; /* no memory */
    }
    begin_event(c, &w, phase, c->process_of[track]);
    vt_json_kv_u64(&w, "tid", track + 1u);
    vt_json_key(&w, "ts");
    vt_json_f64(&w, (double)ns / 1e3, 16); /* three decimals are nanoseconds */
    if (name != NULL) {
        vt_json_kv_string(&w, "name", name->text);
        vt_json_kv_string(&w, "cat", name->category);
    }
    if (phase[0] == 'i') {
        vt_json_kv_string(&w, "s", "t");
    }
    vt_json_object_end(&w);
}

static void put_begin(void *arg, uint32_t track, uint64_t ns,
                      const struct vt_trace_slice_name *name)
{
    put_event(arg, "B", track, ns, name);
}

static void put_end(void *arg, uint32_t track, uint64_t ns)
{
    put_event(arg, "E", track, ns, NULL);
}

static void put_instant(void *arg, uint32_t track, uint64_t ns,
                        const struct vt_trace_slice_name *name)
{
    put_event(arg, "i", track, ns, name);
}

static const struct vt_trace_timeline_sink sink = {.process = put_process,
                                                   .track = put_track,
                                                   .begin = put_begin,
                                                   .end = put_end,
                                                   .instant = put_instant};

static int begin(struct vt_trace_export *x, struct vt_error *err)
{
    struct chrome *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a trace in JSON");
    }
    c->out = x->out;
    x->own = c;
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", x->out);
    return vt_trace_timeline_create(x, &sink, c, &c->timeline, err);
}

static int put(struct vt_trace_export *x, const struct vt_trace_event *event, struct vt_error *err)
{
    return vt_trace_timeline_put(((struct chrome *)x->own)->timeline, event, err);
}

static int end(struct vt_trace_export *x, bool whole, struct vt_error *err)
{
    struct chrome *c = x->own;
    if (c == NULL) {
        return 0;
    }
    int rc = vt_trace_timeline_end(c->timeline, whole, err);
    if (rc == 0 && whole && c->no_memory) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for a trace in JSON");
    }
    fputs(whole ? "\n]}\n" : "", x->out);
    free(c->process_of);
    free(c);
    return rc;
}

const struct vt_trace_exporter vt_trace_exporter_chrome = {
    .name = "chrome", .begin = begin, .put = put, .end = end};
