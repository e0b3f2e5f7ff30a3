/* cli/cmd_ask.c - `vitrine ask`: a question in words, and its answer: a text, rows, places, and
 * what it came from.
 */
#include "base/text.h"
#include "cli/target.h"
#include "semantic/answer_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_SHOWN 40
#define COLUMNS_MAX 64

/* ---------------------------------------------------------------- rows */

static bool ends_with(const char *key, const char *end)
{
    size_t n = strlen(key), m = strlen(end);
    return n >= m && strcmp(key + n - m, end) == 0;
}

/* A column by its key: there is no other word about it in a row. */
static enum vt_cell_kind kind_of(const char *key, const json_t *rows)
{
    json_t *row;
    size_t i;
    if (strcmp(key, "bytes") == 0 || ends_with(key, "_bytes")) {
        return VT_CELL_BYTES;
    }
    json_array_foreach(rows, i, row)
    {
        const json_t *value = json_object_get(row, key);
        if (json_is_string(value) && strncmp(json_string_value(value), "0x", 2) != 0) {
            return VT_CELL_TEXT;
        }
    }
    return VT_CELL_I64; /* for the eye: right-aligned */
}

static bool is_time(const char *key)
{
    return strcmp(key, "time") == 0 || ends_with(key, "_seen");
}

static void print_cell(struct vt_rows *rows, const char *key, enum vt_cell_kind kind,
                       const json_t *value)
{
    char text[1024];
    time_t seconds;
    struct tm t;
    switch (json_typeof(value)) {
    case JSON_STRING:
        vt_text_printable(text, sizeof text, json_string_value(value), json_string_length(value));
        vt_cell_formatted(rows, text);
        break;
    case JSON_INTEGER:
        if (kind == VT_CELL_BYTES) {
            vt_cell_u64(rows, (uint64_t)json_integer_value(value));
        } else {
            snprintf(text, sizeof text, "%" PRId64, (int64_t)json_integer_value(value));
            vt_cell_formatted(rows, text);
        }
        break;
    case JSON_REAL:
        seconds = (time_t)json_real_value(value);
        /* Of the guest's log, times are since its boot. */
        if (is_time(key) && seconds > 1000000000 && localtime_r(&seconds, &t) != NULL) {
            strftime(text, sizeof text, "%H:%M:%S", &t);
        } else {
            snprintf(text, sizeof text, "%.3f", json_real_value(value));
        }
        vt_cell_formatted(rows, text);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        vt_cell_formatted(rows, json_is_true(value) ? "yes" : "no");
        break;
    default:
        vt_cell_formatted(rows, "-");
        break;
    }
}

/* The rows' members are the columns: all rows have the same. */
static int print_rows(const struct vt_answer *answer)
{
    struct vt_column columns[COLUMNS_MAX];
    unsigned n = 0;
    const char *key;
    json_t *row, *value;
    size_t i;
    struct vt_rows *rows;
    struct vt_error err;
    json_object_foreach(json_array_get(answer->rows, 0), key, value)
    {
        if (n < COLUMNS_MAX) {
            columns[n++] =
                (struct vt_column){.key = key, .title = key, .kind = kind_of(key, answer->rows)};
        }
    }
    const struct vt_output to = {stdout, false, false};
    if (n == 0) {
        return VT_EXIT_OK;
    }
    putchar('\n');
    if (vt_rows_create_to(&to, NULL, columns, n, &rows, &err) != 0) {
        return VT_EXIT_FAILED;
    }
    json_array_foreach(answer->rows, i, row)
    {
        for (unsigned k = 0; k < n && i < ROWS_SHOWN; k++) {
            value = json_object_get(row, columns[k].key);
            if (value == NULL) {
                vt_cell_formatted(rows, "-");
            } else {
                print_cell(rows, columns[k].key, columns[k].kind, value);
            }
        }
    }
    int result = vt_rows_finish(rows);
    if (i > ROWS_SHOWN) {
        printf("… and %zu more rows: see --json\n", i - ROWS_SHOWN);
    }
    return result;
}

/* ---------------------------------------------------------------- places */

static void print_places(const struct vt_answer *answer)
{
    struct vt_box box = answer->n_places > 0 ? answer->places[0].box : (struct vt_box){0};
    char bytes[32];
    if (answer->n_places == 0) {
        return;
    }
    for (size_t i = 1; i < answer->n_all_places; i++) {
        const struct vt_box *b = &answer->places[i].box;
        for (unsigned k = 0; k < 3; k++) {
            box.min[k] = b->min[k] < box.min[k] ? b->min[k] : box.min[k];
            box.max[k] = b->max[k] > box.max[k] ? b->max[k] : box.max[k];
        }
    }
    printf("\n%zu %s of memory, %s, in the volume of %u^3 within (%" PRIu32 ",%" PRIu32 ",%" PRIu32
           ")-(%" PRIu32 ",%" PRIu32 ",%" PRIu32 ")\n",
           answer->n_all_places, answer->n_all_places == 1 ? "range" : "ranges",
           vt_format_bytes(bytes, sizeof bytes, answer->place_bytes), 1u << answer->volume_order,
           box.min[0], box.min[1], box.min[2], box.max[0], box.max[1], box.max[2]);
}

