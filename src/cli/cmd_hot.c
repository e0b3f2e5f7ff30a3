/* cli/cmd_hot.c - `vitrine hot`: where a guest spends its instructions.
 *
 * Blocks are recorded for a while (trace.h), a graph is learned from them (trace/learn.h), and the
 * hottest of each kind is shown: loops, functions, sequences, paths, blocks. Addresses and
 * page-table roots get names from the guest, or those that a file keeps.
 */
#include "base/cell.h"
#include "base/io.h"
#include "cli/target.h"
#include "trace/learn.h"
#include "trace/ring.h"
#include "vitrine/machine.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEER_TIMEOUT_MS 5000u
#define WAIT_MS 50u
#define FOR_NS 2000000000u
#define TOP 10u
#define TOP_MAX 1000u
/** Instructions between two looks at the clock. */
#define EVENTS_A_LOOK 4096u
/** Functions that are merged by their names. */
#define FUNCTIONS_MAX 4096u

struct hot {
    struct vt_target target;
    struct vt_trace_source *source;
    struct vt_trace_graph *graph;
    struct vt_trace_names *names; /* or NULL */
    struct vt_trace_filter filter;
    uint64_t lost_words, took_ns;
    uint64_t top, pid; /* 0: of all processes */
};

/* ---------------------------------------------------------------- what is asked for */

/* With page-table isolation a process has two roots, which differ in this bit. */
#define ROOT_MASK (~(uint64_t)0x1fff)

static int filter_process(struct hot *h, struct vt_error *err)
{
    struct vt_task_list tasks = {0};
    int rc = vt_target_kernel(&h->target, err);
    rc = rc == 0 ? vt_linux_tasks(h->target.kernel, &tasks, err) : rc;
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < tasks.n && h->filter.root == 0; i++) {
        if ((uint64_t)tasks.tasks[i].pid == h->pid) {
            h->filter.root = tasks.tasks[i].pgd.v & ROOT_MASK;
            h->filter.root_mask = ROOT_MASK;
        }
    }
    vt_task_list_fini(&tasks);
    return h->filter.root != 0 ? 0
                               : vt_fail(err, VT_E_NOT_FOUND,
                                         "%s has no process %" PRIu64 " with memory of its own",
                                         h->target.name, h->pid);
}

static int read_filter(const struct vt_args *args, struct vt_trace_filter *filter)
{
    const char *word;
    for (unsigned i = 0; (word = vt_args_value_at(args, "filter", i)) != NULL; i++) {
        struct vt_error err;
        if (vt_trace_filter_add(filter, word, &err) != 0) {
            return vt_usage_error(args, "--filter: %s", err.message);
        }
    }
    filter->privileges |= vt_args_flag(args, "kernel") ? 1u : 0u;
    filter->privileges |= vt_args_flag(args, "user") ? 2u : 0u;
    return 0;
}

/* ---------------------------------------------------------------- recording */

/* Until the deadline; or, with none, what there is. */
static int take(struct hot *h, uint64_t deadline_ns, struct vt_error *err)
{
    uint64_t wait_ms = deadline_ns > 0 ? WAIT_MS : 0;
    struct vt_trace_event event;
    int rc = 1;
    for (unsigned n = 0; rc >= 0; n++) {
        if (n % EVENTS_A_LOOK == 0 && deadline_ns > 0 &&
            (vt_interrupted || vt_now_ns() >= deadline_ns)) {
            return 0;
        }
        rc = vt_trace_next(h->source, wait_ms, &event, err);
        if (rc == 0) {
            n = EVENTS_A_LOOK - 1; /* look at the clock */
            if (deadline_ns == 0 || vt_trace_source_info(h->source)->ended) {
                return 0;
            }
        } else if (rc > 0) {
            h->lost_words += event.kind == VT_TRACE_EV_LOST ? event.lost_words : 0;
            vt_trace_names_see(h->names, &event);
            int added = vt_trace_graph_add(h->graph, &event, err);
            rc = added != 0 ? added : rc;
        }
    }
    return rc;
}

