/* server/ops_trace.c - operations on the instructions a guest executes: what is recorded, what is
 * hot. Who records is asked by nobody else meanwhile: a second one is told that it is busy.
 */
#include "server/ops_parts.h"
#include "trace/hot.h"
#include "trace/ring.h"
#include "trace/status.h"
#include "trace/words.h"
#include "vitrine/machine.h"

#include <stdlib.h>
#include <string.h>

#define STEER_MS 5000u

/* ---------------------------------------------------------------- status and mode */

/* The word for all that it is told: what is recorded, and for whom. */
static const char *mode_of(const struct vt_trace_status *status)
{
    return status->detail == VT_TRACE_OFF         ? "off"
           : status->detail == VT_TRACE_COUNT     ? "count"
           : status->policy == VT_TRACE_KEEP_LAST ? "keep-last"
                                                  : "record";
}

static int write_status(struct vt_op_call *call, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(call->lease->target.vm);
    struct vt_json_writer *w = call->out;
    struct vt_trace_status s = {0};
    int rc = info->trace_path[0] != '\0' ? vt_trace_status(info->trace_path, &s, err) : 0;
    if (rc != 0) {
        return rc;
    }
    vt_json_object(w);
    vt_json_kv_bool(w, "supported", s.ready);
    vt_json_key(w, "why");
    if (info->trace_path[0] == '\0') {
        vt_json_string(w, info->trace_why);
    } else {
        vt_json_null(w);
    }
    vt_json_kv_string(w, "mode", mode_of(&s));
    vt_json_kv_string(w, "detail", vt_trace_detail_name(s.detail));
    vt_json_kv_bool(w, "consumed", s.reader != 0);
    vt_json_kv_u64(w, "vcpus", s.vcpus);
    vt_json_kv_u64(w, "known_blocks", s.n_blocks);
    vt_json_kv_u64(w, "instructions", s.instructions);
    vt_json_kv_u64(w, "blocks", s.blocks);
    vt_json_kv_u64(w, "accesses", s.accesses);
    vt_json_kv_u64(w, "cuts", s.cuts);
    vt_json_kv_u64(w, "dropped", s.dropped);
    vt_json_object_end(w);
    return 0;
}

static const char status_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"supported\", \"why\","
    " \"mode\", \"detail\", \"consumed\", \"vcpus\", \"known_blocks\", \"instructions\","
    " \"blocks\", \"accesses\", \"cuts\", \"dropped\"], \"properties\": {"
    "\"supported\": {\"type\": \"boolean\", \"description\": \"its QEMU has the trace plugin\"},"
    "\"why\": {\"type\": [\"string\", \"null\"], \"description\": \"it cannot be traced\"},"
    "\"mode\": {\"enum\": [\"off\", \"count\", \"keep-last\", \"record\"]},"
    "\"detail\": {\"type\": \"string\", \"description\": \"off, count, blocks, times, addresses or"
    " values\"},"
    "\"consumed\": {\"type\": \"boolean\", \"description\": \"somebody records just now\"},"
    "\"vcpus\": {\"type\": \"integer\"},"
    "\"known_blocks\": {\"type\": \"integer\", \"description\": \"different blocks of code seen\"},"
    "\"instructions\": {\"type\": \"integer\", \"description\": \"executed while counted or"
    " recorded, since the VM began\"},"
    "\"blocks\": {\"type\": \"integer\", \"description\": \"executions of blocks, as they were"
    " recorded\"},"
    "\"accesses\": {\"type\": \"integer\", \"description\": \"to memory\"},"
    "\"cuts\": {\"type\": \"integer\", \"description\": \"interrupts and exceptions\"},"
    "\"dropped\": {\"type\": \"integer\", \"description\": \"records that found no room\"}}}";

