/* trace/hot.c - the hottest rows of each kind, and all of them as JSON. See hot.h. */
#include "trace/hot.h"

#include "base/cell.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/** Functions that are merged by their names. */
#define FUNCTIONS_MAX 4096u

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
    double percent, trips, mean;
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
    char through[96];
};

/* Share and place come first; what else says how much is for JSON alone. */
#define PLACE(type)                                                                                \
    {VT_COLUMN(type, percent, VT_CELL_F64, "percent", "%", "share of all instructions"),           \
     .digits = 2},                                                                                 \
        {VT_COLUMN(type, place.process, VT_CELL_CHARS, "process", "PROCESS",                       \
                   "process, or kernel")},                                                         \
        {VT_COLUMN(type, place.name, VT_CELL_CHARS, "place", "PLACE",                              \
                   "function of the kernel, a program or a library, or address")},                 \
        {VT_COLUMN(type, place.pc, VT_CELL_HEX, "address", NULL, "its first instruction")},        \
    {                                                                                              \
        VT_COLUMN(type, instructions, VT_CELL_U64, "instructions", NULL, "executed in it")         \
    }

static const struct vt_column loop_columns[] = {
    PLACE(loop_row),
    {VT_COLUMN(loop_row, iterations, VT_CELL_U64, "iterations", "ITERATIONS", "in all")},
    {VT_COLUMN(loop_row, trips, VT_CELL_F64, "trips", "TRIPS", "iterations each time it began")},
    {VT_COLUMN(loop_row, mean, VT_CELL_F64, "instructions_per_iteration", "LENGTH",
               "instructions of one, inner loops included")},
    {VT_COLUMN(loop_row, depth, VT_CELL_U64, "depth", "DEPTH", "1: in no other loop")},
    {VT_COLUMN(loop_row, work, VT_CELL_TEXT, "work", "WORK", "what it does most")},
    {VT_COLUMN(loop_row, entries, VT_CELL_U64, "entries", NULL, "times it began")},
    {VT_COLUMN(loop_row, last, VT_CELL_HEX, "end", NULL, "past its last instruction")},
    {VT_COLUMN(loop_row, blocks, VT_CELL_U64, "blocks", NULL, "basic blocks")},
};
static const struct vt_column function_columns[] = {
    PLACE(function_row),
    {VT_COLUMN(function_row, calls, VT_CELL_U64, "calls", "CALLS", "that were seen")},
};
static const struct vt_column block_columns[] = {
    PLACE(block_row),
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
    {VT_COLUMN(path_row, count, VT_CELL_U64, "count", "COUNT", "of its rarest step")},
    {VT_COLUMN(path_row, blocks, VT_CELL_U64, "blocks", "BLOCKS", "basic blocks")},
    {VT_COLUMN(path_row, closed, VT_CELL_BOOL, "closed", NULL, "it goes back to its beginning")},
    {VT_COLUMN(path_row, through, VT_CELL_CHARS, "through", "THROUGH", "what it goes through")},
};

static double share(const struct vt_trace_hot *h, uint64_t instructions)
{
    uint64_t all = vt_trace_graph_stats(h->graph)->instructions;
    return all == 0 ? 0 : 100.0 * (double)instructions / (double)all;
}

/* Without the distance where only the function is meant. */
static void place_of(const struct vt_trace_hot *h, uint32_t block, bool exact, struct place *place)
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

static uint32_t fill_loops(const struct vt_trace_hot *h, void *records)
{
    struct loop_row *rows = records;
    uint32_t n;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(h->graph, &n);
    n = n < h->top ? n : h->top;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] =
            (struct loop_row){.percent = share(h, loops[i].instructions),
                              .trips = loops[i].trips,
                              .mean = (double)loops[i].instructions / (double)loops[i].iterations,
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
static uint32_t fill_functions(const struct vt_trace_hot *h, void *records)
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
    n = merged < h->top ? merged : h->top;
    for (uint32_t i = 0; i < n; i++) {
        rows[i].percent = share(h, rows[i].instructions);
    }
    return n;
}