static int record(const struct vt_args *args, struct hot *h, const char *segment, uint64_t for_ns,
                  struct vt_error *err)
{
    uint32_t policy = vt_args_flag(args, "wait") ? VT_TRACE_WAIT : VT_TRACE_DROP;
    int rc = vt_trace_open_live(segment, &h->source, err);
    rc =
        rc == 0 ? vt_trace_graph_create(vt_trace_source_info(h->source)->arch, &h->graph, err) : rc;
    if (rc != 0) {
        return rc;
    }
    uint64_t began = vt_now_ns();
    rc = vt_trace_steer(segment, VT_TRACE_BLOCKS, policy, 0, &h->filter, STEER_TIMEOUT_MS, err);
    if (rc == 0) {
        rc = take(h, vt_now_ns() + for_ns, err);
        h->took_ns = vt_now_ns() - began;
        /* What it was before: nothing is recorded unless somebody asks. */
        struct vt_error later;
        int off =
            vt_trace_steer(segment, VT_TRACE_OFF, VT_TRACE_WAIT, 0, NULL, STEER_TIMEOUT_MS, &later);
        if (rc == 0 && off != 0 && off != VT_E_GONE) {
            rc = off;
            *err = later;
        }
        rc = rc == 0 ? take(h, 0, err) : rc; /* what lies in the rings still */
    }
    return rc == 0 ? vt_trace_graph_learn(h->graph, err) : rc;
}

/* ---------------------------------------------------------------- names */

static void name_space(const struct vt_trace_space *space, const struct vt_trace_place *place,
                       char *out, size_t bytes)
{
    if (space->kernel) {
        snprintf(out, bytes, "kernel");
    } else if (place->process != NULL) {
        snprintf(out, bytes, "%s", place->process);
    } else if (space->root == ~(uint64_t)0) {
        snprintf(out, bytes, "user");
    } else {
        snprintf(out, bytes, "root 0x%" PRIx64, space->root);
    }
}

/* ---------------------------------------------------------------- rows */

struct place {
    char process[40], name[96];
    uint64_t pc;
};

struct loop_row {
    struct place place;
    double percent, trips;
    uint64_t instructions, iterations, entries, last;
    uint32_t depth, blocks;
    const char *work;
};
struct function_row {
    struct place place;
    double percent;
    uint64_t instructions, calls;
};
struct block_row {
    struct place place;
    double percent;
    uint64_t instructions, count;
    uint32_t n;
    const char *work;
    char first[96];
};
struct sequence_row {
    double percent;
    uint64_t count, instructions;
    const char *text;
};
struct path_row {
    struct place place;
    double percent;
    uint64_t count, instructions;
    uint32_t blocks;
    bool closed;
    char through[200];
};

#define PLACE(type)                                                                                \
    {VT_COLUMN(type, place.process, VT_CELL_CHARS, "process", "PROCESS", "process, or kernel")},   \
        {VT_COLUMN(type, place.name, VT_CELL_CHARS, "place", "PLACE",                              \
                   "function of the kernel, a program or a library, or address")},                 \
        {VT_COLUMN(type, place.pc, VT_CELL_HEX, "address", NULL, "its first instruction")},        \
        {VT_COLUMN(type, percent, VT_CELL_F64, "percent", "%", "share of all instructions"),       \
         .digits = 2}
#define INSTRUCTIONS(type)                                                                         \
    {VT_COLUMN(type, instructions, VT_CELL_U64, "instructions", "INSTRUCTIONS", "executed in it")}

