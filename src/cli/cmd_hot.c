/* cli/cmd_hot.c - `vitrine hot`: where a guest spends its instructions.
 *
 * Blocks are recorded for a while, a graph is learned from them, and the hottest of each kind is
 * shown: loops, functions, sequences, paths, blocks (trace/hot.h).
 */
#include "base/cell.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/target.h"
#include "trace/hot.h"
#include "trace/ring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FOR_NS 2000000000u
#define TOP 10u
#define TOP_MAX 1000u
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---------------------------------------------------------------- what is asked for */

static bool was_interrupted(void *unused)
{
    (void)unused;
    return vt_interrupted != 0;
}

static int read_only(const struct vt_args *args)
{
    unsigned n;
    const struct vt_trace_hot_table *tables = vt_trace_hot_tables(&n);
    const char *word;
    for (unsigned i = 0; (word = vt_args_value_at(args, "only", i)) != NULL; i++) {
        unsigned t = 0;
        while (t < n && strcmp(tables[t].member, word) != 0) {
            t++;
        }
        if (t == n) {
            return vt_usage_error(
                args, "--only: loops, functions, sequences, paths or blocks, not '%.32s'", word);
        }
    }
    return 0;
}

static bool is_wanted(const struct vt_args *args, const char *member)
{
    const char *word = vt_args_value_at(args, "only", 0);
    for (unsigned i = 0; word != NULL && strcmp(word, member) != 0;) {
        word = vt_args_value_at(args, "only", ++i);
    }
    return word != NULL || vt_args_value(args, "only") == NULL;
}

static int read_request(const struct vt_args *args, struct vt_trace_hot_request *request,
                        uint64_t *top, uint64_t *pid)
{
    const char *word;
    *request = (struct vt_trace_hot_request){
        .policy = vt_args_flag(args, "drop") ? VT_TRACE_DROP : VT_TRACE_WAIT,
        .filter.privileges =
            (vt_args_flag(args, "kernel") ? 1u : 0u) | (vt_args_flag(args, "user") ? 2u : 0u),
        .stop = was_interrupted};
    int result = vt_args_duration(args, "for", FOR_NS, &request->for_ns);
    result = result == 0 ? vt_args_u64(args, "top", TOP, top) : result;
    result = result == 0 ? vt_args_u64(args, "pid", 0, pid) : result;
    result = result == 0 ? read_only(args) : result;
    if (result == 0 && (*top == 0 || *top > TOP_MAX)) {
        result = vt_usage_error(args, "--top takes 1 to %u", TOP_MAX);
    }
    for (unsigned i = 0; result == 0 && (word = vt_args_value_at(args, "filter", i)) != NULL; i++) {
        struct vt_error err;
        if (strncmp(word, "pid=", 4) == 0) {
            result = vt_parse_u64(word + 4, pid, NULL) != 0 || *pid == 0
                         ? vt_usage_error(args, "--filter: '%.32s' is no process", word)
                         : 0;
        } else if (vt_trace_filter_add(&request->filter, word, &err) != 0) {
            result = vt_usage_error(args, "--filter: %s", err.message);
        }
    }
    return result;
}

/* A file was recorded already. */
static int refuse_recording(const struct vt_args *args)
{
    static const char *const values[] = {"for", "pid", "filter"};
    static const char *const flags[] = {"kernel", "user", "drop"};
    const char *given = NULL;
    for (size_t i = 0; i < LENGTH(values); i++) {
        given = vt_args_value(args, values[i]) != NULL ? values[i] : given;
    }
    for (size_t i = 0; i < LENGTH(flags); i++) {
        given = vt_args_flag(args, flags[i]) ? flags[i] : given;
    }
    return given == NULL
               ? 0
               : vt_usage_error(args, "--%s is of recording: a file was recorded already", given);
}

/* ---------------------------------------------------------------- showing */

static int show_table(const struct vt_args *args, const struct vt_trace_hot *hot,
                      const struct vt_trace_hot_table *table, char *records, struct vt_error *err)
{
    struct vt_rows *rows;
    int rc = vt_rows_create(args, table->columns, table->n_columns, &rows, err);
    if (rc == 0) {
        uint32_t n = table->fill(hot, records);
        for (uint32_t i = 0; i < n; i++) {
            vt_cell_record(rows, records + i * table->bytes, table->n_columns);
        }
        (void)vt_rows_finish(rows); /* the stream keeps a failure until the end */
    }
    return rc;
}

static int show_code(const struct vt_trace_hot *hot, struct vt_error *err)
{
    uint32_t n;
    int rc = 0;
    (void)vt_trace_graph_loops(hot->graph, &n);
    for (uint32_t i = 0; i < n && i < hot->top && rc == 0; i++) {
        printf("\nLoop %" PRIu32 "\n", i + 1);
        rc = vt_trace_hot_loop_text(hot, i, stdout, err);
    }
    return rc;
}

