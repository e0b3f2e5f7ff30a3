/* trace/flow.h - where control may go after an instruction, by its bytes alone.
 *
 * The reader asks this of each block's last instruction, to tell a block that ran to its end from
 * one that was cut without a word. x86_64, aarch64 and riscv64; of others nothing is known.
 */
#ifndef VT_TRACE_FLOW_H
#define VT_TRACE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vt_trace_flow_kind {
    VT_TRACE_FLOW_ANYWHERE, /* computed jumps, returns, system calls, what is not known */
    VT_TRACE_FLOW_FALLS,    /* to the next instruction */
    VT_TRACE_FLOW_JUMPS,    /* to `target` */
    VT_TRACE_FLOW_BRANCHES, /* to `target` or the next */
    VT_TRACE_FLOW_REPEATS,  /* itself (`target`) or the next: rep and its like */
};
struct vt_trace_flow {
    enum vt_trace_flow_kind kind;
    uint64_t next, target;
    bool traps; /* raises an exception on purpose: int, int3; it is done when that is delivered */
};

/** `arch` as QEMU calls it. */
struct vt_trace_flow vt_trace_flow_of(const char *arch, uint64_t pc, const uint8_t *bytes,
                                      size_t size);

static inline bool vt_trace_flow_may_go(const struct vt_trace_flow *flow, uint64_t pc)
{
    return flow->kind == VT_TRACE_FLOW_ANYWHERE ||
           (flow->kind != VT_TRACE_FLOW_JUMPS && pc == flow->next) ||
           (flow->kind != VT_TRACE_FLOW_FALLS && pc == flow->target);
}

#endif