static const struct vt_column loop_columns[] = {
    PLACE(loop_row),
    INSTRUCTIONS(loop_row),
    {VT_COLUMN(loop_row, trips, VT_CELL_F64, "trips", "TRIPS", "iterations each time it began")},
    {VT_COLUMN(loop_row, iterations, VT_CELL_U64, "iterations", "ITERATIONS", "in all")},
    {VT_COLUMN(loop_row, entries, VT_CELL_U64, "entries", NULL, "times it began")},
    {VT_COLUMN(loop_row, last, VT_CELL_HEX, "end", NULL, "past its last instruction")},
    {VT_COLUMN(loop_row, depth, VT_CELL_U64, "depth", "DEPTH", "1: in no other loop")},
    {VT_COLUMN(loop_row, blocks, VT_CELL_U64, "blocks", NULL, "basic blocks")},
    {VT_COLUMN(loop_row, work, VT_CELL_TEXT, "work", "WORK", "what it does most")},
};
static const struct vt_column function_columns[] = {
    PLACE(function_row),
    INSTRUCTIONS(function_row),
    {VT_COLUMN(function_row, calls, VT_CELL_U64, "calls", "CALLS", "that were seen")},
};
static const struct vt_column block_columns[] = {
    PLACE(block_row),
    INSTRUCTIONS(block_row),
    {VT_COLUMN(block_row, count, VT_CELL_U64, "count", "COUNT", "executions")},
    {VT_COLUMN(block_row, n, VT_CELL_U64, "length", "LENGTH", "instructions")},
    {VT_COLUMN(block_row, work, VT_CELL_TEXT, "work", "WORK", "what it does most")},
    {VT_COLUMN(block_row, first, VT_CELL_CHARS, "first", "BEGINS", "first instruction")},
};
static const struct vt_column sequence_columns[] = {
    {VT_COLUMN(sequence_row, percent, VT_CELL_F64, "percent", "%",
               "share of all instructions; of overlapping ones each counts"),
     .digits = 2},
    {VT_COLUMN(sequence_row, count, VT_CELL_U64, "count", "COUNT", "executions")},
    {VT_COLUMN(sequence_row, instructions, VT_CELL_U64, "instructions", NULL, "executed in it")},
    {VT_COLUMN(sequence_row, text, VT_CELL_TEXT, "sequence", "SEQUENCE",
               "mnemonics, and operands: register, vector, memory, immediate")},
};
static const struct vt_column path_columns[] = {
    PLACE(path_row),
    INSTRUCTIONS(path_row),
    {VT_COLUMN(path_row, count, VT_CELL_U64, "count", "COUNT", "of its rarest step")},
    {VT_COLUMN(path_row, blocks, VT_CELL_U64, "blocks", "BLOCKS", "basic blocks")},
    {VT_COLUMN(path_row, closed, VT_CELL_BOOL, "closed", NULL, "it goes back to its beginning")},
    {VT_COLUMN(path_row, through, VT_CELL_CHARS, "through", "THROUGH", "what it goes through")},
};

static double share(const struct hot *h, uint64_t instructions)
{
    uint64_t all = vt_trace_graph_stats(h->graph)->instructions;
    return all == 0 ? 0 : 100.0 * (double)instructions / (double)all;
}

/* Without the distance where only the function is meant. */
static void place_of(const struct hot *h, uint32_t block, bool exact, struct place *place)
{
    uint32_t n;
    const struct vt_trace_basic_block *b = &vt_trace_graph_blocks(h->graph, &n)[block];
    const struct vt_trace_space *space = &vt_trace_graph_spaces(h->graph, &n)[b->space];
    struct vt_trace_place at;
    struct vt_trace_block one;
    vt_trace_graph_instruction(h->graph, block, 0, &one);
    vt_trace_place(h->names, space->root, &one, b->pc, &at);
    at.offset = exact || at.function == NULL ? at.offset : 0;
    place->pc = b->pc;
    name_space(space, &at, place->process, sizeof place->process);
    vt_trace_place_text(&at, b->pc, place->name, sizeof place->name);
}

static uint32_t fill_loops(const struct hot *h, void *records)
{
    struct loop_row *rows = records;
    uint32_t n;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(h->graph, &n);
    n = n < h->top ? n : (uint32_t)h->top;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct loop_row){.percent = share(h, loops[i].instructions),
                                    .trips = loops[i].trips,
                                    .instructions = loops[i].instructions,
                                    .iterations = loops[i].iterations,
                                    .entries = loops[i].entries,
                                    .last = loops[i].last,
                                    .depth = loops[i].depth,
                                    .blocks = loops[i].n_blocks,
                                    .work = vt_trace_work_name(loops[i].work)};
        place_of(h, loops[i].header, true, &rows[i].place);
    }
    return n;
}

static int by_name(const void *a, const void *b)
{
    const struct function_row *x = a, *y = b;
    int order = strcmp(x->place.process, y->place.process);
    return order != 0 ? order : strcmp(x->place.name, y->place.name);
}

