/* cli/cmd_trace_diff.c - `vitrine trace diff`: where two recordings part. */
#include "cli/trace_show.h"

#include "base/text.h"
#include "trace/diff.h"
#include "trace/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 8u
#define WINDOW 20000u
#define MOST 1u

struct view {
    const struct vt_args *args;
    struct vt_json_writer json;
    bool as_json;
    struct vt_cli_trace traces[2];
    bool open[2];
    uint64_t told;
};

static const char *path_of(const struct view *view, unsigned side)
{
    return vt_args_operand(view->args, side);
}

/* ---- sources ---- */

static int open_side(void *arg, enum vt_trace_diff_side side, struct vt_trace_source **source,
                     struct vt_trace_names **names, struct vt_error *err)
{
    struct view *view = arg;
    int rc = vt_cli_trace_open_named(path_of(view, side), "trace diff", &view->traces[side], err);
    if (rc == 0) {
        view->open[side] = true;
        *source = view->traces[side].source;
        *names = view->traces[side].names;
    }
    return rc;
}

static void close_side(void *arg, enum vt_trace_diff_side side)
{
    struct view *view = arg;
    if (view->open[side]) {
        vt_cli_trace_close(&view->traces[side]);
        view->open[side] = false;
    }
}

/* ---- for people ---- */

static void place_text(const struct view *view, unsigned side,
                       const struct vt_trace_diff_item *item, char text[160])
{
    struct vt_trace_place place;
    const struct vt_trace_block *block = vt_trace_block(view->traces[side].source, item->block);
    vt_trace_place(view->traces[side].names, item->root, block, item->pc, &place);
    vt_trace_place_text(&place, item->pc, text, 160);
}

static void decode(const struct view *view, unsigned side, const struct vt_trace_diff_item *item,
                   struct vt_trace_instruction *insn)
{
    const struct vt_trace_block *block = vt_trace_block(view->traces[side].source, item->block);
    *insn = (struct vt_trace_instruction){.pc = item->pc};
    if (block != NULL) {
        vt_trace_decode(block, item->instruction, insn);
    }
}

static unsigned shown_accesses(const struct vt_trace_diff_item *item)
{
    return item->n_accesses < VT_TRACE_DIFF_ACCESSES ? item->n_accesses : VT_TRACE_DIFF_ACCESSES;
}

static void print_item(const struct view *view, unsigned side, char mark,
                       const struct vt_trace_diff_item *item)
{
    struct vt_trace_instruction insn;
    char place[160];
    decode(view, side, item, &insn);
    place_text(view, side, item, place);
    printf("%c %10" PRIu64 "  %016" PRIx64 "  %-32s  %s", mark, item->number, item->pc, place,
           insn.text);
    for (unsigned i = 0; i < shown_accesses(item); i++) {
        const struct vt_trace_access *a = &item->accesses[i];
        printf("  %s%u 0x%" PRIx64, a->store ? "store" : "load", a->bytes * 8u, a->address);
        if (a->has_value && a->bytes == 16) {
            printf(" = 0x%016" PRIx64 "%016" PRIx64, a->value[1], a->value[0]);
        } else if (a->has_value) {
            printf(" = 0x%" PRIx64, a->value[0]);
        }
    }
    puts(item->n_accesses > VT_TRACE_DIFF_ACCESSES ? "  …" : "");
}

static void print_registers(const struct view *view, const struct vt_trace_divergence *d)
{
    const struct vt_trace_info *info = vt_trace_source_info(view->traces[0].source);
    const struct vt_trace_diff_registers *a = &d->registers[0], *b = &d->registers[1];
    for (uint32_t i = 0; a->known && b->known && i < a->n && i < b->n && i < info->n_registers;
         i++) {
        char name[64];
        if (a->values[i] != b->values[i]) {
            vt_text_printable(name, sizeof name, info->registers[i], strlen(info->registers[i]));
            printf("  register %s, last recorded before 0x%" PRIx64 " and 0x%" PRIx64 ": 0x%" PRIx64
                   " | 0x%" PRIx64 "\n",
                   name, a->pc, b->pc, a->values[i], b->values[i]);
        }
    }
}

static void print_lane(const struct vt_trace_divergence *d)
{
    if (d->vcpu == UINT32_MAX) {
        fputs("the process", stdout);
    } else {
        printf("vCPU %" PRIu32, d->vcpu);
    }
}

