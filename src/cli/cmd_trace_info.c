/* cli/cmd_trace_info.c - `vitrine trace info`: what a trace is of, and what was counted. */
#include "cli/trace_show.h"

#include "base/text.h"
#include "trace/ring.h"

#include <string.h>

static const struct {
    uint32_t bit;
    const char *name;
} abilities[] = {
    {VT_TRACE_CAN_CUT, "discontinuities"},
    {VT_TRACE_CAN_VALUES, "values"},
    {VT_TRACE_CAN_REGISTERS, "registers"},
    {VT_TRACE_CAN_ROOTS, "roots"},
};
#define ABILITIES (sizeof abilities / sizeof abilities[0])

static const struct {
    const char *key;
    size_t at;
} counts[] = {
    {"instructions", offsetof(struct vt_trace_info, instructions)},
    {"blocks", offsetof(struct vt_trace_info, blocks)},
    {"accesses", offsetof(struct vt_trace_info, accesses)},
    {"dropped", offsetof(struct vt_trace_info, dropped)},
    {"cuts", offsetof(struct vt_trace_info, cuts)},
};
#define COUNTS (sizeof counts / sizeof counts[0])

static uint64_t count_of(const struct vt_trace_info *info, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)info + counts[i].at, sizeof value);
    return value;
}

static void print_json(const struct vt_args *args, const struct vt_trace_info *info)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "vm", info->vm);
    vt_json_kv_string(&w, "arch", info->arch);
    vt_json_kv_f64(&w, "started_unix_s", (double)info->started_unix_ns / 1e9, 16);
    vt_json_kv_u64(&w, "vcpus", info->vcpus);
    vt_json_kv_u64(&w, "known_blocks", info->n_blocks);
    for (size_t i = 0; i < COUNTS; i++) {
        vt_json_kv_u64(&w, counts[i].key, count_of(info, i));
    }
    vt_json_kv_bool(&w, "ended", info->ended);
    vt_json_key(&w, "can");
    vt_json_array(&w);
    for (size_t i = 0; i < ABILITIES; i++) {
        if ((info->capabilities & abilities[i].bit) != 0) {
            vt_json_string(&w, abilities[i].name);
        }
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void line(const char *what, const char *text)
{
    char safe[256];
    vt_text_printable(safe, sizeof safe, text, strlen(text));
    printf("%-13s %s\n", what, safe);
}

static void print_text(const struct vt_trace_info *info)
{
    line("VM", info->vm);
    line("architecture", info->arch);
    printf("%-13s %u\n%-13s %u\n", "vCPUs", info->vcpus, "known blocks", info->n_blocks);
    for (size_t i = 0; i < COUNTS; i++) {
        printf("%-13s %llu\n", counts[i].key, (unsigned long long)count_of(info, i));
    }
    fputs("can record    instructions", stdout);
    for (size_t i = 0; i < ABILITIES; i++) {
        if ((info->capabilities & abilities[i].bit) != 0) {
            printf(", %s", abilities[i].name);
        }
    }
    putchar('\n');
}

static int run(const struct vt_args *args)
{
    struct vt_trace_source *source;
    struct vt_error err;
    if (vt_cli_trace_open(vt_args_operand(args, 0), "trace info", &source, &err) != 0) {
        return vt_report(args, &err);
    }
    if (vt_args_json(args)) {
        print_json(args, vt_trace_source_info(source));
    } else {
        print_text(vt_trace_source_info(source));
    }
    vt_trace_close(source);
    return vt_output_finish(stdout);
}

const struct vt_verb vt_verb_trace_info = {
    .name = "trace info",
    .group = "Instructions",
    .summary = "Show what a trace is of, and what was counted",
    .operands = "VM|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .description =
        "What is counted is what ran while something was recorded, whether or not it was kept.\n"
        "FILE is what 'vitrine trace VM --out FILE' kept, or a copy of a VM's trace segment.",
    .examples = "vitrine trace info web\n"
                "vitrine trace info run.vtrace --json",
    .run = run,
};
