/* cli/cmd_trace_stat.c - `vitrine trace stat`: how much of what is in a trace, or in a VM now. */
#include "cli/trace_show.h"

#include "base/cell.h"
#include "base/io.h"
#include "base/text.h"
#include "trace/file.h"
#include "trace/ring.h"
#include "trace/survey.h"
#include "trace/words.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEER_MS 5000
#define WAIT_MS 100
#define EVENTS_A_LOOK 256 /* at the clock */
#define TOP 10
#define TOP_MAX 4096u

struct stats {
    struct vt_cli_trace trace;
    struct vt_trace_select select;
    struct vt_trace_survey *survey;
    const struct vt_trace_survey_sums *sums;
    uint64_t top;
};

/* ---- taking it in ---- */

/* Until the deadline or the end; with `wait_ms` 0 what is there. */
static int take(struct stats *s, uint64_t deadline_ns, uint64_t wait_ms, struct vt_error *err)
{
    const struct vt_trace_info *info = vt_trace_source_info(s->trace.source);
    struct vt_trace_event event;
    for (uint64_t n = 0;; n++) {
        int rc = vt_trace_next(s->trace.source, wait_ms, &event, err);
        if (rc < 0 || (rc == 0 && (wait_ms == 0 || vt_trace_source_info(s->trace.source)->ended))) {
            return rc;
        }
        if (rc == 1) {
            vt_trace_names_see(s->trace.names, &event);
            enum vt_trace_selected is = vt_trace_select(&s->select, info, s->trace.names, &event);
            if (is == VT_TRACE_SELECT_END) {
                return 0;
            }
            int added = is == VT_TRACE_SELECT_YES ? vt_trace_survey_add(s->survey, &event, err) : 0;
            if (added != 0) {
                return added;
            }
        }
        if (rc == 0 || n % EVENTS_A_LOOK == 0) {
            if (vt_interrupted != 0 && wait_ms == 0) {
                return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
            }
            if (vt_interrupted != 0 || vt_now_ns() >= deadline_ns) {
                return 0;
            }
        }
    }
}

static int record(struct stats *s, const char *segment, uint32_t detail, uint64_t for_ns,
                  struct vt_error *err)
{
    /* The plugin leaves out what it can; where a block began matters to it, so the rest stays. */
    struct vt_trace_filter filter = s->select.filter;
    filter.n_ranges = 0;
    int rc = vt_trace_steer(segment, detail, VT_TRACE_WAIT, 0, &filter, STEER_MS, err);
    if (rc != 0) {
        return rc;
    }
    rc = take(s, vt_now_ns() + for_ns, WAIT_MS, err);
    struct vt_error later;
    int off = vt_trace_steer(segment, VT_TRACE_OFF, VT_TRACE_WAIT, 0, NULL, STEER_MS, &later);
    if (rc == 0 && off != 0 && off != VT_E_GONE) {
        rc = off;
        *err = later;
    }
    return rc == 0 ? take(s, VT_NO_DEADLINE, 0, err) : rc;
}

static int open_live(struct stats *s, const char *name, struct vt_error *err)
{
    int rc = vt_target_open(name, "trace stat", "", &s->trace.target, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_vm_info *info = vt_vm_info(s->trace.target.vm);
    if (info->trace_path[0] == '\0') {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", name, info->trace_why);
    }
    rc = vt_trace_open_live(info->trace_path, &s->trace.source, err);
    rc = rc == 0 ? vt_trace_begin(s->trace.source, info->trace_path, STEER_MS, err) : rc;
    return rc == 0 ? vt_trace_names_live(&s->trace.target, &s->trace.names, err) : rc;
}

static int survey(struct stats *s, const char *what, uint32_t detail, uint64_t for_ns,
                  struct vt_error *err)
{
    int rc = for_ns != 0 ? open_live(s, what, err)
                         : vt_cli_trace_open_named(what, "trace stat", &s->trace, err);
    rc = rc == 0 ? vt_trace_survey_create(&s->survey, err) : rc;
    if (rc == 0 && for_ns != 0) {
        rc = record(s, vt_vm_info(s->trace.target.vm)->trace_path, detail, for_ns, err);
    } else if (rc == 0) {
        rc = vt_trace_select_begin(&s->select, s->trace.source, err);
        rc = rc == 0 ? take(s, VT_NO_DEADLINE, 0, err) : rc;
    }
    if (rc == 0) {
        s->sums = vt_trace_survey_end(s->survey);
    }
    return rc;
}

/* ---- rows ---- */

/* Of a hundred; not a number of nothing. */
static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : (double)NAN;
}