static void print_divergence(const struct view *view, const struct vt_trace_divergence *d)
{
    fputs(view->told > 0 ? "\n" : "", stdout);
    print_lane(d);
    puts(d->data ? ": the same instruction, other data" : ": other instructions");
    for (uint32_t i = 0; i < d->n_before; i++) {
        print_item(view, 0, ' ', &d->before[i]);
    }
    for (unsigned side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < d->n_after[side]; i++) {
            bool again = d->met && !d->data && i >= d->skipped[side];
            if (!again) {
                print_item(view, side, side == 0 ? '-' : '+', &d->after[side][i]);
            }
        }
        if (d->ended[side]) {
            printf("%c %s ends here\n", side == 0 ? '-' : '+', side == 0 ? "A" : "B");
        } else if (d->n_after[side] < d->skipped[side]) {
            printf("%c %10s  %" PRIu64 " more\n", side == 0 ? '-' : '+', "…",
                   d->skipped[side] - d->n_after[side]);
        }
    }
    print_registers(view, d);
    if (d->has_data_before) {
        puts("  the first other data before it:");
        print_item(view, 0, '-', &d->data_before[0]);
        print_item(view, 1, '+', &d->data_before[1]);
    }
    if (!d->data && d->met) {
        printf("  they meet again after %" PRIu64 " instructions of A and %" PRIu64 " of B\n",
               d->skipped[0], d->skipped[1]);
    }
}

/* ---- for programs ---- */

