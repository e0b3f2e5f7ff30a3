/* cli/cmd_gpu_watch.c - `vitrine gpu watch`: the commands of a guest's virtio-gpu as they flow. */
#include "cli/cli.h"

#include "base/io.h"
#include "gpu/watch.h"
#include "virtio/gpu/protocol/protocol.h"
#include "vitrine/memory.h"

#include <inttypes.h>
#include <string.h>

/* Where events go: to a recording, to people or programs, or both. */
struct sink {
    struct vt_vgpu_writer *record;
    bool show;
    uint64_t limit, commands;
    int rc;
    struct vt_error err;
};

static void say_flags(uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {VT_VGPU_NO_RESPONSE, "not answered"},
        {VT_VGPU_STALE_RESPONSE, "stale response"},
        {VT_VGPU_STALE_REQUEST, "stale request"},
        {VT_VGPU_CUT, "cut"},
        {VT_VGPU_LATE, "late"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags & names[i].flag) != 0) {
            printf(" [%s]", names[i].name);
        }
    }
}

static void say(const struct vt_vgpu_event_seen *e)
{
    char request[512], response[512];
    const struct vt_vgpu_message *m;
    uint32_t n;
    printf("%12.6f ", (double)e->submitted_ns / 1e9);
    switch (e->kind) {
    case VT_VGPU_SEEN_COMMAND:
        vt_vgpu_check_request(e->request, e->request_bytes, &m, &n);
        vt_vgpu_describe(m, e->request, e->request_bytes, request, sizeof request);
        struct vt_vgpu_header header = {0};
        memcpy(&header, e->request,
               e->request_bytes < sizeof header ? e->request_bytes : sizeof header);
        vt_vgpu_check_response(&header, e->response, e->response_bytes, &m, &n);
        vt_vgpu_describe(m, e->response, e->response_bytes, response, sizeof response);
        printf("#%" PRIu64 " %s", e->sequence, request);
        if (e->response_bytes > 0) {
            printf(" -> %s", response);
        }
        if (e->answered_ns > e->submitted_ns) {
            printf(" (%.0f us)", (double)(e->answered_ns - e->submitted_ns) / 1e3);
        }
        say_flags(e->flags);
        break;
    case VT_VGPU_SEEN_LOST:
        printf("%" PRIu64 " commands of queue %u went by unseen", e->lost, e->queue);
        break;
    case VT_VGPU_SEEN_RESET:
        printf("the device was reset");
        break;
    case VT_VGPU_SEEN_NOTE:
        printf("%.*s", (int)e->request_bytes, (const char *)e->request);
        break;
    }
    putchar('\n');
}

static bool take(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct sink *s = arg;
    if (s->record != NULL) {
        s->rc = vt_vgpu_writer_put(s->record, e, &s->err);
    }
    if (s->show) {
        say(e);
    }
    s->commands += e->kind == VT_VGPU_SEEN_COMMAND;
    return s->rc == 0 && !ferror(stdout) && (s->limit == 0 || s->commands < s->limit);
}

static void flush(void *arg)
{
    struct sink *s = arg;
    if (s->record != NULL && s->rc == 0) {
        s->rc = vt_vgpu_writer_flush(s->record, &s->err);
    }
    fflush(stdout);
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
    const char *record = vt_args_value(args, "record");
    struct vt_vgpu_watch *watch = NULL;
    int rc =
        vt_audit(config.vm, "gpu watch", &err, "%s", config.device != NULL ? config.device : "");
    if (rc == 0) {
        rc = vt_vgpu_watch_open(&config, &watch, &err);
    }
    if (rc == 0 && record != NULL) {
        rc = vt_vgpu_writer_create(record, vt_args_flag(args, "replace"),
                                   vt_vgpu_watch_origin(watch), &sink.record, &err);
    }
    if (rc == 0) {
        sink.show = record == NULL || vt_args_flag(args, "show");
        uint64_t deadline = for_ns > 0 ? vt_now_ns() + for_ns : VT_NO_DEADLINE;
        rc = vt_vgpu_watch_run(watch, deadline, &err);
        if (rc == 0 && sink.rc != 0) {
            rc = sink.rc;
            err = sink.err;
        }
        int closed = vt_vgpu_writer_close(sink.record, rc == 0 ? &err : NULL);
        rc = rc != 0 ? rc : closed;
    }
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
    {"replace", NULL, "FILE may exist and is emptied", false},
    {"show", NULL, "show it, too, while it is recorded", false},
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
                "vitrine gpu watch web --history --device gpu1",
    .run = run,
};