/* ---------------------------------------------------------------- the verb */

static int show(const struct vt_args *args, const struct vt_answer *answer)
{
    if (vt_args_json(args)) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, vt_args_pretty(args));
        vt_answer_write(answer, SIZE_MAX, SIZE_MAX, &w);
        vt_json_finish(&w);
        return vt_output_finish(stdout);
    }
    printf("%s\n", answer->text);
    int result = print_rows(answer);
    print_places(answer);
    if (answer->sql != NULL) {
        printf("\nfrom: %s", answer->sql);
    }
    if (answer->verb != NULL) {
        printf("\nsee:  %s", answer->verb);
    }
    fputs(answer->sql != NULL || answer->verb != NULL ? "\n" : "", stdout);
    int finished = vt_output_finish(stdout);
    return result != 0 ? result : finished;
}

static int highlight(const struct vt_args *args, const struct vt_answer *answer,
                     struct vt_target *target, struct vt_error *err)
{
    const char *name = vt_args_value(args, "as");
    bool asked = vt_args_flag(args, "highlight") || name != NULL;
    if (!answer->understood || (!asked && !answer->question.highlight)) {
        return 0;
    }
    if (target->vm == NULL) {
        return asked ? vt_fail(err, VT_E_UNSUPPORTED, "only a VM that runs has highlights") : 0;
    }
    if (!asked && answer->n_all_places == 0) {
        return 0; /* the answer says so */
    }
    return vt_answer_highlight(answer, target->vm, name, err);
}

static int ask(const struct vt_args *args, struct vt_target *target, const char *question)
{
    struct vt_error err;
    struct vt_database db;
    struct vt_answer answer;
    int rc = target->ended ? 0 : vt_target_kernel(target, &err);
    rc = rc != 0 ? rc : vt_database_open(target, &db, &err);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    rc = vt_ask(target, db.sql, question, &vt_interrupted, &answer, &err);
    if (rc != 0) {
        vt_database_close(&db);
        return vt_report(args, &err);
    }
    int result = show(args, &answer);
    if (!answer.understood && result == VT_EXIT_OK) {
        result = VT_EXIT_USAGE;
    }
    rc = highlight(args, &answer, target, &err);
    if (rc != 0) {
        result = vt_report(args, &err);
    }
    vt_answer_fini(&answer);
    vt_database_close(&db);
    return result;
}

static void list_example(enum vt_intent intent, const char *example, void *arg)
{
    vt_cell_text(arg, vt_intent_name(intent));
    vt_cell_text(arg, example);
}

static int list_examples(const struct vt_args *args)
{
    static const struct vt_column columns[] = {
        {.key = "intent", .title = "INTENT", .kind = VT_CELL_TEXT},
        {.key = "question", .title = "QUESTION", .kind = VT_CELL_TEXT},
    };
    struct vt_rows *rows;
    struct vt_error err;
    if (vt_rows_create(args, columns, 2, &rows, &err) != 0) {
        return vt_report(args, &err);
    }
    vt_question_examples(list_example, rows);
    return vt_rows_finish(rows);
}

static int run(const struct vt_args *args)
{
    const char *question = vt_args_operand(args, 1);
    struct vt_target target;
    if (vt_args_flag(args, "examples")) {
        return list_examples(args);
    }
    if (vt_args_operands(args) < 2) {
        return vt_usage_error(args, "needs VM QUESTION, or --examples");
    }
    int result = vt_cli_open(args, "ask", VT_CLI_DATABASE, question, &target);
    if (result != 0) {
        return result;
    }
    return vt_cli_close(args, &target, ask(args, &target, question));
}

static const struct vt_option options[] = {
    {"highlight", NULL, "make the answer's places a highlight of the VM", false},
    {"as", "NAME", "name of the highlight, and make it (default: from the question)", false},
    {"examples", NULL, "list what can be asked", false},
    {0},
};

const struct vt_verb vt_verb_ask = {
    .name = "ask",
    .group = "Ask",
    .summary = "Ask a guest in words",
    .operands = "VM QUESTION",
    .max_operands = 2,
    .options = options,
    .description =
        "Answers a question in English from the guest's memory and from what was sampled of it:\n"
        "in words, with rows, with the places in memory it speaks of, and with the SQL or the\n"
        "verb that says the same. When nobody samples the VM, one sample is taken first, so that\n"
        "there is a history to ask for. Of a VM that has ended, its database is asked.\n"
        "\n"
        "A question that could mean several things is answered by what it could mean; one that is\n"
        "not understood, by what can be asked. Both end with status 2. A question that says\n"
        "\"highlight\" makes a highlight, as --highlight does.",
    .examples = "  vitrine ask web \"where is the SSH daemon?\"\n"
                "  vitrine ask web \"show me the page tables for PID 42\" --json\n"
                "  vitrine ask web \"highlight kernel memory allocations\" --as kernel\n"
                "  vitrine ask web \"what changed in the last minute?\"",
    .run = run,
};