static int set_mode(struct vt_op_call *call, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(call->lease->target.vm);
    const char *mode = vt_call_text(call, "mode");
    struct vt_trace_status s;
    if (info->trace_path[0] == '\0') {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", call->lease->target.name,
                       info->trace_why);
    }
    int rc = vt_trace_status(info->trace_path, &s, err);
    if (rc == 0 && s.reader != 0) {
        rc = vt_fail(err, VT_E_BUSY, "%s is being recorded by process %u", call->lease->target.name,
                     s.reader);
    }
    if (rc == 0) {
        bool keep = strcmp(mode, "keep-last") == 0;
        uint32_t detail = keep                         ? VT_TRACE_BLOCKS
                          : strcmp(mode, "count") == 0 ? VT_TRACE_COUNT
                                                       : VT_TRACE_OFF;
        rc = vt_trace_steer(info->trace_path, detail, keep ? VT_TRACE_KEEP_LAST : VT_TRACE_WAIT, 0,
                            NULL, STEER_MS, err);
    }
    return rc == 0 ? write_status(call, err) : rc;
}

static const char *const modes[] = {"off", "count", "keep-last", NULL};
static const struct vt_param mode_params[] = {
    {.name = "mode",
     .kind = VT_PARAM_TEXT,
     .required = true,
     .choices = modes,
     .doc = "nothing, counting instructions, or always keeping what ran last",
     .example = "count"},
    {0},
};

/* ---------------------------------------------------------------- what is hot */

#define SECONDS_MAX 30
#define TOP_MAX 100u
#define TOP 10u

static bool must_stop(void *arg)
{
    const struct vt_op_call *call = arg;
    return *call->lease->stop != 0;
}

static int hot(struct vt_op_call *call, struct vt_error *err)
{
    const char *space = vt_call_text(call, "space");
    double seconds = vt_call_number(call, "seconds", 1);
    struct vt_trace_hot found = {.top = (uint32_t)vt_call_u64(call, "top", TOP)};
    struct vt_trace_hot_request request = {
        .policy = VT_TRACE_DROP, /* a guest does not wait for a peer */
        .for_ns = (uint64_t)(seconds * 1e9),
        .filter.privileges = space == NULL                  ? 0u
                             : strcmp(space, "kernel") == 0 ? 1u
                                                            : 2u,
        .stop = must_stop,
        .arg = call,
    };
    int32_t pid = vt_call_pid(call);
    int rc = pid != 0 ? vt_trace_filter_process(&call->lease->target, (uint64_t)pid,
                                                &request.filter, err)
                      : 0;
    rc = rc == 0 ? vt_trace_hot_live(&found, &call->lease->target, &request, err) : rc;
    rc = rc == 0 ? vt_call_check(call, err) : rc;
    if (rc == 0) {
        vt_json_object(call->out);
        rc = vt_trace_hot_json(&found, vt_call_bool(call, "code"), call->out, err);
        vt_json_object_end(call->out);
    }
    vt_trace_hot_fini(&found);
    return rc;
}

static const char *const spaces[] = {"kernel", "user", NULL};
static const struct vt_param hot_params[] = {
    {.name = "seconds",
     .kind = VT_PARAM_NUMBER,
     .max = SECONDS_MAX,
     .doc = "record that long; 1 when not given",
     .example = "0.5"},
    {.name = "top",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = TOP_MAX,
     .doc = "rows of each kind; 10 when not given"},
    VT_PARAM_PID,
    {.name = "space",
     .kind = VT_PARAM_TEXT,
     .choices = spaces,
     .doc = "the kernel's instructions alone, or those of processes"},
    {.name = "code",
     .kind = VT_PARAM_BOOL,
     .doc = "of loops all code, too: blocks with their bytes, and edges"},
    {0},
};

/* Sums and the code of loops; rows are made of the tables' columns. */
static const char hot_sums[] =
    "{\"arch\": {\"type\": \"string\"},"
    "\"instructions\": {\"type\": \"integer\", \"description\": \"recorded\"},"
    "\"block_executions\": {\"type\": \"integer\"},"
    "\"seconds\": {\"type\": [\"number\", \"null\"]},"
    "\"lost_words\": {\"type\": \"integer\", \"description\": \"of the recording: with any, counts"
    " are too low\"},"
    "\"joined\": {\"type\": \"integer\", \"description\": \"ways back from interrupts, faults and"
    " system calls\"},"
    "\"unexplained\": {\"type\": \"integer\"},"
    "\"irreducible\": {\"type\": \"integer\", \"description\": \"loops with two ways in, not"
    " shown\"},"
    "\"ignored\": {\"type\": \"integer\"},"
    "\"truncated\": {\"type\": \"boolean\"}}";