struct class_row {
    char name[16];
    double percent;
    uint64_t instructions, loads, stores;
};
static const struct vt_column class_columns[] = {
    {VT_COLUMN(class_row, name, VT_CELL_CHARS, "class", "CLASS", "what the instruction is for")},
    {VT_COLUMN(class_row, instructions, VT_CELL_U64, "instructions", "INSTRUCTIONS",
               "that completed")},
    {VT_COLUMN(class_row, percent, VT_CELL_F64, "percent", "%", "of all instructions")},
    {VT_COLUMN(class_row, loads, VT_CELL_U64, "loads", "LOADS", "that they made")},
    {VT_COLUMN(class_row, stores, VT_CELL_U64, "stores", "STORES", "that they made")},
};

static size_t fill_classes(const struct stats *s, void *records)
{
    const struct vt_trace_survey_class *classes = vt_trace_survey_classes(s->survey);
    struct class_row *rows = records;
    size_t n = 0;
    for (unsigned i = 0; i < VT_TRACE_SURVEY_CLASSES; i++) {
        const struct vt_trace_survey_class *c = &classes[i];
        if (c->instructions + c->loads + c->stores > 0) {
            rows[n] = (struct class_row){.percent = percent(c->instructions, s->sums->instructions),
                                         .instructions = c->instructions,
                                         .loads = c->loads,
                                         .stores = c->stores};
            snprintf(rows[n++].name, sizeof rows->name, "%s",
                     vt_trace_class_name((enum vt_trace_class)i));
        }
    }
    return n;
}

struct size_row {
    uint64_t bytes, loads, stores;
};
static const struct vt_column size_columns[] = {
    {VT_COLUMN(size_row, bytes, VT_CELL_U64, "bytes", "BYTES", "of an access")},
    {VT_COLUMN(size_row, loads, VT_CELL_U64, "loads", "LOADS", "of that size")},
    {VT_COLUMN(size_row, stores, VT_CELL_U64, "stores", "STORES", "of that size")},
};

static size_t fill_sizes(const struct stats *s, void *records)
{
    const struct vt_trace_survey_size *sizes = vt_trace_survey_sizes(s->survey);
    struct size_row *rows = records;
    size_t n = 0;
    for (unsigned i = 0; i < VT_TRACE_SURVEY_SIZES; i++) {
        if (sizes[i].loads + sizes[i].stores > 0) {
            rows[n++] = (struct size_row){UINT64_C(1) << i, sizes[i].loads, sizes[i].stores};
        }
    }
    return n;
}

struct process_row {
    char name[64];
    int64_t pid; /* < 0: unknown, and no number */
    uint64_t root;
    double percent;
    uint64_t user, kernel, accesses;
};
static const struct vt_column process_columns[] = {
    {VT_COLUMN(process_row, name, VT_CELL_CHARS, "process", "PROCESS",
               "whose page table was in force"),
     .zero_is_none = true},
    {VT_COLUMN(process_row, pid, VT_CELL_I64, "pid", "PID", "its number"), .ones_are_none = true},
    {VT_COLUMN(process_row, root, VT_CELL_HEX, "root", "ROOT", "the page table; one of them"),
     .ones_are_none = true},
    {VT_COLUMN(process_row, percent, VT_CELL_F64, "percent", "%", "of all instructions")},
    {VT_COLUMN(process_row, user, VT_CELL_U64, "user_instructions", "USER", "of its own")},
    {VT_COLUMN(process_row, kernel, VT_CELL_U64, "kernel_instructions", "KERNEL",
               "by the kernel under its page table")},
    {VT_COLUMN(process_row, accesses, VT_CELL_U64, "accesses", "ACCESSES", "to memory")},
};

