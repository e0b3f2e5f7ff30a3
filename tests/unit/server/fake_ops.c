/* tests/unit/server/fake_ops.c - see fake_ops.h. */
#include "tests/unit/server/fake_ops.h"

#include "vitrine/linux.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned fake_vms = 1;
unsigned fake_rows = 3;
bool fake_no_kernel;
bool fake_read_only;
_Atomic unsigned fake_waiting;
_Atomic bool fake_release;
_Atomic bool fake_interrupted;

#define ANY_OBJECT "{\"type\": \"object\", \"properties\": {}}"

static int list_vms(struct vt_op_call *call, struct vt_error *err)
{
    (void)err;
    vt_json_object(call->out);
    vt_json_key(call->out, "vms");
    vt_json_array(call->out);
    for (unsigned i = 0; i < fake_vms; i++) {
        vt_json_object(call->out);
        vt_json_kv_string(call->out, "name", (char[]){(char)('a' + i % 26), '\0'});
        vt_json_object_end(call->out);
    }
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    return 0;
}

static int ask(struct vt_op_call *call, struct vt_error *err)
{
    const char *question = json_string_value(json_object_get(call->args, "question"));
    if (strcmp(question, "fail") == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "no process is like that");
    }
    vt_json_object(call->out);
    vt_json_kv_string(call->out, "text", question);
    vt_json_kv_string(call->out, "vm", json_string_value(json_object_get(call->args, "vm")));
    vt_json_object_end(call->out);
    return 0;
}

static int many(struct vt_op_call *call, struct vt_error *err)
{
    (void)err;
    vt_json_object(call->out);
    vt_json_key(call->out, "rows");
    vt_json_array(call->out);
    for (unsigned i = 0; i < fake_rows; i++) {
        vt_json_object(call->out);
        vt_json_kv_u64(call->out, "pid", i);
        vt_json_kv_f64(call->out, "load", 0.1, 6);
        vt_json_object_end(call->out);
    }
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    return 0;
}

static int sql(struct vt_op_call *call, struct vt_error *err)
{
    return fake_no_kernel ? vt_fail(err, VT_E_UNSUPPORTED, "there is no kernel to be found")
                          : many(call, err);
}

static int wait_here(struct vt_op_call *call, struct vt_error *err)
{
    fake_waiting++;
    while (!fake_release && !fake_interrupted &&
           __atomic_load_n(call->lease->stop, __ATOMIC_RELAXED) == 0) {
        usleep(1000);
    }
    fake_waiting--;
    return fake_release ? list_vms(call, err) : vt_fail(err, VT_E_INTERRUPTED, "interrupted");
}

static int shot(struct vt_op_call *call, struct vt_error *err)
{
    (void)err;
    fputs("\x89PNG", call->raw);
    return 0;
}

static const struct vt_param ask_params[] = {
    {.name = "question", .kind = VT_PARAM_TEXT, .required = true, .doc = "in words"},
    {0},
};
static const struct vt_param many_params[] = {
    {.name = "pid", .kind = VT_PARAM_UINT, .doc = "only of this process"},
    {.name = "limit", .kind = VT_PARAM_UINT, .doc = "so many rows"},
    {0},
};
static const struct vt_noun modules = {.name = "modules"};
enum { VM_TOOL = VT_OP_VM | VT_OP_TOOL };
static const struct vt_op ops[] = {
    {.name = "sql",
     .method = "POST",
     .path = "/vms/{vm}/sql",
     .title = "SQL",
     .summary = "Ask in SQL",
     .flags = VT_OP_VM,
     .result = ANY_OBJECT,
     .run = sql},
    {.name = "sql_tables",
     .method = "GET",
     .path = "/vms/{vm}/tables",
     .title = "Tables",
     .summary = "List tables",
     .flags = VT_OP_VM,
     .result = ANY_OBJECT,
     .run = many},
    {.name = "list_vms",
     .method = "GET",
     .path = "/vms",
     .title = "VMs",
     .summary = "List VMs",
     .flags = VT_OP_TOOL,
     .result = ANY_OBJECT,
     .run = list_vms},
    {.name = "vm_info",
     .method = "GET",
     .path = "/vms/{vm}",
     .title = "A VM",
     .summary = "Show a VM",
     .flags = VT_OP_VM,
     .result = ANY_OBJECT,
     .run = list_vms},
    {.name = "ask",
     .method = "GET",
     .path = "/vms/{vm}/ask",
     .title = "Ask",
     .summary = "Ask in words",
     .description = "Any question.",
     .params = ask_params,
     .flags = VM_TOOL,
     .result = ANY_OBJECT,
     .run = ask},
    {.name = "many",
     .method = "GET",
     .path = "/vms/{vm}/many",
     .title = "Many",
     .summary = "Give many rows",
     .params = many_params,
     .flags = VM_TOOL,
     .result = ANY_OBJECT,
     .run = many},
    {.name = "wait",
     .method = "GET",
     .path = "/vms/{vm}/wait",
     .title = "Wait",
     .summary = "Wait",
     .flags = VM_TOOL,
     .result = ANY_OBJECT,
     .run = wait_here},
    {.name = "mark",
     .method = "PUT",
     .path = "/vms/{vm}/mark",
     .title = "Mark",
     .summary = "Change something",
     .flags = VM_TOOL | VT_OP_CHANGES,
     .result = ANY_OBJECT,
     .run = list_vms},
    {.name = "shot",
     .method = "GET",
     .path = "/vms/{vm}/shot",
     .title = "Picture",
     .summary = "Draw it",
     .flags = VM_TOOL | VT_OP_PNG,
     .run = shot},
    {.name = "live_modules",
     .method = "GET",
     .path = "/vms/{vm}/live/modules",
     .title = "Modules",
     .summary = "List modules",
     .flags = VT_OP_VM,
     .result = ANY_OBJECT,
     .noun = &modules,
     .run = many},
};
enum { OPS = sizeof ops / sizeof ops[0] };