static uint32_t fill_sequences(const struct vt_trace_hot *h, void *records)
{
    struct sequence_row *rows = records;
    uint32_t n;
    const struct vt_trace_sequence *all = vt_trace_graph_sequences(h->graph, &n);
    n = n < h->top ? n : h->top;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct sequence_row){.percent = share(h, all[i].instructions),
                                        .count = all[i].count,
                                        .instructions = all[i].instructions,
                                        .text = all[i].text};
    }
    return n;
}

/* What it goes through, as far as there is room. */
static void name_path(const struct vt_trace_hot *h, const uint32_t *blocks, uint32_t n, char *out,
                      size_t bytes)
{
    static const char more[] = " > …";
    struct place last = {0};
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct place here;
        place_of(h, blocks[i], false, &here);
        if (strcmp(here.name, last.name) == 0) {
            continue;
        }
        if (at + strlen(" > ") + strlen(here.name) + sizeof more > bytes) {
            snprintf(out + at, bytes - at, "%s", more);
            return;
        }
        at += (size_t)snprintf(out + at, bytes - at, "%s%s", at == 0 ? "" : " > ", here.name);
        last = here;
    }
}

static uint32_t fill_paths(const struct vt_trace_hot *h, void *records)
{
    struct path_row *rows = records;
    uint32_t n;
    const struct vt_trace_path *paths = vt_trace_graph_paths(h->graph, &n);
    n = n < h->top ? n : h->top;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *blocks = vt_trace_graph_path_blocks(h->graph, &paths[i]);
        struct path_row *row = &rows[i];
        *row = (struct path_row){.percent = share(h, paths[i].instructions),
                                 .count = paths[i].count,
                                 .instructions = paths[i].instructions,
                                 .blocks = paths[i].n,
                                 .closed = paths[i].closed};
        place_of(h, blocks[0], true, &row->place);
        name_path(h, blocks, paths[i].n, row->through, sizeof row->through);
    }
    return n;
}

/* The hottest ones, picked in one walk: `top` is small beside the blocks. */
static uint32_t fill_blocks(const struct vt_trace_hot *h, void *records)
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

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
static const struct vt_trace_hot_table tables[] = {
    {"loops", "Loops", loop_columns, LENGTH(loop_columns), sizeof(struct loop_row), fill_loops},
    {"functions", "Functions", function_columns, LENGTH(function_columns),
     sizeof(struct function_row), fill_functions},
    {"sequences", "Sequences", sequence_columns, LENGTH(sequence_columns),
     sizeof(struct sequence_row), fill_sequences},
    {"paths", "Paths", path_columns, LENGTH(path_columns), sizeof(struct path_row), fill_paths},
    {"blocks", "Blocks", block_columns, LENGTH(block_columns), sizeof(struct block_row),
     fill_blocks},
};

const struct vt_trace_hot_table *vt_trace_hot_tables(unsigned *n)
{
    *n = LENGTH(tables);
    return tables;
}

size_t vt_trace_hot_room(const struct vt_trace_hot *hot)
{
    size_t most = hot->top > FUNCTIONS_MAX ? hot->top : FUNCTIONS_MAX;
    return most * (sizeof(struct path_row) + sizeof(struct block_row));
}

static void show_sums(const struct vt_trace_hot *h, struct vt_json_writer *w)
{
    const struct vt_trace_graph_stats *stats = vt_trace_graph_stats(h->graph);
    vt_json_kv_string(w, "arch", h->arch);
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

int vt_trace_hot_json(const struct vt_trace_hot *hot, bool code, struct vt_json_writer *w,
                      struct vt_error *err)
{
    char *records = malloc(vt_trace_hot_room(hot));
    if (records == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %" PRIu32 " rows", hot->top);
    }
    int rc = 0;
    show_sums(hot, w);
    for (size_t t = 0; t < LENGTH(tables); t++) {
        const struct vt_trace_hot_table *table = &tables[t];
        uint32_t n = table->fill(hot, records);
        vt_json_key(w, table->member);
        vt_json_array(w);
        for (uint32_t i = 0; i < n && rc == 0; i++) {
            vt_json_object(w);
            vt_json_record(w, table->columns, table->n_columns, records + i * table->bytes);
            if (code && table->fill == fill_loops) {
                rc = vt_trace_hot_loop_json(hot->graph, i, w, err);
            }
            vt_json_object_end(w);
        }
        vt_json_array_end(w);
    }
    free(records);
    return rc;
}
