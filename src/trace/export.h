/* trace/export.h - a trace in formats that other programs read, each a pure function of a source's
 * events and of the names that are known: the same trace gives the same bytes.
 *
 *   collapsed  a line a call stack and its weight: Brendan Gregg's FlameGraph, speedscope, …
 *   svg        a flame graph, one file; with a script to zoom and search, and readable without
 *   chrome     JSON of Chromium's "Trace Event Format": chrome://tracing, ui.perfetto.dev
 *   perfetto   the same as TrackEvents, Perfetto's binary (protos/perfetto/trace)
 *   dot        the flow graph of what was executed most (trace/learn.h), for graphviz
 *   csv        a line an instruction, a block or an access (RFC 4180)
 *
 * docs/trace.md describes them for their readers.
 */
#ifndef VT_TRACE_EXPORT_H
#define VT_TRACE_EXPORT_H

#include "vitrine/trace.h"

#include <stdio.h>

enum vt_trace_export_format {
    VT_TRACE_EXPORT_COLLAPSED,
    VT_TRACE_EXPORT_SVG,
    VT_TRACE_EXPORT_CHROME,
    VT_TRACE_EXPORT_PERFETTO,
    VT_TRACE_EXPORT_DOT,
    VT_TRACE_EXPORT_CSV,
    VT_TRACE_EXPORT_FORMATS
};
/** "collapsed", "svg", … */
const char *vt_trace_export_name(enum vt_trace_export_format format);
bool vt_trace_export_of(const char *name, enum vt_trace_export_format *format);

/** What time is: of stacks their weight, of chrome and perfetto the axis. */
enum vt_trace_clock {
    VT_TRACE_CLOCK_AUTO, /**< of stacks instructions; of an axis time, where it was recorded */
    VT_TRACE_CLOCK_INSTRUCTIONS, /**< on an axis a nanosecond each, of each vCPU its own */
    VT_TRACE_CLOCK_TIME
};
enum vt_trace_csv_rows { VT_TRACE_CSV_INSTRUCTIONS, VT_TRACE_CSV_BLOCKS, VT_TRACE_CSV_ACCESSES };

struct vt_trace_export_options { /* all zero: the defaults */
    enum vt_trace_export_format format;
    enum vt_trace_clock clock;
    enum vt_trace_csv_rows rows; /**< csv */
    uint64_t shortest_ns;        /**< chrome, perfetto: slices that are shorter are left out */
    uint32_t blocks;             /**< dot: the hottest ones; 0: 250 */
    const char *title;           /**< svg; NULL: of the VM */
    uint64_t count;              /**< instructions, then end; 0: all */
    const volatile int *stop;    /**< may be NULL: VT_E_INTERRUPTED when it becomes non-zero */
};

struct vt_trace_export_done {
    uint64_t events, instructions;
    uint64_t lost_words;
    uint64_t left_out; /**< frames, slices or blocks that were too small, or beyond a cap */
    bool truncated;    /**< a cap was reached */
};

/** From where the source is to its end (live ones: to what there is). `names` may be NULL. What was
 *  written before a failure stays. VT_E_IO, VT_E_NOMEM, and what the source says. */
int vt_trace_export(struct vt_trace_source *source, struct vt_trace_names *names,
                    const struct vt_trace_export_options *options, FILE *out,
                    struct vt_trace_export_done *done, struct vt_error *err);

#endif
