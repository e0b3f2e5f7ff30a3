/* cli/cmd_gpu_log.c - `vitrine gpu log`: what a driver of ours wrote down in its guest's RAM. */
#include "base/io.h"
#include "base/text.h"
#include "cli/target.h"
#include "gpu/driver_log.h"
#include "gpu/export.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOGS_MAX 16u
/** Between looks while nothing new comes, and between questions whether the VM is there. */
#define QUIET_MS 20
#define ASK_NS 200000000u

struct logging {
    struct vt_target target;
    struct vt_vgpu_log_reader *reader;
    struct vt_vgpu_writer *record;
    struct vt_vgpu_export *shown;
    bool follow;
    uint64_t deadline_ns, asked_ns;
    struct vt_error *err;
    int rc; /* of what an event went to */
};

static bool take(const struct vt_vgpu_event_seen *event, void *arg)
{
    struct logging *l = arg;
    if (l->record != NULL) {
        l->rc = vt_vgpu_writer_put(l->record, event, l->err);
    }
    return l->rc == 0 && (l->shown == NULL || vt_vgpu_export_put(event, l->shown));
}

/* ---------------------------------------------------------------- waiting */

/* Waits a little; false: it is time to end. */
static bool wait_more(struct logging *l)
{
    uint64_t now = vt_now_ns();
    if (!l->follow || vt_interrupted || now >= l->deadline_ns || l->target.vm == NULL) {
        return false;
    }
    if (now - l->asked_ns >= ASK_NS) {
        enum vt_vm_state state = VT_VM_DEAD;
        l->asked_ns = now;
        (void)vt_vm_query_state(l->target.vm, 1000, &state, NULL);
        if (state == VT_VM_DEAD || vt_ram_check(l->target.ram, NULL) != 0) {
            return false;
        }
    }
    (void)poll(NULL, 0, QUIET_MS);
    return true;
}

/* The log at --at, or the one with the most records; waits until there is one if it is followed. */
static int find(const struct vt_args *args, struct logging *l, struct vt_vgpu_log_place *place,
                struct vt_error *err)
{
    const char *at = vt_args_value(args, "at");
    struct vt_vgpu_log_place places[LOGS_MAX];
    unsigned n = 0, best = 0;
    uint64_t gpa = 0;
    int rc = at != NULL ? vt_parse_u64(at, &gpa, err) : 0;
    if (rc != 0) {
        return rc;
    }
    do {
        rc = vt_vgpu_logs_find(l->target.ram, places, LOGS_MAX, &n, err);
    } while (rc == VT_E_NOT_FOUND && wait_more(l));
    if (rc != 0) {
        return rc;
    }
    for (unsigned i = 0; i < n; i++) {
        bool better =
            at != NULL ? places[i].gpa.v == gpa : places[i].records > places[best].records;
        best = better ? i : best;
    }
    if (at != NULL && places[best].gpa.v != gpa) {
        return vt_fail(err, VT_E_NOT_FOUND, "no log at 0x%" PRIx64, gpa);
    }
    for (unsigned i = 0; n > 1 && at == NULL && i < n; i++) {
        char writer[64];
        vt_text_printable(writer, sizeof writer, places[i].writer, strlen(places[i].writer));
        fprintf(stderr, "vitrine gpu log: %s 0x%" PRIx64 ": %s, %" PRIu64 " records\n",
                i == best ? "showing" : "another log at", places[i].gpa.v, writer,
                places[i].records);
    }
    *place = places[best];
    return 0;
}

