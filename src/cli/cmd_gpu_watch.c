/* cli/cmd_gpu_watch.c - `vitrine gpu watch`: the commands of a guest's virtio-gpu as they flow. */
#include "cli/cli.h"

#include "base/io.h"
#include "gpu/export.h"
#include "gpu/resources.h"
#include "gpu/watch.h"
#include "virtio/gpu/protocol/commands.h"
#include "vitrine/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A format and where it goes. */
struct output {
    const char *path; /* for messages; NULL: stdout */
    FILE *out;
    struct vt_vgpu_export *to;
};

enum { SHOWN, PCAPNG, PERFETTO, OUTPUTS };

/* Where events go. */
struct sink {
    struct vt_vgpu_writer *record;
    struct output outputs[OUTPUTS];
    struct vt_vgpu_resources *resources;
    uint64_t limit, commands;
    int rc;
    struct vt_error err;
};

static bool take(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct sink *s = arg;
    bool more = true;
    if (s->record != NULL) {
        s->rc = vt_vgpu_writer_put(s->record, e, &s->err);
        more = s->rc == 0;
    }
    for (unsigned i = 0; i < OUTPUTS; i++) {
        if (s->outputs[i].to != NULL) {
            more = vt_vgpu_export_put(e, s->outputs[i].to) && more;
        }
    }
    vt_vgpu_resources_see(e, s->resources);
    s->commands += e->kind == VT_VGPU_SEEN_COMMAND;
    return more && (s->limit == 0 || s->commands < s->limit);
}

static void flush(void *arg)
{
    struct sink *s = arg;
    if (s->record != NULL && s->rc == 0) {
        s->rc = vt_vgpu_writer_flush(s->record, &s->err);
    }
    for (unsigned i = 0; i < OUTPUTS; i++) {
        if (s->outputs[i].out != NULL) {
            fflush(s->outputs[i].out); /* what fails shows at the end */
        }
    }
}

static int begin(const struct vt_args *args, struct output *o, const char *path,
                 enum vt_vgpu_export_format format, const struct vt_vgpu_origin *origin,
                 struct vt_error *err)
{
    o->path = path;
    o->out = path == NULL                    ? stdout
             : vt_args_flag(args, "replace") ? fopen(path, "we")
                                             : fopen(path, "wxe");
    if (o->out == NULL) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    return vt_vgpu_export_begin(format, o->out, origin, &o->to, err);
}

/* Opens everything that is wanted. */
static int open_outputs(const struct vt_args *args, struct sink *s,
                        const struct vt_vgpu_origin *origin, struct vt_error *err)
{
    const char *record = vt_args_value(args, "record");
    const char *pcapng = vt_args_value(args, "pcapng");
    const char *perfetto = vt_args_value(args, "perfetto");
    bool files = record != NULL || pcapng != NULL || perfetto != NULL;
    int rc = vt_vgpu_resources_create(&s->resources, err);
    if (rc == 0 && (!files || vt_args_flag(args, "show"))) {
        rc = begin(args, &s->outputs[SHOWN], NULL,
                   vt_args_json(args) ? VT_VGPU_EXPORT_JSONL : VT_VGPU_EXPORT_TEXT, origin, err);
    }
    if (rc == 0 && pcapng != NULL) {
        rc = begin(args, &s->outputs[PCAPNG], pcapng, VT_VGPU_EXPORT_PCAPNG, origin, err);
    }
    if (rc == 0 && perfetto != NULL) {
        rc = begin(args, &s->outputs[PERFETTO], perfetto, VT_VGPU_EXPORT_PERFETTO, origin, err);
    }
    /* Last: once there is a recording, the watch begins. */
    if (rc == 0 && record != NULL) {
        rc = vt_vgpu_writer_create(record, vt_args_flag(args, "replace"), origin, &s->record, err);
    }
    return rc;
}

/* Ends and closes them all; the first failure is told. */
static int close_outputs(struct sink *s, int rc, struct vt_error *err)
{
    for (unsigned i = 0; i < OUTPUTS; i++) {
        struct output *o = &s->outputs[i];
        int ended = vt_vgpu_export_end(o->to, rc == 0 ? err : NULL);
        rc = rc != 0 ? rc : ended;
        if (o->path != NULL && o->out != NULL && fclose(o->out) != 0 && rc == 0) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "%s: cannot write", o->path);
        }
    }
    int closed = vt_vgpu_writer_close(s->record, rc == 0 ? err : NULL);
    return rc != 0 ? rc : closed;
}

/* ---------------------------------------------------------------- what it holds in the end */

