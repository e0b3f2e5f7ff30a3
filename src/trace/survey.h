/* trace/survey.h - how much of what is in a trace: instructions by class, process and time,
 * accesses by size, discontinuities by target, how much memory was touched.
 *
 * Counts are of what completed; accesses of what was begun. One thread a survey.
 */
#ifndef VT_TRACE_SURVEY_H
#define VT_TRACE_SURVEY_H

#include "vitrine/trace.h"

#define VT_TRACE_SURVEY_CLASSES (VT_INSN_UNKNOWN + 1u)
#define VT_TRACE_SURVEY_SIZES 5u /**< 1, 2, 4, 8, 16 bytes */
#define VT_TRACE_SURVEY_VCPUS 64u
#define VT_TRACE_SURVEY_SPANS 32u
#define VT_TRACE_SURVEY_ROOTS 4096u
#define VT_TRACE_SURVEY_TARGETS 4096u
/** Lines of 64 bytes and pages of 4096 that are told apart; more are `truncated`. */
#define VT_TRACE_SURVEY_LINES_MAX ((uint32_t)1 << 22)

struct vt_trace_survey_vcpu {
    uint64_t events, instructions, blocks, accesses, interrupts, exceptions, lost_words;
    uint64_t idle_ns;           /**< between going idle and going on */
    uint64_t first_ns, last_ns; /**< times seen; 0: none */
};
struct vt_trace_survey_class {
    uint64_t instructions, loads, stores; /**< accesses that such instructions made */
};
struct vt_trace_survey_size {
    uint64_t loads, stores;
};
struct vt_trace_survey_root {
    uint64_t root;         /**< ~0: not known */
    uint64_t kernel, user; /**< instructions: addresses with bit 63 are the kernel's */
    uint64_t accesses;
};
struct vt_trace_survey_target {
    enum vt_trace_end end; /**< interrupt, exception, host call */
    uint64_t to, count;
};
struct vt_trace_survey_sums {
    uint64_t events, instructions, kernel, blocks, whole_blocks;
    uint64_t loads, stores, device; /**< accesses; `device` is of both */
    uint64_t interrupts, exceptions, host_calls, restarts, unknown_ends;
    uint64_t losses, lost_words; /**< how often, how many */
    uint64_t idle_ns, first_ns, last_ns;
    uint32_t known_blocks; /**< different ones */
    /** Different ones. Of code by physical address where it is known, of data by virtual address,
     * those of user space for each page-table root. */
    uint64_t code_lines, code_pages, data_lines, data_pages;
    uint64_t span_ns; /**< of each of the spans, from first_ns on; 0: there are no times */
    uint32_t n_spans, n_roots, n_targets;
    bool truncated; /**< a table was full: what it holds is right, and not all */
};

struct vt_trace_survey;
int vt_trace_survey_create(struct vt_trace_survey **survey, struct vt_error *err);
void vt_trace_survey_destroy(struct vt_trace_survey *survey);
/** Takes an event of a source, in order. */
int vt_trace_survey_add(struct vt_trace_survey *survey, const struct vt_trace_event *event,
                        struct vt_error *err);
/** Adds up; once, after the last event. Tables are then in order: roots and targets by how much. */
const struct vt_trace_survey_sums *vt_trace_survey_end(struct vt_trace_survey *survey);
/* Of the survey, as long as it lives; by number or enum. */
const struct vt_trace_survey_vcpu *vt_trace_survey_vcpus(const struct vt_trace_survey *survey);
const struct vt_trace_survey_class *vt_trace_survey_classes(const struct vt_trace_survey *survey);
const struct vt_trace_survey_size *vt_trace_survey_sizes(const struct vt_trace_survey *survey);
const struct vt_trace_survey_root *vt_trace_survey_roots(const struct vt_trace_survey *survey);
const struct vt_trace_survey_target *vt_trace_survey_targets(const struct vt_trace_survey *survey);
/** Instructions in each span. */
const uint64_t *vt_trace_survey_spans(const struct vt_trace_survey *survey);

#endif