static const char hot_code[] =
    "{\"hash\": {\"type\": [\"string\", \"null\"], \"description\": \"of its code, wherever it"
    " lies\"},"
    "\"root\": {\"type\": [\"string\", \"null\"], \"description\": \"page-table root; null: the"
    " kernel\"},"
    "\"parent\": {\"type\": [\"string\", \"null\"], \"description\": \"header of the loop around"
    " it\"},"
    "\"code\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\":"
    " false, \"properties\": {\"address\": {\"type\": \"string\"}, \"physical\": {\"type\":"
    " [\"string\", \"null\"]}, \"bytes\": {\"type\": [\"string\", \"null\"]}, \"instructions\":"
    " {\"type\": \"integer\"}, \"count\": {\"type\": \"integer\"}, \"loop\": {\"type\":"
    " \"string\"}}}},"
    "\"edges\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\":"
    " false, \"properties\": {\"from\": {\"type\": \"string\"}, \"to\": {\"type\": \"string\"},"
    " \"kind\": {\"enum\": [\"next\", \"jump\", \"call\", \"return\", \"over\"]}, \"role\":"
    " {\"enum\": [\"entry\", \"back\", \"inside\", \"exit\", \"call\", \"return\"]}, \"count\":"
    " {\"type\": \"integer\"}}}}}";

static json_t *hot_result(const struct vt_op *op)
{
    unsigned n;
    const struct vt_trace_hot_table *tables = vt_trace_hot_tables(&n);
    json_t *properties = json_loads(hot_sums, 0, NULL), *required = json_array();
    const char *key;
    json_t *value;
    (void)op;
    for (unsigned i = 0; i < n; i++) {
        json_t *row = vt_record_schema(tables[i].columns, tables[i].n_columns);
        if (strcmp(tables[i].member, "loops") == 0) {
            json_t *code = json_loads(hot_code, 0, NULL);
            json_object_update(json_object_get(row, "properties"), code);
            json_decref(code);
        }
        json_object_set_new(properties, tables[i].member,
                            json_pack("{s:s, s:o}", "type", "array", "items", row));
    }
    json_object_foreach(properties, key, value)
    {
        json_array_append_new(required, json_string(key));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", false);
}

const struct vt_op vt_ops_trace[] = {
    {
        .name = "trace_status",
        .method = "GET",
        .path = "/vms/{vm}/trace",
        .group = "Instructions",
        .title = "State of the trace",
        .summary = "Tell whether a VM's instructions can be recorded, are, and how many ran",
        .flags = VT_OP_VM,
        .result = status_result,
        .run = write_status,
    },
    {
        .name = "trace_mode",
        .method = "PUT",
        .path = "/vms/{vm}/trace",
        .group = "Instructions",
        .title = "Set what is traced",
        .summary = "Count instructions, keep what ran last, or nothing",
        .description =
            "Counting costs the guest little; with keep-last the VM's rings always hold\n"
            "what ran last, and vitrine trace dump shows it. Metrics have the counters.",
        .params = mode_params,
        .flags = VT_OP_VM | VT_OP_CHANGES,
        .result = status_result,
        .run = set_mode,
    },
    {
        .name = "trace_hot",
        .method = "POST",
        .path = "/vms/{vm}/trace/hot",
        .group = "Instructions",
        .title = "What is hot",
        .summary = "Find the loops, functions and sequences the guest spends its instructions in",
        .description =
            "Every block of instructions that begins is recorded for that long, without stopping\n"
            "the guest and without an agent in it. Shares are of all instructions recorded; work\n"
            "is what a loop does most: simple ALU, streaming, pointer chasing, floating point,\n"
            "string, control, system. Only one at a time records a VM; needs QEMU's TCG.",
        .params = hot_params,
        .flags = VT_OP_VM | VT_OP_TOOL,
        .make_result = hot_result,
        .run = hot,
    },
    {0},
};
