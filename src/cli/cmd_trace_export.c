/* cli/cmd_trace_export.c - `vitrine trace export`: a trace in a format that other programs read. */
#include "cli/trace_show.h"

#include "base/io.h"
#include "trace/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS_MAX 100000u

static const struct vt_option options[] = {
    {"format", "FORMAT", "collapsed, svg, chrome, perfetto, dot or csv; default: by FILE's ending",
     false},
    {"out", "FILE", "write there, not to stdout", false},
    {"clock", "WORD", "weigh stacks by, or lay slices along: instructions or time", false},
    {"shortest", "TIME", "chrome, perfetto: leave shorter slices out", false},
    {"blocks", "N", "dot: the N hottest basic blocks (default: 250)", false},
    {"rows", "WHAT", "csv: instructions (default), blocks or accesses", false},
    {"count", "N", "end after N instructions", false},
    {"title", "TEXT", "svg: what stands above it", false},
    {0},
};

/* ---- what is asked for ---- */

static const struct {
    const char *ending;
    enum vt_trace_export_format format;
} endings[] = {
    {".svg", VT_TRACE_EXPORT_SVG},          {".json", VT_TRACE_EXPORT_CHROME},
    {".pftrace", VT_TRACE_EXPORT_PERFETTO}, {".perfetto-trace", VT_TRACE_EXPORT_PERFETTO},
    {".dot", VT_TRACE_EXPORT_DOT},          {".gv", VT_TRACE_EXPORT_DOT},
    {".csv", VT_TRACE_EXPORT_CSV},
};

static enum vt_trace_export_format format_of_path(const char *path)
{
    size_t n = path != NULL ? strlen(path) : 0;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i].ending);
        if (n > ending && strcmp(path + n - ending, endings[i].ending) == 0) {
            return endings[i].format;
        }
    }
    return VT_TRACE_EXPORT_COLLAPSED;
}

