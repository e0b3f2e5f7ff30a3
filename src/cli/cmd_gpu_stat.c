/* cli/cmd_gpu_stat.c - `vitrine gpu stat`: what servers of this user tell on their control
 * sockets. */
#include "cli/cli.h"

#include "gpu/control.h"
#include "gpu/vm_gpu.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 5000

struct row {
    uint64_t id;
    const char *name, *device, *path;
    int64_t pid;
    double seconds, busy_s;
    uint64_t commands, unknown, failed, objects, memory_bytes, stream_bytes, reply_bytes;
    uint64_t rings, notifies, messages, resources, objects_created;
    const char *state;
};

static const struct vt_column columns[] = {
    {VT_COLUMN(row, id, VT_CELL_U64, "id", "ID", "counted from the server's begin")},
    {VT_COLUMN(row, name, VT_CELL_TEXT, "name", "NAME", "the program, as it says itself")},
    {VT_COLUMN(row, pid, VT_CELL_I64, "pid", "PID", "as the socket says")},
    {VT_COLUMN(row, seconds, VT_CELL_F64, "seconds", "SECONDS", "since it connected")},
    {VT_COLUMN(row, commands, VT_CELL_U64, "commands", "COMMANDS", "carried out")},
    {VT_COLUMN(row, unknown, VT_CELL_U64, "unknown", "UNKNOWN", "of a number that nobody knows")},
    {VT_COLUMN(row, failed, VT_CELL_U64, "failed", "FAILED", "that ended with an error")},
    {VT_COLUMN(row, objects, VT_CELL_U64, "objects", "OBJECTS", "that it has now")},
    {VT_COLUMN(row, memory_bytes, VT_CELL_BYTES, "memory_bytes", "MEMORY", "allocated now")},
    {VT_COLUMN(row, stream_bytes, VT_CELL_BYTES, "stream_bytes", "BYTES", "of commands")},
    {VT_COLUMN(row, busy_s, VT_CELL_F64, "busy_s", "BUSY", "seconds spent on its commands")},
    {VT_COLUMN(row, rings, VT_CELL_U64, "rings", "RINGS", "that it has now")},
    {VT_COLUMN(row, notifies, VT_CELL_U64, "notifies", NULL, "times a ring was woken")},
    {VT_COLUMN(row, reply_bytes, VT_CELL_BYTES, "reply_bytes", NULL, "of replies")},
    {VT_COLUMN(row, messages, VT_CELL_U64, "messages", NULL, "over its socket")},
    {VT_COLUMN(row, resources, VT_CELL_U64, "resources", NULL, "shared memory it has now")},
    {VT_COLUMN(row, objects_created, VT_CELL_U64, "objects_created", NULL, "since it began")},
    {VT_COLUMN(row, state, VT_CELL_TEXT, "state", "STATE", "'runs', or why it ended")},
    {VT_COLUMN(row, device, VT_CELL_TEXT, "device", "DEVICE", "of this host, that it uses")},
    {VT_COLUMN(row, path, VT_CELL_TEXT, "path", NULL, "the socket it came through")},
};
#define N_COLUMNS ((unsigned)(sizeof columns / sizeof columns[0]))

struct by_command {
    const char *name;
    uint64_t id, count, failed;
    double seconds, mean_us;
};

static const struct vt_column command_columns[] = {
    {VT_COLUMN(by_command, name, VT_CELL_TEXT, "name", "COMMAND", "its name")},
    {VT_COLUMN(by_command, id, VT_CELL_U64, "id", "NUMBER", "its number in the protocol")},
    {VT_COLUMN(by_command, count, VT_CELL_U64, "count", "COUNT", "times carried out")},
    {VT_COLUMN(by_command, failed, VT_CELL_U64, "failed", "FAILED", "times with an error")},
    {VT_COLUMN(by_command, seconds, VT_CELL_F64, "seconds", "SECONDS", "estimated, in all"),
     .digits = 3},
    {VT_COLUMN(by_command, mean_us, VT_CELL_F64, "mean_us", "EACH, us", "the same, of one")},
};
#define N_COMMAND_COLUMNS ((unsigned)(sizeof command_columns / sizeof command_columns[0]))

struct stat {
    const char *path; /* NULL: all */
    bool commands, ended;
    struct vt_rows *rows;
    struct by_command *sums;
    size_t n_sums;
    bool found;
    int rc;
    struct vt_error err;
};

static uint64_t number(const json_t *of, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(of, key));
    return v < 0 ? 0 : (uint64_t)v;
}

static double real(const json_t *of, const char *key)
{
    return json_number_value(json_object_get(of, key));
}

static void put_context(struct stat *s, const json_t *c, const char *path, const char *state)
{
    const struct row row = {
        .id = number(c, "id"),
        .name = json_string_value(json_object_get(c, "name")),
        .device = json_string_value(json_object_get(c, "device")),
        .path = path,
        .pid = (int64_t)number(c, "pid"),
        .seconds = real(c, "seconds"),
        .busy_s = real(c, "busy_s"),
        .commands = number(c, "commands"),
        .unknown = number(c, "unknown"),
        .failed = number(c, "failed"),
        .objects = number(c, "objects"),
        .memory_bytes = number(c, "memory_bytes"),
        .stream_bytes = number(c, "stream_bytes"),
        .reply_bytes = number(c, "reply_bytes"),
        .rings = number(c, "rings"),
        .notifies = number(c, "notifies"),
        .messages = number(c, "messages"),
        .resources = number(c, "resources"),
        .objects_created = number(c, "objects_created"),
        .state = state,
    };
    vt_cell_record(s->rows, &row, N_COLUMNS);
}

