/* trace/x86.h - what the files that ask Zydis share (decode.c has them).
 */
#ifndef VT_TRACE_X86_H
#define VT_TRACE_X86_H

#include "vitrine/trace.h"

#include <Zydis/Zydis.h>

/** How many bits a block's code runs with, as vt_trace_decode finds out: a decoder for them. */
void vt_trace_x86_decoder(const struct vt_trace_block *block, ZydisDecoder *decoder);
/** What a decoded instruction is for. */
enum vt_trace_class vt_trace_x86_class(const ZydisDecodedInstruction *insn,
                                       const ZydisDecodedOperand *operands);

#endif
