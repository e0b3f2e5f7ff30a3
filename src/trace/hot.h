/* trace/hot.h - what is hot, to be shown: a graph (learn.h) made of a VM that runs or of a file,
 * and its hottest rows as tables of records with columns, as JSON, and as disassembly.
 *
 * docs/trace.md describes the JSON. Rows are by share of all instructions, most first.
 */
#ifndef VT_TRACE_HOT_H
#define VT_TRACE_HOT_H

#include "base/json_writer.h"
#include "trace/learn.h"
#include "vitrine/target.h"

#include <stdio.h>

struct vt_trace_hot {
    struct vt_trace_graph *graph;
    struct vt_trace_names *names; /**< or NULL: addresses */
    uint32_t top;                 /**< rows of each kind */
    char arch[16];
    uint64_t lost_words, took_ns; /**< took_ns 0: not recorded here */
};
/** Destroys the graph and the names. */
void vt_trace_hot_fini(struct vt_trace_hot *hot);

struct vt_trace_hot_request {
    struct vt_trace_filter filter;
    uint32_t policy; /**< enum vt_trace_policy */
    uint64_t for_ns; /**< in which the host let the vCPUs run; it may take ten times as long */
    /** Whether to end at once, asked now and then. It ends a recording early; a file, with
     * VT_E_INTERRUPTED. NULL: no. */
    bool (*stop)(void *arg);
    void *arg;
};
/** Records that VM and learns, until the time is up or the filter's process has ended; afterwards
 * its instructions are counted if they were before, and nothing is recorded. Needs hot->top alone.
 * VT_E_UNSUPPORTED; VT_E_BUSY: another records, or what ran last is kept; others: see
 * vt_trace_open_live and vt_trace_steer. */
int vt_trace_hot_live(struct vt_trace_hot *hot, struct vt_target *target,
                      const struct vt_trace_hot_request *request, struct vt_error *err);
int vt_trace_hot_file(struct vt_trace_hot *hot, const char *path,
                      const struct vt_trace_hot_request *request, struct vt_error *err);

struct vt_trace_hot_table {
    const char *member, *title; /**< "loops", "Loops" */
    const struct vt_column *columns;
    unsigned n_columns;
    size_t bytes; /**< of a record */
    /** The hottest; returns how many. Room for vt_trace_hot_room bytes. */
    uint32_t (*fill)(const struct vt_trace_hot *hot, void *records);
};
const struct vt_trace_hot_table *vt_trace_hot_tables(unsigned *n);
size_t vt_trace_hot_room(const struct vt_trace_hot *hot);
/** Members of an object that is open: sums, then all tables; with `code`, loops have it.
 * VT_E_NOMEM.
 */
int vt_trace_hot_json(const struct vt_trace_hot *hot, bool code, struct vt_json_writer *w,
                      struct vt_error *err);

/** Members that say everything about the code of a loop: blocks with their bytes, edges, a hash. */
int vt_trace_hot_loop_json(const struct vt_trace_graph *graph, uint32_t loop,
                           struct vt_json_writer *w, struct vt_error *err);
/** The instructions of a loop, each with its executions. */
int vt_trace_hot_loop_text(const struct vt_trace_hot *hot, uint32_t loop, FILE *out,
                           struct vt_error *err);

#endif