static int by_instructions(const void *a, const void *b)
{
    const struct function_row *x = a, *y = b;
    return x->instructions != y->instructions ? (x->instructions > y->instructions ? -1 : 1)
                                              : by_name(a, b);
}

/* Several entries of one symbol are one function. */
static uint32_t fill_functions(const struct hot *h, void *records)
{
    struct function_row *rows = records;
    uint32_t n, merged = 0;
    const struct vt_trace_function *functions = vt_trace_graph_functions(h->graph, &n);
    n = n < FUNCTIONS_MAX ? n : FUNCTIONS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct function_row){.instructions = functions[i].instructions,
                                        .calls = functions[i].calls};
        place_of(h, functions[i].entry, false, &rows[i].place);
    }
    qsort(rows, n, sizeof *rows, by_name);
    for (uint32_t i = 0; i < n; i++) {
        if (merged > 0 && by_name(&rows[merged - 1], &rows[i]) == 0) {
            struct function_row *one = &rows[merged - 1];
            one->instructions += rows[i].instructions;
            one->calls += rows[i].calls;
            one->place.pc = rows[i].place.pc < one->place.pc ? rows[i].place.pc : one->place.pc;
        } else {
            rows[merged++] = rows[i];
        }
    }
    qsort(rows, merged, sizeof *rows, by_instructions);
    n = merged < h->top ? merged : (uint32_t)h->top;
    for (uint32_t i = 0; i < n; i++) {
        rows[i].percent = share(h, rows[i].instructions);
    }
    return n;
}

static uint32_t fill_sequences(const struct hot *h, void *records)
{
    struct sequence_row *rows = records;
    uint32_t n;
    const struct vt_trace_sequence *all = vt_trace_graph_sequences(h->graph, &n);
    n = n < h->top ? n : (uint32_t)h->top;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct sequence_row){.percent = share(h, all[i].instructions),
                                        .count = all[i].count,
                                        .instructions = all[i].instructions,
                                        .text = all[i].text};
    }
    return n;
}

static uint32_t fill_paths(const struct hot *h, void *records)
{
    struct path_row *rows = records;
    uint32_t n;
    const struct vt_trace_path *paths = vt_trace_graph_paths(h->graph, &n);
    n = n < h->top ? n : (uint32_t)h->top;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *blocks = vt_trace_graph_path_blocks(h->graph, &paths[i]);
        struct path_row *row = &rows[i];
        *row = (struct path_row){.percent = share(h, paths[i].instructions),
                                 .count = paths[i].count,
                                 .instructions = paths[i].instructions,
                                 .blocks = paths[i].n,
                                 .closed = paths[i].closed};
        place_of(h, blocks[0], true, &row->place);
        struct place last = {0};
        size_t at = 0;
        for (uint32_t b = 0; b < paths[i].n && at < sizeof row->through; b++) {
            struct place here;
            place_of(h, blocks[b], false, &here);
            if (strcmp(here.name, last.name) != 0) {
                at += (size_t)snprintf(row->through + at, sizeof row->through - at, "%s%s",
                                       b == 0 ? "" : " > ", here.name);
            }
            last = here;
        }
    }
    return n;
}

/* The hottest ones, picked in one walk: `top` is small beside the blocks. */
static uint32_t fill_blocks(const struct hot *h, void *records)
{
    struct block_row *rows = records;
    uint32_t n, n_rows = 0;
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(h->graph, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = n_rows;
        while (at > 0 && rows[at - 1].instructions < blocks[i].instructions) {
            at--;
        }
        if (at == h->top) {
            continue;
        }
        n_rows += n_rows < h->top;
        memmove(rows + at + 1, rows + at, (n_rows - 1 - at) * sizeof *rows);
        rows[at] = (struct block_row){.instructions = blocks[i].instructions,
                                      .count = blocks[i].count,
                                      .n = blocks[i].n,
                                      .place.pc = i, /* its index, until all are known */
                                      .work = vt_trace_work_name(blocks[i].work)};
    }
    for (uint32_t i = 0; i < n_rows; i++) {
        struct vt_trace_block one;
        struct vt_trace_instruction insn;
        uint32_t block = (uint32_t)rows[i].place.pc;
        rows[i].percent = share(h, rows[i].instructions);
        vt_trace_graph_instruction(h->graph, block, 0, &one);
        vt_trace_decode(&one, 0, &insn);
        snprintf(rows[i].first, sizeof rows[i].first, "%s", insn.text);
        place_of(h, block, true, &rows[i].place);
    }
    return n_rows;
}