/* With page-table isolation a process has two roots. */
static size_t fill_processes(const struct stats *s, void *records)
{
    const struct vt_trace_survey_root *roots = vt_trace_survey_roots(s->survey);
    struct process_row *rows = records;
    size_t n = 0;
    for (uint32_t i = 0; i < s->sums->n_roots; i++) {
        const struct vt_trace_survey_root *r = &roots[i];
        struct vt_trace_place place;
        (void)vt_trace_place(s->trace.names, r->root, NULL, 0, &place);
        size_t at = 0;
        while (at < n && (place.pid < 0 || rows[at].pid != place.pid ||
                          (place.process != NULL &&
                           strncmp(rows[at].name, place.process, sizeof rows->name - 1) != 0))) {
            at++;
        }
        if (at == n) {
            rows[n++] = (struct process_row){.pid = place.pid, .root = r->root};
            if (place.process != NULL) {
                snprintf(rows[at].name, sizeof rows->name, "%s", place.process);
            }
        }
        rows[at].user += r->user;
        rows[at].kernel += r->kernel;
        rows[at].accesses += r->accesses;
        rows[at].percent = percent(rows[at].user + rows[at].kernel, s->sums->instructions);
    }
    return n;
}

struct target_row {
    char kind[16], place[128];
    uint64_t to, count;
};
static const struct vt_column target_columns[] = {
    {VT_COLUMN(target_row, kind, VT_CELL_CHARS, "kind", "KIND", "interrupt, exception, host call")},
    {VT_COLUMN(target_row, to, VT_CELL_HEX, "target", "TARGET", "where it went")},
    {VT_COLUMN(target_row, count, VT_CELL_U64, "count", "COUNT", "how often")},
    {VT_COLUMN(target_row, place, VT_CELL_CHARS, "place", "PLACE", "what is there"),
     .zero_is_none = true},
};

static size_t fill_targets(const struct stats *s, void *records)
{
    const struct vt_trace_survey_target *targets = vt_trace_survey_targets(s->survey);
    struct target_row *rows = records;
    for (uint32_t i = 0; i < s->sums->n_targets; i++) {
        struct vt_trace_place place;
        bool known = vt_trace_place(s->trace.names, UINT64_MAX, NULL, targets[i].to, &place);
        rows[i] = (struct target_row){.to = targets[i].to, .count = targets[i].count};
        snprintf(rows[i].kind, sizeof rows->kind, "%s", vt_trace_end_name(targets[i].end));
        if (known && place.function != NULL) {
            vt_trace_place_text(&place, targets[i].to, rows[i].place, sizeof rows->place);
        }
    }
    return s->sums->n_targets;
}

struct vcpu_row {
    uint64_t vcpu, instructions, blocks, accesses, interrupts, exceptions, lost_words, idle_ns;
    double instructions_per_s;
};
static const struct vt_column vcpu_columns[] = {
    {VT_COLUMN(vcpu_row, vcpu, VT_CELL_U64, "vcpu", "VCPU", "its number")},
    {VT_COLUMN(vcpu_row, instructions, VT_CELL_U64, "instructions", "INSTRUCTIONS",
               "that completed")},
    {VT_COLUMN(vcpu_row, instructions_per_s, VT_CELL_F64, "instructions_per_s", "INSN/S",
               "while it did not idle")},
    {VT_COLUMN(vcpu_row, blocks, VT_CELL_U64, "blocks", "BLOCKS", "that began")},
    {VT_COLUMN(vcpu_row, accesses, VT_CELL_U64, "accesses", "ACCESSES", "to memory")},
    {VT_COLUMN(vcpu_row, interrupts, VT_CELL_U64, "interrupts", "INTERRUPTS", "taken")},
    {VT_COLUMN(vcpu_row, exceptions, VT_CELL_U64, "exceptions", "EXCEPTIONS", "raised")},
    {VT_COLUMN(vcpu_row, lost_words, VT_CELL_U64, "lost_words", "LOST", "words of the recording")},
    {VT_COLUMN(vcpu_row, idle_ns, VT_CELL_SECONDS, "idle_s", "IDLE", "halted, in seconds"),
     .digits = 3},
};

static size_t fill_vcpus(const struct stats *s, void *records)
{
    const struct vt_trace_survey_vcpu *vcpus = vt_trace_survey_vcpus(s->survey);
    struct vcpu_row *rows = records;
    size_t n = 0;
    for (uint32_t i = 0; i < VT_TRACE_SURVEY_VCPUS; i++) {
        const struct vt_trace_survey_vcpu *v = &vcpus[i];
        uint64_t there = v->last_ns - v->first_ns, ran = there - v->idle_ns;
        if (v->events > 0) {
            rows[n++] = (struct vcpu_row){
                .vcpu = i,
                .instructions = v->instructions,
                .blocks = v->blocks,
                .accesses = v->accesses,
                .interrupts = v->interrupts,
                .exceptions = v->exceptions,
                .lost_words = v->lost_words,
                .idle_ns = v->idle_ns,
                .instructions_per_s =
                    there > v->idle_ns ? (double)v->instructions * 1e9 / (double)ran : (double)NAN};
        }
    }
    return n;
}

