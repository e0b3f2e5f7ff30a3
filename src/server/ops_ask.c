/* server/ops_ask.c - the operation ask: a question in words. */
#include "semantic/answer_json.h"
#include "server/ops_parts.h"

#define ROWS_DEFAULT 200u
#define ROWS_MAX 10000u
#define PLACES_DEFAULT 200u

int vt_call_ask(struct vt_op_call *call, struct vt_answer *answer, struct vt_error *err)
{
    struct vt_lease *lease = call->lease;
    int rc = lease->target.ended ? 0 : vt_lease_kernel(call->host, lease, err);
    rc = rc != 0 ? rc : vt_lease_sql(call->host, lease, err);
    return rc != 0 ? rc
                   : vt_ask(&lease->target, lease->sql, vt_call_text(call, "question"), lease->stop,
                            answer, err);
}

static int ask(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_answer answer;
    int rc = vt_call_ask(call, &answer, err);
    if (rc == 0) {
        vt_answer_write(&answer, vt_call_u64(call, "limit", ROWS_DEFAULT),
                        vt_call_u64(call, "places", PLACES_DEFAULT), call->out);
        vt_answer_fini(&answer);
    }
    return rc;
}

static json_t *result(const struct vt_op *op)
{
    (void)op;
    return json_loads(vt_answer_schema, JSON_REJECT_DUPLICATES, NULL);
}

static const struct vt_param params[] = {
    {.name = "question",
     .kind = VT_PARAM_TEXT,
     .required = true,
     .min = 1,
     .max = VT_QUESTION_MAX,
     .doc = "in English",
     .example = "where is the SSH daemon?"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = ROWS_MAX,
     .doc = "rows at most; 200 when not given"},
    {.name = "places",
     .kind = VT_PARAM_UINT,
     .max = VT_ANSWER_PLACES_MAX,
     .doc = "ranges of memory at most; 200 when not given"},
    {0},
};

#define DESCRIPTION                                                                                \
    "Questions such as \"where is the SSH daemon?\", \"what processes are running?\", \"show me\n" \
    "the page tables of pid 42\", \"who listens on port 80?\", \"what changed in the last\n"       \
    "minute?\", \"kernel stack of pid 7\". The answer is a text, rows, ranges of memory with\n"    \
    "virtual and physical addresses and their place in the volume, and the SQL or command\n"       \
    "that shows the same. A question that is not understood is answered by what can be asked."

const struct vt_op vt_ops_ask[] = {
    {
        .name = "ask",
        .method = "POST",
        .path = "/vms/{vm}/ask",
        .group = "Questions",
        .title = "Ask a question",
        .summary = "Ask a question in words about a guest",
        .description = DESCRIPTION,
        .params = params,
        .flags = VT_OP_VM | VT_OP_TOOL | VT_OP_PAST,
        .make_result = result,
        .run = ask,
    },
    {
        .name = "ask_get",
        .method = "GET",
        .path = "/vms/{vm}/ask",
        .group = "Questions",
        .title = "Ask a question by a link",
        .summary = "Ask a question in words, the question in the address",
        .params = params,
        .flags = VT_OP_VM | VT_OP_PAST,
        .make_result = result,
        .run = ask,
    },
    {0},
};
