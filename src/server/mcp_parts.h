/* server/mcp_parts.h - what the files of the MCP server share.
 *
 * A message becomes a call: which era it belongs to, its parameters, and where a fault is put. A
 * method returns the result's members; what every result carries besides is added in mcp.c.
 */
#ifndef VT_SERVER_MCP_PARTS_H
#define VT_SERVER_MCP_PARTS_H

#include "server/mcp.h"
#include "server/ops.h"

#include <jansson.h>

#define VT_MCP_MODERN "2026-07-28"
#define VT_MCP_LEGACY_NEWEST "2025-11-25"
#define VT_MCP_META_VERSION "io.modelcontextprotocol/protocolVersion"
#define VT_MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"

/** Codes of JSON-RPC 2.0, and those the protocol adds. */
enum vt_rpc_code {
    VT_RPC_PARSE = -32700,
    VT_RPC_REQUEST = -32600,
    VT_RPC_METHOD = -32601,
    VT_RPC_PARAMS = -32602,
    VT_RPC_INTERNAL = -32603,
    VT_RPC_LEGACY_NO_RESOURCE = -32002,
    VT_RPC_HEADER = -32020,
    VT_RPC_VERSION = -32022,
};

struct vt_mcp {
    struct vt_host *host;
    json_t *tools;     /* as tools/list shows them; these three never change */
    json_t *templates; /* as resources/templates/list does */
    json_t *prompts;   /* as prompts/list does */
};

/** One request while it is answered. */
struct vt_mcp_call {
    struct vt_mcp *mcp;
    bool modern;
    bool may_change;
    volatile int *stop;   /* or NULL */
    const json_t *params; /* an object */
    /* A fault: code 0 means none. `entry` says that it was found before the method ran. */
    int code;
    bool entry;
    json_t *data;
    char message[VT_ERROR_MESSAGE_MAX + 80];
};

/** Whether whoever owns `stop` (may be NULL) wants no answer any more; set by any thread. */
static inline bool vt_mcp_stopped(const volatile int *stop)
{
    return stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

/** Notes the fault and returns NULL. Takes over `data`, which may be NULL. */
json_t *vt_mcp_fail(struct vt_mcp_call *call, enum vt_rpc_code code, json_t *data, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));
/** A JSON string of any bytes: those that are not UTF-8 become U+FFFD. */
json_t *vt_mcp_text(const char *text);
/** {"type": "text", "text": …} */
json_t *vt_mcp_text_content(const char *text);
/** A required member that is a string, or NULL after noting the fault. */
const char *vt_mcp_string_param(struct vt_mcp_call *call, const char *name);
/** The page of `all` that the call's cursor asks for, as {member: […], "nextCursor": …}. */
json_t *vt_mcp_page(struct vt_mcp_call *call, const char *member, const json_t *all);

/* Methods: a new reference to the result, or NULL after vt_mcp_fail. */
json_t *vt_mcp_tools_list(struct vt_mcp_call *call);
json_t *vt_mcp_tools_call(struct vt_mcp_call *call);
json_t *vt_mcp_resources_list(struct vt_mcp_call *call);
json_t *vt_mcp_resources_templates(struct vt_mcp_call *call);
json_t *vt_mcp_resources_read(struct vt_mcp_call *call);
json_t *vt_mcp_prompts_list(struct vt_mcp_call *call);
json_t *vt_mcp_prompts_get(struct vt_mcp_call *call);

/* Made once. NULL: out of memory. */
json_t *vt_mcp_make_tools(bool read_only);
json_t *vt_mcp_make_templates(void);
json_t *vt_mcp_make_prompts(void);

/** Runs an operation and reads what it gives. VT_E_LIMIT when that is more than anybody reads. */
int vt_mcp_run(struct vt_mcp_call *call, const struct vt_op *op, const json_t *args,
               json_t **result, struct vt_error *err);
/** Brings an object below `max_bytes` by shortening its arrays. What was left out, and how to ask
 *  for less, goes into `note`; "" when nothing was. VT_E_LIMIT when it cannot be shortened enough.
 */
int vt_mcp_shorten(json_t *object, size_t max_bytes, const struct vt_op *op, char *note,
                   size_t note_bytes, struct vt_error *err);
/** The names of the VMs that may be seen: an array of strings. */
int vt_mcp_vms(struct vt_mcp_call *call, json_t **names, struct vt_error *err);

/* ---- between the transports and the methods ---- */

/** Reads one message. NULL with *fault, a whole reply, when it is none. */
json_t *vt_mcp_parse(const char *text, size_t bytes, json_t **fault);
/** {"jsonrpc", "id", "error"}; `id` is borrowed, NULL stands for null. Takes over `data`. */
json_t *vt_mcp_error(const json_t *id, enum vt_rpc_code code, const char *message, json_t *data);
/** The version that `message` claims in _meta: modern. NULL: it claims none. */
const json_t *vt_mcp_claim(const json_t *message);
bool vt_mcp_is_legacy(const char *version);
/** What kind of message: a request has a method and an id, a notification no id. */
enum vt_mcp_kind {
    VT_MCP_REQUEST,
    VT_MCP_NOTIFICATION,
    VT_MCP_RESPONSE,
    VT_MCP_NONSENSE,
};
enum vt_mcp_kind vt_mcp_kind(const json_t *message);
/** Answers one request. `modern` says which era's rules hold; `status` (may be NULL) is what HTTP
 *  says with it. `version` of legacy sessions is set by initialize. NULL: out of memory. */
json_t *vt_mcp_answer(struct vt_mcp *mcp, const json_t *request, bool modern,
                      struct vt_mcp_session *session, volatile int *stop, unsigned *status);
/** Answers a batch, which two legacy versions have. NULL when it holds notifications only. */
json_t *vt_mcp_answer_batch(struct vt_mcp *mcp, const json_t *batch, struct vt_mcp_session *session,
                            volatile int *stop);
/** The same for whatever a session may send. *reply is NULL when it gets none. */
int vt_mcp_answer_any(struct vt_mcp *mcp, const json_t *message, struct vt_mcp_session *session,
                      volatile int *stop, json_t **reply, struct vt_error *err);
/** As one line without its end. */
int vt_mcp_dump(const json_t *reply, char **text, size_t *bytes, struct vt_error *err);

#endif