const struct vt_op *const *vt_ops(void)
{
    static const struct vt_op *const all[OPS + 1] = {&ops[0], &ops[1], &ops[2], &ops[3],
                                                     &ops[4], &ops[5], &ops[6], &ops[7],
                                                     &ops[8], &ops[9], NULL};
    return all;
}

const struct vt_op *vt_op_find(const char *name)
{
    for (size_t i = 0; i < OPS; i++) {
        if (strcmp(ops[i].name, name) == 0) {
            return &ops[i];
        }
    }
    return NULL;
}

json_t *vt_op_params_schema(const struct vt_op *op)
{
    return op->flags & VT_OP_VM
               ? json_pack("{s:s, s:{s:{s:s}}, s:[s]}", "type", "object", "properties", "vm",
                           "type", "string", "required", "vm")
               : json_pack("{s:s, s:b}", "type", "object", "additionalProperties", false);
}

json_t *vt_op_result_schema(const struct vt_op *op)
{
    return op->result != NULL ? json_loads(op->result, 0, NULL) : NULL;
}

int vt_op_run(struct vt_host *host, const struct vt_op *op, const json_t *args, const char *origin,
              volatile int *stop, struct vt_op_reply *reply, struct vt_error *err)
{
    static volatile int never;
    struct vt_lease lease = {.stop = stop != NULL ? stop : &never};
    struct vt_op_reply made = {0};
    struct vt_json_writer w;
    const char *vm = json_string_value(json_object_get(args, "vm"));
    (void)origin;
    if (op->flags & VT_OP_VM && (vm == NULL || vm[0] < 'a' || vm[0] >= (char)('a' + fake_vms))) {
        return vt_fail(err, vm != NULL ? VT_E_NOT_FOUND : VT_E_INVAL, "no VM '%s'",
                       vm != NULL ? vm : "");
    }
    if (fake_read_only && (op->flags & VT_OP_CHANGES) != 0) {
        return vt_fail(err, VT_E_PERM, "%s: this server only looks", op->name);
    }
    if (op->run == ask && !json_is_string(json_object_get(args, "question"))) {
        return vt_fail(err, VT_E_INVAL, "question: a text is wanted");
    }
    FILE *out = open_memstream(&made.body, &made.bytes);
    if (out == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    vt_json_init(&w, out, false);
    struct vt_op_call call = {
        .host = host, .op = op, .lease = &lease, .args = args, .out = &w, .raw = out};
    int rc = op->run(&call, err);
    fclose(out);
    if (rc != 0) {
        free(made.body);
        return rc;
    }
    *reply = made;
    return 0;
}

bool vt_host_is_read_only(const struct vt_host *host)
{
    (void)host;
    return fake_read_only;
}

void vt_host_interrupt(struct vt_host *host)
{
    (void)host;
    fake_interrupted = true;
}