static const char *format_name(uint32_t format)
{
    const struct vt_vgpu_message *m = vt_vgpu_message_of(VT_VGPU_CMD_RESOURCE_CREATE_2D);
    for (unsigned i = 0; i < m->n_fields; i++) {
        if (strcmp(m->fields[i].name, "format") == 0) {
            return vt_vgpu_value_name(&m->fields[i], format);
        }
    }
    return NULL;
}

static void table_text(const struct sink *s)
{
    size_t n;
    const struct vt_vgpu_resource_seen *r = vt_vgpu_resources_all(s->resources, &n);
    const struct vt_vgpu_scanout_seen *o = vt_vgpu_resources_scanouts(s->resources);
    printf("%zu resources\n", n);
    for (size_t i = 0; i < n; i++) {
        const char *format = format_name(r[i].format);
        printf("  %" PRIu32 " %s", r[i].id, vt_vgpu_resource_kind_name(r[i].kind));
        if (r[i].width > 0) {
            printf(" %" PRIu32 "x%" PRIu32 " %s", r[i].width, r[i].height,
                   format != NULL ? format : "of an unknown format");
        }
        if (r[i].kind == VT_VGPU_RESOURCE_BLOB) {
            printf(" %" PRIu64 " bytes", r[i].blob_bytes);
        }
        if (r[i].backed) {
            printf(", backed by %" PRIu64 " bytes in %" PRIu32 " pieces", r[i].backing_bytes,
                   r[i].entries);
        }
        printf(", %" PRIu64 " transfers, %" PRIu64 " flushes%s\n", r[i].transfers, r[i].flushes,
               r[i].doubtful ? " (doubtful)" : "");
    }
    for (unsigned i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
        if (o[i].resource != 0) {
            printf("scanout %u shows resource %" PRIu32 ", %" PRIu32 "x%" PRIu32 "+%" PRIu32
                   "+%" PRIu32 "%s\n",
                   i, o[i].resource, o[i].rect.width, o[i].rect.height, o[i].rect.x, o[i].rect.y,
                   o[i].doubtful ? " (doubtful)" : "");
        }
        if (o[i].cursor != 0) {
            printf("scanout %u has cursor %" PRIu32 " at %" PRIu32 ",%" PRIu32 "\n", i, o[i].cursor,
                   o[i].cursor_x, o[i].cursor_y);
        }
    }
}