struct span_row {
    uint64_t from_ns, instructions;
    double instructions_per_s;
};
static const struct vt_column span_columns[] = {
    {VT_COLUMN(span_row, from_ns, VT_CELL_SECONDS, "from_s", "FROM",
               "seconds since the VM started"),
     .digits = 3},
    {VT_COLUMN(span_row, instructions, VT_CELL_U64, "instructions", "INSTRUCTIONS",
               "until the next line")},
    {VT_COLUMN(span_row, instructions_per_s, VT_CELL_F64, "instructions_per_s", "INSN/S",
               "of all vCPUs together")},
};

static size_t fill_spans(const struct stats *s, void *records)
{
    const uint64_t *spans = vt_trace_survey_spans(s->survey);
    struct span_row *rows = records;
    for (uint32_t i = 0; i < s->sums->n_spans; i++) {
        uint64_t from = s->sums->first_ns + i * s->sums->span_ns;
        uint64_t left = s->sums->last_ns - from;
        uint64_t ns = left < s->sums->span_ns ? left : s->sums->span_ns;
        rows[i] = (struct span_row){.from_ns = from,
                                    .instructions = spans[i],
                                    .instructions_per_s =
                                        ns > 0 ? (double)spans[i] * 1e9 / (double)ns : (double)NAN};
    }
    return s->sums->n_spans;
}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
static const struct table {
    const char *member, *title;
    const struct vt_column *columns;
    unsigned n_columns;
    size_t bytes, most;
    size_t (*fill)(const struct stats *s, void *records);
    bool top; /* only the first of them */
} tables[] = {
    {"classes", "Instructions by class", class_columns, LENGTH(class_columns),
     sizeof(struct class_row), VT_TRACE_SURVEY_CLASSES, fill_classes, false},
    {"sizes", "Accesses by size", size_columns, LENGTH(size_columns), sizeof(struct size_row),
     VT_TRACE_SURVEY_SIZES, fill_sizes, false},
    {"processes", "Processes", process_columns, LENGTH(process_columns), sizeof(struct process_row),
     VT_TRACE_SURVEY_ROOTS, fill_processes, true},
    {"discontinuities", "Interrupts and exceptions", target_columns, LENGTH(target_columns),
     sizeof(struct target_row), VT_TRACE_SURVEY_TARGETS, fill_targets, true},
    {"vcpus", "vCPUs", vcpu_columns, LENGTH(vcpu_columns), sizeof(struct vcpu_row),
     VT_TRACE_SURVEY_VCPUS, fill_vcpus, false},
    {"time", "Over time", span_columns, LENGTH(span_columns), sizeof(struct span_row),
     VT_TRACE_SURVEY_SPANS, fill_spans, false},
};

/* ---- sums ---- */

static uint64_t file_bytes(const struct stats *s)
{
    const struct vt_trace_file_about *about = vt_trace_file_about(s->trace.source);
    return about != NULL ? about->bytes : 0;
}

static bool is_part(const struct stats *s)
{
    const struct vt_trace_select *e = &s->select;
    return e->from.given || e->to.given || e->process != NULL || e->touched.n_ranges > 0 ||
           e->filter.n_ranges > 0 || e->filter.privileges != 0 || e->filter.root != 0 ||
           e->filter.vcpu_mask != 0;
}