/* ---------------------------------------------------------------- showing */

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
static const struct table {
    const char *member, *title;
    const struct vt_column *columns;
    unsigned n_columns;
    size_t bytes;
    uint32_t (*fill)(const struct hot *h, void *records);
} tables[] = {
    {"loops", "Loops", loop_columns, LENGTH(loop_columns), sizeof(struct loop_row), fill_loops},
    {"functions", "Functions", function_columns, LENGTH(function_columns),
     sizeof(struct function_row), fill_functions},
    {"sequences", "Sequences", sequence_columns, LENGTH(sequence_columns),
     sizeof(struct sequence_row), fill_sequences},
    {"paths", "Paths", path_columns, LENGTH(path_columns), sizeof(struct path_row), fill_paths},
    {"blocks", "Blocks", block_columns, LENGTH(block_columns), sizeof(struct block_row),
     fill_blocks},
};

static void show_sums(const struct hot *h, struct vt_json_writer *w)
{
    const struct vt_trace_graph_stats *stats = vt_trace_graph_stats(h->graph);
    vt_json_kv_u64(w, "instructions", stats->instructions);
    vt_json_kv_u64(w, "block_executions", stats->events);
    vt_json_kv_f64(w, "seconds", h->took_ns > 0 ? (double)h->took_ns / 1e9 : (double)NAN, 6);
    vt_json_kv_u64(w, "lost_words", h->lost_words);
    vt_json_kv_u64(w, "joined", stats->joined);
    vt_json_kv_u64(w, "unexplained", stats->unexplained);
    vt_json_kv_u64(w, "irreducible", stats->irreducible);
    vt_json_kv_u64(w, "ignored", stats->ignored);
    vt_json_kv_bool(w, "truncated", stats->truncated);
}

static int show(const struct vt_args *args, const struct hot *h, struct vt_error *err)
{
    size_t most = h->top > FUNCTIONS_MAX ? (size_t)h->top : FUNCTIONS_MAX;
    void *records = calloc(most, sizeof(struct path_row) + sizeof(struct block_row));
    if (records == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %zu rows", most);
    }
    int rc = 0;
    struct vt_json_writer json, *w = vt_args_json(args) ? &json : NULL;
    if (w != NULL) {
        vt_json_init(w, stdout, vt_args_pretty(args));
        vt_json_object(w);
        show_sums(h, w);
    }
    for (size_t t = 0; t < LENGTH(tables) && rc == 0; t++) {
        const struct table *table = &tables[t];
        uint32_t n = table->fill(h, records);
        struct vt_rows *rows = NULL;
        if (w != NULL) {
            vt_json_key(w, table->member);
            vt_json_array(w);
        } else {
            printf("%s%s\n", t == 0 ? "" : "\n", table->title);
            rc = vt_rows_create(args, table->columns, table->n_columns, &rows, err);
        }
        for (uint32_t i = 0; i < n && rc == 0; i++) {
            const void *record = (const char *)records + i * table->bytes;
            if (w != NULL) {
                vt_json_object(w);
                vt_json_record(w, table->columns, table->n_columns, record);
                vt_json_object_end(w);
            } else {
                vt_cell_record(rows, record, table->n_columns);
            }
        }
        if (w != NULL) {
            vt_json_array_end(w);
        } else if (rc == 0) {
            (void)vt_rows_finish(rows); /* the stream keeps a failure until the end */
        }
    }
    if (w != NULL && rc == 0) {
        vt_json_object_end(w);
        vt_json_finish(w);
    }
    free(records);
    return rc;
}

/* ---------------------------------------------------------------- the verb */