static void table_json(const struct sink *s)
{
    struct vt_json_writer w;
    size_t n;
    const struct vt_vgpu_resource_seen *r = vt_vgpu_resources_all(s->resources, &n);
    const struct vt_vgpu_scanout_seen *o = vt_vgpu_resources_scanouts(s->resources);
    vt_json_init(&w, stdout, false);
    vt_json_object(&w);
    vt_json_kv_string(&w, "kind", "table");
    vt_json_key(&w, "resources");
    vt_json_array(&w);
    for (size_t i = 0; i < n; i++) {
        const char *format = format_name(r[i].format);
        vt_json_object(&w);
        vt_json_kv_u64(&w, "id", r[i].id);
        vt_json_kv_string(&w, "kind", vt_vgpu_resource_kind_name(r[i].kind));
        vt_json_kv_u64(&w, "width", r[i].width);
        vt_json_kv_u64(&w, "height", r[i].height);
        vt_json_kv_string(&w, "format", format);
        vt_json_kv_u64(&w, "blob_bytes", r[i].blob_bytes);
        vt_json_kv_u64(&w, "backing_entries", r[i].entries);
        vt_json_kv_u64(&w, "backing_bytes", r[i].backing_bytes);
        vt_json_kv_u64(&w, "transfers", r[i].transfers);
        vt_json_kv_u64(&w, "flushes", r[i].flushes);
        vt_json_kv_bool(&w, "doubtful", r[i].doubtful);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_key(&w, "scanouts");
    vt_json_array(&w);
    for (unsigned i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
        if (!o[i].known && o[i].cursor == 0) {
            continue;
        }
        vt_json_object(&w);
        vt_json_kv_u64(&w, "scanout", i);
        vt_json_kv_u64(&w, "resource", o[i].resource);
        vt_json_kv_u64(&w, "x", o[i].rect.x);
        vt_json_kv_u64(&w, "y", o[i].rect.y);
        vt_json_kv_u64(&w, "width", o[i].rect.width);
        vt_json_kv_u64(&w, "height", o[i].rect.height);
        vt_json_kv_u64(&w, "cursor", o[i].cursor);
        vt_json_kv_u64(&w, "cursor_x", o[i].cursor_x);
        vt_json_kv_u64(&w, "cursor_y", o[i].cursor_y);
        vt_json_kv_bool(&w, "doubtful", o[i].doubtful);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void summarise(const struct vt_vgpu_watch *w)
{
    struct vt_vgpu_watch_counts c;
    vt_vgpu_watch_counts(w, &c);
    const struct vt_vgpu_ring_counts *a = &c.queue[VT_VGPU_CONTROL_QUEUE];
    const struct vt_vgpu_ring_counts *b = &c.queue[VT_VGPU_CURSOR_QUEUE];
    fprintf(stderr,
            "%" PRIu64 " commands (%" PRIu64 " control, %" PRIu64 " cursor), %" PRIu64
            " lost, %" PRIu64 " late, %" PRIu64 " stale requests, %" PRIu64
            " stale responses, %" PRIu64 " not answered, %" PRIu64 " resets; %.2f s of CPU%s\n",
            a->commands + b->commands, a->commands, b->commands, a->lost + b->lost,
            a->late + b->late, a->stale_requests + b->stale_requests,
            a->stale_responses + b->stale_responses, a->unanswered + b->unanswered, c.resets,
            (double)c.cpu_ns / 1e9, c.vm_ended ? "; the VM ended" : "");
}

/* ---------------------------------------------------------------- the verb */

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct sink sink = {0};
    uint64_t for_ns, interval_ns = 0;
    int result = vt_args_duration(args, "for", 0, &for_ns);
    if (result == 0) {
        result = vt_args_duration(args, "interval", 0, &interval_ns);
    }
    if (result == 0) {
        result = vt_args_u64(args, "count", 0, &sink.limit);
    }
    if (result != 0) {
        return result;
    }
    const struct vt_vgpu_watch_config config = {
        .vm = vt_args_operand(args, 0),
        .device = vt_args_value(args, "device"),
        .history = vt_args_flag(args, "history"),
        .interval_ns = interval_ns,
        .stop = &vt_interrupted,
        .fn = take,
        .arg = &sink,
        .pause = flush,
    };
    struct vt_vgpu_watch *watch = NULL;
    int rc =
        vt_audit(config.vm, "gpu watch", &err, "%s", config.device != NULL ? config.device : "");
    if (rc == 0) {
        rc = vt_vgpu_watch_open(&config, &watch, &err);
    }
    if (rc == 0) {
        rc = open_outputs(args, &sink, vt_vgpu_watch_origin(watch), &err);
    }
    if (rc == 0) {
        rc = vt_vgpu_watch_run(watch, for_ns > 0 ? vt_now_ns() + for_ns : VT_NO_DEADLINE, &err);
    }
    if (rc == 0 && sink.rc != 0) {
        rc = sink.rc;
        err = sink.err;
    }
    rc = close_outputs(&sink, rc, &err);
    if (rc == 0) {
        if (vt_args_flag(args, "table")) {
            (vt_args_json(args) ? table_json : table_text)(&sink);
        }
        result = vt_output_finish(stdout);
        summarise(watch);
    } else {
        result = vt_report(args, &err);
    }
    vt_vgpu_resources_destroy(sink.resources);
    vt_vgpu_watch_close(watch);
    return result;
}

static const struct vt_option options[] = {
    {"device", "ID", "which virtio-gpu, if there are several: its id or QEMU's path", false},
    {"record", "FILE", "keep what is seen in FILE, for 'gpu export' and 'gpu diff'", false},
    {"replace", NULL, "FILEs may exist and are emptied", false},
    {"pcapng", "FILE", "write it for Wireshark (see 'gpu dissector')", false},
    {"perfetto", "FILE", "write it as a trace for ui.perfetto.dev", false},
    {"show", NULL, "show it as well, though it goes to files", false},
    {"table", NULL, "in the end: the device's resources, what its scanouts show", false},
    {"for", "TIME", "watch that long; default: until interrupted or the VM ends", false},
    {"count", "N", "end after N commands", false},
    {"history", NULL, "begin with what the queues still hold of earlier commands", false},
    {"interval", "TIME", "between two looks while commands come (default: 20us)", false},
    {0},
};

const struct vt_verb vt_verb_gpu_watch = {
    .name = "gpu watch",
    .group = "GPU",
    .summary = "Show a guest's virtio-gpu commands as they flow",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Decodes the control and the cursor queue of any guest's virtio-gpu: each command with\n"
        "its response and how long it took. QEMU says where the queues are; they are read in the\n"
        "VM's RAM, which is only read, and the guest is never stopped.\n"
        "\n"
        "A guest can be faster than the eye: a command that was read after the device had\n"
        "returned it is marked 'late', one whose memory served another by then 'stale', and\n"
        "those that went by unseen are counted. With --json each event is an object on a line.",
    .examples = "vitrine gpu watch card\n"
                "vitrine gpu watch card --json | jq -c 'select(.response.name != \"OK_NODATA\")'\n"
                "vitrine gpu watch card --record boot.vgpu --for 10s --table\n"
                "vitrine gpu watch card --history --device gpu1",
    .run = run,
};
