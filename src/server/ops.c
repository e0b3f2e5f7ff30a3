/* server/ops.c - finding, checking and running operations. See ops.h.
 *
 * A result is gathered in memory, up to a limit: only then is it known whether all went well, and a
 * peer that reads slowly holds no lease.
 */
#include "server/ops.h"

#include "base/text.h"
#include "server/ops_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 65536u
#define TEXT_MAX 4096u
#define ADDRESS_TEXT_MAX 640u
#define DETAIL_MAX 400u

/* ---------------------------------------------------------------- the table */

static const struct vt_op **all;

static size_t count(const struct vt_op *table)
{
    size_t n = 0;
    while (table[n].name != NULL) {
        n++;
    }
    return n;
}

static void make_table(void)
{
    static const struct vt_op *none[] = {NULL};
    const struct vt_op *const tables[] = {vt_ops_vms,     vt_ops_lifecycle,   vt_ops_ask,
                                          vt_ops_sql,     vt_ops_of_tables(), vt_ops_memory,
                                          vt_ops_pages,   vt_ops_search,      vt_ops_snapshot,
                                          vt_ops_picture, vt_ops_trace,       vt_ops_of_nouns()};
    enum { TABLES = sizeof tables / sizeof tables[0] };
    size_t n = 0, at = 0;
    all = none;
    for (size_t t = 0; t < TABLES; t++) {
        if (tables[t] == NULL) {
            return;
        }
        n += count(tables[t]);
    }
    const struct vt_op **list = calloc(n + 1, sizeof *list);
    if (list == NULL) {
        return;
    }
    for (size_t t = 0; t < TABLES; t++) {
        for (const struct vt_op *op = tables[t]; op->name != NULL; op++) {
            list[at++] = op;
        }
    }
    all = list;
}

const struct vt_op *const *vt_ops(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_table);
    return all;
}

const struct vt_op *vt_op_find(const char *name)
{
    const struct vt_op *const *op = vt_ops();
    while (*op != NULL && strcmp((*op)->name, name) != 0) {
        op++;
    }
    return *op;
}

const struct vt_param *vt_op_param(const struct vt_op *op, unsigned i)
{
    static const struct vt_param vm = {
        .name = "vm",
        .kind = VT_PARAM_TEXT,
        .required = true,
        .min = 1,
        .max = VT_VM_NAME_MAX,
        .doc = "name of the VM, as list_vms shows it",
        .example = "web",
    };
    if (op->flags & VT_OP_VM) {
        if (i == 0) {
            return &vm;
        }
        i--;
    }
    if (op->params == NULL) {
        return NULL;
    }
    unsigned n = 0;
    while (n < i && op->params[n].name != NULL) {
        n++;
    }
    return op->params[n].name != NULL ? &op->params[n] : NULL;
}

/* ---------------------------------------------------------------- arguments */

static int check_text(const struct vt_param *p, const json_t *value, struct vt_error *err)
{
    const char *text = json_string_value(value);
    size_t bytes = json_string_length(value);
    uint64_t max = p->max != 0 ? p->max : TEXT_MAX;
    if (text == NULL) {
        return vt_fail(err, VT_E_INVAL, "%s: a text is wanted", p->name);
    }
    if (strlen(text) != bytes) {
        return vt_fail(err, VT_E_INVAL, "%s: holds a zero byte", p->name);
    }
    if (bytes < p->min || bytes > max) {
        return vt_fail(err, VT_E_INVAL, "%s: %zu bytes; %" PRIu64 " to %" PRIu64 " are taken",
                       p->name, bytes, p->min, max);
    }
    const char *const *choice = p->choices;
    while (choice != NULL && *choice != NULL && strcmp(*choice, text) != 0) {
        choice++;
    }
    return choice == NULL || *choice != NULL
               ? 0
               : vt_fail(err, VT_E_INVAL, "%s: not one of its values", p->name);
}

static uint64_t largest(const struct vt_param *p)
{
    return p->max != 0 ? p->max : (UINT64_C(1) << 53) - 1;
}