static int read_all(struct logging *l, struct vt_error *err)
{
    int rc;
    do {
        rc = vt_vgpu_log_reader_poll(l->reader, take, l, err);
        if (rc == 1 && l->shown != NULL) {
            fflush(stdout);
        }
    } while (rc == 1 ? l->follow && !vt_interrupted && vt_now_ns() < l->deadline_ns
                     : rc == 0 && wait_more(l));
    /* What was written after the last look, and what nobody answered. */
    rc = rc == 0 ? vt_vgpu_log_reader_poll(l->reader, take, l, err) : rc;
    rc = rc >= 0 ? vt_vgpu_log_reader_flush(l->reader, take, l, err) : rc;
    if (l->rc != 0) {
        return l->rc;
    }
    /* Whoever reads stdout has gone: said at its end, if at all. */
    return rc < 0 && rc != VT_E_INTERRUPTED ? rc : 0;
}

/* ---------------------------------------------------------------- the verb */

static int begin(const struct vt_args *args, struct logging *l, struct vt_error *err)
{
    struct vt_vgpu_log_place place;
    int rc = find(args, l, &place, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_vgpu_origin origin = {.source = "driver's log"};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    origin.started_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    vt_text_printable(origin.vm, sizeof origin.vm, l->target.name, strlen(l->target.name));
    vt_text_printable(origin.device, sizeof origin.device, place.writer, strlen(place.writer));
    const char *path = vt_args_value(args, "record");
    rc = vt_vgpu_log_reader_create(l->target.ram, place.gpa, &l->reader, err);
    if (rc == 0 && path != NULL) {
        rc = vt_vgpu_writer_create(path, vt_args_flag(args, "replace"), &origin, &l->record, err);
    }
    if (rc == 0 && (path == NULL || vt_args_flag(args, "show"))) {
        rc = vt_vgpu_export_begin(vt_args_json(args) ? VT_VGPU_EXPORT_JSONL : VT_VGPU_EXPORT_TEXT,
                                  stdout, &origin, &l->shown, err);
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct logging l = {.follow = vt_args_flag(args, "follow"), .err = &err};
    uint64_t for_ns;
    int result = vt_args_duration(args, "for", 0, &for_ns);
    if (result == 0) {
        result = vt_cli_open(args, "gpu log", VT_CLI_RAM, "", &l.target);
    }
    if (result != 0) {
        return result;
    }
    l.deadline_ns = for_ns > 0 ? vt_now_ns() + for_ns : VT_NO_DEADLINE;
    int rc = begin(args, &l, &err);
    rc = rc == 0 ? read_all(&l, &err) : rc;
    struct vt_error later;
    int ended = vt_vgpu_export_end(l.shown, &later);
    int closed = vt_vgpu_writer_close(l.record, ended == 0 ? &later : NULL);
    if (rc == 0 && (ended != 0 || closed != 0)) {
        rc = ended != 0 ? ended : closed;
        err = later;
    }
    result = rc != 0 ? vt_report(args, &err) : vt_output_finish(stdout);
    vt_vgpu_log_reader_destroy(l.reader);
    return vt_cli_close(args, &l.target, result);
}

static const struct vt_option options[] = {
    {"follow", NULL, "go on until interrupted or the VM ends; wait for the log if there is none",
     false},
    {"for", "TIME", "follow no longer than that", false},
    {"at", "ADDRESS", "the log there, if RAM holds several", false},
    {"record", "FILE", "keep the commands in FILE, and do not show them", false},
    {"replace", NULL, "FILE may exist and is emptied", false},
    {"show", NULL, "show them, too, while they are recorded", false},
    {0},
};

const struct vt_verb vt_verb_gpu_log = {
    .name = "gpu log",
    .group = "GPU",
    .summary = "Show the log a virtio-gpu driver of ours keeps in its guest's RAM",
    .operands = "VM|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "The driver in vitrine's bare-metal guests writes every command and response, with all\n"
        "bytes, into a ring in its own RAM. It is found there by its magic and read from outside:\n"
        "while the guest runs, when it stands still, after it crashed, or in RAM that was saved.\n"
        "States the driver went through stand between the commands; what the ring no longer holds\n"
        "is counted.",
    .examples = "vitrine gpu log card\n"
                "vitrine gpu log card --follow --json\n"
                "vitrine gpu log ./saved.ram --record card.vgpu",
    .run = run,
};
