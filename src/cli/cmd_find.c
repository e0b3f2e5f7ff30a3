/* cli/cmd_find.c - `vitrine find`: text, bytes and YARA rules in a guest's memory. */
#include "base/text.h"
#include "cli/target.h"
#include "guest/find/shown.h"

#include <inttypes.h>
#include <string.h>

#define LIMIT_DEFAULT 10000u
#define ENOUGH 1

static const struct vt_column count_columns[] = {
    {.key = "pattern", .title = "PATTERN", .kind = VT_CELL_TEXT},
    {.key = "matches", .title = "MATCHES", .kind = VT_CELL_U64},
};

struct finding {
    struct vt_target *target;
    struct vt_find_where where;
    struct vt_space space;
    struct vt_rows *rows; /* NULL: only count */
    struct vt_share share;
    uint64_t context, limit, n;
    bool owner;
    uint64_t counts[VT_FIND_PATTERNS_MAX + 1];
    struct vt_find_shown shown;
};

/* ---------------------------------------------------------------- searching */

static int on_match(const struct vt_find_match *m, void *arg)
{
    struct finding *f = arg;
    f->counts[m->index]++;
    if (f->rows != NULL) {
        vt_find_show(m, &f->where, f->target->kernel, f->owner, f->context, &f->shown);
        vt_cell_record(f->rows, &f->shown, VT_FIND_SHOWN_COLUMNS);
    }
    return ++f->n == f->limit ? ENOUGH : 0;
}

static int on_progress(uint64_t done, uint64_t total, void *arg)
{
    struct finding *f = arg;
    vt_progress_share(&f->share, done, total);
    return vt_interrupted;
}

/* What the arguments ask to look for. */
static int take_patterns(const struct vt_args *args, struct vt_find *find, struct vt_error *err)
{
    unsigned flags = vt_args_flag(args, "ignore-case") ? VT_FIND_IGNORE_CASE : 0;
    const char *text;
    int rc = 0;
    for (unsigned i = 1; rc == 0 && (text = vt_args_operand(args, i)) != NULL; i++) {
        rc = vt_find_add_text(find, text, flags, err);
        if (rc == 0 && vt_args_flag(args, "wide")) {
            rc = vt_find_add_text(find, text, flags | VT_FIND_WIDE, err);
        }
    }
    for (unsigned i = 0; rc == 0 && (text = vt_args_value_at(args, "hex", i)) != NULL; i++) {
        rc = vt_find_add_hex(find, text, err);
    }
    if (rc == 0 && (text = vt_args_value(args, "yara")) != NULL) {
        rc = vt_find_add_rules(find, text, err);
    }
    if (rc == 0 && vt_find_patterns(find) == 0 && vt_args_value(args, "yara") == NULL) {
        rc = vt_fail(err, VT_E_INVAL, "needs TEXT, --hex BYTES or --yara FILE");
    }
    return rc;
}

/* Which addresses: RAM's, the kernel's half, or a process's. */
static int take_where(const struct vt_args *args, struct vt_target *t, struct finding *f,
                      struct vt_error *err)
{
    const char *text = vt_args_value(args, "pid");
    enum vt_find_half half = text != NULL                   ? VT_FIND_PROCESS
                             : vt_args_flag(args, "kernel") ? VT_FIND_KERNEL
                                                            : VT_FIND_RAM;
    uint64_t pid = 0;
    int rc = text != NULL ? vt_parse_u64(text, &pid, err) : 0;
    if (rc == 0 && text != NULL && (pid == 0 || pid > INT32_MAX)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no process %" PRIu64, t->name, pid);
    }
    if (rc == 0 && f->owner) {
        rc = vt_target_kernel(t, err);
    }
    return rc != 0 ? rc : vt_find_in(t, half, (int32_t)pid, &f->space, &f->where, err);
}

static int run_counts(const struct vt_args *args, const struct vt_find *find,
                      const struct finding *f, struct vt_error *err)
{
    struct vt_rows *rows;
    unsigned n = vt_find_patterns(find);
    if (vt_rows_create(args, count_columns, sizeof count_columns / sizeof count_columns[0], &rows,
                       err) != 0) {
        return vt_report(args, err);
    }
    for (unsigned i = 0; i < n; i++) {
        vt_cell_text(rows, vt_find_pattern(find, i));
        vt_cell_u64(rows, f->counts[i]);
    }
    if (vt_args_value(args, "yara") != NULL) {
        vt_cell_text(rows, vt_args_value(args, "yara"));
        vt_cell_u64(rows, f->counts[n]);
    }
    return vt_rows_finish(rows);
}

