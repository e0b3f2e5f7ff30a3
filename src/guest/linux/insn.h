/* guest/linux/insn.h - the few x86-64 instructions that checks of the kernel's code have to follow:
 * how a function begins, and where a switch that compares numbers leads.
 *
 * Pure functions over bytes, which are the guest's: hostile. (Intel SDM vol. 2)
 */
#ifndef VT_GUEST_LINUX_INSN_H
#define VT_GUEST_LINUX_INSN_H

#include "vitrine/base.h"

/** The most bytes vt_insn_detour looks at. */
#define VT_INSN_DETOUR_BYTES 32u

enum vt_insn_kind {
    VT_INSN_OTHER,    /**< anything else: the function's own code */
    VT_INSN_JUMP,     /**< goes to `target` and does not come back */
    VT_INSN_CALL,     /**< calls `target`, and goes on at `next` */
    VT_INSN_INDIRECT, /**< as VT_INSN_JUMP; the target is what `target` holds, 8 bytes */
    VT_INSN_TRAP,     /**< a breakpoint, as kprobes and debuggers set it */
};

struct vt_insn_detour {
    enum vt_insn_kind kind;
    uint64_t target;
    size_t next; /**< behind the instruction, in bytes */
};

/** What the first instruction of bytes[0..n), which lie at `at`, does when it leads away; nops and
 *  endbr64 before it are passed over. Knows jumps, calls, a register or the stack loaded with a
 *  number and jumped or returned to. */
struct vt_insn_detour vt_insn_detour(const uint8_t *bytes, size_t n, uint64_t at);

/** Runs the function code[0..n) at `at` with `number` in %esi until it leaves: for a compiler's
 *  switch over a number that leads to other functions (x64_sys_call). false: it has instructions
 *  that such a switch has not, or does not end. Bounded. */
bool vt_insn_switch(const uint8_t *code, size_t n, uint64_t at, uint32_t number, uint64_t *target);

#endif
