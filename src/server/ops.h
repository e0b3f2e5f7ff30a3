/* server/ops.h - what can be asked of vitrine from outside, one row an operation.
 *
 * REST routes, the OpenAPI document and the tools of MCP are all made of this table, so they cannot
 * disagree. An operation takes named parameters and gives one JSON object (or a picture). Any
 * thread may run any operation; two at once on one VM get a lease each.
 */
#ifndef VT_SERVER_OPS_H
#define VT_SERVER_OPS_H

#include "base/json_writer.h"
#include "server/host.h"

#include <jansson.h>
#include <stdio.h>

enum vt_param_kind {
    VT_PARAM_TEXT,
    VT_PARAM_UINT,
    VT_PARAM_NUMBER,
    VT_PARAM_BOOL,
    VT_PARAM_ADDRESS, /**< a number, "0x…", a symbol or symbol+0x10; a string in JSON */
    VT_PARAM_RUNS,    /**< array of {"gpa": "0x…", "bytes": n} */
};

struct vt_param {
    const char *name; /**< snake_case; NULL ends an array of them */
    enum vt_param_kind kind;
    bool required;
    const char *doc;   /**< one line, no full stop */
    uint64_t min, max; /**< UINT, NUMBER: the range; TEXT: bytes; max 0: 2^53 - 1, 4096 bytes */
    const char *const *choices; /**< TEXT: one of these, ended by NULL; or NULL */
    const char *example;        /**< for documents, or NULL */
};

enum vt_op_flags {
    VT_OP_VM = 1 << 0, /**< has a parameter "vm", in the path as {vm} */
    VT_OP_CHANGES =
        1 << 1, /**< changes a VM or the host: needs the token; not idempotent unless PUT */
    VT_OP_DESTROYS = 1 << 2, /**< and what it changes is lost */
    VT_OP_TOOL = 1 << 3,     /**< a tool of MCP */
    VT_OP_DATABASE = 1 << 4, /**< answers from the database alone: the same until the next sample */
    VT_OP_PNG = 1 << 5,      /**< the result is image/png */
    VT_OP_BY_NAME = 1 << 6,  /**< with VT_OP_VM: no lease; the VM's RAM need not be there */
    VT_OP_PAST = 1 << 7,     /**< also of a VM that ended, as VT_OP_DATABASE without saying */
};

struct vt_op_call {
    struct vt_host *host;
    const struct vt_op *op;
    struct vt_lease *lease;     /**< with VT_OP_VM, taken already; NULL without, or by name */
    const json_t *args;         /**< object; every member was checked against the parameters */
    const char *detail;         /**< who asks for what, for the log */
    struct vt_json_writer *out; /**< at the result's place: the operation writes one object */
    FILE *raw;                  /**< with VT_OP_PNG, instead of out */
};

struct vt_op {
    const char *name;        /**< "page_tables": the operation's id and the tool's name */
    const char *method;      /**< "GET", "POST", "PUT", "DELETE" */
    const char *path;        /**< below /api/v1: "/vms/{vm}/page-tables"; {name} are parameters */
    const char *group;       /**< "Machines": heading in documents, one of openapi.c's */
    const char *title;       /**< "Page tables" */
    const char *summary;     /**< one line, no full stop */
    const char *description; /**< paragraphs for documents and language models, or NULL */
    const struct vt_param *params; /**< besides "vm"; or NULL */
    unsigned flags;
    /* JSON Schema of the result: as text, else made by a function (a new reference), else of `noun`
     */
    const char *result;
    json_t *(*make_result)(const struct vt_op *op);
    const struct vt_noun *noun; /**< the noun whose rows it lists, or NULL */
    int (*run)(struct vt_op_call *call, struct vt_error *err);
};

/** All of them, ended by NULL: those written by hand, then one a noun at /vms/{vm}/live/<noun>:
 *  "live_<noun>", or of those that are tools the tool's name ("ps", "page_tables", …). Made once,
 * on first use; thread-safe. */
const struct vt_op *const *vt_ops(void);
const struct vt_op *vt_op_find(const char *name);

/** What came of running one. */
struct vt_op_reply {
    char *body; /**< malloc'ed, one line of JSON, or a PNG; the caller's to free */
    size_t bytes;
};
/** Checks the arguments (an unknown, missing or wrong one is VT_E_INVAL that names it), writes the
 *  audit line, takes the lease, runs. `args` is an object, borrowed, "vm" among them. `origin` says
 *  who asks ("127.0.0.1", "mcp"), for the log; may be NULL. `stop`, or NULL, becomes non-zero when
 *  nobody wants the result any more (vt_host_lease). Errors: VT_E_INVAL, VT_E_PERM (the host
 *  is read-only), VT_E_LIMIT (the result would be too long), those of vt_host_lease and of the
 *  operation. */
int vt_op_run(struct vt_host *host, const struct vt_op *op, const json_t *args, const char *origin,
              volatile int *stop, struct vt_op_reply *reply, struct vt_error *err);

/** The value of a parameter written as text (of a query, a path, a command line); a new reference.
 *  VT_PARAM_RUNS is JSON text. It is not checked but for its kind: vt_op_run does. VT_E_INVAL. */
int vt_param_from_text(const struct vt_param *param, const char *text, json_t **value,
                       struct vt_error *err);

/** The parameters of an operation, "vm" first where it has one; NULL past the end. */
const struct vt_param *vt_op_param(const struct vt_op *op, unsigned i);

/** JSON Schema (2020-12) of an operation's parameters and of its result; a new reference, NULL when
 *  out of memory or (result) when it is a picture. */
json_t *vt_op_params_schema(const struct vt_op *op);
json_t *vt_op_result_schema(const struct vt_op *op);
/** Of one parameter's value. */
json_t *vt_param_schema(const struct vt_param *param);

#endif
