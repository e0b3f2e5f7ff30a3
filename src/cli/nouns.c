/* cli/nouns.c - one verb for each noun, made from its table of columns. See nouns.h.
 *
 * The object's address and the reason of a doubt are in JSON only.
 */
#include "cli/nouns.h"

#include "base/text.h"
#include "cli/args.h"
#include "guest/linux/rows.h"

#include <inttypes.h>
#include <string.h>

struct printing {
    const struct vt_output *to;
    const struct vt_noun *noun;
    struct vt_column columns[VT_NOUN_COLUMNS_MAX];
    unsigned n_columns, trust;
    struct vt_rows *rows; /* NULL until something is to be printed */
    struct vt_error *err;
};

static int interrupted(void *arg, struct vt_error *err)
{
    (void)arg;
    return vt_interrupted ? vt_fail(err, VT_E_INTERRUPTED, "interrupted") : 0;
}

static int begin(struct printing *p)
{
    p->n_columns = vt_noun_columns(p->noun, p->columns, &p->trust);
    return vt_rows_create_to(p->to, NULL, p->columns, p->n_columns, &p->rows, p->err);
}

static int print_row(const struct vt_row *row, void *arg)
{
    struct printing *p = arg;
    int rc = p->rows == NULL ? begin(p) : 0;
    if (rc != 0) {
        return rc;
    }
    vt_cell_record(p->rows, row, p->trust);
    vt_cell_text(p->rows, vt_trust_name(row->trust));
    vt_cell_record(p->rows, row, p->n_columns - p->trust - 1);
    return interrupted(NULL, p->err);
}

static int write_json(const struct vt_output *to, struct vt_kernel *kernel,
                      const struct vt_noun *noun, const struct vt_noun_query *query,
                      struct vt_noun_result *result, int *status, struct vt_error *err)
{
    const struct vt_noun_json how = {.check = interrupted};
    struct vt_json_writer w;
    vt_json_init(&w, to->out, to->pretty);
    int rc = vt_noun_write_json(&w, kernel, noun, query, &how, result, err);
    if (w.has_item[0]) {
        vt_json_finish(&w);
    }
    *status = vt_output_finish(to->out);
    return rc;
}

int vt_noun_write(const struct vt_output *to, struct vt_kernel *kernel, const struct vt_noun *noun,
                  const struct vt_noun_query *query, struct vt_noun_result *result, int *status,
                  struct vt_error *err)
{
    struct printing p = {.to = to, .noun = noun, .err = err};
    if (to->json) {
        return write_json(to, kernel, noun, query, result, status, err);
    }
    *result = (struct vt_noun_result){0};
    int rc = vt_noun_walk(kernel, noun, query, print_row, &p, result, err);
    if (rc == 0 && p.rows == NULL) {
        rc = begin(&p);
    }
    if (p.rows == NULL) {
        *status = VT_EXIT_OK;
        return rc;
    }
    if (rc != 0) {
        result->torn = true;
        snprintf(result->why, sizeof result->why, "%.150s", err->message);
    }
    *status = vt_rows_finish(p.rows);
    return rc;
}

int vt_noun_print(const struct vt_args *args, struct vt_target *target, const struct vt_noun *noun,
                  const struct vt_noun_query *query)
{
    struct vt_error err;
    struct vt_noun_result result;
    const struct vt_output to = {stdout, vt_args_json(args), vt_args_pretty(args)};
    int status;
    int rc = vt_cli_pause(args, target, &err);
    if (rc == 0) {
        rc = vt_noun_write(&to, target->kernel, noun, query, &result, &status, &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    if (noun->checks && !to.json) {
        fprintf(stderr, "vitrine %s: %" PRIu64 " checked, %" PRIu64 " with a finding\n", noun->name,
                result.checked != 0 ? result.checked : result.rows, result.findings);
    }
    if (result.torn) {
        fprintf(stderr, "vitrine %s: the list may be incomplete: %s\n", noun->name, result.why);
    }
    return status;
}

static int run(const struct vt_args *args)
{
    const struct vt_noun *noun = vt_noun_find(args->verb->name);
    struct vt_noun_query query = {.text = vt_args_operand(args, 1)};
    struct vt_target target;
    char detail[256] = "";
    if (noun->by_pid) {
        uint64_t pid;
        int result = vt_args_u64(args, "pid", 0, &pid);
        if (result != 0) {
            return result;
        }
        if (pid > INT32_MAX || (pid == 0 && vt_args_value(args, "pid") != NULL)) {
            return vt_usage_error(args, "--pid: a process has a number from 1 to %d", INT32_MAX);
        }
        query.pid = (int32_t)pid;
    }
    if (query.pid != 0) {
        snprintf(detail, sizeof detail, "pid %" PRId32, query.pid);
    } else if (query.text != NULL) {
        snprintf(detail, sizeof detail, "%s", query.text);
    }
    int result = vt_cli_open(args, noun->name, VT_CLI_KERNEL, detail, &target);
    if (result != 0) {
        return result;
    }
    return vt_cli_close(args, &target, vt_noun_print(args, &target, noun, &query));
}

struct vt_verb vt_noun_verb(const struct vt_noun *noun)
{
    static const struct vt_option pause_only[] = {VT_CLI_PAUSE, {0}};
    static const struct vt_option by_pid[] = {
        {"pid", "N", "only of this process", false},
        VT_CLI_PAUSE,
        {0},
    };
    return (struct vt_verb){
        .name = noun->name,
        .group = noun->group,
        .summary = noun->summary,
        .operands = noun->operands != NULL ? noun->operands : "VM",
        .min_operands = noun->text_needed ? 2 : 1,
        .max_operands = noun->operands != NULL ? 2 : 1,
        .options = noun->by_pid ? by_pid : pause_only,
        .description = noun->description,
        .examples = noun->examples,
        .columns = noun->columns,
        .n_columns = noun->n_columns,
        .run = run,
    };
}
