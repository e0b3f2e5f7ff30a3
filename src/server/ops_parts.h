/* server/ops_parts.h - what operations are written with: their arguments and their results. */
#ifndef VT_SERVER_OPS_PARTS_H
#define VT_SERVER_OPS_PARTS_H

#include "server/ops.h"
#include "vitrine/highlight.h"

/* Tables of operations, each ended by one without a name. */
extern const struct vt_op vt_ops_ask[];
extern const struct vt_op vt_ops_lifecycle[];
extern const struct vt_op vt_ops_memory[];
extern const struct vt_op vt_ops_pages[];
extern const struct vt_op vt_ops_picture[];
extern const struct vt_op vt_ops_search[];
extern const struct vt_op vt_ops_snapshot[];
extern const struct vt_op vt_ops_sql[];
extern const struct vt_op vt_ops_trace[];
extern const struct vt_op vt_ops_vms[];

/** One operation a noun, ended by one without a name; made by the caller, who calls it once. NULL:
 *  out of memory. */
const struct vt_op *vt_ops_of_nouns(void);
/** One operation a table of the database, and its like; called once, too. */
const struct vt_op *vt_ops_of_tables(void);

/* ---- arguments, checked already ---- */

/** NULL: not given. */
const char *vt_call_text(const struct vt_op_call *call, const char *name);
uint64_t vt_call_u64(const struct vt_op_call *call, const char *name, uint64_t fallback);
double vt_call_number(const struct vt_op_call *call, const char *name, double fallback);
bool vt_call_bool(const struct vt_op_call *call, const char *name);
/** A VT_PARAM_ADDRESS, as text for vt_target_address; NULL: not given. */
const char *vt_call_address(const struct vt_op_call *call, const char *name, char buf[24]);
/** The parameter "pid"; 0: not given. */
int32_t vt_call_pid(const struct vt_op_call *call);

/** Guest-physical ranges, gathered. */
struct vt_gathered {
    struct vt_gpa_run *runs; /**< malloc'ed; NULL: none */
    size_t n, room;
};
/** Adds one, to the last one where it goes on. VT_E_NOMEM. */
int vt_gathered_add(struct vt_gathered *all, struct vt_gpa gpa, uint64_t bytes,
                    struct vt_error *err);
/** Adds the memory of a kind ("heap", "slab"; NULL: all of the process's). Errors: those of
 *  vt_memory_kind_parse, vt_lease_kernel and vt_linux_memory_runs. */
int vt_call_gather(struct vt_op_call *call, const char *area, int32_t pid, struct vt_gathered *all,
                   struct vt_error *err);

/* ---- results ---- */

/** Ask it now and then: VT_E_LIMIT when the result grew too long, VT_E_INTERRUPTED. */
int vt_call_check(const struct vt_op_call *call, struct vt_error *err);
/** Takes a struct vt_op_call: for vt_noun_json.check. */
int vt_call_check_arg(void *call, struct vt_error *err);

/** Writes what is known of a VM; its schema is vt_vm_result. VT_E_NOT_FOUND. */
int vt_call_write_vm(struct vt_op_call *call, const char *name, struct vt_error *err);
extern const char vt_vm_result[];

/** Answers the parameter "question". Errors: those of vt_lease_kernel, vt_lease_sql and vt_ask. */
int vt_call_ask(struct vt_op_call *call, struct vt_answer *answer, struct vt_error *err);

/** Result texts are at most this long. */
#define VT_RESULT_MAX (UINT64_C(16) << 20)

/** Schema of an object made by vt_json_record; a new reference. */
json_t *vt_record_schema(const struct vt_column *columns, unsigned n);

/** The parameters that many have. */
#define VT_PARAM_PID                                                                               \
    {.name = "pid",                                                                                \
     .kind = VT_PARAM_UINT,                                                                        \
     .min = 1,                                                                                     \
     .max = INT32_MAX,                                                                             \
     .doc = "only of this process",                                                                \
     .example = "1"}

/** A kind of memory, as vt_memory_kind_parse takes it. */
#define VT_PARAM_AREA                                                                              \
    {.name = "area",                                                                               \
     .kind = VT_PARAM_TEXT,                                                                        \
     .min = 1,                                                                                     \
     .max = 32,                                                                                    \
     .doc =                                                                                        \
         "memory of this kind: slab, vmalloc, page_tables, kernel_stacks, modules, page_cache, "   \
         "…; with a pid heap, stack, code, …",                                                     \
     .example = "slab"}

#endif
