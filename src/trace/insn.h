/* trace/insn.h - what learning asks of one instruction: where it can go, what it reads and writes,
 * and what kind of work it is.
 *
 * x86_64 by Zydis in full; of aarch64 and riscv64 only where it can go (flow.h, and the encodings
 * of calls and returns: Arm ARM C4.1.65, RISC-V unprivileged 2.5.1 and C, privileged 3.3.2).
 */
#ifndef VT_TRACE_INSN_H
#define VT_TRACE_INSN_H

#include "trace/x86.h"

enum vt_trace_arch {
    VT_TRACE_ARCH_OTHER, /**< every instruction is VT_FLOW_UNKNOWN */
    VT_TRACE_ARCH_X86_64,
    VT_TRACE_ARCH_AARCH64,
    VT_TRACE_ARCH_RISCV64,
};
/** Of QEMU's name of a target. */
enum vt_trace_arch vt_trace_arch_of(const char *name);

enum vt_insn_flow {
    VT_FLOW_UNKNOWN, /**< anywhere */
    VT_FLOW_NEXT,
    VT_FLOW_JUMP,        /**< to `target` */
    VT_FLOW_CONDITIONAL, /**< to `target` or next */
    VT_FLOW_INDIRECT,
    VT_FLOW_CALL, /**< to `target` */
    VT_FLOW_CALL_INDIRECT,
    VT_FLOW_RETURN,
    VT_FLOW_TRAP,             /**< into the kernel or a handler: syscall, int, ecall, svc */
    VT_FLOW_EXCEPTION_RETURN, /**< iret, sysret, eret, sret, mret */
};

struct vt_trace_insn_facts {
    enum vt_insn_flow flow;
    enum vt_trace_class class;
    uint64_t target;
    bool repeats; /**< x86 rep: may go to itself */
    bool load, store;
    bool has_token;         /**< it was decoded: */
    uint32_t token;         /**< mnemonic << 12 | kinds of operands; equal ones look the same */
    uint16_t reads, writes; /**< general registers, rax = bit 0 … r15 = bit 15 */
    uint16_t address;       /**< those that make up the addresses it loads from or stores to */
    bool loads_pointer;     /**< a 64-bit load to the general registers in `writes` */
    bool steps;             /**< adds a constant to a register: inc, add r,i, lea r,[r+i] … */
};

/** How a block's instructions are to be decoded. */
struct vt_trace_insn_decoder {
    enum vt_trace_arch arch;
    ZydisDecoder x86; /**< of x86_64: for as many bits as the block runs with */
};
void vt_trace_insn_decoder_init(struct vt_trace_insn_decoder *decoder, enum vt_trace_arch arch,
                                const struct vt_trace_block *block);
/** `size` 0: its bytes could not be read; UNKNOWN. */
void vt_trace_insn_facts_of(const struct vt_trace_insn_decoder *decoder, uint64_t pc,
                            const uint8_t *bytes, unsigned size, struct vt_trace_insn_facts *facts);
/** "mov r,m" of a token; returns out. */
const char *vt_trace_token_text(uint32_t token, char *out, size_t out_bytes);

#endif