static void write_item(struct view *view, unsigned side, const struct vt_trace_diff_item *item)
{
    struct vt_json_writer *w = &view->json;
    struct vt_trace_instruction insn;
    char place[160];
    decode(view, side, item, &insn);
    place_text(view, side, item, place);
    vt_json_object(w);
    vt_json_kv_u64(w, "number", item->number);
    vt_json_kv_u64(w, "vcpu", item->vcpu);
    vt_json_kv_u64(w, "time_ns", item->time_ns);
    vt_json_kv_hex(w, "pc", item->pc);
    vt_json_kv_string(w, "place", place);
    vt_json_kv_string(w, "text", insn.text);
    vt_json_key(w, "accesses");
    vt_json_array(w);
    for (unsigned i = 0; i < shown_accesses(item); i++) {
        const struct vt_trace_access *a = &item->accesses[i];
        vt_json_object(w);
        vt_json_kv_bool(w, "store", a->store);
        vt_json_kv_u64(w, "bytes", a->bytes);
        vt_json_kv_hex(w, "address", a->address);
        if (a->has_value) {
            vt_json_kv_hex(w, "value", a->value[0]);
            if (a->bytes == 16) {
                vt_json_kv_hex(w, "value_high", a->value[1]);
            }
        }
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_object_end(w);
}

static void write_items(struct view *view, const char *key, unsigned side,
                        const struct vt_trace_diff_item *items, uint32_t n)
{
    vt_json_key(&view->json, key);
    vt_json_array(&view->json);
    for (uint32_t i = 0; i < n; i++) {
        write_item(view, side, &items[i]);
    }
    vt_json_array_end(&view->json);
}

static void write_registers(struct view *view, const struct vt_trace_divergence *d)
{
    const struct vt_trace_info *info = vt_trace_source_info(view->traces[0].source);
    const struct vt_trace_diff_registers *a = &d->registers[0], *b = &d->registers[1];
    struct vt_json_writer *w = &view->json;
    vt_json_key(w, "registers");
    vt_json_array(w);
    for (uint32_t i = 0; a->known && b->known && i < a->n && i < b->n && i < info->n_registers;
         i++) {
        if (a->values[i] != b->values[i]) {
            vt_json_object(w);
            vt_json_kv_string(w, "name", info->registers[i]);
            vt_json_kv_hex(w, "a", a->values[i]);
            vt_json_kv_hex(w, "b", b->values[i]);
            vt_json_object_end(w);
        }
    }
    vt_json_array_end(w);
}

static void write_divergence(struct view *view, const struct vt_trace_divergence *d)
{
    struct vt_json_writer *w = &view->json;
    vt_json_object(w);
    if (d->vcpu != UINT32_MAX) {
        vt_json_kv_u64(w, "vcpu", d->vcpu);
    }
    vt_json_kv_string(w, "kind", d->data ? "data" : "instructions");
    vt_json_kv_bool(w, "a_ended", d->ended[0]);
    vt_json_kv_bool(w, "b_ended", d->ended[1]);
    vt_json_kv_bool(w, "met", d->met);
    vt_json_kv_u64(w, "skipped_a", d->skipped[0]);
    vt_json_kv_u64(w, "skipped_b", d->skipped[1]);
    write_items(view, "before", 0, d->before, d->n_before);
    write_items(view, "a", 0, d->after[0], d->n_after[0]);
    write_items(view, "b", 1, d->after[1], d->n_after[1]);
    write_registers(view, d);
    if (d->has_data_before) {
        write_items(view, "data_before_a", 0, &d->data_before[0], 1);
        write_items(view, "data_before_b", 1, &d->data_before[1], 1);
    }
    vt_json_object_end(w);
}

static int tell(void *arg, const struct vt_trace_divergence *d, struct vt_error *err)
{
    struct view *view = arg;
    if (view->as_json) {
        write_divergence(view, d);
    } else {
        print_divergence(view, d);
    }
    view->told++;
    return ferror(stdout) ? vt_fail(err, VT_E_IO, "cannot write") : 0;
}

/* ---- what is asked for ---- */

/* The root of a process that a file names; or a root as it is. */
static int find_root(struct view *view, unsigned side, const char *what, uint64_t *root,
                     struct vt_error *err)
{
    uint64_t number = 0, found = 0;
    size_t n = 0;
    bool is_number = vt_parse_u64(what, &number, NULL) == 0;
    if (is_number && strncmp(what, "0x", 2) == 0) {
        *root = number;
        return 0;
    }
    struct vt_trace_source *source;
    struct vt_trace_names *names;
    int rc = open_side(view, (enum vt_trace_diff_side)side, &source, &names, err);
    const struct vt_trace_file_about *about = rc == 0 ? vt_trace_file_about(source) : NULL;
    for (size_t i = 0; about != NULL && i < about->n_roots; i++) {
        const struct vt_trace_file_root_name *r = &about->roots[i];
        bool is =
            is_number ? r->pid == (int64_t)number : r->name != NULL && strcmp(r->name, what) == 0;
        if (is && (n == 0 || r->root != found)) {
            found = r->root;
            n++;
        }
    }
    close_side(view, (enum vt_trace_diff_side)side);
    if (rc != 0) {
        return rc;
    }
    if (n != 1) {
        return vt_fail(err, n == 0 ? VT_E_NOT_FOUND : VT_E_INVAL,
                       n == 0
                           ? "%.200s: no process '%.32s' is named in it"
                           : "%.200s: several processes are '%.32s': give a pid, or a root as 0x…",
                       path_of(view, side), what);
    }
    *root = found;
    return 0;
}

static int read_numbers(const struct vt_args *args, struct vt_trace_diff_options *o)
{
    uint64_t context, window;
    int rc = vt_args_u64(args, "context", CONTEXT, &context);
    rc = rc != 0 ? rc : vt_args_u64(args, "window", WINDOW, &window);
    rc = rc != 0 ? rc : vt_args_u64(args, "count", MOST, &o->most);
    rc = rc != 0 ? rc : vt_args_u64(args, "from", 0, &o->from);
    if (rc == 0 && context > VT_TRACE_DIFF_CONTEXT_MAX) {
        return vt_usage_error(args, "--context: at most %u", VT_TRACE_DIFF_CONTEXT_MAX);
    }
    if (rc == 0 && window > VT_TRACE_DIFF_WINDOW_MAX) {
        return vt_usage_error(args, "--window: at most %u", VT_TRACE_DIFF_WINDOW_MAX);
    }
    o->context = rc == 0 ? (uint32_t)context : 0;
    o->window = rc == 0 ? (uint32_t)window : 0;
    return rc;
}

static int find_roots(struct view *view, struct vt_trace_diff_options *o, struct vt_error *err)
{
    int rc = 0;
    for (unsigned side = 0; side < 2 && rc == 0; side++) {
        const char *what = vt_args_value_at(view->args, "process", side);
        what = what != NULL ? what : vt_args_value_at(view->args, "process", 0);
        if (what != NULL) {
            o->by_root = true;
            rc = find_root(view, side, what, &o->roots[side], err);
        }
    }
    return rc;
}

/* ---- the verb ---- */

static void finish(struct view *view, const struct vt_trace_diff_result *r)
{
    struct vt_json_writer *w = &view->json;
    if (view->as_json) {
        vt_json_array_end(w);
        vt_json_kv_bool(w, "equal", r->divergences == 0);
        vt_json_kv_bool(w, "stopped", r->stopped);
        vt_json_kv_u64(w, "instructions_equal", r->equal);
        vt_json_kv_u64(w, "skipped_a", r->skipped[0]);
        vt_json_kv_u64(w, "skipped_b", r->skipped[1]);
        vt_json_kv_u64(w, "lost_words_a", r->lost_words[0]);
        vt_json_kv_u64(w, "lost_words_b", r->lost_words[1]);
        vt_json_object_end(w);
        vt_json_finish(w);
    } else {
        printf("%s%" PRIu64 " instructions are equal, %" PRIu64 " divergence%s%s\n",
               r->divergences > 0 ? "\n" : "", r->equal, r->divergences,
               r->divergences == 1 ? "" : "s", r->stopped ? "; not looked further (--count)" : "");
    }
    for (unsigned side = 0; side < 2; side++) {
        if (r->lost_words[side] > 0) {
            fprintf(stderr, "%" PRIu64 " words of %s were lost: what differs there may not\n",
                    r->lost_words[side], side == 0 ? "A" : "B");
        }
    }
}

static int compare(struct view *view, const struct vt_trace_diff_options *o, struct vt_error *err)
{
    const struct vt_trace_diff_opener opener = {
        .open = open_side, .close = close_side, .tell = tell, .arg = view};
    struct vt_trace_diff_result result;
    if (view->as_json) {
        vt_json_init(&view->json, stdout, vt_args_pretty(view->args));
        vt_json_object(&view->json);
        vt_json_kv_string(&view->json, "a", path_of(view, 0));
        vt_json_kv_string(&view->json, "b", path_of(view, 1));
        vt_json_key(&view->json, "divergences");
        vt_json_array(&view->json);
    }
    int rc = vt_trace_diff(&opener, o, &result, err);
    if (rc == 0) {
        finish(view, &result);
    }
    return rc != 0 ? rc : result.divergences > 0;
}

static int run(const struct vt_args *args)
{
    struct view view = {.args = args, .as_json = vt_args_json(args)};
    struct vt_trace_diff_options o = {.ignore_interrupts = vt_args_flag(args, "ignore-interrupts"),
                                      .user = vt_args_flag(args, "user"),
                                      .relocate = vt_args_flag(args, "relocate"),
                                      .data = vt_args_flag(args, "data"),
                                      .prefix = vt_args_flag(args, "prefix"),
                                      .has_from = vt_args_value(args, "from") != NULL,
                                      .stop = &vt_interrupted};
    struct vt_error err;
    int result = read_numbers(args, &o);
    if (result != 0) {
        return result;
    }
    int rc = find_roots(&view, &o, &err);
    rc = rc == 0 ? compare(&view, &o, &err) : rc;
    if (rc < 0) {
        /* 1 says that they differ. */
        if (ferror(stdout)) {
            result = vt_output_finish(stdout);
        } else {
            result = vt_report(args, &err);
        }
        return result == VT_EXIT_FAILED ? VT_EXIT_USAGE : result;
    }
    result = vt_output_finish(stdout);
    return result == VT_EXIT_OK && rc == 1 ? VT_EXIT_FAILED : result;
}

static const struct vt_option options[] = {
    {"process", "WHAT", "one process's user code: name, pid or root; again: of B", true},
    {"user", NULL, "user code alone", false},
    {"ignore-interrupts", NULL, "leave out what interrupts run, up to their return", false},
    {"relocate", NULL, "code may lie elsewhere, by whole pages (ASLR)", false},
    {"data", NULL, "other accesses, values and registers are a divergence, too", false},
    {"from", "ADDR", "begin where this address is first reached", false},
    {"prefix", NULL, "one may end before the other", false},
    {"count", "N", "show N divergences (default: 1; 0: all)", false},
    {"context", "N", "instructions shown before and after (default: 8)", false},
    {"window", "N", "meet again within N instructions (default: 20000; 0: never)", false},
    {0},
};

const struct vt_verb vt_verb_trace_diff = {
    .name = "trace diff",
    .group = "Instructions",
    .summary = "Find where two recordings of what should be the same part",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "A and B are files that 'vitrine trace VM --out FILE' kept. Every instruction that "
        "completed is\n"
        "compared, vCPU by vCPU, by address and bytes. Shown are the last ones that are equal, "
        "what A (-)\n"
        "and B (+) execute instead, what differs in registers and memory where that was recorded, "
        "and where\n"
        "they meet again.\n\n"
        "Two runs are rarely equal to the instruction unless QEMU counts instructions (-icount): "
        "timers come\n"
        "where they come. --ignore-interrupts leaves out what runs for them; --process compares "
        "what a\n"
        "program does, on whatever vCPU; --relocate when it lies elsewhere each time.\n\n"
        "Exits with 0 when nothing differs, with 1 when something does, and with 2 or 3 when files "
        "cannot\n"
        "be compared.",
    .examples = "vitrine trace diff good.vtrace bad.vtrace\n"
                "vitrine trace diff good.vtrace bad.vtrace --process server --relocate --count 5\n"
                "vitrine trace diff a.vtrace b.vtrace --ignore-interrupts --data --json",
    .run = run,
};