/* The number of `word` among `words`, which end with NULL; -1: it is none. */
static int word_of(const char *word, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(word, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static int read_words(const struct vt_args *args, struct vt_trace_export_options *o)
{
    static const char *const clocks[] = {"auto", "instructions", "time", NULL};
    static const char *const rows[] = {"instructions", "blocks", "accesses", NULL};
    const char *format = vt_args_value(args, "format"), *clock = vt_args_value(args, "clock");
    const char *row = vt_args_value(args, "rows");
    int at_clock = clock != NULL ? word_of(clock, clocks) : VT_TRACE_CLOCK_AUTO;
    int at_row = row != NULL ? word_of(row, rows) : VT_TRACE_CSV_INSTRUCTIONS;
    o->format = format_of_path(vt_args_value(args, "out"));
    if (format != NULL && !vt_trace_export_of(format, &o->format)) {
        return vt_usage_error(
            args, "--format: collapsed, svg, chrome, perfetto, dot or csv, not '%.32s'", format);
    }
    if (at_clock < 0) {
        return vt_usage_error(args, "--clock: instructions or time, not '%.32s'", clock);
    }
    if (at_row < 0) {
        return vt_usage_error(args, "--rows: instructions, blocks or accesses, not '%.32s'", row);
    }
    o->clock = (enum vt_trace_clock)at_clock;
    o->rows = (enum vt_trace_csv_rows)at_row;
    return 0;
}

static int read_options(const struct vt_args *args, struct vt_trace_export_options *o)
{
    uint64_t blocks = 0;
    *o = (struct vt_trace_export_options){.stop = &vt_interrupted,
                                          .title = vt_args_value(args, "title")};
    int rc = read_words(args, o);
    rc = rc != 0 ? rc : vt_args_duration(args, "shortest", 0, &o->shortest_ns);
    rc = rc != 0 ? rc : vt_args_u64(args, "count", 0, &o->count);
    rc = rc != 0 ? rc : vt_args_u64(args, "blocks", 0, &blocks);
    if (rc != 0) {
        return rc;
    }
    if (blocks > BLOCKS_MAX) {
        return vt_usage_error(args, "--blocks takes 1 to %u", BLOCKS_MAX);
    }
    o->blocks = (uint32_t)blocks;
    if (o->format == VT_TRACE_EXPORT_PERFETTO && vt_args_value(args, "out") == NULL &&
        isatty(STDOUT_FILENO)) {
        return vt_usage_error(args, "perfetto's format is nothing for a terminal: give --out");
    }
    return 0;
}

/* ---- the verb ---- */

static void say(const struct vt_trace_export_options *o, const struct vt_trace_export_done *done)
{
    static const char *const what[VT_TRACE_EXPORT_FORMATS] = {
        [VT_TRACE_EXPORT_SVG] = "frames are too narrow to be drawn",
        [VT_TRACE_EXPORT_CHROME] = "slices are shorter than asked for",
        [VT_TRACE_EXPORT_PERFETTO] = "slices are shorter than asked for",
        [VT_TRACE_EXPORT_DOT] = "blocks are left out (--blocks shows more)"};
    fprintf(stderr, "%" PRIu64 " instructions in %" PRIu64 " events\n", done->instructions,
            done->events);
    if (done->lost_words > 0) {
        fprintf(stderr, "%" PRIu64 " words of the recording were lost\n", done->lost_words);
    }
    if (done->left_out > 0 && what[o->format] != NULL) {
        fprintf(stderr, "%" PRIu64 " %s\n", done->left_out, what[o->format]);
    }
    if (done->truncated) {
        fprintf(stderr, "there is more than fits: what came last is counted with its callers, or "
                        "left out\n");
    }
}

static int export_to(const struct vt_args *args, struct vt_cli_trace *trace,
                     const struct vt_trace_export_options *o, FILE *out)
{
    struct vt_trace_export_done done;
    struct vt_error err;
    if (vt_trace_export(trace->source, trace->names, o, out, &done, &err) != 0) {
        /* Whoever reads stdout may have gone; that is no failure worth a word. */
        return out == stdout && ferror(out) ? vt_output_finish(out) : vt_report(args, &err);
    }
    say(o, &done);
    return VT_EXIT_OK;
}

static int export_file(const struct vt_args *args, struct vt_cli_trace *trace,
                       const struct vt_trace_export_options *o, const char *path)
{
    struct vt_new_file file;
    struct vt_error err;
    if (vt_new_file_open(&file, path, 0600, true, &err) != 0) {
        return vt_report(args, &err);
    }
    int fd = dup(file.fd);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out == NULL) {
        vt_fail_errno(&err, VT_E_IO, errno, "%s: cannot write", path);
        vt_new_file_abandon(&file);
        vt_close(&fd);
        return vt_report(args, &err);
    }
    int result = export_to(args, trace, o, out);
    if (fclose(out) != 0 && result == VT_EXIT_OK) {
        vt_fail_errno(&err, VT_E_IO, errno, "%s: cannot write", path);
        result = vt_report(args, &err);
    }
    if (result != VT_EXIT_OK) {
        vt_new_file_abandon(&file);
        return result;
    }
    return vt_new_file_commit(&file, &err) == 0 ? result : vt_report(args, &err);
}

static int run(const struct vt_args *args)
{
    struct vt_trace_export_options o;
    struct vt_cli_trace trace;
    struct vt_error err;
    const char *path = vt_args_value(args, "out");
    int result = read_options(args, &o);
    if (result != 0) {
        return result;
    }
    if (vt_cli_trace_open_named(vt_args_operand(args, 0), "trace export", &trace, &err) != 0) {
        return vt_report(args, &err);
    }
    result =
        path != NULL ? export_file(args, &trace, &o, path) : export_to(args, &trace, &o, stdout);
    vt_cli_trace_close(&trace);
    return result;
}

const struct vt_verb vt_verb_trace_export = {
    .name = "trace export",
    .group = "Instructions",
    .summary = "Write a trace for other programs: flame graphs, timelines, CSV",
    .operands = "VM|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "collapsed has a line a call stack with the instructions that completed in it, as "
        "FlameGraph\n"
        "and speedscope read it. svg is a flame graph that a browser zooms and searches. chrome "
        "and\n"
        "perfetto are timelines for ui.perfetto.dev: what each vCPU ran, the functions of every\n"
        "process, interrupts, idleness. dot is the flow graph of the hottest basic blocks for\n"
        "graphviz. csv has a row an instruction, a block or an access.\n\n"
        "Stacks are made of calls and returns, from where the recording began: what called before "
        "is\n"
        "'?'. An interrupt or a system call stands on what it came upon. Timelines want a "
        "recording\n"
        "with --mode times, and count instructions as nanoseconds without.",
    .examples = "vitrine trace export run.vtrace --out run.svg\n"
                "vitrine trace export run.vtrace | flamegraph.pl >run.svg\n"
                "vitrine trace export run.vtrace --out run.pftrace --shortest 10us\n"
                "vitrine trace export run.vtrace --format dot | dot -Tsvg >flow.svg\n"
                "vitrine trace export web --format csv --rows accesses --count 100000",
    .run = run,
};