static int check_number(const struct vt_param *p, const json_t *value, struct vt_error *err)
{
    double number = json_number_value(value);
    bool kind = p->kind == VT_PARAM_UINT ? json_is_integer(value) : json_is_number(value);
    if (!kind || !isfinite(number)) {
        return vt_fail(err, VT_E_INVAL, "%s: a %s is wanted", p->name,
                       p->kind == VT_PARAM_UINT ? "whole number" : "number");
    }
    return number >= (double)p->min && number <= (double)largest(p)
               ? 0
               : vt_fail(err, VT_E_INVAL, "%s: a number from %" PRIu64 " to %" PRIu64 " is wanted",
                         p->name, p->min, largest(p));
}

static int check_address(const char *name, const json_t *value, struct vt_error *err)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        return 0;
    }
    const char *text = json_string_value(value);
    size_t bytes = json_string_length(value);
    return text != NULL && strlen(text) == bytes && bytes > 0 && bytes <= ADDRESS_TEXT_MAX
               ? 0
               : vt_fail(err, VT_E_INVAL,
                         "%s: an address is wanted: \"0x1000\", a symbol or symbol+0x10", name);
}

static int check_runs(const struct vt_param *p, const json_t *value, struct vt_error *err)
{
    size_t n = json_array_size(value);
    if (!json_is_array(value) || n == 0 || n > RUNS_MAX) {
        return vt_fail(err, VT_E_INVAL, "%s: an array of 1 to %u objects is wanted", p->name,
                       RUNS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *run = json_array_get(value, i);
        const char *gpa = json_string_value(json_object_get(run, "gpa"));
        const json_t *bytes = json_object_get(run, "bytes");
        uint64_t at;
        if (json_object_size(run) != 2 || gpa == NULL || vt_parse_u64(gpa, &at, NULL) != 0 ||
            !json_is_integer(bytes) || json_integer_value(bytes) <= 0) {
            return vt_fail(err, VT_E_INVAL,
                           "%s: element %zu is not {\"gpa\": \"0x…\", \"bytes\": N}", p->name, i);
        }
    }
    return 0;
}

static int check_value(const struct vt_param *p, const json_t *value, struct vt_error *err)
{
    switch (p->kind) {
    case VT_PARAM_TEXT:
        return check_text(p, value, err);
    case VT_PARAM_UINT:
    case VT_PARAM_NUMBER:
        return check_number(p, value, err);
    case VT_PARAM_BOOL:
        return json_is_boolean(value)
                   ? 0
                   : vt_fail(err, VT_E_INVAL, "%s: true or false is wanted", p->name);
    case VT_PARAM_ADDRESS:
        return check_address(p->name, value, err);
    case VT_PARAM_RUNS:
        return check_runs(p, value, err);
    }
    return vt_fail(err, VT_E_INVAL, "%s: of no kind", p->name);
}

static int check_args(const struct vt_op *op, const json_t *args, struct vt_error *err)
{
    if (!json_is_object(args)) {
        return vt_fail(err, VT_E_INVAL, "%s: the arguments are no object", op->name);
    }
    size_t known = 0;
    const struct vt_param *p;
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        const json_t *value = json_object_get(args, p->name);
        if (value == NULL) {
            if (p->required) {
                return vt_fail(err, VT_E_INVAL, "%s: parameter \"%s\" is missing", op->name,
                               p->name);
            }
            continue;
        }
        known++;
        int rc = check_value(p, value, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (known == json_object_size(args)) {
        return 0;
    }
    void *it = json_object_iter((json_t *)args);
    for (; it != NULL; it = json_object_iter_next((json_t *)args, it)) {
        unsigned i = 0;
        while ((p = vt_op_param(op, i)) != NULL && strcmp(p->name, json_object_iter_key(it)) != 0) {
            i++;
        }
        if (p == NULL) {
            break;
        }
    }
    char shown[80] = "";
    if (it != NULL) {
        const char *key = json_object_iter_key(it);
        vt_text_printable(shown, sizeof shown, key, strlen(key));
    }
    return vt_fail(err, VT_E_INVAL, "%s: has no parameter \"%s\"", op->name, shown);
}

int vt_param_from_text(const struct vt_param *p, const char *text, json_t **value,
                       struct vt_error *err)
{
    json_t *v = NULL;
    uint64_t number;
    char *end;
    switch (p->kind) {
    case VT_PARAM_TEXT:
    case VT_PARAM_ADDRESS:
        v = json_string(text);
        if (v == NULL) {
            return vt_fail(err, VT_E_INVAL, "%s: not UTF-8", p->name);
        }
        break;
    case VT_PARAM_UINT:
        if (vt_parse_u64(text, &number, NULL) != 0 || number > INT64_MAX) {
            return vt_fail(err, VT_E_INVAL, "%s: a whole number is wanted", p->name);
        }
        v = json_integer((json_int_t)number);
        break;
    case VT_PARAM_NUMBER:
        errno = 0;
        double real = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(real)) {
            return vt_fail(err, VT_E_INVAL, "%s: a number is wanted", p->name);
        }
        v = json_real(real);
        break;
    case VT_PARAM_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return vt_fail(err, VT_E_INVAL, "%s: true or false is wanted", p->name);
        }
        v = json_boolean(text[0] == 't');
        break;
    case VT_PARAM_RUNS:
        v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (v == NULL) {
            return vt_fail(err, VT_E_INVAL, "%s: not JSON", p->name);
        }
        break;
    }
    if (v == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", p->name);
    }
    *value = v;
    return 0;
}