static void say_losses(const struct hot *h)
{
    const struct vt_trace_graph_stats *stats = vt_trace_graph_stats(h->graph);
    if (h->lost_words > 0) {
        fprintf(stderr,
                "vitrine hot: %" PRIu64
                " words of the recording were lost for want of room: counts "
                "are too low (--wait lets the guest wait instead)\n",
                h->lost_words);
    }
    if (stats->truncated || stats->ignored > 0) {
        fprintf(stderr,
                "vitrine hot: not everything that was executed fitted: %" PRIu64
                " blocks were left out\n",
                stats->ignored);
    }
}

static int hot_file(struct hot *h, const char *path, struct vt_error *err)
{
    int rc = vt_trace_open_file(path, &h->source, err);
    rc = rc == 0 ? vt_trace_names_file(h->source, &h->names, err) : rc;
    rc =
        rc == 0 ? vt_trace_graph_create(vt_trace_source_info(h->source)->arch, &h->graph, err) : rc;
    rc = rc == 0 ? take(h, VT_NO_DEADLINE, err) : rc;
    if (rc == 0 && vt_interrupted) {
        return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
    }
    return rc == 0 ? vt_trace_graph_learn(h->graph, err) : rc;
}

static int hot_vm(const struct vt_args *args, struct hot *h, uint64_t for_ns, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(h->target.vm);
    if (info->trace_path[0] == 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", h->target.name,
                       info->trace_why);
    }
    int rc = h->pid != 0 ? filter_process(h, err) : 0;
    rc = rc == 0 ? vt_trace_names_live(&h->target, &h->names, err) : rc;
    return rc == 0 ? record(args, h, info->trace_path, for_ns, err) : rc;
}

static int run(const struct vt_args *args)
{
    static const char *const of_vms[] = {"for", "pid", "filter", "kernel", "user", "wait"};
    struct vt_error err;
    struct hot h = {0};
    uint64_t for_ns;
    const char *operand = vt_args_operand(args, 0);
    bool file = vt_target_is_file(operand);
    int result = vt_args_duration(args, "for", FOR_NS, &for_ns);
    result = result == 0 ? vt_args_u64(args, "top", TOP, &h.top) : result;
    if (result == 0 && (h.top == 0 || h.top > TOP_MAX)) {
        result = vt_usage_error(args, "--top takes 1 to %u", TOP_MAX);
    }
    for (size_t i = 0; result == 0 && file && i < LENGTH(of_vms); i++) {
        if (i < 3 ? vt_args_value(args, of_vms[i]) != NULL : vt_args_flag(args, of_vms[i])) {
            result = vt_usage_error(args, "--%s is of recording: a file was recorded already",
                                    of_vms[i]);
        }
    }
    result = result == 0 ? vt_args_u64(args, "pid", 0, &h.pid) : result;
    result = result == 0 ? read_filter(args, &h.filter) : result;
    if (result == 0 && !file) {
        result = vt_cli_open(args, "hot", VT_CLI_RAM, "", &h.target);
    }
    if (result != 0) {
        return result;
    }
    int rc = file ? hot_file(&h, operand, &err) : hot_vm(args, &h, for_ns, &err);
    rc = rc == 0 ? show(args, &h, &err) : rc;
    if (rc == 0) {
        say_losses(&h);
    }
    result = rc != 0 ? vt_report(args, &err) : vt_output_finish(stdout);
    vt_trace_close(h.source);
    vt_trace_graph_destroy(h.graph);
    vt_trace_names_destroy(h.names);
    return vt_cli_close(args, &h.target, result);
}

static const struct vt_option options[] = {
    {"for", "TIME", "record that long (default: 2s)", false},
    {"top", "N", "rows of each kind (default: 10)", false},
    {"pid", "PID", "what runs on behalf of that process alone, in the kernel, too", false},
    {"kernel", NULL, "the kernel's instructions alone", false},
    {"user", NULL, "those of processes alone", false},
    {"filter", "WHAT", "kernel, user, range=A-B, range=A+N, root=A, vcpu=N", true},
    {"wait", NULL, "let the guest wait for the recording rather than lose a part of it", false},
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
                "  vitrine hot web --pid 123 --user --wait\n"
                "  vitrine hot web --json\n"
                "  vitrine hot ./run.vtrace",
    .run = run,
};
