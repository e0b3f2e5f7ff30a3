/* trace/export_collapsed.c - a line a stack: frames from the outermost on, a blank, its weight.
 * What FlameGraph's stackcollapse programs write and flamegraph.pl, speedscope and inferno read.
 */
#include "trace/export_parts.h"

#include <inttypes.h>
#include <stdlib.h>

/* Semicolons part frames. */
static void put_frame(FILE *out, const struct vt_trace_frame *frame)
{
    char text[VT_TRACE_FRAME_TEXT];
    for (const char *at = vt_trace_frame_text(frame, text); *at != '\0'; at++) {
        putc(*at == ';' ? ':' : *at, out);
    }
}

static int put_stacks(struct vt_trace_export *x, struct vt_error *err)
{
    const struct vt_trace_stacks *stacks = x->own;
    uint32_t n, deepest = 0;
    const struct vt_trace_stack_node *nodes = vt_trace_stacks_nodes(stacks, &n);
    for (uint32_t i = 0; i < n; i++) {
        deepest = nodes[i].depth > deepest ? nodes[i].depth : deepest;
    }
    uint32_t *path = calloc(deepest + 1u, sizeof *path);
    if (path == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a stack of %u frames", deepest);
    }
    for (uint32_t i = 1; i < n; i++) {
        uint64_t weight =
            x->options->clock == VT_TRACE_CLOCK_TIME ? nodes[i].time_ns : nodes[i].instructions;
        if (weight == 0) {
            continue;
        }
        uint32_t depth = 0;
        for (uint32_t at = i; at != 0; at = nodes[at].parent) {
            path[depth++] = nodes[at].frame;
        }
        while (depth-- > 0) {
            put_frame(x->out, vt_trace_stacks_frame(stacks, path[depth]));
            putc(depth > 0 ? ';' : ' ', x->out);
        }
        fprintf(x->out, "%" PRIu64 "\n", weight);
    }
    free(path);
    return 0;
}

static int end(struct vt_trace_export *x, bool whole, struct vt_error *err)
{
    int rc = whole ? put_stacks(x, err) : 0;
    vt_trace_export_end_stacks(x);
    return rc;
}

const struct vt_trace_exporter vt_trace_exporter_collapsed = {
    .name = "collapsed",
    .begin = vt_trace_export_begin_stacks,
    .put = vt_trace_export_put_stacks,
    .end = end,
};