static int show_tables(const struct vt_args *args, const struct vt_trace_hot *hot,
                       struct vt_error *err)
{
    unsigned n;
    const struct vt_trace_hot_table *tables = vt_trace_hot_tables(&n);
    char *records = malloc(vt_trace_hot_room(hot));
    if (records == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %" PRIu32 " rows", hot->top);
    }
    int rc = 0;
    bool first = true;
    for (unsigned t = 0; t < n && rc == 0; t++) {
        if (is_wanted(args, tables[t].member)) {
            printf("%s%s\n", first ? "" : "\n", tables[t].title);
            rc = show_table(args, hot, &tables[t], records, err);
            first = false;
        }
    }
    free(records);
    return rc == 0 && vt_args_flag(args, "asm") ? show_code(hot, err) : rc;
}

static int show(const struct vt_args *args, const struct vt_trace_hot *hot, struct vt_error *err)
{
    if (!vt_args_json(args)) {
        return show_tables(args, hot, err);
    }
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    int rc = vt_trace_hot_json(hot, true, &w, err);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    return rc;
}

static void say_losses(const struct vt_trace_hot *hot)
{
    const struct vt_trace_graph_stats *stats = vt_trace_graph_stats(hot->graph);
    if (hot->lost_words > 0) {
        fprintf(stderr,
                "vitrine hot: %" PRIu64
                " words of the recording were lost for want of room: counts "
                "are too low\n",
                hot->lost_words);
    }
    if (stats->truncated || stats->ignored > 0) {
        fprintf(stderr,
                "vitrine hot: not everything that was executed fitted: %" PRIu64
                " blocks were left out\n",
                stats->ignored);
    }
}

/* ---------------------------------------------------------------- the verb */

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct vt_trace_hot hot = {0};
    struct vt_trace_hot_request request;
    struct vt_target target = {0};
    uint64_t top, pid;
    const char *operand = vt_args_operand(args, 0);
    bool file = vt_target_is_file(operand);
    int result = read_request(args, &request, &top, &pid);
    result = result == 0 && file ? refuse_recording(args) : result;
    if (result == 0 && !file) {
        result = vt_cli_open(args, "hot", VT_CLI_RAM, "", &target);
    }
    if (result != 0) {
        return result;
    }
    hot.top = (uint32_t)top;
    int rc = pid != 0 ? vt_trace_filter_process(&target, pid, &request.filter, &err) : 0;
    if (rc == 0) {
        rc = file ? vt_trace_hot_file(&hot, operand, &request, &err)
                  : vt_trace_hot_live(&hot, &target, &request, &err);
    }
    rc = rc == 0 ? show(args, &hot, &err) : rc;
    if (rc == 0) {
        say_losses(&hot);
    }
    result = rc != 0 ? vt_report(args, &err) : vt_output_finish(stdout);
    vt_trace_hot_fini(&hot);
    return vt_cli_close(args, &target, result);
}

static const struct vt_option options[] = {
    {"for", "TIME", "record that long, waits for a busy host not counted (default: 2s)", false},
    {"top", "N", "rows of each kind (default: 10)", false},
    {"pid", "PID", "what runs on behalf of that process alone, in the kernel, too", false},
    {"kernel", NULL, "the kernel's instructions alone", false},
    {"user", NULL, "those of processes alone", false},
    {"filter", "WHAT", "kernel, user, pid=N, range=A-B, range=A+N, root=A, vcpu=N", true},
    {"drop", NULL, "rather lose a part of the recording than let the guest wait for it", false},
    {"only", "KIND", "loops, functions, sequences, paths, blocks; default: all", true},
    {"asm", NULL, "the instructions of each loop, too, and how often they were executed", false},
    {0},
};

const struct vt_verb vt_verb_hot = {
    .name = "hot",
    .group = "Trace",
    .summary = "Show the loops, functions and sequences a guest spends its instructions in",
    .operands = "VM|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Every block of instructions the guest begins is recorded for a while, from outside. "
        "Loops\n"
        "are natural loops of the flow graph that this makes, with what they call left out; trips\n"
        "are iterations each time a loop began. Sequences are 2 to 8 instructions in a row, equal\n"
        "when mnemonics and kinds of operands are; those that a longer one explains are left out.\n"
        "Paths follow, from the hottest blocks, where most executions go.\n\n"
        "Functions are those of the kernel, and of programs and libraries as far as their files'\n"
        "symbols are in the guest's page cache. A FILE (a path, with a '/') is one that vitrine\n"
        "trace --out wrote; it keeps the names. A VM must have been started with its trace plugin\n"
        "(vitrine info says), and one at a time can record.",
    .examples = "  vitrine hot web\n"
                "  vitrine hot web --for 10s --kernel --top 20\n"
                "  vitrine hot web --pid 123 --user --only loops --asm\n"
                "  vitrine hot web --json\n"
                "  vitrine hot ./run.vtrace",
    .run = run,
};