/* Adds up what contexts did. */
static void sum_commands(struct stat *s, const json_t *context)
{
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(context, "by_command"), i, c)
    {
        size_t at = 0;
        while (at < s->n_sums && s->sums[at].id != number(c, "id")) {
            at++;
        }
        if (at == s->n_sums) {
            struct by_command *more = realloc(s->sums, (at + 1) * sizeof *more);
            const char *name = json_string_value(json_object_get(c, "name"));
            char *copy = strdup(name != NULL ? name : "?");
            if (more != NULL) {
                s->sums = more;
            }
            if (more == NULL || copy == NULL) {
                free(copy);
                s->rc = vt_fail(&s->err, VT_E_NOMEM, "out of memory");
                return;
            }
            s->sums[s->n_sums++] = (struct by_command){.id = number(c, "id"), .name = copy};
        }
        s->sums[at].count += number(c, "count");
        s->sums[at].failed += number(c, "failed");
        s->sums[at].seconds += real(c, "seconds");
    }
}

static void take_server(struct stat *s, const json_t *server)
{
    size_t i;
    const json_t *c;
    const char *path = json_string_value(json_object_get(server, "path"));
    if (path == NULL || (s->path != NULL && strcmp(path, s->path) != 0)) {
        return;
    }
    s->found = true;
    json_array_foreach(json_object_get(server, "contexts"), i, c)
    {
        if (s->commands) {
            sum_commands(s, c);
        } else {
            put_context(s, c, path, "runs");
        }
    }
    json_array_foreach(json_object_get(server, "ended"), i, c)
    {
        if (!s->commands && s->ended) {
            put_context(s, c, path, json_string_value(json_object_get(c, "reason")));
        }
    }
}

static bool take(const char *text, void *arg)
{
    struct stat *s = arg;
    size_t i;
    const json_t *server;
    json_t *document = json_loads(text, 0, NULL);
    json_array_foreach(json_object_get(document, "servers"), i, server)
    {
        take_server(s, server);
    }
    json_decref(document);
    return s->rc == 0;
}

/* GPUs that belong to VMs are asked at the VMs. */
static int each_vm(struct stat *s, struct vt_error *err)
{
    char **names;
    size_t n;
    int rc = vt_vm_names(&names, &n, err);
    for (size_t i = 0; rc == 0 && i < n && s->rc == 0; i++) {
        struct vt_vm *vm;
        uint8_t *text;
        size_t bytes;
        if ((s->path == NULL || strcmp(s->path, names[i]) == 0) &&
            vt_vm_open(names[i], &vm, NULL) == 0) {
            if (vt_vm_gpu_ask(vt_vm_info(vm)->dir, "state", &text, &bytes, NULL) == 0) {
                take((const char *)text, s);
                free(text);
            }
            vt_vm_close(vm);
        }
    }
    if (rc == 0) {
        vt_vm_names_free(names, n);
    }
    return rc;
}

static int by_count(const void *a, const void *b)
{
    const struct by_command *x = a, *y = b;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->name, y->name);
}

static void put_commands(struct stat *s)
{
    if (s->n_sums > 0) {
        qsort(s->sums, s->n_sums, sizeof *s->sums, by_count);
    }
    for (size_t i = 0; i < s->n_sums; i++) {
        s->sums[i].mean_us =
            s->sums[i].count > 0 ? s->sums[i].seconds * 1e6 / (double)s->sums[i].count : 0;
        vt_cell_record(s->rows, &s->sums[i], N_COMMAND_COLUMNS);
    }
}

static int run(const struct vt_args *args)
{
    struct stat s = {.commands = vt_args_flag(args, "commands"),
                     .ended = vt_args_flag(args, "ended")};
    char path[PATH_MAX];
    const char *given = vt_args_operand(args, 0);
    if (given != NULL) {
        s.path = realpath(given, path) != NULL ? path : given;
    }
    s.rc = vt_rows_create(args, s.commands ? command_columns : columns,
                          s.commands ? N_COMMAND_COLUMNS : N_COLUMNS, &s.rows, &s.err);
    if (s.rc != 0) {
        return vt_report(args, &s.err);
    }
    int rc = vt_gpu_control_each(PATIENCE_MS, take, &s, &s.err);
    rc = rc != 0 ? rc : each_vm(&s, &s.err);
    s.rc = rc != 0 ? rc : s.rc;
    if (s.rc == 0 && s.path != NULL && !s.found) {
        s.rc = vt_fail(
            &s.err, VT_E_NOT_FOUND,
            "%s: no 'vitrine gpu serve' of yours serves it, nor is it a VM with --gpu venus",
            given);
    }
    if (s.commands) {
        put_commands(&s);
    }
    for (size_t i = 0; i < s.n_sums; i++) {
        free((void *)(uintptr_t)s.sums[i].name);
    }
    free(s.sums);
    int result = vt_rows_finish(s.rows);
    return s.rc != 0 ? vt_report(args, &s.err) : result;
}

static const struct vt_option options[] = {
    {"commands", NULL, "one row a command, of all clients together", false},
    {"ended", NULL, "also the last clients that have ended, and why", false},
    {0},
};

const struct vt_verb vt_verb_gpu_stat = {
    .name = "gpu stat",
    .group = "GPU",
    .summary = "Show what clients of 'vitrine gpu serve' do",
    .operands = "[PATH|VM]",
    .max_operands = 1,
    .options = options,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .description =
        "A row for each client of the server at PATH, or of a VM with --gpu venus, or of "
        "all that\n"
        "are yours. Counts begin with the client; times of commands are estimated from every 64th.",
    .examples = "vitrine gpu stat\n"
                "vitrine gpu stat /tmp/gpu.sock --commands\n"
                "vitrine gpu stat --ended --json",
    .run = run,
};