static void json_sums(struct vt_json_writer *w, const struct stats *s)
{
    const struct vt_trace_survey_sums *t = s->sums;
    const struct vt_trace_info *info = vt_trace_source_info(s->trace.source);
    vt_json_kv_string(w, "vm", info->vm);
    vt_json_kv_string(w, "arch", info->arch);
    vt_json_kv_u64(w, "events", t->events);
    vt_json_kv_u64(w, "instructions", t->instructions);
    vt_json_kv_u64(w, "kernel_instructions", t->kernel);
    vt_json_kv_u64(w, "user_instructions", t->instructions - t->kernel);
    vt_json_kv_u64(w, "blocks", t->blocks);
    vt_json_kv_u64(w, "known_blocks", t->known_blocks);
    vt_json_kv_u64(w, "loads", t->loads);
    vt_json_kv_u64(w, "stores", t->stores);
    vt_json_kv_u64(w, "device_accesses", t->device);
    vt_json_kv_u64(w, "interrupts", t->interrupts);
    vt_json_kv_u64(w, "exceptions", t->exceptions);
    vt_json_kv_u64(w, "host_calls", t->host_calls);
    vt_json_kv_u64(w, "restarts", t->restarts);
    vt_json_kv_u64(w, "unknown_ends", t->unknown_ends);
    vt_json_kv_u64(w, "losses", t->losses);
    vt_json_kv_u64(w, "lost_words", t->lost_words);
    const double unknown = (double)NAN;
    vt_json_kv_f64(w, "seconds",
                   t->span_ns != 0 ? (double)(t->last_ns - t->first_ns) / 1e9 : unknown, 9);
    vt_json_kv_f64(w, "idle_s", t->span_ns != 0 ? (double)t->idle_ns / 1e9 : unknown, 9);
    vt_json_kv_u64(w, "code_lines", t->code_lines);
    vt_json_kv_u64(w, "code_pages", t->code_pages);
    vt_json_kv_u64(w, "data_lines", t->data_lines);
    vt_json_kv_u64(w, "data_pages", t->data_pages);
    vt_json_kv_bool(w, "truncated", t->truncated);
    if (file_bytes(s) > 0) {
        vt_json_kv_u64(w, "file_bytes", file_bytes(s));
    }
    if (file_bytes(s) > 0 && !is_part(s)) {
        vt_json_kv_f64(w, "bytes_per_instruction",
                       (double)file_bytes(s) / (double)(t->instructions > 0 ? t->instructions : 1),
                       6);
    }
}