const char *vt_call_text(const struct vt_op_call *call, const char *name)
{
    return json_string_value(json_object_get(call->args, name));
}

uint64_t vt_call_u64(const struct vt_op_call *call, const char *name, uint64_t fallback)
{
    const json_t *value = json_object_get(call->args, name);
    return value != NULL ? (uint64_t)json_integer_value(value) : fallback;
}

double vt_call_number(const struct vt_op_call *call, const char *name, double fallback)
{
    const json_t *value = json_object_get(call->args, name);
    return value != NULL ? json_number_value(value) : fallback;
}

bool vt_call_bool(const struct vt_op_call *call, const char *name)
{
    return json_is_true(json_object_get(call->args, name));
}

const char *vt_call_address(const struct vt_op_call *call, const char *name, char buf[24])
{
    const json_t *value = json_object_get(call->args, name);
    if (!json_is_integer(value)) {
        return json_string_value(value);
    }
    snprintf(buf, 24, "%" PRIu64, (uint64_t)json_integer_value(value));
    return buf;
}

int32_t vt_call_pid(const struct vt_op_call *call)
{
    return (int32_t)vt_call_u64(call, "pid", 0);
}

/* ---------------------------------------------------------------- results */

/* What a FILE of a result writes to. */
struct gathered {
    char *bytes;
    size_t n, room;
    bool full, out_of_memory;
};

static ssize_t gather(void *cookie, const char *bytes, size_t n)
{
    struct gathered *g = cookie;
    if (g->full || g->out_of_memory || n > VT_RESULT_MAX - g->n) {
        g->full |= !g->out_of_memory;
        return 0;
    }
    if (g->room - g->n < n + 1) {
        size_t room = 2 * (g->n + n + 1);
        char *grown = realloc(g->bytes, room);
        if (grown == NULL) {
            g->out_of_memory = true;
            return 0;
        }
        g->bytes = grown;
        g->room = room;
    }
    memcpy(g->bytes + g->n, bytes, n);
    g->n += n;
    return (ssize_t)n;
}

static FILE *out_of(const struct vt_op_call *call)
{
    return call->raw != NULL ? call->raw : call->out->out;
}

int vt_call_check(const struct vt_op_call *call, struct vt_error *err)
{
    if (ferror(out_of(call))) {
        return vt_fail(err, VT_E_LIMIT,
                       "%s: the result would be longer than %" PRIu64
                       " MiB: ask for less, with limit or pid where it has them",
                       call->op->name, VT_RESULT_MAX >> 20);
    }
    const volatile int *stop = call->lease != NULL ? call->lease->stop : vt_host_stop(call->host);
    return *stop != 0 ? vt_fail(err, VT_E_INTERRUPTED, "%s: interrupted", call->op->name) : 0;
}

int vt_call_check_arg(void *call, struct vt_error *err)
{
    return vt_call_check(call, err);
}

