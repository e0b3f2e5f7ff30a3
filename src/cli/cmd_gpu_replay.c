/* cli/cmd_gpu_replay.c - `vitrine gpu replay`: a recording of Venus, carried out again. */
#include "base/json_writer.h"
#include "cli/cli.h"
#include "gpu/venus_replay.h"
#include "gpu/venus_show.h"

#include <inttypes.h>

static const struct vt_option options[] = {
    {.name = "gpu", .value = "NAME", .help = "a part of the device's name; else all are offered"},
    {0},
};

/** Differences that are shown; all are counted. */
#define SHOWN_MAX 20u

static void differs(const struct vt_vgpu_event_seen *event, int32_t before, int32_t now, void *arg)
{
    unsigned *shown = arg;
    char text[64];
    if ((*shown)++ < SHOWN_MAX) {
        fprintf(stderr, "%s (number %" PRIu64 "): the result was %" PRId32 " and is %" PRId32 "\n",
                vt_vgpu_venus_name(event, text, sizeof text), event->sequence, before, now);
    }
}

static void put_json(const struct vt_args *args, const struct vt_vgpu_replay *r)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_u64(&w, "contexts", r->contexts);
    vt_json_kv_u64(&w, "commands", r->commands);
    vt_json_kv_u64(&w, "skipped", r->skipped);
    vt_json_kv_u64(&w, "results", r->results);
    vt_json_kv_u64(&w, "results_differ", r->results_differ);
    vt_json_kv_u64(&w, "pages", r->pages);
    vt_json_kv_u64(&w, "pages_alike", r->pages_alike);
    vt_json_kv_u64(&w, "contexts_ended", r->ended);
    if (r->ended > 0) {
        vt_json_kv_string(&w, "reason", r->reason);
    }
    vt_json_kv_bool(&w, "cut", r->cut);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static int run(const struct vt_args *args)
{
    unsigned shown = 0;
    const struct vt_vgpu_replay_options how = {
        .gpu = vt_args_value(args, "gpu"), .differs = differs, .arg = &shown};
    struct vt_vgpu_reader *from;
    struct vt_vgpu_replay r;
    struct vt_error err;
    if (vt_vgpu_reader_open(vt_args_operand(args, 0), &from, &err) != 0) {
        return vt_report(args, &err);
    }
    int rc = vt_vgpu_venus_replay(from, &how, &r, &err);
    vt_vgpu_reader_close(from);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    if (vt_args_json(args)) {
        put_json(args, &r);
    } else {
        printf("%" PRIu64 " contexts, %" PRIu64 " commands carried out, %" PRIu64 " left out\n"
               "%" PRIu64 " results, %" PRIu64 " of them others than recorded\n"
               "%" PRIu64 " pages written, %" PRIu64 " of them held the same already\n",
               r.contexts, r.commands, r.skipped, r.results, r.results_differ, r.pages,
               r.pages_alike);
    }
    if (r.cut) {
        fprintf(stderr, "vitrine gpu replay: the recording ends within an event\n");
    }
    if (r.ended > 0) {
        fprintf(stderr, "vitrine gpu replay: %" PRIu64 " contexts ended: %s\n", r.ended, r.reason);
    }
    const int code = vt_output_finish(stdout);
    return code != VT_EXIT_OK || r.results_differ > 0 || r.ended > 0 ? VT_EXIT_FAILED : VT_EXIT_OK;
}

const struct vt_verb vt_verb_gpu_replay = {
    .name = "gpu replay",
    .group = "GPU",
    .summary = "Carry out a recording of Venus on this host's Vulkan driver",
    .operands = "RECORDING",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Runs the commands of a recording (`vitrine gpu serve --record`) again, without the guest, "
        "on\n"
        "whatever driver the Vulkan loader finds: another one, an older one, one under test. "
        "Results\n"
        "are compared with the recorded ones. So is memory: of the pages that the recording says "
        "were\n"
        "written, it counts those that held the same already, because the device had computed it.\n"
        "Exits with 1 when a result differs.",
    .examples = "vitrine gpu replay frame.vgpu\n"
                "vitrine gpu replay frame.vgpu --gpu llvmpipe --json",
    .run = run,
};