static int search(const struct vt_args *args, struct vt_target *t, struct vt_find *find,
                  struct finding *f)
{
    struct vt_error err;
    struct vt_find_result result = {0};
    bool count = vt_args_flag(args, "count");
    int rc = take_where(args, t, f, &err);
    rc = rc != 0 ? rc : vt_cli_pause(args, t, &err);
    if (rc == 0 && !count) {
        rc = vt_rows_create_in(args, "matches", vt_find_shown_columns, VT_FIND_SHOWN_COLUMNS,
                               &f->rows, &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    rc = vt_find_run(find, &f->where, on_match, on_progress, f, &result, &err);
    vt_progress("%s", "");
    bool limited = rc == ENOUGH || result.limited;
    int status = VT_EXIT_OK;
    if (f->rows != NULL) {
        struct vt_json_writer *w = vt_rows_members(f->rows);
        if (w != NULL) {
            vt_json_kv_u64(w, "searched_bytes", result.space_bytes);
            vt_json_kv_bool(w, "complete", rc == 0 && !limited);
        }
        status = vt_rows_finish(f->rows);
    }
    if (rc != 0 && rc != ENOUGH) {
        return vt_report(args, &err);
    }
    if (rc == ENOUGH) {
        fprintf(stderr, "vitrine find: stopped at %" PRIu64 " matches (--limit)\n", f->n);
    } else if (result.limited) {
        fprintf(stderr, "vitrine find: not all was searched: %s\n", result.why);
    }
    if (count) {
        status = run_counts(args, find, f, &err);
    }
    return status == VT_EXIT_OK && f->n == 0 ? VT_EXIT_NOT_FOUND : status;
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    struct vt_find *find = NULL;
    struct finding f = {
        .target = &t, .share = {.what = "searching"}, .owner = vt_args_flag(args, "owner")};
    int result = vt_args_bytes(args, "context", 0, &f.context);
    uint64_t all = vt_args_flag(args, "count") ? 0 : LIMIT_DEFAULT;
    result = result != 0 ? result : vt_args_u64(args, "limit", all, &f.limit);
    if (result != 0) {
        return result;
    }
    if (f.context > VT_FIND_CONTEXT_MAX) {
        return vt_usage_error(args, "--context: at most %u bytes", VT_FIND_CONTEXT_MAX);
    }
    if (vt_args_flag(args, "kernel") && vt_args_value(args, "pid") != NULL) {
        return vt_usage_error(args, "--kernel excludes --pid");
    }
    if (vt_find_create(&find, &err) != 0) {
        return vt_report(args, &err);
    }
    int rc = take_patterns(args, find, &err);
    if (rc != 0) {
        result = rc == VT_E_INVAL || rc == VT_E_LIMIT ? vt_usage_error(args, "%s", err.message)
                                                      : vt_report(args, &err);
        vt_find_destroy(find);
        return result;
    }
    const char *first =
        vt_find_patterns(find) > 0 ? vt_find_pattern(find, 0) : vt_args_value(args, "yara");
    const char *pid = vt_args_value(args, "pid");
    char detail[256];
    snprintf(detail, sizeof detail, "%.200s%s%s", first, pid != NULL ? " pid " : "",
             pid != NULL ? pid : "");
    result = vt_cli_open(args, "find", VT_CLI_RAM, detail, &t);
    if (result == 0) {
        result = vt_cli_close(args, &t, search(args, &t, find, &f));
    }
    vt_find_destroy(find);
    return result;
}

static const struct vt_option options[] = {
    {"hex", "BYTES", "bytes in hex, '?' for any digit: \"48 8b ?? 4?\"", true},
    {"yara", "FILE", "YARA rules", false},
    {"wide", NULL, "TEXT as UTF-16, too", false},
    {"ignore-case", NULL, "letters of TEXT match both cases", false},
    {"kernel", NULL, "search the kernel's address space", false},
    {"pid", "PID", "search the user memory of that process", false},
    {"context", "N", "show N bytes before and after, too", false},
    {"limit", "N", "stop after N matches (default 10000; 0: never)", false},
    {"count", NULL, "only count matches", false},
    {"owner", NULL, "say what Linux uses each page for", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_find_memory = {
    .name = "find",
    .group = "Memory",
    .summary = "Find text, bytes or YARA rules in the guest's memory",
    .operands = "VM [TEXT...]",
    .min_operands = 1,
    .max_operands = VT_FIND_PATTERNS_MAX / 2 + 1,
    .options = options,
    .description =
        "Searches all RAM, or with --kernel or --pid what that address space maps; pages never\n"
        "used are passed over. Matches may go over any page border, also where the pages lie\n"
        "scattered in RAM. ADDRESS is one of the space that is searched; IN names the kernel\n"
        "symbol it lies in, or with --owner what the page is used for. Each match is read a\n"
        "second time: TRUST is torn when it was not there any more.\n\n"
        "The conditions of YARA rules see a whole search as one scan of a process. The exit\n"
        "status is 3 when nothing was found.",
    .examples = "vitrine find web 'BEGIN RSA PRIVATE KEY' --context 16\n"
                "vitrine find web password --wide --ignore-case --pid 85\n"
                "vitrine find web --hex '7f 45 4c 46 02 01' --count\n"
                "vitrine find web --yara rules.yar --json",
    .run = run,
};