/* Runs with somewhere to write to. */
static int run_into(struct vt_op_call *call, struct gathered *g, struct vt_error *err)
{
    static const cookie_io_functions_t functions = {.write = gather};
    FILE *out = fopencookie(g, "w", functions);
    if (out == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", call->op->name);
    }
    struct vt_json_writer w;
    vt_json_init(&w, out, false);
    call->out = call->op->flags & VT_OP_PNG ? NULL : &w;
    call->raw = call->op->flags & VT_OP_PNG ? out : NULL;
    int rc = call->op->run(call, err);
    bool written = fflush(out) == 0 && !ferror(out);
    if (rc == 0 && !written) {
        rc = g->out_of_memory ? vt_fail(err, VT_E_NOMEM, "%s: out of memory", call->op->name)
                              : vt_call_check(call, err);
    }
    fclose(out);
    return rc;
}

/* "127.0.0.1: pid=3 limit=10" */
static void describe_call(const struct vt_op *op, const json_t *args, const char *origin,
                          char text[DETAIL_MAX])
{
    size_t used = 0;
    const struct vt_param *p;
    if (origin != NULL) {
        used = vt_text_printable(text, DETAIL_MAX / 4, origin, strlen(origin));
        used += (size_t)snprintf(text + used, DETAIL_MAX - used, ":");
    }
    text[used] = '\0';
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        const json_t *value = json_object_get(args, p->name);
        if (value == NULL || strcmp(p->name, "vm") == 0 || DETAIL_MAX - used < 80) {
            continue;
        }
        char *shown = p->kind == VT_PARAM_RUNS ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        int n = snprintf(text + used, DETAIL_MAX - used, "%s%s=%.200s", used > 0 ? " " : "",
                         p->name, shown != NULL ? shown : "…");
        free(shown);
        used += (size_t)n < DETAIL_MAX - used ? (size_t)n : DETAIL_MAX - used - 1;
    }
}

static int take_lease(struct vt_op_call *call, volatile int *stop, struct vt_error *err)
{
    const char *vm = vt_call_text(call, "vm");
    if (!(call->op->flags & VT_OP_VM)) {
        return 0;
    }
    if (!(call->op->flags & VT_OP_BY_NAME)) {
        const char *name = call->op->flags & VT_OP_DATABASE ? NULL : call->op->name;
        int rc = vt_host_lease(call->host, vm, name, call->detail, stop, &call->lease, err);
        bool past = (call->op->flags & (VT_OP_DATABASE | VT_OP_PAST)) != 0;
        return rc != 0 || past || !call->lease->target.ended
                   ? rc
                   : vt_fail(err, VT_E_GONE, "%s has ended; only its database is left", vm);
    }
    if (!vt_name_is_valid(vm)) {
        return vt_fail(err, VT_E_INVAL, "vm: no name (1-32 letters, digits, '.', '_', '-')");
    }
    return vt_host_may_see(call->host, vm)
               ? vt_audit(vm, call->op->name, err, "%s", call->detail)
               : vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s' is served here", vm);
}

int vt_op_run(struct vt_host *host, const struct vt_op *op, const json_t *args, const char *origin,
              volatile int *stop, struct vt_op_reply *reply, struct vt_error *err)
{
    struct vt_op_call call = {.host = host, .op = op, .args = args};
    struct gathered g = {0};
    char detail[DETAIL_MAX] = "";
    call.detail = detail;
    int rc = check_args(op, args, err);
    if (rc == 0 && (op->flags & VT_OP_CHANGES) && vt_host_is_read_only(host)) {
        rc = vt_fail(err, VT_E_PERM, "%s: this server only looks", op->name);
    }
    if (rc == 0) {
        describe_call(op, args, origin, detail);
        rc = take_lease(&call, stop, err);
    }
    if (rc == 0) {
        rc = run_into(&call, &g, err);
    }
    if (call.lease != NULL) {
        vt_host_give_back(host, call.lease);
    }
    if (rc == 0 && g.bytes == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "%s: no result", op->name);
    }
    if (rc != 0) {
        free(g.bytes);
        return rc;
    }
    g.bytes[g.n] = '\0';
    *reply = (struct vt_op_reply){.body = g.bytes, .bytes = g.n};
    return 0;
}