static void line(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(const char *what, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%-14s ", what);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
}

static void print_sums(const struct stats *s)
{
    const struct vt_trace_survey_sums *t = s->sums;
    char name[96];
    const struct vt_trace_info *info = vt_trace_source_info(s->trace.source);
    vt_text_printable(name, sizeof name, info->vm, strlen(info->vm));
    line("VM", "%s", name);
    line("instructions", "%" PRIu64 ", %.1f %% of the kernel", t->instructions,
         t->instructions > 0 ? percent(t->kernel, t->instructions) : 0);
    line("blocks", "%" PRIu64 " of %" PRIu32 " different ones, %.1f instructions each", t->blocks,
         t->known_blocks, t->blocks > 0 ? (double)t->instructions / (double)t->blocks : 0);
    if (t->loads + t->stores > 0) {
        line("accesses",
             "%" PRIu64 " loads, %" PRIu64 " stores, %.2f an instruction; %" PRIu64 " to devices",
             t->loads, t->stores,
             (double)(t->loads + t->stores) / (double)(t->instructions > 0 ? t->instructions : 1),
             t->device);
        line("data", "%" PRIu64 " lines of 64 bytes in %" PRIu64 " pages", t->data_lines,
             t->data_pages);
    }
    line("code", "%" PRIu64 " lines of 64 bytes in %" PRIu64 " pages", t->code_lines,
         t->code_pages);
    line("cut",
         "%" PRIu64 " interrupts, %" PRIu64 " exceptions, %" PRIu64 " begun anew, %" PRIu64
         " unknown",
         t->interrupts, t->exceptions, t->restarts, t->unknown_ends);
    line("lost", "%" PRIu64 " words, in %" PRIu64 " places", t->lost_words, t->losses);
    if (t->span_ns != 0) {
        line("time", "%.3f s, of which vCPUs idled %.3f s",
             (double)(t->last_ns - t->first_ns) / 1e9, (double)t->idle_ns / 1e9);
    }
    if (file_bytes(s) > 0 && !is_part(s) && t->instructions > 0) {
        line("file", "%" PRIu64 " bytes, %.4f an instruction", file_bytes(s),
             (double)file_bytes(s) / (double)t->instructions);
    }
    if (t->truncated) {
        line("", "%s", "not everything fitted: some of the numbers below are too low");
    }
}

/* ---- showing ---- */

static int show_table(const struct vt_args *args, const struct stats *s, const struct table *table,
                      struct vt_json_writer *w, struct vt_error *err)
{
    char *records = calloc(table->most, table->bytes);
    if (records == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %zu rows", table->most);
    }
    struct vt_rows *rows = NULL;
    size_t n = table->fill(s, records);
    size_t shown = table->top && n > s->top ? (size_t)s->top : n;
    int rc = 0;
    if (w != NULL) {
        vt_json_key(w, table->member);
        vt_json_array(w);
    } else if (n > 0) {
        printf("\n%s\n", table->title);
        rc = vt_rows_create(args, table->columns, table->n_columns, &rows, err);
    }
    for (size_t i = 0; i < shown && rc == 0; i++) {
        const void *record = records + i * table->bytes;
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
    } else if (rows != NULL) {
        (void)vt_rows_finish(rows); /* the stream keeps a failure until the end */
        if (shown < n) {
            printf("and %zu more\n", n - shown);
        }
    }
    free(records);
    return rc;
}

static int show(const struct vt_args *args, const struct stats *s, struct vt_error *err)
{
    struct vt_json_writer json, *w = vt_args_json(args) ? &json : NULL;
    if (w != NULL) {
        vt_json_init(w, stdout, vt_args_pretty(args));
        vt_json_object(w);
        json_sums(w, s);
    } else {
        print_sums(s);
    }
    int rc = 0;
    for (size_t i = 0; i < LENGTH(tables) && rc == 0; i++) {
        rc = show_table(args, s, &tables[i], w, err);
    }
    if (w != NULL && rc == 0) {
        vt_json_object_end(w);
        vt_json_finish(w);
    }
    return rc;
}

/* ---- the verb ---- */

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct stats s = {.top = 0};
    uint64_t for_ns;
    uint32_t detail = VT_TRACE_ADDRESSES;
    const char *mode = vt_args_value(args, "mode");
    int result = vt_trace_select_read(args, &s.select);
    result = result == 0 ? vt_args_duration(args, "for", 0, &for_ns) : result;
    result = result == 0 ? vt_args_u64(args, "top", TOP, &s.top) : result;
    if (result != 0) {
        return result;
    }
    if (s.top == 0 || s.top > TOP_MAX) {
        return vt_usage_error(args, "--top takes 1 to %u", TOP_MAX);
    }
    if (mode != NULL && (!vt_trace_detail_of(mode, &detail) || detail < VT_TRACE_BLOCKS)) {
        return vt_usage_error(args, "--mode: blocks, times, addresses or values, not '%.32s'",
                              mode);
    }
    if (for_ns == 0 && mode != NULL) {
        return vt_usage_error(args, "--mode is of recording: it needs --for");
    }
    if (for_ns != 0 && (s.select.from.given || s.select.to.given)) {
        return vt_usage_error(args, "--from and --to are of what was recorded already");
    }
    int rc = survey(&s, vt_args_operand(args, 0), detail, for_ns, &err);
    rc = rc == 0 ? show(args, &s, &err) : rc;
    result = rc != 0 ? vt_report(args, &err) : vt_output_finish(stdout);
    vt_trace_survey_destroy(s.survey);
    vt_cli_trace_close(&s.trace);
    return result;
}

static const struct vt_option options[] = {
    VT_TRACE_SELECT_OPTIONS,
    {"for", "TIME", "of a VM: record that long, and not what is in its rings", false},
    {"mode", "WORD", "with --for: blocks, times, addresses (default) or values", false},
    {"top", "N", "processes and targets that are shown (default: 10)", false},
    {0},
};

const struct vt_verb vt_verb_trace_stat = {
    .name = "trace stat",
    .group = "Instructions",
    .summary = "Show how much of what was executed: by class, process, size and time",
    .operands = "VM|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Instructions that completed, by class and process; accesses by class and size; what\n"
        "interrupts and exceptions went to; each vCPU; instructions a second over time; how many\n"
        "different lines and pages were touched: of code by physical address, of data by virtual\n"
        "one, those of user space for each page table.\n\n"
        "Of a file, of what a VM's rings hold, or with --for of what a VM executes from now on; "
        "it\n"
        "waits for us rather than lose any. What was not recorded (accesses, times) is not shown.\n"
        "Classes are of x86_64; elsewhere they are unknown.",
    .examples = "vitrine trace stat run.vtrace\n"
                "vitrine trace stat run.vtrace --process sshd --from 15.3s --to 15.4s\n"
                "vitrine trace stat web --for 1s --json",
    .run = run,
};
