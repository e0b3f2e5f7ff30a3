/* cli/cmd_gpu_watch.c - `vitrine gpu watch`: the commands of a guest's virtio-gpu as they flow. */
#include "cli/cli.h"

#include "base/io.h"
#include "gpu/export.h"
#include "gpu/watch.h"
#include "vitrine/memory.h"

#include <errno.h>
#include <inttypes.h>

/* Where events go: to a recording, to people or programs, or all of them. */
struct sink {
    struct vt_vgpu_writer *record;
    struct vt_vgpu_export *shown, *pcapng, *perfetto;
    FILE *pcapng_file, *perfetto_file;
    uint64_t limit, commands;
    int rc;
    struct vt_error err;
};

static bool take(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct sink *s = arg;
    if (s->record != NULL) {
        s->rc = vt_vgpu_writer_put(s->record, e, &s->err);
    }
    s->commands += e->kind == VT_VGPU_SEEN_COMMAND;
    return s->rc == 0 && (s->shown == NULL || vt_vgpu_export_put(e, s->shown)) &&
           (s->pcapng == NULL || vt_vgpu_export_put(e, s->pcapng)) &&
           (s->perfetto == NULL || vt_vgpu_export_put(e, s->perfetto)) &&
           (s->limit == 0 || s->commands < s->limit);
}

static void flush(void *arg)
{
    struct sink *s = arg;
    if (s->record != NULL && s->rc == 0) {
        s->rc = vt_vgpu_writer_flush(s->record, &s->err);
    }
    if (s->pcapng != NULL) {
        fflush(s->pcapng_file);
    }
    fflush(stdout);
}

static int begin_file(const struct vt_args *args, enum vt_vgpu_export_format format,
                      const struct vt_vgpu_origin *origin, FILE **file, struct vt_vgpu_export **to,
                      struct vt_error *err)
{
    const char *path = vt_args_value(args, vt_vgpu_export_name(format));
    if (path == NULL) {
        return 0;
    }
    *file = fopen(path, vt_args_flag(args, "replace") ? "we" : "wxe");
    if (*file == NULL) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s: cannot create", path);
    }
    return vt_vgpu_export_begin(format, *file, origin, to, err);
}

static int begin(const struct vt_args *args, struct sink *s, const struct vt_vgpu_origin *origin,
                 struct vt_error *err)
{
    const char *record = vt_args_value(args, "record");
    int rc = record == NULL ? 0
                            : vt_vgpu_writer_create(record, vt_args_flag(args, "replace"), origin,
                                                    &s->record, err);
    if (rc == 0) {
        rc = begin_file(args, VT_VGPU_EXPORT_PCAPNG, origin, &s->pcapng_file, &s->pcapng, err);
    }
    if (rc == 0) {
        rc =
            begin_file(args, VT_VGPU_EXPORT_PERFETTO, origin, &s->perfetto_file, &s->perfetto, err);
    }
    bool kept = s->record != NULL || s->pcapng != NULL || s->perfetto != NULL;
    if (rc == 0 && (!kept || vt_args_flag(args, "show"))) {
        rc = vt_vgpu_export_begin(vt_args_json(args) ? VT_VGPU_EXPORT_JSONL : VT_VGPU_EXPORT_TEXT,
                                  stdout, origin, &s->shown, err);
    }
    return rc;
}

/* Ends everything that was begun; the first failure is told. */
static int end(struct sink *s, struct vt_error *err)
{
    struct vt_vgpu_export *const to[] = {s->pcapng, s->perfetto, s->shown};
    FILE *const files[] = {s->pcapng_file, s->perfetto_file, NULL};
    int rc = vt_vgpu_writer_close(s->record, err);
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        int ended = vt_vgpu_export_end(to[i], rc == 0 ? err : NULL);
        /* Whoever reads stdout may have gone: that is said, or not, when output is finished. */
        rc = rc == 0 && to[i] != s->shown ? ended : rc;
        if (files[i] != NULL && fclose(files[i]) != 0 && rc == 0) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "cannot write an export");
        }
    }
    return rc;
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
            " stale responses, %" PRIu64 " not answered, %" PRIu64 " resets\n",
            a->commands + b->commands, a->commands, b->commands, a->lost + b->lost,
            a->late + b->late, a->stale_requests + b->stale_requests,
            a->stale_responses + b->stale_responses, a->unanswered + b->unanswered, c.resets);
    if (c.vm_ended) {
        fprintf(stderr, "the VM ended\n");
    }
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct sink sink = {0};
    uint64_t for_ns, interval_ns;
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
        rc = begin(args, &sink, vt_vgpu_watch_origin(watch), &err);
    }
    if (rc == 0) {
        uint64_t deadline = for_ns > 0 ? vt_now_ns() + for_ns : VT_NO_DEADLINE;
        rc = vt_vgpu_watch_run(watch, deadline, &err);
        if (rc == 0 && sink.rc != 0) {
            rc = sink.rc;
            err = sink.err;
        }
    }
    int ended = end(&sink, rc == 0 ? &err : NULL);
    rc = rc != 0 ? rc : ended;
    if (rc == 0) {
        result = vt_output_finish(stdout);
        summarise(watch);
    } else {
        result = vt_report(args, &err);
    }
    vt_vgpu_watch_close(watch);
    return result;
}

static const struct vt_option options[] = {
    {"device", "ID", "which virtio-gpu, if there are several: its id or QEMU's path", false},
    {"record", "FILE", "keep what is seen in FILE, and do not show it", false},
    {"pcapng", "FILE", "keep it for Wireshark (see: vitrine gpu dissector)", false},
    {"perfetto", "FILE", "keep it as a trace for Perfetto", false},
    {"replace", NULL, "FILEs may exist and are emptied", false},
    {"show", NULL, "show it, too, while it is kept", false},
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
        "those that went by unseen are counted.",
    .examples = "vitrine gpu watch web\n"
                "vitrine gpu watch web --record boot.vgpu --for 10s\n"
                "vitrine gpu watch web --json --count 100\n"
                "vitrine gpu watch web --pcapng web.pcapng --perfetto web.json --for 10s\n"
                "vitrine gpu watch web --history --device gpu1",
    .run = run,
};
